//! What a reader decides about a calcium score, as page, worker, command line and saved reports write it.
//!
//! Everything is in millimetres of the patient (LPS) and not in voxels of one reconstruction, and it is kept
//! as the steps that were taken: the same steps at another threshold give that threshold's lesions, and undo
//! is a shorter list.

use serde::{Deserialize, Serialize};

/// A coronary artery, in the order of the keys 1 to 6.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Vessel {
    /// Left main.
    Lm,
    /// Left anterior descending.
    Lad,
    /// Left circumflex.
    Lcx,
    /// Right coronary artery.
    Rca,
    /// Posterior descending.
    Pda,
    /// A coronary artery that is none of these.
    Other,
}

impl Vessel {
    /// All, in their order.
    pub const ALL: [Self; 6] = [Self::Lm, Self::Lad, Self::Lcx, Self::Rca, Self::Pda, Self::Other];

    /// As a report writes it.
    pub fn name(self) -> &'static str {
        ["LM", "LAD", "LCX", "RCA", "PDA", "OTHER"][self as usize]
    }

    /// Label in a map: 1 to 6.
    pub fn label(self) -> u8 {
        self as u8 + 1
    }

    /// The vessel of a label; 0 and everything above 6 is none.
    pub fn from_label(label: u8) -> Option<Self> {
        Self::ALL.get(usize::from(label.checked_sub(1)?)).copied()
    }
}

/// One step of a reader.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "snake_case")]
pub enum Edit {
    /// A click: the lesion at this point belongs to this vessel, or to none. Through a thick slab it is the
    /// one with the highest value on the line of sight.
    Assign {
        /// In the middle of what was seen.
        at_mm: [f64; 3],
        /// Unit vector along which was looked.
        along: [f64; 3],
        /// Thickness of the slab; 0 in a plane.
        depth_mm: f64,
        /// `null` takes the lesion away.
        vessel: Option<Vessel>,
    },
    /// A closed line: so do all lesions that lie inside by more than half of what is seen of them.
    Outline {
        /// Corners in one plane.
        corners_mm: Vec<[f64; 3]>,
        /// Unit vector along which was looked.
        along: [f64; 3],
        /// Thickness of what was seen, half of it on each side of the plane.
        depth_mm: f64,
        /// `null` takes the lesions away.
        vessel: Option<Vessel>,
    },
    /// A scalpel: the lesions that the line crosses are divided along it. A divided lesion keeps its score;
    /// each part has its share.
    Cut {
        /// Where the line begins.
        from_mm: [f64; 3],
        /// Where it ends.
        to_mm: [f64; 3],
        /// Unit vector along which was looked: the line cuts as deep as the lesion is.
        along: [f64; 3],
        /// Thickness of what was seen: lesions that the line crosses within it are divided.
        depth_mm: f64,
    },
    /// A ball within which nothing is calcium.
    Erase {
        /// Its centre.
        centre_mm: [f64; 3],
        /// Its radius.
        radius_mm: f64,
    },
}

impl Edit {
    /// Whether it gives lesions to a vessel or takes them away: then only what was given counts.
    pub fn assigns(&self) -> bool {
        matches!(self, Self::Assign { .. } | Self::Outline { .. })
    }
}

/// Voxels of the series within which calcium counts: columns, rows, slices, from the first to one past the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Region {
    /// First column, row, slice.
    pub from: [u32; 3],
    /// One past the last of each.
    pub to: [u32; 3],
}

impl Region {
    /// Whether a voxel is in it.
    pub fn contains(&self, voxel: [u32; 3]) -> bool {
        (0..3).all(|i| self.from[i] <= voxel[i] && voxel[i] < self.to[i])
    }

    /// With one edge moved: the first voxel along an axis, or (`far`) one past the last. At least one is left.
    pub fn with_edge(mut self, axis: usize, far: bool, to: u32) -> Self {
        if far {
            self.to[axis] = to.max(self.from[axis] + 1);
        } else {
            self.from[axis] = to.min(self.to[axis].saturating_sub(1));
        }
        self
    }
}

/// Factor of the mass score from a calibration insert: `c = rho / (HU_insert - HU_water)` (McCollough 2007).
/// In mg per mm³ and HU for a density in mg/cm³. `None` unless the insert is brighter than water.
pub fn mass_factor(insert_mg_per_cm3: f64, insert_hu: f64, water_hu: f64) -> Option<f64> {
    let c = insert_mg_per_cm3 / 1000.0 / (insert_hu - water_hu);
    (c.is_finite() && c > 0.0).then_some(c)
}

/// The four groups of MESA.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ancestry {
    /// Reference.
    #[default]
    White,
    /// Chinese American.
    Chinese,
    /// African American.
    Black,
    /// Hispanic.
    Hispanic,
}

/// What the MESA 2015 risk asks about a person.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Person {
    /// 45 to 85.
    pub age_years: f64,
    /// Sex at birth.
    pub male: bool,
    /// See [`Ancestry`].
    pub ancestry: Ancestry,
    /// Diabetes mellitus.
    pub diabetes: bool,
    /// Smokes now.
    pub smoker: bool,
    /// mg/dl
    pub total_cholesterol_mg_dl: f64,
    /// mg/dl
    pub hdl_mg_dl: f64,
    /// Takes lipid-lowering drugs.
    pub lipid_drugs: bool,
    /// mmHg
    pub systolic_mmhg: f64,
    /// Takes drugs against high blood pressure.
    pub blood_pressure_drugs: bool,
    /// Parents, siblings or children had a heart attack.
    pub family_history: bool,
}

/// Everything a reader decided: with the series, it is the score. Saved within every report as `session`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Session {
    /// Name of the convention to start from.
    pub profile: String,
    /// Instead of the one for the tube voltage.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_hu: Option<f64>,
    /// 4 or 8, instead of the profile's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connectivity: Option<u8>,
    /// Components count above this area, instead of the profile's rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_area_mm2: Option<f64>,
    /// mg per mm³ and HU; without it there is no mass.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mass_factor: Option<f64>,
    /// Where calcium counts; everywhere without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<Region>,
    /// In the order in which they were made; a later one wins.
    #[serde(default)]
    pub edits: Vec<Edit>,
    /// For the risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Person>,
}

impl Default for Session {
    fn default() -> Self {
        Self {
            profile: "default".into(),
            threshold_hu: None,
            connectivity: None,
            min_area_mm2: None,
            mass_factor: None,
            region: None,
            edits: Vec::new(),
            person: None,
        }
    }
}

impl Session {
    /// Whether any lesion was given to a vessel or taken away, so that only what was given counts.
    pub fn assigns(&self) -> bool {
        self.edits.iter().any(Edit::assigns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_vessels_are_one_to_one() {
        for vessel in Vessel::ALL {
            assert_eq!(Vessel::from_label(vessel.label()), Some(vessel));
            assert_eq!(serde_json::to_value(vessel).unwrap(), vessel.name());
        }
        assert_eq!([0, 7, 255].map(Vessel::from_label), [None; 3]);
    }

    #[test]
    fn the_factor_of_fqm() {
        // FQM: 0.2 g/cm³ over the difference of the 200 mg rod to water.
        let c = mass_factor(200.0, 277.0, 0.0).unwrap();
        assert!((c - 0.7220e-3).abs() < 1e-7, "{c}");
        assert_eq!(mass_factor(200.0, 0.0, 10.0), None);
    }

    #[test]
    fn a_session_comes_back_as_it_was_saved() {
        let session = Session {
            threshold_hu: Some(110.5),
            region: Some(Region { from: [1, 2, 3], to: [4, 5, 6] }),
            edits: vec![
                Edit::Assign {
                    at_mm: [0.1, -2.0, 3.0],
                    along: [0.0, 0.0, 1.0],
                    depth_mm: 0.0,
                    vessel: Some(Vessel::Lad),
                },
                Edit::Outline {
                    corners_mm: vec![[0.0; 3], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]],
                    along: [0.0, 0.0, 1.0],
                    depth_mm: 3.0,
                    vessel: None,
                },
                Edit::Cut { from_mm: [0.0; 3], to_mm: [1.0; 3], along: [0.0, 0.0, 1.0], depth_mm: 3.0 },
                Edit::Erase { centre_mm: [0.0; 3], radius_mm: 4.0 },
            ],
            ..Session::default()
        };
        let json = serde_json::to_string(&session).unwrap();
        assert_eq!(serde_json::from_str::<Session>(&json).unwrap(), session);
        assert!(session.assigns() && !Session::default().assigns());
        let only: Session = serde_json::from_str(r#"{"profile":"ge"}"#).unwrap();
        assert_eq!(only, Session { profile: "ge".into(), ..Session::default() });
        let wrong = serde_json::from_str::<Session>(r#"{"profile":"ge","treshold_hu":90}"#);
        assert!(
            wrong.unwrap_err().to_string().contains("treshold_hu"),
            "a misspelt field is not passed over"
        );
    }
}
