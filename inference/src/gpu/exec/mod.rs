//! The GPU as an executor of the interpreter.
//!
//! An operator is lowered to jobs of kernels once its shapes are known; what cannot be lowered runs on the host. The same
//! lowering answers "do you take it" and runs it, so that a yes is kept.

mod attention;
mod chains;
mod halves;
mod image;
mod lower;
mod moves;
mod quant;
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
use super::tiles::Probe;
use crate::exec::{Arg, Exec, ExecError};
use crate::image::{Image, Level, Measured, Sampling};
use crate::ops::Op;
use crate::ops::packed::Packed;
use crate::tensor::{DType, Tensor, TensorInfo};
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
    /// Whether two elements share a word: half floats as they are.
    halves: bool,
}

impl Value {
    fn new(block: Block, info: TensorInfo) -> Self {
        Self { block, info, ready: Rc::default(), held: None, bytes: false, halves: false }
    }
}

/// Runs operators on one device.
pub struct GpuExec {
    rec: Recorder,
    eager: bool,
    /// Whether activations of half floats are stored as such.
    halves: bool,
    /// What the probe said of this device, once it was asked.
    probe: Option<Result<Probe, GpuFault>>,
}

impl GpuExec {
    /// On this device. `eager` runs everything there that can be, also what is quicker on the host: for tests.
    pub fn new(gpu: Gpu, eager: bool) -> Self {
        Self { rec: Recorder::new(gpu), eager, halves: false, probe: None }
    }

    /// Activations whose tensors are half floats are stored as such, where the device computes with them (`shader-f16`):
    /// half of the memory and of what is moved. Else, and without this, they take a word each. Sums are of f32 anyway.
    #[must_use]
    pub fn in_halves(mut self) -> Self {
        self.halves = self.rec.gpu().has_f16();
        self
    }

    /// The same after some 20 ms that tell where tiles lie best on this device. A probe that fails leaves them in
    /// registers: what is wrong with the device comes out of the first run.
    pub async fn probed(gpu: Gpu, eager: bool) -> Self {
        let mut exec = Self::new(gpu, eager);
        exec.probe = Some(exec.rec.probe().await);
        exec
    }

    /// What the probe said.
    pub const fn probe(&self) -> Option<&Result<Probe, GpuFault>> {
        self.probe.as_ref()
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
        let halved = self.halves && halves::halved(&job, inputs, outputs);
        let inputs = self.readable(&job, inputs, halved)?;
        let input = |at: usize| {
            let value = inputs.get(at).and_then(Option::as_ref);
            value.ok_or_else(|| GpuFault::unfit("executor", format!("input {at} is missing")))
        };
        if let Job::Alias(at) = job {
            let info = outputs
                .first()
                .cloned()
                .unwrap_or_else(|| TensorInfo { dtype: crate::DType::F32, shape: vec![] });
            return Ok(vec![self.alias(input(at)?, info)?]);
        }
        let weights = match &job {
            Job::Conv(job) => Some(self.weights(job, input(1)?)?),
            Job::Labels(job) => Some(self.weights(&job.0, input(1)?)?),
            Job::Depthwise(_) | Job::MatMul(_) => Some(self.operand(input(1)?)?),
            _ => None,
        };
        let mut made = Vec::with_capacity(outputs.len());
        for info in outputs {
            let elements = info.elements().unwrap_or(0) as u64;
            let (words, bytes) = match &job {
                Job::Labels(job) => (job.words() as u64, true),
                _ if halved => (elements.div_ceil(2), false),
                _ => (elements, false),
            };
            let block = self.rec.take(words)?;
            made.push(Value { bytes, halves: halved && !bytes, ..Value::new(block, info.clone()) });
        }
        // Set for this job alone: what readied its inputs and weights moves words.
        self.rec.in_halves(halved);
        let recorded = self.record(job, &inputs, weights.as_ref(), &made);
        self.rec.in_halves(false);
        recorded.map(|()| made)
    }

    /// Records a job over readable inputs.
    fn record(
        &mut self,
        job: Job,
        inputs: &[Option<Value>],
        weights: Option<&conv::Weights>,
        made: &[Value],
    ) -> Result<(), GpuFault> {
        let missing = |what: &str| GpuFault::unfit("executor", format!("{what} is missing"));
        let input = |at: usize| {
            let value = inputs.get(at).and_then(Option::as_ref);
            value.map(|value| &value.block).ok_or_else(|| missing("an input"))
        };
        let optional = |at: usize| inputs.get(at).and_then(Option::as_ref).map(|value| &value.block);
        let weights = || weights.ok_or_else(|| missing("a weight"));
        let Some(out) = made.first().map(|value| &value.block) else { return Ok(()) };
        let rec = &mut self.rec;
        match job {
            Job::Alias(_) => Ok(()),
            Job::Labels(job) => labels::record(rec, &job, input(0)?, weights()?, optional(2), out),
            Job::Conv(job) => conv::record(rec, &job, input(0)?, weights()?, optional(2), out),
            Job::Depthwise(job) => depthwise::record(rec, &job, input(0)?, weights()?, optional(2), out),
            Job::MatMul(job) => matmul::record_packed(rec, &job, input(0)?, weights()?, optional(2), out),
            Job::Attention(job) => job.record(rec, [input(0)?, input(1)?, input(2)?], optional(3), out),
            Job::Pool(job) => pool::record(rec, &job, input(0)?, out),
            Job::Norm(job) => norm::record(rec, &job, input(0)?, input(1)?, optional(2), out),
            Job::Softmax(job) => softmax::record(rec, &job, input(0)?, out),
            Job::Reduce(job) => reduce::record(rec, &job, input(0)?, out),
            Job::Gather(job) => gather::record(rec, &job, input(0)?, input(1)?, out),
            Job::Pad(job) => pad::record(rec, &job, input(0)?, out),
            Job::Copies(copies) => {
                for (from, to, job) in copies {
                    let to = made.get(to).ok_or_else(|| missing("an output"))?;
                    copy::record(rec, &job, input(from)?, &to.block)?;
                }
                Ok(())
            }
            Job::Resample(passes) => {
                let mut from = input(0)?.clone();
                let last = passes.len().saturating_sub(1);
                for (i, pass) in passes.iter().enumerate() {
                    let to = if i == last {
                        out.clone()
                    } else {
                        rec.take((pass.outer * pass.output() * pass.inner) as u64)?
                    };
                    resample::record(rec, pass, &from, &to)?;
                    from = to;
                }
                Ok(())
            }
            Job::Elementwise(mut job, from) => {
                if rec.halves() {
                    let halves =
                        |&at: &usize| inputs.get(at).and_then(Option::as_ref).is_some_and(|v| v.halves);
                    job.chain = job.chain.halved(&from.iter().map(halves).collect::<Vec<_>>())?;
                }
                let blocks: Result<Vec<_>, _> = from.iter().map(|&at| input(at)).collect();
                elementwise::record(rec, &job, &blocks?, out)
            }
        }
    }
}

/// Bytes of a tensor with a word per element.
fn words_of(info: &TensorInfo) -> u64 {
    info.elements().map_or(u64::MAX, |n| class_of((n as u64).saturating_mul(WORD_BYTES)))
}

impl Exec for GpuExec {
    type Value = Value;

    fn name(&self) -> String {
        self.rec.gpu().adapter_name().to_owned()
    }

    fn remark(&self) -> Option<String> {
        self.probe.as_ref().map(|probe| match probe {
            Ok(probe) => probe.to_string(),
            Err(fault) => format!("tiles in registers (the probe failed: {fault})"),
        })
    }

    fn upload(&mut self, tensor: &Tensor) -> Result<Value, ExecError> {
        if self.halves && tensor.dtype() == DType::F16 {
            let block = store::upload_halves(&mut self.rec, tensor)?;
            return Ok(Value { halves: true, ..Value::new(block, tensor.info()) });
        }
        let block = store::upload(&mut self.rec, tensor)?;
        Ok(Value::new(block, tensor.info()))
    }

    fn bytes_made(&self, op: &Op, info: &TensorInfo) -> u64 {
        if self.halves && !halves::stores(op) { words_of(info) } else { self.bytes_of(info) }
    }

    fn bytes_packed(&self, weights: &Packed) -> u64 {
        // Elements and scales lie in buffers of their own.
        let scales = weights.scale_bytes();
        class_of(weights.bytes() - scales) + if scales > 0 { class_of(scales) } else { 0 }
    }

    fn widens(&self, op: &Op) -> bool {
        !self.halves || !halves::stores(op)
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
        if value.halves {
            return Ok(store::download_halves(&mut self.rec, &value.block, &value.info).await?);
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
        if self.halves && info.dtype == DType::F16 {
            return info.elements().map_or(u64::MAX, |n| class_of((n as u64).saturating_mul(2)));
        }
        words_of(info)
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
