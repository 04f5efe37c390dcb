//! Buttons that carry an icon, a name and, for actions, the key that does the same.

use leptos::prelude::*;

use super::icon::{Glyph, Icon};
use crate::ctx::Ctx;
use crate::keys::map;
use crate::state::Action;

/// A button with an icon and a spoken name.
#[component]
pub fn IconButton(
    glyph: Glyph,
    #[prop(into)] label: String,
    on_press: impl Fn() + 'static,
    #[prop(optional)] testid: &'static str,
    #[prop(optional)] class: &'static str,
) -> impl IntoView {
    view! {
        <button
            type="button"
            class=format!("icon-button {class}")
            aria-label=label.clone()
            title=label
            data-testid=testid
            on:click=move |_| on_press()
        >
            <Icon glyph=glyph />
        </button>
    }
}

/// A button for an action of the key map; its tooltip shows the key.
#[component]
pub fn ActionButton(
    glyph: Glyph,
    label: &'static str,
    action: Action,
    #[prop(into)] testid: String,
    /// Whether it is switched on; left out for buttons that are not switches.
    #[prop(optional, into)]
    pressed: Option<Signal<bool>>,
    #[prop(optional, into)] disabled: Signal<bool>,
) -> impl IntoView {
    let ctx = Ctx::here();
    let keys = map::key_for(action).map(|k| map::printed(k).join(" "));
    let title = keys.map_or_else(|| label.to_owned(), |k| format!("{label}  ({k})"));
    view! {
        <button
            type="button"
            class="icon-button"
            aria-label=label
            title=title
            data-testid=testid
            aria-pressed=move || pressed.map(|p| p.get().to_string())
            prop:disabled=move || disabled.get()
            on:click=move |_| ctx.dispatch(action)
        >
            <Icon glyph=glyph />
        </button>
    }
}

/// Undo and redo of the analysis on the screen; its steps back and forth, `None` where there is nothing to undo.
#[component]
pub fn UndoRedo(
    /// Begins the names that tests use.
    name: &'static str,
    #[prop(into)] steps: Signal<Option<(usize, usize)>>,
) -> impl IntoView {
    view! {
        <ActionButton
            glyph=Glyph::Undo
            label="Undo"
            action=Action::Undo
            testid=format!("{name}-undo")
            disabled=Signal::derive(move || steps.get().is_none_or(|(back, _)| back == 0))
        />
        <ActionButton
            glyph=Glyph::Redo
            label="Redo"
            action=Action::Redo
            testid=format!("{name}-redo")
            disabled=Signal::derive(move || steps.get().is_none_or(|(_, forth)| forth == 0))
        />
    }
}
