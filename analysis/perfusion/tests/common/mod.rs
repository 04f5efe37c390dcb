//! What the tests share: volumes from curves or files, and a run that must succeed.

#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses its part; tests may panic")]

use std::sync::{Mutex, OnceLock, PoisonError};

use gpu_kernels::Gpu;
use imaging::limits::Limits;
use imaging::{Source, Volume, Voxels, read_study};
use perfusion::gpu::{self, Mapper};
use perfusion::{Analysis, Input, Map, MaskWish, Motion, Report, Session, Signal};
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

/// One curve per voxel, in a row.
pub fn row_of_curves(curves: &[Vec<f64>], dt_s: f64) -> Volume {
    let samples = curves[0].len();
    let m = DAffine3::from_mat3(DMat3::from_diagonal(DVec3::new(2.0, 2.0, 5.0)));
    let grid = Grid::new([curves.len() as u32, 1, 1], m, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let values = (0..samples).flat_map(|t| curves.iter().map(move |c| c[t] as f32)).collect();
    let mut volume = Volume::new(Voxels::F32(values), grid);
    volume.time_points = samples as u32;
    volume.times_s = (0..samples).map(|t| t as f64 * dt_s).collect();
    volume
}

pub fn input<'a>(volume: &'a Volume, modality: &'a str) -> Input<'a> {
    Input { volume, modality, reading_warnings: &[], mask: None, other_stacks: 0 }
}

/// Concentration as it is: no mask, no constants.
pub fn plain() -> Session {
    Session {
        signal: Signal::Concentration,
        mask: MaskWish::None,
        motion: Motion::Off,
        kh: Some(1.0),
        density: 1.0,
        vof: perfusion::Source::None,
        ..Session::default()
    }
}

pub fn run(volume: &Volume, modality: &str, session: &Session) -> (Analysis, Report) {
    perfusion::run(&input(volume, modality), session, &|| 0.0).unwrap()
}

/// A machine without an adapter says so loudly; on CI that is a failure.
pub fn adapter() -> Option<Gpu> {
    match pollster::block_on(Gpu::headless()) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            let hint = "install a Vulkan driver (Debian: mesa-vulkan-drivers)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{error}; {hint}");
            eprintln!("\n*** NOT TESTED: {error}; {hint} ***\n");
            None
        }
    }
}

pub fn on_gpu(gpu: &Gpu, mapper: &mut Mapper, input: &Input, session: &Session) -> (Analysis, Report) {
    pollster::block_on(gpu::run(gpu, mapper, input, session, &|| 0.0)).unwrap()
}

/// Compiled once for all tests of a binary.
static GPU: OnceLock<Option<(Gpu, Mutex<Mapper>)>> = OnceLock::new();

fn compiled() -> Option<(Gpu, Mutex<Mapper>)> {
    let gpu = adapter()?;
    let mapper = pollster::block_on(Mapper::new(&gpu)).unwrap();
    Some((gpu, Mutex::new(mapper)))
}

/// As [`run`], and the GPU gives the same maps to 1e-3 wherever CBF is above 1 % of its highest value.
pub fn run_on_both(volume: &Volume, modality: &str, session: &Session) -> (Analysis, Report) {
    let on_cpu = run(volume, modality, session);
    if let Some((gpu, mapper)) = GPU.get_or_init(compiled) {
        let mut mapper = mapper.lock().unwrap_or_else(PoisonError::into_inner);
        let (analysis, _) = on_gpu(gpu, &mut mapper, &input(volume, modality), session);
        let (got, want) = (analysis.maps().unwrap(), on_cpu.0.maps().unwrap());
        let cbf = want.get(Map::Cbf);
        let least = 0.01 * cbf.iter().copied().fold(0.0, f32::max);
        for map in Map::ALL {
            for i in (0..cbf.len()).filter(|i| cbf[*i] > least) {
                let [a, b] = [got, want].map(|m| f64::from(m.get(map)[i]));
                assert!(relative(a, b) < 1e-3, "{map:?} of voxel {i} by {:?}: {a}, {b}", session.method);
            }
        }
    }
    on_cpu
}

/// Reads files as the program does; the first series.
pub fn load<S: Source>(sources: Vec<S>) -> (String, Volume) {
    let mut catalog = read_study(sources, &Limits::default());
    let volume = catalog.volume(0).unwrap();
    (catalog.series[0].modality.clone(), volume)
}

pub fn mean(values: &[f32]) -> f64 {
    values.iter().map(|v| f64::from(*v)).sum::<f64>() / values.len() as f64
}

pub fn relative(a: f64, b: f64) -> f64 {
    if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()) }
}
