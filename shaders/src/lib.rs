//! All WGSL as plain data.
