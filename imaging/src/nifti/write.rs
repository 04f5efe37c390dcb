//! NIfTI-1 out: maps and labels on the grid that they were computed on.
//!
//! The place is written as an sform, which every reader takes first; its numbers are those of our grid turned back
//! from LPS to RAS, so that a file that was read comes back where it was.

use std::io::Write as _;

use scene::{Frame, Grid};

/// Voxels to write, in the order columns, rows, slices, time points.
#[derive(Clone, Copy, Debug)]
pub enum NiftiVoxels<'a> {
    /// Labels.
    U8(&'a [u8]),
    /// Stored values.
    I16(&'a [i16]),
    /// Maps.
    F32(&'a [f32]),
}

/// Why a file cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum NiftiWriteError {
    /// Voxels that are no whole number of volumes.
    #[error("{0} voxels do not fill volumes of {1:?}: give one value per voxel and time point.")]
    Count(usize, [u32; 3]),
    /// NIfTI-1 counts in 16 bits.
    #[error("{0:?} voxels and {1} time points are more than NIfTI-1 can count (32767 along each axis).")]
    Size([u32; 3], usize),
    /// The compressor failed.
    #[error("the voxels could not be compressed: {0}")]
    Gzip(#[from] std::io::Error),
}

/// A single `.nii`, or `.nii.gz` where `gzip` is set. `time_step_s` is for several time points. The same bytes
/// every time.
pub fn nifti_bytes(
    grid: &Grid,
    voxels: NiftiVoxels,
    time_step_s: Option<f64>,
    description: &str,
    gzip: bool,
) -> Result<Vec<u8>, NiftiWriteError> {
    let dims = grid.dims();
    let (count, code, bits) = match voxels {
        NiftiVoxels::U8(v) => (v.len(), 2i16, 8i16),
        NiftiVoxels::I16(v) => (v.len(), 4, 16),
        NiftiVoxels::F32(v) => (v.len(), 16, 32),
    };
    let times = count / grid.voxel_count();
    if times == 0 || times * grid.voxel_count() != count {
        return Err(NiftiWriteError::Count(count, dims));
    }
    let short = |n: usize| i16::try_from(n).map_err(|_| NiftiWriteError::Size(dims, times));
    let sizes = [short(dims[0] as usize)?, short(dims[1] as usize)?, short(dims[2] as usize)?, short(times)?];
    let mut bytes = vec![0u8; 352];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &348i32.to_le_bytes());
    put(40, &(if times > 1 { 4i16 } else { 3 }).to_le_bytes());
    for (i, n) in sizes.into_iter().chain([1, 1, 1]).enumerate() {
        put(42 + 2 * i, &n.to_le_bytes());
    }
    put(70, &code.to_le_bytes());
    put(72, &bits.to_le_bytes());
    let [x, y, z] = grid.spacing().map(|mm| mm as f32);
    let step = if times > 1 { time_step_s.unwrap_or(1.0) as f32 } else { 0.0 };
    for (i, v) in [1.0, x, y, z, step].into_iter().enumerate() {
        put(76 + 4 * i, &v.to_le_bytes());
    }
    put(108, &352f32.to_le_bytes());
    put(112, &1f32.to_le_bytes());
    // Millimetres and seconds.
    put(123, &[2 | 8]);
    let text: Vec<u8> = description.bytes().filter(u8::is_ascii).take(79).collect();
    put(148, &text);
    // 1: in the scanner's coordinates; a picture without a patient has some of its own.
    let sform_code: i16 = if grid.frame == Frame::Patient { 1 } else { 2 };
    put(254, &sform_code.to_le_bytes());
    let m = grid.world_from_voxel_row_major();
    for row in 0..3 {
        // NIfTI is RAS: the first two axes of LPS change their sign.
        let sign = if row < 2 { -1.0 } else { 1.0 };
        for column in 0..4 {
            put(280 + 16 * row + 4 * column, &((sign * m[4 * row + column]) as f32).to_le_bytes());
        }
    }
    put(344, b"n+1\0");
    match voxels {
        NiftiVoxels::U8(v) => bytes.extend_from_slice(v),
        NiftiVoxels::I16(v) => bytes.extend(v.iter().flat_map(|x| x.to_le_bytes())),
        NiftiVoxels::F32(v) => bytes.extend(v.iter().flat_map(|x| x.to_le_bytes())),
    }
    if !gzip {
        return Ok(bytes);
    }
    // No time and no name, so that the bytes depend on nothing else.
    let mut encoder = flate2::GzBuilder::new().write(Vec::new(), flate2::Compression::new(4));
    encoder.write_all(&bytes)?;
    Ok(encoder.finish()?)
}

#[cfg(test)]
mod tests {
    use scene::{DAffine3, DMat3, DVec3, LengthUnit};

    use super::*;
    use crate::limits::Limits;
    use crate::source::Buffer;
    use crate::{Voxels, read_study};

    /// Oblique, unequal spacing.
    fn grid() -> Grid {
        let turn = DMat3::from_axis_angle(DVec3::new(1.0, 2.0, 3.0).normalize(), 0.4);
        let m = turn * DMat3::from_diagonal(DVec3::new(0.75, 2.5, 7.25));
        let placed = DAffine3::from_mat3_translation(m, DVec3::new(-10.0, 20.5, 300.25));
        Grid::new([5, 4, 3], placed, LengthUnit::Millimetre, Frame::Patient).unwrap()
    }

    #[test]
    fn what_was_written_is_read_again_at_its_place() {
        let values: Vec<f32> = (0..120).map(|i| i as f32 * 0.25 - 7.0).collect();
        for gzip in [false, true] {
            let bytes =
                nifti_bytes(&grid(), NiftiVoxels::F32(&values), Some(1.5), "CBF in ml/100 g/min", gzip)
                    .unwrap();
            let name = if gzip { "a.nii.gz" } else { "a.nii" }.to_owned();
            let mut catalog = read_study(vec![Buffer { name, bytes }], &Limits::default());
            let volume = catalog.volume(0).unwrap();
            assert_eq!(volume.voxels, Voxels::F32(values.clone()));
            assert_eq!((volume.time_points, volume.times_s), (2, vec![0.0, 1.5]));
            let (got, want) = (volume.grid.world_from_voxel_row_major(), grid().world_from_voxel_row_major());
            assert!(got.iter().zip(want).all(|(g, w)| (g - w).abs() < 1e-4), "{got:?}");
            assert_eq!(catalog.series[0].corner_right, ["CBF in ml/100 g/min"]);
        }
    }

    #[test]
    fn voxels_that_fill_no_volume_are_refused() {
        let error = nifti_bytes(&grid(), NiftiVoxels::U8(&[0; 61]), None, "", false).unwrap_err();
        assert!(error.to_string().contains("61 voxels"), "{error}");
        assert!(nifti_bytes(&grid(), NiftiVoxels::I16(&[]), None, "", false).is_err());
    }
}
