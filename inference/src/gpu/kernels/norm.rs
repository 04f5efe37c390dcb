//! Instance, group, layer, RMS and batch normalisation: all are rows with a scale and a shift.
//!
//! Which scale belongs to an element is the only thing in which they differ. Long rows are cut into pieces whose
//! statistics are joined, short ones have a thread each.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use crate::gpu::check::{Case, Spec, Tolerance, Words, noise};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source, groups_of};

/// Numbers around 1 from sums of thousands.
pub const TOLERANCE: Tolerance = Tolerance {
    abs: 5e-5,
    rel: 5e-5,
    why: "means and variances of up to 70,000 numbers in f32, against f64",
};

/// `struct Params` of `shaders/inference/norm.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    channel: [u32; 4],
    tail: [f32; 4],
}

field_offsets!(size, channel, tail);

/// Elements of a piece: enough for 256 threads to have some each.
const PIECE: usize = 1 << 14;

/// A row is short up to here, if there are rows enough to fill a GPU.
const SHORT: usize = 1 << 10;

/// One normalisation. The scale of element `i` of row `r` is number `(r % period) * step + i / run`.
#[derive(Clone, Debug, PartialEq)]
pub struct Norm {
    /// Rows that are normalised by themselves.
    pub rows: usize,
    /// Elements of a row.
    pub elements: usize,
    /// Rows after which the scales begin anew.
    pub period: usize,
    /// Scales of a row.
    pub step: usize,
    /// Elements that share a scale.
    pub run: usize,
    /// Added to the variance.
    pub epsilon: f32,
    /// Whether there is a shift.
    pub shift: bool,
    /// Without taking the mean off (RMSNormalization).
    pub rms: bool,
}

impl Norm {
    /// Each channel of each image by itself.
    pub fn instance(batch: usize, channels: usize, spatial: usize, epsilon: f32) -> Self {
        Self::group(batch, channels, channels, spatial, epsilon)
    }

    /// Groups of channels of each image.
    pub fn group(batch: usize, groups: usize, channels: usize, spatial: usize, epsilon: f32) -> Self {
        let own = channels / groups.max(1);
        let rows = batch * groups;
        Self {
            rows,
            elements: own * spatial,
            period: groups,
            step: own,
            run: spatial,
            epsilon,
            shift: true,
            rms: false,
        }
    }

    /// The last axes.
    pub fn layer(rows: usize, elements: usize, epsilon: f32) -> Self {
        Self { rows, elements, period: 1, step: 0, run: 1, epsilon, shift: true, rms: false }
    }
}

fn program(entry: &'static str) -> Program<'static> {
    Program { name: "norm", source: Source::Shader(&wgsl::NORM), entry, constants: &[] }
}

/// Adds a normalisation.
///
/// # Errors
/// Where it does not fit the device.
pub fn record(
    rec: &mut Recorder,
    job: &Norm,
    input: &Block,
    scale: &Block,
    shift: Option<&Block>,
    out: &Block,
) -> Result<(), GpuFault> {
    let elements = (job.rows * job.elements) as u64;
    if elements > u64::from(u32::MAX) {
        return Err(GpuFault::unfit("norm", format!("{elements} elements do not fit 32-bit places")));
    }
    if elements == 0 {
        return Ok(());
    }
    let pieces = job.elements.div_ceil(PIECE);
    let flags = u32::from(job.shift) | (u32::from(job.rms) << 1);
    let params = Params {
        size: [job.rows as u32, job.elements as u32, pieces as u32, PIECE as u32],
        channel: [job.period as u32, job.step as u32, job.run as u32, flags],
        tail: [job.epsilon, 0.0, 0.0, 0.0],
    };
    let params = bytemuck::bytes_of(&params);
    let statistics = rec.take(2 * job.rows as u64)?;
    let by_row = groups_of(job.rows as u64)?;
    if job.elements <= SHORT && job.rows >= 64 {
        rec.dispatch(&program("rows"), params, &[(1, input), (5, &statistics)], by_row, 2 * elements)?;
    } else {
        let total = (job.rows * pieces) as u64;
        let parts = rec.take(2 * total)?;
        // A workgroup each, not a thread.
        let groups = groups_of(total * 64)?;
        rec.dispatch(&program("pieces"), params, &[(1, input), (5, &parts)], groups, 2 * elements)?;
        rec.dispatch(&program("join"), params, &[(2, &parts), (5, &statistics)], by_row, total)?;
    }
    let nothing = rec.nothing()?;
    let bound = [(1, input), (2, &statistics), (3, scale), (4, shift.unwrap_or(&nothing)), (6, out)];
    rec.dispatch(&program("apply"), params, &bound, groups_of(elements)?, elements)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Norm;

    fn halved(_: &Self::Job) -> &'static [usize] {
        &[0]
    }

    fn cases() -> Vec<Case<Norm>> {
        let mut cases = Vec::new();
        let jobs = [
            ("one number", Norm::instance(1, 1, 1, 1e-5)),
            ("instance, 22x23x30", Norm::instance(2, 3, 22 * 23 * 30, 1e-5)),
            ("instance, many pieces", Norm::instance(1, 1, 70_001, 1e-5)),
            ("instance, one element behind a piece", Norm::instance(1, 2, PIECE + 1, 1e-5)),
            ("instance, many short rows", Norm::instance(3, 40, 77, 1e-5)),
            ("group", Norm::group(2, 3, 12, 77, 1e-5)),
            ("group of all", Norm::group(1, 1, 5, 1031, 1e-5)),
            ("layer", Norm::layer(197, 192, 1e-6)),
            ("layer, few rows", Norm::layer(3, 1031, 1e-6)),
            ("layer without shift", Norm { shift: false, ..Norm::layer(70, 33, 1e-6) }),
            ("RMS", Norm { rms: true, shift: false, ..Norm::layer(70, 33, 1e-5) }),
            ("RMS, few rows", Norm { rms: true, shift: false, ..Norm::layer(2, 2000, 1e-5) }),
        ];
        for (name, job) in jobs {
            let scales = if job.step == 0 { job.elements } else { job.period * job.step };
            // Far from 0, as a CT is: the naive sum of squares loses its digits here.
            let input = noise(7, job.rows * job.elements).iter().map(|x| x + 40.0).collect();
            let inputs = vec![Words::F32(input), Words::F32(noise(8, scales)), Words::F32(noise(9, scales))];
            cases.push(Case { name: name.to_owned(), job, inputs });
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Norm, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], &inputs[1], Some(&inputs[2]), out)
    }

    fn twin(job: &Norm, inputs: &[Words]) -> Words {
        let [input, scale, shift] = [0, 1, 2].map(|i| inputs[i].f32());
        let mut result = Vec::new();
        for (r, row) in input.chunks_exact(job.elements).enumerate() {
            let n = row.len() as f64;
            let mean = if job.rms { 0.0 } else { row.iter().map(|&x| f64::from(x)).sum::<f64>() / n };
            let variance = row.iter().map(|&x| (f64::from(x) - mean).powi(2)).sum::<f64>() / n;
            let deviation = (variance + f64::from(job.epsilon)).sqrt();
            for (i, &x) in row.iter().enumerate() {
                let c = (r % job.period) * job.step + i / job.run;
                let y = (f64::from(x) - mean) / deviation * f64::from(scale[c]);
                result.push((y + if job.shift { f64::from(shift[c]) } else { 0.0 }) as f32);
            }
        }
        Words::F32(result)
    }
}
