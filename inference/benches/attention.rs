//! An attention as exports of transformers write it, on this machine's GPU: its nodes one by one, and fused.
//!
//! Turn by turn, because other work on the machine would favour whichever runs later. Shapes are those of ViT-Tiny,
//! ViT-Base and a small one.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use inference::gpu::{Gpu, GpuExec, GpuFault};
use inference::graph::{Graph, Input, Node, ValueId, fuse};
use inference::ops::Op;
use inference::ops::elementwise::{Binary, BinaryKind};
use inference::ops::index::Gather;
use inference::ops::layout::Transpose;
use inference::ops::matmul::MatMul;
use inference::ops::reduce::{Softmax, SoftmaxKind};
use inference::{Data, HostOnly, Session, Tensor};

type Fault = Box<dyn std::error::Error>;

fn node(graph: &mut Graph, op: Op, inputs: &[ValueId]) -> ValueId {
    let value = graph.value("value");
    graph.nodes.push(Node {
        name: "node".into(),
        op_type: format!("{op:?}").split(['(', ' ']).next().unwrap_or_default().into(),
        op,
        inputs: inputs.iter().map(|&id| Some(id)).collect(),
        outputs: vec![Some(value)],
        part_of: None,
    });
    value
}

fn constant(graph: &mut Graph, data: Data) -> Result<ValueId, Fault> {
    let value = graph.value("constant");
    graph.constants.insert(value, Arc::new(Tensor::new(vec![], data)?));
    Ok(value)
}

/// From [batch, tokens, (q, k, v), heads, size], as a transformer's first product leaves it.
fn written(size: usize) -> Result<Graph, Fault> {
    let mut graph = Graph { opset: 17, ..Graph::default() };
    let g = &mut graph;
    let x = g.value("x");
    g.inputs.push(Input { name: "x".into(), value: x, dtype: None, shape: None });
    let transpose = |order: &[i64]| Op::Transpose(Transpose { permutation: Some(order.to_vec()) });
    let x = node(g, transpose(&[2, 0, 3, 1, 4]), &[x]);
    let mut parts = Vec::new();
    for i in 0..3 {
        let i = constant(g, Data::I64(vec![i]))?;
        parts.push(node(g, Op::Gather(Gather { axis: 0 }), &[x, i]));
    }
    let k = node(g, transpose(&[0, 1, 3, 2]), &[parts[1]]);
    let scores = node(g, Op::MatMul(MatMul), &[parts[0], k]);
    let factor = constant(g, Data::F32(vec![(size as f32).powf(-0.5)]))?;
    let scores = node(g, Op::Binary(Binary { kind: BinaryKind::Mul }), &[scores, factor]);
    let softmax = Softmax { kind: SoftmaxKind::Softmax, axis: -1, flatten: false };
    let scores = node(g, Op::Softmax(softmax), &[scores]);
    let y = node(g, Op::MatMul(MatMul), &[scores, parts[2]]);
    let y = node(g, transpose(&[0, 2, 1, 3]), &[y]);
    g.outputs.push(("y".into(), y));
    Ok(graph)
}

fn time<E: inference::exec::Exec>(session: &mut Session<E>, input: &Tensor) -> Result<f64, Fault> {
    let start = Instant::now();
    let run = session.run(vec![("x".to_owned(), input.clone())], |_| ControlFlow::Continue(()));
    std::hint::black_box(pollster::block_on(run)?);
    Ok(start.elapsed().as_secs_f64() * 1e3)
}

fn median(ms: &mut [f64]) -> f64 {
    ms.sort_by(f64::total_cmp);
    ms.get(ms.len() / 2).copied().unwrap_or(f64::NAN)
}

fn bench(tokens: usize, heads: usize, size: usize) -> Result<(), Fault> {
    let graph = written(size)?;
    let mut fused = graph.clone();
    fuse(&mut fused);
    let shape = vec![1, tokens, 3, heads, size];
    let values = (0..shape.iter().product()).map(|i: usize| (i * 7919 % 1013) as f32 / 506.0 - 1.0).collect();
    let input = Tensor::new(shape, Data::F32(values))?;
    let exec =
        || -> Result<GpuExec, GpuFault> { Ok(GpuExec::new(pollster::block_on(Gpu::request())?, true)) };
    let mut on_gpu = [
        Session::new(Arc::new(graph.clone()), exec()?, 4 << 30),
        Session::new(Arc::new(fused.clone()), exec()?, 4 << 30),
    ];
    let mut on_cpu =
        [Session::new(Arc::new(graph), HostOnly, 4 << 30), Session::new(Arc::new(fused), HostOnly, 4 << 30)];
    let mut ms: [Vec<f64>; 4] = Default::default();
    for turn in 0..16 {
        for i in 0..2 {
            let (gpu, cpu) = (time(&mut on_gpu[i], &input)?, time(&mut on_cpu[i], &input)?);
            // The first turn compiles.
            if turn > 0 {
                ms[i].push(gpu);
                ms[2 + i].push(cpu);
            }
        }
    }
    let [nodes, fused, cpu_nodes, cpu_fused] = ms.each_mut().map(|ms| median(ms));
    println!(
        "{tokens} tokens, {heads} heads of {size}: GPU {nodes:.2} ms, fused {fused:.2} ms; CPU {cpu_nodes:.2} ms, fused {cpu_fused:.2} ms"
    );
    Ok(())
}

fn main() {
    // `cargo test` runs benches too, with this argument and without time for them.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    for [tokens, heads, size] in [[50, 3, 64], [197, 3, 64], [197, 12, 64]] {
        if let Err(fault) = bench(tokens, heads, size) {
            eprintln!("{fault}");
        }
    }
}
