//! Products of matrices: MatMul with numpy's batches, and Gemm.
//!
//! The loops run over rows of the right matrix, which the compiler turns into vectors; what is faster belongs in `cpu`.

use crate::cpu::{self, Matrix};
use crate::ops::element::{Element, count, halves_in_f32, slice, tensor};
use crate::ops::{
    Attributes, Inferred, Kernel, Known, Op, OpError, broadcast, broadcast_strides, known, optional,
    required, walk,
};
use crate::tensor::{Data, Tensor, TensorInfo, elements};

/// The product of the last two axes, batches broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatMul;

/// alpha * A * B + beta * C, with A and B transposed on demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gemm {
    /// Factor of the product.
    pub alpha: f32,
    /// Factor of C.
    pub beta: f32,
    /// A as its columns.
    pub transpose_a: bool,
    /// B as its columns.
    pub transpose_b: bool,
}

pub fn parse_matmul(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::MatMul(MatMul))
}

pub fn parse_gemm(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::Gemm(Gemm {
        alpha: a.float("alpha", 1.0)?,
        beta: a.float("beta", 1.0)?,
        transpose_a: a.flag("transA", false)?,
        transpose_b: a.flag("transB", false)?,
    }))
}

/// Sizes of a product in batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatMulShape {
    /// Broadcast batch axes.
    pub batch: Vec<usize>,
    /// Batch axes of the left operand.
    pub batch_a: Vec<usize>,
    /// Batch axes of the right operand.
    pub batch_b: Vec<usize>,
    /// Rows of the left matrices.
    pub m: usize,
    /// Columns of the left and rows of the right matrices.
    pub k: usize,
    /// Columns of the right matrices.
    pub n: usize,
    /// Shape of the result.
    pub output: Vec<usize>,
}

impl MatMulShape {
    /// From the operands' shapes by numpy's rules: a vector on the left is a row, on the right a column.
    ///
    /// # Errors
    /// Shapes that have no product.
    pub fn new(a: &[usize], b: &[usize]) -> Result<Self, OpError> {
        let fault = || OpError::invalid(format!("there is no matrix product of {a:?} and {b:?}"));
        let (batch_a, m, k) = match a {
            [] => return Err(fault()),
            &[k] => (&[][..], 1, k),
            [batch @ .., m, k] => (batch, *m, *k),
        };
        let (batch_b, k_b, n) = match b {
            [] => return Err(fault()),
            &[k] => (&[][..], k, 1),
            [batch @ .., k, n] => (batch, *k, *n),
        };
        if k != k_b {
            return Err(fault());
        }
        let batch = broadcast(&[batch_a, batch_b])?;
        let mut output = batch.clone();
        output.extend((a.len() > 1).then_some(m));
        output.extend((b.len() > 1).then_some(n));
        Ok(Self { batch, batch_a: batch_a.into(), batch_b: batch_b.into(), m, k, n, output })
    }

    /// Calls `f` with the offsets of the left, the right and the resulting matrix of every batch.
    pub fn each(&self, mut f: impl FnMut(usize, usize, usize)) {
        let rank = self.batch.len();
        let scaled = |shape: &[usize], by: usize| -> Vec<usize> {
            broadcast_strides(shape, rank).into_iter().map(|s| s * by).collect()
        };
        let (a, b) = (scaled(&self.batch_a, self.m * self.k), scaled(&self.batch_b, self.k * self.n));
        let mut at = 0;
        walk(&self.batch, &[&a, &b], |[a, b]| {
            f(a, b, at);
            at += self.m * self.n;
        });
    }
}

/// What a product needs of its elements.
pub trait Product: Element {
    /// self + a * b
    fn add_product(self, a: Self, b: Self) -> Self;
}

macro_rules! product {
    ($($t:ty)*; $($i:ty)*) => {
        $(impl Product for $t {
            fn add_product(self, a: Self, b: Self) -> Self {
                self + a * b
            }
        })*
        $(impl Product for $i {
            fn add_product(self, a: Self, b: Self) -> Self {
                self.wrapping_add(a.wrapping_mul(b))
            }
        })*
    };
}
product!(f32 f64; i32 i64 u32 u64);

/// out (m by n) += a (m by k) * b (k by n), row major.
pub fn product<T: Product>(a: &[T], b: &[T], out: &mut [T], [m, k, n]: [usize; 3]) {
    if n == 0 || k == 0 {
        return;
    }
    for (row, out) in a.chunks_exact(k).zip(out.chunks_exact_mut(n)).take(m) {
        for (&x, b) in row.iter().zip(b.chunks_exact(n)) {
            for (out, &b) in out.iter_mut().zip(b) {
                *out = out.add_product(x, b);
            }
        }
    }
}

impl Kernel for MatMul {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (a, b) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        if a.dtype != b.dtype {
            return Err(OpError::invalid("the matrices are of different types"));
        }
        let shape = MatMulShape::new(&a.shape, &b.shape)?.output;
        Ok(Some(vec![TensorInfo { dtype: a.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let (a, b) = (required(inputs, 0)?, required(inputs, 1)?);
        let shape = MatMulShape::new(a.shape(), b.shape())?;
        fn all<T: Product>(a: &[T], b: &Tensor, shape: MatMulShape) -> Result<Tensor, OpError> {
            let b = slice::<T>(b, "the right matrix")?;
            let mut out = vec![T::default(); count(&shape.output)?];
            let (m, k, n) = (shape.m, shape.k, shape.n);
            shape.each(|i, j, o| {
                product(&a[i..i + m * k], &b[j..j + k * n], &mut out[o..o + m * n], [m, k, n]);
            });
            tensor(shape.output, out)
        }
        Ok(vec![match a.data() {
            Data::F32(v) => fast(v, slice::<f32>(b, "the right matrix")?, shape)?,
            Data::F64(v) => all(v, b, shape)?,
            Data::I32(v) => all(v, b, shape)?,
            Data::I64(v) => all(v, b, shape)?,
            Data::U32(v) => all(v, b, shape)?,
            Data::U64(v) => all(v, b, shape)?,
            data => return Err(OpError::Type { what: "the matrices", got: data.dtype() }),
        }])
    }

    fn scratch_bytes(&self, inputs: &[Option<Known<'_>>]) -> u64 {
        left_bytes(inputs)
    }
}

/// Of the left matrix, which is put in the order in which it is read.
fn left_bytes(inputs: &[Option<Known<'_>>]) -> u64 {
    known(inputs, 0).ok().and_then(|a| a.info.elements()).map_or(0, |n| 4 * n as u64)
}

/// All batches in f32, by the kernels of `cpu`.
fn fast(a: &[f32], b: &[f32], shape: MatMulShape) -> Result<Tensor, OpError> {
    let (m, k, n) = (shape.m, shape.k, shape.n);
    let (mut left, mut right) = (Vec::new(), Vec::new());
    shape.each(|i, j, _| {
        left.push(Matrix { data: &a[i..i + m * k], rows: m, columns: k, transposed: false });
        right.push(Matrix { data: &b[j..j + k * n], rows: k, columns: n, transposed: false });
    });
    // One matrix on the right for rows without batch: one long product rather than many short ones.
    if elements(&shape.batch_b) == Some(1) && a.len() == left.len() * m * k {
        left = vec![Matrix { data: a, rows: left.len() * m, columns: k, transposed: false }];
        right.truncate(1);
    }
    tensor(shape.output, cpu::matmul(&left, &right)?)
}

impl Gemm {
    /// Rows, depth and columns.
    pub fn sizes(&self, a: &[usize], b: &[usize]) -> Result<[usize; 3], OpError> {
        let (&[a0, a1], &[b0, b1]) = (a, b) else {
            return Err(OpError::invalid(format!("{a:?} and {b:?} are not two matrices")));
        };
        let (m, k) = if self.transpose_a { (a1, a0) } else { (a0, a1) };
        let (k_b, n) = if self.transpose_b { (b1, b0) } else { (b0, b1) };
        if k != k_b {
            return Err(OpError::invalid(format!("there is no matrix product of {a:?} and {b:?}")));
        }
        Ok([m, k, n])
    }
}

/// The elements of a matrix by columns.
fn transposed<T: Element>(v: &[T], rows: usize, columns: usize) -> Vec<T> {
    let mut out = Vec::with_capacity(v.len());
    walk(&[columns, rows], &[&[1, columns]], |[at]| out.push(v[at]));
    out
}

impl Kernel for Gemm {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (a, b) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        let [m, _, n] = self.sizes(&a.shape, &b.shape)?;
        if let Some(c) = inputs.get(2).copied().flatten()
            && broadcast(&[&c.info.shape, &[m, n]])? != [m, n]
        {
            return Err(OpError::Broadcast { shapes: vec![c.info.shape.clone(), vec![m, n]] });
        }
        Ok(Some(vec![TensorInfo { dtype: a.dtype, shape: vec![m, n] }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let (a, b, c) = (required(inputs, 0)?, required(inputs, 1)?, optional(inputs, 2));
        let sizes @ [m, k, n] = self.sizes(a.shape(), b.shape())?;
        let total = count(&[m, n])?;
        if let (Data::F32(x), Data::F32(y)) = (a.data(), b.data()) {
            let left = Matrix { data: x, rows: m, columns: k, transposed: self.transpose_a };
            let right = Matrix { data: y, rows: k, columns: n, transposed: self.transpose_b };
            let mut out = cpu::gemm(left, right)?;
            if self.alpha != 1.0 {
                out.iter_mut().for_each(|x| *x *= self.alpha);
            }
            if let Some(c) = c {
                if broadcast(&[c.shape(), &[m, n]])? != [m, n] {
                    return Err(OpError::invalid("the summand is larger than the product"));
                }
                let c = crate::ops::element::spread(slice::<f32>(c, "the summand")?, c.shape(), &[m, n])?;
                out.iter_mut().zip(c).for_each(|(x, c)| *x += self.beta * c);
            }
            return Ok(vec![tensor(vec![m, n], out)?]);
        }
        macro_rules! gemm {
            ($v:expr, $t:ty, $times:expr) => {{
                let b = slice::<$t>(b, "the right matrix")?;
                let a = if self.transpose_a { transposed($v, k, m) } else { $v.clone() };
                let b = if self.transpose_b { transposed(b, n, k) } else { b.to_vec() };
                let mut out = vec![<$t>::default(); total];
                product(&a, &b, &mut out, sizes);
                let c = match c {
                    Some(c) => {
                        let v = slice::<$t>(c, "the summand")?;
                        if broadcast(&[c.shape(), &[m, n]])? != [m, n] {
                            return Err(OpError::invalid("the summand is larger than the product"));
                        }
                        Some(crate::ops::element::spread(v, c.shape(), &[m, n])?)
                    }
                    None => None,
                };
                for (i, out) in out.iter_mut().enumerate() {
                    *out = $times(*out, self.alpha);
                    if let Some(c) = c.as_ref().and_then(|c| c.get(i)) {
                        *out = <$t>::add_product(*out, $times(*c, self.beta), 1 as $t);
                    }
                }
                tensor(vec![m, n], out)?
            }};
        }
        macro_rules! whole {
            ($v:expr, $t:ty) => {
                gemm!($v, $t, |x: $t, by: f32| if by == 1.0 { x } else { (x as f64 * f64::from(by)) as $t })
            };
        }
        Ok(vec![match a.data() {
            Data::F64(v) => gemm!(v, f64, |x: f64, by: f32| x * f64::from(by)),
            Data::I32(v) => whole!(v, i32),
            Data::I64(v) => whole!(v, i64),
            Data::U32(v) => whole!(v, u32),
            Data::U64(v) => whole!(v, u64),
            data => return Err(OpError::Type { what: "the matrices", got: data.dtype() }),
        }])
    }

    fn scratch_bytes(&self, inputs: &[Option<Known<'_>>]) -> u64 {
        left_bytes(inputs)
    }
}
