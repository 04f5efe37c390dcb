//! The canvas: taken, drawn on, lost, taken again.
//!
//! The scene and the voxels outlive it, so a lost GPU costs a redraw.

use std::rc::Rc;
use std::time::Duration;

use protocol::{Backend, Event};
use web_sys::OffscreenCanvas;

use super::Session;
use crate::canvas::{self, Canvas};
use crate::link;

/// The kernels are checked when the engine has been ready for this long and has nothing else to do.
const CHECK_AFTER: Duration = Duration::from_secs(2);

/// A device lost this soon after it was made was lost to the first frames that it showed.
const EARLY_LOSS_MS: f64 = 1000.0;

impl Session {
    /// Takes the canvas that came with a message.
    pub(super) async fn take_canvas(&mut self, canvas: Option<OffscreenCanvas>) {
        let Some(offscreen) = canvas else {
            link::problem("The page sent no canvas. Reload the page.");
            return;
        };
        self.canvas = None;
        match canvas::take(offscreen, self.force, &self.spoilt, self.copied, &mut self.passed_over).await {
            Ok(taken) => {
                if let Canvas::Gpu(gpu) = &taken.canvas {
                    let (inbox, lost) = (Rc::clone(&self.inbox), gpu.gpu.lost());
                    wasm_bindgen_futures::spawn_local(async move {
                        lost.await;
                        inbox.poke();
                    });
                }
                self.canvas = Some(taken.canvas);
                self.ready_ms = link::now_ms();
                self.stale = true;
                if self.checks.due_at_start() {
                    let inbox = Rc::clone(&self.inbox);
                    wasm_bindgen_futures::spawn_local(async move {
                        gloo_timers::future::sleep(CHECK_AFTER).await;
                        inbox.poke();
                    });
                }
                link::send(&Event::Ready { backend: taken.info });
            }
            Err(spoilt) => {
                self.spoilt.push(spoilt.backend);
                if spoilt.backend == Backend::Cpu {
                    link::problem(&format!("Nothing can be drawn in this browser: {}.", spoilt.why));
                } else {
                    link::send(&Event::CanvasWanted { why: spoilt.why });
                }
            }
        }
    }

    /// Asks for a new canvas when the GPU has gone; the scene and the voxels are still here.
    pub(super) fn notice_loss(&mut self) {
        if let Some(Canvas::Gpu(gpu)) = &self.canvas
            && let Some(why) = gpu.gpu.lost_why()
        {
            self.canvas = None;
            let now = link::now_ms();
            self.lost_ms = Some(now);
            self.copied |= now - self.ready_ms < EARLY_LOSS_MS;
            link::send(&Event::CanvasWanted { why: format!("the GPU was lost ({why})") });
        }
    }

    /// Draws the newest scene.
    pub(super) async fn draw(&mut self) {
        let begun = link::now_ms();
        let Some(canvas) = &mut self.canvas else { return };
        (self.stale, self.grown) = (false, false);
        if let Err(message) = canvas.draw(&self.scene, &self.loaded).await {
            link::problem(&message);
            return;
        }
        let now = link::now_ms();
        (self.drawn_ms, self.frame_ms) = (now, now - begun);
        link::send(&Event::Drawn { generation: self.scene.generation, frame_ms: now - begun });
        if let Some(lost_ms) = self.lost_ms.take() {
            link::send(&Event::Recovered { after_ms: now - lost_ms });
        }
    }

    /// One kernel against its twin. False: nothing to check now.
    pub(super) async fn check_step(&mut self) -> bool {
        let since_ready = Duration::from_secs_f64((link::now_ms() - self.ready_ms).max(0.0) * 1e-3);
        if self.checks.due_at_start() && self.canvas.is_some() && since_ready >= CHECK_AFTER {
            self.checks.start();
        }
        let gpu = match &self.canvas {
            Some(Canvas::Gpu(canvas)) => Some(&canvas.gpu),
            _ => None,
        };
        let went_on = self.checks.step(gpu).await;
        if self.checks.drawing_differs() && matches!(self.canvas, Some(Canvas::Gpu(_))) {
            // A GPU whose pictures are not the twin's must not draw: the twin does, and the badge says so.
            self.spoilt.extend([Backend::WebGpu, Backend::WebGl2]);
            self.passed_over.push("the slice pass differs from its CPU twin on this GPU".into());
            self.canvas = None;
            link::send(&Event::CanvasWanted { why: "this GPU draws other pictures than the CPU".into() });
        }
        went_on
    }
}
