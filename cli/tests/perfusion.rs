//! `isocenter perfusion` as a script calls it: exit codes, fields, files, refusals.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use imaging::disk::files_under;
use imaging::limits::Limits;
use imaging::{NiftiVoxels, Voxels, nifti_bytes, read_study};
use phantom::perfusion as head;
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};
use serde_json::Value;

fn perfusion(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_isocenter")).arg("perfusion").args(arguments).output().unwrap()
}

fn json(output: &Output) -> Value {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[track_caller]
fn refused(arguments: &[&str], words: &str) {
    let output = perfusion(arguments);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty());
    assert!(said.starts_with("error: ") && said.contains(words), "{said}");
}

/// A folder that is removed again.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("isocenter-perfusion-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
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

const DIMS: [u32; 3] = [13, 11, 2];
const FRAMES: usize = 45;

fn grid() -> Grid {
    let turn = DMat3::from_axis_angle(DVec3::Z, 0.2) * DMat3::from_diagonal(DVec3::new(1.5, 2.0, 5.0));
    let placed = DAffine3::from_mat3_translation(turn, DVec3::new(-10.0, 7.5, 30.0));
    Grid::new(DIMS, placed, LengthUnit::Millimetre, Frame::Patient).unwrap()
}

/// Concentration: an artery in the first row, a vein in the last, grey matter elsewhere; the first voxel is constant.
fn values() -> Vec<f32> {
    let grey = head::REGIONS.iter().find(|r| r.name == "grey_matter").unwrap();
    let mut out = Vec::new();
    for t in (0..FRAMES).map(|t| t as f64) {
        for i in 0..DIMS.iter().product::<u32>() {
            let row = i / DIMS[0] % DIMS[1];
            let value = match (i, row) {
                (0, _) => 0.0,
                (_, 0) => head::aif_hu(t),
                (_, 10) => head::vof_hu(t),
                _ => grey.enhancement_hu(t),
            };
            out.push(value as f32);
        }
    }
    out
}

/// As NIfTI with 2 s or another step.
fn series(folder: &Folder, name: &str, values: &[f32], step_s: f64) -> String {
    let bytes = nifti_bytes(&grid(), NiftiVoxels::F32(values), Some(step_s), "", false).unwrap();
    std::fs::write(folder.0.join(name), bytes).unwrap();
    folder.text(name)
}

fn map(path: &Path) -> (Vec<f32>, [f64; 16]) {
    let mut catalog = read_study(files_under(&[path.to_owned()]).unwrap(), &Limits::default());
    let volume = catalog.volume(0).unwrap();
    let Voxels::F32(values) = &volume.voxels else { panic!("a map is float") };
    (values.clone(), volume.grid.world_from_voxel_row_major())
}

#[test]
fn maps_report_and_session_are_written_and_can_be_run_again() {
    let folder = Folder::new("maps");
    let path = series(&folder, "dynamic.nii", &values(), 1.0);
    let (out, csv, pdf) = (folder.text("out"), folder.text("curves.csv"), folder.text("page.pdf"));
    let common = ["--json", "--out", &out, "--csv", &csv, "--pdf", &pdf];
    let first =
        perfusion(&[&[path.as_str(), "--signal", "concentration", "--aif", "3,0,1"][..], &common].concat());
    let first = json(&first);
    assert_eq!(first["backend"], "cpu");
    assert_eq!(first["aif"]["times_s"].as_array().unwrap().len(), FRAMES);
    assert_eq!(first["aif"]["source"], "voxel [3, 0, 1]");
    assert_eq!(first["settings"]["method"], "csvd");
    assert!(
        first["quality"]
            .as_array()
            .unwrap()
            .iter()
            .all(|c| c["check"].is_string() && c["passed"].is_boolean())
    );
    assert!(first["volumes_ml"]["core"].is_number() && first["timings_ms"]["total"].is_number());
    assert_eq!(first["voxels"]["computed"], 285, "one voxel is constant");
    let at = 5 * DIMS[0] as usize + 6;
    // Truth: 60 ml/100 g/min, 4 ml/100 g, 4 s; truncation lowers flow (docs/perfusion.md).
    let mut maps = Vec::new();
    for (name, low, high) in [("cbf", 30.0, 65.0), ("cbv", 3.6, 4.4), ("mtt", 3.0, 9.0), ("tmax", 0.0, 3.0)] {
        let (values, placed) = map(&folder.0.join(format!("out/{name}.nii.gz")));
        let want = grid().world_from_voxel_row_major();
        assert!(placed.iter().zip(want).all(|(a, b)| (a - b).abs() < 1e-4), "{name} lies elsewhere");
        assert!((low..high).contains(&f64::from(values[at])), "{name}: {}", values[at]);
        assert!(
            values[0] == 0.0 && values.iter().all(|v| v.is_finite()),
            "{name}: the constant voxel is masked"
        );
        maps.push(values);
    }
    let text = std::fs::read_to_string(&csv).unwrap();
    assert!(text.starts_with("# Research use only") && text.contains("time_s,aif,"), "{text}");
    let shown = testbed::pdf::shown(&std::fs::read(&pdf).unwrap()).join("\n");
    assert!(shown.contains("Research use only") && shown.contains("Identification is not shown"), "{shown}");
    for check in first["quality"].as_array().unwrap().iter().filter(|c| c["passed"] == false) {
        assert!(shown.contains("QUALITY CHECK FAILED") && text.contains(check["check"].as_str().unwrap()));
    }

    // The report is a session: run again it gives the same maps, and one argument changes one thing.
    let saved = folder.text("report.json");
    std::fs::write(&saved, first.to_string()).unwrap();
    let again = json(&perfusion(&[path.as_str(), "--session", &saved, "--json", "--out", &out]));
    assert_eq!(again["session"], first["session"]);
    assert_eq!(map(&folder.0.join("out/cbf.nii.gz")).0, maps[0]);
    let other = perfusion(&[
        path.as_str(),
        "--session",
        &saved,
        "--method",
        "lucy-richardson",
        "--json",
        "--out",
        &out,
    ]);
    assert_eq!(json(&other)["settings"]["method"], "lucy-richardson");
    assert_ne!(map(&folder.0.join("out/cbf.nii.gz")).0, maps[0]);
}

#[test]
fn what_cannot_be_computed_is_refused_with_a_reason() {
    let folder = Folder::new("refusals");
    let curves = values();
    let n = curves.len() / FRAMES;
    let dynamic = series(&folder, "dynamic.nii", &curves, 1.0);
    refused(&[&dynamic], "CT, DSC or concentration (--signal)");
    refused(&[&dynamic, "--signal", "dsc"], "--te-ms");
    refused(&[&dynamic, "--signal", "dsc", "--te-ms", "-3"], "Echo times");
    refused(&[&dynamic, "--signal", "concentration", "--aif", "90,0,0"], "outside of the volume");
    refused(&[&dynamic, "--signal", "concentration", "--aif", "0,0,0"], "no voxel with a usable curve");
    refused(&[&dynamic, "--signal", "concentration", "--aif", "nowhere.csv"], "nowhere.csv");
    refused(&[&dynamic, "--signal", "concentration", "--truncation", "1.5"], "truncation of 1.5");
    refused(
        &[&dynamic, "--signal", "concentration", "--method", "lucy-richardson", "--iterations", "0"],
        "0 iterations",
    );
    refused(&[&dynamic, "--signal", "concentration", "--density", "0"], "density");
    refused(&[&dynamic, "--signal", "concentration", "--dt-s", "0"], "time step of 0");
    refused(&[&folder.text("none.nii")], "cannot read the given paths");
    let flat = series(&folder, "flat.nii", &curves[..n], 1.0);
    refused(&[&flat, "--signal", "concentration"], "3D");
    let short = series(&folder, "short.nii", &curves[..5 * n], 1.0);
    refused(&[&short, "--signal", "concentration"], "5 time points");
    let constant = series(&folder, "constant.nii", &vec![7.0; curves.len()], 1.0);
    refused(&[&constant, "--signal", "concentration"], "constant over time");
    let negative: Vec<f32> =
        curves.iter().map(|_| -5.0).enumerate().map(|(i, v)| v - (i % 7) as f32).collect();
    let negative = series(&folder, "negative.nii", &negative, 1.0);
    refused(&[&negative, "--signal", "dsc", "--te-ms", "30"], "baseline that is not above 0");
    // A header without a time step: refused, and computed once the step is given.
    let timeless = series(&folder, "timeless.nii", &curves, 0.0);
    refused(&[&timeless, "--signal", "concentration"], "--dt-s");
    let given = perfusion(&[&timeless, "--signal", "concentration", "--dt-s", "1", "--json"]);
    assert_eq!(json(&given)["settings"]["dt_s"], 1.0);
}
