//! Spatial smoothing of a frame within the mask: Gaussian in millimetres, or bilateral for CT.
//!
//! Only tissue of the mask mixes, and each sum is divided by the weights that were there, so neither skull nor air
//! leaks into the brain, nor does a vessel: a hundredth of an artery is as much contrast as white matter has.

use rayon::prelude::*;

/// A filter for frames of one size.
#[derive(Clone, Debug)]
pub(crate) struct Smoother {
    dims: [usize; 3],
    /// Weights from the centre outwards, along columns, rows, slices.
    kernels: [Vec<f32>; 3],
    /// 1 within the mask.
    mask: Vec<f32>,
    /// Voxels that stay as they are.
    kept: Vec<u32>,
    /// Sum of the weights that lie within the mask.
    norm: Vec<f32>,
    bilateral: Option<f32>,
}

impl Smoother {
    /// `sigma_mm` is the standard deviation of the Gaussian. `bilateral_hu` limits mixing to voxels of the guide
    /// that differ by less. `vessels` neither give nor take.
    pub fn new(
        dims: [usize; 3],
        spacing_mm: [f64; 3],
        voxels: &[u32],
        vessels: Vec<u32>,
        sigma_mm: f64,
        bilateral_hu: Option<f64>,
    ) -> Self {
        let kernels = spacing_mm.map(|mm| {
            let radius = (3.0 * sigma_mm / mm).floor() as usize;
            (0..=radius).map(|i| (-0.5 * (i as f64 * mm / sigma_mm).powi(2)).exp() as f32).collect()
        });
        let mut mask = vec![0.0; dims[0] * dims[1] * dims[2]];
        voxels.iter().for_each(|v| mask[*v as usize] = 1.0);
        vessels.iter().for_each(|v| mask[*v as usize] = 0.0);
        let mut out = Self {
            dims,
            kernels,
            norm: Vec::new(),
            mask,
            kept: vessels,
            bilateral: bilateral_hu.map(|v| v as f32),
        };
        out.norm = out.separable(out.mask.clone());
        out
    }

    /// Smooths a frame in place. The guide of the bilateral filter is the mean over time, whose edges are those
    /// of anatomy and hardly of noise.
    pub fn run(&self, frame: &mut Vec<f32>, guide: &[f32]) {
        let kept: Vec<f32> = self.kept.iter().map(|v| frame[*v as usize]).collect();
        self.mix(frame, guide);
        self.kept.iter().zip(kept).for_each(|(v, value)| frame[*v as usize] = value);
    }

    fn mix(&self, frame: &mut Vec<f32>, guide: &[f32]) {
        for (v, m) in frame.iter_mut().zip(&self.mask) {
            // A voxel without a number must not spread; it is rejected by its own.
            *v = if *m > 0.0 && v.is_finite() { *v } else { 0.0 };
        }
        if let Some(range) = self.bilateral {
            *frame = self.bilateral(frame, guide, range);
            return;
        }
        *frame = self.separable(std::mem::take(frame));
        for ((v, n), m) in frame.iter_mut().zip(&self.norm).zip(&self.mask) {
            *v = if *m > 0.0 { *v / n } else { 0.0 };
        }
    }

    fn separable(&self, mut values: Vec<f32>) -> Vec<f32> {
        let [columns, rows, slices] = self.dims;
        let mut out = vec![0.0f32; values.len()];
        for (kernel, (stride, length)) in
            self.kernels.iter().zip([(1, columns), (columns, rows), (columns * rows, slices)])
        {
            if kernel.len() <= 1 {
                continue;
            }
            out.iter_mut().zip(&values).for_each(|(o, v)| *o = kernel[0] * v);
            for (step, weight) in kernel.iter().enumerate().skip(1).filter(|(step, _)| *step < length) {
                let shift = step * stride;
                // Runs of one line (or plane): within them the neighbour is `shift` further.
                let run = stride * length;
                for (o, v) in out.chunks_exact_mut(run).zip(values.chunks_exact(run)) {
                    let inner = run - shift;
                    o[..inner].iter_mut().zip(&v[shift..]).for_each(|(o, v)| *o += weight * v);
                    o[shift..].iter_mut().zip(&v[..inner]).for_each(|(o, v)| *o += weight * v);
                }
            }
            std::mem::swap(&mut values, &mut out);
        }
        values
    }

    /// Tomasi and Manduchi 1998, with the range on a guide that is the same for all frames.
    fn bilateral(&self, frame: &[f32], guide: &[f32], range: f32) -> Vec<f32> {
        let [columns, rows, slices] = self.dims;
        let reach = [0, 1, 2].map(|i| self.kernels[i].len() as isize - 1);
        let mut out = vec![0.0; frame.len()];
        out.par_chunks_mut(columns).enumerate().for_each(|(line, out)| {
            let (y, z) = ((line % rows) as isize, (line / rows) as isize);
            for (x, out) in out.iter_mut().enumerate() {
                let here = line * columns + x;
                if self.mask[here] == 0.0 {
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
                            let apart = (guide[there] - guide[here]) / range;
                            let weight = self.mask[there]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_becomes_the_gaussian_and_a_constant_stays() {
        let dims = [22, 23, 9];
        let (n, spacing) = (22 * 23 * 9, [0.75, 1.5, 2.5]);
        let all: Vec<u32> = (0..n as u32).collect();
        let smoother = Smoother::new(dims, spacing, &all, Vec::new(), 1.2, None);
        let mut flat = vec![7.0; n];
        smoother.run(&mut flat, &[]);
        assert!(flat.iter().all(|v| (v - 7.0).abs() < 1e-4));
        let at = |x: usize, y: usize, z: usize| (z * 23 + y) * 22 + x;
        let mut point = vec![0.0; n];
        point[at(11, 11, 4)] = 1.0;
        smoother.run(&mut point, &[]);
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
        let smoother = Smoother::new(dims, [1.0; 3], &inside, Vec::new(), 2.0, None);
        smoother.run(&mut frame, &[]);
        for i in inside {
            assert!(frame[i as usize] <= 40.001 && frame[i as usize] > 30.0, "{i}: {}", frame[i as usize]);
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
            let smoother = Smoother::new(dims, [1.0; 3], &all, vessels.clone(), 2.0, bilateral);
            smoother.run(&mut smoothed, &frame);
            assert!(smoothed.iter().zip(&frame).all(|(a, b)| (a - b).abs() < 1e-3), "{bilateral:?}");
        }
    }

    #[test]
    fn the_bilateral_filter_keeps_an_edge_that_the_gaussian_loses() {
        let dims = [20, 10, 1];
        let all: Vec<u32> = (0..200).collect();
        let step: Vec<f32> = (0..200).map(|i| if i % 20 < 10 { 20.0 } else { 60.0 }).collect();
        let [mut plain, mut bilateral] = [step.clone(), step.clone()];
        Smoother::new(dims, [1.0; 3], &all, Vec::new(), 2.0, None).run(&mut plain, &step);
        Smoother::new(dims, [1.0; 3], &all, Vec::new(), 2.0, Some(10.0)).run(&mut bilateral, &step);
        assert!((plain[9] - 20.0).abs() > 5.0);
        assert!((bilateral[9] - 20.0).abs() < 0.1, "{}", bilateral[9]);
    }
}
