//! Operators: what a node of a model computes, its typed attributes, its shapes and its numbers on the CPU.
//!
//! One type per operator holds the attributes as read once, for every version of the operator; one trait says the
//! shape of the outputs before and the outputs after. Executors match on [`Op`] and take what they are fast at.

mod attributes;
pub mod element;
mod error;
mod listing;
mod registry;

pub mod attention;
pub mod constant;
pub mod control;
pub mod conv;
pub mod einsum;
pub mod elementwise;
pub mod heads;
pub mod index;
pub mod labels;
pub mod layout;
pub mod loss;
pub mod matmul;
pub mod norm;
pub mod normalize;
pub mod numbers;
pub mod order;
pub mod packed;
pub mod pad;
pub mod planes;
pub mod pool;
pub mod quant;
pub mod quant_products;
pub mod random;
pub mod recurrent;
pub mod reduce;
pub mod regions;
pub mod resize;
pub mod sample;
pub mod scatter;
pub mod shape;
pub mod signal;
pub mod unpool;

use std::fmt::Debug;
use std::sync::Arc;

pub use attributes::Attributes;
pub use error::OpError;
pub use listing::supported_ops;
pub use registry::{Entry, Tier, find, registry};

use crate::tensor::{Tensor, TensorInfo};

/// What is known of an input before the node runs.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// Type and shape.
    pub info: &'a TensorInfo,
    /// The elements, where they are known already: constants, and results of arithmetic on shapes.
    pub value: Option<&'a Tensor>,
}

/// Types and shapes of the outputs; `None` where they depend on elements that are not known yet.
pub type Inferred = Result<Option<Vec<TensorInfo>>, OpError>;

/// Inputs made ready, in whatever form the operator likes.
#[derive(Clone)]
pub struct Prepared(pub Arc<dyn std::any::Any + Send + Sync>);

impl Debug for Prepared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Prepared")
    }
}

/// An operator with its attributes.
///
/// Neither function panics, whatever comes in: both check what they rely on.
pub trait Kernel: Debug + Send + Sync {
    /// Types and shapes of the outputs. Costs nothing and allocates nothing of the outputs' size.
    ///
    /// # Errors
    /// Inputs that the operator cannot take.
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred;

    /// The outputs, on the CPU. Callers have asked [`Kernel::infer`] before and found the size acceptable.
    ///
    /// # Errors
    /// Inputs that the operator cannot take.
    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError>;

    /// The outputs themselves, where they follow from types and shapes alone (Shape, Size).
    fn known_by_shapes(&self, _: &[Option<Known<'_>>]) -> Option<Vec<Tensor>> {
        None
    }

    /// Inputs that say how and not what (axes, pads, sizes): executors get these as host tensors.
    fn parameters(&self) -> &'static [usize] {
        &[]
    }

    /// What can be made ready of the inputs that are the same in every run (`None` for the others): weights in the
    /// order in which they are read. Kept by the interpreter and handed to [`Kernel::run_prepared`].
    fn prepare(&self, _: &[Option<&Tensor>]) -> Option<Prepared> {
        None
    }

    /// As [`Kernel::run`], with what [`Kernel::prepare`] gave.
    ///
    /// # Errors
    /// As [`Kernel::run`].
    fn run_prepared(&self, inputs: &[Option<&Tensor>], _: &Prepared) -> Result<Vec<Tensor>, OpError> {
        self.run(inputs)
    }

    /// Bytes that a run on the CPU takes beside its inputs and outputs, at most; 0 where that is next to nothing.
    fn scratch_bytes(&self, _: &[Option<Known<'_>>]) -> u64 {
        0
    }

    /// Whether the same inputs may give another result, so that it must not be computed ahead of the run.
    fn random(&self) -> bool {
        false
    }
}

/// An operator, as executors see it: those that one may be fast at have a variant of their own.
#[derive(Clone, Debug)]
#[allow(missing_docs)] // every payload is described at its type
pub enum Op {
    Unary(elementwise::Unary),
    Binary(elementwise::Binary),
    Variadic(elementwise::Variadic),
    Clip(elementwise::Clip),
    Where(elementwise::Where),
    Cast(elementwise::Cast),
    Identity(shape::Identity),
    Reshape(shape::Reshape),
    Expand(shape::Expand),
    Transpose(layout::Transpose),
    Concat(layout::Concat),
    Split(layout::Split),
    Slice(index::Slice),
    Pad(pad::Pad),
    Tile(layout::Tile),
    DepthSpace(layout::DepthSpace),
    Gather(index::Gather),
    GatherElements(index::GatherElements),
    Reduce(reduce::Reduce),
    ArgExtreme(reduce::ArgExtreme),
    Softmax(reduce::Softmax),
    MatMul(matmul::MatMul),
    Gemm(matmul::Gemm),
    Conv(conv::Conv),
    ConvTranspose(conv::ConvTranspose),
    Pool(pool::Pool),
    GlobalPool(pool::GlobalPool),
    BatchNorm(norm::BatchNorm),
    InstanceNorm(norm::InstanceNorm),
    GroupNorm(norm::GroupNorm),
    LayerNorm(norm::LayerNorm),
    Resize(resize::Resize),
    QuantizeLinear(quant::QuantizeLinear),
    DequantizeLinear(quant::DequantizeLinear),
    Attention(attention::Attention),
    RotaryEmbedding(attention::RotaryEmbedding),
    RmsNorm(attention::RmsNorm),
    Planes(planes::Planes),
    Labels(labels::Labels),
    ConvLabels(labels::ConvLabels),
    Heads(heads::Heads),
    /// Runs on the host, whatever the executor.
    Host(Arc<dyn Kernel>),
}

impl Op {
    /// What it computes.
    pub fn kernel(&self) -> &dyn Kernel {
        match self {
            Self::Unary(k) => k,
            Self::Binary(k) => k,
            Self::Variadic(k) => k,
            Self::Clip(k) => k,
            Self::Where(k) => k,
            Self::Cast(k) => k,
            Self::Identity(k) => k,
            Self::Reshape(k) => k,
            Self::Expand(k) => k,
            Self::Transpose(k) => k,
            Self::Concat(k) => k,
            Self::Split(k) => k,
            Self::Slice(k) => k,
            Self::Pad(k) => k,
            Self::Tile(k) => k,
            Self::DepthSpace(k) => k,
            Self::Gather(k) => k,
            Self::GatherElements(k) => k,
            Self::Reduce(k) => k,
            Self::ArgExtreme(k) => k,
            Self::Softmax(k) => k,
            Self::MatMul(k) => k,
            Self::Gemm(k) => k,
            Self::Conv(k) => k,
            Self::ConvTranspose(k) => k,
            Self::Pool(k) => k,
            Self::GlobalPool(k) => k,
            Self::BatchNorm(k) => k,
            Self::InstanceNorm(k) => k,
            Self::GroupNorm(k) => k,
            Self::LayerNorm(k) => k,
            Self::Resize(k) => k,
            Self::QuantizeLinear(k) => k,
            Self::DequantizeLinear(k) => k,
            Self::Attention(k) => k,
            Self::RotaryEmbedding(k) => k,
            Self::RmsNorm(k) => k,
            Self::Planes(k) => k,
            Self::Labels(k) => k,
            Self::ConvLabels(k) => k,
            Self::Heads(k) => k,
            Self::Host(k) => k.as_ref(),
        }
    }

    /// An operator that only the host runs.
    pub fn host(kernel: impl Kernel + 'static) -> Self {
        Self::Host(Arc::new(kernel))
    }
}

/// Input `at`, which must be there.
pub fn required<'a>(inputs: &[Option<&'a Tensor>], at: usize) -> Result<&'a Tensor, OpError> {
    inputs.get(at).copied().flatten().ok_or(OpError::Missing { input: at })
}

/// Input `at`, if it is there.
pub fn optional<'a>(inputs: &[Option<&'a Tensor>], at: usize) -> Option<&'a Tensor> {
    inputs.get(at).copied().flatten()
}

/// What is known of input `at`, which must be there.
pub fn known<'a>(inputs: &[Option<Known<'a>>], at: usize) -> Result<Known<'a>, OpError> {
    inputs.get(at).copied().flatten().ok_or(OpError::Missing { input: at })
}

/// An optional integer parameter input (axes, pads, sizes) during inference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Parameter {
    /// Left out.
    Absent,
    /// There, but not known before the run.
    Unknown,
    /// Known.
    Ints(Vec<i64>),
}

/// Reads parameter input `at`.
pub fn parameter(inputs: &[Option<Known<'_>>], at: usize) -> Result<Parameter, OpError> {
    Ok(match inputs.get(at).copied().flatten() {
        None => Parameter::Absent,
        Some(Known { value: None, .. }) => Parameter::Unknown,
        Some(Known { value: Some(tensor), .. }) => Parameter::Ints(ints(tensor)?),
    })
}

/// The elements of an integer tensor.
pub fn ints(tensor: &Tensor) -> Result<Vec<i64>, OpError> {
    use crate::tensor::Data;
    match tensor.data() {
        Data::I64(v) => Ok(v.clone()),
        Data::I32(v) => Ok(v.iter().map(|&i| i64::from(i)).collect()),
        data => Err(OpError::Type { what: "an integer parameter", got: data.dtype() }),
    }
}

/// `axis` counted from the front; negative ones count from the back.
pub fn axis(axis: i64, rank: usize) -> Result<usize, OpError> {
    let from_front = if axis < 0 { axis.saturating_add(rank as i64) } else { axis };
    if (0..rank as i64).contains(&from_front) {
        Ok(from_front as usize)
    } else {
        Err(OpError::Axis { axis, rank })
    }
}

/// All of `axes` counted from the front, each at most once.
pub fn axes(list: &[i64], rank: usize) -> Result<Vec<usize>, OpError> {
    let mut found = Vec::with_capacity(list.len().min(rank));
    for &entry in list {
        let entry = axis(entry, rank)?;
        if found.contains(&entry) {
            return Err(OpError::invalid(format!("axis {entry} is named twice")));
        }
        found.push(entry);
    }
    Ok(found)
}

/// The shape that numpy's rules give to operands of these shapes.
pub fn broadcast(shapes: &[&[usize]]) -> Result<Vec<usize>, OpError> {
    let rank = shapes.iter().map(|s| s.len()).max().unwrap_or(0);
    let mut out = vec![1usize; rank];
    for shape in shapes {
        for (o, &extent) in out[rank - shape.len()..].iter_mut().zip(*shape) {
            if *o == 1 {
                *o = extent;
            } else if extent != 1 && extent != *o {
                return Err(OpError::Broadcast { shapes: shapes.iter().map(|s| s.to_vec()).collect() });
            }
        }
    }
    Ok(out)
}

/// Steps through a tensor of `shape` for each axis of the broadcast shape of `rank` axes: 0 where it is repeated.
pub fn broadcast_strides(shape: &[usize], rank: usize) -> Vec<usize> {
    let mut strides = vec![0; rank];
    let mut step = 1;
    for (i, &extent) in shape.iter().enumerate().rev() {
        strides[rank - shape.len() + i] = if extent == 1 { 0 } else { step };
        step *= extent;
    }
    strides
}

/// Row-major steps.
pub fn strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i] * shape[i];
    }
    strides
}

/// Calls `f` with the offset that `strides` give to each element of `shape`, in row-major order.
pub fn walk<const N: usize>(shape: &[usize], strides: &[&[usize]; N], mut f: impl FnMut([usize; N])) {
    let rank = shape.len();
    if shape.contains(&0) {
        return;
    }
    if rank == 0 {
        f([0; N]);
        return;
    }
    let inner = shape[rank - 1];
    let mut index = vec![0usize; rank - 1];
    let mut offsets = [0usize; N];
    loop {
        let mut at = offsets;
        for _ in 0..inner {
            f(at);
            for n in 0..N {
                at[n] = at[n].wrapping_add(strides[n][rank - 1]);
            }
        }
        let mut i = rank - 1;
        loop {
            if i == 0 {
                return;
            }
            i -= 1;
            index[i] += 1;
            for n in 0..N {
                offsets[n] = offsets[n].wrapping_add(strides[n][i]);
            }
            if index[i] < shape[i] {
                break;
            }
            for n in 0..N {
                offsets[n] = offsets[n].wrapping_sub(strides[n][i].wrapping_mul(shape[i]));
            }
            index[i] = 0;
        }
    }
}
