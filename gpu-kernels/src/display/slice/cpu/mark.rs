//! The overlay along a row of pixels: which samples are marked, and what the pixel becomes.
//!
//! A pass of its own after the grey one, so that panels without an overlay do nothing for it, and over the part of
//! the row that lies in the box alone.

use super::super::overlay::{COLOURS, OverlayDraw, Style};
use super::sample::{Sampler, Stored};
use super::{Walk, add, inside};
use crate::labels::Labels;

pub(super) struct Marker<'a, T> {
    sampler: &'a Sampler<'a, T>,
    region: [[u32; 3]; 2],
    lowest: f32,
    highest: f32,
    palette: &'a [[u8; 4]; COLOURS],
    style: Style,
    labels: Option<&'a Labels>,
}

impl<'a, T: Stored> Marker<'a, T> {
    pub(super) fn new(
        overlay: &'a OverlayDraw,
        dims: [u32; 3],
        sampler: &'a Sampler<'a, T>,
        labels: Option<&'a Labels>,
    ) -> Self {
        Self {
            sampler,
            region: overlay.region_within(dims),
            lowest: overlay.lowest,
            highest: overlay.highest,
            palette: &overlay.palette,
            style: overlay.style,
            labels,
        }
    }

    /// Raises the marks (0, or 1 + label) of the samples at `start`, `start + right`, ...
    pub(super) fn run(&self, start: [i64; 3], right: [i64; 3], marks: &mut [u16]) {
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
    fn mark(&self, voxel: [usize; 3]) -> u16 {
        if !self.sampler.holds_measurement(voxel) {
            return 0;
        }
        let [x, y, z] = voxel;
        let label = self.labels.map_or(0, |labels| {
            let columns = labels.dims()[0] as usize;
            labels.slice(z as u32).and_then(|slice| slice.get(y * columns + x)).map_or(0, |label| *label)
        });
        if self.palette[usize::from(label)][3] == 0 { 0 } else { u16::from(label) + 1 }
    }

    /// Marks a row of pixels, all samples of each together.
    pub(super) fn row(&self, walk: &Walk, start: [i64; 3], samples: u32, marks: &mut Marks, row: &mut [u8]) {
        let width = row.len() / 4;
        let marked = restarted(&mut marks.row, width);
        for k in 0..samples {
            self.run(add(start, walk.away, i64::from(k)), walk.right, marked);
        }
        match self.style.outline_px().filter(|_| samples == 1) {
            None => self.paint(marked, row, Style::Fill, |_| false),
            Some(px) => {
                let px = px as usize;
                let aside = restarted(&mut marks.aside, width + 2 * px);
                self.run(add(start, walk.right, -(px as i64)), walk.right, aside);
                let [above, below] = &mut marks.beside;
                for (row, px) in [(&mut *above, -(px as i64)), (&mut *below, px as i64)] {
                    self.run(add(start, walk.down, px), walk.right, restarted(row, width));
                }
                self.paint(&marks.row, row, self.style, |x| {
                    let mark = marks.row[x];
                    [aside[x], aside[x + 2 * px], above[x], below[x]].iter().any(|other| *other != mark)
                });
            }
        }
    }

    /// Lays the colours over pixels; `edge` is only asked of marked ones.
    fn paint(&self, marks: &[u16], row: &mut [u8], style: Style, edge: impl Fn(usize) -> bool) {
        for (x, (mark, pixel)) in marks.iter().zip(row.chunks_exact_mut(4)).enumerate() {
            let Some(label) = mark.checked_sub(1) else { continue };
            let [colour @ .., alpha] = self.palette[usize::from(label)].map(u32::from);
            let alpha = match style {
                Style::Fill => alpha,
                _ if edge(x) => 255,
                Style::Outline(_) => 0,
                Style::Both(_) => alpha,
            };
            for (level, colour) in pixel.iter_mut().zip(colour) {
                // floor(n / 255 + 1/2) = floor((2 n + 255) / 510)
                let sum = u32::from(*level) * (255 - alpha) + colour * alpha;
                *level = ((2 * sum + 255) / 510) as u8;
            }
        }
    }
}

/// The marks of a row and, for outlines, of its neighbours; kept from row to row.
#[derive(Default)]
pub(super) struct Marks {
    row: Vec<u16>,
    /// The row itself, from as far left to as far right of the panel as the outline is wide.
    aside: Vec<u16>,
    beside: [Vec<u16>; 2],
}

/// As many marks as asked for, all 0.
fn restarted(marks: &mut Vec<u16>, width: usize) -> &mut [u16] {
    marks.clear();
    marks.resize(width, 0);
    marks
}
