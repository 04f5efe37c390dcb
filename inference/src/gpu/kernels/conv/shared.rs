//! The convolution by tiles in workgroup memory.
//!
//! Same parameters and same packed weights as with tiles in registers: only who computes what is another.

use shaders::inference as wgsl;

use super::{Conv, Params, Weights};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{GROUP, Program, Recorder, Source};
use crate::gpu::tiles::Tiles;

impl Conv {
    /// Quads of output channels of a tile: 8, or 4 where that leaves fewer channels idle.
    fn high(&self) -> usize {
        let quads = self.channels_out.div_ceil(4);
        if quads.next_multiple_of(8) <= quads.next_multiple_of(4) { 8 } else { 4 }
    }

    fn layers(&self) -> usize {
        self.groups * self.channels_out.div_ceil(4 * self.high())
    }
}

/// Whether it is for this kernel: a tap of a transposed one has inputs at few places only, and few channels, or such that
/// more than a quarter of the tiles is idle, are made as fast in registers.
pub(super) fn takes(conv: &Conv, tiles: Tiles) -> bool {
    let quads = conv.channels_out.div_ceil(4);
    let filled = 4 * quads >= 3 * quads.next_multiple_of(conv.high());
    !conv.transposed
        && match tiles {
            Tiles::Registers => false,
            Tiles::Shared => conv.channels_out >= 16 && conv.channels_in >= 8 && filled,
            Tiles::SharedAlways => true,
        }
}

/// Adds a convolution that `takes` has found to be one; everything as `super::record` has made it.
pub(super) fn record(
    rec: &mut Recorder,
    conv: &Conv,
    weights: &Weights,
    mut constants: Vec<(&'static str, f64)>,
    params: Params,
    bound: &[(u32, &Block)],
) -> Result<(), GpuFault> {
    let high = conv.high();
    let shader = weights.shader([&wgsl::CONV_SHARED, &wgsl::CONV_SHARED_I8, &wgsl::CONV_SHARED_F16]);
    constants.push(("HIGH", high as f64));
    let program =
        Program { name: "conv", source: Source::Shader(shader), entry: "in_shared", constants: &constants };
    let per_tile = (conv.taps() * conv.channels_in * 16 * high) as u64;
    conv.dispatch_wide(rec, &program, params, bound, conv.layers(), per_tile, GROUP / high as u32)
}
