//! The steps from an image's values to those that a model was trained on.
//!
//! Statistics in f64 over the samples that lie in the image; padding is mapped like any other value and counted
//! nowhere, so a small image on a large grid is not normalised by its margin.

use contract::models::Intensity;

use super::sample::Sampled;

pub(super) fn apply(sampled: &mut Sampled, steps: &[Intensity]) {
    for step in steps {
        let level = match asks(step) {
            Asks::Nothing => level(step, [0.0; 2]),
            Asks::Ends => level(step, ends(sampled)),
            Asks::Moments => level(step, moments(sampled)),
            Asks::Quantiles(parts) => {
                let mut values: Vec<f32> = measured(sampled).collect();
                level(step, parts.map(|q| quantile(&mut values, q)))
            }
        };
        for value in &mut sampled.values {
            *value = level.apply(f64::from(*value)) as f32;
        }
    }
}

/// What has to be known of the samples before a step can be taken.
pub(super) enum Asks {
    Nothing,
    /// The smallest and the largest.
    Ends,
    /// Mean and standard deviation.
    Moments,
    /// These two quantiles.
    Quantiles([f64; 2]),
}

pub(super) fn asks(step: &Intensity) -> Asks {
    match *step {
        Intensity::Range { low: Some(_), high: Some(_), .. }
        | Intensity::ZScore { mean: Some(_), sd: Some(_) }
        | Intensity::Linear { .. } => Asks::Nothing,
        Intensity::Range { .. } => Asks::Ends,
        Intensity::ZScore { .. } => Asks::Moments,
        Intensity::Quantile { low, high, .. } => Asks::Quantiles([low, high]),
    }
}

/// `(value - centre) · scale + offset`, then perhaps nothing below 0 and above 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Level {
    pub centre: f64,
    pub scale: f64,
    pub offset: f64,
    pub clip: bool,
}

impl Level {
    pub fn apply(self, value: f64) -> f64 {
        let mapped = (value - self.centre) * self.scale + self.offset;
        if self.clip { mapped.clamp(0.0, 1.0) } else { mapped }
    }
}

/// A step, when what it [`asks`] is known.
pub(super) fn level(step: &Intensity, known: [f64; 2]) -> Level {
    let between =
        |low: f64, high: f64, clip| Level { centre: low, scale: factor(high - low), offset: 0.0, clip };
    match *step {
        Intensity::Range { low, high, clip } => {
            between(low.unwrap_or(known[0]), high.unwrap_or(known[1]), clip)
        }
        Intensity::Quantile { clip, .. } => between(known[0], known[1], clip),
        Intensity::ZScore { mean, sd } => Level {
            centre: mean.unwrap_or(known[0]),
            scale: factor(sd.unwrap_or(known[1])),
            offset: 0.0,
            clip: false,
        },
        Intensity::Linear { scale, offset } => Level { centre: 0.0, scale, offset, clip: false },
    }
}

/// An image of one value has no width: everything becomes 0 instead of not a number.
fn factor(width: f64) -> f64 {
    if width > 0.0 { 1.0 / width } else { 0.0 }
}

fn measured(sampled: &Sampled) -> impl Iterator<Item = f32> {
    sampled.values.iter().zip(&sampled.inside).filter(|(_, inside)| **inside != 0).map(|(value, _)| *value)
}

fn ends(sampled: &Sampled) -> [f64; 2] {
    let (low, high) =
        measured(sampled).fold((f32::INFINITY, f32::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    if low <= high { [f64::from(low), f64::from(high)] } else { [0.0; 2] }
}

/// Mean and standard deviation with `n - 1`, in two passes.
fn moments(sampled: &Sampled) -> [f64; 2] {
    let n = measured(sampled).count() as f64;
    if n < 2.0 {
        return [measured(sampled).next().map_or(0.0, f64::from), 0.0];
    }
    let mean = measured(sampled).map(f64::from).sum::<f64>() / n;
    let scatter: f64 = measured(sampled).map(|v| (f64::from(v) - mean).powi(2)).sum();
    [mean, (scatter / (n - 1.0)).sqrt()]
}

/// Linear between the order statistics around `q (n - 1)`, as numpy and torch do.
pub(super) fn quantile(values: &mut [f32], q: f64) -> f64 {
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
