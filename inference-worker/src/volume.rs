//! The volume that the engine handed over, as the crates know it.

use imaging::volume::{Padding, Rescale};
use imaging::{Volume, Voxels};
use protocol::inference::{HandedVolume, VoxelKind};

/// The volume whose voxels are `bytes`.
pub fn received(handed: HandedVolume, bytes: &[u8]) -> Result<Volume, String> {
    let size = match handed.kind {
        VoxelKind::I16 | VoxelKind::U16 => 2,
        VoxelKind::F32 => 4,
    };
    let voxels = handed.grid.dims().iter().map(|n| *n as usize).product::<usize>();
    if bytes.len() != voxels * size {
        return Err(format!("{} bytes came for {voxels} voxels of {size}. Reload the page.", bytes.len()));
    }
    let voxels = match handed.kind {
        VoxelKind::I16 => Voxels::I16(bytemuck::pod_collect_to_vec(bytes)),
        VoxelKind::U16 => Voxels::U16(bytemuck::pod_collect_to_vec(bytes)),
        VoxelKind::F32 => Voxels::F32(bytemuck::pod_collect_to_vec(bytes)),
    };
    let mut volume = Volume::new(voxels, handed.grid);
    volume.rescale = Rescale { slope: handed.slope, intercept: handed.intercept };
    volume.padding = handed.padding.map(|[low, high]| Padding { low, high });
    volume.unit = handed.unit;
    Ok(volume)
}
