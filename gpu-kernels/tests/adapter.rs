//! Every case of every kernel on a real (software) adapter against its twin.
#![cfg(not(target_arch = "wasm32"))]
// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used)]

use gpu_kernels::display::slice::{COLOURS, OverlayDraw, PanelDraw, PanelRect, SlicePass, cpu};
use gpu_kernels::kernels::{ALL, Extent};
use gpu_kernels::{
    ArrivedSlices, BackendKind, Gpu, GpuVolume, Labels, VolumeError, VoxelFormat, read_rgba8, self_check,
    wgpu,
};
use imaging::{Volume, Voxels};
use scene::{
    DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit, Plane, Slab, SlabMode, View, VoiFunction, Window,
};

/// A machine without an adapter says so loudly; on CI that is a failure.
fn gpu() -> Option<Gpu> {
    match pollster::block_on(Gpu::headless()) {
        Ok(gpu) => Some(gpu),
        Err(error) => {
            let hint = "install a Vulkan driver (Debian: mesa-vulkan-drivers)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{error}; {hint}");
            eprintln!("\n*** NOT TESTED: {error}; {hint} ***\n");
            None
        }
    }
}

#[test]
fn every_case_equals_its_twin() {
    let Some(gpu) = gpu() else { return };
    println!("adapter: {} (software: {})", gpu.adapter_name(), gpu.is_software());
    let mut failures = Vec::new();
    for kernel in ALL {
        let outcomes = pollster::block_on((kernel.check)(&gpu, Extent::All));
        assert!(outcomes.len() >= 10, "{} has only {} cases", kernel.name, outcomes.len());
        let mut worst: f64 = 0.0;
        for outcome in &outcomes {
            match &outcome.result {
                Ok(difference) => worst = worst.max(*difference),
                Err(detail) => failures.push(format!("{}: {detail}", kernel.name)),
            }
        }
        println!("{}: {} cases, largest difference {worst}", kernel.name, outcomes.len());
    }
    assert!(failures.is_empty(), "{} failed:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn the_self_check_passes_and_names_every_kernel() {
    let Some(gpu) = gpu() else { return };
    assert_eq!(gpu.kind(), BackendKind::Vulkan);
    let start = std::time::Instant::now();
    let rows = pollster::block_on(self_check(&gpu));
    println!("self-check: {} rows in {:?}", rows.len(), start.elapsed());
    for kernel in ALL {
        assert!(rows.iter().any(|row| row.kernel == kernel.name));
    }
    let failed: Vec<_> = rows.iter().filter(|row| !row.passed).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn a_lost_device_is_noticed() {
    let Some(gpu) = gpu() else { return };
    let lost = gpu.lost();
    assert!(!gpu.is_lost());
    gpu.lose_for_test();
    let why = pollster::block_on(lost);
    assert!(gpu.is_lost() && why.contains("Destroyed"), "{why}");
}

#[test]
fn wrong_uploads_are_refused() {
    let Some(gpu) = gpu() else { return };
    let mut volume = pollster::block_on(GpuVolume::allocate(&gpu, [4, 3, 2], VoxelFormat::I16)).unwrap();
    let voxels = Voxels::I16(vec![0; 24]);
    assert!(matches!(
        volume.upload_slices(&gpu, &Voxels::U16(vec![0; 24]), 0, 0, 1),
        Err(VolumeError::WrongFormat { .. })
    ));
    assert!(matches!(volume.upload_slices(&gpu, &voxels, 0, 1, 2), Err(VolumeError::OutOfRange { .. })));
    assert!(matches!(volume.upload_slices(&gpu, &voxels, 1, 0, 1), Err(VolumeError::OutOfRange { .. })));
    assert!(!volume.arrived().contains(0));
    assert_eq!(volume.upload_slices(&gpu, &voxels, 0, 0, 2), Ok(()));
    assert!(volume.arrived().is_complete());
    let too_large = pollster::block_on(GpuVolume::allocate(&gpu, [100_000, 100_000, 3], VoxelFormat::I16));
    assert!(matches!(too_large, Err(VolumeError::TooLarge { value: 30_000_000_000, .. })));
}

const DIMS: [u32; 3] = [12, 10, 6];
const RECT: PanelRect = PanelRect { x_px: 0, y_px: 0, width_px: 64, height_px: 48 };

fn labelled_panel() -> (Volume, PanelDraw) {
    let placed = DAffine3::from_mat3(DMat3::from_diagonal(DVec3::new(1.0, 1.5, 2.0)));
    let grid = Grid::new(DIMS, placed, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let voxels = (0..DIMS.iter().product::<u32>()).map(|i| (i * 7919 % 1000) as i16).collect();
    let volume = Volume::new(Voxels::I16(voxels), grid);
    let mut view = View::fit(Plane::Coronal, &volume.grid, RECT.viewport());
    view.slab = Slab { thickness: 1e9, mode: SlabMode::Mip };
    let window = Window { center: 500.0, width: 1000.0, function: VoiFunction::Linear };
    let mut panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, window, false);
    let palette =
        std::array::from_fn(|label| [200, (10 * label) as u8, 90, if label == 0 { 0 } else { 200 }]);
    assert_eq!(palette.len(), COLOURS);
    panel.overlay = Some(OverlayDraw::everything(palette));
    (volume, panel)
}

/// After each change only the slices that differ are copied, and the picture is the twin's.
#[test]
fn labels_follow_their_changes() {
    let Some(gpu) = gpu() else { return };
    let (volume, panel) = labelled_panel();
    let mut on_gpu = pollster::block_on(GpuVolume::allocate(&gpu, DIMS, VoxelFormat::I16)).unwrap();
    on_gpu.upload_slices(&gpu, &volume.voxels, 0, 0, DIMS[2]).unwrap();
    let target = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: None,
        size: wgpu::Extent3d { width: 64, height: 48, depth_or_array_layers: 1 },
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::Rgba8Unorm,
        usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
        view_formats: &[],
    });
    let mut pass = SlicePass::new(&gpu, wgpu::TextureFormat::Rgba8Unorm);
    let mut before: Option<Vec<u8>> = None;
    let mut look = |labels: Option<&Labels>, copied: u32, changed: bool| {
        assert_eq!(pollster::block_on(on_gpu.upload_labels(&gpu, labels)), Ok(copied));
        pass.draw(&gpu, &target.create_view(&Default::default()), [64, 48], &[(&panel, &on_gpu)]);
        let got = pollster::block_on(read_rgba8(&gpu, &target)).unwrap();
        let mut want = vec![0; 64 * 48 * 4];
        let mut picture =
            cpu::Picture { pixels: &mut want, width_px: 64, height_px: 48, stride_bytes: 64 * 4 };
        cpu::clear(&mut picture);
        cpu::draw(&panel, &volume, 0, &ArrivedSlices::all(DIMS[2]), labels, &mut picture);
        let worst = got.iter().zip(&want).map(|(a, b)| a.abs_diff(*b)).max();
        assert!(worst <= Some(1), "{worst:?}");
        assert_eq!(before.replace(got.clone()).is_some_and(|before| before != got), changed);
    };
    let slice = |label: u8| vec![label; (DIMS[0] * DIMS[1]) as usize].into_boxed_slice();
    look(None, 0, false);
    let mut labels = Labels::new(DIMS);
    look(Some(&labels), 0, false);
    for z in 0..4 {
        labels.replace(z, slice(z as u8)).unwrap();
    }
    look(Some(&labels), 4, true);
    look(Some(&labels), 0, false);
    labels.replace(2, slice(9)).unwrap();
    look(Some(&labels), 1, true);
    labels.clear(2);
    look(Some(&labels), 1, true);
    // Others in their place: what both have not stays.
    let mut others = Labels::new(DIMS);
    others.replace(5, slice(3)).unwrap();
    look(Some(&others), 4, true);
    look(None, 0, true);
    let found = [12, 10, 7];
    let refused = pollster::block_on(on_gpu.upload_labels(&gpu, Some(&Labels::new(found))));
    assert_eq!(refused, Err(VolumeError::WrongLabels { expected: DIMS, found }));
}
