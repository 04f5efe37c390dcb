//! Where the heart is likely to be: a box to start from, which the reader adjusts.
//!
//! A rule of thumb that can be explained and not a segmentation. Lung is what lies between -950 and -500 HU
//! (parenchyma, neither the air around the body nor fat). The box spans the lungs from side to side, so that
//! the ribs beside them are outside; from their front edge, behind the breastbone, to 70 % of their depth,
//! because the spine lies between their rear parts; and all slices. Where the lungs' voxels are too few to mean
//! anything (a phantom, a crop of the heart), the box is the whole volume.

use imaging::{Volume, Voxels};

use crate::Region;

/// HU of lung.
const LUNG_HU: [f64; 2] = [-950.0, -500.0];
/// A column or row shows lung where this share of the fullest one's lung voxels lies on it.
const EDGE_SHARE: f64 = 0.1;
/// Less lung than this share of the volume is none.
const LEAST_LUNG: f64 = 0.02;
/// How deep the heart reaches between the lungs, front to back.
const DEPTH_SHARE: f64 = 0.7;
/// Every so many columns and rows are looked at: the edge of a lung is not known to a millimetre.
const STRIDE: usize = 4;

/// The box to start from. For axial slices whose rows run from front to back; for others it is everything.
pub fn heart_region(volume: &Volume) -> Region {
    let dims = volume.grid.dims();
    let whole = Region { from: [0; 3], to: dims };
    let m = volume.grid.world_from_voxel().matrix3;
    // LPS: rows of an axial slice run to the back. Oblique or flipped ones are left to the reader.
    let straight = m.x_axis.normalize_or_zero().x > 0.9 && m.y_axis.normalize_or_zero().y > 0.9;
    let [columns, rows, slices] = dims.map(|n| n as usize);
    if !straight || volume.voxels.len() < columns * rows * slices {
        return whole;
    }
    let mut by_column = vec![0u64; columns.div_ceil(STRIDE)];
    let mut by_row = vec![0u64; rows.div_ceil(STRIDE)];
    let mut count = |at: usize, stored: f64| {
        let hu = volume.rescale.apply(stored);
        if (LUNG_HU[0]..LUNG_HU[1]).contains(&hu) {
            by_column[at % columns / STRIDE] += 1;
            by_row[at / columns % rows / STRIDE] += 1;
        }
    };
    let looked_at = (0..slices).flat_map(|z| {
        let row_starts = (0..rows).step_by(STRIDE).map(move |y| (z * rows + y) * columns);
        row_starts.flat_map(|start| (start..start + columns).step_by(STRIDE))
    });
    match &volume.voxels {
        Voxels::I16(v) => looked_at.for_each(|i| count(i, f64::from(v[i]))),
        Voxels::U16(v) => looked_at.for_each(|i| count(i, f64::from(v[i]))),
        Voxels::F32(v) => looked_at.for_each(|i| count(i, f64::from(v[i]))),
        Voxels::Rgba8(_) => return whole,
    }
    let lung: u64 = by_row.iter().sum();
    if (lung as f64) < LEAST_LUNG * (by_column.len() * by_row.len() * slices) as f64 {
        return whole;
    }
    let (Some([x0, x1]), Some([y0, y1])) = (extent(&by_column), extent(&by_row)) else { return whole };
    let depth = ((y1 - y0) as f64 * DEPTH_SHARE).round() as usize;
    let limit = |v: usize, n: usize| (v * STRIDE).min(n) as u32;
    Region {
        from: [limit(x0, columns), limit(y0, rows), 0],
        to: [limit(x1, columns), limit(y0 + depth, rows), slices as u32],
    }
}

/// First and one past the last bin that holds enough.
fn extent(bins: &[u64]) -> Option<[usize; 2]> {
    let least = bins.iter().copied().max()? as f64 * EDGE_SHARE;
    let enough = |n: &u64| *n as f64 > least;
    Some([bins.iter().position(enough)?, bins.iter().rposition(enough)? + 1])
}

#[cfg(test)]
mod tests {
    use imaging::volume::Rescale;
    use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

    use super::*;

    /// A chest: soft tissue with two lungs in it, in air.
    fn chest(flip: bool) -> Volume {
        let dims = [160u32, 120, 3];
        let axes = DMat3::from_diagonal(DVec3::new(1.5, if flip { -1.5 } else { 1.5 }, 3.0));
        let placed = DAffine3::from_mat3_translation(axes, DVec3::ZERO);
        let grid = Grid::new(dims, placed, LengthUnit::Millimetre, Frame::Patient).unwrap();
        let value = |x: u32, y: u32| match (x, y) {
            (20..=60 | 100..=140, 24..=95) => -850 + 1024,
            (8..=151, 10..=110) => 40 + 1024,
            _ => -1000 + 1024,
        };
        let values = (0..3).flat_map(|_| (0..120).flat_map(|y| (0..160).map(move |x| value(x, y)))).collect();
        let mut volume = Volume::new(Voxels::I16(values), grid);
        volume.rescale = Rescale { slope: 1.0, intercept: -1024.0 };
        volume
    }

    #[test]
    fn the_box_spans_the_lungs_and_stops_before_the_spine() {
        let region = heart_region(&chest(false));
        assert_eq!((region.from, region.to), ([20, 24, 0], [144, 76, 3]));
        // 72 rows of lung, 70 % of them; the spine's front would lie at about 80.
        assert!(
            region.contains([80, 60, 1]) && !region.contains([80, 90, 1]) && !region.contains([10, 60, 1])
        );
    }

    #[test]
    fn without_lungs_or_in_another_orientation_it_is_everything() {
        let whole = Region { from: [0; 3], to: [160, 120, 3] };
        assert_eq!(heart_region(&chest(true)), whole);
        let mut solid = chest(false);
        solid.voxels = Voxels::I16(vec![1064; 160 * 120 * 3]);
        assert_eq!(heart_region(&solid), whole);
    }
}
