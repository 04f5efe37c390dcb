//! What the page and the engine say to each other about a label map.

use leptos::prelude::*;
use protocol::inference::Outcome;
use protocol::segmentation::{Ask, Described, Told};
use protocol::{Command, SeriesId};
use wasm_bindgen::JsValue;

use crate::ctx::Ctx;
use crate::state::segmentation::Labelling;

impl Ctx {
    /// About the label map of a series.
    pub fn ask_labels(self, series: SeriesId, ask: Ask) {
        self.send(Command::Segmentation { series, ask });
    }

    /// About the label map of the active series.
    pub fn ask_active_labels(self, ask: Ask) {
        if let Some(series) = self.workspace.with_untracked(|w| w.active_panel().map(|p| p.series)) {
            self.ask_labels(series, ask);
        }
    }
}

/// The labels that a model gave go to the engine.
pub fn adopt(ctx: Ctx, series: SeriesId, described: Vec<Described>, outcome: &Outcome, labels: &JsValue) {
    let origin = format!("{}, {}", outcome.model, outcome.backend);
    let command = Command::Segmentation { series, ask: Ask::Adopt { origin, described } };
    ctx.link.with_value(|link| {
        if let Some(link) = link {
            link.give_buffer(&command, "labels", labels);
        }
    });
}

/// Shows the images of a segmentation of the study list and lays it over them, once they are there.
pub fn lay(ctx: Ctx, images: SeriesId, segmentation: SeriesId) {
    let there = ctx.library.with_untracked(|l| l.complete(images));
    let shown = ctx.workspace.with_untracked(|w| w.panels.iter().any(|p| w.root(p.series) == images));
    if !shown {
        ctx.show_series(images);
    }
    // What is still loading gets its segmentation by itself.
    if shown && there {
        ctx.ask_labels(images, Ask::Lay { segmentation });
    }
}

/// The label map as the engine has it now.
pub fn take(ctx: Ctx, told: Told) {
    let Told { series, outcome, notice } = told;
    if let Some(notice) = notice {
        ctx.notify(notice);
    }
    match outcome {
        Ok(Some(segments)) => {
            ctx.workspace
                .update(|w| w.labellings.entry(series).or_insert_with(Labelling::default).take(segments));
        }
        Ok(None) => ctx.workspace.update(|w| {
            w.labellings.remove(&series);
        }),
        Err(why) => {
            let on_desk = ctx
                .workspace
                .try_update(|w| w.labellings.get_mut(&series).map(|l| l.failure = Some(why.clone())))
                .flatten();
            if on_desk.is_none() {
                ctx.notify(why);
            }
        }
    }
}

/// Steps that were decided since the last frame.
pub fn send_pending(ctx: Ctx) {
    let steps = ctx.workspace.try_maybe_update(|w| {
        let steps: Vec<_> = w.labellings.iter_mut().map(|(series, l)| (*series, l.take_pending())).collect();
        // Sending changes nothing that is shown.
        (false, steps)
    });
    for (series, steps) in steps.unwrap_or_default() {
        for step in steps {
            ctx.ask_labels(series, Ask::Step { step });
        }
    }
}
