//! The page's frame: header, study list, viewer, inspector, and the dialogs over them.

use std::time::Duration;

use leptos::prelude::*;

use crate::ctx::{Ctx, Dialog};
use crate::engine_link::Link;
use crate::keys::ShortcutSheet;
use crate::open::{DropVeil, Pickers, Welcome};
use crate::perfusion::CurveDock;
use crate::selfcheck::SelfCheckPage;
use crate::settings::{SettingsDialog, store};
use crate::state::Action;
use crate::studies::{LedgerDialog, Preview, ProgressBar, StudyList};
use crate::tools::{Inspector, Toolbar};
use crate::ui::{BackendBadge, Glyph, IconButton, Notices};
use crate::viewer::Viewer;
use crate::{events, frame, keys, models, open};

/// From here on the study list and the inspector stand beside the viewer; below, they are drawers.
const WIDE_CSS_PX: f64 = 1100.0;

/// The page is built in this many tasks after the first: all at once they hold up input for 70 ms on two slow
/// cores, and no task may take 50.
const TURNS: u32 = 3;

/// Counts the tasks in which the page is built.
fn next_turn(turn: RwSignal<u32>) {
    set_timeout(
        move || {
            turn.update(|t| *t += 1);
            if turn.get_untracked() < TURNS {
                next_turn(turn);
            }
        },
        Duration::ZERO,
    );
}

#[component]
pub fn Page() -> impl IntoView {
    let width = window().inner_width().ok().and_then(|w| w.as_f64()).unwrap_or(WIDE_CSS_PX);
    let ctx = Ctx::new(store::load(), width >= WIDE_CSS_PX);
    provide_context(ctx);
    match Link::start(move |event, data| events::take(ctx, event, data), move |why| ctx.notify(why)) {
        Ok(link) => ctx.link.set_value(Some(link)),
        Err(error) => ctx.notify(error.to_string()),
    }
    keys::listen(ctx);
    open::listen(ctx);
    frame::start(ctx);
    models::load_manifest(ctx);
    let turn = RwSignal::new(0);
    next_turn(turn);
    let reached = move |n: u32| Memo::new(move |_| turn.get() >= n);
    // What is seen first and what the engine waits for comes first.
    let (canvas, tools, dialogs) = (reached(1), reached(2), reached(3));

    let first_visit =
        Memo::new(move |_| ctx.library.with(|l| l.empty()) && ctx.workspace.with(|w| w.volumes.is_empty()));
    let flow = Memo::new(move |_| ctx.workspace.with(|w| w.flow().is_some()));
    let title = Memo::new(move |_| {
        ctx.library.with(|l| {
            let series = ctx.workspace.with(|w| w.active_panel().map(|p| w.root(p.series)))?;
            let study = l.catalog.studies.iter().find(|s| s.series.iter().any(|e| e.id == series))?;
            let parts = [study.patient_name.clone(), study.description.clone(), study.date.clone()];
            Some(parts.into_iter().filter(|p| !p.is_empty()).collect::<Vec<_>>().join("  ·  "))
        })
    });
    view! {
        <div class="page" class:first-visit=move || first_visit.get()>
            <a class="skip" href="#main">"Skip to the images"</a>
            <header class="topbar">
                <IconButton
                    glyph=Glyph::Menu
                    label="Study list"
                    class="for-studies"
                    testid="toggle-studies"
                    on_press=move || ctx.dispatch(Action::ToggleStudies)
                />
                <span class="brand">
                    <svg viewBox="0 0 32 32" aria-hidden="true">
                        <circle cx="16" cy="16" r="8.5" />
                        <path d="M16 1v10M16 21v10M1 16h10M21 16h10" />
                    </svg>
                    <span class="brand-name">"Isocenter"</span>
                </span>
                <p class="study-title">{move || title.get()}</p>
                <span class="research">"Research use only"</span>
                <BackendBadge />
                <IconButton glyph=Glyph::Help label="Keyboard and mouse (?)" testid="open-shortcuts" on_press=move || ctx.dispatch(Action::Help) />
                <IconButton glyph=Glyph::Settings label="Settings" testid="open-settings" on_press=move || ctx.dispatch(Action::Settings) />
                <IconButton
                    glyph=Glyph::Sliders
                    label="Inspector (U)"
                    class="for-inspector"
                    testid="toggle-inspector"
                    on_press=move || ctx.dispatch(Action::ToggleInspector)
                />
            </header>
            <div class="body" class:reading=move || ctx.workspace.with(|w| w.desk().is_some() || w.flow().is_some()) class:with-studies=move || ctx.studies_open.get() class:with-inspector=move || ctx.inspector_open.get()>
                <Show when=move || tools.get()>
                    <StudyList />
                </Show>
                <main id="main" class="main" tabindex="-1" aria-label="Images">
                    <Show when=move || tools.get()>
                        <Toolbar />
                    </Show>
                    <div class="stage">
                        <Show when=move || canvas.get()>
                            <Viewer />
                        </Show>
                        <Show when=move || first_visit.get()>
                            <Welcome />
                        </Show>
                        <Preview />
                        <ProgressBar />
                    </div>
                    <Show when=move || flow.get()>
                        <CurveDock />
                    </Show>
                </main>
                <Show when=move || tools.get()>
                    <Inspector />
                </Show>
            </div>
            <Notices />
            <Pickers />
            <DropVeil />
            <Show when=move || dialogs.get()>
                <ShortcutSheet />
                <SettingsDialog />
                <SelfCheckPage />
                <LedgerDialog />
            </Show>
            <Show when=move || ctx.studies_open.get() || ctx.inspector_open.get()>
                // Only seen where the lists are drawers.
                <button
                    type="button"
                    class="scrim"
                    aria-label="Close the drawer"
                    tabindex="-1"
                    on:click=move |_| {
                        ctx.studies_open.set(false);
                        ctx.inspector_open.set(false);
                    }
                ></button>
            </Show>
            <span hidden data-testid="dialog-state">{move || ctx.dialog.get().map(|d: Dialog| format!("{d:?}"))}</span>
        </div>
    }
}
