//! Over the picture: where the artery, the vein and the pinned points are, the midline, regions on its other side.

use leptos::prelude::*;
use protocol::VolumeInfo;
use scene::{DVec2, DVec3, Grid};

use super::curves::COLOURS;
use crate::ctx::Ctx;
use crate::state::perfusion::FlowDesk;
use crate::state::{Workspace, midline};
use crate::viewer::Shown;

/// A ring with a letter.
#[derive(Clone, Debug, PartialEq)]
struct Mark {
    at: DVec2,
    text: String,
    class: &'static str,
    colour: Option<&'static str>,
}

#[component]
pub fn FlowMarks(shown: Memo<Option<Shown>>) -> impl IntoView {
    let ctx = Ctx::here();
    let marks = Memo::new(move |_| {
        shown.with(|s| s.as_ref().map(|s| ctx.workspace.with(|w| marks(w, s)))).unwrap_or_default()
    });
    let lines = Memo::new(move |_| {
        shown.with(|s| s.as_ref().map(|s| ctx.workspace.with(|w| lines(w, s)))).unwrap_or_default()
    });
    let view_box = move || shown.with(|s| s.as_ref().map(Shown::view_box));
    view! {
        <svg class="marks" viewBox=view_box preserveAspectRatio="none" aria-hidden="true" data-testid="flow-marks">
            {move || {
                lines.get().iter().map(|points| view! { <path class="flow-line" d=outline(points) /> }).collect_view()
            }}
            {move || {
                marks
                    .get()
                    .into_iter()
                    .map(|m| {
                        let Mark { at, text, class, colour } = m;
                        view! {
                            <circle class=format!("flow-ring {class}") cx=at.x cy=at.y r="8" stroke=colour />
                            <text class="flow-letter" x=at.x + 11.0 y=at.y + 4.0>{text}</text>
                        }
                    })
                    .collect_view()
            }}
        </svg>
    }
}

/// The study on the screen, if this panel shows it.
fn study<'a>(w: &'a Workspace, s: &Shown) -> Option<(&'a FlowDesk, &'a VolumeInfo)> {
    let desk = w.flow().filter(|d| w.root(s.panel.series) == d.series)?;
    Some((desk, w.volumes.get(&s.panel.series)?))
}

/// From the world to the panel, in pixels of the page.
fn projection(s: &Shown, grid: &Grid) -> impl Fn(DVec3) -> DVec2 + use<> {
    let (m, scale) = (s.screen_from_world(grid), s.css_scale());
    move |at| m.transform_point3(at).truncate() * scale
}

/// A line through two points, a closed outline through more.
fn outline(points: &[DVec2]) -> String {
    let corner = |(i, p): (usize, &DVec2)| format!("{}{:.1} {:.1}", if i == 0 { "M" } else { "L" }, p.x, p.y);
    let path: String = points.iter().enumerate().map(corner).collect();
    if points.len() > 2 { path + "Z" } else { path }
}

/// The midline of the slice that is shown, and the regions on it as their mirror images.
fn lines(w: &Workspace, s: &Shown) -> Vec<Vec<DVec2>> {
    let Some((desk, volume)) = study(w, s).filter(|(d, _)| d.midline_shown) else { return Vec::new() };
    let Some(midline) = desk.midline() else { return Vec::new() };
    let grid = &volume.grid;
    let normal = s.panel.view.plane.world_from_plane(grid).z_axis;
    // The line is one of the slices: a plane across them would show a point.
    let across = grid.world_from_voxel().transform_vector3(DVec3::Z).normalize_or_zero();
    if normal.dot(across).abs() < 0.999 {
        return Vec::new();
    }
    let centre = s.panel.view.centre_world;
    let slice = grid.voxel_from_world().transform_point3(centre).z;
    let half_mm = 0.5 * s.panel.view.slice_step(grid).max(s.panel.view.slab.thickness) + 1e-6;
    let regions = w.measurements.get().iter().filter(|m| w.root(m.series) == desk.series);
    let here = regions
        .filter_map(|m| m.shape.roi())
        .filter(|roi| (roi.centre_world - centre).dot(normal).abs() <= half_mm)
        .map(|roi| midline::mirrored_outline(&midline, grid, &roi));
    let line = midline::ends(&midline, grid, slice).map(|ends| ends.to_vec());
    let project = projection(s, grid);
    line.into_iter().chain(here).map(|points| points.into_iter().map(&project).collect()).collect()
}

fn marks(w: &Workspace, s: &Shown) -> Vec<Mark> {
    let Some((desk, volume)) = study(w, s) else { return Vec::new() };
    let normal = s.panel.view.plane.world_from_plane(&volume.grid).z_axis;
    let half_mm = 0.5 * s.panel.view.slice_step(&volume.grid).max(s.panel.view.slab.thickness) + 1e-6;
    let seen = |at: DVec3| ((at - s.panel.view.centre_world).dot(normal)).abs() <= half_mm;
    let project = projection(s, &volume.grid);
    let mut out = Vec::new();
    if let Some(findings) = &desk.findings {
        let vessels = [(Some(&findings.aif), "A", "aif"), (findings.vof.as_ref(), "V", "vof")];
        for (vessel, letter, class) in vessels {
            // One ring for all its voxels of the slice.
            let here: Vec<DVec3> = vessel
                .iter()
                .flat_map(|v| &v.at_mm)
                .map(|at| DVec3::from(*at))
                .filter(|at| seen(*at))
                .collect();
            if let Some(first) = here.first() {
                out.push(Mark { at: project(*first), text: letter.into(), class, colour: None });
            }
        }
    }
    for (i, pin) in desk.pins.iter().enumerate().filter(|(_, pin)| seen(**pin)) {
        let colour = Some(COLOURS[i % COLOURS.len()]);
        out.push(Mark { at: project(*pin), text: (i + 1).to_string(), class: "pin", colour });
    }
    out
}
