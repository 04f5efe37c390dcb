//! The stages, one after the other, in small steps; a change of the session redoes only what depends on it.
//!
//! A page drives this from its worker: [`Analysis::set`] with the newest session, then [`Analysis::step`] between
//! two messages until it says [`Stage::Done`]. To cancel is to stop calling. The last maps stay until new ones
//! are complete.

use contract::perfusion::{self as wish, Session};
use rayon::prelude::*;

use crate::curves::{LANES, Moments};
use crate::deconvolve::{Factor, FactorError, Found};
use crate::frames::Frames;
use crate::gpu::Work;
use crate::maps::Maps;
use crate::mask::Mask;
use crate::motion::{Estimator, Moved};
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
    /// Of the curves, to tell them from older ones.
    curves_stamp: u64,
    factor: Option<Factor>,
    factor_stamp: u64,
    found: Vec<Found>,
    found_blocks: usize,
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
        }
        if stage <= Stage::Vessels {
            self.vessels = None;
        }
        if stage <= Stage::Maps {
            self.factor = None;
            self.found.clear();
            self.found_blocks = 0;
        }
        // Constants alone change nothing that was found.
        self.stale_maps = true;
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
        let (Some(checked), Some(mask)) = (&self.checked, &self.mask) else { return Ok((0, 1)) };
        let echoes = echoes(input, checked);
        let reading = Reading {
            checked,
            echoes: &echoes,
            dims: dims(input),
            moved: self.moved.as_ref().filter(|_| self.session.motion.corrects()),
            mean: &self.mean,
        };
        let preparing = self.preparing.get_or_insert_with(|| {
            Preparing::begin(&reading, &mask.voxels, &wishes(&self.session, input, checked.kind))
        });
        let done = preparing.step(&reading);
        let progress = preparing.progress(&reading);
        if done && let Some(preparing) = self.preparing.take() {
            let mut prepared = preparing.finish();
            crate::check_usable(&prepared)?;
            if self.session.leakage_correction && checked.kind == Kind::Dsc {
                crate::leakage::correct(&mut prepared, checked.timeline.dt_s);
            }
            self.moments = Some(Moments::of(&prepared.curves, checked.timeline.dt_s));
            self.prepared = Some(prepared);
            self.curves_stamp = crate::gpu::stamp();
        }
        Ok(progress)
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
            preparing.finish().curves
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
        };
        self.vessels = Some(vessels::choose(&scene, &self.session)?);
        Ok((1, 1))
    }

    fn make_factor(&mut self) -> Result<(), Error> {
        if let (None, Some(checked), Some(vessels)) = (&self.factor, &self.checked, &self.vessels) {
            self.factor = Some(Factor::new(&vessels.used, checked.timeline.dt_s, &self.session)?);
            self.factor_stamp = crate::gpu::stamp();
        }
        Ok(())
    }

    /// What is left to be deconvolved elsewhere; `None` where all was found.
    pub(crate) fn maps_work(&mut self) -> Result<Option<Work<'_>>, Error> {
        self.make_factor()?;
        let (Some(checked), Some(prepared), Some(factor)) = (&self.checked, &self.prepared, &self.factor)
        else {
            return Ok(None);
        };
        Ok((self.found.len() < prepared.curves.len()).then_some(Work {
            curves: &prepared.curves,
            curves_stamp: self.curves_stamp,
            factor,
            factor_stamp: self.factor_stamp,
            dt_s: checked.timeline.dt_s,
            done: self.found.len(),
        }))
    }

    /// Takes what was found elsewhere of the next voxels: whole blocks, or the rest.
    pub(crate) fn extend_found(&mut self, found: Vec<Found>) {
        self.found.extend(found);
        self.found_blocks = self.found.len().div_ceil(LANES);
    }

    fn maps_step(&mut self) -> Result<(usize, usize), Error> {
        self.make_factor()?;
        let (Some(checked), Some(prepared), Some(moments), Some(vessels), Some(factor)) =
            (&self.checked, &self.prepared, &self.moments, &self.vessels, &self.factor)
        else {
            return Ok((0, 1));
        };
        let curves = &prepared.curves;
        let blocks = curves.blocks();
        if self.found_blocks < blocks {
            let from = self.found_blocks;
            let until = (from + STEP_BLOCKS).min(blocks);
            const PIECE: usize = 64;
            let pieces = (0..(until - from).div_ceil(PIECE))
                .into_par_iter()
                .map(|piece| {
                    let first = from + piece * PIECE;
                    factor.run(curves, first..(first + PIECE).min(until))
                })
                .collect::<Vec<_>>();
            pieces.into_iter().for_each(|piece| self.found.extend(piece));
            self.found_blocks = until;
        }
        if self.found_blocks >= blocks {
            let maps = Maps::new(curves, moments, &self.found, vessels, &checked.timeline, &self.session);
            self.maps = Some(maps);
            self.stale_maps = false;
        }
        Ok((self.found_blocks.div_ceil(STEP_BLOCKS), blocks.div_ceil(STEP_BLOCKS)))
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
