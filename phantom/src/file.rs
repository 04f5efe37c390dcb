//! One single-frame image as a DICOM file.
//!
//! Everything the crate writes passes here, so that each file has every Type 1 and Type 2 attribute of its
//! IOD (PS3.3 A.3 for CT) and says that it is synthetic.

use dicom_core::{DataElement, PrimitiveValue, Tag, VR, dicom_value};
use dicom_dictionary_std::{tags, uids};
use dicom_object::{FileMetaTableBuilder, InMemDicomObject};
use serde::Serialize;

use crate::Error;
use crate::uid::uid;

/// How the data set is encoded. All hold uncompressed pixels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Syntax {
    /// 1.2.840.10008.1.2
    ImplicitLittle,
    /// 1.2.840.10008.1.2.1
    #[default]
    ExplicitLittle,
    /// 1.2.840.10008.1.2.2
    ExplicitBig,
    /// 1.2.840.10008.1.2.1.99
    Deflated,
}

impl Syntax {
    /// Transfer Syntax UID.
    pub fn uid(self) -> &'static str {
        match self {
            Self::ImplicitLittle => uids::IMPLICIT_VR_LITTLE_ENDIAN,
            Self::ExplicitLittle => uids::EXPLICIT_VR_LITTLE_ENDIAN,
            // Retired from the standard in 2006 and from its dictionary's constants; archives still hold it.
            Self::ExplicitBig => "1.2.840.10008.1.2.2",
            Self::Deflated => uids::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN,
        }
    }
}

/// Which storage class, and with it which modules.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Modality {
    /// CT Image Storage.
    #[default]
    Ct,
    /// MR Image Storage.
    Mr,
    /// Digital Mammography X-Ray Image Storage - For Presentation: a plane without a patient position.
    Mg,
}

/// Photometric Interpretation (0028,0004).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub enum Photometric {
    /// Low values are bright.
    Monochrome1,
    /// Low values are dark.
    #[default]
    Monochrome2,
}

/// What all instances of a study have in common.
#[derive(Clone, Debug)]
pub struct StudyInfo {
    /// Stem of every UID; two studies of the same name have the same UIDs.
    pub key: String,
    /// Family^Given.
    pub patient_name: String,
    /// (0010,0020)
    pub patient_id: String,
    /// (0008,1030)
    pub description: String,
    /// (0020,0010), at most 16 characters.
    pub study_id: String,
}

/// What all instances of a series have in common.
#[derive(Clone, Debug)]
pub struct SeriesInfo {
    /// Storage class.
    pub modality: Modality,
    /// (0020,0011)
    pub number: i32,
    /// (0008,103E)
    pub description: String,
    /// (0018,0015), a defined term such as `HEART`.
    pub body_part: String,
    /// (0018,0010); `None` where no contrast was given.
    pub contrast_agent: Option<String>,
    /// How the data set is encoded.
    pub syntax: Syntax,
    /// (0028,0004)
    pub photometric: Photometric,
    /// (0028,0101); 16 bits are allocated.
    pub bits_stored: u16,
    /// (0028,0103)
    pub signed: bool,
    /// (0028,1053)
    pub slope: f64,
    /// (0028,1052)
    pub intercept: f64,
    /// Centre, width, explanation.
    pub windows: Vec<(f64, f64, String)>,
}

/// One image.
#[derive(Clone, Debug)]
pub struct Image {
    /// (0020,0013), from 1.
    pub number: i32,
    /// (0028,0011)
    pub columns: u16,
    /// (0028,0010)
    pub rows: u16,
    /// Between columns, between rows: x first, unlike Pixel Spacing.
    pub pixel_mm: [f64; 2],
    /// (0018,0050)
    pub thickness_mm: f64,
    /// (0018,0088)
    pub increment_mm: f64,
    /// Centre of the first pixel, LPS.
    pub position_mm: [f64; 3],
    /// Directions of a row (increasing column) and of a column (increasing row).
    pub orientation: [f64; 6],
    /// `None` for a static series.
    pub time: Option<TimePoint>,
    /// Stored values; the lowest `bits_stored` bits count.
    pub pixels: Vec<u16>,
}

/// Place of an image in a dynamic series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TimePoint {
    /// From 0.
    pub index: u32,
    /// Number of time points.
    pub count: u32,
    /// Seconds after the series began.
    pub at_s: f64,
}

/// All studies were "acquired" on this day at noon.
const DATE: &str = "20260101";
const NOON_S: f64 = 43_200.0;

/// DICOM TM with microseconds (PS3.5 6.2).
fn time_of_day(seconds: f64) -> String {
    let micros = (seconds * 1e6).round() as u64;
    let (s, us) = (micros / 1_000_000, micros % 1_000_000);
    format!("{:02}{:02}{:02}.{us:06}", s / 3600 % 24, s / 60 % 60, s % 60)
}

/// DICOM DS holds at most 16 characters (PS3.5 6.2).
pub(crate) fn decimal(value: f64) -> String {
    let value = if value == 0.0 { 0.0 } else { value };
    (0..=14)
        .rev()
        .map(|digits| format!("{value:.digits$}"))
        .find(|s| s.len() <= 16)
        .map(|s| if s.contains('.') { s.trim_end_matches('0').trim_end_matches('.').to_owned() } else { s })
        .unwrap_or_else(|| format!("{value:.8e}"))
}

struct Dataset(InMemDicomObject);

impl Dataset {
    fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        let value = if value.is_empty() { PrimitiveValue::Empty } else { PrimitiveValue::from(value) };
        self.0.put(DataElement::new(tag, vr, value));
    }
    fn texts<S: Into<String>>(&mut self, tag: Tag, vr: VR, values: impl IntoIterator<Item = S>) {
        let values = values.into_iter().map(Into::into).collect();
        self.0.put(DataElement::new(tag, vr, PrimitiveValue::Strs(values)));
    }
    fn decimals(&mut self, tag: Tag, values: &[f64]) {
        self.texts(tag, VR::DS, values.iter().map(|v| decimal(*v)));
    }
    fn short(&mut self, tag: Tag, value: u16) {
        self.0.put(DataElement::new(tag, VR::US, PrimitiveValue::from(value)));
    }
}

/// The bytes of one file: preamble, meta group and data set.
pub fn write(study: &StudyInfo, series: &SeriesInfo, image: &Image) -> Result<Vec<u8>, Error> {
    let expected = usize::from(image.columns) * usize::from(image.rows);
    if image.pixels.len() != expected {
        return Err(Error::PixelCount { got: image.pixels.len(), expected });
    }
    let sop_class = match series.modality {
        Modality::Ct => uids::CT_IMAGE_STORAGE,
        Modality::Mr => uids::MR_IMAGE_STORAGE,
        Modality::Mg => uids::DIGITAL_MAMMOGRAPHY_X_RAY_IMAGE_STORAGE_FOR_PRESENTATION,
    };
    let series_key = format!("{}/series/{}", study.key, series.number);
    let sop_instance = uid(&format!("{series_key}/image/{}", image.number));

    let mut d = Dataset(InMemDicomObject::new_empty());
    patient_and_study(&mut d, study);
    // SOP Common, PS3.3 C.12.1
    d.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
    d.text(tags::SOP_CLASS_UID, VR::UI, sop_class);
    d.text(tags::SOP_INSTANCE_UID, VR::UI, &sop_instance);
    series_and_equipment(&mut d, study, series, &series_key);
    general_image(&mut d, series, image);
    match series.modality {
        Modality::Ct => ct_image(&mut d, series, image),
        Modality::Mr => mr_image(&mut d),
        Modality::Mg => mammography(&mut d, image),
    }
    if series.modality != Modality::Mg {
        image_plane(&mut d, image);
    }
    image_pixel(&mut d, series, image);

    let file = d.0.with_meta(
        FileMetaTableBuilder::new()
            .media_storage_sop_class_uid(sop_class)
            .media_storage_sop_instance_uid(sop_instance)
            .transfer_syntax(series.syntax.uid())
            .implementation_class_uid(uid("implementation"))
            .implementation_version_name("ISOCENTER"),
    )?;
    let mut bytes = Vec::with_capacity(image.pixels.len() * 2 + 4096);
    file.write_all(&mut bytes)?;
    Ok(bytes)
}

// Patient PS3.3 C.7.1.1, General Study C.7.2.1
fn patient_and_study(d: &mut Dataset, study: &StudyInfo) {
    d.text(tags::PATIENT_NAME, VR::PN, &study.patient_name);
    d.text(tags::PATIENT_ID, VR::LO, &study.patient_id);
    d.text(tags::PATIENT_BIRTH_DATE, VR::DA, "");
    d.text(tags::PATIENT_SEX, VR::CS, "");
    d.text(tags::STUDY_INSTANCE_UID, VR::UI, &uid(&study.key));
    d.text(tags::STUDY_DATE, VR::DA, DATE);
    d.text(tags::STUDY_TIME, VR::TM, &time_of_day(NOON_S));
    d.text(tags::REFERRING_PHYSICIAN_NAME, VR::PN, "");
    d.text(tags::STUDY_ID, VR::SH, &study.study_id);
    d.text(tags::ACCESSION_NUMBER, VR::SH, "");
    d.text(tags::STUDY_DESCRIPTION, VR::LO, &study.description);
}

// General Series PS3.3 C.7.3.1, Frame of Reference C.7.4.1, General Equipment C.7.5.1
fn series_and_equipment(d: &mut Dataset, study: &StudyInfo, series: &SeriesInfo, series_key: &str) {
    let modality = match series.modality {
        Modality::Ct => "CT",
        Modality::Mr => "MR",
        Modality::Mg => "MG",
    };
    d.text(tags::MODALITY, VR::CS, modality);
    d.text(tags::SERIES_INSTANCE_UID, VR::UI, &uid(series_key));
    d.text(tags::SERIES_NUMBER, VR::IS, &series.number.to_string());
    d.text(tags::SERIES_DESCRIPTION, VR::LO, &series.description);
    d.text(tags::SERIES_DATE, VR::DA, DATE);
    d.text(tags::SERIES_TIME, VR::TM, &time_of_day(NOON_S));
    d.text(tags::BODY_PART_EXAMINED, VR::CS, &series.body_part);
    if series.modality != Modality::Mg {
        d.text(tags::PATIENT_POSITION, VR::CS, "HFS");
        d.text(tags::FRAME_OF_REFERENCE_UID, VR::UI, &uid(&format!("{}/frame", study.key)));
        d.text(tags::POSITION_REFERENCE_INDICATOR, VR::LO, "");
    }
    d.text(tags::MANUFACTURER, VR::LO, "Isocenter");
    d.text(tags::MANUFACTURER_MODEL_NAME, VR::LO, "Phantom");
    d.text(tags::SOFTWARE_VERSIONS, VR::LO, env!("CARGO_PKG_VERSION"));
}

// General Acquisition PS3.3 C.7.10.1, General Image C.7.6.1, Temporal Position via C.7.6.2-like attributes
fn general_image(d: &mut Dataset, series: &SeriesInfo, image: &Image) {
    d.text(tags::INSTANCE_NUMBER, VR::IS, &image.number.to_string());
    d.text(tags::IMAGE_COMMENTS, VR::LT, "Synthetic. Research use only.");
    d.text(tags::BURNED_IN_ANNOTATION, VR::CS, "NO");
    d.text(tags::LOSSY_IMAGE_COMPRESSION, VR::CS, "00");
    let at_s = NOON_S + image.time.map_or(0.0, |t| t.at_s);
    d.text(tags::ACQUISITION_DATE, VR::DA, DATE);
    d.text(tags::ACQUISITION_TIME, VR::TM, &time_of_day(at_s));
    d.text(tags::CONTENT_DATE, VR::DA, DATE);
    d.text(tags::CONTENT_TIME, VR::TM, &time_of_day(at_s));
    d.text(tags::ACQUISITION_NUMBER, VR::IS, &(image.time.map_or(0, |t| t.index) + 1).to_string());
    if let Some(t) = image.time {
        d.text(tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, &(t.index + 1).to_string());
        d.text(tags::NUMBER_OF_TEMPORAL_POSITIONS, VR::IS, &t.count.to_string());
    }
    for (i, key) in [tags::WINDOW_CENTER, tags::WINDOW_WIDTH].into_iter().enumerate() {
        let values: Vec<f64> = series.windows.iter().map(|w| if i == 0 { w.0 } else { w.1 }).collect();
        if !values.is_empty() {
            d.decimals(key, &values);
        }
    }
    if !series.windows.is_empty() {
        let names = series.windows.iter().map(|w| w.2.clone());
        d.texts(tags::WINDOW_CENTER_WIDTH_EXPLANATION, VR::LO, names);
    }
}

// CT Image PS3.3 C.8.2.1, Contrast/Bolus C.7.6.4
fn ct_image(d: &mut Dataset, series: &SeriesInfo, image: &Image) {
    d.texts(tags::IMAGE_TYPE, VR::CS, ["ORIGINAL", "PRIMARY", "AXIAL"]);
    d.decimals(tags::RESCALE_SLOPE, &[series.slope]);
    d.decimals(tags::RESCALE_INTERCEPT, &[series.intercept]);
    d.text(tags::RESCALE_TYPE, VR::LO, "HU");
    d.decimals(tags::KVP, &[if image.time.is_some() { 80.0 } else { 120.0 }]);
    d.text(tags::CONVOLUTION_KERNEL, VR::SH, "PHANTOM");
    d.decimals(tags::GANTRY_DETECTOR_TILT, &[0.0]);
    if let Some(agent) = &series.contrast_agent {
        d.text(tags::CONTRAST_BOLUS_AGENT, VR::LO, agent);
    }
}

// MR Image PS3.3 C.8.3.1
fn mr_image(d: &mut Dataset) {
    d.texts(tags::IMAGE_TYPE, VR::CS, ["ORIGINAL", "PRIMARY", "OTHER"]);
    d.text(tags::SCANNING_SEQUENCE, VR::CS, "RM");
    d.text(tags::SEQUENCE_VARIANT, VR::CS, "NONE");
    d.text(tags::SCAN_OPTIONS, VR::CS, "");
    d.text(tags::MR_ACQUISITION_TYPE, VR::CS, "2D");
    d.text(tags::REPETITION_TIME, VR::DS, "1000");
    d.text(tags::ECHO_TIME, VR::DS, "30");
    d.text(tags::ECHO_TRAIN_LENGTH, VR::IS, "1");
}

// DX Anatomy Imaged PS3.3 C.8.11.2, DX Image C.8.11.3, DX Detector C.8.11.4, Mammography Image C.8.11.7
fn mammography(d: &mut Dataset, image: &Image) {
    d.texts(tags::IMAGE_TYPE, VR::CS, ["ORIGINAL", "PRIMARY", ""]);
    d.text(tags::PRESENTATION_INTENT_TYPE, VR::CS, "FOR PRESENTATION");
    d.texts(tags::PATIENT_ORIENTATION, VR::CS, ["P", "L"]);
    d.text(tags::IMAGE_LATERALITY, VR::CS, "L");
    d.text(tags::VIEW_POSITION, VR::CS, "CC");
    d.text(tags::ORGAN_EXPOSED, VR::CS, "BREAST");
    d.text(tags::POSITIONER_TYPE, VR::CS, "MAMMOGRAPHIC");
    d.text(tags::DETECTOR_TYPE, VR::CS, "DIRECT");
    d.text(tags::PIXEL_INTENSITY_RELATIONSHIP, VR::CS, "LOG");
    d.0.put(DataElement::new(tags::PIXEL_INTENSITY_RELATIONSHIP_SIGN, VR::SS, dicom_value!(I16, [1])));
    d.decimals(tags::RESCALE_SLOPE, &[1.0]);
    d.decimals(tags::RESCALE_INTERCEPT, &[0.0]);
    d.text(tags::RESCALE_TYPE, VR::LO, "US");
    d.text(tags::PRESENTATION_LUT_SHAPE, VR::CS, "IDENTITY");
    d.decimals(tags::IMAGER_PIXEL_SPACING, &[image.pixel_mm[1], image.pixel_mm[0]]);
    // PS3.3 10.7.1.3: equal spacings say that no magnification was corrected.
    d.decimals(tags::PIXEL_SPACING, &[image.pixel_mm[1], image.pixel_mm[0]]);
}

// Image Plane PS3.3 C.7.6.2
fn image_plane(d: &mut Dataset, image: &Image) {
    // Pixel Spacing: between rows first, then between columns (10.7.1.1).
    d.decimals(tags::PIXEL_SPACING, &[image.pixel_mm[1], image.pixel_mm[0]]);
    d.decimals(tags::IMAGE_ORIENTATION_PATIENT, &image.orientation);
    d.decimals(tags::IMAGE_POSITION_PATIENT, &image.position_mm);
    d.decimals(tags::SLICE_THICKNESS, &[image.thickness_mm]);
    d.decimals(tags::SPACING_BETWEEN_SLICES, &[image.increment_mm]);
    let [rx, ry, rz, cx, cy, cz] = image.orientation;
    let normal = [ry * cz - rz * cy, rz * cx - rx * cz, rx * cy - ry * cx];
    let location: f64 = normal.iter().zip(image.position_mm).map(|(n, p)| n * p).sum();
    d.decimals(tags::SLICE_LOCATION, &[location]);
}

// Image Pixel PS3.3 C.7.6.3
fn image_pixel(d: &mut Dataset, series: &SeriesInfo, image: &Image) {
    let photometric = match series.photometric {
        Photometric::Monochrome1 => "MONOCHROME1",
        Photometric::Monochrome2 => "MONOCHROME2",
    };
    d.short(tags::SAMPLES_PER_PIXEL, 1);
    d.text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, photometric);
    d.short(tags::ROWS, image.rows);
    d.short(tags::COLUMNS, image.columns);
    d.short(tags::BITS_ALLOCATED, 16);
    d.short(tags::BITS_STORED, series.bits_stored);
    d.short(tags::HIGH_BIT, series.bits_stored - 1);
    d.short(tags::PIXEL_REPRESENTATION, u16::from(series.signed));
    let pixels = PrimitiveValue::U16(image.pixels.iter().copied().collect());
    d.0.put(DataElement::new(tags::PIXEL_DATA, VR::OW, pixels));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimals_fit_sixteen_characters_and_keep_the_value() {
        for v in
            [0.0, -0.0, 1.0, 0.65625, -104.671875, 1.0 / 3.0, -0.123456789012345, 1e5, 12345.678901234567]
        {
            let s = decimal(v);
            assert!(s.len() <= 16, "{s}");
            assert!((s.parse::<f64>().unwrap() - v).abs() <= 1e-9 * v.abs().max(1.0), "{v} became {s}");
        }
        assert_eq!(decimal(3.0), "3");
        assert_eq!(decimal(100.0), "100");
        assert_eq!(decimal(-0.0), "0");
    }

    #[test]
    fn times_are_dicom_tm() {
        assert_eq!(time_of_day(NOON_S + 61.25), "120101.250000");
    }
}
