//! From a value to a grey level: the VOI window of PS3.3 C.11.2.
//!
//! The formula lives here once; the shader and the CPU twin are both checked against it.

use serde::{Deserialize, Serialize};

/// VOI LUT Function (0028,1056).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum VoiFunction {
    /// PS3.3 C.11.2.1.2.1
    #[default]
    Linear,
    /// PS3.3 C.11.2.1.3.2
    LinearExact,
    /// PS3.3 C.11.2.1.3.1
    Sigmoid,
    /// Not a function of its own: the VOI LUT Sequence of the image (PS3.3 C.11.2.1.1), whose domain the window
    /// states. Without the table that domain is shown as by `LinearExact`.
    Lut,
}

/// Window centre and width in the unit of the values, with the function that applies them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Window {
    pub center: f64,
    pub width: f64,
    pub function: VoiFunction,
}

impl Window {
    /// A window for values without a stated function. `LINEAR_EXACT` because `LINEAR`'s half-unit
    /// shift (and its width ≥ 1) only makes sense for integers.
    pub fn from_range(min: f64, max: f64) -> Self {
        let width = (max - min).max(f64::MIN_POSITIVE);
        Self { center: 0.5 * (min + max), width, function: VoiFunction::LinearExact }
    }

    /// Smallest width the function allows: `LINEAR` requires ≥ 1, the others > 0 (PS3.3 C.11.2.1.2).
    pub fn min_width(function: VoiFunction) -> f64 {
        match function {
            VoiFunction::Linear => 1.0,
            VoiFunction::LinearExact | VoiFunction::Sigmoid | VoiFunction::Lut => 1e-6,
        }
    }

    /// With other numbers. A table cannot be widened, so it gives way to a window.
    pub fn adjusted(self, center: f64, width: f64) -> Self {
        let function =
            if self.function == VoiFunction::Lut { VoiFunction::LinearExact } else { self.function };
        Self { center, width: width.max(Self::min_width(function)), function }
    }

    /// Grey level in 0..=1.
    pub fn apply(&self, x: f64) -> f64 {
        let width = self.width.max(Self::min_width(self.function));
        match self.function {
            // PS3.3 C.11.2.1.2.1: if x <= c - 0.5 - (w-1)/2 then ymin, else if x > c - 0.5 + (w-1)/2 then
            // ymax, else y = ((x - (c - 0.5)) / (w-1) + 0.5) * (ymax - ymin) + ymin
            VoiFunction::Linear => {
                let c = self.center - 0.5;
                let w = width - 1.0;
                if x <= c - 0.5 * w {
                    0.0
                } else if x > c + 0.5 * w {
                    1.0
                } else {
                    (x - c) / w + 0.5
                }
            }
            // PS3.3 C.11.2.1.3.2
            VoiFunction::LinearExact | VoiFunction::Lut => {
                if x <= self.center - 0.5 * width {
                    0.0
                } else if x > self.center + 0.5 * width {
                    1.0
                } else {
                    (x - self.center) / width + 0.5
                }
            }
            // PS3.3 C.11.2.1.3.1: y = (ymax - ymin) / (1 + exp(-4 * (x - c) / w)) + ymin
            VoiFunction::Sigmoid => 1.0 / (1.0 + (-4.0 * (x - self.center) / width).exp()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The worked example of PS3.3 C.11.2.1.2.1: c = 2048, w = 4096 maps 0..=4095 onto 0..=255.
    #[test]
    fn linear_matches_the_standards_example() {
        let w = Window { center: 2048.0, width: 4096.0, function: VoiFunction::Linear };
        assert_eq!(w.apply(0.0), 0.0);
        assert_eq!(w.apply(4095.0), 1.0);
        assert!((w.apply(2047.5) - 0.5).abs() < 1e-12);
        // c = 2048, w = 1: a step; if x <= 2047.5 then 0 else 1
        let step = Window { center: 2048.0, width: 1.0, function: VoiFunction::Linear };
        assert_eq!((step.apply(2047.0), step.apply(2048.0)), (0.0, 1.0));
        // c = 0, w = 100: -50 -> 0, 49 -> 1
        let sym = Window { center: 0.0, width: 100.0, function: VoiFunction::Linear };
        assert_eq!((sym.apply(-50.0), sym.apply(49.0)), (0.0, 1.0));
        assert!(sym.apply(48.9) < 1.0);
    }

    #[test]
    fn exact_and_sigmoid_centre_on_half() {
        for function in [VoiFunction::LinearExact, VoiFunction::Sigmoid] {
            let w = Window { center: -10.0, width: 0.5, function };
            assert!((w.apply(-10.0) - 0.5).abs() < 1e-12);
            assert!(w.apply(-11.0) < 0.01 && w.apply(-9.0) > 0.99);
        }
        let w = Window { center: 0.0, width: 100.0, function: VoiFunction::LinearExact };
        assert_eq!((w.apply(-50.0), w.apply(50.0)), (0.0, 1.0));
    }

    #[test]
    fn a_table_gives_way_to_a_window_and_other_functions_stay() {
        let table = Window { center: 100.0, width: 50.0, function: VoiFunction::Lut };
        let window = table.adjusted(90.0, -3.0);
        assert_eq!(window, Window { center: 90.0, width: 1e-6, function: VoiFunction::LinearExact });
        let linear = Window { center: 0.0, width: 2.0, function: VoiFunction::Linear };
        assert_eq!(linear.adjusted(1.0, 0.0), Window { center: 1.0, width: 1.0, ..linear });
    }
}
