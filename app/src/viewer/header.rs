//! The strip above a panel: which plane, how thick a slab, maximise.

use leptos::prelude::*;
use scene::{Frame, Plane, SlabMode};

use super::panel::{Shown, plane_name};
use crate::ctx::Ctx;
use crate::perfusion::SlotSelect;
use crate::state::PanelId;
use crate::ui::{Glyph, Icon};

const PLANES: [(Plane, &str); 4] = [
    (Plane::Axial, "axial"),
    (Plane::Coronal, "coronal"),
    (Plane::Sagittal, "sagittal"),
    (Plane::Acquisition, "acquisition"),
];

const MODES: [(SlabMode, &str, &str); 3] =
    [(SlabMode::Mip, "mip", "MIP"), (SlabMode::MinIp, "minip", "MinIP"), (SlabMode::Mean, "mean", "Mean")];

#[component]
pub fn PanelHeader(id: PanelId, shown: Memo<Option<Shown>>) -> impl IntoView {
    let ctx = Ctx::here();
    let plane = Memo::new(move |_| shown.with(|s| s.as_ref().map(|s| s.panel.view.plane)));
    let slab = Memo::new(move |_| shown.with(|s| s.as_ref().map(|s| s.panel.view.slab).unwrap_or_default()));
    let info = Memo::new(move |_| {
        let series = shown.with(|s| s.as_ref().map(|s| s.panel.series))?;
        ctx.workspace.with(|w| w.volume(series))
    });
    let volume = Memo::new(move |_| {
        info.with(|i| {
            i.as_ref().is_some_and(|i| i.grid.frame == Frame::Patient && i.grid.dims().iter().all(|n| *n > 1))
        })
    });
    // Slab thickness in the grid's unit, by slice steps.
    let range = Memo::new(move |_| {
        let thickest = ctx.workspace.with(|w| w.thickest_slab(id));
        let step = shown.with(|s| {
            info.with(|i| s.as_ref().zip(i.as_ref()).map_or(1.0, |(s, i)| s.panel.view.slice_step(&i.grid)))
        });
        (thickest, step)
    });
    let unit = move || {
        info.with(|i| {
            i.as_ref().map_or("", |i| match i.grid.length_unit {
                scene::LengthUnit::Millimetre => "mm",
                scene::LengthUnit::Pixel => "px",
            })
        })
    };
    let thickness_text = move || {
        let t = slab.get().thickness;
        if t <= 0.0 { "thin".to_owned() } else { format!("{t:.0} {}", unit()) }
    };
    // While perfusion is read a panel is chosen by its map; all panels show one plane.
    let slotted = Memo::new(move |_| ctx.workspace.with(|w| w.slot_of(id).is_some()));
    let maximised = Memo::new(move |_| ctx.workspace.with(|w| w.maximised.is_some()));
    let several = Memo::new(move |_| ctx.workspace.with(|w| w.panels.len() > 1));
    view! {
        <header class="panel-head">
            <Show when=move || slotted.get()>
                <SlotSelect id=id />
            </Show>
            <Show when=move || volume.get() && !slotted.get() fallback=move || view! { <span class="panel-name">{move || plane.get().filter(|_| !slotted.get()).map(plane_name)}</span> }>
                <select
                    class="ghost plane-select"
                    aria-label="Plane"
                    prop:value=move || {
                        PLANES.iter().find(|(p, _)| Some(*p) == plane.get()).map_or("", |(_, slug)| slug)
                    }
                    on:change=move |e| {
                        let value = event_target_value(&e);
                        if let Some((plane, _)) = PLANES.iter().find(|(_, slug)| *slug == value) {
                            ctx.workspace.update(|w| w.set_plane(id, *plane));
                        }
                    }
                >
                    {PLANES
                        .iter()
                        .map(|(p, slug)| view! { <option value=*slug selected=move || plane.get() == Some(*p)>{plane_name(*p)}</option> })
                        .collect_view()}
                </select>
            </Show>
            <span class="grow"></span>
            <Show when=move || volume.get() && !slotted.get()>
                <label class="slab" class:thick=move || { slab.get().thickness > 0.0 }>
                    <span class="slab-label">"Slab"</span>
                    <input
                        type="range"
                        min="0"
                        aria-label="Slab thickness"
                        data-testid="slab-thickness"
                        max=move || range.get().0.to_string()
                        step=move || range.get().1.to_string()
                        prop:value=move || slab.get().thickness.to_string()
                        aria-valuetext=thickness_text
                        on:input=move |e| {
                            if let Ok(t) = event_target_value(&e).parse::<f64>() {
                                ctx.workspace.update(|w| {
                                    w.active = id;
                                    if let Some(p) = w.panel_mut(id) {
                                        p.view.slab.thickness = t;
                                    }
                                });
                            }
                        }
                    />
                    <span class="slab-value">{thickness_text}</span>
                </label>
                <Show when=move || { slab.get().thickness > 0.0 }>
                    <select
                        class="ghost"
                        aria-label="Slab mode"
                        data-testid="slab-mode"
                        on:change=move |e| {
                            let value = event_target_value(&e);
                            if let Some((mode, _, _)) = MODES.iter().find(|(_, slug, _)| *slug == value) {
                                ctx.workspace.update(|w| if let Some(p) = w.panel_mut(id) { p.view.slab.mode = *mode; });
                            }
                        }
                    >
                        {MODES
                            .iter()
                            .map(|(m, slug, label)| {
                                view! { <option value=*slug selected=move || slab.get().mode == *m>{*label}</option> }
                            })
                            .collect_view()}
                    </select>
                </Show>
            </Show>
            <Show when=move || several.get()>
                <button
                    type="button"
                    class="icon-button small"
                    aria-label=move || if maximised.get() { "Show all panels" } else { "Maximise this panel" }
                    title=move || if maximised.get() { "Show all panels (M)" } else { "Maximise this panel (M)" }
                    on:click=move |_| {
                        ctx.workspace.update(|w| w.active = id);
                        ctx.dispatch(crate::state::Action::Maximise);
                    }
                >
                    {move || {
                        let glyph = if maximised.get() { Glyph::Minimise } else { Glyph::Maximise };
                        view! { <Icon glyph=glyph /> }
                    }}
                </button>
            </Show>
        </header>
    }
}
