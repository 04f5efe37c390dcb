//! Why a model is refused at load.
//!
//! Every message names the node and its operator: it is what a publisher needs to mend the export.

use crate::onnx::ReadError;
use crate::ops::OpError;

/// Why a file is no model that can run here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// See [`ReadError`].
    #[error(transparent)]
    Read(#[from] ReadError),
    /// An operator that is not there, in this version.
    #[error("operator {domain}{operator} (opset {opset}) of node {node:?} is not supported")]
    Operator {
        /// Domain with two colons, or nothing.
        domain: String,
        /// Its name.
        operator: String,
        /// Version of its domain in the file.
        opset: i64,
        /// The node.
        node: String,
    },
    /// A version that is older or newer than what is known.
    #[error("opset {opset} is not supported: export the model with an opset from {oldest} to {newest}")]
    Opset {
        /// As the file says.
        opset: i64,
        /// Oldest supported.
        oldest: i64,
        /// Newest supported.
        newest: i64,
    },
    /// An input, output or constant that is no tensor of numbers.
    #[error("{what} {name:?} is of type {kind}, which is not supported")]
    Kind {
        /// Input or output.
        what: &'static str,
        /// Its name.
        name: String,
        /// Its type.
        kind: String,
    },
    /// Something sound that is not offered.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// A node whose attributes cannot be.
    #[error("operator {operator} (opset {opset}) of node {node:?}: {error}")]
    Node {
        /// Its operator.
        operator: String,
        /// Version of its domain.
        opset: i64,
        /// The node.
        node: String,
        /// What is wrong.
        error: OpError,
    },
    /// A name that is used before anything made it.
    #[error("node {node:?} reads {value:?}, which nothing before it makes: the file is damaged")]
    Undefined {
        /// The node, or "the graph's outputs".
        node: String,
        /// The name.
        value: String,
    },
    /// Functions that call each other without end, or graphs too deep.
    #[error("functions and graphs are nested more than {most} deep: the file is damaged")]
    Depth {
        /// As allowed.
        most: usize,
    },
    /// Functions that unfold to more nodes than allowed.
    #[error("the model has more than {most} nodes")]
    Nodes {
        /// As allowed.
        most: usize,
    },
}

impl LoadError {
    /// Whether the file is sound and only asks for something that is not offered here.
    pub const fn unsupported(&self) -> bool {
        match self {
            Self::Read(error) => error.unsupported(),
            Self::Operator { .. } | Self::Opset { .. } | Self::Kind { .. } | Self::Unsupported(_) => true,
            Self::Node { error, .. } => matches!(error, OpError::Unsupported(_)),
            _ => false,
        }
    }
}
