//! From signal to concentration, a block of voxels at a time.
//!
//! CT is linear in iodine, so the baseline is subtracted; a T2*-weighted signal decays with concentration, so its
//! logarithm is taken. Negative concentrations stay: clipping them would bias voxels of low signal.

use crate::curves::{LANES, Reject};
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
        let mut out =
            Converted { rejected: [Reject::None; LANES], baseline: [0.0; LANES], noise: [0.0; LANES] };
        let count = self.baseline.clamp(1, block.len() / LANES);
        for lane in 0..LANES {
            let at = |block: &[f32], t: usize| block[t * LANES + lane];
            let samples = block.len() / LANES;
            let first = at(block, 0);
            let all = || (0..samples).map(|t| at(block, t));
            let finite = |b: &[f32]| (0..samples).all(|t| at(b, t).is_finite());
            let s0 = (0..count).map(|t| f64::from(at(block, t))).sum::<f64>() / count as f64;
            let s1 =
                second.map_or(1.0, |b| (0..count).map(|t| f64::from(at(b, t))).sum::<f64>() / count as f64);
            let positive = |b: &[f32]| (0..samples).all(|t| at(b, t) > 0.0);
            out.rejected[lane] = if !finite(block) || !second.is_none_or(finite) {
                Reject::NoMeasurement
            } else if all().all(|v| v == first) {
                Reject::Constant
            } else if self.kind == Kind::Dsc && (s0 <= 0.0 || s1 <= 0.0) {
                Reject::ZeroBaseline
            } else if self.kind == Kind::Dsc && !(positive(block) && second.is_none_or(positive)) {
                Reject::NotPositive
            } else {
                Reject::None
            };
            out.baseline[lane] = s0 as f32;
            if out.rejected[lane] != Reject::None {
                (0..samples).for_each(|t| block[t * LANES + lane] = 0.0);
                out.baseline[lane] = if s0.is_finite() { s0 as f32 } else { 0.0 };
                continue;
            }
            for t in 0..samples {
                let value = &mut block[t * LANES + lane];
                let s = f64::from(*value);
                *value = match (self.kind, self.te_s.as_slice(), second) {
                    (Kind::Ct, _, _) => s - s0,
                    (Kind::Concentration, _, _) => s,
                    // OSIPI dsc: (1 / (TE2 - TE1)) ln((S1 / S1b) / (S2 / S2b)): T1 cancels.
                    (Kind::Dsc, [first, last], Some(b)) => {
                        let quotient = (s / s0) / (f64::from(at(b, t)) / s1);
                        self.factor / (last - first) * quotient.ln()
                    }
                    (Kind::Dsc, te, _) => -self.factor / te.first().copied().unwrap_or(1.0) * (s / s0).ln(),
                } as f32;
            }
            let before = || (0..count).map(|t| f64::from(at(block, t)));
            let mean = before().sum::<f64>() / count as f64;
            let variance = before().map(|v| (v - mean).powi(2)).sum::<f64>() / (count - 1).max(1) as f64;
            out.noise[lane] = variance.sqrt() as f32;
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
