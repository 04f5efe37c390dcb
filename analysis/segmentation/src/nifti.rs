//! NIfTI label maps: written with the affine of the image, read from whatever `imaging` has loaded.
//!
//! The format knows no names, so a file says values and places only; names and colours are lost in it by nature.

use std::io::Write as _;

use flate2::Compression;
use flate2::write::GzEncoder;
use glam::{DMat3, DQuat, DVec3};
use imaging::{Volume, Voxels};
use scene::{Grid, LengthUnit};

use crate::labels::{Label, LabelError, LabelVolume};
use crate::resample;

/// Bytes before the voxels: the header and four that say that no extension follows.
const DATA_OFFSET: usize = 352;

/// Why there is no file, or no label map.
#[derive(Debug, thiserror::Error)]
pub enum NiftiLabelError {
    /// NIfTI-1 counts in 16 bits.
    #[error("NIfTI-1 holds 32767 voxels along an axis, this label map has {0}. Export it as DICOM SEG.")]
    TooLong(u32),
    /// Compressing failed.
    #[error("The label map could not be compressed: {0}")]
    Io(#[from] std::io::Error),
    /// A value between two labels.
    #[error(
        "The value {0} is no label: labels are whole numbers from 0. Is this an image instead of a label map?"
    )]
    NotALabel(f64),
    /// Colour.
    #[error("The file is a colour picture, not a label map.")]
    Colour,
    /// More than 255 structures, or labels that do not fit.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// No voxel of it lies in the image.
    #[error("No label of the file lies within the image. Open the labels on the image they belong to.")]
    Elsewhere,
}

/// A label map that was read, on the grid it was asked for.
#[derive(Debug)]
pub struct Read {
    /// On that grid.
    pub labels: LabelVolume,
    /// What a reader should know.
    pub warnings: Vec<String>,
}

/// A gzipped NIfTI-1 file of unsigned bytes (`.nii.gz`).
pub fn write(labels: &LabelVolume) -> Result<Vec<u8>, NiftiLabelError> {
    let mut out = GzEncoder::new(Vec::new(), Compression::fast());
    out.write_all(&header(labels.grid())?)?;
    out.write_all(labels.voxels())?;
    Ok(out.finish()?)
}

fn header(grid: &Grid) -> Result<[u8; DATA_OFFSET], NiftiLabelError> {
    let mut bytes = [0u8; DATA_OFFSET];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    // Offsets of nifti1.h.
    put(0, &348i32.to_le_bytes());
    let dims = grid.dims();
    put(40, &3i16.to_le_bytes());
    for (axis, n) in dims.into_iter().enumerate() {
        let n = i16::try_from(n).map_err(|_| NiftiLabelError::TooLong(n))?;
        put(42 + 2 * axis, &n.to_le_bytes());
    }
    for axis in 3..7 {
        put(42 + 2 * axis, &1i16.to_le_bytes());
    }
    // NIFTI_INTENT_LABEL, DT_UINT8.
    put(68, &1002i16.to_le_bytes());
    put(70, &2i16.to_le_bytes());
    put(72, &8i16.to_le_bytes());
    let float = |value: f64| (value as f32).to_le_bytes();
    let (quaternion, qfac) = quaternion(grid);
    put(76, &float(qfac));
    for (axis, mm) in grid.spacing().into_iter().enumerate() {
        put(80 + 4 * axis, &float(mm));
    }
    put(108, &float(DATA_OFFSET as f64));
    put(112, &float(1.0));
    // Millimetres; unknown where the image has none.
    put(123, &[if grid.length_unit == LengthUnit::Millimetre { 2 } else { 0 }]);
    put(148, b"Isocenter label map. Research use only.");
    // From LPS to RAS: the first two axes turn around.
    let lps = grid.world_from_voxel_row_major();
    let ras =
        |row: usize, column: usize| if row < 2 { -lps[4 * row + column] } else { lps[4 * row + column] };
    if let Some(q) = quaternion {
        put(252, &1i16.to_le_bytes());
        for (k, part) in [q.x, q.y, q.z].into_iter().enumerate() {
            put(256 + 4 * k, &float(part));
        }
        for row in 0..3 {
            put(268 + 4 * row, &float(ras(row, 3)));
        }
    }
    put(254, &1i16.to_le_bytes());
    for row in 0..3 {
        for column in 0..4 {
            put(280 + 16 * row + 4 * column, &float(ras(row, column)));
        }
    }
    put(344, b"n+1\0");
    Ok(bytes)
}

/// The rotation for programs that read the qform only, and qfac; `None` for sheared grids, which it cannot say.
fn quaternion(grid: &Grid) -> (Option<DQuat>, f64) {
    let m = grid.world_from_voxel().matrix3;
    let flip = |v: DVec3| DVec3::new(-v.x, -v.y, v.z).normalize();
    let (x, y, mut z) = (flip(m.x_axis), flip(m.y_axis), flip(m.z_axis));
    if x.dot(y).abs().max(x.dot(z).abs()).max(y.dot(z).abs()) > 1e-5 {
        return (None, 1.0);
    }
    let qfac = if DMat3::from_cols(x, y, z).determinant() < 0.0 { -1.0 } else { 1.0 };
    z *= qfac;
    let q = DQuat::from_mat3(&DMat3::from_cols(x, y, z));
    // nifti1.h computes the first part as a positive root.
    (Some(if q.w < 0.0 { -q } else { q }), qfac)
}

/// Takes the first time point of a loaded volume for labels and lays them on `onto`.
pub fn from_volume(volume: &Volume, onto: &Grid) -> Result<Read, NiftiLabelError> {
    if matches!(volume.voxels, Voxels::Rgba8(_)) {
        return Err(NiftiLabelError::Colour);
    }
    let count = volume.grid.voxel_count();
    let mut warnings = Vec::new();
    let mut values: Vec<u32> = Vec::with_capacity(count);
    for at in 0..count {
        let value = volume.voxels.get(at).map_or(0.0, |stored| volume.rescale.apply(stored));
        // Labels of FreeSurfer go beyond 10,000; what is no whole number is an image.
        if !(0.0..=16_777_216.0).contains(&value) || (value - value.round()).abs() > 1e-3 {
            return Err(NiftiLabelError::NotALabel(value));
        }
        values.push(value.round() as u32);
    }
    if volume.time_points > 1 {
        warnings.push(format!("The file has {} time points; the first was read.", volume.time_points));
    }
    let mut distinct: Vec<u32> = values.clone();
    distinct.sort_unstable();
    distinct.dedup();
    distinct.retain(|value| *value != 0);
    if distinct.len() > 255 {
        return Err(LabelError::TooMany(distinct.len()).into());
    }
    let renumbered = distinct.last().is_some_and(|largest| *largest > 255);
    if renumbered {
        warnings.push("Labels above 255 were given new numbers; their names keep the old ones.".into());
    }
    let id_of = |value: u32| -> u8 {
        if value == 0 {
            0
        } else if renumbered {
            distinct.binary_search(&value).map_or(0, |at| (at + 1) as u8)
        } else {
            value as u8
        }
    };
    let described = distinct
        .iter()
        .map(|value| Label { name: format!("Label {value}"), ..Label::numbered(id_of(*value)) })
        .collect();
    let own = values.into_iter().map(id_of).collect();
    let from = LabelVolume::new(volume.grid.clone(), own, described)?;
    let labels = resample::onto(&from, onto)?;
    if !distinct.is_empty() && labels.voxels().iter().all(|label| *label == 0) {
        return Err(NiftiLabelError::Elsewhere);
    }
    Ok(Read { labels, warnings })
}
