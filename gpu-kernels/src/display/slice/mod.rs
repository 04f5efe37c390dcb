//! One panel: a plane or thick slab of a volume, through the window, to 8-bit grey or colour.
//!
//! The rules, which the shader and the CPU twin both state:
//! - Voxel centres lie at whole indices; a sample outside [-0.5, dims - 0.5) is background. Positions are whole
//!   numbers of 1/2^32 voxel on every backend, so all of them see the same side of every edge.
//! - `Nearest` takes the voxel whose cell holds the sample, `Linear` interpolates trilinearly in f32 with the
//!   outermost voxels continued by half a voxel.
//! - A voxel holds no measurement if it is padding, not a finite number, or in a slice that has not arrived.
//!   Where the nearest voxel is one, there is no value; elsewhere such neighbours get weight 0 and the others
//!   are weighed up to 1. So padding is black and never blended into a measurement.
//! - A slab takes samples at whole multiples of its step on both sides of the plane, as far as half the
//!   thickness. Maximum, minimum and mean leave out samples without a value; with none there is background.
//! - Rescale and window act on the sampled value; grey = floor(255 y + 0.5); inversion is 255 - grey. Colour
//!   is shown as it is stored (interpolated per channel, a plane even where a slab is asked for).
//! - A table of colours takes the place of grey levels after inversion; what has no value stays background, whatever
//!   the table begins with. Colour volumes have no table.
//! - An overlay marks samples, by the nearest voxel whatever the interpolation: a voxel is marked if it holds a
//!   measurement, lies in the overlay's box (from inclusive, to exclusive), its stored value lies in the range
//!   (both ends inclusive) and the palette's alpha for its label is above 0. A label is at most 15, greater ones
//!   count as 15, and without labels every voxel has label 0.
//! - Where the sample of a plane is marked, or any sample of a slab, the pixel is what it would be without
//!   the overlay (by channel) under the palette's colour: floor((level (255 - a) + colour a) / 255 + 0.5). Of a slab's marked samples the one
//!   with the highest label decides, whatever the mode. Colour volumes have no overlay.

mod cases;
mod check;
#[cfg(test)]
mod colour_tests;
pub mod cpu;
mod overlay;
#[cfg(test)]
mod overlay_tests;
pub(crate) mod params;
mod pass;
mod redraw;
#[cfg(test)]
mod truth_tests;

use std::sync::Arc;

use imaging::Volume;
use imaging::volume::{Padding, Rescale, VoiLut};
use scene::{
    Colours, DAffine3, DVec3, Grid, Interpolation, Slab, SlabMode, View, Viewport, VoiFunction, Window,
};

pub use cases::{Case, cases};
pub(crate) use check::check;
pub use overlay::{COLOURS, OverlayDraw, Style, stored_range};
pub use params::Params;
pub use pass::SlicePass;
pub use redraw::{Redraw, Shown, Source};

use crate::compare::Tolerance;

/// How far two backends may differ.
pub const TOLERANCE: Tolerance = Tolerance {
    abs: 1.0,
    rel: 0.0,
    why: "grey levels: positions are exact, but f32 products may be fused and exp differs in its last bits, which moves a value across a rounding edge of floor(255 y + 0.5)",
};

/// A panel on the target in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PanelRect {
    /// From the left edge.
    pub x_px: u32,
    /// From the top.
    pub y_px: u32,
    /// Columns.
    pub width_px: u32,
    /// Rows.
    pub height_px: u32,
}

impl PanelRect {
    /// The size alone.
    pub fn viewport(&self) -> Viewport {
        Viewport { width_px: self.width_px, height_px: self.height_px }
    }
}

/// From a value to a grey level.
#[derive(Clone, Debug, PartialEq)]
pub enum GreyMap {
    /// VOI window (PS3.3 C.11.2.1.2).
    Window(Window),
    /// VOI LUT Sequence (PS3.3 C.11.2.1.1); values are rounded to the nearest entry.
    Lut(Arc<VoiLut>),
}

/// Everything that decides the pixels of one panel, besides the voxels.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelDraw {
    /// Where on the target.
    pub rect: PanelRect,
    /// `scene::View::voxel_from_screen`.
    pub voxel_from_screen: DAffine3,
    /// Columns, rows, slices of one time point.
    pub dims: [u32; 3],
    /// Thickness in world units, and what becomes of the samples.
    pub slab: Slab,
    /// Distance between the samples of a slab in world units.
    pub slab_step: f64,
    /// Between voxels.
    pub interpolation: Interpolation,
    /// From stored values to values.
    pub rescale: Rescale,
    /// Stored values that are no measurement.
    pub padding: Option<Padding>,
    /// From values to grey.
    pub grey: GreyMap,
    /// Exchange black and white (MONOCHROME1, or the reader's wish; both cancel).
    pub invert: bool,
    /// Voxels to be shown in colour.
    pub overlay: Option<OverlayDraw>,
    /// Colours of the grey levels; `None`: grey.
    pub colours: Option<Arc<Colours>>,
}

impl PanelDraw {
    /// A view of a volume. The slab's step is the distance of neighbouring slices, so that the samples of a
    /// slab over a straight acquisition are its images themselves.
    pub fn of_view(
        view: &View,
        grid: &Grid,
        volume: &Volume,
        rect: PanelRect,
        window: Window,
        invert: bool,
    ) -> Self {
        Self {
            rect,
            voxel_from_screen: view.voxel_from_screen(grid, rect.viewport()),
            dims: grid.dims(),
            slab: view.slab,
            slab_step: view.slice_step(grid),
            interpolation: view.interpolation,
            rescale: volume.rescale,
            padding: volume.padding,
            grey: match &volume.voi_lut {
                Some(lut) if window.function == VoiFunction::Lut => GreyMap::Lut(Arc::clone(lut)),
                _ => GreyMap::Window(window),
            },
            invert: invert != volume.monochrome1,
            overlay: None,
            colours: None,
        }
    }

    /// Half the smallest spacing: a step that misses nothing in an oblique slab, at twice the cost.
    pub fn finest_slab_step(grid: &Grid) -> f64 {
        0.5 * grid.spacing().into_iter().fold(f64::INFINITY, f64::min)
    }

    /// The samples of a pixel along the view: sample k lies k steps away from the plane, k in
    /// `first..first + count`. `None` when nothing of the volume can be seen.
    pub(crate) fn samples(&self, colour: bool) -> Option<Samples> {
        let m = self.voxel_from_screen;
        if !m.is_finite() || !m.matrix3.determinant().is_normal() || self.dims.contains(&0) {
            return None;
        }
        let samples = self.samples_along(colour)?;
        // Positions are 32.32 bits; a panel that reaches 2^30 voxels away shows the volume smaller than a pixel.
        let far = 2f64.powi(30);
        let end = samples.first + i64::from(samples.count) - 1;
        for k in [samples.first, end] {
            for corner in 0..4 {
                let x = if corner & 1 == 1 { f64::from(self.rect.width_px) } else { 0.0 };
                let y = if corner & 2 == 2 { f64::from(self.rect.height_px) } else { 0.0 };
                let at = m.transform_point3(DVec3::new(x, y, k as f64 * samples.step));
                let reach = at.abs().max_element();
                if reach.is_nan() || reach >= far {
                    return None;
                }
            }
        }
        Some(samples)
    }

    fn samples_along(&self, colour: bool) -> Option<Samples> {
        let plane = Samples { first: 0, count: 1, step: 1.0 };
        let half = 0.5 * self.slab.thickness;
        let usable = self.slab_step.is_finite() && self.slab_step > 0.0 && half.is_finite();
        if colour || !usable || half < self.slab_step {
            return Some(plane);
        }
        // Depths at which the volume lies, so that a slab thicker than the volume costs no more than the volume.
        let depth_from_voxel = self.voxel_from_screen.inverse();
        let (mut near, mut away) = (f64::INFINITY, f64::NEG_INFINITY);
        for corner in 0..8 {
            let pick = |axis: usize| {
                if corner >> axis & 1 == 1 { f64::from(self.dims[axis]) - 0.5 } else { -0.5 }
            };
            let depth = depth_from_voxel.transform_point3(DVec3::new(pick(0), pick(1), pick(2))).z;
            near = near.min(depth);
            away = away.max(depth);
        }
        // The shader counts samples in 16 bits.
        let step = self.slab_step.max((away - near) / 60_000.0);
        let reach = (half / step + 1e-9).floor();
        let first = (near / step).floor().max(-reach);
        let last = (away / step).ceil().min(reach);
        (first <= last).then_some(Samples { first: first as i64, count: (last - first) as u32 + 1, step })
    }

    /// What a MIP does to stored values: with a falling rescale the largest value is the smallest stored one.
    pub(crate) fn stored_slab_mode(&self) -> SlabMode {
        match (self.slab.mode, self.rescale.slope < 0.0) {
            (SlabMode::Mip, true) => SlabMode::MinIp,
            (SlabMode::MinIp, true) => SlabMode::Mip,
            (mode, _) => mode,
        }
    }
}

/// See [`PanelDraw::samples`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Samples {
    pub(crate) first: i64,
    pub(crate) count: u32,
    pub(crate) step: f64,
}
