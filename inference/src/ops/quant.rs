//! QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear, executed literally.
//!
//! Scales are one per tensor, per index of an axis, or per block along an axis; which one an element has is decided in
//! one place. Rounding is half to even and everything saturates, so that quantized files give onnxruntime's numbers.

use super::element::{count, narrow, slice, tensor, widen};
use super::numbers::{floats, integers, rounded};
use super::{Attributes, Inferred, Kernel, Known, Op, OpError, axis, known, optional, required};
use crate::onnx;
use crate::tensor::{DType, Data, Tensor, TensorInfo};

/// `saturate(round(x / scale) + zero_point)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuantizeLinear {
    /// Axis of the scales, where there are several.
    pub axis: i64,
    /// Elements along the axis that share a scale; 0 where each index has its own.
    pub block: usize,
    /// Type of the result where there is no zero point.
    pub output: Option<DType>,
    /// Type in which the division is done; else that of the scale.
    pub precision: Option<DType>,
}

/// `(x - zero_point) * scale`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DequantizeLinear {
    /// Axis of the scales, where there are several.
    pub axis: i64,
    /// Elements along the axis that share a scale; 0 where each index has its own.
    pub block: usize,
    /// Type of the result; else that of the scale.
    pub output: Option<DType>,
}

/// To u8, with the scale and zero point that the elements ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DynamicQuantizeLinear;

/// A type that an attribute names by its number, 0 where it names none.
fn named(a: &Attributes<'_>, name: &str) -> Result<Option<DType>, OpError> {
    match a.int(name, 0)? {
        0 => Ok(None),
        number => match onnx::dtype(number) {
            Some(dtype) => Ok(Some(dtype)),
            None => Err(OpError::unsupported(format!("{name} {number}"))),
        },
    }
}

fn block(a: &Attributes<'_>) -> Result<usize, OpError> {
    let block = a.int("block_size", 0)?;
    usize::try_from(block).map_err(|_| OpError::invalid(format!("block_size is {block}")))
}

pub fn parse_quantize(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::QuantizeLinear(QuantizeLinear {
        axis: a.int("axis", 1)?,
        block: block(a)?,
        output: named(a, "output_dtype")?,
        precision: named(a, "precision")?,
    }))
}

pub fn parse_dequantize(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::DequantizeLinear(DequantizeLinear {
        axis: a.int("axis", 1)?,
        block: block(a)?,
        output: named(a, "output_dtype")?,
    }))
}

pub fn parse_dynamic(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(DynamicQuantizeLinear))
}

/// Which scale an element has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scales {
    /// Elements per index of the axis.
    inner: usize,
    /// Indices of the axis.
    extent: usize,
    /// Indices that share a scale; 0 where there is one scale in all.
    block: usize,
    /// Whether elements of one index have scales of their own.
    blocked: bool,
}

impl Scales {
    /// For an input and scales of these shapes.
    ///
    /// # Errors
    /// Scales that are neither one, nor one per index of the axis, nor one per block.
    pub fn new(x: &[usize], scale: &[usize], at: i64, block: usize) -> Result<Self, OpError> {
        let fault =
            || OpError::invalid(format!("scales {scale:?} do not fit an input {x:?} along axis {at}"));
        if block == 0 && scale.iter().product::<usize>() == 1 {
            return Ok(Self { inner: 1, extent: 1, block: 0, blocked: false });
        }
        let at = axis(at, x.len())?;
        let inner = count(&x[at + 1..])?;
        let extent = x[at];
        if block == 0 {
            let fits = scale.len() == 1 && scale[0] == extent;
            return if fits { Ok(Self { inner, extent, block: 1, blocked: false }) } else { Err(fault()) };
        }
        let mut want = x.to_vec();
        want[at] = extent.div_ceil(block);
        if scale == want { Ok(Self { inner, extent, block, blocked: true }) } else { Err(fault()) }
    }

    /// Whether each index of an axis has its own scale, and not all elements one.
    pub fn per_index(&self) -> bool {
        self.block == 1 && !self.blocked
    }

    /// Elements in a row that share a scale, of `n` in all.
    fn run(&self, n: usize) -> usize {
        match (self.block, self.blocked) {
            (0, _) => n.max(1),
            (_, false) => self.inner.max(1),
            (_, true) => 1,
        }
    }

    /// The scale of element `i`.
    pub fn of(&self, i: usize) -> usize {
        if self.block == 0 || self.inner == 0 || self.extent == 0 {
            return 0;
        }
        let (row, within) = (i / self.inner, i % self.inner);
        let (outer, index) = (row / self.extent, row % self.extent);
        if self.blocked {
            (outer * self.extent.div_ceil(self.block) + index / self.block) * self.inner + within
        } else {
            index
        }
    }
}

/// Half to even, for magnitudes below 2²²: the sum has no bits left behind the point.
fn round(x: f32) -> f32 {
    const MAGIC: f32 = 12_582_912.0;
    (x + MAGIC) - MAGIC
}

/// The type of the results.
fn target(output: Option<DType>, zero: Option<DType>) -> Result<DType, OpError> {
    match (zero.or(output).unwrap_or(DType::U8), output) {
        (zero, Some(output)) if zero != output => Err(OpError::invalid(format!(
            "output_dtype {} is not the zero point's {}",
            output.name(),
            zero.name()
        ))),
        (got @ (DType::U8 | DType::I8 | DType::U16 | DType::I16), _) => Ok(got),
        (got, _) => Err(OpError::Type { what: "a quantized result", got }),
    }
}

/// The zero points as integers, as many as scales.
pub(super) fn zeros(zero: Option<&Tensor>, scales: usize) -> Result<Vec<i64>, OpError> {
    let Some(zero) = zero else { return Ok(vec![0; scales]) };
    let zeros = integers(zero, "the zero point")?;
    if zeros.len() == scales {
        Ok(zeros)
    } else {
        Err(OpError::invalid(format!("{} zero points for {scales} scales", zeros.len())))
    }
}

impl Kernel for QuantizeLinear {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (x, scale) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        Scales::new(&x.shape, &scale.shape, self.axis, self.block)?;
        let zero = inputs.get(2).copied().flatten().map(|zero| zero.info.dtype);
        Ok(Some(vec![TensorInfo { dtype: target(self.output, zero)?, shape: x.shape.clone() }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (x, scale, zero) = (required(inputs, 0)?, required(inputs, 1)?, optional(inputs, 2));
        let scales = Scales::new(x.shape(), scale.shape(), self.axis, self.block)?;
        let dtype = target(self.output, zero.map(Tensor::dtype))?;
        let precision = self.precision.unwrap_or(scale.dtype());
        let factors = floats(scale, "the scale")?;
        let zeros = zeros(zero, factors.len())?;
        let wide = widen(x);
        let x = wide.as_ref().unwrap_or(x);
        macro_rules! quantize {
            ($t:ty, $d:ident) => {{
                let (low, high) = (f32::from(<$t>::MIN), f32::from(<$t>::MAX));
                let mut out: Vec<$t> = Vec::with_capacity(x.data().len());
                let run = scales.run(x.data().len());
                let all = |i: usize| {
                    let at = scales.of(i * run);
                    (factors.get(at).copied().unwrap_or(1.0), zeros.get(at).copied().unwrap_or(0))
                };
                match x.data() {
                    Data::F32(v) if precision == DType::F32 => {
                        for (i, v) in v.chunks(run).enumerate() {
                            let (scale, zero) = all(i);
                            let (scale, zero) = (scale as f32, zero as f32);
                            // Larger than any result, so the limits below decide.
                            let near = |x: f32| (x / scale).clamp(-1_048_576.0, 1_048_576.0);
                            out.extend(v.iter().map(|&x| (round(near(x)) + zero).clamp(low, high) as $t));
                        }
                    }
                    _ => {
                        let v: Vec<f64> = match x.data() {
                            Data::I32(v) => v.iter().map(|&x| f64::from(x)).collect(),
                            _ => floats(x, "the input")?,
                        };
                        for (i, v) in v.chunks(run).enumerate() {
                            let (scale, zero) = all(i);
                            let near = |x: f64| rounded(x / scale, precision).round_ties_even();
                            out.extend(v.iter().map(|&x| {
                                (near(x) + zero as f64).clamp(f64::from(low), f64::from(high)) as $t
                            }));
                        }
                    }
                }
                Data::$d(out)
            }};
        }
        let data = match dtype {
            DType::U8 => quantize!(u8, U8),
            DType::I8 => quantize!(i8, I8),
            DType::U16 => quantize!(u16, U16),
            _ => quantize!(i16, I16),
        };
        Ok(vec![Tensor::new(x.shape().to_vec(), data)?])
    }
}

impl DequantizeLinear {
    fn target(&self, scale: DType) -> Result<DType, OpError> {
        match self.output.unwrap_or(scale) {
            got @ (DType::F32 | DType::F16 | DType::BF16) => Ok(got),
            got => Err(OpError::Type { what: "a dequantized result", got }),
        }
    }
}

impl Kernel for DequantizeLinear {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (x, scale) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        Scales::new(&x.shape, &scale.shape, self.axis, self.block)?;
        Ok(Some(vec![TensorInfo { dtype: self.target(scale.dtype)?, shape: x.shape.clone() }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (x, scale, zero) = (required(inputs, 0)?, required(inputs, 1)?, optional(inputs, 2));
        let scales = Scales::new(x.shape(), scale.shape(), self.axis, self.block)?;
        let dtype = self.target(scale.dtype())?;
        let factors = floats(scale, "the scale")?;
        let zeros = zeros(zero, factors.len())?;
        let mut out: Vec<f32> = Vec::with_capacity(x.data().len());
        macro_rules! dequantize {
            ($v:expr, $wide:ty) => {{
                let run = scales.run($v.len());
                for (i, v) in $v.chunks(run).enumerate() {
                    let at = scales.of(i * run);
                    let scale = factors.get(at).copied().unwrap_or(1.0) as f32;
                    let zero = zeros.get(at).copied().unwrap_or(0) as $wide;
                    out.extend(v.iter().map(|&x| (<$wide>::from(x) - zero) as f32 * scale));
                }
            }};
        }
        match x.data() {
            Data::I8(v) => dequantize!(v, i32),
            Data::U8(v) => dequantize!(v, i32),
            Data::I16(v) => dequantize!(v, i32),
            Data::U16(v) => dequantize!(v, i32),
            Data::I32(v) => dequantize!(v, i64),
            data => return Err(OpError::Type { what: "the input", got: data.dtype() }),
        }
        Ok(vec![narrow(tensor(x.shape().to_vec(), out)?, dtype)?])
    }
}

impl Kernel for DynamicQuantizeLinear {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let one = |dtype| TensorInfo { dtype, shape: vec![] };
        let y = TensorInfo { dtype: DType::U8, shape: known(inputs, 0)?.info.shape.clone() };
        Ok(Some(vec![y, one(DType::F32), one(DType::U8)]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let values = slice::<f32>(x, "the input")?;
        // The range holds zero, so that zero has an exact code.
        let low = values.iter().fold(0.0f32, |low, &x| low.min(x));
        let high = values.iter().fold(0.0f32, |high, &x| high.max(x));
        let scale = if high == low { 1.0 } else { (high - low) / 255.0 };
        let zero = round((-low / scale).clamp(0.0, 255.0));
        let near = |x: f32| (x / scale).clamp(-1_048_576.0, 1_048_576.0);
        let y = values.iter().map(|&x| (round(near(x)) + zero).clamp(0.0, 255.0) as u8).collect();
        Ok(vec![
            tensor(x.shape().to_vec(), y)?,
            tensor(vec![], vec![scale])?,
            tensor(vec![], vec![zero as u8])?,
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_go_to_even_and_what_is_too_large_saturates() {
        let x = Tensor::new(vec![6], Data::F32(vec![0.5, 1.5, -2.5, 1e30, -1e30, 3.2])).unwrap();
        let one = Tensor::new(vec![], Data::F32(vec![1.0])).unwrap();
        let zero = Tensor::new(vec![], Data::I8(vec![3])).unwrap();
        let op = QuantizeLinear { axis: 1, block: 0, output: None, precision: None };
        let y = op.run(&[Some(&x), Some(&one), Some(&zero)]).unwrap();
        assert_eq!(y[0].data(), &Data::I8(vec![3, 5, 1, 127, -128, 6]));
    }

    #[test]
    fn scales_belong_to_a_tensor_an_index_or_a_block() {
        let index = |scales: Result<Scales, OpError>| {
            (0..12).map(|i| scales.clone().unwrap().of(i)).collect::<Vec<_>>()
        };
        assert_eq!(index(Scales::new(&[2, 3, 2], &[], 1, 0)), [0; 12]);
        assert_eq!(index(Scales::new(&[2, 3, 2], &[3], 1, 0)), [0, 0, 1, 1, 2, 2, 0, 0, 1, 1, 2, 2]);
        assert_eq!(index(Scales::new(&[2, 3, 2], &[2, 2, 2], 1, 2)), [0, 1, 0, 1, 2, 3, 4, 5, 4, 5, 6, 7]);
        assert!(Scales::new(&[2, 3, 2], &[2], 1, 0).is_err());
        assert!(Scales::new(&[2, 3, 2], &[2, 1, 2], 1, 2).is_err());
        assert!(Scales::new(&[2, 3, 2], &[3], 5, 0).is_err());
    }
}
