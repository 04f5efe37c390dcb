//! An image brought to a model on the GPU: sampled, measured and levelled by the kernels of these names.
//!
//! Values stay there; what comes back to the host are sums.

use super::{GpuExec, Value};
use crate::exec::ExecError;
use crate::gpu::kernels::level::{self, Levelling};
use crate::gpu::kernels::measure::{self, Measure};
use crate::gpu::kernels::sample::{self, Kind, OUTSIDE, Sample};
use crate::image::{Image, Level, Measured, Sampling, Stored};
use crate::tensor::{DType, TensorInfo};

impl GpuExec {
    /// See [`crate::Exec::sample`].
    pub(super) fn sample_image(
        &mut self,
        image: &Image<'_>,
        sampling: &Sampling,
        shape: &[usize],
    ) -> Result<Option<Value>, ExecError> {
        let kind = match image.stored {
            Stored::I16(_) => Kind::I16,
            Stored::U16(_) => Kind::U16,
            Stored::F32(_) => Kind::F32,
        };
        let job =
            Sample { kind, image: image.dims, padding: image.padding, fill: image.fill, sampling: *sampling };
        let info = TensorInfo { dtype: DType::F32, shape: shape.to_vec() };
        let bytes = image.stored.bytes();
        let whole =
            image.stored.len() == image.dims.iter().product() && info.elements() == Some(sampling.samples());
        let held = bytes.len() as u64 <= self.rec.gpu().largest_binding() && self.words(&info).is_some();
        if !(whole && held && job.fits()) {
            return Ok(None);
        }
        let source = self.rec.upload_bytes(bytes)?;
        let out = self.rec.take(sampling.samples() as u64)?;
        sample::record(&mut self.rec, &job, &source, &out)?;
        Ok(Some(Value::new(out, info)))
    }

    /// See [`crate::Exec::level`].
    pub(super) fn level_samples(
        &mut self,
        samples: &Value,
        level: &Level,
        fill: Option<f64>,
    ) -> Result<Value, ExecError> {
        let many = samples.info.elements().unwrap_or(0);
        let out = self.rec.take(many as u64)?;
        let job = Levelling { samples: many, level: *level, fill };
        level::record(&mut self.rec, &job, &samples.block, &out)?;
        Ok(Value::new(out, samples.info.clone()))
    }

    /// See [`crate::Exec::measure`].
    pub(super) async fn measure_samples(
        &mut self,
        samples: &Value,
        centre: f64,
    ) -> Result<Measured, ExecError> {
        let job = Measure { samples: samples.info.elements().unwrap_or(0), centre: centre as f32 };
        let words = job.parts() * measure::WORDS;
        let out = self.rec.take(words as u64)?;
        measure::record(&mut self.rec, &job, &samples.block, &out)?;
        let parts = self.rec.download(&out, words).await?;
        Ok(measure::together(&parts.into_iter().map(f32::from_bits).collect::<Vec<_>>()))
    }

    /// See [`crate::Exec::inside`].
    pub(super) async fn samples_inside(&mut self, samples: &Value) -> Result<Vec<f32>, ExecError> {
        let many = samples.info.elements().unwrap_or(0);
        let words = self.rec.download(&samples.block, many).await?;
        Ok(words.into_iter().map(f32::from_bits).filter(|v| *v != OUTSIDE).collect())
    }
}
