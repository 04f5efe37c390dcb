//! The grid that a model samples, laid over an image.
//!
//! Axes first, then spacing, size and place, in the world and not in indices: the same few lines serve a scan
//! that lies as the model wants it and one that lies askew.

use contract::models::{Alignment, Fit, Geometry, Size};
use imaging::Volume;
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

use super::{MAX_SAMPLES, PrepareError};

/// Two grids whose axes differ by less than this part of a voxel per voxel are the same grid.
const SAME_GRID: f64 = 1e-4;

/// A part of the volume, in voxel indices: first, and one past the last.
type Region = [[u32; 3]; 2];

pub(super) fn model_grid(
    volume: &Volume,
    time_index: u32,
    geometry: &Geometry,
) -> Result<Grid, PrepareError> {
    let source = &volume.grid;
    let axes = axes(source, geometry)?;
    if source.length_unit != LengthUnit::Millimetre && geometry.spacing_mm.is_some() {
        return Err(PrepareError::NoSpacing);
    }
    let region = match geometry.crop_above {
        Some(above) => widened(box_above(volume, time_index, above)?, geometry.crop_margin, source.dims()),
        None => [[0; 3], source.dims()],
    };
    let (centre, extent) = box_along(source, region, &axes);
    let own = own_spacing(source, &axes);
    let wanted = geometry.spacing_mm.unwrap_or(own);
    let (samples, spacing): ([u64; 3], [f64; 3]) = match geometry.size {
        Size::Fixed(samples) if geometry.fit == Fit::Stretch => {
            (samples.map(u64::from), std::array::from_fn(|k| extent[k] / f64::from(samples[k])))
        }
        Size::Fixed(samples) => (samples.map(u64::from), wanted),
        Size::MultipleOf(steps) => {
            // A thousandth of a sample more than whole is rounding of the spacing, not another sample.
            let needed: [f64; 3] = std::array::from_fn(|k| (extent[k] / wanted[k] - 1e-3).ceil().max(1.0));
            let samples: [u64; 3] = std::array::from_fn(|k| {
                let step = u64::from(steps[k]);
                (needed[k].min(1e9) as u64).div_ceil(step) * step
            });
            match geometry.fit {
                Fit::Stretch => (samples, std::array::from_fn(|k| extent[k] / samples[k] as f64)),
                _ => (samples, wanted),
            }
        }
    };
    let count = samples.iter().fold(1u64, |all, n| all.saturating_mul(*n));
    if count > MAX_SAMPLES {
        return Err(PrepareError::TooLarge(count));
    }
    let steps: [DVec3; 3] = std::array::from_fn(|k| axes[k] * spacing[k]);
    let origin = (0..3).fold(centre, |at, k| at - steps[k] * (0.5 * (samples[k] as f64 - 1.0)));
    // The tensor's last axis is the grid's first.
    let matrix = DMat3::from_cols(steps[2], steps[1], steps[0]);
    let world = snapped(source, DAffine3::from_mat3_translation(matrix, origin));
    let dims = [samples[2] as u32, samples[1] as u32, samples[0] as u32];
    Ok(Grid::new(dims, world, source.length_unit, source.frame)?)
}

/// Directions of the tensor's axes of space, slowest first, of length 1.
fn axes(source: &Grid, geometry: &Geometry) -> Result<[DVec3; 3], PrepareError> {
    let matrix = source.world_from_voxel().matrix3;
    let own = [matrix.x_axis, matrix.y_axis, matrix.z_axis].map(DVec3::normalize);
    let Some(letters) = geometry.axes() else { return Ok([own[2], own[1], own[0]]) };
    if source.frame != Frame::Patient {
        return Err(PrepareError::NoOrientation(geometry.orientation.clone()));
    }
    let wanted = letters.map(|(axis, sign)| DVec3::AXES[axis] * sign);
    if geometry.alignment == Alignment::Patient {
        return Ok(wanted);
    }
    let best = closest(own, wanted);
    Ok(std::array::from_fn(|k| {
        let axis = own[best[k]];
        if axis.dot(wanted[k]) < 0.0 { -axis } else { axis }
    }))
}

/// Which of the image's axes lies closest to each of the wanted ones: of the six ways to choose the one that is
/// closest as a whole.
fn closest(own: [DVec3; 3], wanted: [DVec3; 3]) -> [usize; 3] {
    const ORDERS: [[usize; 3]; 6] = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let closeness = |order: &[usize; 3]| (0..3).map(|k| own[order[k]].dot(wanted[k]).abs()).sum::<f64>();
    let mut best = ORDERS[0];
    for order in &ORDERS[1..] {
        if closeness(order) > closeness(&best) {
            best = *order;
        }
    }
    best
}

/// Towards what each index of a grid grows, first index first.
pub(super) fn letters(grid: &Grid) -> String {
    if grid.frame != Frame::Patient {
        return String::new();
    }
    let matrix = grid.world_from_voxel().matrix3;
    let own = [matrix.x_axis, matrix.y_axis, matrix.z_axis].map(DVec3::normalize);
    // `of_axis[k]`: the index that follows axis k of the patient.
    let of_axis = closest(own, DVec3::AXES);
    let letter = |index: usize| {
        let axis = of_axis.iter().position(|at| *at == index).unwrap_or(0);
        let [up, down] = [['L', 'R'], ['P', 'A'], ['S', 'I']][axis];
        if own[index][axis] < 0.0 { down } else { up }
    };
    [0, 1, 2].map(letter).iter().collect()
}

/// Spacing of the image's axis that lies closest to each of the model's.
fn own_spacing(source: &Grid, axes: &[DVec3; 3]) -> [f64; 3] {
    let matrix = source.world_from_voxel().matrix3;
    let own = [matrix.x_axis, matrix.y_axis, matrix.z_axis];
    axes.map(|axis| {
        let along = |v: &DVec3| v.normalize().dot(axis).abs();
        own.iter()
            .copied()
            .reduce(|a, b| if along(&b) > along(&a) { b } else { a })
            .map_or(1.0, DVec3::length)
    })
}

/// Middle of a region in the world, and how far it reaches along the axes.
fn box_along(source: &Grid, region: Region, axes: &[DVec3; 3]) -> (DVec3, [f64; 3]) {
    let edge = |n: u32| f64::from(n) - 0.5;
    let low = DVec3::from(region[0].map(edge));
    let size = DVec3::from(region[1].map(edge)) - low;
    let world = source.world_from_voxel();
    let centre = world.transform_point3(low + size * 0.5);
    // Coordinates along the axes, which need not be orthogonal where they are those of a sheared image.
    let along = DMat3::from_cols(axes[0], axes[1], axes[2]).inverse();
    let sides = [world.matrix3.x_axis * size.x, world.matrix3.y_axis * size.y, world.matrix3.z_axis * size.z];
    let reach = sides.iter().fold(DVec3::ZERO, |sum, side| sum + (along * *side).abs());
    (centre, reach.to_array())
}

/// Where model and image have the same axes and spacing, their voxel centres are made to coincide: half a voxel
/// of difference would blur every value for nothing.
fn snapped(source: &Grid, world: DAffine3) -> DAffine3 {
    let voxel = source.voxel_from_world() * world;
    let columns = [voxel.matrix3.x_axis, voxel.matrix3.y_axis, voxel.matrix3.z_axis];
    let near = |v: f64| (v - v.round()).abs() < SAME_GRID;
    let permuted = columns.iter().all(|c| {
        let a = c.abs();
        near(c.x) && near(c.y) && near(c.z) && (a.x + a.y + a.z - 1.0).abs() < 3.0 * SAME_GRID
    });
    if !permuted {
        return world;
    }
    let whole = voxel.translation.round();
    DAffine3 { matrix3: world.matrix3, translation: source.world_from_voxel().transform_point3(whole) }
}

/// The box around the voxels above a value.
fn box_above(volume: &Volume, time_index: u32, above: f64) -> Result<Region, PrepareError> {
    let [columns, rows, slices] = volume.grid.dims();
    let (mut low, mut high) = ([u32::MAX; 3], [0u32; 3]);
    for z in 0..slices {
        for y in 0..rows {
            for x in 0..columns {
                if volume.value([x, y, z], time_index).is_some_and(|value| value > above) {
                    for (axis, at) in [x, y, z].into_iter().enumerate() {
                        low[axis] = low[axis].min(at);
                        high[axis] = high[axis].max(at + 1);
                    }
                }
            }
        }
    }
    if high[0] == 0 {
        return Err(PrepareError::Nothing(format!("above {above}")));
    }
    Ok([low, high])
}

fn widened(region: Region, margin: f64, dims: [u32; 3]) -> Region {
    let by = |axis: usize| (f64::from(region[1][axis] - region[0][axis]) * margin).round() as u32;
    let low = std::array::from_fn(|axis| region[0][axis].saturating_sub(by(axis)));
    let high = std::array::from_fn(|axis| (region[1][axis] + by(axis)).min(dims[axis]));
    [low, high]
}
