//! Running other programs: loudly, with our tools on the PATH.
//!
//! Every command line is printed before it runs, so that each step can be repeated by hand.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::places;

/// A command that runs in the repository's root, with our tools first and our target folder.
pub fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.current_dir(places::root()).env("CARGO_TARGET_DIR", places::target()).env("PATH", search_path());
    // `cargo xtask` runs us under its own package; what we start must not think it is part of it.
    for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_PKG_NAME", "CARGO_PKG_VERSION"] {
        command.env_remove(name);
    }
    command
}

fn search_path() -> OsString {
    let mut folders = vec![places::tools().join("bin")];
    if let Some(path) = std::env::var_os("PATH") {
        folders.extend(std::env::split_paths(&path));
    }
    std::env::join_paths(folders).unwrap_or_default()
}

/// The program as the shell would find it.
pub fn find(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&search_path()).map(|folder| folder.join(program)).find(|path| path.is_file())
}

/// The command as a person would type it, without what we add to the environment.
pub fn shown(command: &Command) -> String {
    let short = |word: &std::ffi::OsStr| places::short(Path::new(word));
    let words = std::iter::once(command.get_program()).chain(command.get_args()).map(short);
    words
        .map(|word| if word.contains(' ') { format!("'{word}'") } else { word })
        .collect::<Vec<_>>()
        .join(" ")
}

/// Runs it with its output on ours.
pub fn run(command: &mut Command) -> Result<(), String> {
    let shown = shown(command);
    println!("$ {shown}");
    let status = command.status().map_err(|error| format!("`{shown}` did not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{shown}` failed with {status}")) }
}

/// Runs it quietly and gives what it printed on stdout.
pub fn output(command: &mut Command) -> Result<String, String> {
    let shown = shown(command);
    let output = command.output().map_err(|error| format!("`{shown}` did not start: {error}"))?;
    if !output.status.success() {
        let why = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{shown}` failed with {}: {}", output.status, why.trim()));
    }
    String::from_utf8(output.stdout).map_err(|_| format!("`{shown}` printed what is not text"))
}

/// Runs it with its output on ours, and keeps the lines that `keep` wants.
pub fn watched(command: &mut Command, keep: fn(&str) -> bool) -> Result<(Vec<String>, bool), String> {
    let shown = shown(command);
    println!("$ {shown}");
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("`{shown}` did not start: {error}"))?;
    let kept = Arc::new(Mutex::new(Vec::new()));
    let mut readers = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        let kept = kept.clone();
        readers.push(std::thread::spawn(move || pass_on(stdout, std::io::stdout(), keep, &kept)));
    }
    if let Some(stderr) = child.stderr.take() {
        let kept = kept.clone();
        readers.push(std::thread::spawn(move || pass_on(stderr, std::io::stderr(), keep, &kept)));
    }
    let status = child.wait().map_err(|error| format!("`{shown}` was lost: {error}"))?;
    for reader in readers {
        reader.join().map_err(|_| format!("the output of `{shown}` was lost"))?;
    }
    let lines = std::mem::take(&mut *kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    Ok((lines, status.success()))
}

fn pass_on(from: impl Read, mut to: impl Write, keep: fn(&str) -> bool, kept: &Mutex<Vec<String>>) {
    for line in BufReader::new(from).split(b'\n') {
        let Ok(line) = line else { break };
        // When our own output is gone, the program still has to be read to its end.
        let _ = to.write_all(&line).and_then(|()| to.write_all(b"\n")).and_then(|()| to.flush());
        let text = String::from_utf8_lossy(&line);
        if keep(&text) {
            kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(text.trim().to_owned());
        }
    }
}
