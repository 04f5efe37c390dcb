//! DICOM files: bytes to header, bytes to samples.
//!
//! Two steps, because a scan over thousands of files must not read their pixels: [`read_header`] reads as far as
//! the pixel data and remembers where that starts; [`PixelReader`] then reads one frame at a time from there.

mod charset;
mod codec;
mod color;
mod dataset;
mod error;
mod file;
mod format;
mod fragments;
mod inflate;
mod palette;
mod pixels;
mod samples;
mod syntax;
mod values;
mod window;

pub use error::DicomError;
pub use file::{DicomFile, PixelLocation, looks_like_dicom, read_header};
pub use format::{PixelFormat, SampleKind};
pub use palette::{Palette, palette};
pub use pixels::PixelReader;
pub use samples::Samples;
pub(crate) use samples::each;
pub use syntax::TransferSyntax;
