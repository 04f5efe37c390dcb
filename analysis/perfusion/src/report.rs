//! What was computed, with everything it depends on.
//!
//! One object that says what, how, from what and how trustworthy: the JSON of the command line, the page and the
//! PDF are views of it.

use contract::perfusion::{Midline, Session, View};
use serde::Serialize;

use crate::analysis::{Analysis, Error, Stage};
use crate::curves::{Curves, Reject};
use crate::motion::Rigid;
use crate::quality::{self, Check};
use crate::regions::{self, RegionReport};
use crate::series::{Input, Kind, TimePoint};
use crate::vessels::Vessel;

/// On every export.
pub const RESEARCH_USE: &str = "Research use only. Not for diagnosis or treatment.";

/// What everything was computed with.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Settings {
    /// What the voxels are.
    pub signal: Kind,
    /// As settled, s.
    pub te_s: Vec<f64>,
    /// Between samples of the even axis, s.
    pub dt_s: f64,
    /// How the axis came about.
    pub time_rule: String,
    /// Samples of the baseline.
    pub baseline_samples: usize,
    /// How the mask came about.
    pub mask_rule: String,
    /// Standard deviation of the Gaussian that was applied, mm; 0 for none.
    pub smoothed_mm: f64,
    /// `csvd`, ...
    pub method: &'static str,
    /// Whether delay leaves its flow unchanged.
    pub delay_insensitive: bool,
    /// Share of the largest singular value, where the method has one.
    pub truncation: f64,
    /// Between large and small vessels.
    pub kh: f64,
    /// g/ml
    pub density_g_per_ml: f64,
    /// Factor on the artery for partial volume.
    pub aif_scale: f64,
    /// TTP counts from here, s from the first time point.
    pub ttp_origin_s: f64,
    /// Everything else, as the reader decided.
    #[serde(flatten)]
    pub session: Session,
}

/// A vessel's curve with its axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CurveReport {
    /// s from the first time point.
    pub times_s: Vec<f64>,
    /// Concentration (HU above the baseline for CT).
    #[serde(flatten)]
    pub vessel: Vessel,
    /// The fitted gamma variate at the same times.
    pub gamma_values: Option<Vec<f64>>,
}

/// Program and version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Software {
    /// Isocenter.
    pub name: &'static str,
    /// Of this crate.
    pub version: &'static str,
}

/// ms by stage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// Times, units.
    pub check: f64,
    /// Estimate.
    pub motion: f64,
    /// Mask.
    pub mask: f64,
    /// Concentration.
    pub curves: f64,
    /// Artery and vein.
    pub vessels: f64,
    /// Deconvolution.
    pub maps: f64,
    /// All, report included.
    pub total: f64,
}

impl Timings {
    /// Adds to a stage.
    pub fn add(&mut self, stage: Stage, ms: f64) {
        match stage {
            Stage::Check => self.check += ms,
            Stage::Motion => self.motion += ms,
            Stage::Mask => self.mask += ms,
            Stage::Curves => self.curves += ms,
            Stage::Vessels => self.vessels += ms,
            Stage::Maps => self.maps += ms,
            Stage::Done => {}
        }
    }
}

/// Everything that a reader of the maps should know.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// See [`RESEARCH_USE`].
    pub research_use: &'static str,
    /// In words, with its papers.
    pub method: String,
    /// Program and version.
    pub software: Software,
    /// Settled.
    pub settings: Settings,
    /// As decided: with the series it gives the same maps again.
    pub session: Session,
    /// What the reader set on the screen, where there was one: the colours of the pictures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub view: Option<View>,
    /// Columns, rows, slices.
    pub dims: [u32; 3],
    /// mm
    pub spacing_mm: [f64; 3],
    /// Of every frame.
    pub time_points: Vec<TimePoint>,
    /// Voxels of the mask, and those that have numbers.
    pub voxels: VoxelCounts,
    /// The artery.
    pub aif: CurveReport,
    /// The vein.
    pub vof: Option<CurveReport>,
    /// Core, penumbra and what they depend on, ml.
    pub volumes_ml: RegionReport,
    /// Between the hemispheres.
    pub midline: Midline,
    /// Movement per frame, where it was estimated.
    pub motion: Vec<Rigid>,
    /// Checks with their values and limits.
    pub quality: Vec<Check>,
    /// Where it was computed.
    pub backend: String,
    /// See [`Timings`].
    pub timings_ms: Timings,
    /// For a reader, with values.
    pub warnings: Vec<String>,
}

/// Account of the voxels.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct VoxelCounts {
    /// Of one time point.
    pub all: usize,
    /// In the mask.
    pub mask: usize,
    /// With numbers.
    pub computed: usize,
    /// The others of the mask, by reason.
    pub rejected: Vec<String>,
}

impl Report {
    /// Of an analysis that is done.
    pub fn new(analysis: &Analysis, input: &Input) -> Result<Self, Error> {
        let (Some(checked), Some(prepared), Some(vessels), Some(maps), Some(mask)) =
            (analysis.checked(), analysis.prepared(), analysis.vessels(), analysis.maps(), analysis.mask())
        else {
            return Err(Error::EmptyMask);
        };
        let session = analysis.session().clone();
        let curves = &prepared.curves;
        let with_axis = |vessel: &Vessel| CurveReport {
            times_s: checked.timeline.times_s.clone(),
            gamma_values: vessel.gamma.map(|g| checked.timeline.times_s.iter().map(|t| g.at(*t)).collect()),
            vessel: vessel.clone(),
        };
        let rejected = rejections(curves);
        let mut warnings = checked.warnings.clone();
        warnings.extend(vessels.warnings.iter().cloned());
        if !rejected.is_empty() {
            warnings.push(format!("Voxels of the mask without numbers: {}.", rejected.join(", ")));
        }
        if analysis.moved().is_some_and(|m| m.frames.is_empty()) {
            warnings
                .push("Motion was not estimated: the frames show no edges that could be followed.".into());
        }
        if sums(&session) {
            warnings.push(
                "The CBV of lucy-richardson is the sum of a residue function that is nowhere negative: noise raises it. With `cbv_from` areas (--cbv-from areas) it does not.".into(),
            );
        }
        if !session.method.delay_insensitive() {
            warnings.push(format!(
                "{} is sensitive to delay: flow of tissue that is late is too low. csvd is not.",
                session.method.name()
            ));
        }
        let quality = quality::checks(analysis, input.other_stacks);
        for check in quality.iter().filter(|c| !c.passed) {
            warnings.push(format!("Quality check failed: {}.", check.text()));
        }
        warnings.extend(input.reading_warnings.iter().cloned());
        let grid = &input.volume.grid;
        let dims = grid.dims().map(|n| n as usize);
        let voxel_ml = grid.world_from_voxel().matrix3.determinant().abs() / 1000.0;
        if grid.length_unit != scene::LengthUnit::Millimetre {
            warnings.push("No spacing is known: volumes count a pixel as a millimetre.".into());
        }
        let midline = session.midline.unwrap_or_else(|| crate::mirror::midline(&maps.voxels, dims));
        let settled = Session { midline: Some(midline), ..session.clone() };
        let (volumes_ml, _) = regions::regions(maps, dims, voxel_ml, &settled);
        let settings = Settings {
            signal: checked.kind,
            te_s: checked.te_s.clone(),
            dt_s: checked.timeline.dt_s,
            time_rule: checked.timeline.rule.clone(),
            baseline_samples: prepared.baseline_samples,
            mask_rule: mask.rule.clone(),
            smoothed_mm: prepared.smoothed_mm,
            method: session.method.name(),
            delay_insensitive: session.method.delay_insensitive(),
            truncation: session.truncation(),
            kh: session.kh(),
            density_g_per_ml: session.density,
            aif_scale: vessels.scale,
            ttp_origin_s: maps.ttp_origin_s,
            session: session.clone(),
        };
        Ok(Self {
            research_use: RESEARCH_USE,
            method: method(&session),
            software: Software { name: "Isocenter", version: env!("CARGO_PKG_VERSION") },
            settings,
            session,
            view: None,
            dims: input.volume.grid.dims(),
            spacing_mm: input.volume.grid.spacing(),
            time_points: checked.time_points.clone(),
            voxels: VoxelCounts {
                all: input.volume.grid.voxel_count(),
                mask: curves.len(),
                computed: curves.usable_positions().count(),
                rejected,
            },
            aif: with_axis(&vessels.aif),
            vof: vessels.vof.as_ref().map(with_axis),
            volumes_ml,
            midline,
            motion: analysis.moved().map(|m| m.frames.clone()).unwrap_or_default(),
            quality,
            backend: "cpu".into(),
            timings_ms: Timings::default(),
            warnings,
        })
    }
}

/// Whether CBV is the sum of the residue function.
fn sums(session: &Session) -> bool {
    use contract::perfusion::{CbvFrom, Method};
    session.method == Method::LucyRichardson && session.cbv_from == CbvFrom::Method
}

/// The method in words.
fn method(session: &Session) -> String {
    use contract::perfusion::Method;
    let name = match session.method {
        Method::Csvd => "block-circulant SVD (Wu 2003)",
        Method::Ssvd => "standard SVD (Oestergaard 1996)",
        Method::Osvd => "block-circulant SVD with a limit on oscillation (Wu 2003)",
        Method::Tikhonov => "block-circulant Tikhonov regularization (Fieselmann 2011)",
        Method::LucyRichardson => "Lucy-Richardson deconvolution",
    };
    format!(
        "{name}; C(t) = (rho/kH) CBF (AIF conv R)(t); CBF = 6000 (kH/rho) max k in ml/100 g/min; CBV = {} in ml/100 g; MTT = 60 CBV/CBF in s; Tmax = time of max k; TTP = time of the highest C from its origin",
        if sums(session) { "100 (kH/rho) integral k" } else { "100 (kH/rho) integral C / integral AIF" }
    )
}

/// Counts of rejected voxels in words.
pub(crate) fn rejections(curves: &Curves) -> Vec<String> {
    [
        (Reject::NoMeasurement, "have samples that are padding, missing or no number"),
        (Reject::NotPositive, "have samples that are not above 0"),
        (Reject::ZeroBaseline, "have a baseline that is not above 0"),
        (Reject::Constant, "are constant over time"),
    ]
    .into_iter()
    .map(|(reason, words)| (curves.count_rejected(reason), words))
    .filter(|(n, _)| *n > 0)
    .map(|(n, words)| format!("{n} {words}"))
    .collect()
}
