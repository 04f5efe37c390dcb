//! The product of matrices by tiles in workgroup memory.
//!
//! Same parameters as with tiles in registers: only who computes what is another.

use shaders::inference as wgsl;

use super::{MatMul, Params};
use crate::gpu::fault::GpuFault;
use crate::gpu::kernels::conv::Weights;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source};
use crate::gpu::tiles::Tiles;

/// Rows and columns of a tile: `SIDE` in `shaders/inference/matmul_shared.wgsl`.
const SIDE: usize = 32;

/// Whether it is for this kernel: what is thinner than half a tile leaves most of it idle. Tiles are counted along the
/// axes of a dispatch, which have an end.
pub(super) fn takes(job: &MatMul, tiles: Tiles) -> bool {
    let countable = job.rows.max(job.columns).div_ceil(SIDE) <= 65_535;
    countable
        && match tiles {
            Tiles::Registers => false,
            Tiles::Shared => job.rows.min(job.columns) >= SIDE / 2,
            Tiles::SharedAlways => true,
        }
}

/// Adds batches of a product that `takes` has found to be one; everything as `super::record` has made it.
pub(super) fn record(
    rec: &mut Recorder,
    job: &MatMul,
    b: &Weights,
    params: &Params,
    bound: &[(u32, &Block)],
    batches: u32,
) -> Result<(), GpuFault> {
    let source =
        Source::Shader(b.shader([&wgsl::MATMUL_SHARED, &wgsl::MATMUL_SHARED_I8, &wgsl::MATMUL_SHARED_F16]));
    let program = Program { name: "matmul", source, entry: "in_shared", constants: &[] };
    let [across, down] = [job.columns, job.rows].map(|extent| extent.div_ceil(SIDE));
    let macs = (across * down * SIDE * SIDE * job.sum) as u64 * u64::from(batches);
    rec.dispatch(&program, bytemuck::bytes_of(params), bound, [across as u32, down as u32, batches], macs)
}
