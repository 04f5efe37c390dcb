//! What app, server and command line say to each other. Pure types and pure functions, wasm-safe, no IO.
