//! A matrix that turns concentration into the residue function, applied to a block of voxels.
//!
//! All linear methods end in one matrix that depends on the artery alone, so it is made once, and the work per
//! voxel is a product of which only the highest value and its place are kept.

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
    /// By group of [`ROWS`] rows, column, row within the group.
    tiled: Vec<f32>,
}

impl Linear {
    /// From a matrix, row by row.
    pub fn new(rows: usize, columns: usize, exact: Vec<f64>) -> Self {
        let groups = rows.div_ceil(ROWS);
        let mut tiled = vec![0.0; groups * columns * ROWS];
        for row in 0..rows {
            for column in 0..columns {
                tiled[(row / ROWS * columns + column) * ROWS + row % ROWS] =
                    exact[row * columns + column] as f32;
            }
        }
        Self { rows, columns, exact, tiled }
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

    /// Highest value and its row for every lane of a block.
    pub fn peaks(&self, block: &[f32]) -> Peaks {
        dispatch!(level(), simd => self.peaks_on(simd, block))
    }

    #[inline(always)]
    fn peaks_on<S: Simd>(&self, simd: S, block: &[f32]) -> Peaks {
        let mut best = Peaks::default();
        let lanes = S::f32s::LEN;
        for first in (0..LANES).step_by(2 * lanes) {
            let mut value = [S::f32s::splat(simd, f32::NEG_INFINITY); 2];
            let mut row = [S::f32s::splat(simd, 0.0); 2];
            for (group, weights) in self.tiled.chunks_exact(self.columns * ROWS).enumerate() {
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
        let lanes = S::f32s::LEN;
        for first in (0..LANES).step_by(2 * lanes) {
            for (group, weights) in self.tiled.chunks_exact(self.columns * ROWS).enumerate() {
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

    #[test]
    fn the_tiled_product_is_the_plain_one() {
        // Rows that are no multiple of the tile.
        let (rows, columns) = (23, 11);
        let exact: Vec<f64> = (0..rows * columns).map(|i| ((i * 37 % 101) as f64 - 50.0) / 7.0).collect();
        let linear = Linear::new(rows, columns, exact);
        let block: Vec<f32> = (0..columns * LANES).map(|i| ((i * 53 % 89) as f32 - 44.0) / 5.0).collect();
        let peaks = linear.peaks(&block);
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
