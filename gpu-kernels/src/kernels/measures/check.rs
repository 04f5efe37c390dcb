//! Measures the components of the labeller's cases, and of floats of every size, on the GPU and in the twin.
//!
//! Labels come from the labeller's twin, so that a fault shows in the kernel that has it.

use imaging::Voxels;
use web_time::Instant;

use super::{Measure, Measures, TOLERANCE, cpu};
use crate::compare::compare;
use crate::compute::{Budget, ComputeError};
use crate::gpu::Gpu;
use crate::kernels::candidates::{self, Allowed, HostTable, Rule, Table};
use crate::kernels::components::{self, Labels, Piece};
use crate::kernels::{Extent, Outcome, shapes};

/// Components to measure.
pub struct Case {
    /// Told when it fails.
    pub name: String,
    /// Columns, rows, slices.
    pub dims: [u32; 3],
    /// Candidates.
    pub table: HostTable,
    /// Keys are reversed.
    pub negative: bool,
    /// By the labeller's twin.
    pub pieces: Vec<Piece>,
}

/// Those of the labeller, and some that only sums can get wrong.
pub fn cases(extent: Extent) -> Vec<Case> {
    let labelled = |c: components::Case| Case {
        pieces: components::cpu::run(c.dims, &c.table, c.cut, c.corners).0,
        name: c.name,
        dims: c.dims,
        table: c.table,
        negative: c.negative,
    };
    let mut out: Vec<Case> = components::cases(extent).into_iter().map(labelled).collect();
    let mut add = |name: &str, dims, voxels: Voxels, negative| {
        let rule = Rule { cut: i32::MIN, negative, padding: None };
        if let Some(table) = candidates::cpu::run(&voxels, dims, rule, Allowed::default()) {
            let pieces = components::cpu::run(dims, &table, i32::MIN, true).0;
            let name = name.to_owned();
            out.push(Case { name, dims, table, negative, pieces });
        }
    };
    let dims = [37, 29, 3];
    let n = 37 * 29 * 3;
    // Every exponent and sign: sums that cancel, and numbers too small to matter in any other order.
    let float = |i: u32| f32::from_bits(shapes::scatter(i).wrapping_mul(0x9e37_79b9));
    let wild: Vec<f32> = (0..n).map(|i| if float(i).is_finite() { float(i) } else { -0.0 }).collect();
    add("floats of every size", dims, Voxels::F32(wild.clone()), false);
    add("floats of every size, reversed", dims, Voxels::F32(wild), true);
    let tiny = (0..n).map(|i| f32::from_bits((shapes::scatter(i) & 0x807f_ffff) | (i % 2) << 31)).collect();
    add("subnormal floats", dims, Voxels::F32(tiny), false);
    let largest = (0..n).map(|i| if i % 3 == 0 { f32::MIN } else { f32::MAX }).collect();
    add("largest floats", dims, Voxels::F32(largest), false);
    // More than 32 bits hold: 65535 per voxel over 401 x 401.
    add("large sums", [401, 401, 1], Voxels::U16(vec![u16::MAX; 401 * 401]), false);
    add("low sums", [401, 401, 1], Voxels::I16(vec![i16::MIN; 401 * 401]), false);
    add("longest row", [0xffff, 2, 1], Voxels::I16(vec![-5; 2 * 0xffff]), false);
    add("longest column", [2, 0xffff, 1], Voxels::I16(vec![7; 2 * 0xffff]), true);
    out
}

/// Runs the cases.
pub async fn check(gpu: &Gpu, extent: Extent) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let kernel = Measures::new(gpu).await;
    for case in cases(extent) {
        let start = Instant::now();
        let want = numbers(&cpu::run(case.dims, &case.table, case.negative, &case.pieces));
        let cpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let got = match &kernel {
            Ok(kernel) => on_gpu(gpu, kernel, &case).await.map(|m| numbers(&m)),
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

async fn on_gpu(gpu: &Gpu, kernel: &Measures, case: &Case) -> Result<Vec<Measure>, ComputeError> {
    let table = Table::upload(gpu, Budget::of(gpu), case.dims, case.negative, &case.table).await?;
    let labels = Labels::upload(gpu, &case.pieces).await?;
    Ok(kernel.run(gpu, &table, &labels, false).await?.components)
}

/// Everything in a row.
fn numbers(measures: &[Measure]) -> Vec<f64> {
    let of = |m: &Measure| {
        let [x0, y0, x1, y1] = m.bounds.map(f64::from);
        let (sums, long) = ([m.key_sum as f64, m.float_sum], [m.sum_x as f64, m.sum_y as f64]);
        let rest = [f64::from(m.voxels), f64::from(m.peak_key), f64::from(m.slice), x0, y0, x1, y1];
        sums.into_iter().chain(long).chain(rest).chain(m.first.map(f64::from))
    };
    measures.iter().flat_map(of).collect()
}
