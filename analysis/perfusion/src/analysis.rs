//! The stages, one after the other, in small steps; a change of the session redoes only what depends on it.
//!
//! A page drives this from its worker: [`Analysis::set`] with the newest session, then [`Analysis::step`] between
//! two messages until it says [`Stage::Done`]. To cancel is to stop calling. The last maps stay until new ones
//! are complete.

mod device;

use std::ops::Range;
use std::sync::OnceLock;

use contract::perfusion::{self as wish, Session};
use rayon::prelude::*;

use crate::artery::Candidate;
use crate::curves::{LANES, Moments};
use crate::deconvolve::{Factor, FactorError, Found};
use crate::frames::Frames;
use crate::gpu::Work;
use crate::maps::{Maps, Scaling};
use crate::mask::Mask;
use crate::motion::{Estimator, Moved};
use crate::order::Order;
use crate::prepare::{Prepared, Preparing, Reading, STEP_BLOCKS, Wishes};
use crate::series::{self, Checked, Input, Kind, Refusal};
use crate::smooth::Smoothing;
use crate::vessels::{self, Scene, VesselError, Vessels};

/// Why there are no maps.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// See [`Refusal`].
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// See [`VesselError`].
    #[error(transparent)]
    Vessel(#[from] VesselError),
    /// See [`FactorError`].
    #[error(transparent)]
    Factor(#[from] FactorError),
    /// Nothing in it.
    #[error("The mask holds no voxel, so there is nothing to compute. Choose another mask, or none.")]
    EmptyMask,
    /// Nothing in it has numbers.
    #[error("None of the {voxels} voxels of the mask can be computed: {why}.")]
    NothingUsable {
        /// Of the mask.
        voxels: usize,
        /// Counts by reason.
        why: String,
    },
}

/// Where the computation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Times, units, instances.
    Check,
    /// Estimate per frame.
    Motion,
    /// Voxels to compute.
    Mask,
    /// Concentration.
    Curves,
    /// Artery and vein.
    Vessels,
    /// Deconvolution.
    Maps,
    /// Everything is there.
    Done,
}

impl Stage {
    /// As a page shows it.
    pub fn name(self) -> &'static str {
        ["check", "motion", "mask", "curves", "vessels", "maps", "done"][self as usize]
    }
}

/// How far a stage is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// What was worked on.
    pub stage: Stage,
    /// Units done.
    pub done: usize,
    /// Units in all.
    pub total: usize,
}

/// What was computed so far. Owns no voxels of the series: every step is handed the same input.
#[derive(Default)]
pub struct Analysis {
    session: Session,
    checked: Option<Checked>,
    mean: Vec<f32>,
    estimating: Option<Estimator>,
    moved: Option<Moved>,
    mask: Option<Mask>,
    preparing: Option<Preparing>,
    prepared: Option<Prepared>,
    moments: Option<Moments>,
    vessels: Option<Vessels>,
    veins: OnceLock<Vec<Candidate>>,
    /// Of the curves, to tell them from older ones.
    curves_stamp: u64,
    factor: Option<Factor>,
    factor_stamp: u64,
    /// Of every voxel, as far as `order` has come.
    found: Vec<Found>,
    order: Option<Order>,
    /// Voxels of one time point whose maps are waited for most.
    looked_at: Option<Range<u32>>,
    maps: Option<Maps>,
    stale_maps: bool,
}

impl Analysis {
    /// With a session; nothing is computed yet.
    pub fn new(session: Session) -> Self {
        Self { session, stale_maps: true, ..Self::default() }
    }

    /// What is computed.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// Takes a newer session and drops what no longer holds; says from which stage on.
    pub fn set(&mut self, session: Session) -> Stage {
        let stage = first_stale(&self.session, &session);
        self.session = session;
        // Cheap, and it validates every number of the session.
        self.checked = None;
        self.drop_from(stage);
        stage
    }

    /// Drops everything from a stage on, for a series or mask that changed.
    pub fn drop_from(&mut self, stage: Stage) {
        if stage <= Stage::Check {
            self.checked = None;
            self.mean.clear();
        }
        if stage <= Stage::Motion {
            self.estimating = None;
            self.moved = None;
        }
        if stage <= Stage::Mask {
            self.mask = None;
        }
        if stage <= Stage::Curves {
            self.preparing = None;
            self.prepared = None;
            self.moments = None;
            self.veins.take();
        }
        if stage <= Stage::Vessels {
            self.vessels = None;
        }
        if stage <= Stage::Maps {
            self.factor = None;
            self.order = None;
        }
        // Constants alone change nothing that was found.
        self.stale_maps = true;
    }

    /// Voxels of one time point, such as those of the slice on the screen, whose maps shall come first.
    pub fn look_at(&mut self, voxels: Range<u32>) {
        self.looked_at = Some(voxels);
    }

    /// The maps of what is looked at: once, when they are known and others are not yet.
    pub fn take_preview(&mut self) -> Option<Maps> {
        let (checked, vessels) = (self.checked.as_ref()?, self.vessels.as_ref()?);
        let (curves, moments) = (&self.prepared.as_ref()?.curves, self.moments.as_ref()?);
        let order = self.order.filter(|o| !o.is_complete())?;
        let positions = curves.positions(self.looked_at.clone()?);
        let blocks = positions.start / LANES..positions.end.div_ceil(LANES);
        if !order.has(blocks) {
            return None;
        }
        self.looked_at = None;
        let of = Scaling { curves, moments, vessels, timeline: &checked.timeline, session: &self.session };
        Some(of.maps(&self.found, positions))
    }

    /// The stage of the next step.
    pub fn stage(&self) -> Stage {
        if self.checked.is_none() || self.mean.is_empty() {
            Stage::Check
        } else if self.session.motion != wish::Motion::Off && self.moved.is_none() {
            Stage::Motion
        } else if self.mask.is_none() {
            Stage::Mask
        } else if self.moments.is_none() {
            Stage::Curves
        } else if self.vessels.is_none() {
            Stage::Vessels
        } else if self.stale_maps {
            Stage::Maps
        } else {
            Stage::Done
        }
    }

    /// One unit of work; at [`Stage::Done`] nothing.
    pub fn step(&mut self, input: &Input) -> Result<Progress, Error> {
        let stage = self.stage();
        let (done, total) = match stage {
            Stage::Check => self.check(input)?,
            Stage::Motion => self.motion(input),
            Stage::Mask => self.choose_mask(input)?,
            Stage::Curves => self.curves_step(input)?,
            Stage::Vessels => self.choose_vessels(input)?,
            Stage::Maps => self.maps_step()?,
            Stage::Done => (1, 1),
        };
        Ok(Progress { stage, done, total })
    }

    /// All steps. `go_on` sees the progress and may end it with `false`; the result is whether all was done.
    pub fn run(&mut self, input: &Input, go_on: &mut dyn FnMut(Progress) -> bool) -> Result<bool, Error> {
        while self.stage() != Stage::Done {
            let progress = self.step(input)?;
            if !go_on(progress) {
                return Ok(self.stage() == Stage::Done);
            }
        }
        Ok(true)
    }

    /// Times, units, instances.
    pub fn checked(&self) -> Option<&Checked> {
        self.checked.as_ref()
    }

    /// Mean of the first three frames, in the unit of the series.
    pub fn mean_before_contrast(&self) -> &[f32] {
        &self.mean
    }

    /// Movement per frame.
    pub fn moved(&self) -> Option<&Moved> {
        self.moved.as_ref()
    }

    /// Voxels that are computed.
    pub fn mask(&self) -> Option<&Mask> {
        self.mask.as_ref()
    }

    /// Concentration.
    pub fn prepared(&self) -> Option<&Prepared> {
        self.prepared.as_ref()
    }

    /// Area and peak of every curve.
    pub fn moments(&self) -> Option<&Moments> {
        self.moments.as_ref()
    }

    /// Artery and vein.
    pub fn vessels(&self) -> Option<&Vessels> {
        self.vessels.as_ref()
    }

    /// The method, ready for the artery.
    pub fn factor(&self) -> Option<&Factor> {
        self.factor.as_ref()
    }

    /// The newest complete maps.
    pub fn maps(&self) -> Option<&Maps> {
        self.maps.as_ref()
    }

    /// The residue function of a voxel of one time point, 1/s, in f64; `None` outside of the mask.
    pub fn residue(&self, voxel: u32) -> Option<Vec<f64>> {
        let curves = &self.prepared.as_ref()?.curves;
        Some(self.factor.as_ref()?.residue(&curves.curve(curves.find(voxel)?)))
    }

    fn check(&mut self, input: &Input) -> Result<(usize, usize), Error> {
        let checked = series::check(input, &self.session)?;
        if self.mean.is_empty() {
            let frames = echoes(input, &checked).pop().map_or(Vec::new(), |f| mean_of(&f, 3));
            self.mean = frames;
        }
        self.checked = Some(checked);
        Ok((1, 1))
    }

    fn motion(&mut self, input: &Input) -> (usize, usize) {
        let Some(checked) = &self.checked else { return (0, 1) };
        let total = checked.timeline.frames_s.len();
        let Some(frames) = echoes(input, checked).into_iter().next() else { return (0, 1) };
        let estimator = self.estimating.get_or_insert_with(|| {
            let in_plane = self.session.motion != wish::Motion::Rigid;
            let spacing = input.volume.grid.spacing();
            let reference = if frames.count() > 2 { mean_of(&frames, 3) } else { Vec::new() };
            Estimator::new(&reference, dims(input), spacing, in_plane, checked.kind == Kind::Ct)
        });
        if estimator.done() == 0 {
            let [mut first, mut second] = [Vec::new(), Vec::new()];
            frames.frame(0, &mut first);
            frames.frame(1, &mut second);
            if !estimator.sees(&first, &second) {
                self.estimating = None;
                self.moved = Some(Moved::default());
                return (total, total);
            }
        }
        let from = estimator.done();
        // A few frames at a time, so that every thread has one.
        let until = (from + STEP_FRAMES).min(total);
        let found = (0..until - from)
            .into_par_iter()
            .map(|i| {
                let mut frame = Vec::new();
                frames.frame(from + i, &mut frame);
                estimator.estimate(&frame)
            })
            .collect::<Vec<_>>();
        estimator.extend(found);
        if until == total
            && let Some(estimator) = self.estimating.take()
        {
            self.moved = Some(estimator.finish());
        }
        (until, total)
    }

    fn choose_mask(&mut self, input: &Input) -> Result<(usize, usize), Error> {
        let Some(checked) = &self.checked else { return Ok((0, 1)) };
        let voxels = input.volume.grid.voxel_count();
        let mask = match self.session.mask {
            wish::Mask::None => Mask::all(voxels),
            wish::Mask::Given => Mask::given(input.mask.ok_or(Refusal::NoMask)?),
            wish::Mask::Auto => Mask::auto(&self.mean, dims(input), checked.kind),
        };
        if mask.voxels.is_empty() {
            return Err(Error::EmptyMask);
        }
        self.mask = Some(mask);
        Ok((1, 1))
    }

    fn curves_step(&mut self, input: &Input) -> Result<(usize, usize), Error> {
        self.begin_curves(input);
        let (Some(mut preparing), Some(checked)) = (self.preparing.take(), &self.checked) else {
            return Ok((0, 1));
        };
        let echoes = echoes(input, checked);
        let reading = self.reading(input, checked, &echoes);
        let done = preparing.step(&reading);
        let progress = preparing.progress(&reading);
        if done {
            self.finish_curves(preparing)?;
        } else {
            self.preparing = Some(preparing);
        }
        Ok(progress)
    }

    /// Finds the bolus, and what is to be done with the frames.
    fn begin_curves(&mut self, input: &Input) {
        if let (None, Some(checked), Some(mask)) = (&self.preparing, &self.checked, &self.mask) {
            let echoes = echoes(input, checked);
            let reading = self.reading(input, checked, &echoes);
            let wishes = wishes(&self.session, input, checked.kind);
            self.preparing = Some(Preparing::begin(&reading, &mask.voxels, &wishes));
        }
    }

    fn reading<'a>(&'a self, input: &Input, checked: &'a Checked, echoes: &'a [Frames<'a>]) -> Reading<'a> {
        let moved = self.moved.as_ref().filter(|_| self.session.motion.corrects());
        Reading { checked, echoes, dims: dims(input), moved, mean: &self.mean }
    }

    fn finish_curves(&mut self, preparing: Preparing) -> Result<(), Error> {
        let Some(checked) = &self.checked else { return Ok(()) };
        let dt_s = checked.timeline.dt_s;
        self.curves_stamp = preparing.stamp;
        let (mut prepared, mut moments) = preparing.finish();
        crate::check_usable(&prepared)?;
        if self.session.leakage_correction && checked.kind == Kind::Dsc {
            crate::leakage::correct(&mut prepared, dt_s);
            (self.curves_stamp, moments) = (crate::gpu::stamp(), None);
        }
        self.moments = Some(moments.unwrap_or_else(|| Moments::of(&prepared.curves, dt_s)));
        self.prepared = Some(prepared);
        Ok(())
    }

    fn choose_vessels(&mut self, input: &Input) -> Result<(usize, usize), Error> {
        let (Some(checked), Some(prepared), Some(moments)) = (&self.checked, &self.prepared, &self.moments)
        else {
            return Ok((0, 1));
        };
        let echoes = echoes(input, checked);
        let reading = Reading { checked, echoes: &echoes, dims: dims(input), moved: None, mean: &self.mean };
        let wishes = Wishes {
            smoothing: Smoothing::Sd(0.0),
            baseline_frames: Some(prepared.baseline_samples as u32),
            ..wishes(&self.session, input, checked.kind)
        };
        let gather = |voxels: &[u32]| {
            let mut preparing = Preparing::begin(&reading, voxels, &wishes);
            while !preparing.step(&reading) {}
            preparing.finish().0.curves
        };
        let scene = Scene {
            curves: &prepared.curves,
            moments,
            timeline: &checked.timeline,
            dims: dims(input),
            spacing_mm: input.volume.grid.spacing(),
            gather: &gather,
            // What was moved back cannot be read anew voxel by voxel.
            smoothed: prepared.smoothed_mm > 0.0 && !self.session.motion.corrects(),
            veins: &self.veins,
        };
        self.vessels = Some(vessels::choose(&scene, &self.session)?);
        Ok((1, 1))
    }

    /// What depends on the artery alone, and where to begin.
    fn begin_maps(&mut self) -> Result<(), Error> {
        if let (None, Some(checked), Some(vessels)) = (&self.factor, &self.checked, &self.vessels) {
            self.factor = Some(Factor::new(&vessels.used, checked.timeline.dt_s, &self.session)?);
            self.factor_stamp = crate::gpu::stamp();
        }
        if let (None, Some(prepared)) = (&self.order, &self.prepared) {
            let curves = &prepared.curves;
            let first = self.looked_at.clone().map_or(0, |voxels| curves.positions(voxels).start);
            self.order = Some(Order::new(first / LANES, curves.blocks()));
            self.found.resize(curves.len(), Found::default());
        }
        Ok(())
    }

    /// What is left to be deconvolved elsewhere; `None` where all was found.
    pub(crate) fn maps_work(&mut self) -> Result<Option<Work<'_>>, Error> {
        self.begin_maps()?;
        let (Some(checked), Some(prepared), Some(factor), Some(order)) =
            (&self.checked, &self.prepared, &self.factor, &self.order)
        else {
            return Ok(None);
        };
        Ok((!order.is_complete()).then_some(Work {
            curves: &prepared.curves,
            curves_stamp: self.curves_stamp,
            factor,
            factor_stamp: self.factor_stamp,
            dt_s: checked.timeline.dt_s,
            next: order.next(),
        }))
    }

    /// Takes what was found elsewhere of the voxels of some blocks: the next ones, or from earlier ones on where
    /// nothing was found yet. Blocks that are done, and all.
    pub(crate) fn take_found(&mut self, first_block: usize, found: &[Found]) -> (usize, usize) {
        let Some(order) = &mut self.order else { return (0, 1) };
        let first = first_block * LANES;
        self.found[first..first + found.len()].copy_from_slice(found);
        order.take(first_block..first_block + found.len().div_ceil(LANES));
        (order.done(), self.found.len().div_ceil(LANES))
    }

    fn maps_step(&mut self) -> Result<(usize, usize), Error> {
        self.begin_maps()?;
        let (Some(prepared), Some(factor), Some(order)) = (&self.prepared, &self.factor, &mut self.order)
        else {
            return Ok((0, 1));
        };
        let curves = &prepared.curves;
        let next = order.next();
        if !next.is_empty() {
            let next = next.start..(next.start + STEP_BLOCKS).min(next.end);
            const PIECE: usize = 64;
            let first = next.start * LANES;
            let here = &mut self.found[first..(next.end * LANES).min(curves.len())];
            here.par_chunks_mut(PIECE * LANES).enumerate().for_each(|(piece, out)| {
                let first = next.start + piece * PIECE;
                out.copy_from_slice(&factor.run(curves, first..(first + PIECE).min(next.end)));
            });
            order.take(next);
        }
        let (done, all) = (order.done(), curves.blocks());
        if order.is_complete() {
            self.finish_maps();
        }
        Ok((done.div_ceil(STEP_BLOCKS), all.div_ceil(STEP_BLOCKS)))
    }

    fn finish_maps(&mut self) {
        let (Some(checked), Some(prepared), Some(moments), Some(vessels)) =
            (&self.checked, &self.prepared, &self.moments, &self.vessels)
        else {
            return;
        };
        let (curves, timeline) = (&prepared.curves, &checked.timeline);
        let of = Scaling { curves, moments, vessels, timeline, session: &self.session };
        self.maps = Some(of.maps(&self.found, 0..curves.len()));
        self.stale_maps = false;
    }
}

/// Frames of one step of the motion stage.
#[cfg(target_arch = "wasm32")]
const STEP_FRAMES: usize = 1;
/// Frames of one step of the motion stage.
#[cfg(not(target_arch = "wasm32"))]
const STEP_FRAMES: usize = 16;

fn dims(input: &Input) -> [usize; 3] {
    input.volume.grid.dims().map(|n| n as usize)
}

fn wishes(session: &Session, input: &Input, kind: Kind) -> Wishes {
    // CT alone: its contrast is a few times its noise. DSC's is many times, and concentration is somebody's work.
    let automatic = kind == Kind::Ct && input.volume.grid.length_unit == scene::LengthUnit::Millimetre;
    Wishes {
        smoothing: match session.smooth_mm {
            Some(mm) => Smoothing::Sd(mm),
            None if automatic => Smoothing::Automatic,
            None => Smoothing::Sd(0.0),
        },
        bilateral_hu: session.bilateral_hu,
        baseline_frames: session.baseline_frames,
        factor: session.signal_factor,
        spacing_mm: input.volume.grid.spacing(),
    }
}

/// One reader per echo.
fn echoes<'a>(input: &Input<'a>, checked: &Checked) -> Vec<Frames<'a>> {
    let count = checked.timeline.frames_s.len();
    (0..checked.te_s.len().max(1)).map(|echo| Frames::new(input.volume, echo * count, count)).collect()
}

/// Mean of the first frames; what has no number in one of them has none.
fn mean_of(frames: &Frames, count: usize) -> Vec<f32> {
    let count = count.min(frames.count()).max(1);
    let mut sum = vec![0.0; frames.voxels()];
    let mut frame = Vec::new();
    for t in 0..count {
        frames.frame(t, &mut frame);
        sum.iter_mut().zip(&frame).for_each(|(s, v)| *s += v / count as f32);
    }
    sum
}

/// The first stage that reads something that differs.
fn first_stale(old: &Session, new: &Session) -> Stage {
    let same = |f: &dyn Fn(&Session) -> String| f(old) == f(new);
    if !same(&|s| format!("{:?}", (s.signal, &s.te_ms, s.dt_s))) {
        Stage::Check
    } else if old.motion != new.motion && (old.motion.corrects() || new.motion.corrects()) {
        // An estimate more or less moves no voxel; all else does.
        Stage::Motion
    } else if old.mask != new.mask {
        Stage::Mask
    } else if !same(&|s| {
        format!(
            "{:?}",
            (s.smooth_mm, s.bilateral_hu, s.baseline_frames, s.signal_factor, s.leakage_correction)
        )
    }) {
        Stage::Curves
    } else if !same(&|s| format!("{:?}", (&s.aif, &s.vof, s.partial_volume, s.gamma_fit))) {
        Stage::Vessels
    } else if !same(&|s| {
        format!("{:?}", (s.method, s.matrix, s.truncation, s.oscillation, s.lambda, s.iterations))
    }) {
        Stage::Maps
    } else {
        Stage::Done
    }
}
