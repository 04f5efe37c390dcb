//! LRN, LpNormalization, MeanVarianceNormalization and Det: rarer ways to scale a tensor, and determinants.
//!
//! In f64 throughout: sums of squares lose digits quickly, and none of these costs a network its time.

use super::element::count;
use super::numbers::{floats, from_floats};
use super::{Attributes, Inferred, Kernel, Known, Op, OpError, axes, axis, known, required, strides};
use crate::tensor::{Tensor, TensorInfo};

/// x / (bias + alpha / size · Σ x²) ^ beta, the sum over neighbouring channels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lrn {
    alpha: f64,
    beta: f64,
    bias: f64,
    size: usize,
}

/// x / (Σ |x|^p)^(1/p) along an axis; zeros stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LpNormalization {
    axis: i64,
    p: i64,
}

/// (x - mean) / deviation over axes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeanVariance {
    axes: Vec<i64>,
}

/// The determinants of square matrices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Det;

pub fn parse_lrn(a: &Attributes<'_>) -> Result<Op, OpError> {
    let size = a.int("size", 0)?;
    Ok(Op::host(Lrn {
        alpha: a.float("alpha", 0.0001)?.into(),
        beta: a.float("beta", 0.75)?.into(),
        bias: a.float("bias", 1.0)?.into(),
        size: usize::try_from(size)
            .ok()
            .filter(|&size| size > 0)
            .ok_or_else(|| OpError::invalid(format!("size is {size}")))?,
    }))
}

pub fn parse_lp(a: &Attributes<'_>) -> Result<Op, OpError> {
    let p = a.int("p", 2)?;
    if p != 1 && p != 2 {
        return Err(OpError::invalid(format!("p is {p}, not 1 or 2")));
    }
    Ok(Op::host(LpNormalization { axis: a.int("axis", -1)?, p }))
}

pub fn parse_mean_variance(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(MeanVariance { axes: a.maybe_ints("axes")?.unwrap_or_else(|| vec![0, 2, 3]) }))
}

pub fn parse_det(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Det))
}

fn same(inputs: &[Option<Known<'_>>]) -> Inferred {
    Ok(Some(vec![known(inputs, 0)?.info.clone()]))
}

impl Kernel for Lrn {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        same(inputs)
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let &[_, channels, ref spatial @ ..] = x.shape() else {
            return Err(OpError::invalid(format!("{:?} has no channels", x.shape())));
        };
        let plane = count(spatial)?;
        let values = floats(x, "the input")?;
        let (before, behind) = ((self.size - 1) / 2, self.size / 2);
        let mut out = Vec::with_capacity(values.len());
        for image in values.chunks_exact((channels * plane).max(1)) {
            for c in 0..channels {
                let near =
                    c.saturating_sub(before)..(c.saturating_add(behind).saturating_add(1)).min(channels);
                for i in 0..plane {
                    let sum: f64 = near.clone().map(|c| image[c * plane + i].powi(2)).sum();
                    out.push(
                        image[c * plane + i]
                            / (self.bias + self.alpha / self.size as f64 * sum).powf(self.beta),
                    );
                }
            }
        }
        Ok(vec![from_floats(x.shape().to_vec(), out, x.dtype())?])
    }
}

impl Kernel for LpNormalization {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        axis(self.axis, known(inputs, 0)?.info.shape.len())?;
        same(inputs)
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let at = axis(self.axis, x.shape().len())?;
        let (inner, extent) = (count(&x.shape()[at + 1..])?, x.shape()[at]);
        let mut values = floats(x, "the input")?;
        for block in values.chunks_exact_mut((inner * extent).max(1)) {
            for i in 0..inner {
                let along = (0..extent).map(|k| block[k * inner + i]);
                let norm = if self.p == 1 {
                    along.map(f64::abs).sum()
                } else {
                    along.map(|x| x * x).sum::<f64>().sqrt()
                };
                for k in 0..extent {
                    let x = &mut block[k * inner + i];
                    *x = if norm == 0.0 { 0.0 } else { *x / norm };
                }
            }
        }
        Ok(vec![from_floats(x.shape().to_vec(), values, x.dtype())?])
    }
}

impl Kernel for MeanVariance {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        axes(&self.axes, known(inputs, 0)?.info.shape.len())?;
        same(inputs)
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let over = axes(&self.axes, x.shape().len())?;
        let steps = strides(x.shape());
        let mut values = floats(x, "the input")?;
        // Elements that share a mean have the same number.
        let mut groups = 1;
        let mut parts = Vec::new();
        for i in (0..x.shape().len()).filter(|i| !over.contains(i)) {
            parts.push((steps[i], x.shape()[i], groups));
            groups *= x.shape()[i];
        }
        let group =
            |at: usize| parts.iter().map(|&(step, extent, by)| at / step % extent * by).sum::<usize>();
        let mut sums = vec![(0.0, 0.0); groups];
        values.iter().enumerate().for_each(|(at, x)| sums[group(at)].0 += x);
        let n = (values.len() / groups.max(1)).max(1) as f64;
        for (at, x) in values.iter().enumerate() {
            let sum = &mut sums[group(at)];
            sum.1 += (x - sum.0 / n).powi(2);
        }
        for (at, x) in values.iter_mut().enumerate() {
            let (sum, squares) = sums[group(at)];
            // 1e-9 keeps the quotient finite; it is part of the operator's text.
            *x = (*x - sum / n) / ((squares / n).sqrt() + 1e-9);
        }
        Ok(vec![from_floats(x.shape().to_vec(), values, x.dtype())?])
    }
}

/// By elimination with the largest pivot.
fn determinant(matrix: &mut [f64], n: usize) -> f64 {
    let mut product = 1.0;
    for k in 0..n {
        let size = |&row: &usize| matrix[row * n + k].abs();
        let pivot = (k..n).max_by(|a, b| size(a).total_cmp(&size(b))).unwrap_or(k);
        if pivot != k {
            (0..n).for_each(|j| matrix.swap(k * n + j, pivot * n + j));
            product = -product;
        }
        let head = matrix[k * n + k];
        product *= head;
        if head == 0.0 {
            return 0.0;
        }
        for row in k + 1..n {
            let factor = matrix[row * n + k] / head;
            for j in k..n {
                matrix[row * n + j] -= factor * matrix[k * n + j];
            }
        }
    }
    product
}

impl Kernel for Det {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let x = known(inputs, 0)?.info;
        match &x.shape[..] {
            [batch @ .., rows, columns] if rows == columns => {
                Ok(Some(vec![TensorInfo { dtype: x.dtype, shape: batch.to_vec() }]))
            }
            shape => Err(OpError::invalid(format!("{shape:?} are no square matrices"))),
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let [batch @ .., n, columns] = x.shape() else {
            return Err(OpError::invalid("a matrix has two axes"));
        };
        if n != columns {
            return Err(OpError::invalid(format!("a matrix of {n} by {columns} has no determinant")));
        }
        let mut values = floats(x, "the matrices")?;
        let out: Vec<f64> = if *n == 0 {
            vec![1.0; count(batch)?]
        } else {
            values.chunks_exact_mut(n * n).map(|matrix| determinant(matrix, *n)).collect()
        };
        Ok(vec![from_floats(batch.to_vec(), out, x.dtype())?])
    }
}
