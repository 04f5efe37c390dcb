//! Core, penumbra and their ratio, from thresholds on Tmax and relative CBF.
//!
//! The thresholds come from published trials on other platforms and were not validated on this one: they are
//! settings, and the reference they relate to is part of the result.

use contract::perfusion::Session;
use serde::Serialize;

use crate::maps::{Map, Maps};
use crate::mask::components;
use crate::mirror;

/// Thresholds on Tmax that are always given, s.
const TMAX_S: [f64; 4] = [4.0, 6.0, 8.0, 10.0];
/// Shares of normal CBF that are always given.
const RCBF: [f64; 5] = [0.20, 0.25, 0.30, 0.34, 0.38];
/// Below this Tmax tissue counts as normal, s.
const NORMAL_TMAX_S: f32 = 4.0;
/// Above this CBV a voxel is a vessel, ml/100 g (Kudo's vessel exclusion has 8 to 9).
const VESSEL_CBV: f32 = 9.0;
/// Islands are never dropped above this share of the mask, whatever the setting: small volumes exist.
const ISLAND_SHARE: f64 = 0.01;

/// Volume above a Tmax.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TmaxVolume {
    /// s
    pub over_s: f64,
    /// ml
    pub ml: f64,
}

/// Volume below a share of normal CBF.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct RcbfVolume {
    /// Of the reference.
    pub below: f64,
    /// ml
    pub ml: f64,
}

/// Volumes of regions. Defaults that are not validated for treatment decisions.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct RegionReport {
    /// Computed voxels.
    pub computed: f64,
    /// At 4, 6, 8 and 10 s.
    pub tmax: Vec<TmaxVolume>,
    /// At 20 to 38 %.
    pub rcbf: Vec<RcbfVolume>,
    /// By the chosen share.
    pub core: f64,
    /// By the chosen Tmax.
    pub hypoperfused: f64,
    /// Hypoperfused less core.
    pub mismatch: f64,
    /// Hypoperfused over core; `None` without a core.
    pub mismatch_ratio: Option<f64>,
    /// Severely hypoperfused over hypoperfused; `None` without either.
    pub hypoperfusion_intensity_ratio: Option<f64>,
    /// Median CBF of normal tissue, ml/100 g/min.
    pub reference_cbf: f64,
    /// Which tissue that was.
    pub reference: String,
    /// On every use.
    pub note: &'static str,
}

/// What a voxel of the mask belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Class {
    /// Neither.
    #[default]
    Normal = 0,
    /// Hypoperfused, no core.
    Penumbra = 1,
    /// Core.
    Core = 2,
}

/// Volumes in ml, and the class of every voxel of the mask.
pub fn regions(
    maps: &Maps,
    dims: [usize; 3],
    voxel_ml: f64,
    session: &Session,
) -> (RegionReport, Vec<Class>) {
    let wish = &session.regions;
    let (cbf, cbv, tmax) = (maps.get(Map::Cbf), maps.get(Map::Cbv), maps.get(Map::Tmax));
    let n = maps.voxels.len();
    let usable = maps.usable.iter().filter(|u| **u).count();
    let tissue = |i: usize| maps.usable[i] && cbv[i] > 0.0 && cbv[i] < VESSEL_CBV;
    let island =
        ((wish.min_island_ml / voxel_ml).ceil() as usize).min((usable as f64 * ISLAND_SHARE) as usize);
    let place = |keep: &dyn Fn(usize) -> bool| -> Vec<bool> {
        // Nothing is smaller than a voxel, and looking for islands in every map takes longer than the maps.
        if island <= 1 {
            return (0..n).map(keep).collect();
        }
        let mut inside = vec![false; dims[0] * dims[1] * dims[2]];
        (0..n).filter(|i| keep(*i)).for_each(|i| inside[maps.voxels[i] as usize] = true);
        let mut chosen = vec![false; inside.len()];
        for part in components(&inside, dims).iter().filter(|p| p.len() >= island) {
            part.iter().for_each(|v| chosen[*v as usize] = true);
        }
        maps.voxels.iter().map(|v| chosen[*v as usize]).collect()
    };
    let ml = |chosen: &[bool]| chosen.iter().filter(|c| **c).count() as f64 * voxel_ml;
    let over = |s: f64| place(&|i| tissue(i) && f64::from(tmax[i]) > s);
    let late = over(wish.tmax_s);

    let midline = session.midline.unwrap_or_else(|| mirror::midline(&maps.voxels, dims));
    let (reference_cbf, reference) = reference(maps, dims, &late, &midline);
    let low = |share: f64| {
        place(&|i| {
            tissue(i) && f64::from(cbf[i]) < share * reference_cbf && (!wish.core_within_tmax || late[i])
        })
    };
    let core = low(wish.rcbf);
    let classes = (0..n)
        .map(|i| match (core[i], late[i]) {
            (true, _) => Class::Core,
            (false, true) => Class::Penumbra,
            (false, false) => Class::Normal,
        })
        .collect();
    let (core_ml, late_ml, severe_ml) = (ml(&core), ml(&late), ml(&over(wish.severe_tmax_s)));
    let report = RegionReport {
        computed: usable as f64 * voxel_ml,
        tmax: TMAX_S.map(|over_s| TmaxVolume { over_s, ml: ml(&over(over_s)) }).to_vec(),
        rcbf: RCBF.map(|below| RcbfVolume { below, ml: ml(&low(below)) }).to_vec(),
        core: core_ml,
        hypoperfused: late_ml,
        mismatch: (late_ml - core_ml).max(0.0),
        mismatch_ratio: (core_ml > 0.0).then(|| late_ml / core_ml),
        hypoperfusion_intensity_ratio: (late_ml > 0.0).then(|| severe_ml / late_ml),
        reference_cbf,
        reference,
        note: "Thresholds are defaults that were not validated on this pipeline: not for treatment decisions.",
    };
    (report, classes)
}

/// Median CBF of tissue that is not late, on the side with less late tissue where there are two.
fn reference(
    maps: &Maps,
    dims: [usize; 3],
    late: &[bool],
    midline: &contract::perfusion::Midline,
) -> (f64, String) {
    let (cbf, cbv, tmax) = (maps.get(Map::Cbf), maps.get(Map::Cbv), maps.get(Map::Tmax));
    let left = |i: usize| mirror::side(midline, maps.voxels[i], dims) < 0.0;
    let count = |side: bool| (0..maps.voxels.len()).filter(|i| late[*i] && left(*i) == side).count();
    let (a, b) = (count(true), count(false));
    let normal = |i: usize| maps.usable[i] && cbv[i] > 0.0 && cbv[i] < VESSEL_CBV && tmax[i] <= NORMAL_TMAX_S;
    let median = |keep: &dyn Fn(usize) -> bool| {
        let mut values: Vec<f32> =
            (0..maps.voxels.len()).filter(|i| normal(*i) && keep(*i)).map(|i| cbf[i]).collect();
        let middle = values.len() / 2;
        (!values.is_empty()).then(|| f64::from(*values.select_nth_unstable_by(middle, f32::total_cmp).1))
    };
    let all = || (median(&|_| true).unwrap_or(0.0), format!("tissue with Tmax up to {NORMAL_TMAX_S} s"));
    if a == b {
        return all();
    }
    // The side with less late tissue.
    let side = a < b;
    match median(&|i| left(i) == side) {
        Some(value) => {
            let which = if side { "before" } else { "behind" };
            (value, format!("tissue with Tmax up to {NORMAL_TMAX_S} s, {which} the midline along the rows"))
        }
        None => all(),
    }
}
