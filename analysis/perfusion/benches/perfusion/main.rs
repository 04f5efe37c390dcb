//! What each method recovers of a known truth, and how long five maps of 512 x 512 x 16 x 60 take.
//! Prints one JSON object.
//!
//! usage: cargo bench -p perfusion --bench perfusion -- [--quick] [--docs]
//! `--quick` leaves out the large volume; `--docs` also writes docs/perfusion.md and its figures.

mod noise;
mod page;
mod plot;

use std::fmt::Write as _;
use std::time::Instant;

use imaging::{Volume, Voxels};
use perfusion::{CbvFrom, Input, Map, MaskWish, Method, Motion, Session, Signal, Source};
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

/// One curve many times with noise of its own; the artery is known. `tau_s` of the kernel that disperses it on its way
/// to the tissue; 0 is none.
fn recovered(
    truth: [f64; 3],
    tau_s: f64,
    noise_hu: f64,
    method: Method,
    cbv_from: CbvFrom,
) -> Result<[[f64; 2]; 3], Failure> {
    let [cbf, mtt_s, delay_s] = truth;
    let (frames, dt_s) = (60usize, 1.0);
    let times_s: Vec<f64> = (0..frames).map(|t| t as f64 * dt_s).collect();
    let tissue = |t: f64| {
        let arrived = match tau_s > 0.0 {
            true => head::aif_dispersed_through_exponential(t - delay_s, mtt_s, tau_s),
            false => head::aif_through_exponential(t - delay_s, mtt_s),
        };
        head::RHO / head::KH * cbf / 6000.0 * arrived
    };
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
        cbv_from,
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

/// Flow, transit time and delay of the rows.
const TRUTHS: [[f64; 3]; 4] = [[60.0, 4.0, 0.0], [60.0, 4.0, 4.0], [25.0, 4.8, 0.0], [12.0, 11.0, 5.0]];

fn bias(got: f64, want: f64) -> f64 {
    100.0 * (got / want - 1.0)
}

fn table() -> Result<(String, Vec<page::Recovered>), Failure> {
    let mut text = String::from(
        "| method | true CBF | MTT s | delay s | noise HU | CBF bias % | CBF SD | CBV bias % | CBV SD | Tmax s | Tmax SD |\n|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    let mut rows = Vec::new();
    let areas = (Method::LucyRichardson, CbvFrom::Areas, "lucy-richardson, CBV from areas");
    let methods = Method::ALL.map(|m| (m, CbvFrom::Method, m.name())).into_iter().chain([areas]);
    for (method, cbv_from, name) in methods {
        for truth in TRUTHS {
            for noise_hu in [0.0, 1.0, 2.5] {
                let [cbf, cbv, tmax] = recovered(truth, 0.0, noise_hu, method, cbv_from)?;
                let true_cbv = truth[0] * truth[1] / 60.0;
                let _ = writeln!(
                    text,
                    "| {name} | {} | {} | {} | {noise_hu} | {:.1} | {:.2} | {:.1} | {:.2} | {:.2} | {:.2} |",
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
                rows.push(page::Recovered {
                    method: name,
                    truth,
                    noise_hu,
                    cbf_bias: bias(cbf[0], truth[0]),
                    cbf_sd: 100.0 * cbf[1] / truth[0],
                    cbv_bias: bias(cbv[0], true_cbv),
                    cbv_sd: 100.0 * cbv[1] / true_cbv,
                });
            }
        }
    }
    Ok((text, rows))
}

/// The same with an artery that is dispersed on its way.
fn dispersed() -> Result<String, Failure> {
    let mut text = String::from(
        "| method | true CBF | MTT s | mean of the kernel s | noise HU | CBF bias % | CBF SD | CBV bias % | Tmax s |\n|---|---|---|---|---|---|---|---|---|\n",
    );
    for method in Method::ALL {
        for truth in [TRUTHS[0], TRUTHS[2]] {
            for (tau_s, noise_hu) in [(0.0, 0.0), (1.0, 0.0), (2.0, 0.0), (1.0, 1.0), (2.0, 1.0)] {
                let [cbf, cbv, tmax] = recovered(truth, tau_s, noise_hu, method, CbvFrom::Method)?;
                let _ = writeln!(
                    text,
                    "| {} | {} | {} | {} | {noise_hu} | {:.1} | {:.2} | {:.1} | {:.2} |",
                    method.name(),
                    truth[0],
                    truth[1],
                    2.0 * tau_s,
                    bias(cbf[0], truth[0]),
                    cbf[1],
                    bias(cbv[0], truth[0] * truth[1] / 60.0),
                    tmax[0],
                );
            }
        }
    }
    Ok(text)
}

/// A head-sized volume of tissue with noise in air, an artery and a vein, half of its voxels in the head.
fn large(slices: usize, frames: usize) -> Result<Volume, Failure> {
    let side = 512usize;
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
    volume([512, 512, slices as u32], Voxels::I16(values), frames, 1.0)
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
        "method": session.method.name(), "dims": volume.grid.dims(), "frames": volume.time_points,
        "voxels": report.voxels.computed, "smoothed_mm": report.settings.smoothed_mm, "timings_ms": report.timings_ms,
    }))
}

fn main() -> Result<(), Failure> {
    let asked = |name: &str| std::env::args().any(|a| a == name);
    let (text, recovery) = table()?;
    let dispersion = dispersed()?;
    let noise = noise::table()?;
    let mut speed = Vec::new();
    if !asked("--quick") {
        let session = Session { motion: Motion::Off, ..Session::default() };
        for (slices, frames) in [(4, 60), (8, 60), (16, 30)] {
            let smaller = large(slices, frames)?;
            for method in Method::ALL {
                speed.push(timed(&smaller, &Session { method, ..session.clone() })?);
            }
        }
        let volume = large(16, 60)?;
        for method in Method::ALL {
            speed.push(timed(&volume, &Session { method, ..session.clone() })?);
        }
        speed.push(timed(&volume, &Session { motion: Motion::Estimate, ..session.clone() })?);
        speed.push(timed(&volume, &Session { mask: MaskWish::None, ..session.clone() })?);
        speed.push(timed(&volume, &Session { smooth_mm: Some(0.0), ..session })?);
    }
    let threads = std::thread::available_parallelism().map_or(0, usize::from);
    let rows: Vec<Value> = recovery.iter().map(page::Recovered::json).collect();
    println!("{:#}", json!({ "threads": threads, "recovery": rows, "speed": speed }));
    eprintln!("{noise}");
    if asked("--docs") {
        page::write(&page::Content { text, dispersion, noise, recovery, speed, threads })?;
    }
    Ok(())
}
