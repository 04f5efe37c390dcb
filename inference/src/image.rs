//! An image on its way to a model: what an executor may do with it before the first operator.
//!
//! In stored numbers, as the image lies in memory: half the bytes of floats go to a device, and what the numbers mean is
//! one more linear step.

/// Stored numbers, columns first.
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // Their types.
pub enum Stored<'a> {
    I16(&'a [i16]),
    U16(&'a [u16]),
    F32(&'a [f32]),
}

impl Stored<'_> {
    /// Numbers.
    pub const fn len(&self) -> usize {
        match self {
            Self::I16(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::F32(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// As they lie in memory.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::I16(v) => bytemuck::cast_slice(v),
            Self::U16(v) => bytemuck::cast_slice(v),
            Self::F32(v) => bytemuck::cast_slice(v),
        }
    }
}

/// One volume of grey values.
#[derive(Clone, Copy, Debug)]
pub struct Image<'a> {
    /// As many as `dims` says.
    pub stored: Stored<'a>,
    /// Columns, rows, slices.
    pub dims: [usize; 3],
    /// Stored numbers that are no measurement, both inclusive; nor is what is not finite.
    pub padding: Option<[f64; 2]>,
    /// What takes their place, as a stored number.
    pub fill: f64,
}

/// Where samples lie in an image.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// Samples along columns, rows and depth.
    pub dims: [usize; 3],
    /// In voxels of the image (columns, rows, slices), 0 in the middle of the first: the first sample.
    pub origin: [f64; 3],
    /// In voxels: from a sample to the next along columns, along rows, along depth.
    pub steps: [[f64; 3]; 3],
    /// Between the eight neighbours, the outermost half voxel as its voxel; else the nearest voxel.
    pub linear: bool,
    /// How far below the middle between two voxels a place counts as belonging to the upper one, in voxels.
    pub slack: f64,
}

impl Sampling {
    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.dims.iter().product()
    }

    /// A sample's place in voxels of the image.
    pub fn place(&self, at: [usize; 3]) -> [f64; 3] {
        std::array::from_fn(|k| {
            (0..3).fold(self.origin[k], |p, axis| self.steps[axis][k].mul_add(at[axis] as f64, p))
        })
    }
}

/// A linear step: `(value - centre) · scale + offset`, then perhaps nothing below 0 and above 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Level {
    /// Subtracted first, so that nothing large is left to cancel.
    pub centre: f64,
    /// Factor.
    pub scale: f64,
    /// Added last.
    pub offset: f64,
    /// To 0..=1.
    pub clip: bool,
}

/// What samples that lie in the image are like.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Measured {
    /// How many.
    pub count: u64,
    /// Smallest value; 0 where there is none.
    pub least: f64,
    /// Largest value; 0 where there is none.
    pub most: f64,
    /// Sum of `value - centre`.
    pub sum: f64,
    /// Sum of `(value - centre)²`.
    pub squares: f64,
}
