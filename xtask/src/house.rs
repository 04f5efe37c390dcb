//! The rules of the house, as tests: `cargo test -p xtask`.
//!
//! A rule that is only written down is broken within a month. Each is a pure function over text, run once
//! over the real repository and once over a planted fault.

#![cfg(test)]

mod arrows;
mod documents;
mod sources;

use std::path::Path;

use crate::{places, shell};

/// Files under version control, and those that are about to be.
fn tracked() -> Vec<String> {
    let list = shell::output(shell::command("git").args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))
    .expect("the house is a git repository");
    let names: Vec<String> = list.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect();
    assert!(names.iter().any(|name| name == "xtask/src/house.rs"), "the list is not of this repository");
    // Removed in the working tree, still in the index.
    names.into_iter().filter(|name| places::root().join(name).is_file()).collect()
}

/// The text of a tracked file; `None` for what is not text.
fn text(name: &str) -> Option<String> {
    std::fs::read_to_string(places::root().join(Path::new(name))).ok()
}
