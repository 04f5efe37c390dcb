//! Placing measurements: by pointer or by keys, one point after the other.
//! Apart from the shapes themselves, which know nothing of panels, tools or undo.

use protocol::SeriesId;
use scene::{DVec3, Plane};

use super::measurement::{Measurement, MeasurementId, Shape};
use super::workspace::{PanelId, Workspace};

/// A measurement whose points are still being placed.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub id: MeasurementId,
    /// The handle that follows the pointer.
    pub handle: usize,
}

impl Workspace {
    pub fn new_measurement(&mut self, id: PanelId, shape: Shape) -> Option<MeasurementId> {
        let panel = self.panel(id)?;
        let (series, plane, time_index) = (panel.series, panel.view.plane, panel.time_index);
        Some(self.add_measurement(series, plane, time_index, shape))
    }

    /// Puts a measurement where no panel need be.
    pub(super) fn add_measurement(
        &mut self,
        series: SeriesId,
        plane: Plane,
        time_index: u32,
        shape: Shape,
    ) -> MeasurementId {
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
        id
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::{S, ct, opened};
    use crate::state::{Action, Tool};

    #[test]
    fn measuring_without_a_mouse() {
        let mut w = opened(ct());
        w.apply(Action::Tool(Tool::Length));
        w.apply(Action::PlacePoint);
        w.apply(Action::NudgeCrosshair(8, 0));
        w.apply(Action::PlacePoint);
        assert!(w.draft.is_none());
        let m = w.measurements.get()[0].clone();
        let Shape::Length([a, b]) = m.shape else { panic!("{m:?}") };
        assert!((a.distance(b) - 6.0).abs() < 1e-9, "8 steps of 0.75 mm, got {}", a.distance(b));
        w.apply(Action::DeleteMeasurement);
        assert!(w.measurements.get().is_empty());
        w.apply(Action::Undo);
        assert_eq!(w.measurements.get().len(), 1);
    }

    #[test]
    fn an_angle_takes_three_points_and_cancel_takes_it_away() {
        let mut w = opened(ct());
        w.apply(Action::Tool(Tool::Angle));
        let id = w.active;
        let at = w.cursor(S).unwrap();
        w.place_point(id, at);
        w.place_point(id, at + DVec3::X * 5.0);
        assert!(w.draft.is_some());
        w.place_point(id, at + DVec3::new(5.0, 5.0, 0.0));
        assert!(w.draft.is_none());
        let r = w.measurements.get()[0].reading(scene::LengthUnit::Millimetre, "HU");
        assert!((r.value.unwrap() - 90.0).abs() < 1e-9);
        w.place_point(id, at);
        w.apply(Action::Cancel);
        assert_eq!(w.measurements.get().len(), 1, "only the unfinished one goes");
    }
}
