//! The twin of the measures kernel: voxel by voxel, with the definitions.

use super::Measure;
use crate::kernels::candidates::{HostTable, Keys};
use crate::kernels::components::Piece;

/// Measures on the CPU. `negative`: keys are reversed.
pub fn run(dims: [u32; 3], table: &HostTable, negative: bool, pieces: &[Piece]) -> Vec<Measure> {
    let mut out: Vec<Measure> = Vec::new();
    let mut floats: Vec<Vec<f64>> = Vec::new();
    for piece in pieces {
        let at = piece.component as usize;
        if at == out.len() {
            out.push(Measure {
                voxels: 0,
                peak_key: i32::MIN,
                key_sum: 0,
                float_sum: 0.0,
                sum_x: 0,
                sum_y: 0,
                first: [piece.start % dims[0], piece.start / dims[0] % dims[1]],
                bounds: [u32::MAX, u32::MAX, 0, 0],
                slice: piece.start / (dims[0] * dims[1]),
            });
            floats.push(Vec::new());
        }
        let m = &mut out[at];
        for voxel in piece.start..piece.end {
            let (x, y) = (voxel % dims[0], voxel / dims[0] % dims[1]);
            let index = (piece.first_key + voxel - piece.start) as usize;
            m.voxels += 1;
            m.sum_x += u64::from(x);
            m.sum_y += u64::from(y);
            let [x0, y0, x1, y1] = m.bounds;
            m.bounds = [x0.min(x), y0.min(y), x1.max(x + 1), y1.max(y + 1)];
            match &table.keys {
                Keys::I16(keys) => {
                    m.peak_key = m.peak_key.max(i32::from(keys[index]));
                    m.key_sum += i64::from(keys[index]);
                }
                Keys::I32(keys) => {
                    m.peak_key = m.peak_key.max(keys[index]);
                    floats[at].push(float_of_key(keys[index], negative));
                }
            }
        }
    }
    for (m, floats) in out.iter_mut().zip(floats) {
        m.float_sum = exact_sum(&floats);
    }
    out
}

fn float_of_key(key: i32, negative: bool) -> f64 {
    let key = if negative { -1 - key } else { key };
    let magnitude = |bits: i32| f64::from(f32::from_bits(bits as u32));
    if key < 0 { -magnitude(-1 - key) } else { magnitude(key) }
}

/// Shewchuk 1997: partial sums that do not overlap, so that nothing is lost before the last rounding.
fn exact_sum(values: &[f64]) -> f64 {
    let mut partials: Vec<f64> = Vec::new();
    for value in values {
        let mut x = *value;
        let mut kept = 0;
        for i in 0..partials.len() {
            let mut y = partials[i];
            if x.abs() < y.abs() {
                (x, y) = (y, x);
            }
            let high = x + y;
            let low = y - (high - x);
            if low != 0.0 {
                partials[kept] = low;
                kept += 1;
            }
            x = high;
        }
        partials.truncate(kept);
        partials.push(x);
    }
    // From the largest; where the first rest that remains lies half way, the next one decides (as fsum does).
    let mut sum = partials.pop().unwrap_or(0.0);
    while let Some(next) = partials.pop() {
        let x = sum;
        sum = x + next;
        let low = next - (sum - x);
        if low != 0.0 {
            if partials.last().is_some_and(|p| (p > &0.0) == (low > 0.0)) {
                let y = low * 2.0;
                let candidate = sum + y;
                if y == candidate - sum {
                    sum = candidate;
                }
            }
            break;
        }
    }
    // No sum of nothing is -0.
    sum + 0.0
}
