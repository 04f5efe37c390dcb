//! Leakage correction for DSC-MRI (Boxerman, Schmainda and Weisskoff 2006).
//!
//! Where the barrier is broken, contrast in tissue adds T1 and T2* effects that grow with the integral of the
//! concentration: each voxel is fitted as `K1 mean(t) - K2 integral of mean`, and the second term is taken off.

use rayon::prelude::*;

use crate::curves::LANES;
use crate::prepare::Prepared;

/// Corrects all curves in place. The mean of the voxels that do not end enhanced stands for an intact barrier.
pub(crate) fn correct(prepared: &mut Prepared, dt_s: f64) {
    let curves = &prepared.curves;
    let samples = curves.samples();
    // The last tenth of the record against one standard deviation of the baseline, both ways.
    let tail = samples - (samples / 10).max(2);
    let intact: Vec<usize> = curves
        .usable_positions()
        .filter(|at| {
            let end = (tail..samples).map(|t| f64::from(curves.value(*at, t))).sum::<f64>();
            let end = end / (samples - tail) as f64;
            end.abs() <= f64::from(prepared.noise[*at]).max(1e-12)
        })
        .collect();
    if intact.is_empty() {
        return;
    }
    let mean = curves.mean(&intact);
    let mut integral = vec![0.0; samples];
    for t in 1..samples {
        integral[t] = integral[t - 1] + 0.5 * dt_s * (mean[t] + mean[t - 1]);
    }
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let (mm, mi, ii) = (dot(&mean, &mean), dot(&mean, &integral), dot(&integral, &integral));
    let determinant = mm * ii - mi * mi;
    if determinant <= 1e-9 * mm * ii {
        return;
    }
    let (_, data, size) = prepared.curves.blocks_mut();
    data.par_chunks_mut(size).for_each(|block| {
        for lane in 0..LANES {
            let (mut cm, mut ci) = (0.0, 0.0);
            for t in 0..samples {
                let c = f64::from(block[t * LANES + lane]);
                cm += c * mean[t];
                ci += c * integral[t];
            }
            // c = K1 mean - K2 integral, least squares.
            let k2 = -(mm * ci - mi * cm) / determinant;
            for (t, i) in integral.iter().enumerate() {
                block[t * LANES + lane] += (k2 * i) as f32;
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::curves::{Curves, area};

    #[test]
    fn the_area_of_leaking_voxels_becomes_that_of_intact_ones() {
        let samples = 60;
        let bolus = |t: usize| {
            let u = t as f64 - 15.0;
            if u > 0.0 { u.powi(3) * (-u / 1.6).exp() } else { 0.0 }
        };
        let mut curves = Curves::new((0..80).collect(), samples);
        let mut integral = 0.0;
        for t in 0..samples {
            integral += bolus(t);
            for at in 0..80 {
                // The last ten leak: T1 shortening pulls their curves down for good.
                let leak = if at >= 70 { -0.03 * integral } else { 0.0 };
                *curves.value_mut(at, t) = (bolus(t) + leak) as f32;
            }
        }
        let intact = area(&curves.curve(0), 1.0);
        let before = area(&curves.curve(75), 1.0);
        let mut prepared = Prepared { curves, noise: vec![0.01; 80], ..Prepared::default() };
        correct(&mut prepared, 1.0);
        let after = area(&prepared.curves.curve(75), 1.0);
        assert!((before / intact - 1.0).abs() > 0.3, "leakage matters: {before} against {intact}");
        assert!((after / intact - 1.0).abs() < 0.02, "{after} against {intact}");
        assert!((area(&prepared.curves.curve(3), 1.0) / intact - 1.0).abs() < 0.01);
    }
}
