//! Checks of the data, each with its value and its limit.
//!
//! A map looks plausible whatever went wrong before it, so every failed check is printed on every export. The
//! limits were set on a phantom with planted faults (`tests/faults.rs`), between what is clean and what is not.

use contract::perfusion::Method;
use serde::Serialize;

use crate::analysis::Analysis;
use crate::curves::{Curves, peak_at};
use crate::series::Kind;
use crate::vessels::Vessels;

/// Contrast to noise below which regions by threshold hold more noise than tissue: on the sample at 9, tissue with Tmax
/// above 6 s is a quarter too much, at 6 twice, at 3 three times of what is there.
const LEAST_CONTRAST: f64 = 8.0;

/// One check.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// Stable name.
    pub check: &'static str,
    /// Whether the value keeps to the limit.
    pub passed: bool,
    /// Measured.
    pub value: f64,
    /// Allowed.
    pub limit: f64,
    /// `at_least` or `at_most` the limit.
    pub rule: &'static str,
    /// Of value and limit.
    pub unit: &'static str,
    /// What is compared, in words.
    pub meaning: &'static str,
}

impl Check {
    /// For people.
    pub fn text(&self) -> String {
        let unit = if self.unit.is_empty() { String::new() } else { format!(" {}", self.unit) };
        let rule = if self.rule == "at_least" { "at least" } else { "at most" };
        format!("{} {:.3}{unit}, {rule} {:.3}{unit} ({})", self.check, self.value, self.limit, self.meaning)
    }
}

/// Checks in the making.
#[derive(Default)]
struct Checks(Vec<Check>);

impl Checks {
    fn push(
        &mut self,
        check: &'static str,
        rule: &'static str,
        value: f64,
        limit: f64,
        unit: &'static str,
        meaning: &'static str,
    ) {
        let passed = if rule == "at_least" { value >= limit } else { value <= limit };
        // JSON has no infinity, and a check without a number has failed.
        let value = if value.is_finite() { value } else { f64::from(f32::MAX) };
        self.0.push(Check { check, passed, value, limit, rule, unit, meaning });
    }

    fn at_least(
        &mut self,
        check: &'static str,
        value: f64,
        limit: f64,
        unit: &'static str,
        meaning: &'static str,
    ) {
        self.push(check, "at_least", value, limit, unit, meaning);
    }

    fn at_most(
        &mut self,
        check: &'static str,
        value: f64,
        limit: f64,
        unit: &'static str,
        meaning: &'static str,
    ) {
        self.push(check, "at_most", value, limit, unit, meaning);
    }
}

/// All checks of an analysis that is done. `other_stacks` are volumes of the same series that did not fit.
pub fn checks(analysis: &Analysis, other_stacks: u32) -> Vec<Check> {
    let (Some(checked), Some(prepared), Some(moments), Some(vessels), Some(maps)) =
        (analysis.checked(), analysis.prepared(), analysis.moments(), analysis.vessels(), analysis.maps())
    else {
        return Vec::new();
    };
    let mut out = Checks::default();
    let missing: u32 = checked.time_points.iter().map(|t| t.missing_slices).sum();
    out.at_most("missing_slices", f64::from(missing), 0.0, "slices", "slices that no file gave");
    out.at_most(
        "other_stacks",
        f64::from(other_stacks),
        0.0,
        "stacks",
        "parts of the series on another grid",
    );
    out.at_most(
        "time_gap",
        gap(&checked.timeline.frames_s),
        1.5,
        "steps",
        "the longest step against both its neighbours",
    );

    let strongest = &prepared.strongest;
    out.at_least("baseline", still(strongest) as f64, 3.0, "samples", "samples before anything rises");
    let found = f64::from(u8::from(prepared.arrival.is_some()));
    out.at_least("bolus", found, 1.0, "", "whether the strongest voxels show a bolus");
    out.at_most(
        "time_order",
        misfit(strongest),
        0.10,
        "of the peak",
        "departure of the strongest voxels from one rise and one fall",
    );
    out.at_most(
        "washout",
        tail(strongest),
        0.40,
        "of the peak",
        "contrast left in the strongest voxels at the end",
    );
    if let Some(moved) = analysis.moved().filter(|m| !m.frames.is_empty()) {
        out.at_most("motion", moved.largest_mm(), 0.8, "mm", "the furthest an edge moved");
    }
    let curves = &prepared.curves;
    let usable: Vec<usize> = curves.usable_positions().collect();
    let mean = curves.mean_of_usable();
    let mut noise: Vec<f32> = usable.iter().map(|at| prepared.noise[*at]).collect();
    let noise = median(&mut noise);
    let contrast = mean[peak_at(&mean)] / f64::from(noise).max(1e-30);
    out.at_least(
        "contrast_to_noise",
        contrast.min(1e6),
        LEAST_CONTRAST,
        "",
        "peak of the mean curve against the median noise of a voxel; below, noise decides what is above a threshold",
    );
    if checked.kind != Kind::Dsc {
        let share = clipped(curves, &prepared.baseline, &moments.peak, checked.kind);
        out.at_most("saturation", share, 0.01, "of the vessels", "vessels that stay at the highest value");
    }
    artery(&mut out, vessels, analysis, strongest, checked.kind);
    if let Some(vof) = &vessels.vof {
        out.at_most(
            "vof_washout",
            tail(&vof.values),
            0.40,
            "of the peak",
            "contrast left in the vein at the end",
        );
    }
    if matches!(analysis.session().method, Method::Csvd | Method::Osvd | Method::Tikhonov) {
        // Voxels that are mostly noise have any lag: those of the upper half by flow.
        let (cbf, tmax) = (maps.get(crate::maps::Map::Cbf), maps.get(crate::maps::Map::Tmax));
        let mut flows: Vec<f32> = usable.iter().map(|at| cbf[*at]).collect();
        let limit = median(&mut flows);
        let strong = || usable.iter().filter(|at| cbf[**at] >= limit);
        let earlier = strong().filter(|at| tmax[**at] < 0.0).count();
        let share = earlier as f64 / strong().count().max(1) as f64;
        out.at_most(
            "aif_late",
            share,
            0.25,
            "of the tissue",
            "tissue with flow that is earlier than the artery",
        );
    }
    out.0
}

/// Checks of the curve that everything is divided by.
fn artery(out: &mut Checks, vessels: &Vessels, analysis: &Analysis, strongest: &[f64], kind: Kind) {
    let (aif, Some(checked)) = (&vessels.aif, analysis.checked()) else { return };
    let samples = crate::baseline::length(crate::baseline::arrival(&aif.values));
    let (_, deviation) = crate::baseline::statistics(&aif.values, samples);
    let snr = aif.peak / deviation.max(1e-30);
    out.at_least("aif_noise", snr.min(1e6), 10.0, "", "peak of the artery against its noise");
    out.at_most(
        "aif_shape",
        misfit(&aif.values),
        0.10,
        "of the peak",
        "departure of the artery from one rise and one fall",
    );
    out.at_most(
        "aif_washout",
        tail(&aif.values),
        0.40,
        "of the peak",
        "contrast left in the artery at the end",
    );
    out.at_most(
        "aif_saturation",
        plateau(&aif.values) as f64,
        2.0,
        "samples",
        "samples in a row at the very peak of the artery",
    );
    if kind == Kind::Dsc && !aif.voxels.is_empty() {
        // ln(S0/S) = TE C / k: below a twentieth of the baseline the signal is its noise floor.
        let te = checked.te_s.last().copied().unwrap_or(0.0);
        let left = (-te * aif.peak / analysis.session().signal_factor).exp();
        out.at_least("aif_signal", left, 0.05, "of the baseline", "signal left in the artery at its peak");
    }
    let later_s = aif.peak_s - peak_at(strongest) as f64 * checked.timeline.dt_s;
    out.at_most(
        "aif_order",
        later_s,
        1.5 * checked.timeline.dt_s,
        "s",
        "peak of the artery after that of the strongest voxels",
    );
    out.at_least(
        "aif_order_early",
        later_s,
        -12.0,
        "s",
        "peak of the artery before that of the strongest voxels, as negative",
    );
    if let Some(vof) = &vessels.vof {
        out.at_least(
            "aif_partial_volume",
            aif.area / vof.area,
            0.5,
            "of the vein",
            "integral of the artery against the vein's",
        );
    }
}

/// Samples from the start that stay within a twentieth of the rise, or three standard deviations of the first
/// differences.
fn still(curve: &[f64]) -> usize {
    let (low, high) =
        curve.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(*v), b.max(*v)));
    let mut steps: Vec<f32> = curve.windows(2).map(|w| (w[1] - w[0]).abs() as f32).collect();
    let rough = if steps.is_empty() { 0.0 } else { f64::from(median(&mut steps)) };
    let limit = (0.05 * (high - low)).max(rough.min(0.1 * (high - low)));
    let first = curve.first().copied().unwrap_or(0.0);
    curve.iter().position(|v| (v - first).abs() > limit).unwrap_or(curve.len())
}

/// The longest step against the longer of its neighbours: a frame that is missing makes one long step, a protocol
/// that changes its pace keeps to the new one.
fn gap(frames_s: &[f64]) -> f64 {
    let steps: Vec<f64> = frames_s.windows(2).map(|w| w[1] - w[0]).collect();
    steps.windows(3).map(|w| w[1] / w[0].max(w[2])).fold(1.0, f64::max)
}

/// What is left of the rise at the end: the mean of the last tenth against the peak, both above the start.
fn tail(curve: &[f64]) -> f64 {
    let n = curve.len();
    let base = curve.iter().take(3).sum::<f64>() / 3.0;
    let last = &curve[n - (n / 10).max(2).min(n)..];
    let end = last.iter().sum::<f64>() / last.len() as f64 - base;
    let rise = curve[peak_at(curve)] - base;
    if rise > 0.0 { end / rise } else { f64::INFINITY }
}

/// The largest distance from the nearest curve that only rises up to the peak and only falls after it, as a share
/// of the rise. Frames in the wrong order make teeth that no such curve has.
fn misfit(curve: &[f64]) -> f64 {
    let peak = peak_at(curve);
    let base = curve.iter().take(3).sum::<f64>() / 3.0;
    let rise = curve[peak] - base;
    if rise <= 0.0 {
        return f64::INFINITY;
    }
    let mut fitted = monotone(&curve[..=peak]);
    let mut falling: Vec<f64> = curve[peak..].iter().rev().copied().collect();
    falling = monotone(&falling);
    fitted.pop();
    fitted.extend(falling.into_iter().rev());
    let apart = curve.iter().zip(&fitted).map(|(c, f)| (c - f).abs()).fold(0.0, f64::max);
    apart / rise
}

/// Isotonic regression: pool adjacent violators.
fn monotone(values: &[f64]) -> Vec<f64> {
    let mut pools: Vec<(f64, usize)> = Vec::new();
    for v in values {
        pools.push((*v, 1));
        while let [.., a, b] = pools.as_slice() {
            if a.0 <= b.0 {
                break;
            }
            let merged = ((a.0 * a.1 as f64 + b.0 * b.1 as f64) / (a.1 + b.1) as f64, a.1 + b.1);
            pools.truncate(pools.len() - 2);
            pools.push(merged);
        }
    }
    pools.into_iter().flat_map(|(v, n)| std::iter::repeat_n(v, n)).collect()
}

/// Share of the vessels' voxels with three samples or more at the highest value of all: noise reaches it once, a
/// limit of the scanner or of the stored bits again and again. Only what takes up contrast counts: the edge of the
/// skull is brighter and still.
fn clipped(curves: &Curves, baseline: &[f32], peaks: &[f32], kind: Kind) -> f64 {
    let most = curves.usable_positions().map(|at| peaks[at]).fold(f32::NEG_INFINITY, f32::max);
    let vessels: Vec<usize> = curves.usable_positions().filter(|at| peaks[*at] >= 0.3 * most).collect();
    let signal =
        |at: usize, t: usize| curves.value(at, t) + if kind == Kind::Ct { baseline[at] } else { 0.0 };
    let highest =
        |at: &usize| (0..curves.samples()).map(|t| signal(*at, t)).fold(f32::NEG_INFINITY, f32::max);
    let top = vessels.iter().map(highest).fold(f32::NEG_INFINITY, f32::max);
    // Half a stored value in CT.
    let near = if kind == Kind::Ct { 0.5 } else { 2e-3 * top.abs() };
    let stays = |at: &&usize| (0..curves.samples()).filter(|t| signal(**at, *t) >= top - near).count() >= 3;
    // One voxel may be odd by chance; of few, one is many.
    let count = vessels.iter().filter(stays).count();
    if count <= 1 { 0.0 } else { count as f64 / vessels.len() as f64 }
}

/// Samples in a row that are at the peak to a five-hundredth.
fn plateau(curve: &[f64]) -> usize {
    let peak = curve[peak_at(curve)];
    let (mut run, mut longest) = (0, 0);
    for v in curve {
        run = if *v >= 0.998 * peak { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

fn median(values: &mut [f32]) -> f32 {
    if values.is_empty() {
        return 0.0;
    }
    let middle = values.len() / 2;
    *values.select_nth_unstable_by(middle, f32::total_cmp).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bolus(n: usize) -> Vec<f64> {
        (0..n)
            .map(|i| {
                let u = i as f64 - 8.0;
                if u > 0.0 { u.powi(3) * (-u / 1.5).exp() } else { 0.0 }
            })
            .collect()
    }

    #[test]
    fn each_figure_tells_clean_from_planted() {
        let clean = bolus(45);
        assert!(misfit(&clean) < 1e-9 && tail(&clean) < 0.01 && plateau(&clean) <= 2 && still(&clean) >= 8);
        let mut swapped = clean.clone();
        swapped.swap(10, 11);
        assert!(misfit(&swapped) > 0.1, "{}", misfit(&swapped));
        assert!(tail(&clean[..15]) > 0.4, "cut off in the fall");
        assert!(still(&clean[9..]) < 3, "begun in the rise");
        let clipped: Vec<f64> = clean.iter().map(|v| v.min(3.0)).collect();
        assert!(plateau(&clipped) >= 3);
        assert_eq!(gap(&[0.0, 1.0, 2.0, 3.0, 6.0, 9.0, 12.0]), 1.0, "a new pace is no gap");
        assert_eq!(gap(&[0.0, 1.0, 2.0, 4.0, 5.0, 6.0]), 2.0);
        assert_eq!(monotone(&[1.0, 3.0, 2.0, 4.0]), [1.0, 2.5, 2.5, 4.0]);
        assert_eq!(misfit(&[1.0; 20]), f64::INFINITY);
    }

    #[test]
    fn a_check_without_a_number_has_failed() {
        let mut out = Checks::default();
        out.at_most("a", f64::INFINITY, 1.0, "", "");
        out.at_least("b", f64::NAN, 1.0, "", "");
        out.at_most("c", f64::NAN, 1.0, "", "");
        assert!(out.0.iter().all(|c| !c.passed && c.value.is_finite()));
    }
}
