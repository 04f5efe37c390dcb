//! The midline, and a region compared with its mirror image.
//!
//! Left and right differ in a sick brain and hardly in a healthy one, so the other side is the best normal value
//! that a patient has.

use contract::perfusion::Midline;
use serde::Serialize;

use crate::maps::{Map, Maps};

/// Column and row of a voxel.
fn place(voxel: u32, dims: [usize; 3]) -> [f64; 2] {
    [(voxel as usize % dims[0]) as f64, (voxel as usize / dims[0] % dims[1]) as f64]
}

/// Signed distance of a voxel from the midline, in voxels; below 0 on the side of the first column.
pub fn side(midline: &Midline, voxel: u32, dims: [usize; 3]) -> f64 {
    midline.side(place(voxel, dims))
}

/// The voxel on the other side; `None` outside of the slice.
pub fn mirrored(midline: &Midline, voxel: u32, dims: [usize; 3]) -> Option<u32> {
    let z = voxel as usize / (dims[0] * dims[1]);
    let [u, v] = midline.mirrored(place(voxel, dims)).map(f64::round);
    let inside = u >= 0.0 && v >= 0.0 && u < dims[0] as f64 && v < dims[1] as f64;
    inside.then(|| ((z * dims[1] + v as usize) * dims[0] + u as usize) as u32)
}

/// The line about which the mask is most nearly its own mirror image: through its centre, turned by up to 20
/// degrees and moved by up to a twentieth of its width.
pub fn midline(voxels: &[u32], dims: [usize; 3]) -> Midline {
    if voxels.is_empty() {
        return Midline { at: [(dims[0] as f64 - 1.0) / 2.0, (dims[1] as f64 - 1.0) / 2.0], angle_rad: 0.0 };
    }
    let n = voxels.len() as f64;
    let place = |v: u32| place(v, dims);
    let centre = [0, 1].map(|i| voxels.iter().map(|v| place(*v)[i]).sum::<f64>() / n);
    let mut inside = vec![false; dims[0] * dims[1] * dims[2]];
    voxels.iter().for_each(|v| inside[*v as usize] = true);
    let overlap = |m: &Midline, samples: usize| {
        let sample = voxels.iter().step_by(voxels.len().div_ceil(samples).max(1));
        sample.filter(|v| mirrored(m, **v, dims).is_some_and(|o| inside[o as usize])).count()
    };
    let width = (voxels.iter().map(|v| (place(*v)[0] - centre[0]).powi(2)).sum::<f64>() / n).sqrt() * 4.0;
    let candidate = |turn: i32, shift: i32| Midline {
        at: [centre[0] + 0.01 * f64::from(shift) * width, centre[1]],
        angle_rad: f64::from(turn).to_radians(),
    };
    let search =
        |turns: std::ops::RangeInclusive<i32>, shifts: std::ops::RangeInclusive<i32>, samples: usize| {
            let (mut best, mut most) = ((0, 0), 0);
            for turn in turns {
                for shift in shifts.clone() {
                    // Where two are alike, the straighter one.
                    let score = overlap(&candidate(turn, shift), samples) * 1000
                        / (1000 + turn.unsigned_abs() as usize + shift.unsigned_abs() as usize);
                    if score > most {
                        (best, most) = ((turn, shift), score);
                    }
                }
            }
            best
        };
    // Few voxels tell where it is about, many exactly.
    let (turn, shift) = search(-20..=20, -5..=5, 3_000);
    let near = |v: i32, by: i32, most: i32| (v - by).max(-most)..=(v + by).min(most);
    let (turn, shift) = search(near(turn, 3, 20), near(shift, 2, 5), 20_000);
    candidate(turn, shift)
}

/// A map in a region and in its mirror image.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sides {
    /// `cbf`, ...
    pub map: &'static str,
    /// Mean in the region.
    pub region: f64,
    /// Mean in its mirror image.
    pub mirror: f64,
    /// Region over mirror; `None` where that is 0.
    pub ratio: Option<f64>,
    /// Region less mirror.
    pub difference: f64,
    /// Computed voxels of each.
    pub voxels: [usize; 2],
}

/// All maps of a region against its mirror image. `None` if either side has no computed voxel.
pub fn compare(maps: &Maps, region: &[u32], midline: &Midline, dims: [usize; 3]) -> Option<Vec<Sides>> {
    let positions = |voxels: &mut dyn Iterator<Item = u32>| -> Vec<usize> {
        let mut found: Vec<usize> =
            voxels.filter_map(|v| maps.voxels.binary_search(&v).ok()).filter(|i| maps.usable[*i]).collect();
        found.sort_unstable();
        found.dedup();
        found
    };
    let here = positions(&mut region.iter().copied());
    let there = positions(&mut region.iter().filter_map(|v| mirrored(midline, *v, dims)));
    if here.is_empty() || there.is_empty() {
        return None;
    }
    let mean = |map: Map, at: &[usize]| {
        at.iter().map(|i| f64::from(maps.get(map)[*i])).sum::<f64>() / at.len() as f64
    };
    let sides = Map::ALL.map(|map| {
        let (region, mirror) = (mean(map, &here), mean(map, &there));
        Sides {
            map: map.name(),
            region,
            mirror,
            ratio: (mirror != 0.0).then(|| region / mirror),
            difference: region - mirror,
            voxels: [here.len(), there.len()],
        }
    });
    Some(sides.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIMS: [usize; 3] = [60, 50, 3];

    fn ellipse(turn: f64, centre: [f64; 2]) -> Vec<u32> {
        let (sin, cos) = turn.sin_cos();
        (0..9000u32)
            .filter(|v| {
                let (x, y) = ((v % 60) as f64 - centre[0], (v / 60 % 50) as f64 - centre[1]);
                let (a, b) = (cos * x + sin * y, -sin * x + cos * y);
                (a / 15.0).powi(2) + (b / 22.0).powi(2) < 1.0
            })
            .collect()
    }

    #[test]
    fn the_midline_of_a_turned_head_is_found() {
        for (turn, centre) in [(0.0, [29.5, 24.5]), (0.15, [31.0, 25.0]), (-0.2, [28.0, 24.0])] {
            let found = midline(&ellipse(turn, centre), DIMS);
            assert!((found.angle_rad - turn).abs() < 0.06, "{turn}: {found:?}");
            let off = turn.cos() * (found.at[0] - centre[0]) + turn.sin() * (found.at[1] - centre[1]);
            assert!(off.abs() < 0.8, "{found:?}");
        }
    }

    #[test]
    fn a_voxel_and_its_mirror_image_change_places() {
        let line = Midline { at: [29.5, 24.5], angle_rad: 0.0 };
        assert_eq!(mirrored(&line, 10, DIMS), Some(49));
        assert_eq!(mirrored(&line, 49 + 60 * 50, DIMS), Some(10 + 60 * 50));
        assert!(side(&line, 10, DIMS) < 0.0 && side(&line, 49, DIMS) > 0.0);
        assert_eq!(mirrored(&Midline { at: [5.0, 0.0], angle_rad: 0.0 }, 40, DIMS), None);
    }
}
