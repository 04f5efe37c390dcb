//! Convolutions and poolings in all combinations against onnxruntime, from the file that `matrix/make.py` writes.
//!
//! Elements are small integers: sums are exact in any order, so convolutions and maxima are compared to the last bit.

#![allow(clippy::unwrap_used, clippy::panic)]

mod common;

use std::ops::ControlFlow;
use std::sync::Arc;

use inference::conformance::difference_within;
use inference::graph::Dim;
use inference::{Data, HostOnly, Limits, Session, Tensor, load};
use testbed::verification::{Row, record};

/// As `elements(shape, 0)` in make.py.
fn input(shape: Vec<usize>) -> Tensor {
    let element = |i: u64| ((i.wrapping_mul(2_654_435_761) & 0xffff_ffff) >> 16) % 7;
    let n = shape.iter().product::<usize>() as u64;
    let values = (0..n).map(|i| element(i) as f32 - 3.0).collect();
    Tensor::new(shape, Data::F32(values)).unwrap()
}

fn ints(tensor: &Tensor) -> Vec<i64> {
    match tensor.data() {
        Data::I64(v) => v.clone(),
        Data::I16(v) => v.iter().map(|&x| i64::from(x)).collect(),
        Data::Bool(v) => v.iter().map(|&x| i64::from(x)).collect(),
        other => panic!("{:?} are no integers", other.dtype()),
    }
}

#[test]
fn convolutions_and_poolings_equal_onnxruntime_in_every_combination() {
    let arrays = common::npz(&testbed::checkout().join("inference/tests/matrix/matrix.npz"));
    let list = |name: &str| ints(&arrays[name]);
    let Data::U8(models) = arrays["models"].data() else { panic!("models are bytes") };
    let Data::F32(floats) = arrays["floats"].data() else { panic!("floats are f32") };
    let (sizes, ranks, shapes) = (list("model_bytes"), list("ranks"), list("shapes"));
    let (exact, integers) = (list("exact"), list("integers"));
    let (places, has_places) = (list("places"), list("has_places"));
    let (mut model, mut axis, mut integer, mut float, mut place) = (0, 0, 0, 0, 0);
    let mut wrong = Vec::new();
    for case in 0..sizes.len() {
        let bytes = &models[model..model + sizes[case] as usize];
        model += sizes[case] as usize;
        let shape: Vec<usize> =
            shapes[axis..axis + ranks[case] as usize].iter().map(|&e| e as usize).collect();
        axis += ranks[case] as usize;
        let n = shape.iter().product::<usize>();
        let values = if exact[case] == 1 {
            integer += n;
            integers[integer - n..integer].iter().map(|&x| x as f32).collect()
        } else {
            float += n;
            floats[float - n..float].to_vec()
        };
        let want = Tensor::new(shape.clone(), Data::F32(values)).unwrap();
        let graph = Arc::new(load(bytes, &Limits::default()).unwrap());
        let dims = graph.inputs[0].shape.clone().unwrap();
        let extents = dims.iter().map(|d| if let Dim::Fixed(n) = d { *n } else { 0 }).collect();
        let op = format!("{:?}", graph.nodes[0].op);
        let mut session = Session::new(graph, HostOnly, 1 << 30);
        let run = session.run(vec![("x".into(), input(extents))], |_| ControlFlow::Continue(()));
        let outputs = match pollster::block_on(run) {
            Ok((outputs, _)) => outputs,
            Err(error) => {
                wrong.push(format!("case {case}: {error}: {op}"));
                place += if has_places[case] == 1 { n } else { 0 };
                continue;
            }
        };
        let tolerance = if exact[case] == 1 { (0.0, 0.0) } else { (1e-6, 1e-6) };
        if let Some(difference) = difference_within(&outputs[0].1, &want, tolerance) {
            wrong.push(format!("case {case}: {difference}: {op}"));
        }
        if has_places[case] == 1 {
            let want = Tensor::new(shape, Data::I64(places[place..place + n].to_vec())).unwrap();
            place += n;
            if let Some(difference) = difference_within(&outputs[1].1, &want, (0.0, 0.0)) {
                wrong.push(format!("case {case}: places: {difference}: {op}"));
            }
        }
    }
    assert!(sizes.len() >= 400, "{} cases", sizes.len());
    assert!(wrong.is_empty(), "{} of {} differ:\n{}", wrong.len(), sizes.len(), wrong.join("\n"));
    record(
        "matrix",
        &[Row {
            number: format!("outputs of {} convolutions and poolings", sizes.len()),
            data: "generated: kernel x stride x dilation x groups x padding x rank, odd sizes",
            method: "inference, CPU",
            reference: "onnxruntime",
            ours: format!("{} cases", sizes.len()),
            theirs: format!("{} cases", sizes.len()),
            difference: "none beyond what is allowed".into(),
            allowed: "0 where sums are whole numbers, else 1e-6 relative and absolute".into(),
        }],
    );
}
