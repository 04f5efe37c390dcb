//! Whether a series can be scored at all, and what a reader must know about it.
//!
//! A refusal is for what has no Hounsfield units or no millimetres; everything else is scored, with each
//! departure from the standard acquisition named by its value.

use imaging::header::Acquisition;
use imaging::{Series, Volume, Voxels};
use scene::{DVec3, Frame, LengthUnit};

use crate::settings;

/// A series and its voxels.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// Time point 0 is scored.
    pub volume: &'a Volume,
    /// (0008,0060), or `NIfTI`.
    pub modality: &'a str,
    /// What the headers say.
    pub acquisition: &'a Acquisition,
    /// From reading and loading; they travel with the report.
    pub reading_warnings: &'a [String],
}

impl<'a> Input<'a> {
    /// A loaded series of a catalog.
    pub fn new(series: &'a Series, volume: &'a Volume, reading_warnings: &'a [String]) -> Self {
        Self { volume, modality: &series.modality, acquisition: &series.acquisition, reading_warnings }
    }
}

/// Why a series is not scored.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// MR, PET, pictures.
    #[error(
        "The modality is {0}. Calcium is scored on CT (or NIfTI) in Hounsfield units: choose another series."
    )]
    Modality(String),
    /// (0008,0008)
    #[error("Image Type (0008,0008) is {0}: a localizer is a projection. Choose the axial series.")]
    Localizer(String),
    /// Red, green and blue.
    #[error("The series is in colour and has no Hounsfield units. Choose the original CT series.")]
    Colour,
    /// No Rescale Slope and Intercept, or a unit that is not HU.
    #[error(
        "The values are not Hounsfield units (unit: {0}): Rescale Slope (0028,1053) and Intercept (0028,1052) are missing or Rescale Type (0028,1054) is another. Export the original CT series."
    )]
    NotHounsfield(String),
    /// Pixel Spacing (0028,0030) or positions are missing.
    #[error("No spacing is known, so there are no mm². Export the series with Pixel Spacing (0028,0030).")]
    NoSpacing,
    /// Several phases.
    #[error("The series has {0} time points. Choose one phase and load its images alone.")]
    TimePoints(u32),
    /// More pixels in a slice than an index holds, or voxels that do not fill the grid.
    #[error("The volume of {0:?} voxels cannot be indexed. Crop it.")]
    Size([u32; 3]),
}

/// Area of a pixel and distance of slices, as measured at right angles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Geometry {
    /// mm²
    pub pixel_mm2: f64,
    /// mm, along the normal of the slices.
    pub increment_mm: f64,
    /// Angle of the slices' normal to the body axis; `None` outside of a patient.
    pub tilt_deg: Option<f64>,
}

impl Geometry {
    /// Of a volume's grid.
    pub fn of(volume: &Volume) -> Self {
        let m = volume.grid.world_from_voxel().matrix3;
        let normal = m.x_axis.cross(m.y_axis);
        let pixel_mm2 = normal.length();
        let increment_mm = m.determinant().abs() / pixel_mm2;
        let cosine = normal.dot(DVec3::Z).abs() / pixel_mm2;
        let tilt_deg = (volume.grid.frame == Frame::Patient).then(|| cosine.min(1.0).acos().to_degrees());
        Self { pixel_mm2, increment_mm, tilt_deg }
    }
}

/// The one tube voltage, if all images agree on one.
pub fn kvp(acquisition: &Acquisition) -> Option<f64> {
    match acquisition.kvp.as_slice() {
        [one] if *one > 0.0 => Some(*one),
        _ => None,
    }
}

/// The one slice thickness, if all images agree on one.
pub fn thickness_mm(acquisition: &Acquisition) -> Option<f64> {
    match acquisition.slice_thickness_mm.as_slice() {
        [one] => Some(*one),
        _ => None,
    }
}

/// Refuses what cannot be scored.
pub fn admit(input: &Input) -> Result<(), Refusal> {
    let Input { volume, modality, acquisition, .. } = input;
    if *modality != "CT" && *modality != "NIfTI" {
        let name = if modality.is_empty() { "not stated" } else { modality };
        return Err(Refusal::Modality(name.to_owned()));
    }
    // PS3.3 C.8.2.1.1.1: value 3 of Image Type.
    if acquisition.image_type.iter().any(|t| t == "LOCALIZER") {
        return Err(Refusal::Localizer(acquisition.image_type.join("\\")));
    }
    if matches!(volume.voxels, Voxels::Rgba8(_)) {
        return Err(Refusal::Colour);
    }
    if *modality == "CT" && volume.unit != "HU" {
        let unit = if volume.unit.is_empty() { "none" } else { &volume.unit };
        return Err(Refusal::NotHounsfield(unit.to_owned()));
    }
    if volume.grid.length_unit != LengthUnit::Millimetre {
        return Err(Refusal::NoSpacing);
    }
    if volume.time_points > 1 {
        return Err(Refusal::TimePoints(volume.time_points));
    }
    let dims = volume.grid.dims();
    if u32::try_from(u64::from(dims[0]) * u64::from(dims[1])).is_err()
        || volume.voxels.len() != volume.grid.voxel_count()
    {
        return Err(Refusal::Size(dims));
    }
    Ok(())
}

/// Whether a series looks like a scan that was made for scoring, so that a score need not be asked for: no
/// contrast, thick slices, and gated or described so.
pub fn made_for_it(input: &Input, description: &str) -> bool {
    const WORDS: [&str; 6] = ["calcium", "cascor", "casc", "ca score", "ca-score", "agatston"];
    let description = description.to_lowercase();
    let described = WORDS.iter().any(|w| description.contains(w));
    let thick = thickness_mm(input.acquisition).is_some_and(|t| (1.5..=5.0).contains(&t));
    let acquisition = input.acquisition;
    admit(input).is_ok()
        && acquisition.contrast_agent.is_none()
        && thick
        && (described || acquisition.gating.is_some())
}

/// Departures from a standard calcium scan, each with its value.
pub fn check(input: &Input, geometry: &Geometry) -> Vec<String> {
    let mut out: Vec<String> = Vec::new();
    let Input { volume, modality, acquisition, reading_warnings } = input;
    if *modality == "NIfTI" {
        out.push("NIfTI names no unit: its values are taken as Hounsfield units.".into());
        if !has_air(volume) {
            out.push("No value is below -200: the values may not be Hounsfield units.".into());
        }
    }
    if let Some(agent) = &acquisition.contrast_agent {
        out.push(format!(
            "Contrast agent (0018,0010) is {agent}: contrast raises the score; a calcium scan has none."
        ));
    }
    voltage(acquisition, &mut out);
    slices(acquisition, geometry, &mut out);
    if acquisition.gating.is_none() {
        out.push("No attribute says that the scan was gated: motion changes the score.".into());
    }
    if let Some(tilt) = geometry.tilt_deg.filter(|t| *t > 10.0) {
        out.push(format!(
            "The slices are tilted by {tilt:.0}° against axial: the score is defined on axial slices."
        ));
    }
    if !volume.missing.is_empty() {
        let n = volume.missing.len();
        out.push(format!(
            "{n} of {} slices are missing: what they hold is not counted.",
            volume.grid.dims()[2]
        ));
    }
    if let Some(lossy) = &volume.lossy {
        out.push(format!("The pixels were compressed with loss: {lossy}."));
    }
    out.extend(reading_warnings.iter().cloned());
    out
}

fn list(values: &[f64]) -> String {
    values.iter().map(f64::to_string).collect::<Vec<_>>().join(", ")
}

fn voltage(acquisition: &Acquisition, out: &mut Vec<String>) {
    match acquisition.kvp.as_slice() {
        [] => out.push("KVP (0018,0060) is not stated: 120 kV is assumed.".into()),
        [kvp] if (kvp - 120.0).abs() <= 1.0 => {}
        [kvp] => match settings::bands(*kvp) {
            Some(b) => out.push(format!(
                "KVP (0018,0060) is {kvp}, not 120: threshold and weights of {} kV are used ({} HU).",
                b.kvp, b.threshold_hu
            )),
            None => out.push(format!(
                "KVP (0018,0060) is {kvp}, not 120, and no published thresholds exist for it: those of 120 kV are used."
            )),
        },
        several => out.push(format!(
            "KVP (0018,0060) differs between the images ({}): the threshold of 120 kV is used.",
            list(several)
        )),
    }
}

fn slices(acquisition: &Acquisition, geometry: &Geometry, out: &mut Vec<String>) {
    let increment = geometry.increment_mm;
    match acquisition.slice_thickness_mm.as_slice() {
        [] => out.push("Slice Thickness (0018,0050) is not stated: overlap and gaps cannot be checked.".into()),
        [thickness] => {
            let t = *thickness;
            if !(2.495..=3.005).contains(&t) {
                out.push(format!(
                    "Slice Thickness (0018,0050) is {t} mm: the score is defined for 2.5 to 3 mm, thinner slices raise it."
                ));
            }
            // Positions are written with few digits; one percent is no overlap.
            if increment < 0.99 * t {
                out.push(format!(
                    "Slices overlap: thickness {t} mm, increment {increment:.3} mm. The increment is what counts, unless the convention says otherwise."
                ));
            } else if increment > 1.01 * t {
                out.push(format!(
                    "Gaps between slices: thickness {t} mm, increment {increment:.3} mm. Calcium in the gaps is extrapolated."
                ));
            }
        }
        several => out.push(format!(
            "Slice Thickness (0018,0050) differs between the images ({} mm): the increment of {increment:.3} mm is used.",
            list(several)
        )),
    }
}

/// Whether any value is that of air, as in every CT.
fn has_air(volume: &Volume) -> bool {
    let below = |stored: f64| volume.rescale.apply(stored) < -200.0;
    match &volume.voxels {
        Voxels::I16(v) => v.iter().any(|x| below(f64::from(*x))),
        Voxels::U16(v) => v.iter().any(|x| below(f64::from(*x))),
        Voxels::F32(v) => v.iter().any(|x| below(f64::from(*x))),
        Voxels::Rgba8(_) => false,
    }
}
