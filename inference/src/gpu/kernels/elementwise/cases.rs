//! Every operator on every type it has, and every way to broadcast.

use super::{Binary, Chain, Elementwise, Step, Ty, Unary, binary_type, unary_type};
use crate::gpu::check::{Case, Words, noise};
use crate::gpu::kernels::product;

const TYPES: [Ty; 4] = [Ty::F32, Ty::I32, Ty::U32, Ty::Bool];

const UNARY: [Unary; 19] = [
    Unary::Abs,
    Unary::Neg,
    Unary::Sign,
    Unary::Floor,
    Unary::Ceil,
    Unary::Round,
    Unary::Sqrt,
    Unary::Exp,
    Unary::Expm1,
    Unary::Log,
    Unary::Erf,
    Unary::Reciprocal,
    Unary::Sigmoid,
    Unary::Tanh,
    Unary::Softplus,
    Unary::Not,
    Unary::BitNot,
    Unary::IsNan,
    Unary::IsInf,
];

const BINARY: [Binary; 21] = [
    Binary::Add,
    Binary::Sub,
    Binary::Mul,
    Binary::Div,
    Binary::Ratio,
    Binary::Pow,
    Binary::Mod,
    Binary::Fmod,
    Binary::Min,
    Binary::Max,
    Binary::Equal,
    Binary::Less,
    Binary::LessOrEqual,
    Binary::Greater,
    Binary::GreaterOrEqual,
    Binary::And,
    Binary::Or,
    Binary::Xor,
    Binary::BitAnd,
    Binary::BitOr,
    Binary::BitXor,
];

/// Numbers of both signs, among them equal ones, halves and zero.
fn numbers(ty: Ty, seed: u32, many: usize) -> Words {
    let noise = noise(seed, many);
    let special = [0.0, 0.5, 1.5, 2.5, -0.5, -1.5, 1.0, -1.0, 3.0, -3.0];
    let float = |(i, x): (usize, &f32)| if i % 3 == 0 { special[i / 3 % 10] } else { x * 4.0 };
    match ty {
        // How half floats are stored is for the check to decide.
        Ty::F32 | Ty::F16 => Words::F32(noise.iter().enumerate().map(float).collect()),
        Ty::I32 => Words::I32(noise.iter().map(|x| (x * 9.0) as i32).collect()),
        Ty::U32 => Words::U32(noise.iter().map(|x| (x.abs() * 9.0) as u32).collect()),
        Ty::Bool => Words::U32(noise.iter().map(|x| u32::from(*x > 0.0)).collect()),
    }
}

fn case(name: String, chain: Chain, extents: &[usize], shapes: &[&[usize]]) -> Case<Elementwise> {
    let inputs =
        chain.inputs.iter().zip(shapes).zip(20..).map(|((ty, s), seed)| numbers(*ty, seed, product(s)));
    let inputs = inputs.collect();
    let shapes = shapes.iter().map(|s| s.to_vec()).collect();
    Case { name, job: Elementwise { extents: extents.to_vec(), shapes, chain }, inputs }
}

/// The same with the numbers that an operator is made for.
fn only(mut case: Case<Elementwise>, input: usize, f: impl Fn(f32) -> f32) -> Case<Elementwise> {
    if let Words::F32(v) = &mut case.inputs[input] {
        v.iter_mut().for_each(|x| *x = f(*x));
    }
    case
}

pub(super) fn cases() -> Vec<Case<Elementwise>> {
    let mut cases = Vec::new();
    let all: &[usize] = &[77];
    for op in UNARY {
        for ty in TYPES.into_iter().filter(|&ty| unary_type(op, ty).is_some()) {
            let mut chain = Chain::new(&[ty]);
            chain.unary(op, 0);
            let case = case(format!("{op:?} of {ty:?}"), chain, all, &[all]);
            cases.push(match op {
                Unary::Sqrt | Unary::Log => only(case, 0, |x| x.abs() + 0.01),
                Unary::Reciprocal => only(case, 0, |x| if x == 0.0 { 4.0 } else { x }),
                // Far out, where a naive formula overflows.
                Unary::Sigmoid | Unary::Tanh | Unary::Softplus | Unary::Erf => {
                    only(case, 0, |x| x * x * x * 2.0)
                }
                Unary::IsNan | Unary::IsInf => only(case, 0, |x| match x {
                    0.5 => f32::NAN,
                    1.5 => f32::INFINITY,
                    -1.5 => f32::NEG_INFINITY,
                    x => x,
                }),
                _ => case,
            });
        }
    }
    for op in BINARY {
        for ty in TYPES.into_iter().filter(|&ty| binary_type(op, ty).is_some()) {
            let mut chain = Chain::new(&[ty, ty]);
            chain.binary(op, 0, 1);
            let mut case = case(format!("{op:?} of {ty:?}"), chain, all, &[all, all]);
            match (&mut case.inputs[1], op) {
                (Words::I32(v), Binary::Div | Binary::Mod | Binary::Fmod) => {
                    v.iter_mut().for_each(|x| *x = if *x == 0 { 5 } else { *x });
                }
                (Words::U32(v), Binary::Div) => v.iter_mut().for_each(|x| *x += 1),
                (Words::I32(v), Binary::Pow) => v.iter_mut().for_each(|x| *x = x.abs() % 6),
                (Words::F32(v), Binary::Div | Binary::Ratio) => v.iter_mut().for_each(|x| *x += 5.0),
                (Words::F32(v), Binary::Mod | Binary::Fmod) => {
                    // Away from multiples, where one ulp decides over a whole divisor.
                    v.iter_mut().for_each(|x| *x = if *x < 0.0 { -2.37 } else { 1.83 });
                }
                // 0 to a negative power is infinite in f64 and what it likes on a GPU.
                (Words::F32(v), Binary::Pow) => v.iter_mut().for_each(|x| *x = x.abs().round() + 1.0),
                _ => {}
            }
            cases.push(case);
        }
    }
    for to in TYPES {
        for from in TYPES {
            let mut chain = Chain::new(&[from]);
            chain.push(Step::Cast(to, 0));
            let case = case(format!("{from:?} to {to:?}"), chain, all, &[all]);
            // A negative float has no u32.
            cases.push(if to == Ty::U32 { only(case, 0, f32::abs) } else { case });
        }
    }
    let shapes: [(&[usize], [&[usize]; 2]); 8] = [
        (&[1], [&[1], &[]]),
        (&[22, 23, 30], [&[22, 23, 30], &[1]]),
        (&[22, 23, 30], [&[22, 23, 30], &[30]]),
        (&[2, 3, 22, 23], [&[2, 3, 22, 23], &[3, 1, 1]]),
        (&[4, 5, 6], [&[4, 1, 6], &[1, 5, 1]]),
        (&[4, 5], [&[4, 1], &[1, 5]]),
        (&[2, 3, 2, 3, 2, 3, 2, 3], [&[2, 1, 2, 1, 2, 1, 2, 1], &[1, 3, 1, 3, 1, 3, 1, 3]]),
        (&[7, 1031], [&[7, 1031], &[7, 1031]]),
    ];
    for (extents, [a, b]) in shapes {
        let mut chain = Chain::new(&[Ty::F32, Ty::F32]);
        chain.binary(Binary::Sub, 0, 1);
        cases.push(case(format!("{a:?} - {b:?}"), chain, extents, &[a, b]));
    }
    // where(x < y, x * 2 + y, max(z, -1)), with three shapes.
    let mut chain = Chain::new(&[Ty::F32, Ty::F32, Ty::F32]);
    let condition = chain.binary(Binary::Less, 0, 1);
    let two = chain.constant(2.0);
    let doubled = chain.binary(Binary::Mul, 0, two);
    let sum = chain.binary(Binary::Add, doubled, 1);
    let least = chain.constant(-1.0);
    let other = chain.binary(Binary::Max, 2, least);
    chain.push(Step::Select(condition, sum, other));
    cases.push(case("a chain of all kinds".to_owned(), chain, &[5, 6, 7], &[&[5, 6, 7], &[6, 1], &[7]]));
    // Quotients on and beside halves: a whole step hangs on the last bit, so nothing but equality passes.
    let mut chain = Chain::new(&[Ty::F32, Ty::F32]);
    let quotient = chain.binary(Binary::Ratio, 0, 1);
    let rounded = chain.unary(Unary::Round, quotient);
    chain.push(Step::Cast(Ty::I32, rounded));
    let mut halves = case("quotients beside halves".to_owned(), chain, &[64, 9], &[&[64, 9], &[9]]);
    let scales = [0.1f32, 0.3, 1.0 / 3.0, 0.007_843_138, 0.023_529_412, 1.7, 0.05, 12.3, 0.999_999_9];
    let beside = |i: usize| {
        let on = (((i / 27) as f32 - 10.5) * scales[i % 9]).to_bits();
        f32::from_bits(on - 1 + (i / 9 % 3) as u32)
    };
    halves.inputs = vec![Words::F32((0..64 * 9).map(beside).collect()), Words::F32(scales.to_vec())];
    cases.push(halves);
    // As many inputs as there may be.
    let mut chain = Chain::new(&[Ty::F32; 6]);
    let mut sum = 0;
    for i in 1..6 {
        sum = chain.binary(Binary::Add, sum, i);
    }
    cases.push(case(
        "six inputs".to_owned(),
        chain,
        &[9, 8],
        &[&[9, 8], &[8], &[9, 1], &[1], &[9, 8], &[1, 8]],
    ));
    cases
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::kernels::elementwise::{fits, text};

    #[test]
    fn numbers_do_not_make_another_pipeline() {
        let of = |number: f32| {
            let mut chain = Chain::new(&[Ty::F32]);
            let c = chain.constant(number);
            chain.binary(Binary::Mul, 0, c);
            text::of(&chain, &[true]).unwrap()
        };
        assert_eq!(of(1.0), of(2.0));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let of = |types: &[Ty], step: Step| {
            let mut chain = Chain::new(types);
            chain.push(step);
            chain.types()
        };
        assert!(of(&[Ty::F32, Ty::I32], Step::Binary(Binary::Add, 0, 1)).is_err(), "types differ");
        assert!(of(&[Ty::F32], Step::Unary(Unary::Abs, 1)).is_err(), "a later value");
        assert!(of(&[Ty::Bool], Step::Unary(Unary::Exp, 0)).is_err());
        let mut job = cases().remove(0).job;
        assert!(fits(&job));
        job.shapes = vec![vec![78]];
        assert!(!fits(&job), "shapes do not broadcast");
    }
}
