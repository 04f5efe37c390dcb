//! The wire to the page: events out, commands in.

use js_sys::Array;
use protocol::{Command, Event};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{File, OffscreenCanvas};

pub use wire::worker::{breathe, listen, now_ms};

/// A command with what cannot be serialised.
pub struct Incoming {
    pub command: Command,
    pub files: Vec<File>,
    pub canvas: Option<OffscreenCanvas>,
    /// One byte per voxel.
    pub labels: Option<Vec<u8>>,
}

pub fn send(event: &Event) {
    wire::worker::send(event);
}

/// An event with a buffer beside it, which changes hands.
pub fn send_bytes(event: &Event, name: &str, bytes: &[u8]) {
    wire::worker::send_bytes(event, name, bytes);
}

/// Something the user should see.
pub fn problem(message: &str) {
    send(&Event::Problem { message: message.to_owned() });
}

pub fn receive(data: &JsValue) -> Result<Incoming, String> {
    let command = wire::message_of(data).map_err(|e| e.to_string())?;
    let files = wire::item(data, "files").dyn_into::<Array>();
    let files = files.map(|a| a.iter().filter_map(|f| f.dyn_into().ok()).collect());
    Ok(Incoming {
        command,
        files: files.unwrap_or_default(),
        canvas: wire::item(data, "canvas").dyn_into().ok(),
        labels: wire::bytes_of(data, "labels"),
    })
}
