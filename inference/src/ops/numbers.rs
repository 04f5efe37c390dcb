//! Elements of any floating or integer type as f64 or i64, and back, for operators that are not worth a loop per type.
//!
//! f64 holds every f32 and every half exactly, so the only rounding is the one at the end.

use half::{bf16, f16};

use super::OpError;
use crate::tensor::{DType, Data, Tensor};

/// The elements of a floating tensor; `what` names it in the error.
pub fn floats(tensor: &Tensor, what: &'static str) -> Result<Vec<f64>, OpError> {
    Ok(match tensor.data() {
        Data::F32(v) => v.iter().map(|&x| f64::from(x)).collect(),
        Data::F64(v) => v.clone(),
        Data::F16(v) => v.iter().map(|x| x.to_f64()).collect(),
        Data::BF16(v) => v.iter().map(|x| x.to_f64()).collect(),
        data => return Err(OpError::Type { what, got: data.dtype() }),
    })
}

/// The elements of an integer tensor; `what` names it in the error.
pub fn integers(tensor: &Tensor, what: &'static str) -> Result<Vec<i64>, OpError> {
    macro_rules! wide {
        ($v:expr) => {
            $v.iter().map(|&x| i64::from(x)).collect()
        };
    }
    Ok(match tensor.data() {
        Data::I8(v) => wide!(v),
        Data::I16(v) => wide!(v),
        Data::I32(v) => wide!(v),
        Data::I64(v) => v.clone(),
        Data::U8(v) => wide!(v),
        Data::U16(v) => wide!(v),
        Data::U32(v) => wide!(v),
        data => return Err(OpError::Type { what, got: data.dtype() }),
    })
}

/// A floating tensor of these elements, rounded to its type.
pub fn from_floats(shape: Vec<usize>, values: Vec<f64>, dtype: DType) -> Result<Tensor, OpError> {
    let data = match dtype {
        DType::F32 => Data::F32(values.into_iter().map(|x| x as f32).collect()),
        DType::F64 => Data::F64(values),
        DType::F16 => Data::F16(values.into_iter().map(f16::from_f64).collect()),
        DType::BF16 => Data::BF16(values.into_iter().map(bf16::from_f64).collect()),
        got => return Err(OpError::Type { what: "a floating result", got }),
    };
    Ok(Tensor::new(shape, data)?)
}

/// An integer tensor of these elements, limited to what its type holds.
pub fn from_integers(shape: Vec<usize>, values: Vec<i64>, dtype: DType) -> Result<Tensor, OpError> {
    macro_rules! narrow {
        ($t:ty, $d:ident) => {
            Data::$d(
                values
                    .into_iter()
                    .map(|x| x.clamp(i64::from(<$t>::MIN), i64::from(<$t>::MAX)) as $t)
                    .collect(),
            )
        };
    }
    let data = match dtype {
        DType::I8 => narrow!(i8, I8),
        DType::I16 => narrow!(i16, I16),
        DType::I32 => narrow!(i32, I32),
        DType::I64 => Data::I64(values),
        DType::U8 => narrow!(u8, U8),
        DType::U16 => narrow!(u16, U16),
        DType::U32 => narrow!(u32, U32),
        got => return Err(OpError::Type { what: "an integer result", got }),
    };
    Ok(Tensor::new(shape, data)?)
}

/// Rounded to a floating type.
pub fn rounded(x: f64, to: DType) -> f64 {
    match to {
        DType::F32 => f64::from(x as f32),
        DType::F16 => f16::from_f64(x).to_f64(),
        DType::BF16 => bf16::from_f64(x).to_f64(),
        _ => x,
    }
}
