//! What an executor is: something that holds tensors of its own and computes some operators on them fast.
//!
//! The interpreter asks it node by node; what it does not take runs on the host. So an executor never has to refuse a
//! model, and both give the same numbers.

mod evaluate;
mod host;
mod interpret;

pub use evaluate::{allowed, bytes, evaluate};
pub use host::HostOnly;
pub use interpret::{Given, Progress, Report, RunError, Session};

use std::future::Future;
use std::sync::Arc;

use crate::image::{Image, Level, Measured, Sampling};
use crate::ops::packed::Packed;
use crate::ops::{Op, OpError};
use crate::tensor::{Tensor, TensorInfo};

/// An input of a node, as an executor sees it.
#[derive(Debug)]
pub struct Arg<'a, V> {
    /// Type and shape.
    pub info: &'a TensorInfo,
    /// The elements on the host: always for the op's `parameters()`, else where the host happens to have them.
    pub host: Option<&'a Tensor>,
    /// The executor's own value: for all inputs but the op's `parameters()` when it is asked to run.
    pub value: Option<&'a V>,
    /// Whether it is the same in every run (a weight): worth to be prepared once and kept.
    pub constant: bool,
}

impl<V> Clone for Arg<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Arg<'_, V> {}

/// Why an executor failed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ExecError {
    /// The operator's inputs contradict each other.
    #[error(transparent)]
    Op(#[from] OpError),
    /// The device failed, was lost, or has no memory left.
    #[error("{0}")]
    Device(String),
}

/// Somewhere to compute.
pub trait Exec {
    /// A tensor on the executor; a clone is a second name for the same, the last one dropped frees it.
    type Value: Clone;

    /// For the report: "CPU" or the adapter's name.
    fn name(&self) -> String;

    /// What else a report should say of the device: how its kernels were chosen.
    fn remark(&self) -> Option<String> {
        None
    }

    /// Copies a tensor there.
    ///
    /// # Errors
    /// Where there is no room.
    fn upload(&mut self, tensor: &Tensor) -> Result<Self::Value, ExecError>;

    /// Whether it keeps weights (input 1) of this operator as they are stored and widens them where it computes. Else they
    /// are widened before they come.
    fn packs(&self, _: &Op, _: &Packed) -> bool {
        false
    }

    /// Copies weights there that it said to keep packed for this operator.
    ///
    /// # Errors
    /// Where there is no room.
    fn upload_packed(&mut self, _: &Op, weights: &Arc<Packed>) -> Result<Self::Value, ExecError> {
        self.upload(weights.widened()?.as_ref())
    }

    /// Whether it can hold a tensor like this (64-bit integers stay on the host).
    fn holds(&self, info: &TensorInfo) -> bool;

    /// Whether it runs this operator on inputs like these; a yes is a promise. `value`s are not there yet.
    fn takes(&self, op: &Op, inputs: &[Option<Arg<'_, Self::Value>>], outputs: &[TensorInfo]) -> bool;

    /// Runs an operator that it takes. `outputs` are the types and shapes that the operator's `infer` gave.
    ///
    /// # Errors
    /// Where the device fails.
    fn run(
        &mut self,
        op: &Op,
        inputs: &[Option<Arg<'_, Self::Value>>],
        outputs: &[TensorInfo],
    ) -> Result<Vec<Self::Value>, ExecError>;

    /// Copies a tensor back. Asynchronous: a browser cannot wait.
    ///
    /// # Errors
    /// Where the device fails.
    fn download(&mut self, value: &Self::Value) -> impl Future<Output = Result<Tensor, ExecError>>;

    /// Samples an image at the places of another grid, one f32 per sample, columns first, those that lie outside of
    /// the image marked, as a tensor of this shape; `None` where it does not: the host samples then.
    ///
    /// # Errors
    /// Where the device fails.
    fn sample(
        &mut self,
        _: &Image<'_>,
        _: &Sampling,
        _shape: &[usize],
    ) -> Result<Option<Self::Value>, ExecError> {
        Ok(None)
    }

    /// A linear step on what [`Exec::sample`] gave. Samples outside become `fill`; without one they stay marked.
    ///
    /// # Errors
    /// Where the device fails, or does not sample.
    fn level(&mut self, _: &Self::Value, _: &Level, _: Option<f64>) -> Result<Self::Value, ExecError> {
        Err(no_samples())
    }

    /// What samples that lie in the image are like; sums are of `value - centre`, taken as an f32.
    ///
    /// # Errors
    /// As [`Exec::level`].
    fn measure(
        &mut self,
        _: &Self::Value,
        _centre: f64,
    ) -> impl Future<Output = Result<Measured, ExecError>> {
        async { Err(no_samples()) }
    }

    /// The samples that lie in the image, for statistics that need all of them at once.
    ///
    /// # Errors
    /// As [`Exec::level`].
    fn inside(&mut self, _: &Self::Value) -> impl Future<Output = Result<Vec<f32>, ExecError>> {
        async { Err(no_samples()) }
    }

    /// Bytes that a tensor takes there.
    fn bytes_of(&self, info: &TensorInfo) -> u64 {
        bytes(info).unwrap_or(u64::MAX)
    }

    /// Bytes that a tensor takes there which this operator made.
    fn bytes_made(&self, _: &Op, info: &TensorInfo) -> u64 {
        self.bytes_of(info)
    }

    /// Bytes that packed weights take there.
    fn bytes_packed(&self, weights: &Packed) -> u64 {
        weights.bytes()
    }

    /// Whether half floats are widened for the time of this operator.
    fn widens(&self, _: &Op) -> bool {
        true
    }

    /// What a run will take at most: memory that is kept for reuse beyond that is given back.
    fn expect(&mut self, _bytes: u64) {}

    /// Bytes that its values take at the moment, those kept for reuse included.
    fn bytes_in_use(&self) -> u64;

    /// Whether an operator that it takes should nevertheless run on the host when its inputs are there and small: a
    /// dispatch and a copy cost more than a few thousand additions.
    fn worth(&self, elements: usize) -> bool {
        elements > 4096
    }
}

fn no_samples() -> ExecError {
    ExecError::Device("this executor samples no images".into())
}
