//! LpPool, GlobalLpPool, MaxUnpool, Col2Im and CenterCropPad: rarer pooling, its reverse, and cutting to size.

use super::conv::{three, window};
use super::element::count;
use super::numbers::{floats, from_floats, integers};
use super::pool::{spatial, windows};
use super::{
    Attributes, Inferred, Kernel, Known, Op, OpError, Parameter, axes, ints, known, optional, parameter,
    required, strides, walk,
};
use crate::same_dtype;
use crate::tensor::{Tensor, TensorInfo};
use crate::window::WindowAttributes;

/// (Σ |x|^p)^(1/p) over windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LpPool {
    window: WindowAttributes,
    p: i32,
}

/// (Σ |x|^p)^(1/p) over all spatial axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalLpPool {
    p: i32,
}

/// Puts maxima back where MaxPool found them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MaxUnpool {
    window: WindowAttributes,
}

/// Adds columns of blocks up to an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Col2Im {
    window: WindowAttributes,
}

/// Cuts or pads around the middle.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CenterCropPad {
    axes: Option<Vec<i64>>,
}

fn power(a: &Attributes<'_>) -> Result<i32, OpError> {
    let p = a.int("p", 2)?;
    i32::try_from(p).ok().filter(|&p| p > 0).ok_or_else(|| OpError::invalid(format!("p is {p}")))
}

pub fn parse_lp_pool(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(LpPool { window: window(a)?, p: power(a)? }))
}

pub fn parse_global_lp_pool(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(GlobalLpPool { p: power(a)? }))
}

pub fn parse_max_unpool(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(MaxUnpool { window: window(a)? }))
}

pub fn parse_col2im(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Col2Im { window: window(a)? }))
}

pub fn parse_center_crop_pad(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(CenterCropPad { axes: a.maybe_ints("axes")? }))
}

/// The p-norm of a list.
fn norm(values: impl Iterator<Item = f64>, p: i32) -> f64 {
    let sum: f64 = values.map(|x| x.abs().powi(p)).sum();
    sum.powf(1.0 / f64::from(p))
}

impl Kernel for LpPool {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let x = known(inputs, 0)?.info;
        let (n, c, extents) = spatial(&x.shape)?;
        let axes = self.window.axes(extents)?;
        let shape = [n, c].into_iter().chain(axes.iter().map(|a| a.output)).collect();
        Ok(Some(vec![TensorInfo { dtype: x.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let (n, c, extents) = spatial(x.shape())?;
        let axes = self.window.axes(extents)?;
        let shape: Vec<usize> = [n, c].into_iter().chain(axes.iter().map(|a| a.output)).collect();
        let mut out = Vec::with_capacity(count(&shape)?);
        let three = three(&axes)?;
        for plane in floats(x, "the input")?.chunks_exact(count(extents)?.max(1)) {
            windows(&three, |places, _| out.push(norm(places.iter().map(|&p| plane[p]), self.p)));
        }
        Ok(vec![from_floats(shape, out, x.dtype())?])
    }
}

impl Kernel for GlobalLpPool {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let x = known(inputs, 0)?.info;
        let (n, c, extents) = spatial(&x.shape)?;
        let shape = [n, c].into_iter().chain(extents.iter().map(|_| 1)).collect();
        Ok(Some(vec![TensorInfo { dtype: x.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let (n, c, extents) = spatial(x.shape())?;
        let shape: Vec<usize> = [n, c].into_iter().chain(extents.iter().map(|_| 1)).collect();
        let plane = count(extents)?;
        let values = floats(x, "the input")?;
        let out = if plane == 0 {
            vec![0.0; count(&shape)?]
        } else {
            values.chunks_exact(plane).map(|v| norm(v.iter().copied(), self.p)).collect()
        };
        Ok(vec![from_floats(shape, out, x.dtype())?])
    }
}

impl MaxUnpool {
    /// The shape that the pooled tensor had, as far as the window says.
    fn shape(&self, x: &[usize]) -> Result<Vec<usize>, OpError> {
        let (n, c, extents) = spatial(x)?;
        let rank = extents.len();
        // Checks the attributes; the geometry itself runs the other way.
        let axes = WindowAttributes { pads: Vec::new(), ..self.window.clone() }.axes(&vec![1 << 24; rank])?;
        let pads = &self.window.pads;
        let fault = || OpError::invalid(format!("pads {pads:?} do not fit {x:?}"));
        if !pads.is_empty() && pads.len() != 2 * rank {
            return Err(fault());
        }
        let mut shape = vec![n, c];
        for (i, (&extent, axis)) in extents.iter().zip(&axes).enumerate() {
            let pad = if pads.is_empty() { 0 } else { pads[i].saturating_add(pads[rank + i]) };
            let full =
                (extent.saturating_sub(1)).checked_mul(axis.stride).and_then(|v| v.checked_add(axis.kernel));
            let full = full.and_then(|v| i64::try_from(v).ok()).and_then(|v| v.checked_sub(pad));
            shape.push(full.and_then(|v| usize::try_from(v).ok()).ok_or_else(fault)?);
        }
        Ok(shape)
    }

    fn wanted(small: Vec<usize>, output: &[i64]) -> Result<Vec<usize>, OpError> {
        let fits = output.len() == small.len()
            && output.iter().zip(&small).all(|(&o, &s)| o >= 0 && o as u64 >= s as u64);
        if !fits {
            return Err(OpError::invalid(format!("output_shape {output:?} does not hold {small:?}")));
        }
        Ok(output.iter().map(|&o| o as usize).collect())
    }
}

impl Kernel for MaxUnpool {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let x = known(inputs, 0)?.info;
        let shape = self.shape(&x.shape)?;
        let shape = match parameter(inputs, 2)? {
            Parameter::Absent => shape,
            Parameter::Unknown => return Ok(None),
            Parameter::Ints(output) => Self::wanted(shape, &output)?,
        };
        Ok(Some(vec![TensorInfo { dtype: x.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let small = self.shape(x.shape())?;
        let total = count(&small)?;
        let places = integers(required(inputs, 1)?, "the places")?;
        let values = floats(x, "the input")?;
        if places.len() != values.len() {
            return Err(OpError::invalid(format!("{} places for {} elements", places.len(), values.len())));
        }
        let mut out = vec![0.0; total];
        for (&place, x) in places.iter().zip(values) {
            let place = usize::try_from(place).ok().filter(|&place| place < total);
            out[place.ok_or_else(|| OpError::invalid("a place lies outside of the result"))?] = x;
        }
        let Some(output) = optional(inputs, 2) else { return Ok(vec![from_floats(small, out, x.dtype())?]) };
        let shape = Self::wanted(small.clone(), &ints(output)?)?;
        let mut large = vec![0.0; count(&shape)?];
        walk(&small, &[&strides(&small), &strides(&shape)], |[from, to]| large[to] = out[from]);
        Ok(vec![from_floats(shape, large, x.dtype())?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[2]
    }
}

impl Col2Im {
    /// Axes of the image, seen as the input of a window, and the shape of the result.
    fn axes(
        &self,
        x: &[usize],
        image: &[i64],
        block: &[i64],
    ) -> Result<(Vec<crate::window::Axis>, Vec<usize>), OpError> {
        let fault =
            || OpError::invalid(format!("columns {x:?} do not fit an image {image:?} in blocks {block:?}"));
        let extents: Vec<usize> =
            image.iter().map(|&e| usize::try_from(e).map_err(|_| fault())).collect::<Result<_, _>>()?;
        let axes = WindowAttributes { kernel: block.to_vec(), ..self.window.clone() }.axes(&extents)?;
        let taps = count(&axes.iter().map(|a| a.kernel).collect::<Vec<_>>())?;
        let blocks = count(&axes.iter().map(|a| a.output).collect::<Vec<_>>())?;
        match *x {
            [n, columns, length] if taps > 0 && columns % taps == 0 && length == blocks => {
                Ok((axes, [n, columns / taps].into_iter().chain(extents).collect()))
            }
            _ => Err(fault()),
        }
    }
}

impl Kernel for Col2Im {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let x = known(inputs, 0)?.info;
        match (parameter(inputs, 1)?, parameter(inputs, 2)?) {
            (Parameter::Ints(image), Parameter::Ints(block)) => {
                Ok(Some(vec![TensorInfo { dtype: x.dtype, shape: self.axes(&x.shape, &image, &block)?.1 }]))
            }
            _ => Ok(None),
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let (axes, shape) =
            self.axes(x.shape(), &ints(required(inputs, 1)?)?, &ints(required(inputs, 2)?)?)?;
        let kernel: Vec<usize> = axes.iter().map(|a| a.kernel).collect();
        let blocks: Vec<usize> = axes.iter().map(|a| a.output).collect();
        let (kernel_steps, block_steps) = (strides(&kernel), strides(&blocks));
        let image_steps = strides(&shape[2..]);
        let (taps, length, plane) = (count(&kernel)?, count(&blocks)?, count(&shape[2..])?);
        let values = floats(x, "the columns")?;
        let mut out = vec![0.0; count(&shape)?];
        for (row, columns) in values.chunks_exact(length.max(1)).enumerate() {
            let (channel, tap) = (row / taps, row % taps);
            for (at, &value) in columns.iter().enumerate() {
                let place = axes.iter().enumerate().try_fold(0, |sum, (i, axis)| {
                    let (k, o) = (tap / kernel_steps[i] % axis.kernel, at / block_steps[i] % axis.output);
                    let place = (o * axis.stride + k * axis.dilation).checked_sub(axis.pad_begin)?;
                    (place < axis.input).then_some(sum + place * image_steps[i])
                });
                if let Some(place) = place {
                    out[channel * plane + place] += value;
                }
            }
        }
        Ok(vec![from_floats(shape, out, x.dtype())?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1, 2]
    }
}

impl CenterCropPad {
    fn shape(&self, x: &[usize], sizes: &[i64]) -> Result<Vec<usize>, OpError> {
        let named: Vec<usize> = match &self.axes {
            Some(list) => axes(list, x.len())?,
            None => (0..x.len()).collect(),
        };
        if named.len() != sizes.len() {
            return Err(OpError::invalid(format!("{} sizes for {} axes", sizes.len(), named.len())));
        }
        let mut shape = x.to_vec();
        for (&axis, &size) in named.iter().zip(sizes) {
            shape[axis] = usize::try_from(size).map_err(|_| OpError::invalid(format!("a size is {size}")))?;
        }
        Ok(shape)
    }
}

impl Kernel for CenterCropPad {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let x = known(inputs, 0)?.info;
        match parameter(inputs, 1)? {
            Parameter::Ints(sizes) => {
                Ok(Some(vec![TensorInfo { dtype: x.dtype, shape: self.shape(&x.shape, &sizes)? }]))
            }
            _ => Ok(None),
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let shape = self.shape(x.shape(), &ints(required(inputs, 1)?)?)?;
        let (from_steps, to_steps) = (strides(x.shape()), strides(&shape));
        // The smaller of the two lies in the middle of the larger, half an element to the left where it must.
        let start = |large: usize, small: usize| large.saturating_sub(small) / 2;
        let pairs = || x.shape().iter().zip(&shape);
        let from: usize = pairs().zip(&from_steps).map(|((&old, &new), step)| start(old, new) * step).sum();
        let to: usize = pairs().zip(&to_steps).map(|((&old, &new), step)| start(new, old) * step).sum();
        let both: Vec<usize> = pairs().map(|(&old, &new)| old.min(new)).collect();
        let total = count(&shape)?;
        let data = same_dtype!(x.data(), v => {
            let mut out = vec![Default::default(); total];
            walk(&both, &[&from_steps, &to_steps], |[i, o]| out[to + o] = v[from + i]);
            out
        });
        Ok(vec![Tensor::new(shape, data)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}
