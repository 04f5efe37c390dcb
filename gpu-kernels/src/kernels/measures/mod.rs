//! What each component holds: voxels, peak, sums, bounding box.
//!
//! All that a score needs comes back as one small record per component; sums are exact, those of floats too.

mod check;
pub mod cpu;
mod exact;

use bytemuck::{Pod, Zeroable};

pub(crate) use check::check;
pub use check::{Case, cases};

use super::candidates::Table;
use super::components::{Labels, Piece};
use crate::compare::Tolerance;
use crate::compute::{Budget, ComputeError, GROUP, Program, read_after, storage, uniform};
use crate::gpu::Gpu;

/// Whole numbers; a sum of floats is rounded once, after it is known exactly.
pub const TOLERANCE: Tolerance =
    Tolerance { abs: 0.0, rel: 0.0, why: "whole numbers, and sums of floats that are rounded only once" };

/// `struct Params` of `shaders/kernels/measures.wgsl`; a test compares the two field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[allow(missing_docs, reason = "said in the WGSL")]
pub struct Params {
    pub columns: u32,
    pub area: u32,
    pub piece_count: u32,
    pub flags: u32,
}

field_offsets!(columns, area, piece_count, flags);

const WIDE: u32 = 1;
const NEGATIVE: u32 = 2;
/// Words of a record: see the constants of the WGSL.
const RECORD: u64 = 12;
/// Words of the exact sum of a component of floats.
const LIMBS: u64 = 2 * exact::LIMBS as u64;

/// Of one component.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Number of voxels.
    pub voxels: u32,
    /// Largest key.
    pub peak_key: i32,
    /// Sum of the keys of 16 bits; 0 for floats.
    pub key_sum: i64,
    /// Sum of the floats behind the keys, rounded once; 0 for 16 bits.
    pub float_sum: f64,
    /// Sum of the columns.
    pub sum_x: u64,
    /// Sum of the rows.
    pub sum_y: u64,
    /// Column and row of the first voxel in raster order.
    pub first: [u32; 2],
    /// First column, first row, one past the last of each.
    pub bounds: [u32; 4],
    /// From 0.
    pub slice: u32,
}

/// What came back.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// By their numbers.
    pub components: Vec<Measure>,
    /// For each the first component of its lesion.
    pub lesions: Vec<u32>,
    /// In raster order, if they were asked for.
    pub pieces: Vec<Piece>,
}

impl Measured {
    /// Whether every number may be used as an index: what is computed from them relies on it.
    pub(super) fn is_possible(&self, dims: [u32; 3]) -> bool {
        let count = self.components.len();
        let voxels = dims.iter().product::<u32>();
        let within = |p: &Piece| {
            let owner = self.components.get(p.component as usize);
            p.start < p.end
                && p.end <= voxels
                && owner.is_some_and(|c| c.slice == p.start / (dims[0] * dims[1]))
        };
        self.components.iter().all(|c| c.voxels > 0 && c.slice < dims[2])
            && self.components.windows(2).all(|w| w[0].slice <= w[1].slice)
            && self.lesions.len() == count
            && (0..).zip(&self.lesions).all(|(i, root)| *root <= i)
            && self.pieces.iter().all(within)
    }
}

/// The compiled kernel.
pub struct Measures {
    program: Program,
    budget: Budget,
}

impl Measures {
    /// Compiles it.
    pub async fn new(gpu: &Gpu) -> Result<Self, ComputeError> {
        Self::within(gpu, Budget::of(gpu)).await
    }

    /// As `new`, with less than the device has.
    pub async fn within(gpu: &Gpu, budget: Budget) -> Result<Self, ComputeError> {
        let program = Program::new(gpu, &shaders::MEASURES, &["measure"]).await?;
        Ok(Self { program, budget })
    }

    /// Measures all components and reads them back; pieces too where voxels of components are needed.
    pub async fn run(
        &self,
        gpu: &Gpu,
        table: &Table,
        labels: &Labels,
        with_pieces: bool,
    ) -> Result<Measured, ComputeError> {
        let (pieces, count) = (labels.piece_count(), u64::from(labels.component_count()));
        if count == 0 {
            return Ok(Measured::default());
        }
        let limb_words = if table.wide() { LIMBS } else { 0 };
        let limit = self.budget.binding_bytes / 4 / RECORD.max(limb_words);
        if count > limit {
            return Err(ComputeError::TooLarge { what: "components", value: count, limit });
        }
        let flag = |set: bool, bit| if set { bit } else { 0 };
        let params = Params {
            columns: table.dims()[0],
            area: table.dims()[0] * table.dims()[1],
            piece_count: pieces,
            flags: flag(table.wide(), WIDE) | flag(table.negative(), NEGATIVE),
        };
        let (scratch, [records, limbs, lesions, pieces]) = read_after(gpu, || {
            let records = storage(gpu, "records", count * RECORD * 4);
            let limbs = storage(gpu, "limbs", count * limb_words * 4);
            let params = uniform(gpu, &params);
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            let buffers = [&params, &labels.pieces, &table.keys, &records, &limbs];
            let bound: Vec<_> = (0..).zip(buffers.map(|b| b.as_entire_binding())).collect();
            self.program.dispatch(gpu, &mut pass, "measure", pieces.div_ceil(GROUP), &bound);
            drop(pass);
            gpu.queue.submit([encoder.finish()]);
            let parts = [
                (records.clone(), 0, count * RECORD),
                (limbs.clone(), 0, count * limb_words),
                (labels.lesions.clone(), 0, count),
                (labels.pieces.clone(), 0, if with_pieces { u64::from(pieces) * 4 } else { 0 }),
            ];
            ([params, records, limbs], parts)
        })
        .await?;
        drop(scratch);
        let sums = limbs.chunks_exact(LIMBS as usize).map(exact::round).chain(std::iter::repeat(0.0));
        let components: Vec<Measure> =
            records.chunks_exact(RECORD as usize).zip(sums).map(|(r, sum)| measure(r, sum, table)).collect();
        let got: u64 = components.iter().map(|c| u64::from(c.voxels)).sum();
        let most = u64::from(labels.voxel_count());
        if got != most {
            return Err(ComputeError::Impossible { what: "voxels of components", got, most });
        }
        let measured = Measured { components, lesions, pieces: bytemuck::cast_slice(&pieces).to_vec() };
        measured.is_possible(table.dims()).then_some(measured).ok_or(ComputeError::Garbled("components"))
    }
}

fn measure(record: &[u32], float_sum: f64, table: &Table) -> Measure {
    let long = |i: usize| u64::from(record[i]) | u64::from(record[i + 1]) << 32;
    let voxels = record[0];
    // The first voxel lies in the first row, and in the slice of all.
    let [columns, rows, _] = table.dims();
    let row = !record[8] / columns;
    let first = [!record[8] % columns, row % rows];
    Measure {
        voxels,
        peak_key: (record[1] ^ 0x8000_0000) as i32,
        key_sum: if table.wide() { 0 } else { long(2) as i64 - 32768 * i64::from(voxels) },
        float_sum,
        sum_x: long(4),
        sum_y: long(6),
        first,
        bounds: [!record[9], first[1], record[10], record[11]],
        slice: row / rows,
    }
}
