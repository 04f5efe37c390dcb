//! Constant: a tensor, a number or a list of numbers that stands in the node itself.
//!
//! The loader takes the value at once; the operator exists for the list of what is supported.

use crate::ops::{Attributes, Inferred, Kernel, Known, Op, OpError};
use crate::tensor::{Data, Tensor};

#[derive(Clone, Debug)]
struct Constant {
    value: Tensor,
}

pub fn parse_constant(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Constant { value: value(a)? }))
}

impl Kernel for Constant {
    fn infer(&self, _: &[Option<Known<'_>>]) -> Inferred {
        Ok(Some(vec![self.value.info()]))
    }

    fn run(&self, _: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        Ok(vec![self.value.clone()])
    }
}

/// The value of a Constant node.
pub fn value(a: &Attributes<'_>) -> Result<Tensor, OpError> {
    let list = |data: Data| Tensor::new(vec![data.len()], data);
    if let Some(tensor) = a.maybe_tensor("value")? {
        return Ok(tensor);
    }
    if let Some(value) = a.maybe_int("value_int")? {
        return Ok(Tensor::new(vec![], Data::I64(vec![value]))?);
    }
    if let Some(value) = a.maybe_float("value_float")? {
        return Ok(Tensor::new(vec![], Data::F32(vec![value]))?);
    }
    if let Some(values) = a.maybe_ints("value_ints")? {
        return Ok(list(Data::I64(values))?);
    }
    if let Some(values) = a.maybe_floats("value_floats")? {
        return Ok(list(Data::F32(values))?);
    }
    Err(OpError::unsupported("a constant that is neither a tensor nor numbers"))
}
