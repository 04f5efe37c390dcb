//! Attention as two products with a softmax in place between them.
//!
//! Queries, keys and values are read where they lie and the result is written where it is wanted, so that nothing is
//! moved; factor and mask are the tail of the first product. A kernel that never stores the scores would do the products
//! without tiles, which costs more than the scores do at the few hundred tokens of an image.

use super::lower::{Args, Job, arg, float};
use crate::gpu::fault::GpuFault;
use crate::gpu::kernels::matmul::{self, Lie, MatMul};
use crate::gpu::kernels::product;
use crate::gpu::kernels::softmax::{self, Softmax};
use crate::gpu::memory::Block;
use crate::gpu::recorder::Recorder;
use crate::ops::attention::Attention;
use crate::ops::heads::{FACTOR, Heads, MASK, Strided, View};
use crate::ops::{broadcast, broadcast_strides, strides};
use crate::tensor::{Data, TensorInfo};

/// The jobs of one attention.
pub(super) struct Attended {
    scores: MatMul,
    softmax: Softmax,
    values: MatMul,
}

impl Attended {
    /// `extents` are those of the batch, queries, keys, size of a query and of a value.
    fn new(
        batch: &[usize],
        [queries, keys, size, v_size]: [usize; 4],
        [q, k, v, mask, out]: [Lie; 5],
        alpha: f32,
        masked: bool,
    ) -> Option<Self> {
        let words = product(batch).checked_mul(queries)?.checked_mul(keys)?;
        if batch.len() > 4 || out.columns != 1 || words == 0 || words > i32::MAX as usize {
            return None;
        }
        let steps = strides(&[batch, &[queries, keys]].concat());
        let between = Lie { origin: 0, batch: steps[..batch.len()].to_vec(), rows: keys, columns: 1 };
        let placed =
            |plain: MatMul, lies| MatMul { batch: batch.to_vec(), lies: Some(Box::new(lies)), ..plain };
        Some(Self {
            scores: MatMul {
                alpha,
                beta: f32::from(u8::from(masked)),
                ..placed(MatMul::plain(queries, keys, size), [q, k, mask, between.clone()])
            },
            softmax: Softmax { outer: words / keys, elements: keys, inner: 1, log: false },
            values: placed(MatMul::plain(queries, v_size, keys), [between, v, Lie::default(), out]),
        })
    }

    pub(super) fn record(
        &self,
        rec: &mut Recorder,
        [q, k, v]: [&Block; 3],
        mask: Option<&Block>,
        out: &Block,
    ) -> Result<(), GpuFault> {
        let scores = rec.take((self.softmax.outer * self.softmax.elements) as u64)?;
        matmul::record(rec, &self.scores, q, k, mask, &scores)?;
        softmax::record_in_place(rec, &self.softmax, &scores)?;
        matmul::record(rec, &self.values, &scores, v, None, out)
    }
}

/// Matrices along the last two axes.
fn matrices(Strided { origin, steps, .. }: &Strided) -> Option<Lie> {
    let [batch @ .., rows, columns] = &steps[..] else { return None };
    Some(Lie { origin: *origin, batch: batch.to_vec(), rows: *rows, columns: *columns })
}

/// A mask that is broadcast to scores of this shape.
fn mask_of(mask: Option<&[usize]>, scores: &[usize]) -> Option<Lie> {
    let Some(shape) = mask else { return Some(Lie::default()) };
    if broadcast(&[shape, scores]).ok()? != scores {
        return None;
    }
    let steps = broadcast_strides(shape, scores.len());
    matrices(&Strided { origin: 0, extents: scores.to_vec(), steps })
}

/// The number that input `at` holds, 1 where it is left out.
fn number(inputs: Args<'_, '_>, at: usize) -> Option<f32> {
    let Some(given) = arg(inputs, at) else { return Some(1.0) };
    match given.host?.data() {
        Data::F32(v) if v.len() == 1 => Some(v[0]),
        Data::F16(v) if v.len() == 1 => Some(v[0].to_f32()),
        _ => None,
    }
}

/// What an export has written as products and moves.
pub(super) fn heads(op: &Heads, inputs: Args<'_, '_>, outputs: &[TensorInfo]) -> Option<Job> {
    let seen = |at: usize| op.views[at].of(float(inputs, at)?).ok();
    let (q, k, v) = (seen(0)?, seen(1)?, seen(2)?);
    let ([batch @ .., queries, size], [batch_k @ .., size_k, keys], [batch_v @ .., keys_v, v_size]) =
        (&q.extents[..], &k.extents[..], &v.extents[..])
    else {
        return None;
    };
    // Batches that are repeated are left to the host; no export was seen to have them.
    if batch != batch_k || batch != batch_v || size != size_k || keys != keys_v {
        return None;
    }
    let masked = arg(inputs, MASK).is_some();
    let scores = [batch, &[*queries, *keys]].concat();
    let mask = mask_of(if masked { Some(float(inputs, MASK)?) } else { None }, &scores)?;
    let mut alpha = 1.0;
    for (i, divides) in op.divides.iter().enumerate() {
        let factor = number(inputs, FACTOR + i)?;
        alpha *= if *divides { 1.0 / factor } else { factor };
    }
    let out = placed_output(op, &[batch, &[*queries, *v_size]].concat(), &outputs.first()?.shape)?;
    let lies = [matrices(&q)?, matrices(&k)?, matrices(&v)?, mask, out];
    Attended::new(batch, [*queries, *keys, *size, *v_size], lies, alpha, masked)
        .map(|job| Job::Attention(job.into()))
}

/// Where rows of the product lie in a result whose axes are in the operator's order.
fn placed_output(op: &Heads, shape: &[usize], wanted: &[usize]) -> Option<Lie> {
    let rank = shape.len();
    let order = op.out.clone().unwrap_or_else(|| (0..rank).collect());
    let seen = View { part: None, order: Some(order.clone()) }.of(shape).ok()?;
    if seen.extents != wanted {
        return None;
    }
    let packed = strides(wanted);
    let mut steps = vec![0; rank];
    for (step, axis) in packed.iter().zip(order) {
        *steps.get_mut(axis)? = *step;
    }
    matrices(&Strided { origin: 0, extents: shape.to_vec(), steps })
}

/// ONNX's Attention without what only the host does: a past, limits, windows, scores as outputs.
pub(super) fn lower(op: &Attention, inputs: Args<'_, '_>, outputs: &[TensorInfo]) -> Option<Job> {
    let plain = !op.causal && op.softcap == 0.0 && op.window.0 < 0 && op.window.1 < 0 && outputs.len() == 1;
    if !plain || op.outputs > 1 || (4..7).any(|at| arg(inputs, at).is_some()) {
        return None;
    }
    let shape = op.shape(float(inputs, 0)?, float(inputs, 1)?, float(inputs, 2)?, None).ok()?;
    let ((heads, kv_heads), queries, keys, (size, v_size)) =
        (shape.heads, shape.queries, shape.keys.0, shape.size);
    let shared = heads.checked_div(kv_heads)?;
    let masked = arg(inputs, MASK).is_some();
    let mask = match masked {
        false => Lie::default(),
        true => {
            every_row_sees(inputs)?;
            let extents = float(inputs, MASK)?;
            if extents.last() != Some(&keys) {
                return None;
            }
            let Lie { batch, rows, columns, .. } =
                mask_of(Some(extents), &[shape.batch, heads, queries, keys])?;
            let [of_batch, of_head] = batch[..] else { return None };
            Lie { origin: 0, batch: vec![of_batch, of_head * shared, of_head], rows, columns }
        }
    };
    // [batch, heads, length, size], or [batch, length, heads, size] for inputs of three axes.
    let lie = |heads: usize, length: usize, size: usize, each: usize| {
        let (head, row) = if shape.four { (length * size, size) } else { (size, heads * size) };
        let group = heads / kv_heads * head;
        Lie { origin: 0, batch: vec![heads * length * size, group, each * head], rows: row, columns: 1 }
    };
    let k = lie(kv_heads, keys, size, 0);
    let lies = [
        lie(heads, queries, size, 1),
        Lie { rows: k.columns, columns: k.rows, ..k },
        lie(kv_heads, keys, v_size, 0),
        mask,
        lie(heads, queries, v_size, 1),
    ];
    let alpha = op.scale.unwrap_or(1.0 / (size as f32).sqrt());
    let batch = [shape.batch, kv_heads, shared];
    Attended::new(&batch, [queries, keys, size, v_size], lies, alpha, masked)
        .map(|job| Job::Attention(job.into()))
}

/// Where a query sees no key at all the operator gives zeros, and softmax would give what is no number: only masks that
/// are known not to do that are taken.
fn every_row_sees(inputs: Args<'_, '_>) -> Option<()> {
    let mask = arg(inputs, MASK)?.host?;
    let row = *mask.shape().last()?;
    let sees = match mask.data() {
        Data::F32(v) => row > 0 && v.chunks(row).all(|row| row.iter().any(|x| x.is_finite())),
        Data::F16(v) => row > 0 && v.chunks(row).all(|row| row.iter().any(|x| x.is_finite())),
        _ => false,
    };
    sees.then_some(())
}
