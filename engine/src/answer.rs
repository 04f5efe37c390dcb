//! Values at a point and statistics of a region, read from the voxels themselves and never from the screen.

use imaging::{Volume, Voxels};
use protocol::{Event, ProbeValue};
use scene::measure::{Roi, RoiStatistics};
use scene::{DVec2, DVec3, Grid};

/// The voxel that holds `world`; `None` outside the volume.
pub fn probe(volume: &Volume, world: DVec3, time_index: u32) -> Option<ProbeValue> {
    if time_index >= volume.time_points {
        return None;
    }
    let voxel = volume.grid.voxel_at(world)?;
    if let Voxels::Rgba8(pixels) = &volume.voxels {
        let [r, g, b, _] = *pixels.get(volume.index(voxel, time_index))?;
        return Some(ProbeValue::Colour([r, g, b]));
    }
    let value = volume.value(voxel, time_index).filter(|v| v.is_finite());
    Some(value.map_or(ProbeValue::Padding, ProbeValue::Grey))
}

/// Statistics of the voxels that a region's plane meets inside the region.
pub fn roi(volume: &Volume, roi: &Roi, time_index: u32) -> Result<RoiStatistics, String> {
    if matches!(volume.voxels, Voxels::Rgba8(_)) {
        return Err("A colour picture has no single value per pixel.".into());
    }
    if time_index >= volume.time_points {
        return Err(format!(
            "The series has {} time points; number {} was asked for.",
            volume.time_points,
            time_index + 1
        ));
    }
    let (mut n, mut mean, mut m2) = (0u64, 0.0f64, 0.0f64);
    let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
    for voxel in roi_voxels(&volume.grid, roi) {
        let Some(value) = volume.value(voxel, time_index).filter(|v| !v.is_nan()) else { continue };
        // Welford 1962: exact where the mean is large against the spread.
        n += 1;
        let delta = value - mean;
        mean += delta / n as f64;
        m2 += delta * (value - mean);
        min = min.min(value);
        max = max.max(value);
    }
    if n == 0 {
        return Err("The region covers no voxel of the series.".into());
    }
    Ok(RoiStatistics { samples: n, mean, sd: (m2 / n as f64).sqrt(), min, max })
}

/// The voxels that a region's plane meets inside it, each once.
pub fn roi_voxels(grid: &Grid, roi: &Roi) -> Vec<[u32; 3]> {
    let spacing = grid.spacing();
    // Half the finest spacing: no voxel that the region covers by more than that is stepped over.
    let step = 0.5 * spacing[0].min(spacing[1]).min(spacing[2]);
    let (right, down) = (roi.half_right_world, roi.half_down_world);
    let count = |half: DVec3| ((2.0 * half.length() / step).ceil() as i64).clamp(1, 16_384);
    let (nx, ny) = (count(right), count(down));
    let mut seen = std::collections::HashSet::new();
    let mut voxels = Vec::new();
    for j in 0..=ny {
        for i in 0..=nx {
            let p = DVec2::new(2.0 * i as f64 / nx as f64 - 1.0, 2.0 * j as f64 / ny as f64 - 1.0);
            if !roi.shape.contains(p) {
                continue;
            }
            let at = grid.voxel_at(roi.centre_world + right * p.x + down * p.y);
            voxels.extend(at.filter(|voxel| seen.insert(*voxel)));
        }
    }
    voxels
}

/// The reply to a question about a region; `None`: the series is not loaded.
pub fn roi_event(query: u32, found: Option<Result<RoiStatistics, String>>) -> Event {
    match found {
        Some(Ok(statistics)) => Event::RoiValue { query, statistics: Some(statistics), message: None },
        Some(Err(message)) => Event::RoiValue { query, statistics: None, message: Some(message) },
        None => {
            Event::RoiValue { query, statistics: None, message: Some("The series is not loaded.".into()) }
        }
    }
}
