//! The node tests of ONNX on the GPU: every one whose types a GPU has passes there, and most of them on its kernels.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used)] // Clippy sees only functions marked as tests.

mod common;

use inference::conformance::{Verdict, judge};
use inference::gpu::{GpuExec, Tiles};

/// Runs the cases of these rows of operators and onnxruntime's verdict, all of which must pass, and gives back what ran
/// them and on how many of them it had work.
fn passed(tiles: Tiles, halves: bool, only: impl Fn(&str, &str) -> bool) -> Option<(GpuExec, usize)> {
    let folder = testbed::reference("data/onnx-node-tests")?;
    let manifest = std::fs::read_to_string(folder.join("manifest.tsv")).unwrap();
    let mut lines = manifest.lines().map(|l| l.split('\t').collect::<Vec<_>>());
    let header = lines.next().unwrap();
    let column = |name: &str| header.iter().position(|h| h.starts_with(name)).unwrap();
    let (name, category, kind, ort) = (column("name"), column("category"), column("gpu"), column("ort_cpu"));
    let operators = column("ops");
    let tests = common::node_tests(&folder.join("developer.tar.zst"));
    let exec = GpuExec::new(common::gpu()?, true);
    let mut exec = if halves { exec.in_halves() } else { exec };
    exec.recorder_mut().set_tiles(tiles);
    let (mut passed, mut on_gpu) = (0, 0);
    let mut wrong = Vec::new();
    let base = |l: &Vec<&str>| l[category] == "core" && l[kind] == "gpu";
    for row in lines.filter(|l| base(l) && only(l[operators], l[ort])) {
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
    assert!(wrong.is_empty(), "{} do not pass:\n{}", wrong.len(), wrong.join("\n"));
    Some((exec, on_gpu))
}

#[test]
fn every_core_case_that_a_gpu_can_run_passes_on_it() {
    let Some((_, on_gpu)) = passed(Tiles::Registers, false, |_, ort| ort == "ok") else { return };
    assert!(on_gpu >= 470, "only {on_gpu} cases did anything on the GPU");
}

/// The same with half floats stored as such: what computes on those has to round as ONNX does, everything else to bring
/// them over.
#[test]
fn every_core_case_that_a_gpu_can_run_passes_with_half_floats_stored_as_such() {
    let Some((_, on_gpu)) = passed(Tiles::Registers, true, |_, ort| ort == "ok") else { return };
    assert!(on_gpu >= 470, "only {on_gpu} cases did anything on the GPU");
}

#[test]
fn products_pass_with_tiles_in_workgroup_memory() {
    let tiled = |operators: &str, ort: &str| {
        ort == "ok" && ["Conv", "MatMul", "Gemm"].iter().any(|name| operators.contains(name))
    };
    let Some((exec, on_gpu)) = passed(Tiles::SharedAlways, false, tiled) else { return };
    assert!(on_gpu >= 20, "only {on_gpu} cases did anything on the GPU");
    // Convolutions of node tests have one channel: those that have more are among the kernel's cases and the models.
    assert!(exec.recorder().has_compiled(&shaders::inference::MATMUL_SHARED));
}

#[test]
fn quantization_runs_on_the_gpu() {
    // onnxruntime knows the operators, but not yet the opset of their cases.
    let quantizes = |operators: &str, _: &str| operators.trim_start_matches("De").ends_with("uantizeLinear");
    let Some((_, on_gpu)) = passed(Tiles::Registers, false, quantizes) else { return };
    assert!(on_gpu >= 3, "only {on_gpu} cases did anything on the GPU");
}
