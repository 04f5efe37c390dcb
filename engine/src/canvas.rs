//! The one canvas: drawn by WebGPU, by WebGL2, or by the CPU twin through a 2D context.
//!
//! One canvas holds every panel because a WebGL2 context belongs to one canvas. A canvas keeps the first kind of
//! context it gave, so a GPU that fails late costs the canvas; the page is then asked for a new one.

use std::sync::Arc;

use gpu_kernels::display::slice::{OverlayDraw, PanelDraw, PanelRect, Redraw, Shown, Source, Style, cpu};
use gpu_kernels::{ArrivedSlices, BackendKind, GpuError, Labels};
use protocol::{Backend, BackendInfo, OverlayStyle, Panel, Scene};
use scene::Colormap;
use web_sys::OffscreenCanvas;

use crate::gpu_canvas::GpuCanvas;
use crate::pixel_canvas::{Picture, PixelCanvas};
use crate::session::Loaded;

/// What draws.
pub enum Canvas {
    /// WebGPU or WebGL2.
    Gpu(Box<GpuCanvas>),
    /// The CPU twin; the picture is handed to a 2D context.
    Cpu(Box<TwinCanvas>),
}

impl Canvas {
    /// Draws a scene and hands it to the browser.
    pub async fn draw(&mut self, scene: &Scene, loaded: &[Loaded]) -> Result<(), String> {
        if scene.width_px == 0 || scene.height_px == 0 {
            return Ok(());
        }
        match self {
            Self::Gpu(gpu) => gpu.draw(scene, loaded).await,
            Self::Cpu(cpu) => {
                cpu.draw(scene, loaded);
                cpu.pixels.present()
            }
        }
    }

    /// The scene as it is on the canvas.
    pub async fn capture(&mut self, scene: &Scene, loaded: &[Loaded]) -> Result<Picture, String> {
        match self {
            Self::Gpu(gpu) => gpu.capture(scene, loaded).await,
            Self::Cpu(cpu) => Ok(cpu.pixels.picture()),
        }
    }
}

/// What a panel draws of a loaded series; `None` while the series is not there, or its time point does not exist.
pub fn panel_draw<'a>(panel: &Panel, loaded: &'a [Loaded]) -> Option<(PanelDraw, &'a Loaded)> {
    let series = loaded.iter().find(|l| l.series == panel.series)?;
    let volume = series.volume();
    if panel.time_index >= volume.time_points || panel.width_px == 0 || panel.height_px == 0 {
        return None;
    }
    let rect = PanelRect {
        x_px: panel.x_px,
        y_px: panel.y_px,
        width_px: panel.width_px,
        height_px: panel.height_px,
    };
    let mut draw = PanelDraw::of_view(&panel.view, &volume.grid, volume, rect, panel.window, panel.invert);
    draw.overlay = panel
        .overlay
        .as_ref()
        .and_then(|o| OverlayDraw::of_values(volume, [o.lowest, o.highest], o.region, &o.palette))
        .map(|draw| OverlayDraw {
            style: panel.overlay.as_ref().map_or(Style::Fill, |o| style(o.style)),
            ..draw
        });
    draw.colours = (panel.colormap != Colormap::Grey).then(|| Arc::new(panel.colormap.table()));
    Some((draw, series))
}

fn style(style: OverlayStyle) -> Style {
    match style {
        OverlayStyle::Fill => Style::Fill,
        OverlayStyle::Outline(px) => Style::Outline(px),
        OverlayStyle::Both(px) => Style::Both(px),
    }
}

/// The labels that a panel's overlay colours by.
pub fn shown_labels<'a>(panel: &Panel, series: &'a Loaded) -> Option<&'a Labels> {
    series.labels_of(panel.overlay.as_ref()?.labels)
}

/// A canvas that the CPU twin of the slice pass draws on, and what is on it.
pub struct TwinCanvas {
    pixels: PixelCanvas,
    shown: Shown,
}

impl TwinCanvas {
    fn new(canvas: OffscreenCanvas) -> Result<Self, String> {
        Ok(Self { pixels: PixelCanvas::new(canvas)?, shown: Shown::default() })
    }

    /// Draws what is not on the canvas as it shall be.
    fn draw(&mut self, scene: &Scene, loaded: &[Loaded]) {
        let size_px = [scene.width_px, scene.height_px];
        let panels = scene.panels.iter().filter_map(|panel| {
            let fits = panel.x_px + panel.width_px <= scene.width_px
                && panel.y_px + panel.height_px <= scene.height_px;
            let (draw, series) = panel_draw(panel, loaded).filter(|_| fits)?;
            let labels = shown_labels(panel, series);
            let source = Source {
                series: panel.series.0,
                time_index: panel.time_index,
                slices: arrivals(series, panel.time_index).count(),
                epoch: series.epoch,
                labels: labels.map_or(0, Labels::revision),
            };
            Some(((draw, source), (series, labels)))
        });
        let (panels, series): (Vec<_>, Vec<_>) = panels.unzip();
        let next = Shown { size_px, panels };
        let (pixels, stale) = match self.shown.redraw(&next) {
            Redraw::All => (self.pixels.begin(scene.width_px, scene.height_px), (0..series.len()).collect()),
            Redraw::Some(stale) => (self.pixels.go_on(), stale),
        };
        let stride_bytes = scene.width_px as usize * 4;
        let [width_px, height_px] = size_px;
        let mut picture = cpu::Picture { pixels, width_px, height_px, stride_bytes };
        for i in stale {
            let ((draw, source), (series, labels)) = (&next.panels[i], series[i]);
            let volume = series.volume();
            let mut arrived = ArrivedSlices::none(volume.grid.dims()[2]);
            arrivals(series, source.time_index).for_each(|slice| arrived.mark(slice));
            cpu::draw(draw, volume, source.time_index, &arrived, labels, &mut picture);
        }
        self.shown = next;
    }
}

/// The slices of a time point that have arrived.
fn arrivals(series: &Loaded, time_index: u32) -> impl Iterator<Item = u32> {
    series.placed.iter().filter(move |[time, _]| *time == time_index).map(|[_, slice]| *slice)
}

/// What the badge says of the CPU path.
pub fn cpu_info(passed_over: Vec<String>) -> BackendInfo {
    BackendInfo { backend: Backend::Cpu, adapter: "CPU".into(), software: true, passed_over }
}

/// A canvas that can be drawn on, and why better ways were passed over.
pub struct Taken {
    pub canvas: Canvas,
    pub info: BackendInfo,
}

/// A canvas was used up by a backend that failed after taking it.
pub struct Spoilt {
    /// Not to be tried again.
    pub backend: Backend,
    pub why: String,
}

/// The order in which backends are tried: the forced one first, then what is left of preference. Software
/// adapters are passed over on the way (`docs/decisions/0005-software-adapters-are-passed-over.md`).
pub fn candidates(force: Option<Backend>, spoilt: &[Backend]) -> Vec<Backend> {
    let all = [Backend::WebGpu, Backend::WebGl2, Backend::Cpu];
    let first = force.and_then(|f| all.iter().position(|b| *b == f)).unwrap_or(0);
    all[first..].iter().copied().filter(|b| !spoilt.contains(b)).collect()
}

/// Takes the canvas for the best backend that works. `copied`: presenting on it cost a device before.
pub async fn take(
    canvas: OffscreenCanvas,
    force: Option<Backend>,
    spoilt: &[Backend],
    copied: bool,
    passed_over: &mut Vec<String>,
) -> Result<Taken, Spoilt> {
    for backend in candidates(force, spoilt) {
        let kind = match backend {
            Backend::WebGpu => BackendKind::WebGpu,
            Backend::WebGl2 => BackendKind::WebGl2,
            Backend::Cpu => {
                let cpu = TwinCanvas::new(canvas).map_err(|why| Spoilt { backend: Backend::WebGl2, why })?;
                return Ok(Taken {
                    canvas: Canvas::Cpu(Box::new(cpu)),
                    info: cpu_info(std::mem::take(passed_over)),
                });
            }
        };
        let forced = force == Some(backend);
        match GpuCanvas::new(canvas.clone(), kind, forced, copied).await {
            Ok(gpu) => {
                let info = BackendInfo {
                    backend,
                    adapter: gpu.gpu.adapter_name().to_owned(),
                    software: gpu.gpu.is_software(),
                    passed_over: std::mem::take(passed_over),
                };
                return Ok(Taken { canvas: Canvas::Gpu(Box::new(gpu)), info });
            }
            Err(error) => {
                passed_over.push(format!("{}: {error}", backend.name()));
                // Software is found out before the canvas is taken. Without an adapter nothing has touched the
                // canvas on WebGPU, and a WebGL2 context that was never given leaves it free as well.
                let untouched = match (kind, &error) {
                    (_, GpuError::Software(_)) => true,
                    (BackendKind::WebGl2, error) => matches!(error, GpuError::NoSurface(..)),
                    (_, error) => matches!(error, GpuError::NoAdapter(..) | GpuError::NoDevice(..)),
                };
                if !untouched {
                    return Err(Spoilt { backend, why: error.to_string() });
                }
            }
        }
    }
    Err(Spoilt { backend: Backend::Cpu, why: "no backend is left to try".into() })
}
