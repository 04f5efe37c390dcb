//! `isocenter segment` as a script calls it: the reference head, files of a DICOM series, refusals.
//!
//! A model of one operator is written byte by byte here, so that its answer is known without a runtime.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use imaging::disk::{DiskFile, files_under};
use imaging::limits::Limits;
use imaging::{Source as _, Volume, read_study};
use phantom::synthetic::Fill;
use phantom::{SyntheticSpec, synthetic};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

fn segment(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isocenter")).arg("segment").args(arguments).output().unwrap()
}

fn success(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn refused(output: &Output, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty());
    assert!(said.starts_with("error: ") && said.contains(words), "{said}");
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("isocenter-segment-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn text(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }

    /// A synthetic series in `study`, and a model of two classes in `model`.
    fn study_and_model(name: &str) -> Self {
        let folder = Self::new(name);
        // From 0 to an odd number in whole steps: no voxel lies in the very middle.
        let fill = Fill::Ramp { base: -500.0, per: [7.0, 11.0, 23.0, 0.0] };
        for (name, bytes) in synthetic(&SyntheticSpec { fill, ..SyntheticSpec::default() }).unwrap() {
            let path = folder.0.join("study").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        folder.card("half", "CT", &half(), |_| {});
        folder
    }

    fn card(&self, name: &str, modality: &str, bytes: &[u8], change: impl FnOnce(&mut Value)) {
        let sha256: String = Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
        let mut card = json!({
            "name": name, "version": "1", "title": "Upper half of the values", "task": "segmentation",
            "modalities": [modality],
            "variants": [{ "precision": "fp32", "file": "half.onnx", "sha256": sha256, "size_bytes": bytes.len(),
                "opset": 13, "operators": ["Conv"] }],
            "input": { "name": "x", "layout": "ncdhw", "channels": 1,
                "geometry": { "size": { "kind": "multiple_of", "samples": [1, 1, 1] }, "fit": { "kind": "pad_or_crop" } },
                "intensity": [{ "kind": "range", "clip": false }] },
            "output": { "name": "y", "kind": "logits", "labels": [{ "index": 1, "name": "Bright", "colour": [9, 8, 7],
                "code": { "value": "10200004", "scheme": "SCT", "meaning": "Liver" } }] },
            "licence": { "spdx": "MIT", "copyright": "nobody" },
            "card": { "source": "this test", "conversion": "by hand", "intended_use": "tests", "limitations": "all",
                "training_data": "none" }
        });
        change(&mut card);
        let folder = self.0.join("models").join(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("model.json"), card.to_string()).unwrap();
        std::fs::write(folder.join("half.onnx"), bytes).unwrap();
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A field of a protobuf message with a length.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![number << 3 | 2];
    let mut length = content.len();
    while length > 127 {
        out.push(length as u8 | 128);
        length >>= 7;
    }
    out.push(length as u8);
    out.extend_from_slice(content);
    out
}

fn number(field: u8, value: u8) -> Vec<u8> {
    vec![field << 3, value]
}

/// `y = Conv(x, w, b)` with a 1 x 1 x 1 kernel and two channels: -x + 0.5 and x - 0.5, so class 1 is the upper half.
fn half() -> Vec<u8> {
    let tensor = |name: &str, dims: &[u8], values: [f32; 2]| {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        let dims: Vec<u8> = dims.iter().flat_map(|d| number(1, *d)).collect();
        [dims, number(2, 1), field(8, name.as_bytes()), field(9, &raw)].concat()
    };
    let info = |name: &str| {
        let axis = |name: &str| field(1, &field(2, name.as_bytes()));
        let shape: Vec<u8> = ["n", "c", "d", "h", "w"].map(axis).concat();
        let of_type = field(1, &[number(1, 1), field(2, &shape)].concat());
        [field(1, name.as_bytes()), field(2, &of_type)].concat()
    };
    let node = [
        field(1, b"x"),
        field(1, b"w"),
        field(1, b"b"),
        field(2, b"y"),
        field(3, b"conv"),
        field(4, b"Conv"),
    ]
    .concat();
    // The output has other channels than the input: its type is left to the reader.
    let graph = [
        field(1, &node),
        field(2, b"g"),
        field(5, &tensor("w", &[2, 1, 1, 1, 1], [-1.0, 1.0])),
        field(5, &tensor("b", &[2], [0.5, -0.5])),
        field(11, &info("x")),
        field(12, &field(1, b"y")),
    ]
    .concat();
    [number(1, 8), field(7, &graph), field(8, &number(2, 13))].concat()
}

fn load(path: &Path) -> Volume {
    let files = files_under(&[path.to_owned()]).unwrap();
    read_study(files, &Limits::default()).volume(0).unwrap()
}

/// Whether a voxel's value lies in the upper half of all, by the definition.
fn upper_half(image: &Volume) -> Vec<u8> {
    let count = image.grid.voxel_count();
    let values: Vec<f64> = (0..count).map(|at| image.rescale.apply(image.voxels.get(at).unwrap())).collect();
    let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(a, b), v| (a.min(*v), b.max(*v)));
    values.iter().map(|v| u8::from((v - low) / (high - low) > 0.5)).collect()
}

#[test]
fn a_named_model_labels_a_dicom_series_and_writes_its_files() {
    let folder = Folder::study_and_model("named");
    let study = folder.text("study");
    let (models, out) = (folder.text("models"), folder.text("out"));
    let arguments = ["half", &study, "--models", &models, "--out", &out, "--backend", "cpu", "--json"];
    let summary = success(&segment(&arguments));
    let image = load(Path::new(&study));
    let want = upper_half(&image);
    let bright = want.iter().filter(|label| **label == 1).count();
    assert!(bright > 100 && bright < want.len() - 100, "{bright} of {}", want.len());
    let label = &summary["labels"][0];
    assert_eq!(
        (&label["id"], &label["name"], &label["voxels"]),
        (&json!(1), &json!("Bright"), &json!(bright))
    );
    let cell = image.grid.world_from_voxel().matrix3.determinant().abs() / 1000.0;
    assert!((label["volume_ml"].as_f64().unwrap() - cell * bright as f64).abs() < 1e-9);
    assert_eq!(summary["files"], json!(["labels.nii.gz", "volumes.csv", "labels.dcm"]));
    assert_eq!(summary["warnings"], json!([]));

    let nifti = load(&folder.0.join("out/labels.nii.gz"));
    let of = |volume: &Volume| {
        (0..volume.grid.voxel_count()).map(|at| volume.voxels.get(at).unwrap() as u8).collect()
    };
    let got: Vec<u8> = of(&nifti);
    assert_eq!(got, want);
    let file = DiskFile::open(folder.0.join("out/labels.dcm")).unwrap();
    let read = segmentation::dicom::read(&file, &image.grid, None).unwrap();
    assert_eq!(read.labels.voxels(), want);
    let described = &read.labels.labels()[0];
    assert_eq!(
        (described.name.as_str(), described.code.as_ref().unwrap().value.as_str()),
        ("Bright", "10200004")
    );
    let table = std::fs::read_to_string(folder.0.join("out/volumes.csv")).unwrap();
    assert!(table.lines().nth(1).unwrap().starts_with(&format!("1,Bright,{bright},")), "{table}");
    assert!(file.len() > 132);

    // The other kind of object says the same.
    segment(&[&arguments[..], &["--seg", "labelmap"]].concat());
    let file = DiskFile::open(folder.0.join("out/labels.dcm")).unwrap();
    assert_eq!(segmentation::dicom::read(&file, &image.grid, None).unwrap().labels.voxels(), want);
}

#[test]
fn a_bare_file_runs_with_what_is_assumed_said() {
    let folder = Folder::study_and_model("bare");
    let bare = folder.text("bare.onnx");
    std::fs::write(&bare, half()).unwrap();
    let summary = success(&segment(&[&bare, &folder.text("study"), "--json", "--backend", "cpu"]));
    let want = upper_half(&load(&folder.0.join("study")));
    let bright = want.iter().filter(|label| **label == 1).count();
    assert_eq!(summary["labels"][0]["voxels"], json!(bright));
    assert_eq!(summary["labels"].as_array().unwrap().len(), 1);
    assert!(summary["warnings"][0].as_str().unwrap().contains("no card"), "{}", summary["warnings"]);
    // The same file beside a card that names it is run by the card.
    let carded = success(&segment(&[&folder.text("models/half/half.onnx"), &folder.text("study"), "--json"]));
    assert_eq!(carded["labels"][0]["name"], json!("Bright"));
}

#[test]
fn refusals_name_what_is_wrong() {
    let folder = Folder::study_and_model("refusals");
    let (study, models) = (folder.text("study"), folder.text("models"));
    let run =
        |name: &str| segment(&[name, &study, "--models", &models, "--bundled-models", "nowhere", "--json"]);
    refused(
        &run("brain"),
        "there is no model \"brain\": name a file, a folder with a model.json, or one of: half",
    );
    folder.card("changed", "CT", &half(), |_| {});
    std::fs::write(folder.0.join("models/changed/half.onnx"), b"other").unwrap();
    refused(&run("changed"), "its card says");
    folder.card("classes", "CT", &half(), |card| card["task"] = json!("classification"));
    refused(&run("classes"), "not for segmentation");
    folder.card("other", "CT", &half(), |card| card["input"]["name"] = json!("z"));
    refused(&run("other"), "has no input \"z\"");
    folder.card("wide", "CT", &half(), |card| {
        card["input"]["geometry"]["size"] = json!({ "kind": "fixed", "samples": [160, 160, 160] });
    });
    // The image alone takes 16 MB; the rest may be done in slabs.
    let small = ["wide", &study, "--models", &models, "--budget-mb", "12", "--json"];
    refused(&segment(&small), "12 MB are allowed");
    folder.card("broken", "CT", &half(), |card| card["variants"][0]["opset"] = json!("x"));
    refused(&segment(&[&folder.text("models/broken"), &study]), "is no card");
    folder.card("mr", "MR", &half(), |_| {});
    let told = success(&run("mr"));
    assert!(
        told["warnings"][0].as_str().unwrap().contains("made for MR, the series is CT"),
        "{}",
        told["warnings"]
    );
    let no_precision = ["half", &study, "--models", &models, "--variant", "int8"];
    refused(&segment(&no_precision), "half comes as fp32");
}

#[test]
fn a_network_agrees_with_onnxruntime_on_a_head() {
    let (Some(model), Some(head), Some(shared)) = (
        testbed::reference("data/models/meshnet-model5_gw_ae.onnx"),
        testbed::reference("data/models/t1/t1_crop.nii.gz"),
        testbed::reference("data/volumes/brainchop/expected_meshnet5_seg.npz"),
    ) else {
        return;
    };
    // The whole head takes too long for every run of the tests; `docs/models.md` has the card for it.
    let folder = Folder::new("head");
    let text = std::fs::read_to_string(testbed::checkout().join("docs/models.md")).unwrap();
    let card = text.split("```json").nth(1).unwrap().split("```").next().unwrap();
    let mut card: Value = serde_json::from_str(card).unwrap();
    card["input"]["geometry"]["size"]["samples"] = json!([96, 96, 96]);
    std::fs::write(folder.0.join("model.json"), card.to_string()).unwrap();
    std::fs::copy(model, folder.0.join("meshnet-model5_gw_ae.onnx")).unwrap();
    let out = folder.text("out");
    let summary = success(&segment(&[
        &folder.text("model.json"),
        head.to_str().unwrap(),
        "--out",
        &out,
        "--backend",
        "cpu",
        "--json",
    ]));
    let names: Vec<&str> =
        summary["labels"].as_array().unwrap().iter().map(|l| l["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["White matter", "Grey matter"]);
    assert!(summary["warnings"][0].as_str().unwrap().contains("No labels.dcm"), "{}", summary["warnings"]);
    let expected = npz_labels(&shared);
    let got = load(&folder.0.join("out/labels.nii.gz"));
    // The middle 16 of the 96: what lies deeper than the network looks (46) would take a larger part of the head.
    let mut equal = 0;
    for z in 120..136usize {
        for y in 120..136usize {
            for x in 120..136usize {
                let want = expected[(x * 256 + y) * 256 + z];
                equal += usize::from(got.voxels.get((z * 256 + y) * 256 + x) == Some(f64::from(want)));
            }
        }
    }
    assert!(equal >= 4060, "{equal} of 4096 voxels");
}

/// The one array of a `.npz`: 256 x 256 x 256 bytes, last index fastest.
fn npz_labels(path: &Path) -> Vec<u8> {
    use std::io::Read as _;
    let mut archive = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    let mut bytes = Vec::new();
    archive.by_index(0).unwrap().read_to_end(&mut bytes).unwrap();
    let at = bytes.len() - 256 * 256 * 256;
    assert!(String::from_utf8_lossy(&bytes[..at]).contains("'fortran_order': False"));
    bytes.split_off(at)
}
