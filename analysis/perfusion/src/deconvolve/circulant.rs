//! The block-circulant matrix of an artery through its spectrum.
//!
//! A circulant matrix is diagonal in the Fourier basis, so its singular values are the magnitudes of the
//! transform of its first column and any filter of them is one inverse transform (Wu 2003, Fieselmann 2011).

use contract::perfusion::Matrix;
use rustfft::FftPlanner;
use rustfft::num_complex::Complex;

use super::linear::Linear;

/// The spectrum of an artery that was padded to twice its length.
#[derive(Clone, Debug)]
pub struct Circulant {
    samples: usize,
    spectrum: Vec<Complex<f64>>,
    largest: f64,
}

impl Circulant {
    /// Of a curve sampled every `dt_s`. `None` if all of it is 0.
    pub fn new(aif: &[f64], dt_s: f64, matrix: Matrix) -> Option<Self> {
        let n = aif.len();
        let length = 2 * n;
        let at = |i: usize| if i < n { aif[i] } else { 0.0 };
        let mut spectrum: Vec<Complex<f64>> = (0..length)
            .map(|i| {
                let value = match matrix {
                    Matrix::Riemann => at(i),
                    // Oestergaard 1996, eq. 11: concentration is linear between samples.
                    Matrix::Simpson => {
                        (at((i + length - 1) % length) + 4.0 * at(i) + at((i + 1) % length)) / 6.0
                    }
                };
                Complex::new(dt_s * value, 0.0)
            })
            .collect();
        FftPlanner::new().plan_fft_forward(length).process(&mut spectrum);
        let largest = spectrum.iter().map(|f| f.norm()).fold(0.0, f64::max);
        (largest.is_finite() && largest > 0.0).then_some(Self { samples: n, spectrum, largest })
    }

    /// Twice the samples of a curve.
    pub fn length(&self) -> usize {
        self.spectrum.len()
    }

    /// The largest singular value.
    pub fn largest(&self) -> f64 {
        self.largest
    }

    /// Singular values up to the highest frequency, and how often each is there.
    pub fn half_singular_values(&self) -> Vec<(f64, f64)> {
        (0..=self.samples).map(|f| (self.spectrum[f].norm(), self.times(f))).collect()
    }

    /// The spectrum of a real curve is symmetric: all but the lowest and the highest frequency are there twice.
    fn times(&self, frequency: usize) -> f64 {
        if frequency == 0 || frequency == self.samples { 1.0 } else { 2.0 }
    }

    /// `2 pi f t / L`
    fn angle(&self, frequency: usize, t: usize) -> f64 {
        let length = self.length();
        std::f64::consts::TAU * ((frequency * t) % length) as f64 / length as f64
    }

    /// Frequencies that a truncation keeps, the largest singular value first.
    pub(super) fn kept(&self, share: f64) -> Vec<usize> {
        let limit = share * self.largest;
        let norm = |f: &usize| self.spectrum[*f].norm();
        let mut kept: Vec<usize> = (0..=self.samples).filter(|f| norm(f) >= limit && norm(f) > 0.0).collect();
        kept.sort_by(|a, b| norm(b).total_cmp(&norm(a)).then(a.cmp(b)));
        kept
    }

    /// Transform of a curve up to the highest frequency: real and imaginary parts in turn.
    pub(super) fn transforming(&self) -> Linear {
        let row = |row: usize| {
            let angle = move |t| self.angle(row / 2, t);
            (0..self.samples)
                .map(move |t| if row.is_multiple_of(2) { angle(t).cos() } else { -angle(t).sin() })
        };
        let rows = 2 * (self.samples + 1);
        Linear::new(rows, self.samples, (0..rows).flat_map(row).collect())
    }

    /// From a curve to the share of some frequencies in the residue function: real and imaginary parts in turn, for
    /// [`Circulant::basis`].
    pub(super) fn parts(&self, frequencies: &[usize]) -> Linear {
        let entries = frequencies.iter().flat_map(|f| {
            let inverse = self.spectrum[*f].inv() * (self.times(*f) / self.length() as f64);
            let value = move |t| inverse * Complex::from_polar(1.0, -self.angle(*f, t));
            let real = (0..self.samples).map(move |t| value(t).re);
            real.chain((0..self.samples).map(move |t| value(t).im))
        });
        Linear::new(2 * frequencies.len(), self.samples, entries.collect())
    }

    /// By row of the residue function what real and imaginary parts of some frequencies add to it.
    pub(super) fn basis(&self, frequencies: &[usize]) -> Vec<f64> {
        let row = |row: usize| {
            frequencies.iter().flat_map(move |f| {
                let angle = self.angle(*f, row);
                [angle.cos(), -angle.sin()]
            })
        };
        (0..self.length()).flat_map(row).collect()
    }

    /// The inverse with singular values below `share` of the largest dropped.
    pub fn truncated(&self, share: f64) -> Linear {
        // s_i >= p s_max is kept (FAIR, turtleizzy).
        let kept = self.kept(share);
        let (outer, inner) = (self.basis(&kept), self.parts(&kept));
        Linear::product_of(&outer, inner.entries(), [self.length(), inner.rows(), self.samples])
    }

    /// Tikhonov: `s / (s^2 + lambda^2)`, lambda as a share of the largest singular value.
    pub fn tikhonov(&self, share: f64) -> Linear {
        let lambda = share * self.largest;
        self.filtered(|s| if s > 0.0 { s / (s * s + lambda * lambda) } else { 0.0 })
    }

    /// `filter` gives the inverse of a singular value.
    fn filtered(&self, filter: impl Fn(f64) -> f64) -> Linear {
        let length = self.length();
        let mut inverse: Vec<Complex<f64>> = self
            .spectrum
            .iter()
            .map(|f| {
                let s = f.norm();
                if s > 0.0 { f.conj() / s * filter(s) } else { Complex::default() }
            })
            .collect();
        FftPlanner::new().plan_fft_inverse(length).process(&mut inverse);
        let kernel: Vec<f64> = inverse.iter().map(|v| v.re / length as f64).collect();
        let mut entries = Vec::with_capacity(length * self.samples);
        for row in 0..length {
            entries.extend((0..self.samples).map(|column| kernel[(row + length - column) % length]));
        }
        Linear::new(length, self.samples, entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_truncation_the_inverse_undoes_the_convolution() {
        let n = 20;
        let aif: Vec<f64> =
            (0..n).map(|i| (f64::from(i) * 1.7).exp().min(3.0) * (-0.4 * f64::from(i)).exp()).collect();
        let truth: Vec<f64> = (0..n).map(|i| 0.3 * (-0.2 * f64::from(i)).exp()).collect();
        let dt = 0.5;
        // The plainest convolution, on twice the length so that nothing is cut off.
        let mut curve = vec![0.0; 2 * n as usize];
        for i in 0..n as usize {
            for j in 0..n as usize {
                curve[i + j] += dt * aif[i] * truth[j];
            }
        }
        let circulant = Circulant::new(&aif, dt, Matrix::Riemann).unwrap();
        assert_eq!(circulant.length(), 40);
        let padded: Vec<f64> = aif.iter().copied().chain(std::iter::repeat_n(0.0, n as usize)).collect();
        let wide = Circulant::new(&padded, dt, Matrix::Riemann).unwrap();
        let residue = wide.truncated(1e-9).residue(&curve);
        for i in 0..n as usize {
            assert!((residue[i] - truth[i]).abs() < 1e-6, "{i}: {} {}", residue[i], truth[i]);
        }
        assert!(Circulant::new(&[0.0; 8], 1.0, Matrix::Riemann).is_none());
    }
}
