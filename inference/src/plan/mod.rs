//! What will happen for inputs of these shapes: shapes of all values, what is constant, when values end, how much room.
//!
//! Everything is known before anything is allocated, so that a model that does not fit is refused with a number. Where
//! a shape depends on data (NonZero, TopK by an input, suppression of boxes) the plan says so instead of guessing.

mod packing;
mod stream;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

pub use stream::Part;

use crate::exec::{RunError, allowed, bytes};
use crate::graph::{Dim, Graph, ValueId};
use crate::ops::packed::Packed;
use crate::ops::{Known, Op, OpError};
use crate::tensor::{DType, Tensor, TensorInfo};

/// What is computed ahead of the run may be this large, or eight times its inputs.
const FOLD_BYTES: u64 = 1 << 16;

/// Planes of a slab that are tried one after the other, of the largest volume.
const SLABS: [usize; 7] = [64, 32, 16, 8, 4, 2, 1];

/// A plan for inputs of certain shapes.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is run: the model, or the model in slabs.
    pub graph: Arc<Graph>,
    /// Planes of a slab of the largest volume, where the model is run in slabs.
    pub slab: Option<usize>,
    /// Values that are copied into an output as soon as they are there.
    pub parts: HashMap<ValueId, Part>,
    /// Type and shape of every value; `None` where they depend on data.
    pub infos: Vec<Option<TensorInfo>>,
    /// Values that are the same whatever the inputs hold: weights, and arithmetic on shapes.
    pub constants: HashMap<ValueId, Arc<Tensor>>,
    /// Weights that the executor keeps packed; they are constant and not among `constants`.
    pub packed: HashMap<ValueId, Arc<Packed>>,
    /// Nodes that have to run, in order.
    pub steps: Vec<usize>,
    /// Values that are read for the last time by each step.
    pub ends: Vec<Vec<ValueId>>,
    /// Bytes of weights and of the values that live at the same time, at most.
    pub peak_bytes: u64,
    /// Nodes whose shapes depend on data; with any, `peak_bytes` is what is known of them.
    pub data_dependent: usize,
}

/// Checks shapes against what the model declares, and sizes against each other by name.
fn check_inputs(graph: &Graph, given: &[TensorInfo]) -> Result<(), RunError> {
    let mut named: HashMap<&str, usize> = HashMap::new();
    for (input, info) in graph.inputs.iter().zip(given) {
        let fault = |what: String| RunError::Input { name: input.name.clone(), what };
        if let Some(want) = input.dtype.filter(|&d| d != info.dtype) {
            return Err(fault(format!("is {}, the model takes {}", info.dtype.name(), want.name())));
        }
        let Some(dims) = &input.shape else { continue };
        let mut fits = dims.len() == info.shape.len();
        for (dim, &extent) in dims.iter().zip(&info.shape) {
            fits &= match dim {
                Dim::Fixed(want) => *want == extent,
                Dim::Named(name) => *named.entry(name).or_insert(extent) == extent,
                Dim::Any => true,
            };
        }
        if !fits {
            let dims: Vec<String> = dims
                .iter()
                .map(|d| match d {
                    Dim::Fixed(n) => n.to_string(),
                    Dim::Named(name) => name.clone(),
                    Dim::Any => "?".into(),
                })
                .collect();
            return Err(fault(format!("has shape {:?}, the model takes [{}]", info.shape, dims.join(", "))));
        }
    }
    Ok(())
}

/// What a plan has to know of an executor.
#[derive(Clone, Copy)]
pub struct Terms<'a> {
    /// Bytes that a tensor takes where it is computed, by the operator that makes it.
    pub cost: &'a dyn Fn(Option<&Op>, &TensorInfo) -> u64,
    /// Whether half floats are widened for the time of an operator.
    pub widens: &'a dyn Fn(&Op) -> bool,
    /// Bytes that packed weights take there.
    pub held: &'a dyn Fn(&Packed) -> u64,
    /// Whether weights of an operator stay packed.
    pub packs: &'a dyn Fn(&Op, &Packed) -> bool,
}

impl Plan {
    /// The plan for inputs like these, in the order of `graph.inputs`, in one piece.
    ///
    /// # Errors
    /// Inputs that the model does not take, and nodes whose shapes contradict each other.
    pub fn new(graph: &Arc<Graph>, given: &[TensorInfo], terms: Terms<'_>) -> Result<Self, RunError> {
        Self::of(Arc::clone(graph), HashMap::new(), given, terms)
    }

    /// The plan that takes no more than `budget` bytes: in one piece, or in the largest slabs that fit.
    ///
    /// # Errors
    /// As [`Plan::new`], and [`RunError::Budget`] with the least that was found.
    pub fn within(
        graph: &Arc<Graph>,
        given: &[TensorInfo],
        budget: u64,
        terms: Terms<'_>,
    ) -> Result<Self, RunError> {
        let whole = Self::new(graph, given, terms)?;
        let mut needed = whole.peak_bytes;
        if needed <= budget {
            return Ok(whole);
        }
        for planes in SLABS {
            let Some(streamed) = stream::stream(&whole, planes) else { continue };
            let mut plan = Self::of(Arc::new(streamed.graph), streamed.parts, given, terms)?;
            if plan.peak_bytes <= budget {
                plan.slab = Some(planes);
                return Ok(plan);
            }
            needed = needed.min(plan.peak_bytes);
        }
        Err(RunError::Budget { needed, budget })
    }

    fn of(
        graph: Arc<Graph>,
        parts: HashMap<ValueId, Part>,
        given: &[TensorInfo],
        terms: Terms<'_>,
    ) -> Result<Self, RunError> {
        check_inputs(&graph, given)?;
        let needed = needed(&graph, &parts);
        let mut plan = Self {
            graph: Arc::clone(&graph),
            slab: None,
            parts,
            infos: vec![None; graph.values.len()],
            constants: graph.constants.clone(),
            packed: graph.packed.clone(),
            steps: Vec::new(),
            ends: Vec::new(),
            peak_bytes: 0,
            data_dependent: 0,
        };
        for (&id, tensor) in &graph.constants {
            plan.infos[id] = Some(tensor.info());
        }
        for (&id, weights) in &graph.packed {
            plan.infos[id] = Some(weights.info());
        }
        let packing = packing::Packing::new(&graph, &plan.parts, terms.packs);
        plan.keep_halves(&packing);
        for (input, info) in graph.inputs.iter().zip(given) {
            plan.infos[input.value] = Some(info.clone());
        }
        for (at, node) in graph.nodes.iter().enumerate() {
            if needed[at] && !plan.node(&graph, at, &packing).map_err(|error| RunError::node(node, error))? {
                plan.steps.push(at);
            }
        }
        plan.put_together();
        plan.measure(terms);
        Ok(plan)
    }

    /// Shapes of the outputs that are made of parts.
    fn put_together(&mut self) {
        for (&value, part) in &self.parts {
            let Some(info) = &self.infos[value] else { continue };
            let (_, output) = self.graph.outputs[part.output];
            let end = part.first + info.shape.get(part.axis).copied().unwrap_or(0);
            let known = self.infos[output].as_ref().map_or(0, |whole| whole.shape[part.axis]);
            let mut whole = info.clone();
            if let Some(extent) = whole.shape.get_mut(part.axis) {
                *extent = end.max(known);
            }
            self.infos[output] = Some(whole);
        }
    }

    /// Settles the shapes of a node's outputs; `true` where the outputs themselves are known now.
    fn node(&mut self, graph: &Graph, at: usize, packing: &packing::Packing<'_>) -> Result<bool, OpError> {
        let node = &graph.nodes[at];
        if self.keep_bytes(node, packing) {
            return Ok(true);
        }
        let mut inputs = Vec::with_capacity(node.inputs.len());
        let mut values = Vec::with_capacity(node.inputs.len());
        for id in &node.inputs {
            let Some(id) = id else {
                inputs.push(None);
                values.push(None);
                continue;
            };
            let Some(info) = &self.infos[*id] else {
                self.data_dependent += 1;
                return Ok(false);
            };
            let value = self.constants.get(id);
            inputs.push(Some(Known { info, value: value.map(AsRef::as_ref) }));
            values.push(value);
        }
        let kernel = node.op.kernel();
        let outputs = kernel.infer(&inputs)?;
        if let Some(outputs) = &outputs {
            // What no address space holds.
            allowed(outputs, u64::MAX)?;
        }
        let made = match kernel.known_by_shapes(&inputs) {
            Some(made) => Some(made),
            None if kernel.random()
                || node.inputs.iter().zip(&values).any(|(i, v)| i.is_some() && v.is_none()) =>
            {
                None
            }
            None => {
                let size = |tensors: &[TensorInfo]| tensors.iter().filter_map(bytes).sum::<u64>();
                let given: u64 = inputs.iter().flatten().filter_map(|k| bytes(k.info)).sum();
                let small =
                    outputs.as_ref().is_some_and(|o| size(o) <= FOLD_BYTES.max(given.saturating_mul(8)));
                if small {
                    let inputs: Vec<_> = values.iter().map(|v| v.map(AsRef::as_ref)).collect();
                    Some(kernel.run(&inputs)?)
                } else {
                    None
                }
            }
        };
        if let Some(made) = made {
            for (id, tensor) in node.outputs.iter().zip(made) {
                if let Some(id) = id {
                    self.infos[*id] = Some(tensor.info());
                    self.constants.insert(*id, Arc::new(tensor));
                }
            }
            return Ok(true);
        }
        match outputs {
            None => self.data_dependent += 1,
            Some(outputs) => {
                for (id, info) in node.outputs.iter().zip(outputs) {
                    if let Some(id) = id {
                        self.infos[*id] = Some(info);
                    }
                }
            }
        }
        Ok(false)
    }

    /// When values end, and how much room they take at the same time.
    fn measure(&mut self, terms: Terms<'_>) {
        let graph = Arc::clone(&self.graph);
        let mut last: HashMap<ValueId, usize> = HashMap::new();
        for (step, &at) in self.steps.iter().enumerate() {
            let node = &graph.nodes[at];
            for id in node.inputs.iter().chain(&node.outputs).flatten() {
                last.insert(*id, step);
            }
        }
        for (_, id) in &graph.outputs {
            last.remove(id);
        }
        // What is constant lives as long as the session, so only what a step still reads counts.
        let mut used: Vec<ValueId> = Vec::new();
        for &at in &self.steps {
            used.extend(graph.nodes[at].inputs.iter().flatten().filter(|id| self.constants.contains_key(id)));
        }
        used.extend(graph.outputs.iter().map(|(_, id)| *id).filter(|id| self.constants.contains_key(id)));
        used.sort_unstable();
        used.dedup();
        self.constants.retain(|id, _| used.binary_search(id).is_ok());
        self.keep_read();
        let on_host = |id: ValueId| self.infos[id].as_ref().and_then(bytes).unwrap_or(0);
        let mut makers: HashMap<ValueId, &Op> = HashMap::new();
        for &at in &self.steps {
            makers.extend(graph.nodes[at].outputs.iter().flatten().map(|&id| (id, &graph.nodes[at].op)));
        }
        let size = |id: ValueId| {
            self.infos[id].as_ref().map_or(0, |info| (terms.cost)(makers.get(&id).copied(), info))
        };
        let packed: u64 = self.packed.values().map(|weights| (terms.held)(weights)).sum();
        let weights: u64 =
            used.iter().map(|&id| size(id)).sum::<u64>() + self.ready_bytes(&graph, terms) + packed;
        // Put together on the host while their parts come.
        let in_parts: HashSet<usize> = self.parts.values().map(|part| part.output).collect();
        let outputs: u64 = in_parts.iter().map(|&output| on_host(graph.outputs[output].1)).sum();
        let mut ends = vec![Vec::new(); self.steps.len()];
        for (&id, &step) in &last {
            if !self.is_constant(id) {
                ends[step].push(id);
            }
        }
        let mut live: u64 = graph.inputs.iter().map(|i| size(i.value)).sum();
        let mut peak = live;
        for (step, &at) in self.steps.iter().enumerate() {
            let node = &graph.nodes[at];
            live += node.outputs.iter().flatten().map(|&id| size(id)).sum::<u64>();
            let known: Vec<_> = node
                .inputs
                .iter()
                .map(|id| {
                    let id = (*id)?;
                    let value = self.constants.get(&id).map(AsRef::as_ref);
                    Some(Known { info: self.infos[id].as_ref()?, value })
                })
                .collect();
            let widens = (terms.widens)(&node.op);
            let halves = node.inputs.iter().chain(&node.outputs).flatten().map(|&id| {
                let info = self.infos[id]
                    .as_ref()
                    .filter(|_| widens && !self.packed.contains_key(&id))
                    .filter(|i| matches!(i.dtype, DType::F16 | DType::BF16));
                info.and_then(bytes).unwrap_or(0).saturating_mul(2)
            });
            let scratch = node.op.kernel().scratch_bytes(&known).saturating_add(halves.sum());
            peak = peak.max(live.saturating_add(scratch));
            let ended: u64 = ends[step].iter().map(|&id| size(id)).sum();
            live = live.saturating_sub(ended);
        }
        self.ends = ends;
        self.peak_bytes = weights.saturating_add(outputs).saturating_add(peak);
    }

    /// Bytes of the weights of convolutions, which are held a second time in the order in which they are read.
    fn ready_bytes(&self, graph: &Graph, terms: Terms<'_>) -> u64 {
        let mut weights: Vec<ValueId> = self
            .steps
            .iter()
            .filter(|&&at| {
                matches!(graph.nodes[at].op, Op::Conv(_) | Op::ConvTranspose(_) | Op::ConvLabels(_))
            })
            .filter_map(|&at| graph.nodes[at].inputs.get(1).copied().flatten())
            .filter(|id| self.constants.contains_key(id))
            .collect();
        weights.sort_unstable();
        weights.dedup();
        weights.iter().filter_map(|&id| Some((terms.cost)(None, self.infos[id].as_ref()?))).sum()
    }
}

/// Nodes that an output depends on.
fn needed(graph: &Graph, parts: &HashMap<ValueId, Part>) -> Vec<bool> {
    let mut wanted = vec![false; graph.values.len()];
    graph.outputs.iter().map(|(_, id)| id).chain(parts.keys()).for_each(|&id| wanted[id] = true);
    let mut needed = vec![false; graph.nodes.len()];
    for (at, node) in graph.nodes.iter().enumerate().rev() {
        if node.outputs.iter().flatten().any(|&id| wanted[id]) {
            needed[at] = true;
            node.inputs.iter().flatten().for_each(|&id| wanted[id] = true);
        }
    }
    needed
}
