//! A model chosen from the list and run in the browser: progress, labels, cancel, and what is refused.
//!
//! The network is brainchop's MeshNet for grey and white matter, served from an operator's folder with the card of
//! `docs/models.md`; the counts are those of onnxruntime on the same head (`volumes/brainchop`).

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::time::Duration;

use e2e::{Bench, Options};
use serde_json::{Value, json};

const MODEL: &str = "meshnet-model5_gw_ae.onnx";
/// Voxels of label 1 and 2 by onnxruntime: numpy.unique(seg, return_counts=True).
const WHITE: f64 = 518_540.0;
const GREY: f64 = 735_212.0;

/// The card that the documentation shows.
fn card() -> Value {
    let text = std::fs::read_to_string(testbed::checkout().join("docs/models.md")).unwrap();
    let json = text.split("```json").nth(1).and_then(|t| t.split("```").next()).unwrap();
    serde_json::from_str(json).unwrap()
}

struct Case {
    b: Bench,
    head: PathBuf,
    folder: PathBuf,
}

impl Drop for Case {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).ok();
    }
}

/// A server that offers the MeshNet, its file changed by `change`, with the head open in the page.
fn open(name: &str, query: &str, change: impl FnOnce(&mut Vec<u8>)) -> Option<Case> {
    // Chromium hands over no file whose path goes up.
    let head = testbed::reference("data/volumes/brainchop/t1_crop.nii.gz")?.canonicalize().unwrap();
    let model = testbed::reference(&format!("data/models/{MODEL}"))?;
    let folder = std::env::temp_dir().join(format!("isocenter-models-{name}-{}", std::process::id()));
    // The server wants a folder to be called as its model.
    let own = folder.join("meshnet-tissue");
    std::fs::create_dir_all(&own).unwrap();
    std::fs::write(own.join("model.json"), card().to_string()).unwrap();
    let mut bytes = std::fs::read(&model).unwrap();
    change(&mut bytes);
    std::fs::write(own.join(MODEL), bytes).unwrap();
    let b = Bench::start(Options { models: Some(folder.clone()), ..Options::default() }).unwrap();
    b.open_ready(query).unwrap();
    b.open_study(std::slice::from_ref(&head)).unwrap();
    b.wait_visible("model-start").unwrap();
    Some(Case { b, head, folder })
}

fn set(b: &Bench, test_id: &str, value: &str) {
    let script = "const e = document.querySelector(arguments[0]); e.value = arguments[1]; \
                  e.dispatchEvent(new Event('change', { bubbles: true }))";
    b.driver().run(script, &[Bench::id(test_id).into(), json!(value)]).unwrap();
}

/// Chooses the model whose title holds this.
fn pick(b: &Bench, title: &str) {
    let script = "const e = document.querySelector(arguments[0]); \
                  const at = [...e.options].findIndex(o => o.text.includes(arguments[1])); \
                  e.value = e.options[at].value; e.dispatchEvent(new Event('change', { bubbles: true }))";
    b.driver().run(script, &[Bench::id("model-choice").into(), json!(title)]).unwrap();
}

/// Closes the labels, so that the next figures are those of the next run.
fn close_labels(b: &Bench) {
    b.click("labels-close").unwrap();
    let figures = Bench::id("label-1-figures");
    b.wait_for("no labels", Duration::from_secs(10), &format!("!document.querySelector('{figures}')"))
        .unwrap();
}

fn voxels(b: &Bench, label: u32) -> f64 {
    b.number(&format!("label-{label}-figures"), "voxels").unwrap()
}

fn text_of(b: &Bench, test_id: &str, within_s: u64) -> String {
    let id = Bench::id(test_id);
    b.wait_for(test_id, Duration::from_secs(within_s), &format!("document.querySelector('{id}')?.innerText"))
        .unwrap();
    b.text(test_id).unwrap()
}

#[test]
fn a_head_is_segmented_by_a_model_of_the_list() {
    let Some(Case { b, folder: _folder, .. }) = &open("run", "", |_| {}) else { return };
    pick(b, "MeshNet");
    b.click("model-start").unwrap();
    b.wait_visible("model-run").unwrap();
    let said = text_of(b, "model-outcome", 120);
    assert!(said.contains("MeshNet") && said.to_lowercase().contains("cpu"), "{said}");
    b.wait_visible("label-1").unwrap();
    b.settle().unwrap();
    for (label, want) in [(1, WHITE), (2, GREY)] {
        let got = voxels(b, label);
        assert!((got - want).abs() < 1e-3 * want, "label {label}: {got} voxels, onnxruntime has {want}");
    }
    assert!(b.text("labels-origin").unwrap().contains("MeshNet"));
    println!("{said}");
    let before = voxels(b, 1);
    // Later runs take the file from the browser's cache.
    let asked = || b.requests().iter().filter(|r| r.target.contains("/download")).count();
    assert_eq!(asked(), 1);
    let asked_for_again = || {
        close_labels(b);
        b.click("model-start").unwrap();
        b.wait_visible("model-earlier").unwrap();
        b.wait_visible("label-1-figures").unwrap();
        b.settle().unwrap();
    };
    // The same once more is not computed, and the page says so.
    let both = [1, 2].map(|label| voxels(b, label));
    asked_for_again();
    assert_eq!([1, 2].map(|label| voxels(b, label)), both);
    assert!(b.text("model-earlier").unwrap().contains("earlier run"));
    assert!(b.text("labels-origin").unwrap().contains("MeshNet"));
    // And again: what was kept is still there after it was handed over.
    asked_for_again();
    assert_eq!([1, 2].map(|label| voxels(b, label)), both);
    // Elsewhere is another question.
    set(b, "model-place", "cpu");
    b.click("model-start").unwrap();
    b.wait_visible("model-run").unwrap();
    b.click("model-cancel").unwrap();
    b.wait_visible("model-start").unwrap();
    set(b, "model-place", "auto");
    b.click("model-again").unwrap();
    b.wait_visible("model-run").unwrap();
    // Ended in the middle: the page is at rest and the labels of before are there.
    b.click("model-cancel").unwrap();
    b.wait_visible("model-start").unwrap();
    assert_eq!(voxels(b, 1), before);
    assert_eq!(asked(), 1);
    b.expect_calm().unwrap();
}

/// The 3D U-Net that finds the head has transposed convolutions, on which onnxruntime-web gives up on WebGPU. The
/// graphics process is ended in the middle of the second run, as a driver does that starts anew.
#[test]
fn a_gpu_gives_the_cpus_labels_and_a_lost_device_costs_no_result() {
    let Some(Case { b, folder: _folder, .. }) = &open("gpu", "", |_| {}) else { return };
    pick(b, "deepbet");
    let run = |place: &str| {
        set(b, "model-place", place);
        b.click("model-start").unwrap();
        b.wait_visible("model-run").unwrap();
    };
    let ended = || {
        let id = Bench::id("model-run");
        let rest = format!("!document.querySelector('{id}')");
        b.wait_for("the end of the run", Duration::from_secs(240), &rest).unwrap();
        let failure = Bench::id("model-failure");
        let why =
            b.driver().run(&format!("return document.querySelector('{failure}')?.innerText ?? ''"), &[]);
        assert_eq!(why.unwrap(), json!(""));
        // What an earlier run labelled was closed, so these are this run's figures.
        b.wait_visible("label-1-figures").unwrap();
        b.settle().unwrap();
        let found = (b.text("models").unwrap(), voxels(b, 1));
        close_labels(b);
        found
    };
    run("cpu");
    let (said, by_cpu) = ended();
    assert!(!said.contains("operators on the GPU"), "{said}");
    run("gpu");
    let (said, by_gpu) = ended();
    println!("{said}: {by_gpu} voxels, the CPU {by_cpu}");
    assert!(said.contains("operators on the GPU"), "{said}");
    assert!((by_gpu - by_cpu).abs() <= 1e-3 * by_cpu, "{by_gpu} {by_cpu}");
    // Known by now, so it is asked for anew.
    b.click("model-start").unwrap();
    b.wait_visible("label-1-figures").unwrap();
    close_labels(b);
    b.click("model-again").unwrap();
    b.wait_visible("model-run").unwrap();
    let id = Bench::id("model-run");
    let computing = format!("document.querySelector('{id}')?.innerText.includes('Computing')");
    b.wait_for("the middle of the run", Duration::from_secs(60), &computing).unwrap();
    b.driver().devtools("Browser.crashGpuProcess", json!({})).ok();
    let (said, again) = ended();
    println!("{said}");
    assert!(said.contains("began again"), "{said}");
    assert_eq!(again, by_gpu);
}

#[test]
fn a_model_that_needs_more_than_the_budget_is_refused_with_the_megabytes() {
    let Some(Case { b, .. }) = &open("budget", "", |_| {}) else { return };
    pick(b, "MeshNet");
    set(b, "model-budget", "100");
    b.click("model-start").unwrap();
    let said = text_of(b, "model-failure", 60);
    assert!(said.contains("MB") && said.contains("95 MB are allowed"), "{said}");
    assert!(!b.visible("labels-origin").unwrap(), "nothing was labelled");
}

#[test]
fn a_damaged_model_is_not_offered() {
    let Some(Case { b, .. }) = &open("damaged", "", |bytes| bytes[9_000] ^= 1) else { return };
    let list = b.text("model-choice").unwrap();
    assert!(list.contains("deepbet") && !list.contains("MeshNet"), "{list}");
    b.driver()
        .run("document.querySelector(arguments[0]).open = true", &[Bench::id("models-refused").into()])
        .unwrap();
    let why = b.text("models-refused").unwrap();
    assert!(why.contains("meshnet-tissue") && why.contains("sha256"), "{why}");
}

#[test]
fn a_dropped_file_that_is_no_model_is_refused_and_the_page_goes_on() {
    let Some(Case { b, head, .. }) = &open("dropped", "", |_| {}) else { return };
    let broken = b.write_file("broken.onnx", b"\x08\x09 this is no model").unwrap();
    b.drop_files(&[broken]).unwrap();
    b.wait_for(
        "the list",
        Duration::from_secs(10),
        "document.querySelector('[data-testid=model-choice]')?.innerText.includes('broken.onnx')",
    )
    .unwrap();
    pick(b, "broken.onnx");
    b.click("model-start").unwrap();
    let said = text_of(b, "model-failure", 60);
    assert!(said.contains("ONNX"), "{said}");
    assert!(Path::new(head).exists() && b.visible("panel-axial").unwrap());
}
