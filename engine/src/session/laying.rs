//! DICOM Segmentations among the opened files: laid over the series they refer to, once, when that is there.
//!
//! Nothing that the reader drew is replaced and nothing that was closed comes back by itself: there the segmentation
//! waits in the study list for a press.

use std::collections::{HashMap, HashSet};

use imaging::{Catalog, FileId};
use protocol::segmentation::Told;
use protocol::{Event, SeriesId};
use segmentation::dicom::{SegError, Segmentation, belonging};

use super::Session;
use super::loading::Origin;
use super::scoring::GONE;
use crate::blob::BrowserFile;
use crate::link;
use crate::segmentation::Labelling;

/// See the module.
#[derive(Default)]
pub struct Laying {
    /// Of the newest catalog.
    found: Vec<Segmentation>,
    /// What was laid over a series, or was not and told: neither is done twice.
    done: HashSet<(FileId, SeriesId)>,
    /// Those whose images are not there, told once.
    told: HashSet<FileId>,
    /// Label maps of series whose volume made room: they come back with it.
    aside: HashMap<SeriesId, Labelling>,
}

impl Laying {
    pub fn found(&self) -> &[Segmentation] {
        &self.found
    }

    /// Looks for segmentations in a new catalog.
    pub fn find(&mut self, catalog: &Catalog<BrowserFile>) {
        self.found = belonging(catalog);
    }

    /// The entries of the catalog that lie over others and do not open by themselves, and those of them that are not
    /// listed, because one entry stands for all segments of an object.
    pub fn rows(&self) -> (HashSet<usize>, HashSet<usize>) {
        let lying = || self.found.iter().filter(|s| !s.onto.is_empty());
        let all = lying().flat_map(|s| s.rows.iter().copied()).collect();
        (all, lying().flat_map(|s| s.rows.iter().skip(1).copied()).collect())
    }

    /// Forgets what belonged to series that are gone or have got more slices.
    pub fn keep(&mut self, same: &[SeriesId]) {
        self.done.retain(|(_, series)| same.contains(series));
        self.aside.retain(|series, _| same.contains(series));
    }

    pub fn put_aside(&mut self, series: SeriesId, labelling: Labelling) {
        self.aside.insert(series, labelling);
    }

    pub fn take_back(&mut self, series: SeriesId) -> Option<Labelling> {
        self.aside.remove(&series)
    }
}

impl Session {
    /// Tells of segmentations whose images are not there.
    pub(super) fn tell_orphans(&mut self) {
        let orphans = self.laying.found.iter().filter(|s| s.onto.is_empty()).map(|s| s.file);
        let fresh: Vec<FileId> = orphans.filter(|file| !self.laying.told.contains(file)).collect();
        if fresh.is_empty() {
            return;
        }
        let (what, them) = match fresh.len() {
            1 => ("A segmentation was opened whose images are".to_owned(), "it is"),
            n => (format!("{n} segmentations were opened whose images are"), "they are"),
        };
        self.laying.told.extend(fresh);
        link::problem(&format!(
            "{what} not here. Open that series too, and {them} laid over it; or lay a file over another series with Open labels."
        ));
    }

    /// Lays what belongs to a complete series over it, once.
    pub(super) fn lay_over(&mut self, series: SeriesId) {
        let Some(index) = self.index_of(series) else { return };
        let waiting: Vec<(FileId, bool)> = self
            .laying
            .found
            .iter()
            .filter(|s| s.onto.contains(&index) && !self.laying.done.contains(&(s.file, series)))
            .map(|s| (s.file, s.onto.len() == 1))
            .collect();
        for (file, only) in waiting {
            let Ok(at) = self.position_complete(series) else { return };
            self.laying.done.insert((file, series));
            if self.loaded[at].labelling.is_some() {
                let notice = format!(
                    "A segmentation belongs to {}, which has labels already. Close those to lay it over: it stands in the study list.",
                    self.called(index)
                );
                self.tell_labels(series, Some(notice));
                continue;
            }
            match self.read_over(at, file) {
                // Another stack of the series has it.
                Err(SegError::Elsewhere) if !only => {}
                Err(why) => {
                    link::problem(&format!(
                        "A segmentation of {} was not laid over it: {why}",
                        self.called(index)
                    ));
                }
                Ok(labelling) => {
                    let labels = match labelling.label_count() {
                        1 => "1 label".to_owned(),
                        n => format!("{n} labels"),
                    };
                    self.loaded[at].labelling = Some(labelling);
                    self.stale = true;
                    let notice = format!(
                        "A segmentation with {labels} was laid over {}. The cross beside Labels takes it off.",
                        self.called(index)
                    );
                    self.tell_labels(series, Some(notice));
                }
            }
        }
    }

    /// Lays an entry of the study list over a series, as the reader asks.
    pub(super) fn lay(&mut self, at: usize, segmentation: SeriesId) -> Result<(), String> {
        let row = self.index_of(segmentation).ok_or(GONE)?;
        let file = self.laying.found.iter().find(|s| s.rows.contains(&row)).map(|s| s.file);
        let file = file.ok_or("This entry of the list is no segmentation. Open it as an image.")?;
        if self.loaded[at].labelling.is_some() {
            return Err("The series has labels already. Keep and close them first.".into());
        }
        let labelling = self.read_over(at, file).map_err(|e| e.to_string())?;
        self.laying.done.insert((file, self.loaded[at].series));
        self.loaded[at].labelling = Some(labelling);
        Ok(())
    }

    fn read_over(&self, at: usize, file: FileId) -> Result<Labelling, SegError> {
        let (loaded, catalog) = (&self.loaded[at], self.catalog.as_ref().ok_or(SegError::NoSource)?);
        let item = catalog.item(file).ok_or(SegError::NoSource)?;
        let series = self.index_of(loaded.series).and_then(|index| catalog.series.get(index));
        Labelling::of_segmentation(loaded.volume(), item, series.map(|s| s.frame_of_reference_uid.as_str()))
    }

    /// Tells the page how the labels of a series are.
    pub(super) fn tell_labels(&self, series: SeriesId, notice: Option<String>) {
        let outcome = Ok(self.find(series).and_then(|l| Some(l.labelling.as_ref()?.told(l.volume()))));
        link::send(&Event::Segmentation(Told { series, outcome, notice }));
    }

    /// A series in a sentence, without a name of anybody.
    fn called(&self, index: usize) -> String {
        let series = self.catalog.as_ref().and_then(|c| c.series.get(index));
        series.and_then(|s| s.number).map_or_else(|| "its images".to_owned(), |n| format!("series {n}"))
    }

    /// Label maps of volumes that make room are kept: `stays` says which volumes do not.
    pub(super) fn put_labels_aside(&mut self, stays: &[SeriesId]) {
        for loaded in self.loaded.iter_mut().filter(|l| matches!(l.origin, Origin::Files(_))) {
            if !stays.contains(&loaded.series)
                && let Some(labelling) = loaded.labelling.take()
            {
                self.laying.put_aside(loaded.series, labelling);
            }
        }
    }
}
