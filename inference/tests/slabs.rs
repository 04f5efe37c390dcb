//! Volumes in slabs and labels at the tail: the same numbers as in one piece, in a fraction of the memory.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use inference::exec::{Exec, Report, RunError};
use inference::gpu::GpuExec;
use inference::{DType, Data, Graph, HostOnly, Limits, Session, Tensor, TensorInfo, load};

fn graph(model: &str) -> Option<Arc<Graph>> {
    let path = testbed::reference(&format!("data/models/{model}"))?;
    Some(Arc::new(load(&std::fs::read(path).unwrap(), &Limits::default()).unwrap()))
}

fn volume(shape: &[usize]) -> Tensor {
    let values = (0..shape.iter().product::<usize>()).map(|i| (i * 7919 % 1013) as f32 / 1013.0).collect();
    Tensor::new(shape.to_vec(), Data::F32(values)).unwrap()
}

fn run<E: Exec>(session: &mut Session<E>, input: &Tensor) -> (Tensor, Report) {
    let name = session.graph().inputs[0].name.clone();
    let run = session.run(vec![(name, input.clone())], |_| ControlFlow::Continue(()));
    let (mut outputs, report) = pollster::block_on(run).unwrap();
    (outputs.remove(0).1, report)
}

/// The least that a model can do with, by what it says when it gets nothing.
fn least<E: Exec>(session: &mut Session<E>, input: &Tensor) -> u64 {
    match session.plan(&[input.info()]) {
        Err(RunError::Budget { needed, .. }) => needed,
        other => panic!("{other:?} without a byte"),
    }
}

/// Runs in one piece and in the thinnest slabs; both have to be the same, bit by bit.
fn compare<E: Exec>(model: &str, graph: &Arc<Graph>, exec: &mut Option<E>, shape: &[usize]) -> Option<usize> {
    let input = volume(shape);
    let mut tiny = Session::new(Arc::clone(graph), exec.take().unwrap(), 0);
    let budget = least(&mut tiny, &input);
    let mut session = Session::new(Arc::clone(graph), tiny.into_exec(), 8 << 30);
    let (whole, in_one) = run(&mut session, &input);
    assert_eq!(in_one.slab, None, "{model} has room");
    let mut session = Session::new(Arc::clone(graph), session.into_exec(), budget);
    let (slabs, report) = run(&mut session, &input);
    assert!(whole == slabs, "{model} in slabs of {:?} gives something else", report.slab);
    assert!(report.peak_bytes <= budget && budget <= in_one.peak_bytes, "{model}");
    println!("{model}: {} bytes in one piece, {} in slabs of {:?}", in_one.peak_bytes, budget, report.slab);
    *exec = Some(session.into_exec());
    report.slab
}

/// Odd extents, so that the last slab is thinner, and deeper than the networks see: slabs need their 93 planes anyway.
const MODELS: [(&str, &[usize], bool); 7] = [
    ("meshnet-model5_gw_ae.onnx", &[1, 1, 161, 16, 17], true),
    ("meshnet-model20chan3cls.onnx", &[2, 1, 151, 10, 11], true),
    ("meshnet-model30chan18cls.onnx", &[1, 1, 151, 11, 10], true),
    ("synthetic/unet2d_bn.onnx", &[1, 1, 64, 48], true),
    // Statistics of an instance need all of it: what comes before the last of them stays in one piece.
    ("synthetic/unet3d_in.onnx", &[1, 1, 16, 16, 16], false),
    ("deepbet-bbox.onnx", &[1, 1, 32, 32, 32], false),
    ("efficientnet-lite0.onnx", &[1, 3, 224, 224], false),
];

#[test]
fn slabs_give_the_same_bits_on_the_cpu() {
    for (model, shape, in_slabs) in MODELS {
        let Some(graph) = graph(model) else { return };
        let slab = compare(model, &graph, &mut Some(HostOnly), shape);
        assert!(slab.is_some() || !in_slabs, "{model} was not taken apart");
    }
}

#[test]
fn slabs_give_the_same_bits_on_the_gpu() {
    let Some(gpu) = common::gpu() else { return };
    let mut exec = Some(GpuExec::new(gpu, true));
    // Weights that stay packed are those of every slab.
    let bytes = ("meshnet-model5_gw_ae_quant.onnx", MODELS[0].1, true);
    for (model, shape, _) in [MODELS[0], MODELS[3], bytes] {
        let Some(graph) = graph(model) else { return };
        compare(model, &graph, &mut exec, &[&[1, 1], &shape[2..]].concat()).unwrap();
        let labelled = Arc::new(graph.with_labels(0).unwrap());
        compare(model, &labelled, &mut exec, &[&[1, 1], &shape[2..]].concat()).unwrap();
    }
}

/// The place of the largest score along axis 1, as the scores have it.
fn labels(scores: &Tensor) -> Vec<u8> {
    let Data::F32(v) = scores.data() else { panic!("scores are f32") };
    let (n, c) = (scores.shape()[0], scores.shape()[1]);
    let space = v.len() / n / c;
    let best = |i: usize| {
        let value = |k: usize| v[(i / space * c + k) * space + i % space];
        (1..c).fold(0, |best, k| if value(k) > value(best) { k } else { best }) as u8
    };
    (0..n * space).map(best).collect()
}

fn labels_equal<E: Exec>(model: &str, shape: &[usize], exec: E) -> Option<E> {
    let graph = graph(model)?;
    let input = volume(shape);
    let mut session = Session::new(graph, exec, 8 << 30);
    let (scores, before) = run(&mut session, &input);
    let output = session.graph().outputs[0].0.clone();
    assert!(!session.answer_labels("no such output") && session.answer_labels(&output));
    assert!(session.answer_labels(&output), "a second time changes nothing");
    let (got, after) = run(&mut session, &input);
    let Data::U8(got) = got.data() else { panic!("{model} answered {:?}", got.dtype()) };
    assert!(*got == labels(&scores), "{model}");
    assert!(got.iter().any(|&label| label != got[0]), "{model}: labels that differ nowhere test nothing");
    assert!(after.peak_bytes <= before.peak_bytes, "{model}: {} bytes for labels", after.peak_bytes);
    Some(session.into_exec())
}

#[test]
fn labels_are_where_the_largest_score_is() {
    let Some(gpu) = common::gpu() else { return };
    let mut exec = Some(GpuExec::new(gpu, true));
    for (model, shape, _) in [MODELS[0], MODELS[4]] {
        labels_equal(model, shape, HostOnly);
        let Some(kept) = exec.take() else { return };
        exec = labels_equal(model, shape, kept);
    }
}

/// 3.8 GB in one piece; a browser's worker has 4 GB for everything.
#[test]
fn thirty_channels_on_a_whole_head_fit_a_browser() {
    let Some(graph) = graph("meshnet-model30chan18cls.onnx") else { return };
    let info = TensorInfo { dtype: DType::F32, shape: vec![1, 1, 256, 256, 256] };
    let peak = |graph: &Arc<Graph>, budget: u64| {
        let mut session = Session::new(Arc::clone(graph), HostOnly, budget);
        session.plan(std::slice::from_ref(&info)).map(|plan| (plan.peak_bytes, plan.slab))
    };
    let labelled = Arc::new(graph.with_labels(0).unwrap());
    let (whole, slab) = peak(&labelled, 16 << 30).unwrap();
    assert!(whole > 3 << 30 && slab.is_none(), "{whole} bytes");
    let (thin, slab) = peak(&labelled, 1500 << 20).unwrap();
    println!("30 channels on 256^3: {whole} bytes in one piece, {thin} in slabs of {slab:?}");
    assert!(slab.is_some() && thin <= 1500 << 20);
    let message = peak(&labelled, 100 << 20).unwrap_err().to_string();
    assert!(message.contains("100 MB are allowed"), "{message}");
}
