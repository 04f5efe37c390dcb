//! Accessibility by axe-core, as its authors publish it.
//!
//! The script is fetched once by npm in the version that package.json pins, into the target folder, and given
//! to the page through the debugger, which the page's Content-Security-Policy does not bind.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::{Bench, Error, workspace};

/// A rule that the page breaks.
#[derive(Clone, Debug, PartialEq)]
pub struct Violation {
    /// `serious` or `critical`.
    pub impact: String,
    /// Such as `color-contrast`.
    pub rule: String,
    /// Where, with what axe says of each place.
    pub places: Vec<String>,
}

fn script() -> Result<String, Error> {
    let missing = || Error::Missing {
        what: "axe-core".into(),
        hint: "run `npm install --prefix target/e2e-axe` with e2e/package.json",
    };
    let target =
        std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let folder = target.join("e2e-axe");
    let manifest = std::fs::read(workspace().join("e2e/package.json"))?;
    let file = folder.join("node_modules/axe-core/axe.min.js");
    let current = std::fs::read(folder.join("package.json")).is_ok_and(|m| m == manifest);
    if !current || !file.is_file() {
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("package.json"), &manifest)?;
        let npm = Command::new("npm")
            .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix"])
            .arg(&folder)
            .status()
            .map_err(|source| Error::Start {
                program: "npm".into(),
                source,
                hint: "install nodejs and npm",
            })?;
        if !npm.success() {
            return Err(missing());
        }
    }
    std::fs::read_to_string(&file).map_err(|_| missing())
}

impl Bench {
    /// What axe finds serious or critical on the page as it is now, by the WCAG 2.2 AA rules and best practice.
    pub fn axe(&self) -> Result<Vec<Violation>, Error> {
        if self.driver.run("return typeof axe", &[])? != json!("object") {
            let answer = self.driver.devtools("Runtime.evaluate", json!({ "expression": script()? }))?;
            if !answer["exceptionDetails"].is_null() {
                return Err(Error::Answer(format!(
                    "axe-core does not start: {}",
                    answer["exceptionDetails"]["text"]
                )));
            }
        }
        let result = self.driver.run(
            "return axe.run(document, { resultTypes: ['violations'] }).then(r => ({ rules: r.passes.length, violations: r.violations }))",
            &[],
        )?;
        if result["rules"].as_u64().unwrap_or(0) < 5 {
            return Err(Error::Answer("axe checked fewer than five rules: the page was empty".into()));
        }
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let violations = result["violations"].as_array().cloned().unwrap_or_default();
        Ok(violations
            .iter()
            .filter(|v| matches!(v["impact"].as_str(), Some("serious" | "critical")))
            .map(|v| Violation {
                impact: text(&v["impact"]),
                rule: text(&v["id"]),
                places: v["nodes"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|n| {
                        format!("{} - {}", text(&n["html"]), text(&n["failureSummary"]).replace('\n', " "))
                    })
                    .collect(),
            })
            .collect())
    }
}
