//! From residue functions to the five maps, with every constant named.

use contract::perfusion::{CbvFrom, Session, TtpOrigin};

use crate::curves::{Curves, Moments};
use crate::deconvolve::Found;
use crate::timeline::Timeline;
use crate::vessels::Vessels;

/// One of the five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Map {
    /// ml/100 g/min
    Cbf,
    /// ml/100 g
    Cbv,
    /// s
    Mtt,
    /// s
    Ttp,
    /// s
    Tmax,
}

impl Map {
    /// All, in the order of files and panels.
    pub const ALL: [Self; 5] = [Self::Cbf, Self::Cbv, Self::Mtt, Self::Ttp, Self::Tmax];

    /// Stem of its file.
    pub fn name(self) -> &'static str {
        ["cbf", "cbv", "mtt", "ttp", "tmax"][self as usize]
    }

    /// Of its values.
    pub fn unit(self) -> &'static str {
        ["ml/100 g/min", "ml/100 g", "s", "s", "s"][self as usize]
    }
}

/// Values per voxel of the mask; voxels without numbers hold 0.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Maps {
    /// Index of each voxel in one time point, ascending.
    pub voxels: Vec<u32>,
    /// Whether a voxel has numbers.
    pub usable: Vec<bool>,
    /// In the order of [`Map::ALL`].
    values: [Vec<f32>; 5],
    /// TTP counts from here, s.
    pub ttp_origin_s: f64,
}

impl Maps {
    /// Values per voxel of the mask. Tmax keeps its sign: tissue earlier than the artery is below 0.
    pub fn get(&self, map: Map) -> &[f32] {
        &self.values[map as usize]
    }

    /// A map on the grid of the series, 0 outside of the mask.
    pub fn on_grid(&self, map: Map, voxels: usize) -> Vec<f32> {
        let mut out = vec![0.0; voxels];
        self.voxels.iter().zip(self.get(map)).for_each(|(v, value)| out[*v as usize] = *value);
        out
    }
}

/// What turns residue functions into maps.
pub(crate) struct Scaling<'a> {
    pub curves: &'a Curves,
    pub moments: &'a Moments,
    pub vessels: &'a Vessels,
    pub timeline: &'a Timeline,
    pub session: &'a Session,
}

impl Scaling<'_> {
    /// The maps of the voxels at some positions among the curves. `found` is of all voxels.
    /// CBF = 6000 (kH/rho) max k, CBV = 100 (kH/rho) int C / int AIF, MTT = 60 CBV/CBF.
    pub fn maps(&self, found: &[Found], positions: std::ops::Range<usize>) -> Maps {
        let Self { curves, moments, vessels, timeline, session } = self;
        let constant = session.kh() / session.density;
        let aif_area = crate::curves::area(&vessels.used, timeline.dt_s);
        let dt = timeline.dt_s as f32;
        let ttp_origin_s = match session.ttp_origin {
            TtpOrigin::Arrival => vessels.aif.arrival_s,
            TtpOrigin::Start => 0.0,
        };
        let mut values: [Vec<f32>; 5] = std::array::from_fn(|_| vec![0.0; positions.len()]);
        let usable: Vec<bool> = positions.clone().map(|at| curves.usable(at)).collect();
        for (i, at) in positions.clone().enumerate().filter(|(i, _)| usable[*i]) {
            let f = &found[at];
            let cbf = (6000.0 * constant * f64::from(f.value)).max(0.0);
            let cbv = 100.0
                * constant
                * match f.area.filter(|_| session.cbv_from == CbvFrom::Method) {
                    Some(area) => f64::from(area),
                    None if aif_area > 0.0 => f64::from(moments.area[at]) / aif_area,
                    None => 0.0,
                };
            let mtt = if cbf > 0.0 && cbv > 0.0 { 60.0 * cbv / cbf } else { 0.0 };
            let ttp = f64::from(moments.peak_at[at]) * timeline.dt_s - ttp_origin_s;
            let finite = |v: f64| if v.is_finite() { v as f32 } else { 0.0 };
            values[0][i] = finite(cbf);
            values[1][i] = finite(cbv);
            values[2][i] = finite(mtt);
            values[3][i] = finite(ttp);
            values[4][i] = f.lag as f32 * dt;
        }
        Maps { voxels: curves.voxels()[positions].to_vec(), usable, values, ttp_origin_s }
    }
}
