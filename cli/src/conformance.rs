//! `isocenter onnx-conformance`: the node tests of ONNX below a folder, one JSON object per test and a sum.
//!
//! A folder with a `model.onnx` is a test, its `test_data_set_N` hold inputs and outputs; folders may be nested.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use inference::Exec;
use inference::conformance::{Case, Verdict, judge};
use serde::Serialize;

use crate::backend::Backend;
use crate::infer::{BackendError, Executor, choose};

/// Which tests, and where they run.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder with the tests.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Where to compute.
    #[arg(long, value_enum, default_value = "cpu")]
    backend: Backend,
    /// Print JSON; the only format, so this changes nothing.
    #[arg(long)]
    json: bool,
}

/// Why nothing was tested.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A folder that cannot be read.
    #[error("cannot read {}: {error}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// No test at all.
    #[error("{} holds no test: a test is a folder with a model.onnx", .0.display())]
    Nothing(PathBuf),
    /// See [`BackendError`].
    #[error(transparent)]
    Backend(#[from] BackendError),
    /// Standard output was closed.
    #[error("cannot write the result: {0}")]
    Write(#[from] std::io::Error),
}

impl Error {
    /// Whether the user can mend it by other arguments.
    pub const fn bad_input(&self) -> bool {
        matches!(self, Self::Folder { .. } | Self::Nothing(_))
    }
}

#[derive(Debug, Serialize)]
struct Line<'a> {
    name: &'a str,
    result: &'static str,
    detail: &'a str,
}

#[derive(Debug, Default, Serialize)]
struct Sum {
    pass: usize,
    fail: usize,
    unsupported: usize,
    error: usize,
}

/// Runs all tests and prints their verdicts.
pub fn run(args: &Args) -> Result<(), Error> {
    let mut tests = Vec::new();
    collect(&args.folder, &mut tests)?;
    if tests.is_empty() {
        return Err(Error::Nothing(args.folder.clone()));
    }
    tests.sort();
    let gpu = |executor| if let Executor::Gpu(exec) = executor { Some(*exec) } else { None };
    match choose(args.backend, true)? {
        Executor::Cpu(exec) => on(exec, || Some(exec), &tests),
        Executor::Gpu(exec) => on(*exec, || choose(args.backend, true).ok().and_then(gpu), &tests),
    }
}

/// Runs on `exec`; `fresh` makes another where a test has destroyed it.
fn on<E: Exec>(exec: E, fresh: impl Fn() -> Option<E>, tests: &[PathBuf]) -> Result<(), Error> {
    let mut out = std::io::stdout().lock();
    let mut sum = Sum::default();
    let mut exec = Some(exec);
    for test in tests {
        let name = test.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let (kind, detail) = match files(test) {
            Err(error) => ("error", error.to_string()),
            Ok((model, cases)) => {
                // A program error must not hide the verdicts on all other tests.
                let with = exec.take().or_else(&fresh);
                let judged = with.map(|with| {
                    catch_unwind(AssertUnwindSafe(|| pollster::block_on(judge(with, &model, &cases))))
                });
                match judged {
                    None => ("error", "the device was lost and there is no other".into()),
                    Some(Err(_)) => ("error", "the program panicked".into()),
                    Some(Ok((back, verdict))) => {
                        exec = Some(back);
                        match verdict {
                            Verdict::Pass => ("pass", String::new()),
                            Verdict::Fail(detail) => ("fail", detail),
                            Verdict::Unsupported(detail) => ("unsupported", detail),
                            Verdict::Error(detail) => ("error", detail),
                        }
                    }
                }
            }
        };
        *match kind {
            "pass" => &mut sum.pass,
            "fail" => &mut sum.fail,
            "unsupported" => &mut sum.unsupported,
            _ => &mut sum.error,
        } += 1;
        let line = Line { name: &name, result: kind, detail: &detail };
        writeln!(out, "{}", serde_json::to_string(&line).map_err(std::io::Error::from)?)?;
    }
    writeln!(out, "{}", serde_json::to_string(&sum).map_err(std::io::Error::from)?)?;
    Ok(())
}

/// Folders with a model, at any depth.
fn collect(folder: &Path, tests: &mut Vec<PathBuf>) -> Result<(), Error> {
    let fault = |error| Error::Folder { path: folder.into(), error };
    if folder.join("model.onnx").is_file() {
        tests.push(folder.into());
        return Ok(());
    }
    for entry in std::fs::read_dir(folder).map_err(fault)? {
        let entry = entry.map_err(fault)?;
        // Links are not followed: they may lead in a circle.
        if entry.file_type().map_err(fault)?.is_dir() {
            collect(&entry.path(), tests)?;
        }
    }
    Ok(())
}

/// The model and the cases of a test.
fn files(test: &Path) -> std::io::Result<(Vec<u8>, Vec<Case>)> {
    let model = std::fs::read(test.join("model.onnx"))?;
    let mut sets = BTreeMap::new();
    for entry in std::fs::read_dir(test)? {
        let path = entry?.path();
        let number = path.file_name().and_then(|n| {
            n.to_string_lossy().strip_prefix("test_data_set_").and_then(|n| n.parse::<u32>().ok())
        });
        if let Some(number) = number.filter(|_| path.is_dir()) {
            sets.insert(number, path);
        }
    }
    let mut cases = Vec::with_capacity(sets.len());
    for set in sets.values() {
        let part = |kind: &str| -> std::io::Result<Vec<Vec<u8>>> {
            (0..)
                .map(|i| set.join(format!("{kind}_{i}.pb")))
                .take_while(|path| path.is_file())
                .map(std::fs::read)
                .collect()
        };
        cases.push(Case { inputs: part("input")?, outputs: part("output")? });
    }
    Ok((model, cases))
}
