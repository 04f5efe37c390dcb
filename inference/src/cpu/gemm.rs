//! Products of matrices, and of a matrix with the planes of a volume (pointwise convolutions).
//!
//! The left matrix is put in the order of the tiles (see `tile`), the right one is read in place, or a block of its
//! columns at a time is copied together where many rows will read it. One or a few rows are not worth a tile: they are
//! sums of scaled rows, or dot products where the right matrix is stored transposed.

use fearless_simd::{Simd, dispatch, prelude::*};

use super::activation::Activation;
use super::tile::{Job, Packed, Scratch, Source, Target, level, span};
use super::{CpuError, check_length, parallel};

/// A matrix in memory.
#[derive(Clone, Copy, Debug)]
pub struct Matrix<'a> {
    /// Row major in `rows` × `columns`, or in `columns` × `rows` where `transposed`.
    pub data: &'a [f32],
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Whether columns lie contiguous.
    pub transposed: bool,
}

/// The right side of a product: `columns` elements in rows `pitch` apart.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a> {
    pub data: &'a [f32],
    pub pitch: usize,
    pub columns: usize,
}

/// Rows below which a product is a matter of memory.
const FEW_ROWS: usize = 3;
/// Products below which a second thread costs more than it brings.
const ALONE: usize = 1 << 17;
/// Tiles of rows from which on copying a block of the right matrix pays.
const GATHER: usize = 4;

/// `left · right`, row major.
///
/// # Errors
/// Where the slices do not have the extents' lengths, or the inner extents differ.
pub fn gemm(left: Matrix<'_>, right: Matrix<'_>) -> Result<Vec<f32>, CpuError> {
    let mut output =
        vec![0.0; crate::tensor::elements(&[left.rows, right.columns]).ok_or(CpuError::Size("product"))?];
    check(left, right, output.len())?;
    multiply(left, right, &mut output);
    Ok(output)
}

/// `left · right` for each pair of matrices, row major one after the other; a side that has only one matrix serves all.
///
/// # Errors
/// As [`gemm`].
pub fn matmul(left: &[Matrix<'_>], right: &[Matrix<'_>]) -> Result<Vec<f32>, CpuError> {
    let batch = if left.is_empty() || right.is_empty() { 0 } else { left.len().max(right.len()) };
    for side in [left, right] {
        if side.len() != batch && side.len() != 1 {
            return Err(CpuError::Length { what: "batch of a product", got: side.len(), want: batch });
        }
    }
    if batch == 0 {
        return Ok(Vec::new());
    }
    let each = crate::tensor::elements(&[left[0].rows, right[0].columns]).ok_or(CpuError::Size("product"))?;
    let mut output = vec![0.0; each.checked_mul(batch).ok_or(CpuError::Size("product"))?];
    if each == 0 {
        return Ok(output);
    }
    let of = |side: &[Matrix<'_>], i: usize| side.len().min(i + 1) - 1;
    for i in 0..batch {
        check(left[of(left, i)], right[of(right, i)], each)?;
    }
    let tasks: Vec<_> = output.chunks_mut(each).enumerate().collect();
    parallel::each(tasks, |(i, output)| multiply(left[of(left, i)], right[of(right, i)], output));
    Ok(output)
}

fn check(left: Matrix<'_>, right: Matrix<'_>, output: usize) -> Result<(), CpuError> {
    check_length("left matrix", left.data.len(), &[left.rows, left.columns])?;
    check_length("right matrix", right.data.len(), &[left.columns, right.columns])?;
    check_length("product", output, &[left.rows, right.columns])
}

/// The product of matrices that [`check`] has seen.
fn multiply(left: Matrix<'_>, right: Matrix<'_>, output: &mut [f32]) {
    let (m, n, depth) = (left.rows, right.columns, left.columns);
    if output.is_empty() || depth == 0 {
        output.fill(0.0);
        return;
    }
    let at = |row: usize, k: usize| {
        if left.transposed { left.data[k * m + row] } else { left.data[row * depth + k] }
    };
    if m <= FEW_ROWS {
        let mut values = vec![0.0; depth];
        for (row, output) in output.chunks_mut(n).enumerate() {
            values.iter_mut().enumerate().for_each(|(k, value)| *value = at(row, k));
            vector_times(&values, right, output);
        }
        return;
    }
    let packed = Packed::new(m, depth, at);
    if right.transposed {
        let source = Source::Columns { data: right.data, pitch: depth };
        run(&packed, source, n, &[], Activation::None, output);
    } else {
        product(&packed, Operand { data: right.data, pitch: n, columns: n }, &[], Activation::None, output);
    }
}

/// `weights · right + bias`: one row of `output` per channel.
pub(super) fn product(
    weights: &Packed,
    right: Operand<'_>,
    bias: &[f32],
    activation: Activation,
    output: &mut [f32],
) {
    let offsets: Vec<usize> = (0..weights.depth).map(|k| k * right.pitch).collect();
    let reach = offsets.last().copied().unwrap_or(0);
    let gather = weights.tiles.len() >= GATHER;
    let source = Source::Rows { data: right.data, offsets: &offsets, reach, gather };
    run(weights, source, right.columns, bias, activation, output);
}

fn run(
    weights: &Packed,
    source: Source<'_>,
    columns: usize,
    bias: &[f32],
    activation: Activation,
    output: &mut [f32],
) {
    let channels = output.len() / columns;
    let wanted = if channels * columns * weights.depth < ALONE { 1 } else { parallel::threads() };
    // Blocks of columns first, as they share nothing but the weights; then tiles of rows.
    let parts = parallel::split(columns, wanted.min(columns / super::tile::SLACK).max(1));
    let shares = parallel::split(weights.tiles.len(), wanted.div_ceil(parts.len()));
    let mut tasks: Vec<_> = shares
        .iter()
        .flat_map(|tiles| parts.iter().map(|part| (tiles.clone(), part.clone(), Vec::new())))
        .collect();
    for (channel, mut row) in output.chunks_mut(columns).enumerate() {
        let tile = weights.tiles.partition_point(|tile| tile.end <= channel);
        let share = shares.partition_point(|share| share.end <= tile);
        for (i, part) in parts.iter().enumerate() {
            let (head, tail) = row.split_at_mut(part.len());
            row = tail;
            tasks[share * parts.len() + i].2.push(head);
        }
    }
    parallel::each(tasks, |(tiles, part, mut rows)| {
        let target = Target { at: 0, pitch: part.len(), width: part.len(), row_step: 0, step: 1 };
        let (k, tiles) = ((0, weights.depth), (tiles.start, tiles.end));
        let job = Job { source, weights, k, tiles, bias, activation, target };
        span(&job, part.start, part.len(), &mut rows, &mut Scratch::default());
    });
}

/// A row vector times a matrix.
fn vector_times(values: &[f32], right: Matrix<'_>, output: &mut [f32]) {
    let depth = values.len();
    let wanted = if depth * output.len() < ALONE { 1 } else { parallel::threads() };
    let parts = parallel::split(output.len(), wanted);
    let mut tasks = Vec::new();
    let mut rest = output;
    for part in parts {
        let (head, tail) = rest.split_at_mut(part.len());
        rest = tail;
        tasks.push((part.start, head));
    }
    let columns = right.columns;
    parallel::each(tasks, |(first, output)| {
        if right.transposed {
            let rows = &right.data[first * depth..(first + output.len()) * depth];
            dispatch!(level(), simd => dots(simd, values, rows, output));
        } else {
            let width = output.len();
            output.fill(0.0);
            for (k, values) in values.chunks(4).enumerate() {
                let row = |i: usize| &right.data[(4 * k + i) * columns + first..][..width];
                match *values {
                    [a, b, c, d] => {
                        dispatch!(level(), simd => add_four(simd, [a, b, c, d], [row(0), row(1), row(2), row(3)], output));
                    }
                    _ => {
                        for (i, &value) in values.iter().enumerate() {
                            output.iter_mut().zip(row(i)).for_each(|(sum, &x)| *sum += value * x);
                        }
                    }
                }
            }
        }
    });
}

/// The dot product of `values` with each row.
#[inline(always)]
fn dots<S: Simd>(simd: S, values: &[f32], rows: &[f32], output: &mut [f32]) {
    let lanes = S::f32s::LEN;
    let whole = values.len() / (4 * lanes) * (4 * lanes);
    for (row, output) in rows.chunks_exact(values.len()).zip(output) {
        // Four sums: one would wait for its own last addition.
        let mut sums = [S::f32s::splat(simd, 0.0); 4];
        for (a, b) in values[..whole].chunks_exact(4 * lanes).zip(row.chunks_exact(4 * lanes)) {
            for (i, sum) in sums.iter_mut().enumerate() {
                let at = i * lanes..(i + 1) * lanes;
                let (a, b) = (S::f32s::from_slice(simd, &a[at.clone()]), S::f32s::from_slice(simd, &b[at]));
                *sum = a.mul_add(b, *sum);
            }
        }
        let sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
        let tail: f32 = values[whole..].iter().zip(&row[whole..]).map(|(a, b)| a * b).sum();
        *output = sum.as_slice().iter().sum::<f32>() + tail;
    }
}

/// Adds four scaled rows to the output.
#[inline(always)]
fn add_four<S: Simd>(simd: S, values: [f32; 4], rows: [&[f32]; 4], output: &mut [f32]) {
    let lanes = S::f32s::LEN;
    let factors = values.map(|value| S::f32s::splat(simd, value));
    let whole = output.len() / lanes * lanes;
    for at in (0..whole).step_by(lanes) {
        let mut sum = S::f32s::from_slice(simd, &output[at..at + lanes]);
        for i in 0..4 {
            sum = factors[i].mul_add(S::f32s::from_slice(simd, &rows[i][at..at + lanes]), sum);
        }
        sum.store_slice(&mut output[at..at + lanes]);
    }
    for at in whole..output.len() {
        output[at] += (0..4).map(|i| values[i] * rows[i][at]).sum::<f32>();
    }
}
