//! One received file: given directly, or an entry of an archive.
//!
//! Items are cheap to clone and own their archive, so that a loader can outlive the scan and the catalog.

use std::io;
use std::sync::Arc;

use crate::Source;
use crate::archive::Archive;

/// A file and the way to its bytes.
pub enum Item<S> {
    /// As handed in.
    File(Arc<S>),
    /// Inside an archive.
    Entry {
        /// Shared with the archive's other entries.
        archive: Arc<Archive<S>>,
        /// Position in the archive.
        index: usize,
        /// Uncompressed length.
        len: u64,
        /// Path of the archive and path inside it.
        name: Arc<str>,
    },
    /// The content of a gzip file.
    Bytes {
        /// Path of the file.
        name: Arc<str>,
        /// Uncompressed.
        bytes: Arc<[u8]>,
    },
}

impl<S> Clone for Item<S> {
    fn clone(&self) -> Self {
        match self {
            Self::File(source) => Self::File(Arc::clone(source)),
            Self::Entry { archive, index, len, name } => {
                Self::Entry { archive: Arc::clone(archive), index: *index, len: *len, name: Arc::clone(name) }
            }
            Self::Bytes { name, bytes } => Self::Bytes { name: Arc::clone(name), bytes: Arc::clone(bytes) },
        }
    }
}

impl<S: Source> Source for Item<S> {
    fn name(&self) -> &str {
        match self {
            Self::File(source) => source.name(),
            Self::Entry { name, .. } | Self::Bytes { name, .. } => name,
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::File(source) => source.len(),
            Self::Entry { len, .. } => *len,
            Self::Bytes { bytes, .. } => bytes.len() as u64,
        }
    }

    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::File(source) => source.read_at(offset, buf),
            Self::Entry { archive, index, .. } => archive.read_at(*index, offset, buf),
            Self::Bytes { bytes, .. } => Ok(copy_at(bytes, offset, buf)),
        }
    }
}

/// Copies what there is at `offset`.
pub(crate) fn copy_at(bytes: &[u8], offset: u64, buf: &mut [u8]) -> usize {
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
    let n = buf.len().min(bytes.len() - start);
    buf[..n].copy_from_slice(&bytes[start..start + n]);
    n
}

/// `Read` and `Seek` over a source, with a buffer: a source's reads may each cost a trip to the browser.
pub(crate) struct Cursor<T> {
    source: T,
    at: u64,
    buffer: Vec<u8>,
    buffer_at: u64,
}

/// Read ahead by this much.
const CHUNK: usize = 64 << 10;

impl<T: Source> Cursor<T> {
    pub(crate) fn new(source: T) -> Self {
        Self { source, at: 0, buffer: Vec::new(), buffer_at: 0 }
    }
}

impl<T: Source> io::Read for Cursor<T> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let inside = self
            .at
            .checked_sub(self.buffer_at)
            .and_then(|o| usize::try_from(o).ok())
            .filter(|o| *o < self.buffer.len());
        let from = match inside {
            Some(from) => from,
            None if out.len() >= CHUNK => {
                let n = self.source.read_at(self.at, out)?;
                self.at += n as u64;
                return Ok(n);
            }
            None => {
                self.buffer.resize(CHUNK, 0);
                let n = self.source.read_at(self.at, &mut self.buffer)?;
                self.buffer.truncate(n);
                self.buffer_at = self.at;
                0
            }
        };
        let n = out.len().min(self.buffer.len() - from);
        out[..n].copy_from_slice(&self.buffer[from..from + n]);
        self.at += n as u64;
        Ok(n)
    }
}

impl<T: Source> io::Seek for Cursor<T> {
    fn seek(&mut self, to: io::SeekFrom) -> io::Result<u64> {
        let at = match to {
            io::SeekFrom::Start(at) => Some(at),
            io::SeekFrom::End(by) => self.source.len().checked_add_signed(by),
            io::SeekFrom::Current(by) => self.at.checked_add_signed(by),
        };
        self.at = at.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(self.at)
    }
}
