//! The node tests of ONNX on the CPU: every one that onnxruntime's CPU passes, passes here.
//!
//! The manifest says which those are. What is outside of them passes, is refused by name, or is listed below with the
//! reason why it differs.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;

use inference::HostOnly;
use inference::conformance::{Verdict, judge};
use testbed::verification::{Row, record};

#[test]
fn every_core_case_that_onnxruntime_passes_passes_on_the_cpu() {
    let Some(folder) = testbed::reference("data/onnx-node-tests") else { return };
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).unwrap();
    let mut lines = manifest.lines().map(|l| l.split('\t').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |name: &str| header.iter().position(|h| h.starts_with(name)).unwrap();
    let (name, category, ort) = (column("name"), column("category"), column("ort_cpu"));
    let required: BTreeMap<String, bool> =
        lines.map(|l| (l[name].to_owned(), l[category] == "core" && l[ort] == "ok")).collect();
    let tests = common::node_tests(&folder.join("developer.tar.zst"));
    assert!(tests.len() >= 976, "{} tests were unpacked", tests.len());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut wrong = Vec::new();
    let mut exec = HostOnly;
    for (name, test) in &tests {
        let verdict;
        (exec, verdict) = pollster::block_on(judge(exec, &test.model, &test.cases()));
        let (kind, detail) = match verdict {
            Verdict::Pass => ("pass", String::new()),
            Verdict::Fail(detail) => ("fail", detail),
            Verdict::Unsupported(detail) => ("unsupported", detail),
            Verdict::Error(detail) => ("error", detail),
        };
        *counts.entry(kind).or_default() += 1;
        let must = required.get(name).copied().unwrap_or(true);
        if kind != "pass" {
            println!("{} {name}: {kind}: {detail}", if must { "REQUIRED" } else { "other" });
        }
        if must && kind != "pass" {
            wrong.push(name);
        }
    }
    println!("{counts:?}");
    assert!(wrong.is_empty(), "{} required tests do not pass: {wrong:?}", wrong.len());
    let must = required.values().filter(|must| **must).count();
    record(
        "node-tests",
        &[Row {
            number: format!("outputs of {must} node tests"),
            data: "onnx-node-tests (category core that onnxruntime's CPU passes)",
            method: "inference, CPU",
            reference: "ONNX, the expected outputs of its test suite",
            ours: format!("{} of {} pass in all", counts.get("pass").unwrap_or(&0), tests.len()),
            theirs: format!("{must} required"),
            difference: "none fails".into(),
            allowed: "each test's own tolerance".into(),
        }],
    );
}
