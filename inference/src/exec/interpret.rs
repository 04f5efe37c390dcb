//! Walks the plan: each node on the executor where it takes it, else on the host.
//!
//! A value lies on the host, on the executor, or on both; it is copied when a node needs it on the other side, and
//! dropped after its last reader. Copying back is asynchronous, because a browser cannot wait.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Arg, Exec, ExecError, allowed};
use crate::graph::{Graph, Node, ValueId};
use crate::ops::packed::Packed;
use crate::ops::{Known, Op, OpError, Prepared, planes};
use crate::plan::{Part, Plan, Terms};
use crate::tensor::{DType, Tensor, TensorInfo};

/// Why a run ended without result.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RunError {
    /// An input that the model does not take.
    #[error("input {name:?} {what}")]
    Input {
        /// Its name.
        name: String,
        /// What is wrong with it.
        what: String,
    },
    /// Too large for the budget.
    #[error("the model needs {} MB for this input, {} MB are allowed", needed.div_ceil(1 << 20), budget >> 20)]
    Budget {
        /// Bytes.
        needed: u64,
        /// Bytes.
        budget: u64,
    },
    /// A node that cannot be computed.
    #[error("operator {operator} of node {node:?}: {error}")]
    Node {
        /// Its operator.
        operator: String,
        /// Its name.
        node: String,
        /// What is wrong.
        error: OpError,
    },
    /// The executor failed.
    #[error("operator {operator} of node {node:?} failed on the device: {message}")]
    Device {
        /// The operator.
        operator: String,
        /// The node.
        node: String,
        /// What it said.
        message: String,
    },
    /// The caller stopped it.
    #[error("stopped")]
    Stopped,
}

impl RunError {
    /// With the node's name.
    pub fn node(node: &Node, error: OpError) -> Self {
        Self::Node { operator: node.op_type.clone(), node: node.name.clone(), error }
    }

    fn exec(node: &Node, error: ExecError) -> Self {
        match error {
            ExecError::Op(error) => Self::node(node, error),
            ExecError::Device(message) => {
                Self::Device { operator: node.op_type.clone(), node: node.name.clone(), message }
            }
        }
    }

    /// Whether the model is sound and only asks for something that is not offered here.
    pub const fn unsupported(&self) -> bool {
        matches!(self, Self::Node { error: OpError::Unsupported(_), .. })
    }
}

/// How far a run is.
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// Nodes done.
    pub done: usize,
    /// Nodes in all.
    pub all: usize,
    /// Operator of the next node.
    pub operator: &'a str,
}

/// What a run was like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Name of the executor.
    pub backend: String,
    /// How the device's kernels were chosen, where there was a choice.
    pub remark: Option<String>,
    /// Nodes that the executor ran.
    pub on_device: usize,
    /// Nodes that the host ran.
    pub on_host: usize,
    /// Operators that the host ran although there is a device, each once.
    pub host_operators: Vec<String>,
    /// Bytes that the plan foresaw.
    pub peak_bytes: u64,
    /// Nodes whose shapes were known only when they ran.
    pub data_dependent: usize,
    /// Planes of a slab, where the model was run in slabs.
    pub slab: Option<usize>,
}

/// An input, where it lies.
#[derive(Clone, Debug)]
pub enum Given<V> {
    /// On the host.
    Host(Tensor),
    /// On the executor already, as an f32 tensor of this shape.
    There(V, Vec<usize>),
}

impl<V> Given<V> {
    fn info(&self) -> TensorInfo {
        match self {
            Self::Host(tensor) => tensor.info(),
            Self::There(_, shape) => TensorInfo { dtype: DType::F32, shape: shape.clone() },
        }
    }
}

/// A value during a run.
struct Slot<V> {
    info: TensorInfo,
    host: Option<Arc<Tensor>>,
    device: Option<V>,
    /// Weights that are widened for the host where it asks for them.
    packed: Option<Arc<Packed>>,
}

impl<V> Slot<V> {
    const fn new(info: TensorInfo, host: Option<Arc<Tensor>>, device: Option<V>) -> Self {
        Self { info, host, device, packed: None }
    }
}

/// A model on an executor.
pub struct Session<E: Exec> {
    graph: Arc<Graph>,
    exec: E,
    budget: u64,
    plan: Option<(Vec<TensorInfo>, Arc<Plan>)>,
    /// Constants that were uploaded for the current plan.
    weights: HashMap<ValueId, E::Value>,
    /// Constants that operators of the host made ready for the current plan, by node, or by the node that nodes are a
    /// part of.
    prepared: HashMap<(bool, usize), Option<Prepared>>,
}

impl<E: Exec> Session<E> {
    /// Runs `graph` on `exec` within `budget` bytes.
    pub fn new(graph: Arc<Graph>, exec: E, budget: u64) -> Self {
        Self { graph, exec, budget, plan: None, weights: HashMap::new(), prepared: HashMap::new() }
    }

    /// The model.
    pub fn graph(&self) -> &Arc<Graph> {
        &self.graph
    }

    /// The executor.
    pub const fn exec(&self) -> &E {
        &self.exec
    }

    /// The executor, to prepare inputs on it.
    pub const fn exec_mut(&mut self) -> &mut E {
        &mut self.exec
    }

    /// Bytes that may be taken.
    pub const fn budget(&self) -> u64 {
        self.budget
    }

    /// Gives the executor back.
    pub fn into_exec(self) -> E {
        self.exec
    }

    /// Lets output `name` hold the class of the largest score, one byte per voxel, from now on; scores are (N, C, …).
    /// `false` where there is no such output.
    pub fn answer_labels(&mut self, name: &str) -> bool {
        let Some(at) = self.graph.outputs.iter().position(|(output, _)| output == name) else { return false };
        let value = self.graph.outputs[at].1;
        let labels = |node: &Node| {
            node.outputs.contains(&Some(value)) && matches!(node.op, Op::Labels(_) | Op::ConvLabels(_))
        };
        if !self.graph.nodes.iter().any(labels)
            && let Some(graph) = self.graph.with_labels(at)
        {
            self.graph = Arc::new(graph);
            self.plan = None;
        }
        true
    }

    /// What will happen for inputs like these, in the model's order. What does not fit the budget in one piece is run in
    /// slabs.
    ///
    /// # Errors
    /// Inputs that the model does not take, shapes that contradict each other, and more bytes than the budget.
    pub fn plan(&mut self, inputs: &[TensorInfo]) -> Result<Arc<Plan>, RunError> {
        if let Some((shapes, plan)) = &self.plan
            && shapes == inputs
        {
            return Ok(Arc::clone(plan));
        }
        let cost = |maker: Option<&Op>, info: &TensorInfo| match maker {
            Some(op) => self.exec.bytes_made(op, info),
            None => self.exec.bytes_of(info),
        };
        let widens = |op: &Op| self.exec.widens(op);
        let held = |weights: &Packed| self.exec.bytes_packed(weights);
        let packs = |op: &Op, weights: &Packed| self.exec.packs(op, weights);
        let terms = Terms { cost: &cost, packs: &packs, widens: &widens, held: &held };
        let plan = Arc::new(Plan::within(&self.graph, inputs, self.budget, terms)?);
        self.exec.expect(plan.peak_bytes);
        self.plan = Some((inputs.to_vec(), Arc::clone(&plan)));
        self.weights.clear();
        self.prepared.clear();
        Ok(plan)
    }

    /// Puts named inputs into the model's order.
    fn ordered(&self, inputs: Vec<(String, Given<E::Value>)>) -> Result<Vec<Given<E::Value>>, RunError> {
        let mut given: HashMap<String, Given<E::Value>> = inputs.into_iter().collect();
        let mut ordered = Vec::with_capacity(self.graph.inputs.len());
        for input in &self.graph.inputs {
            let fault = || RunError::Input { name: input.name.clone(), what: "is missing".into() };
            ordered.push(given.remove(&input.name).ok_or_else(fault)?);
        }
        if let Some(name) = given.into_keys().next() {
            let names: Vec<_> = self.graph.inputs.iter().map(|i| i.name.as_str()).collect();
            let what = format!("is none of the model's: {}", names.join(", "));
            return Err(RunError::Input { name, what });
        }
        Ok(ordered)
    }

    /// Runs the model.
    ///
    /// # Errors
    /// See [`RunError`]; `progress` is asked before each node and may stop the run.
    pub async fn run(
        &mut self,
        inputs: Vec<(String, Tensor)>,
        progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(Vec<(String, Tensor)>, Report), RunError> {
        let inputs = inputs.into_iter().map(|(name, tensor)| (name, Given::Host(tensor))).collect();
        self.run_given(inputs, progress).await
    }

    /// As [`Session::run`], with inputs that may lie on the executor already.
    ///
    /// # Errors
    /// As there.
    pub async fn run_given(
        &mut self,
        inputs: Vec<(String, Given<E::Value>)>,
        mut progress: impl FnMut(Progress<'_>) -> ControlFlow<()>,
    ) -> Result<(Vec<(String, Tensor)>, Report), RunError> {
        let inputs = self.ordered(inputs)?;
        let infos: Vec<_> = inputs.iter().map(Given::info).collect();
        let plan = self.plan(&infos)?;
        let graph = Arc::clone(&plan.graph);
        let mut report = Report {
            backend: self.exec.name(),
            remark: self.exec.remark(),
            peak_bytes: plan.peak_bytes,
            data_dependent: plan.data_dependent,
            slab: plan.slab,
            ..Report::default()
        };
        let mut slots: Vec<Option<Slot<E::Value>>> = graph.values.iter().map(|_| None).collect();
        for (&id, tensor) in &plan.constants {
            let device = self.weights.get(&id).cloned();
            slots[id] = Some(Slot::new(tensor.info(), Some(Arc::clone(tensor)), device));
        }
        for (&id, weights) in &plan.packed {
            let device = self.weights.get(&id).cloned();
            let packed = Some(Arc::clone(weights));
            slots[id] = Some(Slot { packed, ..Slot::new(weights.info(), None, device) });
        }
        for (input, given) in graph.inputs.iter().zip(inputs) {
            let info = given.info();
            slots[input.value] = Some(match given {
                Given::Host(tensor) => Slot::new(info, Some(Arc::new(tensor)), None),
                Given::There(value, _) => Slot::new(info, None, Some(value)),
            });
        }
        for (step, &at) in plan.steps.iter().enumerate() {
            let node = &graph.nodes[at];
            let state = Progress { done: step, all: plan.steps.len(), operator: &node.op_type };
            if progress(state).is_break() {
                return Err(RunError::Stopped);
            }
            self.node(at, &plan, &mut slots, &mut report).await?;
            for &id in node.outputs.iter().flatten() {
                if let Some(part) = plan.parts.get(&id) {
                    self.keep(node, id, *part, &plan, &mut slots).await?;
                }
            }
            for &id in &plan.ends[step] {
                slots[id] = None;
            }
        }
        let mut outputs = Vec::with_capacity(graph.outputs.len());
        for (at, (name, id)) in graph.outputs.iter().enumerate() {
            let missing = || RunError::Input { name: name.clone(), what: "was made by nothing".into() };
            let slot = slots[*id].as_mut().ok_or_else(missing)?;
            if slot.host.is_none()
                && let Some(value) = &slot.device
            {
                let tensor = self.exec.download(value).await.map_err(|error| RunError::Device {
                    operator: "read-back".into(),
                    node: name.clone(),
                    message: error.to_string(),
                })?;
                slot.host = Some(Arc::new(tensor));
            }
            slot.device = None;
            // A second output may be the same value; the last one takes it.
            let again = graph.outputs[at + 1..].iter().any(|(_, other)| other == id);
            let tensor = if again { slot.host.clone() } else { slot.host.take() };
            outputs.push((name.clone(), tensor.map(Arc::unwrap_or_clone).ok_or_else(missing)?));
        }
        report.host_operators.sort_unstable();
        report.host_operators.dedup();
        Ok((outputs, report))
    }

    /// Copies a part of an output to where it belongs, and lets it go.
    async fn keep(
        &mut self,
        node: &Node,
        id: ValueId,
        part: Part,
        plan: &Plan,
        slots: &mut [Option<Slot<E::Value>>],
    ) -> Result<(), RunError> {
        self.bring_to_host(node, &mut slots[id]).await?;
        let (_, output) = plan.graph.outputs[part.output];
        let own = slots[id].take().and_then(|slot| slot.host).ok_or(OpError::Missing { input: id });
        let info = plan.infos[output].clone().ok_or(OpError::Missing { input: output });
        let place = || -> Result<(), OpError> {
            let (own, info) = (own?, info?);
            let slot = match &mut slots[output] {
                Some(slot) => slot,
                empty => {
                    let whole = Some(Arc::new(planes::zeros(&info)?));
                    empty.insert(Slot::new(info, whole, None))
                }
            };
            let whole =
                slot.host.as_mut().and_then(Arc::get_mut).ok_or(OpError::Missing { input: output })?;
            planes::put(whole, &own, part.axis, part.first)
        };
        place().map_err(|error| RunError::node(node, error))
    }

    async fn node(
        &mut self,
        at: usize,
        plan: &Plan,
        slots: &mut [Option<Slot<E::Value>>],
        report: &mut Report,
    ) -> Result<(), RunError> {
        let node = &plan.graph.nodes[at];
        let parameters = node.op.kernel().parameters();
        for &at in parameters {
            if let Some(id) = node.inputs.get(at).copied().flatten() {
                self.bring_to_host(node, &mut slots[id]).await?;
            }
        }
        if let Some(outputs) = self.outputs(node, plan, slots)? {
            allowed(&outputs, self.budget).map_err(|error| RunError::node(node, error))?;
            if self.on_device(node, plan, slots, &outputs) {
                report.on_device += 1;
                return self.run_device(node, plan, slots, outputs);
            }
        }
        report.on_host += 1;
        report.host_operators.push(node.op_type.clone());
        for &id in node.inputs.iter().flatten() {
            self.bring_to_host(node, &mut slots[id]).await?;
        }
        self.run_host(at, node, plan, slots)
    }

    /// Types and shapes of a node's outputs, as far as they can be known before it runs.
    fn outputs(
        &self,
        node: &Node,
        plan: &Plan,
        slots: &[Option<Slot<E::Value>>],
    ) -> Result<Option<Vec<TensorInfo>>, RunError> {
        let planned: Option<Vec<_>> =
            node.outputs.iter().map(|id| id.and_then(|id| plan.infos[id].clone())).collect();
        if let Some(planned) = planned {
            return Ok(Some(planned));
        }
        let known: Vec<_> = node
            .inputs
            .iter()
            .map(|id| {
                let slot = id.and_then(|id| slots[id].as_ref())?;
                Some(Known { info: &slot.info, value: slot.host.as_deref() })
            })
            .collect();
        node.op.kernel().infer(&known).map_err(|error| RunError::node(node, error))
    }

    fn args<'s>(
        node: &Node,
        plan: &Plan,
        slots: &'s [Option<Slot<E::Value>>],
    ) -> Vec<Option<Arg<'s, E::Value>>> {
        node.inputs
            .iter()
            .map(|id| {
                let id = (*id)?;
                let slot = slots[id].as_ref()?;
                Some(Arg {
                    info: &slot.info,
                    host: slot.host.as_deref(),
                    value: slot.device.as_ref(),
                    constant: plan.is_constant(id),
                })
            })
            .collect()
    }

    fn on_device(
        &self,
        node: &Node,
        plan: &Plan,
        slots: &[Option<Slot<E::Value>>],
        outputs: &[TensorInfo],
    ) -> bool {
        if matches!(node.op, Op::Host(_)) {
            return false;
        }
        let parameters = node.op.kernel().parameters();
        let args = Self::args(node, plan, slots);
        let data =
            || args.iter().enumerate().filter(|(at, _)| !parameters.contains(at)).filter_map(|(_, a)| *a);
        let held = data().all(|arg| self.exec.holds(arg.info)) && outputs.iter().all(|o| self.exec.holds(o));
        let there = data().any(|arg| arg.value.is_some() && !arg.constant);
        let largest = data().map(|arg| arg.info).chain(outputs).filter_map(TensorInfo::elements).max();
        held && (there || self.exec.worth(largest.unwrap_or(0))) && self.exec.takes(&node.op, &args, outputs)
    }

    fn run_device(
        &mut self,
        node: &Node,
        plan: &Plan,
        slots: &mut [Option<Slot<E::Value>>],
        outputs: Vec<TensorInfo>,
    ) -> Result<(), RunError> {
        let parameters = node.op.kernel().parameters();
        for (at, id) in node.inputs.iter().enumerate() {
            let Some(id) = *id else { continue };
            let Some(slot) = slots[id].as_mut().filter(|s| s.device.is_none() && !parameters.contains(&at))
            else {
                continue;
            };
            let value = match (&slot.packed, &slot.host) {
                (Some(weights), _) => Some(self.exec.upload_packed(&node.op, weights)),
                (None, Some(tensor)) => Some(self.exec.upload(tensor)),
                (None, None) => None,
            };
            if let Some(value) = value {
                let value = value.map_err(|error| RunError::exec(node, error))?;
                if plan.is_constant(id) {
                    self.weights.insert(id, value.clone());
                }
                slot.device = Some(value);
            }
        }
        let made = {
            let args = Self::args(node, plan, slots);
            self.exec.run(&node.op, &args, &outputs).map_err(|error| RunError::exec(node, error))?
        };
        for ((id, value), info) in node.outputs.iter().zip(made).zip(outputs) {
            if let Some(id) = id {
                slots[*id] = Some(Slot::new(info, None, Some(value)));
            }
        }
        Ok(())
    }

    async fn bring_to_host(
        &mut self,
        node: &Node,
        slot: &mut Option<Slot<E::Value>>,
    ) -> Result<(), RunError> {
        if let Some(slot) = slot
            && slot.host.is_none()
            && let Some(weights) = &slot.packed
        {
            slot.host = Some(weights.widened().map_err(|error| RunError::node(node, error))?);
        } else if let Some(slot) = slot
            && slot.host.is_none()
            && let Some(value) = &slot.device
        {
            let tensor = self.exec.download(value).await.map_err(|error| RunError::exec(node, error))?;
            slot.host = Some(Arc::new(tensor));
        }
        Ok(())
    }

    fn run_host(
        &mut self,
        at: usize,
        node: &Node,
        plan: &Plan,
        slots: &mut [Option<Slot<E::Value>>],
    ) -> Result<(), RunError> {
        let kernel = node.op.kernel();
        let made = {
            let host = |id: Option<ValueId>| slots[id?].as_ref()?.host.as_deref();
            let inputs: Vec<_> = node.inputs.iter().map(|&id| host(id)).collect();
            let constant = |id: &ValueId| plan.is_constant(*id);
            let key = node.part_of.map_or((false, at), |whole| (true, whole));
            let prepared = self.prepared.entry(key).or_insert_with(|| {
                let constants: Vec<_> = node.inputs.iter().map(|id| host(id.filter(constant))).collect();
                kernel.prepare(&constants)
            });
            match prepared {
                Some(prepared) => kernel.run_prepared(&inputs, prepared),
                None => kernel.run(&inputs),
            }
            .map_err(|error| RunError::node(node, error))?
        };
        for (id, tensor) in node.outputs.iter().zip(made) {
            if let Some(id) = id {
                slots[*id] = Some(Slot::new(tensor.info(), Some(Arc::new(tensor)), None));
            }
        }
        Ok(())
    }
}
