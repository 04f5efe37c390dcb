//! Every case of every kernel of inference on a real (software) adapter against its twin.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)] // Clippy sees only functions marked as tests.

use inference::gpu::kernels::ALL;
use inference::gpu::{Gpu, GpuExec, GpuFault, Recorder, Tiles};

/// A machine without an adapter says so loudly; on CI that is a failure.
fn gpu() -> Option<Gpu> {
    match pollster::block_on(Gpu::request()) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            let hint = "install a Vulkan driver (Debian: mesa-vulkan-drivers)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{error}; {hint}");
            eprintln!("\n*** NOT TESTED: {error}; {hint} ***\n");
            None
        }
    }
}

/// All cases of these kernels.
fn checked(rec: &mut Recorder, only: impl Fn(&str) -> bool) {
    let mut failures = Vec::new();
    for kernel in ALL.iter().filter(|kernel| only(kernel.name)) {
        let outcomes = pollster::block_on((kernel.check)(rec));
        assert!(outcomes.len() >= 10, "{} has only {} cases", kernel.name, outcomes.len());
        let mut worst: f64 = 0.0;
        let mut ms = 0.0;
        for outcome in &outcomes {
            ms += outcome.gpu_ms;
            match &outcome.result {
                Ok(difference) => worst = worst.max(*difference),
                Err(detail) => failures.push(format!("{}: {detail}", kernel.name)),
            }
        }
        println!("{}: {} cases in {ms:.0} ms, largest difference {worst:e}", kernel.name, outcomes.len());
    }
    println!("{:?} pipelines and dispatches, {:?} bytes", rec.counts(), rec.held_bytes());
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_case_equals_its_twin() {
    let Some(gpu) = gpu() else { return };
    println!("adapter: {} (software: {}, f16: {})", gpu.adapter_name(), gpu.is_software(), gpu.has_f16());
    checked(&mut Recorder::new(gpu), |_| true);
}

const SHARED: [shaders::Shader; 6] = [
    shaders::inference::CONV_SHARED,
    shaders::inference::CONV_SHARED_I8,
    shaders::inference::CONV_SHARED_F16,
    shaders::inference::MATMUL_SHARED,
    shaders::inference::MATMUL_SHARED_I8,
    shaders::inference::MATMUL_SHARED_F16,
];

#[test]
fn every_case_equals_its_twin_with_tiles_in_workgroup_memory() {
    for tiles in [Tiles::Shared, Tiles::SharedAlways] {
        let Some(gpu) = gpu() else { return };
        let mut rec = Recorder::new(gpu);
        rec.set_tiles(tiles);
        checked(&mut rec, |name| matches!(name, "conv" | "matmul"));
        // Or nothing but registers was tested.
        for shader in SHARED {
            assert!(rec.has_compiled(&shader), "{} with {tiles:?}", shader.name);
        }
    }
}

#[test]
fn the_probe_times_both_takes_the_faster_and_says_so() {
    let Some(gpu) = gpu() else { return };
    let start = std::time::Instant::now();
    let mut exec = pollster::block_on(GpuExec::probed(gpu, false));
    let remark = inference::exec::Exec::remark(&exec).unwrap();
    println!("{remark} in {:?}", start.elapsed());
    let probe = exec.probe().unwrap().clone().unwrap();
    let tiles = exec.recorder().tiles();
    assert!(probe.registers_ms > 0.0 && probe.shared_ms > 0.0);
    assert_eq!(tiles == Tiles::Shared, probe.shared_ms < probe.registers_ms);
    for ms in [probe.registers_ms, probe.shared_ms] {
        assert!(remark.contains(&format!("{ms:.3} ms")));
    }
    // A device that is gone is no reason to stop here: the run will say so.
    exec.recorder_mut().gpu().lose_for_test();
    assert!(pollster::block_on(exec.recorder_mut().probe()).is_err());
    assert_eq!(exec.recorder().tiles(), tiles);
}

#[test]
fn a_lost_device_is_an_error_and_not_a_panic() {
    let Some(gpu) = gpu() else { return };
    let mut rec = Recorder::new(gpu);
    let block = rec.upload(&[1, 2, 3]).unwrap();
    assert_eq!(pollster::block_on(rec.download(&block, 3)), Ok(vec![1, 2, 3]));
    rec.gpu().lose_for_test();
    assert!(matches!(pollster::block_on(rec.download(&block, 3)), Err(GpuFault::Lost(_))));
    let again = rec.upload(&[4]);
    assert!(matches!(pollster::block_on(rec.faults()), Err(GpuFault::Lost(_))));
    drop(again);
}

#[test]
fn a_tensor_beyond_a_binding_is_refused_before_it_is_allocated() {
    let limits = Some(wgpu::Limits::default());
    let Ok(gpu) = pollster::block_on(Gpu::request_within(limits)) else { return };
    let mut rec = Recorder::new(gpu);
    let (before, _) = rec.held_bytes();
    let words = (128 << 20) / 4 + 1;
    assert!(matches!(rec.take(words), Err(GpuFault::TooLarge { limit, .. }) if limit == 128 << 20));
    assert_eq!(rec.held_bytes().0, before);
    assert!(rec.take(words - 1).is_ok());
}
