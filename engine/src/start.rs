//! The loop: messages in, one slice of work, again; asleep when there is nothing to do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::JsFuture;
use web_sys::MessageChannel;

use crate::link::{self, Incoming};
use crate::session::Session;

/// What arrived and is not handled yet, and how to wake the loop.
#[derive(Default)]
pub struct Inbox {
    waiting: RefCell<Vec<Incoming>>,
    wake: Cell<Option<Function>>,
}

impl Inbox {
    fn push(&self, incoming: Incoming) {
        self.waiting.borrow_mut().push(incoming);
        self.poke();
    }

    /// Wakes the loop without a message.
    pub fn poke(&self) {
        if let Some(wake) = self.wake.take() {
            // Resolving a promise cannot throw.
            let _ = wake.call0(&JsValue::NULL);
        }
    }

    async fn arrival(&self) {
        let promise = Promise::new(&mut |resolve, _| self.wake.set(Some(resolve)));
        if self.waiting.borrow().is_empty() {
            let _ = JsFuture::from(promise).await;
        }
    }
}

/// Listens to the page and starts the loop.
pub fn listen() {
    let inbox = Rc::new(Inbox::default());
    let receiver = Rc::clone(&inbox);
    link::listen(move |data| match link::receive(&data) {
        Ok(incoming) => receiver.push(incoming),
        Err(error) => link::problem(&format!(
            "The page sent something the engine does not know: {error}. Reload the page."
        )),
    });
    wasm_bindgen_futures::spawn_local(run(inbox));
}

async fn run(inbox: Rc<Inbox>) {
    let Ok(channel) = MessageChannel::new() else {
        link::problem("This browser offers no MessageChannel in workers. Update the browser.");
        return;
    };
    let mut session = Session::new(Rc::clone(&inbox));
    loop {
        let arrived: Vec<Incoming> = inbox.waiting.borrow_mut().drain(..).collect();
        for incoming in arrived {
            session.handle(incoming).await;
        }
        if session.step().await {
            link::breathe(&channel).await;
        } else {
            inbox.arrival().await;
        }
    }
}
