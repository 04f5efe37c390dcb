//! Reductions over any set of axes, and the index of the largest or smallest along one.
//!
//! Neighbouring axes of one kind are joined; more than 4 kept or 4 reduced axes are then rare and left to the host.

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use super::{product, row, strides_of};
use crate::gpu::check::{Case, Spec, Tolerance, Words, noise};
use crate::gpu::fault::GpuFault;
use crate::gpu::memory::Block;
use crate::gpu::recorder::{Program, Recorder, Source, groups_of};

/// Sums in f32 in any order.
pub const TOLERANCE: Tolerance =
    Tolerance { abs: 1e-4, rel: 2e-5, why: "sums of up to 15,180 numbers below 2 in f32 and in any order" };

/// `struct Params` of `shaders/inference/reduce.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    kept: [u32; 4],
    kept_strides: [u32; 4],
    reduced: [u32; 4],
    reduced_strides: [u32; 4],
    flags: [u32; 4],
}

field_offsets!(size, kept, kept_strides, reduced, reduced_strides, flags);

/// What many elements become.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // ONNX's Reduce operators
pub enum ReduceOp {
    Sum,
    Mean,
    Max,
    Min,
    Prod,
    L1,
    L2,
    SumSquare,
    LogSum,
    LogSumExp,
    /// The index as i32; of equal ones the first, or the last.
    ArgMax {
        last: bool,
    },
    ArgMin {
        last: bool,
    },
}

impl ReduceOp {
    fn code(self) -> (f64, bool) {
        match self {
            Self::Sum => (0.0, false),
            Self::Mean => (1.0, false),
            Self::Max => (2.0, false),
            Self::Min => (3.0, false),
            Self::Prod => (4.0, false),
            Self::L1 => (5.0, false),
            Self::L2 => (6.0, false),
            Self::SumSquare => (7.0, false),
            Self::LogSum => (8.0, false),
            Self::LogSumExp => (9.0, false),
            Self::ArgMax { last } => (10.0, last),
            Self::ArgMin { last } => (11.0, last),
        }
    }
}

/// One reduction.
#[derive(Clone, Debug, PartialEq)]
pub struct Reduce {
    /// Extents of the input.
    pub extents: Vec<usize>,
    /// Which axes go.
    pub reduced: Vec<bool>,
    /// What becomes of them.
    pub op: ReduceOp,
}

impl Reduce {
    /// (extent, stride) of kept and of reduced axes, joined where they lie in one piece.
    fn axes(&self) -> [Vec<(u32, u32)>; 2] {
        let strides = strides_of(&self.extents);
        let mut both: [Vec<(u32, u32)>; 2] = [vec![], vec![]];
        for (i, &extent) in self.extents.iter().enumerate().filter(|(_, e)| **e != 1) {
            let list = &mut both[usize::from(self.reduced[i])];
            match list.last_mut() {
                Some(last) if last.1 as usize == strides[i] * extent => {
                    *last = (last.0 * extent as u32, strides[i] as u32);
                }
                _ => list.push((extent as u32, strides[i] as u32)),
            }
        }
        both
    }

    /// Whether the kernel has room for its axes.
    pub fn fits(&self) -> bool {
        product(&self.extents) > 0
            && product(&self.extents) <= i32::MAX as usize
            && self.axes().iter().all(|axes| axes.len() <= 4)
    }
}

/// Adds a reduction.
///
/// # Errors
/// Where it has too many axes, or no elements.
pub fn record(rec: &mut Recorder, job: &Reduce, input: &Block, out: &Block) -> Result<(), GpuFault> {
    if !job.fits() {
        return Err(GpuFault::unfit("reduce", format!("{:?} has no elements or too many axes", job.extents)));
    }
    let [kept, reduced] = job.axes();
    let many = |axes: &[(u32, u32)]| axes.iter().map(|a| a.0).product::<u32>();
    let (outputs, elements) = (many(&kept), many(&reduced));
    let of = |axes: &[(u32, u32)], f: fn(&(u32, u32)) -> u32| row(&axes.iter().map(f).collect::<Vec<_>>(), 1);
    let (code, last) = job.op.code();
    let params = Params {
        size: [outputs, elements, kept.len() as u32, reduced.len() as u32],
        kept: of(&kept, |a| a.0),
        kept_strides: of(&kept, |a| a.1),
        reduced: of(&reduced, |a| a.0),
        reduced_strides: of(&reduced, |a| a.1),
        flags: [u32::from(last), 0, 0, 0],
    };
    let by_group = outputs < 1024 && elements >= 64;
    let threads = u64::from(outputs) * if by_group { 64 } else { 1 };
    let entry = if by_group { "by_group" } else { "by_thread" };
    let constants = [("OP", code)];
    let program =
        Program { name: "reduce", source: Source::Shader(&wgsl::REDUCE), entry, constants: &constants };
    let work = u64::from(outputs) * u64::from(elements);
    let bound = [(1, input), (2, out)];
    rec.dispatch(&program, bytemuck::bytes_of(&params), &bound, groups_of(threads)?, work)
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Reduce;

    fn halved(job: &Self::Job) -> &'static [usize] {
        if matches!(job.op, ReduceOp::ArgMax { .. } | ReduceOp::ArgMin { .. }) { &[] } else { &[0] }
    }

    fn cases() -> Vec<Case<Reduce>> {
        let all = [
            ReduceOp::Sum,
            ReduceOp::Mean,
            ReduceOp::Max,
            ReduceOp::Min,
            ReduceOp::Prod,
            ReduceOp::L1,
            ReduceOp::L2,
            ReduceOp::SumSquare,
            ReduceOp::LogSum,
            ReduceOp::LogSumExp,
            ReduceOp::ArgMax { last: false },
            ReduceOp::ArgMax { last: true },
            ReduceOp::ArgMin { last: false },
            ReduceOp::ArgMin { last: true },
        ];
        let mut cases = Vec::new();
        let mut add = |op: ReduceOp, extents: &[usize], axes: &[usize]| {
            let reduced = (0..extents.len()).map(|i| axes.contains(&i)).collect();
            let steps = matches!(op, ReduceOp::ArgMax { .. } | ReduceOp::ArgMin { .. });
            let input = noise(11, product(extents));
            // Few different numbers, so that there are ties; a product of many must not vanish, a sum under a
            // logarithm not be negative.
            let input = input.iter().map(|&x| match op {
                _ if steps => (x * 3.0).round(),
                ReduceOp::Prod => 1.0 + x * 0.1,
                ReduceOp::LogSum => x.abs(),
                _ => x,
            });
            cases.push(Case {
                name: format!("{op:?} of {extents:?} over {axes:?}"),
                job: Reduce { extents: extents.to_vec(), reduced, op },
                inputs: vec![Words::F32(input.collect())],
            });
        };
        for op in all {
            add(op, &[5, 6, 7], &[1]);
            add(op, &[3, 131], &[1]);
        }
        for op in [ReduceOp::Sum, ReduceOp::Max, ReduceOp::LogSumExp] {
            add(op, &[1], &[0]);
            add(op, &[22, 23, 30], &[0, 1, 2]);
            add(op, &[40, 30, 7], &[2]);
            add(op, &[4, 5, 6, 7], &[0, 2]);
            add(op, &[4, 5, 6, 7], &[1, 3]);
            add(op, &[2, 3, 2, 3, 2, 3, 2, 3], &[0, 2, 4, 6]);
            add(op, &[5, 1, 6], &[1]);
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Reduce, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        record(rec, job, &inputs[0], out)
    }

    fn twin(job: &Reduce, inputs: &[Words]) -> Words {
        let input = inputs[0].f32();
        let strides = strides_of(&job.extents);
        let split = |reduced: bool| -> Vec<usize> {
            (0..job.extents.len()).filter(|&i| job.reduced[i] == reduced).collect()
        };
        let (kept, gone) = (split(false), split(true));
        let extents = |axes: &[usize]| axes.iter().map(|&i| job.extents[i]).collect::<Vec<_>>();
        let place = |axes: &[usize], index: &[usize]| -> usize {
            axes.iter().zip(index).map(|(&axis, &i)| strides[axis] * i).sum()
        };
        let (outer, inner) = (extents(&kept), extents(&gone));
        let lists = super::indices(&outer).map(|o| {
            super::indices(&inner)
                .map(|i| f64::from(input[place(&kept, &o) + place(&gone, &i)]))
                .collect::<Vec<f64>>()
        });
        let lists: Vec<Vec<f64>> = lists.collect();
        let index = |last: bool, sign: f64| {
            Words::I32(
                lists
                    .iter()
                    .map(|list| {
                        let best = list.iter().map(|x| x * sign).fold(f64::NEG_INFINITY, f64::max);
                        let mut places = (0..list.len()).filter(|&i| list[i] * sign == best);
                        (if last { places.next_back() } else { places.next() }).unwrap_or(0) as i32
                    })
                    .collect(),
            )
        };
        let number =
            |f: &dyn Fn(&[f64]) -> f64| Words::F32(lists.iter().map(|list| f(list) as f32).collect());
        match job.op {
            ReduceOp::Sum => number(&|l| l.iter().sum()),
            ReduceOp::Mean => number(&|l| l.iter().sum::<f64>() / l.len() as f64),
            ReduceOp::Max => number(&|l| l.iter().copied().fold(f64::NEG_INFINITY, f64::max)),
            ReduceOp::Min => number(&|l| l.iter().copied().fold(f64::INFINITY, f64::min)),
            ReduceOp::Prod => number(&|l| l.iter().product()),
            ReduceOp::L1 => number(&|l| l.iter().map(|x| x.abs()).sum()),
            ReduceOp::L2 => number(&|l| l.iter().map(|x| x * x).sum::<f64>().sqrt()),
            ReduceOp::SumSquare => number(&|l| l.iter().map(|x| x * x).sum()),
            ReduceOp::LogSum => number(&|l| l.iter().sum::<f64>().ln()),
            ReduceOp::LogSumExp => number(&|l| l.iter().map(|x| x.exp()).sum::<f64>().ln()),
            ReduceOp::ArgMax { last } => index(last, 1.0),
            ReduceOp::ArgMin { last } => index(last, -1.0),
        }
    }
}
