//! The slice pass on the GPU: pipelines for direct and wrapped volumes, one draw per panel.

use std::collections::HashMap;
use std::sync::Arc;

use imaging::volume::VoiLut;

use super::params::Variant;
use super::{GreyMap, PanelDraw, PanelRect, Params};
use crate::display::BACKGROUND;
use crate::gpu::Gpu;
use crate::labels::LabelTexture;
use crate::volume::{GpuVolume, Layout};

/// Columns of the texture that holds a VOI table: 65,536 entries, the most a table can have, make a square.
const TABLE_COLUMNS: u32 = 256;

struct Table {
    of: Option<Arc<VoiLut>>,
    view: wgpu::TextureView,
    size: [u32; 2],
}

/// Draws panels into targets of one format.
pub struct SlicePass {
    layout: wgpu::BindGroupLayout,
    target: wgpu::TextureFormat,
    direct: wgpu::ShaderModule,
    wrapped: wgpu::ShaderModule,
    /// Made when first needed; `true` for wrapped volumes.
    pipelines: HashMap<(bool, Variant), wgpu::RenderPipeline>,
    /// Stands in where a window is used, and first in the row of tables that were uploaded.
    tables: Vec<Table>,
    /// Stands in where a volume has no labels.
    no_labels: wgpu::TextureView,
}

impl SlicePass {
    /// Compiles the shaders for a target format without sRGB encoding.
    pub fn new(gpu: &Gpu, target: wgpu::TextureFormat) -> Self {
        let entry = |binding, ty| wgpu::BindGroupLayoutEntry {
            binding,
            visibility: wgpu::ShaderStages::FRAGMENT,
            ty,
            count: None,
        };
        let texture = |sample_type, view_dimension| wgpu::BindingType::Texture {
            sample_type,
            view_dimension,
            multisampled: false,
        };
        let layout = gpu.device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("slice"),
            entries: &[
                entry(
                    0,
                    wgpu::BindingType::Buffer {
                        ty: wgpu::BufferBindingType::Uniform,
                        has_dynamic_offset: false,
                        min_binding_size: wgpu::BufferSize::new(size_of::<Params>() as u64),
                    },
                ),
                entry(1, texture(wgpu::TextureSampleType::Sint, wgpu::TextureViewDimension::D3)),
                entry(2, texture(wgpu::TextureSampleType::Uint, wgpu::TextureViewDimension::D2)),
                entry(3, texture(wgpu::TextureSampleType::Uint, wgpu::TextureViewDimension::D3)),
            ],
        });
        let module = |shader: &shaders::Shader| {
            gpu.device.create_shader_module(wgpu::ShaderModuleDescriptor {
                label: Some(shader.name),
                source: wgpu::ShaderSource::Wgsl(shader.source().into()),
            })
        };
        Self {
            target,
            direct: module(&shaders::SLICE_DIRECT),
            wrapped: module(&shaders::SLICE_WRAPPED),
            pipelines: HashMap::new(),
            tables: vec![make_table(gpu, None)],
            no_labels: LabelTexture::none(gpu),
            layout,
        }
    }

    /// Clears the target and draws the panels, each with its volume.
    pub fn draw(
        &mut self,
        gpu: &Gpu,
        target: &wgpu::TextureView,
        target_size_px: [u32; 2],
        panels: &[(&PanelDraw, &GpuVolume)],
    ) {
        let [r, g, b, a] = BACKGROUND.map(|level| f64::from(level) / 255.0);
        self.draw_over(gpu, target, target_size_px, panels, wgpu::LoadOp::Clear(wgpu::Color { r, g, b, a }));
    }

    /// As `draw`, over what the target holds or over another colour.
    pub(crate) fn draw_over(
        &mut self,
        gpu: &Gpu,
        target: &wgpu::TextureView,
        target_size_px: [u32; 2],
        panels: &[(&PanelDraw, &GpuVolume)],
        load: wgpu::LoadOp<wgpu::Color>,
    ) {
        let draws: Vec<_> = panels
            .iter()
            .filter_map(|(panel, volume)| {
                let scissor = clip(&panel.rect, target_size_px)?;
                Some((self.bind(gpu, panel, volume), scissor, self.prepare(gpu, panel, volume)))
            })
            .collect();
        let mut encoder = gpu.device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("slice"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: target,
                depth_slice: None,
                resolve_target: None,
                ops: wgpu::Operations { load, store: wgpu::StoreOp::Store },
            })],
            ..Default::default()
        });
        for (bindings, [x, y, width, height], key) in &draws {
            let Some(pipeline) = self.pipelines.get(key) else { continue };
            pass.set_pipeline(pipeline);
            pass.set_bind_group(0, bindings, &[]);
            pass.set_scissor_rect(*x, *y, *width, *height);
            pass.draw(0..3, 0..1);
        }
        drop(pass);
        gpu.queue.submit([encoder.finish()]);
    }

    /// Sees to it that the pipeline for a panel exists; returns its key.
    fn prepare(&mut self, gpu: &Gpu, panel: &PanelDraw, volume: &GpuVolume) -> (bool, Variant) {
        let wrapped = matches!(volume.layout(), Layout::Wrapped { .. });
        let variant = Variant::of(panel, volume.format(), volume.arrived());
        let module = if wrapped { &self.wrapped } else { &self.direct };
        self.pipelines
            .entry((wrapped, variant))
            .or_insert_with(|| make_pipeline(gpu, &self.layout, module, variant, self.target));
        (wrapped, variant)
    }

    fn bind(&mut self, gpu: &Gpu, panel: &PanelDraw, volume: &GpuVolume) -> wgpu::BindGroup {
        let at = self.table(gpu, &panel.grey);
        let table = &self.tables[at];
        let labels = volume.labels().unwrap_or(&self.no_labels);
        let params = Params::new(panel, volume, table.size);
        // A buffer per draw: writing one twice before a submit would leave both draws with the second content.
        let buffer = gpu.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("slice params"),
            size: size_of::<Params>() as u64,
            usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        gpu.queue.write_buffer(&buffer, 0, bytemuck::bytes_of(&params));
        let entry = |binding, resource| wgpu::BindGroupEntry { binding, resource };
        gpu.device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("slice"),
            layout: &self.layout,
            entries: &[
                entry(0, buffer.as_entire_binding()),
                entry(1, wgpu::BindingResource::TextureView(&volume.view)),
                entry(2, wgpu::BindingResource::TextureView(&table.view)),
                entry(3, wgpu::BindingResource::TextureView(labels)),
            ],
        })
    }

    /// The index of a VOI table's texture; the last few are kept, because panels share them from frame to frame.
    fn table(&mut self, gpu: &Gpu, grey: &GreyMap) -> usize {
        let GreyMap::Lut(lut) = grey else { return 0 };
        let known = self.tables.iter().position(|t| t.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, lut)));
        known.unwrap_or_else(|| {
            if self.tables.len() > 8 {
                self.tables.remove(1);
            }
            self.tables.push(make_table(gpu, Some(lut)));
            self.tables.len() - 1
        })
    }
}

/// The part of a panel that lies on the target.
fn clip(rect: &PanelRect, [width, height]: [u32; 2]) -> Option<[u32; 4]> {
    let right = rect.x_px.saturating_add(rect.width_px).min(width);
    let bottom = rect.y_px.saturating_add(rect.height_px).min(height);
    (rect.x_px < right && rect.y_px < bottom)
        .then(|| [rect.x_px, rect.y_px, right - rect.x_px, bottom - rect.y_px])
}

fn make_pipeline(
    gpu: &Gpu,
    layout: &wgpu::BindGroupLayout,
    module: &wgpu::ShaderModule,
    variant: Variant,
    target: wgpu::TextureFormat,
) -> wgpu::RenderPipeline {
    let pipeline_layout = gpu.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
        label: Some("slice"),
        bind_group_layouts: &[Some(layout)],
        immediate_size: 0,
    });
    gpu.device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
        label: Some("slice"),
        layout: Some(&pipeline_layout),
        vertex: wgpu::VertexState {
            module,
            entry_point: Some("cover"),
            compilation_options: Default::default(),
            buffers: &[],
        },
        fragment: Some(wgpu::FragmentState {
            module,
            entry_point: Some("draw"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &variant.constants(),
                ..Default::default()
            },
            targets: &[Some(target.into())],
        }),
        primitive: Default::default(),
        depth_stencil: None,
        multisample: Default::default(),
        multiview_mask: None,
        cache: None,
    })
}

/// The grey levels of a VOI table in 8 bits, the last row filled up with the last entry.
fn make_table(gpu: &Gpu, lut: Option<&Arc<VoiLut>>) -> Table {
    let greys: Vec<u8> = match lut {
        Some(lut) => (0..lut.output.len().max(1))
            .map(|i| (lut.apply(lut.first + i as f64) * 255.0 + 0.5).floor() as u8)
            .collect(),
        None => vec![0],
    };
    let count = greys.len() as u32;
    let width = count.min(TABLE_COLUMNS);
    let height = count.div_ceil(TABLE_COLUMNS);
    let mut texels = greys;
    let last = texels.last().copied().unwrap_or(0);
    texels.resize((width * height) as usize, last);
    let size = wgpu::Extent3d { width, height, depth_or_array_layers: 1 };
    let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
        label: Some("VOI table"),
        size,
        mip_level_count: 1,
        sample_count: 1,
        dimension: wgpu::TextureDimension::D2,
        format: wgpu::TextureFormat::R8Uint,
        usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
        view_formats: &[],
    });
    gpu.queue.write_texture(
        texture.as_image_copy(),
        &texels,
        wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(width), rows_per_image: None },
        size,
    );
    let view = texture.create_view(&Default::default());
    Table { of: lut.cloned(), view, size: [width, height] }
}
