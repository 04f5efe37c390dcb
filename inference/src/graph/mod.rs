//! A model as a list of typed nodes over numbered values: what the plan and the executors work on.
//!
//! Everything that differs between versions of ONNX, and everything that is text, is settled when it is loaded.

mod error;
mod fuse;
mod load;
mod names;

pub use error::LoadError;
pub use fuse::fuse;
pub use load::{load, load_as_written};

use std::collections::HashMap;
use std::sync::Arc;

use crate::ops::Op;
use crate::ops::packed::Packed;
use crate::tensor::{DType, Tensor};

/// Number of a value; index into [`Graph::values`].
pub type ValueId = usize;

/// An extent of an input as the model declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dim {
    /// A number.
    Fixed(usize),
    /// A name: equal names are equal extents.
    Named(String),
    /// Anything.
    Any,
}

/// What has to be given.
#[derive(Clone, Debug)]
pub struct Input {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: ValueId,
    /// Element type, where declared.
    pub dtype: Option<DType>,
    /// Shape, where declared.
    pub shape: Option<Vec<Dim>>,
}

/// A node.
#[derive(Clone, Debug)]
pub struct Node {
    /// Name in the file, or its first output where it has none.
    pub name: String,
    /// Name of the operator in the file, for messages.
    pub op_type: String,
    /// What it computes.
    pub op: Op,
    /// `None` where an optional input is left out.
    pub inputs: Vec<Option<ValueId>>,
    /// `None` where an output is not wanted.
    pub outputs: Vec<Option<ValueId>>,
    /// The node of another graph that this one computes a part of, with the same constants: what was made ready for one
    /// part serves all.
    pub part_of: Option<usize>,
}

/// A graph, in an order in which it can be computed.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    /// Names of the values, for messages and results.
    pub values: Vec<String>,
    /// The nodes.
    pub nodes: Vec<Node>,
    /// What has to be given, in order. The body of a loop has its captured values behind its own.
    pub inputs: Vec<Input>,
    /// What comes out, in order.
    pub outputs: Vec<(String, ValueId)>,
    /// Values that are the same in every run.
    pub constants: HashMap<ValueId, Arc<Tensor>>,
    /// Weights that a plan keeps packed; none as a file is read.
    pub packed: HashMap<ValueId, Arc<Packed>>,
    /// Version of the ONNX operators in the file.
    pub opset: i64,
}

impl Graph {
    /// A new value.
    pub fn value(&mut self, name: &str) -> ValueId {
        self.values.push(name.into());
        self.values.len() - 1
    }

    /// The same model, answering with one byte per voxel, the class of the largest score, in the place of output `at`.
    /// `None` where there is no such output.
    pub fn with_labels(&self, at: usize) -> Option<Self> {
        let mut graph = self.clone();
        let scores = graph.outputs.get(at)?.1;
        let name = graph.outputs.get(at)?.0.clone();
        let labels = graph.value(&name);
        graph.outputs.get_mut(at)?.1 = labels;
        graph.nodes.push(Node {
            name,
            op_type: "Labels".into(),
            op: Op::Labels(crate::ops::labels::Labels),
            inputs: vec![Some(scores)],
            outputs: vec![Some(labels)],
            part_of: None,
        });
        fuse(&mut graph);
        Some(graph)
    }

    /// How often each value is read, outputs included.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        let reads = self.nodes.iter().flat_map(|n| n.inputs.iter().flatten());
        for &value in reads.chain(self.outputs.iter().map(|(_, v)| v)) {
            uses[value] += 1;
        }
        uses
    }

    /// Bytes of all constants.
    pub fn constant_bytes(&self) -> u64 {
        self.constants.values().map(|t| (t.data().len() * t.dtype().bytes()) as u64).sum()
    }
}
