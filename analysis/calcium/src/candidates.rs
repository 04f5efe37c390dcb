//! Every voxel at or above a floor, compacted once: runs of a row and their values.
//!
//! All that follows (labelling, scoring, another threshold) works on this table and not on the volume, so its
//! cost follows the candidates. A GPU may fill the table instead; the rest does not notice.

use imaging::volume::Padding;
use imaging::{Volume, Voxels};
use rayon::prelude::*;

use crate::key::{Scale, Stored};

/// Neighbouring candidates of one row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Index of the first voxel in its slice: `row * columns + column`.
    pub start: u32,
    /// Number of voxels.
    pub len: u32,
}

/// Keys of candidates, as narrow as the volume's values.
#[derive(Clone, Debug, PartialEq)]
pub enum Keys {
    /// 8- to 16-bit volumes.
    I16(Vec<i16>),
    /// Floats.
    I32(Vec<i32>),
}

/// The candidates of one slice, in raster order.
#[derive(Clone, Debug, PartialEq)]
pub struct SliceCandidates {
    /// Disjoint, never touching in a row.
    pub runs: Vec<Run>,
    /// One per voxel of the runs.
    pub keys: Keys,
}

/// All candidates of a volume.
#[derive(Clone, Debug, PartialEq)]
pub struct Candidates {
    /// Columns, rows, slices.
    pub dims: [u32; 3],
    /// What the keys mean.
    pub scale: Scale,
    /// Lowest HU that is in the table; scores at lower thresholds would be wrong.
    pub floor_hu: f64,
    /// One per slice; slices that are missing have none.
    pub slices: Vec<SliceCandidates>,
}

impl Candidates {
    /// One pass over a volume (time point 0). `region` has one entry per voxel; where it is 0 there are no
    /// candidates. `None` for colour, and where a region or the voxels do not fit the grid.
    pub fn collect(volume: &Volume, floor_hu: f64, region: Option<&[u8]>) -> Option<Self> {
        let scale = Scale::of(volume)?;
        let dims = volume.grid.dims();
        let n = volume.grid.voxel_count();
        if volume.voxels.len() < n || region.is_some_and(|r| r.len() != n) {
            return None;
        }
        let area = dims[0] as usize * dims[1] as usize;
        u32::try_from(area).ok()?;
        let cut = scale.cut(floor_hu);
        let slices = (0..dims[2] as usize)
            .into_par_iter()
            .map(|z| {
                let at = z * area..(z + 1) * area;
                let missing = volume.missing.contains(&[0, z as u32]);
                let at = if missing { 0..0 } else { at };
                let filter = Filter { columns: dims[0] as usize, cut, padding: volume.padding };
                let region = region.map(|r| &r[at.clone()]);
                match (&volume.voxels, scale.negative()) {
                    (Voxels::I16(v), false) => filter.scan::<_, false>(&v[at], region).map(Keys::I16),
                    (Voxels::I16(v), true) => filter.scan::<_, true>(&v[at], region).map(Keys::I16),
                    (Voxels::U16(v), false) => filter.scan::<_, false>(&v[at], region).map(Keys::I16),
                    (Voxels::U16(v), true) => filter.scan::<_, true>(&v[at], region).map(Keys::I16),
                    (Voxels::F32(v), false) => filter.scan::<_, false>(&v[at], region).map(Keys::I32),
                    (Voxels::F32(v), true) => filter.scan::<_, true>(&v[at], region).map(Keys::I32),
                    (Voxels::Rgba8(_), _) => Scan { runs: Vec::new(), keys: Keys::I16(Vec::new()) },
                }
                .into_slice()
            })
            .collect::<Vec<_>>();
        Some(Self { dims, scale, floor_hu, slices })
    }

    /// Number of candidate voxels.
    pub fn len(&self) -> usize {
        self.slices.iter().map(|s| s.keys.len()).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slices.iter().all(|s| s.runs.is_empty())
    }
}

impl Keys {
    /// Number of keys.
    pub fn len(&self) -> usize {
        match self {
            Self::I16(k) => k.len(),
            Self::I32(k) => k.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What one slice gave.
struct Scan<K> {
    runs: Vec<Run>,
    keys: K,
}

impl<K> Scan<K> {
    fn map<L>(self, f: impl FnOnce(K) -> L) -> Scan<L> {
        Scan { runs: self.runs, keys: f(self.keys) }
    }
}

impl Scan<Keys> {
    fn into_slice(self) -> SliceCandidates {
        SliceCandidates { runs: self.runs, keys: self.keys }
    }
}

struct Filter {
    columns: usize,
    cut: i64,
    padding: Option<Padding>,
}

/// Voxels looked at together: as many as a word has bits.
const BLOCK: usize = 64;

impl Filter {
    fn scan<T, const NEGATIVE: bool>(&self, slice: &[T], region: Option<&[u8]>) -> Scan<Vec<T::Key>>
    where
        T: Stored + Into<f64>,
    {
        let mut out = Scan { runs: Vec::new(), keys: Vec::new() };
        let (low, high) = T::LIMITS;
        if self.cut > i64::from(high.into()) || slice.is_empty() {
            return out;
        }
        let cut = if self.cut < i64::from(low.into()) { low } else { T::narrow(self.cut as i32) };
        let key = |v: T| v.key().map(|k| if NEGATIVE { T::reversed(k) } else { k });
        let reaches = |v: T| key(v).is_some_and(|k| k >= cut);
        let padded = |v: T| self.padding.is_some_and(|p| p.contains(v.into()));
        for (row_index, row) in slice.chunks_exact(self.columns).enumerate() {
            let row_start = row_index * self.columns;
            let mut end_of_last = usize::MAX;
            for (block_index, block) in row.chunks(BLOCK).enumerate() {
                // Without a branch per voxel the compiler compares many at a time; nearly all blocks end here.
                if !block.iter().fold(false, |any, v| any | reaches(*v)) {
                    continue;
                }
                let at = row_start + block_index * BLOCK;
                let mut bits =
                    block.iter().enumerate().fold(0u64, |bits, (i, v)| bits | (u64::from(reaches(*v)) << i));
                if self.padding.is_some() || region.is_some() {
                    for (i, v) in block.iter().enumerate() {
                        if padded(*v) || region.is_some_and(|r| r[at + i] == 0) {
                            bits &= !(1 << i);
                        }
                    }
                }
                while bits != 0 {
                    let first = bits.trailing_zeros() as usize;
                    let len = (!(bits >> first)).trailing_zeros() as usize;
                    let start = at + first;
                    match out.runs.last_mut() {
                        // Goes on from the block before.
                        Some(run) if end_of_last == start => run.len += len as u32,
                        _ => out.runs.push(Run { start: start as u32, len: len as u32 }),
                    }
                    end_of_last = start + len;
                    out.keys.extend(block[first..first + len].iter().filter_map(|v| key(*v)));
                    if first + len == BLOCK {
                        break;
                    }
                    bits &= u64::MAX << (first + len);
                }
            }
        }
        out
    }
}

#[cfg(not(target_arch = "wasm32"))]
#[cfg(test)]
mod tests {
    use imaging::volume::Rescale;
    use scene::Grid;

    use super::*;

    fn volume(dims: [u32; 3], values: Vec<i16>) -> Volume {
        Volume::new(Voxels::I16(values), Grid::picture(dims[0], dims[1], dims[2]).unwrap())
    }

    /// Runs against the definition, over widths on both sides of a block.
    #[test]
    fn runs_are_exactly_the_voxels_above_the_floor() {
        let mut random = phantom::random::Random::new(3);
        for columns in [1, 2, 63, 64, 65, 127, 128, 129, 200] {
            for share in [0.02, 0.5, 0.97, 1.0] {
                let dims = [columns, 5, 3];
                let n = (columns * 15) as usize;
                let values: Vec<i16> =
                    (0..n).map(|_| if random.uniform() < share { 130 } else { 129 }).collect();
                let c = Candidates::collect(&volume(dims, values.clone()), 130.0, None).unwrap();
                let mut seen = vec![129; n];
                for (z, slice) in c.slices.iter().enumerate() {
                    let mut last_end = None;
                    for run in &slice.runs {
                        let row = run.start / columns;
                        assert_eq!((run.start + run.len - 1) / columns, row, "a run crosses a row");
                        assert!(last_end.is_none_or(|e| e < run.start || run.start % columns == 0));
                        last_end = Some(run.start + run.len);
                        for i in run.start..run.start + run.len {
                            seen[z * (columns * 5) as usize + i as usize] = 130;
                        }
                    }
                }
                assert_eq!(seen, values, "{columns} columns, {share}");
                assert_eq!(c.len(), values.iter().filter(|v| **v == 130).count());
            }
        }
    }

    #[test]
    fn padding_region_and_missing_slices_are_left_out() {
        let mut v = volume([4, 1, 2], vec![200, 300, 200, 200, 400, 400, 400, 400]);
        v.padding = Some(Padding { low: 300.0, high: 300.0 });
        v.missing = vec![[0, 1]];
        let region = [1, 1, 1, 0, 1, 1, 1, 1];
        let c = Candidates::collect(&v, 130.0, Some(&region)).unwrap();
        assert_eq!(c.slices[0].runs, [Run { start: 0, len: 1 }, Run { start: 2, len: 1 }]);
        assert!(c.slices[1].runs.is_empty());
        assert_eq!(Candidates::collect(&v, 130.0, Some(&region[..7])), None, "a region of another size");
    }

    #[test]
    fn a_negative_slope_turns_the_order_and_extremes_hold() {
        let mut v = volume([4, 1, 1], vec![-200, 200, i16::MIN, i16::MAX]);
        v.rescale = Rescale { slope: -1.0, intercept: 0.0 };
        let c = Candidates::collect(&v, 130.0, None).unwrap();
        assert_eq!(c.slices[0].runs, [Run { start: 0, len: 1 }, Run { start: 2, len: 1 }]);
        let Keys::I16(keys) = &c.slices[0].keys else { panic!("16 bits") };
        assert_eq!(keys.iter().map(|k| c.scale.hu(i32::from(*k))).collect::<Vec<_>>(), [200.0, 32768.0]);
        v.rescale = Rescale { slope: 1.0, intercept: 0.0 };
        assert_eq!(Candidates::collect(&v, 1e6, None).unwrap().len(), 0);
        assert_eq!(Candidates::collect(&v, -1e6, None).unwrap().len(), 4);
    }
}
