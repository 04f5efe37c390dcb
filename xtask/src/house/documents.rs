//! What the documents name has to exist.
//!
//! Architecture documents were seen to name files long gone; these cannot.

use super::{text, tracked};
use crate::places;

/// Documents that describe the house as it is. A decision describes it as it was, so it is not here.
const CURRENT: [&str; 2] = ["ARCHITECTURE.md", "README.md"];

/// Made by a build, so not in a fresh checkout.
const MADE: [&str; 3] = ["dist/", "target/", "static/samples/"];

/// Words in back-quotes that are paths of this repository.
fn paths(document: &str) -> Vec<&str> {
    // Odd pieces lie between back-quotes.
    document.split('`').skip(1).step_by(2).filter(|word| is_path(word)).collect()
}

fn is_path(word: &str) -> bool {
    const ENDINGS: [&str; 9] =
        [".rs", ".md", ".toml", ".wgsl", ".js", ".css", ".html", ".json", ".webmanifest"];
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '-' | '_'));
    // `/api/health` is an address, `..` leaves the repository.
    let inside =
        !word.starts_with(['/', '-', '.']) || word.starts_with(".ci/") || word.starts_with(".cargo/");
    plain
        && inside
        && (word.contains('/') || ENDINGS.iter().any(|e| word.ends_with(e)))
        && !MADE.iter().any(|made| word.starts_with(made) || *made == format!("{word}/"))
}

fn missing(document: &str, exists: impl Fn(&str) -> bool) -> Vec<&str> {
    paths(document).into_iter().filter(|path| !exists(path)).collect()
}

#[test]
fn every_path_in_the_documents_exists() {
    for name in CURRENT {
        let document = text(name).unwrap_or_else(|| panic!("{name} is missing"));
        assert!(paths(&document).len() >= 3, "{name} names hardly any path: are they in back-quotes?");
        let gone = missing(&document, |path| places::root().join(path).exists());
        assert_eq!(gone, Vec::<&str>::new(), "{name} names what does not exist");
    }
}

#[test]
fn every_decision_says_why_and_what_follows() {
    let decisions: Vec<String> = tracked().into_iter().filter(|n| n.starts_with("docs/decisions/")).collect();
    assert!(decisions.len() >= 3, "{decisions:?}");
    for name in decisions {
        let document = text(&name).expect("text");
        for heading in ["## Constraints", "## Decision", "## Consequences"] {
            assert!(document.contains(heading), "{name} lacks {heading}");
        }
    }
}

/// Sentences that a licence of something built in asks for: the crate and the words.
const OWED: [(&str, &str); 1] =
    [("jpeg-encoder", "this software is based in part on the work of the Independent JPEG Group")];

fn unsaid(lock: &str, document: &str) -> Vec<&'static str> {
    let built_in = |name: &str| lock.lines().any(|line| line == format!("name = \"{name}\""));
    let said = |words: &str| document.to_lowercase().contains(&words.to_lowercase());
    OWED.iter().filter(|(name, words)| built_in(name) && !said(words)).map(|(name, _)| *name).collect()
}

#[test]
fn the_readme_says_what_licences_ask_to_be_said() {
    let (lock, readme) = (text("Cargo.lock").expect("locked"), text("README.md").expect("a README"));
    assert_eq!(unsaid(&lock, &readme), Vec::<&str>::new());
    // Planted: the sentence is gone, and so is the crate.
    assert_eq!(unsaid("name = \"jpeg-encoder\"\n", "MIT"), ["jpeg-encoder"]);
    assert_eq!(unsaid("name = \"jpeg-decoder\"\n", "MIT"), Vec::<&str>::new());
}

#[test]
fn a_planted_path_is_found_and_other_words_are_not() {
    let document = "See `imaging/src/gone.rs`, `scene/`, `Trunk.toml`, `/api/health`, `GpuVolume`, `a::b`, \
                    `dist/index.html`, `cargo xtask run`, `shaders/display/<pass>.wgsl`, `.ci/run` and not/this.rs.";
    assert_eq!(paths(document), ["imaging/src/gone.rs", "scene/", "Trunk.toml", ".ci/run"]);
    assert_eq!(missing(document, |path| path != "imaging/src/gone.rs"), ["imaging/src/gone.rs"]);
}
