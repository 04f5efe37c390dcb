//! A score on whatever adapter there is.
//!
//! Natively only: in the browser everything has to be awaited (`browser.rs`).

use calcium::gpu::{GpuCandidates, Scorer};
use calcium::{Input, LOWEST_THRESHOLD_HU, Reading, Report, Request};
use gpu_kernels::{Gpu, GpuVolume};
use imaging::Volume;

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
