//! The panel beside the picture while perfusion is read: what came out first, then the steps that led there.

use leptos::prelude::*;

use super::export::Files;
use super::findings::{Headline, Quality, Tissue, Warnings};
use super::sides::LeftAndRight;
use super::steps::Steps;
use crate::ctx::Ctx;
use crate::state::Action;
use crate::ui::{Glyph, IconButton};

#[component]
pub fn PerfusionPanel() -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <section class="inspect calcium perfusion" aria-labelledby="inspect-perfusion" data-testid="perfusion-panel">
            <div class="row-between">
                <h2 id="inspect-perfusion">"Perfusion"</h2>
                <IconButton
                    glyph=Glyph::Close
                    label="Close the perfusion maps (Shift P)"
                    class="small"
                    testid="perfusion-close"
                    on_press=move || ctx.dispatch(Action::Perfusion)
                />
            </div>
            <Headline />
            <Tissue />
            <LeftAndRight />
            <Steps />
            <Quality />
            <Warnings />
            <Files />
        </section>
    }
}
