//! Attention (23 and later), RotaryEmbedding and RMSNormalization.
//!
//! One head at a time: two products of matrices with a softmax between them, so that the scores of one head are all
//! that is held unless the model asks for them. Masks are a sum of biases of 0 and -inf, as the operator's text has it.

use super::element::{count, halves_in_f32, slice, tensor};
use super::numbers::{floats, from_floats};
use super::{
    Attributes, Inferred, Kernel, Known, Op, OpError, axis, broadcast, broadcast_strides, ints, known,
    optional, required, walk,
};
use crate::cpu::{Matrix, gemm};
use crate::tensor::{Data, Tensor, TensorInfo};

/// softmax(Q · Kᵀ · scale + bias) · V, per head.
#[derive(Clone, Debug, PartialEq)]
pub struct Attention {
    /// Queries see no later keys.
    pub causal: bool,
    /// Heads of queries, for inputs of three axes.
    pub q_heads: Option<usize>,
    /// Heads of keys and values, for inputs of three axes.
    pub kv_heads: Option<usize>,
    /// Factor of the scores; else 1 / √(size of a head).
    pub scale: Option<f32>,
    /// Scores are limited to ± this, smoothly; 0 for no limit.
    pub softcap: f32,
    /// Keys before and after the query's own that it sees; negative for all.
    pub window: (i64, i64),
    /// What the fourth output holds: 0 scores, 1 limited, 2 with bias, 3 after the softmax.
    pub mode: i64,
    /// Outputs that are wanted.
    pub outputs: usize,
}

/// Turns pairs of elements by angles that depend on their place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RotaryEmbedding {
    /// Pairs are neighbours rather than halves.
    pub interleaved: bool,
    /// Heads, for an input of three axes; 0 if not given.
    pub heads: usize,
    /// Elements of a head that are turned; 0 for all.
    pub dimension: usize,
}

/// x / √(mean of squares + epsilon) · scale.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RmsNorm {
    /// First of the axes over which the mean is taken.
    pub axis: i64,
    /// Keeps the root from zero.
    pub epsilon: f32,
}

fn natural(a: &Attributes<'_>, name: &str) -> Result<Option<usize>, OpError> {
    let fault = |value| OpError::invalid(format!("{name} is {value}"));
    a.maybe_int(name)?.map(|value| usize::try_from(value).map_err(|_| fault(value))).transpose()
}

pub fn parse_attention(a: &Attributes<'_>) -> Result<Op, OpError> {
    let heads = |name| Ok::<_, OpError>(natural(a, name)?.filter(|&heads| heads > 0));
    Ok(Op::Attention(Attention {
        causal: a.flag("is_causal", false)?,
        q_heads: heads("q_num_heads")?,
        kv_heads: heads("kv_num_heads")?,
        scale: a.maybe_float("scale")?,
        softcap: a.float("softcap", 0.0)?,
        window: (a.int("left_window_size", -1)?, a.int("right_window_size", -1)?),
        mode: a.int("qk_matmul_output_mode", 0)?,
        outputs: a.outputs(),
    }))
}

pub fn parse_rotary(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::RotaryEmbedding(RotaryEmbedding {
        interleaved: a.flag("interleaved", false)?,
        heads: natural(a, "num_heads")?.unwrap_or(0),
        dimension: natural(a, "rotary_embedding_dim")?.unwrap_or(0),
    }))
}

pub fn parse_rms_norm(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::RmsNorm(RmsNorm { axis: a.int("axis", -1)?, epsilon: a.float("epsilon", 1e-5)? }))
}

/// Extents of an attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    /// Batch.
    pub batch: usize,
    /// Heads of queries, and of keys and values.
    pub heads: (usize, usize),
    /// Queries.
    pub queries: usize,
    /// Keys that come in, and those that were there before.
    pub keys: (usize, usize),
    /// Size of a head of queries and keys, and of values.
    pub size: (usize, usize),
    /// Whether heads are the second axis.
    pub four: bool,
}

impl AttentionShape {
    const fn total(&self) -> usize {
        self.keys.0 + self.keys.1
    }

    fn shapes(&self) -> [Vec<usize>; 4] {
        let Self { batch, heads: (heads, kv_heads), queries, size: (size, v_size), four, .. } = *self;
        let total = self.total();
        let y = if four { vec![batch, heads, queries, v_size] } else { vec![batch, queries, heads * v_size] };
        let cache = |size| vec![batch, kv_heads, total, size];
        [y, cache(size), cache(v_size), vec![batch, heads, queries, total]]
    }
}

/// Heads of a (batch, heads, length, size), in that order whatever the input's.
fn heads_first(values: &[f32], four: bool, [batch, heads, length, size]: [usize; 4]) -> Vec<f32> {
    if four {
        return values.to_vec();
    }
    let mut out = Vec::with_capacity(values.len());
    walk(&[batch, heads, length], &[&[length * heads * size, size, heads * size]], |[at]| {
        out.extend_from_slice(&values[at..at + size]);
    });
    out
}

impl Attention {
    /// The extents for inputs of these shapes.
    ///
    /// # Errors
    /// Shapes that do not go together.
    pub fn shape(
        &self,
        q: &[usize],
        k: &[usize],
        v: &[usize],
        past: Option<(&[usize], &[usize])>,
    ) -> Result<AttentionShape, OpError> {
        let fault =
            || OpError::invalid(format!("queries {q:?}, keys {k:?} and values {v:?} do not go together"));
        let split = |s: &[usize], heads: Option<usize>| match *s {
            [batch, heads, length, size] => Ok((batch, heads, length, size)),
            [batch, length, hidden] => {
                let heads = heads.ok_or_else(|| OpError::invalid("three axes and no number of heads"))?;
                if hidden % heads == 0 { Ok((batch, heads, length, hidden / heads)) } else { Err(fault()) }
            }
            _ => Err(fault()),
        };
        let (batch, heads, queries, size) = split(q, self.q_heads)?;
        let (batch_k, heads_k, keys, size_k) = split(k, self.kv_heads)?;
        let (batch_v, heads_v, keys_v, v_size) = split(v, self.kv_heads)?;
        let same = q.len() == k.len() && q.len() == v.len() && batch == batch_k && batch == batch_v;
        if !same
            || heads_k != heads_v
            || keys != keys_v
            || size != size_k
            || heads_k == 0
            || heads % heads_k != 0
        {
            return Err(fault());
        }
        let before = match past {
            None => 0,
            Some((&[b, h, before, s], &[b2, h2, before2, s2]))
                if (b, h, s) == (batch, heads_k, size)
                    && (b2, h2, s2) == (batch, heads_k, v_size)
                    && before == before2 =>
            {
                before
            }
            Some((k, v)) => {
                return Err(OpError::invalid(format!("past keys {k:?} and values {v:?} do not fit")));
            }
        };
        let four = q.len() == 4;
        Ok(AttentionShape {
            batch,
            heads: (heads, heads_k),
            queries,
            keys: (keys, before),
            size: (size, v_size),
            four,
        })
    }
}

/// What is added to the scores of one query.
struct Bias {
    /// Elements, shape broadcast to (batch, heads, queries), steps of those, and length of the last axis.
    mask: Option<(Vec<f32>, [usize; 3], usize)>,
    causal: bool,
    window: (i64, i64),
    /// Per batch: keys before the first query.
    before: Vec<i64>,
    /// Per batch: keys that are no padding.
    valid: Option<Vec<i64>>,
}

impl Bias {
    fn row(&self, [batch, head, query]: [usize; 3], row: &mut [f32]) {
        const OUT: f32 = f32::NEG_INFINITY;
        row.fill(0.0);
        if let Some((mask, steps, length)) = &self.mask {
            let at = batch * steps[0] + head * steps[1] + query * steps[2];
            for (j, value) in row.iter_mut().enumerate() {
                *value = if j < *length { mask[at + j] } else { OUT };
            }
        }
        let place = query as i64 + self.before[batch];
        for (j, value) in row.iter_mut().enumerate() {
            let behind = place - j as i64;
            let hidden = (self.causal && behind < 0)
                || (self.window.0 >= 0 && behind > self.window.0)
                || (self.window.1 >= 0 && -behind > self.window.1)
                || self.valid.as_ref().is_some_and(|valid| j as i64 >= valid[batch]);
            if hidden {
                *value += OUT;
            }
        }
    }
}

/// exp(x - max) / sum; all zero where nothing is attended.
fn softmax(row: &mut [f32]) {
    let most = row.iter().fold(f32::NEG_INFINITY, |most, &x| if x > most || x.is_nan() { x } else { most });
    let most = if most == f32::NEG_INFINITY { 0.0 } else { most };
    let mut sum = 0.0;
    for x in row.iter_mut() {
        *x = (*x - most).exp();
        sum += *x;
    }
    let sum = if sum == 0.0 { 1.0 } else { sum };
    row.iter_mut().for_each(|x| *x /= sum);
}

impl Attention {
    fn bias(&self, inputs: &[Option<&Tensor>], shape: &AttentionShape) -> Result<Bias, OpError> {
        let AttentionShape { batch, heads, queries, keys, .. } = *shape;
        let total = shape.total();
        let mask = match optional(inputs, 3) {
            None => None,
            Some(mask) => {
                let values = match mask.data() {
                    Data::Bool(v) => v.iter().map(|&yes| if yes { 0.0 } else { f32::NEG_INFINITY }).collect(),
                    _ => slice::<f32>(mask, "the mask")?.to_vec(),
                };
                let (&length, outer) =
                    mask.shape().split_last().ok_or_else(|| OpError::invalid("a mask without axes"))?;
                let fault = || OpError::invalid(format!("a mask {:?} does not fit the scores", mask.shape()));
                if length > total
                    || outer.len() > 3
                    || broadcast(&[outer, &[batch, heads.0, queries]])? != [batch, heads.0, queries]
                {
                    return Err(fault());
                }
                let steps = broadcast_strides(outer, 3);
                Some((values, [steps[0] * length, steps[1] * length, steps[2] * length], length))
            }
        };
        let valid = optional(inputs, 6).map(ints).transpose()?;
        if valid.as_ref().is_some_and(|valid| valid.len() != batch) {
            return Err(OpError::invalid("nonpad_kv_seqlen has not one element per batch"));
        }
        let before = match &valid {
            Some(valid) if keys.1 == 0 => {
                valid.iter().map(|&valid| valid.saturating_sub(queries as i64)).collect()
            }
            _ => vec![keys.1 as i64; batch],
        };
        Ok(Bias { mask, causal: self.causal, window: self.window, before, valid })
    }
}

impl Kernel for Attention {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let [q, k, v] = [known(inputs, 0)?.info, known(inputs, 1)?.info, known(inputs, 2)?.info];
        let past = |at: usize| inputs.get(at).copied().flatten().map(|past| &past.info.shape[..]);
        let shape = self.shape(&q.shape, &k.shape, &v.shape, past(4).zip(past(5)))?;
        let types = [q.dtype, k.dtype, v.dtype, q.dtype];
        let all = shape.shapes().into_iter().zip(types).map(|(shape, dtype)| TensorInfo { dtype, shape });
        Ok(Some(all.take(self.outputs.max(1)).collect()))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let [q, k, v] = [required(inputs, 0)?, required(inputs, 1)?, required(inputs, 2)?];
        let past = optional(inputs, 4).zip(optional(inputs, 5));
        let shape = self.shape(q.shape(), k.shape(), v.shape(), past.map(|(k, v)| (k.shape(), v.shape())))?;
        let AttentionShape {
            batch,
            heads: (heads, kv_heads),
            queries,
            keys: (keys, before),
            size: (size, v_size),
            four,
        } = shape;
        let total = shape.total();
        let bias = self.bias(inputs, &shape)?;

        let cache = |new: &Tensor, old: Option<&Tensor>, size: usize| -> Result<Vec<f32>, OpError> {
            let new = heads_first(slice(new, "keys and values")?, four, [batch, kv_heads, keys, size]);
            let Some(old) = old else { return Ok(new) };
            let old = slice::<f32>(old, "past keys and values")?;
            let mut all = Vec::with_capacity(old.len() + new.len());
            for head in 0..batch * kv_heads {
                all.extend_from_slice(&old[head * before * size..(head + 1) * before * size]);
                all.extend_from_slice(&new[head * keys * size..(head + 1) * keys * size]);
            }
            Ok(all)
        };
        let all_keys = cache(k, past.map(|(k, _)| k), size)?;
        let all_values = cache(v, past.map(|(_, v)| v), v_size)?;
        // Half of the scale on either side, as the operator's text has it: the products stay smaller.
        let scale = self.scale.unwrap_or(1.0 / (size as f32).sqrt()).sqrt();
        let scaled = |values: &[f32]| values.iter().map(|x| x * scale).collect::<Vec<_>>();
        let q = scaled(&heads_first(slice(q, "queries")?, four, [batch, heads, queries, size]));
        let scaled_keys = scaled(&all_keys);

        let [y_shape, key_shape, value_shape, score_shape] = shape.shapes();
        let mut y = vec![0.0f32; count(&y_shape)?];
        let mut kept: Vec<f32> = Vec::with_capacity(if self.outputs > 3 { count(&score_shape)? } else { 0 });
        let mut row_bias = vec![0.0; total];
        for (b, h) in (0..batch).flat_map(|b| (0..heads).map(move |h| (b, h))) {
            let kv = b * kv_heads + h / (heads / kv_heads);
            let at = (b * heads + h) * queries * size;
            let left =
                Matrix { data: &q[at..at + queries * size], rows: queries, columns: size, transposed: false };
            let keys = &scaled_keys[kv * total * size..(kv + 1) * total * size];
            let mut scores = gemm(left, Matrix { data: keys, rows: size, columns: total, transposed: true })?;
            let keep = |mode: i64, scores: &[f32], kept: &mut Vec<f32>| {
                if self.outputs > 3 && self.mode == mode {
                    kept.extend_from_slice(scores);
                }
            };
            keep(0, &scores, &mut kept);
            if self.softcap > 0.0 {
                scores.iter_mut().for_each(|x| *x = (*x / self.softcap).tanh() * self.softcap);
            }
            keep(1, &scores, &mut kept);
            for (i, row) in scores.chunks_exact_mut(total.max(1)).enumerate() {
                bias.row([b, h, i], &mut row_bias);
                row.iter_mut().zip(&row_bias).for_each(|(x, bias)| *x += bias);
                if self.mode == 2 {
                    keep(2, row, &mut kept);
                }
                // By the bias and not by the scores, which may not be numbers.
                if row_bias.iter().all(|&bias| bias == f32::NEG_INFINITY) {
                    row.fill(0.0);
                } else {
                    softmax(row);
                }
            }
            keep(3, &scores, &mut kept);
            let values = &all_values[kv * total * v_size..(kv + 1) * total * v_size];
            let left = Matrix { data: &scores, rows: queries, columns: total, transposed: false };
            let out = gemm(left, Matrix { data: values, rows: total, columns: v_size, transposed: false })?;
            let (from, step) = if four {
                ((b * heads + h) * queries * v_size, v_size)
            } else {
                (b * queries * heads * v_size + h * v_size, heads * v_size)
            };
            for (i, row) in out.chunks_exact(v_size.max(1)).enumerate() {
                y[from + i * step..from + i * step + v_size].copy_from_slice(row);
            }
        }
        if self.outputs > 3 && !(0..=3).contains(&self.mode) {
            return Err(OpError::invalid(format!("qk_matmul_output_mode is {}", self.mode)));
        }
        let mut out = vec![tensor(y_shape, y)?];
        if self.outputs > 1 {
            out.push(tensor(key_shape, all_keys)?);
        }
        if self.outputs > 2 {
            out.push(tensor(value_shape, all_values)?);
        }
        if self.outputs > 3 {
            out.push(tensor(score_shape, kept)?);
        }
        Ok(out)
    }
}

impl Kernel for RotaryEmbedding {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        Ok(Some(vec![known(inputs, 0)?.info.clone()]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let (x, cos, sin) = (required(inputs, 0)?, required(inputs, 1)?, required(inputs, 2)?);
        // Batch, length, heads and size, and the steps of the first three.
        let (shape, steps) = match *x.shape() {
            [batch, heads, length, size] => {
                ([batch, length, heads, size], [heads * length * size, size, length * size])
            }
            [batch, length, hidden] if self.heads > 0 && hidden % self.heads == 0 => (
                [batch, length, self.heads, hidden / self.heads],
                [length * hidden, hidden, hidden / self.heads],
            ),
            _ => {
                return Err(OpError::invalid(format!(
                    "{:?} in {} heads cannot be turned",
                    x.shape(),
                    self.heads
                )));
            }
        };
        let [batch, length, heads, size] = shape;
        let turned = if self.dimension == 0 { size } else { self.dimension };
        let half = turned / 2;
        if turned > size || turned % 2 != 0 || cos.shape() != sin.shape() || cos.shape().last() != Some(&half)
        {
            return Err(OpError::invalid(format!(
                "angles {:?} do not fit {turned} of {size} elements",
                cos.shape()
            )));
        }
        let places = optional(inputs, 3).map(ints).transpose()?;
        let rows = cos.data().len().checked_div(half).unwrap_or(0);
        let row = |b: usize, s: usize| -> Result<usize, OpError> {
            let row = match &places {
                None => Some(b * length + s),
                Some(places) => places.get(b * length + s).and_then(|&place| usize::try_from(place).ok()),
            };
            row.filter(|&row| row < rows || half == 0)
                .ok_or_else(|| OpError::invalid("there are no angles for a place"))
        };
        let (cos, sin) = (slice::<f32>(cos, "the cosines")?, slice::<f32>(sin, "the sines")?);
        let values = slice::<f32>(x, "the input")?;
        let mut out = values.to_vec();
        for (b, s) in (0..batch).flat_map(|b| (0..length).map(move |s| (b, s))) {
            let angles = row(b, s)? * half;
            for h in 0..heads {
                let at = b * steps[0] + s * steps[1] + h * steps[2];
                for i in 0..half {
                    let (first, second) = if self.interleaved { (2 * i, 2 * i + 1) } else { (i, i + half) };
                    let (cos, sin) = (cos[angles + i], sin[angles + i]);
                    let (a, c) = (values[at + first], values[at + second]);
                    out[at + first] = cos * a - sin * c;
                    out[at + second] = sin * a + cos * c;
                }
            }
        }
        Ok(vec![tensor(x.shape().to_vec(), out)?])
    }
}

impl Kernel for RmsNorm {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (x, scale) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        axis(self.axis, x.shape.len())?;
        // The result has the scale's type (T and V differ only where x is normalized in another precision).
        Ok(Some(vec![TensorInfo { dtype: scale.dtype, shape: x.shape.clone() }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (x, scale) = (required(inputs, 0)?, required(inputs, 1)?);
        let at = axis(self.axis, x.shape().len())?;
        if broadcast(&[x.shape(), scale.shape()])? != x.shape() {
            return Err(OpError::Broadcast { shapes: vec![x.shape().to_vec(), scale.shape().to_vec()] });
        }
        let inner = count(&x.shape()[at..])?.max(1);
        let mut values = floats(x, "the input")?;
        for row in values.chunks_exact_mut(inner) {
            let mean = row.iter().map(|x| x * x).sum::<f64>() / inner as f64;
            let factor = 1.0 / (mean + f64::from(self.epsilon)).sqrt();
            row.iter_mut().for_each(|x| *x *= factor);
        }
        let factors = floats(scale, "the scale")?;
        let mut i = 0;
        walk(x.shape(), &[&broadcast_strides(scale.shape(), x.shape().len())], |[at]| {
            values[i] *= factors[at];
            i += 1;
        });
        Ok(vec![from_floats(x.shape().to_vec(), values, scale.dtype())?])
    }
}
