//! The conventions of a calcium score as data: what is counted, how, and who says so.
//!
//! Implementations differ in exactly these points, and by that in the score (van Ooijen 2005: connectivity up
//! to 3 %, minimum area up to 16 %). A report prints them all and carries their hash.

use contract::calcium::Session;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::label::Connectivity;

/// Which components are too small to count. Areas are compared with a relative tolerance of 1e-9, so that
/// 100 pixels of 0.1 mm x 0.1 mm are 1 mm² and no rounding error above it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "rule", content = "value", rename_all = "snake_case")]
pub enum MinimumArea {
    /// Counted if area > value, in mm².
    MoreThanMm2(f64),
    /// Counted if area >= value, in mm².
    AtLeastMm2(f64),
    /// Counted if it has more pixels than this.
    MoreThanPixels(u32),
}

impl MinimumArea {
    /// Whether a component counts.
    pub fn admits(self, voxels: u32, pixel_mm2: f64) -> bool {
        const TOLERANCE: f64 = 1e-9;
        let area_mm2 = f64::from(voxels) * pixel_mm2;
        match self {
            Self::MoreThanMm2(least) => area_mm2 > least * (1.0 + TOLERANCE),
            Self::AtLeastMm2(least) => area_mm2 >= least * (1.0 - TOLERANCE),
            Self::MoreThanPixels(n) => voxels > n,
        }
    }
}

/// What a slice counts for, against the 3 mm of the original method.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SliceRule {
    /// Distance between slices / 3 mm: tissue in overlapping slices is counted once (as DeepCAC).
    Increment,
    /// Slice Thickness (0018,0050) / 3 mm (as FQM).
    Thickness,
    /// Every slice counts 1: defined for contiguous slices of 3 mm only (Agatston 1990).
    Unscaled,
}

/// One way to score that somebody published.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Convention {
    /// Stable, for command lines and files.
    pub name: &'static str,
    /// In a slice, and correspondingly in 3D.
    pub connectivity: Connectivity,
    /// See [`MinimumArea`].
    pub minimum_area: MinimumArea,
    /// See [`SliceRule`].
    pub slice_rule: SliceRule,
    /// Who says so, and what is assumed where they are silent.
    pub source: &'static str,
}

/// All conventions; the first is the default.
///
/// Vendors' rules are as the code of FQM has them (van Praagh 2021); none of these sources but our default
/// states the connectivity, where they are silent it is 8.
pub const CONVENTIONS: [Convention; 8] = [
    Convention {
        name: "default",
        connectivity: Connectivity::Eight,
        minimum_area: MinimumArea::MoreThanMm2(1.0),
        slice_rule: SliceRule::Increment,
        source: "area > 1 mm² (FQM's rule for GE and the literature), 8-connectivity, slice increment / 3 mm",
    },
    Convention {
        name: "four-connected",
        connectivity: Connectivity::Four,
        minimum_area: MinimumArea::MoreThanMm2(1.0),
        slice_rule: SliceRule::Increment,
        source: "the default with 4-connectivity",
    },
    Convention {
        name: "agatston-1990",
        connectivity: Connectivity::Eight,
        minimum_area: MinimumArea::AtLeastMm2(1.0),
        slice_rule: SliceRule::Unscaled,
        source: "Agatston 1990, J Am Coll Cardiol 15:827: area >= 1 mm², slices of 3 mm; connectivity not stated",
    },
    Convention {
        name: "ge",
        connectivity: Connectivity::Eight,
        minimum_area: MinimumArea::MoreThanMm2(1.0),
        slice_rule: SliceRule::Thickness,
        source: "FQM: area > 1 mm², slice thickness / 3 mm",
    },
    Convention {
        name: "siemens",
        connectivity: Connectivity::Eight,
        minimum_area: MinimumArea::MoreThanMm2(0.0),
        slice_rule: SliceRule::Thickness,
        source: "FQM: no minimum area, slice thickness / 3 mm",
    },
    Convention {
        name: "philips",
        connectivity: Connectivity::Eight,
        minimum_area: MinimumArea::MoreThanMm2(0.5),
        slice_rule: SliceRule::Thickness,
        source: "FQM: area > 0.5 mm², slice thickness / 3 mm",
    },
    Convention {
        name: "canon",
        connectivity: Connectivity::Eight,
        minimum_area: MinimumArea::MoreThanPixels(3),
        slice_rule: SliceRule::Thickness,
        source: "FQM: more than 3 pixels, slice thickness / 3 mm",
    },
    Convention {
        name: "deepcac",
        connectivity: Connectivity::Eight,
        minimum_area: MinimumArea::MoreThanPixels(3),
        slice_rule: SliceRule::Increment,
        source: "DeepCAC: more than 3 pixels, slice increment / 3 mm",
    },
];

/// The convention of this name.
pub fn convention(name: &str) -> Option<&'static Convention> {
    CONVENTIONS.iter().find(|c| c.name == name)
}

/// Threshold and peaks from which the weight is 2, 3 and 4.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bands {
    /// Tube voltage.
    pub kvp: f64,
    /// Inclusive.
    pub threshold_hu: f64,
    /// Inclusive.
    pub weight_cuts_hu: [f64; 3],
}

/// Thresholds and bands by tube voltage: Graeni 2018 as coded in CalciumScoring.jl; 120 kV is Agatston 1990.
pub const BANDS: [Bands; 5] = [
    Bands { kvp: 70.0, threshold_hu: 207.0, weight_cuts_hu: [318.0, 477.0, 636.0] },
    Bands { kvp: 80.0, threshold_hu: 177.0, weight_cuts_hu: [271.0, 408.0, 544.0] },
    Bands { kvp: 100.0, threshold_hu: 145.0, weight_cuts_hu: [222.0, 334.0, 446.0] },
    Bands { kvp: 120.0, threshold_hu: 130.0, weight_cuts_hu: [200.0, 300.0, 400.0] },
    Bands { kvp: 135.0, threshold_hu: 119.0, weight_cuts_hu: [183.0, 274.0, 364.0] },
];

/// Bands of 120 kV.
pub const STANDARD: Bands = BANDS[3];

/// The bands for a tube voltage; the nominal value may be off by 1 kV. `None` where nobody published any.
pub fn bands(kvp: f64) -> Option<Bands> {
    BANDS.into_iter().find(|b| (b.kvp - kvp).abs() <= 1.0)
}

/// What the user asks for; the rest follows from the series.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// Where to start from.
    pub convention: Convention,
    /// Instead of the one for the tube voltage.
    pub threshold_hu: Option<f64>,
    /// mg per mm³ and HU; without it there is no mass.
    pub mass_factor: Option<f64>,
}

impl Request {
    /// As a session says it.
    pub fn of(session: &Session) -> Result<Self, Error> {
        let known = convention(&session.profile).ok_or_else(|| {
            let names: Vec<&str> = CONVENTIONS.iter().map(|c| c.name).collect();
            Error::Profile(session.profile.clone(), names.join(", "))
        })?;
        let connectivity =
            session.connectivity.map(Connectivity::try_from).transpose().map_err(Error::Connectivity)?;
        let convention = Convention {
            connectivity: connectivity.unwrap_or(known.connectivity),
            minimum_area: session.min_area_mm2.map_or(known.minimum_area, MinimumArea::MoreThanMm2),
            ..*known
        };
        Ok(Self { convention, threshold_hu: session.threshold_hu, mass_factor: session.mass_factor })
    }
}

impl Default for Request {
    fn default() -> Self {
        Self { convention: CONVENTIONS[0], threshold_hu: None, mass_factor: None }
    }
}

/// Everything that decides about the score of a given volume.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Name of the convention, with `*` where the user changed it.
    pub profile: String,
    /// Voxels count from here on (inclusive).
    pub threshold_hu: f64,
    /// What the tube voltage asks for.
    pub standard_threshold_hu: f64,
    /// Peaks from which the weight is 2, 3, 4 (inclusive).
    pub weight_cuts_hu: [f64; 3],
    /// Tube voltage of bands and threshold.
    pub bands_kvp: f64,
    /// In a slice.
    pub connectivity: Connectivity,
    /// See [`MinimumArea`].
    pub minimum_area: MinimumArea,
    /// See [`SliceRule`].
    pub slice_rule: SliceRule,
    /// mg per mm³ and HU.
    pub mass_factor_mg_per_mm3_hu: Option<f64>,
}

/// Where no threshold may lie below: soft tissue would be scored.
pub const LOWEST_THRESHOLD_HU: f64 = 50.0;

impl Settings {
    /// For a series of this tube voltage (120 where it is unknown or nobody published bands for it).
    pub fn resolve(request: &Request, kvp: Option<f64>) -> Self {
        let bands = kvp.and_then(bands).unwrap_or(STANDARD);
        let c = &request.convention;
        let known = convention(c.name).is_some_and(|k| k == c);
        Self {
            profile: if known { c.name.to_owned() } else { format!("{}*", c.name) },
            threshold_hu: request.threshold_hu.unwrap_or(bands.threshold_hu),
            standard_threshold_hu: bands.threshold_hu,
            weight_cuts_hu: bands.weight_cuts_hu,
            bands_kvp: bands.kvp,
            connectivity: c.connectivity,
            minimum_area: c.minimum_area,
            slice_rule: c.slice_rule,
            mass_factor_mg_per_mm3_hu: request.mass_factor,
        }
    }

    /// Agatston's weight of a component by its peak.
    pub fn weight(&self, peak_hu: f64) -> u8 {
        1 + self.weight_cuts_hu.iter().filter(|cut| peak_hu >= **cut).count() as u8
    }

    /// What table and exports must be stamped with.
    pub fn stamp(&self) -> Option<String> {
        (self.threshold_hu != self.standard_threshold_hu).then(|| {
            format!(
                "NON-STANDARD THRESHOLD: {} HU instead of {} HU for {} kV",
                self.threshold_hu, self.standard_threshold_hu, self.bands_kvp
            )
        })
    }

    /// Every setting as name and value, for people.
    pub fn lines(&self) -> Vec<(String, String)> {
        let area = match self.minimum_area {
            MinimumArea::MoreThanMm2(a) => format!("more than {a} mm²"),
            MinimumArea::AtLeastMm2(a) => format!("{a} mm² or more"),
            MinimumArea::MoreThanPixels(n) => format!("more than {n} pixels"),
        };
        let slices = match self.slice_rule {
            SliceRule::Increment => "increment / 3 mm",
            SliceRule::Thickness => "slice thickness / 3 mm",
            SliceRule::Unscaled => "every slice counts 1",
        };
        let [two, three, four] = self.weight_cuts_hu;
        let factor =
            self.mass_factor_mg_per_mm3_hu.map_or("none".to_owned(), |f| format!("{f} mg per mm³ and HU"));
        [
            ("Profile", self.profile.clone()),
            ("Threshold", format!("{} HU", self.threshold_hu)),
            ("Standard", format!("{} HU at {} kV", self.standard_threshold_hu, self.bands_kvp)),
            ("Weights 2, 3, 4", format!("from {two}, {three}, {four} HU")),
            ("Connectivity", u8::from(self.connectivity).to_string()),
            ("Component area", area),
            ("Slice factor", slices.to_owned()),
            ("Mass factor", factor),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .to_vec()
    }

    /// sha256 of the settings as JSON.
    pub fn hash(&self) -> String {
        let json = serde_json::to_vec(self).unwrap_or_default();
        Sha256::digest(&json).iter().map(|b| format!("{b:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_change_at_their_cuts() {
        let s = Settings::resolve(&Request::default(), Some(120.0));
        let weights = [130.0, 199.999, 200.0, 299.0, 300.0, 399.9, 400.0, 3000.0].map(|hu| s.weight(hu));
        assert_eq!(weights, [1, 1, 2, 2, 3, 3, 4, 4]);
    }

    #[test]
    fn the_voltage_chooses_threshold_and_bands_and_any_other_is_stamped() {
        let at = |kvp, threshold_hu| Settings::resolve(&Request { threshold_hu, ..Request::default() }, kvp);
        for b in BANDS {
            let s = at(Some(b.kvp), None);
            assert_eq!((s.threshold_hu, s.weight_cuts_hu), (b.threshold_hu, b.weight_cuts_hu));
            assert_eq!(s.stamp(), None);
        }
        assert_eq!(at(None, None).threshold_hu, 130.0);
        assert_eq!(at(Some(140.0), None).threshold_hu, 130.0, "no published bands");
        assert_eq!(at(Some(120.0), Some(130.0)).stamp(), None);
        let stamp = at(Some(100.0), Some(130.0)).stamp().unwrap();
        assert_eq!(stamp, "NON-STANDARD THRESHOLD: 130 HU instead of 145 HU for 100 kV");
    }

    #[test]
    fn one_square_millimetre_is_not_more_than_itself() {
        // 100 * 0.1 * 0.1 is 1.0000000000000002 in binary.
        assert!(!MinimumArea::MoreThanMm2(1.0).admits(100, 0.1 * 0.1));
        assert!(MinimumArea::MoreThanMm2(1.0).admits(101, 0.1 * 0.1));
        assert!(MinimumArea::AtLeastMm2(1.0).admits(100, 0.1 * 0.1));
        assert!(!MinimumArea::AtLeastMm2(1.0).admits(99, 0.1 * 0.1));
        assert!(MinimumArea::MoreThanMm2(0.0).admits(1, 1e-3));
        assert!(
            !MinimumArea::MoreThanPixels(3).admits(3, 9.0) && MinimumArea::MoreThanPixels(3).admits(4, 0.1)
        );
    }

    #[test]
    fn the_hash_follows_every_setting() {
        let base = Settings::resolve(&Request::default(), None);
        let other = Settings { minimum_area: MinimumArea::AtLeastMm2(1.0), ..base.clone() };
        assert_eq!(base.hash(), base.clone().hash());
        assert_ne!(base.hash(), other.hash());
        assert_eq!(base.hash().len(), 64);
    }

    #[test]
    fn names_are_unique_and_a_changed_convention_says_so() {
        for (i, c) in CONVENTIONS.iter().enumerate() {
            assert_eq!(CONVENTIONS.iter().position(|d| d.name == c.name), Some(i));
        }
        let convention = Convention { minimum_area: MinimumArea::MoreThanMm2(2.0), ..CONVENTIONS[0] };
        let request = Request { convention, ..Request::default() };
        assert_eq!(Settings::resolve(&request, None).profile, "default*");
    }
}
