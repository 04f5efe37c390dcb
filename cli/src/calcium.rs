//! `isocenter calcium`: the calcium score of a CT series, as one JSON object.
//!
//! The same crate computes here and in the browser; this file reads paths into an input and says what is
//! wrong with them.

mod backend;

use std::path::{Path, PathBuf};
use std::time::Instant;

use ::calcium::risk::Person;
use ::calcium::{Assignment, Input, PercentileTable, Reading, Report, Request, Session, voxels_sha256};
use imaging::{Series, Volume};
use serde::{Deserialize as _, Serialize};

use crate::backend::Backend;
use crate::study::{self, Overlay, labels_on};

/// What to score and how.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Files, folders and zip archives with one CT series, or a NIfTI file in Hounsfield units.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Which series to score, where there are several: its number in the message that says so.
    #[arg(long, value_name = "N")]
    series: Option<usize>,
    /// Conventions to start from: default, four-connected, agatston-1990, ge, siemens, philips, canon, deepcac.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,
    /// A report that was saved as JSON, or its `session` alone: its settings, region, cuts and assignments are
    /// applied; other arguments change them.
    #[arg(long, value_name = "FILE.json", conflicts_with = "vessels")]
    session: Option<PathBuf>,
    /// Voxels count from here on; without it, what the tube voltage asks for (130 HU at 120 kV).
    #[arg(long, value_name = "HU")]
    threshold: Option<f64>,
    /// 4 or 8 neighbours in a slice.
    #[arg(long, value_name = "4|8")]
    connectivity: Option<u8>,
    /// Components count above this area in mm².
    #[arg(long, value_name = "MM2")]
    min_area_mm2: Option<f64>,
    /// NIfTI on the same grid: calcium counts where it is not 0.
    #[arg(long, value_name = "M.nii.gz")]
    mask: Option<PathBuf>,
    /// NIfTI on the same grid: 1 LM, 2 LAD, 3 LCX, 4 RCA, 5 PDA, 6 other; what is 0 does not count.
    #[arg(long, value_name = "V.nii.gz")]
    vessels: Option<PathBuf>,
    /// Calibration factor of the mass in mg per mm³ and HU; without it no mass is given.
    #[arg(long, value_name = "C")]
    mass_factor: Option<f64>,
    /// JSON that describes a person, for the MESA 2015 risk.
    #[arg(long, value_name = "FILE.json")]
    person: Option<PathBuf>,
    /// JSON with percentiles of a population and their source; needs --person.
    #[arg(long, value_name = "FILE.json", requires = "person")]
    percentiles: Option<PathBuf>,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "auto")]
    backend: Backend,
    /// Also write the report as PDF.
    #[arg(long, value_name = "F")]
    pdf: Option<PathBuf>,
    /// Print this line on the PDF as identification (may be given more than once); without it none is shown.
    #[arg(long, value_name = "TEXT")]
    identify: Vec<String>,
    /// Also write the table of lesions and vessels.
    #[arg(long, value_name = "F")]
    csv: Option<PathBuf>,
    /// Print JSON; without it, a short summary.
    #[arg(long)]
    json: bool,
}

/// Why there is no score.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`study::Error`].
    #[error(transparent)]
    Study(#[from] study::Error),
    /// `--session`
    #[error("The session cannot be used: {0}")]
    Session(String),
    /// See [`calcium::Error`].
    #[error(transparent)]
    Calcium(#[from] ::calcium::Error),
    /// See [`backend::Error`].
    #[error(transparent)]
    Backend(#[from] backend::Error),
    /// The description of a person.
    #[error("The description of the person cannot be used: {0}")]
    Person(String),
    /// The user's own percentiles.
    #[error("The percentile table cannot be used: {0}")]
    Percentiles(String),
    /// A file could not be written, or standard output was closed.
    #[error("cannot write the result: {0}")]
    Write(#[source] std::io::Error),
}

impl Error {
    /// Whether the user can mend it by other arguments.
    pub fn bad_input(&self) -> bool {
        !matches!(self, Self::Backend(backend::Error::NoGpu(_)) | Self::Write(_))
    }
}

/// The report, and what only the command line knows.
#[derive(Serialize)]
struct Output {
    #[serde(flatten)]
    report: Report,
    series: SeriesLine,
    /// Reading the files, before any scoring.
    read_ms: f64,
}

#[derive(Serialize)]
struct SeriesLine {
    uid: String,
    number: Option<i32>,
    instances: u32,
}

/// Scores and prints.
pub fn run(args: &Args) -> Result<(), Error> {
    let session = session(args)?;
    let request = Request::of(&session)?;
    let percentiles: Option<PercentileTable> =
        args.percentiles.as_deref().map(|p| from_json(p, Error::Percentiles)).transpose()?;
    let began = Instant::now();
    let mut catalog = study::open(&args.paths)?;
    let index = study::choose(&catalog, args.series, meant)?;
    let (volume, mut warnings) = study::load(&mut catalog, index)?;
    let series = &catalog.series[index];
    let mut notes = Vec::new();
    let region = args.mask.as_deref().map(|p| labels(p, "mask", &volume, &mut notes)).transpose()?;
    let map = args.vessels.as_deref().map(|p| labels(p, "vessel map", &volume, &mut notes)).transpose()?;
    warnings.extend(notes);
    let read_ms = began.elapsed().as_secs_f64() * 1000.0;
    let mut reading =
        Reading { region: region.as_deref(), percentiles: percentiles.as_ref(), ..Reading::of(&session) };
    if let Some(map) = &map {
        reading.assignment = Assignment::Map(map);
    }
    let now_ms = || began.elapsed().as_secs_f64() * 1000.0;
    let input = Input::new(series, &volume, &warnings);
    let mut report = backend::score(args.backend, &input, &request, &reading, &now_ms)?;
    report.input.voxels_sha256 = Some(voxels_sha256(&volume.voxels));
    if let Some(path) = &args.csv {
        std::fs::write(path, report.csv()).map_err(Error::Write)?;
    }
    if let Some(path) = &args.pdf {
        std::fs::write(path, report.pdf(&args.identify, Some(&volume))).map_err(Error::Write)?;
    }
    let line = SeriesLine { uid: series.uid.clone(), number: series.number, instances: series.instances };
    print(Output { report, series: line, read_ms }, args.json)
}

/// What the arguments decide, over the session that was saved.
fn session(args: &Args) -> Result<Session, Error> {
    let mut session = match &args.session {
        Some(path) => {
            let saved: serde_json::Value = from_json(path, Error::Session)?;
            let saved = saved.get("session").unwrap_or(&saved);
            Session::deserialize(saved).map_err(|e| Error::Session(e.to_string()))?
        }
        None => Session::default(),
    };
    if let Some(path) = &args.person {
        session.person = Some(from_json::<Person>(path, Error::Person)?);
    }
    let Args { profile, threshold, connectivity, min_area_mm2, mass_factor, .. } = args;
    session.profile = profile.clone().unwrap_or(session.profile);
    session.threshold_hu = threshold.or(session.threshold_hu);
    session.connectivity = connectivity.or(session.connectivity);
    session.min_area_mm2 = min_area_mm2.or(session.min_area_mm2);
    session.mass_factor = mass_factor.or(session.mass_factor);
    Ok(session)
}

fn from_json<T: serde::de::DeserializeOwned>(path: &Path, fail: fn(String) -> Error) -> Result<T, Error> {
    let text = std::fs::read_to_string(path).map_err(|e| fail(e.to_string()))?;
    serde_json::from_str(&text).map_err(|e| fail(e.to_string()))
}

/// A localizer or another modality beside the scan is no second scan.
fn meant(series: &Series) -> bool {
    let localizer = series.acquisition.image_type.iter().any(|t| t == "LOCALIZER");
    (series.modality == "CT" || series.modality == "NIfTI") && !localizer && !series.colour
}

/// A label map on the voxels of the series; how it was laid over them goes to the notes.
fn labels(path: &Path, what: &'static str, on: &Volume, notes: &mut Vec<String>) -> Result<Vec<u8>, Error> {
    let Overlay { labels, note } = labels_on(path, what, on)?;
    notes.extend(note);
    Ok(labels)
}

fn print(output: Output, json: bool) -> Result<(), Error> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, &output).map_err(|e| Error::Write(e.into()))?;
        return out.write_all(b"\n").map_err(Error::Write);
    }
    let Report { total, category, warnings, lesions, research_use, stamp, settings, .. } = &output.report;
    let stamp = stamp.as_ref().map(|s| format!("{s}\n")).unwrap_or_default();
    let mass = total.mass_mg.map_or("no mass (no factor)".to_owned(), |m| format!("{m:.2} mg"));
    let notes: String = warnings.iter().map(|w| format!("- {w}\n")).collect();
    write!(
        out,
        "{stamp}Agatston {:.2}  volume {:.2} mm³  {mass}  {category}  {} lesions  (>= {} HU, {})\n{notes}{research_use}\n",
        total.agatston,
        total.volume_mm3,
        lesions.len(),
        settings.threshold_hu,
        settings.profile
    )
    .map_err(Error::Write)
}
