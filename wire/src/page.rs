//! The page's end of the wire to one worker.
//!
//! What is said before the worker listens is kept: its wasm takes longer to arrive than its script.

use std::cell::RefCell;
use std::rc::Rc;

use serde::de::DeserializeOwned;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{MessageEvent, Worker, WorkerOptions, WorkerType};

use crate::envelope::{Envelope, item, message_of};

struct Waiting {
    listening: bool,
    queue: Vec<Envelope>,
}

/// A running worker.
#[derive(Clone)]
pub struct Link {
    worker: Worker,
    waiting: Rc<RefCell<Waiting>>,
}

/// Why there is no worker.
#[derive(Clone, Debug, thiserror::Error)]
#[error(
    "a worker could not be started: {0}. Reload the page; if it stays, this browser blocks module workers."
)]
pub struct StartError(String);

impl Link {
    /// Starts the worker behind `loader`, the script as Trunk names it. `on_message` gets what it says with what
    /// stands beside it, `on_failure` what went wrong with it.
    ///
    /// # Errors
    /// Where the browser has no module workers.
    pub fn start<T: DeserializeOwned + 'static>(
        loader: &str,
        on_message: impl Fn(T, JsValue) + 'static,
        on_failure: impl Fn(String) + 'static,
    ) -> Result<Self, StartError> {
        let options = WorkerOptions::new();
        options.set_type(WorkerType::Module);
        let worker = Worker::new_with_options(loader, &options).map_err(|e| StartError(format!("{e:?}")))?;
        let link = Self {
            worker: worker.clone(),
            waiting: Rc::new(RefCell::new(Waiting { listening: false, queue: Vec::new() })),
        };
        let on_failure = Rc::new(on_failure);

        let (flush, failed) = (link.clone(), on_failure.clone());
        let message = Closure::<dyn Fn(MessageEvent)>::new(move |e: MessageEvent| {
            flush.flush();
            let data = e.data();
            // A bare greeting only says that the worker listens.
            if !item(&data, "message").is_object() {
                return;
            }
            match message_of(&data) {
                Ok(message) => on_message(message, data),
                Err(error) => failed(format!("a message of it could not be read: {error}")),
            }
        });
        worker.set_onmessage(Some(message.as_ref().unchecked_ref()));
        message.forget();

        // A worker that fails to load sends a plain Event, one that throws an ErrorEvent with a message.
        let error = Closure::<dyn Fn(JsValue)>::new(move |e: JsValue| {
            let message = item(&e, "message").as_string();
            on_failure(message.unwrap_or_else(|| "its program could not be loaded".into()));
        });
        worker.set_onerror(Some(error.as_ref().unchecked_ref()));
        error.forget();
        Ok(link)
    }

    /// Sends now, or when the worker listens. False: the browser refused it.
    pub fn send(&self, envelope: Envelope) -> bool {
        let listening = self.waiting.borrow().listening;
        if listening {
            return self.post(&envelope);
        }
        self.waiting.borrow_mut().queue.push(envelope);
        true
    }

    /// Sends what waits. Called by the worker's greeting; by the page when it is tired of waiting for one.
    pub fn flush(&self) {
        let queue = {
            let mut waiting = self.waiting.borrow_mut();
            waiting.listening = true;
            std::mem::take(&mut waiting.queue)
        };
        for envelope in queue {
            self.post(&envelope);
        }
    }

    /// Ends the worker in the middle of whatever it does; its memory is the browser's again.
    pub fn end(&self) {
        self.worker.terminate();
    }

    fn post(&self, envelope: &Envelope) -> bool {
        self.worker.post_message_with_transfer(&envelope.object, &envelope.transfer).is_ok()
    }
}
