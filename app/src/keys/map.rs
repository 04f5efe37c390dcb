//! The one key map: it handles keys and it is what the `?` sheet and the tooltips show.
//! A list and not a match, so that no key can work without being written down.

use contract::calcium::Vessel;

use crate::state::calcium::Hand;
use crate::state::{Action, LayoutKind, Tool};

/// Sections of the sheet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    Tools,
    Navigate,
    Window,
    View,
    Measure,
    Page,
    /// While calcium is read: these keys come first then.
    Calcium,
}

impl Group {
    pub const ALL: [Self; 7] =
        [Self::Tools, Self::Navigate, Self::Window, Self::View, Self::Measure, Self::Page, Self::Calcium];

    pub fn label(self) -> &'static str {
        match self {
            Self::Tools => "Tools",
            Self::Navigate => "Slices, time, series",
            Self::Window => "Window",
            Self::View => "View",
            Self::Measure => "Measure",
            Self::Page => "Page",
            Self::Calcium => "While calcium is read",
        }
    }
}

/// One action with the keys that do it; the first is the one that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Binding {
    pub keys: &'static [&'static str],
    pub action: Action,
    pub group: Group,
    pub what: &'static str,
}

const fn on(keys: &'static [&'static str], action: Action, group: Group, what: &'static str) -> Binding {
    Binding { keys, action, group, what }
}

use Group::{Calcium, Measure, Navigate, Page, Tools, View, Window};

pub const BINDINGS: &[Binding] = &[
    on(&["w"], Action::Tool(Tool::Window), Tools, "Window"),
    on(&["s"], Action::Tool(Tool::Scroll), Tools, "Scroll"),
    on(&["p"], Action::Tool(Tool::Pan), Tools, "Pan"),
    on(&["z"], Action::Tool(Tool::Zoom), Tools, "Zoom"),
    on(&["x"], Action::Tool(Tool::Crosshair), Tools, "Crosshair"),
    on(&["l"], Action::Tool(Tool::Length), Tools, "Length"),
    on(&["a"], Action::Tool(Tool::Angle), Tools, "Angle"),
    on(&["b"], Action::Tool(Tool::Rectangle), Tools, "Rectangle"),
    on(&["e"], Action::Tool(Tool::Ellipse), Tools, "Ellipse"),
    on(&["q"], Action::Tool(Tool::Probe), Tools, "Probe"),
    on(&["ArrowUp"], Action::StepSlices(-1), Navigate, "Previous slice"),
    on(&["ArrowDown"], Action::StepSlices(1), Navigate, "Next slice"),
    on(&["Home"], Action::FirstSlice, Navigate, "First slice"),
    on(&["End"], Action::LastSlice, Navigate, "Last slice"),
    on(&[","], Action::StepTime(-1), Navigate, "Previous time point"),
    on(&["."], Action::StepTime(1), Navigate, "Next time point"),
    on(&["ArrowLeft"], Action::StepPanel(-1), Navigate, "Previous panel"),
    on(&["ArrowRight"], Action::StepPanel(1), Navigate, "Next panel"),
    on(&["PageUp"], Action::StepSeries(-1), Navigate, "Previous series"),
    on(&["PageDown"], Action::StepSeries(1), Navigate, "Next series"),
    on(&["c"], Action::CineSlices, Navigate, "Play slices"),
    on(&["Shift+C"], Action::CineTime, Navigate, "Play time"),
    on(&[">"], Action::CineFaster(1), Navigate, "Play faster"),
    on(&["<"], Action::CineFaster(-1), Navigate, "Play slower"),
    on(&["1"], Action::Preset(0), Window, "First preset"),
    on(&["2"], Action::Preset(1), Window, "Second preset"),
    on(&["3"], Action::Preset(2), Window, "Third preset"),
    on(&["4"], Action::Preset(3), Window, "Fourth preset"),
    on(&["5"], Action::Preset(4), Window, "Fifth preset"),
    on(&["6"], Action::Preset(5), Window, "Sixth preset"),
    on(&["7"], Action::Preset(6), Window, "Seventh preset"),
    on(&["8"], Action::Preset(7), Window, "Eighth preset"),
    on(&["i"], Action::Invert, Window, "Invert"),
    on(&["Space"], Action::Reset, View, "Reset view and window"),
    on(&["f"], Action::Fit, View, "Fit to panel"),
    on(&["0"], Action::OneToOne, View, "One voxel per pixel"),
    on(&["+", "="], Action::ZoomPercent(125), View, "Closer"),
    on(&["-"], Action::ZoomPercent(80), View, "Farther"),
    on(&["Ctrl+ArrowLeft"], Action::PanSteps(-1, 0), View, "Pan left"),
    on(&["Ctrl+ArrowRight"], Action::PanSteps(1, 0), View, "Pan right"),
    on(&["Ctrl+ArrowUp"], Action::PanSteps(0, -1), View, "Pan up"),
    on(&["Ctrl+ArrowDown"], Action::PanSteps(0, 1), View, "Pan down"),
    on(&["r"], Action::Rotate(1), View, "Turn right"),
    on(&["Shift+R"], Action::Rotate(-1), View, "Turn left"),
    on(&["h"], Action::FlipHorizontal, View, "Flip left and right"),
    on(&["v"], Action::FlipVertical, View, "Flip up and down"),
    on(&["n"], Action::ToggleInterpolation, View, "Smooth or sharp voxels"),
    on(&["]"], Action::SlabThicker(1), View, "Thicker slab"),
    on(&["["], Action::SlabThicker(-1), View, "Thinner slab"),
    on(&["\\"], Action::SlabMode, View, "Slab: MIP, MinIP, mean"),
    on(&["m"], Action::Maximise, View, "Maximise panel"),
    on(&["d"], Action::Layout(LayoutKind::Single), View, "One panel"),
    on(&["g"], Action::Layout(LayoutKind::Planes), View, "Three planes"),
    on(&["k"], Action::Layout(LayoutKind::Quad), View, "Three planes and slab"),
    on(&["Shift+ArrowLeft"], Action::NudgeCrosshair(-1, 0), Measure, "Crosshair left"),
    on(&["Shift+ArrowRight"], Action::NudgeCrosshair(1, 0), Measure, "Crosshair right"),
    on(&["Shift+ArrowUp"], Action::NudgeCrosshair(0, -1), Measure, "Crosshair up"),
    on(&["Shift+ArrowDown"], Action::NudgeCrosshair(0, 1), Measure, "Crosshair down"),
    on(&["Enter"], Action::PlacePoint, Measure, "Point at the crosshair"),
    on(&["Backspace", "Delete"], Action::DeleteMeasurement, Measure, "Delete measurement"),
    on(&["Ctrl+Z"], Action::Undo, Measure, "Undo"),
    on(&["Ctrl+Y", "Ctrl+Shift+Z"], Action::Redo, Measure, "Redo"),
    on(&["Escape"], Action::Cancel, Measure, "Cancel"),
    on(&["o"], Action::ToggleOverlays, Page, "Overlays"),
    on(&["Ctrl+O"], Action::OpenFiles, Page, "Open files"),
    on(&["Ctrl+Shift+O"], Action::OpenFolder, Page, "Open folder"),
    on(&["Shift+S"], Action::ToggleStudies, Page, "Study list"),
    on(&["u"], Action::ToggleInspector, Page, "Inspector"),
    on(&["Ctrl+,"], Action::Settings, Page, "Settings"),
    on(&["Shift+K"], Action::SelfCheck, Page, "Self-check"),
    on(&["?"], Action::Help, Page, "This sheet"),
    on(&["Shift+A"], Action::Calcium, Page, "Calcium score"),
    on(&["Shift+P"], Action::Perfusion, Page, "Perfusion maps"),
    on(&["1"], Action::Vessel(Some(Vessel::Lm)), Calcium, "Left main"),
    on(&["2"], Action::Vessel(Some(Vessel::Lad)), Calcium, "Left anterior descending"),
    on(&["3"], Action::Vessel(Some(Vessel::Lcx)), Calcium, "Left circumflex"),
    on(&["4"], Action::Vessel(Some(Vessel::Rca)), Calcium, "Right coronary artery"),
    on(&["5"], Action::Vessel(Some(Vessel::Pda)), Calcium, "Posterior descending"),
    on(&["6"], Action::Vessel(Some(Vessel::Other)), Calcium, "Another coronary artery"),
    on(&["0"], Action::Vessel(None), Calcium, "Take away"),
    on(&["n"], Action::Candidate(1), Calcium, "Next candidate"),
    on(&["Shift+N"], Action::Candidate(-1), Calcium, "Previous candidate"),
    on(&["t"], Action::Tool(Tool::Calcium(Hand::Assign)), Calcium, "Assign lesion"),
    on(&["y"], Action::Tool(Tool::Calcium(Hand::Cut)), Calcium, "Scalpel"),
    on(&["Shift+F"], Action::Tool(Tool::Calcium(Hand::Freehand)), Calcium, "Freehand region"),
    on(&["Shift+B"], Action::Tool(Tool::Calcium(Hand::Box)), Calcium, "Box region"),
    on(&["Shift+E"], Action::Tool(Tool::Calcium(Hand::Erase)), Calcium, "Rub out"),
    on(&["Shift+H"], Action::Tool(Tool::Calcium(Hand::Region)), Calcium, "Heart region"),
];

/// A key press as the browser tells it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Press<'a> {
    pub key: &'a str,
    pub ctrl: bool,
    pub shift: bool,
    pub alt: bool,
}

impl Press<'_> {
    /// The notation of the list: `Ctrl+Shift+Z`, `Shift+R`, `r`, `?`.
    pub fn chord(&self) -> String {
        let letter = self.key.chars().count() == 1 && self.key.chars().all(char::is_alphabetic);
        let printable = self.key.chars().count() == 1;
        let mut chord = String::new();
        if self.ctrl {
            chord += "Ctrl+";
        }
        if self.alt {
            chord += "Alt+";
        }
        // Shift is part of `?` already, but not of `R` nor of an arrow.
        if self.shift && (letter || !printable) {
            chord += "Shift+";
        }
        match self.key {
            " " => chord += "Space",
            k if letter && (self.shift || self.ctrl) => chord += &k.to_uppercase(),
            k if letter => chord += &k.to_lowercase(),
            k => chord += k,
        }
        chord
    }

    /// A bare character: what WCAG 2.1.4 wants to be able to switch off.
    pub fn is_character(&self) -> bool {
        !self.ctrl && !self.alt && self.key.chars().count() == 1
    }
}

/// What a press does. `reading`: calcium is read, and its keys come before the others.
pub fn action_for(press: Press, reading: bool) -> Option<Action> {
    let chord = press.chord();
    let bound = |b: &&Binding| b.keys.contains(&chord.as_str());
    let first = BINDINGS.iter().filter(|b| reading && b.group == Calcium).find(bound);
    first.or_else(|| BINDINGS.iter().filter(|b| b.group != Calcium).find(bound)).map(|b| b.action)
}

/// The key shown for an action.
pub fn key_for(action: Action) -> Option<&'static str> {
    BINDINGS.iter().find(|b| b.action == action).and_then(|b| b.keys.first().copied())
}

/// Keys as they are printed on a keyboard.
pub fn printed(key: &str) -> Vec<String> {
    let parts: Vec<&str> = if key == "+" { vec!["+"] } else { key.split('+').collect() };
    parts
        .into_iter()
        .map(|p| match p {
            "ArrowUp" => "↑".into(),
            "ArrowDown" => "↓".into(),
            "ArrowLeft" => "←".into(),
            "ArrowRight" => "→".into(),
            "PageUp" => "Page ↑".into(),
            "PageDown" => "Page ↓".into(),
            "Escape" => "Esc".into(),
            p if p.chars().count() == 1 => p.to_uppercase(),
            p => p.into(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn press(chord: &str) -> Press<'_> {
        let key = if chord.ends_with('+') { "+" } else { chord.rsplit('+').next().unwrap() };
        Press {
            key: if key == "Space" { " " } else { key },
            ctrl: chord.contains("Ctrl+"),
            shift: chord.contains("Shift+") || "?<>+".contains(key),
            alt: chord.contains("Alt+"),
        }
    }

    #[test]
    fn every_key_of_the_sheet_does_what_the_sheet_says() {
        for b in BINDINGS {
            for key in b.keys {
                let reading = b.group == Calcium;
                assert_eq!(action_for(press(key), reading), Some(b.action), "{key}: {}", b.what);
            }
        }
    }

    #[test]
    fn no_key_does_two_things() {
        for reading in [false, true] {
            let own = BINDINGS.iter().filter(|b| (b.group == Calcium) == reading);
            let keys: Vec<&str> = own.flat_map(|b| b.keys.iter().copied()).collect();
            assert_eq!(keys.iter().collect::<BTreeSet<_>>().len(), keys.len(), "{keys:?}");
        }
        let one = action_for(press("1"), false);
        assert_eq!((one, action_for(press("i"), true)), (Some(Action::Preset(0)), Some(Action::Invert)));
    }

    #[test]
    fn every_tool_and_group_is_reachable() {
        for tool in Tool::ALL.into_iter().chain(Hand::ALL.map(Tool::Calcium)) {
            assert!(key_for(Action::Tool(tool)).is_some(), "{tool:?}");
        }
        for group in Group::ALL {
            assert!(BINDINGS.iter().any(|b| b.group == group), "{group:?}");
        }
    }

    #[test]
    fn caps_lock_and_browser_keys_are_left_alone() {
        let caps = Press { key: "R", shift: false, ..Default::default() };
        assert_eq!(action_for(caps, false), Some(Action::Rotate(1)));
        let reload = Press { key: "r", ctrl: true, ..Default::default() };
        assert_eq!(action_for(reload, false), None, "Ctrl+R reloads the page");
        let back = Press { key: "ArrowLeft", alt: true, ..Default::default() };
        assert_eq!(action_for(back, false), None, "Alt+Left goes back");
    }
}
