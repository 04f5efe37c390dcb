//! The list of models with its button, and the run under way. Part of the inspector.

use leptos::prelude::*;
use protocol::inference::Place;

use crate::ctx::Ctx;
use crate::models::link::{self, Begin};
use crate::state::models::Choice;
use crate::ui::{Glyph, Icon};

#[component]
pub fn ModelSection() -> impl IntoView {
    let ctx = Ctx::here();
    let modality = Memo::new(move |_| {
        ctx.workspace.with(|w| w.active_volume().map(|v| v.modality.clone()).unwrap_or_default())
    });
    let choices = Memo::new(move |_| ctx.models.with(|m| m.choices(&modality.get())));
    let trouble = Memo::new(move |_| {
        ctx.models.with(|m| match &m.manifest {
            Some(Err(why)) => {
                Some(format!("The list of models did not come: {why}. Drop an .onnx file instead."))
            }
            _ => None,
        })
    });
    let refused = Memo::new(move |_| {
        ctx.models.with(|m| m.manifest.iter().flatten().flat_map(|m| m.refused.clone()).collect::<Vec<_>>())
    });
    let running = Memo::new(move |_| ctx.models.with(|m| m.run.clone()));
    // Here and not beside the list, which is not there during a run.
    let picked = RwSignal::new(0_usize);
    view! {
        <section class="inspect" aria-labelledby="inspect-models" data-testid="models">
            <h2 id="inspect-models">"Segmentation models"</h2>
            <Show
                when=move || running.with(Option::is_some)
                fallback=move || view! { <Choices choices picked /> }
            >
                <div class="model-run" data-testid="model-run">
                    <div class="row-between">
                        <span>{move || running.get().map(|r| r.title)}</span>
                        <button type="button" class="button small" data-testid="model-cancel" on:click=move |_| link::cancel(ctx)>
                            "Cancel"
                        </button>
                    </div>
                    <progress max="1" prop:value=move || running.get().map_or(0.0, |r| r.part) aria-label="Running the model"></progress>
                    <p class="progress-text" aria-live="polite">{move || running.get().map(|r| r.text())}</p>
                </div>
            </Show>
            <Show when=move || trouble.get().is_some()>
                <p class="quiet">{move || trouble.get()}</p>
            </Show>
            <Show when=move || refused.with(|r| !r.is_empty())>
                <details class="more" data-testid="models-refused">
                    <summary>{move || format!("Not offered ({})", refused.with(Vec::len))}</summary>
                    <ul class="plain-list warnings">
                        {move || refused.get().into_iter().map(|r| view! { <li><Icon glyph=Glyph::Warning /><span>{format!("{}: {}", r.folder, r.reason)}</span></li> }).collect_view()}
                    </ul>
                </details>
            </Show>
            <Show when=move || ctx.models.with(|m| m.failure.is_some())>
                <p class="model-failure" role="alert" data-testid="model-failure">
                    <Icon glyph=Glyph::Warning />
                    <span>{move || ctx.models.with(|m| m.failure.clone())}</span>
                </p>
            </Show>
            <Last />
        </section>
    }
}

#[component]
fn Choices(choices: Memo<Vec<Choice>>, picked: RwSignal<usize>) -> impl IntoView {
    let ctx = Ctx::here();
    let chosen = Memo::new(move |_| choices.with(|c| c.get(picked.get()).or_else(|| c.first()).cloned()));
    view! {
        <Show
            when=move || choices.with(|c| !c.is_empty())
            fallback=|| view! { <p class="quiet">"None is offered here. Drop an .onnx file with its model.json on the page."</p> }
        >
            <label class="field wide">
                <span>"Model"</span>
                <select data-testid="model-choice" on:change=move |e| picked.set(event_target_value(&e).parse().unwrap_or(0))>
                    {move || {
                        choices
                            .get()
                            .into_iter()
                            .enumerate()
                            .map(|(i, c)| {
                                let note = if c.foreign { format!("  (for {})", c.model.modalities.join(", ")) } else { String::new() };
                                view! { <option value=i.to_string() selected=i == picked.get_untracked()>{format!("{}{note}", c.model.title)}</option> }
                            })
                            .collect_view()
                    }}
                </select>
            </label>
            <p class="quiet">{move || chosen.get().map(|c| c.model.card.intended_use)}</p>
            <p class="quiet">{move || chosen.get().map(|c| c.model.card.limitations)}</p>
            <div class="fields">
                <label class="field">
                    <span>"Run on"</span>
                    <select
                        data-testid="model-place"
                        on:change=move |e| {
                            let place = match event_target_value(&e).as_str() {
                                "gpu" => Place::Gpu,
                                "cpu" => Place::Cpu,
                                _ => Place::Auto,
                            };
                            ctx.models.update(|m| m.place = place);
                        }
                    >
                        {[(Place::Auto, "auto", "Best"), (Place::Gpu, "gpu", "GPU"), (Place::Cpu, "cpu", "CPU")]
                            .map(|(place, value, name)| {
                                let selected = ctx.models.with_untracked(|m| m.place == place);
                                view! { <option value=value selected=selected>{name}</option> }
                            })
                            .collect_view()}
                    </select>
                </label>
                <label class="field">
                    <span>"Memory, MB"</span>
                    <input
                        type="number"
                        min="16"
                        step="1"
                        data-testid="model-budget"
                        prop:value=move || (ctx.models.with(|m| m.budget_bytes()) / 1_000_000).to_string()
                        on:change=move |e| {
                            if let Ok(mb) = event_target_value(&e).parse::<u32>() {
                                ctx.models.update(|m| m.budget_mb = mb);
                            }
                        }
                    />
                </label>
            </div>
            <button
                type="button"
                class="button wide"
                data-testid="model-start"
                on:click=move |_| {
                    if let Some(choice) = chosen.get_untracked() {
                        link::begin(ctx, &choice, Begin::UnlessKnown);
                    }
                }
            >
                "Run"
            </button>
        </Show>
    }
}

/// How the labels that are shown came about.
#[component]
fn Last() -> impl IntoView {
    let ctx = Ctx::here();
    let last = Memo::new(move |_| {
        let series = ctx.workspace.with(|w| w.active_panel().map(|p| p.series));
        ctx.models.with(|m| m.last.clone().filter(|last| Some(last.series) == series))
    });
    view! {
        {move || {
            last.get()
                .map(|last| {
                    let o = last.outcome;
                    let ms: f64 = o.timings_ms.iter().map(|(_, ms)| ms).sum();
                    let where_ = if o.nodes_on_gpu > 0 {
                        let remark = o.remark.map(|remark| format!(", {remark}")).unwrap_or_default();
                        format!("{}{remark}, {} of {} operators on the GPU", o.backend, o.nodes_on_gpu, o.nodes)
                    } else {
                        o.backend.clone()
                    };
                    view! {
                        <p class="quiet" data-testid="model-outcome">
                            {format!("{}: {where_}, {:.1} s, at most {:.0} MB.", o.model, ms / 1e3, o.peak_bytes as f64 / 1e6)}
                        </p>
                        {last.earlier.map(|choice| view! { <Earlier choice /> })}
                        <ul class="plain-list warnings">
                            {o.warnings.into_iter().map(|w| view! { <li><Icon glyph=Glyph::Warning /><span>{w}</span></li> }).collect_view()}
                        </ul>
                    }
                })
        }}
    }
}

/// Nothing was computed for these labels, and the reader is told.
#[component]
fn Earlier(choice: Choice) -> impl IntoView {
    let ctx = Ctx::here();
    let busy = Memo::new(move |_| ctx.models.with(|m| m.run.is_some()));
    view! {
        <div class="row-between" data-testid="model-earlier">
            <p class="quiet" role="status">"Labels of an earlier run in this session: same model, image and settings."</p>
            <button
                type="button"
                class="button small"
                data-testid="model-again"
                disabled=move || busy.get()
                on:click=move |_| link::begin(ctx, &choice, Begin::Anew)
            >
                "Run again"
            </button>
        </div>
    }
}
