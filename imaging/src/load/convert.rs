//! From decoded samples to voxels of the volume's type.
//!
//! The type is chosen once for the whole series from what its headers promise; values that break the
//! promise are clamped and counted, never wrapped.

// One macro arm serves every sample type, so some of its casts are from a type to itself.
#![allow(clippy::unnecessary_cast)]

use scene::Grid;

use crate::dicom::{Palette, Samples, each};
use crate::header::{FrameHeader, PixelLayout};
use crate::volume::{Padding, Voxels};

/// Type of a volume's voxels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    I16,
    U16,
    /// Stored values.
    F32,
    /// Values after each frame's own rescale or table.
    F32InUnit,
    Rgba8,
}

/// Written into voxels that are padding when padding cannot be kept as a stored value.
pub(super) const F32_PADDING: f32 = f32::MIN;

/// The narrowest kind that holds all frames exactly.
pub(super) fn kind_of<'a>(frames: impl Iterator<Item = (&'a PixelLayout, &'a FrameHeader)> + Clone) -> Kind {
    let mut layouts = frames.clone().map(|(p, _)| p);
    if layouts.clone().any(PixelLayout::colour) {
        return Kind::Rgba8;
    }
    let first = frames.clone().next().map(|(_, f)| f.rescale);
    if frames.clone().any(|(_, f)| f.modality_lut.is_some() || Some(f.rescale) != first) {
        return Kind::F32InUnit;
    }
    if layouts.clone().any(|p| p.float || p.bits_allocated > 16) {
        Kind::F32
    } else if layouts.clone().all(|p| p.signed || p.bits_stored <= 15) {
        Kind::I16
    } else if layouts.all(|p| !p.signed) {
        Kind::U16
    } else {
        Kind::F32
    }
}

/// One slice of one time point, to be written.
pub(crate) enum SliceMut<'a> {
    I16(&'a mut [i16]),
    U16(&'a mut [u16]),
    F32(&'a mut [f32]),
    Rgba8(&'a mut [[u8; 4]]),
}

/// One slice of one time point.
pub(super) enum SliceRef<'a> {
    I16(&'a [i16]),
    U16(&'a [u16]),
    F32(&'a [f32]),
    Rgba8,
}

fn span(grid: &Grid, slot: usize) -> std::ops::Range<usize> {
    let [columns, rows, _] = grid.dims().map(|n| n as usize);
    let n = columns * rows;
    slot * n..(slot + 1) * n
}

/// The slice of a slot (time-major).
pub(crate) fn slice_mut<'a>(voxels: &'a mut Voxels, grid: &Grid, slot: usize) -> Option<SliceMut<'a>> {
    let at = span(grid, slot);
    Some(match voxels {
        Voxels::I16(v) => SliceMut::I16(v.get_mut(at)?),
        Voxels::U16(v) => SliceMut::U16(v.get_mut(at)?),
        Voxels::F32(v) => SliceMut::F32(v.get_mut(at)?),
        Voxels::Rgba8(v) => SliceMut::Rgba8(v.get_mut(at)?),
    })
}

/// All slices at once, for threads.
pub(crate) fn slices_mut<'a>(voxels: &'a mut Voxels, grid: &Grid) -> Vec<SliceMut<'a>> {
    let n = span(grid, 0).len();
    match voxels {
        Voxels::I16(v) => v.chunks_mut(n).map(SliceMut::I16).collect(),
        Voxels::U16(v) => v.chunks_mut(n).map(SliceMut::U16).collect(),
        Voxels::F32(v) => v.chunks_mut(n).map(SliceMut::F32).collect(),
        Voxels::Rgba8(v) => v.chunks_mut(n).map(SliceMut::Rgba8).collect(),
    }
}

/// The slice of a slot, to read.
pub(super) fn slice_ref<'a>(voxels: &'a Voxels, grid: &Grid, slot: usize) -> Option<SliceRef<'a>> {
    let at = span(grid, slot);
    Some(match voxels {
        Voxels::I16(v) => SliceRef::I16(v.get(at)?),
        Voxels::U16(v) => SliceRef::U16(v.get(at)?),
        Voxels::F32(v) => SliceRef::F32(v.get(at)?),
        Voxels::Rgba8(_) => SliceRef::Rgba8,
    })
}

/// Writes one decoded frame. `Ok` counts values that did not fit and were clamped.
pub(super) fn write(
    samples: &Samples,
    frame: &FrameHeader,
    pixels: &PixelLayout,
    palette: Option<&Palette>,
    in_unit: bool,
    out: SliceMut,
) -> Result<usize, String> {
    let expected = match &out {
        SliceMut::I16(v) => v.len(),
        SliceMut::U16(v) => v.len(),
        SliceMut::F32(v) => v.len(),
        SliceMut::Rgba8(v) => v.len() * pixels.samples_per_pixel as usize,
    };
    if samples.len() != expected {
        return Err(format!("The frame has {} samples where the slice needs {expected}.", samples.len()));
    }
    match out {
        SliceMut::I16(out) => Ok(each!(samples, v => clamp_into(v, out, |x| x as i16))),
        SliceMut::U16(out) => Ok(each!(samples, v => clamp_into(v, out, |x| x as u16))),
        SliceMut::F32(out) if in_unit => {
            each!(samples, v => to_unit(v, frame, out));
            Ok(0)
        }
        SliceMut::F32(out) => {
            each!(samples, v => out.iter_mut().zip(v).for_each(|(o, x)| *o = *x as f32));
            Ok(0)
        }
        SliceMut::Rgba8(out) => colour(samples, pixels, palette, out).map(|()| 0),
    }
}

/// `as` clamps when it narrows from f64 (and only then), so every value goes through f64.
fn clamp_into<T: Copy + AsF64, U: Copy + AsF64>(v: &[T], out: &mut [U], narrow: impl Fn(f64) -> U) -> usize {
    let mut clamped = 0;
    for (o, x) in out.iter_mut().zip(v) {
        let x = x.to_f64();
        *o = narrow(x);
        clamped += usize::from(o.to_f64() != x);
    }
    clamped
}

fn to_unit<T: Copy + AsF64>(v: &[T], frame: &FrameHeader, out: &mut [f32]) {
    let padded = |x: f64| frame.padding.is_some_and(|p: Padding| p.contains(x));
    for (o, x) in out.iter_mut().zip(v) {
        let x = x.to_f64();
        *o = match &frame.modality_lut {
            _ if padded(x) => F32_PADDING,
            Some(lut) => lut.apply(x) as f32,
            None => frame.rescale.apply(x) as f32,
        };
    }
}

fn colour(
    samples: &Samples,
    pixels: &PixelLayout,
    palette: Option<&Palette>,
    out: &mut [[u8; 4]],
) -> Result<(), String> {
    let shift = pixels.bits_stored.saturating_sub(8).min(24);
    if pixels.samples_per_pixel == 1 {
        if pixels.photometric == "PALETTE COLOR" {
            let palette =
                palette.ok_or("The palette (0028,1101) is missing or incomplete; colours are unknown.")?;
            each!(samples, v => out.iter_mut().zip(v).for_each(|(o, x)| {
                let [r, g, b] = palette.rgb(*x as i32);
                *o = [r, g, b, 255];
            }));
        } else {
            // A grey frame among coloured ones.
            each!(samples, v => out.iter_mut().zip(v).for_each(|(o, x)| {
                let grey = (*x as i64 >> shift).clamp(0, 255) as u8;
                *o = [grey, grey, grey, 255];
            }));
        }
        return Ok(());
    }
    each!(samples, v => {
        for (o, rgb) in out.iter_mut().zip(v.chunks_exact(3)) {
            let level = |i: usize| (rgb[i] as i64 >> shift).clamp(0, 255) as u8;
            *o = [level(0), level(1), level(2), 255];
        }
    });
    Ok(())
}

/// Lossless for every sample type up to 32 bits.
trait AsF64 {
    fn to_f64(self) -> f64;
}

macro_rules! to_f64 {
    ($($t:ty),*) => { $(impl AsF64 for $t { fn to_f64(self) -> f64 { self as f64 } })* };
}
to_f64!(u8, i8, u16, i16, u32, i32, f32, f64);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::Rescale;

    fn layout(bits_allocated: u16, bits_stored: u16, signed: bool) -> PixelLayout {
        PixelLayout {
            columns: 2,
            rows: 1,
            samples_per_pixel: 1,
            bits_allocated,
            bits_stored,
            signed,
            float: false,
            photometric: "MONOCHROME2".into(),
        }
    }

    fn kind(layouts: &[PixelLayout], slopes: &[f64]) -> Kind {
        let frames: Vec<FrameHeader> = slopes
            .iter()
            .map(|s| FrameHeader { rescale: Rescale { slope: *s, intercept: 0.0 }, ..Default::default() })
            .collect();
        kind_of(layouts.iter().zip(&frames))
    }

    #[test]
    fn the_narrowest_exact_type_is_taken() {
        assert_eq!(kind(&[layout(16, 12, false)], &[1.0]), Kind::I16);
        assert_eq!(kind(&[layout(16, 15, false)], &[1.0]), Kind::I16);
        assert_eq!(kind(&[layout(16, 16, false)], &[1.0]), Kind::U16);
        assert_eq!(kind(&[layout(16, 16, true)], &[1.0]), Kind::I16);
        assert_eq!(kind(&[layout(16, 16, true), layout(16, 16, false)], &[1.0, 1.0]), Kind::F32);
        assert_eq!(kind(&[layout(32, 32, false)], &[1.0]), Kind::F32);
        assert_eq!(kind(&[layout(16, 12, false), layout(16, 12, false)], &[1.0, 2.0]), Kind::F32InUnit);
    }

    #[test]
    fn what_does_not_fit_is_clamped_and_counted() {
        let mut out = [0i16; 2];
        let samples = Samples::U16(vec![65_535, 7]);
        let frame = FrameHeader::default();
        let clamped =
            write(&samples, &frame, &layout(16, 12, false), None, false, SliceMut::I16(&mut out)).unwrap();
        assert_eq!((out, clamped), ([i16::MAX, 7], 1));
    }

    #[test]
    fn a_frame_of_the_wrong_size_is_refused() {
        let mut out = [0i16; 3];
        let frame = FrameHeader::default();
        let samples = Samples::U8(vec![1, 2]);
        assert!(write(&samples, &frame, &layout(8, 8, false), None, false, SliceMut::I16(&mut out)).is_err());
    }
}
