//! NegativeLogLikelihoodLoss and SoftmaxCrossEntropyLoss, for models that were exported with their loss.

use super::element::count;
use super::numbers::{floats, from_floats, integers};
use super::{Attributes, Inferred, Kernel, Known, Op, OpError, known, optional, required};
use crate::tensor::{Tensor, TensorInfo};

/// How losses of elements become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reduction {
    None,
    Sum,
    /// Weighted.
    Mean,
}

/// Minus the log-probability of the target class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loss {
    reduction: Reduction,
    /// Elements with this target do not count.
    ignored: Option<i64>,
    /// The input holds scores, of which the logarithm of the softmax is taken first.
    scores: bool,
    outputs: usize,
}

pub fn parse_loss(a: &Attributes<'_>) -> Result<Op, OpError> {
    let reduction = match a.text("reduction", "mean")? {
        "none" => Reduction::None,
        "sum" => Reduction::Sum,
        "mean" => Reduction::Mean,
        other => return Err(OpError::invalid(format!("reduction is {other:?}"))),
    };
    let scores = a.op_type() == "SoftmaxCrossEntropyLoss";
    let outputs = if scores { a.outputs().clamp(1, 2) } else { 1 };
    Ok(Op::host(Loss { reduction, ignored: a.maybe_int("ignore_index")?, scores, outputs }))
}

impl Loss {
    /// Batch, classes and places, and the shape of the loss.
    fn shape(&self, x: &[usize], target: &[usize]) -> Result<([usize; 3], Vec<usize>), OpError> {
        let fault = || OpError::invalid(format!("targets {target:?} do not fit an input {x:?}"));
        let &[n, classes, ref places @ ..] = x else { return Err(fault()) };
        if target.first() != Some(&n) || &target[1..] != places {
            return Err(fault());
        }
        let shape = if self.reduction == Reduction::None { target.to_vec() } else { vec![] };
        Ok(([n, classes, count(places)?], shape))
    }
}

impl Kernel for Loss {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (x, target) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        let mut out = vec![TensorInfo { dtype: x.dtype, shape: self.shape(&x.shape, &target.shape)?.1 }];
        if self.outputs > 1 {
            out.push(x.clone());
        }
        Ok(Some(out))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (x, target) = (required(inputs, 0)?, required(inputs, 1)?);
        let ([n, classes, places], shape) = self.shape(x.shape(), target.shape())?;
        let mut logs = floats(x, "the input")?;
        if self.scores {
            for image in logs.chunks_exact_mut((classes * places).max(1)) {
                for p in 0..places {
                    let at = |c: usize| c * places + p;
                    let most = (0..classes).map(|c| image[at(c)]).fold(f64::NEG_INFINITY, f64::max);
                    let sum: f64 = (0..classes).map(|c| (image[at(c)] - most).exp()).sum();
                    (0..classes).for_each(|c| image[at(c)] -= most + sum.ln());
                }
            }
        }
        let targets = integers(target, "the targets")?;
        let weights = match optional(inputs, 2) {
            Some(weights) => floats(weights, "the weights")?,
            None => vec![1.0; classes],
        };
        if weights.len() != classes {
            return Err(OpError::invalid(format!("{} weights for {classes} classes", weights.len())));
        }
        let mut losses = Vec::with_capacity(targets.len());
        let mut total = 0.0;
        for (i, &class) in targets.iter().enumerate().take(n * places) {
            if Some(class) == self.ignored {
                losses.push(0.0);
                continue;
            }
            let class = usize::try_from(class).ok().filter(|&class| class < classes);
            let class =
                class.ok_or_else(|| OpError::invalid(format!("a target is none of {classes} classes")))?;
            losses.push(-logs[(i / places * classes + class) * places + i % places] * weights[class]);
            total += weights[class];
        }
        let losses = match self.reduction {
            Reduction::None => losses,
            Reduction::Sum => vec![losses.iter().sum()],
            Reduction::Mean => vec![losses.iter().sum::<f64>() / total],
        };
        let mut out = vec![from_floats(shape, losses, x.dtype())?];
        if self.outputs > 1 {
            out.push(from_floats(x.shape().to_vec(), logs, x.dtype())?);
        }
        Ok(out)
    }
}
