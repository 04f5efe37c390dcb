//! Every case of every kernel on a real (software) adapter against its twin.
#![cfg(not(target_arch = "wasm32"))]

use gpu_kernels::kernels::{ALL, Extent};
use gpu_kernels::{BackendKind, Gpu, GpuVolume, VolumeError, VoxelFormat, self_check};
use imaging::Voxels;

/// A machine without an adapter says so loudly; on CI that is a failure.
fn gpu() -> Option<Gpu> {
    match pollster::block_on(Gpu::headless()) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            let hint = "install a Vulkan driver (Debian: mesa-vulkan-drivers)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{error}; {hint}");
            eprintln!("\n*** NOT TESTED: {error}; {hint} ***\n");
            None
        }
    }
}

#[test]
fn every_case_equals_its_twin() {
    let Some(gpu) = gpu() else { return };
    println!("adapter: {} (software: {})", gpu.adapter_name(), gpu.is_software());
    let mut failures = Vec::new();
    for kernel in ALL {
        let outcomes = pollster::block_on((kernel.check)(&gpu, Extent::All));
        assert!(outcomes.len() >= 10, "{} has only {} cases", kernel.name, outcomes.len());
        let mut worst: f64 = 0.0;
        for outcome in &outcomes {
            match &outcome.result {
                Ok(difference) => worst = worst.max(*difference),
                Err(detail) => failures.push(format!("{}: {detail}", kernel.name)),
            }
        }
        println!("{}: {} cases, largest difference {worst}", kernel.name, outcomes.len());
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_self_check_passes_and_names_every_kernel() {
    let Some(gpu) = gpu() else { return };
    assert_eq!(gpu.kind(), BackendKind::Vulkan);
    let start = std::time::Instant::now();
    let rows = pollster::block_on(self_check(&gpu));
    println!("self-check: {} rows in {:?}", rows.len(), start.elapsed());
    for kernel in ALL {
        assert!(rows.iter().any(|row| row.kernel == kernel.name));
    }
    let failed: Vec<_> = rows.iter().filter(|row| !row.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_lost_device_is_noticed() {
    let Some(gpu) = gpu() else { return };
    let lost = gpu.lost();
    assert!(!gpu.is_lost());
    gpu.lose_for_test();
    let why = pollster::block_on(lost);
    assert!(gpu.is_lost() && why.contains("Destroyed"), "{why}");
}

#[test]
fn wrong_uploads_are_refused() {
    let Some(gpu) = gpu() else { return };
    let mut volume = pollster::block_on(GpuVolume::allocate(&gpu, [4, 3, 2], VoxelFormat::I16)).unwrap();
    let voxels = Voxels::I16(vec![0; 24]);
    assert!(matches!(
        volume.upload_slices(&gpu, &Voxels::U16(vec![0; 24]), 0, 0, 1),
        Err(VolumeError::WrongFormat { .. })
    ));
    assert!(matches!(volume.upload_slices(&gpu, &voxels, 0, 1, 2), Err(VolumeError::OutOfRange { .. })));
    assert!(matches!(volume.upload_slices(&gpu, &voxels, 1, 0, 1), Err(VolumeError::OutOfRange { .. })));
    assert!(!volume.arrived().contains(0));
    assert_eq!(volume.upload_slices(&gpu, &voxels, 0, 0, 2), Ok(()));
    assert!(volume.arrived().is_complete());
    let too_large = pollster::block_on(GpuVolume::allocate(&gpu, [100_000, 100_000, 3], VoxelFormat::I16));
    assert!(matches!(too_large, Err(VolumeError::TooLarge { value: 30_000_000_000, .. })));
}
