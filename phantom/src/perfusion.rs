//! A CT perfusion study of the head with known flow, volume, transit time and delay in every region.
//!
//! The curves are the tracer kinetics of the indicator dilution theory in closed form, not sums over
//! samples, so that the truth does not carry a discretisation that a method under test may share.

use glam::{DVec2, DVec3};
use serde::Serialize;

use crate::file::{Image, Modality, Photometric, SeriesInfo, StudyInfo, Syntax, TimePoint, write};
use crate::random::Random;
use crate::shape::{coverage, ellipsoid, over};
use crate::{Error, NamedFile};

/// Columns and rows.
pub const SIZE: u32 = 128;
/// Number of slices.
pub const SLICES: u32 = 8;
/// Between pixels; 218 mm field of view.
pub const PIXEL_MM: f64 = 1.703125;
/// Thickness and increment.
pub const SLICE_MM: f64 = 5.0;
/// Standard deviation of the noise: low, as after the smoothing that perfusion images always get.
pub const NOISE_HU: f64 = 2.5;
/// Centre of the first voxel, LPS.
pub const ORIGIN_MM: [f64; 3] = [-108.1484375, -108.1484375, 40.0];

/// Hematocrit correction: (1 - 0.45) / (1 - 0.25), large vessels over small ones.
pub const KH: f64 = 0.55 / 0.75;
/// Density of brain tissue, g/ml.
pub const RHO: f64 = 1.04;

/// When the bolus reaches the arteries.
pub const ARRIVAL_S: f64 = 8.0;
/// Shape of the gamma variate `(t - t0)^3 exp(-(t - t0) / b)`.
pub const BETA_S: f64 = 1.5;
/// Peak enhancement of the arteries.
pub const AIF_PEAK_HU: f64 = 260.0;
/// The vein, which has no partial volume, enhances this much more in the integral over time.
pub const VOF_SCALE: f64 = 1.25;
/// How much later the vein is.
pub const VOF_DELAY_S: f64 = 3.5;
/// Mean of the exponential that broadens the vein's curve.
pub const VOF_TRANSIT_S: f64 = 2.0;

/// Value of `u^3 exp(-u / b)` at its peak, u = 3 b.
fn gamma_peak() -> f64 {
    (3.0 * BETA_S).powi(3) * (-3.0f64).exp()
}

/// Enhancement of the arteries in HU: `scale (t - t0)^3 exp(-(t - t0) / b)`.
pub fn aif_hu(t_s: f64) -> f64 {
    let u = t_s - ARRIVAL_S;
    if u <= 0.0 { 0.0 } else { AIF_PEAK_HU / gamma_peak() * u.powi(3) * (-u / BETA_S).exp() }
}

/// Integral of the arterial curve over all time, HU s: `scale 3! b^4`.
pub fn aif_integral_hu_s() -> f64 {
    AIF_PEAK_HU / gamma_peak() * 6.0 * BETA_S.powi(4)
}

/// `integral of AIF(s) exp(-(t - s) / mtt) ds`, in closed form: with c = 1/b - 1/mtt,
/// `scale exp(-u/mtt) [6/c^4 - exp(-c u) (u^3/c + 3 u^2/c^2 + 6 u/c^3 + 6/c^4)]`.
pub fn aif_through_exponential(t_s: f64, mtt_s: f64) -> f64 {
    let u = t_s - ARRIVAL_S;
    if u <= 0.0 {
        return 0.0;
    }
    let c = 1.0 / BETA_S - 1.0 / mtt_s;
    let inner =
        (-c * u).exp() * (u.powi(3) / c + 3.0 * u * u / (c * c) + 6.0 * u / c.powi(3) + 6.0 / c.powi(4));
    AIF_PEAK_HU / gamma_peak() * (-u / mtt_s).exp() * (6.0 / c.powi(4) - inner)
}

/// As [`aif_through_exponential`], the artery dispersed on its way to the tissue by the gamma kernel
/// `t / tau^2 exp(-t / tau)` (mean `2 tau`; Mouridsen 2006, Chappell 2013): Simpson's rule over the closed form, in
/// steps of a fortieth of `tau`.
pub fn aif_dispersed_through_exponential(t_s: f64, mtt_s: f64, tau_s: f64) -> f64 {
    const STEPS: usize = 800;
    let step = 20.0 * tau_s / STEPS as f64;
    let value = |i: usize| {
        let s = i as f64 * step;
        s / (tau_s * tau_s) * (-s / tau_s).exp() * aif_through_exponential(t_s - s, mtt_s)
    };
    let sum: f64 = (0..=STEPS)
        .map(|i| match i {
            0 | STEPS => value(i),
            i if i % 2 == 1 => 4.0 * value(i),
            i => 2.0 * value(i),
        })
        .sum();
    sum * step / 3.0
}

/// Enhancement of the vein in HU: delayed and broadened, its integral `VOF_SCALE` times the artery's.
pub fn vof_hu(t_s: f64) -> f64 {
    VOF_SCALE / VOF_TRANSIT_S * aif_through_exponential(t_s - VOF_DELAY_S, VOF_TRANSIT_S)
}

/// What a voxel belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RegionKind {
    /// Flow by the indicator dilution model.
    Tissue,
    /// The arterial input.
    Artery,
    /// The venous output.
    Vein,
    /// No flow.
    Still,
}

/// A region with one curve.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Region {
    /// Stable name.
    pub name: &'static str,
    /// Which curve.
    pub kind: RegionKind,
    /// Before contrast.
    pub baseline_hu: f64,
    /// ml/100 g/min
    pub cbf: f64,
    /// ml/100 g, `cbf * mtt_s / 60`
    pub cbv: f64,
    /// s
    pub mtt_s: f64,
    /// Behind the artery, s.
    pub delay_s: f64,
}

impl Region {
    const fn tissue(name: &'static str, baseline_hu: f64, cbf: f64, mtt_s: f64, delay_s: f64) -> Self {
        Self { name, kind: RegionKind::Tissue, baseline_hu, cbf, cbv: cbf * mtt_s / 60.0, mtt_s, delay_s }
    }
    const fn other(name: &'static str, kind: RegionKind, baseline_hu: f64) -> Self {
        Self { name, kind, baseline_hu, cbf: 0.0, cbv: 0.0, mtt_s: 0.0, delay_s: 0.0 }
    }

    /// Enhancement over the baseline in HU:
    /// `C(t) = (rho / kH) CBF (AIF conv R)(t - delay)`, `R(t) = exp(-t / MTT)`, CBF in ml/g/s.
    pub fn enhancement_hu(&self, t_s: f64) -> f64 {
        match self.kind {
            RegionKind::Tissue => {
                RHO / KH * self.cbf / 6000.0 * aif_through_exponential(t_s - self.delay_s, self.mtt_s)
            }
            RegionKind::Artery => aif_hu(t_s),
            RegionKind::Vein => vof_hu(t_s),
            RegionKind::Still => 0.0,
        }
    }
}

/// Every region. `REGIONS[0]` is the air around.
pub const REGIONS: [Region; 12] = [
    Region::other("air", RegionKind::Still, -1000.0),
    Region::other("scalp", RegionKind::Still, 20.0),
    Region::other("skull", RegionKind::Still, 1100.0),
    Region::other("csf", RegionKind::Still, 6.0),
    Region::tissue("grey_matter", 38.0, 60.0, 4.0, 0.0),
    Region::tissue("white_matter", 29.0, 25.0, 4.8, 0.0),
    Region::tissue("deep_grey_matter", 39.0, 55.0, 4.2, 0.0),
    Region::tissue("penumbra_grey", 37.0, 22.0, 11.0, 5.0),
    Region::tissue("penumbra_white", 29.0, 11.0, 12.0, 5.0),
    Region::tissue("core", 32.0, 6.0, 8.0, 7.0),
    Region::other("artery", RegionKind::Artery, 42.0),
    Region::other("vein", RegionKind::Vein, 45.0),
];

const AIR: usize = 0;
const SCALP: usize = 1;
const SKULL: usize = 2;
const CSF: usize = 3;
const GREY: usize = 4;
const WHITE: usize = 5;
const DEEP: usize = 6;
const PENUMBRA_GREY: usize = 7;
const PENUMBRA_WHITE: usize = 8;
const CORE: usize = 9;
const ARTERY: usize = 10;
const VEIN: usize = 11;

/// Artery cross-sections: middle cerebral right and left, anterior cerebral. LPS, mm.
pub const ARTERIES: [[f64; 2]; 3] = [[-42.0, -6.0], [42.0, -6.0], [0.0, -46.0]];
/// Radius of the arteries: over three pixels across, so that the middle pixel has no partial volume.
pub const ARTERY_RADIUS_MM: f64 = 3.6;
/// The superior sagittal sinus.
pub const SINUS: [f64; 2] = [0.0, 80.5];
/// Its radius.
pub const SINUS_RADIUS_MM: f64 = 4.6;

/// Position of a voxel index, LPS.
pub fn world_from_voxel(voxel: [f64; 3]) -> DVec3 {
    DVec3::from(ORIGIN_MM) + DVec3::from(voxel) * DVec3::new(PIXEL_MM, PIXEL_MM, SLICE_MM)
}

type Shares = [f64; REGIONS.len()];

/// Covers what is there with a region whose surface is at signed distance `d`.
fn paint(share: &mut Shares, region: usize, d: f64) {
    let c = coverage(d, PIXEL_MM);
    if c > 0.0 {
        share.iter_mut().for_each(|s| *s = over(*s, 0.0, c));
        share[region] += c;
    }
}

/// Regions with their share of the voxel at `p`, painted from outside inwards; the shares sum to 1.
fn shares(p: DVec3) -> Shares {
    let mut share = [0.0; REGIONS.len()];
    share[AIR] = 1.0;
    let flat = DVec3::new(p.x, p.y, 0.0);
    let oval =
        |x: f64, y: f64, rx: f64, ry: f64| ellipsoid(flat, DVec3::new(x, y, 0.0), DVec3::new(rx, ry, 1.0));
    // The head narrows towards the vertex.
    let z = p.z - ORIGIN_MM[2];
    let shrink = 1.0 - 0.002 * z;
    let head = oval(0.0, 0.0, 80.0 * shrink, 98.0 * shrink);
    paint(&mut share, SCALP, head);
    paint(&mut share, SKULL, head + 5.0);
    paint(&mut share, CSF, head + 12.0);
    let brain = head + 14.5;
    // Gyri: the cortex' outer and inner surfaces wave with the angle.
    let angle = flat.y.atan2(flat.x);
    let wave = (angle * 22.0 + 0.02 * z).sin() + 0.5 * (angle * 37.0 + 1.0 + 0.05 * z).sin();
    let cortex_mm = 9.0 + 2.2 * wave;
    let falx = (p.x.abs() - 1.0).max(oval(0.0, 0.0, 70.0, 84.0)).max(22.0 - p.y.abs());
    paint(&mut share, GREY, brain + 0.6 * (wave - 1.0).max(0.0));
    paint(&mut share, WHITE, brain + cortex_mm);
    for side in [-1.0, 1.0] {
        paint(&mut share, DEEP, oval(side * 25.0, -4.0, 8.0, 17.0));
        paint(&mut share, DEEP, oval(side * 11.0, 12.0, 7.5, 12.0));
        paint(&mut share, GREY, oval(side * 42.0, 0.0, 3.0, 20.0));
    }
    // Left middle cerebral territory: a wedge that opens to the left; its heart is the core.
    let wedge = {
        let d = DVec2::new(p.x, p.y - 8.0);
        let along = d.x;
        let half = 0.62 * (along - 12.0);
        ((d.y.abs() - half) * 0.85).max(30.0 - along)
    };
    if wedge < PIXEL_MM {
        let w = coverage(wedge, PIXEL_MM);
        for (from, to) in [(GREY, PENUMBRA_GREY), (WHITE, PENUMBRA_WHITE)] {
            let moved = share[from] * w;
            share[from] -= moved;
            share[to] += moved;
        }
    }
    paint(&mut share, CORE, oval(48.0, 12.0, 9.0, 13.0));
    paint(&mut share, CSF, falx);
    for side in [-1.0, 1.0] {
        paint(&mut share, CSF, oval(side * 8.0, -22.0, 4.0, 13.0).min(oval(side * 14.0, 34.0, 4.5, 15.0)));
    }
    for [x, y] in ARTERIES {
        paint(&mut share, ARTERY, oval(x, y, ARTERY_RADIUS_MM, ARTERY_RADIUS_MM));
    }
    paint(&mut share, VEIN, oval(SINUS[0], SINUS[1] * shrink, SINUS_RADIUS_MM, SINUS_RADIUS_MM));
    share
}

/// The region that fills a voxel by at least 99 %, or `None` at edges.
pub fn region_of_voxel(voxel: [u32; 3]) -> Option<&'static Region> {
    const ALL: &[Region; 12] = &REGIONS;
    shares(world_from_voxel(voxel.map(f64::from))).iter().position(|s| *s >= 0.99).map(|i| &ALL[i])
}

/// HU of a voxel before noise.
pub fn hu(voxel: [u32; 3], t_s: f64) -> f64 {
    let share = shares(world_from_voxel(voxel.map(f64::from)));
    share.iter().zip(&REGIONS).map(|(s, r)| s * (r.baseline_hu + r.enhancement_hu(t_s))).sum()
}

/// What is known about the study.
#[derive(Clone, Debug, Serialize)]
pub struct Truth {
    /// Columns, rows, slices.
    pub dims: [u32; 3],
    /// Along columns, rows, slices.
    pub spacing_mm: [f64; 3],
    /// Row major, LPS.
    pub world_from_voxel: [f64; 16],
    /// Seconds after the first time point.
    pub times_s: Vec<f64>,
    /// Standard deviation.
    pub noise_hu: f64,
    /// See [`KH`].
    pub kh: f64,
    /// g/ml
    pub rho_g_per_ml: f64,
    /// `scale (t - arrival)^3 exp(-(t - arrival) / beta)`
    pub aif: GammaVariate,
    /// The vein: the artery delayed, through an exponential, scaled.
    pub vof: Vof,
    /// Voxels entirely inside an artery, one list per artery, in the middle slice.
    pub artery_voxels: Vec<[u32; 3]>,
    /// A voxel entirely inside the vein.
    pub vein_voxel: [u32; 3],
    /// Every region.
    pub regions: Vec<RegionTruth>,
    /// How the columns of `regions` are to be read.
    pub units: &'static str,
}

/// Parameters of the arterial curve.
#[derive(Clone, Debug, Serialize)]
pub struct GammaVariate {
    /// s
    pub arrival_s: f64,
    /// Power of time.
    pub alpha: f64,
    /// s
    pub beta_s: f64,
    /// HU
    pub peak_hu: f64,
    /// HU s
    pub integral_hu_s: f64,
}

/// Parameters of the venous curve.
#[derive(Clone, Debug, Serialize)]
pub struct Vof {
    /// Integral over the artery's.
    pub scale: f64,
    /// s
    pub delay_s: f64,
    /// s
    pub transit_s: f64,
}

/// A region, with where it lies.
#[derive(Clone, Debug, Serialize)]
pub struct RegionTruth {
    /// The parameters.
    #[serde(flatten)]
    pub region: Region,
    /// Voxels that it fills by at least 99 %.
    pub voxels: u64,
    /// One of them.
    pub example_voxel: Option<[u32; 3]>,
}

/// The study: its files and its truth.
pub struct Study {
    /// One CT image per slice and time point.
    pub files: Vec<NamedFile>,
    /// What they show.
    pub truth: Truth,
}

/// 45 time points, one per second.
pub fn regular_times_s() -> Vec<f64> {
    (0..45).map(f64::from).collect()
}

/// As multi-phase protocols do: every second through the bolus, then every three seconds.
pub fn irregular_times_s() -> Vec<f64> {
    (0..30).map(f64::from).chain((0..8).map(|i| 32.0 + 3.0 * f64::from(i))).collect()
}

/// Builds the study at these times. The same bytes every time.
pub fn study(times_s: &[f64]) -> Result<Study, Error> {
    let study = StudyInfo {
        key: format!("perfusion/{}", times_s.len()),
        patient_name: "Phantom^Perfusion".into(),
        patient_id: "PHANTOM-PERFUSION".into(),
        description: "CT perfusion phantom".into(),
        study_id: "PERFUSION".into(),
    };
    let series = SeriesInfo {
        modality: Modality::Ct,
        number: 1,
        description: "Head perfusion 5.0 mm".into(),
        body_part: "HEAD".into(),
        contrast_agent: Some("Simulated iodine".into()),
        syntax: Syntax::ExplicitLittle,
        photometric: Photometric::Monochrome2,
        bits_stored: 12,
        signed: false,
        slope: 1.0,
        intercept: -1024.0,
        windows: vec![(40.0, 80.0, "BRAIN".into()), (100.0, 400.0, "VESSELS".into())],
    };
    let per_voxel = share_table();
    let mut random = Random::new(6000);
    let mut files = Vec::with_capacity(times_s.len() * SLICES as usize);
    let count = times_s.len() as u32;
    for (index, at_s) in times_s.iter().enumerate() {
        let region_hu: Vec<f64> = REGIONS.iter().map(|r| r.baseline_hu + r.enhancement_hu(*at_s)).collect();
        for slice in 0..SLICES {
            let n = (SIZE * SIZE) as usize;
            let pixels = per_voxel[slice as usize * n..][..n]
                .iter()
                .map(|share| {
                    let hu: f64 = share.iter().zip(&region_hu).map(|(s, h)| s * h).sum();
                    // Air is clipped by every scanner; without this, noise in air doubles the archive.
                    let noise = if share[AIR] > 0.99 { 0.0 } else { NOISE_HU * random.normal() };
                    (hu + noise + 1024.0).round().clamp(0.0, 4095.0) as u16
                })
                .collect();
            let number = index as u32 * SLICES + slice + 1;
            let image = Image {
                number: number as i32,
                columns: SIZE as u16,
                rows: SIZE as u16,
                pixel_mm: [PIXEL_MM; 2],
                thickness_mm: SLICE_MM,
                increment_mm: SLICE_MM,
                position_mm: world_from_voxel([0.0, 0.0, f64::from(slice)]).to_array(),
                orientation: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
                time: Some(TimePoint { index: index as u32, count, at_s: *at_s }),
                pixels,
            };
            files.push((format!("perfusion-ct/image-{number:04}.dcm"), write(&study, &series, &image)?));
        }
    }
    Ok(Study { files, truth: truth(times_s, &per_voxel) })
}

fn share_table() -> Vec<Shares> {
    let mut table = Vec::with_capacity((SIZE * SIZE * SLICES) as usize);
    for slice in 0..SLICES {
        for row in 0..SIZE {
            for column in 0..SIZE {
                table.push(shares(world_from_voxel([f64::from(column), f64::from(row), f64::from(slice)])));
            }
        }
    }
    table
}

fn truth(times_s: &[f64], per_voxel: &[Shares]) -> Truth {
    let full = |region: usize| {
        per_voxel.iter().enumerate().filter(move |(_, s)| s[region] >= 0.99).map(|(i, _)| {
            let i = i as u32;
            [i % SIZE, i / SIZE % SIZE, i / SIZE / SIZE]
        })
    };
    let middle = |region: usize| full(region).filter(|v| v[2] == SLICES / 2);
    let regions = REGIONS
        .iter()
        .enumerate()
        .map(|(i, region)| {
            let voxels = full(i).count() as u64;
            // One well inside the list, away from the edges of the region where it can be.
            let inside = middle(i).nth(middle(i).count() / 2);
            RegionTruth { region: region.clone(), voxels, example_voxel: inside }
        })
        .collect();
    let [x, y, z] = ORIGIN_MM;
    let (p, s) = (PIXEL_MM, SLICE_MM);
    Truth {
        dims: [SIZE, SIZE, SLICES],
        spacing_mm: [p, p, s],
        world_from_voxel: [p, 0.0, 0.0, x, 0.0, p, 0.0, y, 0.0, 0.0, s, z, 0.0, 0.0, 0.0, 1.0],
        times_s: times_s.to_vec(),
        noise_hu: NOISE_HU,
        kh: KH,
        rho_g_per_ml: RHO,
        aif: GammaVariate {
            arrival_s: ARRIVAL_S,
            alpha: 3.0,
            beta_s: BETA_S,
            peak_hu: AIF_PEAK_HU,
            integral_hu_s: aif_integral_hu_s(),
        },
        vof: Vof { scale: VOF_SCALE, delay_s: VOF_DELAY_S, transit_s: VOF_TRANSIT_S },
        artery_voxels: middle(ARTERY).collect(),
        vein_voxel: middle(VEIN).next().unwrap_or_default(),
        regions,
        units: "cbf: ml/100 g/min; cbv: ml/100 g; mtt, delay: s; C(t) = (rho/kH) * CBF/6000 * (AIF conv exp(-t/MTT))(t - delay) in HU over the baseline",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The plainest sum: midpoint rule with a step of 1 ms.
    fn convolved_numerically(t_s: f64, mtt_s: f64) -> f64 {
        let n = (t_s.max(0.0) * 1000.0) as u32;
        (0..n)
            .map(|i| (f64::from(i) + 0.5) * 1e-3)
            .map(|s| aif_hu(s) * (-(t_s - s) / mtt_s).exp() * 1e-3)
            .sum()
    }

    #[test]
    fn the_closed_form_is_the_convolution() {
        for mtt in [0.9, 2.0, 4.0, 12.0] {
            for t in [5.0, 8.5, 12.0, 17.0, 30.0, 44.0] {
                let (got, want) = (aif_through_exponential(t, mtt), convolved_numerically(t, mtt));
                assert!(
                    (got - want).abs() <= 1e-5 * want.abs() + 1e-5,
                    "mtt {mtt}, t {t}: got {got}, want {want}"
                );
            }
        }
    }

    /// Dispersion moves and broadens; what arrives is all that left.
    #[test]
    fn dispersion_delays_by_its_mean_and_loses_nothing() {
        let moments = |f: &dyn Fn(f64) -> f64| {
            let (mut area, mut first) = (0.0, 0.0);
            for t in (0..3000).map(|i| f64::from(i) * 0.05) {
                area += f(t) * 0.05;
                first += t * f(t) * 0.05;
            }
            (area, first / area)
        };
        let (plain, plain_s) = moments(&|t| aif_through_exponential(t, 4.0));
        for tau_s in [0.5, 2.0] {
            let (area, mean_s) = moments(&|t| aif_dispersed_through_exponential(t, 4.0, tau_s));
            assert!((area / plain - 1.0).abs() < 1e-4, "{tau_s}: {area} of {plain}");
            assert!((mean_s - plain_s - 2.0 * tau_s).abs() < 1e-3, "{tau_s}: {mean_s} after {plain_s}");
        }
    }

    #[test]
    fn the_curves_give_back_flow_and_volume() {
        let step = 0.01;
        let integral =
            |f: &dyn Fn(f64) -> f64| (0..60_000).map(|i| f(f64::from(i) * step) * step).sum::<f64>();
        let aif = integral(&aif_hu);
        assert!((aif / aif_integral_hu_s() - 1.0).abs() < 1e-4);
        assert!((integral(&vof_hu) / aif - VOF_SCALE).abs() < 1e-3);
        for r in REGIONS.iter().filter(|r| r.kind == RegionKind::Tissue) {
            // CBV = 100 (kH / rho) integral C / integral AIF, ml/100 g
            let cbv = 100.0 * KH / RHO * integral(&|t| r.enhancement_hu(t)) / aif;
            assert!((cbv / r.cbv - 1.0).abs() < 1e-3, "{}: {cbv} for {}", r.name, r.cbv);
            assert!((r.cbv - r.cbf * r.mtt_s / 60.0).abs() < 1e-12);
            assert_eq!(r.enhancement_hu(ARRIVAL_S + r.delay_s), 0.0);
            assert!(r.enhancement_hu(ARRIVAL_S + r.delay_s + 1.0) > 0.0);
        }
    }

    #[test]
    fn shares_of_a_voxel_sum_to_one_and_every_region_is_there() {
        let table = share_table();
        for (i, share) in table.iter().enumerate() {
            let sum: f64 = share.iter().sum();
            assert!((sum - 1.0).abs() < 1e-9 && share.iter().all(|s| *s >= -1e-12), "voxel {i}: {share:?}");
        }
        let truth = truth(&regular_times_s(), &table);
        for r in &truth.regions {
            assert!(r.voxels >= 40, "{} fills {} voxels", r.region.name, r.voxels);
            let example = r.example_voxel.unwrap();
            assert_eq!(region_of_voxel(example).unwrap().name, r.region.name);
        }
        assert!(truth.artery_voxels.len() >= 3);
    }
}
