//! Clip, Where, Cast and CastLike: choices and conversions of elements.
//!
//! Casts follow the tables of Cast-13 and later: floats are cut towards zero, out-of-range floats saturate (undefined
//! there), integers wrap, anything but 0 is true.

use half::{bf16, f16};

use crate::ops::element::{Element, halves_in_f32, scalar, spread, tensor};
use crate::ops::{Attributes, Inferred, Kernel, Known, Op, OpError, broadcast, known, optional, required};
use crate::tensor::{DType, Data, Tensor, TensorInfo};
use crate::{onnx, same_dtype};

/// Limits elements to a range; from opset 11 on the limits are inputs 1 and 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clip {
    /// Lower limit of opset 6.
    pub min: Option<f32>,
    /// Upper limit of opset 6.
    pub max: Option<f32>,
}

/// Elements of input 1 where input 0 is true, else of input 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Where;

/// Converts elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cast {
    /// To this type; `None` is CastLike: to that of input 1.
    pub to: Option<DType>,
}

pub fn parse_clip(a: &Attributes<'_>) -> Result<Op, OpError> {
    let (min, max) = if a.opset < 11 { (a.maybe_float("min")?, a.maybe_float("max")?) } else { (None, None) };
    Ok(Op::Clip(Clip { min, max }))
}

pub fn parse_where(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::Where(Where))
}

pub fn parse_cast(a: &Attributes<'_>) -> Result<Op, OpError> {
    let to = a.int("to", 0)?;
    let dtype =
        onnx::dtype(to).ok_or_else(|| OpError::unsupported(format!("a cast to {}", onnx::type_name(to))))?;
    Ok(Op::Cast(Cast { to: Some(dtype) }))
}

pub fn parse_cast_like(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::Cast(Cast { to: None }))
}

impl Clip {
    /// The limits, where they are known.
    pub fn limits(&self, min: Option<&Tensor>, max: Option<&Tensor>) -> Result<(f64, f64), OpError> {
        let limit = |input: Option<&Tensor>, attribute: Option<f32>, none: f64| match input {
            Some(t) => scalar(t, "a limit"),
            None => Ok(attribute.map_or(none, f64::from)),
        };
        Ok((limit(min, self.min, f64::NEG_INFINITY)?, limit(max, self.max, f64::INFINITY)?))
    }
}

impl Kernel for Clip {
    fn parameters(&self) -> &'static [usize] {
        &[1, 2]
    }

    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        Ok(Some(vec![known(inputs, 0)?.info.clone()]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let input = required(inputs, 0)?;
        let (min, max) = (optional(inputs, 1), optional(inputs, 2));
        // min(max, max(x, min)): where the limits are crossed the upper one wins, NaN stays.
        macro_rules! floats {
            ($v:expr, $t:ty) => {{
                let (lo, hi) = self.limits(min, max)?;
                let (lo, hi) = (lo as $t, hi as $t);
                let clip = |&x: &$t| {
                    let x = if x < lo { lo } else { x };
                    if x > hi { hi } else { x }
                };
                $v.iter().map(clip).collect()
            }};
        }
        macro_rules! whole {
            ($v:expr, $t:ty) => {{
                let limit = |t: Option<&Tensor>, none: $t| match t {
                    None => Ok(none),
                    Some(t) => <$t>::of(t.data())
                        .and_then(|v| v.first().copied())
                        .ok_or(OpError::Type { what: "a limit", got: t.dtype() }),
                };
                let (lo, hi) = (limit(min, <$t>::MIN)?, limit(max, <$t>::MAX)?);
                $v.iter().map(|&x| x.max(lo).min(hi)).collect()
            }};
        }
        let data = match input.data() {
            Data::F32(v) => Data::F32(floats!(v, f32)),
            Data::F64(v) => Data::F64(floats!(v, f64)),
            Data::I8(v) => Data::I8(whole!(v, i8)),
            Data::I16(v) => Data::I16(whole!(v, i16)),
            Data::I32(v) => Data::I32(whole!(v, i32)),
            Data::I64(v) => Data::I64(whole!(v, i64)),
            Data::U8(v) => Data::U8(whole!(v, u8)),
            Data::U16(v) => Data::U16(whole!(v, u16)),
            Data::U32(v) => Data::U32(whole!(v, u32)),
            Data::U64(v) => Data::U64(whole!(v, u64)),
            data => return Err(OpError::Type { what: "the input", got: data.dtype() }),
        };
        Ok(vec![Tensor::new(input.shape().to_vec(), data)?])
    }
}

impl Kernel for Where {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let [c, a, b] = [known(inputs, 0)?.info, known(inputs, 1)?.info, known(inputs, 2)?.info];
        if c.dtype != DType::Bool {
            return Err(OpError::Type { what: "the condition", got: c.dtype });
        }
        if a.dtype != b.dtype {
            return Err(OpError::invalid("the two choices are of different types"));
        }
        let shape = broadcast(&[&c.shape, &a.shape, &b.shape])?;
        Ok(Some(vec![TensorInfo { dtype: a.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (c, a, b) = (required(inputs, 0)?, required(inputs, 1)?, required(inputs, 2)?);
        let shape = broadcast(&[c.shape(), a.shape(), b.shape()])?;
        let Data::Bool(condition) = c.data() else {
            return Err(OpError::Type { what: "the condition", got: c.dtype() });
        };
        let condition = spread(condition, c.shape(), &shape)?;
        fn choose<T: Element>(
            condition: &[bool],
            (a, a_shape): (&[T], &[usize]),
            b: &Tensor,
            shape: &[usize],
        ) -> Result<Vec<T>, OpError> {
            let b_elements = crate::ops::element::slice::<T>(b, "the second choice")?;
            let mut out = spread(b_elements, b.shape(), shape)?;
            let a = spread(a, a_shape, shape)?;
            for ((out, a), &c) in out.iter_mut().zip(a).zip(condition) {
                if c {
                    *out = a;
                }
            }
            Ok(out)
        }
        let data = same_dtype!(a.data(), v => choose(&condition, (v, a.shape()), b, &shape)?);
        Ok(vec![Tensor::new(shape, data)?])
    }
}

/// Conversion of one element; integers go through i128, which holds all of them.
trait Convert: Element {
    fn from_float(x: f64) -> Self;
    fn from_int(x: i128) -> Self;
}

macro_rules! convert_int {
    ($($t:ident)*) => {$(
        impl Convert for $t {
            fn from_float(x: f64) -> Self {
                x as Self
            }
            fn from_int(x: i128) -> Self {
                x as Self
            }
        }
    )*};
}
convert_int!(f32 f64 i8 i16 i32 i64 u8 u16 u32 u64);

impl Convert for bool {
    fn from_float(x: f64) -> Self {
        x != 0.0
    }
    fn from_int(x: i128) -> Self {
        x != 0
    }
}

impl Convert for f16 {
    fn from_float(x: f64) -> Self {
        Self::from_f64(x)
    }
    fn from_int(x: i128) -> Self {
        Self::from_f64(x as f64)
    }
}

impl Convert for bf16 {
    fn from_float(x: f64) -> Self {
        // By way of f32, so that ties are rounded as onnx's reference does.
        Self::from_f32(x as f32)
    }
    fn from_int(x: i128) -> Self {
        Self::from_f32(x as f32)
    }
}

fn convert<T: Convert>(data: &Data) -> Vec<T> {
    macro_rules! ints {
        ($v:expr) => {
            $v.iter().map(|&x| T::from_int(i128::from(x))).collect()
        };
    }
    match data {
        Data::F32(v) => v.iter().map(|&x| T::from_float(x.into())).collect(),
        Data::F64(v) => v.iter().map(|&x| T::from_float(x)).collect(),
        Data::F16(v) => v.iter().map(|&x| T::from_float(x.to_f64())).collect(),
        Data::BF16(v) => v.iter().map(|&x| T::from_float(x.to_f64())).collect(),
        Data::I8(v) => ints!(v),
        Data::I16(v) => ints!(v),
        Data::I32(v) => ints!(v),
        Data::I64(v) => ints!(v),
        Data::U8(v) => ints!(v),
        Data::U16(v) => ints!(v),
        Data::U32(v) => ints!(v),
        Data::U64(v) => ints!(v),
        Data::Bool(v) => ints!(v),
    }
}

/// `tensor` with elements of type `to`.
pub fn cast(input: &Tensor, to: DType) -> Result<Tensor, OpError> {
    if input.dtype() == to {
        return Ok(input.clone());
    }
    let shape = input.shape().to_vec();
    let data = input.data();
    match to {
        DType::F32 => tensor::<f32>(shape, convert(data)),
        DType::F64 => tensor::<f64>(shape, convert(data)),
        DType::F16 => tensor::<f16>(shape, convert(data)),
        DType::BF16 => tensor::<bf16>(shape, convert(data)),
        DType::I8 => tensor::<i8>(shape, convert(data)),
        DType::I16 => tensor::<i16>(shape, convert(data)),
        DType::I32 => tensor::<i32>(shape, convert(data)),
        DType::I64 => tensor::<i64>(shape, convert(data)),
        DType::U8 => tensor::<u8>(shape, convert(data)),
        DType::U16 => tensor::<u16>(shape, convert(data)),
        DType::U32 => tensor::<u32>(shape, convert(data)),
        DType::U64 => tensor::<u64>(shape, convert(data)),
        DType::Bool => tensor::<bool>(shape, convert(data)),
    }
}

impl Kernel for Cast {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let shape = known(inputs, 0)?.info.shape.clone();
        let dtype = match self.to {
            Some(dtype) => dtype,
            None => known(inputs, 1)?.info.dtype,
        };
        Ok(Some(vec![TensorInfo { dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let to = match self.to {
            Some(dtype) => dtype,
            None => required(inputs, 1)?.dtype(),
        };
        Ok(vec![cast(required(inputs, 0)?, to)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn casts_cut_saturate_and_wrap() {
        let f = Tensor::new(vec![4], Data::F32(vec![-1.9, 300.0, f32::NAN, 2.9])).unwrap();
        assert_eq!(cast(&f, DType::U8).unwrap().into_data(), Data::U8(vec![0, 255, 0, 2]));
        assert_eq!(cast(&f, DType::I32).unwrap().into_data(), Data::I32(vec![-1, 300, 0, 2]));
        assert_eq!(cast(&f, DType::Bool).unwrap().into_data(), Data::Bool(vec![true; 4]));
        let i = Tensor::new(vec![2], Data::I64(vec![-1, 257])).unwrap();
        assert_eq!(cast(&i, DType::U8).unwrap().into_data(), Data::U8(vec![255, 1]));
    }

    #[test]
    fn where_limits_cross_the_upper_one_wins() {
        let x = Tensor::new(vec![2], Data::F32(vec![0.0, 9.0])).unwrap();
        let at = |v| Tensor::new(vec![], Data::F32(vec![v])).unwrap();
        let clip = Clip { min: None, max: None };
        let out = clip.run(&[Some(&x), Some(&at(5.0)), Some(&at(2.0))]).unwrap();
        assert_eq!(*out[0].data(), Data::F32(vec![2.0, 2.0]));
    }
}
