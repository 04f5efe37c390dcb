//! Dispatches one after the other into one command buffer, submitted in slices.
//!
//! A model is hundreds of small dispatches; a submission each would cost more than the work. Parameters of all
//! dispatches of a slice lie in one uniform buffer and are written once. wgpu reports faults beside the call that
//! caused them: they are collected in scopes and come out of [`Recorder::faults`] or the next read-back.

use std::borrow::Cow;
use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;

use futures_channel::oneshot;

use super::device::Gpu;
use super::fault::GpuFault;
use super::memory::{Block, Pool, WORD_BYTES};
use super::tiles::{self, Probe, Tiles};

/// Threads of a workgroup where one thread makes one tile: `GROUP` in `shaders/inference/common.wgsl`.
pub(crate) const GROUP: u32 = 64;

/// Multiply-adds of a slice after which it is submitted: some tens of milliseconds on a slow GPU, so that a browser
/// does not think it hangs.
const SLICE_MACS: u64 = 1 << 31;

/// Most multiply-adds of one dispatch: beyond that, watchdogs of drivers (2 s on Windows) come near on slow GPUs.
pub(crate) const DISPATCH_MACS: u64 = 2_000_000_000;

/// Bytes of parameters of one slice.
const ARENA_BYTES: u64 = 64 << 10;

/// What a pipeline is made of. The constants are part of its name.
#[derive(Clone, Debug)]
pub(crate) struct Program<'a> {
    pub name: &'static str,
    pub source: Source<'a>,
    pub entry: &'static str,
    pub constants: &'a [(&'static str, f64)],
}

/// The text of a shader, made only where it is not compiled yet.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    Shader(&'static shaders::Shader),
    /// Generated; the text is its own name.
    Text(&'a str),
}

type Fault = Pin<Box<dyn Future<Output = Option<wgpu::Error>>>>;

/// What the device has against the work meanwhile. Dropped in this order too: scopes are popped inside out.
struct Scopes {
    validation: wgpu::ErrorScopeGuard,
    memory: wgpu::ErrorScopeGuard,
}

impl Scopes {
    fn push(device: &wgpu::Device) -> Self {
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        Self { validation: device.push_error_scope(wgpu::ErrorFilter::Validation), memory }
    }

    fn pop(self) -> Fault {
        // Both before anything waits: scopes of others must not come in between.
        let (validation, memory) = (self.validation.pop(), self.memory.pop());
        Box::pin(async move {
            let validation = validation.await;
            memory.await.or(validation)
        })
    }
}

struct Open {
    encoder: wgpu::CommandEncoder,
    scopes: Scopes,
    macs: u64,
}

/// Records work for one device.
pub struct Recorder {
    gpu: Gpu,
    pool: Pool,
    modules: HashMap<String, wgpu::ShaderModule>,
    pipelines: HashMap<String, wgpu::ComputePipeline>,
    open: Option<Open>,
    params: Vec<u8>,
    arena: Option<wgpu::Buffer>,
    nothing: Option<Block>,
    faults: Vec<Fault>,
    dispatches: u64,
    uploaded_bytes: u64,
    /// Whether kernels that can do both take activations stored as half floats.
    halves: bool,
    /// Beyond, free buffers go back to the driver before a new one is made.
    expected_bytes: u64,
    tiles: Tiles,
}

impl Recorder {
    /// Nothing recorded yet.
    pub fn new(gpu: Gpu) -> Self {
        Self {
            gpu,
            pool: Pool::default(),
            modules: HashMap::new(),
            pipelines: HashMap::new(),
            open: None,
            params: Vec::new(),
            arena: None,
            nothing: None,
            faults: Vec::new(),
            dispatches: 0,
            uploaded_bytes: 0,
            halves: false,
            expected_bytes: u64::MAX,
            tiles: Tiles::default(),
        }
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// Where products and convolutions keep their tiles.
    pub const fn tiles(&self) -> Tiles {
        self.tiles
    }

    /// Has products and convolutions keep their tiles there from now on.
    pub const fn set_tiles(&mut self, tiles: Tiles) {
        self.tiles = tiles;
    }

    /// Times both and takes the faster one for the rest of the session.
    ///
    /// # Errors
    /// What the device has against it; the choice stays as it was.
    pub async fn probe(&mut self) -> Result<Probe, GpuFault> {
        let probe = tiles::probe(self).await?;
        self.tiles = probe.choice();
        Ok(probe)
    }

    /// Lets free buffers go where all together would take more than this.
    pub fn expect(&mut self, bytes: u64) {
        self.expected_bytes = bytes;
    }

    /// Bytes of GPU memory held now, and the most that were held.
    pub fn held_bytes(&self) -> (u64, u64) {
        self.pool.bytes()
    }

    /// Pipelines made and dispatches recorded so far.
    pub fn counts(&self) -> (usize, u64) {
        (self.pipelines.len(), self.dispatches)
    }

    /// From now on kernels that know two ways of storing activations find them stored as half floats, or as words.
    pub(crate) fn in_halves(&mut self, halves: bool) {
        self.halves = halves;
    }

    /// What [`Recorder::in_halves`] said last.
    pub(crate) const fn halves(&self) -> bool {
        self.halves
    }

    /// Bytes of tensors that went to the device so far.
    pub const fn uploaded_bytes(&self) -> u64 {
        self.uploaded_bytes
    }

    /// Whether a pipeline of this shader was made.
    pub fn has_compiled(&self, shader: &shaders::Shader) -> bool {
        self.pipelines.keys().any(|key| key.lines().next() == Some(shader.name))
    }

    fn open(&mut self) -> &mut Open {
        let device = &self.gpu.device;
        self.open.get_or_insert_with(|| Open {
            scopes: Scopes::push(device),
            encoder: device.create_command_encoder(&Default::default()),
            macs: 0,
        })
    }

    /// Memory for so many words, with anything in it.
    ///
    /// # Errors
    /// Where it exceeds a binding of this device; then nothing was allocated.
    pub fn take(&mut self, words: u64) -> Result<Block, GpuFault> {
        if self.pool.exceeds(words, self.expected_bytes) {
            self.trim();
        }
        self.open();
        self.pool.take(&self.gpu, words)
    }

    /// A small block of no meaning, for bindings that an operator leaves empty. Only ever read.
    pub(crate) fn nothing(&mut self) -> Result<Block, GpuFault> {
        if let Some(nothing) = &self.nothing {
            return Ok(nothing.clone());
        }
        let block = self.upload(&[0; 4])?;
        self.nothing = Some(block.clone());
        Ok(block)
    }

    /// Words to the GPU.
    ///
    /// # Errors
    /// As [`Recorder::take`].
    pub fn upload(&mut self, words: &[u32]) -> Result<Block, GpuFault> {
        self.upload_bytes(bytemuck::cast_slice(words))
    }

    /// Bytes to the GPU; the last word is filled up with zeros.
    ///
    /// # Errors
    /// As [`Recorder::take`].
    pub fn upload_bytes(&mut self, bytes: &[u8]) -> Result<Block, GpuFault> {
        // A buffer of the pool may be read by work that is recorded but not submitted; writes overtake that.
        self.flush();
        let block = self.take((bytes.len() as u64).div_ceil(WORD_BYTES))?;
        self.uploaded_bytes += bytes.len() as u64;
        // Writes are of whole words.
        let (words, rest) = bytes.split_at(bytes.len() / 4 * 4);
        if !words.is_empty() {
            self.gpu.queue.write_buffer(block.buffer(), 0, words);
        }
        if !rest.is_empty() {
            let last: [u8; 4] = std::array::from_fn(|i| rest.get(i).copied().unwrap_or(0));
            self.gpu.queue.write_buffer(block.buffer(), words.len() as u64, &last);
        }
        Ok(block)
    }

    fn pipeline(&mut self, program: &Program) -> wgpu::ComputePipeline {
        let name = match program.source {
            Source::Shader(shader) => shader.name,
            Source::Text(text) => text,
        };
        let halved = match program.source {
            Source::Shader(shader) if self.halves => shaders::inference::in_halves(shader),
            _ => None,
        };
        let name = if halved.is_some() { format!("{name}, activations in halves") } else { name.to_owned() };
        let mut key = format!("{name}\n{}", program.entry);
        for (constant, value) in program.constants {
            key.push_str(&format!(" {constant}={value}"));
        }
        if let Some(pipeline) = self.pipelines.get(&key) {
            return pipeline.clone();
        }
        self.open();
        let device = &self.gpu.device;
        let module = self.modules.entry(name).or_insert_with(|| {
            let text = match program.source {
                Source::Shader(shader) => halved.unwrap_or_else(|| shader.source()),
                Source::Text(text) => text.to_owned(),
            };
            device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(program.name),
                source: wgpu::ShaderSource::Wgsl(Cow::Owned(text)),
            })
        });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(program.name),
            layout: None,
            module,
            entry_point: Some(program.entry),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: program.constants,
                // What a kernel shares in a workgroup it writes before it reads.
                zero_initialize_workgroup_memory: false,
            },
            cache: None,
        });
        self.pipelines.insert(key, pipeline.clone());
        pipeline
    }

    /// Adds a dispatch. Binding 0 is `params`; the blocks come with the numbers of the shader, because an entry point
    /// binds what it uses and nothing else.
    ///
    /// # Errors
    /// Where there are more workgroups than a dispatch may have.
    pub(crate) fn dispatch(
        &mut self,
        program: &Program,
        params: &[u8],
        bound: &[(u32, &Block)],
        groups: [u32; 3],
        macs: u64,
    ) -> Result<(), GpuFault> {
        let most = self.gpu.limits().max_compute_workgroups_per_dimension;
        if let Some(&value) = groups.iter().find(|&&value| value > most) {
            return Err(GpuFault::TooLarge {
                what: "a dispatch in workgroups",
                value: u64::from(value),
                limit: u64::from(most),
            });
        }
        if groups.contains(&0) {
            return Ok(());
        }
        let pipeline = self.pipeline(program);
        let align = u64::from(self.gpu.limits().min_uniform_buffer_offset_alignment).max(16) as usize;
        if (self.params.len() + params.len()) as u64 > ARENA_BYTES {
            self.flush();
        }
        let offset = self.params.len() as u64;
        self.params.extend_from_slice(params);
        self.params.resize(self.params.len().next_multiple_of(align), 0);
        self.open();
        let arena = self.arena.get_or_insert_with(|| {
            self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("params"),
                size: ARENA_BYTES,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        });
        let mut entries = vec![wgpu::BindGroupEntry {
            binding: 0,
            resource: wgpu::BindingResource::Buffer(wgpu::BufferBinding {
                buffer: arena,
                offset,
                size: std::num::NonZeroU64::new(params.len() as u64),
            }),
        }];
        entries.extend(bound.iter().map(|(binding, block)| wgpu::BindGroupEntry {
            binding: *binding,
            resource: block.buffer().as_entire_binding(),
        }));
        let bindings = self.gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some(program.name),
            layout: &pipeline.get_bind_group_layout(0),
            entries: &entries,
        });
        self.dispatches += 1;
        let open = self.open();
        {
            let mut pass = open.encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bindings, &[]);
            pass.dispatch_workgroups(groups[0], groups[1], groups[2]);
        }
        open.macs += macs;
        if open.macs >= SLICE_MACS {
            self.flush();
        }
        Ok(())
    }

    /// Submits what was recorded.
    pub(crate) fn flush(&mut self) {
        let Some(open) = self.open.take() else { return };
        if let (Some(arena), false) = (&self.arena, self.params.is_empty()) {
            self.gpu.queue.write_buffer(arena, 0, &self.params);
        }
        self.params.clear();
        self.gpu.queue.submit([open.encoder.finish()]);
        self.faults.push(open.scopes.pop());
    }

    /// Waits for what the device has against the work so far.
    ///
    /// # Errors
    /// The first refusal, or the loss of the device.
    pub async fn faults(&mut self) -> Result<(), GpuFault> {
        self.flush();
        let mut first = None;
        // All of them, in order, before anything else is said.
        for fault in std::mem::take(&mut self.faults) {
            first = first.or(fault.await);
        }
        match (self.gpu.lost_why(), first) {
            (Some(why), _) => Err(GpuFault::Lost(why)),
            (None, Some(error)) => Err(GpuFault::Refused(error.to_string())),
            (None, None) => Ok(()),
        }
    }

    /// The first words of a block, when everything recorded before is done.
    ///
    /// # Errors
    /// What the device had against any of it.
    pub async fn download(&mut self, block: &Block, words: usize) -> Result<Vec<u32>, GpuFault> {
        let bytes = words as u64 * WORD_BYTES;
        self.open();
        let size = bytes.max(WORD_BYTES);
        let buffer = self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read-back"),
            size,
            usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        if words > 0 {
            self.open().encoder.copy_buffer_to_buffer(block.buffer(), 0, &buffer, 0, bytes);
        }
        self.flush();
        let scopes = Scopes::push(&self.gpu.device);
        let (sender, receiver) = oneshot::channel();
        buffer.map_async(wgpu::MapMode::Read, 0..size, move |answer| {
            // Nobody wants the answer if the receiver is gone.
            let _ = sender.send(answer);
        });
        self.faults.push(scopes.pop());
        let answer = self.gpu.wait(receiver).await;
        // Why nothing came back is better told by what the device refused.
        self.faults().await?;
        answer?.map_err(|e| self.gpu.lost_or(|| GpuFault::Readback(e.to_string())))?;
        let mapped = buffer
            .get_mapped_range(0..size)
            .map_err(|e| self.gpu.lost_or(|| GpuFault::Readback(e.to_string())))?;
        let mut words: Vec<u32> = bytemuck::pod_collect_to_vec(&mapped);
        drop(mapped);
        buffer.unmap();
        buffer.destroy();
        words.truncate(bytes as usize / WORD_BYTES as usize);
        Ok(words)
    }

    /// Waits until all that was recorded has been done: only then is a time a time of the GPU.
    ///
    /// # Errors
    /// What the device had against any of it.
    pub async fn finished(&mut self) -> Result<(), GpuFault> {
        self.flush();
        let (sender, receiver) = oneshot::channel();
        self.gpu.queue.on_submitted_work_done(move || {
            // As above.
            let _ = sender.send(());
        });
        let answer = self.gpu.wait(receiver).await;
        self.faults().await?;
        answer
    }

    /// Gives memory that nobody uses back to the driver.
    pub fn trim(&mut self) {
        self.flush();
        self.pool.trim();
    }
}

/// Groups in x and y for so many threads; the shader takes `(y * groups_x + x) * GROUP + local`.
pub(crate) fn groups_of(threads: u64) -> Result<[u32; 3], GpuFault> {
    let groups = threads.div_ceil(u64::from(GROUP));
    // 65,535 is what WebGPU promises per dimension; a square-ish split keeps idle groups few.
    let limit = 65_535;
    let rows = groups.div_ceil(limit).max(1);
    let columns = groups.div_ceil(rows);
    if rows > limit {
        return Err(GpuFault::TooLarge {
            what: "a dispatch in threads",
            value: threads,
            limit: limit * limit * 64,
        });
    }
    Ok([columns as u32, rows as u32, 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_split_into_groups_that_a_dispatch_may_have() {
        assert_eq!(groups_of(0), Ok([0, 1, 1]));
        assert_eq!(groups_of(65), Ok([2, 1, 1]));
        let [x, y, _] = groups_of(1 << 30).unwrap();
        assert!(x <= 65_535 && y <= 65_535);
        assert!(u64::from(x) * u64::from(y) * 64 >= 1 << 30);
        assert!(groups_of(u64::MAX).is_err());
    }
}
