//! The attributes of a node, by name and type, with the defaults of the standard.
//!
//! Read once at load, so that a wrong type or an impossible value is an error before anything runs.

use std::sync::Arc;

use super::OpError;
use crate::graph::Graph;
use crate::onnx::{AttributeValue, Node};
use crate::tensor::Tensor;

/// A node as the file has it, with what the parsers of operators ask.
#[derive(Clone, Copy, Debug)]
pub struct Attributes<'n> {
    node: &'n Node<'n>,
    /// Version of the operator's domain.
    pub opset: i64,
    /// Bodies of If, Loop and Scan, in the order in which `body` asks.
    bodies: &'n [(&'n str, Arc<Graph>)],
}

impl<'n> Attributes<'n> {
    /// The attributes of `node` in a graph of version `opset`.
    pub const fn new(node: &'n Node<'n>, opset: i64, bodies: &'n [(&'n str, Arc<Graph>)]) -> Self {
        Self { node, opset, bodies }
    }

    /// Name of the operator.
    pub const fn op_type(&self) -> &'n str {
        self.node.op_type
    }

    /// Number of inputs, those left out at the end not counted.
    pub fn inputs(&self) -> usize {
        self.node.inputs.len()
    }

    /// Whether input `at` is given.
    pub fn has_input(&self, at: usize) -> bool {
        self.node.inputs.get(at).is_some_and(|name| !name.is_empty())
    }

    /// Number of outputs up to the last that is wanted.
    pub fn outputs(&self) -> usize {
        self.node.outputs.iter().rposition(|name| !name.is_empty()).map_or(0, |last| last + 1)
    }

    fn get(&self, name: &str) -> Option<&'n AttributeValue<'n>> {
        self.node.attributes.iter().find(|a| a.name == name).map(|a| &a.value)
    }

    fn wrong<T>(name: &str, want: &'static str) -> Result<T, OpError> {
        Err(OpError::Attribute { name: name.into(), want })
    }

    /// Whether it is given.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// An integer, if given.
    pub fn maybe_int(&self, name: &str) -> Result<Option<i64>, OpError> {
        match self.get(name) {
            None => Ok(None),
            Some(AttributeValue::Int(value)) => Ok(Some(*value)),
            Some(_) => Self::wrong(name, "an integer"),
        }
    }

    /// An integer.
    pub fn int(&self, name: &str, default: i64) -> Result<i64, OpError> {
        Ok(self.maybe_int(name)?.unwrap_or(default))
    }

    /// An integer that means yes or no.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool, OpError> {
        Ok(self.int(name, i64::from(default))? != 0)
    }

    /// A number, if given.
    pub fn maybe_float(&self, name: &str) -> Result<Option<f32>, OpError> {
        match self.get(name) {
            None => Ok(None),
            Some(AttributeValue::Float(value)) => Ok(Some(*value)),
            Some(_) => Self::wrong(name, "a number"),
        }
    }

    /// A number.
    pub fn float(&self, name: &str, default: f32) -> Result<f32, OpError> {
        Ok(self.maybe_float(name)?.unwrap_or(default))
    }

    /// A list of integers, if given.
    pub fn maybe_ints(&self, name: &str) -> Result<Option<Vec<i64>>, OpError> {
        match self.get(name) {
            None => Ok(None),
            Some(AttributeValue::Ints(values)) => Ok(Some(values.clone())),
            // A list without entries and without a declared type.
            Some(AttributeValue::None) => Ok(Some(Vec::new())),
            Some(_) => Self::wrong(name, "a list of integers"),
        }
    }

    /// A list of integers, empty by default.
    pub fn ints(&self, name: &str) -> Result<Vec<i64>, OpError> {
        Ok(self.maybe_ints(name)?.unwrap_or_default())
    }

    /// A list of numbers, if given.
    pub fn maybe_floats(&self, name: &str) -> Result<Option<Vec<f32>>, OpError> {
        match self.get(name) {
            None => Ok(None),
            Some(AttributeValue::Floats(values)) => Ok(Some(values.clone())),
            Some(AttributeValue::None) => Ok(Some(Vec::new())),
            Some(_) => Self::wrong(name, "a list of numbers"),
        }
    }

    /// A string.
    pub fn text(&self, name: &str, default: &'static str) -> Result<&'n str, OpError> {
        match self.get(name) {
            None => Ok(default),
            Some(AttributeValue::Text(bytes)) => {
                std::str::from_utf8(bytes).or_else(|_| Self::wrong(name, "text in UTF-8"))
            }
            Some(_) => Self::wrong(name, "text"),
        }
    }

    /// A list of strings.
    pub fn texts(&self, name: &str) -> Result<Vec<&'n str>, OpError> {
        match self.get(name) {
            None | Some(AttributeValue::None) => Ok(Vec::new()),
            Some(AttributeValue::Texts(list)) => list
                .iter()
                .map(|bytes| std::str::from_utf8(bytes).or_else(|_| Self::wrong(name, "text in UTF-8")))
                .collect(),
            Some(_) => Self::wrong(name, "a list of texts"),
        }
    }

    /// A tensor, if given.
    pub fn maybe_tensor(&self, name: &str) -> Result<Option<Tensor>, OpError> {
        match self.get(name) {
            None => Ok(None),
            Some(AttributeValue::Tensor(raw)) => raw.tensor().map(Some).map_err(|error| {
                if error.unsupported() {
                    OpError::unsupported(format!("attribute {name}: {error}"))
                } else {
                    OpError::invalid(error.to_string())
                }
            }),
            Some(_) => Self::wrong(name, "a tensor"),
        }
    }

    /// The graph of this name.
    pub fn body(&self, name: &str) -> Result<Arc<Graph>, OpError> {
        self.bodies
            .iter()
            .find(|(n, _)| *n == name)
            .map(|(_, graph)| Arc::clone(graph))
            .map_or_else(|| Self::wrong(name, "a graph"), Ok)
    }
}
