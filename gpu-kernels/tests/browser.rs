//! The kernels in a real browser: WebGPU and WebGL2 from one wasm, against the twin.
#![cfg(target_arch = "wasm32")]
// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use gpu_kernels::compare::compare_bytes;
use gpu_kernels::display::slice::{PanelDraw, PanelRect, SlicePass, TOLERANCE, cpu};
use gpu_kernels::kernels::{ALL, Extent};
use gpu_kernels::{
    ArrivedSlices, BackendKind, CanvasSurface, Gpu, GpuError, GpuVolume, VoxelFormat, read_rgba8, self_check,
    wgpu,
};
use imaging::{Volume, Voxels};
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit, Plane, View, VoiFunction, Window};
use wasm_bindgen::JsCast;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

const SIZE: [u32; 2] = [67, 53];

fn canvas() -> web_sys::OffscreenCanvas {
    web_sys::OffscreenCanvas::new(SIZE[0], SIZE[1]).unwrap()
}

async fn take(canvas: web_sys::OffscreenCanvas, kind: BackendKind) -> Result<(Gpu, CanvasSurface), GpuError> {
    if kind == BackendKind::WebGl2 {
        return Gpu::webgl2(canvas).await;
    }
    let mut gpu = Gpu::webgpu().await?;
    let surface = gpu.attach(canvas)?;
    Ok((gpu, surface))
}

async fn gpu(kind: BackendKind) -> (Gpu, CanvasSurface, web_sys::OffscreenCanvas) {
    let canvas = canvas();
    let (gpu, surface) = take(canvas.clone(), kind).await.unwrap();
    console_log!("{kind:?}: {} (software: {})", gpu.adapter_name(), gpu.is_software());
    assert_eq!(gpu.kind(), kind);
    (gpu, surface, canvas)
}

fn now_ms() -> f64 {
    let performance = js_sys::Reflect::get(&js_sys::global(), &"performance".into()).unwrap();
    let now: js_sys::Function = js_sys::Reflect::get(&performance, &"now".into()).unwrap().unchecked_into();
    now.call0(&performance).unwrap().as_f64().unwrap()
}

async fn check(kind: BackendKind) {
    let (gpu, _surface, _canvas) = gpu(kind).await;
    let start = now_ms();
    let rows = self_check(&gpu).await;
    let first_ms = now_ms() - start;
    let start = now_ms();
    self_check(&gpu).await;
    console_log!("{kind:?}: {} rows in {first_ms:.0} ms, again in {:.0} ms", rows.len(), now_ms() - start);
    for kernel in ALL {
        let own = rows.iter().filter(|row| row.kernel == kernel.name);
        console_log!("{}: {:.0} ms in its cases", kernel.name, own.map(|row| row.gpu_ms).sum::<f64>());
    }
    for kernel in ALL {
        assert!(rows.iter().any(|row| row.kernel == kernel.name), "{} is missing", kernel.name);
    }
    for row in &rows {
        assert!(row.passed, "{} {}: {}", row.kernel, row.case, row.detail);
    }
    assert_eq!(gpu.can_compute(), kind == BackendKind::WebGpu);
    assert!(rows.iter().filter(|row| row.gpu_ms > 0.0).count() > 10);
}

#[wasm_bindgen_test]
async fn self_check_on_webgpu() {
    check(BackendKind::WebGpu).await;
}

/// All cases, also those that the self-check leaves out: a million components, many slabs, long rows.
async fn every_case(name: &str) {
    let (gpu, _surface, _canvas) = gpu(BackendKind::WebGpu).await;
    let kernel = ALL.iter().find(|k| k.name == name).unwrap();
    let start = now_ms();
    let outcomes = (kernel.check)(&gpu, Extent::All).await;
    let slowest = outcomes.iter().max_by(|a, b| a.gpu_ms.total_cmp(&b.gpu_ms)).unwrap();
    console_log!(
        "{name}: {} cases in {:.0} ms, slowest {} ({:.0} ms)",
        outcomes.len(),
        now_ms() - start,
        slowest.case,
        slowest.gpu_ms
    );
    assert!(outcomes.len() >= 25);
    for outcome in outcomes {
        assert_eq!(outcome.result, Ok(0.0), "{name}, {}", outcome.case);
    }
}

#[wasm_bindgen_test]
async fn every_case_of_candidates() {
    every_case("candidates").await;
}

#[wasm_bindgen_test]
async fn every_case_of_components() {
    every_case("components").await;
}

#[wasm_bindgen_test]
async fn every_case_of_measures() {
    every_case("measures").await;
}

#[wasm_bindgen_test]
async fn self_check_on_webgl2() {
    check(BackendKind::WebGl2).await;
}

/// Every picture, not only those that a user's self-check has time for.
async fn every_picture(kind: BackendKind) {
    let (gpu, _surface, _canvas) = gpu(kind).await;
    let slice = ALL.iter().find(|kernel| kernel.name == "slice").unwrap();
    let start = now_ms();
    let outcomes = (slice.check)(&gpu, Extent::All).await;
    console_log!("{kind:?}: {} pictures in {:.0} ms", outcomes.len(), now_ms() - start);
    let failed: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.result.as_ref().err()).collect();
    assert!(failed.is_empty(), "{} failed: {failed:#?}", failed.len());
}

#[wasm_bindgen_test]
async fn every_picture_on_webgpu() {
    every_picture(BackendKind::WebGpu).await;
}

#[wasm_bindgen_test]
async fn every_picture_on_webgl2() {
    every_picture(BackendKind::WebGl2).await;
}

fn volume() -> Volume {
    let dims = [22, 23, 30];
    let spacing = DMat3::from_rotation_x(0.3) * DMat3::from_diagonal(DVec3::new(0.75, 2.5, 7.25));
    let placed = DAffine3::from_mat3_translation(spacing, DVec3::new(-8.0, 11.0, 400.0));
    let grid = Grid::new(dims, placed, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let voxels = (0..22 * 23 * 30).map(|i: i32| ((i * 7919) % 2000 - 1000) as i16).collect();
    Volume::new(Voxels::I16(voxels), grid)
}

fn panels(volume: &Volume) -> Vec<PanelDraw> {
    let window = Window { center: 40.0, width: 1400.0, function: VoiFunction::Linear };
    [(Plane::Axial, 0), (Plane::Coronal, 34)]
        .into_iter()
        .map(|(plane, x_px)| {
            let rect = PanelRect { x_px, y_px: 2, width_px: 33, height_px: 50 };
            let mut view = View::fit(plane, &volume.grid, rect.viewport());
            view.world_per_px *= 0.2;
            PanelDraw::of_view(&view, &volume.grid, volume, rect, window, false)
        })
        .collect()
}

fn draw_on_cpu(volume: &Volume) -> Vec<u8> {
    let mut pixels = vec![9; (SIZE[0] * SIZE[1] * 4) as usize];
    let mut picture = cpu::Picture {
        pixels: &mut pixels,
        width_px: SIZE[0],
        height_px: SIZE[1],
        stride_bytes: SIZE[0] as usize * 4,
    };
    cpu::clear(&mut picture);
    for panel in panels(volume) {
        cpu::draw(&panel, volume, 0, &ArrivedSlices::all(30), None, &mut picture);
    }
    pixels
}

/// What is on a canvas, as the browser gives it to a page.
fn canvas_pixels(from: &web_sys::OffscreenCanvas) -> Vec<u8> {
    let copy = canvas();
    let context: web_sys::OffscreenCanvasRenderingContext2d =
        copy.get_context("2d").unwrap().unwrap().unchecked_into();
    context.draw_image_with_offscreen_canvas(from, 0.0, 0.0).unwrap();
    context.get_image_data(0.0, 0.0, f64::from(SIZE[0]), f64::from(SIZE[1])).unwrap().data().0
}

/// The level that the shader computes is the level on the canvas, on all of it, the right way up.
async fn canvas_shows_the_twins_picture(kind: BackendKind) {
    let volume = volume();
    let want = draw_on_cpu(&volume);
    assert!(want.chunks_exact(4).filter(|p| p[0] > 0).count() > 1000, "the picture must show something");
    let (gpu, mut surface, canvas) = gpu(kind).await;
    surface.resize(&gpu, SIZE[0] * 2, SIZE[1]);
    surface.resize(&gpu, SIZE[0], SIZE[1]);
    let mut pass = SlicePass::new(&gpu, surface.format());
    let mut on_gpu = GpuVolume::allocate(&gpu, [22, 23, 30], VoxelFormat::I16).await.unwrap();
    on_gpu.upload_slices(&gpu, &volume.voxels, 0, 0, 30).unwrap();
    let panels = panels(&volume);
    let draws: Vec<_> = panels.iter().map(|panel| (panel, &on_gpu)).collect();
    let frame = surface.frame(&gpu).unwrap();
    pass.draw(&gpu, &frame.view, SIZE, &draws);
    frame.present(&gpu);
    let got = canvas_pixels(&canvas);
    compare_bytes(&format!("{kind:?} canvas"), &TOLERANCE, &got, &want).unwrap();

    // The same through a texture and read-back, as a capture does it.
    let target = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: SIZE[0], height: SIZE[1], depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: surface.format(),
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    pass.draw(&gpu, &target.create_view(&Default::default()), SIZE, &draws);
    let got = read_rgba8(&gpu, &target).await.unwrap();
    compare_bytes(&format!("{kind:?} read-back"), &TOLERANCE, &got, &want).unwrap();
}

#[wasm_bindgen_test]
async fn webgpu_canvas_shows_the_twins_picture() {
    canvas_shows_the_twins_picture(BackendKind::WebGpu).await;
}

#[wasm_bindgen_test]
async fn webgl2_canvas_shows_the_twins_picture() {
    canvas_shows_the_twins_picture(BackendKind::WebGl2).await;
}

#[wasm_bindgen_test]
async fn losing_webgpu_is_noticed() {
    let (gpu, _surface, _canvas) = gpu(BackendKind::WebGpu).await;
    let lost = gpu.lost();
    gpu.lose_for_test();
    assert!(!lost.await.is_empty());
    assert!(gpu.is_lost());
}

#[wasm_bindgen_test]
async fn losing_webgl2_is_noticed() {
    let (gpu, _surface, _canvas) = gpu(BackendKind::WebGl2).await;
    let lost = gpu.lost();
    gpu.lose_for_test();
    assert!(lost.await.contains("WebGL2"));
    assert!(gpu.is_lost());
}

#[wasm_bindgen_test]
async fn a_canvas_in_use_is_refused_not_taken() {
    let canvas = canvas();
    canvas.get_context("2d").unwrap().unwrap();
    for kind in [BackendKind::WebGpu, BackendKind::WebGl2] {
        assert!(take(canvas.clone(), kind).await.is_err());
    }
}
