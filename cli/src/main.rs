//! The command line: isocenter.
//!
//! One file per subcommand; this one knows their names and turns their errors into exit codes: 2 for bad
//! input, 1 for a failure.

mod calcium;
mod inspect;
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
    /// Tell what is in files, folders and zips, and what became of every file.
    Inspect(inspect::Args),
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
        Command::Serve(args) => match serve::run(args) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                eprintln!("error: {error}");
                ExitCode::FAILURE
            }
        },
    }
}
