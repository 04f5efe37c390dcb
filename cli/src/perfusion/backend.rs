//! Where perfusion maps are computed: on a GPU that proved itself, else on the CPU, and what is said about it.
//!
//! Nobody should have to know what their machine has: whatever goes wrong on a GPU ends in the same maps from the CPU
//! and a warning in the report.

use ::perfusion::gpu::{self, Mapper};
use ::perfusion::{Analysis, Input, Report, Session};
use gpu_kernels::Gpu;

use super::Error;
use crate::backend::Backend;

/// Computes where it was asked for.
pub fn compute(
    backend: Backend,
    input: &Input,
    session: &Session,
    now_ms: &dyn Fn() -> f64,
) -> Result<(Analysis, Report), Error> {
    let on_cpu = || Ok(::perfusion::run(input, session, now_ms)?);
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
        let mut mapper = Mapper::new(&gpu).await?;
        gpu::run(&gpu, &mut mapper, input, session, now_ms).await
    });
    or_on_cpu(result, gpu.adapter_name(), on_cpu)
}

/// The GPU's maps; the CPU's with a warning where only the GPU failed.
fn or_on_cpu(
    result: Result<(Analysis, Report), gpu::Error>,
    adapter: &str,
    on_cpu: impl FnOnce() -> Result<(Analysis, Report), Error>,
) -> Result<(Analysis, Report), Error> {
    match result {
        Ok(done) => Ok(done),
        Err(gpu::Error::Perfusion(error)) => Err(error.into()),
        Err(error) => {
            let (analysis, mut report) = on_cpu()?;
            report.warnings.push(format!("Computed on the CPU, because {adapter} failed: {error}"));
            Ok((analysis, report))
        }
    }
}

#[cfg(test)]
mod tests {
    use ::perfusion::{MaskWish, Motion, Refusal, Signal, Source};
    use gpu_kernels::ComputeError;
    use imaging::{Volume, Voxels};
    use scene::{DAffine3, DVec3, Frame, Grid, LengthUnit};

    use super::*;

    /// A bolus in five voxels.
    fn on_cpu() -> Result<(Analysis, Report), Error> {
        let placed = DAffine3::from_scale(DVec3::new(1.0, 1.0, 3.0));
        let grid = Grid::new([5, 1, 1], placed, LengthUnit::Millimetre, Frame::Patient).unwrap();
        let bolus = |t: usize, late: usize| {
            let u = t as f64 - 5.0 - late as f64;
            if u > 0.0 { u.powi(3) * (-u / 1.5).exp() } else { 0.0 }
        };
        let values = (0..30).flat_map(|t| (0..5).map(move |v| (100.0 * bolus(t, v)) as i16)).collect();
        let mut volume = Volume::new(Voxels::I16(values), grid);
        volume.time_points = 30;
        volume.times_s = (0..30).map(f64::from).collect();
        let session = Session {
            signal: Signal::Concentration,
            mask: MaskWish::None,
            motion: Motion::Off,
            aif: Source::Point { voxel: [0, 0, 0], radius_mm: 0.0 },
            vof: Source::None,
            ..Session::default()
        };
        let input =
            Input { volume: &volume, modality: "CT", reading_warnings: &[], mask: None, other_stacks: 0 };
        Ok(::perfusion::run(&input, &session, &|| 0.0)?)
    }

    #[test]
    fn a_gpu_that_fails_leaves_the_cpus_maps_and_a_warning() {
        let check = gpu::Error::SelfCheck { kernel: "deconvolve", detail: "at 3: got 1, want 2".into() };
        for planted in [check, ComputeError::Garbled("slabs").into()] {
            let (analysis, report) = or_on_cpu(Err(planted), "some adapter", on_cpu).unwrap();
            let (plain, mut plain_report) = on_cpu().unwrap();
            assert_eq!((report.backend.as_str(), analysis.maps()), ("cpu", plain.maps()));
            let warning = report.warnings.last().unwrap();
            assert!(warning.contains("some adapter") && warning.contains("use the CPU"), "{warning}");
            plain_report.warnings.push(warning.clone());
            assert_eq!(report, plain_report, "nothing else differs");
        }
    }

    #[test]
    fn what_has_no_maps_is_not_tried_again() {
        let refused = gpu::Error::from(::perfusion::Error::from(Refusal::NoEchoTime));
        let untouched = || -> Result<(Analysis, Report), Error> { panic!("tried on the CPU") };
        let error = or_on_cpu(Err(refused), "some adapter", untouched).err().unwrap();
        assert!(
            matches!(error, Error::Perfusion(::perfusion::Error::Refused(Refusal::NoEchoTime))),
            "{error}"
        );
    }
}
