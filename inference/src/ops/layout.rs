//! Operators that move elements: transpose, concatenate, split, tile, triangles, blocks between depth and space.
//!
//! All of them work on any element type; most are a walk over the output with other steps through the input.

use crate::ops::element::{Element, count, slice};
use crate::ops::{
    Attributes, Inferred, Kernel, Known, Op, OpError, Parameter, axes, axis, ints, known, parameter,
    required, strides, walk,
};
use crate::same_dtype;
use crate::tensor::{Tensor, TensorInfo};

/// Axes in another order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transpose {
    /// Input axis of each output axis; reversed where it is not given.
    pub permutation: Option<Vec<i64>>,
}

/// Tensors one behind the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Concat {
    /// May be negative.
    pub axis: i64,
}

/// The parts of a tensor along an axis.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Split {
    /// May be negative.
    pub axis: i64,
    /// Extents of the parts, from the attribute of opsets before 13; else input 1 has them.
    pub sizes: Option<Vec<i64>>,
    /// Number of parts where their extents are not given.
    pub parts: usize,
}

/// The tensor repeated as often as input 1 says per axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tile;

/// DepthToSpace and SpaceToDepth on N, C, H, W.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DepthSpace {
    /// Side of a block.
    pub block: usize,
    /// SpaceToDepth rather than DepthToSpace.
    pub to_depth: bool,
    /// Channels before blocks (mode CRD) rather than behind them (DCR).
    pub crd: bool,
}

pub fn parse_transpose(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::Transpose(Transpose { permutation: a.maybe_ints("perm")? }))
}

pub fn parse_concat(a: &Attributes<'_>) -> Result<Op, OpError> {
    let axis = a.maybe_int("axis")?.ok_or_else(|| OpError::invalid("attribute axis is missing"))?;
    Ok(Op::Concat(Concat { axis }))
}

pub fn parse_split(a: &Attributes<'_>) -> Result<Op, OpError> {
    let sizes = if a.opset < 13 { a.maybe_ints("split")? } else { None };
    let parts = usize::try_from(a.int("num_outputs", a.outputs() as i64)?).unwrap_or(0);
    // Every part is a tensor of its own.
    if parts > 1 << 16 {
        return Err(OpError::invalid(format!("num_outputs is {parts}")));
    }
    Ok(Op::Split(Split { axis: a.int("axis", 0)?, sizes, parts }))
}

pub fn parse_tile(_: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::Tile(Tile))
}

pub fn parse_depth_space(a: &Attributes<'_>) -> Result<Op, OpError> {
    let block = a.int("blocksize", 0)?;
    let block = usize::try_from(block)
        .ok()
        .filter(|b| (1..=1 << 12).contains(b))
        .ok_or_else(|| OpError::invalid(format!("blocksize is {block}")))?;
    let to_depth = a.op_type() == "SpaceToDepth";
    let mode = a.text("mode", "DCR")?;
    if !matches!(mode, "DCR" | "CRD") {
        return Err(OpError::invalid(format!("mode is {mode:?}, not DCR or CRD")));
    }
    Ok(Op::DepthSpace(DepthSpace { block, to_depth, crd: mode == "CRD" }))
}

impl Transpose {
    /// Input axis of each output axis.
    pub fn order(&self, rank: usize) -> Result<Vec<usize>, OpError> {
        match &self.permutation {
            None => Ok((0..rank).rev().collect()),
            Some(list) if list.len() == rank => axes(list, rank),
            Some(list) => Err(OpError::invalid(format!("perm {list:?} is not for {rank} axes"))),
        }
    }
}

impl Kernel for Transpose {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        let order = self.order(info.shape.len())?;
        let shape = order.iter().map(|&i| info.shape[i]).collect();
        Ok(Some(vec![TensorInfo { dtype: info.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let order = self.order(input.shape().len())?;
        Ok(vec![permute(input, &order)?])
    }
}

/// The tensor with its axes in this order.
pub fn permute(input: &Tensor, order: &[usize]) -> Result<Tensor, OpError> {
    let from = strides(input.shape());
    let shape: Vec<usize> = order.iter().map(|&i| input.shape()[i]).collect();
    let steps: Vec<usize> = order.iter().map(|&i| from[i]).collect();
    fn moved<T: Element>(v: &[T], shape: &[usize], steps: &[usize]) -> Vec<T> {
        let mut out = Vec::with_capacity(v.len());
        walk(shape, &[steps], |[at]| out.push(v[at]));
        out
    }
    let data = same_dtype!(input.data(), v => moved(v, &shape, &steps));
    Ok(Tensor::new(shape, data)?)
}

/// Outer and inner number of elements around an axis.
pub fn around(shape: &[usize], axis: usize) -> Result<(usize, usize), OpError> {
    Ok((count(&shape[..axis])?, count(&shape[axis + 1..])?))
}

impl Kernel for Concat {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let first = known(inputs, 0)?.info;
        let at = axis(self.axis, first.shape.len())?;
        let mut shape = first.shape.clone();
        for i in 1..inputs.len() {
            let info = known(inputs, i)?.info;
            let fits = info.dtype == first.dtype
                && info.shape.len() == shape.len()
                && (0..shape.len()).all(|k| k == at || info.shape[k] == shape[k]);
            if !fits {
                return Err(OpError::invalid(format!(
                    "a tensor {} {:?} cannot follow one {} {:?} along axis {at}",
                    info.dtype.name(),
                    info.shape,
                    first.dtype.name(),
                    first.shape
                )));
            }
            shape[at] = shape[at]
                .checked_add(info.shape[at])
                .ok_or_else(|| OpError::TooLarge { shape: info.shape.clone() })?;
        }
        Ok(Some(vec![TensorInfo { dtype: first.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let tensors: Vec<_> = (0..inputs.len()).map(|i| required(inputs, i)).collect::<Result<_, _>>()?;
        Ok(vec![concat(&tensors, self.axis)?])
    }
}

/// Tensors one behind the other along an axis.
pub fn concat(tensors: &[&Tensor], along: i64) -> Result<Tensor, OpError> {
    let first = *tensors.first().ok_or(OpError::Missing { input: 0 })?;
    let infos: Vec<_> = tensors.iter().map(|t| t.info()).collect();
    let all: Vec<_> = infos.iter().map(|info| Some(Known { info, value: None })).collect();
    let shape = match (Concat { axis: along }).infer(&all)?.as_deref() {
        Some([info]) => info.shape.clone(),
        _ => return Err(OpError::Missing { input: 0 }),
    };
    let at = axis(along, shape.len())?;
    let (outer, inner) = around(&shape, at)?;
    fn joined<T: Element>(
        _: &[T],
        tensors: &[&Tensor],
        (outer, inner): (usize, usize),
        at: usize,
        total: usize,
    ) -> Result<Vec<T>, OpError> {
        let parts: Vec<(&[T], usize)> = tensors
            .iter()
            .map(|t| Ok((slice::<T>(t, "an input")?, t.shape()[at] * inner)))
            .collect::<Result<_, OpError>>()?;
        let mut out = Vec::with_capacity(total);
        for o in 0..outer {
            for (v, n) in &parts {
                out.extend_from_slice(&v[o * n..(o + 1) * n]);
            }
        }
        Ok(out)
    }
    let total = count(&shape)?;
    let data = same_dtype!(first.data(), v => joined(v, tensors, (outer, inner), at, total)?);
    Ok(Tensor::new(shape, data)?)
}

impl Split {
    /// Extents of the parts.
    pub fn sizes(&self, extent: usize, given: &Parameter) -> Result<Option<Vec<usize>>, OpError> {
        let list = match (&self.sizes, given) {
            (Some(list), _) | (None, Parameter::Ints(list)) => list,
            (None, Parameter::Unknown) => return Ok(None),
            (None, Parameter::Absent) => {
                // Split-18: equal parts, the last one smaller where it does not come out even.
                let part = extent.div_ceil(self.parts.max(1));
                let sizes = (0..self.parts).map(|i| part.min(extent.saturating_sub(i * part))).collect();
                return Ok(Some(sizes));
            }
        };
        let sizes: Option<Vec<usize>> = list.iter().map(|&s| usize::try_from(s).ok()).collect();
        let sum = sizes.iter().flatten().try_fold(0usize, |sum, &s| sum.checked_add(s));
        match sizes {
            Some(sizes) if sum == Some(extent) => Ok(Some(sizes)),
            _ => Err(OpError::invalid(format!("parts of {list:?} do not make up an extent of {extent}"))),
        }
    }
}

impl Kernel for Split {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        let at = axis(self.axis, info.shape.len())?;
        let sizes = self.sizes(info.shape[at], &parameter(inputs, 1)?)?;
        Ok(sizes.map(|sizes| {
            sizes
                .iter()
                .map(|&size| {
                    let mut shape = info.shape.clone();
                    shape[at] = size;
                    TensorInfo { dtype: info.dtype, shape }
                })
                .collect()
        }))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let at = axis(self.axis, input.shape().len())?;
        let given = match inputs.get(1).copied().flatten() {
            Some(t) => Parameter::Ints(ints(t)?),
            None => Parameter::Absent,
        };
        let extent = input.shape()[at];
        let sizes = self.sizes(extent, &given)?.ok_or(OpError::Missing { input: 1 })?;
        let (outer, inner) = around(input.shape(), at)?;
        let mut begin = 0;
        let mut parts = Vec::with_capacity(sizes.len());
        for size in sizes {
            let mut shape = input.shape().to_vec();
            shape[at] = size;
            let data = same_dtype!(input.data(), v => {
                let mut out = Vec::with_capacity(outer * size * inner);
                for o in 0..outer {
                    let from = (o * extent + begin) * inner;
                    out.extend_from_slice(&v[from..from + size * inner]);
                }
                out
            });
            parts.push(Tensor::new(shape, data)?);
            begin += size;
        }
        Ok(parts)
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}

impl Tile {
    fn shape(input: &[usize], repeats: &[i64]) -> Result<Vec<usize>, OpError> {
        if repeats.len() != input.len() {
            return Err(OpError::invalid(format!("repeats {repeats:?} are not for {} axes", input.len())));
        }
        let times = crate::ops::shape::extents(repeats)?;
        let product = |(&e, &r): (&usize, &usize)| e.checked_mul(r);
        let shape: Option<Vec<usize>> = input.iter().zip(&times).map(product).collect();
        shape.ok_or_else(|| OpError::TooLarge { shape: input.to_vec() })
    }
}

impl Kernel for Tile {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        match parameter(inputs, 1)? {
            Parameter::Absent => Err(OpError::Missing { input: 1 }),
            Parameter::Unknown => Ok(None),
            Parameter::Ints(repeats) => {
                let shape = Self::shape(&info.shape, &repeats)?;
                Ok(Some(vec![TensorInfo { dtype: info.dtype, shape }]))
            }
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let shape = Self::shape(input.shape(), &ints(required(inputs, 1)?)?)?;
        // Twice as many axes: how often, then the extent.
        let from = strides(input.shape());
        let (mut wide, mut steps) = (Vec::new(), Vec::new());
        for ((&extent, &all), &step) in input.shape().iter().zip(&shape).zip(&from) {
            wide.extend([all.checked_div(extent).unwrap_or(0), extent]);
            steps.extend([0, step]);
        }
        fn tiled<T: Element>(v: &[T], wide: &[usize], steps: &[usize]) -> Result<Vec<T>, OpError> {
            let mut out = Vec::with_capacity(count(wide)?);
            walk(wide, &[steps], |[at]| out.push(v[at]));
            Ok(out)
        }
        let data = same_dtype!(input.data(), v => tiled(v, &wide, &steps)?);
        Ok(vec![Tensor::new(shape, data)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}

impl DepthSpace {
    fn shape(&self, shape: &[usize]) -> Result<[usize; 4], OpError> {
        let &[n, c, h, w] = shape else {
            return Err(OpError::invalid(format!("the input has {} axes, not four", shape.len())));
        };
        let b = self.block;
        if self.to_depth {
            if h % b != 0 || w % b != 0 {
                return Err(OpError::invalid(format!("{h}x{w} is not divided by blocks of {b}")));
            }
            Ok([n, c * b * b, h / b, w / b])
        } else {
            if c % (b * b) != 0 {
                return Err(OpError::invalid(format!("{c} channels are not divided by blocks of {b}x{b}")));
            }
            let large = || OpError::TooLarge { shape: shape.to_vec() };
            Ok([n, c / (b * b), h.checked_mul(b).ok_or_else(large)?, w.checked_mul(b).ok_or_else(large)?])
        }
    }
}

impl Kernel for DepthSpace {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        Ok(Some(vec![TensorInfo { dtype: info.dtype, shape: self.shape(&info.shape)?.to_vec() }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let out = self.shape(input.shape())?;
        let [n, c, h, w] = [input.shape()[0], input.shape()[1], input.shape()[2], input.shape()[3]];
        let b = self.block;
        // As the reshapes and permutations in the operators' descriptions.
        let (split, order): ([usize; 6], [usize; 6]) = if self.to_depth && self.crd {
            ([n, c, h / b, b, w / b, b], [0, 1, 3, 5, 2, 4])
        } else if self.to_depth {
            ([n, c, h / b, b, w / b, b], [0, 3, 5, 1, 2, 4])
        } else if self.crd {
            ([n, out[1], b, b, h, w], [0, 1, 4, 2, 5, 3])
        } else {
            ([n, b, b, out[1], h, w], [0, 3, 4, 1, 5, 2])
        };
        let moved = permute(&Tensor::new(split.to_vec(), input.data().clone())?, &order)?;
        Ok(vec![Tensor::new(out.to_vec(), moved.into_data())?])
    }
}

/// The upper or lower triangle of matrices; the rest is 0.
#[derive(Clone, Copy, Debug)]
struct Trilu {
    upper: bool,
}

pub fn parse_trilu(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Trilu { upper: a.flag("upper", true)? }))
}

impl Kernel for Trilu {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        if info.shape.len() < 2 {
            return Err(OpError::invalid("the input has fewer than two axes"));
        }
        Ok(Some(vec![info.clone()]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let diagonal = match inputs.get(1).copied().flatten() {
            Some(t) => ints(t)?.first().copied().unwrap_or(0),
            None => 0,
        };
        let &[.., rows, columns] = input.shape() else {
            return Err(OpError::invalid("the input has fewer than two axes"));
        };
        let upper = self.upper;
        let data = same_dtype!(input.data(), v => {
            let mut v = v.clone();
            for (i, x) in v.iter_mut().enumerate() {
                let (row, column) = ((i / columns % rows) as i64, (i % columns) as i64);
                let at = row.saturating_add(diagonal);
                if if upper { column < at } else { column > at } {
                    *x = Default::default();
                }
            }
            v
        });
        Ok(vec![Tensor::new(input.shape().to_vec(), data)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}
