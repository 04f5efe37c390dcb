//! The wire to the engine worker: commands out with their files and canvas, events in.
//! What is said before the worker listens is kept: its wasm takes longer to arrive than its script.

use std::cell::RefCell;
use std::rc::Rc;

use js_sys::{Array, Object, Reflect};
use leptos::prelude::set_timeout;
use protocol::{Command, Event};
use serde::Serialize;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, OffscreenCanvas, Worker, WorkerOptions, WorkerType};

/// The worker's script, as Trunk names the loader of the `engine` binary.
const LOADER: &str = "./engine_loader.js";

/// A worker that never says it listens is spoken to anyway after this long.
const HANDSHAKE_PATIENCE: std::time::Duration = std::time::Duration::from_secs(8);

struct Waiting {
    listening: bool,
    queue: Vec<(Object, Array)>,
}

#[derive(Clone)]
pub struct Link {
    worker: Worker,
    waiting: Rc<RefCell<Waiting>>,
}

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(
        "the engine worker could not be started: {0}. Reload the page; if it stays, this browser blocks module workers."
    )]
    Start(String),
}

impl Link {
    /// Starts the worker. `on_event` gets what it says, `on_failure` what went wrong with it.
    pub fn start(
        on_event: impl Fn(Event) + 'static,
        on_failure: impl Fn(String) + 'static,
    ) -> Result<Self, LinkError> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker =
            Worker::new_with_options(LOADER, &options).map_err(|e| LinkError::Start(format!("{e:?}")))?;
        let link = Self {
            worker: worker.clone(),
            waiting: Rc::new(RefCell::new(Waiting { listening: false, queue: Vec::new() })),
        };
        let on_failure = Rc::new(on_failure);

        let (flush, failed) = (link.clone(), on_failure.clone());
        let message = Closure::<dyn Fn(MessageEvent)>::new(move |e: MessageEvent| {
            flush.flush();
            let inner = Reflect::get(&e.data(), &"message".into()).unwrap_or(JsValue::UNDEFINED);
            // A bare greeting only says that the worker listens.
            if !inner.is_object() {
                return;
            }
            match serde_wasm_bindgen::from_value::<Event>(inner) {
                Ok(event) => on_event(event),
                Err(error) => {
                    failed(format!("A message of the engine could not be read: {error}. Reload the page."))
                }
            }
        });
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        message.forget();

        // A worker that fails to load sends a plain Event, one that throws an ErrorEvent with a message.
        let error = Closure::<dyn Fn(JsValue)>::new(move |e: JsValue| {
            let message = Reflect::get(&e, &"message".into()).ok().and_then(|m| m.as_string());
            let what = message.unwrap_or_else(|| "its program could not be loaded".into());
            on_failure(format!("The engine stopped: {what}. Reload the page."));
        });
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        error.forget();

        let late = link.clone();
        set_timeout(move || late.flush(), HANDSHAKE_PATIENCE);
        Ok(link)
    }

    pub fn send(&self, command: &Command, files: Option<&Array>, canvas: Option<&OffscreenCanvas>) {
        let serializer = serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true);
        let Ok(message) = command.serialize(&serializer) else { return };
        let envelope = Object::new();
        let transfer = Array::new();
        let set = |key: &str, value: &JsValue| {
            // Setting a plain object's field cannot fail.
            let _ = Reflect::set(&envelope, &key.into(), value);
        };
        set("message", &message);
        if let Some(files) = files {
            set("files", files);
        }
        if let Some(canvas) = canvas {
            set("canvas", canvas);
            transfer.push(canvas);
        }
        let listening = self.waiting.borrow().listening;
        if listening {
            self.post(&envelope, &transfer);
        } else {
            self.waiting.borrow_mut().queue.push((envelope, transfer));
        }
    }

    fn flush(&self) {
        let queue = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.listening = true;
            std::mem::take(&mut waiting.queue)
        };
        for (envelope, transfer) in queue {
            self.post(&envelope, &transfer);
        }
    }

    fn post(&self, envelope: &Object, transfer: &Array) {
        if let Err(error) = self.worker.post_message_with_transfer(envelope, transfer) {
            leptos::logging::error!("a command could not be posted to the engine: {error:?}");
        }
    }
}
