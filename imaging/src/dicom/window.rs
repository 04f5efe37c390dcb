//! A forward-moving window over a [`Source`].
//! Reads grow from 32 KiB to 1 MiB, so that an ordinary header costs one read and a lying length never
//! allocates more than the file really holds.

use crate::Source;
use crate::dicom::DicomError;

const FIRST_READ_BYTES: usize = 32 << 10;
const LARGEST_READ_BYTES: usize = 1 << 20;

pub(super) struct Window<'a> {
    source: &'a dyn Source,
    /// Offset in the source of `buf[0]`.
    base: u64,
    buf: Vec<u8>,
    pos: u64,
    next_read: usize,
    at_end: bool,
}

impl<'a> Window<'a> {
    pub fn new(source: &'a dyn Source, pos: u64) -> Self {
        Self { source, base: pos, buf: Vec::new(), pos, next_read: FIRST_READ_BYTES, at_end: false }
    }

    pub fn pos(&self) -> u64 {
        self.pos
    }

    /// Moves forward; may pass the end, after which nothing is left to peek.
    pub fn skip(&mut self, bytes: u64) {
        self.pos = self.pos.saturating_add(bytes);
        if self.pos > self.base + self.buf.len() as u64 {
            self.buf.clear();
            self.base = self.pos;
        }
    }

    /// The next `n` bytes without moving, or fewer at the end of the source.
    pub fn peek(&mut self, n: usize) -> Result<&[u8], DicomError> {
        let mut start = (self.pos - self.base) as usize;
        if self.buf.len() - start < n && !self.at_end {
            self.buf.drain(..start);
            self.base = self.pos;
            start = 0;
            while self.buf.len() < n {
                let have = self.buf.len();
                self.buf.resize(have + self.next_read, 0);
                let got = self.source.read_at(self.base + have as u64, &mut self.buf[have..])?;
                self.buf.truncate(have + got);
                if got == 0 {
                    self.at_end = true;
                    break;
                }
                self.next_read = (self.next_read * 2).min(LARGEST_READ_BYTES);
            }
        }
        let end = self.buf.len().min(start.saturating_add(n));
        Ok(&self.buf[start.min(end)..end])
    }
}

/// Fills `buf` from `offset`; the number of bytes there were.
pub(super) fn read_full(source: &dyn Source, offset: u64, buf: &mut [u8]) -> Result<usize, DicomError> {
    let mut done = 0;
    while done < buf.len() {
        match source.read_at(offset.saturating_add(done as u64), &mut buf[done..])? {
            0 => break,
            n => done += n,
        }
    }
    Ok(done)
}
