//! Rows for the verification report: what a test compared, with what, and how far apart they were.
//!
//! The report is written from these (`cargo xtask verification`) and never by hand, so no number in it can be
//! older than the test that gave it.

use std::fmt::Write as _;
use std::path::Path;

/// Environment variable with the folder for the rows; without it nothing is written.
pub const FOLDER: &str = "ISOCENTER_VERIFICATION";

/// One number and what it was compared with.
#[derive(Clone, Debug)]
pub struct Row {
    /// What was measured: `Agatston score, insert Large_HD`.
    pub number: String,
    /// On what.
    pub data: &'static str,
    /// How, on our side.
    pub method: &'static str,
    /// Whose numbers these are.
    pub reference: &'static str,
    /// Our number, or a count of comparisons in words.
    pub ours: String,
    /// Theirs.
    pub theirs: String,
    /// Largest difference, with its kind: `2.1e-6 relative`.
    pub difference: String,
    /// What was allowed.
    pub allowed: String,
}

impl Row {
    fn line(&self) -> String {
        let fields = [
            self.number.as_str(),
            self.data,
            self.method,
            self.reference,
            &self.ours,
            &self.theirs,
            &self.difference,
            &self.allowed,
        ];
        // Tabs part fields, newlines part rows; neither belongs into a table.
        fields.map(|f| f.replace(['\t', '\n', '|'], " ")).join("\t")
    }
}

/// Writes the rows of one test, replacing those of its last run. A test calls this after its assertions.
///
/// # Panics
/// If the folder was asked for and cannot be written: a report with silent holes would be a lie.
pub fn record(test: &str, rows: &[Row]) {
    if let Some(folder) = std::env::var_os(FOLDER) {
        write(Path::new(&folder), test, rows);
    }
}

fn write(folder: &Path, test: &str, rows: &[Row]) {
    let mut text = String::new();
    for row in rows {
        let _ = writeln!(text, "{}", row.line());
    }
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(folder.join(format!("{test}.tsv")), text));
    assert!(written.is_ok(), "the rows of {test} cannot be written: {written:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_one_line_of_eight_fields() {
        let folder = std::env::temp_dir().join(format!("isocenter-rows-{}", std::process::id()));
        let row = Row {
            number: "a\tb\n|c".into(),
            data: "d",
            method: "m",
            reference: "r",
            ours: "1".into(),
            theirs: "2".into(),
            difference: "1".into(),
            allowed: "0".into(),
        };
        write(&folder, "t", &[row.clone(), row]);
        let text = std::fs::read_to_string(folder.join("t.tsv")).expect("written");
        std::fs::remove_dir_all(&folder).expect("removed");
        assert_eq!(text.lines().count(), 2);
        assert!(text.lines().all(|l| l.split('\t').count() == 8 && !l.contains('|')), "{text}");
    }
}
