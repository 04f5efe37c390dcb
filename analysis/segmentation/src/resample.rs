//! A label map onto another grid, nearest voxel by nearest voxel.
//!
//! Nearest, because there is nothing between two labels. Where both grids share their voxel centres this copies
//! every label exactly, wherever the one begins in the other.

use scene::{DVec3, Grid};

use crate::labels::{LabelError, LabelVolume};

/// How far a position may be from a tie (a voxel's border) and still count as on it: files keep 32-bit floats.
pub(crate) const SLACK: f64 = 1e-4;

/// `from` on the grid `to`; 0 where `from` has no voxel.
pub fn onto(from: &LabelVolume, to: &Grid) -> Result<LabelVolume, LabelError> {
    let voxels = labels_onto(from.grid(), from.voxels(), to);
    LabelVolume::new(to.clone(), voxels, from.labels().to_vec())
}

/// The same for bare labels in the order of `from`.
pub fn labels_onto(from: &Grid, labels: &[u8], to: &Grid) -> Vec<u8> {
    let [columns, rows, slices] = to.dims();
    let [nx, ny, nz] = from.dims().map(i64::from);
    // One affine from voxel to voxel: two steps through the world would round twice.
    let from_to = from.voxel_from_world() * to.world_from_voxel();
    let mut out = Vec::with_capacity(to.voxel_count());
    for z in 0..slices {
        for y in 0..rows {
            let start = from_to.transform_point3(DVec3::new(0.0, f64::from(y), f64::from(z)));
            for x in 0..columns {
                let at = start + from_to.matrix3.x_axis * f64::from(x);
                let [i, j, k] = [at.x, at.y, at.z].map(nearest);
                let inside = (0..nx).contains(&i) && (0..ny).contains(&j) && (0..nz).contains(&k);
                let label = if inside { labels.get(((k * ny + j) * nx + i) as usize).copied() } else { None };
                out.push(label.unwrap_or(0));
            }
        }
    }
    out
}

/// The nearest whole number; ties go up, also those that rounding moved a little below.
pub(crate) fn nearest(position: f64) -> i64 {
    (position + 0.5 + SLACK).floor() as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use scene::{DAffine3, DMat3, Frame, LengthUnit};

    fn grid(dims: [u32; 3], spacing: [f64; 3], origin: [f64; 3], angle: f64) -> Grid {
        let turned = DMat3::from_axis_angle(DVec3::new(1.0, 2.0, 3.0).normalize(), angle);
        let matrix = turned * DMat3::from_diagonal(DVec3::from(spacing));
        let affine = DAffine3::from_mat3_translation(matrix, DVec3::from(origin));
        Grid::new(dims, affine, LengthUnit::Millimetre, Frame::Patient).unwrap()
    }

    #[test]
    fn a_part_of_the_same_grid_is_copied_exactly() {
        let whole = grid([7, 6, 5], [0.75, 2.5, 7.25], [-10.0, 20.0, 3.0], 0.4);
        let labels: Vec<u8> = (0..210).map(|i| (i % 251) as u8).collect();
        let from = LabelVolume::new(whole.clone(), labels.clone(), vec![]).unwrap();
        assert_eq!(onto(&from, &whole).unwrap(), from);
        // Begins at voxel 2, 1, 3.
        let origin = whole.world_from_voxel().transform_point3(DVec3::new(2.0, 1.0, 3.0));
        let part = grid([5, 4, 2], [0.75, 2.5, 7.25], origin.to_array(), 0.4);
        let got = onto(&from, &part).unwrap();
        for (index, label) in got.voxels().iter().enumerate() {
            let (x, y, z) = (2 + index % 5, 1 + index / 5 % 4, 3 + index / 20);
            assert_eq!(*label, labels[(z * 6 + y) * 7 + x]);
        }
        // And back: what lies outside of the part is background.
        let back = onto(&got, &whole).unwrap();
        assert_eq!(back.voxels()[0], 0);
        assert_eq!(back.voxels()[(3 * 6 + 1) * 7 + 2], labels[(3 * 6 + 1) * 7 + 2]);
    }
}
