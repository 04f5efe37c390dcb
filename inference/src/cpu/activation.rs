//! Activations that cost nothing when they are applied before an output leaves its registers.
//!
//! Only those of a few instructions: the ones with an exponential are no faster fused, and stay operators of their own.

use fearless_simd::{Simd, prelude::*};

/// What is done to each output of a convolution or a matrix product, after the bias.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// Nothing.
    #[default]
    None,
    /// `min(max(x, low), high)`: Relu is `low = 0`, Relu6 has `high = 6`.
    Clip {
        /// Lower bound.
        low: f32,
        /// Upper bound.
        high: f32,
    },
    /// `x` where positive, `alpha · x` elsewhere.
    LeakyRelu {
        /// Slope of the negative side.
        alpha: f32,
    },
    /// `min(max(alpha · x + beta, 0), 1)`.
    HardSigmoid {
        /// Slope.
        alpha: f32,
        /// Offset.
        beta: f32,
    },
    /// `x · min(max(x / 6 + 1/2, 0), 1)`.
    HardSwish,
}

impl Activation {
    /// `max(x, 0)`.
    pub const RELU: Self = Self::Clip { low: 0.0, high: f32::INFINITY };

    /// Of one value; not a number stays so.
    pub fn of(self, x: f32) -> f32 {
        match self {
            Self::None => x,
            Self::Clip { low, high } => {
                let x = if x < low { low } else { x };
                if x > high { high } else { x }
            }
            Self::LeakyRelu { alpha } => {
                if x < 0.0 {
                    alpha * x
                } else {
                    x
                }
            }
            Self::HardSigmoid { alpha, beta } => Self::Clip { low: 0.0, high: 1.0 }.of(alpha * x + beta),
            Self::HardSwish => x * Self::Clip { low: 0.0, high: 1.0 }.of(x / 6.0 + 0.5),
        }
    }

    /// Of a vector. The bound comes first: `min` and `max` hand on their second operand where one is not a number.
    #[inline(always)]
    pub(super) fn of_vector<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let all = |value| S::f32s::splat(simd, value);
        match self {
            Self::None => x,
            Self::Clip { low, high } => all(high).min(all(low).max(x)),
            Self::LeakyRelu { alpha } => x.simd_lt(all(0.0)).select(x * all(alpha), x),
            Self::HardSigmoid { alpha, beta } => all(1.0).min(all(0.0).max(x.mul_add(all(alpha), all(beta)))),
            Self::HardSwish => x * all(1.0).min(all(0.0).max(x.mul_add(all(1.0 / 6.0), all(0.5)))),
        }
    }
}
