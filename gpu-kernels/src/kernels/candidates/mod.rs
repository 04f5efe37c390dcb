//! Every voxel at or above a floor, compacted once: runs of a row and the keys of their voxels.
//!
//! The voxels are read from the texture that the display holds, so a volume is uploaded once and lies on the
//! GPU once; int16 stays int16. What follows works on the [`Table`] and costs what the candidates cost.

mod cases;
mod check;
pub mod cpu;

use bytemuck::{Pod, Zeroable};

pub use cases::{Case, cases};
pub(crate) use check::check;

use crate::compare::Tolerance;
use crate::compute::{
    Budget, ComputeError, GROUP, Held, Program, at_most, fill, guarded, read_after, storage, uniform,
};
use crate::gpu::Gpu;
use crate::volume::{GpuVolume, Layout, VoxelFormat};

/// Whole numbers, equal whatever the order of threads.
pub const TOLERANCE: Tolerance =
    Tolerance { abs: 0.0, rel: 0.0, why: "places and stored values: nothing is rounded on the GPU" };

/// `struct Params` of `shaders/kernels/candidates.wgsl`; a test compares the two field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[allow(missing_docs, reason = "said in the WGSL")]
pub struct Params {
    pub dims: [i32; 4],
    pub wrap: [u32; 4],
    pub cut: i32,
    pub padding_low: i32,
    pub padding_high: i32,
    pub flags: u32,
    pub first_row: u32,
    pub words: u32,
    pub first_tile: u32,
    pub tile_count: u32,
}

field_offsets!(dims, wrap, cut, padding_low, padding_high, flags, first_row, words, first_tile, tile_count);

const FLOAT: u32 = 1;
const NEGATIVE: u32 = 2;
const MASKED: u32 = 4;
const PADDED: u32 = 8;

/// Voxels of a row that share a word.
const WORD: usize = 32;

/// Which voxels are candidates. Keys are integers whose order is that of Hounsfield units: an `i16` as it is,
/// a `u16` less 32768, a float's bits with all but the sign flipped where it is negative; for a slope below 0
/// the complement of that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// Smallest key that is a candidate.
    pub cut: i32,
    /// The slope is below 0.
    pub negative: bool,
    /// Keys from the first to the second are padding.
    pub padding: Option<[i32; 2]>,
}

/// Where candidates may be: what neither the reader nor the series has taken away.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allowed<'a> {
    /// One entry per voxel, 0 is outside.
    pub region: Option<&'a [u8]>,
    /// Slices that hold no measurement.
    pub missing: &'a [u32],
}

impl Allowed<'_> {
    fn everywhere(&self) -> bool {
        self.region.is_none() && self.missing.is_empty()
    }

    /// The words of some rows (counted over all slices), a bit per voxel, each row from a new word.
    fn words(&self, dims: [u32; 3], rows: std::ops::Range<u32>) -> Vec<u32> {
        let columns = dims[0] as usize;
        let per_row = columns.div_ceil(WORD);
        let mut words = Vec::with_capacity(per_row * rows.len());
        for row in rows {
            if self.missing.contains(&(row / dims[1])) {
                words.resize(words.len() + per_row, 0);
            } else if let Some(region) = self.region {
                let row = &region[row as usize * columns..][..columns];
                let bits = |w: &[u8]| (0..).zip(w).fold(0, |bits, (i, v)| bits | (u32::from(*v != 0) << i));
                words.extend(row.chunks(WORD).map(bits));
            } else {
                words.resize(words.len() + per_row, u32::MAX);
            }
        }
        words
    }
}

/// Keys of candidates, as narrow as the stored values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Keys {
    /// 16-bit volumes.
    I16(Vec<i16>),
    /// Floats.
    I32(Vec<i32>),
}

impl Keys {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::I16(k) => k.len(),
            Self::I32(k) => k.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A table of candidates in memory, in raster order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostTable {
    /// Index in the volume of each run's first voxel, and of its key. A run ends where its keys end.
    pub runs: Vec<[u32; 2]>,
    /// One per candidate.
    pub keys: Keys,
}

impl HostTable {
    /// Whether runs lie in the volume, in order and apart: what is computed from them may rely on it.
    pub(super) fn is_possible(&self, dims: [u32; 3]) -> bool {
        let total = self.keys.len() as u32;
        let voxels = dims.iter().product::<u32>();
        let mut free = 0;
        let mut keys = 0;
        self.runs.iter().enumerate().all(|(i, [start, key])| {
            let end_key = self.runs.get(i + 1).map_or(total, |r| r[1]);
            let possible = *start >= free && *key == keys && end_key > *key && end_key <= total;
            keys = end_key;
            free = start.saturating_add(end_key.saturating_sub(*key));
            possible && free <= voxels && start / dims[0] == (free - 1) / dims[0]
        }) && (total == 0 || !self.runs.is_empty())
    }
}

/// A table of candidates on the GPU.
pub struct Table {
    dims: [u32; 3],
    wide: bool,
    negative: bool,
    run_count: u32,
    voxel_count: u32,
    pub(crate) runs: Held,
    pub(crate) keys: Held,
}

impl Table {
    /// Columns, rows, slices of the volume.
    pub fn dims(&self) -> [u32; 3] {
        self.dims
    }

    /// Whether the keys are those of floats.
    pub fn wide(&self) -> bool {
        self.wide
    }

    /// Whether the keys are reversed.
    pub fn negative(&self) -> bool {
        self.negative
    }

    /// Number of runs.
    pub fn run_count(&self) -> u32 {
        self.run_count
    }

    /// Number of candidate voxels.
    pub fn voxel_count(&self) -> u32 {
        self.voxel_count
    }

    /// Bytes that it takes on the GPU.
    pub fn bytes(&self) -> u64 {
        self.runs.size() + self.keys.size()
    }

    fn allocate(
        gpu: &Gpu,
        budget: Budget,
        [dims, counts]: [[u32; 3]; 2],
        wide: bool,
        negative: bool,
    ) -> Result<Self, ComputeError> {
        let [run_count, voxel_count, _] = counts;
        let key_words = u64::from(voxel_count).div_ceil(if wide { 1 } else { 2 });
        let (most_runs, most_words) = (budget.elements(8).saturating_sub(1), budget.binding_bytes / 4);
        for (what, value, limit) in [
            ("runs of candidates", u64::from(run_count), most_runs),
            ("words of candidates", key_words, most_words),
        ] {
            if value > limit {
                return Err(ComputeError::TooLarge { what, value, limit });
            }
        }
        let runs = storage(gpu, "runs", (u64::from(run_count) + 1) * 8);
        let keys = storage(gpu, "keys", key_words * 4);
        // Where the run after the last would begin: there the last one ends.
        fill(gpu, &runs, u64::from(run_count) * 8, bytemuck::cast_slice(&[u32::MAX, voxel_count]));
        Ok(Self { dims, wide, negative, run_count, voxel_count, runs, keys })
    }

    /// A table that was made on the CPU.
    pub async fn upload(
        gpu: &Gpu,
        budget: Budget,
        dims: [u32; 3],
        negative: bool,
        table: &HostTable,
    ) -> Result<Self, ComputeError> {
        check_dims(dims)?;
        let counts = [table.runs.len() as u32, table.keys.len() as u32, 0];
        let wide = matches!(table.keys, Keys::I32(_));
        guarded(gpu, || {
            let out = Self::allocate(gpu, budget, [dims, counts], wide, negative)?;
            fill(gpu, &out.runs, 0, bytemuck::cast_slice(&table.runs));
            match &table.keys {
                Keys::I16(keys) => fill(gpu, &out.keys, 0, bytemuck::cast_slice(keys)),
                Keys::I32(keys) => fill(gpu, &out.keys, 0, bytemuck::cast_slice(keys)),
            }
            Ok(out)
        })
        .await?
    }

    /// The table in memory, for what needs voxels on the CPU.
    pub async fn read(&self, gpu: &Gpu) -> Result<HostTable, ComputeError> {
        let n = u64::from(self.voxel_count);
        let key_words = if self.wide { n } else { n.div_ceil(2) };
        let parts =
            [(self.runs.clone(), 0, u64::from(self.run_count) * 2), (self.keys.clone(), 0, key_words)];
        let ((), [runs, keys]) = read_after(gpu, || ((), parts)).await?;
        let keys = if self.wide {
            Keys::I32(bytemuck::cast_vec(keys))
        } else {
            let halves: &[i16] = bytemuck::cast_slice(&keys);
            Keys::I16(halves[..n as usize].to_vec())
        };
        let runs: Vec<[u32; 2]> = runs.chunks_exact(2).map(|r| [r[0], r[1]]).collect();
        let table = HostTable { runs, keys };
        table.is_possible(self.dims).then_some(table).ok_or(ComputeError::Garbled("runs of candidates"))
    }
}

/// Rows and columns that the sums of a component hold in 32 bits per run, and voxels that an index counts.
pub(crate) fn check_dims(dims: [u32; 3]) -> Result<(), ComputeError> {
    let voxels = dims.iter().map(|n| u64::from(*n)).product();
    for (what, value, limit) in [
        ("columns", u64::from(dims[0]), 0xffff),
        ("rows", u64::from(dims[1]), 0xffff),
        ("voxels", voxels, i32::MAX as u64),
    ] {
        if value > limit {
            return Err(ComputeError::TooLarge { what, value, limit });
        }
    }
    Ok(())
}

/// The compiled kernel.
pub struct Candidates {
    direct: Program,
    wrapped: Option<Program>,
    budget: Budget,
    /// Words of a slab, at most.
    slab_words: u64,
}

const ENTRIES: [&str; 4] = ["mark", "count", "scan", "write"];

/// Rows of which the words fit one binding and one dispatch.
struct Slab {
    tiles: u32,
    params: Held,
    bits: Held,
}

impl Candidates {
    /// Compiles it.
    pub async fn new(gpu: &Gpu) -> Result<Self, ComputeError> {
        Self::within(gpu, Budget::of(gpu)).await
    }

    /// As `new`, with less than the device has.
    pub async fn within(gpu: &Gpu, budget: Budget) -> Result<Self, ComputeError> {
        let direct = Program::new(gpu, &shaders::CANDIDATES_DIRECT, &ENTRIES).await?;
        Ok(Self { direct, wrapped: None, budget, slab_words: budget.elements(4) })
    }

    /// Smaller slabs than necessary, so that a test sees many of a small volume.
    pub fn with_slab_words(self, words: u64) -> Self {
        Self { slab_words: words.min(self.budget.elements(4)), ..self }
    }

    /// One pass over a volume on the GPU.
    pub async fn run(
        &mut self,
        gpu: &Gpu,
        volume: &GpuVolume,
        rule: Rule,
        allowed: Allowed<'_>,
    ) -> Result<Table, ComputeError> {
        let dims = volume.dims();
        check_dims(dims)?;
        let wide = match volume.format() {
            VoxelFormat::I16 | VoxelFormat::U16 => false,
            VoxelFormat::F32 => true,
            VoxelFormat::Rgba8 => return Err(ComputeError::Refused("a volume of colours".to_owned())),
        };
        let (program, wrap) = match volume.layout() {
            Layout::Direct => (&self.direct, [0; 4]),
            Layout::Wrapped { width_log2, height_log2 } => {
                if self.wrapped.is_none() {
                    let program = Program::new(gpu, &shaders::CANDIDATES_WRAPPED, &ENTRIES).await?;
                    self.wrapped = Some(program);
                }
                (self.wrapped.as_ref().unwrap_or(&self.direct), [width_log2, height_log2, 0, 0])
            }
        };
        let words_per_row = dims[0].div_ceil(WORD as u32);
        let [padding_low, padding_high] = rule.padding.unwrap_or_default();
        let flag = |set: bool, bit| if set { bit } else { 0 };
        let params = Params {
            dims: [dims[0], dims[1], dims[2], words_per_row].map(|n| n as i32),
            wrap,
            cut: rule.cut,
            padding_low,
            padding_high,
            flags: flag(wide, FLOAT)
                | flag(rule.negative, NEGATIVE)
                | flag(!allowed.everywhere(), MASKED)
                | flag(rule.padding.is_some(), PADDED),
            first_row: 0,
            words: 0,
            first_tile: 0,
            tile_count: 0,
        };
        let rows = dims[1] * dims[2];
        let rows_per_slab = (self.slab_words / u64::from(words_per_row)).min(u64::from(rows)) as u32;
        if rows_per_slab == 0 {
            let (value, limit) = (u64::from(words_per_row), self.slab_words);
            return Err(ComputeError::TooLarge { what: "words per row", value, limit });
        }
        let ((slabs, tiles), [totals]) = read_after(gpu, || {
            let slabs = self.slabs(gpu, dims, params, rows_per_slab, allowed);
            let tile_count: u32 = slabs.iter().map(|s| s.tiles).sum();
            let tiles = storage(gpu, "tiles", (u64::from(tile_count) + 1) * 8);
            let scan = uniform(gpu, &Params { tile_count, ..params });
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for slab in &slabs {
                let (own, bits) = (slab.params.as_entire_binding(), slab.bits.as_entire_binding());
                let view = wgpu::BindingResource::TextureView(&volume.view);
                let bound = [(0, own.clone()), (1, view), (2, bits.clone())];
                program.dispatch(gpu, &mut pass, "mark", slab.tiles, &bound);
                let bound = [(0, own), (2, bits), (3, tiles.as_entire_binding())];
                program.dispatch(gpu, &mut pass, "count", slab.tiles, &bound);
            }
            let bound = [(0, scan.as_entire_binding()), (3, tiles.as_entire_binding())];
            program.dispatch(gpu, &mut pass, "scan", 1, &bound);
            drop(pass);
            gpu.queue.submit([encoder.finish()]);
            let totals = (tiles.clone(), u64::from(tile_count) * 2, 2);
            ((slabs, tiles), [totals])
        })
        .await?;
        let counts = [totals[0], totals[1], 0];
        let most = u64::from(dims[0]) * u64::from(rows);
        at_most([("runs", u64::from(counts[0]), most), ("candidates", u64::from(counts[1]), most)])?;
        guarded(gpu, || {
            let table = Table::allocate(gpu, self.budget, [dims, counts], wide, rule.negative)?;
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            for slab in &slabs {
                let bound = [
                    (0, slab.params.as_entire_binding()),
                    (1, wgpu::BindingResource::TextureView(&volume.view)),
                    (2, slab.bits.as_entire_binding()),
                    (3, tiles.as_entire_binding()),
                    (4, table.runs.as_entire_binding()),
                    (5, table.keys.as_entire_binding()),
                ];
                program.dispatch(gpu, &mut pass, "write", slab.tiles, &bound);
            }
            drop(pass);
            gpu.queue.submit([encoder.finish()]);
            Ok(table)
        })
        .await?
    }

    fn slabs(
        &self,
        gpu: &Gpu,
        dims: [u32; 3],
        params: Params,
        rows_per_slab: u32,
        allowed: Allowed<'_>,
    ) -> Vec<Slab> {
        let rows = dims[1] * dims[2];
        let mut first_tile = 0;
        let mut slabs = Vec::new();
        for first_row in (0..rows).step_by(rows_per_slab as usize) {
            let end_row = (first_row + rows_per_slab).min(rows);
            let words = (end_row - first_row) * params.dims[3] as u32;
            let tiles = words.div_ceil(GROUP);
            let bits = storage(gpu, "bits", u64::from(words) * 4);
            if !allowed.everywhere() {
                fill(gpu, &bits, 0, bytemuck::cast_slice(&allowed.words(dims, first_row..end_row)));
            }
            let params = uniform(gpu, &Params { first_row, words, first_tile, ..params });
            slabs.push(Slab { tiles, params, bits });
            first_tile += tiles;
        }
        slabs
    }
}
