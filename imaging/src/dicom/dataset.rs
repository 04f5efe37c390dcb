//! Data set to `InMemDicomObject`, up to the pixel data (PS3.5 section 7).
//! The walk over element headers is ours, the object, dictionary and value types are dicom-rs's: its reader
//! trusts lengths before it has the bytes, stops at the first irregular element, and does not say at which
//! byte the pixels start. Here every length is checked against what is there, and irregularities become warnings.

use dicom_core::dictionary::{DataDictionary as _, DataDictionaryEntry as _, VirtualVr};
use dicom_core::value::{C, DataSetSequence, Value};
use dicom_core::{DataElement, Length, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;
use dicom_object::InMemDicomObject;

use super::charset::Charset;
use super::values::primitive;
use super::window::Window;
use super::{DicomError, PixelLocation};
use crate::limits::Limits;

const ITEM: Tag = Tag(0xFFFE, 0xE000);
const ITEM_END: Tag = Tag(0xFFFE, 0xE00D);
const SEQUENCE_END: Tag = Tag(0xFFFE, 0xE0DD);
const UNDEFINED: u32 = u32::MAX;
const MAX_WARNINGS: usize = 50;

/// How elements are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Encoding {
    pub explicit_vr: bool,
    pub big_endian: bool,
}

/// What an item inherits from the data set around it.
#[derive(Clone, Default)]
struct Context {
    charset: Charset,
    pixels_signed: bool,
}

struct ElementHeader {
    tag: Tag,
    vr: VR,
    length: u32,
    /// Bytes of the header itself.
    size: u64,
}

pub(super) struct Reader<'w, 'a> {
    window: &'w mut Window<'a>,
    limits: &'w Limits,
    elements: u64,
    kept_bytes: u64,
    /// Irregularities, for the user.
    pub warnings: Vec<String>,
    /// Set when the walk has reached pixel data.
    pub pixel_data: Option<PixelLocation>,
}

impl<'w, 'a> Reader<'w, 'a> {
    pub fn new(window: &'w mut Window<'a>, limits: &'w Limits) -> Self {
        Self { window, limits, elements: 0, kept_bytes: 0, warnings: Vec::new(), pixel_data: None }
    }

    pub fn warn(&mut self, text: String) {
        if self.warnings.len() < MAX_WARNINGS {
            self.warnings.push(text);
        }
    }

    /// The file meta group (PS3.10 7.1), by its tags: its group length is wrong too often to be believed.
    pub fn meta_group(&mut self) -> Result<InMemDicomObject, DicomError> {
        let mut object = InMemDicomObject::new_empty();
        let encoding = Encoding { explicit_vr: true, big_endian: false };
        while self.window.peek(2)? == [0x02, 0x00] {
            let Some(header) = self.element_header(encoding, &Context::default())? else { break };
            self.window.skip(header.size);
            let value = self.plain_value(&header, None, encoding, &Context::default())?;
            object.put(DataElement::new(header.tag, header.vr, value.unwrap_or(PrimitiveValue::Empty)));
        }
        Ok(object)
    }

    /// The main data set, from the window's position to pixel data or the end.
    pub fn main_data_set(&mut self, encoding: Encoding) -> Result<InMemDicomObject, DicomError> {
        self.data_set(encoding, None, 0, Context::default())
    }

    // `end` is None for the main data set and for items of undefined length.
    fn data_set(
        &mut self,
        encoding: Encoding,
        end: Option<u64>,
        depth: u32,
        mut context: Context,
    ) -> Result<InMemDicomObject, DicomError> {
        let mut object = InMemDicomObject::new_empty();
        while end.is_none_or(|end| self.window.pos() < end) {
            let Some(header) = self.element_header(encoding, &context)? else {
                let left = self.window.peek(8)?.len();
                if depth > 0 && end.is_none() {
                    self.warn("The file ends inside a sequence.".into());
                } else if left > 0 {
                    self.warn(format!("{left} bytes after the last element were ignored."));
                }
                self.window.skip(left as u64);
                break;
            };
            let ElementHeader { tag, vr, length, size } = header;
            match tag {
                ITEM_END => {
                    self.window.skip(8);
                    if depth > 0 && end.is_none() {
                        break;
                    }
                    continue;
                }
                // The sequence above consumes it: an item whose own end is missing.
                SEQUENCE_END if depth > 0 => break,
                ITEM | SEQUENCE_END => {
                    self.warn(format!("A stray {tag} between elements was ignored."));
                    self.window.skip(8);
                    continue;
                }
                // Zero bytes that pad the file to a block.
                Tag(0, 0) if depth == 0 && length == 0 && !object_has_command(&object) => {
                    self.warn("Zero bytes after the last element were ignored.".into());
                    break;
                }
                _ => {}
            }
            self.count(1)?;
            self.window.skip(size);
            let pixel_tag = matches!(tag, Tag(0x7FE0, 0x0008..=0x0010));
            if pixel_tag && depth == 0 {
                self.pixel_data = Some(PixelLocation {
                    tag,
                    vr,
                    offset: self.window.pos(),
                    length: (length != UNDEFINED).then_some(u64::from(length)),
                });
                break;
            }
            if vr == VR::SQ || length == UNDEFINED {
                if matches!(vr, VR::SQ | VR::UN) {
                    // PS3.5 6.2.2 note 2: UN of undefined length is an implicit VR little endian sequence.
                    let inner = if vr == VR::UN {
                        Encoding { explicit_vr: false, big_endian: false }
                    } else {
                        encoding
                    };
                    let items = self.sequence(inner, length, end, depth, &context)?;
                    object.put(DataElement::new(tag, VR::SQ, Value::from(items)));
                } else {
                    self.skip_fragments(encoding)?;
                }
                continue;
            }
            let Some(value) = self.plain_value(&header, end, encoding, &context)? else { continue };
            match tag {
                Tag(0x0008, 0x0005) => {
                    let (charset, unknown) = Charset::parse(&value.to_str());
                    if let Some(term) = unknown {
                        self.warn(format!("Character set {term:?} is not known; UTF-8 is assumed."));
                    }
                    context.charset = charset;
                }
                Tag(0x0028, 0x0103) => context.pixels_signed = value.to_int::<u16>().is_ok_and(|v| v == 1),
                _ => {}
            }
            object.put(DataElement::new(tag, vr, value));
        }
        Ok(object)
    }

    fn sequence(
        &mut self,
        encoding: Encoding,
        length: u32,
        outer_end: Option<u64>,
        depth: u32,
        context: &Context,
    ) -> Result<DataSetSequence<InMemDicomObject>, DicomError> {
        if depth + 1 > self.limits.max_sequence_depth {
            return Err(DicomError::Limit {
                what: "The depth of nested sequences",
                value: u64::from(depth) + 1,
                limit: u64::from(self.limits.max_sequence_depth),
            });
        }
        let end = self.end_of(length, outer_end);
        let mut items: C<InMemDicomObject> = C::new();
        while end.is_none_or(|end| self.window.pos() < end) {
            let Some((tag, item_length)) = self.item_header(encoding)? else {
                self.warn("The file ends inside a sequence.".into());
                break;
            };
            match tag {
                ITEM => {
                    self.count(1)?;
                    self.window.skip(8);
                    let item_end = self.end_of(item_length, end);
                    items.push(self.data_set(encoding, item_end, depth + 1, context.clone())?);
                }
                SEQUENCE_END => {
                    self.window.skip(8);
                    if end.is_none() {
                        break;
                    }
                }
                ITEM_END => self.window.skip(8),
                _ => {
                    self.warn(format!(
                        "{tag} stands where an item of a sequence should; the sequence was cut there."
                    ));
                    if let Some(end) = end {
                        self.window.skip(end.saturating_sub(self.window.pos()));
                    }
                    break;
                }
            }
        }
        Ok(DataSetSequence::new(items, Length::UNDEFINED))
    }

    /// Where a thing of `length` ends, never beyond what encloses it.
    fn end_of(&mut self, length: u32, outer: Option<u64>) -> Option<u64> {
        if length == UNDEFINED {
            // Undefined inside defined: its own delimiter ends it, and the outer length only if that is missing.
            return None;
        }
        let end = self.window.pos() + u64::from(length);
        match outer {
            Some(outer) if end > outer => {
                self.warn("An item is longer than the sequence around it; it was cut.".into());
                Some(outer)
            }
            _ => Some(end),
        }
    }

    fn item_header(&mut self, encoding: Encoding) -> Result<Option<(Tag, u32)>, DicomError> {
        let bytes = self.window.peek(8)?;
        let Ok(bytes) = <[u8; 8]>::try_from(bytes) else { return Ok(None) };
        let tag = tag_of(&bytes, encoding.big_endian);
        Ok(Some((tag, u32_of([bytes[4], bytes[5], bytes[6], bytes[7]], encoding.big_endian))))
    }

    /// Fragments of pixel data that is not the main one (an icon): walked over by their lengths.
    fn skip_fragments(&mut self, encoding: Encoding) -> Result<(), DicomError> {
        while let Some((tag, length)) = self.item_header(encoding)? {
            if tag == SEQUENCE_END {
                self.window.skip(8);
                break;
            }
            if tag != ITEM || length == UNDEFINED {
                return Err(DicomError::Header {
                    offset: self.window.pos(),
                    what: format!("{tag} stands where a fragment should"),
                });
            }
            self.count(1)?;
            self.window.skip(8 + u64::from(length));
        }
        Ok(())
    }

    /// The value after a header; `None` where it was skipped for its length.
    fn plain_value(
        &mut self,
        header: &ElementHeader,
        end: Option<u64>,
        encoding: Encoding,
        context: &Context,
    ) -> Result<Option<PrimitiveValue>, DicomError> {
        let mut length = u64::from(header.length);
        if let Some(end) = end
            && length > end.saturating_sub(self.window.pos())
        {
            self.warn(format!("{} is longer than the item around it; it was cut.", header.tag));
            length = end.saturating_sub(self.window.pos());
        }
        if length > self.limits.max_value_bytes {
            self.warn(format!("{} has {length} bytes and was skipped.", header.tag));
            self.window.skip(length);
            return Ok(None);
        }
        self.kept_bytes += length;
        check("All header values together", self.kept_bytes, self.limits.max_header_bytes)?;
        let bytes = self.window.peek(length as usize)?;
        let complete = bytes.len() as u64 == length;
        let value = complete.then(|| primitive(header.vr, bytes, encoding.big_endian, &context.charset));
        if !complete {
            self.warn(format!("The file ends inside {}.", header.tag));
        }
        self.window.skip(length);
        Ok(value)
    }

    fn count(&mut self, n: u64) -> Result<(), DicomError> {
        self.elements += n;
        check("The number of elements", self.elements, self.limits.max_elements)
    }

    /// The next element header, not yet consumed; `None` when fewer bytes are left than one needs.
    fn element_header(
        &mut self,
        encoding: Encoding,
        context: &Context,
    ) -> Result<Option<ElementHeader>, DicomError> {
        let bytes = self.window.peek(12)?;
        let Ok(head) = <[u8; 8]>::try_from(bytes.get(..8).unwrap_or_default()) else { return Ok(None) };
        let long = bytes.get(8..12).and_then(|b| <[u8; 4]>::try_from(b).ok());
        let tag = tag_of(&head, encoding.big_endian);
        let short_length = u32_of([head[4], head[5], head[6], head[7]], encoding.big_endian);
        if tag.0 == 0xFFFE {
            return Ok(Some(ElementHeader { tag, vr: VR::UN, length: short_length, size: 8 }));
        }
        let named = [head[4], head[5]];
        let looks_explicit = named.iter().all(u8::is_ascii_uppercase);
        if encoding.explicit_vr && looks_explicit {
            let length16 = u32::from(if encoding.big_endian {
                u16::from_be_bytes([head[6], head[7]])
            } else {
                u16::from_le_bytes([head[6], head[7]])
            });
            let vr = VR::from_binary(named);
            // PS3.5 7.1.2: two reserved bytes and a 32-bit length for these, and for any VR to come.
            let is_long = match vr {
                Some(
                    VR::OB
                    | VR::OD
                    | VR::OF
                    | VR::OL
                    | VR::OV
                    | VR::OW
                    | VR::SQ
                    | VR::SV
                    | VR::UC
                    | VR::UN
                    | VR::UR
                    | VR::UT
                    | VR::UV,
                ) => true,
                Some(_) => false,
                None => length16 == 0 && long.is_some(),
            };
            let (length, size) = match (is_long, long) {
                (true, Some(length)) => (u32_of(length, encoding.big_endian), 12),
                (true, None) => return Ok(None),
                (false, _) => (length16, 8),
            };
            let vr = vr.unwrap_or(VR::UN);
            // A dictionary that knows better than UN: known elements that passed through a strict writer.
            let vr =
                if vr == VR::UN && length != UNDEFINED { vr_by_tag(tag, context).unwrap_or(vr) } else { vr };
            return Ok(Some(ElementHeader {
                tag,
                vr: if vr == VR::SQ && named == *b"UN" { VR::UN } else { vr },
                length,
                size,
            }));
        }
        // Implicit VR, or an explicit data set whose element lacks its VR (seen after de-identification tools).
        let vr = vr_by_tag(tag, context).unwrap_or(VR::UN);
        Ok(Some(ElementHeader { tag, vr, length: short_length, size: 8 }))
    }
}

fn object_has_command(object: &InMemDicomObject) -> bool {
    object.tags().next().is_none()
}

fn vr_by_tag(tag: Tag, context: &Context) -> Option<VR> {
    // PS3.5 7.2 and 7.8.1: group length and private creator have a VR without being in the dictionary.
    if tag.1 == 0 {
        return Some(VR::UL);
    }
    if tag.0 % 2 == 1 {
        return (0x10..=0xFF).contains(&tag.1).then_some(VR::LO);
    }
    Some(match StandardDataDictionary.by_tag(tag)?.vr() {
        VirtualVr::Exact(vr) => vr,
        VirtualVr::Xs if context.pixels_signed => VR::SS,
        VirtualVr::Xs | VirtualVr::Lt => VR::US,
        _ => VR::OW,
    })
}

fn check(what: &'static str, value: u64, limit: u64) -> Result<(), DicomError> {
    if value > limit { Err(DicomError::Limit { what, value, limit }) } else { Ok(()) }
}

fn tag_of(b: &[u8; 8], big_endian: bool) -> Tag {
    let half = |b: [u8; 2]| if big_endian { u16::from_be_bytes(b) } else { u16::from_le_bytes(b) };
    Tag(half([b[0], b[1]]), half([b[2], b[3]]))
}

fn u32_of(b: [u8; 4], big_endian: bool) -> u32 {
    if big_endian { u32::from_be_bytes(b) } else { u32::from_le_bytes(b) }
}
