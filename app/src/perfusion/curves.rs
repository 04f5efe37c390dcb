//! The plot below the picture: vessels on the left axis, tissue on the right one, and the time that is shown.
//!
//! It stands under the panels and not beside them because time runs from left to right there, and the scrubber is its
//! own axis.

use leptos::prelude::*;
use protocol::perfusion::Curve;

use super::findings::{of_desk, of_findings};
use super::plot::{Axis, Plot, number};
use crate::ctx::Ctx;
use crate::keys::map;
use crate::state::Action;
use crate::state::curves::{Curves, Role};
use crate::ui::{Glyph, Icon};

/// Height of the plot without the scrubber.
const HEIGHT_CSS_PX: f64 = 150.0;
const LEFT_CSS_PX: f64 = 46.0;
const RIGHT_CSS_PX: f64 = 40.0;
const TOP_CSS_PX: f64 = 8.0;
const BOTTOM_CSS_PX: f64 = 18.0;

/// Of pins and regions, told apart with every colour vision (Okabe and Ito 2008).
pub const COLOURS: [&str; 6] = ["#f0e442", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#ffffff"];

/// A curve ready to draw.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    name: String,
    testid: &'static str,
    class: &'static str,
    colour: Option<&'static str>,
    path: String,
    peak: f64,
}

/// The plot ready to draw.
#[derive(Clone, Debug, PartialEq)]
struct Drawn {
    plot: Plot,
    lines: Vec<Line>,
    left: Vec<(f64, String)>,
    right: Vec<(f64, String)>,
    below: Vec<(f64, String)>,
    unit: String,
}

#[component]
pub fn CurveDock() -> impl IntoView {
    let ctx = Ctx::here();
    let width = Memo::new(move |_| ctx.workspace.with(|w| w.width));
    let vessels = of_findings(ctx, |f| (f.times_s.clone(), f.aif.clone(), f.vof.clone(), f.unit.clone()));
    let drawn = Memo::new(move |_| {
        let (times_s, aif, vof, unit) = vessels.get()?;
        let curves = ctx.curves.get();
        Some(draw(width.get(), &times_s, &aif, vof.as_ref(), &unit, &curves))
    });
    let frames = Memo::new(move |_| {
        ctx.workspace.with(|w| {
            let desk = w.flow()?;
            let info = w.volumes.get(&desk.series)?;
            Some((desk.time_index, info.time_points, info.times_s.clone()))
        })
    });
    let now_s =
        move || frames.with(|f| f.as_ref().and_then(|(at, _, times)| times.get(*at as usize).copied()));
    let playing = Memo::new(move |_| ctx.workspace.with(|w| w.cine.time.playing));
    let waiting = of_desk(ctx, |d| d.findings.is_none());
    let values = move || {
        let list = ctx.curves.get();
        let (_, curve) = list.into_iter().find(|(role, _)| *role == Role::Pointer)?;
        let text =
            |(map, value): &(protocol::Map, f64)| format!("{} {}", map.name(), super::bar::plain(*value));
        let parts: Vec<String> =
            curve.maps.iter().filter(|(m, v)| !m.unit().is_empty() && v.is_finite()).map(text).collect();
        (!parts.is_empty()).then(|| parts.join("   "))
    };
    let fps = move || ctx.workspace.with(|w| w.cine.time.fps.to_string());
    view! {
        <section class="curve-dock" aria-label="Curves over time" data-testid="curve-dock">
            <div class="curve-legend" aria-hidden="true">
                {move || drawn.get().map(|d| d.lines.into_iter().map(|l| view! {
                    <span class=format!("legend {}", l.class)><i style:background-color=l.colour></i>{l.name}</span>
                }).collect_view())}
                <span class="grow"></span>
                <span class="legend-values" data-testid="curve-values">{values}</span>
            </div>
            <svg class="curves" width="100%" height=HEIGHT_CSS_PX role="img" aria-label="Arterial, venous and tissue curves">
                {move || drawn.get().map(picture)}
                {move || {
                    let plot = drawn.get()?.plot;
                    let x = plot.x(now_s()?);
                    Some(view! { <line class="time-now" x1=x x2=x y1=plot.top y2=plot.top + plot.height /> })
                }}
                <Show when=move || waiting.get() == Some(true)>
                    <text class="tick" x=move || (0.5 * width.get()).to_string() y="75" text-anchor="middle">"The curves follow with the maps."</text>
                </Show>
            </svg>
            <div class="scrubber">
                <button
                    type="button"
                    class="icon-button small"
                    data-testid="flow-play"
                    aria-pressed=move || playing.get().to_string()
                    aria-label="Play time"
                    title=format!("Play time  ({})", map::key_for(Action::CineTime).unwrap_or_default())
                    on:click=move |_| ctx.dispatch(Action::CineTime)
                >
                    {move || view! { <Icon glyph=if playing.get() { Glyph::Pause } else { Glyph::Play } /> }}
                </button>
                <input
                    type="range"
                    min="1"
                    aria-label="Time point"
                    data-testid="flow-time"
                    max=move || frames.with(|f| f.as_ref().map_or(1, |(_, n, _)| *n)).to_string()
                    prop:value=move || frames.with(|f| f.as_ref().map_or(1, |(at, ..)| at + 1)).to_string()
                    on:input=move |e| {
                        if let Ok(n) = event_target_value(&e).parse::<u32>() {
                            ctx.workspace.update(|w| w.set_flow_time(n.saturating_sub(1)));
                        }
                    }
                />
                <span class="scrubber-text" data-testid="flow-seconds">{move || now_s().map(|s| format!("{s:.1} s"))}</span>
                <label class="fps">
                    <input
                        type="number"
                        min="0.5"
                        max="60"
                        step="0.5"
                        aria-label="Time points per second"
                        prop:value=fps
                        on:change=move |e| {
                            if let Ok(v) = event_target_value(&e).parse::<f64>() {
                                ctx.workspace.update(|w| w.cine.time.set_fps(v));
                            }
                        }
                    />
                    <span>"/s"</span>
                </label>
            </div>
        </section>
    }
}

fn picture(d: Drawn) -> impl IntoView {
    let Plot { left, top, width, height, .. } = d.plot;
    let tick = |x: f64, anchor: &'static str| move |(y, text): (f64, String)| view! { <text class="tick" x=x y=y + 3.5 text-anchor=anchor>{text}</text> };
    let grid = d
        .left
        .iter()
        .map(|(y, _)| view! { <line class="grid" x1=left x2=left + width y1=*y y2=*y /> })
        .collect_view();
    view! {
        {grid}
        {d.left.into_iter().map(tick(left - 6.0, "end")).collect_view()}
        {d.right.into_iter().map(tick(left + width + 6.0, "start")).collect_view()}
        {d.below.into_iter().map(|(x, text)| view! { <text class="tick" x=x y=top + height + 14.0 text-anchor="middle">{text}</text> }).collect_view()}
        {d.lines.into_iter().map(|l| view! {
            <path class=format!("curve {}", l.class) d=l.path stroke=l.colour data-testid=l.testid data-peak=l.peak.to_string()><title>{l.name}</title></path>
        }).collect_view()}
        <text class="tick axis" x=left + 4.0 y=top + 9.0>{format!("{}, vessels", d.unit)}</text>
        <text class="tick axis" x=left + width - 4.0 y=top + 9.0 text-anchor="end">{format!("{}, tissue", d.unit)}</text>
    }
}

fn draw(
    width: f64,
    times_s: &[f64],
    aif: &protocol::perfusion::Vessel,
    vof: Option<&protocol::perfusion::Vessel>,
    unit: &str,
    curves: &Curves,
) -> Drawn {
    let ends = [times_s.first().copied().unwrap_or(0.0), times_s.last().copied().unwrap_or(1.0)];
    let plot = Plot {
        left: LEFT_CSS_PX,
        top: TOP_CSS_PX,
        width: (width - LEFT_CSS_PX - RIGHT_CSS_PX).max(40.0),
        height: HEIGHT_CSS_PX - TOP_CSS_PX - BOTTOM_CSS_PX,
        times_s: ends,
    };
    let vessel_axis = Axis::around([Some(aif), vof].into_iter().flatten().map(|v| v.values.as_slice()));
    let tissue_axis = Axis::around(curves.iter().map(|(_, c)| c.values.as_slice()));
    let peak = |values: &[f64]| values.iter().copied().filter(|v| v.is_finite()).fold(0.0, f64::max);
    let mut lines = Vec::new();
    let mut vessel = |name: &str, testid, class, values: &[f64]| {
        if !values.is_empty() {
            let path = plot.path(times_s, values, vessel_axis);
            let peak = peak(values);
            lines.push(Line { name: name.into(), testid, class, colour: None, path, peak });
        }
    };
    vessel("AIF", "curve-aif", "aif", &aif.values);
    if let Some(fit) = &aif.fit {
        vessel("Gamma variate", "curve-fit", "fit", fit);
    }
    if let Some(vof) = vof {
        vessel("VOF", "curve-vof", "vof", &vof.values);
    }
    let mut regions = 0;
    for (role, Curve { values, .. }) in curves.iter().filter(|(_, c)| !c.values.is_empty()) {
        let (name, testid, class, colour) = match role {
            Role::Pointer => ("Pointer".to_owned(), "curve-pointer", "pointer", None),
            Role::Pin(i) => (format!("Pin {}", i + 1), "curve-pin", "pin", Some(COLOURS[i % COLOURS.len()])),
            Role::Region(_) => {
                regions += 1;
                (
                    format!("Region {regions}"),
                    "curve-region",
                    "region",
                    Some(COLOURS[(regions + 2) % COLOURS.len()]),
                )
            }
        };
        let path = plot.path(times_s, values, tissue_axis);
        lines.push(Line { name, testid, class, colour, path, peak: peak(values) });
    }
    let up = |axis: Axis| axis.ticks(3.0).into_iter().map(|v| (plot.y(v, axis), number(v))).collect();
    let below = Axis(ends).ticks((plot.width / 90.0).clamp(2.0, 12.0));
    Drawn {
        plot,
        left: up(vessel_axis),
        right: if curves.is_empty() { Vec::new() } else { up(tissue_axis) },
        below: below.into_iter().map(|t| (plot.x(t), format!("{} s", number(t)))).collect(),
        unit: unit.to_owned(),
        lines,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::perfusion::Vessel;

    #[test]
    fn vessels_and_tissue_have_their_own_axes() {
        let times = [0.0, 1.0, 2.0];
        let aif =
            Vessel { values: vec![0.0, 260.0, 20.0], fit: Some(vec![0.0, 255.0, 25.0]), ..Vessel::default() };
        let tissue = Curve { values: vec![0.0, 4.0, 8.0], ..Curve::default() };
        let curves = vec![(Role::Pointer, tissue.clone()), (Role::Pin(1), tissue)];
        let d = draw(800.0, &times, &aif, None, "HU", &curves);
        let names: Vec<&str> = d.lines.iter().map(|l| l.name.as_str()).collect();
        assert_eq!(names, ["AIF", "Gamma variate", "Pointer", "Pin 2"]);
        assert_eq!(
            (d.left.last().map(|t| t.1.clone()), d.right.last().map(|t| t.1.clone())),
            (Some("300".into()), Some("5".into()))
        );
        assert_eq!(d.lines[0].peak, 260.0);
        // The tissue's peak stands at the top of its own axis.
        let top = format!("{:.1}", d.plot.top);
        assert!(d.lines[2].path.ends_with(&format!(" {top}")), "{}", d.lines[2].path);
    }
}
