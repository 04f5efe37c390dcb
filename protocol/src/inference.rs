//! What the page and the inference worker say to each other, and the volume that the engine hands over for it.
//!
//! The worker is ended to cancel a run and to give back its memory, so it holds nothing that is not in a question.

use contract::models::{Model, Precision};
use scene::Grid;
use serde::{Deserialize, Serialize};

use crate::SeriesId;

/// Element type of a volume that changes hands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoxelKind {
    I16,
    U16,
    F32,
}

/// One time point of a series. Its voxels stand beside the message as an ArrayBuffer named `voxels`, little endian,
/// columns first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HandedVolume {
    pub series: SeriesId,
    pub grid: Grid,
    pub kind: VoxelKind,
    /// `value = slope * stored + intercept`
    pub slope: f64,
    pub intercept: f64,
    /// Stored values that are no measurement, both inclusive.
    pub padding: Option<[f64; 2]>,
    pub unit: String,
}

/// On what a model is to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// A GPU that is not played by the processor, else the CPU.
    #[default]
    Auto,
    Gpu,
    Cpu,
}

/// From the page to the inference worker.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Ask {
    /// A label for every voxel. A model that the reader dropped stands beside it as a `File` named `file`, others are
    /// fetched.
    Segment {
        run: u32,
        model: Box<Model>,
        precision: Precision,
        volume: Box<HandedVolume>,
        place: Place,
        /// What weights and activations may take together.
        budget_bytes: u64,
    },
}

/// From the inference worker to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Answer {
    Progress {
        run: u32,
        stage: Stage,
        part: f64,
        seconds_left: Option<f64>,
    },
    /// The labels stand beside it as an ArrayBuffer named `labels`: one byte per voxel of the volume, columns first.
    Done {
        run: u32,
        outcome: Box<Outcome>,
    },
    Failed {
        run: u32,
        message: String,
    },
}

/// What a run is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The model's file arrives.
    Fetch,
    /// Its graph is read and planned for the shape at hand.
    Plan,
    /// The image is brought to the grid and the values that the model expects.
    Prepare,
    Run,
    /// The labels are brought back to the image's grid.
    Restore,
}

impl Stage {
    /// As the page says it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Fetch => "Fetching the model",
            Self::Plan => "Reading the model",
            Self::Prepare => "Preparing the image",
            Self::Run => "Computing",
            Self::Restore => "Placing the labels",
        }
    }
}

/// How a label map came about.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// Name, version, precision and hash of what computed it.
    pub model: String,
    pub model_sha256: String,
    /// `gpu: <adapter>` or `cpu`.
    pub backend: String,
    /// How the GPU's kernels were chosen, with the times that decided.
    pub remark: Option<String>,
    /// Operators that ran on the GPU, and all.
    pub nodes_on_gpu: u32,
    pub nodes: u32,
    pub peak_bytes: u64,
    /// Milliseconds per stage.
    pub timings_ms: Vec<(Stage, f64)>,
    pub warnings: Vec<String>,
}
