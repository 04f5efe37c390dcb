//! How a reading of calcium begins: by itself on a scan that was made for it, by a button on any other.

use leptos::prelude::*;
use protocol::calcium::{Offer, Suggestion};
use protocol::{SeriesId, VolumeInfo};

use crate::ctx::Ctx;
use crate::perfusion::PerfusionButton;
use crate::state::calcium::Hand;
use crate::state::{Action, LayoutKind, Tool};
use crate::ui::{Glyph, Icon};

impl Ctx {
    /// Opens the calcium reading of the active series, or closes it.
    pub fn toggle_calcium(self) {
        let offer = self.workspace.with_untracked(|w| {
            let series = w.active_panel()?.series;
            Some((series, w.calcium_open, w.volume(series)?.calcium.clone()))
        });
        match offer {
            Some((_, true, _)) => self.close_calcium(),
            Some((series, false, Offer::Likely(s) | Offer::Possible(s))) => self.open_calcium(series, s),
            Some((_, false, Offer::Refused(why))) => self.notify(format!("Calcium: {why}")),
            None => self.notify("Open a cardiac CT first: there is nothing to score."),
        }
    }

    fn open_calcium(self, series: SeriesId, suggestion: Suggestion) {
        self.workspace.update(|w| {
            w.open_calcium(series, suggestion);
            // A phone has no room for three panels.
            if w.natural_layout_is_wide(series) {
                w.apply(Action::Layout(LayoutKind::Overview));
            }
            w.tool = Tool::Calcium(Hand::Assign);
        });
        self.inspector_open.set(true);
    }

    fn close_calcium(self) {
        let tool = self.settings.with_untracked(|s| s.mouse.first_tool());
        self.workspace.update(|w| {
            w.calcium_open = false;
            if matches!(w.tool, Tool::Calcium(_)) {
                w.tool = tool;
            }
            if w.layout == LayoutKind::Overview {
                w.apply(Action::Layout(LayoutKind::Planes));
            }
        });
    }
}

/// Every slice of a series has arrived: what was made for scoring is scored.
pub fn offered(ctx: Ctx, series: SeriesId, info: &VolumeInfo) {
    let (open, known, shown) = ctx.workspace.with_untracked(|w| {
        (
            w.desk().is_some(),
            w.desks.contains_key(&series),
            w.active_panel().is_some_and(|p| p.series == series),
        )
    });
    match &info.calcium {
        // On a narrow page the reading is a drawer over the picture; the reader opens it.
        Offer::Likely(s)
            if s.region.is_some() && !open && !known && shown && ctx.inspector_open.get_untracked() =>
        {
            ctx.open_calcium(series, s.clone());
        }
        Offer::Likely(s) | Offer::Possible(s) if open && known => {
            ctx.workspace.update(|w| w.open_calcium(series, s.clone()));
        }
        _ => {}
    }
}

/// What can be computed from the active series.
#[component]
pub fn Analyses() -> impl IntoView {
    let ctx = Ctx::here();
    let refused = Memo::new(move |_| {
        ctx.workspace.with(|w| match w.active_volume().map(|v| v.calcium.clone()) {
            Some(Offer::Refused(why)) => Some(why),
            _ => None,
        })
    });
    view! {
        <section class="inspect" aria-labelledby="inspect-analyses">
            <h2 id="inspect-analyses">"Analyses"</h2>
            <button
                type="button"
                class="button wide"
                data-testid="calcium-open"
                title="Calcium score  (Shift A)"
                on:click=move |_| ctx.dispatch(Action::Calcium)
            >
                <Icon glyph=Glyph::Calcium />
                "Calcium score"
            </button>
            <Show when=move || refused.get().is_some()>
                <p class="quiet" data-testid="calcium-refused">{move || refused.get()}</p>
            </Show>
            <PerfusionButton />
        </section>
    }
}
