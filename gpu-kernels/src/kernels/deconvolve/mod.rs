//! Peak, time and area of the residue function of every voxel, by matrices of one artery.
//!
//! The matrices are made on the CPU in f64 and uploaded once per artery; the curves stay on the device, so another
//! artery or method costs one dispatch over them and a few words per voxel back.

mod cases;
mod check;
pub mod cpu;
mod curves;

use bytemuck::{Pod, Zeroable};

pub use cases::{Case, cases};
pub(crate) use check::check;
pub use curves::{Curves, LANES};

use crate::compare::Tolerance;
use crate::compute::{
    Budget, ComputeError, Held, Program, at_most, fill, guarded, read_after, storage, uniform,
};
use crate::gpu::Gpu;

/// Sums of some hundred products in f32 against f64.
pub const TOLERANCE: Tolerance = Tolerance {
    abs: 1e-6,
    rel: 1e-3,
    why: "sums of hundreds of f32 products; where two peaks or two rungs are equal to rounding, either is right",
};

/// `struct Params` of `shaders/kernels/deconvolve.wgsl`; a test compares the two field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[allow(missing_docs, reason = "said in the WGSL")]
pub struct Params {
    pub count: u32,
    pub samples: u32,
    pub rows: u32,
    pub flags: u32,
    pub rung: u32,
    pub limit: f32,
    pub scale: f32,
    pub _unused: u32,
}

field_offsets!(count, samples, rows, flags, rung, limit, scale, _unused);

const LISTED: u32 = 1;
const LAST: u32 = 2;
const CHOSEN: u32 = 4;
/// Threads of a workgroup.
const GROUP: u32 = 64;
/// Rows of a tile.
const TILE: usize = 16;
/// Points of the L-curve.
pub const POINTS: usize = 24;

/// A matrix that turns a curve into something else, row by row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operator<'a> {
    /// Samples of a curve.
    pub columns: usize,
    /// `rows * columns` of them.
    pub entries: &'a [f64],
}

impl Operator<'_> {
    /// Rows of the result.
    pub fn rows(&self) -> usize {
        self.entries.len() / self.columns.max(1)
    }
}

/// How curves become residue functions. All matrices of a method have the same size.
#[derive(Clone, Debug, PartialEq)]
pub enum Method<'a> {
    /// One matrix for all.
    Linear(Operator<'a>),
    /// The first matrix whose residue function has an oscillation index below the limit (Wu 2003), or the last.
    Ladder {
        /// In their order.
        rungs: Vec<Operator<'a>>,
        /// Of `sum |second differences| / (rows max)`.
        limit: f64,
    },
    /// The matrix at the corner of the L-curve of each voxel.
    Corner {
        /// [`POINTS`] of them.
        rungs: Vec<Operator<'a>>,
        /// Real and imaginary parts of the curve's transform in turn.
        spectrum: Operator<'a>,
        /// By frequency: weight of its power in the squared residual of every point, then in the squared solution.
        weights: &'a [f64],
    },
    /// Lucy-Richardson steps without a divisor.
    Lucy {
        /// The normalised artery.
        psf: &'a [f64],
        /// Steps.
        iterations: u32,
        /// From the iterated function to the residue function.
        scale: f64,
    },
}

/// One value per voxel in each.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Highest value of the residue function.
    pub value: Vec<f32>,
    /// Its row.
    pub row: Vec<u32>,
    /// Sum over the rows, where the method conserves it.
    pub sum: Option<Vec<f32>>,
}

/// A method on the device.
pub struct Ready {
    operators: Held,
    /// Of the L-curve, else empty.
    spectrum: Held,
    weights: Held,
    kind: Kind,
    samples: usize,
    rows: usize,
    /// Rows of the spectrum.
    frequencies: usize,
}

enum Kind {
    Linear,
    Ladder { rungs: u32, limit: f32 },
    Corner,
    Lucy { iterations: u32, scale: f32 },
}

/// The compiled kernel.
pub struct Deconvolve {
    program: Program,
    budget: Budget,
}

impl Deconvolve {
    /// Compiles it.
    pub async fn new(gpu: &Gpu) -> Result<Self, ComputeError> {
        Self::within(gpu, Budget::of(gpu)).await
    }

    /// As `new`, with less than the device has.
    pub async fn within(gpu: &Gpu, budget: Budget) -> Result<Self, ComputeError> {
        let entries = ["linear", "rung", "corner", "begin", "predict", "correct", "sum_up"];
        Ok(Self { program: Program::new(gpu, &shaders::DECONVOLVE, &entries).await?, budget })
    }

    /// Voxels of a slab at most: whole blocks whose curves fit a binding.
    pub fn most_voxels(&self, samples: usize) -> usize {
        Curves::most(self.budget, samples)
    }

    /// Uploads the matrices of a method.
    pub async fn prepare(&self, gpu: &Gpu, method: &Method<'_>) -> Result<Ready, ComputeError> {
        let (forward, transposed);
        let (operators, kind): (Vec<Operator>, Kind) = match method {
            Method::Linear(operator) => (vec![*operator], Kind::Linear),
            Method::Ladder { rungs, limit } => {
                let rows = rungs.first().map_or(0, Operator::rows);
                let limit = (limit * rows as f64) as f32;
                (rungs.clone(), Kind::Ladder { rungs: rungs.len() as u32, limit })
            }
            Method::Corner { rungs, .. } => (rungs.clone(), Kind::Corner),
            Method::Lucy { psf, iterations, scale } => {
                let n = psf.len();
                let at = |row: usize, column: usize| if row >= column { psf[row - column] } else { 0.0 };
                forward = (0..n * n).map(|i| at(i / n, i % n)).collect::<Vec<f64>>();
                transposed = (0..n * n).map(|i| at(i % n, i / n)).collect::<Vec<f64>>();
                let operator = |entries| Operator { columns: n, entries };
                let kind = Kind::Lucy { iterations: *iterations, scale: *scale as f32 };
                (vec![operator(&forward), operator(&transposed)], kind)
            }
        };
        let (samples, rows) = operators.first().map_or((0, 0), |o| (o.columns, o.rows()));
        let tiles: Vec<f32> = operators.iter().flat_map(tiled).collect();
        let (mut spectrum, mut weights) = (Vec::new(), Vec::new());
        let mut frequencies = 0;
        if let Method::Corner { spectrum: matrix, weights: by_frequency, .. } = method {
            frequencies = matrix.rows();
            spectrum = tiled(matrix);
            weights = by_frequency.iter().map(|w| *w as f32).collect();
        }
        let limit = self.budget.binding_bytes / 4;
        let value = tiles.len().max(spectrum.len()) as u64;
        if value > limit {
            return Err(ComputeError::TooLarge { what: "entries of matrices", value, limit });
        }
        guarded(gpu, || {
            let upload = |label, values: &[f32]| {
                let buffer = storage(gpu, label, values.len() as u64 * 4);
                fill(gpu, &buffer, 0, bytemuck::cast_slice(values));
                buffer
            };
            let [operators, spectrum, weights] =
                [("operators", &tiles), ("spectrum", &spectrum), ("weights", &weights)]
                    .map(|(l, v)| upload(l, v));
            Ready { operators, spectrum, weights, kind, samples, rows, frequencies }
        })
        .await
    }

    /// Runs a method over the curves of a slab and reads back what it found.
    pub async fn run(&self, gpu: &Gpu, ready: &Ready, curves: &Curves) -> Result<Found, ComputeError> {
        if curves.samples() != ready.samples {
            let (got, want) = (curves.samples(), ready.samples);
            return Err(ComputeError::Refused(format!("curves of {got} samples for matrices of {want}")));
        }
        let count = u64::from(curves.count());
        let sums = matches!(ready.kind, Kind::Lucy { .. });
        let (scratch, [value, row, sum]) = read_after(gpu, || {
            let found = storage(gpu, "found", count * 3 * 4);
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut scratch = self.encode(gpu, &mut encoder, ready, curves, &found);
            gpu.queue.submit([encoder.finish()]);
            let parts = [
                (found.clone(), 0, count),
                (found.clone(), count, count),
                (found.clone(), 2 * count, if sums { count } else { 0 }),
            ];
            scratch.push(found);
            (scratch, parts)
        })
        .await?;
        drop(scratch);
        let most = ready.rows.saturating_sub(1) as u64;
        at_most([("rows of a peak", row.iter().copied().max().unwrap_or(0).into(), most)])?;
        let floats = |words: Vec<u32>| words.into_iter().map(f32::from_bits).collect();
        Ok(Found { value: floats(value), row, sum: sums.then(|| floats(sum)) })
    }

    /// All dispatches of a method. What comes back has to live until they are done.
    fn encode(
        &self,
        gpu: &Gpu,
        encoder: &mut wgpu::CommandEncoder,
        ready: &Ready,
        curves: &Curves,
        found: &Held,
    ) -> Vec<Held> {
        let mut scratch = Vec::new();
        let params = Params {
            count: curves.count(),
            samples: ready.samples as u32,
            rows: ready.rows as u32,
            flags: 0,
            rung: 0,
            limit: 0.0,
            scale: 1.0,
            _unused: 0,
        };
        let mut dispatch =
            |encoder: &mut wgpu::CommandEncoder, entry, params: Params, bound: &[(u32, &Held)]| {
                let params = uniform(gpu, &params);
                let mut bindings = vec![(0, params.as_entire_binding())];
                bindings.extend(bound.iter().map(|(at, buffer)| (*at, buffer.as_entire_binding())));
                let mut pass = encoder.begin_compute_pass(&Default::default());
                self.program.dispatch(gpu, &mut pass, entry, curves.count().div_ceil(GROUP), &bindings);
                drop(pass);
                scratch.push(params);
            };
        let mut kept = Vec::new();
        let (data, operators) = (curves.buffer(), &ready.operators);
        match &ready.kind {
            Kind::Linear => dispatch(encoder, "linear", params, &[(1, data), (2, operators), (3, found)]),
            Kind::Corner => {
                let rows = ready.frequencies as u32;
                let bound = [(1, data), (2, &ready.spectrum), (3, found), (6, &ready.weights)];
                dispatch(encoder, "corner", Params { rows, ..params }, &bound);
                let bound = [(1, data), (2, operators), (3, found)];
                dispatch(encoder, "linear", Params { flags: CHOSEN, ..params }, &bound);
            }
            Kind::Ladder { rungs, limit } => {
                let list = || storage(gpu, "waiting", (u64::from(params.count) + 1) * 4);
                let [mut waiting, mut left] = [list(), list()];
                for rung in 0..*rungs {
                    encoder.clear_buffer(&left, 0, Some(4));
                    let listed = if rung > 0 { LISTED } else { 0 };
                    let last = if rung + 1 == *rungs { LAST } else { 0 };
                    let params = Params { rung, limit: *limit, flags: listed | last, ..params };
                    let bound = [(1, data), (2, operators), (3, found), (4, &waiting), (5, &left)];
                    dispatch(encoder, "rung", params, &bound);
                    std::mem::swap(&mut waiting, &mut left);
                }
                kept.extend([waiting, left]);
            }
            Kind::Lucy { iterations, scale } => {
                let [iterated, quotient] = [(); 2].map(|()| storage(gpu, "iterated", data.size()));
                dispatch(encoder, "begin", params, &[(8, &iterated)]);
                for _ in 0..*iterations {
                    let bound = [(1, &iterated), (2, operators), (7, data), (8, &quotient)];
                    dispatch(encoder, "predict", params, &bound);
                    let bound = [(1, &quotient), (2, operators), (8, &iterated)];
                    dispatch(encoder, "correct", params, &bound);
                }
                let params = Params { scale: *scale, ..params };
                dispatch(encoder, "sum_up", params, &[(1, &iterated), (3, found)]);
                kept.extend([iterated, quotient]);
            }
        }
        scratch.extend(kept);
        scratch
    }
}

/// By tile of 16 rows, column, row; rows of the padding are 0.
fn tiled(operator: &Operator) -> Vec<f32> {
    let (rows, columns) = (operator.rows(), operator.columns);
    let mut out = vec![0.0; rows.div_ceil(TILE) * columns * TILE];
    for (row, values) in operator.entries.chunks_exact(columns.max(1)).enumerate() {
        for (column, value) in values.iter().enumerate() {
            out[(row / TILE * columns + column) * TILE + row % TILE] = *value as f32;
        }
    }
    out
}
