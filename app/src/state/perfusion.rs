//! The desk of a perfusion study: what the reader decided so far, which step is on the screen, the last good maps.
//!
//! As with calcium the decisions are one value with a history, sent whole with every question. What the four panels
//! show, which colours they have and where the time stands changes no map and is asked of nobody.

use std::collections::{BTreeMap, BTreeSet};

use contract::perfusion::{Session, Source};
pub use protocol::perfusion::Slot;
use protocol::perfusion::{Findings, Map, Place, Step, Suggestion, Task, Vessel};
use protocol::{LabelSource, Overlay, OverlayStyle, SeriesId, VolumeInfo};
use scene::{Colormap, DVec2, DVec3, Frame, Plane, Window};
use serde::{Deserialize, Serialize};

use super::history::History;
use super::layout::LayoutKind;
use super::presets;
use super::workspace::{PanelId, PanelState, Workspace};

/// What a press does while perfusion is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pick {
    /// The artery is near here.
    #[default]
    Aif,
    /// The vein is near here.
    Vof,
    /// The curve of this point stays on the screen.
    Pin,
}

impl Pick {
    pub const ALL: [Self; 3] = [Self::Aif, Self::Vof, Self::Pin];

    pub fn slug(self) -> &'static str {
        match self {
            Self::Aif => "aif",
            Self::Vof => "vof",
            Self::Pin => "pin",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Aif => "Pick the artery",
            Self::Vof => "Pick the vein",
            Self::Pin => "Pin a curve",
        }
    }

    /// What to do with it, for the panel's hint.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Aif => "Press on an artery: the best curve within the radius becomes the input.",
            Self::Vof => "Press on a large vein: the best curve within the radius becomes the output.",
            Self::Pin => "Press anywhere: the curve of that point stays in the plot.",
        }
    }
}

/// Curves that stay in the plot, at most: more cannot be told apart.
pub const MOST_PINS: usize = 6;
/// About an artery of the brain.
const RADIUS_MM: f64 = 5.0;

/// Labels of the voxels, as the engine gives them.
pub const CORE: usize = 1;
pub const PENUMBRA: usize = 2;
pub const MASK: usize = 3;
pub const ARTERY: usize = 4;
pub const VEIN: usize = 5;

/// A reading of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct FlowDesk {
    pub series: SeriesId,
    pub suggestion: Suggestion,
    pub session: History<Session>,
    pub step: Step,
    pub slots: [Slot; 4],
    /// Of the maps that have a unit of their own.
    pub colormap: Colormap,
    /// Ranges that the reader changed.
    pub ranges: BTreeMap<Map, [f64; 2]>,
    /// Whether core and penumbra are drawn over the maps.
    pub tissue_shown: bool,
    /// Whether the midline and the mirror images of regions are drawn.
    pub midline_shown: bool,
    /// The frame in the plot and in the panels that show frames.
    pub time_index: u32,
    pub radius_mm: f64,
    pub pins: Vec<DVec3>,
    pub findings: Option<Findings>,
    /// Counts answers: what was derived from one is stale with the next.
    pub answers: u32,
    /// Counts questions that were answered to the end.
    pub finished: u32,
    /// Why there is no newer answer.
    pub failure: Option<String>,
    pub progress: Option<(Step, f64)>,
    /// The slices on the screen already show what all others will.
    pub previewed: bool,
    /// The artery of the last answer, while the slices on the screen are ahead of it.
    answered_aif: Option<Vessel>,
    asked: Option<Session>,
    waiting: Option<u32>,
}

impl FlowDesk {
    pub fn new(series: SeriesId, suggestion: Suggestion) -> Self {
        let mut session: History<Session> = History::default();
        session.get_mut().take_echo_time(&suggestion.echo_time_ms);
        Self {
            series,
            suggestion,
            session,
            step: Step::Maps,
            slots: Map::FIRST.map(Slot::Map),
            colormap: Colormap::Asist,
            ranges: BTreeMap::new(),
            tissue_shown: false,
            midline_shown: false,
            time_index: 0,
            radius_mm: RADIUS_MM,
            pins: Vec::new(),
            findings: None,
            answers: 0,
            finished: 0,
            failure: None,
            progress: None,
            previewed: false,
            answered_aif: None,
            asked: None,
            waiting: None,
        }
    }

    /// A decision, undone by one undo.
    pub fn decide(&mut self, change: impl FnOnce(&mut Session)) {
        self.session.checkpoint();
        change(self.session.get_mut());
    }

    /// The question to send now, if there is a new one. It takes the place of one that is under way.
    pub fn next_task(&mut self, query: u32) -> Option<Task> {
        let session = self.session.get();
        if self.asked.as_ref() == Some(session) {
            return None;
        }
        self.asked = Some(session.clone());
        self.waiting = Some(query);
        self.previewed = false;
        self.progress = Some((Step::Check, 0.0));
        Some(Task { series: self.series, session: session.clone() })
    }

    /// The series is another than the one that was asked about, or the same question shall be computed anew.
    pub fn ask_again(&mut self) {
        self.asked = None;
    }

    /// How far the newest question is.
    pub fn progressed(&mut self, query: u32, step: Step, done: f64) -> bool {
        let mine = self.waiting == Some(query);
        if mine {
            self.progress = Some((step, done));
        }
        mine
    }

    /// The slices on the screen are ahead of the newest answer.
    pub fn previewed(&mut self, query: u32, aif: Vessel) -> bool {
        let mine = self.waiting == Some(query);
        if let (true, Some(findings)) = (mine, &mut self.findings) {
            let before = std::mem::replace(&mut findings.aif, aif);
            self.answered_aif.get_or_insert(before);
            self.previewed = true;
        }
        mine
    }

    /// Back to the last answer, as the engine does with the slices.
    fn take_preview_back(&mut self) {
        self.previewed = false;
        if let (Some(aif), Some(findings)) = (self.answered_aif.take(), &mut self.findings) {
            findings.aif = aif;
        }
    }

    /// An answer to the newest question; others are let go.
    fn answer(&mut self, query: u32, outcome: Result<Findings, String>) -> bool {
        if self.waiting != Some(query) {
            return false;
        }
        let provisional = outcome.as_ref().is_ok_and(|f| f.provisional);
        if !provisional {
            self.waiting = None;
            self.progress = None;
            self.previewed = false;
            self.finished += 1;
        }
        match outcome {
            Ok(findings) => {
                self.answered_aif = None;
                self.failure = None;
                self.answers += 1;
                self.findings = Some(findings);
            }
            Err(message) => {
                self.take_preview_back();
                self.failure = Some(message);
            }
        }
        true
    }

    /// Whether an answer is due.
    pub fn computing(&self) -> bool {
        self.waiting.is_some()
    }

    /// The reader gave up on the newest question.
    pub fn cancel(&mut self) {
        self.waiting = None;
        self.progress = None;
        self.take_preview_back();
    }

    /// The series that a slot shows, if it is there.
    pub fn series_of(&self, slot: Slot) -> Option<SeriesId> {
        match slot {
            Slot::Frames => Some(self.series),
            Slot::Map(map) => {
                let maps = &self.findings.as_ref()?.maps;
                maps.iter().find(|(what, _)| *what == map).map(|(_, series)| *series)
            }
        }
    }

    /// The range of a map as it is shown.
    pub fn range(&self, map: Map) -> Option<[f64; 2]> {
        self.ranges.get(&map).copied().or(map.usual_range())
    }

    /// What is drawn over a panel.
    pub fn overlay(&self, what: Option<Map>) -> Option<Overlay> {
        let mut palette = vec![[0; 4]; 6];
        match (self.step, what?) {
            (Step::Mask, Map::Baseline) => palette[MASK] = [108, 200, 245, 90],
            (Step::Inputs, Map::Tmip) => {
                palette[ARTERY] = [213, 94, 0, 235];
                palette[VEIN] = [86, 180, 233, 235];
            }
            (_, Map::Tmip | Map::Baseline) => return None,
            _ if self.tissue_shown => {
                palette[CORE] = [220, 38, 127, 200];
                palette[PENUMBRA] = [255, 255, 255, 110];
            }
            _ => return None,
        }
        Some(Overlay {
            lowest: f64::MIN,
            highest: f64::MAX,
            region: None,
            palette,
            labels: LabelSource::Analysis,
            style: OverlayStyle::Fill,
        })
    }
}

/// Window and colours of a slot.
fn look(desk: &FlowDesk, slot: Slot, info: &VolumeInfo) -> (Window, Colormap) {
    let range = match slot {
        Slot::Map(map) => desk.range(map),
        Slot::Frames => None,
    };
    match range {
        Some([low, high]) => (Window::from_range(low, high), desk.colormap),
        None => (presets::first_window(info), Colormap::Grey),
    }
}

impl Workspace {
    /// The perfusion study on the screen.
    pub fn flow(&self) -> Option<&FlowDesk> {
        let series = self.root(self.active_panel()?.series);
        self.flow_desks.get(&series).filter(|_| self.perfusion_open)
    }

    pub fn flow_mut(&mut self) -> Option<&mut FlowDesk> {
        let series = self.root(self.active_panel()?.series);
        self.flow_desks.get_mut(&series).filter(|_| self.perfusion_open)
    }

    /// Opens the desk of a series, as it was left.
    pub fn open_perfusion(&mut self, series: SeriesId, suggestion: Suggestion) {
        self.perfusion_open = true;
        self.calcium_open = false;
        self.flow_desks.entry(series).or_insert_with(|| FlowDesk::new(series, suggestion));
        self.arrange_step();
    }

    /// Closes it; the series itself is shown again.
    pub fn close_perfusion(&mut self) {
        let Some(series) = self.flow().map(|d| d.series) else {
            self.perfusion_open = false;
            return;
        };
        self.perfusion_open = false;
        let Some(info) = self.volume(series) else { return };
        self.panels.clear();
        let layout = self.natural_layout(&info);
        self.set_layout(layout, series);
    }

    /// The engine's answer. The panels show the maps as soon as there are any.
    pub fn take_findings(&mut self, series: SeriesId, query: u32, outcome: Result<Findings, String>) {
        let Some(desk) = self.flow_desks.get_mut(&series) else { return };
        let had = desk.findings.is_some();
        if desk.answer(query, outcome) && !had && self.flow().is_some_and(|d| d.series == series) {
            self.arrange_step();
        }
    }

    /// The series is loaded anew: its maps are gone with the voxels they were computed from. Whether there were any.
    pub fn lose_maps(&mut self, series: SeriesId) -> bool {
        let Some(desk) = self.flow_desks.get_mut(&series) else { return false };
        desk.ask_again();
        if desk.findings.take().is_none() {
            return false;
        }
        self.volumes.retain(|_, v| v.derived.is_none_or(|d| d.source != series));
        self.panels
            .iter_mut()
            .filter(|p| !self.volumes.contains_key(&p.series))
            .for_each(|p| p.series = series);
        self.arrange_step();
        true
    }

    /// The picture that belongs to the step.
    pub fn go_to_step(&mut self, step: Step) {
        let Some(desk) = self.flow_mut() else { return };
        desk.step = step;
        let (series, findings) = (desk.series, desk.findings.as_ref());
        let artery = findings.and_then(|f| f.aif.at_mm.first()).map(|at| DVec3::from(*at));
        self.arrange_step();
        if let (Step::Inputs, Some(at)) = (step, artery) {
            self.set_cursor(series, at);
        }
    }

    /// Panels for the step: the frames where they are looked at, vessels with two maps where they are chosen, else the four
    /// maps.
    pub fn arrange_step(&mut self) {
        let Some(desk) = self.flow() else { return };
        let wanted: Vec<Slot> = match desk.step {
            Step::Check | Step::Motion => vec![Slot::Frames],
            Step::Mask => vec![Slot::Map(Map::Baseline)],
            // Beside the vessels what another one changes.
            Step::Inputs => [&[Slot::Map(Map::Tmip)], &desk.slots[..2]].concat(),
            Step::Method | Step::Maps => desk.slots.to_vec(),
        };
        let series = desk.series;
        let there =
            wanted.iter().all(|slot| desk.series_of(*slot).is_some_and(|s| self.volumes.contains_key(&s)));
        if !there {
            // Nothing has been computed yet: the frames.
            let others = matches!(self.layout, LayoutKind::Maps | LayoutKind::Vessels)
                || self.panels.iter().any(|p| p.series != series);
            if others || self.panels.is_empty() {
                self.show_slots(&[Slot::Frames]);
            }
            return;
        }
        self.show_slots(&wanted);
    }

    /// One panel, three or four, of the study on the screen. Place, zoom and turn stay what they were.
    fn show_slots(&mut self, slots: &[Slot]) {
        let Some(desk) = self.flow().cloned() else { return };
        let Some(info) = self.volume(desk.series) else { return };
        let plane = if info.grid.frame == Frame::Image { Plane::Acquisition } else { Plane::Axial };
        let before = self.panels.iter().find(|p| p.view.plane == plane && self.root(p.series) == desk.series);
        let before = before.cloned();
        let mut panels: Vec<PanelState> = Vec::new();
        for slot in slots {
            let Some(series) = desk.series_of(*slot) else { continue };
            let Some(own) = self.volume(series) else { continue };
            let mut panel = self.new_panel(series, plane);
            if let Some(before) = &before {
                panel.view = before.view.clone();
                panel.fitted = before.fitted;
            }
            panel.view.slab = Default::default();
            (panel.window, panel.colormap) = look(&desk, *slot, &own);
            panel.invert = false;
            panel.time_index = if *slot == Slot::Frames { desk.time_index } else { 0 };
            panels.push(panel);
        }
        if panels.is_empty() {
            return;
        }
        self.cancel_draft();
        self.layout = match panels.len() {
            4 => LayoutKind::Maps,
            3 => LayoutKind::Vessels,
            _ => LayoutKind::Single,
        };
        self.maximised = None;
        self.active = panels[0].id;
        self.panels = panels;
        self.align_to_cursor(desk.series);
        self.refit();
    }

    /// What a panel of the study shows.
    pub fn slot_of(&self, id: PanelId) -> Option<Slot> {
        let desk = self.flow()?;
        let series = self.panel(id)?.series;
        match self.volumes.get(&series)?.derived {
            Some(d) if d.source == desk.series => Some(Slot::Map(d.what)),
            None if series == desk.series => Some(Slot::Frames),
            _ => None,
        }
    }

    /// Swaps what a panel shows.
    pub fn set_slot(&mut self, id: PanelId, slot: Slot) {
        let Some(at) = self.panels.iter().position(|p| p.id == id) else { return };
        let Some(desk) = self.flow_mut() else { return };
        let Some(series) = desk.series_of(slot) else { return };
        let in_maps = matches!(desk.step, Step::Maps | Step::Method);
        if let (true, Some(own)) = (in_maps, desk.slots.get_mut(at)) {
            *own = slot;
        }
        let desk = desk.clone();
        let Some(info) = self.volume(series) else { return };
        let (window, colormap) = look(&desk, slot, &info);
        let panel = &mut self.panels[at];
        panel.series = series;
        (panel.window, panel.colormap) = (window, colormap);
        panel.invert = false;
        panel.time_index = if slot == Slot::Frames { desk.time_index } else { 0 };
        self.active = id;
        self.refit();
    }

    /// Changes the range of a map; the panels that show it follow.
    pub fn set_map_range(&mut self, map: Map, low: f64, high: f64) {
        if !(low.is_finite() && high.is_finite() && low < high) {
            return;
        }
        let Some(desk) = self.flow_mut() else { return };
        desk.ranges.insert(map, [low, high]);
        if let Some(series) = desk.series_of(Slot::Map(map)) {
            self.set_window(series, Window::from_range(low, high));
        }
    }

    /// All ranges as they were at first.
    pub fn usual_ranges(&mut self) {
        let Some(desk) = self.flow_mut() else { return };
        desk.ranges.clear();
        self.recolour();
    }

    /// Other colours for the maps.
    pub fn set_map_colours(&mut self, colormap: Colormap) {
        let Some(desk) = self.flow_mut() else { return };
        desk.colormap = colormap;
        self.recolour();
    }

    pub(super) fn recolour(&mut self) {
        let Some(desk) = self.flow().cloned() else { return };
        for id in self.panels.iter().map(|p| p.id).collect::<Vec<_>>() {
            let Some(slot @ Slot::Map(map)) = self.slot_of(id) else { continue };
            let Some(info) = self.panel(id).and_then(|p| self.volume(p.series)) else { continue };
            if map.usual_range().is_none() {
                continue;
            }
            let (window, colormap) = look(&desk, slot, &info);
            if let Some(panel) = self.panel_mut(id) {
                (panel.window, panel.colormap) = (window, colormap);
            }
        }
    }

    /// A window that was dragged in the picture is the map's range from then on.
    pub(super) fn remember_range(&mut self, series: SeriesId, window: Window) {
        let Some(derived) = self.volumes.get(&series).and_then(|v| v.derived) else { return };
        if let Some(desk) = self.flow_desks.get_mut(&derived.source)
            && derived.what.usual_range().is_some()
        {
            let half = 0.5 * window.width;
            desk.ranges.insert(derived.what, [window.center - half, window.center + half]);
        }
    }

    /// Moves through time: the panels that show frames follow.
    pub fn set_flow_time(&mut self, index: u32) {
        let Some(series) = self.flow().map(|d| d.series) else { return };
        let last = self.time_points(series) - 1;
        let to = index.min(last);
        if let Some(desk) = self.flow_mut() {
            desk.time_index = to;
        }
        self.set_time(series, to);
    }

    /// The voxels of the region that was drawn last over the study: each that its plane meets inside it, once.
    pub fn region_voxels(&self) -> Option<Vec<[u32; 3]>> {
        let series = self.flow()?.series;
        let grid = &self.volumes.get(&series)?.grid;
        let mine = self.measurements.get().iter().rev().filter(|m| self.root(m.series) == series);
        let roi = mine.filter_map(|m| m.shape.roi()).next()?;
        let spacing = grid.spacing();
        let step = 0.5 * spacing[0].min(spacing[1]).min(spacing[2]);
        let count = |half: DVec3| ((2.0 * half.length() / step).ceil() as i64).clamp(1, 2_048);
        let (nx, ny) = (count(roi.half_right_world), count(roi.half_down_world));
        let mut voxels = BTreeSet::new();
        for j in 0..=ny {
            for i in 0..=nx {
                let p = DVec2::new(2.0 * i as f64 / nx as f64 - 1.0, 2.0 * j as f64 / ny as f64 - 1.0);
                if roi.shape.contains(p) {
                    let world = roi.centre_world + roi.half_right_world * p.x + roi.half_down_world * p.y;
                    voxels.extend(grid.voxel_at(world));
                }
            }
        }
        (!voxels.is_empty()).then(|| voxels.into_iter().collect())
    }

    /// Points and regions whose curves the reader wants, with the names that the plot gives them.
    pub fn named_places(&self) -> Vec<(String, Place)> {
        let Some(desk) = self.flow() else { return Vec::new() };
        let pins = desk.pins.iter().enumerate();
        let mut places: Vec<_> =
            pins.map(|(i, pin)| (format!("pin_{}", i + 1), Place::Point(pin.to_array()))).collect();
        let mine = self.measurements.get().iter().filter(|m| self.root(m.series) == desk.series);
        for (i, roi) in mine.filter_map(|m| m.shape.roi()).enumerate() {
            places.push((format!("region_{}", i + 1), Place::Region(roi)));
        }
        places
    }

    /// A press with one of the picks.
    pub fn pick(&mut self, pick: Pick, world: DVec3) {
        let Some(series) = self.flow().map(|d| d.series) else { return };
        let Some(voxel) = self.volumes.get(&series).and_then(|v| v.grid.voxel_at(world)) else { return };
        let Some(desk) = self.flow_mut() else { return };
        let at = Source::Point { voxel, radius_mm: desk.radius_mm };
        match pick {
            Pick::Aif => desk.decide(|s| s.aif = at),
            Pick::Vof => desk.decide(|s| s.vof = at),
            Pick::Pin => {
                if desk.pins.len() >= MOST_PINS {
                    desk.pins.remove(0);
                }
                desk.pins.push(world);
            }
        }
    }
}

#[cfg(test)]
mod tests;
