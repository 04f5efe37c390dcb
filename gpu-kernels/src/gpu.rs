//! One adapter, one device, one queue, and what they are called.
//!
//! WebGPU and WebGL2 live in one wasm and are chosen at run time; the caller tries one after the other. A
//! canvas takes one kind of context for life, so nothing touches it before an adapter has answered, where
//! the backend allows that (WebGPU does, WebGL2 is made from the canvas).

use std::future::Future;

use crate::lost::Lost;

/// Which of wgpu's backends carries the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendKind {
    /// In the browser; draws and computes.
    WebGpu,
    /// In the browser; draws, computing is left to the CPU twins.
    WebGl2,
    /// Natively: tests, benches, the command line.
    Vulkan,
}

/// Why there is no device.
#[derive(Clone, Debug, thiserror::Error)]
pub enum GpuError {
    /// Nothing that could draw.
    #[error("no {0:?} adapter: {1}")]
    NoAdapter(BackendKind, String),
    /// The adapter is there but gives no device.
    #[error("the adapter {0} gives no device: {1}")]
    NoDevice(String, String),
    /// The canvas has another context already, or the browser refuses one.
    #[error("the canvas gives no {0:?} context: {1}")]
    NoSurface(BackendKind, String),
    /// A CPU plays the GPU, and nobody asked for that.
    #[error("{0} is a software adapter: the CPU draws faster")]
    Software(String),
    /// No 8-bit format without sRGB encoding, so grey levels would not arrive unchanged.
    #[error("the canvas offers none of the formats Rgba8Unorm and Bgra8Unorm, only {0}")]
    NoFormat(String),
}

/// A device with its queue, and who it is.
pub struct Gpu {
    #[cfg(target_arch = "wasm32")]
    pub(crate) adapter: wgpu::Adapter,
    /// For work that this crate has no wrapper for.
    pub device: wgpu::Device,
    /// See `device`.
    pub queue: wgpu::Queue,
    kind: BackendKind,
    name: String,
    software: bool,
    pub(crate) lost: Lost,
    #[cfg(target_arch = "wasm32")]
    pub(crate) canvas: Option<web_sys::OffscreenCanvas>,
    // Kept because adapter and surface are of this instance.
    #[cfg_attr(
        not(target_arch = "wasm32"),
        expect(dead_code, reason = "surfaces are made from it in the browser")
    )]
    pub(crate) instance: wgpu::Instance,
}

impl Gpu {
    /// Any Vulkan adapter, hardware first; in tests that is lavapipe.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn headless() -> Result<Self, GpuError> {
        Self::headless_within(None).await
    }

    /// As `headless`, with no more than these limits: what a browser promises on every machine is
    /// `wgpu::Limits::default()`.
    #[cfg(not(target_arch = "wasm32"))]
    pub async fn headless_within(limits: Option<wgpu::Limits>) -> Result<Self, GpuError> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = wgpu::Backends::VULKAN;
        let instance = wgpu::Instance::new(descriptor);
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance
            .request_adapter(&options)
            .await
            .map_err(|e| GpuError::NoAdapter(BackendKind::Vulkan, e.to_string()))?;
        let limits = limits.unwrap_or_else(|| adapter.limits());
        Self::with_limits(instance, adapter, BackendKind::Vulkan, limits).await
    }

    #[cfg(target_arch = "wasm32")]
    pub(crate) async fn from_adapter(
        instance: wgpu::Instance,
        adapter: wgpu::Adapter,
        kind: BackendKind,
    ) -> Result<Self, GpuError> {
        // What the adapter has: the default 128 MiB storage binding is less than a CT.
        let limits = adapter.limits();
        Self::with_limits(instance, adapter, kind, limits).await
    }

    async fn with_limits(
        instance: wgpu::Instance,
        adapter: wgpu::Adapter,
        kind: BackendKind,
        required_limits: wgpu::Limits,
    ) -> Result<Self, GpuError> {
        let info = adapter.get_info();
        let name = adapter_name(&info);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("isocenter"),
            required_features: wgpu::Features::empty(),
            required_limits,
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| GpuError::NoDevice(name.clone(), e.to_string()))?;
        let lost = Lost::default();
        let reporter = lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            reporter.report(format!("{reason:?}: {message}"));
        });
        #[cfg(target_arch = "wasm32")]
        let name = crate::surface::webgpu_adapter_name(&device).unwrap_or(name);
        let software = is_software(&info, &name);
        Ok(Self {
            #[cfg(target_arch = "wasm32")]
            adapter,
            device,
            queue,
            kind,
            name,
            software,
            lost,
            #[cfg(target_arch = "wasm32")]
            canvas: None,
            instance,
        })
    }

    /// Which backend carries the device.
    pub fn kind(&self) -> BackendKind {
        self.kind
    }

    /// The adapter as the driver or browser names it.
    pub fn adapter_name(&self) -> &str {
        &self.name
    }

    /// Whether a CPU plays the GPU (SwiftShader, lavapipe, WARP).
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// Whether kernels can run here; otherwise their twins do.
    pub fn can_compute(&self) -> bool {
        self.device.limits().max_compute_workgroups_per_dimension > 0
    }

    /// The limits of the device, which are the adapter's.
    pub fn limits(&self) -> wgpu::Limits {
        self.device.limits()
    }

    /// Whether the device is lost: everything made from it draws nothing any more.
    pub fn is_lost(&self) -> bool {
        self.lost.why().is_some()
    }

    /// What the driver or browser said when the device was lost.
    pub fn lost_why(&self) -> Option<String> {
        self.lost.why()
    }

    /// Resolves with the reason when the device is lost; at once if it already is.
    pub fn lost(&self) -> impl Future<Output = String> + 'static {
        self.lost.wait()
    }

    /// Loses the device as a driver reset would, for tests.
    pub fn lose_for_test(&self) {
        #[cfg(target_arch = "wasm32")]
        if self.kind == BackendKind::WebGl2 {
            if let Some(canvas) = &self.canvas {
                crate::surface::lose_webgl_context(canvas);
            }
            return;
        }
        self.device.destroy();
        #[cfg(not(target_arch = "wasm32"))]
        {
            // Natively nobody polls for us.
            let _ = self.device.poll(wgpu::PollType::Poll);
        }
    }
}

fn adapter_name(info: &wgpu::AdapterInfo) -> String {
    // WebGPU leaves the name empty in some browsers and gives vendor and architecture in `driver` fields.
    let parts = [info.name.as_str(), info.driver.as_str(), info.driver_info.as_str()];
    let mut seen: Vec<&str> = Vec::new();
    for part in parts.into_iter().map(str::trim).filter(|part| !part.is_empty()) {
        if !seen.contains(&part) {
            seen.push(part);
        }
    }
    if seen.is_empty() { "unnamed adapter".to_owned() } else { seen.join(", ") }
}

fn is_software(info: &wgpu::AdapterInfo, name: &str) -> bool {
    info.device_type == wgpu::DeviceType::Cpu || names_software(name)
}

/// By name, because browsers tell nothing else: WebGL2 has no device type, and WebGPU's is "other" where the
/// software adapter is not the fallback one.
pub(crate) fn names_software(name: &str) -> bool {
    let name = name.to_lowercase();
    ["swiftshader", "llvmpipe", "lavapipe", "softpipe", "software rasterizer", "basic render", "warp"]
        .iter()
        .any(|known| name.contains(known))
}

#[cfg(test)]
mod tests {
    use super::names_software;

    #[test]
    fn software_is_known_by_its_names() {
        for name in [
            "google swiftshader",
            "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device (Subzero) (0x0000C0DE)), SwiftShader driver)",
            "llvmpipe (LLVM 15.0.6, 256 bits)",
            "ANGLE (Microsoft, Microsoft Basic Render Driver (0x0000008C) Direct3D11 vs_5_0 ps_5_0, D3D11)",
            "Mesa Software Rasterizer",
        ] {
            assert!(names_software(name), "{name}");
        }
        for name in [
            "nvidia ampere",
            "ANGLE (Intel, Mesa Intel(R) UHD Graphics 620 (KBL GT2), OpenGL 4.6)",
            "ANGLE (AMD, AMD Radeon RX 6700 XT (0x000073DF) Direct3D11 vs_5_0 ps_5_0, D3D11)",
            "apple metal-3",
            "unnamed adapter",
        ] {
            assert!(!names_software(name), "{name}");
        }
    }
}
