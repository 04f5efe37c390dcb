//! Weights in the form that a kernel reads: packed where the file has them packed.
//!
//! They are brought there when a kernel first asks, because only then it is known in which order it wants them; from then
//! on they stay with their value.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::{GpuExec, Value, store};
use crate::exec::ExecError;
use crate::gpu::fault::GpuFault;
use crate::gpu::kernels::conv::{self, Conv, Weights};
use crate::gpu::kernels::unpack::words_of;
use crate::gpu::memory::Block;
use crate::ops::packed::{Packed, Scale};

/// The order of weights for a kernel.
#[derive(Clone)]
enum Order {
    File,
    Conv(Box<Conv>),
}

impl Order {
    fn serves(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File, Self::File) => true,
            (Self::Conv(known), Self::Conv(job)) => known.packs_like(job),
            _ => false,
        }
    }
}

/// What was made of a value for kernels.
#[derive(Default)]
pub(super) struct Ready(RefCell<Option<(Order, Weights)>>);

impl Ready {
    fn find(&self, order: &Order) -> Option<Weights> {
        self.0.borrow().as_ref().filter(|(known, _)| known.serves(order)).map(|(_, weights)| weights.clone())
    }

    fn keep(&self, order: Order, weights: &Weights) {
        *self.0.borrow_mut() = Some((order, weights.clone()));
    }
}

/// Packed weights: still on the host, and in words for whoever has no use for them as they are.
pub(super) struct Held {
    packed: Arc<Packed>,
    scales: Vec<Scale>,
    widened: RefCell<Option<Block>>,
}

impl GpuExec {
    /// A value for weights whose output channels have these scales.
    pub(super) fn hold(&mut self, packed: &Arc<Packed>, scales: Vec<Scale>) -> Result<Value, GpuFault> {
        let held = Held { packed: Arc::clone(packed), scales, widened: RefCell::default() };
        let nothing = self.rec.nothing()?;
        Ok(Value { held: Some(Rc::new(held)), ..Value::new(nothing, packed.info()) })
    }

    /// The weights of a convolution.
    pub(super) fn weights(&mut self, job: &Conv, value: &Value) -> Result<Weights, GpuFault> {
        self.in_order(value, Order::Conv(Box::new(job.clone())))
    }

    /// An operand as it lies in the file.
    pub(super) fn operand(&mut self, value: &Value) -> Result<Weights, GpuFault> {
        self.in_order(value, Order::File)
    }

    fn in_order(&mut self, value: &Value, order: Order) -> Result<Weights, GpuFault> {
        if let Some(ready) = value.ready.find(&order) {
            return Ok(ready);
        }
        let weights = match (&value.held, &order) {
            (Some(held), order) => self.packed(held, order)?,
            (None, Order::Conv(job)) => Weights::F32(conv::pack(&mut self.rec, job, &value.block)?),
            (None, Order::File) if value.halves => return Ok(Weights::F16(value.block.clone())),
            (None, Order::File) => return Ok(Weights::F32(value.block.clone())),
        };
        value.ready.keep(order, &weights);
        Ok(weights)
    }

    fn packed(&mut self, held: &Held, order: &Order) -> Result<Weights, GpuFault> {
        fn laid<T: Copy + Default>(raw: Vec<T>, order: &Order) -> Vec<T> {
            match order {
                Order::File => raw,
                Order::Conv(job) => conv::ordered(job, &raw),
            }
        }
        if let Some(bits) = held.packed.half_bits() {
            let words = words_of(bytemuck::cast_slice(&laid(bits, order)));
            return Ok(Weights::F16(self.rec.upload(&words)?));
        }
        let codes = held.packed.codes().ok_or_else(|| GpuFault::unfit("executor", "weights of no type"))?;
        let words = self.rec.upload(&words_of(bytemuck::cast_slice(&laid(codes, order))))?;
        let scales = self.rec.upload(bytemuck::cast_slice(&held.scales))?;
        Ok(Weights::I8(words, scales, held.scales.iter().any(|[_, zero]| *zero != 0.0)))
    }

    /// A value that is no weights packed: those in words.
    pub(super) fn widened(&mut self, value: &Value) -> Result<Value, GpuFault> {
        let Some(held) = &value.held else { return Ok(value.clone()) };
        if let Some(block) = &*held.widened.borrow() {
            return Ok(Value::new(block.clone(), value.info.clone()));
        }
        let tensor = held.packed.widened().map_err(|e| GpuFault::unfit("executor", e.to_string()))?;
        let block = store::upload(&mut self.rec, &tensor)?;
        *held.widened.borrow_mut() = Some(block.clone());
        Ok(Value::new(block, value.info.clone()))
    }

    /// The weights that a value holds packed, for the host.
    pub(super) fn held_tensor(value: &Value) -> Option<Result<crate::Tensor, ExecError>> {
        let held = value.held.as_ref()?;
        Some(held.packed.widened().map(Arc::unwrap_or_clone).map_err(ExecError::from))
    }
}
