//! The same way of an image to a model where an executor has kernels for it: on a GPU.
//!
//! The stored numbers go up as they are and the samples stay there. What a step asks of all samples comes back as sums;
//! only quantiles, which need every sample at once, are found on the host.

use contract::models::{Input, Intensity, Interpolation};
use imaging::Volume;
use inference::exec::{Exec, ExecError, RunError};
use inference::image::{Image, Level, Sampling, Stored};
use scene::Grid;

use super::intensity::{self, Asks};
use super::{sample, shape};
use crate::resample::SLACK;
use crate::run::SegmentError;

fn failed(error: ExecError) -> SegmentError {
    let (operator, node) = ("preprocessing".to_owned(), "image".to_owned());
    SegmentError::Run(match error {
        ExecError::Op(error) => RunError::Node { operator, node, error },
        ExecError::Device(message) => RunError::Device { operator, node, message },
    })
}

/// As [`super::prepare_on`], on the executor: the tensor there and its shape. `None` where the executor does not sample,
/// or image and samples take more than `budget` bytes: the host prepares then.
///
/// # Errors
/// As on the host, and where the device fails.
pub async fn prepare_there<E: Exec>(
    exec: &mut E,
    budget: u64,
    grid: &Grid,
    volume: &Volume,
    time_index: u32,
    input: &Input,
) -> Result<Option<(E::Value, Vec<usize>)>, SegmentError> {
    let stored = sample::stored(volume, time_index)?;
    let mut fill = sample::fill(volume, stored)?;
    let image = Image {
        stored: match stored {
            sample::Stored::I16(v) => Stored::I16(v),
            sample::Stored::U16(v) => Stored::U16(v),
            sample::Stored::F32(v) => Stored::F32(v),
        },
        dims: volume.grid.dims().map(|n| n as usize),
        padding: volume.padding.map(|p| [p.low, p.high]),
        fill,
    };
    let source_from_sample = sample::source_from_sample(&volume.grid, grid);
    let matrix = source_from_sample.matrix3;
    let sampling = Sampling {
        dims: grid.dims().map(|n| n as usize),
        origin: source_from_sample.translation.to_array(),
        steps: [matrix.x_axis, matrix.y_axis, matrix.z_axis].map(|step| step.to_array()),
        linear: input.geometry.interpolation == Interpolation::Linear,
        slack: SLACK,
    };
    // A step reads samples and writes others.
    let needed = image.stored.bytes().len() as u64 + 2 * 4 * sampling.samples() as u64;
    if needed > budget || !exec.worth(sampling.samples()) {
        return Ok(None);
    }
    let shape = shape(grid, input);
    let Some(mut samples) = exec.sample(&image, &sampling, &shape).map_err(failed)? else { return Ok(None) };
    let rescale = volume.rescale;
    // The step that is known and not yet taken.
    let mut next =
        intensity::Level { centre: 0.0, scale: rescale.slope, offset: rescale.intercept, clip: false };
    for step in &input.intensity {
        samples = exec.level(&samples, &there(next), None).map_err(failed)?;
        fill = next.apply(fill);
        next = intensity::level(step, known(exec, &samples, step).await?);
    }
    let filled = exec.level(&samples, &there(next), Some(next.apply(fill))).map_err(failed)?;
    Ok(Some((filled, shape)))
}

fn there(level: intensity::Level) -> Level {
    let intensity::Level { centre, scale, offset, clip } = level;
    Level { centre, scale, offset, clip }
}

/// What a step asks of the samples.
async fn known<E: Exec>(
    exec: &mut E,
    samples: &E::Value,
    step: &Intensity,
) -> Result<[f64; 2], SegmentError> {
    Ok(match intensity::asks(step) {
        Asks::Nothing => [0.0; 2],
        Asks::Ends => {
            let all = exec.measure(samples, 0.0).await.map_err(failed)?;
            [all.least, all.most]
        }
        Asks::Moments => {
            let rough = exec.measure(samples, 0.0).await.map_err(failed)?;
            if rough.count < 2 {
                return Ok([rough.least, 0.0]);
            }
            // About the mean nothing cancels; what the sums leave mends the mean itself.
            let n = rough.count as f64;
            let centre = f64::from((rough.sum / n) as f32);
            let fine = exec.measure(samples, centre).await.map_err(failed)?;
            let scatter = (fine.squares - fine.sum * fine.sum / n).max(0.0);
            [centre + fine.sum / n, (scatter / (n - 1.0)).sqrt()]
        }
        Asks::Quantiles(parts) => {
            let mut values = exec.inside(samples).await.map_err(failed)?;
            parts.map(|q| intensity::quantile(&mut values, q))
        }
    })
}
