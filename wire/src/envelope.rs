//! One message as it travels, written and read.
//!
//! Byte arrays travel as Uint8Array and 64-bit counts as numbers: both sides use the same serializer.

use js_sys::{Array, ArrayBuffer, Object, Reflect, Uint8Array};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::{JsCast, JsValue};

/// A message that is about to be posted.
pub struct Envelope {
    pub(crate) object: Object,
    pub(crate) transfer: Array,
}

/// A message that is not of the type it should be: two builds talk to each other.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{0}")]
pub struct UnreadableMessage(String);

impl Envelope {
    /// Around `message`.
    ///
    /// # Errors
    /// Where the message has a part that JavaScript cannot hold.
    pub fn new(message: &impl Serialize) -> Result<Self, UnreadableMessage> {
        let serializer = serde_wasm_bindgen::Serializer::new().serialize_maps_as_objects(true);
        let message = message.serialize(&serializer).map_err(|e| UnreadableMessage(e.to_string()))?;
        let envelope = Self { object: Object::new(), transfer: Array::new() };
        Ok(envelope.with("message", &message))
    }

    /// With something that is copied or shared.
    #[must_use]
    pub fn with(self, name: &str, item: &JsValue) -> Self {
        // Setting a plain object's field cannot fail.
        let _ = Reflect::set(&self.object, &name.into(), item);
        self
    }

    /// With something that changes hands: the sender cannot use it any more.
    #[must_use]
    pub fn give(self, name: &str, item: &JsValue) -> Self {
        self.transfer.push(item);
        self.with(name, item)
    }

    /// With bytes that are copied once, out of wasm memory, and then change hands.
    #[must_use]
    pub fn give_bytes(self, name: &str, bytes: &[u8]) -> Self {
        self.give(name, &buffer_of(bytes))
    }
}

/// A copy of bytes outside of wasm memory.
pub fn buffer_of(bytes: &[u8]) -> ArrayBuffer {
    Uint8Array::from(bytes).buffer()
}

/// The bytes of a received buffer; `None` where there is none under this name.
pub fn bytes_of(data: &JsValue, name: &str) -> Option<Vec<u8>> {
    item(data, name).dyn_into::<ArrayBuffer>().ok().map(|buffer| Uint8Array::new(&buffer).to_vec())
}

/// What stands beside a message; undefined where nothing does.
pub fn item(data: &JsValue, name: &str) -> JsValue {
    Reflect::get(data, &name.into()).unwrap_or(JsValue::UNDEFINED)
}

/// The message itself.
///
/// # Errors
/// Where it is of another type.
pub fn message_of<T: DeserializeOwned>(data: &JsValue) -> Result<T, UnreadableMessage> {
    serde_wasm_bindgen::from_value(item(data, "message")).map_err(|e| UnreadableMessage(e.to_string()))
}
