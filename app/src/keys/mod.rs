//! The keyboard: one listener on the window, one map, one sheet.

pub mod map;
mod sheet;

pub use sheet::ShortcutSheet;

use leptos::ev;
use leptos::prelude::*;
use wasm_bindgen::JsCast;

use crate::ctx::Ctx;
use crate::state::Action;
use map::Press;

/// Listens for keys as long as the page lives.
pub fn listen(ctx: Ctx) {
    let handle = window_event_listener(ev::keydown, move |e| {
        if e.is_composing() || e.default_prevented() || ctx.dialog.get_untracked().is_some() {
            // A dialog has its own keys; the browser closes it on Escape.
            return;
        }
        let target = e.target().and_then(|t| t.dyn_into::<web_sys::Element>().ok());
        let within = |selector: &str| {
            target.as_ref().is_some_and(|t| t.closest(selector).is_ok_and(|found| found.is_some()))
        };
        let key = e.key();
        let press =
            Press { key: &key, ctrl: e.ctrl_key() || e.meta_key(), shift: e.shift_key(), alt: e.alt_key() };
        // Writing is writing, and a control keeps the keys that move and press it.
        if within("input:not([type=range]):not([type=checkbox]), textarea, select") && key != "Escape" {
            return;
        }
        let on_control = within("button, a, input, [role=option], [role=slider]");
        if on_control
            && (key == " " || key == "Enter" || key.starts_with("Arrow") || key == "Home" || key == "End")
        {
            return;
        }
        if !ctx.settings.with_untracked(|s| s.single_keys) && press.is_character() && !within(".panel-image")
        {
            return;
        }
        let reading = ctx.workspace.with_untracked(|w| w.desk().is_some());
        if let Some(action) = map::action_for(press, reading) {
            e.prevent_default();
            ctx.dispatch(action);
            if matches!(action, Action::StepPanel(_)) {
                focus_active(ctx);
            }
        }
    });
    on_cleanup(move || handle.remove());
}

/// The keyboard's focus goes along to the panel it acts on.
fn focus_active(ctx: Ctx) {
    let id = ctx.workspace.with_untracked(|w| w.active.0);
    request_animation_frame(move || {
        let panel = document().get_element_by_id(&format!("panel-{id}"));
        if let Some(panel) = panel.and_then(|p| p.dyn_into::<web_sys::HtmlElement>().ok()) {
            // Focus can only fail on an element that is gone, and then there is nothing to do.
            let _ = panel.focus();
        }
    });
}
