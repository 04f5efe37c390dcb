//! What the page does with what the engine says.
//! One function, one arm per event: the only way pixels' facts reach the signals.

use std::sync::Arc;

use leptos::prelude::*;
use protocol::Event;
use wasm_bindgen::JsValue;

use crate::ctx::Ctx;
use crate::models;
use crate::segmentation;
use crate::state::Workspace;
use crate::state::calcium::Desk;
use crate::state::library::{Arrival, Thumbnail};
use crate::state::measurement;
use crate::state::queries::Target;
use crate::{calcium, export, perfusion};

pub fn take(ctx: Ctx, event: Event, data: &JsValue) {
    match event {
        Event::Ready { backend } => {
            ctx.outbox.update_value(|o| o.forget());
            ctx.engine.update(|e| e.backend = Some(backend));
        }
        Event::CanvasWanted { why } => {
            ctx.notify(format!("The picture was redrawn on a new canvas: {why}."));
            ctx.outbox.update_value(|o| o.forget());
            ctx.engine.update(|e| e.canvas_epoch += 1);
        }
        Event::Progress { request, progress } => ctx.library.update(|l| l.progress(request, progress)),
        Event::Catalog { request, catalog, cancelled } => {
            let arrival = ctx.library.try_update(|l| l.take_catalog(request, catalog, cancelled));
            // A series that was taken up by another one leaves no picture behind.
            let gone = ctx.library.with_untracked(|l| {
                let on_screen = ctx
                    .workspace
                    .with_untracked(|w| w.panels.iter().map(|p| w.root(p.series)).collect::<Vec<_>>());
                let gone = on_screen.iter().any(|id| l.series().all(|s| s.id != *id));
                gone.then(|| l.series().find(|s| s.displayable && s.labels_of.is_none()).map(|s| s.id))
                    .flatten()
            });
            match (arrival, gone) {
                (Some(Arrival::Open(series)), _) | (_, Some(series)) => ctx.show_series(series),
                (Some(Arrival::Labels(series)), None) => {
                    let shown = |w: &Workspace| w.panels.iter().any(|p| w.root(p.series) == series);
                    if !ctx.workspace.with_untracked(shown) {
                        ctx.show_series(series);
                    }
                }
                (Some(Arrival::Nothing { listed, refused }), None) => ctx.notify(format!(
                    "No new picture was found: {refused} files were refused, {listed} are duplicates or hold no picture. The ledger in the study list names each with its reason."
                )),
                (Some(Arrival::Known) | None, None) => {}
            }
        }
        Event::Preview { request, width, height, rgba } => {
            ctx.library.update(|l| l.take_preview(request, Thumbnail { width, height, rgba }));
        }
        Event::Thumbnail { series, width, height, rgba } => ctx.library.update(|l| {
            l.thumbnails.insert(series, Arc::new(Thumbnail { width, height, rgba }));
        }),
        Event::Opened { series, info } => {
            let wanted = ctx.wanted.get_untracked() == Some(series);
            let known = info.clone();
            ctx.workspace.update(|w| {
                w.learn(series, info);
                let on_screen = w.panels.iter().any(|p| p.series == series);
                if wanted && !on_screen {
                    w.show(series);
                }
            });
            ctx.outbox.update_value(|o| o.forget());
            calcium::offered(ctx, series, &known);
            perfusion::offered(ctx, series, &known);
        }
        Event::Loaded { series, done, total } => {
            ctx.library.update(|l| {
                l.loaded.insert(series, (done, total));
            });
            if done < total {
                // Slices are missing (again): the score of what was there is not the score of all.
                ctx.workspace.try_maybe_update(|w| (false, w.desks.get_mut(&series).map(Desk::ask_again)));
                ctx.workspace.try_maybe_update(|w| (w.lose_maps(series), ()));
            } else {
                // Numbers asked for while slices were missing are asked for again.
                ctx.queries.update_value(|q| q.forget_answers());
                ctx.workspace.notify();
            }
        }
        Event::Drawn { generation, frame_ms } => {
            ctx.outbox.update_value(|o| o.drawn(generation));
            ctx.engine.update(|e| {
                e.drawn = generation;
                e.frame_ms = frame_ms;
            });
            // The volume's first slices are on the screen: the preview has done its work.
            let over = ctx
                .library
                .with_untracked(|l| l.preview.is_some() && l.loaded.values().any(|(done, _)| *done > 0));
            if over && ctx.workspace.with_untracked(|w| !w.panels.is_empty()) {
                ctx.library.update(|l| l.preview = None);
            }
        }
        Event::Value { query, value } => match ctx.queries.try_update_value(|q| q.answer(query)).flatten() {
            Some(Target::Hover { series }) => {
                let unit = ctx
                    .workspace
                    .with_untracked(|w| w.volume(series).map(|v| v.unit.clone()))
                    .unwrap_or_default();
                ctx.hover_value.set(value.map(|v| measurement::probe_text(&v, &unit)));
                // The next position, if the pointer has moved on.
                ctx.engine.notify();
            }
            Some(Target::Measurement(id)) => ctx.workspace.update(|w| {
                if let Some(m) = w.measurement_mut(id) {
                    m.value = value;
                }
            }),
            None => {}
        },
        Event::RoiValue { query, statistics, message } => {
            if let Some(Target::Measurement(id)) = ctx.queries.try_update_value(|q| q.answer(query)).flatten()
            {
                ctx.workspace.update(|w| {
                    if let Some(m) = w.measurement_mut(id) {
                        m.statistics = statistics;
                        m.message = message;
                    }
                });
            }
        }
        Event::SelfCheck { rows, done } => ctx.engine.update(|e| {
            e.rows = rows;
            e.checking = !done;
        }),
        Event::Handed { query, outcome } => models::handed(ctx, query, outcome, data),
        Event::Calcium { query, series, outcome } => {
            let told = ctx
                .workspace
                .try_update(|w| w.desks.get_mut(&series).and_then(|d| d.answer(query, outcome)))
                .flatten();
            if let Some(text) = told {
                ctx.notify(text);
            }
        }
        Event::PerfusionProgress { query, series, step, done } => {
            ctx.workspace.try_maybe_update(|w| {
                (w.flow_desks.get_mut(&series).is_some_and(|d| d.progressed(query, step, done)), ())
            });
        }
        Event::PerfusionPreview { query, series, aif } => {
            ctx.workspace.try_maybe_update(|w| {
                (w.flow_desks.get_mut(&series).is_some_and(|d| d.previewed(query, aif)), ())
            });
            ctx.queries.update_value(|q| q.forget_answers());
        }
        Event::Perfusion { query, series, outcome } => {
            ctx.workspace.update(|w| w.take_findings(series, query, outcome));
            ctx.queries.update_value(|q| q.forget_answers());
        }
        Event::PerfusionCurves { query, curves } => {
            if let Some(curves) = ctx.curve_queries.try_update_value(|q| q.answer(query, curves)).flatten() {
                ctx.curves.set(curves);
                // The next position, if the pointer has moved on.
                ctx.engine.notify();
            }
        }
        Event::Segmentation(told) => segmentation::take(ctx, told),
        Event::File { name, mime, bytes, .. } => {
            if export::keep(&name, &mime, &bytes).is_err() {
                ctx.notify("The file could not be kept: the browser refused the download.");
            }
        }
        // Others are for the end-to-end tests, which listen to the worker themselves.
        Event::Captured { query, width, height, rgba } if query == export::PICTURE => {
            let result = ctx.workspace.with_untracked(calcium::caption);
            let bars = |context: &_| ctx.workspace.with_untracked(|w| perfusion::draw_bars(context, w));
            if export::save_picture(ctx, [width, height], &rgba, bars, &result).is_err() {
                ctx.notify("The picture could not be kept: the browser made no image of it.");
            }
        }
        Event::Captured { .. } => {}
        Event::Recovered { after_ms } => {
            ctx.outbox.update_value(|o| o.forget());
            ctx.engine.notify();
            ctx.notify(format!(
                "The graphics device was lost and is back after {after_ms:.0} ms. Nothing was lost; no action is needed."
            ));
        }
        Event::Problem { message } => ctx.notify(message),
    }
}
