//! Where tests, benches and `xtask` find the checkout and the reference data.
//!
//! Asked at run time: several checkouts share one target folder, and a program built in one of them must
//! not look into another, as it would with `env!`.

pub mod dicom;
pub mod pdf;
pub mod verification;

use std::path::{Path, PathBuf};

/// Root of the checkout that cargo runs this program from; the current folder when it was not cargo.
pub fn checkout() -> PathBuf {
    let package = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
    // The lock file lies at the root of the workspace and nowhere below it.
    let root = |p: &&Path| p.join("Cargo.lock").is_file() && p.join("testbed").is_dir();
    package
        .as_deref()
        .and_then(|p| p.ancestors().find(root))
        .map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The folder of the reference data: `ISOCENTER_SHARED` (relative to the checkout), by default `../shared`.
pub fn shared() -> PathBuf {
    match std::env::var_os("ISOCENTER_SHARED") {
        Some(set) if !set.is_empty() => checkout().join(set),
        _ => checkout().join("../shared"),
    }
}

/// `path` in the reference data, for example `data/dicom`. Where it is missing this says so, loudly.
///
/// # Panics
/// If it is missing and `CI` is `true`: CI that lacks its data has checked nothing.
pub fn reference(path: &str) -> Option<PathBuf> {
    demand(path, std::env::var("CI").as_deref() == Ok("true"))
}

fn demand(path: &str, ci: bool) -> Option<PathBuf> {
    let found = shared().join(path);
    if found.exists() {
        return Some(found);
    }
    let missing =
        format!("reference data {path} is missing: set ISOCENTER_SHARED to the folder that holds it");
    assert!(!ci, "{missing}");
    println!("SKIPPED: {missing}");
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checkout_holds_this_crate() {
        assert!(checkout().join("testbed/Cargo.toml").is_file());
    }

    #[test]
    fn without_ci_missing_data_is_only_told() {
        assert_eq!(demand("no-such-data", false), None);
    }

    #[test]
    #[should_panic(expected = "no-such-data is missing")]
    fn ci_without_its_data_fails() {
        demand("no-such-data", true);
    }
}
