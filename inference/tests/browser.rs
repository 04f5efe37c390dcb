//! The kernels of inference in a real browser, against their twins from the same wasm.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

use inference::gpu::kernels::ALL;
use inference::gpu::{Gpu, Recorder};
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
async fn every_case_equals_its_twin() {
    let gpu = Gpu::request().await.unwrap();
    console_log!("adapter: {} (software: {}, f16: {})", gpu.adapter_name(), gpu.is_software(), gpu.has_f16());
    let mut rec = Recorder::new(gpu);
    let mut failures = Vec::new();
    for kernel in ALL {
        let outcomes = (kernel.check)(&mut rec).await;
        assert!(outcomes.len() >= 10, "{} has only {} cases", kernel.name, outcomes.len());
        let ms: f64 = outcomes.iter().map(|outcome| outcome.gpu_ms).sum();
        console_log!("{}: {} cases in {ms:.0} ms", kernel.name, outcomes.len());
        failures.extend(outcomes.into_iter().filter_map(|outcome| outcome.result.err()));
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[wasm_bindgen_test]
async fn a_lost_device_is_an_error_and_not_a_panic() {
    let mut rec = Recorder::new(Gpu::request().await.unwrap());
    let block = rec.upload(&[1, 2, 3]).unwrap();
    assert_eq!(rec.download(&block, 3).await, Ok(vec![1, 2, 3]));
    rec.gpu().lose_for_test();
    assert!(rec.download(&block, 3).await.is_err());
}
