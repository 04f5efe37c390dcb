//! What the page and its engine worker say to each other.
//!
//! The page holds no pixel and the engine holds no user interface: the page sends a [`Scene`] whenever
//! what should be seen changes, the engine draws the newest one. Because a scene is complete, a lost GPU
//! device costs nothing but a redraw.
//!
//! Over the wire a message is a JavaScript object `{ message, files?, canvas? }`: `message` is one of the
//! enums below through serde-wasm-bindgen, `files` an array of `File`, `canvas` a transferred
//! `OffscreenCanvas`.

mod bytes;
pub mod calcium;
pub mod perfusion;

pub use perfusion::Map;
pub mod inference;
pub mod segmentation;

use scene::measure::{Roi, RoiStatistics};
use scene::{Colormap, DVec3, Grid, View, Window};
use serde::{Deserialize, Serialize};

/// Which path draws and computes. The order is the order of preference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    WebGpu,
    WebGl2,
    Cpu,
}

impl Backend {
    /// The value of `?backend=`.
    pub fn parse(s: &str) -> Option<Self> {
        match s {
            "webgpu" => Some(Self::WebGpu),
            "webgl2" => Some(Self::WebGl2),
            "cpu" => Some(Self::Cpu),
            _ => None,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::WebGpu => "WebGPU",
            Self::WebGl2 => "WebGL2 + CPU",
            Self::Cpu => "CPU",
        }
    }
}

/// Counts up with every series that the engine lists; never reused within a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SeriesId(pub u32);

/// Counts up with every request to open files; later requests supersede earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RequestId(pub u32);

/// From the page to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Command {
    /// First message; `canvas` comes with it. `force` is `?backend=`.
    Start { force: Option<Backend> },
    /// A fresh `canvas` after [`Event::CanvasWanted`].
    Canvas,
    /// `files` come with it; `paths[i]` is the path of `files[i]` inside what was dropped (folder/name).
    Open { request: RequestId, paths: Vec<String> },
    /// Stop reading; what was read so far stays listed.
    Cancel { request: RequestId },
    /// Forget every study and free its memory.
    CloseAll,
    /// Load the voxels of a series (the one last asked for is loaded first).
    Load { series: SeriesId },
    /// Draw this. Only the newest scene is drawn.
    Draw { scene: Scene },
    /// Value under the pointer.
    Probe { query: u32, series: SeriesId, world: DVec3, time_index: u32 },
    /// Statistics of a region; `slab` as in the view it was drawn in is not applied: the plane's voxels are read.
    Roi { query: u32, series: SeriesId, roi: Roi, time_index: u32 },
    /// Score a loaded series; a newer question takes the place of one that has not been taken up.
    Calcium { query: u32, task: calcium::Task },
    /// The report of the same task as a file.
    CalciumExport { query: u32, task: calcium::Task, format: calcium::Format, identification: Vec<String> },
    /// Compute maps of a loaded series; a newer question takes the place of an older one, and what both need is kept.
    Perfusion { query: u32, task: perfusion::Task },
    /// Leave off; the last maps stay.
    PerfusionCancel { series: SeriesId },
    /// Curves of the last computation of a series.
    PerfusionCurves { query: u32, series: SeriesId, places: Vec<perfusion::Place> },
    /// A file of the last computation of a series.
    PerfusionExport {
        query: u32,
        series: SeriesId,
        format: perfusion::Format,
        identification: Vec<String>,
        /// Points and regions whose curves belong to the table of curves, with their names.
        places: Vec<(String, perfusion::Place)>,
        /// What the reader set on the screen: saved with the report, and the colours of its pictures.
        view: Box<contract::perfusion::View>,
    },
    /// A copy of one time point, for the inference worker.
    Hand { query: u32, series: SeriesId, time_index: u32 },
    /// About the label map of a loaded series.
    Segmentation { series: SeriesId, ask: segmentation::Ask },
    /// Run every kernel of the registry against its twin and report.
    SelfCheck,
    /// Read back what is on the canvas, as drawn, RGBA8.
    Capture { query: u32 },
    /// For tests: lose the GPU device or context as a driver reset would.
    LoseDevice,
}

/// Everything that is on the canvas.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scene {
    /// Counts up; [`Event::Drawn`] names the one that was drawn.
    pub generation: u32,
    /// Size of the canvas in device pixels.
    pub width_px: u32,
    pub height_px: u32,
    pub panels: Vec<Panel>,
}

/// One rectangle of the canvas that shows one view of one series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Panel {
    /// Device pixels from the canvas' top left.
    pub x_px: u32,
    pub y_px: u32,
    pub width_px: u32,
    pub height_px: u32,
    pub series: SeriesId,
    pub view: View,
    pub window: Window,
    /// Exchange black and white (after MONOCHROME1 has been honoured).
    pub invert: bool,
    /// Which time point of a dynamic series; 0 for others.
    pub time_index: u32,
    /// Voxels to be shown in colour.
    pub overlay: Option<Overlay>,
    /// Colours of the grey levels.
    pub colormap: Colormap,
}

/// Marks voxels by value, place and label: those whose value lies in a range, that lie in a box and whose label (the
/// engine holds them; 0 where it holds none) has a colour. A slab shows the highest label along the view.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Overlay {
    /// In the series' unit, inclusive; infinite for every value.
    pub lowest: f64,
    pub highest: f64,
    /// First voxel, and the one past the last along each axis; `None` for the whole volume.
    pub region: Option<[[u32; 3]; 2]>,
    /// Red, green, blue, alpha by label. Alpha 0, or no entry: not marked.
    pub palette: Vec<[u8; 4]>,
    /// Whose labels.
    pub labels: LabelSource,
    pub style: OverlayStyle,
}

/// Which labels of a series are shown: each analysis has its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LabelSource {
    /// Calcium lesions, core and penumbra.
    #[default]
    Analysis,
    /// The label map.
    Segmentation,
}

/// How marked voxels are shown; widths in device pixels. Slabs are always filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OverlayStyle {
    #[default]
    Fill,
    Outline(u32),
    Both(u32),
}

/// From the engine to the page.
// An event is made, serialised and dropped: its size never multiplies.
#[allow(clippy::large_enum_variant)]
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Event {
    /// The engine draws. Sent again after a device was recreated.
    Ready {
        backend: BackendInfo,
    },
    /// The canvas cannot be used any more (context lost, or no GPU context could be had from it): make a new one.
    CanvasWanted {
        why: String,
    },
    Progress {
        request: RequestId,
        progress: Progress,
    },
    /// Reading is over (or was cancelled): what there is. Replaces what an earlier `Catalog` said.
    Catalog {
        request: RequestId,
        catalog: Catalog,
        cancelled: bool,
    },
    /// One slice of what is being read, RGBA8, row by row: something to look at until the volume is there.
    Preview {
        request: RequestId,
        width: u32,
        height: u32,
        #[serde(with = "bytes")]
        rgba: Vec<u8>,
    },
    /// Small picture for the study list, RGBA8, row by row.
    Thumbnail {
        series: SeriesId,
        width: u32,
        height: u32,
        #[serde(with = "bytes")]
        rgba: Vec<u8>,
    },
    /// A series can be drawn from now on; slices that have not arrived are black.
    Opened {
        series: SeriesId,
        info: VolumeInfo,
    },
    /// `done` of `total` slices of this series have arrived; at `total` its numbers are final.
    Loaded {
        series: SeriesId,
        done: u32,
        total: u32,
    },
    /// `frame_ms`: from taking up the scene to handing the frame to the browser.
    Drawn {
        generation: u32,
        frame_ms: f64,
    },
    Value {
        query: u32,
        value: Option<ProbeValue>,
    },
    RoiValue {
        query: u32,
        statistics: Option<RoiStatistics>,
        message: Option<String>,
    },
    /// A score, or why there is none.
    Calcium {
        query: u32,
        series: SeriesId,
        outcome: Result<calcium::Table, String>,
    },
    /// How far a computation is.
    PerfusionProgress {
        query: u32,
        series: SeriesId,
        step: perfusion::Step,
        /// Of the step, 0 to 1.
        done: f64,
    },
    /// The slices on the screen show newer maps by this artery; all other voxels follow with the answer.
    PerfusionPreview {
        query: u32,
        series: SeriesId,
        aif: perfusion::Vessel,
    },
    /// Maps, or why there are none.
    Perfusion {
        query: u32,
        series: SeriesId,
        outcome: Result<perfusion::Findings, String>,
    },
    /// One for each place.
    PerfusionCurves {
        query: u32,
        curves: Vec<perfusion::Curve>,
    },
    /// What [`Command::Hand`] asked for; the voxels stand beside it.
    Handed {
        query: u32,
        outcome: Result<inference::HandedVolume, String>,
    },
    /// The label map of a series has changed, or could not be.
    Segmentation(segmentation::Told),
    /// A file for the user to keep.
    File {
        query: u32,
        name: String,
        mime: String,
        #[serde(with = "bytes")]
        bytes: Vec<u8>,
    },
    SelfCheck {
        rows: Vec<SelfCheckRow>,
        done: bool,
    },
    Captured {
        query: u32,
        width: u32,
        height: u32,
        #[serde(with = "bytes")]
        rgba: Vec<u8>,
    },
    /// The GPU was lost and is back after this long, with the same scene drawn.
    Recovered {
        after_ms: f64,
    },
    /// Something failed that the user should see. Names what failed, the value, and what to do.
    Problem {
        message: String,
    },
}

/// Where drawing and computing happen, for the badge and for every report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BackendInfo {
    pub backend: Backend,
    /// Adapter as the browser names it (vendor, architecture, description), or `CPU`.
    pub adapter: String,
    /// True for SwiftShader, lavapipe and friends.
    pub software: bool,
    /// Why a preferred backend was not taken, in order of preference.
    pub passed_over: Vec<String>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    pub files_done: u32,
    pub files_total: u32,
    pub bytes_done: u64,
    pub bytes_total: u64,
    /// `None` until a rate is known.
    pub seconds_left: Option<f64>,
}

/// What was received, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalog {
    pub studies: Vec<StudyEntry>,
    pub ledger: Ledger,
    pub warnings: Vec<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StudyEntry {
    /// As the header says it; empty where it says nothing.
    pub patient_name: String,
    pub patient_id: String,
    pub description: String,
    /// DICOM DA as `YYYY-MM-DD`, or empty.
    pub date: String,
    pub series: Vec<SeriesEntry>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SeriesEntry {
    pub id: SeriesId,
    pub modality: String,
    pub description: String,
    pub number: Option<i32>,
    /// Instances (files) that carry its pixels.
    pub instances: u32,
    /// `[columns, rows, slices]`
    pub dims: [u32; 3],
    pub time_points: u32,
    /// False for what is listed but has no picture (reports, plans).
    pub displayable: bool,
    /// The series over which it lies: it is a segmentation of it.
    pub labels_of: Option<SeriesId>,
    pub warnings: Vec<String>,
}

/// `received == used + shown + refused`, always.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    pub received: u32,
    /// Their pixels are part of a series.
    pub used: u32,
    /// Listed but not part of a volume (reports, duplicates), with the reason.
    pub shown: Vec<LedgerLine>,
    pub refused: Vec<LedgerLine>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LedgerLine {
    pub file: String,
    pub reason: String,
}

/// What the page needs to know of an opened series.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VolumeInfo {
    pub grid: Grid,
    /// `HU`, `mm²/s`, ... empty when the header names none.
    pub unit: String,
    pub colour: bool,
    /// The windows of the header first (with their explanation), then what the values suggest.
    pub windows: Vec<NamedWindow>,
    /// MONOCHROME1: low values are bright.
    pub monochrome1: bool,
    pub modality: String,
    /// 1 for a 3D series.
    pub time_points: u32,
    /// One entry per time point; empty for a 3D series and where the files tell no times (b-values).
    pub times_s: Vec<f64>,
    /// Which rule split the time points, as told to the user.
    pub time_rule: String,
    /// Smallest and largest value of what has arrived; 0 and 1 before anything has.
    pub min: f64,
    pub max: f64,
    /// (0028,2110) or a lossy transfer syntax, with the ratio where known.
    pub lossy: Option<String>,
    /// Lines for the corners of the panel: patient and study at the top left, series and acquisition at the top right.
    pub corner_left: Vec<String>,
    pub corner_right: Vec<String>,
    pub warnings: Vec<String>,
    /// Whether calcium can be scored on it.
    pub calcium: calcium::Offer,
    /// Whether perfusion maps can be computed of it.
    pub perfusion: perfusion::Offer,
    /// The same for series of one frame of reference (PS3.3 C.7.4.1); 0 where none is known.
    pub frame: u32,
    /// What it was computed from; `None` for what came from files.
    pub derived: Option<Derived>,
}

/// A volume that was computed from a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Derived {
    pub source: SeriesId,
    pub what: Map,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedWindow {
    pub name: String,
    pub window: Window,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProbeValue {
    /// In the series' unit.
    Grey(f64),
    /// Red, green, blue as stored.
    Colour([u8; 3]),
    /// Pixel Padding Value: no measurement.
    Padding,
}

/// One kernel of the registry, run here against its CPU twin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SelfCheckRow {
    pub kernel: String,
    pub case: String,
    pub passed: bool,
    pub max_difference: f64,
    /// Absolute and relative, as the kernel states it.
    pub tolerance: String,
    pub gpu_ms: f64,
    pub cpu_ms: f64,
    /// First difference, or why the kernel could not run here; empty when it passed.
    pub detail: String,
}
