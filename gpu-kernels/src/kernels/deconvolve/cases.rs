//! Curves and matrices that the GPU must treat like the twin: odd sizes, every method, curves without a peak.
//!
//! The matrices are those of a real artery, made by the plainest transform; what matters here is that they are
//! applied, not where they come from.

use std::f64::consts::TAU;

use super::{Method, Operator, POINTS};
use crate::kernels::Extent;
use crate::kernels::shapes::scatter;

/// Matrices, owned.
enum Owned {
    Linear(Vec<f64>),
    Ladder { rungs: Vec<Vec<f64>>, limit: f64 },
    Corner { rungs: Vec<Vec<f64>>, spectrum: Vec<f64>, weights: Vec<f64> },
    Lucy { psf: Vec<f64>, iterations: u32 },
}

/// Curves to deconvolve.
pub struct Case {
    /// Told when it fails.
    pub name: String,
    /// By voxel.
    pub curves: Vec<Vec<f64>>,
    method: Owned,
}

impl Case {
    /// Of a curve.
    pub fn samples(&self) -> usize {
        self.curves.first().map_or(0, Vec::len)
    }

    /// How.
    pub fn method(&self) -> Method<'_> {
        fn operator(columns: usize, entries: &[f64]) -> Operator<'_> {
            Operator { columns, entries }
        }
        fn all(columns: usize, rungs: &[Vec<f64>]) -> Vec<Operator<'_>> {
            rungs.iter().map(|entries| operator(columns, entries)).collect()
        }
        let columns = self.samples();
        match &self.method {
            Owned::Linear(entries) => Method::Linear(operator(columns, entries)),
            Owned::Ladder { rungs, limit } => Method::Ladder { rungs: all(columns, rungs), limit: *limit },
            Owned::Corner { rungs, spectrum, weights } => {
                Method::Corner { rungs: all(columns, rungs), spectrum: operator(columns, spectrum), weights }
            }
            Owned::Lucy { psf, iterations } => Method::Lucy { psf, iterations: *iterations, scale: 0.7 },
        }
    }
}

/// Arterial curve: `t^3 exp(-t / 1.5)` after a tenth of the record, of area 1.
fn artery(samples: usize) -> Vec<f64> {
    let value = |i: usize| {
        let u = i as f64 - samples as f64 / 10.0;
        if u > 0.0 { u.powi(3) * (-u / 1.5).exp() } else { 0.0 }
    };
    let mut out: Vec<f64> = (0..samples).map(value).collect();
    let sum: f64 = out.iter().sum::<f64>().max(1e-3);
    out.iter_mut().for_each(|v| *v /= sum);
    if samples < 3 {
        out[0] = 1.0;
    }
    out
}

/// Real and imaginary parts of the transform of a curve that is padded to twice its length, up to the highest
/// frequency.
fn spectrum(samples: usize) -> Vec<f64> {
    let length = 2 * samples;
    let row = |row: usize| {
        let (f, imaginary) = (row / 2, row % 2 == 1);
        (0..samples).map(move |t| {
            let angle = TAU * ((f * t) % length) as f64 / length as f64;
            if imaginary { -angle.sin() } else { angle.cos() }
        })
    };
    (0..2 * (samples + 1)).flat_map(row).collect()
}

/// Real and imaginary part of the artery by frequency.
fn transform(artery: &[f64]) -> Vec<[f64; 2]> {
    let rows = spectrum(artery.len());
    let sums: Vec<f64> =
        rows.chunks_exact(artery.len()).map(|r| r.iter().zip(artery).map(|(a, b)| a * b).sum()).collect();
    sums.chunks_exact(2).map(|p| [p[0], p[1]]).collect()
}

/// The circulant inverse of the artery with a filter of its singular values.
fn inverse(artery: &[f64], filter: impl Fn(f64) -> f64) -> Vec<f64> {
    let (samples, length) = (artery.len(), 2 * artery.len());
    let bins = transform(artery);
    let kernel: Vec<f64> = (0..length)
        .map(|t| {
            let term = |(f, [re, im]): (usize, &[f64; 2])| {
                let s = re.hypot(*im);
                let angle = TAU * ((f * t) % length) as f64 / length as f64;
                let times = if f == 0 || f == samples { 1.0 } else { 2.0 };
                // Of conj(a) exp(i angle), the real part.
                if s > 0.0 { times * filter(s) / s * (re * angle.cos() + im * angle.sin()) } else { 0.0 }
            };
            bins.iter().enumerate().map(term).sum::<f64>() / length as f64
        })
        .collect();
    (0..length * samples).map(|i| kernel[(i / samples + length - i % samples) % length]).collect()
}

/// Tissue of many transit times and delays, with noise; one curve of zeros and one that is only negative.
fn curves(samples: usize, count: usize) -> Vec<Vec<f64>> {
    let artery = artery(samples);
    (0..count)
        .map(|v| {
            let transit = 2.0 + (v % 11) as f64;
            let delay = v % 4;
            let flow = [0.02, 0.01, 0.004, 0.0][v % 4] + 1e-3;
            let noise = [0.0, 1e-4, 4e-4, 8e-4][v / 4 % 4];
            let tissue = |t: usize| {
                let sum: f64 = (0..=t)
                    .filter(|j| t - j >= delay)
                    .map(|j| artery[j] * (-((t - j - delay) as f64) / transit).exp())
                    .sum();
                let random = f64::from(scatter((v * samples + t) as u32) % 2001) / 1000.0 - 1.0;
                flow * sum + noise * random
            };
            // As the device holds it.
            let held = |value: f64| f64::from(value as f32);
            match v {
                5 => vec![0.0; samples],
                6 => (0..samples).map(|t| held(-tissue(t).abs() - 1e-3)).collect(),
                _ => (0..samples).map(|t| held(tissue(t))).collect(),
            }
        })
        .collect()
}

fn largest(artery: &[f64]) -> f64 {
    transform(artery).iter().map(|[re, im]| re.hypot(*im)).fold(0.0, f64::max)
}

fn linear(samples: usize) -> Owned {
    let artery = artery(samples);
    let limit = 0.1 * largest(&artery);
    Owned::Linear(inverse(&artery, |s| if s >= limit { 1.0 / s } else { 0.0 }))
}

/// Fewer rows than a circulant matrix, as the standard method has.
fn square(samples: usize) -> Owned {
    let Owned::Linear(mut entries) = linear(samples) else { return Owned::Linear(Vec::new()) };
    entries.truncate(samples * samples);
    Owned::Linear(entries)
}

fn ladder(samples: usize, limit: f64) -> Owned {
    let artery = artery(samples);
    let largest = largest(&artery);
    let rung = |i: usize| {
        let least = 0.05 * i as f64 * largest;
        inverse(&artery, |s| if s >= least { 1.0 / s } else { 0.0 })
    };
    Owned::Ladder { rungs: (1..20).map(rung).collect(), limit }
}

fn corner(samples: usize) -> Owned {
    let artery = artery(samples);
    let largest = largest(&artery);
    let lambda = |i: usize| largest * 10f64.powf(-2.0 + 2.0 * i as f64 / (POINTS - 1) as f64);
    let rungs = (0..POINTS).map(|i| inverse(&artery, |s| s / (s * s + lambda(i).powi(2)))).collect();
    let bins = transform(&artery);
    let weights = bins.iter().enumerate().flat_map(|(f, [re, im])| {
        let s = re.hypot(*im);
        let times = if f == 0 || f == samples { 1.0 } else { 2.0 };
        let residual = move |i| times * ((lambda(i).powi(2) / (s * s + lambda(i).powi(2))).powi(2) + 1e-10);
        let solution = move |i| times * (s / (s * s + lambda(i).powi(2))).powi(2);
        (0..POINTS).map(residual).chain((0..POINTS).map(solution)).collect::<Vec<_>>()
    });
    Owned::Corner { rungs, spectrum: spectrum(samples), weights: weights.collect() }
}

fn lucy(samples: usize, iterations: u32) -> Owned {
    Owned::Lucy { psf: artery(samples), iterations }
}

/// All cases.
pub fn cases(extent: Extent) -> Vec<Case> {
    let case = |name: &str, samples, count, method| Case {
        name: format!("{name}, {samples} samples, {count} voxels"),
        curves: curves(samples, count),
        method,
    };
    let mut out = vec![
        case("circulant", 45, 70, linear(45)),
        case("square", 45, 33, square(45)),
        case("ladder", 23, 70, ladder(23, 0.035)),
        case("corner", 23, 70, corner(23)),
        case("Lucy-Richardson", 23, 70, lucy(23, 10)),
        case("circulant", 17, 1, linear(17)),
    ];
    if extent == Extent::All {
        // Rows that fill whole tiles, one more and one less; whole blocks and groups, one more and one less.
        for samples in [8, 15, 16, 17, 24] {
            out.push(case("circulant", samples, 64, linear(samples)));
            out.push(case("square", samples, 65, square(samples)));
            out.push(case("Lucy-Richardson", samples, 31, lucy(samples, 3)));
            out.push(case("corner", samples, 32, corner(samples)));
        }
        out.push(case("ladder that nobody leaves", 24, 200, ladder(24, 1e-9)));
        out.push(case("ladder that all leave at once", 24, 200, ladder(24, 1e9)));
        out.push(case("ladder", 60, 1001, ladder(60, 0.035)));
        out.push(case("ladder", 31, 513, ladder(31, 0.095)));
        out.push(case("corner", 60, 501, corner(60)));
        out.push(case("Lucy-Richardson", 60, 257, lucy(60, 20)));
        out.push(case("circulant", 60, 3001, linear(60)));
        out.push(case("long record", 200, 40, linear(200)));
    }
    out
}
