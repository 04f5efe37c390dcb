//! Words from one grid of strides to another: transpose, slice, concat, split, expand, tile, packing.
//!
//! Whatever only moves elements is an affine map from indices to places on each side, so one kernel serves them all.
//! Axes that lie in one piece on both sides are joined first: most copies then have one to three.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use super::{indices, product, row, strides_of};
use crate::gpu::check::{Case, Spec, Tolerance, Words};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source, groups_of};

/// Nothing is computed.
pub const TOLERANCE: Tolerance = Tolerance::EXACT;

/// Axes that a copy may have after joining.
pub const AXES: usize = 8;

/// `struct Params` of `shaders/inference/copy.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    extents: [u32; AXES],
    source: [i32; AXES],
    sink: [i32; AXES],
    base: [i32; 4],
}

field_offsets!(size, extents, source, sink, base);

/// One side of a copy, in words.
#[derive(Clone, Debug, PartialEq)]
pub struct Side {
    /// Place of the first word.
    pub base: i32,
    /// Distance between neighbours per axis; 0 repeats, negative walks backwards.
    pub strides: Vec<i32>,
}

impl Side {
    /// A contiguous tensor of these extents.
    pub fn contiguous(extents: &[usize]) -> Self {
        Self { base: 0, strides: strides_of(extents).iter().map(|&s| s as i32).collect() }
    }
}

/// One copy.
#[derive(Clone, Debug, PartialEq)]
pub struct Copy {
    /// The grid that is walked.
    pub extents: Vec<usize>,
    /// Where words are read.
    pub from: Side,
    /// Where they are written.
    pub to: Side,
    /// Words of the source: nothing behind is read.
    pub source_words: usize,
}

impl Copy {
    /// Axes that are left after joining; there may be [`AXES`].
    pub fn axes(&self) -> usize {
        self.joined().extents.len()
    }

    /// The same with axes joined that lie in one piece on both sides, and without those of one element.
    fn joined(&self) -> Self {
        let mut joined: Vec<(usize, i32, i32)> = Vec::new();
        for (i, &extent) in self.extents.iter().enumerate() {
            let (from, to) = (self.from.strides[i], self.to.strides[i]);
            if extent == 1 {
                continue;
            }
            if let Some(last) = joined.last_mut()
                && last.1 == from.saturating_mul(extent as i32)
                && last.2 == to.saturating_mul(extent as i32)
            {
                *last = (last.0 * extent, from, to);
                continue;
            }
            joined.push((extent, from, to));
        }
        Self {
            extents: joined.iter().map(|j| j.0).collect(),
            from: Side { base: self.from.base, strides: joined.iter().map(|j| j.1).collect() },
            to: Side { base: self.to.base, strides: joined.iter().map(|j| j.2).collect() },
            source_words: self.source_words,
        }
    }
}

/// Adds a copy.
///
/// # Errors
/// Where it has too many axes or words.
pub fn record(rec: &mut Recorder, job: &Copy, from: &Block, to: &Block) -> Result<(), GpuFault> {
    let job = job.joined();
    let words = product(&job.extents);
    if job.extents.len() > AXES {
        return Err(GpuFault::unfit(
            "copy",
            format!("it has {} axes; {AXES} are possible", job.extents.len()),
        ));
    }
    if words > i32::MAX as usize || job.source_words > i32::MAX as usize {
        return Err(GpuFault::unfit("copy", format!("{words} elements do not fit 32-bit places")));
    }
    if words == 0 || job.source_words == 0 {
        return Ok(());
    }
    let params = Params {
        size: [words as u32, job.extents.len() as u32, job.source_words as u32 - 1, 0],
        extents: row(&job.extents.iter().map(|&e| e as u32).collect::<Vec<_>>(), 1),
        source: row(&job.from.strides, 0),
        sink: row(&job.to.strides, 0),
        base: [job.from.base, job.to.base, 0, 0],
    };
    let program =
        Program { name: "copy", source: Source::Shader(&wgsl::COPY), entry: "main", constants: &[] };
    let groups = groups_of(words as u64)?;
    rec.dispatch(&program, bytemuck::bytes_of(&params), &[(1, from), (2, to)], groups, words as u64)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Copy;

    fn cases() -> Vec<Case<Copy>> {
        let case = |name: &str, extents: &[usize], from: Side, source_words: usize| {
            let to = Side::contiguous(extents);
            let job = Copy { extents: extents.to_vec(), from, to, source_words };
            Case { name: name.to_owned(), job, inputs: vec![Words::U32((0..source_words as u32).collect())] }
        };
        let side = |base, strides: &[i32]| Side { base, strides: strides.to_vec() };
        let mut cases = vec![
            case("one word", &[1], side(0, &[1]), 1),
            case("as it is", &[22, 23, 30], Side::contiguous(&[22, 23, 30]), 22 * 23 * 30),
            case("transposed", &[30, 23, 22], side(0, &[1, 30, 690]), 22 * 23 * 30),
            case("backwards", &[5, 7], side(34, &[-7, -1]), 35),
            case("sliced with steps", &[3, 4], side(8, &[14, 2]), 49),
            case("expanded", &[4, 5, 6], side(0, &[0, 1, 0]), 5),
            case("eight axes", &[2, 2, 2, 2, 2, 2, 2, 2], side(0, &[1, 2, 4, 8, 16, 32, 64, 128]), 256),
            case("behind the source, its last word", &[6], side(0, &[1]), 4),
            case("axes of one element", &[1, 3, 1, 2, 1], side(0, &[9, 1, 9, 3, 9]), 6),
        ];
        // Every second column of the destination, as concat writes; the rest keeps the poison.
        let mut half = case("into places", &[3, 4], Side::contiguous(&[3, 4]), 12);
        half.job.to = side(0, &[4, 1]);
        cases.push(half);
        cases
    }

    fn record(rec: &mut Recorder, job: &Copy, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], out)
    }

    fn twin(job: &Copy, inputs: &[Words]) -> Words {
        let Words::U32(source) = &inputs[0] else { return Words::U32(vec![]) };
        let mut result = vec![0; product(&job.extents)];
        for index in indices(&job.extents) {
            let place = |side: &Side| {
                side.base + index.iter().zip(&side.strides).map(|(&i, &s)| i as i32 * s).sum::<i32>()
            };
            result[place(&job.to) as usize] = source[(place(&job.from) as usize).min(job.source_words - 1)];
        }
        Words::U32(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_in_one_piece_are_joined() {
        let extents = [2, 3, 4, 5];
        let plain = Copy {
            extents: extents.to_vec(),
            from: Side::contiguous(&extents),
            to: Side::contiguous(&extents),
            source_words: 120,
        };
        assert_eq!(plain.joined().extents, [120]);
        let swapped = Copy { from: Side { base: 0, strides: vec![15, 5, 30, 1] }, ..plain };
        assert_eq!(swapped.joined().extents, [6, 4, 5]);
    }
}
