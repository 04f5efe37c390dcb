//! The wire between the page and its workers.
//!
//! A message is a JavaScript object `{ message, ... }`: `message` is one of the enums of `protocol` through
//! serde-wasm-bindgen, beside it stand the things that only the browser can hand over (files, canvases, ports,
//! buffers), each under the name that its sender and its receiver agree on.

mod envelope;
pub mod page;
pub mod worker;

pub use envelope::{Envelope, UnreadableMessage, buffer_of, bytes_of, item, message_of};
