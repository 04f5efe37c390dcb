//! When the bolus arrives, and with it how many frames make the baseline.
//!
//! The strongest voxels are arteries and veins, so their mean shows the first contrast before any tissue does.

use crate::curves::peak_at;

/// Of the rise to the peak: above this, a sample is no baseline (FAIR's 5 %).
const RISE: f64 = 0.05;
/// Standard deviations of the baseline above which a sample is no baseline.
const DEVIATIONS: f64 = 3.0;
/// Frames that are baseline without being asked.
const LEAST: usize = 3;

/// The first sample of the bolus in a curve that rises with contrast; `None` where nothing rises.
pub fn arrival(curve: &[f64]) -> Option<usize> {
    let n = curve.len();
    let peak = peak_at(curve);
    let mut found = None;
    for k in LEAST..n.saturating_sub(1) {
        let before = &curve[..k];
        let mean = before.iter().sum::<f64>() / k as f64;
        let variance = before.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (k - 1) as f64;
        let limit = mean + (RISE * (curve[peak] - mean)).max(DEVIATIONS * variance.sqrt());
        // Two in a row, so that one noisy sample is no bolus.
        if curve[k] > limit && curve[k + 1] > limit {
            found = Some(k);
            break;
        }
    }
    found.filter(|k| *k <= peak)
}

/// Samples of the baseline for an arrival: the one before the bolus may hold its foot and is left out.
pub fn length(arrival: Option<usize>) -> usize {
    arrival.map_or(LEAST, |k| if k > LEAST { k - 1 } else { LEAST })
}

/// Mean and standard deviation of the first samples.
pub fn statistics(curve: &[f64], length: usize) -> (f64, f64) {
    let part = &curve[..length.clamp(1, curve.len())];
    let mean = part.iter().sum::<f64>() / part.len() as f64;
    let variance = part.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (part.len() - 1).max(1) as f64;
    (mean, variance.sqrt())
}

/// The mean of the strongest of some curves (rising with contrast): the highest percent, at least fifty of them
/// or all.
pub(crate) fn strongest(curves: Vec<Vec<f64>>) -> Vec<f64> {
    let rise = |c: &Vec<f64>| {
        let (mean, _) = statistics(c, LEAST);
        c[peak_at(c)] - mean
    };
    let keep = (curves.len() / 100).max(50).min(curves.len());
    // Each rise is computed once: a sort that asks for it at every comparison takes longer than the maps.
    let mut order: Vec<(f64, usize)> = curves.iter().map(rise).zip(0..).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    let samples = curves.first().map_or(0, Vec::len);
    let mut mean = vec![0.0; samples];
    for (_, at) in &order[..keep] {
        mean.iter_mut().zip(&curves[*at]).for_each(|(m, c)| *m += c / keep as f64);
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bolus(n: usize, at: usize, noise: f64) -> Vec<f64> {
        (0..n)
            .map(|i| {
                let u = i as f64 - at as f64;
                let wave = noise * ((i * 7919 % 13) as f64 / 6.0 - 1.0);
                wave + if u > 0.0 { 10.0 * u.powi(3) * (-u / 1.5).exp() } else { 0.0 }
            })
            .collect()
    }

    #[test]
    fn the_first_contrast_is_found() {
        for at in [4, 8, 20] {
            for noise in [0.0, 0.5, 1.0] {
                let found = arrival(&bolus(40, at, noise)).unwrap();
                assert!(found == at + 1 || found == at + 2, "bolus at {at}, noise {noise}: {found}");
                assert!(length(Some(found)) >= LEAST && length(Some(found)) <= found);
            }
        }
    }

    #[test]
    fn without_a_bolus_there_is_no_arrival() {
        assert_eq!(arrival(&bolus(40, 60, 1.0)), None);
        assert_eq!(arrival(&[1.0; 30]), None);
        let falling: Vec<f64> = (0..30).map(|i| 100.0 - f64::from(i)).collect();
        assert_eq!(arrival(&falling), None);
        assert_eq!(length(None), 3);
    }
}
