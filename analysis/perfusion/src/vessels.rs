//! Stage "vessels": the arterial input and the venous output, found, clicked, drawn or handed in.
//!
//! Where a curve came from is part of every result, because two readers who choose two arteries get two maps.

use std::sync::OnceLock;

use contract::perfusion::{AutoAif, Session, Source};
use serde::Serialize;

use crate::artery;
use crate::curves::{Curves, Moments, area, peak_at};
use crate::gamma::Gamma;
use crate::timeline::Timeline;

/// Why there is no curve.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VesselError {
    /// Automatic search failed.
    #[error(
        "No {0} was found: nothing in the mask takes up contrast like one. Click on one or give its curve."
    )]
    NotFound(&'static str),
    /// Outside of the volume.
    #[error("The {what} at voxel {voxel:?} lies outside of the volume of {dims:?} voxels.")]
    Outside {
        /// Artery or vein.
        what: &'static str,
        /// As asked for.
        voxel: [u32; 3],
        /// Of the volume.
        dims: [usize; 3],
    },
    /// Rejected voxels only.
    #[error("The {0} that was chosen has no voxel with a usable curve. Choose another place.")]
    NoCurve(&'static str),
    /// No curve, or not increasing.
    #[error("The curve of the {what} cannot be used: {why}")]
    Curve {
        /// Artery or vein.
        what: &'static str,
        /// In words.
        why: String,
    },
    /// Nothing in it.
    #[error("The curve of the {0} is nowhere above 0. Choose another place.")]
    Flat(&'static str),
}

/// A vessel's curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Vessel {
    /// Concentration on the even axis.
    pub values: Vec<f64>,
    /// In words: which method, which voxels.
    pub source: String,
    /// Columns, rows, slices of the voxels whose mean it is.
    pub voxels: Vec<[u32; 3]>,
    /// Integral, concentration times s.
    pub area: f64,
    /// Highest value.
    pub peak: f64,
    /// Its time, s.
    pub peak_s: f64,
    /// When the bolus arrives, s; 0 where it was there from the start.
    pub arrival_s: f64,
    /// Of the first passage.
    pub gamma: Option<Gamma>,
}

/// Artery and vein, and what the deconvolution uses.
#[derive(Clone, Debug, PartialEq)]
pub struct Vessels {
    /// As measured.
    pub aif: Vessel,
    /// `None` where none was found or asked for.
    pub vof: Option<Vessel>,
    /// Factor on the artery for partial volume: 1 or more.
    pub scale: f64,
    /// The curve that is divided by, with the factor.
    pub used: Vec<f64>,
    /// For the report.
    pub warnings: Vec<String>,
}

/// Reads curves of voxels that need not be in the mask.
pub(crate) type Gather<'a> = dyn Fn(&[u32]) -> Curves + 'a;

/// What a search looks at.
pub(crate) struct Scene<'a> {
    pub curves: &'a Curves,
    pub moments: &'a Moments,
    pub timeline: &'a Timeline,
    pub dims: [usize; 3],
    pub spacing_mm: [f64; 3],
    pub gather: &'a Gather<'a>,
    /// Curves are smoothed: a vessel is read again without, or its walls would take half of its height.
    pub smoothed: bool,
    /// Where a vein is searched, whatever the artery: found once for the same curves.
    pub veins: &'a OnceLock<Vec<artery::Candidate>>,
}

impl Scene<'_> {
    pub(crate) fn place(&self, voxel: u32) -> [u32; 3] {
        let (c, r) = (self.dims[0] as u32, self.dims[1] as u32);
        [voxel % c, voxel / c % r, voxel / c / r]
    }

    fn index(&self, what: &'static str, voxel: [u32; 3]) -> Result<u32, VesselError> {
        if (0..3).any(|i| voxel[i] as usize >= self.dims[i]) {
            return Err(VesselError::Outside { what, voxel, dims: self.dims });
        }
        Ok((voxel[2] * self.dims[1] as u32 + voxel[1]) * self.dims[0] as u32 + voxel[0])
    }

    fn vessel(
        &self,
        what: &'static str,
        values: Vec<f64>,
        source: String,
        voxels: Vec<[u32; 3]>,
    ) -> Result<Vessel, VesselError> {
        let dt = self.timeline.dt_s;
        let at = peak_at(&values);
        if !(values[at].is_finite() && values[at] > 0.0) {
            return Err(VesselError::Flat(what));
        }
        let arrival = crate::baseline::arrival(&values).unwrap_or(0);
        Ok(Vessel {
            area: area(&values, dt),
            peak: values[at],
            peak_s: at as f64 * dt,
            arrival_s: arrival as f64 * dt,
            gamma: Gamma::fit(&values, dt),
            values,
            source,
            voxels,
        })
    }

    /// From positions among the curves.
    fn of_positions(
        &self,
        what: &'static str,
        positions: &[usize],
        source: String,
    ) -> Result<Vessel, VesselError> {
        let mut indices: Vec<u32> = positions.iter().map(|p| self.curves.voxels()[*p]).collect();
        let voxels = indices.iter().map(|v| self.place(*v)).collect();
        if !self.smoothed {
            return self.vessel(what, self.curves.mean(positions), source, voxels);
        }
        indices.sort_unstable();
        let curves = (self.gather)(&indices);
        let usable: Vec<usize> = curves.usable_positions().collect();
        self.vessel(what, curves.mean(&usable), source, voxels)
    }

    /// From voxels that may lie outside of the mask.
    fn of_voxels(&self, what: &'static str, voxels: &[u32], source: String) -> Result<Vessel, VesselError> {
        let inside: Vec<usize> = voxels.iter().filter_map(|v| self.curves.find(*v)).collect();
        if inside.len() == voxels.len() {
            return self.of_positions(what, &inside, source);
        }
        let mut sorted = voxels.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let curves = (self.gather)(&sorted);
        let usable: Vec<usize> = curves.usable_positions().collect();
        if usable.is_empty() {
            return Err(VesselError::NoCurve(what));
        }
        let places = usable.iter().map(|p| self.place(curves.voxels()[*p])).collect();
        self.vessel(what, curves.mean(&usable), source, places)
    }
}

/// Chooses both.
pub(crate) fn choose(scene: &Scene, session: &Session) -> Result<Vessels, VesselError> {
    let aif = match &session.aif {
        Source::None => return Err(VesselError::NotFound("artery")),
        Source::Auto { by } => {
            let found = match by {
                AutoAif::Mouridsen => artery::mouridsen(scene),
                AutoAif::Peruzzo => artery::peruzzo(scene),
            };
            let (positions, how) = found.ok_or(VesselError::NotFound("artery"))?;
            scene.of_positions("artery", &positions, how)?
        }
        other => given(scene, "artery", other)?,
    };
    let mut warnings = Vec::new();
    let vof = match &session.vof {
        Source::None => None,
        Source::Auto { .. } => match artery::vein(scene, &aif) {
            Some((positions, how)) => Some(scene.of_positions("vein", &positions, how)?),
            None => {
                warnings.push("No vein was found: partial volume of the artery cannot be judged.".to_owned());
                None
            }
        },
        other => Some(given(scene, "vein", other)?),
    };
    let mut scale = 1.0;
    if session.partial_volume {
        match &vof {
            // Blood is conserved: a ratio below 1 is a vein with partial volume, not an artery with too much.
            Some(vof) if aif.area > 0.0 && vof.area > aif.area => scale = vof.area / aif.area,
            Some(vof) => warnings.push(format!(
                "The vein's integral is {:.2} of the artery's, which is no partial volume of the artery: it is not scaled.",
                vof.area / aif.area
            )),
            None => warnings.push("Without a vein the artery is not scaled for partial volume.".into()),
        }
    }
    let mut used: Vec<f64> = match (session.gamma_fit, &aif.gamma) {
        (true, Some(gamma)) => scene.timeline.times_s.iter().map(|t| gamma.at(*t)).collect(),
        (true, None) => {
            warnings.push("No gamma variate fits the artery: its samples are used.".into());
            aif.values.clone()
        }
        (false, _) => aif.values.clone(),
    };
    used.iter_mut().for_each(|v| *v *= scale);
    Ok(Vessels { aif, vof, scale, used, warnings })
}

fn given(scene: &Scene, what: &'static str, source: &Source) -> Result<Vessel, VesselError> {
    match source {
        Source::Point { voxel, radius_mm } => {
            let at = scene.index(what, *voxel)?;
            if *radius_mm <= 0.0 {
                return scene.of_voxels(what, &[at], format!("voxel {voxel:?}"));
            }
            let best = artery::near(scene, *voxel, *radius_mm, what == "artery");
            match best {
                Some(position) => {
                    let found = scene.place(scene.curves.voxels()[position]);
                    let source = format!("voxel {found:?}, the best within {radius_mm} mm of {voxel:?}");
                    scene.of_positions(what, &[position], source)
                }
                None => scene.of_voxels(what, &[at], format!("voxel {voxel:?}")),
            }
        }
        Source::Region { voxels } => {
            let indices: Result<Vec<u32>, _> = voxels.iter().map(|v| scene.index(what, *v)).collect();
            let indices = indices?;
            if indices.is_empty() {
                return Err(VesselError::NoCurve(what));
            }
            scene.of_voxels(what, &indices, format!("the mean of {} voxels that were drawn", voxels.len()))
        }
        Source::Curve { times_s, values } => {
            let fail = |why: &str| VesselError::Curve { what, why: why.to_owned() };
            if times_s.len() != values.len() || values.len() < 2 {
                return Err(fail("it needs at least two points, each with a time and a value."));
            }
            if values.iter().chain(times_s).any(|v| !v.is_finite()) {
                return Err(fail("one of its numbers is not finite."));
            }
            if times_s.windows(2).any(|w| w[1] <= w[0]) {
                return Err(fail("its times do not increase."));
            }
            let values = scene.timeline.interpolate(times_s, values);
            scene.vessel(
                what,
                values,
                format!("a curve of {} points that was given", times_s.len()),
                Vec::new(),
            )
        }
        Source::Auto { .. } | Source::None => Err(VesselError::NotFound(what)),
    }
}
