//! Fast f32 operators on slices, for one thread of WebAssembly and for all cores of a native machine.
//!
//! One register tile serves convolutions, transposed convolutions and matrix products: a few output channels times a
//! few vectors of neighbouring outputs, over a list of source offsets. The lists differ, the inner loop does not, and
//! nothing is unfolded into a matrix. Vectors come from `fearless_simd`, which picks AVX-512, AVX2 or SSE when the
//! program runs and is SIMD128 in the browser. `reference` holds the plain loops that the tests compare with.

mod activation;
mod conv;
mod gather;
mod gemm;
mod labels;
mod parallel;
mod tile;
mod vector;

pub mod reference;

pub use activation::Activation;
pub use conv::{ConvKernel, ConvShape, conv_scratch_bytes};
pub use gemm::{Matrix, gemm, matmul};
pub use labels::{label_scratch_bytes, largest};
pub use vector::{Smooth, softmax};

/// What the operators of this module refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CpuError {
    /// A slice has another length than its shape says.
    #[error("{what} has {got} elements where its shape asks for {want}")]
    Length {
        /// Which slice.
        what: &'static str,
        /// Its length.
        got: usize,
        /// What the shape says.
        want: usize,
    },
    /// Channels that the number of groups does not divide, or no group at all.
    #[error("{channels} channels cannot be split into {groups} groups")]
    Groups {
        /// Channels.
        channels: usize,
        /// Groups.
        groups: usize,
    },
    /// More than three spatial axes.
    #[error("{0} spatial axes: only 1 to 3 are supported")]
    Rank(usize),
    /// A window of another kernel, stride or dilation than the weights were ordered for.
    #[error("the window's kernel, stride or dilation differ from those the weights were prepared for")]
    Window,
    /// A product of extents that does not fit the address space.
    #[error("a {0} of this shape does not fit the memory of this machine")]
    Size(&'static str),
}

/// `Ok` where a slice is as long as its shape says.
pub(crate) fn check_length(what: &'static str, got: usize, shape: &[usize]) -> Result<(), CpuError> {
    let want = crate::tensor::elements(shape).ok_or(CpuError::Size(what))?;
    if got == want { Ok(()) } else { Err(CpuError::Length { what, got, want }) }
}
