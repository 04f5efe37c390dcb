//! From a data set to an [`InstanceHeader`].
//!
//! A pure function of the data set: no pixels, no files. What is absent stays absent here; whoever needs
//! it says so in words that fit the case.

use std::sync::Arc;

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::InMemDicomObject;
use scene::DVec3;

use super::functional::FrameView;
use super::value::{
    date_time, display_date, display_time, integer, item, items, moment, number, numbers, point, text, texts,
};
use super::{
    Acquisition, FrameHeader, FrameTime, InstanceHeader, PixelLayout, Spacing, SpacingSource, Texts, lut,
    person,
};
use crate::volume::Rescale;

/// RT Dose Storage
const RT_DOSE: &str = "1.2.840.10008.5.1.4.1.1.481.2";

/// Reads the header. `pixels` and `frame_count` come from whoever checked them against the pixel data.
pub fn read(object: &InMemDicomObject, pixels: Option<PixelLayout>, frame_count: u32) -> InstanceHeader {
    let string = |tag| text(object, tag).unwrap_or_default();
    let modality = string(tags::MODALITY);
    let mut header = InstanceHeader {
        study_uid: string(tags::STUDY_INSTANCE_UID),
        series_uid: string(tags::SERIES_INSTANCE_UID),
        sop_instance_uid: string(tags::SOP_INSTANCE_UID),
        sop_class_uid: string(tags::SOP_CLASS_UID),
        frame_of_reference_uid: string(tags::FRAME_OF_REFERENCE_UID),
        refers_to: items(object, tags::REFERENCED_SERIES_SEQUENCE)
            .iter()
            .filter_map(|series| text(series, tags::SERIES_INSTANCE_UID))
            .collect(),
        texts: Arc::new(read_texts(object)),
        series_number: integer(object, tags::SERIES_NUMBER),
        instance_number: integer(object, tags::INSTANCE_NUMBER),
        image_type: texts(object, tags::IMAGE_TYPE),
        lossy: lossy(object),
        modality,
        pixels,
        ..InstanceHeader::default()
    };
    if let Some(layout) = header.pixels.clone() {
        let shared = Shared {
            modality_lut: lut::modality_lut(object, layout.signed),
            cine_s: cine_times(object, frame_count as usize),
            dose_offsets: numbers(object, tags::GRID_FRAME_OFFSET_VECTOR),
        };
        header.frames = (0..frame_count as usize)
            .map(|i| read_frame(object, FrameView::new(object, i), &header, &layout, &shared))
            .collect();
        header.acquisition = Acquisition::read(object, &header.image_type, &header.frames);
        let groups = items(object, tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE).len();
        if groups != 0 && groups != frame_count as usize {
            header.warnings.push(format!(
                "The header describes {groups} frames, the pixel data has {frame_count}; the others are placed by what is shared."
            ));
        }
        if header.sop_class_uid.is_empty() {
            let what = "SOP Class UID (0008,0016) is empty: the image is taken for what its attributes say.";
            header.warnings.push(what.into());
        }
        if object.iter().any(|e| e.header().tag.0 & 0xff01 == 0x6000) {
            header.warnings.push("Overlay planes (60xx) are not drawn.".into());
        }
    }
    header
}

/// What holds for all frames and is worth reading once.
struct Shared {
    modality_lut: Option<Arc<super::ModalityLut>>,
    cine_s: Vec<f64>,
    dose_offsets: Vec<f64>,
}

fn read_texts(object: &InMemDicomObject) -> Texts {
    let string = |tag| text(object, tag).unwrap_or_default();
    let either = |a, b| text(object, a).or_else(|| text(object, b)).unwrap_or_default();
    let device = [tags::MANUFACTURER, tags::MANUFACTURER_MODEL_NAME].map(string);
    Texts {
        patient_name: person::display_name(&string(tags::PATIENT_NAME)),
        patient_id: string(tags::PATIENT_ID),
        birth_date: display_date(&string(tags::PATIENT_BIRTH_DATE)),
        sex: string(tags::PATIENT_SEX),
        age: string(tags::PATIENT_AGE),
        study_description: string(tags::STUDY_DESCRIPTION),
        study_date: display_date(&string(tags::STUDY_DATE)),
        study_time: display_time(&string(tags::STUDY_TIME)),
        accession_number: string(tags::ACCESSION_NUMBER),
        series_description: string(tags::SERIES_DESCRIPTION),
        body_part: string(tags::BODY_PART_EXAMINED),
        protocol: string(tags::PROTOCOL_NAME),
        institution: string(tags::INSTITUTION_NAME),
        device: device.join(" ").trim().to_owned(),
        laterality: either(tags::IMAGE_LATERALITY, tags::LATERALITY),
        view: string(tags::VIEW_POSITION),
    }
}

/// Lossy Image Compression (0028,2110) with ratio and method; once lossy, always lossy (PS3.3 C.7.6.1.1.5).
fn lossy(object: &InMemDicomObject) -> Option<String> {
    (text(object, tags::LOSSY_IMAGE_COMPRESSION).as_deref() == Some("01")).then(|| {
        let ratio = numbers(object, tags::LOSSY_IMAGE_COMPRESSION_RATIO);
        let method = texts(object, tags::LOSSY_IMAGE_COMPRESSION_METHOD);
        let mut out = String::from("lossy");
        if let Some(ratio) = ratio.last() {
            out.push_str(&format!(" {ratio:.1}:1"));
        }
        if let Some(method) = method.last().filter(|m| !m.is_empty()) {
            out.push_str(&format!(" ({method})"));
        }
        out
    })
}

/// Seconds of every frame of a cine, when Frame Increment Pointer (0028,0009) or the modality says it is one.
fn cine_times(object: &InMemDicomObject, frames: usize) -> Vec<f64> {
    if frames < 2 {
        return Vec::new();
    }
    let points_elsewhere = object
        .get(tags::FRAME_INCREMENT_POINTER)
        .and_then(|e| e.value().tags().map(<[Tag]>::to_vec).ok())
        .is_some_and(|p| {
            !p.is_empty() && !p.contains(&tags::FRAME_TIME) && !p.contains(&tags::FRAME_TIME_VECTOR)
        });
    if points_elsewhere {
        return Vec::new();
    }
    // PS3.3 C.7.6.5.1.2: increments from the previous frame, the first is 0.
    let vector = numbers(object, tags::FRAME_TIME_VECTOR);
    if vector.len() == frames {
        let mut at = 0.0;
        return vector
            .iter()
            .map(|ms| {
                at += ms / 1000.0;
                at
            })
            .collect();
    }
    let rate = |tag| number(object, tag).filter(|r| *r > 0.0).map(|r| 1000.0 / r);
    let frame_ms = number(object, tags::FRAME_TIME)
        .filter(|ms| *ms > 0.0)
        .or_else(|| rate(tags::CINE_RATE))
        .or_else(|| rate(tags::RECOMMENDED_DISPLAY_FRAME_RATE));
    frame_ms.map_or_else(Vec::new, |ms| (0..frames).map(|i| i as f64 * ms / 1000.0).collect())
}

fn read_frame(
    root: &InMemDicomObject,
    view: FrameView,
    header: &InstanceHeader,
    layout: &PixelLayout,
    shared: &Shared,
) -> FrameHeader {
    let at = |sequence, tag| view.holder(sequence, tag);
    let measures = |tag| at(tags::PIXEL_MEASURES_SEQUENCE, tag);
    let mut position = point(
        &numbers(
            at(tags::PLANE_POSITION_SEQUENCE, tags::IMAGE_POSITION_PATIENT),
            tags::IMAGE_POSITION_PATIENT,
        ),
        0,
    );
    let orientation = orientation(&numbers(
        at(tags::PLANE_ORIENTATION_SEQUENCE, tags::IMAGE_ORIENTATION_PATIENT),
        tags::IMAGE_ORIENTATION_PATIENT,
    ));
    let mut spacing_between =
        number(measures(tags::SPACING_BETWEEN_SLICES), tags::SPACING_BETWEEN_SLICES).filter(|s| *s > 0.0);

    // PS3.3 C.8.8.3.2: Grid Frame Offset Vector places the planes of a dose grid along the normal.
    if header.sop_class_uid == RT_DOSE
        && let (Some(p), Some([right, down])) = (position, orientation)
        && let (Some(offset), Some(first)) =
            (shared.dose_offsets.get(view.index), shared.dose_offsets.first())
    {
        position = Some(p + right.cross(down) * (offset - first));
        spacing_between = None;
    }

    let transform = view
        .group(tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE)
        .filter(|g| g.get(tags::RESCALE_SLOPE).is_some())
        .unwrap_or(root);
    let mut rescale = Rescale {
        slope: number(transform, tags::RESCALE_SLOPE).filter(|s| *s != 0.0).unwrap_or(1.0),
        intercept: number(transform, tags::RESCALE_INTERCEPT).unwrap_or(0.0),
    };
    if let Some(scaling) = number(root, tags::DOSE_GRID_SCALING).filter(|s| *s > 0.0) {
        rescale = Rescale { slope: scaling, intercept: 0.0 };
    }
    let frame_type = frame_type(&view).unwrap_or_else(|| header.image_type.clone());
    let voi = view
        .group(tags::FRAME_VOILUT_SEQUENCE)
        .filter(|g| g.get(tags::WINDOW_CENTER).is_some() || g.get(tags::VOILUT_SEQUENCE).is_some())
        .unwrap_or(root);
    // With a Modality LUT the VOI LUT's first value is an output of it, never negative.
    let voi_signed =
        shared.modality_lut.is_none() && (layout.signed || rescale.intercept < 0.0 || rescale.slope < 0.0);
    FrameHeader {
        position,
        orientation,
        spacing: spacing(root, measures(tags::PIXEL_SPACING)),
        slice_thickness_mm: number(measures(tags::SLICE_THICKNESS), tags::SLICE_THICKNESS)
            .filter(|t| *t > 0.0),
        spacing_between_slices_mm: spacing_between,
        rescale,
        modality_lut: shared.modality_lut.clone(),
        voi_lut: lut::voi_lut(voi, voi_signed),
        windows: lut::windows(voi),
        padding: lut::padding(root, layout.signed, layout.bits_allocated),
        unit: unit(&view, root, transform, header, shared.modality_lut.is_some()),
        kvp: number(at(tags::CTX_RAY_DETAILS_SEQUENCE, tags::KVP), tags::KVP),
        gantry_tilt_deg: number(root, tags::GANTRY_DETECTOR_TILT),
        echo_time_ms: number(
            at(tags::MR_ECHO_SEQUENCE, tags::EFFECTIVE_ECHO_TIME),
            tags::EFFECTIVE_ECHO_TIME,
        )
        .or_else(|| number(root, tags::ECHO_TIME)),
        frame_type,
        segment: view
            .group(tags::SEGMENT_IDENTIFICATION_SEQUENCE)
            .and_then(|g| number(g, tags::REFERENCED_SEGMENT_NUMBER))
            .map(|n| n as u32),
        stack_id: view
            .group(tags::FRAME_CONTENT_SEQUENCE)
            .and_then(|g| text(g, tags::STACK_ID))
            .unwrap_or_default(),
        time: frame_time(root, &view, shared),
    }
}

/// Unit vectors, made orthogonal; nothing for cosines that span no plane.
fn orientation(values: &[f64]) -> Option<[DVec3; 2]> {
    let (right, down) = (point(values, 0)?.try_normalize()?, point(values, 3)?);
    let across = right.dot(down.try_normalize()?);
    // Cosines written with few digits are off by up to 1e-3; beyond 0.1 (6 degrees) they are wrong.
    (across.abs() < 0.1).then_some(())?;
    Some([right, (down - right * right.dot(down)).try_normalize()?])
}

fn spacing(root: &InMemDicomObject, measures: &InMemDicomObject) -> Option<Spacing> {
    let read = |object: &InMemDicomObject, tag: Tag, source| {
        // PS3.3 10.7.1.3: first between rows (vertical), second between columns.
        let &[row_mm, column_mm, ..] = numbers(object, tag).as_slice() else { return None };
        (row_mm > 0.0 && column_mm > 0.0).then_some(Spacing { column_mm, row_mm, source })
    };
    read(measures, tags::PIXEL_SPACING, SpacingSource::Pixel)
        .or_else(|| read(root, tags::IMAGER_PIXEL_SPACING, SpacingSource::Imager))
        .or_else(|| read(root, tags::NOMINAL_SCANNED_PIXEL_SPACING, SpacingSource::NominalScanned))
        .or_else(|| ultrasound_spacing(root))
}

/// PS3.3 C.8.5.5: Physical Delta X and Y of the only region, if both are centimetres (unit 3).
fn ultrasound_spacing(root: &InMemDicomObject) -> Option<Spacing> {
    let [region] = items(root, tags::SEQUENCE_OF_ULTRASOUND_REGIONS) else { return None };
    let cm = |units, delta| {
        (number(region, units)? == 3.0).then_some(())?;
        number(region, delta).map(|d| d.abs() * 10.0).filter(|d| *d > 0.0)
    };
    Some(Spacing {
        column_mm: cm(tags::PHYSICAL_UNITS_X_DIRECTION, tags::PHYSICAL_DELTA_X)?,
        row_mm: cm(tags::PHYSICAL_UNITS_Y_DIRECTION, tags::PHYSICAL_DELTA_Y)?,
        source: SpacingSource::Ultrasound,
    })
}

fn frame_type(view: &FrameView) -> Option<Vec<String>> {
    [tags::MR_IMAGE_FRAME_TYPE_SEQUENCE, tags::CT_IMAGE_FRAME_TYPE_SEQUENCE, tags::PET_FRAME_TYPE_SEQUENCE]
        .into_iter()
        .find_map(|sequence| view.group(sequence))
        .map(|group| texts(group, tags::FRAME_TYPE))
        .filter(|t| !t.is_empty())
}

/// What a value is after rescale.
fn unit(
    view: &FrameView,
    root: &InMemDicomObject,
    transform: &InMemDicomObject,
    header: &InstanceHeader,
    has_lut: bool,
) -> String {
    // PS3.3 C.8.9.1.1.3
    if let Some(units) = text(root, tags::UNITS) {
        return match units.as_str() {
            "BQML" => "Bq/mL".into(),
            "GML" => "g/mL".into(),
            "CNTS" => "counts".into(),
            "CPS" => "counts/s".into(),
            "NONE" => String::new(),
            "PCNT" | "PROPCNTS" | "PROPCPS" => units.to_lowercase(),
            _ => units,
        };
    }
    if let Some(units) = text(root, tags::DOSE_UNITS) {
        return if units == "GY" { "Gy".into() } else { units.to_lowercase() };
    }
    let kind = text(transform, tags::RESCALE_TYPE)
        .or_else(|| item(root, tags::MODALITY_LUT_SEQUENCE).and_then(|i| text(i, tags::MODALITY_LUT_TYPE)));
    match kind.as_deref() {
        // PS3.3 C.11.1.1.2: US is unspecified.
        Some("US") => String::new(),
        Some("HU_MOD") => "HU".into(),
        Some(kind) => kind.to_owned(),
        // PS3.3 C.8.2.1.1.2: a CT image without Rescale Type is in Hounsfield units, unless it is a localizer.
        None if header.modality == "CT"
            && !has_lut
            && transform.get(tags::RESCALE_SLOPE).is_some()
            && !header.image_type.iter().any(|t| t == "LOCALIZER") =>
        {
            "HU".into()
        }
        None => view
            .group(tags::REAL_WORLD_VALUE_MAPPING_SEQUENCE)
            .and_then(|g| item(g, tags::MEASUREMENT_UNITS_CODE_SEQUENCE))
            .filter(|_| transform.get(tags::RESCALE_SLOPE).is_none())
            .and_then(|code| text(code, tags::CODE_VALUE))
            .filter(|code| code != "1" && header.pixels.as_ref().is_some_and(|p| p.float))
            .unwrap_or_default(),
    }
}

fn frame_time(root: &InMemDicomObject, view: &FrameView, shared: &Shared) -> FrameTime {
    let content = view.group(tags::FRAME_CONTENT_SEQUENCE);
    let in_content = |tag| content.and_then(|g| number(g, tag));
    let stamp = |date, time| moment(text(root, date).as_deref(), text(root, time).as_deref());
    let position_offset = view
        .group(tags::TEMPORAL_POSITION_SEQUENCE)
        .and_then(|g| number(g, tags::TEMPORAL_POSITION_TIME_OFFSET));
    let acquisition_s = content
        .and_then(|g| {
            text(g, tags::FRAME_ACQUISITION_DATE_TIME).or_else(|| text(g, tags::FRAME_REFERENCE_DATE_TIME))
        })
        .and_then(|t| date_time(&t))
        .or(position_offset);
    // The top-level times of an enhanced object hold for all of it and tell no frames apart.
    let classic = !view.enhanced();
    FrameTime {
        temporal_position: in_content(tags::TEMPORAL_POSITION_INDEX)
            .or_else(|| number(root, tags::TEMPORAL_POSITION_IDENTIFIER)),
        temporal_resolution_ms: number(root, tags::TEMPORAL_RESOLUTION),
        acquisition_s: acquisition_s.or_else(|| {
            classic
                .then(|| {
                    stamp(tags::ACQUISITION_DATE, tags::ACQUISITION_TIME)
                        .or_else(|| text(root, tags::ACQUISITION_DATE_TIME).and_then(|t| date_time(&t)))
                })
                .flatten()
        }),
        content_s: classic.then(|| stamp(tags::CONTENT_DATE, tags::CONTENT_TIME)).flatten(),
        trigger_ms: view
            .group(tags::CARDIAC_SYNCHRONIZATION_SEQUENCE)
            .and_then(|g| number(g, tags::NOMINAL_CARDIAC_TRIGGER_DELAY_TIME))
            .or_else(|| number(root, tags::TRIGGER_TIME)),
        b_value: view
            .group(tags::MR_DIFFUSION_SEQUENCE)
            .and_then(|g| number(g, tags::DIFFUSION_B_VALUE))
            .or_else(|| number(root, tags::DIFFUSION_B_VALUE))
            .or_else(|| private_b_value(root)),
        cine_s: shared.cine_s.get(view.index).copied(),
    }
}

/// b-value where vendors kept it before the standard had one.
fn private_b_value(root: &InMemDicomObject) -> Option<f64> {
    let manufacturer = text(root, tags::MANUFACTURER)?.to_uppercase();
    match () {
        () if manufacturer.contains("SIEMENS") => number(root, Tag(0x0019, 0x100c)),
        // GE adds 1e9 to mark a b-value; dcm2niix takes it modulo 100000.
        () if manufacturer.contains("GE") => number(root, Tag(0x0043, 0x1039)).map(|b| b % 100_000.0),
        () if manufacturer.contains("PHILIPS") => number(root, Tag(0x2001, 0x1003)),
        () if manufacturer.contains("UIH") => number(root, Tag(0x0065, 0x1009)),
        () => None,
    }
}
