//! The scalpel: lesions that a drawn line crosses, divided along it.
//!
//! A part keeps what decides about its whole (whether it counts, its weight), so a cut divides a score and never
//! changes it. Cutting voxels away or scoring each part by its own peak would.

use std::collections::HashMap;

use rayon::prelude::*;
use scene::{DVec3, Grid};

use crate::candidates::{Candidates, Keys};
use crate::label::{Component, Labelled, LabelledSlice, Piece, Summed};

/// A line and the direction of sight, in voxels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Blade {
    /// `side = normal · voxel + offset`
    normal: DVec3,
    offset: f64,
    from: DVec3,
    to: DVec3,
    /// Half of what was seen, along the view.
    half_depth: DVec3,
}

impl Blade {
    /// `None` for a line without length or seen end on.
    pub(crate) fn new(grid: &Grid, from: DVec3, to: DVec3, along: DVec3, depth_mm: f64) -> Option<Self> {
        let normal_mm = (to - from).cross(along);
        if !(normal_mm.length() > 1e-6 && depth_mm.is_finite()) {
            return None;
        }
        let m = grid.world_from_voxel();
        let inverse = grid.voxel_from_world();
        Some(Self {
            normal: m.matrix3.transpose() * normal_mm,
            offset: normal_mm.dot(m.translation - from),
            from: inverse.transform_point3(from),
            to: inverse.transform_point3(to),
            half_depth: inverse.transform_vector3(along.normalize_or_zero() * 0.5 * depth_mm.max(0.0)),
        })
    }

    /// Which side of the plane through the line and the direction of sight.
    fn side(&self, x: u32, y: u32, z: u32) -> bool {
        self.normal.dot(DVec3::new(f64::from(x), f64::from(y), f64::from(z))) + self.offset >= 0.0
    }

    /// Voxels that the line meets, at every depth that was seen.
    pub(crate) fn voxels(&self, dims: [u32; 3]) -> Vec<[u32; 3]> {
        // Quarters of a voxel: no voxel that the line passes through by more than a corner is stepped over.
        let steps = |v: DVec3| ((4.0 * v.abs().max_element()).ceil() as u32).min(1 << 14);
        let (n, k) = (steps(self.to - self.from), steps(2.0 * self.half_depth));
        let mut out: Vec<[u32; 3]> = Vec::new();
        for j in 0..=k {
            let depth = if k == 0 { 0.0 } else { 2.0 * f64::from(j) / f64::from(k) - 1.0 };
            for i in 0..=n {
                let t = f64::from(i) / f64::from(n.max(1));
                let at = self.from.lerp(self.to, t) + self.half_depth * depth;
                if let Some(voxel) = nearest(at, dims)
                    && out.last() != Some(&voxel)
                {
                    out.push(voxel);
                }
            }
        }
        out
    }
}

/// The voxel around a position in voxels.
pub(crate) fn nearest(at: DVec3, dims: [u32; 3]) -> Option<[u32; 3]> {
    let rounded = (at + 0.5).floor().to_array();
    let inside = rounded.iter().zip(dims).all(|(v, n)| *v >= 0.0 && *v < f64::from(n));
    inside.then(|| rounded.map(|v| v as u32))
}

/// The division of every component, and for each new component (over all slices) the old one.
pub(crate) fn divide(
    labelled: &Labelled,
    roots: &[u32],
    candidates: &Candidates,
    blade: &Blade,
) -> Option<(Labelled, Vec<u32>)> {
    let offsets = labelled.offsets();
    let crossed: std::collections::BTreeSet<u32> = blade
        .voxels(candidates.dims)
        .into_iter()
        .filter_map(|v| labelled.component_at(v).map(|c| roots[(offsets[v[2] as usize] + c) as usize]))
        .collect();
    if crossed.is_empty() {
        return None;
    }
    let last = labelled.slices.iter().flat_map(|s| &s.pieces).map(|p| p.part).max().unwrap_or(0);
    // Two parts for each lesion that is divided.
    let part_of: HashMap<u32, u32> = crossed.into_iter().zip((last + 1..).step_by(2)).collect();
    let slices = (0..labelled.slices.len())
        .into_par_iter()
        .map(|z| {
            let old = &labelled.slices[z];
            let part = |p: &Piece| part_of.get(&roots[(offsets[z] + p.component) as usize]).copied();
            if !old.pieces.iter().any(|p| part(p).is_some()) {
                let same = (0..old.components.len() as u32).collect::<Vec<_>>();
                return (old.clone(), same);
            }
            match &candidates.slices[z].keys {
                Keys::I16(keys) => divide_slice(old, keys, z as u32, candidates, blade, &part),
                Keys::I32(keys) => divide_slice(old, keys, z as u32, candidates, blade, &part),
            }
        })
        .collect::<Vec<_>>();
    let mut parents = Vec::new();
    let mut out = Vec::with_capacity(slices.len());
    for (z, (slice, of)) in slices.into_iter().enumerate() {
        parents.extend(of.into_iter().map(|c| offsets[z] + c));
        out.push(slice);
    }
    Some((Labelled { connectivity: labelled.connectivity, slices: out }, parents))
}

fn divide_slice<K: Summed>(
    old: &LabelledSlice,
    keys: &[K],
    z: u32,
    candidates: &Candidates,
    blade: &Blade,
    part: &dyn Fn(&Piece) -> Option<u32>,
) -> (LabelledSlice, Vec<u32>) {
    let runs = &candidates.slices[z as usize].runs;
    let columns = candidates.dims[0];
    // Where the keys of each run begin.
    let starts: Vec<usize> = runs
        .iter()
        .scan(0, |at, run| {
            let start = *at;
            *at += run.len as usize;
            Some(start)
        })
        .collect();
    let keys_of = |p: &Piece| {
        let first = p.y * columns + p.x0;
        let i = runs.partition_point(|r| r.start <= first).saturating_sub(1);
        let from = starts[i] + (first - runs[i].start) as usize;
        &keys[from..from + (p.x1 - p.x0) as usize]
    };
    let mut numbers: HashMap<(u32, bool), u32> = HashMap::new();
    let mut components: Vec<Component> = Vec::new();
    let mut parents: Vec<u32> = Vec::new();
    let mut pieces = Vec::with_capacity(old.pieces.len());
    for p in &old.pieces {
        let first_side = part(p).is_some() && blade.side(p.x0, p.y, z);
        let middle = match part(p) {
            // The side is linear along a row, so it changes once at most.
            Some(_) => {
                let n = p.x1 - p.x0;
                let (mut low, mut high) = (0, n);
                while low < high {
                    let m = (low + high) / 2;
                    if blade.side(p.x0 + m, p.y, z) == first_side { low = m + 1 } else { high = m }
                }
                p.x0 + low
            }
            None => p.x1,
        };
        for (x0, x1, side) in [(p.x0, middle, first_side), (middle, p.x1, !first_side)] {
            if x0 == x1 {
                continue;
            }
            let number = *numbers.entry((p.component, side)).or_insert_with(|| {
                components.push(Component {
                    whole: old.components[p.component as usize].whole,
                    ..Component::EMPTY
                });
                parents.push(p.component);
                components.len() as u32 - 1
            });
            let new = Piece {
                x0,
                x1,
                component: number,
                part: part(p).map_or(p.part, |n| n + u32::from(side)),
                ..*p
            };
            let values = keys_of(&new);
            let peak = values.iter().fold(i32::MIN, |peak, k| peak.max((*k).into()));
            components[number as usize].take(&new, peak, K::stored_sum(values, &candidates.scale));
            pieces.push(new);
        }
    }
    (LabelledSlice { pieces, components }, parents)
}
