//! Operators that only move elements, as strided copies, gatherings and paddings.
//!
//! They move words and never ask what these mean, so every type that has a word goes.

use super::lower::{Args, Job, arg, parameter};
use crate::gpu::kernels::copy::{AXES, Copy, Side};
use crate::gpu::kernels::gather::Gather;
use crate::gpu::kernels::pad::{Outside, Pad};
use crate::gpu::kernels::{product, strides_of};
use crate::ops::layout::DepthSpace;
use crate::ops::pad::PadMode;
use crate::ops::{Op, Parameter, axis, pad};
use crate::tensor::{DType, Data, TensorInfo};

/// A walk over `extents`, from strides that stand for an input of `words`, into a contiguous output.
fn into_one(extents: Vec<usize>, strides: Vec<i32>, base: i32, words: usize) -> Option<Job> {
    let job =
        Copy { to: Side::contiguous(&extents), from: Side { base, strides }, extents, source_words: words };
    (job.axes() <= AXES).then(|| Job::Copies(vec![(0, 0, job)]))
}

fn signed(strides: &[usize]) -> Vec<i32> {
    strides.iter().map(|&s| s as i32).collect()
}

pub(super) fn lower(op: &Op, inputs: Args<'_, '_>, outputs: &[TensorInfo]) -> Option<Job> {
    let input = arg(inputs, 0)?.info;
    let shape = &input.shape;
    let words = product(shape);
    let out = outputs.first()?;
    match op {
        Op::Identity(op) if !op.mask => Some(Job::Alias(0)),
        Op::Reshape(_) => Some(Job::Alias(0)),
        Op::Transpose(op) => {
            let order = op.order(shape.len()).ok()?;
            let steps = strides_of(shape);
            let strides = order.iter().map(|&i| steps[i] as i32).collect();
            into_one(order.iter().map(|&i| shape[i]).collect(), strides, 0, words)
        }
        Op::Expand(_) => {
            let missing = out.shape.len().checked_sub(shape.len())?;
            let steps = strides_of(shape);
            let of = |axis: usize| match axis.checked_sub(missing) {
                Some(i) if shape[i] != 1 => steps[i] as i32,
                _ => 0,
            };
            into_one(out.shape.clone(), (0..out.shape.len()).map(of).collect(), 0, words)
        }
        Op::Tile(_) => {
            // Twice as many axes: how often, then the extent.
            let steps = strides_of(shape);
            let (mut extents, mut strides) = (Vec::new(), Vec::new());
            for (i, (&extent, &all)) in shape.iter().zip(&out.shape).enumerate() {
                extents.extend([all.checked_div(extent)?, extent]);
                strides.extend([0, steps[i] as i32]);
            }
            into_one(extents, strides, 0, words)
        }
        Op::DepthSpace(op) => depth_space(op, shape),
        Op::Slice(op) => {
            let given = [1, 2, 3, 4].map(|at| parameter(inputs, at));
            let [Some(a), Some(b), Some(c), Some(d)] = given else { return None };
            let ranges = op.ranges(shape, &[a, b, c, d]).ok()??;
            let steps = strides_of(shape);
            let base: usize = ranges.iter().zip(&steps).map(|(r, s)| r.start * s).sum();
            let strides = ranges
                .iter()
                .zip(&steps)
                // Along an axis of one element the step is never taken, however large.
                .map(|(r, &s)| if r.count == 1 { Some(0) } else { i32::try_from(r.step * s as i64).ok() })
                .collect::<Option<Vec<i32>>>()?;
            into_one(ranges.iter().map(|r| r.count).collect(), strides, i32::try_from(base).ok()?, words)
        }
        Op::Concat(op) => {
            let at = axis(op.axis, out.shape.len()).ok()?;
            let steps = signed(&strides_of(&out.shape));
            let (mut copies, mut begin) = (Vec::new(), 0);
            for i in 0..inputs.len() {
                let part = &arg(inputs, i)?.info.shape;
                let copy = Copy {
                    extents: part.clone(),
                    from: Side::contiguous(part),
                    to: Side { base: begin as i32 * steps[at], strides: steps.clone() },
                    source_words: product(part),
                };
                begin += part.get(at)?;
                copies.push((i, 0, copy));
            }
            copies.iter().all(|(_, _, c)| c.axes() <= AXES).then_some(Job::Copies(copies))
        }
        Op::Planes(op) => {
            let shapes: Vec<_> =
                (0..inputs.len()).map(|i| Some(&arg(inputs, i)?.info.shape)).collect::<Option<_>>()?;
            let extents: Vec<_> = shapes.iter().map(|s| s.get(op.axis).copied()).collect::<Option<_>>()?;
            let steps = signed(&strides_of(&out.shape));
            let (mut copies, mut begin) = (Vec::new(), 0);
            for (i, (first, count)) in op.shares(&extents).into_iter().enumerate().filter(|(_, s)| s.1 > 0) {
                let from = signed(&strides_of(shapes[i]));
                let mut extents = shapes[i].clone();
                extents[op.axis] = count;
                copies.push((
                    i,
                    0,
                    Copy {
                        extents,
                        from: Side {
                            base: i32::try_from(first).ok()?.checked_mul(from[op.axis])?,
                            strides: from,
                        },
                        to: Side { base: begin as i32 * steps[op.axis], strides: steps.clone() },
                        source_words: product(shapes[i]),
                    },
                ));
                begin += count;
            }
            copies.iter().all(|(_, _, c)| c.axes() <= AXES).then_some(Job::Copies(copies))
        }
        Op::Split(op) => {
            let at = axis(op.axis, shape.len()).ok()?;
            let steps = signed(&strides_of(shape));
            let (mut copies, mut begin) = (Vec::new(), 0);
            for (i, part) in outputs.iter().enumerate() {
                let copy = Copy {
                    extents: part.shape.clone(),
                    from: Side { base: begin as i32 * steps[at], strides: steps.clone() },
                    to: Side::contiguous(&part.shape),
                    source_words: words,
                };
                begin += part.shape.get(at)?;
                copies.push((0, i, copy));
            }
            let fits = begin == shape[at] && copies.iter().all(|(_, _, c)| c.axes() <= AXES);
            fits.then_some(Job::Copies(copies))
        }
        Op::Gather(op) => {
            let at = axis(op.axis, shape.len()).ok()?;
            let indices = arg(inputs, 1).filter(|a| is_index(a.info))?;
            Some(Job::Gather(Gather::along(shape, at, product(&indices.info.shape))))
        }
        Op::GatherElements(op) => {
            let at = axis(op.axis, shape.len()).ok()?;
            let indices = arg(inputs, 1).filter(|a| is_index(a.info))?;
            let fits = shape.len() <= AXES && indices.info.shape.len() == shape.len();
            fits.then(|| Job::Gather(Gather::elements(shape, at, &indices.info.shape)))
        }
        Op::Pad(op) => padded(op, inputs, out),
        _ => None,
    }
}

fn is_index(info: &TensorInfo) -> bool {
    matches!(info.dtype, DType::I32 | DType::I64)
}

fn depth_space(op: &DepthSpace, shape: &[usize]) -> Option<Job> {
    let &[n, c, h, w] = shape else { return None };
    let b = op.block;
    if b == 0 {
        return None;
    }
    // As the reshapes and permutations in the operators' descriptions.
    let (split, order) = if op.to_depth {
        ([n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4])
    } else if op.crd {
        ([n, c / (b * b), b, b, h, w], [0, 1, 4, 2, 5, 3])
    } else {
        ([n, b, b, c / (b * b), h, w], [0, 3, 4, 1, 5, 2])
    };
    let steps = strides_of(&split);
    let extents = order.iter().map(|&i| split[i]).collect();
    into_one(extents, order.iter().map(|&i| steps[i] as i32).collect(), 0, product(shape))
}

fn padded(op: &pad::Pad, inputs: Args<'_, '_>, out: &TensorInfo) -> Option<Job> {
    let input = arg(inputs, 0)?.info;
    let named = match arg(inputs, 3) {
        None => Parameter::Absent,
        Some(_) => parameter(inputs, 3)?,
    };
    let amounts = op.amounts(input.shape.len(), &parameter(inputs, 1)?, &named).ok()??;
    let begins = amounts.iter().map(|a| i32::try_from(a.0).ok()).collect::<Option<Vec<i32>>>()?;
    let outside = match op.mode {
        PadMode::Constant => Outside::Constant(constant(op, inputs, input.dtype)?),
        PadMode::Edge => Outside::Edge,
        PadMode::Reflect => Outside::Reflect,
        PadMode::Wrap => Outside::Wrap,
    };
    let fits = input.shape.len() <= AXES && out.shape.len() == input.shape.len();
    fits.then(|| Job::Pad(Pad { input: input.shape.clone(), begins, output: out.shape.clone(), outside }))
}

/// The bits of the value that is put around.
fn constant(op: &pad::Pad, inputs: Args<'_, '_>, dtype: DType) -> Option<u32> {
    let Some(given) = arg(inputs, 2) else {
        return matches!(dtype, DType::F32 | DType::F16)
            .then(|| op.value.to_bits())
            .or((op.value == 0.0).then_some(0));
    };
    let first = match given.host?.data() {
        Data::F32(v) => v.first()?.to_bits(),
        Data::F16(v) => v.first()?.to_f32().to_bits(),
        Data::I32(v) => *v.first()? as u32,
        Data::I64(v) => i32::try_from(*v.first()?).ok()? as u32,
        Data::U32(v) => *v.first()?,
        Data::Bool(v) => u32::from(*v.first()?),
        _ => return None,
    };
    (given.info.dtype == dtype).then_some(first)
}
