//! Batch, instance, group and layer normalization.
//!
//! Mean and variance are summed in f64 in two passes: the one-pass formula cancels where the mean is large.

use crate::ops::element::{Element, count, halves_in_f32, narrow, slice, tensor};
use crate::ops::{Attributes, Inferred, Kernel, Known, Op, OpError, axis, known, optional, required};
use crate::tensor::{DType, Data, Tensor, TensorInfo};

/// Inputs X, scale, B, mean, variance.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// Share of the old running statistics in the new ones.
    pub momentum: f32,
    /// Normalizes with the batch's own statistics, and gives the running ones as further outputs.
    pub training: bool,
}

/// Inputs X, scale, B; statistics per instance and channel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct InstanceNorm {
    /// Added to the variance.
    pub epsilon: f32,
}

/// Inputs X, scale, bias; statistics per instance and group of channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// Number of groups.
    pub groups: usize,
}

/// Inputs X, scale and, optionally, B; statistics over all axes from `axis` on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerNorm {
    /// Added to the variance.
    pub epsilon: f32,
    /// May be negative.
    pub axis: i64,
    /// Outputs wanted: the result, the mean, the inverse of the standard deviation.
    pub outputs: usize,
}

pub fn parse_batch_norm(a: &Attributes<'_>) -> Result<Op, OpError> {
    if a.opset < 9 && !a.flag("spatial", true)? {
        return Err(OpError::unsupported("batch normalization with spatial = 0"));
    }
    let training = a.opset >= 14 && a.flag("training_mode", false)?;
    Ok(Op::BatchNorm(BatchNorm {
        epsilon: a.float("epsilon", 1e-5)?,
        momentum: a.float("momentum", 0.9)?,
        training,
    }))
}

pub fn parse_instance_norm(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::InstanceNorm(InstanceNorm { epsilon: a.float("epsilon", 1e-5)? }))
}

pub fn parse_group_norm(a: &Attributes<'_>) -> Result<Op, OpError> {
    let groups = a.int("num_groups", 0)?;
    let groups = usize::try_from(groups)
        .ok()
        .filter(|&g| g > 0)
        .ok_or_else(|| OpError::invalid(format!("num_groups is {groups}")))?;
    Ok(Op::GroupNorm(GroupNorm { epsilon: a.float("epsilon", 1e-5)?, groups }))
}

pub fn parse_layer_norm(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::LayerNorm(LayerNorm {
        epsilon: a.float("epsilon", 1e-5)?,
        axis: a.int("axis", -1)?,
        outputs: a.outputs().clamp(1, 3),
    }))
}

/// Batch, channels and elements per channel.
pub fn channels(shape: &[usize]) -> Result<[usize; 3], OpError> {
    match *shape {
        [] => Err(OpError::invalid("a scalar has no channels")),
        // BatchNormalization-9: one axis is a batch of a single channel.
        [n] => Ok([n, 1, 1]),
        [n, c, ref rest @ ..] => Ok([n, c, count(rest)?]),
    }
}

/// Elements of a tensor of any float type, `n` of them.
fn numbers(tensor: &Tensor, n: usize, what: &'static str) -> Result<Vec<f64>, OpError> {
    let list: Vec<f64> = match tensor.data() {
        Data::F32(v) => v.iter().map(|&x| x.into()).collect(),
        Data::F64(v) => v.clone(),
        Data::F16(v) => v.iter().map(|x| x.to_f64()).collect(),
        Data::BF16(v) => v.iter().map(|x| x.to_f64()).collect(),
        data => return Err(OpError::Type { what, got: data.dtype() }),
    };
    if list.len() == n {
        Ok(list)
    } else {
        Err(OpError::invalid(format!("{what} has {} elements, not {n}", list.len())))
    }
}

/// Mean and variance.
fn moments<T: Element>(v: impl Iterator<Item = T> + Clone) -> (f64, f64) {
    let (mut sum, mut n) = (0.0, 0usize);
    for x in v.clone() {
        sum += x.to_f64();
        n += 1;
    }
    let mean = sum / n.max(1) as f64;
    let squares: f64 = v.map(|x| (x.to_f64() - mean).powi(2)).sum();
    (mean, squares / n.max(1) as f64)
}

/// x * factor + summand, with one factor and summand per run of `run` elements.
fn affine(input: &Tensor, run: usize, f: impl Fn(usize) -> (f64, f64)) -> Result<Tensor, OpError> {
    macro_rules! affine {
        ($v:expr, $t:ty) => {{
            let mut out = Vec::with_capacity($v.len());
            for (i, v) in $v.chunks(run.max(1)).enumerate() {
                let (factor, summand) = f(i);
                out.extend(v.iter().map(|&x| (f64::from(x) * factor + summand) as $t));
            }
            out
        }};
    }
    let data = match input.data() {
        Data::F32(v) => Data::F32(affine!(v, f32)),
        Data::F64(v) => Data::F64(affine!(v, f64)),
        data => return Err(OpError::Type { what: "the input", got: data.dtype() }),
    };
    Ok(Tensor::new(input.shape().to_vec(), data)?)
}

/// Mean and variance of every run of `run` elements.
fn run_moments(input: &Tensor, run: usize) -> Result<Vec<(f64, f64)>, OpError> {
    Ok(match input.data() {
        Data::F32(v) => v.chunks(run.max(1)).map(|v| moments(v.iter().copied())).collect(),
        Data::F64(v) => v.chunks(run.max(1)).map(|v| moments(v.iter().copied())).collect(),
        data => return Err(OpError::Type { what: "the input", got: data.dtype() }),
    })
}

impl Kernel for BatchNorm {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        channels(&info.shape)?;
        let mut out = vec![info.clone()];
        if self.training {
            out.extend([known(inputs, 3)?.info.clone(), known(inputs, 4)?.info.clone()]);
        }
        Ok(Some(out))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let input = required(inputs, 0)?;
        let [n, c, run] = channels(input.shape())?;
        let scale = numbers(required(inputs, 1)?, c, "the scale")?;
        let bias = numbers(required(inputs, 2)?, c, "the bias")?;
        let (old_mean, old_variance) = (required(inputs, 3)?, required(inputs, 4)?);
        let mut mean = numbers(old_mean, c, "the mean")?;
        let mut variance = numbers(old_variance, c, "the variance")?;
        let mut running = Vec::new();
        if self.training {
            let momentum = f64::from(self.momentum);
            let all: Vec<f64> = match input.data() {
                Data::F32(v) => v.iter().map(|&x| x.into()).collect(),
                Data::F64(v) => v.clone(),
                data => return Err(OpError::Type { what: "the input", got: data.dtype() }),
            };
            let (mut new_mean, mut new_variance) = (Vec::new(), Vec::new());
            for k in 0..c {
                let of = (0..n).flat_map(|i| all[(i * c + k) * run..][..run].iter().copied());
                let (m, v) = moments(of);
                // running = old * momentum + current * (1 - momentum), with the population's variance.
                new_mean.push((mean[k] * momentum + m * (1.0 - momentum)) as f32);
                new_variance.push((variance[k] * momentum + v * (1.0 - momentum)) as f32);
                (mean[k], variance[k]) = (m, v);
            }
            for (new, old) in [(new_mean, old_mean), (new_variance, old_variance)] {
                running.push(super::elementwise::cast(&tensor(vec![c], new)?, old.dtype())?);
            }
        }
        let epsilon = f64::from(self.epsilon);
        let out = affine(input, run, |i| {
            let k = i % c.max(1);
            let factor = scale[k] / (variance[k] + epsilon).sqrt();
            (factor, bias[k] - mean[k] * factor)
        })?;
        Ok([vec![out], running].concat())
    }
}

impl Kernel for InstanceNorm {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        channels(&info.shape)?;
        Ok(Some(vec![info.clone()]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let input = required(inputs, 0)?;
        let [_, c, run] = channels(input.shape())?;
        let scale = numbers(required(inputs, 1)?, c, "the scale")?;
        let bias = numbers(required(inputs, 2)?, c, "the bias")?;
        let moments = run_moments(input, run)?;
        let epsilon = f64::from(self.epsilon);
        let out = affine(input, run, |i| {
            let (mean, variance) = moments[i];
            let factor = scale[i % c.max(1)] / (variance + epsilon).sqrt();
            (factor, bias[i % c.max(1)] - mean * factor)
        })?;
        Ok(vec![out])
    }
}

impl Kernel for GroupNorm {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        let [_, c, _] = channels(&info.shape)?;
        if c % self.groups != 0 {
            return Err(OpError::invalid(format!("{c} channels do not make {} groups", self.groups)));
        }
        Ok(Some(vec![info.clone()]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let input = required(inputs, 0)?;
        let [_, c, run] = channels(input.shape())?;
        let per_group = c / self.groups;
        if c % self.groups != 0 {
            return Err(OpError::invalid(format!("{c} channels do not make {} groups", self.groups)));
        }
        // Version 18 has one scale per group, version 21 one per channel; their numbers tell them apart.
        let per_channel = |at: usize, what: &'static str| {
            let given = required(inputs, at)?;
            if given.data().len() == self.groups && self.groups != c {
                let list = numbers(given, self.groups, what)?;
                return Ok::<_, OpError>((0..c).map(|k| list[k / per_group]).collect());
            }
            numbers(given, c, what)
        };
        let (scale, bias) = (per_channel(1, "the scale")?, per_channel(2, "the bias")?);
        let moments = run_moments(input, per_group * run)?;
        let epsilon = f64::from(self.epsilon);
        let out = affine(input, run, |i| {
            let (mean, variance) = moments[i / per_group.max(1)];
            let factor = scale[i % c.max(1)] / (variance + epsilon).sqrt();
            (factor, bias[i % c.max(1)] - mean * factor)
        })?;
        Ok(vec![out])
    }
}

impl LayerNorm {
    /// Number of rows, elements of a row, and the shape of the statistics.
    pub fn sizes(&self, shape: &[usize]) -> Result<(usize, usize, Vec<usize>), OpError> {
        let at = axis(self.axis, shape.len())?;
        let mut statistics = shape.to_vec();
        statistics[at..].fill(1);
        Ok((count(&shape[..at])?, count(&shape[at..])?, statistics))
    }
}

impl Kernel for LayerNorm {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        let (_, _, shape) = self.sizes(&info.shape)?;
        let dtype = if info.dtype == DType::F64 { DType::F64 } else { DType::F32 };
        let mut out = vec![info.clone()];
        out.extend((1..self.outputs).map(|_| TensorInfo { dtype, shape: shape.clone() }));
        Ok(Some(out))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let given = required(inputs, 0)?;
        // The statistics stay f32 for half precision (stash_type), so the rounding is done here.
        let wide = crate::ops::element::widen(given);
        let input = wide.as_ref().unwrap_or(given);
        let (_, row, shape) = self.sizes(input.shape())?;
        let per_element = |tensor: &Tensor, what: &'static str| {
            let list = numbers(tensor, tensor.data().len(), what)?;
            let tail =
                &input.shape()[input.shape().len() - shape.iter().rev().take_while(|&&e| e == 1).count()..];
            if list.len() == row {
                Ok::<_, OpError>(list)
            } else if crate::ops::broadcast(&[tensor.shape(), tail])? == tail {
                crate::ops::element::spread(&list, tensor.shape(), tail)
            } else {
                Err(OpError::invalid(format!("{what} has {} elements, not {row}", list.len())))
            }
        };
        let scale = per_element(required(inputs, 1)?, "the scale")?;
        let bias = optional(inputs, 2).map(|b| per_element(b, "the bias")).transpose()?;
        let moments = run_moments(input, row)?;
        let inverse: Vec<f64> =
            moments.iter().map(|(_, v)| 1.0 / (v + f64::from(self.epsilon)).sqrt()).collect();
        macro_rules! normalized {
            ($t:ty) => {{
                let v = slice::<$t>(input, "the input")?;
                let mut out = Vec::with_capacity(v.len());
                for (i, v) in v.chunks(row.max(1)).enumerate() {
                    let (mean, by) = (moments[i].0, inverse[i]);
                    for (k, &x) in v.iter().enumerate() {
                        let b = bias.as_ref().map_or(0.0, |b| b[k]);
                        out.push(((f64::from(x) - mean) * by * scale[k] + b) as $t);
                    }
                }
                let mean: Vec<$t> = moments.iter().map(|m| m.0 as $t).collect();
                let inverse: Vec<$t> = inverse.iter().map(|&x| x as $t).collect();
                [
                    tensor(input.shape().to_vec(), out)?,
                    tensor(shape.clone(), mean)?,
                    tensor(shape.clone(), inverse)?,
                ]
            }};
        }
        let [out, mean, inverse] =
            if input.dtype() == DType::F64 { normalized!(f64) } else { normalized!(f32) };
        let mut all = vec![narrow(out, given.dtype())?, mean, inverse];
        all.truncate(self.outputs);
        Ok(all)
    }
}
