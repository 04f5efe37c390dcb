//! Where a model runs: on a GPU that is none of the CPU's disguises, else on the CPU.
//!
//! Both give the same numbers, and a GPU hands what it has no kernel for to the CPU; so the choice is one of speed.

use inference::HostOnly;
use inference::gpu::{Gpu, GpuExec, GpuFault};

use crate::backend::Backend;

/// Why there is nothing to run on.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `--backend gpu` without one.
    #[error("there is no GPU to compute on: {0}. Use --backend auto or cpu; the numbers are the same.")]
    NoGpu(#[from] GpuFault),
}

/// The executor that was chosen.
pub enum Executor {
    /// The CPU.
    Cpu(HostOnly),
    /// A GPU.
    Gpu(Box<GpuExec>),
}

/// The executor for `backend`. `eager`: a GPU runs all it can, also what is quicker on the CPU.
pub fn choose(backend: Backend, eager: bool) -> Result<Executor, Error> {
    let on_gpu = |gpu| Executor::Gpu(Box::new(pollster::block_on(GpuExec::probed(gpu, eager)).in_halves()));
    match backend {
        Backend::Cpu => Ok(Executor::Cpu(HostOnly)),
        Backend::Gpu => Ok(on_gpu(pollster::block_on(Gpu::request())?)),
        Backend::Auto => Ok(match pollster::block_on(Gpu::request()) {
            Ok(gpu) if !gpu.is_software() => on_gpu(gpu),
            _ => Executor::Cpu(HostOnly),
        }),
    }
}
