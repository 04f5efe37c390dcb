//! A matrix that turns concentration into the residue function, applied to a block of voxels.
//!
//! All linear methods end in one matrix that depends on the artery alone, so it is made once, and the work per
//! voxel is a product of which only the highest value and its place are kept. A truncation leaves few singular values:
//! two narrow matrices, one after the other, are then fewer products than the one that they make.

use fearless_simd::{Simd, dispatch, prelude::*};

use crate::curves::LANES;
use crate::level;

/// Rows that are computed together: with two vectors each they fill the registers of AVX2 and SIMD128.
pub(super) const ROWS: usize = 4;

/// Highest value of the residue function of each lane, and its row.
#[derive(Clone, Copy, Debug)]
pub struct Peaks {
    /// In the unit of 1 / time.
    pub value: [f32; LANES],
    /// Row of the value.
    pub row: [u32; LANES],
}

impl Default for Peaks {
    fn default() -> Self {
        Self { value: [f32::NEG_INFINITY; LANES], row: [0; LANES] }
    }
}

/// `rows x columns`; columns are samples of a curve.
#[derive(Clone, Debug)]
pub struct Linear {
    rows: usize,
    columns: usize,
    exact: Vec<f64>,
    outer: Tiles,
    /// Where the matrix is a product, what is applied first; `outer` is the rest.
    inner: Option<Tiles>,
}

/// A matrix as the tiles read it.
#[derive(Clone, Debug)]
struct Tiles {
    rows: usize,
    columns: usize,
    /// By group of [`ROWS`] rows, column, row within the group.
    tiled: Vec<f32>,
}

impl Tiles {
    fn new(rows: usize, columns: usize, exact: &[f64]) -> Self {
        let mut tiled = vec![0.0; rows.div_ceil(ROWS) * columns * ROWS];
        for row in 0..rows {
            for column in 0..columns {
                tiled[(row / ROWS * columns + column) * ROWS + row % ROWS] =
                    exact[row * columns + column] as f32;
            }
        }
        Self { rows, columns, tiled }
    }

    fn groups(&self) -> impl Iterator<Item = (usize, &[f32])> {
        self.tiled.chunks_exact(self.columns * ROWS).enumerate()
    }

    #[inline(always)]
    fn product<S: Simd>(&self, simd: S, block: &[f32], out: &mut [f32]) {
        let lanes = S::f32s::LEN;
        for first in (0..LANES).step_by(2 * lanes) {
            for (group, weights) in self.groups() {
                let sums = tile(simd, weights, block, first);
                for (r, sums) in sums.iter().enumerate().take(self.rows - group * ROWS) {
                    let row = &mut out[(group * ROWS + r) * LANES..][..LANES];
                    sums[0].store_slice(&mut row[first..first + lanes]);
                    sums[1].store_slice(&mut row[first + lanes..first + 2 * lanes]);
                }
            }
        }
    }
}

impl Linear {
    /// From a matrix, row by row.
    pub fn new(rows: usize, columns: usize, exact: Vec<f64>) -> Self {
        let outer = Tiles::new(rows, columns, &exact);
        Self { rows, columns, exact, outer, inner: None }
    }

    /// From two matrices, row by row: `outer` of `rows x parts` times `inner` of `parts x columns`. They are applied
    /// one after the other where that is less work.
    pub fn product_of(outer: &[f64], inner: &[f64], [rows, parts, columns]: [usize; 3]) -> Self {
        let mut exact = vec![0.0; rows * columns];
        for (row, weights) in exact.chunks_exact_mut(columns).zip(outer.chunks_exact(parts.max(1))) {
            for (weight, inner) in weights.iter().zip(inner.chunks_exact(columns)) {
                row.iter_mut().zip(inner).for_each(|(e, v)| *e += weight * v);
            }
        }
        if parts * (rows + columns) >= rows * columns {
            return Self::new(rows, columns, exact);
        }
        let (outer, inner) = (Tiles::new(rows, parts, outer), Tiles::new(parts, columns, inner));
        Self { rows, columns, exact, outer, inner: Some(inner) }
    }

    /// Rows of the residue function.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Samples of a curve.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All entries in f64, row by row.
    pub fn entries(&self) -> &[f64] {
        &self.exact
    }

    /// Entry in f64.
    pub fn entry(&self, row: usize, column: usize) -> f64 {
        self.exact[row * self.columns + column]
    }

    /// The residue function of one curve in f64: the plain product.
    pub fn residue(&self, curve: &[f64]) -> Vec<f64> {
        self.exact
            .chunks_exact(self.columns)
            .map(|row| row.iter().zip(curve).map(|(g, c)| g * c).sum())
            .collect()
    }

    /// Highest value and its row for every lane of a block; `work` is written over.
    pub fn peaks(&self, block: &[f32], work: &mut Vec<f32>) -> Peaks {
        dispatch!(level(), simd => {
            let block = self.inner_on(simd, block, work).unwrap_or(block);
            self.peaks_on(simd, block)
        })
    }

    /// What the outer matrix is applied to, where that is not the block itself.
    #[inline(always)]
    fn inner_on<'a, S: Simd>(&self, simd: S, block: &[f32], work: &'a mut Vec<f32>) -> Option<&'a [f32]> {
        let inner = self.inner.as_ref()?;
        work.resize(inner.rows * LANES, 0.0);
        inner.product(simd, block, work);
        Some(work)
    }

    #[inline(always)]
    fn peaks_on<S: Simd>(&self, simd: S, block: &[f32]) -> Peaks {
        let mut best = Peaks::default();
        let lanes = S::f32s::LEN;
        for first in (0..LANES).step_by(2 * lanes) {
            let mut value = [S::f32s::splat(simd, f32::NEG_INFINITY); 2];
            let mut row = [S::f32s::splat(simd, 0.0); 2];
            for (group, weights) in self.outer.groups() {
                let sums = tile(simd, weights, block, first);
                for (r, sums) in sums.iter().enumerate().take(self.rows - group * ROWS) {
                    // Rows are few: a float holds each exactly, and then all vectors are alike.
                    let here = S::f32s::splat(simd, (group * ROWS + r) as f32);
                    for i in 0..2 {
                        let higher = sums[i].simd_gt(value[i]);
                        value[i] = higher.select(sums[i], value[i]);
                        row[i] = higher.select(here, row[i]);
                    }
                }
            }
            let mut rows = [0.0f32; LANES];
            for i in 0..2 {
                let at = first + i * lanes..first + (i + 1) * lanes;
                value[i].store_slice(&mut best.value[at.clone()]);
                row[i].store_slice(&mut rows[at.clone()]);
                at.for_each(|lane| best.row[lane] = rows[lane] as u32);
            }
        }
        best
    }

    /// The residue functions of a block: `rows` rows of [`LANES`] voxels into `out`.
    pub fn product(&self, block: &[f32], out: &mut [f32]) {
        dispatch!(level(), simd => self.product_on(simd, block, out));
    }

    #[inline(always)]
    pub(super) fn product_on<S: Simd>(&self, simd: S, block: &[f32], out: &mut [f32]) {
        let mut work = Vec::new();
        let block = self.inner_on(simd, block, &mut work).unwrap_or(block);
        self.outer.product(simd, block, out);
    }
}

/// Some rows times two vectors of voxels. `weights` are by column, row; `block` by column, lane.
#[inline(always)]
pub(super) fn tile<S: Simd>(simd: S, weights: &[f32], block: &[f32], first: usize) -> [[S::f32s; 2]; ROWS] {
    let lanes = S::f32s::LEN;
    let mut sums = [[S::f32s::splat(simd, 0.0); 2]; ROWS];
    for (weights, row) in weights.chunks_exact(ROWS).zip(block.chunks_exact(LANES)) {
        let a = S::f32s::from_slice(simd, &row[first..first + lanes]);
        let b = S::f32s::from_slice(simd, &row[first + lanes..first + 2 * lanes]);
        for (sum, weight) in sums.iter_mut().zip(weights) {
            let weight = S::f32s::splat(simd, *weight);
            sum[0] = weight.mul_add(a, sum[0]);
            sum[1] = weight.mul_add(b, sum[1]);
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ramp(count: usize, step: usize, modulus: usize, scale: f64) -> Vec<f64> {
        (0..count).map(|i| ((i * step % modulus) as f64 - (modulus / 2) as f64) / scale).collect()
    }

    #[test]
    fn the_tiled_product_is_the_plain_one() {
        // Rows that are no multiple of the tile; as one matrix, as two narrow ones, and as two that are too wide.
        let (rows, columns) = (23, 11);
        let one = Linear::new(rows, columns, ramp(rows * columns, 37, 101, 7.0));
        let two = |parts: usize| {
            let (outer, inner) = (ramp(rows * parts, 31, 97, 20.0), ramp(parts * columns, 43, 103, 20.0));
            let linear = Linear::product_of(&outer, &inner, [rows, parts, columns]);
            let entry = (0..parts).map(|p| outer[7 * parts + p] * inner[p * columns + 4]).sum::<f64>();
            assert!((linear.entry(7, 4) - entry).abs() < 1e-12);
            linear
        };
        assert!(two(5).inner.is_some() && two(9).inner.is_none());
        for linear in [one, two(5), two(9)] {
            check(&linear);
        }
    }

    fn check(linear: &Linear) {
        let (rows, columns) = (linear.rows(), linear.columns());
        let block: Vec<f32> = (0..columns * LANES).map(|i| ((i * 53 % 89) as f32 - 44.0) / 5.0).collect();
        let peaks = linear.peaks(&block, &mut Vec::new());
        let mut product = vec![f32::NAN; rows * LANES];
        linear.product(&block, &mut product);
        for lane in 0..LANES {
            let curve: Vec<f64> = (0..columns).map(|t| f64::from(block[t * LANES + lane])).collect();
            let residue = linear.residue(&curve);
            let want = residue.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            assert!((f64::from(peaks.value[lane]) - want).abs() < 1e-4 * want.abs(), "lane {lane}");
            assert!((residue[peaks.row[lane] as usize] - want).abs() < 1e-4 * want.abs());
            for (r, v) in residue.iter().enumerate() {
                assert!((f64::from(product[r * LANES + lane]) - v).abs() < 1e-3, "lane {lane}, row {r}");
            }
        }
    }
}
