//! Perfusion maps from 4D CT and DSC-MR: CBF, CBV, MTT, TTP, Tmax. Volume in, [`Maps`] and [`Report`] out.
//!
//! Headless and safe for wasm. [`Analysis`] runs the stages in steps that a page can take turns with, and keeps
//! what a change does not touch; [`run`] does all of it at once. `docs/perfusion.md` says how well it recovers a
//! known truth.

mod analysis;
mod artery;
mod baseline;
mod convert;
mod crop;
mod csv;
mod curves;
mod deconvolve;
mod frames;
mod gamma;
pub mod gpu;
mod leakage;
mod maps;
mod mask;
mod mirror;
mod motion;
mod order;
mod pdf;
mod prepare;
mod quality;
mod regions;
mod report;
mod series;
mod smooth;
mod timeline;
mod vessels;

pub use analysis::{Analysis, Error, Progress, Stage};
pub use contract::perfusion::Mask as MaskWish;
pub use contract::perfusion::{
    AutoAif, CbvFrom, Matrix, Method, Midline, Motion, Regions, Session, Signal, Source, TtpOrigin,
};
pub use curves::{Curves, LANES, Moments, Reject, area, peak_at};
pub use deconvolve::{
    Circulant, Corner, Factor, FactorError, Found, Ladder, Linear, Lucy, Peaks, oscillation,
};
pub use gamma::Gamma;
pub use maps::{Map, Maps};
pub use mask::Mask;
pub use mirror::{Sides, compare, midline, mirrored};
pub use motion::{Moved, Rigid};
pub use prepare::Prepared;
pub use quality::Check;
pub use regions::{Class, RcbfVolume, RegionReport, TmaxVolume, regions};
pub use report::{CurveReport, RESEARCH_USE, Report, Software, Timings};
pub use series::{Checked, Input, Kind, Refusal, TimePoint, check, echo_time_ms};
pub use timeline::{LEAST_FRAMES, TimeError, Timeline};
pub use vessels::{Vessel, VesselError, Vessels};

/// Computes everything at once. `now_ms` is a clock in milliseconds: wasm has no clock of its own.
pub fn run(input: &Input, session: &Session, now_ms: &dyn Fn() -> f64) -> Result<(Analysis, Report), Error> {
    let mut analysis = Analysis::new(session.clone());
    let mut timings = Timings::default();
    let began = now_ms();
    let mut last = began;
    analysis.run(input, &mut |progress| {
        let now = now_ms();
        timings.add(progress.stage, now - last);
        last = now;
        true
    })?;
    let mut report = Report::new(&analysis, input)?;
    timings.total = now_ms() - began;
    report.timings_ms = timings;
    Ok((analysis, report))
}

/// What this machine can do with vectors, asked once.
pub(crate) fn level() -> fearless_simd::Level {
    static LEVEL: std::sync::OnceLock<fearless_simd::Level> = std::sync::OnceLock::new();
    *LEVEL.get_or_init(fearless_simd::Level::new)
}

/// Refuses a mask of which nothing is left.
fn check_usable(prepared: &Prepared) -> Result<(), Error> {
    let curves = &prepared.curves;
    if curves.usable_positions().next().is_some() {
        return Ok(());
    }
    let why = report::rejections(curves).join(", ");
    Err(Error::NothingUsable { voxels: curves.len(), why })
}
