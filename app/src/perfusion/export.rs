//! Files out and in: maps as NIfTI, the report as PDF, curves as CSV, settings and results as JSON, which opens again.

use contract::perfusion::{Session, View};
use leptos::prelude::*;
use protocol::Command;
use protocol::perfusion::{Format, Map};
use wasm_bindgen::JsValue;
use web_sys::CanvasRenderingContext2d;

use super::bar::plain;
use super::findings::of_desk;
use crate::ctx::Ctx;
use crate::export::{self, FileButton, PictureButton, Saved, text_of};
use crate::state::Workspace;
use crate::state::perfusion::Slot;
use crate::ui::typed_number;

#[component]
pub fn Files() -> impl IntoView {
    let ctx = Ctx::here();
    let named = RwSignal::new(false);
    let export = move |format: Format| {
        let asked = ctx.workspace.with_untracked(|w| {
            let desk = w.flow()?;
            let lines = w.volume(desk.series).map(|v| v.corner_left.clone()).unwrap_or_default();
            Some((desk.series, lines, w.named_places(), Box::new(w.flow_view()?)))
        });
        if let Some((series, lines, places, view)) = asked {
            let identification = if named.get_untracked() { lines } else { Vec::new() };
            ctx.send(Command::PerfusionExport { query: 0, series, format, identification, places, view });
        }
    };
    let ready = of_desk(ctx, |d| d.findings.is_some() && !d.computing());
    let button = move |format: Format, name: &'static str, testid: String| {
        view! {
            <button type="button" class="button small" data-testid=testid prop:disabled=move || ready.get() != Some(true) on:click=move |_| export(format)>
                {name}
            </button>
        }
    };
    view! {
        <div class="files" role="group" aria-label="Report">
            {button(Format::Pdf, "PDF", "perfusion-pdf".into())}
            {button(Format::Csv, "Curves CSV", "perfusion-csv".into())}
            {button(Format::Json, "JSON", "perfusion-json".into())}
            <PictureButton title="The view with its colour bars" />
            <FileButton
                name="Open report"
                testid="perfusion-reopen"
                input="session-input"
                accept=".json,application/json"
                label="A report saved as JSON"
                take=move |file| leptos::task::spawn_local(reopen(ctx, file))
            />
        </div>
        <div class="files" role="group" aria-label="Maps as NIfTI">
            <span class="quiet">"NIfTI"</span>
            {Map::ALL
                .into_iter()
                .map(|m| button(Format::Nifti(m), m.name(), format!("nifti-{}", m.slug())))
                .collect_view()}
        </div>
        <label class="choice">
            <input type="checkbox" data-testid="perfusion-identify" prop:checked=move || named.get() on:change=move |e| named.set(event_target_checked(&e)) />
            <span>"Patient and study on the PDF"</span>
        </label>
        <p class="quiet">"Research use only. Every file says so."</p>
    }
}

/// Takes the decisions of a saved report.
async fn reopen(ctx: Ctx, file: web_sys::File) {
    let apply = |w: &mut Workspace, saved: Saved<Session, View>| {
        let there = w.flow_mut().map(|d| d.decide(|s| *s = saved.session)).is_some();
        // Reports of earlier versions and those of the command line have none.
        if let (true, Some(view)) = (there, &saved.view) {
            w.take_flow_view(view);
        }
        there
    };
    export::reopen(
        ctx,
        file,
        apply,
        "Open the perfusion maps of a series first; the report is then applied to it.",
    )
    .await;
}

/// A curve from a table of seconds and values.
pub async fn curve_of(file: &web_sys::File) -> Result<(Vec<f64>, Vec<f64>), String> {
    curve_of_text(&text_of(file).await?)
}

/// The first line may name the columns; others must be two numbers, the times increasing.
fn curve_of_text(text: &str) -> Result<(Vec<f64>, Vec<f64>), String> {
    let (mut times_s, mut values): (Vec<f64>, Vec<f64>) = (Vec::new(), Vec::new());
    for (i, line) in text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty()) {
        // A comma parts the columns here, so a decimal comma cannot be told from it; a semicolon or tab leaves room.
        let split = if line.contains(';') {
            ';'
        } else if line.contains('\t') {
            '\t'
        } else {
            ','
        };
        let mut cells = line.split(split).map(typed_number);
        match (cells.next().flatten(), cells.next().flatten()) {
            (Some(t), Some(v)) if t.is_finite() && v.is_finite() => {
                if times_s.last().is_some_and(|last| t <= *last) {
                    return Err(format!("line {} is not later than the one before", i + 1));
                }
                times_s.push(t);
                values.push(v);
            }
            _ if times_s.is_empty() && i == 0 => {}
            _ => return Err(format!("line {} holds no two numbers", i + 1)),
        }
    }
    if times_s.len() < 2 { Err("it holds fewer than two samples".into()) } else { Ok((times_s, values)) }
}

/// The colour bars of the panels, painted into a picture of the view that is kept.
pub fn draw_bars(context: &CanvasRenderingContext2d, w: &Workspace) -> Result<(), JsValue> {
    for (id, place) in w.places() {
        let (Some(panel), Some(Slot::Map(map))) = (w.panel(id), w.slot_of(id)) else { continue };
        let ratio = w.device_pixel_ratio;
        let px = place.px;
        context.set_font(&format!("{}px sans-serif", 12.0 * ratio));
        context.set_fill_style_str("#fff");
        let (left, top) = (f64::from(px.x), f64::from(px.y));
        context.fill_text(map.name(), left + 8.0 * ratio, top + 18.0 * ratio)?;
        if map.usual_range().is_none() {
            continue;
        }
        let (width, height) = (12.0 * ratio, 0.5 * f64::from(px.height));
        let x = left + f64::from(px.width) - 62.0 * ratio;
        let y = top + 0.22 * f64::from(px.height);
        for level in 0..=255u8 {
            let shown = if panel.invert { 255 - level } else { level };
            let [r, g, b] = panel.colormap.colour(shown);
            context.set_fill_style_str(&format!("rgb({r},{g},{b})"));
            let step = height / 256.0;
            context.fill_rect(x, y + height - step * (f64::from(level) + 1.0), width, step + 0.6);
        }
        let half = 0.5 * panel.window.width;
        context.set_fill_style_str("#fff");
        let beside = x + width + 4.0 * ratio;
        context.fill_text(&plain(panel.window.center + half), beside, y + 8.0 * ratio)?;
        context.fill_text(&plain(panel.window.center - half), beside, y + height)?;
        context.fill_text(map.unit(), x - 24.0 * ratio, y + height + 16.0 * ratio)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_read_with_and_without_a_heading() {
        let want = Ok((vec![0.0, 1.5], vec![2.0, -3.25]));
        assert_eq!(curve_of_text("time_s,value\n0,2\n1.5,-3.25\n"), want);
        assert_eq!(curve_of_text("0;2\r\n1,5;-3,25\r\n\r\n"), want);
        for (text, word) in
            [("a,b\nc,d", "line 2"), ("0,1\n0,2", "line 2"), ("0,1", "fewer"), ("0,1\n1,", "line 2")]
        {
            assert!(curve_of_text(text).unwrap_err().contains(word), "{text}");
        }
    }
}
