//! DFT, STFT, the window functions and MelWeightMatrix.
//!
//! The transform is the sum that defines it: what models of images transform is short.

use std::f64::consts::TAU;

use super::element::count;
use super::numbers::{floats, from_floats, from_integers, integers};
use super::{Attributes, Inferred, Kernel, Known, Op, OpError, axis, known, optional, required};
use crate::onnx;
use crate::tensor::{DType, Tensor, TensorInfo};

/// Discrete Fourier transform along an axis; the last axis holds real and imaginary part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dft {
    /// An attribute before version 20, then input 2.
    axis: Option<i64>,
    inverse: bool,
    onesided: bool,
}

/// Transforms of windows that slide over a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stft {
    onesided: bool,
}

/// A sum of cosines over a window: a0 - a1 cos + a2 cos 2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    terms: [f64; 3],
    periodic: bool,
    dtype: DType,
}

/// Triangles on the mel scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MelWeightMatrix {
    dtype: DType,
}

fn output_type(a: &Attributes<'_>) -> Result<DType, OpError> {
    let number = a.int("output_datatype", 1)?;
    onnx::dtype(number).ok_or_else(|| OpError::unsupported(format!("output_datatype {number}")))
}

pub fn parse_dft(a: &Attributes<'_>) -> Result<Op, OpError> {
    let axis = if a.opset < 20 { Some(a.int("axis", 1)?) } else { None };
    Ok(Op::host(Dft { axis, inverse: a.flag("inverse", false)?, onesided: a.flag("onesided", false)? }))
}

pub fn parse_stft(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(Stft { onesided: a.flag("onesided", true)? }))
}

pub fn parse_window(a: &Attributes<'_>) -> Result<Op, OpError> {
    let terms = match a.op_type() {
        "HannWindow" => [0.5, 0.5, 0.0],
        // Rounded by some to 0.54 and 0.46.
        "HammingWindow" => [25.0 / 46.0, 21.0 / 46.0, 0.0],
        _ => [0.42, 0.5, 0.08],
    };
    Ok(Op::host(Window { terms, periodic: a.flag("periodic", true)?, dtype: output_type(a)? }))
}

pub fn parse_mel(a: &Attributes<'_>) -> Result<Op, OpError> {
    Ok(Op::host(MelWeightMatrix { dtype: output_type(a)? }))
}

/// Longest transform: the sum takes its square.
const LONGEST: usize = 1 << 16;

fn scalar(tensor: &Tensor, what: &'static str) -> Result<i64, OpError> {
    integers(tensor, what)?.first().copied().ok_or_else(|| OpError::invalid(format!("{what} has no element")))
}

fn size(tensor: &Tensor, what: &'static str) -> Result<usize, OpError> {
    let value = scalar(tensor, what)?;
    usize::try_from(value).map_err(|_| OpError::invalid(format!("{what} is {value}")))
}

/// Any number of an output's type.
fn typed(shape: Vec<usize>, values: Vec<f64>, dtype: DType) -> Result<Tensor, OpError> {
    match dtype {
        DType::F32 | DType::F64 | DType::F16 | DType::BF16 => from_floats(shape, values, dtype),
        _ => from_integers(shape, values.into_iter().map(|x| x as i64).collect(), dtype),
    }
}

/// Σ x[j] exp(∓2πi jk / n) for `k` below `bins`; `x` beyond its end is zero.
fn transform(x: &[(f64, f64)], n: usize, bins: usize, inverse: bool) -> Vec<(f64, f64)> {
    let sign = if inverse { 1.0 } else { -1.0 };
    let turns: Vec<(f64, f64)> =
        (0..n).map(|i| (sign * TAU * i as f64 / n as f64).sin_cos()).map(|(sin, cos)| (cos, sin)).collect();
    let scale = if inverse { 1.0 / n as f64 } else { 1.0 };
    (0..bins)
        .map(|k| {
            let sum = x.iter().take(n).enumerate().fold((0.0, 0.0), |(re, im), (j, &(a, b))| {
                let (cos, sin) = turns[(j * k) % n];
                (re + a * cos - b * sin, im + a * sin + b * cos)
            });
            (sum.0 * scale, sum.1 * scale)
        })
        .collect()
}

impl Dft {
    /// The axis, the length of the transform, and the shape of the result.
    fn shape(
        &self,
        x: &[usize],
        length: Option<i64>,
        at: i64,
    ) -> Result<(usize, usize, Vec<usize>), OpError> {
        let parts = x.last().copied().unwrap_or(0);
        let at = axis(at, x.len())?;
        if at + 1 >= x.len() || !(1..=2).contains(&parts) {
            return Err(OpError::invalid(format!("{x:?} has no signal along axis {at}")));
        }
        let back = self.inverse && self.onesided;
        let default = if back { (x[at].max(1) - 1) * 2 } else { x[at] };
        let n = match length {
            None => default,
            Some(n) => usize::try_from(n).map_err(|_| OpError::invalid(format!("dft_length is {n}")))?,
        };
        if n == 0 || n > LONGEST {
            return Err(OpError::unsupported(format!("a transform of {n} elements")));
        }
        let mut shape = x.to_vec();
        shape[at] = if self.onesided && !self.inverse { n / 2 + 1 } else { n };
        shape[x.len() - 1] = if back { 1 } else { 2 };
        Ok((at, n, shape))
    }
}

impl Kernel for Dft {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        let x = known(inputs, 0)?.info;
        let value = |at: usize| -> Result<Option<Option<i64>>, OpError> {
            match inputs.get(at).copied().flatten() {
                None => Ok(Some(None)),
                Some(Known { value: Some(tensor), .. }) => Ok(Some(Some(scalar(tensor, "a parameter")?))),
                Some(_) => Ok(None),
            }
        };
        match (value(1)?, value(2)?) {
            (Some(length), Some(at)) => {
                let at = self.axis.or(at).unwrap_or(-2);
                Ok(Some(vec![TensorInfo { dtype: x.dtype, shape: self.shape(&x.shape, length, at)?.2 }]))
            }
            _ => Ok(None),
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let x = required(inputs, 0)?;
        let given = |at: usize| optional(inputs, at).map(|tensor| scalar(tensor, "a parameter")).transpose();
        let (at, n, shape) = self.shape(x.shape(), given(1)?, self.axis.or(given(2)?).unwrap_or(-2))?;
        let values = floats(x, "the input")?;
        let rank = shape.len();
        let (extent, parts) = (x.shape()[at], x.shape()[rank - 1]);
        let (bins, out_parts) = (shape[at], shape[rank - 1]);
        let (outer, inner) = (count(&shape[..at])?, count(&shape[at + 1..rank - 1])?);
        let mut out = vec![0.0; count(&shape)?];
        for (o, i) in (0..outer).flat_map(|o| (0..inner).map(move |i| (o, i))) {
            let mut signal: Vec<(f64, f64)> = (0..extent)
                .map(|k| {
                    let at = ((o * extent + k) * inner + i) * parts;
                    (values[at], if parts == 2 { values[at + 1] } else { 0.0 })
                })
                .collect();
            if self.inverse && self.onesided {
                // The other half is the mirror of the first, conjugated.
                signal.resize(n / 2 + 1, (0.0, 0.0));
                signal[0].1 = 0.0;
                if n % 2 == 0 {
                    signal[n / 2].1 = 0.0;
                }
                for k in n / 2 + 1..n {
                    let (re, im) = signal[n - k];
                    signal.push((re, -im));
                }
            }
            for (k, (re, im)) in transform(&signal, n, bins, self.inverse).into_iter().enumerate() {
                let at = ((o * bins + k) * inner + i) * out_parts;
                out[at] = re;
                if out_parts == 2 {
                    out[at + 1] = im;
                }
            }
        }
        Ok(vec![from_floats(shape, out, x.dtype())?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1, 2]
    }
}

impl Kernel for Stft {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        known(inputs, 0)?;
        known(inputs, 1)?;
        Ok(None)
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let signal = required(inputs, 0)?;
        let &[batch, length, parts] = signal.shape() else {
            return Err(OpError::invalid(format!("{:?} is no batch of signals", signal.shape())));
        };
        let step = size(required(inputs, 1)?, "frame_step")?;
        let window = optional(inputs, 2).map(|window| floats(window, "the window")).transpose()?;
        let given = optional(inputs, 3).map(|tensor| size(tensor, "frame_length")).transpose()?;
        let n = given.or(window.as_ref().map(Vec::len)).unwrap_or(length);
        let fits = n > 0 && n <= length && n <= LONGEST && step > 0 && (1..=2).contains(&parts);
        if !fits || window.as_ref().is_some_and(|window| window.len() != n) {
            return Err(OpError::invalid(format!(
                "frames of {n} in steps of {step} do not fit a signal of {length}"
            )));
        }
        let frames = (length - n) / step + 1;
        let bins = if self.onesided { n / 2 + 1 } else { n };
        let values = floats(signal, "the signal")?;
        let shape = vec![batch, frames, bins, 2];
        let mut out = Vec::with_capacity(count(&shape)?);
        for (b, frame) in (0..batch).flat_map(|b| (0..frames).map(move |f| (b, f))) {
            let frame: Vec<(f64, f64)> = (0..n)
                .map(|i| {
                    let at = (b * length + frame * step + i) * parts;
                    let weight = window.as_ref().map_or(1.0, |window| window[i]);
                    (values[at] * weight, if parts == 2 { values[at + 1] * weight } else { 0.0 })
                })
                .collect();
            out.extend(transform(&frame, n, bins, false).into_iter().flat_map(|(re, im)| [re, im]));
        }
        Ok(vec![from_floats(shape, out, signal.dtype())?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[1, 3]
    }
}

impl Kernel for Window {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        match known(inputs, 0)?.value {
            Some(tensor) => {
                Ok(Some(vec![TensorInfo { dtype: self.dtype, shape: vec![size(tensor, "the size")?] }]))
            }
            None => Ok(None),
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let n = size(required(inputs, 0)?, "the size")?;
        let period = if self.periodic { n } else { n.saturating_sub(1) }.max(1) as f64;
        let [a0, a1, a2] = self.terms;
        let of = |i: usize| {
            let phase = TAU * i as f64 / period;
            a0 - a1 * phase.cos() + a2 * (2.0 * phase).cos()
        };
        Ok(vec![typed(vec![n], (0..n).map(of).collect(), self.dtype)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[0]
    }
}

impl Kernel for MelWeightMatrix {
    fn infer(&self, inputs: &[Option<Known<'_>>]) -> Inferred {
        match (known(inputs, 0)?.value, known(inputs, 1)?.value) {
            (Some(bands), Some(length)) => {
                let shape = vec![size(length, "dft_length")? / 2 + 1, size(bands, "num_mel_bins")?];
                Ok(Some(vec![TensorInfo { dtype: self.dtype, shape }]))
            }
            _ => Ok(None),
        }
    }

    fn run(&self, inputs: &[Option<&Tensor>]) -> Result<Vec<Tensor>, OpError> {
        let (bands, length) =
            (size(required(inputs, 0)?, "num_mel_bins")?, size(required(inputs, 1)?, "dft_length")?);
        let rate = size(required(inputs, 2)?, "sample_rate")?;
        let edge = |at: usize| -> Result<f64, OpError> {
            floats(required(inputs, at)?, "an edge")?
                .first()
                .copied()
                .ok_or_else(|| OpError::invalid("an edge has no element"))
        };
        let (low, high) = (edge(3)?, edge(4)?);
        let rows = length / 2 + 1;
        if rate == 0 || bands > LONGEST || rows > LONGEST {
            return Err(OpError::invalid(format!(
                "{bands} bands of a transform of {length} at {rate} per second"
            )));
        }
        let mel = |hertz: f64| 2595.0 * (hertz / 700.0).ln_1p() / std::f64::consts::LN_10;
        let step = (mel(high) - mel(low)) / (bands + 2) as f64;
        let bin = |i: usize| -> Result<usize, OpError> {
            let hertz = 700.0 * ((i as f64 * step + mel(low)) / 2595.0 * std::f64::consts::LN_10).exp_m1();
            let bin = ((length + 1) as f64 * hertz / rate as f64).floor();
            if bin >= 0.0 && bin < rows as f64 {
                Ok(bin as usize)
            } else {
                Err(OpError::invalid(format!("{hertz} Hz lie outside of the spectrum")))
            }
        };
        let shape = vec![rows, bands];
        let mut out = vec![0.0; count(&shape)?];
        for band in 0..bands {
            let (left, middle, right) = (bin(band)?, bin(band + 1)?, bin(band + 2)?);
            if middle == left {
                out[middle * bands + band] = 1.0;
            } else {
                for j in left..=middle {
                    out[j * bands + band] = (j - left) as f64 / (middle - left) as f64;
                }
            }
            for j in middle..right {
                out[j * bands + band] = (right - j) as f64 / (right - middle) as f64;
            }
        }
        Ok(vec![typed(shape, out, self.dtype)?])
    }

    fn parameters(&self) -> &'static [usize] {
        &[0, 1, 2]
    }
}
