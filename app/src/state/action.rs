//! Everything a person can ask the page to do, as one list.
//! Keys, toolbar buttons and the shortcut sheet all name actions from here, so they cannot drift apart.

use contract::calcium::Vessel;

use super::calcium::Hand;
use super::layout::LayoutKind;
use super::perfusion::Pick;
use super::segmentation::Brush;

/// What a drag with the left button (or one finger) does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tool {
    #[default]
    Window,
    Pan,
    Zoom,
    Scroll,
    Crosshair,
    Length,
    Angle,
    Rectangle,
    Ellipse,
    Probe,
    /// Only while calcium is read.
    Calcium(Hand),
    /// Only while perfusion is read.
    Perfusion(Pick),
    /// Only while a series has labels.
    Label(Brush),
}

impl Tool {
    /// Those that are always at hand.
    pub const ALL: [Self; 10] = [
        Self::Window,
        Self::Scroll,
        Self::Pan,
        Self::Zoom,
        Self::Crosshair,
        Self::Length,
        Self::Angle,
        Self::Rectangle,
        Self::Ellipse,
        Self::Probe,
    ];

    /// Stable name for ids and tests.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Window => "window",
            Self::Pan => "pan",
            Self::Zoom => "zoom",
            Self::Scroll => "scroll",
            Self::Crosshair => "crosshair",
            Self::Length => "length",
            Self::Angle => "angle",
            Self::Rectangle => "rectangle",
            Self::Ellipse => "ellipse",
            Self::Probe => "probe",
            Self::Calcium(hand) => hand.slug(),
            Self::Perfusion(pick) => pick.slug(),
            Self::Label(brush) => brush.slug(),
        }
    }

    pub fn label(self) -> &'static str {
        match self {
            Self::Window => "Window",
            Self::Pan => "Pan",
            Self::Zoom => "Zoom",
            Self::Scroll => "Scroll",
            Self::Crosshair => "Crosshair",
            Self::Length => "Length",
            Self::Angle => "Angle",
            Self::Rectangle => "Rectangle",
            Self::Ellipse => "Ellipse",
            Self::Probe => "Probe",
            Self::Calcium(hand) => hand.label(),
            Self::Perfusion(pick) => pick.label(),
            Self::Label(brush) => brush.label(),
        }
    }

    /// Tools that leave something in the picture.
    pub fn measures(self) -> bool {
        matches!(self, Self::Length | Self::Angle | Self::Rectangle | Self::Ellipse | Self::Probe)
    }
}

/// One thing to do. The workspace handles most; the page handles those that open something.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    Tool(Tool),
    /// By slices along the view's normal; positive is away from the viewer.
    StepSlices(i32),
    FirstSlice,
    LastSlice,
    StepTime(i32),
    /// To the neighbouring panel.
    StepPanel(i32),
    /// To the neighbouring series of the study list.
    StepSeries(i32),
    /// Window preset by its place in the list, from 0.
    Preset(usize),
    /// Quarter turns clockwise.
    Rotate(i32),
    FlipHorizontal,
    FlipVertical,
    Invert,
    Reset,
    Fit,
    OneToOne,
    /// Factor in percent: 125 is closer by a quarter.
    ZoomPercent(u32),
    /// In steps of a twentieth of the panel.
    PanSteps(i32, i32),
    /// The crosshair within the active panel, in device pixels.
    NudgeCrosshair(i32, i32),
    /// A measuring tool's next point, at the crosshair: measuring without a mouse.
    PlacePoint,
    ToggleInterpolation,
    ToggleOverlays,
    Maximise,
    Layout(LayoutKind),
    CineSlices,
    CineTime,
    CineFaster(i32),
    /// By slice steps.
    SlabThicker(i32),
    SlabMode,
    DeleteMeasurement,
    Undo,
    Redo,
    Cancel,
    /// Opens the calcium reading of the active series, or closes it.
    Calcium,
    /// Opens the perfusion study of the active series, or closes it.
    Perfusion,
    /// Whose the next lesion is; `None` takes it away.
    Vessel(Option<Vessel>),
    /// To the next lesion that nobody has.
    Candidate(i32),
    // What the page itself does.
    OpenFiles,
    OpenFolder,
    Help,
    Settings,
    SelfCheck,
    ToggleStudies,
    ToggleInspector,
}
