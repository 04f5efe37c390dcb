//! Pictures through a table of colours.
//!
//! A level beside the twin's is a jump of up to a hundred in a channel, so these are compared by level: see `check`.

use std::sync::Arc;

use imaging::volume::Padding;
use imaging::{Volume, Voxels};
use scene::{Colormap, Colours, DMat3, DVec3, GridError, Interpolation, Plane, Slab, SlabMode, Window};

use super::super::GreyMap;
use super::super::overlay::{COLOURS, OverlayDraw};
use super::{DIMS, List, ct, each_voxel, grid, oblique_ct, pattern, turned};

fn table(map: Colormap) -> Option<Arc<Colours>> {
    Some(Arc::new(map.table()))
}

pub(super) fn add(list: &mut List) -> Result<(), GridError> {
    for map in Colormap::ALL {
        for interpolation in [Interpolation::Nearest, Interpolation::Linear] {
            let case =
                list.add(&format!("{} {interpolation:?}", map.name()), oblique_ct()?, |view, panel| {
                    view.interpolation = interpolation;
                    panel.colours = table(map);
                });
            case.in_self_check = interpolation == Interpolation::Linear;
        }
    }
    list.add("colours, inverted", ct()?, |_, panel| {
        panel.colours = table(Colormap::Asist);
        panel.invert = true;
    });
    list.add("colours, slab", ct()?, |view, panel| {
        view.plane = Plane::Sagittal;
        view.slab = Slab { thickness: 40.0, mode: SlabMode::Mip };
        panel.colours = table(Colormap::Viridis);
    });
    // A map as an analysis makes it: floats, and no number outside of its mask. Viridis begins with purple, which
    // must not show there.
    let masked = each_voxel(DIMS, |x, y, z| {
        let inside = (i64::from(x) - 10).pow(2) + (i64::from(y) - 12).pow(2) < 70;
        if inside { f32::from(pattern(x, y, z)) * 0.01 } else { f32::NAN }
    });
    let map = Volume::new(Voxels::F32(masked), grid(DIMS, turned(), DVec3::new(4.0, -3.0, 9.0))?);
    for slab in [Slab::default(), Slab { thickness: 30.0, mode: SlabMode::Mean }] {
        let case =
            list.add(&format!("masked floats in colour, {}", slab.thickness), map.clone(), |view, panel| {
                view.slab = slab;
                view.world_per_px *= 0.5;
                panel.grey = GreyMap::Window(Window::from_range(0.0, 8.0));
                panel.colours = table(Colormap::Viridis);
            });
        case.in_self_check = slab.thickness == 0.0;
    }
    let mut painted = list.add("colours under an overlay", map, |_, panel| {
        panel.grey = GreyMap::Window(Window::from_range(-5.0, 8.0));
        panel.colours = table(Colormap::Asist);
        panel.overlay = Some(OverlayDraw {
            lowest: 0.0,
            highest: 5.0,
            ..OverlayDraw::everything([[255, 255, 255, 90]; COLOURS])
        });
    });
    painted.in_self_check = true;
    painted = list.add("padding in colour", ct()?, |_, panel| panel.colours = table(Colormap::Viridis));
    painted.volume.padding = Some(Padding { low: 0.0, high: 100.0 });
    for panel in &mut painted.panels {
        panel.padding = painted.volume.padding;
    }
    // A table says nothing about pixels that are colours already.
    let rgba = each_voxel(DIMS, |x, y, z| [(x * 11) as u8, (y * 10) as u8, (z * 8) as u8, 255]);
    let colour = Volume::new(Voxels::Rgba8(rgba), grid(DIMS, DMat3::IDENTITY, DVec3::ZERO)?);
    list.add("a colour volume with a table", colour, |_, panel| panel.colours = table(Colormap::Asist));
    Ok(())
}
