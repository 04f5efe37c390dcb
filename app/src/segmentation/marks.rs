//! The stroke that is being drawn, over the picture: what will be labelled when the button is let go.

use leptos::prelude::*;

use crate::ctx::Ctx;
use crate::state::PanelId;
use crate::state::segmentation::Brush;
use crate::viewer::{Shown, outline};

#[component]
pub fn StrokeMark(id: PanelId, shown: Memo<Option<Shown>>) -> impl IntoView {
    let ctx = Ctx::here();
    let line = Memo::new(move |_| {
        let shown = shown.get()?;
        ctx.workspace.with(|w| {
            let labelling = w.labelling()?;
            let stroke = labelling.stroke.as_ref().filter(|s| s.panel == id)?;
            let grid = &w.volumes.get(&shown.panel.series)?.grid;
            let (m, scale) = (shown.screen_from_world(grid), shown.css_scale());
            let points: Vec<_> =
                stroke.points.iter().map(|p| m.transform_point3(*p).truncate() * scale).collect();
            let width = 2.0 * labelling.radius_mm / shown.panel.view.world_per_px * scale.x;
            let colour = match (stroke.brush, labelling.segment(labelling.active)) {
                (Brush::Erase, _) | (_, None) => "white".to_owned(),
                (_, Some(s)) => format!("rgb({} {} {})", s.colour[0], s.colour[1], s.colour[2]),
            };
            // A dot is a line of no length with round ends.
            let path = if points.len() == 1 {
                outline(&[points[0], points[0]], false)
            } else {
                outline(&points, false)
            };
            Some((path, width, colour))
        })
    });
    let view_box = move || shown.with(|s| s.as_ref().map(Shown::view_box));
    view! {
        <Show when=move || line.with(Option::is_some)>
            <svg class="marks" viewBox=view_box preserveAspectRatio="none" aria-hidden="true">
                {move || {
                    line.get()
                        .map(|(path, width, colour)| {
                            view! { <path d=path fill="none" stroke=colour stroke-width=width stroke-linecap="round" stroke-linejoin="round" stroke-opacity="0.45" /> }
                        })
                }}
            </svg>
        </Show>
    }
}
