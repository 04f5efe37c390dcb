//! Stage "curves": reads, smooths, resamples in time and converts, in steps that a page can take turns with.
//!
//! Without smoothing or moved frames, blocks are gathered straight from the stored voxels; with them, frame by
//! frame first. Either way memory holds the masked voxels once.

use std::ops::Range;

use gpu_kernels::kernels::concentrate::{Concentration, Reason, Signal};
use rayon::prelude::*;

use crate::baseline;
use crate::convert::{Conversion, Converted};
use crate::crop::Crop;
use crate::curves::{Curves, LANES, Moments, Reject};
use crate::frames::Frames;
use crate::motion::Moved;
use crate::series::{Checked, Kind};
use crate::smooth::{self, Smoother, Smoothing};
use crate::timeline::Sample;

/// Blocks of one step: about 10 ms of a browser's worker.
#[cfg(target_arch = "wasm32")]
pub(crate) const STEP_BLOCKS: usize = 64;
/// Blocks of one step: enough for every thread to find work.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) const STEP_BLOCKS: usize = 4096;
/// Frames of one step, read side by side.
#[cfg(target_arch = "wasm32")]
pub(crate) const STEP_FRAMES: usize = 1;
/// Frames of one step, read side by side.
#[cfg(not(target_arch = "wasm32"))]
pub(crate) const STEP_FRAMES: usize = 8;
/// Share of the strongest voxels' contrast above which a voxel is a vessel to the smoothing: tissue has less than a
/// tenth of an artery's, and noise of three frames has to be as high as the rest.
const VESSEL_SHARE: f64 = 0.2;
/// After the peak of the strongest voxels, veins have had theirs.
const WASHOUT_S: f64 = 10.0;
/// Blocks that are read together.
const TOGETHER: usize = 32;
/// Voxels that are looked at to find the bolus.
const SCOUTS: usize = 20_000;

/// Concentration, and what conversion knew.
#[derive(Clone, Debug, Default)]
pub struct Prepared {
    /// Concentration on the even axis.
    pub curves: Curves,
    /// Mean signal of the baseline, per voxel.
    pub baseline: Vec<f32>,
    /// Standard deviation over the baseline in concentration, per voxel.
    pub noise: Vec<f32>,
    /// Samples of the baseline.
    pub baseline_samples: usize,
    /// First sample of the bolus in the strongest voxels; `None` where nothing rises.
    pub arrival: Option<usize>,
    /// Mean curve of the strongest voxels, rising with contrast.
    pub strongest: Vec<f64>,
    /// Standard deviation of the Gaussian that was applied, mm; 0 for none.
    pub smoothed_mm: f64,
}

/// Stage in the making.
pub(crate) struct Preparing {
    conversion: Conversion,
    out: Prepared,
    smoother: Option<Smoother>,
    /// Frames are needed whole, to be smoothed or moved.
    by_frames: bool,
    /// Frames as they were then, where samples lie between them: one per echo. Even frames of the only echo are
    /// the samples and become concentration where they lie.
    raw: Vec<Curves>,
    frames_done: usize,
    blocks_done: usize,
    /// Told apart by it from other curves.
    pub stamp: u64,
    /// As a device told them.
    moments: Option<Moments>,
}

/// What a device needs to do the rest of the stage.
pub(crate) struct OnDevice {
    pub crop: Crop,
    /// Of the voxels, in the box.
    pub places: Vec<u32>,
    pub kernels: [Vec<f32>; 3],
    pub shares: Vec<f32>,
    pub signal: Signal,
    pub baseline: usize,
    pub samples: usize,
}

/// What does not change while the stage runs.
pub(crate) struct Reading<'a> {
    pub checked: &'a Checked,
    /// One per echo.
    pub echoes: &'a [Frames<'a>],
    pub dims: [usize; 3],
    pub moved: Option<&'a Moved>,
    /// Mean of the frames before contrast.
    pub mean: &'a [f32],
}

/// Wishes of the reader about this stage.
pub(crate) struct Wishes {
    pub smoothing: Smoothing,
    pub bilateral_hu: Option<f64>,
    pub baseline_frames: Option<u32>,
    pub factor: f64,
    pub spacing_mm: [f64; 3],
}

impl Preparing {
    /// Finds the bolus in a sample of the voxels.
    pub fn begin(reading: &Reading, voxels: &[u32], wishes: &Wishes) -> Self {
        let checked = reading.checked;
        let stride = voxels.len().div_ceil(SCOUTS).max(1);
        let scouts: Vec<u32> = voxels.iter().copied().step_by(stride).collect();
        let timeline = &checked.timeline;
        // The last echo decays most. A series that was checked has one.
        let Some(frames) = reading.echoes.last() else {
            return Self::empty(checked, wishes, voxels, 3, None, Vec::new());
        };
        let rows = (0..frames.count())
            .into_par_iter()
            .map(|t| {
                let mut row = vec![0.0; scouts.len()];
                frames.read(t, &scouts, &mut row);
                row
            })
            .collect::<Vec<_>>();
        let curve = |i: usize| {
            let raw: Vec<f64> = rows.iter().map(|row| f64::from(row[i])).collect();
            let positive = checked.kind != Kind::Dsc || raw.iter().take(3).all(|v| *v > 0.0);
            if !positive || raw.iter().any(|v| !v.is_finite()) {
                return None;
            }
            // Even frames are the samples.
            let even = if timeline.resampled { timeline.interpolate(&timeline.frames_s, &raw) } else { raw };
            Some(Conversion::rising(checked.kind, &even))
        };
        let curves: Vec<Vec<f64>> = (0..scouts.len()).into_par_iter().filter_map(curve).collect();
        let mean = mean_curve(&curves, timeline.len());
        let strongest = baseline::strongest(curves);
        let arrival = baseline::arrival(&strongest);
        let asked = wishes.baseline_frames.map(|n| (n as usize).clamp(1, timeline.len()));
        let samples = asked.unwrap_or_else(|| baseline::length(arrival));
        let mut out = Self::empty(checked, wishes, voxels, samples, arrival, strongest);
        out.smoother = out.smoother(reading, voxels, wishes, &mean);
        out.by_frames = out.smoother.is_some() || reading.moved.is_some();
        if out.by_frames && !out.in_place(reading) {
            out.raw = vec![Curves::new(voxels.to_vec(), frames.count()); reading.echoes.len()];
        }
        out
    }

    /// Whether frames are samples.
    fn in_place(&self, reading: &Reading) -> bool {
        self.by_frames && reading.echoes.len() == 1 && !reading.checked.timeline.resampled
    }

    /// `mean` is the curve of the whole mask.
    fn smoother(
        &mut self,
        reading: &Reading,
        voxels: &[u32],
        wishes: &Wishes,
        mean: &[f64],
    ) -> Option<Smoother> {
        if wishes.smoothing == Smoothing::Sd(0.0) {
            return None;
        }
        let vessels = self.vessels(reading, voxels);
        let sd_mm = match wishes.smoothing {
            Smoothing::Sd(mm) => mm,
            Smoothing::Automatic => {
                let (before, _) = baseline::statistics(mean, self.out.baseline_samples);
                let contrast = mean.get(crate::curves::peak_at(mean)).map_or(0.0, |peak| peak - before);
                automatic_mm(reading, voxels, &vessels, wishes.spacing_mm, contrast)
            }
        };
        self.out.smoothed_mm = sd_mm;
        (sd_mm > 0.0).then(|| {
            let smoother = Smoother::new(reading.dims, wishes.spacing_mm, voxels, &vessels, sd_mm);
            match wishes.bilateral_hu {
                Some(range_hu) => smoother.keeping_edges(range_hu, reading.mean),
                None => smoother,
            }
        })
    }

    /// Voxels whose contrast rises to a share of that of the strongest between arrival and wash-out; the logarithm of
    /// DSC has none that stands out as much.
    fn vessels(&self, reading: &Reading, voxels: &[u32]) -> Vec<u32> {
        let (checked, strongest) = (reading.checked, &self.out.strongest);
        let (Some(arrival), Some(frames), true) =
            (self.out.arrival, reading.echoes.last(), checked.kind != Kind::Dsc)
        else {
            return Vec::new();
        };
        let peak = crate::curves::peak_at(strongest);
        let base = strongest.iter().take(3).sum::<f64>() / 3.0;
        let limit = (VESSEL_SHARE * (strongest[peak] - base)) as f32;
        let times_s = &checked.timeline.times_s;
        let (from_s, until_s) = (times_s[arrival], times_s[peak] + WASHOUT_S);
        let inside = |t: &usize| (from_s..=until_s).contains(&checked.timeline.frames_s[*t]);
        let some: Vec<usize> = (0..frames.count()).filter(inside).collect();
        // Three in a row, so that noise is no vessel.
        let highest: Vec<Vec<f32>> = voxels
            .par_chunks(1 << 15)
            .map(|voxels| {
                let mut rows = vec![vec![0.0f32; voxels.len()]; some.len()];
                for (row, t) in rows.iter_mut().zip(&some) {
                    frames.read(*t, voxels, row);
                }
                let mut highest = vec![f32::NEG_INFINITY; voxels.len()];
                for three in rows.windows(3) {
                    for (i, high) in highest.iter_mut().enumerate() {
                        *high = high.max((three[0][i] + three[1][i] + three[2][i]) / 3.0);
                    }
                }
                highest
            })
            .collect();
        let rises =
            |(voxel, high): (&u32, f32)| (high - reading.mean[*voxel as usize] > limit).then_some(*voxel);
        voxels.iter().zip(highest.concat()).filter_map(rises).collect()
    }

    fn empty(
        checked: &Checked,
        wishes: &Wishes,
        voxels: &[u32],
        samples: usize,
        arrival: Option<usize>,
        strongest: Vec<f64>,
    ) -> Self {
        let conversion = Conversion {
            kind: checked.kind,
            baseline: samples,
            te_s: checked.te_s.clone(),
            factor: wishes.factor,
        };
        let out = Prepared {
            curves: Curves::new(voxels.to_vec(), checked.timeline.len()),
            baseline: Vec::with_capacity(voxels.len()),
            noise: Vec::with_capacity(voxels.len()),
            baseline_samples: samples,
            arrival,
            strongest,
            smoothed_mm: 0.0,
        };
        let raw = Vec::new();
        let stamp = crate::gpu::stamp();
        Self {
            conversion,
            out,
            smoother: None,
            by_frames: false,
            raw,
            frames_done: 0,
            blocks_done: 0,
            stamp,
            moments: None,
        }
    }

    /// Units done and in all.
    pub fn progress(&self, reading: &Reading) -> (usize, usize) {
        let frames = if self.by_frames { reading.checked.timeline.frames_s.len() } else { 0 };
        let blocks = self.out.curves.blocks().div_ceil(STEP_BLOCKS);
        (self.frames_done + self.blocks_done.div_ceil(STEP_BLOCKS), frames + blocks)
    }

    /// One unit; true when all is done.
    pub fn step(&mut self, reading: &Reading) -> bool {
        if self.by_frames && self.frames_done < reading.checked.timeline.frames_s.len() {
            self.read_frames(reading);
            return false;
        }
        let blocks = self.out.curves.blocks();
        if self.blocks_done < blocks {
            let until = (self.blocks_done + STEP_BLOCKS).min(blocks);
            self.convert(reading, self.blocks_done..until);
            self.blocks_done = until;
        }
        self.blocks_done >= blocks
    }

    /// Also the moments, where they are known already.
    pub fn finish(self) -> (Prepared, Option<Moments>) {
        (self.out, self.moments)
    }

    /// A frame as it is before smoothing.
    fn frame(frames: &Frames, reading: &Reading, t: usize) -> Vec<f32> {
        let mut frame = Vec::new();
        frames.frame(t, &mut frame);
        match reading.moved {
            Some(moved) => moved.resampled(t, &frame, reading.dims),
            None => frame,
        }
    }

    fn read_frames(&mut self, reading: &Reading) {
        let first = self.frames_done;
        let until = (first + STEP_FRAMES).min(reading.checked.timeline.frames_s.len());
        for (echo, frames) in reading.echoes.iter().enumerate() {
            let read = |t: usize| {
                let mut frame = Self::frame(frames, reading, t);
                if let Some(smoother) = &self.smoother {
                    smoother.run(&mut frame);
                }
                frame
            };
            let read: Vec<Vec<f32>> = (first..until).into_par_iter().map(read).collect();
            match self.raw.get_mut(echo) {
                Some(raw) => raw.put_frames(first, &read),
                None => self.out.curves.put_frames(first, &read),
            }
        }
        self.frames_done = until;
    }

    /// What a device needs; `None` where two echoes become one curve or a filter is not a Gaussian: the host does these.
    pub fn on_device(&self, reading: &Reading) -> Option<OnDevice> {
        let voxels = self.out.curves.voxels();
        let (kernels, shares) = match &self.smoother {
            Some(smoother) => smoother.mixing().map(|(k, shares)| (k.map(<[f32]>::to_vec), shares))?,
            None => Default::default(),
        };
        let signal = match (reading.checked.kind, self.conversion.te_s.as_slice()) {
            (Kind::Ct, _) => Signal::Linear,
            (Kind::Concentration, _) => Signal::Concentration,
            (Kind::Dsc, [te_s]) => Signal::Logarithm(-self.conversion.factor / te_s),
            (Kind::Dsc, _) => return None,
        };
        let crop = Crop::around(reading.dims, voxels);
        Some(OnDevice {
            crop,
            places: voxels.iter().map(|v| crop.place(*v)).collect(),
            kernels,
            shares,
            signal,
            baseline: self.conversion.baseline,
            samples: self.out.curves.samples(),
        })
    }

    /// Some samples as frames of the box, and whether each is smoothed already: what has holes is smoothed here.
    pub fn samples_for_device(
        &self,
        reading: &Reading,
        crop: &Crop,
        samples: Range<usize>,
    ) -> Vec<(Vec<f32>, bool)> {
        let Some(frames) = reading.echoes.first() else { return Vec::new() };
        let sample = |index: usize| {
            let Sample { before, after, share_after } = reading.checked.timeline.samples[index];
            let mut one = Self::frame(frames, reading, before);
            let mut other = (share_after > 0.0).then(|| Self::frame(frames, reading, after));
            let holes = |s: &Smoother| s.has_holes(&one) || other.as_ref().is_some_and(|o| s.has_holes(o));
            let mixed = self.smoother.as_ref().filter(|s| holes(s));
            if let Some(smoother) = mixed {
                smoother.run(&mut one);
                other.iter_mut().for_each(|o| smoother.run(o));
            }
            if let Some(other) = other {
                one.iter_mut().zip(&other).for_each(|(a, b)| *a += (b - *a) * share_after);
            }
            (crop.of(&one), mixed.is_some())
        };
        samples.into_par_iter().map(sample).collect()
    }

    /// Takes the next voxels as a device made them: whole blocks, or the rest. True when these were the last.
    pub fn take(&mut self, slab: &Concentration, dt_s: f64) -> bool {
        let first = self.blocks_done * LANES;
        let (_, data, size) = self.out.curves.blocks_mut();
        data[self.blocks_done * size..][..slab.blocks.len()].copy_from_slice(&slab.blocks);
        self.out.baseline.extend(&slab.baseline);
        self.out.noise.extend(&slab.noise);
        let moments = self.moments.get_or_insert_default();
        moments.area.extend(slab.area.iter().map(|a| a * dt_s as f32));
        moments.peak.extend(&slab.peak);
        moments.peak_at.extend(&slab.peak_at);
        for (at, reason) in slab.reasons.iter().enumerate() {
            let reason = match reason {
                None => continue,
                Some(Reason::NoMeasurement) => Reject::NoMeasurement,
                Some(Reason::NotPositive) => Reject::NotPositive,
                Some(Reason::ZeroBaseline) => Reject::ZeroBaseline,
                Some(Reason::Constant) => Reject::Constant,
            };
            self.out.curves.reject(first + at, reason);
        }
        self.blocks_done += slab.reasons.len().div_ceil(LANES);
        self.blocks_done >= self.out.curves.blocks()
    }

    fn convert(&mut self, reading: &Reading, blocks: std::ops::Range<usize>) {
        let samples = &reading.checked.timeline.samples;
        let (conversion, raw, in_place) = (&self.conversion, &self.raw, self.in_place(reading));
        let first = blocks.start;
        let (voxels, data, size) = self.out.curves.blocks_mut();
        let data = &mut data[blocks.start * size..blocks.end * size];
        let results: std::sync::Mutex<Vec<(usize, Converted)>> = std::sync::Mutex::new(Vec::new());
        data.par_chunks_mut(size * TOGETHER).enumerate().for_each(|(piece, data)| {
            let mut local = Vec::new();
            let here = first + piece * TOGETHER;
            let members = &voxels[here * LANES..((here + TOGETHER) * LANES).min(voxels.len())];
            // Frame by frame for all blocks of the piece: neighbours of a frame lie side by side in memory.
            let wide = TOGETHER * LANES;
            let gather = |echo: usize| -> Vec<f32> {
                if in_place || raw.get(echo).is_some() {
                    return Vec::new();
                }
                let mut out = vec![0.0; reading.checked.timeline.frames_s.len() * wide];
                for (t, row) in out.chunks_exact_mut(wide).enumerate() {
                    reading.echoes[echo].read(t, members, &mut row[..members.len()]);
                }
                out
            };
            let gathered: Vec<Vec<f32>> = (0..reading.echoes.len()).map(gather).collect();
            let mut second = vec![0.0; size];
            for (i, block) in data.chunks_exact_mut(size).enumerate() {
                let b = here + i;
                let fill = |echo: usize, out: &mut [f32]| match raw.get(echo) {
                    _ if in_place => {}
                    Some(raw) => resample(samples, raw.block(b), LANES, out),
                    None => resample(samples, &gathered[echo][i * LANES..], wide, out),
                };
                fill(0, block);
                let has_second = reading.echoes.len() > 1;
                if has_second {
                    fill(1, &mut second);
                }
                local.push((b, conversion.run(block, has_second.then_some(&second[..]))));
            }
            results.lock().unwrap_or_else(std::sync::PoisonError::into_inner).extend(local);
        });
        let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        results.sort_by_key(|(b, _)| *b);
        let all = self.out.curves.len();
        for (b, converted) in results {
            let count = LANES.min(all - b * LANES);
            self.out.baseline.extend(&converted.baseline[..count]);
            self.out.noise.extend(&converted.noise[..count]);
            for (lane, reason) in converted.rejected.into_iter().enumerate().take(count) {
                if reason != Reject::None {
                    self.out.curves.reject(b * LANES + lane, reason);
                }
            }
        }
    }
}

/// Of some curves.
fn mean_curve(curves: &[Vec<f64>], samples: usize) -> Vec<f64> {
    let mut mean = vec![0.0; samples];
    for curve in curves {
        mean.iter_mut().zip(curve).for_each(|(m, v)| *m += v / curves.len() as f64);
    }
    mean
}

/// See [`smooth::automatic_mm`]; the noise is that of the first two frames in some slices about the middle of the
/// mask, which is a second's work less than that of all.
fn automatic_mm(
    reading: &Reading,
    voxels: &[u32],
    vessels: &[u32],
    spacing_mm: [f64; 3],
    contrast: f64,
) -> f64 {
    let (Some(frames), Some(middle)) = (reading.echoes.last(), voxels.get(voxels.len() / 2)) else {
        return 0.0;
    };
    let [columns, rows, slices] = reading.dims;
    let plane = columns * rows;
    let slice = *middle as usize / plane;
    let (from, until) = (slice.saturating_sub(2), (slice + 3).min(slices));
    let inside = |voxels: &[u32]| -> Vec<u32> {
        let slab = (from * plane) as u32..(until * plane) as u32;
        voxels.iter().filter(|v| slab.contains(v)).map(|v| v - slab.start).collect()
    };
    let (voxels, vessels) = (inside(voxels), inside(vessels));
    let [mut first, mut second] = [Vec::new(), Vec::new()];
    frames.frame(0, &mut first);
    frames.frame(1, &mut second);
    let slab = from * plane..until * plane;
    let difference: Vec<f32> = second[slab.clone()].iter().zip(&first[slab]).map(|(b, a)| b - a).collect();
    let dims = [columns, rows, until - from];
    let smoother = |mm: f64| Smoother::new(dims, spacing_mm, &voxels, &vessels, mm);
    smooth::automatic_mm(&difference, &voxels, contrast, smoother)
}

/// From rows of frames, so many values apart, to rows of samples.
fn resample(samples: &[Sample], frames: &[f32], apart: usize, out: &mut [f32]) {
    for (sample, row) in samples.iter().zip(out.chunks_exact_mut(LANES)) {
        let before = &frames[sample.before * apart..][..LANES];
        if sample.share_after == 0.0 {
            row.copy_from_slice(before);
            continue;
        }
        let after = &frames[sample.after * apart..][..LANES];
        for ((o, a), b) in row.iter_mut().zip(before).zip(after) {
            *o = a + (b - a) * sample.share_after;
        }
    }
}
