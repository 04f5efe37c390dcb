//! The programs that build and test the app, each in the one version that fits.
//!
//! Built from crates.io and never downloaded as binaries: the same source everywhere, and no host but the
//! registry that the build needs anyway.

use std::fs;

use crate::{apt, places, shell};

const TRUNK: &str = "0.21.14";
const WASM_PACK: &str = "0.15.1";
const CARGO_DENY: &str = "0.20.2";

/// The target, Trunk and wasm-bindgen.
pub fn for_build() -> Result<(), String> {
    ensure_target()?;
    ensure_tool("wasm-bindgen", "wasm-bindgen-cli", &locked_version("wasm-bindgen")?)?;
    ensure_tool("trunk", "trunk", TRUNK)
}

/// What the tests need beside it.
pub fn for_test() -> Result<(), String> {
    for_build()?;
    let packages = ["chromium", "chromium-driver", "mesa-vulkan-drivers", "libvulkan1", "python3-venv"];
    apt::ensure(&packages)?;
    ensure_tool("wasm-pack", "wasm-pack", WASM_PACK)
}

/// Called by its gate alone: it takes minutes to build, and where that fails the other gates still run.
pub fn deny() -> Result<(), String> {
    ensure_tool("cargo-deny", "cargo-deny", CARGO_DENY)
}

fn ensure_target() -> Result<(), String> {
    let libraries = shell::output(shell::command("rustc").args([
        "--print",
        "target-libdir",
        "--target",
        "wasm32-unknown-unknown",
    ]));
    if libraries.is_ok_and(|folder| std::path::Path::new(folder.trim()).is_dir()) {
        return Ok(());
    }
    shell::run(shell::command("rustup").args(["target", "add", "wasm32-unknown-unknown"]))
}

fn ensure_tool(program: &str, package: &str, version: &str) -> Result<(), String> {
    let there = shell::output(shell::command(program).arg("--version"));
    if there.is_ok_and(|printed| names_version(&printed, version)) {
        return Ok(());
    }
    install(package, Some(version))
}

/// `trunk 0.21.14`, `wasm-bindgen 0.2.130 (abcdef)`: the version is a whole word.
fn names_version(printed: &str, version: &str) -> bool {
    printed.split_whitespace().any(|word| word == version)
}

fn install(package: &str, version: Option<&str>) -> Result<(), String> {
    println!("{package} {} is missing; building it takes some minutes, once.", version.unwrap_or("(newest)"));
    let attempt = |locked: bool| {
        let mut command = shell::command("cargo");
        command.args(["install", package, "--root"]).arg(places::tools());
        if let Some(version) = version {
            command.args(["--version", version]);
        }
        if locked {
            command.arg("--locked");
        }
        // These run for seconds and build for minutes: optimise the second.
        command
            .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_RELEASE_LTO", "off")
            .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
            .env("CARGO_TARGET_DIR", places::cache().join("target-tools"));
        shell::run(&mut command)
    };
    attempt(true).or_else(|error| {
        // Happened with wasm-bindgen-cli behind a mirror that lagged: its lock file named a crate
        // released hours ago.
        println!("note: {error}; trying again without the package's lock file");
        attempt(false)
    })
}

/// The version of a crate in Cargo.lock. wasm-bindgen refuses modules of any other version than its own.
fn locked_version(package: &str) -> Result<String, String> {
    let path = places::root().join("Cargo.lock");
    let lock = fs::read_to_string(&path).map_err(|error| format!("cannot read Cargo.lock: {error}"))?;
    version_in(&lock, package).ok_or_else(|| format!("Cargo.lock names no {package}: run `cargo metadata`"))
}

fn version_in(lock: &str, package: &str) -> Option<String> {
    let mut lines = lock.lines().skip_while(|line| *line != format!("name = \"{package}\""));
    let version = lines.nth(1)?.strip_prefix("version = \"")?.strip_suffix('"')?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_file_is_read_to_the_letter() {
        let lock = "[[package]]\nname = \"wasm-bindgen-backend\"\nversion = \"9.9.9\"\n\n\
                    [[package]]\nname = \"wasm-bindgen\"\nversion = \"0.2.130\"\nsource = \"x\"\n";
        assert_eq!(version_in(lock, "wasm-bindgen").as_deref(), Some("0.2.130"));
        assert_eq!(version_in(lock, "trunk"), None);
        locked_version("wasm-bindgen").expect("the real one is found");
    }

    #[test]
    fn another_patch_is_another_version() {
        assert!(names_version("wasm-bindgen 0.2.130 (f00d)\n", "0.2.130"));
        assert!(!names_version("wasm-bindgen 0.2.13", "0.2.130"));
        assert!(!names_version("trunk 0.21.140", "0.21.14"));
    }
}
