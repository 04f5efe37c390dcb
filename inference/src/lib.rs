//! ONNX models at run time, on the reader's own machine.
//!
//! A model comes as a file, not as code: it is read with limits, planned for the shapes at hand before anything is
//! allocated, and run operator by operator. Every operator exists on the CPU; the ones that cost time exist on the
//! GPU as well, with the same numbers.

pub mod conformance;
pub mod cpu;
pub mod exec;
pub mod gpu;
pub mod graph;
pub mod image;
pub mod npy;
pub mod onnx;
pub mod ops;
pub mod plan;
pub mod tensor;
pub mod window;

pub use exec::{Exec, HostOnly, Session};
pub use graph::{Graph, load};
pub use onnx::Limits;
pub use tensor::{DType, Data, Tensor, TensorInfo};
