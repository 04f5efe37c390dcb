//! What edits labels: brushes with their size and range, and what is done to a whole label.

use leptos::prelude::*;
use protocol::segmentation::Step;

use crate::ctx::Ctx;
use crate::state::segmentation::{Brush, Labelling};
use crate::state::{Action, Tool};
use crate::ui::{ActionButton, Glyph, UndoRedo, typed_number};

fn glyph(brush: Brush) -> Glyph {
    match brush {
        Brush::Paint => Glyph::Brush,
        Brush::Erase => Glyph::Eraser,
        Brush::Fill => Glyph::Bucket,
        Brush::Grow => Glyph::Assign,
    }
}

#[component]
pub fn Brushes() -> impl IntoView {
    let ctx = Ctx::here();
    let change = move |f: &dyn Fn(&mut Labelling)| {
        ctx.workspace.update(|w| {
            if let Some(l) = w.labelling_mut() {
                f(l);
            }
        });
    };
    let set =
        Memo::new(move |_| ctx.workspace.with(|w| w.labelling().map(|l| (l.radius_mm, l.ball, l.range))));
    let steps = Memo::new(move |_| {
        ctx.workspace.with(|w| w.labelling().map(|l| (l.segments.undo as usize, l.segments.redo as usize)))
    });
    let unit = Memo::new(move |_| {
        ctx.workspace.with(|w| w.active_volume().map(|v| v.unit.clone()).unwrap_or_default())
    });
    let hint = move || {
        ctx.workspace.with(|w| match w.tool {
            Tool::Label(brush) => brush.hint(),
            _ => "Take a tool to edit the chosen label.",
        })
    };
    let end = move |upper: bool, text: String| {
        let value = typed_number(&text);
        change(&|l| {
            let [low, high] = l.range.unwrap_or([f64::NEG_INFINITY, f64::INFINITY]);
            let range = if upper {
                [low, value.unwrap_or(f64::INFINITY)]
            } else {
                [value.unwrap_or(f64::NEG_INFINITY), high]
            };
            l.range = (range != [f64::NEG_INFINITY, f64::INFINITY]).then_some(range);
        });
    };
    let shown_end = move |i: usize| {
        move || {
            set.get()
                .and_then(|(_, _, r)| r)
                .map(|r| r[i])
                .filter(|v| v.is_finite())
                .map(|v| v.to_string())
                .unwrap_or_default()
        }
    };
    let whole = move |name: &'static str, testid: &'static str, step: fn(u8) -> Step| {
        view! {
            <button type="button" class="button small" data-testid=testid on:click=move |_| change(&|l| { let label = l.active; l.ask(step(label)); })>
                {name}
            </button>
        }
    };
    view! {
        <div class="hands" role="group" aria-label="Label tools">
            {Brush::ALL
                .into_iter()
                .map(|brush| {
                    view! {
                        <ActionButton
                            glyph=glyph(brush)
                            label=brush.label()
                            action=Action::Tool(Tool::Label(brush))
                            testid=format!("brush-{}", brush.slug())
                            pressed=Signal::derive(move || ctx.workspace.with(|w| w.tool == Tool::Label(brush)))
                        />
                    }
                })
                .collect_view()}
            <span class="grow"></span>
            <UndoRedo name="labels" steps=steps />
        </div>
        <p class="quiet hint">{hint}</p>
        <label class="slider-row">
            <span>{move || set.get().map(|(r, ..)| format!("Radius {r:.1} mm"))}</span>
            <input
                type="range"
                min="0.5"
                max="40"
                step="0.5"
                data-testid="brush-radius"
                aria-label="Radius of the brush in millimetres"
                prop:value=move || set.get().map_or(4.0, |(r, ..)| r).to_string()
                on:input=move |e| {
                    if let Ok(mm) = event_target_value(&e).parse::<f64>() {
                        change(&|l| l.radius_mm = mm);
                    }
                }
            />
        </label>
        <label class="choice">
            <input
                type="checkbox"
                data-testid="brush-ball"
                prop:checked=move || set.get().is_some_and(|(_, ball, _)| ball)
                on:change=move |e| { let ball = event_target_checked(&e); change(&|l| l.ball = ball); }
            />
            <span>"Ball: also the slices beside"</span>
        </label>
        <div class="fields">
            <label class="field">
                <span>"From"</span>
                <input type="number" step="any" data-testid="range-from" title=move || unit.get() prop:value=shown_end(0) on:change=move |e| end(false, event_target_value(&e)) />
            </label>
            <label class="field">
                <span>"To"</span>
                <input type="number" step="any" data-testid="range-to" title=move || unit.get() prop:value=shown_end(1) on:change=move |e| end(true, event_target_value(&e)) />
            </label>
        </div>
        <div class="files" role="group" aria-label="The whole label">
            {whole("Largest part", "label-largest", |label| Step::KeepLargest { label })}
            {whole("Smooth", "label-smooth", |label| Step::Smooth { label })}
            {whole("Between slices", "label-interpolate", |label| Step::Interpolate { label })}
        </div>
    }
}
