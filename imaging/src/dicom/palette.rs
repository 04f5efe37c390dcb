//! PALETTE COLOR lookup tables (PS3.3 C.7.6.3.1.5, C.7.9): indices stay in the samples, this maps them.
//! Kept apart from decoding because a palette is display: measurements and hashes use the indices.

use dicom_core::Tag;
use dicom_object::InMemDicomObject;

use super::file::DicomFile;

/// Three tables of equal length with the index of their first entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Stored value of entry 0.
    pub first: i32,
    /// Red, green, blue in 8 bits.
    pub entries: Vec<[u8; 3]>,
}

impl Palette {
    /// Colour of a stored value; beyond either end the end's colour.
    pub fn rgb(&self, stored: i32) -> [u8; 3] {
        let last = self.entries.len().saturating_sub(1) as i64;
        let index = (i64::from(stored) - i64::from(self.first)).clamp(0, last);
        self.entries.get(index as usize).copied().unwrap_or_default()
    }
}

/// The palette of a PALETTE COLOR file; `None` where it has none or an incomplete one.
pub fn palette(file: &DicomFile) -> Option<Palette> {
    let channels = [1, 2, 3].map(|n| channel(&file.object, n));
    let [Some((first, red)), Some((_, green)), Some((_, blue))] = channels else { return None };
    let entries = red.into_iter().zip(green).zip(blue).map(|((r, g), b)| [r, g, b]).collect();
    Some(Palette { first, entries })
}

fn channel(object: &InMemDicomObject, n: u16) -> Option<(i32, Vec<u8>)> {
    let descriptor = object.get(Tag(0x0028, 0x1100 + n))?.to_multi_int::<i32>().ok()?;
    let &[entries, first, bits] = descriptor.as_slice() else { return None };
    // 16 bits cannot hold 65536: it is written 0, and a signed reader sees negative counts.
    let entries = match entries & 0xFFFF {
        0 => 65536,
        n => n as usize,
    };
    let words: Vec<u16> = match object.get(Tag(0x0028, 0x1200 + n)) {
        Some(data) => {
            let words = data.to_multi_int::<u16>().ok()?;
            // PS3.3 C.7.6.3.1.6: 8-bit entries may be packed two to a word.
            if bits == 8 && words.len() <= entries.div_ceil(2) {
                words.iter().flat_map(|w| [w & 0xFF, w >> 8]).collect()
            } else {
                words
            }
        }
        None => segmented(&object.get(Tag(0x0028, 0x1220 + n))?.to_multi_int::<u16>().ok()?, entries)?,
    };
    // Some writers say 16 bits and fill 8: the largest entry tells.
    let wide = bits > 8 && words.iter().any(|w| *w > 0xFF);
    let table = words.iter().take(entries).map(|w| if wide { (w >> 8) as u8 } else { *w as u8 }).collect();
    Some((first, table))
}

// PS3.3 C.7.9.2: discrete (0), linear (1) and indirect (2) segments.
fn segmented(words: &[u16], entries: usize) -> Option<Vec<u16>> {
    let mut out: Vec<u16> = Vec::new();
    let mut starts = Vec::new();
    let mut at = 0;
    while at + 1 < words.len() && out.len() < entries {
        starts.push(at);
        let consumed = segment(words, at, &mut out)?;
        if consumed > 0 {
            at += consumed;
            continue;
        }
        // Indirect: `count` earlier segments, from a byte offset, once more; they must not be indirect again.
        let count = usize::from(words[at + 1]);
        let offset = (usize::from(*words.get(at + 3)?) << 16 | usize::from(*words.get(at + 2)?)) / 2;
        let mut again = offset;
        for _ in 0..count {
            if !starts.contains(&again) || out.len() >= entries {
                break;
            }
            match segment(words, again, &mut out)? {
                0 => return None,
                n => again += n,
            }
        }
        at += 4;
    }
    Some(out)
}

/// Words consumed; 0 for an indirect segment.
fn segment(words: &[u16], at: usize, out: &mut Vec<u16>) -> Option<usize> {
    let length = usize::from(*words.get(at + 1)?);
    match words[at] {
        0 => {
            out.extend_from_slice(words.get(at + 2..at + 2 + length)?);
            Some(2 + length)
        }
        1 => {
            let from = f64::from(*out.last()?);
            let to = f64::from(*words.get(at + 2)?);
            out.extend((1..=length).map(|i| (from + (to - from) * i as f64 / length as f64).round() as u16));
            Some(3)
        }
        2 => Some(0),
        _ => None,
    }
}
