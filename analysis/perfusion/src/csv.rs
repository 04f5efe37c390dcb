//! The curves of a report as CSV: one row per sample, one column per curve, and what must not be lost around them.

use std::fmt::Write as _;

use crate::report::Report;

impl Report {
    /// Artery, vein, their fits and further curves (name and samples on the same axis), with the failed checks and
    /// the sentence about research use as lines that begin with `#`.
    pub fn curves_csv(&self, further: &[(String, Vec<f64>)]) -> String {
        let mut out = format!("# {}\n# {}\n", self.research_use, self.method);
        for check in self.quality.iter().filter(|c| !c.passed) {
            let _ = writeln!(out, "# quality check failed: {}", check.text());
        }
        let mut columns: Vec<(String, &[f64])> =
            vec![("time_s".into(), &self.aif.times_s), ("aif".into(), &self.aif.vessel.values)];
        if let Some(fit) = &self.aif.gamma_values {
            columns.push(("aif_gamma_variate".into(), fit));
        }
        if let Some(vof) = &self.vof {
            columns.push(("vof".into(), &vof.vessel.values));
            if let Some(fit) = &vof.gamma_values {
                columns.push(("vof_gamma_variate".into(), fit));
            }
        }
        columns.extend(further.iter().map(|(name, values)| (name.clone(), values.as_slice())));
        let heads: Vec<String> = columns.iter().map(|(name, _)| field(name)).collect();
        let _ = writeln!(out, "{}", heads.join(","));
        for row in 0..self.aif.times_s.len() {
            let cells = columns.iter().map(|(_, v)| v.get(row).map_or(String::new(), f64::to_string));
            let _ = writeln!(out, "{}", cells.collect::<Vec<_>>().join(","));
        }
        out
    }
}

/// A name that may hold anything.
fn field(name: &str) -> String {
    if name.contains([',', '"', '\n']) {
        format!("\"{}\"", name.replace('"', "\"\""))
    } else {
        name.to_owned()
    }
}
