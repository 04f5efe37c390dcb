//! The colours of a map as a bar beside the picture, with its unit and its ends, which can be typed.
//!
//! Drawn from the very table that the engine draws with.

use leptos::prelude::*;
use protocol::perfusion::Map;
use scene::Colormap;

use crate::ctx::Ctx;
use crate::state::PanelId;
use crate::state::perfusion::Slot;
use crate::ui::typed_number;

/// Steps of the bar: more are not seen.
const STEPS: usize = 64;

#[component]
pub fn ColourBar(id: PanelId) -> impl IntoView {
    let ctx = Ctx::here();
    let shown = Memo::new(move |_| {
        ctx.workspace.with(|w| {
            let Slot::Map(map) = w.slot_of(id)? else { return None };
            map.usual_range()?;
            let panel = w.panel(id)?;
            let half = 0.5 * panel.window.width;
            Some((
                map,
                panel.colormap,
                [panel.window.center - half, panel.window.center + half],
                panel.invert,
            ))
        })
    });
    let colours = Memo::new(move |_| shown.get().map(|(_, colormap, _, invert)| (colormap, invert)));
    let map = Memo::new(move |_| shown.get().map(|(map, ..)| map));
    let end = move |upper: bool| {
        view! {
            <input
                type="text"
                inputmode="decimal"
                class="bar-end"
                class:upper=upper
                aria-label=move || map.get().map(|m| format!("{} of {} in {}", if upper { "Highest" } else { "Lowest" }, m.name(), m.unit()))
                data-testid=if upper { "bar-high" } else { "bar-low" }
                prop:value=move || shown.get().map_or(String::new(), |(_, _, range, _)| plain(range[usize::from(upper)]))
                on:change=move |e| {
                    let typed = typed_number(&event_target_value(&e));
                    if let (Some(value), Some((map, _, mut range, _))) = (typed, shown.get_untracked()) {
                        range[usize::from(upper)] = value;
                        ctx.workspace.update(|w| w.set_map_range(map, range[0], range[1]));
                    }
                }
                // The panel below must not take the press for a drag.
                on:pointerdown=move |e| e.stop_propagation()
                on:keydown=move |e| e.stop_propagation()
                on:dblclick=move |e| e.stop_propagation()
            />
        }
    };
    view! {
        <Show when=move || map.get().is_some()>
            <div class="colour-bar" data-testid="colour-bar" data-map=move || map.get().map(Map::slug)>
                {end(true)}
                <svg viewBox="0 0 1 64" preserveAspectRatio="none" aria-hidden="true">
                    {move || colours.get().map(|(colormap, invert)| steps(colormap, invert)).unwrap_or_default().into_iter().enumerate().map(|(i, fill)| view! { <rect x="0" y=i width="1" height="1.05" fill=fill /> }).collect_view()}
                </svg>
                {end(false)}
                <span class="bar-unit">{move || map.get().map(Map::unit)}</span>
            </div>
        </Show>
    }
}

/// From the top of the bar downwards.
fn steps(colormap: Colormap, invert: bool) -> Vec<String> {
    let level = |i: usize| {
        let level = 255 - (i * 255 / (STEPS - 1)) as u8;
        if invert { 255 - level } else { level }
    };
    let css = |[r, g, b]: [u8; 3]| format!("rgb({r} {g} {b})");
    (0..STEPS).map(|i| css(colormap.colour(level(i)))).collect()
}

/// A number of at most three digits behind the point.
pub fn plain(value: f64) -> String {
    let digits = if value.abs() >= 20.0 { 1.0 } else { 100.0 };
    ((value * digits).round() / digits).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_the_table_from_top_to_bottom() {
        let bar = steps(Colormap::Asist, false);
        assert_eq!((bar[0].as_str(), bar[STEPS - 1].as_str()), ("rgb(255 0 0)", "rgb(0 0 0)"));
        let turned = steps(Colormap::Asist, true);
        assert_eq!((turned[0].as_str(), turned[STEPS - 1].as_str()), ("rgb(0 0 0)", "rgb(255 0 0)"));
        assert_eq!((plain(100.0), plain(9.996), plain(0.125)), ("100".into(), "10".into(), "0.13".into()));
    }
}
