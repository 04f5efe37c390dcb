//! `cargo xtask bench`: runs what measures, keeps the figures with what they depend on.
//!
//! A figure without its commit, adapter and sizes cannot be compared with the next one, so they are
//! written together, one file per commit.

use std::path::PathBuf;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::bundle::{self, Profile};
use crate::{places, shell};

/// Programs that print one JSON value on stdout: name, package, how cargo runs them. What needs a GPU natively is
/// a bench, because examples are also built with the tests for the browser.
const BENCHES: [(&str, &str, &[&str]); 4] = [
    ("read", "imaging", &["run", "--release", "--example", "bench_read"]),
    ("calcium", "calcium", &["bench", "--bench", "calcium"]),
    ("display", "gpu-kernels", &["bench", "--bench", "display"]),
    ("browser", "e2e", &["run", "--release", "--bin", "bench"]),
];

/// Builds, measures, writes, prints.
pub fn bench() -> Result<(), String> {
    let sizes = bundle::build_measured()?;
    let isocenter = bundle::command_line(Profile::Release)?;
    let commit =
        shell::output(shell::command("git").args(["rev-parse", "--short=12", "HEAD"]))?.trim().to_owned();
    let changed = !shell::output(shell::command("git").args(["status", "--porcelain"]))?.trim().is_empty();

    let mut results = serde_json::Map::new();
    let mut failed = Vec::new();
    for (name, package, run) in BENCHES {
        let mut command = shell::command("cargo");
        command.args(run).args(["--quiet", "--locked", "--package", package]);
        command.env("ISOCENTER_DIST", places::dist()).env("ISOCENTER_BIN", &isocenter);
        println!("$ {}", shell::shown(&command));
        match measure(&mut command) {
            Ok(value) => {
                results
                    .insert(name.to_owned(), json!({ "command": shell::shown(&command), "figures": value }));
            }
            Err(error) => {
                eprintln!("{name}: {error}");
                results
                    .insert(name.to_owned(), json!({ "command": shell::shown(&command), "failed": error }));
                failed.push(name);
            }
        }
    }
    let modules: Vec<Value> = sizes
        .iter()
        .map(|m| json!({ "name": m.name, "raw_bytes": m.raw_bytes, "brotli_bytes": m.brotli_bytes }))
        .collect();
    let adapter = results.values().find_map(|result| find(result, "adapter")).cloned().unwrap_or(Value::Null);
    let record = json!({
        "commit": commit,
        "uncommitted_changes": changed,
        "unix_time_s": SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |t| t.as_secs()),
        "command": "cargo xtask bench",
        "adapter": adapter,
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "modules": modules,
        "modules_brotli_bytes": bundle::total_brotli(&sizes),
        "results": results,
    });
    let path = write(&commit, &record)?;
    for (key, value) in rows(&record["results"]) {
        println!("{key:<60} {value:>16}");
    }
    println!("\nwritten to {}", places::short(&path));
    if failed.is_empty() { Ok(()) } else { Err(format!("these did not measure: {}", failed.join(", "))) }
}

fn measure(command: &mut Command) -> Result<Value, String> {
    let printed = shell::output(command)?;
    serde_json::from_str(printed.trim()).map_err(|error| format!("did not print JSON: {error}"))
}

fn write(commit: &str, record: &Value) -> Result<PathBuf, String> {
    let folder = places::root().join("target/bench");
    std::fs::create_dir_all(&folder).map_err(|e| format!("cannot make target/bench: {e}"))?;
    let path = folder.join(format!("{commit}.json"));
    std::fs::write(&path, format!("{record:#}\n"))
        .map_err(|e| format!("cannot write {}: {e}", path.display()))?;
    Ok(path)
}

/// The first value under this key, wherever it is.
fn find<'a>(value: &'a Value, key: &str) -> Option<&'a Value> {
    match value {
        Value::Object(map) => map.get(key).or_else(|| map.values().find_map(|inner| find(inner, key))),
        Value::Array(list) => list.iter().find_map(|inner| find(inner, key)),
        _ => None,
    }
}

/// Every number with the path to it.
fn rows(value: &Value) -> Vec<(String, String)> {
    let mut out = Vec::new();
    let mut walk = vec![(String::new(), value)];
    while let Some((path, value)) = walk.pop() {
        let below = |key: &str| if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") };
        match value {
            Value::Object(map) => walk.extend(map.iter().rev().map(|(k, v)| (below(k), v))),
            Value::Array(list) => {
                walk.extend(list.iter().enumerate().rev().map(|(i, v)| (below(&i.to_string()), v)))
            }
            Value::Number(number) => out.push((path, number.to_string())),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_gets_its_row_in_order() {
        let value = json!({ "read": { "figures": [{ "ms": 1.5 }, { "ms": 2 }], "name": "x" } });
        let expected = [("read.figures.0.ms", "1.5"), ("read.figures.1.ms", "2")];
        assert_eq!(rows(&value), expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn the_adapter_is_found_at_any_depth() {
        let value = json!({ "a": [1, { "adapter": "llvmpipe" }] });
        assert_eq!(find(&value, "adapter"), Some(&json!("llvmpipe")));
        assert_eq!(find(&value, "commit"), None);
    }
}
