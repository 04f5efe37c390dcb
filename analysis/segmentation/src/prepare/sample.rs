//! Values of an image at the samples of another grid.
//!
//! In stored numbers, rescaled once at the end: rescaling is linear, so the order changes nothing but the time.

use contract::models::Interpolation;
use imaging::{Volume, Voxels};
use scene::{DAffine3, DVec3, Grid};

use super::PrepareError;
use crate::resample::nearest;

/// Samples in the order of the tensor, and which of them lie in the image.
pub(super) struct Sampled {
    pub values: Vec<f32>,
    /// One bit per sample would do; a byte is walked faster. 0 is padding.
    pub inside: Vec<u8>,
}

/// The stored numbers of one time point, columns first.
#[derive(Clone, Copy)]
pub(super) enum Stored<'a> {
    I16(&'a [i16]),
    U16(&'a [u16]),
    F32(&'a [f32]),
}

pub(super) fn stored(volume: &Volume, time_index: u32) -> Result<Stored<'_>, PrepareError> {
    let first = volume.index([0; 3], time_index);
    let span = first..first + volume.grid.voxel_count();
    let found = match &volume.voxels {
        Voxels::I16(v) => v.get(span).map(Stored::I16),
        Voxels::U16(v) => v.get(span).map(Stored::U16),
        Voxels::F32(v) => v.get(span).map(Stored::F32),
        Voxels::Rgba8(_) => return Err(PrepareError::Colour),
    };
    found.ok_or_else(nothing)
}

fn nothing() -> PrepareError {
    PrepareError::Nothing("with a value".into())
}

/// Whether a stored number is a measurement.
fn valid(volume: &Volume) -> impl Fn(f64) -> bool {
    |stored| stored.is_finite() && !volume.padding.is_some_and(|padding| padding.contains(stored))
}

/// What lies outside and what is no measurement becomes the smallest value: air, for most images.
pub(super) fn fill(volume: &Volume, stored: Stored) -> Result<f64, PrepareError> {
    fn smallest<T: Copy + Into<f64>>(stored: &[T], valid: impl Fn(f64) -> bool) -> Option<f64> {
        stored.iter().map(|v| (*v).into()).filter(|v| valid(*v)).reduce(f64::min)
    }
    let valid = valid(volume);
    match stored {
        Stored::I16(v) => smallest(v, valid),
        Stored::U16(v) => smallest(v, valid),
        Stored::F32(v) => smallest(v, valid),
    }
    .ok_or_else(nothing)
}

/// From a sample to the voxel of the image.
pub(super) fn source_from_sample(source: &Grid, grid: &Grid) -> DAffine3 {
    source.voxel_from_world() * grid.world_from_voxel()
}

/// What the typed loop needs to know.
struct Job<'a> {
    dims: [i64; 3],
    grid: &'a Grid,
    source: &'a Grid,
    linear: bool,
    valid: &'a dyn Fn(f64) -> bool,
    fill: f64,
}

pub(super) fn sample(
    volume: &Volume,
    time_index: u32,
    grid: &Grid,
    interpolation: Interpolation,
) -> Result<Sampled, PrepareError> {
    let stored = stored(volume, time_index)?;
    let fill = fill(volume, stored)?;
    let job = Job {
        dims: volume.grid.dims().map(i64::from),
        grid,
        source: &volume.grid,
        linear: interpolation == Interpolation::Linear,
        valid: &valid(volume),
        fill,
    };
    let stored = match stored {
        Stored::I16(v) => walk(&job, v),
        Stored::U16(v) => walk(&job, v),
        Stored::F32(v) => walk(&job, v),
    };
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

/// Stored numbers at the samples, NaN outside.
fn walk<T: Copy + Into<f64>>(job: &Job, stored: &[T]) -> Vec<f32> {
    let [nx, ny, nz] = job.dims;
    let at = |i: i64, j: i64, k: i64| -> f64 {
        let index = (k * ny + j) * nx + i;
        let value = stored.get(index as usize).map_or(f64::NAN, |v| (*v).into());
        if (job.valid)(value) { value } else { job.fill }
    };
    let source_from_sample = source_from_sample(job.source, job.grid);
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
    out
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
