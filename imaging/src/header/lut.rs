//! Lookup tables and windows of a data set.
//!
//! Their elements change VR with Pixel Representation and with the writer's mood (US, SS, OW), so all
//! three are read the same way.

use std::sync::Arc;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use scene::{VoiFunction, Window};

use super::ModalityLut;
use super::value::{item, numbers, text, texts};
use crate::volume::{Padding, VoiLut};

/// Entries, first value mapped and bits of an entry, with the entries.
struct Lut {
    first: f64,
    bits: u8,
    output: Vec<u16>,
}

/// PS3.3 C.11.1.1.1 and C.11.2.1.1: LUT Descriptor is [entries (0 = 65536), first value mapped, bits].
fn lut(object: &InMemDicomObject, signed: bool) -> Option<Lut> {
    let descriptor = numbers(object, tags::LUT_DESCRIPTOR);
    let [entries, first, bits] = descriptor.get(0..3)?.try_into().ok()?;
    // The descriptor may be SS: 65536 entries cannot be said, and more than 32767 read as negative.
    let entries = match entries as i64 {
        0 => 65_536,
        n if n < 0 => (n + 65_536) as usize,
        n => n as usize,
    };
    let first = if signed && first > 32_767.0 { first - 65_536.0 } else { first };
    let bits = (bits as u8).clamp(1, 16);
    let words: Vec<u16> = match object.get(tags::LUT_DATA)?.value().to_multi_int::<i64>() {
        Ok(words) => words.into_iter().map(|w| w as u16).collect(),
        Err(_) => object
            .get(tags::LUT_DATA)?
            .value()
            .to_bytes()
            .ok()?
            .chunks_exact(2)
            .map(|b| u16::from_le_bytes([b[0], b[1]]))
            .collect(),
    };
    let mut output: Vec<u16> = if bits <= 8 && words.len() * 2 >= entries && words.len() < entries {
        // Two 8-bit entries in a word, the first in the low byte.
        words.iter().flat_map(|w| [w & 0xff, w >> 8]).collect()
    } else {
        words
    };
    output.truncate(entries);
    (!output.is_empty()).then_some(Lut { first, bits, output })
}

/// Modality LUT Sequence (0028,3000).
pub(super) fn modality_lut(object: &InMemDicomObject, signed: bool) -> Option<Arc<ModalityLut>> {
    let lut = lut(item(object, tags::MODALITY_LUT_SEQUENCE)?, signed)?;
    Some(Arc::new(ModalityLut { first: lut.first as i32, output: lut.output }))
}

/// First item of VOI LUT Sequence (0028,3010).
pub(super) fn voi_lut(object: &InMemDicomObject, signed: bool) -> Option<Arc<VoiLut>> {
    let item = item(object, tags::VOILUT_SEQUENCE)?;
    let lut = lut(item, signed)?;
    let explanation = text(item, tags::LUT_EXPLANATION).unwrap_or_default();
    Some(Arc::new(VoiLut { first: lut.first, output: lut.output, bits: lut.bits, explanation }))
}

/// Window Center (0028,1050), Width (0028,1051), Explanation (0028,1055) and VOI LUT Function (0028,1056).
pub(super) fn windows(object: &InMemDicomObject) -> Vec<(String, Window)> {
    let function = match text(object, tags::VOILUT_FUNCTION).as_deref() {
        Some("LINEAR_EXACT") => VoiFunction::LinearExact,
        Some("SIGMOID") => VoiFunction::Sigmoid,
        _ => VoiFunction::Linear,
    };
    let explanations = texts(object, tags::WINDOW_CENTER_WIDTH_EXPLANATION);
    let centers = numbers(object, tags::WINDOW_CENTER);
    let widths = numbers(object, tags::WINDOW_WIDTH);
    let mut out: Vec<(String, Window)> = Vec::new();
    for (i, (center, width)) in centers.into_iter().zip(widths).enumerate() {
        // PS3.3 C.11.2.1.2: Width shall be >= 1 (LINEAR) or > 0; others are no window.
        let window = Window { center, width, function };
        if width >= Window::min_width(function) && !out.iter().any(|(_, w)| *w == window) {
            out.push((explanations.get(i).cloned().unwrap_or_default(), window));
        }
    }
    out
}

/// Pixel Padding Value (0028,0120) and Pixel Padding Range Limit (0028,0121), PS3.3 C.7.5.1.1.2.
pub(super) fn padding(object: &InMemDicomObject, signed: bool, bits_allocated: u16) -> Option<Padding> {
    let wrap = |tag: Tag| {
        let value = *numbers(object, tag).first()?;
        // Implicit VR does not say whether the value is US or SS; the pixels do.
        let modulus = 2f64.powi(i32::from(bits_allocated.clamp(8, 16)));
        Some(match () {
            () if signed && value >= modulus / 2.0 && value < modulus => value - modulus,
            () if !signed && value < 0.0 => value + modulus,
            () => value,
        })
    };
    let value = wrap(tags::PIXEL_PADDING_VALUE)?;
    let limit = wrap(tags::PIXEL_PADDING_RANGE_LIMIT).unwrap_or(value);
    Some(Padding { low: value.min(limit), high: value.max(limit) })
}
