//! oSVD: the block-circulant SVD whose truncation rises for each voxel until its residue function oscillates no more
//! than is allowed (Wu 2003).
//!
//! A rung drops frequencies and changes nothing else, so the rungs are climbed downwards: each adds the frequencies
//! that the one above lacks to the residue function that is there, and all of them cost less than two matrices.

use super::circulant::Circulant;
use super::linear::{Linear, WIDE};
use super::{Found, lag};
use crate::curves::{Curves, LANES};

/// Shares of the largest singular value that are tried: 5 to 95 % in steps of 5 % (FAIR, PyPeT).
const RUNGS: usize = 19;
/// Between two of them.
const STEP: f64 = 0.05;

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
                let basis = circulant.basis(&order[from / 2..until / 2]);
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

    /// Voxels of a block of lanes after another.
    pub(super) fn run(&self, curves: &Curves, blocks: std::ops::Range<usize>) -> Vec<Found> {
        let rows = self.rungs[0].rows();
        let limit = self.limit as f32 * rows as f32;
        let mut parts = vec![0.0; self.spectrum.rows() * LANES];
        let mut residue = vec![[0.0f32; WIDE]; rows];
        let mut out = Vec::with_capacity(blocks.len() * LANES);
        for block in blocks {
            self.spectrum.product(curves.block(block), &mut parts);
            for first in (0..LANES).step_by(WIDE) {
                let (value, row) = self.climb(&parts, first, limit, &mut residue);
                let found = |l: usize| Found {
                    value: value[l],
                    lag: lag(row[l] as usize, curves.samples(), true),
                    area: None,
                };
                out.extend((0..WIDE).map(found));
            }
        }
        out
    }

    /// Highest value and its row for the lanes from `first` on.
    #[inline(always)]
    fn climb(
        &self,
        parts: &[f32],
        first: usize,
        limit: f32,
        residue: &mut [[f32; WIDE]],
    ) -> ([f32; WIDE], [f32; WIDE]) {
        let (mut best, mut best_row) = ([0.0; WIDE], [0.0; WIDE]);
        residue.fill([0.0; WIDE]);
        for (index, step) in self.steps.iter().enumerate() {
            let count = step.parts.len();
            let mut shares = [[0.0f32; WIDE]; MOST_PARTS];
            // Rows of the residue function are touched once for a few parts.
            let (mut value, mut row_of) = ([f32::NEG_INFINITY; WIDE], [0.0f32; WIDE]);
            let (mut bent, mut before, mut last) = ([0.0f32; WIDE], [0.0f32; WIDE], [0.0f32; WIDE]);
            let mut done = 0;
            while done < count {
                let some = (count - done).min(MOST_PARTS);
                for (i, share) in shares.iter_mut().enumerate().take(some) {
                    share.copy_from_slice(&parts[(step.parts.start + done + i) * LANES + first..][..WIDE]);
                }
                let is_last = done + some == count;
                for (row, (k, basis)) in residue.iter_mut().zip(step.basis.chunks_exact(count)).enumerate() {
                    let mut sum = *k;
                    for (share, weight) in shares[..some].iter().zip(&basis[done..done + some]) {
                        for l in 0..WIDE {
                            sum[l] += weight * share[l];
                        }
                    }
                    *k = sum;
                    if !is_last {
                        continue;
                    }
                    let counts = if row >= 2 { 1.0 } else { 0.0 };
                    for l in 0..WIDE {
                        bent[l] += counts * (sum[l] - 2.0 * last[l] + before[l]).abs();
                        let higher = sum[l] > value[l];
                        value[l] = if higher { sum[l] } else { value[l] };
                        row_of[l] = if higher { row as f32 } else { row_of[l] };
                    }
                    before = last;
                    last = sum;
                }
                done += some;
            }
            for l in 0..WIDE {
                // The lowest rung that is smooth enough is the last one seen; without any it is the highest rung.
                if index == 0 || (value[l] > 0.0 && bent[l] < limit * value[l]) {
                    (best[l], best_row[l]) = (value[l], row_of[l]);
                }
            }
        }
        (best, best_row)
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

/// Parts that are added in one pass over the residue function.
const MOST_PARTS: usize = 8;

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
