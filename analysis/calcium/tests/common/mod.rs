//! What the tests share: volumes from files or numbers, and a run with the defaults.

#![allow(dead_code, clippy::unwrap_used, reason = "each test binary uses its part; tests may panic")]

pub mod apart;
pub mod bank;
#[cfg(not(target_arch = "wasm32"))]
pub mod gpu;
pub mod shapes;

use calcium::{Edit, Input, Reading, Report, Request, Vessel};
use imaging::header::Acquisition;
use imaging::limits::Limits;
use imaging::source::Buffer;
use imaging::{Catalog, Series, Source, Volume, Voxels, read_study};
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

/// Gated, 120 kV, 3 mm, no contrast: nothing to warn about.
pub fn standard_scan() -> Acquisition {
    Acquisition {
        kvp: vec![120.0],
        slice_thickness_mm: vec![3.0],
        gating: Some("by the test".into()),
        image_type: ["ORIGINAL", "PRIMARY", "AXIAL"].map(String::from).to_vec(),
        ..Acquisition::default()
    }
}

/// A CT volume in the patient.
pub fn ct(voxels: Voxels, dims: [u32; 3], spacing_mm: [f64; 3]) -> Volume {
    let m = DAffine3::from_mat3(DMat3::from_diagonal(DVec3::from(spacing_mm)));
    let grid = Grid::new(dims, m, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let mut volume = Volume::new(voxels, grid);
    volume.unit = "HU".into();
    volume
}

pub fn input<'a>(volume: &'a Volume, acquisition: &'a Acquisition) -> Input<'a> {
    Input { volume, modality: "CT", acquisition, reading_warnings: &[] }
}

pub fn score(volume: &Volume, request: &Request, reading: &Reading) -> Report {
    calcium::run(&input(volume, &standard_scan()), request, reading, &|| 0.0).unwrap()
}

/// Reads files as the program does; the first series and its volume.
pub fn load<S: Source>(sources: Vec<S>) -> (Series, Volume) {
    let mut catalog: Catalog<S> = read_study(sources, &Limits::default());
    assert_eq!(catalog.series.len(), 1, "one series");
    let volume = catalog.volume(0).unwrap();
    (catalog.series.remove(0), volume)
}

pub fn buffers(files: Vec<(String, Vec<u8>)>) -> Vec<Buffer> {
    files.into_iter().map(|(name, bytes)| Buffer { name, bytes }).collect()
}

/// A click on a voxel.
pub fn click(volume: &Volume, voxel: [u32; 3], vessel: Option<Vessel>) -> Edit {
    let at = volume.grid.world_from_voxel().transform_point3(voxel.map(f64::from).into());
    Edit::Assign { at_mm: at.to_array(), along: [0.0, 0.0, 1.0], depth_mm: 0.0, vessel }
}

pub fn relative(a: f64, b: f64) -> f64 {
    if a == b { 0.0 } else { (a - b).abs() / a.abs().max(b.abs()) }
}
