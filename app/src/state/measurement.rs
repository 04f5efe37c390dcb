//! Measurements: fixed in the world, edited by their points, shown only on the slice they were drawn on.
//! World points are the truth; what is on the screen is derived, so zooming and turning cannot change a number.

use protocol::{ProbeValue, SeriesId};
use scene::measure::{self, Roi, RoiShape, RoiStatistics};
use scene::{DVec2, DVec3, Grid, LengthUnit, Plane, View, Viewport};

use super::action::Tool;

/// Counts up; never reused within a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MeasurementId(pub u32);

/// The geometry of a measurement.
#[derive(Clone, Debug, PartialEq)]
pub enum Shape {
    Length([DVec3; 2]),
    /// First arm, vertex, second arm.
    Angle([DVec3; 3]),
    /// Bounding rectangle by its opposite corners, with the screen axes it was drawn along.
    Roi {
        shape: RoiShape,
        corners: [DVec3; 2],
        right: DVec3,
        down: DVec3,
    },
    Probe(DVec3),
}

/// A measurement and what is known about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Measurement {
    pub id: MeasurementId,
    pub series: SeriesId,
    pub plane: Plane,
    pub time_index: u32,
    pub shape: Shape,
    pub statistics: Option<RoiStatistics>,
    pub value: Option<ProbeValue>,
    /// Why there are no statistics.
    pub message: Option<String>,
}

/// A measurement's number as it is written and as a script reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub lines: Vec<String>,
    pub value: Option<f64>,
    pub unit: String,
}

impl Shape {
    /// A shape that starts at one point and is drawn from there.
    pub fn start(tool: Tool, at: DVec3, view: &View, grid: &Grid) -> Option<Self> {
        let axes = view.world_from_screen_axes(grid);
        let roi = |shape| Shape::Roi { shape, corners: [at, at], right: axes.x_axis, down: axes.y_axis };
        match tool {
            Tool::Length => Some(Shape::Length([at, at])),
            Tool::Angle => Some(Shape::Angle([at, at, at])),
            Tool::Rectangle => Some(roi(RoiShape::Rectangle)),
            Tool::Ellipse => Some(roi(RoiShape::Ellipse)),
            Tool::Probe => Some(Shape::Probe(at)),
            Tool::Window
            | Tool::Pan
            | Tool::Zoom
            | Tool::Scroll
            | Tool::Crosshair
            | Tool::Calcium(_)
            | Tool::Perfusion(_)
            | Tool::Label(_) => None,
        }
    }

    pub fn name(&self) -> &'static str {
        match self {
            Shape::Length(_) => "Length",
            Shape::Angle(_) => "Angle",
            Shape::Roi { shape: RoiShape::Rectangle, .. } => "Rectangle",
            Shape::Roi { shape: RoiShape::Ellipse, .. } => "Ellipse",
            Shape::Probe(_) => "Probe",
        }
    }

    /// The points a hand can take hold of. A region has its four corners, clockwise from the first.
    pub fn handles(&self) -> Vec<DVec3> {
        match self {
            Shape::Length(p) => p.to_vec(),
            Shape::Angle(p) => p.to_vec(),
            Shape::Roi { corners: [a, c], right, .. } => {
                let across = *right * (*c - *a).dot(*right);
                vec![*a, *a + across, *c, *c - across]
            }
            Shape::Probe(p) => vec![*p],
        }
    }

    /// Takes handle `index` to `to`.
    pub fn move_handle(&mut self, index: usize, to: DVec3) {
        let opposite = self.handles().get((index + 2) % 4).copied();
        match self {
            Shape::Length(p) => {
                if let Some(p) = p.get_mut(index) {
                    *p = to;
                }
            }
            Shape::Angle(p) => {
                if let Some(p) = p.get_mut(index) {
                    *p = to;
                }
            }
            Shape::Roi { corners, .. } => {
                if let Some(fixed) = opposite {
                    *corners = [fixed, to];
                }
            }
            Shape::Probe(p) => *p = to,
        }
    }

    pub fn translate(&mut self, by: DVec3) {
        match self {
            Shape::Length(p) => p.iter_mut().for_each(|p| *p += by),
            Shape::Angle(p) => p.iter_mut().for_each(|p| *p += by),
            Shape::Roi { corners, .. } => corners.iter_mut().for_each(|p| *p += by),
            Shape::Probe(p) => *p += by,
        }
    }

    /// For the engine: the region by centre and half axes.
    pub fn roi(&self) -> Option<Roi> {
        let Shape::Roi { shape, corners: [a, c], right, down } = self else { return None };
        let diagonal = *c - *a;
        Some(Roi {
            shape: *shape,
            centre_world: (*a + *c) * 0.5,
            half_right_world: *right * (0.5 * diagonal.dot(*right).abs()),
            half_down_world: *down * (0.5 * diagonal.dot(*down).abs()),
        })
    }

    /// A point for the label and the list.
    pub fn anchor(&self) -> DVec3 {
        match self {
            Shape::Length(p) => (p[0] + p[1]) * 0.5,
            Shape::Angle(p) => p[1],
            Shape::Roi { corners, .. } => (corners[0] + corners[1]) * 0.5,
            Shape::Probe(p) => *p,
        }
    }

    /// Too small to have been meant: a click where a drag was expected.
    pub fn degenerate(&self, world_per_px: f64) -> bool {
        let least = 2.0 * world_per_px;
        match self {
            Shape::Length([a, b]) => a.distance(*b) < least,
            Shape::Angle([a, v, b]) => a.distance(*v) < least || b.distance(*v) < least,
            Shape::Roi { corners: [a, c], right, down, .. } => {
                (*c - *a).dot(*right).abs() < least || (*c - *a).dot(*down).abs() < least
            }
            Shape::Probe(_) => false,
        }
    }
}

impl Measurement {
    /// Whether it lies in the slice that `view` shows: same plane, within half a slice step.
    pub fn on_slice(&self, series: SeriesId, view: &View, grid: &Grid) -> bool {
        if self.series != series || self.plane != view.plane {
            return false;
        }
        let normal = view.plane.world_from_plane(grid).z_axis;
        let offset = (self.shape.anchor() - view.centre_world).dot(normal).abs();
        offset <= 0.5 * view.slice_step(grid) + 1e-9
    }

    /// The number in words.
    pub fn reading(&self, unit: LengthUnit, value_unit: &str) -> Reading {
        let length_unit = match unit {
            LengthUnit::Millimetre => "mm",
            LengthUnit::Pixel => "px",
        };
        match &self.shape {
            Shape::Length([a, b]) => {
                let d = measure::length(*a, *b);
                Reading {
                    lines: vec![measure::format_length(d, unit)],
                    value: Some(d),
                    unit: length_unit.into(),
                }
            }
            Shape::Angle([a, v, b]) => {
                let degrees = measure::angle_rad(*a, *v, *b).map(f64::to_degrees);
                let text = degrees.map_or_else(|| "–".into(), |d| format!("{d:.1}°"));
                Reading { lines: vec![text], value: degrees, unit: "deg".into() }
            }
            Shape::Roi { .. } => {
                let area = self.shape.roi().map_or(0.0, |r| r.area());
                let mut lines = Vec::new();
                match &self.statistics {
                    Some(s) => {
                        lines.push(
                            format!("{} ± {} {value_unit}", number(s.mean), number(s.sd)).trim_end().into(),
                        );
                        lines.push(format!("{} … {}", number(s.min), number(s.max)));
                    }
                    None => lines.push(self.message.clone().unwrap_or_else(|| "…".into())),
                }
                lines.push(measure::format_area(area, unit));
                Reading { lines, value: self.statistics.map(|s| s.mean), unit: value_unit.into() }
            }
            Shape::Probe(_) => {
                let text = self.value.as_ref().map_or_else(|| "…".into(), |v| probe_text(v, value_unit));
                let value = match self.value {
                    Some(ProbeValue::Grey(v)) => Some(v),
                    _ => None,
                };
                Reading { lines: vec![text], value, unit: value_unit.into() }
            }
        }
    }
}

/// A value with as many digits as it deserves.
pub fn number(v: f64) -> String {
    if !v.is_finite() {
        return "–".into();
    }
    if v.fract() == 0.0 && v.abs() < 1e7 {
        return format!("{v:.0}");
    }
    match v.abs() {
        a if a >= 1e6 => format!("{v:.3e}"),
        a if a >= 100.0 => format!("{v:.1}"),
        a if a >= 1.0 => format!("{v:.2}"),
        a if a >= 1e-3 => format!("{v:.4}"),
        _ => format!("{v:.2e}"),
    }
}

pub fn probe_text(value: &ProbeValue, unit: &str) -> String {
    match value {
        ProbeValue::Grey(v) => format!("{} {unit}", number(*v)).trim_end().into(),
        ProbeValue::Colour([r, g, b]) => format!("R {r} G {g} B {b}"),
        ProbeValue::Padding => "padding".into(),
    }
}

/// What lies under a pointer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Hit {
    Handle(MeasurementId, usize),
    Body(MeasurementId),
}

/// The handle within `reach_px`, else the line within half of it; the one drawn last wins.
pub fn hit(
    list: &[Measurement],
    series: SeriesId,
    view: &View,
    grid: &Grid,
    viewport: Viewport,
    at: DVec2,
    reach_px: f64,
) -> Option<Hit> {
    let screen = view.screen_from_world(grid, viewport);
    let project = |p: DVec3| screen.transform_point3(p).truncate();
    let mut body = None;
    for m in list.iter().rev().filter(|m| m.on_slice(series, view, grid)) {
        let points: Vec<DVec2> = m.shape.handles().into_iter().map(project).collect();
        if let Some(i) = points.iter().position(|p| p.distance(at) <= reach_px) {
            return Some(Hit::Handle(m.id, i));
        }
        let near = match &m.shape {
            Shape::Roi { shape: RoiShape::Ellipse, .. } => near_ellipse(&points, at, 0.5 * reach_px),
            Shape::Roi { .. } => near_lines(&points, true, at, 0.5 * reach_px),
            _ => near_lines(&points, false, at, 0.5 * reach_px),
        };
        if near && body.is_none() {
            body = Some(Hit::Body(m.id));
        }
    }
    body
}

fn near_lines(points: &[DVec2], closed: bool, at: DVec2, reach: f64) -> bool {
    let last = if closed { points.len() } else { points.len().saturating_sub(1) };
    (0..last).any(|i| {
        let (a, b) = (points[i], points[(i + 1) % points.len()]);
        let along = b - a;
        let t = if along.length_squared() > 0.0 {
            ((at - a).dot(along) / along.length_squared()).clamp(0.0, 1.0)
        } else {
            0.0
        };
        (a + along * t).distance(at) <= reach
    })
}

fn near_ellipse(corners: &[DVec2], at: DVec2, reach: f64) -> bool {
    let [a, b, c, _] = corners else { return false };
    let (half_right, half_down) = ((*b - *a) * 0.5, (*c - *b) * 0.5);
    let centre = (*a + *c) * 0.5;
    // The outline as 64 chords: closer to it than a finger needs.
    let at_angle = |i: u32| {
        let t = f64::from(i) / 64.0 * std::f64::consts::TAU;
        centre + half_right * t.cos() + half_down * t.sin()
    };
    let outline: Vec<DVec2> = (0..64).map(at_angle).collect();
    near_lines(&outline, true, at, reach)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::{ct, picture};

    const PANEL: Viewport = Viewport { width_px: 400, height_px: 300 };

    fn measurement(shape: Shape, plane: Plane) -> Measurement {
        Measurement {
            id: MeasurementId(1),
            series: SeriesId(1),
            plane,
            time_index: 0,
            shape,
            statistics: None,
            value: None,
            message: None,
        }
    }

    #[test]
    fn shown_only_within_half_a_slice() {
        let grid = ct().grid;
        let mut view = View::fit(Plane::Axial, &grid, PANEL);
        view.step_slices(&grid, -100.0);
        let at = view.centre_world;
        let m = measurement(Shape::Length([at, at + DVec3::X * 10.0]), Plane::Axial);
        assert!(m.on_slice(SeriesId(1), &view, &grid));
        assert!(!m.on_slice(SeriesId(2), &view, &grid));
        view.centre_world.z += 3.6;
        assert!(m.on_slice(SeriesId(1), &view, &grid), "3.6 mm of a 7.25 mm step");
        view.centre_world.z += 0.1;
        assert!(!m.on_slice(SeriesId(1), &view, &grid), "3.7 mm is the next slice");
        let coronal = View { plane: Plane::Coronal, ..View::fit(Plane::Coronal, &grid, PANEL) };
        assert!(!m.on_slice(SeriesId(1), &coronal, &grid));
    }

    #[test]
    fn millimetres_only_where_spacing_is_known() {
        let a = DVec3::new(1.0, 2.0, 0.0);
        let m = measurement(Shape::Length([a, a + DVec3::new(3.0, 4.0, 0.0)]), Plane::Acquisition);
        assert_eq!(m.reading(picture().grid.length_unit, "").lines, ["5.0 px"]);
        let r = m.reading(LengthUnit::Millimetre, "HU");
        assert_eq!((r.lines[0].as_str(), r.value, r.unit.as_str()), ("5.0 mm", Some(5.0), "mm"));
    }

    #[test]
    fn a_region_equals_the_one_scene_makes_from_the_same_drag() {
        let grid = ct().grid;
        let mut view = View::fit(Plane::Sagittal, &grid, PANEL);
        view.rotation_rad = 0.4;
        view.flip_vertical = true;
        let (p, q) = (DVec2::new(250.0, 40.0), DVec2::new(120.0, 170.0));
        let want = Roi::from_drag(RoiShape::Ellipse, &view, &grid, PANEL, p, q);
        let world = view.world_from_screen(&grid, PANEL);
        let mut shape =
            Shape::start(Tool::Ellipse, world.transform_point3(p.extend(0.0)), &view, &grid).unwrap();
        shape.move_handle(2, world.transform_point3(q.extend(0.0)));
        let got = shape.roi().unwrap();
        assert!((got.centre_world - want.centre_world).length() < 1e-9);
        assert!((got.half_right_world - want.half_right_world).length() < 1e-9);
        assert!((got.half_down_world - want.half_down_world).length() < 1e-9);
        assert!((got.area() - want.area()).abs() < 1e-9);
    }

    #[test]
    fn each_corner_moves_and_its_opposite_stays() {
        for index in 0..4 {
            let mut shape = Shape::Roi {
                shape: RoiShape::Rectangle,
                corners: [DVec3::ZERO, DVec3::new(4.0, 2.0, 0.0)],
                right: DVec3::X,
                down: DVec3::Y,
            };
            let before = shape.handles();
            let to = before[index] + DVec3::new(1.0, 0.5, 0.0);
            shape.move_handle(index, to);
            let after = shape.handles();
            assert!(after.iter().any(|p| p.distance(to) < 1e-12), "corner {index} arrived");
            assert!(
                after.iter().any(|p| p.distance(before[(index + 2) % 4]) < 1e-12),
                "opposite of {index} stayed"
            );
        }
    }

    #[test]
    fn the_hand_finds_handles_then_lines_then_nothing() {
        let grid = ct().grid;
        let view = View::fit(Plane::Axial, &grid, PANEL);
        let world = view.world_from_screen(&grid, PANEL);
        let at = |x: f64, y: f64| world.transform_point3(DVec3::new(x, y, 0.0));
        let list = [measurement(Shape::Length([at(100.0, 100.0), at(200.0, 100.0)]), Plane::Axial)];
        let find = |x: f64, y: f64| hit(&list, SeriesId(1), &view, &grid, PANEL, DVec2::new(x, y), 10.0);
        assert_eq!(find(103.0, 104.0), Some(Hit::Handle(MeasurementId(1), 0)));
        assert_eq!(find(197.0, 96.0), Some(Hit::Handle(MeasurementId(1), 1)));
        assert_eq!(find(150.0, 104.0), Some(Hit::Body(MeasurementId(1))));
        assert_eq!(find(150.0, 106.0), None);
    }

    #[test]
    fn an_ellipse_is_taken_by_its_outline_not_by_its_box() {
        let corners = [DVec2::ZERO, DVec2::new(100.0, 0.0), DVec2::new(100.0, 60.0), DVec2::new(0.0, 60.0)];
        assert!(near_ellipse(&corners, DVec2::new(50.0, 1.0), 4.0));
        assert!(
            !near_ellipse(&corners, DVec2::new(2.0, 2.0), 4.0),
            "the corner of the box is not the ellipse"
        );
    }

    #[test]
    fn numbers_have_the_digits_they_deserve() {
        assert_eq!(number(-1024.0), "-1024");
        assert_eq!(number(40.256), "40.26");
        assert_eq!(number(0.00123), "0.0012");
        assert_eq!(number(f64::NAN), "–");
    }
}
