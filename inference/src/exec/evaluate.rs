//! Runs a graph on the host in one go, for the bodies of If, Loop and Scan.
//!
//! The same steps as the interpreter's, without a device, a plan or a wait.

use std::sync::Arc;

use crate::graph::Graph;
use crate::ops::{Known, Op, OpError};
use crate::tensor::{Tensor, TensorInfo};

/// Bytes that one result of a body may take; bodies compute on shapes and steps, not on volumes.
const MOST_BYTES: u64 = 1 << 30;

/// Bytes of a tensor, `None` where they do not fit.
pub fn bytes(info: &TensorInfo) -> Option<u64> {
    (info.elements()? as u64).checked_mul(info.dtype.bytes() as u64)
}

/// Refuses outputs that are too large to be made.
pub fn allowed(outputs: &[TensorInfo], most: u64) -> Result<(), OpError> {
    match outputs.iter().find(|info| bytes(info).is_none_or(|b| b > most)) {
        Some(info) => Err(match bytes(info) {
            Some(needed) => OpError::Budget { shape: info.shape.clone(), needed, budget: most },
            None => OpError::TooLarge { shape: info.shape.clone() },
        }),
        None => Ok(()),
    }
}

/// An operator on the host: asked for its shapes first.
pub fn run_host(op: &Op, inputs: &[Option<Arc<Tensor>>], most: u64) -> Result<Vec<Tensor>, OpError> {
    let infos: Vec<_> = inputs.iter().map(|i| i.as_ref().map(|t| t.info())).collect();
    let known: Vec<_> = infos
        .iter()
        .zip(inputs)
        .map(|(info, value)| info.as_ref().map(|info| Known { info, value: value.as_deref() }))
        .collect();
    if let Some(outputs) = op.kernel().infer(&known)? {
        allowed(&outputs, most)?;
    }
    let inputs: Vec<_> = inputs.iter().map(|i| i.as_deref()).collect();
    op.kernel().run(&inputs)
}

/// The outputs of a graph for these inputs, which stand in the order of `graph.inputs`.
///
/// # Errors
/// Whatever its operators say.
pub fn evaluate(graph: &Graph, inputs: Vec<Arc<Tensor>>) -> Result<Vec<Tensor>, OpError> {
    let mut values: Vec<Option<Arc<Tensor>>> = vec![None; graph.values.len()];
    for (&id, tensor) in &graph.constants {
        values[id] = Some(Arc::clone(tensor));
    }
    if inputs.len() != graph.inputs.len() {
        return Err(OpError::invalid(format!(
            "a body takes {} values and was given {}",
            graph.inputs.len(),
            inputs.len()
        )));
    }
    for (input, tensor) in graph.inputs.iter().zip(inputs) {
        values[input.value] = Some(tensor);
    }
    for node in &graph.nodes {
        let inputs: Vec<_> = node.inputs.iter().map(|i| i.and_then(|i| values[i].clone())).collect();
        let outputs = run_host(&node.op, &inputs, MOST_BYTES)?;
        for (id, tensor) in node.outputs.iter().zip(outputs) {
            if let Some(id) = id {
                values[*id] = Some(Arc::new(tensor));
            }
        }
    }
    graph
        .outputs
        .iter()
        .map(|(name, id)| {
            values[*id]
                .clone()
                .map(Arc::unwrap_or_clone)
                .ok_or_else(|| OpError::invalid(format!("nothing made {name:?}")))
        })
        .collect()
}
