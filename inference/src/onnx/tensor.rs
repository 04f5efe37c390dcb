//! `TensorProto`: shape, element type and where the elements are.
//!
//! Elements are turned into a [`Tensor`] only when asked for; until then a weight is a slice of the file.

use half::{bf16, f16};

use super::wire::{Field, Fields};
use super::{Limits, ReadError};
use crate::tensor::{DType, Data, Tensor, elements};

/// A tensor as the file stores it.
#[derive(Clone, Debug, Default)]
pub struct RawTensor<'a> {
    /// Name, empty for attributes.
    pub name: &'a str,
    /// Extents as stored, not yet checked.
    pub dims: Vec<i64>,
    /// `TensorProto.DataType`.
    pub data_type: i64,
    raw: Option<&'a [u8]>,
    floats: Vec<f32>,
    doubles: Vec<f64>,
    /// int32_data, int64_data and uint64_data: one at a time is in use.
    ints: Vec<i64>,
    external: bool,
}

/// The element type with this number, `None` where there is none here.
pub const fn dtype(number: i64) -> Option<DType> {
    Some(match number {
        1 => DType::F32,
        2 => DType::U8,
        3 => DType::I8,
        4 => DType::U16,
        5 => DType::I16,
        6 => DType::I32,
        7 => DType::I64,
        9 => DType::Bool,
        10 => DType::F16,
        11 => DType::F64,
        12 => DType::U32,
        13 => DType::U64,
        16 => DType::BF16,
        _ => return None,
    })
}

/// The name of a number of `TensorProto.DataType`, also of those that are not computed with here.
pub const fn type_name(number: i64) -> &'static str {
    match dtype(number) {
        Some(dtype) => dtype.name(),
        None => match number {
            8 => "string",
            14 => "complex64",
            15 => "complex128",
            17 => "float8e4m3fn",
            18 => "float8e4m3fnuz",
            19 => "float8e5m2",
            20 => "float8e5m2fnuz",
            21 => "uint4",
            22 => "int4",
            23 => "float4e2m1",
            24 => "float8e8m0",
            25 => "uint2",
            26 => "int2",
            _ => "unknown",
        },
    }
}

impl<'a> RawTensor<'a> {
    /// Reads a `TensorProto`.
    ///
    /// # Errors
    /// See [`ReadError`].
    pub fn read(bytes: &'a [u8], limits: &Limits) -> Result<Self, ReadError> {
        let mut tensor = Self::default();
        for field in Fields::new(bytes) {
            let (number, value) = field?;
            match number {
                1 => value.ints(&mut tensor.dims)?,
                2 => tensor.data_type = value.int()?,
                4 => value.floats(&mut tensor.floats)?,
                5 | 7 | 11 => value.ints(&mut tensor.ints)?,
                8 => tensor.name = value.text(limits.name)?,
                9 => tensor.raw = Some(value.bytes()?),
                10 => value.doubles(&mut tensor.doubles)?,
                13 => tensor.external = true,
                14 => tensor.external |= matches!(value, Field::Varint(1)),
                _ => {}
            }
        }
        if tensor.dims.len() > limits.rank {
            return Err(ReadError::TooMany { what: "axes of a tensor", most: limits.rank });
        }
        Ok(tensor)
    }

    /// Bytes of the file that hold its elements.
    pub fn bytes(&self) -> usize {
        self.raw.map_or(0, <[u8]>::len) + 4 * self.floats.len() + 8 * (self.doubles.len() + self.ints.len())
    }

    /// The elements, checked against the shape.
    ///
    /// # Errors
    /// Types that are not supported, external data, and elements that do not fit the shape.
    pub fn tensor(&self) -> Result<Tensor, ReadError> {
        let dtype = dtype(self.data_type).ok_or_else(|| ReadError::ElementType {
            name: self.name.into(),
            dtype: type_name(self.data_type),
        })?;
        if self.external {
            return Err(ReadError::External { name: self.name.into() });
        }
        let mismatch = || ReadError::TensorBytes {
            name: self.name.into(),
            shape: self.dims.clone(),
            dtype: dtype.name(),
            bytes: self.bytes(),
        };
        let shape: Option<Vec<usize>> = self.dims.iter().map(|&d| usize::try_from(d).ok()).collect();
        let shape = shape.ok_or_else(mismatch)?;
        let count = elements(&shape).ok_or_else(mismatch)?;
        let data = match self.raw {
            Some(raw) => {
                if count.checked_mul(dtype.bytes()) != Some(raw.len()) {
                    return Err(mismatch());
                }
                from_raw(dtype, raw)
            }
            None => self.listed(dtype),
        };
        Tensor::new(shape, data).map_err(|_| mismatch())
    }

    // The comments of TensorProto in onnx.proto say which list holds which type.
    fn listed(&self, dtype: DType) -> Data {
        let ints = &self.ints;
        match dtype {
            DType::F32 => Data::F32(self.floats.clone()),
            DType::F64 => Data::F64(self.doubles.clone()),
            DType::F16 => Data::F16(ints.iter().map(|&i| f16::from_bits(i as u16)).collect()),
            DType::BF16 => Data::BF16(ints.iter().map(|&i| bf16::from_bits(i as u16)).collect()),
            DType::I8 => Data::I8(ints.iter().map(|&i| i as i8).collect()),
            DType::I16 => Data::I16(ints.iter().map(|&i| i as i16).collect()),
            DType::I32 => Data::I32(ints.iter().map(|&i| i as i32).collect()),
            DType::I64 => Data::I64(ints.clone()),
            DType::U8 => Data::U8(ints.iter().map(|&i| i as u8).collect()),
            DType::U16 => Data::U16(ints.iter().map(|&i| i as u16).collect()),
            DType::U32 => Data::U32(ints.iter().map(|&i| i as u32).collect()),
            DType::U64 => Data::U64(ints.iter().map(|&i| i as u64).collect()),
            DType::Bool => Data::Bool(ints.iter().map(|&i| i != 0).collect()),
        }
    }
}

/// Little endian, whatever the machine.
fn from_raw(dtype: DType, raw: &[u8]) -> Data {
    macro_rules! numbers {
        ($t:ty, $n:literal) => {
            raw.as_chunks::<$n>().0.iter().map(|b| <$t>::from_le_bytes(*b)).collect()
        };
    }
    match dtype {
        DType::F32 => Data::F32(numbers!(f32, 4)),
        DType::F64 => Data::F64(numbers!(f64, 8)),
        DType::F16 => Data::F16(numbers!(f16, 2)),
        DType::BF16 => Data::BF16(numbers!(bf16, 2)),
        DType::I8 => Data::I8(numbers!(i8, 1)),
        DType::I16 => Data::I16(numbers!(i16, 2)),
        DType::I32 => Data::I32(numbers!(i32, 4)),
        DType::I64 => Data::I64(numbers!(i64, 8)),
        DType::U8 => Data::U8(raw.to_vec()),
        DType::U16 => Data::U16(numbers!(u16, 2)),
        DType::U32 => Data::U32(numbers!(u32, 4)),
        DType::U64 => Data::U64(numbers!(u64, 8)),
        DType::Bool => Data::Bool(raw.iter().map(|&b| b != 0).collect()),
    }
}
