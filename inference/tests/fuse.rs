//! Fused graphs give what the graphs give as they are written, with fewer nodes.
//!
//! Networks from the reference data, and graphs made here for the patterns that none of them has.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use common::{Builder, wave};
use inference::conformance::difference_within;
use inference::graph::{Graph, fuse, load_as_written};
use inference::ops::Op;
use inference::ops::conv::{Conv, ConvTranspose};
use inference::ops::elementwise::{BinaryKind, Clip, Unary};
use inference::ops::norm::BatchNorm;
use inference::ops::reduce::{Reduce, ReduceKind};
use inference::window::WindowAttributes;
use inference::{Data, HostOnly, Limits, Session, Tensor};

fn run(graph: Graph, input: &Tensor) -> Tensor {
    let name = graph.inputs[0].name.clone();
    let mut session = Session::new(Arc::new(graph), HostOnly, 1 << 30);
    let run = session.run(vec![(name, input.clone())], |_| ControlFlow::Continue(()));
    pollster::block_on(run).unwrap().0.into_iter().next().unwrap().1
}

/// Fuses, compares, and says how many nodes are left.
fn left(graph: Graph, input: &Tensor) -> usize {
    let mut fused = graph.clone();
    fuse(&mut fused);
    let nodes = fused.nodes.len();
    let (want, got) = (run(graph, input), run(fused, input));
    assert_eq!(difference_within(&got, &want, (2e-5, 1e-5)), None);
    let Data::F32(v) = want.data() else { panic!("f32") };
    assert!(v.iter().any(|x| x.abs() > 1e-3), "an answer of zeros proves nothing");
    nodes
}

fn conv(group: usize) -> Op {
    let window =
        WindowAttributes { pads: vec![1, 0, 0, 1], strides: vec![2, 1], ..WindowAttributes::default() };
    Op::Conv(Conv { window, group, activation: None })
}

#[test]
fn a_batch_norm_and_an_activation_go_into_the_convolution() {
    let norm = Op::BatchNorm(BatchNorm { epsilon: 1e-3, momentum: 0.9, training: false });
    let transposed = Op::ConvTranspose(ConvTranspose {
        window: WindowAttributes { strides: vec![2, 2], ..WindowAttributes::default() },
        group: 2,
        output_padding: vec![],
        output_shape: vec![],
        activation: None,
    });
    for (first, weights, m) in [(conv(2), vec![6, 2, 3, 2], 6), (transposed, vec![4, 3, 2, 3], 6)] {
        for bias in [false, true] {
            let (mut b, x) = Builder::new();
            let mut inputs = vec![x, b.constant(wave(weights.clone(), 0.7))];
            if bias {
                inputs.push(b.constant(wave(vec![m], 1.1)));
            }
            let y = b.node(first.clone(), &inputs);
            let variance = Tensor::new(vec![m], Data::F32((0..m).map(|i| 0.5 + i as f32).collect())).unwrap();
            let rest = [wave(vec![m], 1.3), wave(vec![m], 1.7), wave(vec![m], 1.9), variance];
            let rest: Vec<_> = rest.into_iter().map(|t| b.constant(t)).collect();
            let y = b.node(norm.clone(), &[y, rest[0], rest[1], rest[2], rest[3]]);
            let shift = b.constant(wave(vec![m, 1, 1], 2.3));
            let y = b.binary(BinaryKind::Add, shift, y);
            let (low, high) = (b.number(-0.2), b.number(0.9));
            let y = b.node(Op::Clip(Clip { min: None, max: None }), &[y, low, high]);
            assert_eq!(left(b.done(y), &wave(vec![2, 4, 7, 5], 0.21)), 1);
        }
    }
}

/// Half floats keep their type, and a batch norm that would leave their range stays where it is.
#[test]
fn a_batch_norm_goes_into_a_convolution_of_half_floats_where_they_can_hold_it() {
    let halves = |tensor: Tensor| {
        let Data::F32(v) = tensor.data() else { panic!("f32") };
        let halves = v.iter().map(|&x| half::f16::from_f32(x)).collect();
        Tensor::new(tensor.shape().to_vec(), Data::F16(halves)).unwrap()
    };
    for (scale, nodes) in [(1.3, 1), (60_000.0, 2)] {
        let (mut b, x) = Builder::new();
        let w = b.constant(halves(wave(vec![6, 2, 3, 2], 0.7)));
        let y = b.node(conv(2), &[x, w]);
        let list = |x: f32| Tensor::new(vec![6], Data::F32(vec![x; 6])).unwrap();
        let rest = [list(scale), list(0.25), list(0.125), list(0.01)].map(|t| b.constant(halves(t)));
        let norm = Op::BatchNorm(BatchNorm { epsilon: 1e-3, momentum: 0.9, training: false });
        let y = b.node(norm, &[y, rest[0], rest[1], rest[2], rest[3]]);
        let graph = b.done(y);
        let mut fused = graph.clone();
        fuse(&mut fused);
        assert_eq!(fused.nodes.len(), nodes, "scale {scale}");
        assert!(fused.constants.values().all(|c| c.dtype() == inference::DType::F16));
        let input = halves(wave(vec![2, 4, 7, 5], 0.21));
        let (want, got) = (run(graph, &input), run(fused, &input));
        // Products of up to 12 terms, each weight rounded to 11 bits.
        assert_eq!(difference_within(&got, &want, (3e-2, 3e-3)), None, "scale {scale}");
    }
}

#[test]
fn a_value_that_is_read_twice_is_not_fused_away() {
    let (mut b, x) = Builder::new();
    let w = b.constant(wave(vec![2, 3, 2, 2], 0.7));
    let y = b.node(conv(1), &[x, w]);
    let z = b.node(Op::Unary(Unary::Relu), &[y]);
    let both = b.binary(BinaryKind::Add, y, z);
    assert_eq!(left(b.done(both), &wave(vec![1, 3, 5, 6], 0.4)), 3);
    let (mut b, x) = Builder::new();
    let w = b.constant(wave(vec![2, 3, 2, 2], 0.7));
    let y = b.node(conv(1), &[x, w]);
    let z = b.node(Op::Unary(Unary::Relu), &[y]);
    let mut graph = b.done(z);
    graph.outputs.push(("before".into(), y));
    assert_eq!(left(graph, &wave(vec![1, 3, 5, 6], 0.4)), 2, "what is given out stays");
}

#[test]
fn activations_that_are_written_as_formulas_become_operators() {
    let input = wave(vec![3, 5], 0.9);
    let (mut b, x) = Builder::new();
    let gate = b.node(Op::Unary(Unary::Sigmoid), &[x]);
    let y = b.binary(BinaryKind::Mul, gate, x);
    assert_eq!(left(b.done(y), &input), 1, "swish");
    for half_first in [false, true] {
        let (mut b, x) = Builder::new();
        let (root, one, half) = (b.number(std::f32::consts::SQRT_2), b.number(1.0), b.number(0.5));
        let scaled = b.binary(BinaryKind::Div, x, root);
        let erf = b.node(Op::Unary(Unary::Erf), &[scaled]);
        let sum = b.binary(BinaryKind::Add, one, erf);
        let y = if half_first {
            let h = b.binary(BinaryKind::Mul, half, x);
            b.binary(BinaryKind::Mul, sum, h)
        } else {
            let p = b.binary(BinaryKind::Mul, x, sum);
            b.binary(BinaryKind::Mul, p, half)
        };
        assert_eq!(left(b.done(y), &input), 1, "gelu");
    }
}

#[test]
fn layer_normalization_written_as_its_formula_becomes_one_operator() {
    for by_power in [false, true] {
        let (mut b, x) = Builder::new();
        let mean = || {
            Op::Reduce(Reduce {
                kind: ReduceKind::Mean,
                axes: Some(vec![-1]),
                keep: true,
                none_if_empty: false,
            })
        };
        let m = b.node(mean(), &[x]);
        let d = b.binary(BinaryKind::Sub, x, m);
        let two = b.number(2.0);
        let square =
            if by_power { b.binary(BinaryKind::Pow, d, two) } else { b.binary(BinaryKind::Mul, d, d) };
        let v = b.node(mean(), &[square]);
        let epsilon = b.number(1e-2);
        let v = b.binary(BinaryKind::Add, v, epsilon);
        let s = b.node(Op::Unary(Unary::Sqrt), &[v]);
        let q = b.binary(BinaryKind::Div, d, s);
        let (scale, bias) = (b.constant(wave(vec![5], 1.1)), b.constant(wave(vec![5], 1.7)));
        let p = b.binary(BinaryKind::Mul, q, scale);
        let y = b.binary(BinaryKind::Add, p, bias);
        assert_eq!(left(b.done(y), &wave(vec![2, 3, 5], 0.9)), 1);
    }
}

#[test]
fn real_networks_are_unchanged_by_fusion() {
    let Some(folder) = testbed::reference("data/models") else { return };
    for (model, most) in [("unet2d_bn", 0.7), ("unet3d_in", 1.0), ("vit_tiny_d2_ln17", 0.8)] {
        let bytes = std::fs::read(folder.join(format!("synthetic/{model}.onnx"))).unwrap();
        let graph = load_as_written(&bytes, &Limits::default()).unwrap();
        let input = common::npz(&folder.join(format!("synthetic/{model}.npz")))["input"].clone();
        let before = graph.nodes.len();
        let after = left(graph, &input);
        assert!(after as f64 <= most * before as f64, "{model}: {after} of {before} nodes are left");
    }
}
