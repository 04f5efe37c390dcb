//! The overlay along a row of pixels: which samples are marked, and what the pixel becomes.
//!
//! A pass of its own after the grey one, so that panels without an overlay do nothing for it, and over the part of
//! the row that lies in the box alone.

use super::super::overlay::{COLOURS, OverlayDraw};
use super::sample::{Sampler, Stored};
use super::{add, inside};
use crate::labels::Labels;

pub(super) struct Marker<'a, T> {
    sampler: &'a Sampler<'a, T>,
    region: [[u32; 3]; 2],
    lowest: f32,
    highest: f32,
    palette: [[u8; 4]; COLOURS],
    labels: Option<&'a Labels>,
}

impl<'a, T: Stored> Marker<'a, T> {
    pub(super) fn new(
        overlay: &OverlayDraw,
        dims: [u32; 3],
        sampler: &'a Sampler<'a, T>,
        labels: Option<&'a Labels>,
    ) -> Self {
        Self {
            sampler,
            region: overlay.region_within(dims),
            lowest: overlay.lowest,
            highest: overlay.highest,
            palette: overlay.palette,
            labels,
        }
    }

    /// Raises the marks (0, or 1 + label) of the samples at `start`, `start + right`, ...
    pub(super) fn run(&self, start: [i64; 3], right: [i64; 3], marks: &mut [u8]) {
        let (from, to) = inside(start, right, self.region, marks.len());
        let mut at = add(start, right, from as i64);
        for mark in &mut marks[from..to] {
            let voxel = at.map(|p| (p >> 32) as usize);
            let stored = self.sampler.stored(voxel);
            // Few pass; NaN never does.
            if stored >= self.lowest && stored <= self.highest {
                *mark = (*mark).max(self.mark(voxel));
            }
            for axis in 0..3 {
                at[axis] += right[axis];
            }
        }
    }

    #[inline(never)]
    fn mark(&self, voxel: [usize; 3]) -> u8 {
        if !self.sampler.holds_measurement(voxel) {
            return 0;
        }
        let [x, y, z] = voxel;
        let label = self.labels.map_or(0, |labels| {
            let columns = labels.dims()[0] as usize;
            labels.slice(z as u32).and_then(|slice| slice.get(y * columns + x)).map_or(0, |label| *label)
        });
        let label = label.min(COLOURS as u8 - 1);
        if self.palette[usize::from(label)][3] == 0 { 0 } else { label + 1 }
    }

    /// Lays the colours over grey pixels.
    pub(super) fn paint(&self, marks: &[u8], row: &mut [u8]) {
        for (mark, pixel) in marks.iter().zip(row.chunks_exact_mut(4)) {
            let Some(label) = mark.checked_sub(1) else { continue };
            let [colour @ .., alpha] = self.palette[usize::from(label)].map(u32::from);
            for (level, colour) in pixel.iter_mut().zip(colour) {
                // floor(n / 255 + 1/2) = floor((2 n + 255) / 510)
                let sum = u32::from(*level) * (255 - alpha) + colour * alpha;
                *level = ((2 * sum + 255) / 510) as u8;
            }
        }
    }
}
