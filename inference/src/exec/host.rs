//! The executor that takes nothing, so that every node runs on the host.
//!
//! The host's own operators are the CPU executor; this gives the interpreter a device that is never used.

use super::{Arg, Exec, ExecError};
use crate::ops::Op;
use crate::tensor::{Tensor, TensorInfo};

/// No device: everything on the host.
#[derive(Clone, Copy, Debug, Default)]
pub struct HostOnly;

impl Exec for HostOnly {
    type Value = std::sync::Arc<Tensor>;

    fn name(&self) -> String {
        "CPU".into()
    }

    fn upload(&mut self, tensor: &Tensor) -> Result<Self::Value, ExecError> {
        Ok(std::sync::Arc::new(tensor.clone()))
    }

    fn holds(&self, _: &TensorInfo) -> bool {
        false
    }

    fn takes(&self, _: &Op, _: &[Option<Arg<'_, Self::Value>>], _: &[TensorInfo]) -> bool {
        false
    }

    fn run(
        &mut self,
        op: &Op,
        _: &[Option<Arg<'_, Self::Value>>],
        _: &[TensorInfo],
    ) -> Result<Vec<Self::Value>, ExecError> {
        Err(ExecError::Device(format!("there is no device to run {op:?} on")))
    }

    async fn download(&mut self, value: &Self::Value) -> Result<Tensor, ExecError> {
        Ok(Tensor::clone(value))
    }

    fn bytes_in_use(&self) -> u64 {
        0
    }
}
