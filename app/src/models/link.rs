//! From the button to the labels: manifest, volume, worker, answer.
//!
//! Buffers change hands three times (engine, page, inference worker and back) and are copied once at each end of wasm
//! memory, never here.

use contract::models::{Manifest, Model, Variant};
use js_sys::ArrayBuffer;
use leptos::prelude::*;
use protocol::Command;
use protocol::inference::{Answer, Ask, HandedVolume, Place};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{File, Response};
use wire::Envelope;

use crate::ctx::Ctx;
use crate::models::earlier;
use crate::open::Dropped;
use crate::segmentation;
use crate::state::models::{Choice, Last};
use crate::state::results::Key;

/// The worker's script, as Trunk names the loader of the `inference-worker` binary.
const LOADER: &str = "./inference-worker_loader.js";
const MANIFEST: &str = "/api/models/manifest";

/// Asks the server what it offers; a page without a server has the models that are dropped on it.
pub fn load_manifest(ctx: Ctx) {
    leptos::task::spawn_local(async move {
        let manifest = fetch_manifest().await;
        ctx.models.update(|m| m.manifest = Some(manifest));
    });
}

async fn fetch_manifest() -> Result<Manifest, String> {
    let said = |e: JsValue| wire::item(&e, "message").as_string().unwrap_or_else(|| "no answer".into());
    let response: Response =
        JsFuture::from(window().fetch_with_str(MANIFEST)).await.map_err(said)?.dyn_into().map_err(said)?;
    if !response.ok() {
        return Err(format!("the server answered {}", response.status()));
    }
    let text = JsFuture::from(response.text().map_err(said)?).await.map_err(said)?;
    let manifest: Manifest =
        serde_json::from_str(&text.as_string().unwrap_or_default()).map_err(|e| e.to_string())?;
    manifest.check()?;
    Ok(manifest)
}

/// What a run needs once the engine has handed the volume over.
#[derive(Clone)]
pub struct Pending {
    run: u32,
    choice: Choice,
    variant: Variant,
    file: Option<File>,
    begin: Begin,
}

/// Whether an earlier answer will do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    UnlessKnown,
    Anew,
}

/// Runs a model on the active series.
pub fn begin(ctx: Ctx, choice: &Choice, begin: Begin) {
    let Some((series, time_index)) =
        ctx.workspace.with_untracked(|w| w.active_panel().map(|p| (p.series, p.time_index)))
    else {
        return;
    };
    let wanted = ctx.models.with_untracked(|m| m.precision);
    let variant = choice.model.variant(wanted).or_else(|| choice.model.variant(None));
    let Some(variant) = variant.cloned() else { return };
    let Some(run) = ctx.models.try_update(|m| m.begin(series, &choice.model)).flatten() else {
        ctx.notify("A model is running. Wait for it or cancel it.");
        return;
    };
    let file = choice.file.and_then(|at| ctx.model_files.with_value(|files| files.get(at).cloned()));
    let pending = Pending { run, choice: choice.clone(), variant, file, begin };
    ctx.model_pending.set_value(Some(pending));
    ctx.send(Command::Hand { query: run, series, time_index });
}

/// The engine's volume goes on to the worker.
pub fn handed(ctx: Ctx, query: u32, outcome: Result<HandedVolume, String>, data: &JsValue) {
    let Some(pending) = ctx.model_pending.with_value(Clone::clone).filter(|p| p.run == query) else { return };
    ctx.model_pending.set_value(None);
    let voxels = wire::item(data, "voxels");
    leptos::task::spawn_local(async move {
        let started = match outcome {
            Ok(volume) => start(ctx, pending, volume, &voxels).await,
            Err(why) => Err(why),
        };
        if let Err(why) = started {
            fail(ctx, query, &why);
        }
    });
}

/// Takes the labels of an earlier run, or lets the worker make them.
async fn start(ctx: Ctx, pending: Pending, volume: HandedVolume, voxels: &JsValue) -> Result<(), String> {
    let place = ctx.models.with_untracked(|m| m.place);
    let key = key(&pending, &volume, voxels, place).await;
    // Cancelled while the image was hashed, and perhaps another run begun.
    if ctx.models.with_untracked(|m| m.run.as_ref().is_none_or(|r| r.id != pending.run)) {
        return Ok(());
    }
    if let Some(key) = key {
        let known = ctx.model_results.try_update_value(|r| r.find(&key)).flatten();
        if let Some((outcome, labels)) = known.filter(|_| pending.begin == Begin::UnlessKnown) {
            let Some(run) = ctx.models.try_update(|m| m.finish(pending.run)).flatten() else { return Ok(()) };
            // The engine gets a copy: what is handed over is gone.
            segmentation::adopt(ctx, run.series, run.labels, &outcome, &labels.slice(0));
            let last = Last { series: run.series, outcome, earlier: Some(pending.choice) };
            ctx.models.update(|m| m.last = Some(last));
            return Ok(());
        }
        ctx.model_results.update_value(|r| r.await_answer(pending.run, key));
    }
    post(ctx, pending, volume, voxels, place)
}

/// What an answer depends on; `None` where it cannot be told.
async fn key(pending: &Pending, volume: &HandedVolume, voxels: &JsValue, place: Place) -> Option<Key> {
    // A dropped file need not be the one that the card beside it describes.
    let model_sha256 = match &pending.file {
        Some(file) => earlier::hash_of_file(file).await?,
        None => pending.variant.sha256.clone(),
    };
    let voxels_sha256 = earlier::hash_of(voxels).await?;
    let Pending { choice, variant, .. } = pending;
    Some(Key::new(model_sha256, voxels_sha256, volume, &choice.model, variant.precision, place))
}

fn post(
    ctx: Ctx,
    pending: Pending,
    volume: HandedVolume,
    voxels: &JsValue,
    place: Place,
) -> Result<(), String> {
    let link = worker(ctx)?;
    let budget_bytes = ctx.models.with_untracked(|m| m.budget_bytes());
    let ask = Ask::Segment {
        run: pending.run,
        model: Box::new(pending.choice.model),
        precision: pending.variant.precision,
        volume: Box::new(volume),
        place,
        budget_bytes,
    };
    let mut envelope = Envelope::new(&ask).map_err(|e| e.to_string())?.give("voxels", voxels);
    if let Some(file) = &pending.file {
        envelope = envelope.with("file", file);
    }
    if link.send(envelope) { Ok(()) } else { Err("the browser refused to pass the volume on".into()) }
}

/// The running worker, or a new one.
fn worker(ctx: Ctx) -> Result<wire::page::Link, String> {
    if let Some(link) = ctx.model_link.with_value(Clone::clone) {
        return Ok(link);
    }
    let link = wire::page::Link::start(
        LOADER,
        move |answer, data| take(ctx, answer, &data),
        move |what| {
            // Memory that ran out ends the worker's program; the next run gets a new one.
            end(ctx);
            let run = ctx.models.with_untracked(|m| m.run.as_ref().map(|r| r.id));
            if let Some(run) = run {
                fail(ctx, run, &format!("the worker stopped: {what}. A smaller budget or the CPU may help"));
            }
        },
    )
    .map_err(|e| e.to_string())?;
    ctx.model_link.set_value(Some(link.clone()));
    Ok(link)
}

fn take(ctx: Ctx, answer: Answer, data: &JsValue) {
    match answer {
        Answer::Progress { run, stage, part, seconds_left } => ctx.models.update(|m| {
            if let Some(r) = m.running(run) {
                (r.stage, r.part, r.seconds_left) = (stage, part, seconds_left);
            }
        }),
        Answer::Done { run, outcome } => {
            // Its heap has grown to the size of the run and would stay so.
            end(ctx);
            let Some(run) = ctx.models.try_update(|m| m.finish(run)).flatten() else { return };
            let labels = wire::item(data, "labels");
            if let Some(buffer) = labels.dyn_ref::<ArrayBuffer>() {
                let bytes = u64::from(buffer.byte_length());
                ctx.model_results.update_value(|r| r.keep(run.id, &outcome, bytes, || buffer.slice(0)));
            }
            segmentation::adopt(ctx, run.series, run.labels, &outcome, &labels);
            let last = Last { series: run.series, outcome: *outcome, earlier: None };
            ctx.models.update(|m| m.last = Some(last));
        }
        Answer::Failed { run, message } => {
            end(ctx);
            fail(ctx, run, &message);
        }
    }
}

fn fail(ctx: Ctx, run: u32, why: &str) {
    ctx.models.update(|m| {
        if m.finish(run).is_some() {
            m.failure = Some(why.to_owned());
        }
    });
}

/// Ends the run under way, in the middle of whatever it does.
pub fn cancel(ctx: Ctx) {
    end(ctx);
    ctx.model_pending.set_value(None);
    ctx.models.update(|m| m.run = None);
}

fn end(ctx: Ctx) {
    ctx.model_link.with_value(|link| {
        if let Some(link) = link {
            link.end();
        }
    });
    ctx.model_link.set_value(None);
}

/// Takes the models out of what was dropped, each with the card that lies beside it, if one does; the rest is
/// given back.
pub fn take_dropped(ctx: Ctx, dropped: Vec<Dropped>) -> Vec<Dropped> {
    let is_model = |d: &Dropped| d.path.to_ascii_lowercase().ends_with(".onnx");
    let (models, rest): (Vec<_>, Vec<_>) = dropped.into_iter().partition(is_model);
    if models.is_empty() {
        return rest;
    }
    let (cards, rest): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|d| d.path.ends_with(contract::models::CARD_FILE));
    leptos::task::spawn_local(async move {
        let mut known = Vec::new();
        for card in cards {
            let text =
                JsFuture::from(card.file.text()).await.ok().and_then(|t| t.as_string()).unwrap_or_default();
            match serde_json::from_str::<Model>(&text)
                .map_err(|e| e.to_string())
                .and_then(|m| m.check().map(|()| m))
            {
                Ok(model) => known.push(model),
                Err(why) => ctx.notify(format!("The model's card was not taken: {why}.")),
            }
        }
        for model in models {
            let name = model.path.rsplit('/').next().unwrap_or_default().to_owned();
            let described = known
                .iter()
                .find(|m| m.variants.iter().any(|v| v.file == name))
                .cloned()
                .unwrap_or_else(|| Model::bare(&name, model.file.size() as u64));
            let at = ctx.model_files.try_update_value(|files| {
                files.push(model.file.clone());
                files.len() - 1
            });
            if let Some(at) = at {
                ctx.models.update(|m| m.dropped.insert(0, (described, at)));
            }
        }
        ctx.inspector_open.set(true);
        ctx.notify("The model is in the list below Segmentation. Open a series and press Run.");
    });
    rest
}
