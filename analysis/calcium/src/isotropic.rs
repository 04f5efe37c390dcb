//! The volume score on isotropic voxels (Callister 1998).
//!
//! Slices are interpolated linearly at steps of the pixel size; samples at or above the threshold count where
//! at least one of the two slices around them belongs to a component that counts. An interpolated value can
//! only reach the threshold if one of its ends does, so the work follows the candidates. Nothing is
//! extrapolated beyond the first and the last slice or into missing ones.
//!
//! Spacings are decimals, so samples that should fall on a slice miss it by a rounding: within 1e-9 of a slice
//! they lie on it, and within 1e-6 HU of the threshold they reach it.

use imaging::Volume;

use crate::label::{Labelled, LabelledSlice};
use crate::parallel;
use crate::series::Geometry;

/// Samples a volume between its slices.
pub struct Sampler<'a> {
    volume: &'a Volume,
    threshold_hu: f64,
    step_mm: f64,
    /// Slices from one sample to the next.
    step_slices: f64,
}

impl<'a> Sampler<'a> {
    /// `None` where there is only one slice, so nothing to interpolate.
    pub fn new(volume: &'a Volume, geometry: &Geometry, threshold_hu: f64) -> Option<Self> {
        let step_mm = geometry.pixel_mm2.sqrt();
        let step_slices = step_mm / geometry.increment_mm;
        (volume.grid.dims()[2] > 1).then_some(Self { volume, threshold_hu, step_mm, step_slices })
    }

    /// mm³ of every component over all slices; zero for those that do not count.
    pub(crate) fn volumes_mm3(&self, labelled: &Labelled, counts: &[bool], geometry: &Geometry) -> Vec<f64> {
        let offsets = labelled.offsets();
        let intervals = labelled.slices.len().saturating_sub(1);
        let tallies = parallel::map(intervals, |z| self.interval(z, labelled, counts, &offsets));
        let mut samples = vec![0u64; counts.len()];
        for (component, n) in tallies.into_iter().flatten() {
            samples[component as usize] += n;
        }
        samples.into_iter().map(|n| n as f64 * geometry.pixel_mm2 * self.step_mm).collect()
    }

    /// Positions of samples between slice `z` and the next, 0 to 1; the last interval has its end as well.
    fn positions(&self, z: usize, last: bool) -> Vec<f64> {
        let at = |k: u64| {
            let depth = k as f64 * self.step_slices;
            let slice = depth.round();
            (if (depth - slice).abs() < 1e-9 { slice } else { depth }) - z as f64
        };
        let mut k = ((z as f64 / self.step_slices).floor() as u64).saturating_sub(1);
        while at(k) < 0.0 {
            k += 1;
        }
        let mut out = Vec::new();
        while at(k) < 1.0 || (last && at(k) <= 1.0) {
            out.push(at(k));
            k += 1;
        }
        out
    }

    fn interval(&self, z: usize, labelled: &Labelled, counts: &[bool], offsets: &[u32]) -> Vec<(u32, u64)> {
        let (lower, upper) = (&labelled.slices[z], &labelled.slices[z + 1]);
        let missing = |z: usize| self.volume.missing.contains(&[0, z as u32]);
        if (lower.pieces.is_empty() && upper.pieces.is_empty()) || missing(z) || missing(z + 1) {
            return Vec::new();
        }
        let positions = self.positions(z, z + 2 == labelled.slices.len());
        let columns = self.volume.grid.dims()[0] as usize;
        let area = columns * self.volume.grid.dims()[1] as usize;
        let value = |i: usize| {
            let stored = self.volume.voxels.get(i)?;
            let padded = self.volume.padding.is_some_and(|p| p.contains(stored));
            (!padded).then(|| self.volume.rescale.apply(stored)).filter(|v| v.is_finite())
        };
        // How many samples over pixel `i` reach the threshold.
        let reaching = |i: usize| {
            let (Some(a), Some(b)) = (value(z * area + i), value((z + 1) * area + i)) else { return 0 };
            positions.iter().filter(|t| a + (b - a) * **t >= self.threshold_hu - 1e-6).count() as u64
        };
        let mut tally: Vec<(u32, u64)> = Vec::new();
        let mut owner = vec![false; area];
        let mut add = |slice: &LabelledSlice, offset: u32, owner: &mut [bool]| {
            let mut counts_of = vec![0u64; slice.components.len()];
            for p in &slice.pieces {
                let component = (offset + p.component) as usize;
                if !counts.get(component).copied().unwrap_or(false) {
                    continue;
                }
                let row = p.y as usize * columns;
                let run = row + p.x0 as usize..row + p.x1 as usize;
                for (i, taken) in run.clone().zip(&mut owner[run]) {
                    // A pixel that counts in both slices belongs to the lower one.
                    if !std::mem::replace(taken, true) {
                        counts_of[p.component as usize] += reaching(i);
                    }
                }
            }
            let found = counts_of.into_iter().enumerate().filter(|(_, n)| *n > 0);
            tally.extend(found.map(|(c, n)| (offset + c as u32, n)));
        };
        add(lower, offsets[z], &mut owner);
        add(upper, offsets[z + 1], &mut owner);
        tally
    }
}
