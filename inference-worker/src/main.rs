//! The worker that runs models: a label for every voxel of one volume, from one ONNX file.
//!
//! A program of its own with a GPU device of its own: the viewer stays small and smooth, and a heap that a model has
//! grown, or a device that it has lost, is mended by ending the worker.

#[cfg(target_arch = "wasm32")]
mod fetch;
#[cfg(target_arch = "wasm32")]
mod run;
#[cfg(target_arch = "wasm32")]
mod volume;

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    run::listen();
}

/// It only lives in a browser; elsewhere `isocenter segment` does the same.
#[cfg(not(target_arch = "wasm32"))]
fn main() {}
