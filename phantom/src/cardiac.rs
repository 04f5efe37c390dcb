//! A non-contrast, ECG-gated cardiac CT for calcium scoring with known calcifications.
//!
//! The anatomy is only suggestive (ellipsoids and tubes), but it holds what makes scoring hard: bone over
//! 130 HU beside the heart, fat around the arteries, plaques that touch only by a corner, one that is too
//! small to count, and noise. Lesions keep their exact analytic volume.

use glam::DVec3;
use serde::Serialize;

use crate::anatomy::Thorax;
use crate::file::{Image, Modality, Photometric, SeriesInfo, StudyInfo, Syntax, write};
use crate::random::Random;
use crate::{Error, NamedFile};

/// Columns and rows.
pub const SIZE: u32 = 320;
/// Number of slices.
pub const SLICES: u32 = 44;
/// A field of view of 210 mm, as usual for calcium scoring. Exact in binary and in DICOM DS.
pub const PIXEL_MM: f64 = 0.65625;
/// Thickness and increment.
pub const SLICE_MM: f64 = 3.0;
/// Standard deviation of the noise.
pub const NOISE_HU: f64 = 12.0;
/// Centre of the first voxel, LPS.
pub const ORIGIN_MM: [f64; 3] = [-80.0, -115.0, -66.0];

/// Shape of a calcification. Lengths in mm.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum LesionShape {
    /// Semi-axes along x, y, z.
    Ellipsoid {
        /// mm
        radii_mm: [f64; 3],
    },
    /// Half side lengths along x, y, z. Its faces lie on voxel faces, so that it has no partial volume.
    VoxelBox {
        /// mm
        half_mm: [f64; 3],
    },
}

/// A known calcification.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Lesion {
    /// From 1.
    pub id: u32,
    /// LM, LAD, LCX or RCA.
    pub vessel: &'static str,
    /// LPS.
    pub centre_mm: [f64; 3],
    /// Radius of the sphere of equal volume.
    pub radius_mm: f64,
    /// Inside, before noise.
    pub hu: f64,
    /// See [`LesionShape`].
    pub shape: LesionShape,
    /// Of the shape, by formula.
    pub volume_mm3: f64,
    /// Why it is there.
    pub note: &'static str,
}

impl Lesion {
    fn new(vessel: &'static str, centre: DVec3, hu: f64, shape: LesionShape, note: &'static str) -> Self {
        let volume_mm3 = match shape {
            LesionShape::Ellipsoid { radii_mm: [a, b, c] } => 4.0 / 3.0 * std::f64::consts::PI * a * b * c,
            LesionShape::VoxelBox { half_mm: [a, b, c] } => 8.0 * a * b * c,
        };
        let radius_mm = (volume_mm3 * 0.75 / std::f64::consts::PI).cbrt();
        Self { id: 0, vessel, centre_mm: centre.to_array(), radius_mm, hu, shape, volume_mm3, note }
    }

    /// Half the size of its bounding box.
    fn reach_mm(&self) -> DVec3 {
        match self.shape {
            LesionShape::Ellipsoid { radii_mm } => DVec3::from(radii_mm),
            LesionShape::VoxelBox { half_mm } => DVec3::from(half_mm),
        }
    }

    /// Whether a point (LPS, mm) is inside.
    pub fn contains(&self, p: DVec3) -> bool {
        let q = p - DVec3::from(self.centre_mm);
        match self.shape {
            LesionShape::Ellipsoid { radii_mm } => (q / DVec3::from(radii_mm)).length_squared() <= 1.0,
            LesionShape::VoxelBox { half_mm } => q.abs().cmple(DVec3::from(half_mm)).all(),
        }
    }

    /// Share of the voxel around `p` that it fills, by 6 × 6 × 10 samples: 0.5 mm steps in z would be too
    /// coarse for a volume within 2 %.
    pub fn share(&self, p: DVec3) -> f64 {
        let voxel = DVec3::new(PIXEL_MM, PIXEL_MM, SLICE_MM);
        let gap = (p - DVec3::from(self.centre_mm)).abs() - self.reach_mm() - 0.5 * voxel;
        if gap.max_element() >= 0.0 {
            return 0.0;
        }
        const N: [u32; 3] = [6, 6, 10];
        let step = |i: u32, n: u32| (f64::from(i) + 0.5) / f64::from(n) - 0.5;
        let mut inside = 0u32;
        for i in 0..N[0] {
            for j in 0..N[1] {
                for k in 0..N[2] {
                    let offset = DVec3::new(step(i, N[0]), step(j, N[1]), step(k, N[2])) * voxel;
                    inside += u32::from(self.contains(p + offset));
                }
            }
        }
        f64::from(inside) / f64::from(N[0] * N[1] * N[2])
    }
}

/// Position of a voxel index, LPS.
pub fn world_from_voxel(voxel: [f64; 3]) -> DVec3 {
    DVec3::from(ORIGIN_MM) + DVec3::from(voxel) * DVec3::new(PIXEL_MM, PIXEL_MM, SLICE_MM)
}

/// Middle of the voxel nearest to a point.
fn snapped(p: DVec3) -> DVec3 {
    let v = (p - DVec3::from(ORIGIN_MM)) / DVec3::new(PIXEL_MM, PIXEL_MM, SLICE_MM);
    world_from_voxel(v.round().to_array())
}

/// All calcifications, numbered from 1.
pub fn lesions(thorax: &Thorax) -> Vec<Lesion> {
    let sphere = |r: f64| LesionShape::Ellipsoid { radii_mm: [r; 3] };
    let ellipsoid = |a: f64, b: f64, c: f64| LesionShape::Ellipsoid { radii_mm: [a, b, c] };
    let voxels = |x: f64, y: f64, z: f64| LesionShape::VoxelBox {
        half_mm: [0.5 * x * PIXEL_MM, 0.5 * y * PIXEL_MM, 0.5 * z * SLICE_MM],
    };
    let on = |vessel: &str, s: f64| thorax.vessel_point(vessel, s);
    // The middle of a box of an even number of voxels lies on a voxel face.
    let face = |p: DVec3, x: f64, y: f64| snapped(p) + DVec3::new(x, y, 0.0) * 0.5 * PIXEL_MM;
    let pair = on("LAD", 0.80);
    let side = DVec3::new(3.0, 3.0, 0.0) * PIXEL_MM;
    let mut list = vec![
        Lesion::new("LM", on("LM", 0.55), 350.0, sphere(1.8), ""),
        Lesion::new(
            "LAD",
            on("LAD", 0.12),
            620.0,
            ellipsoid(2.2, 3.2, 4.5),
            "long plaque over several slices",
        ),
        Lesion::new("LAD", on("LAD", 0.32), 900.0, sphere(3.0), "dense"),
        Lesion::new("LAD", on("LAD", 0.50), 250.0, sphere(2.6), ""),
        Lesion::new("LAD", on("LAD", 0.64), 150.0, sphere(2.8), "barely over the threshold of 130 HU"),
        Lesion::new(
            "LAD",
            face(pair, 0.0, 0.0),
            450.0,
            voxels(3.0, 3.0, 1.0),
            "touches the next by a corner",
        ),
        Lesion::new(
            "LAD",
            face(pair, 0.0, 0.0) + side,
            450.0,
            voxels(3.0, 3.0, 1.0),
            "touches the one before by a corner",
        ),
        Lesion::new("LCX", on("LCX", 0.22), 300.0, sphere(2.2), ""),
        Lesion::new("LCX", on("LCX", 0.50), 520.0, ellipsoid(2.0, 3.0, 3.6), ""),
        Lesion::new(
            "LCX",
            face(on("LCX", 0.74), 1.0, 0.0),
            500.0,
            voxels(2.0, 1.0, 1.0),
            "0.861 mm² in one slice: under the usual minimum of 1 mm²",
        ),
        Lesion::new(
            "RCA",
            on("RCA", 0.18),
            480.0,
            ellipsoid(2.8, 2.8, 5.0),
            "long plaque over several slices",
        ),
        Lesion::new("RCA", on("RCA", 0.42), 190.0, sphere(2.6), ""),
        Lesion::new("RCA", on("RCA", 0.62), 900.0, sphere(2.0), "dense"),
        Lesion::new("RCA", on("RCA", 0.84), 330.0, ellipsoid(3.0, 2.0, 2.4), ""),
    ];
    for (i, lesion) in list.iter_mut().enumerate() {
        lesion.id = i as u32 + 1;
    }
    list
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
    /// kV
    pub kvp: f64,
    /// Blood and muscle, before noise.
    pub blood_hu: f64,
    /// Standard deviation.
    pub noise_hu: f64,
    /// Every calcification.
    pub lesions: Vec<Lesion>,
}

/// The study: its files and its truth.
pub struct Study {
    /// 44 CT images.
    pub files: Vec<NamedFile>,
    /// What they show.
    pub truth: Truth,
}

/// HU of one slice before noise, row by row.
pub fn slice_hu(thorax: &Thorax, lesions: &[Lesion], slice: u32) -> Vec<f64> {
    let mut hu = Vec::with_capacity((SIZE * SIZE) as usize);
    for row in 0..SIZE {
        for column in 0..SIZE {
            let p = world_from_voxel([f64::from(column), f64::from(row), f64::from(slice)]);
            let mut value = thorax.hu(p, PIXEL_MM);
            for lesion in lesions {
                let share = lesion.share(p);
                value += (lesion.hu - value) * share;
            }
            hu.push(value);
        }
    }
    hu
}

/// Builds the study. The same bytes every time.
pub fn study() -> Result<Study, Error> {
    let thorax = Thorax::new();
    let lesions = lesions(&thorax);
    let study = StudyInfo {
        key: "cardiac".into(),
        patient_name: "Phantom^Cardiac".into(),
        patient_id: "PHANTOM-CARDIAC".into(),
        description: "Cardiac CT phantom".into(),
        study_id: "CARDIAC".into(),
    };
    let series = SeriesInfo {
        modality: Modality::Ct,
        number: 1,
        description: "Calcium score 3.0 mm".into(),
        body_part: "HEART".into(),
        contrast_agent: None,
        syntax: Syntax::ExplicitLittle,
        photometric: Photometric::Monochrome2,
        bits_stored: 12,
        signed: false,
        slope: 1.0,
        intercept: -1024.0,
        windows: vec![(50.0, 400.0, "MEDIASTINUM".into()), (130.0, 800.0, "CALCIUM".into())],
    };
    let mut random = Random::new(120);
    let mut files = Vec::with_capacity(SLICES as usize);
    for slice in 0..SLICES {
        let pixels = slice_hu(&thorax, &lesions, slice)
            .into_iter()
            .map(|hu| (hu + NOISE_HU * random.normal() + 1024.0).round().clamp(0.0, 4095.0) as u16)
            .collect();
        let image = Image {
            // Scanners number from the head down; the file order is from the feet up, which readers must not trust.
            number: (SLICES - slice) as i32,
            columns: SIZE as u16,
            rows: SIZE as u16,
            pixel_mm: [PIXEL_MM; 2],
            thickness_mm: SLICE_MM,
            increment_mm: SLICE_MM,
            position_mm: world_from_voxel([0.0, 0.0, f64::from(slice)]).to_array(),
            orientation: [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            time: None,
            pixels,
        };
        files.push((format!("cardiac-ct/image-{:04}.dcm", slice + 1), write(&study, &series, &image)?));
    }
    let [x, y, z] = ORIGIN_MM;
    let (p, s) = (PIXEL_MM, SLICE_MM);
    let truth = Truth {
        dims: [SIZE, SIZE, SLICES],
        spacing_mm: [p, p, s],
        world_from_voxel: [p, 0.0, 0.0, x, 0.0, p, 0.0, y, 0.0, 0.0, s, z, 0.0, 0.0, 0.0, 1.0],
        kvp: 120.0,
        blood_hu: crate::anatomy::BLOOD_HU,
        noise_hu: NOISE_HU,
        lesions,
    };
    Ok(Study { files, truth })
}
