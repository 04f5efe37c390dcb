//! Pictures with an overlay.
//!
//! Values come in steps, so that the ends of every range are met by many voxels, and labels change every few
//! voxels, some of them above the last colour; a test breaks each rule in turn and sees a case notice.

use imaging::volume::{Padding, Rescale};
use imaging::{Volume, Voxels};
use scene::{DAffine3, DMat3, DVec3, Grid, GridError, Interpolation, Plane, Slab, SlabMode};

use super::super::overlay::{COLOURS, OverlayDraw, Style};
use super::{Case, DIMS, List, each_voxel, grid, pattern, turned};
use crate::labels::Labels;
use crate::volume::ArrivedSlices;

/// The smallest and the largest stored value that is marked: both occur.
const RANGE: [f32; 2] = [-64.0, 320.0];
const BOX: [[u32; 3]; 2] = [[3, 4, 5], [18, 20, 24]];

/// The pattern in steps of 32.
fn steps(x: u32, y: u32, z: u32) -> i16 {
    pattern(x, y, z) >> 5 << 5
}

fn palette() -> [[u8; 4]; COLOURS] {
    let mut palette = std::array::from_fn(|label| {
        let level = label as u8;
        let far = level.wrapping_mul(16);
        [255 - far, far ^ 0x5a, level.wrapping_mul(7), 255 - level.wrapping_mul(9).min(254)]
    });
    palette[0] = [255, 255, 255, 77];
    // Both ends of alpha.
    palette[2][3] = 255;
    palette[3][3] = 0;
    palette[5][3] = 1;
    palette
}

fn overlay() -> OverlayDraw {
    let [lowest, highest] = RANGE;
    OverlayDraw { lowest, highest, region: Some(BOX), palette: Box::new(palette()), style: Style::Fill }
}

/// Every third slice has none.
fn labels(dims: [u32; 3]) -> Labels {
    let mut labels = Labels::new(dims);
    let [columns, rows, slices] = dims;
    for z in (0..slices).filter(|z| z % 3 != 1) {
        let slice = each_voxel([columns, rows, 1], |x, y, _| {
            let label = (x / 2 + y / 3 * 5 + z * 3) % 23;
            // Neighbours, and the far end of what a byte holds.
            if label > 17 { 273 - label } else { label }.min(255) as u8
        });
        // Refused only where the length is wrong; then the cases that need labels notice.
        let _ = labels.replace(z, slice.into());
    }
    labels
}

fn stepped(turn: DMat3) -> Result<Volume, GridError> {
    Ok(Volume::new(Voxels::I16(each_voxel(DIMS, steps)), grid(DIMS, turn, DVec3::new(-8.0, 11.0, 400.0))?))
}

pub(super) fn add(list: &mut List) -> Result<(), GridError> {
    planes(list)?;
    slabs(list)?;
    formats(list)?;
    masks(list)?;
    extremes(list)
}

fn labelled(case: &mut Case) -> &mut Case {
    case.labels = Some(labels(case.volume.grid.dims()));
    case
}

fn planes(list: &mut List) -> Result<(), GridError> {
    for plane in [Plane::Axial, Plane::Coronal, Plane::Sagittal] {
        for interpolation in [Interpolation::Nearest, Interpolation::Linear] {
            for (how, turn) in [("straight", DMat3::IDENTITY), ("oblique", turned())] {
                let name = format!("overlay, {plane:?} {how} {interpolation:?}");
                let case = labelled(list.add(&name, stepped(turn)?, |view, panel| {
                    view.plane = plane;
                    view.interpolation = interpolation;
                    panel.overlay = Some(overlay());
                }));
                case.in_self_check =
                    plane == Plane::Coronal && interpolation == Interpolation::Linear && how == "oblique";
            }
        }
    }
    for plane in [Plane::Axial, Plane::Sagittal] {
        for (how, turn) in [("straight", DMat3::IDENTITY), ("oblique", turned())] {
            for style in [Style::Outline(1), Style::Both(2), Style::Outline(5), Style::Both(99)] {
                let name = format!("overlay, {plane:?} {how} {style:?}");
                let case = labelled(list.add(&name, stepped(turn)?, |view, panel| {
                    view.plane = plane;
                    panel.overlay = Some(OverlayDraw { style, ..overlay() });
                }));
                case.in_self_check = how == "oblique" && style == Style::Both(2);
            }
        }
    }
    labelled(list.add("overlay, outlines of a slab are fills", stepped(DMat3::IDENTITY)?, |view, panel| {
        view.slab = Slab { thickness: 15.0, mode: SlabMode::Mip };
        panel.overlay = Some(OverlayDraw { style: Style::Outline(2), ..overlay() });
    }));
    labelled(list.add("overlay, inverted", stepped(DMat3::IDENTITY)?, |_, panel| {
        panel.overlay = Some(overlay());
        panel.invert = true;
    }));
    list.add("overlay without labels", stepped(DMat3::IDENTITY)?, |_, panel| {
        panel.overlay = Some(overlay());
    });
    let none = list.add("overlay, labels that are all 0", stepped(DMat3::IDENTITY)?, |_, panel| {
        panel.overlay = Some(OverlayDraw { region: None, ..overlay() });
    });
    none.labels = Some(Labels::new(DIMS));
    labelled(list.add("labels without an overlay", stepped(DMat3::IDENTITY)?, |_, _| {}));
    // A pixel is a 64th of a voxel, the view's middle is the box's first edge.
    labelled(list.add("overlay, edge of the box", stepped(DMat3::IDENTITY)?, |view, panel| {
        view.interpolation = Interpolation::Linear;
        panel.overlay = Some(OverlayDraw { region: Some(BOX), ..OverlayDraw::everything(palette()) });
        panel.voxel_from_screen = DAffine3::from_mat3_translation(
            DMat3::from_diagonal(DVec3::new(1.0 / 64.0, 1.0 / 64.0, 1.0)),
            DVec3::new(2.0, 3.0, 23.499_999_999),
        );
    }));
    Ok(())
}

fn slabs(list: &mut List) -> Result<(), GridError> {
    for mode in [SlabMode::Mip, SlabMode::MinIp, SlabMode::Mean] {
        for (how, thickness, region) in [("thin", 15.0, None), ("whole", 1e9, Some(BOX))] {
            for (turn, plane) in [(DMat3::IDENTITY, Plane::Axial), (turned(), Plane::Coronal)] {
                let name = format!("overlay, {mode:?} {how} {plane:?}");
                let case = labelled(list.add(&name, stepped(turn)?, |view, panel| {
                    view.plane = plane;
                    view.slab = Slab { thickness, mode };
                    panel.overlay = Some(OverlayDraw { region, ..overlay() });
                }));
                case.in_self_check = mode == SlabMode::Mip && how == "whole" && plane == Plane::Coronal;
            }
        }
    }
    labelled(list.add("overlay, MIP with a falling rescale", stepped(DMat3::IDENTITY)?, |view, panel| {
        view.slab = Slab { thickness: 60.0, mode: SlabMode::Mip };
        view.plane = Plane::Sagittal;
        panel.rescale = Rescale { slope: -0.5, intercept: 30.0 };
        panel.overlay = Some(overlay());
    }));
    Ok(())
}

fn formats(list: &mut List) -> Result<(), GridError> {
    let unsigned = each_voxel(DIMS, |x, y, z| (i32::from(steps(x, y, z)) * 20 + 34_000) as u16);
    for (how, slab) in [("plane", Slab::default()), ("slab", Slab { thickness: 40.0, mode: SlabMode::Mip })] {
        let volume = Volume::new(Voxels::U16(unsigned.clone()), grid(DIMS, turned(), DVec3::ZERO)?);
        labelled(list.add(&format!("overlay, u16 {how}"), volume, |view, panel| {
            view.slab = slab;
            panel.rescale = Rescale { slope: 0.05, intercept: -1700.0 };
            let [lowest, highest] = RANGE.map(|stored| stored * 20.0 + 34_000.0);
            panel.overlay = Some(OverlayDraw { lowest, highest, ..overlay() });
        }));
        let float = each_voxel(DIMS, |x, y, z| f32::from(steps(x, y, z)) * 1.37e-3);
        let volume = Volume::new(Voxels::F32(float), grid(DIMS, turned(), DVec3::ZERO)?);
        labelled(list.add(&format!("overlay, f32 {how}"), volume, |view, panel| {
            view.slab = slab;
            panel.rescale.slope = 1000.0;
            let [lowest, highest] = RANGE.map(|stored| stored * 1.37e-3);
            panel.overlay = Some(OverlayDraw { lowest, highest, ..overlay() });
        }));
    }
    // Numbers that an adapter may take for 0, and both zeros.
    const TINY: [f32; 7] = [-2e-40, -1e-40, -0.0, 0.0, 1e-40, 2e-40, 1.0];
    for [lowest, highest] in [[0.0, 1e-40], [-1e-40, -0.0], [-0.0, 0.0], [2e-40, f32::MAX]] {
        let tiny = each_voxel(DIMS, |x, y, z| TINY[((x + y * 2 + z) % 7) as usize]);
        let volume = Volume::new(Voxels::F32(tiny), grid(DIMS, DMat3::IDENTITY, DVec3::ZERO)?);
        list.add(&format!("overlay, f32 {lowest:e} to {highest:e}"), volume, |_, panel| {
            panel.overlay = Some(OverlayDraw { lowest, highest, ..OverlayDraw::everything(palette()) });
        });
    }
    let colour = each_voxel(DIMS, |x, y, z| [(x * 11) as u8, (y * 10) as u8, (z * 8) as u8, 255]);
    let volume = Volume::new(Voxels::Rgba8(colour), grid(DIMS, turned(), DVec3::ZERO)?);
    labelled(list.add("overlay, rgba8 has none", volume, |_, panel| {
        panel.overlay = Some(OverlayDraw::everything(palette()));
    }));
    Ok(())
}

fn masks(list: &mut List) -> Result<(), GridError> {
    // The padding lies within the range and has labels: only the rule keeps it black.
    let padded =
        each_voxel(DIMS, |x, y, z| if (x / 3 + y / 2 + z) % 4 == 0 { -2000 } else { steps(x, y, z) });
    for slab in [Slab::default(), Slab { thickness: 40.0, mode: SlabMode::MinIp }] {
        let volume = Volume {
            padding: Some(Padding { low: -2000.0, high: -1900.0 }),
            ..Volume::new(Voxels::I16(padded.clone()), grid(DIMS, turned(), DVec3::ZERO)?)
        };
        labelled(list.add(&format!("overlay, padding {}", slab.thickness), volume, |view, panel| {
            view.slab = slab;
            panel.overlay = Some(OverlayDraw { highest: -800.0, ..OverlayDraw::everything(palette()) });
        }));
        let holes = each_voxel(DIMS, |x, y, z| match (x * 7 + y * 3 + z) % 13 {
            0 => f32::NAN,
            1 => f32::INFINITY,
            2 => f32::NEG_INFINITY,
            _ => f32::from(steps(x, y, z)),
        });
        let volume = Volume::new(Voxels::F32(holes), grid(DIMS, DMat3::IDENTITY, DVec3::ZERO)?);
        labelled(list.add(&format!("overlay, infinity {}", slab.thickness), volume, |view, panel| {
            view.slab = slab;
            panel.overlay = Some(OverlayDraw::everything(palette()));
        }));
        let name = format!("overlay, slices that have not arrived {}", slab.thickness);
        let partly = labelled(list.add(&name, stepped(DMat3::IDENTITY)?, |view, panel| {
            view.plane = Plane::Sagittal;
            view.slab = slab;
            panel.overlay = Some(OverlayDraw::everything(palette()));
        }));
        partly.arrived = ArrivedSlices::none(DIMS[2]);
        for z in [0, 1, 2, 3, 7, 8, 12, 29] {
            partly.arrived.mark(z);
        }
        partly.in_self_check = slab.thickness > 0.0;
    }
    Ok(())
}

fn extremes(list: &mut List) -> Result<(), GridError> {
    let one = Volume::new(Voxels::I16(vec![40]), grid([1, 1, 1], DMat3::IDENTITY, DVec3::ZERO)?);
    let case = list.add("overlay, 1x1x1 of label 255", one, |_, panel| {
        panel.overlay =
            Some(OverlayDraw { lowest: 40.0, highest: 40.0, ..OverlayDraw::everything(palette()) });
    });
    let mut labels = Labels::new([1, 1, 1]);
    let _ = labels.replace(0, [255].into());
    case.labels = Some(labels);
    for (name, lowest, highest, region) in [
        ("an empty box", f32::MIN, f32::MAX, Some([[9, 9, 9], [9, 20, 20]])),
        ("a box the wrong way round", f32::MIN, f32::MAX, Some([[9, 9, 20], [20, 20, 9]])),
        ("a box larger than the volume", f32::MIN, f32::MAX, Some([[0; 3], [u32::MAX; 3]])),
        ("a range that is not a number", f32::NAN, f32::MAX, None),
        ("a range between two numbers", 0.25, 0.75, None),
        ("a range with fractions", -64.5, 320.5, None),
    ] {
        for slab in [Slab::default(), Slab { thickness: 1e9, mode: SlabMode::Mip }] {
            let name = format!("overlay, {name} {}", slab.thickness);
            labelled(list.add(&name, stepped(DMat3::IDENTITY)?, |view, panel| {
                view.slab = slab;
                panel.overlay = Some(OverlayDraw {
                    lowest,
                    highest,
                    region,
                    palette: Box::new(palette()),
                    style: Style::Fill,
                });
            }));
        }
    }
    for (name, dims) in [("picture", [301, 203, 1]), ("frames", [130, 37, 5])] {
        for slab in [Slab::default(), Slab { thickness: 1e9, mode: SlabMode::Mip }] {
            let placed = Grid::picture(dims[0], dims[1], dims[2])?;
            let volume = Volume::new(Voxels::I16(each_voxel(dims, steps)), placed);
            let name = format!("overlay, wrapped {name} {}", slab.thickness);
            let case = labelled(list.add(&name, volume, |view, panel| {
                view.plane = Plane::Acquisition;
                view.rotation_rad = 0.2;
                view.world_per_px *= 0.7;
                view.slab = slab;
                let region = Some([[40, 9, 0], [dims[0] - 20, dims[1] - 5, 4]]);
                panel.overlay = Some(OverlayDraw { region, ..overlay() });
            }));
            case.texture_limit = Some(64);
            case.in_self_check = dims[2] == 5 && slab.thickness == 0.0;
        }
    }
    Ok(())
}
