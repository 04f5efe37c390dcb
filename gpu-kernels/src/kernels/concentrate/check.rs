//! Gathers and converts the cases on the GPU and in the twin and compares curves, baseline, noise, area and reasons.
//!
//! The time of a peak is compared by the height that the twin's curve has there: of two samples that are equal to
//! rounding either is right.

use web_time::Instant;

use super::cpu::Voxel;
use super::{Case, Concentrate, Concentration, LANES, Mixing, TOLERANCE, cases, cpu};
use crate::compare::compare;
use crate::compute::ComputeError;
use crate::gpu::Gpu;
use crate::kernels::{Extent, Outcome};

/// Runs the cases.
pub async fn check(gpu: &Gpu, extent: Extent) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let kernel = Concentrate::new(gpu).await;
    for case in cases(extent) {
        let start = Instant::now();
        let truth = cpu::run(&case);
        let cpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let got = match &kernel {
            Ok(kernel) => on_gpu(gpu, kernel, &case).await,
            Err(error) => Err(error.clone()),
        };
        let gpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let result = got.map_err(|e| e.to_string()).and_then(|got| {
            let (got, want) = numbers(&got, &truth, case.slab);
            compare(&case.name, &TOLERANCE, got.into_iter(), want.into_iter()).map_err(|d| d.to_string())
        });
        outcomes.push(Outcome { case: case.name, result, gpu_ms, cpu_ms });
    }
    outcomes
}

/// By slab.
async fn on_gpu(gpu: &Gpu, kernel: &Concentrate, case: &Case) -> Result<Vec<Concentration>, ComputeError> {
    let shares = case.shares();
    let [columns, rows, slices] = &case.kernels;
    let mixing = Mixing { extent: case.extent, kernels: [columns, rows, slices], shares: &shares };
    let gathering = kernel.begin(gpu, &mixing, &case.places, case.frames.len(), case.slab).await?;
    for (sample, (frame, is_mixed)) in case.frames.iter().zip(&case.is_mixed).enumerate() {
        kernel.enter(gpu, &gathering, sample, frame, *is_mixed).await?;
    }
    let mut out = Vec::new();
    for slab in 0..gathering.slabs() {
        out.push(kernel.convert(gpu, &gathering, slab, case.signal, case.baseline).await?);
    }
    Ok(out)
}

/// Per voxel its curve and what is known of it.
fn numbers(got: &[Concentration], truth: &[Voxel], slab: usize) -> (Vec<f64>, Vec<f64>) {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for (i, want) in truth.iter().enumerate() {
        let (slab, i) = (got.get(i / slab), i % slab);
        let float = |of: fn(&Concentration) -> &Vec<f32>| {
            slab.and_then(|s| of(s).get(i)).map_or(f64::NAN, |v| f64::from(*v))
        };
        let samples = want.curve.len();
        for (t, value) in want.curve.iter().enumerate() {
            let at = (i / LANES * samples + t) * LANES + i % LANES;
            left.push(slab.and_then(|s| s.blocks.get(at)).map_or(f64::NAN, |v| f64::from(*v)));
            right.push(*value);
        }
        let highest = want.curve.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let at = slab.and_then(|s| s.peak_at.get(i)).and_then(|t| want.curve.get(*t as usize));
        left.extend([float(|s| &s.baseline), float(|s| &s.noise), float(|s| &s.area), float(|s| &s.peak)]);
        right.extend([want.baseline, want.noise, want.area, highest]);
        left.push(at.copied().unwrap_or(f64::NAN));
        right.push(highest);
        // Reasons are equal or they are not.
        let same = slab.and_then(|s| s.reasons.get(i)) == Some(&want.reason);
        left.push(if same { 0.0 } else { f64::NAN });
        right.push(0.0);
    }
    (left, right)
}

#[cfg(test)]
mod tests {
    use super::super::Reason;
    use super::*;

    /// A comparison that forgives ties must not forgive more.
    #[test]
    fn what_is_wrong_is_seen_in_every_quantity() {
        let voxel = |curve: Vec<f64>, reason| Voxel { curve, baseline: 40.0, noise: 0.5, area: 3.0, reason };
        let truth = [voxel(vec![0.0, 2.0, 1.0], None), voxel(vec![0.0; 3], Some(Reason::Constant))];
        let mut blocks = vec![0.0; 3 * LANES];
        (blocks[LANES], blocks[2 * LANES]) = (2.0, 1.0);
        let right = Concentration {
            blocks,
            baseline: vec![40.0; 2],
            noise: vec![0.5; 2],
            area: vec![3.0; 2],
            peak: vec![2.0, 0.0],
            peak_at: vec![1, 2],
            reasons: vec![None, Some(Reason::Constant)],
        };
        let passes = |one: &Concentration| {
            let (got, want) = numbers(std::slice::from_ref(one), &truth, 32);
            compare("planted", &TOLERANCE, got.into_iter(), want.into_iter()).is_ok()
        };
        assert!(passes(&right));
        let mut shifted = right.clone();
        shifted.blocks.swap(0, LANES);
        let faults = [
            shifted,
            Concentration { blocks: Vec::new(), ..right.clone() },
            Concentration { baseline: vec![40.0, 40.1], ..right.clone() },
            Concentration { noise: vec![0.51, 0.5], ..right.clone() },
            Concentration { area: vec![3.0, 0.0], ..right.clone() },
            Concentration { peak: vec![2.01, 0.0], ..right.clone() },
            Concentration { peak_at: vec![2, 0], ..right.clone() },
            Concentration { reasons: vec![None, None], ..right.clone() },
            Concentration { reasons: vec![None, Some(Reason::NoMeasurement)], ..right.clone() },
        ];
        for fault in &faults {
            assert!(!passes(fault), "{fault:?}");
        }
    }
}
