//! Where curves lie in a plot: axes with round numbers, paths in CSS pixels. No DOM, so that it is tested natively.

/// The area of a plot and what its edges mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Plot {
    pub left: f64,
    pub top: f64,
    pub width: f64,
    pub height: f64,
    /// First and last time, s.
    pub times_s: [f64; 2],
}

/// Lowest and highest value of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Axis(pub [f64; 2]);

impl Axis {
    /// Round numbers around all values, zero among them.
    pub fn around<'a>(curves: impl Iterator<Item = &'a [f64]>) -> Self {
        let (mut low, mut high) = (0.0f64, 0.0f64);
        for v in curves.flatten().filter(|v| v.is_finite()) {
            low = low.min(*v);
            high = high.max(*v);
        }
        if high <= low {
            high = low + 1.0;
        }
        let step = round_step((high - low) / 6.0);
        Self([(low / step).floor() * step, (high / step).ceil() * step])
    }

    /// Round numbers from end to end.
    pub fn ticks(self, about: f64) -> Vec<f64> {
        let [low, high] = self.0;
        let step = round_step((high - low) / about);
        let first = (low / step - 1e-9).ceil();
        let count = ((high - first * step) / step + 1e-9).floor().clamp(0.0, 50.0) as i32;
        (0..=count).map(|i| (first + f64::from(i)) * step).collect()
    }
}

/// 1, 2 or 5 times a power of ten, not below `least`.
fn round_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let power = 10f64.powf(least.log10().floor());
    let digit = [1.0, 2.0, 5.0, 10.0].into_iter().find(|d| d * power >= least * (1.0 - 1e-9));
    digit.unwrap_or(10.0) * power
}

/// A tick as it is written.
pub fn number(value: f64) -> String {
    ((value * 1e4).round() / 1e4).to_string()
}

impl Plot {
    pub fn x(&self, time_s: f64) -> f64 {
        let [from, to] = self.times_s;
        self.left + self.width * (time_s - from) / (to - from).max(1e-9)
    }

    pub fn y(&self, value: f64, axis: Axis) -> f64 {
        let [low, high] = axis.0;
        self.top + self.height * (1.0 - (value - low) / (high - low).max(1e-12))
    }

    /// The curve as an SVG path; samples that are no number leave a gap.
    pub fn path(&self, times_s: &[f64], values: &[f64], axis: Axis) -> String {
        use std::fmt::Write as _;
        let mut path = String::new();
        let mut pen_down = false;
        for (t, v) in times_s.iter().zip(values) {
            if !v.is_finite() {
                pen_down = false;
                continue;
            }
            let command = if pen_down { 'L' } else { 'M' };
            // Writing to a string cannot fail.
            let _ = write!(path, "{command}{:.1} {:.1}", self.x(*t), self.y(*v, axis));
            pen_down = true;
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_have_round_ends_and_hold_every_value() {
        let a = [3.0, 261.0, -7.0];
        let axis = Axis::around([&a[..]].into_iter());
        assert_eq!(axis, Axis([-50.0, 300.0]));
        assert_eq!(axis.ticks(4.0), [0.0, 100.0, 200.0, 300.0]);
        assert_eq!(Axis::around([&[0.0, 0.0][..]].into_iter()), Axis([0.0, 1.0]), "constant curves");
        assert_eq!(Axis::around(std::iter::empty()), Axis([0.0, 1.0]));
        assert_eq!(Axis([0.0, 44.0]).ticks(5.0), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(number(0.1 + 0.2), "0.3");
    }

    #[test]
    fn a_path_goes_through_its_samples_and_leaves_out_what_is_none() {
        let plot = Plot { left: 10.0, top: 5.0, width: 100.0, height: 50.0, times_s: [0.0, 10.0] };
        let axis = Axis([0.0, 100.0]);
        assert_eq!(plot.path(&[0.0, 5.0, 10.0], &[0.0, 50.0, 100.0], axis), "M10.0 55.0L60.0 30.0L110.0 5.0");
        let gap = plot.path(&[0.0, 5.0, 7.5, 10.0], &[0.0, f64::NAN, 50.0, 100.0], axis);
        assert_eq!(gap, "M10.0 55.0M85.0 30.0L110.0 5.0");
    }
}
