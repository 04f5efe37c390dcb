//! QLinearConv, QLinearMatMul, ConvInteger and MatMulInteger: products of integers, exact in 32 bits.
//!
//! Zero points are taken off first, so that padding is zero as it should be; then the plain loops of `conv` and
//! `matmul` run on i32, and the quantized forms scale, round and saturate once at the end.

use super::conv::{Conv, convolve, parse_conv};
use super::element::{count, tensor};
use super::matmul::{MatMulShape, product};
use super::numbers::{floats, from_integers, integers, rounded};
use super::{Attributes, Inferred, Kernel, Known, Op, OpError, known, optional, required};
use crate::tensor::{DType, Tensor, TensorInfo};

/// A convolution of integers: x, w and their zero points.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvInteger(Conv);

/// A quantized convolution: x, w and y, each with scale and zero point, and a bias in 32 bits.
#[derive(Clone, Debug, PartialEq)]
pub struct QLinearConv(Conv);

/// A product of matrices of integers: a, b and their zero points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatMulInteger;

/// A quantized product: a, b and y, each with scale and zero point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QLinearMatMul;

fn conv(a: &Attributes<'_>) -> Result<Conv, OpError> {
    match parse_conv(a)? {
        Op::Conv(conv) => Ok(conv),
        _ => Err(OpError::unsupported("this convolution")),
    }
}

pub fn parse_conv_integer(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(ConvInteger(conv(a)?)))
}

pub fn parse_qlinear_conv(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(QLinearConv(conv(a)?)))
}

pub fn parse_matmul_integer(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(MatMulInteger))
}

pub fn parse_qlinear_matmul(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(QLinearMatMul))
}

fn bytes(info: &TensorInfo, what: &'static str) -> Result<(), OpError> {
    match info.dtype {
        DType::I8 | DType::U8 => Ok(()),
        got => Err(OpError::Type { what, got }),
    }
}

/// 8-bit elements without their zero point; `which` says which zero point element `i` has, of `n`.
fn centred(
    tensor: &Tensor,
    zero: Option<&Tensor>,
    which: impl Fn(usize, usize) -> usize,
) -> Result<Vec<i32>, OpError> {
    bytes(&tensor.info(), "an operand of quantized products")?;
    let values = integers(tensor, "an operand")?;
    let zeros = zero.map_or(Ok(vec![0]), |zero| integers(zero, "the zero point"))?;
    if zeros.is_empty() {
        return Err(OpError::invalid("the zero point has no element"));
    }
    let zero =
        |i: usize| if zeros.len() == 1 { zeros[0] } else { zeros[which(i, zeros.len()) % zeros.len()] };
    // Bytes and their zero points: nothing leaves 32 bits.
    Ok(values.iter().enumerate().map(|(i, x)| (x - zero(i).clamp(-255, 255)) as i32).collect())
}

/// As many as there should be, or one for all.
fn per(tensor: &Tensor, what: &'static str, want: usize) -> Result<Vec<f64>, OpError> {
    let values = floats(tensor, what)?;
    match values.len() {
        1 => Ok(vec![values[0]; want]),
        n if n == want => Ok(values),
        n => Err(OpError::invalid(format!("{what} has {n} elements for {want}"))),
    }
}

impl Conv {
    /// The sums in 32 bits.
    fn integers(
        &self,
        (x, x_zero): (&Tensor, Option<&Tensor>),
        (w, w_zero): (&Tensor, Option<&Tensor>),
        bias: Option<&Tensor>,
    ) -> Result<(Vec<usize>, Vec<i32>), OpError> {
        let shape = self.shape(x.shape(), w.shape())?;
        let per_filter = w.data().len().checked_div(shape.filters).unwrap_or(1).max(1);
        let x = centred(x, x_zero, |_, _| 0)?;
        let w = centred(w, w_zero, |i, _| i / per_filter)?;
        let bias = bias.map(|bias| super::element::slice::<i32>(bias, "the bias")).transpose()?;
        Ok((shape.output.clone(), convolve(&x, &w, bias, &shape)?))
    }
}

impl Kernel for ConvInteger {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (x, w) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        bytes(x, "the input")?;
        bytes(w, "the weights")?;
        Ok(Some(vec![TensorInfo { dtype: DType::I32, shape: self.0.shape(&x.shape, &w.shape)?.output }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (x, w) = (required(inputs, 0)?, required(inputs, 1)?);
        let (shape, sums) = self.0.integers((x, optional(inputs, 2)), (w, optional(inputs, 3)), None)?;
        Ok(vec![tensor(shape, sums)?])
    }
}

impl Kernel for QLinearConv {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (x, w) = (known(inputs, 0)?.info, known(inputs, 3)?.info);
        bytes(x, "the input")?;
        bytes(w, "the weights")?;
        let dtype = known(inputs, 7)?.info.dtype;
        Ok(Some(vec![TensorInfo { dtype, shape: self.0.shape(&x.shape, &w.shape)?.output }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = |at| required(inputs, at);
        let (x, w) = ((input(0)?, Some(input(2)?)), (input(3)?, Some(input(5)?)));
        let (shape, sums) = self.0.integers(x, w, optional(inputs, 8))?;
        let filters = shape.get(1).copied().unwrap_or(1);
        let plane = count(shape.get(2..).unwrap_or_default())?.max(1);
        let (x_scale, y_scale) =
            (per(input(1)?, "the input's scale", 1)?, per(input(6)?, "the result's scale", 1)?);
        let w_scale = per(input(4)?, "the weights' scale", filters)?;
        let zero = integers(input(7)?, "the result's zero point")?.first().copied().unwrap_or(0);
        // In f32, as the formula's scales are.
        let factor: Vec<f32> =
            w_scale.iter().map(|w| x_scale[0] as f32 * *w as f32 / y_scale[0] as f32).collect();
        let of = |(i, &sum): (usize, &i32)| {
            (f64::from(sum) * f64::from(factor[i / plane % filters.max(1)])).round_ties_even() as i64 + zero
        };
        let values = sums.iter().enumerate().map(of).collect();
        Ok(vec![from_integers(shape, values, input(7)?.dtype())?])
    }
}

/// The sums in 32 bits, and the sizes of the product.
fn matmul(
    (a, a_zero): (&Tensor, Option<&Tensor>),
    (b, b_zero): (&Tensor, Option<&Tensor>),
) -> Result<(MatMulShape, Vec<i32>), OpError> {
    let shape = MatMulShape::new(a.shape(), b.shape())?;
    let (m, k, n) = (shape.m, shape.k, shape.n);
    // Zero points of a are per row, of b per column; those of batches follow each other.
    let a = centred(a, a_zero, |i, _| i / k.max(1))?;
    let b =
        centred(b, b_zero, |i, many| if many == n { i % n } else { i / (k * n).max(1) * n + i % n.max(1) })?;
    let mut sums = vec![0; count(&shape.output)?];
    shape.each(|i, j, o| product(&a[i..i + m * k], &b[j..j + k * n], &mut sums[o..o + m * n], [m, k, n]));
    Ok((shape, sums))
}

impl Kernel for MatMulInteger {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (a, b) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        bytes(a, "the left matrix")?;
        bytes(b, "the right matrix")?;
        Ok(Some(vec![TensorInfo { dtype: DType::I32, shape: MatMulShape::new(&a.shape, &b.shape)?.output }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (a, b) = (required(inputs, 0)?, required(inputs, 1)?);
        let (shape, sums) = matmul((a, optional(inputs, 2)), (b, optional(inputs, 3)))?;
        Ok(vec![tensor(shape.output, sums)?])
    }
}

impl Kernel for QLinearMatMul {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (a, b) = (known(inputs, 0)?.info, known(inputs, 3)?.info);
        bytes(a, "the left matrix")?;
        bytes(b, "the right matrix")?;
        let dtype = known(inputs, 7)?.info.dtype;
        Ok(Some(vec![TensorInfo { dtype, shape: MatMulShape::new(&a.shape, &b.shape)?.output }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = |at| required(inputs, at);
        let (shape, sums) = matmul((input(0)?, Some(input(2)?)), (input(3)?, Some(input(5)?)))?;
        let (a, b) = (floats(input(1)?, "the left scale")?, floats(input(4)?, "the right scale")?);
        let y = floats(input(6)?, "the result's scale")?;
        let zeros = integers(input(7)?, "the result's zero point")?;
        if a.is_empty() || b.is_empty() || y.is_empty() || zeros.is_empty() {
            return Err(OpError::invalid("a scale or zero point has no element"));
        }
        let precision = input(1)?.dtype();
        let n = shape.n.max(1);
        let values = sums.iter().enumerate().map(|(i, &sum)| {
            let (row, column) = (i / n, i % n);
            let b_at = if b.len() == n { column } else { row / shape.m.max(1) * n + column };
            let scale = rounded(a[row % a.len()] * b[b_at % b.len()], precision);
            let factor = rounded(scale / y[row % y.len()], precision);
            let zero = zeros[row % zeros.len()];
            (f64::from(sum) * factor).round_ties_even() as i64 + zero
        });
        let values = values.collect();
        Ok(vec![from_integers(shape.output, values, input(7)?.dtype())?])
    }
}
