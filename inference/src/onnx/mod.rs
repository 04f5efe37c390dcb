//! Reads ONNX files: model, graph, nodes, attributes and tensors as `onnx.proto` lays them down.
//!
//! Everything borrows from the file's bytes and everything has a limit: a file may come from anywhere, and a wasm
//! module that panics or runs out of memory is gone. <https://github.com/onnx/onnx/blob/main/onnx/onnx.proto>

mod model;
mod tensor;
pub mod wire;

pub use model::{
    Attribute, AttributeValue, Dim, Function, Graph, Model, Node, OperatorSet, ValueInfo, ValueType,
};
pub use tensor::{RawTensor, dtype, type_name};

/// What a file may ask for at most.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Graphs within graphs (bodies of If, Loop, Scan) and functions within functions.
    pub depth: usize,
    /// Nodes of all graphs together, functions once for every call.
    pub nodes: usize,
    /// Bytes of a name.
    pub name: usize,
    /// Bytes of all tensors in the file.
    pub tensor_bytes: usize,
    /// Axes of a tensor.
    pub rank: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // Ten times what the largest models of radiology have; numpy stops at 64 axes, no operator needs 12.
        Self { depth: 12, nodes: 200_000, name: 4096, tensor_bytes: 2 << 30, rank: 12 }
    }
}

/// Why a file is no ONNX model.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// A length points behind the end.
    #[error("the ONNX file ends in the middle of a field: it is cut off or damaged")]
    Truncated,
    /// More than 64 bits.
    #[error("the ONNX file holds a number of more than 64 bits: it is damaged")]
    Varint,
    /// Field 0 or a wire type that onnx.proto does not use.
    #[error("the ONNX file holds a field with the impossible key {key}: it is damaged or no ONNX file")]
    Key {
        /// The key as read.
        key: u64,
    },
    /// For instance a number where a message belongs.
    #[error("a field of the ONNX file has another wire type than onnx.proto says: it is damaged")]
    WireType,
    /// A string that is none.
    #[error("a name in the ONNX file is not UTF-8: it is damaged")]
    Utf8,
    /// See [`Limits::name`].
    #[error("a name in the ONNX file has {length} bytes, at most {longest} are read")]
    Name {
        /// As found.
        length: usize,
        /// As allowed.
        longest: usize,
    },
    /// Another of the [`Limits`].
    #[error("the ONNX file has more {what} than the {most} that are read")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// As allowed.
        most: usize,
    },
    /// A model without what makes it one.
    #[error("the ONNX file has no {what}: it is damaged or no ONNX model")]
    Missing {
        /// What is missing.
        what: &'static str,
    },
    /// A tensor whose bytes and shape disagree.
    #[error("tensor {name:?} has shape {shape:?} and type {dtype}, but {bytes} bytes")]
    TensorBytes {
        /// Its name.
        name: String,
        /// Its shape.
        shape: Vec<i64>,
        /// Its type.
        dtype: &'static str,
        /// Bytes or numbers found.
        bytes: usize,
    },
    /// String, complex, 8-bit and 4-bit float and 4-bit integer elements.
    #[error("tensor {name:?} has elements of type {dtype}, which are not supported")]
    ElementType {
        /// Name of the tensor.
        name: String,
        /// Type as onnx.proto names it.
        dtype: &'static str,
    },
    /// Weights beside the file.
    #[error(
        "tensor {name:?} lies in another file (external data): save the model as one file \
         (onnx.save_model(..., save_as_external_data=False))"
    )]
    External {
        /// Name of the tensor.
        name: String,
    },
}

impl ReadError {
    /// Whether the file is sound and only asks for something that is not offered here.
    pub const fn unsupported(&self) -> bool {
        matches!(self, Self::ElementType { .. } | Self::External { .. })
    }
}
