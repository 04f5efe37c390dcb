//! The two engines of the comparison, made ready below the target folder: ours by cargo, theirs by npm.
//!
//! Ours in the profile that is shipped; theirs as published, in the version that package.json pins.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e::{Error, workspace};

fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from)
}

fn run(command: &mut Command, program: &str, hint: &'static str) -> Result<(), Error> {
    // What the tools say is not for the reader of our figures.
    let status = command.stdout(std::process::Stdio::null()).status().map_err(|source| Error::Start {
        program: program.to_owned(),
        source,
        hint,
    })?;
    if status.success() {
        Ok(())
    } else {
        Err(Error::Missing { what: format!("the result of {program}"), hint })
    }
}

/// The folder with our module and its script.
pub fn ours() -> Result<PathBuf, Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--locked", "--package", "inference", "--example", "web_bench"]);
    build.args(["--target", "wasm32-unknown-unknown", "--profile", "wasm-release"]).current_dir(workspace());
    run(&mut build, "cargo", "see cargo's output above")?;
    let module = target().join("wasm32-unknown-unknown/wasm-release/examples/web_bench.wasm");
    let folder = target().join("inference-bench/ours");
    let mut bindgen = Command::new("wasm-bindgen");
    bindgen.args(["--target", "web", "--no-typescript", "--out-dir"]).arg(&folder).arg(module);
    run(&mut bindgen, "wasm-bindgen", "run `cargo xtask setup` and put its tools on the PATH")?;
    Ok(folder)
}

/// The folder with onnxruntime-web's scripts and modules.
pub fn theirs() -> Result<PathBuf, Error> {
    let folder = target().join("inference-bench/npm");
    let manifest = std::fs::read(page().join("package.json"))?;
    let dist = folder.join("node_modules/onnxruntime-web/dist");
    let current = std::fs::read(folder.join("package.json")).is_ok_and(|m| m == manifest);
    if !current || !dist.is_dir() {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("package.json"), &manifest)?;
        let mut npm = Command::new("npm");
        npm.args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"]).arg(&folder);
        run(&mut npm, "npm", "install nodejs and npm; the registry has to be in reach")?;
    }
    Ok(dist)
}

/// The folder of the page itself.
pub fn page() -> PathBuf {
    workspace().join("e2e/fixtures/inference")
}

/// Bytes of a file, `None` where it is not there.
pub fn size(path: &Path) -> Option<u64> {
    Some(std::fs::metadata(path).ok()?.len())
}
