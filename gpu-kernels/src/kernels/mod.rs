//! The registry: everything that runs on a GPU, by name, with its cases and its twin.
//!
//! Tests, benches and the self-check walk this one list, and a test proves that it names every shader.

pub mod candidates;
pub mod components;
pub mod concentrate;
pub mod deconvolve;
#[cfg(not(target_arch = "wasm32"))]
#[cfg(test)]
mod guard_tests;
pub mod histogram;
pub mod measures;
mod shapes;

use std::future::Future;
use std::pin::Pin;

use crate::compare::Tolerance;
use crate::gpu::Gpu;

/// What became of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Which case.
    pub case: String,
    /// Largest difference within the tolerance, or what differed or failed.
    pub result: Result<f64, String>,
    /// On the GPU, read-back included.
    pub gpu_ms: f64,
    /// In the twin.
    pub cpu_ms: f64,
}

/// How many cases to run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Those that a browser with a software adapter runs in well under a second.
    SelfCheck,
    /// All of them.
    All,
}

type Outcomes<'a> = Pin<Box<dyn Future<Output = Vec<Outcome>> + 'a>>;

/// One entry of the registry.
pub struct Kernel {
    /// Also the stem of its shader, folder and bench.
    pub name: &'static str,
    /// What may differ from the twin.
    pub tolerance: Tolerance,
    /// Whether it needs compute shaders (then WebGL2 uses the twin).
    pub computes: bool,
    /// Its shaders.
    pub shaders: &'static [shaders::Shader],
    /// Runs its cases on the GPU and in the twin and compares.
    pub check: for<'a> fn(&'a Gpu, Extent) -> Outcomes<'a>,
}

/// Every kernel and display pass.
pub const ALL: &[Kernel] = &[
    Kernel {
        name: "slice",
        tolerance: crate::display::slice::TOLERANCE,
        computes: false,
        shaders: &[shaders::SLICE_DIRECT, shaders::SLICE_WRAPPED],
        check: |gpu, extent| Box::pin(crate::display::slice::check(gpu, extent)),
    },
    Kernel {
        name: "histogram",
        tolerance: histogram::TOLERANCE,
        computes: true,
        shaders: &[shaders::HISTOGRAM],
        check: |gpu, extent| Box::pin(histogram::check(gpu, extent)),
    },
    Kernel {
        name: "candidates",
        tolerance: candidates::TOLERANCE,
        computes: true,
        shaders: &[shaders::CANDIDATES_DIRECT, shaders::CANDIDATES_WRAPPED],
        check: |gpu, extent| Box::pin(candidates::check(gpu, extent)),
    },
    Kernel {
        name: "components",
        tolerance: components::TOLERANCE,
        computes: true,
        shaders: &[shaders::COMPONENTS],
        check: |gpu, extent| Box::pin(components::check(gpu, extent)),
    },
    Kernel {
        name: "measures",
        tolerance: measures::TOLERANCE,
        computes: true,
        shaders: &[shaders::MEASURES],
        check: |gpu, extent| Box::pin(measures::check(gpu, extent)),
    },
    Kernel {
        name: "concentrate",
        tolerance: concentrate::TOLERANCE,
        computes: true,
        shaders: &[shaders::CONCENTRATE],
        check: |gpu, extent| Box::pin(concentrate::check(gpu, extent)),
    },
    Kernel {
        name: "deconvolve",
        tolerance: deconvolve::TOLERANCE,
        computes: true,
        shaders: &[shaders::DECONVOLVE],
        check: |gpu, extent| Box::pin(deconvolve::check(gpu, extent)),
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Files in `shaders/kernels` and `shaders/display` = stems in the registry, both ways.
    #[test]
    fn the_registry_is_complete() {
        let root = testbed::checkout().join("shaders");
        let mut files = BTreeSet::new();
        for folder in ["kernels", "display"] {
            for entry in std::fs::read_dir(root.join(folder)).unwrap() {
                let path = entry.unwrap().path();
                files.insert(path.file_stem().unwrap().to_string_lossy().into_owned());
            }
        }
        let listed: BTreeSet<String> = ALL.iter().map(|k| k.name.to_owned()).collect();
        assert_eq!(listed, files);
        let shaders: Vec<_> = ALL.iter().flat_map(|k| k.shaders).collect();
        assert_eq!(shaders, shaders::ALL.iter().collect::<Vec<_>>());
    }
}
