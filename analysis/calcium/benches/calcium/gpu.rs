//! The same volumes on a GPU: full score after the upload, a slider step, and how fast the one pass moves bytes.
//!
//! Times are wall time with read-back, because that is what a reader waits for. How fast the card can move bytes
//! at all is measured beside it, by copying a buffer, and not taken from a data sheet.

use std::time::Instant;

use calcium::gpu::{Scorer, upload};
use calcium::{Effort, Input, LOWEST_THRESHOLD_HU, Reading, Request};
use gpu_kernels::{Gpu, wgpu};
use serde_json::{Value, json};

use super::{Failure, best, median};

/// A device and its compiled kernels.
pub struct Device {
    gpu: Gpu,
    scorer: Scorer,
}

/// Bytes of the buffer that is copied; what every device allows.
const COPIED: u64 = 128 << 20;

impl Device {
    /// `None` where there is no adapter; faults of one that is there are faults.
    pub fn find() -> Result<Option<Self>, Failure> {
        let Ok(gpu) = pollster::block_on(Gpu::headless()) else { return Ok(None) };
        let scorer = pollster::block_on(Scorer::new(&gpu))?;
        Ok(Some(Self { gpu, scorer }))
    }

    /// Who it is.
    pub fn describe(&self) -> Result<Value, Failure> {
        pollster::block_on(calcium::gpu::self_check(&self.gpu))?;
        Ok(json!({
            "adapter": self.gpu.adapter_name(),
            "software_adapter": self.gpu.is_software(),
            "self_check": "passed",
            "copy_bytes_per_s": pollster::block_on(self.copy_bytes_per_s())?,
        }))
    }

    /// Bytes that are read and written in a second where nothing is computed.
    async fn copy_bytes_per_s(&self) -> Result<f64, Failure> {
        let buffer = || {
            self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("copied"),
                size: COPIED,
                usage: wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let (one, other) = (buffer(), buffer());
        let copies = if self.gpu.is_software() { 4 } else { 64 };
        let mut seconds = Vec::new();
        for _ in 0..3 {
            let mut encoder = self.gpu.device.create_command_encoder(&Default::default());
            for _ in 0..copies {
                encoder.copy_buffer_to_buffer(&one, 0, &other, 0, COPIED);
            }
            let began = Instant::now();
            self.gpu.queue.submit([encoder.finish()]);
            self.gpu.finished().await?;
            seconds.push(began.elapsed().as_secs_f64());
        }
        // Each byte is read once and written once.
        Ok(2.0 * (COPIED * copies) as f64 / best(&seconds))
    }

    /// Whether figures of so many voxels are worth their time: a CPU that plays a GPU takes minutes for large ones.
    pub fn takes(&self, voxels: usize) -> bool {
        !self.gpu.is_software() || voxels <= 1 << 24
    }

    /// Best and median times in ms. `agatston` is the CPU's score, which has to be the GPU's.
    pub fn measure(&mut self, input: &Input, repeat: usize, agatston: f64) -> Result<Value, Failure> {
        let repeat = if self.gpu.is_software() { 2 } else { repeat };
        let clock = Instant::now();
        let now_ms = || clock.elapsed().as_secs_f64() * 1000.0;
        let Self { gpu, scorer } = self;
        pollster::block_on(async {
            let bytes = 2.0 * input.volume.grid.voxel_count() as f64;
            let began = now_ms();
            let volume = upload(gpu, input.volume).await?;
            gpu.finished().await?;
            let upload_ms = now_ms() - began;
            let request = Request::default();
            let (mut full, mut collect, mut label, mut pass, mut step, mut step_full) =
                (vec![], vec![], vec![], vec![], vec![], vec![]);
            let mut table_bytes = 0;
            for round in 0..repeat + 1 {
                let began = now_ms();
                let on = scorer.collect(gpu, input, &volume, 130.0, None).await?;
                let collected = now_ms();
                let report = scorer.rescore(gpu, input, &on, &request, &Reading::default(), &now_ms).await?;
                let done = now_ms();
                if report.total.agatston != agatston {
                    return Err(
                        format!("the GPU scores {}, the CPU {agatston}", report.total.agatston).into()
                    );
                }
                // Nothing reaches this, so that only the pass over the voxels is left.
                let began_pass = now_ms();
                scorer.collect(gpu, input, &volume, 1e6, None).await?;
                let passed = now_ms();
                let table = scorer.collect(gpu, input, &volume, LOWEST_THRESHOLD_HU, None).await?;
                table_bytes = table.gpu_bytes();
                let request = Request { threshold_hu: Some(150.0 + round as f64), ..Request::default() };
                let quick = Reading { effort: Effort::Quick, ..Reading::default() };
                let began_step = now_ms();
                scorer.rescore(gpu, input, &table, &request, &quick, &now_ms).await?;
                let stepped = now_ms();
                scorer.rescore(gpu, input, &table, &request, &Reading::default(), &now_ms).await?;
                let ended = now_ms();
                // The first round compiles.
                if round > 0 {
                    full.push(done - began);
                    collect.push(collected - began);
                    label.push(report.timings_ms.label);
                    pass.push(passed - began_pass);
                    step.push(stepped - began_step);
                    step_full.push(ended - stepped);
                }
            }
            Ok(json!({
                "dims": input.volume.grid.dims(),
                "upload_ms": upload_ms,
                "upload_bytes_per_s": bytes / upload_ms * 1000.0,
                "candidates_at_50_hu_bytes": table_bytes,
                "full_ms": median(full.clone()),
                "full_best_ms": best(&full),
                "candidates_best_ms": best(&collect),
                "label_best_ms": best(&label),
                "pass_best_ms": best(&pass),
                "pass_bytes_per_s": bytes / best(&pass) * 1000.0,
                "rescore_ms": median(step.clone()),
                "rescore_best_ms": best(&step),
                "rescore_full_best_ms": best(&step_full),
            }))
        })
    }
}
