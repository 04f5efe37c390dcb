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
    batch_c: [u32; 4],
    batch_out: [u32; 4],
    origin: [u32; 4],
    other: [u32; 4],
    tail: [f32; 4],
}

field_offsets!(size, strides, batch, batch_a, batch_b, batch_c, batch_out, origin, other, tail);

/// Where the matrices of a batch lie, in elements.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lie {
    /// First element.
    pub origin: usize,
    /// Distances along the axes of the batch; 0 repeats.
    pub batch: Vec<usize>,
    /// Between rows.
    pub rows: usize,
    /// Between columns.
    pub columns: usize,
}

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
    /// Where A, B, C and the result lie; the columns of the result are neighbours. Else one matrix behind the other, as
    /// the fields above say.
    pub lies: Option<Box<[Lie; 4]>>,
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
            lies: None,
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

    /// Where A, B, C and the result lie.
    fn lie(&self) -> [Lie; 4] {
        if let Some(lies) = &self.lies {
            return *lies.clone();
        }
        let lie = |[rows, columns]: [usize; 2], steps: &[usize], matrix: usize| Lie {
            origin: 0,
            batch: steps.iter().map(|step| step * matrix).collect(),
            rows,
            columns,
        };
        let a = if self.transposed_a { [1, self.rows] } else { [self.sum, 1] };
        let b = if self.transposed_b { [1, self.sum] } else { [self.columns, 1] };
        [
            lie(a, &self.batch_a, self.rows * self.sum),
            lie(b, &self.batch_b, self.sum * self.columns),
            lie(self.strides_c, &[], 0),
            lie([self.columns, 1], &strides_of(&self.batch), self.rows * self.columns),
        ]
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
    let words = |v: &[usize]| v.iter().map(|&x| x as u32).collect::<Vec<_>>();
    let lies = job.lie();
    let [batch_a, batch_b, batch_c, batch_out] = lies.each_ref().map(|lie| row(&words(&lie.batch), 0));
    let [at_a, at_b, at_c, at_out] = &lies;
    let (kind, [act_a, act_b]) = job.activation.code();
    let mut params = Params {
        size: [job.rows as u32, job.columns as u32, job.sum as u32, kind],
        strides: [at_a.rows, at_a.columns, at_b.rows, at_b.columns].map(|s| s as u32),
        batch: row(&words(&job.batch), 1),
        batch_a,
        batch_b,
        batch_c,
        batch_out,
        origin: lies.each_ref().map(|lie| lie.origin as u32),
        other: [at_c.rows, at_c.columns, at_out.rows, 0].map(|s| s as u32),
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
        for (name, job) in placed_cases() {
            let inputs = [0, 1, 2].map(|i| Words::F32(noise(15 + i as u32, job.reach(i))));
            let job = Job { product: job, held: Held::F32 };
            cases.push(Case { name: name.to_owned(), job, inputs: inputs.into() });
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
        // As the fields say, not as `lie` does: that is what the kernel is told.
        let place = |which: usize, batch: &[usize], row: usize, column: usize| {
            let along = |steps: &[usize]| batch.iter().zip(steps).map(|(&i, &s)| i * s).sum::<usize>();
            if let Some(lies) = &job.lies {
                let lie = &lies[which];
                return lie.origin + along(&lie.batch) + row * lie.rows + column * lie.columns;
            }
            match which {
                0 => {
                    let within =
                        if job.transposed_a { column * job.rows + row } else { row * job.sum + column };
                    along(&job.batch_a) * job.rows * job.sum + within
                }
                1 => {
                    let within =
                        if job.transposed_b { column * job.sum + row } else { row * job.columns + column };
                    along(&job.batch_b) * job.sum * job.columns + within
                }
                2 => row * job.strides_c[0] + column * job.strides_c[1],
                _ => (along(&strides_of(&job.batch)) * job.rows + row) * job.columns + column,
            }
        };
        let mut result = vec![0.0; product(&job.batch) * job.rows * job.columns];
        for batch in super::indices(&job.batch) {
            for m in 0..job.rows {
                for n in 0..job.columns {
                    let sum: f64 = (0..job.sum)
                        .map(|k| f64::from(a[place(0, &batch, m, k)]) * f64::from(b[place(1, &batch, k, n)]))
                        .sum();
                    let mut y = f64::from(job.alpha) * sum;
                    if job.beta != 0.0 {
                        y += f64::from(job.beta) * f64::from(c[place(2, &batch, m, n)]);
                    }
                    result[place(3, &batch, m, n)] = job.activation.of(y) as f32;
                }
            }
        }
        Words::F32(result)
    }
}

impl MatMul {
    /// Elements of A, B or C that a placed product reaches.
    fn reach(&self, which: usize) -> usize {
        let lie = &self.lie()[which];
        let [rows, columns] =
            [[self.rows, self.sum], [self.sum, self.columns], [self.rows, self.columns]][which];
        let batch: usize = self.batch.iter().zip(&lie.batch).map(|(extent, step)| (extent - 1) * step).sum();
        lie.origin + batch + (rows - 1) * lie.rows + (columns - 1) * lie.columns + 1
    }
}

/// The two products of an attention, of heads as one product for q, k and v has left them.
fn placed_cases() -> Vec<(&'static str, MatMul)> {
    let [batch, tokens, heads, size] = [2, 37, 3, 20];
    let width = 3 * heads * size;
    // [batch, tokens, (q, k, v), heads, size]
    let of = |part: usize, rows: usize, columns: usize| Lie {
        origin: part * heads * size,
        batch: vec![tokens * width, size],
        rows,
        columns,
    };
    let scores =
        Lie { origin: 0, batch: vec![heads * tokens * tokens, tokens * tokens], rows: tokens, columns: 1 };
    // One mask per batch, the same for all heads and rows.
    let mask = Lie { origin: 5, batch: vec![tokens, 0], rows: 0, columns: 1 };
    // [batch, tokens, heads, size]
    let out = Lie { origin: 0, batch: vec![tokens * heads * size, size], rows: heads * size, columns: 1 };
    let first = MatMul {
        batch: vec![batch, heads],
        alpha: 0.25,
        beta: 1.0,
        lies: Some(Box::new([of(0, width, 1), of(1, 1, width), mask, scores.clone()])),
        ..MatMul::plain(tokens, tokens, size)
    };
    let second = MatMul {
        batch: vec![batch, heads],
        lies: Some(Box::new([scores, of(2, width, 1), Lie::default(), out])),
        ..MatMul::plain(tokens, size, tokens)
    };
    vec![("scores of heads in one tensor", first), ("values of heads in one tensor", second)]
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
