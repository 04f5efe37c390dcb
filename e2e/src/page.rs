//! What a person does with the page, and what they see.
//!
//! Elements are found by `data-testid`, the page's contract with these tests; everything else is pointer, wheel,
//! keys and pixels.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::driver::Key;
use crate::picture::Picture;
use crate::{Bench, Error};

/// Where an element is, in CSS pixels of the viewport.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rect {
    /// Left edge.
    pub x: f64,
    /// Upper edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl Rect {
    /// A point inside: (0, 0) is the upper left corner, (1, 1) the lower right.
    pub fn at(&self, x: f64, y: f64) -> (i64, i64) {
        ((self.x + x * self.width).round() as i64, (self.y + y * self.height).round() as i64)
    }
}

/// A mouse button by its WebDriver number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    /// 0
    Left,
    /// 1
    Middle,
    /// 2
    Right,
}

/// How long a condition may take: the software rasteriser on two busy cores is slow, not stuck.
pub const PATIENCE: Duration = Duration::from_secs(30);

impl Bench {
    /// The selector of a test id.
    pub fn id(test_id: &str) -> String {
        format!("[data-testid=\"{test_id}\"]")
    }

    /// Polls a JavaScript expression until it is truthy; returns its value.
    pub fn wait_for(&self, what: &str, within: Duration, expression: &str) -> Result<Value, Error> {
        let begun = Instant::now();
        let script = format!("return ({expression})");
        loop {
            // While a page loads, the context of a script may vanish under it.
            let value = self.driver.run(&script, &[]).unwrap_or(Value::Null);
            let truthy = match &value {
                Value::Null | Value::Bool(false) => false,
                Value::Number(n) => n.as_f64() != Some(0.0),
                Value::String(s) => !s.is_empty(),
                _ => true,
            };
            if truthy {
                return Ok(value);
            }
            if begun.elapsed() > within {
                let page = self
                    .driver
                    .run("return document.body ? document.body.innerText.slice(0, 1500) : ''", &[]);
                let page = page.ok().and_then(|p| p.as_str().map(str::to_owned)).unwrap_or_default();
                let faults = self.faults().unwrap_or_default().join("; ");
                return Err(Error::Timeout {
                    what: what.to_owned(),
                    after: within,
                    page: format!("{page}\nfaults: {faults}"),
                });
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits for an element to be there and visible.
    pub fn wait_visible(&self, test_id: &str) -> Result<(), Error> {
        let selector = Self::id(test_id);
        let expression = format!(
            "(() => {{ const e = document.querySelector('{selector}'); return !!e && e.getClientRects().length > 0 && getComputedStyle(e).visibility !== 'hidden'; }})()"
        );
        self.wait_for(&format!("`{test_id}` to be visible"), PATIENCE, &expression).map(drop)
    }

    /// Whether an element is there and takes room.
    pub fn visible(&self, test_id: &str) -> Result<bool, Error> {
        let script =
            "const e = document.querySelector(arguments[0]); return !!e && e.getClientRects().length > 0";
        Ok(self.driver.run(script, &[json!(Self::id(test_id))])?.as_bool().unwrap_or(false))
    }

    /// How many elements have a test id.
    pub fn count(&self, test_id: &str) -> Result<usize, Error> {
        let n = self
            .driver
            .run("return document.querySelectorAll(arguments[0]).length", &[json!(Self::id(test_id))])?;
        Ok(n.as_u64().unwrap_or_default() as usize)
    }

    /// An attribute, or `None` where the element or the attribute is missing.
    pub fn attribute(&self, test_id: &str, name: &str) -> Result<Option<String>, Error> {
        let script =
            "const e = document.querySelector(arguments[0]); return e && e.getAttribute(arguments[1])";
        let value = self.driver.run(script, &[json!(Self::id(test_id)), json!(name)])?;
        Ok(value.as_str().map(str::to_owned))
    }

    /// A `data-…` attribute as a number; NaN where there is none, which no comparison accepts.
    pub fn number(&self, test_id: &str, name: &str) -> Result<f64, Error> {
        let value = self.attribute(test_id, &format!("data-{name}"))?;
        Ok(value.and_then(|v| v.parse().ok()).unwrap_or(f64::NAN))
    }

    /// Visible text.
    pub fn text(&self, test_id: &str) -> Result<String, Error> {
        let script = "const e = document.querySelector(arguments[0]); return e ? e.innerText : ''";
        let value = self.driver.run(script, &[json!(Self::id(test_id))])?;
        Ok(value.as_str().unwrap_or_default().to_owned())
    }

    /// Place of an element.
    pub fn rect(&self, test_id: &str) -> Result<Rect, Error> {
        let script = "const r = document.querySelector(arguments[0])?.getBoundingClientRect(); return r && [r.x, r.y, r.width, r.height]";
        let r = self.driver.run(script, &[json!(Self::id(test_id))])?;
        let n = |i: usize| r[i].as_f64();
        match (n(0), n(1), n(2), n(3)) {
            (Some(x), Some(y), Some(width), Some(height)) => Ok(Rect { x, y, width, height }),
            _ => Err(Error::Answer(format!("`{test_id}` is not on the page"))),
        }
    }

    /// Clicks the middle of an element.
    pub fn click(&self, test_id: &str) -> Result<(), Error> {
        self.driver.click(&self.driver.find(&Self::id(test_id))?)
    }

    /// Drops files or folders from the file manager onto the middle of the page.
    pub fn drop_files(&self, paths: &[PathBuf]) -> Result<(), Error> {
        let files: Vec<_> = paths.iter().map(|p| p.to_string_lossy().into_owned()).collect();
        let size = self.driver.run("return [innerWidth, innerHeight]", &[])?;
        let (x, y) = (size[0].as_f64().unwrap_or(400.0) / 2.0, size[1].as_f64().unwrap_or(400.0) / 2.0);
        for kind in ["dragEnter", "dragOver", "drop"] {
            self.driver.devtools(
                "Input.dispatchDragEvent",
                json!({ "type": kind, "x": x, "y": y, "data": { "items": [], "files": files, "dragOperationsMask": 1 } }),
            )?;
        }
        Ok(())
    }

    /// Presses, moves in steps as a hand does, and releases.
    pub fn drag(&self, button: Button, from: (i64, i64), to: (i64, i64)) -> Result<(), Error> {
        const STEPS: i64 = 8;
        let mut actions = vec![
            json!({ "type": "pointerMove", "duration": 0, "x": from.0, "y": from.1 }),
            json!({ "type": "pointerDown", "button": button as u8 }),
        ];
        for i in 1..=STEPS {
            let (x, y) = (from.0 + (to.0 - from.0) * i / STEPS, from.1 + (to.1 - from.1) * i / STEPS);
            actions.push(json!({ "type": "pointerMove", "duration": 8, "x": x, "y": y }));
        }
        actions.push(json!({ "type": "pointerUp", "button": button as u8 }));
        self.pointer(actions)
    }

    /// Moves the pointer without pressing.
    pub fn hover(&self, at: (i64, i64)) -> Result<(), Error> {
        self.pointer(vec![json!({ "type": "pointerMove", "duration": 0, "x": at.0, "y": at.1 })])
    }

    /// Presses and releases at a point.
    pub fn click_at(&self, at: (i64, i64)) -> Result<(), Error> {
        self.pointer(vec![
            json!({ "type": "pointerMove", "duration": 0, "x": at.0, "y": at.1 }),
            json!({ "type": "pointerDown", "button": 0 }),
            json!({ "type": "pointerUp", "button": 0 }),
        ])
    }

    fn pointer(&self, actions: Vec<Value>) -> Result<(), Error> {
        self.driver.actions(json!([{ "type": "pointer", "id": "mouse", "parameters": { "pointerType": "mouse" }, "actions": actions }]))
    }

    /// Turns the wheel: one notch at a time, positive towards the reader.
    pub fn wheel(&self, at: (i64, i64), notches: i64) -> Result<(), Error> {
        for _ in 0..notches.abs() {
            let scroll = json!({ "type": "scroll", "x": at.0, "y": at.1, "deltaX": 0, "deltaY": 100 * notches.signum(), "duration": 0 });
            self.driver.actions(json!([{ "type": "wheel", "id": "wheel", "actions": [scroll] }]))?;
        }
        Ok(())
    }

    /// Presses keys together, releases them in the opposite order.
    pub fn press(&self, keys: &[Key]) -> Result<(), Error> {
        let down = keys.iter().map(|k| json!({ "type": "keyDown", "value": k.code() }));
        let up = keys.iter().rev().map(|k| json!({ "type": "keyUp", "value": k.code() }));
        let actions: Vec<_> = down.chain(up).collect();
        self.driver.actions(json!([{ "type": "key", "id": "keyboard", "actions": actions }]))
    }

    /// The page as pixels, device pixels = CSS pixels.
    pub fn screen(&self) -> Result<Picture, Error> {
        Picture::from_png(&self.driver.screenshot()?)
    }

    /// The part of the page where an element is, rounded inwards, without the ring that shows the focus.
    pub fn picture(&self, test_id: &str) -> Result<Picture, Error> {
        const RING: &str = "document.querySelector(arguments[0]).style.outlineColor = arguments[1]";
        let element = json!(Self::id(test_id));
        self.driver.run(RING, &[element.clone(), json!("transparent")])?;
        let rect = self.rect(test_id)?;
        let screen = self.screen();
        self.driver.run(RING, &[element, json!("")])?;
        Ok(screen?.crop(rect))
    }

    /// Opens the app and waits until its engine draws.
    pub fn open_ready(&self, query: &str) -> Result<String, Error> {
        self.open(query)?;
        self.ready()
    }

    /// Waits until the engine draws; returns the backend's name.
    pub fn ready(&self) -> Result<String, Error> {
        let backend = "(() => { const b = document.querySelector('[data-testid=backend-badge]')?.dataset.backend; \
             return b !== 'starting' && b; })()";
        Ok(self
            .wait_for("the engine to be ready", PATIENCE, backend)?
            .as_str()
            .unwrap_or_default()
            .to_owned())
    }

    /// Waits until reading is over and every slice of the newest series has arrived and is drawn.
    pub fn loaded(&self) -> Result<(), Error> {
        let all = "(() => { const e = window.__e2e.events; const last = t => e.filter(x => x.type === t).at(-1); \
             const l = last('loaded'), o = last('opened'); \
             return l && o && l.done === l.total && l.at >= o.at && !document.querySelector('[data-testid=progress]'); })()";
        self.wait_for("every slice to be loaded", PATIENCE, all)?;
        self.settle()
    }

    /// Drops files and waits until they are on the screen.
    pub fn open_study(&self, paths: &[PathBuf]) -> Result<(), Error> {
        self.driver.run("window.__e2e.events.length = 0", &[])?;
        self.drop_files(paths)?;
        self.loaded()
    }

    /// Presses one key after another and waits for the picture.
    pub fn keys(&self, keys: &[Key]) -> Result<(), Error> {
        for key in keys {
            self.press(&[*key])?;
        }
        self.settle()
    }

    /// Counts of the ledger: received, used, shown, refused.
    pub fn ledger(&self) -> Result<[u64; 4], Error> {
        let mut counts = [0; 4];
        for (count, name) in counts.iter_mut().zip(["received", "used", "shown", "refused"]) {
            let id = format!("ledger-{name}");
            let text = self.driver.run(
                "return document.querySelector(arguments[0])?.textContent ?? ''",
                &[json!(Self::id(&id))],
            )?;
            let text = text.as_str().unwrap_or_default().trim().to_owned();
            *count = text.parse().map_err(|_| Error::Answer(format!("`{id}` says `{text}`")))?;
        }
        Ok(counts)
    }

    /// Waits until what was asked for last is what is on the screen, and the browser has shown it.
    pub fn settle(&self) -> Result<(), Error> {
        let drawn = "(() => { const p = [...document.querySelectorAll('[data-generation]')]; \
             return p.length > 0 && p.every(e => e.dataset.generation === e.dataset.generationDrawn); })()";
        // Twice with two frames between: an event that still has to reach the page would make a new generation.
        for _ in 0..2 {
            self.wait_for("the newest scene to be drawn", PATIENCE, drawn)?;
            self.driver.run("return new Promise(r => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(r, 30))))", &[])?;
        }
        self.wait_for("the newest scene to be drawn", PATIENCE, drawn).map(drop)
    }
}
