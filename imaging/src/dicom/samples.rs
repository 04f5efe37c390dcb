//! Decoded samples of one frame in their stored type.
//! An enum and not bytes, so that nobody downstream has to ask again what the bytes mean.

use bytemuck::cast_slice;

use super::format::{PixelFormat, SampleKind};

/// One frame: row by row, colour by pixel, sign-extended from Bits Stored.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "the names of the types say it")]
pub enum Samples {
    U8(Vec<u8>),
    I8(Vec<i8>),
    U16(Vec<u16>),
    I16(Vec<i16>),
    U32(Vec<u32>),
    I32(Vec<i32>),
    F32(Vec<f32>),
    F64(Vec<f64>),
}

/// The same expression for whichever type the samples have.
macro_rules! each {
    ($samples:expr, $v:ident => $body:expr) => {
        match $samples {
            $crate::dicom::Samples::U8($v) => $body,
            $crate::dicom::Samples::I8($v) => $body,
            $crate::dicom::Samples::U16($v) => $body,
            $crate::dicom::Samples::I16($v) => $body,
            $crate::dicom::Samples::U32($v) => $body,
            $crate::dicom::Samples::I32($v) => $body,
            $crate::dicom::Samples::F32($v) => $body,
            $crate::dicom::Samples::F64($v) => $body,
        }
    };
}
pub(crate) use each;

impl Samples {
    /// Number of samples.
    pub fn len(&self) -> usize {
        each!(self, v => v.len())
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Name of the type.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::U8(_) => "uint8",
            Self::I8(_) => "int8",
            Self::U16(_) => "uint16",
            Self::I16(_) => "int16",
            Self::U32(_) => "uint32",
            Self::I32(_) => "int32",
            Self::F32(_) => "float32",
            Self::F64(_) => "float64",
        }
    }

    /// The bytes that pydicom's `pixel_array` has on a little-endian machine (we build for no other).
    pub fn le_bytes(&self) -> &[u8] {
        each!(self, v => cast_slice(v))
    }

    /// Zeroed samples of the type that a format needs.
    pub(super) fn zeroed(format: &PixelFormat) -> Self {
        let n = format.samples_per_frame();
        match (format.kind, format.bits_allocated, format.signed) {
            (SampleKind::Float, ..) => Self::F32(vec![0.0; n]),
            (SampleKind::Double, ..) => Self::F64(vec![0.0; n]),
            (_, 16, false) => Self::U16(vec![0; n]),
            (_, 16, true) => Self::I16(vec![0; n]),
            (_, 32, false) => Self::U32(vec![0; n]),
            (_, 32, true) => Self::I32(vec![0; n]),
            // One bit has no room for a sign (PS3.5 8.1.1).
            (_, 8, true) => Self::I8(vec![0; n]),
            _ => Self::U8(vec![0; n]),
        }
    }

    /// From integers of a codec: truncated to the allocated width, the sign is a matter of `extend`.
    pub(super) fn from_ints(format: &PixelFormat, values: impl Iterator<Item = i32>) -> Self {
        let mut samples = Self::zeroed(format);
        macro_rules! fill {
            ($out:expr, $type:ty) => {
                $out.iter_mut().zip(values).for_each(|(out, value)| *out = value as $type)
            };
        }
        match &mut samples {
            Self::U8(out) => fill!(out, u8),
            Self::I8(out) => fill!(out, i8),
            Self::U16(out) => fill!(out, u16),
            Self::I16(out) => fill!(out, i16),
            Self::U32(out) => fill!(out, u32),
            Self::I32(out) => fill!(out, i32),
            Self::F32(out) => fill!(out, f32),
            Self::F64(out) => fill!(out, f64),
        }
        samples
    }

    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        each!(self, v => bytemuck::cast_slice_mut(v))
    }

    /// PS3.5 8.1.1: bits above Bits Stored say nothing; they become copies of the sign, or zero.
    pub(super) fn extend(&mut self, bits_stored: u32) {
        macro_rules! shift {
            ($v:expr, $bits:expr) => {
                if bits_stored < $bits {
                    let by = $bits - bits_stored;
                    $v.iter_mut().for_each(|x| *x = (*x << by) >> by);
                }
            };
        }
        match self {
            Self::U8(v) => shift!(v, 8),
            Self::I8(v) => shift!(v, 8),
            Self::U16(v) => shift!(v, 16),
            Self::I16(v) => shift!(v, 16),
            Self::U32(v) => shift!(v, 32),
            Self::I32(v) => shift!(v, 32),
            Self::F32(_) | Self::F64(_) => {}
        }
    }

    pub(super) fn swap_bytes(&mut self) {
        macro_rules! swap {
            ($v:expr) => {
                $v.iter_mut().for_each(|x| *x = x.swap_bytes())
            };
        }
        match self {
            Self::U8(_) | Self::I8(_) => {}
            Self::U16(v) => swap!(v),
            Self::I16(v) => swap!(v),
            Self::U32(v) => swap!(v),
            Self::I32(v) => swap!(v),
            Self::F32(v) => v.iter_mut().for_each(|x| *x = f32::from_bits(x.to_bits().swap_bytes())),
            Self::F64(v) => v.iter_mut().for_each(|x| *x = f64::from_bits(x.to_bits().swap_bytes())),
        }
    }

    /// Planar Configuration 1 to 0: plane after plane becomes pixel after pixel.
    pub(super) fn interleave(self) -> Self {
        fn planes<T: Copy>(v: Vec<T>) -> Vec<T> {
            let n = v.len() / 3;
            (0..n).flat_map(|i| [v[i], v[n + i], v[2 * n + i]]).collect()
        }
        match self {
            Self::U8(v) => Self::U8(planes(v)),
            Self::I8(v) => Self::I8(planes(v)),
            Self::U16(v) => Self::U16(planes(v)),
            Self::I16(v) => Self::I16(planes(v)),
            Self::U32(v) => Self::U32(planes(v)),
            Self::I32(v) => Self::I32(planes(v)),
            Self::F32(v) => Self::F32(planes(v)),
            Self::F64(v) => Self::F64(planes(v)),
        }
    }
}
