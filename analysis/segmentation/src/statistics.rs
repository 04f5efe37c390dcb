//! What each label measures: volume, and the image's values within it.
//!
//! One pass over the voxels, whatever the number of labels; sums are taken about each label's first value, so
//! that a large offset (CT stored from -1024, PET in Bq/mL) costs no digits.

use imaging::Volume;
use scene::LengthUnit;
use serde::{Deserialize, Serialize};

use crate::labels::{LabelError, LabelVolume};

/// Of one label.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LabelStatistics {
    /// Its value.
    pub id: u8,
    /// Voxels with the label.
    pub voxels: u64,
    /// Their volume; `None` where the spacing is not known.
    pub volume_ml: Option<f64>,
    /// Values of the image, where it has any within the label.
    pub values: Option<Values>,
}

/// Of the voxels of a label that hold a measurement, in the image's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// Arithmetic mean.
    pub mean: f64,
    /// Standard deviation with `n - 1`; 0 for one voxel.
    pub sd: f64,
    /// Smallest.
    pub min: f64,
    /// Largest.
    pub max: f64,
    /// How many voxels hold a measurement.
    pub measured: u64,
}

#[derive(Clone, Copy)]
struct Sums {
    voxels: u64,
    measured: u64,
    first: f64,
    sum: f64,
    squares: f64,
    min: f64,
    max: f64,
}

/// Statistics of every described label, in the order of their values. `image` has the labels' dimensions.
pub fn statistics(
    labels: &LabelVolume,
    image: &Volume,
    time_index: u32,
) -> Result<Vec<LabelStatistics>, LabelError> {
    let [columns, rows, slices] = labels.grid().dims();
    if image.grid.dims() != labels.grid().dims() {
        let (expected, found) = (image.grid.voxel_count(), labels.voxels().len());
        return Err(LabelError::Length { expected, found });
    }
    let zero =
        Sums { voxels: 0, measured: 0, first: 0.0, sum: 0.0, squares: 0.0, min: f64::MAX, max: f64::MIN };
    let mut sums = vec![zero; 256];
    let length = columns as usize * rows as usize;
    for slice in 0..slices {
        let missing = image.missing.contains(&[time_index, slice]);
        let first = image.index([0, 0, slice], time_index);
        for (at, label) in labels.slice(slice).iter().enumerate().take(length) {
            if *label == 0 {
                continue;
            }
            let of = &mut sums[usize::from(*label)];
            of.voxels += 1;
            let Some(stored) = image.voxels.get(first + at) else { continue };
            if missing || !stored.is_finite() || image.padding.is_some_and(|p| p.contains(stored)) {
                continue;
            }
            let value = image.rescale.apply(stored);
            if of.measured == 0 {
                of.first = value;
            }
            let away = value - of.first;
            of.measured += 1;
            of.sum += away;
            of.squares += away * away;
            of.min = of.min.min(value);
            of.max = of.max.max(value);
        }
    }
    let cell_ml = cell_ml(labels);
    Ok(labels
        .labels()
        .iter()
        .map(|label| {
            let of = &sums[usize::from(label.id)];
            LabelStatistics {
                id: label.id,
                voxels: of.voxels,
                volume_ml: cell_ml.map(|ml| ml * of.voxels as f64),
                values: values(of),
            }
        })
        .collect())
}

/// Volume of one voxel: the determinant, which holds for sheared grids as well.
fn cell_ml(labels: &LabelVolume) -> Option<f64> {
    let grid = labels.grid();
    let mm3 = grid.world_from_voxel().matrix3.determinant().abs();
    (grid.length_unit == LengthUnit::Millimetre).then_some(mm3 / 1000.0)
}

fn values(of: &Sums) -> Option<Values> {
    if of.measured == 0 {
        return None;
    }
    let n = of.measured as f64;
    let mean_away = of.sum / n;
    // Rounding may leave a tiny negative number where all values are equal.
    let scatter = (of.squares - n * mean_away * mean_away).max(0.0);
    Some(Values {
        mean: of.first + mean_away,
        sd: if of.measured > 1 { (scatter / (n - 1.0)).sqrt() } else { 0.0 },
        min: of.min,
        max: of.max,
        measured: of.measured,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use imaging::Voxels;
    use imaging::volume::{Padding, Rescale};
    use scene::{DAffine3, DMat3, DVec3, Frame, Grid};

    fn volume() -> (LabelVolume, Volume) {
        let matrix = DMat3::from_cols(DVec3::X * 0.5, DVec3::Y * 2.0, DVec3::new(0.0, 1.0, 4.0));
        let grid = Grid::new([3, 2, 2], DAffine3::from_mat3(matrix), LengthUnit::Millimetre, Frame::Patient)
            .unwrap();
        let labels =
            LabelVolume::new(grid.clone(), vec![0, 1, 1, 1, 2, 3, 0, 0, 1, 2, 4, 4], vec![]).unwrap();
        let stored = vec![9, 10, 20, 30, 7, -2000, 5, 5, 100, 9, 1, 2];
        let mut image = Volume::new(Voxels::I16(stored), grid);
        image.rescale = Rescale { slope: 2.0, intercept: -1024.0 };
        image.padding = Some(Padding { low: -2000.0, high: -2000.0 });
        (labels, image)
    }

    #[test]
    fn known_values() {
        let (labels, image) = volume();
        let all = statistics(&labels, &image, 0).unwrap();
        assert_eq!(
            all.iter().map(|s| (s.id, s.voxels)).collect::<Vec<_>>(),
            [(1, 4), (2, 2), (3, 1), (4, 2)]
        );
        // 0.5 x 2 x 4 mm, though the slices are sheared.
        assert_eq!(all[0].volume_ml, Some(4.0 * 4.0 / 1000.0));
        let one = all[0].values.unwrap();
        // 10, 20, 30, 100 times 2 less 1024.
        assert_eq!((one.mean, one.min, one.max, one.measured), (-944.0, -1004.0, -824.0, 4));
        // Deviations of -60, -40, -20 and 120.
        assert!((one.sd - (20_000.0f64 / 3.0).sqrt()).abs() < 1e-9, "{}", one.sd);
        assert_eq!(all[2].values, None, "padding is no measurement");
    }

    #[test]
    fn a_missing_slice_and_a_picture_without_spacing() {
        let (labels, mut image) = volume();
        image.missing.push([0, 1]);
        let all = statistics(&labels, &image, 0).unwrap();
        assert_eq!((all[0].values.unwrap().measured, all[0].voxels), (3, 4));
        assert_eq!(all[3].values, None);
        let plain = Grid::picture(3, 2, 2).unwrap();
        let labels = LabelVolume::new(plain.clone(), labels.voxels().to_vec(), vec![]).unwrap();
        image.grid = plain;
        assert_eq!(statistics(&labels, &image, 0).unwrap()[0].volume_ml, None);
        let other = Volume::new(Voxels::I16(vec![0; 6]), Grid::picture(3, 2, 1).unwrap());
        assert!(statistics(&labels, &other, 0).is_err());
    }

    #[test]
    fn a_large_offset_costs_no_digits() {
        let grid = Grid::picture(4, 1, 1).unwrap();
        let labels = LabelVolume::new(grid.clone(), vec![1; 4], vec![]).unwrap();
        let image = Volume {
            rescale: Rescale { slope: 1e-3, intercept: 1e9 },
            ..Volume::new(Voxels::I16(vec![0, 1, 2, 3]), grid)
        };
        let sd = statistics(&labels, &image, 0).unwrap()[0].values.unwrap().sd;
        assert!((sd - 1e-3 * (5.0f64 / 3.0).sqrt()).abs() < 1e-6, "{sd}");
    }
}
