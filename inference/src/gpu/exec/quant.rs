//! QuantizeLinear and DequantizeLinear of activations, executed literally as generated chains.
//!
//! A model with a pair of them around every operator would otherwise travel to the host and back at each. The integers
//! are exactly the host's: quotients are corrected to the nearest f32, because WGSL's are good to 2.5 ulp only and a
//! quotient beside a half decides over a whole step.

use super::chains::job;
use super::lower::{Args, Job, arg};
use crate::gpu::kernels::elementwise::{Binary as B, Chain, Elementwise, Step, Ty, Unary as U};
use crate::ops::axis;
use crate::ops::quant::{DequantizeLinear, QuantizeLinear, Scales};
use crate::tensor::{DType, TensorInfo};

/// The shape under which scales broadcast: one for all, or one per index of an axis.
fn shape(x: &[usize], scale: &[usize], at: i64) -> Option<Vec<usize>> {
    if !Scales::new(x, scale, at, 0).ok()?.per_index() {
        return Some(vec![]);
    }
    let at = axis(at, x.len()).ok()?;
    Some([&x[at..=at], &vec![1; x.len() - at - 1]].concat())
}

/// Whether elements are integers of at most 16 bits; a word holds them as they are.
const fn small(dtype: DType) -> bool {
    matches!(dtype, DType::I8 | DType::U8 | DType::I16 | DType::U16)
}

/// Whether there is a zero point, and one for each scale.
fn zeros(inputs: Args<'_, '_>, scales: &[usize], dtype: DType) -> Option<bool> {
    let Some(zero) = arg(inputs, 2) else { return Some(false) };
    let many = |shape: &[usize]| shape.iter().product::<usize>();
    (zero.info.dtype == dtype && many(&zero.info.shape) == many(scales)).then_some(true)
}

/// A job whose scale and zero point are broadcast alike.
fn chained(chain: Chain, shapes: [&[usize]; 2], zero: bool) -> Option<Job> {
    let [x, scale] = shapes.map(<[usize]>::to_vec);
    let mut shapes = vec![x.clone(), scale.clone()];
    shapes.extend(zero.then_some(scale));
    job(Elementwise { extents: x, shapes, chain }, (0..2 + usize::from(zero)).collect())
}

/// saturate(round(x / scale) + zero), halves to even; what is no number becomes 0, as on the host.
pub(super) fn quantize(op: &QuantizeLinear, inputs: Args<'_, '_>, outputs: &[TensorInfo]) -> Option<Job> {
    let (x, scale, out) = (arg(inputs, 0)?.info, arg(inputs, 1)?.info, outputs.first()?);
    let precise = op.precision.is_none_or(|precision| precision == DType::F32);
    if x.dtype != DType::F32 || scale.dtype != DType::F32 || !precise || op.block != 0 {
        return None;
    }
    let (low, high) = match out.dtype {
        DType::U8 => (0.0, f32::from(u8::MAX)),
        DType::I8 => (f32::from(i8::MIN), f32::from(i8::MAX)),
        DType::U16 => (0.0, f32::from(u16::MAX)),
        DType::I16 => (f32::from(i16::MIN), f32::from(i16::MAX)),
        _ => return None,
    };
    let zero = zeros(inputs, &scale.shape, out.dtype)?;
    let types = [Ty::F32, Ty::F32, Ty::I32];
    let mut c = Chain::new(&types[..2 + usize::from(zero)]);
    let quotient = c.binary(B::Ratio, 0, 1);
    // Beyond any result, so that the limits below decide.
    let (least, most) = (c.constant(-1_048_576.0), c.constant(1_048_576.0));
    let near = c.binary(B::Max, quotient, least);
    let near = c.binary(B::Min, near, most);
    let mut steps = c.unary(U::Round, near);
    if zero {
        let zero = c.push(Step::Cast(Ty::F32, 2));
        steps = c.binary(B::Add, steps, zero);
    }
    let (low, high, none) = (c.constant(low), c.constant(high), c.constant(0.0));
    let above = c.binary(B::Max, steps, low);
    let within = c.binary(B::Min, above, high);
    let lost = c.unary(U::IsNan, 0);
    let number = c.push(Step::Select(lost, none, within));
    c.push(Step::Cast(Ty::I32, number));
    chained(c, [&x.shape, &shape(&x.shape, &scale.shape, op.axis)?], zero)
}

/// (x - zero) * scale.
pub(super) fn dequantize(op: &DequantizeLinear, inputs: Args<'_, '_>, outputs: &[TensorInfo]) -> Option<Job> {
    let (x, scale, out) = (arg(inputs, 0)?.info, arg(inputs, 1)?.info, outputs.first()?);
    if !small(x.dtype) || scale.dtype != DType::F32 || out.dtype != DType::F32 || op.block != 0 {
        return None;
    }
    let zero = zeros(inputs, &scale.shape, x.dtype)?;
    let types = [Ty::I32, Ty::F32, Ty::I32];
    let mut c = Chain::new(&types[..2 + usize::from(zero)]);
    let steps = if zero { c.binary(B::Sub, 0, 2) } else { 0 };
    let number = c.push(Step::Cast(Ty::F32, steps));
    c.binary(B::Mul, number, 1);
    chained(c, [&x.shape, &shape(&x.shape, &scale.shape, op.axis)?], zero)
}
