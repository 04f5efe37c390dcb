//! Attention as exports of transformers write it, in one operator: softmax(q · k · scale + mask) · v.
//!
//! No operator of ONNX: exporters write products, a softmax and many moves of axes. Taken together, an executor can read
//! queries, keys and values where one product has left them, and the moves are never stored.

use std::borrow::Cow;

use crate::ops::elementwise::{Binary, BinaryKind};
use crate::ops::index::{Gather, place};
use crate::ops::layout::permute;
use crate::ops::matmul::{MatMul, MatMulShape};
use crate::ops::reduce::{Softmax, SoftmaxKind};
use crate::ops::{Inferred, Kernel, Known, OpError, broadcast, known, optional, required, strides};
use crate::tensor::{Data, Tensor, TensorInfo, elements};

/// How a tensor is looked at: one index of an axis, then the rest in another order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// Axis that goes, and the index along it.
    pub part: Option<(usize, i64)>,
    /// Order of the axes that are left.
    pub order: Option<Vec<usize>>,
}

/// A view at a concrete shape, in elements.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Strided {
    /// First element.
    pub origin: usize,
    /// Extents.
    pub extents: Vec<usize>,
    /// Distances along the axes.
    pub steps: Vec<usize>,
}

impl View {
    /// Of a tensor of this shape.
    ///
    /// # Errors
    /// Axes and indices that the shape does not have.
    pub fn of(&self, shape: &[usize]) -> Result<Strided, OpError> {
        let fault = || OpError::invalid(format!("{self:?} is no view of {shape:?}"));
        let all = strides(shape);
        let mut axes: Vec<usize> = (0..shape.len()).collect();
        let mut origin = 0;
        if let Some((axis, index)) = self.part {
            origin = place(index, *shape.get(axis).ok_or_else(fault)?)? * all[axis];
            axes.remove(axis);
        }
        if let Some(order) = &self.order {
            if order.len() != axes.len() {
                return Err(fault());
            }
            axes = order.iter().map(|&i| axes.get(i).copied()).collect::<Option<_>>().ok_or_else(fault)?;
        }
        let [extents, steps] = [shape, &all].map(|of| axes.iter().map(|&axis| of[axis]).collect());
        Ok(Strided { origin, extents, steps })
    }

    /// What is seen, as a tensor of its own.
    fn taken<'t>(&self, tensor: &'t Tensor) -> Result<Cow<'t, Tensor>, OpError> {
        // The view is checked as a whole before anything of it is taken.
        self.of(tensor.shape())?;
        let mut taken = Cow::Borrowed(tensor);
        if let Some((axis, index)) = self.part {
            let index = Tensor::new(vec![], Data::I64(vec![index]))?;
            taken = Cow::Owned(one(&Gather { axis: axis as i64 }, &[Some(&taken), Some(&index)])?);
        }
        Ok(match &self.order {
            None => taken,
            Some(order) => Cow::Owned(permute(&taken, order)?),
        })
    }
}

/// Inputs: q (…, queries, size), k (…, size, keys), v (…, keys, size), all as views; then, where there are any, a mask that
/// is added to the scores, a factor of the scores, one of q and one of k.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// Of q, k and v.
    pub views: [View; 3],
    /// Whether the factors of scores, q and k divide.
    pub divides: [bool; 3],
    /// Order of the axes of the result; the last one stays.
    pub out: Option<Vec<usize>>,
}

/// Places of the inputs behind q, k and v.
pub const MASK: usize = 3;
/// Of the scores.
pub const FACTOR: usize = 4;
/// Of q.
pub const FACTOR_Q: usize = 5;
/// Of k.
pub const FACTOR_K: usize = 6;

fn one(kernel: &dyn Kernel, inputs: &[Option<&Tensor>]) -> Result<Tensor, OpError> {
    kernel.run(inputs)?.pop().ok_or_else(|| OpError::invalid("an operator without a result"))
}

impl Heads {
    /// Shapes of the scores and of the result, for inputs of these shapes.
    ///
    /// # Errors
    /// Shapes that do not go together.
    pub fn shapes<'s>(
        &self,
        shape: impl Fn(usize) -> Option<&'s [usize]>,
    ) -> Result<[Vec<usize>; 2], OpError> {
        let seen = |at: usize| {
            let shape = shape(at).ok_or(OpError::Missing { input: at })?;
            Ok::<_, OpError>(self.views[at].of(shape)?.extents)
        };
        let with = |extents: Vec<usize>, at: usize| match shape(at) {
            None => Ok::<_, OpError>(extents),
            Some(other) => broadcast(&[&extents, other]),
        };
        let (q, k, v) = (with(seen(0)?, FACTOR_Q)?, with(seen(1)?, FACTOR_K)?, seen(2)?);
        let scores = with(with(MatMulShape::new(&q, &k)?.output, FACTOR)?, MASK)?;
        let out = MatMulShape::new(&scores, &v)?.output;
        Ok([scores, self.ordered(&out)?])
    }

    fn ordered(&self, shape: &[usize]) -> Result<Vec<usize>, OpError> {
        Ok(View { part: None, order: self.out.clone() }.of(shape)?.extents)
    }
}

impl Kernel for Heads {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let shape = |at: usize| inputs.get(at).copied().flatten().map(|known| &known.info.shape[..]);
        let [_, shape] = self.shapes(shape)?;
        Ok(Some(vec![TensorInfo { dtype: known(inputs, 0)?.info.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let scaled = |x: Tensor, at: usize| match optional(inputs, at) {
            None => Ok::<_, OpError>(x),
            Some(factor) => {
                let kind = if self.divides[at - FACTOR] { BinaryKind::Div } else { BinaryKind::Mul };
                one(&Binary { kind }, &[Some(&x), Some(factor)])
            }
        };
        let operand = |at: usize| self.views[at].taken(required(inputs, at)?);
        let (q, k) =
            (scaled(operand(0)?.into_owned(), FACTOR_Q)?, scaled(operand(1)?.into_owned(), FACTOR_K)?);
        let mut scores = scaled(one(&MatMul, &[Some(&q), Some(&k)])?, FACTOR)?;
        drop((q, k));
        if let Some(mask) = optional(inputs, MASK) {
            scores = one(&Binary { kind: BinaryKind::Add }, &[Some(&scores), Some(mask)])?;
        }
        let softmax = Softmax { kind: SoftmaxKind::Softmax, axis: -1, flatten: false };
        scores = one(&softmax, &[Some(&scores)])?;
        let out = one(&MatMul, &[Some(&scores), Some(&*operand(2)?)])?;
        Ok(vec![match &self.out {
            None => out,
            Some(order) => {
                self.ordered(out.shape())?;
                permute(&out, order)?
            }
        }])
    }

    fn parameters(&self) -> &'static [usize] {
        &[FACTOR, FACTOR_Q, FACTOR_K]
    }

    fn scratch_bytes(&self, inputs: &[Option<Known<'_>>]) -> u64 {
        let shape = |at: usize| inputs.get(at).copied().flatten().map(|known| &known.info.shape[..]);
        let words = |shape: &[usize]| elements(shape).map_or(u64::MAX, |n| n as u64);
        let scores = self.shapes(shape).map_or(0, |[scores, _]| words(&scores));
        let operands = (0..3).filter_map(shape).map(words).fold(0, u64::saturating_add);
        let each = inputs.first().copied().flatten().map_or(4, |known| known.info.dtype.bytes() as u64);
        // Scores before and after a step, and the operands moved.
        scores.saturating_mul(2).saturating_add(operands).saturating_mul(each)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_view_names_the_elements_that_moving_them_gives() {
        let shape = vec![2, 3, 4, 5];
        let tensor = Tensor::new(shape.clone(), Data::I32((0..120).collect())).unwrap();
        for part in [None, Some((1, 2)), Some((2, -1))] {
            let orders =
                if part.is_none() { vec![vec![0, 1, 2, 3], vec![2, 0, 3, 1]] } else { vec![vec![1, 2, 0]] };
            for order in orders.into_iter().map(Some).chain([None]) {
                let view = View { part, order };
                let seen = view.of(&shape).unwrap();
                let taken = view.taken(&tensor).unwrap();
                assert_eq!(taken.shape(), seen.extents);
                let mut at = Vec::new();
                crate::ops::walk(&seen.extents, &[&seen.steps], |[i]| at.push((seen.origin + i) as i32));
                assert_eq!(taken.data(), &Data::I32(at), "{view:?}");
            }
        }
        assert!(View { part: Some((4, 0)), order: None }.of(&shape).is_err(), "no such axis");
        assert!(View { part: Some((1, 3)), order: None }.of(&shape).is_err(), "no such index");
        assert!(View { part: None, order: Some(vec![0, 1]) }.of(&shape).is_err(), "axes are missing");
    }
}
