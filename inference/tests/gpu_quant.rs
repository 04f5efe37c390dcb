//! QuantizeLinear and DequantizeLinear on the GPU give the integers that the host gives, every one of them.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use inference::exec::{Exec, Report};
use inference::gpu::GpuExec;
use inference::graph::{Graph, Input, Node};
use inference::ops::Op;
use inference::ops::quant::{DequantizeLinear, QuantizeLinear};
use inference::{Data, HostOnly, Session, Tensor};

/// x quantized, and that dequantized again.
fn pair(scale: Tensor, zero: Option<Tensor>, axis: i64) -> Graph {
    let mut graph = Graph { opset: 23, ..Graph::default() };
    let [x, y, z, scale_value, zero_value] = ["x", "y", "z", "scale", "zero"].map(|name| graph.value(name));
    graph.inputs.push(Input { name: "x".into(), value: x, dtype: None, shape: None });
    graph.outputs = vec![("y".into(), y), ("z".into(), z)];
    graph.constants.insert(scale_value, Arc::new(scale));
    let zero_input = zero.is_some().then_some(zero_value);
    graph.constants.extend(zero.map(|zero| (zero_value, Arc::new(zero))));
    let quantize = Op::QuantizeLinear(QuantizeLinear { axis, block: 0, output: None, precision: None });
    let dequantize = Op::DequantizeLinear(DequantizeLinear { axis, block: 0, output: None });
    for (op, from, to) in [(quantize, x, y), (dequantize, y, z)] {
        graph.nodes.push(Node {
            name: "node".into(),
            op_type: "Op".into(),
            op,
            inputs: vec![Some(from), Some(scale_value), zero_input],
            outputs: vec![Some(to)],
            part_of: None,
        });
    }
    graph
}

fn run<E: Exec>(graph: &Graph, exec: E, input: &Tensor) -> (Vec<(String, Tensor)>, Report, E) {
    let mut session = Session::new(Arc::new(graph.clone()), exec, 1 << 30);
    let inputs = vec![("x".to_owned(), input.clone())];
    let run = session.run(inputs, |_| ControlFlow::Continue(()));
    let (outputs, report) = pollster::block_on(run).unwrap();
    (outputs, report, session.into_exec())
}

#[test]
fn quantized_integers_are_the_hosts() {
    let Some(gpu) = common::gpu() else { return };
    let mut exec = GpuExec::new(gpu, true);
    let scales = [0.1f32, 1.0 / 3.0, 0.007_843_138, 0.023_529_412, 12.3];
    // On halves, one bit beside them, and far beyond every limit.
    let value = |i: usize| match i {
        0 => f32::INFINITY,
        1 => f32::NEG_INFINITY,
        2 => f32::NAN,
        3 => -0.0,
        4 => 1e30,
        _ => {
            let on = ((i / 15 % 600) as f32 - 299.5) * scales[i % 5];
            f32::from_bits(on.to_bits() - 1 + (i / 5 % 3) as u32)
        }
    };
    let shape = vec![2, 1800, 5];
    let x = Tensor::new(shape, Data::F32((0..18_000).map(value).collect())).unwrap();
    let zeros: [fn(usize) -> Data; 4] = [
        |n| Data::U8((0..n).map(|i| 128 - 17 * i as u8).collect()),
        |n| Data::I8((0..n).map(|i| 17 * i as i8 - 9).collect()),
        |n| Data::U16((0..n).map(|i| 32_768 + 1001 * i as u16).collect()),
        |n| Data::I16((0..n).map(|i| -1001 * i as i16).collect()),
    ];
    let mut clipped = 0;
    for per_axis in [false, true] {
        let many = if per_axis { vec![5] } else { vec![] };
        let n = if per_axis { 5 } else { 1 };
        for zero in [None].into_iter().chain(zeros.map(Some)) {
            let zero = zero.map(|zero| Tensor::new(many.clone(), zero(n)).unwrap());
            let scale = Tensor::new(many.clone(), Data::F32(scales[..n].to_vec())).unwrap();
            let graph = pair(scale, zero, -1);
            let (want, _, _) = run(&graph, HostOnly, &x);
            let (got, report, back) = run(&graph, exec, &x);
            exec = back;
            assert_eq!(report.on_host, 0, "{:?}", report.host_operators);
            assert_eq!(got[0].1, want[0].1, "{:?}, per axis: {per_axis}", want[0].1.dtype());
            assert_eq!(got[1].1, want[1].1, "dequantized from {:?}", want[0].1.dtype());
            if let Data::U8(v) = want[0].1.data() {
                clipped += v.iter().filter(|&&y| y == 255).count();
                assert!(v.iter().any(|&y| (1..255).contains(&y)), "all is clipped");
            }
        }
    }
    assert!(clipped > 100, "nothing was clipped");
}

#[test]
fn what_is_not_computed_alike_stays_on_the_host() {
    let Some(gpu) = common::gpu() else { return };
    // Blocks of two along the axis, a scale each.
    let mut graph = pair(Tensor::new(vec![2, 2], Data::F32(vec![0.1, 0.2, 0.3, 0.4])).unwrap(), None, 1);
    for node in &mut graph.nodes {
        match &mut node.op {
            Op::QuantizeLinear(op) => op.block = 2,
            Op::DequantizeLinear(op) => op.block = 2,
            _ => panic!("another operator"),
        }
    }
    let x = Tensor::new(vec![2, 4], Data::F32((0..8).map(|i| i as f32 * 0.37).collect())).unwrap();
    let (want, _, _) = run(&graph, HostOnly, &x);
    let (got, report, _) = run(&graph, GpuExec::new(gpu, true), &x);
    assert_eq!((report.on_device, report.on_host), (0, 2));
    assert_eq!(got, want);
}
