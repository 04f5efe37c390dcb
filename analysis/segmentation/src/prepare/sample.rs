//! Values of an image at the samples of another grid.
//!
//! In stored numbers, rescaled once at the end: rescaling is linear, so the order changes nothing but the time.

use contract::models::Interpolation;
use imaging::{Volume, Voxels};
use scene::{DVec3, Grid};

use super::PrepareError;
use crate::resample::nearest;

/// Samples in the order of the tensor, and which of them lie in the image.
pub(super) struct Sampled {
    pub values: Vec<f32>,
    /// One bit per sample would do; a byte is walked faster. 0 is padding.
    pub inside: Vec<u8>,
}

/// What the typed loop needs to know.
struct Job<'a> {
    dims: [i64; 3],
    grid: &'a Grid,
    source: &'a Grid,
    linear: bool,
    /// Whether a stored number is a measurement.
    valid: &'a dyn Fn(f64) -> bool,
}

pub(super) fn sample(
    volume: &Volume,
    time_index: u32,
    grid: &Grid,
    interpolation: Interpolation,
) -> Result<Sampled, PrepareError> {
    let count = volume.grid.voxel_count();
    let first = volume.index([0; 3], time_index);
    let valid =
        |stored: f64| stored.is_finite() && !volume.padding.is_some_and(|padding| padding.contains(stored));
    let job = Job {
        dims: volume.grid.dims().map(i64::from),
        grid,
        source: &volume.grid,
        linear: interpolation == Interpolation::Linear,
        valid: &valid,
    };
    let nothing = || PrepareError::Nothing("with a value".into());
    let (stored, smallest) = match &volume.voxels {
        Voxels::I16(v) => walk(&job, v.get(first..first + count).ok_or_else(nothing)?),
        Voxels::U16(v) => walk(&job, v.get(first..first + count).ok_or_else(nothing)?),
        Voxels::F32(v) => walk(&job, v.get(first..first + count).ok_or_else(nothing)?),
        Voxels::Rgba8(_) => return Err(PrepareError::Colour),
    };
    // What lies outside and what is no measurement becomes the smallest value: air, for most images.
    let fill = smallest.ok_or_else(nothing)?;
    let mut inside = Vec::with_capacity(stored.len());
    let values = stored
        .into_iter()
        .map(|value| {
            inside.push(u8::from(!value.is_nan()));
            let stored = if value.is_nan() { fill } else { f64::from(value) };
            volume.rescale.apply(stored) as f32
        })
        .collect();
    Ok(Sampled { values, inside })
}

/// Stored numbers at the samples, NaN outside, and the end of the stored numbers that is the smallest value.
fn walk<T: Copy + Into<f64>>(job: &Job, stored: &[T]) -> (Vec<f32>, Option<f64>) {
    let smallest = stored.iter().map(|v| (*v).into()).filter(|v| (job.valid)(*v)).reduce(f64::min);
    let Some(smallest) = smallest else { return (Vec::new(), None) };
    let [nx, ny, nz] = job.dims;
    let at = |i: i64, j: i64, k: i64| -> f64 {
        let index = (k * ny + j) * nx + i;
        let value = stored.get(index as usize).map_or(f64::NAN, |v| (*v).into());
        if (job.valid)(value) { value } else { smallest }
    };
    let source_from_sample = job.source.voxel_from_world() * job.grid.world_from_voxel();
    let [columns, rows, depth] = job.grid.dims();
    let mut out = Vec::with_capacity(job.grid.voxel_count());
    for z in 0..depth {
        for y in 0..rows {
            let start = source_from_sample.transform_point3(DVec3::new(0.0, f64::from(y), f64::from(z)));
            for x in 0..columns {
                let p = start + source_from_sample.matrix3.x_axis * f64::from(x);
                let [i, j, k] = [p.x, p.y, p.z].map(nearest);
                if !((0..nx).contains(&i) && (0..ny).contains(&j) && (0..nz).contains(&k)) {
                    out.push(f32::NAN);
                } else if job.linear {
                    out.push(between(p, job.dims, &at) as f32);
                } else {
                    out.push(at(i, j, k) as f32);
                }
            }
        }
    }
    (out, Some(smallest))
}

/// Trilinear; the outermost half voxel takes the value of its voxel.
fn between(p: DVec3, [nx, ny, nz]: [i64; 3], at: &impl Fn(i64, i64, i64) -> f64) -> f64 {
    let base = p.floor();
    let f = p - base;
    let (i, j, k) = (base.x as i64, base.y as i64, base.z as i64);
    let x = [i.clamp(0, nx - 1), (i + 1).clamp(0, nx - 1)];
    let y = [j.clamp(0, ny - 1), (j + 1).clamp(0, ny - 1)];
    let z = [k.clamp(0, nz - 1), (k + 1).clamp(0, nz - 1)];
    let row = |j: usize, k: usize| {
        let (a, b) = (at(x[0], y[j], z[k]), at(x[1], y[j], z[k]));
        a + (b - a) * f.x
    };
    let plane = |k: usize| {
        let (a, b) = (row(0, k), row(1, k));
        a + (b - a) * f.y
    };
    let (a, b) = (plane(0), plane(1));
    a + (b - a) * f.z
}
