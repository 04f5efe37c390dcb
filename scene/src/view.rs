//! What a panel looks at: a plane through the world and a camera over it.
//!
//! Screen coordinates are pixels of the panel: x to the right, y down, the centre of the first pixel at
//! (0.5, 0.5); the third screen axis points away from the viewer, in the same unit as the world.

use glam::{DAffine3, DMat3, DVec2, DVec3};
use serde::{Deserialize, Serialize};

use crate::grid::{Frame, Grid};

/// The planes of radiological convention, and the plane the images were acquired in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Plane {
    /// Seen from the feet: the patient's Left on the screen's right, Posterior below.
    Axial,
    /// Seen from the front: Left on the right, Inferior below.
    Coronal,
    /// Seen from the Left: Posterior on the right, Inferior below.
    Sagittal,
    /// Rows and columns as stored. The only plane of a picture without orientation.
    Acquisition,
}

impl Plane {
    /// Columns: the world directions of screen right, screen down and away from the viewer. Unit length,
    /// orthogonal and right-handed (right × down = away) except where `Acquisition` follows a sheared
    /// grid, whose slice axis is replaced by the normal of rows and columns.
    pub fn world_from_plane(self, grid: &Grid) -> DMat3 {
        match self {
            Plane::Axial => DMat3::from_cols(DVec3::X, DVec3::Y, DVec3::Z),
            Plane::Coronal => DMat3::from_cols(DVec3::X, DVec3::NEG_Z, DVec3::Y),
            Plane::Sagittal => DMat3::from_cols(DVec3::Y, DVec3::NEG_Z, DVec3::NEG_X),
            Plane::Acquisition => {
                let m = grid.world_from_voxel().matrix3;
                let right = m.x_axis.normalize();
                // Rows and columns are orthogonal in DICOM; NIfTI may shear, then the picture keeps the rows.
                let down = (m.y_axis - right * right.dot(m.y_axis)).normalize();
                DMat3::from_cols(right, down, right.cross(down))
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    Nearest,
    #[default]
    Linear,
}

/// How the samples of a thick slab become one value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlabMode {
    #[default]
    Mip,
    MinIp,
    Mean,
}

/// A slab of `thickness` world units centred on the view's plane; 0 is a single plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Slab {
    pub thickness: f64,
    pub mode: SlabMode,
}

/// Size of a panel in device pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewport {
    pub width_px: u32,
    pub height_px: u32,
}

/// One panel's plane and camera.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct View {
    pub plane: Plane,
    /// World point shown in the middle of the panel; its depth along the plane's normal picks the slice.
    pub centre_world: DVec3,
    /// World units per device pixel. Smaller is closer.
    pub world_per_px: f64,
    /// Rotation of the picture, clockwise as seen, in radians.
    pub rotation_rad: f64,
    pub flip_horizontal: bool,
    pub flip_vertical: bool,
    pub slab: Slab,
    pub interpolation: Interpolation,
}

impl View {
    /// A view of the whole grid, fitted into the panel with a small margin, at `cursor_world`'s slice.
    pub fn fit(plane: Plane, grid: &Grid, viewport: Viewport) -> Self {
        let mut view = Self {
            plane,
            centre_world: grid.centre_world(),
            world_per_px: 1.0,
            rotation_rad: 0.0,
            flip_horizontal: false,
            flip_vertical: false,
            slab: Slab::default(),
            interpolation: Interpolation::default(),
        };
        view.fit_zoom(grid, viewport);
        view
    }

    /// Zoom so that the whole grid is seen; the centre moves to the grid's, the slice stays.
    pub fn fit_zoom(&mut self, grid: &Grid, viewport: Viewport) {
        let axes = self.world_from_screen_axes(grid);
        let plane_from_world = axes.transpose();
        let (mut lo, mut hi) = (DVec3::INFINITY, DVec3::NEG_INFINITY);
        for corner in grid.corners_world() {
            let p = plane_from_world * corner;
            lo = lo.min(p);
            hi = hi.max(p);
        }
        let extent = hi - lo;
        self.world_per_px = (extent.x / f64::from(viewport.width_px.max(1)))
            .max(extent.y / f64::from(viewport.height_px.max(1)))
            .max(f64::MIN_POSITIVE);
        let depth = (plane_from_world * self.centre_world).z;
        let mid = (lo + hi) * 0.5;
        self.centre_world = axes * DVec3::new(mid.x, mid.y, depth);
    }

    /// Zoom so that one voxel of the finer in-plane axis is one device pixel.
    pub fn one_to_one(&mut self, grid: &Grid) {
        let s = grid.spacing();
        self.world_per_px = match self.plane {
            Plane::Acquisition => s[0],
            _ => s[0].min(s[1]).min(s[2]),
        };
    }

    /// World directions (unit) of screen right, screen down and away from the viewer, after rotation and
    /// flips. Orthonormal always, so its transpose is its inverse.
    pub fn world_from_screen_axes(&self, grid: &Grid) -> DMat3 {
        let plane = self.plane.world_from_plane(grid);
        // A picture turned clockwise by a: what was to the right is now below. So the plane direction found
        // at screen right is the one that was at -a.
        let (sin, cos) = self.rotation_rad.sin_cos();
        let mut right = plane.x_axis * cos - plane.y_axis * sin;
        let mut down = plane.x_axis * sin + plane.y_axis * cos;
        // Flips act on the picture as seen, after the rotation.
        if self.flip_horizontal {
            right = -right;
        }
        if self.flip_vertical {
            down = -down;
        }
        DMat3::from_cols(right, down, plane.z_axis)
    }

    /// From panel pixels (x, y) and depth in world units to the world.
    pub fn world_from_screen(&self, grid: &Grid, viewport: Viewport) -> DAffine3 {
        let axes = self.world_from_screen_axes(grid);
        let scaled =
            DMat3::from_cols(axes.x_axis * self.world_per_px, axes.y_axis * self.world_per_px, axes.z_axis);
        let middle = DVec3::new(f64::from(viewport.width_px) * 0.5, f64::from(viewport.height_px) * 0.5, 0.0);
        DAffine3::from_mat3_translation(scaled, self.centre_world - scaled * middle)
    }

    /// From panel pixels and depth to voxel indices: what the renderer evaluates for every pixel.
    pub fn voxel_from_screen(&self, grid: &Grid, viewport: Viewport) -> DAffine3 {
        grid.voxel_from_world() * self.world_from_screen(grid, viewport)
    }

    pub fn screen_from_world(&self, grid: &Grid, viewport: Viewport) -> DAffine3 {
        self.world_from_screen(grid, viewport).inverse()
    }

    /// Distance between neighbouring slices of this view: the grid spacing of the index axis that lies
    /// nearest to the view's normal, so that one wheel step shows the next image of a straight acquisition.
    pub fn slice_step(&self, grid: &Grid) -> f64 {
        let normal = self.plane.world_from_plane(grid).z_axis;
        let m = grid.world_from_voxel().matrix3;
        let axis = [m.x_axis, m.y_axis, m.z_axis]
            .into_iter()
            .max_by(|a, b| a.normalize().dot(normal).abs().total_cmp(&b.normalize().dot(normal).abs()))
            .unwrap_or(m.z_axis);
        axis.dot(normal).abs().max(f64::MIN_POSITIVE)
    }

    /// First and last depth along the normal at which this view meets voxel centres, and the current one.
    /// In world units, increasing away from the viewer.
    pub fn depth_range(&self, grid: &Grid) -> (f64, f64, f64) {
        let normal = self.plane.world_from_plane(grid).z_axis;
        let step = self.slice_step(grid);
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for corner in grid.corners_world() {
            let d = corner.dot(normal);
            lo = lo.min(d);
            hi = hi.max(d);
        }
        let half = 0.5 * step.min(hi - lo);
        (lo + half, hi - half, self.centre_world.dot(normal))
    }

    /// Slice number from 1 and the count, as a reader expects them in the corner of a panel.
    pub fn slice_number(&self, grid: &Grid) -> (u32, u32) {
        let (lo, hi, at) = self.depth_range(grid);
        let step = self.slice_step(grid);
        let count = ((hi - lo) / step).round() as u32 + 1;
        let index = ((at - lo) / step).round().clamp(0.0, f64::from(count - 1)) as u32;
        // For the acquisition plane of a left-handed grid the first stored image lies farthest away; number
        // images as they are stored.
        let stored_backwards = self.plane == Plane::Acquisition
            && grid.world_from_voxel().matrix3.z_axis.dot(self.plane.world_from_plane(grid).z_axis) < 0.0;
        (if stored_backwards { count - index } else { index + 1 }, count)
    }

    /// Slices of the grid that the panel's plane or slab meets: one, or the two that are mixed, where it lies along
    /// them. None where it passes the volume by.
    pub fn slices_met(&self, grid: &Grid, viewport: Viewport) -> std::ops::Range<u32> {
        // A plane that lies on a slice but for rounding meets no other.
        const ROUNDING: f64 = 1e-3;
        let voxel_from_screen = self.voxel_from_screen(grid, viewport);
        let half = 0.5 * self.slab.thickness;
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for x in [0.0, f64::from(viewport.width_px)] {
            for y in [0.0, f64::from(viewport.height_px)] {
                for depth in [-half, half] {
                    let slice = voxel_from_screen.transform_point3(DVec3::new(x, y, depth)).z;
                    (lo, hi) = (lo.min(slice), hi.max(slice));
                }
            }
        }
        let count = f64::from(grid.dims()[2]);
        let first = (lo + ROUNDING).floor().clamp(0.0, count);
        let end = ((hi - ROUNDING).ceil() + 1.0).clamp(first, count);
        first as u32..end as u32
    }

    /// Letters for the left, right, top and bottom edge of the panel, or empty strings for a picture
    /// without orientation. PS3.3 C.7.6.1.1.1: a direction between two axes has two letters, the nearer
    /// axis first.
    pub fn edge_letters(&self, grid: &Grid) -> [String; 4] {
        if grid.frame == Frame::Image {
            return Default::default();
        }
        let axes = self.world_from_screen_axes(grid);
        [
            direction_letters(-axes.x_axis),
            direction_letters(axes.x_axis),
            direction_letters(-axes.y_axis),
            direction_letters(axes.y_axis),
        ]
    }

    /// Moves along the normal by whole slice steps, staying inside the volume.
    pub fn step_slices(&mut self, grid: &Grid, steps: f64) {
        let (lo, hi, at) = self.depth_range(grid);
        let to = (at + steps * self.slice_step(grid)).clamp(lo.min(hi), hi.max(lo));
        self.centre_world += self.plane.world_from_plane(grid).z_axis * (to - at);
    }

    /// Moves the picture by a drag of `delta_px` on the screen.
    pub fn pan(&mut self, grid: &Grid, delta_px: DVec2) {
        let axes = self.world_from_screen_axes(grid);
        self.centre_world -= (axes.x_axis * delta_px.x + axes.y_axis * delta_px.y) * self.world_per_px;
    }

    /// Zooms by `factor` (> 1 is closer) about a screen point that stays where it is.
    pub fn zoom_about(&mut self, grid: &Grid, viewport: Viewport, at_px: DVec2, factor: f64) {
        let before = self.world_from_screen(grid, viewport).transform_point3(at_px.extend(0.0));
        self.world_per_px /= factor.clamp(1e-3, 1e3);
        let after = self.world_from_screen(grid, viewport).transform_point3(at_px.extend(0.0));
        self.centre_world += before - after;
    }
}

/// Letters of a patient direction: `L`, `LP`, ... Components under 0.2 (about 12 degrees) are left out, as
/// clinical viewers do, so that a slightly tilted head still reads `L`.
pub fn direction_letters(direction: DVec3) -> String {
    let d = direction.normalize_or_zero();
    let mut parts = [
        (d.x.abs(), if d.x > 0.0 { 'L' } else { 'R' }),
        (d.y.abs(), if d.y > 0.0 { 'P' } else { 'A' }),
        (d.z.abs(), if d.z > 0.0 { 'S' } else { 'I' }),
    ];
    parts.sort_by(|a, b| b.0.total_cmp(&a.0));
    parts.iter().filter(|p| p.0 >= 0.2).map(|p| p.1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grid::LengthUnit;

    /// Unequal sizes and spacings, so that a swapped axis cannot pass.
    fn grid(orientation: DMat3) -> Grid {
        let m = orientation * DMat3::from_diagonal(DVec3::new(0.75, 2.5, 7.25));
        Grid::new(
            [22, 23, 30],
            DAffine3::from_mat3_translation(m, DVec3::new(5.0, -7.0, 11.0)),
            LengthUnit::Millimetre,
            Frame::Patient,
        )
        .unwrap()
    }

    const PANEL: Viewport = Viewport { width_px: 320, height_px: 200 };

    #[test]
    fn radiological_convention_on_every_plane() {
        let g = grid(DMat3::IDENTITY);
        let letters = |p| View::fit(p, &g, PANEL).edge_letters(&g).map(|s| s.to_string());
        assert_eq!(letters(Plane::Axial), ["R", "L", "A", "P"]);
        assert_eq!(letters(Plane::Coronal), ["R", "L", "S", "I"]);
        assert_eq!(letters(Plane::Sagittal), ["A", "P", "S", "I"]);
    }

    #[test]
    fn planes_are_right_handed() {
        let g = grid(DMat3::from_rotation_z(0.3) * DMat3::from_rotation_x(0.4));
        for p in [Plane::Axial, Plane::Coronal, Plane::Sagittal, Plane::Acquisition] {
            let m = p.world_from_plane(&g);
            assert!((m.determinant() - 1.0).abs() < 1e-12, "{p:?}");
        }
    }

    #[test]
    fn screen_and_world_are_inverse_and_centred() {
        let g = grid(DMat3::from_rotation_y(0.5));
        let mut v = View::fit(Plane::Coronal, &g, PANEL);
        v.rotation_rad = 0.7;
        v.flip_vertical = true;
        let middle = v.world_from_screen(&g, PANEL).transform_point3(DVec3::new(160.0, 100.0, 0.0));
        assert!((middle - v.centre_world).length() < 1e-9);
        let p = DVec3::new(31.5, 77.25, -3.0);
        let back = v
            .screen_from_world(&g, PANEL)
            .transform_point3(v.world_from_screen(&g, PANEL).transform_point3(p));
        assert!((back - p).length() < 1e-9);
    }

    #[test]
    fn a_panel_meets_the_slices_that_it_is_drawn_from() {
        let upright = grid(DMat3::IDENTITY);
        let at = |grid: &Grid, plane, slice: f64| {
            let mut view = View::fit(plane, grid, PANEL);
            view.centre_world = grid.world_from_voxel().transform_point3(DVec3::new(11.0, 9.0, slice));
            view
        };
        let axial = |slice| at(&upright, Plane::Axial, slice).slices_met(&upright, PANEL);
        assert_eq!((axial(7.0), axial(0.0), axial(29.0)), (7..8, 0..1, 29..30));
        assert_eq!((axial(7.4), axial(-0.6), axial(31.0)), (7..9, 0..1, 30..30));
        assert_eq!(at(&upright, Plane::Coronal, 14.5).slices_met(&upright, PANEL), 0..30);
        let mut slab = at(&upright, Plane::Axial, 7.0);
        slab.slab.thickness = 4.0 * 7.25;
        assert_eq!(slab.slices_met(&upright, PANEL), 5..10);
        // A tilted gantry: the images themselves are met one by one, an axial plane crosses several.
        let tilted = grid(DMat3::from_rotation_x(0.3));
        assert_eq!(at(&tilted, Plane::Acquisition, 7.0).slices_met(&tilted, PANEL), 7..8);
        let crossed = at(&tilted, Plane::Axial, 7.0).slices_met(&tilted, PANEL);
        assert!(crossed.contains(&7) && crossed.len() > 2 && crossed.len() < 12, "{crossed:?}");
    }

    #[test]
    fn a_quarter_turn_clockwise_brings_left_to_the_bottom() {
        let g = grid(DMat3::IDENTITY);
        let mut v = View::fit(Plane::Axial, &g, PANEL);
        v.rotation_rad = std::f64::consts::FRAC_PI_2;
        // The patient's Left was on the right; a clockwise turn takes right to the bottom, and top to the right.
        assert_eq!(v.edge_letters(&g), ["P", "A", "R", "L"]);
        v.rotation_rad = 0.0;
        v.flip_horizontal = true;
        assert_eq!(v.edge_letters(&g), ["L", "R", "A", "P"]);
    }

    #[test]
    fn slices_are_counted_and_clamped() {
        let g = grid(DMat3::IDENTITY);
        let mut v = View::fit(Plane::Axial, &g, PANEL);
        assert!((v.slice_step(&g) - 7.25).abs() < 1e-12);
        v.step_slices(&g, -1000.0);
        assert_eq!(v.slice_number(&g), (1, 30));
        assert!((v.centre_world.z - 11.0).abs() < 1e-9, "first slice centre");
        v.step_slices(&g, 1.0);
        assert_eq!(v.slice_number(&g), (2, 30));
        v.step_slices(&g, 1000.0);
        assert_eq!(v.slice_number(&g), (30, 30));
        let s = View::fit(Plane::Sagittal, &g, PANEL);
        assert_eq!(s.slice_number(&g).1, 22);
        let c = View::fit(Plane::Coronal, &g, PANEL);
        assert_eq!(c.slice_number(&g).1, 23);
    }

    #[test]
    fn zoom_keeps_the_point_under_the_pointer() {
        let g = grid(DMat3::IDENTITY);
        let mut v = View::fit(Plane::Axial, &g, PANEL);
        let at = DVec2::new(20.0, 150.0);
        let before = v.world_from_screen(&g, PANEL).transform_point3(at.extend(0.0));
        v.zoom_about(&g, PANEL, at, 3.0);
        let after = v.world_from_screen(&g, PANEL).transform_point3(at.extend(0.0));
        assert!((before - after).length() < 1e-9);
    }

    #[test]
    fn oblique_directions_have_two_letters() {
        assert_eq!(direction_letters(DVec3::new(0.9, 0.43, 0.0)), "LP");
        assert_eq!(direction_letters(DVec3::new(-0.1, 0.0, -0.99)), "I");
        assert_eq!(direction_letters(DVec3::ZERO), "");
    }
}
