//! The newest scene, sent at most once per animation frame and never faster than the engine draws.
//! A slow engine would otherwise collect a queue of scenes nobody will see.

use protocol::{Overlay, Panel, Scene};

use super::calcium::Desk;
use super::workspace::{PanelState, Workspace};

/// Scenes that may be under way at once: one being drawn, one to follow without a pause.
const MOST_UNDER_WAY: u32 = 2;
/// After this long without an answer the next scene is sent anyway: a lost answer must not freeze the page.
const PATIENCE_MS: f64 = 1_000.0;

/// What was sent and what was drawn.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outbox {
    sent: Scene,
    drawn: u32,
    sent_at_ms: f64,
}

/// Everything on the canvas, but for the generation.
pub fn scene_of(w: &Workspace) -> Scene {
    let px = |css: f64| (css * w.device_pixel_ratio).round().max(1.0) as u32;
    let panels = w
        .places()
        .into_iter()
        .filter_map(|(id, place)| {
            let p = w.panel(id)?;
            Some(Panel {
                x_px: place.px.x,
                y_px: place.px.y,
                width_px: place.px.width,
                height_px: place.px.height,
                series: p.series,
                view: p.view.clone(),
                window: p.window,
                invert: p.invert,
                time_index: p.time_index,
                overlay: overlay_of(w, p),
                colormap: p.colormap,
            })
        })
        .collect();
    Scene { generation: 0, width_px: px(w.width), height_px: px(w.height), panels }
}

/// What is marked in a panel by the analysis that is open.
fn overlay_of(w: &Workspace, panel: &PanelState) -> Option<Overlay> {
    if w.perfusion_open {
        let what = w.volumes.get(&panel.series)?.derived.map(|d| d.what);
        return w.flow_desks.get(&w.root(panel.series))?.overlay(what);
    }
    match w.desks.get(&panel.series).filter(|_| w.calcium_open) {
        Some(desk) => Some(overlay(desk, panel)),
        None => w.labels_overlay(panel.series),
    }
}

/// What is marked in a panel. While the slider is held a projection keeps the threshold it had: it costs as much
/// as all slices together, and the planes show what the slider does.
fn overlay(desk: &Desk, panel: &PanelState) -> Overlay {
    let mut overlay = desk.overlay();
    if panel.view.slab.thickness > 0.0 {
        overlay.lowest = desk.settled_hu();
    }
    overlay
}

impl Outbox {
    /// The scene to send now, if it differs from the last one and the engine keeps up.
    pub fn next(&mut self, mut scene: Scene, now_ms: f64) -> Option<Scene> {
        scene.generation = self.sent.generation;
        if scene == self.sent {
            return None;
        }
        if self.under_way() >= MOST_UNDER_WAY && now_ms - self.sent_at_ms < PATIENCE_MS {
            return None;
        }
        scene.generation += 1;
        self.sent = scene.clone();
        self.sent_at_ms = now_ms;
        Some(scene)
    }

    pub fn drawn(&mut self, generation: u32) {
        self.drawn = self.drawn.max(generation);
    }

    /// A new canvas or engine: whatever was under way is lost, and everything is to be sent again.
    pub fn forget(&mut self) {
        self.drawn = self.sent.generation;
        self.sent.width_px = 0;
    }

    pub fn under_way(&self) -> u32 {
        self.sent.generation.saturating_sub(self.drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::{Action, fixtures::ct};
    use protocol::SeriesId;

    fn open() -> Workspace {
        let mut w = Workspace::default();
        w.resize(1200.0, 800.0, 1.5);
        w.learn(SeriesId(1), ct());
        w.show(SeriesId(1));
        w
    }

    #[test]
    fn the_same_scene_is_sent_once() {
        let (mut w, mut o) = (open(), Outbox::default());
        assert_eq!(o.next(scene_of(&w), 0.0).map(|s| s.generation), Some(1));
        assert_eq!(o.next(scene_of(&w), 16.0), None);
        w.apply(Action::StepSlices(1));
        assert_eq!(o.next(scene_of(&w), 32.0).map(|s| s.generation), Some(2));
    }

    #[test]
    fn a_slow_engine_gets_the_newest_only() {
        let (mut w, mut o) = (open(), Outbox::default());
        w.apply(Action::FirstSlice);
        let mut sent = 0;
        for i in 0..20 {
            w.apply(Action::StepSlices(1));
            sent += u32::from(o.next(scene_of(&w), f64::from(i) * 16.0).is_some());
        }
        assert_eq!(sent, 2);
        o.drawn(2);
        let newest = o.next(scene_of(&w), 400.0).unwrap();
        assert_eq!(newest.panels, scene_of(&w).panels, "the latest state, not the third");
    }

    #[test]
    fn a_lost_answer_does_not_freeze_the_page() {
        let (mut w, mut o) = (open(), Outbox::default());
        for i in 0..3 {
            w.apply(Action::StepSlices(1));
            o.next(scene_of(&w), f64::from(i));
        }
        assert_eq!(o.next(scene_of(&w), 900.0), None);
        assert!(o.next(scene_of(&w), 1_100.0).is_some());
        o.forget();
        assert!(o.next(scene_of(&w), 1_101.0).is_some(), "a new canvas gets the scene again");
    }

    #[test]
    fn panels_lie_inside_the_canvas() {
        let s = scene_of(&open());
        assert_eq!((s.width_px, s.height_px, s.panels.len()), (1800, 1200, 3));
        for p in &s.panels {
            assert!(p.x_px + p.width_px <= s.width_px && p.y_px + p.height_px <= s.height_px);
        }
    }
}
