//! The wire to the page: events out, commands in, and a yield that lets commands in between two steps.

use js_sys::{Array, Object, Promise, Reflect};
use protocol::{Command, Event};
use serde::Serialize;
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{DedicatedWorkerGlobalScope, File, OffscreenCanvas};

/// A command with what cannot be serialised.
pub struct Incoming {
    pub command: Command,
    pub files: Vec<File>,
    pub canvas: Option<OffscreenCanvas>,
}

pub fn scope() -> DedicatedWorkerGlobalScope {
    js_sys::global().unchecked_into()
}

/// Milliseconds since the worker started.
pub fn now_ms() -> f64 {
    scope().performance().map_or(0.0, |p| p.now())
}

pub fn send(event: &Event) {
    // Byte arrays travel as Uint8Array, 64-bit counts as numbers: both sides use the same serializer.
    let serializer = serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true);
    let message = match event.serialize(&serializer) {
        Ok(message) => message,
        Err(error) => {
            web_sys::console::error_1(&format!("an event could not be sent: {error}").into());
            return;
        }
    };
    let envelope = Object::new();
    let posted =
        Reflect::set(&envelope, &"message".into(), &message).and_then(|_| scope().post_message(&envelope));
    if posted.is_err() {
        web_sys::console::error_1(&"an event could not be posted to the page".into());
    }
}

/// A bare greeting: the page holds its messages back until the worker listens.
pub fn send_hello() {
    let envelope = Object::new();
    if Reflect::set(&envelope, &"message".into(), &"listening".into()).is_ok() {
        let _ = scope().post_message(&envelope);
    }
}

/// Something the user should see.
pub fn problem(message: &str) {
    send(&Event::Problem { message: message.to_owned() });
}

pub fn receive(data: &JsValue) -> Result<Incoming, String> {
    let field = |name: &str| Reflect::get(data, &name.into()).unwrap_or(JsValue::UNDEFINED);
    let command = serde_wasm_bindgen::from_value(field("message")).map_err(|e| e.to_string())?;
    let files =
        field("files").dyn_into::<Array>().map(|a| a.iter().filter_map(|f| f.dyn_into().ok()).collect());
    Ok(Incoming { command, files: files.unwrap_or_default(), canvas: field("canvas").dyn_into().ok() })
}

/// Lets waiting messages in. A `MessageChannel` round trip rather than a timer, which browsers clamp to 4 ms.
pub async fn breathe(channel: &web_sys::MessageChannel) {
    let port = channel.port1();
    let promise = Promise::new(&mut |resolve, _| port.set_onmessage(Some(&resolve)));
    if channel.port2().post_message(&JsValue::NULL).is_ok() {
        // Resolving cannot fail: the executor only ever resolves.
        let _ = JsFuture::from(promise).await;
    }
}
