//! A browser canvas as a target: the context, its format, its size, its loss.
//!
//! The format has no sRGB encoding, because the shader computes the 8-bit level that the screen shall get and
//! any conversion on the way would change it.

use wasm_bindgen::prelude::*;
use web_sys::{OffscreenCanvas, WebGl2RenderingContext, WebglLoseContext};

use crate::gpu::{BackendKind, Gpu, GpuError, names_software};

/// Why a frame could not be started.
#[derive(Clone, Debug, thiserror::Error)]
pub enum SurfaceError {
    /// Nothing wrong, only no frame now (the tab is hidden, the browser is busy).
    #[error("the browser has no frame to draw on at present ({0}); draw again later")]
    NotNow(&'static str),
    /// The context is gone.
    #[error("the canvas lost its context; make a new canvas")]
    Lost,
}

/// The canvas as the GPU sees it.
pub struct CanvasSurface {
    surface: wgpu::Surface<'static>,
    configuration: wgpu::SurfaceConfiguration,
    largest: u32,
}

/// One frame: draw into `view`, then `present`.
pub struct Frame {
    texture: wgpu::SurfaceTexture,
    /// The target.
    pub view: wgpu::TextureView,
    /// Its size in pixels.
    pub width_px: u32,
    /// See `width_px`.
    pub height_px: u32,
}

impl Gpu {
    /// The browser's WebGPU, with no canvas touched.
    pub async fn webgpu() -> Result<Self, GpuError> {
        let instance = instance(wgpu::Backends::BROWSER_WEBGPU);
        let adapter = adapter(&instance, BackendKind::WebGpu, None).await?;
        Self::from_adapter(instance, adapter, BackendKind::WebGpu).await
    }

    /// Takes a canvas for this WebGPU device.
    pub fn attach(&mut self, canvas: OffscreenCanvas) -> Result<CanvasSurface, GpuError> {
        let surface = surface(&self.instance, &canvas, self.kind())?;
        let surface = CanvasSurface::new(surface, self, canvas.width(), canvas.height())?;
        self.canvas = Some(canvas);
        Ok(surface)
    }

    /// Takes a canvas for WebGL2, which has no adapter without one.
    pub async fn webgl2(canvas: OffscreenCanvas) -> Result<(Self, CanvasSurface), GpuError> {
        let kind = BackendKind::WebGl2;
        let instance = instance(wgpu::Backends::GL);
        let surface = surface(&instance, &canvas, kind)?;
        let adapter = adapter(&instance, kind, Some(&surface)).await?;
        let mut gpu = Self::from_adapter(instance, adapter, kind).await?;
        watch_webgl_context(&canvas, &gpu);
        let surface = CanvasSurface::new(surface, &gpu, canvas.width(), canvas.height())?;
        gpu.canvas = Some(canvas);
        Ok((gpu, surface))
    }
}

/// Fails where WebGL2 is drawn by a CPU. It is asked on a canvas of its own, because the canvas that is asked
/// takes no other context any more.
pub fn expect_webgl2_hardware() -> Result<(), GpuError> {
    // WEBGL_debug_renderer_info, UNMASKED_RENDERER_WEBGL
    const UNMASKED_RENDERER: u32 = 0x9246;
    let Ok(Some(context)) = OffscreenCanvas::new(1, 1).and_then(|canvas| canvas.get_context("webgl2")) else {
        // Whoever takes the real canvas will say what is missing.
        return Ok(());
    };
    let context: WebGl2RenderingContext = context.unchecked_into();
    // Without the extension the parameter is not to be had (Firefox gives the name by the plain one).
    let which = match context.get_extension("WEBGL_debug_renderer_info") {
        Ok(Some(_)) => UNMASKED_RENDERER,
        _ => WebGl2RenderingContext::RENDERER,
    };
    let name = context.get_parameter(which).ok().and_then(|name| name.as_string()).unwrap_or_default();
    lose(&context);
    if names_software(&name) { Err(GpuError::Software(name)) } else { Ok(()) }
}

fn instance(backends: wgpu::Backends) -> wgpu::Instance {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = backends;
    wgpu::Instance::new(descriptor)
}

async fn adapter(
    instance: &wgpu::Instance,
    kind: BackendKind,
    surface: Option<&wgpu::Surface<'static>>,
) -> Result<wgpu::Adapter, GpuError> {
    let options = wgpu::RequestAdapterOptions {
        power_preference: wgpu::PowerPreference::HighPerformance,
        compatible_surface: surface,
        ..Default::default()
    };
    instance.request_adapter(&options).await.map_err(|e| GpuError::NoAdapter(kind, e.to_string()))
}

fn surface(
    instance: &wgpu::Instance,
    canvas: &OffscreenCanvas,
    kind: BackendKind,
) -> Result<wgpu::Surface<'static>, GpuError> {
    instance
        .create_surface(wgpu::SurfaceTarget::OffscreenCanvas(canvas.clone()))
        .map_err(|e| GpuError::NoSurface(kind, e.to_string()))
}

impl CanvasSurface {
    fn new(
        surface: wgpu::Surface<'static>,
        gpu: &Gpu,
        width_px: u32,
        height_px: u32,
    ) -> Result<Self, GpuError> {
        let offered = surface.get_capabilities(&gpu.adapter);
        let format = offered
            .formats
            .iter()
            .copied()
            .find(|f| matches!(f, wgpu::TextureFormat::Rgba8Unorm | wgpu::TextureFormat::Bgra8Unorm))
            .ok_or_else(|| GpuError::NoFormat(format!("{:?}", offered.formats)))?;
        let alpha_mode = if offered.alpha_modes.contains(&wgpu::CompositeAlphaMode::Opaque) {
            wgpu::CompositeAlphaMode::Opaque
        } else {
            // WebGL2 names none; every pass writes alpha 1.
            wgpu::CompositeAlphaMode::Auto
        };
        let configuration = wgpu::SurfaceConfiguration {
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
            format,
            color_space: wgpu::SurfaceColorSpace::Auto,
            width: width_px.max(1),
            height: height_px.max(1),
            present_mode: wgpu::PresentMode::Fifo,
            desired_maximum_frame_latency: 2,
            alpha_mode,
            view_formats: Vec::new(),
        };
        surface.configure(&gpu.device, &configuration);
        Ok(Self { surface, configuration, largest: gpu.limits().max_texture_dimension_2d })
    }

    /// What a pass must be made for.
    pub fn format(&self) -> wgpu::TextureFormat {
        self.configuration.format
    }

    /// Gives the canvas this many device pixels, at least one and at most what the adapter can.
    pub fn resize(&mut self, gpu: &Gpu, width_px: u32, height_px: u32) {
        let width = width_px.clamp(1, self.largest);
        let height = height_px.clamp(1, self.largest);
        if (width, height) != (self.configuration.width, self.configuration.height) {
            self.configuration.width = width;
            self.configuration.height = height;
            self.surface.configure(&gpu.device, &self.configuration);
        }
    }

    /// The next frame.
    pub fn frame(&self, gpu: &Gpu) -> Result<Frame, SurfaceError> {
        use wgpu::CurrentSurfaceTexture as Current;
        let take = || match self.surface.get_current_texture() {
            Current::Success(texture) | Current::Suboptimal(texture) => Ok(texture),
            Current::Timeout => Err(SurfaceError::NotNow("timeout")),
            Current::Occluded => Err(SurfaceError::NotNow("hidden")),
            Current::Outdated => Err(SurfaceError::NotNow("outdated")),
            Current::Lost | Current::Validation => Err(SurfaceError::Lost),
        };
        let texture = match take() {
            Err(SurfaceError::NotNow("outdated")) => {
                self.surface.configure(&gpu.device, &self.configuration);
                take()?
            }
            other => other?,
        };
        let view = texture.texture.create_view(&Default::default());
        Ok(Frame { texture, view, width_px: self.configuration.width, height_px: self.configuration.height })
    }
}

impl Frame {
    /// Hands the frame to the browser.
    pub fn present(self, gpu: &Gpu) {
        gpu.queue.present(self.texture);
    }
}

/// wgpu does not listen for a lost WebGL2 context; this does.
fn watch_webgl_context(canvas: &OffscreenCanvas, gpu: &Gpu) {
    let lost = gpu.lost.clone();
    let listener = Closure::<dyn FnMut()>::new(move || lost.report("the WebGL2 context was lost".to_owned()));
    // An error here means that the browser knows no events on the canvas; then the loss shows in `frame`.
    let _ = canvas.add_event_listener_with_callback("webglcontextlost", listener.as_ref().unchecked_ref());
    // The listener lives as long as the canvas, which JavaScript owns.
    listener.forget();
}

pub(crate) fn lose_webgl_context(canvas: &OffscreenCanvas) {
    let Ok(Some(context)) = canvas.get_context("webgl2") else { return };
    lose(&context.unchecked_into());
}

fn lose(context: &WebGl2RenderingContext) {
    if let Ok(Some(extension)) = context.get_extension("WEBGL_lose_context") {
        extension.unchecked_into::<WebglLoseContext>().lose_context();
    }
}

/// Vendor and architecture, which wgpu does not pass on.
pub(crate) fn webgpu_adapter_name(device: &wgpu::Device) -> Option<String> {
    let device = device.as_webgpu()?;
    let info = js_sys::Reflect::get(device.as_ref(), &"adapterInfo".into()).ok()?;
    let mut parts: Vec<String> = Vec::new();
    for field in ["vendor", "architecture", "device", "description"] {
        let text = js_sys::Reflect::get(&info, &field.into()).ok().and_then(|v| v.as_string());
        if let Some(text) = text.filter(|text| !text.is_empty() && !parts.contains(text)) {
            parts.push(text);
        }
    }
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Gives the event loop a turn: the next task, not merely the next microtask.
pub(crate) async fn next_task() {
    let promise = js_sys::Promise::new(&mut |resolve, _| {
        let global = js_sys::global();
        let set_timeout = js_sys::Reflect::get(&global, &"setTimeout".into())
            .ok()
            .and_then(|f| f.dyn_into::<js_sys::Function>().ok());
        match set_timeout {
            Some(set_timeout) => {
                let _ = set_timeout.call2(&global, &resolve, &0.into());
            }
            None => {
                let _ = resolve.call0(&JsValue::NULL);
            }
        }
    });
    // It never rejects.
    let _ = wasm_bindgen_futures::JsFuture::from(promise).await;
}
