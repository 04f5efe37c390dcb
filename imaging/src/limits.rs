//! How much memory and depth a received file may ask for.
//! One struct, passed down, so that every allocation that a file's own numbers decide is checked against the same figures.

/// Bounds on what one file may make us allocate. A file that exceeds one is refused with the figure in the message.
///
/// Reading a header holds at most `max_header_bytes` of values (in memory at most 16 times that, reached only
/// by a file made of empty sequence items) and a window of 1 MiB. Decoding holds one frame at a time: at most
/// four times the decoded frame, plus the compressed bytes of that frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Longest file that is opened. 16 GiB: the largest clinical objects (whole-slide, 4D ultrasound) stay below.
    pub max_file_bytes: u64,
    /// All header values of a file together. 128 MiB: enhanced objects with 10,000 frames have about 30.
    pub max_header_bytes: u64,
    /// One header value that is kept; longer ones (encapsulated documents, waveforms) are skipped with a warning.
    /// 16 MiB: the longest value that display needs, a 16-bit lookup table, has 128 KiB.
    pub max_value_bytes: u64,
    /// Elements and items of a header. 4 million: 10,000 frames with 400 elements each.
    pub max_elements: u64,
    /// Sequences inside sequences. 32: structured reports reach about 12; a deeper file is made to exhaust the stack.
    pub max_sequence_depth: u32,
    /// One decoded frame. 512 MiB: a mammogram of 4736 x 2624 at 16 bit has 24 MiB.
    pub max_frame_bytes: u64,
    /// All decoded frames of one file. 16 GiB, as for the file: they are read one at a time.
    pub max_pixels_bytes: u64,
    /// How many times larger than its compressed bytes a frame above `expansion_free_bytes` may be.
    /// 10,000: an empty 512 x 512 x 16-bit slice in JPEG 2000 reaches about 5,000.
    pub max_expansion: u64,
    /// Frames (and deflated data sets) up to this size may expand without limit: 32 MiB is no harm.
    pub expansion_free_bytes: u64,
    /// How many times larger than its deflated bytes a data set above `expansion_free_bytes` may be.
    /// 200: deflate reaches 1032 on zeros; real data sets stay below 50.
    pub max_inflate_ratio: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file_bytes: 16 << 30,
            max_header_bytes: 128 << 20,
            max_value_bytes: 16 << 20,
            max_elements: 4_000_000,
            max_sequence_depth: 32,
            max_frame_bytes: 512 << 20,
            max_pixels_bytes: 16 << 30,
            max_expansion: 10_000,
            expansion_free_bytes: 32 << 20,
            max_inflate_ratio: 200,
        }
    }
}
