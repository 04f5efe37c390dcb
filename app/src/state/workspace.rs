//! The panels, what each looks at, and what a person does to them.
//! One value that every view reads and only `apply` and the gestures change; the scene is derived from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::perfusion::Step;
use protocol::{SeriesId, VolumeInfo};
use scene::{Colormap, DVec2, DVec3, Frame, Interpolation, Plane, View, Viewport, Window};

use super::action::Tool;
use super::calcium::Desk;
use super::cine::Cine;
use super::history::History;
use super::layout::{self, CssRect, LayoutKind, PxRect};
use super::marking::Draft;
use super::measurement::{Measurement, MeasurementId};
use super::perfusion::FlowDesk;
use super::presets;
use super::segmentation::Labelling;

/// Counts up; a panel keeps its id while its view changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PanelId(pub u32);

/// One panel: a view of a series.
#[derive(Clone, Debug, PartialEq)]
pub struct PanelState {
    pub id: PanelId,
    pub series: SeriesId,
    pub view: View,
    pub window: Window,
    pub invert: bool,
    pub colormap: Colormap,
    pub time_index: u32,
    /// Fit again when the panel changes its size: true until a person zooms or pans.
    pub fitted: bool,
}

/// How much of the volume a panel of a layout shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Plane,
    Slab,
    Whole,
}

/// Where a panel is on the page and on the canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// With its header strip.
    pub cell: CssRect,
    pub image: CssRect,
    pub px: PxRect,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Workspace {
    pub width: f64,
    pub height: f64,
    pub device_pixel_ratio: f64,
    pub layout: LayoutKind,
    pub maximised: Option<PanelId>,
    pub active: PanelId,
    pub panels: Vec<PanelState>,
    pub volumes: BTreeMap<SeriesId, Arc<VolumeInfo>>,
    /// The linked crosshair, per series from files: what was computed from one shares its.
    pub cursors: BTreeMap<SeriesId, DVec3>,
    pub tool: Tool,
    pub overlays: bool,
    pub measurements: History<Vec<Measurement>>,
    pub selected: Option<MeasurementId>,
    pub draft: Option<Draft>,
    pub cine: Cine,
    pub interpolation: Interpolation,
    /// Readings by series; the active one is on the screen while calcium is open.
    pub desks: BTreeMap<SeriesId, Desk>,
    pub calcium_open: bool,
    /// Perfusion studies by the series they are of.
    pub flow_desks: BTreeMap<SeriesId, FlowDesk>,
    pub perfusion_open: bool,
    /// Label maps by series.
    pub labellings: BTreeMap<SeriesId, Labelling>,
    last_panel: u32,
    pub(super) last_measurement: u32,
    /// How each series was left, to come back to.
    left: BTreeMap<SeriesId, (LayoutKind, Vec<PanelState>)>,
}

impl Default for Workspace {
    fn default() -> Self {
        Self {
            width: 1.0,
            height: 1.0,
            device_pixel_ratio: 1.0,
            layout: LayoutKind::Single,
            maximised: None,
            active: PanelId(0),
            panels: Vec::new(),
            volumes: BTreeMap::new(),
            cursors: BTreeMap::new(),
            tool: Tool::Window,
            overlays: true,
            measurements: History::default(),
            selected: None,
            draft: None,
            cine: Cine::default(),
            interpolation: Interpolation::Linear,
            desks: BTreeMap::new(),
            calcium_open: false,
            flow_desks: BTreeMap::new(),
            perfusion_open: false,
            labellings: BTreeMap::new(),
            last_panel: 0,
            last_measurement: 0,
            left: BTreeMap::new(),
        }
    }
}

/// Below this width three planes are too small to read.
const WIDE_CSS_PX: f64 = 640.0;

impl Workspace {
    // What is where

    pub fn panel(&self, id: PanelId) -> Option<&PanelState> {
        self.panels.iter().find(|p| p.id == id)
    }

    pub fn panel_mut(&mut self, id: PanelId) -> Option<&mut PanelState> {
        self.panels.iter_mut().find(|p| p.id == id)
    }

    pub fn active_panel(&self) -> Option<&PanelState> {
        self.panel(self.active).or_else(|| self.panels.first())
    }

    pub fn volume(&self, series: SeriesId) -> Option<Arc<VolumeInfo>> {
        self.volumes.get(&series).cloned()
    }

    pub fn active_volume(&self) -> Option<Arc<VolumeInfo>> {
        self.active_panel().and_then(|p| self.volume(p.series))
    }

    /// The panels on the screen with their places, in reading order.
    pub fn places(&self) -> Vec<(PanelId, Place)> {
        let (ids, kind): (Vec<PanelId>, LayoutKind) = match self.maximised {
            Some(id) => (vec![id], LayoutKind::Single),
            None => (self.panels.iter().map(|p| p.id).collect(), self.layout),
        };
        let cells = layout::cells(kind, self.width, self.height);
        ids.into_iter()
            .zip(cells)
            .map(|(id, cell)| {
                let image = cell.below_header();
                (id, Place { cell, image, px: PxRect::from_css(image, self.device_pixel_ratio) })
            })
            .collect()
    }

    pub fn place(&self, id: PanelId) -> Option<Place> {
        self.places().into_iter().find(|(p, _)| *p == id).map(|(_, place)| place)
    }

    pub fn viewport(&self, id: PanelId) -> Viewport {
        let px = self.place(id).map(|p| p.px).unwrap_or_default();
        Viewport { width_px: px.width.max(1), height_px: px.height.max(1) }
    }

    /// World position of a panel's pixel, on its slice.
    pub fn world_at(&self, id: PanelId, at_px: DVec2) -> Option<DVec3> {
        let panel = self.panel(id)?;
        let volume = self.volumes.get(&panel.series)?;
        let m = panel.view.world_from_screen(&volume.grid, self.viewport(id));
        Some(m.transform_point3(at_px.extend(0.0)))
    }

    pub fn cursor(&self, series: SeriesId) -> Option<DVec3> {
        self.cursors.get(&self.root(series)).copied()
    }

    // Opening

    pub fn resize(&mut self, width: f64, height: f64, device_pixel_ratio: f64) {
        self.width = width.max(1.0);
        self.height = height.max(1.0);
        self.device_pixel_ratio = device_pixel_ratio.clamp(0.5, 4.0);
        self.refit();
    }

    /// Takes what is known of a series. Views that look at it keep looking; its range may have grown.
    pub fn learn(&mut self, series: SeriesId, info: VolumeInfo) {
        let info = Arc::new(info);
        // A window that nobody has touched follows the values as they arrive.
        if let Some(old) = self.volumes.get(&series).map(|v| presets::first_window(v)) {
            let new = presets::first_window(&info);
            self.panels
                .iter_mut()
                .filter(|p| p.series == series && p.window == old)
                .for_each(|p| p.window = new);
        }
        let root = info.derived.map_or(series, |d| d.source);
        self.cursors.entry(root).or_insert_with(|| info.grid.centre_world());
        self.volumes.insert(series, info);
    }

    /// The layout a series is read in: volumes in three planes where there is room, pictures as they are.
    pub fn natural_layout(&self, info: &VolumeInfo) -> LayoutKind {
        let volume = info.grid.frame == Frame::Patient && info.grid.dims().iter().all(|n| *n > 1);
        if volume && !info.colour && self.width >= WIDE_CSS_PX {
            LayoutKind::Planes
        } else {
            LayoutKind::Single
        }
    }

    /// Whether there is room for three panels of a series.
    pub fn natural_layout_is_wide(&self, series: SeriesId) -> bool {
        self.volumes.get(&series).is_some_and(|v| self.natural_layout(v) == LayoutKind::Planes)
    }

    /// Shows a series in the whole viewer, as it was left, else as it is best read. It must be known.
    pub fn show(&mut self, series: SeriesId) -> bool {
        let Some(info) = self.volume(series) else { return false };
        self.leave();
        let (layout, panels) =
            self.left.remove(&series).unwrap_or_else(|| (self.natural_layout(&info), vec![]));
        self.maximised = None;
        self.draft = None;
        self.selected = None;
        self.panels = panels;
        self.layout = layout;
        if self.panels.len() != layout.panel_count() {
            self.set_layout(layout, series);
        }
        if self.panel(self.active).is_none() {
            self.active = self.panels.first().map(|p| p.id).unwrap_or_default();
        }
        self.align_to_cursor(series);
        self.refit();
        true
    }

    /// Shows a series in one panel only.
    pub fn show_in(&mut self, id: PanelId, series: SeriesId) -> bool {
        let Some(info) = self.volume(series) else { return false };
        let Some(i) = self.panels.iter().position(|p| p.id == id) else { return false };
        let plane =
            if info.grid.frame == Frame::Image { Plane::Acquisition } else { self.panels[i].view.plane };
        let mut panel = self.new_panel(series, plane);
        panel.id = id;
        self.panels[i] = panel;
        self.active = id;
        self.align_to_cursor(series);
        self.refit();
        true
    }

    /// Forgets series that are gone.
    pub fn clear(&mut self) {
        *self = Self {
            width: self.width,
            height: self.height,
            device_pixel_ratio: self.device_pixel_ratio,
            tool: self.tool,
            overlays: self.overlays,
            interpolation: self.interpolation,
            last_panel: self.last_panel,
            last_measurement: self.last_measurement,
            ..Self::default()
        };
    }

    fn leave(&mut self) {
        if let Some(first) = self.panels.first()
            && self.panels.iter().all(|p| p.series == first.series)
        {
            self.left.insert(first.series, (self.layout, self.panels.clone()));
        }
    }

    pub(super) fn new_panel(&mut self, series: SeriesId, plane: Plane) -> PanelState {
        self.last_panel += 1;
        let id = PanelId(self.last_panel);
        let like = self.panels.iter().find(|p| p.series == series);
        let (window, invert, colormap, time_index) = like.map_or_else(
            || {
                (
                    self.volumes
                        .get(&series)
                        .map_or(Window::from_range(0.0, 1.0), |v| presets::first_window(v)),
                    false,
                    Colormap::Grey,
                    0,
                )
            },
            |p| (p.window, p.invert, p.colormap, p.time_index),
        );
        let viewport = Viewport { width_px: 100, height_px: 100 };
        let view = match self.volumes.get(&series) {
            Some(v) => View { interpolation: self.interpolation, ..View::fit(plane, &v.grid, viewport) },
            None => View {
                plane,
                centre_world: DVec3::ZERO,
                world_per_px: 1.0,
                rotation_rad: 0.0,
                flip_horizontal: false,
                flip_vertical: false,
                slab: Default::default(),
                interpolation: self.interpolation,
            },
        };
        PanelState { id, series, view, window, invert, colormap, time_index, fitted: true }
    }

    pub(super) fn set_layout(&mut self, kind: LayoutKind, series: SeriesId) {
        let Some(info) = self.volume(series) else { return };
        if matches!(kind, LayoutKind::Maps | LayoutKind::Vessels) {
            return self.go_to_step(Step::Maps);
        }
        let flat = info.grid.frame == Frame::Image;
        let planes: Vec<(Plane, Depth)> = match kind {
            _ if flat => vec![(Plane::Acquisition, Depth::Plane); kind.panel_count()],
            // One panel shows what was acquired, in the orientation readers expect where it is a straight axial.
            LayoutKind::Single => vec![(single_plane(&info), Depth::Plane)],
            LayoutKind::Planes => {
                [Plane::Axial, Plane::Coronal, Plane::Sagittal].map(|p| (p, Depth::Plane)).to_vec()
            }
            LayoutKind::Quad => vec![
                (Plane::Axial, Depth::Plane),
                (Plane::Coronal, Depth::Plane),
                (Plane::Sagittal, Depth::Plane),
                (Plane::Coronal, Depth::Slab),
            ],
            // Handled above: its panels show several series.
            LayoutKind::Maps | LayoutKind::Vessels => Vec::new(),
            LayoutKind::Overview => vec![
                (Plane::Axial, Depth::Plane),
                (Plane::Axial, Depth::Whole),
                (Plane::Coronal, Depth::Whole),
            ],
        };
        // A panel that already shows a wanted plane stays as it is.
        let mut old = std::mem::take(&mut self.panels);
        let mut new = Vec::new();
        for (plane, depth) in planes {
            let keep = old.iter().position(|p| {
                let slab = p.view.slab.thickness > 0.0;
                // A slab may have been made thicker or thinner; the overview is always of everything.
                let alike = depth != Depth::Whole && slab == (depth == Depth::Slab);
                p.series == series && p.view.plane == plane && alike
            });
            let panel = match keep {
                Some(i) => old.remove(i),
                None => {
                    self.panels.clone_from(&new);
                    self.panels.extend(old.iter().cloned());
                    let mut panel = self.new_panel(series, plane);
                    let extent = panel.view.depth_range(&info.grid);
                    if depth == Depth::Whole {
                        // A projection of everything takes every voxel of the volume: one read each is enough to
                        // find one's way, and eight would cost a slow adapter seconds.
                        panel.view.interpolation = Interpolation::Nearest;
                    }
                    panel.view.slab.thickness = match depth {
                        Depth::Plane => 0.0,
                        Depth::Slab => (10.0 * panel.view.slice_step(&info.grid)).max(30.0),
                        // From the middle plane or from any other, all slices are within it.
                        Depth::Whole => 2.0 * (extent.1 - extent.0).abs() + panel.view.slice_step(&info.grid),
                    };
                    panel
                }
            };
            new.push(panel);
        }
        self.panels = new;
        self.layout = kind;
        self.maximised = None;
        if self.panel(self.active).is_none() {
            self.active = self.panels.first().map(|p| p.id).unwrap_or_default();
        }
        self.align_to_cursor(series);
        self.refit();
    }

    pub fn set_plane(&mut self, id: PanelId, plane: Plane) {
        let Some(panel) = self.panel(id) else { return };
        let (series, slab) = (panel.series, panel.view.slab);
        let mut fresh = self.new_panel(series, plane);
        fresh.id = id;
        fresh.view.slab = slab;
        if let Some(panel) = self.panel_mut(id) {
            *panel = fresh;
        }
        self.align_to_cursor(series);
        self.refit();
    }

    pub(super) fn refit(&mut self) {
        for (id, place) in self.places() {
            let viewport = Viewport { width_px: place.px.width, height_px: place.px.height };
            let Some(panel) = self.panels.iter_mut().find(|p| p.id == id) else { continue };
            if let (true, Some(v)) = (panel.fitted, self.volumes.get(&panel.series)) {
                panel.view.fit_zoom(&v.grid, viewport);
            }
        }
    }
}

/// A straight axial stack is read as axial; everything else in the plane it was acquired in.
fn single_plane(info: &VolumeInfo) -> Plane {
    if info.grid.frame == Frame::Image {
        return Plane::Acquisition;
    }
    let m = Plane::Acquisition.world_from_plane(&info.grid);
    let straight = [Plane::Axial, Plane::Coronal, Plane::Sagittal].into_iter().find(|p| {
        let w = p.world_from_plane(&info.grid);
        w.x_axis.dot(m.x_axis).abs() > 0.9999 && w.y_axis.dot(m.y_axis).abs() > 0.9999
    });
    // A single image has no other slices to number, but its own plane is still right.
    straight.unwrap_or(Plane::Acquisition)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Action;
    use crate::state::fixtures::{S, ct, opened, picture};

    #[test]
    fn volumes_open_in_three_planes_and_pictures_as_they_are() {
        let w = opened(ct());
        let planes: Vec<Plane> = w.panels.iter().map(|p| p.view.plane).collect();
        assert_eq!(planes, [Plane::Axial, Plane::Coronal, Plane::Sagittal]);
        let w = opened(picture());
        assert_eq!((w.panels.len(), w.panels[0].view.plane), (1, Plane::Acquisition));
        let mut w = Workspace::default();
        w.resize(390.0, 700.0, 3.0);
        w.learn(S, ct());
        w.show(S);
        assert_eq!(w.layout, LayoutKind::Single, "a phone has room for one");
    }

    #[test]
    fn layouts_keep_what_stays_and_panels_fit_their_cells() {
        let mut w = opened(ct());
        let ids: Vec<PanelId> = w.panels.iter().map(|p| p.id).collect();
        w.apply(Action::Layout(LayoutKind::Quad));
        assert_eq!(w.panels[..3].iter().map(|p| p.id).collect::<Vec<_>>(), ids);
        assert!(w.panels[3].view.slab.thickness > 0.0);
        let unique: std::collections::BTreeSet<PanelId> = w.panels.iter().map(|p| p.id).collect();
        assert_eq!(unique.len(), 4);
        w.apply(Action::Layout(LayoutKind::Single));
        assert_eq!(w.panels.len(), 1);
        for (id, _) in w.places() {
            let (panel, port) = (w.panel(id).unwrap(), w.viewport(id));
            let m = panel.view.screen_from_world(&ct().grid, port);
            for c in ct().grid.corners_world() {
                let p = m.transform_point3(c);
                assert!(p.x > -0.01 && p.x < f64::from(port.width_px) + 0.01, "{p}");
                assert!(p.y > -0.01 && p.y < f64::from(port.height_px) + 0.01, "{p}");
            }
        }
    }

    #[test]
    fn a_series_comes_back_as_it_was_left() {
        let mut w = opened(ct());
        w.learn(SeriesId(2), picture());
        w.apply(Action::Layout(LayoutKind::Quad));
        w.apply(Action::Preset(3));
        w.show(SeriesId(2));
        assert_eq!(w.panels.len(), 1);
        w.show(S);
        assert_eq!((w.layout, w.panels[0].window.center), (LayoutKind::Quad, 480.0));
    }
}
