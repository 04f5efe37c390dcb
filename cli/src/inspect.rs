//! `isocenter inspect`: what is in files, folders and zips, as one JSON object.
//!
//! It reads as the app does, down to the voxels, because a series that lists well and does not decode is
//! the fault that one looks for here. Refused files are a result, not a failure.

use std::path::PathBuf;

use imaging::dicom::PixelReader;
use imaging::disk::{DiskFile, files_under};
use imaging::limits::Limits;
use imaging::{Catalog, FileId, Series, Source as _, read_study};
use scene::LengthUnit;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

/// What to look at.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, folders and zip archives.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Also print the sha256 of the decoded pixels of every DICOM file.
    #[arg(long)]
    pixels: bool,
    /// Print JSON; the only format so far, so this changes nothing.
    #[arg(long)]
    json: bool,
}

/// Why nothing was printed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A path that is not there.
    #[error("cannot read the given paths: {0}")]
    Paths(#[source] std::io::Error),
    /// The account does not add up.
    #[error(transparent)]
    Ledger(#[from] imaging::LedgerError),
    /// Standard output was closed.
    #[error("cannot write the result: {0}")]
    Write(#[from] serde_json::Error),
}

impl Error {
    /// Whether the user can mend it by other arguments.
    pub fn bad_input(&self) -> bool {
        matches!(self, Self::Paths(_))
    }
}

#[derive(Debug, Serialize)]
struct Output {
    received: usize,
    used: usize,
    containers: usize,
    shown: Vec<Line>,
    refused: Vec<Line>,
    series: Vec<SeriesOutput>,
    warnings: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    files: Option<Vec<FileOutput>>,
}

#[derive(Debug, Serialize)]
struct Line {
    file: String,
    reason: String,
}

#[derive(Debug, Serialize)]
struct FileOutput {
    file: String,
    pixels_sha256: String,
}

#[derive(Debug, Serialize)]
struct SeriesOutput {
    uid: String,
    modality: String,
    description: String,
    number: Option<i32>,
    instances: u32,
    dims: [u32; 3],
    time_points: u32,
    time_rule: Option<String>,
    times_s: Vec<f64>,
    /// Absent where no spacing is known.
    spacing_mm: Option<[f64; 3]>,
    world_from_voxel: Option<[f64; 16]>,
    transfer_syntax: String,
    transfer_syntax_uid: String,
    lossy: Option<String>,
    unit: String,
    /// Over all pixels that were decoded, padding included, in `unit`.
    min: Option<f64>,
    max: Option<f64>,
    displayable: bool,
    warnings: Vec<String>,
}

/// Reads everything and prints the account.
pub fn run(args: &Args) -> Result<(), Error> {
    let files = files_under(&args.paths).map_err(Error::Paths)?;
    let limits = Limits::default();
    let mut catalog = read_study(files, &limits);
    let mut hashes = None;
    if args.pixels {
        let (done, failures) = hash_all(&catalog, &limits);
        catalog.refuse(&failures);
        hashes = Some(done);
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut series = Vec::new();
    for index in 0..catalog.series.len() {
        let (entry, failures) = describe(&catalog, index, threads);
        catalog.refuse(&failures);
        series.extend(entry);
    }
    catalog.ledger.check()?;
    let line = |(file, reason): (&str, &str)| Line { file: file.into(), reason: reason.into() };
    let ledger = &catalog.ledger;
    let output = Output {
        received: ledger.received(),
        used: ledger.used(),
        containers: ledger.containers(),
        shown: ledger.shown().map(line).collect(),
        refused: ledger.refused().map(line).collect(),
        series,
        warnings: catalog.warnings.clone(),
        files: hashes,
    };
    let mut out = std::io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, &output)?;
    std::io::Write::write_all(&mut out, b"\n").map_err(serde_json::Error::io)?;
    Ok(())
}

/// A series with its range; nothing for one of which no slice decodes (its files are refused then).
fn describe(
    catalog: &Catalog<DiskFile>,
    index: usize,
    threads: usize,
) -> (Option<SeriesOutput>, Vec<(FileId, String)>) {
    let series = &catalog.series[index];
    if !series.displayable {
        return (Some(output_of(series, None, Vec::new())), Vec::new());
    }
    let mut loader = match catalog.loader(index) {
        Ok(loader) => loader,
        Err(error) => {
            let failures = catalog.files(index).into_iter().map(|f| (f, error.to_string())).collect();
            return (None, failures);
        }
    };
    let result = loader.load_rest(threads);
    let failures = loader.failures().to_vec();
    match result {
        Ok(()) => {
            let warnings = loader.warnings().to_vec();
            (Some(output_of(series, loader.range_with_padding(), warnings)), failures)
        }
        Err(error) if failures.is_empty() => {
            let failures = catalog.files(index).into_iter().map(|f| (f, error.to_string())).collect();
            (None, failures)
        }
        Err(_) => (None, failures),
    }
}

fn output_of(series: &Series, range: Option<(f64, f64)>, more: Vec<String>) -> SeriesOutput {
    let grid = series.grid.as_ref();
    SeriesOutput {
        uid: series.uid.clone(),
        modality: series.modality.clone(),
        description: series.description.clone(),
        number: series.number,
        instances: series.instances,
        dims: series.dims,
        time_points: series.time_points,
        time_rule: series.time_rule.clone(),
        times_s: series.times_s.clone(),
        spacing_mm: grid.filter(|g| g.length_unit == LengthUnit::Millimetre).map(|g| g.spacing()),
        world_from_voxel: grid.map(|g| g.world_from_voxel_row_major()),
        transfer_syntax: series.transfer_syntax.clone(),
        transfer_syntax_uid: series.transfer_syntax_uid.clone(),
        lossy: series.lossy.clone(),
        unit: series.unit.clone(),
        min: range.map(|r| r.0),
        max: range.map(|r| r.1),
        displayable: series.displayable,
        warnings: series.warnings.iter().cloned().chain(more).collect(),
    }
}

/// The sha256 of every DICOM file's decoded pixels, and the files that do not decode.
fn hash_all(catalog: &Catalog<DiskFile>, limits: &Limits) -> (Vec<FileOutput>, Vec<(FileId, String)>) {
    let mut done = Vec::new();
    let mut failures = Vec::new();
    for (file, item, dicom) in catalog.dicom_files() {
        let hash = || {
            let reader = PixelReader::open(item, dicom, limits)?;
            let mut hasher = Sha256::new();
            for frame in 0..reader.format().frames {
                hasher.update(reader.frame(frame)?.le_bytes());
            }
            Ok::<_, imaging::dicom::DicomError>(hasher.finalize())
        };
        match hash() {
            Ok(digest) => {
                let pixels_sha256 = digest.iter().map(|b| format!("{b:02x}")).collect();
                done.push(FileOutput { file: item.name().to_owned(), pixels_sha256 });
            }
            Err(error) => failures.push((file, error.to_string())),
        }
    }
    (done, failures)
}
