//! What the scans of one session have read: files, headers, and the way to the bytes.
//!
//! A later scan goes on from it, so that a series whose other half comes later is grouped as a whole. It is
//! shared with loaders and cheap to clone, because everything large in it is shared.

use std::collections::{BTreeMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex};

use crate::Source;
use crate::archive::ArchiveLimits;
use crate::group::Instance;
use crate::header::InstanceHeader;
use crate::item::Item;
use crate::ledger::{Fate, FileId, InstanceLedger};
use crate::nifti::NiftiFile;
use crate::raster::RasterFile;

/// Pieces in which two files are compared.
const PIECE: usize = 1 << 20;

/// A DICOM object that is no picture.
#[derive(Clone)]
pub(crate) struct Object {
    pub file: FileId,
    pub header: Arc<InstanceHeader>,
    pub reason: String,
}

/// See the module.
pub(crate) struct Store<S> {
    /// By [`FileId`].
    pub items: Vec<Item<S>>,
    pub instances: Vec<Arc<Instance>>,
    pub without_picture: Vec<Object>,
    pub nifti: Vec<NiftiFile>,
    pub rasters: Vec<RasterFile>,
    pub archive_limits: ArchiveLimits,
    /// Uncompressed length of all entries of archives.
    pub entry_bytes: u64,
    /// Files that loading could not decode. Shared by the scans of a session, because a series may fail while a later
    /// scan is under way, and that scan must not call its files used.
    pub broken: Arc<Mutex<BTreeMap<FileId, String>>>,
}

impl<S> Store<S> {
    pub(crate) fn new(archive_limits: ArchiveLimits) -> Self {
        Self {
            items: Vec::new(),
            instances: Vec::new(),
            without_picture: Vec::new(),
            nifti: Vec::new(),
            rasters: Vec::new(),
            archive_limits,
            entry_bytes: 0,
            broken: Arc::default(),
        }
    }
}

// Derived, it would ask for sources that can be cloned.
impl<S> Clone for Store<S> {
    fn clone(&self) -> Self {
        Self {
            items: self.items.clone(),
            instances: self.instances.clone(),
            without_picture: self.without_picture.clone(),
            nifti: self.nifti.clone(),
            rasters: self.rasters.clone(),
            archive_limits: self.archive_limits,
            entry_bytes: self.entry_bytes,
            broken: Arc::clone(&self.broken),
        }
    }
}

impl<S: Source> Store<S> {
    /// Takes out what is there twice, except for pictures, which grouping compares. `before`: how many files an
    /// earlier scan has looked at already.
    pub(crate) fn drop_copies(&mut self, before: usize, ledger: &mut InstanceLedger) {
        let mut seen = HashSet::new();
        self.without_picture.retain(|object| {
            let uid = object.header.sop_instance_uid.clone();
            let first = uid.is_empty() || seen.insert((object.header.series_uid.clone(), uid));
            if !first {
                let reason = "Duplicate: an earlier file has the same SOP Instance UID (0008,0018).";
                ledger.settle(object.file, Fate::Shown(reason.into()));
            }
            first
        });
        let items = &self.items;
        let fresh = |file: FileId| file.0 as usize >= before;
        let mut known: Vec<[FileId; 2]> = Vec::new();
        let mut first_of_its_kind = |files: [FileId; 2]| {
            let twin = |other: &[FileId; 2]| (0..2).all(|i| same_file(items, other[i], files[i]));
            let copy = files.iter().all(|file| fresh(*file)) && known.iter().any(twin);
            if copy {
                let reason = "Duplicate: an earlier file has the same path and the same content.";
                files.iter().for_each(|file| ledger.settle(*file, Fate::Shown(reason.into())));
            } else {
                known.push(files);
            }
            !copy
        };
        self.nifti.retain(|nifti| first_of_its_kind(nifti.files(items)));
        self.rasters.retain(|raster| first_of_its_kind([raster.file; 2]));
    }
}

/// Whether two files are the same. Only files of the same path are read: whoever opens a folder again opens the same
/// paths, and a folder full of volumes of one length is not compared each with each.
fn same_file<S: Source>(items: &[Item<S>], a: FileId, b: FileId) -> bool {
    let (Some(a), Some(b)) = (items.get(a.0 as usize), items.get(b.0 as usize)) else { return false };
    // A file that cannot be read any more is not known to be the same.
    a.name() == b.name() && a.len() == b.len() && same_bytes(a, b).unwrap_or(false)
}

fn same_bytes(a: &impl Source, b: &impl Source) -> io::Result<bool> {
    let (mut left, mut right) = (vec![0; PIECE], vec![0; PIECE]);
    let mut at = 0;
    while at < a.len() {
        let (n, m) = (a.read_at(at, &mut left)?, b.read_at(at, &mut right)?);
        if n == 0 || n != m || left[..n] != right[..n] {
            return Ok(false);
        }
        at += n as u64;
    }
    Ok(true)
}
