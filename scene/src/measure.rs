//! Lengths, angles and areas in the world, and how they are written.

use glam::{DVec2, DVec3};
use serde::{Deserialize, Serialize};

use crate::grid::{Grid, LengthUnit};
use crate::view::{View, Viewport};

/// Distance between two world points, in the grid's unit.
pub fn length(a: DVec3, b: DVec3) -> f64 {
    a.distance(b)
}

/// Angle at `vertex` between the arms to `a` and `b`, in radians, 0 to π; `None` if an arm has no length.
pub fn angle_rad(a: DVec3, vertex: DVec3, b: DVec3) -> Option<f64> {
    let (u, v) = (a - vertex, b - vertex);
    // atan2 keeps its precision near 0 and π, where acos loses half of the digits.
    (u.length() > 0.0 && v.length() > 0.0).then(|| u.cross(v).length().atan2(u.dot(v)))
}

/// `12.3 mm` or `12.3 px`: millimetres only where the spacing is known.
pub fn format_length(value: f64, unit: LengthUnit) -> String {
    match unit {
        LengthUnit::Millimetre => format!("{value:.1} mm"),
        LengthUnit::Pixel => format!("{value:.1} px"),
    }
}

/// `12.3 mm²` or `12.3 px²`.
pub fn format_area(value: f64, unit: LengthUnit) -> String {
    format!("{}²", format_length(value, unit))
}

/// A region of interest in the plane of a view, by two opposite corners of its bounding rectangle.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoiShape {
    Rectangle,
    Ellipse,
}

impl RoiShape {
    /// Whether a point lies inside, given in the ROI's own coordinates: the bounding rectangle is -1..=1 in both.
    pub fn contains(self, p: DVec2) -> bool {
        match self {
            RoiShape::Rectangle => p.x.abs() <= 1.0 && p.y.abs() <= 1.0,
            RoiShape::Ellipse => p.length_squared() <= 1.0,
        }
    }

    /// Area of the shape whose bounding rectangle measures `width` by `height`.
    pub fn area(self, width: f64, height: f64) -> f64 {
        match self {
            RoiShape::Rectangle => width * height,
            RoiShape::Ellipse => std::f64::consts::FRAC_PI_4 * width * height,
        }
    }
}

/// A region of interest fixed in the world: it stays on its tissue when the view is zoomed or turned.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roi {
    pub shape: RoiShape,
    pub centre_world: DVec3,
    /// World vectors from the centre to the middle of the right and of the lower edge.
    pub half_right_world: DVec3,
    pub half_down_world: DVec3,
}

impl Roi {
    /// From a drag between two panel pixels.
    pub fn from_drag(
        shape: RoiShape,
        view: &View,
        grid: &Grid,
        viewport: Viewport,
        a: DVec2,
        b: DVec2,
    ) -> Self {
        let m = view.world_from_screen(grid, viewport);
        let axes = view.world_from_screen_axes(grid);
        let half = (b - a).abs() * 0.5 * view.world_per_px;
        Self {
            shape,
            centre_world: m.transform_point3(((a + b) * 0.5).extend(0.0)),
            half_right_world: axes.x_axis * half.x,
            half_down_world: axes.y_axis * half.y,
        }
    }

    pub fn area(&self) -> f64 {
        self.shape.area(2.0 * self.half_right_world.length(), 2.0 * self.half_down_world.length())
    }
}

/// What a region of interest holds. `None` values: the region covers no voxel centre.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RoiStatistics {
    pub samples: u64,
    pub mean: f64,
    /// Standard deviation of the population (divided by n).
    pub sd: f64,
    pub min: f64,
    pub max: f64,
}

/// A round length (1, 2 or 5 × 10ⁿ) that covers at most `max_px` pixels, with its pixels: for the scale bar.
pub fn scale_bar(world_per_px: f64, max_px: f64) -> (f64, f64) {
    let limit = world_per_px * max_px;
    let decade = 10f64.powf(limit.log10().floor());
    let length = [5.0, 2.0, 1.0].into_iter().map(|k| k * decade).find(|l| *l <= limit).unwrap_or(decade);
    (length, length / world_per_px)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn angles_are_exact_near_straight_lines() {
        let right = angle_rad(DVec3::X, DVec3::ZERO, DVec3::Y).unwrap();
        assert!((right - std::f64::consts::FRAC_PI_2).abs() < 1e-15);
        let tiny = angle_rad(DVec3::X, DVec3::ZERO, DVec3::new(1.0, 1e-9, 0.0)).unwrap();
        assert!((tiny - 1e-9).abs() < 1e-18);
        assert_eq!(angle_rad(DVec3::X, DVec3::X, DVec3::Y), None);
    }

    #[test]
    fn scale_bar_is_round_and_fits() {
        assert_eq!(scale_bar(0.5, 120.0), (50.0, 100.0));
        assert_eq!(scale_bar(0.1, 120.0), (10.0, 100.0));
        let (l, px) = scale_bar(0.37, 150.0);
        assert!(px <= 150.0 && l == 50.0);
    }

    #[test]
    fn unknown_spacing_never_says_millimetre() {
        assert_eq!(format_length(12.34, LengthUnit::Pixel), "12.3 px");
        assert_eq!(format_area(12.34, LengthUnit::Millimetre), "12.3 mm²");
    }

    #[test]
    fn ellipse_holds_pi_quarters_of_its_box() {
        assert!((RoiShape::Ellipse.area(4.0, 3.0) - 9.42477796).abs() < 1e-6);
        assert!(
            RoiShape::Ellipse.contains(DVec2::new(0.7, 0.7))
                && !RoiShape::Ellipse.contains(DVec2::new(0.72, 0.72))
        );
    }
}
