//! Over the picture: where the artery, the vein and the pinned points are.

use leptos::prelude::*;
use scene::{DVec2, DVec3};

use super::curves::COLOURS;
use crate::ctx::Ctx;
use crate::state::Workspace;
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
    let view_box = move || shown.with(|s| s.as_ref().map(Shown::view_box));
    view! {
        <svg class="marks" viewBox=view_box preserveAspectRatio="none" aria-hidden="true" data-testid="flow-marks">
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

fn marks(w: &Workspace, s: &Shown) -> Vec<Mark> {
    let Some(desk) = w.flow() else { return Vec::new() };
    let Some(volume) = w.volumes.get(&s.panel.series) else { return Vec::new() };
    if w.root(s.panel.series) != desk.series {
        return Vec::new();
    }
    let m = s.screen_from_world(&volume.grid);
    let scale = s.css_scale();
    let normal = s.panel.view.plane.world_from_plane(&volume.grid).z_axis;
    let half_mm = 0.5 * s.panel.view.slice_step(&volume.grid).max(s.panel.view.slab.thickness) + 1e-6;
    let seen = |at: DVec3| ((at - s.panel.view.centre_world).dot(normal)).abs() <= half_mm;
    let project = |at: DVec3| m.transform_point3(at).truncate() * scale;
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
