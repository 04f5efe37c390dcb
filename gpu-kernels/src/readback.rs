//! Numbers back from the GPU without blocking.
//!
//! The browser forbids waiting: WebGPU answers through the event loop, and a WebGL2 fence only moves on
//! between two tasks. Natively nobody polls for us, so there the wait is a poll.

use futures_channel::oneshot;

use crate::gpu::Gpu;

/// Why nothing came back.
#[derive(Clone, Debug, thiserror::Error)]
pub enum ReadbackError {
    /// The buffer could not be mapped.
    #[error("the GPU did not hand back its result: {0}")]
    Map(String),
    /// The device went away in between.
    #[error("the GPU was lost while its result was awaited: {0}")]
    Lost(String),
}

/// The first `size` bytes of a buffer that was made with `MAP_READ`.
pub(crate) async fn read_mapped(
    gpu: &Gpu,
    buffer: &wgpu::Buffer,
    size: u64,
) -> Result<Vec<u8>, ReadbackError> {
    Mapping::begin(buffer, size).finish(gpu).await
}

/// A buffer that was asked for: what the device has against it shows when it is asked, not when it answers.
pub(crate) struct Mapping {
    buffer: wgpu::Buffer,
    size: u64,
    receiver: oneshot::Receiver<Result<(), wgpu::BufferAsyncError>>,
}

impl Mapping {
    pub(crate) fn begin(buffer: &wgpu::Buffer, size: u64) -> Self {
        let (sender, receiver) = oneshot::channel();
        buffer.map_async(wgpu::MapMode::Read, 0..size, move |result| {
            // The receiver lives until the end of `finish`; if it is gone nobody wants the answer.
            let _ = sender.send(result);
        });
        Self { buffer: buffer.clone(), size, receiver }
    }

    pub(crate) async fn finish(mut self, gpu: &Gpu) -> Result<Vec<u8>, ReadbackError> {
        let answer = wait(gpu, &mut self.receiver).await?;
        answer.map_err(|e| ReadbackError::Map(e.to_string()))?;
        let mapped = self.buffer.get_mapped_range(0..self.size);
        let bytes = mapped.map_err(|e| ReadbackError::Map(e.to_string()))?.to_vec();
        self.buffer.unmap();
        Ok(bytes)
    }
}

impl Gpu {
    /// Waits until all that was submitted has been done: only then is a time a time of the GPU.
    pub async fn finished(&self) -> Result<(), ReadbackError> {
        let (sender, mut receiver) = oneshot::channel();
        self.queue.on_submitted_work_done(move || {
            // As above: if nobody waits any more, nobody wants to know.
            let _ = sender.send(());
        });
        wait(self, &mut receiver).await
    }
}

#[cfg(not(target_arch = "wasm32"))]
async fn wait<T>(gpu: &Gpu, receiver: &mut oneshot::Receiver<T>) -> Result<T, ReadbackError> {
    gpu.device.poll(wgpu::PollType::wait_indefinitely()).map_err(|e| ReadbackError::Map(e.to_string()))?;
    receiver.await.map_err(|_| lost(gpu))
}

#[cfg(target_arch = "wasm32")]
async fn wait<T>(gpu: &Gpu, receiver: &mut oneshot::Receiver<T>) -> Result<T, ReadbackError> {
    if gpu.kind() == crate::BackendKind::WebGpu {
        return receiver.await.map_err(|_| lost(gpu));
    }
    loop {
        // A poll never blocks on WebGL2; the fence is seen to be signalled in a later task.
        gpu.device.poll(wgpu::PollType::Poll).map_err(|e| ReadbackError::Map(e.to_string()))?;
        match receiver.try_recv() {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) if gpu.is_lost() => return Err(lost(gpu)),
            Ok(None) => crate::surface::next_task().await,
            Err(_) => return Err(lost(gpu)),
        }
    }
}

fn lost(gpu: &Gpu) -> ReadbackError {
    ReadbackError::Lost(gpu.lost.why().unwrap_or_else(|| "no reason given".to_owned()))
}

/// The pixels of a texture with an 8-bit RGBA or BGRA format and `COPY_SRC`, as RGBA, row by row.
pub async fn read_rgba8(gpu: &Gpu, texture: &wgpu::Texture) -> Result<Vec<u8>, ReadbackError> {
    let (width, height) = (texture.width(), texture.height());
    let row = width * 4;
    // WebGPU: rows of a copy to a buffer start at multiples of 256 bytes.
    let padded_row = row.next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let size = u64::from(padded_row) * u64::from(height);
    let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("read-back"),
        size,
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let mut encoder = gpu.device.create_command_encoder(&Default::default());
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo {
            buffer: &buffer,
            layout: wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some(padded_row),
                rows_per_image: None,
            },
        },
        wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
    );
    gpu.queue.submit([encoder.finish()]);
    let padded = read_mapped(gpu, &buffer, size).await?;
    let mut pixels = Vec::with_capacity(row as usize * height as usize);
    for line in padded.chunks_exact(padded_row as usize) {
        pixels.extend_from_slice(&line[..row as usize]);
    }
    if texture.format() == wgpu::TextureFormat::Bgra8Unorm {
        for pixel in pixels.chunks_exact_mut(4) {
            pixel.swap(0, 2);
        }
    }
    Ok(pixels)
}
