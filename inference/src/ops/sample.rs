//! GridSample and AffineGrid: values at places between the elements, and the places of an affine map.
//!
//! Interpolation is a product over the axes, so one walk over taps and weights serves any number of them. Places are
//! computed in f32, as the operator's reference does: near a border or a half, the last bit decides.

use super::element::count;
use super::numbers::{floats, from_floats};
use super::{
    Attributes, Inferred, Kernel, Known, Op, OpError, Parameter, ints, known, parameter, required, strides,
};
use crate::tensor::{Tensor, TensorInfo};

/// Between the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Nearest,
    Linear,
    Cubic,
}

/// Outside of the input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Padding {
    Zeros,
    Border,
    Reflection,
}

/// The input at the places of a grid whose coordinates run from -1 to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GridSample {
    mode: Mode,
    padding: Padding,
    /// -1 and 1 are the middles of the first and the last element, not their outer edges.
    align_corners: bool,
}

/// The grid of an affine map.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AffineGrid {
    align_corners: bool,
}

pub fn parse_grid_sample(a: &Attributes<'_>) -> Result<Op, OpError> {
    let fault = |what: &str, got: &str| Err(OpError::invalid(format!("{what} is {got:?}")));
    let mode = match a.text("mode", "linear")? {
        "linear" | "bilinear" => Mode::Linear,
        "nearest" => Mode::Nearest,
        "cubic" | "bicubic" => Mode::Cubic,
        other => return fault("mode", other),
    };
    let padding = match a.text("padding_mode", "zeros")? {
        "zeros" => Padding::Zeros,
        "border" => Padding::Border,
        "reflection" => Padding::Reflection,
        other => return fault("padding_mode", other),
    };
    Ok(Op::host(GridSample { mode, padding, align_corners: a.flag("align_corners", false)? }))
}

pub fn parse_affine_grid(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(AffineGrid { align_corners: a.flag("align_corners", false)? }))
}

/// `x` thrown back at both borders until it lies between them.
fn reflect(x: f64, low: f64, high: f64) -> f64 {
    let range = high - low;
    if range <= 0.0 || !x.is_finite() {
        return low;
    }
    let (outside, from, to) = if x < low {
        (low - x, low, high)
    } else if x > high {
        (x - high, high, low)
    } else {
        return x;
    };
    let times = (outside / range).trunc();
    let rest = outside - times * range;
    let start = if times % 2.0 == 0.0 { from } else { to };
    if start == low { low + rest } else { high - rest }
}

/// Keys' cubic with a = -0.75.
fn cubic(t: f64) -> [f64; 4] {
    const A: f64 = -0.75;
    let near = |t: f64| ((A + 2.0) * t - (A + 3.0)) * t * t + 1.0;
    let far = |t: f64| ((A * t - 5.0 * A) * t + 8.0 * A) * t - 4.0 * A;
    [far(t + 1.0), near(t), near(1.0 - t), far(2.0 - t)]
}

impl GridSample {
    fn shape(x: &[usize], grid: &[usize]) -> Result<Vec<usize>, OpError> {
        let fault = || OpError::invalid(format!("a grid {grid:?} does not fit an input {x:?}"));
        let (&[n, c, ref spatial @ ..], &[m, ref places @ .., axes]) = (x, grid) else { return Err(fault()) };
        if n != m || axes != spatial.len() || places.len() != axes || axes == 0 || spatial.contains(&0) {
            return Err(fault());
        }
        Ok([n, c].into_iter().chain(places.iter().copied()).collect())
    }

    /// The elements of an axis that a coordinate asks for, with weights; `None` for those outside that count as zero.
    fn taps(&self, coordinate: f32, extent: usize, taps: &mut Vec<(Option<usize>, f64)>) {
        let length = extent as f32;
        let x = if self.align_corners {
            (coordinate + 1.0) / 2.0 * (length - 1.0)
        } else {
            ((coordinate + 1.0) * length - 1.0) / 2.0
        };
        let x = if self.mode == Mode::Nearest { x.round_ties_even() } else { x };
        let last = extent as f64 - 1.0;
        let (low, high) = if self.align_corners { (0.0, last) } else { (-0.5, last + 0.5) };
        let mut x = f64::from(x);
        if x < low || x > high || x.is_nan() {
            x = match self.padding {
                Padding::Zeros => x,
                // PyTorch and onnxruntime move the four elements of a cubic, not the place between them.
                Padding::Border if self.mode == Mode::Cubic => x,
                Padding::Border => x.clamp(0.0, last),
                Padding::Reflection => f64::from(reflect(x, low, high) as f32),
            };
        }
        let place = |i: f64| {
            let i = match self.padding {
                Padding::Zeros => i,
                Padding::Border => i.clamp(0.0, last),
                Padding::Reflection => reflect(i, low, high).trunc(),
            };
            (i >= 0.0 && i <= last).then_some(i as usize)
        };
        taps.clear();
        let floor = x.floor();
        let t = x - floor;
        match self.mode {
            Mode::Nearest => taps.push((place(x.trunc()), 1.0)),
            Mode::Linear => taps.extend([(place(floor), 1.0 - t), (place(floor + 1.0), t)]),
            Mode::Cubic => {
                taps.extend(
                    cubic(t).into_iter().enumerate().map(|(i, w)| (place(floor - 1.0 + i as f64), w)),
                );
            }
        }
    }
}

impl Kernel for GridSample {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (x, grid) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        Ok(Some(vec![TensorInfo { dtype: x.dtype, shape: Self::shape(&x.shape, &grid.shape)? }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (x, grid) = (required(inputs, 0)?, required(inputs, 1)?);
        let shape = Self::shape(x.shape(), grid.shape())?;
        let spatial = &x.shape()[2..];
        let (rank, channels) = (spatial.len(), shape[1]);
        let (plane, places) = (count(spatial)?, count(&shape[2..])?);
        let steps = strides(spatial);
        let (values, grid) = (floats(x, "the input")?, floats(grid, "the grid")?);
        let mut out = vec![0.0; count(&shape)?];
        let mut taps = vec![Vec::new(); rank];
        // Offsets and weights of one place, for all channels.
        let mut all: Vec<(usize, f64)> = Vec::new();
        let mut next: Vec<(usize, f64)> = Vec::new();
        for (at, coordinates) in grid.chunks_exact(rank).enumerate() {
            all.clear();
            all.push((0, 1.0));
            for (axis, taps) in taps.iter_mut().enumerate() {
                // The grid names the last axis first.
                self.taps(coordinates[rank - 1 - axis] as f32, spatial[axis], taps);
                next.clear();
                for &(offset, weight) in &all {
                    let inside = taps.iter().filter_map(|&(place, w)| Some((place?, w)));
                    next.extend(inside.map(|(place, w)| (offset + place * steps[axis], weight * w)));
                }
                std::mem::swap(&mut all, &mut next);
            }
            let (n, place) = (at / places.max(1), at % places.max(1));
            for c in 0..channels {
                let values = &values[(n * channels + c) * plane..][..plane];
                out[(n * channels + c) * places + place] = all.iter().map(|&(at, w)| values[at] * w).sum();
            }
        }
        Ok(vec![from_floats(shape, out, x.dtype())?])
    }
}

impl AffineGrid {
    fn shape(theta: &[usize], size: &[i64]) -> Result<Vec<usize>, OpError> {
        let fault = || OpError::invalid(format!("a map {theta:?} does not fit a size {size:?}"));
        let size: Vec<usize> =
            size.iter().map(|&s| usize::try_from(s).map_err(|_| fault())).collect::<Result<_, _>>()?;
        let rank = size.len().checked_sub(2).filter(|rank| (2..=3).contains(rank)).ok_or_else(fault)?;
        if theta != [size[0], rank, rank + 1] {
            return Err(fault());
        }
        Ok([size[0]].into_iter().chain(size[2..].iter().copied()).chain([rank]).collect())
    }
}

impl Kernel for AffineGrid {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let theta = known(inputs, 0)?.info;
        match parameter(inputs, 1)? {
            Parameter::Ints(size) => {
                Ok(Some(vec![TensorInfo { dtype: theta.dtype, shape: Self::shape(&theta.shape, &size)? }]))
            }
            _ => Ok(None),
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let theta = required(inputs, 0)?;
        let shape = Self::shape(theta.shape(), &ints(required(inputs, 1)?)?)?;
        let rank = shape.len() - 2;
        let extents = &shape[1..=rank];
        let maps = floats(theta, "the map")?;
        let coordinate = |axis: usize, i: usize| {
            let extent = extents[axis] as f64;
            match (self.align_corners, extents[axis]) {
                (true, 0 | 1) => -1.0,
                (true, _) => -1.0 + i as f64 * 2.0 / (extent - 1.0),
                (false, _) => -1.0 + (2.0 * i as f64 + 1.0) / extent,
            }
        };
        let steps = strides(extents);
        let places = count(extents)?;
        let mut out = Vec::with_capacity(count(&shape)?);
        for map in maps.chunks_exact(rank * (rank + 1)) {
            for place in 0..places {
                let at = |axis: usize| coordinate(axis, place / steps[axis] % extents[axis]);
                for row in map.chunks_exact(rank + 1) {
                    // The map takes the last axis first.
                    out.push((0..rank).map(|i| row[i] * at(rank - 1 - i)).sum::<f64>() + row[rank]);
                }
            }
        }
        Ok(vec![from_floats(shape, out, theta.dtype())?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reflection_goes_back_and_forth_between_the_borders() {
        for (x, want) in
            [(0.2, 0.2), (-1.0, 0.0), (-0.75, -0.25), (2.5, 2.5), (3.0, 2.0), (6.0, 0.0), (-4.0, 2.0)]
        {
            assert!((reflect(x, -0.5, 2.5) - want).abs() < 1e-12, "{x} gives {}", reflect(x, -0.5, 2.5));
        }
        assert_eq!(reflect(5.0, 0.0, 0.0), 0.0);
    }

    #[test]
    fn cubic_weights_add_up_to_one() {
        for t in [0.0, 0.25, 0.5, 1.0] {
            assert!((cubic(t).iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        assert_eq!(cubic(0.0), [0.0, 1.0, 0.0, 0.0]);
    }
}
