//! A score on whatever adapter there is, and its comparison with that of the CPU.

use calcium::gpu::{GpuCandidates, Scorer};
use calcium::{Input, LOWEST_THRESHOLD_HU, Reading, Report, Request};
use gpu_kernels::{Gpu, GpuVolume};
use imaging::Volume;
use serde_json::Value;

/// A device and the kernels on it. A machine without an adapter says so; on CI that is a failure.
pub fn device() -> Option<(Gpu, Scorer)> {
    match pollster::block_on(Gpu::headless()) {
        Ok(gpu) => {
            let scorer = pollster::block_on(Scorer::new(&gpu)).unwrap();
            Some((gpu, scorer))
        }
        Err(error) => {
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{error}");
            println!("UNPROVEN: no adapter ({error})");
            None
        }
    }
}

/// The adapter, for rows of the verification report.
pub fn name(gpu: &Gpu) -> String {
    let kind = if gpu.is_software() { ", software" } else { "" };
    format!("{}{kind}", gpu.adapter_name().split(',').next().unwrap_or_default())
}

pub fn upload(gpu: &Gpu, volume: &Volume) -> GpuVolume {
    pollster::block_on(calcium::gpu::upload(gpu, volume)).unwrap()
}

pub fn collect(gpu: &Gpu, scorer: &mut Scorer, input: &Input, region: Option<&[u8]>) -> GpuCandidates {
    let volume = upload(gpu, input.volume);
    let collected = scorer.collect(gpu, input, &volume, LOWEST_THRESHOLD_HU, region);
    pollster::block_on(collected).unwrap()
}

pub fn rescore(
    gpu: &Gpu,
    scorer: &Scorer,
    input: &Input,
    on: &GpuCandidates,
    request: &Request,
    reading: &Reading,
) -> Report {
    pollster::block_on(scorer.rescore(gpu, input, on, request, reading, &|| 0.0)).unwrap()
}

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
