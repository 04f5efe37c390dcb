//! `isocenter infer`: an ONNX model on named inputs, its outputs as `.npy` files, and what the run was like.
//!
//! The same engine as in the browser. A model that does not fit, or asks for an operator that is not there, is refused
//! before anything is computed.

mod backend;
mod inputs;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use inference::exec::{Report, RunError};
use inference::graph::LoadError;
use inference::{Exec, Graph, HostOnly, Limits, Session, Tensor, npy};
use serde::Serialize;

use crate::backend::Backend;

pub use backend::{Error as BackendError, Executor, choose};

/// What to run, on what, where.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// The model.
    #[arg(value_name = "MODEL.onnx")]
    model: PathBuf,
    /// A named input: .npy, .npz (the array of that name, or FILE.npz:ARRAY), .nii(.gz), .png, .dcm. The name may be
    /// left out where the model has one input.
    #[arg(long, value_name = "NAME=FILE", required = true)]
    input: Vec<String>,
    /// Folder for NAME.npy of every output.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
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

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The model's file.
    #[error("cannot read the model: {0}")]
    Model(#[source] std::io::Error),
    /// See [`LoadError`].
    #[error(transparent)]
    Load(#[from] LoadError),
    /// See [`inputs::Error`].
    #[error(transparent)]
    Input(#[from] inputs::Error),
    /// See [`BackendError`].
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// See [`RunError`].
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file could not be written, or standard output was closed.
    #[error("cannot write the result: {0}")]
    Write(#[source] std::io::Error),
}

impl Error {
    /// Whether the user can mend it by other arguments.
    pub const fn bad_input(&self) -> bool {
        !matches!(
            self,
            Self::Backend(_) | Self::Write(_) | Self::Run(RunError::Device { .. } | RunError::Stopped)
        )
    }
}

#[derive(Debug, Serialize)]
struct OutputLine {
    name: String,
    dtype: &'static str,
    shape: Vec<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
}

#[derive(Debug, Serialize)]
struct Timings {
    load: f64,
    run: f64,
    total: f64,
}

#[derive(Debug, Serialize)]
struct Nodes {
    on_device: usize,
    on_host: usize,
    host_operators: Vec<String>,
    data_dependent: usize,
}

#[derive(Debug, Serialize)]
struct Summary {
    outputs: Vec<OutputLine>,
    peak_bytes: u64,
    backend: String,
    /// How a GPU's kernels were chosen.
    remark: Option<String>,
    opset: i64,
    nodes: Nodes,
    timings_ms: Timings,
    warnings: Vec<String>,
}

/// Runs and prints.
pub fn run(args: &Args) -> Result<(), Error> {
    let began = Instant::now();
    let bytes = std::fs::read(&args.model).map_err(Error::Model)?;
    let graph = Arc::new(inference::load(&bytes, &Limits::default())?);
    drop(bytes);
    let inputs = inputs::read(&args.input, &graph)?;
    let load_ms = began.elapsed().as_secs_f64() * 1000.0;
    let budget = args.budget_mb.saturating_mul(1 << 20);
    let exec = choose(args.backend, false)?;
    let mut warnings = Vec::new();
    let started = Instant::now();
    let (outputs, report) = match exec {
        Executor::Cpu(exec) => on(exec, &graph, inputs, budget)?,
        Executor::Gpu(exec) => match on(*exec, &graph, inputs.clone(), budget) {
            Err(Error::Run(fault @ RunError::Device { .. })) if args.backend == Backend::Auto => {
                warnings.push(format!("{fault}. The CPU computed instead."));
                on(HostOnly, &graph, inputs, budget)?
            }
            result => result?,
        },
    };
    let run_ms = started.elapsed().as_secs_f64() * 1000.0;
    if report.data_dependent > 0 {
        warnings.push(format!(
            "{} nodes have shapes that depend on data: peak_bytes is what was known before the run.",
            report.data_dependent
        ));
    }
    let files = write(args, &outputs)?;
    let lines = outputs.iter().zip(files).map(|((name, tensor), file)| OutputLine {
        name: name.clone(),
        dtype: tensor.dtype().name(),
        shape: tensor.shape().to_vec(),
        file,
    });
    let Report { backend, remark, on_device, on_host, host_operators, peak_bytes, data_dependent, .. } =
        report;
    let summary = Summary {
        outputs: lines.collect(),
        peak_bytes,
        backend,
        remark,
        opset: graph.opset,
        nodes: Nodes { on_device, on_host, host_operators, data_dependent },
        timings_ms: Timings { load: load_ms, run: run_ms, total: began.elapsed().as_secs_f64() * 1000.0 },
        warnings,
    };
    print(&summary, args.json)
}

type Outputs = Vec<(String, Tensor)>;

fn on<E: Exec>(
    exec: E,
    graph: &Arc<Graph>,
    inputs: Vec<(String, Tensor)>,
    budget: u64,
) -> Result<(Outputs, Report), Error> {
    let mut session = Session::new(Arc::clone(graph), exec, budget);
    Ok(pollster::block_on(session.run(inputs, |_| ControlFlow::Continue(())))?)
}

/// Writes every output; the file names in the same order.
fn write(args: &Args, outputs: &Outputs) -> Result<Vec<Option<String>>, Error> {
    let Some(folder) = &args.out else { return Ok(vec![None; outputs.len()]) };
    std::fs::create_dir_all(folder).map_err(Error::Write)?;
    let mut files = Vec::with_capacity(outputs.len());
    for (name, tensor) in outputs {
        // Names of outputs may be paths within the exporting program.
        let plain: String =
            name.chars().map(|c| if c.is_alphanumeric() || "._-".contains(c) { c } else { '_' }).collect();
        let file = format!("{}.npy", plain.trim_start_matches('.'));
        std::fs::write(folder.join(&file), npy::write(tensor)).map_err(Error::Write)?;
        files.push(Some(file));
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
    let outputs: String =
        summary.outputs.iter().map(|o| format!("{} {} {:?}\n", o.name, o.dtype, o.shape)).collect();
    let notes: String = summary.warnings.iter().map(|w| format!("- {w}\n")).collect();
    write!(
        out,
        "{outputs}{:.0} ms on {}, {} MB at most ({} nodes on the device, {} on the host)\n{notes}Research use only.\n",
        summary.timings_ms.run,
        summary.backend,
        summary.peak_bytes.div_ceil(1 << 20),
        summary.nodes.on_device,
        summary.nodes.on_host,
    )
    .map_err(Error::Write)
}
