//! Lucy-Richardson: a residue function that is nowhere negative, by few multiplicative steps.
//!
//! `x <- x * P^T(c / (P x))`, P the normalised artery. The textbook's divisor `P^T 1` goes to 0 at the end of
//! the record, where it makes flow explode; without it the sum over the record is conserved and the end is
//! merely not reached.

use fearless_simd::{Simd, dispatch, prelude::*};

use super::linear::{Peaks, ROWS, tile};
use crate::curves::LANES;
use crate::level;

/// Keeps the quotient finite where nothing is predicted.
const TINY: f32 = 1e-12;
/// Share of the artery below which a sample is left out: all of them together are less than f32 tells.
const NOTHING: f32 = 1e-9;

/// The artery as a point spread function, and when to stop.
#[derive(Clone, Debug)]
pub struct Lucy {
    psf: Vec<f32>,
    /// Samples from the first to the last that is something.
    support: std::ops::Range<usize>,
    /// By tile of rows, the columns that it needs.
    forward: Vec<Band>,
    backward: Vec<Band>,
    /// Sum of the artery times the step.
    area: f64,
    iterations: u32,
}

/// Some rows of a matrix with a band.
#[derive(Clone, Debug)]
struct Band {
    columns: std::ops::Range<usize>,
    /// By column, row.
    weights: Vec<f32>,
}

impl Lucy {
    /// `None` if nothing of the artery is above 0.
    pub fn new(aif: &[f64], dt_s: f64, iterations: u32) -> Option<Self> {
        let sum: f64 = aif.iter().map(|a| a.max(0.0)).sum();
        let area = sum * dt_s;
        if !(area.is_finite() && area > 0.0) {
            return None;
        }
        let psf: Vec<f32> = aif.iter().map(|a| (a.max(0.0) / sum) as f32).collect();
        let something = |p: &f32| *p > NOTHING;
        let first = psf.iter().position(something)?;
        let support = first..psf.iter().rposition(something)? + 1;
        let mut out = Self { psf, support, forward: Vec::new(), backward: Vec::new(), area, iterations };
        let n = out.psf.len();
        for row in (0..n).step_by(ROWS) {
            // Row r of P needs columns r - lag, of its transpose r + lag.
            let forward =
                (row + 1).saturating_sub(out.support.end)..(row + ROWS).saturating_sub(first).min(n);
            let backward = (row + first).min(n)..(row + ROWS - 1 + out.support.end).min(n);
            out.forward.push(out.band(row, forward, |row, column| row.checked_sub(column)));
            out.backward.push(out.band(row, backward, |row, column| column.checked_sub(row)));
        }
        Some(out)
    }

    fn band(
        &self,
        first: usize,
        columns: std::ops::Range<usize>,
        lag: impl Fn(usize, usize) -> Option<usize>,
    ) -> Band {
        let value = |lag: usize| if self.support.contains(&lag) { self.psf[lag] } else { 0.0 };
        let weights = columns
            .clone()
            .flat_map(|column| (first..first + ROWS).map(move |row| (row, column)))
            .map(|(row, column)| lag(row, column).map_or(0.0, value))
            .collect();
        Band { columns, weights }
    }

    /// The normalised artery.
    pub fn psf(&self) -> &[f32] {
        &self.psf
    }

    /// Sum of the artery times the step.
    pub fn area(&self) -> f64 {
        self.area
    }

    /// Steps.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// Samples of the residue function.
    pub fn rows(&self) -> usize {
        self.psf.len()
    }

    /// Residue functions of a block into `x` (`samples` rows of lanes). `work` is scratch of that size.
    pub fn run(&self, block: &[f32], x: &mut [f32], work: &mut [f32]) {
        dispatch!(level(), simd => self.run_on(simd, block, x, work));
    }

    #[inline(always)]
    fn run_on<S: Simd>(&self, simd: S, block: &[f32], x: &mut [f32], ratio: &mut [f32]) {
        let lanes = S::f32s::LEN;
        let (tiny, zero) = (S::f32s::splat(simd, TINY), S::f32s::splat(simd, 0.0));
        x.fill(0.5);
        for _ in 0..self.iterations {
            // c / (P x), causal.
            each_row(simd, &self.forward, x, |at, sum| {
                let measured = S::f32s::from_slice(simd, &block[at..at + lanes]).max(zero);
                (measured / (sum + tiny)).store_slice(&mut ratio[at..at + lanes]);
            });
            // x P^T of the quotient: the same, backwards in time.
            each_row(simd, &self.backward, ratio, |at, sum| {
                let x = &mut x[at..at + lanes];
                (S::f32s::from_slice(simd, x) * sum).store_slice(x);
            });
        }
        let scale = (1.0 / self.area) as f32;
        x.iter_mut().for_each(|x| *x *= scale);
    }

    /// One curve.
    pub fn residue(&self, curve: &[f64]) -> Vec<f64> {
        let n = self.rows();
        let mut block = vec![0.0f32; n * LANES];
        curve.iter().enumerate().for_each(|(t, c)| block[t * LANES] = *c as f32);
        let (mut x, mut work) = (vec![0.0; n * LANES], vec![0.0; n * LANES]);
        self.run(&block, &mut x, &mut work);
        x.chunks_exact(LANES).map(|row| f64::from(row[0])).collect()
    }
}

/// Calls `each` with the place of every vector of the product of a matrix of bands and a block.
#[inline(always)]
fn each_row<S: Simd>(simd: S, bands: &[Band], block: &[f32], mut each: impl FnMut(usize, S::f32s)) {
    let (lanes, rows) = (S::f32s::LEN, block.len() / LANES);
    for first in (0..LANES).step_by(2 * lanes) {
        for (group, band) in bands.iter().enumerate() {
            let columns =
                &block[band.columns.start * LANES..band.columns.end.max(band.columns.start) * LANES];
            let sums = tile(simd, &band.weights, columns, first);
            for (r, sums) in sums.iter().enumerate().take(rows - group * ROWS) {
                let at = (group * ROWS + r) * LANES + first;
                each(at, sums[0]);
                each(at + lanes, sums[1]);
            }
        }
    }
}

/// Highest value, its row, and the sum over the rows of every lane.
pub fn summary(residue: &[f32]) -> (Peaks, [f32; LANES]) {
    let (mut peaks, mut sums) = (Peaks::default(), [0.0f32; LANES]);
    for (t, row) in residue.chunks_exact(LANES).enumerate() {
        for lane in 0..LANES {
            sums[lane] += row[lane];
            if row[lane] > peaks.value[lane] {
                peaks.value[lane] = row[lane];
                peaks.row[lane] = t as u32;
            }
        }
    }
    (peaks, sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bands_are_the_definition() {
        // An artery that begins late, ends early and has a hole.
        let n = 23;
        let aif: Vec<f64> =
            (0..n).map(|i| if (4..15).contains(&i) && i != 9 { 1.0 + f64::from(i) } else { -0.5 }).collect();
        let curve: Vec<f64> = (0..n).map(|i| (f64::from(i) * 0.7).sin() + 0.8).collect();
        let got = Lucy::new(&aif, 0.5, 6).unwrap().residue(&curve);
        let sum: f64 = aif.iter().map(|a| a.max(0.0)).sum();
        let psf: Vec<f64> = aif.iter().map(|a| a.max(0.0) / sum).collect();
        let n = n as usize;
        let mut x = vec![0.5; n];
        for _ in 0..6 {
            let predicted = |i: usize| (0..=i).map(|j| psf[i - j] * x[j]).sum::<f64>();
            let ratio: Vec<f64> = (0..n).map(|i| curve[i].max(0.0) / (predicted(i) + 1e-12)).collect();
            for j in 0..n {
                x[j] *= (j..n).map(|i| psf[i - j] * ratio[i]).sum::<f64>();
            }
        }
        for (i, (got, x)) in got.iter().zip(&x).enumerate() {
            let want = x / (sum * 0.5);
            assert!((got - want).abs() <= 1e-4 * want.abs() + 1e-9, "{i}: got {got}, want {want}");
        }
        assert!(Lucy::new(&[0.0, -1.0], 1.0, 6).is_none());
    }
}
