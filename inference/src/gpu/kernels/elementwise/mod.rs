//! Generated chains of elementwise operators with broadcasting, casts, comparisons and selection.
//!
//! A chain is steps that name earlier values, so a run of operators is one pass over memory however often a value is
//! used. The text of a chain is the name of its pipeline: numbers come as parameters and do not make another one.

mod cases;
mod text;
mod twin;

use bytemuck::{Pod, Zeroable};

use super::{product, row};
use crate::gpu::check::{Case, Spec, Tolerance, Words};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source, groups_of};

/// What WGSL promises of exp, log and pow.
pub const TOLERANCE: Tolerance = Tolerance {
    abs: 2e-6,
    rel: 3e-5,
    why: "WGSL: log is good to 2^-21 near 1, pow to 16 ulp and more, erf by a polynomial of 1.5e-7",
};

const AXES: usize = 8;

/// Inputs a chain may have: WebGPU promises 8 storage buffers, one is the output.
pub const INPUTS: usize = 6;

/// Numbers a chain may have.
pub const CONSTANTS: usize = 16;

/// `struct Params` as `text.rs` writes it.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    extents: [u32; AXES],
    strides: [[u32; AXES]; INPUTS],
    constants: [f32; CONSTANTS],
}

field_offsets!(size, extents, strides, constants);

/// Types of WGSL; each takes a word of a buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Ty {
    F32,
    I32,
    U32,
    /// Stored as 0 or 1.
    Bool,
    /// A half float, two to a word: of inputs, which are computed with as f32, and of a last step alone.
    F16,
}

/// Of one value. Formulas: the ONNX operators of these names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Unary {
    Abs,
    Neg,
    Sign,
    Floor,
    Ceil,
    /// Halves to even.
    Round,
    Sqrt,
    Exp,
    /// exp(x) - 1
    Expm1,
    Log,
    Erf,
    Reciprocal,
    Sigmoid,
    Tanh,
    Softplus,
    Not,
    BitNot,
    IsNan,
    /// Of any sign.
    IsInf,
}

/// Of two values of one type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    /// A quotient to the nearest f32 where it is below 2^20: WGSL's own is good to 2.5 ulp.
    Ratio,
    Pow,
    /// With the sign of the divisor.
    Mod,
    /// With the sign of the dividend (`fmod`).
    Fmod,
    Min,
    Max,
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    And,
    Or,
    Xor,
    BitAnd,
    BitOr,
    BitXor,
}

/// A step; numbers name values: first the inputs, then the steps in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Step {
    /// A number of the chain.
    Constant(usize),
    /// Of one value.
    Unary(Unary, usize),
    /// Of two values.
    Binary(Binary, usize, usize),
    /// Condition, value if true, value if false.
    Select(usize, usize, usize),
    /// To another type; to integers towards zero, to bool "not 0".
    Cast(Ty, usize),
}

/// What is computed per element; the last value is the result.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chain {
    /// Types of the inputs.
    pub inputs: Vec<Ty>,
    /// Numbers that steps use.
    pub constants: Vec<f32>,
    /// One after the other.
    pub steps: Vec<Step>,
}

impl Chain {
    /// A chain over inputs of these types, so far without steps.
    pub fn new(inputs: &[Ty]) -> Self {
        Self { inputs: inputs.to_vec(), constants: vec![], steps: vec![] }
    }

    /// Adds a step and names its value.
    pub fn push(&mut self, step: Step) -> usize {
        self.steps.push(step);
        self.inputs.len() + self.steps.len() - 1
    }

    /// A number.
    pub fn constant(&mut self, value: f32) -> usize {
        self.constants.push(value);
        self.push(Step::Constant(self.constants.len() - 1))
    }

    /// See [`Unary`].
    pub fn unary(&mut self, op: Unary, a: usize) -> usize {
        self.push(Step::Unary(op, a))
    }

    /// See [`Binary`].
    pub fn binary(&mut self, op: Binary, a: usize, b: usize) -> usize {
        self.push(Step::Binary(op, a, b))
    }

    /// The types of all values.
    ///
    /// # Errors
    /// Where a step names a later value or types do not match.
    pub fn types(&self) -> Result<Vec<Ty>, GpuFault> {
        let mut types: Vec<Ty> =
            self.inputs.iter().map(|&ty| if ty == Ty::F16 { Ty::F32 } else { ty }).collect();
        let unfit = |step: &Step, types: &[Ty]| {
            GpuFault::unfit("elementwise", format!("{step:?} does not fit values of types {types:?}"))
        };
        for step in &self.steps {
            let ty = |i: usize| types.get(i).copied();
            let result = match *step {
                Step::Constant(i) => self.constants.get(i).map(|_| Ty::F32),
                Step::Unary(op, a) => ty(a).and_then(|a| unary_type(op, a)),
                Step::Binary(op, a, b) => {
                    ty(a).zip(ty(b)).filter(|(a, b)| a == b).and_then(|(a, _)| binary_type(op, a))
                }
                Step::Select(c, a, b) => match (ty(c), ty(a), ty(b)) {
                    (Some(Ty::Bool), Some(a), Some(b)) if a == b => Some(a),
                    _ => None,
                },
                Step::Cast(to, a) => ty(a).map(|_| to),
            };
            types.push(result.ok_or_else(|| unfit(step, &types))?);
        }
        Ok(types)
    }

    /// The same over inputs of which these are stored as half floats, its numbers stored as such.
    ///
    /// # Errors
    /// As `types`.
    pub fn halved(mut self, inputs: &[bool]) -> Result<Self, GpuFault> {
        for (ty, _) in self.inputs.iter_mut().zip(inputs).filter(|(ty, halves)| **ty == Ty::F32 && **halves) {
            *ty = Ty::F16;
        }
        if self.result()? == Ty::F32 {
            let last = self.inputs.len() + self.steps.len() - 1;
            self.push(Step::Cast(Ty::F16, last));
        }
        Ok(self)
    }

    /// The type of the result.
    ///
    /// # Errors
    /// As `types`; a chain of nothing has none.
    pub fn result(&self) -> Result<Ty, GpuFault> {
        self.types()?.last().copied().ok_or_else(|| GpuFault::unfit("elementwise", "a chain of nothing"))
    }
}

fn unary_type(op: Unary, a: Ty) -> Option<Ty> {
    match op {
        Unary::Abs | Unary::Neg | Unary::Sign => matches!(a, Ty::F32 | Ty::I32).then_some(a),
        Unary::Not => (a == Ty::Bool).then_some(a),
        Unary::BitNot => matches!(a, Ty::I32 | Ty::U32).then_some(a),
        Unary::IsNan | Unary::IsInf => (a == Ty::F32).then_some(Ty::Bool),
        _ => (a == Ty::F32).then_some(a),
    }
}

fn binary_type(op: Binary, a: Ty) -> Option<Ty> {
    use Binary as B;
    match op {
        B::And | B::Or | B::Xor => (a == Ty::Bool).then_some(a),
        B::BitAnd | B::BitOr | B::BitXor => matches!(a, Ty::I32 | Ty::U32).then_some(a),
        B::Equal => Some(Ty::Bool),
        B::Less | B::LessOrEqual | B::Greater | B::GreaterOrEqual => (a != Ty::Bool).then_some(Ty::Bool),
        B::Ratio => (a == Ty::F32).then_some(a),
        B::Pow | B::Mod | B::Fmod => matches!(a, Ty::F32 | Ty::I32).then_some(a),
        B::Add | B::Sub | B::Mul | B::Div | B::Min | B::Max => (a != Ty::Bool).then_some(a),
    }
}

/// A chain over tensors.
#[derive(Clone, Debug, PartialEq)]
pub struct Elementwise {
    /// Extents of the result.
    pub extents: Vec<usize>,
    /// Extents of each input, broadcast to that from behind.
    pub shapes: Vec<Vec<usize>>,
    /// What is computed.
    pub chain: Chain,
}

/// Extents of the walk and, per input, how it is walked.
struct Walk {
    extents: Vec<usize>,
    /// `None` where an input has an element per thread.
    strides: Vec<Option<Vec<usize>>>,
}

impl Elementwise {
    /// Joins axes along which every input steps alike.
    fn walk(&self) -> Result<Walk, GpuFault> {
        let rank = self.extents.len();
        let mut strides = Vec::new();
        for shape in &self.shapes {
            let own = super::strides_of(shape);
            let missing = rank.checked_sub(shape.len());
            let fits = missing
                .is_some_and(|m| shape.iter().zip(&self.extents[m..]).all(|(&s, &e)| s == e || s == 1));
            let Some(missing) = missing.filter(|_| fits) else {
                return Err(GpuFault::unfit(
                    "elementwise",
                    format!("{shape:?} does not broadcast to {:?}", self.extents),
                ));
            };
            let of = |axis: usize| match axis.checked_sub(missing) {
                Some(i) if shape[i] != 1 => own[i],
                _ => 0,
            };
            strides.push((0..rank).map(of).collect::<Vec<_>>());
        }
        let mut extents: Vec<usize> = Vec::new();
        let mut joined: Vec<Vec<usize>> = vec![vec![]; strides.len()];
        for axis in (0..rank).filter(|&axis| self.extents[axis] != 1) {
            let extent = self.extents[axis];
            let alike = !extents.is_empty()
                && joined.iter().zip(&strides).all(|(j, s)| j.last() == Some(&(s[axis] * extent)));
            if alike {
                if let Some(last) = extents.last_mut() {
                    *last *= extent;
                }
                joined.iter_mut().zip(&strides).for_each(|(j, s)| {
                    if let Some(last) = j.last_mut() {
                        *last = s[axis];
                    }
                });
            } else {
                extents.push(extent);
                joined.iter_mut().zip(&strides).for_each(|(j, s)| j.push(s[axis]));
            }
        }
        let plain = super::strides_of(&extents);
        let strides = joined.into_iter().map(|j| (j != plain).then_some(j)).collect();
        Ok(Walk { extents, strides })
    }
}

/// Whether the kernel has room for a chain over so many inputs.
pub fn fits(job: &Elementwise) -> bool {
    job.shapes.len() == job.chain.inputs.len()
        && job.shapes.len() <= INPUTS
        && job.chain.constants.len() <= CONSTANTS
        && product(&job.extents) <= i32::MAX as usize
        && job.chain.result().is_ok()
        && job.walk().is_ok_and(|w| w.extents.len() <= AXES)
}

/// Adds a chain.
///
/// # Errors
/// Where it is too large or contradicts itself.
pub fn record(rec: &mut Recorder, job: &Elementwise, inputs: &[&Block], out: &Block) -> Result<(), GpuFault> {
    if !fits(job) || inputs.len() != job.shapes.len() {
        // Tells which of the reasons it is.
        job.chain.result()?;
        job.walk()?;
        return Err(GpuFault::unfit("elementwise", "too many inputs, numbers, axes or elements"));
    }
    let walk = job.walk()?;
    let count = product(&job.extents);
    let of = |v: &[usize]| row(&v.iter().map(|&e| e as u32).collect::<Vec<_>>(), 0);
    let mut strides = [[0; AXES]; INPUTS];
    for (own, walked) in strides.iter_mut().zip(&walk.strides) {
        if let Some(walked) = walked {
            *own = of(walked);
        }
    }
    let params = Params {
        size: [count as u32, walk.extents.len() as u32, 0, 0],
        extents: of(&walk.extents),
        strides,
        constants: row(&job.chain.constants, 0.0),
    };
    let linear: Vec<bool> = walk.strides.iter().map(Option::is_none).collect();
    let text = text::of(&job.chain, &linear)?;
    let program = Program { name: "elementwise", source: Source::Text(&text), entry: "main", constants: &[] };
    let mut bound: Vec<(u32, &Block)> = inputs.iter().zip(1..).map(|(block, i)| (i, *block)).collect();
    bound.push((inputs.len() as u32 + 1, out));
    let work = (count * job.chain.steps.len().max(1)) as u64;
    rec.dispatch(&program, bytemuck::bytes_of(&params), &bound, groups_of(count as u64)?, work)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Elementwise;

    fn halved(job: &Self::Job) -> &'static [usize] {
        if job.chain.steps.len() > 2 { &[0, 1, 2, 3, 4, 5] } else { &[] }
    }

    fn cases() -> Vec<Case<Elementwise>> {
        cases::cases()
    }

    fn record(rec: &mut Recorder, job: &Elementwise, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        let mut job = job.clone();
        if rec.halves() {
            job.chain = job.chain.halved(&[true; INPUTS])?;
        }
        record(rec, &job, &inputs.iter().collect::<Vec<_>>(), out)
    }

    fn twin(job: &Elementwise, inputs: &[Words]) -> Words {
        twin::of(job, inputs)
    }
}

/// A text for the validation of the prelude: every function is called by some chain of the cases.
#[cfg(all(test, not(target_arch = "wasm32")))]
pub(crate) fn texts() -> Vec<String> {
    cases::cases()
        .iter()
        .filter_map(|case| {
            let linear: Vec<bool> = case.job.walk().ok()?.strides.iter().map(Option::is_none).collect();
            text::of(&case.job.chain, &linear).ok()
        })
        .collect()
}
