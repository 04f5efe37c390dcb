//! oSVD: the block-circulant SVD whose truncation rises for each voxel until its residue function oscillates no more
//! than is allowed (Wu 2003).
//!
//! A rung drops frequencies and changes nothing else, so the rungs are climbed downwards: each adds the frequencies
//! that the one above lacks to the residue function that is there, and all of them cost less than two matrices.

use fearless_simd::{Simd, dispatch, prelude::*};

use super::Found;
use super::circulant::Circulant;
use super::linear::{Linear, Peaks};
use crate::curves::{Curves, LANES};
use crate::level;

/// Shares of the largest singular value that are tried: 5 to 95 % in steps of 5 % (FAIR, PyPeT).
const RUNGS: usize = 19;
/// Between two of them.
const STEP: f64 = 0.05;
/// Parts that are added in one pass over the residue function.
const MOST_PARTS: usize = 8;

/// All truncations of one artery.
#[derive(Clone, Debug)]
pub struct Ladder {
    limit: f64,
    /// From 5 % on: the definition.
    rungs: Vec<Linear>,
    /// From a curve to the share of each frequency in the residue function: real and imaginary parts in turn, the
    /// largest singular value first.
    spectrum: Linear,
    /// From 95 % on; rungs that keep the same frequencies are one.
    steps: Vec<Step>,
}

/// What a rung keeps and the one above drops.
#[derive(Clone, Debug)]
struct Step {
    /// Rows of the spectrum.
    parts: std::ops::Range<usize>,
    /// By row of the residue function, part.
    basis: Vec<f32>,
}

/// Oscillation index (Wu 2003): `(1/L) (1/max k) sum |k[i] - 2 k[i-1] + k[i-2]|`.
pub fn oscillation(residue: &[f64]) -> f64 {
    let max = residue.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = residue.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).abs()).sum();
    if max > 0.0 { sum / (residue.len() as f64 * max) } else { f64::INFINITY }
}

impl Ladder {
    pub(super) fn new(circulant: &Circulant, limit: f64) -> Self {
        let share = |rung: usize| STEP * rung as f64;
        let rungs = (1..=RUNGS).map(|i| circulant.truncated(share(i))).collect();
        let order = circulant.kept(share(1));
        let mut steps = Vec::new();
        let mut from = 0;
        for rung in (1..=RUNGS).rev() {
            let until = 2 * circulant.kept(share(rung)).len();
            if until > from {
                let basis =
                    circulant.basis(&order[from / 2..until / 2]).into_iter().map(|b| b as f32).collect();
                steps.push(Step { parts: from..until, basis });
                from = until;
            }
        }
        Self { limit, rungs, spectrum: circulant.parts(&order), steps }
    }

    /// The matrices, from 5 % on.
    pub fn rungs(&self) -> &[Linear] {
        &self.rungs
    }

    /// Of the oscillation index.
    pub fn limit(&self) -> f64 {
        self.limit
    }

    /// Voxels of some blocks, one after the other.
    pub(super) fn run(&self, curves: &Curves, blocks: std::ops::Range<usize>) -> Vec<Found> {
        let rows = self.rungs[0].rows();
        let mut parts = vec![0.0; self.spectrum.rows() * LANES];
        let mut residue = vec![0.0; rows * LANES];
        let mut out = Vec::with_capacity(blocks.len() * LANES);
        for block in blocks {
            let peaks = dispatch!(level(), simd => {
                self.spectrum.product_on(simd, curves.block(block), &mut parts);
                self.climb(simd, &parts, &mut residue)
            });
            out.extend((0..LANES).map(|lane| super::found(&peaks, lane, curves.samples(), true)));
        }
        out
    }

    /// Highest value and its row for every lane of a block.
    #[inline(always)]
    fn climb<S: Simd>(&self, simd: S, parts: &[f32], residue: &mut [f32]) -> Peaks {
        let splat = |v: f32| S::f32s::splat(simd, v);
        let (lanes, zero, two) = (S::f32s::LEN, splat(0.0), splat(2.0));
        let limit = splat(self.limit as f32 * (residue.len() / LANES) as f32);
        let mut peaks = Peaks::default();
        residue.fill(0.0);
        for first in (0..LANES).step_by(lanes) {
            let (mut best, mut best_row) = (zero, zero);
            for (index, step) in self.steps.iter().enumerate() {
                let count = step.parts.len();
                let (mut value, mut row_of) = (splat(f32::NEG_INFINITY), zero);
                let (mut bent, mut before, mut last) = (zero, zero, zero);
                let mut done = 0;
                while done < count {
                    let some = (count - done).min(MOST_PARTS);
                    let mut shares = [zero; MOST_PARTS];
                    for (i, share) in shares.iter_mut().enumerate().take(some) {
                        let at = (step.parts.start + done + i) * LANES + first;
                        *share = S::f32s::from_slice(simd, &parts[at..at + lanes]);
                    }
                    done += some;
                    let rows = residue.chunks_exact_mut(LANES).zip(step.basis.chunks_exact(count));
                    for (row, (k, basis)) in rows.enumerate() {
                        let k = &mut k[first..first + lanes];
                        let mut sum = S::f32s::from_slice(simd, k);
                        for (share, weight) in shares[..some].iter().zip(&basis[done - some..done]) {
                            sum = splat(*weight).mul_add(*share, sum);
                        }
                        sum.store_slice(k);
                        // Of a rung with many parts, the last pass has them all.
                        if done < count {
                            continue;
                        }
                        if row >= 2 {
                            bent += (sum - two * last + before).abs();
                        }
                        let higher = sum.simd_gt(value);
                        value = higher.select(sum, value);
                        row_of = higher.select(splat(row as f32), row_of);
                        before = last;
                        last = sum;
                    }
                }
                // The lowest rung that is smooth enough is the last one seen; without any it is the highest rung.
                if index == 0 {
                    (best, best_row) = (value, row_of);
                } else {
                    // Where nothing is above 0 the right side is not either, and bending is never below 0.
                    let smooth = bent.simd_lt(limit * value);
                    best = smooth.select(value, best);
                    best_row = smooth.select(row_of, best_row);
                }
            }
            let mut rows = [0.0f32; LANES];
            best.store_slice(&mut peaks.value[first..first + lanes]);
            best_row.store_slice(&mut rows[first..first + lanes]);
            (first..first + lanes).for_each(|lane| peaks.row[lane] = rows[lane] as u32);
        }
        peaks
    }

    /// One curve, by the definition.
    pub(super) fn residue(&self, curve: &[f64]) -> Vec<f64> {
        let mut residue = Vec::new();
        for rung in &self.rungs {
            residue = rung.residue(curve);
            if oscillation(&residue) < self.limit {
                break;
            }
        }
        residue
    }
}

#[cfg(test)]
mod tests {
    use contract::perfusion::Matrix;

    use super::*;

    #[test]
    fn climbing_down_finds_what_the_definition_finds() {
        let n = 37;
        let aif: Vec<f64> = (0..n)
            .map(|i| {
                let u = i as f64 - 4.0;
                if u > 0.0 { u.powi(3) * (-u / 1.5).exp() } else { 0.0 }
            })
            .collect();
        let circulant = Circulant::new(&aif, 1.0, Matrix::Riemann).unwrap();
        for limit in [1e-9, 0.035, 0.095, 1e9] {
            let ladder = Ladder::new(&circulant, limit);
            let count = 77;
            let mut curves = Curves::new((0..count).collect(), n);
            for v in 0..count as usize {
                for t in 0..n {
                    let clean: f64 =
                        (0..=t).map(|j| aif[j] * (-((t - j) as f64) / (2.0 + (v % 9) as f64)).exp()).sum();
                    let noise = ((v * 7919 + t * 104_729) % 1009) as f64 / 1009.0 - 0.5;
                    *curves.value_mut(v, t) = (clean + (v % 5) as f64 * noise) as f32;
                }
            }
            let found = ladder.run(&curves, 0..curves.blocks());
            // `run` leaves the lanes beyond the last voxel to its caller.
            let found = &found[..count as usize];
            let mut apart = 0;
            for (v, found) in found.iter().enumerate() {
                let residue = ladder.residue(&curves.curve(v));
                let peak = residue.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                apart += usize::from((f64::from(found.value) / peak - 1.0).abs() > 1e-4);
            }
            // One curve may lie on the limit to rounding.
            assert!(apart <= 1, "limit {limit}: {apart} of {count} differ");
        }
    }
}
