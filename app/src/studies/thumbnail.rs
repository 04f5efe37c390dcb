//! A series' small picture, drawn on a canvas: no data URL, no blob, nothing for the policy to forbid.

use leptos::html;
use leptos::prelude::*;
use protocol::SeriesId;
use wasm_bindgen::{Clamped, JsCast};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use crate::ctx::Ctx;
use crate::state::library::Thumbnail;

#[component]
pub fn ThumbnailView(series: SeriesId, modality: String) -> impl IntoView {
    let ctx = Ctx::here();
    let node = NodeRef::<html::Canvas>::new();
    let picture = Memo::new(move |_| ctx.library.with(|l| l.thumbnails.get(&series).cloned()));
    Effect::new(move |_| {
        if let (Some(canvas), Some(picture)) = (node.get(), picture.get()) {
            draw(&canvas, &picture);
        }
    });
    view! {
        <span class="thumb">
            <canvas node_ref=node width="1" height="1" aria-hidden="true" class:empty=move || picture.with(Option::is_none)></canvas>
            <Show when=move || picture.with(Option::is_none)>
                <span class="thumb-letter" aria-hidden="true">{modality.clone()}</span>
            </Show>
        </span>
    }
}

/// Puts a picture on a canvas of its size.
pub(super) fn draw(canvas: &HtmlCanvasElement, picture: &Thumbnail) {
    let length = picture.width as usize * picture.height as usize * 4;
    if length == 0 || picture.rgba.len() != length {
        return;
    }
    canvas.set_width(picture.width);
    canvas.set_height(picture.height);
    let context =
        canvas.get_context("2d").ok().flatten().and_then(|c| c.dyn_into::<CanvasRenderingContext2d>().ok());
    let data =
        ImageData::new_with_u8_clamped_array_and_sh(Clamped(&picture.rgba), picture.width, picture.height);
    if let (Some(context), Ok(data)) = (context, data) {
        // A picture that cannot be drawn leaves the modality's letters: nothing else depends on it.
        let _ = context.put_image_data(&data, 0.0, 0.0);
    }
}
