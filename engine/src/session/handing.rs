//! Handing over: a copy of a loaded volume, for a worker that computes on it.
//!
//! A copy, because both workers need it at once and a browser without cross-origin isolation shares no memory.

use imaging::{Volume, Voxels};
use protocol::inference::{HandedVolume, VoxelKind};
use protocol::{Event, SeriesId};

use super::Session;
use crate::link;

impl Session {
    /// Sends one time point of a series that has arrived completely, or says why not.
    pub(super) fn hand(&mut self, query: u32, series: SeriesId, time_index: u32) {
        let outcome = self
            .position_complete(series)
            .and_then(|at| handed(series, self.loaded[at].volume(), time_index));
        match outcome {
            Ok((volume, bytes)) => {
                link::send_bytes(&Event::Handed { query, outcome: Ok(volume) }, "voxels", bytes);
            }
            Err(why) => link::send(&Event::Handed { query, outcome: Err(why) }),
        }
    }
}

fn handed(series: SeriesId, volume: &Volume, time_index: u32) -> Result<(HandedVolume, &[u8]), String> {
    let one = volume.grid.dims().iter().map(|n| *n as usize).product::<usize>();
    let time = time_index.min(volume.time_points.saturating_sub(1)) as usize;
    let span = time * one..(time + 1) * one;
    let (kind, bytes): (_, Option<&[u8]>) = match &volume.voxels {
        Voxels::I16(v) => (VoxelKind::I16, v.get(span).map(bytemuck::cast_slice)),
        Voxels::U16(v) => (VoxelKind::U16, v.get(span).map(bytemuck::cast_slice)),
        Voxels::F32(v) => (VoxelKind::F32, v.get(span).map(bytemuck::cast_slice)),
        Voxels::Rgba8(_) => {
            return Err("A colour picture has no values to compute on. Choose a grey series.".into());
        }
    };
    let bytes = bytes.ok_or("The series is not loaded any more. Open it again.")?;
    let handed = HandedVolume {
        series,
        grid: volume.grid.clone(),
        kind,
        slope: volume.rescale.slope,
        intercept: volume.rescale.intercept,
        padding: volume.padding.map(|p| [p.low, p.high]),
        unit: volume.unit.clone(),
    };
    Ok((handed, bytes))
}
