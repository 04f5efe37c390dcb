//! Spatial smoothing of a frame within the mask: Gaussian in millimetres, or bilateral for CT.
//!
//! Only tissue of the mask mixes, and each sum is divided by the weights that were there, so neither skull nor air
//! leaks into the brain, nor does a vessel: a hundredth of an artery is as much contrast as white matter has.

use fearless_simd::{Simd, dispatch};
use rayon::prelude::*;

use crate::crop::Crop;
use crate::level;

/// Contrast to noise from which regions by threshold hardly change any more: on the sample (`docs/perfusion.md`),
/// tissue with Tmax above 6 s is within a tenth of what twice as much smoothing leaves.
pub(crate) const ENOUGH: f64 = 12.0;
/// Standard deviations that are tried, mm. More would take an artery's neighbours, and half of a cortex, with it.
const STEPS_MM: [f64; 5] = [1.0, 1.5, 2.0, 2.5, 3.0];
/// Voxels that tell noise; fewer tell chance.
const LEAST: usize = 500;

/// How much is asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Smoothing {
    /// Standard deviation of the Gaussian, mm; 0 is none.
    Sd(f64),
    /// As much as the noise asks for.
    Automatic,
}

/// The least standard deviation (mm) that lifts `contrast` to [`ENOUGH`] times the noise that is left, or the most
/// that is tried; 0 where none is needed. `difference` is that of two frames before contrast, so that it holds
/// noise and nothing else, and what is left of it is measured: a scanner's noise is correlated, and by how much
/// depends on its reconstruction.
pub(crate) fn automatic_mm(
    difference: &[f32],
    voxels: &[u32],
    contrast: f64,
    smoother: impl Fn(f64) -> Smoother,
) -> f64 {
    if voxels.len() < LEAST {
        return 0.0;
    }
    let noise = |frame: &[f32]| {
        let mut apart: Vec<f32> =
            voxels.iter().map(|v| frame[*v as usize].abs()).filter(|v| v.is_finite()).collect();
        if apart.is_empty() {
            return 0.0;
        }
        let middle = apart.len() / 2;
        let (_, median, _) = apart.select_nth_unstable_by(middle, f32::total_cmp);
        // Of a normal distribution, and a difference has the noise of two frames.
        f64::from(*median) * 1.4826 / std::f64::consts::SQRT_2
    };
    let enough = |frame: &[f32]| contrast >= ENOUGH * noise(frame);
    if enough(difference) {
        return 0.0;
    }
    let smoothed = |mm: f64| {
        let mut frame = difference.to_vec();
        smoother(mm).run(&mut frame);
        frame
    };
    let most = STEPS_MM[STEPS_MM.len() - 1];
    STEPS_MM.into_iter().find(|mm| enough(&smoothed(*mm))).unwrap_or(most)
}

/// A filter for frames of one size.
#[derive(Clone, Debug)]
pub(crate) struct Smoother {
    /// The box that holds the mask. All below is within it.
    crop: Crop,
    /// Weights from the centre outwards, along columns, rows, slices.
    kernels: [Vec<f32>; 3],
    /// 1 within the mask.
    mask: Vec<f32>,
    /// Sum of the weights that lie within the mask.
    norm: Vec<f32>,
    bilateral: Option<Bilateral>,
}

/// Mixes voxels whose guide differs by little.
#[derive(Clone, Debug)]
struct Bilateral {
    range_hu: f32,
    guide: Vec<f32>,
}

impl Smoother {
    /// `sd_mm` is the standard deviation of the Gaussian. `vessels` neither give nor take.
    pub fn new(dims: [usize; 3], spacing_mm: [f64; 3], voxels: &[u32], vessels: &[u32], sd_mm: f64) -> Self {
        let kernels = spacing_mm.map(|mm| {
            let radius = (3.0 * sd_mm / mm).floor() as usize;
            (0..=radius).map(|i| (-0.5 * (i as f64 * mm / sd_mm).powi(2)).exp() as f32).collect()
        });
        let crop = Crop::around(dims, voxels);
        let mut out = Self { crop, kernels, mask: Vec::new(), norm: Vec::new(), bilateral: None };
        let mut whole = vec![0.0; dims[0] * dims[1] * dims[2]];
        voxels.iter().for_each(|v| whole[*v as usize] = 1.0);
        vessels.iter().for_each(|v| whole[*v as usize] = 0.0);
        out.mask = crop.of(&whole);
        out.norm = out.gaussian(out.mask.clone());
        out
    }

    /// Mixes only voxels of the guide that differ by less than about `range_hu`. The guide is the mean over time,
    /// whose edges are those of anatomy and hardly of noise.
    pub fn keeping_edges(mut self, range_hu: f64, guide: &[f32]) -> Self {
        self.bilateral = Some(Bilateral { range_hu: range_hu as f32, guide: self.crop.of(guide) });
        self
    }

    /// Smooths a frame in place. What lies outside of the mask, and what has no number, stays and gives nothing.
    pub fn run(&self, frame: &mut [f32]) {
        let mut values = self.crop.of(frame);
        let mut holes = false;
        for (v, m) in values.iter_mut().zip(&self.mask) {
            holes |= *m > 0.0 && !v.is_finite();
            *v = if *m > 0.0 { *v } else { 0.0 };
        }
        // The weights of this frame, where they are not those of every frame.
        let weights: Option<Vec<f32>> = holes.then(|| {
            let numbers = self.mask.iter().zip(&mut values);
            numbers
                .map(|(m, v)| {
                    let there = v.is_finite();
                    *v = if there { *v } else { 0.0 };
                    if there { *m } else { 0.0 }
                })
                .collect()
        });
        let mask = weights.as_ref().unwrap_or(&self.mask);
        let smoothed = match &self.bilateral {
            Some(bilateral) => self.bilateral(&values, mask, bilateral),
            None => {
                let norm = weights.clone().map(|w| self.gaussian(w));
                let mut sums = self.gaussian(values);
                let norm = norm.as_ref().unwrap_or(&self.norm);
                sums.iter_mut().zip(norm).for_each(|(v, n)| *v = if *n > 0.0 { *v / n } else { 0.0 });
                sums
            }
        };
        let columns = self.crop.extent[0];
        for (line, start) in self.crop.lines().enumerate() {
            let here = line * columns..(line + 1) * columns;
            let frame = &mut frame[start..start + columns];
            for ((out, v), m) in frame.iter_mut().zip(&smoothed[here.clone()]).zip(&mask[here]) {
                *out = if *m > 0.0 { *v } else { *out };
            }
        }
    }

    /// How a device mixes what lies in the box; `None` where only the bilateral filter of the host does.
    pub fn mixing(&self) -> Option<([&[f32]; 3], Vec<f32>)> {
        if self.bilateral.is_some() {
            return None;
        }
        let share = |(m, n): (&f32, &f32)| if *m > 0.0 && *n > 0.0 { 1.0 / n } else { 0.0 };
        let shares = self.mask.iter().zip(&self.norm).map(share).collect();
        Some((self.kernels.each_ref().map(Vec::as_slice), shares))
    }

    /// Whether a voxel that is mixed has no number in a frame: then its neighbours have other weights.
    pub fn has_holes(&self, frame: &[f32]) -> bool {
        let columns = self.crop.extent[0];
        let mut lines = self.crop.lines().zip(self.mask.chunks_exact(columns.max(1)));
        let hole = |(m, v): (&f32, &f32)| *m > 0.0 && !v.is_finite();
        lines.any(|(start, mask)| mask.iter().zip(&frame[start..start + columns]).any(hole))
    }

    /// One axis after the other; every line of a plane stays in the cache while its neighbours are added.
    fn gaussian(&self, mut values: Vec<f32>) -> Vec<f32> {
        let plane = self.crop.extent[0] * self.crop.extent[1];
        if plane == 0 {
            return values;
        }
        let mut out = vec![0.0f32; values.len()];
        out.par_chunks_mut(plane).zip(values.par_chunks(plane)).for_each(|(out, values)| {
            dispatch!(level(), simd => simd.vectorize(
                #[inline(always)]
                || self.in_plane(values, out),
            ));
        });
        let kernel = &self.kernels[2];
        if kernel.len() <= 1 {
            return out;
        }
        let slices = self.crop.extent[2];
        values.par_chunks_mut(plane).enumerate().for_each(|(z, sum)| {
            dispatch!(level(), simd => simd.vectorize(
                #[inline(always)]
                || {
                    let at = |z: usize| &out[z * plane..(z + 1) * plane];
                    mix(sum, kernel, |step| (z.checked_sub(step).map(at), (z + step < slices).then(|| at(z + step))));
                },
            ));
        });
        values
    }

    #[inline(always)]
    fn in_plane(&self, values: &[f32], out: &mut [f32]) {
        let [columns, rows, _] = self.crop.extent;
        let [along_columns, along_rows, _] = &self.kernels;
        let reach = along_columns.len() - 1;
        // With zeros on both sides, so that no line has ends of its own.
        let mut padded = vec![0.0f32; columns + 2 * reach];
        let mut lines = vec![0.0f32; values.len()];
        for (line, values) in lines.chunks_exact_mut(columns).zip(values.chunks_exact(columns)) {
            padded[reach..reach + columns].copy_from_slice(values);
            let from = |at: usize| &padded[at..at + columns];
            mix(line, along_columns, |step| (Some(from(reach - step)), Some(from(reach + step))));
        }
        let at = |y: usize| &lines[y * columns..(y + 1) * columns];
        for (y, sum) in out.chunks_exact_mut(columns).enumerate() {
            mix(sum, along_rows, |step| {
                (y.checked_sub(step).map(at), (y + step < rows).then(|| at(y + step)))
            });
        }
    }

    /// Tomasi and Manduchi 1998, with the range on a guide that is the same for all frames.
    fn bilateral(&self, frame: &[f32], mask: &[f32], Bilateral { range_hu, guide }: &Bilateral) -> Vec<f32> {
        let [columns, rows, slices] = self.crop.extent;
        let reach = [0, 1, 2].map(|i| self.kernels[i].len() as isize - 1);
        let mut out = vec![0.0; frame.len()];
        out.par_chunks_mut(columns).enumerate().for_each(|(line, out)| {
            let (y, z) = ((line % rows) as isize, (line / rows) as isize);
            for (x, out) in out.iter_mut().enumerate() {
                let here = line * columns + x;
                if mask[here] == 0.0 {
                    continue;
                }
                let (mut sum, mut norm) = (0.0, 0.0);
                for dz in -reach[2]..=reach[2] {
                    for dy in -reach[1]..=reach[1] {
                        let (v, w) = (y + dy, z + dz);
                        if v < 0 || w < 0 || v >= rows as isize || w >= slices as isize {
                            continue;
                        }
                        let base = (w as usize * rows + v as usize) * columns;
                        let flat = self.kernels[2][dz.unsigned_abs()] * self.kernels[1][dy.unsigned_abs()];
                        for dx in -reach[0]..=reach[0] {
                            let u = x as isize + dx;
                            if u < 0 || u >= columns as isize {
                                continue;
                            }
                            let there = base + u as usize;
                            let apart = (guide[there] - guide[here]) / range_hu;
                            let weight = mask[there]
                                * flat
                                * self.kernels[0][dx.unsigned_abs()]
                                * (-0.5 * apart * apart).exp();
                            if weight > 0.0 {
                                sum += weight * frame[there];
                                norm += weight;
                            }
                        }
                    }
                }
                *out = if norm > 0.0 { sum / norm } else { 0.0 };
            }
        });
        out
    }
}

/// `sum = kernel[0] centre + kernel[i] (line i before + line i after)`; a line that is not there adds nothing.
#[inline(always)]
fn mix<'a>(sum: &mut [f32], kernel: &[f32], lines: impl Fn(usize) -> (Option<&'a [f32]>, Option<&'a [f32]>)) {
    if let (Some(centre), _) = lines(0) {
        sum.iter_mut().zip(centre).for_each(|(o, v)| *o = kernel[0] * v);
    }
    for (step, weight) in kernel.iter().enumerate().skip(1) {
        match lines(step) {
            (Some(a), Some(b)) => {
                sum.iter_mut().zip(a).zip(b).for_each(|((o, a), b)| *o += weight * (a + b));
            }
            (Some(one), None) | (None, Some(one)) => {
                sum.iter_mut().zip(one).for_each(|(o, v)| *o += weight * v);
            }
            (None, None) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_becomes_the_gaussian_and_a_constant_stays() {
        let dims = [22, 23, 9];
        let (n, spacing) = (22 * 23 * 9, [0.75, 1.5, 2.5]);
        let all: Vec<u32> = (0..n as u32).collect();
        let smoother = Smoother::new(dims, spacing, &all, &[], 1.2);
        let mut flat = vec![7.0; n];
        smoother.run(&mut flat);
        assert!(flat.iter().all(|v| (v - 7.0).abs() < 1e-4));
        let at = |x: usize, y: usize, z: usize| (z * 23 + y) * 22 + x;
        let mut point = vec![0.0; n];
        point[at(11, 11, 4)] = 1.0;
        smoother.run(&mut point);
        for [dx, dy, dz] in [[1, 0, 0], [0, 1, 0], [0, 0, 1], [2, 1, 0]] {
            let mm2: f64 = [dx, dy, dz].iter().zip(spacing).map(|(d, mm)| (*d as f64 * mm).powi(2)).sum();
            let want = (-0.5 * mm2 / 1.44).exp() as f32;
            let got = point[at(11 + dx, 11 + dy, 4 + dz)] / point[at(11, 11, 4)];
            assert!((got - want).abs() < 1e-4, "{dx} {dy} {dz}: {got} {want}");
        }
    }

    #[test]
    fn what_is_outside_of_the_mask_does_not_leak_in() {
        let dims = [20, 10, 1];
        let inside: Vec<u32> = (0..200).filter(|i| i % 20 < 10).collect();
        let mut frame: Vec<f32> = (0..200).map(|i| if i % 20 < 10 { 40.0 } else { 1000.0 }).collect();
        frame[25] = f32::NAN;
        let smoother = Smoother::new(dims, [1.0; 3], &inside, &[], 2.0);
        smoother.run(&mut frame);
        assert!(frame[25].is_nan(), "what has no number gains none");
        for i in (0..200).filter(|i| *i != 25) {
            let want = if i % 20 < 10 { 40.0 } else { 1000.0 };
            assert!((frame[i] - want).abs() < 1e-3, "{i}: {}, so what has no number counted as 0", frame[i]);
        }
    }

    #[test]
    fn a_vessel_stays_and_does_not_leak() {
        let dims = [20, 10, 1];
        let all: Vec<u32> = (0..200).collect();
        let vessels = vec![105, 106];
        let mut frame = vec![40.0; 200];
        vessels.iter().for_each(|v: &u32| frame[*v as usize] = 300.0);
        for bilateral in [None, Some(1000.0)] {
            let mut smoothed = frame.clone();
            let mut smoother = Smoother::new(dims, [1.0; 3], &all, &vessels, 2.0);
            if let Some(range_hu) = bilateral {
                smoother = smoother.keeping_edges(range_hu, &frame);
            }
            smoother.run(&mut smoothed);
            assert!(smoothed.iter().zip(&frame).all(|(a, b)| (a - b).abs() < 1e-3), "{bilateral:?}");
        }
    }

    #[test]
    fn the_bilateral_filter_keeps_an_edge_that_the_gaussian_loses() {
        let dims = [20, 10, 1];
        let all: Vec<u32> = (0..200).collect();
        let step: Vec<f32> = (0..200).map(|i| if i % 20 < 10 { 20.0 } else { 60.0 }).collect();
        let [mut plain, mut bilateral] = [step.clone(), step.clone()];
        let smoother = Smoother::new(dims, [1.0; 3], &all, &[], 2.0);
        smoother.run(&mut plain);
        smoother.keeping_edges(10.0, &step).run(&mut bilateral);
        assert!((plain[9] - 20.0).abs() > 5.0);
        assert!((bilateral[9] - 20.0).abs() < 0.1, "{}", bilateral[9]);
    }

    /// White noise, and noise that a reconstruction has correlated: less of that goes with the same Gaussian.
    #[test]
    fn as_much_is_smoothed_as_the_noise_asks_for() {
        let dims = [64, 64, 3];
        let (n, spacing) = (64 * 64 * 3, [0.8, 0.8, 5.0]);
        let all: Vec<u32> = (0..n as u32).collect();
        let smoother = |mm: f64| Smoother::new(dims, spacing, &all, &[], mm);
        let mut seed = 7u64;
        let mut uniform = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 40) as f32 / (1u64 << 24) as f32
        };
        let white: Vec<f32> = (0..n).map(|_| (0..12).map(|_| uniform()).sum::<f32>() - 6.0).collect();
        let mut correlated = white.clone();
        smoother(1.0).run(&mut correlated);
        let sd = |v: &[f32]| (v.iter().map(|v| f64::from(v * v)).sum::<f64>() / n as f64).sqrt();
        let scale = (sd(&white) / sd(&correlated)) as f32;
        correlated.iter_mut().for_each(|v| *v *= scale);

        let mm = |difference: &[f32], contrast: f64| automatic_mm(difference, &all, contrast, smoother);
        // The noise of one frame is that of the difference by the root of 2.
        assert_eq!(mm(&white, 1.05 * ENOUGH / std::f64::consts::SQRT_2), 0.0);
        assert_eq!(mm(&vec![0.0; n], 0.0), 0.0, "without noise nothing is smoothed");
        let [by_white, by_correlated] = [&white, &correlated].map(|d| mm(d, 2.5));
        println!("white {by_white} mm, correlated {by_correlated} mm");
        assert!((1.0..=1.5).contains(&by_white) && by_correlated > by_white, "{by_white} {by_correlated}");
        assert_eq!(mm(&white, 0.01), 3.0, "and never more than the most");
        assert_eq!(automatic_mm(&white, &all[..100], 0.01, smoother), 0.0, "a hundred voxels tell nothing");
    }
}
