//! The same maps by a GPU: frames go there once, concentration comes back once, then a few words per voxel.
//!
//! The curves stay on the device, so another artery or method costs its matrices up and its peaks down. The host keeps
//! them too, for searches, plots and checks. Whatever goes wrong is an [`Error`]; the caller then computes on the CPU
//! and says so.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};

use gpu_kernels::kernels::{concentrate, deconvolve};
use gpu_kernels::{Budget, ComputeError, Gpu, first_failure};

use crate::curves::LANES;
use crate::deconvolve::{Factor, Found, Linear, lag};
use crate::prepare::{OnDevice, STEP_FRAMES};
use crate::{Analysis, Input, Progress, Report, Session, Stage, Timings};

/// Why there are no maps from the GPU.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// There are none on the CPU either.
    #[error(transparent)]
    Perfusion(#[from] crate::Error),
    /// The CPU can still compute.
    #[error(transparent)]
    Compute(#[from] ComputeError),
    /// The self-check found another answer than the twin's.
    #[error("the kernel {kernel} gives wrong answers on this GPU ({detail}); use the CPU")]
    SelfCheck {
        /// Which.
        kernel: &'static str,
        /// The first difference.
        detail: String,
    },
}

impl Error {
    /// Whether the CPU would give maps.
    pub fn cpu_can_compute(&self) -> bool {
        !matches!(self, Self::Perfusion(_))
    }
}

/// The kernels of perfusion maps.
const KERNELS: [&str; 2] = ["concentrate", "deconvolve"];
/// Voxels of a slab at most: a step that a page can take turns with, 31 MB of 60 samples.
const SLAB: usize = 1 << 17;

/// Runs the small known answers of the kernels on this GPU.
pub async fn self_check(gpu: &Gpu) -> Result<(), Error> {
    match first_failure(gpu, &KERNELS).await? {
        Some(row) => Err(Error::SelfCheck { kernel: row.kernel, detail: row.detail }),
        None => Ok(()),
    }
}

/// Tells one state of curves or factor from every other, whoever made it.
pub(crate) fn stamp() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// What the device is asked for.
pub(crate) struct Work<'a> {
    pub curves: &'a crate::Curves,
    /// Of the curves.
    pub curves_stamp: u64,
    pub factor: &'a Factor,
    pub factor_stamp: u64,
    pub dt_s: f64,
    /// The next blocks.
    pub next: std::ops::Range<usize>,
}

/// The compiled kernels and the curves on the device. Made once per device, for one study at a time.
pub struct Mapper {
    concentrate: concentrate::Concentrate,
    gathered: Option<Gathered>,
    kernel: deconvolve::Deconvolve,
    budget: Budget,
    slab: usize,
    held: Option<Held>,
    ready: Option<(u64, deconvolve::Ready)>,
}

/// Curves of one study in the making.
struct Gathered {
    stamp: u64,
    work: OnDevice,
    gathering: concentrate::Gathering,
    /// Samples that have entered, then slabs that are converted.
    entered: usize,
    converted: usize,
}

/// Curves of one study.
struct Held {
    stamp: u64,
    /// By number.
    slabs: BTreeMap<usize, deconvolve::Curves>,
}

impl Mapper {
    /// Compiles the kernels.
    pub async fn new(gpu: &Gpu) -> Result<Self, Error> {
        Self::within(gpu, Budget::of(gpu)).await
    }

    /// As `new`, with less than the device has.
    pub async fn within(gpu: &Gpu, budget: Budget) -> Result<Self, Error> {
        let concentrate = concentrate::Concentrate::within(gpu, budget).await?;
        let kernel = deconvolve::Deconvolve::within(gpu, budget).await?;
        Ok(Self { concentrate, gathered: None, kernel, budget, slab: SLAB, held: None, ready: None })
    }

    /// Smaller slabs than necessary, so that a test sees many of a small volume.
    pub fn with_slab(self, voxels: usize) -> Self {
        Self { slab: voxels.next_multiple_of(LANES), ..self }
    }

    /// Bytes of curves on the device.
    pub fn gpu_bytes(&self) -> u64 {
        self.held.iter().flat_map(|h| h.slabs.values()).map(deconvolve::Curves::bytes).sum()
    }

    /// Gives the curves back.
    pub fn forget(&mut self) {
        self.gathered = None;
        self.held = None;
        self.ready = None;
    }

    /// One unit of work as [`Analysis::step`]; a slab of voxels where it deconvolves.
    pub async fn step(
        &mut self,
        gpu: &Gpu,
        analysis: &mut Analysis,
        input: &Input<'_>,
    ) -> Result<Progress, Error> {
        match analysis.stage() {
            Stage::Curves => return self.curves(gpu, analysis, input).await,
            Stage::Maps => {}
            _ => return Ok(analysis.step(input)?),
        }
        let Some(work) = analysis.maps_work()? else { return Ok(analysis.step(input)?) };
        let (first_block, found) = self.slab(gpu, &work).await?;
        let (done, total) = analysis.take_found(first_block, &found);
        if done >= total {
            // Scaling what was found makes the maps.
            analysis.step(input)?;
        }
        let units = |blocks: usize| (blocks * LANES).div_ceil(self.slab);
        Ok(Progress { stage: Stage::Maps, done: units(done), total: units(total) })
    }

    /// One unit of the curves: room for them, some frames, or a slab.
    async fn curves(
        &mut self,
        gpu: &Gpu,
        analysis: &mut Analysis,
        input: &Input<'_>,
    ) -> Result<Progress, Error> {
        let stamp = analysis.stamp_of_curves();
        if stamp.is_none() || self.gathered.as_ref().map(|g| g.stamp) != stamp {
            // The old ones first: both may not fit.
            (self.gathered, self.held) = (None, None);
            let Some((stamp, work)) = analysis.curves_for_device(input) else {
                return Ok(analysis.step(input)?);
            };
            self.gathered = Some(self.gather(gpu, stamp, work).await?);
        }
        let Some(g) = &mut self.gathered else { return Ok(analysis.step(input)?) };
        let (samples, slabs) = (g.work.samples, g.gathering.slabs());
        if g.entered < samples {
            let until = (g.entered + STEP_FRAMES).min(samples);
            let frames = analysis.samples_for_device(input, &g.work.crop, g.entered..until);
            for (frame, is_mixed) in frames {
                self.concentrate.enter(gpu, &g.gathering, g.entered, &frame, is_mixed).await?;
                g.entered += 1;
            }
        } else {
            let OnDevice { signal, baseline, .. } = g.work;
            let slab = self.concentrate.convert(gpu, &g.gathering, g.converted, signal, baseline).await?;
            g.converted += 1;
            analysis.take_curves(&slab)?;
        }
        let done = g.entered + g.converted;
        if g.converted == slabs
            && let Some(Gathered { stamp, gathering, .. }) = self.gathered.take()
        {
            let slabs = gathering.into_curves().into_iter().enumerate().collect();
            self.held = Some(Held { stamp, slabs });
        }
        Ok(Progress { stage: Stage::Curves, done, total: samples + slabs })
    }

    async fn gather(&self, gpu: &Gpu, stamp: u64, work: OnDevice) -> Result<Gathered, Error> {
        let slab = self.slab_of(work.samples)?;
        let mixing = concentrate::Mixing {
            extent: work.crop.extent,
            kernels: work.kernels.each_ref().map(Vec::as_slice),
            shares: &work.shares,
        };
        let gathering = self.concentrate.begin(gpu, &mixing, &work.places, work.samples, slab).await?;
        Ok(Gathered { stamp, work, gathering, entered: 0, converted: 0 })
    }

    /// Voxels of a slab.
    fn slab_of(&self, samples: usize) -> Result<usize, ComputeError> {
        match self.slab.min(self.kernel.most_voxels(samples)) {
            0 => {
                let (value, limit) = (samples as u64, self.budget.binding_bytes / (LANES as u64 * 4));
                Err(ComputeError::TooLarge { what: "samples of a curve", value, limit })
            }
            slab => Ok(slab),
        }
    }

    /// What was found in the slab that holds the next block, and the first block of it.
    async fn slab(&mut self, gpu: &Gpu, work: &Work<'_>) -> Result<(usize, Vec<Found>), Error> {
        let (samples, total) = (work.curves.samples(), work.curves.len());
        let slab = self.slab_of(samples)?;
        if self.held.as_ref().is_none_or(|h| h.stamp != work.curves_stamp) {
            // The old ones first: both may not fit.
            self.held = None;
            self.held = Some(Held { stamp: work.curves_stamp, slabs: BTreeMap::new() });
        }
        if self.ready.as_ref().is_none_or(|(stamp, _)| *stamp != work.factor_stamp) {
            self.ready = None;
            let ready = prepare(gpu, &self.kernel, work.factor).await?;
            self.ready = Some((work.factor_stamp, ready));
        }
        let (Some(held), Some((_, ready))) = (&mut self.held, &self.ready) else {
            return Err(ComputeError::Garbled("slabs").into());
        };
        let number = work.next.start * LANES / slab;
        let first = number * slab;
        let curves = match held.slabs.entry(number) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let count = slab.min(total - first);
                let blocks = work.curves.blocks_of(first / LANES..(first + count).div_ceil(LANES));
                place.insert(deconvolve::Curves::upload(gpu, self.budget, samples, count, blocks).await?)
            }
        };
        let got = self.kernel.run(gpu, ready, curves).await?;
        let circulant = work.factor.circulant();
        let sum_of = |i: usize| got.sum.as_ref().map(|s| s[i] * work.dt_s as f32);
        let found = (0..got.value.len()).map(|i| Found {
            value: got.value[i],
            lag: lag(got.row[i] as usize, samples, circulant),
            area: sum_of(i),
        });
        Ok((first / LANES, found.collect()))
    }
}

async fn prepare(
    gpu: &Gpu,
    kernel: &deconvolve::Deconvolve,
    factor: &Factor,
) -> Result<deconvolve::Ready, ComputeError> {
    fn operator(linear: &Linear) -> deconvolve::Operator<'_> {
        deconvolve::Operator { columns: linear.columns(), entries: linear.entries() }
    }
    let (weights, psf): (Vec<f64>, Vec<f64>);
    let method = match factor {
        Factor::Linear { inverse, .. } => deconvolve::Method::Linear(operator(inverse)),
        Factor::Ladder(ladder) => deconvolve::Method::Ladder {
            rungs: ladder.rungs().iter().map(operator).collect(),
            limit: ladder.limit(),
        },
        Factor::Corner(corner) => {
            weights = corner.weights();
            deconvolve::Method::Corner {
                rungs: corner.rungs().iter().map(operator).collect(),
                spectrum: operator(corner.spectrum()),
                weights: &weights,
            }
        }
        Factor::Lucy { lucy, .. } => {
            psf = lucy.psf().iter().map(|p| f64::from(*p)).collect();
            deconvolve::Method::Lucy { psf: &psf, iterations: lucy.iterations(), scale: 1.0 / lucy.area() }
        }
    };
    kernel.prepare(gpu, &method).await
}

/// As [`crate::run`], on a GPU.
pub async fn run(
    gpu: &Gpu,
    mapper: &mut Mapper,
    input: &Input<'_>,
    session: &Session,
    now_ms: &dyn Fn() -> f64,
) -> Result<(Analysis, Report), Error> {
    let mut analysis = Analysis::new(session.clone());
    let mut timings = Timings::default();
    let began = now_ms();
    let mut last = began;
    while analysis.stage() != Stage::Done {
        let progress = mapper.step(gpu, &mut analysis, input).await?;
        let now = now_ms();
        timings.add(progress.stage, now - last);
        last = now;
    }
    let mut report = Report::new(&analysis, input)?;
    timings.total = now_ms() - began;
    report.timings_ms = timings;
    report.backend = backend(gpu);
    Ok((analysis, report))
}

/// As reports write it.
pub fn backend(gpu: &Gpu) -> String {
    format!("gpu: {}", gpu.adapter_name())
}
