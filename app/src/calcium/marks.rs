//! Over the picture: the vessel's letters at each assigned lesion, the region's box, the line in the hand.
//!
//! Colours are the engine's; letters and shapes are here, so that nothing relies on colour alone.

use contract::calcium::Region;
use leptos::prelude::*;
use scene::{DVec2, DVec3, Grid};

use super::result::title;
use crate::ctx::Ctx;
use crate::state::Workspace;
use crate::state::calcium::{Hand, Stroke, colour};
use crate::viewer::{Shown, outline};

/// A line in CSS pixels.
#[derive(Clone, Debug, PartialEq)]
enum Mark {
    Letters { at: DVec2, text: String, colour: String },
    Candidate { at: DVec2 },
    Region { path: String },
    Stroke { path: String, closed: bool },
    Ball { centre: DVec2, radius: f64 },
}

#[component]
pub fn CalciumMarks(shown: Memo<Option<Shown>>) -> impl IntoView {
    let ctx = Ctx::here();
    let marks = Memo::new(move |_| {
        shown.with(|s| s.as_ref().map(|s| ctx.workspace.with(|w| marks(w, s)))).unwrap_or_default()
    });
    let view_box = move || shown.with(|s| s.as_ref().map(Shown::view_box));
    view! {
        <svg class="marks" viewBox=view_box preserveAspectRatio="none" aria-hidden="true" data-testid="calcium-marks">
            {move || marks.get().into_iter().map(draw).collect_view()}
        </svg>
    }
}

fn draw(mark: Mark) -> AnyView {
    match mark {
        Mark::Letters { at, text, colour } => view! {
            <text class="vessel-letters" x=at.x y=at.y fill=colour data-testid="lesion-letters">{text}</text>
        }
        .into_any(),
        Mark::Candidate { at } => view! { <circle class="candidate" cx=at.x cy=at.y r="14" /> }.into_any(),
        Mark::Region { path } => {
            view! { <path class="region-box" d=path data-testid="region-box" /> }.into_any()
        }
        Mark::Stroke { path, closed } => view! {
            <path class="mark-shadow" d=path.clone() />
            <path class="mark-line" class:closed=closed d=path />
        }
        .into_any(),
        Mark::Ball { centre, radius } => view! {
            <circle class="mark-line" cx=centre.x cy=centre.y r=radius />
        }
        .into_any(),
    }
}

fn marks(w: &Workspace, s: &Shown) -> Vec<Mark> {
    let (Some(desk), Some(volume)) = (w.desk(), w.volumes.get(&s.panel.series)) else { return Vec::new() };
    if desk.series != s.panel.series {
        return Vec::new();
    }
    let grid = &volume.grid;
    let m = s.screen_from_world(grid);
    let scale = s.css_scale();
    let project = |p: DVec3| m.transform_point3(p).truncate() * scale;
    let depth_mm = |p: DVec3| {
        let normal = s.panel.view.plane.world_from_plane(grid).z_axis;
        (p - s.panel.view.centre_world).dot(normal).abs()
    };
    let step = s.panel.view.slice_step(grid);
    let seen_mm = 0.5 * s.panel.view.slab.thickness.max(step);
    let mut out = Vec::new();
    let region = desk.session.get().region;
    if let Some(path) = region.and_then(|r| box_outline(r, grid, &|p| (project(p), depth_mm(p)))) {
        out.push(Mark::Region { path });
    }
    let lesions = desk.table.iter().flat_map(|t| &t.lesions);
    // The slice that is shown, where the plane is one of the slices.
    let m = grid.world_from_voxel().matrix3;
    let along_slices =
        s.panel.view.plane.world_from_plane(grid).z_axis.cross(m.x_axis.cross(m.y_axis).normalize());
    let slice = (along_slices.length() < 1e-6 && s.panel.view.slab.thickness <= step)
        .then(|| grid.voxel_from_world().transform_point3(s.panel.view.centre_world).z.round());
    for lesion in lesions {
        let centre = DVec3::from(lesion.centre_mm);
        // A ball of the lesion's volume says about how far from its middle another plane still cuts it.
        let radius_mm = (0.75 * lesion.volume_mm3 / std::f64::consts::PI).cbrt();
        let seen = match slice {
            Some(z) => (f64::from(lesion.slices[0])..=f64::from(lesion.slices[1])).contains(&z),
            None => depth_mm(centre) <= seen_mm + radius_mm,
        };
        if !seen {
            continue;
        }
        let per_px = s.panel.view.world_per_px / scale.x.max(1e-9);
        if let Some(vessel) = lesion.vessel {
            let right = DVec2::new(radius_mm / per_px + 5.0, 4.0);
            out.push(Mark::Letters {
                at: project(centre) + right,
                text: title(vessel).to_owned(),
                colour: colour(vessel),
            });
        } else if desk.candidate == Some(lesion.id) {
            out.push(Mark::Candidate { at: project(DVec3::from(lesion.on_mm)) });
        }
    }
    if let Some(stroke) = desk.stroke.as_ref().filter(|k| k.panel == s.panel.id) {
        out.push(stroke_mark(stroke, &project));
    }
    out
}

fn stroke_mark(stroke: &Stroke, project: &dyn Fn(DVec3) -> DVec2) -> Mark {
    let points: Vec<DVec2> = match stroke.hand {
        Hand::Box => stroke.corners().into_iter().map(project).collect(),
        _ => stroke.points.iter().copied().map(project).collect(),
    };
    if let (Hand::Erase, [centre, edge]) = (stroke.hand, &points[..]) {
        return Mark::Ball { centre: *centre, radius: centre.distance(*edge) };
    }
    let closed = matches!(stroke.hand, Hand::Box | Hand::Freehand);
    Mark::Stroke { path: outline(&points, closed), closed }
}

/// The convex outline of the box's corners as they are projected.
fn box_outline(region: Region, grid: &Grid, seen: &dyn Fn(DVec3) -> (DVec2, f64)) -> Option<String> {
    let corner = |i: usize| {
        let at = |axis: usize| {
            // Faces lie half a voxel outside of the first and the last centre.
            let edge = if i >> axis & 1 == 1 { region.to[axis] } else { region.from[axis] };
            f64::from(edge) - 0.5
        };
        grid.world_from_voxel().transform_point3(DVec3::new(at(0), at(1), at(2)))
    };
    let mut points: Vec<DVec2> = (0..8).map(|i| seen(corner(i)).0).collect();
    points.sort_by(|a, b| a.x.total_cmp(&b.x).then(a.y.total_cmp(&b.y)));
    // Andrew 1979: the lower chain, then the upper one.
    let chain = |points: &mut dyn Iterator<Item = DVec2>| {
        let mut hull: Vec<DVec2> = Vec::new();
        for p in points {
            while let [.., a, b] = hull[..]
                && (b - a).perp_dot(p - b) <= 1e-9
            {
                hull.pop();
            }
            hull.push(p);
        }
        hull.pop();
        hull
    };
    let mut hull = chain(&mut points.iter().copied());
    hull.extend(chain(&mut points.iter().rev().copied()));
    (hull.len() > 2).then(|| outline(&hull, true))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::{S, calcium_table, ct, opened};
    use protocol::calcium::Suggestion;

    #[test]
    fn letters_stand_only_where_a_lesion_is_seen() {
        let mut w = opened(ct());
        let region = Region { from: [2, 3, 4], to: [20, 21, 28] };
        let suggestion =
            Suggestion { region: Some(region), standard_threshold_hu: 130.0, conventions: vec![] };
        w.open_calcium(S, suggestion);
        w.desk_mut().unwrap().next_task(1);
        w.desk_mut().unwrap().answer(1, Ok(calcium_table()));
        let letters = |w: &Workspace| {
            let panel = w.panels[0].clone();
            let place = w.place(panel.id).unwrap();
            let shown = Shown { panel, place, slice: 1, slices: 1 };
            let all = marks(w, &shown);
            assert_eq!(all.iter().filter(|m| matches!(m, Mark::Region { .. })).count(), 1);
            all.into_iter().filter(|m| matches!(m, Mark::Letters { .. })).count()
        };
        let centre = DVec3::from(calcium_table().lesions[0].centre_mm);
        w.set_cursor(S, centre);
        assert_eq!(letters(&w), 1, "the lesion of the LAD");
        w.set_cursor(S, centre + DVec3::new(0.0, 0.0, 5.0 * 7.25));
        assert_eq!(letters(&w), 0, "five slices above");
    }

    #[test]
    fn a_box_seen_along_an_axis_is_a_rectangle() {
        let grid = ct().grid;
        let region = Region { from: [2, 3, 4], to: [20, 21, 28] };
        let path = box_outline(region, &grid, &|p| (p.truncate(), 0.0)).unwrap();
        assert_eq!(path.matches('L').count(), 3, "{path}");
        // 18 columns of 0.75 mm and 18 rows of 2.5 mm.
        assert!(
            path.starts_with("M6.12 -0.75") && path.contains("19.62") && path.contains("44.25"),
            "{path}"
        );
    }
}
