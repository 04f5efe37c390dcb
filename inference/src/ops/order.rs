//! TopK, NonMaxSuppression, Unique, TensorScatter and CumProd: what sorts, selects or runs along an axis.
//!
//! Sorting needs a total order, which floats lack: a value that is not a number stands above all others here, as in
//! numpy, so a sort can neither fail nor depend on the order in which it compares.

use std::cmp::Ordering;

use super::element::{Element, count, tensor};
use super::numbers::{floats, from_floats, from_integers, integers};
use super::{
    Attributes, Inferred, Kernel, Known, Op, OpError, Parameter, axis, ints, known, optional, parameter,
    required,
};
use crate::same_dtype;
use crate::tensor::{DType, Data, Tensor, TensorInfo};

/// The k largest or smallest elements along an axis, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopK {
    axis: i64,
    largest: bool,
    /// An attribute before version 10, then input 1.
    k: Option<i64>,
}

/// Boxes of highest score that do not overlap with a better one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NonMaxSuppression {
    /// Boxes are middle and size rather than two corners.
    centred: bool,
}

/// Each value or slice once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unique {
    axis: Option<i64>,
    sorted: bool,
    outputs: usize,
}

/// Writes new entries into a cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TensorScatter {
    axis: i64,
    circular: bool,
}

/// Products from the beginning to each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CumProd {
    exclusive: bool,
    reverse: bool,
}

pub fn parse_top_k(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(TopK { axis: a.int("axis", -1)?, largest: a.flag("largest", true)?, k: a.maybe_int("k")? }))
}

pub fn parse_non_max_suppression(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(NonMaxSuppression { centred: a.flag("center_point_box", false)? }))
}

pub fn parse_unique(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Unique {
        axis: a.maybe_int("axis")?,
        sorted: a.flag("sorted", true)?,
        outputs: a.outputs().clamp(1, 4),
    }))
}

pub fn parse_tensor_scatter(a: &Attributes<'_>) -> Result<Op, OpError> {
    let circular = match a.text("mode", "linear")? {
        "linear" => false,
        "circular" => true,
        other => return Err(OpError::invalid(format!("mode is {other:?}"))),
    };
    Ok(Op::host(TensorScatter { axis: a.int("axis", -2)?, circular }))
}

pub fn parse_cum_prod(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(CumProd { exclusive: a.flag("exclusive", false)?, reverse: a.flag("reverse", false)? }))
}

/// A total order: what is not a number comes last.
fn order<T: Element>(a: &T, b: &T) -> Ordering {
    #[allow(clippy::eq_op, reason = "only what is not a number differs from itself")]
    let odd = |x: &T| x != x;
    a.partial_cmp(b).unwrap_or_else(|| odd(a).cmp(&odd(b)))
}

/// Elements before, along and behind an axis.
fn around(shape: &[usize], at: usize) -> Result<[usize; 3], OpError> {
    Ok([count(&shape[..at])?, shape[at], count(&shape[at + 1..])?])
}

impl TopK {
    fn shape(&self, x: &[usize], k: i64) -> Result<(usize, Vec<usize>), OpError> {
        let at = axis(self.axis, x.len())?;
        let k = usize::try_from(k).ok().filter(|&k| k <= x[at]);
        let k = k.ok_or_else(|| {
            OpError::invalid(format!("more elements than the {} of the axis are asked for", x[at]))
        })?;
        let mut shape = x.to_vec();
        shape[at] = k;
        Ok((at, shape))
    }
}

impl Kernel for TopK {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let x = known(inputs, 0)?.info;
        let k = match (self.k, parameter(inputs, 1)?) {
            (Some(k), _) => k,
            (None, Parameter::Ints(k)) if k.len() == 1 => k[0],
            (None, Parameter::Unknown) => return Ok(None),
            _ => return Err(OpError::invalid("k is not one number")),
        };
        let (_, shape) = self.shape(&x.shape, k)?;
        Ok(Some(vec![
            TensorInfo { dtype: x.dtype, shape: shape.clone() },
            TensorInfo { dtype: DType::I64, shape },
        ]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let k = match self.k {
            Some(k) => k,
            None => {
                *ints(required(inputs, 1)?)?.first().ok_or_else(|| OpError::invalid("k has no element"))?
            }
        };
        let (at, shape) = self.shape(x.shape(), k)?;
        let [outer, extent, inner] = around(x.shape(), at)?;
        let k = shape[at];
        let mut indices = vec![0i64; count(&shape)?];
        let data = same_dtype!(x.data(), v => {
            let mut out = vec![Default::default(); indices.len()];
            let mut places: Vec<usize> = Vec::with_capacity(extent);
            for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
                let of = |place: usize| &v[(o * extent + place) * inner + i];
                places.clear();
                places.extend(0..extent);
                // Of equal values, the first comes first.
                places.sort_unstable_by(|&a, &b| {
                    let by_value = order(of(a), of(b));
                    (if self.largest { by_value.reverse() } else { by_value }).then(a.cmp(&b))
                });
                for (rank, &place) in places.iter().take(k).enumerate() {
                    let to = (o * k + rank) * inner + i;
                    out[to] = *of(place);
                    indices[to] = place as i64;
                }
            }
            out
        });
        Ok(vec![Tensor::new(shape.clone(), data)?, tensor(shape, indices)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}

impl NonMaxSuppression {
    /// Top, left, bottom and right.
    fn corners(&self, b: &[f64]) -> [f64; 4] {
        if self.centred {
            [b[1] - b[3] / 2.0, b[0] - b[2] / 2.0, b[1] + b[3] / 2.0, b[0] + b[2] / 2.0]
        } else {
            [b[0].min(b[2]), b[1].min(b[3]), b[0].max(b[2]), b[1].max(b[3])]
        }
    }
}

/// Intersection over union.
fn overlap(a: [f64; 4], b: [f64; 4]) -> f64 {
    let area = |b: [f64; 4]| (b[2] - b[0]) * (b[3] - b[1]);
    let (height, width) = (a[2].min(b[2]) - a[0].max(b[0]), a[3].min(b[3]) - a[1].max(b[1]));
    if height <= 0.0 || width <= 0.0 || area(a) <= 0.0 || area(b) <= 0.0 {
        return 0.0;
    }
    let common = height * width;
    let all = area(a) + area(b) - common;
    if all > 0.0 { common / all } else { 0.0 }
}

impl Kernel for NonMaxSuppression {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        known(inputs, 0)?;
        known(inputs, 1)?;
        Ok(None)
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (boxes, scores) = (required(inputs, 0)?, required(inputs, 1)?);
        let (&[batch, many, 4], &[batch_s, classes, many_s]) = (boxes.shape(), scores.shape()) else {
            return Err(OpError::invalid(format!(
                "{:?} and {:?} are no boxes and scores",
                boxes.shape(),
                scores.shape()
            )));
        };
        if batch != batch_s || many != many_s {
            return Err(OpError::invalid(format!("{many} boxes have {many_s} scores")));
        }
        let limit =
            optional(inputs, 2).map(ints).transpose()?.and_then(|v| v.first().copied()).unwrap_or(0).max(0)
                as usize;
        let number = |at: usize| -> Result<Option<f64>, OpError> {
            let tensor = optional(inputs, at).map(|t| floats(t, "a threshold")).transpose()?;
            Ok(tensor.and_then(|v| v.first().copied()))
        };
        let (most, least) = (number(3)?.unwrap_or(0.0), number(4)?);
        let (boxes, scores) = (floats(boxes, "the boxes")?, floats(scores, "the scores")?);
        let mut out: Vec<i64> = Vec::new();
        for (b, class) in (0..batch).flat_map(|b| (0..classes).map(move |c| (b, c))) {
            let scores = &scores[(b * classes + class) * many..][..many];
            let corners = |i: usize| self.corners(&boxes[(b * many + i) * 4..][..4]);
            let mut places: Vec<usize> =
                (0..many).filter(|&i| least.is_none_or(|least| scores[i] > least)).collect();
            places.sort_unstable_by(|&i, &j| order(&scores[j], &scores[i]).then(i.cmp(&j)));
            let mut chosen: Vec<usize> = Vec::new();
            for i in places {
                if chosen.len() >= limit {
                    break;
                }
                if chosen.iter().all(|&j| overlap(corners(i), corners(j)) <= most) {
                    chosen.push(i);
                    out.extend([b as i64, class as i64, i as i64]);
                }
            }
        }
        Ok(vec![tensor(vec![out.len() / 3, 3], out)?])
    }
}

impl Kernel for Unique {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let x = known(inputs, 0)?.info;
        self.axis.map(|at| axis(at, x.shape.len())).transpose()?;
        Ok(None)
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let at = self.axis.map(|at| axis(at, x.shape().len())).transpose()?;
        let [outer, extent, inner] = match at {
            Some(at) => around(x.shape(), at)?,
            None => [1, x.data().len(), 1],
        };
        // First place, entry of the result of each place, and number of each entry.
        let mut first: Vec<usize> = Vec::new();
        let mut entry = vec![0usize; extent];
        let mut counts: Vec<i64> = Vec::new();
        let data = same_dtype!(x.data(), v => {
            let slice = |place: usize| (0..outer).flat_map(move |o| (0..inner).map(move |i| (o * extent + place) * inner + i));
            let compare = |&a: &usize, &b: &usize| {
                slice(a).zip(slice(b)).map(|(a, b)| order(&v[a], &v[b])).find(|o| o.is_ne()).unwrap_or(Ordering::Equal)
            };
            let mut places: Vec<usize> = (0..extent).collect();
            places.sort_by(compare);
            for (i, &place) in places.iter().enumerate() {
                if i == 0 || compare(&places[i - 1], &place).is_ne() {
                    first.push(place);
                    counts.push(0);
                }
                entry[place] = first.len() - 1;
                counts[first.len() - 1] += 1;
            }
            if !self.sorted {
                // In the order in which they come up.
                let mut by_place: Vec<usize> = (0..first.len()).collect();
                by_place.sort_unstable_by_key(|&e| first[e]);
                let mut renamed = vec![0; first.len()];
                by_place.iter().enumerate().for_each(|(new, &old)| renamed[old] = new);
                entry.iter_mut().for_each(|e| *e = renamed[*e]);
                counts = by_place.iter().map(|&e| counts[e]).collect();
                first = by_place.iter().map(|&e| first[e]).collect();
            }
            let mut out = Vec::with_capacity(outer * first.len() * inner);
            for o in 0..outer {
                for &place in &first {
                    let at = (o * extent + place) * inner;
                    out.extend_from_slice(&v[at..at + inner]);
                }
            }
            out
        });
        let mut shape = match at {
            Some(_) => x.shape().to_vec(),
            None => vec![0],
        };
        shape[at.unwrap_or(0)] = first.len();
        let wide = |v: &[usize]| v.iter().map(|&i| i as i64).collect::<Vec<_>>();
        let mut all = vec![
            Tensor::new(shape, data)?,
            tensor(vec![first.len()], wide(&first))?,
            tensor(vec![extent], wide(&entry))?,
            tensor(vec![counts.len()], counts)?,
        ];
        all.truncate(self.outputs);
        Ok(all)
    }
}

impl Kernel for TensorScatter {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        Ok(Some(vec![known(inputs, 0)?.info.clone()]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (cache, update) = (required(inputs, 0)?, required(inputs, 1)?);
        let at = axis(self.axis, cache.shape().len())?;
        let mut like = update.shape().to_vec();
        let fault = || {
            OpError::invalid(format!(
                "an update {:?} does not fit a cache {:?}",
                update.shape(),
                cache.shape()
            ))
        };
        let length = *like.get(at).ok_or_else(fault)?;
        like[at] = cache.shape()[at];
        if at == 0 || like != cache.shape() || cache.dtype() != update.dtype() {
            return Err(fault());
        }
        let batch = cache.shape()[0];
        let [outer, extent, inner] = around(cache.shape(), at)?;
        let places = match optional(inputs, 2) {
            Some(places) => integers(places, "the places")?,
            None => vec![0; batch],
        };
        if places.len() != batch {
            return Err(OpError::invalid(format!("{} places for a batch of {batch}", places.len())));
        }
        // Where entry `i` of a sample goes.
        let to = |o: usize, i: usize| -> Result<usize, OpError> {
            let place = places[o / (outer / batch.max(1)).max(1)];
            let place = usize::try_from(place).ok().and_then(|place| place.checked_add(i));
            let place = place.map(|place| if self.circular && extent > 0 { place % extent } else { place });
            place
                .filter(|&place| place < extent)
                .ok_or_else(|| OpError::invalid("an update ends behind the cache"))
        };
        let mut moves = Vec::new();
        for (o, i) in (0..outer).flat_map(|o| (0..length).map(move |i| (o, i))) {
            moves.push(((o * length + i) * inner, (o * extent + to(o, i)?) * inner));
        }
        macro_rules! write {
            ($($d:ident)*) => {
                match (cache.data(), update.data()) {
                    $((Data::$d(cache), Data::$d(update)) => {
                        let mut out = cache.clone();
                        for (from, to) in moves {
                            out[to..to + inner].copy_from_slice(&update[from..from + inner]);
                        }
                        Data::$d(out)
                    })*
                    _ => return Err(fault()),
                }
            };
        }
        let data = write!(F32 F64 F16 BF16 I8 I16 I32 I64 U8 U16 U32 U64 Bool);
        Ok(vec![Tensor::new(cache.shape().to_vec(), data)?])
    }
}

impl CumProd {
    fn along<T: Copy>(
        &self,
        values: &mut [T],
        [outer, extent, inner]: [usize; 3],
        one: T,
        times: impl Fn(T, T) -> T,
    ) {
        for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
            let mut product = one;
            for step in 0..extent {
                let k = if self.reverse { extent - 1 - step } else { step };
                let x = &mut values[(o * extent + k) * inner + i];
                let next = times(product, *x);
                *x = if self.exclusive { product } else { next };
                product = next;
            }
        }
    }
}

impl Kernel for CumProd {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        Ok(Some(vec![known(inputs, 0)?.info.clone()]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let at = *ints(required(inputs, 1)?)?
            .first()
            .ok_or_else(|| OpError::invalid("the axis has no element"))?;
        let sizes = around(x.shape(), axis(at, x.shape().len())?)?;
        let shape = x.shape().to_vec();
        Ok(vec![match x.dtype() {
            DType::F32 | DType::F64 | DType::F16 | DType::BF16 => {
                let mut values = floats(x, "the input")?;
                self.along(&mut values, sizes, 1.0, |a, b| a * b);
                from_floats(shape, values, x.dtype())?
            }
            _ => {
                let mut values = integers(x, "the input")?;
                self.along(&mut values, sizes, 1, i64::wrapping_mul);
                from_integers(shape, values, x.dtype())?
            }
        }])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_number_sorts_last_and_breaks_nothing() {
        let mut values = [2.0, f32::NAN, -1.0, f32::INFINITY, f32::NAN, 0.0];
        values.sort_by(order);
        assert_eq!(values[..4], [-1.0, 0.0, 2.0, f32::INFINITY]);
        assert!(values[4].is_nan() && values[5].is_nan());
    }

    #[test]
    fn boxes_overlap_by_area() {
        assert_eq!(overlap([0.0, 0.0, 2.0, 2.0], [0.0, 1.0, 2.0, 3.0]), 1.0 / 3.0);
        assert_eq!(overlap([0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 2.0, 2.0]), 0.0);
        assert_eq!(overlap([0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 1.0, 1.0]), 0.0);
    }
}
