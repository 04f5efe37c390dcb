//! What each method recovers of a known truth, and how long five maps of 512 x 512 x 16 x 60 take.
//! Prints one JSON object.
//!
//! usage: cargo bench -p perfusion --bench perfusion -- [--quick] [--docs]
//! `--quick` leaves out the large volume; `--docs` also writes docs/perfusion.md.

use std::fmt::Write as _;
use std::time::Instant;

use imaging::{Volume, Voxels};
use perfusion::{Input, Map, MaskWish, Method, Motion, Session, Signal, Source};
use phantom::perfusion as head;
use phantom::random::Random;
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

/// Voxels per cell of the table: the mean is then known to a tenth of the standard deviation.
const VOXELS: usize = 256;

fn volume(dims: [u32; 3], voxels: Voxels, frames: usize, dt_s: f64) -> Result<Volume, Failure> {
    let placed = DAffine3::from_mat3(DMat3::from_diagonal(DVec3::new(0.43, 0.43, 5.0)));
    let grid = Grid::new(dims, placed, LengthUnit::Millimetre, Frame::Patient)?;
    let mut volume = Volume::new(voxels, grid);
    volume.time_points = frames as u32;
    volume.times_s = (0..frames).map(|t| t as f64 * dt_s).collect();
    volume.unit = "HU".into();
    Ok(volume)
}

/// One curve many times with noise of its own; the artery is known.
fn recovered(truth: [f64; 3], noise_hu: f64, method: Method) -> Result<[[f64; 2]; 3], Failure> {
    let [cbf, mtt_s, delay_s] = truth;
    let (frames, dt_s) = (60usize, 1.0);
    let times_s: Vec<f64> = (0..frames).map(|t| t as f64 * dt_s).collect();
    let tissue =
        |t: f64| head::RHO / head::KH * cbf / 6000.0 * head::aif_through_exponential(t - delay_s, mtt_s);
    let mut random = Random::new(11);
    let values = times_s
        .iter()
        .flat_map(|t| {
            let c = tissue(*t);
            (0..VOXELS).map(|_| (c + noise_hu * random.normal()) as f32).collect::<Vec<_>>()
        })
        .collect();
    let volume = volume([VOXELS as u32, 1, 1], Voxels::F32(values), frames, dt_s)?;
    let session = Session {
        signal: Signal::Concentration,
        mask: MaskWish::None,
        motion: Motion::Off,
        kh: Some(head::KH),
        density: head::RHO,
        aif: Source::Curve { values: times_s.iter().map(|t| head::aif_hu(*t)).collect(), times_s },
        vof: Source::None,
        method,
        ..Session::default()
    };
    let input = Input { volume: &volume, modality: "CT", reading_warnings: &[], mask: None, other_stacks: 0 };
    let (analysis, _) = perfusion::run(&input, &session, &|| 0.0)?;
    let maps = analysis.maps().ok_or("no maps")?;
    Ok([Map::Cbf, Map::Cbv, Map::Tmax].map(|map| {
        let values: Vec<f64> = maps.get(map).iter().map(|v| f64::from(*v)).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let sd = (values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64).sqrt();
        [mean, sd]
    }))
}

fn table() -> Result<(String, Value), Failure> {
    let mut text = String::from(
        "| method | true CBF | MTT s | delay s | noise HU | CBF bias % | CBF SD | CBV bias % | CBV SD | Tmax s | Tmax SD |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut rows = Vec::new();
    for method in Method::ALL {
        for truth in [[60.0, 4.0, 0.0], [60.0, 4.0, 4.0], [25.0, 4.8, 0.0], [12.0, 11.0, 5.0]] {
            for noise_hu in [0.0, 1.0, 2.5] {
                let [cbf, cbv, tmax] = recovered(truth, noise_hu, method)?;
                let true_cbv = truth[0] * truth[1] / 60.0;
                let bias = |got: f64, want: f64| 100.0 * (got / want - 1.0);
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {} | {noise_hu} | {:.1} | {:.2} | {:.1} | {:.2} | {:.2} | {:.2} |",
                    method.name(),
                    truth[0],
                    truth[1],
                    truth[2],
                    bias(cbf[0], truth[0]),
                    cbf[1],
                    bias(cbv[0], true_cbv),
                    cbv[1],
                    tmax[0],
                    tmax[1],
                );
                rows.push(json!({
                    "method": method.name(), "cbf": truth[0], "mtt_s": truth[1], "delay_s": truth[2],
                    "noise_hu": noise_hu, "cbf_bias_percent": bias(cbf[0], truth[0]), "cbf_sd": cbf[1],
                }));
            }
        }
    }
    Ok((text, json!(rows)))
}

/// A head-sized volume of tissue with noise in air, an artery and a vein, half of its voxels in the head.
fn large() -> Result<Volume, Failure> {
    let (side, slices, frames) = (512usize, 16usize, 60usize);
    let grey = &head::REGIONS[4];
    let mut random = Random::new(512);
    let noise: Vec<i16> = (0..1 << 16).map(|_| (5.0 * random.normal()).round() as i16).collect();
    let mut values = Vec::with_capacity(side * side * slices * frames);
    for t in 0..frames {
        let t_s = t as f64;
        let [tissue, artery, vein] = [grey.enhancement_hu(t_s), head::aif_hu(t_s), head::vof_hu(t_s)]
            .map(|hu| (40.0 + hu).round() as i16);
        for i in 0..side * side * slices {
            let (x, y) = ((i % side) as f64 - 255.5, (i / side % side) as f64 - 255.5);
            let r = (x / 190.0).hypot(y / 230.0);
            let hu = if r > 1.0 {
                -1000
            } else {
                let at = |cx: f64, cy: f64| (x - cx).hypot(y - cy) < 8.0;
                let kind = if at(-100.0, -20.0) {
                    artery
                } else if at(0.0, 200.0) {
                    vein
                } else {
                    tissue
                };
                kind + noise[(i.wrapping_mul(40_503) ^ (t * 977) ^ (i >> 9)) & 0xffff]
            };
            values.push(hu);
        }
    }
    volume([512, 512, 16], Voxels::I16(values), frames, 1.0)
}

/// Milliseconds of every stage, the best of two runs.
fn timed(volume: &Volume, session: &Session) -> Result<Value, Failure> {
    let input = Input { volume, modality: "CT", reading_warnings: &[], mask: None, other_stacks: 0 };
    let clock = Instant::now();
    let now_ms = || clock.elapsed().as_secs_f64() * 1000.0;
    let mut best: Option<perfusion::Report> = None;
    for _ in 0..2 {
        let (_, report) = perfusion::run(&input, session, &now_ms)?;
        if best.as_ref().is_none_or(|b| report.timings_ms.total < b.timings_ms.total) {
            best = Some(report);
        }
    }
    let report = best.ok_or("nothing was measured")?;
    Ok(json!({
        "method": session.method.name(), "voxels": report.voxels.computed, "timings_ms": report.timings_ms,
    }))
}

fn main() -> Result<(), Failure> {
    let asked = |name: &str| std::env::args().any(|a| a == name);
    let (text, recovery) = table()?;
    let mut speed = Vec::new();
    if !asked("--quick") {
        let volume = large()?;
        let session = Session { motion: Motion::Off, ..Session::default() };
        for method in Method::ALL {
            speed.push(timed(&volume, &Session { method, ..session.clone() })?);
        }
        speed.push(timed(&volume, &Session { motion: Motion::Estimate, ..session.clone() })?);
        speed.push(timed(&volume, &Session { mask: MaskWish::None, ..session })?);
    }
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    let record =
        json!({ "dims": [512, 512, 16, 60], "threads": threads, "recovery": recovery, "speed": speed });
    println!("{record:#}");
    if asked("--docs") {
        let mut page = format!(
            "# Perfusion: what each method recovers\n\nWritten by `cargo bench -p perfusion --bench perfusion -- --docs`; do not edit. {VOXELS} curves per row: the artery of the perfusion phantom (peak {} HU, known), an exponential residue function, 60 samples of 1 s, normal noise. Default settings. Bias and standard deviation are those of single voxels. Research use only.\n\n{text}",
            head::AIF_PEAK_HU
        );
        if !speed.is_empty() {
            let _ = write!(
                page,
                "\n## Time\n\n512 x 512 x 16 voxels, 60 frames, CPU, {threads} threads, best of two; milliseconds.\n\n| method | voxels | motion | curves | vessels | maps | total |\n|---|---|---|---|---|---|---|\n"
            );
            for row in &speed {
                let ms = |name: &str| row["timings_ms"][name].as_f64().unwrap_or(0.0).round();
                let _ = writeln!(
                    page,
                    "| {} | {} | {} | {} | {} | {} | {} |",
                    row["method"].as_str().unwrap_or(""),
                    row["voxels"],
                    ms("motion"),
                    ms("curves"),
                    ms("vessels"),
                    ms("maps"),
                    ms("total"),
                );
            }
        }
        std::fs::write(testbed::checkout().join("docs/perfusion.md"), page)?;
    }
    Ok(())
}
