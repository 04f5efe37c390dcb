//! The worker's end: messages to the page, the time, and a yield that lets messages in between two steps.

use js_sys::Promise;
use serde::Serialize;
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, MessageChannel, MessageEvent};

use crate::{Envelope, UnreadableMessage};

/// What this worker's global object is.
pub fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Milliseconds since the worker started.
pub fn now_ms() -> f64 {
    scope().performance().map_or(0.0, |p| p.now())
}

/// Tells the page.
pub fn send(message: &impl Serialize) {
    post(Envelope::new(message));
}

/// Tells the page, with bytes that are copied once and then change hands.
pub fn send_bytes(message: &impl Serialize, name: &str, bytes: &[u8]) {
    post(Envelope::new(message).map(|envelope| envelope.give_bytes(name, bytes)));
}

/// What cannot be said is said on the console, for there is nobody else to tell.
fn post(envelope: Result<Envelope, UnreadableMessage>) {
    let said = envelope.map(|e| scope().post_message_with_transfer(&e.object, &e.transfer));
    match said {
        Ok(Ok(())) => {}
        Ok(Err(_)) => web_sys::console::error_1(&"a message could not be posted to the page".into()),
        Err(error) => web_sys::console::error_1(&format!("a message could not be sent: {error}").into()),
    }
}

/// Listens to the page, and greets it: messages posted before this point were lost to the browser's queue rules, so
/// the page waits for the greeting.
pub fn listen(mut on_message: impl FnMut(JsValue) + 'static) {
    let closure =
        Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| on_message(event.data()));
    scope().set_onmessage(Some(closure.as_ref().unchecked_ref()));
    closure.forget();
    if let Ok(greeting) = Envelope::new(&"listening") {
        let _ = scope().post_message(&greeting.object);
    }
}

/// Lets waiting messages in. A `MessageChannel` round trip rather than a timer, which browsers clamp to 4 ms.
pub async fn breathe(channel: &MessageChannel) {
    let port = channel.port1();
    let promise = Promise::new(&mut |resolve, _| port.set_onmessage(Some(&resolve)));
    if channel.port2().post_message(&JsValue::NULL).is_ok() {
        // Resolving cannot fail: the executor only ever resolves.
        let _ = JsFuture::from(promise).await;
    }
}
