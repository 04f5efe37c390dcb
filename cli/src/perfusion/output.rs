//! Maps as NIfTI, the report as JSON or in a few lines.
//!
//! A failed quality check goes into the description of every map: files are passed on without their report.

use std::path::Path;

use imaging::{NiftiVoxels, Volume, nifti_bytes};
use perfusion::{Analysis, Map, Report};
use serde::Serialize;

use super::Error;
use super::input::SeriesLine;

/// The report, and what only the command line knows.
#[derive(Serialize)]
struct Output {
    #[serde(flatten)]
    report: Report,
    series: SeriesLine,
    /// Reading the files, before any computing.
    read_ms: f64,
}

/// Writes the five maps and the mask.
pub fn maps(folder: &Path, analysis: &Analysis, volume: &Volume, report: &Report) -> Result<(), Error> {
    std::fs::create_dir_all(folder).map_err(Error::Write)?;
    let Some(maps) = analysis.maps() else { return Ok(()) };
    let failed = report.quality.iter().filter(|c| !c.passed).count();
    let count = volume.grid.voxel_count();
    for map in Map::ALL {
        let checks = if failed > 0 { format!(" {failed} quality checks failed.") } else { String::new() };
        let description = format!("{} in {}. Research use only.{checks}", map.name(), map.unit());
        let values = maps.on_grid(map, count);
        let bytes = nifti_bytes(&volume.grid, NiftiVoxels::F32(&values), None, &description, true)?;
        std::fs::write(folder.join(format!("{}.nii.gz", map.name())), bytes).map_err(Error::Write)?;
    }
    let mut mask = vec![0u8; count];
    for (voxel, usable) in maps.voxels.iter().zip(&maps.usable) {
        mask[*voxel as usize] = u8::from(*usable);
    }
    let description = "1 where a map has a value. Research use only.";
    let bytes = nifti_bytes(&volume.grid, NiftiVoxels::U8(&mask), None, description, true)?;
    std::fs::write(folder.join("mask.nii.gz"), bytes).map_err(Error::Write)
}

/// Prints the result.
pub fn print(report: Report, series: SeriesLine, read_ms: f64, json: bool) -> Result<(), Error> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if json {
        let output = Output { report, series, read_ms };
        serde_json::to_writer(&mut out, &output).map_err(|e| Error::Write(e.into()))?;
        return out.write_all(b"\n").map_err(Error::Write);
    }
    let notes: String = report.warnings.iter().map(|w| format!("- {w}\n")).collect();
    write!(
        out,
        "{} voxels by {}; artery: {}\n{notes}{}\n",
        report.voxels.computed, report.settings.method, report.aif.vessel.source, report.research_use
    )
    .map_err(Error::Write)
}
