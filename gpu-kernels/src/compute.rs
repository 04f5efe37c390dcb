//! What every compute kernel does alike: pipelines of one shader, buffers, a row of dispatches, read-back.
//!
//! wgpu reports faults of a shader or of memory beside the call that caused them; here they come back as the
//! error of that call, so that a caller can fall back to the twin.

use std::borrow::Cow;
use std::future::Future;
use std::ops::Deref;

use wgpu::BufferUsages;

use crate::gpu::Gpu;
use crate::readback::{Mapping, ReadbackError};

/// Threads of a workgroup in all compute kernels: `GROUP` in `shaders/shared/scan.wgsl`.
pub(crate) const GROUP: u32 = 256;

/// What a kernel may use at once. Tests take less than the device has, to see many slabs of a small volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Largest storage binding in bytes.
    pub binding_bytes: u64,
    /// Most workgroups of one dispatch.
    pub groups: u32,
}

impl Budget {
    /// What the device allows.
    pub fn of(gpu: &Gpu) -> Self {
        let limits = gpu.limits();
        Self {
            binding_bytes: limits.max_storage_buffer_binding_size.min(limits.max_buffer_size),
            groups: limits.max_compute_workgroups_per_dimension,
        }
    }

    /// Most elements of `bytes` each that fit a binding and have a thread each.
    pub(crate) fn elements(&self, bytes: u64) -> u64 {
        (self.binding_bytes / bytes).min(u64::from(self.groups) * u64::from(GROUP))
    }
}

/// Why a kernel gave no result. The twin gives one.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ComputeError {
    /// WebGL2.
    #[error("this GPU has no compute shaders; use the CPU")]
    NoCompute,
    /// More than fits the limits of the device.
    #[error("the GPU takes at most {limit} {what}, and there are {value}; use the CPU")]
    TooLarge {
        /// The quantity.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The most that is possible.
        limit: u64,
    },
    /// Driver or browser refused a shader, a buffer or a dispatch.
    #[error("the GPU refused the work: {0}; use the CPU")]
    Refused(String),
    /// A loop that has to end did not end in time.
    #[error("the GPU gave up joining components after {0} steps; use the CPU")]
    Stuck(u32),
    /// Numbers that cannot be.
    #[error("the GPU counted {got} {what}, at most {most} are possible; use the CPU")]
    Impossible {
        /// What was counted.
        what: &'static str,
        /// The count.
        got: u64,
        /// The most there can be.
        most: u64,
    },
    /// What came back contradicts itself.
    #[error("the {0} that the GPU gave contradict each other; use the CPU")]
    Garbled(&'static str),
    /// Nothing came back.
    #[error(transparent)]
    Readback(#[from] ReadbackError),
}

/// Whether counts that came back can be: `(what, got, most)`.
pub(crate) fn at_most<const N: usize>(counts: [(&'static str, u64, u64); N]) -> Result<(), ComputeError> {
    match counts.into_iter().find(|(_, got, most)| got > most) {
        Some((what, got, most)) => Err(ComputeError::Impossible { what, got, most }),
        None => Ok(()),
    }
}

/// Does `work`, which must not wait, and returns what the device had against it.
pub(crate) async fn guarded<T>(gpu: &Gpu, work: impl FnOnce() -> T) -> Result<T, ComputeError> {
    let (done, faults) = watched(gpu, work);
    faults.await?;
    Ok(done)
}

/// The result of `work`, and what the device will have to say about it.
fn watched<T, F: FnOnce() -> T>(
    gpu: &Gpu,
    work: F,
) -> (T, impl Future<Output = Result<(), ComputeError>> + use<T, F>) {
    let memory = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
    let validation = gpu.device.push_error_scope(wgpu::ErrorFilter::Validation);
    let done = work();
    // Both are popped before the first wait: scopes of others must not come in between.
    let (validation, memory) = (validation.pop(), memory.pop());
    let faults = async {
        match validation.await.or(memory.await) {
            Some(error) => Err(ComputeError::Refused(error.to_string())),
            None => Ok(()),
        }
    };
    (done, faults)
}

/// A part of a buffer: first word, number of words.
pub(crate) type Part = (wgpu::Buffer, u64, u64);

/// Does `work`, which must not wait, and reads parts of buffers: the browser answers once for both. What `work`
/// made and is to be read has to be part of what it returns, or it is gone before it is read.
pub(crate) async fn read_after<T, const N: usize>(
    gpu: &Gpu,
    work: impl FnOnce() -> (T, [Part; N]),
) -> Result<(T, [Vec<u32>; N]), ComputeError> {
    let ((done, buffer, mapping, counts), faults) = watched(gpu, || {
        let (done, parts) = work();
        let total: u64 = parts.iter().map(|(_, _, words)| words * 4).sum();
        let buffer = Held(gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size: total.max(4),
            usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            mapped_at_creation: false,
        }));
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut at = 0;
        for (from, first, words) in &parts {
            if *words > 0 {
                encoder.copy_buffer_to_buffer(from, first * 4, &buffer, at, words * 4);
            }
            at += words * 4;
        }
        gpu.queue.submit([encoder.finish()]);
        let mapping = Mapping::begin(&buffer, buffer.size());
        (done, buffer, mapping, parts.map(|(_, _, words)| words as usize))
    });
    let bytes = mapping.finish(gpu).await;
    drop(buffer);
    // Why nothing came back is better told by what the device refused.
    faults.await?;
    let words: Vec<u32> = bytemuck::pod_collect_to_vec(&bytes?);
    let mut rest = words.as_slice();
    let parts = counts.map(|n| {
        let (own, after) = rest.split_at(n);
        rest = after;
        own.to_vec()
    });
    Ok((done, parts))
}

/// The entry points of one shader.
pub(crate) struct Program {
    pipelines: Vec<(&'static str, wgpu::ComputePipeline)>,
}

impl Program {
    pub(crate) async fn new(
        gpu: &Gpu,
        shader: &shaders::Shader,
        entries: &[&'static str],
    ) -> Result<Self, ComputeError> {
        if !gpu.can_compute() {
            return Err(ComputeError::NoCompute);
        }
        let pipelines = guarded(gpu, || {
            let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(shader.name),
                source: wgpu::ShaderSource::Wgsl(Cow::Owned(shader.source())),
            });
            let pipeline = |entry: &'static str| {
                gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
                    label: Some(entry),
                    // From the shader: each entry point binds what it uses.
                    layout: None,
                    module: &module,
                    entry_point: Some(entry),
                    compilation_options: Default::default(),
                    cache: None,
                })
            };
            entries.iter().map(|entry| (*entry, pipeline(entry))).collect()
        });
        Ok(Self { pipelines: pipelines.await? })
    }

    /// Adds a dispatch. `bound` is what the entry point uses, by the numbers of the shader.
    pub(crate) fn dispatch(
        &self,
        gpu: &Gpu,
        pass: &mut wgpu::ComputePass,
        entry: &str,
        groups: u32,
        bound: &[(u32, wgpu::BindingResource)],
    ) {
        let Some((_, pipeline)) = self.pipelines.iter().find(|(name, _)| *name == entry) else { return };
        let entries: Vec<_> = bound
            .iter()
            .map(|(binding, resource)| wgpu::BindGroupEntry { binding: *binding, resource: resource.clone() })
            .collect();
        let bindings = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(entry),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        pass.set_pipeline(pipeline);
        pass.set_bind_group(0, &bindings, &[]);
        pass.dispatch_workgroups(groups, 1, 1);
    }
}

/// A buffer that gives its memory back when it is dropped. In the browser that would be up to the garbage
/// collector, which knows nothing of the megabytes that every step of a slider takes.
pub(crate) struct Held(wgpu::Buffer);

impl Deref for Held {
    type Target = wgpu::Buffer;
    fn deref(&self) -> &wgpu::Buffer {
        &self.0
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // Work that was submitted still has it.
        self.0.destroy();
    }
}

/// Zeros, to be written by a kernel, copied and read back.
pub(crate) fn storage(gpu: &Gpu, label: &str, bytes: u64) -> Held {
    Held(gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some(label),
        // A binding of nothing is not allowed.
        size: bytes.next_multiple_of(4).max(16),
        usage: BufferUsages::STORAGE | BufferUsages::COPY_DST | BufferUsages::COPY_SRC,
        mapped_at_creation: false,
    }))
}

/// One struct `Params`.
pub(crate) fn uniform(gpu: &Gpu, params: &impl bytemuck::NoUninit) -> Held {
    let bytes = bytemuck::bytes_of(params);
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("params"),
        size: bytes.len() as u64,
        usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
        mapped_at_creation: false,
    });
    gpu.queue.write_buffer(&buffer, 0, bytes);
    Held(buffer)
}

/// Writes into a storage buffer; an odd number of 16-bit values is padded to a whole word.
pub(crate) fn fill(gpu: &Gpu, buffer: &wgpu::Buffer, offset: u64, bytes: &[u8]) {
    let whole = bytes.len() / 4 * 4;
    gpu.queue.write_buffer(buffer, offset, &bytes[..whole]);
    if whole < bytes.len() {
        let mut last = [0; 4];
        last[..bytes.len() - whole].copy_from_slice(&bytes[whole..]);
        gpu.queue.write_buffer(buffer, offset + whole as u64, &last);
    }
}
