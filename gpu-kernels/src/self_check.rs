//! A small known answer through every kernel on the user's own GPU.
//!
//! Drivers and browsers miscompile; a kernel that differs from its twin here must not be used here.

use crate::compute::ComputeError;
use crate::gpu::Gpu;
use crate::kernels::{ALL, Extent, Kernel, Outcome};

/// One case of one kernel, as the self-check page shows it.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckRow {
    /// Name in the registry.
    pub kernel: &'static str,
    /// Which case.
    pub case: String,
    /// Whether the GPU's answer is the twin's, within the tolerance. Also true where the twin itself is used.
    pub passed: bool,
    /// Within the tolerance; 0 where the case failed or did not run.
    pub max_difference: f64,
    /// Absolute and relative.
    pub tolerance: String,
    /// On the GPU, upload and read-back included.
    pub gpu_ms: f64,
    /// In the twin.
    pub cpu_ms: f64,
    /// The first difference, or why the kernel does not run here; empty when it passed.
    pub detail: String,
}

impl CheckRow {
    /// A kernel whose twin is used instead, and why.
    pub fn not_run(kernel: &Kernel, why: &str) -> Self {
        Self {
            kernel: kernel.name,
            case: "not run".to_owned(),
            passed: true,
            max_difference: 0.0,
            tolerance: kernel.tolerance.to_string(),
            gpu_ms: 0.0,
            cpu_ms: 0.0,
            detail: why.to_owned(),
        }
    }

    fn new(kernel: &Kernel, outcome: Outcome) -> Self {
        let (passed, max_difference, detail) = match outcome.result {
            Ok(difference) => (true, difference, String::new()),
            Err(detail) => (false, 0.0, detail),
        };
        Self {
            kernel: kernel.name,
            case: outcome.case,
            passed,
            max_difference,
            tolerance: kernel.tolerance.to_string(),
            gpu_ms: outcome.gpu_ms,
            cpu_ms: outcome.cpu_ms,
            detail,
        }
    }
}

/// Walks the registry.
pub async fn self_check(gpu: &Gpu) -> Vec<CheckRow> {
    let mut rows = Vec::new();
    for kernel in ALL {
        rows.extend(check_kernel(gpu, kernel).await);
    }
    rows
}

/// Runs the small known answers of the kernels with these names; the first row that failed, if one did. An error where
/// this device cannot compute at all.
pub async fn first_failure(gpu: &Gpu, names: &[&str]) -> Result<Option<CheckRow>, ComputeError> {
    if !gpu.can_compute() {
        return Err(ComputeError::NoCompute);
    }
    for kernel in ALL.iter().filter(|k| names.contains(&k.name)) {
        if let Some(failed) = check_kernel(gpu, kernel).await.into_iter().find(|row| !row.passed) {
            return Ok(Some(failed));
        }
    }
    Ok(None)
}

/// One kernel of the registry, so that a caller can do something else between two of them.
pub async fn check_kernel(gpu: &Gpu, kernel: &Kernel) -> Vec<CheckRow> {
    if kernel.computes && !gpu.can_compute() {
        return vec![CheckRow::not_run(kernel, "no compute shaders here: the CPU twin is used")];
    }
    let outcomes = (kernel.check)(gpu, Extent::SelfCheck).await;
    outcomes.into_iter().map(|outcome| CheckRow::new(kernel, outcome)).collect()
}
