//! Bytes to [`Volume`]: DICOM, NIfTI, PNG and JPEG in. No GPU, no web.
//!
//! Reading goes one way and in steps, so that a worker can report progress and be cancelled between two
//! of them: [`Source`]s are scanned into headers, headers are grouped into a [`Catalog`] of series with a
//! [`InstanceLedger`] that accounts for every file, and a [`VolumeLoader`] fills the [`Volume`] of one
//! series slice by slice.

pub mod dicom;
pub mod limits;
pub mod source;
pub mod volume;

pub use source::Source;
pub use volume::{Volume, Voxels};
