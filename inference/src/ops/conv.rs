//! Conv and ConvTranspose for one to three spatial axes, with groups, dilation and any padding.
//!
//! The geometry is computed once, in one place, for shape inference and all executors; what stands here besides is
//! the plain loop over rows.

use std::fmt::Debug;
use std::sync::Arc;

use crate::cpu;
use crate::ops::element::{count, halves_in_f32, slice, tensor};
use crate::ops::elementwise::Unary;
use crate::ops::matmul::Product;
use crate::ops::{Attributes, Inferred, Kernel, Known, Op, OpError, Prepared, known, optional, required};
use crate::tensor::{DType, Data, Tensor, TensorInfo};
use crate::window::{AutoPad, Axis, WindowAttributes, WindowError};

/// A function of each result, fused into the operator before it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Activation {
    /// Any of these.
    Unary(Unary),
    /// Limited to a range.
    Clip(f32, f32),
}

impl Activation {
    /// What the kernels of `cpu` apply in registers, or what is left to do afterwards.
    fn split(self) -> (cpu::Activation, Option<Self>) {
        let within = match self {
            Self::Clip(low, high) => cpu::Activation::Clip { low, high },
            Self::Unary(Unary::Relu) => cpu::Activation::RELU,
            Self::Unary(Unary::LeakyRelu { alpha }) => cpu::Activation::LeakyRelu { alpha },
            Self::Unary(Unary::HardSigmoid { alpha, beta }) => cpu::Activation::HardSigmoid { alpha, beta },
            Self::Unary(Unary::HardSwish) => cpu::Activation::HardSwish,
            Self::Unary(_) => return (cpu::Activation::None, Some(self)),
        };
        (within, None)
    }

    /// The function of every element.
    fn apply(self, values: &mut [f32]) {
        match self {
            Self::Unary(unary) => match unary.smooth() {
                Some(smooth) => smooth.apply(values),
                None => values.iter_mut().for_each(|x| *x = unary.of_f32(*x)),
            },
            Self::Clip(..) => values.iter_mut().for_each(|x| *x = self.of_f32(*x)),
        }
    }

    /// The function in f32.
    pub fn of_f32(self, x: f32) -> f32 {
        match self {
            Self::Unary(unary) => unary.of_f32(x),
            Self::Clip(lo, hi) => {
                let x = if x < lo { lo } else { x };
                if x > hi { hi } else { x }
            }
        }
    }
}

impl Activation {
    /// The function in f64.
    pub fn of_f64(self, x: f64) -> f64 {
        match self {
            Self::Unary(unary) => unary.of_f64(x),
            Self::Clip(lo, hi) => {
                let x = if x < f64::from(lo) { f64::from(lo) } else { x };
                if x > f64::from(hi) { f64::from(hi) } else { x }
            }
        }
    }
}

/// A convolution: inputs X (N, C, spatial), W (M, C / group, kernel) and, optionally, B (M).
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Kernel (empty: as W has it), strides, dilations, padding.
    pub window: WindowAttributes,
    /// Channels are split in as many groups.
    pub group: usize,
    /// Applied to the results.
    pub activation: Option<Activation>,
}

/// A transposed convolution: inputs X (N, C, spatial), W (C, M / group, kernel) and, optionally, B (M).
#[derive(Clone, Debug, PartialEq)]
pub struct ConvTranspose {
    /// Kernel (empty: as W has it), strides, dilations, padding.
    pub window: WindowAttributes,
    /// Channels are split in as many groups.
    pub group: usize,
    /// Elements added at the end of each axis.
    pub output_padding: Vec<i64>,
    /// Spatial extents of the output; the padding follows from them.
    pub output_shape: Vec<i64>,
    /// Applied to the results.
    pub activation: Option<Activation>,
}

/// Sizes of a convolution, of either direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvShape {
    /// N.
    pub batch: usize,
    /// C.
    pub channels: usize,
    /// M.
    pub filters: usize,
    /// Groups.
    pub group: usize,
    /// Spatial axes; `input` and `output` are those of X and Y in either direction.
    pub axes: Vec<Axis>,
    /// Shape of Y.
    pub output: Vec<usize>,
}

/// `auto_pad` of a node.
pub fn auto_pad(a: &Attributes<'_>) -> Result<AutoPad, OpError> {
    Ok(match a.text("auto_pad", "NOTSET")? {
        "NOTSET" | "" => AutoPad::NotSet,
        "SAME_UPPER" => AutoPad::SameUpper,
        "SAME_LOWER" => AutoPad::SameLower,
        "VALID" => AutoPad::Valid,
        other => return Err(OpError::invalid(format!("auto_pad is {other:?}"))),
    })
}

/// The attributes that say where windows lie.
pub fn window(a: &Attributes<'_>) -> Result<WindowAttributes, OpError> {
    Ok(WindowAttributes {
        auto_pad: auto_pad(a)?,
        kernel: a.ints("kernel_shape")?,
        strides: a.ints("strides")?,
        dilations: a.ints("dilations")?,
        pads: a.ints("pads")?,
        ceil: a.flag("ceil_mode", false)?,
    })
}

/// `group` of a node.
pub fn group(a: &Attributes<'_>) -> Result<usize, OpError> {
    let group = a.int("group", 1)?;
    usize::try_from(group)
        .ok()
        .filter(|&g| g > 0)
        .ok_or_else(|| OpError::invalid(format!("group is {group}")))
}

pub fn parse_conv(a: &Attributes<'_>) -> Result<Op, OpError> {
    let window = WindowAttributes { ceil: false, ..window(a)? };
    Ok(Op::Conv(Conv { window, group: group(a)?, activation: None }))
}

pub fn parse_conv_transpose(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::ConvTranspose(ConvTranspose {
        window: WindowAttributes { ceil: false, ..window(a)? },
        group: group(a)?,
        output_padding: a.ints("output_padding")?,
        output_shape: a.ints("output_shape")?,
        activation: None,
    }))
}

/// Three spatial axes, those that are missing before the others as single elements.
pub fn three(axes: &[Axis]) -> Result<[Axis; 3], OpError> {
    let one = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, pad_begin: 0, pad_end: 0 };
    match *axes {
        [] => Ok([one; 3]),
        [x] => Ok([one, one, x]),
        [y, x] => Ok([one, y, x]),
        [z, y, x] => Ok([z, y, x]),
        _ => Err(OpError::unsupported(format!("a window over {} axes", axes.len()))),
    }
}

fn kernel_of(window: &WindowAttributes, w: &[usize]) -> Result<WindowAttributes, OpError> {
    let kernel: Vec<i64> = w.get(2..).unwrap_or_default().iter().map(|&k| k as i64).collect();
    if !window.kernel.is_empty() && window.kernel != kernel {
        return Err(OpError::invalid(format!(
            "kernel_shape {:?} is not that of weights {w:?}",
            window.kernel
        )));
    }
    Ok(WindowAttributes { kernel, ..window.clone() })
}

fn mismatch(x: &[usize], w: &[usize], group: usize) -> OpError {
    OpError::invalid(format!("weights {w:?} in {group} groups do not fit an input {x:?}"))
}

impl Conv {
    /// Sizes for inputs of these shapes.
    ///
    /// # Errors
    /// Shapes that do not go together.
    pub fn shape(&self, x: &[usize], w: &[usize]) -> Result<ConvShape, OpError> {
        let fault = || mismatch(x, w, self.group);
        let (&[batch, channels, ref spatial @ ..], &[filters, per_group, ..]) = (x, w) else {
            return Err(fault());
        };
        let fits = x.len() == w.len()
            && !spatial.is_empty()
            && per_group.checked_mul(self.group) == Some(channels)
            && filters % self.group == 0;
        if !fits {
            return Err(fault());
        }
        let axes = kernel_of(&self.window, w)?.axes(spatial)?;
        let output = [batch, filters].into_iter().chain(axes.iter().map(|a| a.output)).collect();
        Ok(ConvShape { batch, channels, filters, group: self.group, axes, output })
    }
}

impl ConvTranspose {
    /// Sizes for inputs of these shapes.
    ///
    /// # Errors
    /// Shapes that do not go together.
    pub fn shape(&self, x: &[usize], w: &[usize]) -> Result<ConvShape, OpError> {
        let fault = || mismatch(x, w, self.group);
        let (&[batch, channels, ref spatial @ ..], &[c, per_group, ..]) = (x, w) else { return Err(fault()) };
        if x.len() != w.len() || spatial.is_empty() || c != channels || channels % self.group != 0 {
            return Err(fault());
        }
        let filters = per_group.checked_mul(self.group).ok_or_else(fault)?;
        let window = kernel_of(&self.window, w)?;
        // Checks kernel, strides, dilations and pads; the geometry itself runs the other way.
        let free = vec![1 << 24; spatial.len()];
        let plain = WindowAttributes { auto_pad: AutoPad::NotSet, ..window.clone() }.axes(&free)?;
        for (what, list) in [("output_padding", &self.output_padding), ("output_shape", &self.output_shape)] {
            // Some exporters write the batch and channels into output_shape as well.
            if !list.is_empty() && list.len() != spatial.len() && list.len() != x.len() {
                return Err(WindowError::Rank { what, got: list.len(), want: spatial.len() }.into());
            }
            if let Some(&value) = list.iter().find(|v| !(0..=1 << 24).contains(*v)) {
                return Err(WindowError::Value { what, value }.into());
            }
        }
        let entry = |list: &[i64], i: usize| {
            let skip = list.len().saturating_sub(spatial.len());
            list.get(skip + i).map(|&v| v as usize)
        };
        let axes: Vec<Axis> = (0..spatial.len())
            .map(|i| {
                let (input, axis) = (spatial[i], plain[i]);
                let extra = entry(&self.output_padding, i).unwrap_or(0);
                let large = || OpError::TooLarge { shape: x.to_vec() };
                let full = input
                    .saturating_sub(1)
                    .checked_mul(axis.stride)
                    .and_then(|v| v.checked_add((axis.kernel - 1) * axis.dilation + 1 + extra))
                    .ok_or_else(large)?;
                let wanted = match (entry(&self.output_shape, i), window.auto_pad) {
                    (Some(extent), _) => Some(extent),
                    (None, AutoPad::SameUpper | AutoPad::SameLower) => {
                        Some(input.checked_mul(axis.stride).ok_or_else(large)?)
                    }
                    (None, _) => None,
                };
                let (pad_begin, pad_end, output) = match wanted {
                    Some(output) => {
                        let total = full.saturating_sub(output);
                        let half = total / 2;
                        if window.auto_pad == AutoPad::SameUpper {
                            (half, total - half, output)
                        } else {
                            (total - half, half, output)
                        }
                    }
                    None if window.auto_pad == AutoPad::Valid => (0, 0, full),
                    None => {
                        let output = full.checked_sub(axis.pad_begin + axis.pad_end).ok_or_else(|| {
                            OpError::invalid(format!("padding takes more than the {full} elements there are"))
                        })?;
                        (axis.pad_begin, axis.pad_end, output)
                    }
                };
                Ok(Axis { input, output, pad_begin, pad_end, ..axis })
            })
            .collect::<Result<_, OpError>>()?;
        let output = [batch, filters].into_iter().chain(axes.iter().map(|a| a.output)).collect();
        Ok(ConvShape { batch, channels, filters, group: self.group, axes, output })
    }
}

/// Outputs of an axis whose tap `k` lies inside of the input: first and behind the last.
fn inside(axis: &Axis, k: usize) -> (usize, usize) {
    let at = k * axis.dilation;
    let first = axis.pad_begin.saturating_sub(at).div_ceil(axis.stride);
    let behind = (axis.input + axis.pad_begin).saturating_sub(at).div_ceil(axis.stride);
    (first, behind.min(axis.output))
}

/// The convolution as it is defined, row by row.
pub(super) fn convolve<T: Product>(
    x: &[T],
    w: &[T],
    bias: Option<&[T]>,
    shape: &ConvShape,
) -> Result<Vec<T>, OpError> {
    let [z, y, r] = three(&shape.axes)?;
    let per_group = shape.channels / shape.group;
    let filters = shape.filters / shape.group;
    let plane_in = z.input * y.input * r.input;
    let plane_out = z.output * y.output * r.output;
    let taps = z.kernel * y.kernel * r.kernel;
    let mut out = vec![T::default(); count(&shape.output)?];
    for (at, out) in out.chunks_exact_mut(plane_out.max(1)).enumerate() {
        let (n, m) = (at / shape.filters, at % shape.filters);
        if let Some(&b) = bias.and_then(|b| b.get(m)) {
            out.fill(b);
        }
        for c in 0..per_group {
            let channel = n * shape.channels + m / filters * per_group + c;
            let x = &x[channel * plane_in..][..plane_in];
            let w = &w[(m * per_group + c) * taps..][..taps];
            for (tap, &w) in w.iter().enumerate() {
                let k = [tap / (y.kernel * r.kernel), tap / r.kernel % y.kernel, tap % r.kernel];
                let (z0, z1) = inside(&z, k[0]);
                let (y0, y1) = inside(&y, k[1]);
                let (r0, r1) = inside(&r, k[2]);
                if r0 >= r1 {
                    continue;
                }
                for oz in z0..z1 {
                    let iz = oz * z.stride + k[0] * z.dilation - z.pad_begin;
                    for oy in y0..y1 {
                        let iy = oy * y.stride + k[1] * y.dilation - y.pad_begin;
                        let from = (iz * y.input + iy) * r.input;
                        let first = r0 * r.stride + k[2] * r.dilation - r.pad_begin;
                        let row = &mut out[(oz * y.output + oy) * r.output..][r0..r1];
                        let x = &x[from + first..from + r.input];
                        for (out, &x) in row.iter_mut().zip(x.iter().step_by(r.stride)) {
                            *out = out.add_product(w, x);
                        }
                    }
                }
            }
        }
    }
    Ok(out)
}

/// The transposed convolution as it is defined: every input element spreads its window over the output.
fn spread<T: Product>(x: &[T], w: &[T], bias: Option<&[T]>, shape: &ConvShape) -> Result<Vec<T>, OpError> {
    let [z, y, r] = three(&shape.axes)?;
    let per_group = shape.channels / shape.group;
    let filters = shape.filters / shape.group;
    let plane_in = z.input * y.input * r.input;
    let plane_out = z.output * y.output * r.output;
    let taps = z.kernel * y.kernel * r.kernel;
    let mut out = vec![T::default(); count(&shape.output)?];
    // The axes seen from the output: which inputs put tap k inside of it.
    let turned = |a: &Axis| Axis { input: a.output, output: a.input, ..*a };
    let [tz, ty, tr] = [turned(&z), turned(&y), turned(&r)];
    for (at, out) in out.chunks_exact_mut(plane_out.max(1)).enumerate() {
        let (n, m) = (at / shape.filters, at % shape.filters);
        if let Some(&b) = bias.and_then(|b| b.get(m)) {
            out.fill(b);
        }
        for c in 0..per_group {
            let channel = m / filters * per_group + c;
            let x = &x[(n * shape.channels + channel) * plane_in..][..plane_in];
            let w = &w[(channel * filters + m % filters) * taps..][..taps];
            for (tap, &w) in w.iter().enumerate() {
                let k = [tap / (y.kernel * r.kernel), tap / r.kernel % y.kernel, tap % r.kernel];
                let (z0, z1) = inside(&tz, k[0]);
                let (y0, y1) = inside(&ty, k[1]);
                let (r0, r1) = inside(&tr, k[2]);
                if r0 >= r1 {
                    continue;
                }
                for iz in z0..z1 {
                    let oz = iz * z.stride + k[0] * z.dilation - z.pad_begin;
                    for iy in y0..y1 {
                        let oy = iy * y.stride + k[1] * y.dilation - y.pad_begin;
                        let first = r0 * r.stride + k[2] * r.dilation - r.pad_begin;
                        let to = (oz * y.output + oy) * r.output;
                        let row = &mut out[to + first..to + r.output];
                        let x = &x[(iz * y.input + iy) * r.input..][r0..r1];
                        for (out, &x) in row.iter_mut().step_by(r.stride).zip(x) {
                            *out = out.add_product(w, x);
                        }
                    }
                }
            }
        }
    }
    Ok(out)
}

/// The weights in the order in which the kernels of `cpu` read them.
fn ordered(w: &Tensor, shape: &ConvShape, transposed: bool) -> Result<cpu::ConvKernel, OpError> {
    let channels = channels_of(shape, transposed);
    Ok(cpu::ConvKernel::new(channels, &shape.axes, slice::<f32>(w, "the weights")?)?)
}

fn channels_of(shape: &ConvShape, transposed: bool) -> cpu::ConvShape {
    let ConvShape { channels, filters, group, .. } = *shape;
    cpu::ConvShape { inputs: channels, outputs: filters, groups: group, transposed }
}

/// Either direction in f32, by the kernels of `cpu`.
fn fast(
    x: &[f32],
    kernel: &cpu::ConvKernel,
    b: Option<&Tensor>,
    shape: &ConvShape,
    activation: Option<Activation>,
) -> Result<Vec<f32>, OpError> {
    let b = b.map(|b| slice::<f32>(b, "the bias")).transpose()?.unwrap_or_default();
    let (within, behind) = activation.map_or((cpu::Activation::None, None), Activation::split);
    let mut out = kernel.run(x, shape.batch, &shape.axes, b, within)?;
    if let Some(behind) = behind {
        behind.apply(&mut out);
    }
    Ok(out)
}

/// Runs either direction on floats of one type.
fn run<D: Direction>(
    op: &D,
    inputs: &[Option<&Tensor>],
    prepared: Option<&Prepared>,
) -> Result<Vec<Tensor>, OpError> {
    let (x, w, b) = (required(inputs, 0)?, required(inputs, 1)?, optional(inputs, 2));
    let (shape, activation) = (&op.sizes(x.shape(), w.shape())?, op.activation());
    if b.is_some_and(|b| b.shape() != [shape.filters]) {
        return Err(OpError::invalid(format!("the bias is not for {} channels", shape.filters)));
    }
    fn each<T: Product>(
        x: &[T],
        w: &Tensor,
        b: Option<&Tensor>,
        shape: &ConvShape,
        transposed: bool,
    ) -> Result<Vec<T>, OpError> {
        let w = slice::<T>(w, "the weights")?;
        let b = b.map(|b| slice::<T>(b, "the bias")).transpose()?;
        if transposed { spread(x, w, b, shape) } else { convolve(x, w, b, shape) }
    }
    let out = match x.data() {
        Data::F32(x) => {
            let ready = prepared.and_then(|p| p.0.downcast_ref::<cpu::ConvKernel>());
            let out = match ready {
                Some(kernel) => fast(x, kernel, b, shape, activation)?,
                None => fast(x, &ordered(w, shape, D::TRANSPOSED)?, b, shape, activation)?,
            };
            tensor(shape.output.clone(), out)?
        }
        Data::F64(x) => {
            let mut out = each(x, w, b, shape, D::TRANSPOSED)?;
            if let Some(activation) = activation {
                out.iter_mut().for_each(|x| *x = activation.of_f64(*x));
            }
            tensor(shape.output.clone(), out)?
        }
        data => return Err(OpError::Type { what: "the input", got: data.dtype() }),
    };
    Ok(vec![out])
}

/// In what the two directions differ, so that what runs them stands once.
trait Direction: Debug + Send + Sync {
    const TRANSPOSED: bool;

    /// Sizes for inputs of these shapes.
    fn sizes(&self, x: &[usize], w: &[usize]) -> Result<ConvShape, OpError>;

    /// Channels of the input that weights of this shape are for.
    fn channels(&self, w: &[usize]) -> Option<usize>;

    fn activation(&self) -> Option<Activation>;
}

impl Direction for Conv {
    const TRANSPOSED: bool = false;

    fn sizes(&self, x: &[usize], w: &[usize]) -> Result<ConvShape, OpError> {
        self.shape(x, w)
    }

    fn channels(&self, w: &[usize]) -> Option<usize> {
        w.get(1)?.checked_mul(self.group)
    }

    fn activation(&self) -> Option<Activation> {
        self.activation
    }
}

impl Direction for ConvTranspose {
    const TRANSPOSED: bool = true;

    fn sizes(&self, x: &[usize], w: &[usize]) -> Result<ConvShape, OpError> {
        self.shape(x, w)
    }

    fn channels(&self, w: &[usize]) -> Option<usize> {
        w.first().copied()
    }

    fn activation(&self) -> Option<Activation> {
        self.activation
    }
}

impl<D: Direction> Kernel for D {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (x, w) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        let shape = self.sizes(&x.shape, &w.shape)?.output;
        Ok(Some(vec![TensorInfo { dtype: x.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        run(self, inputs, None)
    }

    fn prepare(&self, constants: &[Option<&Tensor>]) -> Option<Prepared> {
        // Weights in another type are not ordered.
        let w = optional(constants, 1).filter(|w| w.dtype() == DType::F32)?;
        // A large input, for what does not depend on its size.
        let space = w.shape().iter().skip(2).map(|_| 1 << 20);
        let x: Vec<_> = [1, self.channels(w.shape())?].into_iter().chain(space).collect();
        let shape = self.sizes(&x, w.shape()).ok()?;
        Some(Prepared(Arc::new(ordered(w, &shape, D::TRANSPOSED).ok()?)))
    }

    fn run_prepared(&self, inputs: &[Option<&Tensor>], ready: &Prepared) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        run(self, inputs, Some(ready))
    }

    fn scratch_bytes(&self, inputs: &[Option<Known<'_>>]) -> u64 {
        let (Ok(x), Ok(w)) = (known(inputs, 0), known(inputs, 1)) else { return 0 };
        let Ok(shape) = self.sizes(&x.info.shape, &w.info.shape) else { return 0 };
        cpu::conv_scratch_bytes(channels_of(&shape, D::TRANSPOSED), &shape.axes)
    }
}
