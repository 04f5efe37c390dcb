//! The canvas drawn by a GPU, with copies of the volumes that are on the screen.
//!
//! One texture holds one time point. Copies follow the loader: what arrived since the last picture is uploaded
//! before the next one, so a series grows on the screen and an upload never waits for the last slice.

use gpu_kernels::display::slice::{PanelDraw, SlicePass};
use gpu_kernels::{
    BackendKind, CanvasSurface, Gpu, GpuError, GpuVolume, SurfaceError, VoxelFormat, expect_webgl2_hardware,
    wgpu,
};
use protocol::{Scene, SeriesId};
use web_sys::OffscreenCanvas;

use calcium::{Input, Owned, Report};
use protocol::calcium::Task;

use crate::calcium::GpuScoring;
use crate::canvas::{panel_draw, shown_labels};
use crate::link;
use crate::perfusion::GpuMapping;
use crate::pixel_canvas::{Picture, PixelCanvas};
use crate::session::Loaded;

/// Memory for time points that no panel shows at the moment: a cine over 60 of 512 x 512 x 16 (503 MB) uploads each of
/// them once and not in every round.
const SPARE_BYTES: u64 = 512 << 20;

struct Copy {
    series: SeriesId,
    /// See [`Loaded::epoch`].
    epoch: u32,
    time_index: u32,
    volume: GpuVolume,
    /// How much of `Loaded::placed` has been looked at.
    seen: usize,
    last_used: u64,
}

/// How a picture gets from the device to the page.
enum Screen {
    /// The browser shows the texture that was drawn.
    Direct { surface: CanvasSurface, pass: Box<SlicePass> },
    /// Read back and put through a 2D context. On a software adapter that costs one copy, and it works where
    /// the browser composites without a GPU: there, Chromium 156 destroys the device at the first frame that is
    /// shown directly.
    Copied(PixelCanvas),
}

/// Device, screen and copies of volumes.
pub struct GpuCanvas {
    pub gpu: Gpu,
    screen: Screen,
    /// For pictures that are read back, made at the first one.
    capture_pass: Option<SlicePass>,
    copies: Vec<Copy>,
    frame: u64,
    /// Calcium scores computed from the same copies.
    pub scoring: GpuScoring,
    /// Perfusion maps.
    pub mapping: GpuMapping,
}

impl GpuCanvas {
    /// Takes the canvas. `forced`: software adapters are taken too. `copied`: not to be presented on directly,
    /// whatever the adapter.
    pub async fn new(
        canvas: OffscreenCanvas,
        kind: BackendKind,
        forced: bool,
        copied: bool,
    ) -> Result<Self, GpuError> {
        let (gpu, screen) = if kind == BackendKind::WebGl2 {
            if !forced {
                expect_webgl2_hardware()?;
            }
            let (gpu, surface) = Gpu::webgl2(canvas).await?;
            let pass = Box::new(SlicePass::new(&gpu, surface.format()));
            (gpu, Screen::Direct { surface, pass })
        } else {
            let mut gpu = Gpu::webgpu().await?;
            if gpu.is_software() && !forced {
                return Err(GpuError::Software(gpu.adapter_name().to_owned()));
            }
            let screen = if copied || gpu.is_software() {
                Screen::Copied(PixelCanvas::new(canvas).map_err(|why| GpuError::NoSurface(kind, why))?)
            } else {
                let surface = gpu.attach(canvas)?;
                let pass = Box::new(SlicePass::new(&gpu, surface.format()));
                Screen::Direct { surface, pass }
            };
            (gpu, screen)
        };
        Ok(Self {
            gpu,
            screen,
            capture_pass: None,
            copies: Vec::new(),
            frame: 0,
            scoring: GpuScoring::default(),
            mapping: GpuMapping::default(),
        })
    }

    /// The calcium score of a series that is on the screen with all its slices; `None` where this device cannot
    /// compute or does not hold it. `epoch`: of the volume that `input` is about.
    pub async fn score(
        &mut self,
        input: &Input<'_>,
        task: &Task,
        epoch: u32,
    ) -> Option<Result<(Report, Owned), calcium::gpu::Error>> {
        let copy = self.copies.iter().find(|c| c.epoch == epoch && c.time_index == 0)?;
        if !self.gpu.can_compute() || !copy.volume.arrived().is_complete() {
            return None;
        }
        Some(self.scoring.report(&self.gpu, &copy.volume, input, task, &link::now_ms).await)
    }

    /// Brings every volume of the scene onto the GPU.
    async fn upload(&mut self, scene: &Scene, loaded: &[Loaded]) -> Result<(), String> {
        self.frame += 1;
        self.copies.retain(|c| loaded.iter().any(|l| (l.series, l.epoch) == (c.series, c.epoch)));
        for panel in &scene.panels {
            let Some((_, series)) = panel_draw(panel, loaded) else { continue };
            let volume = series.volume();
            let known = |c: &Copy| c.series == panel.series && c.time_index == panel.time_index;
            let at = match self.copies.iter().position(known) {
                Some(at) => at,
                None => {
                    let (dims, format) = (volume.grid.dims(), VoxelFormat::of(&volume.voxels));
                    self.make_room(SPARE_BYTES);
                    let mut copy = GpuVolume::allocate(&self.gpu, dims, format).await;
                    // Less memory than was hoped for: what can be had again makes room.
                    if copy.is_err() && self.make_room(0) {
                        copy = GpuVolume::allocate(&self.gpu, dims, format).await;
                    }
                    let copy = copy.map_err(|e| e.to_string())?;
                    self.copies.push(Copy {
                        series: panel.series,
                        epoch: series.epoch,
                        time_index: panel.time_index,
                        volume: copy,
                        seen: 0,
                        last_used: 0,
                    });
                    self.copies.len() - 1
                }
            };
            let copy = &mut self.copies[at];
            copy.last_used = self.frame;
            for [time_index, slice] in &series.placed[copy.seen..] {
                if *time_index == panel.time_index {
                    copy.volume
                        .upload_slices(&self.gpu, &volume.voxels, *time_index, *slice, 1)
                        .map_err(|e| e.to_string())?;
                }
            }
            copy.seen = series.placed.len();
            // Labels that no overlay shows can wait.
            if panel.overlay.is_some() {
                let labels = shown_labels(panel, series);
                copy.volume.upload_labels(&self.gpu, labels).await.map_err(|e| e.to_string())?;
            }
        }
        Ok(())
    }

    /// Gives the memory of copies back that this picture has not used, oldest first, until they fit. Whether there was
    /// one.
    fn make_room(&mut self, bytes: u64) -> bool {
        let before = self.copies.len();
        loop {
            let spare = || (0..self.copies.len()).filter(|i| self.copies[*i].last_used < self.frame);
            let held: u64 = spare().map(|i| self.copies[i].volume.byte_len()).sum();
            match spare().min_by_key(|i| self.copies[*i].last_used) {
                Some(oldest) if held > bytes => {
                    self.copies.swap_remove(oldest);
                }
                _ => return self.copies.len() < before,
            }
        }
    }

    /// Draws a scene onto the canvas.
    pub async fn draw(&mut self, scene: &Scene, loaded: &[Loaded]) -> Result<(), String> {
        if let Screen::Copied(_) = self.screen {
            let drawn = self.capture(scene, loaded).await;
            let Screen::Copied(pixels) = &mut self.screen else { return Ok(()) };
            // A lost device is noticed by the loop, which draws again on the next one.
            if self.gpu.is_lost() {
                return Ok(());
            }
            pixels.take(drawn?);
            return pixels.present();
        }
        self.upload(scene, loaded).await?;
        let Screen::Direct { surface, pass } = &mut self.screen else { return Ok(()) };
        surface.resize(&self.gpu, scene.width_px, scene.height_px);
        let frame = match surface.frame(&self.gpu) {
            Ok(frame) => frame,
            // The next scene draws again; a lost device is noticed by the loop.
            Err(SurfaceError::NotNow(_) | SurfaceError::Lost) => return Ok(()),
        };
        let panels = panels(&self.copies, scene, loaded);
        let panels: Vec<_> = panels.iter().map(|(draw, volume)| (draw, *volume)).collect();
        pass.draw(&self.gpu, &frame.view, [frame.width_px, frame.height_px], &panels);
        frame.present(&self.gpu);
        // Without this a slow adapter collects frames, and the time on the badge is that of asking for one. A
        // device lost meanwhile is noticed by the loop.
        let _ = self.gpu.finished().await;
        Ok(())
    }

    /// Draws a scene into a texture and reads it back.
    pub async fn capture(&mut self, scene: &Scene, loaded: &[Loaded]) -> Result<Picture, String> {
        self.upload(scene, loaded).await?;
        let size = wgpu::Extent3d {
            width: scene.width_px.max(1),
            height: scene.height_px.max(1),
            depth_or_array_layers: 1,
        };
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let texture = self.gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("capture"),
            size,
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D2,
            format,
            usage: wgpu::TextureUsages::RENDER_ATTACHMENT | wgpu::TextureUsages::COPY_SRC,
            view_formats: &[],
        });
        let view = texture.create_view(&Default::default());
        let pass = self.capture_pass.get_or_insert_with(|| SlicePass::new(&self.gpu, format));
        let panels = panels(&self.copies, scene, loaded);
        let panels: Vec<_> = panels.iter().map(|(draw, volume)| (draw, *volume)).collect();
        pass.draw(&self.gpu, &view, [size.width, size.height], &panels);
        let rgba = gpu_kernels::read_rgba8(&self.gpu, &texture).await.map_err(|e| e.to_string())?;
        Ok((size.width, size.height, rgba))
    }
}

/// What can be drawn of a scene with the copies that exist.
fn panels<'a>(copies: &'a [Copy], scene: &Scene, loaded: &[Loaded]) -> Vec<(PanelDraw, &'a GpuVolume)> {
    let find = |panel: &protocol::Panel| {
        let (draw, _) = panel_draw(panel, loaded)?;
        let copy = copies.iter().find(|c| c.series == panel.series && c.time_index == panel.time_index)?;
        Some((draw, &copy.volume))
    };
    scene.panels.iter().filter_map(find).collect()
}
