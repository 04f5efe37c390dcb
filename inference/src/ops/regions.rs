//! RoiAlign, MaxRoiPool and DeformConv: values at places that the data name.
//!
//! Every place is checked against the plane before it is read; a region so large that its samples could not be counted
//! is refused.

use super::conv::{ConvShape, group, three, window};
use super::element::count;
use super::numbers::{floats, from_floats, integers};
use super::{Attributes, Inferred, Kernel, Known, Op, OpError, known, optional, required};
use crate::tensor::{Tensor, TensorInfo};
use crate::window::WindowAttributes;

/// Means or maxima over bins of regions, sampled between the elements.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RoiAlign {
    /// Regions are half an element further up and left.
    half_pixel: bool,
    max: bool,
    /// Rows and columns of bins.
    bins: (usize, usize),
    /// Samples per bin and axis; 0: as many as elements.
    samples: usize,
    scale: f64,
}

/// Maxima over bins of regions, element by element.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MaxRoiPool {
    bins: (usize, usize),
    scale: f64,
}

/// A convolution whose taps are moved by data.
#[derive(Clone, Debug, PartialEq)]
pub struct DeformConv {
    window: WindowAttributes,
    group: usize,
    offset_group: usize,
}

/// More samples per bin and axis are taken for a broken region.
const MOST_SAMPLES: f64 = 4096.0;

fn size(a: &Attributes<'_>, name: &str, default: i64) -> Result<usize, OpError> {
    let value = a.int(name, default)?;
    usize::try_from(value).map_err(|_| OpError::invalid(format!("{name} is {value}")))
}

pub fn parse_roi_align(a: &Attributes<'_>) -> Result<Op, OpError> {
    // Before version 16 there was no half pixel.
    let default = if a.opset < 16 { "output_half_pixel" } else { "half_pixel" };
    let half_pixel = match a.text("coordinate_transformation_mode", default)? {
        "half_pixel" => true,
        "output_half_pixel" => false,
        other => return Err(OpError::invalid(format!("coordinate_transformation_mode is {other:?}"))),
    };
    let max = match a.text("mode", "avg")? {
        "avg" => false,
        "max" => true,
        other => return Err(OpError::invalid(format!("mode is {other:?}"))),
    };
    Ok(Op::host(RoiAlign {
        half_pixel,
        max,
        bins: (size(a, "output_height", 1)?, size(a, "output_width", 1)?),
        samples: size(a, "sampling_ratio", 0)?,
        scale: a.float("spatial_scale", 1.0)?.into(),
    }))
}

pub fn parse_max_roi_pool(a: &Attributes<'_>) -> Result<Op, OpError> {
    let shape = a.ints("pooled_shape")?;
    let &[rows, columns] = &shape[..] else {
        return Err(OpError::invalid(format!("pooled_shape is {shape:?}")));
    };
    let fault = |_| OpError::invalid(format!("pooled_shape is {shape:?}"));
    let bins = (usize::try_from(rows).map_err(fault)?, usize::try_from(columns).map_err(fault)?);
    Ok(Op::host(MaxRoiPool { bins, scale: a.float("spatial_scale", 1.0)?.into() }))
}

pub fn parse_deform_conv(a: &Attributes<'_>) -> Result<Op, OpError> {
    let offset_group = size(a, "offset_group", 1)?;
    if offset_group == 0 {
        return Err(OpError::invalid("offset_group is 0"));
    }
    Ok(Op::host(DeformConv {
        window: WindowAttributes { ceil: false, ..window(a)? },
        group: group(a)?,
        offset_group,
    }))
}

/// Shape of the regions' bins.
fn regions(x: &[usize], rois: &[usize], columns: usize, bins: (usize, usize)) -> Result<Vec<usize>, OpError> {
    match (x, rois) {
        (&[_, c, h, w], &[n, width]) if width == columns && h > 0 && w > 0 => Ok(vec![n, c, bins.0, bins.1]),
        _ => Err(OpError::invalid(format!("regions {rois:?} do not fit an input {x:?}"))),
    }
}

/// The image of a region.
fn image(index: i64, images: usize) -> Result<usize, OpError> {
    let fault = || OpError::invalid(format!("there is no image {index} for a region"));
    usize::try_from(index).ok().filter(|&index| index < images).ok_or_else(fault)
}

/// Four elements and their weights around a place; `None` far outside.
fn corners(y: f64, x: f64, height: usize, width: usize) -> Option<[(usize, f64); 4]> {
    if !(y >= -1.0 && y <= height as f64 && x >= -1.0 && x <= width as f64) {
        return None;
    }
    let along = |at: f64, extent: usize| {
        let at = at.max(0.0);
        let low = at as usize;
        if low + 1 >= extent { (extent - 1, extent - 1, 0.0) } else { (low, low + 1, at - low as f64) }
    };
    let ((y0, y1, ty), (x0, x1, tx)) = (along(y, height), along(x, width));
    Some([
        (y0 * width + x0, (1.0 - ty) * (1.0 - tx)),
        (y0 * width + x1, (1.0 - ty) * tx),
        (y1 * width + x0, ty * (1.0 - tx)),
        (y1 * width + x1, ty * tx),
    ])
}

impl Kernel for RoiAlign {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (x, rois) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        Ok(Some(vec![TensorInfo { dtype: x.dtype, shape: regions(&x.shape, &rois.shape, 4, self.bins)? }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (x, rois) = (required(inputs, 0)?, required(inputs, 1)?);
        let shape = regions(x.shape(), rois.shape(), 4, self.bins)?;
        let images = integers(required(inputs, 2)?, "the images of the regions")?;
        if images.len() != shape[0] {
            return Err(OpError::invalid(format!("{} images for {} regions", images.len(), shape[0])));
        }
        let (channels, height, width) = (shape[1], x.shape()[2], x.shape()[3]);
        let (values, rois) = (floats(x, "the input")?, floats(rois, "the regions")?);
        let mut out = vec![0.0; count(&shape)?];
        let (rows, columns) = self.bins;
        let shift = if self.half_pixel { 0.5 } else { 0.0 };
        for (r, (roi, &index)) in rois.chunks_exact(4).zip(&images).enumerate() {
            let index = image(index, x.shape()[0])?;
            let [x0, y0, x1, y1] = [0, 1, 2, 3].map(|i| roi[i] * self.scale - shift);
            let least = |extent: f64| if self.half_pixel { extent } else { extent.max(1.0) };
            let (bin_y, bin_x) = (least(y1 - y0) / rows as f64, least(x1 - x0) / columns as f64);
            let samples = |bin: f64| {
                let n = if self.samples > 0 { self.samples as f64 } else { bin.ceil() };
                if n <= MOST_SAMPLES {
                    Ok(n.max(0.0) as usize)
                } else {
                    Err(OpError::invalid("a region is too large"))
                }
            };
            let (samples_y, samples_x) = (samples(bin_y)?, samples(bin_x)?);
            let all = (samples_y * samples_x).max(1) as f64;
            for bin in 0..rows * columns {
                let (by, bx) = (bin / columns, bin % columns);
                let mut points = Vec::with_capacity(samples_y * samples_x);
                for i in 0..samples_y {
                    let y = y0 + (by as f64 + (i as f64 + 0.5) / samples_y as f64) * bin_y;
                    for j in 0..samples_x {
                        let x = x0 + (bx as f64 + (j as f64 + 0.5) / samples_x as f64) * bin_x;
                        points.push(corners(y, x, height, width).unwrap_or([(0, 0.0); 4]));
                    }
                }
                for c in 0..channels {
                    let plane = &values[(index * channels + c) * height * width..][..height * width];
                    let parts = |point: &[(usize, f64); 4]| point.map(|(at, weight)| plane[at] * weight);
                    out[(r * channels + c) * rows * columns + bin] = if self.max {
                        let most = |p: &_| parts(p).into_iter().fold(f64::NEG_INFINITY, f64::max);
                        points.iter().map(most).reduce(f64::max).unwrap_or(0.0)
                    } else {
                        points.iter().map(|p| parts(p).iter().sum::<f64>()).sum::<f64>() / all
                    };
                }
            }
        }
        Ok(vec![from_floats(shape, out, x.dtype())?])
    }
}

impl Kernel for MaxRoiPool {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let (x, rois) = (known(inputs, 0)?.info, known(inputs, 1)?.info);
        Ok(Some(vec![TensorInfo { dtype: x.dtype, shape: regions(&x.shape, &rois.shape, 5, self.bins)? }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (x, rois) = (required(inputs, 0)?, required(inputs, 1)?);
        let shape = regions(x.shape(), rois.shape(), 5, self.bins)?;
        let (channels, height, width) = (shape[1], x.shape()[2], x.shape()[3]);
        let (values, rois) = (floats(x, "the input")?, floats(rois, "the regions")?);
        let mut out = Vec::with_capacity(count(&shape)?);
        // First element and behind the last of a bin, inside of the plane.
        let span = |begin: f64, end: f64, bins: usize, bin: usize, extent: usize| {
            // In f32, as onnxruntime: a region of 5 at a scale of 0.7 ends at 3.5, which becomes 4.
            let scaled = |at: f64| f64::from((at as f32 * self.scale as f32).round());
            let (begin, end) = (scaled(begin), scaled(end));
            let step = (end - begin + 1.0).max(1.0) / bins as f64;
            let inside = |at: f64| (at + begin).clamp(0.0, extent as f64) as usize;
            inside((bin as f64 * step).floor())..inside(((bin + 1) as f64 * step).ceil())
        };
        for roi in rois.chunks_exact(5) {
            let index = image(roi[0] as i64, x.shape()[0])?;
            for c in 0..channels {
                let plane = &values[(index * channels + c) * height * width..][..height * width];
                for (by, bx) in (0..self.bins.0).flat_map(|y| (0..self.bins.1).map(move |x| (y, x))) {
                    let rows = span(roi[2], roi[4], self.bins.0, by, height);
                    let columns = span(roi[1], roi[3], self.bins.1, bx, width);
                    let all = rows.flat_map(|y| columns.clone().map(move |x| y * width + x));
                    out.push(all.map(|at| plane[at]).reduce(f64::max).unwrap_or(0.0));
                }
            }
        }
        Ok(vec![from_floats(shape, out, x.dtype())?])
    }
}

impl DeformConv {
    fn shape(&self, x: &[usize], w: &[usize], offset: &[usize]) -> Result<ConvShape, OpError> {
        if x.len() != 4 {
            return Err(OpError::unsupported(format!("a deformed convolution of {} axes", x.len())));
        }
        let conv = super::conv::Conv { window: self.window.clone(), group: self.group, activation: None };
        let shape = conv.shape(x, w)?;
        let taps: usize = shape.axes.iter().map(|axis| axis.kernel).product();
        let want = [x[0], self.offset_group * taps * 2, shape.output[2], shape.output[3]];
        if offset != want || shape.channels % self.offset_group != 0 {
            return Err(OpError::invalid(format!("offsets {offset:?} are not {want:?}")));
        }
        Ok(shape)
    }
}

/// Between four elements, those outside being zero.
fn bilinear(plane: &[f64], y: f64, x: f64, height: usize, width: usize) -> f64 {
    if !(y > -1.0 && y < height as f64 && x > -1.0 && x < width as f64) {
        return 0.0;
    }
    let (y0, x0) = (y.floor(), x.floor());
    let at = |y: f64, x: f64| {
        if y < 0.0 || x < 0.0 || y >= height as f64 || x >= width as f64 {
            0.0
        } else {
            plane[y as usize * width + x as usize]
        }
    };
    let (ty, tx) = (y - y0, x - x0);
    (at(y0, x0) * (1.0 - tx) + at(y0, x0 + 1.0) * tx) * (1.0 - ty)
        + (at(y0 + 1.0, x0) * (1.0 - tx) + at(y0 + 1.0, x0 + 1.0) * tx) * ty
}

impl Kernel for DeformConv {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let [x, w, offset] = [known(inputs, 0)?.info, known(inputs, 1)?.info, known(inputs, 2)?.info];
        let shape = self.shape(&x.shape, &w.shape, &offset.shape)?.output;
        Ok(Some(vec![TensorInfo { dtype: x.dtype, shape }]))
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let [x, w, offset] = [required(inputs, 0)?, required(inputs, 1)?, required(inputs, 2)?];
        let shape = self.shape(x.shape(), w.shape(), offset.shape())?;
        let [_, y_axis, x_axis] = three(&shape.axes)?;
        let (rows, columns) = (y_axis.output, x_axis.output);
        let (places, taps) = (rows * columns, y_axis.kernel * x_axis.kernel);
        let plane = y_axis.input * x_axis.input;
        let values = floats(x, "the input")?;
        let weights = floats(w, "the weights")?;
        let offsets = floats(offset, "the offsets")?;
        let list = |at: usize, what: &'static str, want: usize| -> Result<Option<Vec<f64>>, OpError> {
            let Some(tensor) = optional(inputs, at) else { return Ok(None) };
            let list = floats(tensor, what)?;
            if list.len() == want {
                Ok(Some(list))
            } else {
                Err(OpError::invalid(format!("{what} has {} elements, not {want}", list.len())))
            }
        };
        let bias = list(3, "the bias", shape.filters)?;
        let mask = list(4, "the mask", shape.batch * self.offset_group * taps * places)?;
        let per_group = shape.channels / shape.group;
        let filters = shape.filters / shape.group;
        let per_offset = shape.channels / self.offset_group;
        let mut out = vec![0.0; count(&shape.output)?];
        let mut sampled = vec![0.0; shape.channels * taps];
        for (n, place) in (0..shape.batch).flat_map(|n| (0..places).map(move |p| (n, p))) {
            let (oy, ox) = ((place / columns) as f64, (place % columns) as f64);
            for (i, sample) in sampled.iter_mut().enumerate() {
                let (c, tap) = (i / taps, i % taps);
                let moved = (n * self.offset_group + c / per_offset) * taps + tap;
                let (ky, kx) = ((tap / x_axis.kernel) as f64, (tap % x_axis.kernel) as f64);
                let start = |o: f64, k: f64, axis: &crate::window::Axis| {
                    o * axis.stride as f64 + k * axis.dilation as f64 - axis.pad_begin as f64
                };
                let y = start(oy, ky, &y_axis) + offsets[2 * moved * places + place];
                let x = start(ox, kx, &x_axis) + offsets[(2 * moved + 1) * places + place];
                let plane = &values[(n * shape.channels + c) * plane..][..plane];
                let factor = mask.as_ref().map_or(1.0, |mask| mask[moved * places + place]);
                *sample = factor * bilinear(plane, y, x, y_axis.input, x_axis.input);
            }
            for m in 0..shape.filters {
                let from = m / filters * per_group * taps;
                let products =
                    sampled[from..from + per_group * taps].iter().zip(&weights[m * per_group * taps..]);
                let sum: f64 = products.map(|(a, b)| a * b).sum();
                out[(n * shape.filters + m) * places + place] =
                    sum + bias.as_ref().map_or(0.0, |bias| bias[m]);
            }
        }
        Ok(vec![from_floats(shape.output, out, x.dtype())?])
    }
}
