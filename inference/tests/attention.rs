//! Attention as exports write it becomes one operator, which gives on the host and on the GPU what the parts gave.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use common::{Builder, wave};
use inference::conformance::difference_within;
use inference::exec::{Exec, Report};
use inference::gpu::GpuExec;
use inference::graph::{Graph, ValueId, fuse};
use inference::ops::Op;
use inference::ops::attention::Attention;
use inference::ops::elementwise::{BinaryKind, Unary};
use inference::ops::index::Gather;
use inference::ops::layout::{Split, Transpose};
use inference::ops::matmul::MatMul;
use inference::ops::reduce::{Softmax, SoftmaxKind};
use inference::ops::shape::Reshape;
use inference::{Data, HostOnly, Session, Tensor};

const BATCH: usize = 2;
const TOKENS: usize = 19;
const HEADS: usize = 3;
const SIZE: usize = 5;

fn transpose(order: &[i64]) -> Op {
    Op::Transpose(Transpose { permutation: Some(order.to_vec()) })
}

fn softmax(axis: i64) -> Op {
    Op::Softmax(Softmax { kind: SoftmaxKind::Softmax, axis, flatten: false })
}

fn index(i: i64) -> Tensor {
    Tensor::new(vec![], Data::I64(vec![i])).unwrap()
}

/// q, k and v of heads that lie as [batch, tokens, (q, k, v), heads, size]: split and squeezed, or gathered.
fn taken_apart(b: &mut Builder, x: ValueId, split: bool) -> [ValueId; 3] {
    let x = b.node(transpose(&[2, 0, 3, 1, 4]), &[x]);
    let axes = b.constant(Tensor::new(vec![1], Data::I64(vec![0])).unwrap());
    if split {
        let parts = b.nodes(Op::Split(Split { axis: 0, sizes: Some(vec![1; 3]), parts: 3 }), &[x], 3);
        return [0, 1, 2].map(|i| b.node(Op::Reshape(Reshape::Squeeze { axes: None }), &[parts[i], axes]));
    }
    [0, 1, 2].map(|i| {
        let i = b.constant(index(i));
        b.node(Op::Gather(Gather { axis: 0 }), &[x, i])
    })
}

fn packed() -> Tensor {
    wave(vec![BATCH, TOKENS, 3, HEADS, SIZE], 0.77)
}

/// The outputs, and how many nodes ran on the device and on the host.
fn run<E: Exec>(graph: Graph, exec: E, input: &Tensor) -> (Vec<Tensor>, Report) {
    let mut session = Session::new(Arc::new(graph), exec, 1 << 30);
    let run = session.run(vec![("x".to_owned(), input.clone())], |_| ControlFlow::Continue(()));
    let (outputs, report) = pollster::block_on(run).unwrap();
    (outputs.into_iter().map(|(_, tensor)| tensor).collect(), report)
}

/// Fuses and compares on the host and on the GPU; the nodes that are left.
fn left(graph: Graph, input: &Tensor) -> usize {
    let mut fused = graph.clone();
    fuse(&mut fused);
    let nodes = fused.nodes.len();
    let (want, _) = run(graph, HostOnly, input);
    let Data::F32(v) = want[0].data() else { panic!("f32") };
    assert!(v.iter().any(|x| x.abs() > 1e-3), "an answer of zeros proves nothing");
    let (got, _) = run(fused.clone(), HostOnly, input);
    assert_eq!(got, want, "on the host");
    if let Some(gpu) = common::gpu() {
        let (got, report) = run(fused, GpuExec::new(gpu, true), input);
        assert_eq!(report.on_host, 0, "{:?}", report.host_operators);
        for (got, want) in got.iter().zip(&want) {
            assert_eq!(difference_within(got, want, (2e-6, 2e-5)), None, "on the GPU");
        }
    }
    nodes
}

#[test]
fn heads_of_one_product_become_one_node() {
    for split in [true, false] {
        let (mut b, x) = Builder::new();
        let [q, k, v] = taken_apart(&mut b, x, split);
        let k = b.node(transpose(&[0, 1, 3, 2]), &[k]);
        let scores = b.node(Op::MatMul(MatMul), &[q, k]);
        let factor = b.number(0.6);
        let scores = b.binary(BinaryKind::Mul, factor, scores);
        let scores = b.node(softmax(-1), &[scores]);
        let y = b.node(Op::MatMul(MatMul), &[scores, v]);
        let y = b.node(transpose(&[0, 2, 1, 3]), &[y]);
        assert_eq!(left(b.done(y), &packed()), 1, "split: {split}");
    }
}

#[test]
fn a_mask_a_divisor_and_roots_before_the_product_are_taken_in() {
    for mask in [vec![BATCH, 1, 1, TOKENS], vec![TOKENS, TOKENS], vec![1], vec![BATCH, HEADS, TOKENS, 1]] {
        let (mut b, x) = Builder::new();
        let [q, k, v] = taken_apart(&mut b, x, false);
        let k = b.node(transpose(&[0, 1, 3, 2]), &[k]);
        let scores = b.node(Op::MatMul(MatMul), &[q, k]);
        let divisor = b.number(1.7);
        let scores = b.binary(BinaryKind::Div, scores, divisor);
        let mut values = wave(mask.clone(), 2.1);
        // Some keys are hidden, none of the rows is empty.
        if let (Data::F32(v), true) = (&mut values.data().clone(), mask.last() == Some(&TOKENS)) {
            (0..v.len()).step_by(7).for_each(|i| v[i] = f32::NEG_INFINITY);
            values = Tensor::new(mask.clone(), Data::F32(v.clone())).unwrap();
        }
        let values = b.constant(values);
        let scores = b.binary(BinaryKind::Add, scores, values);
        let scores = b.node(softmax(3), &[scores]);
        let y = b.node(Op::MatMul(MatMul), &[scores, v]);
        assert_eq!(left(b.done(y), &packed()), 1, "{mask:?}");
    }
    let (mut b, x) = Builder::new();
    let [q, k, v] = taken_apart(&mut b, x, false);
    let k = b.node(transpose(&[0, 1, 3, 2]), &[k]);
    let root = b.number(0.45);
    let root = b.node(Op::Unary(Unary::Sqrt), &[root]);
    let (q, k) = (b.binary(BinaryKind::Mul, q, root), b.binary(BinaryKind::Mul, k, root));
    let scores = b.node(Op::MatMul(MatMul), &[q, k]);
    let scores = b.node(softmax(-1), &[scores]);
    let y = b.node(Op::MatMul(MatMul), &[scores, v]);
    // The root itself is arithmetic on a constant, which the plan does.
    assert_eq!(left(b.done(y), &packed()), 2);
}

#[test]
fn what_somebody_else_reads_stays() {
    // Scores that are given out.
    let (mut b, x) = Builder::new();
    let [q, k, v] = taken_apart(&mut b, x, false);
    let k = b.node(transpose(&[0, 1, 3, 2]), &[k]);
    let scores = b.node(Op::MatMul(MatMul), &[q, k]);
    let scores = b.node(softmax(-1), &[scores]);
    let y = b.node(Op::MatMul(MatMul), &[scores, v]);
    let mut graph = b.done(y);
    let nodes = graph.nodes.len();
    graph.outputs.push(("scores".into(), scores));
    assert_eq!(left(graph, &packed()), nodes);
    // Values that are read once more: the moves stay, the products become one.
    let (mut b, x) = Builder::new();
    let [q, k, v] = taken_apart(&mut b, x, false);
    let k = b.node(transpose(&[0, 1, 3, 2]), &[k]);
    let scores = b.node(Op::MatMul(MatMul), &[q, k]);
    let scores = b.node(softmax(-1), &[scores]);
    let y = b.node(Op::MatMul(MatMul), &[scores, v]);
    let y = b.binary(BinaryKind::Add, y, v);
    let graph = b.done(y);
    // Product, softmax, product and the keys' transpose are one.
    assert_eq!(left(graph.clone(), &packed()), graph.nodes.len() - 3);
    // A softmax along another axis is none.
    let (mut b, x) = Builder::new();
    let [q, k, v] = taken_apart(&mut b, x, false);
    let k = b.node(transpose(&[0, 1, 3, 2]), &[k]);
    let scores = b.node(Op::MatMul(MatMul), &[q, k]);
    let scores = b.node(softmax(2), &[scores]);
    let y = b.node(Op::MatMul(MatMul), &[scores, v]);
    let graph = b.done(y);
    assert_eq!(left(graph.clone(), &packed()), graph.nodes.len());
}

#[test]
fn the_operator_of_opset_23_gives_the_same_on_the_gpu() {
    let plain = Attention {
        causal: false,
        q_heads: None,
        kv_heads: None,
        scale: None,
        softcap: 0.0,
        window: (-1, -1),
        mode: 0,
        outputs: 1,
    };
    let three = Attention { q_heads: Some(4), kv_heads: Some(2), scale: Some(0.3), ..plain.clone() };
    for (op, q, k, v, mask) in [
        (&plain, vec![2, 4, 7, 5], vec![2, 4, 9, 5], vec![2, 4, 9, 6], None),
        (&plain, vec![2, 4, 7, 5], vec![2, 2, 9, 5], vec![2, 2, 9, 6], Some(vec![2, 4, 7, 9])),
        (&three, vec![2, 7, 20], vec![2, 9, 10], vec![2, 9, 12], Some(vec![7, 9])),
        (&three, vec![2, 7, 20], vec![2, 9, 10], vec![2, 9, 12], Some(vec![4, 1, 9])),
    ] {
        let Some(gpu) = common::gpu() else { return };
        let (mut b, x) = Builder::new();
        let mut inputs = vec![x, b.constant(wave(k, 1.3)), b.constant(wave(v, 0.9))];
        inputs.extend(mask.map(|mask| b.constant(wave(mask, 0.4))));
        let y = b.node(Op::Attention(op.clone()), &inputs);
        let graph = b.done(y);
        let (want, _) = run(graph.clone(), HostOnly, &wave(q.clone(), 0.7));
        let (got, report) = run(graph.clone(), GpuExec::new(gpu, true), &wave(q, 0.7));
        assert_eq!(difference_within(&got[0], &want[0], (2e-6, 2e-5)), None, "{op:?}");
        assert_eq!((report.on_device, report.on_host), (1, 0));
    }
    // A query that sees no key: the operator gives zeros, so the host does it.
    let Some(gpu) = common::gpu() else { return };
    let (mut b, x) = Builder::new();
    let mut mask = vec![0.0; 14];
    mask[..7].fill(f32::NEG_INFINITY);
    let kv = [b.constant(wave(vec![1, 1, 7, 5], 1.3)), b.constant(wave(vec![1, 1, 7, 5], 0.9))];
    let mask = b.constant(Tensor::new(vec![2, 7], Data::F32(mask)).unwrap());
    let y = b.node(Op::Attention(plain), &[x, kv[0], kv[1], mask]);
    let graph = b.done(y);
    let (want, _) = run(graph.clone(), HostOnly, &wave(vec![1, 1, 2, 5], 0.7));
    let (got, report) = run(graph, GpuExec::new(gpu, true), &wave(vec![1, 1, 2, 5], 0.7));
    assert_eq!((report.on_device, &got), (0, &want));
    let Data::F32(v) = got[0].data() else { panic!("f32") };
    assert_eq!(v[..5], [0.0; 5]);
}
