//! From paths to a loaded series and a mask on its grid.
//!
//! Of several series the dynamic one is meant; where there are several of those, the user says which.

use std::path::{Path, PathBuf};

use imaging::disk::{DiskFile, files_under};
use imaging::limits::Limits;
use imaging::{Catalog, Volume, read_study};
use serde::Serialize;

use super::{Args, Error};

/// A series with everything that reading had to say.
pub struct Loaded {
    pub volume: Volume,
    pub modality: String,
    pub warnings: Vec<String>,
    pub line: SeriesLine,
    /// Stacks of the same series that are not part of the volume.
    pub other_stacks: u32,
}

/// What only the files know.
#[derive(Serialize)]
pub struct SeriesLine {
    uid: String,
    number: Option<i32>,
    instances: u32,
    time_rule: Option<String>,
    received: usize,
    refused: usize,
}

fn open(paths: &[PathBuf]) -> Result<Catalog<DiskFile>, Error> {
    Ok(read_study(files_under(paths).map_err(Error::Paths)?, &Limits::default()))
}

/// Reads the series that is meant.
pub fn load(args: &Args) -> Result<Loaded, Error> {
    let mut catalog = open(&args.paths)?;
    let index = choose(&catalog, args.series)?;
    let (volume, warnings) = read(&mut catalog, index)?;
    let series = &catalog.series[index];
    let line = SeriesLine {
        uid: series.uid.clone(),
        number: series.number,
        instances: series.instances,
        time_rule: series.time_rule.clone(),
        received: catalog.ledger.received(),
        refused: catalog.ledger.refused().count(),
    };
    let other_stacks = series.stack.1.saturating_sub(1);
    Ok(Loaded { volume, modality: series.modality.clone(), warnings, line, other_stacks })
}

fn choose(catalog: &Catalog<DiskFile>, asked: Option<usize>) -> Result<usize, Error> {
    let shown: Vec<usize> = (0..catalog.series.len()).filter(|i| catalog.series[*i].displayable).collect();
    if let Some(n) = asked {
        let place = n.checked_sub(1).and_then(|i| shown.get(i));
        return place.copied().ok_or(Error::NoSuchSeries(n, shown.len()));
    }
    let dynamic: Vec<usize> = shown
        .iter()
        .copied()
        .filter(|i| catalog.series[*i].time_points > 1 && !catalog.series[*i].colour)
        .collect();
    match (dynamic.as_slice(), shown.as_slice()) {
        ([one], _) | ([], [one, ..]) => Ok(*one),
        ([], []) => Err(Error::Nothing(catalog.ledger.refused().count())),
        (several, _) => Err(Error::Several(
            several
                .iter()
                .map(|i| {
                    let s = &catalog.series[*i];
                    let number = shown.iter().position(|at| at == i).map_or(0, |at| at + 1);
                    let [x, y, z] = s.dims;
                    format!("  {number}: {} {x} x {y} x {z}, {} time points", s.modality, s.time_points)
                })
                .collect(),
        )),
    }
}

fn read(catalog: &mut Catalog<DiskFile>, index: usize) -> Result<(Volume, Vec<String>), Error> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut loader = catalog.loader(index)?;
    let result = loader.load_rest(threads);
    catalog.refuse(loader.failures());
    result?;
    let series = &catalog.series[index];
    let mut warnings: Vec<String> = catalog.warnings.clone();
    warnings.extend(series.warnings.iter().chain(loader.warnings()).cloned());
    let refused = catalog.ledger.refused().count();
    if refused > 0 {
        warnings.push(format!("{refused} files were refused; `isocenter inspect` says why."));
    }
    Ok((loader.finish(), warnings))
}

/// A NIfTI that is not 0 where voxels are computed, and a note on how it was laid over the series.
pub fn mask(path: &Path, on: &Volume) -> Result<(Vec<u8>, Option<String>), Error> {
    let mut catalog = open(&[path.to_owned()])?;
    let index = choose(&catalog, None)?;
    let (volume, _) = read(&mut catalog, index)?;
    if volume.grid.dims() != on.grid.dims() {
        return Err(Error::Mask(format!(
            "it has {:?} voxels, the series has {:?}. Resample it to the series.",
            volume.grid.dims(),
            on.grid.dims()
        )));
    }
    let count = on.grid.voxel_count();
    let inside = |i: usize| {
        let value = volume.voxels.get(i).map_or(0.0, |v| volume.rescale.apply(v));
        u8::from(value != 0.0 && !value.is_nan())
    };
    // Each voxel of the series asks for its place: other programs turn and flip axes.
    let from_voxel = volume.grid.voxel_from_world() * on.grid.world_from_voxel();
    let [columns, rows, slices] = on.grid.dims();
    let mut out = Vec::with_capacity(count);
    let mut outside = 0usize;
    for z in 0..slices {
        for y in 0..rows {
            for x in 0..columns {
                let p = from_voxel.transform_point3([x, y, z].map(f64::from).into()).to_array();
                let at = p.map(|v| (v + 0.5).floor());
                let fits = at.iter().zip(on.grid.dims()).all(|(v, n)| *v >= 0.0 && *v < f64::from(n));
                if fits {
                    out.push(inside(volume.index(at.map(|v| v as u32), 0)));
                } else {
                    outside += 1;
                    out.push(0);
                }
            }
        }
    }
    if outside * 100 <= count {
        return Ok((out, None));
    }
    let note = format!(
        "The mask lies elsewhere ({outside} of {count} voxels have no place in it); it is taken voxel by voxel."
    );
    Ok(((0..count).map(inside).collect(), Some(note)))
}
