//! What has to be done to an image before a model sees it.
//!
//! Declared with the model and never guessed from it: the same numbers on a flipped or differently spaced
//! grid give a mask that looks right and is not.

use serde::{Deserialize, Serialize};

/// The graph's input and the way from an image to it: first the geometry, then the intensities.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// Name of the graph's input.
    pub name: String,
    /// Meaning of the tensor's axes.
    pub layout: Layout,
    /// 1 for grey, 3 for red, green and blue.
    pub channels: u32,
    /// On which grid the image is sampled.
    pub geometry: Geometry,
    /// Steps in this order, each on the result of the one before.
    #[serde(default)]
    pub intensity: Vec<Intensity>,
}

/// Axes of a tensor, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// One case, channels, three axes of space.
    Ncdhw,
    /// One case, channels, rows, columns.
    Nchw,
}

/// The grid that the model was trained on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Geometry {
    /// Three of the letters R L, A P, S I: towards what each axis of space grows, slowest axis first. For
    /// example `RAS`: the first axis after the channels grows towards the patient's right. Empty: the
    /// axes of the image as they are stored, slowest first (slices, rows, columns).
    #[serde(default)]
    pub orientation: String,
    /// What the letters are measured against.
    #[serde(default)]
    pub alignment: Alignment,
    /// Distance of samples along the axes, slowest first; absent: the image's own (with [`Fit::Stretch`],
    /// what the size makes of it).
    #[serde(default)]
    pub spacing_mm: Option<[f64; 3]>,
    /// How many samples along each axis, slowest first.
    pub size: Size,
    /// What happens where image and size differ.
    pub fit: Fit,
    /// How values between voxels are made.
    #[serde(default)]
    pub interpolation: Interpolation,
    /// Before all: only the box around the voxels above this value, in the image's unit.
    #[serde(default)]
    pub crop_above: Option<f64>,
    /// How far that box is widened on each side, as a part of its size.
    #[serde(default)]
    pub crop_margin: f64,
}

/// What the letters of an orientation are measured against.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Alignment {
    /// The patient's axes: an oblique scan is resampled along them.
    #[default]
    Patient,
    /// The image's own axes, permuted and flipped to lie closest to the letters.
    Closest,
}

/// How many samples a model takes along the axes of space, slowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "samples")]
pub enum Size {
    /// Exactly these.
    Fixed([u32; 3]),
    /// The next multiple of these that holds the image.
    MultipleOf([u32; 3]),
}

/// What happens where image and size differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Fit {
    /// The middle stays the middle; what is missing is padded with the smallest value, the rest is cut off.
    PadOrCrop,
    /// The image's box is stretched over all samples.
    Stretch,
    /// The shorter side becomes `short_side` samples, then the middle is taken.
    Cover {
        /// Samples along the shorter side before the cut.
        short_side: u32,
    },
}

/// How values between voxels are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// Between the eight neighbours.
    #[default]
    Linear,
    /// The nearest voxel.
    Nearest,
}

/// One step from values to what the model expects. Statistics are taken over the samples that lie in the
/// image, not over padding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Intensity {
    /// `low` to 0 and `high` to 1; absent ends are the smallest and the largest value.
    Range {
        /// In the image's unit.
        #[serde(default)]
        low: Option<f64>,
        /// In the image's unit.
        #[serde(default)]
        high: Option<f64>,
        /// Values outside become 0 and 1.
        clip: bool,
    },
    /// The values at two quantiles to 0 and 1 (linear between order statistics, as numpy does).
    Quantile {
        /// Between 0 and 1.
        low: f64,
        /// Between 0 and 1, above `low`.
        high: f64,
        /// Values outside become 0 and 1.
        clip: bool,
    },
    /// Less the mean, divided by the standard deviation; absent ones are those of the samples.
    ZScore {
        /// In the unit that the step before left.
        #[serde(default)]
        mean: Option<f64>,
        /// In the unit that the step before left; with `n - 1` in the denominator where it is computed.
        #[serde(default)]
        sd: Option<f64>,
    },
    /// Times `scale` plus `offset`.
    Linear {
        /// Factor.
        scale: f64,
        /// Added after.
        offset: f64,
    },
}
