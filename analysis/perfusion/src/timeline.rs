//! When the frames were taken, and the even time axis on which everything is computed.
//!
//! Deconvolution needs even steps. Multi-phase protocols have none, so their frames are interpolated linearly
//! to the smallest step, and the rule is kept to be shown.

use serde::Serialize;

/// Steps that differ by less than this share of their mean are even: scanners write times in hundredths.
const EVEN: f64 = 0.02;
/// More samples than this are no perfusion study but a wrong time in a header.
const MOST_SAMPLES: usize = 4096;

/// Why there is no time axis.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TimeError {
    /// A 3D series.
    #[error("The series is 3D. Perfusion needs many time points: load the dynamic series.")]
    NotDynamic,
    /// Too few frames.
    #[error("The series has {0} time points; at least {LEAST_FRAMES} are needed to see a bolus come and go.")]
    TooFew(usize),
    /// The files do not say when.
    #[error("The files do not say when the {0} time points were taken. Give their distance (--dt-s).")]
    Unknown(usize),
    /// A step that is none.
    #[error("A time step of {0} s cannot be: use a positive number.")]
    Step(f64),
    /// Not increasing.
    #[error(
        "Time does not increase: time point {index} is at {after} s, the one before at {before} s. Sort the series or give the step (--dt-s)."
    )]
    NotIncreasing {
        /// From 1.
        index: usize,
        /// s
        before: f64,
        /// s
        after: f64,
    },
    /// A step so small that the axis would explode.
    #[error(
        "Steps from {smallest_s} s over {duration_s} s would need {samples} samples. Check the times or give the step (--dt-s)."
    )]
    TooMany {
        /// s
        smallest_s: f64,
        /// s
        duration_s: f64,
        /// Samples at the smallest step.
        samples: usize,
    },
}

/// Frames below which nothing is computed.
pub const LEAST_FRAMES: usize = 8;

/// Where an even sample lies between two frames.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    pub before: usize,
    pub after: usize,
    pub share_after: f32,
}

/// The time axis.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Timeline {
    /// When the frames were taken, s from the first.
    pub frames_s: Vec<f64>,
    /// Between samples.
    pub dt_s: f64,
    /// Of the samples, s from the first frame.
    pub times_s: Vec<f64>,
    /// Whether samples lie between frames.
    pub resampled: bool,
    /// How the axis came about.
    pub rule: String,
    #[serde(skip)]
    pub(crate) samples: Vec<Sample>,
}

impl Timeline {
    /// From the times of a series (empty where unknown) or a step that overrides them.
    pub fn new(times_s: &[f64], frames: usize, dt_s: Option<f64>) -> Result<Self, TimeError> {
        if frames < 2 {
            return Err(TimeError::NotDynamic);
        }
        if frames < LEAST_FRAMES {
            return Err(TimeError::TooFew(frames));
        }
        if let Some(dt) = dt_s {
            // Written so that NaN is refused as well.
            if !(dt.is_finite() && dt > 0.0) {
                return Err(TimeError::Step(dt));
            }
            let even: Vec<f64> = (0..frames).map(|i| i as f64 * dt).collect();
            return Ok(Self::even(even, dt, format!("{frames} frames, one every {dt} s, as was asked for")));
        }
        if times_s.len() != frames {
            return Err(TimeError::Unknown(frames));
        }
        for (i, w) in times_s.windows(2).enumerate() {
            // NaN is not greater either.
            if !(w[1] > w[0] && w[1].is_finite()) {
                return Err(TimeError::NotIncreasing { index: i + 2, before: w[0], after: w[1] });
            }
        }
        let frames_s: Vec<f64> = times_s.iter().map(|t| t - times_s[0]).collect();
        let duration = frames_s[frames - 1];
        let mean = duration / (frames - 1) as f64;
        let steps = || frames_s.windows(2).map(|w| w[1] - w[0]);
        let apart = steps().map(|s| (s - mean).abs()).fold(0.0, f64::max);
        if apart <= EVEN * mean {
            return Ok(Self::even(frames_s, mean, format!("{frames} frames, one every {mean:.4} s")));
        }
        let smallest = steps().fold(f64::INFINITY, f64::min);
        let largest = steps().fold(0.0, f64::max);
        let samples = (duration / smallest + 1e-6).floor() as usize + 1;
        if samples > MOST_SAMPLES {
            return Err(TimeError::TooMany { smallest_s: smallest, duration_s: duration, samples });
        }
        let rule = format!(
            "{frames} frames in steps of {smallest:.4} to {largest:.4} s, interpolated linearly to {samples} samples, one every {smallest:.4} s"
        );
        let times_s: Vec<f64> = (0..samples).map(|i| i as f64 * smallest).collect();
        let samples = times_s.iter().map(|t| place(&frames_s, *t)).collect();
        Ok(Self { frames_s, dt_s: smallest, times_s, resampled: true, rule, samples })
    }

    fn even(frames_s: Vec<f64>, dt_s: f64, rule: String) -> Self {
        let n = frames_s.len();
        let times_s = (0..n).map(|i| i as f64 * dt_s).collect();
        let samples = (0..n).map(|i| Sample { before: i, after: i, share_after: 0.0 }).collect();
        Self { frames_s, dt_s, times_s, resampled: false, rule, samples }
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.times_s.len()
    }

    /// Never: an axis has at least [`LEAST_FRAMES`] samples.
    pub fn is_empty(&self) -> bool {
        self.times_s.is_empty()
    }

    /// A curve given at other times, on this axis: linear between its points, its end values beyond them.
    pub fn interpolate(&self, times_s: &[f64], values: &[f64]) -> Vec<f64> {
        self.times_s
            .iter()
            .map(|t| {
                let s = place(times_s, *t);
                let share = f64::from(s.share_after);
                values[s.before] * (1.0 - share) + values[s.after] * share
            })
            .collect()
    }
}

/// The two points around a time; the nearest one twice outside of them.
fn place(times_s: &[f64], t: f64) -> Sample {
    let after = times_s.partition_point(|f| *f < t).min(times_s.len() - 1);
    let before = if times_s[after] <= t { after } else { after.saturating_sub(1) };
    let gap = times_s[after] - times_s[before];
    let share_after = if gap > 0.0 { ((t - times_s[before]) / gap) as f32 } else { 0.0 };
    Sample { before, after, share_after }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_times_stay_and_jitter_is_forgiven() {
        let jitter: Vec<f64> =
            (0..10).map(|i| f64::from(i) * 1.5 + if i % 2 == 0 { 0.0 } else { 0.01 }).collect();
        let axis = Timeline::new(&jitter, 10, None).unwrap();
        assert!(!axis.resampled && axis.len() == 10);
        assert!((axis.dt_s - 1.5).abs() < 2e-3);
    }

    #[test]
    fn multi_phase_times_are_interpolated_to_the_smallest_step() {
        let times: Vec<f64> = (0..6).map(f64::from).chain([8.0, 11.0, 14.0]).collect();
        let axis = Timeline::new(&times, 9, None).unwrap();
        assert_eq!((axis.len(), axis.dt_s, axis.resampled), (15, 1.0, true));
        assert!(axis.rule.contains("interpolated linearly to 15 samples"), "{}", axis.rule);
        let values: Vec<f64> = times.iter().map(|t| 2.0 * t + 1.0).collect();
        for (t, v) in axis.times_s.iter().zip(axis.interpolate(&times, &values)) {
            assert!((v - (2.0 * t + 1.0)).abs() < 1e-5, "{t}: {v}");
        }
        assert_eq!(axis.samples[6], Sample { before: 5, after: 6, share_after: 1.0 / 3.0 });
    }

    #[test]
    fn what_is_no_time_is_refused_with_its_value() {
        let shuffled = [0.0, 1.0, 2.0, 4.0, 3.0, 5.0, 6.0, 7.0];
        let error = Timeline::new(&shuffled, 8, None).unwrap_err();
        assert_eq!(error, TimeError::NotIncreasing { index: 5, before: 4.0, after: 3.0 });
        assert!(Timeline::new(&shuffled, 8, Some(1.0)).is_ok(), "a given step overrides");
        assert_eq!(Timeline::new(&[], 40, None), Err(TimeError::Unknown(40)));
        assert_eq!(Timeline::new(&[], 1, Some(1.0)), Err(TimeError::NotDynamic));
        assert_eq!(Timeline::new(&[], 4, Some(1.0)), Err(TimeError::TooFew(4)));
        assert!(matches!(Timeline::new(&[], 40, Some(0.0)), Err(TimeError::Step(_))));
        assert!(matches!(Timeline::new(&[], 40, Some(f64::NAN)), Err(TimeError::Step(_))));
        let tiny: Vec<f64> = std::iter::once(0.0).chain((0..9).map(|i| 1e-6 + f64::from(i) * 5.0)).collect();
        assert!(matches!(Timeline::new(&tiny, 10, None), Err(TimeError::TooMany { .. })));
    }
}
