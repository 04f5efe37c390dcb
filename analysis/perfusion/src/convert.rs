//! From signal to concentration, a block of voxels at a time.
//!
//! CT is linear in iodine, so the baseline is subtracted; a T2*-weighted signal decays with concentration, so its
//! logarithm is taken. Negative concentrations stay: clipping them would bias voxels of low signal.

use fearless_simd::{Simd, dispatch};

use crate::curves::{LANES, Reject};
use crate::level;
use crate::series::Kind;

/// How samples become concentration.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Conversion {
    pub kind: Kind,
    /// Samples of the baseline.
    pub baseline: usize,
    /// 1 or 2 echoes, s; empty where no echo is needed.
    pub te_s: Vec<f64>,
    /// `k` of `-(k / TE) ln(S / S0)`
    pub factor: f64,
}

/// What conversion found out about the lanes of a block.
#[derive(Clone, Debug)]
pub(crate) struct Converted {
    pub rejected: [Reject; LANES],
    /// Mean signal of the baseline.
    pub baseline: [f32; LANES],
    /// Standard deviation over the baseline, in concentration.
    pub noise: [f32; LANES],
}

impl Conversion {
    /// Turns `samples` rows of lanes into concentration in place; `second` are those of the second echo.
    pub fn run(&self, block: &mut [f32], second: Option<&[f32]>) -> Converted {
        dispatch!(level(), simd => simd.vectorize(
            #[inline(always)]
            || self.run_on(block, second),
        ))
    }

    #[inline(always)]
    fn run_on(&self, block: &mut [f32], second: Option<&[f32]>) -> Converted {
        let mut out =
            Converted { rejected: [Reject::None; LANES], baseline: [0.0; LANES], noise: [0.0; LANES] };
        let count = self.baseline.clamp(1, block.len() / LANES);
        let first = Seen::of(block, count);
        let other = second.map(|b| Seen::of(b, count));
        for lane in 0..LANES {
            let others = |test: &dyn Fn(&Seen) -> bool| other.as_ref().is_none_or(test);
            let (s0, dsc) = (first.baseline[lane], self.kind == Kind::Dsc);
            out.rejected[lane] = if !first.finite[lane] || !others(&|o| o.finite[lane]) {
                Reject::NoMeasurement
            } else if first.lowest[lane] == first.highest[lane] {
                Reject::Constant
            } else if dsc && (s0 <= 0.0 || !others(&|o| o.baseline[lane] > 0.0)) {
                Reject::ZeroBaseline
            } else if dsc && !(first.lowest[lane] > 0.0 && others(&|o| o.lowest[lane] > 0.0)) {
                Reject::NotPositive
            } else {
                Reject::None
            };
            out.baseline[lane] = if s0.is_finite() { s0 as f32 } else { 0.0 };
        }
        let s0 = first.baseline;
        match (self.kind, self.te_s.as_slice(), second, &other) {
            (Kind::Ct, ..) => {
                for row in block.chunks_exact_mut(LANES) {
                    row.iter_mut().zip(&s0).for_each(|(v, s0)| *v = (f64::from(*v) - s0) as f32);
                }
            }
            (Kind::Concentration, ..) => {}
            // OSIPI dsc: (1 / (TE2 - TE1)) ln((S1 / S1b) / (S2 / S2b)): T1 cancels.
            (Kind::Dsc, [te_1, te_2], Some(b), Some(o)) => {
                let factor = self.factor / (te_2 - te_1);
                for (row, b) in block.chunks_exact_mut(LANES).zip(b.chunks_exact(LANES)) {
                    for lane in 0..LANES {
                        let quotient =
                            (f64::from(row[lane]) / s0[lane]) / (f64::from(b[lane]) / o.baseline[lane]);
                        row[lane] = (factor * quotient.ln()) as f32;
                    }
                }
            }
            (Kind::Dsc, te, ..) => {
                let factor = -self.factor / te.first().copied().unwrap_or(1.0);
                for row in block.chunks_exact_mut(LANES) {
                    for lane in 0..LANES {
                        row[lane] = (factor * (f64::from(row[lane]) / s0[lane]).ln()) as f32;
                    }
                }
            }
        }
        for lane in (0..LANES).filter(|lane| out.rejected[*lane] != Reject::None) {
            block.iter_mut().skip(lane).step_by(LANES).for_each(|v| *v = 0.0);
        }
        let before = &block[..count * LANES];
        let (mut mean, mut squares) = ([0.0f64; LANES], [0.0f64; LANES]);
        for row in before.chunks_exact(LANES) {
            mean.iter_mut().zip(row).for_each(|(m, v)| *m += f64::from(*v) / count as f64);
        }
        for row in before.chunks_exact(LANES) {
            for lane in 0..LANES {
                squares[lane] += (f64::from(row[lane]) - mean[lane]).powi(2);
            }
        }
        for (noise, squares) in out.noise.iter_mut().zip(squares) {
            *noise = (squares / (count - 1).max(1) as f64).sqrt() as f32;
        }
        out
    }

    /// The sign and scale that make a raw signal rise with contrast, for finding the bolus.
    pub fn rising(kind: Kind, signal: &[f64]) -> Vec<f64> {
        match kind {
            Kind::Ct | Kind::Concentration => signal.to_vec(),
            Kind::Dsc => {
                let s0 = signal.iter().take(3).sum::<f64>() / 3.0;
                // A lower bound for the logarithm: this curve only tells when, not how much.
                signal.iter().map(|s| -(s / s0).max(1e-3).ln()).collect()
            }
        }
    }
}

/// What the samples of each lane are, before anything is done with them.
struct Seen {
    finite: [bool; LANES],
    lowest: [f32; LANES],
    highest: [f32; LANES],
    /// Mean over the baseline.
    baseline: [f64; LANES],
}

impl Seen {
    #[inline(always)]
    fn of(block: &[f32], count: usize) -> Self {
        let (mut lowest, mut highest) = ([f32::INFINITY; LANES], [f32::NEG_INFINITY; LANES]);
        // 0 times a number is 0, times anything else it is none.
        let (mut nothing, mut sum) = ([0.0f32; LANES], [0.0f64; LANES]);
        for (t, row) in block.chunks_exact(LANES).enumerate() {
            for lane in 0..LANES {
                let v = row[lane];
                nothing[lane] += 0.0 * v;
                lowest[lane] = if v < lowest[lane] { v } else { lowest[lane] };
                highest[lane] = if v > highest[lane] { v } else { highest[lane] };
            }
            if t < count {
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += f64::from(*v));
            }
        }
        Self { finite: nothing.map(|v| v == 0.0), lowest, highest, baseline: sum.map(|s| s / count as f64) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(curves: &[Vec<f32>]) -> Vec<f32> {
        let mut out = vec![0.0; curves[0].len() * LANES];
        for lane in 0..LANES {
            let curve = &curves[lane % curves.len()];
            curve.iter().enumerate().for_each(|(t, v)| out[t * LANES + lane] = *v);
        }
        out
    }

    fn conversion(kind: Kind, te_s: &[f64]) -> Conversion {
        Conversion { kind, baseline: 3, te_s: te_s.to_vec(), factor: 1.0 }
    }

    #[test]
    fn a_dsc_signal_gives_back_its_concentration() {
        let truth = [0.0, 0.0, 0.0, 3.0, 12.0, 7.0, 1.0];
        let signal = |te: f64, t1: f64| -> Vec<f32> {
            truth.iter().map(|c| (100.0 * (1.0 + t1 * c) * (-te * c).exp()) as f32).collect()
        };
        let mut one = block(&[signal(0.03, 0.0)]);
        let converted = conversion(Kind::Dsc, &[0.03]).run(&mut one, None);
        assert_eq!(converted.rejected[5], Reject::None);
        assert!((converted.baseline[5] - 100.0).abs() < 1e-4 && converted.noise[5] < 1e-4);
        // With T1 enhancement, which two echoes cancel and one does not.
        let (mut first, second) = (block(&[signal(0.01, 0.05)]), block(&[signal(0.03, 0.05)]));
        let mut alone = second.clone();
        conversion(Kind::Dsc, &[0.01, 0.03]).run(&mut first, Some(&second));
        conversion(Kind::Dsc, &[0.03]).run(&mut alone, None);
        for (t, want) in truth.iter().enumerate() {
            assert!((f64::from(one[t * LANES]) - want).abs() < 1e-3);
            assert!((f64::from(first[t * LANES + 7]) - want).abs() < 1e-3);
        }
        assert!((f64::from(alone[4 * LANES]) - 12.0).abs() > 1.0, "one echo sees T1 as well");
    }

    #[test]
    fn what_has_no_concentration_is_rejected_and_0() {
        let fine = vec![10.0, 10.0, 10.0, 6.0, 4.0, 8.0];
        let cases = [
            (vec![10.0, f32::NAN, 10.0, 6.0, 4.0, 8.0], Reject::NoMeasurement),
            (vec![10.0, 10.0, 10.0, 6.0, -4.0, 8.0], Reject::NotPositive),
            (vec![10.0, 10.0, 10.0, 6.0, 0.0, 8.0], Reject::NotPositive),
            (vec![0.0, 0.0, 0.0, 6.0, 4.0, 8.0], Reject::ZeroBaseline),
            (vec![5.0; 6], Reject::Constant),
            (fine, Reject::None),
        ];
        let curves: Vec<Vec<f32>> = cases.iter().map(|c| c.0.clone()).collect();
        let mut data = block(&curves);
        let converted = conversion(Kind::Dsc, &[0.03]).run(&mut data, None);
        for (lane, (_, want)) in cases.iter().enumerate() {
            assert_eq!(converted.rejected[lane], *want);
            let zero = (0..6).all(|t| data[t * LANES + lane] == 0.0);
            assert_eq!(zero, *want != Reject::None);
        }
        assert!(data.iter().all(|v| v.is_finite()));
        let mut ct = block(&[vec![-3.0, -2.0, -1.0, 20.0, 10.0, 0.0]]);
        conversion(Kind::Ct, &[]).run(&mut ct, None);
        assert_eq!([ct[0], ct[3 * LANES], ct[5 * LANES]], [-1.0, 22.0, 2.0]);
    }
}
