//! Pictures that every backend must draw like the twin.
//!
//! Sizes differ per axis and spacings are unequal, so that a swapped axis cannot pass; each rule of the pass
//! has a case in which breaking it changes many pixels.

mod colours;
mod overlays;

use std::sync::Arc;

use imaging::volume::{Padding, Rescale, VoiLut};
use imaging::{Volume, Voxels};
use scene::{
    DAffine3, DMat3, DVec3, Frame, Grid, GridError, Interpolation, LengthUnit, Plane, Slab, SlabMode, View,
    Viewport, VoiFunction, Window,
};

use super::{GreyMap, PanelDraw, PanelRect};
use crate::labels::Labels;
use crate::volume::ArrivedSlices;

/// One picture: panels of one volume on one target.
#[derive(Clone)]
pub struct Case {
    /// Told when it fails.
    pub name: String,
    /// What is shown.
    pub volume: Volume,
    /// Which slices there are.
    pub arrived: ArrivedSlices,
    /// Of the volume.
    pub labels: Option<Labels>,
    /// How.
    pub panels: Vec<PanelDraw>,
    /// Target size in pixels.
    pub target_px: [u32; 2],
    /// A texture limit below the adapter's, to see wrapping in small volumes.
    pub texture_limit: Option<u32>,
    /// Whether the self-check in the browser draws it too.
    pub in_self_check: bool,
}

const DIMS: [u32; 3] = [22, 23, 30];
const TARGET: [u32; 2] = [61, 47];
const WINDOW: Window = Window { center: 40.0, width: 1400.0, function: VoiFunction::Linear };

/// A number that depends on all three indices differently, smooth enough to see a shift and rough enough to
/// see a wrong neighbour.
fn pattern(x: u32, y: u32, z: u32) -> i16 {
    let wave =
        (f64::from(x) * 0.71).sin() * 300.0 + (f64::from(y) * 0.37).cos() * 400.0 + f64::from(z) * 20.0;
    let rough = (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503) ^ z.wrapping_mul(69_069)) >> 7 & 0xff;
    (wave - 400.0) as i16 + rough as i16
}

fn each_voxel<T>(dims: [u32; 3], value: impl Fn(u32, u32, u32) -> T) -> Vec<T> {
    let mut out = Vec::with_capacity(dims.iter().map(|&n| n as usize).product());
    for z in 0..dims[2] {
        for y in 0..dims[1] {
            for x in 0..dims[0] {
                out.push(value(x, y, z));
            }
        }
    }
    out
}

fn grid(dims: [u32; 3], turn: DMat3, origin: DVec3) -> Result<Grid, GridError> {
    let spacing = DMat3::from_diagonal(DVec3::new(0.75, 2.5, 7.25));
    Grid::new(
        dims,
        DAffine3::from_mat3_translation(turn * spacing, origin),
        LengthUnit::Millimetre,
        Frame::Patient,
    )
}

fn turned() -> DMat3 {
    DMat3::from_rotation_z(0.31) * DMat3::from_rotation_x(-0.47) * DMat3::from_rotation_y(0.83)
}

/// Collects cases; a grid that cannot be made would leave its case out, which the count in the tests shows.
struct List(Vec<Case>);

impl List {
    fn add(&mut self, name: &str, volume: Volume, change: impl Fn(&mut View, &mut PanelDraw)) -> &mut Case {
        let [width_px, height_px] = TARGET;
        // Away from the target's corner, and cut off at its right and lower edge.
        let rect = PanelRect { x_px: 3, y_px: 5, width_px, height_px };
        let panel = panel(&volume, Plane::Axial, rect, &change);
        let arrived = ArrivedSlices::all(volume.grid.dims()[2]);
        self.0.push(Case {
            name: name.to_owned(),
            volume,
            arrived,
            labels: None,
            panels: vec![panel],
            target_px: TARGET,
            texture_limit: None,
            in_self_check: false,
        });
        let last = self.0.len() - 1;
        &mut self.0[last]
    }
}

/// `change` sees the view first (the panel is made from it) and then the panel itself.
fn panel(
    volume: &Volume,
    plane: Plane,
    rect: PanelRect,
    change: &impl Fn(&mut View, &mut PanelDraw),
) -> PanelDraw {
    let grid = &volume.grid;
    let viewport = Viewport { width_px: rect.width_px, height_px: rect.height_px };
    let mut view = View::fit(plane, grid, viewport);
    let of = |view: &View| PanelDraw::of_view(view, grid, volume, rect, WINDOW, false);
    let mut unused = of(&view);
    change(&mut view, &mut unused);
    let mut panel = of(&view);
    change(&mut view, &mut panel);
    panel
}

/// All cases.
pub fn cases() -> Vec<Case> {
    let mut list = List(Vec::new());
    // Each part only fails if its grid is singular, and none is; the tests count the cases.
    let _ = planes(&mut list);
    let _ = slabs(&mut list);
    let _ = formats(&mut list);
    let _ = greys(&mut list);
    let _ = masks(&mut list);
    let _ = extremes(&mut list);
    let _ = overlays::add(&mut list);
    let _ = colours::add(&mut list);
    list.0
}

fn ct() -> Result<Volume, GridError> {
    Ok(Volume::new(
        Voxels::I16(each_voxel(DIMS, pattern)),
        grid(DIMS, DMat3::IDENTITY, DVec3::new(-8.0, 11.0, 400.0))?,
    ))
}

fn oblique_ct() -> Result<Volume, GridError> {
    Ok(Volume::new(
        Voxels::I16(each_voxel(DIMS, pattern)),
        grid(DIMS, turned(), DVec3::new(-8.0, 11.0, 400.0))?,
    ))
}

fn planes(list: &mut List) -> Result<(), GridError> {
    for (name, plane) in [
        ("axial", Plane::Axial),
        ("coronal", Plane::Coronal),
        ("sagittal", Plane::Sagittal),
        ("acquisition", Plane::Acquisition),
    ] {
        for interpolation in [Interpolation::Nearest, Interpolation::Linear] {
            for (how, volume) in [("straight", ct()?), ("oblique", oblique_ct()?)] {
                let case = list.add(&format!("{name} {how} {interpolation:?}"), volume, |view, _| {
                    view.plane = plane;
                    view.interpolation = interpolation;
                });
                case.in_self_check = name == "coronal" && interpolation == Interpolation::Linear;
            }
        }
    }
    list.add("rotated, flipped, zoomed in, moved", ct()?, |view, _| {
        view.rotation_rad = 0.6;
        view.flip_horizontal = true;
        view.world_per_px *= 0.2;
        view.centre_world += DVec3::new(3.0, -4.0, 9.0);
    });
    let four = list.add("four panels side by side", ct()?, |_, _| {});
    let quarter = |x_px, y_px| PanelRect { x_px, y_px, width_px: 30, height_px: 23 };
    four.panels = [
        (Plane::Axial, quarter(0, 0)),
        (Plane::Coronal, quarter(31, 0)),
        (Plane::Sagittal, quarter(0, 24)),
        (Plane::Axial, quarter(31, 24)),
    ]
    .map(|(plane, rect)| panel(&four.volume, plane, rect, &|_, _| {}))
    .to_vec();
    let outside = list.add("a panel outside the target", ct()?, |_, _| {});
    for panel in &mut outside.panels {
        panel.rect.x_px = 1000;
    }
    Ok(())
}

fn slabs(list: &mut List) -> Result<(), GridError> {
    for mode in [SlabMode::Mip, SlabMode::MinIp, SlabMode::Mean] {
        for (how, thickness) in [("thin", 15.0), ("whole", 1e9)] {
            let slab = Slab { thickness, mode };
            for plane in [Plane::Axial, Plane::Sagittal] {
                let case = list.add(&format!("{mode:?} {how} {plane:?}"), ct()?, |view, _| {
                    view.plane = plane;
                    view.slab = slab;
                });
                case.in_self_check = mode == SlabMode::Mean && how == "thin";
            }
            list.add(&format!("{mode:?} {how} oblique, finest step"), oblique_ct()?, |view, panel| {
                view.plane = Plane::Coronal;
                view.slab = slab;
                panel.slab_step = 0.375;
            });
        }
    }
    list.add("MIP with a falling rescale", ct()?, |view, panel| {
        view.slab = Slab { thickness: 60.0, mode: SlabMode::Mip };
        panel.rescale = Rescale { slope: -0.5, intercept: 30.0 };
    });
    list.add("a slab beside the volume", ct()?, |view, _| {
        view.slab = Slab { thickness: 30.0, mode: SlabMode::Mip };
        view.centre_world.z += 1000.0;
    });
    Ok(())
}

fn formats(list: &mut List) -> Result<(), GridError> {
    let g = || grid(DIMS, turned(), DVec3::ZERO);
    for interpolation in [Interpolation::Nearest, Interpolation::Linear] {
        let set = |view: &mut View| {
            view.interpolation = interpolation;
            view.plane = Plane::Sagittal;
        };
        let unsigned = each_voxel(DIMS, |x, y, z| (i32::from(pattern(x, y, z)) * 20 + 34_000) as u16);
        let case = list.add(
            &format!("u16 {interpolation:?}"),
            Volume::new(Voxels::U16(unsigned), g()?),
            |view, panel| {
                set(view);
                panel.rescale = Rescale { slope: 0.05, intercept: -1700.0 };
            },
        );
        case.in_self_check = interpolation == Interpolation::Linear;
        let float = each_voxel(DIMS, |x, y, z| f32::from(pattern(x, y, z)) * 1.37e-3);
        let case = list.add(
            &format!("f32 {interpolation:?}"),
            Volume::new(Voxels::F32(float), g()?),
            |view, panel| {
                set(view);
                panel.grey = GreyMap::Window(Window::from_range(-0.8, 0.9));
            },
        );
        case.in_self_check = interpolation == Interpolation::Linear;
        let colour = each_voxel(DIMS, |x, y, z| [(x * 11) as u8, (y * 10) as u8, (z * 8) as u8, 255]);
        for invert in [false, true] {
            let case = list.add(
                &format!("rgba8 {interpolation:?}, inverted {invert}"),
                Volume::new(Voxels::Rgba8(colour.clone()), g()?),
                |view, panel| {
                    set(view);
                    panel.invert = invert;
                },
            );
            case.in_self_check = !invert;
        }
    }
    Ok(())
}

fn greys(list: &mut List) -> Result<(), GridError> {
    for (name, center, width, function) in [
        ("LINEAR_EXACT", -100.0, 333.3, VoiFunction::LinearExact),
        ("SIGMOID", 0.0, 500.0, VoiFunction::Sigmoid),
        ("LINEAR of width 1, a step", 50.0, 1.0, VoiFunction::Linear),
        ("LINEAR, narrow", 50.0, 4.0, VoiFunction::Linear),
    ] {
        let case = list.add(name, ct()?, |_, panel| {
            panel.grey = GreyMap::Window(Window { center, width, function });
            panel.invert = name == "SIGMOID";
        });
        case.in_self_check = function == VoiFunction::Sigmoid;
    }
    list.add("rescale without a slope", ct()?, |_, panel| {
        panel.rescale = Rescale { slope: 0.0, intercept: 200.0 };
    });
    let lut = Arc::new(VoiLut {
        first: -500.0,
        output: (0..1000u32).map(|i| ((i * i) / 16 % 4096) as u16).collect(),
        bits: 12,
        explanation: String::new(),
    });
    list.add("VOI table", ct()?, |view, panel| {
        // Between voxels a table that jumps has no one answer.
        view.interpolation = Interpolation::Nearest;
        panel.grey = GreyMap::Lut(lut.clone());
    });
    Ok(())
}

fn masks(list: &mut List) -> Result<(), GridError> {
    let padded = each_voxel(DIMS, |x, y, z| {
        let is_corner = (x + y + z) % 17 < 5;
        if is_corner { -2000 } else { pattern(x, y, z) }
    });
    for (name, slab) in [
        ("padding", Slab::default()),
        ("padding, mean", Slab { thickness: 40.0, mode: SlabMode::Mean }),
        ("padding, MinIP", Slab { thickness: 40.0, mode: SlabMode::MinIp }),
    ] {
        for volume_grid in [grid(DIMS, DMat3::IDENTITY, DVec3::ZERO)?, grid(DIMS, turned(), DVec3::ZERO)?] {
            let volume = Volume {
                padding: Some(Padding { low: -2000.0, high: -1900.0 }),
                ..Volume::new(Voxels::I16(padded.clone()), volume_grid)
            };
            let case = list.add(name, volume, |view, _| {
                view.slab = slab;
                view.plane = Plane::Coronal;
            });
            case.in_self_check = name == "padding";
        }
    }
    let holes = each_voxel(DIMS, |x, y, z| match (x * 7 + y * 3 + z) % 13 {
        0 => f32::NAN,
        1 => f32::INFINITY,
        2 => f32::NEG_INFINITY,
        _ => f32::from(pattern(x, y, z)),
    });
    for slab in [Slab::default(), Slab { thickness: 1e9, mode: SlabMode::Mip }] {
        let volume = Volume::new(Voxels::F32(holes.clone()), grid(DIMS, DMat3::IDENTITY, DVec3::ZERO)?);
        let case = list.add(&format!("NaN and infinity, {}", slab.thickness), volume, |view, _| {
            view.slab = slab;
        });
        case.in_self_check = slab.thickness == 0.0;
    }
    let partly = list.add("some slices have not arrived", ct()?, |view, _| {
        view.plane = Plane::Sagittal;
        view.centre_world.x += 0.1;
    });
    partly.arrived = ArrivedSlices::none(DIMS[2]);
    for z in [0, 1, 2, 3, 7, 8, 12, 29] {
        partly.arrived.mark(z);
    }
    partly.in_self_check = true;
    Ok(())
}

fn extremes(list: &mut List) -> Result<(), GridError> {
    let one = Volume::new(Voxels::I16(vec![40]), grid([1, 1, 1], DMat3::IDENTITY, DVec3::ZERO)?);
    list.add("1x1x1", one.clone(), |_, _| {});
    list.add("1x1x1, slab", one, |view, _| view.slab = Slab { thickness: 50.0, mode: SlabMode::Mean });
    // Both sides of an edge: a pixel is a 64th of a voxel, the view's middle is the volume's first edge.
    for interpolation in [Interpolation::Nearest, Interpolation::Linear] {
        let case = list.add(&format!("edge of the volume, {interpolation:?}"), ct()?, |view, panel| {
            view.interpolation = interpolation;
            panel.voxel_from_screen = DAffine3::from_mat3_translation(
                DMat3::from_diagonal(DVec3::new(1.0 / 64.0, 1.0 / 64.0, 1.0)),
                DVec3::new(-1.0, 22.0, 29.499_999_999),
            );
        });
        case.in_self_check = true;
    }
    list.add("just beyond the last slice", ct()?, |_, panel| {
        panel.voxel_from_screen.translation = DVec3::new(0.0, 0.0, 29.5);
        panel.voxel_from_screen.matrix3 = DMat3::IDENTITY;
    });
    list.add("a plane that cannot be inverted", ct()?, |_, panel| {
        panel.voxel_from_screen.matrix3.x_axis = DVec3::ZERO;
    });
    list.add("zoomed out to nothing", ct()?, |view, _| view.world_per_px = 1e9);
    for (name, dims, limit) in [
        ("wrapped picture", [301, 203, 1], 64),
        ("wrapped frames", [130, 37, 5], 64),
        ("wrapped, one row more than fits", [65, 1, 1], 64),
    ] {
        let volume =
            Volume::new(Voxels::I16(each_voxel(dims, pattern)), Grid::picture(dims[0], dims[1], dims[2])?);
        let case = list.add(name, volume, |view, _| {
            view.plane = Plane::Acquisition;
            view.rotation_rad = 0.2;
            view.world_per_px *= 0.7;
        });
        case.texture_limit = Some(limit);
        case.in_self_check = dims[2] == 5;
    }
    // Larger than 2048 along an axis: wrapped on every adapter that has just the promised limit.
    let dims = [4736, 33, 1];
    let large = Volume::new(Voxels::I16(each_voxel(dims, pattern)), Grid::picture(dims[0], dims[1], 1)?);
    list.add("a mammogram's width", large, |view, _| {
        view.plane = Plane::Acquisition;
        view.world_per_px = 0.31;
        view.centre_world.x = 4700.0;
    });
    Ok(())
}
