//! Samples of a volume along a row of pixels.
//!
//! Three ways to the same numbers: straight rows (a pixel step moves along one axis only, as in every axial,
//! coronal or sagittal view of a straight acquisition), oblique rows, and either with voxels that hold no
//! measurement. A missing value is NaN.

use bytemuck::{Pod, Zeroable};
use scene::Interpolation;

use super::{HALF, PanelDraw};

/// A stored number.
pub(super) trait Stored: Copy + Sync {
    /// Whether some bit patterns are no number.
    const MAY_BE_NAN: bool;
    fn value(self) -> f32;
}

impl Stored for i16 {
    const MAY_BE_NAN: bool = false;
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from(self)
    }
}

impl Stored for u16 {
    const MAY_BE_NAN: bool = false;
    #[inline(always)]
    fn value(self) -> f32 {
        f32::from(self)
    }
}

/// A float that counts as missing when it is not finite.
#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(transparent)]
pub(super) struct Float(f32);

impl Stored for Float {
    const MAY_BE_NAN: bool = true;
    #[inline(always)]
    fn value(self) -> f32 {
        if self.0.is_finite() { self.0 } else { f32::NAN }
    }
}

/// The fraction of a position, cut to the 24 bits that f32 holds exactly.
#[inline(always)]
fn fraction(p: i64) -> f32 {
    ((p as u32) >> 8) as f32 * (1.0 / 16_777_216.0)
}

#[inline(always)]
fn lerp(a: f32, b: f32, t: f32) -> f32 {
    a + (b - a) * t
}

/// The two neighbours of a position (with half a voxel added) along an axis, and the weight of the second.
#[inline(always)]
fn neighbours(p: i64, dim: usize) -> (usize, usize, f32) {
    let p = p - HALF;
    let cell = p >> 32;
    let last = dim as i64 - 1;
    (cell.clamp(0, last) as usize, (cell + 1).clamp(0, last) as usize, fraction(p))
}

/// Trilinear interpolation at a position inside, edges continued.
#[inline(always)]
pub(super) fn trilinear(at: [i64; 3], dims: [u32; 3], value: impl Fn(usize, usize, usize) -> f32) -> f32 {
    let (x0, x1, fx) = neighbours(at[0], dims[0] as usize);
    let (y0, y1, fy) = neighbours(at[1], dims[1] as usize);
    let (z0, z1, fz) = neighbours(at[2], dims[2] as usize);
    let row = |y, z| lerp(value(x0, y, z), value(x1, y, z), fx);
    let layer = |z| if fy == 0.0 { row(y0, z) } else { lerp(row(y0, z), row(y1, z), fy) };
    // A plane that meets voxel centres needs one layer only.
    if fz == 0.0 { layer(z0) } else { lerp(layer(z0), layer(z1), fz) }
}

/// A volume with the rules of one panel.
pub(super) struct Sampler<'a, T> {
    voxels: &'a [T],
    dims: [u32; 3],
    /// Voxels from one index to the next along each axis.
    strides: [usize; 3],
    linear: bool,
    /// Some voxels may hold no measurement.
    masked: bool,
    padding: Option<(f32, f32)>,
    arrived: &'a [bool],
}

impl<'a, T: Stored> Sampler<'a, T> {
    pub(super) fn new(panel: &PanelDraw, voxels: &'a [T], arrived: &'a [bool]) -> Self {
        let [nx, ny, _] = panel.dims.map(|n| n as usize);
        let padding = panel.padding.map(|p| (p.low as f32, p.high as f32));
        Self {
            voxels,
            dims: panel.dims,
            strides: [1, nx, nx * ny],
            linear: panel.interpolation == Interpolation::Linear,
            masked: T::MAY_BE_NAN || padding.is_some() || arrived.contains(&false),
            padding,
            arrived,
        }
    }

    /// Samples at `first`, `first + right`, ..., which all lie inside.
    pub(super) fn run(&self, first: [i64; 3], right: [i64; 3], line: &mut [f32]) {
        let moving: Vec<usize> = (0..3).filter(|&axis| right[axis] != 0).collect();
        match moving[..] {
            [axis] => self.run_straight(axis, first, right[axis], line),
            _ => self.run_oblique(first, right, line),
        }
    }

    fn run_oblique(&self, first: [i64; 3], right: [i64; 3], line: &mut [f32]) {
        let mut at = first;
        for out in line {
            *out = match (self.masked, self.linear) {
                (true, _) => self.sample_masked(at),
                (false, true) => trilinear(at, self.dims, |x, y, z| self.load(x, y, z)),
                (false, false) => self.nearest(at),
            };
            for axis in 0..3 {
                at[axis] += right[axis];
            }
        }
    }

    /// A row along one voxel axis: the other two axes have one pair of neighbours and weights for all of it.
    fn run_straight(&self, axis: usize, first: [i64; 3], step: i64, line: &mut [f32]) {
        let (b, c) = match axis {
            0 => (1, 2),
            1 => (0, 2),
            _ => (0, 1),
        };
        let dims = self.dims.map(|n| n as usize);
        let stride = self.strides[axis];
        if !self.linear {
            let base =
                (first[b] >> 32) as usize * self.strides[b] + (first[c] >> 32) as usize * self.strides[c];
            let mut p = first[axis];
            for out in line {
                let along = (p >> 32) as usize;
                *out = self.checked(base + along * stride);
                p += step;
            }
            return;
        }
        let (b0, b1, fb) = neighbours(first[b], dims[b]);
        let (c0, c1, fc) = neighbours(first[c], dims[c]);
        let base = |i: usize, j: usize| i * self.strides[b] + j * self.strides[c];
        let bases = [base(b0, c0), base(b1, c0), base(b0, c1), base(b1, c1)];
        let weights = [fb, fc];
        let mut p = first[axis];
        // Interpolated x first, then y, then z, as everywhere: only then do the last bits agree.
        for out in line.iter_mut() {
            let (i0, i1, f) = neighbours(p, dims[axis]);
            let (i0, i1) = (i0 * stride, i1 * stride);
            let value = match axis {
                0 => {
                    let row = |base: usize| lerp(self.checked(base + i0), self.checked(base + i1), f);
                    blend_outer(row, bases, weights)
                }
                1 => {
                    // y is the row, x is b: x first within each y.
                    let pair = |i: usize, low: usize, high: usize| {
                        if fb == 0.0 {
                            self.checked(low + i)
                        } else {
                            lerp(self.checked(low + i), self.checked(high + i), fb)
                        }
                    };
                    let layer = |low, high| lerp(pair(i0, low, high), pair(i1, low, high), f);
                    if fc == 0.0 {
                        layer(bases[0], bases[1])
                    } else {
                        lerp(layer(bases[0], bases[1]), layer(bases[2], bases[3]), fc)
                    }
                }
                _ => {
                    let layer = |i: usize| blend_inner(|base| self.checked(base + i), bases, weights);
                    lerp(layer(i0), layer(i1), f)
                }
            };
            *out = value;
            p += step;
        }
        // NaN spreads through the arithmetic, even with weight 0: such samples are looked at closely.
        if self.masked {
            let mut at = first;
            for out in line {
                if out.is_nan() {
                    *out = self.sample_masked(at);
                }
                at[axis] += step;
            }
        }
    }

    #[inline(always)]
    fn load(&self, x: usize, y: usize, z: usize) -> f32 {
        self.voxels[x + y * self.strides[1] + z * self.strides[2]].value()
    }

    /// The number of a voxel; NaN if it is not finite.
    #[inline(always)]
    pub(super) fn stored(&self, [x, y, z]: [usize; 3]) -> f32 {
        self.load(x, y, z)
    }

    /// Whether a voxel's number says something.
    pub(super) fn holds_measurement(&self, [x, y, z]: [usize; 3]) -> bool {
        !self.checked(x + y * self.strides[1] + z * self.strides[2]).is_nan()
    }

    fn nearest(&self, at: [i64; 3]) -> f32 {
        let [x, y, z] = at.map(|p| (p >> 32) as usize);
        self.load(x, y, z)
    }

    /// A voxel by its place in memory; NaN if it holds no measurement.
    #[inline(always)]
    fn checked(&self, index: usize) -> f32 {
        let value = self.voxels[index].value();
        if !self.masked {
            return value;
        }
        let padded = self.padding.is_some_and(|(low, high)| value >= low && value <= high);
        if padded || !self.arrived[index / self.strides[2]] { f32::NAN } else { value }
    }

    /// The nearest voxel decides whether there is a value; neighbours without one have no weight.
    fn sample_masked(&self, at: [i64; 3]) -> f32 {
        let [x, y, z] = at.map(|p| (p >> 32) as usize);
        let nearest = self.checked(x + y * self.strides[1] + z * self.strides[2]);
        if nearest.is_nan() || !self.linear {
            return nearest;
        }
        let n: [_; 3] = std::array::from_fn(|i| neighbours(at[i], self.dims[i] as usize));
        let (mut sum, mut weights, mut all) = (0.0f32, 0.0f32, true);
        for corner in 0..8usize {
            let (mut index, mut weight) = (0, 1.0f32);
            for (axis, (low, high, f)) in n.iter().enumerate() {
                let upper = corner >> axis & 1 == 1;
                index += self.strides[axis] * if upper { *high } else { *low };
                weight *= if upper { *f } else { 1.0 - *f };
            }
            let value = self.checked(index);
            if value.is_nan() {
                all = false;
            } else {
                sum += weight * (value - nearest);
                weights += weight;
            }
        }
        if all {
            return trilinear(at, self.dims, |x, y, z| self.load(x, y, z));
        }
        nearest + sum / weights
    }
}

/// Blends rows along x over y and z. `bases`: (y0, z0), (y1, z0), (y0, z1), (y1, z1).
#[inline(always)]
fn blend_outer(row: impl Fn(usize) -> f32, bases: [usize; 4], [fy, fz]: [f32; 2]) -> f32 {
    let layer = |low, high| if fy == 0.0 { row(low) } else { lerp(row(low), row(high), fy) };
    if fz == 0.0 {
        layer(bases[0], bases[1])
    } else {
        lerp(layer(bases[0], bases[1]), layer(bases[2], bases[3]), fz)
    }
}

/// Blends single voxels over x and y. `bases`: (x0, y0), (x1, y0), (x0, y1), (x1, y1).
#[inline(always)]
fn blend_inner(value: impl Fn(usize) -> f32, bases: [usize; 4], [fx, fy]: [f32; 2]) -> f32 {
    let row = |low, high| if fx == 0.0 { value(low) } else { lerp(value(low), value(high), fx) };
    if fy == 0.0 {
        row(bases[0], bases[1])
    } else {
        lerp(row(bases[0], bases[1]), row(bases[2], bases[3]), fy)
    }
}

#[cfg(test)]
mod tests {
    use super::super::ONE;
    use super::*;

    #[test]
    fn trilinear_meets_voxels_edges_and_middles() {
        let dims = [3, 4, 5];
        let value = |x: usize, y: usize, z: usize| (x + 10 * y + 100 * z) as f32;
        let at = |x: f64, y: f64, z: f64| [x, y, z].map(|p| ((p + 0.5) * ONE as f64) as i64);
        assert_eq!(trilinear(at(1.0, 2.0, 3.0), dims, value), 321.0);
        assert_eq!(trilinear(at(0.5, 2.25, 3.75), dims, value), 0.5 + 22.5 + 375.0);
        // Edges are continued by half a voxel.
        assert_eq!(trilinear(at(-0.5, 3.25, 4.25), dims, value), 430.0);
    }
}
