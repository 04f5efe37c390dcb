//! `isocenter infer` and `isocenter onnx-conformance` as a script calls them.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;

fn isocenter(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isocenter")).args(arguments).output().unwrap()
}

fn failure(output: &Output) -> String {
    assert!(output.stdout.is_empty(), "an error prints no result");
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// A folder of its own that goes when the test ends.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("isocenter-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_network_runs_and_writes_its_outputs() {
    let Some(models) = testbed::reference("data/models") else { return };
    let folder = Folder::new("infer");
    let model = models.join("meshnet-model5_gw_ae.onnx");
    let input = format!("input={}", models.join("refs/meshnet-model5_gw_ae.npz").display());
    let out = folder.0.to_str().unwrap();
    let arguments =
        ["infer", model.to_str().unwrap(), "--input", &input, "--out", out, "--backend", "cpu", "--json"];
    let output = isocenter(&arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let made = &report["outputs"][0];
    assert_eq!(made["dtype"], "float32");
    assert_eq!(made["shape"], serde_json::json!([1, 3, 20, 18, 22]));
    assert!(report["peak_bytes"].as_u64().unwrap() > 20 * 18 * 22 * 4);
    assert_eq!(report["backend"], "CPU");
    assert!(report["timings_ms"]["run"].as_f64().unwrap() > 0.0);
    let written = std::fs::read(folder.0.join(made["file"].as_str().unwrap())).unwrap();
    assert_eq!(written.len() % 4, 0);
    assert!(written.starts_with(b"\x93NUMPY"));
}

#[test]
fn what_cannot_run_is_refused_with_the_reason_and_code_2() {
    let Some(models) = testbed::reference("data/models") else { return };
    let model = models.join("meshnet-model5_gw_ae.onnx");
    let model = model.to_str().unwrap();
    let input = format!("input={}", models.join("refs/meshnet-model5_gw_ae.npz").display());
    let small = isocenter(&["infer", model, "--input", &input, "--budget-mb", "0", "--json"]);
    assert_eq!(small.status.code(), Some(2));
    assert!(failure(&small).contains("1 MB"), "{}", failure(&small));
    let other = isocenter(&["infer", model, "--input", "image=x.npy"]);
    assert_eq!(other.status.code(), Some(2));
    assert!(failure(&other).contains("input"), "{}", failure(&other));
    let folder = Folder::new("infer-damaged");
    let damaged = folder.0.join("model.onnx");
    std::fs::write(&damaged, b"no model at all").unwrap();
    let damaged = isocenter(&["infer", damaged.to_str().unwrap(), "--input", &input]);
    assert_eq!(damaged.status.code(), Some(2));
    assert!(failure(&damaged).starts_with("error: "));
}

#[test]
fn the_node_tests_give_a_line_each_and_a_sum() {
    let folder = Folder::new("conformance");
    let test = folder.0.join("group/test_cut_off/test_data_set_0");
    std::fs::create_dir_all(&test).unwrap();
    std::fs::write(test.with_file_name("model.onnx"), [0x08, 0x0a, 0x3a, 0x7f]).unwrap();
    let output = isocenter(&["onnx-conformance", folder.0.to_str().unwrap(), "--backend", "cpu"]);
    assert!(output.status.success());
    let lines: Vec<Value> =
        output.stdout.split(|b| *b == b'\n').filter_map(|l| serde_json::from_slice(l).ok()).collect();
    assert_eq!(
        (lines.len(), &lines[0]["name"], &lines[0]["result"]),
        (2, &"test_cut_off".into(), &"error".into())
    );
    assert_eq!(lines[1], serde_json::json!({ "pass": 0, "fail": 0, "unsupported": 0, "error": 1 }));
    let nothing = isocenter(&["onnx-conformance", folder.0.join("group/none").to_str().unwrap()]);
    assert_eq!(nothing.status.code(), Some(2));
}
