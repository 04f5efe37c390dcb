//! Set-up, build, run, test and bench as plain Rust: `cargo xtask --help`.
//!
//! Rust and not a shell script, because everyone who can build the app can run and read it, and because
//! what it knows (names, sizes, arrows between crates) is tested like any other code.

mod apt;
mod bench;
mod bundle;
mod checkout;
mod gates;
mod house;
mod places;
mod seal;
mod shell;
mod tools;
mod verification;

use std::process::ExitCode;

const HELP: &str = "\
Isocenter: set-up, build, run, test and bench

Usage: cargo xtask COMMAND

  run [--addr A]      install what is missing, build the release app, serve it at http://127.0.0.1:8080
  build               the same without serving; the app is in dist/
  test [OPTIONS]      install what tests need and run every gate, one after the other
      --only NAME     run this gate alone (may be given more than once)
      --list          name the gates
  verification        run the tests that compare numbers with others', write docs/verification.md
  bench               build, run the benchmarks, write target/bench/COMMIT.json

Environment: CARGO_TARGET_DIR (default: .cache/isocenter/target in the home folder),
ISOCENTER_SHARED (reference data, default: ../shared beside the repository), CI=true (missing data fails).
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match words.as_slice() {
        ["run" | "build" | "test" | "bench", ..] => checkout::claim().and_then(|others| {
            if others {
                shell::run(shell::command("cargo").args(["xtask"]).args(&words))
            } else {
                command(&words)
            }
        }),
        _ => command(&words),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn command(words: &[&str]) -> Result<(), String> {
    match words {
        ["run", options @ ..] => run(options),
        ["build"] => tools::for_build().and_then(|()| bundle::build()),
        ["test", options @ ..] => gates::test(options),
        ["verification"] => verification::write(),
        ["bench"] => tools::for_build().and_then(|()| bench::bench()),
        [] | ["help" | "--help" | "-h", ..] => {
            print!("{HELP}");
            Ok(())
        }
        _ => Err(format!("`{}` is not understood: see `cargo xtask --help`", words.join(" "))),
    }
}

fn run(options: &[&str]) -> Result<(), String> {
    let addr = match options {
        [] => "127.0.0.1:8080",
        ["--addr", addr] => addr,
        _ => return Err(format!("`{}` is not an option of run: it has --addr A", options.join(" "))),
    };
    tools::for_build()?;
    bundle::build()?;
    let isocenter = bundle::command_line(bundle::Profile::Release)?;
    bundle::serve(&isocenter, addr)
}
