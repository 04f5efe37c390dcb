//! Softmax and log-softmax along one axis.
//!
//! Lines are the elements along the axis; many lines get a thread each, few get a workgroup each.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

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
    let lines = (job.outer * job.inner) as u64;
    if lines == 0 || job.elements == 0 {
        return Ok(());
    }
    let params = Params { size: [lines as u32, job.elements as u32, job.inner as u32, u32::from(job.log)] };
    // Below that many lines most of a GPU would idle.
    let by_group = lines < 1024 && job.elements >= 64;
    let (entry, threads) = if by_group { ("by_group", lines * 64) } else { ("by_thread", lines) };
    let program = Program { name: "softmax", source: Source::Shader(&wgsl::SOFTMAX), entry, constants: &[] };
    let work = lines * job.elements as u64 * 3;
    let bound = [(1, input), (2, out)];
    rec.dispatch(&program, bytemuck::bytes_of(&params), &bound, groups_of(threads)?, work)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Softmax;

    fn halved(_: &Self::Job) -> &'static [usize] {
        &[0]
    }

    fn cases() -> Vec<Case<Softmax>> {
        let mut cases = Vec::new();
        for (outer, elements, inner) in
            [(1, 1, 1), (1, 1000, 1), (591, 197, 1), (2, 3, 22 * 23), (7, 65, 1), (1, 64, 2), (3, 5, 7)]
        {
            for log in [false, true] {
                // Far apart, so that an exponential without the largest taken off would overflow.
                let input = noise(10, outer * elements * inner).iter().map(|x| x * 20.0 + 70.0).collect();
                cases.push(Case {
                    name: format!("{outer}x{elements}x{inner}, log {log}"),
                    job: Softmax { outer, elements, inner, log },
                    inputs: vec![Words::F32(input)],
                });
            }
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Softmax, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], out)
    }

    fn twin(job: &Softmax, inputs: &[Words]) -> Words {
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
