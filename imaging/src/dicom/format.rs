//! What the bytes of pixel data mean: the Image Pixel module (PS3.3 C.7.6.3), parsed once and then trusted.
//! Everything impossible is refused here, so that no decoder needs to doubt its sizes.

use dicom_core::Tag;

use super::DicomError;
use super::file::DicomFile;
use crate::limits::Limits;

/// Type of a stored value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SampleKind {
    /// Integer in `bits_allocated`, signed or not.
    Integer,
    /// (7FE0,0008) Float Pixel Data, 32 bit.
    Float,
    /// (7FE0,0009) Double Float Pixel Data, 64 bit.
    Double,
}

/// The Image Pixel module of a file, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PixelFormat {
    /// (0028,0010)
    pub rows: u32,
    /// (0028,0011)
    pub columns: u32,
    /// (0028,0002): 1 or 3.
    pub samples_per_pixel: u32,
    /// (0028,0100): 1, 8, 16, 32, 64.
    pub bits_allocated: u32,
    /// (0028,0101): never more than allocated.
    pub bits_stored: u32,
    /// (0028,0102)
    pub high_bit: u32,
    /// (0028,0103)
    pub signed: bool,
    /// Integers or floats.
    pub kind: SampleKind,
    /// (0028,0008), 1 where it is missing.
    pub frames: u32,
    /// (0028,0004) as in the file; the decoded samples of any YBR are RGB.
    pub photometric: String,
    /// (0028,0006): whether native colour is stored plane after plane.
    pub planar: bool,
}

impl PixelFormat {
    /// Samples of one decoded frame.
    pub fn samples_per_frame(&self) -> usize {
        self.rows as usize * self.columns as usize * self.samples_per_pixel as usize
    }

    /// Bytes of one decoded sample: 1-bit samples become bytes.
    pub fn sample_bytes(&self) -> usize {
        (self.bits_allocated as usize).div_ceil(8)
    }

    /// Bytes of one decoded frame.
    pub fn frame_bytes(&self) -> usize {
        self.samples_per_frame() * self.sample_bytes()
    }

    /// Native YBR_FULL_422 shares chroma between two pixels (PS3.3 C.7.6.3.1.2).
    pub(super) fn subsampled(&self) -> bool {
        self.samples_per_pixel == 3 && self.photometric == "YBR_FULL_422"
    }

    /// Bits of one frame in native pixel data.
    pub(super) fn native_frame_bits(&self) -> u64 {
        let bits = self.samples_per_frame() as u64 * u64::from(self.bits_allocated);
        if self.subsampled() { bits / 3 * 2 } else { bits }
    }
}

impl DicomFile {
    /// Reads and checks what describes the pixels.
    pub fn pixel_format(&self, limits: &Limits) -> Result<PixelFormat, DicomError> {
        let location = self.pixel_data.ok_or(DicomError::NoPixelData)?;
        let rows = self.positive("Rows", "0028,0010", Tag(0x0028, 0x0010))?;
        let columns = self.positive("Columns", "0028,0011", Tag(0x0028, 0x0011))?;
        let samples_per_pixel = self.integer(Tag(0x0028, 0x0002)).unwrap_or(1);
        let kind = match location.tag.1 {
            0x0008 => SampleKind::Float,
            0x0009 => SampleKind::Double,
            _ => SampleKind::Integer,
        };
        let bits_allocated = match kind {
            SampleKind::Float => 32,
            SampleKind::Double => 64,
            SampleKind::Integer => self.positive("Bits Allocated", "0028,0100", Tag(0x0028, 0x0100))?,
        };
        let allowed: &[u32] = if kind == SampleKind::Integer { &[1, 8, 16, 32] } else { &[32, 64] };
        if !allowed.contains(&bits_allocated) {
            return Err(attribute(
                "Bits Allocated",
                "0028,0100",
                format!("is {bits_allocated}, not 1, 8, 16 or 32"),
            ));
        }
        let bits_stored = match kind {
            SampleKind::Integer => self.integer(Tag(0x0028, 0x0101)).unwrap_or(bits_allocated.into()),
            _ => i64::from(bits_allocated),
        };
        if !(1..=i64::from(bits_allocated)).contains(&bits_stored) {
            let problem = format!("is {bits_stored} with {bits_allocated} bits allocated");
            return Err(attribute("Bits Stored", "0028,0101", problem));
        }
        if !matches!(samples_per_pixel, 1 | 3) {
            return Err(attribute(
                "Samples per Pixel",
                "0028,0002",
                format!("is {samples_per_pixel}, not 1 or 3"),
            ));
        }
        let frames = match self.integer(Tag(0x0028, 0x0008)) {
            None | Some(0) => 1,
            Some(n) => {
                u32::try_from(n).map_err(|_| attribute("Number of Frames", "0028,0008", format!("is {n}")))?
            }
        };
        let format = PixelFormat {
            rows,
            columns,
            samples_per_pixel: samples_per_pixel as u32,
            bits_allocated,
            bits_stored: bits_stored as u32,
            high_bit: self
                .integer(Tag(0x0028, 0x0102))
                .and_then(|bit| u32::try_from(bit).ok())
                .unwrap_or(bits_stored as u32 - 1),
            signed: self.integer(Tag(0x0028, 0x0103)) == Some(1),
            kind,
            frames,
            photometric: self
                .object
                .get(Tag(0x0028, 0x0004))
                .and_then(|e| e.to_str().ok())
                .map_or_else(String::new, |s| s.trim().to_owned()),
            planar: self.integer(Tag(0x0028, 0x0006)) == Some(1),
        };
        // In u64 before any usize: on wasm32 the product of two 16-bit sizes already overflows.
        let frame_bytes = u64::from(rows)
            .saturating_mul(columns.into())
            .saturating_mul(samples_per_pixel as u64)
            .saturating_mul(u64::from(bits_allocated).div_ceil(8));
        for (what, value, limit) in [
            ("The size of a frame", frame_bytes, limits.max_frame_bytes.min(isize::MAX as u64 / 4)),
            ("The size of all frames", frame_bytes.saturating_mul(frames.into()), limits.max_pixels_bytes),
        ] {
            if value > limit {
                return Err(DicomError::Limit { what, value, limit });
            }
        }
        Ok(format)
    }

    fn integer(&self, tag: Tag) -> Option<i64> {
        self.object.get(tag)?.to_int().ok()
    }

    fn positive(&self, name: &'static str, tag_name: &'static str, tag: Tag) -> Result<u32, DicomError> {
        if self.object.get(tag).is_none() {
            return Err(attribute(name, tag_name, "is missing".into()));
        }
        match self.integer(tag) {
            Some(value @ 1..=0xFFFF_FFFF) => Ok(value as u32),
            Some(value) => Err(attribute(name, tag_name, format!("is {value}"))),
            None => Err(attribute(name, tag_name, "is no number".into())),
        }
    }
}

fn attribute(name: &'static str, tag: &'static str, problem: String) -> DicomError {
    DicomError::Attribute { name, tag, problem }
}
