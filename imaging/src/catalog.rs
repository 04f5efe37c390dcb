//! What was found in the files: studies, their series, and the account of every file.
//!
//! The catalog owns the way to the bytes; a [`VolumeLoader`] takes what it needs along, so that loading
//! goes on while a newer scan replaces the catalog.

use std::sync::{Arc, PoisonError};

use scene::{Grid, Window};

use crate::Source;
use crate::dicom::DicomFile;
use crate::group::{FrameRef, Stack};
use crate::header::{Acquisition, InstanceHeader};
use crate::item::Item;
use crate::ledger::{Fate, FileId, InstanceLedger};
use crate::limits::Limits;
use crate::load::{LoadError, VolumeLoader};
use crate::nifti::NiftiHeader;
use crate::store::Store;
use crate::thumbnail::{Thumbnail, initial_window, thumbnail};
use crate::volume::Volume;

/// Everything that a scan found.
pub struct Catalog<S> {
    /// In the order of arrival.
    pub studies: Vec<Study>,
    /// By study, series number and place in the series.
    pub series: Vec<Series>,
    /// What became of every file.
    pub ledger: InstanceLedger,
    /// About the whole, not one series.
    pub warnings: Vec<String>,
    pub(crate) store: Arc<Store<S>>,
    pub(crate) limits: Limits,
}

/// A patient's examination, or a file that knows of none.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Study {
    /// (0020,000D); empty for files without one.
    pub uid: String,
    /// In display form.
    pub patient_name: String,
    /// (0010,0020)
    pub patient_id: String,
    /// (0008,1030)
    pub description: String,
    /// `YYYY-MM-DD`, or empty.
    pub date: String,
}

/// One stack of a DICOM series, one NIfTI file, or one picture: what a [`Volume`] holds.
#[derive(Clone, Debug)]
pub struct Series {
    /// Index in [`Catalog::studies`].
    pub study: usize,
    /// (0020,000E); the stacks of a series share it. Empty for other files.
    pub uid: String,
    /// (0008,0060), or `NIfTI`, `PNG`, `JPEG`.
    pub modality: String,
    /// (0008,103E)
    pub description: String,
    /// (0020,0011)
    pub number: Option<i32>,
    /// From 1, and the number of stacks in this series.
    pub stack: (u32, u32),
    /// Files that carry its pixels.
    pub instances: u32,
    /// Columns, rows, slices; zeros where nothing can be displayed.
    pub dims: [u32; 3],
    /// 1 for 3D.
    pub time_points: u32,
    /// Seconds from the first time point; empty for 3D and unknown times.
    pub times_s: Vec<f64>,
    /// What told the time points apart.
    pub time_rule: Option<String>,
    /// Where it lies; `None` where nothing can be displayed.
    pub grid: Option<Grid>,
    /// Frame of Reference UID (0020,0052): series of one lie in one space. Empty where none is known.
    pub frame_of_reference_uid: String,
    /// Name of the transfer syntax, or the other format.
    pub transfer_syntax: String,
    /// Transfer Syntax UID (0002,0010); empty for other formats.
    pub transfer_syntax_uid: String,
    /// Of the values; empty when the header names none.
    pub unit: String,
    /// Red, green and blue.
    pub colour: bool,
    /// Low values are bright.
    pub monochrome1: bool,
    /// Windows of the header with their explanation.
    pub windows: Vec<(String, Window)>,
    /// How the pixels were compressed with loss, in words.
    pub lossy: Option<String>,
    /// Patient and study, for the top left corner.
    pub corner_left: Vec<String>,
    /// Series and acquisition, for the top right corner.
    pub corner_right: Vec<String>,
    /// How it was acquired; empty for other files than DICOM.
    pub acquisition: Acquisition,
    /// What a reader must know, with values.
    pub warnings: Vec<String>,
    /// False for what is listed but has no picture (reports, plans).
    pub displayable: bool,
    pub(crate) content: Content,
}

/// Where the voxels of a series come from.
#[derive(Clone, Debug)]
pub(crate) enum Content {
    Dicom(Arc<Stack>),
    Nifti {
        /// Which file holds the voxels (the `.img` of a pair).
        data: FileId,
        header: Arc<NiftiHeader>,
    },
    Raster {
        file: FileId,
    },
    /// Reports, plans and other objects.
    Nothing {
        file: FileId,
    },
}

/// The image of one slice at one time point.
#[derive(Clone, Copy, Debug)]
pub struct SlotFrame<'a> {
    /// In the ledger.
    pub file: FileId,
    /// From 0, within its file.
    pub frame: usize,
    /// Of its file.
    pub header: &'a InstanceHeader,
}

impl<S: Source> Catalog<S> {
    /// Starts loading a series: allocates its volume, reads nothing yet.
    pub fn loader(&self, series: usize) -> Result<VolumeLoader<S>, LoadError> {
        let series = self.series.get(series).ok_or(LoadError::NoSuchSeries(series))?;
        VolumeLoader::new(series, Arc::clone(&self.store), self.limits)
    }

    /// Loads a series at once. What could not be decoded is entered in the ledger.
    pub fn volume(&mut self, series: usize) -> Result<Volume, LoadError> {
        let mut loader = self.loader(series)?;
        let result = loop {
            match loader.step() {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        self.refuse(loader.failures());
        result.map(|()| loader.finish())
    }

    /// A small picture of the middle slice, at most `side` pixels wide and high, from that one slice alone.
    /// `None` where a slice is not to be had without the rest of its file: draw the loaded volume then.
    pub fn thumbnail(&self, series: usize, side: u32) -> Result<Option<Thumbnail>, LoadError> {
        let series = self.series.get(series).ok_or(LoadError::NoSuchSeries(series))?;
        let Content::Dicom(stack) = &series.content else { return Ok(None) };
        let Some(middle) = stack.middle() else { return Err(LoadError::NoPicture) };
        let [columns, rows, _] = stack.grid.dims();
        let whole = &stack.grid;
        let one = Grid::new([columns, rows, 1], whole.world_from_voxel(), whole.length_unit, whole.frame);
        let Ok(grid) = one else { return Err(LoadError::NoPicture) };
        let one = Stack {
            slots: vec![Some(middle)],
            grid,
            time_points: 1,
            times_s: Vec::new(),
            ..(**stack).clone()
        };
        let one = Series { content: Content::Dicom(Arc::new(one)), ..series.clone() };
        let mut loader = VolumeLoader::new(&one, Arc::clone(&self.store), self.limits)?;
        while loader.step()?.is_some() {}
        let range = loader.range();
        let volume = loader.finish();
        Ok(Some(thumbnail(&volume, 0, 0, &initial_window(&volume, range), side)))
    }

    /// Enters files that could not be decoded (see [`VolumeLoader::failures`]) in the ledger.
    pub fn refuse(&mut self, failures: &[(FileId, String)]) {
        for (file, reason) in failures {
            self.ledger.settle(*file, Fate::Refused(reason.clone()));
        }
        let mut broken = self.store.broken.lock().unwrap_or_else(PoisonError::into_inner);
        broken.extend(failures.iter().cloned());
    }

    /// Path of a file of the ledger.
    pub fn item(&self, file: FileId) -> Option<&Item<S>> {
        self.store.items.get(file.0 as usize)
    }

    /// Every DICOM file with pixels, duplicates included, in the order of arrival.
    pub fn dicom_files(&self) -> impl Iterator<Item = (FileId, &Item<S>, &DicomFile)> {
        self.store.instances.iter().map(|i| (i.file, &self.store.items[i.file.0 as usize], &*i.dicom))
    }

    /// The image behind every place of a DICOM series, by time point, then slice; empty for other files.
    pub fn frames(&self, series: usize) -> Vec<Option<SlotFrame<'_>>> {
        let Some(Series { content: Content::Dicom(stack), .. }) = self.series.get(series) else {
            return Vec::new();
        };
        let of = |at: &FrameRef| {
            let instance = &self.store.instances[at.instance];
            SlotFrame { file: instance.file, frame: at.frame, header: &instance.header }
        };
        stack.slots.iter().map(|slot| slot.as_ref().map(of)).collect()
    }

    /// Files of a series, in slot order, each once.
    pub fn files(&self, series: usize) -> Vec<FileId> {
        let Some(series) = self.series.get(series) else { return Vec::new() };
        match &series.content {
            Content::Dicom(stack) => {
                let mut seen = std::collections::HashSet::new();
                let frames = stack.slots.iter().flatten();
                let files = frames.map(|f| self.store.instances[f.instance].file);
                files.filter(|f| seen.insert(*f)).collect()
            }
            Content::Nifti { data, .. } => vec![*data],
            Content::Raster { file } => vec![*file],
            Content::Nothing { .. } => Vec::new(),
        }
    }
}
