//! The twin: step after step per element, floats in f64.
//!
//! Written from the operators' formulas, not from the WGSL.

use super::{Binary, Elementwise, Step, Ty, Unary};
use crate::gpu::activation::erf;
use crate::gpu::check::Words;
use crate::gpu::kernels::indices;

#[derive(Clone, Copy, Debug)]
enum Value {
    F(f64),
    I(i32),
    U(u32),
    B(bool),
}

fn load(ty: Ty, words: &Words, at: usize) -> Value {
    match (ty, words) {
        (Ty::F32, Words::F32(v)) => Value::F(f64::from(v[at])),
        (Ty::I32, Words::I32(v)) => Value::I(v[at]),
        (Ty::Bool, Words::U32(v)) => Value::B(v[at] != 0),
        (_, words) => Value::U(words.bits()[at]),
    }
}

pub(super) fn of(job: &Elementwise, inputs: &[Words]) -> Words {
    let mut results = Vec::new();
    for index in indices(&job.extents) {
        let mut values = Vec::new();
        for (i, shape) in job.shapes.iter().enumerate() {
            let behind = &index[index.len() - shape.len()..];
            // Broadcast: along an axis of one element the index is 0.
            let at = shape.iter().zip(behind).fold(0, |at, (&e, &i)| at * e + if e == 1 { 0 } else { i });
            values.push(load(job.chain.inputs[i], &inputs[i], at));
        }
        for step in &job.chain.steps {
            let value = match *step {
                Step::Constant(i) => Value::F(f64::from(job.chain.constants[i])),
                Step::Unary(op, a) => unary(op, values[a]),
                Step::Binary(op, a, b) => binary(op, values[a], values[b]),
                Step::Select(c, a, b) => values[if matches!(values[c], Value::B(true)) { a } else { b }],
                Step::Cast(to, a) => cast(to, values[a]),
            };
            values.push(value);
        }
        results.extend(values.last().copied());
    }
    let float = |v: &Value| if let Value::F(x) = v { *x as f32 } else { f32::NAN };
    match results.first() {
        Some(Value::F(_)) | None => Words::F32(results.iter().map(float).collect()),
        Some(Value::I(_)) => {
            Words::I32(results.iter().map(|v| if let Value::I(x) = v { *x } else { i32::MIN }).collect())
        }
        Some(_) => Words::U32(
            results
                .iter()
                .map(|v| match v {
                    Value::U(x) => *x,
                    Value::B(x) => u32::from(*x),
                    _ => u32::MAX,
                })
                .collect(),
        ),
    }
}

fn cast(to: Ty, a: Value) -> Value {
    let number = match a {
        Value::F(x) => x,
        Value::I(x) => f64::from(x),
        Value::U(x) => f64::from(x),
        Value::B(x) => f64::from(u8::from(x)),
    };
    match (to, a) {
        (Ty::F16, _) => Value::F(half::f16::from_f64(number).to_f64()),
        (Ty::F32, _) => Value::F(f64::from(number as f32)),
        // Between integers bits are kept.
        (Ty::I32, Value::U(x)) => Value::I(x as i32),
        (Ty::U32, Value::I(x)) => Value::U(x as u32),
        (Ty::I32, _) => Value::I(number as i32),
        (Ty::U32, _) => Value::U(number as u32),
        (Ty::Bool, _) => Value::B(number != 0.0),
    }
}

fn unary(op: Unary, a: Value) -> Value {
    match (op, a) {
        (Unary::Abs, Value::I(x)) => Value::I(x.wrapping_abs()),
        (Unary::Neg, Value::I(x)) => Value::I(x.wrapping_neg()),
        (Unary::Sign, Value::I(x)) => Value::I(x.signum()),
        (Unary::BitNot, Value::I(x)) => Value::I(!x),
        (Unary::BitNot, Value::U(x)) => Value::U(!x),
        (Unary::Not, Value::B(x)) => Value::B(!x),
        (Unary::IsNan, Value::F(x)) => Value::B(x.is_nan()),
        (Unary::IsInf, Value::F(x)) => Value::B(x.is_infinite()),
        (op, Value::F(x)) => Value::F(match op {
            Unary::Abs => x.abs(),
            Unary::Neg => -x,
            Unary::Sign => {
                if x == 0.0 {
                    0.0
                } else {
                    x.signum()
                }
            }
            Unary::Floor => x.floor(),
            Unary::Ceil => x.ceil(),
            Unary::Round => x.round_ties_even(),
            Unary::Sqrt => x.sqrt(),
            Unary::Exp => x.exp(),
            Unary::Expm1 => x.exp_m1(),
            Unary::Log => x.ln(),
            Unary::Erf => erf(x),
            Unary::Reciprocal => 1.0 / x,
            Unary::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Unary::Tanh => x.tanh(),
            Unary::Softplus => x.exp().ln_1p(),
            Unary::Not | Unary::BitNot | Unary::IsNan | Unary::IsInf => f64::NAN,
        }),
        _ => Value::F(f64::NAN),
    }
}

fn binary(op: Binary, a: Value, b: Value) -> Value {
    match (a, b) {
        (Value::F(a), Value::F(b)) => compared(op, a.partial_cmp(&b)).unwrap_or_else(|| {
            Value::F(match op {
                Binary::Add => a + b,
                Binary::Sub => a - b,
                Binary::Mul => a * b,
                Binary::Div => a / b,
                // f64 has more than twice the digits, so rounding twice is rounding once.
                Binary::Ratio => f64::from((a / b) as f32),
                Binary::Pow => a.powf(b),
                Binary::Mod => a - (a / b).floor() * b,
                Binary::Fmod => a % b,
                Binary::Min => a.min(b),
                Binary::Max => a.max(b),
                _ => f64::NAN,
            })
        }),
        (Value::I(a), Value::I(b)) => compared(op, Some(a.cmp(&b))).unwrap_or_else(|| {
            Value::I(match op {
                Binary::Add => a.wrapping_add(b),
                Binary::Sub => a.wrapping_sub(b),
                Binary::Mul => a.wrapping_mul(b),
                // WGSL: a divisor of 0 leaves the dividend.
                Binary::Div => {
                    if b == 0 {
                        a
                    } else {
                        a.wrapping_div(b)
                    }
                }
                Binary::Pow => a.wrapping_pow(b as u32),
                // Euclidean for positive divisors, and of its mirror image otherwise.
                Binary::Mod => {
                    (a.rem_euclid(b.abs()) + if b < 0 && a % b != 0 { b } else { 0 }).clamp(-b.abs(), b.abs())
                }
                Binary::Fmod => a % b,
                Binary::Min => a.min(b),
                Binary::Max => a.max(b),
                Binary::BitAnd => a & b,
                Binary::BitOr => a | b,
                Binary::BitXor => a ^ b,
                _ => i32::MIN,
            })
        }),
        (Value::U(a), Value::U(b)) => compared(op, Some(a.cmp(&b))).unwrap_or_else(|| {
            Value::U(match op {
                Binary::Add => a.wrapping_add(b),
                Binary::Sub => a.wrapping_sub(b),
                Binary::Mul => a.wrapping_mul(b),
                Binary::Div => a.checked_div(b).unwrap_or(a),
                Binary::Min => a.min(b),
                Binary::Max => a.max(b),
                Binary::BitAnd => a & b,
                Binary::BitOr => a | b,
                Binary::BitXor => a ^ b,
                _ => u32::MAX,
            })
        }),
        (Value::B(a), Value::B(b)) => Value::B(match op {
            Binary::And => a && b,
            Binary::Or => a || b,
            Binary::Xor => a != b,
            _ => a == b,
        }),
        _ => Value::F(f64::NAN),
    }
}

/// Comparisons; NaN compares to nothing.
fn compared(op: Binary, order: Option<std::cmp::Ordering>) -> Option<Value> {
    Some(Value::B(match op {
        Binary::Equal => order.is_some_and(|o| o.is_eq()),
        Binary::Less => order.is_some_and(|o| o.is_lt()),
        Binary::LessOrEqual => order.is_some_and(|o| o.is_le()),
        Binary::Greater => order.is_some_and(|o| o.is_gt()),
        Binary::GreaterOrEqual => order.is_some_and(|o| o.is_ge()),
        _ => return None,
    }))
}
