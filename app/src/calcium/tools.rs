//! What assigns: the vessel to give to, the tool in the hand, the way to the next candidate.

use contract::calcium::Vessel;
use leptos::prelude::*;

use super::result::{Swatch, of_table, title};
use crate::ctx::Ctx;
use crate::keys::map;
use crate::state::calcium::Hand;
use crate::state::{Action, Tool};
use crate::ui::{ActionButton, Glyph, UndoRedo};

#[component]
pub fn Vessels() -> impl IntoView {
    let ctx = Ctx::here();
    let chosen = Memo::new(move |_| ctx.workspace.with(|w| w.desk().map(|d| d.vessel)));
    let choice = move |vessel: Option<Vessel>, name: &'static str| {
        let key = map::key_for(Action::Vessel(vessel));
        view! {
            <button
                type="button"
                class="vessel"
                data-testid=format!("vessel-{}", name.to_lowercase().replace(' ', "-"))
                aria-pressed=move || (chosen.get() == Some(vessel)).to_string()
                on:click=move |_| ctx.dispatch(Action::Vessel(vessel))
            >
                {vessel.map(|v| view! { <Swatch vessel=v /> })}
                <span>{name}</span>
                {key.map(|k| view! { <kbd>{k}</kbd> })}
            </button>
        }
    };
    view! {
        <div class="vessels" role="group" aria-label="Vessel of the next lesion">
            {Vessel::ALL.into_iter().map(|v| choice(Some(v), title(v))).collect_view()}
            {choice(None, "Take away")}
        </div>
    }
}

fn glyph(hand: Hand) -> Glyph {
    match hand {
        Hand::Assign => Glyph::Assign,
        Hand::Cut => Glyph::Scalpel,
        Hand::Freehand => Glyph::Freehand,
        Hand::Box => Glyph::Rectangle,
        Hand::Erase => Glyph::Eraser,
        Hand::Region => Glyph::Region,
    }
}

#[component]
pub fn Hands() -> impl IntoView {
    let ctx = Ctx::here();
    let hint = move || {
        ctx.workspace.with(|w| match w.tool {
            Tool::Calcium(hand) => hand.hint(),
            _ => "Another tool is in the hand: choose one of these to assign.",
        })
    };
    let undoable = Memo::new(move |_| ctx.workspace.with(|w| w.desk().map(|d| d.session.steps())));
    view! {
        <div class="hands" role="group" aria-label="Calcium tools">
            {Hand::ALL
                .into_iter()
                .map(|hand| {
                    view! {
                        <ActionButton
                            glyph=glyph(hand)
                            label=hand.label()
                            action=Action::Tool(Tool::Calcium(hand))
                            testid=format!("hand-{}", hand.slug())
                            pressed=Signal::derive(move || ctx.workspace.with(|w| w.tool == Tool::Calcium(hand)))
                        />
                    }
                })
                .collect_view()}
            <span class="grow"></span>
            <UndoRedo name="calcium" steps=undoable />
        </div>
        <p class="quiet hint">{hint}</p>
    }
}

#[component]
pub fn Candidates() -> impl IntoView {
    let ctx = Ctx::here();
    let left = of_table(ctx, |t| t.unassigned.lesions);
    view! {
        <div class="row-between candidates">
            <p class="quiet">{move || left.get().map(|n| format!("{n} candidates not assigned"))}</p>
            <button
                type="button"
                class="button"
                data-testid="calcium-next"
                title="From the largest; Enter then gives it to the vessel"
                prop:disabled=move || left.get().is_none_or(|n| n == 0)
                on:click=move |_| ctx.dispatch(Action::Candidate(1))
            >
                "Next" <kbd>"N"</kbd>
            </button>
        </div>
    }
}
