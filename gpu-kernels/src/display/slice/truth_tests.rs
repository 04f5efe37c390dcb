//! The twin against known answers: values worked out here from `scene` and `imaging` alone, voxel by voxel.

use imaging::volume::{Padding, Rescale};
use imaging::{Volume, Voxels};
use scene::{
    DAffine3, DMat3, DVec3, Frame, Grid, Interpolation, LengthUnit, Plane, Slab, SlabMode, View, VoiFunction,
    Window,
};

use super::cpu::{Picture, draw};
use super::{GreyMap, PanelDraw, PanelRect, cases, check::draw_on_cpu};
use crate::volume::ArrivedSlices;

const DIMS: [u32; 3] = [22, 23, 30];
const RECT: PanelRect = PanelRect { x_px: 0, y_px: 0, width_px: 64, height_px: 48 };
/// Grey level = value for values 0..=255.
const IDENTITY: Window = Window { center: 127.5, width: 255.0, function: VoiFunction::LinearExact };

fn grey_picture(panel: &PanelDraw, volume: &Volume, arrived: &ArrivedSlices) -> Vec<u8> {
    let [w, h] = [panel.rect.width_px, panel.rect.height_px];
    let mut pixels = vec![77; (w * h * 4) as usize];
    let mut picture =
        Picture { pixels: &mut pixels, width_px: w, height_px: h, stride_bytes: w as usize * 4 };
    draw(panel, volume, 0, arrived, None, &mut picture);
    assert!(pixels.chunks_exact(4).all(|p| p[0] == p[1] && p[1] == p[2] && p[3] == 255));
    pixels.chunks_exact(4).map(|p| p[0]).collect()
}

fn volume(value: impl Fn(u32, u32, u32) -> i16, turn: DMat3) -> Volume {
    let spacing = DMat3::from_diagonal(DVec3::new(0.75, 2.5, 7.25));
    let placed = DAffine3::from_mat3_translation(turn * spacing, DVec3::new(-8.0, 11.0, 400.0));
    let grid = Grid::new(DIMS, placed, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let mut voxels = Vec::new();
    for z in 0..DIMS[2] {
        for y in 0..DIMS[1] {
            for x in 0..DIMS[0] {
                voxels.push(value(x, y, z));
            }
        }
    }
    Volume::new(Voxels::I16(voxels), grid)
}

fn view_of(volume: &Volume, plane: Plane) -> View {
    let mut view = View::fit(plane, &volume.grid, RECT.viewport());
    // Off the voxel centres, where a wrong rounding would show.
    view.centre_world += DVec3::new(0.11, 0.23, 0.37);
    view
}

fn turned() -> DMat3 {
    DMat3::from_rotation_z(0.4) * DMat3::from_rotation_x(0.3)
}

#[test]
fn a_ramp_is_drawn_as_the_ramp_in_every_plane() {
    // Trilinear interpolation gives a linear function back exactly; each axis has its own slope.
    let ramp = |x: f64, y: f64, z: f64| 10.0 + 3.0 * x + 2.0 * y + 4.0 * z;
    for turn in [DMat3::IDENTITY, turned()] {
        let volume = volume(|x, y, z| ramp(f64::from(x), f64::from(y), f64::from(z)) as i16, turn);
        for plane in [Plane::Axial, Plane::Coronal, Plane::Sagittal, Plane::Acquisition] {
            let view = view_of(&volume, plane);
            let panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, IDENTITY, false);
            let got = grey_picture(&panel, &volume, &ArrivedSlices::all(DIMS[2]));
            let world = view.world_from_screen(&volume.grid, RECT.viewport());
            let mut inside = 0;
            for (i, grey) in got.iter().enumerate() {
                let (x, y) = (i % 64, i / 64);
                let at = world.transform_point3(DVec3::new(x as f64 + 0.5, y as f64 + 0.5, 0.0));
                let v = volume.grid.voxel_from_world().transform_point3(at);
                let last = DVec3::new(21.0, 22.0, 29.0);
                let want = if volume.grid.voxel_at(at).is_some() {
                    inside += 1;
                    let v = v.clamp(DVec3::ZERO, last);
                    (ramp(v.x, v.y, v.z).min(255.0) + 0.5).floor()
                } else {
                    0.0
                };
                assert!(
                    (f64::from(*grey) - want).abs() <= 1.0,
                    "{plane:?} pixel {x} {y}: {grey}, want {want}"
                );
            }
            assert!(inside > 150, "{plane:?} shows {inside} pixels of the volume");
        }
    }
}

#[test]
fn nearest_shows_the_voxel_under_the_pixel() {
    let value = |x: u32, y: u32, z: u32| ((x * 7 + y * 31 + z * 3) % 256) as i16;
    let volume = volume(value, turned());
    let mut view = view_of(&volume, Plane::Sagittal);
    view.interpolation = Interpolation::Nearest;
    let panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, IDENTITY, false);
    let got = grey_picture(&panel, &volume, &ArrivedSlices::all(DIMS[2]));
    let world = view.world_from_screen(&volume.grid, RECT.viewport());
    for (i, grey) in got.iter().enumerate() {
        let at = world.transform_point3(DVec3::new((i % 64) as f64 + 0.5, (i / 64) as f64 + 0.5, 0.0));
        let want = volume.grid.voxel_at(at).map_or(0, |[x, y, z]| value(x, y, z));
        assert_eq!(i16::from(*grey), want, "pixel {i}");
    }
}

#[test]
fn slabs_are_maximum_minimum_and_mean_of_the_images() {
    let value = |x: u32, y: u32, z: u32| ((x * 7 + y * 31 + z * 53) % 256) as i16;
    let volume = volume(value, DMat3::IDENTITY);
    let mut view = View::fit(Plane::Axial, &volume.grid, RECT.viewport());
    view.interpolation = Interpolation::Nearest;
    // On slice 10, as thick as five slices.
    view.centre_world.z = 400.0 + 10.0 * 7.25;
    for mode in [SlabMode::Mip, SlabMode::MinIp, SlabMode::Mean] {
        view.slab = Slab { thickness: 4.0 * 7.25, mode };
        let panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, IDENTITY, false);
        let got = grey_picture(&panel, &volume, &ArrivedSlices::all(DIMS[2]));
        let world = view.world_from_screen(&volume.grid, RECT.viewport());
        for (i, grey) in got.iter().enumerate() {
            let at = world.transform_point3(DVec3::new((i % 64) as f64 + 0.5, (i / 64) as f64 + 0.5, 0.0));
            let Some([x, y, _]) = volume.grid.voxel_at(at) else { continue };
            let images = (8..=12).map(|z| f64::from(value(x, y, z)));
            let want = match mode {
                SlabMode::Mip => images.fold(f64::MIN, f64::max),
                SlabMode::MinIp => images.fold(f64::MAX, f64::min),
                SlabMode::Mean => (images.sum::<f64>() / 5.0 + 0.5).floor(),
            };
            assert_eq!(f64::from(*grey), want, "{mode:?} pixel {i}");
        }
    }
}

#[test]
fn padding_is_black_and_never_blended() {
    // Two halves: padding of 0 and tissue of 200. Blending would darken the border.
    let mut volume = volume(|x, _, _| if x < 11 { 0 } else { 200 }, DMat3::IDENTITY);
    volume.padding = Some(Padding { low: 0.0, high: 0.0 });
    let mut view = view_of(&volume, Plane::Axial);
    view.world_per_px *= 0.2;
    let panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, IDENTITY, false);
    let got = grey_picture(&panel, &volume, &ArrivedSlices::all(DIMS[2]));
    assert!(got.iter().all(|grey| *grey == 0 || *grey == 200));
    assert!(got.contains(&0) && got.contains(&200));
    // Without the padding rule the border is blended: the test can fail.
    volume.padding = None;
    let panel = PanelDraw { padding: None, ..panel };
    let blended = grey_picture(&panel, &volume, &ArrivedSlices::all(DIMS[2]));
    assert!(blended.iter().any(|grey| (1..200).contains(grey)));
}

#[test]
fn inversion_rescale_and_window_act_on_values() {
    let volume = volume(|_, _, _| 100, DMat3::IDENTITY);
    let view = View::fit(Plane::Axial, &volume.grid, RECT.viewport());
    let mut panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, IDENTITY, true);
    panel.rescale = Rescale { slope: 2.0, intercept: -150.0 };
    let got = grey_picture(&panel, &volume, &ArrivedSlices::all(DIMS[2]));
    assert_eq!(got[24 * 64 + 32], 255 - 50);
    // PS3.3 C.11.2.1.2.1: c = 40, w = 400 at 50: ((50 - 39.5) / 399 + 0.5) * 255 = 134.2
    let ct = Window { center: 40.0, width: 400.0, function: VoiFunction::Linear };
    panel.grey = GreyMap::Window(ct);
    assert_eq!(grey_picture(&panel, &volume, &ArrivedSlices::all(DIMS[2]))[24 * 64 + 32], 255 - 134);
    // MONOCHROME1 and the reader's inversion cancel.
    let mono = Volume { monochrome1: true, ..volume };
    assert!(!PanelDraw::of_view(&view, &mono.grid, &mono, RECT, ct, true).invert);
}

#[test]
fn far_and_finely_zoomed_positions_keep_their_digits() {
    // A picture of 4,000 columns at 1000 pixels per voxel: f32 would place the edge 0.1 to 0.2 pixels off, and
    // a volume far from the origin of the world more.
    let placed = DAffine3::from_translation(DVec3::new(1e6, -2e6, 3e6));
    let grid = Grid::new([4000, 1, 1], placed, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let voxels = (0..4000).map(|x| if x < 3500 { 10 } else { 240 }).collect();
    let volume = Volume::new(Voxels::I16(voxels), grid);
    let mut view = View::fit(Plane::Axial, &volume.grid, RECT.viewport());
    view.interpolation = Interpolation::Nearest;
    view.world_per_px = 1e-3;
    // The edge between voxels 3499 and 3500, in the middle of the panel; half a pixel to its right is bright.
    view.centre_world = DVec3::new(1e6 + 3499.5, -2e6, 3e6);
    let panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, IDENTITY, false);
    let got = grey_picture(&panel, &volume, &ArrivedSlices::all(1));
    assert_eq!((got[24 * 64 + 31], got[24 * 64 + 32]), (10, 240));
}

#[test]
fn slices_that_have_not_arrived_are_black() {
    let volume = volume(|_, _, _| 200, DMat3::IDENTITY);
    let view = View::fit(Plane::Coronal, &volume.grid, RECT.viewport());
    let panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, IDENTITY, false);
    let mut arrived = ArrivedSlices::none(DIMS[2]);
    assert!(grey_picture(&panel, &volume, &arrived).iter().all(|grey| *grey == 0));
    arrived.mark(29);
    let some = grey_picture(&panel, &volume, &arrived);
    let lit = some.iter().filter(|grey| **grey == 200).count();
    let all = grey_picture(&panel, &volume, &ArrivedSlices::all(30)).iter().filter(|g| **g == 200).count();
    assert!(lit > 0 && lit * 15 < all, "{lit} of {all}");
    // Superior is up: slice 29 is at the top.
    assert!(some[..64 * 4].contains(&200) && !some[64 * 8..].contains(&200));
}

/// Cases that show nothing, or nothing but black, prove nothing.
#[test]
fn every_case_shows_something() {
    let all = cases();
    assert!(all.len() >= 60, "{} cases", all.len());
    let empty =
        ["outside the target", "beside the volume", "beyond the last", "cannot be inverted", "to nothing"];
    for case in &all {
        let picture = draw_on_cpu(case);
        let bright = picture.chunks_exact(4).filter(|p| p[3] == 255 && p[..3] != [0, 0, 0]).count();
        let shall_be_empty = empty.iter().any(|part| case.name.contains(part));
        assert_eq!(bright == 0, shall_be_empty, "{}: {bright} bright pixels", case.name);
        let unwritten = picture.chunks_exact(4).filter(|p| p[3] == 7).count();
        assert!(unwritten > 0 || case.panels[0].rect.x_px == 0, "{}", case.name);
    }
}
