//! One adapter, one device, one queue, for computing only.
//!
//! Not the viewer's device: inference lives in a worker with its own wasm, which shall carry neither the reader of
//! images nor the drawing. Ending the worker is what frees a lost device and a grown heap.

use std::sync::{Arc, Mutex, PoisonError};

use futures_channel::oneshot;

use super::fault::GpuFault;

/// Why the device went away, once it has.
#[derive(Clone, Default)]
struct Lost(Arc<Mutex<Option<String>>>);

impl Lost {
    fn report(&self, why: String) {
        // The first reason stays: what follows is its consequence.
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(why);
    }

    fn why(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A device with its queue, and who it is.
pub struct Gpu {
    pub(crate) device: wgpu::Device,
    pub(crate) queue: wgpu::Queue,
    name: String,
    software: bool,
    f16: bool,
    limits: wgpu::Limits,
    lost: Lost,
}

impl Gpu {
    /// The browser's WebGPU, natively whatever Vulkan offers; hardware first.
    ///
    /// # Errors
    /// Where there is no adapter, or it gives no device that computes.
    pub async fn request() -> Result<Self, GpuFault> {
        Self::request_within(None).await
    }

    /// As `request`, with no more than these limits: what a browser promises on every machine is
    /// `wgpu::Limits::default()`.
    ///
    /// # Errors
    /// As `request`.
    pub async fn request_within(limits: Option<wgpu::Limits>) -> Result<Self, GpuFault> {
        let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        descriptor.backends = if cfg!(target_arch = "wasm32") {
            wgpu::Backends::BROWSER_WEBGPU
        } else {
            wgpu::Backends::VULKAN
        };
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = wgpu::Instance::new(descriptor)
            .request_adapter(&options)
            .await
            .map_err(|e| GpuFault::NoAdapter(e.to_string()))?;
        let info = adapter.get_info();
        let name = adapter_name(&info);
        let f16 = adapter.features().contains(wgpu::Features::SHADER_F16);
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("isocenter inference"),
            required_features: if f16 { wgpu::Features::SHADER_F16 } else { wgpu::Features::empty() },
            // What the adapter has: the default 128 MiB storage binding is less than one activation of a volume.
            required_limits: limits.unwrap_or_else(|| adapter.limits()),
            ..Default::default()
        };
        let (device, queue) = adapter
            .request_device(&descriptor)
            .await
            .map_err(|e| GpuFault::NoDevice { adapter: name.clone(), why: e.to_string() })?;
        let lost = Lost::default();
        let reporter = lost.clone();
        device.set_device_lost_callback(move |reason, message| {
            reporter.report(format!("{reason:?}: {message}"));
        });
        #[cfg(target_arch = "wasm32")]
        let name = browser_name(&device).unwrap_or(name);
        let limits = device.limits();
        if limits.max_compute_workgroups_per_dimension == 0 {
            return Err(GpuFault::NoDevice { adapter: name, why: "it has no compute shaders".to_owned() });
        }
        let software = info.device_type == wgpu::DeviceType::Cpu || names_software(&name);
        Ok(Self { device, queue, name, software, f16, limits, lost })
    }

    /// The adapter as the driver or browser names it.
    pub fn adapter_name(&self) -> &str {
        &self.name
    }

    /// Whether a CPU plays the GPU (SwiftShader, lavapipe, WARP): the CPU's own kernels are faster then.
    pub fn is_software(&self) -> bool {
        self.software
    }

    /// Whether shaders may compute in half precision.
    pub fn has_f16(&self) -> bool {
        self.f16
    }

    /// The limits of the device.
    pub fn limits(&self) -> &wgpu::Limits {
        &self.limits
    }

    /// Largest storage binding in bytes.
    pub fn largest_binding(&self) -> u64 {
        self.limits.max_storage_buffer_binding_size.min(self.limits.max_buffer_size)
    }

    /// What the driver or browser said when the device was lost; `None` while it is there.
    pub fn lost_why(&self) -> Option<String> {
        self.lost.why()
    }

    /// Loses the device as a driver reset would, for tests.
    pub fn lose_for_test(&self) {
        self.device.destroy();
        // Natively nobody polls for us.
        #[cfg(not(target_arch = "wasm32"))]
        let _ = self.device.poll(wgpu::PollType::Poll);
    }

    /// The device is lost, or the reason given is the fault.
    pub(crate) fn lost_or(&self, otherwise: impl FnOnce() -> GpuFault) -> GpuFault {
        self.lost.why().map_or_else(otherwise, GpuFault::Lost)
    }

    /// Waits for an answer of the device without blocking the browser's event loop.
    pub(crate) async fn wait<T>(&self, receiver: oneshot::Receiver<T>) -> Result<T, GpuFault> {
        #[cfg(not(target_arch = "wasm32"))]
        self.device
            .poll(wgpu::PollType::wait_indefinitely())
            .map_err(|e| self.lost_or(|| GpuFault::Readback(e.to_string())))?;
        receiver.await.map_err(|_| self.lost_or(|| GpuFault::Readback("no reason given".to_owned())))
    }
}

/// Vendor and architecture, which wgpu does not pass on: in browsers they are all that tells a software adapter.
#[cfg(target_arch = "wasm32")]
fn browser_name(device: &wgpu::Device) -> Option<String> {
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

/// By name too, because WebGPU's device type is "other" where the software adapter is not the fallback one.
fn names_software(name: &str) -> bool {
    let name = name.to_lowercase();
    ["swiftshader", "llvmpipe", "lavapipe", "basic render", "warp"].iter().any(|known| name.contains(known))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_is_known_by_its_names() {
        assert!(names_software("llvmpipe (LLVM 15.0.6, 256 bits)"));
        assert!(names_software("Google SwiftShader"));
        assert!(!names_software("nvidia ampere"));
        assert!(!names_software("unnamed adapter"));
    }

    #[test]
    fn the_first_reason_of_a_loss_stays() {
        let lost = Lost::default();
        assert_eq!(lost.why(), None);
        lost.report("driver reset".to_owned());
        lost.report("second".to_owned());
        assert_eq!(lost.why().as_deref(), Some("driver reset"));
    }
}
