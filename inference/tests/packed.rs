//! Weights in bytes and half floats stay packed on the GPU, give what they mean, and are widened where they cannot.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use half::f16;
use inference::conformance::difference_within;
use inference::exec::Exec;
use inference::gpu::GpuExec;
use inference::graph::{Graph, Input, Node, ValueId};
use inference::ops::Op;
use inference::ops::conv::{Conv, ConvTranspose};
use inference::ops::matmul::{Gemm, MatMul};
use inference::ops::quant::DequantizeLinear;
use inference::window::WindowAttributes;
use inference::{Data, HostOnly, Limits, Session, Tensor, load};

fn wave(shape: &[usize], by: f32) -> Vec<f32> {
    (0..shape.iter().product()).map(|i: usize| (i as f32 * by + 0.3).sin()).collect()
}

fn tensor(shape: &[usize], data: Data) -> Tensor {
    Tensor::new(shape.to_vec(), data).unwrap()
}

fn constant(graph: &mut Graph, tensor: Tensor) -> ValueId {
    let id = graph.value("constant");
    graph.constants.insert(id, Arc::new(tensor));
    id
}

fn node(graph: &mut Graph, op: Op, inputs: &[ValueId]) -> ValueId {
    let value = graph.value("value");
    graph.nodes.push(Node {
        name: "node".into(),
        op_type: "Op".into(),
        op,
        inputs: inputs.iter().map(|&id| Some(id)).collect(),
        outputs: vec![Some(value)],
        part_of: None,
    });
    value
}

/// A graph of one input.
fn graph(build: impl FnOnce(&mut Graph, ValueId) -> ValueId) -> Graph {
    let mut graph = Graph { opset: 21, ..Graph::default() };
    let value = graph.value("x");
    graph.inputs.push(Input { name: "x".into(), value, dtype: None, shape: None });
    let output = build(&mut graph, value);
    graph.outputs.push(("y".into(), output));
    graph
}

fn run<E: Exec>(graph: &Arc<Graph>, input: &Tensor, exec: E) -> (Tensor, usize, E) {
    let mut session = Session::new(Arc::clone(graph), exec, 1 << 30);
    let held = session.plan(&[input.info()]).unwrap().packed.len();
    let run = session.run(vec![("x".into(), input.clone())], |_| ControlFlow::Continue(()));
    let output = pollster::block_on(run).unwrap().0.remove(0).1;
    (output, held, session.into_exec())
}

/// What is dequantised, and along which axis.
#[derive(Clone, Copy, Debug)]
struct Form {
    unsigned: bool,
    zeros: bool,
    axis: Option<i64>,
    block: usize,
}

/// Bytes of these extents, their scales and zero points, in one node.
fn dequantised(graph: &mut Graph, shape: &[usize], form: Form) -> ValueId {
    let many: usize = shape.iter().product();
    let codes = (0..many).map(|i| (i * 89 % 251) as u8);
    let extent = |axis: i64| shape[axis.rem_euclid(shape.len() as i64) as usize];
    let scales = match form.axis {
        None => vec![],
        Some(axis) if form.block == 0 => vec![extent(axis)],
        Some(axis) => {
            let mut blocks = shape.to_vec();
            blocks[axis as usize] = extent(axis).div_ceil(form.block);
            blocks
        }
    };
    let count: usize = scales.iter().product();
    let factors = (0..count).map(|i| 0.01 + 0.003 * (i * 7 % 11) as f32).collect();
    let zeros = (0..count).map(|i| 97 + (i * 13 % 40) as u8);
    let (codes, zeros) = if form.unsigned {
        (Data::U8(codes.collect()), Data::U8(zeros.collect()))
    } else {
        let signed = |code: u8| (code ^ 128) as i8;
        (Data::I8(codes.map(signed).collect()), Data::I8(zeros.map(signed).collect()))
    };
    let mut inputs =
        vec![constant(graph, tensor(shape, codes)), constant(graph, tensor(&scales, Data::F32(factors)))];
    if form.zeros {
        inputs.push(constant(graph, tensor(&scales, zeros)));
    }
    let op = DequantizeLinear { axis: form.axis.unwrap_or(1), block: form.block, output: None };
    node(graph, Op::DequantizeLinear(op), &inputs)
}

fn conv(group: usize) -> Op {
    let window = WindowAttributes { strides: vec![], ..WindowAttributes::default() };
    Op::Conv(Conv { window, group, activation: None })
}

fn transposed(group: usize) -> Op {
    let window = WindowAttributes { strides: vec![2, 1], ..WindowAttributes::default() };
    let (output_padding, output_shape) = (vec![], vec![]);
    Op::ConvTranspose(ConvTranspose { window, group, output_padding, output_shape, activation: None })
}

fn gemm(transpose_b: bool) -> Op {
    Op::Gemm(Gemm { alpha: 0.5, beta: 1.0, transpose_a: false, transpose_b })
}

/// A name, an operator, the extents of its input and its weights, the axis of its output channels.
type Case = (&'static str, Op, Vec<usize>, Vec<usize>, i64);

fn operators() -> Vec<Case> {
    vec![
        ("1x1", conv(1), vec![1, 6, 5, 7], vec![9, 6, 1, 1], 0),
        ("3x3", conv(1), vec![2, 3, 9, 8], vec![20, 3, 3, 3], 0),
        ("1D", conv(1), vec![1, 3, 19], vec![5, 3, 4], 0),
        ("3D", conv(1), vec![1, 2, 5, 6, 7], vec![5, 2, 3, 3, 3], 0),
        ("groups", conv(3), vec![1, 6, 8, 9], vec![15, 2, 3, 2], 0),
        ("depthwise", conv(5), vec![1, 5, 8, 9], vec![5, 1, 3, 3], 0),
        ("transposed", transposed(1), vec![1, 4, 5, 6], vec![4, 7, 2, 3], 1),
        ("transposed, groups", transposed(2), vec![1, 4, 5, 6], vec![4, 3, 2, 3], 1),
        ("transposed, depthwise", transposed(4), vec![1, 4, 5, 6], vec![4, 1, 2, 3], 1),
        ("matmul", Op::MatMul(MatMul), vec![3, 5, 11], vec![11, 13], 1),
        ("gemm", gemm(false), vec![5, 11], vec![11, 13], 1),
        ("gemm, transposed", gemm(true), vec![5, 11], vec![13, 11], 0),
    ]
}

/// Sums of up to 60 products of numbers up to 7, in another order.
const ALLOWED: (f64, f64) = (1e-4, 1e-5);

#[test]
fn bytes_stay_packed_where_scales_go_along_output_channels_and_mean_the_same_everywhere() {
    let Some(gpu) = common::gpu() else { return };
    let mut exec = GpuExec::new(gpu, true);
    for (name, op, input, weights, outputs) in operators() {
        let input = tensor(&input, Data::F32(wave(&input, 0.7)));
        let other = i64::from(outputs == 0);
        for unsigned in [false, true] {
            for (zeros, axis, block, packed) in [
                (false, None, 0, true),
                (true, None, 0, true),
                (false, Some(outputs), 0, true),
                (true, Some(outputs), 0, true),
                (true, Some(outputs - weights.len() as i64), 0, true),
                // Scales that no kernel knows: one per input channel, and one per block. One channel is all channels.
                (true, Some(other), 0, weights[other as usize] == 1),
                (true, Some(0), 2, false),
            ] {
                let form = Form { unsigned, zeros, axis, block };
                let graph = Arc::new(graph(|graph, x| {
                    let weights = dequantised(graph, &weights, form);
                    node(graph, op.clone(), &[x, weights])
                }));
                let (want, on_host, _) = run(&graph, &input, HostOnly);
                let (got, held, kept) = run(&graph, &input, exec);
                exec = kept;
                assert_eq!(on_host, 0, "the host has everything widened");
                assert_eq!(held == 1, packed, "{name}, {form:?}");
                assert_eq!(difference_within(&got, &want, ALLOWED), None, "{name}, {form:?}");
            }
        }
    }
}

#[test]
fn half_floats_stay_packed_and_mean_the_same() {
    // Activations in words, and as half floats where the device has them.
    for in_halves in [false, true] {
        let Some(gpu) = common::gpu() else { return };
        let exec = GpuExec::new(gpu, true);
        half_floats(if in_halves { exec.in_halves() } else { exec });
    }
}

fn half_floats(mut exec: GpuExec) {
    for (name, op, input, weights, _) in operators() {
        let halves = |v: Vec<f32>| Data::F16(v.into_iter().map(f16::from_f32).collect());
        let input = tensor(&input, halves(wave(&input, 0.7)));
        let graph = Arc::new(graph(|graph, x| {
            let weights = constant(graph, tensor(&weights, halves(wave(&weights, 1.3))));
            node(graph, op.clone(), &[x, weights])
        }));
        let (want, ..) = run(&graph, &input, HostOnly);
        let (got, held, kept) = run(&graph, &input, exec);
        exec = kept;
        assert_eq!(held, 1, "{name}");
        // The results are half floats: 11 bits.
        assert_eq!(difference_within(&got, &want, (1e-3, 1e-3)), None, "{name}");
    }
}

/// A graph whose scales or zero points stand in another place is another graph: the comparison above sees it.
#[test]
fn a_scale_or_a_zero_point_in_a_wrong_place_is_seen() {
    let Some(gpu) = common::gpu() else { return };
    let mut exec = GpuExec::new(gpu, true);
    for (name, op, input, weights, outputs) in operators() {
        let input = tensor(&input, Data::F32(wave(&input, 0.7)));
        let form = Form { unsigned: true, zeros: true, axis: Some(outputs), block: 0 };
        let right = graph(|graph, x| {
            let weights = dequantised(graph, &weights, form);
            node(graph, op.clone(), &[x, weights])
        });
        let (want, ..) = run(&Arc::new(right.clone()), &input, HostOnly);
        for at in [1, 2] {
            let mut wrong = right.clone();
            let id = wrong.nodes[0].inputs[at].unwrap();
            let moved = match wrong.constants[&id].data().clone() {
                Data::F32(mut v) if v.len() > 1 => {
                    v.rotate_left(1);
                    Data::F32(v)
                }
                // Of another sign, seen from the middle.
                Data::U8(v) => Data::U8(v.into_iter().map(|z| !z).collect()),
                data => data,
            };
            let shape = wrong.constants[&id].shape().to_vec();
            if moved == *wrong.constants[&id].data() {
                continue;
            }
            wrong.constants.insert(id, Arc::new(tensor(&shape, moved)));
            let (got, held, kept) = run(&Arc::new(wrong), &input, exec);
            exec = kept;
            assert_eq!(held, 1, "{name}");
            assert!(difference_within(&got, &want, ALLOWED).is_some(), "{name}: input {at} has no effect");
        }
    }
}

#[test]
fn weights_that_something_else_reads_are_widened() {
    let Some(gpu) = common::gpu() else { return };
    let input = tensor(&[1, 6, 5, 7], Data::F32(wave(&[210], 0.7)));
    let form = Form { unsigned: false, zeros: false, axis: Some(0), block: 0 };
    let graph = Arc::new(graph(|graph, x| {
        let weights = dequantised(graph, &[9, 6, 1, 1], form);
        graph.outputs.push(("weights".into(), weights));
        node(graph, conv(1), &[x, weights])
    }));
    let (want, ..) = run(&graph, &input, HostOnly);
    let (got, held, _) = run(&graph, &input, GpuExec::new(gpu, true));
    assert_eq!(held, 0);
    assert_eq!(difference_within(&got, &want, ALLOWED), None);
}

/// What goes to the GPU for a model, first and again, and what its plan says.
fn sent(model: &str, input: &[usize], exec: GpuExec) -> Option<([u64; 2], u64, GpuExec)> {
    let path = testbed::reference(&format!("data/models/{model}"))?;
    let graph = Arc::new(load(&std::fs::read(path).unwrap(), &Limits::default()).unwrap());
    let name = graph.inputs[0].name.clone();
    let input = tensor(input, Data::F32(wave(input, 0.01)));
    let mut session = Session::new(graph, exec, 4 << 30);
    let plan = session.plan(&[input.info()]).unwrap();
    let mut sent = [0; 2];
    for bytes in &mut sent {
        let before = session.exec().recorder().uploaded_bytes();
        let run = session.run(vec![(name.clone(), input.clone())], |_| ControlFlow::Continue(()));
        pollster::block_on(run).unwrap();
        *bytes = session.exec().recorder().uploaded_bytes() - before - input.data().len() as u64 * 4;
    }
    println!(
        "{model}: {sent:?} bytes of weights sent, {} held packed, peak {}",
        plan.packed.len(),
        plan.peak_bytes
    );
    Some((sent, plan.peak_bytes, session.into_exec()))
}

#[test]
fn models_in_bytes_and_halves_take_as_much_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    let exec = GpuExec::new(gpu, true);
    let picture = [1, 3, 224, 224];
    let Some(([full, again], full_peak, exec)) = sent("efficientnet-lite0.onnx", &picture, exec) else {
        return;
    };
    assert_eq!(again, 0, "weights are sent once");
    // Of 4,630,000 weights 4,427,000 are bytes; depthwise ones and biases are f32.
    let ([bytes, again], bytes_peak, exec) = sent("efficientnet-lite0_quant.onnx", &picture, exec).unwrap();
    assert_eq!(again, 0);
    assert!(bytes * 3 < full && bytes > full / 4, "{bytes} bytes of {full}");
    assert!(
        bytes_peak + full - bytes <= full_peak,
        "a plan of {bytes_peak} counts weights that are not there"
    );
    // Here all weights are bytes, with zero points, and activations go through bytes.
    let ([bytes, again], _, exec) = sent("efficientnet-lite0_qdq.onnx", &picture, exec).unwrap();
    assert!(bytes * 3 < full && again == 0, "{bytes} bytes of {full}, {again} again");
    let ([halves, _], ..) = sent("efficientnet-lite0_fp16.onnx", &picture, exec).unwrap();
    assert!(halves * 100 < full * 51, "{halves} bytes of {full}");
}
