//! Label maps as a reader uses them: opened over a CT, shown, edited, kept as DICOM and opened again equal.
//!
//! The CT and its 41 labels are TotalSegmentator's; counts and statistics were computed with numpy and nibabel.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::{Bench, Button, Options};
use serde_json::{Value, json};

/// `[label, voxels, mL]` with nibabel: numpy.unique(seg, return_counts=True), times 27 mm³.
const KNOWN: [(u32, u32, f64); 3] = [(5, 38_634, 1_043.118), (1, 9_452, 255.204), (117, 2_100, 56.7)];

fn data(name: &str) -> Option<PathBuf> {
    // Chromium hands over no file whose path goes up.
    Some(testbed::reference(&format!("data/totalsegmentator-ct/{name}"))?.canonicalize().unwrap())
}

/// Gives a file to a hidden input.
fn choose(b: &Bench, input: &str, file: &Path) {
    let element = b.driver().find(&Bench::id(input)).unwrap();
    b.driver().type_into(&element, &file.to_string_lossy()).unwrap();
}

fn set(b: &Bench, test_id: &str, value: &str, event: &str) {
    let script = "const e = document.querySelector(arguments[0]); e.value = arguments[1]; \
                  e.dispatchEvent(new Event(arguments[2], { bubbles: true }))";
    b.driver().run(script, &[Bench::id(test_id).into(), json!(value), json!(event)]).unwrap();
}

fn voxels(b: &Bench, label: u32) -> f64 {
    b.number(&format!("label-{label}-figures"), "voxels").unwrap()
}

fn wait_voxels(b: &Bench, what: &str, label: u32, holds: &str) {
    let id = Bench::id(&format!("label-{label}-figures"));
    let expression = format!("(n => n {holds})(Number(document.querySelector('{id}')?.dataset.voxels))");
    b.wait_for(what, Duration::from_secs(20), &expression).unwrap();
    b.settle().unwrap();
}

/// All rows as `[label, voxels]`.
fn rows(b: &Bench) -> Value {
    let script = "return [...document.querySelectorAll('[data-testid^=\"label-\"][data-testid$=\"-figures\"]')]\
                  .map(e => [e.dataset.testid, e.dataset.voxels])";
    b.driver().run(script, &[]).unwrap()
}

/// A file that the page keeps.
fn kept(b: &Bench, button: &str, name: &str) -> PathBuf {
    let path = b.folder().join(name);
    std::fs::remove_file(&path).ok();
    b.click(button).unwrap();
    let begun = Instant::now();
    let complete = || {
        let there = std::fs::metadata(&path).is_ok_and(|m| m.len() > 0);
        there && !path.with_extension("crdownload").exists()
    };
    while !complete() {
        assert!(begun.elapsed() < Duration::from_secs(30), "{name} was not kept");
        std::thread::sleep(Duration::from_millis(50));
    }
    path
}

/// Colours in a panel's picture that are no grey.
fn coloured(b: &Bench) -> usize {
    coloured_in(b, "panel-axial")
}

fn coloured_in(b: &Bench, panel: &str) -> usize {
    let picture = b.picture(panel).unwrap();
    picture.rgb.iter().filter(|[r, g, b]| r.abs_diff(*g).max(g.abs_diff(*b)) > 40).count()
}

#[test]
fn labels_are_opened_edited_kept_and_opened_again_equal() {
    let (Some(ct), Some(labels)) = (data("example_ct_sm.nii.gz"), data("example_seg.nii.gz")) else { return };
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    let download = json!({ "behavior": "allow", "downloadPath": b.folder().to_string_lossy() });
    b.driver().devtools("Browser.setDownloadBehavior", download).unwrap();
    b.open_study(&[ct]).unwrap();
    let plain = coloured(&b);
    choose(&b, "labels-input", &labels);
    b.wait_visible("label-5").unwrap();
    b.settle().unwrap();
    assert_eq!(rows(&b).as_array().unwrap().len(), 41);
    for (label, count, ml) in KNOWN {
        assert_eq!(voxels(&b, label), f64::from(count), "label {label}");
        let shown = b.number(&format!("label-{label}-figures"), "ml").unwrap();
        assert!((shown - ml).abs() < 1e-3, "label {label}: {shown} mL");
    }
    assert!(coloured(&b) > plain + 3_000, "{} coloured pixels, {plain} before", coloured(&b));

    // Hidden, alone, shown again: drawing only.
    b.click("labels-none").unwrap();
    b.settle().unwrap();
    assert!(coloured(&b) < plain + 200, "{}", coloured(&b));
    b.click("label-5-solo").unwrap();
    b.settle().unwrap();
    let alone = coloured(&b);
    // Through the whole volume it is seen at once, in panels that are smaller than the one before.
    b.click("labels-projections").unwrap();
    b.settle().unwrap();
    assert_eq!(b.attribute("labels-projections", "aria-pressed").unwrap().as_deref(), Some("true"));
    let projected = coloured_in(&b, "panel-slab");
    b.click("labels-projections").unwrap();
    b.settle().unwrap();
    assert_eq!(coloured(&b), alone, "the slices are back");
    assert!(projected > alone / 8, "{projected} {alone}");
    b.click("labels-all").unwrap();
    b.settle().unwrap();
    assert!(alone > 200 && alone < coloured(&b));

    // A stroke of a new label, taken back and done again.
    b.click("label-add").unwrap();
    wait_voxels(&b, "the new label", 12, "=== 0");
    b.click("brush-paint").unwrap();
    set(&b, "brush-radius", "9", "input");
    let rect = b.rect("panel-axial").unwrap();
    b.drag(Button::Left, rect.at(0.45, 0.5), rect.at(0.6, 0.5)).unwrap();
    wait_voxels(&b, "the stroke", 12, "> 40");
    let painted = voxels(&b, 12);
    let after = rows(&b);
    b.click("labels-undo").unwrap();
    wait_voxels(&b, "undo", 12, "=== 0");
    assert_eq!(voxels(&b, 5), f64::from(KNOWN[0].1), "the voxels below came back");
    b.click("labels-redo").unwrap();
    wait_voxels(&b, "redo", 12, &format!("=== {painted}"));
    assert_eq!(rows(&b), after);

    // A locked label is not painted over.
    b.click("label-12-lock").unwrap();
    b.wait_for(
        "the lock",
        Duration::from_secs(10),
        &format!("document.querySelector('{}').ariaPressed === 'true'", Bench::id("label-12-lock")),
    )
    .unwrap();
    b.click("brush-rub-out").unwrap();
    b.drag(Button::Left, rect.at(0.45, 0.5), rect.at(0.6, 0.5)).unwrap();
    b.settle().unwrap();
    assert_eq!(voxels(&b, 12), painted);

    // Kept, closed, opened again: the same labels.
    round_trips(&b, &[("labels-nifti", "labels.nii.gz")], "label-12");
    let csv = std::fs::read_to_string(kept(&b, "labels-csv", "labels.csv")).unwrap();
    assert!(csv.contains("Research use only") && csv.contains("9452"), "{csv}");
    // There is no DICOM series that a DICOM Segmentation could refer to, and the reader is told.
    b.click("labels-seg").unwrap();
    b.wait_visible("labels-failure").unwrap();
    assert!(b.text("labels-failure").unwrap().contains("NIfTI"));
    b.expect_calm().unwrap();
}

/// Keeps the label map, closes it, opens the file: nothing has changed.
fn round_trips(b: &Bench, files: &[(&str, &str)], last: &str) {
    let before = rows(b);
    for (button, name) in files {
        let path = kept(b, button, name);
        b.click("labels-close").unwrap();
        b.wait_visible("labels-begin").unwrap();
        choose(b, "labels-input", &path);
        b.wait_visible(last).unwrap();
        b.settle().unwrap();
        assert_eq!(rows(b), before, "{name}");
    }
}

#[test]
fn labels_of_a_dicom_series_are_kept_as_dicom_and_opened_again_equal() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    let download = json!({ "behavior": "allow", "downloadPath": b.folder().to_string_lossy() });
    b.driver().devtools("Browser.setDownloadBehavior", download).unwrap();
    let study = phantom::cardiac::study().unwrap();
    let files: Vec<PathBuf> = study
        .files
        .iter()
        .map(|(name, bytes)| b.write_file(&format!("study/{name}"), bytes).unwrap())
        .collect();
    b.open_study(&files).unwrap();
    // Made for scoring, it is scored; the labels have the picture when that is closed.
    b.wait_visible("calcium-close").unwrap();
    b.click("calcium-close").unwrap();
    b.wait_visible("labels-begin").unwrap();
    b.click("labels-begin").unwrap();
    b.wait_visible("label-1").unwrap();
    b.click("brush-grow").unwrap();
    set(&b, "range-from", "300", "change");
    let rect = b.rect("panel-axial").unwrap();
    b.click_at(rect.at(0.02, 0.02)).unwrap();
    b.wait_for(
        "a refusal",
        Duration::from_secs(10),
        &format!("!!document.querySelector('{}')", Bench::id("labels-failure")),
    )
    .unwrap();
    set(&b, "range-from", "", "change");
    b.click("brush-paint").unwrap();
    b.click("brush-ball").unwrap();
    b.drag(Button::Left, rect.at(0.4, 0.4), rect.at(0.6, 0.6)).unwrap();
    wait_voxels(&b, "the stroke", 1, "> 1000");
    b.click("label-add").unwrap();
    wait_voxels(&b, "another label", 2, "=== 0");
    b.drag(Button::Left, rect.at(0.6, 0.4), rect.at(0.7, 0.4)).unwrap();
    wait_voxels(&b, "its stroke", 2, "> 200");
    round_trips(&b, &[("labels-seg", "labels.dcm"), ("labels-labelmap", "labelmap.dcm")], "label-2");
    let drawn = rows(&b);
    let kept = ["labels.dcm", "labelmap.dcm"].map(|name| b.folder().join(name));
    b.expect_calm().unwrap();

    // Dropped after its series it lies over it by itself; one that is dropped onto labels replaces nothing.
    let entry =
        "[...document.querySelectorAll('[data-testid=series-row]')].filter(e => e.innerText.includes('SEG'))";
    let told = |what: &str, words: &str| {
        let script = format!("document.body.innerText.includes({})", json!(words));
        b.wait_for(what, Duration::from_secs(20), &script).unwrap();
        b.settle().unwrap();
    };
    b.click("labels-close").unwrap();
    b.wait_visible("labels-begin").unwrap();
    b.drop_files(&kept[..1]).unwrap();
    told("the notice", "2 labels was laid over series");
    assert_eq!(rows(&b), drawn);
    b.click("label-add").unwrap();
    wait_voxels(&b, "a label of the reader", 3, "=== 0");
    let edited = rows(&b);
    b.drop_files(&kept[1..]).unwrap();
    told("the second notice", "has labels already");
    assert_eq!(rows(&b), edited);
    let listed = b.driver().run(&format!("return {entry}.length"), &[]).unwrap();
    assert_eq!(listed, json!(2), "one entry for each object, however many segments it has");
    // Closed they stay away until the reader asks.
    b.click("labels-close").unwrap();
    b.wait_visible("labels-begin").unwrap();
    b.driver().run(&format!("{entry}[0].click()"), &[]).unwrap();
    b.wait_visible("label-2").unwrap();
    b.settle().unwrap();
    assert_eq!(rows(&b), drawn);

    // Alone it says what it lacks; with its series, dropped later, it lies over it.
    b.click("close-all").unwrap();
    b.drop_files(&kept[..1]).unwrap();
    told("what is missing", "whose images are not here");
    b.open_study(&files).unwrap();
    b.wait_visible("calcium-close").unwrap();
    b.click("calcium-close").unwrap();
    b.wait_visible("label-2").unwrap();
    b.settle().unwrap();
    assert_eq!(rows(&b), drawn);
    b.expect_calm().unwrap();
}

#[test]
fn a_file_that_is_no_label_map_is_refused_with_the_reason() {
    let Some(ct) = data("example_ct_sm.nii.gz") else { return };
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    b.open_study(std::slice::from_ref(&ct)).unwrap();
    let text = b.write_file("notes.nii", b"no image at all").unwrap();
    choose(&b, "labels-input", &text);
    b.wait_for("the notice", Duration::from_secs(10), "document.body.innerText.includes('NIfTI')").unwrap();
    choose(&b, "labels-input", &ct);
    b.wait_for(
        "the notice",
        Duration::from_secs(10),
        "/not a label map|no label map|negative|255/.test(document.body.innerText)",
    )
    .unwrap();
}
