//! The page: Leptos, client side. Holds all view state and no pixel.
//! Pixels live in the engine worker; this thread lays out and asks.

pub mod state;

use leptos::prelude::*;

fn main() {
    console_error_panic_hook::set_once();
    mount_to_body(|| view! { <main>"Isocenter"</main> });
}
