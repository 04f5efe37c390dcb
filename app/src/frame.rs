//! Once per animation frame: play the cine, send the newest scene, ask for the numbers that are missing.
//! Frames are only asked for while something changes; a still page costs nothing.

use leptos::prelude::*;
use protocol::Command;

use crate::ctx::Ctx;
use crate::segmentation;
use crate::state::outbox;

pub fn start(ctx: Ctx) {
    let scheduled = StoredValue::new(false);
    let last_ms = StoredValue::new(None::<f64>);
    Effect::new(move |_| {
        ctx.workspace.track();
        ctx.engine.track();
        ctx.hover.track();
        schedule(ctx, scheduled, last_ms);
    });
}

fn schedule(ctx: Ctx, scheduled: StoredValue<bool>, last_ms: StoredValue<Option<f64>>) {
    if scheduled.get_value() {
        return;
    }
    scheduled.set_value(true);
    request_animation_frame(move || {
        scheduled.set_value(false);
        tick(ctx, last_ms);
        if ctx.workspace.with_untracked(|w| w.cine.playing()) {
            schedule(ctx, scheduled, last_ms);
        }
    });
}

fn tick(ctx: Ctx, last_ms: StoredValue<Option<f64>>) {
    let now = window().performance().map_or(0.0, |p| p.now());
    let playing = ctx.workspace.with_untracked(|w| w.cine.playing());
    if playing {
        let seconds = last_ms.get_value().map_or(0.0, |t| (now - t) / 1000.0);
        last_ms.set_value(Some(now));
        let due = ctx.workspace.try_maybe_update(|w| {
            let before = (w.panels.clone(), w.cursors.clone());
            w.advance_cine(seconds);
            // Part of a step changes nothing that is shown.
            (before != (w.panels.clone(), w.cursors.clone()), ())
        });
        debug_assert!(due.is_some());
    } else {
        last_ms.set_value(None);
    }

    if ctx.engine.with_untracked(|e| e.backend.is_none()) {
        return;
    }
    let scene = ctx.workspace.with_untracked(outbox::scene_of);
    if let Some(scene) = ctx.outbox.try_update_value(|o| o.next(scene, now)).flatten() {
        let generation = scene.generation;
        ctx.send(Command::Draw { scene });
        ctx.engine.update(|e| e.sent = generation);
    }
    ask_score(ctx);
    ask_maps(ctx);
    ask_curves(ctx);
    segmentation::send_pending(ctx);
    let hover = ctx.hover.get_untracked();
    let commands = ctx.workspace.with_untracked(|w| {
        ctx.queries.try_update_value(|q| {
            let hover = hover.as_ref().map(|h| (h.series, h.world, h.time_index));
            q.ask(w, hover)
        })
    });
    for command in commands.unwrap_or_default() {
        ctx.send(command);
    }
}

/// The newest decisions about a perfusion study, once every slice is there. A newer question takes the place of one
/// that is being computed.
fn ask_maps(ctx: Ctx) {
    let series = ctx.workspace.with_untracked(|w| w.flow().map(|d| d.series));
    if !series.is_some_and(|s| ctx.library.with_untracked(|l| l.complete(s))) {
        return;
    }
    let query = ctx.asked_maps.get_value() + 1;
    let task = ctx
        .workspace
        .try_maybe_update(|w| {
            let task = w.flow_mut().and_then(|d| d.next_task(query));
            (task.is_some(), task)
        })
        .flatten();
    if let Some(task) = task {
        ctx.asked_maps.set_value(query);
        ctx.send(Command::Perfusion { query, task });
    }
}

/// Curves of what lies under the pointer, of pins and of regions.
fn ask_curves(ctx: Ctx) {
    let hover = ctx.hover.with_untracked(|h| h.as_ref().map(|h| (h.series, h.world)));
    let command =
        ctx.workspace.with_untracked(|w| ctx.curve_queries.try_update_value(|q| q.ask(w, hover))).flatten();
    if let Some(command) = command {
        ctx.send(command);
    }
}

/// The newest decisions of a calcium reading, once every slice is there and the last answer has come.
fn ask_score(ctx: Ctx) {
    let series = ctx.workspace.with_untracked(|w| w.desk().map(|d| d.series));
    if !series.is_some_and(|s| ctx.library.with_untracked(|l| l.complete(s))) {
        return;
    }
    let query = ctx.asked_scores.get_value() + 1;
    // Asking changes nothing that is shown.
    let task =
        ctx.workspace.try_maybe_update(|w| (false, w.desk_mut().and_then(|d| d.next_task(query)))).flatten();
    if let Some(task) = task {
        ctx.asked_scores.set_value(query);
        ctx.send(Command::Calcium { query, task });
    }
}
