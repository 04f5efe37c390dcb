//! Coronary calcium: Agatston, volume and mass scores. Volume in, [`Report`] out.
//!
//! Headless and safe for wasm. The voxels are read once: [`Candidates`] holds what lies above a floor, and
//! everything after it (another threshold, connectivity, convention or assignment) touches only that table,
//! which a GPU may fill as well. `docs/verification.md` says what the numbers were compared with.

mod assign;
mod candidates;
mod category;
mod cut;
pub mod gpu;
mod isotropic;
mod key;
mod label;
mod pdf;
mod percentile;
mod region;
mod report;
pub mod risk;
mod score;
mod series;
mod settings;
mod trim;

pub use assign::{Assignment, Owned};
pub use candidates::{Candidates, Keys, Run, SliceCandidates};
pub use category::{Classic, cac_drs, classic, vessel_count};
pub use contract::calcium::{Edit, Region, Session, Vessel, mass_factor};
pub use key::Scale;
pub use label::{Component, Connectivity, Labelled, LabelledSlice, Piece, Whole, label};
pub use percentile::{PercentileError, PercentileRow, PercentileTable, Rank};
pub use region::heart_region;
pub use report::{
    Alternative, InputSummary, RESEARCH_USE, Report, Sensitivity, Software, Timings, voxels_sha256,
};
pub use score::{Lesion, ScoredComponent, Scores, Sums, VesselRow};
pub use series::{Geometry, Input, Refusal, admit, kvp, made_for_it};
pub use settings::{
    BANDS, Bands, CONVENTIONS, Convention, LOWEST_THRESHOLD_HU, MinimumArea, Request, STANDARD, Settings,
    SliceRule, bands, convention,
};
pub use trim::Eraser;

use risk::Person;

/// The method, for reports.
const METHOD: &str = "HU >= threshold; connected components per slice; components above the minimum area; \
    area x weight by the component's peak x slice factor, summed (Agatston 1990); volume = voxels x voxel \
    volume, and on isotropic voxels (Callister 1998); mass = factor x volume x mean HU (McCollough 2007)";

/// Why there is no score.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// The series cannot be scored.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A threshold at which soft tissue would be scored, or no number.
    #[error("A threshold of {0} HU cannot be scored: use {LOWEST_THRESHOLD_HU} HU or more.")]
    Threshold(f64),
    /// A mass factor that is no factor.
    #[error("A mass factor of {0} mg per mm³ and HU cannot be: use a positive number such as 0.00075.")]
    MassFactor(f64),
    /// A minimum area that is no area.
    #[error("A minimum area of {0} mm² cannot be: use 0 or more.")]
    MinimumArea(f64),
    /// A convention that nobody published.
    #[error("There is no profile {0}: use one of {1}.")]
    Profile(String, String),
    /// Neither 4 nor 8.
    #[error("{0}")]
    Connectivity(String),
    /// A mask or map of another size.
    #[error("The {what} has {got} voxels, the series has {want}. Use one on the same grid.")]
    MapSize {
        /// Mask or vessel map.
        what: &'static str,
        /// Its voxels.
        got: usize,
        /// Those of the series.
        want: usize,
    },
    /// A re-score below the floor of the table.
    #[error("The candidates begin at {floor_hu} HU; {threshold_hu} HU needs a new pass over the volume.")]
    Floor {
        /// Of the table.
        floor_hu: f64,
        /// Asked for.
        threshold_hu: f64,
    },
}

/// What the reader brings along.
#[derive(Clone, Copy, Default)]
pub struct Reading<'a> {
    /// Where calcium counts: one entry per voxel, 0 is outside.
    pub region: Option<&'a [u8]>,
    /// See [`Assignment`].
    pub assignment: Assignment<'a>,
    /// The reader's decisions, to be saved with the report. [`run`] applies its region and what was erased.
    pub session: Option<&'a Session>,
    /// For the risk.
    pub person: Option<&'a Person>,
    /// A population to compare with; needs the person.
    pub percentiles: Option<&'a PercentileTable>,
    /// See [`Effort`].
    pub effort: Effort,
}

impl<'a> Reading<'a> {
    /// What a session says.
    pub fn of(session: &'a Session) -> Self {
        Self {
            assignment: Assignment::Edits(&session.edits),
            session: Some(session),
            person: session.person.as_ref(),
            ..Self::default()
        }
    }
}

/// How much to compute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Everything.
    #[default]
    Full,
    /// While a slider moves: without the isotropic volume, which reads voxels again, and the other conventions.
    Quick,
}

/// Scores a series from its voxels. `now_ms` is a clock in milliseconds: wasm has no clock of its own.
pub fn run(
    input: &Input,
    request: &Request,
    reading: &Reading,
    now_ms: &dyn Fn() -> f64,
) -> Result<Report, Error> {
    let began = now_ms();
    series::admit(input)?;
    let settings = Settings::resolve(request, series::kvp(input.acquisition));
    let mut candidates = collect(input, settings.threshold_hu, reading.region)?;
    if let Some(session) = reading.session
        && let Some(fewer) = candidates.trimmed(&input.volume.grid, session.region, &session.edits)
    {
        candidates = fewer;
    }
    let collected = now_ms();
    let mut report = rescore(input, &candidates, request, reading, now_ms)?;
    report.timings_ms.candidates = collected - began;
    report.timings_ms.total = now_ms() - began;
    Ok(report)
}

/// The one pass over the voxels. With a floor of [`LOWEST_THRESHOLD_HU`] every allowed threshold can be
/// scored from the table.
pub fn collect(input: &Input, floor_hu: f64, region: Option<&[u8]>) -> Result<Candidates, Error> {
    admits_floor(input, floor_hu, region)?;
    Candidates::collect(input.volume, floor_hu, region)
        .ok_or_else(|| Refusal::Size(input.volume.grid.dims()).into())
}

fn admits_floor(input: &Input, floor_hu: f64, region: Option<&[u8]>) -> Result<(), Error> {
    series::admit(input)?;
    // Written so that NaN is refused as well.
    if !(floor_hu.is_finite() && floor_hu >= LOWEST_THRESHOLD_HU) {
        return Err(Error::Threshold(floor_hu));
    }
    same_size("mask", region.map(<[u8]>::len), input.volume.grid.voxel_count())
}

fn same_size(what: &'static str, got: Option<usize>, want: usize) -> Result<(), Error> {
    match got {
        Some(got) if got != want => Err(Error::MapSize { what, got, want }),
        _ => Ok(()),
    }
}

/// The components at the threshold, divided and assigned.
fn own(
    candidates: &Candidates,
    threshold_hu: f64,
    connectivity: Connectivity,
    assignment: &Assignment,
    grid: &scene::Grid,
) -> Result<Owned, Error> {
    let labelled = label(candidates, threshold_hu, connectivity)
        .ok_or(Error::Floor { floor_hu: candidates.floor_hu, threshold_hu })?;
    let roots = labelled.lesion_roots();
    Ok(assignment.apply(labelled, roots, candidates, grid))
}

/// The threshold that the tube voltage of a series asks for.
pub fn standard_threshold_hu(input: &Input) -> f64 {
    Settings::resolve(&Request::default(), series::kvp(input.acquisition)).standard_threshold_hu
}

/// Scores candidates that were collected before: another threshold, convention or assignment. The candidates
/// are those within the session's region and without what was erased ([`Candidates::trimmed`]).
pub fn rescore(
    input: &Input,
    candidates: &Candidates,
    request: &Request,
    reading: &Reading,
    now_ms: &dyn Fn() -> f64,
) -> Result<Report, Error> {
    rescore_owned(input, candidates, request, reading, now_ms).map(|(report, _)| report)
}

/// As [`rescore`], with the components that were scored: what is to be marked in the pictures.
pub fn rescore_owned(
    input: &Input,
    candidates: &Candidates,
    request: &Request,
    reading: &Reading,
    now_ms: &dyn Fn() -> f64,
) -> Result<(Report, Owned), Error> {
    let began = now_ms();
    let settings = settled(input, request, reading)?;
    let (threshold_hu, grid) = (settings.threshold_hu, &input.volume.grid);
    let own = |connectivity| own(candidates, threshold_hu, connectivity, &reading.assignment, grid);
    let owned = own(settings.connectivity)?;
    let backend = "cpu".to_owned();
    report(input, candidates, settings, reading, Labels { owned, other: own, began, backend }, now_ms)
}

/// What decides about the score, once it is clear that there can be one.
fn settled(input: &Input, request: &Request, reading: &Reading) -> Result<Settings, Error> {
    series::admit(input)?;
    let settings = Settings::resolve(request, series::kvp(input.acquisition));
    validate(&settings)?;
    if let Assignment::Map(map) = reading.assignment {
        same_size("vessel map", Some(map.len()), input.volume.grid.voxel_count())?;
    }
    Ok(settings)
}

/// What was labelled at the threshold, here or on a GPU.
struct Labels<F> {
    owned: Owned,
    /// The same at the other connectivity, for the other conventions.
    other: F,
    began: f64,
    backend: String,
}

/// From labels to the report; hands the components on.
fn report(
    input: &Input,
    candidates: &Candidates,
    settings: Settings,
    reading: &Reading,
    labels: Labels<impl FnOnce(Connectivity) -> Result<Owned, Error>>,
    now_ms: &dyn Fn() -> f64,
) -> Result<(Report, Owned), Error> {
    let Labels { owned, other, began, backend } = labels;
    let geometry = Geometry::of(input.volume);
    let thickness_mm = series::thickness_mm(input.acquisition);
    let dims = candidates.dims;
    let after_label = now_ms();
    let full = reading.effort == Effort::Full;
    let sampler = isotropic::Sampler::new(input.volume, &geometry, settings.threshold_hu).filter(|_| full);
    let how =
        score::Measure { scale: &candidates.scale, settings: &settings, geometry: &geometry, thickness_mm };
    let scores = score::score(&owned, &how, sampler.as_ref());
    let after_score = now_ms();
    let sensitivity = if full {
        let other = other(settings.connectivity.other())?;
        Some(sensitivity(&owned, &other, &how))
    } else {
        None
    };
    let after_sensitivity = now_ms();

    let mut warnings = series::check(input, &geometry);
    warnings.splice(0..0, settings.stamp());
    if settings.slice_rule == SliceRule::Thickness && thickness_mm.is_none() {
        warnings.push(
            "The convention asks for the slice thickness, which is not known: the increment is used.".into(),
        );
    }
    if !owned.assigned && scores.total.components > 0 {
        warnings.push(
            "No vessel was assigned: the total counts everything above the threshold, bone included.".into(),
        );
    }
    if let Some(s) = sensitivity.as_ref().filter(|s| s.class_flips) {
        warnings.push(format!(
            "The risk class depends on the convention: {:.1} to {:.1} over the accepted ones.",
            s.agatston_min, s.agatston_max
        ));
    }
    let counted = scores.components.iter().filter(|c| c.counted).filter_map(|c| c.vessel);
    let vessels_with_calcium = owned.assigned.then(|| vessel_count(counted));
    let total = scores.total.agatston;
    let mesa = reading.person.map(|p| risk::mesa_2015(p, Some(total)));
    if let Some(Err(error)) = &mesa {
        warnings.push(error.to_string());
    }
    let rank = reading.person.zip(reading.percentiles).map(|(p, table)| table.rank(p, total));
    if let Some(Err(error)) = &rank {
        warnings.push(error.to_string());
    }
    let report = Report {
        research_use: RESEARCH_USE,
        method: METHOD,
        software: Software { name: "Isocenter", version: env!("CARGO_PKG_VERSION") },
        settings_sha256: settings.hash(),
        session: reading.session.cloned().unwrap_or_default(),
        steps_without_effect: owned.without_effect.clone(),
        stamp: settings.stamp(),
        input: InputSummary {
            modality: input.modality.to_owned(),
            dims,
            spacing_mm: input.volume.grid.spacing(),
            increment_mm: geometry.increment_mm,
            slice_thickness_mm: thickness_mm,
            kvp: series::kvp(input.acquisition),
            voxels_sha256: None,
        },
        components: scores.components,
        components_too_small: scores.too_small,
        lesions: scores.lesions,
        vessels: scores.vessels,
        total: scores.total,
        agatston_rounded: if total > 0.0 { total.round().max(1.0) as u32 } else { 0 },
        category: category_name(total, vessels_with_calcium),
        classic: classic(total),
        vessels_with_calcium,
        mesa_10_year_risk_percent: mesa.and_then(Result::ok).map(|r| 100.0 * r),
        percentile: rank.and_then(Result::ok),
        sensitivity,
        backend,
        timings_ms: Timings {
            upload: 0.0,
            candidates: 0.0,
            label: after_label - began,
            score: after_score - after_label,
            sensitivity: after_sensitivity - after_score,
            total: now_ms() - began,
        },
        warnings,
        settings,
    };
    Ok((report, owned))
}

fn validate(settings: &Settings) -> Result<(), Error> {
    let t = settings.threshold_hu;
    if !(t.is_finite() && t >= LOWEST_THRESHOLD_HU) {
        return Err(Error::Threshold(t));
    }
    if let MinimumArea::MoreThanMm2(a) | MinimumArea::AtLeastMm2(a) = settings.minimum_area
        && !(a.is_finite() && a >= 0.0)
    {
        return Err(Error::MinimumArea(a));
    }
    match settings.mass_factor_mg_per_mm3_hu {
        Some(f) if !(f.is_finite() && f > 0.0) => Err(Error::MassFactor(f)),
        _ => Ok(()),
    }
}

fn category_name(agatston: f64, vessels: Option<u8>) -> String {
    let a = cac_drs(agatston);
    vessels.map_or_else(|| format!("A{a}"), |n| format!("A{a}/N{n}"))
}

/// The total under every convention at the same threshold.
fn sensitivity(owned: &Owned, other: &Owned, how: &score::Measure) -> Sensitivity {
    let mut alternatives = Vec::new();
    for c in &CONVENTIONS {
        let settings = Settings {
            connectivity: c.connectivity,
            minimum_area: c.minimum_area,
            slice_rule: c.slice_rule,
            ..how.settings.clone()
        };
        let by = if c.connectivity == other.labelled.connectivity { other } else { owned };
        let how = score::Measure { settings: &settings, ..*how };
        let agatston = score::total_agatston(&by.labelled, &how, |i| !by.assigned || by.vessels[i].is_some());
        alternatives.push(Alternative {
            convention: c.name.to_owned(),
            agatston,
            category: category_name(agatston, None),
            classic: classic(agatston),
        });
    }
    let scores = alternatives.iter().map(|a| a.agatston);
    Sensitivity {
        agatston_min: scores.clone().fold(f64::INFINITY, f64::min),
        agatston_max: scores.fold(f64::NEG_INFINITY, f64::max),
        class_flips: alternatives
            .windows(2)
            .any(|w| w[0].category != w[1].category || w[0].classic != w[1].classic),
        alternatives,
    }
}
