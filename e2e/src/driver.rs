//! A WebDriver session with ChromeDriver, and the DevTools commands behind it.
//!
//! Written against the W3C WebDriver recommendation; only what the tests use.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use serde_json::{Value, json};

use crate::Error;
use crate::process::{Process, Scratch, end_users_of};

/// A started browser with one tab.
pub struct Driver {
    process: Process,
    port: u16,
    session: String,
    debugger: String,
    profile: Scratch,
}

/// A reference to an element of the page.
#[derive(Clone, Debug)]
pub struct Element(pub(crate) String);

/// Keys without a character (WebDriver 17.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// Next element.
    Tab,
    /// Activate.
    Enter,
    /// Leave.
    Escape,
    /// Modifier.
    Shift,
    /// Modifier.
    Control,
    /// Modifier.
    Alt,
    /// Arrow.
    Left,
    /// Arrow.
    Right,
    /// Arrow.
    Up,
    /// Arrow.
    Down,
    /// First.
    Home,
    /// Last.
    End,
    /// Back by a page.
    PageUp,
    /// On by a page.
    PageDown,
    /// Remove.
    Delete,
    /// A character as typed.
    Char(char),
}

impl Key {
    /// As WebDriver writes it.
    pub fn code(self) -> String {
        let point = match self {
            Self::Tab => '\u{E004}',
            Self::Enter => '\u{E007}',
            Self::Shift => '\u{E008}',
            Self::Control => '\u{E009}',
            Self::Alt => '\u{E00A}',
            Self::Escape => '\u{E00C}',
            Self::PageUp => '\u{E00E}',
            Self::PageDown => '\u{E00F}',
            Self::End => '\u{E010}',
            Self::Home => '\u{E011}',
            Self::Left => '\u{E012}',
            Self::Up => '\u{E013}',
            Self::Right => '\u{E014}',
            Self::Down => '\u{E015}',
            Self::Delete => '\u{E017}',
            Self::Char(c) => c,
        };
        point.to_string()
    }
}

/// Name of the member that holds an element reference (WebDriver 11).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// From Chromium's documentation: nothing of the browser's own may touch network or disk outside its profile.
const FLAGS: &[&str] = &[
    "--headless=new",
    // Containers run as root without user namespaces.
    "--no-sandbox",
    "--disable-quic",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--disable-extensions",
    "--disable-domain-reliability",
    "--disable-client-side-phishing-detection",
    // Colours as the page sent them, whatever profile the machine has.
    "--force-color-profile=srgb",
    // A fixed ratio, so that device pixels are the same everywhere.
    "--force-device-scale-factor=1",
    "--hide-scrollbars",
    // /dev/shm is 64 MB in containers.
    "--disable-dev-shm-usage",
];

impl Driver {
    /// Starts ChromeDriver and a browser of this window size.
    pub fn start(size: (u32, u32), proxy_port: Option<u16>, more_flags: &[&str]) -> Result<Self, Error> {
        let hint = "install chromium and chromium-driver, or run `cargo xtask setup`";
        let driver = std::env::var_os("CHROMEDRIVER").unwrap_or_else(|| "chromedriver".into());
        let mut command = Command::new(driver);
        command.arg("--port=0");
        let process = Process::start(command, hint)?;
        let port = process.port(Duration::from_secs(20), |line| {
            line.split_once("started successfully on port ")?.1.trim_end_matches('.').trim().parse().ok()
        })?;
        let profile = Scratch::new("profile")?;
        let mut flags: Vec<String> = FLAGS.iter().chain(more_flags).map(|f| (*f).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        flags.push(format!("--window-size={},{}", size.0, size.1));
        if let Some(proxy) = proxy_port {
            flags.push(format!("--proxy-server=http://127.0.0.1:{proxy}"));
            // Without this, loopback would go past the proxy.
            flags.push("--proxy-bypass-list=<-loopback>".into());
        }
        let mut options = json!({ "args": flags });
        if let Some(binary) = chromium() {
            options["binary"] = json!(binary);
        }
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        } } });
        let mut this = Self { process, port, session: String::new(), debugger: String::new(), profile };
        let answer = this.call("POST", "/session", Some(&capabilities))?;
        this.session =
            answer["sessionId"].as_str().ok_or_else(|| Error::Answer("no session id".into()))?.to_owned();
        let debugger = &answer["capabilities"]["goog:chromeOptions"]["debuggerAddress"];
        this.debugger = debugger.as_str().unwrap_or_default().replace("localhost", "127.0.0.1");
        Ok(this)
    }

    fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Error> {
        let (status, mut answer) =
            crate::http::json(self.port, method, path, body, Duration::from_secs(120))?;
        if status == 200 {
            return Ok(answer["value"].take());
        }
        let message = answer["value"]["message"].as_str().unwrap_or("no message");
        Err(Error::Refused {
            command: format!("{method} {path}"),
            message: message.lines().next().unwrap_or_default().to_owned(),
        })
    }

    fn post(&self, path: &str, body: Value) -> Result<Value, Error> {
        self.call("POST", &format!("/session/{}{path}", self.session), Some(&body))
    }

    fn get(&self, path: &str) -> Result<Value, Error> {
        self.call("GET", &format!("/session/{}{path}", self.session), None)
    }

    /// A DevTools command for the tab.
    pub fn devtools(&self, command: &str, params: Value) -> Result<Value, Error> {
        self.post("/goog/cdp/execute", json!({ "cmd": command, "params": params }))
    }

    /// Opens an address and waits for its load event.
    pub fn go(&self, url: &str) -> Result<(), Error> {
        self.post("/url", json!({ "url": url })).map(drop)
    }

    /// As F5.
    pub fn reload(&self) -> Result<(), Error> {
        self.post("/refresh", json!({})).map(drop)
    }

    /// Runs the body of a function; `arguments[0]` and on are `arguments`. Promises are awaited.
    pub fn run(&self, script: &str, arguments: &[Value]) -> Result<Value, Error> {
        self.post("/execute/sync", json!({ "script": script, "args": arguments }))
    }

    /// The first element that a selector matches.
    pub fn find(&self, selector: &str) -> Result<Element, Error> {
        let found = self.post("/element", json!({ "using": "css selector", "value": selector }))?;
        found[ELEMENT]
            .as_str()
            .map(|s| Element(s.to_owned()))
            .ok_or_else(|| Error::Answer("no element".into()))
    }

    /// Clicks its middle as a person would: it must be visible and not covered.
    pub fn click(&self, element: &Element) -> Result<(), Error> {
        self.post(&format!("/element/{}/click", element.0), json!({})).map(drop)
    }

    /// Types into it; for a file input the text is the path.
    pub fn type_into(&self, element: &Element, text: &str) -> Result<(), Error> {
        self.post(&format!("/element/{}/value", element.0), json!({ "text": text })).map(drop)
    }

    /// Performs input actions (WebDriver 17).
    pub fn actions(&self, sources: Value) -> Result<(), Error> {
        self.post("/actions", json!({ "actions": sources })).map(drop)
    }

    /// PNG bytes of the tab.
    pub fn screenshot(&self) -> Result<Vec<u8>, Error> {
        decode(&self.get("/screenshot")?)
    }

    /// Sets the size of the page itself, for a screen of this size.
    pub fn resize(&self, width: u32, height: u32, scale: f64, mobile: bool) -> Result<(), Error> {
        let params =
            json!({ "width": width, "height": height, "deviceScaleFactor": scale, "mobile": mobile });
        self.devtools("Emulation.setDeviceMetricsOverride", params).map(drop)
    }

    /// Console lines since the last call: level, text.
    pub fn console(&self) -> Result<Vec<(String, String)>, Error> {
        let log = self.post("/se/log", json!({ "type": "browser" }))?;
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        Ok(log
            .as_array()
            .map(|l| l.iter().map(|e| (text(&e["level"]), text(&e["message"]))).collect())
            .unwrap_or_default())
    }

    /// Where the browser's own debugger listens.
    pub fn debugger(&self) -> &str {
        &self.debugger
    }

    /// Profile folder, for tests that look at what was kept.
    pub fn profile(&self) -> &Path {
        self.profile.path()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let path = format!("/session/{}", self.session);
            let _ = crate::http::json(self.port, "DELETE", &path, None, Duration::from_secs(10));
        }
        self.process.end();
        end_users_of(self.profile.path());
    }
}

fn decode(value: &Value) -> Result<Vec<u8>, Error> {
    let text = value.as_str().ok_or_else(|| Error::Answer("no screenshot".into()))?;
    base64::engine::general_purpose::STANDARD.decode(text).map_err(|e| Error::Png(e.to_string()))
}

/// `CHROMIUM`, or where Debian puts it; otherwise ChromeDriver looks for itself.
fn chromium() -> Option<String> {
    let named = std::env::var("CHROMIUM").ok();
    named.or_else(|| Path::new("/usr/bin/chromium").exists().then(|| "/usr/bin/chromium".to_owned()))
}
