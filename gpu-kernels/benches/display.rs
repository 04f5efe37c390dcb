//! Times the slice pass on a 512³ int16 volume, on the GPU and in its CPU twin; prints one JSON object.
//!
//! A frame is timed from the call until the GPU has done it, because that is what a reader waits for. The median
//! of several is given: the first ones compile pipelines.

use std::time::Instant;

use gpu_kernels::display::slice::{OverlayDraw, PanelDraw, PanelRect, SlicePass, cpu};
use gpu_kernels::{ArrivedSlices, Gpu, GpuVolume, Labels, VoxelFormat, wgpu};
use imaging::{Volume, Voxels};
use scene::{
    DAffine3, DMat3, DVec3, Frame, Grid, Interpolation, LengthUnit, Plane, Slab, SlabMode, View, VoiFunction,
    Window,
};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

const SIDE: u32 = 512;
const RUNS: usize = 15;

fn main() -> Result<(), Failure> {
    let value = pollster::block_on(measure())?;
    println!("{value:#}");
    Ok(())
}

async fn measure() -> Result<Value, Failure> {
    let placed = DAffine3::from_mat3(DMat3::from_diagonal(DVec3::new(0.7, 0.7, 0.6)));
    let grid = Grid::new([SIDE; 3], placed, LengthUnit::Millimetre, Frame::Patient)?;
    // Neighbours that have nothing to do with each other: no cache or compression can help.
    let voxels = (0..SIDE.pow(3)).map(|i| (i.wrapping_mul(2_654_435_761) >> 20) as i16 - 1024).collect();
    let volume = Volume::new(Voxels::I16(voxels), grid);

    let gpu = Gpu::headless().await?;
    let begun = Instant::now();
    let mut copy = GpuVolume::allocate(&gpu, volume.grid.dims(), VoxelFormat::of(&volume.voxels)).await?;
    copy.upload_slices(&gpu, &volume.voxels, 0, 0, SIDE)?;
    gpu.finished().await?;
    let upload_s = begun.elapsed().as_secs_f64();
    let bytes = f64::from(SIDE).powi(3) * 2.0;

    let rect = PanelRect { x_px: 0, y_px: 0, width_px: SIDE, height_px: SIDE };
    let target = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("bench"),
        size: wgpu::Extent3d { width: SIDE, height: SIDE, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
        view_formats: &[],
    });
    let target = target.create_view(&Default::default());
    let mut pass = SlicePass::new(&gpu, wgpu::TextureFormat::Rgba8Unorm);
    let mut pixels = vec![0; (SIDE * SIDE * 4) as usize];
    let arrived = ArrivedSlices::all(SIDE);
    let window = Window { center: 40.0, width: 400.0, function: VoiFunction::Linear };
    // As calcium scoring draws it: candidates are 1 % of the voxels, and every fourth slice has lesions.
    let mut labels = Labels::new([SIDE; 3]);
    for z in (0..SIDE).step_by(4) {
        labels.replace(z, (0..SIDE * SIDE).map(|i| (i / 64 % 7) as u8).collect())?;
    }
    copy.upload_labels(&gpu, Some(&labels)).await?;
    let palette = std::array::from_fn(|label| [255, 40 * label.min(6) as u8, 90, 160]);
    let overlay = OverlayDraw { lowest: 3031.0, ..OverlayDraw::everything(palette) };
    let part = OverlayDraw { region: Some([[128, 128, 128], [384, 384, 384]]), ..overlay.clone() };
    let cases = [
        ("axial, linear", Plane::Axial, Interpolation::Linear, 0.0, None),
        ("axial, linear, overlay", Plane::Axial, Interpolation::Linear, 0.0, Some(&overlay)),
        ("sagittal, linear", Plane::Sagittal, Interpolation::Linear, 0.0, None),
        ("sagittal, linear, overlay", Plane::Sagittal, Interpolation::Linear, 0.0, Some(&overlay)),
        ("axial, nearest", Plane::Axial, Interpolation::Nearest, 0.0, None),
        ("axial, MIP of 20 mm", Plane::Axial, Interpolation::Linear, 20.0, None),
        ("axial, MIP of 20 mm, overlay", Plane::Axial, Interpolation::Linear, 20.0, Some(&overlay)),
        ("axial, MIP of 20 mm, overlay in a box", Plane::Axial, Interpolation::Linear, 20.0, Some(&part)),
    ];
    let mut rows = Vec::new();
    for (name, plane, interpolation, thickness, overlay) in cases {
        let mut view = View::fit(plane, &volume.grid, rect.viewport());
        view.interpolation = interpolation;
        view.slab = Slab { thickness, mode: SlabMode::Mip };
        let (mut on_gpu, mut in_twin) = (Vec::new(), Vec::new());
        for run in 0..RUNS {
            view.step_slices(&volume.grid, if run % 2 == 0 { 1.0 } else { -1.0 });
            let mut panel = PanelDraw::of_view(&view, &volume.grid, &volume, rect, window, false);
            panel.overlay = overlay.cloned();
            let begun = Instant::now();
            pass.draw(&gpu, &target, [SIDE; 2], &[(&panel, &copy)]);
            gpu.finished().await?;
            on_gpu.push(begun.elapsed().as_secs_f64() * 1e3);
            let begun = Instant::now();
            let mut picture = cpu::Picture {
                pixels: &mut pixels,
                width_px: SIDE,
                height_px: SIDE,
                stride_bytes: SIDE as usize * 4,
            };
            cpu::draw(&panel, &volume, 0, &arrived, Some(&labels), &mut picture);
            in_twin.push(begun.elapsed().as_secs_f64() * 1e3);
        }
        rows.push(json!({ "case": name, "gpu_frame_ms": median(on_gpu), "cpu_twin_ms": median(in_twin) }));
    }
    Ok(json!({
        "adapter": gpu.adapter_name(),
        "software_adapter": gpu.is_software(),
        "dims": [SIDE, SIDE, SIDE],
        "panel_px": [SIDE, SIDE],
        "upload_ms": upload_s * 1e3,
        "upload_bytes_per_s": bytes / upload_s,
        "frames": rows,
    }))
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
