//! Operators that write elements to given places, and ReverseSequence.
//!
//! Where two updates meet at one place the order of the updates decides, as in onnx's reference.

use crate::ops::element::{Element, count, halves_in_f32, slice};
use crate::ops::index::{element_places, tuple_places};
use crate::ops::{Attributes, Inferred, Kernel, Known, Op, OpError, ints, known, required};
use crate::same_dtype;
use crate::tensor::{Data, Tensor};

/// What becomes of the element that is there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reduction {
    None,
    Add,
    Mul,
    Max,
    Min,
}

fn reduction(a: &Attributes<'_>) -> Result<Reduction, OpError> {
    Ok(match a.text("reduction", "none")? {
        "none" => Reduction::None,
        "add" => Reduction::Add,
        "mul" => Reduction::Mul,
        "max" => Reduction::Max,
        "min" => Reduction::Min,
        other => return Err(OpError::invalid(format!("reduction is {other:?}"))),
    })
}

/// One update per index, along an axis.
#[derive(Clone, Copy, Debug)]
struct ScatterElements {
    axis: i64,
    reduction: Reduction,
}

/// One slice per tuple of indices.
#[derive(Clone, Copy, Debug)]
struct ScatterNd {
    reduction: Reduction,
}

pub fn parse_scatter_elements(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(ScatterElements { axis: a.int("axis", 0)?, reduction: reduction(a)? }))
}

pub fn parse_scatter_nd(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(ScatterNd { reduction: reduction(a)? }))
}

/// Writes the slices of `n` updates each to `places`.
fn scatter(
    data: &Tensor,
    updates: &Tensor,
    places: &[usize],
    n: usize,
    reduction: Reduction,
) -> Result<Tensor, OpError> {
    fn write<T: Element>(
        v: &[T],
        updates: &Tensor,
        places: &[usize],
        n: usize,
        f: impl Fn(T, T) -> T,
    ) -> Result<Vec<T>, OpError> {
        let updates = slice::<T>(updates, "the updates")?;
        if Some(updates.len()) != places.len().checked_mul(n) {
            return Err(OpError::invalid("there are not as many updates as indices"));
        }
        let mut out = v.to_vec();
        for (&p, update) in places.iter().zip(updates.chunks(n.max(1))) {
            for (x, &u) in out[p..].iter_mut().zip(update) {
                *x = f(*x, u);
            }
        }
        Ok(out)
    }
    macro_rules! reduce {
        ($v:expr, $d:ident, $add:expr, $mul:expr) => {
            Data::$d(match reduction {
                Reduction::None => write($v, updates, places, n, |_, u| u),
                Reduction::Add => write($v, updates, places, n, $add),
                Reduction::Mul => write($v, updates, places, n, $mul),
                Reduction::Max => write($v, updates, places, n, |x, u| if u > x { u } else { x }),
                Reduction::Min => write($v, updates, places, n, |x, u| if u < x { u } else { x }),
            }?)
        };
    }
    macro_rules! whole {
        ($v:expr, $d:ident) => {
            reduce!($v, $d, |x, u| x.wrapping_add(u), |x, u| x.wrapping_mul(u))
        };
    }
    let out = match data.data() {
        data if reduction == Reduction::None => {
            same_dtype!(data, v => write(v, updates, places, n, |_, u| u)?)
        }
        Data::F32(v) => reduce!(v, F32, |x, u| x + u, |x, u| x * u),
        Data::F64(v) => reduce!(v, F64, |x, u| x + u, |x, u| x * u),
        Data::I8(v) => whole!(v, I8),
        Data::I16(v) => whole!(v, I16),
        Data::I32(v) => whole!(v, I32),
        Data::I64(v) => whole!(v, I64),
        Data::U8(v) => whole!(v, U8),
        Data::U16(v) => whole!(v, U16),
        Data::U32(v) => whole!(v, U32),
        Data::U64(v) => whole!(v, U64),
        Data::Bool(v) => reduce!(v, Bool, |x, u| x || u, |x, u| x && u),
        data => return Err(OpError::Type { what: "the data", got: data.dtype() }),
    };
    Ok(Tensor::new(data.shape().to_vec(), out)?)
}

impl Kernel for ScatterElements {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        Ok(Some(vec![known(inputs, 0)?.info.clone()]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let (data, indices, updates) = (required(inputs, 0)?, required(inputs, 1)?, required(inputs, 2)?);
        if indices.shape() != updates.shape() {
            return Err(OpError::invalid("indices and updates are of different shapes"));
        }
        let places = element_places(data.shape(), indices, self.axis)?;
        Ok(vec![scatter(data, updates, &places, 1, self.reduction)?])
    }
}

impl Kernel for ScatterNd {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        Ok(Some(vec![known(inputs, 0)?.info.clone()]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let (data, indices, updates) = (required(inputs, 0)?, required(inputs, 1)?, required(inputs, 2)?);
        let (places, rest) = tuple_places(data.shape(), indices, 0)?;
        Ok(vec![scatter(data, updates, &places, count(&rest)?, self.reduction)?])
    }
}

/// The first elements of each sequence backwards, as many as its length says.
#[derive(Clone, Copy, Debug)]
struct ReverseSequence {
    time_first: bool,
}

pub fn parse_reverse_sequence(a: &Attributes<'_>) -> Result<Op, OpError> {
    let time_first = match (a.int("batch_axis", 1)?, a.int("time_axis", 0)?) {
        (1, 0) => true,
        (0, 1) => false,
        (batch, time) => {
            return Err(OpError::invalid(format!("batch_axis {batch} and time_axis {time} are not 0 and 1")));
        }
    };
    Ok(Op::host(ReverseSequence { time_first }))
}

impl Kernel for ReverseSequence {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        if info.shape.len() < 2 {
            return Err(OpError::invalid("the input has fewer than two axes"));
        }
        Ok(Some(vec![info.clone()]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let lengths = required(inputs, 1)?;
        let &[first, second, ref rest @ ..] = input.shape() else {
            return Err(OpError::invalid("the input has fewer than two axes"));
        };
        let inner = count(rest)?;
        let (time, batch) = if self.time_first { (first, second) } else { (second, first) };
        let lengths = ints(lengths)?;
        if lengths.len() != batch || lengths.iter().any(|&l| l < 0 || l > time as i64) {
            return Err(OpError::invalid(format!(
                "lengths {lengths:?} do not fit {batch} sequences of {time}"
            )));
        }
        let data = same_dtype!(input.data(), v => {
            let mut out = Vec::with_capacity(v.len());
            for i in 0..first {
                for k in 0..second {
                    let (t, b) = if self.time_first { (i, k) } else { (k, i) };
                    let n = lengths[b] as usize;
                    let t = if t < n { n - 1 - t } else { t };
                    let from = (if self.time_first { t * second + b } else { b * second + t }) * inner;
                    out.extend_from_slice(&v[from..from + inner]);
                }
            }
            out
        });
        Ok(vec![Tensor::new(input.shape().to_vec(), data)?])
    }
}
