//! The twin of the histogram kernel: the plainest loops over the definition, and the path where there is no
//! compute shader.

use imaging::volume::Padding;

use super::{BINS, Histogram, Values, lower_edges};

/// Counts on the CPU.
pub fn run(values: Values<'_>, padding: Option<Padding>) -> Histogram {
    match values {
        Values::I16(v) => count(v.iter().map(|x| f32::from(*x)), padding),
        Values::U16(v) => count(v.iter().map(|x| f32::from(*x)), padding),
        Values::F32(v) => count(v.iter().copied(), padding),
    }
}

fn count(values: impl Iterator<Item = f32> + Clone, padding: Option<Padding>) -> Histogram {
    let is_measured = |v: f32| v.is_finite() && !padding.is_some_and(|p| p.contains(f64::from(v)));
    let (mut lo, mut hi) = (f32::INFINITY, f32::NEG_INFINITY);
    let (mut counted, mut excluded) = (0u32, 0u32);
    for v in values.clone() {
        if is_measured(v) {
            lo = lo.min(v);
            hi = hi.max(v);
            counted += 1;
        } else {
            excluded += 1;
        }
    }
    let mut bins = vec![0u32; BINS];
    if counted == 0 {
        return Histogram { range: None, counted, excluded, bins };
    }
    // Negative zero is zero.
    let range = (lo + 0.0, hi + 0.0);
    let edges = lower_edges(range);
    let per_unit = BINS as f64 / (f64::from(hi) - f64::from(lo));
    for v in values.filter(|v| is_measured(*v)) {
        // The formula gives the bin up to rounding; the edges decide.
        let guess = ((f64::from(v) - f64::from(lo)) * per_unit) as usize;
        let mut bin = guess.min(BINS - 1);
        while bin > 0 && edges[bin] > v {
            bin -= 1;
        }
        while bin + 1 < BINS && edges[bin + 1] <= v {
            bin += 1;
        }
        bins[bin] += 1;
    }
    Histogram { range: Some(range), counted, excluded, bins }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_fall_into_the_bins_of_the_definition() {
        let values: Vec<i16> = (0..=1024).collect();
        let h = run(Values::I16(&values), Some(Padding { low: 5.0, high: 6.0 }));
        assert_eq!((h.range, h.counted, h.excluded), (Some((0.0, 1024.0)), 1023, 2));
        assert_eq!((h.bins[0], h.bins[5], h.bins[6], h.bins[7], h.bins[1023]), (1, 0, 0, 1, 2));
    }

    #[test]
    fn one_value_and_none() {
        // A range without width: every edge is the value, and the last edge not above it wins.
        let h = run(Values::F32(&[2.5, f32::NAN, 2.5]), None);
        assert_eq!((h.range, h.excluded, h.bins[1023]), (Some((2.5, 2.5)), 1, 2));
        assert_eq!(run(Values::F32(&[f32::NAN]), None).range, None);
    }
}
