//! Holds a kernel against its twin, case by case.
//!
//! Outputs are filled with a poison before a run, so "wrote nothing" differs from "wrote 0". Tests, the self-check page
//! and benches walk the same registry with the same comparison.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use half::f16;
use web_time::Instant;

use super::fault::GpuFault;
use super::memory::Block;
use super::recorder::Recorder;

/// What may differ, and why that much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Absolute.
    pub abs: f64,
    /// Relative to the wanted value.
    pub rel: f64,
    /// The reason.
    pub why: &'static str,
}

impl Tolerance {
    /// Words that are moved, not computed.
    pub(crate) const EXACT: Self = Self { abs: 0.0, rel: 0.0, why: "words are moved, nothing is rounded" };
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "abs {} rel {}", self.abs, self.rel)
    }
}

/// Elements as a kernel takes and gives them: one word each.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)] // WGSL's names
pub enum Words {
    F32(Vec<f32>),
    I32(Vec<i32>),
    U32(Vec<u32>),
    /// Half floats, two to a word.
    Halves(Vec<f32>),
}

impl Words {
    pub(crate) fn bits(&self) -> Vec<u32> {
        match self {
            Self::F32(v) => v.iter().map(|x| x.to_bits()).collect(),
            Self::I32(v) => v.iter().map(|&x| x as u32).collect(),
            Self::U32(v) => v.clone(),
            Self::Halves(v) => {
                let bits = |x: Option<&f32>| u32::from(x.map_or(0, |&x| f16::from_f32(x).to_bits()));
                v.chunks(2).map(|pair| bits(pair.first()) | bits(pair.get(1)) << 16).collect()
            }
        }
    }

    fn numbers(&self) -> Vec<f64> {
        match self {
            Self::F32(v) | Self::Halves(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::I32(v) => v.iter().map(|&x| f64::from(x)).collect(),
            Self::U32(v) => v.iter().map(|&x| f64::from(x)).collect(),
        }
    }

    /// The bits that came back, as what these are.
    fn alike(&self, bits: Vec<u32>) -> Self {
        match self {
            Self::F32(_) => Self::F32(bits.into_iter().map(f32::from_bits).collect()),
            Self::I32(_) => Self::I32(bits.into_iter().map(|x| x as i32).collect()),
            Self::U32(_) => Self::U32(bits),
            Self::Halves(v) => {
                let halves = bits.into_iter().flat_map(|word| [word as u16, (word >> 16) as u16]);
                Self::Halves(halves.take(v.len()).map(|bits| f16::from_bits(bits).to_f32()).collect())
            }
        }
    }

    /// Numbers as nearly as half floats have them, to be stored as such; anything else as it is.
    fn halved(&self) -> Self {
        match self {
            Self::F32(v) => Self::Halves(v.iter().map(|&x| f16::from_f32(x).to_f32()).collect()),
            other => other.clone(),
        }
    }

    /// The same numbers, stored a word each.
    fn in_words(&self) -> Self {
        if let Self::Halves(v) = self { Self::F32(v.clone()) } else { self.clone() }
    }

    /// As f32; nothing where they are something else.
    pub(crate) fn f32(&self) -> &[f32] {
        if let Self::F32(v) = self { v } else { &[] }
    }
}

/// One case of a kernel.
pub(crate) struct Case<J> {
    pub name: String,
    pub job: J,
    pub inputs: Vec<Words>,
}

/// A kernel: what it does (`record`), what that means (`twin`), on what that is tried.
pub(crate) trait Spec {
    type Job;
    fn cases() -> Vec<Case<Self::Job>>;
    fn record(rec: &mut Recorder, job: &Self::Job, inputs: &[Block], out: &Block) -> Result<(), GpuFault>;
    fn twin(job: &Self::Job, inputs: &[Words]) -> Words;
    /// Which inputs the kernel also takes as half floats, and then gives its numbers as such; none where it does not.
    /// The case is run both ways where the device can.
    fn halved(_: &Self::Job) -> &'static [usize] {
        &[]
    }
}

/// What became of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which case.
    pub case: String,
    /// Largest difference within the tolerance, or what differed or failed.
    pub result: Result<f64, String>,
    /// On the GPU, upload and read-back included.
    pub gpu_ms: f64,
    /// In the twin.
    pub cpu_ms: f64,
}

type Outcomes<'a> = Pin<Box<dyn Future<Output = Vec<Outcome>> + 'a>>;

/// One entry of the registry.
pub struct Kernel {
    /// Also the stem of its shader and its module.
    pub name: &'static str,
    /// What may differ from the twin.
    pub tolerance: Tolerance,
    /// Its shaders.
    pub shaders: &'static [shaders::Shader],
    /// Runs its cases on the GPU and in the twin and compares.
    pub check: for<'a> fn(&'a mut Recorder) -> Outcomes<'a>,
}

/// No result: a quiet NaN with this payload is nothing that arithmetic makes.
const POISON: u32 = 0x7fc0_dead;

pub(crate) async fn check<S: Spec>(rec: &mut Recorder, tolerance: Tolerance) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for case in S::cases() {
        let halved = S::halved(&case.job);
        let mut case = case;
        outcomes.push(outcome::<S>(rec, &tolerance, &case).await);
        if rec.gpu().has_f16() && !halved.is_empty() {
            for &at in halved {
                if let Some(input) = case.inputs.get_mut(at) {
                    *input = input.halved();
                }
            }
            case.name.push_str(", activations in halves");
            rec.in_halves(true);
            outcomes.push(outcome::<S>(rec, &tolerance, &case).await);
            rec.in_halves(false);
        }
    }
    outcomes
}

async fn outcome<S: Spec>(rec: &mut Recorder, tolerance: &Tolerance, case: &Case<S::Job>) -> Outcome {
    let start = Instant::now();
    let words: Vec<_> = case.inputs.iter().map(Words::in_words).collect();
    let want = S::twin(&case.job, &words);
    let want = if rec.halves() { want.halved() } else { want };
    let tolerance = &match want {
        // One unit of the last of 11 bits more: the rounding of a result may go either way.
        Words::Halves(_) => Tolerance { abs: tolerance.abs + 1e-6, rel: tolerance.rel + 1e-3, ..*tolerance },
        _ => *tolerance,
    };
    let cpu_ms = start.elapsed().as_secs_f64() * 1e3;
    let start = Instant::now();
    let got = run::<S>(rec, case, want.bits().len()).await;
    let gpu_ms = start.elapsed().as_secs_f64() * 1e3;
    let result = match got {
        Ok(bits) => compare(tolerance, &want.alike(bits).numbers(), &want.numbers()),
        Err(fault) => Err(fault.to_string()),
    };
    let result = result.map_err(|e| format!("{}: {e}", case.name));
    Outcome { result, case: case.name.clone(), gpu_ms, cpu_ms }
}

async fn run<S: Spec>(rec: &mut Recorder, case: &Case<S::Job>, words: usize) -> Result<Vec<u32>, GpuFault> {
    let mut blocks = Vec::new();
    for input in &case.inputs {
        blocks.push(rec.upload(&input.bits())?);
    }
    let out = rec.upload(&vec![POISON; words])?;
    S::record(rec, &case.job, &blocks, &out)?;
    rec.download(&out, words).await
}

/// The largest difference, or the first that is too large. NaN equals NaN only.
pub(crate) fn compare(tolerance: &Tolerance, got: &[f64], want: &[f64]) -> Result<f64, String> {
    if got.len() != want.len() {
        return Err(format!("got {} numbers, want {}", got.len(), want.len()));
    }
    let mut largest: f64 = 0.0;
    let mut first = None;
    let mut differing = 0;
    for (i, (&got, &want)) in got.iter().zip(want).enumerate() {
        if got == want || got.is_nan() && want.is_nan() {
            continue;
        }
        let difference = (got - want).abs();
        let allowed = tolerance.abs + tolerance.rel * want.abs();
        // Written so that a NaN on one side is a difference.
        if difference <= allowed && want.is_finite() {
            largest = largest.max(difference);
        } else {
            differing += 1;
            first.get_or_insert(format!("at {i}: got {got}, want {want}, allowed {allowed}"));
        }
    }
    match first {
        None => Ok(largest),
        Some(first) => Err(format!("{first} ({differing} of {} differ more than allowed)", want.len())),
    }
}

/// Numbers between -1 and 1 that repeat from run to run (a linear congruence; Knuth's constants).
pub(crate) fn noise(seed: u32, many: usize) -> Vec<f32> {
    let mut state = u64::from(seed) << 32 | 0x5bd1_e995;
    (0..many)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) as f32 / (1u64 << 23) as f32) - 1.0
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIGHT: Tolerance = Tolerance { abs: 1e-6, rel: 1e-3, why: "test" };

    #[test]
    fn a_planted_difference_a_missing_number_and_an_unwritten_one_are_found() {
        let want = [1.0, 2.0, 3.0];
        assert_eq!(compare(&TIGHT, &want, &want), Ok(0.0));
        assert!(compare(&TIGHT, &[1.0, 2.0, 3.01], &want).unwrap_err().contains("at 2: got 3.01, want 3"));
        assert!(compare(&TIGHT, &[1.0, 2.0], &want).is_err());
        assert!(compare(&TIGHT, &[1.0, 2.0, f64::from(f32::from_bits(POISON))], &want).is_err());
        assert!(compare(&TIGHT, &[0.0; 3], &want).is_err(), "an answer of zeros");
        assert!(compare(&TIGHT, &[1.0], &[f64::INFINITY]).is_err());
        assert_eq!(compare(&TIGHT, &[f64::NAN], &[f64::NAN]), Ok(0.0));
    }

    #[test]
    fn noise_is_spread_and_repeats() {
        let a = noise(1, 1000);
        assert_eq!(a, noise(1, 1000));
        assert_ne!(a, noise(2, 1000));
        let mean = a.iter().sum::<f32>() / 1000.0;
        assert!(mean.abs() < 0.1 && a.iter().all(|x| x.abs() <= 1.0));
    }
}
