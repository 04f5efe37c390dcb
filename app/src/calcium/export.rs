//! Files out and in: the report as PDF, CSV and JSON, a picture of the view, a report that is opened again.
//!
//! Nothing leaves the browser: a file is made in memory and handed to the browser's own download.

use contract::calcium::Session;
use leptos::prelude::*;
use protocol::Command;
use protocol::calcium::{Format, Task};
use wasm_bindgen::{Clamped, JsCast, JsValue};
use web_sys::{CanvasRenderingContext2d, HtmlAnchorElement, HtmlCanvasElement, ImageData};

use crate::ctx::Ctx;
use crate::perfusion::draw_bars;

/// On every picture that is kept.
const RESEARCH_USE: &str = "Research use only. Not for diagnosis.  Isocenter";
/// Height of the strip below a picture that says so, and its letters.
const STRIP_PX: u32 = 28;

#[component]
pub fn Files() -> impl IntoView {
    let ctx = Ctx::here();
    let named = RwSignal::new(false);
    let export = move |format: Format| {
        let asked = ctx.workspace.with_untracked(|w| {
            let desk = w.desk()?;
            let lines = w.volume(desk.series).map(|v| v.corner_left.clone()).unwrap_or_default();
            Some((Task { series: desk.series, session: desk.session.get().clone(), quick: false }, lines))
        });
        if let Some((task, lines)) = asked {
            let identification = if named.get_untracked() { lines } else { Vec::new() };
            ctx.send(Command::CalciumExport { query: 0, task, format, identification });
        }
    };
    let ready = Memo::new(move |_| ctx.workspace.with(|w| w.desk().is_some_and(|d| d.table.is_some())));
    let button = move |format: Format, name: &'static str, testid: &'static str| {
        view! {
            <button type="button" class="button small" data-testid=testid prop:disabled=move || !ready.get() on:click=move |_| export(format)>
                {name}
            </button>
        }
    };
    view! {
        <div class="files" role="group" aria-label="Report">
            {button(Format::Pdf, "PDF", "calcium-pdf")}
            {button(Format::Csv, "CSV", "calcium-csv")}
            {button(Format::Json, "JSON", "calcium-json")}
            <button
                type="button"
                class="button small"
                data-testid="picture-png"
                title="The view as a picture"
                on:click=move |_| ctx.send(Command::Capture { query: PICTURE })
            >
                "PNG"
            </button>
            <button type="button" class="button small" data-testid="calcium-reopen" on:click=move |_| crate::open::click_input("report-input")>
                "Open report"
            </button>
            <input
                id="report-input"
                type="file"
                accept=".json,application/json"
                hidden
                tabindex="-1"
                aria-label="A report saved as JSON"
                on:change=move |e| {
                    let input: web_sys::HtmlInputElement = event_target(&e);
                    if let Some(file) = input.files().and_then(|l| l.get(0)) {
                        leptos::task::spawn_local(reopen(ctx, file));
                    }
                    // The same file may be chosen again.
                    input.set_value("");
                }
            />
        </div>
        <label class="choice">
            <input type="checkbox" data-testid="calcium-identify" prop:checked=move || named.get() on:change=move |e| named.set(event_target_checked(&e)) />
            <span>"Patient and study on the PDF"</span>
        </label>
        <p class="quiet">"Research use only. Every file says so."</p>
    }
}

/// The query of a picture that the user asked for; tests ask with other numbers.
pub const PICTURE: u32 = 0;

/// Takes the decisions of a saved report.
async fn reopen(ctx: Ctx, file: web_sys::File) {
    let text = wasm_bindgen_futures::JsFuture::from(file.text()).await.ok().and_then(|t| t.as_string());
    let session = text.ok_or_else(|| "it cannot be read".to_owned()).and_then(|t| session_of(&t));
    match session {
        Ok(session) => {
            let found =
                ctx.workspace.try_update(|w| w.desk_mut().map(|d| d.decide(|s| *s = session))).flatten();
            if found.is_none() {
                ctx.notify("Open the calcium score of a series first; the report is then applied to it.");
            }
        }
        Err(why) => {
            ctx.notify(format!("The report was not opened: {why}. Choose a JSON file that Isocenter saved."))
        }
    }
}

/// The session in a report, or alone.
fn session_of(text: &str) -> Result<Session, String> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|e| e.to_string())?;
    let session = value.get("session").cloned().unwrap_or(value);
    serde_json::from_value(session).map_err(|e| e.to_string())
}

/// Hands bytes to the browser's download.
pub fn keep(name: &str, mime: &str, bytes: &[u8]) -> Result<(), JsValue> {
    let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(bytes));
    let options = web_sys::BlobPropertyBag::new();
    options.set_type(mime);
    let blob = web_sys::Blob::new_with_u8_array_sequence_and_options(&parts, &options)?;
    keep_blob(name, &blob)
}

fn keep_blob(name: &str, blob: &web_sys::Blob) -> Result<(), JsValue> {
    let url = web_sys::Url::create_object_url_with_blob(blob)?;
    let link: HtmlAnchorElement = document().create_element("a")?.unchecked_into();
    link.set_href(&url);
    link.set_download(name);
    link.click();
    // The download has its own hold on the data once it has begun.
    set_timeout(
        move || {
            // Fails only for an address that is no address.
            let _ = web_sys::Url::revoke_object_url(&url);
        },
        std::time::Duration::from_secs(60),
    );
    Ok(())
}

/// Keeps a picture of the view, with the strip that says what it is for.
pub fn save_picture(ctx: Ctx, width: u32, height: u32, rgba: &[u8]) -> Result<(), JsValue> {
    let canvas: HtmlCanvasElement = document().create_element("canvas")?.unchecked_into();
    canvas.set_width(width);
    canvas.set_height(height + STRIP_PX);
    let Some(context) = canvas.get_context("2d")? else { return Ok(()) };
    let context: CanvasRenderingContext2d = context.unchecked_into();
    let picture = ImageData::new_with_u8_clamped_array_and_sh(Clamped(rgba), width, height)?;
    context.put_image_data(&picture, 0.0, 0.0)?;
    ctx.workspace.with_untracked(|w| draw_bars(&context, w))?;
    context.set_fill_style_str("#000");
    context.fill_rect(0.0, f64::from(height), f64::from(width), f64::from(STRIP_PX));
    context.set_fill_style_str("#fff");
    context.set_font("14px sans-serif");
    let score = ctx.workspace.with_untracked(|w| {
        let table = w.desk()?.table.as_ref()?;
        let stamp = table.stamp.as_ref().map_or(String::new(), |s| format!("  {s}"));
        Some(format!("  Agatston {} ({} HU){stamp}", table.agatston_rounded, table.threshold_hu))
    });
    let text = format!("{RESEARCH_USE}{}", score.unwrap_or_default());
    context.fill_text(&text, 8.0, f64::from(height) + 19.0)?;
    let done = wasm_bindgen::closure::Closure::once_into_js(move |blob: web_sys::Blob| {
        if keep_blob("isocenter.png", &blob).is_err() {
            ctx.notify("The picture could not be kept: the browser refused the download.");
        }
    });
    canvas.to_blob(done.unchecked_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_found_in_a_report_and_alone() {
        let session = Session { threshold_hu: Some(99.0), ..Session::default() };
        let alone = serde_json::to_string(&session).unwrap();
        let report = format!(r#"{{"total":{{"agatston":1.0}},"session":{alone}}}"#);
        assert_eq!(session_of(&alone), Ok(session.clone()));
        assert_eq!(session_of(&report), Ok(session));
        assert!(session_of("%PDF-1.7").is_err());
        assert!(session_of(r#"{"total":1}"#).unwrap_err().contains("total"));
    }
}
