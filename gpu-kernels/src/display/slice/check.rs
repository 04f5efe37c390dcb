//! Draws the cases on the GPU and in the twin and compares the pictures.

use std::sync::Arc;

use web_time::Instant;

use super::{Case, SlicePass, TOLERANCE, cases, cpu};
use crate::compare::compare_bytes;
use crate::gpu::Gpu;
use crate::kernels::{Extent, Outcome};
use crate::readback::read_rgba8;
use crate::volume::{GpuVolume, VoxelFormat};

/// No pass draws this (its alpha is never 7), so a pixel that still has it was not written.
const POISON: [u8; 4] = [255, 0, 255, 7];

/// Runs the cases on one pass.
pub async fn check(gpu: &Gpu, extent: Extent) -> Vec<Outcome> {
    let mut pass = SlicePass::new(gpu, wgpu::TextureFormat::Rgba8Unorm);
    let mut outcomes = Vec::new();
    for case in cases().into_iter().filter(|case| extent == Extent::All || case.in_self_check) {
        let start = Instant::now();
        let want = draw_on_cpu(&case);
        let cpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let start = Instant::now();
        let got = draw_on_gpu(gpu, &mut pass, &case).await;
        let gpu_ms = start.elapsed().as_secs_f64() * 1e3;
        let result = got.and_then(|got| {
            let got = if case.panels.iter().any(|panel| panel.colours.is_some()) {
                by_level(&case, &got, &want)
            } else {
                got
            };
            compare_bytes(&case.name, &TOLERANCE, &got, &want).map_err(|difference| difference.to_string())
        });
        outcomes.push(Outcome { case: case.name, result, gpu_ms, cpu_ms });
    }
    outcomes
}

/// The twin's pixel wherever the GPU's is the twin's at a neighbouring level: the tolerance is a level, and in a
/// table of colours a level is more than 1 in a channel. Elsewhere the GPU's pixel.
pub(crate) fn by_level(case: &Case, got: &[u8], want: &[u8]) -> Vec<u8> {
    let beside = [-1, 1].map(|step| draw_on_cpu(&shifted(case, step)));
    let mut out = got.to_vec();
    for (at, pixel) in out.as_chunks_mut::<4>().0.iter_mut().enumerate() {
        let of = |picture: &[u8]| picture.get(at * 4..at * 4 + 4).is_some_and(|p| close(pixel, p));
        if beside.iter().any(|picture| of(picture))
            && let Some(want) = want.get(at * 4..at * 4 + 4)
        {
            pixel.copy_from_slice(want);
        }
    }
    out
}

/// Under an overlay a rounding edge is met once more.
fn close(a: &[u8; 4], b: &[u8]) -> bool {
    a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1)
}

/// The case with every level shown in the colour of the one `step` beside it.
fn shifted(case: &Case, step: i32) -> Case {
    let mut case = case.clone();
    for colours in case.panels.iter_mut().filter_map(|panel| panel.colours.as_mut()) {
        let table = **colours;
        let beside = |level: usize| table[(level as i32 + step).clamp(0, 255) as usize];
        *colours = Arc::new(std::array::from_fn(beside));
    }
    case
}

/// The twin's picture over the poison.
pub(crate) fn draw_on_cpu(case: &Case) -> Vec<u8> {
    let [width_px, height_px] = case.target_px;
    let mut pixels = POISON.repeat((width_px * height_px) as usize);
    let mut picture =
        cpu::Picture { pixels: &mut pixels, width_px, height_px, stride_bytes: width_px as usize * 4 };
    for panel in &case.panels {
        cpu::draw(panel, &case.volume, 0, &case.arrived, case.labels.as_ref(), &mut picture);
    }
    pixels
}

/// The GPU's picture over the poison. What lies beside the panels must keep it.
pub(crate) async fn draw_on_gpu(gpu: &Gpu, pass: &mut SlicePass, case: &Case) -> Result<Vec<u8>, String> {
    let dims = case.volume.grid.dims();
    let limit = case.texture_limit.unwrap_or(u32::MAX).min(gpu.limits().max_texture_dimension_3d);
    let format = VoxelFormat::of(&case.volume.voxels);
    let mut volume = GpuVolume::allocate_within(gpu, dims, format, limit).await.map_err(|e| e.to_string())?;
    for z in (0..dims[2]).filter(|z| case.arrived.contains(*z)) {
        volume.upload_slices(gpu, &case.volume.voxels, 0, z, 1).map_err(|e| e.to_string())?;
    }
    volume.upload_labels(gpu, case.labels.as_ref()).await.map_err(|e| e.to_string())?;
    let [width, height] = case.target_px;
    let target = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("picture"),
        size: wgpu::Extent3d { width, height, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let view = target.create_view(&Default::default());
    let panels: Vec<_> = case.panels.iter().map(|panel| (panel, &volume)).collect();
    let [r, g, b, a] = POISON.map(|level| f64::from(level) / 255.0);
    let poison = wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a });
    pass.draw_over(gpu, &view, case.target_px, &panels, poison);
    read_rgba8(gpu, &target).await.map_err(|e| e.to_string())
}
