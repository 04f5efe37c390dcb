//! The twin: the plainest loops in f64, a voxel at a time.
//!
//! Where rounding decides (a residue function that oscillates just as much as is allowed, two corners that bend alike)
//! it gives both answers; a kernel in f32 may choose either.

use super::{Method, Operator, POINTS};

/// Share of a limit within which f32 may see either side of it.
const ROUNDING: f64 = 1e-4;
/// Sine of an angle that f32 may take for another.
const ANGLE: f64 = 5e-4;

/// Residue functions of a curve: the first is the answer, the others are those of choices that differ by rounding.
pub fn run(method: &Method, curve: &[f64]) -> Vec<Vec<f64>> {
    match method {
        Method::Linear(operator) => vec![product(operator, curve)],
        Method::Ladder { rungs, limit } => ladder(rungs, *limit, curve),
        Method::Corner { rungs, spectrum, weights } => {
            corners(spectrum, weights, curve).into_iter().map(|i| product(&rungs[i], curve)).collect()
        }
        Method::Lucy { psf, iterations, scale } => vec![lucy(psf, *iterations, *scale, curve)],
    }
}

fn product(operator: &Operator, curve: &[f64]) -> Vec<f64> {
    let rows = operator.entries.chunks_exact(operator.columns);
    rows.map(|row| row.iter().zip(curve).map(|(a, c)| a * c).sum()).collect()
}

fn ladder(rungs: &[Operator], limit: f64, curve: &[f64]) -> Vec<Vec<f64>> {
    let (mut exact, mut others) = (None, Vec::new());
    for (i, rung) in rungs.iter().enumerate() {
        let residue = product(rung, curve);
        let max = residue.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let bent: f64 = residue.windows(3).map(|w| (w[2] - 2.0 * w[1] + w[0]).abs()).sum();
        // Wu 2003: (1 / L) (1 / max k) sum |k[i] - 2 k[i-1] + k[i-2]|.
        let allowed = limit * residue.len() as f64 * max;
        let smooth = max > 0.0 && bent < allowed;
        let unsure = max > 0.0 && (bent - allowed).abs() < ROUNDING * allowed;
        let ends = smooth || i + 1 == rungs.len();
        if ends && exact.is_none() {
            exact = Some(residue);
        } else if ends || unsure {
            others.push(residue);
        }
        if ends && !unsure {
            break;
        }
    }
    exact.into_iter().chain(others).collect()
}

/// Indices of the point where the L-curve bends most (Hansen 1992), and of those that bend as much to rounding.
fn corners(spectrum: &Operator, weights: &[f64], curve: &[f64]) -> Vec<usize> {
    let parts = product(spectrum, curve);
    let (mut residual, mut solution) = ([0.0; POINTS], [0.0; POINTS]);
    for (pair, weights) in parts.chunks_exact(2).zip(weights.chunks_exact(2 * POINTS)) {
        let power = pair[0] * pair[0] + pair[1] * pair[1];
        for i in 0..POINTS {
            residual[i] += power * weights[i];
            solution[i] += power * weights[POINTS + i];
        }
    }
    let log = |v: f64| 0.5 * v.max(1e-37).ln();
    let points: Vec<[f64; 2]> = residual.iter().zip(&solution).map(|(r, s)| [log(*r), log(*s)]).collect();
    let bends: Vec<f64> = points
        .windows(3)
        .map(|w| {
            let (a, b) = ([w[1][0] - w[0][0], w[1][1] - w[0][1]], [w[2][0] - w[1][0], w[2][1] - w[1][1]]);
            (a[0] * b[1] - a[1] * b[0]) / (a[0].hypot(a[1]) * b[0].hypot(b[1])).max(1e-37)
        })
        .collect();
    let most = bends.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let best = bends.iter().position(|b| *b == most).unwrap_or(0);
    let near = (0..bends.len()).filter(|i| *i != best && bends[*i] > most - ANGLE);
    std::iter::once(best).chain(near).map(|i| i + 1).collect()
}

/// `x <- x P^T(c / (P x))`.
fn lucy(psf: &[f64], iterations: u32, scale: f64, curve: &[f64]) -> Vec<f64> {
    let n = psf.len();
    let mut x = vec![0.5; n];
    for _ in 0..iterations {
        let quotient: Vec<f64> = (0..n)
            .map(|i| curve[i].max(0.0) / ((0..=i).map(|j| psf[i - j] * x[j]).sum::<f64>() + 1e-12))
            .collect();
        for j in 0..n {
            x[j] *= (j..n).map(|i| psf[i - j] * quotient[i]).sum::<f64>();
        }
    }
    x.iter().map(|v| v * scale).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_rounding_decides_both_answers_are_given() {
        // Identity: the residue function is the curve, whose index is (1 + 2 + 1) / (5 * 1).
        let identity: Vec<f64> = (0..25).map(|i| f64::from(u8::from(i % 6 == 0))).collect();
        let half: Vec<f64> = identity.iter().map(|v| 0.5 * v + 0.1).collect();
        let rungs = [&identity, &half].map(|entries| Operator { columns: 5, entries }).to_vec();
        let curve = [0.0, 0.0, 1.0, 0.0, 0.0];
        let with = |limit| run(&Method::Ladder { rungs: rungs.clone(), limit }, &curve).len();
        assert_eq!([with(0.7), with(0.8 - 1e-6), with(0.8 + 1e-6), with(0.9)], [1, 2, 2, 1]);
    }
}
