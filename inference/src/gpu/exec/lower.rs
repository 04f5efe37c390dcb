//! From operators to jobs of kernels: sums, windows and norms here, moves and chains of their own.
//!
//! `None` wherever anything is not exactly what a kernel does: the host computes it then, and no answer is wrong.

use super::Value;
use super::attention::{self, Attended};
use super::chains;
use super::moves;
use super::quant;
use super::store;
use crate::exec::Arg;
use crate::gpu::activation::Activation;
use crate::gpu::kernels::conv::Conv;
use crate::gpu::kernels::copy::Copy;
use crate::gpu::kernels::elementwise::Elementwise;
use crate::gpu::kernels::gather::Gather;
use crate::gpu::kernels::labels::Labels;
use crate::gpu::kernels::matmul::MatMul;
use crate::gpu::kernels::norm::Norm;
use crate::gpu::kernels::pad::Pad;
use crate::gpu::kernels::pool::{Mode, Pool};
use crate::gpu::kernels::product;
use crate::gpu::kernels::reduce::{Reduce, ReduceOp};
use crate::gpu::kernels::resample::Resample;
use crate::gpu::kernels::softmax::Softmax;
use crate::ops::conv::{Activation as Fused, ConvShape, three};
use crate::ops::elementwise::Unary;
use crate::ops::matmul::{Gemm, MatMulShape};
use crate::ops::norm::channels;
use crate::ops::pool::PoolKind;
use crate::ops::reduce::{ReduceKind, SoftmaxKind};
use crate::ops::{Op, Parameter, axis, ints, norm, resize};
use crate::tensor::{DType, TensorInfo};

/// What kernels do for one operator.
pub(super) enum Job {
    /// The input, under another shape or type.
    Alias(usize),
    Conv(Conv),
    Depthwise(Conv),
    MatMul(MatMul),
    Attention(Box<Attended>),
    Pool(Pool),
    Norm(Norm),
    Softmax(Softmax),
    Reduce(Reduce),
    Gather(Gather),
    Pad(Pad),
    /// Labels of a 1×1 convolution, in packed bytes.
    Labels(Labels),
    /// Input, output, copy.
    Copies(Vec<(usize, usize, Copy)>),
    Resample(Vec<Resample>),
    /// A chain and the node's inputs that it reads.
    Elementwise(Elementwise, Vec<usize>),
}

pub(super) type Args<'a, 'v> = &'a [Option<Arg<'v, Value>>];

/// Input `at`, if it is there.
pub(super) fn arg<'v>(inputs: Args<'_, 'v>, at: usize) -> Option<Arg<'v, Value>> {
    inputs.get(at).copied().flatten()
}

/// The shape of input `at`, if it is of a float type that is kept in f32.
pub(super) fn float<'v>(inputs: Args<'_, 'v>, at: usize) -> Option<&'v [usize]> {
    arg(inputs, at)
        .filter(|a| matches!(a.info.dtype, DType::F32 | DType::F16))
        .map(|a| a.info.shape.as_slice())
}

/// An optional input is not there, or is of a float type.
fn float_or_none(inputs: Args<'_, '_>, at: usize) -> Option<()> {
    (arg(inputs, at).is_none() || float(inputs, at).is_some()).then_some(())
}

/// An integer parameter.
pub(super) fn parameter(inputs: Args<'_, '_>, at: usize) -> Option<Parameter> {
    match arg(inputs, at) {
        None => Some(Parameter::Absent),
        Some(a) => ints(a.host?).ok().map(Parameter::Ints),
    }
}

/// Jobs for an operator on inputs like these, if there are any.
pub(super) fn lower(op: &Op, inputs: Args<'_, '_>, outputs: &[TensorInfo]) -> Option<Job> {
    let parameters = op.kernel().parameters();
    let narrow = |a: &Arg<'_, Value>| match a.value {
        Some(value) => !value.bytes,
        None => a.host.is_none_or(store::narrow),
    };
    let mut data =
        inputs.iter().enumerate().filter(|(at, _)| !parameters.contains(at)).filter_map(|(_, a)| *a);
    if outputs.is_empty() || !data.all(|a| narrow(&a)) {
        return None;
    }
    match op {
        Op::Conv(op) => {
            float_or_none(inputs, 2)?;
            let shape = op.shape(float(inputs, 0)?, float(inputs, 1)?).ok()?;
            conv(shape, false, op.activation, arg(inputs, 2).is_some())
        }
        Op::ConvLabels(op) => {
            float_or_none(inputs, 2)?;
            let shape = op.conv.shape(float(inputs, 0)?, float(inputs, 1)?).ok()?;
            match conv(shape, false, None, arg(inputs, 2).is_some())? {
                Job::Conv(job) | Job::Depthwise(job) => Labels::new(job).map(Job::Labels),
                _ => None,
            }
        }
        Op::ConvTranspose(op) => {
            float_or_none(inputs, 2)?;
            let shape = op.shape(float(inputs, 0)?, float(inputs, 1)?).ok()?;
            conv(shape, true, op.activation, arg(inputs, 2).is_some())
        }
        Op::MatMul(_) => {
            let shape = MatMulShape::new(float(inputs, 0)?, float(inputs, 1)?).ok()?;
            let job = MatMul::plain(shape.m, shape.n, shape.k);
            job.batched(&shape.batch_a, &shape.batch_b).map(Job::MatMul)
        }
        Op::Gemm(op) => gemm(op, inputs),
        Op::Heads(op) => attention::heads(op, inputs, outputs),
        Op::Attention(op) => attention::lower(op, inputs, outputs),
        Op::Pool(op) if !op.indices && outputs.len() == 1 => {
            let shape = float(inputs, 0)?;
            let axes = three(&op.axes(shape).ok()?).ok()?;
            let mode = match op.kind {
                PoolKind::Max => Mode::Max,
                PoolKind::Average { include_pad } => Mode::Average { padded: include_pad },
            };
            Some(Job::Pool(Pool { planes: product(&shape[..2]), axes, mode }))
        }
        Op::GlobalPool(op) => {
            let shape = float(inputs, 0)?;
            let extents = vec![product(shape.get(..2)?), product(&shape[2..])];
            let op = if op.max { ReduceOp::Max } else { ReduceOp::Mean };
            fitting(Reduce { extents, reduced: vec![false, true], op })
        }
        Op::InstanceNorm(_) | Op::GroupNorm(_) | Op::LayerNorm(_) => normalise(op, inputs, outputs),
        Op::BatchNorm(op) if !op.training => chains::batch_norm(op, inputs, outputs),
        Op::Softmax(op) => {
            let log = match op.kind {
                SoftmaxKind::Softmax => false,
                SoftmaxKind::LogSoftmax => true,
                SoftmaxKind::Hardmax => return None,
            };
            let [outer, elements, inner] = op.sizes(float(inputs, 0)?).ok()?;
            Some(Job::Softmax(Softmax { outer, elements, inner, log }))
        }
        Op::Reduce(op) => {
            let shape = float(inputs, 0)?;
            let along = op.along(shape.len(), &parameter(inputs, 1)?).ok()??;
            let kind = match op.kind {
                ReduceKind::Sum => ReduceOp::Sum,
                ReduceKind::Mean => ReduceOp::Mean,
                ReduceKind::Max => ReduceOp::Max,
                ReduceKind::Min => ReduceOp::Min,
                ReduceKind::Prod => ReduceOp::Prod,
                ReduceKind::L1 => ReduceOp::L1,
                ReduceKind::L2 => ReduceOp::L2,
                ReduceKind::LogSum => ReduceOp::LogSum,
                ReduceKind::LogSumExp => ReduceOp::LogSumExp,
                ReduceKind::SumSquare => ReduceOp::SumSquare,
            };
            let reduced = (0..shape.len()).map(|i| along.contains(&i)).collect();
            fitting(Reduce { extents: shape.to_vec(), reduced, op: kind })
        }
        Op::ArgExtreme(op) => {
            let shape = float(inputs, 0)?;
            let at = axis(op.axis, shape.len()).ok()?;
            let kind =
                if op.max { ReduceOp::ArgMax { last: op.last } } else { ReduceOp::ArgMin { last: op.last } };
            let reduced = (0..shape.len()).map(|i| i == at).collect();
            fitting(Reduce { extents: shape.to_vec(), reduced, op: kind })
        }
        Op::Resize(op) => resample(op, inputs),
        Op::QuantizeLinear(op) => quant::quantize(op, inputs, outputs),
        Op::DequantizeLinear(op) => quant::dequantize(op, inputs, outputs),
        Op::Identity(_)
        | Op::Reshape(_)
        | Op::Expand(_)
        | Op::Transpose(_)
        | Op::Concat(_)
        | Op::Planes(_)
        | Op::Split(_)
        | Op::Slice(_)
        | Op::Pad(_)
        | Op::Tile(_)
        | Op::DepthSpace(_)
        | Op::Gather(_)
        | Op::GatherElements(_) => moves::lower(op, inputs, outputs),
        _ => chains::lower(op, inputs, outputs),
    }
}

fn fitting(job: Reduce) -> Option<Job> {
    job.fits().then_some(Job::Reduce(job))
}

fn activation(fused: Option<Fused>) -> Option<Activation> {
    Some(match fused {
        None => Activation::None,
        Some(Fused::Clip(low, high)) => Activation::Clip(low, high),
        Some(Fused::Unary(unary)) => match unary {
            Unary::Relu => Activation::Relu,
            Unary::LeakyRelu { alpha } => Activation::LeakyRelu(alpha),
            Unary::Sigmoid => Activation::Sigmoid,
            Unary::HardSigmoid { alpha, beta } => Activation::HardSigmoid(alpha, beta),
            Unary::HardSwish => Activation::HardSwish,
            Unary::Swish { alpha } => Activation::Swish(alpha),
            Unary::Gelu { tanh: false } => Activation::Gelu,
            Unary::Gelu { tanh: true } => Activation::GeluTanh,
            Unary::Tanh => Activation::Tanh,
            Unary::Elu { alpha } => Activation::Elu(alpha),
            Unary::Mish => Activation::Mish,
            _ => return None,
        },
    })
}

fn conv(shape: ConvShape, transposed: bool, fused: Option<Fused>, bias: bool) -> Option<Job> {
    let job = Conv {
        batch: shape.batch,
        groups: shape.group,
        channels_in: shape.channels / shape.group.max(1),
        channels_out: shape.filters / shape.group.max(1),
        axes: three(&shape.axes).ok()?,
        transposed,
        activation: activation(fused)?,
        bias,
    };
    if !job.fits() {
        return None;
    }
    Some(if job.channels_out == 1 { Job::Depthwise(job) } else { Job::Conv(job) })
}

fn gemm(op: &Gemm, inputs: Args<'_, '_>) -> Option<Job> {
    let [rows, sum, columns] = op.sizes(float(inputs, 0)?, float(inputs, 1)?).ok()?;
    let mut job = MatMul {
        transposed_a: op.transpose_a,
        transposed_b: op.transpose_b,
        alpha: op.alpha,
        ..MatMul::plain(rows, columns, sum)
    };
    if let Some(c) = arg(inputs, 2) {
        let shape = float(inputs, 2)?;
        job.beta = op.beta;
        let extent = |from_behind: usize| c.info.shape.len().checked_sub(from_behind).map_or(1, |i| shape[i]);
        let (high, wide) = (extent(2), extent(1));
        let fits = shape.len() <= 2 && (high == 1 || high == rows) && (wide == 1 || wide == columns);
        if !fits {
            return None;
        }
        job.strides_c = [if high == 1 { 0 } else { wide }, usize::from(wide != 1)];
    }
    Some(Job::MatMul(job))
}

fn normalise(op: &Op, inputs: Args<'_, '_>, outputs: &[TensorInfo]) -> Option<Job> {
    let shape = float(inputs, 0)?;
    let scales = product(float(inputs, 1)?);
    float_or_none(inputs, 2)?;
    let shift = arg(inputs, 2).is_some();
    let same_scales = float(inputs, 2).is_none_or(|s| product(s) == scales);
    let (job, want) = match op {
        Op::InstanceNorm(op) => {
            let [n, c, run] = channels(shape).ok()?;
            (Norm::instance(n, c, run, op.epsilon), c)
        }
        Op::GroupNorm(op) => {
            let [n, c, run] = channels(shape).ok()?;
            let mut job = Norm::group(n, op.groups, c, run, op.epsilon);
            // Version 18 has one scale per group, version 21 one per channel; their numbers tell them apart.
            if scales == op.groups && op.groups != c {
                (job.step, job.run) = (1, job.elements);
                (job, op.groups)
            } else {
                (job, c)
            }
        }
        Op::LayerNorm(op) => {
            let (rows, row, _) = norm::LayerNorm::sizes(op, shape).ok()?;
            (Norm::layer(rows, row, op.epsilon), row)
        }
        _ => return None,
    };
    let fits =
        scales == want && same_scales && outputs.len() == 1 && job.rows * job.elements == product(shape);
    fits.then_some(Job::Norm(Norm { shift, ..job }))
}

fn resample(op: &resize::Resize, inputs: Args<'_, '_>) -> Option<Job> {
    let shape = float(inputs, 0)?;
    let host = |at: usize| match arg(inputs, at) {
        None => Some(None),
        Some(a) => a.host.map(Some),
    };
    let axes = op.plan(shape, [host(1)?, host(2)?, host(3)?]).ok()?;
    let still = |a: &resize::ResizeAxis| a.input == a.output && a.scale == 1.0 && a.region == (0.0, 1.0);
    let mut moving: Vec<usize> = (0..axes.len()).filter(|&i| !still(&axes[i])).collect();
    // Those that shrink first: what lies between two passes is then no larger than input or output.
    moving.sort_by_key(|&i| axes[i].output > axes[i].input);
    let mut extents = shape.to_vec();
    let mut passes = Vec::new();
    for i in moving {
        let table = op.table(&axes[i]);
        if table.outside.contains(&true) || table.taps == 0 {
            return None;
        }
        passes.push(Resample {
            outer: product(&extents[..i]),
            input: axes[i].input,
            inner: product(&extents[i + 1..]),
            places: table.places,
            weights: table.weights,
            taps: table.taps,
        });
        extents[i] = axes[i].output;
    }
    Some(if passes.is_empty() { Job::Alias(0) } else { Job::Resample(passes) })
}
