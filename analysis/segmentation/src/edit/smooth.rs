//! Smoothing a label: the median of its mask over 3 x 3 x 3 voxels.
//!
//! The median of a mask is a vote, so no threshold has to be chosen and a straight face stays where it is.

use super::Canvas;

/// Where the label wins the vote it is put; where it loses, the most frequent other label takes its voxel.
pub(super) fn majority(canvas: &mut Canvas, label: u8) {
    let [columns, rows, slices] = canvas.dims();
    let Some([low, high]) = bounds(canvas, label) else { return };
    let old = canvas.labels.voxels().to_vec();
    let around = |at: usize, n: usize| at.saturating_sub(1)..(at + 2).min(n);
    for z in low[2].saturating_sub(1)..(high[2] + 1).min(slices) {
        for y in low[1].saturating_sub(1)..(high[1] + 1).min(rows) {
            for x in low[0].saturating_sub(1)..(high[0] + 1).min(columns) {
                let at = (z * rows + y) * columns + x;
                let mut votes = [0u8; 256];
                let mut voters = 0;
                for k in around(z, slices) {
                    for j in around(y, rows) {
                        for i in around(x, columns) {
                            votes[usize::from(old[(k * rows + j) * columns + i])] += 1;
                            voters += 1;
                        }
                    }
                }
                let own = u32::from(votes[usize::from(label)]);
                if 2 * own > voters {
                    canvas.put(at, label);
                } else if old[at] == label && 2 * own < voters {
                    votes[usize::from(label)] = 0;
                    let winner = (0..=255u8).rev().max_by_key(|id| votes[usize::from(*id)]);
                    canvas.put(at, winner.unwrap_or(0));
                }
            }
        }
    }
}

/// First voxel and one past the last along each axis.
pub(super) fn bounds(canvas: &Canvas, label: u8) -> Option<[[usize; 3]; 2]> {
    let [columns, rows, _] = canvas.dims();
    let (mut low, mut high) = ([usize::MAX; 3], [0; 3]);
    for (at, voxel) in canvas.labels.voxels().iter().enumerate() {
        if *voxel == label {
            for (axis, n) in
                [at % columns, at / columns % rows, at / (columns * rows)].into_iter().enumerate()
            {
                low[axis] = low[axis].min(n);
                high[axis] = high[axis].max(n + 1);
            }
        }
    }
    (high[0] > 0).then_some([low, high])
}
