//! Numbers that only the engine can give: which are missing, which were asked for.
//! One question per measurement at a time; a drag asks again only when the last answer has come.

use std::collections::BTreeMap;

use protocol::{Command, SeriesId};
use scene::DVec3;

use super::measurement::{MeasurementId, Shape};
use super::workspace::Workspace;

/// Whom an answer is for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    Hover { series: SeriesId },
    Measurement(MeasurementId),
}

#[derive(Clone, Debug, Default)]
pub struct Queries {
    last: u32,
    open: BTreeMap<u32, Target>,
    /// What was last asked about each measurement.
    asked: BTreeMap<MeasurementId, (Shape, u32)>,
    hover: Option<(SeriesId, DVec3, u32)>,
}

impl Queries {
    /// The questions to send now.
    pub fn ask(&mut self, w: &Workspace, hover: Option<(SeriesId, DVec3, u32)>) -> Vec<Command> {
        let mut commands = Vec::new();
        let hovering = self.open.values().any(|t| matches!(t, Target::Hover { .. }));
        if hover.is_none() {
            self.hover = None;
        } else if hover != self.hover && !hovering {
            self.hover = hover;
            if let Some((series, world, time_index)) = hover {
                let query = self.open(Target::Hover { series });
                commands.push(Command::Probe { query, series, world, time_index });
            }
        }
        for m in w.measurements.get() {
            let needed = matches!(m.shape, Shape::Roi { .. } | Shape::Probe(_));
            let waiting = self.open.values().any(|t| *t == Target::Measurement(m.id));
            // A region is measured at the time that is shown: its numbers follow the cine.
            let time = w.panels.iter().find(|p| p.series == m.series).map_or(m.time_index, |p| p.time_index);
            let known = self.asked.get(&m.id).is_some_and(|(s, t)| *s == m.shape && *t == time);
            if !needed || waiting || known {
                continue;
            }
            self.asked.insert(m.id, (m.shape.clone(), time));
            let query = self.open(Target::Measurement(m.id));
            let series = m.series;
            match (&m.shape, m.shape.roi()) {
                (_, Some(roi)) => commands.push(Command::Roi { query, series, roi, time_index: time }),
                (Shape::Probe(world), None) => {
                    commands.push(Command::Probe { query, series, world: *world, time_index: time });
                }
                _ => {}
            }
        }
        commands
    }

    /// Whom an answer is for; `None` for one that nobody waits for any more.
    pub fn answer(&mut self, query: u32) -> Option<Target> {
        self.open.remove(&query)
    }

    /// Everything is asked anew: the voxels have changed.
    pub fn forget_answers(&mut self) {
        self.asked.clear();
        self.hover = None;
    }

    fn open(&mut self, target: Target) -> u32 {
        self.last += 1;
        self.open.insert(self.last, target);
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::dynamic;
    use crate::state::{Action, Tool};

    #[test]
    fn each_number_is_asked_for_once_and_again_when_it_changed() {
        let mut w = Workspace::default();
        w.resize(1200.0, 800.0, 1.0);
        w.learn(SeriesId(1), dynamic());
        w.show(SeriesId(1));
        w.apply(Action::Tool(Tool::Probe));
        w.apply(Action::PlacePoint);
        let mut q = Queries::default();
        let first = q.ask(&w, None);
        assert!(matches!(first.as_slice(), [Command::Probe { query: 1, time_index: 0, .. }]), "{first:?}");
        w.apply(Action::StepTime(2));
        assert!(q.ask(&w, None).is_empty(), "the first answer is still due");
        assert!(matches!(q.answer(1), Some(Target::Measurement(_))));
        assert_eq!(q.answer(1), None, "an answer is taken once");
        assert!(matches!(q.ask(&w, None).as_slice(), [Command::Probe { query: 2, time_index: 2, .. }]));
        q.answer(2);
        assert!(q.ask(&w, None).is_empty());
        q.forget_answers();
        assert_eq!(q.ask(&w, None).len(), 1);
    }

    #[test]
    fn the_pointer_asks_for_its_newest_place_only() {
        let w = Workspace::default();
        let mut q = Queries::default();
        let at = |x: f64| Some((SeriesId(1), DVec3::X * x, 0));
        assert_eq!(q.ask(&w, at(1.0)).len(), 1);
        assert!(q.ask(&w, at(2.0)).is_empty() && q.ask(&w, at(3.0)).is_empty());
        q.answer(1);
        assert!(matches!(q.ask(&w, at(4.0)).as_slice(), [Command::Probe { world, .. }] if world.x == 4.0));
        q.answer(2);
        assert!(q.ask(&w, at(4.0)).is_empty(), "a still pointer asks nothing");
    }
}
