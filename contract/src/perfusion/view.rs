//! What a reader set on the screen of a perfusion study: no map changes with it, every picture of one does.
//!
//! Saved beside the [`super::Session`] and not in it: what the worker computes from stays what it was, and a report
//! without it opens as before.

use serde::{Deserialize, Serialize};

/// What is computed of a dynamic series, voxel by voxel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Map {
    /// Flow.
    Cbf,
    /// Volume.
    Cbv,
    /// Mean transit time.
    Mtt,
    /// Time to the highest concentration.
    Ttp,
    /// Time to the maximum of the residue.
    Tmax,
    /// The highest value over time (CT) or the deepest (DSC): where the vessels are.
    Tmip,
    /// The mean before the bolus.
    Baseline,
}

impl Map {
    /// In the order in which they are offered.
    pub const ALL: [Self; 7] =
        [Self::Cbf, Self::Cbv, Self::Mtt, Self::Ttp, Self::Tmax, Self::Tmip, Self::Baseline];
    /// What four panels begin with.
    pub const FIRST: [Self; 4] = [Self::Cbf, Self::Cbv, Self::Mtt, Self::Ttp];

    /// As readers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cbf => "CBF",
            Self::Cbv => "CBV",
            Self::Mtt => "MTT",
            Self::Ttp => "TTP",
            Self::Tmax => "Tmax",
            Self::Tmip => "tMIP",
            Self::Baseline => "Baseline",
        }
    }

    /// In full.
    pub fn title(self) -> &'static str {
        match self {
            Self::Cbf => "Cerebral blood flow",
            Self::Cbv => "Cerebral blood volume",
            Self::Mtt => "Mean transit time",
            Self::Ttp => "Time to peak",
            Self::Tmax => "Time to maximum of the residue",
            Self::Tmip => "Projection over time",
            Self::Baseline => "Mean before the bolus",
        }
    }

    /// Stable name for files and tests.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Cbf => "cbf",
            Self::Cbv => "cbv",
            Self::Mtt => "mtt",
            Self::Ttp => "ttp",
            Self::Tmax => "tmax",
            Self::Tmip => "tmip",
            Self::Baseline => "baseline",
        }
    }

    /// The map of a slug.
    pub fn parse(slug: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|map| map.slug() == slug)
    }

    /// Empty where it is the series' own.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Cbf => "mL/100 g/min",
            Self::Cbv => "mL/100 g",
            Self::Mtt | Self::Ttp | Self::Tmax => "s",
            Self::Tmip | Self::Baseline => "",
        }
    }

    /// The range that is shown at first; `None`: the series' own window, in grey.
    pub fn usual_range(self) -> Option<[f64; 2]> {
        match self {
            Self::Cbf => Some([0.0, 100.0]),
            Self::Cbv | Self::Mtt | Self::Ttp | Self::Tmax => Some([0.0, 10.0]),
            Self::Tmip | Self::Baseline => None,
        }
    }
}

/// What one of the four panels shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Slot {
    /// A map.
    Map(Map),
    /// The series itself, at one time.
    Frames,
}

impl Slot {
    /// In the order of the list above a panel.
    pub fn all() -> impl Iterator<Item = Self> {
        Map::ALL.into_iter().map(Self::Map).chain([Self::Frames])
    }

    /// As readers write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Map(map) => map.name(),
            Self::Frames => "Frames",
        }
    }

    /// Stable name for files and tests.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Map(map) => map.slug(),
            Self::Frames => "frames",
        }
    }

    /// The slot of a slug.
    pub fn parse(slug: &str) -> Option<Self> {
        Self::all().find(|s| s.slug() == slug)
    }
}

impl From<Slot> for String {
    fn from(slot: Slot) -> Self {
        slot.slug().to_owned()
    }
}

impl TryFrom<String> for Slot {
    type Error = String;

    fn try_from(slug: String) -> Result<Self, String> {
        Self::parse(&slug).ok_or_else(|| {
            format!("no panel shows {slug:?}: take cbf, cbv, mtt, ttp, tmax, tmip, baseline or frames")
        })
    }
}

/// The table of colours of the maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colours {
    /// The a-LUT of ASIST-Japan.
    Asist,
    /// Even steps to the eye.
    #[default]
    Viridis,
    /// Level by level.
    Grey,
}

impl Colours {
    /// All, in the order of a menu.
    pub const ALL: [Self; 3] = [Self::Asist, Self::Viridis, Self::Grey];

    /// As `scene::Colormap` is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Asist => "ASIST",
            Self::Viridis => "Viridis",
            Self::Grey => "Grey",
        }
    }
}

/// Lowest and highest value of each map's colours; without one the usual range.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Ranges {
    /// Of CBF.
    pub cbf_ml_per_100g_min: Option<[f64; 2]>,
    /// Of CBV.
    pub cbv_ml_per_100g: Option<[f64; 2]>,
    /// Of MTT.
    pub mtt_s: Option<[f64; 2]>,
    /// Of TTP.
    pub ttp_s: Option<[f64; 2]>,
    /// Of Tmax.
    pub tmax_s: Option<[f64; 2]>,
}

impl Ranges {
    /// Where the range of a map stands; `None` for one that is shown as the series is.
    pub fn of(&mut self, map: Map) -> Option<&mut Option<[f64; 2]>> {
        match map {
            Map::Cbf => Some(&mut self.cbf_ml_per_100g_min),
            Map::Cbv => Some(&mut self.cbv_ml_per_100g),
            Map::Mtt => Some(&mut self.mtt_s),
            Map::Ttp => Some(&mut self.ttp_s),
            Map::Tmax => Some(&mut self.tmax_s),
            Map::Tmip | Map::Baseline => None,
        }
    }

    /// The range of a map that a reader chose, if it is one: finite and not empty.
    pub fn get(&self, map: Map) -> Option<[f64; 2]> {
        let range = match map {
            Map::Cbf => self.cbf_ml_per_100g_min,
            Map::Cbv => self.cbv_ml_per_100g,
            Map::Mtt => self.mtt_s,
            Map::Ttp => self.ttp_s,
            Map::Tmax => self.tmax_s,
            Map::Tmip | Map::Baseline => None,
        };
        range.filter(|[low, high]| low.is_finite() && high.is_finite() && low < high)
    }
}

/// Outline of a drawn region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outline {
    /// All of the box.
    Rectangle,
    /// What fits into it.
    Ellipse,
}

/// A region that was drawn, in the patient's space (LPS).
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct DrawnRegion {
    /// See [`Outline`].
    pub outline: Outline,
    /// Its middle.
    pub centre_mm: [f64; 3],
    /// From there to the middle of its right edge.
    pub half_right_mm: [f64; 3],
    /// From there to the middle of its lower edge.
    pub half_down_mm: [f64; 3],
    /// What it was drawn on.
    pub on: Slot,
}

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct View {
    /// Of the four panels, row by row.
    pub panels: Vec<Slot>,
    /// See [`Colours`].
    pub colours: Colours,
    /// See [`Ranges`].
    pub ranges: Ranges,
    /// Points whose curves stay in the plot, in the patient's space (LPS).
    pub pins_mm: Vec<[f64; 3]>,
    /// Regions whose curves stay in the plot.
    pub regions: Vec<DrawnRegion>,
    /// Whether core and penumbra are drawn over the maps.
    pub tissue_shown: bool,
    /// Whether the midline and the mirror images of regions are drawn.
    pub midline_shown: bool,
}

impl View {
    /// The range in which a map is coloured; `None` for one that is shown as the series is.
    pub fn range(&self, map: Map) -> Option<[f64; 2]> {
        self.ranges.get(map).or(map.usual_range())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_map_is_found_by_its_slug() {
        for map in Map::ALL {
            assert_eq!(Map::parse(map.slug()), Some(map));
            assert_eq!(map.usual_range().is_some(), !map.unit().is_empty(), "{}", map.name());
            assert_eq!(Ranges::default().of(map).is_some(), map.usual_range().is_some(), "{}", map.name());
        }
    }

    #[test]
    fn a_view_comes_back_as_it_was_saved() {
        let mut view = View {
            panels: vec![Slot::Map(Map::Tmax), Slot::Map(Map::Cbv), Slot::Frames, Slot::Map(Map::Tmip)],
            colours: Colours::Grey,
            pins_mm: vec![[1.5, -2.0, 3.25]],
            regions: vec![DrawnRegion {
                outline: Outline::Ellipse,
                centre_mm: [1.0, 2.0, 3.0],
                half_right_mm: [4.0, 0.0, 0.0],
                half_down_mm: [0.0, 5.0, 0.5],
                on: Slot::Map(Map::Cbf),
            }],
            midline_shown: true,
            ..View::default()
        };
        for (i, map) in Map::ALL.into_iter().enumerate() {
            if let Some(range) = view.ranges.of(map) {
                *range = Some([i as f64, 10.0 + i as f64]);
            }
        }
        let json = serde_json::to_string(&view).unwrap();
        assert!(json.contains(r#"["tmax","cbv","frames","tmip"]"#), "{json}");
        let again: View = serde_json::from_str(&json).unwrap();
        assert_eq!(again, view);
        assert_eq!((again.range(Map::Ttp), again.range(Map::Tmip)), (Some([3.0, 13.0]), None));
        // A part of it, and nothing, are views too; what no panel shows is refused by name.
        assert_eq!(serde_json::from_str::<View>("{}").unwrap(), View::default());
        let wrong = serde_json::from_str::<View>(r#"{"panels":["cbx"]}"#).unwrap_err();
        assert!(wrong.to_string().contains("cbx"), "{wrong}");
    }

    #[test]
    fn an_empty_range_is_the_usual_one() {
        for bad in [[5.0, 5.0], [6.0, 1.0], [f64::NAN, 1.0], [0.0, f64::INFINITY]] {
            let view = View { ranges: Ranges { mtt_s: Some(bad), ..Ranges::default() }, ..View::default() };
            assert_eq!(view.range(Map::Mtt), Some([0.0, 10.0]), "{bad:?}");
        }
    }
}
