//! What went wrong, calmly: a row that stays until it is dismissed.

use leptos::prelude::*;

use super::button::IconButton;
use super::icon::{Glyph, Icon};
use crate::ctx::Ctx;

#[component]
pub fn Notices() -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <div class="notices" role="log" aria-live="polite" aria-label="Messages">
            <For each=move || ctx.notices.get() key=|n| n.id let:notice>
                <div class="notice" data-testid="notice">
                    <Icon glyph=Glyph::Warning />
                    <p>{notice.text.clone()}</p>
                    <IconButton
                        glyph=Glyph::Close
                        label="Dismiss"
                        on_press=move || ctx.notices.update(|list| list.retain(|n| n.id != notice.id))
                    />
                </div>
            </For>
        </div>
    }
}
