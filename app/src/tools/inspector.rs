//! The inspector: the active panel's window, the two cines, the list of measurements.

use leptos::prelude::*;
use scene::Window;

use crate::calcium::{Analyses, CalciumPanel};
use crate::ctx::Ctx;
use crate::keys::map;
use crate::models::ModelSection;
use crate::perfusion::PerfusionPanel;
use crate::segmentation::LabelSection;
use crate::state::measurement::number;
use crate::state::{Action, MeasurementId};
use crate::ui::{Glyph, Icon, IconButton, typed_number};

/// Which analysis is open.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    Nothing,
    Calcium,
    Perfusion,
}

#[component]
pub fn Inspector() -> impl IntoView {
    let ctx = Ctx::here();
    let reading = Memo::new(move |_| {
        ctx.workspace.with(|w| match (w.desk().is_some(), w.flow().is_some()) {
            (_, true) => Reading::Perfusion,
            (true, _) => Reading::Calcium,
            _ => Reading::Nothing,
        })
    });
    let any = Memo::new(move |_| ctx.workspace.with(|w| w.active_volume().is_some()));
    view! {
        <aside class="inspector" class:open=move || ctx.inspector_open.get() aria-label="Inspector">
            <Show when=move || any.get() fallback=|| view! { <p class="quiet inspector-empty">"Open a series to adjust it here."</p> }>
                {move || match reading.get() {
                    Reading::Calcium => view! { <CalciumPanel /> }.into_any(),
                    Reading::Perfusion => view! { <PerfusionPanel /> }.into_any(),
                    Reading::Nothing => view! { <Analyses /> }.into_any(),
                }}
                <ModelSection />
                <LabelSection />
                <WindowSection />
                <CineSection />
                <MeasurementSection />
                <FactsSection />
            </Show>
        </aside>
    }
}

#[component]
fn WindowSection() -> impl IntoView {
    let ctx = Ctx::here();
    let window = Memo::new(move |_| ctx.workspace.with(|w| w.active_panel().map(|p| (p.series, p.window))));
    let presets = Memo::new(move |_| ctx.workspace.with(|w| w.presets()));
    let change = move |f: fn(&mut Window, f64), text: String| {
        if let (Some(v), Some((series, mut window))) = (typed_number(&text), window.get_untracked()) {
            f(&mut window, v);
            let window = window.adjusted(window.center, window.width);
            ctx.workspace.update(|w| w.set_window(series, window));
        }
    };
    let shown =
        move |f: fn(&Window) -> f64| move || window.get().map_or_else(String::new, |(_, w)| plain(f(&w)));
    view! {
        <section class="inspect" aria-labelledby="inspect-window">
            <h2 id="inspect-window">"Window"</h2>
            <Show when=move || presets.with(|p| !p.is_empty()) fallback=|| view! { <p class="quiet">"Colour is shown as stored."</p> }>
                <div class="fields">
                    <label class="field">
                        <span>"Width"</span>
                        <input
                            type="number"
                            step="any"
                            data-testid="window-width"
                            prop:value=shown(|w| w.width)
                            on:change=move |e| change(|w, v| w.width = v, event_target_value(&e))
                        />
                    </label>
                    <label class="field">
                        <span>"Level"</span>
                        <input
                            type="number"
                            step="any"
                            data-testid="window-center"
                            prop:value=shown(|w| w.center)
                            on:change=move |e| change(|w, v| w.center = v, event_target_value(&e))
                        />
                    </label>
                </div>
                <div class="presets" role="group" aria-label="Window presets">
                    {move || {
                        presets
                            .get()
                            .into_iter()
                            .enumerate()
                            .map(|(i, p)| {
                                let key = map::key_for(Action::Preset(i));
                                let preset = p.window;
                                let on = Memo::new(move |_| window.get().is_some_and(|(_, w)| w == preset));
                                view! {
                                    <button
                                        type="button"
                                        class="preset"
                                        data-testid=format!("preset-{}", i + 1)
                                        aria-pressed=move || on.get().to_string()
                                        title=format!("Width {}, level {}", number(preset.width), number(preset.center))
                                        on:click=move |_| ctx.dispatch(Action::Preset(i))
                                    >
                                        <span>{p.name}</span>
                                        {key.map(|k| view! { <kbd>{k}</kbd> })}
                                    </button>
                                }
                            })
                            .collect_view()
                    }}
                </div>
            </Show>
        </section>
    }
}

#[component]
fn CineSection() -> impl IntoView {
    let ctx = Ctx::here();
    let slice =
        Memo::new(move |_| ctx.workspace.with(|w| w.active_panel().and_then(|p| w.slice_number(p.id))));
    let time = Memo::new(move |_| {
        ctx.workspace.with(|w| w.active_panel().map(|p| (p.series, p.time_index, w.time_points(p.series))))
    });
    let seconds = move || {
        ctx.workspace.with(|w| {
            let at = w.active_panel()?.time_index as usize;
            w.active_volume()?.times_s.get(at).map(|t| format!("{t:.1} s"))
        })
    };
    let rule = move || {
        ctx.workspace.with(|w| w.active_volume().map(|v| v.time_rule.clone()).filter(|r| !r.is_empty()))
    };
    let playing_slices = Memo::new(move |_| ctx.workspace.with(|w| w.cine.slices.playing));
    let playing_time = Memo::new(move |_| ctx.workspace.with(|w| w.cine.time.playing));
    let fps = move |time: bool| {
        Memo::new(move |_| ctx.workspace.with(|w| if time { w.cine.time.fps } else { w.cine.slices.fps }))
    };
    let fps_field = move |time: bool| {
        let value = fps(time);
        view! {
            <label class="fps">
                <input
                    type="number"
                    min="0.5"
                    max="60"
                    step="0.5"
                    aria-label=if time { "Time points per second" } else { "Slices per second" }
                    prop:value=move || value.get().to_string()
                    on:change=move |e| {
                        if let Ok(v) = event_target_value(&e).parse::<f64>() {
                            ctx.workspace.update(|w| if time { w.cine.time.set_fps(v) } else { w.cine.slices.set_fps(v) });
                        }
                    }
                />
                <span>"/s"</span>
            </label>
        }
    };
    view! {
        <section class="inspect" aria-labelledby="inspect-cine">
            <h2 id="inspect-cine">"Cine"</h2>
            <Show when=move || slice.get().is_some_and(|(_, n)| n > 1)>
                <div class="cine">
                    <PlayButton playing=playing_slices label="slices" action=Action::CineSlices testid="cine-slices" />
                    <input
                        type="range"
                        min="1"
                        max=move || slice.get().map_or(1, |s| s.1).to_string()
                        aria-label="Slice"
                        data-testid="slice-slider"
                        prop:value=move || slice.get().map_or(1, |s| s.0).to_string()
                        on:input=move |e| {
                            if let Ok(n) = event_target_value(&e).parse::<u32>() {
                                ctx.workspace.update(|w| if let Some(id) = w.active_panel().map(|p| p.id) { w.set_slice_number(id, n) });
                            }
                        }
                    />
                    {fps_field(false)}
                </div>
                <p class="cine-text">{move || slice.get().map(|(i, n)| format!("Slice {i} of {n}"))}</p>
            </Show>
            <Show when=move || time.get().is_some_and(|(_, _, n)| n > 1)>
                <div class="cine">
                    <PlayButton playing=playing_time label="time" action=Action::CineTime testid="cine-time" />
                    <input
                        type="range"
                        min="1"
                        max=move || time.get().map_or(1, |t| t.2).to_string()
                        aria-label="Time point"
                        data-testid="time-slider"
                        prop:value=move || time.get().map_or(1, |t| t.1 + 1).to_string()
                        on:input=move |e| {
                            if let (Ok(n), Some((series, _, _))) = (event_target_value(&e).parse::<u32>(), time.get_untracked()) {
                                ctx.workspace.update(|w| w.set_time(series, n.saturating_sub(1)));
                            }
                        }
                    />
                    {fps_field(true)}
                </div>
                <p class="cine-text">
                    {move || time.get().map(|(_, i, n)| format!("Time {} of {n}", i + 1))} " · " {seconds}
                </p>
                <p class="quiet">{move || rule().map(|r| format!("Split by {r}"))}</p>
            </Show>
            <Show when=move || slice.get().is_none_or(|(_, n)| n < 2) && time.get().is_none_or(|(_, _, n)| n < 2)>
                <p class="quiet">"A single image: nothing to play."</p>
            </Show>
        </section>
    }
}

#[component]
fn PlayButton(
    playing: Memo<bool>,
    label: &'static str,
    action: Action,
    testid: &'static str,
) -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <button
            type="button"
            class="icon-button outlined"
            data-testid=testid
            aria-pressed=move || playing.get().to_string()
            aria-label=format!("Play {label}")
            title=format!("Play {label}  ({})", map::key_for(action).map(|k| map::printed(k).join(" ")).unwrap_or_default())
            on:click=move |_| ctx.dispatch(action)
        >
            {move || {
                let glyph = if playing.get() { Glyph::Pause } else { Glyph::Play };
                view! { <Icon glyph=glyph /> }
            }}
        </button>
    }
}

/// A row of the list of measurements.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    id: MeasurementId,
    name: &'static str,
    text: String,
    selected: bool,
}

#[component]
fn MeasurementSection() -> impl IntoView {
    let ctx = Ctx::here();
    let rows = Memo::new(move |_| {
        ctx.workspace.with(|w| {
            let series = w.active_panel().map(|p| p.series);
            let Some(volume) = w.active_volume() else { return Vec::new() };
            w.measurements
                .get()
                .iter()
                .filter(|m| Some(m.series) == series)
                .map(|m| Row {
                    id: m.id,
                    name: m.shape.name(),
                    text: m.reading(volume.grid.length_unit, &volume.unit).lines.join("  ·  "),
                    selected: w.selected == Some(m.id),
                })
                .collect::<Vec<_>>()
        })
    });
    let no_spacing = Memo::new(move |_| {
        ctx.workspace
            .with(|w| w.active_volume().is_some_and(|v| v.grid.length_unit == scene::LengthUnit::Pixel))
    });
    view! {
        <section class="inspect" aria-labelledby="inspect-measure">
            <h2 id="inspect-measure">"Measurements"</h2>
            <Show when=move || no_spacing.get()>
                <p class="quiet" data-testid="no-spacing">"No spacing in the file: lengths are in pixels."</p>
            </Show>
            <Show when=move || rows.with(Vec::is_empty)>
                <p class="quiet">"Take a measuring tool and drag over the picture."</p>
            </Show>
            <ul class="measure-list">
                {move || {
                    rows.get()
                        .into_iter()
                        .map(|r| {
                            view! {
                                <li class:selected=r.selected>
                                    <button
                                        type="button"
                                        class="measure-row"
                                        data-testid="measurement-row"
                                        title="Show its slice"
                                        on:click=move |_| ctx.workspace.update(|w| w.go_to(r.id))
                                    >
                                        <span class="measure-name">{r.name}</span>
                                        <span class="measure-text">{r.text}</span>
                                    </button>
                                    <IconButton
                                        glyph=Glyph::Close
                                        label=format!("Delete {}", r.name)
                                        class="small"
                                        on_press=move || ctx.workspace.update(|w| w.delete(r.id))
                                    />
                                </li>
                            }
                        })
                        .collect_view()
                }}
            </ul>
        </section>
    }
}

#[component]
fn FactsSection() -> impl IntoView {
    let ctx = Ctx::here();
    let facts = Memo::new(move |_| {
        ctx.workspace.with(|w| {
            let v = w.active_volume()?;
            let [columns, rows, slices] = v.grid.dims();
            let s = v.grid.spacing();
            // Micrometres are enough, and zeros that say nothing would break the line.
            let [x, y, z] = s.map(|mm| (mm * 1000.0).round() / 1000.0);
            let spacing = match v.grid.length_unit {
                scene::LengthUnit::Millimetre => format!("{x} × {y} × {z} mm"),
                scene::LengthUnit::Pixel => "not in the file".to_owned(),
            };
            let whole = w.active_panel().map(|p| p.series);
            let whole = whole.filter(|series| ctx.library.with(|l| l.complete(*series)));
            let values = match whole {
                Some(_) => format!("{} … {} {}", number(v.min), number(v.max), v.unit),
                None => "loading".to_owned(),
            };
            Some((format!("{columns} × {rows} × {slices}"), spacing, values, v.warnings.clone()))
        })
    });
    view! {
        <section class="inspect" aria-labelledby="inspect-facts">
            <h2 id="inspect-facts">"Series"</h2>
            {move || {
                facts
                    .get()
                    .map(|(size, spacing, values, warnings)| {
                        view! {
                            <dl class="facts">
                                <div><dt>"Voxels"</dt><dd>{size}</dd></div>
                                <div><dt>"Spacing"</dt><dd>{spacing}</dd></div>
                                <div><dt>"Values"</dt><dd>{values}</dd></div>
                            </dl>
                            <ul class="plain-list warnings">
                                {warnings.into_iter().map(|w| view! { <li><Icon glyph=Glyph::Warning /><span>{w}</span></li> }).collect_view()}
                            </ul>
                        }
                    })
            }}
        </section>
    }
}

/// A number as an input field takes it: no thousands separators, no trailing noise.
fn plain(v: f64) -> String {
    if v.abs() >= 20.0 { format!("{:.0}", v) } else { format!("{}", (v * 1e4).round() / 1e4) }
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn fields_hold_plain_numbers() {
        assert_eq!(plain(399.6), "400");
        assert_eq!(plain(-600.0), "-600");
        assert_eq!(plain(0.123456), "0.1235");
        assert_eq!(plain(2.0), "2");
    }
}
