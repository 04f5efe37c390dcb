//! Frames of one file, one at a time, so that a worker can stream, show progress and stop.
//! Native frames are read straight into samples of their type; encapsulated ones go through their codec.

use super::DicomError;
use super::codec;
use super::color::{expand_422, rgb_from_ybr};
use super::file::{DicomFile, PixelLocation, data_set_bytes};
use super::format::{PixelFormat, SampleKind};
use super::fragments::FrameIndex;
use super::samples::Samples;
use super::syntax::{Codec, TransferSyntax};
use super::window::read_full;
use crate::Source;
use crate::limits::Limits;
use crate::source::Buffer;

/// Reads decoded frames. Holds one frame at a time: at most four times its decoded size and its compressed bytes.
pub struct PixelReader<'a> {
    source: Origin<'a>,
    format: PixelFormat,
    syntax: TransferSyntax,
    location: PixelLocation,
    frames: Option<FrameIndex>,
    /// Irregularities of the pixel data that were read over, for the user.
    pub warnings: Vec<String>,
    limits: Limits,
}

enum Origin<'a> {
    File(&'a dyn Source),
    /// The pixel data of a deflated data set.
    Inflated(Buffer),
}

impl<'a> PixelReader<'a> {
    /// Checks that the pixels are there and decodable.
    pub fn open(source: &'a dyn Source, file: &DicomFile, limits: &Limits) -> Result<Self, DicomError> {
        let format = file.pixel_format(limits)?;
        let mut location = file.pixel_data.ok_or(DicomError::NoPixelData)?;
        let syntax = file.transfer_syntax.clone();
        if syntax.codec == Codec::Unsupported {
            return Err(DicomError::UnsupportedSyntax { uid: syntax.uid, name: syntax.name.to_owned() });
        }
        let mut warnings = Vec::new();
        let expected = native_bytes(&format);
        let mut source = Origin::File(source);
        if let (true, Origin::File(inner)) = (syntax.deflated, &source) {
            let length = location.length.unwrap_or(expected).min(expected);
            let bytes = data_set_bytes(*inner, file, limits, (location.offset, length))?;
            location = PixelLocation { offset: 0, length: Some(bytes.len() as u64), ..location };
            source = Origin::Inflated(Buffer { name: String::new(), bytes });
        }
        let mut reader =
            Self { source, format, syntax, location, frames: None, warnings: Vec::new(), limits: *limits };
        match location.length {
            None => {
                if reader.syntax.codec == Codec::Native {
                    return Err(DicomError::Fragments(format!(
                        "it has fragments although {} is not compressed",
                        reader.syntax.name
                    )));
                }
                let mut index =
                    FrameIndex::build(reader.bytes(), file, location, reader.format.frames, limits)?;
                warnings.append(&mut index.warnings);
                reader.frames = Some(index);
            }
            Some(length) => {
                if reader.syntax.codec != Codec::Native && length < expected {
                    return Err(DicomError::Fragments(format!("{} without fragments", reader.syntax.name)));
                }
                if reader.syntax.codec != Codec::Native {
                    // A writer that decompressed and kept the syntax: the length proves it.
                    warnings.push(format!(
                        "The pixels are not compressed although the file says {}.",
                        reader.syntax.name
                    ));
                    reader.syntax.codec = Codec::Native;
                }
                // PS3.5 8.1.1: YBR_FULL_422 has two thirds of the bytes; a full length proves that it is YBR_FULL.
                if reader.format.subsampled()
                    && length >= reader.format.samples_per_frame() as u64 * u64::from(reader.format.frames)
                {
                    warnings.push("The pixels are YBR_FULL although the file says YBR_FULL_422.".into());
                    reader.format.photometric = "YBR_FULL".into();
                }
                let expected = native_bytes(&reader.format);
                let actual = length.min(reader.bytes().len().saturating_sub(location.offset));
                if actual < expected {
                    return Err(DicomError::Truncated { expected, actual });
                }
                if actual > expected + expected % 2 {
                    warnings.push(format!("{} bytes after the last frame were ignored.", actual - expected));
                }
            }
        }
        reader.warnings = warnings;
        Ok(reader)
    }

    /// What the samples mean.
    pub fn format(&self) -> &PixelFormat {
        &self.format
    }

    /// Decodes one frame, counted from 0.
    pub fn frame(&self, frame: u32) -> Result<Samples, DicomError> {
        if frame >= self.format.frames {
            return Err(DicomError::NoSuchFrame { frame, frames: self.format.frames });
        }
        let samples = match self.syntax.codec {
            Codec::Native => self.native(frame)?,
            _ => self.encapsulated(frame)?,
        };
        // The invariant everything downstream relies on; a codec that breaks it must not reach the screen.
        if samples.le_bytes().len() != self.format.frame_bytes() {
            return Err(self.codec_error(frame, format!("{} samples came out", samples.len())));
        }
        Ok(samples)
    }

    /// Decodes one frame into a slice of a volume: for 8-bit frames and those that fit int16 exactly.
    pub fn frame_into_i16(&self, frame: u32, out: &mut [i16]) -> Result<(), DicomError> {
        let format = &self.format;
        let fits = format.signed || format.bits_stored < 16;
        if self.syntax.codec == Codec::Native
            && format.samples_per_pixel == 1
            && format.bits_allocated == 16
            && format.kind == SampleKind::Integer
            && fits
            && out.len() == format.samples_per_frame()
            && frame < format.frames
        {
            self.read_native(frame, bytemuck::cast_slice_mut(out))?;
            if self.syntax.pixels_big_endian() {
                out.iter_mut().for_each(|x| *x = x.swap_bytes());
            }
            let by = 16 - format.bits_stored;
            if by > 0 && format.signed {
                out.iter_mut().for_each(|x| *x = (*x << by) >> by);
            } else if by > 0 {
                out.iter_mut().for_each(|x| *x = ((*x as u16) << by >> by) as i16);
            }
            return Ok(());
        }
        let samples = self.frame(frame)?;
        let misfit = DicomError::Buffer { samples: samples.len(), kind: samples.kind(), buffer: out.len() };
        if samples.len() != out.len() {
            return Err(misfit);
        }
        match &samples {
            Samples::I16(v) => out.copy_from_slice(v),
            Samples::U16(v) if fits => out.iter_mut().zip(v).for_each(|(o, x)| *o = *x as i16),
            Samples::U8(v) => out.iter_mut().zip(v).for_each(|(o, x)| *o = i16::from(*x)),
            Samples::I8(v) => out.iter_mut().zip(v).for_each(|(o, x)| *o = i16::from(*x)),
            _ => return Err(misfit),
        }
        Ok(())
    }

    fn bytes(&self) -> &dyn Source {
        match &self.source {
            Origin::File(source) => *source,
            Origin::Inflated(buffer) => buffer,
        }
    }

    fn codec_error(&self, frame: u32, what: String) -> DicomError {
        DicomError::Codec { frame, syntax: self.syntax.name, what }
    }

    fn read_native(&self, frame: u32, out: &mut [u8]) -> Result<(), DicomError> {
        let offset = self.location.offset + u64::from(frame) * out.len() as u64;
        let actual = read_full(self.bytes(), offset, out)?;
        if actual < out.len() {
            return Err(DicomError::Truncated { expected: out.len() as u64, actual: actual as u64 });
        }
        Ok(())
    }

    fn native(&self, frame: u32) -> Result<Samples, DicomError> {
        let format = &self.format;
        if format.bits_allocated == 1 {
            return self.native_bits(frame);
        }
        let mut samples = Samples::zeroed(format);
        // PS3.5 8.1.2 with annex A.3: 8-bit cells in OW are pairs in words, so big endian turns them around.
        let swapped_pairs = self.syntax.pixels_big_endian()
            && format.bits_allocated == 8
            && self.location.vr == dicom_core::VR::OW;
        if format.subsampled() && format.bits_allocated == 8 {
            let mut packed = vec![0; (format.native_frame_bits() / 8) as usize];
            self.read_8bit(frame, &mut packed, swapped_pairs)?;
            expand_422(&packed, samples.bytes_mut());
        } else if swapped_pairs {
            self.read_8bit(frame, samples.bytes_mut(), true)?;
        } else {
            self.read_native(frame, samples.bytes_mut())?;
            if self.syntax.pixels_big_endian() {
                samples.swap_bytes();
            }
        }
        samples.extend(format.bits_stored);
        if format.samples_per_pixel == 3 {
            if format.planar && !format.subsampled() {
                samples = samples.interleave();
            }
            if format.photometric.starts_with("YBR_FULL") {
                rgb_from_ybr(&mut samples);
            }
        }
        Ok(samples)
    }

    fn read_8bit(&self, frame: u32, out: &mut [u8], swapped_pairs: bool) -> Result<(), DicomError> {
        if !swapped_pairs {
            return self.read_native(frame, out);
        }
        // Frames of odd length start inside a pair.
        let start = u64::from(frame) * out.len() as u64;
        let lead = (start % 2) as usize;
        let mut pairs = vec![0; (lead + out.len()).next_multiple_of(2)];
        read_full(self.bytes(), self.location.offset + start - lead as u64, &mut pairs)?;
        pairs.as_chunks_mut::<2>().0.iter_mut().for_each(|p| p.swap(0, 1));
        out.copy_from_slice(&pairs[lead..lead + out.len()]);
        Ok(())
    }

    // PS3.5 8.1.1 and annex D: bits follow each other without gaps, also from frame to frame, lowest bit first.
    fn native_bits(&self, frame: u32) -> Result<Samples, DicomError> {
        let n = self.format.samples_per_frame();
        let start_bit = u64::from(frame) * n as u64;
        let lead = (start_bit % 8) as usize;
        let mut packed = vec![0; (lead + n).div_ceil(8)];
        let expected = packed.len() as u64;
        let actual = read_full(self.bytes(), self.location.offset + start_bit / 8, &mut packed)? as u64;
        if actual < expected {
            return Err(DicomError::Truncated { expected, actual });
        }
        Ok(Samples::U8((lead..lead + n).map(|bit| packed[bit / 8] >> (bit % 8) & 1).collect()))
    }

    fn encapsulated(&self, frame: u32) -> Result<Samples, DicomError> {
        let fragments = self.frames.as_ref().map(|f| f.of(frame)).unwrap_or_default();
        let total: u64 = fragments.iter().map(|f| f.length).sum();
        let decoded = self.format.frame_bytes() as u64;
        if decoded > self.limits.expansion_free_bytes && decoded / self.limits.max_expansion.max(1) > total {
            return Err(DicomError::Limit {
                what: "The expansion of a compressed frame",
                value: decoded / total.max(1),
                limit: self.limits.max_expansion,
            });
        }
        let total = usize::try_from(total).map_err(std::io::Error::other)?;
        let mut bytes = vec![0; total];
        let mut at = 0;
        for fragment in fragments {
            let end = at + fragment.length as usize;
            let actual = read_full(self.bytes(), fragment.offset, &mut bytes[at..end])?;
            if actual < end - at {
                return Err(DicomError::Truncated { expected: fragment.length, actual: actual as u64 });
            }
            at = end;
        }
        codec::decode(self.syntax.codec, &bytes, &self.format).map_err(|what| self.codec_error(frame, what))
    }
}

/// Bytes of native pixel data without its final padding.
fn native_bytes(format: &PixelFormat) -> u64 {
    format.native_frame_bits().saturating_mul(format.frames.into()).div_ceil(8)
}
