//! The plain loops of the formulas, in f64: what the fast operators are compared with.
//!
//! They share no code with them, so an index that is wrong in one place is not wrong in both.

use super::{Activation, ConvShape};
use crate::window::Axis;

/// Shape of one value per element of a tensor with three spatial axes.
fn index(shape: [usize; 5], at: [usize; 5]) -> usize {
    at.iter().zip(shape).fold(0, |sum, (&at, extent)| sum * extent + at)
}

fn padded(axes: &[Axis]) -> [Axis; 3] {
    let unit = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, pad_begin: 0, pad_end: 0 };
    let mut three = [unit; 3];
    three[3 - axes.len()..].copy_from_slice(axes);
    three
}

fn triples(extents: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    let [d, h, w] = extents;
    (0..d * h * w).map(move |i| [i / (h * w), i / w % h, i % w])
}

/// Conv and ConvTranspose of the ONNX operators, from their definition: every input element is added, times its
/// weight, to every output it meets.
pub fn conv(
    shape: ConvShape,
    input: &[f32],
    weights: &[f32],
    batch: usize,
    axes: &[Axis],
    bias: &[f32],
    activation: Activation,
) -> Vec<f32> {
    let axes = padded(axes);
    let ConvShape { inputs, outputs, groups, transposed } = shape;
    let (per_in, per_out) = (inputs / groups, outputs / groups);
    let [from, to, kernel] = [axes.map(|a| a.input), axes.map(|a| a.output), axes.map(|a| a.kernel)];
    let in_shape = [batch, inputs, from[0], from[1], from[2]];
    let out_shape = [batch, outputs, to[0], to[1], to[2]];
    let mut sums = vec![0.0f64; out_shape.iter().product()];
    for (n, o) in (0..batch).flat_map(|n| (0..outputs).map(move |o| (n, o))) {
        let group = o / per_out;
        for i in group * per_in..(group + 1) * per_in {
            let pair = if transposed { i * per_out + o % per_out } else { o * per_in + i % per_in };
            for tap in triples(kernel) {
                let weight = weights[index(
                    [1, pair + 1, kernel[0], kernel[1], kernel[2]],
                    [0, pair, tap[0], tap[1], tap[2]],
                )];
                // The coarse side is the output of a convolution, the input of a transposed one.
                let (coarse, fine) = if transposed { (from, to) } else { (to, from) };
                for at in triples(coarse) {
                    let other: Option<Vec<usize>> = (0..3)
                        .map(|a| {
                            let place = at[a] * axes[a].stride + tap[a] * axes[a].dilation;
                            place.checked_sub(axes[a].pad_begin).filter(|&place| place < fine[a])
                        })
                        .collect();
                    let Some(other) = other else { continue };
                    let (x, y) = if transposed {
                        (at, [other[0], other[1], other[2]])
                    } else {
                        ([other[0], other[1], other[2]], at)
                    };
                    let x = input[index(in_shape, [n, i, x[0], x[1], x[2]])];
                    sums[index(out_shape, [n, o, y[0], y[1], y[2]])] += f64::from(x) * f64::from(weight);
                }
            }
        }
    }
    let plane = to.iter().product::<usize>().max(1);
    let of = |(i, sum): (usize, &f64)| {
        let bias = bias.get(i / plane % outputs).copied().unwrap_or(0.0);
        activation.of((sum + f64::from(bias)) as f32)
    };
    sums.iter().enumerate().map(of).collect()
}

/// Softmax over the middle axis of (outer, n, inner).
pub fn softmax(values: &[f32], [outer, n, inner]: [usize; 3]) -> Vec<f32> {
    let mut out = vec![0.0; values.len()];
    for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
        let at = |k: usize| (o * n + k) * inner + i;
        let most = (0..n).map(|k| f64::from(values[at(k)])).fold(f64::NEG_INFINITY, f64::max);
        let e = |k: usize| (f64::from(values[at(k)]) - most).exp();
        let sum: f64 = (0..n).map(e).sum();
        (0..n).for_each(|k| out[at(k)] = (e(k) / sum) as f32);
    }
    out
}

/// `left (m × k) · right (k × n)`.
pub fn matmul(left: &[f32], right: &[f32], m: usize, k: usize, n: usize) -> Vec<f32> {
    let dot = |i: usize, j: usize| -> f64 {
        (0..k).map(|l| f64::from(left[i * k + l]) * f64::from(right[l * n + j])).sum()
    };
    (0..m * n).map(|at| dot(at / n, at % n) as f32).collect()
}
