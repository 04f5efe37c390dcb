//! The wire to the engine worker: commands out with their files or canvas, events in.

use js_sys::Array;
use leptos::prelude::set_timeout;
use protocol::{Command, Event};
use wasm_bindgen::JsValue;
use web_sys::OffscreenCanvas;
use wire::Envelope;
use wire::page::StartError;

/// The worker's script, as Trunk names the loader of the `engine` binary.
const LOADER: &str = "./engine_loader.js";

/// A worker that never says it listens is spoken to anyway after this long.
const HANDSHAKE_PATIENCE: std::time::Duration = std::time::Duration::from_secs(8);

#[derive(Clone)]
pub struct Link(wire::page::Link);

impl Link {
    /// Starts the worker. `on_event` gets what it says with what stands beside it, `on_failure` what went wrong with it.
    pub fn start(
        on_event: impl Fn(Event, &JsValue) + 'static,
        on_failure: impl Fn(String) + 'static,
    ) -> Result<Self, StartError> {
        let link = wire::page::Link::start(
            LOADER,
            move |event, data| on_event(event, &data),
            move |what| on_failure(format!("The engine stopped: {what}. Reload the page.")),
        )?;
        let late = link.clone();
        set_timeout(move || late.flush(), HANDSHAKE_PATIENCE);
        Ok(Self(link))
    }

    /// A command alone.
    pub fn send(&self, command: &Command) {
        self.post(command, |envelope| envelope);
    }

    /// A command with the files it speaks of.
    pub fn send_files(&self, command: &Command, files: &Array) {
        self.post(command, |envelope| envelope.with("files", files));
    }

    /// A command with a canvas, which the page gives away.
    pub fn give_canvas(&self, command: &Command, canvas: &OffscreenCanvas) {
        self.post(command, |envelope| envelope.give("canvas", canvas));
    }

    /// A command with a buffer, which the page gives away.
    pub fn give_buffer(&self, command: &Command, name: &str, buffer: &JsValue) {
        self.post(command, |envelope| envelope.give(name, buffer));
    }

    fn post(&self, command: &Command, beside: impl FnOnce(Envelope) -> Envelope) {
        let sent = Envelope::new(command).is_ok_and(|envelope| self.0.send(beside(envelope)));
        if !sent {
            leptos::logging::error!("a command could not be posted to the engine");
        }
    }
}
