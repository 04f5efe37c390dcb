//! Reading, with count, bytes, time left and a way out.

use leptos::prelude::*;
use protocol::Command;

use crate::ctx::Ctx;
use crate::state::library;

#[component]
pub fn ProgressBar() -> impl IntoView {
    let ctx = Ctx::here();
    let reading = Memo::new(move |_| ctx.library.with(|l| l.reading.clone()));
    let share = move || {
        reading.with(|r| {
            r.as_ref().map_or(0.0, |r| {
                let p = &r.progress;
                if p.bytes_total > 0 {
                    p.bytes_done as f64 / p.bytes_total as f64
                } else {
                    f64::from(p.files_done) / f64::from(p.files_total.max(1))
                }
            })
        })
    };
    let text =
        move || reading.with(|r| r.as_ref().map(|r| library::progress_text(&r.progress)).unwrap_or_default());
    let cancel = move |_| {
        if let Some(r) = reading.get_untracked() {
            ctx.send(Command::Cancel { request: r.request });
        }
    };
    // Spoken in tenths: a screen reader should not count files aloud.
    let spoken = Memo::new(move |_| (share() * 10.0).floor() as u32 * 10);
    view! {
        <Show when=move || reading.with(Option::is_some)>
            <div class="progress-card" data-testid="progress">
                <div class="row-between">
                    <span class="progress-title">"Reading"</span>
                    <button type="button" class="button small" data-testid="cancel" on:click=cancel>"Cancel"</button>
                </div>
                <progress max="1" prop:value=share aria-label="Reading files"></progress>
                <p class="progress-text">{text}</p>
                <p class="visually-hidden" aria-live="polite">{move || format!("Reading, {} percent", spoken.get())}</p>
            </div>
        </Show>
    }
}
