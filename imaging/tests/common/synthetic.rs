//! DICOM files made by the tests themselves, through dicom-object and not through our reader.
//!
//! Every slice is a function of its position, so that a test can say what must be found where.

#![allow(dead_code, reason = "each test binary uses its part")]

use dicom_core::value::DataSetSequence;
use dicom_core::{DataElement, Length, PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use imaging::source::Buffer;
use scene::DVec3;

pub const CT_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.2";

/// One single-frame image.
#[derive(Clone)]
pub struct Image {
    pub object: InMemDicomObject,
    pub name: String,
}

/// Pixels 22 x 23, spacing 0.75 x 2.5: unequal, so that a swapped axis cannot pass.
pub const COLUMNS: u16 = 22;
pub const ROWS: u16 = 23;
pub const SLICES: usize = 30;
pub const SPACING: [f64; 3] = [0.75, 2.5, 7.25];

impl Image {
    /// A CT slice at `position`, all pixels 100 + `number`.
    pub fn ct(number: i32, position: DVec3, right: DVec3, down: DVec3) -> Self {
        let mut image = Self { object: InMemDicomObject::new_empty(), name: format!("image{number}") };
        image
            .text(tags::SOP_CLASS_UID, VR::UI, CT_IMAGE)
            .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.4.{number}"))
            .text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2.3")
            .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.1")
            .text(tags::FRAME_OF_REFERENCE_UID, VR::UI, "1.2.3.9")
            .text(tags::MODALITY, VR::CS, "CT")
            .text(tags::IMAGE_TYPE, VR::CS, "ORIGINAL\\PRIMARY\\AXIAL")
            .text(tags::PATIENT_NAME, VR::PN, "Phantom^Test")
            .text(tags::SERIES_NUMBER, VR::IS, "1")
            .text(tags::INSTANCE_NUMBER, VR::IS, &number.to_string())
            .text(tags::RESCALE_SLOPE, VR::DS, "1")
            .text(tags::RESCALE_INTERCEPT, VR::DS, "-1024")
            .text(tags::PIXEL_SPACING, VR::DS, &format!("{}\\{}", SPACING[1], SPACING[0]))
            .text(tags::SLICE_THICKNESS, VR::DS, "7.25")
            .text(tags::IMAGE_POSITION_PATIENT, VR::DS, &join(&position.to_array()))
            .text(
                tags::IMAGE_ORIENTATION_PATIENT,
                VR::DS,
                &join(&[right.to_array(), down.to_array()].concat()),
            )
            .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
            .number(tags::SAMPLES_PER_PIXEL, 1)
            .number(tags::COLUMNS, COLUMNS)
            .number(tags::ROWS, ROWS)
            .number(tags::BITS_ALLOCATED, 16)
            .number(tags::BITS_STORED, 12)
            .number(tags::HIGH_BIT, 11)
            .number(tags::PIXEL_REPRESENTATION, 0)
            .pixels(vec![100 + number as u16; usize::from(COLUMNS) * usize::from(ROWS)]);
        image
    }

    pub fn text(&mut self, tag: Tag, vr: VR, value: &str) -> &mut Self {
        self.object.put(DataElement::new(tag, vr, PrimitiveValue::from(value)));
        self
    }

    pub fn number(&mut self, tag: Tag, value: u16) -> &mut Self {
        self.object.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
        self
    }

    pub fn sequence(&mut self, tag: Tag, items: Vec<InMemDicomObject>) -> &mut Self {
        self.object.put(DataElement::new(tag, VR::SQ, DataSetSequence::new(items, Length::UNDEFINED)));
        self
    }

    pub fn pixels(&mut self, values: Vec<u16>) -> &mut Self {
        self.object.put(DataElement::new(tags::PIXEL_DATA, VR::OW, PrimitiveValue::U16(values.into())));
        self
    }

    pub fn without(&mut self, tag: Tag) -> &mut Self {
        self.object.remove_element(tag);
        self
    }

    /// The file's bytes, Explicit VR Little Endian.
    pub fn file(&self) -> Buffer {
        let meta = FileMetaTableBuilder::new()
            .transfer_syntax("1.2.840.10008.1.2.1")
            .media_storage_sop_class_uid(CT_IMAGE)
            .media_storage_sop_instance_uid("1.2.3.4");
        let mut bytes = Vec::new();
        self.object.clone().with_meta(meta).unwrap().write_all(&mut bytes).unwrap();
        Buffer { name: self.name.clone(), bytes }
    }
}

pub fn join(values: &[f64]) -> String {
    values.iter().map(|v| format!("{v:.9}")).collect::<Vec<_>>().join("\\")
}

/// An item of a sequence.
pub fn item(elements: Vec<(Tag, VR, PrimitiveValue)>) -> InMemDicomObject {
    let elements = elements.into_iter().map(|(tag, vr, value)| DataElement::new(tag, vr, value));
    InMemDicomObject::from_element_iter(elements)
}

/// A straight stack of `n` slices along the normal of `right` and `down`.
pub fn stack(n: usize, right: DVec3, down: DVec3, step: DVec3) -> Vec<Image> {
    let origin = DVec3::new(-80.5, 33.25, 12.125);
    (0..n).map(|z| Image::ct(z as i32 + 1, origin + step * z as f64, right, down)).collect()
}

/// Axial slices.
pub fn axial(n: usize) -> Vec<Image> {
    stack(n, DVec3::X, DVec3::Y, DVec3::Z * SPACING[2])
}

/// An order that is neither the given one nor its reverse, the same in every run.
pub fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for i in (1..items.len()).rev() {
        // xorshift64
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        items.swap(i, (state % (i as u64 + 1)) as usize);
    }
}

pub fn files(images: &[Image]) -> Vec<Buffer> {
    images.iter().map(Image::file).collect()
}
