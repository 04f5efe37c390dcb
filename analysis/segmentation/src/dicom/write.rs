//! A label map as a Segmentation object (PS3.3 A.51, C.8.20.2 and C.7.6.16).
//!
//! Everything that a reader checks is stated: the images behind every frame, the place of every frame, a code
//! for every segment. Frames without a voxel are left out.

use dicom_core::VR;
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use scene::{DVec3, Grid};

use super::colour::lab_from_rgb;
use super::elements::{Item, decimal, short, uid};
use super::source::{SourceFrame, SourceSeries};
use super::{BINARY, LABEL_MAP, SegError, TISSUE, TRACKING};
use crate::labels::{Label, LabelVolume};

/// Which of the two objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One bit per voxel, one frame per slice and segment: what every archive reads.
    Binary,
    /// One byte per voxel (Supplement 243, 2024).
    LabelMap,
}

/// Who drew the segments (Segment Algorithm Type (0062,0008)).
#[derive(Clone, Debug, PartialEq)]
pub enum Maker {
    /// A hand.
    Manual,
    /// A model whose answer was edited; its name.
    SemiAutomatic(String),
    /// A model; its name.
    Automatic(String),
}

/// When it was made, as DICOM writes it: wasm has no clock of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// `YYYYMMDD`
    pub date: String,
    /// `HHMMSS`
    pub time: String,
}

/// One frame of the pixel data.
struct Frame {
    slice: u32,
    /// Index in the list of labels; `None` where a frame holds all.
    label: Option<usize>,
}

/// The bytes of a file in Explicit VR Little Endian.
pub fn write(
    labels: &LabelVolume,
    source: &SourceSeries,
    kind: Kind,
    maker: &Maker,
    now: &Moment,
) -> Result<Vec<u8>, SegError> {
    let grid = labels.grid();
    let [columns, rows, slices] = grid.dims();
    if source.frames.len() != slices as usize {
        return Err(SegError::OtherSource { frames: source.frames.len(), slices: slices as usize });
    }
    let (Ok(columns16), Ok(rows16)) = (u16::try_from(columns), u16::try_from(rows)) else {
        return Err(SegError::TooWide(columns, rows));
    };
    let frames = frames(labels, kind);
    if frames.is_empty() {
        return Err(SegError::Empty);
    }
    let when = format!("{}{}", now.date, now.time);
    let names: String = labels.labels().iter().map(|l| format!("{}={};", l.id, l.name)).collect();
    let text = |tag| source.object.get(tag).and_then(|e| e.to_str().ok()).unwrap_or_default().to_string();
    let series_uid = text(tags::SERIES_INSTANCE_UID);
    let kind_name = if kind == Kind::Binary { "binary" } else { "label map" };
    // Derived: the same labels of the same series at the same time are the same object.
    let parts =
        [series_uid.as_bytes(), kind_name.as_bytes(), when.as_bytes(), names.as_bytes(), labels.voxels()];
    let instance_uid = uid(&[&[b"instance".as_slice()], parts.as_slice()].concat());
    let new_series_uid = uid(&[&[b"series".as_slice()], parts.as_slice()].concat());

    let class = if kind == Kind::Binary { BINARY } else { LABEL_MAP };
    let item = patient_study(&source.object)
        // SOP Common, PS3.3 C.12.1
        .text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192")
        .text(tags::SOP_CLASS_UID, VR::UI, class)
        .text(tags::SOP_INSTANCE_UID, VR::UI, &instance_uid)
        // Segmentation Series, C.8.20.1
        .text(tags::MODALITY, VR::CS, "SEG")
        .text(tags::SERIES_INSTANCE_UID, VR::UI, &new_series_uid)
        .text(tags::SERIES_NUMBER, VR::IS, "1000")
        .text(tags::SERIES_DESCRIPTION, VR::LO, "Segmentation. Research use only.")
        .text(tags::SERIES_DATE, VR::DA, &now.date)
        .text(tags::SERIES_TIME, VR::TM, &now.time);
    let item = frame_of_reference(item, &source.object, &series_uid);
    let item = equipment(item)
        // General Image and Multi-frame, C.7.6.1 and C.7.6.6
        .text(tags::INSTANCE_NUMBER, VR::IS, "1")
        .text(tags::CONTENT_DATE, VR::DA, &now.date)
        .text(tags::CONTENT_TIME, VR::TM, &now.time)
        .text(tags::NUMBER_OF_FRAMES, VR::IS, &frames.len().to_string());
    let item = image(item, &source.object, kind, [columns16, rows16]);
    let item = item.items(tags::SEGMENT_SEQUENCE, segments(labels, kind, maker, &instance_uid));
    let item = references(item, source, &series_uid);
    let item = dimensions(item, kind, &instance_uid);
    let item = item
        .item(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, shared(grid))
        .items(
            tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE,
            frames.iter().map(|frame| per_frame(frame, grid, source)).collect(),
        )
        .bytes(tags::PIXEL_DATA, pixels(labels, &frames, kind));
    encode(item.0, class, &instance_uid)
}

/// Frames that have a voxel: by segment, then slice.
fn frames(labels: &LabelVolume, kind: Kind) -> Vec<Frame> {
    let slices = labels.grid().dims()[2];
    // One walk over the voxels says which label is on which slice.
    let mut present = vec![[false; 256]; slices as usize];
    for slice in 0..slices {
        for label in labels.slice(slice) {
            present[slice as usize][usize::from(*label)] = true;
        }
    }
    match kind {
        Kind::LabelMap => (0..slices)
            .filter(|slice| present[*slice as usize][1..].contains(&true))
            .map(|slice| Frame { slice, label: None })
            .collect(),
        Kind::Binary => {
            let of = |(index, label): (usize, &Label)| {
                let id = usize::from(label.id);
                let there = |slice: &u32| present[*slice as usize][id];
                (0..slices).filter(there).map(|slice| Frame { slice, label: Some(index) }).collect::<Vec<_>>()
            };
            labels.labels().iter().enumerate().flat_map(of).collect()
        }
    }
}

/// Patient C.7.1.1 and General Study C.7.2.1: as in the image.
fn patient_study(from: &InMemDicomObject) -> Item {
    Item::new()
        .copy(from, tags::PATIENT_NAME, VR::PN, true)
        .copy(from, tags::PATIENT_ID, VR::LO, true)
        .copy(from, tags::PATIENT_BIRTH_DATE, VR::DA, true)
        .copy(from, tags::PATIENT_SEX, VR::CS, true)
        .copy(from, tags::PATIENT_AGE, VR::AS, false)
        .copy(from, tags::STUDY_INSTANCE_UID, VR::UI, true)
        .copy(from, tags::STUDY_DATE, VR::DA, true)
        .copy(from, tags::STUDY_TIME, VR::TM, true)
        .copy(from, tags::REFERRING_PHYSICIAN_NAME, VR::PN, true)
        .copy(from, tags::STUDY_ID, VR::SH, true)
        .copy(from, tags::ACCESSION_NUMBER, VR::SH, true)
        .copy(from, tags::STUDY_DESCRIPTION, VR::LO, false)
}

/// C.7.4.1. An image without one gets one of its own, so that a reader may still lay both together.
fn frame_of_reference(item: Item, from: &InMemDicomObject, series_uid: &str) -> Item {
    let item = match from.get(tags::FRAME_OF_REFERENCE_UID) {
        Some(_) => item.copy(from, tags::FRAME_OF_REFERENCE_UID, VR::UI, true),
        None => item.text(
            tags::FRAME_OF_REFERENCE_UID,
            VR::UI,
            &uid(&[b"frame of reference", series_uid.as_bytes()]),
        ),
    };
    item.copy(from, tags::POSITION_REFERENCE_INDICATOR, VR::LO, true)
}

/// General and Enhanced General Equipment, C.7.5.1 and C.7.5.2.
fn equipment(item: Item) -> Item {
    let version = env!("CARGO_PKG_VERSION");
    item.text(tags::MANUFACTURER, VR::LO, "Isocenter")
        .text(tags::MANUFACTURER_MODEL_NAME, VR::LO, "Isocenter")
        .text(tags::DEVICE_SERIAL_NUMBER, VR::LO, version)
        .text(tags::SOFTWARE_VERSIONS, VR::LO, version)
}

/// Segmentation Image, C.8.20.2.
fn image(item: Item, from: &InMemDicomObject, kind: Kind, [columns, rows]: [u16; 2]) -> Item {
    let bits: u16 = if kind == Kind::Binary { 1 } else { 8 };
    let item = item
        .texts(tags::IMAGE_TYPE, VR::CS, ["DERIVED", "PRIMARY"])
        .shorts(tags::SAMPLES_PER_PIXEL, &[1])
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "MONOCHROME2")
        .shorts(tags::ROWS, &[rows])
        .shorts(tags::COLUMNS, &[columns])
        .shorts(tags::BITS_ALLOCATED, &[bits])
        .shorts(tags::BITS_STORED, &[bits])
        .shorts(tags::HIGH_BIT, &[bits - 1])
        .shorts(tags::PIXEL_REPRESENTATION, &[0])
        .text(tags::CONTENT_LABEL, VR::CS, "SEGMENTATION")
        .text(tags::CONTENT_DESCRIPTION, VR::LO, "Research use only.")
        .text(tags::CONTENT_CREATOR_NAME, VR::PN, "Isocenter^Software")
        .text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
    let item = match kind {
        Kind::Binary => {
            item.text(tags::SEGMENTATION_TYPE, VR::CS, "BINARY").text(tags::SEGMENTS_OVERLAP, VR::CS, "NO")
        }
        // C.8.20.2.6: the background is padding.
        Kind::LabelMap => item
            .text(tags::SEGMENTATION_TYPE, VR::CS, "LABELMAP")
            .text(tags::SEGMENTS_OVERLAP, VR::CS, "NO")
            .shorts(tags::PIXEL_PADDING_VALUE, &[0]),
    };
    // Once lossy, always lossy (C.7.6.1.1.5): the segments were drawn on what was left.
    let lossy =
        from.get(tags::LOSSY_IMAGE_COMPRESSION).and_then(|e| e.to_str().ok()).is_some_and(|v| v == "01");
    if lossy {
        item.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "01")
            .copy(from, tags::LOSSY_IMAGE_COMPRESSION_RATIO, VR::DS, false)
            .copy(from, tags::LOSSY_IMAGE_COMPRESSION_METHOD, VR::CS, false)
    } else {
        item.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00")
    }
}

/// Segment Description, C.8.20.4.
fn segments(labels: &LabelVolume, kind: Kind, maker: &Maker, instance_uid: &str) -> Vec<Item> {
    let (algorithm, model) = match maker {
        Maker::Manual => ("MANUAL", None),
        Maker::SemiAutomatic(name) => ("SEMIAUTOMATIC", Some(name)),
        Maker::Automatic(name) => ("AUTOMATIC", Some(name)),
    };
    let describe = |(index, label): (usize, &Label)| {
        // C.8.20.2.3: numbers of binary segments count from 1; those of a label map are its values.
        let number = if kind == Kind::Binary { index as u16 + 1 } else { u16::from(label.id) };
        let tracking = format!("{TRACKING}{}", label.id);
        let code = label.code.as_ref();
        let structure = code.map_or(TISSUE, |c| [&c.value, &c.scheme, &c.meaning]);
        let category = if code.is_some() { ["123037004", "SCT", "Anatomical structure"] } else { TISSUE };
        let item = Item::new()
            .shorts(tags::SEGMENT_NUMBER, &[number])
            .text(tags::SEGMENT_LABEL, VR::LO, &short(&label.name))
            .text(tags::SEGMENT_ALGORITHM_TYPE, VR::CS, algorithm)
            .text(tags::TRACKING_ID, VR::UT, &tracking)
            .text(tags::TRACKING_UID, VR::UI, &uid(&[instance_uid.as_bytes(), tracking.as_bytes()]))
            .code(tags::SEGMENTED_PROPERTY_CATEGORY_CODE_SEQUENCE, category)
            .code(tags::SEGMENTED_PROPERTY_TYPE_CODE_SEQUENCE, structure)
            .shorts(tags::RECOMMENDED_DISPLAY_CIE_LAB_VALUE, &lab_from_rgb(label.colour));
        match model {
            Some(name) => item.text(tags::SEGMENT_ALGORITHM_NAME, VR::LO, &short(name)),
            None => item,
        }
    };
    labels.labels().iter().enumerate().map(describe).collect()
}

fn reference(frame: &SourceFrame) -> Item {
    Item::new().text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, &frame.sop_class_uid).text(
        tags::REFERENCED_SOP_INSTANCE_UID,
        VR::UI,
        &frame.sop_instance_uid,
    )
}

/// Common Instance Reference, C.12.2: each image of the series once.
fn references(item: Item, source: &SourceSeries, series_uid: &str) -> Item {
    let mut seen = std::collections::HashSet::new();
    let fresh = source.frames.iter().flatten().filter(|frame| seen.insert(frame.sop_instance_uid.as_str()));
    let instances: Vec<Item> = fresh.map(reference).collect();
    if instances.is_empty() {
        return item;
    }
    let series = Item::new()
        .text(tags::SERIES_INSTANCE_UID, VR::UI, series_uid)
        .items(tags::REFERENCED_INSTANCE_SEQUENCE, instances);
    item.item(tags::REFERENCED_SERIES_SEQUENCE, series)
}

/// Multi-frame Dimension, C.7.6.17: segment and place, or place alone.
fn dimensions(item: Item, kind: Kind, instance_uid: &str) -> Item {
    let organization = uid(&[b"dimensions", instance_uid.as_bytes()]);
    let index = |pointer, group, label: &str| {
        Item::new()
            .text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, &organization)
            .tag(tags::DIMENSION_INDEX_POINTER, pointer)
            .tag(tags::FUNCTIONAL_GROUP_POINTER, group)
            .text(tags::DIMENSION_DESCRIPTION_LABEL, VR::LO, label)
    };
    let mut indices = Vec::new();
    if kind == Kind::Binary {
        indices.push(index(
            tags::REFERENCED_SEGMENT_NUMBER,
            tags::SEGMENT_IDENTIFICATION_SEQUENCE,
            "Segment Number",
        ));
    }
    indices.push(index(tags::IMAGE_POSITION_PATIENT, tags::PLANE_POSITION_SEQUENCE, "Image Position"));
    item.item(
        tags::DIMENSION_ORGANIZATION_SEQUENCE,
        Item::new().text(tags::DIMENSION_ORGANIZATION_UID, VR::UI, &organization),
    )
    .items(tags::DIMENSION_INDEX_SEQUENCE, indices)
}

/// Pixel Measures C.7.6.16.2.1 and Plane Orientation C.7.6.16.2.4.
fn shared(grid: &Grid) -> Item {
    let m = grid.world_from_voxel().matrix3;
    let [dx, dy, _] = grid.spacing();
    let (row, column) = (m.x_axis.normalize(), m.y_axis.normalize());
    // Between planes along their normal: the slices of a tilted gantry are sheared.
    let dz = m.z_axis.dot(row.cross(column).normalize()).abs();
    let measures = Item::new()
        .decimals(tags::SLICE_THICKNESS, &[dz])
        .decimals(tags::SPACING_BETWEEN_SLICES, &[dz])
        .decimals(tags::PIXEL_SPACING, &[dy, dx]);
    let directions = [row, column].map(|v| v.to_array()).concat();
    let orientation = Item::new().decimals(tags::IMAGE_ORIENTATION_PATIENT, &directions);
    Item::new()
        .item(tags::PIXEL_MEASURES_SEQUENCE, measures)
        .item(tags::PLANE_ORIENTATION_SEQUENCE, orientation)
}

fn per_frame(frame: &Frame, grid: &Grid, source: &SourceSeries) -> Item {
    let place = grid.world_from_voxel().transform_point3(DVec3::new(0.0, 0.0, f64::from(frame.slice)));
    let number = frame.label.map(|index| index as u32 + 1);
    let indices: Vec<u32> = number.into_iter().chain([frame.slice + 1]).collect();
    let position = place.to_array().map(decimal);
    let mut item = Item::new()
        .item(tags::FRAME_CONTENT_SEQUENCE, Item::new().longs(tags::DIMENSION_INDEX_VALUES, &indices))
        .item(
            tags::PLANE_POSITION_SEQUENCE,
            Item::new().texts(tags::IMAGE_POSITION_PATIENT, VR::DS, position),
        );
    if let Some(number) = number {
        let of = Item::new().shorts(tags::REFERENCED_SEGMENT_NUMBER, &[number as u16]);
        item = item.item(tags::SEGMENT_IDENTIFICATION_SEQUENCE, of);
    }
    // Derivation Image, C.7.6.16.2.6
    if let Some(Some(image)) = source.frames.get(frame.slice as usize) {
        let mut of = reference(image)
            .code(
                tags::PURPOSE_OF_REFERENCE_CODE_SEQUENCE,
                ["121322", "DCM", "Source image for image processing operation"],
            )
            .text(tags::SPATIAL_LOCATIONS_PRESERVED, VR::CS, "YES");
        if let Some(frame) = image.frame {
            of = of.text(tags::REFERENCED_FRAME_NUMBER, VR::IS, &frame.to_string());
        }
        let derivation = Item::new()
            .item(tags::SOURCE_IMAGE_SEQUENCE, of)
            .code(tags::DERIVATION_CODE_SEQUENCE, ["113076", "DCM", "Segmentation"]);
        item = item.item(tags::DERIVATION_IMAGE_SEQUENCE, derivation);
    }
    item
}

/// PS3.5 8.1.1: bits from the lowest of each byte on, without a gap between frames; an even number of bytes.
fn pixels(labels: &LabelVolume, frames: &[Frame], kind: Kind) -> Vec<u8> {
    let [columns, rows, _] = labels.grid().dims().map(|n| n as usize);
    let length = columns * rows;
    let mut out = match kind {
        Kind::LabelMap => frames.iter().flat_map(|frame| labels.slice(frame.slice).iter().copied()).collect(),
        Kind::Binary => {
            let mut bits = vec![0u8; (length * frames.len()).div_ceil(8)];
            for (number, frame) in frames.iter().enumerate() {
                let id = frame.label.and_then(|index| labels.labels().get(index)).map_or(0, |label| label.id);
                for (at, voxel) in labels.slice(frame.slice).iter().enumerate() {
                    if *voxel == id {
                        let bit = number * length + at;
                        bits[bit / 8] |= 1 << (bit % 8);
                    }
                }
            }
            bits
        }
    };
    if out.len() % 2 == 1 {
        out.push(0);
    }
    out
}

fn encode(object: InMemDicomObject, class: &str, instance_uid: &str) -> Result<Vec<u8>, SegError> {
    let meta = FileMetaTableBuilder::new()
        .media_storage_sop_class_uid(class)
        .media_storage_sop_instance_uid(instance_uid)
        .transfer_syntax(uids::EXPLICIT_VR_LITTLE_ENDIAN)
        .implementation_class_uid(uid(&[b"implementation"]))
        .implementation_version_name("ISOCENTER");
    let file = object.with_meta(meta).map_err(|error| SegError::Encode(error.to_string()))?;
    let mut bytes = Vec::new();
    file.write_all(&mut bytes).map_err(|error| SegError::Encode(error.to_string()))?;
    Ok(bytes)
}
