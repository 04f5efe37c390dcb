//! What samples are like: how many lie in the image, smallest, largest, and sums for mean and deviation.
//!
//! 4,096 at a time, added up on the host in f64: five words of each come back and not the samples.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use super::sample::OUTSIDE;
use crate::gpu::check::{Case, Spec, Tolerance, Words, noise};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{GROUP, Program, Recorder, Source, groups_of};
use crate::image::Measured;

/// Sums of 4,096 in f32, 64 by 64.
pub const TOLERANCE: Tolerance =
    Tolerance { abs: 1e-4, rel: 1e-5, why: "sums of up to 4,096 numbers below 4 in f32 and in any order" };

/// Samples of one part: `SPAN` in `shaders/inference/measure.wgsl`.
pub const SPAN: usize = 4096;

/// Words of one part.
pub const WORDS: usize = 5;

/// `struct Params` of `shaders/inference/measure.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    centre: [f32; 4],
}

field_offsets!(size, centre);

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// How many samples.
    pub samples: usize,
    /// Subtracted before anything is summed.
    pub centre: f32,
}

impl Measure {
    /// Parts of the result.
    pub fn parts(&self) -> usize {
        self.samples.div_ceil(SPAN)
    }
}

/// Adds a measurement.
///
/// # Errors
/// Where there are too many samples.
pub fn record(rec: &mut Recorder, job: &Measure, input: &Block, out: &Block) -> Result<(), GpuFault> {
    let parts = job.parts() as u64;
    let params =
        Params { size: [job.samples as u32, parts as u32, 0, 0], centre: [job.centre, 0.0, 0.0, 0.0] };
    let program =
        Program { name: "measure", source: Source::Shader(&wgsl::MEASURE), entry: "main", constants: &[] };
    let groups = groups_of(parts * u64::from(GROUP))?;
    rec.dispatch(&program, bytemuck::bytes_of(&params), &[(1, input), (2, out)], groups, job.samples as u64)
}

/// The parts together.
pub fn together(parts: &[f32]) -> Measured {
    let mut all = Measured { least: f64::INFINITY, most: f64::NEG_INFINITY, ..Measured::default() };
    for part in parts.chunks_exact(WORDS).filter(|part| part[0] > 0.0) {
        all.count += part[0] as u64;
        all.least = all.least.min(f64::from(part[1]));
        all.most = all.most.max(f64::from(part[2]));
        all.sum += f64::from(part[3]);
        all.squares += f64::from(part[4]);
    }
    if all.count > 0 { all } else { Measured::default() }
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Measure;

    fn cases() -> Vec<Case<Measure>> {
        let mut cases = Vec::new();
        for samples in [1, 63, 64, 4095, 4096, 4097, 22 * 23 * 30] {
            for centre in [0.0, -1.5] {
                for outside in [7, 2] {
                    let mut values = noise(23, samples);
                    values.iter_mut().skip(1).step_by(outside).for_each(|v| *v = OUTSIDE);
                    cases.push(Case {
                        name: format!("{samples} about {centre}, every {outside}. outside"),
                        job: Measure { samples, centre },
                        inputs: vec![Words::F32(values)],
                    });
                }
            }
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Measure, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], out)
    }

    fn twin(job: &Measure, inputs: &[Words]) -> Words {
        let mut words = Vec::new();
        for part in inputs[0].f32().chunks(SPAN) {
            let inside: Vec<f64> = part.iter().filter(|v| **v != OUTSIDE).map(|v| f64::from(*v)).collect();
            let off = || inside.iter().map(|v| v - f64::from(job.centre));
            words.extend(
                [
                    inside.len() as f64,
                    inside.iter().copied().fold(f64::from(f32::MAX), f64::min),
                    inside.iter().copied().fold(f64::from(f32::MIN), f64::max),
                    off().sum(),
                    off().map(|v| v * v).sum(),
                ]
                .map(|v| v as f32),
            );
        }
        Words::F32(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_without_a_sample_are_no_extremes() {
        let none = [0.0, f32::MAX, f32::MIN, 0.0, 0.0];
        let some = [2.0, -1.0, 3.0, 2.0, 10.0];
        let all = [none, some, [1.0, 0.5, 0.5, 0.5, 0.25]].concat();
        let want = Measured { count: 3, least: -1.0, most: 3.0, sum: 2.5, squares: 10.25 };
        assert_eq!(together(&all), want);
        assert_eq!(together(&none), Measured::default());
    }
}
