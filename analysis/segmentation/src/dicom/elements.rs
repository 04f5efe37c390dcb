//! Elements and sequences, written short.
//!
//! A segmentation has some hundred elements on five levels; spelt out one by one nobody would see its shape.

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;

/// A data set under construction.
pub(super) struct Item(pub(super) InMemDicomObject);

impl Item {
    pub(super) fn new() -> Self {
        Self(InMemDicomObject::new_empty())
    }

    pub(super) fn text(mut self, tag: Tag, vr: VR, value: &str) -> Self {
        let value = if value.is_empty() { PrimitiveValue::Empty } else { PrimitiveValue::from(value) };
        self.0.put(DataElement::new(tag, vr, value));
        self
    }

    pub(super) fn texts<S: Into<String>>(
        mut self,
        tag: Tag,
        vr: VR,
        values: impl IntoIterator<Item = S>,
    ) -> Self {
        let values = values.into_iter().map(Into::into).collect();
        self.0.put(DataElement::new(tag, vr, PrimitiveValue::Strs(values)));
        self
    }

    pub(super) fn decimals(self, tag: Tag, values: &[f64]) -> Self {
        self.texts(tag, VR::DS, values.iter().map(|value| decimal(*value)))
    }

    pub(super) fn shorts(mut self, tag: Tag, values: &[u16]) -> Self {
        self.0.put(DataElement::new(tag, VR::US, PrimitiveValue::U16(values.iter().copied().collect())));
        self
    }

    pub(super) fn longs(mut self, tag: Tag, values: &[u32]) -> Self {
        self.0.put(DataElement::new(tag, VR::UL, PrimitiveValue::U32(values.iter().copied().collect())));
        self
    }

    pub(super) fn tag(mut self, tag: Tag, value: Tag) -> Self {
        self.0.put(DataElement::new(tag, VR::AT, PrimitiveValue::Tags([value].into_iter().collect())));
        self
    }

    pub(super) fn bytes(mut self, tag: Tag, value: Vec<u8>) -> Self {
        self.0.put(DataElement::new(tag, VR::OB, PrimitiveValue::U8(value.into())));
        self
    }

    pub(super) fn items(mut self, tag: Tag, items: Vec<Item>) -> Self {
        let items: Vec<InMemDicomObject> = items.into_iter().map(|item| item.0).collect();
        self.0.put(DataElement::new(tag, VR::SQ, DataSetSequence::from(items)));
        self
    }

    pub(super) fn item(self, tag: Tag, item: Item) -> Self {
        self.items(tag, vec![item])
    }

    /// A coded concept in a sequence of its own (PS3.3 8.8).
    pub(super) fn code(self, tag: Tag, [value, scheme, meaning]: [&str; 3]) -> Self {
        let code = Item::new()
            .text(tags::CODE_VALUE, VR::SH, value)
            .text(tags::CODING_SCHEME_DESIGNATOR, VR::SH, scheme)
            .text(tags::CODE_MEANING, VR::LO, &short(meaning));
        self.item(tag, code)
    }

    /// An element of another data set, if it has it; else an empty one where `needed`.
    pub(super) fn copy(mut self, from: &InMemDicomObject, tag: Tag, vr: VR, needed: bool) -> Self {
        match from.get(tag) {
            Some(element) => {
                self.0.put(element.clone());
            }
            None if needed => return self.text(tag, vr, ""),
            None => {}
        }
        self
    }
}

/// LO holds 64 characters (PS3.5 6.2) and no backslash.
pub(super) fn short(text: &str) -> String {
    text.chars().filter(|c| *c != '\\' && !c.is_control()).take(64).collect()
}

/// DS holds at most 16 characters (PS3.5 6.2).
pub(super) fn decimal(value: f64) -> String {
    let value = if value == 0.0 { 0.0 } else { value };
    (0..=14)
        .rev()
        .map(|digits| format!("{value:.digits$}"))
        .find(|text| text.len() <= 16)
        .map(|text| match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        })
        .unwrap_or_else(|| format!("{value:.8e}"))
}

/// A unique identifier for a content: the root 2.25 takes any UUID as a decimal number (PS3.5 B.2), and RFC 9562
/// version 8 leaves its bits to us. The same content has the same identifier, other content another one.
pub(super) fn uid(parts: &[&[u8]]) -> String {
    use sha2::Digest as _;
    let mut hash = sha2::Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let mut number = hash.finalize().iter().take(16).fold(0u128, |sum, byte| sum << 8 | u128::from(*byte));
    number = (number & !(0xf << 76)) | (8 << 76);
    number = (number & !(0x3 << 62)) | (2 << 62);
    format!("2.25.{number}")
}
