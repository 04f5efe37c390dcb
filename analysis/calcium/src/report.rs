//! What a score says, with everything it depends on.
//!
//! A number without its settings cannot be compared with another; they travel together, in JSON and in CSV.

use std::fmt::Write as _;

use contract::calcium::Session;
use imaging::Voxels;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use crate::category::Classic;
use crate::percentile::Rank;
use crate::score::{Lesion, ScoredComponent, Sums, VesselRow};
use crate::settings::Settings;

/// On every export.
pub const RESEARCH_USE: &str = "Research use only. Not for diagnosis.";

/// One score over the accepted conventions.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Alternative {
    /// See [`crate::settings::Convention`].
    pub convention: String,
    /// Total.
    pub agatston: f64,
    /// As in [`Report::category`], without vessels.
    pub category: String,
    /// Classic class.
    pub classic: Classic,
}

/// How far the conventions move the total at this threshold.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sensitivity {
    /// Smallest total.
    pub agatston_min: f64,
    /// Largest total.
    pub agatston_max: f64,
    /// Whether CAC-DRS or the classic class depends on the convention.
    pub class_flips: bool,
    /// All of them.
    pub alternatives: Vec<Alternative>,
}

/// What was scored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InputSummary {
    /// As the file says it.
    pub modality: String,
    /// Columns, rows, slices.
    pub dims: [u32; 3],
    /// Along columns, rows and slices.
    pub spacing_mm: [f64; 3],
    /// At right angles to the slices.
    pub increment_mm: f64,
    /// Absent where images differ or say nothing.
    pub slice_thickness_mm: Option<f64>,
    /// Absent where images differ or say nothing.
    pub kvp: Option<f64>,
    /// sha256 of the stored voxels, little endian, if the caller computed it.
    pub voxels_sha256: Option<String>,
}

/// Which program.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Software {
    /// Name.
    pub name: &'static str,
    /// Version.
    pub version: &'static str,
}

/// Milliseconds of each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Timings {
    /// The volume to the GPU; 0 on the CPU, and where it lay on the GPU already.
    pub upload: f64,
    /// Threshold and compaction.
    pub candidates: f64,
    /// Connected components.
    pub label: f64,
    /// Scores, lesions, vessels, isotropic volume.
    pub score: f64,
    /// The other conventions.
    pub sensitivity: f64,
    /// All of it.
    pub total: f64,
}

/// The result of [`crate::run`].
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`RESEARCH_USE`]
    pub research_use: &'static str,
    /// The method in words.
    pub method: &'static str,
    /// See [`Software`].
    pub software: Software,
    /// All that decides about the score.
    pub settings: Settings,
    /// See [`Settings::hash`].
    pub settings_sha256: String,
    /// What the reader decided, so that the report can be opened again.
    pub session: Session,
    /// Steps of the session that met no lesion at this threshold, by their place in the list.
    pub steps_without_effect: Vec<u32>,
    /// NON-STANDARD THRESHOLD, where it is.
    pub stamp: Option<String>,
    /// What was scored.
    pub input: InputSummary,
    /// By slice.
    pub components: Vec<ScoredComponent>,
    /// Components below the minimum area; they count nothing and are not listed.
    pub components_too_small: u32,
    /// In 3D.
    pub lesions: Vec<Lesion>,
    /// By vessel.
    pub vessels: Vec<VesselRow>,
    /// Unrounded.
    pub total: Sums,
    /// Rounded once, for people; a score above 0 is at least 1.
    pub agatston_rounded: u32,
    /// CAC-DRS: `A0` to `A3`, with `/N0` to `/N4` where vessels were assigned.
    pub category: String,
    /// Classic class.
    pub classic: Classic,
    /// LM, LAD, LCX, RCA with calcium; absent where no vessel was assigned.
    pub vessels_with_calcium: Option<u8>,
    /// Ten-year risk (MESA 2015) in percent, where the person was described and lies in the model's range.
    pub mesa_10_year_risk_percent: Option<f64>,
    /// Place among others by the user's own table; absent without one.
    pub percentile: Option<Rank>,
    /// See [`Sensitivity`]; absent in a quick re-score.
    pub sensitivity: Option<Sensitivity>,
    /// Where it was computed: `cpu`, or `gpu: ` and the adapter.
    pub backend: String,
    /// See [`Timings`].
    pub timings_ms: Timings,
    /// For the reader.
    pub warnings: Vec<String>,
}

fn number(value: Option<f64>) -> String {
    value.map(|v| v.to_string()).unwrap_or_default()
}

/// A field of CSV (RFC 4180).
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

impl Report {
    /// The table of lesions, vessels and total as CSV; settings, stamp and warnings as rows of their own.
    pub fn csv(&self) -> String {
        let mut out = String::from(
            "row,id,vessel,lesions,components,agatston,volume_mm3,volume_isotropic_mm3,mass_mg,note\n",
        );
        let mut line = |row: &str, id: &str, vessel: &str, sums: Option<&Sums>, note: &str| {
            let figures = sums.map_or_else(
                || ",,,,,".to_owned(),
                |s| {
                    let (isotropic, mass) = (number(s.volume_isotropic_mm3), number(s.mass_mg));
                    format!(
                        "{},{},{},{},{isotropic},{mass}",
                        s.lesions, s.components, s.agatston, s.volume_mm3
                    )
                },
            );
            let note = if note.is_empty() { String::new() } else { quoted(note) };
            let _ = writeln!(out, "{row},{id},{vessel},{figures},{note}");
        };
        for lesion in &self.lesions {
            let vessel = lesion.vessel.map_or("", |v| v.name());
            let id = lesion.id.to_string();
            line("lesion", &id, vessel, Some(&lesion.sums), "");
        }
        for row in &self.vessels {
            line("vessel", "", row.vessel.name(), Some(&row.sums), "");
        }
        line("total", "", "", Some(&self.total), self.stamp.as_deref().unwrap_or(""));
        line("category", "", "", None, &self.category);
        let settings = serde_json::to_string(&self.settings).unwrap_or_default();
        line("settings", "", "", None, &settings);
        line("settings_sha256", "", "", None, &self.settings_sha256);
        for warning in &self.warnings {
            line("warning", "", "", None, warning);
        }
        line(
            "software",
            "",
            "",
            None,
            &format!("{} {} ({})", self.software.name, self.software.version, self.backend),
        );
        line("research_use", "", "", None, self.research_use);
        out
    }
}

/// sha256 of stored voxels, little endian, for [`crate::InputSummary::voxels_sha256`].
pub fn voxels_sha256(voxels: &Voxels) -> String {
    let mut hasher = Sha256::new();
    let mut bytes = Vec::with_capacity(1 << 16);
    let mut feed = |value: &[u8], last: bool| {
        bytes.extend_from_slice(value);
        if last || bytes.len() >= (1 << 16) - 8 {
            hasher.update(&bytes);
            bytes.clear();
        }
    };
    match voxels {
        Voxels::I16(v) => v.iter().for_each(|x| feed(&x.to_le_bytes(), false)),
        Voxels::U16(v) => v.iter().for_each(|x| feed(&x.to_le_bytes(), false)),
        Voxels::F32(v) => v.iter().for_each(|x| feed(&x.to_le_bytes(), false)),
        Voxels::Rgba8(v) => v.iter().for_each(|x| feed(x, false)),
    }
    feed(&[], true);
    hasher.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
