//! The command line: isocenter.
//!
//! One file per subcommand; this one knows their names and turns their errors into exit codes: 2 for bad
//! input, 1 for a failure.

mod backend;
mod calcium;
mod conformance;
mod infer;
mod inspect;
mod perfusion;
mod segment;
mod serve;
mod study;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Medical images on your own machine. Research use only.
#[derive(Debug, Parser)]
#[command(name = "isocenter", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Score coronary calcium on a CT series.
    Calcium(Box<calcium::Args>),
    /// Run an ONNX model.
    Infer(infer::Args),
    /// Tell what is in files, folders and zips, and what became of every file.
    Inspect(inspect::Args),
    /// Run the node tests of ONNX.
    OnnxConformance(conformance::Args),
    /// Compute perfusion maps from a dynamic CT or MR series.
    Perfusion(Box<perfusion::Args>),
    /// Label the voxels of a series with a model.
    Segment(Box<segment::Args>),
    /// Serve the app and the API.
    Serve(serve::Args),
}

/// 2 where other arguments would help, 1 where they would not.
fn ended<E: std::fmt::Display>(result: Result<(), E>, bad_input: impl Fn(&E) -> bool) -> ExitCode {
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(if bad_input(&error) { 2 } else { 1 })
        }
    }
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Calcium(args) => ended(calcium::run(&args), calcium::Error::bad_input),
        Command::Infer(args) => ended(infer::run(&args), infer::Error::bad_input),
        Command::Inspect(args) => ended(inspect::run(&args), inspect::Error::bad_input),
        Command::OnnxConformance(args) => ended(conformance::run(&args), conformance::Error::bad_input),
        Command::Perfusion(args) => ended(perfusion::run(&args), perfusion::Error::bad_input),
        Command::Segment(args) => ended(segment::run(&args), segment::Error::bad_input),
        Command::Serve(args) => ended(serve::run(args), |_| false),
    }
}
