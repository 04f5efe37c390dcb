//! MaxPool, AveragePool and their global forms, for one to three spatial axes.
//!
//! One walk over the windows serves all of them; which taps count is decided in one place.

use crate::ops::conv::{three, window};
use crate::ops::element::{Element, count, halves_in_f32, tensor};
use crate::ops::{Attributes, Inferred, Kernel, Known, Op, OpError, known, required};
use crate::tensor::{DType, Data, Tensor, TensorInfo};
use crate::window::{Axis, WindowAttributes};

/// What a pooling makes of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PoolKind {
    /// The largest element.
    Max,
    /// The mean, over the padding as well or not.
    Average {
        /// The padding counts as zeros.
        include_pad: bool,
    },
}

/// A pooling over windows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Which.
    pub kind: PoolKind,
    /// Where the windows lie.
    pub window: WindowAttributes,
    /// MaxPool: a second output with the place of each maximum in the whole tensor.
    pub indices: bool,
    /// Those places count columns first.
    pub column_major: bool,
}

/// A pooling over all spatial axes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GlobalPool {
    /// The maximum rather than the mean.
    pub max: bool,
}

pub fn parse_pool(a: &Attributes<'_>) -> Result<Op, OpError> {
    let max = a.op_type() == "MaxPool";
    let kind = if max {
        PoolKind::Max
    } else {
        PoolKind::Average { include_pad: a.flag("count_include_pad", false)? }
    };
    Ok(Op::Pool(Pool {
        kind,
        window: window(a)?,
        indices: max && a.outputs() > 1,
        column_major: max && a.flag("storage_order", false)?,
    }))
}

pub fn parse_global_pool(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::GlobalPool(GlobalPool { max: a.op_type() == "GlobalMaxPool" }))
}

/// Extents of an input that has batch, channels and at least one spatial axis.
pub fn spatial(shape: &[usize]) -> Result<(usize, usize, &[usize]), OpError> {
    match shape {
        &[n, c, ref spatial @ ..] if !spatial.is_empty() => Ok((n, c, spatial)),
        _ => Err(OpError::invalid(format!("{shape:?} is no shape of batch, channels and spatial axes"))),
    }
}

impl Pool {
    /// The spatial axes.
    ///
    /// # Errors
    /// Windows that do not fit.
    pub fn axes(&self, shape: &[usize]) -> Result<Vec<Axis>, OpError> {
        Ok(self.window.axes(spatial(shape)?.2)?)
    }

    fn shape(&self, shape: &[usize]) -> Result<Vec<usize>, OpError> {
        let (n, c, _) = spatial(shape)?;
        Ok([n, c].into_iter().chain(self.axes(shape)?.iter().map(|a| a.output)).collect())
    }
}

/// First tap and behind the last tap inside of the input, and taps inside of input and padding.
fn taps(axis: &Axis, out: usize) -> (usize, usize, usize) {
    let begin = out * axis.stride;
    let within = |behind: usize| behind.saturating_sub(begin).div_ceil(axis.dilation).min(axis.kernel);
    let first = axis.pad_begin.saturating_sub(begin).div_ceil(axis.dilation).min(axis.kernel);
    let last = within(axis.pad_begin + axis.input);
    (first, last.max(first), within(axis.pad_begin + axis.input + axis.pad_end))
}

/// Calls `f` for every window of a plane: its elements' places, and how many taps lie in input and padding.
pub fn windows(axes: &[Axis; 3], mut f: impl FnMut(&[usize], usize)) {
    let [z, y, x] = axes;
    let table = |a: &Axis| (0..a.output).map(|o| taps(a, o)).collect::<Vec<_>>();
    let (tz, ty, tx) = (table(z), table(y), table(x));
    let mut places = Vec::new();
    for (oz, &(z0, z1, nz)) in tz.iter().enumerate() {
        for (oy, &(y0, y1, ny)) in ty.iter().enumerate() {
            for (ox, &(x0, x1, nx)) in tx.iter().enumerate() {
                places.clear();
                for kz in z0..z1 {
                    let iz = oz * z.stride + kz * z.dilation - z.pad_begin;
                    for ky in y0..y1 {
                        let iy = oy * y.stride + ky * y.dilation - y.pad_begin;
                        let row = (iz * y.input + iy) * x.input + ox * x.stride;
                        places.extend((x0..x1).map(|kx| row + kx * x.dilation - x.pad_begin));
                    }
                }
                f(&places, nz * ny * nx);
            }
        }
    }
}

impl Pool {
    fn max<T: Element>(
        &self,
        v: &[T],
        shape: &[usize],
        axes: &[Axis],
    ) -> Result<(Vec<T>, Vec<i64>), OpError> {
        let three = three(axes)?;
        let plane = three.iter().map(|a| a.input).product::<usize>();
        let total = count(&self.shape(shape)?)?;
        let mut out = Vec::with_capacity(total);
        let mut at = Vec::with_capacity(if self.indices { total } else { 0 });
        // Column major: the first spatial axis runs fastest.
        let place = |p: usize| {
            if !self.column_major {
                return p;
            }
            let (mut rest, mut index) = (p, vec![0; axes.len()]);
            for (i, a) in axes.iter().enumerate().rev() {
                index[i] = rest % a.input;
                rest /= a.input;
            }
            index.iter().zip(axes).rev().fold(0, |sum, (i, a)| sum * a.input + i)
        };
        for (n, v) in v.chunks_exact(plane.max(1)).enumerate() {
            windows(&three, |places, _| {
                let better = |best: usize, &p: &usize| if v[p] > v[best] { p } else { best };
                let best = places.split_first().map(|(&first, rest)| rest.iter().fold(first, better));
                // A window in the padding alone has no maximum; onnxruntime gives the smallest number there is.
                out.push(best.map_or_else(T::default, |p| v[p]));
                if self.indices {
                    at.push(best.map_or(-1, |p| (n * plane + place(p)) as i64));
                }
            });
        }
        Ok((out, at))
    }
}

macro_rules! average {
    ($v:expr, $t:ty, $axes:expr, $include:expr, $total:expr) => {{
        let plane = $axes.iter().map(|a| a.input).product::<usize>();
        let mut out = Vec::with_capacity($total);
        for v in $v.chunks_exact(plane.max(1)) {
            windows(&$axes, |places, taps| {
                let sum: f64 = places.iter().map(|&p| f64::from(v[p])).sum();
                let n = if $include { taps } else { places.len() };
                out.push(if n == 0 { 0.0 } else { (sum / n as f64) as $t });
            });
        }
        out
    }};
}

impl Kernel for Pool {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        let shape = self.shape(&info.shape)?;
        let mut out = vec![TensorInfo { dtype: info.dtype, shape: shape.clone() }];
        if self.indices {
            out.push(TensorInfo { dtype: DType::I64, shape });
        }
        Ok(Some(out))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let input = required(inputs, 0)?;
        let axes = self.axes(input.shape())?;
        let shape = self.shape(input.shape())?;
        let mut indices = None;
        macro_rules! max {
            ($v:expr, $d:ident) => {{
                let (out, at) = self.max($v, input.shape(), &axes)?;
                indices = self.indices.then_some(at);
                Data::$d(out)
            }};
        }
        let total = count(&shape)?;
        let data = match (self.kind, input.data()) {
            (PoolKind::Max, Data::F32(v)) => max!(v, F32),
            (PoolKind::Max, Data::F64(v)) => max!(v, F64),
            (PoolKind::Max, Data::I8(v)) => max!(v, I8),
            (PoolKind::Max, Data::U8(v)) => max!(v, U8),
            (PoolKind::Average { include_pad }, Data::F32(v)) => {
                let axes = three(&axes)?;
                Data::F32(average!(v, f32, axes, include_pad, total))
            }
            (PoolKind::Average { include_pad }, Data::F64(v)) => {
                let axes = three(&axes)?;
                Data::F64(average!(v, f64, axes, include_pad, total))
            }
            (_, data) => return Err(OpError::Type { what: "the input", got: data.dtype() }),
        };
        let mut out = vec![Tensor::new(shape.clone(), data)?];
        if let Some(indices) = indices {
            out.push(tensor(shape, indices)?);
        }
        Ok(out)
    }
}

impl GlobalPool {
    fn shape(shape: &[usize]) -> Result<Vec<usize>, OpError> {
        let (n, c, spatial) = spatial(shape)?;
        Ok([n, c].into_iter().chain(spatial.iter().map(|_| 1)).collect())
    }
}

impl Kernel for GlobalPool {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        Ok(Some(vec![TensorInfo { dtype: info.dtype, shape: Self::shape(&info.shape)? }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        halves_in_f32!(self, inputs);
        let input = required(inputs, 0)?;
        let shape = Self::shape(input.shape())?;
        let plane = count(spatial(input.shape())?.2)?;
        if plane == 0 {
            return Err(OpError::invalid("there is nothing to pool in an empty plane"));
        }
        macro_rules! pooled {
            ($v:expr, $t:ident) => {
                $v.chunks_exact(plane)
                    .map(|v| {
                        if self.max {
                            v.iter().copied().fold($t::NEG_INFINITY, $t::max)
                        } else {
                            (v.iter().map(|&x| f64::from(x)).sum::<f64>() / plane as f64) as $t
                        }
                    })
                    .collect()
            };
        }
        let data = match input.data() {
            Data::F32(v) => Data::F32(pooled!(v, f32)),
            Data::F64(v) => Data::F64(pooled!(v, f64)),
            data => return Err(OpError::Type { what: "the input", got: data.dtype() }),
        };
        Ok(vec![Tensor::new(shape, data)?])
    }
}
