//! Calcium scoring between page and worker.
//!
//! The page keeps what the reader decided (a [`Session`]) and sends all of it every time; the worker keeps the
//! candidates. So undo, redo and a report that is opened again are the same message with another session.

use contract::calcium::{Region, Session, Vessel};
use serde::{Deserialize, Serialize};

use crate::SeriesId;

/// What to score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    pub series: SeriesId,
    pub session: Session,
    /// While a slider moves: without what takes longest (isotropic volume, the other conventions).
    pub quick: bool,
}

/// File formats of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    Pdf,
    Csv,
    Json,
}

/// Whether a series can be scored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Offer {
    /// Why not.
    Refused(String),
    /// With where to start, as the series suggests it.
    Possible(Suggestion),
    /// It looks like a scan that was made for it: the page scores it without being asked.
    Likely(Suggestion),
}

/// What a reader starts from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    /// A box around the heart, by a rule of thumb; known once every slice has arrived.
    pub region: Option<Region>,
    /// For the tube voltage.
    pub standard_threshold_hu: f64,
    /// Conventions by name, with who says so; the first is the default.
    pub conventions: Vec<(String, String)>,
}

/// Sums of a row of the table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sums {
    pub lesions: u32,
    pub agatston: f64,
    pub volume_mm3: f64,
    pub mass_mg: Option<f64>,
}

/// A lesion, largest score first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesion {
    pub id: u32,
    pub vessel: Option<Vessel>,
    pub agatston: f64,
    pub volume_mm3: f64,
    pub peak_hu: f64,
    /// First and last slice, from 0.
    pub slices: [u32; 2],
    /// Its middle, in the world.
    pub centre_mm: [f64; 3],
    /// The middle of one of its voxels, in the world.
    pub on_mm: [f64; 3],
}

/// The total over the accepted conventions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Band {
    pub lowest: f64,
    pub highest: f64,
    pub class_flips: bool,
    /// Convention, total, category.
    pub alternatives: Vec<(String, f64, String)>,
}

/// A score, for the screen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Table {
    pub threshold_hu: f64,
    pub standard_threshold_hu: f64,
    /// NON-STANDARD THRESHOLD, where it is.
    pub stamp: Option<String>,
    /// One for every vessel, in their order.
    pub vessels: Vec<(Vessel, Sums)>,
    /// What no vessel was given; part of the total only while nothing was assigned at all.
    pub unassigned: Sums,
    pub total: Sums,
    /// Rounded once; a score above 0 is at least 1.
    pub agatston_rounded: u32,
    /// CAC-DRS
    pub category: String,
    /// The classic class.
    pub classic: String,
    /// Only what was given to a vessel counts.
    pub assigned: bool,
    /// The first of `lesion_count`.
    pub lesions: Vec<Lesion>,
    pub lesion_count: u32,
    /// Steps of the session that met no lesion at this threshold.
    pub without_effect: Vec<u32>,
    /// How many steps the session has.
    pub steps: u32,
    /// Everything that decides about the score, as lines of name and value.
    pub settings: Vec<(String, String)>,
    pub settings_sha256: String,
    /// Absent in a quick answer.
    pub band: Option<Band>,
    /// MESA 2015, percent.
    pub risk_percent: Option<f64>,
    pub warnings: Vec<String>,
    /// Where it was computed.
    pub backend: String,
    pub ms: f64,
    /// Whether it answers a quick task.
    pub quick: bool,
}
