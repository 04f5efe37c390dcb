//! Words at places that other words name: Gather along an axis and GatherElements.
//!
//! Both walk one grid with strides into the indices and the data; only along the axis the index decides.

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

/// `struct Params` of `shaders/inference/gather.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    extents: [u32; AXES],
    data: [u32; AXES],
    indices: [u32; AXES],
}

field_offsets!(size, extents, data, indices);

/// One gathering.
#[derive(Clone, Debug, PartialEq)]
pub struct Gather {
    /// The grid that is walked: the output.
    pub extents: Vec<usize>,
    /// Distance in the data per axis of the grid; 0 along the axis of the indices.
    pub data: Vec<usize>,
    /// Distance in the indices per axis of the grid.
    pub indices: Vec<usize>,
    /// Extent of the data along the axis.
    pub extent: usize,
    /// Distance between its elements.
    pub stride: usize,
}

impl Gather {
    /// ONNX Gather: output = data[..axis] + indices + data[axis + 1..].
    pub fn along(data: &[usize], axis: usize, many: usize) -> Self {
        let inner = product(&data[axis + 1..]);
        Self {
            extents: vec![product(&data[..axis]), many, inner],
            data: vec![data[axis] * inner, 0, 1],
            indices: vec![0, 1, 0],
            extent: data[axis],
            stride: inner,
        }
    }

    /// ONNX GatherElements: the output has the shape of the indices.
    pub fn elements(data: &[usize], axis: usize, indices: &[usize]) -> Self {
        let mut strides = strides_of(data);
        let stride = std::mem::take(&mut strides[axis]);
        Self {
            extents: indices.to_vec(),
            data: strides,
            indices: strides_of(indices),
            extent: data[axis],
            stride,
        }
    }
}

/// Adds a gathering. Indices beyond the axis are taken for its ends.
///
/// # Errors
/// Where it has too many axes or words.
pub fn record(
    rec: &mut Recorder,
    job: &Gather,
    data: &Block,
    indices: &Block,
    out: &Block,
) -> Result<(), GpuFault> {
    let words = product(&job.extents);
    if job.extents.len() > AXES || words > i32::MAX as usize || job.extent == 0 {
        return Err(GpuFault::unfit("gather", format!("{words} words over {} axes", job.extents.len())));
    }
    let of = |v: &[usize]| v.iter().map(|&e| e as u32).collect::<Vec<_>>();
    let params = Params {
        size: [words as u32, job.extents.len() as u32, job.extent as u32, job.stride as u32],
        extents: row(&of(&job.extents), 1),
        data: row(&of(&job.data), 0),
        indices: row(&of(&job.indices), 0),
    };
    let program =
        Program { name: "gather", source: Source::Shader(&wgsl::GATHER), entry: "main", constants: &[] };
    let bound = [(1, data), (2, indices), (3, out)];
    rec.dispatch(&program, bytemuck::bytes_of(&params), &bound, groups_of(words as u64)?, words as u64)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Gather;

    fn cases() -> Vec<Case<Gather>> {
        let case = |name: &str, job: Gather, data: &[usize], places: Vec<i32>| Case {
            name: name.to_owned(),
            job,
            inputs: vec![Words::U32((0..product(data) as u32).map(|i| i * 3).collect()), Words::I32(places)],
        };
        let spread = |many: i32, extent: i32| (0..many).map(|i| i * 7 % extent).collect::<Vec<_>>();
        vec![
            case("one word", Gather::along(&[1], 0, 1), &[1], vec![0]),
            case("first axis", Gather::along(&[22, 23], 0, 3), &[22, 23], vec![21, 0, 5]),
            case("last axis", Gather::along(&[5, 23], 1, 40), &[5, 23], spread(40, 23)),
            case("middle axis, from the end", Gather::along(&[3, 4, 5], 1, 2), &[3, 4, 5], vec![-1, -4]),
            case("beyond the ends", Gather::along(&[4], 0, 4), &[4], vec![9, -9, 3, -1]),
            case("nothing twice", Gather::along(&[2, 2], 0, 6), &[2, 2], vec![0, 0, 0, 1, 1, 0]),
            case("elements", Gather::elements(&[4, 5, 6], 1, &[4, 3, 6]), &[4, 5, 6], spread(72, 5)),
            case("elements of fewer rows", Gather::elements(&[4, 5], 1, &[2, 7]), &[4, 5], spread(14, 5)),
            case("elements, first axis", Gather::elements(&[4, 5], 0, &[3, 5]), &[4, 5], spread(15, 4)),
            case("elements from the end", Gather::elements(&[6], 0, &[3]), &[6], vec![-1, -6, 2]),
        ]
    }

    fn record(rec: &mut Recorder, job: &Gather, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], &inputs[1], out)
    }

    fn twin(job: &Gather, inputs: &[Words]) -> Words {
        let [Words::U32(data), Words::I32(places)] = inputs else { return Words::U32(vec![]) };
        let dot = |index: &[usize], strides: &[usize]| -> usize {
            index.iter().zip(strides).map(|(&i, &s)| i * s).sum()
        };
        let last = job.extent as i32 - 1;
        let result = indices(&job.extents).map(|index| {
            let place = places[dot(&index, &job.indices)];
            let place = if place < 0 { place + job.extent as i32 } else { place }.clamp(0, last);
            data[dot(&index, &job.data) + place as usize * job.stride]
        });
        Words::U32(result.collect())
    }
}
