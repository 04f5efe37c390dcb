//! Activations stored as half floats, where a model's tensors are and the device computes with them.
//!
//! A job either finds all its activations stored so and stores its result so, or none: what comes the other way is
//! brought over before. Chains of elementwise operators take each input as it comes. What has no such kernel (gathering,
//! padding), and attention, whose scores may exceed half floats, reads and makes words.

use super::{GpuExec, Job, Value};
use crate::gpu::fault::GpuFault;
use crate::gpu::kernels::elementwise::{self, Chain, Elementwise, Step, Ty};
use crate::gpu::kernels::product;
use crate::gpu::kernels::reduce::ReduceOp;
use crate::ops::Op;
use crate::tensor::{DType, TensorInfo};

/// Whether an operator on half floats makes half floats as they are stored, whatever it is lowered to.
pub(super) fn stores(op: &Op) -> bool {
    !matches!(op, Op::Gather(_) | Op::GatherElements(_) | Op::Pad(_) | Op::Heads(_) | Op::Attention(_))
}

/// Whether a job on these inputs takes and makes activations stored as half floats.
pub(super) fn halved(job: &Job, inputs: &[Option<&Value>], outputs: &[TensorInfo]) -> bool {
    let halves = |info: &TensorInfo| info.dtype == DType::F16;
    match job {
        Job::Alias(_) | Job::Gather(_) | Job::Pad(_) | Job::Attention(_) => false,
        Job::Labels(_) => inputs.first().copied().flatten().is_some_and(|value| halves(&value.info)),
        Job::Reduce(job) if matches!(job.op, ReduceOp::ArgMax { .. } | ReduceOp::ArgMin { .. }) => false,
        _ => outputs.iter().all(halves),
    }
}

/// What a job reads at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reads {
    /// A word per element.
    Words,
    /// Half floats.
    Halves,
    /// Weights in any form, or half floats.
    Operand,
    /// Either.
    Any,
}

fn reads(job: &Job, at: usize, halved: bool) -> Reads {
    let activation = if halved { Reads::Halves } else { Reads::Words };
    match (job, at) {
        (Job::Conv(_), 1) => Reads::Operand,
        (Job::Depthwise(_) | Job::MatMul(_), 1) => Reads::Operand,
        (Job::Labels(_), 1) | (Job::Norm(_), 1 | 2) => Reads::Words,
        (Job::Elementwise(..), _) if halved => Reads::Any,
        (Job::Alias(_), _) => Reads::Any,
        _ => activation,
    }
}

impl GpuExec {
    /// The inputs of a job as its kernels read them.
    pub(super) fn readable(
        &mut self,
        job: &Job,
        inputs: &[Option<&Value>],
        halved: bool,
    ) -> Result<Vec<Option<Value>>, GpuFault> {
        let mut readable = Vec::with_capacity(inputs.len());
        for (at, value) in inputs.iter().enumerate() {
            let Some(value) = *value else {
                readable.push(None);
                continue;
            };
            let packed = value.held.is_some();
            readable.push(Some(match reads(job, at, halved) {
                // The order of a convolution's weights is brought about by moving words.
                Reads::Operand if !packed && matches!(job, Job::Conv(_)) => self.in_words(value)?,
                Reads::Operand => value.clone(),
                Reads::Any if packed => self.in_words(value)?,
                Reads::Any => value.clone(),
                Reads::Halves => self.as_halves(value)?,
                Reads::Words => self.in_words(value)?,
            }));
        }
        Ok(readable)
    }

    /// Under another type or shape.
    pub(super) fn alias(&mut self, value: &Value, info: TensorInfo) -> Result<Value, GpuFault> {
        let value = match info.dtype {
            DType::F16 if self.halves => self.as_halves(value)?,
            _ => self.in_words(value)?,
        };
        Ok(Value { halves: value.halves, ..Value::new(value.block, info) })
    }

    /// A value with one word per element.
    fn in_words(&mut self, value: &Value) -> Result<Value, GpuFault> {
        let value = self.widened(value)?;
        if value.halves { self.converted(&value, Ty::F16, Ty::F32) } else { Ok(value) }
    }

    /// A value stored as half floats.
    fn as_halves(&mut self, value: &Value) -> Result<Value, GpuFault> {
        let value = self.widened(value)?;
        if value.halves { Ok(value) } else { self.converted(&value, Ty::F32, Ty::F16) }
    }

    fn converted(&mut self, value: &Value, from: Ty, to: Ty) -> Result<Value, GpuFault> {
        let elements = product(&value.info.shape);
        let halves = to == Ty::F16;
        let block = self.rec.take(if halves { elements.div_ceil(2) } else { elements } as u64)?;
        let mut chain = Chain::new(&[from]);
        chain.push(Step::Cast(to, 0));
        let job = Elementwise { extents: vec![elements], shapes: vec![vec![elements]], chain };
        elementwise::record(&mut self.rec, &job, &[&value.block], &block)?;
        Ok(Value { halves, ..Value::new(block, value.info.clone()) })
    }
}
