//! Softmax and log-softmax along one axis.
//!
//! Lines are the elements along the axis; many lines get a thread each, few get a workgroup each.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use super::copy::{self, Copy, Side};
use crate::gpu::check::{Case, Spec, Tolerance, Words, noise};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source, groups_of};

/// exp and log as WGSL promises them.
pub const TOLERANCE: Tolerance =
    Tolerance { abs: 2e-6, rel: 2e-5, why: "WGSL: exp(x) is good to 3 + 2|x| ulp, and |x| is up to 80 here" };

/// `struct Params` of `shaders/inference/softmax.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
}

field_offsets!(size);

/// One softmax over a tensor `[outer, elements, inner]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Softmax {
    /// Before the axis.
    pub outer: usize,
    /// Along the axis.
    pub elements: usize,
    /// Behind the axis.
    pub inner: usize,
    /// Whether the logarithm is wanted.
    pub log: bool,
}

/// Adds a softmax.
///
/// # Errors
/// Where it does not fit the device.
pub fn record(rec: &mut Recorder, job: &Softmax, input: &Block, out: &Block) -> Result<(), GpuFault> {
    dispatch(rec, job, &wgsl::SOFTMAX, &[(1, input), (2, out)])
}

/// The same of values where the results are put.
///
/// # Errors
/// As [`record`].
pub fn record_in_place(rec: &mut Recorder, job: &Softmax, values: &Block) -> Result<(), GpuFault> {
    dispatch(rec, job, &wgsl::SOFTMAX_IN_PLACE, &[(2, values)])
}

fn dispatch(
    rec: &mut Recorder,
    job: &Softmax,
    shader: &'static shaders::Shader,
    bound: &[(u32, &Block)],
) -> Result<(), GpuFault> {
    let lines = (job.outer * job.inner) as u64;
    if lines == 0 || job.elements == 0 {
        return Ok(());
    }
    let params = Params { size: [lines as u32, job.elements as u32, job.inner as u32, u32::from(job.log)] };
    // Below that many lines most of a GPU would idle.
    let by_group = lines < 1024 && job.elements >= 64;
    let (entry, threads) = if by_group { ("by_group", lines * 64) } else { ("by_thread", lines) };
    let program = Program { name: "softmax", source: Source::Shader(shader), entry, constants: &[] };
    let work = lines * job.elements as u64 * 3;
    rec.dispatch(&program, bytemuck::bytes_of(&params), bound, groups_of(threads)?, work)
}

/// What a case runs.
pub(crate) struct Job {
    softmax: Softmax,
    in_place: bool,
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Job;

    fn halved(_: &Self::Job) -> &'static [usize] {
        &[0]
    }

    fn cases() -> Vec<Case<Job>> {
        let mut cases = Vec::new();
        for (outer, elements, inner) in
            [(1, 1, 1), (1, 1000, 1), (591, 197, 1), (2, 3, 22 * 23), (7, 65, 1), (1, 64, 2), (3, 5, 7)]
        {
            for (log, in_place) in [(false, false), (true, false), (false, true), (true, true)] {
                // Far apart, so that an exponential without the largest taken off would overflow.
                let input = noise(10, outer * elements * inner).iter().map(|x| x * 20.0 + 70.0).collect();
                cases.push(Case {
                    name: format!("{outer}x{elements}x{inner}, log {log}, in place {in_place}"),
                    job: Job { softmax: Softmax { outer, elements, inner, log }, in_place },
                    inputs: vec![Words::F32(input)],
                });
            }
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Job, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        let Job { softmax, in_place } = job;
        if !in_place {
            return record(rec, softmax, &inputs[0], out);
        }
        let words = softmax.outer * softmax.elements * softmax.inner;
        let side = Side::contiguous(&[words]);
        let copied = Copy { extents: vec![words], from: side.clone(), to: side, source_words: words };
        copy::record(rec, &copied, &inputs[0], out)?;
        record_in_place(rec, softmax, out)
    }

    fn twin(job: &Job, inputs: &[Words]) -> Words {
        let job = &job.softmax;
        let input = inputs[0].f32();
        let mut result = vec![0.0; input.len()];
        for outer in 0..job.outer {
            for inner in 0..job.inner {
                let place = |i: usize| (outer * job.elements + i) * job.inner + inner;
                let line: Vec<f64> = (0..job.elements).map(|i| f64::from(input[place(i)])).collect();
                let largest = line.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                let sum: f64 = line.iter().map(|x| (x - largest).exp()).sum();
                for (i, x) in line.iter().enumerate() {
                    let log = x - largest - sum.ln();
                    result[place(i)] = if job.log { log } else { log.exp() } as f32;
                }
            }
        }
        Words::F32(result)
    }
}
