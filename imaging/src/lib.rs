//! Bytes to [`Volume`]: DICOM, NIfTI, PNG and JPEG in. No GPU, no web.
//!
//! Reading goes one way and in steps, so that a worker can report progress and be cancelled between two
//! of them: [`Source`]s are scanned into headers, headers are grouped into a [`Catalog`] of series with a
//! [`InstanceLedger`] that accounts for every file, and a [`VolumeLoader`] fills the [`Volume`] of one
//! series slice by slice.

mod archive;
mod catalog;
pub mod dicom;
#[cfg(not(target_arch = "wasm32"))]
pub mod disk;
pub mod group;
pub mod header;
mod heirs;
mod item;
pub mod ledger;
pub mod limits;
mod list;
mod load;
mod nifti;
mod raster;
mod scan;
pub mod source;
mod store;
mod thumbnail;
pub mod volume;

pub use archive::ArchiveLimits;
pub use catalog::{Catalog, Series, SlotFrame, Study};
pub use heirs::Heir;
pub use item::Item;
pub use ledger::{Fate, FileId, InstanceLedger, LedgerError};
pub use load::{LoadError, Placed, VolumeLoader};
pub use nifti::{NiftiError, NiftiVoxels, NiftiWriteError, nifti_bytes};
pub use raster::RasterError;
pub use scan::{ScanStep, Scanner, read_study};
pub use source::Source;
pub use thumbnail::{Thumbnail, initial_window, thumbnail};
pub use volume::{Volume, Voxels};
