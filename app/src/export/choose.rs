//! A button that asks for one file.

use leptos::prelude::*;
use web_sys::{File, HtmlInputElement};

/// A button; `take` gets the file that was chosen.
#[component]
pub fn FileButton(
    /// On the button.
    name: &'static str,
    testid: &'static str,
    /// Of the hidden input, as id and for tests.
    input: &'static str,
    /// As the attribute of HTML.
    accept: &'static str,
    /// What is asked for, as it is spoken.
    label: &'static str,
    take: impl Fn(File) + Send + Sync + 'static,
) -> impl IntoView {
    let chooser = NodeRef::<leptos::html::Input>::new();
    view! {
        <button
            type="button"
            class="button small"
            data-testid=testid
            on:click=move |_| {
                if let Some(chooser) = chooser.get() {
                    chooser.click();
                }
            }
        >
            {name}
        </button>
        <input
            node_ref=chooser
            id=input
            data-testid=input
            type="file"
            accept=accept
            hidden
            tabindex="-1"
            aria-label=label
            on:change=move |e| {
                let input: HtmlInputElement = event_target(&e);
                if let Some(file) = input.files().and_then(|l| l.get(0)) {
                    take(file);
                }
                // The same file may be chosen again.
                input.set_value("");
            }
        />
    }
}
