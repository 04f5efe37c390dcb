//! The midline of a perfusion study: where it lies, how the reader moves it, where a region's mirror image is.
//!
//! The line is given in voxels of the slices, as sessions keep it; the world comes in when it is drawn.

use contract::perfusion::Midline;
use scene::measure::{Roi, RoiShape};
use scene::{DVec2, DVec3, Grid};

use super::perfusion::FlowDesk;

/// Points of an outline: an ellipse of these looks round at any zoom.
const OUTLINE: usize = 72;

impl FlowDesk {
    /// As the reader put it, else as it was found.
    pub fn midline(&self) -> Option<Midline> {
        self.session.get().midline.or_else(|| self.findings.as_ref()?.midline)
    }

    /// Turned and moved by the reader.
    pub fn adjust_midline(&mut self, turn_deg: f64, shift_voxels: f64) {
        if let Some(midline) = self.midline() {
            let moved = midline.adjusted(turn_deg.to_radians(), shift_voxels);
            self.decide(|s| s.midline = Some(moved));
        }
    }
}

/// The ends of the line on a slice, at the edge of the image; `None` where it passes by.
pub fn ends(midline: &Midline, grid: &Grid, slice: f64) -> Option<[DVec3; 2]> {
    let (sin, cos) = midline.angle_rad.sin_cos();
    // Liang and Barsky 1984: the part of `at + t (-sin, cos)` within the image.
    let (mut from, mut to) = (f64::NEG_INFINITY, f64::INFINITY);
    for (at, step, n) in [(midline.at[0], -sin, grid.dims()[0]), (midline.at[1], cos, grid.dims()[1])] {
        let edges = [-0.5 - at, f64::from(n) - 0.5 - at];
        if step.abs() < 1e-12 {
            if edges[0] > 0.0 || edges[1] < 0.0 {
                return None;
            }
            continue;
        }
        let [a, b] = edges.map(|e| e / step);
        (from, to) = (from.max(a.min(b)), to.min(a.max(b)));
    }
    let point = |t: f64| {
        let voxel = DVec3::new(midline.at[0] - sin * t, midline.at[1] + cos * t, slice);
        grid.world_from_voxel().transform_point3(voxel)
    };
    (from < to).then(|| [point(from), point(to)])
}

/// The outline of a region's mirror image, in the world.
pub fn mirrored_outline(midline: &Midline, grid: &Grid, roi: &Roi) -> Vec<DVec3> {
    let unit: Vec<DVec2> = match roi.shape {
        RoiShape::Rectangle => vec![[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]],
        RoiShape::Ellipse => (0..OUTLINE)
            .map(|i| (std::f64::consts::TAU * i as f64 / OUTLINE as f64).sin_cos())
            .map(|(y, x)| [x, y])
            .collect(),
    }
    .into_iter()
    .map(DVec2::from)
    .collect();
    let mirrored = |p: DVec2| {
        let world = roi.centre_world + roi.half_right_world * p.x + roi.half_down_world * p.y;
        let voxel = grid.voxel_from_world().transform_point3(world);
        let [x, y] = midline.mirrored([voxel.x, voxel.y]);
        grid.world_from_voxel().transform_point3(DVec3::new(x, y, voxel.z))
    };
    unit.into_iter().map(mirrored).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::{S, dynamic, findings, opened};
    use protocol::perfusion::Suggestion;

    fn grid() -> Grid {
        Grid::picture(100, 60, 1).unwrap()
    }

    #[test]
    fn a_straight_line_goes_from_edge_to_edge_and_one_beside_the_image_nowhere() {
        let upright = Midline { at: [40.0, 20.0], angle_rad: 0.0 };
        let [a, b] = ends(&upright, &grid(), 0.0).unwrap();
        assert_eq!((a.x, b.x), (40.0, 40.0));
        assert_eq!(((b - a).length(), a.y.min(b.y)), (60.0, -0.5));
        assert_eq!(ends(&Midline { at: [140.0, 20.0], angle_rad: 0.0 }, &grid(), 0.0), None);
    }

    #[test]
    fn a_region_lies_on_the_other_side_and_comes_back() {
        let tilted = Midline { at: [50.0, 30.0], angle_rad: 0.2 };
        let roi = Roi {
            shape: RoiShape::Ellipse,
            centre_world: DVec3::new(20.0, 30.0, 0.0),
            half_right_world: DVec3::new(4.0, 0.0, 0.0),
            half_down_world: DVec3::new(0.0, 3.0, 0.0),
        };
        let there = mirrored_outline(&tilted, &grid(), &roi);
        assert!(there.iter().all(|p| tilted.side([p.x, p.y]) > 0.0));
        let back = there.iter().map(|p| tilted.mirrored([p.x, p.y]));
        let first = back.into_iter().next().unwrap();
        assert!((first[0] - 24.0).abs() < 1e-9 && (first[1] - 30.0).abs() < 1e-9, "{first:?}");
    }

    #[test]
    fn the_reader_moves_the_line_that_was_found_and_undoes_it() {
        let mut w = opened(dynamic());
        w.open_perfusion(S, Suggestion::default());
        let desk = w.flow_mut().unwrap();
        desk.adjust_midline(1.0, 0.0);
        assert_eq!(desk.session.get().midline, None, "there is none yet");
        desk.next_task(1);
        let found = Midline { at: [10.0, 12.0], angle_rad: 0.0 };
        w.take_findings(S, 1, Ok(protocol::perfusion::Findings { midline: Some(found), ..findings() }));
        let desk = w.flow_mut().unwrap();
        desk.adjust_midline(90.0, 2.0);
        let moved = desk.midline().unwrap();
        assert_eq!(moved.at, [12.0, 12.0], "moved along its old normal");
        assert!((moved.angle_rad.to_degrees() - 90.0).abs() < 1e-9);
        desk.session.undo();
        assert_eq!(desk.midline(), Some(found));
    }
}
