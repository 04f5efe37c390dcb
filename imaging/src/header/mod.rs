//! What reading, ordering and showing need of a DICOM header, as small typed structs.
//!
//! Single-frame and enhanced multi-frame objects end in the same list of [`FrameHeader`]s, so that
//! everything after this module knows only frames; files are parsed once, then their data set is dropped.

mod acquisition;
mod functional;
mod lut;
mod person;
mod read;
mod value;

use std::sync::Arc;

use scene::{DVec3, Window};

use crate::volume::{Padding, Rescale, VoiLut};

pub use acquisition::Acquisition;
pub use person::display_name;
pub use read::read;
pub use value::display_date;

/// Header of one DICOM file.
#[derive(Clone, Debug, Default)]
pub struct InstanceHeader {
    /// (0020,000D)
    pub study_uid: String,
    /// (0020,000E)
    pub series_uid: String,
    /// (0008,0018)
    pub sop_instance_uid: String,
    /// (0008,0016)
    pub sop_class_uid: String,
    /// (0020,0052)
    pub frame_of_reference_uid: String,
    /// Texts for the study list and the corners of the picture.
    pub texts: Arc<Texts>,
    /// Series Instance UIDs of Referenced Series Sequence (0008,1115): what a derived object belongs to.
    pub refers_to: Vec<String>,
    /// (0008,0060)
    pub modality: String,
    /// (0020,0011)
    pub series_number: Option<i32>,
    /// (0020,0013)
    pub instance_number: Option<i32>,
    /// (0008,0008)
    pub image_type: Vec<String>,
    /// Layout of the pixels; `None` for objects without a picture (reports, plans).
    pub pixels: Option<PixelLayout>,
    /// Name of the transfer syntax.
    pub transfer_syntax: String,
    /// (0002,0010); empty where the file names none.
    pub transfer_syntax_uid: String,
    /// How the pixels were compressed with loss, in words.
    pub lossy: Option<String>,
    /// How it was acquired.
    pub acquisition: Acquisition,
    /// One per frame of the pixel data.
    pub frames: Vec<FrameHeader>,
    /// What was strange but could be read.
    pub warnings: Vec<String>,
}

/// Texts of the patient, study and series, decoded with the file's character set.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Texts {
    /// Patient's Name (0010,0010) in display form.
    pub patient_name: String,
    /// (0010,0020)
    pub patient_id: String,
    /// (0010,0030) as `YYYY-MM-DD`
    pub birth_date: String,
    /// (0010,0040)
    pub sex: String,
    /// (0010,1010)
    pub age: String,
    /// (0008,1030)
    pub study_description: String,
    /// (0008,0020) as `YYYY-MM-DD`
    pub study_date: String,
    /// (0008,0030) as `HH:MM:SS`
    pub study_time: String,
    /// (0008,0050)
    pub accession_number: String,
    /// (0008,103E)
    pub series_description: String,
    /// (0018,0015)
    pub body_part: String,
    /// (0018,1030)
    pub protocol: String,
    /// (0008,0080)
    pub institution: String,
    /// (0008,0070) and (0008,1090)
    pub device: String,
    /// (0020,0062) or (0020,0060)
    pub laterality: String,
    /// (0018,5101), for projections
    pub view: String,
}

/// Layout of the pixel data.
#[derive(Clone, Debug, PartialEq)]
pub struct PixelLayout {
    /// (0028,0011)
    pub columns: u32,
    /// (0028,0010)
    pub rows: u32,
    /// (0028,0002)
    pub samples_per_pixel: u16,
    /// (0028,0100)
    pub bits_allocated: u16,
    /// (0028,0101)
    pub bits_stored: u16,
    /// (0028,0103)
    pub signed: bool,
    /// Float Pixel Data (7FE0,0008) or Double Float Pixel Data (7FE0,0009)
    pub float: bool,
    /// (0028,0004)
    pub photometric: String,
}

impl PixelLayout {
    /// Whether a pixel is a colour: three samples, or an index into a palette.
    pub fn colour(&self) -> bool {
        self.samples_per_pixel > 1 || self.photometric == "PALETTE COLOR"
    }
}

/// Where the distance between pixels was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SpacingSource {
    /// Pixel Spacing (0028,0030)
    Pixel,
    /// Imager Pixel Spacing (0018,1164): at the detector, not in the patient.
    Imager,
    /// Nominal Scanned Pixel Spacing (0018,2010): of the film digitizer.
    NominalScanned,
    /// Sequence of Ultrasound Regions (0018,6011), where one region holds.
    Ultrasound,
}

/// Distance between pixel centres in the plane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spacing {
    /// Between neighbouring columns (second value of Pixel Spacing).
    pub column_mm: f64,
    /// Between neighbouring rows (first value of Pixel Spacing).
    pub row_mm: f64,
    /// Which attribute said so.
    pub source: SpacingSource,
}

/// Modality LUT (PS3.3 C.11.1.1): from stored values to the unit, as a table.
#[derive(Clone, Debug, PartialEq)]
pub struct ModalityLut {
    /// First stored value that is mapped.
    pub first: i32,
    /// Values.
    pub output: Vec<u16>,
}

impl ModalityLut {
    /// Value of a stored number; numbers outside the table take its ends.
    pub fn apply(&self, stored: f64) -> f64 {
        let last = self.output.len().saturating_sub(1);
        let index = (stored - f64::from(self.first)).clamp(0.0, last as f64) as usize;
        self.output.get(index).map_or(0.0, |v| f64::from(*v))
    }
}

/// One frame: where it lies, when it was taken, what its numbers mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameHeader {
    /// Image Position (Patient) (0020,0032)
    pub position: Option<DVec3>,
    /// Image Orientation (Patient) (0020,0037): directions of increasing column and of increasing row.
    pub orientation: Option<[DVec3; 2]>,
    /// Distance between pixels.
    pub spacing: Option<Spacing>,
    /// (0018,0050)
    pub slice_thickness_mm: Option<f64>,
    /// (0018,0088)
    pub spacing_between_slices_mm: Option<f64>,
    /// Rescale Slope and Intercept.
    pub rescale: Rescale,
    /// Modality LUT Sequence (0028,3000)
    pub modality_lut: Option<Arc<ModalityLut>>,
    /// VOI LUT Sequence (0028,3010)
    pub voi_lut: Option<Arc<VoiLut>>,
    /// Window Center, Width and their explanation.
    pub windows: Vec<(String, Window)>,
    /// Pixel Padding Value and Range Limit.
    pub padding: Option<Padding>,
    /// Of the values after rescale.
    pub unit: String,
    /// (0018,0060)
    pub kvp: Option<f64>,
    /// Gantry/Detector Tilt (0018,1120) in degrees
    pub gantry_tilt_deg: Option<f64>,
    /// Echo Time (0018,0081) or Effective Echo Time (0018,9082)
    pub echo_time_ms: Option<f64>,
    /// Frame Type (0008,9007), or Image Type of a single frame.
    pub frame_type: Vec<String>,
    /// Referenced Segment Number (0062,000B)
    pub segment: Option<u32>,
    /// Stack ID (0020,9056)
    pub stack_id: String,
    /// What can tell time points apart.
    pub time: FrameTime,
}

/// What can tell apart images at one place.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FrameTime {
    /// (0020,0100), or Temporal Position Index (0020,9128)
    pub temporal_position: Option<f64>,
    /// (0020,0110)
    pub temporal_resolution_ms: Option<f64>,
    /// Acquisition DateTime (0008,002A), Date and Time (0008,0022), (0008,0032), or Frame Acquisition DateTime (0018,9074); seconds since some midnight
    pub acquisition_s: Option<f64>,
    /// (0008,0023), (0008,0033)
    pub content_s: Option<f64>,
    /// (0018,1060), or Nominal Cardiac Trigger Delay Time (0020,9153)
    pub trigger_ms: Option<f64>,
    /// Diffusion b-value (0018,9087) or a vendor's private element
    pub b_value: Option<f64>,
    /// Since the first frame of a cine: Frame Time (0018,1063) or Frame Time Vector (0018,1065)
    pub cine_s: Option<f64>,
}
