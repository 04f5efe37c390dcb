//! Max, average and p-norm pooling, 1 to 3 dimensions; a global pooling is a window of the whole input.
//!
//! One thread per output: a window shares too little with its neighbour to pay for more.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use super::conv::UNIT;
use super::{indices, product};
use crate::gpu::check::{Case, Spec, Tolerance, Words, noise};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source, groups_of};
use crate::window::Axis;

/// Sums of a window, and powers for the p-norm.
pub const TOLERANCE: Tolerance =
    Tolerance { abs: 1e-5, rel: 2e-5, why: "f32 sums of a window; pow() of drivers is good to some 16 ulp" };

/// `struct Params` of `shaders/inference/pool.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    input: [u32; 4],
    output: [u32; 4],
    kernel: [u32; 4],
    stride: [u32; 4],
    dilation: [u32; 4],
    pad: [i32; 4],
    padded: [i32; 4],
    tail: [f32; 4],
}

field_offsets!(input, output, kernel, stride, dilation, pad, padded, tail);

/// What becomes of a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mode {
    /// The largest element.
    Max,
    /// The mean; `padded` counts padding in the divisor (`count_include_pad`).
    Average {
        /// Whether padding counts.
        padded: bool,
    },
    /// (sum of |x|^p)^(1/p)
    Norm(f32),
}

/// One pooling.
#[derive(Clone, Debug, PartialEq)]
pub struct Pool {
    /// Images times channels.
    pub planes: usize,
    /// Depth, height, width; absent ones have extent 1.
    pub axes: [Axis; 3],
    /// What becomes of a window.
    pub mode: Mode,
}

impl Pool {
    /// A window of the whole plane.
    pub fn global(planes: usize, elements: usize, mode: Mode) -> Self {
        let all = Axis { input: elements, kernel: elements, ..UNIT };
        Self { planes, axes: [UNIT, UNIT, all], mode }
    }
}

/// Adds a pooling.
///
/// # Errors
/// Where it does not fit the device.
pub fn record(rec: &mut Recorder, job: &Pool, input: &Block, out: &Block) -> Result<(), GpuFault> {
    let axis = |f: fn(&Axis) -> usize, w: usize| -> [u32; 4] {
        let [z, y, x] = job.axes.each_ref().map(|a| f(a) as u32);
        [z, y, x, w as u32]
    };
    let outputs = job.planes * job.axes.iter().map(|a| a.output).product::<usize>();
    let (mode, p) = match job.mode {
        Mode::Max => (0, 0.0),
        Mode::Average { padded: false } => (1, 0.0),
        Mode::Average { padded: true } => (2, 0.0),
        Mode::Norm(p) => (3, p),
    };
    let [pz, py, px] = job.axes.map(|a| a.pad_begin as i32);
    let [ez, ey, ex] = job.axes.map(|a| (a.input + a.pad_begin + a.pad_end) as i32);
    let params = Params {
        input: axis(|a| a.input, job.planes),
        output: axis(|a| a.output, outputs),
        kernel: axis(|a| a.kernel, mode),
        stride: axis(|a| a.stride, 0),
        dilation: axis(|a| a.dilation, 0),
        pad: [pz, py, px, 0],
        padded: [ez, ey, ex, 0],
        tail: [p, 0.0, 0.0, 0.0],
    };
    let program =
        Program { name: "pool", source: Source::Shader(&wgsl::POOL), entry: "main", constants: &[] };
    let taps: usize = job.axes.iter().map(|a| a.kernel).product();
    let groups = groups_of(outputs as u64)?;
    let work = outputs as u64 * taps as u64;
    rec.dispatch(&program, bytemuck::bytes_of(&params), &[(1, input), (2, out)], groups, work)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Pool;

    fn halved(_: &Self::Job) -> &'static [usize] {
        &[0]
    }

    fn cases() -> Vec<Case<Pool>> {
        let mut cases = Vec::new();
        // Input, output, kernel, stride, dilation, padding before and behind.
        let axis = |[input, output, kernel, stride, dilation, pad_begin, pad_end]: [usize; 7]| Axis {
            input,
            output,
            kernel,
            stride,
            dilation,
            pad_begin,
            pad_end,
        };
        let windows = [
            ("one number", [UNIT, UNIT, UNIT]),
            ("2x2", [UNIT, axis([22, 11, 2, 2, 1, 0, 0]), axis([30, 15, 2, 2, 1, 0, 0])]),
            ("3x3 padded", [UNIT, axis([9, 5, 3, 2, 1, 1, 1]), axis([8, 4, 3, 2, 1, 1, 1])]),
            ("last window partly behind (ceil_mode)", [UNIT, UNIT, axis([6, 3, 3, 2, 1, 0, 0])]),
            ("dilated", [UNIT, axis([9, 5, 3, 1, 2, 0, 0]), axis([10, 6, 3, 1, 2, 0, 0])]),
            ("3D", [axis([7, 3, 3, 2, 1, 0, 0]), axis([8, 4, 2, 2, 1, 0, 0]), axis([9, 9, 3, 1, 1, 1, 1])]),
        ];
        for (name, axes) in windows {
            for mode in
                [Mode::Max, Mode::Average { padded: false }, Mode::Average { padded: true }, Mode::Norm(3.0)]
            {
                let many: usize = axes.iter().map(|a| a.input).product();
                // Less than 0 throughout, so that a 0 from the padding would show as the largest.
                let input = noise(5, 3 * many).iter().map(|x| x - 1.5).collect();
                cases.push(Case {
                    name: format!("{name}, {mode:?}"),
                    job: Pool { planes: 3, axes, mode },
                    inputs: vec![Words::F32(input)],
                });
            }
        }
        for mode in [Mode::Max, Mode::Average { padded: false }] {
            let job = Pool::global(5, 22 * 23, mode);
            cases.push(Case {
                name: format!("global {mode:?}"),
                job,
                inputs: vec![Words::F32(noise(6, 5 * 22 * 23))],
            });
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Pool, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], out)
    }

    fn twin(job: &Pool, inputs: &[Words]) -> Words {
        let input = inputs[0].f32();
        let of = |f: fn(&Axis) -> usize| job.axes.each_ref().map(f);
        let (extents, kernel) = (of(|a| a.input), of(|a| a.kernel));
        let mut result = Vec::new();
        for plane in 0..job.planes {
            for at in indices(&of(|a| a.output)) {
                let (mut values, mut counted) = (Vec::new(), 0);
                for tap in indices(&kernel) {
                    let place: Vec<i64> = (0..3)
                        .map(|i| {
                            let a = job.axes[i];
                            (at[i] * a.stride + tap[i] * a.dilation) as i64 - a.pad_begin as i64
                        })
                        .collect();
                    let before = |i: usize, more: usize| place[i] < (extents[i] + more) as i64;
                    counted += usize::from((0..3).all(|i| before(i, job.axes[i].pad_end)));
                    if (0..3).all(|i| place[i] >= 0 && before(i, 0)) {
                        let [z, y, x] = [0, 1, 2].map(|i| place[i] as usize);
                        let inside = (z * extents[1] + y) * extents[2] + x;
                        values.push(f64::from(input[plane * product(&extents) + inside]));
                    }
                }
                let sum: f64 = values.iter().sum();
                result.push(match job.mode {
                    Mode::Max => values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                    Mode::Average { padded: false } => sum / values.len() as f64,
                    Mode::Average { padded: true } => sum / f64::from(counted as u32),
                    Mode::Norm(p) => {
                        let p = f64::from(p);
                        values.iter().map(|v| v.abs().powf(p)).sum::<f64>().powf(1.0 / p)
                    }
                } as f32);
            }
        }
        Words::F32(result)
    }
}
