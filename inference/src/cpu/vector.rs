//! Softmax, and activations with an exponential or an error function, by whole vectors.
//!
//! The C library's functions take one number at a time and are most of what such an operator costs. Along the last axis
//! the vectors of a softmax lie in the row; along another one they lie across rows, so that a map of class
//! probabilities is as fast as a row.

use fearless_simd::{Simd, dispatch, prelude::*};

use super::tile::level;
use super::{CpuError, check_length, parallel};

/// Below, the exponential is no normal f32 any more and taken for zero.
const LEAST: f32 = -87.3;
/// Elements of the widest vector.
const WIDEST: usize = 16;

/// 2ⁿ and exp(r) - 1 with x = n · ln 2 + r for x of at most 0, |r| ≤ ln 2 / 2; the polynomial is that of Cephes' `expf`.
#[inline(always)]
fn halves<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let all = |value| S::f32s::splat(simd, value);
    let near = all(LEAST).max(x);
    let n = (near * all(std::f32::consts::LOG2_E)).round_ties_even();
    // ln 2 in two parts, of which the first has so few bits that its product with n is exact.
    let r = n.mul_add(all(-0.693_359_4), near);
    let r = n.mul_add(all(2.121_944_4e-4), r);
    let mut p = all(1.987_569_1e-4);
    for c in [1.398_199_9e-3, 8.333_452e-3, 4.166_579_6e-2, 1.666_666_5e-1, 0.5] {
        p = p.mul_add(r, all(c));
    }
    let exponent: S::i32s = n.to_int();
    let power: S::f32s = ((exponent + S::i32s::splat(simd, 127)) << 23u32).bitcast();
    (power, (p * r).mul_add(r, r))
}

/// `exp(x)` for x of at most 0, to 2 units in the last place.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let all = |value| S::f32s::splat(simd, value);
    let (power, small) = halves(simd, x);
    x.simd_lt(all(LEAST)).select(all(0.0), (small + all(1.0)) * power)
}

/// `exp(x) - 1` for x of at most 0, without losing the digits of a small x.
#[inline(always)]
fn exp_m1<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let (power, small) = halves(simd, x);
    small.mul_add(power, power - S::f32s::splat(simd, 1.0))
}

/// `1 / (1 + exp(-x))`, by the exponential that does not overflow.
#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = S::f32s::splat(simd, 1.0);
    let e = exp(simd, x.min(-x));
    let high = one / (one + e);
    x.simd_lt(S::f32s::splat(simd, 0.0)).select(e * high, high)
}

/// The error function to 7 units in the last place: the rational approximation of Eigen and XLA (`ErfImpl32`) between -4
/// and 4, beyond which f32 does not tell its value from ±1. It must be that exactly: GELU multiplies what is left by x.
#[inline(always)]
fn erf<S: Simd>(simd: S, given: S::f32s) -> S::f32s {
    let all = |value| S::f32s::splat(simd, value);
    let x = all(4.0).min(all(-4.0).max(given));
    let square = x * x;
    let polynomial = |coefficients: &[f32]| {
        coefficients[1..].iter().fold(all(coefficients[0]), |sum, &c| sum.mul_add(square, all(c)))
    };
    let above = polynomial(&[
        -2.726_142_3e-10,
        2.770_681_5e-8,
        -2.101_024e-6,
        -5.692_506_4e-5,
        -7.349_906_5e-4,
        -2.954_6e-3,
        -1.609_603_3e-2,
    ]);
    let below =
        polynomial(&[-1.456_607_2e-5, -2.133_740_6e-4, -1.682_827e-3, -7.373_329e-3, -1.426_473_9e-2]);
    let inside = all(1.0).min(all(-1.0).max(x * above / below));
    let high = given.simd_lt(all(4.0)).select(inside, all(1.0));
    given.simd_lt(all(-4.0)).select(all(-1.0), given.simd_eq(given).select(high, given))
}

/// A function of one element that is worth vectors.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Smooth {
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `x · sigmoid(alpha · x)`.
    Swish {
        /// The factor.
        alpha: f32,
    },
    /// `x / 2 · (1 + erf(x / √2))`.
    Gelu,
    /// The error function.
    Erf,
    /// `x` where positive, `alpha · (exp(x) - 1)` elsewhere.
    Elu {
        /// The factor.
        alpha: f32,
    },
}

/// Elements below which a second thread costs more than it brings.
const ALONE: usize = 1 << 16;

impl Smooth {
    #[inline(always)]
    fn of<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let all = |value| S::f32s::splat(simd, value);
        match self {
            Self::Sigmoid => sigmoid(simd, x),
            Self::Swish { alpha } => x * sigmoid(simd, x * all(alpha)),
            Self::Gelu => {
                let gate = all(1.0) + erf(simd, x * all(std::f32::consts::FRAC_1_SQRT_2));
                x * all(0.5) * gate
            }
            Self::Erf => erf(simd, x),
            Self::Elu { alpha } => {
                let below = x.simd_lt(all(0.0));
                below.select(all(alpha) * exp_m1(simd, below.select(x, all(0.0))), x)
            }
        }
    }

    /// Of every element, in place.
    pub fn apply(self, values: &mut [f32]) {
        #[inline(always)]
        fn all<S: Simd>(simd: S, function: Smooth, values: &mut [f32]) {
            each_vector(simd, values, |x| function.of(simd, x));
        }
        let parts = (values.len() / ALONE).clamp(1, 4 * parallel::threads());
        let tasks = values.chunks_mut(values.len().div_ceil(parts).max(1)).collect();
        parallel::each(tasks, |part: &mut [f32]| dispatch!(level(), simd => all(simd, self, part)));
    }
}

/// Replaces every vector of a slice, the last one filled up.
#[inline(always)]
fn each_vector<S: Simd>(simd: S, values: &mut [f32], mut f: impl FnMut(S::f32s) -> S::f32s) {
    let lanes = S::f32s::LEN;
    let whole = values.len() / lanes * lanes;
    let (vectors, rest) = values.split_at_mut(whole);
    for x in vectors.chunks_exact_mut(lanes) {
        f(S::f32s::from_slice(simd, x)).store_slice(x);
    }
    if !rest.is_empty() {
        let mut last = [0.0; WIDEST];
        last[..rest.len()].copy_from_slice(rest);
        rest.copy_from_slice(&f(S::f32s::from_slice(simd, &last[..lanes])).as_slice()[..rest.len()]);
    }
}

/// `exp(x - max) / Σ exp(x - max)` over the middle axis of (outer, n, inner).
///
/// # Errors
/// Where the slice has another length.
pub fn softmax(values: &[f32], [outer, n, inner]: [usize; 3]) -> Result<Vec<f32>, CpuError> {
    check_length("input", values.len(), &[outer, n, inner])?;
    let mut out = values.to_vec();
    if out.is_empty() {
        return Ok(out);
    }
    for block in out.chunks_exact_mut(n * inner) {
        if inner == 1 {
            dispatch!(level(), simd => along(simd, block));
        } else {
            dispatch!(level(), simd => across(simd, block, n, inner));
        }
    }
    Ok(out)
}

/// A row whose elements lie next to each other.
#[inline(always)]
fn along<S: Simd>(simd: S, row: &mut [f32]) {
    let most = row.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let shift = S::f32s::splat(simd, most);
    each_vector(simd, row, |x| exp(simd, x - shift));
    // Four sums: one would wait for its own last addition.
    let mut sums = [0.0f32; 4];
    let (quads, rest) = row.split_at(row.len() / 4 * 4);
    for quad in quads.chunks_exact(4) {
        sums.iter_mut().zip(quad).for_each(|(sum, x)| *sum += x);
    }
    let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest.iter().sum::<f32>();
    let share = S::f32s::splat(simd, sum);
    each_vector(simd, row, |x| x / share);
}

/// `inner` rows side by side, whose elements lie `inner` apart.
#[inline(always)]
fn across<S: Simd>(simd: S, block: &mut [f32], n: usize, inner: usize) {
    let lanes = S::f32s::LEN;
    for first in (0..inner).step_by(lanes) {
        let width = lanes.min(inner - first);
        let load = |block: &[f32], k: usize| {
            let from = &block[k * inner + first..][..width];
            if width == lanes {
                return S::f32s::from_slice(simd, from);
            }
            let mut column = [0.0; WIDEST];
            column[..width].copy_from_slice(from);
            S::f32s::from_slice(simd, &column[..lanes])
        };
        let mut most = load(block, 0);
        for k in 1..n {
            most = most.max(load(block, k));
        }
        let mut sum = S::f32s::splat(simd, 0.0);
        for k in 0..n {
            let e = exp(simd, load(block, k) - most);
            sum += e;
            block[k * inner + first..][..width].copy_from_slice(&e.as_slice()[..width]);
        }
        for k in 0..n {
            let share = load(block, k) / sum;
            block[k * inner + first..][..width].copy_from_slice(&share.as_slice()[..width]);
        }
    }
}
