//! Where the windows of convolutions and poolings lie, for 1 to 3 spatial axes.
//!
//! One place for `auto_pad`, asymmetric padding, dilation and `ceil_mode`: shape inference, the CPU and the GPU take
//! their geometry from here and cannot disagree. Axes stand in the tensor's order (depth, height, width).

/// `auto_pad` of the ONNX operators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AutoPad {
    /// `pads` as given.
    #[default]
    NotSet,
    /// The output has `ceil(input / stride)`; an odd padding is larger at the end.
    SameUpper,
    /// As before; an odd padding is larger at the begin.
    SameLower,
    /// No padding.
    Valid,
}

/// One spatial axis of a window that slides over an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Axis {
    /// Extent of the input.
    pub input: usize,
    /// Extent of the output.
    pub output: usize,
    /// Taps of the window.
    pub kernel: usize,
    /// Distance between two windows.
    pub stride: usize,
    /// Distance between two taps.
    pub dilation: usize,
    /// Elements added before the input.
    pub pad_begin: usize,
    /// Elements added behind the input.
    pub pad_end: usize,
}

/// Why there is no such window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowError {
    /// An attribute has another number of entries than there are spatial axes.
    #[error("{what} has {got} entries for {want} spatial axes")]
    Rank {
        /// Name of the attribute.
        what: &'static str,
        /// Its entries.
        got: usize,
        /// The spatial axes.
        want: usize,
    },
    /// Zero, negative or too large.
    #[error("{what} is {value}, which no window can have")]
    Value {
        /// Name of the attribute.
        what: &'static str,
        /// Its value.
        value: i64,
    },
    /// The window does not fit once.
    #[error("a window of {window} does not fit an input of {input} with its padding")]
    TooSmall {
        /// Dilated extent of the window.
        window: usize,
        /// Input with padding.
        input: usize,
    },
}

/// Attributes that Conv, the poolings and their kin share, as the file gives them: empty means default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WindowAttributes {
    /// `auto_pad`.
    pub auto_pad: AutoPad,
    /// `kernel_shape`.
    pub kernel: Vec<i64>,
    /// `strides`.
    pub strides: Vec<i64>,
    /// `dilations`.
    pub dilations: Vec<i64>,
    /// `pads`: all begins, then all ends.
    pub pads: Vec<i64>,
    /// Round the number of outputs up (poolings only).
    pub ceil: bool,
}

/// Larger numbers are taken for a damaged file.
const MOST: i64 = 1 << 24;

fn entry(
    what: &'static str,
    list: &[i64],
    at: usize,
    least: i64,
    default: i64,
) -> Result<usize, WindowError> {
    let value = if list.is_empty() { default } else { list[at] };
    if value < least || value > MOST { Err(WindowError::Value { what, value }) } else { Ok(value as usize) }
}

impl WindowAttributes {
    /// The window over an input of these spatial extents.
    ///
    /// # Errors
    /// Attributes that contradict the number of axes or each other, and windows that do not fit.
    pub fn axes(&self, input: &[usize]) -> Result<Vec<Axis>, WindowError> {
        let rank = input.len();
        for (what, list, want) in [
            ("kernel_shape", &self.kernel, rank),
            ("strides", &self.strides, rank),
            ("dilations", &self.dilations, rank),
            ("pads", &self.pads, 2 * rank),
        ] {
            let optional = what != "kernel_shape" && list.is_empty();
            if !optional && list.len() != want {
                return Err(WindowError::Rank { what, got: list.len(), want });
            }
        }
        (0..rank).map(|i| self.axis(i, rank, input[i])).collect()
    }

    fn axis(&self, i: usize, rank: usize, input: usize) -> Result<Axis, WindowError> {
        let kernel = entry("kernel_shape", &self.kernel, i, 1, 1)?;
        let stride = entry("strides", &self.strides, i, 1, 1)?;
        let dilation = entry("dilations", &self.dilations, i, 1, 1)?;
        let window = (kernel - 1).saturating_mul(dilation).saturating_add(1);
        let (pad_begin, pad_end) = match self.auto_pad {
            AutoPad::NotSet => {
                (entry("pads", &self.pads, i, 0, 0)?, entry("pads", &self.pads, rank + i, 0, 0)?)
            }
            AutoPad::Valid => (0, 0),
            AutoPad::SameUpper | AutoPad::SameLower => {
                let output = input.div_ceil(stride);
                let pad = (output.saturating_sub(1) * stride).saturating_add(window).saturating_sub(input);
                let small = pad / 2;
                if self.auto_pad == AutoPad::SameUpper { (small, pad - small) } else { (pad - small, small) }
            }
        };
        let padded = input.saturating_add(pad_begin).saturating_add(pad_end);
        if window > padded {
            return Err(WindowError::TooSmall { window, input: padded });
        }
        let room = padded - window;
        let mut output = if self.ceil { room.div_ceil(stride) } else { room / stride } + 1;
        // A last window that begins in the padding behind the input is not counted (as onnxruntime and PyTorch do).
        if self.ceil && (output - 1) * stride >= input + pad_begin {
            output -= 1;
        }
        Ok(Axis { input, output, kernel, stride, dilation, pad_begin, pad_end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(attributes: WindowAttributes, input: usize) -> Axis {
        attributes.axes(&[input]).unwrap()[0]
    }

    #[test]
    fn same_upper_puts_the_odd_element_at_the_end_and_same_lower_at_the_begin() {
        let same = |auto_pad| {
            let a = one(
                WindowAttributes { auto_pad, kernel: vec![3], strides: vec![2], ..Default::default() },
                6,
            );
            (a.output, a.pad_begin, a.pad_end)
        };
        assert_eq!(same(AutoPad::SameUpper), (3, 0, 1));
        assert_eq!(same(AutoPad::SameLower), (3, 1, 0));
    }

    #[test]
    fn ceil_mode_counts_a_last_partial_window_that_begins_inside() {
        let pool = |ceil| WindowAttributes { kernel: vec![2], strides: vec![2], ceil, ..Default::default() };
        assert_eq!(one(pool(false), 5).output, 2);
        assert_eq!(one(pool(true), 5).output, 3);
        let padded = WindowAttributes {
            kernel: vec![1],
            strides: vec![2],
            pads: vec![0, 1],
            ceil: true,
            ..Default::default()
        };
        assert_eq!(one(padded, 2).output, 1, "the window at 2 would begin behind the input");
    }

    #[test]
    fn what_cannot_be_is_named() {
        let kernel = |kernel: Vec<i64>| WindowAttributes { kernel, ..Default::default() }.axes(&[4]);
        assert!(matches!(kernel(vec![5]), Err(WindowError::TooSmall { window: 5, input: 4 })));
        assert!(matches!(kernel(vec![0]), Err(WindowError::Value { what: "kernel_shape", value: 0 })));
        assert!(matches!(kernel(vec![1, 1]), Err(WindowError::Rank { got: 2, want: 1, .. })));
        assert!(matches!(kernel(vec![i64::MAX]), Err(WindowError::Value { .. })));
    }
}
