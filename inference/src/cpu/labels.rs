//! A 1×1 convolution and the class of its largest output, a block of voxels at a time.
//!
//! The scores of a block stay in the cache and nothing of them is kept: for a hundred classes they would be a hundred
//! times as large as the labels.

use super::activation::Activation;
use super::conv::{ConvKernel, three};
use super::gemm::{Operand, product};
use super::{CpuError, check_length, parallel};
use crate::window::Axis;

/// Voxels of a block: scores of thirty classes then fill half a megabyte.
const BLOCK: usize = 1 << 12;

/// Bytes that the blocks under way take together.
pub fn label_scratch_bytes(classes: usize) -> u64 {
    (parallel::threads() * BLOCK * classes * 4) as u64
}

/// For each voxel the class with the largest of `scores`, which lie class by class; of equal ones the first. What is no
/// number never wins.
pub fn largest(scores: &[f32], labels: &mut [u8]) {
    labels.fill(0);
    let mut best = vec![f32::NEG_INFINITY; labels.len()];
    for (class, scores) in scores.chunks_exact(labels.len().max(1)).enumerate() {
        for ((score, best), label) in scores.iter().zip(&mut best).zip(labels.iter_mut()) {
            let wins = *score > *best;
            *best = if wins { *score } else { *best };
            *label = if wins { class as u8 } else { *label };
        }
    }
}

impl ConvKernel {
    /// The largest output channel of each voxel; `input` and `bias` as for [`ConvKernel::run`].
    ///
    /// # Errors
    /// As `run`, and kernels of more than one tap or group.
    pub fn labels(
        &self,
        input: &[f32],
        batch: usize,
        axes: &[Axis],
        bias: &[f32],
    ) -> Result<Vec<u8>, CpuError> {
        let axes = three(axes)?;
        let extents = axes.map(|axis| axis.input);
        let (weights, inputs, outputs) = self.pointwise(&axes).ok_or(CpuError::Window)?;
        check_length("input", input.len(), &[batch, inputs, extents[0], extents[1], extents[2]])?;
        if !bias.is_empty() {
            check_length("bias", bias.len(), &[outputs])?;
        }
        let volume: usize = extents.iter().product();
        let mut labels = vec![0; batch * volume];
        if labels.is_empty() {
            return Ok(labels);
        }
        for (image, labels) in input.chunks_exact(inputs * volume).zip(labels.chunks_exact_mut(volume)) {
            let tasks: Vec<_> = labels.chunks_mut(BLOCK).enumerate().collect();
            parallel::each(tasks, |(block, labels)| {
                let right = Operand { data: &image[block * BLOCK..], pitch: volume, columns: labels.len() };
                let mut scores = vec![0.0; outputs * labels.len()];
                product(weights, right, bias, Activation::None, &mut scores);
                largest(&scores, labels);
            });
        }
        Ok(labels)
    }
}
