//! The page: Leptos, client side. Holds all view state and no pixel.
//! Pixels live in the engine worker; this thread lays out and asks.

mod calcium;
mod ctx;
mod engine_link;
mod events;
mod export;
mod frame;
mod keys;
mod models;
mod open;
mod page;
mod perfusion;
mod segmentation;
mod selfcheck;
mod settings;
mod state;
mod studies;
mod tools;
mod ui;
mod viewer;

use leptos::prelude::*;

fn main() {
    console_error_panic_hook::set_once();
    mount_to_body(page::Page);
}
