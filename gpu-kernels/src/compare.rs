//! Holds what a backend computed against its twin.
//!
//! The comparison tells case, index, got, want and allowed, and counts what was not written at all: outputs
//! are filled with a poison before a run, so "wrote nothing" differs from "wrote 0".

use std::fmt;

/// What may differ, and why that much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// Absolute, in the unit of the result.
    pub abs: f64,
    /// Relative to the wanted value.
    pub rel: f64,
    /// The reason.
    pub why: &'static str,
}

impl Tolerance {
    /// How far a result may lie from `want`.
    pub fn allowed(&self, want: f64) -> f64 {
        self.abs + self.rel * want.abs()
    }
}

impl fmt::Display for Tolerance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "abs {} rel {}", self.abs, self.rel)
    }
}

/// The first number that lies too far from the twin's.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Difference {
    /// A number is wrong.
    #[error(
        "{case}: at {index}: got {got}, want {want}, allowed {allowed} ({count} of {total} differ more than allowed)"
    )]
    Value {
        /// Which case.
        case: String,
        /// Index into the result.
        index: usize,
        /// The backend's number.
        got: f64,
        /// The twin's.
        want: f64,
        /// How far they may lie apart.
        allowed: f64,
        /// How many lie too far apart.
        count: usize,
        /// Of how many.
        total: usize,
    },
    /// One is shorter.
    #[error("{case}: got {got} numbers, want {want}")]
    Length {
        /// Which case.
        case: String,
        /// The backend's.
        got: usize,
        /// The twin's.
        want: usize,
    },
}

/// The largest difference found, or the first that is too large. NaN differs from everything.
pub fn compare(
    case: &str,
    tolerance: &Tolerance,
    got: impl ExactSizeIterator<Item = f64>,
    want: impl ExactSizeIterator<Item = f64>,
) -> Result<f64, Difference> {
    let total = want.len();
    if got.len() != total {
        return Err(Difference::Length { case: case.to_owned(), got: got.len(), want: total });
    }
    let mut largest: f64 = 0.0;
    let mut first = None;
    let mut differing = 0;
    for (index, (got, want)) in got.zip(want).enumerate() {
        let difference = (got - want).abs();
        let allowed = tolerance.allowed(want);
        // Written so that NaN is a difference.
        if difference <= allowed {
            largest = largest.max(difference);
        } else {
            differing += 1;
            first.get_or_insert((index, got, want, allowed));
        }
    }
    match first {
        None => Ok(largest),
        Some((index, got, want, allowed)) => Err(Difference::Value {
            case: case.to_owned(),
            index,
            got,
            want,
            allowed,
            count: differing,
            total,
        }),
    }
}

/// As [`compare`], for 8-bit pictures.
pub fn compare_bytes(case: &str, tolerance: &Tolerance, got: &[u8], want: &[u8]) -> Result<f64, Difference> {
    compare(case, tolerance, got.iter().map(|b| f64::from(*b)), want.iter().map(|b| f64::from(*b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE_LEVEL: Tolerance = Tolerance { abs: 1.0, rel: 0.0, why: "test" };

    #[test]
    fn one_texel_by_two_levels_fails_and_is_named() {
        let want = vec![100u8; 64];
        let mut got = want.clone();
        got[7] = 101;
        assert_eq!(compare_bytes("planted", &ONE_LEVEL, &got, &want), Ok(1.0));
        got[41] = 102;
        let error = compare_bytes("planted", &ONE_LEVEL, &got, &want).unwrap_err();
        let text = error.to_string();
        assert!(text.contains("planted: at 41: got 102, want 100, allowed 1 (1 of 64"), "{text}");
    }

    #[test]
    fn nan_and_missing_numbers_differ() {
        let nan = compare("nan", &ONE_LEVEL, [f64::NAN].into_iter(), [0.0].into_iter());
        assert!(matches!(nan, Err(Difference::Value { index: 0, .. })));
        assert!(matches!(
            compare_bytes("short", &ONE_LEVEL, &[1, 2], &[1, 2, 3]),
            Err(Difference::Length { got: 2, want: 3, .. })
        ));
    }

    #[test]
    fn an_all_zero_answer_fails() {
        let tight = Tolerance { abs: 1e-6, rel: 1e-3, why: "test" };
        assert!(compare("zero", &tight, [0.0, 0.0].into_iter(), [0.5, 2.0].into_iter()).is_err());
        assert_eq!(
            compare("near", &tight, [2.001].into_iter(), [2.0].into_iter()).map(|d| d < 0.0021),
            Ok(true)
        );
    }
}
