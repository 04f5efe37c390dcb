//! Why a node cannot be computed.
//!
//! The same error at load, at planning and at the run; who reports it adds the node's name and operator.

use crate::tensor::{DType, ShapeError};
use crate::window::WindowError;

/// What is wrong with a node or its inputs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpError {
    /// A required input is not there.
    #[error("input {input} is missing")]
    Missing {
        /// Its place.
        input: usize,
    },
    /// An element type that the standard does not allow here.
    #[error("{what} cannot be of type {}", got.name())]
    Type {
        /// Of what.
        what: &'static str,
        /// The type.
        got: DType,
    },
    /// An axis that the tensor does not have.
    #[error("axis {axis} does not exist in a tensor of {rank} axes")]
    Axis {
        /// As given.
        axis: i64,
        /// Axes of the tensor.
        rank: usize,
    },
    /// Shapes that numpy's rules do not bring together.
    #[error("shapes {shapes:?} cannot be broadcast")]
    Broadcast {
        /// All of them.
        shapes: Vec<Vec<usize>>,
    },
    /// An attribute of another type than the operator has.
    #[error("attribute {name} is not {want}")]
    Attribute {
        /// Its name.
        name: String,
        /// What it should be.
        want: &'static str,
    },
    /// Anything else that contradicts the standard.
    #[error("{0}")]
    Invalid(String),
    /// Sound, but not offered here.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// More elements than can be addressed.
    #[error("a tensor of shape {shape:?} is too large")]
    TooLarge {
        /// Its shape.
        shape: Vec<usize>,
    },
    /// More than may be used.
    #[error("a tensor of shape {shape:?} needs {} MB, {} MB are allowed", needed.div_ceil(1 << 20), budget >> 20)]
    Budget {
        /// Its shape.
        shape: Vec<usize>,
        /// Its bytes.
        needed: u64,
        /// Bytes that are allowed.
        budget: u64,
    },
    /// See [`WindowError`].
    #[error(transparent)]
    Window(#[from] WindowError),
    /// See [`ShapeError`].
    #[error(transparent)]
    Shape(#[from] ShapeError),
}

impl From<crate::cpu::CpuError> for OpError {
    fn from(error: crate::cpu::CpuError) -> Self {
        match error {
            crate::cpu::CpuError::Rank(axes) => Self::Unsupported(format!("a window over {axes} axes")),
            error => Self::Invalid(error.to_string()),
        }
    }
}

impl OpError {
    /// What contradicts the standard, in words.
    pub fn invalid(what: impl Into<String>) -> Self {
        Self::Invalid(what.into())
    }

    /// What is not offered, as the subject of "is not supported".
    pub fn unsupported(what: impl Into<String>) -> Self {
        Self::Unsupported(what.into())
    }
}
