//! Element types as Rust types, and the ways through them that operators share.
//!
//! Half precision is computed in f32 and rounded once at the end of each operator, as onnxruntime's CPU does.

use std::fmt::Debug;

use half::{bf16, f16};

use super::{Kernel, OpError, broadcast_strides, walk};
use crate::tensor::{DType, Data, Tensor, elements};

/// The Rust type of a [`DType`].
pub trait Element: Copy + Default + PartialEq + PartialOrd + Debug + Send + Sync + 'static {
    /// Its name.
    const DTYPE: DType;
    /// Wraps elements.
    fn wrap(elements: Vec<Self>) -> Data;
    /// The elements, if they are of this type.
    fn of(data: &Data) -> Option<&[Self]>;
    /// As a 64-bit float; exact for all but large 64-bit integers.
    fn to_f64(self) -> f64;
}

macro_rules! element {
    ($t:ty, $d:ident, $to:expr) => {
        impl Element for $t {
            const DTYPE: DType = DType::$d;
            fn wrap(elements: Vec<Self>) -> Data {
                Data::$d(elements)
            }
            fn of(data: &Data) -> Option<&[Self]> {
                if let Data::$d(v) = data { Some(v) } else { None }
            }
            fn to_f64(self) -> f64 {
                #[allow(clippy::redundant_closure_call)]
                ($to)(self)
            }
        }
    };
}
element!(f32, F32, f64::from);
element!(f64, F64, |x| x);
element!(f16, F16, |x: f16| x.to_f64());
element!(bf16, BF16, |x: bf16| x.to_f64());
element!(i8, I8, f64::from);
element!(i16, I16, f64::from);
element!(i32, I32, f64::from);
element!(i64, I64, |x| x as f64);
element!(u8, U8, f64::from);
element!(u16, U16, f64::from);
element!(u32, U32, f64::from);
element!(u64, U64, |x| x as f64);
element!(bool, Bool, |x| f64::from(u8::from(x)));

/// Runs `$body` on the vector and wraps the vector that it gives in the same type.
#[macro_export]
macro_rules! same_dtype {
    ($data:expr, $v:ident => $body:expr) => {
        match $data {
            $crate::Data::F32($v) => $crate::Data::F32($body),
            $crate::Data::F64($v) => $crate::Data::F64($body),
            $crate::Data::F16($v) => $crate::Data::F16($body),
            $crate::Data::BF16($v) => $crate::Data::BF16($body),
            $crate::Data::I8($v) => $crate::Data::I8($body),
            $crate::Data::I16($v) => $crate::Data::I16($body),
            $crate::Data::I32($v) => $crate::Data::I32($body),
            $crate::Data::I64($v) => $crate::Data::I64($body),
            $crate::Data::U8($v) => $crate::Data::U8($body),
            $crate::Data::U16($v) => $crate::Data::U16($body),
            $crate::Data::U32($v) => $crate::Data::U32($body),
            $crate::Data::U64($v) => $crate::Data::U64($body),
            $crate::Data::Bool($v) => $crate::Data::Bool($body),
        }
    };
}

/// The elements of `tensor` as `T`; `what` names the tensor in the error.
pub fn slice<'a, T: Element>(tensor: &'a Tensor, what: &'static str) -> Result<&'a [T], OpError> {
    T::of(tensor.data()).ok_or(OpError::Type { what, got: tensor.dtype() })
}

/// A tensor of these elements.
pub fn tensor<T: Element>(shape: Vec<usize>, elements: Vec<T>) -> Result<Tensor, OpError> {
    Ok(Tensor::new(shape, T::wrap(elements))?)
}

/// The number of elements of a shape that is about to be allocated.
pub fn count(shape: &[usize]) -> Result<usize, OpError> {
    elements(shape).ok_or_else(|| OpError::TooLarge { shape: shape.to_vec() })
}

/// A number of any type as f64, for attributes that are given as tensors.
pub fn scalar(tensor: &Tensor, what: &'static str) -> Result<f64, OpError> {
    let value = crate::each_dtype!(tensor.data(), v => v.first().map(|x| x.to_f64()));
    value.ok_or_else(|| OpError::invalid(format!("{what} has no element")))
}

/// Half precision as f32.
pub fn widen(tensor: &Tensor) -> Option<Tensor> {
    let wide = match tensor.data() {
        Data::F16(v) => v.iter().map(|x| x.to_f32()).collect(),
        Data::BF16(v) => v.iter().map(|x| x.to_f32()).collect(),
        _ => return None,
    };
    Tensor::new(tensor.shape().to_vec(), Data::F32(wide)).ok()
}

/// An f32 tensor rounded to half precision; any other as it is.
pub fn narrow(tensor: Tensor, to: DType) -> Result<Tensor, OpError> {
    let shape = tensor.shape().to_vec();
    let data = match (tensor.into_data(), to) {
        (Data::F32(v), DType::F16) => Data::F16(v.iter().map(|&x| f16::from_f32(x)).collect()),
        (Data::F32(v), DType::BF16) => Data::BF16(v.iter().map(|&x| bf16::from_f32(x)).collect()),
        (data, _) => data,
    };
    Ok(Tensor::new(shape, data)?)
}

/// Where an input is of half precision: runs the operator in f32 and rounds the results. `None` where none is.
pub fn through_f32(kernel: &dyn Kernel, inputs: &[Option<&Tensor>]) -> Option<Result<Vec<Tensor>, OpError>> {
    let half = inputs.iter().flatten().map(|t| t.dtype()).find(|d| matches!(d, DType::F16 | DType::BF16))?;
    let wide: Vec<_> = inputs.iter().map(|i| i.and_then(widen)).collect();
    let inputs: Vec<_> = inputs.iter().zip(&wide).map(|(i, w)| w.as_ref().or(*i)).collect();
    Some(kernel.run(&inputs).and_then(|out| out.into_iter().map(|t| narrow(t, half)).collect()))
}

/// Leaves the function with the results in f32 where an input is of half precision.
macro_rules! halves_in_f32 {
    ($kernel:expr, $inputs:expr) => {
        if let Some(result) = $crate::ops::element::through_f32($kernel, $inputs) {
            return result;
        }
    };
}
pub(crate) use halves_in_f32;

/// Axes that lie behind one another in all operands, taken as one: fewer, longer loops.
fn collapse<const N: usize>(shape: &[usize], steps: [Vec<usize>; N]) -> (Vec<usize>, [Vec<usize>; N]) {
    let mut merged: Vec<usize> = Vec::with_capacity(shape.len());
    let mut kept: [Vec<usize>; N] = std::array::from_fn(|_| Vec::with_capacity(shape.len()));
    for i in (0..shape.len()).rev() {
        if shape[i] == 1 {
            continue;
        }
        let joins = match merged.last() {
            Some(&extent) => (0..N).all(|n| kept[n].last().is_some_and(|&s| steps[n][i] == s * extent)),
            None => false,
        };
        if let (true, Some(extent)) = (joins, merged.last_mut()) {
            *extent *= shape[i];
        } else {
            merged.push(shape[i]);
            for n in 0..N {
                kept[n].push(steps[n][i]);
            }
        }
    }
    merged.reverse();
    kept.iter_mut().for_each(|k| k.reverse());
    (merged, kept)
}

/// `f` of each pair, broadcast to `shape`.
pub fn zip<A: Element, B: Element, R>(
    (a, a_shape): (&[A], &[usize]),
    (b, b_shape): (&[B], &[usize]),
    shape: &[usize],
    f: impl Fn(A, B) -> R,
) -> Result<Vec<R>, OpError> {
    if a_shape == b_shape {
        return Ok(a.iter().zip(b).map(|(&a, &b)| f(a, b)).collect());
    }
    let mut out = Vec::with_capacity(count(shape)?);
    let rank = shape.len();
    let (shape, [sa, sb]) =
        collapse(shape, [broadcast_strides(a_shape, rank), broadcast_strides(b_shape, rank)]);
    let Some((&inner, outer)) = shape.split_last() else {
        // One element, or an empty tensor whose only extents were ones and zeros.
        out.extend(a.iter().zip(b).map(|(&a, &b)| f(a, b)));
        return Ok(out);
    };
    let (ia, ib) = (sa[outer.len()], sb[outer.len()]);
    walk(outer, &[&sa[..outer.len()], &sb[..outer.len()]], |[pa, pb]| match (ia, ib) {
        (1, 1) => out.extend(a[pa..pa + inner].iter().zip(&b[pb..pb + inner]).map(|(&a, &b)| f(a, b))),
        (1, 0) => {
            let b = b[pb];
            out.extend(a[pa..pa + inner].iter().map(|&a| f(a, b)));
        }
        (0, 1) => {
            let a = a[pa];
            out.extend(b[pb..pb + inner].iter().map(|&b| f(a, b)));
        }
        _ => out.extend((0..inner).map(|i| f(a[pa + i * ia], b[pb + i * ib]))),
    });
    Ok(out)
}

/// The elements repeated to `shape`, which [`super::broadcast`] gave.
pub fn spread<T: Element>(a: &[T], a_shape: &[usize], shape: &[usize]) -> Result<Vec<T>, OpError> {
    if a_shape == shape {
        return Ok(a.to_vec());
    }
    let mut out = Vec::with_capacity(count(shape)?);
    walk(shape, &[&broadcast_strides(a_shape, shape.len())], |[at]| out.push(a[at]));
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn broadcasting_repeats_along_ones_at_every_place() {
        let a: Vec<i32> = (0..6).collect();
        let add = |a_shape: &[usize], a: &[i32], b_shape: &[usize], b: &[i32], shape: &[usize]| {
            zip((a, a_shape), (b, b_shape), shape, |a, b| a * 10 + b).unwrap()
        };
        assert_eq!(add(&[2, 3], &a, &[3], &[1, 2, 3], &[2, 3]), [1, 12, 23, 31, 42, 53]);
        assert_eq!(add(&[2, 3], &a, &[2, 1], &[1, 2], &[2, 3]), [1, 11, 21, 32, 42, 52]);
        assert_eq!(add(&[], &[7], &[2, 2], &[1, 2, 3, 4], &[2, 2]), [71, 72, 73, 74]);
        assert_eq!(
            add(&[2, 1, 2], &a[..4], &[3, 1], &[1, 2, 3], &[2, 3, 2]),
            [1, 11, 2, 12, 3, 13, 21, 31, 22, 32, 23, 33]
        );
        assert!(add(&[0, 1], &[], &[1, 3], &[1, 2, 3], &[0, 3]).is_empty());
        assert_eq!(add(&[1, 1], &[4], &[1], &[5], &[1, 1]), [45]);
    }
}
