//! The node tests of ONNX on the GPU: every one whose types a GPU has passes there, and most of them on its kernels.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)] // Clippy sees only functions marked as tests.

mod common;

use inference::conformance::{Verdict, judge};
use inference::gpu::GpuExec;

/// The same with half floats stored as such: what computes on those has to round as ONNX does, everything else to bring
/// them over.
#[test]
fn every_core_case_that_a_gpu_can_run_passes_with_half_floats_stored_as_such() {
    passes(true);
}

#[test]
fn every_core_case_that_a_gpu_can_run_passes_on_it() {
    passes(false);
}

fn passes(halves: bool) {
    let Some(folder) = testbed::reference("data/onnx-node-tests") else { return };
    let Some(gpu) = common::gpu() else { return };
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).unwrap();
    let mut lines = manifest.lines().map(|l| l.split('\t').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |name: &str| header.iter().position(|h| h.starts_with(name)).unwrap();
    let (name, category, kind, ort) = (column("name"), column("category"), column("gpu"), column("ort_cpu"));
    let tests = common::node_tests(&folder.join("developer.tar.zst"));
    let exec = GpuExec::new(gpu, true);
    let mut exec = if halves { exec.in_halves() } else { exec };
    let (mut passed, mut on_gpu) = (0, 0);
    let mut wrong = Vec::new();
    for row in lines.filter(|l| l[category] == "core" && l[kind] == "gpu" && l[ort] == "ok") {
        let Some(test) = tests.get(row[name]) else { continue };
        let (_, before) = exec.recorder().counts();
        let verdict;
        (exec, verdict) = pollster::block_on(judge(exec, &test.model, &test.cases()));
        let dispatched = exec.recorder().counts().1 > before;
        match verdict {
            Verdict::Pass => {
                passed += 1;
                on_gpu += usize::from(dispatched);
            }
            other => wrong.push(format!("{} (on the GPU: {dispatched}): {other:?}", row[name])),
        }
    }
    println!(
        "{passed} passed, {on_gpu} of them with work on the GPU; pipelines and dispatches: {:?}",
        exec.recorder().counts()
    );
    assert!(on_gpu >= 470, "only {on_gpu} cases did anything on the GPU");
    assert!(wrong.is_empty(), "{} do not pass:\n{}", wrong.len(), wrong.join("\n"));
}
