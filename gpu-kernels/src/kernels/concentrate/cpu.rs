//! The twin: the definitions in f64, a voxel and a sample at a time.
//!
//! A smoothed value is the sum over the whole neighbourhood at once, not axis after axis: what the kernel takes apart is
//! put together here.

use super::{Case, Reason, Signal};

/// What is known of one voxel.
#[derive(Clone, Debug, PartialEq)]
pub struct Voxel {
    /// Concentration; all 0 where there is a reason.
    pub curve: Vec<f64>,
    /// As in [`super::Concentration`].
    pub baseline: f64,
    /// As in [`super::Concentration`].
    pub noise: f64,
    /// As in [`super::Concentration`].
    pub area: f64,
    /// As in [`super::Concentration`].
    pub reason: Option<Reason>,
}

/// All voxels of a case.
pub fn run(case: &Case) -> Vec<Voxel> {
    case.places.iter().map(|place| voxel(case, *place as usize)).collect()
}

fn voxel(case: &Case, place: usize) -> Voxel {
    let frames = case.frames.iter().zip(&case.is_mixed);
    let signal: Vec<f64> = frames
        .map(|(frame, is_mixed)| match case.inside.get(place) {
            Some(true) if !is_mixed => smoothed(case, frame, place),
            _ => f64::from(frame[place]),
        })
        .collect();
    let count = case.baseline.clamp(1, signal.len());
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let before = mean(&signal[..count]);
    let none = |reason| Voxel {
        curve: vec![0.0; signal.len()],
        baseline: if before.is_finite() { before } else { 0.0 },
        noise: 0.0,
        area: 0.0,
        reason: Some(reason),
    };
    let logarithm = matches!(case.signal, Signal::Logarithm(_));
    if signal.iter().any(|v| !v.is_finite()) {
        return none(Reason::NoMeasurement);
    } else if signal.iter().all(|v| (v - signal[0]).abs() < 1e-6 * signal[0].abs()) {
        return none(Reason::Constant);
    } else if logarithm && before <= 0.0 {
        return none(Reason::ZeroBaseline);
    } else if logarithm && signal.iter().any(|v| *v <= 0.0) {
        return none(Reason::NotPositive);
    }
    let concentration = |s: &f64| match case.signal {
        Signal::Concentration => *s,
        Signal::Linear => s - before,
        Signal::Logarithm(scale) => scale * (s / before).ln(),
    };
    let curve: Vec<f64> = signal.iter().map(concentration).collect();
    let level = mean(&curve[..count]);
    let squares: f64 = curve[..count].iter().map(|v| (v - level).powi(2)).sum();
    let ends = curve[0] + curve[curve.len() - 1];
    Voxel {
        baseline: before,
        noise: (squares / (count.max(2) - 1) as f64).sqrt(),
        area: curve.iter().sum::<f64>() - 0.5 * ends,
        curve,
        reason: None,
    }
}

/// `sum(w v) / sum(w)` over the voxels of the mask, `w` the product of the weights along the axes.
fn smoothed(case: &Case, frame: &[f32], place: usize) -> f64 {
    let [columns, rows, slices] = case.extent;
    let here = [place % columns, place / columns % rows, place / columns / rows];
    let (mut sum, mut weights) = (0.0, 0.0);
    for z in 0..slices {
        for y in 0..rows {
            for x in 0..columns {
                let there = (z * rows + y) * columns + x;
                if !case.inside[there] {
                    continue;
                }
                let apart = [x.abs_diff(here[0]), y.abs_diff(here[1]), z.abs_diff(here[2])];
                let along = |axis: usize| case.kernels[axis].get(apart[axis]).copied().unwrap_or(0.0);
                let weight: f64 = (0..3).map(|axis| f64::from(along(axis))).product();
                sum += weight * f64::from(frame[there]);
                weights += weight;
            }
        }
    }
    sum / weights
}
