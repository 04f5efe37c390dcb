//! A deflated data set as a [`Source`] (PS3.5 A.5): inflated as it is read, never further.
//! The ratio is watched while it grows, so a bomb is refused after the bound and not after the memory.

use std::cell::RefCell;
use std::io::{self, Read};

use flate2::read::DeflateDecoder;

use super::DicomError;
use crate::Source;
use crate::limits::Limits;

pub(super) struct InflateSource<'a> {
    state: RefCell<State<'a>>,
    deflated_bytes: u64,
    limits: Limits,
}

struct State<'a> {
    stream: DeflateDecoder<io::BufReader<From<'a>>>,
    pos: u64,
}

struct From<'a> {
    source: &'a dyn Source,
    pos: u64,
}

impl Read for From<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read_at(self.pos, buf)?;
        self.pos += n as u64;
        Ok(n)
    }
}

fn stream(source: &dyn Source, pos: u64) -> State<'_> {
    State { stream: DeflateDecoder::new(io::BufReader::with_capacity(1 << 16, From { source, pos })), pos: 0 }
}

impl<'a> InflateSource<'a> {
    pub fn new(source: &'a dyn Source, offset: u64, limits: &Limits) -> Self {
        let deflated_bytes = source.len().saturating_sub(offset);
        Self { state: RefCell::new(stream(source, offset)), deflated_bytes, limits: *limits }
    }
}

impl Source for InflateSource<'_> {
    fn name(&self) -> &str {
        ""
    }
    /// Not known before the end; the bound that reading keeps.
    fn len(&self) -> u64 {
        self.limits
            .expansion_free_bytes
            .max(self.deflated_bytes.saturating_mul(self.limits.max_inflate_ratio))
    }
    /// Only forward: a data set is read once, from its start.
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> io::Result<usize> {
        let mut state = self.state.borrow_mut();
        if offset < state.pos {
            return Err(io::Error::other("a deflated data set was read backwards"));
        }
        let too_long = |end: u64| {
            let limit = self.len();
            let error = DicomError::Limit { what: "The length of the inflated data set", value: end, limit };
            (end > limit).then(|| io::Error::other(error))
        };
        let mut waste = [0; 8192];
        while state.pos < offset {
            let step = (offset - state.pos).min(waste.len() as u64) as usize;
            let n = read(&mut state.stream, &mut waste[..step])?;
            if n == 0 {
                return Ok(0);
            }
            state.pos += n as u64;
            if let Some(error) = too_long(state.pos) {
                return Err(error);
            }
        }
        let n = read(&mut state.stream, buf)?;
        state.pos += n as u64;
        too_long(state.pos).map_or(Ok(n), Err)
    }
}

/// A stream that breaks off ends there; the walk over the elements then reports where.
fn read(stream: &mut impl Read, buf: &mut [u8]) -> io::Result<usize> {
    match stream.read(buf) {
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => Ok(0),
        other => other,
    }
}

/// One deflated frame of a known size (PS3.5 A.4.13, Deflated Image Frame Compression).
pub(super) fn inflate_frame(bytes: &[u8], expected: usize) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    DeflateDecoder::new(bytes)
        .take(expected as u64 + 1)
        .read_to_end(&mut out)
        .map_err(|e| format!("the deflated stream is damaged ({e})"))?;
    Ok(out)
}
