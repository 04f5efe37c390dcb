//! The shaders of the inference engine; its registry of kernels names each.

use crate::{Part, Shader};

/// First of the parts of a kernel that also takes activations in half floats.
const ELEMENT: Part = part!("inference/element_f32.wgsl");
pub(crate) const ELEMENT_F16: Part = part!("inference/element_f16.wgsl");
const COMMON: Part = part!("inference/common.wgsl");
const ACTIVATION: Part = part!("inference/activation.wgsl");
const SLIDING: Part = part!("inference/sliding.wgsl");
const OUTSIDE: Part = part!("inference/outside.wgsl");
const CONV_TEXT: Part = part!("inference/conv.wgsl");
const OPERAND_F32: Part = part!("inference/operand_f32.wgsl");
const OPERAND_I8: Part = part!("inference/operand_i8.wgsl");
const OPERAND_F16: Part = part!("inference/operand_f16.wgsl");
const DEPTHWISE_TEXT: Part = part!("inference/depthwise.wgsl");
const CONV_SHARED_TEXT: Part = part!("inference/conv_shared.wgsl");
const MATMUL_SHARED_TEXT: Part = part!("inference/matmul_shared.wgsl");
const SOFTMAX_TEXT: Part = part!("inference/softmax.wgsl");
const MATMUL_TEXT: Part = part!("inference/matmul.wgsl");

const fn computes(name: &'static str, parts: &'static [Part]) -> Shader {
    Shader { name, draws: false, parts }
}

/// The text of a kernel for activations that are stored as half floats (`shader-f16`); `None` where it knows none.
pub fn in_halves(shader: &Shader) -> Option<String> {
    let rest = shader.parts.strip_prefix(&[ELEMENT])?;
    Some(std::iter::once(&ELEMENT_F16).chain(rest).flat_map(|part| [part.text, "\n"]).collect())
}

/// Convolution and its transpose with weights in f32.
pub const CONV: Shader =
    computes("conv", &[ELEMENT, COMMON, ACTIVATION, SLIDING, part!("inference/weights_f32.wgsl"), CONV_TEXT]);

/// The same with weights in packed bytes.
pub const CONV_I8: Shader = computes(
    "conv, bytes",
    &[ELEMENT, COMMON, ACTIVATION, SLIDING, part!("inference/weights_i8.wgsl"), CONV_TEXT],
);

/// The same with weights in packed half floats.
pub const CONV_F16: Shader = computes(
    "conv, halves",
    &[ELEMENT, COMMON, ACTIVATION, SLIDING, part!("inference/weights_f16.wgsl"), CONV_TEXT],
);

/// Convolution by tiles in workgroup memory, with weights in f32.
pub const CONV_SHARED: Shader = computes(
    "conv, shared",
    &[ELEMENT, COMMON, ACTIVATION, SLIDING, part!("inference/weights_f32.wgsl"), CONV_TEXT, CONV_SHARED_TEXT],
);

/// The same with weights in packed bytes.
pub const CONV_SHARED_I8: Shader = computes(
    "conv, shared, bytes",
    &[ELEMENT, COMMON, ACTIVATION, SLIDING, part!("inference/weights_i8.wgsl"), CONV_TEXT, CONV_SHARED_TEXT],
);

/// The same with weights in packed half floats.
pub const CONV_SHARED_F16: Shader = computes(
    "conv, shared, halves",
    &[ELEMENT, COMMON, ACTIVATION, SLIDING, part!("inference/weights_f16.wgsl"), CONV_TEXT, CONV_SHARED_TEXT],
);

/// Convolution where a group has one output channel.
pub const DEPTHWISE: Shader =
    computes("depthwise", &[ELEMENT, COMMON, ACTIVATION, SLIDING, OPERAND_F32, DEPTHWISE_TEXT]);

/// The same with weights in packed bytes.
pub const DEPTHWISE_I8: Shader =
    computes("depthwise, bytes", &[ELEMENT, COMMON, ACTIVATION, SLIDING, OPERAND_I8, DEPTHWISE_TEXT]);

/// The same with weights in packed half floats.
pub const DEPTHWISE_F16: Shader =
    computes("depthwise, halves", &[ELEMENT, COMMON, ACTIVATION, SLIDING, OPERAND_F16, DEPTHWISE_TEXT]);

/// A 1×1 convolution and the channel of its largest result, four to a word.
pub const LABELS: Shader = computes("labels", &[ELEMENT, COMMON, part!("inference/labels.wgsl")]);

/// Batched product of matrices.
pub const MATMUL: Shader = computes("matmul", &[ELEMENT, COMMON, ACTIVATION, OPERAND_F32, MATMUL_TEXT]);

/// The same with the right operand in packed bytes.
pub const MATMUL_I8: Shader =
    computes("matmul, bytes", &[ELEMENT, COMMON, ACTIVATION, OPERAND_I8, MATMUL_TEXT]);

/// The same with the right operand in packed half floats.
pub const MATMUL_F16: Shader =
    computes("matmul, halves", &[ELEMENT, COMMON, ACTIVATION, OPERAND_F16, MATMUL_TEXT]);

/// Batched product by tiles in workgroup memory.
pub const MATMUL_SHARED: Shader =
    computes("matmul, shared", &[ELEMENT, COMMON, ACTIVATION, OPERAND_F32, MATMUL_TEXT, MATMUL_SHARED_TEXT]);

/// The same with the right operand in packed bytes.
pub const MATMUL_SHARED_I8: Shader = computes(
    "matmul, shared, bytes",
    &[ELEMENT, COMMON, ACTIVATION, OPERAND_I8, MATMUL_TEXT, MATMUL_SHARED_TEXT],
);

/// The same with the right operand in packed half floats.
pub const MATMUL_SHARED_F16: Shader = computes(
    "matmul, shared, halves",
    &[ELEMENT, COMMON, ACTIVATION, OPERAND_F16, MATMUL_TEXT, MATMUL_SHARED_TEXT],
);

/// Poolings.
pub const POOL: Shader = computes("pool", &[ELEMENT, COMMON, part!("inference/pool.wgsl")]);

/// Normalisations by rows.
pub const NORM: Shader = computes("norm", &[ELEMENT, COMMON, part!("inference/norm.wgsl")]);

/// Softmax and log-softmax.
pub const SOFTMAX: Shader =
    computes("softmax", &[ELEMENT, COMMON, part!("inference/softmax_apart.wgsl"), SOFTMAX_TEXT]);

/// The same in place.
pub const SOFTMAX_IN_PLACE: Shader =
    computes("softmax, in place", &[ELEMENT, COMMON, part!("inference/softmax_in_place.wgsl"), SOFTMAX_TEXT]);

/// Reductions.
pub const REDUCE: Shader = computes("reduce", &[ELEMENT, COMMON, part!("inference/reduce.wgsl")]);

/// Strided copies.
pub const COPY: Shader = computes("copy", &[ELEMENT, COMMON, part!("inference/copy.wgsl")]);

/// Places named by indices.
pub const GATHER: Shader = computes("gather", &[COMMON, part!("inference/gather.wgsl")]);

/// Padding.
pub const PAD: Shader = computes("pad", &[COMMON, part!("inference/pad.wgsl")]);

/// Resize along one axis.
pub const RESAMPLE: Shader = computes("resample", &[ELEMENT, COMMON, part!("inference/resample.wgsl")]);

/// Stored bytes and half floats to words.
pub const UNPACK: Shader = computes("unpack", &[COMMON, part!("inference/unpack.wgsl")]);

/// The functions that generated chains call; an entry point is written behind it.
pub const ELEMENTWISE: Shader = computes("elementwise", &[COMMON, part!("inference/elementwise.wgsl")]);

/// An image at the places of another grid.
pub const SAMPLE: Shader = computes("sample", &[COMMON, OUTSIDE, part!("inference/sample.wgsl")]);

/// A linear step on samples.
pub const LEVEL: Shader = computes("level", &[COMMON, OUTSIDE, part!("inference/level.wgsl")]);

/// What samples are like.
pub const MEASURE: Shader = computes("measure", &[COMMON, OUTSIDE, part!("inference/measure.wgsl")]);

/// Every one of them.
pub const ALL: &[Shader] = &[
    CONV,
    CONV_I8,
    CONV_F16,
    CONV_SHARED,
    CONV_SHARED_I8,
    CONV_SHARED_F16,
    DEPTHWISE,
    DEPTHWISE_I8,
    DEPTHWISE_F16,
    LABELS,
    MATMUL,
    MATMUL_I8,
    MATMUL_F16,
    MATMUL_SHARED,
    MATMUL_SHARED_I8,
    MATMUL_SHARED_F16,
    POOL,
    NORM,
    SOFTMAX,
    SOFTMAX_IN_PLACE,
    REDUCE,
    COPY,
    GATHER,
    PAD,
    RESAMPLE,
    UNPACK,
    ELEMENTWISE,
    SAMPLE,
    LEVEL,
    MEASURE,
];
