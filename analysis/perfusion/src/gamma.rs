//! A gamma variate through the first passage of a curve: `A (t - t0)^alpha exp(-(t - t0) / beta)`.
//!
//! For a given arrival the logarithm is linear in the other three, so they follow from weighted least squares and
//! only the arrival is searched: no start values, the same answer every time (Madsen 1992 for the form).

use serde::Serialize;

use crate::curves::peak_at;

/// After the peak, samples below this share belong to recirculation.
const FIRST_PASSAGE: f64 = 0.4;
/// Bounds of alpha and of beta in seconds, as PyPeT has them.
const BOUNDS: std::ops::RangeInclusive<f64> = 0.1..=8.0;

/// A fitted curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Gamma {
    /// s
    pub arrival_s: f64,
    /// Power of time.
    pub alpha: f64,
    /// s
    pub beta_s: f64,
    /// Factor.
    pub scale: f64,
    /// Root of the mean square over the first passage, as a share of the peak.
    pub error: f64,
}

impl Gamma {
    /// The value at a time.
    pub fn at(&self, t_s: f64) -> f64 {
        let u = t_s - self.arrival_s;
        if u <= 0.0 { 0.0 } else { self.scale * u.powf(self.alpha) * (-u / self.beta_s).exp() }
    }

    /// Fits a curve on an even axis. `None` where nothing rises and falls.
    pub fn fit(curve: &[f64], dt_s: f64) -> Option<Self> {
        let n = curve.len();
        let peak = peak_at(curve);
        let top = curve[peak];
        if !(top.is_finite() && top > 0.0) || peak < 2 {
            return None;
        }
        let last = (peak..n).find(|i| curve[*i] < FIRST_PASSAGE * top).unwrap_or(n) - 1;
        let foot = (0..peak).rev().find(|i| curve[*i] < 0.05 * top).unwrap_or(0);
        let from = (foot as f64 - 3.0) * dt_s;
        let until = (foot as f64 + 1.5).min(peak as f64 - 0.5) * dt_s;
        let mut best: Option<Self> = None;
        let steps = ((until - from) / (0.125 * dt_s)).ceil().max(1.0) as usize;
        for k in 0..=steps {
            let arrival_s = from + (until - from) * k as f64 / steps as f64;
            let Some(fit) = Self::with_arrival(curve, dt_s, arrival_s, last, top) else { continue };
            if best.is_none_or(|b| fit.error < b.error) {
                best = Some(fit);
            }
        }
        best
    }

    fn with_arrival(curve: &[f64], dt_s: f64, arrival_s: f64, last: usize, top: f64) -> Option<Self> {
        let first = (arrival_s / dt_s).floor().max(-1.0) as isize + 1;
        let samples = || {
            (first.max(0) as usize..=last)
                .map(|i| (i as f64 * dt_s - arrival_s, curve[i]))
                .filter(|(u, c)| *u > 1e-9 && *c > 0.01 * top)
        };
        // ln c = ln A + alpha ln u - u / beta, weighted by c^2: the errors of c are even, not those of ln c.
        let mut normal = nalgebra::Matrix3::<f64>::zeros();
        let mut right = nalgebra::Vector3::<f64>::zeros();
        let mut count = 0;
        for (u, c) in samples() {
            let row = nalgebra::Vector3::new(1.0, u.ln(), -u);
            let weight = (c / top).powi(2);
            normal += weight * row * row.transpose();
            right += weight * c.ln() * row;
            count += 1;
        }
        if count < 4 {
            return None;
        }
        let solved = normal.try_inverse()? * right;
        let (alpha, beta_s) = (solved.y, 1.0 / solved.z);
        if !(BOUNDS.contains(&alpha) && BOUNDS.contains(&beta_s)) {
            return None;
        }
        let mut fit = Self { arrival_s, alpha, beta_s, scale: solved.x.exp(), error: 0.0 };
        let all = (0..=last).map(|i| (fit.at(i as f64 * dt_s) - curve[i]).powi(2)).sum::<f64>();
        fit.error = (all / (last + 1) as f64).sqrt() / top;
        fit.error.is_finite().then_some(fit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gamma_variate_is_found_again_and_recirculation_is_not_taken_for_it() {
        let truth = Gamma { arrival_s: 8.3, alpha: 3.0, beta_s: 1.5, scale: 2.0, error: 0.0 };
        let dt = 1.0;
        let again = |t: f64| 0.15 * truth.at(t - 14.0);
        let curve: Vec<f64> = (0..50).map(|i| f64::from(i) * dt).map(|t| truth.at(t) + again(t)).collect();
        let fit = Gamma::fit(&curve, dt).unwrap();
        assert!((fit.arrival_s - 8.3).abs() < 0.2 && (fit.alpha - 3.0).abs() < 0.25, "{fit:?}");
        assert!((fit.beta_s - 1.5).abs() < 0.1 && fit.error < 0.01, "{fit:?}");
        assert!(fit.at(30.0) < 0.02 * truth.at(12.8), "the second passage is left out");
    }

    #[test]
    fn what_is_no_bolus_has_no_fit() {
        assert_eq!(Gamma::fit(&[0.0; 20], 1.0), None);
        let falling: Vec<f64> = (0..20).map(|i| 20.0 - f64::from(i)).collect();
        assert_eq!(Gamma::fit(&falling, 1.0), None);
    }
}
