//! How the head moved: a rigid transform per frame, estimated from what does not take up contrast.
//!
//! Gauss-Newton on the points of the steepest edges of the first frames (Lucas and Kanade 1981, with the constant
//! Jacobian of Baker and Matthews 2004), coarse to fine. Skull and skin hold the strongest edges, a gain and an
//! offset per frame take up what contrast changes on the whole.

use nalgebra::{DMatrix, DVector};
use rayon::prelude::*;
use scene::{DMat3, DVec3};
use serde::Serialize;

/// Edges that are followed.
const POINTS: usize = 4_000;
/// Voxels along a row after reduction: an edge is found to a tenth of a voxel, so 3 to 4 mm are enough.
const COLUMNS: usize = 64;
/// Blur in mm, coarse to fine: the coarsest must see over a movement of 10 mm.
const LEVELS_MM: [f64; 2] = [8.0, 3.5];
/// Correlation of two blurred frames below which they do not show the same thing.
const SAME_EDGES: f64 = 0.6;
/// Steps per level; most stop sooner.
const STEPS: usize = 12;
/// Values beyond these are clipped in CT, where metal would outweigh all edges.
const CLIP_HU: (f32, f32) = (-500.0, 500.0);

/// Where a frame lies against the first ones: `x -> rotation x + translation`, about the centre of the volume.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rigid {
    /// Along columns, rows and slices, mm.
    pub translation_mm: [f64; 3],
    /// About the same axes, radians.
    pub rotation_rad: [f64; 3],
    /// The furthest that any followed point moved, mm.
    pub displacement_mm: f64,
}

/// The movement of every frame.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Moved {
    /// By frame.
    pub frames: Vec<Rigid>,
    /// Spacing of the voxels that `resampled` gets.
    spacing_mm: [f64; 3],
}

impl Rigid {
    fn rotation(&self) -> DMat3 {
        let v = DVec3::from(self.rotation_rad);
        let angle = v.length();
        if angle < 1e-12 { DMat3::IDENTITY } else { DMat3::from_axis_angle(v / angle, angle) }
    }

    fn apply(&self, rotation: &DMat3, p: DVec3) -> DVec3 {
        *rotation * p + DVec3::from(self.translation_mm)
    }
}

impl Moved {
    /// The largest displacement of all frames, mm.
    pub fn largest_mm(&self) -> f64 {
        self.frames.iter().map(|f| f.displacement_mm).fold(0.0, f64::max)
    }

    /// A frame where it should have been: linear interpolation; NaN where it saw nothing.
    pub(crate) fn resampled(&self, t: usize, frame: &[f32], dims: [usize; 3]) -> Vec<f32> {
        let Some(rigid) = self.frames.get(t).filter(|r| r.displacement_mm > 0.01) else {
            return frame.to_vec();
        };
        let rotation = rigid.rotation();
        let spacing = DVec3::from(self.spacing_mm);
        let centre = DVec3::from(dims.map(|n| (n - 1) as f64 / 2.0));
        let mut out = vec![f32::NAN; frame.len()];
        out.par_chunks_mut(dims[0]).enumerate().for_each(|(line, out)| {
            let (y, z) = (line % dims[1], line / dims[1]);
            for (x, out) in out.iter_mut().enumerate() {
                let p = (DVec3::new(x as f64, y as f64, z as f64) - centre) * spacing;
                let q = rigid.apply(&rotation, p) / spacing + centre;
                *out = sample(frame, dims, q.to_array());
            }
        });
        out
    }
}

/// Linear interpolation; the outermost half voxel is its edge, NaN beyond.
fn sample(values: &[f32], dims: [usize; 3], at: [f64; 3]) -> f32 {
    let mut low = [0usize; 3];
    let mut share = [0.0f32; 3];
    for i in 0..3 {
        let last = (dims[i] - 1) as f64;
        if !(at[i] >= -0.5 && at[i] <= last + 0.5) {
            return f32::NAN;
        }
        let clamped = at[i].clamp(0.0, last);
        low[i] = (clamped as usize).min(dims[i].saturating_sub(2));
        share[i] = (clamped - low[i] as f64) as f32;
    }
    let mut sum = 0.0;
    for corner in 0..8usize {
        let mut index = 0;
        let mut weight = 1.0;
        for i in (0..3).rev() {
            let up = corner >> i & 1;
            weight *= if up == 1 { share[i] } else { 1.0 - share[i] };
            index = index * dims[i] + (low[i] + up).min(dims[i] - 1);
        }
        if weight > 0.0 {
            sum += weight * values[index];
        }
    }
    sum
}

/// Points of a blurred reference, with what a small motion does to them.
struct Level {
    sigma_mm: f64,
    points: Vec<DVec3>,
    values: Vec<f64>,
    jacobian: DMatrix<f64>,
    /// Inverse of the normal matrix times the transposed Jacobian.
    solver: DMatrix<f64>,
}

/// Estimates frame by frame against one reference.
pub(crate) struct Estimator {
    /// Of the frames.
    full: [usize; 3],
    spacing_mm: [f64; 3],
    /// Voxels that are averaged along columns and rows.
    reduce: usize,
    dims: [usize; 3],
    reduced_mm: [f64; 3],
    in_plane: bool,
    clip: bool,
    levels: Vec<Level>,
    frames: Vec<Rigid>,
}

impl Estimator {
    /// `reference` is the mean of the first frames. `clip` for Hounsfield units.
    pub fn new(
        reference: &[f32],
        full: [usize; 3],
        spacing_mm: [f64; 3],
        in_plane: bool,
        clip: bool,
    ) -> Self {
        let reduce = (full[0] / COLUMNS).max(1);
        let dims = [full[0] / reduce, full[1] / reduce, full[2]];
        let reduced_mm = [spacing_mm[0] * reduce as f64, spacing_mm[1] * reduce as f64, spacing_mm[2]];
        // Few slices say nothing about tilting.
        let in_plane = in_plane || full[2] < 4;
        let mut out = Self {
            full,
            spacing_mm,
            reduce,
            dims,
            reduced_mm,
            in_plane,
            clip,
            levels: Vec::new(),
            frames: Vec::new(),
        };
        let small = out.reduced(reference);
        out.levels = LEVELS_MM.iter().filter_map(|sigma| out.level(&small, *sigma)).collect();
        out
    }

    fn reduced(&self, frame: &[f32]) -> Vec<f32> {
        let [columns, rows, slices] = self.dims;
        let mut out = vec![0.0; columns * rows * slices];
        let k = self.reduce;
        for z in 0..slices {
            for y in 0..rows {
                for x in 0..columns {
                    let mut sum = 0.0;
                    for v in 0..k {
                        let line = (z * self.full[1] + y * k + v) * self.full[0] + x * k;
                        for value in &frame[line..line + k] {
                            let value = if value.is_finite() { *value } else { 0.0 };
                            sum += if self.clip { value.clamp(CLIP_HU.0, CLIP_HU.1) } else { value };
                        }
                    }
                    out[(z * rows + y) * columns + x] = sum / (k * k) as f32;
                }
            }
        }
        out
    }

    fn blurred(&self, values: &[f32], sigma_mm: f64) -> Vec<f32> {
        // Within the slices only: across them the spacing is a blur already.
        let mut now = values.to_vec();
        let [columns, rows, _] = self.dims;
        for (axis, stride, length) in [(0, 1, columns), (1, columns, rows)] {
            let radius = (2.5 * sigma_mm / self.reduced_mm[axis]).ceil() as usize;
            let kernel: Vec<f32> = (0..=radius)
                .map(|i| (-0.5 * (i as f64 * self.reduced_mm[axis] / sigma_mm).powi(2)).exp() as f32)
                .collect();
            let total = 2.0 * kernel.iter().sum::<f32>() - kernel[0];
            let mut out = vec![0.0f32; now.len()];
            for (o, v) in out.chunks_exact_mut(stride * length).zip(now.chunks_exact(stride * length)) {
                for (step, weight) in kernel.iter().enumerate() {
                    let weight = weight / total;
                    for i in 0..length {
                        // The border continues outwards.
                        let (a, b) = ((i + step).min(length - 1), i.saturating_sub(step));
                        let row = &mut o[i * stride..][..stride];
                        if step == 0 {
                            row.iter_mut().zip(&v[i * stride..]).for_each(|(o, v)| *o += weight * v);
                        } else {
                            let (up, down) = (&v[a * stride..][..stride], &v[b * stride..][..stride]);
                            row.iter_mut()
                                .zip(up.iter().zip(down))
                                .for_each(|(o, (a, b))| *o += weight * (a + b));
                        }
                    }
                }
            }
            now = out;
        }
        now
    }

    /// Columns of the Jacobian that are estimated: translation 0 to 2, rotation 3 to 5.
    fn parameters(&self) -> &'static [usize] {
        if self.in_plane { &[0, 1, 5] } else { &[0, 1, 2, 3, 4, 5] }
    }

    fn level(&self, reference: &[f32], sigma_mm: f64) -> Option<Level> {
        let [columns, rows, slices] = self.dims;
        let blurred = self.blurred(reference, sigma_mm);
        let at = |x: usize, y: usize, z: usize| f64::from(blurred[(z * rows + y) * columns + x]);
        let mut edges: Vec<(f64, usize, DVec3)> = Vec::new();
        for z in 0..slices {
            for y in 1..rows.saturating_sub(1) {
                for x in 1..columns.saturating_sub(1) {
                    let (below, above) = (z.saturating_sub(1), (z + 1).min(slices - 1));
                    let dz = (above - below).max(1) as f64 * self.reduced_mm[2];
                    let gradient = DVec3::new(
                        (at(x + 1, y, z) - at(x - 1, y, z)) / (2.0 * self.reduced_mm[0]),
                        (at(x, y + 1, z) - at(x, y - 1, z)) / (2.0 * self.reduced_mm[1]),
                        (at(x, y, above) - at(x, y, below)) / dz,
                    );
                    edges.push((gradient.length_squared(), (z * rows + y) * columns + x, gradient));
                }
            }
        }
        if edges.len() > POINTS {
            edges.select_nth_unstable_by(POINTS, |a, b| b.0.total_cmp(&a.0));
            edges.truncate(POINTS);
        }
        // In the order of memory, so that the same points come in the same order on every machine.
        edges.sort_by_key(|e| e.1);
        let centre = DVec3::from(self.dims.map(|n| (n - 1) as f64 / 2.0));
        let place = |i: usize| {
            let p =
                DVec3::new((i % columns) as f64, (i / columns % rows) as f64, (i / columns / rows) as f64);
            (p - centre) * DVec3::from(self.reduced_mm)
        };
        let points: Vec<DVec3> = edges.iter().map(|e| place(e.1)).collect();
        let parameters = self.parameters();
        let jacobian = DMatrix::from_fn(points.len(), parameters.len(), |row, column| {
            let (gradient, p) = (edges[row].2, points[row]);
            match parameters[column] {
                k @ 0..=2 => gradient[k],
                // d(w x p) . g = (p x g) . dw
                k => p.cross(gradient)[k - 3],
            }
        });
        let normal = jacobian.transpose() * &jacobian;
        let solver = normal.try_inverse().filter(|m| m.iter().all(|v| v.is_finite()))? * jacobian.transpose();
        let values = edges.iter().map(|e| f64::from(blurred[e.1])).collect();
        Some(Level { sigma_mm, points, values, jacobian, solver })
    }

    /// Whether two frames without contrast show the same edges. Where they do not, edges are noise, and following
    /// them would report a movement that never was.
    pub fn sees(&self, frame: &[f32], other: &[f32]) -> bool {
        let Some(level) = self.levels.first().filter(|_| self.dims[0] >= 16 && self.dims[1] >= 16) else {
            return false;
        };
        let [a, b] = [frame, other].map(|f| self.blurred(&self.reduced(f), level.sigma_mm));
        let pairs: Vec<[f64; 2]> = a.iter().zip(&b).map(|(a, b)| [*a, *b].map(f64::from)).collect();
        let mean = [0, 1].map(|i| pairs.iter().map(|p| p[i]).sum::<f64>() / pairs.len() as f64);
        let sum = |i: usize, j: usize| pairs.iter().map(|p| (p[i] - mean[i]) * (p[j] - mean[j])).sum::<f64>();
        // At the coarsest blur a head that moved by a centimetre is still the same head.
        sum(0, 1) > SAME_EDGES * (sum(0, 0) * sum(1, 1)).sqrt()
    }

    /// Estimates one frame.
    pub fn estimate(&self, frame: &[f32]) -> Rigid {
        let small = self.reduced(frame);
        let mut rigid = Rigid::default();
        for level in &self.levels {
            let blurred = self.blurred(&small, level.sigma_mm);
            for _ in 0..STEPS {
                let Some(step) = self.solve(level, &blurred, &rigid) else { break };
                for (k, column) in self.parameters().iter().enumerate() {
                    match column {
                        c @ 0..=2 => rigid.translation_mm[*c] += step[k],
                        c => rigid.rotation_rad[c - 3] += step[k],
                    }
                }
                // A thousandth of a millimetre, and of a radian on the arm of a head.
                if step.iter().all(|s| s.abs() < 1e-3) {
                    break;
                }
            }
        }
        let rotation = rigid.rotation();
        let furthest = |level: &Level| {
            level.points.iter().map(|p| rigid.apply(&rotation, *p).distance(*p)).fold(0.0, f64::max)
        };
        rigid.displacement_mm = self.levels.last().map_or(0.0, furthest);
        rigid
    }

    fn solve(&self, level: &Level, blurred: &[f32], rigid: &Rigid) -> Option<DVector<f64>> {
        let rotation = rigid.rotation();
        let centre = DVec3::from(self.dims.map(|n| (n - 1) as f64 / 2.0));
        let spacing = DVec3::from(self.reduced_mm);
        let seen: Vec<f64> = level
            .points
            .iter()
            .map(|p| {
                let q = rigid.apply(&rotation, *p) / spacing + centre;
                f64::from(sample(blurred, self.dims, q.to_array()))
            })
            .collect();
        // Gain and offset that bring the frame to the reference.
        let (mut n, mut sx, mut sy, mut sxx, mut sxy) = (0.0, 0.0, 0.0, 0.0, 0.0);
        for (x, y) in seen.iter().zip(&level.values).filter(|(x, _)| x.is_finite()) {
            n += 1.0;
            sx += x;
            sy += y;
            sxx += x * x;
            sxy += x * y;
        }
        let spread = n * sxx - sx * sx;
        if n < 10.0 || spread <= 0.0 {
            return None;
        }
        let gain = ((n * sxy - sx * sy) / spread).clamp(0.5, 2.0);
        let offset = (sy - gain * sx) / n;
        let residual = DVector::from_iterator(
            seen.len(),
            seen.iter()
                .zip(&level.values)
                .map(|(x, y)| if x.is_finite() { y - gain * x - offset } else { 0.0 }),
        );
        debug_assert_eq!(level.jacobian.nrows(), residual.nrows());
        Some(&level.solver * residual)
    }

    /// Keeps the estimates of the next frames.
    pub fn extend(&mut self, found: Vec<Rigid>) {
        self.frames.extend(found);
    }

    /// Frames that were added.
    pub fn done(&self) -> usize {
        self.frames.len()
    }

    pub fn finish(self) -> Moved {
        Moved { frames: self.frames, spacing_mm: self.spacing_mm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIMS: [usize; 3] = [64, 60, 8];
    const MM: [f64; 3] = [3.0, 3.5, 5.0];

    /// A head with a skull, its brain uneven, moved.
    fn head(rigid: &Rigid) -> Vec<f32> {
        let rotation = rigid.rotation().transpose();
        let mut out = Vec::new();
        for z in 0..DIMS[2] {
            for y in 0..DIMS[1] {
                for x in 0..DIMS[0] {
                    let centre = DVec3::from(DIMS.map(|n| (n - 1) as f64 / 2.0));
                    let p = (DVec3::new(x as f64, y as f64, z as f64) - centre) * DVec3::from(MM);
                    // What is at p now was at R^-1 (p - t).
                    let q = rotation * (p - DVec3::from(rigid.translation_mm));
                    let r = (q.x / 70.0).powi(2) + (q.y / 85.0).powi(2) + (q.z / 60.0).powi(2);
                    let edge = |r0: f64| 1.0 / (1.0 + (40.0 * (r - r0)).exp());
                    let brain = 35.0 + 10.0 * (q.x / 9.0).sin() * (q.y / 11.0).cos();
                    out.push((-1000.0 + 2000.0 * edge(1.0) - (1000.0 - brain) * edge(0.8)) as f32);
                }
            }
        }
        out
    }

    #[test]
    fn movements_of_one_to_ten_millimetres_are_found() {
        let reference = head(&Rigid::default());
        for (in_plane, moved) in [
            (true, Rigid { translation_mm: [1.0, 0.0, 0.0], ..Rigid::default() }),
            (
                true,
                Rigid {
                    translation_mm: [-6.0, 8.0, 0.0],
                    rotation_rad: [0.0, 0.0, 0.05],
                    displacement_mm: 0.0,
                },
            ),
            (
                false,
                Rigid {
                    translation_mm: [2.0, -3.0, 1.5],
                    rotation_rad: [0.03, -0.02, 0.04],
                    displacement_mm: 0.0,
                },
            ),
        ] {
            let estimator = Estimator::new(&reference, DIMS, MM, in_plane, true);
            let found = estimator.estimate(&head(&moved));
            for i in 0..3 {
                let (got, want) = (found.translation_mm[i], moved.translation_mm[i]);
                assert!((got - want).abs() < 0.4, "axis {i}: {got} for {want}");
                let (got, want) = (found.rotation_rad[i], moved.rotation_rad[i]);
                // Eight slices of 5 mm hold little of a tilt: 0.012 on their 20 mm is a quarter of a millimetre.
                let allowed = if i == 2 { 0.006 } else { 0.012 };
                assert!((got - want).abs() < allowed, "about axis {i}: {got} for {want}");
            }
            assert!(found.displacement_mm > 0.9);
        }
        let still = Estimator::new(&reference, DIMS, MM, false, true).estimate(&reference);
        assert!(still.displacement_mm < 0.02, "{still:?}");
    }

    #[test]
    fn noise_has_no_edges_that_move() {
        let noise = |seed: u64| -> Vec<f32> {
            // splitmix64: neighbouring seeds have nothing in common.
            let value = |i: u64| {
                let mut z = (seed << 32 | i).wrapping_mul(0x9e37_79b9_7f4a_7c15);
                z = (z ^ z >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
                z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
                100.0 + ((z ^ z >> 31) >> 40) as f32 / 1e5
            };
            (0..DIMS.iter().product::<usize>() as u64).map(value).collect()
        };
        let estimator = Estimator::new(&noise(1), DIMS, MM, true, false);
        assert!(!estimator.sees(&noise(2), &noise(3)));
        let reference = head(&Rigid::default());
        let estimator = Estimator::new(&reference, DIMS, MM, true, true);
        let moved = Rigid { translation_mm: [7.0, 7.0, 0.0], ..Rigid::default() };
        assert!(estimator.sees(&reference, &head(&moved)));
    }

    #[test]
    fn a_frame_is_moved_back() {
        let reference = head(&Rigid::default());
        let moved = Rigid { translation_mm: [3.0, 0.0, 0.0], rotation_rad: [0.0; 3], displacement_mm: 3.0 };
        let found = Moved { frames: vec![moved], spacing_mm: MM };
        let frame = head(&moved);
        let back = found.resampled(0, &frame, DIMS);
        let error = |a: &[f32]| {
            let pairs = a.iter().zip(&reference).filter(|(a, _)| a.is_finite());
            pairs.map(|(a, r)| f64::from((a - r).abs())).sum::<f64>() / reference.len() as f64
        };
        assert!(error(&back) < 0.05 * error(&frame), "{} of {}", error(&back), error(&frame));
        assert!(back[0].is_finite() && back[DIMS[0] - 1].is_nan(), "nothing is made up beyond the border");
    }
}
