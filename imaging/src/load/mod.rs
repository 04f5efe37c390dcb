//! From a series to its [`Volume`], one slice a step, the middle one first.
//!
//! The volume is allocated once, in its final type, and filled in place: at no time does memory hold the
//! voxels twice. A slice that cannot be decoded is marked missing and told, the others go on.

mod convert;
mod dicom_job;
mod parallel;
mod range;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::Source;
use crate::catalog::{Content, Series};
use crate::group::outward;
use crate::ledger::FileId;
use crate::limits::Limits;
use crate::nifti::{NiftiError, NiftiJob};
use crate::raster::{self, RasterError};
use crate::store::Store;
use crate::volume::{Volume, Voxels};

pub(crate) use convert::{SliceMut, slice_mut, slices_mut};
use dicom_job::DicomJob;
pub use range::ValueRange;

/// Why a series could not be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// An index outside the catalog.
    #[error("There is no series {0}. Scan the files again.")]
    NoSuchSeries(usize),
    /// Reports, plans and other objects.
    #[error("The series has no picture.")]
    NoPicture,
    /// The memory for the volume was refused.
    #[error(
        "The series needs {bytes} bytes of memory, which could not be had. Close other studies or load fewer slices."
    )]
    Memory {
        /// Size of the volume.
        bytes: u64,
    },
    /// The header promises more voxels than its files can hold.
    #[error(
        "The header describes {bytes} bytes of voxels, but the files can hold at most {most}. The files are damaged."
    )]
    Promise {
        /// Size of the volume.
        bytes: u64,
        /// What the files can hold.
        most: u64,
    },
    /// Not one slice could be decoded.
    #[error("No slice of the series could be decoded. The first one failed with: {0}")]
    NothingDecoded(String),
    /// See [`NiftiError`].
    #[error(transparent)]
    Nifti(#[from] NiftiError),
    /// See [`RasterError`].
    #[error(transparent)]
    Raster(#[from] RasterError),
}

/// One slice more.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// Which time point.
    pub time_index: u32,
    /// Which slice.
    pub slice: u32,
    /// Slices dealt with so far, of `total`.
    pub done: usize,
    /// Slices of all time points.
    pub total: usize,
    /// Why this slice stays empty.
    pub problem: Option<String>,
}

/// Fills a volume slice by slice.
pub struct VolumeLoader<S> {
    volume: Volume,
    job: Job<S>,
    /// Slots still to be filled.
    order: VecDeque<usize>,
    /// Slots that were filled in the same step as an earlier one.
    ready: VecDeque<Placed>,
    done: usize,
    decoded: usize,
    range: ValueRange,
    failures: Vec<(FileId, String)>,
    warnings: Vec<String>,
}

enum Job<S> {
    Dicom(DicomJob<S>),
    Nifti(Box<NiftiJob<S>>),
    Raster,
}

impl<S: Source> VolumeLoader<S> {
    pub(crate) fn new(series: &Series, store: Arc<Store<S>>, limits: Limits) -> Result<Self, LoadError> {
        let mut warnings = Vec::new();
        let (volume, job, order) = match &series.content {
            Content::Dicom(stack) => {
                let (mut volume, job) = DicomJob::new(Arc::clone(stack), store, limits, &mut warnings)?;
                volume.lossy = series.lossy.clone();
                let slices = stack.grid.dims()[2] as usize;
                let order = (0..stack.time_points as usize)
                    .flat_map(|t| outward(slices).map(move |z| t * slices + z))
                    .collect();
                (volume, Job::Dicom(job), order)
            }
            Content::Nifti { data, header } => {
                let item = store.items[data.0 as usize].clone();
                let (volume, job) = NiftiJob::new(*data, item, Arc::clone(header), &mut warnings)?;
                let slots = header.slices();
                // A gzip stream only goes forward; a plain file may be read from the middle.
                let order = if job.sequential() {
                    (0..slots).collect()
                } else {
                    let slices = volume.grid.dims()[2] as usize;
                    (0..slots / slices.max(1))
                        .flat_map(|t| outward(slices).map(move |z| t * slices + z))
                        .collect()
                };
                (volume, Job::Nifti(Box::new(job)), order)
            }
            Content::Raster { file } => {
                let item = &store.items[file.0 as usize];
                let mut volume = raster::read(item, &limits)?;
                volume.lossy = series.lossy.clone();
                (volume, Job::Raster, VecDeque::from([0]))
            }
            Content::Nothing { .. } => return Err(LoadError::NoPicture),
        };
        Ok(Self {
            volume,
            job,
            order,
            ready: VecDeque::new(),
            done: 0,
            decoded: 0,
            range: ValueRange::default(),
            failures: Vec::new(),
            warnings,
        })
    }

    /// Fills the next slice; `None` when all are filled. An error ends the loading.
    pub fn step(&mut self) -> Result<Option<Placed>, LoadError> {
        if let Some(placed) = self.ready.pop_front() {
            return Ok(Some(placed));
        }
        let Some(slot) = self.order.pop_front() else { return Ok(None) };
        match &mut self.job {
            Job::Dicom(job) => {
                // A file with several frames is opened once for a few of them.
                let batch = job.batch(slot, &mut self.order);
                let mut results = Vec::new();
                job.decode(&batch, |slot, decode| {
                    let result = match slice_mut(&mut self.volume.voxels, &self.volume.grid, slot) {
                        Some(out) => decode(out),
                        None => Err("the slice lies outside the volume".into()),
                    };
                    results.push((slot, result));
                });
                for (slot, result) in results {
                    let placed = self.place(slot, result);
                    self.ready.push_back(placed);
                }
            }
            Job::Nifti(job) => {
                let result = match slice_mut(&mut self.volume.voxels, &self.volume.grid, slot) {
                    Some(out) => job.read_slice(slot, out).map_err(|e| e.to_string()),
                    None => Err("the slice lies outside the volume".into()),
                };
                let placed = self.place(slot, result);
                self.ready.push_back(placed);
            }
            Job::Raster => {
                let placed = self.place(slot, Ok(()));
                self.ready.push_back(placed);
            }
        }
        if self.order.is_empty() {
            self.settle()?;
        }
        Ok(self.ready.pop_front())
    }

    /// Books one slot. `Err` is the reason why it stays empty; an empty reason means that no file has it.
    fn place(&mut self, slot: usize, result: Result<(), String>) -> Placed {
        let slices = self.volume.grid.dims()[2] as usize;
        let (time_index, slice) = ((slot / slices) as u32, (slot % slices) as u32);
        self.done += 1;
        let problem = match result {
            Ok(()) => {
                self.decoded += 1;
                let v = &self.volume;
                self.range.add(&v.voxels, &v.grid, slot, v.padding, v.rescale);
                None
            }
            Err(reason) => {
                self.volume.missing.push([time_index, slice]);
                Some(if reason.is_empty() { "No image for this slice.".to_owned() } else { reason })
            }
        };
        Placed { time_index, slice, done: self.done, total: self.total(), problem }
    }

    /// After the last slot: which files gave nothing.
    fn settle(&mut self) -> Result<(), LoadError> {
        self.volume.missing.sort_unstable();
        match &self.job {
            Job::Dicom(job) => {
                self.failures = job.failures();
                self.warnings.extend(job.warnings());
            }
            Job::Nifti(job) => self.failures = job.failures(),
            Job::Raster => {}
        }
        if self.decoded == 0 {
            let first = self.failures.first().map_or("no image", |(_, reason)| reason.as_str());
            return Err(LoadError::NothingDecoded(first.to_owned()));
        }
        Ok(())
    }

    /// The volume as far as it is filled; slices that have not arrived are black.
    pub fn volume(&self) -> &Volume {
        &self.volume
    }

    /// Slices of all time points.
    pub fn total(&self) -> usize {
        self.volume.grid.dims()[2] as usize * self.volume.time_points as usize
    }

    /// Slices dealt with.
    pub fn done(&self) -> usize {
        self.done
    }

    /// Smallest and largest value in `unit` of what has arrived, padding left out; `None` for colour.
    pub fn range(&self) -> Option<(f64, f64)> {
        self.range.values()
    }

    /// As [`VolumeLoader::range`], padding included: what a plain minimum over the pixels gives.
    pub fn range_with_padding(&self) -> Option<(f64, f64)> {
        self.range.all()
    }

    /// Files of which no frame could be decoded, after the last step.
    pub fn failures(&self) -> &[(FileId, String)] {
        &self.failures
    }

    /// What loading found that the header did not say.
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// The volume.
    pub fn finish(self) -> Volume {
        self.volume
    }
}

/// A vector of `n` times `value`, or the error that names its size.
pub(crate) fn filled<T: Copy>(n: usize, value: T) -> Result<Vec<T>, LoadError> {
    /// The vector is copied from its own beginning in pieces that stay in the cache: one memory copy for many values,
    /// where a loop costs a store for each.
    const PIECE: usize = 32 << 10;
    let mut out = Vec::new();
    let bytes = n as u64 * size_of::<T>() as u64;
    out.try_reserve_exact(n).map_err(|_| LoadError::Memory { bytes })?;
    out.resize(n.min(PIECE), value);
    while out.len() < n {
        out.extend_from_within(..PIECE.min(n - out.len()));
    }
    Ok(out)
}

/// Number of voxels over all time points, if it can be counted.
pub(crate) fn voxel_count(dims: [u32; 3], time_points: u32) -> Result<usize, LoadError> {
    let all = dims.iter().chain([&time_points]).try_fold(1u64, |n, d| n.checked_mul(u64::from(*d)));
    match all.and_then(|n| usize::try_from(n).ok()).filter(|n| *n <= isize::MAX as usize / 8) {
        Some(n) => Ok(n),
        None => Err(LoadError::Memory { bytes: all.unwrap_or(u64::MAX) }),
    }
}

/// Voxels of a kind, filled with one value.
pub(crate) fn blank(kind: convert::Kind, n: usize, fill: f64) -> Result<Voxels, LoadError> {
    Ok(match kind {
        convert::Kind::I16 => Voxels::I16(filled(n, fill as i16)?),
        convert::Kind::U16 => Voxels::U16(filled(n, fill as u16)?),
        convert::Kind::F32 | convert::Kind::F32InUnit => Voxels::F32(filled(n, fill as f32)?),
        convert::Kind::Rgba8 => Voxels::Rgba8(filled(n, [0, 0, 0, 255])?),
    })
}

pub(crate) use convert::Kind;
