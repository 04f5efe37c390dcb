//! The command line: isocenter.
//!
//! One file per subcommand; this one knows their names and turns their errors into exit codes: 2 for bad
//! input, 1 for a failure.

mod calcium;
mod conformance;
mod infer;
mod inspect;
mod perfusion;
mod segment;
mod serve;

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

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Calcium(args) => match calcium::run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(if error.bad_input() { 2 } else { 1 })
            }
        },
        Command::Inspect(args) => match inspect::run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(if error.bad_input() { 2 } else { 1 })
            }
        },
        Command::Infer(args) => match infer::run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(if error.bad_input() { 2 } else { 1 })
            }
        },
        Command::OnnxConformance(args) => match conformance::run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(if error.bad_input() { 2 } else { 1 })
            }
        },
        Command::Perfusion(args) => match perfusion::run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(if error.bad_input() { 2 } else { 1 })
            }
        },
        Command::Segment(args) => match segment::run(&args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::from(if error.bad_input() { 2 } else { 1 })
            }
        },
        Command::Serve(args) => match serve::run(args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
    }
}
