//! Studies with a known truth, written as real DICOM files.
//!
//! A reader or a measurement can only be trusted where the right answer is known beforehand: each study here
//! is a formula, its truth is written beside it, and its bytes are the same on every machine.

pub mod anatomy;
pub mod archive;
pub mod cardiac;
pub mod file;
pub mod perfusion;
pub mod random;
pub mod shape;
pub mod synthetic;
pub mod uid;

pub use file::{Modality, Photometric, Syntax};
pub use synthetic::{Mark, SyntheticSpec, synthetic};

/// Why a study could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An image whose pixels do not fill it.
    #[error("the image has {got} pixels but its rows and columns ask for {expected}")]
    PixelCount {
        /// Number of pixels given.
        got: usize,
        /// Rows times columns.
        expected: usize,
    },
    /// A specification that no file can hold.
    #[error("the specification cannot be written: {0}")]
    Specification(String),
    /// The meta group could not be built.
    #[error("the DICOM meta group could not be built: {0}")]
    Meta(#[from] Box<dicom_object::WithMetaError>),
    /// The data set could not be encoded.
    #[error("the DICOM data set could not be encoded: {0}")]
    Write(#[from] Box<dicom_object::WriteError>),
    /// The archive could not be packed.
    #[error("the zip archive could not be packed: {0}")]
    Zip(#[from] zip::result::ZipError),
    /// A file could not be written.
    #[error("a file could not be written: {0}. Check that the folder exists and has room.")]
    Io(#[from] std::io::Error),
    /// The truth could not be written as JSON.
    #[error("the truth could not be written as JSON: {0}")]
    Json(#[from] serde_json::Error),
}

impl From<dicom_object::WithMetaError> for Error {
    fn from(error: dicom_object::WithMetaError) -> Self {
        Self::Meta(Box::new(error))
    }
}

impl From<dicom_object::WriteError> for Error {
    fn from(error: dicom_object::WriteError) -> Self {
        Self::Write(Box::new(error))
    }
}

/// A file of a study: its path inside the archive and its bytes.
pub type NamedFile = (String, Vec<u8>);
