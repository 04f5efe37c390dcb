//! NIfTI-1 and -2 files, plain, gzipped, or as `.hdr`/`.img` pairs.
//!
//! The header is read here and not by a crate because all data types, both versions and both byte orders
//! must give the affine that nibabel gives, and a stream must stay bounded by what its header promises.

mod affine;
mod header;
mod voxels;
mod write;

use std::io::Read;
use std::sync::Arc;

use crate::Source;
use crate::archive::Borrowed;
use crate::catalog::{Content, Series};
use crate::item::{Cursor, Item};
use crate::ledger::{Fate, FileId, InstanceLedger};
use crate::limits::Limits;
use crate::list::Lister;

pub use header::{DataType, NiftiHeader};
pub(crate) use voxels::NiftiJob;
pub use write::{NiftiVoxels, NiftiWriteError, nifti_bytes};

/// Why a NIfTI file was refused.
#[derive(Debug, thiserror::Error)]
pub enum NiftiError {
    /// The source failed.
    #[error("Could not read the file: {0}. Transfer it again.")]
    Io(#[from] std::io::Error),
    /// Not long enough for a header.
    #[error("The NIfTI header has {0} bytes, 348 or 540 are needed. Transfer the file again.")]
    Short(usize),
    /// An old Analyze file or something else that starts like one.
    #[error("Analyze 7.5 headers say nothing of orientation and are not read. Convert the file to NIfTI.")]
    Analyze,
    /// A data type that is no picture.
    #[error("NIfTI data type {code} ({name}) is not supported. Convert the file to float32.")]
    DataType {
        /// As in the header.
        code: i32,
        /// Its name in the standard.
        name: &'static str,
    },
    /// Dimensions that no file has.
    #[error("The NIfTI header has impossible dimensions: {0}. The file is damaged.")]
    Dimensions(String),
    /// The file cannot hold what the header promises.
    #[error(
        "The NIfTI header promises {expected} bytes of voxels, the file can hold {most}. Transfer the file again."
    )]
    Promise {
        /// By the header.
        expected: u64,
        /// By the length of the file.
        most: u64,
    },
    /// The stream ended.
    #[error(
        "The voxels are truncated: slice {slice} ends after {actual} of {expected} bytes. Transfer the file again."
    )]
    Truncated {
        /// From 0 over all time points.
        slice: usize,
        /// Bytes of a slice.
        expected: usize,
        /// Bytes there.
        actual: usize,
    },
    /// No place or no size.
    #[error("The geometry cannot be used: {0}")]
    Geometry(#[from] scene::GridError),
    /// A header without its data file.
    #[error("The data file of this header ({0}) was not among the files. Load both together.")]
    NoData(String),
}

/// A NIfTI file that was found.
#[derive(Clone)]
pub(crate) struct NiftiFile {
    file: FileId,
    name: String,
    header: NiftiHeader,
}

/// Whether bytes are a NIfTI (or Analyze) header.
pub(crate) fn looks_like_nifti(head: &[u8]) -> bool {
    header::version(head).is_some()
}

/// Whether a gzip file that starts like this holds a NIfTI file.
pub(crate) fn gzip_holds_nifti(head: &[u8]) -> bool {
    let mut first = [0; 348];
    let mut decoder = flate2::read::MultiGzDecoder::new(head);
    let mut n = 0;
    // A truncated stream is expected here: `head` is only the beginning.
    while let Ok(more) = decoder.read(&mut first[n..]) {
        if more == 0 {
            break;
        }
        n += more;
    }
    looks_like_nifti(&first[..n])
}

/// Reads and checks a header.
pub(crate) fn read_header<S: Source>(
    file: FileId,
    item: &Item<S>,
    gzip: bool,
    limits: &Limits,
) -> Result<NiftiFile, NiftiError> {
    let mut bytes = Vec::new();
    if gzip {
        let cursor = Cursor::new(Borrowed(item));
        flate2::read::MultiGzDecoder::new(cursor).take(540).read_to_end(&mut bytes)?;
    } else {
        Cursor::new(Borrowed(item)).take(540).read_to_end(&mut bytes)?;
    }
    let mut header = header::parse(&bytes)?;
    header.gzip = gzip;
    if header.single_file {
        header.check_promise(item.len(), limits)?;
    }
    Ok(NiftiFile { file, name: item.name().to_owned(), header })
}

/// Lists a file in the catalog and settles its fate.
pub(crate) fn list<S: Source>(
    found: NiftiFile,
    items: &[Item<S>],
    ledger: &mut InstanceLedger,
    lister: &mut Lister,
) {
    let NiftiFile { file, name, mut header } = found;
    let data = if header.single_file {
        file
    } else {
        match data_file(file, &name, items, &mut header) {
            Ok(data) => data,
            Err(error) => {
                ledger.settle(file, Fate::Refused(error.to_string()));
                return;
            }
        }
    };
    let study = lister.plain_study();
    let base = name.rsplit('/').next().unwrap_or(&name);
    let format = if header.version == 1 { "NIfTI-1" } else { "NIfTI-2" };
    lister.series.push(Series {
        study,
        uid: String::new(),
        modality: "NIfTI".into(),
        description: base.to_owned(),
        number: None,
        stack: (1, 1),
        instances: 1,
        dims: header.grid.dims(),
        time_points: header.time_points,
        times_s: header.times_s(),
        time_rule: (header.time_points > 1).then(|| "fourth dimension (pixdim[4])".into()),
        grid: Some(header.grid.clone()),
        frame_of_reference_uid: String::new(),
        transfer_syntax: if header.gzip { format!("{format} (gzip)") } else { format.into() },
        transfer_syntax_uid: String::new(),
        unit: String::new(),
        colour: matches!(header.data_type, DataType::Rgb24 | DataType::Rgba32),
        monochrome1: false,
        windows: header.windows(),
        lossy: None,
        corner_left: vec![base.to_owned()],
        corner_right: Some(header.description.clone()).filter(|d| !d.is_empty()).into_iter().collect(),
        acquisition: Default::default(),
        warnings: header.warnings.clone(),
        displayable: true,
        content: Content::Nifti { data, header: Arc::new(header) },
    });
    ledger.settle(file, Fate::Used);
    ledger.settle(data, Fate::Used);
}

/// The `.img` (or `.img.gz`) beside a `.hdr`.
fn data_file<S: Source>(
    file: FileId,
    name: &str,
    items: &[Item<S>],
    header: &mut NiftiHeader,
) -> Result<FileId, NiftiError> {
    let stem = stem(name);
    let Some((data, gzip)) = beside(file, stem, items) else {
        return Err(NiftiError::NoData(format!("{}.img", stem.rsplit('/').next().unwrap_or(stem))));
    };
    header.gzip = gzip;
    header.check_promise(items[data.0 as usize].len(), &Limits::default())?;
    Ok(data)
}

/// Path of a pair without its endings.
fn stem(name: &str) -> &str {
    let plain = name.strip_suffix(".gz").unwrap_or(name);
    plain.strip_suffix(".hdr").or_else(|| plain.strip_suffix(".HDR")).unwrap_or(plain)
}

/// The data file of a pair, and whether it is compressed.
fn beside<S: Source>(file: FileId, stem: &str, items: &[Item<S>]) -> Option<(FileId, bool)> {
    [(".img", false), (".IMG", false), (".img.gz", true)].into_iter().find_map(|(ending, gzip)| {
        let wanted = format!("{stem}{ending}");
        // The nearest: the same pair may have been received twice.
        let named = (0..items.len()).filter(|i| items[*i].name() == wanted);
        named.min_by_key(|i| i.abs_diff(file.0 as usize)).map(|i| (FileId(i as u32), gzip))
    })
}

impl NiftiFile {
    /// The file of the header and that of the voxels, which is the same for most.
    pub(crate) fn files<S: Source>(&self, items: &[Item<S>]) -> [FileId; 2] {
        let data = (!self.header.single_file).then(|| beside(self.file, stem(&self.name), items)).flatten();
        [self.file, data.map_or(self.file, |(data, _)| data)]
    }
}
