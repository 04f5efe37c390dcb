//! `isocenter calcium`: the calcium score of a CT series, as one JSON object.
//!
//! The same crate computes here and in the browser; this file reads paths into an input and says what is
//! wrong with them.

mod backend;

use std::path::{Path, PathBuf};
use std::time::Instant;

use ::calcium::risk::Person;
use ::calcium::{Assignment, Input, PercentileTable, Reading, Report, Request, Session, voxels_sha256};
use imaging::disk::{DiskFile, files_under};
use imaging::limits::Limits;
use imaging::{Catalog, Series, Volume, read_study};
use serde::{Deserialize as _, Serialize};

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
    backend: backend::Backend,
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
    /// A path that is not there.
    #[error("cannot read the given paths: {0}")]
    Paths(#[source] std::io::Error),
    /// No series at all.
    #[error("The paths hold no series with a picture. {0} files were refused; `isocenter inspect` says why.")]
    Nothing(usize),
    /// Several series.
    #[error("The paths hold {} series that can be scored; choose one with --series N:\n{}", .0.len(), .0.join("\n"))]
    Several(Vec<String>),
    /// `--series` beyond the list.
    #[error("There is no series {0}: the paths hold {1}.")]
    NoSuchSeries(usize, usize),
    /// `--session`
    #[error("The session cannot be used: {0}")]
    Session(String),
    /// See [`imaging::LoadError`].
    #[error(transparent)]
    Load(#[from] imaging::LoadError),
    /// See [`calcium::Error`].
    #[error(transparent)]
    Calcium(#[from] ::calcium::Error),
    /// See [`backend::Error`].
    #[error(transparent)]
    Backend(#[from] backend::Error),
    /// A mask or map that cannot be used.
    #[error("The {what} cannot be used: {why}")]
    Map {
        /// Mask or vessel map.
        what: &'static str,
        /// In words.
        why: String,
    },
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
    let mut catalog = open(&args.paths)?;
    let index = choose(&catalog, args.series)?;
    let (volume, mut warnings) = load(&mut catalog, index)?;
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

fn open(paths: &[PathBuf]) -> Result<Catalog<DiskFile>, Error> {
    Ok(read_study(files_under(paths).map_err(Error::Paths)?, &Limits::default()))
}

/// The series to score: the one that was asked for, or the only one that could be meant.
fn choose(catalog: &Catalog<DiskFile>, asked: Option<usize>) -> Result<usize, Error> {
    let shown: Vec<usize> = (0..catalog.series.len()).filter(|i| catalog.series[*i].displayable).collect();
    if let Some(n) = asked {
        let place = n.checked_sub(1).and_then(|i| shown.get(i));
        return place.copied().ok_or(Error::NoSuchSeries(n, shown.len()));
    }
    // A localizer or another modality beside the scan is no second scan.
    let meant = |s: &Series| {
        let localizer = s.acquisition.image_type.iter().any(|t| t == "LOCALIZER");
        (s.modality == "CT" || s.modality == "NIfTI") && !localizer && !s.colour
    };
    let scans: Vec<usize> = shown.iter().copied().filter(|i| meant(&catalog.series[*i])).collect();
    match (scans.as_slice(), shown.as_slice()) {
        ([one], _) | ([], [one, ..]) => Ok(*one),
        ([], []) => Err(Error::Nothing(catalog.ledger.refused().count())),
        (several, _) => Err(Error::Several(several.iter().map(|i| describe(catalog, *i, &shown)).collect())),
    }
}

fn describe(catalog: &Catalog<DiskFile>, index: usize, shown: &[usize]) -> String {
    let s = &catalog.series[index];
    let number = shown.iter().position(|i| *i == index).map_or(0, |i| i + 1);
    let [x, y, z] = s.dims;
    format!("  {number}: {} {x} x {y} x {z}, series number {}", s.modality, s.number.unwrap_or(0))
}

/// The volume with everything that reading had to say.
fn load(catalog: &mut Catalog<DiskFile>, index: usize) -> Result<(Volume, Vec<String>), Error> {
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

/// A NIfTI of labels, on the voxels of the series.
fn labels(path: &Path, what: &'static str, on: &Volume, notes: &mut Vec<String>) -> Result<Vec<u8>, Error> {
    let mut catalog = open(&[path.to_owned()])?;
    let index = choose(&catalog, None)?;
    let (volume, _) = load(&mut catalog, index)?;
    let label = |i: usize| {
        let value = volume.voxels.get(i).map_or(0.0, |v| volume.rescale.apply(v));
        // A fraction or a large label is still not 0.
        if value == 0.0 || value.is_nan() { 0 } else { value.round().clamp(1.0, 255.0) as u8 }
    };
    let n = volume.grid.voxel_count();
    let same_size = volume.grid.dims() == on.grid.dims();
    let apart_mm = apart_mm(&volume, on);
    let voxel_mm = on.grid.spacing().into_iter().fold(f64::INFINITY, f64::min);
    // Files round positions differently; a shift by half a voxel is another grid.
    if same_size && apart_mm <= 0.5 * voxel_mm {
        return Ok((0..n).map(label).collect());
    }
    // A label for the centre of each voxel, if the map has one for nearly all of them: other programs turn
    // and flip axes, and the world says where each voxel lies.
    let [columns, rows, slices] = on.grid.dims();
    let from_voxel = volume.grid.voxel_from_world() * on.grid.world_from_voxel();
    let inside = volume.grid.dims().map(f64::from);
    let mut out = Vec::with_capacity(on.grid.voxel_count());
    let mut outside = 0;
    for z in 0..slices {
        for y in 0..rows {
            for x in 0..columns {
                let p = from_voxel.transform_point3([x, y, z].map(f64::from).into()).to_array();
                let at = p.map(|v| (v + 0.5).floor());
                if at.iter().zip(inside).all(|(v, n)| *v >= 0.0 && *v < n) {
                    out.push(label(volume.index(at.map(|v| v as u32), 0)));
                } else {
                    outside += 1;
                    out.push(0);
                }
            }
        }
    }
    if outside * 100 <= out.len() {
        notes.push(format!("The {what} lies on another grid; each voxel takes the nearest label."));
        return Ok(out);
    }
    if same_size && unplaced(&volume) {
        notes.push(format!("The {what} says nothing about its place; it is taken voxel by voxel."));
        return Ok((0..n).map(label).collect());
    }
    let why = format!(
        "its grid lies elsewhere: {:?} voxels against {:?}, a corner is {apart_mm:.1} mm away. Resample it to the series.",
        volume.grid.dims(),
        on.grid.dims()
    );
    Err(Error::Map { what, why })
}

/// The largest distance between corners of equal index.
fn apart_mm(a: &Volume, b: &Volume) -> f64 {
    let last = b.grid.dims().map(|n| f64::from(n - 1));
    let distances = (0..8u8).map(|corner| {
        let at = std::array::from_fn(|i| if corner >> i & 1 == 1 { last[i] } else { 0.0 });
        let [a, b] = [a, b].map(|v| v.grid.world_from_voxel().transform_point3(at.into()));
        a.distance(b)
    });
    distances.fold(0.0, f64::max)
}

/// A scaled identity at the origin is what programs write that know no place.
fn unplaced(volume: &Volume) -> bool {
    let placed = volume.grid.world_from_voxel();
    let m = placed.matrix3.to_cols_array_2d();
    let off_axis = (0..3).flat_map(|i| (0..3).map(move |j| (i, j))).filter(|(i, j)| i != j);
    placed.translation.length() < 1e-6 && off_axis.map(|(i, j)| m[i][j].abs()).fold(0.0, f64::max) < 1e-9
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
