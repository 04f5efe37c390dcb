//! Files out and in: the report as PDF, CSV and JSON, a picture of the view, a report that is opened again.

use contract::calcium::Session;
use leptos::prelude::*;
use protocol::Command;
use protocol::calcium::{Format, Task};

use crate::ctx::Ctx;
use crate::export::{self, FileButton, PictureButton, Saved};
use crate::state::Workspace;

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
            <PictureButton />
            <FileButton
                name="Open report"
                testid="calcium-reopen"
                input="report-input"
                accept=".json,application/json"
                label="A report saved as JSON"
                take=move |file| leptos::task::spawn_local(reopen(ctx, file))
            />
        </div>
        <label class="choice">
            <input type="checkbox" data-testid="calcium-identify" prop:checked=move || named.get() on:change=move |e| named.set(event_target_checked(&e)) />
            <span>"Patient and study on the PDF"</span>
        </label>
        <p class="quiet">"Research use only. Every file says so."</p>
    }
}

/// Takes the decisions of a saved report.
async fn reopen(ctx: Ctx, file: web_sys::File) {
    let apply = |w: &mut Workspace, saved: Saved<Session>| {
        w.desk_mut().map(|d| d.decide(|s| *s = saved.session)).is_some()
    };
    export::reopen(
        ctx,
        file,
        apply,
        "Open the calcium score of a series first; the report is then applied to it.",
    )
    .await;
}

/// The score, for the strip below a picture of the view; empty where there is none.
pub fn caption(w: &Workspace) -> String {
    let table = w.desk().and_then(|d| d.table.as_ref());
    table.map_or_else(String::new, |t| {
        let stamp = t.stamp.as_ref().map_or(String::new(), |s| format!("  {s}"));
        format!("Agatston {} ({} HU){stamp}", t.agatston_rounded, t.threshold_hu)
    })
}
