//! Building the app and its command line, and serving them.
//!
//! The steps are those of a release: samples, Trunk, seal. Tests and benchmarks use the same ones, so that
//! what is measured is what is shipped.

use std::path::{Path, PathBuf};

use crate::seal::{self, ModuleSize};
use crate::{places, shell};

/// What all modules of the viewer may weigh together as they travel: the 3 MB.
pub const BUDGET_BYTES: u64 = 3_000_000;

/// How the command line is built.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Quick to build; the tests share its dependencies.
    Dev,
    /// For use and for figures.
    Release,
}

/// The app in dist/, ready to be served. Prints its size.
pub fn build() -> Result<(), String> {
    build_measured().map(|_| ())
}

/// The same, with its sizes.
pub fn build_measured() -> Result<Vec<ModuleSize>, String> {
    samples()?;
    // Whatever the shell says about colour, Trunk wants `true` or `false` in NO_COLOR.
    shell::run(
        shell::command("trunk")
            .args(["build", "--release", "--offline"])
            .env("TRUNK_SKIP_VERSION_CHECK", "true")
            .env_remove("NO_COLOR"),
    )?;
    let sizes = seal::seal(&places::dist())?;
    print!("{}", size_table(&sizes));
    Ok(sizes)
}

/// The two sample studies, made by our own code.
fn samples() -> Result<(), String> {
    let out = Path::new("static").join("samples");
    std::fs::create_dir_all(places::root().join(&out))
        .map_err(|e| format!("cannot make static/samples: {e}"))?;
    shell::run(
        shell::command("cargo")
            .args(["run", "--quiet", "--locked", "--package", "phantom", "--", "--out"])
            .arg(out),
    )
}

/// `isocenter`, built.
pub fn command_line(profile: Profile) -> Result<PathBuf, String> {
    let mut command = shell::command("cargo");
    command.args(["build", "--quiet", "--locked", "--package", "cli"]);
    let folder = match profile {
        Profile::Dev => "debug",
        Profile::Release => {
            command.arg("--release");
            "release"
        }
    };
    shell::run(&mut command)?;
    Ok(places::target().join(folder).join("isocenter"))
}

/// Becomes the server, so that signals reach it and nothing is left behind.
pub fn serve(isocenter: &Path, addr: &str) -> Result<(), String> {
    let mut command = shell::command(&isocenter.to_string_lossy());
    command.args(["serve", "--addr", addr, "--dist", "dist", "--models", "models", "--data"]);
    command.arg(places::cache().join("data"));
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        Err(format!("`{}` did not start: {}", shell::shown(&command), command.exec()))
    }
    #[cfg(not(unix))]
    shell::run(&mut command)
}

fn size_table(sizes: &[ModuleSize]) -> String {
    let mut table = format!("\n{:<36} {:>12} {:>12}\n", "module", "raw", "brotli");
    for module in sizes {
        table += &format!("{:<36} {:>12} {:>12}\n", module.name, module.raw_bytes, module.brotli_bytes);
    }
    let total = total_brotli(sizes);
    let verdict = if total <= BUDGET_BYTES { "within" } else { "OVER" };
    table + &format!("all modules, brotli: {total} bytes, {verdict} the budget of {BUDGET_BYTES}\n\n")
}

/// What a first visit downloads as modules.
pub fn total_brotli(sizes: &[ModuleSize]) -> u64 {
    sizes.iter().map(|module| module.brotli_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_when_the_budget_is_broken() {
        let module = |brotli_bytes| ModuleSize { name: "app.wasm".into(), raw_bytes: 7, brotli_bytes };
        assert!(size_table(&[module(1_000_000), module(2_000_000)]).contains("3000000 bytes, within"));
        assert!(size_table(&[module(1_000_000), module(2_000_001)]).contains("3000001 bytes, OVER"));
    }
}
