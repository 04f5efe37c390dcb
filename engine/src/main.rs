//! The worker behind the page: reads what was dropped, holds the volumes, draws the newest scene.
//!
//! It is a program of its own so that no decoding, no upload and no CPU drawing can hold up the page, and so
//! that the page paints before the reader and the GPU code have arrived.

#[cfg(target_arch = "wasm32")]
mod answer;
#[cfg(target_arch = "wasm32")]
mod blob;
#[cfg(target_arch = "wasm32")]
mod calcium;
#[cfg(target_arch = "wasm32")]
mod canvas;
#[cfg(target_arch = "wasm32")]
mod checks;
#[cfg(target_arch = "wasm32")]
mod gpu_canvas;
#[cfg(target_arch = "wasm32")]
mod link;
#[cfg(target_arch = "wasm32")]
mod perfusion;
#[cfg(target_arch = "wasm32")]
mod picture;
#[cfg(target_arch = "wasm32")]
mod pixel_canvas;
#[cfg(target_arch = "wasm32")]
mod segmentation;
#[cfg(target_arch = "wasm32")]
mod session;
#[cfg(target_arch = "wasm32")]
mod start;
#[cfg(target_arch = "wasm32")]
mod summary;

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
    start::listen();
}

/// The engine only lives in a browser; elsewhere the same crates are used by `isocenter`.
#[cfg(not(target_arch = "wasm32"))]
fn main() {}
