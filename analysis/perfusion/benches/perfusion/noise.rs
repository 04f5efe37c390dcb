//! What noise does to regions by threshold, and what smoothing gives back: the head phantom at several noises.
//!
//! The row without noise and without smoothing is what the method gives of the truth, and every other is to be read
//! against it.

use std::fmt::Write as _;

use imaging::{Volume, Voxels};
use perfusion::{Input, Motion, Session};
use phantom::perfusion as head;
use phantom::random::Random;
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

use crate::Failure;

/// Before noise, frame after frame.
fn exact(times_s: &[f64]) -> Vec<f64> {
    let mut values = Vec::new();
    for t in times_s {
        for z in 0..head::SLICES {
            for y in 0..head::SIZE {
                values.extend((0..head::SIZE).map(|x| head::hu([x, y, z], *t)));
            }
        }
    }
    values
}

fn noisy(exact: &[f64], times_s: &[f64], noise_hu: f64) -> Result<Volume, Failure> {
    let mut random = Random::new(23);
    let values = exact.iter().map(|hu| (hu + noise_hu * random.normal()).round() as i16).collect();
    let mm = DVec3::new(head::PIXEL_MM, head::PIXEL_MM, head::SLICE_MM);
    let placed = DAffine3::from_mat3(DMat3::from_diagonal(mm));
    let dims = [head::SIZE, head::SIZE, head::SLICES];
    let grid = Grid::new(dims, placed, LengthUnit::Millimetre, Frame::Patient)?;
    let mut volume = Volume::new(Voxels::I16(values), grid);
    volume.time_points = times_s.len() as u32;
    volume.times_s = times_s.to_vec();
    volume.unit = "HU".into();
    Ok(volume)
}

/// Rows of the table, as Markdown.
pub fn table() -> Result<String, Failure> {
    let times_s = head::regular_times_s();
    let exact = exact(&times_s);
    let mut text = String::from(
        "| noise HU | smoothing asked for mm | applied mm | contrast to noise | check | Tmax > 6 s mL | core mL |\n|---|---|---|---|---|---|---|\n",
    );
    let none = Some(0.0);
    let rows: [(f64, &[Option<f64>]); 5] = [
        (0.0, &[none, None]),
        (1.0, &[none, None]),
        (2.5, &[none, Some(1.0), Some(1.5), Some(2.0), Some(2.5), Some(3.0), Some(5.0), None]),
        (5.0, &[none, None]),
        (10.0, &[none, None]),
    ];
    for (noise_hu, wishes) in rows {
        let volume = noisy(&exact, &times_s, noise_hu)?;
        for smooth_mm in wishes {
            let input =
                Input { volume: &volume, modality: "CT", reading_warnings: &[], mask: None, other_stacks: 0 };
            let session = Session { smooth_mm: *smooth_mm, motion: Motion::Off, ..Session::default() };
            let (_, report) = perfusion::run(&input, &session, &|| 0.0)?;
            let check = report.quality.iter().find(|c| c.check == "contrast_to_noise");
            let check = check.ok_or("the noise was not checked")?;
            writeln!(
                text,
                "| {noise_hu} | {} | {} | {} | {} | {:.1} | {:.1} |",
                smooth_mm.map_or("default".into(), |mm| mm.to_string()),
                report.settings.smoothed_mm,
                if check.value < 1e4 { format!("{:.1}", check.value) } else { "no noise".into() },
                if check.passed { "passed" } else { "failed" },
                report.volumes_ml.hypoperfused,
                report.volumes_ml.core,
            )?;
        }
    }
    Ok(text)
}
