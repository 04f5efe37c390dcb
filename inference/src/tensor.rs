//! Tensors on the host: a shape and one vector of the element's own type.
//!
//! Row major and contiguous, always: a view would spare copies of small tensors and cost every operator a second
//! indexing scheme. Half precision is kept as stored and widened where it is computed with.

use half::{bf16, f16};

/// The element types of `TensorProto.DataType` that this engine computes with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// IEEE 754 binary32.
    F32,
    /// IEEE 754 binary64; CPU only.
    F64,
    /// IEEE 754 binary16.
    F16,
    /// The upper half of a binary32; CPU only.
    BF16,
    /// 8 bits.
    I8,
    /// 16 bits.
    I16,
    /// 32 bits.
    I32,
    /// 64 bits; stays on the host, WGSL has no such type.
    I64,
    /// 8 bits.
    U8,
    /// 16 bits.
    U16,
    /// 32 bits.
    U32,
    /// 64 bits; stays on the host.
    U64,
    /// One byte, 0 or 1.
    Bool,
}

impl DType {
    /// Bytes of one element as ONNX stores it.
    pub const fn bytes(self) -> usize {
        match self {
            Self::I8 | Self::U8 | Self::Bool => 1,
            Self::F16 | Self::BF16 | Self::I16 | Self::U16 => 2,
            Self::F32 | Self::I32 | Self::U32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// As numpy and onnxruntime name it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "float32",
            Self::F64 => "float64",
            Self::F16 => "float16",
            Self::BF16 => "bfloat16",
            Self::I8 => "int8",
            Self::I16 => "int16",
            Self::I32 => "int32",
            Self::I64 => "int64",
            Self::U8 => "uint8",
            Self::U16 => "uint16",
            Self::U32 => "uint32",
            Self::U64 => "uint64",
            Self::Bool => "bool",
        }
    }
}

/// The elements of a tensor, row major.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // one per [`DType`], described there
pub enum Data {
    F32(Vec<f32>),
    F64(Vec<f64>),
    F16(Vec<f16>),
    BF16(Vec<bf16>),
    I8(Vec<i8>),
    I16(Vec<i16>),
    I32(Vec<i32>),
    I64(Vec<i64>),
    U8(Vec<u8>),
    U16(Vec<u16>),
    U32(Vec<u32>),
    U64(Vec<u64>),
    Bool(Vec<bool>),
}

/// Runs `$body` with `$v` bound to the vector, whatever its element type.
#[macro_export]
macro_rules! each_dtype {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            $crate::Data::F32($v) => $body,
            $crate::Data::F64($v) => $body,
            $crate::Data::F16($v) => $body,
            $crate::Data::BF16($v) => $body,
            $crate::Data::I8($v) => $body,
            $crate::Data::I16($v) => $body,
            $crate::Data::I32($v) => $body,
            $crate::Data::I64($v) => $body,
            $crate::Data::U8($v) => $body,
            $crate::Data::U16($v) => $body,
            $crate::Data::U32($v) => $body,
            $crate::Data::U64($v) => $body,
            $crate::Data::Bool($v) => $body,
        }
    };
}

impl Data {
    /// Number of elements.
    pub fn len(&self) -> usize {
        each_dtype!(self, v => v.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The element type.
    pub const fn dtype(&self) -> DType {
        match self {
            Self::F32(_) => DType::F32,
            Self::F64(_) => DType::F64,
            Self::F16(_) => DType::F16,
            Self::BF16(_) => DType::BF16,
            Self::I8(_) => DType::I8,
            Self::I16(_) => DType::I16,
            Self::I32(_) => DType::I32,
            Self::I64(_) => DType::I64,
            Self::U8(_) => DType::U8,
            Self::U16(_) => DType::U16,
            Self::U32(_) => DType::U32,
            Self::U64(_) => DType::U64,
            Self::Bool(_) => DType::Bool,
        }
    }
}

/// What is known of a tensor before its elements are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorInfo {
    /// Element type.
    pub dtype: DType,
    /// Extent per axis; empty for a scalar.
    pub shape: Vec<usize>,
}

impl TensorInfo {
    /// Number of elements, `None` where it does not fit `usize` (a wasm32 address).
    pub fn elements(&self) -> Option<usize> {
        elements(&self.shape)
    }
}

/// Number of elements of a shape, `None` where it does not fit.
pub fn elements(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |n, &extent| n.checked_mul(extent))
}

/// A shape and as many elements as it says.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    shape: Vec<usize>,
    data: Data,
}

/// A shape and elements that do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a tensor of shape {shape:?} cannot hold {elements} elements")]
pub struct ShapeError {
    /// The shape.
    pub shape: Vec<usize>,
    /// The number of elements that came with it.
    pub elements: usize,
}

impl Tensor {
    /// `data` row major in `shape`.
    ///
    /// # Errors
    /// Where the number of elements differs from the product of the shape.
    pub fn new(shape: Vec<usize>, data: Data) -> Result<Self, ShapeError> {
        if elements(&shape) == Some(data.len()) {
            Ok(Self { shape, data })
        } else {
            Err(ShapeError { elements: data.len(), shape })
        }
    }

    /// Extent per axis.
    pub fn shape(&self) -> &[usize] {
        &self.shape
    }

    /// The elements.
    pub const fn data(&self) -> &Data {
        &self.data
    }

    /// The elements, to be overwritten; their number is the shape's and has to stay so.
    pub(crate) const fn data_mut(&mut self) -> &mut Data {
        &mut self.data
    }

    /// The elements, without the shape.
    pub fn into_data(self) -> Data {
        self.data
    }

    /// Element type.
    pub const fn dtype(&self) -> DType {
        self.data.dtype()
    }

    /// Type and shape.
    pub fn info(&self) -> TensorInfo {
        TensorInfo { dtype: self.dtype(), shape: self.shape.clone() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tensor_holds_as_many_elements_as_its_shape_says() {
        assert!(Tensor::new(vec![2, 3], Data::F32(vec![0.0; 6])).is_ok());
        assert!(Tensor::new(vec![], Data::Bool(vec![true])).is_ok());
        assert!(Tensor::new(vec![0, 7], Data::I64(vec![])).is_ok());
        assert!(Tensor::new(vec![2, 3], Data::F32(vec![0.0; 5])).is_err());
        assert!(Tensor::new(vec![usize::MAX, 2], Data::F32(vec![])).is_err());
    }
}
