//! Connected components of each slice, and the lesions they form in 3D.
//!
//! Works on the runs of a [`Table`], so that another threshold costs what the candidates cost. Components and
//! lesions are numbered by their first voxel in raster order, whoever worked when.

mod cases;
mod check;
pub mod cpu;

use bytemuck::{Pod, Zeroable};

pub use cases::{Case, cases};
pub(crate) use check::check;

use super::candidates::Table;
use crate::compare::Tolerance;
use crate::compute::{
    Budget, ComputeError, GROUP, Held, Program, at_most, fill, guarded, read_after, storage, uniform,
};
use crate::gpu::Gpu;

/// Whole numbers, equal whatever the order of threads.
pub const TOLERANCE: Tolerance =
    Tolerance { abs: 0.0, rel: 0.0, why: "places and numbers of components: nothing is rounded" };

/// `struct Params` of `shaders/kernels/components.wgsl`; a test compares the two field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[allow(missing_docs, reason = "said in the WGSL")]
pub struct Params {
    pub columns: u32,
    pub area: u32,
    pub run_count: u32,
    pub capacity: u32,
    pub cut: i32,
    pub flags: u32,
    pub max_steps: u32,
    pub tile_count: u32,
}

field_offsets!(columns, area, run_count, capacity, cut, flags, max_steps, tile_count);

const WIDE: u32 = 1;
const CORNERS: u32 = 2;
/// In `state[STATUS]`.
const OVERFLOW: u32 = 1;
const STUCK: u32 = 2;

/// Far more than the longest way to a root that was seen (a few hundred, in spirals of a million pixels); small
/// enough that a device that hands back wrong parents answers before its watchdog.
const MAX_STEPS: u32 = 1 << 20;

/// A run at or above the threshold.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Pod, Zeroable)]
pub struct Piece {
    /// Index in the volume of the first voxel.
    pub start: u32,
    /// One past the last.
    pub end: u32,
    /// Index of the first voxel's key in the table.
    pub first_key: u32,
    /// Number over all slices.
    pub component: u32,
}

/// What is at or above one threshold, on the GPU.
pub struct Labels {
    piece_count: u32,
    component_count: u32,
    voxel_count: u32,
    pub(crate) pieces: Held,
    pub(crate) lesions: Held,
}

impl Labels {
    /// Number of runs at or above the threshold.
    pub fn piece_count(&self) -> u32 {
        self.piece_count
    }

    /// Number of components over all slices.
    pub fn component_count(&self) -> u32 {
        self.component_count
    }

    /// Number of voxels at or above the threshold.
    pub fn voxel_count(&self) -> u32 {
        self.voxel_count
    }

    /// Labels that were made on the CPU; every component is a lesion of its own.
    pub(crate) async fn upload(gpu: &Gpu, pieces: &[Piece]) -> Result<Self, ComputeError> {
        let component_count = pieces.iter().map(|p| p.component + 1).max().unwrap_or(0);
        let lesions: Vec<u32> = (0..component_count).collect();
        guarded(gpu, || {
            let buffer = |label, bytes: &[u8]| {
                let buffer = storage(gpu, label, bytes.len() as u64);
                fill(gpu, &buffer, 0, bytes);
                buffer
            };
            Self {
                piece_count: pieces.len() as u32,
                component_count,
                voxel_count: pieces.iter().map(|p| p.end - p.start).sum(),
                pieces: buffer("pieces", bytemuck::cast_slice(pieces)),
                lesions: buffer("lesions", bytemuck::cast_slice(&lesions)),
            }
        })
        .await
    }

    /// Pieces in raster order, and for each component the first component of its lesion.
    pub async fn read(&self, gpu: &Gpu) -> Result<(Vec<Piece>, Vec<u32>), ComputeError> {
        let parts = [
            (self.pieces.clone(), 0, u64::from(self.piece_count) * 4),
            (self.lesions.clone(), 0, u64::from(self.component_count)),
        ];
        let ((), [pieces, lesions]) = read_after(gpu, || ((), parts)).await?;
        Ok((bytemuck::cast_slice(&pieces).to_vec(), lesions))
    }
}

/// The compiled kernel.
pub struct Components {
    program: Program,
    budget: Budget,
    max_steps: u32,
}

const ENTRIES: [&str; 11] = [
    "count_pieces",
    "scan_pieces",
    "write_pieces",
    "join_rows",
    "count_roots",
    "scan_roots",
    "number",
    "pass_on",
    "plant",
    "join_slices",
    "flatten",
];

impl Components {
    /// Compiles it.
    pub async fn new(gpu: &Gpu) -> Result<Self, ComputeError> {
        Self::within(gpu, Budget::of(gpu)).await
    }

    /// As `new`, with less than the device has.
    pub async fn within(gpu: &Gpu, budget: Budget) -> Result<Self, ComputeError> {
        let program = Program::new(gpu, &shaders::COMPONENTS, &ENTRIES).await?;
        Ok(Self { program, budget, max_steps: MAX_STEPS })
    }

    /// Gives up joining after so many steps, for tests of what happens then.
    pub fn with_max_steps(self, max_steps: u32) -> Self {
        Self { max_steps, ..self }
    }

    /// Labels what has a key of at least `cut`. `corners`: 8 neighbours in a slice and 26 in 3D, otherwise 4
    /// and 6.
    pub async fn run(
        &self,
        gpu: &Gpu,
        table: &Table,
        cut: i32,
        corners: bool,
    ) -> Result<Labels, ComputeError> {
        let runs = table.run_count();
        // A run of n voxels has at most (n + 1) / 2 pieces.
        let bound = (u64::from(table.voxel_count()) + u64::from(runs)) / 2;
        let limit = self.budget.elements(16);
        let capacity = bound.min(limit) as u32;
        let flag = |set: bool, bit| if set { bit } else { 0 };
        let [run_tiles, piece_tiles] = [runs, capacity].map(|n| n.div_ceil(GROUP));
        let params = Params {
            columns: table.dims()[0],
            area: table.dims()[0] * table.dims()[1],
            run_count: runs,
            capacity,
            cut,
            flags: flag(table.wide(), WIDE) | flag(corners, CORNERS),
            max_steps: self.max_steps,
            tile_count: run_tiles,
        };
        let ((pieces, lesions, scratch), [state]) = read_after(gpu, || {
            let words = |label, n: u64| storage(gpu, label, n * 4);
            let pieces = words("pieces", u64::from(capacity) * 4);
            let parents = words("parents", u64::from(capacity));
            let lesions = words("lesions", u64::from(capacity));
            let state = words("state", 4);
            let tiles = words("tiles", (u64::from(run_tiles.max(piece_tiles)) + 1) * 2);
            let read = [(state.clone(), 0, 4)];
            if runs == 0 {
                return ((pieces, lesions, vec![state]), read);
            }
            let over_runs = uniform(gpu, &params);
            let over_pieces = uniform(gpu, &Params { tile_count: piece_tiles, ..params });
            let all = |params: &Held, forest: &Held| {
                [params, &table.runs, &table.keys, &tiles, &state, &pieces, forest].map(|b| (**b).clone())
            };
            let (first, second, third) =
                (all(&over_runs, &parents), all(&over_pieces, &parents), all(&over_pieces, &lesions));
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for (entry, groups, buffers, used) in [
                ("count_pieces", run_tiles, &first, &[0, 1, 2, 3][..]),
                ("scan_pieces", 1, &first, &[0, 3, 4]),
                ("write_pieces", run_tiles, &first, &[0, 1, 2, 3, 5, 6]),
                ("join_rows", piece_tiles, &second, &[0, 4, 5, 6]),
                ("count_roots", piece_tiles, &second, &[0, 3, 4, 6]),
                ("scan_roots", 1, &second, &[0, 3, 4]),
                ("number", piece_tiles, &second, &[0, 3, 4, 5, 6]),
                ("pass_on", piece_tiles, &second, &[0, 4, 5, 6]),
                ("plant", piece_tiles, &third, &[0, 4, 6]),
                ("join_slices", piece_tiles, &third, &[0, 4, 5, 6]),
                ("flatten", piece_tiles, &third, &[0, 4, 6]),
            ] {
                let bound: Vec<_> =
                    used.iter().map(|b| (*b as u32, buffers[*b].as_entire_binding())).collect();
                self.program.dispatch(gpu, &mut pass, entry, groups, &bound);
            }
            drop(pass);
            gpu.queue.submit([encoder.finish()]);
            ((pieces, lesions, vec![state, parents, tiles, over_runs, over_pieces]), read)
        })
        .await?;
        drop(scratch);
        let [piece_count, component_count, status, voxel_count] = [state[0], state[1], state[2], state[3]];
        if status & OVERFLOW != 0 {
            let value = u64::from(piece_count);
            return Err(ComputeError::TooLarge { what: "runs at the threshold", value, limit });
        }
        if status & STUCK != 0 {
            return Err(ComputeError::Stuck(self.max_steps));
        }
        at_most([
            ("runs at the threshold", u64::from(piece_count), u64::from(capacity)),
            ("components", u64::from(component_count), u64::from(piece_count)),
            ("voxels", u64::from(voxel_count), u64::from(table.voxel_count())),
        ])?;
        Ok(Labels { piece_count, component_count, voxel_count, pieces, lesions })
    }
}
