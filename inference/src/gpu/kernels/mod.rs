//! The registry: every kernel of inference by name, with its cases and its twin.
//!
//! Tests, benches and the self-check walk this one list; a test proves that it names every shader and module.

pub mod conv;
pub mod copy;
pub mod depthwise;
pub mod elementwise;
pub mod gather;
pub mod labels;
pub mod level;
pub mod matmul;
pub mod measure;
pub mod norm;
pub mod pad;
pub mod pool;
pub mod reduce;
pub mod resample;
pub mod sample;
pub mod softmax;
pub mod unpack;

use shaders::inference as wgsl;

use super::check::{Kernel, check};

macro_rules! kernel {
    ($module:ident, $($shader:expr),+) => {
        Kernel {
            name: stringify!($module),
            tolerance: $module::TOLERANCE,
            shaders: &[$($shader),+],
            check: |rec| Box::pin(check::<$module::ThisKernel>(rec, $module::TOLERANCE)),
        }
    };
}

/// Every kernel.
pub const ALL: &[Kernel] = &[
    kernel!(
        conv,
        wgsl::CONV,
        wgsl::CONV_I8,
        wgsl::CONV_F16,
        wgsl::CONV_SHARED,
        wgsl::CONV_SHARED_I8,
        wgsl::CONV_SHARED_F16
    ),
    kernel!(depthwise, wgsl::DEPTHWISE, wgsl::DEPTHWISE_I8, wgsl::DEPTHWISE_F16),
    kernel!(labels, wgsl::LABELS),
    kernel!(
        matmul,
        wgsl::MATMUL,
        wgsl::MATMUL_I8,
        wgsl::MATMUL_F16,
        wgsl::MATMUL_SHARED,
        wgsl::MATMUL_SHARED_I8,
        wgsl::MATMUL_SHARED_F16
    ),
    kernel!(pool, wgsl::POOL),
    kernel!(norm, wgsl::NORM),
    kernel!(softmax, wgsl::SOFTMAX, wgsl::SOFTMAX_IN_PLACE),
    kernel!(reduce, wgsl::REDUCE),
    kernel!(copy, wgsl::COPY),
    kernel!(gather, wgsl::GATHER),
    kernel!(pad, wgsl::PAD),
    kernel!(resample, wgsl::RESAMPLE),
    kernel!(unpack, wgsl::UNPACK),
    kernel!(elementwise, wgsl::ELEMENTWISE),
    kernel!(sample, wgsl::SAMPLE),
    kernel!(level, wgsl::LEVEL),
    kernel!(measure, wgsl::MEASURE),
];

/// The product of extents.
pub(crate) fn product(extents: &[usize]) -> usize {
    extents.iter().product()
}

/// Distances between elements of a contiguous tensor.
pub(crate) fn strides_of(extents: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; extents.len()];
    for axis in (1..extents.len()).rev() {
        strides[axis - 1] = strides[axis] * extents[axis];
    }
    strides
}

/// Copies up to `N` numbers into a row of parameters; the rest is `rest`.
pub(crate) fn row<T: Copy, const N: usize>(values: &[T], rest: T) -> [T; N] {
    std::array::from_fn(|i| values.get(i).copied().unwrap_or(rest))
}

/// Every index of a grid in order, for the twins.
pub(crate) fn indices(extents: &[usize]) -> impl Iterator<Item = Vec<usize>> + '_ {
    (0..product(extents)).map(|i| {
        let mut rest = i;
        let mut index = vec![0; extents.len()];
        for axis in (0..extents.len()).rev() {
            index[axis] = rest % extents[axis];
            rest /= extents[axis];
        }
        index
    })
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::collections::BTreeSet;

    #[test]
    fn the_registry_is_complete() {
        let listed: BTreeSet<String> = ALL.iter().map(|k| k.name.to_owned()).collect();
        let folder = testbed::checkout().join("inference/src/gpu/kernels");
        let modules: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .filter(|stem| stem != "mod")
            .collect();
        assert_eq!(listed, modules);
        let shaders: Vec<_> = ALL.iter().flat_map(|k| k.shaders).map(|s| s.name).collect();
        let all: Vec<_> = shaders::inference::ALL.iter().map(|s| s.name).collect();
        assert_eq!(shaders.iter().collect::<BTreeSet<_>>(), all.iter().collect());
        for name in &listed {
            assert!(testbed::checkout().join(format!("shaders/inference/{name}.wgsl")).exists(), "{name}");
        }
    }
}
