//! Curves of a slab of voxels on the device: blocks of 32 voxels, sample by sample.
//!
//! Neighbouring threads read neighbouring words, and the host keeps the same blocks, so an upload is a copy.

use crate::compute::{Budget, ComputeError, Held, fill, guarded, storage};
use crate::gpu::Gpu;

/// Voxels of a block: `LANES` in `shaders/kernels/deconvolve.wgsl`.
pub const LANES: usize = 32;

/// Concentration of some voxels over time.
pub struct Curves {
    buffer: Held,
    count: u32,
    samples: usize,
}

impl Curves {
    /// Whole blocks that fit one binding and one dispatch, in voxels; 0 where not even one does.
    pub(super) fn most(budget: Budget, samples: usize) -> usize {
        let per_block = (samples * LANES * 4) as u64;
        let blocks = budget.binding_bytes / per_block.max(1);
        let threads = u64::from(budget.groups) * u64::from(super::GROUP);
        // `found` has three words for each.
        let words = budget.binding_bytes / 12;
        let voxels = (blocks * LANES as u64).min(threads).min(words).min(u64::from(u32::MAX / 4));
        voxels as usize / LANES * LANES
    }

    /// Uploads `count` voxels; the last block may hold fewer than [`LANES`].
    pub async fn upload(
        gpu: &Gpu,
        budget: Budget,
        samples: usize,
        count: usize,
        blocks: &[f32],
    ) -> Result<Self, ComputeError> {
        let want = count.div_ceil(LANES) * samples * LANES;
        if blocks.len() != want {
            return Err(ComputeError::Refused(format!("{} samples in blocks of {want}", blocks.len())));
        }
        let curves = Self::empty(gpu, budget, samples, count).await?;
        guarded(gpu, || fill(gpu, &curves.buffer, 0, bytemuck::cast_slice(blocks))).await?;
        Ok(curves)
    }

    /// Room for `count` voxels, all 0.
    pub async fn empty(
        gpu: &Gpu,
        budget: Budget,
        samples: usize,
        count: usize,
    ) -> Result<Self, ComputeError> {
        let most = Self::most(budget, samples);
        if count > most {
            let (value, limit) = (count as u64, most as u64);
            return Err(ComputeError::TooLarge { what: "voxels of a slab", value, limit });
        }
        let bytes = (count.div_ceil(LANES) * samples * LANES * 4) as u64;
        guarded(gpu, || Self { buffer: storage(gpu, "curves", bytes), count: count as u32, samples }).await
    }

    /// Voxels.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// Of a curve.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Bytes on the device.
    pub fn bytes(&self) -> u64 {
        self.buffer.size()
    }

    pub(in crate::kernels) fn buffer(&self) -> &Held {
        &self.buffer
    }
}
