//! Lucy-Richardson: a residue function that is nowhere negative, by few multiplicative steps.
//!
//! `x <- x * P^T(c / (P x))`, P the normalised artery. The textbook's divisor `P^T 1` goes to 0 at the end of
//! the record, where it makes flow explode; without it the sum over the record is conserved and the end is
//! merely not reached.

use super::linear::Peaks;
use crate::curves::LANES;

/// Keeps the quotient finite where nothing is predicted.
const TINY: f32 = 1e-12;

/// The artery as a point spread function, and when to stop.
#[derive(Clone, Debug)]
pub struct Lucy {
    psf: Vec<f32>,
    /// Sum of the artery times the step.
    area: f64,
    iterations: u32,
}

impl Lucy {
    /// `None` if nothing of the artery is above 0.
    pub fn new(aif: &[f64], dt_s: f64, iterations: u32) -> Option<Self> {
        let sum: f64 = aif.iter().map(|a| a.max(0.0)).sum();
        let area = sum * dt_s;
        (area.is_finite() && area > 0.0).then(|| Self {
            psf: aif.iter().map(|a| (a.max(0.0) / sum) as f32).collect(),
            area,
            iterations,
        })
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

    /// Residue functions of a block into `x` (`samples` rows of lanes). `work` is scratch of twice that size.
    pub fn run(&self, block: &[f32], x: &mut [f32], work: &mut [f32]) {
        let n = self.psf.len();
        let (ratio, sum) = work.split_at_mut(n * LANES);
        x.fill(0.5);
        for _ in 0..self.iterations {
            // P x, causal.
            sum.fill(0.0);
            for (lag, p) in self.psf.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                accumulate(&mut sum[lag * LANES..n * LANES], &x[..(n - lag) * LANES], *p);
            }
            for ((r, s), c) in ratio.iter_mut().zip(sum.iter()).zip(block) {
                *r = c.max(0.0) / (*s + TINY);
            }
            // P^T of the quotient: the same, backwards in time.
            sum.fill(0.0);
            for (lag, p) in self.psf.iter().enumerate().filter(|(_, p)| **p > 0.0) {
                accumulate(&mut sum[..(n - lag) * LANES], &ratio[lag * LANES..n * LANES], *p);
            }
            x.iter_mut().zip(sum.iter()).for_each(|(x, s)| *x *= s);
        }
        let scale = (1.0 / self.area) as f32;
        x.iter_mut().for_each(|x| *x *= scale);
    }

    /// One curve.
    pub fn residue(&self, curve: &[f64]) -> Vec<f64> {
        let n = self.rows();
        let mut block = vec![0.0f32; n * LANES];
        curve.iter().enumerate().for_each(|(t, c)| block[t * LANES] = *c as f32);
        let (mut x, mut work) = (vec![0.0; n * LANES], vec![0.0; 2 * n * LANES]);
        self.run(&block, &mut x, &mut work);
        x.chunks_exact(LANES).map(|row| f64::from(row[0])).collect()
    }
}

#[inline]
fn accumulate(out: &mut [f32], values: &[f32], weight: f32) {
    out.iter_mut().zip(values).for_each(|(o, v)| *o += weight * v);
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
