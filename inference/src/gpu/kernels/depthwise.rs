//! Convolution where every group has one output channel, and its transpose.
//!
//! There is nothing to share between output channels, so the tile of `conv` would compute three of four for nothing.

use shaders::inference as wgsl;

use super::conv::{self, Conv, axis, case};
use crate::gpu::check::{Case, Spec, Tolerance, Words};
use crate::gpu::fault::GpuFault;
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
    weights: &Block,
    bias: Option<&Block>,
    out: &Block,
) -> Result<(), GpuFault> {
    let channels = conv.groups * conv.channels_out;
    let nothing = rec.nothing()?;
    let constants = [("TRANSPOSED", f64::from(u8::from(conv.transposed)))];
    let program = Program {
        name: "depthwise",
        source: Source::Shader(&wgsl::DEPTHWISE),
        entry: "main",
        constants: &constants,
    };
    let bound = [(1, input), (2, weights), (3, bias.unwrap_or(&nothing)), (4, out)];
    let taps: usize = conv.axes.iter().map(|a| a.kernel).product();
    conv.dispatch(rec, &program, conv.params(1), &bound, channels, (taps * conv.channels_in * 4) as u64)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Conv;

    fn cases() -> Vec<Case<Conv>> {
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
        cases
    }

    fn record(rec: &mut Recorder, job: &Conv, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], &inputs[1], Some(&inputs[2]), out)
    }

    fn twin(job: &Conv, inputs: &[Words]) -> Words {
        conv::twin(job, inputs)
    }
}
