//! Distance to the border of a shape on a slice, in millimetres, positive inside.
//!
//! Exact: the lower envelope of parabolas of Felzenszwalb and Huttenlocher (2012), rows then columns, linear in
//! the number of voxels whatever the shape.

/// Signed distances of one slice; `set` says which voxels are inside. A slice without a border is endlessly far.
pub(super) fn signed(columns: usize, rows: usize, spacing: [f64; 2], set: &[bool]) -> Vec<f64> {
    let to_set = distances(columns, rows, spacing, |at| set[at]);
    let to_rest = distances(columns, rows, spacing, |at| !set[at]);
    to_rest.iter().zip(&to_set).map(|(inside, outside)| inside.sqrt() - outside.sqrt()).collect()
}

/// Larger than any distance, and still finite: the difference of two infinities is no number.
const FAR: f64 = 1e12;

/// Squared distance of each voxel to the nearest one that is `source`.
fn distances(columns: usize, rows: usize, [dx, dy]: [f64; 2], source: impl Fn(usize) -> bool) -> Vec<f64> {
    let mut field: Vec<f64> = (0..columns * rows).map(|at| if source(at) { 0.0 } else { FAR }).collect();
    let mut line = Vec::with_capacity(columns.max(rows));
    for row in field.chunks_exact_mut(columns) {
        line.clear();
        line.extend_from_slice(row);
        envelope(&line, dx, |at, value| row[at] = value);
    }
    for x in 0..columns {
        line.clear();
        line.extend((0..rows).map(|y| field[y * columns + x]));
        envelope(&line, dy, |at, value| field[at * columns + x] = value);
    }
    field
}

/// `min over q of (step (p - q))^2 + f(q)` for every p.
fn envelope(f: &[f64], step: f64, mut put: impl FnMut(usize, f64)) {
    let height = |q: usize| f[q] + (step * q as f64).powi(2);
    // Parabolas of the envelope and where each begins, in steps.
    let mut roots: Vec<(usize, f64)> = Vec::with_capacity(f.len());
    for q in 0..f.len() {
        let mut begins = f64::NEG_INFINITY;
        while let Some((r, start)) = roots.last().copied() {
            let cross = (height(q) - height(r)) / (2.0 * step * step * (q - r) as f64);
            if cross > start {
                begins = cross;
                break;
            }
            roots.pop();
        }
        roots.push((q, begins));
    }
    let mut at = 0;
    for p in 0..f.len() {
        while roots.get(at + 1).is_some_and(|(_, start)| *start < p as f64) {
            at += 1;
        }
        let Some((q, _)) = roots.get(at).copied() else { break };
        put(p, ((step * (p as f64 - q as f64)).powi(2) + f[q]).min(FAR));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_the_search_over_all_pairs() {
        let (columns, rows, spacing) = (13, 9, [0.75, 2.5]);
        let mut seed = 7u32;
        for _ in 0..20 {
            let set: Vec<bool> = (0..columns * rows)
                .map(|_| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    seed >> 24 > 180
                })
                .collect();
            let got = signed(columns, rows, spacing, &set);
            for at in 0..set.len() {
                let away = |to: usize| {
                    let x = (at % columns) as f64 - (to % columns) as f64;
                    let y = (at / columns) as f64 - (to / columns) as f64;
                    (x * spacing[0]).hypot(y * spacing[1])
                };
                let nearest = (0..set.len()).filter(|to| set[*to] != set[at]).map(away).fold(1e6, f64::min);
                let want = if set[at] { nearest } else { -nearest };
                assert!((got[at] - want).abs() < 1e-9, "{at}: {} {want}", got[at]);
            }
        }
    }

    #[test]
    fn a_slice_without_a_border_is_endlessly_far() {
        assert!(signed(3, 2, [1.0; 2], &[true; 6]).iter().all(|d| *d >= 1e5));
        assert!(signed(3, 2, [1.0; 2], &[false; 6]).iter().all(|d| *d <= -1e5));
    }
}
