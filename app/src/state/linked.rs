//! What the panels of one series share: the crosshair, and with it their slices; window and time.
//! Beside the workspace, because linking is the one thing here that moves panels nobody touched.

use protocol::{NamedWindow, SeriesId, VolumeInfo};
use scene::{DVec3, Window};

use super::cine;
use super::presets;
use super::workspace::{PanelId, PanelState, Workspace};

impl Workspace {
    /// Brings the panels of a series to the slices that hold its crosshair.
    pub(super) fn align_to_cursor(&mut self, series: SeriesId) {
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
    }

    pub fn time_points(&self, series: SeriesId) -> u32 {
        self.volumes.get(&series).map_or(1, |v| v.time_points.max(1))
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
