//! `isocenter inspect` as a script calls it: exit codes, fields, and the sum of the ledger.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn inspect(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isocenter")).arg("inspect").args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn shared() -> Option<PathBuf> {
    testbed::reference("data/calcium-qrm").map(|_| testbed::shared())
}

#[test]
fn a_path_that_is_not_there_is_bad_input() {
    let output = inspect(&["no/such/path"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("error: cannot read the given paths"));
    assert_eq!(inspect(&[]).status.code(), Some(2), "no path at all");
}

#[test]
fn what_is_no_image_is_refused_with_a_reason() {
    let folder = std::env::temp_dir().join(format!("isocenter-inspect-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("notes.txt"), "no image").unwrap();
    std::fs::write(folder.join("empty.dcm"), "").unwrap();
    let report = json(&inspect(&[folder.to_str().unwrap(), "--json"]));
    std::fs::remove_dir_all(&folder).unwrap();
    assert_eq!((&report["received"], &report["used"]), (&2.into(), &0.into()));
    let refused = report["refused"].as_array().unwrap();
    assert_eq!(refused.len(), 2);
    assert!(refused[0]["file"].as_str().unwrap().ends_with("empty.dcm"));
    assert_eq!(refused[0]["reason"], "The file is empty.");
    assert!(report.get("files").is_none(), "only with --pixels");
}

#[test]
fn the_fields_of_a_ct_series() {
    let Some(shared) = shared() else { return };
    let folder = shared.join("data/calcium-qrm/data/canon/Large_rep1");
    let report = json(&inspect(&[folder.to_str().unwrap(), "--pixels"]));
    assert_eq!(report["received"], 47);
    assert_eq!(report["series"].as_array().unwrap().len(), 1);
    let series = &report["series"][0];
    assert_eq!(series["modality"], "CT");
    assert_eq!(series["instances"], 47);
    assert_eq!(series["dims"], serde_json::json!([512, 512, 47]));
    assert_eq!(series["time_points"], 1);
    assert_eq!(series["unit"], "HU");
    assert_eq!(series["transfer_syntax"], "Implicit VR Little Endian");
    assert_eq!((&series["min"], &series["max"]), (&(-2048.0).into(), &1275.0.into()));
    assert_eq!(series["world_from_voxel"].as_array().unwrap().len(), 16);
    assert_eq!(series["spacing_mm"].as_array().unwrap().len(), 3);
    let files = report["files"].as_array().unwrap();
    assert_eq!(files.len(), 47);
    assert!(files.iter().all(|f| f["pixels_sha256"].as_str().unwrap().len() == 64));
}

/// `received == used + shown + refused`, and the hashes are those of the index (by pydicom).
#[test]
fn the_sum_and_the_hashes_over_the_reference_files() {
    let Some(shared) = shared() else { return };
    let report = json(&inspect(&[shared.join("data/dicom").to_str().unwrap(), "--pixels"]));
    let count = |name: &str| report[name].as_array().unwrap().len() as u64;
    let used = report["used"].as_u64().unwrap();
    assert_eq!(report["received"].as_u64().unwrap(), used + count("shown") + count("refused"));
    let index = std::fs::read_to_string(shared.join("data/dicom/INDEX.csv")).unwrap();
    let (mut same, mut rows) = (0, 0);
    for row in
        index.lines().skip(1).filter(|r| r.contains("dicom/wg04/J2KR/") || r.contains("dicom/wg04/JLSL/"))
    {
        // The path is the first field, the two hashes are the last; no field of these rows holds a comma
        // after the shape.
        let path = row.split(',').next().unwrap();
        let hash = row.rsplit(',').nth(1).unwrap();
        let found =
            report["files"].as_array().unwrap().iter().find(|f| f["file"].as_str().unwrap().ends_with(path));
        rows += 1;
        same += usize::from(found.is_some_and(|f| f["pixels_sha256"].as_str().unwrap().starts_with(hash)));
    }
    assert!(rows >= 5 && same == rows, "{same} of {rows}");
}
