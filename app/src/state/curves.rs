//! Curves that the plot shows beside the vessels': of the point under the pointer, of pinned points, of regions.
//! One question at a time; what is asked for is the newest, and a still page asks nothing.

use protocol::perfusion::{Curve, Place};
use protocol::{Command, SeriesId};
use scene::DVec3;

use super::measurement::MeasurementId;
use super::workspace::Workspace;

/// Whose curve one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Pointer,
    /// By its place in the list.
    Pin(usize),
    Region(MeasurementId),
}

/// What came back for the newest question.
pub type Curves = Vec<(Role, Curve)>;

#[derive(Clone, Debug, Default)]
pub struct CurveQueries {
    last: u32,
    waiting: Option<(u32, Vec<Role>)>,
    /// Of which answer of which study, and where.
    asked: Option<(SeriesId, u32, Vec<Place>)>,
}

impl CurveQueries {
    /// The question to send now, if there is a new one.
    pub fn ask(&mut self, w: &Workspace, hover: Option<(SeriesId, DVec3)>) -> Option<Command> {
        let desk = w.flow()?;
        if self.waiting.is_some() || desk.findings.is_none() {
            return None;
        }
        let mut roles = Vec::new();
        let mut places = Vec::new();
        if let Some((series, world)) = hover
            && w.root(series) == desk.series
        {
            roles.push(Role::Pointer);
            places.push(Place::Point(world.to_array()));
        }
        for (i, pin) in desk.pins.iter().enumerate() {
            roles.push(Role::Pin(i));
            places.push(Place::Point(pin.to_array()));
        }
        for m in w.measurements.get().iter().filter(|m| w.root(m.series) == desk.series) {
            if let Some(roi) = m.shape.roi() {
                roles.push(Role::Region(m.id));
                places.push(Place::Region(roi));
            }
        }
        let asking = (desk.series, desk.answers, places);
        if self.asked.as_ref() == Some(&asking) {
            return None;
        }
        self.asked = Some(asking.clone());
        self.last += 1;
        self.waiting = Some((self.last, roles));
        let (series, _, places) = asking;
        Some(Command::PerfusionCurves { query: self.last, series, places })
    }

    /// The curves of the question that was under way; `None` for another answer.
    pub fn answer(&mut self, query: u32, curves: Vec<Curve>) -> Option<Curves> {
        let (_, roles) = self.waiting.take_if(|(waiting, _)| *waiting == query)?;
        Some(roles.into_iter().zip(curves).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::{S, dynamic, findings, opened};
    use crate::state::perfusion::Pick;
    use protocol::perfusion::Suggestion;

    #[test]
    fn the_pointer_and_the_pins_are_asked_about_once_and_after_every_answer() {
        let mut w = opened(dynamic());
        let mut q = CurveQueries::default();
        let at = w.volume(S).unwrap().grid.centre_world();
        assert!(q.ask(&w, Some((S, at))).is_none(), "nothing is open");
        w.open_perfusion(S, Suggestion::default());
        assert!(q.ask(&w, Some((S, at))).is_none(), "nothing is computed");
        w.flow_mut().unwrap().next_task(1);
        w.take_findings(S, 1, Ok(findings()));
        w.pick(Pick::Pin, at);
        let Some(Command::PerfusionCurves { query: 1, places, .. }) = q.ask(&w, Some((S, at))) else {
            panic!("a question")
        };
        assert_eq!(places.len(), 2);
        assert!(q.ask(&w, None).is_none(), "one at a time");
        assert_eq!(q.answer(9, vec![]), None);
        let roles: Vec<Role> =
            q.answer(1, vec![Curve::default(); 2]).unwrap().into_iter().map(|(role, _)| role).collect();
        assert_eq!(roles, [Role::Pointer, Role::Pin(0)]);
        assert!(q.ask(&w, Some((S, at))).is_none(), "a still pointer");
        assert!(q.ask(&w, None).is_some(), "the pointer left");
        q.answer(2, vec![Curve::default()]);
        w.flow_mut().unwrap().answers += 1;
        assert!(q.ask(&w, None).is_some(), "computed anew");
    }
}
