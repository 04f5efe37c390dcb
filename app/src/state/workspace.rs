//! The panels, what each looks at, and what a person does to them.
//! One value that every view reads and only `apply` and the gestures change; the scene is derived from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::{NamedWindow, SeriesId, VolumeInfo};
use scene::{DVec2, DVec3, Frame, Interpolation, Plane, SlabMode, View, Viewport, Window};

use super::action::{Action, Tool};
use super::cine::{self, Cine};
use super::history::History;
use super::layout::{self, CssRect, LayoutKind, PxRect};
use super::measurement::{Measurement, MeasurementId, Shape};
use super::presets;

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
    pub time_index: u32,
    /// Fit again when the panel changes its size: true until a person zooms or pans.
    pub fitted: bool,
}

/// Where a panel is on the page and on the canvas.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Place {
    /// With its header strip.
    pub cell: CssRect,
    pub image: CssRect,
    pub px: PxRect,
}

/// A measurement whose points are still being placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub id: MeasurementId,
    /// The handle that follows the pointer.
    pub handle: usize,
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
    /// The linked crosshair, per series.
    pub cursors: BTreeMap<SeriesId, DVec3>,
    pub tool: Tool,
    pub overlays: bool,
    pub measurements: History<Vec<Measurement>>,
    pub selected: Option<MeasurementId>,
    pub draft: Option<Draft>,
    pub cine: Cine,
    pub interpolation: Interpolation,
    last_panel: u32,
    last_measurement: u32,
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
        self.cursors.get(&series).copied()
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
        self.cursors.entry(series).or_insert_with(|| info.grid.centre_world());
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

    fn new_panel(&mut self, series: SeriesId, plane: Plane) -> PanelState {
        self.last_panel += 1;
        let id = PanelId(self.last_panel);
        let like = self.panels.iter().find(|p| p.series == series);
        let (window, invert, time_index) = like.map_or_else(
            || {
                (
                    self.volumes
                        .get(&series)
                        .map_or(Window::from_range(0.0, 1.0), |v| presets::first_window(v)),
                    false,
                    0,
                )
            },
            |p| (p.window, p.invert, p.time_index),
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
        PanelState { id, series, view, window, invert, time_index, fitted: true }
    }

    fn set_layout(&mut self, kind: LayoutKind, series: SeriesId) {
        let Some(info) = self.volume(series) else { return };
        let flat = info.grid.frame == Frame::Image;
        let planes: Vec<(Plane, bool)> = match kind {
            _ if flat => vec![(Plane::Acquisition, false); kind.panel_count()],
            // One panel shows what was acquired, in the orientation readers expect where it is a straight axial.
            LayoutKind::Single => vec![(single_plane(&info), false)],
            LayoutKind::Planes => {
                vec![(Plane::Axial, false), (Plane::Coronal, false), (Plane::Sagittal, false)]
            }
            LayoutKind::Quad => {
                vec![
                    (Plane::Axial, false),
                    (Plane::Coronal, false),
                    (Plane::Sagittal, false),
                    (Plane::Coronal, true),
                ]
            }
        };
        // A panel that already shows a wanted plane stays as it is.
        let mut old = std::mem::take(&mut self.panels);
        let mut new = Vec::new();
        for (plane, slab) in planes {
            let keep = old.iter().position(|p| {
                p.series == series && p.view.plane == plane && (p.view.slab.thickness > 0.0) == slab
            });
            let panel = match keep {
                Some(i) => old.remove(i),
                None => {
                    self.panels.clone_from(&new);
                    self.panels.extend(old.iter().cloned());
                    let mut panel = self.new_panel(series, plane);
                    if slab {
                        panel.view.slab.thickness = (10.0 * panel.view.slice_step(&info.grid)).max(30.0);
                    }
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

    fn refit(&mut self) {
        for (id, place) in self.places() {
            let viewport = Viewport { width_px: place.px.width, height_px: place.px.height };
            let Some(panel) = self.panels.iter_mut().find(|p| p.id == id) else { continue };
            if let (true, Some(v)) = (panel.fitted, self.volumes.get(&panel.series)) {
                panel.view.fit_zoom(&v.grid, viewport);
            }
        }
    }

    // The linked crosshair

    /// Brings the panels of a series to the slices that hold its crosshair.
    fn align_to_cursor(&mut self, series: SeriesId) {
        if let Some(cursor) = self.cursor(series) {
            self.set_cursor(series, cursor);
        }
    }

    /// Moves the crosshair; every panel of the series shows the slice through it. Depths snap to slices, so
    /// that a straight acquisition is shown as acquired and not between two images.
    pub fn set_cursor(&mut self, series: SeriesId, world: DVec3) {
        let Some(info) = self.volume(series) else { return };
        let mut cursor = world;
        for panel in self.panels.iter_mut().filter(|p| p.series == series) {
            let (lo, hi, at) = panel.view.depth_range(&info.grid);
            let step = panel.view.slice_step(&info.grid);
            let normal = panel.view.plane.world_from_plane(&info.grid).z_axis;
            let depth = cursor.dot(normal);
            let to = (lo + ((depth - lo) / step).round() * step).clamp(lo.min(hi), hi.max(lo));
            panel.view.centre_world += normal * (to - at);
            cursor += normal * (to - depth);
        }
        self.cursors.insert(series, cursor);
    }

    /// Steps through slices; the crosshair goes along.
    pub fn step_slices(&mut self, id: PanelId, steps: f64) {
        let Some(panel) = self.panel(id) else { return };
        let (series, mut view) = (panel.series, panel.view.clone());
        let Some(info) = self.volume(series) else { return };
        let before = view.centre_world;
        view.step_slices(&info.grid, steps);
        let cursor = self.cursor(series).unwrap_or(before);
        let normal = view.plane.world_from_plane(&info.grid).z_axis;
        let moved = cursor + normal * (view.centre_world - cursor).dot(normal);
        self.set_cursor(series, moved);
    }

    /// Steps in the direction of the numbers in the corner, whatever way the stack is stored.
    pub fn step_numbers(&mut self, id: PanelId, steps: f64) {
        let sign = self.number_sign(id);
        self.step_slices(id, steps * sign);
    }

    fn number_sign(&self, id: PanelId) -> f64 {
        let Some(panel) = self.panel(id) else { return 1.0 };
        let Some(info) = self.volumes.get(&panel.series) else { return 1.0 };
        let (mut a, mut b) = (panel.view.clone(), panel.view.clone());
        a.step_slices(&info.grid, -1e9);
        b.step_slices(&info.grid, 1e9);
        if a.slice_number(&info.grid).0 > b.slice_number(&info.grid).0 { -1.0 } else { 1.0 }
    }

    pub fn set_slice_number(&mut self, id: PanelId, number: u32) {
        let Some((now, count)) = self.slice_number(id) else { return };
        let to = number.clamp(1, count.max(1));
        self.step_numbers(id, f64::from(to) - f64::from(now));
    }

    pub fn slice_number(&self, id: PanelId) -> Option<(u32, u32)> {
        let panel = self.panel(id)?;
        let info = self.volumes.get(&panel.series)?;
        Some(panel.view.slice_number(&info.grid))
    }

    // What panels of one series share

    fn each_of_series(&mut self, series: SeriesId, mut f: impl FnMut(&mut PanelState)) {
        self.panels.iter_mut().filter(|p| p.series == series).for_each(&mut f);
    }

    pub fn set_window(&mut self, series: SeriesId, mut window: Window) {
        if !(window.center.is_finite() && window.width.is_finite()) {
            return;
        }
        window.width = window.width.max(Window::min_width(window.function));
        self.each_of_series(series, |p| p.window = window);
    }

    pub fn time_points(&self, series: SeriesId) -> u32 {
        self.volumes.get(&series).map_or(1, |v| v.times_s.len().max(1) as u32)
    }

    pub fn set_time(&mut self, series: SeriesId, index: u32) {
        let last = self.time_points(series) - 1;
        self.each_of_series(series, |p| p.time_index = index.min(last));
    }

    pub fn step_time(&mut self, series: SeriesId, steps: i32) {
        let Some(at) = self.panels.iter().find(|p| p.series == series).map(|p| p.time_index) else { return };
        let to = cine::wrap(at, steps, self.time_points(series));
        self.set_time(series, to);
    }

    pub fn presets(&self) -> Vec<NamedWindow> {
        self.active_volume().map_or_else(Vec::new, |v| presets::presets(&v))
    }

    /// Diagonal of the volume: the thickest slab.
    pub fn thickest_slab(&self, id: PanelId) -> f64 {
        let Some(panel) = self.panel(id) else { return 0.0 };
        let Some(v) = self.volumes.get(&panel.series) else { return 0.0 };
        let (lo, hi, _) = panel.view.depth_range(&v.grid);
        (hi - lo).abs() + panel.view.slice_step(&v.grid)
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

    /// Plays: `seconds` have passed since the last frame.
    pub fn advance_cine(&mut self, seconds: f64) {
        let slices = self.cine.slices.advance(seconds);
        let time = self.cine.time.advance(seconds);
        let Some((id, series)) = self.active_panel().map(|p| (p.id, p.series)) else { return };
        if slices != 0
            && let Some((now, count)) = self.slice_number(id)
        {
            self.set_slice_number(id, cine::wrap(now - 1, slices, count) + 1);
        }
        if time != 0 {
            self.step_time(series, time);
        }
    }

    // Measurements

    pub fn new_measurement(&mut self, id: PanelId, shape: Shape) -> Option<MeasurementId> {
        let panel = self.panel(id)?;
        let (series, plane, time_index) = (panel.series, panel.view.plane, panel.time_index);
        self.last_measurement += 1;
        let id = MeasurementId(self.last_measurement);
        self.measurements.checkpoint();
        self.measurements.get_mut().push(Measurement {
            id,
            series,
            plane,
            time_index,
            shape,
            statistics: None,
            value: None,
            message: None,
        });
        self.selected = Some(id);
        Some(id)
    }

    pub fn measurement_mut(&mut self, id: MeasurementId) -> Option<&mut Measurement> {
        self.measurements.get_mut().iter_mut().find(|m| m.id == id)
    }

    pub fn delete(&mut self, id: MeasurementId) {
        self.measurements.checkpoint();
        self.measurements.get_mut().retain(|m| m.id != id);
        self.selected = None;
        self.draft = None;
    }

    /// Drops a measurement whose points were never all placed.
    pub fn cancel_draft(&mut self) -> bool {
        let Some(draft) = self.draft.take() else { return false };
        self.measurements.undo();
        self.measurements.get_mut().retain(|m| m.id != draft.id);
        self.selected = None;
        true
    }

    /// Brings the slice with a measurement on the screen.
    pub fn go_to(&mut self, id: MeasurementId) {
        let Some(m) = self.measurements.get().iter().find(|m| m.id == id).cloned() else { return };
        self.set_cursor(m.series, m.shape.anchor());
        self.set_time(m.series, m.time_index);
        self.selected = Some(id);
    }

    // Keys and buttons

    /// Does `action`; false where it is the page's to do.
    pub fn apply(&mut self, action: Action) -> bool {
        let Some((id, series)) = self.active_panel().map(|p| (p.id, p.series)) else {
            if let Action::Tool(tool) = action {
                self.tool = tool;
            }
            return matches!(action, Action::Tool(_));
        };
        let viewport = self.viewport(id);
        let info = self.volume(series);
        match action {
            Action::Tool(tool) => {
                self.cancel_draft();
                self.tool = tool;
            }
            Action::StepSlices(n) => self.step_numbers(id, f64::from(n)),
            Action::FirstSlice => self.set_slice_number(id, 1),
            Action::LastSlice => self.set_slice_number(id, u32::MAX),
            Action::StepTime(n) => self.step_time(series, n),
            Action::StepPanel(n) => {
                let at = self.panels.iter().position(|p| p.id == id).unwrap_or(0) as u32;
                let to = cine::wrap(at, n, self.panels.len() as u32) as usize;
                self.active = self.panels[to].id;
                if self.maximised.is_some() {
                    self.maximised = Some(self.active);
                    self.refit();
                }
            }
            Action::Preset(i) => {
                if let Some(p) = self.presets().get(i) {
                    self.set_window(series, p.window);
                }
            }
            Action::Invert => self.each_of_series(series, |p| p.invert = !p.invert),
            Action::ToggleOverlays => self.overlays = !self.overlays,
            Action::ToggleInterpolation => {
                self.interpolation = match self.interpolation {
                    Interpolation::Linear => Interpolation::Nearest,
                    Interpolation::Nearest => Interpolation::Linear,
                };
                let to = self.interpolation;
                self.panels.iter_mut().for_each(|p| p.view.interpolation = to);
            }
            Action::Maximise => {
                self.maximised =
                    if self.maximised.is_some() || self.panels.len() < 2 { None } else { Some(id) };
                self.refit();
            }
            Action::Layout(kind) => {
                self.cancel_draft();
                self.set_layout(kind, series);
            }
            Action::CineSlices => self.cine.slices.toggle(),
            Action::CineTime => {
                if self.time_points(series) > 1 {
                    self.cine.time.toggle();
                }
            }
            Action::CineFaster(by) => {
                let axis = if self.cine.time.playing { &mut self.cine.time } else { &mut self.cine.slices };
                axis.set_fps(axis.fps + f64::from(by));
            }
            Action::Undo => {
                if !self.cancel_draft() {
                    self.measurements.undo();
                }
            }
            Action::Redo => {
                self.measurements.redo();
            }
            Action::DeleteMeasurement => {
                if let Some(m) = self.selected {
                    self.delete(m);
                }
            }
            Action::Cancel => {
                if !self.cancel_draft() {
                    if self.selected.take().is_none() && (self.cine.playing()) {
                        self.cine = Cine::default();
                    }
                }
            }
            Action::PlacePoint => {
                if let Some(cursor) = self.cursor(series) {
                    self.place_point(id, cursor);
                }
            }
            Action::NudgeCrosshair(x, y) => {
                if let (Some(v), Some(cursor), Some(panel)) = (info, self.cursor(series), self.panel(id)) {
                    let axes = panel.view.world_from_screen_axes(&v.grid);
                    let s = v.grid.spacing();
                    let least = s[0].min(s[1]).min(s[2]);
                    let by = (axes.x_axis * f64::from(x) + axes.y_axis * f64::from(y)) * least;
                    self.set_cursor(series, clamp_to_volume(&v, cursor + by));
                    let to = self.cursor(series).unwrap_or(cursor);
                    self.drag_draft(to);
                }
            }
            Action::Rotate(_)
            | Action::FlipHorizontal
            | Action::FlipVertical
            | Action::Reset
            | Action::Fit
            | Action::OneToOne
            | Action::ZoomPercent(_)
            | Action::PanSteps(..)
            | Action::SlabThicker(_)
            | Action::SlabMode => {
                if let Some(v) = info {
                    self.apply_to_view(action, id, &v, viewport);
                }
            }
            Action::StepSeries(_)
            | Action::OpenFiles
            | Action::OpenFolder
            | Action::Help
            | Action::Settings
            | Action::SelfCheck
            | Action::ToggleStudies
            | Action::ToggleInspector => return false,
        }
        true
    }

    fn apply_to_view(&mut self, action: Action, id: PanelId, info: &VolumeInfo, viewport: Viewport) {
        let thickest = self.thickest_slab(id);
        let interpolation = self.interpolation;
        let Some(panel) = self.panel_mut(id) else { return };
        let view = &mut panel.view;
        let middle = DVec2::new(f64::from(viewport.width_px), f64::from(viewport.height_px)) * 0.5;
        match action {
            Action::Rotate(turns) => {
                let quarter = std::f64::consts::FRAC_PI_2;
                // Seen through one flip a clockwise turn runs the other way round.
                let seen = if view.flip_horizontal != view.flip_vertical { -turns } else { turns };
                let now = (view.rotation_rad / quarter).round() as i64;
                view.rotation_rad = (now + i64::from(seen)).rem_euclid(4) as f64 * quarter;
                if panel.fitted {
                    view.fit_zoom(&info.grid, viewport);
                }
            }
            Action::FlipHorizontal => view.flip_horizontal = !view.flip_horizontal,
            Action::FlipVertical => view.flip_vertical = !view.flip_vertical,
            Action::OneToOne => {
                view.one_to_one(&info.grid);
                panel.fitted = false;
            }
            Action::ZoomPercent(percent) => {
                view.zoom_about(&info.grid, viewport, middle, f64::from(percent) / 100.0);
                panel.fitted = false;
            }
            Action::PanSteps(x, y) => {
                let step = middle.min_element() * 0.1;
                view.pan(&info.grid, DVec2::new(f64::from(x), f64::from(y)) * step);
                panel.fitted = false;
            }
            Action::SlabThicker(steps) => {
                let step = view.slice_step(&info.grid);
                view.slab.thickness = (view.slab.thickness + f64::from(steps) * step).clamp(0.0, thickest);
                if view.slab.thickness < 0.5 * step {
                    view.slab.thickness = 0.0;
                }
            }
            Action::SlabMode => {
                view.slab.mode = match view.slab.mode {
                    SlabMode::Mip => SlabMode::MinIp,
                    SlabMode::MinIp => SlabMode::Mean,
                    SlabMode::Mean => SlabMode::Mip,
                };
            }
            Action::Fit => {
                view.fit_zoom(&info.grid, viewport);
                panel.fitted = true;
            }
            Action::Reset => {
                let depth = view.centre_world;
                let plane = view.plane;
                *view = View { interpolation, centre_world: depth, ..View::fit(plane, &info.grid, viewport) };
                view.fit_zoom(&info.grid, viewport);
                panel.fitted = true;
                let (series, window) = (panel.series, presets::first_window(info));
                self.set_window(series, window);
                self.each_of_series(series, |p| p.invert = false);
            }
            _ => {}
        }
    }

    /// Starts a measurement at a world point, or places the next of its points.
    pub fn place_point(&mut self, id: PanelId, world: DVec3) {
        if let Some(draft) = self.draft.clone() {
            self.drag_draft(world);
            let angle_next = self
                .measurement_mut(draft.id)
                .is_some_and(|m| matches!(m.shape, Shape::Angle(_)) && draft.handle == 1);
            self.draft = angle_next.then_some(Draft { id: draft.id, handle: 2 });
            return;
        }
        let tool = self.tool;
        let Some(panel) = self.panel(id) else { return };
        let Some(v) = self.volumes.get(&panel.series) else { return };
        let Some(shape) = Shape::start(tool, world, &panel.view, &v.grid) else { return };
        let handle = match shape {
            Shape::Length(_) | Shape::Angle(_) => Some(1),
            Shape::Roi { .. } => Some(2),
            Shape::Probe(_) => None,
        };
        if let Some(m) = self.new_measurement(id, shape) {
            self.draft = handle.map(|handle| Draft { id: m, handle });
        }
    }

    /// The open end of a draft follows.
    pub fn drag_draft(&mut self, world: DVec3) {
        let Some(draft) = self.draft.clone() else { return };
        if let Some(m) = self.measurement_mut(draft.id) {
            if let (Shape::Angle(p), 1) = (&mut m.shape, draft.handle) {
                // Until the vertex is placed, the second arm has not left it.
                p[2] = world;
            }
            match &mut m.shape {
                // A region keeps its first corner: the drag sets the other.
                Shape::Roi { corners, .. } => corners[1] = world,
                shape => shape.move_handle(draft.handle, world),
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

/// The nearest point inside the volume.
pub fn clamp_to_volume(info: &VolumeInfo, world: DVec3) -> DVec3 {
    let d = info.grid.dims();
    let last = DVec3::new(f64::from(d[0]), f64::from(d[1]), f64::from(d[2])) - DVec3::ONE;
    let v = info.grid.voxel_from_world().transform_point3(world).clamp(DVec3::ZERO, last);
    info.grid.world_from_voxel().transform_point3(v)
}

#[cfg(test)]
#[path = "workspace_tests.rs"]
mod tests;
