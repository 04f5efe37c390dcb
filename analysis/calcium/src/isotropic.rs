//! The volume score on isotropic voxels (Callister 1998).
//!
//! Slices are interpolated linearly at steps of the pixel size; samples at or above the threshold count where
//! at least one of the two slices around them belongs to a component that counts. An interpolated value can
//! only reach the threshold if one of its ends does, so the work follows the candidates. Nothing is
//! extrapolated beyond the first and the last slice or into missing ones.
//!
//! Spacings are decimals, so samples that should fall on a slice miss it by a rounding: within 1e-9 of a slice
//! they lie on it, and within 1e-6 HU of the threshold they reach it.

use imaging::{Volume, Voxels};
use rayon::prelude::*;

use crate::label::Labelled;
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
        let tallies = (0..intervals)
            .into_par_iter()
            .map(|z| self.interval(z, labelled, counts, &offsets))
            .collect::<Vec<_>>();
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
        let missing = |z: usize| self.volume.missing.contains(&[0, z as u32]);
        let counted = |z: usize| -> Vec<Counted> {
            let pieces = labelled.slices[z].pieces.iter();
            let owned =
                pieces.map(|p| Counted { y: p.y, x0: p.x0, x1: p.x1, owner: offsets[z] + p.component });
            owned.filter(|p| counts.get(p.owner as usize).copied().unwrap_or(false)).collect()
        };
        let (lower, upper) = (counted(z), counted(z + 1));
        if (lower.is_empty() && upper.is_empty()) || missing(z) || missing(z + 1) {
            return Vec::new();
        }
        let [columns, rows, _] = self.volume.grid.dims().map(|n| n as usize);
        let area = columns * rows;
        let (a, b) = (z * area..(z + 1) * area, (z + 1) * area..(z + 2) * area);
        let at =
            Between { sampler: self, columns, positions: self.positions(z, z + 2 == labelled.slices.len()) };
        match &self.volume.voxels {
            Voxels::I16(v) => at.tally(&v[a], &v[b], &lower, &upper),
            Voxels::U16(v) => at.tally(&v[a], &v[b], &lower, &upper),
            Voxels::F32(v) => at.tally(&v[a], &v[b], &lower, &upper),
            Voxels::Rgba8(_) => Vec::new(),
        }
    }
}

/// A piece of a component that counts.
struct Counted {
    y: u32,
    x0: u32,
    x1: u32,
    /// Component over all slices.
    owner: u32,
}

/// Two neighbouring slices.
struct Between<'a> {
    sampler: &'a Sampler<'a>,
    columns: usize,
    positions: Vec<f64>,
}

impl Between<'_> {
    /// Samples by component: those over pieces of the lower slice, then those that only the upper one has.
    fn tally<T: Copy + Into<f64>>(
        &self,
        a: &[T],
        b: &[T],
        lower: &[Counted],
        upper: &[Counted],
    ) -> Vec<(u32, u64)> {
        let mut out: Vec<(u32, u64)> = Vec::new();
        let mut add = |owner: u32, n: u64| match out.last_mut() {
            _ if n == 0 => {}
            Some((last, sum)) if *last == owner => *sum += n,
            _ => out.push((owner, n)),
        };
        let edge = |y: u32, x0: u32, x1: u32| -> u64 {
            let row = y as usize * self.columns;
            let run = row + x0 as usize..row + x1 as usize;
            a[run.clone()].iter().zip(&b[run]).map(|(a, b)| self.reaching((*a).into(), (*b).into())).sum()
        };
        // Between two voxels at or above the threshold everything is: only the surface has to be read.
        let all = self.positions.len() as u64;
        parts(lower, upper, |p, x0, x1, both| {
            add(p.owner, if both { u64::from(x1 - x0) * all } else { edge(p.y, x0, x1) });
        });
        parts(upper, lower, |p, x0, x1, both| {
            add(p.owner, if both { 0 } else { edge(p.y, x0, x1) });
        });
        out
    }

    /// How many samples between two stored values reach the threshold.
    fn reaching(&self, a: f64, b: f64) -> u64 {
        let Sampler { volume, threshold_hu, .. } = self.sampler;
        if volume.padding.is_some_and(|p| p.contains(a) || p.contains(b)) || !a.is_finite() || !b.is_finite()
        {
            return 0;
        }
        let (a, b) = (volume.rescale.apply(a), volume.rescale.apply(b));
        self.positions.iter().filter(|t| a + (b - a) * **t >= threshold_hu - 1e-6).count() as u64
    }
}

/// Cuts each of `pieces` where `others` begin and end, and says of each part whether one of them is there.
fn parts(pieces: &[Counted], others: &[Counted], mut each: impl FnMut(&Counted, u32, u32, bool)) {
    let mut next = 0;
    for p in pieces {
        while others.get(next).is_some_and(|q| (q.y, q.x1) <= (p.y, p.x0)) {
            next += 1;
        }
        let mut x = p.x0;
        for q in others[next..].iter().take_while(|q| q.y == p.y && q.x0 < p.x1) {
            if q.x0 > x {
                each(p, x, q.x0, false);
            }
            each(p, q.x0.max(p.x0), q.x1.min(p.x1), true);
            x = q.x1;
        }
        if x < p.x1 {
            each(p, x, p.x1, false);
        }
    }
}
