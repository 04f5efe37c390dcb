//! A linear step on samples, with limits if wanted: how a model's card maps grey values.
//!
//! A kernel of its own and not a generated chain, because samples outside of the image are marked and stay so.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use super::sample::OUTSIDE;
use crate::gpu::check::{Case, Spec, Tolerance, Words, noise};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source, groups_of};
use crate::image::Level;

/// A difference and a product in f32.
pub const TOLERANCE: Tolerance =
    Tolerance { abs: 1e-6, rel: 1e-6, why: "numbers below 4 with constants rounded to f32, fused or not" };

const CLIP: u32 = 1;
const FILL: u32 = 2;

/// `struct Params` of `shaders/inference/level.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    values: [f32; 4],
}

field_offsets!(size, values);

/// One step on all samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Levelling {
    /// How many.
    pub samples: usize,
    /// What becomes of them.
    pub level: Level,
    /// What those outside become; without, they stay marked.
    pub fill: Option<f64>,
}

/// Adds a step.
///
/// # Errors
/// Where there are too many samples.
pub fn record(rec: &mut Recorder, job: &Levelling, input: &Block, out: &Block) -> Result<(), GpuFault> {
    let Level { centre, scale, offset, clip } = job.level;
    let flags = if clip { CLIP } else { 0 } | if job.fill.is_some() { FILL } else { 0 };
    let params = Params {
        size: [job.samples as u32, flags, 0, 0],
        values: [centre, scale, offset, job.fill.unwrap_or(0.0)].map(|v| v as f32),
    };
    let program =
        Program { name: "level", source: Source::Shader(&wgsl::LEVEL), entry: "main", constants: &[] };
    let words = job.samples as u64;
    rec.dispatch(&program, bytemuck::bytes_of(&params), &[(1, input), (2, out)], groups_of(words)?, words)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Levelling;

    fn cases() -> Vec<Case<Levelling>> {
        let mut cases = Vec::new();
        let plain = Level { centre: 0.0, scale: 1.0, offset: 0.0, clip: false };
        for samples in [1, 63, 64, 1031] {
            for level in [
                plain,
                Level { centre: 0.25, scale: -1.75, ..plain },
                Level { centre: -0.3, scale: 1.6, offset: 0.1, clip: true },
                Level { scale: 0.0, ..plain },
            ] {
                for fill in [None, Some(-2.5)] {
                    let mut values = noise(22, samples);
                    values.iter_mut().skip(1).step_by(5).for_each(|v| *v = OUTSIDE);
                    cases.push(Case {
                        name: format!("{samples} by {level:?}, outside {fill:?}"),
                        job: Levelling { samples, level, fill },
                        inputs: vec![Words::F32(values)],
                    });
                }
            }
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Levelling, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], out)
    }

    fn twin(job: &Levelling, inputs: &[Words]) -> Words {
        let Level { centre, scale, offset, clip } = job.level;
        let one = |&v: &f32| {
            if v == OUTSIDE {
                return job.fill.map_or(OUTSIDE, |fill| fill as f32);
            }
            let mapped = scale * f64::from(v) - scale * centre + offset;
            (if clip { mapped.clamp(0.0, 1.0) } else { mapped }) as f32
        };
        Words::F32(inputs[0].f32().iter().map(one).collect())
    }
}
