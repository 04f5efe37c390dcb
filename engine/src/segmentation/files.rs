//! Label maps out and in, as files of others know them.

use imaging::dicom::looks_like_dicom;
use imaging::limits::Limits;
use imaging::{Catalog, Source, Volume, read_study};
use protocol::segmentation::Format;
use segmentation::dicom::{self, Kind, Moment, SegError, SourceSeries};
use segmentation::{csv, nifti};

use super::{Labelling, Maker};
use crate::blob::BrowserFile;

/// A file for the user. Its name says nothing about the patient.
pub struct Kept {
    pub name: &'static str,
    pub mime: &'static str,
    pub bytes: Vec<u8>,
}

const DICOM: &str = "application/dicom";

impl Labelling {
    /// A DICOM Segmentation or a NIfTI label map, laid on the image's grid.
    pub fn read(volume: &Volume, file: &BrowserFile) -> Result<Self, String> {
        let mut head = [0; 132];
        let known = file.read_at(0, &mut head).map_err(|e| e.to_string())?;
        if looks_like_dicom(&head[..known]) {
            return Self::of_segmentation(volume, file, None).map_err(|e| e.to_string());
        }
        let map = alone(file.clone())?;
        let read = nifti::from_volume(&map, &volume.grid).map_err(|e| e.to_string())?;
        Ok(Self::of(read.labels, "a NIfTI label map".into(), Maker::Hand, read.warnings))
    }

    /// A DICOM Segmentation, laid on the image's grid; `frame_of_reference` is the image's, where it is known.
    pub fn of_segmentation(
        volume: &Volume,
        file: &dyn Source,
        frame_of_reference: Option<&str>,
    ) -> Result<Self, SegError> {
        let read = dicom::read(file, &volume.grid, frame_of_reference)?;
        Ok(Self::of(read.labels, "a DICOM Segmentation".into(), Maker::Hand, read.warnings))
    }

    /// The label map as a file; `series` is where its image stands in the catalog.
    pub fn file(
        &self,
        volume: &Volume,
        catalog: &Catalog<BrowserFile>,
        series: usize,
        format: Format,
    ) -> Result<Kept, String> {
        let seg = |kind| {
            let source = SourceSeries::of(catalog, series).map_err(|e| e.to_string())?;
            dicom::write(&self.labels, &source, kind, &self.made_by(), &now()).map_err(|e| e.to_string())
        };
        let (name, mime, bytes) = match format {
            Format::SegBinary => ("labels.dcm", DICOM, seg(Kind::Binary)?),
            Format::SegLabelMap => ("labelmap.dcm", DICOM, seg(Kind::LabelMap)?),
            Format::Nifti => {
                let bytes = nifti::write(&self.labels).map_err(|e| e.to_string())?;
                ("labels.nii.gz", "application/gzip", bytes)
            }
            Format::Csv => {
                let measured =
                    segmentation::statistics(&self.labels, volume, 0).map_err(|e| e.to_string())?;
                ("labels.csv", "text/csv", csv::write(&self.labels, &measured, &volume.unit).into_bytes())
            }
        };
        Ok(Kept { name, mime, bytes })
    }

    fn made_by(&self) -> dicom::Maker {
        match &self.maker {
            Maker::Hand => dicom::Maker::Manual,
            Maker::Model(name) if self.history.undo_steps() > 0 => dicom::Maker::SemiAutomatic(name.clone()),
            Maker::Model(name) => dicom::Maker::Automatic(name.clone()),
        }
    }
}

/// The one volume in a file.
fn alone(file: BrowserFile) -> Result<Volume, String> {
    let mut catalog = read_study(vec![file], &Limits::default());
    if let Some(refused) = catalog.ledger.refused().next() {
        return Err(format!("This is no label map: {}", refused.1));
    }
    catalog.volume(0).map_err(|e| format!("This is no label map: {e}"))
}

/// By the browser's clock, as DICOM writes it.
fn now() -> Moment {
    let now = js_sys::Date::new_0();
    Moment {
        date: format!("{:04}{:02}{:02}", now.get_full_year(), now.get_month() + 1, now.get_date()),
        time: format!("{:02}{:02}{:02}", now.get_hours(), now.get_minutes(), now.get_seconds()),
    }
}
