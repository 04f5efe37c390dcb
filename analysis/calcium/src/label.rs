//! Connected components of each slice, and the lesions they form in 3D.
//!
//! Runs instead of voxels are joined (union-find between neighbouring rows), so that a large component costs
//! as little as a small one. Roots are always the first in raster order: the result does not depend on who
//! worked when.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::candidates::{Candidates, Keys, Run, SliceCandidates};
use crate::key::Scale;

/// Which neighbours belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum Connectivity {
    /// In a slice those that share an edge; in 3D those that share a face (6).
    Four,
    /// In a slice also those that share a corner; in 3D all 26.
    Eight,
}

impl Connectivity {
    /// The one that this is not.
    pub(crate) fn other(self) -> Self {
        match self {
            Self::Four => Self::Eight,
            Self::Eight => Self::Four,
        }
    }
}

impl TryFrom<u8> for Connectivity {
    type Error = String;
    fn try_from(n: u8) -> Result<Self, String> {
        match n {
            4 => Ok(Self::Four),
            8 => Ok(Self::Eight),
            _ => Err(format!("connectivity {n} does not exist in a slice: use 4 or 8")),
        }
    }
}

impl From<Connectivity> for u8 {
    fn from(c: Connectivity) -> u8 {
        match c {
            Connectivity::Four => 4,
            Connectivity::Eight => 8,
        }
    }
}

/// A run at or above the threshold, and the component it is part of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// Row.
    pub y: u32,
    /// First column.
    pub x0: u32,
    /// One past the last column.
    pub x1: u32,
    /// Index in the components of its slice.
    pub component: u32,
    /// Pieces of different parts do not touch: a reader divided them. 0 where nothing was divided.
    pub part: u32,
}

/// A connected component of one slice. Integers only, except the sum of float volumes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Component {
    /// Number of voxels.
    pub voxels: u32,
    /// Key of the voxel with the highest HU.
    pub peak_key: i32,
    /// Sum of the stored values: exact for integers.
    pub stored_sum: f64,
    /// Sum of the columns.
    pub sum_x: u64,
    /// Sum of the rows.
    pub sum_y: u64,
    /// First column, first row, one past the last of each.
    pub bounds: [u32; 4],
    /// Column and row of its first voxel in raster order.
    pub first: [u32; 2],
    /// Of the component that this one was divided from: dividing must not change what counts nor its weight.
    pub whole: Whole,
}

/// What decides whether a component counts, and its weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Whole {
    /// Number of voxels.
    pub voxels: u32,
    /// Key of the voxel with the highest HU.
    pub peak_key: i32,
}

impl Component {
    /// Without a voxel.
    pub(crate) const EMPTY: Self = Self {
        voxels: 0,
        peak_key: i32::MIN,
        stored_sum: 0.0,
        sum_x: 0,
        sum_y: 0,
        bounds: [u32::MAX, u32::MAX, 0, 0],
        first: [0, 0],
        whole: Whole { voxels: 0, peak_key: i32::MIN },
    };

    /// Takes in a piece with the peak and the sum of its voxels.
    pub(crate) fn take(&mut self, piece: &Piece, peak_key: i32, stored_sum: f64) {
        let n = u64::from(piece.x1 - piece.x0);
        // Pieces come in raster order.
        if self.voxels == 0 {
            self.first = [piece.x0, piece.y];
        }
        self.voxels += n as u32;
        self.peak_key = self.peak_key.max(peak_key);
        self.stored_sum += stored_sum;
        // x0 + (x0 + 1) + ... + (x1 - 1)
        self.sum_x += n * (u64::from(piece.x0) + u64::from(piece.x1) - 1) / 2;
        self.sum_y += n * u64::from(piece.y);
        let [x0, y0, x1, y1] = self.bounds;
        self.bounds = [x0.min(piece.x0), y0.min(piece.y), x1.max(piece.x1), y1.max(piece.y + 1)];
    }
}

/// The components of one slice, in raster order of their first voxel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LabelledSlice {
    /// In raster order.
    pub pieces: Vec<Piece>,
    /// See [`Component`].
    pub components: Vec<Component>,
}

/// Everything at or above one threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelled {
    /// See [`Connectivity`].
    pub connectivity: Connectivity,
    /// One per slice of the volume.
    pub slices: Vec<LabelledSlice>,
}

/// Labels the candidates at or above `threshold_hu`. `None` below the floor of the table.
pub fn label(candidates: &Candidates, threshold_hu: f64, connectivity: Connectivity) -> Option<Labelled> {
    if threshold_hu < candidates.floor_hu {
        return None;
    }
    let cut = candidates.scale.cut(threshold_hu);
    let columns = candidates.dims[0];
    let slices = (0..candidates.slices.len())
        .into_par_iter()
        .map(|z| {
            let slice = &candidates.slices[z];
            match &slice.keys {
                Keys::I16(keys) => label_slice(slice, keys, cut, columns, &candidates.scale, connectivity),
                Keys::I32(keys) => label_slice(slice, keys, cut, columns, &candidates.scale, connectivity),
            }
        })
        .collect::<Vec<_>>();
    Some(Labelled { connectivity, slices })
}

/// Keys whose stored values can be summed up.
pub(crate) trait Summed: Copy + Into<i32> {
    /// Sum of the stored values behind the keys.
    fn stored_sum(keys: &[Self], scale: &Scale) -> f64;
}

impl Summed for i16 {
    fn stored_sum(keys: &[i16], scale: &Scale) -> f64 {
        // Integers first, many at a time; a piece is shorter than 2^31 pixels.
        scale.stored_sum(keys.iter().map(|k| i64::from(*k)).sum(), keys.len())
    }
}

impl Summed for i32 {
    fn stored_sum(keys: &[i32], scale: &Scale) -> f64 {
        keys.iter().map(|k| scale.stored(*k)).sum()
    }
}

fn label_slice<K: Summed>(
    slice: &SliceCandidates,
    keys: &[K],
    cut: i64,
    columns: u32,
    scale: &Scale,
    connectivity: Connectivity,
) -> LabelledSlice {
    let mut pieces: Vec<Piece> = Vec::with_capacity(slice.runs.len());
    let mut sums: Vec<(i32, f64)> = Vec::with_capacity(slice.runs.len());
    let reaches = |key: K| i64::from(key.into()) >= cut;
    let mut at = 0;
    for Run { start, len } in &slice.runs {
        let mut rest = &keys[at..at + *len as usize];
        at += *len as usize;
        let (y, mut x) = (start / columns, start % columns);
        while let Some(skipped) = rest.iter().position(|k| reaches(*k)) {
            rest = &rest[skipped..];
            let n = rest.iter().position(|k| !reaches(*k)).unwrap_or(rest.len());
            let (values, after) = rest.split_at(n);
            let x0 = x + skipped as u32;
            x = x0 + n as u32;
            pieces.push(Piece { y, x0, x1: x, component: 0, part: 0 });
            let peak = values.iter().fold(i32::MIN, |peak, k| peak.max((*k).into()));
            sums.push((peak, K::stored_sum(values, scale)));
            rest = after;
        }
    }
    let mut forest = Forest::new(pieces.len());
    touching(&pieces, &pieces, 1, connectivity, |a, b| forest.join(a, b));
    let mut components: Vec<Component> = Vec::new();
    let mut component_of = vec![u32::MAX; pieces.len()];
    for (i, (piece, (peak, sum))) in pieces.iter_mut().zip(&sums).enumerate() {
        let root = forest.root(i as u32) as usize;
        // The root is the first of its component, so it has its number before any other asks.
        if component_of[root] == u32::MAX {
            component_of[root] = components.len() as u32;
            components.push(Component::EMPTY);
        }
        piece.component = component_of[root];
        components[piece.component as usize].take(piece, *peak, *sum);
    }
    for c in &mut components {
        c.whole = Whole { voxels: c.voxels, peak_key: c.peak_key };
    }
    LabelledSlice { pieces, components }
}

/// Calls `link(i, j)` for every piece `i` of `a` and `j` of `b` that touch, where `j` lies `below` rows below
/// `i`. Both are in raster order, so one sweep over each finds all pairs.
fn touching(
    a: &[Piece],
    b: &[Piece],
    below: i64,
    connectivity: Connectivity,
    mut link: impl FnMut(u32, u32),
) {
    // With corners, ends that meet are enough; without, one column has to be common.
    let reach = u32::from(connectivity == Connectivity::Eight);
    let mut from = 0;
    for (i, p) in a.iter().enumerate() {
        let row = i64::from(p.y) + below;
        let before = |q: &Piece| {
            let y = i64::from(q.y);
            y < row || (y == row && q.x1 + reach <= p.x0)
        };
        while b.get(from).is_some_and(before) {
            from += 1;
        }
        let beside = |q: &&Piece| i64::from(q.y) == row && q.x0 < p.x1 + reach;
        for (k, _) in b[from..].iter().take_while(beside).enumerate() {
            link(i as u32, (from + k) as u32);
        }
    }
}

impl Labelled {
    /// Number of components in the slices before each slice, and of all at the end.
    pub fn offsets(&self) -> Vec<u32> {
        let mut total = 0;
        let mut out = vec![0];
        for slice in &self.slices {
            total += slice.components.len() as u32;
            out.push(total);
        }
        out
    }

    /// The component (by number in its slice) that holds a voxel.
    pub fn component_at(&self, [x, y, z]: [u32; 3]) -> Option<u32> {
        let pieces = &self.slices.get(z as usize)?.pieces;
        let after = pieces.partition_point(|p| (p.y, p.x0) <= (y, x));
        let piece = pieces[..after].last()?;
        (piece.y == y && x < piece.x1).then_some(piece.component)
    }

    /// For each component (over all slices) the first component of its 3D lesion.
    pub fn lesion_roots(&self) -> Vec<u32> {
        let offsets = self.offsets();
        let pairs = (0..self.slices.len().saturating_sub(1))
            .into_par_iter()
            .map(|z| {
                let (lower, upper) = (&self.slices[z], &self.slices[z + 1]);
                let mut pairs: Vec<(u32, u32)> = Vec::new();
                let rows = if self.connectivity == Connectivity::Eight { -1..=1 } else { 0..=0 };
                for row in rows {
                    touching(&lower.pieces, &upper.pieces, row, self.connectivity, |a, b| {
                        let (a, b) = (&lower.pieces[a as usize], &upper.pieces[b as usize]);
                        if a.part != b.part {
                            return;
                        }
                        let (a, b) = (offsets[z] + a.component, offsets[z + 1] + b.component);
                        if pairs.last() != Some(&(a, b)) {
                            pairs.push((a, b));
                        }
                    });
                }
                pairs
            })
            .collect::<Vec<_>>();
        let mut forest = Forest::new(offsets.last().map_or(0, |n| *n as usize));
        for (a, b) in pairs.into_iter().flatten() {
            forest.join(a, b);
        }
        (0..forest.parent.len() as u32).map(|i| forest.root(i)).collect()
    }
}

/// Union-find whose roots are the smallest index.
struct Forest {
    parent: Vec<u32>,
}

impl Forest {
    fn new(n: usize) -> Self {
        Self { parent: (0..n as u32).collect() }
    }

    fn root(&mut self, mut i: u32) -> u32 {
        while self.parent[i as usize] != i {
            // Path halving: no recursion, however long a spiral is.
            let up = self.parent[self.parent[i as usize] as usize];
            self.parent[i as usize] = up;
            i = up;
        }
        i
    }

    fn join(&mut self, a: u32, b: u32) {
        let (a, b) = (self.root(a), self.root(b));
        self.parent[a.max(b) as usize] = a.min(b);
    }
}

#[cfg(test)]
mod tests {
    use imaging::{Volume, Voxels};
    use scene::Grid;

    use super::*;

    fn labelled(rows: &[&str], connectivity: Connectivity) -> Labelled {
        let columns = rows[0].len() as u32;
        let values = rows.iter().flat_map(|r| r.bytes()).map(|b| if b == b'.' { 0 } else { 200 }).collect();
        let grid = Grid::picture(columns, rows.len() as u32, 1).unwrap();
        let c = Candidates::collect(&Volume::new(Voxels::I16(values), grid), 130.0, None).unwrap();
        label(&c, 130.0, connectivity).unwrap()
    }

    #[test]
    fn corners_join_eight_and_not_four() {
        let picture = ["##....", "..##..", "....#.", ".....#"];
        assert_eq!(labelled(&picture, Connectivity::Eight).slices[0].components.len(), 1);
        let four = labelled(&picture, Connectivity::Four);
        assert_eq!(four.slices[0].components.len(), 4);
        assert_eq!(four.slices[0].components[1].bounds, [2, 1, 4, 2]);
    }

    #[test]
    fn what_joins_late_is_one_component() {
        // Arms that only meet in the last row; a bridge one pixel wide.
        let picture = ["#.#.#.#", "#.#.#.#", "#.###.#", "#.....#", "#######"];
        for connectivity in [Connectivity::Four, Connectivity::Eight] {
            let l = labelled(&picture, connectivity);
            let sizes: Vec<u32> = l.slices[0].components.iter().map(|c| c.voxels).collect();
            assert_eq!(sizes, [15, 7], "{connectivity:?}");
            assert_eq!(l.slices[0].components[1].bounds, [2, 0, 5, 3]);
        }
    }

    #[test]
    fn a_row_end_does_not_touch_the_next_row_start() {
        let l = labelled(&["..#", "#.."], Connectivity::Eight);
        assert_eq!(l.slices[0].components.len(), 2);
    }

    #[test]
    fn lesions_join_over_faces_or_corners_as_asked() {
        let values: Vec<i16> = [[200, 0, 0, 0, 0, 0, 0, 0, 200], [0, 0, 0, 0, 200, 0, 0, 0, 200]].concat();
        let v = Volume::new(Voxels::I16(values), Grid::picture(3, 3, 2).unwrap());
        let c = Candidates::collect(&v, 130.0, None).unwrap();
        let roots = |connectivity| label(&c, 130.0, connectivity).unwrap().lesion_roots();
        assert_eq!(roots(Connectivity::Four), [0, 1, 2, 1]);
        // In the upper slice the two share a corner and are one component.
        assert_eq!(roots(Connectivity::Eight), [0, 0, 0]);
        let l = label(&c, 130.0, Connectivity::Four).unwrap();
        assert_eq!(l.component_at([1, 1, 1]), Some(0));
        assert_eq!(l.component_at([0, 1, 1]), None);
        assert_eq!(l.component_at([2, 2, 1]), Some(1));
        assert_eq!(l.component_at([2, 2, 2]), None);
        assert!(label(&c, 129.9, Connectivity::Four).is_none(), "below the floor");
    }
}
