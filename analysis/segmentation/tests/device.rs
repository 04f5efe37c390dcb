//! An image prepared on a GPU (here a software adapter) is the image that the host prepares, and gives the same labels.
#![cfg(all(feature = "models", not(target_arch = "wasm32")))]
#![allow(clippy::unwrap_used, clippy::panic)] // Clippy sees only functions marked as tests.

use std::ops::ControlFlow;

use contract::models::{Alignment, Fit, Geometry, Input, Intensity, Interpolation, Layout, Model, Size};
use imaging::limits::Limits;
use imaging::volume::{Padding, Rescale};
use imaging::{Volume, Voxels, disk, read_study};
use inference::exec::{Exec, HostOnly, Session};
use inference::gpu::{Gpu, GpuExec};
use inference::{Data, Tensor};
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};
use segmentation::prepare::{self, Prepared};
use segmentation::run;

/// Of the largest number of a tensor: floats on the way, where the host has doubles.
const RELATIVE: f32 = 1e-5;

/// A machine without an adapter says so loudly; on CI that is a failure.
fn exec() -> Option<GpuExec> {
    match pollster::block_on(Gpu::request()) {
        Ok(gpu) => Some(GpuExec::new(gpu, true)),
        Err(error) => {
            let hint = "install a Vulkan driver (Debian: mesa-vulkan-drivers)";
            assert!(std::env::var("CI").as_deref() != Ok("true"), "{error}; {hint}");
            eprintln!("\n*** NOT TESTED: {error}; {hint} ***\n");
            None
        }
    }
}

fn oblique(dims: [u32; 3], angle: f64) -> Grid {
    let turned = DMat3::from_axis_angle(DVec3::new(1.0, -2.0, 0.5).normalize(), angle);
    let matrix = turned * DMat3::from_diagonal(DVec3::new(0.75, 1.25, 2.5));
    let affine = DAffine3::from_mat3_translation(matrix, DVec3::new(-20.0, 15.0, 40.0));
    Grid::new(dims, affine, LengthUnit::Millimetre, Frame::Patient).unwrap()
}

/// Something like a scan: a bright ball with stripes in it, in air; from 0 to `most`.
fn scan(grid: &Grid, most: f64) -> impl Iterator<Item = f64> {
    let [nx, ny, nz] = grid.dims().map(f64::from);
    let [columns, rows, slices] = grid.dims();
    let half = DVec3::new(nx, ny, nz) * 0.5;
    (0..columns * rows * slices).map(move |i| {
        let at = DVec3::from([i % columns, i / columns % rows, i / (columns * rows)].map(f64::from));
        let off = (at - half) / half;
        let ball =
            if off.length() < 0.8 { 0.6 + 0.3 * (at.x * 0.9).sin() * (at.y * 0.4).cos() } else { 0.02 };
        most * (ball + 0.05 * ((i * 7919) % 997) as f64 / 997.0)
    })
}

fn input(orientation: &str, spacing_mm: Option<[f64; 3]>, size: Size, intensity: Vec<Intensity>) -> Input {
    Input {
        name: "input".into(),
        layout: Layout::Ncdhw,
        channels: 1,
        geometry: Geometry {
            orientation: orientation.into(),
            alignment: Alignment::Patient,
            spacing_mm,
            size,
            fit: Fit::PadOrCrop,
            interpolation: Interpolation::Linear,
            crop_above: None,
            crop_margin: 0.0,
        },
        intensity,
    }
}

const ROOM: u64 = 1 << 30;

fn there(exec: &mut GpuExec, budget: u64, host: &Prepared, volume: &Volume, input: &Input) -> Option<Tensor> {
    let made = prepare::prepare_there(exec, budget, &host.grid, volume, 0, input);
    let (value, shape) = pollster::block_on(made).unwrap()?;
    assert_eq!(shape, host.shape);
    Some(pollster::block_on(exec.download(&value)).unwrap())
}

/// The largest difference, as a part of the largest number.
fn difference(got: &Tensor, want: &Prepared) -> f32 {
    assert_eq!(got.shape(), want.shape);
    let Data::F32(got) = got.data() else { panic!("{:?}", got.data().dtype()) };
    let largest = want.tensor.iter().map(|v| v.abs()).fold(f32::MIN_POSITIVE, f32::max);
    got.iter().zip(&want.tensor).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max) / largest
}

#[test]
fn a_gpu_prepares_what_the_host_prepares() {
    let Some(mut exec) = exec() else { return };
    let range = |low, high, clip| Intensity::Range { low, high, clip };
    let z_score = Intensity::ZScore { mean: None, sd: None };
    let steps: [Vec<Intensity>; 7] = [
        vec![],
        vec![range(None, None, false)],
        vec![range(Some(-100.0), Some(700.0), true), Intensity::Linear { scale: 2.0, offset: -1.0 }],
        vec![z_score],
        vec![Intensity::ZScore { mean: Some(300.0), sd: None }],
        // As deepbet does.
        vec![
            Intensity::Quantile { low: 0.005, high: 0.995, clip: true },
            z_score,
            Intensity::Linear { scale: 0.226, offset: 0.449 },
        ],
        vec![range(None, Some(500.0), true), z_score],
    ];
    let grids = [
        ("RAS", Some([1.1; 3]), Size::MultipleOf([4, 2, 8])),
        ("PIR", Some([0.9, 2.2, 1.3]), Size::Fixed([40, 24, 33])),
        ("", None, Size::MultipleOf([1; 3])),
    ];
    let mut worst: f32 = 0.0;
    for angle in [0.0, 0.4, 2.2] {
        let source = oblique([31, 26, 15], angle);
        let of = |most| scan(&source, most);
        for (name, voxels, rescale, padding) in [
            ("CT", Voxels::I16(of(2000.0).map(|v| v as i16 - 1024).collect()), (1.0, 0.0), Some(-1024.0)),
            ("unsigned", Voxels::U16(of(40_000.0).map(|v| v as u16).collect()), (0.05, -1024.0), None),
            ("inverted", Voxels::I16(of(900.0).map(|v| v as i16).collect()), (-1.5, 1000.0), None),
            ("floats", Voxels::F32(of(800.0).map(|v| v as f32).collect()), (1.0, 0.0), Some(500.0)),
        ] {
            let mut volume = Volume::new(voxels, source.clone());
            volume.rescale = Rescale { slope: rescale.0, intercept: rescale.1 };
            volume.padding = padding.map(|low| Padding { low, high: low + 30.0 });
            for (letters, spacing, size) in grids {
                for steps in &steps {
                    let mut input = input(letters, spacing, size, steps.clone());
                    for interpolation in [Interpolation::Linear, Interpolation::Nearest] {
                        input.geometry.interpolation = interpolation;
                        let want = prepare::prepare(&volume, 0, &input).unwrap();
                        let got = there(&mut exec, ROOM, &want, &volume, &input).unwrap();
                        let off = difference(&got, &want);
                        assert!(off <= RELATIVE, "{name} turned by {angle} on {letters:?}, {input:?}: {off}");
                        worst = worst.max(off);
                    }
                }
            }
        }
    }
    println!("largest difference {worst:e} of the largest number");
}

#[test]
fn a_planted_step_is_a_difference_and_what_has_no_room_stays_on_the_host() {
    let Some(mut exec) = exec() else { return };
    let source = oblique([31, 26, 15], 0.4);
    let volume = Volume::new(Voxels::I16(scan(&source, 900.0).map(|v| v as i16).collect()), source);
    let range = |high| vec![Intensity::Range { low: None, high: Some(high), clip: false }];
    let plain = input("LPS", Some([1.2; 3]), Size::MultipleOf([1; 3]), range(500.0));
    let want = prepare::prepare(&volume, 0, &plain).unwrap();
    let got = there(&mut exec, ROOM, &want, &volume, &Input { intensity: range(500.1), ..plain.clone() });
    assert!(difference(&got.unwrap(), &want) > RELATIVE, "a five thousandth is seen");
    // Half a thousandth of a voxel is seen too.
    let mut aside = want.clone();
    let mut world = aside.grid.world_from_voxel();
    world.translation += DVec3::splat(5e-4);
    aside.grid = Grid::new(aside.grid.dims(), world, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let got = there(&mut exec, ROOM, &aside, &volume, &plain);
    assert!(difference(&got.unwrap(), &want) > RELATIVE);
    let needed = (31 * 26 * 15 * 2 + 8 * want.samples()) as u64;
    assert!(there(&mut exec, needed, &want, &volume, &plain).is_some());
    assert!(there(&mut exec, needed - 1, &want, &volume, &plain).is_none());
    let mut no_device = HostOnly;
    let host = prepare::prepare_there(&mut no_device, ROOM, &want.grid, &volume, 0, &plain);
    assert!(pollster::block_on(host).unwrap().is_none());
}

#[test]
fn labels_are_those_of_the_host_to_999_voxels_of_a_thousand() {
    let Some(exec) = exec() else { return };
    let Some(path) = testbed::reference("data/models/meshnet-model5_gw_ae.onnx") else { return };
    let Some(head) = testbed::reference("data/volumes/brainchop/t1_crop.nii.gz") else { return };
    let graph = run::load(&std::fs::read(path).unwrap()).unwrap();
    let mut study = read_study(disk::files_under(&[head]).unwrap(), &Limits::default());
    let mut volume = study.volume(0).unwrap();
    // As if the head had lain askew: the patient's axes are not the image's.
    let about = volume.grid.centre_world();
    let turn = DAffine3::from_translation(about)
        * DAffine3::from_axis_angle(DVec3::new(1.0, -2.0, 0.5).normalize(), 0.2)
        * DAffine3::from_translation(-about);
    let world = turn * volume.grid.world_from_voxel();
    volume.grid = Grid::new(volume.grid.dims(), world, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let mut model = Model::bare("a.onnx", 0);
    run::complete(&mut model, &graph, &volume).unwrap();
    let range = vec![Intensity::Range { low: None, high: None, clip: false }];
    model.input = Input {
        name: model.input.name.clone(),
        ..input("LIA", Some([1.0; 3]), Size::Fixed([72, 64, 60]), range)
    };
    let go = |_| ControlFlow::Continue(());
    let mut on_host = Session::new(graph.clone(), HostOnly, ROOM);
    let want = pollster::block_on(run::segment(&mut on_host, &volume, 0, &model, go)).unwrap().voxels;
    let mut on_gpu = Session::new(graph, exec, ROOM);
    let got = pollster::block_on(run::segment(&mut on_gpu, &volume, 0, &model, go)).unwrap().voxels;
    let equal = got.iter().zip(&want).filter(|(a, b)| a == b).count();
    let outside = want.iter().filter(|label| **label == 0).count();
    let classes: std::collections::BTreeSet<u8> = want.iter().copied().collect();
    println!("{equal} of {} labels are equal, {outside} are background; classes {classes:?}", want.len());
    assert_eq!(got.len(), want.len());
    assert!(classes.len() > 1, "a map of one label proves nothing");
    // Of those that either has: most of the image lies outside of the model's samples.
    let differing = want.len() - equal;
    assert!(differing * 1000 <= want.len() - outside, "{differing} labels differ");
}
