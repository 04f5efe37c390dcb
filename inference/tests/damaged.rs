//! Damaged models: whatever a byte becomes, the model is refused, or computes, and the program goes on.
//!
//! Every node test loses bytes at places that a fixed generator picks, a real network at each of its first places; a
//! panic would end a wasm module, so one is a failure, as is a run that makes more than its budget.

#![allow(clippy::unwrap_used)]

mod common;

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use inference::graph::Dim;
use inference::onnx::RawTensor;
use inference::{DType, Data, HostOnly, Limits, Session, Tensor, load};

/// Bytes that a damaged model may take.
const BUDGET: u64 = 16 << 20;

/// Knuth, The Art of Computer Programming 3.3.4: the multiplier of MMIX.
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % n.max(1)
    }
}

/// Whether the model computed; panics are the caller's to catch.
fn attempt(model: &[u8], inputs: &[Tensor]) -> bool {
    let Ok(graph) = load(model, &Limits::default()) else { return false };
    let graph = Arc::new(graph);
    let named: Vec<_> =
        graph.inputs.iter().zip(inputs).map(|(input, tensor)| (input.name.clone(), tensor.clone())).collect();
    let mut session = Session::new(graph, HostOnly, BUDGET);
    pollster::block_on(session.run(named, |_| ControlFlow::Continue(()))).is_ok()
}

/// Attempts, and notes a panic.
fn survives(model: &[u8], inputs: &[Tensor], what: &dyn Fn() -> String, panics: &mut Vec<String>) -> bool {
    catch_unwind(AssertUnwindSafe(|| attempt(model, inputs))).unwrap_or_else(|_| {
        panics.push(what());
        false
    })
}

#[test]
fn node_tests_with_damaged_bytes_are_refused_or_compute() {
    let Some(folder) = testbed::reference("data/onnx-node-tests") else { return };
    let mut random = Random(1);
    let (mut computed, mut refused, mut panics) = (0, 0, Vec::new());
    for (name, test) in common::node_tests(&folder.join("developer.tar.zst")) {
        let inputs: Vec<Tensor> = match test.cases().first() {
            Some(case) => case
                .inputs
                .iter()
                .filter_map(|bytes| RawTensor::read(bytes, &Limits::default()).ok()?.tensor().ok())
                .collect(),
            None => continue,
        };
        for _ in 0..12 {
            let mut model = test.model.clone();
            let at = random.below(model.len());
            let by = 1 + random.below(255) as u8;
            model[at] ^= by;
            if survives(&model, &inputs, &|| format!("{name}: byte {at} ^ {by}"), &mut panics) {
                computed += 1;
            } else {
                refused += 1;
            }
        }
        let end = random.below(test.model.len());
        survives(&test.model[..end], &inputs, &|| format!("{name}: cut at {end}"), &mut panics);
    }
    println!("{computed} computed, {refused} refused");
    assert!(panics.is_empty(), "{panics:#?}");
    assert!(
        computed > 1000 && refused > 1000,
        "{computed} computed, {refused} refused: one side is not tested"
    );
}

#[test]
fn a_network_with_a_damaged_byte_is_refused_or_computes() {
    let Some(folder) = testbed::reference("data/models") else { return };
    let model = std::fs::read(folder.join("meshnet-model5_gw_ae_quant.onnx")).unwrap();
    let values = (0..4 * 5 * 6).map(|i| (i as f32 * 0.37).sin()).collect();
    let input = Tensor::new(vec![1, 1, 4, 5, 6], Data::F32(values)).unwrap();
    assert!(attempt(&model, std::slice::from_ref(&input)), "the model is sound");
    let mut random = Random(2);
    let mut panics = Vec::new();
    let places =
        (0..3000.min(model.len())).chain((0..1000).map(|_| random.below(model.len())).collect::<Vec<_>>());
    for at in places {
        for by in [0xff, 1 << random.below(8)] {
            let mut damaged = model.clone();
            damaged[at] ^= by;
            survives(&damaged, std::slice::from_ref(&input), &|| format!("byte {at} ^ {by}"), &mut panics);
        }
    }
    assert!(panics.is_empty(), "{panics:#?}");
}

/// Every model of the reference data, in order of name.
fn networks(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
    let list = |folder: std::path::PathBuf| {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>()
    };
    let mut files = [list(folder.to_path_buf()), list(folder.join("synthetic"))].concat();
    files.retain(|path| path.extension().is_some_and(|e| e == "onnx"));
    files.sort_unstable();
    files
}

/// Numbers for a model's first input; 8 elements along what it leaves open but the batch.
fn input_of(model: &[u8]) -> Tensor {
    let graph = load(model, &Limits::default()).unwrap();
    let dims = graph.inputs[0].shape.clone().unwrap();
    let extent = |(axis, dim): (usize, &Dim)| match dim {
        Dim::Fixed(n) => *n,
        _ if axis == 0 => 1,
        _ => 8,
    };
    let shape: Vec<usize> = dims.iter().enumerate().map(extent).collect();
    let values = (0..shape.iter().product::<usize>()).map(|i| (i as f32 * 0.37).sin()).collect();
    Tensor::new(shape, Data::F32(values)).unwrap()
}

#[test]
fn every_network_with_a_damaged_byte_is_refused_or_computes() {
    let Some(folder) = testbed::reference("data/models") else { return };
    let mut random = Random(3);
    let (mut sound, mut panics) = (0, Vec::new());
    let networks = networks(&folder);
    for path in &networks {
        let name = path.file_name().unwrap().to_string_lossy();
        let mut model = std::fs::read(path).unwrap();
        let input = [input_of(&model)];
        sound += usize::from(attempt(&model, &input));
        // The nodes stand before the weights: half of the damage goes there.
        let structure = model.len().min(16 << 10);
        for turn in 0..(8 << 20) / model.len() + 12 {
            let at = random.below(if turn % 2 == 0 { structure } else { model.len() });
            let by = 1 + random.below(255) as u8;
            model[at] ^= by;
            survives(&model, &input, &|| format!("{name}: byte {at} ^ {by}"), &mut panics);
            model[at] ^= by;
        }
        let end = random.below(model.len());
        survives(&model[..end], &input, &|| format!("{name}: cut at {end}"), &mut panics);
    }
    assert!(panics.is_empty(), "{panics:#?}");
    // The rest asks for more than the budget of this file.
    assert!(networks.len() >= 13 && sound >= 7, "{sound} of {} networks computed undamaged", networks.len());
}

#[test]
fn a_model_larger_than_its_budget_is_refused_with_the_megabytes_named() {
    let Some(folder) = testbed::reference("data/models") else { return };
    let model = std::fs::read(folder.join("meshnet-model5_gw_ae.onnx")).unwrap();
    let graph = Arc::new(load(&model, &Limits::default()).unwrap());
    // Only the plans are made; nothing of a gigabyte is allocated here.
    let info = inference::TensorInfo { dtype: DType::F32, shape: vec![1, 1, 256, 256, 256] };
    let refusal = |budget| {
        let mut session = Session::new(Arc::clone(&graph), HostOnly, budget);
        session.plan(std::slice::from_ref(&info)).map(|plan| plan.peak_bytes).map_err(|e| e.to_string())
    };
    // One layer of five channels and the next, the input being gone: ten volumes of 64 MB, and what is small.
    let whole = refusal(2 << 30).unwrap();
    assert!((640 << 20..660 << 20).contains(&whole), "{whole}");
    // In slabs: three volumes of scores, the input, and 93 planes of five channels and some more.
    let message = refusal(300 << 20).unwrap_err();
    let needed = message.split_whitespace().find_map(|word| word.parse::<u64>().ok()).unwrap();
    assert!((400..500).contains(&needed) && message.contains("300 MB are allowed"), "{message}");
    assert!(refusal(500 << 20).unwrap() <= 500 << 20);
}
