//! Calcium scores of a loaded series, from what the reader decided: on the GPU that draws, or on the CPU.
//!
//! The candidates are collected once and kept, so that a moving slider and every click touch only them; what
//! the page is told are sums and lesions, and what the picture is told is one label for each voxel of an
//! assigned lesion.

use calcium::gpu::{self, GpuCandidates, Scorer};
use calcium::{Candidates, Effort, Eraser, Input, Owned, Reading, Report, Request, Settings};
use contract::calcium::{Edit, Region, Session, Vessel};
use gpu_kernels::{Gpu, GpuVolume, Labels, LabelsError};
use imaging::{Series, Volume};
use protocol::SeriesId;
use protocol::calcium::{Band, Format, Lesion, Offer, Suggestion, Sums, Table, Task};

/// Lesions that the page is told of one by one.
const LISTED: usize = 400;
/// Below this, soft tissue is among the candidates; they are collected anew only when a slider goes there.
const USUAL_FLOOR_HU: f64 = 100.0;
/// Label of voxels that were rubbed out, hidden by the page's palette.
pub const ERASED: u8 = 15;

/// Whether calcium can be scored on a series, and where to start. `complete`: every slice has arrived.
pub fn offer(series: &Series, volume: &Volume, complete: bool) -> Offer {
    let input = Input::new(series, volume, &[]);
    if let Err(refusal) = calcium::admit(&input) {
        return Offer::Refused(refusal.to_string());
    }
    let suggestion = Suggestion {
        region: complete.then(|| calcium::heart_region(volume)),
        standard_threshold_hu: calcium::standard_threshold_hu(&input),
        conventions: calcium::CONVENTIONS.map(|c| (c.name.to_owned(), c.source.to_owned())).to_vec(),
    };
    if calcium::made_for_it(&input, &series.description) {
        Offer::Likely(suggestion)
    } else {
        Offer::Possible(suggestion)
    }
}

/// Candidates of one series, and those within the region and without what was erased. On the CPU and on a GPU
/// alike: `C` is where they are.
pub struct Kept<C> {
    all: C,
    trimmed: Option<Trimmed<C>>,
}

struct Trimmed<C> {
    region: Option<Region>,
    erased: Vec<Edit>,
    candidates: C,
}

impl<C> Kept<C> {
    /// As they were collected.
    pub fn all(&self) -> &C {
        &self.all
    }

    /// What is scored.
    pub fn scored(&self) -> &C {
        self.trimmed.as_ref().map_or(&self.all, |t| &t.candidates)
    }

    fn is_trimmed_for(&self, region: Option<Region>, erased: &[Edit]) -> bool {
        self.trimmed.as_ref().is_some_and(|t| t.region == region && t.erased == erased)
    }
}

/// From where candidates are collected for a threshold; one below the lowest is refused when it is validated.
fn floor_hu(threshold_hu: f64) -> f64 {
    if threshold_hu < USUAL_FLOOR_HU { calcium::LOWEST_THRESHOLD_HU } else { USUAL_FLOOR_HU }
}

fn erased(session: &Session) -> Vec<Edit> {
    session.edits.iter().filter(|e| matches!(e, Edit::Erase { .. })).cloned().collect()
}

/// What a task asks for, and the threshold that it comes to.
fn asked(input: &Input, task: &Task) -> Result<(Request, f64), calcium::Error> {
    let request = Request::of(&task.session)?;
    let threshold_hu = Settings::resolve(&request, calcium::kvp(input.acquisition)).threshold_hu;
    Ok((request, threshold_hu))
}

fn reading(task: &Task) -> Reading<'_> {
    let effort = if task.quick { Effort::Quick } else { Effort::Full };
    Reading { effort, ..Reading::of(&task.session) }
}

/// A report with the components it came from, timed from `began` on; the candidates were there at `collected`.
fn timed(
    (mut report, owned): (Report, Owned),
    [began, collected]: [f64; 2],
    now_ms: &dyn Fn() -> f64,
) -> (Report, Owned) {
    report.timings_ms.candidates = collected - began;
    report.timings_ms.total = now_ms() - began;
    (report, owned)
}

/// The report of a task, on the CPU, with the components it came from.
pub fn report(
    kept: &mut Option<Kept<Candidates>>,
    input: &Input,
    task: &Task,
    now_ms: &dyn Fn() -> f64,
) -> Result<(Report, Owned), calcium::Error> {
    let (request, threshold_hu) = asked(input, task)?;
    let began = now_ms();
    let mut ready = match kept.take().filter(|k| k.all.floor_hu <= threshold_hu) {
        Some(ready) => ready,
        None => Kept { all: calcium::collect(input, floor_hu(threshold_hu), None)?, trimmed: None },
    };
    let (region, erased) = (task.session.region, erased(&task.session));
    if !ready.is_trimmed_for(region, &erased) {
        let fewer = ready.all.trimmed(&input.volume.grid, region, &erased);
        ready.trimmed = fewer.map(|candidates| Trimmed { region, erased, candidates });
    }
    let ready = kept.insert(ready);
    let collected = now_ms();
    let scored = calcium::rescore_owned(input, ready.scored(), &request, &reading(task), now_ms)?;
    Ok(timed(scored, [began, collected], now_ms))
}

/// Scoring on one device. Lost with it.
#[derive(Default)]
pub struct GpuScoring {
    /// Compiled and checked against the twins at the first score; an error once is an error for this device.
    scorer: Option<Result<Scorer, gpu::Error>>,
    kept: Option<(SeriesId, Kept<GpuCandidates>)>,
}

impl GpuScoring {
    /// Forgets candidates of a series that is not among these: it is gone, or has got more slices.
    pub fn keep(&mut self, same: &[SeriesId]) {
        self.kept = self.kept.take().filter(|(series, _)| same.contains(series));
    }

    /// As [`report`]; `volume` is the texture that is drawn from.
    pub async fn report(
        &mut self,
        device: &Gpu,
        volume: &GpuVolume,
        input: &Input<'_>,
        task: &Task,
        now_ms: &dyn Fn() -> f64,
    ) -> Result<(Report, Owned), gpu::Error> {
        let (request, threshold_hu) = asked(input, task)?;
        let began = now_ms();
        if self.scorer.is_none() {
            let checked = gpu::self_check(device).await;
            self.scorer = Some(match checked {
                Ok(()) => Scorer::new(device).await,
                Err(error) => Err(error),
            });
        }
        let scorer = match &mut self.scorer {
            Some(Ok(scorer)) => scorer,
            Some(Err(error)) => return Err(error.clone()),
            None => return Err(calcium::Error::Threshold(threshold_hu).into()),
        };
        let usable = |(series, k): &(SeriesId, Kept<GpuCandidates>)| {
            *series == task.series && k.all.host().floor_hu <= threshold_hu
        };
        let mut ready = match self.kept.take().filter(usable) {
            Some((_, ready)) => ready,
            None => {
                let floor_hu = floor_hu(threshold_hu);
                let all = scorer.collect(device, input, volume, floor_hu, None).await?;
                Kept { all, trimmed: None }
            }
        };
        let (region, erased) = (task.session.region, erased(&task.session));
        if !ready.is_trimmed_for(region, &erased) {
            let fewer = scorer.trimmed(device, &ready.all, &input.volume.grid, region, &erased).await?;
            ready.trimmed = fewer.map(|candidates| Trimmed { region, erased, candidates });
        }
        let (_, ready) = self.kept.insert((task.series, ready));
        let collected = now_ms();
        let reading = reading(task);
        let scored = scorer.rescore_owned(device, input, ready.scored(), &request, &reading, now_ms).await?;
        Ok(timed(scored, [began, collected], now_ms))
    }

    /// All candidates of the last report.
    pub fn candidates(&self) -> Option<&Candidates> {
        self.kept.as_ref().map(|(_, k)| k.all().host())
    }
}

/// Marks every assigned lesion with the label of its vessel, and what was rubbed out of all candidates as hidden.
pub fn mark(
    labels: &mut Labels,
    all: &Candidates,
    owned: &Owned,
    eraser: &Eraser,
) -> Result<(), LabelsError> {
    let [columns, rows, slices] = all.dims;
    let before = owned.labelled.offsets();
    for z in 0..slices {
        let mut slice: Option<Box<[u8]>> = None;
        let mut fill = |start: u32, len: u32, label: u8| {
            let area = columns as usize * rows as usize;
            let slice = slice.get_or_insert_with(|| vec![0; area].into_boxed_slice());
            if let Some(voxels) = slice.get_mut(start as usize..(start + len) as usize) {
                voxels.fill(label);
            }
        };
        if !eraser.is_empty() {
            for i in all.slices[z as usize].runs.iter().flat_map(|run| run.start..run.start + run.len) {
                if eraser.covers([i % columns, i / columns, z]) {
                    fill(i, 1, ERASED);
                }
            }
        }
        for p in &owned.labelled.slices[z as usize].pieces {
            if let Some(vessel) = owned.vessels[(before[z as usize] + p.component) as usize] {
                fill(p.y * columns + p.x0, p.x1 - p.x0, vessel.label());
            }
        }
        match slice {
            Some(slice) => labels.replace(z, slice)?,
            None => labels.clear(z),
        }
    }
    Ok(())
}

fn sums(s: &calcium::Sums) -> Sums {
    Sums { lesions: s.lesions, agatston: s.agatston, volume_mm3: s.volume_mm3, mass_mg: s.mass_mg }
}

/// What the page shows of a report.
pub fn table(report: &Report, volume: &Volume, quick: bool) -> Table {
    let mut unassigned = Sums::default();
    for c in report.components.iter().filter(|c| c.vessel.is_none()) {
        unassigned.agatston += c.agatston;
        unassigned.volume_mm3 += c.volume_mm3;
        if let Some(mass) = c.mass_mg {
            unassigned.mass_mg = Some(unassigned.mass_mg.unwrap_or(0.0) + mass);
        }
    }
    unassigned.lesions = report.lesions.iter().filter(|l| l.vessel.is_none()).count() as u32;
    let mut order: Vec<&calcium::Lesion> = report.lesions.iter().collect();
    // What the reader gave to a vessel is always among those that are listed.
    order.sort_by(|a, b| {
        let rank = |l: &calcium::Lesion| (l.vessel.is_none(), -l.sums.agatston);
        rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal).then(a.id.cmp(&b.id))
    });
    let world = |v: [f64; 3]| volume.grid.world_from_voxel().transform_point3(v.into()).to_array();
    let lesion = |l: &&calcium::Lesion| Lesion {
        id: l.id,
        vessel: l.vessel,
        agatston: l.sums.agatston,
        volume_mm3: l.sums.volume_mm3,
        peak_hu: l.peak_hu,
        slices: l.slices,
        centre_mm: world(l.centroid),
        on_mm: world(l.voxel.map(f64::from)),
    };
    let vessel = |v: Vessel| {
        let row = report.vessels.iter().find(|r| r.vessel == v).map(|r| sums(&r.sums));
        (v, row.unwrap_or_default())
    };
    Table {
        threshold_hu: report.settings.threshold_hu,
        standard_threshold_hu: report.settings.standard_threshold_hu,
        stamp: report.stamp.clone(),
        vessels: Vessel::ALL.map(vessel).to_vec(),
        unassigned,
        total: sums(&report.total),
        agatston_rounded: report.agatston_rounded,
        category: report.category.clone(),
        classic: report.classic.name().to_owned(),
        assigned: report.session.assigns(),
        lesions: order.iter().take(LISTED).map(lesion).collect(),
        lesion_count: order.len() as u32,
        without_effect: report.steps_without_effect.clone(),
        steps: report.session.edits.len() as u32,
        settings: report.settings.lines(),
        settings_sha256: report.settings_sha256.clone(),
        band: report.sensitivity.as_ref().map(|s| Band {
            lowest: s.agatston_min,
            highest: s.agatston_max,
            class_flips: s.class_flips,
            alternatives: s
                .alternatives
                .iter()
                .map(|a| (a.convention.clone(), a.agatston, a.category.clone()))
                .collect(),
        }),
        risk_percent: report.mesa_10_year_risk_percent,
        warnings: report.warnings.clone(),
        backend: report.backend.to_string(),
        ms: report.timings_ms.total,
        quick,
    }
}

/// A report as a file: name, type and content. The name says nothing about the patient.
pub fn file(
    report: &mut Report,
    volume: &Volume,
    format: Format,
    identification: &[String],
) -> (&'static str, &'static str, Vec<u8>) {
    report.input.voxels_sha256 = Some(calcium::voxels_sha256(&volume.voxels));
    match format {
        Format::Pdf => ("calcium.pdf", "application/pdf", report.pdf(identification, Some(volume))),
        Format::Csv => ("calcium.csv", "text/csv", report.csv().into_bytes()),
        Format::Json => {
            ("calcium.json", "application/json", serde_json::to_vec_pretty(report).unwrap_or_default())
        }
    }
}
