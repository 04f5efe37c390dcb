//! The reference models on the GPU against what onnxruntime's CPU gave for the same input.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use inference::conformance::difference_within;
use inference::exec::Report;
use inference::gpu::GpuExec;
use inference::{DType, Data, Graph, Limits, Session, Tensor, load};

type Named = Vec<(String, Tensor)>;

/// A model and its reference, below the folder of models.
const MODELS: [(&str, &str); 7] = [
    ("synthetic/unet2d_bn.onnx", "synthetic/unet2d_bn.npz"),
    ("synthetic/unet3d_in.onnx", "synthetic/unet3d_in.npz"),
    ("synthetic/vit_tiny_d2_ln17.onnx", "synthetic/vit_tiny_d2_ln17.npz"),
    ("efficientnet-lite0.onnx", "refs/efficientnet-lite0.npz"),
    ("meshnet-model5_gw_ae.onnx", "refs/meshnet-model5_gw_ae.npz"),
    ("meshnet-model20chan3cls.onnx", "refs/meshnet-model20chan3cls.npz"),
    ("deepbet-bbox.onnx", "refs/deepbet-bbox.npz"),
];

fn graph(model: &str) -> Option<Arc<Graph>> {
    let path = testbed::reference(&format!("data/models/{model}"))?;
    Some(Arc::new(load(&std::fs::read(path).unwrap(), &Limits::default()).unwrap()))
}

/// Arrays of the reference that are inputs, and those that are outputs.
fn reference(graph: &Graph, file: &str) -> Option<(Named, Named)> {
    let mut arrays = common::npz(&testbed::reference(&format!("data/models/{file}"))?);
    if let Some(pictures) = arrays.remove("rgb_u8") {
        // PROVENANCE: (x - 127) / 128, channels before rows. One of the three pictures is enough.
        let Data::U8(bytes) = pictures.data() else { panic!("pictures are bytes") };
        let place = |i: usize| i % (224 * 224) * 3 + i / (224 * 224);
        let input = (0..3 * 224 * 224).map(|i| (f32::from(bytes[place(i)]) - 127.0) / 128.0).collect();
        let Data::F32(logits) = arrays.remove("logits").unwrap().into_data() else {
            panic!("logits are floats")
        };
        let input = Tensor::new(vec![1, 3, 224, 224], Data::F32(input)).unwrap();
        let logits = Tensor::new(vec![1, 1000], Data::F32(logits[..1000].to_vec())).unwrap();
        let name = graph.inputs[0].name.clone();
        return Some((vec![(name, input)], vec![(graph.outputs[0].0.clone(), logits)]));
    }
    let inputs = graph.inputs.iter().map(|i| (i.name.clone(), arrays.remove(&i.name).unwrap())).collect();
    let outputs = graph.outputs.iter().map(|o| (o.0.clone(), arrays.remove(&o.0).unwrap())).collect();
    Some((inputs, outputs))
}

fn run(session: &mut Session<GpuExec>, inputs: &Named) -> (Named, Report) {
    pollster::block_on(session.run(inputs.clone(), |_| ControlFlow::Continue(()))).unwrap()
}

#[test]
fn models_give_on_the_gpu_what_onnxruntime_gives() {
    let Some(gpu) = common::gpu() else { return };
    let mut exec = GpuExec::new(gpu, false);
    for (model, file) in MODELS {
        let Some(graph) = graph(model) else { return };
        let Some((inputs, want)) = reference(&graph, file) else { return };
        let mut session = Session::new(graph, exec, 4 << 30);
        let start = std::time::Instant::now();
        let (got, report) = run(&mut session, &inputs);
        let first = start.elapsed();
        let start = std::time::Instant::now();
        let (again, _) = run(&mut session, &inputs);
        println!(
            "{model}: first {} ms, then {} ms; {} nodes on the GPU, {} on the host {:?}; {:?} pipelines and dispatches",
            first.as_millis(),
            start.elapsed().as_millis(),
            report.on_device,
            report.on_host,
            report.host_operators,
            session.exec().recorder().counts(),
        );
        assert_eq!(got, again, "{model}: a second run gives something else");
        for ((name, got), (_, want)) in got.iter().zip(&want) {
            let far = difference_within(got, want, (1e-4, 1e-3));
            assert_eq!(far, None, "{model}, output {name}");
        }
        exec = session.into_exec();
    }
}

/// A volume that a wgpu default device cannot hold in one binding is refused by name, and nothing is lost.
#[test]
fn a_model_that_does_not_fit_the_device_runs_on_the_host_or_is_refused() {
    let Ok(gpu) = pollster::block_on(inference::gpu::Gpu::request_within(Some(wgpu::Limits {
        max_storage_buffer_binding_size: 64 << 10,
        ..wgpu::Limits::default()
    }))) else {
        return;
    };
    let Some(graph) = graph("meshnet-model5_gw_ae.onnx") else { return };
    let name = graph.inputs[0].name.clone();
    // 5 channels of 16^3 floats take 80 KiB.
    let input =
        Tensor::new(vec![1, 1, 16, 16, 16], Data::F32((0..4096).map(|i| i as f32 / 4096.0).collect()))
            .unwrap();
    let mut session = Session::new(graph, GpuExec::new(gpu, true), 1 << 30);
    let (got, report) = run(&mut session, &vec![(name, input)]);
    assert_eq!(got[0].1.dtype(), DType::F32);
    assert!(report.on_host > 0);
}
