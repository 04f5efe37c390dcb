//! The 348 or 540 bytes of a NIfTI header, either byte order.
//!
//! What nibabel repairs on loading is repaired the same way and told; offsets are those of nifti1.h and
//! nifti2.h.

use scene::{Frame, Grid, LengthUnit, VoiFunction, Window};

use super::NiftiError;
use super::affine::{self, Placement};
use crate::limits::Limits;

/// The most that deflate expands (1032:1, RFC 1951).
const DEFLATE_MAX: u64 = 1032;

/// How voxels are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names of the types say it")]
pub enum DataType {
    U8,
    I8,
    I16,
    U16,
    I32,
    U32,
    I64,
    U64,
    F32,
    F64,
    Rgb24,
    Rgba32,
}

impl DataType {
    /// `datatype` of the header.
    fn from_code(code: i32) -> Result<Self, NiftiError> {
        let name = match code {
            2 => return Ok(Self::U8),
            4 => return Ok(Self::I16),
            8 => return Ok(Self::I32),
            16 => return Ok(Self::F32),
            64 => return Ok(Self::F64),
            128 => return Ok(Self::Rgb24),
            256 => return Ok(Self::I8),
            512 => return Ok(Self::U16),
            768 => return Ok(Self::U32),
            1024 => return Ok(Self::I64),
            1280 => return Ok(Self::U64),
            2304 => return Ok(Self::Rgba32),
            1 => "binary",
            32 => "complex64",
            1536 => "float128",
            1792 => "complex128",
            2048 => "complex256",
            _ => "unknown",
        };
        Err(NiftiError::DataType { code, name })
    }

    /// Bytes of a voxel.
    pub fn bytes(self) -> usize {
        match self {
            Self::U8 | Self::I8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::Rgb24 => 3,
            Self::I32 | Self::U32 | Self::F32 | Self::Rgba32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }
}

/// What a NIfTI header says, checked.
#[derive(Clone, Debug)]
pub struct NiftiHeader {
    /// 1 or 2.
    pub version: u8,
    /// Header and voxels in one file.
    pub single_file: bool,
    /// The voxels are gzipped.
    pub gzip: bool,
    /// Numbers are big endian.
    pub big_endian: bool,
    /// How voxels are stored.
    pub data_type: DataType,
    /// One time point in the world, LPS.
    pub grid: Grid,
    /// Product of the dimensions after the third.
    pub time_points: u32,
    /// Between time points; `None` where the header says nothing.
    pub time_step_s: Option<f64>,
    /// First byte of the voxels.
    pub data_offset: u64,
    /// `value = slope * stored + intercept`; `None` for values as stored.
    pub scale: Option<(f64, f64)>,
    /// Suggested display range.
    pub display_range: Option<(f64, f64)>,
    /// `descrip`
    pub description: String,
    /// What was repaired or guessed.
    pub warnings: Vec<String>,
}

impl NiftiHeader {
    /// Slices over all time points.
    pub(crate) fn slices(&self) -> usize {
        self.grid.dims()[2] as usize * self.time_points as usize
    }

    /// Seconds from the first time point; empty for 3D and unknown steps.
    pub(crate) fn times_s(&self) -> Vec<f64> {
        match self.time_step_s {
            Some(step) if self.time_points > 1 => {
                (0..self.time_points).map(|t| f64::from(t) * step).collect()
            }
            _ => Vec::new(),
        }
    }

    /// `cal_min` and `cal_max` as a window.
    pub(crate) fn windows(&self) -> Vec<(String, Window)> {
        let window = |(low, high): (f64, f64)| Window {
            center: 0.5 * (low + high),
            width: high - low,
            function: VoiFunction::LinearExact,
        };
        self.display_range.map(|r| ("cal_min, cal_max".to_owned(), window(r))).into_iter().collect()
    }

    /// Bytes of all voxels.
    pub(crate) fn data_bytes(&self) -> u64 {
        let [x, y, z] = self.grid.dims().map(u64::from);
        x.saturating_mul(y)
            .saturating_mul(z)
            .saturating_mul(u64::from(self.time_points))
            .saturating_mul(self.data_type.bytes() as u64)
    }

    /// Whether a file of this length can hold the voxels.
    pub(crate) fn check_promise(&self, len: u64, limits: &Limits) -> Result<(), NiftiError> {
        let expected = self.data_bytes();
        let most = if self.gzip {
            len.saturating_mul(DEFLATE_MAX).min(limits.max_pixels_bytes)
        } else {
            len.saturating_sub(self.data_offset)
        };
        if expected > most { Err(NiftiError::Promise { expected, most }) } else { Ok(()) }
    }
}

/// Version and byte order, from `sizeof_hdr`.
pub(super) fn version(bytes: &[u8]) -> Option<(u8, bool)> {
    let size: [u8; 4] = bytes.get(0..4)?.try_into().ok()?;
    let (version, big) = match (i32::from_le_bytes(size), i32::from_be_bytes(size)) {
        (348, _) => (1, false),
        (_, 348) => (1, true),
        (540, _) => (2, false),
        (_, 540) => (2, true),
        _ => return None,
    };
    if version == 2 {
        return matches!(bytes.get(4..7), Some(b"n+2" | b"ni2")).then_some((2, big));
    }
    Some((1, big))
}

/// Numbers at offsets, in the file's byte order.
struct Fields<'a> {
    bytes: &'a [u8],
    big: bool,
}

macro_rules! field {
    ($name:ident, $type:ty) => {
        fn $name(&self, at: usize) -> $type {
            let raw = self.bytes.get(at..at + size_of::<$type>()).and_then(|b| b.try_into().ok());
            let raw = raw.unwrap_or_default();
            if self.big { <$type>::from_be_bytes(raw) } else { <$type>::from_le_bytes(raw) }
        }
    };
}

impl Fields<'_> {
    field!(i16, i16);
    field!(i32, i32);
    field!(i64, i64);
    field!(f32, f32);
    field!(f64, f64);
}

/// The fields that both versions have, widened.
struct Raw {
    dim: [i64; 8],
    data_type: i32,
    pixdim: [f64; 8],
    vox_offset: f64,
    slope: f64,
    intercept: f64,
    units: i32,
    display: (f64, f64),
    qform_code: i32,
    sform_code: i32,
    quaternion: [f64; 3],
    offset: [f64; 3],
    srow: [[f64; 4]; 3],
    description: std::ops::Range<usize>,
    magic: usize,
}

fn raw_1(f: &Fields) -> Raw {
    let f32s = |at: usize| f64::from(f.f32(at));
    Raw {
        dim: std::array::from_fn(|i| i64::from(f.i16(40 + 2 * i))),
        data_type: i32::from(f.i16(70)),
        pixdim: std::array::from_fn(|i| f32s(76 + 4 * i)),
        vox_offset: f32s(108),
        slope: f32s(112),
        intercept: f32s(116),
        units: i32::from(f.bytes.get(123).copied().unwrap_or(0)),
        display: (f32s(128), f32s(124)),
        qform_code: i32::from(f.i16(252)),
        sform_code: i32::from(f.i16(254)),
        quaternion: std::array::from_fn(|i| f32s(256 + 4 * i)),
        offset: std::array::from_fn(|i| f32s(268 + 4 * i)),
        srow: std::array::from_fn(|r| std::array::from_fn(|c| f32s(280 + 16 * r + 4 * c))),
        description: 148..228,
        magic: 344,
    }
}

fn raw_2(f: &Fields) -> Raw {
    Raw {
        dim: std::array::from_fn(|i| f.i64(16 + 8 * i)),
        data_type: i32::from(f.i16(12)),
        pixdim: std::array::from_fn(|i| f.f64(104 + 8 * i)),
        vox_offset: f.i64(168) as f64,
        slope: f.f64(176),
        intercept: f.f64(184),
        units: f.i32(500),
        display: (f.f64(200), f.f64(192)),
        qform_code: f.i32(344),
        sform_code: f.i32(348),
        quaternion: std::array::from_fn(|i| f.f64(352 + 8 * i)),
        offset: std::array::from_fn(|i| f.f64(376 + 8 * i)),
        srow: std::array::from_fn(|r| std::array::from_fn(|c| f.f64(400 + 32 * r + 8 * c))),
        description: 240..320,
        magic: 4,
    }
}

/// Parses and checks.
pub(super) fn parse(bytes: &[u8]) -> Result<NiftiHeader, NiftiError> {
    let (version, big_endian) = version(bytes).ok_or(NiftiError::Short(bytes.len()))?;
    let size = if version == 1 { 348 } else { 540 };
    if bytes.len() < size {
        return Err(NiftiError::Short(bytes.len()));
    }
    let fields = Fields { bytes, big: big_endian };
    let raw = if version == 1 { raw_1(&fields) } else { raw_2(&fields) };
    let single_file = match bytes.get(raw.magic..raw.magic + 3) {
        Some(b"n+1" | b"n+2") => true,
        Some(b"ni1" | b"ni2") => false,
        _ => return Err(NiftiError::Analyze),
    };
    let data_type = DataType::from_code(raw.data_type)?;
    let mut warnings = Vec::new();
    let (dims, time_points) = dimensions(&raw.dim, &mut warnings)?;
    let (space_mm, time_s) = units(raw.units, &mut warnings);
    let placement = Placement {
        dims,
        pixdim: [raw.pixdim[0], raw.pixdim[1], raw.pixdim[2], raw.pixdim[3]],
        qform_code: raw.qform_code,
        sform_code: raw.sform_code,
        quaternion: raw.quaternion,
        offset: raw.offset,
        srow: raw.srow,
    };
    let world_from_voxel = affine::world_from_voxel(&placement, space_mm, &mut warnings);
    let grid = Grid::new(dims, world_from_voxel, LengthUnit::Millimetre, Frame::Patient)?;
    let least = if version == 1 { 352.0 } else { 544.0 };
    let vox_offset = if raw.vox_offset.is_finite() { raw.vox_offset } else { 0.0 };
    let data_offset = match single_file {
        true if vox_offset < least => {
            if vox_offset != 0.0 {
                warnings.push(format!(
                    "vox_offset is {vox_offset}, before the end of the header; {least} is used."
                ));
            }
            least
        }
        _ => vox_offset.max(0.0),
    } as u64;
    let step = raw.pixdim[4] * time_s;
    let time_step_s = (step > 0.0 && step.is_finite()).then_some(step);
    if time_points > 1 && time_step_s.is_none() {
        warnings.push(format!(
            "The time between volumes is unknown: pixdim[4] is {}. Times are counted in volumes.",
            raw.pixdim[4]
        ));
    }
    let (low, high) = raw.display;
    Ok(NiftiHeader {
        version,
        single_file,
        gzip: false,
        big_endian,
        data_type,
        grid,
        time_points,
        time_step_s,
        data_offset,
        scale: scale(raw.slope, raw.intercept, &mut warnings),
        display_range: (low.is_finite() && high.is_finite() && high > low).then_some((low, high)),
        description: text(bytes.get(raw.description.clone()).unwrap_or_default()),
        warnings,
    })
}

/// nibabel `get_slope_inter`: a slope of 0 or no number means no scaling.
fn scale(slope: f64, intercept: f64, warnings: &mut Vec<String>) -> Option<(f64, f64)> {
    if slope == 0.0 || !slope.is_finite() {
        return None;
    }
    if !intercept.is_finite() {
        warnings.push(format!("scl_inter is {intercept}; 0 is used."));
        return Some((slope, 0.0)).filter(|s| *s != (1.0, 0.0));
    }
    Some((slope, intercept)).filter(|s| *s != (1.0, 0.0))
}

/// Columns, rows, slices, and the product of what follows.
fn dimensions(dim: &[i64; 8], warnings: &mut Vec<String>) -> Result<([u32; 3], u32), NiftiError> {
    let wrong = || NiftiError::Dimensions(format!("dim = {dim:?}"));
    let n = usize::try_from(dim[0]).ok().filter(|n| (1..=7).contains(n)).ok_or_else(wrong)?;
    let mut sizes = [1u32; 7];
    for (size, d) in sizes.iter_mut().zip(&dim[1..=n]) {
        // Trailing dimensions of 0 stand for 1 in the wild; the first three must be there.
        *size = u32::try_from(*d).map_err(|_| wrong())?;
    }
    if sizes[..3.min(n)].contains(&0) {
        return Err(wrong());
    }
    let time_points =
        sizes[3..].iter().try_fold(1u32, |product, d| product.checked_mul((*d).max(1))).ok_or_else(wrong)?;
    if n > 4 && sizes[4..].iter().any(|d| *d > 1) {
        warnings.push(format!(
            "The file has {n} dimensions ({:?}); all after the third are shown one after the other as time.",
            &sizes[..n]
        ));
    }
    Ok(([sizes[0], sizes[1], sizes[2]], time_points))
}

/// `xyzt_units`: factors to millimetres and seconds.
fn units(code: i32, warnings: &mut Vec<String>) -> (f64, f64) {
    let space_mm = match code & 0x07 {
        1 => 1000.0,
        3 => 0.001,
        _ => 1.0,
    };
    if space_mm != 1.0 {
        let name = if space_mm > 1.0 { "metres" } else { "micrometres" };
        warnings.push(format!("The file is in {name}; lengths were converted to millimetres."));
    }
    let time_s = match code & 0x38 {
        16 => 1e-3,
        24 => 1e-6,
        _ => 1.0,
    };
    (space_mm, time_s)
}

fn text(bytes: &[u8]) -> String {
    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
    let clean = String::from_utf8_lossy(&bytes[..end]);
    clean.chars().filter(|c| !c.is_control()).collect::<String>().trim().to_owned()
}
