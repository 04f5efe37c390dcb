//! The list of labels: colour, name, volume, mean; shown or hidden, alone, locked, chosen.
//!
//! A map of a hundred organs has a hundred rows, so a row is one line and the list scrolls by itself.

use leptos::prelude::*;
use protocol::segmentation::{Segment, Step};

use crate::ctx::Ctx;
use crate::state::segmentation::{Drawing, Labelling};
use crate::ui::{Glyph, IconButton};

/// What a row shows; another row is another key.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    segment: Segment,
    active: bool,
    shown: bool,
    solo: bool,
}

fn css(colour: [u8; 3]) -> String {
    format!("#{:02x}{:02x}{:02x}", colour[0], colour[1], colour[2])
}

fn parsed(css: &str) -> Option<[u8; 3]> {
    let digits = css.strip_prefix('#').filter(|d| d.len() == 6 && d.is_ascii())?;
    let part = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).ok();
    Some([part(0)?, part(2)?, part(4)?])
}

/// Volume and mean as a row says them.
fn figures(s: &Segment) -> String {
    let volume = match s.volume_ml {
        Some(ml) if ml >= 100.0 => format!("{ml:.0} mL"),
        Some(ml) if ml >= 1.0 => format!("{ml:.1} mL"),
        Some(ml) => format!("{ml:.3} mL"),
        None => format!("{} voxels", s.voxels),
    };
    match s.mean {
        Some(mean) => format!("{volume} · {mean:.0}"),
        None => volume,
    }
}

#[component]
pub fn LabelList() -> impl IntoView {
    let ctx = Ctx::here();
    let rows = Memo::new(move |_| {
        ctx.workspace.with(|w| {
            let Some(l) = w.labelling() else { return Vec::new() };
            let row = |s: &Segment| Row {
                active: l.active == s.id,
                shown: l.shows(s.id),
                solo: l.solo == Some(s.id),
                segment: s.clone(),
            };
            l.segments.segments.iter().map(row).collect()
        })
    });
    let change = move |f: &dyn Fn(&mut Labelling)| {
        ctx.workspace.update(|w| {
            if let Some(l) = w.labelling_mut() {
                f(l);
            }
        });
    };
    let looks = Memo::new(move |_| ctx.workspace.with(|w| w.labelling().map(|l| (l.opacity, l.drawing))));
    view! {
        <ul class="label-list" aria-label="Labels">
            <For
                each=move || rows.get()
                key=|row| serde_json::to_string(&row.segment).unwrap_or_default() + &format!("{}{}{}", row.active, row.shown, row.solo)
                children=move |row| view! { <LabelRow row /> }
            />
        </ul>
        <div class="files">
            <button type="button" class="button small" data-testid="label-add" on:click=move |_| change(&|l| { l.add_label(); })>
                "Add label"
            </button>
            <button
                type="button"
                class="button small"
                data-testid="labels-all"
                on:click=move |_| change(&|l| { l.solo = None; l.hidden.clear(); })
            >
                "Show all"
            </button>
            <button
                type="button"
                class="button small"
                data-testid="labels-none"
                on:click=move |_| change(&|l| { l.solo = None; l.hidden = l.segments.segments.iter().map(|s| s.id).collect(); })
            >
                "Hide all"
            </button>
        </div>
        <label class="slider-row">
            <span>"Opacity"</span>
            <input
                type="range"
                min="0"
                max="100"
                data-testid="labels-opacity"
                prop:value=move || looks.get().map_or(0.0, |(o, _)| (o * 100.0).round()).to_string()
                on:input=move |e| {
                    if let Ok(percent) = event_target_value(&e).parse::<f64>() {
                        change(&|l| l.opacity = percent / 100.0);
                    }
                }
            />
        </label>
        <div class="presets three" role="group" aria-label="How labels are drawn">
            {Drawing::ALL
                .into_iter()
                .map(|(drawing, name)| {
                    view! {
                        <button
                            type="button"
                            class="preset"
                            data-testid=format!("labels-{}", name.to_lowercase())
                            aria-pressed=move || looks.get().is_some_and(|(_, d)| d == drawing).to_string()
                            on:click=move |_| change(&|l| l.drawing = drawing)
                        >
                            <span>{name}</span>
                        </button>
                    }
                })
                .collect_view()}
        </div>
    }
}

#[component]
fn LabelRow(row: Row) -> impl IntoView {
    let ctx = Ctx::here();
    let Segment { id, name, colour, locked, on_mm, .. } = row.segment.clone();
    let change = move |f: &dyn Fn(&mut Labelling)| {
        ctx.workspace.update(|w| {
            if let Some(l) = w.labelling_mut() {
                f(l);
            }
        });
    };
    let choose = move |_| {
        ctx.workspace.update(|w| {
            let series = w.labelled_series();
            if let Some(l) = w.labelling_mut() {
                l.active = id;
            }
            if let (Some(series), Some(at)) = (series, on_mm) {
                w.set_cursor(series, at);
            }
        });
    };
    let rename = move |text: String| {
        let text = text.trim().to_owned();
        if !text.is_empty() {
            change(&|l| l.describe(id, |s| s.name.clone_from(&text)));
        }
    };
    let shown = row.shown;
    view! {
        <li class:selected=row.active class:off=!shown data-testid=format!("label-{id}")>
            <input
                type="color"
                class="label-colour"
                aria-label=format!("Colour of {name}")
                prop:value=css(colour)
                on:change=move |e| {
                    if let Some(colour) = parsed(&event_target_value(&e)) {
                        change(&|l| l.describe(id, |s| s.colour = colour));
                    }
                }
            />
            <button
                type="button"
                class="label-name"
                aria-pressed=row.active.to_string()
                title="Choose it and show where it is"
                on:click=choose
                on:dblclick=move |_| {
                    if let Ok(Some(text)) = window().prompt_with_message_and_default("Name of the label", &name) {
                        rename(text);
                    }
                }
            >
                <span>{row.segment.name.clone()}</span>
                <span class="quiet" data-testid=format!("label-{id}-figures") data-ml=row.segment.volume_ml.map(|v| v.to_string()) data-voxels=row.segment.voxels.to_string()>
                    {figures(&row.segment)}
                </span>
            </button>
            <button
                type="button"
                class="icon-button small"
                aria-label="Shown"
                title="Show or hide"
                data-testid=format!("label-{id}-shown")
                aria-pressed=shown.to_string()
                on:click=move |_| change(&|l| {
                    l.solo = None;
                    if !l.hidden.remove(&id) {
                        l.hidden.insert(id);
                    }
                })
            >
                <crate::ui::Icon glyph=if shown { Glyph::Eye } else { Glyph::EyeOff } />
            </button>
            <button
                type="button"
                class="icon-button small"
                aria-label="Alone"
                title="Show this one alone"
                data-testid=format!("label-{id}-solo")
                aria-pressed=row.solo.to_string()
                on:click=move |_| change(&|l| l.solo = if l.solo == Some(id) { None } else { Some(id) })
            >
                <crate::ui::Icon glyph=Glyph::Single />
            </button>
            <button
                type="button"
                class="icon-button small"
                aria-label="Locked"
                title="Lock: no edit changes it"
                data-testid=format!("label-{id}-lock")
                aria-pressed=locked.to_string()
                on:click=move |_| change(&|l| l.describe(id, |s| s.locked = !s.locked))
            >
                <crate::ui::Icon glyph=Glyph::Lock />
            </button>
            <IconButton glyph=Glyph::Trash label="Clear this label" class="small" on_press=move || change(&|l| l.ask(Step::Clear { label: id })) />
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_go_to_css_and_back() {
        assert_eq!(parsed(&css([1, 128, 255])), Some([1, 128, 255]));
        assert_eq!(
            (parsed("#12345"), parsed("red"), parsed("#zzzzzz"), parsed("#äöü")),
            (None, None, None, None)
        );
    }
}
