//! The kernels of inference in a real browser, against their twins from the same wasm.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

use std::ops::ControlFlow;
use std::sync::Arc;

use inference::exec::Exec;
use inference::gpu::kernels::ALL;
use inference::gpu::{Gpu, GpuExec, Recorder, Tiles};
use inference::{Data, HostOnly, Limits, Session, Tensor, load};
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
async fn every_case_equals_its_twin() {
    let gpu = Gpu::request().await.unwrap();
    console_log!("adapter: {} (software: {}, f16: {})", gpu.adapter_name(), gpu.is_software(), gpu.has_f16());
    // webdriver.json asks for SwiftShader; where it is not known for what it is, it is taken for a GPU.
    assert!(gpu.is_software(), "{} passes for hardware", gpu.adapter_name());
    let mut rec = Recorder::new(gpu);
    let mut failures = Vec::new();
    let again = ALL.iter().filter(|kernel| matches!(kernel.name, "conv" | "matmul"));
    let all = ALL.iter().map(|kernel| (kernel, Tiles::Registers));
    for (kernel, tiles) in all.chain(again.map(|kernel| (kernel, Tiles::SharedAlways))) {
        rec.set_tiles(tiles);
        let outcomes = (kernel.check)(&mut rec).await;
        assert!(outcomes.len() >= 10, "{} has only {} cases", kernel.name, outcomes.len());
        let ms: f64 = outcomes.iter().map(|outcome| outcome.gpu_ms).sum();
        console_log!("{}: {} cases in {ms:.0} ms", kernel.name, outcomes.len());
        failures.extend(outcomes.into_iter().filter_map(|outcome| outcome.result.err()));
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[wasm_bindgen_test]
async fn a_lost_device_is_an_error_and_not_a_panic() {
    let mut rec = Recorder::new(Gpu::request().await.unwrap());
    let block = rec.upload(&[1, 2, 3]).unwrap();
    assert_eq!(rec.download(&block, 3).await, Ok(vec![1, 2, 3]));
    rec.gpu().lose_for_test();
    assert!(rec.download(&block, 3).await.is_err());
}

/// A field of a protobuf message that holds bytes: text, bytes or a message.
fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = bytes.len();
    while length > 127 {
        out.push(length as u8 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(bytes);
    out
}

/// Four 3×3 convolutions of 96 channels over 3 × 64 × 64, as ONNX: 1.2 MB of weights.
fn network() -> Vec<u8> {
    const CHANNELS: u8 = 96;
    let extents = |dims: &[u8]| dims.iter().flat_map(|&d| [1 << 3, d]).collect::<Vec<u8>>();
    let mut graph = Vec::new();
    for layer in 0..4u8 {
        let name = |n: u8| [b'x', b'0' + n];
        let inputs = if layer == 0 { 3 } else { CHANNELS };
        // NodeProto: inputs 1, output 2, operator 4, attributes 5 (AttributeProto: name 1, ints 8, type 20 = INTS).
        let mut pads = field(1, b"pads");
        pads.extend([8 << 3, 1].repeat(4));
        pads.extend([0xa0, 1, 7]);
        let weights = [b'w', b'0' + layer];
        let node = [
            field(1, &name(layer)),
            field(1, &weights),
            field(2, &name(layer + 1)),
            field(4, b"Conv"),
            field(5, &pads),
        ];
        graph.extend(field(1, &node.concat()));
        // TensorProto: dims 1, data_type 2 = FLOAT, name 8, raw_data 9.
        let numbers = usize::from(CHANNELS) * usize::from(inputs) * 9;
        let raw: Vec<u8> = (0..numbers).flat_map(|i| ((i % 17) as f32 * 1e-3).to_le_bytes()).collect();
        let tensor =
            [extents(&[CHANNELS, inputs, 3, 3]), vec![2 << 3, 1], field(8, &weights), field(9, &raw)];
        graph.extend(field(5, &tensor.concat()));
    }
    // ValueInfoProto: name 1, type 2; of a tensor 1, element type 1 = FLOAT, shape 2, dim 1.
    let dims: Vec<u8> = [1, 3, 64, 64].iter().flat_map(|&d| field(1, &extents(&[d]))).collect();
    let tensor = [vec![1 << 3, 1], field(2, &dims)].concat();
    graph.extend(field(11, &[field(1, b"x0"), field(2, &field(1, &tensor))].concat()));
    graph.extend(field(12, &field(1, b"x4")));
    // ModelProto: ir_version 1, graph 7, opset_import 8 (version 2).
    [vec![1 << 3, 8], field(7, &graph), field(8, &[2 << 3, 13])].concat()
}

/// Reads the network, runs it and lets it go; the mean of what it answers.
async fn cycle<E: Exec>(file: &[u8], exec: E) -> (f32, E) {
    let graph = Arc::new(load(file, &Limits::default()).unwrap());
    let mut session = Session::new(graph, exec, 1 << 30);
    let input = Tensor::new(vec![1, 3, 64, 64], Data::F32(vec![0.5; 3 * 64 * 64])).unwrap();
    let run = session.run(vec![("x0".to_owned(), input)], |_| ControlFlow::Continue(()));
    let (outputs, _) = run.await.unwrap();
    let Data::F32(values) = outputs[0].1.data() else { panic!("the output is not f32") };
    (values.iter().sum::<f32>() / values.len() as f32, session.into_exec())
}

/// Bytes of this module's memory, which never shrinks.
fn heap_bytes() -> usize {
    core::arch::wasm32::memory_size(0) << 16
}

/// The worker is ended after every answer; but a heap that grew with every model would end a worker that is not.
#[wasm_bindgen_test]
async fn fifty_models_one_after_the_other_leave_the_heap_as_the_first_did() {
    let file = network();
    let (first, _) = cycle(&file, HostOnly).await;
    let after_one = heap_bytes();
    for _ in 1..50 {
        assert_eq!(cycle(&file, HostOnly).await.0, first);
    }
    let after_fifty = heap_bytes();
    console_log!("heap after one model {after_one}, after fifty {after_fifty} bytes");
    assert!(after_fifty * 100 <= after_one * 105, "{after_one} bytes became {after_fifty}");

    let mut exec = GpuExec::new(Gpu::request().await.unwrap(), true);
    let mut held = Vec::new();
    for _ in 0..10 {
        let answer;
        (answer, exec) = cycle(&file, exec).await;
        assert!((answer - first).abs() <= 1e-4 * first.abs(), "{answer}, on the CPU {first}");
        exec.recorder_mut().trim();
        held.push(exec.recorder().held_bytes().0);
    }
    console_log!("bytes of GPU memory that stay: {held:?}");
    assert!(held.iter().all(|bytes| *bytes <= 4096), "models that are gone hold memory of the GPU: {held:?}");
}
