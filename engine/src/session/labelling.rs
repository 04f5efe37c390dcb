//! About the label map of a loaded series: what the page asks, and what it is told.

use protocol::segmentation::{Ask, Told};
use protocol::{Event, SeriesId};
use web_sys::File;

use super::Session;
use super::scoring::GONE;
use crate::blob::BrowserFile;
use crate::link;
use crate::segmentation::{Kept, Labelling};

impl Session {
    /// Does what the page asks of a label map, and tells it how the labels are now.
    pub(super) fn about_labels(
        &mut self,
        series: SeriesId,
        ask: Ask,
        files: &[File],
        labels: Option<Vec<u8>>,
    ) {
        let outcome = self.do_with_labels(series, ask, files, labels);
        match outcome {
            // A file for the user: the labels have not changed.
            Ok(Some((query, Kept { name, mime, bytes }))) => {
                link::send(&Event::File { query, name: name.into(), mime: mime.into(), bytes });
            }
            Ok(None) => self.tell_labels(series, None),
            Err(why) => link::send(&Event::Segmentation(Told { series, outcome: Err(why), notice: None })),
        }
    }

    fn do_with_labels(
        &mut self,
        series: SeriesId,
        ask: Ask,
        files: &[File],
        labels: Option<Vec<u8>>,
    ) -> Result<Option<(u32, Kept)>, String> {
        if let Ask::Close = ask {
            if let Some(loaded) = self.loaded.iter_mut().find(|l| l.series == series) {
                loaded.labelling = None;
            }
            return Ok(None);
        }
        let at = self.position_complete(series)?;
        if let Ask::Lay { segmentation } = ask {
            self.stale = true;
            return self.lay(at, segmentation).map(|()| None);
        }
        let loaded = &mut self.loaded[at];
        let volume = loaded.origin.volume();
        match ask {
            Ask::Close | Ask::Lay { .. } => {}
            Ask::Begin => {
                if loaded.labelling.is_none() {
                    loaded.labelling = Some(Labelling::empty(volume)?);
                }
            }
            Ask::Adopt { origin, described } => {
                let voxels = labels.ok_or("No labels came with the message. Reload the page.")?;
                loaded.labelling = Some(Labelling::adopted(volume, voxels, described, origin)?);
            }
            Ask::Open { name } => {
                let file = files.first().ok_or("No file came with the message. Choose it again.")?;
                let file = BrowserFile::new(name, file.clone())
                    .map_err(|_| "The file could not be read. Choose it again.".to_owned())?;
                loaded.labelling = Some(Labelling::read(volume, &file)?);
            }
            Ask::Step { step } => {
                let labelling = loaded
                    .labelling
                    .as_mut()
                    .ok_or("The series has no labels yet. Begin with New labels.")?;
                labelling.step(volume, step)?;
            }
            Ask::Export { query, format } => {
                let index = self.index_of(series).ok_or(GONE)?;
                let catalog = self.catalog.as_ref().ok_or(GONE)?;
                let loaded = &self.loaded[at];
                let labelling = loaded.labelling.as_ref().ok_or("The series has no labels yet.")?;
                let kept = labelling.file(loaded.volume(), catalog, index, format)?;
                return Ok(Some((query, kept)));
            }
        }
        self.stale = true;
        Ok(None)
    }
}
