//! The desk of a calcium reading: what the reader decided so far, what is in the hand, the last good answer.
//!
//! The reader's decisions are one value with a history, sent whole with every question; so undo is an older
//! value, and an answer can never belong to other settings than those that were asked about.

use contract::calcium::{Edit, Region, Session, Vessel};
use protocol::calcium::{Lesion, Suggestion, Table, Task};
use protocol::{LabelSource, Overlay, OverlayStyle, SeriesId};
use scene::{DVec2, DVec3, Grid};
use serde::{Deserialize, Serialize};

use super::history::History;
use super::workspace::{PanelId, Workspace};

/// What a press does while calcium is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Hand {
    /// A click gives a lesion to the chosen vessel.
    #[default]
    Assign,
    /// A line divides lesions.
    Cut,
    /// A closed line gives what it holds.
    Freehand,
    /// So does a box.
    Box,
    /// A ball rubs out.
    Erase,
    /// Moves the edges of the heart region.
    Region,
}

impl Hand {
    pub const ALL: [Self; 6] =
        [Self::Assign, Self::Cut, Self::Freehand, Self::Box, Self::Erase, Self::Region];

    pub fn slug(self) -> &'static str {
        match self {
            Self::Assign => "assign",
            Self::Cut => "cut",
            Self::Freehand => "freehand",
            Self::Box => "box",
            Self::Erase => "erase",
            Self::Region => "region",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Assign => "Assign lesion",
            Self::Cut => "Scalpel",
            Self::Freehand => "Freehand region",
            Self::Box => "Box region",
            Self::Erase => "Rub out",
            Self::Region => "Heart region",
        }
    }

    /// What to do with it, for the panel's hint.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Assign => "Press on a lesion to give it to the chosen vessel.",
            Self::Cut => "Draw a line across a lesion: each side can then go to its own vessel.",
            Self::Freehand => "Draw around lesions to give them all to the chosen vessel.",
            Self::Box => "Drag a box over lesions to give them all to the chosen vessel.",
            Self::Erase => "Drag from the middle of what is no calcium: a ball of that size is rubbed out.",
            Self::Region => "Drag an edge of the box. What lies outside does not count.",
        }
    }
}

/// A line that is being drawn, in the world; the plane it lies in belongs to it.
#[derive(Clone, Debug, PartialEq)]
pub struct Stroke {
    pub hand: Hand,
    pub panel: PanelId,
    pub points: Vec<DVec3>,
    along: DVec3,
    right: DVec3,
    depth_mm: f64,
}

impl Stroke {
    /// Corners of a box over its first and last point.
    pub fn corners(&self) -> Vec<DVec3> {
        let (Some(a), Some(c)) = (self.points.first(), self.points.last()) else { return Vec::new() };
        let across = self.right * (*c - *a).dot(self.right);
        vec![*a, *a + across, *c, *c - across]
    }

    /// What the stroke does; `None` for one too small to mean anything.
    fn edit(&self, vessel: Option<Vessel>, least_mm: f64) -> Option<Edit> {
        let (a, b) = (*self.points.first()?, *self.points.last()?);
        let along = self.along.to_array();
        let length = a.distance(b);
        match self.hand {
            Hand::Cut if length > least_mm => {
                Some(Edit::Cut { from_mm: a.to_array(), to_mm: b.to_array(), along, depth_mm: self.depth_mm })
            }
            Hand::Erase if length > least_mm => {
                Some(Edit::Erase { centre_mm: a.to_array(), radius_mm: length })
            }
            Hand::Box | Hand::Freehand => {
                let corners = if self.hand == Hand::Box { self.corners() } else { self.points.clone() };
                let reach = corners.iter().map(|c| c.distance(a)).fold(0.0, f64::max);
                (corners.len() > 2 && reach > least_mm).then(|| Edit::Outline {
                    corners_mm: corners.iter().map(|c| c.to_array()).collect(),
                    along,
                    depth_mm: self.depth_mm,
                    vessel,
                })
            }
            _ => None,
        }
    }
}

/// A reading of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Desk {
    pub series: SeriesId,
    pub suggestion: Suggestion,
    pub session: History<Session>,
    /// Where the slider is while it is held.
    pub dragged_hu: Option<f64>,
    /// Whose the next lesion is; `None` takes away.
    pub vessel: Option<Vessel>,
    pub stroke: Option<Stroke>,
    pub table: Option<Table>,
    /// Why there is no newer answer.
    pub failure: Option<String>,
    /// The candidate that was jumped to.
    pub candidate: Option<u32>,
    asked: Option<Task>,
    waiting: Option<u32>,
}

impl Desk {
    pub fn new(series: SeriesId, suggestion: Suggestion) -> Self {
        let mut session = History::<Session>::default();
        session.get_mut().region = suggestion.region;
        Self {
            series,
            suggestion,
            session,
            dragged_hu: None,
            vessel: Some(Vessel::Lm),
            stroke: None,
            table: None,
            failure: None,
            candidate: None,
            asked: None,
            waiting: None,
        }
    }

    /// What voxels count from, as it is shown now.
    pub fn threshold_hu(&self) -> f64 {
        self.dragged_hu.unwrap_or(self.settled_hu())
    }

    /// What voxels count from when the slider is not held.
    pub fn settled_hu(&self) -> f64 {
        self.session.get().threshold_hu.unwrap_or(self.suggestion.standard_threshold_hu)
    }

    /// A decision, undone by one undo.
    pub fn decide(&mut self, change: impl FnOnce(&mut Session)) {
        self.session.checkpoint();
        change(self.session.get_mut());
    }

    /// The slider was let go: the standard threshold is no decision.
    pub fn settle_threshold(&mut self, hu: f64) {
        self.dragged_hu = None;
        let standard = self.suggestion.standard_threshold_hu;
        self.decide(|s| s.threshold_hu = (hu != standard).then_some(hu));
    }

    /// The question to send now, if there is a new one. One at a time is under way; the newest state is asked
    /// about when its answer has come.
    pub fn next_task(&mut self, query: u32) -> Option<Task> {
        let mut session = self.session.get().clone();
        let quick = self.dragged_hu.is_some();
        if let Some(hu) = self.dragged_hu {
            session.threshold_hu = Some(hu);
        }
        let task = Task { series: self.series, session, quick };
        if self.waiting.is_some() || self.asked.as_ref() == Some(&task) {
            return None;
        }
        self.asked = Some(task.clone());
        self.waiting = Some(query);
        Some(task)
    }

    /// The series is another than the one that was asked about: the same question is a new one.
    pub fn ask_again(&mut self) {
        self.asked = None;
    }

    /// An answer. Says what the reader should be told, if anything.
    pub fn answer(&mut self, query: u32, outcome: Result<Table, String>) -> Option<String> {
        if self.waiting != Some(query) {
            return None;
        }
        self.waiting = None;
        match outcome {
            Ok(table) => {
                let missed = self.missed(&table);
                self.failure = None;
                // A quick answer leaves out what it did not compute; the last full one said it.
                let band = self.table.take().and_then(|t| t.band).filter(|_| table.quick);
                self.table = Some(Table { band: table.band.clone().or(band), ..table });
                missed
            }
            Err(message) => {
                self.failure = Some(message.clone());
                None
            }
        }
    }

    /// The newest step did nothing: it is taken back, and the reader is told.
    fn missed(&mut self, table: &Table) -> Option<String> {
        let asked = &self.asked.as_ref()?.session;
        let last = asked.edits.len().checked_sub(1)?;
        let newest = self.session.get().edits == asked.edits;
        if !(newest && table.without_effect.contains(&(last as u32))) {
            return None;
        }
        // Only a step just made: a slider may leave older ones without their lesion, and they come back with it.
        let before = &asked.edits[..last];
        let known = self.table.as_ref().map_or(0, |t| t.steps);
        if known as usize != before.len() {
            return None;
        }
        let text = match asked.edits[last] {
            Edit::Assign { .. } => "There is no calcium at this point: nothing was assigned.",
            Edit::Outline { .. } => "The region holds no calcium: nothing was assigned.",
            Edit::Cut { .. } => "The line crosses no calcium: nothing was divided.",
            Edit::Erase { .. } => return None,
        };
        self.session.undo();
        Some(text.to_owned())
    }

    /// Lesions that nobody has, largest first.
    pub fn candidates(&self) -> impl Iterator<Item = &Lesion> {
        self.table.iter().flat_map(|t| &t.lesions).filter(|l| l.vessel.is_none())
    }

    /// What the picture shows of it.
    pub fn overlay(&self) -> Overlay {
        let region = self.session.get().region;
        Overlay {
            lowest: self.threshold_hu(),
            highest: f64::MAX,
            region: region.map(|r| [r.from, r.to]),
            palette: PALETTE.to_vec(),
            labels: LabelSource::Analysis,
            style: OverlayStyle::Fill,
        }
    }
}

/// Candidates, the vessels in their order, nothing for what was rubbed out. The vessels' colours are told apart
/// with every colour vision (Okabe and Ito 2008); letters and the table say the same.
pub const PALETTE: [[u8; 4]; 16] = {
    let mut palette = [[0; 4]; 16];
    palette[0] = [150, 140, 175, 150];
    palette[1] = [240, 228, 66, 215];
    palette[2] = [213, 94, 0, 215];
    palette[3] = [86, 180, 233, 215];
    palette[4] = [0, 158, 115, 215];
    palette[5] = [204, 121, 167, 215];
    palette[6] = [230, 159, 0, 215];
    palette
};

/// The colour of a vessel as CSS writes it.
pub fn colour(vessel: Vessel) -> String {
    let [r, g, b, _] = PALETTE[usize::from(vessel.label())];
    format!("rgb({r} {g} {b})")
}

/// An edge of the region that is in the hand: axis and whether it is the far end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    axis: usize,
    far: bool,
}

impl Workspace {
    /// The reading of the active series, if calcium is open.
    pub fn desk(&self) -> Option<&Desk> {
        let series = self.active_panel()?.series;
        self.desks.get(&series).filter(|_| self.calcium_open)
    }

    pub fn desk_mut(&mut self) -> Option<&mut Desk> {
        let series = self.active_panel()?.series;
        self.desks.get_mut(&series).filter(|_| self.calcium_open)
    }

    /// Opens the desk of a series, as it was left.
    pub fn open_calcium(&mut self, series: SeriesId, suggestion: Suggestion) {
        self.calcium_open = true;
        let desk = self.desks.entry(series).or_insert_with(|| Desk::new(series, suggestion.clone()));
        // The region is known when every slice has arrived; a reader who began earlier gets it then.
        if desk.suggestion.region.is_none() && *desk.session.get() == Session::default() {
            *desk = Desk::new(series, suggestion);
        }
    }

    /// A stroke's plane: direction of sight, its right, and how thick what is seen is.
    fn sight(&self, id: PanelId) -> Option<(DVec3, DVec3, f64)> {
        let panel = self.panel(id)?;
        let grid = &self.volumes.get(&panel.series)?.grid;
        let axes = panel.view.world_from_screen_axes(grid);
        // A plane shows the slice it lies in.
        let step = panel.view.slice_step(grid);
        Some((axes.z_axis, axes.x_axis, panel.view.slab.thickness.max(step)))
    }

    /// Gives the lesion at a point to the chosen vessel.
    pub fn assign_at(&mut self, id: PanelId, world: DVec3) {
        let Some((along, _, _)) = self.sight(id) else { return };
        let slab_mm = self.panel(id).map_or(0.0, |p| p.view.slab.thickness);
        if let Some(desk) = self.desk_mut() {
            let vessel = desk.vessel;
            desk.decide(|s| {
                s.edits.push(Edit::Assign {
                    at_mm: world.to_array(),
                    along: along.to_array(),
                    depth_mm: slab_mm,
                    vessel,
                });
            });
        }
    }

    /// Begins a stroke at a point.
    pub fn begin_stroke(&mut self, id: PanelId, hand: Hand, world: DVec3) {
        let Some((along, right, depth_mm)) = self.sight(id) else { return };
        if let Some(desk) = self.desk_mut() {
            desk.stroke = Some(Stroke { hand, panel: id, points: vec![world], along, right, depth_mm });
        }
    }

    /// The stroke goes on; only a freehand line keeps its way.
    pub fn extend_stroke(&mut self, id: PanelId, world: DVec3) {
        let least_mm = self.panel(id).map_or(0.0, |p| 2.0 * p.view.world_per_px);
        let Some(stroke) = self.desk_mut().and_then(|d| d.stroke.as_mut()).filter(|s| s.panel == id) else {
            return;
        };
        if stroke.hand == Hand::Freehand {
            if stroke.points.last().is_none_or(|p| p.distance(world) >= least_mm) {
                stroke.points.push(world);
            }
        } else {
            stroke.points.truncate(1);
            stroke.points.push(world);
        }
    }

    /// The stroke is done.
    pub fn end_stroke(&mut self, id: PanelId) {
        let least_mm = self.panel(id).map_or(0.0, |p| 3.0 * self.device_pixel_ratio * p.view.world_per_px);
        if let Some(desk) = self.desk_mut()
            && let Some(stroke) = desk.stroke.take()
            && let Some(edit) = stroke.edit(desk.vessel, least_mm)
        {
            desk.decide(|s| s.edits.push(edit));
        }
    }

    /// With the keyboard: points at the crosshair, as many as the hand needs.
    pub fn place_with(&mut self, id: PanelId, hand: Hand, world: DVec3) {
        match hand {
            Hand::Assign => self.assign_at(id, world),
            Hand::Region => {}
            _ if self.desk().is_some_and(|d| d.stroke.as_ref().is_some_and(|s| s.panel == id)) => {
                self.extend_stroke(id, world);
                self.end_stroke(id);
            }
            // A line that is drawn by hand needs a hand; with keys a box does the same.
            Hand::Freehand => self.begin_stroke(id, Hand::Box, world),
            _ => self.begin_stroke(id, hand, world),
        }
    }

    /// The next lesion that nobody has, from the largest; the crosshair goes there.
    pub fn next_candidate(&mut self, step: i32) {
        let Some(desk) = self.desk_mut() else { return };
        let list: Vec<(u32, DVec3)> = desk.candidates().map(|l| (l.id, DVec3::from(l.on_mm))).collect();
        if list.is_empty() {
            desk.candidate = None;
            return;
        }
        let at = desk.candidate.and_then(|c| list.iter().position(|l| l.0 == c));
        let to = match at {
            Some(at) => super::cine::wrap(at as u32, step, list.len() as u32) as usize,
            None if step < 0 => list.len() - 1,
            None => 0,
        };
        let (id, world) = list[to];
        desk.candidate = Some(id);
        let series = desk.series;
        self.set_cursor(series, world);
    }

    /// The edges of the region near a panel's pixel: one, or two at a corner.
    pub fn edges_near(&self, id: PanelId, at_px: DVec2, reach_px: f64) -> Vec<Edge> {
        let (Some(desk), Some(panel)) = (self.desk(), self.panel(id)) else { return Vec::new() };
        let (Some(region), Some(volume)) = (desk.session.get().region, self.volumes.get(&panel.series))
        else {
            return Vec::new();
        };
        let m = panel.view.world_from_screen(&volume.grid, self.viewport(id));
        let from_screen = volume.grid.voxel_from_world() * m;
        let at = from_screen.transform_point3(at_px.extend(0.0)).to_array();
        // Voxels per pixel along each axis; an axis seen end on has no edge here.
        let m = from_screen.matrix3;
        let per_px = m.x_axis.abs().max(m.y_axis.abs()).to_array();
        let near = |axis: usize| {
            let seen_end_on = per_px[axis] < 1e-3 * m.x_axis.length();
            let reach = reach_px * per_px[axis];
            [(false, region.from[axis]), (true, region.to[axis])]
                .into_iter()
                .find(|(_, edge)| !seen_end_on && (at[axis] + 0.5 - f64::from(*edge)).abs() <= reach)
                .map(|(far, _)| Edge { axis, far })
        };
        (0..3).filter_map(near).collect()
    }

    /// Moves edges to a point.
    pub fn drag_edges(&mut self, edges: &[Edge], world: DVec3) {
        let Some(series) = self.active_panel().map(|p| p.series) else { return };
        let Some(grid) = self.volumes.get(&series).map(|v| v.grid.clone()) else { return };
        if let Some(region) = self.desk_mut().and_then(|d| d.session.get_mut().region.as_mut()) {
            *region = moved(*region, edges, &grid, world);
        }
    }
}

fn moved(mut region: Region, edges: &[Edge], grid: &Grid, world: DVec3) -> Region {
    let at = grid.voxel_from_world().transform_point3(world).to_array();
    for Edge { axis, far } in edges.iter().copied() {
        let to = (at[axis] + 0.5).round().clamp(0.0, f64::from(grid.dims()[axis])) as u32;
        region = region.with_edge(axis, far, to);
    }
    region
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::{S, calcium_table, ct, opened};
    use crate::state::{Action, LayoutKind};

    fn suggestion() -> Suggestion {
        Suggestion {
            region: Some(Region { from: [2, 3, 4], to: [20, 21, 28] }),
            standard_threshold_hu: 130.0,
            conventions: vec![("default".into(), "test".into())],
        }
    }

    fn open() -> Workspace {
        let mut w = opened(ct());
        w.open_calcium(S, suggestion());
        w
    }

    #[test]
    fn one_question_is_under_way_and_the_newest_follows() {
        let mut w = open();
        let desk = w.desk_mut().unwrap();
        let first = desk.next_task(1).unwrap();
        assert_eq!((first.session.region, first.quick), (suggestion().region, false));
        desk.dragged_hu = Some(110.0);
        assert_eq!(desk.next_task(2), None, "one is under way");
        desk.dragged_hu = Some(90.0);
        assert!(desk.answer(7, Ok(calcium_table())).is_none() && desk.table.is_none(), "no answer of ours");
        desk.answer(1, Ok(calcium_table()));
        let quick = desk.next_task(3).unwrap();
        assert_eq!((quick.session.threshold_hu, quick.quick), (Some(90.0), true));
        desk.answer(3, Ok(Table { quick: true, band: None, ..calcium_table() }));
        assert!(desk.table.as_ref().unwrap().band.is_some(), "the last full answer said it");
        desk.settle_threshold(90.0);
        assert!(!desk.next_task(4).unwrap().quick);
        desk.answer(4, Err("no".into()));
        assert_eq!(
            (desk.failure.as_deref(), desk.table.is_some()),
            (Some("no"), true),
            "the last good one stays"
        );
        assert_eq!(desk.next_task(5), None, "nothing new to ask");
        desk.ask_again();
        assert!(desk.next_task(6).is_some(), "the series has grown");
    }

    #[test]
    fn the_standard_threshold_is_no_decision() {
        let mut w = open();
        let desk = w.desk_mut().unwrap();
        desk.settle_threshold(100.0);
        assert_eq!((desk.session.get().threshold_hu, desk.threshold_hu()), (Some(100.0), 100.0));
        desk.settle_threshold(130.0);
        assert_eq!((desk.session.get().threshold_hu, desk.threshold_hu()), (None, 130.0));
    }

    #[test]
    fn a_step_that_does_nothing_is_taken_back_and_told() {
        let mut w = open();
        let id = w.panels[0].id;
        w.desk_mut().unwrap().next_task(1);
        w.desk_mut().unwrap().answer(1, Ok(calcium_table()));
        w.assign_at(id, DVec3::ZERO);
        let desk = w.desk_mut().unwrap();
        desk.next_task(2);
        let told = desk.answer(2, Ok(Table { without_effect: vec![0], steps: 1, ..calcium_table() }));
        assert!(told.unwrap().contains("no calcium") && desk.session.get().edits.is_empty());
        // One that lost its lesion to the slider stays.
        w.assign_at(id, DVec3::ONE);
        let desk = w.desk_mut().unwrap();
        desk.answer(2, Err(String::new()));
        desk.next_task(3);
        desk.answer(3, Ok(Table { steps: 1, ..calcium_table() }));
        desk.settle_threshold(300.0);
        desk.next_task(4);
        assert_eq!(desk.answer(4, Ok(Table { without_effect: vec![0], steps: 1, ..calcium_table() })), None);
        assert_eq!(desk.session.get().edits.len(), 1);
    }

    #[test]
    fn strokes_become_steps_and_undo_takes_them_back() {
        let mut w = open();
        let id = w.panels[0].id;
        let at = |w: &Workspace, x: f64, y: f64| w.world_at(id, DVec2::new(x, y)).unwrap();
        for (hand, count) in [(Hand::Cut, 2), (Hand::Box, 2), (Hand::Erase, 2), (Hand::Freehand, 4)] {
            let from = at(&w, 100.0, 100.0);
            w.begin_stroke(id, hand, from);
            for (x, y) in [(150.0, 100.0), (160.0, 170.0), (90.0, 180.0)] {
                let to = at(&w, x, y);
                w.extend_stroke(id, to);
            }
            assert_eq!(w.desk().unwrap().stroke.as_ref().unwrap().points.len(), count, "{hand:?}");
            w.end_stroke(id);
        }
        let edits = w.desk().unwrap().session.get().edits.clone();
        assert_eq!(edits.len(), 4);
        let Edit::Outline { corners_mm, along, depth_mm, .. } = &edits[1] else { panic!("{edits:?}") };
        assert_eq!(
            (corners_mm.len(), *along, *depth_mm),
            (4, [0.0, 0.0, 1.0], 7.25),
            "a box in one axial slice"
        );
        w.begin_stroke(id, Hand::Cut, DVec3::ZERO);
        w.end_stroke(id);
        assert_eq!(w.desk().unwrap().session.get().edits.len(), 4, "a press without a drag is no cut");
        w.apply(Action::Undo);
        w.apply(Action::Undo);
        assert_eq!(w.desk().unwrap().session.get().edits, edits[..2]);
        w.apply(Action::Redo);
        assert_eq!(w.desk().unwrap().session.get().edits, edits[..3]);
    }

    #[test]
    fn candidates_come_from_the_largest_and_the_crosshair_goes_along() {
        let mut w = open();
        w.desk_mut().unwrap().next_task(1);
        w.desk_mut().unwrap().answer(1, Ok(calcium_table()));
        let mut seen = Vec::new();
        for step in [1, 1, 1, -1] {
            w.next_candidate(step);
            seen.push(w.desk().unwrap().candidate.unwrap());
            let lesion =
                calcium_table().lesions.into_iter().find(|l| Some(l.id) == seen.last().copied()).unwrap();
            let cursor = w.cursor(S).unwrap();
            assert!(cursor.truncate().distance(DVec3::from(lesion.on_mm).truncate()) < 1.25, "{cursor}");
        }
        assert_eq!(seen, [7, 3, 7, 3], "1 is assigned already");
    }

    #[test]
    fn edges_are_found_and_moved_and_never_cross() {
        let mut w = open();
        let id = w.panels[0].id;
        let volume = w.volume(S).unwrap();
        let px = |w: &Workspace, voxel: DVec3| {
            let world = volume.grid.world_from_voxel().transform_point3(voxel);
            let m = w.panel(id).unwrap().view.screen_from_world(&volume.grid, w.viewport(id));
            m.transform_point3(world).truncate()
        };
        // The corner of columns 2 and rows 21, half a voxel before the first and after the last.
        let corner = px(&w, DVec3::new(1.5, 20.5, 10.0));
        let edges = w.edges_near(id, corner, 8.0);
        assert_eq!(edges, [Edge { axis: 0, far: false }, Edge { axis: 1, far: true }]);
        assert!(w.edges_near(id, corner + DVec2::new(60.0, -60.0), 8.0).is_empty());
        let to = volume.grid.world_from_voxel().transform_point3(DVec3::new(4.5, 15.5, 0.0));
        w.drag_edges(&edges, to);
        let region = w.desk().unwrap().session.get().region.unwrap();
        assert_eq!((region.from, region.to), ([5, 3, 4], [20, 16, 28]));
        w.drag_edges(&edges, volume.grid.world_from_voxel().transform_point3(DVec3::new(40.0, -9.0, 0.0)));
        let region = w.desk().unwrap().session.get().region.unwrap();
        assert_eq!((region.from, region.to), ([19, 3, 4], [20, 4, 28]));
    }

    #[test]
    fn the_scene_carries_the_overlay_only_while_calcium_is_open() {
        let mut w = open();
        w.apply(Action::Layout(LayoutKind::Overview));
        let scene = crate::state::outbox::scene_of(&w);
        assert_eq!(scene.panels.len(), 3);
        let overlay = scene.panels[0].overlay.clone().unwrap();
        assert_eq!((overlay.lowest, overlay.region), (130.0, Some([[2, 3, 4], [20, 21, 28]])));
        assert!(scene.panels[1].view.slab.thickness > 100.0, "a MIP of everything");
        w.desk_mut().unwrap().dragged_hu = Some(90.0);
        let held = crate::state::outbox::scene_of(&w).panels;
        let lowest: Vec<f64> = held.into_iter().map(|p| p.overlay.unwrap().lowest).collect();
        assert_eq!(lowest, [90.0, 130.0, 130.0], "projections follow when the slider is let go");
        w.calcium_open = false;
        assert!(crate::state::outbox::scene_of(&w).panels.iter().all(|p| p.overlay.is_none()));
    }
}
