//! Deconvolves the cases on the GPU and in the twin and compares peak, time and sum.
//!
//! The time of a peak is compared by the height that the twin's residue function has there: of two peaks that are
//! equal to rounding either is right, and a wrong time shows as a lower value.

use web_time::Instant;

use super::{Case, Curves, Deconvolve, Found, LANES, TOLERANCE, cases, cpu};
use crate::compare::compare;
use crate::compute::{Budget, ComputeError};
use crate::gpu::Gpu;
use crate::kernels::{Extent, Outcome};

/// Runs the cases.
pub async fn check(gpu: &Gpu, extent: Extent) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let kernel = Deconvolve::new(gpu).await;
    for case in cases(extent) {
        let start = Instant::now();
        let truth: Vec<Vec<Vec<f64>>> = case.curves.iter().map(|c| cpu::run(&case.method(), c)).collect();
        let cpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let got = match &kernel {
            Ok(kernel) => on_gpu(gpu, kernel, &case).await,
            Err(error) => Err(error.clone()),
        };
        let gpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let result = got.map_err(|e| e.to_string()).and_then(|got| {
            let (got, want) = numbers(&got, &truth);
            compare(&case.name, &TOLERANCE, got.into_iter(), want.into_iter()).map_err(|d| d.to_string())
        });
        outcomes.push(Outcome { case: case.name, result, gpu_ms, cpu_ms });
    }
    outcomes
}

async fn on_gpu(gpu: &Gpu, kernel: &Deconvolve, case: &Case) -> Result<Found, ComputeError> {
    let samples = case.samples();
    let mut blocks = vec![0.0; case.curves.len().div_ceil(LANES) * samples * LANES];
    for (voxel, curve) in case.curves.iter().enumerate() {
        for (t, value) in curve.iter().enumerate() {
            blocks[(voxel / LANES * samples + t) * LANES + voxel % LANES] = *value as f32;
        }
    }
    let ready = kernel.prepare(gpu, &case.method()).await?;
    let curves = Curves::upload(gpu, Budget::of(gpu), samples, case.curves.len(), &blocks).await?;
    kernel.run(gpu, &ready, &curves).await
}

/// Per voxel the peak, the height at its row and the sum; of the truths the one that is nearest.
fn numbers(got: &Found, truth: &[Vec<Vec<f64>>]) -> (Vec<f64>, Vec<f64>) {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (i, choices) in truth.iter().enumerate() {
        let value = got.value.get(i).map_or(f64::NAN, |v| f64::from(*v));
        let peak = |r: &Vec<f64>| r.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let apart = |r: &&Vec<f64>| (peak(r) - value).abs();
        let Some(residue) = choices.iter().min_by(|a, b| apart(a).total_cmp(&apart(b))) else { continue };
        let at = got.row.get(i).and_then(|row| residue.get(*row as usize)).copied().unwrap_or(f64::NAN);
        left.extend([value, at]);
        right.extend([peak(residue); 2]);
        if let Some(sum) = &got.sum {
            left.push(sum.get(i).map_or(f64::NAN, |v| f64::from(*v)));
            right.push(residue.iter().sum());
        }
    }
    (left, right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::compare;

    /// A comparison that forgives ties must not forgive more.
    #[test]
    fn a_wrong_peak_time_or_sum_is_seen() {
        let truth = vec![vec![vec![0.1, 0.5, 0.2]], vec![vec![0.3, 0.2, 0.1], vec![0.4, 0.1, 0.0]]];
        let right = Found { value: vec![0.5, 0.3], row: vec![1, 0], sum: Some(vec![0.8, 0.6]) };
        let passes = |found: &Found| {
            let (got, want) = numbers(found, &truth);
            compare("planted", &TOLERANCE, got.into_iter(), want.into_iter()).is_ok()
        };
        assert!(passes(&right));
        assert!(
            passes(&Found { value: vec![0.5, 0.4], sum: Some(vec![0.8, 0.5]), ..right.clone() }),
            "a tie"
        );
        let faults = [
            Found { value: vec![0.502, 0.3], ..right.clone() },
            Found { row: vec![2, 0], ..right.clone() },
            Found { row: vec![1, 9], ..right.clone() },
            Found { sum: Some(vec![0.8, 0.61]), ..right.clone() },
            Found { value: vec![0.0, 0.0], row: vec![0, 0], sum: Some(vec![0.0, 0.0]) },
            Found { value: vec![0.5], ..right.clone() },
        ];
        for fault in &faults {
            assert!(!passes(fault), "{fault:?}");
        }
    }
}
