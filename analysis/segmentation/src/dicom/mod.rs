//! DICOM Segmentation objects (PS3.3 A.51), one bit per voxel and segment or one label per voxel.
//!
//! Both kinds are written, because archives know the first and the second is smaller by the number of
//! segments; whatever is read ends on the grid of the image it is laid over.

mod belonging;
mod colour;
mod elements;
mod read;
mod source;
mod write;

use dicom_dictionary_std::uids;

use crate::labels::LabelError;

pub use belonging::{Segmentation, belonging};
pub use read::{Read, is_segmentation, read};
pub use source::{SourceFrame, SourceSeries};
pub use write::{Kind, Maker, Moment, write};

/// Label Map Segmentation Storage (PS3.4 B.5, Supplement 243).
const LABEL_MAP: &str = uids::LABEL_MAP_SEGMENTATION_STORAGE;
/// Segmentation Storage.
const BINARY: &str = uids::SEGMENTATION_STORAGE;

/// What a segment is called whose structure has no code: dcmqi's default as well.
const TISSUE: [&str; 3] = ["85756007", "SCT", "Tissue"];
/// Beginning of a Tracking ID (0062,0020) that keeps a label's value, because Segment Number must count from 1.
const TRACKING: &str = "isocenter:";

/// Why there is no object, or no label map.
#[derive(Debug, thiserror::Error)]
pub enum SegError {
    /// A segmentation refers to its images.
    #[error("This series has no DICOM images to refer to. Export NIfTI instead.")]
    NoSource,
    /// Another number of slices than the label map.
    #[error(
        "The series has {frames} slices, the label map {slices}. Export it from the series it was made on."
    )]
    OtherSource {
        /// Of the series.
        frames: usize,
        /// Of the label map.
        slices: usize,
    },
    /// An object needs at least one frame.
    #[error("No voxel has a label: there is nothing to export.")]
    Empty,
    /// Rows and columns are counted in 16 bits.
    #[error("A slice of {0} x {1} voxels does not fit into a DICOM object.")]
    TooWide(u32, u32),
    /// The object could not be written.
    #[error("The DICOM object could not be encoded: {0}")]
    Encode(String),
    /// The file could not be read.
    #[error(transparent)]
    Dicom(#[from] imaging::dicom::DicomError),
    /// Another kind of object.
    #[error("This is no DICOM segmentation, but {0}. Open it as an image.")]
    NotASegmentation(String),
    /// Something that must be there is not.
    #[error("The segmentation cannot be placed: {0}.")]
    Geometry(String),
    /// Labels that a byte cannot hold.
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// No voxel of it lies in the image.
    #[error("No segment of the file lies within the image. Open it on the image it belongs to.")]
    Elsewhere,
}
