//! Geometry and values of the reference data equal what nibabel and pydicom give.
//!
//! The expectations were written by `reference/expected_affines.py`, which knows nothing of this crate.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::path::{Path, PathBuf};

use imaging::disk::files_under;
use imaging::header::display_name;
use imaging::limits::Limits;
use imaging::{Catalog, Source, Volume, read_study};
use serde_json::Value;

fn shared() -> Option<PathBuf> {
    testbed::reference("data/volumes").map(|_| testbed::shared())
}

/// Affines are decimal strings of at most 16 digits, or float32 in NIfTI-1: 1e-5 mm is far below both.
const AFFINE_TOLERANCE: f64 = 1e-5;
/// Sums of up to 17 million values of float32 precision.
const VALUE_TOLERANCE: f64 = 1e-5;

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

/// What differs, or nothing.
fn differences(case: &Value, volume: &Volume) -> Vec<String> {
    let mut out = Vec::new();
    let dims: Vec<f64> = volume.grid.dims().map(f64::from).into();
    if dims != numbers(&case["dims"]) {
        out.push(format!("dims {dims:?} instead of {}", case["dims"]));
    }
    if u64::from(volume.time_points) != case["time_points"].as_u64().unwrap() {
        out.push(format!("time points {} instead of {}", volume.time_points, case["time_points"]));
    }
    let got = volume.grid.world_from_voxel_row_major();
    for (i, (got, want)) in got.iter().zip(numbers(&case["world_from_voxel"])).enumerate() {
        if (got - want).abs() > AFFINE_TOLERANCE {
            out.push(format!("affine[{}][{}] {got} instead of {want}", i / 4, i % 4));
        }
    }
    let (mut min, mut max, mut sum, mut n) = (f64::INFINITY, f64::NEG_INFINITY, 0.0, 0usize);
    for stored in (0..volume.voxels.len()).filter_map(|i| volume.voxels.get(i)).filter(|x| x.is_finite()) {
        let value = volume.rescale.apply(stored);
        min = min.min(value);
        max = max.max(value);
        sum += value;
        n += 1;
    }
    for (name, got) in [("min", min), ("max", max), ("mean", sum / n as f64)] {
        let want = case[name].as_f64().unwrap();
        if (got - want).abs() > VALUE_TOLERANCE * want.abs().max(1.0) {
            out.push(format!("{name} {got} instead of {want}"));
        }
    }
    out
}

fn load(path: &Path) -> (Catalog<imaging::disk::DiskFile>, Volume) {
    let mut catalog = read_study(files_under(&[path.to_owned()]).unwrap(), &Limits::default());
    catalog.ledger.check().unwrap();
    assert_eq!(catalog.series.iter().filter(|s| s.displayable).count(), 1, "{}", path.display());
    let volume = catalog.volume(0).unwrap();
    (catalog, volume)
}

#[test]
fn every_reference_volume_lies_where_nibabel_and_pydicom_put_it() {
    let Some(shared) = shared() else { return };
    let expected: Value = serde_json::from_str(include_str!("reference/expected_affines.json")).unwrap();
    let cases = expected["cases"].as_array().unwrap();
    assert!(cases.len() >= 25, "{} cases", cases.len());
    let mut failures = Vec::new();
    for case in cases {
        let path = case["path"].as_str().unwrap();
        let (_, volume) = load(&shared.join(path));
        for difference in differences(case, &volume) {
            failures.push(format!("{path}: {difference}"));
        }
        // The comparison itself: a swapped axis and a shifted value must not pass.
        let mut planted = case.clone();
        planted["world_from_voxel"][3] = (case["world_from_voxel"][3].as_f64().unwrap() + 1e-3).into();
        planted["mean"] = (case["mean"].as_f64().unwrap() * 1.001 + 0.001).into();
        assert!(differences(&planted, &volume).len() >= 2, "{path}: the planted faults passed");
    }
    assert!(failures.is_empty(), "{} differences:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn totalsegmentator_ct_is_one_series_with_its_warnings() {
    let Some(shared) = shared() else { return };
    let (catalog, volume) = load(&shared.join("data/totalsegmentator-ct/example_ct_dicom"));
    let series = &catalog.series[0];
    assert_eq!((series.instances, series.unit.as_str()), (20, "HU"));
    let warnings = series.warnings.join("\n");
    assert!(warnings.contains("SOP Class UID (0008,0016) is empty"), "{warnings}");
    assert!(warnings.contains("no Series Instance UID"), "{warnings}");
    assert_eq!(volume.missing, Vec::<[u32; 2]>::new());
}

/// All the reference folders: nothing is lost, nothing panics, and the sum is right.
#[test]
fn every_file_of_the_reference_data_is_accounted_for() {
    let Some(shared) = shared() else { return };
    for folder in ["dicom", "totalsegmentator-ct", "volumes", "calcium-qrm"] {
        let files = files_under(&[shared.join("data").join(folder)]).unwrap();
        let received = files.len();
        let mut catalog = read_study(files, &Limits::default());
        for index in 0..catalog.series.len() {
            // A failure is an error with words; what it means for the ledger is checked below.
            let _ = catalog.volume(index);
        }
        catalog.ledger.check().unwrap();
        let ledger = &catalog.ledger;
        let top = ledger.entries().iter().filter(|e| !e.file.contains(".zip/") && !e.file.contains(".npz/"));
        assert!(top.count() >= received, "{folder}");
        for index in 0..catalog.series.len() {
            for file in catalog.files(index) {
                assert!(!catalog.item(file).unwrap().name().is_empty());
            }
        }
    }
}

/// Names as pydicom 3.0.2 decodes them.
#[test]
fn names_in_every_character_set() {
    let Some(shared) = shared() else { return };
    let cases = [
        ("chrArab", "قباني^لنزار"),
        ("chrFren", "Buc^Jérôme"),
        ("chrGerm", "Äneas^Rüdiger"),
        ("chrGreek", "Διονυσιος"),
        ("chrH31", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("chrH32", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう"),
        ("chrHbrw", "שרון^דבורה"),
        ("chrI2", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("chrJapMulti", "やまだ^たろう"),
        ("chrKoreanMulti", "김희중"),
        ("chrRuss", "Люкceмбypг"),
        ("chrX1", "Wang^XiaoDong=王^小東"),
        ("chrX2", "Wang^XiaoDong=王^小东"),
    ];
    for (file, want) in cases {
        let path = shared.join(format!("data/dicom/pydicom/charset_files/{file}.dcm"));
        let catalog = read_study(files_under(&[path]).unwrap(), &Limits::default());
        assert_eq!(catalog.studies[0].patient_name, display_name(want), "{file}");
    }
}
