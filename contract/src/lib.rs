//! What app, server and command line say to each other. Pure types and pure functions, wasm-safe, no IO.
//!
//! One crate, so that a field is spelt once: both ends of the wire compile against the same struct, and a
//! change that breaks one of them does not compile.

pub mod api;
pub mod calcium;
pub mod models;
pub mod perfusion;
