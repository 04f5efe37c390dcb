//! Categories of a total Agatston score.
//!
//! All are decided on the unrounded score: a score of 99.6 is printed as 100 by others and is still below
//! 100; a score above 0 and below 1 counts as 1, because calcium was seen.

use serde::Serialize;

use contract::calcium::Vessel;

/// CAC-DRS (SCCT/STR 2018): A0 = 0, A1 = 1-99, A2 = 100-299, A3 >= 300.
pub fn cac_drs(agatston: f64) -> u8 {
    match agatston {
        s if s <= 0.0 => 0,
        s if s < 100.0 => 1,
        s if s < 300.0 => 2,
        _ => 3,
    }
}

/// Vessels with calcium that CAC-DRS counts (N0 to N4): LM, LAD, LCX, RCA; the PDA is part of the RCA.
pub fn vessel_count(vessels: impl Iterator<Item = Vessel>) -> u8 {
    let mut seen = [false; 4];
    for vessel in vessels {
        match vessel {
            Vessel::Lm => seen[0] = true,
            Vessel::Lad => seen[1] = true,
            Vessel::Lcx => seen[2] = true,
            Vessel::Rca | Vessel::Pda => seen[3] = true,
            Vessel::Other => {}
        }
    }
    seen.iter().filter(|s| **s).count() as u8
}

/// The classic classes: 0; 1-10; 11-100; 101-400; above 400; above 1000 is named on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Classic {
    /// 0
    None,
    /// Up to 10.
    Minimal,
    /// Up to 100.
    Mild,
    /// Up to 400.
    Moderate,
    /// Up to 1000.
    Severe,
    /// Above 1000.
    Extensive,
}

impl Classic {
    /// In words.
    pub fn name(self) -> &'static str {
        ["none", "minimal", "mild", "moderate", "severe", "extensive"][self as usize]
    }
}

/// The classic class of a score.
pub fn classic(agatston: f64) -> Classic {
    match agatston {
        s if s <= 0.0 => Classic::None,
        s if s <= 10.0 => Classic::Minimal,
        s if s <= 100.0 => Classic::Mild,
        s if s <= 400.0 => Classic::Moderate,
        s if s <= 1000.0 => Classic::Severe,
        _ => Classic::Extensive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_of_every_border() {
        let drs = [0.0, 0.2, 1.0, 99.999, 100.0, 299.999, 300.0, 5000.0].map(cac_drs);
        assert_eq!(drs, [0, 1, 1, 1, 2, 2, 3, 3]);
        use Classic::{Extensive, Mild, Minimal, Moderate, None, Severe};
        let pairs = [
            (0.0, None),
            (0.3, Minimal),
            (10.0, Minimal),
            (10.1, Mild),
            (100.0, Mild),
            (100.1, Moderate),
            (400.0, Moderate),
            (400.1, Severe),
            (1000.0, Severe),
            (1000.1, Extensive),
        ];
        for (score, class) in pairs {
            assert_eq!(classic(score), class, "{score}");
        }
    }

    #[test]
    fn the_pda_is_the_rca_and_other_is_not_counted() {
        use Vessel::{Lad, Lcx, Lm, Other, Pda, Rca};
        assert_eq!(vessel_count([Rca, Pda, Other].into_iter()), 1);
        assert_eq!(vessel_count([Lm, Lad, Lcx, Pda].into_iter()), 4);
        assert_eq!(vessel_count([].into_iter()), 0);
    }
}
