//! `isocenter segment`: a model on a series, its labels as NIfTI, DICOM SEG and a table of volumes.
//!
//! The same crates compute here and in the browser; this file finds the model and the series and writes files.

mod card;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Instant;

use contract::models::{ASSUMED, Model};
use imaging::disk::DiskFile;
use imaging::{Catalog, Volume};
use inference::{Exec, Session};
use segmentation::dicom::{self, Kind, Maker, Moment, SegError, SourceSeries};
use segmentation::nifti::{self, NiftiLabelError};
use segmentation::run::{self, SegmentError, Segmented};
use segmentation::{Label, LabelError, LabelStatistics, LabelVolume, csv, statistics};
use serde::Serialize;

use crate::backend::Backend;
use crate::infer::{BackendError, Executor, choose};
use crate::study;

/// What to segment, with what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of a model, its folder or card, or an ONNX file.
    model: String,
    /// Files, folders and zip archives with one series.
    #[arg(required = true)]
    paths: Vec<PathBuf>,
    /// Folder for labels.nii.gz, labels.dcm and volumes.csv.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Which series, where there are several: its number in the message that says so.
    #[arg(long, value_name = "N")]
    series: Option<usize>,
    /// Precision of the weights: fp32, fp16, int8 or qdq; without it the one that the card lists first.
    #[arg(long, value_name = "NAME")]
    variant: Option<String>,
    /// Folder with models of your own, searched before the bundled ones.
    #[arg(long, value_name = "DIR")]
    models: Option<PathBuf>,
    /// Folder with the bundled models.
    #[arg(long, value_name = "DIR", default_value = "models")]
    bundled_models: PathBuf,
    /// One bit per voxel and label, which every archive reads, or one byte per voxel (2024).
    #[arg(long, value_enum, default_value = "binary")]
    seg: Seg,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "auto")]
    backend: Backend,
    /// Megabytes that weights and values may take together.
    #[arg(long, value_name = "N", default_value_t = 8192)]
    budget_mb: u64,
    /// Print JSON; without it, a short summary.
    #[arg(long)]
    json: bool,
}

/// Kind of DICOM object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Seg {
    /// Segmentation Storage.
    Binary,
    /// Label Map Segmentation Storage.
    Labelmap,
}

/// Why there are no labels.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// See [`study::Error`].
    #[error(transparent)]
    Study(#[from] study::Error),
    /// See [`card::Error`].
    #[error(transparent)]
    Model(#[from] card::Error),
    /// See [`BackendError`].
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// See [`SegmentError`].
    #[error(transparent)]
    Segment(#[from] SegmentError),
    /// See [`LabelError`].
    #[error(transparent)]
    Labels(#[from] LabelError),
    /// See [`SegError`].
    #[error(transparent)]
    Seg(#[from] SegError),
    /// See [`NiftiLabelError`].
    #[error(transparent)]
    Nifti(#[from] NiftiLabelError),
    /// A file could not be written, or standard output was closed.
    #[error("cannot write the result: {0}")]
    Write(#[source] std::io::Error),
}

impl Error {
    /// Whether the user can mend it by other arguments.
    pub const fn bad_input(&self) -> bool {
        !matches!(self, Self::Backend(_) | Self::Write(_))
    }
}

#[derive(Serialize)]
struct LabelLine {
    #[serde(flatten)]
    statistics: LabelStatistics,
    name: String,
    colour: [u8; 3],
}

#[derive(Serialize)]
struct Timings {
    read: f64,
    run: f64,
    total: f64,
}

#[derive(Serialize)]
struct Summary {
    model: String,
    model_sha256: String,
    labels: Vec<LabelLine>,
    unit: String,
    files: Vec<&'static str>,
    backend: String,
    /// How a GPU's kernels were chosen.
    remark: Option<String>,
    peak_bytes: u64,
    timings_ms: Timings,
    warnings: Vec<String>,
}

/// Runs, writes and prints.
pub fn run(args: &Args) -> Result<(), Error> {
    let began = Instant::now();
    let folders: Vec<PathBuf> = args.models.iter().chain([&args.bundled_models]).cloned().collect();
    let found = card::find(&args.model, args.variant.as_deref(), &folders)?;
    let graph = run::load(&found.bytes)?;
    let mut catalog = study::open(&args.paths)?;
    let index = study::choose(&catalog, args.series, |_| true)?;
    let (volume, mut warnings) = study::load(&mut catalog, index)?;
    let model = match found.card {
        Some(model) => {
            warnings.extend(other_modality(&model, &catalog.series[index].modality));
            model
        }
        None => {
            warnings.push(ASSUMED.to_owned());
            let mut model = Model::bare(&found.title, found.bytes.len() as u64);
            run::complete(&mut model, &graph, &volume)?;
            model
        }
    };
    let read_ms = began.elapsed().as_secs_f64() * 1e3;
    let started = Instant::now();
    let budget = args.budget_mb.saturating_mul(1 << 20);
    let done = match choose(args.backend, false)? {
        Executor::Cpu(exec) => on(Session::new(graph, exec, budget), &volume, &model)?,
        Executor::Gpu(exec) => on(Session::new(graph, *exec, budget), &volume, &model)?,
    };
    let run_ms = started.elapsed().as_secs_f64() * 1e3;
    let labels = LabelVolume::new(volume.grid.clone(), done.voxels, described(&model))?;
    let measured = statistics(&labels, &volume, 0)?;
    let files = write(args, &labels, &measured, &volume.unit, &catalog, index, &found.title, &mut warnings)?;
    let line = |statistics: LabelStatistics| {
        let of = labels.label(statistics.id);
        LabelLine {
            name: of.map_or_else(String::new, |label| label.name.clone()),
            colour: of.map_or([0; 3], |label| label.colour),
            statistics,
        }
    };
    // A bare file describes 255 labels; those that are not there are no result.
    let shown = measured.into_iter().filter(|s| s.voxels > 0 || !model.is_bare());
    let summary = Summary {
        model: found.title,
        model_sha256: found.sha256,
        labels: shown.map(line).collect(),
        unit: volume.unit.clone(),
        files,
        backend: done.report.backend,
        remark: done.report.remark,
        peak_bytes: done.report.peak_bytes,
        timings_ms: Timings { read: read_ms, run: run_ms, total: began.elapsed().as_secs_f64() * 1e3 },
        warnings,
    };
    print(&summary, args.json)
}

/// A NIfTI file names no modality, so nothing can be said of it.
fn other_modality(model: &Model, modality: &str) -> Option<String> {
    let known = !modality.is_empty() && !matches!(modality, "NIfTI" | "PNG" | "JPEG");
    (known && !model.modalities.is_empty() && !model.modalities.iter().any(|m| m == modality))
        .then(|| format!("The model was made for {}, the series is {modality}.", model.modalities.join(", ")))
}

fn on<E: Exec>(mut session: Session<E>, volume: &Volume, model: &Model) -> Result<Segmented, SegmentError> {
    pollster::block_on(run::segment(&mut session, volume, 0, model, |_| ControlFlow::Continue(())))
}

fn described(model: &Model) -> Vec<Label> {
    let of = |label: &contract::models::Label| {
        let id = u8::try_from(label.index).ok().filter(|id| *id != 0)?;
        Some(Label {
            id,
            name: label.name.clone(),
            colour: label.colour,
            locked: false,
            code: label.code.clone(),
        })
    };
    model.output.labels.iter().filter_map(of).collect()
}

/// The files that were written.
#[allow(clippy::too_many_arguments, reason = "everything that a run knows ends in its files")]
fn write(
    args: &Args,
    labels: &LabelVolume,
    measured: &[LabelStatistics],
    unit: &str,
    catalog: &Catalog<DiskFile>,
    index: usize,
    title: &str,
    warnings: &mut Vec<String>,
) -> Result<Vec<&'static str>, Error> {
    let Some(folder) = &args.out else { return Ok(Vec::new()) };
    std::fs::create_dir_all(folder).map_err(Error::Write)?;
    let put = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).map_err(Error::Write);
    put("labels.nii.gz", &nifti::write(labels)?)?;
    put("volumes.csv", csv::write(labels, measured, unit).as_bytes())?;
    let mut files = vec!["labels.nii.gz", "volumes.csv"];
    let kind = match args.seg {
        Seg::Binary => Kind::Binary,
        Seg::Labelmap => Kind::LabelMap,
    };
    let source = SourceSeries::of(catalog, index);
    let now = chrono::Utc::now();
    let now = Moment { date: now.format("%Y%m%d").to_string(), time: now.format("%H%M%S").to_string() };
    let maker = Maker::Automatic(title.to_owned());
    match source.and_then(|source| dicom::write(labels, &source, kind, &maker, &now)) {
        Ok(bytes) => {
            put("labels.dcm", &bytes)?;
            files.push("labels.dcm");
        }
        // The other files hold the result; a picture that is no DICOM has no object to refer to.
        Err(error @ (SegError::NoSource | SegError::Empty)) => {
            warnings.push(format!("No labels.dcm: {error}"))
        }
        Err(error) => return Err(error.into()),
    }
    Ok(files)
}

fn print(summary: &Summary, json: bool) -> Result<(), Error> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if json {
        serde_json::to_writer(&mut out, summary).map_err(|e| Error::Write(e.into()))?;
        return out.write_all(b"\n").map_err(Error::Write);
    }
    let line = |label: &LabelLine| {
        let size = match label.statistics.volume_ml {
            Some(ml) => format!("{ml:.1} mL"),
            None => format!("{} voxels", label.statistics.voxels),
        };
        let mean = label
            .statistics
            .values
            .map_or_else(String::new, |v| format!(", mean {:.1} {} (SD {:.1})", v.mean, summary.unit, v.sd));
        format!("{}: {size}{mean}\n", label.name)
    };
    let labels: String = summary.labels.iter().map(line).collect();
    let notes: String = summary.warnings.iter().map(|w| format!("- {w}\n")).collect();
    write!(
        out,
        "{labels}{}: {:.0} ms on {}, {} MB at most\n{notes}Research use only.\n",
        summary.model,
        summary.timings_ms.run,
        summary.backend,
        summary.peak_bytes.div_ceil(1 << 20),
    )
    .map_err(Error::Write)
}
