//! Methods that choose one of several matrices for each voxel: oSVD and Tikhonov with an L-curve.
//!
//! Voxels that are satisfied leave; those that are left are packed together for the next matrix, so that one
//! noisy voxel does not hold up its neighbours.

use super::circulant::Circulant;
use super::linear::{Linear, Peaks};
use super::{Found, lag};
use crate::curves::{Curves, LANES};

/// Shares of the largest singular value that oSVD tries: 5 to 95 % in steps of 5 % (FAIR, PyPeT).
const RUNGS: usize = 19;
/// Shares of the L-curve: 0.01 to 1, even in the logarithm.
const LAMBDAS: usize = 24;

/// Several inverses of one artery and the rule that chooses among them.
#[derive(Clone, Debug)]
pub struct Ladder {
    rungs: Vec<Linear>,
    choice: Choice,
}

#[derive(Clone, Debug)]
enum Choice {
    /// The first whose residue function oscillates less than this.
    Oscillation(f64),
    /// The corner of the L-curve.
    Corner { circulant: Circulant, lambdas: Vec<f64> },
}

/// Oscillation index (Wu 2003): `(1/L) (1/max k) sum |k[i] - 2 k[i-1] + k[i-2]|`.
pub fn oscillation(residue: &[f64]) -> f64 {
    let max = residue.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = residue.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).abs()).sum();
    if max > 0.0 { sum / (residue.len() as f64 * max) } else { f64::INFINITY }
}

impl Ladder {
    pub(super) fn oscillation(circulant: &Circulant, limit: f64) -> Self {
        let rungs = (1..=RUNGS).map(|i| circulant.truncated(0.05 * i as f64)).collect();
        Self { rungs, choice: Choice::Oscillation(limit) }
    }

    pub(super) fn l_curve(circulant: Circulant) -> Self {
        let lambdas: Vec<f64> =
            (0..LAMBDAS).map(|i| 10f64.powf(-2.0 + 2.0 * i as f64 / (LAMBDAS - 1) as f64)).collect();
        let rungs = lambdas.iter().map(|l| circulant.tikhonov(*l)).collect();
        Self { rungs, choice: Choice::Corner { circulant, lambdas } }
    }

    /// Voxels by their positions among the curves.
    pub(super) fn run(&self, curves: &Curves, voxels: std::ops::Range<usize>) -> Vec<Found> {
        let mut out = vec![Found::default(); voxels.len()];
        match &self.choice {
            Choice::Oscillation(limit) => {
                let mut waiting: Vec<usize> = voxels.clone().collect();
                for (i, rung) in self.rungs.iter().enumerate() {
                    let last = i + 1 == self.rungs.len();
                    let mut left = Vec::new();
                    each_packed(curves, rung, &waiting, |voxel, residue, lane| {
                        let (found, smooth) = judge(residue, lane, curves.samples(), *limit as f32);
                        out[voxel - voxels.start] = found;
                        if !smooth && !last {
                            left.push(voxel);
                        }
                    });
                    waiting = left;
                    if waiting.is_empty() {
                        break;
                    }
                }
            }
            Choice::Corner { .. } => {
                let mut by_rung = vec![Vec::new(); self.rungs.len()];
                voxels.clone().for_each(|v| by_rung[self.corner(&curves.curve(v))].push(v));
                for (rung, members) in self.rungs.iter().zip(&by_rung) {
                    each_packed(curves, rung, members, |voxel, residue, lane| {
                        out[voxel - voxels.start] = judge(residue, lane, curves.samples(), f32::INFINITY).0;
                    });
                }
            }
        }
        out
    }

    pub(super) fn residue(&self, curve: &[f64]) -> Vec<f64> {
        match &self.choice {
            Choice::Oscillation(limit) => {
                let mut residue = Vec::new();
                for rung in &self.rungs {
                    residue = rung.residue(curve);
                    if oscillation(&residue) < *limit {
                        break;
                    }
                }
                residue
            }
            Choice::Corner { .. } => self.rungs[self.corner(curve)].residue(curve),
        }
    }

    /// Where the curve of log residual against log solution bends most (Hansen 1992), by the angle at each point.
    fn corner(&self, curve: &[f64]) -> usize {
        let Choice::Corner { circulant, lambdas } = &self.choice else { return 0 };
        let spectrum = circulant.transform(curve);
        let singular = circulant.singular_values();
        let largest = circulant.largest();
        let points: Vec<[f64; 2]> = lambdas
            .iter()
            .map(|share| {
                let l2 = (share * largest).powi(2);
                let (mut residual, mut solution) = (0.0, 0.0);
                for (c, s) in spectrum.iter().zip(&singular) {
                    let d = s * s + l2;
                    residual += c.norm_sqr() * (l2 / d).powi(2);
                    solution += c.norm_sqr() * (s / d).powi(2);
                }
                [residual, solution].map(|v| 0.5 * v.max(f64::MIN_POSITIVE).ln())
            })
            .collect();
        let bend = |w: &[[f64; 2]]| {
            let (a, b) = ([w[1][0] - w[0][0], w[1][1] - w[0][1]], [w[2][0] - w[1][0], w[2][1] - w[1][1]]);
            (a[0] * b[1] - a[1] * b[0]) / (a[0].hypot(a[1]) * b[0].hypot(b[1])).max(f64::MIN_POSITIVE)
        };
        let mut best = (lambdas.len() / 2, f64::NEG_INFINITY);
        for (i, w) in points.windows(3).enumerate() {
            let bend = bend(w);
            if bend > best.1 {
                best = (i + 1, bend);
            }
        }
        best.0
    }
}

/// Packs voxels into blocks, multiplies, and hands each voxel's residue function over as a lane.
fn each_packed(curves: &Curves, rung: &Linear, voxels: &[usize], mut each: impl FnMut(usize, &[f32], usize)) {
    let samples = curves.samples();
    let mut block = vec![0.0; samples * LANES];
    let mut residue = vec![0.0; rung.rows() * LANES];
    for members in voxels.chunks(LANES) {
        for t in 0..samples {
            let row = &mut block[t * LANES..][..LANES];
            row.iter_mut().zip(members).for_each(|(out, v)| *out = curves.value(*v, t));
        }
        rung.product(&block, &mut residue);
        members.iter().enumerate().for_each(|(lane, voxel)| each(*voxel, &residue, lane));
    }
}

/// The peak of a lane, and whether it oscillates less than the limit.
fn judge(residue: &[f32], lane: usize, samples: usize, limit: f32) -> (Found, bool) {
    let mut peaks = Peaks::default();
    let (mut sum, mut before, mut last) = (0.0f32, 0.0f32, 0.0f32);
    let rows = residue.len() / LANES;
    for row in 0..rows {
        let value = residue[row * LANES + lane];
        if row >= 2 {
            sum += (value - 2.0 * last + before).abs();
        }
        (before, last) = (last, value);
        if value > peaks.value[lane] {
            peaks.value[lane] = value;
            peaks.row[lane] = row as u32;
        }
    }
    let max = peaks.value[lane];
    let smooth = max > 0.0 && sum < limit * rows as f32 * max;
    (Found { value: max, lag: lag(peaks.row[lane] as usize, samples, true), area: None }, smooth)
}
