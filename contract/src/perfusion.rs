//! What a reader decides about perfusion maps, as page, worker, command line and saved reports write it.
//!
//! A session holds decisions and no results: with the series it gives the same maps again. Every stage of the
//! computation reads its own part, so a change tells which stages are stale.

mod view;

use serde::{Deserialize, Serialize};

pub use view::{Colours, DrawnRegion, Map, Outline, Ranges, Slot, View};

/// What the voxels of the series are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Signal {
    /// CT for Hounsfield units, DSC for MR; anything else must be said.
    #[default]
    Auto,
    /// Hounsfield units: linear in iodine.
    Ct,
    /// T2*-weighted signal: `C = -(k / TE) ln(S / S0)`.
    Dsc,
    /// Concentration already.
    Concentration,
}

/// How the arterial curve is divided out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Block-circulant SVD (Wu 2003). Insensitive to delay.
    #[default]
    Csvd,
    /// Standard SVD (Oestergaard 1996). Delay lowers its flow.
    Ssvd,
    /// Block-circulant SVD with a limit on oscillation per voxel (Wu 2003). Insensitive to delay.
    Osvd,
    /// Block-circulant Tikhonov regularization. Insensitive to delay.
    Tikhonov,
    /// Lucy-Richardson, few iterations. Conserves volume; delay shifts its residue function.
    LucyRichardson,
}

impl Method {
    /// All, in the order of a menu.
    pub const ALL: [Self; 5] = [Self::Csvd, Self::Osvd, Self::Tikhonov, Self::LucyRichardson, Self::Ssvd];

    /// As arguments and reports write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Csvd => "csvd",
            Self::Ssvd => "ssvd",
            Self::Osvd => "osvd",
            Self::Tikhonov => "tikhonov",
            Self::LucyRichardson => "lucy-richardson",
        }
    }

    /// Whether flow stays the same when tissue is later (or, circulant only, earlier) than the artery.
    pub fn delay_insensitive(self) -> bool {
        !matches!(self, Self::Ssvd)
    }
}

/// How the integral of the convolution is discretised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Matrix {
    /// `dt a[i-j]`
    #[default]
    Riemann,
    /// `dt (a[i-j-1] + 4 a[i-j] + a[i-j+1]) / 6` (Oestergaard 1996).
    Simpson,
}

/// Published ways of finding an artery.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoAif {
    /// k-means on normalised curves, lowest first moment (Mouridsen 2006).
    #[default]
    Mouridsen,
    /// Hierarchical clustering in two until few voxels are left (Peruzzo 2011).
    Peruzzo,
}

/// Where a vessel's curve comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "from", rename_all = "snake_case")]
pub enum Source {
    /// Found by a published method.
    Auto {
        /// Which; without meaning for the vein.
        #[serde(default)]
        by: AutoAif,
    },
    /// A click: the best curve within the radius.
    Point {
        /// Column, row, slice.
        voxel: [u32; 3],
        /// In the slice of the click; 0 takes the voxel itself.
        #[serde(default)]
        radius_mm: f64,
    },
    /// The mean of these voxels.
    Region {
        /// Column, row, slice of each.
        voxels: Vec<[u32; 3]>,
    },
    /// A curve from elsewhere, in concentration.
    Curve {
        /// Seconds from the first time point, increasing.
        times_s: Vec<f64>,
        /// Concentration at these times.
        values: Vec<f64>,
    },
    /// No curve (for the vein).
    None,
}

impl Default for Source {
    fn default() -> Self {
        Self::Auto { by: AutoAif::default() }
    }
}

/// Which voxels are computed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mask {
    /// Brain without skull and air (CT); what is brighter than the background (MR).
    #[default]
    Auto,
    /// All voxels that can be computed.
    None,
    /// A map that is handed in with the series.
    Given,
}

/// What is done about motion.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Motion {
    /// Not estimated.
    Off,
    /// Estimated and told; the voxels stay as they are.
    #[default]
    Estimate,
    /// Corrected within the slices: two translations and a rotation.
    InPlane,
    /// Corrected in three dimensions: three translations and three rotations.
    Rigid,
}

impl Motion {
    /// Whether voxels are moved.
    pub fn corrects(self) -> bool {
        matches!(self, Self::InPlane | Self::Rigid)
    }
}

/// From when TTP counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TtpOrigin {
    /// When the bolus reaches the artery.
    #[default]
    Arrival,
    /// The first time point.
    Start,
}

/// What CBV is computed from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CbvFrom {
    /// The sum of the residue function where the method conserves it (`lucy-richardson`), else the areas. As other
    /// codes have it; noise raises the sum, because nothing in it is negative.
    #[default]
    Method,
    /// The integral of the curve over that of the artery, whatever the method: noise does not change its mean.
    Areas,
}

/// Everything a reader decided: with the series, it is the maps. Saved within every report as `session`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Session {
    /// See [`Signal`].
    pub signal: Signal,
    /// Echo time for DSC; a second one for dual echo, whose series holds the echoes one after the other.
    pub te_ms: Vec<f64>,
    /// `k` of `C = -(k / TE) ln(S / S0)`.
    pub signal_factor: f64,
    /// Between time points, instead of what the files say.
    pub dt_s: Option<f64>,
    /// Frames before the bolus that make the baseline; found without it.
    pub baseline_frames: Option<u32>,
    /// See [`Motion`].
    pub motion: Motion,
    /// See [`Mask`].
    pub mask: Mask,
    /// Standard deviation of a Gaussian within the slices and across them; 0 is none. Without it, CT is smoothed by as
    /// much as its noise asks for (at most 3 mm) and nothing else is.
    pub smooth_mm: Option<f64>,
    /// With smoothing: voxels that differ by more than this do not mix (CT).
    pub bilateral_hu: Option<f64>,
    /// Boxerman-Schmainda-Weisskoff correction for leakage (DSC).
    pub leakage_correction: bool,
    /// The artery.
    pub aif: Source,
    /// The vein.
    pub vof: Source,
    /// Scales the artery up by the vein's integral over its own, for partial volume. Never down.
    pub partial_volume: bool,
    /// Deconvolves with the gamma variate that was fitted to the artery instead of its samples.
    pub gamma_fit: bool,
    /// See [`Method`].
    pub method: Method,
    /// See [`Matrix`].
    pub matrix: Matrix,
    /// Singular values below this share of the largest are dropped; without it 0.20 for `ssvd`, 0.10 for `csvd`.
    pub truncation: Option<f64>,
    /// Limit of the oscillation index for `osvd`.
    pub oscillation: f64,
    /// Share of the largest singular value for `tikhonov`; without it the L-curve of each voxel decides.
    pub lambda: Option<f64>,
    /// For `lucy-richardson`.
    pub iterations: u32,
    /// See [`CbvFrom`].
    pub cbv_from: CbvFrom,
    /// Instead of `(1 - hematocrit_large) / (1 - hematocrit_small)`.
    pub kh: Option<f64>,
    /// In large vessels.
    pub hematocrit_large: f64,
    /// In capillaries.
    pub hematocrit_small: f64,
    /// Of tissue, g/ml.
    pub density: f64,
    /// See [`TtpOrigin`].
    pub ttp_origin: TtpOrigin,
    /// Thresholds of the regions.
    pub regions: Regions,
    /// Where the hemispheres part; found without it.
    pub midline: Option<Midline>,
}

/// Thresholds of core and penumbra. Not validated for treatment decisions: they depend on the platform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Regions {
    /// Hypoperfused: Tmax above this.
    pub tmax_s: f64,
    /// Severely hypoperfused, for the intensity ratio.
    pub severe_tmax_s: f64,
    /// Core: CBF below this share of normal tissue.
    pub rcbf: f64,
    /// The core counts only within tissue of delayed Tmax.
    pub core_within_tmax: bool,
    /// Smaller islands are left out, ml.
    pub min_island_ml: f64,
}

impl Default for Regions {
    fn default() -> Self {
        Self { tmax_s: 6.0, severe_tmax_s: 10.0, rcbf: 0.30, core_within_tmax: true, min_island_ml: 0.0 }
    }
}

/// A plane between the hemispheres, in the slices of the series: points `p` with
/// `cos(angle) (p.x - at.x) + sin(angle) (p.y - at.y) = 0`, in voxels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Midline {
    /// Column and row of a point on it.
    pub at: [f64; 2],
    /// Of its normal to the rows, in radians.
    pub angle_rad: f64,
}

impl Midline {
    /// Signed distance of a place from it, in voxels; below 0 on the side of the first column.
    pub fn side(&self, [x, y]: [f64; 2]) -> f64 {
        let (sin, cos) = self.angle_rad.sin_cos();
        cos * (x - self.at[0]) + sin * (y - self.at[1])
    }

    /// The place on the other side.
    pub fn mirrored(&self, [x, y]: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = self.angle_rad.sin_cos();
        let d = 2.0 * self.side([x, y]);
        [x - d * cos, y - d * sin]
    }

    /// Turned about its point, and moved along its normal by so many voxels.
    pub fn adjusted(&self, turn_rad: f64, shift: f64) -> Self {
        let (sin, cos) = self.angle_rad.sin_cos();
        let at = [self.at[0] + shift * cos, self.at[1] + shift * sin];
        Self { at, angle_rad: self.angle_rad + turn_rad }
    }
}

impl Default for Session {
    fn default() -> Self {
        Self {
            signal: Signal::Auto,
            te_ms: Vec::new(),
            signal_factor: 1.0,
            dt_s: None,
            baseline_frames: None,
            motion: Motion::Estimate,
            mask: Mask::Auto,
            smooth_mm: None,
            bilateral_hu: None,
            leakage_correction: false,
            aif: Source::default(),
            vof: Source::default(),
            partial_volume: false,
            gamma_fit: false,
            method: Method::Csvd,
            matrix: Matrix::Riemann,
            truncation: None,
            oscillation: 0.035,
            lambda: None,
            iterations: 10,
            cbv_from: CbvFrom::Method,
            kh: None,
            hematocrit_large: 0.45,
            hematocrit_small: 0.25,
            density: 1.04,
            ttp_origin: TtpOrigin::Arrival,
            regions: Regions::default(),
            midline: None,
        }
    }
}

impl Session {
    /// The echo time of the series' header (ms), where the reader has given none and there is one for all images.
    /// Only MR has one; of several echoes the reader must say which are meant.
    pub fn take_echo_time(&mut self, of_header_ms: &[f64]) {
        if let ([te], true, Signal::Auto | Signal::Dsc) = (of_header_ms, self.te_ms.is_empty(), self.signal) {
            self.te_ms = vec![*te];
        }
    }

    /// Factor between large and small vessels' plasma.
    pub fn kh(&self) -> f64 {
        self.kh.unwrap_or((1.0 - self.hematocrit_large) / (1.0 - self.hematocrit_small))
    }

    /// Share of the largest singular value below which others are dropped.
    pub fn truncation(&self) -> f64 {
        // FAIR's defaults, as in clinical reviews: 0.2 for the standard matrix, 0.1 for the circulant one.
        self.truncation.unwrap_or(if self.method == Method::Ssvd { 0.20 } else { 0.10 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headers_echo_time_is_taken_where_the_reader_gave_none() {
        let taken = |mut session: Session, header: &[f64]| {
            session.take_echo_time(header);
            session.te_ms
        };
        assert_eq!(taken(Session::default(), &[30.0]), [30.0]);
        assert_eq!(taken(Session { te_ms: vec![25.0], ..Session::default() }, &[30.0]), [25.0]);
        assert!(taken(Session::default(), &[10.0, 30.0]).is_empty());
        assert!(taken(Session { signal: Signal::Concentration, ..Session::default() }, &[30.0]).is_empty());
    }

    #[test]
    fn a_session_comes_back_as_it_was_saved() {
        let session = Session {
            te_ms: vec![29.0],
            aif: Source::Point { voxel: [1, 2, 3], radius_mm: 4.5 },
            vof: Source::Curve { times_s: vec![0.0, 1.0], values: vec![0.5, 2.0] },
            method: Method::LucyRichardson,
            midline: Some(Midline { at: [64.0, 60.5], angle_rad: 0.1 }),
            ..Session::default()
        };
        let json = serde_json::to_string(&session).unwrap();
        assert!(json.contains("\"lucy-richardson\""), "{json}");
        assert_eq!(serde_json::from_str::<Session>(&json).unwrap(), session);
        assert_eq!(serde_json::from_str::<Session>("{}").unwrap(), Session::default());
        let wrong = serde_json::from_str::<Session>(r#"{"trunkation":0.1}"#);
        assert!(wrong.unwrap_err().to_string().contains("trunkation"), "a misspelt field is not passed over");
    }

    #[test]
    fn defaults_are_the_published_ones() {
        let mut session = Session::default();
        assert!((session.kh() - 0.7333).abs() < 1e-4);
        assert_eq!(session.truncation(), 0.10);
        session.method = Method::Ssvd;
        assert_eq!(session.truncation(), 0.20);
        for method in Method::ALL {
            assert_eq!(serde_json::to_value(method).unwrap(), method.name());
        }
    }
}
