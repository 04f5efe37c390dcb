//! Ten-year risk of coronary heart disease after MESA 2015.
//!
//! McClelland 2015 (J Am Coll Cardiol 66:1643, PMC4603537, table 2), coefficients as in the R package CVrisk:
//! `risk = 1 - S0 ^ exp(sum of coefficient * value)`. Made from people of 45 to 85 years; nothing is
//! extrapolated.

pub use contract::calcium::{Ancestry, Person};

/// Why no risk is given.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RiskError {
    /// Outside the study.
    #[error("The MESA model holds for ages 45 to 85; the age is {0}. No risk is given.")]
    Age(f64),
    /// Not a number that a person can have.
    #[error("{name} is {value}, which is no measurement. Correct it.")]
    Value {
        /// Which.
        name: &'static str,
        /// What it was.
        value: f64,
    },
}

struct Model {
    survival: f64,
    age: f64,
    male: f64,
    chinese: f64,
    black: f64,
    hispanic: f64,
    diabetes: f64,
    smoker: f64,
    total_cholesterol: f64,
    hdl: f64,
    lipid_drugs: f64,
    systolic: f64,
    blood_pressure_drugs: f64,
    family_history: f64,
    ln_calcium: f64,
}

const WITH_CALCIUM: Model = Model {
    survival: 0.99833,
    age: 0.0172,
    male: 0.4079,
    chinese: -0.3475,
    black: 0.0353,
    hispanic: -0.0222,
    diabetes: 0.3892,
    smoker: 0.3717,
    total_cholesterol: 0.0043,
    hdl: -0.0114,
    lipid_drugs: 0.1206,
    systolic: 0.0066,
    blood_pressure_drugs: 0.2278,
    family_history: 0.3239,
    ln_calcium: 0.2743,
};

const WITHOUT_CALCIUM: Model = Model {
    survival: 0.99963,
    age: 0.0455,
    male: 0.7496,
    chinese: -0.5055,
    black: -0.2111,
    hispanic: -0.1900,
    diabetes: 0.5168,
    smoker: 0.4732,
    total_cholesterol: 0.0053,
    hdl: -0.0140,
    lipid_drugs: 0.2473,
    systolic: 0.0085,
    blood_pressure_drugs: 0.3381,
    family_history: 0.4522,
    ln_calcium: 0.0,
};

/// Risk in 0..1 of the model with calcium, or without where no score is given.
pub fn mesa_2015(person: &Person, agatston: Option<f64>) -> Result<f64, RiskError> {
    if !(45.0..=85.0).contains(&person.age_years) {
        return Err(RiskError::Age(person.age_years));
    }
    let measured = [
        ("Total cholesterol", person.total_cholesterol_mg_dl),
        ("HDL cholesterol", person.hdl_mg_dl),
        ("Systolic blood pressure", person.systolic_mmhg),
        ("The Agatston score", agatston.map_or(1.0, |a| a + 1.0)),
    ];
    if let Some((name, value)) = measured.into_iter().find(|(_, v)| !(v.is_finite() && *v > 0.0)) {
        return Err(RiskError::Value { name, value });
    }
    let m = if agatston.is_some() { WITH_CALCIUM } else { WITHOUT_CALCIUM };
    let yes = |holds: bool, coefficient: f64| if holds { coefficient } else { 0.0 };
    let sum = m.age * person.age_years
        + yes(person.male, m.male)
        + match person.ancestry {
            Ancestry::White => 0.0,
            Ancestry::Chinese => m.chinese,
            Ancestry::Black => m.black,
            Ancestry::Hispanic => m.hispanic,
        }
        + yes(person.diabetes, m.diabetes)
        + yes(person.smoker, m.smoker)
        + m.total_cholesterol * person.total_cholesterol_mg_dl
        + m.hdl * person.hdl_mg_dl
        + yes(person.lipid_drugs, m.lipid_drugs)
        + m.systolic * person.systolic_mmhg
        + yes(person.blood_pressure_drugs, m.blood_pressure_drugs)
        + yes(person.family_history, m.family_history)
        + m.ln_calcium * agatston.map_or(0.0, f64::ln_1p);
    Ok(1.0 - m.survival.powf(sum.exp()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of CVrisk's tests.
    const PERSON: Person = Person {
        age_years: 70.0,
        male: true,
        ancestry: Ancestry::Hispanic,
        diabetes: false,
        smoker: false,
        total_cholesterol_mg_dl: 190.0,
        hdl_mg_dl: 50.0,
        lipid_drugs: false,
        systolic_mmhg: 130.0,
        blood_pressure_drugs: true,
        family_history: false,
    };

    #[test]
    fn the_example_of_cvrisk() {
        let mut rows = Vec::new();
        for (name, score, want) in [("with a score of 0", Some(0.0), 3.06), ("without a score", None, 8.61)] {
            let got = 100.0 * mesa_2015(&PERSON, score).unwrap();
            assert!((got - want).abs() < 0.005, "{name}: {got}");
            rows.push(testbed::verification::Row {
                number: format!("ten-year risk in percent (MESA 2015), {name}"),
                data: "man of 70, Hispanic, 130 mmHg treated, cholesterol 190 and 50 mg/dl",
                method: "calcium::risk",
                reference: "R package CVrisk, its test",
                ours: format!("{got:.4}"),
                theirs: want.to_string(),
                difference: format!("{:.1e} absolute", (got - want).abs()),
                allowed: "5e-3 absolute (their decimals)".into(),
            });
        }
        testbed::verification::record("calcium-risk", &rows);
        assert!(mesa_2015(&PERSON, Some(400.0)).unwrap() > 0.1);
    }

    #[test]
    fn nothing_outside_of_the_study() {
        for age_years in [44.9, 85.1, f64::NAN] {
            assert!(matches!(mesa_2015(&Person { age_years, ..PERSON }, None), Err(RiskError::Age(_))));
        }
        assert!(mesa_2015(&Person { hdl_mg_dl: -1.0, ..PERSON }, None).is_err());
        assert!(mesa_2015(&PERSON, Some(f64::NAN)).is_err());
    }
}
