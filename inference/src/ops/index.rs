//! Operators that pick elements by place: slices, gathers, masks.
//!
//! An index out of range is an error here, never a read elsewhere.

use crate::ops::element::{Element, count, scalar, tensor};
use crate::ops::layout::around;
use crate::ops::{
    Attributes, Inferred, Kernel, Known, Op, OpError, Parameter, axis, ints, known, parameter, required,
    strides, walk,
};
use crate::tensor::{DType, Data, Tensor, TensorInfo};
use crate::{each_dtype, same_dtype};

/// Starts, ends and axes, where they are attributes.
pub type FixedRange = (Vec<i64>, Vec<i64>, Option<Vec<i64>>);

/// A part of a tensor, in steps, also backwards; from opset 10 on starts, ends, axes and steps are inputs 1 to 4.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Slice {
    /// Starts, ends and axes from the attributes of opsets before 10.
    pub fixed: Option<FixedRange>,
}

/// Slices along an axis, by indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gather {
    /// May be negative.
    pub axis: i64,
}

/// Elements by an index for each, along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatherElements {
    /// May be negative.
    pub axis: i64,
}

pub fn parse_slice(a: &Attributes<'_>) -> Result<Op, OpError> {
    let fixed =
        if a.opset < 10 { Some((a.ints("starts")?, a.ints("ends")?, a.maybe_ints("axes")?)) } else { None };
    Ok(Op::Slice(Slice { fixed }))
}

pub fn parse_gather(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::Gather(Gather { axis: a.int("axis", 0)? }))
}

pub fn parse_gather_elements(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::GatherElements(GatherElements { axis: a.int("axis", 0)? }))
}

/// What a slice takes from one axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// First place.
    pub start: usize,
    /// Distance to the next, never 0.
    pub step: i64,
    /// Number of places.
    pub count: usize,
}

impl Slice {
    /// What is taken from every axis; `given` are inputs 1 to 4.
    pub fn ranges(&self, shape: &[usize], given: &[Parameter; 4]) -> Result<Option<Vec<Range>>, OpError> {
        let (starts, ends, named, steps) = match (&self.fixed, given) {
            (Some((starts, ends, axes)), _) => (starts, ends, axes.as_ref(), None),
            (None, [Parameter::Absent, ..] | [_, Parameter::Absent, ..]) => {
                return Err(OpError::Missing { input: 1 });
            }
            (None, [Parameter::Ints(starts), Parameter::Ints(ends), named, steps]) => {
                let list = |p: &'_ _| match p {
                    Parameter::Unknown => None,
                    Parameter::Absent => Some(None),
                    Parameter::Ints(list) => Some(Some(list.clone())),
                };
                let (Some(named), Some(steps)) = (list(named), list(steps)) else { return Ok(None) };
                return Self::of(shape, starts, ends, named.as_ref(), steps.as_ref()).map(Some);
            }
            _ => return Ok(None),
        };
        Self::of(shape, starts, ends, named, steps).map(Some)
    }

    fn of(
        shape: &[usize],
        starts: &[i64],
        ends: &[i64],
        named: Option<&Vec<i64>>,
        steps: Option<&Vec<i64>>,
    ) -> Result<Vec<Range>, OpError> {
        let n = starts.len();
        let fits = ends.len() == n
            && named.is_none_or(|a| a.len() == n)
            && steps.is_none_or(|s| s.len() == n)
            && (named.is_some() || n <= shape.len());
        if !fits {
            return Err(OpError::invalid("starts, ends, axes and steps are of different lengths"));
        }
        let mut ranges: Vec<_> =
            shape.iter().map(|&extent| Range { start: 0, step: 1, count: extent }).collect();
        for i in 0..n {
            let at = match named {
                Some(axes) => axis(axes[i], shape.len())?,
                None => i,
            };
            let step = steps.map_or(1, |s| s[i]);
            if step == 0 {
                return Err(OpError::invalid("a step is 0"));
            }
            let extent = shape[at] as i64;
            let from_front = |v: i64| if v < 0 { v.saturating_add(extent) } else { v };
            // Slice-13: clamped to [0, extent] forwards, and backwards start to [0, extent - 1], end to [-1, extent - 1].
            let (start, end) = if step > 0 {
                (from_front(starts[i]).clamp(0, extent), from_front(ends[i]).clamp(0, extent))
            } else {
                let last = (extent - 1).max(0);
                (from_front(starts[i]).clamp(0, last), from_front(ends[i]).clamp(-1, last))
            };
            let way = if step > 0 { end - start } else { start - end };
            let count = if extent == 0 || way <= 0 { 0 } else { (way as u64).div_ceil(step.unsigned_abs()) };
            ranges[at] = Range { start: start as usize, step, count: count as usize };
        }
        Ok(ranges)
    }
}

impl Kernel for Slice {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        let given =
            [parameter(inputs, 1)?, parameter(inputs, 2)?, parameter(inputs, 3)?, parameter(inputs, 4)?];
        let ranges = self.ranges(&info.shape, &given)?;
        Ok(ranges.map(|ranges| {
            vec![TensorInfo { dtype: info.dtype, shape: ranges.iter().map(|r| r.count).collect() }]
        }))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let given = |at: usize| match inputs.get(at).copied().flatten() {
            Some(t) => Ok::<_, OpError>(Parameter::Ints(ints(t)?)),
            None => Ok(Parameter::Absent),
        };
        let given = [given(1)?, given(2)?, given(3)?, given(4)?];
        let ranges = self.ranges(input.shape(), &given)?.ok_or(OpError::Missing { input: 1 })?;
        let from = strides(input.shape());
        let shape: Vec<usize> = ranges.iter().map(|r| r.count).collect();
        // Backward steps wrap around, as `walk` adds with wrapping.
        let steps: Vec<usize> =
            ranges.iter().zip(&from).map(|(r, &s)| s.wrapping_mul(r.step as usize)).collect();
        let base: usize = ranges.iter().zip(&from).map(|(r, &s)| r.start * s).sum();
        let data = same_dtype!(input.data(), v => {
            let mut out = Vec::with_capacity(count(&shape)?);
            walk(&shape, &[&steps], |[at]| out.push(v[base.wrapping_add(at)]));
            out
        });
        Ok(vec![Tensor::new(shape, data)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1, 2, 3, 4]
    }
}

/// An index of either sign within an extent.
pub fn place(index: i64, extent: usize) -> Result<usize, OpError> {
    let at = if index < 0 { index.saturating_add(extent as i64) } else { index };
    if (0..extent as i64).contains(&at) {
        Ok(at as usize)
    } else {
        Err(OpError::invalid(format!("index {index} lies outside of an extent of {extent}")))
    }
}

impl Kernel for Gather {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (data, indices) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        let at = axis(self.axis, data.shape.len())?;
        let shape = [&data.shape[..at], &indices.shape, &data.shape[at + 1..]].concat();
        Ok(Some(vec![TensorInfo { dtype: data.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (data, indices) = (required(inputs, 0)?, required(inputs, 1)?);
        let at = axis(self.axis, data.shape().len())?;
        let extent = data.shape()[at];
        let (outer, inner) = around(data.shape(), at)?;
        let places: Vec<usize> =
            ints(indices)?.iter().map(|&i| place(i, extent)).collect::<Result<_, _>>()?;
        let shape = [&data.shape()[..at], indices.shape(), &data.shape()[at + 1..]].concat();
        let total = count(&shape)?;
        let out = same_dtype!(data.data(), v => {
            let mut out = Vec::with_capacity(total);
            for o in 0..outer {
                for &p in &places {
                    let from = (o * extent + p) * inner;
                    out.extend_from_slice(&v[from..from + inner]);
                }
            }
            out
        });
        Ok(vec![Tensor::new(shape, out)?])
    }
}

impl Kernel for GatherElements {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (data, indices) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        let at = axis(self.axis, data.shape.len())?;
        let fits = indices.shape.len() == data.shape.len()
            && (0..data.shape.len()).all(|i| i == at || indices.shape[i] <= data.shape[i]);
        if !fits {
            return Err(OpError::invalid(format!(
                "indices of shape {:?} reach beyond {:?}",
                indices.shape, data.shape
            )));
        }
        Ok(Some(vec![TensorInfo { dtype: data.dtype, shape: indices.shape.clone() }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (data, indices) = (required(inputs, 0)?, required(inputs, 1)?);
        let places = element_places(data.shape(), indices, self.axis)?;
        let out = same_dtype!(data.data(), v => places.iter().map(|&p| v[p]).collect());
        Ok(vec![Tensor::new(indices.shape().to_vec(), out)?])
    }
}

/// For each index, the offset of its element in a tensor of `shape`: its own place, with the index along `along`.
pub fn element_places(shape: &[usize], indices: &Tensor, along: i64) -> Result<Vec<usize>, OpError> {
    let at = axis(along, shape.len())?;
    if indices.shape().len() != shape.len()
        || (0..shape.len()).any(|i| i != at && indices.shape()[i] > shape[i])
    {
        return Err(OpError::invalid(format!(
            "indices of shape {:?} reach beyond {shape:?}",
            indices.shape()
        )));
    }
    let list = ints(indices)?;
    let steps = strides(shape);
    let mut others = steps.clone();
    others[at] = 0;
    let mut places = Vec::with_capacity(list.len());
    walk(indices.shape(), &[&others], |[p]| places.push(p));
    for (p, &index) in places.iter_mut().zip(&list) {
        *p += place(index, shape[at])? * steps[at];
    }
    Ok(places)
}

/// Slices by tuples of indices, behind `batch` axes that data and indices share.
#[derive(Clone, Copy, Debug)]
struct GatherNd {
    batch: usize,
}

pub fn parse_gather_nd(a: &Attributes<'_>) -> Result<Op, OpError> {
    let batch = a.int("batch_dims", 0)?;
    let batch = usize::try_from(batch).map_err(|_| OpError::invalid(format!("batch_dims is {batch}")))?;
    Ok(Op::host(GatherNd { batch }))
}

/// For each tuple of indices (the last axis of `indices`), the offset of its slice, and the slices' shape.
pub fn tuple_places(
    shape: &[usize],
    indices: &Tensor,
    batch: usize,
) -> Result<(Vec<usize>, Vec<usize>), OpError> {
    let fault = || OpError::invalid(format!("indices of shape {:?} do not fit {shape:?}", indices.shape()));
    let (&width, outer) = indices.shape().split_last().ok_or_else(fault)?;
    if batch > outer.len() || batch + width > shape.len() || outer[..batch] != shape[..batch] {
        return Err(fault());
    }
    let steps = strides(shape);
    let tuples = count(outer)?;
    let per_batch = count(&outer[batch..])?;
    let batch_step = count(&shape[batch..])?;
    let list = ints(indices)?;
    let mut places = Vec::with_capacity(tuples);
    for t in 0..tuples {
        let mut at = t / per_batch.max(1) * batch_step;
        for k in 0..width {
            at += place(list[t * width + k], shape[batch + k])? * steps[batch + k];
        }
        places.push(at);
    }
    Ok((places, shape[batch + width..].to_vec()))
}

impl Kernel for GatherNd {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (data, indices) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        let fault = || OpError::invalid("the indices do not fit the data");
        let (&width, outer) = indices.shape.split_last().ok_or_else(fault)?;
        let rest = data.shape.get(self.batch.saturating_add(width)..).ok_or_else(fault)?;
        Ok(Some(vec![TensorInfo { dtype: data.dtype, shape: [outer, rest].concat() }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (data, indices) = (required(inputs, 0)?, required(inputs, 1)?);
        let (places, rest) = tuple_places(data.shape(), indices, self.batch)?;
        let n = count(&rest)?;
        let outer = &indices.shape()[..indices.shape().len() - 1];
        let shape = [outer, &rest].concat();
        let total = count(&shape)?;
        let out = same_dtype!(data.data(), v => {
            let mut out = Vec::with_capacity(total);
            for p in places {
                out.extend_from_slice(&v[p..p + n]);
            }
            out
        });
        Ok(vec![Tensor::new(shape, out)?])
    }
}

/// Places of the elements that are not 0, one column each.
#[derive(Clone, Copy, Debug)]
struct NonZero;

/// Slices where a mask is true, along an axis or of all elements.
#[derive(Clone, Copy, Debug)]
struct Compress {
    axis: Option<i64>,
}

pub fn parse_non_zero(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(NonZero))
}

pub fn parse_compress(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Compress { axis: a.maybe_int("axis")? }))
}

impl NonZero {
    fn places(input: &Tensor) -> Vec<usize> {
        each_dtype!(input.data(), v => {
            (0..v.len()).filter(|&i| v[i] != Default::default()).collect()
        })
    }
}

impl Kernel for NonZero {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let input = known(inputs, 0)?;
        let Some(value) = input.value else { return Ok(None) };
        // numpy takes a scalar for a vector of one element.
        let shape = vec![input.info.shape.len(), Self::places(value).len()];
        Ok(Some(vec![TensorInfo { dtype: DType::I64, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let places = Self::places(input);
        let steps = strides(input.shape());
        let mut out = Vec::with_capacity(places.len() * steps.len());
        for (&step, &extent) in steps.iter().zip(input.shape()) {
            out.extend(places.iter().map(|&p| (p / step.max(1) % extent.max(1)) as i64));
        }
        Ok(vec![tensor(vec![steps.len(), places.len()], out)?])
    }
}

/// What is kept along the axis, the shape of the result, and what lies around the axis.
type Kept = (Vec<usize>, Vec<usize>, [usize; 3]);

impl Compress {
    fn kept(&self, shape: &[usize], mask: &Tensor) -> Result<Kept, OpError> {
        let Data::Bool(mask) = mask.data() else {
            return Err(OpError::Type { what: "the condition", got: mask.dtype() });
        };
        let (at, flat) = match self.axis {
            Some(at) => (axis(at, shape.len())?, shape.to_vec()),
            None => (0, vec![count(shape)?]),
        };
        let extent = flat[at];
        let kept: Vec<usize> = (0..extent.min(mask.len())).filter(|&i| mask[i]).collect();
        let (outer, inner) = around(&flat, at)?;
        let mut shape = flat;
        shape[at] = kept.len();
        Ok((kept, shape, [outer, extent, inner]))
    }
}

impl Kernel for Compress {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        let Some(mask) = known(inputs, 1)?.value else { return Ok(None) };
        let (_, shape, _) = self.kept(&info.shape, mask)?;
        Ok(Some(vec![TensorInfo { dtype: info.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let (kept, shape, [outer, extent, inner]) = self.kept(input.shape(), required(inputs, 1)?)?;
        let data = same_dtype!(input.data(), v => {
            let mut out = Vec::new();
            for o in 0..outer {
                for &k in &kept {
                    let from = (o * extent + k) * inner;
                    out.extend_from_slice(&v[from..from + inner]);
                }
            }
            out
        });
        Ok(vec![Tensor::new(shape, data)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}

/// A new axis on which the place that the index names has one value and all others another.
#[derive(Clone, Copy, Debug)]
struct OneHot {
    axis: i64,
}

pub fn parse_one_hot(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(OneHot { axis: a.int("axis", -1)? }))
}

impl OneHot {
    fn depth(tensor: &Tensor) -> Result<usize, OpError> {
        let depth = scalar(tensor, "depth")?;
        if (0.0..4e9).contains(&depth) {
            Ok(depth as usize)
        } else {
            Err(OpError::invalid(format!("depth is {depth}")))
        }
    }

    fn shape(&self, indices: &[usize], depth: usize) -> Result<(usize, Vec<usize>), OpError> {
        let at = axis(self.axis, indices.len() + 1)?;
        let mut shape = indices.to_vec();
        shape.insert(at, depth);
        Ok((at, shape))
    }
}

impl Kernel for OneHot {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let Some(depth) = known(inputs, 1)?.value else { return Ok(None) };
        let (_, shape) = self.shape(&known(inputs, 0)?.info.shape, Self::depth(depth)?)?;
        Ok(Some(vec![TensorInfo { dtype: known(inputs, 2)?.info.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (indices, values) = (required(inputs, 0)?, required(inputs, 2)?);
        let depth = Self::depth(required(inputs, 1)?)?;
        let (at, shape) = self.shape(indices.shape(), depth)?;
        let (_, inner) = around(&shape, at)?;
        if values.data().len() != 2 {
            return Err(OpError::invalid("values are not two elements: off and on"));
        }
        let total = count(&shape)?;
        // Indices may be of any number type; those outside of [-depth, depth - 1] leave all off.
        let hot: Vec<Option<usize>> = each_dtype!(indices.data(), v => {
            v.iter().map(|x| place(x.to_f64() as i64, depth).ok()).collect()
        });
        let data = same_dtype!(values.data(), v => {
            let (off, on) = (v[0], v[1]);
            let mut out = vec![off; total];
            for (i, at) in hot.iter().enumerate() {
                if let Some(at) = at {
                    out[(i / inner * depth + at) * inner + i % inner] = on;
                }
            }
            out
        });
        Ok(vec![Tensor::new(shape, data)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_clamp_on_both_sides_and_run_backwards() {
        let cut = |start, end, step, extent| {
            let p = |v| Parameter::Ints(vec![v]);
            let given = [p(start), p(end), Parameter::Absent, p(step)];
            let r = Slice { fixed: None }.ranges(&[extent], &given).unwrap().unwrap()[0];
            (0..r.count as i64).map(|i| r.start as i64 + i * r.step).collect::<Vec<_>>()
        };
        assert_eq!(cut(1, 1000, 2, 6), [1, 3, 5]);
        assert_eq!(cut(-1, i64::MIN, -1, 3), [2, 1, 0]);
        assert_eq!(cut(20, 0, -4, 10), [9, 5, 1]);
        assert_eq!(cut(5, 2, 1, 10), [0i64; 0]);
        assert_eq!(cut(0, i64::MAX, i64::MAX, 3), [0]);
        assert_eq!(cut(0, i64::MIN, i64::MIN, 3), [0]);
        assert_eq!(cut(0, 1, 1, 0), [0i64; 0]);
    }

    #[test]
    fn an_index_outside_is_an_error() {
        let data = tensor(vec![3], vec![1f32, 2.0, 3.0]).unwrap();
        for (index, good) in [(-3, true), (2, true), (3, false), (-4, false), (i64::MIN, false)] {
            let index = tensor(vec![1], vec![index]).unwrap();
            assert_eq!(Gather { axis: 0 }.run(&[Some(&data), Some(&index)]).is_ok(), good);
            assert_eq!(GatherElements { axis: 0 }.run(&[Some(&data), Some(&index)]).is_ok(), good);
        }
    }
}
