//! Weights that stay as a file stores them: bytes with a scale and a zero point per output channel, or half floats.
//!
//! An executor that widens them in its kernels reads a quarter or half of the bytes; whoever else asks gets the widened
//! tensor, by the operator that the file names, so that both ways mean the same numbers.

use std::sync::Arc;

use super::quant::{DequantizeLinear, zeros};
use super::{Kernel, Op, OpError, axis};
use crate::tensor::{DType, Data, Tensor, TensorInfo};

/// A scale and the zero point that belongs to it.
pub type Scale = [f32; 2];

/// See the module.
#[derive(Clone, Debug)]
pub struct Packed {
    elements: Arc<Tensor>,
    bytes: Option<Dequantised>,
}

/// What makes numbers of bytes.
#[derive(Clone, Debug)]
struct Dequantised {
    op: DequantizeLinear,
    scale: Arc<Tensor>,
    zero: Option<Arc<Tensor>>,
    /// Scales and zero points of bytes as [`Packed::codes`] gives them; one, or one per index of `along`.
    scales: Vec<Scale>,
    along: Option<usize>,
}

/// 128 is the 0 of unsigned bytes that are kept as signed ones.
const MIDDLE: u8 = 128;

impl Packed {
    /// Half floats; `None` of anything else.
    pub fn halves(elements: &Arc<Tensor>) -> Option<Self> {
        let halves = elements.dtype() == DType::F16;
        halves.then(|| Self { elements: Arc::clone(elements), bytes: None })
    }

    /// Bytes with one scale, or one per index of an axis; `None` of anything else: scales per block, other types of the
    /// elements or of the result, scales that are no numbers.
    pub fn dequantised(
        op: DequantizeLinear,
        elements: &Arc<Tensor>,
        scale: &Arc<Tensor>,
        zero: Option<&Arc<Tensor>>,
    ) -> Option<Self> {
        let middle = match elements.dtype() {
            DType::I8 => 0.0,
            DType::U8 => f32::from(MIDDLE),
            _ => return None,
        };
        let plain = op.block == 0
            && op.output.is_none_or(|output| output == DType::F32)
            && zero.is_none_or(|zero| zero.dtype() == elements.dtype());
        let Data::F32(factors) = scale.data() else { return None };
        if !plain || !factors.iter().all(|s| s.is_finite()) {
            return None;
        }
        let shape = elements.shape();
        let along = if factors.len() == 1 { None } else { Some(axis(op.axis, shape.len()).ok()?) };
        if along.is_some_and(|along| scale.shape() != [shape[along]]) {
            return None;
        }
        let zeros = zeros(zero.map(AsRef::as_ref), factors.len()).ok()?;
        let scales = factors.iter().zip(zeros).map(|(&s, z)| [s, z as f32 - middle]).collect();
        let (scale, zero) = (Arc::clone(scale), zero.map(Arc::clone));
        let bytes = Some(Dequantised { op, scale, zero, scales, along });
        Some(Self { elements: Arc::clone(elements), bytes })
    }

    /// Type and shape of the weights, as the operator that reads them sees them.
    pub fn info(&self) -> TensorInfo {
        let dtype = if self.bytes.is_some() { DType::F32 } else { DType::F16 };
        TensorInfo { dtype, shape: self.elements.shape().to_vec() }
    }

    /// Bytes of elements, scales and zero points.
    pub fn bytes(&self) -> u64 {
        let elements = (self.elements.data().len() * self.elements.dtype().bytes()) as u64;
        elements + self.scale_bytes()
    }

    /// Bytes of scales and zero points alone.
    pub fn scale_bytes(&self) -> u64 {
        self.bytes.as_ref().map_or(0, |d| (d.scales.len() * size_of::<Scale>()) as u64)
    }

    /// The elements as signed bytes, `None` of half floats: `(code - zero point) * scale` is the weight.
    pub fn codes(&self) -> Option<Vec<i8>> {
        match self.elements.data() {
            Data::I8(v) => Some(v.clone()),
            Data::U8(v) => Some(v.iter().map(|&code| (code ^ MIDDLE) as i8).collect()),
            _ => None,
        }
    }

    /// The elements as the bits of half floats, `None` of bytes.
    pub fn half_bits(&self) -> Option<Vec<u16>> {
        match self.elements.data() {
            Data::F16(v) => Some(v.iter().map(|half| half.to_bits()).collect()),
            _ => None,
        }
    }

    /// Scale and zero point of each output channel of an operator whose weights these are; empty of half floats.
    /// `None` where scales go along anything but output channels, and where the operator has no such weights.
    pub fn per_output(&self, op: &Op) -> Option<Vec<Scale>> {
        let shape = self.elements.shape();
        // ONNX: W of Conv is (M, C / groups, taps), of ConvTranspose (C, M / groups, taps), B of MatMul and Gemm (K, N).
        let (outputs, groups) = match op {
            Op::Conv(_) if shape.len() > 2 => (0, 1),
            Op::ConvTranspose(op) if shape.len() > 2 => (1, op.group),
            Op::MatMul(_) if shape.len() == 2 => (1, 1),
            Op::Gemm(op) if shape.len() == 2 => (usize::from(!op.transpose_b), 1),
            _ => return None,
        };
        let Some(bytes) = &self.bytes else { return Some(Vec::new()) };
        let channels = shape[outputs].checked_mul(groups)?;
        match bytes.along {
            None => Some(vec![*bytes.scales.first()?; channels]),
            Some(along) if along == outputs => Some(bytes.scales.repeat(groups)),
            Some(_) => None,
        }
    }

    /// The weights as the operator that reads them expects them.
    ///
    /// # Errors
    /// None that [`Packed::dequantised`] has not excluded.
    pub fn widened(&self) -> Result<Arc<Tensor>, OpError> {
        let Some(bytes) = &self.bytes else { return Ok(Arc::clone(&self.elements)) };
        let made = bytes.op.run(&[Some(&self.elements), Some(&bytes.scale), bytes.zero.as_deref()])?;
        made.into_iter().next().map(Arc::new).ok_or(OpError::Missing { input: 0 })
    }
}
