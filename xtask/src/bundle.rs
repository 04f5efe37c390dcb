//! Building the app and its command line, and serving them.
//!
//! The steps are those of a release: samples, Trunk, seal. Tests and benchmarks use the same ones, so that
//! what is measured is what is shipped.

use std::path::{Path, PathBuf};

use crate::seal::{self, ModuleSize};
use crate::{places, shell};

/// What the modules of a first visit may weigh together as they travel.
const BUDGET_BYTES: u64 = 3_000_000;
/// The same with the modules that are loaded when they are asked for: less than onnxruntime-web's runtime alone
/// (4.7 MB).
const WHOLE_BUDGET_BYTES: u64 = 3_500_000;
/// How the names of modules begin that a first visit does not load.
const ON_DEMAND: &str = "inference-worker";

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
    command.args(["serve", "--addr", addr, "--dist", "dist", "--data"]);
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
    for weight in weigh(sizes) {
        table += &format!("{weight}\n");
    }
    table + "\n"
}

/// Modules together, against what they may weigh.
pub struct Weight {
    what: &'static str,
    bytes: u64,
    budget: u64,
}

impl Weight {
    /// Whether it is within its budget.
    pub fn fits(&self) -> bool {
        self.bytes <= self.budget
    }
}

impl std::fmt::Display for Weight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verdict = if self.fits() { "within" } else { "OVER" };
        let Self { what, bytes, budget } = self;
        write!(f, "{what}, brotli: {bytes} bytes, {verdict} the budget of {budget}")
    }
}

/// What has a budget.
pub fn weigh(sizes: &[ModuleSize]) -> [Weight; 2] {
    let all = sizes.iter().map(|module| module.brotli_bytes).sum();
    [
        Weight { what: "modules of a first visit", bytes: total_brotli(sizes), budget: BUDGET_BYTES },
        Weight { what: "all modules", bytes: all, budget: WHOLE_BUDGET_BYTES },
    ]
}

/// What a first visit downloads as modules.
pub fn total_brotli(sizes: &[ModuleSize]) -> u64 {
    sizes.iter().filter(|module| !module.name.starts_with(ON_DEMAND)).map(|module| module.brotli_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_says_when_a_budget_is_broken() {
        let module = |name: &str, brotli_bytes| ModuleSize { name: name.into(), raw_bytes: 7, brotli_bytes };
        let table = |app, on_demand| {
            size_table(&[module("app_bg.wasm", app), module("inference-worker_bg.wasm", on_demand)])
        };
        let fits = table(3_000_000, 500_000);
        assert!(
            fits.contains("first visit, brotli: 3000000 bytes, within") && !fits.contains("OVER"),
            "{fits}"
        );
        assert!(table(3_000_001, 0).contains("first visit, brotli: 3000001 bytes, OVER"));
        assert!(table(3_000_000, 500_001).contains("all modules, brotli: 3500001 bytes, OVER"));
    }
}
