//! A report of a GPU against that of the CPU.
//!
//! Whole numbers and words have to be the same; other numbers may differ by what is allowed for a GPU.

use calcium::Report;
use serde_json::Value;

/// The largest relative difference of a number, or where the two reports say different things.
pub fn apart(on_gpu: &Report, on_cpu: &Report) -> Result<f64, String> {
    assert!(on_gpu.backend.starts_with("gpu: ") && on_cpu.backend == "cpu");
    let same = Report { backend: on_cpu.backend.clone(), timings_ms: on_cpu.timings_ms, ..on_gpu.clone() };
    if same == *on_cpu {
        return Ok(0.0);
    }
    let json = |report| serde_json::to_value(report).unwrap();
    differences("report", &json(&same), &json(on_cpu))
}

fn differences(place: &str, got: &Value, want: &Value) -> Result<f64, String> {
    let unlike = || Err(format!("{place}: got {got}, want {want}"));
    match (got, want) {
        // Whole numbers are written without a point.
        (Value::Number(a), Value::Number(b)) if a.is_f64() && b.is_f64() => {
            let off = super::relative(a.as_f64().unwrap(), b.as_f64().unwrap());
            if off <= 1e-6 { Ok(off) } else { unlike() }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            let pairs = a.iter().zip(b).enumerate();
            pairs.map(|(i, (a, b))| differences(&format!("{place}[{i}]"), a, b)).try_fold(0.0, largest)
        }
        (Value::Object(a), Value::Object(b)) if a.len() == b.len() => {
            let pairs = a.iter().map(|(name, a)| (name, a, b.get(name).unwrap_or(&Value::Null)));
            pairs.map(|(name, a, b)| differences(&format!("{place}.{name}"), a, b)).try_fold(0.0, largest)
        }
        (a, b) if a == b => Ok(0.0),
        _ => unlike(),
    }
}

fn largest(so_far: f64, next: Result<f64, String>) -> Result<f64, String> {
    next.map(|off| so_far.max(off))
}
