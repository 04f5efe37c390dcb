//! Activations and normalizations that older converters write as their formulas.
//!
//! x · sigmoid(x), x · hardsigmoid(x), the error function's GELU, and layer normalization.

use super::Fuser;
use crate::graph::ValueId;
use crate::ops::Op;
use crate::ops::elementwise::{BinaryKind, Unary};
use crate::ops::norm::LayerNorm;
use crate::ops::reduce::ReduceKind;
use crate::tensor::Data;

/// Whether a constant is this number, to the precision that half floats have.
fn is(x: f64, want: f64) -> bool {
    (x - want).abs() <= 1e-3 * want
}

impl Fuser<'_> {
    /// Replaces node `at`, the last of a formula, by the operator that the formula is.
    pub(super) fn pattern(&mut self, at: usize) -> bool {
        self.swish(at).or_else(|| self.gelu(at)).or_else(|| self.layer_norm(at)).is_some()
    }

    /// The two operands of a node of this kind.
    pub(super) fn operands(&self, at: usize, kind: BinaryKind) -> Option<(ValueId, ValueId)> {
        match &self.graph.nodes[at].op {
            Op::Binary(b) if b.kind == kind => Some((self.input(at, 0)?, self.input(at, 1)?)),
            _ => None,
        }
    }

    /// The operand that is no constant, and the constant.
    fn with_scalar(&self, at: usize, kind: BinaryKind) -> Option<(ValueId, f64)> {
        let (a, b) = self.operands(at, kind)?;
        match (self.scalar(a), self.scalar(b)) {
            (None, Some(c)) => Some((a, c)),
            // Only sums and products may be turned.
            (Some(c), None) if matches!(kind, BinaryKind::Add | BinaryKind::Mul) => Some((b, c)),
            _ => None,
        }
    }

    /// Makes node `at` a function of `x` alone, and takes `parts` away.
    pub(super) fn replace(&mut self, at: usize, op: Op, inputs: Vec<Option<ValueId>>, parts: &[usize]) {
        let node = &mut self.graph.nodes[at];
        for &id in node.inputs.iter().flatten() {
            self.uses[id] = self.uses[id].saturating_sub(1);
        }
        node.op = op;
        node.inputs = inputs;
        for &part in parts {
            self.gone[part] = true;
        }
        // The values that the parts read have fewer readers now; the next round counts anew.
        for &part in parts {
            for id in self.graph.nodes[part].outputs.iter().flatten() {
                self.makers.remove(id);
            }
        }
    }

    fn swish(&mut self, at: usize) -> Option<()> {
        let (a, b) = self.operands(at, BinaryKind::Mul)?;
        for (x, gate) in [(a, b), (b, a)] {
            let Some(part) = self.sole(gate) else { continue };
            if self.input(part, 0) != Some(x) {
                continue;
            }
            let op = match self.graph.nodes[part].op {
                Op::Unary(Unary::Sigmoid) => Unary::Swish { alpha: 1.0 },
                Op::Unary(Unary::HardSigmoid { alpha, beta })
                    if is(alpha.into(), 1.0 / 6.0) && is(beta.into(), 0.5) =>
                {
                    Unary::HardSwish
                }
                _ => continue,
            };
            self.replace(at, Op::Unary(op), vec![Some(x)], &[part]);
            return Some(());
        }
        None
    }

    /// `0.5 * x * (1 + erf(x / sqrt(2)))`, in the orders in which converters write it.
    fn gelu(&mut self, at: usize) -> Option<()> {
        // (x * (1 + erf)) * 0.5
        if let Some((product, half)) = self.with_scalar(at, BinaryKind::Mul)
            && is(half, 0.5)
        {
            let part = self.sole(product)?;
            let (a, b) = self.operands(part, BinaryKind::Mul)?;
            for (x, sum) in [(a, b), (b, a)] {
                if let Some(mut parts) = self.one_plus_erf(sum, x) {
                    parts.push(part);
                    self.replace(at, Op::Unary(Unary::Gelu { tanh: false }), vec![Some(x)], &parts);
                    return Some(());
                }
            }
            return None;
        }
        // (x * 0.5) * (1 + erf)
        let (a, b) = self.operands(at, BinaryKind::Mul)?;
        for (scaled, sum) in [(a, b), (b, a)] {
            let Some(part) = self.sole(scaled) else { continue };
            let Some((x, half)) = self.with_scalar(part, BinaryKind::Mul) else { continue };
            if !is(half, 0.5) {
                continue;
            }
            if let Some(mut parts) = self.one_plus_erf(sum, x) {
                parts.push(part);
                self.replace(at, Op::Unary(Unary::Gelu { tanh: false }), vec![Some(x)], &parts);
                return Some(());
            }
        }
        None
    }

    /// The nodes of `1 + erf(x / sqrt(2))`.
    fn one_plus_erf(&self, sum: ValueId, x: ValueId) -> Option<Vec<usize>> {
        let add = self.sole(sum)?;
        let (erf_value, one) = self.with_scalar(add, BinaryKind::Add)?;
        let erf = self.sole(erf_value)?;
        if !is(one, 1.0) || !matches!(self.graph.nodes[erf].op, Op::Unary(Unary::Erf)) {
            return None;
        }
        let scaling = self.sole(self.input(erf, 0)?)?;
        let (inner, fits) = match self.with_scalar(scaling, BinaryKind::Div) {
            Some((inner, by)) => (inner, is(by, std::f64::consts::SQRT_2)),
            None => {
                let (inner, by) = self.with_scalar(scaling, BinaryKind::Mul)?;
                (inner, is(by, std::f64::consts::FRAC_1_SQRT_2))
            }
        };
        (fits && inner == x).then(|| vec![add, erf, scaling])
    }

    /// The input of a mean over the last axis that keeps it.
    fn mean(&self, at: usize) -> Option<ValueId> {
        let Op::Reduce(reduce) = &self.graph.nodes[at].op else { return None };
        let last = match (&reduce.axes, self.input(at, 1)) {
            (Some(axes), _) => *axes == [-1],
            (None, Some(axes)) => matches!(self.constant(axes)?.data(), Data::I64(v) if *v == [-1]),
            (None, None) => false,
        };
        (reduce.kind == ReduceKind::Mean && reduce.keep && last).then(|| self.input(at, 0)).flatten()
    }

    /// `(x - mean) / sqrt(mean((x - mean)^2) + epsilon) * scale + bias` over the last axis.
    fn layer_norm(&mut self, at: usize) -> Option<()> {
        let (a, b) = self.operands(at, BinaryKind::Add)?;
        let (product, bias) = if self.floats(b).is_some() { (a, b) } else { (b, a) };
        let mul = self.sole(product)?;
        let (a, b) = self.operands(mul, BinaryKind::Mul)?;
        let (quotient, scale) = if self.floats(b).is_some() { (a, b) } else { (b, a) };
        let (bias_shape, _) = self.floats(bias)?;
        let (scale_shape, _) = self.floats(scale)?;
        // One axis each and the same: anything else may widen the result.
        if scale_shape.len() != 1 || bias_shape != scale_shape {
            return None;
        }
        let div = self.sole(quotient)?;
        let (centred, deviation) = self.operands(div, BinaryKind::Div)?;
        let sqrt = self.sole(deviation)?;
        if !matches!(self.graph.nodes[sqrt].op, Op::Unary(Unary::Sqrt)) {
            return None;
        }
        let add = self.sole(self.input(sqrt, 0)?)?;
        let (variance, epsilon) = self.with_scalar(add, BinaryKind::Add)?;
        let variance_of = self.sole(variance)?;
        let square = self.sole(self.mean(variance_of)?)?;
        let squared = match self.operands(square, BinaryKind::Mul) {
            Some((a, b)) if a == b => a,
            _ => {
                let (base, exponent) = self.with_scalar(square, BinaryKind::Pow)?;
                (exponent == 2.0).then_some(base)?
            }
        };
        let sub = self.maker(centred)?;
        let (x, mean_value) = self.operands(sub, BinaryKind::Sub)?;
        let mean_of = self.sole(mean_value)?;
        // The difference is read by the square (twice, if that is a product) and the quotient, and by nothing else.
        let readers = 1 + self.graph.nodes[square].inputs.iter().filter(|i| **i == Some(centred)).count();
        if squared != centred || self.mean(mean_of)? != x || self.uses[centred] != readers {
            return None;
        }
        let op = LayerNorm { epsilon: epsilon as f32, axis: -1, outputs: 1 };
        let inputs = vec![Some(x), Some(scale), Some(bias)];
        self.replace(
            at,
            Op::LayerNorm(op),
            inputs,
            &[mul, div, sqrt, add, variance_of, square, sub, mean_of],
        );
        Some(())
    }
}
