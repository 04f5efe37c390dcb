//! An image to what a model expects, and the model's answer back to the image's grid.
//!
//! Everything is declared by the model's card (`contract::models`), nothing is guessed. The grid that was
//! sampled is kept with the tensor, so that the way back needs nothing but that grid, also for oblique scans.

#[cfg(feature = "models")]
mod device;
mod geometry;
mod intensity;
mod post;
mod sample;

use contract::models::{Fit, Input, Layout, Output, OutputKind};
#[cfg(feature = "models")]
pub use device::prepare_there;
use imaging::Volume;
use scene::{Grid, GridError};

use crate::resample::labels_onto;

/// More samples than any tensor that fits a machine; sizes come from files of others.
const MAX_SAMPLES: u64 = 1 << 31;

/// Why there is no tensor, or no label map.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PrepareError {
    /// The model wants something that images here do not have.
    #[error("This model takes {0}, which a volume of grey values does not give. Choose another model.")]
    Unsupported(String),
    /// Red, green and blue.
    #[error("The image is in colour; models of volumes take grey values. Load a series with grey values.")]
    Colour,
    /// Slices that are not there have no values.
    #[error("{0} slices are missing or broken: a model would take them for air. Load the whole series.")]
    Missing(usize),
    /// No finite value anywhere, or none above what the model crops at.
    #[error("The image has no voxel {0}. Check that it is the right series.")]
    Nothing(String),
    /// A letter such as R means nothing for a picture.
    #[error("The model wants the orientation {0}, but the image does not say how it lies in the patient.")]
    NoOrientation(String),
    /// The model's spacing is in millimetres.
    #[error("The model wants samples in millimetres, but the image does not say how large its voxels are.")]
    NoSpacing,
    /// A grid that cannot be.
    #[error("The model's grid cannot be laid over the image: {0}")]
    Grid(#[from] GridError),
    /// Sizes that no memory holds.
    #[error("The model's grid would have {0} samples, more than {MAX_SAMPLES}. Check its spacing and size.")]
    TooLarge(u64),
    /// A time point that is not there.
    #[error("There is no time point {0}, the series has {1}.")]
    NoTime(u32, u32),
    /// The answer has another size than the question.
    #[error("The model answered {found} numbers, {expected} were expected. Check its output specification.")]
    Answer {
        /// By the shape that was asked with.
        expected: usize,
        /// As it came.
        found: usize,
    },
    /// A class without a label in a byte.
    #[error("The model has {0} classes, at most 256 fit into a label map.")]
    Classes(usize),
}

/// The model's input for one image.
#[derive(Clone, Debug, PartialEq)]
pub struct Prepared {
    /// In the order of `shape`, last axis fastest.
    pub tensor: Vec<f32>,
    /// One case, one channel, then the axes of space, slowest first (depth, rows, columns).
    pub shape: Vec<usize>,
    /// Where the samples lie: `grid.dims()` is columns, rows, depth of the tensor.
    pub grid: Grid,
}

impl Prepared {
    /// Samples along the axes of space, slowest first.
    pub fn space(&self) -> [usize; 3] {
        let [columns, rows, depth] = self.grid.dims().map(|n| n as usize);
        [depth, rows, columns]
    }

    /// Number of samples.
    pub fn samples(&self) -> usize {
        self.grid.voxel_count()
    }
}

/// What a model answered.
#[derive(Clone, Copy, Debug)]
pub enum Answer<'a> {
    /// One number per class and sample: all samples of class 0, then those of class 1 and so on.
    Scores(&'a [f32]),
    /// The class of each sample.
    Classes(&'a [u8]),
}

/// The grid that `prepare` samples, without sampling: its size decides whether a machine can hold the model.
pub fn grid(volume: &Volume, time_index: u32, input: &Input) -> Result<Grid, PrepareError> {
    admit(volume, time_index, input)?;
    geometry::model_grid(volume, time_index, &input.geometry)
}

/// Samples `volume` on the model's grid and brings its values where the model wants them.
pub fn prepare(volume: &Volume, time_index: u32, input: &Input) -> Result<Prepared, PrepareError> {
    prepare_on(grid(volume, time_index, input)?, volume, time_index, input)
}

/// As [`prepare`], on the grid that [`grid`] found: looking for the head in a volume is done once.
pub fn prepare_on(
    grid: Grid,
    volume: &Volume,
    time_index: u32,
    input: &Input,
) -> Result<Prepared, PrepareError> {
    let mut sampled = sample::sample(volume, time_index, &grid, input.geometry.interpolation)?;
    intensity::apply(&mut sampled, &input.intensity);
    Ok(Prepared { tensor: sampled.values, shape: shape(&grid, input), grid })
}

/// Of the tensor for a grid: one case, one channel, then the axes of space, slowest first.
pub fn shape(grid: &Grid, input: &Input) -> Vec<usize> {
    let [columns, rows, depth] = grid.dims().map(|n| n as usize);
    match input.layout {
        Layout::Ncdhw => vec![1, 1, depth, rows, columns],
        Layout::Nchw => vec![1, 1, rows, columns],
    }
}

/// Letters for `Geometry::orientation` that leave a volume as it is, its first index slowest: the order in which
/// nibabel and numpy hand an array to a model. Empty where the image does not say how it lies in the patient.
pub fn index_order(grid: &Grid) -> String {
    geometry::letters(grid)
}

fn admit(volume: &Volume, time_index: u32, input: &Input) -> Result<(), PrepareError> {
    if input.channels != 1 {
        return Err(PrepareError::Unsupported(format!("{} channels", input.channels)));
    }
    if input.layout != Layout::Ncdhw {
        return Err(PrepareError::Unsupported("single pictures".into()));
    }
    if let Fit::Cover { .. } = input.geometry.fit {
        return Err(PrepareError::Unsupported("single pictures cut to a square".into()));
    }
    if matches!(volume.voxels, imaging::Voxels::Rgba8(_)) {
        return Err(PrepareError::Colour);
    }
    if time_index >= volume.time_points {
        return Err(PrepareError::NoTime(time_index, volume.time_points));
    }
    let missing = volume.missing.iter().filter(|[time, _]| *time == time_index).count();
    if missing > 0 {
        return Err(PrepareError::Missing(missing));
    }
    Ok(())
}

/// The label of every voxel of `source` from a model's answer on `grid` ([`Prepared::grid`]).
pub fn restore(answer: Answer, grid: &Grid, output: &Output, source: &Grid) -> Result<Vec<u8>, PrepareError> {
    let mut classes = match answer {
        Answer::Scores(scores) => largest_class(scores, grid.voxel_count())?,
        Answer::Classes(classes) if classes.len() == grid.voxel_count() => classes.to_vec(),
        Answer::Classes(classes) => {
            return Err(PrepareError::Answer { expected: grid.voxel_count(), found: classes.len() });
        }
    };
    // A class that the card gives no name is no structure.
    let mut named = [false; 256];
    for label in &output.labels {
        if let Some(slot) = named.get_mut(usize::from(label.index)) {
            *slot = label.index != 0;
        }
    }
    classes.iter_mut().filter(|class| !named[usize::from(**class)]).for_each(|class| *class = 0);
    let dims = grid.dims().map(|n| n as usize);
    for step in &output.post {
        post::apply(*step, &mut classes, dims);
    }
    Ok(labels_onto(grid, &classes, source))
}

/// What a card's output is, as [`Answer`] needs it.
pub fn answers_scores(output: &Output) -> bool {
    matches!(output.kind, OutputKind::Logits | OutputKind::Probabilities)
}

/// Per sample the class with the largest score, the first of equal ones, as ONNX ArgMax chooses. A score that is
/// no number never wins.
fn largest_class(scores: &[f32], samples: usize) -> Result<Vec<u8>, PrepareError> {
    if samples == 0 || scores.is_empty() || !scores.len().is_multiple_of(samples) {
        return Err(PrepareError::Answer { expected: samples, found: scores.len() });
    }
    let count = scores.len() / samples;
    if count > 256 {
        return Err(PrepareError::Classes(count));
    }
    let mut best = vec![f32::NEG_INFINITY; samples];
    let mut classes = vec![0u8; samples];
    for (class, plane) in scores.chunks_exact(samples).enumerate() {
        for ((best, winner), score) in best.iter_mut().zip(&mut classes).zip(plane) {
            if *score > *best {
                *best = *score;
                *winner = class as u8;
            }
        }
    }
    Ok(classes)
}

#[cfg(test)]
mod tests;
