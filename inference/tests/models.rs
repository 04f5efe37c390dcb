//! Real networks on the CPU against onnxruntime's outputs, recorded beside them.
//!
//! 1e-3 relative and 1e-4 absolute; where the network labels, 99.9 % of the labels are the same.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use inference::conformance::difference_within;
use inference::{Data, HostOnly, Limits, Session, Tensor, load};
use testbed::verification::{Row, record};

fn run(model: &Path, input: Tensor) -> Tensor {
    let graph = Arc::new(load(&std::fs::read(model).unwrap(), &Limits::default()).unwrap());
    let name = graph.inputs[0].name.clone();
    let mut session = Session::new(graph, HostOnly, 4 << 30);
    let (outputs, report) =
        pollster::block_on(session.run(vec![(name, input)], |_| ControlFlow::Continue(()))).unwrap();
    assert_eq!(report.data_dependent, 0, "the shapes of these networks follow from their input's");
    assert!(report.peak_bytes > 0);
    outputs.into_iter().next().unwrap().1
}

/// The place of the largest element along axis 1.
fn labels(tensor: &Tensor) -> Vec<usize> {
    let Data::F32(v) = tensor.data() else { panic!("logits are f32") };
    let (n, c) = (tensor.shape()[0], tensor.shape()[1]);
    let plane = v.len() / n / c;
    let best = |i: usize| {
        let value = |k: usize| v[(i / plane * c + k) * plane + i % plane];
        (1..c).fold(0, |best, k| if value(k) > value(best) { k } else { best })
    };
    (0..n * plane).map(best).collect()
}

/// The largest difference of two tensors of floats, and how far apart their labels are.
fn row(got: &Tensor, want: &Tensor, name: &str, allowed: &str) -> Row {
    let (Data::F32(g), Data::F32(w)) = (got.data(), want.data()) else { panic!("{name}: answers are f32") };
    let largest = g.iter().zip(w).map(|(g, w)| (g - w).abs()).fold(0.0f32, f32::max);
    let (ours, theirs) = (labels(got), labels(want));
    let same = ours.iter().zip(&theirs).filter(|(a, b)| a == b).count();
    Row {
        number: format!("answer of {name}"),
        data: "input recorded beside the model (models/refs, models/synthetic)",
        method: "inference, CPU",
        reference: "onnxruntime",
        ours: format!("{} numbers", g.len()),
        theirs: format!("{} numbers", w.len()),
        difference: format!("{largest:.1e} absolute; {same} of {} labels equal", theirs.len()),
        allowed: allowed.to_owned(),
    }
}

fn check(got: &Tensor, want: &Tensor, name: &str) -> Row {
    if let Some(difference) = difference_within(got, want, (1e-4, 1e-3)) {
        panic!("{name}: {difference}");
    }
    let (ours, theirs) = (labels(got), labels(want));
    let same = ours.iter().zip(&theirs).filter(|(a, b)| a == b).count();
    assert!(same * 1000 >= theirs.len() * 999, "{name}: {same} of {} labels", theirs.len());
    row(got, want, name, "1e-3 relative and 1e-4 absolute, 99.9 % of the labels")
}

#[test]
fn recorded_networks_give_what_onnxruntime_gave() {
    let Some(folder) = testbed::reference("data/models") else { return };
    let mut rows = Vec::new();
    for (model, arrays, output) in [
        ("meshnet-model5_gw_ae.onnx", "refs/meshnet-model5_gw_ae.npz", "logits"),
        ("meshnet-model20chan3cls.onnx", "refs/meshnet-model20chan3cls.npz", "logits"),
        ("meshnet-model30chan18cls.onnx", "refs/meshnet-model30chan18cls.npz", "logits"),
        ("deepbet-bbox.onnx", "refs/deepbet-bbox.npz", "prob"),
        ("synthetic/unet2d_bn.onnx", "synthetic/unet2d_bn.npz", "output"),
        ("synthetic/unet3d_in.onnx", "synthetic/unet3d_in.npz", "output"),
        ("synthetic/vit_tiny_d2_ln17.onnx", "synthetic/vit_tiny_d2_ln17.npz", "output"),
    ] {
        let arrays = common::npz(&folder.join(arrays));
        rows.push(check(&run(&folder.join(model), arrays["input"].clone()), &arrays[output], model));
    }
    record("models-networks", &rows);
}

/// Photographs as the network wants them: (x - 127) / 128, channels first.
fn photographs(rgb: &Tensor) -> Tensor {
    let Data::U8(v) = rgb.data() else { panic!("photographs are bytes") };
    let &[n, h, w, 3] = rgb.shape() else { panic!("photographs are n, rows, columns, 3") };
    let at = |i: usize| (i / (3 * h * w) * h * w + i % (h * w)) * 3 + i / (h * w) % 3;
    let values = (0..n * 3 * h * w).map(|i| (f32::from(v[at(i)]) - 127.0) / 128.0).collect();
    Tensor::new(vec![n, 3, h, w], Data::F32(values)).unwrap()
}

#[test]
fn the_classifier_gives_what_onnxruntime_gave_in_every_precision() {
    let Some(folder) = testbed::reference("data/models") else { return };
    let arrays = common::npz(&folder.join("refs/efficientnet-lite0.npz"));
    let input = photographs(&arrays["rgb_u8"]);
    let mut rows = Vec::new();
    for (model, output) in [
        ("efficientnet-lite0.onnx", "logits"),
        ("efficientnet-lite0_quant.onnx", "logits_quant"),
        ("efficientnet-lite0_qdq.onnx", "logits_qdq"),
    ] {
        let got = run(&folder.join(model), input.clone());
        // One step of a quantized activation moves a logit by more than 1e-3: there the labels count, and the mean.
        if model.ends_with("_qdq.onnx") {
            assert_eq!(labels(&got), labels(&arrays[output]), "{model}");
            let within = difference_within(&got, &arrays[output], (0.2, 0.02));
            assert_eq!(within, None, "{model}");
            rows.push(row(
                &got,
                &arrays[output],
                model,
                "labels equal, 0.35 absolute and 5 % (quantized steps)",
            ));
        } else {
            rows.push(check(&got, &arrays[output], model));
        }
    }
    let half = run(&folder.join("efficientnet-lite0_fp16.onnx"), input);
    assert_eq!(labels(&half), labels(&arrays["logits"]), "half precision");
    assert_eq!(difference_within(&half, &arrays["logits"], (0.03, 0.01)), None, "half precision");
    let of = "efficientnet-lite0_fp16.onnx";
    rows.push(row(&half, &arrays["logits"], of, "labels equal, 5 % (against full precision)"));
    record("models-classifier", &rows);
}
