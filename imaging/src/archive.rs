//! Zip archives as further files, bounded against bombs.
//!
//! An entry is inflated when it is read and only the last one is kept: a zipped study then costs one file
//! of memory, not all of them. Archives inside archives are kept whole, because every read of their
//! entries would inflate them again.

use std::io::{self, Read};
use std::sync::{Arc, Mutex, PoisonError};

use zip::ZipArchive;

use crate::Source;
use crate::item::{Cursor, Item, copy_at};

/// What an archive may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ArchiveLimits {
    /// Entries over all archives of a scan. 100,000: a whole-body 4D study has about 20,000 files.
    pub max_entries: u64,
    /// Uncompressed bytes of one entry. 4 GiB: what an address of 32 bits can hold.
    pub max_entry_bytes: u64,
    /// Uncompressed bytes over all entries of a scan. 64 GiB.
    pub max_total_bytes: u64,
    /// Uncompressed by compressed length of an entry above `free_bytes`. 250: zeros reach 1032, images stay below 50.
    pub max_ratio: u64,
    /// Entries up to this size may expand without limit: 32 MiB is no harm.
    pub free_bytes: u64,
    /// Archives in archives in archives; more is made to exhaust memory.
    pub max_depth: u32,
}

impl Default for ArchiveLimits {
    fn default() -> Self {
        Self {
            max_entries: 100_000,
            max_entry_bytes: u32::MAX as u64,
            max_total_bytes: 64 << 30,
            max_ratio: 250,
            free_bytes: 32 << 20,
            max_depth: 3,
        }
    }
}

/// Why an archive or one of its entries was refused.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The directory cannot be read.
    #[error("The zip archive cannot be read: {0}. Unpack it and load the folder.")]
    Damaged(String),
    /// A bound of [`ArchiveLimits`].
    #[error("{what} is {value}, more than the limit of {limit}. Unpack the archive and load the folder.")]
    Limit {
        /// What was counted.
        what: &'static str,
        /// How much there is.
        value: u64,
        /// How much is allowed.
        limit: u64,
    },
}

/// An open zip archive.
pub struct Archive<S> {
    state: Mutex<State<S>>,
    limits: ArchiveLimits,
}

struct State<S> {
    zip: ZipArchive<Cursor<Item<S>>>,
    /// The entry that was read last.
    last: Option<(usize, Arc<[u8]>)>,
}

/// A file of an archive's directory.
pub(crate) struct Listed {
    pub index: usize,
    pub name: String,
    pub len: u64,
    /// Why it cannot be read.
    pub refused: Option<String>,
}

/// Whether bytes start like a zip archive (also an empty or a spanned one).
pub(crate) fn looks_like_zip(head: &[u8]) -> bool {
    [b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"].iter().any(|magic| head.starts_with(*magic))
}

impl<S: Source> Archive<S> {
    /// Reads the directory.
    pub(crate) fn open(item: Item<S>, limits: ArchiveLimits) -> Result<(Self, Vec<Listed>), ArchiveError> {
        let mut zip = ZipArchive::new(Cursor::new(item)).map_err(|e| ArchiveError::Damaged(e.to_string()))?;
        if zip.len() as u64 > limits.max_entries {
            return Err(ArchiveError::Limit {
                what: "The number of files in the archive",
                value: zip.len() as u64,
                limit: limits.max_entries,
            });
        }
        let mut listed = Vec::new();
        for index in 0..zip.len() {
            let entry = match zip.by_index_raw(index) {
                Ok(entry) => entry,
                Err(error) => {
                    let refused = Some(format!("The archive's entry cannot be read: {error}."));
                    listed.push(Listed { index, name: format!("entry {index}"), len: 0, refused });
                    continue;
                }
            };
            if entry.is_dir() {
                continue;
            }
            let name = String::from_utf8_lossy(entry.name_raw()).into_owned();
            let (len, packed) = (entry.size(), entry.compressed_size());
            let refused = if entry.encrypted() {
                Some("The archive's entry is encrypted. Unpack it with its password first.".to_owned())
            } else {
                check_entry(len, packed, &limits).err().map(|e| e.to_string())
            };
            listed.push(Listed { index, name, len, refused });
        }
        if zip.has_duplicate_names() {
            let refused =
                Some("Another entry of the archive has the same name; unpack it to see both.".into());
            listed.push(Listed {
                index: usize::MAX,
                name: "(entry of the same name)".into(),
                len: 0,
                refused,
            });
        }
        Ok((Self { state: Mutex::new(State { zip, last: None }), limits }, listed))
    }

    pub(crate) fn read_at(&self, index: usize, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        Ok(copy_at(&self.entry(index)?, offset, buf))
    }

    /// The whole entry, inflated.
    pub(crate) fn entry(&self, index: usize) -> io::Result<Arc<[u8]>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, bytes)) = state.last.as_ref().filter(|(last, _)| *last == index) {
            return Ok(Arc::clone(bytes));
        }
        state.last = None;
        let entry = state.zip.by_index(index).map_err(io::Error::other)?;
        let (len, packed) = (entry.size(), entry.compressed_size());
        check_entry(len, packed, &self.limits).map_err(io::Error::other)?;
        // The directory's length is a promise: read one byte more to see it broken, and grow with what comes.
        let mut bytes = Vec::new();
        entry.take(len + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > len {
            return Err(io::Error::other("the archive's entry is longer than its directory says"));
        }
        let bytes: Arc<[u8]> = bytes.into();
        state.last = Some((index, Arc::clone(&bytes)));
        Ok(bytes)
    }
}

fn check_entry(len: u64, packed: u64, limits: &ArchiveLimits) -> Result<(), ArchiveError> {
    let over = |what, value, limit| Err(ArchiveError::Limit { what, value, limit });
    if len > limits.max_entry_bytes {
        return over("The size of the archive's entry", len, limits.max_entry_bytes);
    }
    let ratio = len / packed.max(1);
    if len > limits.free_bytes && ratio > limits.max_ratio {
        return over("The expansion of the archive's entry", ratio, limits.max_ratio);
    }
    Ok(())
}

/// Inflates a gzip file within the limits.
pub(crate) fn gunzip(source: &impl Source, limits: &ArchiveLimits) -> Result<Vec<u8>, String> {
    let most =
        limits.max_entry_bytes.min(limits.free_bytes.max(source.len().saturating_mul(limits.max_ratio)));
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(Cursor::new(Borrowed(source)))
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|e| format!("The gzip file is damaged after {} bytes: {e}. Transfer it again.", bytes.len()))?;
    if bytes.len() as u64 > most {
        return Err(ArchiveError::Limit {
            what: "The inflated size",
            value: bytes.len() as u64,
            limit: most,
        }
        .to_string());
    }
    Ok(bytes)
}

/// A source by reference.
pub(crate) struct Borrowed<'a, T: ?Sized>(pub &'a T);

impl<T: Source + ?Sized> Source for Borrowed<'_, T> {
    fn name(&self) -> &str {
        self.0.name()
    }
    fn len(&self) -> u64 {
        self.0.len()
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buf)
    }
}
