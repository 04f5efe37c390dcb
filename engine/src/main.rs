//! The worker behind the page: reads what was dropped, holds the volumes, draws the newest scene.

#[cfg(target_arch = "wasm32")]
fn main() {
    console_error_panic_hook::set_once();
}

#[cfg(not(target_arch = "wasm32"))]
fn main() {}
