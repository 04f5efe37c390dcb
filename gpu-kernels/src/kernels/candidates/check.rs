//! Compacts the cases on the GPU and in the twin and compares every number.

use web_time::Instant;

use super::{Candidates, Case, HostTable, Keys, TOLERANCE, cases, cpu};
use crate::compare::compare;
use crate::gpu::Gpu;
use crate::kernels::{Extent, Outcome};
use crate::volume::{GpuVolume, VoxelFormat};

/// Runs the cases.
pub async fn check(gpu: &Gpu, extent: Extent) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut kernel = Candidates::new(gpu).await;
    for case in cases(extent) {
        let start = Instant::now();
        let want = cpu::run(&case.voxels, case.dims, case.rule, case.allowed()).map(numbers);
        let cpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let got = match &mut kernel {
            Ok(kernel) => on_gpu(gpu, kernel, &case).await.map(numbers),
            Err(error) => Err(error.to_string()),
        };
        let gpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let result = got.and_then(|got| {
            let want = want.unwrap_or_default().into_iter();
            compare(&case.name, &TOLERANCE, got.into_iter(), want).map_err(|d| d.to_string())
        });
        outcomes.push(Outcome { case: case.name, result, gpu_ms, cpu_ms });
    }
    outcomes
}

async fn on_gpu(gpu: &Gpu, kernel: &mut Candidates, case: &Case) -> Result<HostTable, String> {
    let limit = case.texture_limit.unwrap_or(u32::MAX).min(gpu.limits().max_texture_dimension_3d);
    let format = VoxelFormat::of(&case.voxels);
    let volume = GpuVolume::allocate_within(gpu, case.dims, format, limit).await;
    let mut volume = volume.map_err(|e| e.to_string())?;
    volume.upload_slices(gpu, &case.voxels, 0, 0, case.dims[2]).map_err(|e| e.to_string())?;
    kernel.slab_words = case.slab_words.unwrap_or(kernel.budget.elements(4));
    let table = kernel.run(gpu, &volume, case.rule, case.allowed()).await.map_err(|e| e.to_string())?;
    table.read(gpu).await.map_err(|e| e.to_string())
}

/// Everything in a row.
fn numbers(table: HostTable) -> Vec<f64> {
    let keys: Vec<i32> = match table.keys {
        Keys::I16(keys) => keys.into_iter().map(i32::from).collect(),
        Keys::I32(keys) => keys,
    };
    // How many of each: without it, a run might pass for two keys.
    let counts = [table.runs.len() as f64, keys.len() as f64];
    let runs = table.runs.into_iter().flatten().map(f64::from);
    counts.into_iter().chain(runs).chain(keys.into_iter().map(f64::from)).collect()
}
