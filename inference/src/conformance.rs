//! Runs a case of the ONNX node tests: a model, its inputs, the outputs that are expected.
//!
//! One judge for the command line, the tests and the browser, so that "pass" means the same everywhere. A model is
//! refused, wrong or right; which operator and why is part of the verdict.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::exec::{Exec, Session};
use crate::graph::{LoadError, load};
use crate::onnx::{Limits, RawTensor, ReadError};
use crate::ops::element::Element;
use crate::tensor::{DType, Tensor};
use crate::{Data, each_dtype};

/// What became of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Every output is as expected.
    Pass,
    /// An output differs: which, where, by how much.
    Fail(String),
    /// Refused: the operator, element type or kind of value that is not offered.
    Unsupported(String),
    /// The file is damaged or contradicts the standard.
    Error(String),
}

/// The files of a case.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// `input_0.pb`, `input_1.pb` and so on.
    pub inputs: Vec<Vec<u8>>,
    /// `output_0.pb`, `output_1.pb` and so on.
    pub outputs: Vec<Vec<u8>>,
}

/// Bytes that a node test may need: the largest of them has a few megabytes.
const BUDGET: u64 = 1 << 30;

/// Allowed difference: absolute, and relative to what is expected. onnx.backend.test has 1e-7 and 1e-3, onnxruntime
/// raises the first to 1e-5 for sums near zero; half precision is rounded at 2^-11, bfloat16 at 2^-8 of the value.
fn tolerance(dtype: DType) -> (f64, f64) {
    match dtype {
        DType::F32 => (1e-5, 1e-3),
        DType::F64 => (1e-7, 1e-3),
        DType::F16 => (1e-3, 2e-3),
        DType::BF16 => (1e-2, 1e-2),
        _ => (0.0, 0.0),
    }
}

/// The first difference in words, `None` where there is none.
pub fn difference(got: &Tensor, want: &Tensor) -> Option<String> {
    difference_within(got, want, tolerance(want.dtype()))
}

/// As [`difference`], with an absolute and a relative tolerance.
pub fn difference_within(got: &Tensor, want: &Tensor, (absolute, relative): (f64, f64)) -> Option<String> {
    if got.dtype() != want.dtype() || got.shape() != want.shape() {
        return Some(format!(
            "got {} {:?}, want {} {:?}",
            got.dtype().name(),
            got.shape(),
            want.dtype().name(),
            want.shape()
        ));
    }
    if let (Data::I64(a), Data::I64(b)) = (got.data(), want.data()) {
        let at = a.iter().zip(b).position(|(a, b)| a != b)?;
        return Some(format!("element {at}: got {}, want {}", a[at], b[at]));
    }
    let numbers =
        |t: &Tensor| -> Vec<f64> { each_dtype!(t.data(), v => v.iter().map(|x| x.to_f64()).collect()) };
    let (got, want) = (numbers(got), numbers(want));
    let far = |a: f64, b: f64| {
        // Infinities and NaN are equal to themselves only.
        let same = a == b || (a.is_nan() && b.is_nan());
        !(same || (b.is_finite() && (a - b).abs() <= absolute + relative * b.abs()))
    };
    let wrong: Vec<usize> = (0..want.len()).filter(|&i| far(got[i], want[i])).collect();
    let &first = wrong.first()?;
    Some(format!(
        "element {first}: got {}, want {}, allowed {:.3e}; {} of {} differ",
        got[first],
        want[first],
        absolute + relative * want[first].abs(),
        wrong.len(),
        want.len()
    ))
}

fn tensor(bytes: &[u8]) -> Result<Tensor, ReadError> {
    RawTensor::read(bytes, &Limits::default())?.tensor()
}

/// Runs `model` on every case, on an executor that is handed back.
pub async fn judge<E: Exec>(exec: E, model: &[u8], cases: &[Case]) -> (E, Verdict) {
    let graph = match load(model, &Limits::default()) {
        Ok(graph) => graph,
        Err(error) => return (exec, refused(&error)),
    };
    let mut session = Session::new(Arc::new(graph), exec, BUDGET);
    let mut verdict = Verdict::Pass;
    for case in cases {
        verdict = one(&mut session, case).await;
        if verdict != Verdict::Pass {
            break;
        }
    }
    if cases.is_empty() {
        verdict = Verdict::Error("there is no test_data_set".into());
    }
    (session.into_exec(), verdict)
}

fn refused(error: &LoadError) -> Verdict {
    if error.unsupported() {
        Verdict::Unsupported(error.to_string())
    } else {
        Verdict::Error(error.to_string())
    }
}

async fn one<E: Exec>(session: &mut Session<E>, case: &Case) -> Verdict {
    let mut inputs = Vec::with_capacity(case.inputs.len());
    for (bytes, input) in case.inputs.iter().zip(&session.graph().inputs) {
        match tensor(bytes) {
            Ok(tensor) => inputs.push((input.name.clone(), tensor)),
            Err(error) => return refused(&error.into()),
        }
    }
    let (outputs, _) = match session.run(inputs, |_| ControlFlow::Continue(())).await {
        Ok(result) => result,
        Err(error) if error.unsupported() => return Verdict::Unsupported(error.to_string()),
        Err(error) => return Verdict::Error(error.to_string()),
    };
    if outputs.len() != case.outputs.len() {
        return Verdict::Fail(format!("{} outputs, {} expected", outputs.len(), case.outputs.len()));
    }
    for ((name, got), want) in outputs.iter().zip(&case.outputs) {
        let want = match tensor(want) {
            Ok(tensor) => tensor,
            Err(error) => return refused(&error.into()),
        };
        if let Some(difference) = difference(got, &want) {
            return Verdict::Fail(format!("output {name:?}: {difference}"));
        }
    }
    Verdict::Pass
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_judge_sees_a_planted_difference() {
        let t = |v: Vec<f32>| Tensor::new(vec![v.len()], Data::F32(v)).unwrap();
        let want = t(vec![1.0, f32::NAN, f32::INFINITY, 0.0]);
        assert_eq!(difference(&want, &want), None);
        assert_eq!(difference(&t(vec![1.0009, f32::NAN, f32::INFINITY, 0.0]), &want), None);
        for wrong in [
            vec![1.01, f32::NAN, f32::INFINITY, 0.0],
            vec![1.0, 0.0, f32::INFINITY, 0.0],
            vec![1.0, f32::NAN, f32::NEG_INFINITY, 0.0],
            vec![1.0, f32::NAN, 1e38, 0.0],
            vec![1.0, f32::NAN, f32::INFINITY, 1e-4],
            vec![f32::NAN; 4],
            vec![0.0; 4],
        ] {
            assert!(difference(&t(wrong.clone()), &want).is_some(), "{wrong:?}");
        }
        let ints = |v| Tensor::new(vec![1], Data::I64(vec![v])).unwrap();
        assert!(difference(&ints(i64::MAX), &ints(i64::MAX - 1)).is_some());
        assert!(difference(&ints(1), &t(vec![1.0])).is_some());
    }
}
