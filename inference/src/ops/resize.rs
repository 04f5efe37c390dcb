//! Resize and Upsample: nearest, linear and cubic, in every coordinate mode, along any axes.
//!
//! Interpolation is separable: a table per axis holds the places and weights of every output, made as onnx's reference
//! (`op_resize.py`) does, and the axes are gone through one after the other.

use crate::ops::element::{Element, count, halves_in_f32};
use crate::ops::{Attributes, Inferred, Kernel, Known, Op, OpError, axes, ints, known, optional, required};
use crate::same_dtype;
use crate::tensor::{Data, Tensor, TensorInfo};

/// Between the elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named as the modes
pub enum Interpolation {
    Nearest,
    Linear,
    Cubic,
}

/// `coordinate_transformation_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named as the modes
pub enum Coordinates {
    HalfPixel,
    HalfPixelSymmetric,
    PytorchHalfPixel,
    AlignCorners,
    Asymmetric,
    TfHalfPixelForNearest,
    TfCropAndResize,
}

/// `nearest_mode`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named as the modes
pub enum Nearest {
    RoundPreferFloor,
    RoundPreferCeil,
    Floor,
    Ceil,
}

/// `keep_aspect_ratio_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // named as the policies
pub enum AspectRatio {
    Stretch,
    NotLarger,
    NotSmaller,
}

/// Which inputs say how large the output is.
#[derive(Clone, Debug, PartialEq)]
pub enum SizeFrom {
    /// Upsample-7: an attribute.
    Scales(Vec<f32>),
    /// Upsample-9 and Resize-10: input 1.
    Input1,
    /// Resize-11 and later: inputs 2 (scales) or 3 (sizes); input 1 is the region of interest.
    Inputs23,
}

/// The tensor in another size.
#[derive(Clone, Debug, PartialEq)]
pub struct Resize {
    /// Between the elements.
    pub mode: Interpolation,
    /// From places of the output to places of the input.
    pub coordinates: Coordinates,
    /// Which element is nearest.
    pub nearest: Nearest,
    /// `cubic_coeff_a`.
    pub cubic: f32,
    /// Weights of places outside of the input go to those inside.
    pub exclude_outside: bool,
    /// Value outside of the input, for `TfCropAndResize`.
    pub extrapolation: f32,
    /// A wider filter where the output is smaller.
    pub antialias: bool,
    /// Axes that sizes, scales and the region are for; empty: all.
    pub axes: Vec<i64>,
    /// What to do with sizes that change the aspect ratio.
    pub aspect: AspectRatio,
    /// Where the size is said.
    pub from: SizeFrom,
}

pub fn parse_resize(a: &Attributes<'_>) -> Result<Op, OpError> {
    let fault = |what: &str, got: &str| Err(OpError::invalid(format!("{what} is {got:?}")));
    let upsample = a.op_type() == "Upsample";
    let mode = match a.text("mode", "nearest")? {
        "nearest" => Interpolation::Nearest,
        "linear" | "bilinear" => Interpolation::Linear,
        "cubic" => Interpolation::Cubic,
        other => return fault("mode", other),
    };
    // Version 10 and Upsample had no such attribute and computed this way.
    let old = upsample || a.opset < 11;
    let coordinates =
        match a.text("coordinate_transformation_mode", if old { "asymmetric" } else { "half_pixel" })? {
            "half_pixel" => Coordinates::HalfPixel,
            "half_pixel_symmetric" => Coordinates::HalfPixelSymmetric,
            "pytorch_half_pixel" => Coordinates::PytorchHalfPixel,
            "align_corners" => Coordinates::AlignCorners,
            "asymmetric" => Coordinates::Asymmetric,
            "tf_half_pixel_for_nn" => Coordinates::TfHalfPixelForNearest,
            "tf_crop_and_resize" => Coordinates::TfCropAndResize,
            other => return fault("coordinate_transformation_mode", other),
        };
    let nearest = match a.text("nearest_mode", if old { "floor" } else { "round_prefer_floor" })? {
        "round_prefer_floor" => Nearest::RoundPreferFloor,
        "round_prefer_ceil" => Nearest::RoundPreferCeil,
        "floor" => Nearest::Floor,
        "ceil" => Nearest::Ceil,
        other => return fault("nearest_mode", other),
    };
    let aspect = match a.text("keep_aspect_ratio_policy", "stretch")? {
        "stretch" => AspectRatio::Stretch,
        "not_larger" => AspectRatio::NotLarger,
        "not_smaller" => AspectRatio::NotSmaller,
        other => return fault("keep_aspect_ratio_policy", other),
    };
    let from = match a.maybe_floats("scales")? {
        Some(scales) if upsample => SizeFrom::Scales(scales),
        _ if old => SizeFrom::Input1,
        _ => SizeFrom::Inputs23,
    };
    Ok(Op::Resize(Resize {
        mode,
        coordinates,
        nearest,
        cubic: a.float("cubic_coeff_a", -0.75)?,
        exclude_outside: a.flag("exclude_outside", false)?,
        extrapolation: a.float("extrapolation_value", 0.0)?,
        antialias: a.flag("antialias", false)?,
        axes: a.ints("axes")?,
        aspect,
        from,
    }))
}

/// What one axis becomes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ResizeAxis {
    /// Extent of the input.
    pub input: usize,
    /// Extent of the output.
    pub output: usize,
    /// Output per input.
    pub scale: f64,
    /// Begin and end of the region of interest, as shares of the extent.
    pub region: (f64, f64),
}

/// Where the outputs of an axis come from: for each, as many places and weights as `taps`.
#[derive(Clone, Debug, PartialEq)]
pub struct ResizeTable {
    /// Places and weights per output.
    pub taps: usize,
    /// Places in the input, `taps` per output.
    pub places: Vec<u32>,
    /// Weights, `taps` per output.
    pub weights: Vec<f32>,
    /// Outputs that lie outside and become the extrapolation value.
    pub outside: Vec<bool>,
}

/// Numbers of a float tensor.
fn floats(tensor: &Tensor) -> Result<Vec<f64>, OpError> {
    match tensor.data() {
        Data::F32(v) => Ok(v.iter().map(|&x| x.into()).collect()),
        Data::F64(v) => Ok(v.clone()),
        Data::F16(v) => Ok(v.iter().map(|x| x.to_f64()).collect()),
        data => Err(OpError::Type { what: "scales and regions", got: data.dtype() }),
    }
}

impl Resize {
    /// Every axis of a tensor of `shape`; `inputs` are those of the node, with the values of 1 to 3 where they are given.
    ///
    /// # Errors
    /// Sizes and scales that cannot be.
    pub fn plan(&self, shape: &[usize], inputs: [Option<&Tensor>; 3]) -> Result<Vec<ResizeAxis>, OpError> {
        let [first, second, third] = inputs;
        let at =
            if self.axes.is_empty() { (0..shape.len()).collect() } else { axes(&self.axes, shape.len())? };
        let mut plan: Vec<_> = shape
            .iter()
            .map(|&e| ResizeAxis { input: e, output: e, scale: 1.0, region: (0.0, 1.0) })
            .collect();
        let filled = |t: Option<&Tensor>| t.is_some_and(|t| !t.data().is_empty());
        let scales = match &self.from {
            SizeFrom::Scales(list) => Some(list.iter().map(|&s| s.into()).collect()),
            SizeFrom::Input1 => Some(floats(first.ok_or(OpError::Missing { input: 1 })?)?),
            SizeFrom::Inputs23 if filled(second) => second.map(floats).transpose()?,
            SizeFrom::Inputs23 => None,
        };
        let wrong = |n: usize| OpError::invalid(format!("{n} scales or sizes are not for {} axes", at.len()));
        if let Some(scales) = scales {
            if scales.len() != at.len() {
                return Err(wrong(scales.len()));
            }
            for (&i, &scale) in at.iter().zip(&scales) {
                let output = (shape[i] as f64 * scale).floor();
                if !(scale > 0.0 && output < 4e9) {
                    return Err(OpError::invalid(format!("a scale is {scale}")));
                }
                plan[i] = ResizeAxis { output: output as usize, scale, ..plan[i] };
            }
        } else {
            let sizes = ints(third.ok_or(OpError::Missing { input: 3 })?)?;
            if sizes.len() != at.len() {
                return Err(wrong(sizes.len()));
            }
            let sizes = crate::ops::shape::extents(&sizes)?;
            let ratios = || at.iter().zip(&sizes).map(|(&i, &size)| size as f64 / shape[i].max(1) as f64);
            let common = match self.aspect {
                AspectRatio::Stretch => None,
                AspectRatio::NotLarger => Some(ratios().fold(f64::INFINITY, f64::min)),
                AspectRatio::NotSmaller => Some(ratios().fold(0.0, f64::max)),
            };
            for ((&i, &size), ratio) in at.iter().zip(&sizes).zip(ratios()) {
                let (output, scale) = match common {
                    None => (size, ratio),
                    Some(scale) => ((scale * shape[i] as f64 + 0.5).floor() as usize, scale),
                };
                plan[i] = ResizeAxis { output, scale, ..plan[i] };
            }
        }
        if self.coordinates == Coordinates::TfCropAndResize {
            let region = floats(first.ok_or(OpError::Missing { input: 1 })?)?;
            if region.len() != 2 * at.len() {
                return Err(OpError::invalid(format!("roi {region:?} is not for {} axes", at.len())));
            }
            for (k, &i) in at.iter().enumerate() {
                plan[i].region = (region[k], region[at.len() + k]);
            }
        }
        if plan.iter().any(|a| a.input == 0 && a.output > 0) {
            return Err(OpError::invalid(format!("there is nothing to interpolate in a tensor {shape:?}")));
        }
        Ok(plan)
    }

    /// The place in the input of place `x` of the output.
    fn place(&self, x: usize, axis: &ResizeAxis) -> f64 {
        let x = x as f64;
        let (input, scale) = (axis.input as f64, axis.scale);
        // The extent before it was rounded down.
        let output = scale * input;
        match self.coordinates {
            Coordinates::HalfPixel => (x + 0.5) / scale - 0.5,
            Coordinates::HalfPixelSymmetric => {
                let adjustment = axis.output as f64 / output;
                input / 2.0 * (1.0 - adjustment) + (x + 0.5) / scale - 0.5
            }
            Coordinates::PytorchHalfPixel if axis.output == 1 => -0.5,
            Coordinates::PytorchHalfPixel => (x + 0.5) / scale - 0.5,
            Coordinates::AlignCorners if output == 1.0 => 0.0,
            Coordinates::AlignCorners => x * (input - 1.0) / (output - 1.0),
            Coordinates::Asymmetric => x / scale,
            Coordinates::TfHalfPixelForNearest => (x + 0.5) / scale,
            Coordinates::TfCropAndResize => {
                let (begin, end) = axis.region;
                let last = input - 1.0;
                let within = if axis.output == 1 {
                    (end - begin) * last / 2.0
                } else {
                    x * (end - begin) * last / (output - 1.0)
                };
                begin * last + within
            }
        }
    }

    /// Places and weights of every output of an axis.
    pub fn table(&self, axis: &ResizeAxis) -> ResizeTable {
        if axis.output == 0 {
            // Its scale may be 0, which has infinitely many taps.
            return ResizeTable { taps: 1, places: Vec::new(), weights: Vec::new(), outside: Vec::new() };
        }
        let scale = if self.antialias { axis.scale.min(1.0) } else { 1.0 };
        let last = axis.input.saturating_sub(1) as f64;
        // First and behind the last tap, counted from the element left of the place.
        let (first, behind) = match self.mode {
            Interpolation::Nearest => (0, 1),
            Interpolation::Linear => {
                let first = (-1.0 / scale).floor() as i64 + 1;
                (first, 2 - first)
            }
            Interpolation::Cubic => {
                let first = (-2.0 / scale).floor() as i64 + 1;
                (first, 2 - first)
            }
        };
        let taps = (behind - first) as usize;
        let mut table = ResizeTable {
            taps,
            places: Vec::with_capacity(taps.saturating_mul(axis.output)),
            weights: Vec::with_capacity(taps.saturating_mul(axis.output)),
            outside: Vec::with_capacity(axis.output),
        };
        for x in 0..axis.output {
            let at = self.place(x, axis);
            let outside = self.coordinates == Coordinates::TfCropAndResize && !(0.0..=last).contains(&at);
            table.outside.push(outside);
            if self.mode == Interpolation::Nearest {
                let at = match self.nearest {
                    Nearest::RoundPreferFloor => (at - 0.5).ceil(),
                    Nearest::RoundPreferCeil => (at + 0.5).floor(),
                    Nearest::Floor => at.floor(),
                    Nearest::Ceil => at.ceil(),
                };
                table.places.push(at.clamp(0.0, last) as u32);
                table.weights.push(1.0);
                continue;
            }
            // The element left of the place: for a whole number the one before it, with a ratio of 1.
            let left = at.ceil() - 1.0;
            let ratio = at - left;
            let start = table.weights.len();
            for tap in first..behind {
                let distance = ((tap as f64) - ratio) * scale;
                let weight = match self.mode {
                    Interpolation::Cubic => self.cubic_weight(distance),
                    _ => (1.0 - distance.abs()).max(0.0),
                };
                let place = left + tap as f64;
                let weight =
                    if self.exclude_outside && !(0.0..=last).contains(&place) { 0.0 } else { weight };
                table.places.push(place.clamp(0.0, last) as u32);
                table.weights.push(weight as f32);
            }
            if self.antialias || self.exclude_outside {
                let weights = &mut table.weights[start..];
                let sum: f32 = weights.iter().sum();
                if sum != 0.0 {
                    weights.iter_mut().for_each(|w| *w /= sum);
                }
            }
        }
        table
    }

    // Keys, IEEE Trans. ASSP 29 (1981): the cubic convolution kernel with parameter a.
    fn cubic_weight(&self, distance: f64) -> f64 {
        let (x, a) = (distance.abs(), f64::from(self.cubic));
        if x <= 1.0 {
            ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
        } else if x < 2.0 {
            ((x - 5.0) * x + 8.0) * x * a - 4.0 * a
        } else {
            0.0
        }
    }
}

/// Goes through one axis: `outer` blocks of `input` rows of `inner` elements.
fn interpolate(v: &[f64], [outer, input, inner]: [usize; 3], table: &ResizeTable) -> Vec<f64> {
    let output = table.outside.len();
    let mut out = vec![0.0; outer * output * inner];
    for o in 0..outer {
        for x in 0..output {
            let row = &mut out[(o * output + x) * inner..][..inner];
            for k in x * table.taps..(x + 1) * table.taps {
                let weight = f64::from(table.weights[k]);
                if weight == 0.0 {
                    continue;
                }
                let from = (o * input + table.places[k] as usize) * inner;
                row.iter_mut().zip(&v[from..from + inner]).for_each(|(out, &x)| *out += weight * x);
            }
        }
    }
    out
}

impl Kernel for Resize {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let info = known(inputs, 0)?.info;
        let mut values = [None; 3];
        for (at, value) in values.iter_mut().enumerate() {
            if let Some(input) = inputs.get(at + 1).copied().flatten() {
                let Some(tensor) = input.value else { return Ok(None) };
                *value = Some(tensor);
            }
        }
        let plan = self.plan(&info.shape, values)?;
        Ok(Some(vec![TensorInfo { dtype: info.dtype, shape: plan.iter().map(|a| a.output).collect() }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let input = required(inputs, 0)?;
        let given = [optional(inputs, 1), optional(inputs, 2), optional(inputs, 3)];
        let plan = self.plan(input.shape(), given)?;
        let shape: Vec<usize> = plan.iter().map(|a| a.output).collect();
        let total = count(&shape)?;
        if self.mode == Interpolation::Nearest {
            let tables: Vec<_> = plan.iter().map(|a| self.table(a)).collect();
            let data = same_dtype!(input.data(), v => nearest(v, input.shape(), &shape, &tables, total));
            return self.extrapolated(Tensor::new(shape, data)?, &tables);
        }
        halves_in_f32!(self, inputs);
        let mut extents = input.shape().to_vec();
        let mut v: Vec<f64> = crate::each_dtype!(input.data(), v => v.iter().map(|x| x.to_f64()).collect());
        let mut tables = Vec::with_capacity(plan.len());
        for (i, axis) in plan.iter().enumerate() {
            let table = self.table(axis);
            let still = axis.input == axis.output && axis.scale == 1.0 && axis.region == (0.0, 1.0);
            if !still {
                let sizes = [count(&extents[..i])?, axis.input, count(&extents[i + 1..])?];
                v = interpolate(&v, sizes, &table);
                extents[i] = axis.output;
            }
            tables.push(table);
        }
        let wide = crate::ops::element::tensor(shape, v)?;
        let wide = self.extrapolated(wide, &tables)?;
        Ok(vec![super::elementwise::cast(&wide[0], input.dtype())?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1, 2, 3]
    }
}

/// The nearest element for every output.
fn nearest<T: Element>(
    v: &[T],
    from: &[usize],
    shape: &[usize],
    tables: &[ResizeTable],
    total: usize,
) -> Vec<T> {
    let Some((last, outer)) = tables.split_last() else { return v.to_vec() };
    let steps = crate::ops::strides(from);
    let mut out = Vec::with_capacity(total);
    let mut index = vec![0; outer.len()];
    if total == 0 {
        return out;
    }
    loop {
        let row: usize =
            index.iter().zip(outer).zip(&steps).map(|((&i, t), s)| t.places[i] as usize * s).sum();
        out.extend(last.places.iter().map(|&p| v[row + p as usize]));
        let mut i = outer.len();
        loop {
            if i == 0 {
                return out;
            }
            i -= 1;
            index[i] += 1;
            if index[i] < shape[i] {
                break;
            }
            index[i] = 0;
        }
    }
}

impl Resize {
    /// Puts the extrapolation value where an axis lies outside.
    fn extrapolated(&self, out: Tensor, tables: &[ResizeTable]) -> Result<Vec<Tensor>, OpError> {
        if !tables.iter().any(|t| t.outside.contains(&true)) {
            return Ok(vec![out]);
        }
        let shape = out.shape().to_vec();
        let steps = crate::ops::strides(&shape);
        let outside =
            |i: usize| tables.iter().zip(&steps).zip(&shape).any(|((t, &s), &e)| t.outside[i / s % e]);
        let value = Tensor::new(vec![], Data::F32(vec![self.extrapolation]))?;
        let value = super::elementwise::cast(&value, out.dtype())?;
        fn fill<T: Element>(mut v: Vec<T>, value: &Tensor, outside: impl Fn(usize) -> bool) -> Vec<T> {
            let value = T::of(value.data()).and_then(|v| v.first().copied()).unwrap_or_default();
            v.iter_mut().enumerate().filter(|(i, _)| outside(*i)).for_each(|(_, x)| *x = value);
            v
        }
        let data = same_dtype!(out.into_data(), v => fill(v, &value, outside));
        Ok(vec![Tensor::new(shape, data)?])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: a size of 0 is a scale of 0, whose filter is infinitely wide; the number of taps overflowed.
    #[test]
    fn resizing_to_nothing_has_no_taps() {
        for mode in [Interpolation::Linear, Interpolation::Cubic] {
            let resize = Resize {
                mode,
                coordinates: Coordinates::HalfPixel,
                nearest: Nearest::Floor,
                cubic: -0.75,
                exclude_outside: false,
                extrapolation: 0.0,
                antialias: true,
                axes: Vec::new(),
                aspect: AspectRatio::Stretch,
                from: SizeFrom::Inputs23,
            };
            let input = Tensor::new(vec![3, 4], Data::F32(vec![1.0; 12])).unwrap();
            let sizes = Tensor::new(vec![2], Data::I64(vec![2, 0])).unwrap();
            let out = resize.run(&[Some(&input), None, None, Some(&sizes)]).unwrap();
            assert_eq!(out[0].shape(), [2, 0]);
        }
    }
}
