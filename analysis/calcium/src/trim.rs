//! Candidates without what lies outside the region or was rubbed out.
//!
//! Done before labelling, so that what is left of a lesion is scored as what it is; the table it makes is kept
//! while a slider moves.

use contract::calcium::{Edit, Region};
use rayon::prelude::*;
use scene::{DAffine3, DVec3, Grid};

use crate::candidates::{Candidates, Keys, Run, SliceCandidates};

/// What a reader rubbed out: balls in the world, asked about by voxel.
pub struct Eraser {
    world_from_voxel: DAffine3,
    /// Centre and radius.
    balls: Vec<(DVec3, f64)>,
}

impl Eraser {
    /// Of the steps that rub out; others are passed over.
    pub fn new(grid: &Grid, edits: &[Edit]) -> Self {
        let ball = |edit: &Edit| match edit {
            Edit::Erase { centre_mm, radius_mm } => Some((DVec3::from(*centre_mm), *radius_mm)),
            _ => None,
        };
        Self { world_from_voxel: grid.world_from_voxel(), balls: edits.iter().filter_map(ball).collect() }
    }

    /// Whether nothing was rubbed out.
    pub fn is_empty(&self) -> bool {
        self.balls.is_empty()
    }

    /// Whether the middle of a voxel was.
    pub fn covers(&self, voxel: [u32; 3]) -> bool {
        if self.is_empty() {
            return false;
        }
        let at = self.world_from_voxel.transform_point3(voxel.map(f64::from).into());
        self.balls.iter().any(|(centre, radius_mm)| at.distance_squared(*centre) <= radius_mm * radius_mm)
    }
}

impl Candidates {
    /// The candidates inside a region and outside of every ball of `edits`. `None`: nothing is taken away by
    /// either, use the table as it is.
    pub fn trimmed(&self, grid: &Grid, region: Option<Region>, edits: &[Edit]) -> Option<Self> {
        let eraser = Eraser::new(grid, edits);
        if region.is_none() && eraser.is_empty() {
            return None;
        }
        let kept = |voxel: [u32; 3]| region.is_none_or(|r| r.contains(voxel)) && !eraser.covers(voxel);
        let columns = self.dims[0];
        let slices = (0..self.slices.len())
            .into_par_iter()
            .map(|z| {
                let slice = &self.slices[z];
                let mut runs: Vec<Run> = Vec::new();
                let mut taken = Vec::new();
                let mut key = 0;
                for run in &slice.runs {
                    let (y, x0) = (run.start / columns, run.start % columns);
                    let mut open = false;
                    for i in 0..run.len {
                        let keep = kept([x0 + i, y, z as u32]);
                        if keep {
                            match runs.last_mut().filter(|_| open) {
                                Some(last) => last.len += 1,
                                None => runs.push(Run { start: run.start + i, len: 1 }),
                            }
                            taken.push(key);
                        }
                        open = keep;
                        key += 1;
                    }
                }
                let keys = match &slice.keys {
                    Keys::I16(k) => Keys::I16(taken.iter().map(|i| k[*i]).collect()),
                    Keys::I32(k) => Keys::I32(taken.iter().map(|i| k[*i]).collect()),
                };
                SliceCandidates { runs, keys }
            })
            .collect::<Vec<_>>();
        Some(Self { dims: self.dims, scale: self.scale, floor_hu: self.floor_hu, slices })
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[cfg(test)]
mod tests {
    use imaging::{Volume, Voxels};
    use phantom::random::Random;

    use super::*;

    /// Against collecting with the same voxels masked: the definition.
    #[test]
    fn trimming_is_collecting_with_a_mask() {
        let mut random = Random::new(11);
        let dims = [37, 21, 5];
        let grid = Grid::new(
            dims,
            scene::DAffine3::from_translation(DVec3::new(-9.0, 4.0, 100.0))
                * scene::DAffine3::from_scale(DVec3::new(0.75, 2.5, 3.0)),
            scene::LengthUnit::Millimetre,
            scene::Frame::Patient,
        )
        .unwrap();
        let n = grid.voxel_count();
        let values: Vec<i16> = (0..n).map(|_| if random.uniform() < 0.7 { 300 } else { 0 }).collect();
        let volume = Volume::new(Voxels::I16(values), grid.clone());
        let all = Candidates::collect(&volume, 130.0, None).unwrap();
        let region = Region { from: [3, 2, 1], to: [30, 20, 4] };
        let centre = grid.world_from_voxel().transform_point3(DVec3::new(12.0, 9.0, 2.0));
        let edits = [
            Edit::Erase { centre_mm: centre.to_array(), radius_mm: 6.0 },
            Edit::Cut { from_mm: [0.0; 3], to_mm: [1.0; 3], along: [0.0, 0.0, 1.0], depth_mm: 1.0 },
        ];
        let mask: Vec<u8> = (0..n as u32)
            .map(|i| {
                let v = [i % dims[0], i / dims[0] % dims[1], i / dims[0] / dims[1]];
                let at = grid.world_from_voxel().transform_point3(v.map(f64::from).into());
                u8::from(region.contains(v) && at.distance(centre) > 6.0)
            })
            .collect();
        let want = Candidates::collect(&volume, 130.0, Some(&mask)).unwrap();
        let got = all.trimmed(&grid, Some(region), &edits).unwrap();
        assert!(want.len() > 100 && want.len() < all.len());
        assert_eq!(got, want);
        assert_eq!(all.trimmed(&grid, None, &edits[1..]), None, "a cut takes nothing away");
        assert!(all.trimmed(&grid, Some(Region { from: [5; 3], to: [5; 3] }), &[]).unwrap().is_empty());
    }
}
