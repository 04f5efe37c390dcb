//! Label maps: what the page may ask of the engine, and what it is told of the labels.
//!
//! The voxels stay with the engine. The page knows names, colours and numbers, and sends strokes in millimetres, so
//! that an edit means the same on every grid.

use scene::DVec3;
use serde::{Deserialize, Serialize};

use crate::SeriesId;

/// One label of a label map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Segment {
    /// 1 to 255.
    pub id: u8,
    pub name: String,
    pub colour: [u8; 3],
    /// No edit changes its voxels.
    pub locked: bool,
    pub voxels: u64,
    /// `None` where the spacing is not known.
    pub volume_ml: Option<f64>,
    /// Mean and standard deviation of the image within it, in its unit.
    pub mean: Option<f64>,
    pub sd: Option<f64>,
    /// A voxel of it, to go to; `None` where it has none.
    pub on_mm: Option<DVec3>,
}

/// The label map of a series.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Segments {
    pub segments: Vec<Segment>,
    /// From where the labels came: a model, a file, a hand.
    pub origin: String,
    /// Steps that can be taken back, and taken again.
    pub undo: u32,
    pub redo: u32,
    pub warnings: Vec<String>,
}

/// What is done to a label map.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Step {
    /// Balls (or discs in the plane with this normal) along a stroke get the label; 0 rubs out. With `range` only voxels
    /// whose value lies in it.
    Paint {
        label: u8,
        along_mm: Vec<DVec3>,
        radius_mm: f64,
        normal: Option<DVec3>,
        range: Option<[f64; 2]>,
    },
    /// What is connected on the slice of the grid with the voxel at a point, and has the same label, gets another one.
    Fill {
        label: u8,
        at_mm: DVec3,
    },
    /// From the voxel at a point to all that are connected with it and whose value lies in a range.
    Grow {
        label: u8,
        from_mm: DVec3,
        range: [f64; 2],
    },
    /// All but the largest component of a label goes.
    KeepLargest {
        label: u8,
    },
    Smooth {
        label: u8,
    },
    /// Slices between two that have the label get it where its shapes blend.
    Interpolate {
        label: u8,
    },
    Clear {
        label: u8,
    },
    /// A name, a colour or a lock; a label that does not exist begins with it.
    Describe {
        label: u8,
        name: String,
        colour: [u8; 3],
        locked: bool,
    },
    Undo,
    Redo,
}

/// As what a label map is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Format {
    /// DICOM Segmentation, one bit per voxel and label.
    SegBinary,
    /// DICOM Label Map Segmentation.
    SegLabelMap,
    /// NIfTI-1, gzipped, with the affine of the image.
    Nifti,
    /// Volumes and statistics.
    Csv,
}

/// From the page to the engine.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Ask {
    /// An empty label map, if there is none.
    Begin,
    /// Takes over the labels beside the message: an ArrayBuffer named `labels`, one byte per voxel.
    Adopt {
        origin: String,
        described: Vec<Described>,
    },
    /// Reads the first of the `files` beside the message: a DICOM Segmentation or a NIfTI label map.
    Open {
        name: String,
    },
    /// Lays the segmentation with this entry of the study list over the series, which must have no labels.
    Lay {
        segmentation: SeriesId,
    },
    Step {
        step: Step,
    },
    Export {
        query: u32,
        format: Format,
    },
    /// Forgets the label map.
    Close,
}

/// Name and colour of a label that is handed over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Described {
    pub id: u8,
    pub name: String,
    pub colour: [u8; 3],
    pub code: Option<contract::models::Code>,
}

/// From the engine to the page.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    pub series: SeriesId,
    /// The label map as it is now, or why nothing was done.
    pub outcome: Result<Option<Segments>, String>,
    /// What was done without being asked.
    pub notice: Option<String>,
}
