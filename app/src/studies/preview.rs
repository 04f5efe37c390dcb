//! One slice of what is being read, until the volume is on the screen.
//! It is told as a preview: nothing can be measured in it, and it says nothing of the other files.

use leptos::html;
use leptos::prelude::*;

use super::thumbnail::draw;
use crate::ctx::Ctx;

#[component]
pub fn Preview() -> impl IntoView {
    let ctx = Ctx::here();
    let picture = Memo::new(move |_| ctx.library.with(|l| l.preview.clone()));
    let node = NodeRef::<html::Canvas>::new();
    Effect::new(move |_| {
        if let (Some(canvas), Some(picture)) = (node.get(), picture.get()) {
            draw(&canvas, &picture);
        }
    });
    view! {
        <Show when=move || picture.with(Option::is_some)>
            <figure class="preview" data-testid="preview">
                <canvas node_ref=node width="1" height="1" aria-hidden="true"></canvas>
                <figcaption>"Preview of one slice"</figcaption>
            </figure>
        </Show>
    }
}
