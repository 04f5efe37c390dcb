//! Operators that only name the elements anew, and those that make tensors out of shapes.
//!
//! Reshape, Flatten, Squeeze and Unsqueeze differ in how they say the new shape and in nothing else, so they are one
//! operator for the executors.

use crate::ops::element::{Element, count, scalar, tensor};
use crate::ops::{
    Attributes, Inferred, Kernel, Known, Op, OpError, Parameter, axes, axis, broadcast, ints, known,
    parameter, required,
};
use crate::tensor::{DType, Data, Tensor, TensorInfo};
use crate::{each_dtype, same_dtype};

/// The input; with a mask of ones behind it for Dropout, which does nothing outside of training.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// Dropout of opset 12 and later: inputs 1 and 2 are its ratio and whether it is training.
    pub dropout: bool,
    /// Whether a second output, all true, is wanted.
    pub mask: bool,
}

/// The same elements in another shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reshape {
    /// Shape in input 1: 0 keeps an extent (unless `allow_zero`), one -1 takes what is left.
    To {
        /// Whether 0 means 0.
        allow_zero: bool,
    },
    /// Two axes: those before `axis` and those from it.
    Flatten {
        /// May be negative.
        axis: i64,
    },
    /// Without axes of extent 1: the named ones, else those in input 1, else all.
    Squeeze {
        /// From the attribute of opsets before 13.
        axes: Option<Vec<i64>>,
    },
    /// With new axes of extent 1, named or in input 1.
    Unsqueeze {
        /// From the attribute of opsets before 13.
        axes: Option<Vec<i64>>,
    },
}

/// Repeats along axes of extent 1 to the shape in input 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Expand;

pub fn parse_identity(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::Identity(Identity { dropout: false, mask: false }))
}

pub fn parse_dropout(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::Identity(Identity { dropout: a.opset >= 12, mask: a.outputs() > 1 }))
}

pub fn parse_reshape(a: &Attributes<'_>) -> Result<Op, OpError> {
    let axes = || if a.opset < 13 { a.maybe_ints("axes") } else { Ok(None) };
    Ok(Op::Reshape(match a.op_type() {
        "Reshape" => Reshape::To { allow_zero: a.flag("allowzero", false)? },
        "Flatten" => Reshape::Flatten { axis: a.int("axis", 1)? },
        "Squeeze" => Reshape::Squeeze { axes: axes()? },
        "Unsqueeze" => Reshape::Unsqueeze { axes: axes()? },
        other => return Err(OpError::unsupported(format!("operator {other}"))),
    }))
}

pub fn parse_expand(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::Expand(Expand))
}

/// Refuses to drop anything out: nobody could repeat what came of it.
fn trains(ratio: Option<&Tensor>, training: Option<&Tensor>) -> Result<(), OpError> {
    let training = matches!(training.map(Tensor::data), Some(Data::Bool(v)) if v.first() == Some(&true));
    // Dropout-12: the ratio is 0.5 unless it is given.
    let ratio = ratio.map_or(Ok(0.5), |t| scalar(t, "the ratio"))?;
    if training && ratio != 0.0 { Err(OpError::unsupported("dropout in training")) } else { Ok(()) }
}

impl Kernel for Identity {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        let value = |at: usize| inputs.get(at).copied().flatten().and_then(|k| k.value);
        if self.dropout {
            trains(value(1), value(2))?;
        }
        let mask = TensorInfo { dtype: DType::Bool, shape: info.shape.clone() };
        Ok(Some(if self.mask { vec![info.clone(), mask] } else { vec![info.clone()] }))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        if self.dropout {
            let value = |at: usize| inputs.get(at).copied().flatten();
            trains(value(1), value(2))?;
        }
        let mut out = vec![input.clone()];
        if self.mask {
            out.push(tensor(input.shape().to_vec(), vec![true; input.data().len()])?);
        }
        Ok(out)
    }

    fn parameters(&self) -> &'static [usize] {
        // Dropout's ratio and training mode.
        &[1, 2]
    }
}

impl Reshape {
    fn shape(&self, input: &[usize], given: &Parameter) -> Result<Option<Vec<usize>>, OpError> {
        let given = match (self, given) {
            (Self::To { .. }, Parameter::Absent) => return Err(OpError::Missing { input: 1 }),
            (Self::Flatten { .. }, _) => None,
            (Self::Squeeze { axes: Some(list) } | Self::Unsqueeze { axes: Some(list) }, _) => Some(list),
            (Self::Unsqueeze { axes: None }, Parameter::Absent) => return Err(OpError::Missing { input: 1 }),
            (_, Parameter::Unknown) => return Ok(None),
            (_, Parameter::Absent) => None,
            (_, Parameter::Ints(list)) => Some(list),
        };
        let none = Vec::new();
        let list = given.unwrap_or(&none);
        Ok(Some(match self {
            Self::To { allow_zero } => reshaped(input, list, *allow_zero)?,
            Self::Flatten { axis: at } => {
                let rank = input.len();
                // The axis may stand behind the last one.
                let at = if *at == rank as i64 { rank } else { axis(*at, rank)? };
                vec![count(&input[..at])?, count(&input[at..])?]
            }
            Self::Squeeze { .. } => {
                let drop = match given {
                    Some(list) => axes(list, input.len())?,
                    None => (0..input.len()).filter(|&i| input[i] == 1).collect(),
                };
                if let Some(&bad) = drop.iter().find(|&&i| input[i] != 1) {
                    return Err(OpError::invalid(format!(
                        "axis {bad} has extent {} and cannot be squeezed",
                        input[bad]
                    )));
                }
                (0..input.len()).filter(|i| !drop.contains(i)).map(|i| input[i]).collect()
            }
            Self::Unsqueeze { .. } => {
                let rank = input.len() + list.len();
                let new = axes(list, rank)?;
                let mut old = input.iter();
                (0..rank).map(|i| if new.contains(&i) { 1 } else { *old.next().unwrap_or(&1) }).collect()
            }
        }))
    }
}

fn reshaped(input: &[usize], to: &[i64], allow_zero: bool) -> Result<Vec<usize>, OpError> {
    let fault = || OpError::invalid(format!("shape {input:?} cannot become {to:?}"));
    let mut shape = Vec::with_capacity(to.len());
    let mut open = None;
    for (i, &extent) in to.iter().enumerate() {
        shape.push(match extent {
            0 if !allow_zero => *input.get(i).ok_or_else(fault)?,
            -1 if open.is_none() => {
                open = Some(i);
                1
            }
            extent => usize::try_from(extent).map_err(|_| fault())?,
        });
    }
    let (all, rest) = (count(input)?, count(&shape)?);
    if let Some(i) = open {
        shape[i] = all.checked_div(rest).unwrap_or(0);
    }
    if count(&shape)? == all { Ok(shape) } else { Err(fault()) }
}

impl Kernel for Reshape {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let input = known(inputs, 0)?.info;
        let shape = self.shape(&input.shape, &parameter(inputs, 1)?)?;
        Ok(shape.map(|shape| vec![TensorInfo { dtype: input.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let given = match inputs.get(1).copied().flatten() {
            Some(t) => Parameter::Ints(ints(t)?),
            None => Parameter::Absent,
        };
        let shape = self.shape(input.shape(), &given)?.ok_or(OpError::Missing { input: 1 })?;
        Ok(vec![Tensor::new(shape, input.data().clone())?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}

impl Kernel for Expand {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let input = known(inputs, 0)?.info;
        match parameter(inputs, 1)? {
            Parameter::Absent => Err(OpError::Missing { input: 1 }),
            Parameter::Unknown => Ok(None),
            Parameter::Ints(to) => {
                let shape = broadcast(&[&input.shape, &extents(&to)?])?;
                Ok(Some(vec![TensorInfo { dtype: input.dtype, shape }]))
            }
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let shape = broadcast(&[input.shape(), &extents(&ints(required(inputs, 1)?)?)?])?;
        let data = same_dtype!(input.data(), v => crate::ops::element::spread(v, input.shape(), &shape)?);
        Ok(vec![Tensor::new(shape, data)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}

/// A shape that came as a tensor.
pub fn extents(list: &[i64]) -> Result<Vec<usize>, OpError> {
    list.iter()
        .map(|&e| usize::try_from(e).map_err(|_| OpError::invalid(format!("{list:?} is no shape"))))
        .collect()
}

/// The shape of the input, or of the axes from `start` to before `end`, as a tensor.
#[derive(Clone, Copy, Debug)]
struct Shape {
    start: i64,
    end: Option<i64>,
}

/// The number of elements.
#[derive(Clone, Copy, Debug)]
struct Size;

pub fn parse_shape(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Shape { start: a.int("start", 0)?, end: a.maybe_int("end")? }))
}

pub fn parse_size(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Size))
}

impl Shape {
    fn part<'s>(&self, shape: &'s [usize]) -> &'s [usize] {
        let rank = shape.len() as i64;
        // Out-of-range values are clamped (Shape-15).
        let at = |v: i64| (if v < 0 { v.saturating_add(rank) } else { v }).clamp(0, rank) as usize;
        let (start, end) = (at(self.start), self.end.map_or(shape.len(), at));
        &shape[start..end.max(start)]
    }

    fn of(&self, shape: &[usize]) -> Result<Tensor, OpError> {
        let part: Vec<i64> = self.part(shape).iter().map(|&e| e as i64).collect();
        tensor(vec![part.len()], part)
    }
}

impl Kernel for Shape {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let axes = self.part(&known(inputs, 0)?.info.shape).len();
        Ok(Some(vec![TensorInfo { dtype: DType::I64, shape: vec![axes] }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        Ok(vec![self.of(required(inputs, 0)?.shape())?])
    }

    fn known_by_shapes(&self, inputs: &[Option<Known<'_>>]) -> Option<Vec<Tensor>> {
        Some(vec![self.of(&known(inputs, 0).ok()?.info.shape).ok()?])
    }
}

impl Kernel for Size {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        known(inputs, 0)?;
        Ok(Some(vec![TensorInfo { dtype: DType::I64, shape: vec![] }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        Ok(vec![tensor(vec![], vec![required(inputs, 0)?.data().len() as i64])?])
    }

    fn known_by_shapes(&self, inputs: &[Option<Known<'_>>]) -> Option<Vec<Tensor>> {
        let elements = known(inputs, 0).ok()?.info.elements()?;
        Some(vec![tensor(vec![], vec![elements as i64]).ok()?])
    }
}

/// A tensor of the shape in input 0, all of one value.
#[derive(Clone, Debug)]
struct ConstantOfShape {
    value: Tensor,
}

/// Numbers from input 0 to before input 1 in steps of input 2.
#[derive(Clone, Copy, Debug)]
struct Range;

/// Ones on a diagonal of a matrix as large as the input.
#[derive(Clone, Copy, Debug)]
struct EyeLike {
    to: Option<DType>,
    diagonal: i64,
}

pub fn parse_constant_of_shape(a: &Attributes<'_>) -> Result<Op, OpError> {
    let value = match a.maybe_tensor("value")? {
        Some(tensor) if tensor.data().len() == 1 => tensor,
        Some(_) => return Err(OpError::invalid("value has not exactly one element")),
        None => tensor(vec![1], vec![0f32])?,
    };
    Ok(Op::host(ConstantOfShape { value }))
}

pub fn parse_range(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Range))
}

pub fn parse_eye_like(a: &Attributes<'_>) -> Result<Op, OpError> {
    let to = match a.maybe_int("dtype")? {
        None => None,
        Some(number) => Some(crate::onnx::dtype(number).ok_or_else(|| {
            OpError::unsupported(format!("element type {}", crate::onnx::type_name(number)))
        })?),
    };
    Ok(Op::host(EyeLike { to, diagonal: a.int("k", 0)? }))
}

impl Kernel for ConstantOfShape {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let shape = match parameter(inputs, 0)? {
            Parameter::Absent => return Err(OpError::Missing { input: 0 }),
            Parameter::Unknown => return Ok(None),
            Parameter::Ints(list) => extents(&list)?,
        };
        Ok(Some(vec![TensorInfo { dtype: self.value.dtype(), shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let shape = extents(&ints(required(inputs, 0)?)?)?;
        let n = count(&shape)?;
        let data = same_dtype!(self.value.data(), v => vec![v.first().copied().unwrap_or_default(); n]);
        Ok(vec![Tensor::new(shape, data)?])
    }
}

impl Range {
    /// max(ceil((limit - start) / delta), 0)
    fn length(start: &Tensor, limit: &Tensor, delta: &Tensor) -> Result<usize, OpError> {
        let whole = |t: &Tensor| each_dtype!(t.data(), v => v.first().map(|x| x.to_f64()));
        if let (Data::I64(s), Data::I64(l), Data::I64(d)) = (start.data(), limit.data(), delta.data())
            && let (Some(&s), Some(&l), Some(&d)) = (s.first(), l.first(), d.first())
        {
            let (s, l, d) = (i128::from(s), i128::from(l), i128::from(d));
            if d == 0 {
                return Err(OpError::invalid("the step is 0"));
            }
            let n = (l - s + d - d.signum()).checked_div(d).unwrap_or(0).max(0);
            return usize::try_from(n).map_err(|_| OpError::invalid("the range is too long"));
        }
        let (Some(s), Some(l), Some(d)) = (whole(start), whole(limit), whole(delta)) else {
            return Err(OpError::invalid("start, limit and step are scalars"));
        };
        let n = ((l - s) / d).ceil().max(0.0);
        if d == 0.0 || !n.is_finite() || n > 1e12 {
            return Err(OpError::invalid(format!("a range from {s} to {l} in steps of {d} has no end")));
        }
        Ok(n as usize)
    }
}

impl Kernel for Range {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let [start, limit, delta] = [known(inputs, 0)?, known(inputs, 1)?, known(inputs, 2)?];
        let (Some(s), Some(l), Some(d)) = (start.value, limit.value, delta.value) else { return Ok(None) };
        Ok(Some(vec![TensorInfo { dtype: start.info.dtype, shape: vec![Self::length(s, l, d)?] }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let [start, limit, delta] = [required(inputs, 0)?, required(inputs, 1)?, required(inputs, 2)?];
        let n = Self::length(start, limit, delta)?;
        if let (Data::I64(s), Data::I64(d)) = (start.data(), delta.data()) {
            let (s, d) = (s.first().copied().unwrap_or(0), d.first().copied().unwrap_or(1));
            return Ok(vec![tensor(
                vec![n],
                (0..n as i64).map(|i| s.wrapping_add(i.wrapping_mul(d))).collect(),
            )?]);
        }
        let (s, d) = (scalar(start, "the start")?, scalar(delta, "the step")?);
        let wide: Vec<f64> = (0..n).map(|i| s + i as f64 * d).collect();
        let out = super::elementwise::cast(&tensor(vec![n], wide)?, start.dtype())?;
        Ok(vec![out])
    }
}

impl Kernel for EyeLike {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        if info.shape.len() != 2 {
            return Err(OpError::invalid(format!("the input has {} axes, not two", info.shape.len())));
        }
        Ok(Some(vec![TensorInfo { dtype: self.to.unwrap_or(info.dtype), shape: info.shape.clone() }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let &[rows, columns] = input.shape() else {
            return Err(OpError::invalid("the input has not two axes"));
        };
        let mut ones = vec![0u8; count(&[rows, columns])?];
        for row in 0..rows {
            let column = (row as i64).saturating_add(self.diagonal);
            if (0..columns as i64).contains(&column) {
                ones[row * columns + column as usize] = 1;
            }
        }
        let ones = tensor(vec![rows, columns], ones)?;
        Ok(vec![super::elementwise::cast(&ones, self.to.unwrap_or(input.dtype()))?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reshape_keeps_takes_the_rest_and_refuses() {
        assert_eq!(reshaped(&[2, 3, 4], &[0, -1], false).unwrap(), [2, 12]);
        assert_eq!(reshaped(&[0, 3], &[3, 0], true).unwrap(), [3, 0]);
        for to in [&[5, -1][..], &[-1, -1], &[2, 3, 4, 0], &[i64::MAX, i64::MAX], &[-2]] {
            assert!(reshaped(&[2, 3, 4], to, false).is_err(), "{to:?}");
        }
    }

    #[test]
    fn ranges_are_counted_in_whole_steps() {
        let i = |v: i64| tensor(vec![], vec![v]).unwrap();
        assert_eq!(Range::length(&i(3), &i(9), &i(3)).unwrap(), 2);
        assert_eq!(Range::length(&i(10), &i(4), &i(-2)).unwrap(), 3);
        assert_eq!(Range::length(&i(10), &i(3), &i(-2)).unwrap(), 4);
        assert_eq!(Range::length(&i(1), &i(1), &i(5)).unwrap(), 0);
        assert!(Range::length(&i(1), &i(2), &i(0)).is_err());
        assert!(Range::length(&i(i64::MIN), &i(i64::MAX), &i(1)).is_ok());
    }
}
