//! Perfusion maps of a loaded series, from what the reader decided.
//!
//! The computation goes on in small steps between messages, and every stage is kept: another artery computes what an
//! artery changes and nothing before it. This file turns what comes out into what the page shows; the steps are taken in
//! `session/perfusing.rs`.

use contract::perfusion::Session;
use gpu_kernels::Gpu;
use imaging::{NiftiVoxels, Series, Volume, Voxels, nifti_bytes};
use perfusion::gpu::{self, Mapper};
use perfusion::{Analysis, Check, Class, Input, Kind, Maps, Progress, RegionReport, Report, Rigid, Stage};
use protocol::SeriesId;
use protocol::perfusion::{
    Check as Told, Findings, Map, Motion, Offer, Region, Sides, Step, Suggestion, Vessel,
};
use scene::{DVec3, VoiFunction, Window};

use crate::session::Computed;

/// Labels of the voxels, as the page colours them.
pub const CORE: u8 = 1;
pub const PENUMBRA: u8 = 2;
pub const MASK: u8 = 3;
pub const ARTERY: u8 = 4;
pub const VEIN: u8 = 5;

/// Fewer frames than this are rather phases of a scan than a bolus.
const MADE_FOR_IT_FRAMES: u32 = 12;

/// Concentration and deconvolution on one device. Lost with it.
#[derive(Default)]
pub struct GpuMapping {
    /// Compiled and checked against the twin at the first maps; an error once is an error for this device.
    mapper: Option<Result<Mapper, gpu::Error>>,
}

impl GpuMapping {
    /// One step as [`Analysis::step`], and where it was done as reports write it.
    pub async fn step(
        &mut self,
        device: &Gpu,
        analysis: &mut Analysis,
        input: &Input<'_>,
    ) -> Result<(Progress, String), gpu::Error> {
        if self.mapper.is_none() {
            let checked = gpu::self_check(device).await;
            self.mapper = Some(match checked {
                Ok(()) => Mapper::new(device).await,
                Err(error) => Err(error),
            });
        }
        match &mut self.mapper {
            Some(Ok(mapper)) => Ok((mapper.step(device, analysis, input).await?, gpu::backend(device))),
            Some(Err(error)) => Err(error.clone()),
            None => Err(gpu_kernels::ComputeError::NoCompute.into()),
        }
    }

    /// Gives the curves of a study back.
    pub fn forget(&mut self) {
        if let Some(Ok(mapper)) = &mut self.mapper {
            mapper.forget();
        }
    }
}

/// Where maps were computed, as the page writes it.
fn computed_on(backend: &str) -> String {
    match backend.strip_prefix("gpu: ") {
        Some(adapter) => format!("GPU: {adapter}"),
        None => backend.to_uppercase(),
    }
}

/// Whether maps can be computed of a series, and where to start. `complete`: every slice has arrived.
pub fn offer(series: &Series, volume: &Volume, complete: bool) -> Offer {
    let input = Input::new(series, volume, &[]);
    let mut session = Session::default();
    let echo_time_ms = perfusion::echo_time_ms(series).to_vec();
    session.take_echo_time(&echo_time_ms);
    let enough = volume.time_points >= MADE_FOR_IT_FRAMES;
    let checked = perfusion::check(&input, &session);
    let kind = match (&checked, series.modality.as_str()) {
        (Ok(checked), _) => Some(checked.kind),
        (Err(refusal), _) if !(refusal.answerable() && enough) => return Offer::Refused(refusal.to_string()),
        // What the files do not say, the reader can: the desk opens, tells what is missing and has a field for it.
        (Err(_), "CT") => Some(Kind::Ct),
        (Err(_), "MR") => Some(Kind::Dsc),
        (Err(_), _) => None,
    };
    let signal = match kind {
        Some(Kind::Ct) => "CT, Hounsfield units",
        Some(Kind::Dsc) => "DSC-MR",
        Some(Kind::Concentration) => "Concentration",
        None => "not said by the files",
    };
    let unit = unit(kind.unwrap_or(Kind::Concentration)).into();
    let suggestion = Suggestion { signal: signal.into(), unit, echo_time_ms };
    // Of MR many series have many frames: only the reader knows whether these show a bolus.
    let made_for_it = checked.is_ok_and(|c| c.kind != Kind::Dsc)
        && enough
        && matches!(series.modality.as_str(), "CT" | "MR");
    if complete && made_for_it { Offer::Likely(suggestion) } else { Offer::Possible(suggestion) }
}

/// What curves are given in.
pub fn unit(kind: Kind) -> &'static str {
    match kind {
        Kind::Ct => "HU",
        Kind::Dsc => "1/s",
        Kind::Concentration => "a.u.",
    }
}

/// The step of the page that a stage belongs to.
pub fn step_of(stage: Stage) -> Step {
    match stage {
        Stage::Check => Step::Check,
        Stage::Motion => Step::Motion,
        Stage::Mask | Stage::Curves => Step::Mask,
        Stage::Vessels => Step::Inputs,
        Stage::Maps | Stage::Done => Step::Maps,
    }
}

/// The highest value over time of every voxel, or the lowest where contrast darkens; frame by frame, because a whole
/// series takes longer than a message may wait.
pub struct Projection {
    frame: u32,
    values: Vec<f32>,
}

impl Projection {
    pub fn new() -> Self {
        Self { frame: 0, values: Vec::new() }
    }

    /// Looks at one frame. False: all have been looked at.
    pub fn step(&mut self, volume: &Volume, darkens: bool) -> bool {
        if self.frame >= volume.time_points {
            return false;
        }
        let count = volume.grid.voxel_count();
        let start = self.frame as usize * count;
        if self.values.is_empty() {
            self.values = vec![f32::NAN; count];
        }
        let (slope, intercept) = (volume.rescale.slope as f32, volume.rescale.intercept as f32);
        let padding = volume.padding.map(|p| (p.low as f32, p.high as f32));
        let values = &mut self.values;
        let mut take = |stored: &mut dyn Iterator<Item = f32>| {
            for (best, stored) in values.iter_mut().zip(stored) {
                if padding.is_some_and(|(low, high)| stored >= low && stored <= high) {
                    continue;
                }
                let value = slope * stored + intercept;
                // Comparisons with NaN are false: the first value of a voxel is taken as it is.
                if best.is_nan() || (if darkens { value < *best } else { value > *best }) {
                    *best = value;
                }
            }
        };
        match &volume.voxels {
            Voxels::I16(v) => take(&mut v[start..start + count].iter().map(|v| f32::from(*v))),
            Voxels::U16(v) => take(&mut v[start..start + count].iter().map(|v| f32::from(*v))),
            Voxels::F32(v) => take(&mut v[start..start + count].iter().copied()),
            Voxels::Rgba8(_) => {}
        }
        self.frame += 1;
        true
    }

    pub fn done(&self, volume: &Volume) -> bool {
        self.frame >= volume.time_points
    }
}

/// The pictures that no artery changes: before the bolus, and the projection over time.
pub fn pictures(
    source: SeriesId,
    volume: &Volume,
    analysis: &Analysis,
    projection: &Projection,
) -> Vec<Computed> {
    let ct = analysis.checked().is_some_and(|c| c.kind == Kind::Ct);
    let window = |center: f64, width: f64| Window { center, width, function: VoiFunction::LinearExact };
    let of = |what: Map, values: &[f32], windows: Vec<(String, Window)>| {
        let mut made = Volume::new(Voxels::F32(values.to_vec()), volume.grid.clone());
        made.unit.clone_from(&volume.unit);
        if ct {
            made.windows = windows;
        }
        Computed::new(made, source, what)
    };
    vec![
        of(Map::Baseline, analysis.mean_before_contrast(), vec![("Brain".into(), window(40.0, 80.0))]),
        of(Map::Tmip, &projection.values, vec![("Vessels".into(), window(110.0, 220.0))]),
    ]
}

/// The five, as the page and as the analysis name them.
pub const MAPS: [(Map, perfusion::Map); 5] = [
    (Map::Cbf, perfusion::Map::Cbf),
    (Map::Cbv, perfusion::Map::Cbv),
    (Map::Mtt, perfusion::Map::Mtt),
    (Map::Ttp, perfusion::Map::Ttp),
    (Map::Tmax, perfusion::Map::Tmax),
];

/// The values of a map with their voxels; what has no number is no number.
pub fn values(maps: &Maps, map: perfusion::Map) -> impl Iterator<Item = (u32, f32)> {
    let all = maps.voxels.iter().zip(&maps.usable).zip(maps.get(map));
    all.map(|((voxel, usable), value)| (*voxel, if *usable { *value } else { f32::NAN }))
}

/// The five maps as volumes; what is outside of the mask or has no number is no number.
pub fn volumes(source: SeriesId, volume: &Volume, analysis: &Analysis) -> Vec<Computed> {
    let Some(maps) = analysis.maps() else { return Vec::new() };
    MAPS.into_iter()
        .map(|(what, map)| {
            let mut all = vec![f32::NAN; volume.grid.voxel_count()];
            values(maps, map).for_each(|(voxel, value)| all[voxel as usize] = value);
            let mut made = Volume::new(Voxels::F32(all), volume.grid.clone());
            made.unit = what.unit().into();
            let [low, high] = what.usual_range().unwrap_or([0.0, 1.0]);
            made.windows = vec![(what.name().into(), Window::from_range(low, high))];
            Computed::new(made, source, what)
        })
        .collect()
}

/// A region against its mirror image; nothing where either has no voxel that was computed.
pub fn sides(report: &Report, analysis: &Analysis, region: &[u32], volume: &Volume) -> Vec<Sides> {
    let dims = volume.grid.dims().map(|n| n as usize);
    let compared = analysis.maps().and_then(|maps| perfusion::compare(maps, region, &report.midline, dims));
    let told = |s: perfusion::Sides| {
        let perfusion::Sides { map, region, mirror, ratio, difference, .. } = s;
        Some(Sides { map: Map::parse(map)?, region, mirror, ratio, difference })
    };
    compared.unwrap_or_default().into_iter().filter_map(told).collect()
}

/// What the page shows of a vessel; `times_s` are those of the samples.
pub fn vessel(vessel: &perfusion::Vessel, times_s: &[f64], volume: &Volume) -> Vessel {
    let world = |voxel: &[u32; 3]| {
        let at = DVec3::from(voxel.map(f64::from));
        volume.grid.world_from_voxel().transform_point3(at).to_array()
    };
    Vessel {
        values: vessel.values.clone(),
        fit: vessel.gamma.map(|gamma| times_s.iter().map(|t| gamma.at(*t)).collect()),
        at_mm: vessel.voxels.iter().map(world).collect(),
        source: vessel.source.clone(),
        peak: vessel.peak,
        peak_at_s: vessel.peak_s,
    }
}

/// What the page shows of a report. Its maps are entered by who holds them.
pub fn findings(report: &Report, analysis: &Analysis, volume: &Volume) -> Findings {
    let told_vessel = |c: &perfusion::CurveReport| vessel(&c.vessel, &c.times_s, volume);
    let timeline = analysis.checked().map(|c| &c.timeline);
    let frames = report.time_points.len();
    let mut lines = vec![
        ("Frames".to_owned(), format!("{frames}, {:.2} s apart", report.settings.dt_s)),
        ("Time axis".to_owned(), report.settings.time_rule.clone()),
        ("Baseline".to_owned(), format!("{} frames", report.settings.baseline_samples)),
    ];
    if let Some(last) = report.time_points.last() {
        lines.push(("Duration".to_owned(), format!("{:.1} s", last.time_s)));
    }
    let missing: u32 = report.time_points.iter().map(|t| t.missing_slices).sum();
    lines.push(("Missing slices".to_owned(), missing.to_string()));
    Findings {
        maps: Vec::new(),
        times_s: timeline.map(|t| t.times_s.clone()).unwrap_or_default(),
        unit: unit(report.settings.signal).into(),
        frames: lines,
        motion: (!report.motion.is_empty()).then(|| motion(&report.motion, report.session.motion.corrects())),
        masked_ml: report.voxels.mask as f64 * voxel_ml(volume),
        smoothed_mm: report.settings.smoothed_mm,
        aif: told_vessel(&report.aif),
        vof: report.vof.as_ref().map(told_vessel),
        regions: regions(&report.volumes_ml),
        core_ml: report.volumes_ml.core,
        hypoperfused_ml: report.volumes_ml.hypoperfused,
        mismatch_ml: report.volumes_ml.mismatch,
        mismatch_ratio: report.volumes_ml.mismatch_ratio,
        intensity_ratio: report.volumes_ml.hypoperfusion_intensity_ratio,
        midline: Some(report.midline),
        quality: report.quality.iter().map(told).collect(),
        warnings: report.warnings.clone(),
        backend: computed_on(&report.backend),
        ms: report.timings_ms.total,
        stages_ms: stages(report),
        ..Findings::default()
    }
}

fn motion(frames: &[Rigid], corrected: bool) -> Motion {
    let turn = |r: &Rigid| {
        let [x, y, z] = r.rotation_rad;
        (x * x + y * y + z * z).sqrt().to_degrees()
    };
    let shift = |r: &Rigid| {
        let [x, y, z] = r.translation_mm;
        (x * x + y * y + z * z).sqrt()
    };
    Motion {
        shift_mm: frames.iter().map(shift).collect(),
        turn_deg: frames.iter().map(turn).collect(),
        corrected,
    }
}

fn told(check: &Check) -> Told {
    let unit = if check.unit.is_empty() { String::new() } else { format!(" {}", check.unit) };
    let rule = check.rule.replace('_', " ");
    let number = |v: f64| ((v * 1e3).round() / 1e3).to_string();
    let mut name = check.check.replace('_', " ");
    if let Some(first) = name.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
    Told {
        name,
        passed: check.passed,
        value: format!(
            "{}{unit}, {rule} {}{unit}: {}",
            number(check.value),
            number(check.limit),
            check.meaning
        ),
    }
}

/// The mask, to be shown over the picture before the bolus.
pub fn mask_labels(analysis: &Analysis, volume: &Volume) -> Option<Vec<u8>> {
    let mut labels = vec![0; volume.grid.voxel_count()];
    for voxel in &analysis.mask()?.voxels {
        labels[*voxel as usize] = MASK;
    }
    Some(labels)
}

/// The voxels of the vessels, to be shown over the projection.
pub fn vessel_labels(report: &Report, volume: &Volume) -> Option<Vec<u8>> {
    let mut labels = vec![0; volume.grid.voxel_count()];
    let vessels = [(Some(&report.aif), ARTERY), (report.vof.as_ref(), VEIN)];
    for (vessel, label) in vessels {
        for voxel in vessel.iter().flat_map(|v| &v.vessel.voxels) {
            labels[volume.index(*voxel, 0)] = label;
        }
    }
    Some(labels)
}

/// ms by stage.
pub fn stages(report: &Report) -> Vec<(String, f64)> {
    let t = &report.timings_ms;
    let stages = [
        ("check", t.check),
        ("motion", t.motion),
        ("mask", t.mask),
        ("curves", t.curves),
        ("vessels", t.vessels),
        ("maps", t.maps),
    ];
    stages.map(|(name, ms)| (name.to_owned(), ms)).to_vec()
}

/// A map as a file, as the command line writes it: 0 where there is no value. `maps` are complete; what `volume` shows
/// of them may be ahead.
pub fn nifti(map: Map, maps: &Maps, volume: &Volume, report: &Report) -> Result<Vec<u8>, String> {
    let Voxels::F32(shown) = &volume.voxels else { return Err("The map holds no floats.".into()) };
    let values: Vec<f32> = match MAPS.into_iter().find(|(what, _)| *what == map) {
        Some((_, map)) => maps.on_grid(map, shown.len()),
        None => shown.iter().map(|v| if v.is_finite() { *v } else { 0.0 }).collect(),
    };
    let failed = report.quality.iter().filter(|c| !c.passed).count();
    let checks = if failed > 0 { format!(" {failed} quality checks failed.") } else { String::new() };
    let unit = map.unit().replace("mL", "ml");
    let unit = if unit.is_empty() { &volume.unit } else { &unit };
    let description = format!("{} in {unit}. Research use only.{checks}", map.slug());
    nifti_bytes(&volume.grid, NiftiVoxels::F32(&values), None, &description, true).map_err(|e| e.to_string())
}

/// Core and penumbra, to be shown over the maps.
pub fn tissue_labels(maps: &Maps, session: &Session, volume: &Volume) -> Vec<u8> {
    let dims = volume.grid.dims().map(|n| n as usize);
    let (_, classes) = perfusion::regions(maps, dims, voxel_ml(volume), session);
    let mut labels = vec![0; volume.grid.voxel_count()];
    for (voxel, class) in maps.voxels.iter().zip(classes) {
        labels[*voxel as usize] = match class {
            Class::Normal => 0,
            Class::Penumbra => PENUMBRA,
            Class::Core => CORE,
        };
    }
    labels
}

fn voxel_ml(volume: &Volume) -> f64 {
    let [x, y, z] = volume.grid.spacing();
    x * y * z * 1e-3
}

/// Volumes by every threshold of the report.
fn regions(volumes: &RegionReport) -> Vec<Region> {
    let tmax = volumes.tmax.iter().map(|v| (format!("Tmax > {} s", v.over_s), v.ml));
    let rcbf = volumes.rcbf.iter().map(|v| (format!("rCBF < {:.0} %", 100.0 * v.below), v.ml));
    tmax.chain(rcbf).map(|(name, volume_ml)| Region { name, volume_ml }).collect()
}
