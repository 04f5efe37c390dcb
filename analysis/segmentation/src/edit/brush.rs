//! A ball or a disc, drawn along a stroke.
//!
//! Between two points of the pointer the brush is swept, so that a fast hand leaves a line and not pearls.
//! Distances are in millimetres: a voxel of 0.5 by 0.5 by 5 mm is hit as it lies, not as its index does.

use scene::DVec3;

use super::{Canvas, EditError, MAX_POINTS, MAX_RADIUS_MM};

pub(super) struct Stroke<'a> {
    points: &'a [DVec3],
    radius_mm: f64,
    /// Of length 1.
    normal: Option<DVec3>,
}

impl<'a> Stroke<'a> {
    pub(super) fn new(points: &'a [DVec3], radius_mm: f64, normal: Option<DVec3>) -> Result<Self, EditError> {
        let refused = EditError::Stroke { points: points.len(), radius_mm };
        let drawable = !points.is_empty()
            && points.len() <= MAX_POINTS
            && points.iter().all(|p| p.is_finite())
            && (0.0..=MAX_RADIUS_MM).contains(&radius_mm);
        let normal = match normal {
            Some(normal) => Some(normal.try_normalize().ok_or(refused.clone())?),
            None => None,
        };
        if drawable { Ok(Self { points, radius_mm, normal }) } else { Err(refused) }
    }
}

pub(super) fn paint(canvas: &mut Canvas, stroke: &Stroke, label: u8, within: impl Fn(usize) -> bool) {
    // The voxel under the pointer, however small the brush is.
    for point in stroke.points {
        if let Ok(at) = canvas.at_mm(*point)
            && within(at)
        {
            canvas.put(at, label);
        }
    }
    if stroke.points.len() == 1 {
        sweep(canvas, stroke, stroke.points[0], stroke.points[0], label, &within);
    }
    for pair in stroke.points.windows(2) {
        sweep(canvas, stroke, pair[0], pair[1], label, &within);
    }
}

/// Every voxel whose centre lies within the radius of a line and, for a disc, whose cell the plane cuts.
fn sweep(
    canvas: &mut Canvas,
    stroke: &Stroke,
    from: DVec3,
    to: DVec3,
    label: u8,
    within: &impl Fn(usize) -> bool,
) {
    let grid = canvas.labels.grid();
    let (world, voxel) = (grid.world_from_voxel(), grid.voxel_from_world());
    let dims = canvas.dims();
    let ends = [voxel.transform_point3(from), voxel.transform_point3(to)];
    // How far a ball reaches along an index axis: the length of that row of voxel_from_world.
    let rows = voxel.matrix3.transpose();
    let reach = [rows.x_axis, rows.y_axis, rows.z_axis].map(|row| row.length() * stroke.radius_mm);
    let range = |axis: usize| {
        let (a, b) = (ends[0][axis], ends[1][axis]);
        let low = (a.min(b) - reach[axis]).ceil().max(0.0);
        let high = (a.max(b) + reach[axis]).floor().min(dims[axis] as f64 - 1.0);
        // Empty where the brush is beside the volume.
        if low <= high { low as usize..high as usize + 1 } else { 0..0 }
    };
    // The normal turned the way that indices grow, so that both directions of view paint the same voxels.
    let disc = stroke.normal.map(|normal| {
        let m = world.matrix3;
        let index = voxel.matrix3 * normal;
        let main = index.to_array().into_iter().reduce(|a, b| if b.abs() > a.abs() { b } else { a });
        let up = if main.is_some_and(|along| along < 0.0) { -normal } else { normal };
        let half = 0.5 * [m.x_axis, m.y_axis, m.z_axis].iter().map(|axis| axis.dot(up).abs()).sum::<f64>();
        (up, half)
    });
    let line = to - from;
    let length2 = line.length_squared();
    let radius2 = stroke.radius_mm * stroke.radius_mm * (1.0 + 1e-9);
    for z in range(2) {
        for y in range(1) {
            for x in range(0) {
                let place = world.transform_point3(DVec3::new(x as f64, y as f64, z as f64));
                let along =
                    if length2 > 0.0 { ((place - from).dot(line) / length2).clamp(0.0, 1.0) } else { 0.0 };
                let mut away = place - (from + line * along);
                if let Some((normal, half)) = disc {
                    let off = away.dot(normal);
                    // Half open: a plane between two slices belongs to the upper one, as `Grid::voxel_at` says.
                    if off > half * (1.0 + 1e-9) || off < -half * (1.0 - 1e-9) {
                        continue;
                    }
                    away -= normal * off;
                }
                let at = (z * dims[1] + y) * dims[0] + x;
                if away.length_squared() <= radius2 && within(at) {
                    canvas.put(at, label);
                }
            }
        }
    }
}
