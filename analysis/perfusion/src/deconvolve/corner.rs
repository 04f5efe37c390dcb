//! Tikhonov with the lambda of each voxel at the corner of its L-curve (Hansen 1992).
//!
//! Residual and solution of every lambda are sums over frequencies of the curve's power there, so one transform and one
//! product give all points of all curves; voxels of the same lambda are then packed together for its matrix.

use super::circulant::Circulant;
use super::linear::Linear;
use super::{Found, lag};
use crate::curves::{Curves, LANES};

/// Points of the L-curve: shares of the largest singular value of 0.01 to 1, even in the logarithm.
const POINTS: usize = 24;

/// Share of a curve's power that counts as residual whatever lambda is: a hundred-thousandth of the signal is less
/// than any measurement and more than the rounding of f32, which would choose the lambda of curves without noise.
const FLOOR: f64 = 1e-10;

/// All lambdas of one artery.
#[derive(Clone, Debug)]
pub struct Corner {
    rungs: Vec<Linear>,
    /// Transform of a curve: real and imaginary parts in turn.
    spectrum: Linear,
    /// From power by frequency to squared residuals, then to squared solutions.
    points: Linear,
}

impl Corner {
    pub(super) fn new(circulant: &Circulant) -> Self {
        let shares: Vec<f64> =
            (0..POINTS).map(|i| 10f64.powf(-2.0 + 2.0 * i as f64 / (POINTS - 1) as f64)).collect();
        let rungs = shares.iter().map(|share| circulant.tikhonov(*share)).collect();
        let singular = circulant.half_singular_values();
        let squared = |share: f64| (share * circulant.largest()).powi(2);
        // Tikhonov leaves l^2 / (s^2 + l^2) of a component and takes s / (s^2 + l^2) of it into the solution.
        let residual =
            |l2: f64| singular.iter().map(move |(s, times)| times * ((l2 / (s * s + l2)).powi(2) + FLOOR));
        let solution = |l2: f64| singular.iter().map(move |(s, times)| times * (s / (s * s + l2)).powi(2));
        let mut points: Vec<f64> = shares.iter().flat_map(|share| residual(squared(*share))).collect();
        points.extend(shares.iter().flat_map(|share| solution(squared(*share))));
        let points = Linear::new(2 * POINTS, singular.len(), points);
        Self { rungs, spectrum: circulant.transforming(), points }
    }

    /// The matrices, by point.
    pub fn rungs(&self) -> &[Linear] {
        &self.rungs
    }

    /// Transform of a curve.
    pub fn spectrum(&self) -> &Linear {
        &self.spectrum
    }

    /// By frequency the weight of its power in the squared residual of every point, then in the squared solution.
    pub fn weights(&self) -> Vec<f64> {
        let (frequencies, points) = (self.spectrum.rows() / 2, self.points.rows());
        let weight = |i: usize| self.points.entry(i % points, i / points);
        (0..frequencies * points).map(weight).collect()
    }

    /// Voxels of some blocks.
    pub(super) fn run(&self, curves: &Curves, blocks: std::ops::Range<usize>, count: usize) -> Vec<Found> {
        let first = blocks.start * LANES;
        let mut parts = vec![0.0f32; self.spectrum.rows() * LANES];
        let mut power = vec![0.0f32; parts.len() / 2];
        let mut points = vec![0.0f32; self.points.rows() * LANES];
        let mut by_rung = vec![Vec::new(); POINTS];
        for block in blocks {
            self.spectrum.product(curves.block(block), &mut parts);
            for (power, pair) in power.chunks_exact_mut(LANES).zip(parts.chunks_exact(2 * LANES)) {
                let (real, imaginary) = pair.split_at(LANES);
                for lane in 0..LANES {
                    power[lane] = real[lane] * real[lane] + imaginary[lane] * imaginary[lane];
                }
            }
            self.points.product(&power, &mut points);
            for lane in 0..LANES.min(first + count - block * LANES) {
                let at = |point: usize| f64::from(points[point * LANES + lane]);
                let corner = corner(|i| [at(i), at(POINTS + i)]);
                by_rung[corner].push(block * LANES + lane);
            }
        }
        let mut out = vec![Found::default(); count];
        let mut packed = vec![0.0f32; curves.samples() * LANES];
        let mut work = Vec::new();
        for (rung, members) in self.rungs.iter().zip(&by_rung) {
            for members in members.chunks(LANES) {
                for (t, row) in packed.chunks_exact_mut(LANES).enumerate() {
                    row.iter_mut().zip(members).for_each(|(out, v)| *out = curves.value(*v, t));
                }
                let peaks = rung.peaks(&packed, &mut work);
                for (lane, voxel) in members.iter().enumerate() {
                    let lag = lag(peaks.row[lane] as usize, curves.samples(), true);
                    out[voxel - first] = Found { value: peaks.value[lane], lag, area: None };
                }
            }
        }
        out
    }

    /// One curve, in f64.
    pub(super) fn residue(&self, curve: &[f64]) -> Vec<f64> {
        let power: Vec<f64> =
            self.spectrum.residue(curve).chunks_exact(2).map(|p| p[0] * p[0] + p[1] * p[1]).collect();
        let points = self.points.residue(&power);
        self.rungs[corner(|i| [points[i], points[POINTS + i]])].residue(curve)
    }
}

/// The point where the curve of log residual against log solution bends most, by the angle there.
fn corner(squares: impl Fn(usize) -> [f64; 2]) -> usize {
    let point = |i: usize| squares(i).map(|v| 0.5 * v.max(f64::from(f32::MIN_POSITIVE)).ln());
    let mut best = (POINTS / 2, f64::NEG_INFINITY);
    let (mut one, mut two) = (point(0), point(1));
    for i in 2..POINTS {
        let three = point(i);
        let (a, b) = ([two[0] - one[0], two[1] - one[1]], [three[0] - two[0], three[1] - two[1]]);
        let lengths = (a[0] * a[0] + a[1] * a[1]) * (b[0] * b[0] + b[1] * b[1]);
        let bend = (a[0] * b[1] - a[1] * b[0]) / lengths.sqrt().max(f64::MIN_POSITIVE);
        if bend > best.1 {
            best = (i - 1, bend);
        }
        (one, two) = (two, three);
    }
    best.0
}
