//! Activations that a kernel applies to its result before it is stored.
//!
//! Fused because a layer's output would otherwise be read and written once more for one instruction.

/// What is applied to each element. Formulas: the ONNX operators of these names.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Activation {
    /// The element itself.
    #[default]
    None,
    /// max(x, 0)
    Relu,
    /// a x below 0
    LeakyRelu(f32),
    /// Between two bounds.
    Clip(f32, f32),
    /// 1 / (1 + exp(-x))
    Sigmoid,
    /// a x + b between 0 and 1
    HardSigmoid(f32, f32),
    /// x times the hard sigmoid of x/6 + 1/2
    HardSwish,
    /// x sigmoid(a x)
    Swish(f32),
    /// By the error function.
    Gelu,
    /// Its approximation by tanh.
    GeluTanh,
    /// Hyperbolic tangent.
    Tanh,
    /// a (exp(x) - 1) below 0
    Elu(f32),
    /// x tanh(ln(1 + exp(x)))
    Mish,
}

impl Activation {
    /// The number of the case in `shaders/inference/activation.wgsl`, and its two parameters.
    pub(crate) fn code(self) -> (u32, [f32; 2]) {
        match self {
            Self::None => (0, [0.0; 2]),
            Self::Relu => (1, [0.0; 2]),
            Self::LeakyRelu(a) => (2, [a, 0.0]),
            Self::Clip(low, high) => (3, [low, high]),
            Self::Sigmoid => (4, [0.0; 2]),
            Self::HardSigmoid(a, b) => (5, [a, b]),
            Self::HardSwish => (6, [0.0; 2]),
            Self::Swish(a) => (7, [a, 0.0]),
            Self::Gelu => (8, [0.0; 2]),
            Self::GeluTanh => (9, [0.0; 2]),
            Self::Tanh => (10, [0.0; 2]),
            Self::Elu(a) => (11, [a, 0.0]),
            Self::Mish => (12, [0.0; 2]),
        }
    }

    /// The twin.
    pub(crate) fn of(self, x: f64) -> f64 {
        let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
        match self {
            Self::None => x,
            Self::Relu => x.max(0.0),
            Self::LeakyRelu(a) => {
                if x < 0.0 {
                    f64::from(a) * x
                } else {
                    x
                }
            }
            Self::Clip(low, high) => x.max(f64::from(low)).min(f64::from(high)),
            Self::Sigmoid => sigmoid(x),
            Self::HardSigmoid(a, b) => (f64::from(a) * x + f64::from(b)).clamp(0.0, 1.0),
            Self::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
            Self::Swish(a) => x * sigmoid(f64::from(a) * x),
            Self::Gelu => 0.5 * x * (1.0 + erf(x / std::f64::consts::SQRT_2)),
            Self::GeluTanh => {
                let c = (2.0 / std::f64::consts::PI).sqrt();
                0.5 * x * (1.0 + (c * (x + 0.044715 * x * x * x)).tanh())
            }
            Self::Tanh => x.tanh(),
            Self::Elu(a) => {
                if x < 0.0 {
                    f64::from(a) * x.exp_m1()
                } else {
                    x
                }
            }
            Self::Mish => x * x.exp().ln_1p().tanh(),
        }
    }

    /// One of each, for cases.
    pub(crate) const EACH: [Self; 13] = [
        Self::None,
        Self::Relu,
        Self::LeakyRelu(0.1),
        Self::Clip(-0.25, 0.5),
        Self::Sigmoid,
        Self::HardSigmoid(0.2, 0.5),
        Self::HardSwish,
        Self::Swish(1.0),
        Self::Gelu,
        Self::GeluTanh,
        Self::Tanh,
        Self::Elu(0.7),
        Self::Mish,
    ];
}

/// erf by its Taylor series, summed until nothing is added (|x| < 6; beyond, it is 1 to 16 digits).
pub(crate) fn erf(x: f64) -> f64 {
    if x.abs() > 6.0 {
        return x.signum();
    }
    let (mut term, mut sum, mut n) = (x, x, 0.0);
    loop {
        n += 1.0;
        term *= -x * x / n;
        let next = sum + term / (2.0 * n + 1.0);
        if next == sum {
            return 2.0 / std::f64::consts::PI.sqrt() * sum;
        }
        sum = next;
    }
}

#[cfg(test)]
mod tests {
    use super::erf;

    #[test]
    fn erf_has_the_values_of_the_tables() {
        // Abramowitz & Stegun, table 7.1
        for (x, want) in [(0.0, 0.0), (0.5, 0.520_499_877_8), (1.0, 0.842_700_792_9), (2.0, 0.995_322_265_0)]
        {
            assert!((erf(x) - want).abs() < 1e-9 && (erf(-x) + want).abs() < 1e-9);
        }
    }
}
