//! The steps from an image's values to those that a model was trained on.
//!
//! Statistics in f64 over the samples that lie in the image; padding is mapped like any other value and counted
//! nowhere, so a small image on a large grid is not normalised by its margin.

use contract::models::Intensity;

use super::sample::Sampled;

pub(super) fn apply(sampled: &mut Sampled, steps: &[Intensity]) {
    for step in steps {
        let (scale, offset, clip) = match *step {
            Intensity::Range { low, high, clip } => {
                let (least, most) = ends(sampled);
                let (low, high) = (low.unwrap_or(least), high.unwrap_or(most));
                (factor(high - low), -low * factor(high - low), clip)
            }
            Intensity::Quantile { low, high, clip } => {
                let mut values: Vec<f32> = measured(sampled).collect();
                let (low, high) = (quantile(&mut values, low), quantile(&mut values, high));
                (factor(high - low), -low * factor(high - low), clip)
            }
            Intensity::ZScore { mean, sd } => {
                let (own_mean, own_sd) = moments(sampled);
                let (mean, sd) = (mean.unwrap_or(own_mean), sd.unwrap_or(own_sd));
                (factor(sd), -mean * factor(sd), false)
            }
            Intensity::Linear { scale, offset } => (scale, offset, false),
        };
        for value in &mut sampled.values {
            let mapped = f64::from(*value) * scale + offset;
            *value = if clip { mapped.clamp(0.0, 1.0) } else { mapped } as f32;
        }
    }
}

/// An image of one value has no width: everything becomes 0 instead of not a number.
fn factor(width: f64) -> f64 {
    if width > 0.0 { 1.0 / width } else { 0.0 }
}

fn measured(sampled: &Sampled) -> impl Iterator<Item = f32> {
    sampled.values.iter().zip(&sampled.inside).filter(|(_, inside)| **inside != 0).map(|(value, _)| *value)
}

fn ends(sampled: &Sampled) -> (f64, f64) {
    let (low, high) =
        measured(sampled).fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    if low <= high { (f64::from(low), f64::from(high)) } else { (0.0, 0.0) }
}

/// Mean and standard deviation with `n - 1`, in two passes.
fn moments(sampled: &Sampled) -> (f64, f64) {
    let n = measured(sampled).count() as f64;
    if n < 2.0 {
        return (measured(sampled).next().map_or(0.0, f64::from), 0.0);
    }
    let mean = measured(sampled).map(f64::from).sum::<f64>() / n;
    let scatter: f64 = measured(sampled).map(|v| (f64::from(v) - mean).powi(2)).sum();
    (mean, (scatter / (n - 1.0)).sqrt())
}

/// Linear between the order statistics around `q (n - 1)`, as numpy and torch do.
fn quantile(values: &mut [f32], q: f64) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let place = q * (values.len() - 1) as f64;
    let below = (place.floor() as usize).min(values.len() - 1);
    let (_, at, above) = values.select_nth_unstable_by(below, f32::total_cmp);
    let at = f64::from(*at);
    let next = above.iter().copied().reduce(f32::min).map_or(at, f64::from);
    at + (next - at) * (place - below as f64)
}
