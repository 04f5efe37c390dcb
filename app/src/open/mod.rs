//! Ways in: drop, pickers, paste, samples. All end in one list of files with their paths.

mod collect;
mod welcome;

pub use collect::Dropped;
pub use welcome::Welcome;

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::ctx::Ctx;

/// Opens a hidden file input's dialog.
pub fn click_input(id: &str) {
    if let Some(input) =
        document().get_element_by_id(id).and_then(|e| e.dyn_into::<web_sys::HtmlElement>().ok())
    {
        input.click();
    }
}

/// The file and folder pickers. Always in the page: keys and buttons anywhere use them.
#[component]
pub fn Pickers() -> impl IntoView {
    let ctx = Ctx::here();
    let take = move |e: web_sys::Event| {
        let Some(input) = e.target().and_then(|t| t.dyn_into::<web_sys::HtmlInputElement>().ok()) else {
            return;
        };
        let dropped = input.files().map(|list| collect::from_list(&list)).unwrap_or_default();
        // The same files may be picked again.
        input.set_value("");
        if !dropped.is_empty() {
            ctx.open(dropped);
        }
    };
    view! {
        <div class="visually-hidden">
            <input
                id="file-input"
                data-testid="file-input"
                type="file"
                multiple
                tabindex="-1"
                aria-label="Choose files to open"
                on:change=take
            />
            <input
                id="folder-input"
                data-testid="folder-input"
                type="file"
                multiple
                {..leptos::attr::custom::custom_attribute("webkitdirectory", "true")}
                tabindex="-1"
                aria-label="Choose a folder to open"
                on:change=take
            />
        </div>
    }
}

/// Drop and paste work anywhere on the page, at any time.
pub fn listen(ctx: Ctx) {
    let over = window_event_listener(ev::dragover, move |e| {
        let files = e.data_transfer().is_some_and(|t| t.types().includes(&"Files".into(), 0));
        if files {
            e.prevent_default();
            if !ctx.dragging_files.get_untracked() {
                ctx.dragging_files.set(true);
            }
        }
    });
    let leave = window_event_listener(ev::dragleave, move |e| {
        // Leaving the page, not an element of it.
        if e.related_target().is_none() {
            ctx.dragging_files.set(false);
        }
    });
    let drop = window_event_listener(ev::drop, move |e| {
        ctx.dragging_files.set(false);
        let Some(transfer) = e.data_transfer() else { return };
        if !transfer.types().includes(&"Files".into(), 0) {
            return;
        }
        e.prevent_default();
        // Entries are only to be had while the event lasts; their files come later.
        let pending = collect::entries(&transfer);
        leptos::task::spawn_local(async move {
            let (files, missed) = pending.collect().await;
            for what in missed {
                ctx.notify(what);
            }
            ctx.open(files);
        });
    });
    let paste = window_event_listener(ev::paste, move |e| {
        let Some(list) = e.clipboard_data().and_then(|t| t.files()) else { return };
        let dropped = collect::from_list(&list);
        if !dropped.is_empty() {
            e.prevent_default();
            ctx.open(dropped);
        }
    });
    on_cleanup(move || {
        over.remove();
        leave.remove();
        drop.remove();
        paste.remove();
    });
}

/// The veil over the page while files hang over it.
#[component]
pub fn DropVeil() -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <Show when=move || ctx.dragging_files.get()>
            <div class="drop-veil" aria-hidden="true">
                <p>"Drop to open"</p>
            </div>
        </Show>
    }
}

/// Fetches one of our own samples; nothing else is ever fetched.
pub fn open_sample(ctx: Ctx, name: &'static str) {
    leptos::task::spawn_local(async move {
        match collect::fetch(&format!("samples/{name}"), name).await {
            Ok(file) => ctx.open(vec![file]),
            Err(error) => ctx.notify(error.to_string()),
        }
    });
}
