//! `cargo xtask test`: every gate, one after the other.
//!
//! One at a time, because two builds on two cores only slow each other; all of them even when one fails,
//! because a run is long and its findings are independent.

use std::process::Command;
use std::time::Instant;

use crate::bundle::{self, Profile};
use crate::{places, shell, tools};

/// A gate and what it found.
struct Outcome {
    name: &'static str,
    seconds: f64,
    /// Lines in which the runners themselves sum up.
    closing: Vec<String>,
    result: Result<Verdict, String>,
}

/// A gate that did not fail.
enum Verdict {
    Passed,
    /// Did not run, and why: never silently.
    Skipped(String),
}

type Gate = fn(&mut Vec<String>) -> Result<Verdict, String>;

/// In the order in which they run: quick ones first.
const GATES: [(&str, Gate); 10] = [
    ("data", data),
    ("fmt", fmt),
    ("house", house),
    ("clippy", clippy),
    ("clippy-wasm", clippy_wasm),
    ("deny", deny),
    ("native", native),
    ("wasm", wasm),
    ("build", build),
    ("e2e", e2e),
];

/// Crates whose code runs in the browser.
const WASM_CRATES: [&str; 13] = [
    "scene",
    "contract",
    "protocol",
    "wire",
    "imaging",
    "gpu-kernels",
    "calcium",
    "perfusion",
    "inference",
    "segmentation",
    "inference-worker",
    "engine",
    "app",
];

/// Runs the gates that the options leave.
pub fn test(options: &[&str]) -> Result<(), String> {
    let chosen = choose(options)?;
    if options.contains(&"--list") {
        for (name, _) in GATES {
            println!("{name}");
        }
        return Ok(());
    }
    tools::for_test()?;
    let started = Instant::now();
    let mut outcomes = Vec::new();
    for (name, gate) in GATES.into_iter().filter(|(name, _)| chosen.is_empty() || chosen.contains(name)) {
        println!("\n=== {name}");
        let began = Instant::now();
        let mut closing = Vec::new();
        let result = gate(&mut closing);
        if let Err(error) = &result {
            eprintln!("{name}: {error}");
        }
        outcomes.push(Outcome { name, seconds: began.elapsed().as_secs_f64(), closing, result });
    }
    print!("{}", report(&outcomes, started.elapsed().as_secs_f64()));
    let failed: Vec<&str> = outcomes.iter().filter(|o| o.result.is_err()).map(|o| o.name).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

/// The names after `--only`; empty means all.
fn choose<'a>(options: &[&'a str]) -> Result<Vec<&'a str>, String> {
    let mut chosen = Vec::new();
    let mut rest = options.iter();
    while let Some(option) = rest.next() {
        match *option {
            "--only" => {
                let name =
                    rest.next().ok_or("--only needs the name of a gate: see `cargo xtask test --list`")?;
                if !GATES.iter().any(|(gate, _)| gate == name) {
                    return Err(format!("there is no gate {name}: see `cargo xtask test --list`"));
                }
                chosen.push(*name);
            }
            "--list" => {}
            other => return Err(format!("`{other}` is not an option of test: see `cargo xtask --help`")),
        }
    }
    Ok(chosen)
}

fn report(outcomes: &[Outcome], seconds: f64) -> String {
    let mut text = String::from("\n=== what the runners said\n");
    for outcome in outcomes {
        for line in &outcome.closing {
            text += &format!("{:<12} {line}\n", outcome.name);
        }
    }
    text += &format!("\n{:<12} {:<8} {:>8}\n", "gate", "result", "seconds");
    for outcome in outcomes {
        let (word, why) = match &outcome.result {
            Ok(Verdict::Passed) => ("passed", ""),
            Ok(Verdict::Skipped(why)) => ("SKIPPED", why.as_str()),
            Err(why) => ("FAILED", why.as_str()),
        };
        text += format!("{:<12} {word:<8} {:>8.1}  {why}", outcome.name, outcome.seconds).trim_end();
        text += "\n";
    }
    text + &format!("{:<21} {seconds:>8.1}\n", "all")
}

/// The lines in which cargo's test runner, nextest and our own programs sum up.
fn is_closing(line: &str) -> bool {
    let line = line.trim_start();
    // A crate without doc tests says nothing worth a line.
    (line.starts_with("test result:") && !line.contains(" 0 passed; 0 failed"))
        || line.starts_with("Summary [")
        || line.starts_with("summary:")
        || line.starts_with("bans ok")
        || line.starts_with("bans FAILED")
}

fn step(command: &mut Command, closing: &mut Vec<String>) -> Result<(), String> {
    let (lines, passed) = shell::watched(command, is_closing)?;
    closing.extend(lines);
    if passed { Ok(()) } else { Err(format!("`{}` failed", shell::shown(command))) }
}

fn cargo(words: &[&str]) -> Command {
    let mut command = shell::command("cargo");
    command.args(words);
    command
}

fn passed(result: Result<(), String>) -> Result<Verdict, String> {
    result.map(|()| Verdict::Passed)
}

/// Tests that compare with reference data say so and pass where it is missing; a CI run must have it.
fn data(_: &mut Vec<String>) -> Result<Verdict, String> {
    if places::shared().join("data").is_dir() {
        return Ok(Verdict::Passed);
    }
    let why = "no reference data beside the repository; name its folder in ISOCENTER_SHARED".to_owned();
    if std::env::var("CI").is_ok_and(|ci| ci == "true") { Err(why) } else { Ok(Verdict::Skipped(why)) }
}

fn fmt(closing: &mut Vec<String>) -> Result<Verdict, String> {
    passed(step(&mut cargo(&["fmt", "--all", "--check"]), closing))
}

fn house(closing: &mut Vec<String>) -> Result<Verdict, String> {
    passed(step(&mut cargo(&["test", "--locked", "--package", "xtask"]), closing))
}

fn clippy(closing: &mut Vec<String>) -> Result<Verdict, String> {
    let words =
        ["clippy", "--locked", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"];
    passed(step(&mut cargo(&words), closing))
}

fn clippy_wasm(closing: &mut Vec<String>) -> Result<Verdict, String> {
    let mut command = cargo(&["clippy", "--locked", "--keep-going", "--target", "wasm32-unknown-unknown"]);
    for name in WASM_CRATES {
        command.args(["--package", name]);
    }
    step(command.args(["--", "-D", "warnings"]), closing)?;
    // Tests of the other crates are for machines: they need files and threads.
    let mut tests =
        cargo(&["clippy", "--locked", "--keep-going", "--target", "wasm32-unknown-unknown", "--tests"]);
    for (name, _) in tested_in_a_browser() {
        tests.args(["--package", name]);
    }
    passed(step(tests.args(["--", "-D", "warnings"]), closing))
}

/// Crates with a webdriver.json have tests that only a browser can run: their names and folders.
fn tested_in_a_browser() -> Vec<(&'static str, String)> {
    let folders = |name: &'static str| [(name, name.to_owned()), (name, format!("analysis/{name}"))];
    let driven = |(_, folder): &(&str, String)| places::root().join(folder).join("webdriver.json").is_file();
    WASM_CRATES.into_iter().flat_map(folders).filter(driven).collect()
}

fn deny(closing: &mut Vec<String>) -> Result<Verdict, String> {
    // Missing, it is built, and failing that the gate fails: a gate that is not there holds nothing.
    tools::deny()?;
    // Advisories need the network and change without us, so they are no gate.
    passed(step(&mut cargo(&["deny", "--locked", "check", "bans", "licenses", "sources"]), closing))
}

fn native(closing: &mut Vec<String>) -> Result<Verdict, String> {
    let which = ["--locked", "--workspace", "--exclude", "e2e", "--exclude", "xtask"];
    if shell::find("cargo-nextest").is_some() {
        step(cargo(&["nextest", "run", "--no-fail-fast"]).args(which), closing)?;
        return passed(step(cargo(&["test", "--doc"]).args(which), closing));
    }
    passed(step(cargo(&["test", "--no-fail-fast"]).args(which), closing))
}

fn wasm(closing: &mut Vec<String>) -> Result<Verdict, String> {
    let crates = tested_in_a_browser();
    if crates.is_empty() {
        return Err("no crate has a webdriver.json: the browser tests are gone".into());
    }
    let driver = shell::find("chromedriver").ok_or("chromedriver is missing: install chromium-driver")?;
    for (_, folder) in crates {
        let mut command = shell::command("wasm-pack");
        // The tools are there in the locked version; wasm-pack would download another build.
        command.args(["test", "--mode", "no-install", "--headless", "--chrome", "--chromedriver"]);
        // What follows the crate is cargo's.
        command.arg(&driver).args([folder.as_str(), "--locked"]);
        step(command.env("WASM_BINDGEN_TEST_TIMEOUT", "300"), closing)?;
    }
    Ok(Verdict::Passed)
}

fn build(closing: &mut Vec<String>) -> Result<Verdict, String> {
    let weights = bundle::weigh(&bundle::build_measured()?);
    closing.extend(weights.iter().map(ToString::to_string));
    match weights.iter().find(|weight| !weight.fits()) {
        Some(weight) => Err(format!("{weight}: see the table")),
        None => Ok(Verdict::Passed),
    }
}

/// Uses dist/ as the gate before left it.
fn e2e(closing: &mut Vec<String>) -> Result<Verdict, String> {
    if !places::dist().join("precache.json").is_file() {
        bundle::build()?;
    }
    let isocenter = bundle::command_line(Profile::Dev)?;
    let mut command = cargo(&[
        "test",
        "--locked",
        "--package",
        "e2e",
        "--no-fail-fast",
        "--",
        "--nocapture",
        "--test-threads=1",
    ]);
    passed(step(command.env("ISOCENTER_DIST", places::dist()).env("ISOCENTER_BIN", isocenter), closing))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_name_gates_that_exist() {
        assert_eq!(choose(&["--only", "fmt", "--only", "e2e"]), Ok(vec!["fmt", "e2e"]));
        assert_eq!(choose(&[]), Ok(vec![]));
        for wrong in [&["--only"][..], &["--only", "fnt"], &["fmt"], &["--onyl", "fmt"], &["--deny"]] {
            choose(wrong).expect_err("a misspelt option must not run everything or nothing");
        }
    }

    #[test]
    fn runners_closing_lines_are_kept_and_empty_ones_are_not() {
        assert!(is_closing("test result: ok. 12 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"));
        assert!(is_closing("test result: FAILED. 0 passed; 1 failed; 0 ignored"));
        assert!(is_closing("     Summary [   1.2s] 12 tests run: 12 passed, 0 skipped"));
        assert!(!is_closing("test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out"));
        assert!(!is_closing("test a ... ok"));
    }

    #[test]
    fn the_report_tells_failed_and_skipped_apart() {
        let outcome = |name, result| Outcome { name, seconds: 1.25, closing: vec!["said so".into()], result };
        let text = report(
            &[
                outcome("fmt", Ok(Verdict::Passed)),
                outcome("deny", Ok(Verdict::Skipped("not there".into()))),
                outcome("e2e", Err("broke".into())),
            ],
            3.75,
        );
        for line in [
            "fmt          said so",
            "fmt          passed        1.2",
            "deny         SKIPPED       1.2  not there",
            "e2e          FAILED        1.2  broke",
            "all                        3.8",
        ] {
            assert!(text.lines().any(|l| l == line), "no {line:?} in:\n{text}");
        }
    }
}
