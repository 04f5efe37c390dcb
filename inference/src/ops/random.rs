//! RandomNormal, RandomUniform, their -Like forms, Bernoulli and Multinomial.
//!
//! The standard fixes the distribution and not the numbers. They come from SplitMix64: small, seedable, and good enough
//! for noise in a network. Without a seed every run draws others.

use std::sync::atomic::{AtomicU64, Ordering};

use super::element::count;
use super::numbers::{floats, from_floats, from_integers};
use super::{Attributes, Inferred, Kernel, Known, Op, OpError, known, required};
use crate::onnx;
use crate::tensor::{DType, Tensor, TensorInfo};

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Draw {
    /// Mean and deviation.
    Normal(f64, f64),
    /// Lower and upper bound.
    Uniform(f64, f64),
    /// 1 as often as the input says.
    Bernoulli,
    /// That many classes per row, as often as exp of the input says.
    Multinomial(usize),
}

/// Random numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Random {
    draw: Draw,
    /// Of the output; `None` as the input's.
    shape: Option<Vec<usize>>,
    dtype: Option<DType>,
    seed: Option<f32>,
}

fn named(a: &Attributes<'_>) -> Result<Option<DType>, OpError> {
    let number = a.maybe_int("dtype")?;
    number.map(|n| onnx::dtype(n).ok_or_else(|| OpError::unsupported(format!("dtype {n}")))).transpose()
}

fn op(
    a: &Attributes<'_>,
    draw: Draw,
    shape: Option<Vec<usize>>,
    dtype: Option<DType>,
) -> Result<Op, OpError> {
    Ok(Op::host(Random { draw, shape, dtype, seed: a.maybe_float("seed")? }))
}

pub fn parse_random(a: &Attributes<'_>) -> Result<Op, OpError> {
    let draw = if a.op_type().starts_with("RandomNormal") {
        Draw::Normal(a.float("mean", 0.0)?.into(), a.float("scale", 1.0)?.into())
    } else {
        Draw::Uniform(a.float("low", 0.0)?.into(), a.float("high", 1.0)?.into())
    };
    if a.op_type().ends_with("Like") {
        return op(a, draw, None, named(a)?);
    }
    let shape = a.ints("shape")?;
    let fault = |_| OpError::invalid(format!("shape is {shape:?}"));
    let extents = shape.iter().map(|&e| usize::try_from(e)).collect::<Result<_, _>>().map_err(fault)?;
    op(a, draw, Some(extents), Some(named(a)?.unwrap_or(DType::F32)))
}

pub fn parse_bernoulli(a: &Attributes<'_>) -> Result<Op, OpError> {
    op(a, Draw::Bernoulli, None, named(a)?)
}

pub fn parse_multinomial(a: &Attributes<'_>) -> Result<Op, OpError> {
    let size = a.int("sample_size", 1)?;
    let size = usize::try_from(size).map_err(|_| OpError::invalid(format!("sample_size is {size}")))?;
    op(a, Draw::Multinomial(size), None, Some(named(a)?.unwrap_or(DType::I32)))
}

/// https://prng.di.unimi.it/splitmix64.c
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// At least 0 and below 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Box and Muller's.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}

impl Random {
    fn info(&self, input: Option<&TensorInfo>) -> Result<TensorInfo, OpError> {
        let shape = match (&self.shape, self.draw, input) {
            (Some(shape), ..) => shape.clone(),
            (None, Draw::Multinomial(size), Some(input)) => match input.shape[..] {
                [rows, _] => vec![rows, size],
                _ => return Err(OpError::invalid(format!("{:?} are no rows of classes", input.shape))),
            },
            (None, _, Some(input)) => input.shape.clone(),
            (None, _, None) => return Err(OpError::Missing { input: 0 }),
        };
        let dtype = self.dtype.or(input.map(|input| input.dtype)).ok_or(OpError::Missing { input: 0 })?;
        Ok(TensorInfo { dtype, shape })
    }
}

impl Kernel for Random {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let input = if self.shape.is_some() { None } else { Some(known(inputs, 0)?.info) };
        Ok(Some(vec![self.info(input)?]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        static DRAWN: AtomicU64 = AtomicU64::new(1);
        let input = if self.shape.is_some() { None } else { Some(required(inputs, 0)?) };
        let TensorInfo { dtype, shape } = self.info(input.map(Tensor::info).as_ref())?;
        let seed = match self.seed {
            Some(seed) => u64::from(seed.to_bits()),
            None => DRAWN.fetch_add(0x2545_f491_4f6c_dd1d, Ordering::Relaxed),
        };
        let mut random = SplitMix(seed);
        let n = count(&shape)?;
        let values: Vec<f64> = match self.draw {
            Draw::Normal(mean, deviation) => (0..n).map(|_| mean + deviation * random.normal()).collect(),
            Draw::Uniform(low, high) => (0..n).map(|_| low + (high - low) * random.unit()).collect(),
            Draw::Bernoulli => {
                let shares = floats(required(inputs, 0)?, "the shares")?;
                shares.into_iter().map(|share| if random.unit() < share { 1.0 } else { 0.0 }).collect()
            }
            Draw::Multinomial(size) => {
                let input = required(inputs, 0)?;
                let classes = input.shape().last().copied().unwrap_or(0);
                if classes == 0 {
                    return Err(OpError::invalid("there is no class to draw"));
                }
                let mut drawn = Vec::with_capacity(n);
                for row in floats(input, "the logarithms")?.chunks_exact(classes) {
                    let most = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                    let shares: Vec<f64> = row.iter().map(|x| (x - most).exp()).collect();
                    let total: f64 = shares.iter().sum();
                    for _ in 0..size {
                        let mut left = random.unit() * total;
                        let class = shares.iter().position(|share| {
                            left -= share;
                            left < 0.0
                        });
                        drawn.push(class.unwrap_or(classes - 1) as f64);
                    }
                }
                drawn
            }
        };
        Ok(vec![match dtype {
            DType::F32 | DType::F64 | DType::F16 | DType::BF16 => from_floats(shape, values, dtype)?,
            DType::Bool => {
                Tensor::new(shape, crate::Data::Bool(values.into_iter().map(|x| x != 0.0).collect()))?
            }
            _ => from_integers(shape, values.into_iter().map(|x| x as i64).collect(), dtype)?,
        }])
    }

    fn random(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_numbers_have_their_mean_and_deviation() {
        let mut random = SplitMix(7);
        let values: Vec<f64> = (0..20_000).map(|_| random.normal()).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let square = values.iter().map(|x| x * x).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.03 && (square - 1.0).abs() < 0.05, "mean {mean}, mean square {square}");
    }
}
