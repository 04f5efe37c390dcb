//! Where a calcium score is computed: on a GPU that proved itself, else on the CPU, and what is said about it.
//!
//! Nobody should have to know what their machine has: whatever goes wrong on a GPU ends in the same numbers
//! from the CPU and a warning in the report.

use calcium::gpu::{self, Scorer};
use calcium::{Input, Reading, Report, Request};
use gpu_kernels::{Gpu, GpuError};

use crate::backend::Backend;

/// Why there is no score.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `--backend gpu` without any.
    #[error("there is no GPU to compute on: {0}. Use --backend auto or cpu; the numbers are the same.")]
    NoGpu(#[source] GpuError),
    /// See [`calcium::Error`].
    #[error(transparent)]
    Calcium(#[from] calcium::Error),
}

/// Scores where it was asked for.
pub fn score(
    backend: Backend,
    input: &Input,
    request: &Request,
    reading: &Reading,
    now_ms: &dyn Fn() -> f64,
) -> Result<Report, Error> {
    let on_cpu = || Ok(calcium::run(input, request, reading, now_ms)?);
    if backend == Backend::Cpu {
        return on_cpu();
    }
    let gpu = match pollster::block_on(Gpu::headless()) {
        Ok(gpu) => gpu,
        Err(error) if backend == Backend::Gpu => return Err(Error::NoGpu(error)),
        Err(_) => return on_cpu(),
    };
    if backend == Backend::Auto && gpu.is_software() {
        return on_cpu();
    }
    let result = pollster::block_on(async {
        gpu::self_check(&gpu).await?;
        let mut scorer = Scorer::new(&gpu).await?;
        scorer.run(&gpu, input, request, reading, now_ms).await
    });
    or_on_cpu(result, gpu.adapter_name(), on_cpu)
}

/// The GPU's score; the CPU's with a warning where only the GPU failed.
fn or_on_cpu(
    result: Result<Report, gpu::Error>,
    adapter: &str,
    on_cpu: impl FnOnce() -> Result<Report, Error>,
) -> Result<Report, Error> {
    match result {
        Ok(report) => Ok(report),
        Err(gpu::Error::Calcium(error)) => Err(error.into()),
        Err(error) => {
            let mut report = on_cpu()?;
            report.warnings.push(format!("Computed on the CPU, because {adapter} failed: {error}"));
            Ok(report)
        }
    }
}

#[cfg(test)]
mod tests {
    use calcium::Refusal;
    use gpu_kernels::ComputeError;
    use imaging::header::Acquisition;
    use imaging::{Volume, Voxels};
    use scene::{DAffine3, DVec3, Frame, Grid, LengthUnit};

    use super::*;

    fn on_cpu() -> Result<Report, Error> {
        let placed = DAffine3::from_scale(DVec3::new(1.0, 1.0, 3.0));
        let grid = Grid::new([3, 2, 1], placed, LengthUnit::Millimetre, Frame::Patient).unwrap();
        let mut volume = Volume::new(Voxels::I16(vec![200; 6]), grid);
        volume.unit = "HU".into();
        let acquisition = Acquisition::default();
        let input =
            Input { volume: &volume, modality: "CT", acquisition: &acquisition, reading_warnings: &[] };
        Ok(calcium::run(&input, &Request::default(), &Reading::default(), &|| 0.0)?)
    }

    #[test]
    fn a_gpu_that_fails_leaves_the_cpus_score_and_a_warning() {
        let check = gpu::Error::SelfCheck { kernel: "components", detail: "at 3: got 1, want 2".into() };
        for planted in [check, ComputeError::Stuck(9).into()] {
            let report = or_on_cpu(Err(planted), "some adapter", on_cpu).unwrap();
            let mut plain = on_cpu().unwrap();
            assert_eq!(report.backend, "cpu");
            let warning = report.warnings.last().unwrap();
            assert!(warning.contains("some adapter") && warning.contains("use the CPU"), "{warning}");
            plain.warnings.push(warning.clone());
            assert_eq!(report, plain, "nothing else differs");
        }
    }

    #[test]
    fn what_cannot_be_scored_is_not_tried_again() {
        let refused = gpu::Error::from(calcium::Error::from(Refusal::Size([1, 2, 3])));
        let untouched = || -> Result<Report, Error> { panic!("tried on the CPU") };
        let error = or_on_cpu(Err(refused), "some adapter", untouched).unwrap_err();
        assert!(matches!(error, Error::Calcium(calcium::Error::Refused(Refusal::Size(_)))), "{error}");
    }
}
