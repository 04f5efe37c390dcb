//! Signed distances to simple solids, and how much of a voxel they cover.
//!
//! Organs are painted over one another by coverage, which gives partial-volume edges without sampling each
//! voxel many times.

use glam::DVec3;

/// Distance to an axis-aligned ellipsoid: negative inside, exact at the surface, approximate elsewhere (the
/// usual first-order bound k0 (k0 - 1) / k1), which is all an edge one voxel wide needs.
pub fn ellipsoid(p: DVec3, centre: DVec3, radii: DVec3) -> f64 {
    let q = (p - centre) / radii;
    let k0 = q.length();
    let k1 = (q / radii).length();
    if k1 == 0.0 { -radii.min_element() } else { k0 * (k0 - 1.0) / k1 }
}

/// Distance to a segment.
pub fn segment(p: DVec3, a: DVec3, b: DVec3) -> f64 {
    let ab = b - a;
    let t = ((p - a).dot(ab) / ab.length_squared().max(f64::MIN_POSITIVE)).clamp(0.0, 1.0);
    p.distance(a + ab * t)
}

/// Distance to a polyline, giving up once it must exceed `limit`.
pub fn polyline(p: DVec3, points: &[DVec3], limit: f64) -> f64 {
    let mut best = limit;
    for pair in points.windows(2) {
        // A segment whose middle is farther than the limit and half its length cannot be nearer.
        let half = 0.5 * pair[0].distance(pair[1]);
        let middle = 0.5 * (pair[0] + pair[1]);
        if p.distance_squared(middle) < (best + half) * (best + half) {
            best = best.min(segment(p, pair[0], pair[1]));
        }
    }
    best
}

/// Share of a voxel of width `voxel_mm` that lies inside a surface at signed distance `d`.
pub fn coverage(d: f64, voxel_mm: f64) -> f64 {
    (0.5 - d / voxel_mm).clamp(0.0, 1.0)
}

/// `below` painted over with `value` at `share`.
pub fn over(below: f64, value: f64, share: f64) -> f64 {
    below + (value - below) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_exact_where_it_matters() {
        let c = DVec3::new(1.0, 2.0, 3.0);
        let sphere = |r: f64| ellipsoid(c + DVec3::new(0.0, r, 0.0), c, DVec3::splat(5.0));
        assert!((sphere(7.0) - 2.0).abs() < 1e-12 && (sphere(4.0) + 1.0).abs() < 1e-12);
        assert!(ellipsoid(c + DVec3::X * 3.0, c, DVec3::new(3.0, 5.0, 9.0)).abs() < 1e-12);
        assert!(ellipsoid(c, c, DVec3::new(3.0, 5.0, 9.0)) < 0.0);
        let line = [DVec3::ZERO, DVec3::X * 10.0, DVec3::new(10.0, 10.0, 0.0)];
        assert!((polyline(DVec3::new(4.0, 3.0, 0.0), &line, 100.0) - 3.0).abs() < 1e-12);
        assert!((polyline(DVec3::new(12.0, 8.0, 0.0), &line, 100.0) - 2.0).abs() < 1e-12);
        assert_eq!(polyline(DVec3::new(0.0, 50.0, 0.0), &line, 7.0), 7.0);
        assert_eq!([coverage(-1.0, 1.0), coverage(0.0, 1.0), coverage(1.0, 1.0)], [1.0, 0.5, 0.0]);
    }
}
