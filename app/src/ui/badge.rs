//! Where the picture was computed and how long it took; opens the self-check.

use leptos::prelude::*;
use protocol::Backend;

use crate::ctx::{Ctx, Dialog};
use crate::state::Action;

#[component]
pub fn BackendBadge() -> impl IntoView {
    let ctx = Ctx::here();
    let info = Memo::new(move |_| ctx.engine.with(|e| e.backend.clone()));
    let slug = move || {
        info.with(|i| match i.as_ref().map(|i| i.backend) {
            Some(Backend::WebGpu) => "webgpu",
            Some(Backend::WebGl2) => "webgl2",
            Some(Backend::Cpu) => "cpu",
            None => "starting",
        })
    };
    let name = move || info.with(|i| i.as_ref().map_or("Starting", |i| i.backend.name()));
    let adapter = move || info.with(|i| i.as_ref().map(|i| i.adapter.clone()).unwrap_or_default());
    let frame =
        Memo::new(move |_| ctx.engine.with(|e| (e.drawn > 0).then(|| format!("{:.1} ms", e.frame_ms))));
    let failed = Memo::new(move |_| ctx.engine.with(|e| e.rows.iter().filter(|r| !r.passed).count()));
    let title = move || {
        info.with(|i| {
            i.as_ref().map_or_else(
                || "The engine is starting".to_owned(),
                |i| {
                    let mut text = format!("{} on {}", i.backend.name(), i.adapter);
                    if i.software {
                        text += " (software)";
                    }
                    for why in &i.passed_over {
                        text += &format!("\nNot used: {why}");
                    }
                    text + "\nOpens the self-check"
                },
            )
        })
    };
    view! {
        <button
            type="button"
            class="badge"
            data-testid="backend-badge"
            data-backend=slug
            title=title
            aria-haspopup="dialog"
            aria-expanded=move || (ctx.dialog.get() == Some(Dialog::SelfCheck)).to_string()
            on:click=move |_| ctx.dispatch(Action::SelfCheck)
        >
            <span class="badge-light" class:warn=move || { failed.get() > 0 } class:on=move || info.with(Option::is_some)></span>
            <span class="badge-name">{name}</span>
            <span class="badge-adapter">{adapter}</span>
            <span class="badge-time">{move || frame.get()}</span>
            <Show when=move || { failed.get() > 0 }>
                <span class="badge-fault">{move || format!("{} on CPU twin", failed.get())}</span>
            </Show>
        </button>
    }
}
