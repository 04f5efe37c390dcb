//! Perfusion between page and worker.
//!
//! As with calcium the page keeps what the reader decided (a [`Session`]) and sends all of it every time; the worker
//! keeps what each stage came to. So another artery is the same message with another session, and the worker computes
//! what that changes and nothing else. The maps themselves are series that the worker holds: see [`crate::Derived`].

pub use contract::perfusion::{Map, Slot};
use contract::perfusion::{Midline, Session};
use serde::{Deserialize, Serialize};

use crate::SeriesId;

/// Whether maps can be computed of a series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offer {
    /// Why not.
    Refused(String),
    Possible(Suggestion),
    /// It looks like a perfusion study: the page computes without being asked.
    Likely(Suggestion),
}

/// What a reader starts from.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// What the values are, in words.
    pub signal: String,
    /// HU, or what concentration is given in.
    pub unit: String,
    /// Of the header, for MR.
    #[serde(default)]
    pub echo_time_ms: Vec<f64>,
}

/// What to compute.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub series: SeriesId,
    pub session: Session,
}

/// The steps from frames to maps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    Check,
    Motion,
    Mask,
    Inputs,
    Method,
    Maps,
}

impl Step {
    pub const ALL: [Self; 6] =
        [Self::Check, Self::Motion, Self::Mask, Self::Inputs, Self::Method, Self::Maps];

    pub fn name(self) -> &'static str {
        match self {
            Self::Check => "Check",
            Self::Motion => "Motion",
            Self::Mask => "Mask",
            Self::Inputs => "AIF and VOF",
            Self::Method => "Method",
            Self::Maps => "Maps",
        }
    }

    pub fn slug(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Motion => "motion",
            Self::Mask => "mask",
            Self::Inputs => "inputs",
            Self::Method => "method",
            Self::Maps => "maps",
        }
    }
}

/// An arterial or venous curve.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Vessel {
    /// At the even times of the deconvolution.
    pub values: Vec<f64>,
    /// Its gamma variate at the same times, where one fits.
    pub fit: Option<Vec<f64>>,
    /// The middles of its voxels.
    pub at_mm: Vec<[f64; 3]>,
    /// How it was found, in words.
    pub source: String,
    pub peak: f64,
    pub peak_at_s: f64,
}

/// How far each frame lies from the reference.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Motion {
    pub shift_mm: Vec<f64>,
    pub turn_deg: Vec<f64>,
    /// Whether the frames were moved back.
    pub corrected: bool,
}

/// A volume of tissue by a threshold.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Region {
    /// `Tmax > 6 s`
    pub name: String,
    pub volume_ml: f64,
}

/// A check of the data.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    pub name: String,
    pub passed: bool,
    /// What was found against what is expected.
    pub value: String,
}

/// What the reader sees of a computation.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// The maps are there, and what only accompanies them (the motion of the frames) follows with a second answer.
    pub provisional: bool,
    /// The series of each map.
    pub maps: Vec<(Map, SeriesId)>,
    /// Even times of the curves.
    pub times_s: Vec<f64>,
    /// HU, or what concentration is given in.
    pub unit: String,
    /// How the frames lie in time, as lines of name and value.
    pub frames: Vec<(String, String)>,
    pub motion: Option<Motion>,
    pub masked_ml: f64,
    /// Standard deviation of the Gaussian that was applied, mm; 0 for none.
    pub smoothed_mm: f64,
    pub aif: Vessel,
    pub vof: Option<Vessel>,
    /// Hypoperfused, severe, core and so on.
    pub regions: Vec<Region>,
    pub core_ml: f64,
    pub hypoperfused_ml: f64,
    pub mismatch_ml: f64,
    pub mismatch_ratio: Option<f64>,
    /// Tmax > 10 s over Tmax > 6 s.
    pub intensity_ratio: Option<f64>,
    /// Where the hemispheres part, as found or as the reader put it.
    pub midline: Option<Midline>,
    pub quality: Vec<Check>,
    pub warnings: Vec<String>,
    /// Where it was computed.
    pub backend: String,
    /// Since the question, and by stage.
    pub ms: f64,
    pub stages_ms: Vec<(String, f64)>,
}

/// Whose curve is asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    Point([f64; 3]),
    Region(scene::measure::Roi),
}

/// A curve at the even times; empty where there is none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    pub values: Vec<f64>,
    /// What each map says there.
    pub maps: Vec<(Map, f64)>,
    /// Of a region: itself against its mirror image about the midline.
    #[serde(default)]
    pub sides: Vec<Sides>,
}

/// A map in a region and in its mirror image.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sides {
    pub map: Map,
    /// Mean in the region.
    pub region: f64,
    /// Mean in its mirror image.
    pub mirror: f64,
    /// Region over mirror; `None` where that is 0.
    pub ratio: Option<f64>,
    /// Region less mirror.
    pub difference: f64,
}

/// File formats.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Pdf,
    Csv,
    Json,
    /// One map.
    Nifti(Map),
}
