//! The operators that cost time, on the GPU: WGSL directly on wgpu.
//!
//! Directly and not by a tensor library: what there is lacks 3D pooling and resizing, and panics where a browser must not
//! (`docs/decisions/0008-inference-directly-on-wgpu.md`). Whatever is computed here is stated a second time as a plain
//! loop, which is the truth in tests and on the self-check page.

/// Names and offsets of the fields of `Params`, for the test against the WGSL.
macro_rules! field_offsets {
    ($($field:ident),* $(,)?) => {
        #[cfg(all(test, not(target_arch = "wasm32")))]
        pub(crate) fn field_offsets() -> (usize, Vec<(&'static str, usize)>) {
            (size_of::<Params>(), vec![$((stringify!($field), std::mem::offset_of!(Params, $field))),*])
        }
    };
}

mod activation;
mod check;
mod device;
mod exec;
mod fault;
mod held;
pub mod kernels;
mod memory;
mod recorder;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod shader_tests;
mod tiles;

pub use activation::Activation;
pub use check::{Kernel, Outcome, Tolerance};
pub use device::Gpu;
pub use exec::{GpuExec, Value};
pub use fault::GpuFault;
pub use memory::Block;
pub use recorder::Recorder;
pub use tiles::{Probe, Tiles};
