//! Whether a series can be computed at all, and the account of its time points.
//!
//! A refusal is for what has no time, no numbers or no place; everything else is computed, with each departure
//! named by its value.

use contract::perfusion::{Session, Signal};
use imaging::{Series, Volume, Voxels};
use serde::Serialize;

use crate::timeline::{TimeError, Timeline};

/// A series and its voxels, and what was handed in with them.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// All time points.
    pub volume: &'a Volume,
    /// (0008,0060), or `NIfTI`.
    pub modality: &'a str,
    /// From reading and loading; they travel with the report.
    pub reading_warnings: &'a [String],
    /// For [`contract::perfusion::Mask::Given`]: one entry per voxel of a time point, 0 is outside.
    pub mask: Option<&'a [u8]>,
    /// Other stacks of the same series, which lie on another grid and are not part of the volume.
    pub other_stacks: u32,
}

impl<'a> Input<'a> {
    /// A loaded series of a catalog.
    pub fn new(series: &'a Series, volume: &'a Volume, reading_warnings: &'a [String]) -> Self {
        let other_stacks = series.stack.1.saturating_sub(1);
        Self { volume, modality: &series.modality, reading_warnings, mask: None, other_stacks }
    }
}

/// The echo times of a series' header, ms, for [`Session::take_echo_time`]: only MR has one, whatever else a file says.
pub fn echo_time_ms(series: &Series) -> &[f64] {
    if series.modality == "MR" { &series.acquisition.echo_time_ms } else { &[] }
}

/// Why a series is not computed.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Refusal {
    /// Red, green and blue.
    #[error("The series is in colour and has no signal to compute with. Choose the original series.")]
    Colour,
    /// See [`TimeError`].
    #[error(transparent)]
    Time(#[from] TimeError),
    /// Neither CT nor MR.
    #[error(
        "The modality is {0}, so what the voxels mean is not known. Say it: CT, DSC or concentration (--signal)."
    )]
    Signal(String),
    /// CT without Hounsfield units.
    #[error(
        "The values are not Hounsfield units (unit: {0}): Rescale Slope (0028,1053) and Intercept (0028,1052) are missing or Rescale Type (0028,1054) is another. Export the original CT series."
    )]
    NotHounsfield(String),
    /// DSC without an echo time.
    #[error(
        "The signal of DSC-MRI cannot be turned into concentration without the echo time: give it (--te-ms)."
    )]
    NoEchoTime,
    /// Not positive, or more than two, or equal.
    #[error("Echo times of {0:?} ms cannot be: use one, or two that differ, above 0.")]
    EchoTimes(Vec<f64>),
    /// Two echoes need an even number of frames.
    #[error(
        "Two echo times were given, but {0} frames cannot be halved: the series must hold all of the first echo, then all of the second."
    )]
    OddEchoes(usize),
    /// Voxels that do not fill the grid.
    #[error("The volume of {0:?} voxels and {1} time points is not filled by its {2} values. Load it again.")]
    Size([u32; 3], u32, usize),
    /// A mask of another size.
    #[error("The mask has {0} voxels, the series has {1}. Use one on the same grid.")]
    MaskSize(usize, usize),
    /// [`contract::perfusion::Mask::Given`] without one.
    #[error("A mask was asked for but none was given.")]
    NoMask,
    /// A setting that is none.
    #[error("{name} of {value} cannot be: {hint}.")]
    Setting {
        /// Of the setting.
        name: &'static str,
        /// As given.
        value: f64,
        /// What to use.
        hint: &'static str,
    },
}

impl Refusal {
    /// Whether a reader who says what the files do not (what the voxels are, the echo time, the time step) can go on.
    pub fn answerable(&self) -> bool {
        matches!(
            self,
            Self::Signal(_)
                | Self::NoEchoTime
                | Self::Time(
                    TimeError::Unknown(_) | TimeError::NotIncreasing { .. } | TimeError::TooMany { .. }
                )
        )
    }
}

/// What the voxels are, settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Hounsfield units.
    Ct,
    /// T2*-weighted signal.
    Dsc,
    /// Concentration.
    Concentration,
}

/// One time point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TimePoint {
    /// From the first, s.
    pub time_s: f64,
    /// Slices that are there.
    pub slices: u32,
    /// Slices that no file gave; they are interpolated in time.
    pub missing_slices: u32,
}

/// A series that can be computed.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// See [`Kind`].
    pub kind: Kind,
    /// See [`Timeline`].
    pub timeline: Timeline,
    /// 1 or 2, s.
    pub te_s: Vec<f64>,
    /// Of every frame.
    pub time_points: Vec<TimePoint>,
    /// Departures.
    pub warnings: Vec<String>,
}

/// Refuses what cannot be computed.
pub fn check(input: &Input, session: &Session) -> Result<Checked, Refusal> {
    let volume = input.volume;
    if matches!(volume.voxels, Voxels::Rgba8(_)) {
        return Err(Refusal::Colour);
    }
    let frames = volume.time_points as usize;
    if volume.voxels.len() != volume.grid.voxel_count() * frames {
        return Err(Refusal::Size(volume.grid.dims(), volume.time_points, volume.voxels.len()));
    }
    if frames < 2 {
        return Err(TimeError::NotDynamic.into());
    }
    if let Some(mask) = input.mask.filter(|m| m.len() != volume.grid.voxel_count()) {
        return Err(Refusal::MaskSize(mask.len(), volume.grid.voxel_count()));
    }
    let mut warnings = Vec::new();
    let kind = kind(input, session, &mut warnings)?;
    numbers(session)?;
    let te_s = if kind == Kind::Dsc { echo_times_s(session)? } else { Vec::new() };
    let frames = match te_s.len() {
        2 if frames % 2 == 1 => return Err(Refusal::OddEchoes(frames)),
        2 => frames / 2,
        _ => frames,
    };
    let stated = volume.times_s.get(..frames).unwrap_or_default();
    let timeline = Timeline::new(stated, frames, session.dt_s)?;
    if timeline.resampled {
        warnings.push(format!("Time steps are uneven: {}.", timeline.rule));
    }
    if let Some(dt) = session.dt_s
        && let Ok(by_header) = Timeline::new(stated, frames, None)
        && (by_header.dt_s / dt - 1.0).abs() > 0.05
    {
        warnings.push(format!("The files say {}; {dt} s was asked for and is used.", by_header.rule));
    } else if session.dt_s.is_none() && input.modality == "NIfTI" {
        warnings.push(format!("NIfTI headers are often wrong about time; this one says {}.", timeline.rule));
    }
    let slices = volume.grid.dims()[2];
    let time_points = timeline.frames_s.iter().enumerate().map(|(t, time_s)| {
        let missing = volume.missing.iter().filter(|[at, _]| *at as usize == t).count() as u32;
        TimePoint { time_s: *time_s, slices: slices - missing.min(slices), missing_slices: missing }
    });
    let time_points: Vec<TimePoint> = time_points.collect();
    if !volume.missing.is_empty() {
        warnings.push(format!(
            "{} slices are missing over all time points: they are interpolated from the times before and after.",
            volume.missing.len()
        ));
    }
    if let Some(lossy) = &volume.lossy {
        warnings.push(format!("The pixels were compressed with loss: {lossy}."));
    }
    Ok(Checked { kind, timeline, te_s, time_points, warnings })
}

fn kind(input: &Input, session: &Session, warnings: &mut Vec<String>) -> Result<Kind, Refusal> {
    let volume = input.volume;
    let kind = match (session.signal, input.modality) {
        (Signal::Ct, _) => Kind::Ct,
        (Signal::Dsc, _) => Kind::Dsc,
        (Signal::Concentration, _) => Kind::Concentration,
        (Signal::Auto, "CT") => Kind::Ct,
        (Signal::Auto, "MR") => Kind::Dsc,
        // An echo time has a meaning for one signal only.
        (Signal::Auto, _) if !session.te_ms.is_empty() => Kind::Dsc,
        (Signal::Auto, "NIfTI") if has_air(volume) => {
            warnings
                .push("NIfTI names no unit: values below -500 say that these are Hounsfield units.".into());
            Kind::Ct
        }
        (Signal::Auto, other) => {
            return Err(Refusal::Signal(if other.is_empty() { "not stated" } else { other }.to_owned()));
        }
    };
    if kind == Kind::Ct && input.modality == "CT" && volume.unit != "HU" {
        let unit = if volume.unit.is_empty() { "none" } else { &volume.unit };
        return Err(Refusal::NotHounsfield(unit.to_owned()));
    }
    Ok(kind)
}

fn has_air(volume: &Volume) -> bool {
    let first = volume.grid.voxel_count();
    let low = (0..first).filter_map(|i| volume.voxels.get(i)).filter(|v| volume.rescale.apply(*v) < -500.0);
    low.count() * 100 > first
}

fn echo_times_s(session: &Session) -> Result<Vec<f64>, Refusal> {
    let te = &session.te_ms;
    let possible = te.iter().all(|t| t.is_finite() && *t > 0.0);
    match te.as_slice() {
        [] => Err(Refusal::NoEchoTime),
        [_] if possible => Ok(vec![te[0] * 1e-3]),
        [a, b] if possible && a != b => Ok(vec![a * 1e-3, b * 1e-3]),
        _ => Err(Refusal::EchoTimes(te.clone())),
    }
}

/// Settings that are numbers and must be possible.
fn numbers(session: &Session) -> Result<(), Refusal> {
    let positive = "use a positive number";
    let smooth_mm = session.smooth_mm.unwrap_or(0.0);
    let checks = [
        ("A density (g/ml)", session.density, session.density > 0.0, positive),
        ("A kH", session.kh(), session.kh() > 0.0, positive),
        ("A signal factor", session.signal_factor, session.signal_factor > 0.0, positive),
        ("Smoothing (mm)", smooth_mm, (0.0..=50.0).contains(&smooth_mm), "use 0 to 50"),
        (
            "A bilateral range (HU)",
            session.bilateral_hu.unwrap_or(1.0),
            session.bilateral_hu.is_none_or(|v| v > 0.0),
            positive,
        ),
        (
            "A share of CBF",
            session.regions.rcbf,
            (0.0..=1.0).contains(&session.regions.rcbf),
            "use 0 to 1, such as 0.3",
        ),
    ];
    match checks.into_iter().find(|(_, value, fine, _)| !(*fine && value.is_finite())) {
        Some((name, value, _, hint)) => Err(Refusal::Setting { name, value, hint }),
        None => Ok(()),
    }
}
