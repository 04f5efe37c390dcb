//! What a panel of the study shows, to be swapped from the strip above it.

use leptos::prelude::*;

use crate::ctx::Ctx;
use crate::state::PanelId;
use crate::state::perfusion::Slot;

#[component]
pub fn SlotSelect(id: PanelId) -> impl IntoView {
    let ctx = Ctx::here();
    let slot = Memo::new(move |_| ctx.workspace.with(|w| w.slot_of(id)));
    let there = Memo::new(move |_| {
        ctx.workspace.with(|w| {
            let desk = w.flow();
            let there = |slot: &Slot| desk.is_some_and(|d| d.series_of(*slot).is_some());
            Slot::all().filter(there).collect::<Vec<_>>()
        })
    });
    view! {
        <select
            class="ghost plane-select"
            aria-label="What this panel shows"
            data-testid="slot"
            on:change=move |e| {
                if let Some(slot) = Slot::parse(&event_target_value(&e)) {
                    ctx.workspace.update(|w| w.set_slot(id, slot));
                }
            }
        >
            {move || {
                there
                    .get()
                    .into_iter()
                    .map(|s| view! { <option value=s.slug() selected=move || slot.get() == Some(s)>{s.name()}</option> })
                    .collect_view()
            }}
        </select>
        <span class="slot-unit quiet">{move || slot.get().and_then(|s| match s {
            Slot::Map(map) => Some(map.title()),
            Slot::Frames => None,
        })}</span>
    }
}
