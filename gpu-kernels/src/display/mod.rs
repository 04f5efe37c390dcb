//! The drawing passes. They run on WebGPU and WebGL2, and each has a CPU twin for where neither exists.

pub mod slice;

/// What is drawn where there is no value: outside the volume, padding, slices that have not arrived.
/// Black, and black under inversion too, because a bright surround would blind the reader of a mammogram.
pub const BACKGROUND: [u8; 4] = [0, 0, 0, 255];
