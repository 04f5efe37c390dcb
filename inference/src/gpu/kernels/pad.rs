//! Padding of up to 8 axes: constant, edge, reflected, wrapped.
//!
//! Its own kernel because a reflection is no affine map; a negative padding cuts off.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use super::{indices, product, row, strides_of};
use crate::gpu::check::{Case, Spec, Tolerance, Words};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source, groups_of};

/// Nothing is computed.
pub const TOLERANCE: Tolerance = Tolerance::EXACT;

const AXES: usize = 8;

/// `struct Params` of `shaders/inference/pad.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    extents: [u32; AXES],
    input: [i32; AXES],
    begins: [i32; AXES],
}

field_offsets!(size, extents, input, begins);

/// What stands outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// These bits.
    Constant(u32),
    /// The nearest element.
    Edge,
    /// Mirrored at the edge element, which is not repeated.
    Reflect,
    /// From the other end.
    Wrap,
}

/// One padding.
#[derive(Clone, Debug, PartialEq)]
pub struct Pad {
    /// Extents of the input.
    pub input: Vec<usize>,
    /// Added before, per axis; negative cuts off.
    pub begins: Vec<i32>,
    /// Extents of the output.
    pub output: Vec<usize>,
    /// What stands outside.
    pub outside: Outside,
}

/// Adds a padding.
///
/// # Errors
/// Where it has too many axes or words, or nothing to repeat.
pub fn record(rec: &mut Recorder, job: &Pad, input: &Block, out: &Block) -> Result<(), GpuFault> {
    let words = product(&job.output);
    if job.input.len() > AXES || words > i32::MAX as usize {
        return Err(GpuFault::unfit("pad", format!("{words} words over {} axes", job.input.len())));
    }
    if product(&job.input) == 0 && !matches!(job.outside, Outside::Constant(_)) {
        return Err(GpuFault::unfit("pad", "an input of no elements has none to repeat"));
    }
    let (mode, constant) = match job.outside {
        Outside::Constant(bits) => (0, bits),
        Outside::Edge => (1, 0),
        Outside::Reflect => (2, 0),
        Outside::Wrap => (3, 0),
    };
    let params = Params {
        size: [words as u32, job.input.len() as u32, mode, constant],
        extents: row(&job.output.iter().map(|&e| e as u32).collect::<Vec<_>>(), 1),
        input: row(&job.input.iter().map(|&e| e as i32).collect::<Vec<_>>(), 1),
        begins: row(&job.begins, 0),
    };
    let program = Program { name: "pad", source: Source::Shader(&wgsl::PAD), entry: "main", constants: &[] };
    let bound = [(1, input), (2, out)];
    rec.dispatch(&program, bytemuck::bytes_of(&params), &bound, groups_of(words as u64)?, words as u64)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Pad;

    fn cases() -> Vec<Case<Pad>> {
        let mut cases = Vec::new();
        let shapes: [(&[usize], &[i32], &[usize]); 5] = [
            (&[1], &[2], &[4]),
            (&[22, 23], &[3, 0], &[30, 23]),
            (&[5, 6, 7], &[2, 3, 4], &[9, 10, 15]),
            (&[6, 7], &[-2, 1], &[5, 9]),
            (&[3, 1, 4], &[1, 0, 2], &[5, 1, 8]),
        ];
        for (input, begins, output) in shapes {
            for outside in [Outside::Constant(77), Outside::Edge, Outside::Reflect, Outside::Wrap] {
                cases.push(Case {
                    name: format!("{input:?} to {output:?}, {outside:?}"),
                    job: Pad {
                        input: input.to_vec(),
                        begins: begins.to_vec(),
                        output: output.to_vec(),
                        outside,
                    },
                    inputs: vec![Words::U32((100..100 + product(input) as u32).collect())],
                });
            }
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Pad, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], out)
    }

    fn twin(job: &Pad, inputs: &[Words]) -> Words {
        let Words::U32(input) = &inputs[0] else { return Words::U32(vec![]) };
        let strides = strides_of(&job.input);
        let result = indices(&job.output).map(|index| {
            let mut place = 0;
            for (axis, &i) in index.iter().enumerate() {
                let (extent, mut at) = (job.input[axis] as i32, i as i32 - job.begins[axis]);
                while at < 0 || at >= extent {
                    at = match job.outside {
                        Outside::Constant(bits) => return bits,
                        Outside::Edge => at.clamp(0, extent - 1),
                        Outside::Reflect if extent == 1 => 0,
                        Outside::Reflect if at < 0 => -at,
                        Outside::Reflect => 2 * (extent - 1) - at,
                        Outside::Wrap => at.rem_euclid(extent),
                    };
                }
                place += at as usize * strides[axis];
            }
            input[place]
        });
        Words::U32(result.collect())
    }
}
