//! Attention: product, factor, mask, softmax and product, with the moves of axes around them.
//!
//! Factors come from constants or, in exports for any size, from arithmetic on shapes; they stay inputs. Moves are taken
//! in where nothing else reads what they make, else they stay nodes.

use super::Fuser;
use crate::graph::ValueId;
use crate::ops::Op;
use crate::ops::elementwise::{BinaryKind, Unary};
use crate::ops::heads::{Heads, View};
use crate::ops::reduce::SoftmaxKind;
use crate::ops::shape::Reshape;
use crate::tensor::Data;

/// A product with a factor: what is multiplied, the factor, whether it divides, the node.
struct Factor {
    of: ValueId,
    factor: ValueId,
    divides: bool,
    node: usize,
}

/// An operand: the value that it is a view of, and the nodes that make the view.
#[derive(Clone, Default)]
struct Operand {
    value: ValueId,
    view: View,
    nodes: Vec<usize>,
}

impl Fuser<'_> {
    /// Makes node `at` an attention, or takes it into one.
    pub(super) fn attention(&mut self, at: usize) -> bool {
        self.heads(at).or_else(|| self.behind_heads(at)).is_some()
    }

    /// Every pair of operands of a product or quotient that only one node reads, the second being the factor.
    fn factors(&self, value: ValueId) -> Vec<Factor> {
        let Some(node) = self.sole(value) else { return vec![] };
        let Op::Binary(binary) = &self.graph.nodes[node].op else { return vec![] };
        let (Some(a), Some(b)) = (self.input(node, 0), self.input(node, 1)) else { return vec![] };
        match binary.kind {
            BinaryKind::Mul => {
                [(a, b), (b, a)].map(|(of, factor)| Factor { of, factor, divides: false, node }).into()
            }
            BinaryKind::Div => vec![Factor { of: a, factor: b, divides: true, node }],
            _ => vec![],
        }
    }

    fn is_product(&self, value: ValueId) -> bool {
        self.sole(value).is_some_and(|node| matches!(self.graph.nodes[node].op, Op::MatMul(_)))
    }

    /// The factor of scores.
    fn scaled_scores(&self, value: ValueId) -> Option<Factor> {
        self.factors(value).into_iter().find(|factor| self.is_product(factor.of))
    }

    /// The factor of q or k: one number, or the root of one as in exports that divide its square between both.
    fn scaled_operand(&self, value: ValueId) -> Option<Factor> {
        let number = |value: ValueId| {
            self.scalar(value).is_some()
                || self
                    .maker(value)
                    .is_some_and(|at| matches!(self.graph.nodes[at].op, Op::Unary(Unary::Sqrt)))
        };
        self.factors(value).into_iter().find(|factor| number(factor.factor) && !number(factor.of))
    }

    fn permutation(&self, node: usize) -> Option<Vec<usize>> {
        let Op::Transpose(transpose) = &self.graph.nodes[node].op else { return None };
        transpose.permutation.as_ref()?.iter().map(|&axis| usize::try_from(axis).ok()).collect()
    }

    /// The tensor of which `value` is one index of an axis: axis, index, nodes.
    fn part(&self, value: ValueId) -> Option<(ValueId, (usize, i64), Vec<usize>)> {
        let node = self.maker(value)?;
        let ints = |value: ValueId| match self.constant(value)?.data() {
            Data::I64(v) if v.len() == 1 => Some((v[0], self.constant(value)?.shape().len())),
            _ => None,
        };
        match &self.graph.nodes[node].op {
            Op::Gather(gather) => {
                let (index, 0) = ints(self.input(node, 1)?)? else { return None };
                let axis = usize::try_from(gather.axis).ok()?;
                Some((self.input(node, 0)?, (axis, index), vec![node]))
            }
            Op::Reshape(Reshape::Squeeze { axes }) => {
                let axis = match axes.as_deref() {
                    Some(&[axis]) => axis,
                    None => ints(self.input(node, 1)?)?.0,
                    Some(_) => return None,
                };
                let piece = self.input(node, 0)?;
                let split = self.maker(piece)?;
                let Op::Split(op) = &self.graph.nodes[split].op else { return None };
                // Of extent 1, or the axis could not be squeezed away: the piece is an index.
                let index = self.graph.nodes[split].outputs.iter().position(|&out| out == Some(piece))?;
                let axis = usize::try_from(axis).ok().filter(|_| op.axis == axis)?;
                Some((self.input(split, 0)?, (axis, index as i64), vec![node, split]))
            }
            _ => None,
        }
    }

    /// Looks through the moves that made `value`: the last order of axes, before it an index, before that an order.
    fn operand(&self, value: ValueId, deep: bool) -> Operand {
        let permuted = |value: ValueId| {
            let node = self.maker(value)?;
            Some((self.input(node, 0)?, self.permutation(node)?, node))
        };
        let mut operand = Operand { value, ..Operand::default() };
        let last = permuted(value);
        if let Some((source, order, node)) = last {
            operand =
                Operand { value: source, view: View { part: None, order: Some(order) }, nodes: vec![node] };
        }
        if !deep {
            return operand;
        }
        let Some((source, (axis, index), nodes)) = self.part(operand.value) else { return operand };
        operand.nodes.extend(nodes);
        let first = permuted(source);
        let last = operand.view.order.take();
        let (value, part, left) = match first {
            None => (source, axis, None),
            Some((inner, order, node)) => {
                let Some(&part) = order.get(axis) else { return Operand { value, ..Operand::default() } };
                operand.nodes.push(node);
                // Axes of what is left once `part` has gone.
                let left: Vec<usize> =
                    order.iter().filter(|&&a| a != part).map(|&a| a - usize::from(a > part)).collect();
                (inner, part, Some(left))
            }
        };
        let order = match (left, last) {
            (None, last) => last,
            (left, None) => left,
            (Some(left), Some(last)) => last.iter().map(|&i| left.get(i).copied()).collect(),
        };
        Operand { value, view: View { part: Some((part, index)), order }, nodes: operand.nodes }
    }

    /// Whether nothing but `nodes` and `also` reads what `nodes` make.
    fn read_by_none_but(&self, nodes: &[usize], also: &[usize]) -> bool {
        let reads = |value: ValueId| {
            let readers = nodes.iter().chain(also);
            readers
                .map(|&at| self.graph.nodes[at].inputs.iter().filter(|&&i| i == Some(value)).count())
                .sum::<usize>()
        };
        nodes.iter().all(|&at| {
            self.graph.nodes[at].outputs.iter().flatten().all(|&value| reads(value) == self.uses[value])
        })
    }

    fn heads(&mut self, at: usize) -> Option<()> {
        let Op::MatMul(_) = self.graph.nodes[at].op else { return None };
        let softmax = self.sole(self.input(at, 0)?)?;
        let Op::Softmax(op) = self.graph.nodes[softmax].op else { return None };
        let mut parts = vec![softmax];
        let mut scores = self.input(softmax, 0)?;
        let mut mask = None;
        if let Some(add) = self.sole(scores)
            && let Some((a, b)) = self.operands(add, BinaryKind::Add)
        {
            let leads = |value: ValueId| self.is_product(value) || self.scaled_scores(value).is_some();
            let (left, other) = if leads(a) { (a, b) } else { (b, a) };
            (scores, mask) = (left, Some(other));
            parts.push(add);
        }
        let mut factors = [None; 3];
        let mut divides = [false; 3];
        let mut take = |slot: usize, found: Option<Factor>, value: &mut ValueId, parts: &mut Vec<usize>| {
            if let Some(found) = found {
                (factors[slot], divides[slot], *value) = (Some(found.factor), found.divides, found.of);
                parts.push(found.node);
            }
        };
        take(0, self.scaled_scores(scores), &mut scores, &mut parts);
        let product = self.sole(scores)?;
        let Op::MatMul(_) = self.graph.nodes[product].op else { return None };
        parts.push(product);
        let (mut q, mut k, v) = (self.input(product, 0)?, self.input(product, 1)?, self.input(at, 1)?);
        take(1, self.scaled_operand(q), &mut q, &mut parts);
        take(2, self.scaled_operand(k), &mut k, &mut parts);
        // As deep as nothing else reads what is passed over.
        let readers = [&parts[..], &[at]].concat();
        let seen = [true, false].into_iter().find_map(|deep| {
            let operands = [q, k, v].map(|value| self.operand(value, deep));
            let mut nodes: Vec<usize> = operands.iter().flat_map(|operand| operand.nodes.clone()).collect();
            nodes.sort_unstable();
            nodes.dedup();
            self.read_by_none_but(&nodes, &readers).then_some((operands, nodes))
        });
        let (operands, moves) =
            seen.unwrap_or_else(|| ([q, k, v].map(|value| Operand { value, ..Operand::default() }), vec![]));
        let rank = operands.iter().find_map(|operand| operand.view.order.as_ref().map(Vec::len));
        let last = op.axis == -1 || rank.is_some_and(|rank| op.axis == rank as i64 - 1);
        if op.kind != SoftmaxKind::Softmax || op.flatten || !last {
            return None;
        }
        parts.extend(moves);
        let inputs =
            operands.iter().map(|operand| Some(operand.value)).chain([mask]).chain(factors).collect();
        let views = operands.map(|operand| operand.view);
        self.replace(at, Op::Heads(Heads { views, divides, out: None }), inputs, &parts);
        Some(())
    }

    /// The order of axes behind an attention, where rows stay rows.
    fn behind_heads(&mut self, at: usize) -> Option<()> {
        let order = self.permutation(at)?;
        let heads = self.sole(self.input(at, 0)?)?;
        if order.last() != Some(&order.len().checked_sub(1)?) {
            return None;
        }
        match &mut self.graph.nodes[heads].op {
            Op::Heads(op) if op.out.is_none() => op.out = Some(order),
            _ => return None,
        }
        self.take_over(heads, at);
        Some(())
    }
}
