//! Concentration of voxels over time from the frames of a dynamic series: smoothed in space, a Gaussian within a mask,
//! and converted from signal (`docs/perfusion.md` has the formulas and their papers).
//!
//! Frames go up one by one, each cropped to a box around the mask, and leave a sample in every curve; the curves stay
//! on the device as [`Curves`], where `deconvolve` reads them, and come back once.

mod cases;
mod check;
pub mod cpu;

use bytemuck::{Pod, Zeroable};

pub use cases::{Case, cases};
pub(crate) use check::check;

use super::deconvolve::{Curves, LANES};
use crate::compare::Tolerance;
use crate::compute::{
    Budget, ComputeError, GROUP, Held, Program, at_most, fill, guarded, read_after, storage, uniform,
};
use crate::gpu::Gpu;

/// Weighted sums and a logarithm in f32 against f64.
pub const TOLERANCE: Tolerance = Tolerance {
    abs: 2e-3,
    rel: 2e-5,
    why: "sums of some hundred f32 products of values of about a thousand, of which the baseline is subtracted",
};

/// `struct Params` of `shaders/kernels/concentrate.wgsl`; a test compares the two field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Pod, Zeroable)]
#[allow(missing_docs, reason = "said in the WGSL")]
pub struct Params {
    pub count: u32,
    pub stride: u32,
    pub extent: u32,
    pub reach: u32,
    pub samples: u32,
    pub sample: u32,
    pub baseline: u32,
    pub kind: u32,
    pub flags: u32,
    pub scale: f32,
    pub _unused: u32,
    pub _unused_2: u32,
}

field_offsets!(
    count, stride, extent, reach, samples, sample, baseline, kind, flags, scale, _unused, _unused_2
);

const FIRST: u32 = 1;
const MIXED: u32 = 2;

/// The voxels of a box, columns first, and how they are mixed.
#[derive(Clone, Copy, Debug)]
pub struct Mixing<'a> {
    /// Columns, rows, slices of the box.
    pub extent: [usize; 3],
    /// Weights from the centre outwards, along columns, rows, slices; all empty for frames that are not mixed.
    pub kernels: [&'a [f32]; 3],
    /// By voxel of the box 1 / the weights that lie within the mask; 0 for voxels that neither give nor take. Empty
    /// where nothing is mixed.
    pub shares: &'a [f32],
}

/// From signal to concentration.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Signal {
    /// It is concentration.
    Concentration,
    /// Linear (CT): the baseline is subtracted.
    Linear,
    /// `scale * ln(S / S0)` (T2*-weighted MR): `-k / TE`.
    Logarithm(f64),
}

/// Why a voxel has no concentration; its curve is 0 then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A sample is no number.
    NoMeasurement,
    /// A sample is not above 0 and has no logarithm.
    NotPositive,
    /// The baseline is not above 0 and nothing can be divided by it.
    ZeroBaseline,
    /// All samples are the same.
    Constant,
}

impl Reason {
    /// Of the word of the shader; `None` for a voxel that has concentration.
    fn of(word: u32) -> Option<Self> {
        [Self::NoMeasurement, Self::NotPositive, Self::ZeroBaseline, Self::Constant]
            .get((word as usize).checked_sub(1)?)
            .copied()
    }
}

/// Of the voxels of a slab, in their order.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Concentration {
    /// Blocks of [`LANES`] voxels, sample by sample.
    pub blocks: Vec<f32>,
    /// Mean signal of the baseline; 0 where it has a sample that is no number.
    pub baseline: Vec<f32>,
    /// Standard deviation over the baseline, in concentration.
    pub noise: Vec<f32>,
    /// Sum by trapezoids of samples that are 1 apart.
    pub area: Vec<f32>,
    /// Highest value.
    pub peak: Vec<f32>,
    /// Its sample.
    pub peak_at: Vec<u32>,
    /// `None`: it has concentration.
    pub reasons: Vec<Option<Reason>>,
}

/// A series whose frames are arriving.
pub struct Gathering {
    extent: [usize; 3],
    /// Per axis, where frames are mixed.
    weights: Option<[(Held, u32); 3]>,
    shares: Held,
    frame: Held,
    /// Sums along an axis, from one to the other.
    mixed: [Held; 2],
    /// Curves and the places of their voxels, slab by slab.
    slabs: Vec<(Curves, Held)>,
    samples: usize,
}

impl Gathering {
    /// The curves of all slabs, in their order.
    pub fn into_curves(self) -> Vec<Curves> {
        self.slabs.into_iter().map(|(curves, _)| curves).collect()
    }

    /// Slabs.
    pub fn slabs(&self) -> usize {
        self.slabs.len()
    }
}

/// The compiled kernel.
pub struct Concentrate {
    program: Program,
    budget: Budget,
}

impl Concentrate {
    /// Compiles it.
    pub async fn new(gpu: &Gpu) -> Result<Self, ComputeError> {
        Self::within(gpu, Budget::of(gpu)).await
    }

    /// As `new`, with less than the device has.
    pub async fn within(gpu: &Gpu, budget: Budget) -> Result<Self, ComputeError> {
        let entries = ["along", "enter", "convert"];
        Ok(Self { program: Program::new(gpu, &shaders::CONCENTRATE, &entries).await?, budget })
    }

    /// Makes room for the curves of the voxels at these places of the box, in slabs of so many (whole blocks).
    pub async fn begin(
        &self,
        gpu: &Gpu,
        mixing: &Mixing<'_>,
        places: &[u32],
        samples: usize,
        slab: usize,
    ) -> Result<Gathering, ComputeError> {
        let voxels: usize = mixing.extent.iter().product();
        let (value, limit) = (voxels as u64, self.budget.elements(4));
        if value > limit {
            return Err(ComputeError::TooLarge { what: "voxels of a frame", value, limit });
        }
        let mixes = !mixing.shares.is_empty();
        let fits = |n: usize| n == voxels || !mixes;
        if !fits(mixing.shares.len()) || slab == 0 || !slab.is_multiple_of(LANES) {
            let shares = mixing.shares.len();
            return Err(ComputeError::Refused(format!(
                "{shares} shares of {voxels} voxels, slabs of {slab}"
            )));
        }
        at_most([("places in a frame", places.iter().max().map_or(0, |p| u64::from(*p) + 1), value)])?;
        let mut slabs = Vec::new();
        for places in places.chunks(slab) {
            let curves = Curves::empty(gpu, self.budget, samples, places.len()).await?;
            let held = guarded(gpu, || {
                let held = storage(gpu, "places", places.len() as u64 * 4);
                fill(gpu, &held, 0, bytemuck::cast_slice(places));
                held
            });
            slabs.push((curves, held.await?));
        }
        guarded(gpu, || {
            let upload = |label, values: &[f32]| {
                let held = storage(gpu, label, values.len() as u64 * 4);
                fill(gpu, &held, 0, bytemuck::cast_slice(values));
                held
            };
            let frame = |label| storage(gpu, label, voxels as u64 * 4);
            // Zeros: nothing is mixed.
            let shares = if mixes { upload("shares", mixing.shares) } else { frame("shares") };
            let weights = mixes.then(|| mixing.kernels.map(|k| (upload("weights", k), reach(k))));
            let mixed = [frame("mixed"), frame("mixed")];
            Gathering { extent: mixing.extent, weights, shares, frame: frame("frame"), mixed, slabs, samples }
        })
        .await
    }

    /// Enters a frame as one sample of every curve: the values of the box, mixed unless they are already.
    pub async fn enter(
        &self,
        gpu: &Gpu,
        gathering: &Gathering,
        sample: usize,
        frame: &[f32],
        is_mixed: bool,
    ) -> Result<(), ComputeError> {
        let voxels: usize = gathering.extent.iter().product();
        if frame.len() != voxels || sample >= gathering.samples {
            let (got, of) = (frame.len(), gathering.samples);
            return Err(ComputeError::Refused(format!("{got} values of {voxels}, sample {sample} of {of}")));
        }
        let held = guarded(gpu, || {
            fill(gpu, &gathering.frame, 0, bytemuck::cast_slice(frame));
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut held = Vec::new();
            let mut dispatch = |entry, params: Params, bound: &[(u32, &Held)]| {
                let uniform = uniform(gpu, &params);
                let mut bindings = vec![(0, uniform.as_entire_binding())];
                bindings.extend(bound.iter().map(|(at, buffer)| (*at, buffer.as_entire_binding())));
                let mut pass = encoder.begin_compute_pass(&Default::default());
                self.program.dispatch(gpu, &mut pass, entry, params.count.div_ceil(GROUP), &bindings);
                drop(pass);
                held.push(uniform);
            };
            let [one, two] = &gathering.mixed;
            // What is read, what is written, axis by axis; the last sums lie in `one`.
            if let (Some(weights), false) = (&gathering.weights, is_mixed) {
                let ways = [(&gathering.frame, one), (one, two), (two, one)];
                let mut stride = 1;
                for (axis, (from, to)) in ways.into_iter().enumerate() {
                    let (kernel, reach) = &weights[axis];
                    let extent = gathering.extent[axis];
                    let params = Params {
                        count: voxels as u32,
                        stride: stride as u32,
                        extent: extent as u32,
                        reach: *reach,
                        flags: if axis == 0 { FIRST } else { 0 },
                        ..Params::default()
                    };
                    dispatch("along", params, &[(1, from), (2, kernel), (3, to), (4, &gathering.shares)]);
                    stride *= extent;
                }
            }
            for (curves, places) in &gathering.slabs {
                let params = Params {
                    count: curves.count(),
                    samples: gathering.samples as u32,
                    sample: sample as u32,
                    flags: if is_mixed { MIXED } else { 0 },
                    ..Params::default()
                };
                let (shares, frame) = (&gathering.shares, &gathering.frame);
                let bound = [(1, one), (4, shares), (5, places), (6, frame), (7, curves.buffer())];
                dispatch("enter", params, &bound);
            }
            gpu.queue.submit([encoder.finish()]);
            held
        });
        held.await.map(drop)
    }

    /// Turns the curves of a slab into concentration and reads them back. All frames have to be there.
    pub async fn convert(
        &self,
        gpu: &Gpu,
        gathering: &Gathering,
        slab: usize,
        signal: Signal,
        baseline: usize,
    ) -> Result<Concentration, ComputeError> {
        let Some((curves, _)) = gathering.slabs.get(slab) else {
            return Err(ComputeError::Refused(format!("slab {slab} of {}", gathering.slabs.len())));
        };
        let (kind, scale) = match signal {
            Signal::Concentration => (0, 1.0),
            Signal::Linear => (1, 1.0),
            Signal::Logarithm(scale) => (2, scale as f32),
        };
        let params = Params {
            count: curves.count(),
            samples: gathering.samples as u32,
            baseline: baseline.clamp(1, gathering.samples.max(1)) as u32,
            kind,
            scale,
            ..Params::default()
        };
        let count = u64::from(curves.count());
        let words = curves.bytes() / 4;
        let (held, parts) = read_after(gpu, || {
            let numbers = storage(gpu, "numbers", count * 6 * 4);
            let uniform = uniform(gpu, &params);
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            let bound = [
                (0, uniform.as_entire_binding()),
                (7, curves.buffer().as_entire_binding()),
                (8, numbers.as_entire_binding()),
            ];
            self.program.dispatch(gpu, &mut pass, "convert", params.count.div_ceil(GROUP), &bound);
            drop(pass);
            gpu.queue.submit([encoder.finish()]);
            let of = |quantity: u64| ((*numbers).clone(), quantity * count, count);
            let parts = [((**curves.buffer()).clone(), 0, words), of(0), of(1), of(2), of(3), of(4), of(5)];
            ((numbers, uniform), parts)
        })
        .await?;
        drop(held);
        let [blocks, baseline, noise, area, peak, peak_at, reasons] = parts;
        let most = |words: &[u32]| u64::from(words.iter().copied().max().unwrap_or(0));
        at_most([
            ("samples of a peak", most(&peak_at), gathering.samples.saturating_sub(1) as u64),
            ("reasons", most(&reasons), 4),
        ])?;
        let floats = |words: Vec<u32>| -> Vec<f32> { words.into_iter().map(f32::from_bits).collect() };
        Ok(Concentration {
            blocks: floats(blocks),
            baseline: floats(baseline),
            noise: floats(noise),
            area: floats(area),
            peak: floats(peak),
            peak_at,
            reasons: reasons.into_iter().map(Reason::of).collect(),
        })
    }
}

/// Weights besides the one of the centre.
fn reach(kernel: &[f32]) -> u32 {
    kernel.len().saturating_sub(1) as u32
}
