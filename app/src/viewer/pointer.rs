//! From the browser's pointer events to gestures in panel pixels.

use leptos::prelude::*;
use scene::DVec2;
use wasm_bindgen::JsCast;
use web_sys::{Element, PointerEvent, WheelEvent};

use crate::ctx::{Ctx, Hover};
use crate::state::PanelId;
use crate::state::gesture::{self, Button, Gesture, Modifiers, Wheel};

/// What goes on over one panel.
#[derive(Clone, Debug, Default)]
struct Active {
    gesture: Option<Gesture>,
    /// Fingers on the panel, with their pixels.
    fingers: Vec<(i32, DVec2)>,
    slices: Wheel,
    time: Wheel,
}

#[derive(Clone, Copy)]
pub struct Pointer {
    ctx: Ctx,
    id: PanelId,
    active: StoredValue<Active>,
}

impl Pointer {
    pub fn new(ctx: Ctx, id: PanelId) -> Self {
        Self { ctx, id, active: StoredValue::new(Active::default()) }
    }

    fn at(&self, e: &web_sys::MouseEvent) -> Option<DVec2> {
        let target = e.current_target()?.dyn_into::<Element>().ok()?;
        let rect = target.get_bounding_client_rect();
        let place = self.ctx.workspace.with_untracked(|w| w.place(self.id))?;
        // The panel's pixels were rounded to whole ones; its rectangle on the page was not.
        let scale =
            DVec2::new(f64::from(place.px.width) / rect.width(), f64::from(place.px.height) / rect.height());
        Some(DVec2::new(f64::from(e.client_x()) - rect.left(), f64::from(e.client_y()) - rect.top()) * scale)
    }

    pub fn down(self, e: &PointerEvent) {
        let Some(at) = self.at(e) else { return };
        let touch = e.pointer_type() == "touch";
        let button = match e.button() {
            0 if touch => Button::Touch,
            0 => Button::Left,
            1 => Button::Middle,
            2 => Button::Right,
            _ => return,
        };
        if button == Button::Middle {
            // No autoscroll.
            e.prevent_default();
        }
        if let Some(target) = e.current_target().and_then(|t| t.dyn_into::<Element>().ok()) {
            // Fails only for a pointer that is gone already.
            let _ = target.set_pointer_capture(e.pointer_id());
        }
        let profile = self.ctx.settings.with_untracked(|s| s.mouse);
        let mut active = self.active.get_value();
        self.ctx.workspace.update(|w| {
            if touch {
                active.fingers.retain(|(id, _)| *id != e.pointer_id());
                active.fingers.push((e.pointer_id(), at));
            }
            if let [(_, a), (_, b)] = active.fingers[..] {
                w.cancel_draft();
                let mut pinch = Gesture::Pinch { distance: a.distance(b).max(1.0), middle: (a + b) * 0.5 };
                pinch.pinch(w, self.id, a, b);
                active.gesture = Some(pinch);
            } else {
                active.gesture = Gesture::begin(w, profile, self.id, button, held(e), at);
            }
        });
        self.active.set_value(active);
    }

    pub fn moved(self, e: &PointerEvent) {
        let Some(at) = self.at(e) else { return };
        let mut active = self.active.get_value();
        if let Some(finger) = active.fingers.iter_mut().find(|(id, _)| *id == e.pointer_id()) {
            finger.1 = at;
        }
        match (&mut active.gesture, &active.fingers[..]) {
            (Some(g @ Gesture::Pinch { .. }), [(_, a), (_, b)]) => {
                self.ctx.workspace.update(|w| g.pinch(w, self.id, *a, *b));
            }
            (Some(g), _) => self.ctx.workspace.update(|w| g.drag(w, self.id, at)),
            (None, _) => {
                let moves = self.ctx.workspace.with_untracked(|w| w.draft.is_some()) || e.shift_key();
                if moves {
                    self.ctx.workspace.update(|w| gesture::hover(w, self.id, at, held(e)));
                }
            }
        }
        self.active.set_value(active);
        self.hover(at);
    }

    pub fn up(self, e: &PointerEvent) {
        let Some(at) = self.at(e) else { return };
        let mut active = self.active.get_value();
        active.fingers.retain(|(id, _)| *id != e.pointer_id());
        if let Some(g) = active.gesture.take() {
            self.ctx.workspace.update(|w| g.end(w, self.id, at));
        }
        self.active.set_value(active);
    }

    pub fn cancelled(self, e: &PointerEvent) {
        let mut active = self.active.get_value();
        active.fingers.retain(|(id, _)| *id != e.pointer_id());
        active.gesture = None;
        self.active.set_value(active);
        self.ctx.workspace.update(|w| {
            w.cancel_draft();
        });
    }

    pub fn left(self) {
        self.ctx.hover.set(None);
        self.ctx.hover_value.set(None);
    }

    pub fn wheel(self, e: &WheelEvent) {
        e.prevent_default();
        // Lines and pages in pixels (DOM_DELTA_LINE = 1, DOM_DELTA_PAGE = 2).
        let unit = match e.delta_mode() {
            1 => 33.0,
            2 => 400.0,
            _ => 1.0,
        };
        // With Shift some browsers turn the wheel sideways.
        let delta = if e.delta_y() == 0.0 { e.delta_x() } else { e.delta_y() } * unit;
        let mut active = self.active.get_value();
        let over_time = e.ctrl_key() || e.meta_key();
        let steps = if over_time { active.time.steps(delta) } else { active.slices.steps(delta) };
        self.active.set_value(active);
        if steps == 0 {
            return;
        }
        self.ctx.workspace.update(|w| {
            w.active = self.id;
            let series = w.panel(self.id).map(|p| p.series);
            match series {
                Some(series) if over_time => w.step_time(series, steps),
                _ => w.step_numbers(self.id, f64::from(steps)),
            }
        });
        if let Some(at) = self.at(e) {
            self.hover(at);
        }
    }

    fn hover(self, at: DVec2) {
        let hover = self.ctx.workspace.with_untracked(|w| {
            let panel = w.panel(self.id)?;
            let world = w.world_at(self.id, at)?;
            Some(Hover { panel: self.id, series: panel.series, world, time_index: panel.time_index })
        });
        self.ctx.hover.set(hover);
    }
}

fn held(e: &PointerEvent) -> Modifiers {
    Modifiers { shift: e.shift_key(), ctrl: e.ctrl_key() || e.meta_key(), alt: e.alt_key() }
}
