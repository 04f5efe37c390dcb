//! Where things are: the repository, the target folder, the tools.
//!
//! Tools and build outputs live in the user's cache, not in the checkout, so that a second checkout or a
//! fresh one does not build them again.

use std::path::{Path, PathBuf};

pub use testbed::{checkout as root, shared};

/// `.cache/isocenter` in the home folder.
pub fn cache() -> PathBuf {
    std::env::var_os("HOME").map_or_else(|| root().join("target"), PathBuf::from).join(".cache/isocenter")
}

/// Where `cargo install` puts our tools.
pub fn tools() -> PathBuf {
    cache().join("tools")
}

/// `CARGO_TARGET_DIR`, or our own.
pub fn target() -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(set) if !set.is_empty() => root().join(set),
        _ => cache().join("target"),
    }
}

/// The built app.
pub fn dist() -> PathBuf {
    root().join("dist")
}

/// `path` as seen from the repository's root, for messages: shorter, and the same on every machine.
pub fn short(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
