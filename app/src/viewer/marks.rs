//! Lines over a picture: the linked crosshair and the measurements, as SVG in the panel's CSS pixels.
//! Derived from world coordinates on every change; nothing here is remembered.

use leptos::prelude::*;
use scene::measure::RoiShape;
use scene::{DAffine3, DVec2, DVec3};

use super::panel::Shown;
use crate::ctx::Ctx;
use crate::state::measurement::{Measurement, Reading, Shape};
use crate::state::{PanelId, Tool, Workspace};

/// A measurement ready to draw, in CSS pixels.
#[derive(Clone, Debug, PartialEq)]
struct Drawn {
    id: u32,
    name: &'static str,
    path: String,
    handles: Vec<DVec2>,
    label: DVec2,
    reading: Reading,
    selected: bool,
}

/// A line of the crosshair.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line {
    from: DVec2,
    to: DVec2,
}

#[component]
pub fn Marks(id: PanelId, shown: Memo<Option<Shown>>) -> impl IntoView {
    let ctx = Ctx::here();
    let drawn = Memo::new(move |_| {
        shown.with(|s| s.as_ref().map(|s| ctx.workspace.with(|w| measurements(w, s)))).unwrap_or_default()
    });
    let lines = Memo::new(move |_| {
        shown.with(|s| s.as_ref().map(|s| ctx.workspace.with(|w| crosshair(w, id, s)))).unwrap_or_default()
    });
    let view_box = move || shown.with(|s| s.as_ref().map(Shown::view_box));
    view! {
        <svg class="marks" viewBox=view_box preserveAspectRatio="none" aria-hidden="true">
            {move || {
                lines
                    .get()
                    .into_iter()
                    .map(|l| view! { <line class="cross" x1=l.from.x y1=l.from.y x2=l.to.x y2=l.to.y /> })
                    .collect_view()
            }}
            {move || drawn.get().into_iter().map(mark).collect_view()}
        </svg>
    }
}

fn mark(d: Drawn) -> impl IntoView {
    let handles =
        d.handles.iter().map(|p| view! { <circle class="handle" cx=p.x cy=p.y r="4" /> }).collect_view();
    let lines = d
        .reading
        .lines
        .iter()
        .enumerate()
        .map(|(i, text)| view! { <tspan x=d.label.x dy=if i == 0 { "0" } else { "1.25em" }>{text.clone()}</tspan> })
        .collect_view();
    view! {
        <g class="mark" class:selected=d.selected data-id=d.id.to_string()>
            <path class="mark-shadow" d=d.path.clone() />
            <path class="mark-line" d=d.path.clone() />
            {handles}
            <text
                class="mark-label"
                x=d.label.x
                y=d.label.y
                data-testid="measurement"
                data-kind=d.name.to_lowercase()
                data-value=d.reading.value.map(|v| v.to_string())
                data-unit=d.reading.unit.clone()
            >
                {lines}
            </text>
        </g>
    }
}

fn screen(w: &Workspace, s: &Shown) -> Option<DAffine3> {
    w.volumes.get(&s.panel.series).map(|v| s.screen_from_world(&v.grid))
}

fn measurements(w: &Workspace, s: &Shown) -> Vec<Drawn> {
    let (Some(m), Some(volume)) = (screen(w, s), w.volumes.get(&s.panel.series)) else { return Vec::new() };
    let scale = s.css_scale();
    let project = |p: DVec3| m.transform_point3(p).truncate() * scale;
    w.measurements
        .get()
        .iter()
        .filter(|k| k.on_slice(s.panel.series, &s.panel.view, &volume.grid))
        .map(|k| {
            draw(k, w.selected == Some(k.id), &project, k.reading(volume.grid.length_unit, &volume.unit))
        })
        .collect()
}

/// A path through points, as SVG writes it.
pub fn outline(points: &[DVec2], closed: bool) -> String {
    let mut d = String::new();
    for (i, p) in points.iter().enumerate() {
        d += &format!("{}{:.2} {:.2}", if i == 0 { 'M' } else { 'L' }, p.x, p.y);
    }
    if closed { d + "Z" } else { d }
}

fn draw(k: &Measurement, selected: bool, project: &dyn Fn(DVec3) -> DVec2, reading: Reading) -> Drawn {
    let points: Vec<DVec2> = k.shape.handles().into_iter().map(project).collect();
    let path = match (&k.shape, &points[..]) {
        (Shape::Roi { shape: RoiShape::Ellipse, .. }, [a, b, c, _]) => {
            // Two half arcs through the middles of the left and the right side.
            let (half_right, half_down) = ((*b - *a) * 0.5, (*c - *b) * 0.5);
            let centre = (*a + *c) * 0.5;
            let (p, q) = (centre - half_right, centre + half_right);
            let (rx, ry) = (half_right.length(), half_down.length());
            let turn = half_right.y.atan2(half_right.x).to_degrees();
            format!(
                "M{:.2} {:.2}A{rx:.2} {ry:.2} {turn:.2} 1 1 {:.2} {:.2}A{rx:.2} {ry:.2} {turn:.2} 1 1 {:.2} {:.2}Z",
                p.x, p.y, q.x, q.y, p.x, p.y
            )
        }
        (Shape::Roi { .. }, _) => outline(&points, true),
        (Shape::Probe(_), [p]) => {
            format!("M{:.2} {:.2}m-7 0h14m-7-7v14", p.x, p.y)
        }
        _ => outline(&points, false),
    };
    // Beside the point farthest to the right, where it covers the least.
    let right =
        points.iter().copied().fold(DVec2::new(f64::MIN, 0.0), |best, p| if p.x > best.x { p } else { best });
    let handles = if matches!(k.shape, Shape::Probe(_)) { Vec::new() } else { points };
    Drawn {
        id: k.id.0,
        name: k.shape.name(),
        path,
        handles,
        label: right + DVec2::new(10.0, 4.0),
        reading,
        selected,
    }
}

/// The traces of the other planes through the crosshair, with a gap so that they do not hide what they point at.
fn crosshair(w: &Workspace, id: PanelId, s: &Shown) -> Vec<Line> {
    let (Some(m), Some(volume), Some(cursor)) =
        (screen(w, s), w.volumes.get(&s.panel.series), w.cursor(s.panel.series))
    else {
        return Vec::new();
    };
    let scale = s.css_scale();
    let at = m.transform_point3(cursor).truncate() * scale;
    let normal = s.panel.view.plane.world_from_plane(&volume.grid).z_axis;
    let reach = s.place.image.width + s.place.image.height;
    let mut directions: Vec<DVec2> = w
        .panels
        .iter()
        .filter(|p| p.id != id && p.series == s.panel.series && p.view.plane != s.panel.view.plane)
        .filter_map(|p| {
            let trace = normal.cross(p.view.plane.world_from_plane(&volume.grid).z_axis);
            let on_screen = m.transform_vector3(trace).truncate() * scale;
            (trace.length() > 1e-6).then(|| on_screen.normalize_or_zero())
        })
        .collect();
    let mut length = reach;
    if directions.is_empty() && w.tool == Tool::Crosshair {
        directions = vec![DVec2::X, DVec2::Y];
        length = 40.0;
    }
    directions.dedup_by(|a, b| a.perp_dot(*b).abs() < 1e-6);
    let gap = 14.0;
    directions
        .into_iter()
        .flat_map(|d| {
            [
                Line { from: at + d * gap, to: at + d * length },
                Line { from: at - d * gap, to: at - d * length },
            ]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::ct;
    use crate::state::workspace::Place;
    use protocol::SeriesId;

    fn shown(w: &Workspace, i: usize) -> Shown {
        let panel = w.panels[i].clone();
        let place: Place = w.place(panel.id).unwrap();
        Shown { panel, place, slice: 1, slices: 1 }
    }

    #[test]
    fn the_crosshair_points_at_the_cursor_in_every_panel() {
        let mut w = Workspace::default();
        w.resize(1200.0, 800.0, 2.0);
        w.learn(SeriesId(1), ct());
        w.show(SeriesId(1));
        w.set_cursor(SeriesId(1), DVec3::new(9.5, 10.5, 100.0));
        for i in 0..3 {
            let s = shown(&w, i);
            let lines = crosshair(&w, s.panel.id, &s);
            assert_eq!(lines.len(), 4, "two traces, each in two halves");
            let middle = (lines[0].from + lines[1].from) * 0.5;
            let back = w.world_at(s.panel.id, middle / s.css_scale()).unwrap();
            assert!((back - w.cursor(SeriesId(1)).unwrap()).length() < 1e-6, "panel {i}: {back}");
        }
    }
}
