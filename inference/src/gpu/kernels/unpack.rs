//! Bytes and half floats of a file to one word per element.
//!
//! A model's weights are uploaded as they are stored, a quarter or half of the size, and widened on the GPU.

use bytemuck::{Pod, Zeroable};
use half::f16;
use shaders::inference as wgsl;

use crate::gpu::check::{Case, Spec, Tolerance, Words};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source, groups_of};

/// Every byte and every half float has its f32.
pub const TOLERANCE: Tolerance = Tolerance::EXACT;

/// `struct Params` of `shaders/inference/unpack.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
}

field_offsets!(size);

/// How elements are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stored {
    /// Four to a word.
    U8,
    /// Four to a word, two's complement.
    I8,
    /// Two to a word, IEEE 754 binary16.
    F16,
}

/// One unpacking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unpack {
    /// Elements.
    pub elements: usize,
    /// How they are stored.
    pub stored: Stored,
}

/// Adds an unpacking: bytes become i32, half floats become f32.
///
/// # Errors
/// Where there are too many.
pub fn record(rec: &mut Recorder, job: &Unpack, input: &Block, out: &Block) -> Result<(), GpuFault> {
    let format = match job.stored {
        Stored::U8 => 0,
        Stored::I8 => 1,
        Stored::F16 => 2,
    };
    let words = job.elements as u64;
    let groups = groups_of(words)?;
    let params = Params { size: [job.elements as u32, format, 0, 0] };
    let program =
        Program { name: "unpack", source: Source::Shader(&wgsl::UNPACK), entry: "main", constants: &[] };
    rec.dispatch(&program, bytemuck::bytes_of(&params), &[(1, input), (2, out)], groups, words)
}

/// Bytes as words, the last one filled up.
pub(crate) fn words_of(bytes: &[u8]) -> Vec<u32> {
    let word = |c: &[u8]| u32::from_le_bytes(std::array::from_fn(|i| c.get(i).copied().unwrap_or(0)));
    bytes.chunks(4).map(word).collect()
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Unpack;

    fn cases() -> Vec<Case<Unpack>> {
        let mut cases = Vec::new();
        for elements in [1, 2, 3, 4, 255, 256, 1031] {
            for stored in [Stored::U8, Stored::I8, Stored::F16] {
                let bytes: Vec<u8> = match stored {
                    // Normal, subnormal, zeros of both signs, the largest.
                    Stored::F16 => (0..elements)
                        .map(|i| {
                            [1.5, -0.25, 6.0e-8, 65_504.0, -0.0, 0.333][i % 6] * (1.0 - (i % 5) as f32 * 0.1)
                        })
                        .flat_map(|x| f16::from_f32(x).to_le_bytes())
                        .collect(),
                    _ => (0..elements).map(|i| (i * 37) as u8).collect(),
                };
                cases.push(Case {
                    name: format!("{elements} of {stored:?}"),
                    job: Unpack { elements, stored },
                    inputs: vec![Words::U32(words_of(&bytes))],
                });
            }
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Unpack, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], out)
    }

    fn twin(job: &Unpack, inputs: &[Words]) -> Words {
        let Words::U32(words) = &inputs[0] else { return Words::U32(vec![]) };
        let bytes: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
        match job.stored {
            Stored::U8 => Words::I32(bytes[..job.elements].iter().map(|&b| i32::from(b)).collect()),
            Stored::I8 => Words::I32(bytes[..job.elements].iter().map(|&b| i32::from(b as i8)).collect()),
            Stored::F16 => Words::F32(
                bytes
                    .chunks_exact(2)
                    .take(job.elements)
                    .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
                    .collect(),
            ),
        }
    }
}
