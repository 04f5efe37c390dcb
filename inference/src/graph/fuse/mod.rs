//! Nodes that are computed in one go: what follows a convolution; activations, normalizations and attention that a
//! converter has taken apart.
//!
//! A value that is never stored needs neither room nor a pass over memory. A pass looks at one node and what made its
//! inputs; nothing is fused across a value that anything else reads. Results change by rounding only, which tests hold.

mod after_conv;
mod attention;
mod labels;
mod patterns;

use std::collections::HashMap;
use std::sync::Arc;

use super::{Graph, ValueId};
use crate::tensor::{Data, Tensor};

/// The graph with an index of who makes and who reads what.
struct Fuser<'g> {
    graph: &'g mut Graph,
    makers: HashMap<ValueId, usize>,
    uses: Vec<usize>,
    /// Nodes whose work another node does now.
    gone: Vec<bool>,
}

/// Fuses until nothing more can be; the number of nodes that went.
pub fn fuse(graph: &mut Graph) -> usize {
    let before = graph.nodes.len();
    loop {
        let uses = graph.uses();
        let makers = graph
            .nodes
            .iter()
            .enumerate()
            .flat_map(|(at, node)| node.outputs.iter().flatten().map(move |&id| (id, at)))
            .collect();
        let gone = vec![false; graph.nodes.len()];
        let mut fuser = Fuser { graph, makers, uses, gone };
        let mut changed = false;
        for at in 0..fuser.graph.nodes.len() {
            changed |= !fuser.gone[at]
                && (fuser.after_conv(at) || fuser.pattern(at) || fuser.labels(at) || fuser.attention(at));
        }
        let gone = fuser.gone;
        let mut gone = gone.iter();
        graph.nodes.retain(|_| !gone.next().copied().unwrap_or(false));
        // Every round removes a node, so this ends.
        if !changed {
            return before - graph.nodes.len();
        }
    }
}

impl Fuser<'_> {
    fn input(&self, node: usize, at: usize) -> Option<ValueId> {
        self.graph.nodes[node].inputs.get(at).copied().flatten()
    }

    /// The node that made a value, if it still stands.
    fn maker(&self, value: ValueId) -> Option<usize> {
        self.makers.get(&value).copied().filter(|&at| !self.gone[at])
    }

    /// The same, if only one node reads the value and it is the only thing that was made.
    fn sole(&self, value: ValueId) -> Option<usize> {
        let at = self.maker(value)?;
        let made = self.graph.nodes[at].outputs.iter().flatten().count();
        (self.uses[value] == 1 && made == 1).then_some(at)
    }

    fn constant(&self, value: ValueId) -> Option<&Arc<Tensor>> {
        self.graph.constants.get(&value)
    }

    /// The elements of a constant of f32.
    fn floats(&self, value: ValueId) -> Option<(&[usize], &[f32])> {
        let tensor = self.constant(value)?;
        match tensor.data() {
            Data::F32(v) => Some((tensor.shape(), v)),
            _ => None,
        }
    }

    /// The one element of a constant of floats.
    fn scalar(&self, value: ValueId) -> Option<f64> {
        match self.constant(value)?.data() {
            Data::F32(v) if v.len() == 1 => Some(v[0].into()),
            Data::F64(v) if v.len() == 1 => Some(v[0]),
            Data::F16(v) if v.len() == 1 => Some(v[0].to_f64()),
            _ => None,
        }
    }

    /// A new constant.
    fn add_constant(&mut self, name: &str, shape: Vec<usize>, elements: Data) -> Option<ValueId> {
        let tensor = Tensor::new(shape, elements).ok()?;
        let value = self.graph.value(name);
        self.graph.constants.insert(value, Arc::new(tensor));
        self.uses.push(1);
        Some(value)
    }

    /// Lets node `keep` make what node `drop` made, and takes `drop` away.
    fn take_over(&mut self, keep: usize, drop: usize) {
        let outputs = std::mem::take(&mut self.graph.nodes[drop].outputs);
        outputs.iter().flatten().for_each(|&id| {
            self.makers.insert(id, keep);
        });
        self.graph.nodes[keep].outputs = outputs;
        self.gone[drop] = true;
    }
}
