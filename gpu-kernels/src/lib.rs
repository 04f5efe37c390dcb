//! wgpu: device, volumes, drawing passes, kernels with their CPU twins, the self-check.
//!
//! Whatever the GPU computes is stated a second time as plain Rust (the twin). The twin is the fallback where
//! there is no GPU, the truth in tests, and what the self-check holds the user's own GPU against.

/// Names and offsets of the fields of `Params`, for the test against the WGSL.
macro_rules! field_offsets {
    ($($field:ident),* $(,)?) => {
        #[cfg(all(test, not(target_arch = "wasm32")))]
        pub(crate) fn field_offsets() -> Vec<(&'static str, usize)> {
            vec![$((stringify!($field), std::mem::offset_of!(Params, $field))),*]
        }
    };
}

pub mod compare;
mod compute;
pub mod display;
mod gpu;
pub mod kernels;
mod labels;
mod lost;
mod readback;
mod self_check;
#[cfg(all(test, not(target_arch = "wasm32")))]
mod shader_tests;
#[cfg(target_arch = "wasm32")]
mod surface;
mod volume;

pub use compute::{Budget, ComputeError};
pub use gpu::{BackendKind, Gpu, GpuError};
pub use labels::{Labels, LabelsError};
pub use readback::{ReadbackError, read_rgba8};
pub use self_check::{CheckRow, check_kernel, first_failure, self_check};
#[cfg(target_arch = "wasm32")]
pub use surface::{CanvasSurface, Frame, SurfaceError, expect_webgl2_hardware};
pub use volume::{ArrivedSlices, GpuVolume, VolumeError, VoxelFormat};
/// Re-exported so that callers name the same wgpu.
pub use wgpu;
