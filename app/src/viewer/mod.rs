//! The viewer: one canvas that the engine draws on, and over it, in the page, everything that is not a pixel.

mod canvas_host;
mod header;
mod marks;
mod overlay;
mod panel;
mod pointer;

pub use canvas_host::CanvasHost;

use leptos::prelude::*;

use crate::ctx::Ctx;
pub use marks::outline;
use panel::PanelView;
pub use panel::Shown;

#[component]
pub fn Viewer() -> impl IntoView {
    let ctx = Ctx::here();
    let ids = Memo::new(move |_| {
        ctx.workspace.with(|w| w.places().into_iter().map(|(id, _)| id).collect::<Vec<_>>())
    });
    view! {
        <div class="viewer">
            <CanvasHost />
            <For each=move || ids.get() key=|id| *id let:id>
                <PanelView id=id />
            </For>
        </div>
    }
}
