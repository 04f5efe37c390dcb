//! Makes the canvas, hands it to the engine, and replaces it when the engine wants a new one.
//! The element is made by hand: a canvas whose control was transferred can never be used again, so the view
//! must not be allowed to keep it.

use leptos::html;
use leptos::prelude::*;
use protocol::Command;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{HtmlCanvasElement, ResizeObserver};

use crate::ctx::Ctx;

#[component]
pub fn CanvasHost() -> impl IntoView {
    let ctx = Ctx::here();
    let host = NodeRef::<html::Div>::new();
    let epoch = Memo::new(move |_| ctx.engine.with(|e| e.canvas_epoch));
    let started = StoredValue::new(false);
    Effect::new(move |_| {
        let Some(host) = host.get() else { return };
        // `get`, not `track`: a memo that was never read has no sources that could wake it.
        epoch.get();
        measure(ctx, &host);
        let command =
            if started.get_value() { Command::Canvas } else { Command::Start { force: forced_backend() } };
        started.set_value(true);
        if let Err(why) = hand_over(ctx, &host, &command) {
            ctx.notify(format!(
                "No canvas could be handed to the engine: {why}. This browser is too old to show images."
            ));
        }
    });
    Effect::new(move |_| {
        let Some(host) = host.get() else { return };
        let element = host.clone();
        let resized = Closure::<dyn Fn()>::new(move || measure(ctx, &element));
        if let Ok(observer) = ResizeObserver::new(resized.as_ref().unchecked_ref()) {
            observer.observe(&host);
        }
        // The viewer lives as long as the page.
        resized.forget();
    });
    view! { <div class="canvas-host" node_ref=host></div> }
}

fn measure(ctx: Ctx, host: &web_sys::HtmlElement) {
    let rect = host.get_bounding_client_rect();
    let ratio = window().device_pixel_ratio();
    if rect.width() < 1.0 || rect.height() < 1.0 {
        return;
    }
    let same = ctx.workspace.with_untracked(|w| {
        (w.width, w.height, w.device_pixel_ratio) == (rect.width(), rect.height(), ratio)
    });
    if !same {
        ctx.workspace.update(|w| w.resize(rect.width(), rect.height(), ratio));
    }
}

fn hand_over(ctx: Ctx, host: &web_sys::HtmlElement, command: &Command) -> Result<(), String> {
    let canvas: HtmlCanvasElement = document()
        .create_element("canvas")
        .map_err(|e| format!("{e:?}"))?
        .dyn_into()
        .map_err(|_| "the element is no canvas".to_owned())?;
    canvas.set_class_name("viewer-canvas");
    let attributes = [("data-testid", "viewer-canvas"), ("aria-hidden", "true")];
    for (name, value) in attributes {
        canvas.set_attribute(name, value).map_err(|e| format!("{e:?}"))?;
    }
    let (width, height) = ctx.workspace.with_untracked(|w| {
        ((w.width * w.device_pixel_ratio).round() as u32, (w.height * w.device_pixel_ratio).round() as u32)
    });
    canvas.set_width(width.max(1));
    canvas.set_height(height.max(1));
    let offscreen = canvas.transfer_control_to_offscreen().map_err(|e| format!("{e:?}"))?;
    host.replace_children_with_node_1(&canvas);
    ctx.link.with_value(|link| {
        if let Some(link) = link {
            link.give_canvas(command, &offscreen);
        }
    });
    Ok(())
}

/// `?backend=webgpu|webgl2|cpu`.
fn forced_backend() -> Option<protocol::Backend> {
    let search = window().location().search().ok()?;
    let value = web_sys::UrlSearchParams::new_with_str(&search).ok()?.get("backend")?;
    protocol::Backend::parse(&value)
}
