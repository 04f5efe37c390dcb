//! Where a score lies among people of the same age and sex, by a table that the user brings.
//!
//! Published percentiles are not ours to copy, and the well-known ones are non-parametric: no formula gives
//! them. So none is built in; a table comes with its source, and the source is printed beside the result.

use serde::{Deserialize, Serialize};

use crate::risk::{Ancestry, Person};

/// Percentiles of a population.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PercentileTable {
    /// Whose numbers these are; printed as it is.
    pub source: String,
    /// For each group its percentiles.
    pub rows: Vec<PercentileRow>,
}

/// One group of people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PercentileRow {
    /// Sex at birth.
    pub male: bool,
    /// All groups, where the table does not part them.
    #[serde(default)]
    pub ancestry: Option<Ancestry>,
    /// Inclusive.
    pub age_from: f64,
    /// Inclusive, in completed years.
    pub age_to: f64,
    /// `[percentile, Agatston score]`, ascending.
    pub percentiles: Vec<[f64; 2]>,
}

/// The place of a score.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rank {
    /// Highest percentile of the table whose score is reached; absent below the first.
    pub at_or_above: Option<f64>,
    /// Lowest percentile of the table whose score is not reached; absent above the last.
    pub below: Option<f64>,
    /// See [`PercentileTable::source`].
    pub source: String,
}

/// Why a table gives no rank.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PercentileError {
    /// A number without its source is not shown.
    #[error("The percentile table names no source. Add where its numbers come from.")]
    Source,
    /// Not ascending, not numbers, or none.
    #[error("Row {0} of the percentile table is not ascending. Correct it.")]
    Row(usize),
    /// No row for the person.
    #[error(
        "The percentile table has no row for this person's age ({0}), sex and group. No percentile is given."
    )]
    NoRow(f64),
}

impl PercentileTable {
    /// The place of a score in the row for a person. Nothing is interpolated.
    pub fn rank(&self, person: &Person, agatston: f64) -> Result<Rank, PercentileError> {
        if self.source.trim().is_empty() {
            return Err(PercentileError::Source);
        }
        for (i, row) in self.rows.iter().enumerate() {
            let ascending = row.percentiles.windows(2).all(|w| w[0][0] < w[1][0] && w[0][1] <= w[1][1]);
            let real = row.percentiles.iter().flatten().all(|v| v.is_finite() && *v >= 0.0);
            if !ascending || !real || row.percentiles.is_empty() {
                return Err(PercentileError::Row(i + 1));
            }
        }
        let age = person.age_years.floor();
        let fits = |row: &&PercentileRow| {
            row.male == person.male
                && row.ancestry.is_none_or(|a| a == person.ancestry)
                && (row.age_from..=row.age_to).contains(&age)
        };
        let row = self.rows.iter().find(fits).ok_or(PercentileError::NoRow(person.age_years))?;
        let reached = row.percentiles.partition_point(|p| p[1] <= agatston);
        Ok(Rank {
            at_or_above: reached.checked_sub(1).map(|i| row.percentiles[i][0]),
            below: row.percentiles.get(reached).map(|p| p[0]),
            source: self.source.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERSON: Person = Person {
        age_years: 60.9,
        male: true,
        ancestry: Ancestry::White,
        diabetes: false,
        smoker: false,
        total_cholesterol_mg_dl: 190.0,
        hdl_mg_dl: 50.0,
        lipid_drugs: false,
        systolic_mmhg: 130.0,
        blood_pressure_drugs: false,
        family_history: false,
    };

    /// Numbers made up for this test; they describe nobody.
    fn table() -> PercentileTable {
        let text = r#"{"source": "made up", "rows": [
            {"male": false, "age_from": 50, "age_to": 60, "percentiles": [[50, 1], [90, 2]]},
            {"male": true, "age_from": 50, "age_to": 60, "percentiles": [[25, 0], [50, 10], [75, 100], [90, 400]]}]}"#;
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn both_sides_of_every_entry() {
        let rank = |score| {
            let r = table().rank(&PERSON, score).unwrap();
            (r.at_or_above, r.below)
        };
        assert_eq!(rank(0.0), (Some(25.0), Some(50.0)));
        assert_eq!(rank(9.99), (Some(25.0), Some(50.0)));
        assert_eq!(rank(10.0), (Some(50.0), Some(75.0)));
        assert_eq!(rank(400.0), (Some(90.0), None));
        let mut first = table();
        first.rows[1].percentiles.remove(0);
        let r = first.rank(&PERSON, 3.0).unwrap();
        assert_eq!((r.at_or_above, r.below, r.source.as_str()), (None, Some(50.0), "made up"));
    }

    #[test]
    fn no_rank_without_a_source_a_row_or_an_order() {
        let mut t = table();
        t.source = "  ".into();
        assert_eq!(t.rank(&PERSON, 1.0), Err(PercentileError::Source));
        let mut t = table();
        t.rows[1].percentiles.swap(0, 1);
        assert_eq!(t.rank(&PERSON, 1.0), Err(PercentileError::Row(2)));
        let old = Person { age_years: 61.0, ..PERSON };
        assert_eq!(table().rank(&old, 1.0), Err(PercentileError::NoRow(61.0)));
    }
}
