//! The overlay of the twin against its definition, voxel by voxel, and against itself with one rule broken.

use imaging::volume::Padding;
use imaging::{Volume, Voxels};
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, Interpolation, LengthUnit, Plane, Slab, SlabMode, View};
use scene::{VoiFunction, Window};

use super::check::draw_on_cpu;
use super::{Case, OverlayDraw, PanelDraw, PanelRect, Style, TOLERANCE, cases, cpu};
use crate::compare::compare_bytes;
use crate::labels::Labels;
use crate::volume::ArrivedSlices;

const DIMS: [u32; 3] = [22, 23, 30];
const RECT: PanelRect = PanelRect { x_px: 0, y_px: 0, width_px: 64, height_px: 48 };
const WINDOW: Window = Window { center: 120.0, width: 300.0, function: VoiFunction::Linear };

fn value(x: u32, y: u32, z: u32) -> i16 {
    ((x / 2 * 37 + y / 3 * 91 + z * 53) % 256) as i16
}

fn label(x: u32, y: u32, z: u32) -> u8 {
    // Some at the far end of what a byte holds.
    let label = (x / 3 + y / 2 * 3 + z) % 20;
    if z % 4 == 2 {
        0
    } else if label > 15 {
        (271 - label) as u8
    } else {
        label as u8
    }
}

fn volume(turn: DMat3) -> Volume {
    let spacing = DMat3::from_diagonal(DVec3::new(0.75, 2.5, 7.25));
    let placed = DAffine3::from_mat3_translation(turn * spacing, DVec3::new(-8.0, 11.0, 400.0));
    let grid = Grid::new(DIMS, placed, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let [nx, ny, nz] = DIMS;
    let voxels = (0..nx * ny * nz).map(|i| value(i % nx, i / nx % ny, i / nx / ny)).collect();
    let padding = Some(Padding { low: 200.0, high: 210.0 });
    Volume { padding, ..Volume::new(Voxels::I16(voxels), grid) }
}

fn labels() -> Labels {
    let mut labels = Labels::new(DIMS);
    let [nx, ny, nz] = DIMS;
    for z in (0..nz).filter(|z| z % 4 != 2) {
        labels.replace(z, (0..nx * ny).map(|i| label(i % nx, i / nx, z)).collect()).unwrap();
    }
    labels
}

fn overlay() -> OverlayDraw {
    let mut palette = std::array::from_fn(|i| {
        let i = i as u8;
        [i.wrapping_mul(17), 255 - i.wrapping_mul(13), i.wrapping_mul(7), 255 - i.wrapping_mul(11).min(254)]
    });
    palette[0][3] = 60;
    palette[7][3] = 0;
    let region = Some([[2, 3, 4], [19, 21, 27]]);
    OverlayDraw { lowest: 100.0, highest: 230.0, region, ..OverlayDraw::everything(palette) }
}

/// What the definition says of one voxel: its label, if it is marked.
fn marked(overlay: &OverlayDraw, [x, y, z]: [u32; 3]) -> Option<u8> {
    let stored = value(x, y, z);
    let has_value = z != 11 && !(200..=210).contains(&stored);
    let in_range = (100..=230).contains(&stored);
    let in_box = (2..19).contains(&x) && (3..21).contains(&y) && (4..27).contains(&z);
    let label = label(x, y, z);
    (has_value && in_range && in_box && overlay.palette[usize::from(label)][3] > 0).then_some(label)
}

fn picture(panel: &PanelDraw, volume: &Volume) -> Vec<[u8; 4]> {
    let [w, h] = [panel.rect.width_px, panel.rect.height_px];
    let mut pixels = vec![77; (w * h * 4) as usize];
    let mut picture =
        cpu::Picture { pixels: &mut pixels, width_px: w, height_px: h, stride_bytes: w as usize * 4 };
    let mut arrived = ArrivedSlices::all(DIMS[2]);
    arrived.unmark(11);
    cpu::draw(panel, volume, 0, &arrived, Some(&labels()), &mut picture);
    pixels.as_chunks().0.to_vec()
}

/// Every pixel of `panel` is its grey under the colour of the mark that `mark` finds below it.
fn is_as_defined(panel: &mut PanelDraw, volume: &Volume, mark: impl Fn(usize, usize) -> Option<u8>) {
    let grey = picture(panel, volume);
    panel.overlay = Some(overlay());
    let got = picture(panel, volume);
    let mut coloured = 0;
    for (i, (got, [grey, ..])) in got.iter().zip(grey).enumerate() {
        let mut want = [grey, grey, grey, 255];
        if let Some(label) = mark(i % 64, i / 64) {
            coloured += 1;
            let [colour @ .., alpha] = overlay().palette[usize::from(label)].map(f64::from);
            for (want, colour) in want.iter_mut().zip(colour) {
                let grey = f64::from(grey);
                *want = (grey + (colour - grey) * alpha / 255.0 + 0.5).floor() as u8;
            }
        }
        assert_eq!(*got, want, "pixel {} {}", i % 64, i / 64);
    }
    assert!(coloured > 50, "{coloured} pixels in colour");
}

#[test]
fn planes_show_the_marked_voxels_of_the_definition() {
    for turn in [DMat3::IDENTITY, DMat3::from_rotation_z(0.4) * DMat3::from_rotation_x(0.3)] {
        let volume = volume(turn);
        for plane in [Plane::Axial, Plane::Coronal, Plane::Sagittal] {
            for interpolation in [Interpolation::Nearest, Interpolation::Linear] {
                let mut view = View::fit(plane, &volume.grid, RECT.viewport());
                // Off the voxel centres, where a wrong rounding would show.
                view.centre_world += DVec3::new(0.11, 0.23, 0.37);
                view.world_per_px *= 0.5;
                view.interpolation = interpolation;
                let world = view.world_from_screen(&volume.grid, RECT.viewport());
                let invert = plane == Plane::Sagittal;
                let mut panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, WINDOW, invert);
                is_as_defined(&mut panel, &volume, |x, y| {
                    let at = world.transform_point3(DVec3::new(x as f64 + 0.5, y as f64 + 0.5, 0.0));
                    marked(&overlay(), volume.grid.voxel_at(at)?)
                });
            }
        }
    }
}

#[test]
fn outlines_lie_where_the_mark_changes_within_their_width() {
    let volume = volume(DMat3::from_rotation_z(0.4) * DMat3::from_rotation_x(0.3));
    let mut view = View::fit(Plane::Coronal, &volume.grid, RECT.viewport());
    view.centre_world += DVec3::new(0.11, 0.23, 0.37);
    view.world_per_px *= 0.12;
    let world = view.world_from_screen(&volume.grid, RECT.viewport());
    let mark = |x: i32, y: i32| {
        let at = world.transform_point3(DVec3::new(f64::from(x) + 0.5, f64::from(y) + 0.5, 0.0));
        marked(&overlay(), volume.grid.voxel_at(at)?)
    };
    let mut panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, WINDOW, false);
    let grey = picture(&panel, &volume);
    for (style, width) in
        [(Style::Outline(1), 1), (Style::Both(1), 1), (Style::Outline(3), 3), (Style::Both(2), 2)]
    {
        panel.overlay = Some(OverlayDraw { style, ..overlay() });
        let got = picture(&panel, &volume);
        let (mut edges, mut inner) = (0, 0);
        for (i, (got, grey)) in got.iter().zip(&grey).enumerate() {
            let (x, y) = (i as i32 % 64, i as i32 / 64);
            let Some(label) = mark(x, y) else {
                assert_eq!(got, grey, "{style:?}: unmarked pixel {x} {y}");
                continue;
            };
            let beside = [(-width, 0), (width, 0), (0, -width), (0, width)];
            let edge = beside.iter().any(|(dx, dy)| mark(x + dx, y + dy) != Some(label));
            let [r, g, b, _] = overlay().palette[usize::from(label)];
            match (edge, style) {
                (true, _) => assert_eq!(*got, [r, g, b, 255], "{style:?}: edge {x} {y}"),
                (false, Style::Outline(_)) => assert_eq!(got, grey, "{style:?}: inner {x} {y}"),
                (false, _) => assert_ne!(got, grey, "{style:?}: inner {x} {y}"),
            }
            (edges, inner) = (edges + u32::from(edge), inner + u32::from(!edge));
        }
        assert!(edges > 50 && inner > 20, "{style:?}: {edges} edges, {inner} inner");
    }
}

#[test]
fn slabs_show_the_highest_label_of_the_marked_samples() {
    let volume = volume(DMat3::IDENTITY);
    let mut view = View::fit(Plane::Axial, &volume.grid, RECT.viewport());
    // On slice 12, as thick as seven slices; one of them has not arrived.
    view.centre_world.z = 400.0 + 12.0 * 7.25;
    let world = view.world_from_screen(&volume.grid, RECT.viewport());
    for mode in [SlabMode::Mip, SlabMode::MinIp, SlabMode::Mean] {
        view.slab = Slab { thickness: 6.0 * 7.25, mode };
        let mut panel = PanelDraw::of_view(&view, &volume.grid, &volume, RECT, WINDOW, false);
        is_as_defined(&mut panel, &volume, |x, y| {
            let at = world.transform_point3(DVec3::new(x as f64 + 0.5, y as f64 + 0.5, 0.0));
            let [x, y, _] = volume.grid.voxel_at(at)?;
            (9..=15).filter_map(|z| marked(&overlay(), [x, y, z])).max()
        });
    }
}

/// Slices as they are, or 0 throughout, each label changed.
fn relabelled(labels: &Labels, change: impl Fn(u8) -> u8) -> Labels {
    let dims = labels.dims();
    let mut changed = Labels::new(dims);
    for z in 0..dims[2] {
        let length = dims[0] as usize * dims[1] as usize;
        let slice = labels.slice(z).map_or_else(|| vec![0; length], <[u8]>::to_vec);
        changed.replace(z, slice.into_iter().map(&change).collect()).unwrap();
    }
    changed
}

fn each_overlay(case: &mut Case, change: impl Fn(&mut OverlayDraw)) {
    case.panels.iter_mut().filter_map(|panel| panel.overlay.as_mut()).for_each(change);
}

/// A rule that is broken, and what a backend that breaks it has been told in effect.
type Fault = (&'static str, fn(&mut Case));

/// A backend that breaks one rule would draw these cases as somebody else who was told something else.
#[test]
fn every_broken_rule_of_the_overlay_is_noticed_by_a_case() {
    let broken: [Fault; 13] = [
        ("outlines are filled", |case| each_overlay(case, |o| o.style = Style::Fill)),
        ("outlines are a pixel wider", |case| {
            each_overlay(case, |o| {
                o.style = match o.style {
                    Style::Fill => Style::Fill,
                    Style::Outline(px) => Style::Outline(px + 1),
                    Style::Both(px) => Style::Both(px + 1),
                };
            });
        }),
        ("the inside of outlines is filled", |case| {
            each_overlay(case, |o| {
                if let Style::Outline(px) = o.style {
                    o.style = Style::Both(px);
                }
            });
        }),
        ("the box is ignored", |case| each_overlay(case, |o| o.region = None)),
        ("the box has one voxel more at its end", |case| {
            each_overlay(case, |o| {
                o.region.iter_mut().for_each(|[_, to]| *to = to.map(|n| n.saturating_add(1)))
            });
        }),
        ("the box has one voxel less at its beginning", |case| {
            each_overlay(case, |o| o.region.iter_mut().for_each(|[from, _]| *from = from.map(|n| n + 1)));
        }),
        ("the lowest value is left out", |case| each_overlay(case, |o| o.lowest = o.lowest.next_up())),
        ("the highest value is left out", |case| each_overlay(case, |o| o.highest = o.highest.next_down())),
        ("labels are ignored", |case| case.labels = None),
        ("labels above 15 begin at 0 again", |case| {
            case.labels = case.labels.as_ref().map(|labels| relabelled(labels, |label| label & 15));
        }),
        ("labels without alpha are marked", |case| {
            each_overlay(case, |o| o.palette.iter_mut().for_each(|colour| colour[3] = colour[3].max(1)));
        }),
        ("alpha is ignored", |case| {
            each_overlay(case, |o| {
                o.palette.iter_mut().filter(|colour| colour[3] > 0).for_each(|colour| colour[3] = 255);
            });
        }),
        ("the lowest label decides", |case| {
            let dims = case.volume.grid.dims();
            let labels = case.labels.take().unwrap_or_else(|| Labels::new(dims));
            case.labels = Some(relabelled(&labels, |label| u8::MAX - label));
            each_overlay(case, |o| o.palette.reverse());
        }),
    ];
    let overlays = || cases().into_iter().filter(|case| case.panels.iter().any(|p| p.overlay.is_some()));
    assert!(overlays().count() >= 50, "{}", overlays().count());
    for (what, break_rule) in broken {
        let noticed = overlays().filter(|case| {
            let mut broken = case.clone();
            break_rule(&mut broken);
            compare_bytes(&case.name, &TOLERANCE, &draw_on_cpu(&broken), &draw_on_cpu(case)).is_err()
        });
        assert!(noticed.count() > 0, "no case notices that {what}");
    }
}
