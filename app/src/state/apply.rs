//! What keys and buttons do to the workspace.
//! One match over every action, so that the compiler names an action that nothing does.

use protocol::VolumeInfo;
use protocol::segmentation::Step;
use scene::{DVec2, Interpolation, SlabMode, View, Viewport};

use super::action::{Action, Tool};
use super::cine::{self, Cine};
use super::linked::clamp_to_volume;
use super::presets;
use super::workspace::{PanelId, Workspace};

impl Workspace {
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
                if self.time_points_on_screen(series) > 1 {
                    self.cine.time.toggle();
                }
            }
            Action::CineFaster(by) => {
                let axis = if self.cine.time.playing { &mut self.cine.time } else { &mut self.cine.slices };
                axis.set_fps(axis.fps + f64::from(by));
            }
            Action::Undo => {
                let measures = self.tool.measures();
                let reading = self.desk_mut().filter(|_| !measures).is_some_and(|d| d.session.undo())
                    || self.flow_mut().filter(|_| !measures).is_some_and(|d| d.session.undo())
                    || self.undo_label(Step::Undo);
                if !reading && !self.cancel_draft() {
                    self.measurements.undo();
                }
            }
            Action::Redo => {
                let measures = self.tool.measures();
                let reading = self.desk_mut().filter(|_| !measures).is_some_and(|d| d.session.redo())
                    || self.flow_mut().filter(|_| !measures).is_some_and(|d| d.session.redo())
                    || self.undo_label(Step::Redo);
                if !reading {
                    self.measurements.redo();
                }
            }
            Action::Vessel(vessel) => {
                if let Some(desk) = self.desk_mut() {
                    desk.vessel = vessel;
                }
            }
            Action::Candidate(step) => self.next_candidate(step),
            Action::DeleteMeasurement => {
                if let Some(m) = self.selected {
                    self.delete(m);
                }
            }
            Action::Cancel => {
                let stroke = self.desk_mut().and_then(|d| d.stroke.take());
                if stroke.is_none()
                    && !self.cancel_draft()
                    && self.selected.take().is_none()
                    && self.cine.playing()
                {
                    self.cine = Cine::default();
                }
            }
            Action::PlacePoint => {
                if let Some(cursor) = self.cursor(series) {
                    match self.tool {
                        Tool::Calcium(hand) => self.place_with(id, hand, cursor),
                        Tool::Perfusion(pick) => self.pick(pick, cursor),
                        Tool::Label(brush) => self.label_at(id, brush, cursor),
                        _ => self.place_point(id, cursor),
                    }
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
                    self.lead_view(id);
                }
            }
            Action::Calcium
            | Action::Perfusion
            | Action::StepSeries(_)
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::{ct, opened};

    #[test]
    fn a_quarter_turn_is_clockwise_even_when_flipped() {
        let grid = ct().grid;
        for flip in [false, true] {
            let mut w = opened(ct());
            if flip {
                w.apply(Action::FlipHorizontal);
            }
            let right = w.active_panel().unwrap().view.edge_letters(&grid)[1].clone();
            w.apply(Action::Rotate(1));
            let bottom = w.active_panel().unwrap().view.edge_letters(&grid)[3].clone();
            assert_eq!(right, bottom, "what was on the right is below; flipped: {flip}");
            w.apply(Action::Rotate(-1));
            assert_eq!(w.active_panel().unwrap().view.edge_letters(&grid)[1], right);
        }
    }

    #[test]
    fn maximise_keeps_the_others_for_later() {
        let mut w = opened(ct());
        let first = w.panels[0].id;
        w.apply(Action::Maximise);
        assert_eq!(w.places().len(), 1);
        assert_eq!(w.place(first).unwrap().cell.width, 1200.0);
        w.apply(Action::StepPanel(1));
        assert_eq!(w.places()[0].0, w.panels[1].id);
        w.apply(Action::Maximise);
        assert_eq!(w.places().len(), 3);
    }
}
