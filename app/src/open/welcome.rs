//! The first visit: one sentence, a place to drop, two samples.

use leptos::prelude::*;

use super::open_sample;
use crate::ctx::Ctx;
use crate::state::Action;
use crate::ui::{Glyph, Icon};

#[component]
pub fn Welcome() -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <div class="welcome">
            <div class="welcome-inner">
                <h1>"See every slice. "<span>"Send nothing."</span></h1>
                <p class="lead">
                    "Isocenter opens CT, MR and other medical images in three planes and measures them, all inside this browser."
                </p>
                <div class="drop-zone" class:hot=move || ctx.dragging_files.get()>
                    <svg class="drop-mark" viewBox="0 0 64 64" aria-hidden="true">
                        <rect x="8" y="8" width="48" height="48" rx="10" />
                        <circle cx="32" cy="32" r="13" />
                        <path d="M32 2v18M32 44v18M2 32h18M44 32h18" />
                    </svg>
                    <p class="drop-title">"Drop a study here"</p>
                    <p class="quiet">"Files, folders or a zip: DICOM, NIfTI, PNG, JPEG. Paste works too."</p>
                    <div class="drop-buttons">
                        <button type="button" class="button primary" on:click=move |_| ctx.dispatch(Action::OpenFiles)>
                            <Icon glyph=Glyph::File />
                            "Choose files"
                        </button>
                        <button type="button" class="button" on:click=move |_| ctx.dispatch(Action::OpenFolder)>
                            <Icon glyph=Glyph::Folder />
                            "Choose a folder"
                        </button>
                    </div>
                </div>
                <h2 class="samples-title">"Or look at a sample"</h2>
                <div class="samples">
                    <button
                        type="button"
                        class="sample"
                        data-testid="sample-cardiac"
                        on:click=move |_| open_sample(ctx, "cardiac-ct.zip")
                    >
                        <svg viewBox="0 0 96 96" aria-hidden="true">
                            <rect width="96" height="96" class="s0" />
                            <ellipse cx="48" cy="49" rx="43" ry="34" class="s2" />
                            <ellipse cx="48" cy="49" rx="39" ry="30" class="s3" />
                            <ellipse cx="26" cy="49" rx="15" ry="23" class="s0" />
                            <ellipse cx="71" cy="49" rx="14" ry="22" class="s0" />
                            <path d="M36 40c4-12 22-14 28-3c6 12-3 26-14 28c-12 1-19-12-14-25z" class="s4" />
                            <circle cx="48" cy="76" r="6" class="s6" />
                            <circle cx="46" cy="36" r="2.6" class="hot" />
                            <circle cx="59" cy="42" r="1.8" class="hot" />
                        </svg>
                        <span class="sample-text">
                            <span class="sample-name">"Cardiac CT"</span>
                            <span class="quiet">"A phantom heart with calcifications of known size"</span>
                        </span>
                    </button>
                    <button
                        type="button"
                        class="sample"
                        data-testid="sample-perfusion"
                        on:click=move |_| open_sample(ctx, "perfusion-ct.zip")
                    >
                        <svg viewBox="0 0 96 96" aria-hidden="true">
                            <rect width="96" height="96" class="s0" />
                            <ellipse cx="48" cy="48" rx="32" ry="40" class="s6" />
                            <ellipse cx="48" cy="48" rx="28" ry="36" class="s3" />
                            <path d="M48 13v70" class="line" />
                            <path d="M41 35c-6 6-7 16-3 24c3-7 4-15 3-24zM55 35c6 6 7 16 3 24c-3-7-4-15-3-24z" class="s1" />
                            <path d="M57 20c12 4 18 16 17 30l-12-4c1-10 0-18-5-26z" class="cold" />
                        </svg>
                        <span class="sample-text">
                            <span class="sample-name">"Brain perfusion CT"</span>
                            <span class="quiet">"A phantom over time, with known blood flow"</span>
                        </span>
                    </button>
                </div>
                <p class="promise">
                    <Icon glyph=Glyph::Lock />
                    <span><strong>"Research use only."</strong>" Nothing leaves this browser."</span>
                </p>
            </div>
        </div>
    }
}
