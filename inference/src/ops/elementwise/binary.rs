//! Arithmetic, comparison, logic and bits of two tensors that are broadcast; sums, means and extremes of many.
//!
//! Integers wrap and division by zero gives zero, as no input may end a program.

use half::{bf16, f16};

use crate::ops::element::{Element, halves_in_f32, slice, spread, tensor, zip};
use crate::ops::{Attributes, Inferred, Kernel, Known, Op, OpError, broadcast, known, required};
use crate::tensor::{DType, Data, Tensor, TensorInfo};

/// A function of two elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named as the operators
pub enum BinaryKind {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    /// The sign of the divisor, or with `fmod` that of the dividend.
    Mod {
        fmod: bool,
    },
    PRelu,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Xor,
    BitwiseAnd,
    BitwiseOr,
    BitwiseXor,
    BitShift {
        left: bool,
    },
}

/// A function of two tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Binary {
    /// Which.
    pub kind: BinaryKind,
}

/// A function of any number of tensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named as the operators
pub enum VariadicKind {
    Sum,
    Mean,
    Max,
    Min,
}

/// A function of any number of tensors, all broadcast.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variadic {
    /// Which.
    pub kind: VariadicKind,
}

pub fn parse_binary(a: &Attributes<'_>) -> Result<Op, OpError> {
    use BinaryKind::*;
    let kind = match a.op_type() {
        "Add" => Add,
        "Sub" => Sub,
        "Mul" => Mul,
        "Div" => Div,
        "Pow" => Pow,
        "Mod" => Mod { fmod: a.flag("fmod", false)? },
        "PRelu" => PRelu,
        "Equal" => Equal,
        "Less" => Less,
        "LessOrEqual" => LessOrEqual,
        "Greater" => Greater,
        "GreaterOrEqual" => GreaterOrEqual,
        "And" => And,
        "Or" => Or,
        "Xor" => Xor,
        "BitwiseAnd" => BitwiseAnd,
        "BitwiseOr" => BitwiseOr,
        "BitwiseXor" => BitwiseXor,
        "BitShift" => match a.text("direction", "")? {
            "LEFT" => BitShift { left: true },
            "RIGHT" => BitShift { left: false },
            other => return Err(OpError::invalid(format!("direction is {other:?}, not LEFT or RIGHT"))),
        },
        other => return Err(OpError::unsupported(format!("operator {other}"))),
    };
    Ok(Op::Binary(Binary { kind }))
}

pub fn parse_variadic(a: &Attributes<'_>) -> Result<Op, OpError> {
    let kind = match a.op_type() {
        "Sum" => VariadicKind::Sum,
        "Mean" => VariadicKind::Mean,
        "Max" => VariadicKind::Max,
        "Min" => VariadicKind::Min,
        other => return Err(OpError::unsupported(format!("operator {other}"))),
    };
    Ok(Op::Variadic(Variadic { kind }))
}

/// Arithmetic that floats and integers have in common.
trait Number: Element {
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    fn floor_mod(self, b: Self) -> Self;
    fn trunc_mod(self, b: Self) -> Self;
    fn max(self, b: Self) -> Self;
    fn min(self, b: Self) -> Self;
}

macro_rules! float_number {
    ($t:ident) => {
        impl Number for $t {
            fn add(self, b: Self) -> Self {
                self + b
            }
            fn sub(self, b: Self) -> Self {
                self - b
            }
            fn mul(self, b: Self) -> Self {
                self * b
            }
            fn div(self, b: Self) -> Self {
                self / b
            }
            fn floor_mod(self, b: Self) -> Self {
                let r = self % b;
                // numpy: a zero has the sign of the divisor.
                if r == 0.0 {
                    (0.0 as $t).copysign(b)
                } else if (r < 0.0) != (b < 0.0) {
                    r + b
                } else {
                    r
                }
            }
            fn trunc_mod(self, b: Self) -> Self {
                self % b
            }
            // NaN wins, as in numpy.
            fn max(self, b: Self) -> Self {
                if self.is_nan() || self > b { self } else { b }
            }
            fn min(self, b: Self) -> Self {
                if self.is_nan() || self < b { self } else { b }
            }
        }
    };
}
float_number!(f32);
float_number!(f64);

macro_rules! int_number {
    ($($t:ident)*) => {$(
        impl Number for $t {
            fn add(self, b: Self) -> Self {
                self.wrapping_add(b)
            }
            fn sub(self, b: Self) -> Self {
                self.wrapping_sub(b)
            }
            fn mul(self, b: Self) -> Self {
                self.wrapping_mul(b)
            }
            fn div(self, b: Self) -> Self {
                if b == 0 { 0 } else { self.wrapping_div(b) }
            }
            #[allow(unused_comparisons)] // unsigned types never have another sign
            fn floor_mod(self, b: Self) -> Self {
                let r = self.trunc_mod(b);
                if r != 0 && (r < 0) != (b < 0) { r.wrapping_add(b) } else { r }
            }
            fn trunc_mod(self, b: Self) -> Self {
                if b == 0 { 0 } else { self.wrapping_rem(b) }
            }
            fn max(self, b: Self) -> Self {
                Ord::max(self, b)
            }
            fn min(self, b: Self) -> Self {
                Ord::min(self, b)
            }
        }
    )*};
}
int_number!(i8 i16 i32 i64 u8 u16 u32 u64);

macro_rules! for_numbers {
    ($data:expr, $v:ident => $body:expr, $other:expr) => {
        match $data {
            Data::F32($v) => $body,
            Data::F64($v) => $body,
            data => for_integers!(data, $v => $body, $other),
        }
    };
}

macro_rules! for_integers {
    ($data:expr, $v:ident => $body:expr, $other:expr) => {
        match $data {
            Data::I8($v) => $body,
            Data::I16($v) => $body,
            Data::I32($v) => $body,
            Data::I64($v) => $body,
            Data::U8($v) => $body,
            Data::U16($v) => $body,
            Data::U32($v) => $body,
            Data::U64($v) => $body,
            _ => $other,
        }
    };
}

/// Two operands and the shape that they are broadcast to.
struct Pair<'a> {
    a: &'a Tensor,
    b: &'a Tensor,
    shape: Vec<usize>,
}

impl Pair<'_> {
    /// By a function that is called for each element: ten types times twenty functions with loops of their own were a
    /// third of what there was to compile in this crate. What networks spend time with is in `fast`.
    fn map<T: Element, R: Element>(&self, f: fn(T, T) -> R) -> Result<Tensor, OpError> {
        let all = |tensor: &Tensor, what: &'static str| -> Result<Vec<T>, OpError> {
            spread(slice::<T>(tensor, what)?, tensor.shape(), &self.shape)
        };
        let (a, b) = (all(self.a, "the first operand")?, all(self.b, "the second operand")?);
        tensor(self.shape.clone(), a.into_iter().zip(b).map(|(a, b)| f(a, b)).collect())
    }

    /// Arithmetic in f32, in loops that become loops of vectors.
    fn fast(&self, kind: BinaryKind) -> Option<Result<Tensor, OpError>> {
        let (Data::F32(a), Data::F32(b)) = (self.a.data(), self.b.data()) else { return None };
        let (a, b) = ((a.as_slice(), self.a.shape()), (b.as_slice(), self.b.shape()));
        let out = match kind {
            BinaryKind::Add => zip(a, b, &self.shape, |x: f32, y: f32| x + y),
            BinaryKind::Sub => zip(a, b, &self.shape, |x: f32, y: f32| x - y),
            BinaryKind::Mul => zip(a, b, &self.shape, |x: f32, y: f32| x * y),
            BinaryKind::Div => zip(a, b, &self.shape, |x: f32, y: f32| x / y),
            BinaryKind::PRelu => zip(a, b, &self.shape, |x: f32, y: f32| if x < 0.0 { y * x } else { x }),
            _ => return None,
        };
        Some(out.and_then(|out| tensor(self.shape.clone(), out)))
    }

    fn wrong(&self) -> OpError {
        OpError::Type { what: "the operands", got: self.a.dtype() }
    }

    fn arithmetic<T: Number>(&self, _: &[T], kind: BinaryKind) -> Result<Tensor, OpError> {
        if let Some(done) = self.fast(kind) {
            return done;
        }
        match kind {
            BinaryKind::Add => self.map(T::add),
            BinaryKind::Sub => self.map(T::sub),
            BinaryKind::Mul => self.map(T::mul),
            BinaryKind::Div => self.map(T::div),
            BinaryKind::Mod { fmod: true } => self.map(T::trunc_mod),
            BinaryKind::Mod { fmod: false } => self.map(T::floor_mod),
            // f(x) = slope * x below 0, else x.
            BinaryKind::PRelu => self.map(|x: T, slope: T| if x < T::default() { slope.mul(x) } else { x }),
            BinaryKind::Less => self.map(|a: T, b: T| a < b),
            BinaryKind::LessOrEqual => self.map(|a: T, b: T| a <= b),
            BinaryKind::Greater => self.map(|a: T, b: T| a > b),
            BinaryKind::GreaterOrEqual => self.map(|a: T, b: T| a >= b),
            BinaryKind::Equal => self.map(|a: T, b: T| a == b),
            _ => Err(self.wrong()),
        }
    }

    fn bits(&self, kind: BinaryKind) -> Result<Tensor, OpError> {
        macro_rules! bits {
            ($t:ty) => {

                match kind {
                    BinaryKind::BitwiseAnd => self.map(|a: $t, b: $t| a & b),
                    BinaryKind::BitwiseOr => self.map(|a: $t, b: $t| a | b),
                    BinaryKind::BitwiseXor => self.map(|a: $t, b: $t| a ^ b),
                    // A shift by the width or more leaves nothing but, to the right, the sign; a negative one is as
                    // large as its bits say.
                    BinaryKind::BitShift { left: true } => self.map(|a: $t, b: $t| {
                        a.checked_shl(u32::try_from(b).unwrap_or(u32::MAX)).unwrap_or(0)
                    }),
                    BinaryKind::BitShift { left: false } => self.map(|a: $t, b: $t| {
                        let by = u32::try_from(b).unwrap_or(u32::MAX);
                        a.checked_shr(by).unwrap_or(if a < <$t>::default() { !0 } else { 0 })
                    }),
                    _ => Err(self.wrong()),
                }
            };
        }
        match self.a.dtype() {
            DType::I8 => bits!(i8),
            DType::I16 => bits!(i16),
            DType::I32 => bits!(i32),
            DType::I64 => bits!(i64),
            DType::U8 => bits!(u8),
            DType::U16 => bits!(u16),
            DType::U32 => bits!(u32),
            DType::U64 => bits!(u64),
            _ => Err(self.wrong()),
        }
    }

    /// The exponent may be of another type than the base.
    fn power(&self) -> Result<Tensor, OpError> {
        if let (Data::F32(a), Data::F32(b)) = (self.a.data(), self.b.data()) {
            // A square is by far the most frequent power, and exact as a product.
            let f = |x: f32, e: f32| if e == 2.0 { x * x } else { x.powf(e) };
            let out = zip((a.as_slice(), self.a.shape()), (b.as_slice(), self.b.shape()), &self.shape, f)?;
            return tensor(self.shape.clone(), out);
        }
        let a64: Vec<f64> = crate::each_dtype!(self.a.data(), v => v.iter().map(|x| x.to_f64()).collect());
        let b64: Vec<f64> = crate::each_dtype!(self.b.data(), v => v.iter().map(|x| x.to_f64()).collect());
        let integer = |d: DType| !matches!(d, DType::F32 | DType::F64 | DType::F16 | DType::BF16);
        if integer(self.a.dtype()) && integer(self.b.dtype()) {
            return self.integer_power(&b64);
        }
        let out: Vec<f64> =
            zip((&a64, self.a.shape()), (&b64, self.b.shape()), &self.shape, |x: f64, e: f64| x.powf(e))?;
        let data = match self.a.dtype() {
            DType::F32 => Data::F32(out.iter().map(|&x| x as f32).collect()),
            DType::F64 => Data::F64(out),
            DType::F16 => Data::F16(out.iter().map(|&x| f16::from_f64(x)).collect()),
            DType::BF16 => Data::BF16(out.iter().map(|&x| bf16::from_f64(x)).collect()),
            DType::I32 => Data::I32(out.iter().map(|&x| x as i32).collect()),
            DType::I64 => Data::I64(out.iter().map(|&x| x as i64).collect()),
            DType::I8 => Data::I8(out.iter().map(|&x| x as i8).collect()),
            DType::I16 => Data::I16(out.iter().map(|&x| x as i16).collect()),
            DType::U8 => Data::U8(out.iter().map(|&x| x as u8).collect()),
            DType::U16 => Data::U16(out.iter().map(|&x| x as u16).collect()),
            DType::U32 => Data::U32(out.iter().map(|&x| x as u32).collect()),
            DType::U64 => Data::U64(out.iter().map(|&x| x as u64).collect()),
            DType::Bool => return Err(self.wrong()),
        };
        Ok(Tensor::new(self.shape.clone(), data)?)
    }

    fn integer_power(&self, exponents: &[f64]) -> Result<Tensor, OpError> {
        let exponents = spread(exponents, self.b.shape(), &self.shape)?;
        macro_rules! power {
            ($v:expr) => {{
                let mut powers = spread($v, self.a.shape(), &self.shape)?;
                for (x, e) in powers.iter_mut().zip(&exponents) {
                    // Of a negative exponent the integer part of 1 / x^|e|.
                    *x = if *e >= 0.0 {
                        x.wrapping_pow(e.min(f64::from(u32::MAX)) as u32)
                    } else if *x == 1 {
                        1
                    } else {
                        0
                    };
                }
                tensor(self.shape.clone(), powers)
            }};
        }
        for_integers!(self.a.data(), v => power!(v), Err(self.wrong()))
    }
}

impl Binary {
    const fn compares(self) -> bool {
        matches!(
            self.kind,
            BinaryKind::Equal
                | BinaryKind::Less
                | BinaryKind::LessOrEqual
                | BinaryKind::Greater
                | BinaryKind::GreaterOrEqual
        )
    }

    /// The function in f32, where it has a number as result.
    pub fn of_f32(self, a: f32, b: f32) -> Option<f32> {
        Some(match self.kind {
            BinaryKind::Add => a + b,
            BinaryKind::Sub => a - b,
            BinaryKind::Mul => a * b,
            BinaryKind::Div => a / b,
            BinaryKind::Pow => a.powf(b),
            BinaryKind::PRelu => {
                if a < 0.0 {
                    a * b
                } else {
                    a
                }
            }
            _ => return None,
        })
    }
}

impl Kernel for Binary {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (a, b) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        if self.kind != BinaryKind::Pow && a.dtype != b.dtype {
            return Err(OpError::invalid(format!(
                "operands of types {} and {} do not go together",
                a.dtype.name(),
                b.dtype.name()
            )));
        }
        let shape = broadcast(&[&a.shape, &b.shape])?;
        if self.kind == BinaryKind::PRelu && shape != a.shape {
            return Err(OpError::invalid("the slope has more elements than the input"));
        }
        let dtype = if self.compares() { DType::Bool } else { a.dtype };
        Ok(Some(vec![TensorInfo { dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (a, b) = (required(inputs, 0)?, required(inputs, 1)?);
        let shape = broadcast(&[a.shape(), b.shape()])?;
        if self.kind == BinaryKind::Pow {
            return Ok(vec![Pair { a, b, shape }.power()?]);
        }
        halves_in_f32!(self, inputs);
        let pair = Pair { a, b, shape };
        let out = match (self.kind, a.data()) {
            (BinaryKind::And, _) => pair.map(|a: bool, b: bool| a && b),
            (BinaryKind::Or, _) => pair.map(|a: bool, b: bool| a || b),
            (BinaryKind::Xor, _) => pair.map(|a: bool, b: bool| a != b),
            (BinaryKind::Equal, Data::Bool(_)) => pair.map(|a: bool, b: bool| a == b),
            (
                kind @ (BinaryKind::BitwiseAnd
                | BinaryKind::BitwiseOr
                | BinaryKind::BitwiseXor
                | BinaryKind::BitShift { .. }),
                _,
            ) => pair.bits(kind),
            (kind, data) => for_numbers!(data, v => pair.arithmetic(v, kind), Err(pair.wrong())),
        }?;
        Ok(vec![out])
    }
}

impl Kernel for Variadic {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let dtype = known(inputs, 0)?.info.dtype;
        let mut shapes = Vec::with_capacity(inputs.len());
        for at in 0..inputs.len() {
            let info = known(inputs, at)?.info;
            if info.dtype != dtype {
                return Err(OpError::invalid("the inputs are of different types"));
            }
            shapes.push(info.shape.as_slice());
        }
        Ok(Some(vec![TensorInfo { dtype, shape: broadcast(&shapes)? }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let mut sum = required(inputs, 0)?.clone();
        for at in 1..inputs.len() {
            let b = required(inputs, at)?;
            let shape = broadcast(&[sum.shape(), b.shape()])?;
            let pair = Pair { a: &sum, b, shape };
            sum = for_numbers!(sum.data(), v => self.fold(&pair, v), Err(pair.wrong()))?;
        }
        if self.kind == VariadicKind::Mean {
            let n = inputs.len() as f64;
            let shape = sum.shape().to_vec();
            let data = match sum.into_data() {
                Data::F32(v) => Data::F32(v.iter().map(|&x| (f64::from(x) / n) as f32).collect()),
                Data::F64(v) => Data::F64(v.iter().map(|&x| x / n).collect()),
                data => return Err(OpError::Type { what: "the inputs of a mean", got: data.dtype() }),
            };
            sum = Tensor::new(shape, data)?;
        }
        Ok(vec![sum])
    }
}

impl Variadic {
    fn fold<T: Number>(self, pair: &Pair<'_>, first: &[T]) -> Result<Tensor, OpError> {
        match self.kind {
            VariadicKind::Sum | VariadicKind::Mean => pair.arithmetic(first, BinaryKind::Add),
            VariadicKind::Max => pair.map(T::max),
            VariadicKind::Min => pair.map(T::min),
        }
    }
}
