//! From the positions of slices to a grid, with everything that is not straight, even and complete told.
//!
//! The step between slices is taken from the first and the last position, not from Slice Thickness: only
//! positions are about the patient, and a tilted gantry shows itself as a step that is not the normal.

use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

use crate::header::{FrameHeader, Spacing, SpacingSource};

/// Gaps that differ by less, relative to the usual one, are even: positions are decimal strings.
const EVEN_TOLERANCE: f64 = 0.01;

/// A step off the normal by less is rounding.
const TILT_TOLERANCE_DEG: f64 = 0.05;

/// A stack's geometry.
pub(super) struct Geometry {
    pub grid: Grid,
    /// Index in the grid of each distinct position.
    pub slice_of_position: Vec<u32>,
    pub warnings: Vec<String>,
}

/// `positions`: one per slice, ascending along the normal of `orientation`.
pub(super) fn geometry(
    positions: &[DVec3],
    frame: &FrameHeader,
    orientation: [DVec3; 2],
    spacing: Spacing,
    dims: [u32; 2],
) -> Geometry {
    let mut warnings = Vec::new();
    note_spacing(spacing, &mut warnings);
    let [right, down] = orientation;
    let normal = right.cross(down);
    let (slice_of_position, slices) = slice_indices(positions, normal, &mut warnings);
    let step = match positions {
        [first, .., last] => (*last - *first) / f64::from(slices - 1),
        _ => {
            let depth = frame.spacing_between_slices_mm.or(frame.slice_thickness_mm);
            normal * depth.unwrap_or(1.0)
        }
    };
    if positions.len() > 1 {
        note_tilt(step, normal, frame.gantry_tilt_deg, &mut warnings);
        note_drift(positions, &slice_of_position, step, normal, spacing, &mut warnings);
    }
    let m = DMat3::from_cols(right * spacing.column_mm, down * spacing.row_mm, step);
    let world_from_voxel =
        DAffine3::from_mat3_translation(m, positions.first().copied().unwrap_or(DVec3::ZERO));
    let dims = [dims[0], dims[1], slices];
    let grid = match Grid::new(dims, world_from_voxel, LengthUnit::Millimetre, Frame::Patient) {
        Ok(grid) => grid,
        Err(error) => {
            warnings.push(format!("The geometry cannot be used: {error} Shown as pictures without a place."));
            plain(dims)
        }
    };
    Geometry { grid, slice_of_position, warnings }
}

/// One world unit per pixel. Dimensions come from a checked image pixel module, so they are never 0.
fn plain(dims: [u32; 3]) -> Grid {
    let [columns, rows, slices] = dims.map(|n| n.max(1));
    #[allow(clippy::expect_used, reason = "a picture's grid is refused for zero sizes only")]
    Grid::picture(columns, rows, slices).expect("sizes are at least 1")
}

/// Pictures without a place in the patient: pixel spacing if it is known, slices one above the other.
pub(super) fn picture(frame: &FrameHeader, dims: [u32; 3], warnings: &mut Vec<String>) -> Grid {
    let Some(spacing) = frame.spacing else { return plain(dims) };
    note_spacing(spacing, warnings);
    let step = frame.spacing_between_slices_mm.or(frame.slice_thickness_mm).unwrap_or(spacing.column_mm);
    let m = DMat3::from_diagonal(DVec3::new(spacing.column_mm, spacing.row_mm, step));
    Grid::new(dims, DAffine3::from_mat3(m), LengthUnit::Millimetre, Frame::Image)
        .unwrap_or_else(|_| plain(dims))
}

fn note_spacing(spacing: Spacing, warnings: &mut Vec<String>) {
    match spacing.source {
        SpacingSource::Pixel | SpacingSource::Ultrasound => {}
        SpacingSource::Imager => warnings.push(format!(
            "Lengths are at the detector, not in the patient: only Imager Pixel Spacing (0018,1164) is known ({} x {} mm).",
            spacing.column_mm, spacing.row_mm
        )),
        SpacingSource::NominalScanned => warnings.push(format!(
            "Lengths are on the scanned film: only Nominal Scanned Pixel Spacing (0018,2010) is known ({} x {} mm).",
            spacing.column_mm, spacing.row_mm
        )),
    }
}

/// Grid index of every position and the number of slices; gaps of whole multiples hold missing slices.
fn slice_indices(positions: &[DVec3], normal: DVec3, warnings: &mut Vec<String>) -> (Vec<u32>, u32) {
    let straight = || ((0..positions.len() as u32).collect(), positions.len().max(1) as u32);
    let depths: Vec<f64> = positions.iter().map(|p| p.dot(normal)).collect();
    let gaps: Vec<f64> = depths.windows(2).map(|w| w[1] - w[0]).collect();
    if gaps.len() < 2 {
        return straight();
    }
    let mut sorted = gaps.clone();
    sorted.sort_by(f64::total_cmp);
    let usual = sorted[(sorted.len() - 1) / 2];
    let (least, most) = (sorted[0], sorted[sorted.len() - 1]);
    if most - usual <= EVEN_TOLERANCE * usual && usual - least <= EVEN_TOLERANCE * usual {
        return straight();
    }
    let whole: Vec<f64> = gaps.iter().map(|g| (g / usual).round()).collect();
    let multiples = gaps.iter().zip(&whole).all(|(g, n)| *n >= 1.0 && (g / usual - n).abs() <= 0.05);
    let missing: f64 = whole.iter().map(|n| n - 1.0).sum();
    // More gaps than images is no stack with holes but two stacks; empty slices would be most of it.
    if multiples && missing >= 1.0 && missing <= positions.len() as f64 {
        let mut index = vec![0u32];
        let mut holes = Vec::new();
        for (i, n) in whole.iter().enumerate() {
            index.push(index[i] + *n as u32);
            if *n > 1.0 {
                holes.push(format!("{} between {:.2} and {:.2} mm", *n as u32 - 1, depths[i], depths[i + 1]));
            }
        }
        let slices = index[index.len() - 1] + 1;
        warnings.push(format!(
            "{missing} of {slices} slices are missing (spacing {usual:.3} mm): {}. Their places are left empty.",
            holes.join("; ")
        ));
        return (index, slices);
    }
    warnings.push(format!(
        "Slice spacing is uneven: {least:.3} to {most:.3} mm, usually {usual:.3} mm. Slices are shown at even distances; lengths across slices are approximate."
    ));
    straight()
}

fn note_tilt(step: DVec3, normal: DVec3, stated_deg: Option<f64>, warnings: &mut Vec<String>) {
    let tilt_deg = step.angle_between(normal).to_degrees();
    if tilt_deg > TILT_TOLERANCE_DEG {
        let stated = stated_deg
            .filter(|t| *t != 0.0)
            .map_or(String::new(), |t| format!(" (Gantry/Detector Tilt (0018,1120) says {t:.1})"));
        warnings.push(format!(
            "Gantry tilt: the slices are stacked {tilt_deg:.1} degrees off their normal{stated}. The shear is kept, so positions and lengths are right."
        ));
    }
}

/// Slices shifted sideways against the straight line from the first to the last.
fn note_drift(
    positions: &[DVec3],
    slice_of: &[u32],
    step: DVec3,
    normal: DVec3,
    spacing: Spacing,
    warnings: &mut Vec<String>,
) {
    let off = |(p, z): (&DVec3, &u32)| {
        let d = *p - positions[0] - step * f64::from(*z);
        (d - normal * d.dot(normal)).length()
    };
    let most = positions.iter().zip(slice_of).map(off).fold(0.0, f64::max);
    if most > 0.5 * spacing.column_mm.min(spacing.row_mm) {
        warnings.push(format!(
            "Slices are shifted sideways by up to {most:.2} mm against a straight stack; they are shown without that shift."
        ));
    }
}
