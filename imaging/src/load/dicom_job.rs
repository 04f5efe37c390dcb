//! The frames of a DICOM stack, decoded into the slices of its volume.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use super::convert::{self, F32_PADDING, Kind, SliceMut};
use super::{LoadError, blank, voxel_count};
use crate::Source;
use crate::dicom::{Palette, PixelReader, palette};
use crate::group::{FrameRef, Stack};
use crate::header::{FrameHeader, PixelLayout};
use crate::ledger::FileId;
use crate::limits::Limits;
use crate::store::Store;
use crate::volume::{Padding, Rescale, Volume};

/// Frames of one file decoded in one step at most: enough to make opening it cheap, few enough to answer
/// a cancel within a moment.
const BATCH: usize = 8;

/// Outcome per file: frames decoded and the first failure.
type Outcomes = BTreeMap<usize, (usize, Option<String>)>;

pub(super) struct DicomJob<S> {
    stack: Arc<Stack>,
    store: Arc<Store<S>>,
    limits: Limits,
    kind: Kind,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    outcomes: Outcomes,
    clamped: usize,
    warnings: Vec<String>,
}

impl<S: Source> DicomJob<S> {
    /// Chooses the type, checks that the files can hold what the headers promise, allocates.
    pub(super) fn new(
        stack: Arc<Stack>,
        store: Arc<Store<S>>,
        limits: Limits,
        warnings: &mut Vec<String>,
    ) -> Result<(Volume, Self), LoadError> {
        let frames: Vec<(&PixelLayout, &FrameHeader)> =
            stack.slots.iter().flatten().filter_map(|at| header_of(&store, *at)).collect();
        let middle = stack.middle().and_then(|at| header_of(&store, at)).ok_or(LoadError::NoPicture)?;
        let kind = convert::kind_of(frames.iter().copied());
        if matches!(kind, Kind::F32 | Kind::F32InUnit)
            && frames.iter().any(|(p, _)| p.bits_stored > 24 && (!p.float || p.bits_allocated > 32))
        {
            warnings.push(format!(
                "Pixels with {} bits are shown with the 24 bits of a 32-bit float.",
                frames.iter().map(|(p, _)| p.bits_stored).max().unwrap_or(0)
            ));
        }
        let n = voxel_count(stack.grid.dims(), stack.time_points)?;
        check_promise(n, kind, &stack, &store, &limits)?;
        let (_, frame) = middle;
        let shared_padding = frames.iter().all(|(_, f)| f.padding == frame.padding).then_some(frame.padding);
        let in_unit = kind == Kind::F32InUnit;
        let rescale = if in_unit || kind == Kind::Rgba8 { Rescale::default() } else { frame.rescale };
        let padding = match (in_unit, shared_padding.flatten()) {
            (_, None) if !in_unit => None,
            (false, padding) => padding,
            (true, _) if frames.iter().any(|(_, f)| f.padding.is_some()) => {
                let value = f64::from(F32_PADDING);
                Some(Padding { low: value, high: value })
            }
            (true, _) => None,
        };
        let padding = padding.filter(|_| kind != Kind::Rgba8);
        // Empty slices: padding where there is one, else air in CT and nothing elsewhere.
        let air = if frame.unit == "HU" { (-1024.0 - rescale.intercept) / rescale.slope } else { 0.0 };
        let fill = padding.map_or(air, |p| p.low);
        let mut volume = Volume::new(blank(kind, n, fill)?, stack.grid.clone());
        volume.time_points = stack.time_points;
        volume.times_s = stack.times_s.clone();
        volume.rescale = rescale;
        volume.padding = padding;
        volume.unit = frame.unit.clone();
        volume.monochrome1 = middle.0.photometric == "MONOCHROME1";
        volume.windows = frame.windows.clone();
        volume.voi_lut = frame.voi_lut.clone();
        // PS3.3 C.11.2.1: where an image has both, either may be used; the windows come first.
        volume.windows.extend(frame.voi_lut.as_deref().map(|lut| (lut.name(), lut.window())));
        let job = Self { stack, store, limits, kind, books: Mutex::default() };
        Ok((volume, job))
    }

    fn frame(&self, slot: usize) -> Option<FrameRef> {
        self.stack.slots.get(slot).copied().flatten()
    }

    /// This slot and the next ones of the same file.
    pub(super) fn batch(&self, slot: usize, order: &mut VecDeque<usize>) -> Vec<usize> {
        let mut batch = vec![slot];
        if let Some(at) = self.frame(slot) {
            while batch.len() < BATCH
                && order
                    .front()
                    .is_some_and(|next| self.frame(*next).is_some_and(|f| f.instance == at.instance))
            {
                batch.extend(order.pop_front());
            }
        }
        batch
    }

    /// Decodes slots of one file; `each` is handed the slot and what writes it.
    pub(super) fn decode<'s>(
        &self,
        batch: &[usize],
        mut each: impl FnMut(usize, &dyn Fn(SliceMut<'_>) -> Result<(), String>),
    ) where
        S: 's,
    {
        let Some(first) = batch.first().and_then(|slot| self.frame(*slot)) else {
            batch.iter().for_each(|slot| each(*slot, &|_| Err(String::new())));
            return;
        };
        let instance = &self.store.instances[first.instance];
        let item = &self.store.items[instance.file.0 as usize];
        let palette = if self.kind == Kind::Rgba8 { palette(&instance.dicom) } else { None };
        match PixelReader::open(item, &instance.dicom, &self.limits) {
            Ok(reader) => {
                for &slot in batch {
                    let Some(at) = self.frame(slot) else { continue };
                    each(slot, &|out| {
                        let result = self.write(&reader, at, palette.as_ref(), out);
                        self.book(at.instance, &result);
                        result
                    });
                }
                let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
                for warning in &reader.warnings {
                    if !books.warnings.contains(warning) {
                        books.warnings.push(warning.clone());
                    }
                }
            }
            Err(error) => {
                let reason = error.to_string();
                for &slot in batch {
                    self.book(first.instance, &Err(reason.clone()));
                    each(slot, &|_| Err(reason.clone()));
                }
            }
        }
    }

    fn write(
        &self,
        reader: &PixelReader,
        at: FrameRef,
        palette: Option<&Palette>,
        out: SliceMut,
    ) -> Result<(), String> {
        let (pixels, frame) =
            header_of(&self.store, at).ok_or("The frame is not described by the header.")?;
        let index = at.frame as u32;
        let fits = pixels.signed || pixels.bits_stored < 16;
        if let SliceMut::I16(out) = out {
            if fits && pixels.bits_allocated <= 16 {
                return reader.frame_into_i16(index, out).map_err(|e| e.to_string());
            }
            return self.convert(reader, index, pixels, frame, palette, SliceMut::I16(out));
        }
        self.convert(reader, index, pixels, frame, palette, out)
    }

    fn convert(
        &self,
        reader: &PixelReader,
        index: u32,
        pixels: &PixelLayout,
        frame: &FrameHeader,
        palette: Option<&Palette>,
        out: SliceMut,
    ) -> Result<(), String> {
        let samples = reader.frame(index).map_err(|e| e.to_string())?;
        let in_unit = self.kind == Kind::F32InUnit;
        let clamped = convert::write(&samples, frame, pixels, palette, in_unit, out)?;
        self.books.lock().unwrap_or_else(PoisonError::into_inner).clamped += clamped;
        Ok(())
    }

    fn book(&self, instance: usize, result: &Result<(), String>) {
        let mut books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = books.outcomes.entry(instance).or_default();
        match result {
            Ok(()) => outcome.0 += 1,
            Err(reason) => {
                outcome.1.get_or_insert_with(|| reason.clone());
            }
        }
    }

    /// Files of which no frame was decoded, with the reason.
    pub(super) fn failures(&self) -> Vec<(FileId, String)> {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = books.outcomes.iter().filter(|(_, (decoded, _))| *decoded == 0);
        failed.filter_map(|(i, (_, reason))| Some((self.store.instances[*i].file, reason.clone()?))).collect()
    }

    /// What decoding found.
    pub(super) fn warnings(&self) -> Vec<String> {
        let books = self.books.lock().unwrap_or_else(PoisonError::into_inner);
        let mut out = books.warnings.clone();
        if books.clamped > 0 {
            out.push(format!(
                "{} pixels lie outside what Bits Stored allows and were clamped.",
                books.clamped
            ));
        }
        let failed = books.outcomes.values().filter(|(_, reason)| reason.is_some());
        let (count, first) = failed.fold((0, None), |(n, first), (_, r)| (n + 1, first.or(r.as_deref())));
        if let Some(first) = first {
            out.push(format!(
                "{count} of {} files could not be decoded completely: {first}",
                books.outcomes.len()
            ));
        }
        out
    }
}

fn header_of<S>(store: &Store<S>, at: FrameRef) -> Option<(&PixelLayout, &FrameHeader)> {
    let header = &store.instances.get(at.instance)?.header;
    Some((header.pixels.as_ref()?, header.frames.get(at.frame)?))
}

/// A volume is only allocated if the files are long enough to fill it: for uncompressed files their length,
/// for others what [`Limits::max_expansion`] allows.
fn check_promise<S: Source>(
    n: usize,
    kind: Kind,
    stack: &Stack,
    store: &Store<S>,
    limits: &Limits,
) -> Result<(), LoadError> {
    let width = match kind {
        Kind::I16 | Kind::U16 => 2,
        Kind::F32 | Kind::F32InUnit | Kind::Rgba8 => 4,
    };
    let bytes = n as u64 * width;
    let mut files: Vec<usize> = stack.slots.iter().flatten().map(|f| f.instance).collect();
    files.sort_unstable();
    files.dedup();
    let mut most = 0u64;
    for index in files {
        let instance = &store.instances[index];
        let len = store.items[instance.file.0 as usize].len();
        let syntax = &instance.dicom.transfer_syntax;
        most = most.saturating_add(if syntax.deflated {
            len.saturating_mul(limits.max_inflate_ratio).max(limits.expansion_free_bytes)
        } else if syntax.encapsulated {
            len.saturating_mul(limits.max_expansion).max(limits.expansion_free_bytes)
        } else {
            // One bit per pixel becomes two bytes, a palette index four.
            len.saturating_mul(if instance.header.pixels.as_ref().is_some_and(|p| p.bits_allocated == 1) {
                32
            } else {
                4
            })
        });
    }
    // Slices that are missing have no file; grouping allows at most as many as there are images, and time
    // points are counted by images, so an incomplete 4D series may be mostly empty.
    let there = stack.slots.iter().flatten().count().max(1) as u64;
    let share = (stack.slots.len() as u64).div_ceil(there);
    let most = most.saturating_mul(share);
    if bytes > most { Err(LoadError::Promise { bytes, most }) } else { Ok(()) }
}
