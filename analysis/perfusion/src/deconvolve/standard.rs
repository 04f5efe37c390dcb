//! Standard SVD: the lower triangular Toeplitz matrix of an artery (Oestergaard 1996).
//!
//! It knows nothing of tissue that is earlier than the artery, and delay lowers its flow: it is here to be
//! compared with.

use contract::perfusion::Matrix;
use nalgebra::DMatrix;

use super::linear::Linear;

/// The inverse with singular values below `share` of the largest dropped. `None` if the artery is all 0 or its
/// singular values do not converge.
pub fn truncated(aif: &[f64], dt_s: f64, matrix: Matrix, share: f64) -> Option<Linear> {
    let n = aif.len();
    let at = |i: isize| if i >= 0 { aif.get(i as usize).copied().unwrap_or(0.0) } else { 0.0 };
    let toeplitz = DMatrix::from_fn(n, n, |i, j| {
        if j > i {
            return 0.0;
        }
        let k = (i - j) as isize;
        dt_s * match matrix {
            Matrix::Riemann => at(k),
            Matrix::Simpson => (at(k - 1) + 4.0 * at(k) + at(k + 1)) / 6.0,
        }
    });
    let svd = toeplitz.try_svd(true, true, f64::EPSILON, 10_000)?;
    let (u, v_t) = (svd.u?, svd.v_t?);
    let largest = svd.singular_values.max();
    if !(largest.is_finite() && largest > 0.0) {
        return None;
    }
    let kept: Vec<(usize, f64)> =
        svd.singular_values.iter().copied().enumerate().filter(|(_, s)| *s >= share * largest).collect();
    let outer: Vec<f64> =
        (0..n).flat_map(|row| kept.iter().map(|(k, s)| v_t[(*k, row)] / s).collect::<Vec<_>>()).collect();
    let inner: Vec<f64> =
        kept.iter().flat_map(|(k, _)| u.column(*k).iter().copied().collect::<Vec<_>>()).collect();
    Some(Linear::product_of(&outer, &inner, [n, kept.len(), n]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_dropped_gives_the_inverse() {
        let aif = [2.0, 1.0, 0.5, 0.25, 0.1];
        let linear = truncated(&aif, 0.5, Matrix::Riemann, 0.0).unwrap();
        let truth = [1.0, 0.7, 0.4, 0.2, 0.1];
        let curve: Vec<f64> = (0..5).map(|i| (0..=i).map(|j| 0.5 * aif[i - j] * truth[j]).sum()).collect();
        for (got, want) in linear.residue(&curve).iter().zip(truth) {
            assert!((got - want).abs() < 1e-10, "{got} {want}");
        }
        assert!(truncated(&[0.0; 6], 1.0, Matrix::Riemann, 0.2).is_none());
    }
}
