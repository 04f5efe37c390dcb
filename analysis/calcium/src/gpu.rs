//! The same score with the heavy steps on a GPU: candidates, components, their measures.
//!
//! What comes back are small tables, from which the same code scores as on the CPU: integers are equal and no
//! rule is written twice. Whatever goes wrong is an [`Error`]; the caller then scores on the CPU and says so.

use contract::calcium::{Edit, Region};
use gpu_kernels::kernels::{candidates, components, measures};
use gpu_kernels::{Budget, ComputeError, Gpu, GpuVolume, VolumeError, VoxelFormat, first_failure};
use imaging::Volume;
use scene::Grid;

use crate::assign::{Assignment, Owned};
use crate::candidates::{Candidates, Keys, Run, SliceCandidates};
use crate::key::Scale;
use crate::label::{Component, Connectivity, Labelled, LabelledSlice, Piece, Whole};
use crate::{Effort, Input, Labels, Reading, Report, Request, report, settled};

/// Why there is no score from the GPU.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There is none on the CPU either.
    #[error(transparent)]
    Calcium(#[from] crate::Error),
    /// The CPU can still score.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// Neither does the volume have to be on a GPU.
    #[error(transparent)]
    Volume(#[from] VolumeError),
    /// The self-check found another answer than the twin's.
    #[error("the kernel {kernel} gives wrong answers on this GPU ({detail}); use the CPU")]
    SelfCheck {
        /// Which.
        kernel: &'static str,
        /// The first difference.
        detail: String,
    },
    /// The texture does not hold the volume that is to be scored.
    #[error("the volume on the GPU is not the one to score ({0}); use the CPU")]
    OtherVolume(String),
}

impl Error {
    /// Whether the CPU would give a score.
    pub fn cpu_can_score(&self) -> bool {
        !matches!(self, Self::Calcium(_))
    }
}

/// The kernels of a calcium score.
const KERNELS: [&str; 3] = ["candidates", "components", "measures"];

/// Runs the small known answers of the three kernels on this GPU.
pub async fn self_check(gpu: &Gpu) -> Result<(), Error> {
    match first_failure(gpu, &KERNELS).await? {
        Some(row) => Err(Error::SelfCheck { kernel: row.kernel, detail: row.detail }),
        None => Ok(()),
    }
}

/// The first time point of a volume, for [`Scorer::collect`], where no screen holds it already.
pub async fn upload(gpu: &Gpu, volume: &Volume) -> Result<GpuVolume, Error> {
    let dims = volume.grid.dims();
    let mut out = GpuVolume::allocate(gpu, dims, VoxelFormat::of(&volume.voxels)).await?;
    out.upload_slices(gpu, &volume.voxels, 0, 0, dims[2])?;
    for [_, slice] in volume.missing.iter().filter(|m| m[0] == 0) {
        out.mark_missing(*slice);
    }
    Ok(out)
}

/// The compiled kernels. Made once per device.
pub struct Scorer {
    candidates: candidates::Candidates,
    components: components::Components,
    measures: measures::Measures,
    budget: Budget,
}

/// Candidates that stay on the GPU between two steps of a slider, and their copy in memory: what looks at
/// voxels (clicks, cuts, the isotropic volume) needs it.
pub struct GpuCandidates {
    table: candidates::Table,
    host: Candidates,
}

impl GpuCandidates {
    /// As [`crate::collect`] would have made it.
    pub fn host(&self) -> &Candidates {
        &self.host
    }

    /// Bytes that the table takes on the GPU.
    pub fn gpu_bytes(&self) -> u64 {
        self.table.bytes()
    }
}

impl Scorer {
    /// Compiles the kernels.
    pub async fn new(gpu: &Gpu) -> Result<Self, Error> {
        Self::within(gpu, Budget::of(gpu)).await
    }

    /// As `new`, with less than the device has.
    pub async fn within(gpu: &Gpu, budget: Budget) -> Result<Self, Error> {
        Ok(Self {
            candidates: candidates::Candidates::within(gpu, budget).await?,
            components: components::Components::within(gpu, budget).await?,
            measures: measures::Measures::within(gpu, budget).await?,
            budget,
        })
    }

    /// Smaller slabs than necessary, so that a test sees many of a small volume.
    pub fn with_slab_words(self, words: u64) -> Self {
        Self { candidates: self.candidates.with_slab_words(words), ..self }
    }

    /// Gives up joining components after so many steps, so that a test sees what happens then.
    pub fn with_max_steps(self, steps: u32) -> Self {
        Self { components: self.components.with_max_steps(steps), ..self }
    }

    /// All of it, as [`crate::run`], for a volume that is not on the GPU yet.
    pub async fn run(
        &mut self,
        gpu: &Gpu,
        input: &Input<'_>,
        request: &Request,
        reading: &Reading<'_>,
        now_ms: &dyn Fn() -> f64,
    ) -> Result<Report, Error> {
        let began = now_ms();
        let settings = settled(input, request, reading)?;
        let volume = upload(gpu, input.volume).await?;
        gpu.finished().await.map_err(ComputeError::from)?;
        let uploaded = now_ms();
        let mut on = self.collect(gpu, input, &volume, settings.threshold_hu, reading.region).await?;
        if let Some(session) = reading.session
            && let Some(fewer) =
                self.trimmed(gpu, &on, &input.volume.grid, session.region, &session.edits).await?
        {
            on = fewer;
        }
        let collected = now_ms();
        let mut report = self.rescore(gpu, input, &on, request, reading, now_ms).await?;
        report.timings_ms.upload = uploaded - began;
        report.timings_ms.candidates = collected - uploaded;
        report.timings_ms.total = now_ms() - began;
        Ok(report)
    }

    /// The one pass over the voxels, as [`crate::collect`]; `volume` holds the first time point of the input.
    pub async fn collect(
        &mut self,
        gpu: &Gpu,
        input: &Input<'_>,
        volume: &GpuVolume,
        floor_hu: f64,
        region: Option<&[u8]>,
    ) -> Result<GpuCandidates, Error> {
        crate::admits_floor(input, floor_hu, region)?;
        let size = || crate::Refusal::Size(input.volume.grid.dims());
        let scale = Scale::of(input.volume).ok_or_else(|| crate::Error::from(size()))?;
        let missing: Vec<u32> =
            input.volume.missing.iter().filter(|m| m[0] == 0).map(|[_, slice]| *slice).collect();
        same_volume(input, volume, &missing)?;
        let padding = input.volume.padding.and_then(|p| scale.keys_between(p.low, p.high));
        let rule = candidates::Rule { cut: scale.cut(floor_hu) as i32, negative: scale.negative(), padding };
        let allowed = candidates::Allowed { region, missing: &missing };
        let table = self.candidates.run(gpu, volume, rule, allowed).await?;
        let host = to_candidates(table.read(gpu).await?, volume.dims(), scale, floor_hu);
        Ok(GpuCandidates { table, host })
    }

    /// Candidates that were collected or trimmed on the CPU.
    pub async fn upload(&self, gpu: &Gpu, host: Candidates) -> Result<GpuCandidates, Error> {
        let table = to_table(&host);
        let table =
            candidates::Table::upload(gpu, self.budget, host.dims, host.scale.negative(), &table).await?;
        Ok(GpuCandidates { table, host })
    }

    /// As [`Candidates::trimmed`]: `None` where nothing is taken away.
    pub async fn trimmed(
        &self,
        gpu: &Gpu,
        from: &GpuCandidates,
        grid: &Grid,
        region: Option<Region>,
        edits: &[Edit],
    ) -> Result<Option<GpuCandidates>, Error> {
        match from.host.trimmed(grid, region, edits) {
            Some(fewer) => Ok(Some(self.upload(gpu, fewer).await?)),
            None => Ok(None),
        }
    }

    /// As [`crate::rescore`], touching only candidates.
    pub async fn rescore(
        &self,
        gpu: &Gpu,
        input: &Input<'_>,
        on: &GpuCandidates,
        request: &Request,
        reading: &Reading<'_>,
        now_ms: &dyn Fn() -> f64,
    ) -> Result<Report, Error> {
        self.rescore_owned(gpu, input, on, request, reading, now_ms).await.map(|(report, _)| report)
    }

    /// As [`crate::rescore_owned`]. Components come with their pieces where the report is a full one.
    pub async fn rescore_owned(
        &self,
        gpu: &Gpu,
        input: &Input<'_>,
        on: &GpuCandidates,
        request: &Request,
        reading: &Reading<'_>,
        now_ms: &dyn Fn() -> f64,
    ) -> Result<(Report, Owned), Error> {
        let began = now_ms();
        let settings = settled(input, request, reading)?;
        let full = reading.effort == Effort::Full;
        let assignment = &reading.assignment;
        // Edits and maps ask for voxels, and so does the isotropic volume.
        let asks = !matches!(assignment, Assignment::None | Assignment::Edits([]));
        let (hu, grid) = (settings.threshold_hu, &input.volume.grid);
        let connectivity = settings.connectivity;
        let owned = self.owned(gpu, on, hu, connectivity, assignment, grid, full || asks).await?;
        let other = if full {
            Some(self.owned(gpu, on, hu, connectivity.other(), assignment, grid, asks).await?)
        } else {
            None
        };
        // Only a full report asks for it, and then it is there.
        let other = |_| other.ok_or(crate::Error::Threshold(hu));
        let backend = format!("gpu: {}", gpu.adapter_name());
        let labels = Labels { owned, other, began, backend };
        Ok(report(input, &on.host, settings, reading, labels, now_ms)?)
    }

    #[allow(clippy::too_many_arguments, reason = "the same as on the CPU, and where")]
    async fn owned(
        &self,
        gpu: &Gpu,
        on: &GpuCandidates,
        threshold_hu: f64,
        connectivity: Connectivity,
        assignment: &Assignment<'_>,
        grid: &Grid,
        with_pieces: bool,
    ) -> Result<Owned, Error> {
        let floor_hu = on.host.floor_hu;
        if threshold_hu < floor_hu {
            return Err(crate::Error::Floor { floor_hu, threshold_hu }.into());
        }
        let cut = on.host.scale.cut(threshold_hu) as i32;
        let corners = connectivity == Connectivity::Eight;
        let labels = self.components.run(gpu, &on.table, cut, corners).await?;
        let measured = self.measures.run(gpu, &on.table, &labels, with_pieces).await?;
        let (labelled, roots) = to_labelled(measured, &on.host, connectivity);
        Ok(assignment.apply(labelled, roots, &on.host, grid))
    }
}

fn same_volume(input: &Input, volume: &GpuVolume, missing: &[u32]) -> Result<(), Error> {
    let (dims, format) = (input.volume.grid.dims(), VoxelFormat::of(&input.volume.voxels));
    if volume.dims() != dims || volume.format() != format {
        let why = format!("{:?} {:?} against {dims:?} {format:?}", volume.dims(), volume.format());
        return Err(Error::OtherVolume(why));
    }
    match (0..dims[2]).find(|z| !volume.arrived().contains(*z) && !missing.contains(z)) {
        // In a volume of more than 2048 slices one that is missing keeps its neighbour from being there.
        Some(z) => Err(Error::OtherVolume(format!("slice {z} has not arrived"))),
        None => Ok(()),
    }
}

/// The table slice by slice.
fn to_candidates(table: candidates::HostTable, dims: [u32; 3], scale: Scale, floor_hu: f64) -> Candidates {
    let area = dims[0] * dims[1];
    let total = table.keys.len() as u32;
    let mut rest = table.runs.as_slice();
    let mut slices = Vec::with_capacity(dims[2] as usize);
    for z in 0..dims[2] {
        let own = rest.partition_point(|[start, _]| start / area <= z);
        let end_of = |i: usize| rest.get(i).map_or(total, |[_, key]| *key);
        let (first, end) = (end_of(0), end_of(own));
        let run =
            |(i, [start, key]): (usize, &[u32; 2])| Run { start: start % area, len: end_of(i + 1) - key };
        let runs = rest[..own].iter().enumerate().map(run).collect();
        let keys = first as usize..end as usize;
        let keys = match &table.keys {
            candidates::Keys::I16(k) => Keys::I16(k[keys].to_vec()),
            candidates::Keys::I32(k) => Keys::I32(k[keys].to_vec()),
        };
        slices.push(SliceCandidates { runs, keys });
        rest = &rest[own..];
    }
    Candidates { dims, scale, floor_hu, slices }
}

/// The slices in one table.
fn to_table(host: &Candidates) -> candidates::HostTable {
    let area = host.dims[0] * host.dims[1];
    let mut runs = Vec::new();
    let mut next = 0;
    let (mut narrow, mut wide) = (Vec::new(), Vec::new());
    for (z, slice) in (0..).zip(&host.slices) {
        for run in &slice.runs {
            runs.push([z * area + run.start, next]);
            next += run.len;
        }
        match &slice.keys {
            Keys::I16(keys) => narrow.extend_from_slice(keys),
            Keys::I32(keys) => wide.extend_from_slice(keys),
        }
    }
    let keys = if host.scale.wide() { candidates::Keys::I32(wide) } else { candidates::Keys::I16(narrow) };
    candidates::HostTable { runs, keys }
}

/// Components (and pieces, if they came) slice by slice, and the roots of lesions.
fn to_labelled(
    measured: measures::Measured,
    host: &Candidates,
    connectivity: Connectivity,
) -> (Labelled, Vec<u32>) {
    let [columns, rows, slices] = host.dims;
    let mut out = vec![LabelledSlice::default(); slices as usize];
    let mut before = vec![0u32; slices as usize];
    for (i, m) in (0..).zip(&measured.components) {
        let slice = &mut out[m.slice as usize];
        if slice.components.is_empty() {
            before[m.slice as usize] = i;
        }
        slice.components.push(Component {
            voxels: m.voxels,
            peak_key: m.peak_key,
            stored_sum: if host.scale.wide() {
                m.float_sum
            } else {
                host.scale.stored_sum(m.key_sum, m.voxels as usize)
            },
            sum_x: m.sum_x,
            sum_y: m.sum_y,
            bounds: m.bounds,
            first: m.first,
            whole: Whole { voxels: m.voxels, peak_key: m.peak_key },
        });
    }
    for p in &measured.pieces {
        let row = p.start / columns;
        let (z, y, x0) = (row / rows, row % rows, p.start % columns);
        let component = p.component - before[z as usize];
        let piece = Piece { y, x0, x1: x0 + p.end - p.start, component, part: 0 };
        out[z as usize].pieces.push(piece);
    }
    (Labelled { connectivity, slices: out }, measured.lesions)
}
