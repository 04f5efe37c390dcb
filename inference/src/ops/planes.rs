//! Planes out of tensors that lie one behind the other: what a plan in slabs gives the next layer, and what it puts
//! together at the end.
//!
//! No operator of ONNX: a concatenation and a slice in one, so that only what is wanted is copied.

use crate::ops::element::{Element, slice, tensor};
use crate::ops::layout::around;
use crate::ops::{Inferred, Kernel, Known, OpError, known, required};
use crate::same_dtype;
use crate::tensor::{Data, Tensor, TensorInfo};

/// Elements `first..first + count` along an axis of the inputs, as if they were one tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planes {
    /// Along which the inputs follow one another.
    pub axis: usize,
    /// First plane, counted from the first input's.
    pub first: usize,
    /// Planes.
    pub count: usize,
}

impl Planes {
    /// What is taken of each input: first plane and number of planes; the inputs have so many.
    pub fn shares(&self, extents: &[usize]) -> Vec<(usize, usize)> {
        let mut begin = 0;
        extents
            .iter()
            .map(|&extent| {
                let first = self.first.clamp(begin, begin + extent);
                let behind = (self.first + self.count).clamp(begin, begin + extent);
                begin += extent;
                (first + extent - begin, behind - first)
            })
            .collect()
    }

    fn shape(&self, shapes: &[&[usize]]) -> Result<Vec<usize>, OpError> {
        let fault = || OpError::invalid(format!("{shapes:?} have no planes {self:?}"));
        let first = *shapes.first().ok_or_else(fault)?;
        let mut all = 0usize;
        for shape in shapes {
            let alike = shape.len() == first.len()
                && self.axis < shape.len()
                && (0..shape.len()).all(|i| i == self.axis || shape[i] == first[i]);
            if !alike {
                return Err(fault());
            }
            all = all.checked_add(shape[self.axis]).ok_or_else(fault)?;
        }
        if self.first.checked_add(self.count).is_none_or(|end| end > all) {
            return Err(fault());
        }
        let mut shape = first.to_vec();
        shape[self.axis] = self.count;
        Ok(shape)
    }
}

impl Kernel for Planes {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let infos: Vec<_> =
            (0..inputs.len()).map(|i| Ok(known(inputs, i)?.info)).collect::<Result<_, OpError>>()?;
        let shapes: Vec<_> = infos.iter().map(|info| info.shape.as_slice()).collect();
        let shape = self.shape(&shapes)?;
        let dtype = infos.first().map(|info| info.dtype).ok_or(OpError::Missing { input: 0 })?;
        Ok(Some(vec![TensorInfo { dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let tensors: Vec<_> = (0..inputs.len()).map(|i| required(inputs, i)).collect::<Result<_, _>>()?;
        let shapes: Vec<_> = tensors.iter().map(|t| t.shape()).collect();
        let shape = self.shape(&shapes)?;
        let extents: Vec<_> = shapes.iter().map(|s| s[self.axis]).collect();
        let shares = self.shares(&extents);
        let (outer, inner) = around(&shape, self.axis)?;
        fn gathered<T: Element>(
            _: &[T],
            tensors: &[&Tensor],
            parts: &[(usize, (usize, usize))],
            (outer, inner, total): (usize, usize, usize),
        ) -> Result<Vec<T>, OpError> {
            let sources: Vec<_> =
                tensors.iter().map(|t| slice::<T>(t, "an input")).collect::<Result<_, _>>()?;
            let mut out = Vec::with_capacity(total);
            for o in 0..outer {
                for (v, &(extent, (first, count))) in sources.iter().zip(parts) {
                    let from = (o * extent + first) * inner;
                    out.extend_from_slice(&v[from..from + count * inner]);
                }
            }
            Ok(out)
        }
        let parts: Vec<_> = extents.into_iter().zip(shares).collect();
        let total = crate::ops::element::count(&shape)?;
        let first = *tensors.first().ok_or(OpError::Missing { input: 0 })?;
        let data = same_dtype!(first.data(), v => gathered(v, &tensors, &parts, (outer, inner, total))?);
        Ok(vec![Tensor::new(shape, data)?])
    }
}

/// A tensor whose elements are all zero.
pub fn zeros(info: &TensorInfo) -> Result<Tensor, OpError> {
    let count = crate::ops::element::count(&info.shape)?;
    fn of<T: Element>(count: usize, shape: &[usize]) -> Result<Tensor, OpError> {
        tensor(shape.to_vec(), vec![T::default(); count])
    }
    use crate::tensor::DType::*;
    match info.dtype {
        F32 => of::<f32>(count, &info.shape),
        F64 => of::<f64>(count, &info.shape),
        F16 => of::<half::f16>(count, &info.shape),
        BF16 => of::<half::bf16>(count, &info.shape),
        I8 => of::<i8>(count, &info.shape),
        I16 => of::<i16>(count, &info.shape),
        I32 => of::<i32>(count, &info.shape),
        I64 => of::<i64>(count, &info.shape),
        U8 => of::<u8>(count, &info.shape),
        U16 => of::<u16>(count, &info.shape),
        U32 => of::<u32>(count, &info.shape),
        U64 => of::<u64>(count, &info.shape),
        Bool => of::<bool>(count, &info.shape),
    }
}

/// Writes `part` into `whole` at plane `first` of an axis.
///
/// # Errors
/// Where it does not belong there.
pub fn put(whole: &mut Tensor, part: &Tensor, axis: usize, first: usize) -> Result<(), OpError> {
    let (to, from) = (whole.shape().to_vec(), part.shape());
    let fits = to.len() == from.len()
        && axis < to.len()
        && (0..to.len()).all(|i| i == axis || to[i] == from[i])
        && first.checked_add(from[axis]).is_some_and(|end| end <= to[axis]);
    let fault = || OpError::invalid(format!("a part {from:?} has no place in {to:?}"));
    if !fits {
        return Err(fault());
    }
    let (outer, inner) = around(&to, axis)?;
    let (all, own) = (to[axis] * inner, from[axis] * inner);
    macro_rules! write {
        ($($kind:ident)*) => {
            match (whole.data_mut(), part.data()) {
                $((Data::$kind(to), Data::$kind(from)) => {
                    for o in 0..outer {
                        to[o * all + first * inner..][..own].copy_from_slice(&from[o * own..][..own]);
                    }
                })*
                _ => return Err(fault()),
            }
        };
    }
    write!(F32 F64 F16 BF16 I8 I16 I32 I64 U8 U16 U32 U64 Bool);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn t(shape: [usize; 3], first: i32) -> Tensor {
        let n = shape.iter().product::<usize>() as i32;
        Tensor::new(shape.to_vec(), Data::I32((first..first + n).collect())).unwrap()
    }

    #[test]
    fn planes_come_from_the_inputs_that_have_them() {
        let (a, b, c) = (t([2, 2, 1], 0), t([2, 3, 1], 10), t([2, 1, 1], 20));
        let run = |first, count| {
            let op = Planes { axis: 1, first, count };
            op.run(&[Some(&a), Some(&b), Some(&c)]).map(|mut out| out.remove(0).into_data())
        };
        // a is [0 1 | 2 3], b [10 11 12 | 13 14 15], c [20 | 21].
        assert_eq!(run(1, 3).unwrap(), Data::I32(vec![1, 10, 11, 3, 13, 14]));
        assert_eq!(run(2, 2).unwrap(), Data::I32(vec![10, 11, 13, 14]));
        assert_eq!(run(0, 6).unwrap().len(), 12);
        assert!(run(4, 3).is_err());
    }

    #[test]
    fn parts_are_put_where_they_belong_and_nowhere_else() {
        let info = TensorInfo { dtype: crate::DType::I32, shape: vec![2, 3, 1] };
        let mut whole = zeros(&info).unwrap();
        put(&mut whole, &t([2, 2, 1], 1), 1, 1).unwrap();
        assert_eq!(whole.data(), &Data::I32(vec![0, 1, 2, 0, 3, 4]));
        assert!(put(&mut whole, &t([2, 2, 1], 1), 1, 2).is_err());
        let other = Tensor::new(vec![2, 1, 1], Data::U8(vec![1, 2])).unwrap();
        assert!(put(&mut whole, &other, 1, 0).is_err(), "another type");
    }
}
