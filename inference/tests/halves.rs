//! Activations stored as half floats: the numbers of a model whose tensors are, in half of the memory.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use half::f16;
use inference::conformance::difference_within;
use inference::gpu::GpuExec;
use inference::graph::{Graph, Input, Node, ValueId};
use inference::ops::Op;
use inference::ops::conv::{Activation, Conv};
use inference::ops::elementwise::{Binary, BinaryKind, Cast, Unary};
use inference::ops::layout::{Concat, Transpose};
use inference::ops::norm::InstanceNorm;
use inference::ops::pool::GlobalPool;
use inference::window::WindowAttributes;
use inference::{DType, Data, HostOnly, Limits, Session, Tensor, load};

fn wave(shape: &[usize], by: f32) -> Tensor {
    let wave = |i: usize| (i as f32 * by + 0.3).sin();
    let values: Vec<f16> = (0..shape.iter().product()).map(|i| f16::from_f32(wave(i))).collect();
    Tensor::new(shape.to_vec(), Data::F16(values)).unwrap()
}

#[derive(Default)]
struct Builder(Graph);

impl Builder {
    fn constant(&mut self, tensor: Tensor) -> ValueId {
        let id = self.0.value("constant");
        self.0.constants.insert(id, Arc::new(tensor));
        id
    }

    fn node(&mut self, op: Op, inputs: &[ValueId]) -> ValueId {
        let value = self.0.value("value");
        let inputs = inputs.iter().map(|&id| Some(id)).collect();
        let (name, op_type, outputs) = ("node".into(), "Op".into(), vec![Some(value)]);
        self.0.nodes.push(Node { name, op_type, op, inputs, outputs, part_of: None });
        value
    }

    fn conv(&mut self, x: ValueId, weights: &[usize], group: usize, by: f32) -> ValueId {
        let window = WindowAttributes { pads: vec![1, 1, 1, 1], ..WindowAttributes::default() };
        let (weights, bias) = (wave(weights, by), wave(&weights[..1], by));
        let (weights, bias) = (self.constant(weights), self.constant(bias));
        let activation = Some(Activation::Unary(Unary::Relu));
        self.node(Op::Conv(Conv { window, group, activation }), &[x, weights, bias])
    }
}

/// A network of every kind of kernel that half floats go through, odd extents, and its input.
fn network() -> (Graph, Tensor) {
    let mut b = Builder::default();
    let x = b.0.value("x");
    b.0.inputs.push(Input { name: "x".into(), value: x, dtype: None, shape: None });
    let dense = b.conv(x, &[7, 3, 3, 3], 1, 1.3);
    let deep = b.conv(dense, &[7, 1, 3, 3], 7, 0.9);
    let sum = b.node(Op::Binary(Binary { kind: BinaryKind::Add }), &[dense, deep]);
    let (scale, shift) = (b.constant(wave(&[7], 0.4)), b.constant(wave(&[7], 0.6)));
    let norm = b.node(Op::InstanceNorm(InstanceNorm { epsilon: 1e-3 }), &[sum, scale, shift]);
    let both = b.node(Op::Concat(Concat { axis: 1 }), &[norm, deep]);
    let turned = b.node(Op::Transpose(Transpose { permutation: Some(vec![0, 1, 3, 2]) }), &[both]);
    let pooled = b.node(Op::GlobalPool(GlobalPool { max: false }), &[both]);
    let gated = b.node(Op::Binary(Binary { kind: BinaryKind::Mul }), &[turned, pooled]);
    b.0.outputs.push(("y".into(), gated));
    (b.0, wave(&[1, 3, 19, 23], 0.7))
}

fn run(session: &mut Session<GpuExec>, input: &Tensor) -> (Tensor, usize) {
    let name = session.graph().inputs[0].name.clone();
    let run = session.run(vec![(name, input.clone())], |_| ControlFlow::Continue(()));
    let (mut outputs, report) = pollster::block_on(run).unwrap();
    (outputs.remove(0).1, report.on_host)
}

#[test]
fn a_network_in_halves_gives_its_numbers_in_half_of_the_memory() {
    let (graph, input) = network();
    let graph = Arc::new(graph);
    let mut host = Session::new(Arc::clone(&graph), HostOnly, 1 << 30);
    let on_host = host.run(vec![("x".into(), input.clone())], |_| ControlFlow::Continue(()));
    let want = pollster::block_on(on_host).unwrap().0.remove(0).1;
    let mut peaks = Vec::new();
    for halves in [false, true] {
        let Some(gpu) = common::gpu() else { return };
        if !gpu.has_f16() {
            println!("this adapter does not compute in half precision");
            return;
        }
        let exec = GpuExec::new(gpu, true);
        let exec = if halves { exec.in_halves() } else { exec };
        let mut session = Session::new(Arc::clone(&graph), exec, 1 << 30);
        let (got, on_host) = run(&mut session, &input);
        assert_eq!((got.dtype(), on_host), (DType::F16, 0));
        // Every layer rounds to 11 bits.
        assert_eq!(difference_within(&got, &want, (1e-2, 4e-3)), None, "in halves: {halves}");
        peaks.push(session.plan(&[input.info()]).unwrap().peak_bytes);
        let (_, held) = session.exec().recorder().held_bytes();
        println!("in halves: {halves}: {held} bytes were held, {} planned", peaks[peaks.len() - 1]);
    }
    assert!(peaks[1] * 10 < peaks[0] * 6, "{peaks:?}");
}

#[test]
fn the_classifier_in_halves_names_the_same_class_in_half_of_the_memory() {
    let Some(folder) = testbed::reference("data/models") else { return };
    let file = std::fs::read(folder.join("efficientnet-lite0_fp16.onnx")).unwrap();
    let graph = Arc::new(load(&file, &Limits::default()).unwrap());
    assert!(graph.nodes.iter().any(|node| matches!(node.op, Op::Cast(Cast { .. }))), "floats in and out");
    let mut arrays = common::npz(&folder.join("refs/efficientnet-lite0.npz"));
    let (Some(pictures), Some(want)) = (arrays.remove("rgb_u8"), arrays.remove("logits")) else { panic!() };
    let (Data::U8(bytes), Data::F32(want)) = (pictures.data(), want.data()) else {
        panic!("bytes and floats")
    };
    // PROVENANCE: (x - 127) / 128, channels before rows. One of the three pictures is enough.
    let place = |i: usize| i % (224 * 224) * 3 + i / (224 * 224);
    let input = (0..3 * 224 * 224).map(|i| (f32::from(bytes[place(i)]) - 127.0) / 128.0).collect();
    let input = Tensor::new(vec![1, 3, 224, 224], Data::F32(input)).unwrap();
    let want = Tensor::new(vec![1, 1000], Data::F32(want[..1000].to_vec())).unwrap();
    let mut held = Vec::new();
    for halves in [false, true] {
        let Some(gpu) = common::gpu() else { return };
        if !gpu.has_f16() {
            return;
        }
        let exec = GpuExec::new(gpu, true);
        let exec = if halves { exec.in_halves() } else { exec };
        let mut session = Session::new(Arc::clone(&graph), exec, 1 << 30);
        let (got, on_host) = run(&mut session, &input);
        let start = std::time::Instant::now();
        let again = run(&mut session, &input).0;
        println!("in halves: {halves}: {} ms", start.elapsed().as_millis());
        assert_eq!((again == got, on_host), (true, 0));
        let largest = |t: &Tensor| {
            let Data::F32(v) = t.data() else { panic!("logits are floats") };
            (0..v.len()).max_by(|&a, &b| v[a].total_cmp(&v[b]))
        };
        assert_eq!(largest(&got), largest(&want), "in halves: {halves}");
        // 50 layers round to 11 bits each.
        assert_eq!(difference_within(&got, &want, (0.06, 0.02)), None, "in halves: {halves}");
        let planned = session.plan(&[input.info()]).unwrap().peak_bytes;
        held.push((session.exec().recorder().held_bytes().1, planned));
    }
    println!("held and planned, in words and in halves: {held:?}");
    let [words, halves] = held[..] else { panic!() };
    assert!(halves.0 * 10 < words.0 * 7 && halves.1 < words.1, "{held:?}");
    assert!(words.0 <= words.1 && halves.0 <= halves.1, "{held:?}: more was held than planned");
}

/// Labels come from scores that never exist, out of activations in either form.
#[test]
fn labels_come_out_of_halves() {
    let mut b = Builder::default();
    let x = b.0.value("x");
    b.0.inputs.push(Input { name: "x".into(), value: x, dtype: None, shape: None });
    let dense = b.conv(x, &[6, 3, 3, 3], 1, 1.3);
    let (weights, bias) = (b.constant(wave(&[5, 6, 1, 1], 2.3)), b.constant(wave(&[5], 0.8)));
    let conv = Conv { window: WindowAttributes::default(), group: 1, activation: None };
    let scores = b.node(Op::Conv(conv), &[dense, weights, bias]);
    b.0.outputs.push(("y".into(), scores));
    let graph = Arc::new(b.0.with_labels(0).unwrap());
    assert!(matches!(graph.nodes.last().unwrap().op, Op::ConvLabels(_)));
    let input = wave(&[1, 3, 21, 18], 0.7);
    let mut answers = Vec::new();
    for halves in [false, true] {
        let Some(gpu) = common::gpu() else { return };
        let exec = GpuExec::new(gpu, true);
        let exec = if halves { exec.in_halves() } else { exec };
        let mut session = Session::new(Arc::clone(&graph), exec, 1 << 30);
        let (got, on_host) = run(&mut session, &input);
        let Data::U8(labels) = got.data() else { panic!("labels are bytes") };
        assert_eq!(on_host, 0);
        answers.push(labels.clone());
    }
    let alike = answers[0].iter().zip(&answers[1]).filter(|(a, b)| a == b).count();
    assert!(
        answers[0].iter().any(|&label| label != answers[0][0]),
        "labels that differ nowhere test nothing"
    );
    // Scores that are equal to 11 bits may change places.
    assert!(alike * 100 >= answers[0].len() * 99, "{alike} of {} labels", answers[0].len());
}
