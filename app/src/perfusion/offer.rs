//! How a perfusion study begins: by itself on a series that was made for it, by a button on any other.

use leptos::prelude::*;
use protocol::perfusion::{Offer, Step, Suggestion};
use protocol::{Command, SeriesId, VolumeInfo};

use crate::ctx::Ctx;
use crate::state::perfusion::Pick;
use crate::state::{Action, Tool};
use crate::ui::{Glyph, Icon};

impl Ctx {
    /// Opens the perfusion study of the active series, or closes it.
    pub fn toggle_perfusion(self) {
        let offer = self.workspace.with_untracked(|w| {
            let series = w.root(w.active_panel()?.series);
            Some((series, w.flow().is_some(), w.volume(series)?.perfusion.clone()))
        });
        match offer {
            Some((_, true, _)) => self.close_perfusion(),
            Some((series, false, Offer::Likely(s) | Offer::Possible(s))) => {
                self.open_perfusion(series, s);
                if self.inspector_open.with_untracked(|open| !open) {
                    self.inspector_open.set(true);
                }
            }
            Some((_, false, Offer::Refused(why))) => self.notify(format!("Perfusion: {why}")),
            None => self.notify("Open a dynamic CT or MR series first: there is nothing to compute."),
        }
    }

    fn open_perfusion(self, series: SeriesId, suggestion: Suggestion) {
        self.workspace.update(|w| {
            if matches!(w.tool, Tool::Calcium(_)) {
                w.tool = Tool::Window;
            }
            w.open_perfusion(series, suggestion);
        });
    }

    fn close_perfusion(self) {
        let tool = self.settings.with_untracked(|s| s.mouse.first_tool());
        let series = self.workspace.try_update(|w| {
            let series = w.flow().map(|d| d.series);
            w.close_perfusion();
            if matches!(w.tool, Tool::Perfusion(_)) {
                w.tool = tool;
            }
            series
        });
        if let Some(series) = series.flatten() {
            self.send(Command::PerfusionCancel { series });
        }
    }

    /// Shows the picture that belongs to a step, with what is needed there in the hand.
    pub fn go_to_step(self, step: Step) {
        let tool = self.settings.with_untracked(|s| s.mouse.first_tool());
        self.workspace.update(|w| {
            w.go_to_step(step);
            match (step, w.tool) {
                (Step::Inputs, Tool::Perfusion(_)) => {}
                (Step::Inputs, _) => w.tool = Tool::Perfusion(Pick::Aif),
                (_, Tool::Perfusion(_)) => w.tool = tool,
                _ => {}
            }
        });
    }
}

/// Every slice of a series has arrived: what was made for maps gets them.
pub fn offered(ctx: Ctx, series: SeriesId, info: &VolumeInfo) {
    let (known, shown, reading) = ctx.workspace.with_untracked(|w| {
        let shown = w.active_panel().is_some_and(|p| w.root(p.series) == series);
        (w.flow_desks.contains_key(&series), shown, w.desk().is_some())
    });
    if let Offer::Likely(s) = &info.perfusion
        && shown
        && !known
        && !reading
    {
        ctx.open_perfusion(series, s.clone());
    }
}

/// Among what can be computed from the active series.
#[component]
pub fn PerfusionButton() -> impl IntoView {
    let ctx = Ctx::here();
    let dynamic = Memo::new(move |_| {
        ctx.workspace.with(|w| w.active_volume().map(|v| (v.time_points > 1, v.perfusion.clone())))
    });
    let refused = move || match dynamic.get() {
        // What has no time needs no explanation.
        Some((true, Offer::Refused(why))) => Some(why),
        _ => None,
    };
    view! {
        <button
            type="button"
            class="button wide"
            data-testid="perfusion-open"
            title="Perfusion maps  (Shift P)"
            on:click=move |_| ctx.dispatch(Action::Perfusion)
        >
            <Icon glyph=Glyph::Perfusion />
            "Perfusion maps"
        </button>
        {move || refused().map(|why| view! { <p class="quiet" data-testid="perfusion-refused">{why}</p> })}
    }
}
