//! The panel beside the picture while calcium is read: score first, then what changes it.

use leptos::prelude::*;

use super::export::Files;
use super::result::{Headline, VesselTable, Warnings};
use super::settings::{Details, Threshold};
use super::tools::{Candidates, Hands, Vessels};
use crate::ctx::Ctx;
use crate::state::Action;
use crate::ui::{Glyph, IconButton};

#[component]
pub fn CalciumPanel() -> impl IntoView {
    let ctx = Ctx::here();
    view! {
        <section class="inspect calcium" aria-labelledby="inspect-calcium" data-testid="calcium-panel">
            <div class="row-between">
                <h2 id="inspect-calcium">"Calcium score"</h2>
                <IconButton
                    glyph=Glyph::Close
                    label="Close the calcium score (Shift A)"
                    class="small"
                    testid="calcium-close"
                    on_press=move || ctx.dispatch(Action::Calcium)
                />
            </div>
            <Headline />
            <VesselTable />
            <Threshold />
            <Vessels />
            <Hands />
            <Candidates />
            <Warnings />
            <Details />
            <Files />
        </section>
    }
}
