//! The one list of operators: name, domain, versions, tier, who runs it, and how its attributes are read.
//!
//! The loader, the list in SUPPORTED_OPS.md and the tests walk it; an operator that is not here is refused at load.

use super::*;

/// Which of the three waves of the plan an operator belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Every network of the reference set and all common U-Nets, MobileNets and transformers.
    One,
    /// Less common, still part of exported networks.
    Two,
    /// Sequences, signals and randomness.
    Three,
}

/// Reads the attributes of a node.
pub type Parse = fn(&Attributes<'_>) -> Result<Op, OpError>;

/// An operator.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// As `NodeProto.op_type` has it.
    pub name: &'static str,
    /// As `NodeProto.domain` has it; empty for ONNX itself.
    pub domain: &'static str,
    /// Versions that are understood, as the operator's changelog counts them; a graph of an older version is refused.
    pub since: &'static [i64],
    /// Its wave.
    pub tier: Tier,
    /// Whether the GPU executor has it, for the element types it has.
    pub gpu: bool,
    /// Reads a node of it.
    pub parse: Parse,
}

const fn op(name: &'static str, since: &'static [i64], tier: Tier, gpu: bool, parse: Parse) -> Entry {
    Entry { name, domain: "", since, tier, gpu, parse }
}

/// All operators of a domain, by name.
pub fn registry() -> &'static [Entry] {
    REGISTRY
}

/// The operator of this name.
pub fn find(domain: &str, name: &str) -> Option<&'static Entry> {
    let domain = if domain == "ai.onnx" { "" } else { domain };
    REGISTRY.iter().find(|entry| entry.name == name && entry.domain == domain)
}

use Tier::{One, Three, Two};

/// In alphabetical order within a family; a test holds that no name stands twice.
#[rustfmt::skip]
const REGISTRY: &[Entry] = &[
    op("Abs", &[6, 13], One, true, elementwise::parse_unary),
    op("Acos", &[7, 22], Two, false, elementwise::parse_unary),
    op("Acosh", &[9, 22], Two, false, elementwise::parse_unary),
    op("Asin", &[7, 22], Two, false, elementwise::parse_unary),
    op("Asinh", &[9, 22], Two, false, elementwise::parse_unary),
    op("Atan", &[7, 22], Two, false, elementwise::parse_unary),
    op("Atanh", &[9, 22], Two, false, elementwise::parse_unary),
    op("BitwiseNot", &[18], Two, true, elementwise::parse_unary),
    op("Ceil", &[6, 13], One, true, elementwise::parse_unary),
    op("Celu", &[12], One, true, elementwise::parse_unary),
    op("Cos", &[7, 22], Two, false, elementwise::parse_unary),
    op("Cosh", &[9, 22], Two, false, elementwise::parse_unary),
    op("Elu", &[6, 22], One, true, elementwise::parse_unary),
    op("Erf", &[9, 13], One, true, elementwise::parse_unary),
    op("Exp", &[6, 13], One, true, elementwise::parse_unary),
    op("Floor", &[6, 13], One, true, elementwise::parse_unary),
    op("Gelu", &[20], One, true, elementwise::parse_unary),
    op("HardSigmoid", &[6, 22], One, true, elementwise::parse_unary),
    op("HardSwish", &[14, 22], One, true, elementwise::parse_unary),
    op("IsInf", &[10, 20], Two, true, elementwise::parse_unary),
    op("IsNaN", &[9, 13, 20], Two, true, elementwise::parse_unary),
    op("LeakyRelu", &[6, 16], One, true, elementwise::parse_unary),
    op("Log", &[6, 13], One, true, elementwise::parse_unary),
    op("Mish", &[18, 22], One, true, elementwise::parse_unary),
    op("Neg", &[6, 13], One, true, elementwise::parse_unary),
    op("Not", &[1], One, true, elementwise::parse_unary),
    op("Reciprocal", &[6, 13], One, true, elementwise::parse_unary),
    op("Relu", &[6, 13, 14], One, true, elementwise::parse_unary),
    op("Round", &[11, 22], One, true, elementwise::parse_unary),
    op("Selu", &[6, 22], One, true, elementwise::parse_unary),
    op("Shrink", &[9], Two, true, elementwise::parse_unary),
    op("Sigmoid", &[6, 13], One, true, elementwise::parse_unary),
    op("Sign", &[9, 13], One, true, elementwise::parse_unary),
    op("Sin", &[7, 22], Two, false, elementwise::parse_unary),
    op("Sinh", &[9, 22], Two, false, elementwise::parse_unary),
    op("Softplus", &[1, 22], One, true, elementwise::parse_unary),
    op("Softsign", &[1, 22], One, true, elementwise::parse_unary),
    op("Sqrt", &[6, 13], One, true, elementwise::parse_unary),
    op("Swish", &[24], One, true, elementwise::parse_unary),
    op("Tan", &[7, 22], Two, false, elementwise::parse_unary),
    op("Tanh", &[6, 13], One, true, elementwise::parse_unary),
    op("ThresholdedRelu", &[10, 22], One, true, elementwise::parse_unary),
    op("Add", &[7, 13, 14], One, true, elementwise::parse_binary),
    op("And", &[7], One, true, elementwise::parse_binary),
    op("BitShift", &[11], Two, false, elementwise::parse_binary),
    op("BitwiseAnd", &[18], Two, true, elementwise::parse_binary),
    op("BitwiseOr", &[18], Two, true, elementwise::parse_binary),
    op("BitwiseXor", &[18], Two, true, elementwise::parse_binary),
    op("Div", &[7, 13, 14], One, true, elementwise::parse_binary),
    op("Equal", &[7, 11, 13, 19], One, true, elementwise::parse_binary),
    op("Greater", &[7, 9, 13], One, true, elementwise::parse_binary),
    op("GreaterOrEqual", &[12, 16], One, true, elementwise::parse_binary),
    op("Less", &[7, 9, 13], One, true, elementwise::parse_binary),
    op("LessOrEqual", &[12, 16], One, true, elementwise::parse_binary),
    op("Mod", &[10, 13], One, false, elementwise::parse_binary),
    op("Mul", &[7, 13, 14], One, true, elementwise::parse_binary),
    op("Or", &[7], One, true, elementwise::parse_binary),
    op("PRelu", &[7, 9, 16], One, true, elementwise::parse_binary),
    op("Pow", &[7, 12, 13, 15], One, true, elementwise::parse_binary),
    op("Sub", &[7, 13, 14], One, true, elementwise::parse_binary),
    op("Xor", &[7], One, true, elementwise::parse_binary),
    op("Max", &[6, 8, 12, 13], One, true, elementwise::parse_variadic),
    op("Mean", &[6, 8, 13], One, true, elementwise::parse_variadic),
    op("Min", &[6, 8, 12, 13], One, true, elementwise::parse_variadic),
    op("Sum", &[6, 8, 13], One, true, elementwise::parse_variadic),
    op("Cast", &[6, 9, 13, 19, 21, 23, 24, 25], One, true, elementwise::parse_cast),
    op("CastLike", &[15, 19, 21, 23, 24, 25], One, true, elementwise::parse_cast_like),
    op("Clip", &[6, 11, 12, 13], One, true, elementwise::parse_clip),
    op("Where", &[9, 16], One, true, elementwise::parse_where),
    op("Constant", &[1, 9, 11, 12, 13, 19, 21, 23, 24, 25], One, false, constant::parse_constant),
    op("ConstantOfShape", &[9, 20, 21, 23, 24, 25], One, false, shape::parse_constant_of_shape),
    op("Dropout", &[7, 10, 12, 13, 22], One, true, shape::parse_dropout),
    op("Expand", &[8, 13], One, true, shape::parse_expand),
    op("EyeLike", &[9, 22], Two, false, shape::parse_eye_like),
    op("Flatten", &[1, 9, 11, 13, 21, 23, 24, 25], One, true, shape::parse_reshape),
    op("Identity", &[1, 13, 14, 16, 19, 21, 23, 24, 25], One, true, shape::parse_identity),
    op("Range", &[11, 27], One, false, shape::parse_range),
    op("Reshape", &[5, 13, 14, 19, 21, 23, 24, 25], One, true, shape::parse_reshape),
    op("Shape", &[1, 13, 15, 19, 21, 23, 24, 25], One, false, shape::parse_shape),
    op("Size", &[1, 13, 19, 21, 23, 24, 25], One, false, shape::parse_size),
    op("Squeeze", &[1, 11, 13, 21, 23, 24, 25], One, true, shape::parse_reshape),
    op("Unsqueeze", &[1, 11, 13, 21, 23, 24, 25], One, true, shape::parse_reshape),
    op("Concat", &[4, 11, 13], One, true, layout::parse_concat),
    op("DepthToSpace", &[1, 11, 13], One, true, layout::parse_depth_space),
    op("Pad", &[2, 11, 13, 18, 19, 21, 23, 24, 25], One, true, pad::parse_pad),
    op("SpaceToDepth", &[1, 13], One, true, layout::parse_depth_space),
    op("Split", &[2, 11, 13, 18], One, true, layout::parse_split),
    op("Tile", &[6, 13], One, true, layout::parse_tile),
    op("Transpose", &[1, 13, 21, 23, 24, 25], One, true, layout::parse_transpose),
    op("Trilu", &[14], One, false, layout::parse_trilu),
    op("Compress", &[9, 11], Two, false, index::parse_compress),
    op("Gather", &[1, 11, 13], One, true, index::parse_gather),
    op("GatherElements", &[11, 13], One, true, index::parse_gather_elements),
    op("GatherND", &[11, 12, 13], Two, false, index::parse_gather_nd),
    op("NonZero", &[9, 13], Two, false, index::parse_non_zero),
    op("OneHot", &[9, 11], One, false, index::parse_one_hot),
    op("ReverseSequence", &[10], Two, false, scatter::parse_reverse_sequence),
    op("Scatter", &[9], Two, false, scatter::parse_scatter_elements),
    op("ScatterElements", &[11, 13, 16, 18], Two, false, scatter::parse_scatter_elements),
    op("ScatterND", &[11, 13, 16, 18], Two, false, scatter::parse_scatter_nd),
    op("Slice", &[1, 10, 11, 13], One, true, index::parse_slice),
    op("ArgMax", &[1, 11, 12, 13], One, true, reduce::parse_arg_extreme),
    op("ArgMin", &[1, 11, 12, 13], One, true, reduce::parse_arg_extreme),
    op("CumSum", &[11, 14], One, false, reduce::parse_cum_sum),
    op("Hardmax", &[1, 11, 13], Two, false, reduce::parse_softmax),
    op("LogSoftmax", &[1, 11, 13], One, true, reduce::parse_softmax),
    op("ReduceL1", &[1, 11, 13, 18], One, true, reduce::parse_reduce),
    op("ReduceL2", &[1, 11, 13, 18], One, true, reduce::parse_reduce),
    op("ReduceLogSum", &[1, 11, 13, 18], One, true, reduce::parse_reduce),
    op("ReduceLogSumExp", &[1, 11, 13, 18], One, true, reduce::parse_reduce),
    op("ReduceMax", &[1, 11, 12, 13, 18, 20], One, true, reduce::parse_reduce),
    op("ReduceMean", &[1, 11, 13, 18], One, true, reduce::parse_reduce),
    op("ReduceMin", &[1, 11, 12, 13, 18, 20], One, true, reduce::parse_reduce),
    op("ReduceProd", &[1, 11, 13, 18], One, true, reduce::parse_reduce),
    op("ReduceSum", &[1, 11, 13], One, true, reduce::parse_reduce),
    op("ReduceSumSquare", &[1, 11, 13, 18], One, true, reduce::parse_reduce),
    op("Softmax", &[1, 11, 13], One, true, reduce::parse_softmax),
    op("Gemm", &[7, 9, 11, 13], One, true, matmul::parse_gemm),
    op("MatMul", &[1, 9, 13], One, true, matmul::parse_matmul),
    op("Conv", &[1, 11, 22], One, true, conv::parse_conv),
    op("ConvTranspose", &[1, 11, 22], One, true, conv::parse_conv_transpose),
    op("AveragePool", &[7, 10, 11, 19, 22], One, true, pool::parse_pool),
    op("GlobalAveragePool", &[1, 22], One, true, pool::parse_global_pool),
    op("GlobalMaxPool", &[1, 22], One, true, pool::parse_global_pool),
    op("MaxPool", &[1, 8, 10, 11, 12, 22], One, true, pool::parse_pool),
    op("BatchNormalization", &[7, 9, 14, 15], One, true, norm::parse_batch_norm),
    op("GroupNormalization", &[18, 21], One, true, norm::parse_group_norm),
    op("InstanceNormalization", &[6, 22], One, true, norm::parse_instance_norm),
    op("LayerNormalization", &[17], One, true, norm::parse_layer_norm),
    op("Resize", &[10, 11, 13, 18, 19], One, true, resize::parse_resize),
    op("Upsample", &[7, 9], One, true, resize::parse_resize),
    op("If", &[1, 11, 13, 16, 19, 21, 23, 24, 25], One, false, control::parse_if),
    op("Loop", &[1, 11, 13, 16, 19, 21, 23, 24, 25], Three, false, control::parse_loop),
    op("Scan", &[9, 11, 16, 19, 21, 23, 24, 25], Three, false, control::parse_scan),
    op("QuantizeLinear", &[10, 13, 19, 21, 23, 24, 25], One, true, quant::parse_quantize),
    op("DequantizeLinear", &[10, 13, 19, 21, 23, 24, 25], One, true, quant::parse_dequantize),
    op("DynamicQuantizeLinear", &[11], Two, false, quant::parse_dynamic),
    op("ConvInteger", &[10], Two, false, quant_products::parse_conv_integer),
    op("MatMulInteger", &[10], Two, false, quant_products::parse_matmul_integer),
    op("QLinearConv", &[10], Two, false, quant_products::parse_qlinear_conv),
    op("QLinearMatMul", &[10, 21], Two, false, quant_products::parse_qlinear_matmul),
    op("Attention", &[23, 24, 25], Two, true, attention::parse_attention),
    op("RMSNormalization", &[23], Two, false, attention::parse_rms_norm),
    op("RotaryEmbedding", &[23], Two, false, attention::parse_rotary),
    op("Einsum", &[12], Two, false, einsum::parse),
    op("AffineGrid", &[20], Two, false, sample::parse_affine_grid),
    op("GridSample", &[16, 20, 22], Two, false, sample::parse_grid_sample),
    op("DeformConv", &[19, 22], Three, false, regions::parse_deform_conv),
    op("MaxRoiPool", &[1, 22], Two, false, regions::parse_max_roi_pool),
    op("RoiAlign", &[10, 16, 22], Two, false, regions::parse_roi_align),
    op("Det", &[11, 22], Two, false, normalize::parse_det),
    op("LRN", &[1, 13], Two, false, normalize::parse_lrn),
    op("LpNormalization", &[1, 22], Two, false, normalize::parse_lp),
    op("MeanVarianceNormalization", &[9, 13], Two, false, normalize::parse_mean_variance),
    op("CenterCropPad", &[18], Two, false, unpool::parse_center_crop_pad),
    op("Col2Im", &[18], Two, false, unpool::parse_col2im),
    op("GlobalLpPool", &[2, 22], Two, false, unpool::parse_global_lp_pool),
    op("LpPool", &[2, 11, 18, 22], Two, false, unpool::parse_lp_pool),
    op("MaxUnpool", &[9, 11, 22], Two, false, unpool::parse_max_unpool),
    op("CumProd", &[26], Two, false, order::parse_cum_prod),
    op("NonMaxSuppression", &[10, 11], Two, false, order::parse_non_max_suppression),
    op("TensorScatter", &[24], Two, false, order::parse_tensor_scatter),
    op("TopK", &[1, 10, 11, 24], Two, false, order::parse_top_k),
    op("Unique", &[11], Two, false, order::parse_unique),
    op("NegativeLogLikelihoodLoss", &[12, 13, 22], Three, false, loss::parse_loss),
    op("SoftmaxCrossEntropyLoss", &[12, 13], Three, false, loss::parse_loss),
    op("GRU", &[7, 14, 22], Three, false, recurrent::parse_gru),
    op("LSTM", &[7, 14, 22], Three, false, recurrent::parse_lstm),
    op("RNN", &[7, 14, 22], Three, false, recurrent::parse_rnn),
    op("BlackmanWindow", &[17], Three, false, signal::parse_window),
    op("DFT", &[17, 20], Three, false, signal::parse_dft),
    op("HammingWindow", &[17], Three, false, signal::parse_window),
    op("HannWindow", &[17], Three, false, signal::parse_window),
    op("MelWeightMatrix", &[17], Three, false, signal::parse_mel),
    op("STFT", &[17], Three, false, signal::parse_stft),
    op("Bernoulli", &[15, 22], Three, false, random::parse_bernoulli),
    op("Multinomial", &[7, 22], Three, false, random::parse_multinomial),
    op("RandomNormal", &[1, 22], Three, false, random::parse_random),
    op("RandomNormalLike", &[1, 22], Three, false, random::parse_random),
    op("RandomUniform", &[1, 22], Three, false, random::parse_random),
    op("RandomUniformLike", &[1, 22], Three, false, random::parse_random),
];
