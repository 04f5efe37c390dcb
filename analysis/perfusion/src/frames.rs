//! Values of a volume by frame or by voxel, in the unit of the series, as f32.
//!
//! Padding is no number. Slices that no file gave are interpolated in time from the nearest frames that have
//! them; a slice that is missing always stays no number.

use imaging::{Volume, Voxels};

use crate::timeline::Sample;

/// Reads one echo of a volume.
pub(crate) struct Frames<'a> {
    volume: &'a Volume,
    /// First frame of the echo.
    first: usize,
    count: usize,
    /// By frame and slice, where any slice is missing; `None` for a slice that is never there.
    replaced: Vec<Option<Sample>>,
    slice_voxels: usize,
    slices: usize,
}

impl<'a> Frames<'a> {
    pub fn new(volume: &'a Volume, first: usize, count: usize) -> Self {
        let [columns, rows, slices] = volume.grid.dims().map(|n| n as usize);
        let mut replaced = Vec::new();
        if !volume.missing.is_empty() {
            let mut there = vec![true; count * slices];
            for [t, z] in &volume.missing {
                if let Some(t) = (*t as usize).checked_sub(first).filter(|t| *t < count) {
                    there[t * slices + *z as usize] = false;
                }
            }
            for t in 0..count {
                for z in 0..slices {
                    let has = |t: &usize| there[t * slices + z];
                    let (before, after) = ((0..=t).rev().find(has), (t..count).find(has));
                    replaced.push(match (before, after) {
                        (Some(before), Some(after)) => {
                            let gap = (after - before).max(1) as f32;
                            Some(Sample { before, after, share_after: (t - before) as f32 / gap })
                        }
                        (Some(one), None) | (None, Some(one)) => {
                            Some(Sample { before: one, after: one, share_after: 0.0 })
                        }
                        (None, None) => None,
                    });
                }
            }
        }
        Self { volume, first, count, replaced, slice_voxels: columns * rows, slices }
    }

    /// Number of frames.
    pub fn count(&self) -> usize {
        self.count
    }

    /// Voxels of a frame.
    pub fn voxels(&self) -> usize {
        self.slice_voxels * self.slices
    }

    /// Values of some voxels (ascending) in one frame.
    pub fn read(&self, frame: usize, voxels: &[u32], out: &mut [f32]) {
        let base = (self.first + frame) * self.voxels();
        self.read_at(base, voxels, out);
        if self.replaced.is_empty() {
            return;
        }
        for (voxel, out) in voxels.iter().zip(out) {
            let slice = *voxel as usize / self.slice_voxels;
            *out = match self.replaced[frame * self.slices + slice] {
                Some(s) if s.before == s.after && s.before == frame => *out,
                Some(s) => {
                    let [a, b] = [s.before, s.after].map(|t| {
                        let mut one = [0.0];
                        self.read_at((self.first + t) * self.voxels(), &[*voxel], &mut one);
                        one[0]
                    });
                    a + (b - a) * s.share_after
                }
                None => f32::NAN,
            };
        }
    }

    /// A whole frame.
    pub fn frame(&self, frame: usize, out: &mut Vec<f32>) {
        let n = self.voxels();
        out.resize(n, 0.0);
        let all: Vec<u32> = (0..self.slice_voxels as u32).collect();
        for (slice, out) in out.chunks_exact_mut(self.slice_voxels).enumerate() {
            let first = (slice * self.slice_voxels) as u32;
            if self.replaced.is_empty() {
                self.read_at((self.first + frame) * n + first as usize, &all, out);
            } else {
                let voxels: Vec<u32> = all.iter().map(|v| v + first).collect();
                self.read(frame, &voxels, out);
            }
        }
    }

    fn read_at(&self, base: usize, voxels: &[u32], out: &mut [f32]) {
        let (slope, intercept) = (self.volume.rescale.slope as f32, self.volume.rescale.intercept as f32);
        macro_rules! copy {
            ($values:expr, $number:expr) => {
                for (voxel, out) in voxels.iter().zip(out.iter_mut()) {
                    *out = slope * $number($values[base + *voxel as usize]) + intercept;
                }
            };
        }
        match &self.volume.voxels {
            Voxels::I16(v) => copy!(v, f32::from),
            Voxels::U16(v) => copy!(v, f32::from),
            Voxels::F32(v) => copy!(v, |x: f32| x),
            Voxels::Rgba8(_) => out.fill(f32::NAN),
        }
        if let Some(padding) = self.volume.padding {
            let stored = |v: u32| self.volume.voxels.get(base + v as usize);
            for (voxel, out) in voxels.iter().zip(out.iter_mut()) {
                if stored(*voxel).is_some_and(|s| padding.contains(s)) {
                    *out = f32::NAN;
                }
            }
        }
    }
}
