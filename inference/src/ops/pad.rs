//! Pad in all its modes, with negative pads as well.
//!
//! A table per axis says where each place of the output comes from; modes differ in that table and in nothing else.

use crate::ops::element::{Element, count, slice};
use crate::ops::{
    Attributes, Inferred, Kernel, Known, Op, OpError, Parameter, axes, ints, known, parameter, required,
    strides,
};
use crate::same_dtype;
use crate::tensor::{Data, Tensor, TensorInfo};

/// How Pad fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named as the modes
pub enum PadMode {
    Constant,
    Reflect,
    Edge,
    Wrap,
}

/// The tensor with more (or, with negative pads, fewer) elements around it.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// How to fill.
    pub mode: PadMode,
    /// Begins, then ends, from the attribute of opsets before 11; else input 1 has them.
    pub pads: Option<Vec<i64>>,
    /// Value of the attribute of opsets before 11; else input 2 has it.
    pub value: f32,
}

pub fn parse_pad(a: &Attributes<'_>) -> Result<Op, OpError> {
    let mode = match a.text("mode", "constant")? {
        "constant" => PadMode::Constant,
        "reflect" => PadMode::Reflect,
        "edge" => PadMode::Edge,
        "wrap" => PadMode::Wrap,
        other => return Err(OpError::unsupported(format!("pad mode {other:?}"))),
    };
    let old = a.opset < 11;
    let pads = if old { Some(a.ints("pads")?) } else { None };
    Ok(Op::Pad(Pad { mode, pads, value: if old { a.float("value", 0.0)? } else { 0.0 } }))
}

impl Pad {
    /// Begin and end of every axis.
    pub fn amounts(
        &self,
        rank: usize,
        pads: &Parameter,
        named: &Parameter,
    ) -> Result<Option<Vec<(i64, i64)>>, OpError> {
        let list = match (&self.pads, pads) {
            (Some(list), _) | (None, Parameter::Ints(list)) => list,
            (None, Parameter::Unknown) => return Ok(None),
            (None, Parameter::Absent) => return Err(OpError::Missing { input: 1 }),
        };
        let at = match named {
            Parameter::Absent => (0..rank).collect(),
            Parameter::Unknown => return Ok(None),
            Parameter::Ints(list) => axes(list, rank)?,
        };
        if list.len() != 2 * at.len() {
            return Err(OpError::invalid(format!("pads {list:?} are not for {} axes", at.len())));
        }
        let mut amounts = vec![(0, 0); rank];
        for (i, &axis) in at.iter().enumerate() {
            amounts[axis] = (list[i], list[at.len() + i]);
        }
        Ok(Some(amounts))
    }

    fn shape(&self, input: &[usize], amounts: &[(i64, i64)]) -> Result<Vec<usize>, OpError> {
        let fault = || OpError::invalid(format!("shape {input:?} cannot be padded by {amounts:?}"));
        let extent = |(&extent, &(begin, end)): (&usize, &(i64, i64))| {
            let out = i128::from(begin) + i128::from(end) + extent as i128;
            let fills = out > 0 && (begin > 0 || end > 0) && self.mode != PadMode::Constant;
            if fills && extent == 0 {
                return Err(fault());
            }
            usize::try_from(out).map_err(|_| fault())
        };
        input.iter().zip(amounts).map(extent).collect()
    }

    /// Place in the input of place `at` of the output along an axis; `None` is the value.
    fn source(&self, at: i64, extent: i64) -> Option<usize> {
        if (0..extent).contains(&at) {
            return Some(at as usize);
        }
        Some(match self.mode {
            PadMode::Constant => return None,
            PadMode::Edge => at.clamp(0, extent - 1) as usize,
            PadMode::Wrap => at.rem_euclid(extent) as usize,
            PadMode::Reflect if extent == 1 => 0,
            PadMode::Reflect => {
                let period = 2 * (extent - 1);
                let at = at.rem_euclid(period);
                at.min(period - at) as usize
            }
        })
    }
}

impl Kernel for Pad {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        let amounts = self.amounts(info.shape.len(), &parameter(inputs, 1)?, &parameter(inputs, 3)?)?;
        let Some(amounts) = amounts else { return Ok(None) };
        let shape = self.shape(&info.shape, &amounts)?;
        Ok(Some(vec![TensorInfo { dtype: info.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let given = |at: usize| match inputs.get(at).copied().flatten() {
            Some(t) => Ok::<_, OpError>(Parameter::Ints(ints(t)?)),
            None => Ok(Parameter::Absent),
        };
        let amounts = self.amounts(input.shape().len(), &given(1)?, &given(3)?)?;
        let amounts = amounts.ok_or(OpError::Missing { input: 1 })?;
        let shape = self.shape(input.shape(), &amounts)?;
        let from = strides(input.shape());
        // Per axis and place: the offset in the input.
        let tables: Vec<Vec<Option<usize>>> = (0..shape.len())
            .map(|i| {
                let extent = input.shape()[i] as i64;
                (0..shape[i] as i64)
                    .map(|at| self.source(at.saturating_sub(amounts[i].0), extent).map(|s| s * from[i]))
                    .collect()
            })
            .collect();
        let value = match inputs.get(2).copied().flatten() {
            Some(t) if t.dtype() == input.dtype() => t.clone(),
            Some(t) => super::elementwise::cast(t, input.dtype())?,
            None => {
                let value = Tensor::new(vec![1], Data::F32(vec![self.value]))?;
                super::elementwise::cast(&value, input.dtype())?
            }
        };
        fn padded<T: Element>(
            v: &[T],
            tables: &[Vec<Option<usize>>],
            shape: &[usize],
            value: &Tensor,
        ) -> Result<Vec<T>, OpError> {
            let value = slice::<T>(value, "the value")?.first().copied().unwrap_or_default();
            let mut out = Vec::with_capacity(count(shape)?);
            let Some((last, outer)) = tables.split_last() else { return Ok(v.to_vec()) };
            let rows: usize = shape[..outer.len()].iter().product();
            let mut index = vec![0; outer.len()];
            for _ in 0..rows {
                let row = index.iter().zip(outer).try_fold(0, |sum, (&i, table)| Some(sum + table[i]?));
                match row {
                    None => out.resize(out.len() + last.len(), value),
                    Some(row) => out.extend(last.iter().map(|at| at.map_or(value, |at| v[row + at]))),
                }
                for i in (0..outer.len()).rev() {
                    index[i] += 1;
                    if index[i] < shape[i] {
                        break;
                    }
                    index[i] = 0;
                }
            }
            Ok(out)
        }
        let data = same_dtype!(input.data(), v => padded(v, &tables, &shape, &value)?);
        Ok(vec![Tensor::new(shape, data)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1, 2, 3]
    }
}
