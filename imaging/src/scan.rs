//! From received files to a [`Catalog`], one file a step and headers only.
//!
//! Each file goes through a short chain of questions (empty? archive? picture? NIfTI? DICOM?); whoever
//! knows it takes it, and what nobody knows is refused with a reason.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use dicom_core::Tag;

use crate::Source;
use crate::archive::{Archive, ArchiveLimits, gunzip, looks_like_zip};
use crate::catalog::Catalog;
use crate::dicom::{self, DicomError, DicomFile, PixelReader, SampleKind};
use crate::group::{self, Instance};
use crate::header::{self, PixelLayout};
use crate::item::Item;
use crate::ledger::{Fate, FileId, InstanceLedger};
use crate::limits::Limits;
use crate::list::Lister;
use crate::nifti;
use crate::raster;
use crate::source::Buffer;
use crate::store::{Object, Store};
use crate::thumbnail::Thumbnail;

/// Media Storage Directory
const DICOMDIR: &str = "1.2.840.10008.1.3.10";

/// How far a scan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScanStep {
    /// Files whose fate or header is known.
    pub files_done: usize,
    /// Files known so far; grows when an archive is opened.
    pub files_total: usize,
    /// Length of the files done.
    pub bytes_done: u64,
    /// Length of all files known so far.
    pub bytes_total: u64,
}

/// Reads headers, one file a step.
pub struct Scanner<S> {
    queue: VecDeque<(FileId, u32)>,
    ledger: InstanceLedger,
    store: Store<S>,
    limits: Limits,
    /// Files that earlier scans have looked at.
    before: usize,
    progress: ScanStep,
}

impl<S: Source> Scanner<S> {
    /// Takes the files; nothing is read yet.
    pub fn new(sources: Vec<S>, limits: Limits) -> Self {
        Self::with_archive_limits(sources, limits, ArchiveLimits::default())
    }

    /// As [`Scanner::new`], with other bounds for archives.
    pub fn with_archive_limits(sources: Vec<S>, limits: Limits, archive_limits: ArchiveLimits) -> Self {
        let mut scanner = Self {
            queue: VecDeque::new(),
            ledger: InstanceLedger::default(),
            store: Store::new(archive_limits),
            limits,
            before: 0,
            progress: ScanStep::default(),
        };
        scanner.add(sources);
        scanner
    }

    /// Goes on from what an earlier scan found: everything is grouped together when this one ends, and the ledger
    /// counts the files of both. The earlier catalog stays as it is.
    pub fn after(earlier: &Catalog<S>, sources: Vec<S>) -> Self {
        let mut scanner = Self {
            queue: VecDeque::new(),
            ledger: earlier.ledger.clone(),
            store: Store::clone(&earlier.store),
            limits: earlier.limits,
            before: earlier.store.items.len(),
            progress: ScanStep::default(),
        };
        scanner.add(sources);
        scanner
    }

    /// More files, to be read after those that are waiting.
    pub fn add(&mut self, sources: Vec<S>) {
        for source in sources {
            self.receive(Item::File(Arc::new(source)), 0);
        }
    }

    /// The files given directly that will be read next, so that their beginnings can be fetched ahead.
    pub fn upcoming(&self, count: usize) -> impl Iterator<Item = &S> {
        self.queue.iter().take(count).filter_map(|(file, _)| match self.store.items.get(file.0 as usize) {
            Some(Item::File(source)) => Some(&**source),
            _ => None,
        })
    }

    fn receive(&mut self, item: Item<S>, depth: u32) -> FileId {
        let file = self.ledger.receive(item.name());
        self.progress.files_total += 1;
        self.progress.bytes_total += item.len();
        self.store.items.push(item);
        self.queue.push_back((file, depth));
        file
    }

    /// Reads the next file's header; `None` when all are done.
    pub fn step(&mut self) -> Option<ScanStep> {
        let (file, depth) = self.queue.pop_front()?;
        let item = self.store.items[file.0 as usize].clone();
        if let Some(fate) = self.look(file, &item, depth) {
            self.ledger.settle(file, fate);
        }
        self.progress.files_done += 1;
        self.progress.bytes_done += item.len();
        Some(self.progress)
    }

    /// A picture of the file in the middle of those that wait, with at most `side` pixels a side: what a person can
    /// look at while thousands of headers are read. `None` where that file has no picture of its own.
    pub fn preview(&self, side: u32) -> Option<Thumbnail> {
        let (file, depth) = self.queue.get(self.queue.len() / 2)?;
        // On its own, so that it changes nothing here.
        let mut alone = Self::new(Vec::new(), self.limits);
        alone.receive(self.store.items.get(file.0 as usize)?.clone(), *depth);
        alone.step();
        alone.finish().thumbnail(0, side).ok()?
    }

    /// How far the scan is.
    pub fn progress(&self) -> ScanStep {
        self.progress
    }

    /// The fate of a file that is known already; a picture's is known after grouping.
    fn look(&mut self, file: FileId, item: &Item<S>, depth: u32) -> Option<Fate> {
        if item.is_empty() {
            return Some(Fate::Refused("The file is empty.".into()));
        }
        let mut head = vec![0; 1024];
        let n = match item.read_at(0, &mut head) {
            Ok(n) => n,
            Err(error) => {
                let error = error.to_string();
                let error = error.trim_end_matches('.');
                return Some(Fate::Refused(format!("Could not read the file: {error}.")));
            }
        };
        head.truncate(n);
        if looks_like_zip(&head) {
            return Some(self.open_archive(item, depth));
        }
        if let Some(kind) = raster::kind(&head) {
            return match raster::read_header(file, item, kind, &self.limits) {
                Ok(raster) => {
                    self.store.rasters.push(raster);
                    None
                }
                Err(error) => Some(Fate::Refused(error.to_string())),
            };
        }
        if head.starts_with(&[0x1f, 0x8b]) {
            return self.open_gzip(file, item, &head, depth);
        }
        if nifti::looks_like_nifti(&head) {
            return self.take_nifti(file, item, false);
        }
        if dicom::looks_like_dicom(&head) {
            return self.take_dicom(file, item);
        }
        // A pair's data file says nothing of itself; `finish` finds it by its header's name.
        let name = item.name().to_ascii_lowercase();
        let reason = if name.ends_with(".img") {
            "Not a DICOM, NIfTI, PNG or JPEG file, and no .hdr file lies beside it."
        } else {
            "Not a DICOM, NIfTI, PNG or JPEG file."
        };
        Some(Fate::Refused(reason.into()))
    }

    fn open_archive(&mut self, item: &Item<S>, depth: u32) -> Fate {
        if depth >= self.store.archive_limits.max_depth {
            return Fate::Refused(format!(
                "The archive lies in {depth} other archives; only {} are opened. Unpack it first.",
                self.store.archive_limits.max_depth
            ));
        }
        // Entries of an archive inside an archive would inflate it again for every read.
        let whole = match item {
            Item::Entry { archive, index, name, .. } => match archive.entry(*index) {
                Ok(bytes) => Item::Bytes { name: Arc::clone(name), bytes },
                Err(error) => return Fate::Refused(format!("The archive's entry cannot be read: {error}.")),
            },
            other => other.clone(),
        };
        let (archive, listed) = match Archive::open(whole, self.store.archive_limits) {
            Ok(opened) => opened,
            Err(error) => return Fate::Refused(error.to_string()),
        };
        let archive = Arc::new(archive);
        let entries = listed.len();
        for entry in listed {
            let name: Arc<str> = format!("{}/{}", item.name(), entry.name).into();
            let over = (self.ledger.entries().len() as u64 >= self.store.archive_limits.max_entries)
                .then(|| format!("More than {} files were received.", self.store.archive_limits.max_entries))
                .or_else(|| {
                    let total = self.store.entry_bytes.saturating_add(entry.len);
                    (total > self.store.archive_limits.max_total_bytes).then(|| {
                        format!(
                            "The archives hold more than {} bytes. Unpack them and load the folder.",
                            self.store.archive_limits.max_total_bytes
                        )
                    })
                });
            let item =
                Item::Entry { archive: Arc::clone(&archive), index: entry.index, len: entry.len, name };
            let file = self.receive(item, depth + 1);
            match entry.refused.or(over) {
                Some(reason) => {
                    // Settled here; the queue must not look at it again.
                    self.queue.pop_back();
                    self.progress.files_done += 1;
                    self.progress.bytes_done += entry.len;
                    self.ledger.settle(file, Fate::Refused(reason));
                }
                None => self.store.entry_bytes += entry.len,
            }
        }
        Fate::Container(format!("Zip archive with {entries} files."))
    }

    fn open_gzip(&mut self, file: FileId, item: &Item<S>, head: &[u8], depth: u32) -> Option<Fate> {
        if nifti::gzip_holds_nifti(head) {
            return self.take_nifti(file, item, true);
        }
        if depth >= self.store.archive_limits.max_depth {
            return Some(Fate::Refused("The gzip file lies in too many archives. Unpack it first.".into()));
        }
        match gunzip(item, &self.store.archive_limits) {
            Ok(bytes) => {
                let name = item.name();
                let inner = name.strip_suffix(".gz").unwrap_or(name);
                let name: Arc<str> = format!("{name}/{}", inner.rsplit('/').next().unwrap_or(inner)).into();
                self.receive(Item::Bytes { name, bytes: bytes.into() }, depth + 1);
                Some(Fate::Container("Gzip file.".into()))
            }
            Err(reason) => Some(Fate::Refused(reason)),
        }
    }

    fn take_nifti(&mut self, file: FileId, item: &Item<S>, gzip: bool) -> Option<Fate> {
        match nifti::read_header(file, item, gzip, &self.limits) {
            Ok(found) => {
                self.store.nifti.push(found);
                None
            }
            Err(error) => Some(Fate::Refused(error.to_string())),
        }
    }

    fn take_dicom(&mut self, file: FileId, item: &Item<S>) -> Option<Fate> {
        let mut dicom = match dicom::read_header(item, &self.limits) {
            Ok(dicom) => dicom,
            Err(error) => return Some(Fate::Refused(error.to_string())),
        };
        let media = dicom.meta.get(Tag(0x0002, 0x0002)).and_then(|e| e.to_str().ok());
        let is_directory = media.is_some_and(|uid| uid.trim_end_matches(['\0', ' ']) == DICOMDIR);
        if is_directory || dicom.object.get(Tag(0x0004, 0x1220)).is_some() {
            let reason = "DICOMDIR: a list of files. The files themselves are read instead.";
            return Some(Fate::Shown(reason.into()));
        }
        if dicom.pixel_data.is_none() {
            let mut header = header::read(&dicom.object, None, 0);
            header.transfer_syntax = dicom.transfer_syntax.name.to_owned();
            header.transfer_syntax_uid = dicom.transfer_syntax.uid.clone();
            let what = if header.modality.is_empty() { "Object" } else { header.modality.as_str() };
            let reason = format!("{what} without a picture.");
            let header = Arc::new(header);
            self.store.without_picture.push(Object { file, header, reason: reason.clone() });
            return Some(Fate::Shown(reason));
        }
        let format = match dicom.pixel_format(&self.limits) {
            Ok(format) => format,
            Err(error) => return Some(Fate::Refused(error.to_string())),
        };
        if let Some(error) = unsupported(item, &dicom, &self.limits) {
            return Some(Fate::Refused(error.to_string()));
        }
        let layout = PixelLayout {
            columns: format.columns,
            rows: format.rows,
            samples_per_pixel: format.samples_per_pixel as u16,
            bits_allocated: format.bits_allocated as u16,
            bits_stored: format.bits_stored as u16,
            signed: format.signed,
            float: format.kind != SampleKind::Integer,
            photometric: format.photometric,
        };
        let mut header = header::read(&dicom.object, Some(layout), format.frames);
        header.transfer_syntax = dicom.transfer_syntax.name.to_owned();
        header.transfer_syntax_uid = dicom.transfer_syntax.uid.clone();
        if dicom.transfer_syntax.lossy && header.lossy.is_none() {
            header.lossy = Some(format!("lossy ({})", dicom.transfer_syntax.name));
        }
        header.warnings.append(&mut dicom.warnings);
        // Decoding asks for the image pixel module and the offset tables; the rest of thousands of headers
        // would be memory for nothing.
        dicom.object.retain(|e| matches!(e.header().tag.0, 0x0028 | 0x7fe0));
        let dicom = Arc::new(dicom);
        self.store.instances.push(Arc::new(Instance { file, bytes: item.len(), header, dicom }));
        None
    }

    /// Groups what was read. Files that were not reached (a cancelled scan) are refused as such.
    pub fn finish(mut self) -> Catalog<S> {
        for (file, _) in std::mem::take(&mut self.queue) {
            self.ledger.settle(file, Fate::Refused("Not read: reading was cancelled.".into()));
        }
        let mut lister = Lister::default();
        let mut store = self.store;
        store.drop_copies(self.before, &mut self.ledger);
        let grouping = group::group(&store.instances);
        for (file, fate) in &grouping.fates {
            self.ledger.settle(*file, fate.clone());
        }
        lister.stacks(&grouping, &store.instances);
        for object in &store.without_picture {
            lister.without_picture(object.file, &object.header, &object.reason);
        }
        for nifti in &store.nifti {
            nifti::list(nifti.clone(), &store.items, &mut self.ledger, &mut lister);
        }
        for raster in &store.rasters {
            raster::list(raster, &mut self.ledger, &mut lister);
        }
        for (file, reason) in store.broken.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if self.ledger.fate(*file) == Some(&Fate::Used) {
                self.ledger.settle(*file, Fate::Refused(reason.clone()));
            }
        }
        lister.sort();
        let mut warnings = Vec::new();
        if let Err(error) = self.ledger.check() {
            warnings.push(error.to_string());
        }
        Catalog {
            studies: lister.studies,
            series: lister.series,
            ledger: self.ledger,
            warnings,
            store: Arc::new(store),
            limits: self.limits,
        }
    }
}

/// The error of a transfer syntax that no codec here decodes, or of plain pixels that are not all there: found without
/// reading a pixel.
fn unsupported<S: Source>(item: &Item<S>, dicom: &DicomFile, limits: &Limits) -> Option<DicomError> {
    let nothing = Buffer { name: String::new(), bytes: Vec::new() };
    // Plain pixels are measured without being read. Others would have to be inflated or searched for fragments;
    // what they lack is told when they are loaded.
    let plain = dicom.transfer_syntax.is_plain();
    let source: &dyn Source = if plain { item } else { &nothing };
    match PixelReader::open(source, dicom, limits) {
        Err(error @ DicomError::UnsupportedSyntax { .. }) => Some(error),
        Err(error @ DicomError::Truncated { .. }) if plain => Some(error),
        _ => None,
    }
}

/// Scans all files at once.
pub fn read_study<S: Source>(sources: Vec<S>, limits: &Limits) -> Catalog<S> {
    let mut scanner = Scanner::new(sources, *limits);
    while scanner.step().is_some() {}
    scanner.finish()
}
