//! Times the calcium score of 512^3 int16 with 1 % candidates, and its cost against size and share.
//! Prints one JSON object. Side by side on the same volume, in one run: scipy.ndimage.label per slice and
//! connected-components-3d (`bench/calcium_speed.py`, in a virtual environment below the target folder).
//!
//! Where there is a GPU, the same on it.
//!
//! usage: cargo bench -p calcium --bench calcium -- [--alone] [--quick] [--docs]
//! `--alone` leaves out the peers, `--quick` the tables; `--docs` also writes docs/calcium-speed.md.

mod document;
mod gpu;

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use calcium::{Effort, Input, Reading, Request};
use imaging::header::Acquisition;
use imaging::{Volume, Voxels};
use phantom::random::Random;
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// Soft tissue with noise below the lowest threshold, and balls of calcium until `share` of the voxels is
/// reached: candidates come in lesions, as in a patient.
fn volume(side: u32, share: f64) -> Result<Volume, Failure> {
    let n = side as usize;
    let mut random = Random::new(512);
    let noise: Vec<i16> = (0..1 << 16).map(|_| (10.0 + 12.0 * random.normal()).min(45.0) as i16).collect();
    let mut values: Vec<i16> =
        (0..n * n * n).map(|i| noise[(i.wrapping_mul(40_503) ^ (i >> 9)) & 0xffff]).collect();
    let wanted = (share * (n * n * n) as f64) as usize;
    let mut painted = 0;
    while painted < wanted {
        let [x, y, z] = [0; 3].map(|_: i64| (random.uniform() * n as f64) as i64);
        let r = 1 + (random.uniform().powi(3) * 9.0) as i64;
        for dz in -r..=r {
            for dy in -r..=r {
                for dx in -r..=r {
                    let at = [x + dx, y + dy, z + dz];
                    let inside = at.iter().all(|v| (0..n as i64).contains(v));
                    if inside && dx * dx + dy * dy + dz * dz <= r * r && painted < wanted {
                        let voxel = &mut values[(at[2] as usize * n + at[1] as usize) * n + at[0] as usize];
                        painted += usize::from(*voxel < 50);
                        *voxel = 130 + (random.next_u32() % 700) as i16;
                    }
                }
            }
        }
    }
    let spacing = DMat3::from_diagonal(DVec3::new(0.4, 0.4, 0.5));
    let grid = Grid::new([side; 3], DAffine3::from_mat3(spacing), LengthUnit::Millimetre, Frame::Patient)?;
    let mut volume = Volume::new(Voxels::I16(values), grid);
    volume.unit = "HU".into();
    Ok(volume)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn best(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::INFINITY, f64::min)
}

/// Medians in ms over `repeat` runs, and the same on the GPU.
fn measure(volume: &Volume, repeat: usize, device: &mut Option<gpu::Device>) -> Result<Value, Failure> {
    let acquisition = Acquisition { kvp: vec![120.0], ..Acquisition::default() };
    let input = Input { volume, modality: "CT", acquisition: &acquisition, reading_warnings: &[] };
    let clock = Instant::now();
    let now_ms = || clock.elapsed().as_secs_f64() * 1000.0;
    let (mut full, mut collect, mut label, mut score, mut sensitivity, mut step) =
        (vec![], vec![], vec![], vec![], vec![], vec![]);
    let mut step_full = Vec::new();
    let mut candidates = 0;
    let mut components = 0;
    let mut agatston = 0.0;
    for round in 0..repeat {
        let report = calcium::run(&input, &Request::default(), &Reading::default(), &now_ms)?;
        let t = report.timings_ms;
        full.push(t.total);
        collect.push(t.candidates);
        label.push(t.label);
        score.push(t.score);
        sensitivity.push(t.sensitivity);
        components = report.components.len() + report.components_too_small as usize;
        agatston = report.total.agatston;
        // A slider step: another threshold from the table.
        let table = calcium::collect(&input, calcium::LOWEST_THRESHOLD_HU, None)?;
        candidates = table.len();
        let began = now_ms();
        let request = Request { threshold_hu: Some(150.0 + round as f64), ..Request::default() };
        let quick = Reading { effort: Effort::Quick, ..Reading::default() };
        calcium::rescore(&input, &table, &request, &quick, &now_ms)?;
        step.push(now_ms() - began);
        let began = now_ms();
        calcium::rescore(&input, &table, &request, &Reading::default(), &now_ms)?;
        step_full.push(now_ms() - began);
    }
    let on_gpu = device.as_mut().filter(|d| d.takes(volume.grid.voxel_count()));
    let on_gpu = on_gpu.map(|d| d.measure(&input, repeat, agatston)).transpose()?;
    let dims = volume.grid.dims();
    Ok(json!({
        "gpu": on_gpu,
        "dims": dims,
        "candidates": candidates,
        "components": components,
        "agatston": agatston,
        "full_ms": median(full.clone()),
        "candidates_ms": median(collect.clone()),
        "label_ms": median(label.clone()),
        "score_ms": median(score.clone()),
        "sensitivity_ms": median(sensitivity.clone()),
        "rescore_ms": median(step.clone()),
        // Wall time suffers from whatever else the machine does; the best run shows what the code needs.
        "full_best_ms": best(&full),
        "candidates_best_ms": best(&collect),
        "label_best_ms": best(&label),
        "score_best_ms": best(&score),
        "sensitivity_best_ms": best(&sensitivity),
        "rescore_best_ms": best(&step),
        // With isotropic volume and the other conventions, as when the slider is let go.
        "rescore_full_ms": median(step_full.clone()),
        "rescore_full_best_ms": best(&step_full),
    }))
}

fn run(command: &mut Command) -> Result<(), Failure> {
    let status = command.status()?;
    if status.success() { Ok(()) } else { Err(format!("{command:?} ended with {status}").into()) }
}

/// The same volume through the Python packages.
fn peers(volume: &Volume) -> Result<Value, Failure> {
    let this = std::env::current_exe()?;
    let target = this.ancestors().find(|p| p.ends_with("release")).and_then(Path::parent);
    let work = target.ok_or("run this in release")?.join("bench-calcium");
    let scripts = testbed::checkout().join("bench");
    let python = work.join("venv/bin/python");
    let requirements = scripts.join("calcium_requirements.txt");
    let installed = work.join("venv/installed.txt");
    if std::fs::read(&installed).ok() != Some(std::fs::read(&requirements)?) {
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(work.join("venv")))?;
        run(Command::new(&python).args(["-m", "pip", "install", "-q", "-r"]).arg(&requirements))?;
        std::fs::copy(&requirements, &installed)?;
    }
    let Voxels::I16(values) = &volume.voxels else { return Err("the volume is not int16".into()) };
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let file = work.join("volume.bin");
    std::fs::write(&file, bytes)?;
    let side = volume.grid.dims()[0].to_string();
    let output = Command::new(&python).arg(scripts.join("calcium_speed.py")).arg(&file).arg(side).output()?;
    std::fs::remove_file(&file)?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |name: &str| arguments.iter().any(|a| a == name);
    // Two threads on two cores that others use as well: the figures mean little without this one.
    let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: f64 = load.split(' ').next().and_then(|l| l.parse().ok()).unwrap_or(f64::NAN);
    let main_volume = volume(512, 0.01)?;
    let mut device = gpu::Device::find()?;
    let ours = measure(&main_volume, 15, &mut device)?;
    let mut report = serde_json::Map::new();
    if !has("--alone") {
        let theirs = peers(&main_volume)?;
        let count = |value: &Value| value["components"].as_u64();
        let mut ahead = serde_json::Map::new();
        for (name, figures) in theirs.as_object().into_iter().flatten() {
            if figures["per_slice"] == true && count(figures) != count(&ours) {
                return Err(
                    format!("{name} finds {:?} components, we {:?}", count(figures), count(&ours)).into()
                );
            }
            let best = |name: &str| ours[name].as_f64();
            // Mask, components of each slice, area and peak: ours are done after these two steps, and the
            // full score then also weighs, joins lesions in 3D, interpolates and compares conventions.
            let same = best("candidates_best_ms").zip(best("label_best_ms")).map(|(a, b)| a + b);
            let same = same.filter(|_| figures["per_slice"] == true);
            let theirs = figures["best_ms"].as_f64().ok_or("a peer gave no time")?;
            let times = |ours: Option<f64>| ours.map(|ours| theirs / ours);
            ahead.insert(
                name.clone(),
                json!({ "same_work": times(same), "full_score": times(best("full_best_ms")) }),
            );
        }
        report.insert("peers".into(), theirs);
        report.insert("times_faster".into(), Value::Object(ahead));
    }
    report.insert("ours".into(), ours);
    drop(main_volume);
    if !has("--quick") {
        let mut table = Vec::new();
        for side in [128, 256, 384, 512, 768] {
            table.push(measure(&volume(side, 0.01)?, 7, &mut device)?);
        }
        report.insert("by_size_1_percent".into(), Value::Array(table));
        let mut table = Vec::new();
        for share in [0.0001, 0.001, 0.01, 0.05, 0.2] {
            table.push(measure(&volume(256, share)?, 9, &mut device)?);
        }
        report.insert("by_share_256".into(), Value::Array(table));
    }
    let adapter = device.as_ref().map(gpu::Device::describe).transpose()?;
    report.insert("gpu".into(), json!(adapter));
    report.insert("cores".into(), json!(std::thread::available_parallelism().map_or(0, usize::from)));
    report.insert("load_average_before".into(), json!(load));
    let report = Value::Object(report);
    if has("--docs") {
        document::write(&report)?;
    }
    println!("{report:#}");
    Ok(())
}
