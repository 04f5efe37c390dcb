//! Left and right: regions against their mirror images about a midline that the reader can move.

use leptos::prelude::*;
use protocol::perfusion::Sides;

use super::bar::plain;
use super::fields::decide;
use super::findings::{of_desk, of_findings};
use crate::ctx::Ctx;
use crate::state::curves::Role;

#[component]
pub fn LeftAndRight() -> impl IntoView {
    let ctx = Ctx::here();
    let there = of_findings(ctx, |f| f.midline.is_some());
    let shown = of_desk(ctx, |d| d.midline_shown);
    let chosen = of_desk(ctx, |d| d.session.get().midline.is_some());
    let regions = Memo::new(move |_| {
        let regions = ctx.curves.get().into_iter().filter(|(role, _)| matches!(role, Role::Region(_)));
        regions.map(|(_, curve)| curve.sides).collect::<Vec<_>>()
    });
    view! {
        <Show when=move || there.get() == Some(true)>
            <details
                class="more"
                data-testid="perfusion-sides"
                prop:open=move || shown.get() == Some(true)
                on:toggle=move |e| {
                    let open = event_target::<web_sys::HtmlDetailsElement>(&e).open();
                    ctx.workspace.update(|w| if let Some(d) = w.flow_mut() { d.midline_shown = open });
                }
            >
                <summary>"Left and right"</summary>
                <div class="files" role="group" aria-label="Midline">
                    {nudge(ctx, "\u{21ba} 1\u{b0}", "Turn the midline to the left", "midline-left", -1.0, 0.0)}
                    {nudge(ctx, "\u{21bb} 1\u{b0}", "Turn the midline to the right", "midline-right", 1.0, 0.0)}
                    {nudge(ctx, "\u{2190}", "Move the midline to the left by a voxel", "midline-west", 0.0, -1.0)}
                    {nudge(ctx, "\u{2192}", "Move the midline to the right by a voxel", "midline-east", 0.0, 1.0)}
                    <button
                        type="button"
                        class="button small"
                        data-testid="midline-auto"
                        prop:disabled=move || chosen.get() != Some(true)
                        on:click=move |_| decide(ctx, |s| s.midline = None)
                    >
                        "Automatic"
                    </button>
                </div>
                {move || match regions.get() {
                    none if none.is_empty() => view! { <p class="quiet">"Draw a rectangle or an ellipse on a map: it is compared with its mirror image."</p> }.into_any(),
                    regions => regions.into_iter().enumerate().map(|(at, sides)| table(at + 1, sides)).collect_view().into_any(),
                }}
            </details>
        </Show>
    }
}

fn nudge(
    ctx: Ctx,
    text: &'static str,
    label: &'static str,
    testid: &'static str,
    turn_deg: f64,
    shift: f64,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class="button small"
            data-testid=testid
            title=label
            aria-label=label
            on:click=move |_| ctx.workspace.update(|w| if let Some(d) = w.flow_mut() { d.adjust_midline(turn_deg, shift) })
        >
            {text}
        </button>
    }
}

fn table(number: usize, sides: Vec<Sides>) -> AnyView {
    if sides.is_empty() {
        let text = format!("Region {number}: it or its mirror image has no voxel that was computed.");
        return view! { <p class="quiet">{text}</p> }.into_any();
    }
    let row = |s: Sides| {
        view! {
            <tr data-testid="side-row" data-map=s.map.slug() data-region=s.region.to_string() data-mirror=s.mirror.to_string()>
                <th scope="row" title=s.map.unit()>{s.map.name()}</th>
                <td>{plain(s.region)}</td>
                <td>{plain(s.mirror)}</td>
                <td>{s.ratio.map_or_else(|| "\u{2013}".to_owned(), |r| format!("{r:.2}"))}</td>
                <td>{plain(s.difference)}</td>
            </tr>
        }
    };
    view! {
        <div class="table-scroll">
            <table class="calcium-table">
                <thead>
                    <tr>
                        <th scope="col">{format!("Region {number}")}</th>
                        <th scope="col">"mean"</th>
                        <th scope="col">"mirror"</th>
                        <th scope="col">"ratio"</th>
                        <th scope="col">"difference"</th>
                    </tr>
                </thead>
                <tbody>{sides.into_iter().map(row).collect_view()}</tbody>
            </table>
        </div>
    }
    .into_any()
}
