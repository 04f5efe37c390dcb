//! Convolution where every group has one output channel, and its transpose.
//!
//! There is nothing to share between output channels, so the tile of `conv` would compute three of four for nothing.

use shaders::inference as wgsl;

use super::conv::{self, Conv, Weights, axis, case};
use crate::gpu::check::{Case, Spec, Tolerance, Words};
use crate::gpu::fault::GpuFault;
use crate::gpu::held::{self, Held};
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source};

/// As `conv`.
pub const TOLERANCE: Tolerance = conv::TOLERANCE;

/// Adds a convolution. Weights lie as in the file.
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
    let channels = conv.groups * conv.channels_out;
    let nothing = rec.nothing()?;
    let constants = [("TRANSPOSED", f64::from(u8::from(conv.transposed)))];
    let program = Program {
        name: "depthwise",
        source: Source::Shader(weights.shader([&wgsl::DEPTHWISE, &wgsl::DEPTHWISE_I8, &wgsl::DEPTHWISE_F16])),
        entry: "main",
        constants: &constants,
    };
    let mut bound = vec![(1, input), (3, bias.unwrap_or(&nothing)), (4, out)];
    bound.extend(weights.bound(2, 5));
    let taps: usize = conv.axes.iter().map(|a| a.kernel).product();
    conv.dispatch(rec, &program, conv.params(1), &bound, channels, (taps * conv.channels_in * 4) as u64)
}

/// What a case runs.
pub(crate) struct Job {
    conv: Conv,
    held: Held,
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Job;

    fn cases() -> Vec<Case<Job>> {
        const ONE: [usize; 6] = [1, 1, 1, 1, 0, 0];
        let c = conv::conv;
        let mut cases = vec![
            case("one number", c([1, 1, 1, 1], false, [ONE, ONE, ONE])),
            case("3x3", c([2, 7, 1, 1], false, [ONE, [22, 3, 1, 1, 1, 1], [23, 3, 1, 1, 1, 1]])),
            case("5x5, stride 2", c([1, 5, 1, 1], false, [ONE, [22, 5, 2, 1, 1, 2], [30, 5, 2, 1, 1, 2]])),
            case("dilated", c([1, 3, 1, 1], false, [ONE, [22, 3, 1, 3, 3, 3], [23, 3, 1, 2, 2, 2]])),
            case("1D", c([1, 4, 1, 1], false, [ONE, ONE, [30, 4, 1, 1, 2, 1]])),
            case("3D", c([1, 3, 1, 1], false, [[7, 3, 1, 1, 1, 1], [8, 3, 2, 1, 1, 1], [9, 3, 1, 1, 1, 1]])),
            case(
                "two outputs of each channel",
                c([1, 3, 1, 2], false, [ONE, [9, 3, 1, 1, 1, 1], [8, 3, 1, 1, 1, 1]]),
            ),
            case(
                "one output of many channels",
                c([2, 1, 17, 1], false, [ONE, [9, 1, 1, 1, 0, 0], [8, 1, 1, 1, 0, 0]]),
            ),
            case("transposed", c([1, 4, 1, 1], true, [ONE, [6, 2, 2, 1, 0, 0], [7, 4, 2, 1, 1, 1]])),
            case(
                "transposed, one output of many",
                c([1, 1, 6, 1], true, [[3, 2, 2, 1, 0, 0], [4, 2, 2, 1, 0, 0], [5, 3, 2, 1, 1, 0]]),
            ),
        ];
        let mut no_bias = c([1, 2, 1, 1], false, [ONE, ONE, [9, 3, 1, 1, 1, 1]]);
        no_bias.bias = false;
        no_bias.activation = crate::gpu::Activation::Clip(0.0, 6.0);
        no_bias.axes[2] = axis(false, [9, 3, 2, 1, 0, 1]);
        cases.push(case("no bias, clipped", no_bias));
        let kinds = [Held::F32, Held::Bytes { zeros: false }, Held::Bytes { zeros: true }, Held::Halves];
        let all = kinds.iter().flat_map(|&held| cases.iter().map(move |case| (held, case)));
        all.map(|(held, case)| {
            let conv = case.job.clone();
            let channels = conv.groups * conv.channels_out;
            let of = |i| conv.channel_of(i);
            let (weights, words) = held::round(held, case.inputs[1].f32(), channels, of, |raw| raw);
            let mut inputs = case.inputs.clone();
            inputs[1] = weights;
            inputs.extend(words);
            Case { name: format!("{}, {held:?}", case.name), job: Job { conv, held }, inputs }
        })
        .collect()
    }

    fn record(rec: &mut Recorder, job: &Job, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        let weights = held::weights(job.held, &inputs[1], &inputs[3..]);
        record(rec, &job.conv, &inputs[0], &weights, Some(&inputs[2]), out)
    }

    fn twin(job: &Job, inputs: &[Words]) -> Words {
        conv::twin(&job.conv, inputs)
    }

    fn halved(job: &Self::Job) -> &'static [usize] {
        if job.held == Held::Halves { &[0, 2] } else { &[] }
    }
}
