//! Server, proxy and browser of one test, started together and ended together.
//!
//! Starting a browser takes a second or two, so the tests of one file share one.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::Error;
use crate::devtools::DevTools;
use crate::driver::Driver;
use crate::process::Scratch;
use crate::proxy::Proxy;
use crate::server::Server;

/// How the browser is started.
#[derive(Clone, Debug)]
pub struct Options {
    /// Window size.
    pub size: (u32, u32),
    /// Whether the browser offers WebGPU.
    pub webgpu: bool,
    /// Whether its traffic goes through the counting proxy. Off for timings.
    pub proxy: bool,
    /// The built app; `None` for `ISOCENTER_DIST` or `dist` in the checkout.
    pub dist: Option<PathBuf>,
    /// A folder with models of the operator's own.
    pub models: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self { size: (1440, 900), webgpu: true, proxy: true, dist: None, models: None }
    }
}

/// Flags under which headless Chromium has WebGPU on a machine without a GPU.
const WEBGPU: &[&str] = &["--enable-unsafe-webgpu"];
/// WebGL on the same software rasteriser; Chromium would refuse it silently otherwise.
const WEBGL: &[&str] = &["--enable-unsafe-swiftshader"];

/// Runs before any script of the page: collects what the page would keep to itself.
const OBSERVERS: &str = r#"
(() => {
  const log = { errors: [], csp: [], longtasks: [], paints: {}, workers: [], events: [], calcium: [], dropped: 0 };
  Object.defineProperty(window, '__e2e', { value: log });
  addEventListener('error', e => log.errors.push(String(e.message || e.type)));
  addEventListener('unhandledrejection', e => log.errors.push('unhandled rejection: ' + e.reason));
  addEventListener('securitypolicyviolation', e => log.csp.push(e.effectiveDirective + ' ' + e.blockedURI), true);
  new PerformanceObserver(l => l.getEntries().forEach(e => log.longtasks.push([e.startTime, e.duration])))
    .observe({ type: 'longtask', buffered: true });
  new PerformanceObserver(l => l.getEntries().forEach(e => { log.paints[e.name] = e.startTime; }))
    .observe({ type: 'paint', buffered: true });
  addEventListener('drop', () => { log.dropped = performance.now(); }, true);
  // What the engine says and when; its worker, to be told what no person can say (a lost device).
  window.Worker = class extends Worker {
    constructor(url, options) {
      super(url, options);
      log.workers.push(this);
      this.addEventListener('message', e => {
        const m = e.data && e.data.message;
        if (!m || !m.type) return;
        const { type, generation, done, total, after_ms, cancelled, series } = m;
        const score = m.outcome && m.outcome.Ok;
        if (score) log.calcium.push({ threshold_hu: score.threshold_hu, ms: score.ms, backend: score.backend });
        log.events.push({ at: performance.now(), type, generation, done, total, after_ms, cancelled, series });
      });
    }
  };
})();
"#;

/// See the module. Fields end in this order: browser, proxy, server, files.
pub struct Bench {
    pub(crate) driver: Driver,
    proxy: Option<Proxy>,
    server: Server,
    files: Scratch,
    _turn: MutexGuard<'static, ()>,
}

/// One browser at a time: tests of one file run in threads, and two software rasterisers on two cores time out.
static TURN: Mutex<()> = Mutex::new(());

impl Bench {
    /// Starts everything.
    pub fn start(options: Options) -> Result<Self, Error> {
        // A test that failed while it had the turn has ended its processes all the same.
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let server = Server::start(options.dist, options.models.as_deref())?;
        let proxy = if options.proxy { Some(Proxy::start(server.port())?) } else { None };
        let mut flags = WEBGL.to_vec();
        if options.webgpu {
            flags.extend(WEBGPU);
        } else {
            flags.push("--disable-features=WebGPU");
        }
        let driver = Driver::start(options.size, proxy.as_ref().map(Proxy::port), &flags)?;
        driver.devtools("Page.enable", json!({}))?;
        driver.devtools("Page.addScriptToEvaluateOnNewDocument", json!({ "source": OBSERVERS }))?;
        driver.resize(options.size.0, options.size.1, 1.0, false)?;
        Ok(Self { driver, proxy, server, files: Scratch::new("files")?, _turn: turn })
    }

    /// Opens the app; `query` is empty or begins with `?`.
    pub fn open(&self, query: &str) -> Result<(), Error> {
        self.driver.go(&self.url(query))
    }

    /// Address of the app.
    pub fn url(&self, path_and_query: &str) -> String {
        format!("http://127.0.0.1:{}/{path_and_query}", self.server.port())
    }

    /// The browser.
    pub fn driver(&self) -> &Driver {
        &self.driver
    }

    /// A connection to the whole browser, workers included.
    pub fn devtools(&self) -> Result<DevTools, Error> {
        DevTools::connect(self.driver.debugger())
    }

    /// The proxy that counts, unless it was declined.
    pub fn requests(&self) -> Vec<crate::Seen> {
        self.proxy.as_ref().map(Proxy::seen).unwrap_or_default()
    }

    /// No server and no network from here on.
    pub fn go_offline(&mut self) {
        if let Some(proxy) = &self.proxy {
            proxy.cut();
        }
        self.server.stop();
    }

    /// A folder for files to drop; removed at the end.
    pub fn folder(&self) -> &Path {
        self.files.path()
    }

    /// What the page complained about since the last call; an error if anything.
    pub fn expect_calm(&self) -> Result<(), Error> {
        let faults = self.faults()?;
        if faults.is_empty() { Ok(()) } else { Err(Error::Faults(faults.join("\n"))) }
    }

    /// Console errors, uncaught exceptions and violations of the Content-Security-Policy since the last call.
    pub fn faults(&self) -> Result<Vec<String>, Error> {
        let mut faults: Vec<String> = self
            .driver
            .console()?
            .into_iter()
            .filter(|(level, _)| level == "SEVERE")
            .map(|(_, text)| format!("console: {text}"))
            .collect();
        let log = self.driver.run(
            "const l = window.__e2e; if (!l) return []; \
             return l.errors.splice(0).map(e => 'error: ' + e).concat(l.csp.splice(0).map(e => 'policy: ' + e))",
            &[],
        )?;
        faults.extend(log.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned));
        Ok(faults)
    }

    /// What the engine has said of a kind, with the page's clock: `[{ at, type, done, total, ... }]`.
    pub fn events(&self, kind: &str) -> Result<Vec<Value>, Error> {
        let list = self
            .driver
            .run("return window.__e2e.events.filter(e => e.type === arguments[0])", &[json!(kind)])?;
        Ok(list.as_array().cloned().unwrap_or_default())
    }

    /// Says something to the engine as the page would; returns the page's clock.
    pub fn tell_engine(&self, command: Value) -> Result<f64, Error> {
        let script =
            "window.__e2e.workers.at(-1).postMessage({ message: arguments[0] }); return performance.now()";
        Ok(self.driver.run(script, &[command])?.as_f64().unwrap_or_default())
    }

    /// Start and duration in ms of every task over 50 ms on the page's thread.
    pub fn long_tasks_ms(&self) -> Result<Vec<(f64, f64)>, Error> {
        let list = self.driver.run("return window.__e2e.longtasks", &[])?;
        let number = |v: &Value| v.as_f64().unwrap_or_default();
        Ok(list
            .as_array()
            .map(|l| l.iter().map(|e| (number(&e[0]), number(&e[1]))).collect())
            .unwrap_or_default())
    }
}
