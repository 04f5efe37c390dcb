//! From labelled components to scores: Agatston, volume and mass, per component, lesion, vessel and total.
//!
//! Sums run in the order of slices and of components in a slice, so that the last bit repeats.

use contract::calcium::Vessel;
use serde::Serialize;

use crate::assign::Owned;
use crate::isotropic;
use crate::key::Scale;
use crate::label::{Component, Labelled};
use crate::series::Geometry;
use crate::settings::{Settings, SliceRule};

/// Thickness of the slices for which the score was made (Agatston 1990).
const REFERENCE_SLICE_MM: f64 = 3.0;

/// A connected component of one slice that is large enough.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ScoredComponent {
    /// From 0, in the order of the volume.
    pub slice: u32,
    /// Column and row, in voxels from the centre of the first.
    pub centroid: [f64; 2],
    /// Number of voxels.
    pub voxels: u32,
    /// mm²
    pub area_mm2: f64,
    /// Highest value.
    pub peak_hu: f64,
    /// Mean of the values.
    pub mean_hu: f64,
    /// 1 to 4.
    pub weight: u8,
    /// Its part of the score.
    pub agatston: f64,
    /// mm³
    pub volume_mm3: f64,
    /// Isotropic after Callister; absent in a volume of one slice.
    pub volume_isotropic_mm3: Option<f64>,
    /// Absent without a mass factor.
    pub mass_mg: Option<f64>,
    /// Number of its lesion.
    pub lesion: u32,
    /// Whose it is.
    pub vessel: Option<Vessel>,
    /// Part of the total: assigned to a vessel, or nothing was assigned at all.
    pub counted: bool,
    /// First column, first row, one past the last of each.
    pub bounds: [u32; 4],
}

/// What is added up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Sums {
    /// Agatston score.
    pub agatston: f64,
    /// Voxels times their volume.
    pub volume_mm3: f64,
    /// See [`ScoredComponent::volume_isotropic_mm3`].
    pub volume_isotropic_mm3: Option<f64>,
    /// See [`ScoredComponent::mass_mg`].
    pub mass_mg: Option<f64>,
    /// Components of slices.
    pub components: u32,
    /// Lesions in 3D.
    pub lesions: u32,
}

impl Sums {
    fn add(&mut self, c: &ScoredComponent) {
        self.agatston += c.agatston;
        self.volume_mm3 += c.volume_mm3;
        self.components += 1;
        for (sum, part) in
            [(&mut self.volume_isotropic_mm3, c.volume_isotropic_mm3), (&mut self.mass_mg, c.mass_mg)]
        {
            if let Some(part) = part {
                *sum = Some(sum.unwrap_or(0.0) + part);
            }
        }
    }
}

/// Components that are connected in 3D.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lesion {
    /// From 1, in the order of the volume.
    pub id: u32,
    /// The vessel that most of its voxels belong to.
    pub vessel: Option<Vessel>,
    /// See [`Sums`].
    #[serde(flatten)]
    pub sums: Sums,
    /// Number of voxels.
    pub voxels: u32,
    /// Highest value.
    pub peak_hu: f64,
    /// First and last slice.
    pub slices: [u32; 2],
    /// Column, row, slice, by voxels.
    pub centroid: [f64; 3],
    /// Column, row, slice of its first voxel: one that is surely on it.
    pub voxel: [u32; 3],
}

/// A row of the table by vessel.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct VesselRow {
    /// Which.
    pub vessel: Vessel,
    /// See [`Sums`].
    #[serde(flatten)]
    pub sums: Sums,
}

/// All scores at one threshold.
#[derive(Clone, Debug, PartialEq)]
pub struct Scores {
    /// By slice, then raster order.
    pub components: Vec<ScoredComponent>,
    /// By their first component.
    pub lesions: Vec<Lesion>,
    /// One for every vessel.
    pub vessels: Vec<VesselRow>,
    /// Of what is counted.
    pub total: Sums,
    /// Components that were too small.
    pub too_small: u32,
}

/// How scores are computed from components.
#[derive(Clone, Copy)]
pub(crate) struct Measure<'a> {
    pub scale: &'a Scale,
    pub settings: &'a Settings,
    pub geometry: &'a Geometry,
    pub thickness_mm: Option<f64>,
}

impl Measure<'_> {
    /// Depth that a voxel of the score has, and the factor on area times weight.
    fn depth_mm(&self) -> (f64, f64) {
        let increment_mm = self.geometry.increment_mm;
        let depth = match self.settings.slice_rule {
            SliceRule::Increment => increment_mm,
            SliceRule::Thickness => self.thickness_mm.unwrap_or(increment_mm),
            SliceRule::Unscaled => return (increment_mm, 1.0),
        };
        (depth, depth / REFERENCE_SLICE_MM)
    }

    fn admits(&self, c: &Component) -> bool {
        self.settings.minimum_area.admits(c.whole.voxels, self.geometry.pixel_mm2)
    }

    fn weight(&self, c: &Component) -> u8 {
        self.settings.weight(self.scale.hu(c.whole.peak_key))
    }

    /// Agatston score of one component: area × weight × slice factor (Agatston 1990, scaled to 3 mm).
    fn agatston(&self, c: &Component) -> f64 {
        let area_mm2 = f64::from(c.voxels) * self.geometry.pixel_mm2;
        area_mm2 * f64::from(self.weight(c)) * self.depth_mm().1
    }
}

/// The total alone, for comparing conventions; `counted` is asked with the number over all slices.
/// Folded from 0, because the sum of no floats is -0.
pub(crate) fn total_agatston(labelled: &Labelled, how: &Measure, counted: impl Fn(usize) -> bool) -> f64 {
    let all = labelled.slices.iter().flat_map(|s| &s.components).enumerate();
    all.filter(|(i, c)| how.admits(c) && counted(*i))
        .map(|(_, c)| how.agatston(c))
        .fold(0.0, |sum, a| sum + a)
}

/// Scores everything that was labelled.
pub(crate) fn score(owned: &Owned, how: &Measure, isotropic: Option<&isotropic::Sampler>) -> Scores {
    let Owned { labelled, roots, vessels, assigned, .. } = owned;
    let (depth_mm, _) = how.depth_mm();
    let Measure { scale, settings, geometry, .. } = how;
    let admitted: Vec<bool> =
        labelled.slices.iter().flat_map(|s| &s.components).map(|c| how.admits(c)).collect();
    let isotropic_mm3 = isotropic.map(|s| s.volumes_mm3(labelled, &admitted, geometry));
    let mut lesion_of_root = vec![0u32; roots.len()];
    let mut components = Vec::new();
    let mut lesions: Vec<Tally> = Vec::new();
    let mut rows = Vessel::ALL.map(|vessel| VesselRow { vessel, sums: Sums::default() });
    let mut total = Sums::default();
    let all = labelled.slices.iter().enumerate().flat_map(|(z, s)| s.components.iter().map(move |c| (z, c)));
    for (i, (z, c)) in all.enumerate().filter(|(i, _)| admitted[*i]) {
        let id = &mut lesion_of_root[roots[i] as usize];
        if *id == 0 {
            lesions.push(Tally::default());
            *id = lesions.len() as u32;
        }
        let n = f64::from(c.voxels);
        let area_mm2 = n * geometry.pixel_mm2;
        let volume_mm3 = area_mm2 * depth_mm;
        let mean_hu = scale.mean_hu(c.stored_sum, c.voxels);
        let scored = ScoredComponent {
            slice: z as u32,
            centroid: [c.sum_x as f64 / n, c.sum_y as f64 / n],
            voxels: c.voxels,
            area_mm2,
            peak_hu: scale.hu(c.peak_key),
            mean_hu,
            weight: how.weight(c),
            agatston: how.agatston(c),
            volume_mm3,
            volume_isotropic_mm3: isotropic_mm3.as_ref().map(|v| v[i]),
            // McCollough 2007: calibration factor × volume × mean HU.
            mass_mg: settings.mass_factor_mg_per_mm3_hu.map(|f| f * volume_mm3 * mean_hu),
            lesion: *id,
            vessel: vessels[i],
            counted: !assigned || vessels[i].is_some(),
            bounds: c.bounds,
        };
        lesions[*id as usize - 1].add(&scored, c);
        if scored.counted {
            total.add(&scored);
        }
        if let Some(vessel) = scored.vessel {
            rows[vessel as usize].sums.add(&scored);
        }
        components.push(scored);
    }
    for tally in &lesions {
        total.lesions += u32::from(!assigned || tally.votes.iter().any(|n| *n > 0));
        for (row, votes) in rows.iter_mut().zip(tally.votes) {
            row.sums.lesions += u32::from(votes > 0);
        }
    }
    Scores {
        too_small: (admitted.len() - components.len()) as u32,
        lesions: lesions.into_iter().enumerate().map(|(i, t)| t.finish(i as u32 + 1)).collect(),
        vessels: rows.to_vec(),
        components,
        total,
    }
}

/// A lesion in the making.
#[derive(Default)]
struct Tally {
    sums: Sums,
    voxels: u32,
    peak_hu: Option<f64>,
    slices: Option<[u32; 2]>,
    voxel: Option<[u32; 3]>,
    position: [f64; 3],
    votes: [u32; Vessel::ALL.len()],
}

impl Tally {
    fn add(&mut self, scored: &ScoredComponent, c: &Component) {
        self.sums.add(scored);
        self.voxels += c.voxels;
        self.peak_hu = Some(self.peak_hu.map_or(scored.peak_hu, |p| p.max(scored.peak_hu)));
        let first = self.slices.map_or(scored.slice, |s| s[0]);
        self.slices = Some([first, scored.slice]);
        self.voxel.get_or_insert([c.first[0], c.first[1], scored.slice]);
        let weighted_z = f64::from(c.voxels) * f64::from(scored.slice);
        for (sum, part) in self.position.iter_mut().zip([c.sum_x as f64, c.sum_y as f64, weighted_z]) {
            *sum += part;
        }
        if let Some(vessel) = scored.vessel {
            self.votes[vessel as usize] += c.voxels;
        }
    }

    fn finish(self, id: u32) -> Lesion {
        let most = self.votes.iter().copied().max().filter(|n| *n > 0);
        let n = f64::from(self.voxels.max(1));
        Lesion {
            id,
            vessel: most.and_then(|m| self.votes.iter().position(|v| *v == m)).map(|i| Vessel::ALL[i]),
            sums: Sums { lesions: 1, ..self.sums },
            voxels: self.voxels,
            peak_hu: self.peak_hu.unwrap_or_default(),
            slices: self.slices.unwrap_or_default(),
            centroid: self.position.map(|sum| sum / n),
            voxel: self.voxel.unwrap_or_default(),
        }
    }
}
