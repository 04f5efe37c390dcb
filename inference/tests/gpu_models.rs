//! The reference models on the GPU against what onnxruntime's CPU gave for the same input.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use inference::conformance::difference_within;
use inference::exec::Report;
use inference::gpu::{GpuExec, Tiles};
use inference::{DType, Data, Graph, HostOnly, Limits, Session, Tensor, load};

type Named = Vec<(String, Tensor)>;

/// Absolute and relative: what f32 sums in another order may change.
const TIGHT: (f64, f64) = (1e-4, 1e-3);

/// A model, its reference below the folder of models, the array of the reference, and what may differ from it.
const MODELS: [(&str, &str, &str, (f64, f64)); 11] = [
    ("synthetic/unet2d_bn.onnx", "synthetic/unet2d_bn.npz", "output", TIGHT),
    ("synthetic/unet3d_in.onnx", "synthetic/unet3d_in.npz", "output", TIGHT),
    ("synthetic/vit_tiny_d2_ln17.onnx", "synthetic/vit_tiny_d2_ln17.npz", "output", TIGHT),
    ("efficientnet-lite0.onnx", "refs/efficientnet-lite0.npz", "logits", TIGHT),
    ("efficientnet-lite0_quant.onnx", "refs/efficientnet-lite0.npz", "logits_quant", TIGHT),
    // The reference is that of the model in f32: weights rounded to 11 bits are nothing that sums could mend.
    ("efficientnet-lite0_fp16.onnx", "refs/efficientnet-lite0.npz", "logits", (0.03, 0.01)),
    // onnxruntime sums integers where we compute what the file says; one step of an activation moves a logit so far.
    ("efficientnet-lite0_qdq.onnx", "refs/efficientnet-lite0.npz", "logits_qdq", (0.2, 0.02)),
    ("meshnet-model5_gw_ae.onnx", "refs/meshnet-model5_gw_ae.npz", "logits", TIGHT),
    ("meshnet-model20chan3cls.onnx", "refs/meshnet-model20chan3cls.npz", "logits", TIGHT),
    ("meshnet-model30chan18cls.onnx", "refs/meshnet-model30chan18cls.npz", "logits", TIGHT),
    ("deepbet-bbox.onnx", "refs/deepbet-bbox.npz", "prob", TIGHT),
];

/// Models without a recorded answer, and the model whose input they take: the CPU says what they answer.
const BY_THE_CPU: [(&str, &str); 4] = [
    ("meshnet-model5_gw_ae_quant.onnx", "refs/meshnet-model5_gw_ae.npz"),
    ("meshnet-model20chan3cls_quant.onnx", "refs/meshnet-model20chan3cls.npz"),
    ("efficientnet-lite0_quant.onnx", "refs/efficientnet-lite0.npz"),
    ("meshnet-model30chan18cls.onnx", "refs/meshnet-model30chan18cls.npz"),
];

fn graph(model: &str) -> Option<Arc<Graph>> {
    let path = testbed::reference(&format!("data/models/{model}"))?;
    Some(Arc::new(load(&std::fs::read(path).unwrap(), &Limits::default()).unwrap()))
}

/// The input of the reference, and this array of it.
fn reference(graph: &Graph, file: &str, output: &str) -> Option<(Named, Tensor)> {
    let mut arrays = common::npz(&testbed::reference(&format!("data/models/{file}"))?);
    let name = graph.inputs[0].name.clone();
    let want = arrays.remove(output).unwrap();
    let Some(pictures) = arrays.remove("rgb_u8") else {
        return Some((vec![(name, arrays.remove("input").unwrap())], want));
    };
    // PROVENANCE: (x - 127) / 128, channels before rows. One of the three pictures is enough.
    let Data::U8(bytes) = pictures.data() else { panic!("pictures are bytes") };
    let place = |i: usize| i % (224 * 224) * 3 + i / (224 * 224);
    let input = (0..3 * 224 * 224).map(|i| (f32::from(bytes[place(i)]) - 127.0) / 128.0).collect();
    let Data::F32(logits) = want.data() else { panic!("logits are floats") };
    let input = Tensor::new(vec![1, 3, 224, 224], Data::F32(input)).unwrap();
    let logits = Tensor::new(vec![1, 1000], Data::F32(logits[..1000].to_vec())).unwrap();
    Some((vec![(name, input)], logits))
}

/// The largest difference, and the place of the largest number on either side.
fn compared(got: &Tensor, want: &Tensor) -> (f32, [usize; 2]) {
    let (Data::F32(got), Data::F32(want)) = (got.data(), want.data()) else { panic!("answers are floats") };
    let largest = |v: &[f32]| (0..v.len()).max_by(|&a, &b| v[a].total_cmp(&v[b])).unwrap();
    let difference = got.iter().zip(want).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    (difference, [largest(got), largest(want)])
}

fn run(session: &mut Session<GpuExec>, inputs: &Named) -> (Named, Report) {
    pollster::block_on(session.run(inputs.clone(), |_| ControlFlow::Continue(()))).unwrap()
}

/// What ran the models that are wanted.
fn held_against_onnxruntime(tiles: Tiles, wanted: impl Fn(&str) -> bool) -> Option<GpuExec> {
    let mut exec = GpuExec::new(common::gpu()?, false);
    exec.recorder_mut().set_tiles(tiles);
    for (model, file, output, allowed) in MODELS.into_iter().filter(|(model, ..)| wanted(model)) {
        let graph = graph(model)?;
        let (inputs, want) = reference(&graph, file, output)?;
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
        let (difference, [ours, theirs]) = compared(&got[0].1, &want);
        println!("{model}: largest difference {difference:e}");
        assert_eq!(difference_within(&got[0].1, &want, allowed), None, "{model}");
        assert_eq!(ours, theirs, "{model}: the largest number stands elsewhere");
        assert_eq!(report.on_host, 0, "{model} travels: {:?}", report.host_operators);
        exec = session.into_exec();
    }
    Some(exec)
}

#[test]
fn models_give_on_the_gpu_what_onnxruntime_gives() {
    held_against_onnxruntime(Tiles::Registers, |_| true);
}

#[test]
fn models_give_the_same_with_tiles_in_workgroup_memory() {
    // Products, convolutions of 1 to 3 dimensions and their transposes; the others would be more of the same.
    let each = |model: &str| {
        ["unet2d", "unet3d", "vit", "lite0.onnx", "deepbet"].iter().any(|part| model.contains(part))
    };
    let Some(exec) = held_against_onnxruntime(Tiles::Shared, each) else { return };
    for shader in [shaders::inference::CONV_SHARED, shaders::inference::MATMUL_SHARED] {
        assert!(exec.recorder().has_compiled(&shader), "{}", shader.name);
    }
}

#[test]
fn models_give_on_the_gpu_what_they_give_on_the_cpu() {
    let Some(gpu) = common::gpu() else { return };
    let mut exec = GpuExec::new(gpu, false);
    for (model, file) in BY_THE_CPU {
        let Some(graph) = graph(model) else { return };
        let Some((inputs, _)) = reference(&graph, file, "logits") else { return };
        let mut cpu = Session::new(Arc::clone(&graph), HostOnly, 4 << 30);
        let run_on_cpu = cpu.run(inputs.clone(), |_| ControlFlow::Continue(()));
        let (want, _) = pollster::block_on(run_on_cpu).unwrap();
        let mut session = Session::new(graph, exec, 4 << 30);
        let (got, report) = run(&mut session, &inputs);
        println!("{model}: largest difference {:e}", compared(&got[0].1, &want[0].1).0);
        assert_eq!(difference_within(&got[0].1, &want[0].1, TIGHT), None, "{model}");
        assert!(report.on_device > report.on_host, "{model}: {report:?}");
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
