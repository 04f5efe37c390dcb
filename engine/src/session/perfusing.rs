//! Perfusion maps: computed a few milliseconds at a time, after everything that somebody waits for.
//!
//! One study is kept with all its stages. A newer question takes the place of an older one at once, and what both need
//! is not computed again; the maps that are on the screen stay there until newer ones are complete.

use std::ops::Range;

use contract::perfusion::View;
use gpu_kernels::Labels;
use perfusion::{Analysis, Input, Motion, Report, Stage, Timings};
use protocol::perfusion::{Curve, Format, Map, Place, Task};
use protocol::{Backend, Event, Panel, SeriesId};
use scene::{DVec3, Viewport};

use super::{Session, TELL_MS};
use crate::canvas::Canvas;
use crate::perfusion::{self as flow, Projection};
use crate::{answer, link};

/// A study and what is known of it.
struct Study {
    series: SeriesId,
    /// Of the volume that it was computed of.
    epoch: u32,
    analysis: Analysis,
    projection: Projection,
    running: Option<Running>,
    /// The session that was asked for, while a quicker one is computed first.
    then: Option<contract::perfusion::Session>,
    /// Where the newest maps were deconvolved, as reports write it.
    backend: String,
    /// Why the GPU did not do it.
    failure: Option<String>,
    /// Of the maps on the screen.
    report: Option<Report>,
    /// Slices that are ahead of these maps.
    ahead: Option<Range<u32>>,
}

/// The question under way.
struct Running {
    query: u32,
    began_ms: f64,
    told_ms: f64,
    timings: Timings,
}

/// What is kept between two messages.
#[derive(Default)]
pub struct Flow {
    wanted: Option<(u32, Task)>,
    study: Option<Study>,
}

impl Flow {
    /// Forgets a study whose series is not among these: it is gone, or has got more slices.
    pub fn keep(&mut self, same: &[SeriesId]) {
        self.study = self.study.take().filter(|s| same.contains(&s.series));
    }

    /// Forgets everything.
    pub fn forget(&mut self) {
        *self = Self::default();
    }
}

const GONE: &str = "The series is not loaded any more. Open it again.";
const NOTHING: &str = "No maps have been computed of this series yet.";

impl Session {
    /// Takes up a question; the newest one is answered.
    pub(super) fn ask_maps(&mut self, query: u32, task: Task) {
        self.flow.wanted = Some((query, task));
    }

    /// Leaves off; the maps that there are stay.
    pub(super) fn cancel_maps(&mut self, series: SeriesId) {
        self.flow.wanted = self.flow.wanted.take().filter(|(_, task)| task.series != series);
        if let Some(mut study) = self.flow.study.take() {
            if study.series == series {
                study.running = None;
                self.take_preview_back(&mut study);
            }
            self.flow.study = Some(study);
        }
    }

    /// One step of the newest question. False: there is nothing to compute.
    pub(super) async fn flow_step(&mut self) -> bool {
        if let Some((query, task)) = self.flow.wanted.take() {
            self.begin_maps(query, task);
            return true;
        }
        let Some(mut study) = self.flow.study.take() else { return false };
        let Some(mut running) = study.running.take() else {
            self.flow.study = Some(study);
            return false;
        };
        let series = study.series;
        match self.advance(&mut study, &mut running).await {
            Ok(true) => {
                self.show_preview(&mut study, running.query);
                study.running = Some(running);
            }
            Ok(false) => {
                let mut outcome = self.finish_maps(&mut study, &running);
                let then = study.then.take();
                if let (Ok(findings), true) = (&mut outcome, then.is_some()) {
                    findings.provisional = true;
                }
                let failed = outcome.is_err();
                link::send(&Event::Perfusion { query: running.query, series, outcome });
                if let Some(session) = then.filter(|_| !failed) {
                    study.analysis.set(session);
                    study.running = Some(running);
                }
            }
            Err(message) => {
                study.then = None;
                self.take_preview_back(&mut study);
                link::send(&Event::Perfusion { query: running.query, series, outcome: Err(message) });
            }
        }
        self.flow.study = Some(study);
        true
    }

    fn begin_maps(&mut self, query: u32, task: Task) {
        let refuse = |message: String| {
            link::send(&Event::Perfusion { query, series: task.series, outcome: Err(message) });
        };
        let Some(loaded) = self.find(task.series) else { return refuse(GONE.into()) };
        if !loaded.complete() {
            return refuse(format!(
                "{} of {} slices have arrived. The maps follow when all have.",
                loaded.done, loaded.total
            ));
        }
        let epoch = loaded.epoch;
        let known = self.flow.study.take().filter(|s| (s.series, s.epoch) == (task.series, epoch));
        let mut study = match known {
            Some(mut study) => {
                // The same question again is meant as one: everything is computed anew.
                if *study.analysis.session() == task.session
                    && study.running.is_none()
                    && study.then.is_none()
                {
                    study.analysis.drop_from(Stage::Check);
                }
                study.then = None;
                study.failure = None;
                study.analysis.set(task.session);
                study
            }
            // Motion that is only estimated moves no voxel: the maps need not wait for it.
            None => Study {
                then: (task.session.motion == Motion::Estimate).then(|| task.session.clone()),
                series: task.series,
                epoch,
                analysis: Analysis::new(match task.session.motion {
                    Motion::Estimate => perfusion::Session { motion: Motion::Off, ..task.session },
                    _ => task.session,
                }),
                projection: Projection::new(),
                running: None,
                backend: "cpu".into(),
                failure: None,
                report: None,
                ahead: None,
            },
        };
        if let Some(voxels) = self.voxels_on_screen(task.series) {
            study.analysis.look_at(voxels);
        }
        let now = link::now_ms();
        study.running = Some(Running { query, began_ms: now, told_ms: now, timings: Timings::default() });
        self.flow.study = Some(study);
    }

    /// One unit of work; whether there is more.
    async fn advance(&mut self, study: &mut Study, running: &mut Running) -> Result<bool, String> {
        let index = self.index_of(study.series).ok_or(GONE)?;
        let series = self.catalog.as_ref().and_then(|c| c.series.get(index)).ok_or(GONE)?;
        let loaded =
            self.loaded.iter().find(|l| l.series == study.series && l.epoch == study.epoch).ok_or(GONE)?;
        let volume = loaded.volume();
        let warnings: Vec<String> = series.warnings.iter().chain(loaded.warnings()).cloned().collect();
        let input = Input::new(series, volume, &warnings);
        let before = link::now_ms();
        let (stage, done) = if study.analysis.checked().is_some() && !study.projection.done(volume) {
            let darkens = study.analysis.checked().is_some_and(|c| c.kind == perfusion::Kind::Dsc);
            study.projection.step(volume, darkens);
            (Stage::Check, 0.5)
        } else {
            // The twin is faster than a GPU that a processor plays; asked for by name it is used all the same.
            let gpu = match &mut self.canvas {
                Some(Canvas::Gpu(canvas))
                    if canvas.gpu.can_compute()
                        && study.failure.is_none()
                        && (!canvas.gpu.is_software() || self.force == Some(Backend::WebGpu)) =>
                {
                    Some(canvas)
                }
                _ => None,
            };
            let stage = study.analysis.stage();
            let on_gpu = match gpu {
                Some(canvas) if matches!(stage, Stage::Curves | Stage::Maps) => {
                    Some(canvas.mapping.step(&canvas.gpu, &mut study.analysis, &input).await)
                }
                _ => None,
            };
            let progress = match on_gpu {
                Some(Ok((progress, backend))) => {
                    study.backend = backend;
                    progress
                }
                Some(Err(error)) if error.cpu_can_compute() => {
                    study.failure = Some(error.to_string());
                    // What it found so far is not mixed with what the CPU finds.
                    study.analysis.drop_from(stage);
                    return Ok(true);
                }
                Some(Err(error)) => return Err(error.to_string()),
                None => {
                    if study.analysis.stage() == Stage::Maps {
                        study.backend = "cpu".into();
                    }
                    study.analysis.step(&input).map_err(|e| e.to_string())?
                }
            };
            (progress.stage, progress.done as f64 / progress.total.max(1) as f64)
        };
        let now = link::now_ms();
        running.timings.add(stage, now - before);
        if now - running.told_ms > TELL_MS {
            running.told_ms = now;
            let (query, series, step) = (running.query, study.series, flow::step_of(stage));
            link::send(&Event::PerfusionProgress { query, series, step, done });
        }
        Ok(study.analysis.stage() != Stage::Done || !study.projection.done(volume))
    }

    /// The voxels of the slices that the first panel of a study shows.
    fn voxels_on_screen(&self, series: SeriesId) -> Option<Range<u32>> {
        let grid = &self.find(series)?.volume().grid;
        let of_study = |p: &&Panel| self.find(p.series).is_some_and(|l| l.root() == series);
        let panel = self.scene.panels.iter().find(of_study)?;
        let viewport = Viewport { width_px: panel.width_px, height_px: panel.height_px };
        let slices = panel.view.slices_met(grid, viewport);
        let [columns, rows, _] = grid.dims();
        Some(slices.start * columns * rows..slices.end * columns * rows)
    }

    /// Shows the slices on the screen as soon as they are there, where maps by another artery or method already are.
    fn show_preview(&mut self, study: &mut Study, query: u32) {
        let series = study.series;
        let (Some(maps), Some(loaded)) = (study.analysis.take_preview(), self.find(series)) else { return };
        let (Some(checked), Some(vessels)) = (study.analysis.checked(), study.analysis.vessels()) else {
            return;
        };
        let [columns, rows, _] = loaded.volume().grid.dims();
        let aif = flow::vessel(&vessels.aif, &checked.timeline.times_s, loaded.volume());
        let (Some(first), Some(last)) = (maps.voxels.first(), maps.voxels.last()) else { return };
        let slices = first / (columns * rows)..last / (columns * rows) + 1;
        let mut shown = false;
        for (what, map) in flow::MAPS {
            if let Some(at) = self.derived_of(series, what) {
                self.put_slices(at, slices.clone(), flow::values(&maps, map));
                shown = true;
            }
        }
        if shown {
            let ahead = study.ahead.get_or_insert(slices.clone());
            *ahead = ahead.start.min(slices.start)..ahead.end.max(slices.end);
            link::send(&Event::PerfusionPreview { query, series, aif });
        }
    }

    /// All slices show the last complete maps again.
    fn take_preview_back(&mut self, study: &mut Study) {
        let Some(slices) = study.ahead.take() else { return };
        let (Some(maps), Some(loaded)) = (study.analysis.maps(), self.find(study.series)) else { return };
        let volume = loaded.volume();
        let [columns, rows, _] = volume.grid.dims();
        let voxels = slices.start * columns * rows..slices.end * columns * rows;
        let dims = volume.grid.dims();
        let tissue = study.report.as_ref().map(|r| flow::tissue_labels(maps, &r.session, volume));
        for (what, map) in flow::MAPS {
            let Some(at) = self.derived_of(study.series, what) else { continue };
            self.put_slices(at, slices.clone(), flow::values(maps, map).filter(|(v, _)| voxels.contains(v)));
            if let Some(Ok(marks)) = tissue.as_ref().map(|bytes| labels(dims, bytes)) {
                self.loaded[at].marks = marks;
            }
        }
    }

    /// Hands out what was computed.
    fn finish_maps(
        &mut self,
        study: &mut Study,
        running: &Running,
    ) -> Result<protocol::perfusion::Findings, String> {
        let index = self.index_of(study.series).ok_or(GONE)?;
        let series = self.catalog.as_ref().and_then(|c| c.series.get(index)).ok_or(GONE)?;
        let loaded = self.find(study.series).ok_or(GONE)?;
        let volume = loaded.volume();
        let warnings: Vec<String> = series.warnings.iter().chain(loaded.warnings()).cloned().collect();
        let input = Input::new(series, volume, &warnings);
        let mut report = Report::new(&study.analysis, &input).map_err(|e| e.to_string())?;
        report.backend.clone_from(&study.backend);
        report.warnings.extend(study.failure.iter().map(|why| format!("Computed on the CPU: {why}.")));
        let dims = volume.grid.dims();
        let mut made = flow::volumes(study.series, volume, &study.analysis);
        // Another mask needs other labels, and these pictures are made in a moment.
        made.extend(flow::pictures(study.series, volume, &study.analysis, &study.projection));
        let mut findings = flow::findings(&report, &study.analysis, volume);
        let maps = study.analysis.maps();
        let tissue = maps.map(|maps| flow::tissue_labels(maps, study.analysis.session(), volume));
        study.ahead = None;
        let mask = flow::mask_labels(&study.analysis, volume);
        let vessels = flow::vessel_labels(&report, volume);
        for computed in made {
            let what = computed.what;
            let id = self.derive(computed);
            findings.maps.push((what, id));
            let bytes = match what {
                Map::Baseline => &mask,
                Map::Tmip => &vessels,
                _ => &tissue,
            };
            if let (Some(at), Some(bytes)) = (self.derived_of(study.series, what), bytes) {
                self.loaded[at].marks = labels(dims, bytes)?;
            }
        }
        self.stale = true;
        report.timings_ms = running.timings;
        report.timings_ms.total = link::now_ms() - running.began_ms;
        findings.ms = report.timings_ms.total;
        findings.stages_ms = flow::stages(&report);
        study.report = Some(report);
        Ok(findings)
    }

    /// Curves of the newest maps.
    pub(super) fn flow_curves(&self, series: SeriesId, places: &[Place]) -> Vec<Curve> {
        let Some(study) = self.flow.study.as_ref().filter(|s| s.series == series) else {
            return vec![Curve::default(); places.len()];
        };
        places.iter().map(|place| self.curve(study, place)).collect()
    }

    fn curve(&self, study: &Study, place: &Place) -> Curve {
        let (Some(loaded), Some(prepared)) = (self.find(study.series), study.analysis.prepared()) else {
            return Curve::default();
        };
        let grid = &loaded.volume().grid;
        let [columns, rows, _] = grid.dims();
        let index = |[x, y, z]: [u32; 3]| (z * rows + y) * columns + x;
        let voxels: Vec<[u32; 3]> = match place {
            Place::Point(at) => grid.voxel_at(DVec3::from(*at)).into_iter().collect(),
            Place::Region(roi) => answer::roi_voxels(grid, roi),
        };
        let positions: Vec<usize> = voxels.iter().filter_map(|v| prepared.curves.find(index(*v))).collect();
        if positions.is_empty() {
            return Curve::default();
        }
        let mean = |map: Map| {
            let volume = self.loaded[self.derived_of(study.series, map)?].volume();
            let values = voxels.iter().filter_map(|v| volume.value(*v, 0)).filter(|v| v.is_finite());
            let (n, sum) = values.fold((0u32, 0.0), |(n, sum), v| (n + 1, sum + v));
            (n > 0).then(|| (map, sum / f64::from(n)))
        };
        let sides = match (place, &study.report) {
            (Place::Region(_), Some(report)) => {
                let region: Vec<u32> = voxels.iter().copied().map(index).collect();
                flow::sides(report, &study.analysis, &region, loaded.volume())
            }
            _ => Vec::new(),
        };
        Curve {
            values: prepared.curves.mean(&positions),
            maps: Map::ALL.into_iter().filter_map(mean).collect(),
            sides,
        }
    }

    /// A file of the newest maps.
    pub(super) fn export_maps(
        &self,
        query: u32,
        series: SeriesId,
        format: Format,
        identification: &[String],
        places: &[(String, Place)],
        view: View,
    ) {
        match self.flow_file(series, format, identification, places, view) {
            Ok((name, mime, bytes)) => {
                link::send(&Event::File { query, name, mime: mime.into(), bytes });
            }
            Err(message) => link::problem(&message),
        }
    }

    fn flow_file(
        &self,
        series: SeriesId,
        format: Format,
        identification: &[String],
        places: &[(String, Place)],
        view: View,
    ) -> Result<(String, &'static str, Vec<u8>), String> {
        let study = self.flow.study.as_ref().filter(|s| s.series == series).ok_or(NOTHING)?;
        let report = study.report.as_ref().ok_or(NOTHING)?;
        match format {
            Format::Json => {
                let report = Report { view: Some(view), ..report.clone() };
                let json = serde_json::to_vec_pretty(&report).map_err(|e| e.to_string())?;
                Ok(("perfusion.json".into(), "application/json", json))
            }
            Format::Csv => {
                let named: Vec<(String, Vec<f64>)> = places
                    .iter()
                    .map(|(name, place)| (name.clone(), self.curve(study, place).values))
                    .filter(|(_, values)| !values.is_empty())
                    .collect();
                Ok(("perfusion-curves.csv".into(), "text/csv", report.curves_csv(&named).into_bytes()))
            }
            Format::Pdf => {
                let loaded = self.find(series).ok_or(GONE)?;
                let maps = study.analysis.maps().map(|maps| (maps, loaded.volume()));
                let report = Report { view: Some(view), ..report.clone() };
                Ok(("perfusion.pdf".into(), "application/pdf", report.pdf(identification, maps)))
            }
            Format::Nifti(map) => {
                let at = self.derived_of(series, map).ok_or(NOTHING)?;
                let maps = study.analysis.maps().ok_or(NOTHING)?;
                let bytes = flow::nifti(map, maps, self.loaded[at].volume(), report)?;
                Ok((format!("{}.nii.gz", map.slug()), "application/gzip", bytes))
            }
        }
    }
}

/// One label per voxel; slices without any cost nothing.
fn labels(dims: [u32; 3], bytes: &[u8]) -> Result<Option<Labels>, String> {
    let area = dims[0] as usize * dims[1] as usize;
    let mut labels = Labels::new(dims);
    for (z, slice) in bytes.chunks_exact(area).enumerate() {
        if slice.iter().any(|label| *label != 0) {
            labels.replace(z as u32, slice.into()).map_err(|e| e.to_string())?;
        }
    }
    Ok(Some(labels))
}
