//! Label maps: one byte per voxel on the grid of an image, with everything that is done to them.
//!
//! Headless and safe for wasm. A [`LabelVolume`] is made by a model, a file or a hand; [`edit`] changes it and
//! keeps what changed, [`statistics`] measures it, [`prepare`] is the way of an image to a model's grid and of
//! the answer back, [`dicom`], [`nifti`] and [`csv`] are its files. No screen and no model is known here.

pub mod csv;
pub mod dicom;
pub mod edit;
pub mod labels;
pub mod nifti;
pub mod prepare;
pub mod resample;
#[cfg(feature = "models")]
pub mod run;
pub mod statistics;

pub use edit::{Edit, EditError, History, Operation};
pub use labels::{Label, LabelError, LabelVolume};
pub use statistics::{LabelStatistics, statistics};
