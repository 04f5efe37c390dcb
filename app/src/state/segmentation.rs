//! The label map of a series as the page knows it: names and numbers from the engine, and how it is shown and edited.
//!
//! How it is shown (opacity, hidden labels, one alone) is the page's and costs a redraw; what it holds is the
//! engine's, and every change goes there as a step.

use std::collections::BTreeSet;

use contract::models::label_colour;
use protocol::segmentation::{Segment, Segments, Step};
use protocol::{LabelSource, Overlay, OverlayStyle, SeriesId};
use scene::DVec3;
use serde::{Deserialize, Serialize};

use super::action::Tool;
use super::workspace::{PanelId, Workspace};

/// What a press does while labels are edited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Brush {
    #[default]
    Paint,
    Erase,
    Fill,
    Grow,
}

impl Brush {
    pub const ALL: [Self; 4] = [Self::Paint, Self::Erase, Self::Fill, Self::Grow];

    pub fn slug(self) -> &'static str {
        match self {
            Self::Paint => "paint",
            Self::Erase => "rub-out",
            Self::Fill => "fill",
            Self::Grow => "grow",
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Paint => "Brush",
            Self::Erase => "Rubber",
            Self::Fill => "Fill",
            Self::Grow => "Grow from a point",
        }
    }

    /// What to do with it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Paint => "Drag to give the chosen label. With a range only voxels whose value lies in it.",
            Self::Erase => "Drag to take labels away. Locked labels stay.",
            Self::Fill => "Press inside a closed outline of the chosen label to fill it on this slice.",
            Self::Grow => {
                "Press on a structure: all that is connected with it and lies in the range gets the label."
            }
        }
    }

    /// It is dragged; the others are pressed.
    fn drags(self) -> bool {
        matches!(self, Self::Paint | Self::Erase)
    }
}

/// How the labels are drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Drawing {
    Fill,
    Outline,
    #[default]
    Both,
}

impl Drawing {
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Fill, "Fill"), (Self::Outline, "Outline"), (Self::Both, "Both")];
}

/// A stroke that is being drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Stroke {
    pub panel: PanelId,
    pub brush: Brush,
    pub points: Vec<DVec3>,
    normal: DVec3,
}

/// The label map of one series.
#[derive(Clone, Debug, PartialEq)]
pub struct Labelling {
    pub segments: Segments,
    /// The label that tools give.
    pub active: u8,
    pub hidden: BTreeSet<u8>,
    /// Only this one is shown.
    pub solo: Option<u8>,
    /// Of filled labels, 0 to 1.
    pub opacity: f64,
    pub drawing: Drawing,
    pub radius_mm: f64,
    /// The brush is a ball and not a disc.
    pub ball: bool,
    pub range: Option<[f64; 2]>,
    pub stroke: Option<Stroke>,
    pub failure: Option<String>,
    /// Steps that have not been sent.
    pending: Vec<Step>,
}

impl Default for Labelling {
    fn default() -> Self {
        Self {
            segments: Segments::default(),
            active: 1,
            hidden: BTreeSet::new(),
            solo: None,
            opacity: 0.45,
            drawing: Drawing::default(),
            radius_mm: 4.0,
            ball: false,
            range: None,
            stroke: None,
            failure: None,
            pending: Vec::new(),
        }
    }
}

impl Labelling {
    /// What the engine says now. The chosen label stays while it exists.
    pub fn take(&mut self, segments: Segments) {
        self.failure = None;
        if !segments.segments.iter().any(|s| s.id == self.active) {
            self.active = segments.segments.first().map_or(1, |s| s.id);
        }
        self.segments = segments;
    }

    pub fn segment(&self, id: u8) -> Option<&Segment> {
        self.segments.segments.iter().find(|s| s.id == id)
    }

    /// Whether a label is on the picture.
    pub fn shows(&self, id: u8) -> bool {
        self.solo.map_or(!self.hidden.contains(&id), |solo| solo == id)
    }

    /// To be done by the engine.
    pub fn ask(&mut self, step: Step) {
        self.pending.push(step);
    }

    /// Steps to send, each once.
    pub fn take_pending(&mut self) -> Vec<Step> {
        std::mem::take(&mut self.pending)
    }

    /// A label with the next free number; `None` where all are taken.
    pub fn add_label(&mut self) -> Option<u8> {
        let id = (1..=u8::MAX).find(|id| self.segment(*id).is_none())?;
        let colour = label_colour(id);
        self.ask(Step::Describe { label: id, name: format!("Label {id}"), colour, locked: false });
        self.active = id;
        Some(id)
    }

    /// A change of a label's name, colour or lock.
    pub fn describe(&mut self, id: u8, change: impl FnOnce(&mut Segment)) {
        let Some(mut segment) = self.segment(id).cloned() else { return };
        change(&mut segment);
        let Segment { name, colour, locked, .. } = segment;
        self.ask(Step::Describe { label: id, name, colour, locked });
    }

    /// What the picture shows of it.
    pub fn overlay(&self, device_pixel_ratio: f64) -> Overlay {
        let mut palette = vec![[0; 4]];
        // An outline is opaque, but what has no alpha is not marked at all.
        let alpha = (self.opacity.clamp(0.0, 1.0) * 255.0).round().max(1.0) as u8;
        for segment in self.segments.segments.iter().filter(|s| self.shows(s.id)) {
            let [r, g, b] = segment.colour;
            palette.resize(palette.len().max(usize::from(segment.id) + 1), [0; 4]);
            palette[usize::from(segment.id)] = [r, g, b, alpha];
        }
        let width = (1.5 * device_pixel_ratio).round().max(1.0) as u32;
        Overlay {
            lowest: f64::NEG_INFINITY,
            highest: f64::INFINITY,
            region: None,
            palette,
            labels: LabelSource::Segmentation,
            style: match self.drawing {
                Drawing::Fill => OverlayStyle::Fill,
                Drawing::Outline => OverlayStyle::Outline(width),
                Drawing::Both => OverlayStyle::Both(width),
            },
        }
    }

    /// What a finished stroke or press asks for.
    fn step(&self, stroke: &Stroke) -> Option<Step> {
        let (first, label) = (*stroke.points.first()?, self.active);
        let paint = |label, range| Step::Paint {
            label,
            along_mm: stroke.points.clone(),
            radius_mm: self.radius_mm,
            normal: (!self.ball).then_some(stroke.normal),
            range,
        };
        match stroke.brush {
            Brush::Paint => Some(paint(label, self.range)),
            Brush::Erase => Some(paint(0, None)),
            Brush::Fill => Some(Step::Fill { label, at_mm: first }),
            Brush::Grow => Some(Step::Grow { label, from_mm: first, range: self.range? }),
        }
    }
}

impl Workspace {
    /// The label map of the active series, if its panel is open.
    pub fn labelling(&self) -> Option<&Labelling> {
        self.labellings.get(&self.labelled_series()?)
    }

    pub fn labelling_mut(&mut self) -> Option<&mut Labelling> {
        let series = self.labelled_series()?;
        self.labellings.get_mut(&series)
    }

    /// The series whose labels are on the desk.
    pub fn labelled_series(&self) -> Option<SeriesId> {
        let series = self.active_panel()?.series;
        self.labellings.contains_key(&series).then_some(series)
    }

    /// What of a series' labels a panel shows.
    pub(super) fn labels_overlay(&self, series: SeriesId) -> Option<Overlay> {
        let labelling = self.labellings.get(&series).filter(|l| !l.segments.segments.is_empty())?;
        Some(labelling.overlay(self.device_pixel_ratio))
    }

    /// Begins a stroke at a point, or does what a press does.
    pub fn begin_label_stroke(&mut self, id: PanelId, brush: Brush, world: DVec3) -> bool {
        let Some(normal) = self.panel(id).and_then(|p| {
            let grid = &self.volumes.get(&p.series)?.grid;
            Some(p.view.plane.world_from_plane(grid).z_axis)
        }) else {
            return false;
        };
        let Some(labelling) = self.labelling_mut() else { return false };
        let stroke = Stroke { panel: id, brush, points: vec![world], normal };
        if brush.drags() {
            labelling.stroke = Some(stroke);
            return true;
        }
        match labelling.step(&stroke) {
            Some(step) => labelling.ask(step),
            None => {
                labelling.failure = Some("Growing needs a range of values: set From and To first.".into())
            }
        }
        false
    }

    /// The stroke goes on.
    pub fn extend_label_stroke(&mut self, id: PanelId, world: DVec3) {
        if let Some(labelling) = self.labelling_mut() {
            let least_mm = 0.25 * labelling.radius_mm;
            if let Some(stroke) = labelling.stroke.as_mut().filter(|s| s.panel == id)
                && stroke.points.last().is_none_or(|p| p.distance(world) >= least_mm)
            {
                stroke.points.push(world);
            }
        }
    }

    /// The stroke is done.
    pub fn end_label_stroke(&mut self) {
        if let Some(labelling) = self.labelling_mut()
            && let Some(stroke) = labelling.stroke.take()
            && let Some(step) = labelling.step(&stroke)
        {
            labelling.ask(step);
        }
    }

    /// Takes an edit back, or does it again; false where the hand is not at labels or there is none.
    pub(super) fn undo_label(&mut self, step: Step) -> bool {
        let at_labels = matches!(self.tool, Tool::Label(_));
        let Some(labelling) = self.labelling_mut().filter(|_| at_labels) else { return false };
        let Segments { undo, redo, .. } = labelling.segments;
        let possible = if step == Step::Redo { redo } else { undo } > 0;
        if possible {
            labelling.ask(step);
        }
        possible
    }

    /// With the keyboard: at the crosshair.
    pub fn label_at(&mut self, id: PanelId, brush: Brush, world: DVec3) {
        self.begin_label_stroke(id, brush, world);
        self.end_label_stroke();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::{S, ct, opened};

    fn segment(id: u8) -> Segment {
        Segment {
            id,
            name: format!("S{id}"),
            colour: [id, 2 * id, 3 * id],
            locked: false,
            voxels: 5,
            volume_ml: Some(1.0),
            mean: None,
            sd: None,
            on_mm: None,
        }
    }

    fn open() -> Workspace {
        let mut w = opened(ct());
        let mut labelling = Labelling::default();
        labelling.take(Segments { segments: vec![segment(2), segment(7)], ..Segments::default() });
        w.labellings.insert(S, labelling);
        w
    }

    #[test]
    fn the_palette_follows_what_is_shown() {
        let mut w = open();
        let alphas = |w: &Workspace| {
            let overlay = w.labels_overlay(S).unwrap();
            [2, 7].map(|id| overlay.palette.get(id).map_or(0, |c: &[u8; 4]| c[3]))
        };
        assert_eq!(alphas(&w), [115, 115]);
        let labelling = w.labelling_mut().unwrap();
        assert_eq!(labelling.active, 2, "label 1 does not exist");
        labelling.hidden.insert(2);
        assert_eq!(alphas(&w), [0, 115]);
        w.labelling_mut().unwrap().solo = Some(2);
        assert_eq!(alphas(&w), [115, 0], "alone, though hidden");
        w.labelling_mut().unwrap().opacity = 0.0;
        assert_eq!(alphas(&w), [1, 0], "its outline is still there");
    }

    #[test]
    fn a_stroke_becomes_one_step_with_what_was_set_when_it_ended() {
        let mut w = open();
        let id = w.panels[0].id;
        assert!(w.begin_label_stroke(id, Brush::Paint, DVec3::ZERO));
        w.extend_label_stroke(id, DVec3::new(0.1, 0.0, 0.0));
        w.extend_label_stroke(id, DVec3::new(9.0, 0.0, 0.0));
        w.end_label_stroke();
        let steps = w.labelling_mut().unwrap().take_pending();
        let [Step::Paint { label: 2, along_mm, radius_mm, normal: Some(normal), range: None }] = &steps[..]
        else {
            panic!("{steps:?}")
        };
        assert_eq!((along_mm.len(), *radius_mm, *normal), (2, 4.0, DVec3::Z), "a tremor is no new point");
        assert!(w.labelling_mut().unwrap().take_pending().is_empty());
    }

    #[test]
    fn growing_without_a_range_is_refused_and_told() {
        let mut w = open();
        let id = w.panels[0].id;
        assert!(!w.begin_label_stroke(id, Brush::Grow, DVec3::ZERO));
        assert!(w.labelling().unwrap().failure.as_ref().unwrap().contains("range"));
        w.labelling_mut().unwrap().range = Some([100.0, 300.0]);
        w.label_at(id, Brush::Grow, DVec3::ONE);
        let steps = w.labelling_mut().unwrap().take_pending();
        assert!(matches!(steps[..], [Step::Grow { label: 2, range: [100.0, 300.0], .. }]), "{steps:?}");
    }

    #[test]
    fn a_new_label_takes_the_first_free_number() {
        let mut w = open();
        let labelling = w.labelling_mut().unwrap();
        assert_eq!(labelling.add_label(), Some(1));
        let steps = labelling.take_pending();
        assert!(
            matches!(&steps[..], [Step::Describe { label: 1, name, .. }] if name == "Label 1"),
            "{steps:?}"
        );
    }
}
