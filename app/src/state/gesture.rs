//! What a drag does, from press to release.
//! Pure, in panel pixels: the page only translates pointer events into these calls.

use protocol::SeriesId;
use scene::{DVec2, DVec3, Window};
use serde::{Deserialize, Serialize};

use super::action::Tool;
use super::calcium::{Edge, Hand};
use super::measurement::{self, Hit, MeasurementId};
use super::workspace::{PanelId, Workspace};

/// Which button went down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Button {
    Left,
    Middle,
    Right,
    Touch,
}

/// Keys held while the button went down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Modifiers {
    pub shift: bool,
    pub ctrl: bool,
    pub alt: bool,
}

/// What the buttons do, as a ready set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MouseProfile {
    #[default]
    Default,
    LeftDragScroll,
    HorosLike,
}

impl MouseProfile {
    pub const ALL: [Self; 3] = [Self::Default, Self::LeftDragScroll, Self::HorosLike];

    pub fn label(self) -> &'static str {
        match self {
            Self::Default => "Default",
            Self::LeftDragScroll => "Left drag scrolls",
            Self::HorosLike => "Horos-like",
        }
    }

    pub fn slug(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::LeftDragScroll => "left_drag_scroll",
            Self::HorosLike => "horos_like",
        }
    }

    /// The tool in the hand at the start.
    pub fn first_tool(self) -> Tool {
        match self {
            Self::LeftDragScroll => Tool::Scroll,
            Self::Default | Self::HorosLike => Tool::Window,
        }
    }

    /// For the sheet of shortcuts: what is done, and how.
    pub fn lines(self) -> Vec<(&'static str, &'static str)> {
        let mut lines = vec![
            ("Left drag", "The tool in hand"),
            ("Wheel", "Slices"),
            ("Ctrl + wheel", "Time"),
            ("Double click", "Maximise the panel"),
        ];
        match self {
            Self::Default => lines.extend([
                ("Right drag", "Zoom about the point"),
                ("Middle drag", "Pan"),
                ("Shift + move", "Crosshair"),
            ]),
            Self::LeftDragScroll => lines.extend([
                ("Right drag", "Window"),
                ("Middle drag", "Pan"),
                ("Ctrl + left drag", "Zoom about the point"),
                ("Shift + move", "Crosshair"),
            ]),
            Self::HorosLike => lines.extend([
                ("Right drag", "Zoom about the point"),
                ("Middle drag", "Pan"),
                ("Ctrl + left drag", "Pan"),
                ("Shift + left drag", "Zoom about the point"),
                ("Alt + left drag", "Window"),
                ("Shift + move", "Crosshair"),
            ]),
        }
        lines
    }

    /// The tool that a press takes up.
    pub fn tool(self, button: Button, held: Modifiers, in_hand: Tool) -> Tool {
        match (self, button) {
            (_, Button::Middle) => Tool::Pan,
            (Self::LeftDragScroll, Button::Right) => Tool::Window,
            (_, Button::Right) => Tool::Zoom,
            (Self::LeftDragScroll, Button::Left) if held.ctrl => Tool::Zoom,
            (Self::HorosLike, Button::Left) if held.ctrl => Tool::Pan,
            (Self::HorosLike, Button::Left) if held.shift => Tool::Zoom,
            (Self::HorosLike, Button::Left) if held.alt => Tool::Window,
            (_, Button::Left) if held.shift && !in_hand.measures() => Tool::Crosshair,
            (_, Button::Left | Button::Touch) => in_hand,
        }
    }
}

/// A drag that goes on.
#[derive(Clone, Debug, PartialEq)]
pub enum Gesture {
    Window {
        series: SeriesId,
        from: Window,
        start: DVec2,
        per_px: f64,
    },
    Pan {
        last: DVec2,
    },
    Zoom {
        about: DVec2,
        last: DVec2,
    },
    Scroll {
        last: DVec2,
        px_per_slice: f64,
        rest: f64,
    },
    Crosshair,
    /// A new measurement; `moved` tells a drag from a click that places one point.
    Draw {
        start: DVec2,
        moved: bool,
    },
    Handle {
        id: MeasurementId,
        index: usize,
    },
    Move {
        id: MeasurementId,
        last: DVec3,
    },
    Pinch {
        distance: f64,
        middle: DVec2,
    },
    /// A calcium stroke.
    Stroke,
    /// A stroke of a label brush.
    LabelStroke,
    /// Edges of the heart region.
    Edges(Vec<Edge>),
}

/// A hand's tremor, in CSS pixels: less is a click.
const TREMOR_CSS_PX: f64 = 3.0;

impl Gesture {
    /// A button went down at a panel's pixel.
    pub fn begin(
        w: &mut Workspace,
        profile: MouseProfile,
        id: PanelId,
        button: Button,
        held: Modifiers,
        at: DVec2,
    ) -> Option<Self> {
        w.active = id;
        let panel = w.panel(id)?.clone();
        let volume = w.volume(panel.series)?;
        let ratio = w.device_pixel_ratio;
        let world = w.world_at(id, at)?;
        if matches!(button, Button::Left | Button::Touch) && w.draft.is_none() {
            let reach = if button == Button::Touch { 22.0 } else { 9.0 } * ratio;
            let list = w.measurements.get();
            let found =
                measurement::hit(list, panel.series, &panel.view, &volume.grid, w.viewport(id), at, reach);
            match found.filter(|_| w.overlays) {
                Some(Hit::Handle(m, index)) => {
                    w.selected = Some(m);
                    w.measurements.checkpoint();
                    return Some(Gesture::Handle { id: m, index });
                }
                Some(Hit::Body(m)) => {
                    w.selected = Some(m);
                    w.measurements.checkpoint();
                    return Some(Gesture::Move { id: m, last: world });
                }
                None => w.selected = None,
            }
        }
        match profile.tool(button, held, w.tool) {
            Tool::Window => {
                // One CSS pixel moves by a thousandth of the values' range: a hand's width crosses a CT.
                let per_px = ((volume.max - volume.min).abs() / 1024.0).max(1e-9) / ratio;
                (!volume.colour).then_some(Gesture::Window {
                    series: panel.series,
                    from: panel.window,
                    start: at,
                    per_px,
                })
            }
            Tool::Pan => Some(Gesture::Pan { last: at }),
            Tool::Zoom => Some(Gesture::Zoom { about: at, last: at }),
            Tool::Scroll => {
                let count = f64::from(w.slice_number(id).map_or(1, |n| n.1).max(1));
                let height = f64::from(w.viewport(id).height_px);
                // The panel's height covers the stack, but a slice never needs more than a finger's width.
                let px_per_slice = (height / count).clamp(2.0 * ratio, 16.0 * ratio);
                Some(Gesture::Scroll { last: at, px_per_slice, rest: 0.0 })
            }
            Tool::Crosshair => {
                w.set_cursor(panel.series, super::linked::clamp_to_volume(&volume, world));
                Some(Gesture::Crosshair)
            }
            Tool::Perfusion(pick) => {
                w.pick(pick, world);
                None
            }
            // At the press and not at the release: the table is there when the finger leaves the button.
            Tool::Calcium(Hand::Assign) => {
                w.assign_at(id, world);
                None
            }
            Tool::Calcium(Hand::Region) => {
                let edges = w.edges_near(id, at, 12.0 * ratio);
                if edges.is_empty() {
                    return None;
                }
                if let Some(desk) = w.desk_mut() {
                    desk.session.checkpoint();
                }
                Some(Gesture::Edges(edges))
            }
            Tool::Label(brush) => w.begin_label_stroke(id, brush, world).then_some(Gesture::LabelStroke),
            Tool::Calcium(hand) => {
                w.begin_stroke(id, hand, world);
                Some(Gesture::Stroke)
            }
            Tool::Length | Tool::Angle | Tool::Rectangle | Tool::Ellipse | Tool::Probe => {
                w.place_point(id, world);
                Some(Gesture::Draw { start: at, moved: false })
            }
        }
    }

    /// The pointer moved.
    pub fn drag(&mut self, w: &mut Workspace, id: PanelId, at: DVec2) {
        let Some(panel) = w.panel(id) else { return };
        let series = panel.series;
        let Some(volume) = w.volume(series) else { return };
        let Some(world) = w.world_at(id, at) else { return };
        let viewport = w.viewport(id);
        let ratio = w.device_pixel_ratio;
        match self {
            Gesture::Window { series, from, start, per_px } => {
                let by = (at - *start) * *per_px;
                // Down is darker: the level rises (PS3.3 C.11.2.1.2: a higher centre shows lower greys).
                w.set_window(*series, from.adjusted(from.center + by.y, from.width + by.x));
            }
            Gesture::Pan { last } => {
                let by = at - *last;
                *last = at;
                if let Some(p) = w.panel_mut(id) {
                    p.view.pan(&volume.grid, by);
                    p.fitted = false;
                }
                w.lead_view(id);
            }
            Gesture::Zoom { about, last } => {
                let by = (last.y - at.y) / ratio;
                *last = at;
                let about = *about;
                if let Some(p) = w.panel_mut(id) {
                    p.view.zoom_about(&volume.grid, viewport, about, (by * 0.01).exp());
                    p.fitted = false;
                }
                w.lead_view(id);
            }
            Gesture::Scroll { last, px_per_slice, rest } => {
                *rest += (at.y - last.y) / *px_per_slice;
                *last = at;
                let steps = rest.trunc();
                *rest -= steps;
                if steps != 0.0 {
                    w.step_numbers(id, steps);
                }
            }
            Gesture::Crosshair => w.set_cursor(series, super::linked::clamp_to_volume(&volume, world)),
            Gesture::Draw { start, moved } => {
                *moved |= at.distance(*start) > TREMOR_CSS_PX * ratio;
                if *moved {
                    w.drag_draft(world);
                }
            }
            Gesture::Handle { id, index } => {
                if let Some(m) = w.measurement_mut(*id) {
                    m.shape.move_handle(*index, world);
                    // A region's corners are named anew from the one that stays: the hand holds the moved one.
                    if matches!(m.shape, super::measurement::Shape::Roi { .. }) {
                        *index = 2;
                    }
                }
            }
            Gesture::Move { id, last } => {
                let by = world - *last;
                *last = world;
                if let Some(m) = w.measurement_mut(*id) {
                    m.shape.translate(by);
                }
            }
            Gesture::LabelStroke => w.extend_label_stroke(id, world),
            Gesture::Stroke => w.extend_stroke(id, world),
            Gesture::Edges(edges) => w.drag_edges(edges, world),
            Gesture::Pinch { .. } => {}
        }
    }

    /// Two fingers: their distance zooms, their middle pans.
    pub fn pinch(&mut self, w: &mut Workspace, id: PanelId, a: DVec2, b: DVec2) {
        let (new_distance, new_middle) = (a.distance(b).max(1.0), (a + b) * 0.5);
        if let Gesture::Pinch { distance, middle } = self {
            let factor = new_distance / distance.max(1.0);
            let by = new_middle - *middle;
            let viewport = w.viewport(id);
            let volume = w.panel(id).and_then(|p| w.volume(p.series));
            if let (Some(p), Some(v)) = (w.panel_mut(id), volume) {
                p.view.pan(&v.grid, by);
                p.view.zoom_about(&v.grid, viewport, new_middle, factor);
                p.fitted = false;
            }
            w.lead_view(id);
        }
        *self = Gesture::Pinch { distance: new_distance, middle: new_middle };
    }

    /// The button went up.
    pub fn end(self, w: &mut Workspace, id: PanelId, at: DVec2) {
        if self == Gesture::Stroke {
            w.end_stroke(id);
        }
        if self == Gesture::LabelStroke {
            w.end_label_stroke();
        }
        let Gesture::Draw { moved, .. } = self else { return };
        // A drag ends with its point placed; a click leaves the draft open for the next click.
        if moved
            && w.draft.is_some()
            && let Some(world) = w.world_at(id, at)
        {
            w.place_point(id, world);
        }
        // A region drawn with hardly any size would be an invisible one.
        let Some(per_px) = w.panel(id).map(|p| p.view.world_per_px) else { return };
        if w.draft.is_none()
            && let Some(m) = w.selected
            && w.measurement_mut(m).is_some_and(|m| m.shape.degenerate(per_px))
        {
            w.delete(m);
        }
    }
}

/// The pointer moves with no button down.
pub fn hover(w: &mut Workspace, id: PanelId, at: DVec2, held: Modifiers) {
    let Some(world) = w.world_at(id, at) else { return };
    if w.draft.is_some() {
        w.drag_draft(world);
    } else if held.shift
        && let Some(series) = w.panel(id).map(|p| p.series)
        && let Some(v) = w.volume(series)
    {
        w.set_cursor(series, super::linked::clamp_to_volume(&v, world));
    }
}

/// Collects wheel movement into whole steps, so that a trackpad's fine events do not race.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wheel {
    rest: f64,
}

impl Wheel {
    /// `delta_px` as the browser reports it in pixels; a mouse notch is about 100, a line 33.
    pub fn steps(&mut self, delta_px: f64) -> i32 {
        // A notch is always a step; a trackpad moves a step per 40 px.
        if delta_px.abs() >= 40.0 {
            self.rest = 0.0;
            return delta_px.signum() as i32 * ((delta_px.abs() / 120.0).round().max(1.0) as i32);
        }
        if self.rest * delta_px < 0.0 {
            self.rest = 0.0;
        }
        // In pixels, not in steps: tenths do not add up in binary.
        self.rest += delta_px;
        let steps = (self.rest / 40.0).trunc();
        self.rest -= steps * 40.0;
        steps as i32
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::ct;
    use crate::state::measurement::Shape;

    const S: SeriesId = SeriesId(1);

    fn open() -> Workspace {
        let mut w = Workspace::default();
        w.resize(1200.0, 800.0, 2.0);
        w.learn(S, ct());
        w.show(S);
        w
    }

    fn drag(w: &mut Workspace, profile: MouseProfile, button: Button, from: DVec2, to: DVec2) {
        let id = w.panels[0].id;
        let mut g = Gesture::begin(w, profile, id, button, Modifiers::default(), from).unwrap();
        g.drag(w, id, (from + to) * 0.5);
        g.drag(w, id, to);
        g.end(w, id, to);
    }

    const A: DVec2 = DVec2::new(300.0, 300.0);

    #[test]
    fn left_drag_windows_right_is_wider_down_is_darker() {
        let mut w = open();
        let before = w.panels[0].window;
        drag(&mut w, MouseProfile::Default, Button::Left, A, A + DVec2::new(200.0, 100.0));
        let after = w.panels[2].window;
        // 100 CSS px of 1024 across a range of 4096: 400; 50 down: 200.
        assert!(
            (after.width - before.width - 400.0).abs() < 1e-9
                && (after.center - before.center - 200.0).abs() < 1e-9
        );
    }

    #[test]
    fn right_drag_zooms_about_the_point() {
        let mut w = open();
        let id = w.panels[0].id;
        let fixed = w.world_at(id, A).unwrap();
        let before = w.panels[0].view.world_per_px;
        drag(&mut w, MouseProfile::Default, Button::Right, A, A - DVec2::new(0.0, 140.0));
        assert!((before / w.panels[0].view.world_per_px - 0.7f64.exp()).abs() < 1e-9, "up is closer");
        assert!(w.world_at(id, A).unwrap().distance(fixed) < 1e-9);
    }

    #[test]
    fn middle_drag_takes_the_picture_along() {
        let mut w = open();
        let id = w.panels[0].id;
        let grabbed = w.world_at(id, A).unwrap();
        let to = A + DVec2::new(37.0, -21.0);
        drag(&mut w, MouseProfile::HorosLike, Button::Middle, A, to);
        assert!(w.world_at(id, to).unwrap().distance(grabbed) < 1e-9);
    }

    #[test]
    fn profiles_differ_where_they_say_so() {
        let none = Modifiers::default();
        let ctrl = Modifiers { ctrl: true, ..none };
        assert_eq!(MouseProfile::LeftDragScroll.first_tool(), Tool::Scroll);
        assert_eq!(MouseProfile::LeftDragScroll.tool(Button::Right, none, Tool::Scroll), Tool::Window);
        assert_eq!(MouseProfile::Default.tool(Button::Right, none, Tool::Length), Tool::Zoom);
        assert_eq!(MouseProfile::HorosLike.tool(Button::Left, ctrl, Tool::Length), Tool::Pan);
        assert_eq!(MouseProfile::Default.tool(Button::Left, ctrl, Tool::Length), Tool::Length);
    }

    #[test]
    fn drawing_a_length_by_drag_and_by_two_clicks_is_the_same() {
        let to = A + DVec2::new(120.0, 40.0);
        let mut by_drag = open();
        by_drag.tool = Tool::Length;
        drag(&mut by_drag, MouseProfile::Default, Button::Left, A, to);
        let mut by_click = open();
        by_click.tool = Tool::Length;
        let id = by_click.panels[0].id;
        for at in [A, to] {
            let g = Gesture::begin(
                &mut by_click,
                MouseProfile::Default,
                id,
                Button::Left,
                Modifiers::default(),
                at,
            );
            g.unwrap().end(&mut by_click, id, at);
            hover(&mut by_click, id, to, Modifiers::default());
        }
        let shape = |w: &Workspace| w.measurements.get()[0].shape.clone();
        assert_eq!(shape(&by_drag), shape(&by_click));
        let Shape::Length([a, b]) = shape(&by_drag) else { panic!("not a length") };
        let want = 120.0f64.hypot(40.0) * by_drag.panels[0].view.world_per_px;
        assert!((a.distance(b) - want).abs() < 1e-9);
    }

    #[test]
    fn an_end_point_can_be_taken_and_moved() {
        let mut w = open();
        w.tool = Tool::Length;
        let to = A + DVec2::new(120.0, 40.0);
        drag(&mut w, MouseProfile::Default, Button::Left, A, to);
        w.tool = Tool::Window;
        let new = to + DVec2::new(30.0, 30.0);
        drag(&mut w, MouseProfile::Default, Button::Left, to + DVec2::new(3.0, 2.0), new);
        let Shape::Length([_, b]) = w.measurements.get()[0].shape.clone() else { panic!("not a length") };
        let id = w.panels[0].id;
        assert!(b.distance(w.world_at(id, new).unwrap()) < 1e-9);
    }

    #[test]
    fn a_region_can_be_dragged_through_its_own_corner() {
        let mut w = open();
        w.tool = Tool::Rectangle;
        drag(&mut w, MouseProfile::Default, Button::Left, A, A + DVec2::new(100.0, 60.0));
        // Take the first corner and drag it past the opposite one.
        drag(&mut w, MouseProfile::Default, Button::Left, A, A + DVec2::new(150.0, 160.0));
        let area = w.measurements.get()[0].shape.roi().unwrap().area();
        let px = w.panels[0].view.world_per_px;
        assert!((area - 50.0 * 100.0 * px * px).abs() < 1e-6, "{area}");
    }

    #[test]
    fn a_click_with_a_region_tool_leaves_nothing_invisible() {
        let mut w = open();
        w.tool = Tool::Ellipse;
        drag(&mut w, MouseProfile::Default, Button::Left, A, A + DVec2::new(20.0, 0.0));
        assert!(w.measurements.get().is_empty());
    }

    #[test]
    fn scroll_drag_and_wheel_give_whole_slices() {
        let mut w = open();
        w.tool = Tool::Scroll;
        w.apply(crate::state::Action::FirstSlice);
        drag(&mut w, MouseProfile::Default, Button::Left, A, A + DVec2::new(0.0, 96.0));
        assert_eq!(w.slice_number(w.panels[0].id), Some((4, 30)), "96 px at 32 px a slice");
        let mut wheel = Wheel::default();
        assert_eq!((wheel.steps(100.0), wheel.steps(-100.0)), (1, -1));
        let fine: i32 = (0..40).map(|_| wheel.steps(4.0)).sum();
        assert_eq!(fine, 4);
    }
}
