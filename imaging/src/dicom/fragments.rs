//! Which bytes of encapsulated pixel data belong to which frame (PS3.5 A.4).
//! Offset tables are often missing or wrong, so each rule is used only where its result is consistent, and the
//! fragments themselves, whose lengths were checked against the file, decide.

use dicom_core::Tag;

use super::DicomError;
use super::file::{DicomFile, PixelLocation};
use super::syntax::Codec;
use super::window::Window;
use crate::Source;
use crate::limits::Limits;

/// Bytes of the source, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub offset: u64,
    pub length: u64,
}

/// The fragments of each frame.
pub(super) struct FrameIndex {
    fragments: Vec<Fragment>,
    /// First fragment of each frame.
    starts: Vec<usize>,
    /// Irregularities, for the user.
    pub warnings: Vec<String>,
}

impl FrameIndex {
    pub fn of(&self, frame: u32) -> &[Fragment] {
        let frame = frame as usize;
        let Some(&start) = self.starts.get(frame) else { return &[] };
        let end = self.starts.get(frame + 1).copied().unwrap_or(self.fragments.len());
        self.fragments.get(start..end).unwrap_or_default()
    }

    pub fn build(
        source: &dyn Source,
        file: &DicomFile,
        location: PixelLocation,
        frames: u32,
        limits: &Limits,
    ) -> Result<Self, DicomError> {
        let mut warnings = Vec::new();
        let (offset_table, items_start, fragments) = walk(source, file, location, limits, &mut warnings)?;
        if fragments.is_empty() {
            return Err(DicomError::Truncated { expected: 1, actual: 0 });
        }
        let starts = starts(source, file, frames, &offset_table, items_start, &fragments)?;
        Ok(Self { fragments, starts, warnings })
    }
}

type Walked = (Vec<u64>, u64, Vec<Fragment>);

fn walk(
    source: &dyn Source,
    file: &DicomFile,
    location: PixelLocation,
    limits: &Limits,
    warnings: &mut Vec<String>,
) -> Result<Walked, DicomError> {
    let end = source.len();
    let big_endian = file.transfer_syntax.big_endian;
    let mut window = Window::new(source, location.offset);
    let mut offset_table = None;
    let mut items_start = location.offset;
    let mut fragments = Vec::new();
    loop {
        let Ok(head) = <[u8; 8]>::try_from(window.peek(8)?) else {
            warnings.push("The file ends without the end of its pixel data.".into());
            break;
        };
        let half = |a, b| if big_endian { u16::from_be_bytes([a, b]) } else { u16::from_le_bytes([a, b]) };
        let tag = Tag(half(head[0], head[1]), half(head[2], head[3]));
        let length = [head[4], head[5], head[6], head[7]];
        let length =
            u64::from(if big_endian { u32::from_be_bytes(length) } else { u32::from_le_bytes(length) });
        if tag == Tag(0xFFFE, 0xE0DD) {
            break;
        }
        if tag != Tag(0xFFFE, 0xE000) || length == u64::from(u32::MAX) {
            return Err(DicomError::Fragments(format!(
                "{tag} stands where fragment {} should",
                fragments.len()
            )));
        }
        window.skip(8);
        let actual = end.saturating_sub(window.pos());
        if length > actual {
            return Err(DicomError::Truncated { expected: length, actual });
        }
        if offset_table.is_none() {
            let bytes = window.peek(length.min(limits.max_value_bytes) as usize)?;
            let entries = bytes.as_chunks::<4>().0.iter();
            offset_table = Some(entries.map(|b| u64::from(u32::from_le_bytes(*b))).collect::<Vec<_>>());
            items_start = window.pos() + length;
        } else {
            fragments.push(Fragment { offset: window.pos(), length });
            if fragments.len() as u64 > limits.max_elements {
                let (value, limit) = (fragments.len() as u64, limits.max_elements);
                return Err(DicomError::Limit { what: "The number of fragments", value, limit });
            }
        }
        window.skip(length);
    }
    Ok((offset_table.unwrap_or_default(), items_start, fragments))
}

fn starts(
    source: &dyn Source,
    file: &DicomFile,
    frames: u32,
    offset_table: &[u64],
    items_start: u64,
    fragments: &[Fragment],
) -> Result<Vec<usize>, DicomError> {
    let frames = frames as usize;
    if frames == 1 {
        // Fragments of a second image behind the first (seen in pydicom's own files) are not part of frame 1.
        return Ok(vec![0]);
    }
    if fragments.len() == frames {
        return Ok((0..frames).collect());
    }
    // (7FE0,0001) Extended Offset Table, then the Basic Offset Table: both give item offsets from the first item.
    let extended: Vec<u64> =
        file.object.get(Tag(0x7FE0, 0x0001)).and_then(|e| e.to_multi_int::<u64>().ok()).unwrap_or_default();
    for table in [extended.as_slice(), offset_table] {
        if let Some(starts) = by_table(table, frames, items_start, fragments) {
            return Ok(starts);
        }
    }
    // Without a table a frame starts where a coded image starts.
    if matches!(file.transfer_syntax.codec, Codec::Jpeg | Codec::JpegLs | Codec::Jpeg2000) {
        let mut found = Vec::new();
        for (index, fragment) in fragments.iter().enumerate() {
            let mut first = [0; 4];
            super::window::read_full(source, fragment.offset, &mut first)?;
            if first.starts_with(&[0xFF, 0xD8, 0xFF])
                || first == [0xFF, 0x4F, 0xFF, 0x51]
                || first == [0, 0, 0, 12]
            {
                found.push(index);
            }
        }
        if found.len() >= frames && found.first() == Some(&0) {
            return Ok(found);
        }
    }
    if fragments.len() > frames
        && !matches!(file.transfer_syntax.codec, Codec::Jpeg | Codec::JpegLs | Codec::Jpeg2000)
    {
        // RLE and deflated frames have exactly one fragment (PS3.5 A.4.2); what follows is surplus.
        return Ok((0..fragments.len()).collect());
    }
    Err(DicomError::Fragments(format!(
        "{} fragments for {frames} frames and no usable offset table",
        fragments.len()
    )))
}

fn by_table(table: &[u64], frames: usize, items_start: u64, fragments: &[Fragment]) -> Option<Vec<usize>> {
    if table.len() < frames {
        return None;
    }
    let mut starts = Vec::with_capacity(frames);
    for offset in &table[..frames] {
        let value_offset = items_start.checked_add(*offset)?.checked_add(8)?;
        let index = fragments.binary_search_by_key(&value_offset, |f| f.offset).ok()?;
        if starts.last().is_some_and(|last| *last >= index) {
            return None;
        }
        starts.push(index);
    }
    (starts.first() == Some(&0)).then_some(starts)
}
