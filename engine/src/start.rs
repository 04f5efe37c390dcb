//! The loop: messages in, one slice of work, again; asleep when there is nothing to do.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{MessageChannel, MessageEvent};

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
    let on_message =
        Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
            match link::receive(&event.data()) {
                Ok(incoming) => receiver.push(incoming),
                Err(error) => link::problem(&format!(
                    "The page sent something the engine does not know: {error}. Reload the page."
                )),
            }
        });
    link::scope().set_onmessage(Some(on_message.as_ref().unchecked_ref()));
    on_message.forget();
    // Messages posted before this point were lost to the browser's queue rules, so the page waits for this.
    link::send_hello();
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
