//! Functions of one element: activations, roundings, transcendental functions, tests.
//!
//! Each formula stands once, for f32 and f64 alike, above it the operator's text where that is not its name.

use crate::cpu::Smooth;
use crate::ops::element::halves_in_f32;
use crate::ops::{Attributes, Inferred, Kernel, Known, Op, OpError, known, required};
use crate::tensor::{DType, Data, Tensor, TensorInfo};

/// A function of one element with its constants.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // named as the operators
pub enum Unary {
    Abs,
    Neg,
    Sign,
    Ceil,
    Floor,
    Round,
    Sqrt,
    Exp,
    Log,
    Reciprocal,
    Erf,
    Sin,
    Cos,
    Tan,
    Asin,
    Acos,
    Atan,
    Sinh,
    Cosh,
    Tanh,
    Asinh,
    Acosh,
    Atanh,
    Relu,
    LeakyRelu { alpha: f32 },
    Elu { alpha: f32 },
    Selu { alpha: f32, gamma: f32 },
    Celu { alpha: f32 },
    Sigmoid,
    HardSigmoid { alpha: f32, beta: f32 },
    HardSwish,
    Swish { alpha: f32 },
    Mish,
    Gelu { tanh: bool },
    Softplus,
    Softsign,
    ThresholdedRelu { alpha: f32 },
    Shrink { bias: f32, lambd: f32 },
    Not,
    BitwiseNot,
    IsNaN,
    IsInf { negative: bool, positive: bool },
}

pub fn parse_unary(a: &Attributes<'_>) -> Result<Op, OpError> {
    use Unary::*;
    Ok(Op::Unary(match a.op_type() {
        "Abs" => Abs,
        "Neg" => Neg,
        "Sign" => Sign,
        "Ceil" => Ceil,
        "Floor" => Floor,
        "Round" => Round,
        "Sqrt" => Sqrt,
        "Exp" => Exp,
        "Log" => Log,
        "Reciprocal" => Reciprocal,
        "Erf" => Erf,
        "Sin" => Sin,
        "Cos" => Cos,
        "Tan" => Tan,
        "Asin" => Asin,
        "Acos" => Acos,
        "Atan" => Atan,
        "Sinh" => Sinh,
        "Cosh" => Cosh,
        "Tanh" => Tanh,
        "Asinh" => Asinh,
        "Acosh" => Acosh,
        "Atanh" => Atanh,
        "Relu" => Relu,
        "LeakyRelu" => LeakyRelu { alpha: a.float("alpha", 0.01)? },
        "Elu" => Elu { alpha: a.float("alpha", 1.0)? },
        // The defaults are the closest f32 to the constants of https://arxiv.org/abs/1706.02515.
        "Selu" => Selu { alpha: a.float("alpha", 1.673_263_2)?, gamma: a.float("gamma", 1.050_701)? },
        "Celu" => Celu { alpha: a.float("alpha", 1.0)? },
        "Sigmoid" => Sigmoid,
        "HardSigmoid" => HardSigmoid { alpha: a.float("alpha", 0.2)?, beta: a.float("beta", 0.5)? },
        "HardSwish" => HardSwish,
        "Swish" => Swish { alpha: a.float("alpha", 1.0)? },
        "Mish" => Mish,
        "Gelu" => match a.text("approximate", "none")? {
            "none" => Gelu { tanh: false },
            "tanh" => Gelu { tanh: true },
            other => return Err(OpError::invalid(format!("approximate is {other:?}, not none or tanh"))),
        },
        "Softplus" => Softplus,
        "Softsign" => Softsign,
        "ThresholdedRelu" => ThresholdedRelu { alpha: a.float("alpha", 1.0)? },
        "Shrink" => Shrink { bias: a.float("bias", 0.0)?, lambd: a.float("lambd", 0.5)? },
        "Not" => Not,
        "BitwiseNot" => BitwiseNot,
        "IsNaN" => IsNaN,
        "IsInf" => {
            IsInf { negative: a.flag("detect_negative", true)?, positive: a.flag("detect_positive", true)? }
        }
        other => return Err(OpError::unsupported(format!("operator {other}"))),
    }))
}

macro_rules! formula {
    ($name:ident, $t:ident, $erf:path) => {
        fn $name(self, x: $t) -> $t {
            use Unary::*;
            let c = |c: f32| $t::from(c);
            match self {
                Abs => x.abs(),
                Neg => -x,
                Sign if x > 0.0 => 1.0,
                Sign if x < 0.0 => -1.0,
                Sign => x * 0.0,
                Ceil => x.ceil(),
                Floor => x.floor(),
                Round => x.round_ties_even(),
                Sqrt => x.sqrt(),
                Exp => x.exp(),
                Log => x.ln(),
                Reciprocal => 1.0 / x,
                Erf => $erf(x),
                Sin => x.sin(),
                Cos => x.cos(),
                Tan => x.tan(),
                Asin => x.asin(),
                Acos => x.acos(),
                Atan => x.atan(),
                Sinh => x.sinh(),
                Cosh => x.cosh(),
                Tanh => x.tanh(),
                Asinh => x.asinh(),
                Acosh => x.acosh(),
                Atanh => x.atanh(),
                // A comparison, not max: NaN stays NaN.
                Relu => {
                    if x < 0.0 {
                        0.0
                    } else {
                        x
                    }
                }
                LeakyRelu { alpha } => {
                    if x < 0.0 {
                        c(alpha) * x
                    } else {
                        x
                    }
                }
                Elu { alpha } => {
                    if x < 0.0 {
                        c(alpha) * x.exp_m1()
                    } else {
                        x
                    }
                }
                Selu { alpha, gamma } => {
                    if x > 0.0 {
                        c(gamma) * x
                    } else {
                        c(gamma) * (c(alpha) * x.exp_m1())
                    }
                }
                // max(0, x) + min(0, alpha * (exp(x / alpha) - 1))
                Celu { alpha } => {
                    let below = c(alpha) * (x / c(alpha)).exp_m1();
                    (if x < 0.0 { 0.0 } else { x }) + if below > 0.0 { 0.0 } else { below }
                }
                Sigmoid => Self::sigmoid(x.into()) as $t,
                HardSigmoid { alpha, beta } => (c(alpha) * x + c(beta)).clamp(0.0, 1.0),
                // x * max(0, min(1, x / 6 + 0.5))
                HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
                Swish { alpha } => x * Self::sigmoid((c(alpha) * x).into()) as $t,
                Mish => x * Self::softplus(x.into()).tanh() as $t,
                // 0.5 * x * (1 + erf(x / sqrt(2)))
                Gelu { tanh: false } => 0.5 * x * (1.0 + $erf(x * std::$t::consts::FRAC_1_SQRT_2)),
                // 0.5 * x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x^3)))
                Gelu { tanh: true } => {
                    let inner = std::$t::consts::FRAC_2_SQRT_PI * std::$t::consts::FRAC_1_SQRT_2;
                    0.5 * x * (1.0 + (inner * (x + 0.044_715 * x * x * x)).tanh())
                }
                Softplus => Self::softplus(x.into()) as $t,
                Softsign => x / (1.0 + x.abs()),
                ThresholdedRelu { alpha } => {
                    if x > c(alpha) {
                        x
                    } else {
                        0.0
                    }
                }
                Shrink { bias, lambd } => {
                    if x < -c(lambd) {
                        x + c(bias)
                    } else if x > c(lambd) {
                        x - c(bias)
                    } else {
                        0.0
                    }
                }
                Not | BitwiseNot | IsNaN | IsInf { .. } => x,
            }
        }
    };
}

macro_rules! whole {
    ($v:expr, $t:ty, $kind:expr, $abs:expr, $neg:expr, $sign:expr) => {
        match $kind {
            Unary::Abs => $v.iter().map($abs).collect(),
            Unary::Neg => $v.iter().map($neg).collect(),
            Unary::Sign => $v.iter().map($sign).collect(),
            Unary::Ceil | Unary::Floor | Unary::Round => $v.clone(),
            Unary::Relu => $v.iter().map(|&x| x.max(0)).collect(),
            Unary::BitwiseNot => $v.iter().map(|&x| !x).collect(),
            // ThresholdedRelu, Shrink and the rest: shrink is defined for every number, the others for floats.
            Unary::Shrink { .. } => $v.iter().map(|&x| $kind.f64(x as f64) as $t).collect(),
            _ => return None,
        }
    };
}
macro_rules! signed {
    ($v:expr, $t:ty, $kind:expr) => {
        whole!($v, $t, $kind, |x| x.wrapping_abs(), |x| x.wrapping_neg(), |x| x.signum())
    };
}
macro_rules! unsigned {
    ($v:expr, $t:ty, $kind:expr) => {
        whole!($v, $t, $kind, |&x| x, |x| x.wrapping_neg(), |&x| x.min(1))
    };
}

impl Unary {
    formula!(f32, f32, libm::erff);
    formula!(f64, f64, libm::erf);

    /// The function in f32.
    pub fn of_f32(self, x: f32) -> f32 {
        self.f32(x)
    }

    /// The function in f64.
    pub fn of_f64(self, x: f64) -> f64 {
        self.f64(x)
    }

    // 1 / (1 + exp(-x)), without overflow on either side.
    fn sigmoid(x: f64) -> f64 {
        if x >= 0.0 {
            1.0 / (1.0 + (-x).exp())
        } else {
            let e = x.exp();
            e / (1.0 + e)
        }
    }

    // ln(exp(x) + 1), without overflow.
    fn softplus(x: f64) -> f64 {
        x.max(0.0) + (-x.abs()).exp().ln_1p()
    }

    fn test(self, x: f64) -> Option<bool> {
        match self {
            Self::IsNaN => Some(x.is_nan()),
            Self::IsInf { negative, positive } => {
                Some((positive && x == f64::INFINITY) || (negative && x == f64::NEG_INFINITY))
            }
            _ => None,
        }
    }

    /// The same by vectors, where that is worth it.
    pub fn smooth(self) -> Option<Smooth> {
        Some(match self {
            Self::Sigmoid => Smooth::Sigmoid,
            Self::Swish { alpha } => Smooth::Swish { alpha },
            Self::Gelu { tanh: false } => Smooth::Gelu,
            Self::Erf => Smooth::Erf,
            Self::Elu { alpha } => Smooth::Elu { alpha },
            _ => return None,
        })
    }

    /// In f32. The frequent ones have loops of their own, which become loops of vectors.
    fn of_floats(self, v: &[f32]) -> Vec<f32> {
        if let Some(smooth) = self.smooth() {
            let mut out = v.to_vec();
            smooth.apply(&mut out);
            return out;
        }
        match self {
            Self::Relu => v.iter().map(|&x| if x < 0.0 { 0.0 } else { x }).collect(),
            Self::LeakyRelu { alpha } => v.iter().map(|&x| if x < 0.0 { alpha * x } else { x }).collect(),
            Self::Sqrt => v.iter().map(|&x| x.sqrt()).collect(),
            _ => v.iter().map(|&x| self.f32(x)).collect(),
        }
    }

    fn of(self, data: &Data) -> Option<Data> {
        if matches!(self, Self::IsNaN | Self::IsInf { .. }) {
            let test = |x: f64| self.test(x).unwrap_or(false);
            return Some(Data::Bool(match data {
                Data::F32(v) => v.iter().map(|&x| test(x.into())).collect(),
                Data::F64(v) => v.iter().map(|&x| test(x)).collect(),
                _ => return None,
            }));
        }
        let for_floats = !matches!(self, Self::Not | Self::BitwiseNot);
        Some(match data {
            Data::F32(v) if for_floats => Data::F32(self.of_floats(v)),
            Data::F64(v) if for_floats => Data::F64(v.iter().map(|&x| self.f64(x)).collect()),
            Data::Bool(v) if self == Self::Not => Data::Bool(v.iter().map(|&x| !x).collect()),
            Data::I8(v) => Data::I8(signed!(v, i8, self)),
            Data::I16(v) => Data::I16(signed!(v, i16, self)),
            Data::I32(v) => Data::I32(signed!(v, i32, self)),
            Data::I64(v) => Data::I64(signed!(v, i64, self)),
            Data::U8(v) => Data::U8(unsigned!(v, u8, self)),
            Data::U16(v) => Data::U16(unsigned!(v, u16, self)),
            Data::U32(v) => Data::U32(unsigned!(v, u32, self)),
            Data::U64(v) => Data::U64(unsigned!(v, u64, self)),
            _ => return None,
        })
    }
}

impl Kernel for Unary {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let input = known(inputs, 0)?.info;
        let tests = matches!(self, Self::IsNaN | Self::IsInf { .. });
        let dtype = if tests { DType::Bool } else { input.dtype };
        Ok(Some(vec![TensorInfo { dtype, shape: input.shape.clone() }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let input = required(inputs, 0)?;
        let data = self.of(input.data()).ok_or(OpError::Type { what: "the input", got: input.dtype() })?;
        Ok(vec![Tensor::new(input.shape().to_vec(), data)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_neither_overflow_nor_lose_nan() {
        for x in [-1e4f32, -100.0, 0.0, 100.0, 1e4] {
            for f in [Unary::Sigmoid, Unary::Softplus, Unary::Mish, Unary::Gelu { tanh: true }] {
                assert!(f.f32(x).is_finite(), "{f:?} of {x}");
            }
        }
        assert!(Unary::Relu.f32(f32::NAN).is_nan());
        assert_eq!(Unary::Round.f32(2.5), 2.0);
        assert_eq!(Unary::Round.f32(-1.5), -2.0);
    }
}
