//! The series that a segmentation refers to: its patient, its study and the image behind every slice.
//!
//! Read from a file of the series when an export is asked for, because the catalog keeps texts for people and
//! an export needs the elements as they were.

use std::sync::Arc;

use dicom_object::InMemDicomObject;
use imaging::dicom::read_header;
use imaging::limits::Limits;
use imaging::{Catalog, Source};

use super::SegError;

/// What a SOP Class UID (0008,0016) that is empty in the file most likely was.
const BY_MODALITY: [(&str, &str); 3] = [
    ("CT", "1.2.840.10008.5.1.4.1.1.2"),
    ("MR", "1.2.840.10008.5.1.4.1.1.4"),
    ("PT", "1.2.840.10008.5.1.4.1.1.128"),
];

/// The image of one slice.
#[derive(Clone, Debug, PartialEq)]
pub struct SourceFrame {
    /// Never empty.
    pub sop_class_uid: String,
    /// Never empty.
    pub sop_instance_uid: String,
    /// From 1, for multi-frame objects.
    pub frame: Option<u32>,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct SourceSeries {
    /// Header of one of its files.
    pub(super) object: Arc<InMemDicomObject>,
    /// Per slice of the grid; `None` where no image can be referred to.
    pub(super) frames: Vec<Option<SourceFrame>>,
}

impl SourceSeries {
    /// A series of a catalog, with the images of its first time point.
    pub fn of<S: Source>(catalog: &Catalog<S>, series: usize) -> Result<Self, SegError> {
        let slots = catalog.frames(series);
        let first = slots.iter().flatten().next().ok_or(SegError::NoSource)?;
        let item = catalog.item(first.file).ok_or(SegError::NoSource)?;
        let file = read_header(item, &Limits::default())?;
        let slices = catalog.series.get(series).map_or(0, |series| series.dims[2] as usize);
        let frames = slots
            .iter()
            .take(slices)
            .map(|slot| {
                let slot = slot.as_ref()?;
                let header = slot.header;
                let class = match header.sop_class_uid.as_str() {
                    "" => BY_MODALITY.iter().find(|(modality, _)| *modality == header.modality)?.1,
                    class => class,
                };
                (!header.sop_instance_uid.is_empty()).then(|| SourceFrame {
                    sop_class_uid: class.to_owned(),
                    sop_instance_uid: header.sop_instance_uid.clone(),
                    frame: (header.frames.len() > 1).then_some(slot.frame as u32 + 1),
                })
            })
            .collect();
        Ok(Self { object: Arc::new(file.object), frames })
    }
}
