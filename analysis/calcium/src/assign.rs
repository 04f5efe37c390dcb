//! Which calcium belongs to which coronary artery.
//!
//! Nothing is assigned by itself: no vessel labeller with redistributable weights exists. What the reader did is
//! a list of steps that is applied to the lesions of the threshold at hand, in its order.

use std::collections::BTreeMap;

use contract::calcium::{Edit, Vessel};
use scene::{DVec2, DVec3, Grid};

use crate::candidates::Candidates;
use crate::cut::{self, Blade};
use crate::label::Labelled;

/// What the reader said about the vessels.
#[derive(Clone, Copy, Debug, Default)]
pub enum Assignment<'a> {
    /// Nothing: everything counts, no vessel is named.
    #[default]
    None,
    /// Steps in their order; a later one wins. If any of them assigns, what none of them gives to a vessel
    /// does not count. [`Edit::Erase`] is not applied here but by [`Candidates::trimmed`].
    Edits(&'a [Edit]),
    /// One label per voxel (see [`Vessel::label`]). A component belongs to the label that most of its voxels
    /// carry, the smaller label on a tie; without any it does not count.
    Map(&'a [u8]),
}

/// Components with their lesions and vessels, divided as the reader divided them.
#[derive(Clone, Debug, PartialEq)]
pub struct Owned {
    /// After every cut.
    pub labelled: Labelled,
    /// For each component (over all slices) the first component of its lesion.
    pub roots: Vec<u32>,
    /// For each component (over all slices) whose it is.
    pub vessels: Vec<Option<Vessel>>,
    /// Only what has a vessel counts.
    pub assigned: bool,
    /// Steps that met no lesion at this threshold, by their place in the list.
    pub without_effect: Vec<u32>,
}

impl Assignment<'_> {
    /// Whether anything was assigned at all.
    pub fn given(&self) -> bool {
        match self {
            Self::None => false,
            Self::Edits(edits) => edits.iter().any(Edit::assigns),
            Self::Map(_) => true,
        }
    }

    /// Divides and assigns. `roots` are those of the undivided components ([`Labelled::lesion_roots`]).
    pub(crate) fn apply(
        &self,
        labelled: Labelled,
        roots: Vec<u32>,
        candidates: &Candidates,
        grid: &Grid,
    ) -> Owned {
        let vessels = match self {
            Self::Map(labels) => by_majority(labels, &labelled, candidates.dims),
            _ => vec![None; roots.len()],
        };
        let mut owned = Owned { labelled, roots, vessels, assigned: self.given(), without_effect: vec![] };
        if let Self::Edits(edits) = self {
            for (edit, i) in edits.iter().zip(0..) {
                if !owned.edit(edit, candidates, grid) {
                    owned.without_effect.push(i);
                }
            }
        }
        owned
    }
}

impl Owned {
    /// Whether the step met a lesion.
    fn edit(&mut self, edit: &Edit, candidates: &Candidates, grid: &Grid) -> bool {
        match edit {
            Edit::Assign { at_mm, along, depth_mm, vessel } => {
                let (at, along) = (DVec3::from(*at_mm), DVec3::from(*along));
                let lesion = self.lesion_seen(grid, at, along, *depth_mm);
                self.give(lesion.as_slice(), *vessel)
            }
            Edit::Outline { corners_mm, along, depth_mm, vessel } => {
                let corners: Vec<DVec3> = corners_mm.iter().map(|c| DVec3::from(*c)).collect();
                let prism = Prism::new(grid, &corners, DVec3::from(*along), *depth_mm);
                let lesions = prism.map(|p| self.lesions_inside(&p)).unwrap_or_default();
                self.give(&lesions, *vessel)
            }
            Edit::Cut { from_mm, to_mm, along, depth_mm } => {
                let [from, to, along] = [from_mm, to_mm, along].map(|v| DVec3::from(*v));
                let divided = Blade::new(grid, from, to, along, *depth_mm)
                    .and_then(|blade| cut::divide(&self.labelled, &self.roots, candidates, &blade));
                let Some((labelled, parents)) = divided else { return false };
                self.vessels = parents.iter().map(|p| self.vessels[*p as usize]).collect();
                self.roots = labelled.lesion_roots();
                self.labelled = labelled;
                true
            }
            // Its effect was there before the lesions were.
            Edit::Erase { .. } => true,
        }
    }

    fn give(&mut self, lesions: &[u32], vessel: Option<Vessel>) -> bool {
        for (root, owner) in self.roots.iter().zip(&mut self.vessels) {
            if lesions.contains(root) {
                *owner = vessel;
            }
        }
        !lesions.is_empty()
    }

    /// The lesion at a point, or the one with the highest value on the line of sight through a slab. A click
    /// that misses by one voxel still hits: a plaque may be two voxels wide.
    fn lesion_seen(&self, grid: &Grid, at: DVec3, along: DVec3, depth_mm: f64) -> Option<u32> {
        let offsets = self.labelled.offsets();
        let from_world = grid.voxel_from_world();
        let half = from_world.transform_vector3(along.normalize_or_zero() * 0.5 * depth_mm.max(0.0));
        let centre = from_world.transform_point3(at);
        let steps = ((8.0 * half.abs().max_element()).ceil() as u32).min(1 << 14);
        let on_sight = |offset: DVec3| {
            (0..=steps).filter_map(move |i| {
                let t = if steps == 0 { 0.0 } else { 2.0 * f64::from(i) / f64::from(steps) - 1.0 };
                cut::nearest(centre + half * t + offset, grid.dims())
            })
        };
        let best = |offset: DVec3| {
            let seen = on_sight(offset).filter_map(|v| {
                let c = self.labelled.component_at(v)?;
                let peak = self.labelled.slices[v[2] as usize].components[c as usize].peak_key;
                Some((peak, self.roots[(offsets[v[2] as usize] + c) as usize]))
            });
            // The first of the highest.
            seen.reduce(|best, next| if next.0 > best.0 { next } else { best })
        };
        let around = (-1..=1).flat_map(|z| (-1..=1).flat_map(move |y| (-1..=1).map(move |x| [x, y, z])));
        best(DVec3::ZERO)
            .or_else(|| {
                let near = around.filter_map(|o| best(DVec3::from(o.map(f64::from))));
                near.reduce(|best, next| if next.0 > best.0 { next } else { best })
            })
            .map(|(_, root)| root)
    }

    /// Lesions of which more than half of what the prism's depth shows lies inside it.
    fn lesions_inside(&self, prism: &Prism) -> Vec<u32> {
        let offsets = self.labelled.offsets();
        // Voxels inside, and seen at all.
        let mut votes: BTreeMap<u32, [u64; 2]> = BTreeMap::new();
        for (z, slice) in self.labelled.slices.iter().enumerate() {
            for p in &slice.pieces {
                for x in p.x0..p.x1 {
                    let Some(inside) = prism.contains([x, p.y, z as u32]) else { continue };
                    let root = self.roots[(offsets[z] + p.component) as usize];
                    let [within, seen] = votes.entry(root).or_default();
                    *within += u64::from(inside);
                    *seen += 1;
                }
            }
        }
        votes.into_iter().filter(|(_, [within, seen])| 2 * within > *seen).map(|(root, _)| root).collect()
    }
}

/// An outline and the depth that was seen behind it.
struct Prism {
    /// Two coordinates on the plane and the distance from it in depths of half of what was seen.
    plane_from_voxel: scene::DAffine3,
    corners: Vec<DVec2>,
}

impl Prism {
    fn new(grid: &Grid, corners: &[DVec3], along: DVec3, depth_mm: f64) -> Option<Self> {
        let w = along.try_normalize()?;
        let (u, v) = w.any_orthonormal_pair();
        let origin = *corners.first()?;
        // At least the slice that the plane lies in.
        let slice_mm = grid.spacing().into_iter().fold(f64::INFINITY, f64::min);
        let half = 0.5 * depth_mm.max(slice_mm);
        if corners.len() < 3 || !half.is_finite() {
            return None;
        }
        let axes = scene::DMat3::from_cols(u, v, w).transpose();
        let scale = scene::DMat3::from_diagonal(DVec3::new(1.0, 1.0, 1.0 / half));
        let m = scale * axes;
        let plane_from_world = scene::DAffine3::from_mat3_translation(m, -(m * origin));
        let flat = corners.iter().map(|c| plane_from_world.transform_point3(*c).truncate()).collect();
        Some(Self { plane_from_voxel: plane_from_world * grid.world_from_voxel(), corners: flat })
    }

    /// Whether the voxel lies inside the outline; `None`: it was not seen.
    fn contains(&self, voxel: [u32; 3]) -> Option<bool> {
        let p = self.plane_from_voxel.transform_point3(voxel.map(f64::from).into());
        if p.z.abs() > 1.0 + 1e-9 {
            return None;
        }
        let p = p.truncate();
        // Even-odd rule: an edge counts where it crosses the line to the right of the point.
        let mut inside = false;
        let mut a = *self.corners.last()?;
        for b in &self.corners {
            if (a.y > p.y) != (b.y > p.y) && p.x < a.x + (p.y - a.y) / (b.y - a.y) * (b.x - a.x) {
                inside = !inside;
            }
            a = *b;
        }
        Some(inside)
    }
}

fn by_majority(labels: &[u8], labelled: &Labelled, dims: [u32; 3]) -> Vec<Option<Vessel>> {
    let [columns, rows, _] = dims.map(|n| n as usize);
    let mut out = Vec::new();
    for (z, slice) in labelled.slices.iter().enumerate() {
        let mut votes = vec![[0u32; Vessel::ALL.len()]; slice.components.len()];
        for p in &slice.pieces {
            let row = (z * rows + p.y as usize) * columns;
            let run = labels.get(row + p.x0 as usize..row + p.x1 as usize).unwrap_or_default();
            for vessel in run.iter().filter_map(|l| Vessel::from_label(*l)) {
                votes[p.component as usize][vessel as usize] += 1;
            }
        }
        out.extend(votes.iter().map(|v| {
            let most = v.iter().copied().max().filter(|n| *n > 0)?;
            v.iter().position(|n| *n == most).map(|i| Vessel::ALL[i])
        }));
    }
    out
}
