//! `cargo xtask verification`: runs the tests that compare numbers with others' and writes docs/verification.md.
//!
//! Tests hand in one row per number (`testbed::verification`) after they have passed, so the report holds
//! what was measured at this commit and nothing that was typed.

use std::fmt::Write as _;
use std::path::Path;

use crate::{places, shell};

/// Packages whose tests hand in rows: which of their tests, and the heading. What runs in a browser needs the
/// built app (`cargo xtask build`).
const PACKAGES: [(&str, &[&str], &str); 4] = [
    ("calcium", &[], "Coronary calcium"),
    ("perfusion", &[], "Perfusion"),
    ("inference", &["--test", "models", "--test", "node_tests", "--test", "matrix"], "ONNX models"),
    ("e2e", &["--test", "calcium", "inserts"], "Coronary calcium in the browser"),
];

const HEAD: &str = "\
# Verification

Written by `cargo xtask verification` from the results of tests; do not edit. Each row is one number: on which data,
by which method, whose number it was compared with, and how far apart they were. A test that fails writes no row.
Research use only.
";

const COLUMNS: [&str; 9] = [
    "number",
    "data set",
    "method",
    "foreign reference",
    "ours",
    "theirs",
    "difference",
    "allowed",
    "commit",
];

/// Runs the tests, writes the report.
pub fn write() -> Result<(), String> {
    let output = |words: &[&str]| shell::output(shell::command("git").args(words));
    let mut commit = output(&["rev-parse", "--short=12", "HEAD"])?.trim().to_owned();
    // Only what the numbers come from: the report itself is about to change.
    let sources = ["analysis", "imaging", "inference", "scene", "phantom", "gpu-kernels", "shaders"];
    let changed = output(&[&["status", "--porcelain", "--"][..], &sources].concat())?;
    if !changed.trim().is_empty() {
        commit.push('+');
    }
    let mut report = HEAD.to_owned();
    if commit.ends_with('+') {
        report += "\nA `+` after a commit: there were changes that were not committed yet.\n";
    }
    for (package, tests, heading) in PACKAGES {
        let folder = places::root().join("target/verification").join(package);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .map_err(|e| format!("cannot empty {}: {e}", folder.display()))?;
        }
        let mut command = shell::command("cargo");
        command
            .args(["test", "--locked", "--package", package])
            .args(tests)
            .env("ISOCENTER_VERIFICATION", &folder);
        let (_, passed) = shell::watched(&mut command, |_| false)?;
        if !passed {
            return Err(format!("the tests of {package} failed: docs/verification.md stays as it was"));
        }
        let rows = rows(&folder)?;
        if rows.is_empty() {
            return Err(format!("the tests of {package} compared nothing: is the reference data there?"));
        }
        println!("{package}: {} rows", rows.len());
        report += &section(heading, &rows, &commit)?;
    }
    let path = places::root().join("docs/verification.md");
    std::fs::write(&path, report).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

/// All rows of a folder, in the order of the tests' names.
fn rows(folder: &Path) -> Result<Vec<Vec<String>>, String> {
    let fail = |e: std::io::Error| format!("cannot read {}: {e}", folder.display());
    let mut files: Vec<_> = match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|e| e.map(|e| e.path())).collect::<Result<_, _>>().map_err(fail)?,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        Err(e) => return Err(fail(e)),
    };
    files.sort();
    let mut rows = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).map_err(fail)?;
        rows.extend(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()));
    }
    Ok(rows)
}

fn section(heading: &str, rows: &[Vec<String>], commit: &str) -> Result<String, String> {
    let mut text =
        format!("\n## {heading}\n\n| {} |\n|{}\n", COLUMNS.join(" | "), "---|".repeat(COLUMNS.len()));
    for row in rows {
        if row.len() + 1 != COLUMNS.len() {
            return Err(format!("a row has {} fields instead of {}: {row:?}", row.len(), COLUMNS.len() - 1));
        }
        let _ = writeln!(text, "| {} | {commit} |", row.join(" | "));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(n: usize) -> Vec<String> {
        (0..n).map(|i| i.to_string()).collect()
    }

    #[test]
    fn a_row_of_the_table_has_every_column_and_the_commit() {
        let text = section("Calcium", &[row(8)], "abc").expect("a section");
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[1], "## Calcium");
        let columns = |line: &str| line.matches('|').count() - 1;
        assert!(lines[3..6].iter().all(|l| columns(l) == COLUMNS.len()), "{text}");
        assert_eq!(lines[5], "| 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | abc |");
    }

    #[test]
    fn a_planted_short_row_is_refused() {
        assert!(section("Calcium", &[row(8), row(7)], "abc").is_err());
    }

    /// The report in the repository is one that this program wrote.
    #[test]
    fn the_report_has_its_columns() {
        let text = std::fs::read_to_string(places::root().join("docs/verification.md")).expect("the report");
        assert!(text.starts_with(HEAD), "docs/verification.md was written by hand or by an older program");
        for (_, _, heading) in PACKAGES {
            assert!(text.contains(&format!("\n## {heading}\n")), "{heading} is missing");
        }
        let rows: Vec<&str> =
            text.lines().filter(|l| l.starts_with("| ") && !l.starts_with("| number")).collect();
        assert!(rows.len() >= 28, "only {} rows", rows.len());
        assert!(rows.iter().all(|r| r.split(" | ").count() == COLUMNS.len()), "a row lacks a column");
    }
}
