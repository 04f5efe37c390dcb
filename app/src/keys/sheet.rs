//! The `?` sheet, made from the key map and the mouse profile.

use leptos::prelude::*;

use super::map::{self, BINDINGS, Group};
use crate::ctx::{Ctx, Dialog};
use crate::ui::Modal;

#[component]
pub fn ShortcutSheet() -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <Modal which=Dialog::Shortcuts title="Keyboard and mouse" testid="shortcut-sheet" wide=true>
            <div class="sheet">
                {Group::ALL
                    .into_iter()
                    .map(|group| {
                        let rows = BINDINGS
                            .iter()
                            .filter(|b| b.group == group)
                            .map(|b| row(b.what, b.keys.first().map(|k| map::printed(k)).unwrap_or_default()))
                            .collect_view();
                        view! {
                            <section class="sheet-group">
                                <h3>{group.label()}</h3>
                                <dl>{rows}</dl>
                            </section>
                        }
                    })
                    .collect_view()}
                <section class="sheet-group">
                    <h3>"Mouse: " {move || ctx.settings.with(|s| s.mouse.label())}</h3>
                    <dl>
                        {move || {
                            ctx.settings
                                .with(|s| s.mouse)
                                .lines()
                                .into_iter()
                                .map(|(how, what)| row(what, vec![how.to_owned()]))
                                .collect_view()
                        }}
                    </dl>
                </section>
            </div>
        </Modal>
    }
}

fn row(what: &'static str, keys: Vec<String>) -> impl IntoView {
    view! {
        <div class="sheet-row">
            <dt>{what}</dt>
            <dd>{keys.into_iter().map(|k| view! { <kbd>{k}</kbd> }).collect_view()}</dd>
        </div>
    }
}
