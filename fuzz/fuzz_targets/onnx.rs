//! Any bytes as an ONNX model: read, planned and, within 16 MB, run on zeros.
//! Invariants: no panic, and what a plan says of shapes is what the run makes.
#![no_main]

use std::ops::ControlFlow;
use std::sync::Arc;

use inference::graph::Dim;
use inference::{DType, Data, HostOnly, Limits, Session, Tensor, load};
use libfuzzer_sys::fuzz_target;

const BUDGET: u64 = 16 << 20;

/// Zeros as the model declares them; what it leaves open is 3.
fn zeros(dtype: DType, shape: &[Dim]) -> Option<Tensor> {
    let shape: Vec<usize> = shape.iter().map(|d| if let Dim::Fixed(n) = d { *n } else { 3 }).collect();
    let n = inference::tensor::elements(&shape).filter(|n| *n < 1 << 20)?;
    let data = match dtype {
        DType::F32 => Data::F32(vec![0.0; n]),
        DType::I64 => Data::I64(vec![0; n]),
        DType::U8 => Data::U8(vec![0; n]),
        DType::Bool => Data::Bool(vec![false; n]),
        _ => return None,
    };
    Tensor::new(shape, data).ok()
}

fuzz_target!(|bytes: &[u8]| {
    let limits = Limits { nodes: 1000, tensor_bytes: 16 << 20, ..Limits::default() };
    let Ok(graph) = load(bytes, &limits) else { return };
    let graph = Arc::new(graph);
    let mut inputs = Vec::new();
    for input in &graph.inputs {
        let shape = input.shape.clone().unwrap_or_default();
        let Some(tensor) = zeros(input.dtype.unwrap_or(DType::F32), &shape) else { return };
        inputs.push((input.name.clone(), tensor));
    }
    let infos: Vec<_> = inputs.iter().map(|(_, t)| t.info()).collect();
    let mut session = Session::new(Arc::clone(&graph), HostOnly, BUDGET);
    let Ok(plan) = session.plan(&infos) else { return };
    let Ok((outputs, _)) = pollster::block_on(session.run(inputs, |_| ControlFlow::Continue(()))) else { return };
    for ((_, tensor), (_, id)) in outputs.iter().zip(&plan.graph.outputs) {
        if let Some(info) = &plan.infos[*id] {
            assert_eq!(tensor.info(), *info);
        }
    }
});
