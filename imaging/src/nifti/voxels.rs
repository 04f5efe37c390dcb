//! The voxels of a NIfTI file, slice by slice into the volume.
//!
//! A gzip stream is read forward once and never held; a plain file is read where it is asked for.

use std::io::Read;
use std::sync::Arc;

use flate2::read::MultiGzDecoder;

use super::{DataType, NiftiError, NiftiHeader};
use crate::Source;
use crate::item::{Cursor, Item};
use crate::ledger::FileId;
use crate::load::{Kind, LoadError, SliceMut, blank, voxel_count};
use crate::volume::{Rescale, Volume};

/// Reads slices.
pub(crate) struct NiftiJob<S> {
    file: FileId,
    stream: Stream<S>,
    header: Arc<NiftiHeader>,
    buffer: Vec<u8>,
    decoded: usize,
    first_error: Option<String>,
}

enum Stream<S> {
    Plain(Item<S>),
    /// With the slice that comes next; `None` after a failure, when the position is unknown.
    Gzip(Box<MultiGzDecoder<Cursor<Item<S>>>>, Option<usize>),
}

impl<S: Source> NiftiJob<S> {
    pub(crate) fn new(
        file: FileId,
        item: Item<S>,
        header: Arc<NiftiHeader>,
        warnings: &mut Vec<String>,
    ) -> Result<(Volume, Self), LoadError> {
        let kind = match header.data_type {
            DataType::U8 | DataType::I8 | DataType::I16 => Kind::I16,
            DataType::U16 => Kind::U16,
            DataType::Rgb24 | DataType::Rgba32 => Kind::Rgba8,
            _ => Kind::F32,
        };
        if matches!(
            header.data_type,
            DataType::I32 | DataType::U32 | DataType::I64 | DataType::U64 | DataType::F64
        ) {
            warnings
                .push(format!("{:?} values are shown with the 24 bits of a 32-bit float.", header.data_type));
        }
        let n = voxel_count(header.grid.dims(), header.time_points)?;
        let mut volume = Volume::new(blank(kind, n, 0.0)?, header.grid.clone());
        volume.time_points = header.time_points;
        volume.times_s = header.times_s();
        volume.windows = header.windows();
        if let (Some((slope, intercept)), true) = (header.scale, kind != Kind::Rgba8) {
            volume.rescale = Rescale { slope, intercept };
        }
        let stream = if header.gzip {
            Stream::Gzip(Box::new(MultiGzDecoder::new(Cursor::new(item))), None)
        } else {
            Stream::Plain(item)
        };
        let mut job = Self { file, stream, header, buffer: Vec::new(), decoded: 0, first_error: None };
        job.skip_to_data()?;
        Ok((volume, job))
    }

    /// Whether slices come in file order only.
    pub(crate) fn sequential(&self) -> bool {
        matches!(self.stream, Stream::Gzip(..))
    }

    fn skip_to_data(&mut self) -> Result<(), NiftiError> {
        if let Stream::Gzip(reader, next) = &mut self.stream {
            let skipped = std::io::copy(&mut reader.take(self.header.data_offset), &mut std::io::sink())?;
            *next = (skipped == self.header.data_offset).then_some(0);
        }
        Ok(())
    }

    /// Reads a slice, counted over all time points.
    pub(crate) fn read_slice(&mut self, slot: usize, out: SliceMut) -> Result<(), NiftiError> {
        let result =
            self.fill(slot).map(|()| write(&self.buffer, self.header.data_type, self.header.big_endian, out));
        match &result {
            Ok(()) => self.decoded += 1,
            Err(error) => {
                self.first_error.get_or_insert_with(|| error.to_string());
            }
        }
        result
    }

    fn fill(&mut self, slot: usize) -> Result<(), NiftiError> {
        let [columns, rows, _] = self.header.grid.dims().map(|n| n as usize);
        let expected = columns * rows * self.header.data_type.bytes();
        self.buffer.resize(expected, 0);
        let truncated = |actual| NiftiError::Truncated { slice: slot, expected, actual };
        let mut have = 0;
        match &mut self.stream {
            Stream::Plain(item) => {
                let start = self.header.data_offset + slot as u64 * expected as u64;
                while have < expected {
                    match item.read_at(start + have as u64, &mut self.buffer[have..])? {
                        0 => return Err(truncated(have)),
                        n => have += n,
                    }
                }
            }
            Stream::Gzip(reader, next) => {
                if *next != Some(slot) {
                    return Err(truncated(0));
                }
                *next = None;
                while have < expected {
                    match reader.read(&mut self.buffer[have..])? {
                        0 => return Err(truncated(have)),
                        n => have += n,
                    }
                }
                *next = Some(slot + 1);
            }
        }
        Ok(())
    }

    /// The file, if nothing could be read.
    pub(crate) fn failures(&self) -> Vec<(FileId, String)> {
        match &self.first_error {
            Some(reason) if self.decoded == 0 => vec![(self.file, reason.clone())],
            _ => Vec::new(),
        }
    }
}

/// Numbers of a type and byte order from bytes.
macro_rules! numbers {
    ($bytes:expr, $big:expr, $type:ty, $each:expr) => {{
        const N: usize = size_of::<$type>();
        let (chunks, _) = $bytes.as_chunks::<N>();
        if $big {
            chunks.iter().map(|b| <$type>::from_be_bytes(*b)).for_each($each)
        } else {
            chunks.iter().map(|b| <$type>::from_le_bytes(*b)).for_each($each)
        }
    }};
}

/// The kinds were chosen by the data type, so every pair that occurs is here.
fn write(bytes: &[u8], data_type: DataType, big: bool, out: SliceMut) {
    match (data_type, out) {
        (DataType::U8, SliceMut::I16(out)) => {
            out.iter_mut().zip(bytes).for_each(|(o, b)| *o = i16::from(*b));
        }
        (DataType::I8, SliceMut::I16(out)) => {
            out.iter_mut().zip(bytes).for_each(|(o, b)| *o = i16::from(b.cast_signed()));
        }
        (DataType::I16, SliceMut::I16(out)) => {
            let mut out = out.iter_mut();
            numbers!(bytes, big, i16, |x| put(out.next(), x));
        }
        (DataType::U16, SliceMut::U16(out)) => {
            let mut out = out.iter_mut();
            numbers!(bytes, big, u16, |x| put(out.next(), x));
        }
        (_, SliceMut::F32(out)) => {
            let mut out = out.iter_mut();
            match data_type {
                DataType::I32 => numbers!(bytes, big, i32, |x| put(out.next(), x as f32)),
                DataType::U32 => numbers!(bytes, big, u32, |x| put(out.next(), x as f32)),
                DataType::I64 => numbers!(bytes, big, i64, |x| put(out.next(), x as f32)),
                DataType::U64 => numbers!(bytes, big, u64, |x| put(out.next(), x as f32)),
                DataType::F64 => numbers!(bytes, big, f64, |x| put(out.next(), x as f32)),
                _ => numbers!(bytes, big, f32, |x| put(out.next(), x)),
            }
        }
        (DataType::Rgb24, SliceMut::Rgba8(out)) => {
            out.iter_mut().zip(bytes.as_chunks::<3>().0).for_each(|(o, [r, g, b])| *o = [*r, *g, *b, 255]);
        }
        (_, SliceMut::Rgba8(out)) => {
            out.iter_mut().zip(bytes.as_chunks::<4>().0).for_each(|(o, [r, g, b, _])| *o = [*r, *g, *b, 255]);
        }
        _ => {}
    }
}

fn put<T>(place: Option<&mut T>, value: T) {
    if let Some(place) = place {
        *place = value;
    }
}
