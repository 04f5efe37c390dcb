//! A thorax of ellipsoids and tubes.
//!
//! Organs are painted from the skin inwards, each over the ones before, with edges one voxel wide. Shapes
//! were set by eye on rendered slices: they suggest anatomy and claim no more.

use glam::DVec3;

use crate::shape::{coverage, ellipsoid, over, polyline};

/// Blood without contrast.
pub const BLOOD_HU: f64 = 40.0;
const AIR_HU: f64 = -1000.0;
const FAT_HU: f64 = -95.0;
const MUSCLE_HU: f64 = 55.0;
const LUNG_HU: f64 = -860.0;

/// Outer ellipse of the chest, semi-axes in mm, centred on the patient axis.
const CHEST: DVec3 = DVec3::new(165.0, 104.0, 1000.0);

struct Vessel {
    name: &'static str,
    points: Vec<DVec3>,
}

/// The scene, with its curves computed once.
pub struct Thorax {
    coronaries: Vec<Vessel>,
    lung_vessels: Vec<(Vec<DVec3>, f64)>,
    ascending_aorta: Vec<DVec3>,
    pulmonary_trunk: Vec<DVec3>,
}

/// The heart: an ellipsoid with its long axis to the left, front and down.
const HEART_CENTRE: DVec3 = DVec3::new(30.0, -30.0, -14.0);
/// Semi-axes along the long axis and the two others.
const HEART_RADII: DVec3 = DVec3::new(60.0, 45.0, 48.0);

fn heart_axes() -> [DVec3; 3] {
    let long = DVec3::new(0.66, -0.52, -0.54).normalize();
    let front = (DVec3::NEG_Y - long * DVec3::NEG_Y.dot(long)).normalize();
    // Right and inferior.
    [long, front, long.cross(front)]
}

fn in_heart(p: DVec3) -> DVec3 {
    let d = p - HEART_CENTRE;
    let [a, b, c] = heart_axes();
    DVec3::new(d.dot(a), d.dot(b), d.dot(c))
}

/// A point on the heart's surface lifted by `lift_mm`: `along` from -1 (base) to 1 (apex), `turn_deg` from the
/// front towards the patient's right and down.
fn on_heart(along: f64, turn_deg: f64, lift_mm: f64) -> DVec3 {
    let [a, b, c] = heart_axes();
    let around = (1.0 - along * along).sqrt();
    let (sin, cos) = turn_deg.to_radians().sin_cos();
    let q = DVec3::new(along, around * cos, around * sin) * (HEART_RADII + DVec3::splat(lift_mm));
    HEART_CENTRE + a * q.x + b * q.y + c * q.z
}

/// Catmull-Rom through the points, `n` pieces per span.
fn smooth(points: &[DVec3], n: u32) -> Vec<DVec3> {
    let at = |i: isize| points[i.clamp(0, points.len() as isize - 1) as usize];
    let mut out = Vec::new();
    for i in 0..points.len() as isize - 1 {
        let [p0, p1, p2, p3] = [at(i - 1), at(i), at(i + 1), at(i + 2)];
        for k in 0..n {
            let t = f64::from(k) / f64::from(n);
            let (t2, t3) = (t * t, t * t * t);
            out.push(
                0.5 * (2.0 * p1
                    + (p2 - p0) * t
                    + (2.0 * p0 - 5.0 * p1 + 4.0 * p2 - p3) * t2
                    + (3.0 * p1 - p0 - 3.0 * p2 + p3) * t3),
            );
        }
    }
    out.extend(points.last());
    out
}

impl Default for Thorax {
    fn default() -> Self {
        Self::new()
    }
}

impl Thorax {
    /// The only one there is.
    pub fn new() -> Self {
        let root = DVec3::new(6.0, -22.0, 14.0);
        let fork = on_heart(-0.50, -62.0, 3.0);
        let left_ostium = root + DVec3::new(14.0, 2.0, 6.0);
        let right_ostium = root + DVec3::new(-7.0, -15.0, 4.0);
        let vessel = |name, points: &[DVec3]| Vessel { name, points: smooth(points, 12) };
        let coronaries = vec![
            vessel("LM", &[left_ostium, 0.5 * (left_ostium + fork) + DVec3::new(0.0, -2.0, 2.0), fork]),
            vessel(
                "LAD",
                &[
                    fork,
                    on_heart(-0.25, -50.0, 3.0),
                    on_heart(0.1, -42.0, 3.0),
                    on_heart(0.45, -38.0, 3.0),
                    on_heart(0.8, -32.0, 3.0),
                ],
            ),
            vessel(
                "LCX",
                &[
                    fork,
                    on_heart(-0.48, -95.0, 3.0),
                    on_heart(-0.45, -130.0, 3.0),
                    on_heart(-0.36, -162.0, 3.0),
                ],
            ),
            vessel(
                "RCA",
                &[
                    right_ostium,
                    on_heart(-0.45, 15.0, 3.0),
                    on_heart(-0.40, 55.0, 3.0),
                    on_heart(-0.42, 95.0, 3.0),
                    on_heart(-0.46, 135.0, 3.0),
                    on_heart(-0.42, 165.0, 3.0),
                ],
            ),
        ];
        Self {
            coronaries,
            lung_vessels: lung_vessels(),
            ascending_aorta: vec![
                root + DVec3::new(4.0, 4.0, -8.0),
                root,
                DVec3::new(-8.0, -30.0, 45.0),
                DVec3::new(-8.0, -24.0, 80.0),
            ],
            pulmonary_trunk: vec![
                on_heart(-0.35, -20.0, -8.0),
                DVec3::new(22.0, -44.0, 32.0),
                DVec3::new(26.0, -22.0, 48.0),
                DVec3::new(38.0, 4.0, 54.0),
            ],
        }
    }

    /// The point at a share of a coronary's length, 0 at its origin.
    pub fn vessel_point(&self, name: &str, share: f64) -> DVec3 {
        let Some(vessel) = self.coronaries.iter().find(|v| v.name == name) else { return HEART_CENTRE };
        let lengths: Vec<f64> = vessel.points.windows(2).map(|p| p[0].distance(p[1])).collect();
        let mut left = share.clamp(0.0, 1.0) * lengths.iter().sum::<f64>();
        for (pair, length) in vessel.points.windows(2).zip(&lengths) {
            if left <= *length {
                return pair[0].lerp(pair[1], left / length);
            }
            left -= length;
        }
        vessel.points.last().copied().unwrap_or(HEART_CENTRE)
    }

    /// HU at a point (LPS, mm) before noise, with edges `voxel_mm` wide.
    pub fn hu(&self, p: DVec3, voxel_mm: f64) -> f64 {
        let cover = |d: f64| coverage(d, voxel_mm);
        let flat = DVec3::new(p.x, p.y, 0.0);
        let skin = ellipsoid(flat, DVec3::ZERO, CHEST);
        if skin > voxel_mm {
            return table(p, voxel_mm);
        }
        let mut hu = over(AIR_HU, 30.0, cover(skin));
        hu = over(hu, FAT_HU, cover(skin + 2.0));
        hu = over(
            hu,
            MUSCLE_HU,
            cover(ellipsoid(flat, DVec3::new(0.0, 1.0, 0.0), CHEST - DVec3::new(14.0, 10.0, 0.0))),
        );
        hu = self.inside_chest(p, hu, voxel_mm);
        bones(p, hu, voxel_mm)
    }

    fn inside_chest(&self, p: DVec3, mut hu: f64, voxel_mm: f64) -> f64 {
        let cover = |d: f64| coverage(d, voxel_mm);
        let right = ellipsoid(p, DVec3::new(-78.0, 2.0, -5.0), DVec3::new(62.0, 80.0, 150.0));
        let left = ellipsoid(p, DVec3::new(80.0, 4.0, -5.0), DVec3::new(60.0, 78.0, 150.0));
        let front = ellipsoid(p, DVec3::new(0.0, -62.0, 20.0), DVec3::new(44.0, 26.0, 90.0));
        let lung = right.min(left).min(front);
        hu = over(hu, LUNG_HU, cover(lung));
        if lung < 0.0 {
            for (points, radius) in &self.lung_vessels {
                let d = polyline(p, points, radius + voxel_mm) - radius;
                hu = over(hu, BLOOD_HU, cover(d));
            }
        }
        // Mediastinal fat, then what lies in it.
        hu =
            over(hu, FAT_HU, cover(ellipsoid(p, DVec3::new(6.0, -4.0, 20.0), DVec3::new(38.0, 62.0, 150.0))));
        let esophagus =
            ellipsoid(DVec3::new(p.x, p.y, 0.0), DVec3::new(6.0, 34.0, 0.0), DVec3::new(9.0, 6.5, 1.0));
        hu = over(hu, 35.0, cover(esophagus));
        hu = over(hu, -700.0, cover(esophagus + 5.0));
        let descending = DVec3::new(24.0, 46.0, p.z).distance(p) - 12.0;
        hu = over(hu, BLOOD_HU, cover(descending));
        hu = over(hu, BLOOD_HU, cover(DVec3::new(-26.0, -8.0, p.z.max(5.0)).distance(p) - 9.0));
        self.heart(p, hu, voxel_mm)
    }

    fn heart(&self, p: DVec3, mut hu: f64, voxel_mm: f64) -> f64 {
        let cover = |d: f64| coverage(d, voxel_mm);
        let q = in_heart(p);
        let sac = ellipsoid(q, DVec3::ZERO, HEART_RADII);
        // The ventricles end at the groove in which the arteries run; atria and great vessels follow.
        let wall = sac.max(-27.0 - q.x);
        if sac < 14.0 {
            // Pericardium, epicardial fat (thicker towards the base), myocardium, blood.
            let fat_mm = 6.5 - 0.03 * q.x;
            hu = over(hu, 20.0, cover(sac - fat_mm - 1.2));
            hu = over(hu, FAT_HU, cover(sac - fat_mm));
            hu = over(hu, 52.0, cover(wall));
            let left_ventricle = ellipsoid(q, DVec3::new(6.0, -8.0, -12.0), DVec3::new(42.0, 22.0, 22.0));
            let right_ventricle = ellipsoid(q, DVec3::new(-2.0, 18.0, 18.0), DVec3::new(44.0, 20.0, 24.0));
            hu = over(hu, BLOOD_HU, cover(left_ventricle.min(right_ventricle).max(wall + 3.0)));
        }
        let left_atrium = ellipsoid(p, DVec3::new(12.0, 6.0, 10.0), DVec3::new(34.0, 19.0, 22.0));
        let right_atrium = ellipsoid(p, DVec3::new(-22.0, -22.0, -4.0), DVec3::new(22.0, 25.0, 30.0));
        hu = over(hu, FAT_HU, cover(left_atrium.min(right_atrium) - 3.0).min(cover(-wall)));
        hu = over(hu, BLOOD_HU, cover(left_atrium.min(right_atrium)));
        for (points, radius) in [(&self.ascending_aorta, 16.0), (&self.pulmonary_trunk, 12.5)] {
            let d = polyline(p, points, 30.0) - radius;
            hu = over(hu, FAT_HU, cover(d - 1.5).min(cover(-wall)));
            hu = over(hu, BLOOD_HU, cover(d));
        }
        // Arteries run in grooves filled with fat.
        let mut nearest = 12.0f64;
        for vessel in &self.coronaries {
            nearest = polyline(p, &vessel.points, nearest);
        }
        if nearest < 12.0 {
            hu = over(hu, FAT_HU, cover(nearest - 5.5));
            hu = over(hu, BLOOD_HU + 5.0, cover(nearest - 1.8));
        }
        hu
    }
}

/// The patient table, a shell under the back.
fn table(p: DVec3, voxel_mm: f64) -> f64 {
    let top = 112.0 - p.x * p.x / 900.0;
    let d = (p.y - top - 2.0).abs() - 2.0;
    over(AIR_HU, -300.0, coverage(d, voxel_mm))
}

/// Cortex around marrow: `d` is the signed distance to the bone's surface.
fn bone(hu: f64, d: f64, cortex_mm: f64, marrow_hu: f64, voxel_mm: f64) -> f64 {
    let hu = over(hu, 700.0, coverage(d, voxel_mm));
    over(hu, marrow_hu, coverage(d + cortex_mm, voxel_mm))
}

fn bones(p: DVec3, mut hu: f64, voxel_mm: f64) -> f64 {
    let cover = |d: f64| coverage(d, voxel_mm);
    let flat = DVec3::new(p.x, p.y, 0.0);
    // Ribs: a shell in the chest wall, cut into slanting bands: high at the back, low in front.
    let shell = ellipsoid(flat, DVec3::ZERO, CHEST - DVec3::new(22.0, 17.0, 0.0)).abs() - 4.5;
    let pitch = 27.0;
    let band = ((p.z - 0.42 * p.y + 500.0 * pitch).rem_euclid(pitch) - 0.5 * pitch).abs() - 6.5;
    let gap = if p.y < 0.0 { 24.0 - flat.distance(DVec3::new(0.0, -90.0, 0.0)) } else { 24.0 - p.x.abs() };
    hu = bone(hu, shell.max(band * 0.9).max(gap), 1.6, 180.0, voxel_mm);
    hu = bone(
        hu,
        ellipsoid(flat, DVec3::new(0.0, -86.0, 0.0), DVec3::new(17.0, 5.5, 1.0)),
        1.5,
        150.0,
        voxel_mm,
    );
    // Spine: bodies of 24 mm between discs of 6 mm.
    let z = (p.z + 3010.0).rem_euclid(30.0) - 15.0;
    let body = ellipsoid(flat, DVec3::new(0.0, 58.0, 0.0), DVec3::new(20.0, 15.5, 1.0));
    hu = over(hu, 85.0, cover(body + 1.0));
    hu = bone(hu, body.max(z.abs() - 12.0), 1.5, 190.0, voxel_mm);
    let arch = ellipsoid(flat, DVec3::new(0.0, 78.0, 0.0), DVec3::new(14.0, 11.0, 1.0));
    hu = bone(hu, arch.max(z.abs() - 11.0), 1.6, 220.0, voxel_mm);
    for side in [-1.0, 1.0] {
        let process =
            polyline(flat, &[DVec3::new(side * 11.0, 80.0, 0.0), DVec3::new(side * 32.0, 83.0, 0.0)], 40.0)
                - 4.5;
        hu = bone(hu, process.max(z.abs() - 8.0), 1.5, 200.0, voxel_mm);
    }
    let spinous = polyline(flat, &[DVec3::new(0.0, 86.0, 0.0), DVec3::new(0.0, 96.0, 0.0)], 40.0) - 3.5;
    hu = bone(hu, spinous.max(z.abs() - 9.0), 1.5, 200.0, voxel_mm);
    let canal = ellipsoid(flat, DVec3::new(0.0, 76.5, 0.0), DVec3::new(9.0, 7.0, 1.0));
    hu = over(hu, -40.0, cover(canal));
    over(hu, 30.0, cover(canal + 2.0))
}

/// Trees of straight pieces from each hilum, thinner at each fork.
fn lung_vessels() -> Vec<(Vec<DVec3>, f64)> {
    let mut tubes = Vec::new();
    for (side, hilum) in [(-1.0, DVec3::new(-40.0, 6.0, 18.0)), (1.0, DVec3::new(46.0, 10.0, 18.0))] {
        for i in 0..14 {
            let turn = f64::from(i) * 2.399_963; // the golden angle spreads them evenly
            let (sin, cos) = turn.sin_cos();
            let out = DVec3::new(side * (0.55 + 0.4 * cos.abs()), 0.9 * sin, 1.1 * cos);
            let middle = hilum + out * 26.0;
            let end = middle + (out + DVec3::new(0.0, 0.3 * cos, 0.3 * sin)) * 30.0;
            tubes.push((vec![hilum, middle], 2.6));
            tubes.push((vec![middle, end], 1.5));
            let bend = DVec3::new(side * 0.5, 0.7 * cos, -0.7 * sin);
            tubes.push((vec![middle, middle + (out * 0.7 + bend) * 26.0], 1.2));
        }
    }
    tubes
}
