//! A 1×1 convolution and the class of its largest result, four labels to a word: the tail of a network that labels.
//!
//! The scores of a volume would take four bytes for each class and voxel; here they never leave their thread.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use super::conv::{self, Conv, Weights};
use crate::gpu::check::{Case, Spec, Tolerance, Words};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{DISPATCH_MACS, Program, Recorder, Source, groups_of};

/// Numbers of classes. The cases have scores that differ by more than the order of a sum can change.
pub const TOLERANCE: Tolerance = Tolerance {
    abs: 0.0,
    rel: 0.0,
    why: "labels; no two scores of a case are nearer than f32 sums are exact",
};

/// `struct Params` of `shaders/inference/labels.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    slice: [u32; 4],
}

field_offsets!(size, slice);

/// A 1×1 convolution of one image, for its labels.
#[derive(Clone, Debug, PartialEq)]
pub struct Labels(pub(crate) Conv);

impl Labels {
    /// `None` where the convolution is something else, or the labels do not fit bytes.
    pub fn new(conv: Conv) -> Option<Self> {
        let flat = conv.flattened();
        let still = flat.axes.iter().all(|a| a.kernel == 1 && a.stride == 1 && a.pad_begin == 0);
        let fits =
            still && flat.batch == 1 && flat.groups == 1 && !flat.transposed && flat.channels_out <= 256;
        fits.then_some(Self(conv))
    }

    /// Words of the result.
    pub fn words(&self) -> usize {
        self.0.outputs().div_ceil(4)
    }
}

/// Adds the labels of a convolution whose weights are packed as `conv` packs them.
///
/// # Errors
/// Where it does not fit the device, and where the weights are bytes.
pub fn record(
    rec: &mut Recorder,
    job: &Labels,
    input: &Block,
    weights: &Weights,
    bias: Option<&Block>,
    out: &Block,
) -> Result<(), GpuFault> {
    let conv = job.0.flattened();
    let Weights::F32(weights) = weights else {
        return Err(GpuFault::unfit("labels", "its weights are packed bytes".to_owned()));
    };
    let nothing = rec.nothing()?;
    let per_word = (conv.channels_in * conv.blocks() * 16 * conv.quads()) as u64;
    let most = (DISPATCH_MACS / per_word.max(1)).max(64);
    let constants = [("QUADS", conv.quads() as f64)];
    let program = Program {
        name: "labels",
        source: Source::Shader(&wgsl::LABELS),
        entry: "main",
        constants: &constants,
    };
    let words = job.words() as u64;
    let mut first = 0;
    while first < words {
        let many = most.min(words - first);
        let params = Params {
            size: [conv.outputs(), conv.channels_in, conv.channels_out, conv.blocks()].map(|n| n as u32),
            slice: [first as u32, many as u32, u32::from(bias.is_some()), 0],
        };
        let bound = [(1, input), (2, weights), (3, bias.unwrap_or(&nothing)), (4, out)];
        rec.dispatch(&program, bytemuck::bytes_of(&params), &bound, groups_of(many)?, many * per_word)?;
        first += many;
    }
    Ok(())
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Labels;

    fn halved(_: &Self::Job) -> &'static [usize] {
        &[0, 2]
    }

    fn cases() -> Vec<Case<Labels>> {
        const ONE: [usize; 6] = [1, 1, 1, 1, 0, 0];
        let of = |extent: usize| [extent, 1, 1, 1, 0, 0];
        let mut cases = Vec::new();
        for (name, inputs, classes, axes) in [
            ("one voxel, one class", 1, 1, [ONE, ONE, ONE]),
            ("two classes", 3, 2, [ONE, ONE, of(8)]),
            ("three classes of five channels", 5, 3, [of(3), of(5), of(7)]),
            ("a word that is not full", 4, 4, [ONE, of(3), of(7)]),
            ("five classes", 2, 5, [ONE, of(9), of(4)]),
            ("eighteen classes of thirty channels", 30, 18, [of(5), of(6), of(7)]),
            ("as many classes as a block has", 6, 16, [ONE, ONE, of(33)]),
            ("one more", 6, 17, [ONE, ONE, of(34)]),
            ("104 classes", 21, 104, [of(2), of(5), of(9)]),
            ("256 classes", 7, 256, [ONE, of(11), of(3)]),
            ("more than one workgroup", 3, 6, [of(7), of(11), of(13)]),
        ] {
            let job = conv::conv([1, 1, inputs, classes], false, axes);
            cases.push(conv::case(name, job));
        }
        let mut no_bias = conv::conv([1, 1, 4, 7], false, [ONE, of(5), of(6)]);
        no_bias.bias = false;
        cases.push(conv::case("no bias", no_bias));
        let mut equal = conv::case("equal scores", conv::conv([1, 1, 2, 9], false, [ONE, ONE, of(10)]));
        equal.inputs[1] = Words::F32(vec![0.0; 18]);
        equal.inputs[2] = Words::F32(vec![-1.0, 0.5, 0.25, 0.5, 0.5, -2.0, 0.5, 0.0, 0.5]);
        cases.push(equal);
        let mut far = conv::case("scores far below 0", conv::conv([1, 1, 1, 3], false, [ONE, ONE, of(6)]));
        far.inputs[2] = Words::F32(vec![-3e9, -1e9, -2e9]);
        cases.push(far);
        cases
            .into_iter()
            .filter_map(|case| {
                Some(Case { job: Labels::new(case.job)?, name: case.name, inputs: case.inputs })
            })
            .collect()
    }

    fn record(rec: &mut Recorder, job: &Labels, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        let weights = Weights::F32(conv::pack(rec, &job.0, &inputs[1])?);
        record(rec, job, &inputs[0], &weights, Some(&inputs[2]).filter(|_| job.0.bias), out)
    }

    fn twin(job: &Labels, inputs: &[Words]) -> Words {
        let scores = conv::twin(&job.0, inputs);
        let (scores, voxels) = (scores.f32(), job.0.outputs());
        let mut words = vec![0u32; job.words()];
        for place in 0..words.len() * 4 {
            let voxel = place.min(voxels - 1);
            let mut best = (f32::NEG_INFINITY, 0);
            for class in 0..job.0.channels_out {
                let score = scores[class * voxels + voxel];
                if score > best.0 {
                    best = (score, class as u32);
                }
            }
            words[place / 4] |= best.1 << (8 * (place % 4));
        }
        Words::U32(words)
    }
}
