//! The register tile: some output channels times some vectors of neighbouring outputs.
//!
//! `out[m][p] = bias[m] + Σ_k weight[k][m] · source[offset[k] + p]`. All sums of a tile stay in registers while `k`
//! runs, each loaded vector is used for every channel and each broadcast weight for every vector. The list of offsets
//! makes the same loop a convolution tap, a row of a matrix or a plane of a volume.

use std::{ops::Range, sync::OnceLock};

use fearless_simd::{Level, Simd, dispatch, prelude::*};

use super::activation::Activation;

/// Channels and vectors per tile: as many sums as the registers hold beside the loaded vectors and one weight.
/// AVX-512 has 32 registers, AVX2 and SSE 16; V8 keeps one or two of its 16 and needs one for the product.
const fn most_channels(lanes: usize) -> usize {
    match lanes {
        16 => 8,
        8 => 4,
        _ => 5,
    }
}

const fn most_vectors(lanes: usize, channels: usize) -> usize {
    match (lanes, channels) {
        (_, 1) => 8,
        (16, 2..=5) => 4,
        (8, 2) => 4,
        (16 | 8, _) => 3,
        (_, 2 | 3) => 3,
        _ => 2,
    }
}

/// Longest row of a tile, in elements; the slack a source needs behind its last output.
pub(super) const SLACK: usize = 8 * 16;
/// Elements of the largest tile.
pub(super) const TILE: usize = 8 * 3 * 16;

/// What this machine can do, asked once.
pub(super) fn level() -> Level {
    static LEVEL: OnceLock<Level> = OnceLock::new();
    *LEVEL.get_or_init(Level::new)
}

/// Elements per vector.
pub(super) fn lanes() -> usize {
    #[inline(always)]
    fn of<S: Simd>(_: S) -> usize {
        S::f32s::LEN
    }
    dispatch!(level(), simd => of(simd))
}

/// Weights in the order in which tiles read them: per tile of channels, for each `k` its channels.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    /// First channel and number of channels of each tile, ascending.
    pub tiles: Vec<Range<usize>>,
    /// Products per output.
    pub depth: usize,
    data: Vec<f32>,
}

impl Packed {
    /// `weight(channel, k)` for all channels and `k < depth`.
    pub fn new(channels: usize, depth: usize, weight: impl Fn(usize, usize) -> f32) -> Self {
        let most = most_channels(lanes());
        let tiles = super::parallel::split(channels, channels.div_ceil(most));
        let mut data = Vec::with_capacity(channels * depth);
        for tile in &tiles {
            for k in 0..depth {
                data.extend(tile.clone().map(|channel| weight(channel, k)));
            }
        }
        Self { tiles, depth, data }
    }

    /// The weights of one tile for a range of `k`.
    fn of(&self, tile: &Range<usize>, k: &Range<usize>) -> &[f32] {
        let begin = tile.start * self.depth;
        &self.data[begin + k.start * tile.len()..begin + k.end * tile.len()]
    }
}

/// Where the vectors come from.
#[derive(Clone, Copy)]
pub(super) enum Source<'a> {
    /// Element `p` of row `k` stands at `offsets[k] + p`.
    Rows {
        /// The elements.
        data: &'a [f32],
        /// One per `k` of the range at hand.
        offsets: &'a [usize],
        /// The largest offset.
        reach: usize,
        /// Copy each block of rows together first: where rows lie far apart and many channels read them.
        gather: bool,
    },
    /// Element `p` of row `k` stands at `p · pitch + k`.
    Columns {
        /// The elements.
        data: &'a [f32],
        /// Elements from one column to the next.
        pitch: usize,
    },
}

/// Where the outputs go: output `p` of a span stands at `at + (p / pitch) · row_step + (p % pitch) · step`, and is
/// dropped where `p % pitch >= width`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub at: usize,
    pub pitch: usize,
    pub width: usize,
    pub row_step: usize,
    pub step: usize,
}

/// One product: everything but where along the outputs.
#[derive(Clone, Copy)]
pub(super) struct Job<'a> {
    pub source: Source<'a>,
    pub weights: &'a Packed,
    /// The part of the weights' depth that is summed.
    pub k: (usize, usize),
    /// The tiles of channels that are computed; the first writes to the first row.
    pub tiles: (usize, usize),
    /// One per channel of all tiles, or empty.
    pub bias: &'a [f32],
    pub activation: Activation,
    pub target: Target,
}

/// Memory that spans share.
#[derive(Default)]
pub(super) struct Scratch {
    panel: Vec<f32>,
    panel_offsets: Vec<usize>,
    tile: Vec<f32>,
}

/// Computes the outputs `0..length` of a span whose first source element is `start`.
pub(super) fn span(
    job: &Job<'_>,
    start: usize,
    length: usize,
    rows: &mut [&mut [f32]],
    scratch: &mut Scratch,
) {
    scratch.tile.resize(TILE, 0.0);
    dispatch!(level(), simd => span_with(simd, job, start, length, rows, scratch));
}

#[inline(always)]
fn span_with<S: Simd>(
    simd: S,
    job: &Job<'_>,
    start: usize,
    length: usize,
    rows: &mut [&mut [f32]],
    scratch: &mut Scratch,
) {
    let lanes = S::f32s::LEN;
    let tiles = &job.weights.tiles[job.tiles.0..job.tiles.1];
    let channels = tiles.iter().map(Range::len).max().unwrap_or(1);
    let vectors = length.div_ceil(lanes);
    let blocks = vectors.div_ceil(most_vectors(lanes, channels));
    let mut done = 0;
    for block in 0..blocks {
        let wide = (vectors - done).div_ceil(blocks - block);
        let block = Block { start: start + done * lanes, first: done * lanes, length };
        match wide {
            1 => block_with::<S, 1>(simd, job, block, rows, scratch),
            2 => block_with::<S, 2>(simd, job, block, rows, scratch),
            3 => block_with::<S, 3>(simd, job, block, rows, scratch),
            4 => block_with::<S, 4>(simd, job, block, rows, scratch),
            5 => block_with::<S, 5>(simd, job, block, rows, scratch),
            6 => block_with::<S, 6>(simd, job, block, rows, scratch),
            7 => block_with::<S, 7>(simd, job, block, rows, scratch),
            _ => block_with::<S, 8>(simd, job, block, rows, scratch),
        }
        done += wide;
    }
}

/// Some vectors of a span.
#[derive(Clone, Copy)]
struct Block {
    /// Source element of the first output.
    start: usize,
    /// First output, counted from the span's.
    first: usize,
    /// Outputs of the whole span.
    length: usize,
}

#[inline(always)]
fn block_with<S: Simd, const N: usize>(
    simd: S,
    job: &Job<'_>,
    block: Block,
    rows: &mut [&mut [f32]],
    scratch: &mut Scratch,
) {
    let width = N * S::f32s::LEN;
    let Scratch { panel, panel_offsets, tile: buffer } = scratch;
    let depth = job.k.1 - job.k.0;
    let (data, offsets, start): (&[f32], &[usize], usize) = match job.source {
        Source::Rows { data, offsets, reach, gather: false } if reach + block.start + width <= data.len() => {
            (data, offsets, block.start)
        }
        source => {
            let here = width.min(block.length - block.first);
            collect(source, block.start, depth, here, width, panel);
            if panel_offsets.len() < depth || panel_offsets.get(1).is_some_and(|&pitch| pitch != width) {
                panel_offsets.clear();
                panel_offsets.extend((0..depth).map(|k| k * width));
            }
            (panel, &panel_offsets[..depth], 0)
        }
    };
    let tiles = &job.weights.tiles[job.tiles.0..job.tiles.1];
    let first = tiles.first().map_or(0, |tile| tile.start);
    for tile in tiles {
        let weights = job.weights.of(tile, &(job.k.0..job.k.1));
        let bias = if job.bias.is_empty() { &[][..] } else { &job.bias[tile.clone()] };
        let rows = &mut rows[tile.start - first..tile.end - first];
        macro_rules! sized {
            ($($m:literal)*) => {
                match tile.len() {
                    $($m if const { fits(S::f32s::LEN, $m, N) } => {
                        let sums = sums::<S, $m, N>(simd, data, offsets, start, weights, bias);
                        finish::<S, $m, N>(simd, sums, job, block, rows, buffer);
                    })*
                    // `most_channels` and `most_vectors` allow no other tile.
                    _ => debug_assert!(false, "a tile of {} channels and {N} vectors", tile.len()),
                }
            };
        }
        sized!(1 2 3 4 5 6 7 8);
    }
}

/// Whether there is such a tile at all: the others would only make the program larger. A span's blocks are as wide as
/// its largest tile allows, and tiles of one kernel differ by one channel.
const fn fits(lanes: usize, channels: usize, vectors: usize) -> bool {
    channels <= most_channels(lanes) && vectors <= most_vectors(lanes, channels)
}

/// Copies `depth` rows of `here` elements to a panel of rows of `width`, zeros behind them.
fn collect(source: Source<'_>, start: usize, depth: usize, here: usize, width: usize, panel: &mut Vec<f32>) {
    if panel.len() < depth * width {
        panel.resize(depth * width, 0.0);
    }
    match source {
        Source::Rows { data, offsets, .. } => {
            for (row, &offset) in panel.chunks_exact_mut(width).zip(offsets) {
                let (head, tail) = row.split_at_mut(here);
                head.copy_from_slice(&data[offset + start..offset + start + here]);
                tail.fill(0.0);
            }
        }
        Source::Columns { data, pitch } => {
            for p in 0..width {
                if p < here {
                    let column = &data[(start + p) * pitch..(start + p) * pitch + depth];
                    for (k, &value) in column.iter().enumerate() {
                        panel[k * width + p] = value;
                    }
                } else {
                    (0..depth).for_each(|k| panel[k * width + p] = 0.0);
                }
            }
        }
    }
}

#[inline(always)]
fn sums<S: Simd, const M: usize, const N: usize>(
    simd: S,
    data: &[f32],
    offsets: &[usize],
    start: usize,
    weights: &[f32],
    bias: &[f32],
) -> [[S::f32s; N]; M] {
    let lanes = S::f32s::LEN;
    let mut sums = [[S::f32s::splat(simd, 0.0); N]; M];
    for (sums, &bias) in sums.iter_mut().zip(bias) {
        *sums = [S::f32s::splat(simd, bias); N];
    }
    for (weights, &offset) in weights.chunks_exact(M).zip(offsets) {
        let at = offset + start;
        let row = &data[at..at + N * lanes];
        let mut vectors = [S::f32s::splat(simd, 0.0); N];
        for n in 0..N {
            vectors[n] = S::f32s::from_slice(simd, &row[n * lanes..(n + 1) * lanes]);
        }
        for m in 0..M {
            let weight = S::f32s::splat(simd, weights[m]);
            for n in 0..N {
                sums[m][n] = weight.mul_add(vectors[n], sums[m][n]);
            }
        }
    }
    sums
}

#[inline(always)]
fn finish<S: Simd, const M: usize, const N: usize>(
    simd: S,
    sums: [[S::f32s; N]; M],
    job: &Job<'_>,
    block: Block,
    rows: &mut [&mut [f32]],
    buffer: &mut [f32],
) {
    let lanes = S::f32s::LEN;
    let width = N * lanes;
    let Target { at, pitch, width: valid, step, .. } = job.target;
    let x = block.first % pitch;
    if step == 1 && block.first + width <= block.length && x + width <= valid {
        let at = at + (block.first / pitch) * job.target.row_step + x;
        for (row, sums) in rows.iter_mut().zip(sums) {
            let row = &mut row[at..at + width];
            for n in 0..N {
                job.activation.of_vector(simd, sums[n]).store_slice(&mut row[n * lanes..(n + 1) * lanes]);
            }
        }
        return;
    }
    for (row, sums) in buffer.chunks_exact_mut(width).zip(sums) {
        for n in 0..N {
            job.activation.of_vector(simd, sums[n]).store_slice(&mut row[n * lanes..(n + 1) * lanes]);
        }
    }
    let here = width.min(block.length - block.first);
    scatter(job.target, block.first, here, width, buffer, rows);
}

/// Writes outputs `first..first + here` of a tile that lies in `buffer`, row by row of the target.
fn scatter(target: Target, first: usize, here: usize, width: usize, buffer: &[f32], rows: &mut [&mut [f32]]) {
    let mut done = 0;
    while done < here {
        let (y, x) = ((first + done) / target.pitch, (first + done) % target.pitch);
        let run = (here - done).min(target.pitch - x);
        let valid = run.min(target.width.saturating_sub(x));
        let at = target.at + y * target.row_step + x * target.step;
        if valid > 0 {
            for (row, tile) in rows.iter_mut().zip(buffer.chunks_exact(width)) {
                let tile = &tile[done..done + valid];
                if target.step == 1 {
                    row[at..at + valid].copy_from_slice(tile);
                } else {
                    for (to, &value) in row[at..].iter_mut().step_by(target.step).zip(tile) {
                        *to = value;
                    }
                }
            }
        }
        done += run;
    }
}
