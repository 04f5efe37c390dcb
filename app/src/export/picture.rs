//! A picture of the view, with the strip that says what it is for.

use leptos::prelude::*;
use protocol::Command;
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlCanvasElement, ImageData};

use super::download::keep_blob;
use crate::ctx::Ctx;

/// On every picture that is kept.
const RESEARCH_USE: &str = "Research use only. Not for diagnosis.  Isocenter";
/// Height of the strip below a picture that says so, and its letters.
const STRIP_PX: u32 = 28;
/// The query of a picture that the user asked for; tests ask with other numbers.
pub const PICTURE: u32 = 0;

/// The button that keeps one.
#[component]
pub fn PictureButton(
    #[prop(default = "picture-png")] testid: &'static str,
    #[prop(default = "The view as a picture")] title: &'static str,
) -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <button
            type="button"
            class="button small"
            data-testid=testid
            title=title
            on:click=move |_| ctx.send(Command::Capture { query: PICTURE })
        >
            "PNG"
        </button>
    }
}

/// Keeps a picture of `[width, height]` pixels. `paint` adds what the page lays over it, `result` goes on the strip.
pub fn save_picture(
    ctx: Ctx,
    [width, height]: [u32; 2],
    rgba: &[u8],
    paint: impl FnOnce(&CanvasRenderingContext2d) -> Result<(), JsValue>,
    result: &str,
) -> Result<(), JsValue> {
    let canvas: HtmlCanvasElement = document().create_element("canvas")?.unchecked_into();
    canvas.set_width(width);
    canvas.set_height(height + STRIP_PX);
    let Some(context) = canvas.get_context("2d")? else { return Ok(()) };
    let context: CanvasRenderingContext2d = context.unchecked_into();
    let picture = ImageData::new_with_u8_clamped_array_and_sh(Clamped(rgba), width, height)?;
    context.put_image_data(&picture, 0.0, 0.0)?;
    paint(&context)?;
    context.set_fill_style_str("#000");
    context.fill_rect(0.0, f64::from(height), f64::from(width), f64::from(STRIP_PX));
    context.set_fill_style_str("#fff");
    context.set_font("14px sans-serif");
    context.fill_text(&format!("{RESEARCH_USE}  {result}"), 8.0, f64::from(height) + 19.0)?;
    let done = wasm_bindgen::closure::Closure::once_into_js(move |blob: web_sys::Blob| {
        if keep_blob("isocenter.png", &blob).is_err() {
            ctx.notify("The picture could not be kept: the browser refused the download.");
        }
    });
    canvas.to_blob(done.unchecked_ref())
}
