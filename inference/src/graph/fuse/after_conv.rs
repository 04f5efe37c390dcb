//! Batch normalization, a bias and an activation behind Conv or ConvTranspose.
//!
//! The first two change the weights, the third is applied before a result is stored. Weights of half floats stay half
//! floats: they are rounded once more, which the result would have been.

use half::f16;

use super::Fuser;
use crate::graph::ValueId;
use crate::ops::Op;
use crate::ops::conv::Activation;
use crate::ops::elementwise::{BinaryKind, Clip, Unary};
use crate::tensor::{DType, Data};

impl Fuser<'_> {
    /// Fuses node `at` into the convolution before it.
    pub(super) fn after_conv(&mut self, at: usize) -> bool {
        let inputs: Vec<ValueId> = self.graph.nodes[at].inputs.iter().flatten().copied().collect();
        // A sum may have the convolution on either side.
        let places = if matches!(self.graph.nodes[at].op, Op::Binary(_)) { 2 } else { 1 };
        for &value in inputs.iter().take(places) {
            let Some(conv) = self.sole(value) else { continue };
            let free = match &self.graph.nodes[conv].op {
                Op::Conv(c) => c.activation.is_none(),
                Op::ConvTranspose(c) => c.activation.is_none(),
                _ => false,
            };
            if free && self.fold_into(at, conv, value).is_some() {
                return true;
            }
        }
        false
    }

    fn fold_into(&mut self, at: usize, conv: usize, value: ValueId) -> Option<()> {
        match self.graph.nodes[at].op.clone() {
            Op::BatchNorm(norm)
                if !norm.training && self.graph.nodes[at].outputs.iter().flatten().count() == 1 =>
            {
                let list = |i: usize| Some(self.numbers(self.input(at, i)?)?.1);
                let (scale, bias, mean, variance) = (list(1)?, list(2)?, list(3)?, list(4)?);
                let factor: Vec<f64> = scale
                    .iter()
                    .zip(variance)
                    .map(|(&s, v)| s / (v + f64::from(norm.epsilon)).sqrt())
                    .collect();
                let summand: Vec<f64> =
                    bias.iter().zip(mean).zip(&factor).map(|((&b, m), f)| b - m * f).collect();
                self.affine(conv, &factor, &summand)?;
            }
            Op::Binary(sum) if sum.kind == BinaryKind::Add => {
                let other = if self.input(at, 0)? == value { self.input(at, 1)? } else { self.input(at, 0)? };
                let rank = self.graph.constants.get(&self.input(conv, 1)?)?.shape().len();
                let (shape, summand) = self.numbers(other)?;
                // One element per channel, which is the second of all axes.
                let per_channel = rank > 2
                    && shape.len() + 1 >= rank
                    && shape.len() <= rank
                    && shape.iter().rev().take(rank - 2).all(|&e| e == 1)
                    && (shape.len() < rank || shape[0] == 1);
                if !per_channel {
                    return None;
                }
                let ones = vec![1.0; summand.len()];
                self.affine(conv, &ones, &summand)?;
            }
            op => {
                let activation = self.activation(at, &op)?;
                match &mut self.graph.nodes[conv].op {
                    Op::Conv(c) => c.activation = Some(activation),
                    Op::ConvTranspose(c) => c.activation = Some(activation),
                    _ => return None,
                }
            }
        }
        self.take_over(conv, at);
        Some(())
    }

    /// The activation that a node is, if it is one.
    fn activation(&self, at: usize, op: &Op) -> Option<Activation> {
        match op {
            Op::Unary(
                unary @ (Unary::Relu
                | Unary::LeakyRelu { .. }
                | Unary::Elu { .. }
                | Unary::Sigmoid
                | Unary::HardSigmoid { .. }
                | Unary::HardSwish
                | Unary::Swish { .. }
                | Unary::Mish
                | Unary::Gelu { .. }
                | Unary::Tanh),
            ) => Some(Activation::Unary(*unary)),
            Op::Clip(clip) => self.clip(at, clip),
            _ => None,
        }
    }

    fn clip(&self, at: usize, clip: &Clip) -> Option<Activation> {
        let limit = |i: usize, attribute: Option<f32>, none: f32| match self.input(at, i) {
            Some(value) => self.scalar(value).map(|x| x as f32),
            None => Some(attribute.unwrap_or(none)),
        };
        let low = limit(1, clip.min, f32::NEG_INFINITY)?;
        let high = limit(2, clip.max, f32::INFINITY)?;
        // Crossed limits are left to the operator itself.
        (low <= high).then_some(Activation::Clip(low, high))
    }

    /// Puts `y * factor + summand`, per output channel, into the weights and the bias of a convolution.
    fn affine(&mut self, conv: usize, factor: &[f64], summand: &[f64]) -> Option<()> {
        let (shape, weights) = self.numbers(self.input(conv, 1)?)?;
        let dtype = self.constant(self.input(conv, 1)?)?.dtype();
        let (first, second) = (*shape.first()?, *shape.get(1)?);
        let taps = shape[2..].iter().product::<usize>();
        let (transposed, group) = match &self.graph.nodes[conv].op {
            Op::Conv(c) => (false, c.group),
            Op::ConvTranspose(c) => (true, c.group),
            _ => return None,
        };
        let filters = if transposed { second.checked_mul(group)? } else { first };
        // Conv: (M, C/g, taps). ConvTranspose: (C, M/g, taps), and input channel c belongs to group c / (C/g).
        let inputs_per_group = if transposed { first / group } else { 1 };
        if factor.len() != filters
            || summand.len() != filters
            || inputs_per_group == 0
            || taps == 0
            || second == 0
        {
            return None;
        }
        let channel = |i: usize| {
            let (a, b) = (i / taps / second, i / taps % second);
            if transposed { a / inputs_per_group * second + b } else { a }
        };
        if transposed && first % group != 0 {
            return None;
        }
        let new: Vec<f64> = weights.iter().enumerate().map(|(i, w)| w * factor[channel(i)]).collect();
        let old = match self.input(conv, 2) {
            Some(bias) => self.numbers(bias)?.1,
            None => vec![0.0; filters],
        };
        if old.len() != filters {
            return None;
        }
        let bias: Vec<f64> = (0..filters).map(|m| old[m] * factor[m] + summand[m]).collect();
        let (new, bias) = (of_type(dtype, &new)?, of_type(dtype, &bias)?);
        let shape = shape.to_vec();
        let name = self.graph.nodes[conv].name.clone();
        let weights = self.add_constant(&format!("{name} (weights)"), shape, new)?;
        let bias = self.add_constant(&format!("{name} (bias)"), vec![filters], bias)?;
        let inputs = &mut self.graph.nodes[conv].inputs;
        inputs.resize(3, None);
        (inputs[1], inputs[2]) = (Some(weights), Some(bias));
        Some(())
    }

    /// The elements of a constant of f32 or half floats.
    fn numbers(&self, value: ValueId) -> Option<(&[usize], Vec<f64>)> {
        let tensor = self.constant(value)?;
        let numbers = match tensor.data() {
            Data::F32(v) => v.iter().map(|&x| x.into()).collect(),
            Data::F16(v) => v.iter().map(|x| x.to_f64()).collect(),
            _ => return None,
        };
        Some((tensor.shape(), numbers))
    }
}

/// Numbers in the type that weights had; `None` where half floats cannot hold what f32 can.
fn of_type(dtype: DType, numbers: &[f64]) -> Option<Data> {
    match dtype {
        DType::F32 => Some(Data::F32(numbers.iter().map(|&x| x as f32).collect())),
        DType::F16 => {
            let halves: Vec<f16> = numbers.iter().map(|&x| f16::from_f64(x)).collect();
            let held = halves.iter().zip(numbers).all(|(half, x)| half.is_finite() || !x.is_finite());
            held.then_some(Data::F16(halves))
        }
        _ => None,
    }
}
