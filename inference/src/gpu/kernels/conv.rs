//! Convolution and its transpose, 1 to 3 dimensions: the kernel that most models spend their time in.
//!
//! A thread makes 4 neighbours of 4 to 16 output channels in registers; weights are packed once so that the quads of a
//! thread lie together. A 1×1 convolution is the same with all spatial axes laid end to end.

mod shared;

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use super::copy::{self, Copy, Side};
use super::product;
use crate::gpu::activation::Activation;
use crate::gpu::check::{Case, Spec, Tolerance, Words, noise};
use crate::gpu::fault::GpuFault;
use crate::gpu::held::{self, Held, Raw};
use crate::gpu::memory::Block;
use crate::gpu::recorder::{DISPATCH_MACS, GROUP, Program, Recorder, Source};
use crate::window::Axis;

/// f32 sums in another order than the twin's f64.
pub const TOLERANCE: Tolerance = Tolerance {
    abs: 2e-5,
    rel: 2e-5,
    why: "sums of up to 500 products of numbers below 1 in f32 and in any order, against f64",
};

/// `struct Params` of `shaders/inference/sliding.wgsl`; a test compares the two field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    input: [u32; 4],
    output: [u32; 4],
    kernel: [u32; 4],
    stride: [u32; 4],
    dilation: [u32; 4],
    pad: [i32; 4],
    tiles: [u32; 4],
    tail: [f32; 4],
}

field_offsets!(input, output, kernel, stride, dilation, pad, tiles, tail);

/// One convolution at concrete shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Conv {
    /// Images.
    pub batch: usize,
    /// Groups of channels that see nothing of each other.
    pub groups: usize,
    /// Input channels of a group.
    pub channels_in: usize,
    /// Output channels of a group.
    pub channels_out: usize,
    /// Depth, height, width; absent ones have extent 1.
    pub axes: [Axis; 3],
    /// Whether it is the transpose (ConvTranspose): `axes` then tell its own input and output.
    pub transposed: bool,
    /// What is applied to the result.
    pub activation: Activation,
    /// Whether there is a bias.
    pub bias: bool,
}

/// An axis of one element, for what has fewer than three.
pub(crate) const UNIT: Axis =
    Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, pad_begin: 0, pad_end: 0 };

/// Weights as a kernel wants them: this one in the order of [`pack`] and [`ordered`], others as they lie in the file.
#[derive(Clone)]
pub enum Weights {
    /// f32.
    F32(Block),
    /// Signed bytes, four to a word; scale and zero point of each output channel; whether a zero point is not 0.
    I8(Block, Block, bool),
    /// Half floats, two to a word.
    F16(Block),
}

impl Weights {
    /// The bound blocks of weights at `elements` and, of bytes, of scales at `scales`.
    pub(crate) fn bound(&self, elements: u32, scales: u32) -> Vec<(u32, &Block)> {
        match self {
            Self::F32(block) | Self::F16(block) => vec![(elements, block)],
            Self::I8(block, pairs, _) => vec![(elements, block), (scales, pairs)],
        }
    }

    /// The one of three shaders that reads them.
    pub(crate) fn shader(
        &self,
        [full, bytes, halves]: [&'static shaders::Shader; 3],
    ) -> &'static shaders::Shader {
        match self {
            Self::F32(_) => full,
            Self::I8(..) => bytes,
            Self::F16(_) => halves,
        }
    }
}

impl Conv {
    /// Whether weights that were packed for this one are as another wants them.
    pub(crate) fn packs_like(&self, other: &Self) -> bool {
        let shape = |c: &Self| {
            let kernel = c.axes.each_ref().map(|a| a.kernel);
            (c.groups, c.channels_in, c.channels_out, kernel, c.transposed)
        };
        shape(self) == shape(other)
    }

    /// 1×1 without steps or padding: all spatial axes are one.
    pub(crate) fn flattened(&self) -> Self {
        let plain = |a: &Axis| a.kernel == 1 && a.stride == 1 && a.pad_begin == 0 && a.input == a.output;
        let mut flat = self.clone();
        if self.axes.iter().all(plain) {
            let all: usize = self.axes.iter().map(|a| a.input).product();
            flat.axes = [UNIT, UNIT, Axis { input: all, output: all, ..UNIT }];
        }
        flat
    }

    fn taps(&self) -> usize {
        self.axes.iter().map(|a| a.kernel).product()
    }

    pub(crate) fn inputs(&self) -> usize {
        self.axes.iter().map(|a| a.input).product()
    }

    pub(crate) fn outputs(&self) -> usize {
        self.axes.iter().map(|a| a.output).product()
    }

    /// Multiply-adds, padding included.
    pub fn macs(&self) -> u64 {
        let spatial = if self.transposed { self.inputs() } else { self.outputs() };
        [self.batch, self.groups, self.channels_in, self.channels_out, self.taps(), spatial]
            .iter()
            .fold(1u64, |n, &x| n.saturating_mul(x as u64))
    }

    /// Quads of output channels per thread: the fewest reads and products, those for nothing included.
    pub(crate) fn quads(&self) -> usize {
        let cost = |quads: usize| self.channels_out.div_ceil(4 * quads) * (8 + 20 * quads);
        (1..=4).min_by_key(|&quads| (cost(quads), usize::MAX - quads)).unwrap_or(1)
    }

    /// Blocks of output channels in a group.
    pub(crate) fn blocks(&self) -> usize {
        self.channels_out.div_ceil(4 * self.quads())
    }

    /// Elements of weights in the order of [`pack`], those for nothing included.
    pub fn packed_elements(&self) -> usize {
        self.groups * self.blocks() * self.taps() * self.channels_in * 4 * self.quads()
    }

    /// Whether places and workgroups have numbers: channels are workgroups in y, images in z.
    pub fn fits(&self) -> bool {
        let words =
            [self.inputs(), self.outputs()].map(|n| n.saturating_mul(self.batch.saturating_mul(self.groups)));
        self.groups > 0
            && self.channels_in > 0
            && self.channels_out > 0
            && self.groups.saturating_mul(self.channels_out) <= 65_535
            && self.batch <= 65_535
            && words[0].saturating_mul(self.channels_in) <= i32::MAX as usize
            && words[1].saturating_mul(self.channels_out) <= i32::MAX as usize
            && self
                .axes
                .iter()
                .all(|a| a.kernel.saturating_mul(a.dilation).max(a.output.saturating_mul(a.stride)) < 1 << 30)
    }

    /// Where in the file a weight lies: `[out][in][tap]`, of a transposed one `[in][out][tap]`.
    fn weight_strides(&self) -> (usize, usize) {
        let taps = self.taps();
        if self.transposed { (taps, self.channels_out * taps) } else { (self.channels_in * taps, taps) }
    }

    fn group_stride(&self) -> usize {
        self.channels_in * self.channels_out * self.taps()
    }

    /// Parameters for the whole of it; the slab is filled in per dispatch.
    pub(crate) fn params(&self, blocks: usize) -> Params {
        let axis = |f: fn(&Axis) -> usize| self.axes.each_ref().map(|a| f(a) as u32);
        let with = |[x, y, z]: [u32; 3], w: usize| [x, y, z, w as u32];
        let (kind, [a, b]) = self.activation.code();
        let [pad_z, pad_y, pad_x] = self.axes.map(|a| a.pad_begin as i32);
        Params {
            input: with(axis(|a| a.input), self.groups * self.channels_in),
            output: with(axis(|a| a.output), self.groups * self.channels_out),
            kernel: with(axis(|a| a.kernel), self.groups),
            stride: with(axis(|a| a.stride), self.channels_in),
            dilation: with(axis(|a| a.dilation), self.channels_out),
            pad: [pad_z, pad_y, pad_x, blocks as i32],
            tiles: [self.axes[2].output.div_ceil(4) as u32, 0, 0, kind],
            tail: [a, b, f32::from(u8::from(self.bias)), 0.0],
        }
    }

    /// Dispatches all tiles in slabs that no watchdog minds: `blocks` workgroups in y, images in z.
    pub(crate) fn dispatch(
        &self,
        rec: &mut Recorder,
        program: &Program,
        params: Params,
        bound: &[(u32, &Block)],
        blocks: usize,
        macs_per_thread: u64,
    ) -> Result<(), GpuFault> {
        self.dispatch_wide(rec, program, params, bound, blocks, macs_per_thread, GROUP)
    }

    /// The same with so many tiles per workgroup.
    #[allow(clippy::too_many_arguments)] // what a dispatch is made of
    fn dispatch_wide(
        &self,
        rec: &mut Recorder,
        program: &Program,
        mut params: Params,
        bound: &[(u32, &Block)],
        blocks: usize,
        macs_per_tile: u64,
        wide: u32,
    ) -> Result<(), GpuFault> {
        let wide = u64::from(wide);
        let tiles = params.tiles[0] as u64 * (self.axes[0].output * self.axes[1].output) as u64;
        let layers = (blocks * self.batch) as u64;
        let most = (DISPATCH_MACS / (macs_per_tile.max(1) * layers.max(1))).max(wide);
        let slab = most.min(65_535 * wide) / wide * wide;
        let mut first = 0;
        while first < tiles {
            let many = slab.min(tiles - first);
            params.tiles[1] = first as u32;
            params.tiles[2] = many as u32;
            let groups = [many.div_ceil(wide) as u32, blocks as u32, self.batch as u32];
            rec.dispatch(program, bytemuck::bytes_of(&params), bound, groups, many * layers * macs_per_tile)?;
            first += many;
        }
        Ok(())
    }
}

/// Packs weights that lie as in the file.
///
/// # Errors
/// Where they do not fit the device.
pub fn pack(rec: &mut Recorder, conv: &Conv, raw: &Block) -> Result<Block, GpuFault> {
    let conv = conv.flattened();
    let packed = rec.take(conv.packed_elements() as u64)?;
    let lanes = 4 * conv.quads();
    let (out, input) = conv.weight_strides();
    let extents = [conv.groups, conv.blocks(), conv.taps(), conv.channels_in, lanes];
    let from = [conv.group_stride(), lanes * out, 1, input, out].map(|s| s as i32);
    let to = super::strides_of(&extents).iter().map(|&s| s as i32).collect();
    let job = Copy {
        extents: extents.to_vec(),
        from: Side { base: 0, strides: from.to_vec() },
        to: Side { base: 0, strides: to },
        source_words: conv.groups * conv.group_stride(),
    };
    // Weights are words, however activations are stored.
    let halves = rec.halves();
    rec.in_halves(false);
    let copied = copy::record(rec, &job, raw, &packed);
    rec.in_halves(halves);
    copied.map(|()| packed)
}

/// Elements that lie as in the file, in the order of [`pack`]: four output channels lie together.
pub fn ordered<T: std::marker::Copy + Default>(conv: &Conv, raw: &[T]) -> Vec<T> {
    let conv = conv.flattened();
    let (lanes, own) = (4 * conv.quads(), conv.channels_out);
    let (out, input) = conv.weight_strides();
    let mut elements = Vec::with_capacity(conv.packed_elements());
    for group in 0..conv.groups {
        for block in 0..conv.blocks() {
            for tap in 0..conv.taps() {
                for channel in 0..conv.channels_in {
                    let base = group * conv.group_stride() + channel * input + tap;
                    elements.extend((block * lanes..(block + 1) * lanes).map(|o| {
                        let own = (o < own).then(|| raw.get(base + o * out).copied()).flatten();
                        own.unwrap_or_default()
                    }));
                }
            }
        }
    }
    elements
}

/// Adds a convolution. `bias` is read where the job says there is one.
///
/// # Errors
/// Where it does not fit the device.
pub fn record(
    rec: &mut Recorder,
    conv: &Conv,
    input: &Block,
    weights: &Weights,
    bias: Option<&Block>,
    out: &Block,
) -> Result<(), GpuFault> {
    let conv = conv.flattened();
    let quads = conv.quads();
    let blocks = conv.groups * conv.blocks();
    let params = conv.params(conv.blocks());
    let nothing = rec.nothing()?;
    let shader = weights.shader([&wgsl::CONV, &wgsl::CONV_I8, &wgsl::CONV_F16]);
    let mut constants = vec![("QUADS", quads as f64), ("TRANSPOSED", f64::from(u8::from(conv.transposed)))];
    if let Weights::I8(_, _, zeros) = weights {
        constants.push(("ZEROS", f64::from(u8::from(*zeros))));
    }
    let mut bound = vec![(1, input), (3, bias.unwrap_or(&nothing)), (5, out)];
    bound.extend(weights.bound(2, 4));
    if shared::takes(&conv, rec.tiles()) {
        return shared::record(rec, &conv, weights, constants, params, &bound);
    }
    let program =
        Program { name: "conv", source: Source::Shader(shader), entry: "main", constants: &constants };
    let per_thread = (conv.taps() * conv.channels_in * 16 * quads) as u64;
    conv.dispatch(rec, &program, params, &bound, blocks, per_thread)
}

/// The twin: one output after the other, straight from the formula, in f64.
pub(crate) fn twin(conv: &Conv, inputs: &[Words]) -> Words {
    let (x, w) = (inputs[0].f32(), inputs[1].f32());
    let bias = inputs.get(2).map(Words::f32).filter(|_| conv.bias);
    let [input, output, kernel] =
        [|a: &Axis| a.input, |a: &Axis| a.output, |a: &Axis| a.kernel].map(|f| conv.axes.each_ref().map(f));
    let taps = product(&kernel);
    let mut result = Vec::new();
    for n in 0..conv.batch {
        for o in 0..conv.groups * conv.channels_out {
            let (group, own) = (o / conv.channels_out, o % conv.channels_out);
            for at in super::indices(&output) {
                let mut sum = bias.map_or(0.0, |b| f64::from(b[o]));
                for (t, tap) in super::indices(&kernel).enumerate() {
                    let Some(from) = source(conv, &at, &tap) else { continue };
                    let place = (from[0] * input[1] + from[1]) * input[2] + from[2];
                    for c in 0..conv.channels_in {
                        let channel = group * conv.channels_in + c;
                        let weight = if conv.transposed {
                            (channel * conv.channels_out + own) * taps + t
                        } else {
                            (o * conv.channels_in + c) * taps + t
                        };
                        let plane = n * conv.groups * conv.channels_in + channel;
                        sum += f64::from(x[plane * product(&input) + place]) * f64::from(w[weight]);
                    }
                }
                result.push(conv.activation.of(sum) as f32);
            }
        }
    }
    Words::F32(result)
}

/// Input index of a tap; of a transposed one, those inputs whose window covers the output with this tap.
fn source(conv: &Conv, at: &[usize], tap: &[usize]) -> Option<[usize; 3]> {
    let mut from = [0; 3];
    for (i, axis) in conv.axes.iter().enumerate() {
        let reach = tap[i] * axis.dilation;
        let index = if conv.transposed {
            let distance = (at[i] + axis.pad_begin).checked_sub(reach)?;
            (distance % axis.stride == 0).then_some(distance / axis.stride)?
        } else {
            (at[i] * axis.stride + reach).checked_sub(axis.pad_begin)?
        };
        from[i] = (index < axis.input).then_some(index)?;
    }
    Some(from)
}

/// Input, kernel, stride, dilation, padding before and behind; the output follows.
pub(crate) fn axis(transposed: bool, [input, kernel, stride, dilation, begin, end]: [usize; 6]) -> Axis {
    let window = (kernel - 1) * dilation + 1;
    let output = if transposed {
        (input - 1) * stride + window - begin - end
    } else {
        (input + begin + end - window) / stride + 1
    };
    Axis { input, output, kernel, stride, dilation, pad_begin: begin, pad_end: end }
}

/// A convolution with noise for its numbers.
pub(crate) fn case(name: &str, conv: Conv) -> Case<Conv> {
    let channels = conv.groups * conv.channels_in;
    let inputs = vec![
        Words::F32(noise(1, conv.batch * channels * conv.inputs())),
        Words::F32(noise(2, channels * conv.channels_out * conv.taps())),
        Words::F32(noise(3, conv.groups * conv.channels_out)),
    ];
    Case { name: name.to_owned(), job: conv, inputs }
}

/// batch, groups, input channels, output channels of a group.
pub(crate) fn conv(
    [batch, groups, channels_in, channels_out]: [usize; 4],
    transposed: bool,
    axes: [[usize; 6]; 3],
) -> Conv {
    let axes = axes.map(|a| axis(transposed, a));
    Conv {
        batch,
        groups,
        channels_in,
        channels_out,
        axes,
        transposed,
        activation: Activation::None,
        bias: true,
    }
}

const ONE: [usize; 6] = [1, 1, 1, 1, 0, 0];

fn plain_cases() -> Vec<Case<Conv>> {
    let c = conv;
    let mut cases = vec![
        case("one number", c([1, 1, 1, 1], false, [ONE, ONE, ONE])),
        case("1D, dilated", c([2, 1, 3, 5], false, [ONE, ONE, [23, 3, 1, 4, 4, 4]])),
        case("2D, 3x3", c([1, 1, 4, 8], false, [ONE, [22, 3, 1, 1, 1, 1], [23, 3, 1, 1, 1, 1]])),
        case(
            "2D, stride 2, padding behind",
            c([2, 1, 3, 16], false, [ONE, [23, 3, 2, 1, 0, 1], [30, 3, 2, 1, 0, 1]]),
        ),
        case("2D, groups", c([1, 3, 4, 6], false, [ONE, [9, 3, 1, 1, 1, 1], [11, 5, 2, 1, 2, 1]])),
        case(
            "3D, dilated",
            c([1, 1, 5, 5], false, [[11, 3, 1, 2, 2, 2], [12, 3, 1, 2, 2, 2], [13, 3, 1, 2, 2, 2]]),
        ),
        case(
            "3D, strides that differ",
            c([1, 1, 3, 12], false, [[9, 3, 1, 1, 1, 0], [10, 2, 2, 1, 0, 0], [11, 1, 3, 1, 0, 0]]),
        ),
        case(
            "padding larger than the input",
            c([1, 1, 2, 3], false, [ONE, [2, 3, 1, 1, 4, 3], [3, 3, 1, 1, 5, 5]]),
        ),
        case(
            "1x1 over a volume",
            c([2, 1, 7, 13], false, [[3, 1, 1, 1, 0, 0], [5, 1, 1, 1, 0, 0], [7, 1, 1, 1, 0, 0]]),
        ),
        case("1x1 with a stride", c([1, 1, 6, 4], false, [ONE, [7, 1, 2, 1, 0, 0], [9, 1, 2, 1, 0, 0]])),
        case("20 channels to 19", c([1, 1, 20, 19], false, [ONE, [5, 3, 1, 1, 1, 1], [6, 3, 1, 1, 1, 1]])),
        case("transposed 1D, stride 3", c([1, 1, 4, 5], true, [ONE, ONE, [7, 4, 3, 1, 1, 0]])),
        case("transposed 2D, 2x2", c([2, 1, 6, 9], true, [ONE, [5, 2, 2, 1, 0, 0], [6, 2, 2, 1, 0, 0]])),
        case(
            "transposed 3D, 2x2x2",
            c([1, 1, 5, 8], true, [[3, 2, 2, 1, 0, 0], [4, 2, 2, 1, 0, 0], [5, 2, 2, 1, 0, 0]]),
        ),
        case(
            "transposed, groups, dilated",
            c([1, 2, 3, 4], true, [ONE, [4, 3, 2, 2, 1, 2], [5, 3, 1, 3, 0, 1]]),
        ),
        case(
            "transposed, overlapping windows",
            c([1, 1, 3, 3], true, [ONE, [4, 5, 2, 1, 2, 1], [3, 4, 1, 1, 1, 1]]),
        ),
    ];
    // Large enough for tiles in workgroup memory: both sides of their edges, and of a slab of channels.
    cases.extend([
        case("17 channels to 33", c([2, 1, 17, 33], false, [ONE, [6, 3, 2, 1, 1, 1], [11, 3, 1, 1, 1, 1]])),
        case(
            "1x1, 33 channels to 45",
            c([2, 1, 33, 45], false, [ONE, [5, 1, 1, 1, 0, 0], [9, 1, 1, 1, 0, 0]]),
        ),
        case("two groups of 8 to 16", c([1, 2, 8, 16], false, [ONE, [7, 3, 1, 2, 2, 2], [9, 5, 1, 1, 2, 1]])),
        case(
            "3D, 9 channels to 20",
            c([1, 1, 9, 20], false, [[4, 3, 1, 1, 1, 1], [5, 3, 1, 1, 1, 1], [6, 3, 1, 1, 1, 1]]),
        ),
        case("one place of many channels", c([1, 1, 40, 64], false, [ONE, ONE, ONE])),
    ]);
    for activation in Activation::EACH {
        let mut job = c([1, 1, 4, 6], false, [ONE, [6, 3, 1, 1, 1, 1], [7, 3, 1, 1, 1, 1]]);
        job.activation = activation;
        cases.push(case(&format!("{activation:?}"), job));
    }
    let mut no_bias = c([1, 1, 2, 4], false, [ONE, ONE, [9, 3, 1, 1, 1, 1]]);
    no_bias.bias = false;
    cases.push(case("no bias", no_bias));
    // A row of 4 * 64 * 65,535 outputs and some more would need two slabs; two rows of tiles show the seam as well.
    cases.push(case("more than one workgroup", c([1, 1, 1, 4], false, [ONE, ONE, [1031, 3, 1, 1, 1, 1]])));
    cases
}

/// What a case runs.
pub(crate) struct Job {
    conv: Conv,
    held: Held,
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Conv {
    /// The output channel of a weight.
    pub(crate) fn channel_of(&self, i: usize) -> usize {
        let (group, rest) = (i / self.group_stride(), i % self.group_stride());
        group * self.channels_out + rest / self.weight_strides().0 % self.channels_out
    }
}

impl Spec for ThisKernel {
    type Job = Job;

    fn cases() -> Vec<Case<Job>> {
        let case = |case: Case<Conv>, held| {
            let conv = case.job;
            let channels = conv.groups * conv.channels_out;
            let (weights, held_words) = held::round(
                held,
                case.inputs[1].f32(),
                channels,
                |i| conv.channel_of(i),
                |raw| match raw {
                    Raw::Codes(codes) => Raw::Codes(ordered(&conv, &codes)),
                    Raw::Halves(bits) => Raw::Halves(ordered(&conv, &bits)),
                },
            );
            let mut inputs = case.inputs.clone();
            inputs[1] = weights;
            inputs.extend(held_words);
            let name = if held == Held::F32 { case.name } else { format!("{}, {held:?}", case.name) };
            Case { name, job: Job { conv, held }, inputs }
        };
        let mut cases: Vec<_> = plain_cases().into_iter().map(|c| case(c, Held::F32)).collect();
        // All shapes in bytes; of the others fewer, because each kind of pipeline takes a software adapter half a second.
        for (held, step) in
            [(Held::Bytes { zeros: false }, 1), (Held::Bytes { zeros: true }, 3), (Held::Halves, 2)]
        {
            cases.extend(plain_cases().into_iter().take(21).step_by(step).map(|c| case(c, held)));
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Job, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        let packed = match job.held {
            Held::F32 => Some(pack(rec, &job.conv, &inputs[1])?),
            _ => None,
        };
        let weights = held::weights(job.held, packed.as_ref().unwrap_or(&inputs[1]), &inputs[3..]);
        record(rec, &job.conv, &inputs[0], &weights, Some(&inputs[2]), out)
    }

    fn twin(job: &Job, inputs: &[Words]) -> Words {
        twin(&job.conv, inputs)
    }

    fn halved(job: &Self::Job) -> &'static [usize] {
        if job.held == Held::Halves { &[0, 2] } else { &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_twin_is_the_textbooks_convolution() {
        // [1 2 3] with [1 10 100] and padding 1: correlation, not mirrored.
        let job = conv([1, 1, 1, 1], false, [ONE, ONE, [3, 3, 1, 1, 1, 1]]);
        let inputs = [vec![1.0, 2.0, 3.0], vec![1.0, 10.0, 100.0], vec![0.0]].map(Words::F32);
        assert_eq!(twin(&job, &inputs), Words::F32(vec![210.0, 321.0, 32.0]));
        // Transposed with stride 2: each input lays its kernel down.
        let job = conv([1, 1, 1, 1], true, [ONE, ONE, [3, 3, 2, 1, 0, 0]]);
        assert_eq!(twin(&job, &inputs), Words::F32(vec![1.0, 10.0, 102.0, 20.0, 203.0, 30.0, 300.0]));
    }

    #[test]
    fn few_channels_are_not_padded_to_many() {
        let of = |channels_out| {
            let job = conv([1, 1, 3, channels_out], false, [ONE, ONE, [9, 3, 1, 1, 1, 1]]);
            (job.quads(), job.blocks())
        };
        assert_eq!(of(3), (1, 1));
        assert_eq!(of(5), (2, 1));
        assert_eq!(of(12), (3, 1));
        assert_eq!(of(20), (3, 2));
        assert_eq!(of(320), (4, 20));
    }
}
