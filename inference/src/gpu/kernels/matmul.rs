//! Batched product of matrices with any strides, and Gemm's tail.
//!
//! Strides instead of copies: a transposed operand and a broadcast batch cost nothing.

mod shared;

use bytemuck::{Pod, Zeroable};
use shaders::inference as wgsl;

use super::conv::Weights;
use super::{product, row, strides_of};
use crate::gpu::activation::Activation;
use crate::gpu::check::{Case, Spec, Tolerance, Words, noise};
use crate::gpu::fault::GpuFault;
use crate::gpu::held::{self, Held};
use crate::gpu::memory::Block;
use crate::gpu::recorder::{DISPATCH_MACS, Program, Recorder, Source, groups_of};

/// f32 sums in another order than the twin's f64.
pub const TOLERANCE: Tolerance = Tolerance {
    abs: 3e-5,
    rel: 2e-5,
    why: "sums of up to 1,031 products of numbers below 1 in f32, against f64",
};

/// `struct Params` of `shaders/inference/matmul.wgsl`.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
pub(crate) struct Params {
    size: [u32; 4],
    strides: [u32; 4],
    batch: [u32; 4],
    batch_a: [u32; 4],
    batch_b: [u32; 4],
    other: [u32; 4],
    tail: [f32; 4],
}

field_offsets!(size, strides, batch, batch_a, batch_b, other, tail);

/// y = act(alpha A B + beta C).
#[derive(Clone, Debug, PartialEq)]
pub struct MatMul {
    /// Rows of A.
    pub rows: usize,
    /// Columns of B.
    pub columns: usize,
    /// Columns of A.
    pub sum: usize,
    /// Whether A lies transposed.
    pub transposed_a: bool,
    /// Whether B lies transposed.
    pub transposed_b: bool,
    /// Extents of the batch, four at most, none where there is no batch.
    pub batch: Vec<usize>,
    /// Matrices of A to step over per axis of the batch; 0 repeats.
    pub batch_a: Vec<usize>,
    /// The same of B.
    pub batch_b: Vec<usize>,
    /// Factor of the product.
    pub alpha: f32,
    /// Factor of C; 0 where there is none.
    pub beta: f32,
    /// Distances in C between rows and columns; 0 repeats.
    pub strides_c: [usize; 2],
    /// What is applied to the result.
    pub activation: Activation,
}

impl MatMul {
    /// One product.
    pub fn plain(rows: usize, columns: usize, sum: usize) -> Self {
        Self {
            rows,
            columns,
            sum,
            transposed_a: false,
            transposed_b: false,
            batch: vec![],
            batch_a: vec![],
            batch_b: vec![],
            alpha: 1.0,
            beta: 0.0,
            strides_c: [0, 0],
            activation: Activation::None,
        }
    }

    /// numpy's matmul of batches `a` and `b`, broadcast; `None` where they do not match or have too many axes.
    pub fn batched(mut self, a: &[usize], b: &[usize]) -> Option<Self> {
        let rank = a.len().max(b.len());
        let full = |x: &[usize]| [vec![1; rank - x.len()], x.to_vec()].concat();
        let (a, b) = (full(a), full(b));
        let (strides_a, strides_b) = (strides_of(&a), strides_of(&b));
        for i in 0..rank {
            let (x, y) = (a[i], b[i]);
            if x != y && x != 1 && y != 1 {
                return None;
            }
            let step = |extent: usize, stride: usize| if extent == 1 { 0 } else { stride };
            let (sa, sb) = (step(x, strides_a[i]), step(y, strides_b[i]));
            let extent = if x == 1 { y } else { x };
            // Axes that lie in one piece on both sides are one.
            match (self.batch.last_mut(), self.batch_a.last_mut(), self.batch_b.last_mut()) {
                _ if extent == 1 => {}
                (Some(e), Some(la), Some(lb)) if *la == sa * extent && *lb == sb * extent => {
                    *e *= extent;
                    (*la, *lb) = (sa, sb);
                }
                _ => {
                    self.batch.push(extent);
                    self.batch_a.push(sa);
                    self.batch_b.push(sb);
                }
            }
        }
        (self.batch.len() <= 4).then_some(self)
    }

    fn strides(&self) -> [usize; 4] {
        let [a0, a1] = if self.transposed_a { [1, self.rows] } else { [self.sum, 1] };
        let [b0, b1] = if self.transposed_b { [1, self.sum] } else { [self.columns, 1] };
        [a0, a1, b0, b1]
    }
}

/// Adds a product.
///
/// # Errors
/// Where it does not fit the device.
pub fn record(
    rec: &mut Recorder,
    job: &MatMul,
    a: &Block,
    b: &Block,
    c: Option<&Block>,
    out: &Block,
) -> Result<(), GpuFault> {
    record_packed(rec, job, a, &Weights::F32(b.clone()), c, out)
}

/// The same with B in any form; scales and zero points are of its columns.
///
/// # Errors
/// As [`record`].
pub fn record_packed(
    rec: &mut Recorder,
    job: &MatMul,
    a: &Block,
    b: &Weights,
    c: Option<&Block>,
    out: &Block,
) -> Result<(), GpuFault> {
    if job.batch.len() > 4 {
        return Err(GpuFault::unfit(
            "matmul",
            format!("a batch of {} axes; 4 are possible", job.batch.len()),
        ));
    }
    let batches = product(&job.batch) as u64;
    let (mut first, threads) = (0u64, (job.rows.div_ceil(8) * job.columns.div_ceil(8)) as u64);
    let macs = threads * 64 * job.sum as u64;
    if threads == 0 || batches == 0 {
        return Ok(());
    }
    let words = |v: &[usize], size: usize| v.iter().map(|&x| (x * size) as u32).collect::<Vec<_>>();
    let (kind, [act_a, act_b]) = job.activation.code();
    let mut params = Params {
        size: [job.rows as u32, job.columns as u32, job.sum as u32, kind],
        strides: job.strides().map(|s| s as u32),
        batch: row(&words(&job.batch, 1), 1),
        batch_a: row(&words(&job.batch_a, job.rows * job.sum), 0),
        batch_b: row(&words(&job.batch_b, job.sum * job.columns), 0),
        other: [job.strides_c[0] as u32, job.strides_c[1] as u32, (job.rows * job.columns) as u32, 0],
        tail: [job.alpha, if c.is_some() { job.beta } else { 0.0 }, act_a, act_b],
    };
    let nothing = rec.nothing()?;
    let shader = b.shader([&wgsl::MATMUL, &wgsl::MATMUL_I8, &wgsl::MATMUL_F16]);
    let program = Program { name: "matmul", source: Source::Shader(shader), entry: "main", constants: &[] };
    let mut bound = vec![(1, a), (3, c.unwrap_or(&nothing)), (4, out)];
    bound.extend(b.bound(2, 5));
    let [x, y, _] = groups_of(threads)?;
    let most = (DISPATCH_MACS / macs.max(1)).clamp(1, 65_535);
    let in_shared = shared::takes(job, rec.tiles());
    while first < batches {
        let many = most.min(batches - first);
        params.other[3] = first as u32;
        if in_shared {
            shared::record(rec, job, b, &params, &bound, many as u32)?;
        } else {
            rec.dispatch(&program, bytemuck::bytes_of(&params), &bound, [x, y, many as u32], macs * many)?;
        }
        first += many;
    }
    Ok(())
}

/// What a case runs.
pub(crate) struct Job {
    product: MatMul,
    held: Held,
}

/// See [`Spec`].
pub(crate) struct ThisKernel;

impl Spec for ThisKernel {
    type Job = Job;

    fn halved(job: &Self::Job) -> &'static [usize] {
        if matches!(job.held, Held::Bytes { .. }) { &[] } else { &[0, 2] }
    }

    fn cases() -> Vec<Case<Job>> {
        let mut cases = Vec::new();
        let mut add = |name: &str, job: MatMul, matrices_a: usize, matrices_b: usize| {
            let inputs = vec![
                Words::F32(noise(12, matrices_a * job.rows * job.sum)),
                Words::F32(noise(13, matrices_b * job.sum * job.columns)),
                Words::F32(noise(
                    14,
                    (job.strides_c[0] * (job.rows - 1) + job.strides_c[1] * (job.columns - 1)) + 1,
                )),
            ];
            cases.push(Case { name: name.to_owned(), job: Job { product: job, held: Held::F32 }, inputs });
        };
        let p = MatMul::plain;
        add("one number", p(1, 1, 1), 1, 1);
        add("8x8x8", p(8, 8, 8), 1, 1);
        add("odd", p(22, 23, 30), 1, 1);
        add("a vector", p(1, 1000, 1031), 1, 1);
        add("a column", p(77, 1, 33), 1, 1);
        add("many workgroups", p(197, 192, 64), 1, 1);
        add("two slabs and a rest, both edges of a tile", p(33, 65, 67), 1, 1);
        for (ta, tb) in [(true, false), (false, true), (true, true)] {
            add(
                &format!("transposed {ta} {tb}"),
                MatMul { transposed_a: ta, transposed_b: tb, ..p(19, 21, 17) },
                1,
                1,
            );
            let large = MatMul { transposed_a: ta, transposed_b: tb, ..p(35, 41, 37) };
            add(&format!("transposed {ta} {tb}, more than a tile"), large, 1, 1);
        }
        for strides_c in [[0, 0], [0, 1], [1, 0], [13, 1]] {
            let job = MatMul { alpha: 0.5, beta: -1.5, strides_c, ..p(11, 13, 7) };
            add(&format!("C with strides {strides_c:?}"), job, 1, 1);
        }
        for (a, b) in [
            (vec![3], vec![3]),
            (vec![2, 3], vec![1, 3]),
            (vec![5], vec![]),
            (vec![2, 1, 3, 1, 2], vec![4, 1, 2, 1]),
        ] {
            if let Some(job) = p(9, 10, 5).batched(&a, &b) {
                add(&format!("batches {a:?} and {b:?}"), job, product(&a), product(&b));
            }
        }
        for activation in Activation::EACH {
            add(&format!("{activation:?}"), MatMul { activation, ..p(5, 6, 7) }, 1, 1);
        }
        // Weights have no batch; scales belong to columns, wherever those lie.
        for held in [Held::Bytes { zeros: false }, Held::Bytes { zeros: true }, Held::Halves] {
            for (transposed_b, [rows, columns, sum]) in
                [(false, [1, 1, 1]), (true, [1, 1000, 31]), (false, [22, 23, 30]), (true, [19, 21, 17])]
            {
                let job = MatMul {
                    transposed_b,
                    alpha: 0.5,
                    beta: 2.0,
                    strides_c: [0, 1],
                    ..p(rows, columns, sum)
                };
                let column = |i: usize| if transposed_b { i / sum } else { i % columns };
                let b = noise(13, sum * columns);
                let (b, words) = held::round(held, &b, columns, column, |raw| raw);
                let mut inputs = vec![Words::F32(noise(12, rows * sum)), b, Words::F32(noise(14, columns))];
                inputs.extend(words);
                let name = format!("{rows}x{columns}x{sum}, transposed {transposed_b}, {held:?}");
                cases.push(Case { name, job: Job { product: job, held }, inputs });
            }
        }
        cases
    }

    fn record(rec: &mut Recorder, job: &Job, inputs: &[Block], out: &Block) -> Result<(), GpuFault> {
        let b = held::weights(job.held, &inputs[1], &inputs[3..]);
        record_packed(rec, &job.product, &inputs[0], &b, Some(&inputs[2]), out)
    }

    fn twin(job: &Job, inputs: &[Words]) -> Words {
        let job = &job.product;
        let [a, b, c] = [0, 1, 2].map(|i| inputs[i].f32());
        let mut result = Vec::new();
        for batch in super::indices(&job.batch) {
            let matrix = |steps: &[usize]| batch.iter().zip(steps).map(|(&i, &s)| i * s).sum::<usize>();
            let base_a = matrix(&job.batch_a) * job.rows * job.sum;
            let base_b = matrix(&job.batch_b) * job.sum * job.columns;
            for m in 0..job.rows {
                for n in 0..job.columns {
                    let sum: f64 = (0..job.sum)
                        .map(|k| {
                            let at_a = if job.transposed_a { k * job.rows + m } else { m * job.sum + k };
                            let at_b = if job.transposed_b { n * job.sum + k } else { k * job.columns + n };
                            f64::from(a[base_a + at_a]) * f64::from(b[base_b + at_b])
                        })
                        .sum();
                    let mut y = f64::from(job.alpha) * sum;
                    if job.beta != 0.0 {
                        y += f64::from(job.beta) * f64::from(c[m * job.strides_c[0] + n * job.strides_c[1]]);
                    }
                    result.push(job.activation.of(y) as f32);
                }
            }
        }
        Words::F32(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_broadcast_and_join() {
        let of = |a: &[usize], b: &[usize]| {
            MatMul::plain(1, 1, 1).batched(a, b).map(|m| (m.batch, m.batch_a, m.batch_b))
        };
        assert_eq!(of(&[2, 3], &[2, 3]), Some((vec![6], vec![1], vec![1])));
        assert_eq!(of(&[2, 3], &[3]), Some((vec![2, 3], vec![3, 1], vec![0, 1])));
        assert_eq!(of(&[], &[4]), Some((vec![4], vec![0], vec![1])));
        assert_eq!(of(&[2], &[3]), None);
    }
}
