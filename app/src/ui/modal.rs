//! A dialog on the browser's own `<dialog>`: it traps the focus, closes on Escape and gives the focus back.

use leptos::html;
use leptos::prelude::*;

use super::button::IconButton;
use super::icon::Glyph;
use crate::ctx::{Ctx, Dialog};

#[component]
pub fn Modal(
    which: Dialog,
    title: &'static str,
    testid: &'static str,
    #[prop(optional)] wide: bool,
    children: ChildrenFn,
) -> impl IntoView {
    let ctx = Ctx::here();
    let node = NodeRef::<html::Dialog>::new();
    let open = Memo::new(move |_| ctx.dialog.get() == Some(which));
    Effect::new(move |_| {
        let Some(dialog) = node.get() else { return };
        if open.get() && !dialog.open() {
            // It can only fail where the element is not in the document, and it is.
            let _ = dialog.show_modal();
        } else if !open.get() && dialog.open() {
            dialog.close();
        }
    });
    let closed = move || {
        if ctx.dialog.get_untracked() == Some(which) {
            ctx.dialog.set(None);
        }
    };
    let heading = format!("{testid}-title");
    let (labelled_by, described) = (heading.clone(), heading.clone());
    view! {
        <dialog
            node_ref=node
            class="modal"
            class:wide=wide
            data-testid=testid
            aria-labelledby=labelled_by
            on:close=move |_| closed()
            on:click=move |e| {
                // The backdrop belongs to the dialog element itself; its content is in the box inside.
                if e.target() == node.get_untracked().map(|d| d.into()) {
                    closed();
                }
            }
        >
            <div class="modal-box">
                <header class="modal-head">
                    <h2 id=heading>{title}</h2>
                    <IconButton glyph=Glyph::Close label="Close" on_press=closed />
                </header>
                // The keyboard must reach what has to be scrolled.
                <div class="modal-body" tabindex="0" role="group" aria-labelledby=described>
                    // What is not open is not built: the sheet and the ledger can be long.
                    <Show when=move || open.get()>{children()}</Show>
                </div>
            </div>
        </dialog>
    }
}
