//! The voxels of one series, with everything needed to say what a value is and where it lies.

use std::sync::Arc;

use scene::{Grid, VoiFunction, Window};
use serde::{Deserialize, Serialize};

/// Stored values, in the narrowest type that holds them exactly. Order: columns, rows, slices, time points.
#[derive(Clone, Debug, PartialEq)]
pub enum Voxels {
    /// Everything integer that fits: 8-bit, 12-bit, CT.
    I16(Vec<i16>),
    /// Unsigned with 16 bits stored.
    U16(Vec<u16>),
    /// 32-bit integers, floats, and series whose slices have different rescales (then already in `unit`).
    F32(Vec<f32>),
    /// Red, green, blue, 255.
    Rgba8(Vec<[u8; 4]>),
}

impl Voxels {
    /// Number of voxels over all time points.
    pub fn len(&self) -> usize {
        match self {
            Self::I16(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::F32(v) => v.len(),
            Self::Rgba8(v) => v.len(),
        }
    }
    /// Whether there is no voxel.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Stored value as a number; `None` for colour.
    pub fn get(&self, index: usize) -> Option<f64> {
        match self {
            Self::I16(v) => v.get(index).map(|x| f64::from(*x)),
            Self::U16(v) => v.get(index).map(|x| f64::from(*x)),
            Self::F32(v) => v.get(index).map(|x| f64::from(*x)),
            Self::Rgba8(_) => None,
        }
    }
}

/// Rescale Slope and Intercept (PS3.3 C.11.1.1.2): `value = slope * stored + intercept`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rescale {
    /// (0028,1053)
    pub slope: f64,
    /// (0028,1052)
    pub intercept: f64,
}

impl Default for Rescale {
    fn default() -> Self {
        Self { slope: 1.0, intercept: 0.0 }
    }
}

impl Rescale {
    /// The value of a stored number.
    pub fn apply(&self, stored: f64) -> f64 {
        self.slope * stored + self.intercept
    }
}

/// Pixel Padding Value and Range Limit (PS3.3 C.7.5.1.1.2), as stored values, both inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Padding {
    /// Smallest padding value.
    pub low: f64,
    /// Largest padding value.
    pub high: f64,
}

impl Padding {
    /// Whether a stored value is padding.
    pub fn contains(&self, stored: f64) -> bool {
        stored >= self.low && stored <= self.high
    }
}

/// The voxels of one series in the world. 4D series hold all time points; `grid.dims()` is one time point.
#[derive(Clone, Debug, PartialEq)]
pub struct Volume {
    /// Stored values.
    pub voxels: Voxels,
    /// Placement of one time point.
    pub grid: Grid,
    /// 1 for a 3D series.
    pub time_points: u32,
    /// Seconds from the first time point; one entry per time point, empty for a 3D series.
    pub times_s: Vec<f64>,
    /// From stored values to `unit`.
    pub rescale: Rescale,
    /// Stored values that are no measurement.
    pub padding: Option<Padding>,
    /// `HU`, ... empty when the file names none.
    pub unit: String,
    /// Low values are bright.
    pub monochrome1: bool,
    /// Windows of the file with their explanation (0028,1055).
    pub windows: Vec<(String, Window)>,
    /// VOI LUT Sequence (0028,3010) of the middle slice, if it has one.
    pub voi_lut: Option<Arc<VoiLut>>,
    /// `[time_index, slice]` of slices that no instance gave or that could not be decoded: no measurement.
    pub missing: Vec<[u32; 2]>,
    /// How the pixels were compressed with loss, in words; `None` when they were not.
    pub lossy: Option<String>,
}

/// A table from values to grey levels (PS3.3 C.11.2.1.1): `output[clamp(value - first, 0, len - 1)]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct VoiLut {
    /// Smallest value that the table maps, in `unit`.
    pub first: f64,
    /// Grey levels.
    pub output: Vec<u16>,
    /// Bits of a grey level: white is `2^bits - 1`.
    pub bits: u8,
    /// LUT Explanation (0028,3003).
    pub explanation: String,
}

impl VoiLut {
    /// What a list of windows calls it.
    pub fn name(&self) -> String {
        if self.explanation.is_empty() { "VOI LUT".to_owned() } else { self.explanation.clone() }
    }

    /// Its domain as a window that asks for the table.
    pub fn window(&self) -> Window {
        let width = self.output.len() as f64;
        Window { center: self.first + 0.5 * width, width, function: VoiFunction::Lut }
    }

    /// Grey level in 0..=1.
    pub fn apply(&self, value: f64) -> f64 {
        let last = self.output.len().saturating_sub(1);
        let index = (value - self.first).clamp(0.0, last as f64) as usize;
        let white = f64::from((1u32 << self.bits.clamp(1, 16)) - 1);
        self.output.get(index).map_or(0.0, |level| f64::from(*level) / white)
    }
}

impl Volume {
    /// A 3D volume whose stored values are its values: no rescale, padding, unit or window.
    pub fn new(voxels: Voxels, grid: Grid) -> Self {
        Self {
            voxels,
            grid,
            time_points: 1,
            times_s: Vec::new(),
            rescale: Rescale::default(),
            padding: None,
            unit: String::new(),
            monochrome1: false,
            windows: Vec::new(),
            voi_lut: None,
            missing: Vec::new(),
            lossy: None,
        }
    }

    /// Index of a voxel in `voxels`.
    pub fn index(&self, voxel: [u32; 3], time_index: u32) -> usize {
        let [nx, ny, nz] = self.grid.dims().map(|n| n as usize);
        let [x, y, z] = voxel.map(|n| n as usize);
        ((time_index as usize * nz + z) * ny + y) * nx + x
    }

    /// Value in `unit`; `None` for colour, padding and slices that are missing.
    pub fn value(&self, voxel: [u32; 3], time_index: u32) -> Option<f64> {
        if self.missing.contains(&[time_index, voxel[2]]) {
            return None;
        }
        let stored = self.voxels.get(self.index(voxel, time_index))?;
        (!self.padding.is_some_and(|p| p.contains(stored))).then(|| self.rescale.apply(stored))
    }
}
