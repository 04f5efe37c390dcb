//! A matrix that turns concentration into the residue function, applied to a block of voxels.
//!
//! All linear methods end in one matrix that depends on the artery alone, so it is made once, and the work per
//! voxel is a product of which only the highest value and its place are kept.

use crate::curves::LANES;

/// Rows that are computed together: with two vectors of lanes they fill the registers.
const ROWS: usize = 4;
/// Lanes that are computed together.
pub(super) const WIDE: usize = 8;

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

    /// Calls `each(first row, rows, values)` for every tile of the product with a block.
    #[inline]
    fn tiles(&self, block: &[f32], mut each: impl FnMut(usize, usize, &[[f32; WIDE]; ROWS])) {
        for first_lane in (0..LANES).step_by(WIDE) {
            for (group, weights) in self.tiled.chunks_exact(self.columns * ROWS).enumerate() {
                let mut sums = [[0.0f32; WIDE]; ROWS];
                for (weights, row) in weights.chunks_exact(ROWS).zip(block.chunks_exact(LANES)) {
                    let values = &row[first_lane..first_lane + WIDE];
                    for (sum, weight) in sums.iter_mut().zip(weights) {
                        for (s, v) in sum.iter_mut().zip(values) {
                            *s += weight * v;
                        }
                    }
                }
                each(group * ROWS, first_lane, &sums);
            }
        }
    }

    /// Highest value and its row for every lane of a block.
    pub fn peaks(&self, block: &[f32]) -> Peaks {
        let mut best = Peaks::default();
        let rows = self.rows;
        self.tiles(block, |first, lane, sums| {
            let value = &mut best.value[lane..lane + WIDE];
            let at = &mut best.row[lane..lane + WIDE];
            for (r, sum) in sums.iter().enumerate().take(rows - first) {
                for ((s, v), a) in sum.iter().zip(value.iter_mut()).zip(at.iter_mut()) {
                    let higher = *s > *v;
                    *v = if higher { *s } else { *v };
                    *a = if higher { (first + r) as u32 } else { *a };
                }
            }
        });
        best
    }

    /// The residue functions of a block: `rows` rows of [`LANES`] voxels into `out`.
    pub fn product(&self, block: &[f32], out: &mut [f32]) {
        let rows = self.rows;
        self.tiles(block, |first, lane, sums| {
            for (r, sum) in sums.iter().enumerate().take(rows - first) {
                out[(first + r) * LANES + lane..][..WIDE].copy_from_slice(sum);
            }
        });
    }
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
