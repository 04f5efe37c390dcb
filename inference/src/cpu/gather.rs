//! Copies input planes so that every tap of a window lies at one constant distance.
//!
//! Padding becomes stored zeros and a stride becomes one plane per residue ("phase"): output `j` and tap `t` meet at
//! input `j · stride + phase(t) + shift(t) · stride - pad`, which is element `j + shift(t)` of plane `phase(t)`. The
//! inner loop then needs neither bounds nor strides. A transposed convolution is one such pass per output phase.

use crate::window::Axis;

/// One tap of a window along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tap {
    /// Index into the kernel.
    pub index: usize,
    /// Index into [`Taps::phases`].
    pub phase: usize,
    /// Elements behind the output's own.
    pub shift: usize,
}

/// All taps along an axis of one pass.
#[derive(Clone, Debug)]
pub(super) struct Taps {
    pub taps: Vec<Tap>,
    /// The residues that any tap reads.
    pub phases: Vec<usize>,
    /// Input elements from one output to the next.
    pub stride: usize,
    /// The largest shift.
    pub reach: usize,
    /// Distance of the outputs of this pass, and the first one's residue (transposed convolutions; else 1 and 0).
    pub output_stride: usize,
    pub output_phase: usize,
    transposed: bool,
    /// Input elements that the last tap lies behind the output's own (transposed convolutions).
    lead: usize,
}

impl Taps {
    /// Of a convolution.
    pub fn direct(axis: &Axis) -> Self {
        let stride = axis.stride;
        let places = (0..axis.kernel).map(|k| (k, (k * axis.dilation) % stride, k * axis.dilation / stride));
        Self { stride, ..Self::collect(places.collect()) }
    }

    /// Of a transposed convolution: one pass for each residue of `output + pad` modulo the stride. Tap `k` adds input
    /// `i` to output `i · stride + k · dilation - pad`, so output `t · stride + phase` reads input `t - k·dilation/stride`
    /// of the taps with `k · dilation ≡ phase`.
    pub fn transposed(axis: &Axis) -> Vec<Self> {
        let stride = axis.stride;
        (0..stride)
            .map(|phase| {
                let taps: Vec<_> =
                    (0..axis.kernel).filter(|k| (k * axis.dilation) % stride == phase).collect();
                let far = taps.last().map_or(0, |k| k * axis.dilation / stride);
                let places = taps.iter().map(|&k| (k, 0, far - k * axis.dilation / stride)).collect();
                Self {
                    output_stride: stride,
                    output_phase: phase,
                    transposed: true,
                    lead: far,
                    ..Self::collect(places)
                }
            })
            .collect()
    }

    /// Of (index, residue, shift).
    fn collect(places: Vec<(usize, usize, usize)>) -> Self {
        let mut phases: Vec<_> = places.iter().map(|&(_, phase, _)| phase).collect();
        phases.sort_unstable();
        phases.dedup();
        let reach = places.iter().map(|&(_, _, shift)| shift).max().unwrap_or(0);
        let taps = places
            .into_iter()
            .map(|(index, phase, shift)| Tap { index, phase: phases.partition_point(|&p| p < phase), shift })
            .collect();
        Self { taps, phases, stride: 1, reach, output_stride: 1, output_phase: 0, transposed: false, lead: 0 }
    }

    /// Where this pass lies on an axis with extents.
    pub fn line(&self, axis: &Axis) -> Line {
        if !self.transposed {
            return Line { input: axis.input, pad: axis.pad_begin as isize, first: 0, count: axis.output };
        }
        let skipped = axis.pad_begin.saturating_sub(self.output_phase).div_ceil(self.output_stride);
        let first = skipped * self.output_stride + self.output_phase - axis.pad_begin;
        Line {
            input: axis.input,
            pad: self.lead as isize - skipped as isize,
            first,
            count: axis.output.saturating_sub(first).div_ceil(self.output_stride),
        }
    }

    /// The input element that output `j` meets at a tap, where it lies inside.
    pub fn input(&self, line: &Line, j: usize, tap: &Tap) -> Option<usize> {
        let at = ((j + tap.shift) * self.stride + self.phases[tap.phase]).checked_add_signed(-line.pad)?;
        (at < line.input).then_some(at)
    }

    /// Input elements between two neighbouring taps.
    pub fn distance(&self) -> usize {
        let at = |tap: &Tap| tap.shift * self.stride + self.phases[tap.phase];
        match &self.taps[..] {
            [a, b, ..] => at(a).abs_diff(at(b)).max(1),
            _ => 1,
        }
    }
}

/// The extents of a pass along an axis.
#[derive(Clone, Copy, Debug)]
pub(super) struct Line {
    pub input: usize,
    /// Element 0 of the copy stands for input `-pad`.
    pub pad: isize,
    /// First output of this pass.
    pub first: usize,
    /// Its outputs.
    pub count: usize,
}

impl Line {
    /// Those outputs of the pass that lie in a range of the axis, as numbers of the pass.
    pub fn within(&self, range: &std::ops::Range<usize>, step: usize) -> std::ops::Range<usize> {
        let below = |end: usize| end.saturating_sub(self.first).div_ceil(step).min(self.count);
        below(range.start)..below(range.end)
    }
}

/// The part of a plane that a task copies.
pub(super) struct Band<'a> {
    pub y: &'a Taps,
    pub x: &'a Taps,
    pub line_y: Line,
    pub line_x: Line,
    /// First output row.
    pub row: usize,
    /// Rows and columns of each phase's copy.
    pub height: usize,
    pub width: usize,
}

impl Band<'_> {
    /// Elements of the copy of one plane.
    pub fn elements(&self) -> usize {
        self.y.phases.len() * self.x.phases.len() * self.height * self.width
    }

    /// Where tap (y, x) of the first output stands in the copy.
    pub fn offset(&self, y: &Tap, x: &Tap) -> usize {
        ((y.phase * self.x.phases.len() + x.phase) * self.height + y.shift) * self.width + x.shift
    }

    /// Copies one plane.
    pub fn fill(&self, plane: &[f32], copy: &mut [f32]) {
        let mut rows = copy.chunks_exact_mut(self.width);
        for &phase_y in &self.y.phases {
            for &phase_x in &self.x.phases {
                for (i, row) in (0..self.height).zip(&mut rows) {
                    let y = ((self.row + i) * self.y.stride + phase_y).checked_add_signed(-self.line_y.pad);
                    match y.filter(|&y| y < self.line_y.input) {
                        Some(y) => {
                            self.fill_row(&plane[y * self.line_x.input..][..self.line_x.input], phase_x, row)
                        }
                        None => row.fill(0.0),
                    }
                }
            }
        }
    }

    fn fill_row(&self, from: &[f32], phase: usize, row: &mut [f32]) {
        let stride = self.x.stride;
        let before = |input: isize| {
            let elements = input + self.line_x.pad - phase as isize;
            usize::try_from(elements).unwrap_or(0).div_ceil(stride).min(row.len())
        };
        let (begin, end) = (before(0), before(from.len() as isize));
        let first = ((begin * stride + phase) as isize - self.line_x.pad) as usize;
        row[..begin].fill(0.0);
        row[end..].fill(0.0);
        if begin >= end {
            return;
        }
        if stride == 1 {
            row[begin..end].copy_from_slice(&from[first..first + end - begin]);
        } else {
            for (to, &value) in row[begin..end].iter_mut().zip(from[first..].iter().step_by(stride)) {
                *to = value;
            }
        }
    }
}
