//! Labels the cases on the GPU and in the twin and compares every number.

use web_time::Instant;

use super::{Case, Components, Piece, TOLERANCE, cases, cpu};
use crate::compare::compare;
use crate::compute::{Budget, ComputeError};
use crate::gpu::Gpu;
use crate::kernels::candidates::Table;
use crate::kernels::{Extent, Outcome};

/// Runs the cases.
pub async fn check(gpu: &Gpu, extent: Extent) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let kernel = Components::new(gpu).await;
    for case in cases(extent) {
        let start = Instant::now();
        let want = numbers(cpu::run(case.dims, &case.table, case.cut, case.corners));
        let cpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let got = match &kernel {
            Ok(kernel) => on_gpu(gpu, kernel, &case).await.map(numbers),
            Err(error) => Err(error.clone()),
        };
        let gpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let result = got.map_err(|e| e.to_string()).and_then(|got| {
            compare(&case.name, &TOLERANCE, got.into_iter(), want.into_iter()).map_err(|d| d.to_string())
        });
        outcomes.push(Outcome { case: case.name, result, gpu_ms, cpu_ms });
    }
    outcomes
}

async fn on_gpu(gpu: &Gpu, kernel: &Components, case: &Case) -> Result<(Vec<Piece>, Vec<u32>), ComputeError> {
    let table = Table::upload(gpu, Budget::of(gpu), case.dims, case.negative, &case.table).await?;
    let labels = kernel.run(gpu, &table, case.cut, case.corners).await?;
    labels.read(gpu).await
}

/// Everything in a row.
fn numbers((pieces, lesions): (Vec<Piece>, Vec<u32>)) -> Vec<f64> {
    let of = |p: &Piece| [p.start, p.end, p.first_key, p.component];
    pieces.iter().flat_map(of).chain(lesions).map(f64::from).collect()
}
