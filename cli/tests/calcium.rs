//! `isocenter calcium` as a script calls it: exit codes, fields, numbers, refusals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use phantom::synthetic::Fill;
use phantom::{Mark, Modality, SyntheticSpec, synthetic};
use serde_json::Value;

fn calcium(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isocenter")).arg("calcium").args(arguments).output().unwrap()
}

/// As on a machine without any driver for Vulkan.
fn without_a_gpu(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_isocenter"));
    command.arg("calcium").args(arguments).env("VK_DRIVER_FILES", "none").env("VK_ICD_FILENAMES", "none");
    command.output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn refused(output: &Output, code: i32, words: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(output.stdout.is_empty());
    assert!(said.starts_with("error: ") && said.contains(words), "{said}");
}

/// A folder that is removed again.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("isocenter-calcium-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, spec: &SyntheticSpec) -> &Self {
        for (name, bytes) in synthetic(spec).unwrap() {
            let path = self.0.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
        self
    }

    fn text(&self, name: &str) -> String {
        self.0.join(name).to_str().unwrap().to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Two lesions: 3 x 3 pixels in two slices at 250 HU, and 2 x 2 in one at 500 HU.
fn scan() -> SyntheticSpec {
    SyntheticSpec {
        name: "scan".into(),
        dims: [16, 14, 6],
        spacing_mm: [0.5, 0.75, 3.0],
        fill: Fill::Constant(-50.0),
        marks: vec![
            Mark::Box { from: [2, 2, 1], to: [4, 4, 2], value: 250.0 },
            Mark::Box { from: [9, 9, 4], to: [10, 10, 4], value: 500.0 },
        ],
        ..SyntheticSpec::default()
    }
}

/// A NIfTI-1 of bytes on the grid of [`scan`]; `shift_mm` moves it.
fn map(folder: &Folder, name: &str, shift_mm: f32, label: impl Fn([u32; 3]) -> u8) -> String {
    let spec = scan();
    let mut bytes = vec![0u8; 352];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0, &348i32.to_le_bytes());
    for (i, n) in [3, spec.dims[0], spec.dims[1], spec.dims[2], 1, 1, 1, 1].into_iter().enumerate() {
        put(40 + 2 * i, &(n as i16).to_le_bytes());
    }
    put(70, &2i16.to_le_bytes());
    put(72, &8i16.to_le_bytes());
    for (i, mm) in [1.0, 0.5, 0.75, 3.0f32].into_iter().enumerate() {
        put(76 + 4 * i, &mm.to_le_bytes());
    }
    put(108, &352f32.to_le_bytes());
    put(112, &1f32.to_le_bytes());
    put(123, &[2]);
    put(254, &1i16.to_le_bytes());
    // NIfTI is RAS: the first two axes of LPS change their sign.
    let [x, y, z] = spec.origin_mm.map(|v| v as f32);
    for (row, values) in
        [[-0.5, 0.0, 0.0, -x + shift_mm], [0.0, -0.75, 0.0, -y], [0.0, 0.0, 3.0, z]].into_iter().enumerate()
    {
        for (i, v) in values.into_iter().enumerate() {
            put(280 + 16 * row + 4 * i, &f32::to_le_bytes(v));
        }
    }
    put(344, b"n+1\0");
    for z in 0..spec.dims[2] {
        for y in 0..spec.dims[1] {
            for x in 0..spec.dims[0] {
                bytes.push(label([x, y, z]));
            }
        }
    }
    let path = folder.0.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A copy of a map with other bytes.
fn edited(folder: &Folder, name: &str, from: &str, edit: impl Fn(&mut Vec<u8>)) -> String {
    let mut bytes = std::fs::read(from).unwrap();
    edit(&mut bytes);
    let path = folder.0.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

/// The same labels at the same places, stored from the other ends of columns and slices.
fn turned(folder: &Folder, from: &str) -> String {
    let [nx, ny, nz] = scan().dims.map(|n| n as usize);
    edited(folder, "turned.nii", from, |bytes| {
        let old = bytes.clone();
        for i in 0..nx * ny * nz {
            let (x, y, z) = (i % nx, i / nx % ny, i / (nx * ny));
            bytes[352 + i] = old[352 + ((nz - 1 - z) * ny + y) * nx + nx - 1 - x];
        }
        let number = |at: usize| f32::from_le_bytes(old[at..at + 4].try_into().unwrap());
        for row in 0..3 {
            let at = |column: usize| 280 + 16 * row + 4 * column;
            let end = number(at(3)) + number(at(0)) * (nx - 1) as f32 + number(at(2)) * (nz - 1) as f32;
            for (column, v) in [(0, -number(at(0))), (2, -number(at(2))), (3, end)] {
                bytes[at(column)..][..4].copy_from_slice(&v.to_le_bytes());
            }
        }
    })
}

#[test]
fn the_fields_of_the_contract() {
    let folder = Folder::new("fields");
    folder.write(&scan());
    let csv = folder.text("table.csv");
    let report = json(&calcium(&[&folder.text("scan"), "--mass-factor", "0.75e-3", "--csv", &csv, "--json"]));
    // 9 pixels of 0.375 mm², weight 2, twice; 4 pixels, weight 4.
    let want = 2.0 * 9.0 * 0.375 * 2.0 + 4.0 * 0.375 * 4.0;
    assert_eq!(report["total"]["agatston"], want);
    assert_eq!(report["total"]["volume_mm3"], (18.0 + 4.0) * 0.375 * 3.0);
    let mass = report["total"]["mass_mg"].as_f64().unwrap();
    assert!((mass - 0.75e-3 * 0.375 * 3.0 * (18.0 * 250.0 + 4.0 * 500.0)).abs() < 1e-12, "{mass}");
    assert_eq!(report["components"].as_array().unwrap().len(), 3);
    let c = &report["components"][2];
    assert_eq!((&c["slice"], &c["voxels"], &c["weight"]), (&4.into(), &4.into(), &4.into()));
    assert_eq!(c["centroid"], serde_json::json!([9.5, 9.5]));
    assert_eq!((&c["area_mm2"], &c["peak_hu"], &c["mean_hu"]), (&1.5.into(), &500.0.into(), &500.0.into()));
    for field in ["agatston", "volume_mm3", "mass_mg", "lesion"] {
        assert!(c[field].is_number(), "{field}");
    }
    let lesions = report["lesions"].as_array().unwrap();
    assert_eq!(lesions.len(), 2);
    assert_eq!((&lesions[0]["id"], &lesions[0]["vessel"]), (&1.into(), &Value::Null));
    assert_eq!(report["category"], "A1");
    // Where the machine has a GPU of its own, it computes there.
    let backend = report["backend"].as_str().unwrap();
    assert!(backend == "cpu" || backend.starts_with("gpu: "), "{backend}");
    assert_eq!(report["settings"]["connectivity"], 8);
    assert_eq!(report["settings_sha256"].as_str().unwrap().len(), 64);
    assert!(report["timings_ms"]["total"].as_f64().unwrap() > 0.0);
    assert!(report["warnings"].as_array().unwrap().len() >= 2);
    assert_eq!(report["stamp"], Value::Null);
    let table = std::fs::read_to_string(&csv).unwrap();
    assert!(table.contains(&format!("\ntotal,,,2,3,{want},")), "{table}");
    assert!(table.contains("Research use only"));
    assert_eq!(table.lines().filter(|l| l.starts_with("lesion,")).count(), 2);
}

#[test]
fn options_change_what_they_say() {
    let folder = Folder::new("options");
    folder.write(&scan());
    let at = folder.text("scan");
    let run = |more: &[&str]| json(&calcium(&[&[at.as_str(), "--json"], more].concat()));
    let threshold = run(&["--threshold", "300"]);
    assert_eq!(threshold["components"].as_array().unwrap().len(), 1);
    assert!(threshold["stamp"].as_str().unwrap().starts_with("NON-STANDARD THRESHOLD"));
    let area = run(&["--min-area-mm2", "2"]);
    assert_eq!((&area["lesions"].as_array().unwrap().len(), &area["components_too_small"]), (&1, &1.into()));
    assert_eq!(run(&["--connectivity", "4"])["settings"]["connectivity"], 4);
    assert_eq!(run(&["--profile", "siemens"])["settings"]["slice_rule"], "thickness");
    assert_eq!(run(&["--backend", "cpu"])["backend"], "cpu");

    let mask = map(&folder, "mask.nii", 0.0, |[x, _, _]| u8::from(x < 8));
    let masked = run(&["--mask", &mask]);
    assert_eq!(masked["lesions"].as_array().unwrap().len(), 1);
    assert_eq!(masked["total"]["agatston"], 2.0 * 9.0 * 0.375 * 2.0);
    let vessels = map(&folder, "vessels.nii", 0.0, |[x, _, _]| if x < 8 { 2 } else { 0 });
    let assigned = run(&["--vessels", &vessels]);
    assert_eq!(assigned["category"], "A1/N1");
    assert_eq!(
        (&assigned["lesions"][0]["vessel"], &assigned["lesions"][1]["vessel"]),
        (&"LAD".into(), &Value::Null)
    );
    assert_eq!(assigned["total"]["agatston"], 2.0 * 9.0 * 0.375 * 2.0);
    // The same mask with its columns and slices turned round is the same mask.
    let flipped = turned(&folder, &mask);
    let again = run(&["--mask", &flipped]);
    assert_eq!(again["components"], masked["components"]);
    assert!(again["warnings"].to_string().contains("lies on another grid"));
    // Without a place it can only be meant voxel by voxel.
    let unplaced = edited(&folder, "unplaced.nii", &mask, |bytes| {
        for (row, values) in
            [[1f32, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]].iter().enumerate()
        {
            for (i, v) in values.iter().enumerate() {
                bytes[280 + 16 * row + 4 * i..][..4].copy_from_slice(&v.to_le_bytes());
            }
        }
    });
    let again = run(&["--mask", &unplaced]);
    assert_eq!(again["components"], masked["components"]);
    assert!(again["warnings"].to_string().contains("says nothing about its place"));
    let shifted = map(&folder, "shifted.nii", 0.5, |_| 1);
    refused(&calcium(&[&at, "--mask", &shifted, "--json"]), 2, "its grid lies elsewhere");

    let person = folder.0.join("person.json");
    let text = r#"{"age_years": 70, "male": true, "ancestry": "hispanic", "diabetes": false, "smoker": false,
        "total_cholesterol_mg_dl": 190, "hdl_mg_dl": 50, "lipid_drugs": false, "systolic_mmhg": 130,
        "blood_pressure_drugs": true, "family_history": false}"#;
    std::fs::write(&person, text).unwrap();
    let risk = run(&["--threshold", "600", "--person", person.to_str().unwrap()]);
    assert_eq!(risk["total"]["agatston"], 0.0);
    assert!((risk["mesa_10_year_risk_percent"].as_f64().unwrap() - 3.06).abs() < 0.005);
    assert_eq!(risk["percentile"], Value::Null, "no table, no percentile");
    // Numbers made up for this test; they describe nobody.
    let table = folder.0.join("table.json");
    let rows = r#"[{"male": true, "age_from": 65, "age_to": 74, "percentiles": [[50, 1], [75, 30]]}]"#;
    std::fs::write(&table, format!(r#"{{"source": "made up", "rows": {rows}}}"#)).unwrap();
    let ranked = run(&["--person", person.to_str().unwrap(), "--percentiles", table.to_str().unwrap()]);
    assert_eq!(
        ranked["percentile"],
        serde_json::json!({ "at_or_above": 50.0, "below": 75.0, "source": "made up" })
    );
}

#[test]
fn a_gpu_gives_the_same_numbers() {
    let folder = Folder::new("gpu");
    folder.write(&scan());
    let at = folder.text("scan");
    let output = calcium(&[&at, "--json", "--backend", "gpu"]);
    if output.status.code() == Some(1) && std::env::var("CI").as_deref() != Ok("true") {
        println!("UNPROVEN: {}", String::from_utf8_lossy(&output.stderr));
        return;
    }
    let mut on_gpu = json(&output);
    let mut on_cpu = json(&calcium(&[&at, "--json", "--backend", "cpu"]));
    assert!(on_gpu["backend"].as_str().unwrap().starts_with("gpu: "), "{}", on_gpu["backend"]);
    for report in [&mut on_gpu, &mut on_cpu] {
        for differs in ["backend", "timings_ms", "read_ms"] {
            assert!(report.as_object_mut().unwrap().remove(differs).is_some(), "{differs}");
        }
    }
    assert_eq!(on_gpu, on_cpu);
    // Without any, `auto` says nothing and computes.
    assert_eq!(json(&without_a_gpu(&[&at, "--json"]))["backend"], "cpu");
}

#[test]
fn bad_input_ends_with_2_and_says_what_to_do() {
    let folder = Folder::new("bad");
    folder.write(&scan());
    let at = folder.text("scan");
    refused(&calcium(&["no/such/path", "--json"]), 2, "cannot read the given paths");
    refused(&calcium(&[&at, "--connectivity", "6"]), 2, "connectivity 6");
    refused(&calcium(&[&at, "--threshold", "20"]), 2, "20 HU");
    refused(&calcium(&[&at, "--mass-factor", "0"]), 2, "mass factor of 0");
    refused(&calcium(&[&at, "--profile", "none"]), 2, "no profile none");
    refused(&calcium(&[&at, "--mask", &folder.text("no.nii.gz")]), 2, "cannot read");
    refused(&without_a_gpu(&[&at, "--backend", "gpu"]), 1, "there is no GPU to compute on");
    refused(&calcium(&[&at, "--csv", &folder.text("no/such/folder.csv")]), 1, "cannot write");
    std::fs::write(folder.0.join("notes.txt"), "no image").unwrap();
    refused(&calcium(&[&folder.text("notes.txt")]), 2, "no series with a picture");
    assert_eq!(calcium(&[]).status.code(), Some(2), "no path at all");
}

#[test]
fn other_modalities_and_several_scans_are_refused() {
    let mr = Folder::new("mr");
    mr.write(&SyntheticSpec { modality: Modality::Mr, ..scan() });
    refused(&calcium(&[&mr.text(""), "--json"]), 2, "The modality is MR");
    let two = Folder::new("two");
    two.write(&scan()).write(&SyntheticSpec { name: "other".into(), ..scan() });
    let output = calcium(&[&two.text(""), "--json"]);
    refused(&output, 2, "2 series that could be meant");
    assert!(json(&calcium(&[&two.text(""), "--series", "2", "--json"]))["total"]["agatston"].is_number());
    refused(&calcium(&[&two.text(""), "--series", "3"]), 2, "no series 3");
    // An MR beside one CT is no second scan.
    let both = Folder::new("both");
    both.write(&scan()).write(&SyntheticSpec { name: "mr".into(), modality: Modality::Mr, ..scan() });
    assert!(calcium(&[&both.text(""), "--json"]).status.success());
}

#[test]
fn nifti_in_hounsfield_units_is_scored_with_a_warning() {
    let folder = Folder::new("nifti");
    let volume = map(&folder, "volume.nii", 0.0, |[x, y, _]| if x == 3 && y < 4 { 200 } else { 0 });
    let report = json(&calcium(&[&volume, "--json"]));
    assert_eq!(report["input"]["modality"], "NIfTI");
    assert_eq!(report["total"]["agatston"], 6.0 * 4.0 * 0.375 * 2.0);
    let warnings = report["warnings"].as_array().unwrap();
    assert!(warnings.iter().any(|w| w.as_str().unwrap().starts_with("NIfTI names no unit")), "{warnings:?}");
}

/// The total of the nine inserts of the QRM phantom, as FQM has it.
#[test]
fn the_qrm_phantom_from_the_command_line() {
    let Some(folder) = testbed::reference("data/calcium-qrm") else { return };
    let path = |name: &str| Path::new(&folder).join(name).to_str().unwrap().to_owned();
    let report = json(&calcium(&[&path("data"), "--mass-factor", "0.7220477104e-3", "--json"]));
    let expected = std::fs::read_to_string(folder.join("expected_large_rep1.csv")).unwrap();
    let (mut total, mut inserts) = (0.0, 0);
    for row in expected.lines().skip(1) {
        let field = |i: usize| row.split(',').nth(i).unwrap().parse::<f64>().unwrap();
        let (y, x, r, low, high) = (field(1), field(2), field(3), field(4), field(5));
        let (mut agatston, mut mass) = (0.0, 0.0);
        for c in report["components"].as_array().unwrap() {
            let at = |i: usize| c["centroid"][i].as_f64().unwrap();
            let slice = c["slice"].as_f64().unwrap();
            if slice >= low && slice <= high && (at(0) - x).hypot(at(1) - y) < r {
                agatston += c["agatston"].as_f64().unwrap();
                mass += c["mass_mg"].as_f64().unwrap();
            }
        }
        assert!(
            (agatston - field(7)).abs() < 1e-4 && (mass - field(8)).abs() < 1e-4,
            "{row}: {agatston} {mass}"
        );
        total += agatston;
        inserts += 1;
    }
    assert_eq!(inserts, 9);
    assert!((total - 966.6265).abs() < 1e-3, "{total}");
}

#[test]
fn the_pdf_is_written_and_shows_no_name_unless_asked() {
    let folder = Folder::new("pdf");
    folder.write(&scan());
    let (at, pdf) = (folder.text("scan"), folder.text("report.pdf"));
    json(&calcium(&[&at, "--pdf", &pdf, "--json"]));
    let holds = |text: &str| {
        let bytes = std::fs::read(&pdf).unwrap();
        assert!(bytes.starts_with(b"%PDF-"));
        bytes.windows(text.len()).any(|w| w == text.as_bytes())
    };
    assert!(holds("Agatston score") && holds("Identification is not shown.") && !holds("Phantom"));
    json(&calcium(&[&at, "--pdf", &pdf, "--identify", "Phantom A", "--json"]));
    assert!(holds("Phantom A") && !holds("Identification is not shown."));
}
