//! The toolbar: what the hand holds, how the viewer is divided, what is done to the active view.
//! One stop in the tab order; arrow keys walk inside (WAI-ARIA toolbar pattern).

use leptos::html;
use leptos::prelude::*;
use wasm_bindgen::JsCast;
use web_sys::HtmlElement;

use crate::ctx::Ctx;
use crate::state::{Action, LayoutKind, Tool};
use crate::ui::{ActionButton, Glyph};

fn glyph(tool: Tool) -> Glyph {
    match tool {
        Tool::Window => Glyph::Window,
        Tool::Scroll => Glyph::Scroll,
        Tool::Pan => Glyph::Pan,
        Tool::Zoom => Glyph::Zoom,
        Tool::Crosshair => Glyph::Crosshair,
        Tool::Length => Glyph::Length,
        Tool::Angle => Glyph::Angle,
        Tool::Rectangle => Glyph::Rectangle,
        Tool::Ellipse => Glyph::Ellipse,
        Tool::Probe => Glyph::Probe,
        // Not in this bar: these stand in the panel of the reading.
        Tool::Calcium(_) => Glyph::Calcium,
        Tool::Perfusion(_) => Glyph::Perfusion,
        Tool::Label(_) => Glyph::Brush,
    }
}

#[component]
pub fn Toolbar() -> impl IntoView {
    let ctx = Ctx::here();
    let node = NodeRef::<html::Div>::new();
    let tool_button = move |tool: Tool| {
        view! {
            <ActionButton
                glyph=glyph(tool)
                label=tool.label()
                action=Action::Tool(tool)
                testid=format!("tool-{}", tool.slug())
                pressed=Signal::derive(move || ctx.workspace.with(|w| w.tool == tool))
            />
        }
    };
    let layout_button = move |kind: LayoutKind, glyph: Glyph, label: &'static str, testid: &'static str| {
        view! {
            <ActionButton
                glyph=glyph
                label=label
                action=Action::Layout(kind)
                testid=testid
                pressed=Signal::derive(move || ctx.workspace.with(|w| w.layout == kind && !w.panels.is_empty()))
            />
        }
    };
    let (measuring, moving): (Vec<Tool>, Vec<Tool>) = Tool::ALL.into_iter().partition(|t| t.measures());
    view! {
        <div
            class="toolbar"
            role="toolbar"
            aria-label="Tools"
            node_ref=node
            on:keydown=move |e| {
                let step = match e.key().as_str() {
                    "ArrowRight" | "ArrowDown" => Step::By(1),
                    "ArrowLeft" | "ArrowUp" => Step::By(-1),
                    "Home" => Step::First,
                    "End" => Step::Last,
                    _ => return,
                };
                if let Some(bar) = node.get_untracked() {
                    e.prevent_default();
                    rove(&bar, step);
                }
            }
            on:focusin=move |e| {
                if let (Some(bar), Some(to)) = (node.get_untracked(), e.target().and_then(|t| t.dyn_into::<HtmlElement>().ok())) {
                    only_stop(&bar, &to);
                }
            }
        >
            <div class="group" role="group" aria-label="Move and adjust">{moving.into_iter().map(tool_button).collect_view()}</div>
            <div class="group" role="group" aria-label="Measure">{measuring.into_iter().map(tool_button).collect_view()}</div>
            <div class="group" role="group" aria-label="Layout">
                {layout_button(LayoutKind::Single, Glyph::Single, "One panel", "layout-single")}
                {layout_button(LayoutKind::Planes, Glyph::Planes, "Three planes", "layout-planes")}
                {layout_button(LayoutKind::Quad, Glyph::Quad, "Three planes and a slab", "layout-quad")}
            </div>
            <div class="group" role="group" aria-label="View">
                <ActionButton glyph=Glyph::Fit label="Fit to panel" action=Action::Fit testid="action-fit" />
                <ActionButton glyph=Glyph::OneToOne label="One voxel per pixel" action=Action::OneToOne testid="action-one-to-one" />
                <ActionButton glyph=Glyph::Rotate label="Turn right" action=Action::Rotate(1) testid="action-rotate" />
                <ActionButton glyph=Glyph::FlipHorizontal label="Flip left and right" action=Action::FlipHorizontal testid="action-flip-h" />
                <ActionButton glyph=Glyph::FlipVertical label="Flip up and down" action=Action::FlipVertical testid="action-flip-v" />
                <ActionButton
                    glyph=Glyph::Invert
                    label="Invert"
                    action=Action::Invert
                    testid="action-invert"
                    pressed=Signal::derive(move || ctx.workspace.with(|w| w.active_panel().is_some_and(|p| p.invert)))
                />
                <ActionButton glyph=Glyph::Reset label="Reset view and window" action=Action::Reset testid="action-reset" />
            </div>
        </div>
    }
}

enum Step {
    By(i32),
    First,
    Last,
}

fn buttons(bar: &HtmlElement) -> Vec<HtmlElement> {
    let Ok(list) = bar.query_selector_all("button:not(:disabled)") else { return Vec::new() };
    (0..list.length()).filter_map(|i| list.get(i)).filter_map(|n| n.dyn_into().ok()).collect()
}

fn rove(bar: &HtmlElement, step: Step) {
    let all = buttons(bar);
    let focused = document().active_element();
    let at = all.iter().position(|b| focused.as_ref().is_some_and(|f| b.is_same_node(Some(f)))).unwrap_or(0);
    let to = match step {
        Step::By(n) => crate::state::cine::wrap(at as u32, n, all.len() as u32) as usize,
        Step::First => 0,
        Step::Last => all.len().saturating_sub(1),
    };
    if let Some(button) = all.get(to) {
        // Focus only fails on an element that has gone.
        let _ = button.focus();
    }
}

/// Only `to` is a stop of the Tab key.
fn only_stop(bar: &HtmlElement, to: &HtmlElement) {
    for b in buttons(bar) {
        b.set_tab_index(if b.is_same_node(Some(to)) { 0 } else { -1 });
    }
}
