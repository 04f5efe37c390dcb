//! The curves of all voxels that are computed, in blocks of lanes.
//!
//! A block holds [`LANES`] voxels, sample by sample: one factor of the artery is then applied to all of them at
//! once, every load is a vector, and memory holds the masked voxels only.

use fearless_simd::{Simd, dispatch};
use rayon::prelude::*;

use crate::level;

/// Voxels of a block.
pub const LANES: usize = 32;

/// Why a voxel of the mask has no numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Reject {
    /// It has numbers.
    None = 0,
    /// A sample is padding, missing or no number.
    NoMeasurement,
    /// DSC: a sample is not above 0, so it has no logarithm.
    NotPositive,
    /// DSC: the baseline is not above 0.
    ZeroBaseline,
    /// All samples are the same.
    Constant,
}

/// Curves of voxels on an even time axis.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    samples: usize,
    /// Index of each voxel in one time point.
    voxels: Vec<u32>,
    /// Per voxel.
    rejected: Vec<u8>,
    data: Vec<f32>,
}

impl Curves {
    /// All zero.
    pub fn new(voxels: Vec<u32>, samples: usize) -> Self {
        let blocks = voxels.len().div_ceil(LANES);
        Self {
            samples,
            rejected: vec![Reject::None as u8; voxels.len()],
            data: vec![0.0; blocks * samples * LANES],
            voxels,
        }
    }

    /// Number of voxels.
    pub fn len(&self) -> usize {
        self.voxels.len()
    }

    /// Whether there is no voxel.
    pub fn is_empty(&self) -> bool {
        self.voxels.is_empty()
    }

    /// Samples of a curve.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Number of blocks.
    pub fn blocks(&self) -> usize {
        self.voxels.len().div_ceil(LANES)
    }

    /// `samples` rows of [`LANES`] voxels.
    pub fn block(&self, block: usize) -> &[f32] {
        let size = self.samples * LANES;
        &self.data[block * size..][..size]
    }

    /// Some blocks, one after the other.
    pub(crate) fn blocks_of(&self, blocks: std::ops::Range<usize>) -> &[f32] {
        let size = self.samples * LANES;
        &self.data[blocks.start * size..blocks.end * size]
    }

    /// The voxels, all blocks, one after the other, and how long one is.
    pub(crate) fn blocks_mut(&mut self) -> (&[u32], &mut [f32], usize) {
        (&self.voxels, &mut self.data, self.samples * LANES)
    }

    /// Indices of the voxels in one time point, ascending.
    pub fn voxels(&self) -> &[u32] {
        &self.voxels
    }

    /// Position of a voxel among the curves, if it has numbers.
    pub fn find(&self, voxel: u32) -> Option<usize> {
        let at = self.voxels.binary_search(&voxel).ok()?;
        self.usable(at).then_some(at)
    }

    /// Positions of the voxels of a range, which lie side by side.
    pub fn positions(&self, voxels: std::ops::Range<u32>) -> std::ops::Range<usize> {
        let before = |end: u32| self.voxels.partition_point(|v| *v < end);
        before(voxels.start)..before(voxels.end)
    }

    /// Whether a voxel has numbers.
    pub fn usable(&self, at: usize) -> bool {
        self.rejected[at] == Reject::None as u8
    }

    /// Positions of the voxels that have numbers.
    pub fn usable_positions(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.len()).filter(|at| self.usable(*at))
    }

    /// Voxels that were rejected for a reason.
    pub fn count_rejected(&self, reason: Reject) -> usize {
        self.rejected.iter().filter(|r| **r == reason as u8).count()
    }

    pub(crate) fn reject(&mut self, at: usize, reason: Reject) {
        self.rejected[at] = reason as u8;
        for t in 0..self.samples {
            *self.value_mut(at, t) = 0.0;
        }
    }

    fn offset(&self, at: usize, sample: usize) -> usize {
        (at / LANES * self.samples + sample) * LANES + at % LANES
    }

    /// One value.
    pub fn value(&self, at: usize, sample: usize) -> f32 {
        self.data[self.offset(at, sample)]
    }

    pub(crate) fn value_mut(&mut self, at: usize, sample: usize) -> &mut f32 {
        let offset = self.offset(at, sample);
        &mut self.data[offset]
    }

    /// The curve of a voxel.
    pub fn curve(&self, at: usize) -> Vec<f64> {
        (0..self.samples).map(|t| f64::from(self.value(at, t))).collect()
    }

    /// The mean of some curves; zeros for none.
    pub fn mean(&self, positions: &[usize]) -> Vec<f64> {
        let mut sum = vec![0.0; self.samples];
        for at in positions {
            sum.iter_mut().enumerate().for_each(|(t, s)| *s += f64::from(self.value(*at, t)));
        }
        let n = positions.len().max(1) as f64;
        sum.iter_mut().for_each(|s| *s /= n);
        sum
    }

    /// The mean of all curves that have numbers; the others hold 0.
    pub fn mean_of_usable(&self) -> Vec<f64> {
        let size = (self.samples * LANES).max(1);
        let sums: Vec<Vec<f64>> = self
            .data
            .par_chunks(size * 256)
            .map(|blocks| {
                let mut sums = vec![0.0; self.samples];
                for block in blocks.chunks_exact(size) {
                    for (sum, row) in sums.iter_mut().zip(block.chunks_exact(LANES)) {
                        *sum += row.iter().map(|v| f64::from(*v)).sum::<f64>();
                    }
                }
                sums
            })
            .collect();
        let n = self.rejected.iter().filter(|r| **r == Reject::None as u8).count().max(1) as f64;
        (0..self.samples).map(|t| sums.iter().map(|s| s[t]).sum::<f64>() / n).collect()
    }

    /// Enters samples of every voxel, from one on, each from a frame of all voxels.
    pub(crate) fn put_frames(&mut self, first: usize, frames: &[Vec<f32>]) {
        let size = (self.samples * LANES).max(1);
        self.data.par_chunks_mut(size).zip(self.voxels.par_chunks(LANES)).for_each(|(block, voxels)| {
            for (row, frame) in block.chunks_exact_mut(LANES).skip(first).zip(frames) {
                row.iter_mut().zip(voxels).for_each(|(out, v)| *out = frame[*v as usize]);
            }
        });
    }
}

/// What the maps need of the curves and no artery changes: area, peak and when it is.
#[derive(Clone, Debug, Default)]
pub struct Moments {
    /// Integral by trapezoids, concentration times s.
    pub area: Vec<f32>,
    /// Highest value.
    pub peak: Vec<f32>,
    /// Its sample.
    pub peak_at: Vec<u32>,
}

impl Moments {
    /// One pass over the curves.
    pub fn of(curves: &Curves, dt_s: f64) -> Self {
        let n = curves.samples();
        let per_block = (0..curves.blocks())
            .into_par_iter()
            .map(|b| {
                dispatch!(level(), simd => simd.vectorize(
                    #[inline(always)]
                    || moments(curves.block(b), n),
                ))
            })
            .collect::<Vec<_>>();
        let count = curves.len();
        let mut out = Self::default();
        for (area, peak, peak_at) in per_block {
            out.area.extend(area.map(|a| a * dt_s as f32));
            out.peak.extend(peak);
            out.peak_at.extend(peak_at.map(|t| t as u32));
        }
        out.area.truncate(count);
        out.peak.truncate(count);
        out.peak_at.truncate(count);
        out
    }
}

/// Sum by trapezoids, highest value and its sample of every lane of a block of `n` samples. A float holds a sample's
/// number exactly, and then all vectors are alike.
#[inline(always)]
fn moments(block: &[f32], n: usize) -> ([f32; LANES], [f32; LANES], [f32; LANES]) {
    let (mut area, mut peak, mut peak_at) = ([0.0f32; LANES], [f32::NEG_INFINITY; LANES], [0.0f32; LANES]);
    for (t, row) in block.chunks_exact(LANES).enumerate() {
        let weight = if t == 0 || t + 1 == n { 0.5 } else { 1.0 };
        for lane in 0..LANES {
            let value = row[lane];
            area[lane] += weight * value;
            let higher = value > peak[lane];
            peak[lane] = if higher { value } else { peak[lane] };
            peak_at[lane] = if higher { t as f32 } else { peak_at[lane] };
        }
    }
    (area, peak, peak_at)
}

/// Integral of a curve by trapezoids.
pub fn area(curve: &[f64], dt_s: f64) -> f64 {
    let ends = curve.first().unwrap_or(&0.0) + curve.last().unwrap_or(&0.0);
    dt_s * (curve.iter().sum::<f64>() - 0.5 * ends)
}

/// The sample of the highest value.
pub fn peak_at(curve: &[f64]) -> usize {
    let mut best = 0;
    for (i, v) in curve.iter().enumerate() {
        if *v > curve[best] {
            best = i;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_hold_what_was_put() {
        // Not a multiple of the lanes, and the voxels have gaps.
        let voxels: Vec<u32> = (0..77).map(|i| i * 3 + 1).collect();
        let mut curves = Curves::new(voxels, 5);
        let mut frame = vec![0.0; 300];
        for t in 0..5 {
            frame.iter_mut().enumerate().for_each(|(i, v)| *v = (i * 10 + t) as f32);
            curves.put_frames(t, std::slice::from_ref(&frame));
        }
        assert_eq!((curves.blocks(), curves.len()), (3, 77));
        let at = curves.find(3 * 40 + 1).unwrap();
        assert_eq!(curves.curve(at), [1210.0, 1211.0, 1212.0, 1213.0, 1214.0]);
        assert_eq!(curves.find(3), None);
        assert_eq!(
            (curves.positions(4..11), curves.positions(2..4), curves.positions(0..999)),
            (1..4, 1..1, 0..77)
        );
        curves.reject(at, Reject::Constant);
        assert_eq!((curves.find(121), curves.count_rejected(Reject::Constant)), (None, 1));
        let moments = Moments::of(&curves, 2.0);
        assert_eq!(
            (moments.area[0], moments.peak[0], moments.peak_at[0]),
            (2.0 * (10.0 * 4.0 + 8.0), 14.0, 4)
        );
        assert_eq!(moments.area.len(), 77);
        let usable: Vec<usize> = curves.usable_positions().collect();
        assert_eq!((usable.len(), curves.mean_of_usable()), (76, curves.mean(&usable)));
        assert_eq!(area(&[1.0, 2.0, 4.0], 0.5), 0.5 * (0.5 + 2.0 + 2.0));
        assert_eq!(peak_at(&[0.0, 3.0, 3.0, 1.0]), 1);
    }
}
