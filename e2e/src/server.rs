//! The server under test: the very binary that users start.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::Error;
use crate::process::{Process, Scratch};

pub use testbed::checkout as workspace;

/// The built app: `ISOCENTER_DIST`, default `dist` in the checkout.
pub fn dist() -> PathBuf {
    std::env::var_os("ISOCENTER_DIST").map_or_else(|| workspace().join("dist"), PathBuf::from)
}

/// `isocenter serve` on a free loopback port.
pub struct Server {
    process: Process,
    port: u16,
    _data: Scratch,
}

impl Server {
    /// Starts it over a built app, [`dist`] unless another is named.
    pub fn start(dist: Option<PathBuf>, models: Option<&Path>) -> Result<Self, Error> {
        let dist = dist.unwrap_or_else(self::dist);
        if !dist.join("index.html").is_file() {
            return Err(Error::Missing {
                what: format!("the built app in {}", dist.display()),
                hint: "run `cargo xtask build`, or name its folder in ISOCENTER_DIST",
            });
        }
        let data = Scratch::new("data")?;
        let mut command = Command::new(binary()?);
        command.args(["serve", "--addr", "127.0.0.1:0", "--data"]).arg(data.path()).arg("--dist").arg(dist);
        if let Some(models) = models {
            command.arg("--models").arg(models);
        }
        command.current_dir(workspace());
        let process = Process::start(command, "build it with `cargo build -p cli`")?;
        let port = process.port(Duration::from_secs(20), |line| {
            line.strip_prefix("Isocenter is at http://127.0.0.1:")?.trim().parse().ok()
        })?;
        Ok(Self { process, port, _data: data })
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it now.
    pub fn stop(&mut self) {
        self.process.end();
    }
}

/// `ISOCENTER_BIN`, or built here once.
pub fn binary() -> Result<PathBuf, Error> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    if let Some(path) = std::env::var_os("ISOCENTER_BIN") {
        return Ok(PathBuf::from(path));
    }
    BUILT.get_or_init(build).clone().ok_or_else(|| Error::Missing {
        what: "the binary `isocenter`".into(),
        hint: "see cargo's output above, or name one in ISOCENTER_BIN",
    })
}

fn build() -> Option<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--release", "-p", "cli", "--message-format=json"])
        .current_dir(workspace())
        .stderr(std::process::Stdio::inherit())
        .output()
        .ok()?;
    // The last artifact with an executable is the binary, wherever the target folder is.
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .filter_map(|l| serde_json::from_str::<serde_json::Value>(l).ok())
        .filter_map(|v| v["executable"].as_str().map(PathBuf::from))
        .next_back()
}
