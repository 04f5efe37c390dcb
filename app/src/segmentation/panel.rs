//! The labels of the active series in the inspector.

use leptos::prelude::*;
use protocol::segmentation::Ask;

use super::files::{Export, OpenLabels};
use super::list::LabelList;
use super::tools::Brushes;
use crate::ctx::Ctx;
use crate::state::{Action, LayoutKind};
use crate::ui::{Glyph, Icon, IconButton};

#[component]
pub fn LabelSection() -> impl IntoView {
    let ctx = Ctx::here();
    let possible = Memo::new(move |_| ctx.workspace.with(|w| w.active_volume().is_some_and(|v| !v.colour)));
    let open = Memo::new(move |_| ctx.workspace.with(|w| w.labelling().is_some()));
    let origin = Memo::new(move |_| ctx.workspace.with(|w| w.labelling().map(|l| l.segments.origin.clone())));
    let deep =
        Memo::new(move |_| ctx.workspace.with(|w| w.active_volume().is_some_and(|v| v.grid.dims()[2] > 1)));
    let projected = Memo::new(move |_| ctx.workspace.with(|w| w.layout == LayoutKind::Overview));
    let warnings = Memo::new(move |_| {
        ctx.workspace.with(|w| w.labelling().map(|l| l.segments.warnings.clone())).unwrap_or_default()
    });
    let failure = Memo::new(move |_| ctx.workspace.with(|w| w.labelling().and_then(|l| l.failure.clone())));
    view! {
        <Show when=move || possible.get()>
            <section class="inspect labels" aria-labelledby="inspect-labels" data-testid="labels">
                <div class="row-between">
                    <h2 id="inspect-labels">"Labels"</h2>
                    <Show when=move || open.get()>
                        <IconButton
                            glyph=Glyph::Close
                            label="Close the labels"
                            class="small"
                            testid="labels-close"
                            on_press=move || ctx.ask_active_labels(Ask::Close)
                        />
                    </Show>
                </div>
                <Show
                    when=move || open.get()
                    fallback=move || {
                        view! {
                            <div class="files">
                                <button type="button" class="button small" data-testid="labels-begin" on:click=move |_| ctx.ask_active_labels(Ask::Begin)>
                                    "New labels"
                                </button>
                                <OpenLabels />
                            </div>
                        }
                    }
                >
                    <div class="row-between">
                        <p class="quiet" data-testid="labels-origin">{move || origin.get()}</p>
                        <Show when=move || deep.get()>
                            <button
                                type="button"
                                class="button small"
                                data-testid="labels-projections"
                                title="All labels at once, projected through the whole volume"
                                aria-pressed=move || projected.get().to_string()
                                on:click=move |_| {
                                    let layout = if projected.get_untracked() { LayoutKind::Planes } else { LayoutKind::Overview };
                                    ctx.dispatch(Action::Layout(layout));
                                }
                            >
                                "Projections"
                            </button>
                        </Show>
                    </div>
                    <LabelList />
                    <Brushes />
                    <Export />
                </Show>
                <Show when=move || failure.get().is_some()>
                    <p class="model-failure" role="alert" data-testid="labels-failure">
                        <Icon glyph=Glyph::Warning />
                        <span>{move || failure.get()}</span>
                    </p>
                </Show>
                <ul class="plain-list warnings">
                    {move || warnings.get().into_iter().map(|w| view! { <li><Icon glyph=Glyph::Warning /><span>{w}</span></li> }).collect_view()}
                </ul>
            </section>
        </Show>
    }
}
