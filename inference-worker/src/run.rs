//! One question, one answer: a label map of the volume that came with it.
//!
//! The page ends this worker to cancel a run and after every answer, so nothing here has to be tidied up and a run
//! need not let messages in.

use std::cell::Cell;
use std::ops::ControlFlow;
use std::sync::Arc;

use contract::models::{ASSUMED, Model};
use imaging::Volume;
use inference::exec::{Exec, HostOnly, Session};
use inference::gpu::{Gpu, GpuExec};
use inference::graph::Graph;
use protocol::inference::{Answer, Ask, Outcome, Place, Stage};
use segmentation::run::{self, Segmented};
use wasm_bindgen::{JsCast, JsValue};
use web_sys::Blob;
use wire::worker;

use crate::{fetch, volume};

/// Between two progress messages.
const TELL_MS: f64 = 100.0;

/// Listens to the page.
pub fn listen() {
    worker::listen(|data| {
        wasm_bindgen_futures::spawn_local(async move {
            match wire::message_of::<Ask>(&data) {
                Ok(ask) => answer(ask, &data).await,
                Err(error) => {
                    let message = format!(
                        "the page sent something this worker does not know: {error}. Reload the page"
                    );
                    worker::send(&Answer::Failed { run: 0, message });
                }
            }
        });
    });
}

async fn answer(ask: Ask, data: &JsValue) {
    let Ask::Segment { run, .. } = &ask;
    let run = *run;
    match segment(ask, data).await {
        Ok((outcome, labels)) => {
            worker::send_bytes(&Answer::Done { run, outcome: Box::new(outcome) }, "labels", &labels);
        }
        Err(message) => worker::send(&Answer::Failed { run, message }),
    }
}

/// Tells the page how far a run is, and keeps what each stage took.
struct Clock {
    run: u32,
    stage: Cell<Option<(Stage, f64)>>,
    told_ms: Cell<f64>,
    timings_ms: Cell<Vec<(Stage, f64)>>,
}

impl Clock {
    fn new(run: u32) -> Self {
        Self {
            run,
            stage: Cell::new(None),
            told_ms: Cell::new(f64::NEG_INFINITY),
            timings_ms: Cell::default(),
        }
    }

    fn tell(&self, stage: Stage, part: f64) {
        let now = worker::now_ms();
        let began = match self.stage.get() {
            Some((at, began)) if at == stage => began,
            before => {
                self.close(before, now);
                self.stage.set(Some((stage, now)));
                self.told_ms.set(f64::NEG_INFINITY);
                now
            }
        };
        if now - self.told_ms.get() >= TELL_MS {
            self.told_ms.set(now);
            // The first operators of a network are not like the rest: no promise before a tenth is done.
            let seconds_left = (part > 0.1).then(|| (now - began) * (1.0 - part) / part * 1e-3);
            worker::send(&Answer::Progress { run: self.run, stage, part, seconds_left });
        }
    }

    fn close(&self, stage: Option<(Stage, f64)>, now: f64) {
        if let Some((stage, began)) = stage {
            let mut timings = self.timings_ms.take();
            timings.push((stage, now - began));
            self.timings_ms.set(timings);
        }
    }

    fn timings_ms(&self) -> Vec<(Stage, f64)> {
        self.close(self.stage.take(), worker::now_ms());
        self.timings_ms.take()
    }
}

async fn segment(ask: Ask, data: &JsValue) -> Result<(Outcome, Vec<u8>), String> {
    let Ask::Segment { run, mut model, precision, volume, place, budget_bytes } = ask;
    let clock = Clock::new(run);
    let bytes = wire::bytes_of(data, "voxels").ok_or("no voxels came with the question. Reload the page")?;
    let volume = volume::received(*volume, &bytes)?;
    drop(bytes);
    clock.tell(Stage::Fetch, 0.0);
    let file: Option<Blob> = wire::item(data, "file").dyn_into().ok();
    let bytes = fetch::model(&model, precision, file.as_ref(), &|part| clock.tell(Stage::Fetch, part))
        .await
        .map_err(|e| e.to_string())?;
    clock.tell(Stage::Plan, 0.0);
    let model_sha256 = fetch::sha256(&bytes);
    let graph = run::load(&bytes).map_err(|e| e.to_string())?;
    drop(bytes);
    run::complete(&mut model, &graph, &volume).map_err(|e| e.to_string())?;
    let mut outcome = Outcome {
        model: format!("{} {}, {}", model.title, model.version, precision.name()),
        model_sha256,
        ..Outcome::default()
    };
    if model.is_bare() {
        outcome.warnings.push(ASSUMED.to_owned());
    }
    let done = on_gpu(&graph, place, budget_bytes, &volume, &model, &clock, &mut outcome.warnings).await?;
    let Segmented { voxels, report } = match done {
        Some(done) => done,
        None => labelled(&graph, HostOnly, budget_bytes, &volume, &model, &clock)
            .await
            .map_err(|e| e.to_string())?,
    };
    outcome.backend = report.backend;
    outcome.remark = report.remark;
    outcome.nodes_on_gpu = report.on_device as u32;
    outcome.nodes = (report.on_device + report.on_host) as u32;
    outcome.peak_bytes = report.peak_bytes;
    outcome.timings_ms = clock.timings_ms();
    Ok((outcome, voxels))
}

/// The labels by a GPU; `None` where the CPU is to make them. A device that is lost in the middle of a run, as when
/// its driver starts anew, is asked for once more; one that is lost twice is not trusted.
async fn on_gpu(
    graph: &Arc<Graph>,
    place: Place,
    budget_bytes: u64,
    volume: &Volume,
    model: &Model,
    clock: &Clock,
    warnings: &mut Vec<String>,
) -> Result<Option<Segmented>, String> {
    if place == Place::Cpu {
        return Ok(None);
    }
    let mut lost = false;
    while let Some(exec) = device(place, warnings).await? {
        match labelled(graph, exec, budget_bytes, volume, model, clock).await {
            Ok(done) => return Ok(Some(done)),
            Err(error) if error.device_failed() && !lost => {
                lost = true;
                warnings.push(format!("The run began again on a new graphics device: {error}."));
            }
            // Asked for by name it is no use to be told another's numbers.
            Err(error) if error.device_failed() && place == Place::Auto => {
                warnings.push(format!("Computed on the CPU: {error}."));
                return Ok(None);
            }
            Err(error) => return Err(error.to_string()),
        }
    }
    Ok(None)
}

async fn labelled<E: Exec>(
    graph: &Arc<Graph>,
    exec: E,
    budget_bytes: u64,
    volume: &Volume,
    model: &Model,
    clock: &Clock,
) -> Result<Segmented, run::SegmentError> {
    let mut session = Session::new(Arc::clone(graph), exec, budget_bytes);
    run::segment(&mut session, volume, 0, model, |stage| {
        match stage {
            run::Stage::Prepare => clock.tell(Stage::Prepare, 0.0),
            run::Stage::Run(part) => clock.tell(Stage::Run, part),
            run::Stage::Restore => clock.tell(Stage::Restore, 0.0),
        }
        ControlFlow::Continue(())
    })
    .await
}

/// A GPU, if one is to be used: one that a processor plays is slower than the CPU's own code.
async fn device(place: Place, warnings: &mut Vec<String>) -> Result<Option<GpuExec>, String> {
    match Gpu::request().await {
        Ok(gpu) if place == Place::Gpu || !gpu.is_software() => {
            Ok(Some(GpuExec::probed(gpu, false).await.in_halves()))
        }
        Ok(_) => Ok(None),
        Err(error) if place == Place::Gpu => Err(error.to_string()),
        // What the adapters of other systems are called is no news to a reader of the page.
        Err(_) => {
            warnings.push("Computed on the CPU: this browser offers no GPU to compute on.".into());
            Ok(None)
        }
    }
}
