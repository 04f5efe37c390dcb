//! The study list: what was opened, what became of every file.

mod ledger;
mod preview;
mod progress;
mod thumbnail;

pub use ledger::LedgerDialog;
pub use preview::Preview;
pub use progress::ProgressBar;

use leptos::prelude::*;
use protocol::{SeriesEntry, SeriesId, StudyEntry};

use crate::ctx::{Ctx, Dialog};
use crate::segmentation;
use crate::state::Action;
use crate::ui::{Glyph, Icon, IconButton};
use thumbnail::ThumbnailView;

/// The type that a dragged series carries.
pub const SERIES_MIME: &str = "application/x-isocenter-series";

#[component]
pub fn StudyList() -> impl IntoView {
    let ctx = Ctx::here();
    let studies = Memo::new(move |_| ctx.library.with(|l| l.catalog.studies.clone()));
    view! {
        <nav class="studies" class:open=move || ctx.studies_open.get() aria-label="Studies">
            <div class="studies-head">
                <button type="button" class="button grow" on:click=move |_| ctx.dispatch(Action::OpenFiles)>
                    <Icon glyph=Glyph::File />
                    "Open"
                </button>
                <IconButton glyph=Glyph::Folder label="Open folder" class="outlined" on_press=move || ctx.dispatch(Action::OpenFolder) />
                <Show when=move || studies.with(|s| !s.is_empty())>
                    <IconButton glyph=Glyph::Trash label="Close all studies" class="outlined" testid="close-all" on_press=move || ctx.close_all() />
                </Show>
            </div>
            <div class="studies-scroll">
                {move || studies.get().into_iter().map(study).collect_view()}
                <Show when=move || studies.with(Vec::is_empty)>
                    <p class="studies-empty quiet">"No study is open."</p>
                </Show>
            </div>
            <LedgerFoot />
        </nav>
    }
}

fn study(s: StudyEntry) -> impl IntoView {
    let name = if s.patient_name.is_empty() { "Unnamed".to_owned() } else { s.patient_name.clone() };
    let detail: Vec<String> =
        [s.patient_id, s.date, s.description].into_iter().filter(|t| !t.is_empty()).collect();
    view! {
        <section class="study">
            <h2 class="study-name">{name}</h2>
            <p class="study-detail">{detail.join(" · ")}</p>
            <ul>{s.series.into_iter().map(|e| view! { <SeriesRow entry=e /> }).collect_view()}</ul>
        </section>
    }
}

#[component]
fn SeriesRow(entry: SeriesEntry) -> impl IntoView {
    let ctx = Ctx::here();
    let id = entry.id;
    let current = Memo::new(move |_| ctx.workspace.with(|w| w.panels.iter().any(|p| w.root(p.series) == id)));
    let loaded = Memo::new(move |_| ctx.library.with(|l| l.loaded.get(&id).copied()));
    let [columns, rows, slices] = entry.dims;
    let mut size = format!("{columns} × {rows}");
    if slices > 1 {
        size += &format!(" × {slices}");
    }
    if entry.time_points > 1 {
        size += &format!(" · {} times", entry.time_points);
    }
    let title = if entry.description.is_empty() {
        entry.number.map_or_else(|| "Series".to_owned(), |n| format!("Series {n}"))
    } else {
        entry.description.clone()
    };
    let warnings = entry.warnings.len();
    let displayable = entry.displayable;
    let labels_of = entry.labels_of;
    let percent = move || loaded.get().map(|(done, total)| 100.0 * f64::from(done) / f64::from(total.max(1)));
    view! {
        <li>
            <button
                type="button"
                class="series"
                class:current=move || current.get()
                data-testid="series-row"
                data-series=id.0.to_string()
                aria-current=move || current.get().then_some("true")
                prop:disabled=!displayable
                title=labels_of.map(|_| "A segmentation: press to lay its labels over their images")
                draggable=displayable.to_string()
                on:dragstart=move |e| {
                    if let Some(t) = e.data_transfer() {
                        // It only fails for a transfer that is read-only, which a drag's start never is.
                        let _ = t.set_data(SERIES_MIME, &id.0.to_string());
                    }
                }
                on:click=move |_| {
                    match labels_of {
                        Some(images) => segmentation::lay(ctx, images, id),
                        None => ctx.show_series(id),
                    }
                    if narrow() {
                        ctx.studies_open.set(false);
                    }
                }
            >
                <ThumbnailView series=id modality=entry.modality.clone() />
                <span class="series-text">
                    <span class="series-title">{title}</span>
                    <span class="series-size">
                        <span class="tag">{entry.modality.clone()}</span>
                        {match (labels_of, displayable) {
                            (Some(_), _) => "labels".to_owned(),
                            (None, true) => size,
                            (None, false) => "no picture".to_owned(),
                        }}
                    </span>
                    <Show when=move || { warnings > 0 }>
                        <span class="series-warn"><Icon glyph=Glyph::Warning />{warnings}<span class="visually-hidden">" warnings"</span></span>
                    </Show>
                </span>
                <Show when=move || percent().is_some_and(|p| p < 100.0)>
                    <progress class="series-progress" max="100" prop:value=move || percent().unwrap_or(0.0) aria-label="Loaded"></progress>
                </Show>
            </button>
        </li>
    }
}

/// On a phone the list is a drawer that closes behind a choice.
fn narrow() -> bool {
    window().inner_width().ok().and_then(|w| w.as_f64()).is_some_and(|w| w < 900.0)
}

/// Received = used + shown + refused, always in sight.
#[component]
fn LedgerFoot() -> impl IntoView {
    let ctx = Ctx::here();
    let ledger = Memo::new(move |_| ctx.library.with(|l| l.catalog.ledger.clone()));
    let warnings = Memo::new(move |_| ctx.library.with(|l| l.warning_count()));
    let cell = move |testid: &'static str, label: &'static str, value: Signal<usize>| {
        view! {
            <span class="ledger-cell" class:attention=move || { label == "refused" && value.get() > 0 }>
                <span class="ledger-number" data-testid=testid>{move || value.get()}</span>
                <span class="ledger-label">{label}</span>
            </span>
        }
    };
    view! {
        <Show when=move || ledger.with(|l| l.received > 0)>
            <button
                type="button"
                class="ledger-foot"
                data-testid="ledger"
                aria-haspopup="dialog"
                title="What became of every file"
                on:click=move |_| ctx.toggle(Dialog::Ledger)
            >
                {cell("ledger-received", "received", Signal::derive(move || ledger.with(|l| l.received as usize)))}
                <span aria-hidden="true">"="</span>
                {cell("ledger-used", "used", Signal::derive(move || ledger.with(|l| l.used as usize)))}
                <span aria-hidden="true">"+"</span>
                {cell("ledger-shown", "listed", Signal::derive(move || ledger.with(|l| l.shown.len())))}
                <span aria-hidden="true">"+"</span>
                {cell("ledger-refused", "refused", Signal::derive(move || ledger.with(|l| l.refused.len())))}
                <span class="ledger-warn" class:attention=move || { warnings.get() > 0 } data-testid="warning-count">
                    {move || match warnings.get() { 1 => "1 warning".to_owned(), n => format!("{n} warnings") }}
                </span>
            </button>
        </Show>
    }
}

/// The series that a drop carries, if it is one of ours.
pub fn dragged_series(transfer: &web_sys::DataTransfer) -> Option<SeriesId> {
    transfer.get_data(SERIES_MIME).ok()?.parse().ok().map(SeriesId)
}
