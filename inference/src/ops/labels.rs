//! The class with the largest score, one byte per voxel: the tail of a network that labels.
//!
//! No operator of ONNX: networks answer with scores, which for 104 classes on 256³ voxels would take 7 GB. Behind a 1×1
//! convolution they exist for a few thousand voxels at a time.

use crate::cpu;
use crate::ops::conv::Conv;
use crate::ops::element::{count, slice, tensor};
use crate::ops::{Inferred, Kernel, Known, OpError, Prepared, known, optional, required};
use crate::tensor::{DType, Tensor, TensorInfo};

/// Input (N, C, …) of scores in f32, output (N, …) of bytes: of equal scores the first class, and a score that is no
/// number never wins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Labels;

/// The same of the scores that a 1×1 convolution would give.
#[derive(Clone, Debug, PartialEq)]
pub struct ConvLabels {
    /// Without activation, stride, padding and groups.
    pub conv: Conv,
}

fn labelled(scores: &[usize]) -> Inferred {
    match *scores {
        [n, 1..=256, ref space @ ..] => {
            let shape = [n].into_iter().chain(space.iter().copied()).collect();
            Ok(Some(vec![TensorInfo { dtype: DType::U8, shape }]))
        }
        [_, classes, ..] => Err(OpError::invalid(format!("{classes} classes have no place in a byte"))),
        _ => Err(OpError::invalid(format!("{scores:?} is no shape of scores by class"))),
    }
}

impl Kernel for Labels {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        match info.dtype {
            DType::F32 | DType::F16 | DType::BF16 => labelled(&info.shape),
            got => Err(OpError::Type { what: "the scores of the classes", got }),
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let wide = crate::ops::element::widen(input);
        let scores = slice::<f32>(wide.as_ref().unwrap_or(input), "the scores")?;
        let (shape, classes) = match labelled(input.shape())?.as_deref() {
            Some([info]) => (info.shape.clone(), input.shape()[1]),
            _ => return Err(OpError::Missing { input: 0 }),
        };
        let voxels = count(shape.get(1..).unwrap_or_default())?;
        let mut labels = vec![0; count(&shape)?];
        if voxels > 0 {
            for (scores, labels) in scores.chunks(classes * voxels).zip(labels.chunks_mut(voxels)) {
                cpu::largest(scores, labels);
            }
        }
        Ok(vec![tensor(shape, labels)?])
    }
}

impl ConvLabels {
    /// `None` where the convolution is more than a sum over channels.
    pub fn new(conv: &Conv, weights: &[usize]) -> Option<Self> {
        let still = |list: &[i64], of: i64| list.iter().all(|&entry| entry == of);
        let plain = conv.activation.is_none()
            && conv.group == 1
            && weights.get(2..).is_some_and(|kernel| kernel.iter().all(|&k| k == 1))
            && (1..=256).contains(weights.first()?)
            && still(&conv.window.strides, 1)
            && still(&conv.window.pads, 0);
        plain.then(|| Self { conv: conv.clone() })
    }
}

impl Kernel for ConvLabels {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        match self.conv.infer(inputs)?.as_deref() {
            Some([scores]) => labelled(&scores.shape),
            _ => Ok(None),
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let constants: Vec<_> = (0..inputs.len()).map(|at| optional(inputs, at).filter(|_| at > 0)).collect();
        match self.prepare(&constants) {
            Some(ready) => self.run_prepared(inputs, &ready),
            None => Labels.run(&[self.conv.run(inputs)?.first()]),
        }
    }

    fn prepare(&self, constants: &[Option<&Tensor>]) -> Option<Prepared> {
        self.conv.prepare(constants)
    }

    fn run_prepared(&self, inputs: &[Option<&Tensor>], ready: &Prepared) -> Result<Vec<Tensor>, OpError> {
        let (x, w, b) = (required(inputs, 0)?, required(inputs, 1)?, optional(inputs, 2));
        let shape = self.conv.shape(x.shape(), w.shape())?;
        let (Some(kernel), DType::F32) = (ready.0.downcast_ref::<cpu::ConvKernel>(), x.dtype()) else {
            return Labels.run(&[self.conv.run(inputs)?.first()]);
        };
        let bias = b.map(|b| slice::<f32>(b, "the bias")).transpose()?.unwrap_or_default();
        let labels = kernel.labels(slice::<f32>(x, "the input")?, shape.batch, &shape.axes, bias)?;
        let shape = shape.output.iter().enumerate().filter(|(i, _)| *i != 1).map(|(_, &n)| n).collect();
        Ok(vec![tensor(shape, labels)?])
    }

    fn scratch_bytes(&self, inputs: &[Option<Known<'_>>]) -> u64 {
        let filters = known(inputs, 1).ok().and_then(|w| w.info.shape.first().copied()).unwrap_or(0);
        cpu::label_scratch_bytes(filters)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tensor::Data;

    #[test]
    fn of_equal_scores_the_first_wins_and_what_is_no_number_never() {
        let scores =
            vec![1.0, f32::NAN, 2.0, 0.0, 1.0, f32::NAN, 3.0, -1.0, 0.5, 4.0, 3.0, f32::NEG_INFINITY];
        let scores = Tensor::new(vec![1, 3, 2, 2], Data::F32(scores)).unwrap();
        let got = Labels.run(&[Some(&scores)]).unwrap().remove(0);
        assert_eq!((got.shape(), got.data()), (&[1, 2, 2][..], &Data::U8(vec![0, 2, 1, 0])));
        let info = TensorInfo { dtype: DType::F32, shape: vec![1, 257, 2] };
        assert!(Labels.infer(&[Some(Known { info: &info, value: None })]).is_err());
    }
}
