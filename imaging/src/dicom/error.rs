//! Why a DICOM file or one of its frames could not be read.
//! One enum for the arrow from bytes to samples; each message says what failed, the value, and what to do.

use std::io;

/// Failure to read a DICOM file. No message holds text of the file other than UIDs of the standard.
#[derive(Debug, thiserror::Error)]
pub enum DicomError {
    /// The source failed.
    #[error("Could not read the file: {0}. Try again, or copy the file to a local disk first.")]
    Io(#[from] io::Error),
    /// No preamble and no plausible data set.
    #[error("Not a DICOM file: neither the preamble nor a plausible first element was found.")]
    NotDicom,
    /// A bound of [`crate::limits::Limits`] was exceeded.
    #[error(
        "{what} is {value}, more than the limit of {limit}. The file is damaged or made to exhaust memory."
    )]
    Limit {
        /// What was counted.
        what: &'static str,
        /// How much there is.
        value: u64,
        /// How much is allowed.
        limit: u64,
    },
    /// The header cannot be parsed.
    #[error("The header is damaged at byte {offset}: {what}. Export the file again from its source.")]
    Header {
        /// Where in the data set.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// The transfer syntax is known but not decodable here, or unknown.
    #[error(
        "Transfer syntax {name} ({uid}) cannot be decoded. Convert the file to Explicit VR Little Endian."
    )]
    UnsupportedSyntax {
        /// The UID as in the file.
        uid: String,
        /// Its name in the standard, or `unknown`.
        name: String,
    },
    /// There is no pixel data.
    #[error("The file holds no pixel data.")]
    NoPixelData,
    /// An attribute that pixels need is missing or impossible.
    #[error("{name} ({tag}) {problem}. The pixels cannot be interpreted without it.")]
    Attribute {
        /// Keyword of the attribute.
        name: &'static str,
        /// `gggg,eeee`.
        tag: &'static str,
        /// `is missing`, `is 0`, ...
        problem: String,
    },
    /// Fewer pixel bytes than the header promises.
    #[error("Pixel data is truncated: {actual} of {expected} bytes. Transfer the file again.")]
    Truncated {
        /// Bytes needed.
        expected: u64,
        /// Bytes there.
        actual: u64,
    },
    /// The fragments cannot be assigned to frames.
    #[error("Encapsulated pixel data is damaged: {0}. Transfer the file again.")]
    Fragments(String),
    /// The compressed stream of a frame is damaged or uses a feature that is not supported.
    #[error("Frame {frame} in {syntax} cannot be decoded: {what}.")]
    Codec {
        /// Index of the frame, from 0.
        frame: u32,
        /// Name of the transfer syntax.
        syntax: &'static str,
        /// What the decoder found.
        what: String,
    },
    /// A frame index outside the file.
    #[error("Frame {frame} was asked for, but the file has {frames}.")]
    NoSuchFrame {
        /// Index asked for, from 0.
        frame: u32,
        /// Number of frames.
        frames: u32,
    },
    /// A buffer of the wrong length or type for the fast path.
    #[error(
        "The frame has {samples} samples of {kind}, which do not fit the given buffer of {buffer} int16."
    )]
    Buffer {
        /// Samples of a frame.
        samples: usize,
        /// Their type.
        kind: &'static str,
        /// Length of the buffer.
        buffer: usize,
    },
}
