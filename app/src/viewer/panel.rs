//! One panel: its header, and the focusable area over its picture.
//! The data attributes say what was asked for and what was drawn, for tests and for scripts.

use leptos::prelude::*;
use scene::{DAffine3, DVec2, Grid, Plane, Viewport};

use super::header::PanelHeader;
use super::marks::Marks;
use super::overlay::Overlay;
use super::pointer::Pointer;
use crate::calcium::CalciumMarks;
use crate::ctx::Ctx;
use crate::perfusion::{ColourBar, FlowMarks};
use crate::segmentation::StrokeMark;
use crate::state::measurement::number;
use crate::state::workspace::{PanelState, Place};
use crate::state::{Action, PanelId, Tool};

/// A panel as the views need it; views are made from this and only this.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    pub panel: PanelState,
    pub place: Place,
    pub slice: u32,
    pub slices: u32,
}

impl Shown {
    /// CSS pixels per device pixel.
    pub fn css_scale(&self) -> DVec2 {
        DVec2::new(
            self.place.image.width / f64::from(self.place.px.width),
            self.place.image.height / f64::from(self.place.px.height),
        )
    }

    /// Of the lines over the picture, in CSS pixels.
    pub fn view_box(&self) -> String {
        format!("0 0 {} {}", self.place.image.width, self.place.image.height)
    }

    /// From the world to device pixels; the series must be known.
    pub fn screen_from_world(&self, grid: &Grid) -> DAffine3 {
        let viewport = Viewport { width_px: self.place.px.width, height_px: self.place.px.height };
        self.panel.view.screen_from_world(grid, viewport)
    }
}

pub fn plane_name(plane: Plane) -> &'static str {
    match plane {
        Plane::Axial => "Axial",
        Plane::Coronal => "Coronal",
        Plane::Sagittal => "Sagittal",
        Plane::Acquisition => "Acquisition",
    }
}

#[component]
pub fn PanelView(id: PanelId) -> impl IntoView {
    let ctx = Ctx::here();
    let shown = Memo::new(move |_| {
        ctx.workspace.with(|w| {
            let (slice, slices) = w.slice_number(id)?;
            Some(Shown { panel: w.panel(id)?.clone(), place: w.place(id)?, slice, slices })
        })
    });
    let active = Memo::new(move |_| ctx.workspace.with(|w| w.active == id && w.panels.len() > 1));
    let reading = Memo::new(move |_| ctx.workspace.with(|w| w.desk().is_some()));
    let flow = Memo::new(move |_| ctx.workspace.with(|w| w.flow().is_some()));
    let overlays = Memo::new(move |_| ctx.workspace.with(|w| w.overlays));
    let cell =
        move |f: fn(&Place) -> f64| move || shown.with(|s| s.as_ref().map(|s| format!("{}px", f(&s.place))));
    let data = move |f: fn(&Shown) -> String| move || shown.with(|s| s.as_ref().map(f));
    let testid = move || {
        shown.with(|s| {
            s.as_ref().map(|s| {
                if let Some(slot) = ctx.workspace.with(|w| w.slot_of(id)) {
                    return format!("panel-{}", slot.slug());
                }
                // The slab beside the three planes must not answer for the plane itself.
                let twin = ctx.workspace.with(|w| {
                    w.panels.iter().find(|p| p.view.plane == s.panel.view.plane).is_some_and(|p| p.id != id)
                });
                if twin {
                    "panel-slab".to_owned()
                } else {
                    format!("panel-{}", plane_name(s.panel.view.plane).to_lowercase())
                }
            })
        })
    };
    let spoken = move || {
        shown.with(|s| {
            s.as_ref().map_or_else(String::new, |s| {
                let w = &s.panel.window;
                let mut text =
                    format!("{}, slice {} of {}", plane_name(s.panel.view.plane), s.slice, s.slices);
                if ctx.workspace.with(|w| w.time_points(s.panel.series)) > 1 {
                    text += &format!(", time point {}", s.panel.time_index + 1);
                }
                text + &format!(", window centre {} width {}", number(w.center), number(w.width))
            })
        })
    };
    let tool_class = move || ctx.workspace.with(|w| format!("panel-image tool-{}", w.tool.slug()));
    let pointer = Pointer::new(ctx, id);
    view! {
        <section
            class="panel"
            class:active=move || active.get()
            class:flow-on=move || flow.get()
            style:left=cell(|p| p.cell.x)
            style:top=cell(|p| p.cell.y)
            style:width=cell(|p| p.cell.width)
            style:height=cell(|p| p.cell.height)
            // Here and not on the picture: Leptos takes at most 26 attributes on one element.
            on:contextmenu=move |e| e.prevent_default()
            on:auxclick=move |e| e.prevent_default()
            on:focusin=move |_| {
                if ctx.workspace.with_untracked(|w| w.active != id) {
                    ctx.workspace.update(|w| w.active = id);
                }
            }
            on:dblclick=move |_| {
                if ctx.workspace.with_untracked(|w| !w.tool.measures() && w.tool != Tool::Crosshair) {
                    ctx.dispatch(Action::Maximise);
                }
            }
            on:dragover=move |e| e.prevent_default()
            on:drop=move |e| {
                let Some(series) = e.data_transfer().and_then(|t| crate::studies::dragged_series(&t)) else { return };
                e.prevent_default();
                ctx.send(protocol::Command::Load { series });
                let known = ctx.workspace.try_update(|w| w.show_in(id, series)).unwrap_or(false);
                if !known {
                    ctx.show_series(series);
                }
            }
        >
            <PanelHeader id=id shown=shown />
            <div
                id=format!("panel-{}", id.0)
                class=tool_class
                tabindex="0"
                role="group"
                aria-roledescription="image panel"
                aria-label=spoken
                data-testid=testid
                data-slice=data(|s| s.slice.to_string())
                data-slices=data(|s| s.slices.to_string())
                data-time=data(|s| s.panel.time_index.to_string())
                data-window-center=data(|s| s.panel.window.center.to_string())
                data-window-width=data(|s| s.panel.window.width.to_string())
                data-world-per-px=data(|s| s.panel.view.world_per_px.to_string())
                data-invert=data(|s| s.panel.invert.to_string())
                data-series=data(|s| s.panel.series.0.to_string())
                data-generation=move || ctx.engine.with(|e| e.sent.to_string())
                data-generation-drawn=move || ctx.engine.with(|e| e.drawn.to_string())
                on:pointerdown=move |e| pointer.down(&e)
                on:pointermove=move |e| pointer.moved(&e)
                on:pointerup=move |e| pointer.up(&e)
                on:pointercancel=move |e| pointer.cancelled(&e)
                on:pointerleave=move |_| pointer.left()
                on:wheel=move |e| pointer.wheel(&e)
            >
                <Show when=move || overlays.get()>
                    <Marks id=id shown=shown />
                    <Show when=move || reading.get()>
                        <CalciumMarks shown=shown />
                    </Show>
                    <StrokeMark id=id shown=shown />
                    <Show when=move || flow.get()>
                        <FlowMarks shown=shown />
                    </Show>
                    <Overlay id=id shown=shown />
                </Show>
            </div>
            <Show when=move || flow.get()>
                <ColourBar id=id />
            </Show>
        </section>
    }
}
