//! Which weights stay packed: those that nothing reads but operators whose executor widens them in its kernels.
//!
//! Whatever anything else reads is widened ahead of the run, as it would be without packing.

use std::collections::HashMap;
use std::sync::Arc;

use super::{Part, Plan};
use crate::graph::{Graph, Node, ValueId};
use crate::ops::Op;
use crate::ops::packed::Packed;
use crate::tensor::DType;

/// Where weights stand among the inputs of every operator that has some.
const WEIGHTS: usize = 1;

/// Who reads what as weights, and an executor's word on it.
pub(super) struct Packing<'a> {
    graph: &'a Graph,
    /// Nodes by what they read as weights and as nothing else.
    readers: HashMap<ValueId, Vec<usize>>,
    packs: &'a dyn Fn(&Op, &Packed) -> bool,
}

impl<'a> Packing<'a> {
    pub(super) fn new(
        graph: &'a Graph,
        parts: &HashMap<ValueId, Part>,
        packs: &'a dyn Fn(&Op, &Packed) -> bool,
    ) -> Self {
        let mut readers: HashMap<ValueId, Vec<usize>> = HashMap::new();
        let mut other: Vec<ValueId> = graph.outputs.iter().map(|(_, id)| *id).collect();
        other.extend(parts.keys());
        for (at, node) in graph.nodes.iter().enumerate() {
            for (place, &id) in node.inputs.iter().enumerate() {
                match id {
                    Some(id) if place == WEIGHTS => readers.entry(id).or_default().push(at),
                    Some(id) => other.push(id),
                    None => {}
                }
            }
        }
        for id in other {
            readers.remove(&id);
        }
        Self { graph, readers, packs }
    }

    /// These weights, if everybody who reads value `id` takes them packed.
    fn kept(&self, id: ValueId, weights: Packed) -> Option<Arc<Packed>> {
        let mut readers = self.readers.get(&id)?.iter().map(|&at| &self.graph.nodes[at].op);
        readers.all(|op| (self.packs)(op, &weights)).then(|| Arc::new(weights))
    }
}

impl Plan {
    /// Whether a value is the same whatever the inputs hold.
    pub fn is_constant(&self, id: ValueId) -> bool {
        self.constants.contains_key(&id) || self.packed.contains_key(&id)
    }

    /// Keeps weights of half floats as they are.
    pub(super) fn keep_halves(&mut self, packing: &Packing<'_>) {
        let halves = self.constants.iter().filter(|(_, tensor)| tensor.dtype() == DType::F16);
        let kept: Vec<_> = halves
            .filter_map(|(&id, tensor)| Some((id, packing.kept(id, Packed::halves(tensor)?)?)))
            .collect();
        for (id, weights) in kept {
            self.constants.remove(&id);
            self.packed.insert(id, weights);
        }
    }

    /// Keeps the bytes of what a node dequantises, `true` where that is all it does.
    pub(super) fn keep_bytes(&mut self, node: &Node, packing: &Packing<'_>) -> bool {
        let Op::DequantizeLinear(op) = &node.op else { return false };
        let constant = |at: usize| self.constants.get(&node.inputs.get(at).copied().flatten()?);
        let zero = match node.inputs.get(2).copied().flatten() {
            Some(_) => constant(2).map(Some),
            None => Some(None),
        };
        let (Some(elements), Some(scale), Some(zero)) = (constant(0), constant(1), zero) else {
            return false;
        };
        let [Some(out)] = node.outputs[..] else { return false };
        let weights = Packed::dequantised(*op, elements, scale, zero);
        let Some(weights) = weights.and_then(|weights| packing.kept(out, weights)) else { return false };
        self.infos[out] = Some(weights.info());
        self.packed.insert(out, weights);
        true
    }

    /// Forgets what no step reads.
    pub(super) fn keep_read(&mut self) {
        let graph = Arc::clone(&self.graph);
        let read = |id: ValueId| self.steps.iter().any(|&at| graph.nodes[at].inputs.contains(&Some(id)));
        let unread: Vec<_> = self.packed.keys().copied().filter(|&id| !read(id)).collect();
        unread.iter().for_each(|id| {
            self.packed.remove(id);
        });
    }
}
