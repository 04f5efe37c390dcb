//! The GPU as an executor of the interpreter.
//!
//! An operator is lowered to jobs of kernels once its shapes are known; what cannot be lowered runs on the host. The same
//! lowering answers "do you take it" and runs it, so that a yes is kept.

mod chains;
mod image;
mod lower;
mod moves;
mod store;
mod weights;

use std::rc::Rc;
use std::sync::Arc;

use super::device::Gpu;
use super::fault::GpuFault;
use super::kernels::{
    conv, copy, depthwise, elementwise, gather, labels, matmul, norm, pad, pool, reduce, resample, softmax,
};
use super::memory::{Block, WORD_BYTES, class_of};
use super::recorder::Recorder;
use crate::exec::{Arg, Exec, ExecError};
use crate::image::{Image, Level, Measured, Sampling};
use crate::ops::Op;
use crate::ops::packed::Packed;
use crate::tensor::{Tensor, TensorInfo};
use lower::{Job, lower};
use weights::{Held, Ready};

impl From<GpuFault> for ExecError {
    fn from(fault: GpuFault) -> Self {
        Self::Device(fault.to_string())
    }
}

/// A tensor on the GPU: one word per element, whatever its type, but for weights that stay packed.
#[derive(Clone)]
pub struct Value {
    block: Block,
    info: TensorInfo,
    /// The same as weights of a kernel, once it was that.
    ready: Rc<Ready>,
    /// Weights that stay packed; `block` means nothing then.
    held: Option<Rc<Held>>,
    /// Whether four elements share a word: labels on their way back, which nothing else reads.
    bytes: bool,
}

impl Value {
    fn new(block: Block, info: TensorInfo) -> Self {
        Self { block, info, ready: Rc::default(), held: None, bytes: false }
    }
}

/// Runs operators on one device.
pub struct GpuExec {
    rec: Recorder,
    eager: bool,
}

impl GpuExec {
    /// On this device. `eager` runs everything there that can be, also what is quicker on the host: for tests.
    pub fn new(gpu: Gpu, eager: bool) -> Self {
        Self { rec: Recorder::new(gpu), eager }
    }

    /// The device's work.
    pub const fn recorder(&self) -> &Recorder {
        &self.rec
    }

    /// The device's work, to wait for it or to give memory back.
    pub const fn recorder_mut(&mut self) -> &mut Recorder {
        &mut self.rec
    }

    fn words(&self, info: &TensorInfo) -> Option<u64> {
        let words = info.elements()? as u64;
        let fits = words > 0 && words <= self.rec.gpu().largest_binding() / 4 && words <= i32::MAX as u64;
        fits.then_some(words)
    }

    fn execute(
        &mut self,
        job: Job,
        inputs: &[Option<&Value>],
        outputs: &[TensorInfo],
    ) -> Result<Vec<Value>, GpuFault> {
        let readable = self.readable(&job, inputs)?;
        let inputs: Vec<Option<&Value>> = readable.iter().map(Option::as_ref).collect();
        let input = |at: usize| {
            inputs
                .get(at)
                .copied()
                .flatten()
                .ok_or_else(|| GpuFault::unfit("executor", format!("input {at} is missing")))
        };
        let optional = |at: usize| inputs.get(at).copied().flatten().map(|value| &value.block);
        if let Job::Alias(at) = job {
            let info = outputs
                .first()
                .cloned()
                .unwrap_or_else(|| TensorInfo { dtype: crate::DType::F32, shape: vec![] });
            return Ok(vec![Value::new(input(at)?.block.clone(), info)]);
        }
        if let (Job::Labels(job), Some(info)) = (&job, outputs.first()) {
            let weights = self.weights(&job.0, input(1)?)?;
            let block = self.rec.take(job.words() as u64)?;
            labels::record(&mut self.rec, job, &input(0)?.block, &weights, optional(2), &block)?;
            return Ok(vec![Value { bytes: true, ..Value::new(block, info.clone()) }]);
        }
        let mut made = Vec::with_capacity(outputs.len());
        for info in outputs {
            let words = info.elements().unwrap_or(0) as u64;
            made.push(Value::new(self.rec.take(words)?, info.clone()));
        }
        let Some(out) = made.first().map(|value| value.block.clone()) else { return Ok(made) };
        match job {
            Job::Alias(_) | Job::Labels(_) => {}
            Job::Conv(job) => {
                let weights = self.weights(&job, input(1)?)?;
                conv::record(&mut self.rec, &job, &input(0)?.block, &weights, optional(2), &out)?;
            }
            Job::Depthwise(job) => {
                let weights = self.operand(input(1)?)?;
                depthwise::record(&mut self.rec, &job, &input(0)?.block, &weights, optional(2), &out)?;
            }
            Job::MatMul(job) => {
                let b = self.operand(input(1)?)?;
                matmul::record_packed(&mut self.rec, &job, &input(0)?.block, &b, optional(2), &out)?;
            }
            Job::Pool(job) => pool::record(&mut self.rec, &job, &input(0)?.block, &out)?,
            Job::Norm(job) => {
                norm::record(&mut self.rec, &job, &input(0)?.block, &input(1)?.block, optional(2), &out)?;
            }
            Job::Softmax(job) => softmax::record(&mut self.rec, &job, &input(0)?.block, &out)?,
            Job::Reduce(job) => reduce::record(&mut self.rec, &job, &input(0)?.block, &out)?,
            Job::Gather(job) => {
                gather::record(&mut self.rec, &job, &input(0)?.block, &input(1)?.block, &out)?;
            }
            Job::Pad(job) => pad::record(&mut self.rec, &job, &input(0)?.block, &out)?,
            Job::Copies(copies) => {
                for (from, to, job) in copies {
                    let to =
                        made.get(to).ok_or_else(|| GpuFault::unfit("executor", "an output is missing"))?;
                    copy::record(&mut self.rec, &job, &input(from)?.block, &to.block)?;
                }
            }
            Job::Resample(passes) => {
                let mut from = input(0)?.block.clone();
                let last = passes.len().saturating_sub(1);
                for (i, pass) in passes.iter().enumerate() {
                    let to = if i == last {
                        out.clone()
                    } else {
                        self.rec.take((pass.outer * pass.output() * pass.inner) as u64)?
                    };
                    resample::record(&mut self.rec, pass, &from, &to)?;
                    from = to;
                }
            }
            Job::Elementwise(job, from) => {
                let blocks: Result<Vec<_>, _> =
                    from.iter().map(|&at| input(at).map(|value| &value.block)).collect();
                elementwise::record(&mut self.rec, &job, &blocks?, &out)?;
            }
        }
        Ok(made)
    }
}

impl Exec for GpuExec {
    type Value = Value;

    fn name(&self) -> String {
        self.rec.gpu().adapter_name().to_owned()
    }

    fn upload(&mut self, tensor: &Tensor) -> Result<Value, ExecError> {
        let block = store::upload(&mut self.rec, tensor)?;
        Ok(Value::new(block, tensor.info()))
    }

    fn packs(&self, op: &Op, weights: &Packed) -> bool {
        // ConvLabels, small as it is, has a kernel for f32 alone.
        self.words(&weights.info()).is_some() && weights.per_output(op).is_some()
    }

    fn upload_packed(&mut self, op: &Op, weights: &Arc<Packed>) -> Result<Value, ExecError> {
        let scales = weights.per_output(op);
        let scales =
            scales.ok_or_else(|| ExecError::Device(format!("{op:?} cannot read such weights packed")))?;
        Ok(self.hold(weights, scales)?)
    }

    fn holds(&self, info: &TensorInfo) -> bool {
        store::has_word(info.dtype) && self.words(info).is_some()
    }

    fn takes(&self, op: &Op, inputs: &[Option<Arg<'_, Value>>], outputs: &[TensorInfo]) -> bool {
        lower(op, inputs, outputs).is_some()
    }

    fn run(
        &mut self,
        op: &Op,
        inputs: &[Option<Arg<'_, Value>>],
        outputs: &[TensorInfo],
    ) -> Result<Vec<Value>, ExecError> {
        let job = lower(op, inputs, outputs)
            .ok_or_else(|| ExecError::Device(format!("{op:?} was taken and cannot be lowered")))?;
        let values: Vec<Option<&Value>> = inputs.iter().map(|arg| arg.and_then(|arg| arg.value)).collect();
        Ok(self.execute(job, &values, outputs)?)
    }

    async fn download(&mut self, value: &Value) -> Result<Tensor, ExecError> {
        if let Some(tensor) = Self::held_tensor(value) {
            return tensor;
        }
        Ok(store::download(&mut self.rec, &value.block, &value.info, value.bytes).await?)
    }

    fn sample(
        &mut self,
        image: &Image<'_>,
        sampling: &Sampling,
        shape: &[usize],
    ) -> Result<Option<Value>, ExecError> {
        self.sample_image(image, sampling, shape)
    }

    fn level(&mut self, samples: &Value, level: &Level, fill: Option<f64>) -> Result<Value, ExecError> {
        self.level_samples(samples, level, fill)
    }

    async fn measure(&mut self, samples: &Value, centre: f64) -> Result<Measured, ExecError> {
        self.measure_samples(samples, centre).await
    }

    async fn inside(&mut self, samples: &Value) -> Result<Vec<f32>, ExecError> {
        self.samples_inside(samples).await
    }

    fn bytes_of(&self, info: &TensorInfo) -> u64 {
        // What is held on the host alone is no larger.
        info.elements().map_or(u64::MAX, |n| class_of((n as u64).saturating_mul(WORD_BYTES)))
    }

    fn expect(&mut self, bytes: u64) {
        self.rec.expect(bytes);
    }

    fn bytes_in_use(&self) -> u64 {
        self.rec.held_bytes().0
    }

    fn worth(&self, elements: usize) -> bool {
        // Below, a dispatch and a copy cost more than the work.
        self.eager || elements > 4096
    }
}
