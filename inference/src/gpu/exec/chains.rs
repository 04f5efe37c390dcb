//! Elementwise operators as generated chains.
//!
//! Each formula is written once as steps; the kernel makes WGSL of it. What drivers compute too roughly (trigonometry,
//! whose WGSL error of 2^-11 exceeds what two backends may differ) stays on the host.

use super::lower::{Args, Job, arg, float};
use crate::gpu::kernels::elementwise::{self, Binary as B, Chain, Elementwise, INPUTS, Step, Ty, Unary as U};
use crate::ops::Op;
use crate::ops::elementwise::{BinaryKind, Unary, VariadicKind};
use crate::ops::norm::BatchNorm;
use crate::tensor::{DType, TensorInfo};

/// The type that elements are computed in, if it is computed with here at all.
fn computed(dtype: DType) -> Option<Ty> {
    match dtype {
        DType::F32 | DType::F16 => Some(Ty::F32),
        DType::I32 => Some(Ty::I32),
        DType::U32 => Some(Ty::U32),
        DType::Bool => Some(Ty::Bool),
        // Narrow ones wrap at their own width, 64-bit ones have no type.
        _ => None,
    }
}

/// A chain that reads the node's inputs `from`, if the kernel has room for it.
pub(super) fn job(job: Elementwise, from: Vec<usize>) -> Option<Job> {
    elementwise::fits(&job).then_some(Job::Elementwise(job, from))
}

fn chained(chain: Chain, inputs: Args<'_, '_>, from: Vec<usize>, out: &TensorInfo) -> Option<Job> {
    let shapes =
        from.iter().map(|&at| arg(inputs, at).map(|a| a.info.shape.clone())).collect::<Option<_>>()?;
    job(Elementwise { extents: out.shape.clone(), shapes, chain }, from)
}

pub(super) fn lower(op: &Op, inputs: Args<'_, '_>, outputs: &[TensorInfo]) -> Option<Job> {
    let out = outputs.first()?;
    let ty = |at: usize| arg(inputs, at).and_then(|a| computed(a.info.dtype));
    match op {
        Op::Unary(op) => {
            let mut chain = Chain::new(&[ty(0)?]);
            unary(&mut chain, *op, 0)?;
            chained(chain, inputs, vec![0], out)
        }
        Op::Binary(op) => {
            let mut chain = Chain::new(&[ty(0)?, ty(1)?]);
            binary(&mut chain, op.kind)?;
            chained(chain, inputs, vec![0, 1], out)
        }
        Op::Variadic(op) => {
            if inputs.is_empty() || inputs.len() > INPUTS {
                return None;
            }
            let types = (0..inputs.len()).map(ty).collect::<Option<Vec<_>>>()?;
            let mut chain = Chain::new(&types);
            let each = match op.kind {
                VariadicKind::Sum | VariadicKind::Mean => B::Add,
                VariadicKind::Max => B::Max,
                VariadicKind::Min => B::Min,
            };
            let last = (1..types.len()).fold(0, |sum, i| chain.binary(each, sum, i));
            if op.kind == VariadicKind::Mean {
                let many = chain.constant(types.len() as f32);
                chain.binary(B::Div, last, many);
            }
            if chain.steps.is_empty() {
                return Some(Job::Alias(0));
            }
            chained(chain, inputs, (0..types.len()).collect(), out)
        }
        Op::Clip(op) => {
            float(inputs, 0)?;
            let host = |at: usize| match arg(inputs, at) {
                None => Some(None),
                Some(a) => a.host.map(Some),
            };
            let (low, high) = op.limits(host(1)?, host(2)?).ok()?;
            let mut chain = Chain::new(&[Ty::F32]);
            let mut value = 0;
            if low > f64::from(f32::MIN) {
                let low = chain.constant(low as f32);
                value = chain.binary(B::Max, value, low);
            }
            if high < f64::from(f32::MAX) {
                let high = chain.constant(high as f32);
                chain.binary(B::Min, value, high);
            }
            if chain.steps.is_empty() { Some(Job::Alias(0)) } else { chained(chain, inputs, vec![0], out) }
        }
        Op::Where(_) => {
            let (a, b) = (arg(inputs, 1)?.info, arg(inputs, 2)?.info);
            // Words are chosen, whatever they mean.
            let word = |dtype| computed(dtype).unwrap_or(Ty::I32);
            let mut chain = Chain::new(&[ty(0)?, word(a.dtype), word(b.dtype)]);
            chain.push(Step::Select(0, 1, 2));
            chained(chain, inputs, vec![0, 1, 2], out)
        }
        Op::Cast(_) => {
            let from = arg(inputs, 0)?.info.dtype;
            let halves = |d| matches!(d, DType::F32 | DType::F16);
            if from == out.dtype || halves(from) && halves(out.dtype) {
                return Some(Job::Alias(0));
            }
            // What is kept of a 64-bit integer are 32 bits with a sign.
            let from = if from == DType::I64 { Ty::I32 } else { computed(from)? };
            let to = computed(out.dtype)?;
            if matches!((from, to), (Ty::F32, Ty::I32 | Ty::U32)) {
                // Beyond the range every language and driver does something else.
                return None;
            }
            let mut chain = Chain::new(&[from]);
            chain.push(Step::Cast(to, 0));
            chained(chain, inputs, vec![0], out)
        }
        _ => None,
    }
}

fn binary(chain: &mut Chain, kind: BinaryKind) -> Option<()> {
    let ints = chain.inputs[0] != Ty::F32;
    let op = match kind {
        BinaryKind::Add => B::Add,
        BinaryKind::Sub => B::Sub,
        BinaryKind::Mul => B::Mul,
        // Division by 0 is an error on the host and something on a GPU.
        BinaryKind::Div | BinaryKind::Mod { .. } if ints => return None,
        BinaryKind::Div => B::Div,
        BinaryKind::Pow => {
            if ints || !matches!(chain.inputs[1], Ty::F32 | Ty::I32) {
                return None;
            }
            let exponent = chain.push(Step::Cast(Ty::F32, 1));
            chain.binary(B::Pow, 0, exponent);
            return Some(());
        }
        BinaryKind::Mod { .. } | BinaryKind::BitShift { .. } => return None,
        BinaryKind::PRelu => {
            let zero = chain.constant(0.0);
            let below = chain.binary(B::Less, 0, zero);
            let slope = chain.binary(B::Mul, 0, 1);
            chain.push(Step::Select(below, slope, 0));
            return Some(());
        }
        BinaryKind::Equal => B::Equal,
        BinaryKind::Less => B::Less,
        BinaryKind::LessOrEqual => B::LessOrEqual,
        BinaryKind::Greater => B::Greater,
        BinaryKind::GreaterOrEqual => B::GreaterOrEqual,
        BinaryKind::And => B::And,
        BinaryKind::Or => B::Or,
        BinaryKind::Xor => B::Xor,
        BinaryKind::BitwiseAnd => B::BitAnd,
        BinaryKind::BitwiseOr => B::BitOr,
        BinaryKind::BitwiseXor => B::BitXor,
    };
    chain.binary(op, 0, 1);
    Some(())
}

/// Adds a function of value `x`.
fn unary(chain: &mut Chain, op: Unary, x: usize) -> Option<usize> {
    let c = chain;
    let direct = match op {
        Unary::Abs => Some(U::Abs),
        Unary::Neg => Some(U::Neg),
        Unary::Sign => Some(U::Sign),
        Unary::Ceil => Some(U::Ceil),
        Unary::Floor => Some(U::Floor),
        Unary::Round => Some(U::Round),
        Unary::Sqrt => Some(U::Sqrt),
        Unary::Exp => Some(U::Exp),
        Unary::Log => Some(U::Log),
        Unary::Reciprocal => Some(U::Reciprocal),
        Unary::Erf => Some(U::Erf),
        Unary::Tanh => Some(U::Tanh),
        Unary::Sigmoid => Some(U::Sigmoid),
        Unary::Softplus => Some(U::Softplus),
        Unary::Not => Some(U::Not),
        Unary::BitwiseNot => Some(U::BitNot),
        Unary::IsNaN => Some(U::IsNan),
        _ => None,
    };
    if let Some(direct) = direct {
        return Some(c.unary(direct, x));
    }
    if c.inputs[0] != Ty::F32 {
        return None;
    }
    let zero = c.constant(0.0);
    Some(match op {
        Unary::Relu => c.binary(B::Max, x, zero),
        Unary::LeakyRelu { alpha } => {
            let alpha = c.constant(alpha);
            let low = c.binary(B::Mul, alpha, x);
            below_zero(c, x, zero, low, x)
        }
        Unary::Elu { alpha } => {
            let low = scaled_expm1(c, alpha, x);
            below_zero(c, x, zero, low, x)
        }
        Unary::Selu { alpha, gamma } => {
            let low = scaled_expm1(c, alpha, x);
            let value = below_zero(c, x, zero, low, x);
            let gamma = c.constant(gamma);
            c.binary(B::Mul, gamma, value)
        }
        // max(0, x) + min(0, alpha (exp(x / alpha) - 1))
        Unary::Celu { alpha } => {
            let inverse = c.constant(1.0 / alpha);
            let part = c.binary(B::Mul, x, inverse);
            let low = scaled_expm1(c, alpha, part);
            let (high, low) = (c.binary(B::Max, x, zero), c.binary(B::Min, low, zero));
            c.binary(B::Add, high, low)
        }
        Unary::HardSigmoid { alpha, beta } => hard_sigmoid(c, x, zero, alpha, beta),
        Unary::HardSwish => {
            let gate = hard_sigmoid(c, x, zero, 1.0 / 6.0, 0.5);
            c.binary(B::Mul, x, gate)
        }
        Unary::Swish { alpha } => {
            let alpha = c.constant(alpha);
            let inner = c.binary(B::Mul, alpha, x);
            let gate = c.unary(U::Sigmoid, inner);
            c.binary(B::Mul, x, gate)
        }
        Unary::Mish => {
            let inner = c.unary(U::Softplus, x);
            let gate = c.unary(U::Tanh, inner);
            c.binary(B::Mul, x, gate)
        }
        Unary::Gelu { tanh } => gelu(c, x, tanh),
        Unary::Softsign => {
            let one = c.constant(1.0);
            let size = c.unary(U::Abs, x);
            let below = c.binary(B::Add, one, size);
            c.binary(B::Div, x, below)
        }
        Unary::ThresholdedRelu { alpha } => {
            let alpha = c.constant(alpha);
            let above = c.binary(B::Greater, x, alpha);
            c.push(Step::Select(above, x, zero))
        }
        Unary::Shrink { bias, lambd } => {
            let (bias, high, low) = (c.constant(bias), c.constant(lambd), c.constant(-lambd));
            let (less, more) = (c.binary(B::Sub, x, bias), c.binary(B::Add, x, bias));
            let (above, below) = (c.binary(B::Greater, x, high), c.binary(B::Less, x, low));
            let upper = c.push(Step::Select(above, less, zero));
            c.push(Step::Select(below, more, upper))
        }
        Unary::IsInf { negative, positive } => {
            let infinite = c.unary(U::IsInf, x);
            let sign = if positive { B::Greater } else { B::Less };
            match (negative, positive) {
                (true, true) => infinite,
                (false, false) => return None,
                _ => {
                    let side = c.binary(sign, x, zero);
                    c.binary(B::And, infinite, side)
                }
            }
        }
        _ => return None,
    })
}

fn below_zero(c: &mut Chain, x: usize, zero: usize, low: usize, high: usize) -> usize {
    let below = c.binary(B::Less, x, zero);
    c.push(Step::Select(below, low, high))
}

fn scaled_expm1(c: &mut Chain, alpha: f32, x: usize) -> usize {
    let alpha = c.constant(alpha);
    let grown = c.unary(U::Expm1, x);
    c.binary(B::Mul, alpha, grown)
}

fn hard_sigmoid(c: &mut Chain, x: usize, zero: usize, alpha: f32, beta: f32) -> usize {
    let (alpha, beta, one) = (c.constant(alpha), c.constant(beta), c.constant(1.0));
    let scaled = c.binary(B::Mul, alpha, x);
    let line = c.binary(B::Add, scaled, beta);
    let most = c.binary(B::Min, line, one);
    c.binary(B::Max, most, zero)
}

fn gelu(c: &mut Chain, x: usize, tanh: bool) -> usize {
    let (half, one) = (c.constant(0.5), c.constant(1.0));
    let inner = if tanh {
        // sqrt(2 / pi) (x + 0.044715 x^3)
        let (a, b) = (c.constant(0.797_884_6), c.constant(0.044_715));
        let square = c.binary(B::Mul, x, x);
        let cube = c.binary(B::Mul, square, x);
        let scaled = c.binary(B::Mul, b, cube);
        let sum = c.binary(B::Add, x, scaled);
        let inner = c.binary(B::Mul, a, sum);
        c.unary(U::Tanh, inner)
    } else {
        let a = c.constant(std::f32::consts::FRAC_1_SQRT_2);
        let inner = c.binary(B::Mul, x, a);
        c.unary(U::Erf, inner)
    };
    let gate = c.binary(B::Add, one, inner);
    let scaled = c.binary(B::Mul, half, x);
    c.binary(B::Mul, scaled, gate)
}

/// (x - mean) / sqrt(variance + epsilon) * scale + bias, all per channel.
pub(super) fn batch_norm(op: &BatchNorm, inputs: Args<'_, '_>, outputs: &[TensorInfo]) -> Option<Job> {
    let shape = float(inputs, 0)?;
    let channels = *shape.get(1)?;
    let mut per_channel = vec![1; shape.len() - 1];
    per_channel[0] = channels;
    for at in 1..5 {
        if float(inputs, at)? != [channels] {
            return None;
        }
    }
    let mut c = Chain::new(&[Ty::F32; 5]);
    let [x, scale, bias, mean, variance] = [0, 1, 2, 3, 4];
    let epsilon = c.constant(op.epsilon);
    let wide = c.binary(B::Add, variance, epsilon);
    let deviation = c.unary(U::Sqrt, wide);
    let factor = c.binary(B::Div, scale, deviation);
    let centred = c.binary(B::Sub, x, mean);
    let scaled = c.binary(B::Mul, centred, factor);
    c.binary(B::Add, scaled, bias);
    let mut shapes = vec![shape.to_vec()];
    shapes.extend((1..5).map(|_| per_channel.clone()));
    let job = Elementwise { extents: outputs.first()?.shape.clone(), shapes, chain: c };
    (outputs.len() == 1 && elementwise::fits(&job)).then_some(Job::Elementwise(job, vec![0, 1, 2, 3, 4]))
}
