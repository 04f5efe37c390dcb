//! Resize along one axis by a table of places and weights; more axes are more passes.
//!
//! The table is made on the host in f64: drivers round divisions differently, and a nearest neighbour would flip.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use crate::gpu::check::{Case, Spec, Tolerance, Words, noise};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source, groups_of};

/// A few products.
pub const TOLERANCE: Tolerance =
    Tolerance { abs: 1e-6, rel: 1e-6, why: "sums of up to 8 products of numbers around 1 in f32" };

/// `struct Params` of `shaders/inference/resample.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    taps: [u32; 4],
}

field_offsets!(size, taps);

/// Along one axis of a tensor `[outer, input, inner]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Resample {
    /// Before the axis.
    pub outer: usize,
    /// Extent of the input.
    pub input: usize,
    /// Behind the axis.
    pub inner: usize,
    /// Which elements make an output: as many per output as `taps`.
    pub places: Vec<u32>,
    /// How much of each.
    pub weights: Vec<f32>,
    /// Elements per output.
    pub taps: usize,
}

impl Resample {
    /// Extent of the output.
    pub fn output(&self) -> usize {
        self.places.len() / self.taps.max(1)
    }
}

/// Adds a pass along one axis.
///
/// # Errors
/// Where the table points outside of the input, or there are too many elements.
pub fn record(rec: &mut Recorder, job: &Resample, input: &Block, out: &Block) -> Result<(), GpuFault> {
    let outside = job.places.iter().any(|&place| place as usize >= job.input);
    if outside || job.taps == 0 || job.weights.len() != job.places.len() {
        return Err(GpuFault::unfit("resample", format!("its table does not fit {} elements", job.input)));
    }
    let words = (job.outer * job.output() * job.inner) as u64;
    let params = Params {
        size: [words as u32, job.output() as u32, job.input as u32, job.inner as u32],
        taps: [job.taps as u32, 0, 0, 0],
    };
    let groups = groups_of(words)?;
    let places = rec.upload(&job.places)?;
    let weights = rec.upload(bytemuck::cast_slice(&job.weights))?;
    let program =
        Program { name: "resample", source: Source::Shader(&wgsl::RESAMPLE), entry: "main", constants: &[] };
    let bound = [(1, input), (2, &places), (3, &weights), (4, out)];
    rec.dispatch(&program, bytemuck::bytes_of(&params), &bound, groups, words * job.taps as u64)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Resample;

    fn halved(_: &Self::Job) -> &'static [usize] {
        &[0]
    }

    fn cases() -> Vec<Case<Resample>> {
        let mut cases = Vec::new();
        for (outer, input, inner, output) in
            [(1, 1, 1, 1), (3, 7, 5, 14), (22, 23, 30, 11), (1, 1031, 1, 2000), (6, 4, 1, 9), (1, 5, 77, 5)]
        {
            for taps in [1, 2, 8] {
                let places = (0..output * taps).map(|i| (i * 13 % input) as u32).collect();
                let weights = noise(15, output * taps);
                cases.push(Case {
                    name: format!("{outer}x{input}x{inner} to {output} by {taps}"),
                    job: Resample { outer, input, inner, places, weights, taps },
                    inputs: vec![Words::F32(noise(16, outer * input * inner))],
                });
            }
        }
        // What a tap of no weight sees is not there, however infinite.
        cases.push(Case {
            name: "no weight on infinity".to_owned(),
            job: Resample {
                outer: 1,
                input: 2,
                inner: 1,
                places: vec![0, 1],
                weights: vec![1.0, 0.0],
                taps: 2,
            },
            inputs: vec![Words::F32(vec![3.0, f32::INFINITY])],
        });
        cases
    }

    fn record(rec: &mut Recorder, job: &Resample, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], out)
    }

    fn twin(job: &Resample, inputs: &[Words]) -> Words {
        let input = inputs[0].f32();
        let mut result = Vec::new();
        for outer in 0..job.outer {
            for o in 0..job.output() {
                for inner in 0..job.inner {
                    let taps = o * job.taps..(o + 1) * job.taps;
                    let sum: f64 = taps
                        .filter(|&t| job.weights[t] != 0.0)
                        .map(|t| {
                            let at = (outer * job.input + job.places[t] as usize) * job.inner + inner;
                            f64::from(job.weights[t]) * f64::from(input[at])
                        })
                        .sum();
                    result.push(sum as f32);
                }
            }
        }
        Words::F32(result)
    }
}
