//! Value range and 1024-bin histogram of stored values, for automatic windows.
//!
//! A volume may be larger than the largest storage binding (128 MiB are promised), so it goes through in
//! pieces that add up in one result. int16 stays packed, two to a word.

mod cases;
pub mod cpu;

use bytemuck::{Pod, Zeroable};
use imaging::volume::Padding;
use web_time::Instant;
use wgpu::{BufferUsages, ShaderStages};

pub use cases::{Case, cases};

use crate::compare::{Tolerance, compare};
use crate::gpu::Gpu;
use crate::kernels::{Extent, Outcome};
use crate::readback::{ReadbackError, read_mapped};

/// Bins of a histogram.
pub const BINS: usize = 1024;

/// Whole numbers, equal whatever the order of threads.
pub const TOLERANCE: Tolerance =
    Tolerance { abs: 0.0, rel: 0.0, why: "counts and comparisons only: nothing is rounded on the GPU" };

/// `struct Params` of `shaders/kernels/histogram.wgsl`; a test compares the two field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[allow(missing_docs, reason = "said in the WGSL")]
pub struct Params {
    pub count: u32,
    pub format: u32,
    pub stride: u32,
    pub _unused: u32,
    pub padding_low: f32,
    pub padding_high: f32,
    pub _unused_2: [u32; 2],
}

field_offsets!(count, format, stride, _unused, padding_low, padding_high, _unused_2);

/// Grey values to count.
#[derive(Clone, Copy, Debug)]
pub enum Values<'a> {
    /// See `imaging::Voxels`.
    I16(&'a [i16]),
    /// See `imaging::Voxels`.
    U16(&'a [u16]),
    /// See `imaging::Voxels`.
    F32(&'a [f32]),
}

impl Values<'_> {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Self::I16(v) => v.len(),
            Self::U16(v) => v.len(),
            Self::F32(v) => v.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    /// Smallest and largest stored value that is a measurement; `None` if there is none.
    pub range: Option<(f32, f32)>,
    /// Values that are measurements.
    pub counted: u32,
    /// Padding and numbers that are not finite.
    pub excluded: u32,
    /// `bins[i]` counts values from the edge i to the next; the last one its upper end too.
    pub bins: Vec<u32>,
}

/// Why there is no histogram.
#[derive(Clone, Debug, thiserror::Error)]
pub enum HistogramError {
    /// WebGL2.
    #[error("this GPU has no compute shaders; use histogram::cpu::run")]
    NoCompute,
    /// The result did not come back.
    #[error(transparent)]
    Readback(#[from] ReadbackError),
    /// The kernel did not see every value.
    #[error("the GPU counted {got} of {want} values; use histogram::cpu::run")]
    Incomplete {
        /// Values counted or excluded.
        got: u64,
        /// Values given.
        want: u64,
    },
}

/// Lower edges of the bins over a range: `lo + (hi - lo) i / 1024` in f64, rounded to f32.
pub(crate) fn lower_edges((lo, hi): (f32, f32)) -> Vec<f32> {
    let (lo, width) = (f64::from(lo), f64::from(hi) - f64::from(lo));
    (0..BINS).map(|i| (lo + width * i as f64 / BINS as f64) as f32).collect()
}

/// Words (u32) per piece: 64 MiB, half of what every adapter promises for a storage binding.
const WORDS_PER_PIECE: usize = 16 << 20;
const GROUP: u32 = 256;
/// Enough groups to fill any GPU; each takes many words, so that its local counters pay off.
const GROUPS: u32 = 1024;

/// min_key, max_key, counted, excluded, bins.
const RESULT_WORDS: usize = 4 + BINS;

/// Counts on the GPU.
pub async fn run(
    gpu: &Gpu,
    values: Values<'_>,
    padding: Option<Padding>,
) -> Result<Histogram, HistogramError> {
    run_in_pieces(gpu, values, padding, WORDS_PER_PIECE).await
}

async fn run_in_pieces(
    gpu: &Gpu,
    values: Values<'_>,
    padding: Option<Padding>,
    words_per_piece: usize,
) -> Result<Histogram, HistogramError> {
    if !gpu.can_compute() {
        return Err(HistogramError::NoCompute);
    }
    let kernel = Kernel::new(gpu);
    let mut start = vec![0u32; RESULT_WORDS];
    start[0] = u32::MAX;
    let range = kernel.pass("range", values, padding, &[0; BINS], &start, words_per_piece).await?;
    let (counted, excluded) = (range[2], range[3]);
    let seen = u64::from(counted) + u64::from(excluded);
    if seen != values.len() as u64 {
        return Err(HistogramError::Incomplete { got: seen, want: values.len() as u64 });
    }
    if counted == 0 {
        return Ok(Histogram { range: None, counted, excluded, bins: vec![0; BINS] });
    }
    let ends = (float_of_key(range[0]), float_of_key(range[1]));
    let edges: Vec<u32> = lower_edges(ends).into_iter().map(key_of).collect();
    let result = kernel.pass("bins", values, padding, &edges, &start, words_per_piece).await?;
    let bins = result[4..].to_vec();
    let binned: u64 = bins.iter().map(|n| u64::from(*n)).sum();
    if binned != u64::from(counted) {
        return Err(HistogramError::Incomplete { got: binned, want: u64::from(counted) });
    }
    Ok(Histogram { range: Some(ends), counted, excluded, bins })
}

/// Orders floats as unsigned numbers, as in the shader.
fn key_of(v: f32) -> u32 {
    let bits = (v + 0.0).to_bits();
    if bits >> 31 == 1 { !bits } else { bits | 0x8000_0000 }
}

fn float_of_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 { key & 0x7fff_ffff } else { !key })
}

struct Kernel<'a> {
    gpu: &'a Gpu,
    module: wgpu::ShaderModule,
    layout: wgpu::BindGroupLayout,
}

impl<'a> Kernel<'a> {
    fn new(gpu: &'a Gpu) -> Self {
        let module = gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(shaders::HISTOGRAM.name),
            source: wgpu::ShaderSource::Wgsl(shaders::HISTOGRAM.source().into()),
        });
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: ShaderStages::COMPUTE,
            ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
            count: None,
        };
        let read = wgpu::BufferBindingType::Storage { read_only: true };
        let layout = gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("histogram"),
            entries: &[
                entry(0, wgpu::BufferBindingType::Uniform),
                entry(1, read),
                entry(2, read),
                entry(3, wgpu::BufferBindingType::Storage { read_only: false }),
            ],
        });
        Self { gpu, module, layout }
    }

    fn buffer(&self, label: &str, bytes: &[u8], usage: BufferUsages) -> wgpu::Buffer {
        let buffer = self.gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some(label),
            size: bytes.len() as u64,
            usage: usage | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.gpu.queue.write_buffer(&buffer, 0, bytes);
        buffer
    }

    /// One entry point over all values, piece by piece, adding up in one result.
    async fn pass(
        &self,
        entry_point: &str,
        values: Values<'_>,
        padding: Option<Padding>,
        edges: &[u32],
        start: &[u32],
        words_per_piece: usize,
    ) -> Result<Vec<u32>, HistogramError> {
        let gpu = self.gpu;
        let pipeline_layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("histogram"),
            bind_group_layouts: &[Some(&self.layout)],
            immediate_size: 0,
        });
        let pipeline = gpu.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(entry_point),
            layout: Some(&pipeline_layout),
            module: &self.module,
            entry_point: Some(entry_point),
            compilation_options: Default::default(),
            cache: None,
        });
        let edges = self.buffer("edges", bytemuck::cast_slice(edges), BufferUsages::STORAGE);
        let result = self.buffer(
            "result",
            bytemuck::cast_slice(start),
            BufferUsages::STORAGE | BufferUsages::COPY_SRC,
        );
        let read_back = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("histogram read-back"),
            size: result.size(),
            usage: BufferUsages::COPY_DST | BufferUsages::MAP_READ,
            mapped_at_creation: false,
        });
        for (format, count, bytes) in pieces(values, words_per_piece) {
            let words = (bytes.len() / 4) as u32;
            let groups = words.div_ceil(GROUP).clamp(1, GROUPS);
            let (padding_low, padding_high) =
                padding.map_or((f32::MAX, f32::MIN), |p| (p.low as f32, p.high as f32));
            let params = Params {
                count,
                format,
                stride: groups * GROUP,
                _unused: 0,
                padding_low,
                padding_high,
                _unused_2: [0; 2],
            };
            let params = self.buffer("params", bytemuck::bytes_of(&params), BufferUsages::UNIFORM);
            let stored = self.buffer("stored", &bytes, BufferUsages::STORAGE);
            let buffers = [&params, &stored, &edges, &result];
            let entries: Vec<_> = (0..)
                .zip(buffers)
                .map(|(binding, b)| wgpu::BindGroupEntry { binding, resource: b.as_entire_binding() })
                .collect();
            let bindings = gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
                label: Some("histogram"),
                layout: &self.layout,
                entries: &entries,
            });
            let mut encoder = gpu.device.create_command_encoder(&Default::default());
            let mut pass = encoder.begin_compute_pass(&Default::default());
            pass.set_pipeline(&pipeline);
            pass.set_bind_group(0, &bindings, &[]);
            pass.dispatch_workgroups(groups, 1, 1);
            drop(pass);
            gpu.queue.submit([encoder.finish()]);
        }
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        encoder.copy_buffer_to_buffer(&result, 0, &read_back, 0, result.size());
        gpu.queue.submit([encoder.finish()]);
        let bytes = read_mapped(gpu, &read_back, result.size()).await?;
        Ok(bytemuck::pod_collect_to_vec(&bytes))
    }
}

/// Format, count and bytes (whole words) of each piece.
fn pieces<'a>(
    values: Values<'a>,
    words: usize,
) -> Box<dyn Iterator<Item = (u32, u32, std::borrow::Cow<'a, [u8]>)> + 'a> {
    fn whole_words(bytes: &[u8]) -> std::borrow::Cow<'_, [u8]> {
        if bytes.len().is_multiple_of(4) {
            return bytes.into();
        }
        let mut padded = bytes.to_vec();
        padded.resize(bytes.len().next_multiple_of(4), 0);
        padded.into()
    }
    match values {
        Values::I16(v) => {
            Box::new(v.chunks(words * 2).map(|c| (0, c.len() as u32, whole_words(bytemuck::cast_slice(c)))))
        }
        Values::U16(v) => {
            Box::new(v.chunks(words * 2).map(|c| (1, c.len() as u32, whole_words(bytemuck::cast_slice(c)))))
        }
        Values::F32(v) => {
            Box::new(v.chunks(words).map(|c| (2, c.len() as u32, whole_words(bytemuck::cast_slice(c)))))
        }
    }
}

/// Runs the cases on the GPU and in the twin and compares.
pub(crate) async fn check(gpu: &Gpu, extent: Extent) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    for case in cases().into_iter().filter(|case| extent == Extent::All || case.in_self_check) {
        let start = Instant::now();
        let want = cpu::run(case.values(), case.padding);
        let cpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let got = run_in_pieces(gpu, case.values(), case.padding, case.words_per_piece).await;
        let gpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let result = got.map_err(|e| e.to_string()).and_then(|got| {
            compare(&case.name, &TOLERANCE, got.numbers().into_iter(), want.numbers().into_iter())
                .map_err(|difference| difference.to_string())
        });
        outcomes.push(Outcome { case: case.name, result, gpu_ms, cpu_ms });
    }
    outcomes
}

impl Histogram {
    /// Everything in a row, for the comparison. No range shows as two numbers that are none.
    fn numbers(&self) -> Vec<f64> {
        let (lo, hi) = self.range.map_or((-1e300, 1e300), |(lo, hi)| (f64::from(lo), f64::from(hi)));
        let counts = self.bins.iter().map(|n| f64::from(*n));
        [lo, hi, f64::from(self.counted), f64::from(self.excluded)].into_iter().chain(counts).collect()
    }

    /// The stored values below and above which a share of all values lies, to the width of a bin: for a window
    /// that a few extreme values do not stretch.
    pub fn between(&self, low_share: f64, high_share: f64) -> Option<(f32, f32)> {
        let range = self.range?;
        let mut edges = lower_edges(range);
        edges.push(range.1);
        let total = f64::from(self.counted);
        let mut below = 0.0;
        let (mut low, mut high) = (range.0, range.1);
        for (i, n) in self.bins.iter().enumerate() {
            let after = below + f64::from(*n);
            if below <= low_share * total {
                low = edges[i];
            }
            if below < high_share * total {
                high = edges[i + 1];
            }
            below = after;
        }
        Some((low, high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_order_floats_and_come_back() {
        let values = [f32::MIN, -1.5, -1e-30, 0.0, 1e-30, 2.25, f32::MAX];
        assert!(values.windows(2).all(|w| key_of(w[0]) < key_of(w[1])));
        assert!(values.iter().all(|v| float_of_key(key_of(*v)) == *v));
        assert_eq!(key_of(-0.0), key_of(0.0));
    }

    #[test]
    fn between_leaves_out_the_extremes() {
        let mut values: Vec<i16> = (0..1000).map(|i| i % 100).collect();
        values.push(10_000);
        values.push(-10_000);
        let h = cpu::run(Values::I16(&values), None);
        let (low, high) = h.between(0.01, 0.99).unwrap();
        assert!((-25.0..=5.0).contains(&low) && (95.0..=125.0).contains(&high), "{low} {high}");
    }
}
