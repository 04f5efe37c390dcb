//! What panels share: those of one series the crosshair, and with it their slices, window and time; those of one
//! frame of reference the crosshair, and of one plane zoom and place too.
//! Beside the workspace, because linking is the one thing here that moves panels nobody touched.

use protocol::{NamedWindow, SeriesId, VolumeInfo};
use scene::{DVec3, Grid, View, Window};

use super::cine;
use super::layout::LayoutKind;
use super::presets;
use super::workspace::{PanelId, PanelState, Workspace};

impl Workspace {
    /// The series from files that a series is or was computed from.
    pub fn root(&self, series: SeriesId) -> SeriesId {
        self.volumes.get(&series).and_then(|v| v.derived).map_or(series, |d| d.source)
    }

    /// Whether two series lie in one space: computed from one, or of one frame of reference (PS3.3 C.7.4.1).
    fn share_space(&self, a: SeriesId, b: SeriesId) -> bool {
        let frame = |s: SeriesId| self.volumes.get(&s).map_or(0, |v| v.frame);
        self.root(a) == self.root(b) || (frame(a) != 0 && frame(a) == frame(b))
    }

    /// Brings the panels of a series to the slices that hold its crosshair.
    pub(super) fn align_to_cursor(&mut self, series: SeriesId) {
        if let Some(cursor) = self.cursor(series) {
            self.set_cursor(series, cursor);
        }
    }

    /// Moves the crosshair; every panel of the series shows the slice through it. Depths snap to slices, so
    /// that a straight acquisition is shown as acquired and not between two images.
    pub fn set_cursor(&mut self, series: SeriesId, world: DVec3) {
        let root = self.root(series);
        if !self.volumes.contains_key(&series) {
            return;
        }
        let roots: Vec<SeriesId> = self.panels.iter().map(|p| self.root(p.series)).collect();
        let mut cursor = world;
        for (panel, _) in self.panels.iter_mut().zip(&roots).filter(|(_, of)| **of == root) {
            let Some(info) = self.volumes.get(&panel.series) else { continue };
            let (normal, by) = to_slice(&mut panel.view, &info.grid, cursor);
            cursor += normal * by;
        }
        self.cursors.insert(root, cursor);
        // Other series of the same space have other slices: they go to the nearest one and leave the crosshair be.
        for (i, of) in roots.into_iter().enumerate().filter(|(_, of)| *of != root) {
            let other = self.panels[i].series;
            if self.share_space(series, other)
                && let Some(info) = self.volumes.get(&other)
            {
                to_slice(&mut self.panels[i].view, &info.grid, cursor);
                self.cursors.insert(of, cursor);
            }
        }
    }

    /// Zoom, place and turn of a panel for those that show the same plane of another series of its space.
    pub(super) fn lead_view(&mut self, id: PanelId) {
        let Some(lead) = self.panel(id).cloned() else { return };
        let maps = self.layout == LayoutKind::Maps;
        for i in 0..self.panels.len() {
            let panel = &self.panels[i];
            let alike = panel.id != id
                && panel.view.plane == lead.view.plane
                && (maps || panel.series != lead.series)
                && self.share_space(panel.series, lead.series);
            if !alike {
                continue;
            }
            let viewport = self.viewport(panel.id);
            let Some(info) = self.volumes.get(&panel.series) else { continue };
            let normal = lead.view.plane.world_from_plane(&info.grid).z_axis;
            let panel = &mut self.panels[i];
            let depth = (panel.view.centre_world - lead.view.centre_world).dot(normal);
            let before = panel.view.clone();
            panel.view = View {
                centre_world: lead.view.centre_world + normal * depth,
                slab: before.slab,
                interpolation: before.interpolation,
                ..lead.view.clone()
            };
            panel.fitted = lead.fitted;
            if panel.fitted && self.root(self.panels[i].series) != self.root(lead.series) {
                // Each fits its own extent.
                let fitted = self.volumes.get(&self.panels[i].series).map(|v| v.grid.clone());
                if let Some(grid) = fitted {
                    self.panels[i].view.fit_zoom(&grid, viewport);
                }
            }
        }
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

    pub(super) fn each_of_series(&mut self, series: SeriesId, mut f: impl FnMut(&mut PanelState)) {
        self.panels.iter_mut().filter(|p| p.series == series).for_each(&mut f);
    }

    pub fn set_window(&mut self, series: SeriesId, window: Window) {
        if !(window.center.is_finite() && window.width.is_finite()) {
            return;
        }
        let width = window.width.max(Window::min_width(window.function));
        let window = Window { width, ..window };
        self.each_of_series(series, |p| p.window = window);
        self.remember_range(series, window);
    }

    pub fn time_points(&self, series: SeriesId) -> u32 {
        self.volumes.get(&series).map_or(1, |v| v.time_points.max(1))
    }

    /// Of the study whose maps are read, else of the series itself.
    pub fn time_points_on_screen(&self, series: SeriesId) -> u32 {
        self.time_points(if self.flow().is_some() { self.root(series) } else { series })
    }

    pub fn set_time(&mut self, series: SeriesId, index: u32) {
        let last = self.time_points(series) - 1;
        self.each_of_series(series, |p| p.time_index = index.min(last));
    }

    pub fn step_time(&mut self, series: SeriesId, steps: i32) {
        if let Some(at) = self.flow().map(|d| d.time_index) {
            let count = self.time_points(self.root(series));
            return self.set_flow_time(cine::wrap(at, steps, count));
        }
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

    /// Plays: `seconds` have passed since the last frame.
    pub fn advance_cine(&mut self, seconds: f64) {
        let slices = self.cine.slices.advance(seconds);
        let time = self.cine.time.advance(seconds);
        let Some((id, series)) = self.active_panel().map(|p| (p.id, p.series)) else { return };
        if let (true, Some(at)) = (time != 0, self.flow().map(|d| d.time_index)) {
            let count = self.time_points(self.root(series));
            self.set_flow_time(cine::wrap(at, time, count));
        }
        if slices != 0
            && let Some((now, count)) = self.slice_number(id)
        {
            self.set_slice_number(id, cine::wrap(now - 1, slices, count) + 1);
        }
        if time != 0 && self.flow().is_none() {
            self.step_time(series, time);
        }
    }
}

/// Moves a view to the slice nearest to a point; the view's normal, and how far the slice lies from the point along it.
fn to_slice(view: &mut View, grid: &Grid, world: DVec3) -> (DVec3, f64) {
    let (lo, hi, at) = view.depth_range(grid);
    let step = view.slice_step(grid);
    let normal = view.plane.world_from_plane(grid).z_axis;
    let depth = world.dot(normal);
    let to = (lo + ((depth - lo) / step).round() * step).clamp(lo.min(hi), hi.max(lo));
    view.centre_world += normal * (to - at);
    (normal, to - depth)
}

/// The nearest point inside the volume.
pub fn clamp_to_volume(info: &VolumeInfo, world: DVec3) -> DVec3 {
    let d = info.grid.dims();
    let last = DVec3::new(f64::from(d[0]), f64::from(d[1]), f64::from(d[2])) - DVec3::ONE;
    let v = info.grid.voxel_from_world().transform_point3(world).clamp(DVec3::ZERO, last);
    info.grid.world_from_voxel().transform_point3(v)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::Action;
    use crate::state::fixtures::{S, ct, dynamic, opened};

    #[test]
    fn every_panel_shows_the_slice_through_the_crosshair() {
        let mut w = opened(ct());
        w.set_cursor(S, DVec3::new(9.3, 14.0, 100.0));
        let cursor = w.cursor(S).unwrap();
        let grid = &ct().grid;
        for p in &w.panels {
            let normal = p.view.plane.world_from_plane(grid).z_axis;
            assert!((cursor - p.view.centre_world).dot(normal).abs() < 1e-9, "{:?}", p.view.plane);
        }
        // 100 = 11 + 12.28 * 7.25: the nearest slice is number 13 of 30.
        assert_eq!(w.slice_number(w.panels[0].id), Some((13, 30)));
        // Scrolling the axial moves the crosshair seen in the others, and nothing else.
        let before = w.cursor(S).unwrap();
        let axial = w.panels[0].id;
        w.step_slices(axial, 2.0);
        let after = w.cursor(S).unwrap();
        assert!((after - before - DVec3::Z * 14.5).length() < 1e-9);
    }

    #[test]
    fn a_click_far_outside_stays_inside_the_volume() {
        let mut w = opened(ct());
        w.set_cursor(S, DVec3::splat(1e6));
        assert_eq!(w.slice_number(w.panels[0].id), Some((30, 30)));
        w.apply(Action::FirstSlice);
        assert_eq!(w.slice_number(w.panels[0].id), Some((1, 30)));
        w.apply(Action::StepSlices(-1));
        assert_eq!(w.slice_number(w.panels[0].id), Some((1, 30)));
    }

    #[test]
    fn windows_and_time_are_shared_by_the_panels_of_a_series() {
        let mut w = opened(dynamic());
        w.apply(Action::Preset(1));
        assert!(w.panels.iter().all(|p| (p.window.center, p.window.width) == (-600.0, 1500.0)));
        w.apply(Action::StepTime(-1));
        assert!(w.panels.iter().all(|p| p.time_index == 5), "time runs in a ring");
        w.apply(Action::Invert);
        w.apply(Action::Reset);
        assert!(w.panels.iter().all(|p| !p.invert && p.window.center == 40.0));
    }

    #[test]
    fn cine_wraps_over_slices_and_time_separately() {
        let mut w = opened(dynamic());
        w.apply(Action::LastSlice);
        w.apply(Action::CineSlices);
        w.cine.slices.set_fps(1.0);
        w.advance_cine(1.0);
        assert_eq!(w.slice_number(w.active), Some((1, 30)));
        assert_eq!(w.panels[0].time_index, 0, "time stands still");
        w.apply(Action::CineSlices);
        w.apply(Action::CineTime);
        w.cine.time.set_fps(7.0);
        w.advance_cine(1.0);
        assert_eq!((w.slice_number(w.active), w.panels[0].time_index), (Some((1, 30)), 1));
    }
}
