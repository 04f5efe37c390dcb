//! Einsum: sums of products over named axes.
//!
//! A term's repeated letter is a diagonal, letters that the output lacks are summed. Operands are taken in pairs, so
//! that a chain of matrices costs what its products cost; a letter is summed as soon as no later term has it.

use super::element::{count, halves_in_f32};
use super::numbers::{floats, from_floats, from_integers, integers};
use super::{Attributes, Inferred, Kernel, Known, Op, OpError, strides, walk};
use crate::tensor::{DType, Tensor, TensorInfo};

/// An equation such as `bij,bjk->bik`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Einsum {
    terms: Vec<Vec<Label>>,
    /// The right side, `None` where it is implied.
    output: Option<Vec<Label>>,
}

/// A letter, or the place of the ellipsis.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Label {
    /// The axes of the ellipsis, before all letters in an implied output.
    Ellipsis,
    Letter(char),
}

/// An axis: of the ellipsis, counted from its end, or a letter's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Axis {
    Dots(usize),
    Letter(char),
}

fn term(text: &str) -> Result<Vec<Label>, OpError> {
    let fault = || OpError::invalid(format!("{text:?} is no term of an equation"));
    let mut labels = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(behind) = rest.strip_prefix("...") {
            if labels.contains(&Label::Ellipsis) {
                return Err(fault());
            }
            labels.push(Label::Ellipsis);
            rest = behind;
        } else if c.is_ascii_alphabetic() {
            labels.push(Label::Letter(c));
            rest = &rest[1..];
        } else {
            return Err(fault());
        }
    }
    Ok(labels)
}

pub fn parse(a: &Attributes<'_>) -> Result<Op, OpError> {
    let text: String = a.text("equation", "")?.chars().filter(|c| !c.is_whitespace()).collect();
    let (left, right) = match text.split_once("->") {
        Some((left, right)) => (left, Some(right)),
        None => (&text[..], None),
    };
    let terms = left.split(',').map(term).collect::<Result<_, _>>()?;
    Ok(Op::host(Einsum { terms, output: right.map(term).transpose()? }))
}

/// The axes of each operand, of the output, and every axis' extent.
struct Plan {
    operands: Vec<Vec<Axis>>,
    output: Vec<Axis>,
    extents: Vec<(Axis, usize)>,
}

impl Plan {
    fn extent(&self, axis: Axis) -> usize {
        self.extents.iter().find(|(known, _)| *known == axis).map_or(1, |&(_, extent)| extent)
    }

    fn shape(&self, axes: &[Axis]) -> Vec<usize> {
        axes.iter().map(|&axis| self.extent(axis)).collect()
    }
}

impl Einsum {
    fn plan(&self, shapes: &[&[usize]]) -> Result<Plan, OpError> {
        if shapes.len() != self.terms.len() {
            return Err(OpError::invalid(format!("{} terms for {} inputs", self.terms.len(), shapes.len())));
        }
        let mut plan = Plan { operands: Vec::new(), output: Vec::new(), extents: Vec::new() };
        let mut dots = 0;
        for (term, shape) in self.terms.iter().zip(shapes) {
            let letters = term.iter().filter(|label| **label != Label::Ellipsis).count();
            let fault =
                || OpError::invalid(format!("a term of {letters} letters does not fit a shape {shape:?}"));
            let free = shape.len().checked_sub(letters).ok_or_else(fault)?;
            if free > 0 && !term.contains(&Label::Ellipsis) {
                return Err(fault());
            }
            dots = dots.max(free);
            let axes: Vec<Axis> = term
                .iter()
                .flat_map(|label| match *label {
                    Label::Ellipsis => (0..free).rev().map(Axis::Dots).collect(),
                    Label::Letter(c) => vec![Axis::Letter(c)],
                })
                .collect();
            for (&axis, &extent) in axes.iter().zip(*shape) {
                match plan.extents.iter_mut().find(|(known, _)| *known == axis) {
                    None => plan.extents.push((axis, extent)),
                    Some((_, known)) if *known == extent || extent == 1 => {}
                    Some((_, known)) if *known == 1 => *known = extent,
                    Some((_, known)) => {
                        return Err(OpError::invalid(format!(
                            "an axis has {known} elements here and {extent} there"
                        )));
                    }
                }
            }
            plan.operands.push(axes);
        }
        let ellipsis = (0..dots).rev().map(Axis::Dots);
        plan.output = match &self.output {
            Some(labels) => labels
                .iter()
                .flat_map(|label| match *label {
                    Label::Ellipsis => ellipsis.clone().collect(),
                    Label::Letter(c) => vec![Axis::Letter(c)],
                })
                .collect(),
            // Implied: the ellipsis, then the letters that stand once, by alphabet.
            None => {
                let all: Vec<Label> = self.terms.iter().flatten().copied().collect();
                let once = |c: &&Label| all.iter().filter(|other| other == c).count() == 1;
                let mut letters: Vec<char> = all
                    .iter()
                    .filter(once)
                    .filter_map(|l| if let Label::Letter(c) = l { Some(*c) } else { None })
                    .collect();
                letters.sort_unstable();
                ellipsis.chain(letters.into_iter().map(Axis::Letter)).collect()
            }
        };
        for (i, axis) in plan.output.iter().enumerate() {
            let known = plan.extents.iter().any(|(known, _)| known == axis);
            if !known || plan.output[..i].contains(axis) {
                return Err(OpError::invalid("the output names an axis twice or one that no input has"));
            }
        }
        Ok(plan)
    }
}

/// Elements with an axis each.
struct Operand<T> {
    axes: Vec<Axis>,
    shape: Vec<usize>,
    values: Vec<T>,
}

impl<T> Operand<T> {
    /// Steps along each of `axes`: a diagonal adds up, a missing or repeated axis has none.
    fn steps(&self, axes: &[Axis]) -> Vec<usize> {
        let own = strides(&self.shape);
        let step = |axis: &Axis| -> usize {
            (0..own.len()).filter(|&i| self.axes[i] == *axis && self.shape[i] != 1).map(|i| own[i]).sum()
        };
        axes.iter().map(step).collect()
    }
}

fn evaluate<T: Copy + Default>(
    plan: &Plan,
    operands: Vec<Vec<T>>,
    shapes: &[&[usize]],
    one: T,
    add_product: impl Fn(T, T, T) -> T,
) -> Result<Vec<T>, OpError> {
    let mut rest = operands
        .into_iter()
        .zip(shapes)
        .zip(&plan.operands)
        .map(|((values, shape), axes)| Operand { axes: axes.clone(), shape: shape.to_vec(), values });
    let mut sum = Operand { axes: vec![], shape: vec![], values: vec![one] };
    let many = plan.operands.len();
    for i in 0..many {
        let Some(next) = rest.next() else { break };
        let later = |axis: &Axis| plan.operands[i + 1..].iter().flatten().any(|other| other == axis);
        let mut all: Vec<Axis> = sum.axes.iter().chain(&next.axes).copied().collect();
        all.sort_unstable();
        all.dedup();
        let (kept, summed): (Vec<Axis>, Vec<Axis>) = if i + 1 == many {
            (plan.output.clone(), all.into_iter().filter(|axis| !plan.output.contains(axis)).collect())
        } else {
            all.into_iter().partition(|axis| plan.output.contains(axis) || later(axis))
        };
        let shape = plan.shape(&kept);
        let inner = plan.shape(&summed);
        let (a_out, b_out) = (sum.steps(&kept), next.steps(&kept));
        let (a_in, b_in) = (sum.steps(&summed), next.steps(&summed));
        let mut values = Vec::with_capacity(count(&shape)?);
        walk(&shape, &[&a_out, &b_out], |[a, b]| {
            let mut total = T::default();
            walk(&inner, &[&a_in, &b_in], |[i, j]| {
                total = add_product(total, sum.values[a + i], next.values[b + j])
            });
            values.push(total);
        });
        sum = Operand { axes: kept, shape, values };
    }
    Ok(sum.values)
}

impl Kernel for Einsum {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let all: Vec<_> = inputs.iter().flatten().map(|known| known.info).collect();
        let dtype = all.first().ok_or(OpError::Missing { input: 0 })?.dtype;
        let plan = self.plan(&all.iter().map(|info| &info.shape[..]).collect::<Vec<_>>())?;
        Ok(Some(vec![TensorInfo { dtype, shape: plan.shape(&plan.output) }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let all: Vec<&Tensor> = inputs.iter().flatten().copied().collect();
        let dtype = all.first().ok_or(OpError::Missing { input: 0 })?.dtype();
        let shapes: Vec<_> = all.iter().map(|tensor| tensor.shape()).collect();
        let plan = self.plan(&shapes)?;
        let shape = plan.shape(&plan.output);
        Ok(vec![if matches!(dtype, DType::F32 | DType::F64) {
            let values = all.iter().map(|t| floats(t, "an input")).collect::<Result<_, _>>()?;
            from_floats(shape, evaluate(&plan, values, &shapes, 1.0, |sum, a, b| sum + a * b)?, dtype)?
        } else {
            let values = all.iter().map(|t| integers(t, "an input")).collect::<Result<_, _>>()?;
            let add = |sum: i64, a: i64, b: i64| sum.wrapping_add(a.wrapping_mul(b));
            from_integers(shape, evaluate(&plan, values, &shapes, 1, add)?, dtype)?
        }])
    }
}
