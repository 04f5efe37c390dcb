//! One time point of a volume on the GPU, filled slice by slice.
//!
//! Every format is a signed-integer texture (int16, or 32 bits holding a float or a colour): one shader
//! binding serves them all, nothing is filtered or converted on the way, and WebGL2 has it too. A volume
//! that exceeds the limit of a 3D texture along an axis is wrapped: its voxels follow one another through a
//! texture whose width and height are powers of two.

use imaging::Voxels;

use crate::gpu::Gpu;
use crate::labels::{LabelTexture, Labels};

/// What a voxel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoxelFormat {
    /// Signed 16 bits.
    I16,
    /// Unsigned 16 bits.
    U16,
    /// 32-bit float.
    F32,
    /// Red, green, blue, 255.
    Rgba8,
}

impl VoxelFormat {
    /// The format of these voxels.
    pub fn of(voxels: &Voxels) -> Self {
        match voxels {
            Voxels::I16(_) => Self::I16,
            Voxels::U16(_) => Self::U16,
            Voxels::F32(_) => Self::F32,
            Voxels::Rgba8(_) => Self::Rgba8,
        }
    }

    fn texture_format(self) -> wgpu::TextureFormat {
        match self {
            Self::I16 | Self::U16 => wgpu::TextureFormat::R16Sint,
            Self::F32 | Self::Rgba8 => wgpu::TextureFormat::R32Sint,
        }
    }

    /// What is subtracted from a stored value before it enters the texture.
    pub(crate) fn bias(self) -> f64 {
        match self {
            Self::U16 => 32768.0,
            Self::I16 | Self::F32 | Self::Rgba8 => 0.0,
        }
    }

    fn bytes(self) -> u32 {
        match self {
            Self::I16 | Self::U16 => 2,
            Self::F32 | Self::Rgba8 => 4,
        }
    }
}

/// Why a volume is not on the GPU.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum VolumeError {
    /// More than the GPU can address.
    #[error(
        "a volume of {dims:?} voxels does not fit on the GPU: {what} is {value}, at most {limit} is possible. Use the CPU path or load fewer slices."
    )]
    TooLarge {
        /// Columns, rows, slices.
        dims: [u32; 3],
        /// The quantity that is too large.
        what: &'static str,
        /// Its value.
        value: u64,
        /// The limit.
        limit: u64,
    },
    /// The driver has no memory left.
    #[error(
        "the GPU has no memory for a volume of {dims:?} voxels ({mebibytes} MiB): {reason}. Close other tabs or use the CPU path."
    )]
    OutOfMemory {
        /// Columns, rows, slices.
        dims: [u32; 3],
        /// Size in MiB.
        mebibytes: u64,
        /// As the driver says it.
        reason: String,
    },
    /// Voxels of one kind for a volume of another.
    #[error("the volume holds {expected:?} voxels but {found:?} voxels came for it")]
    WrongFormat {
        /// As allocated.
        expected: VoxelFormat,
        /// As given.
        found: VoxelFormat,
    },
    /// Labels of another volume.
    #[error("the volume has {expected:?} voxels but labels for {found:?} voxels came for it")]
    WrongLabels {
        /// Columns, rows, slices.
        expected: [u32; 3],
        /// As given.
        found: [u32; 3],
    },
    /// The slices are not in the data or not in the volume.
    #[error("slices {first}..{end} of time point {time_index} lie outside the volume or its data")]
    OutOfRange {
        /// First slice asked for.
        first: u32,
        /// One past the last.
        end: u32,
        /// Time point asked for.
        time_index: u32,
    },
}

/// Which slices have arrived. What has not is drawn like padding: black, and part of no slab.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArrivedSlices {
    slices: u32,
    arrived: Vec<bool>,
    missing: u32,
}

impl ArrivedSlices {
    /// None of `slices` yet.
    pub fn none(slices: u32) -> Self {
        Self { slices, arrived: vec![false; slices as usize], missing: slices }
    }

    /// All of `slices`.
    pub fn all(slices: u32) -> Self {
        Self { slices, arrived: vec![true; slices as usize], missing: 0 }
    }

    /// This slice is there from now on.
    pub fn mark(&mut self, slice: u32) {
        if let Some(flag) = self.arrived.get_mut(slice as usize)
            && !*flag
        {
            *flag = true;
            self.missing -= 1;
        }
    }

    /// This slice holds no measurement (again).
    pub fn unmark(&mut self, slice: u32) {
        if let Some(flag) = self.arrived.get_mut(slice as usize)
            && *flag
        {
            *flag = false;
            self.missing += 1;
        }
    }

    /// Whether nothing is missing.
    pub fn is_complete(&self) -> bool {
        self.missing == 0
    }

    /// Whether this slice has arrived, as the shader sees it: in a volume of more than 2048 slices a group of
    /// slices is there when its last one is.
    pub fn contains(&self, slice: u32) -> bool {
        let group = 1usize << self.group_shift();
        let first = slice as usize / group * group;
        let end = (first + group).min(self.slices as usize);
        self.arrived.get(first..end).is_some_and(|flags| flags.iter().all(|flag| *flag))
    }

    /// log2 of the slices that share a bit.
    pub(crate) fn group_shift(&self) -> u32 {
        self.slices.div_ceil(2048).max(1).next_power_of_two().trailing_zeros()
    }

    /// 2048 bits for the shader.
    pub(crate) fn bits(&self) -> [[u32; 4]; 16] {
        let mut words = [[0u32; 4]; 16];
        let shift = self.group_shift();
        for slice in (0..self.slices).step_by(1 << shift) {
            if self.contains(slice) {
                let bit = (slice >> shift) as usize;
                words[bit / 128][bit / 32 % 4] |= 1 << (bit % 32);
            }
        }
        words
    }
}

/// How voxels lie in the texture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Layout {
    /// At their own index.
    Direct,
    /// One after the other through a texture of 2^`width_log2` × 2^`height_log2` × n.
    Wrapped {
        /// log2 of the texture's width.
        width_log2: u32,
        /// log2 of its height.
        height_log2: u32,
    },
}

/// A time point on the GPU.
pub struct GpuVolume {
    dims: [u32; 3],
    format: VoxelFormat,
    layout: Layout,
    texture: wgpu::Texture,
    pub(crate) view: wgpu::TextureView,
    arrived: ArrivedSlices,
    /// Made when the first label comes.
    labels: Option<LabelTexture>,
}

/// Texture size for a volume: its own dims where the limit allows them, wrapped otherwise.
pub(crate) fn plan(dims: [u32; 3], limit: u32) -> Result<(Layout, [u32; 3]), VolumeError> {
    if dims.iter().all(|&n| n <= limit) {
        return Ok((Layout::Direct, dims));
    }
    let voxels: u64 = dims.iter().map(|&n| u64::from(n)).product();
    let too_large = |what, value, limit| VolumeError::TooLarge { dims, what, value, limit };
    // The shader counts voxels in a u32 and texels in an i32.
    if voxels > i32::MAX as u64 {
        return Err(too_large("the number of voxels", voxels, i32::MAX as u64));
    }
    let log2 = limit.max(1).ilog2();
    let layers = voxels.div_ceil(1 << (2 * log2));
    if layers > u64::from(limit) {
        return Err(too_large("the number of texture layers", layers, u64::from(limit)));
    }
    // Only as high as needed, so that a single picture does not take a whole layer.
    let rows = voxels.div_ceil(1 << log2);
    let height_log2 = rows.next_power_of_two().ilog2().min(log2);
    let depth = voxels.div_ceil(1 << (log2 + height_log2));
    Ok((Layout::Wrapped { width_log2: log2, height_log2 }, [1 << log2, 1 << height_log2, depth as u32]))
}

impl Drop for GpuVolume {
    fn drop(&mut self) {
        // In a browser memory would wait for a garbage collector that does not see how much it is: a cine fills a
        // device before it runs. What was submitted is finished first.
        self.texture.destroy();
    }
}

impl GpuVolume {
    /// Room for one time point. Nothing has arrived yet.
    pub async fn allocate(gpu: &Gpu, dims: [u32; 3], format: VoxelFormat) -> Result<Self, VolumeError> {
        Self::allocate_within(gpu, dims, format, gpu.limits().max_texture_dimension_3d).await
    }

    /// As `allocate`, with a limit below the adapter's, so that small tests can see wrapping.
    pub(crate) async fn allocate_within(
        gpu: &Gpu,
        dims: [u32; 3],
        format: VoxelFormat,
        limit: u32,
    ) -> Result<Self, VolumeError> {
        let (layout, size) = plan(dims, limit)?;
        let scope = gpu.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let texture = gpu.device.create_texture(&wgpu::TextureDescriptor {
            label: Some("volume"),
            size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: size[2] },
            mip_level_count: 1,
            sample_count: 1,
            dimension: wgpu::TextureDimension::D3,
            format: format.texture_format(),
            usage: wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_DST,
            view_formats: &[],
        });
        if let Some(error) = scope.pop().await {
            let bytes = size.iter().map(|&n| u64::from(n)).product::<u64>() * u64::from(format.bytes());
            return Err(VolumeError::OutOfMemory { dims, mebibytes: bytes >> 20, reason: error.to_string() });
        }
        let view = texture.create_view(&Default::default());
        Ok(Self { dims, format, layout, texture, view, arrived: ArrivedSlices::none(dims[2]), labels: None })
    }

    /// Columns, rows, slices.
    pub fn dims(&self) -> [u32; 3] {
        self.dims
    }

    /// What a voxel is.
    pub fn format(&self) -> VoxelFormat {
        self.format
    }

    /// Its voxels in GPU memory.
    pub fn byte_len(&self) -> u64 {
        self.dims.iter().map(|&n| u64::from(n)).product::<u64>() * u64::from(self.format.bytes())
    }

    /// Which slices have arrived.
    pub fn arrived(&self) -> &ArrivedSlices {
        &self.arrived
    }

    pub(crate) fn layout(&self) -> Layout {
        self.layout
    }

    /// Copies `count` slices from `first` on, of one time point of `voxels` (which hold whole time points of
    /// this volume's dims), and marks them as arrived.
    pub fn upload_slices(
        &mut self,
        gpu: &Gpu,
        voxels: &Voxels,
        time_index: u32,
        first: u32,
        count: u32,
    ) -> Result<(), VolumeError> {
        let found = VoxelFormat::of(voxels);
        if found != self.format {
            return Err(VolumeError::WrongFormat { expected: self.format, found });
        }
        let end = first.saturating_add(count);
        let out_of_range = VolumeError::OutOfRange { first, end, time_index };
        let slice = self.dims[0] as usize * self.dims[1] as usize;
        let start = (time_index as usize * self.dims[2] as usize + first as usize) * slice;
        let range = start..start + count as usize * slice;
        if end > self.dims[2] || range.end > voxels.len() {
            return Err(out_of_range);
        }
        let texel = u64::from(first) * slice as u64;
        match voxels {
            Voxels::I16(v) => self.write(gpu, texel, bytemuck::cast_slice(&v[range])),
            Voxels::F32(v) => self.write(gpu, texel, bytemuck::cast_slice(&v[range])),
            Voxels::Rgba8(v) => self.write(gpu, texel, bytemuck::cast_slice(&v[range])),
            Voxels::U16(v) => {
                // One slice at a time: the biased copy stays small.
                for (i, stored) in v[range].chunks_exact(slice.max(1)).enumerate() {
                    let biased: Vec<u16> = stored.iter().map(|x| x ^ 0x8000).collect();
                    self.write(gpu, texel + (i * slice) as u64, bytemuck::cast_slice(&biased));
                }
            }
        }
        for z in first..end {
            self.arrived.mark(z);
        }
        Ok(())
    }

    /// Forgets which slices had arrived, before another time point takes their place.
    pub fn forget_slices(&mut self) {
        self.arrived = ArrivedSlices::none(self.dims[2]);
    }

    /// This slice holds no measurement (no instance gave it).
    pub fn mark_missing(&mut self, slice: u32) {
        self.arrived.unmark(slice);
    }

    /// Brings the labels up to date: copies the slices that changed since the last time, and returns how many
    /// those were. `None` takes all labels away.
    pub async fn upload_labels(&mut self, gpu: &Gpu, labels: Option<&Labels>) -> Result<u32, VolumeError> {
        let Some(labels) = labels else {
            self.labels = None;
            return Ok(0);
        };
        let (expected, found) = (self.dims, labels.dims());
        if expected != found {
            return Err(VolumeError::WrongLabels { expected, found });
        }
        let held = match self.labels.take() {
            Some(held) => held,
            None if (0..found[2]).all(|slice| labels.slice(slice).is_none()) => return Ok(0),
            None => {
                let size = self.texture.size();
                LabelTexture::allocate(gpu, size, found[2]).await.map_err(|reason| {
                    let mebibytes = [size.width, size.height, size.depth_or_array_layers];
                    let mebibytes = mebibytes.map(u64::from).iter().product::<u64>() >> 20;
                    VolumeError::OutOfMemory { dims: self.dims, mebibytes, reason }
                })?
            }
        };
        Ok(self.labels.insert(held).update(gpu, self.layout, labels))
    }

    /// `None`: every label is 0.
    pub(crate) fn labels(&self) -> Option<&wgpu::TextureView> {
        self.labels.as_ref().map(|labels| &labels.view)
    }

    fn write(&self, gpu: &Gpu, first_texel: u64, bytes: &[u8]) {
        let [columns, rows, _] = self.dims;
        let size = self.format.bytes();
        write_texels(gpu, &self.texture, [columns, rows], self.layout, size, first_texel, bytes);
    }
}

/// Fills texels that follow one another, as the layout places them.
pub(crate) fn write_texels(
    gpu: &Gpu,
    texture: &wgpu::Texture,
    [columns, rows]: [u32; 2],
    layout: Layout,
    texel_bytes: u32,
    first_texel: u64,
    bytes: &[u8],
) {
    let (width, height) = match layout {
        Layout::Direct => (u64::from(columns), u64::from(rows)),
        Layout::Wrapped { width_log2, height_log2 } => (1 << width_log2, 1 << height_log2),
    };
    let size = u64::from(texel_bytes);
    let end = first_texel + bytes.len() as u64 / size;
    let mut at = first_texel;
    while at < end {
        let (x, y, z) = (at % width, at / width % height, at / (width * height));
        let left = end - at;
        // The largest box that starts here: part of a row, whole rows, or whole layers.
        let extent = if x != 0 || left < width {
            [left.min(width - x), 1, 1]
        } else if y != 0 || left < width * height {
            [width, (left / width).min(height - y), 1]
        } else {
            [width, height, left / (width * height)]
        };
        let texels: u64 = extent.iter().product();
        let from = ((at - first_texel) * size) as usize;
        gpu.queue.write_texture(
            wgpu::TexelCopyTextureInfo {
                texture,
                mip_level: 0,
                origin: wgpu::Origin3d { x: x as u32, y: y as u32, z: z as u32 },
                aspect: wgpu::TextureAspect::All,
            },
            &bytes[from..from + (texels * size) as usize],
            wgpu::TexelCopyBufferLayout {
                offset: 0,
                bytes_per_row: Some((extent[0] * size) as u32),
                rows_per_image: Some(extent[1] as u32),
            },
            wgpu::Extent3d {
                width: extent[0] as u32,
                height: extent[1] as u32,
                depth_or_array_layers: extent[2] as u32,
            },
        );
        at += texels;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ct_fits_directly_and_a_mammogram_is_wrapped() {
        assert_eq!(plan([512, 512, 512], 2048), Ok((Layout::Direct, [512, 512, 512])));
        assert_eq!(plan([2048, 2048, 1], 2048), Ok((Layout::Direct, [2048, 2048, 1])));
        let (layout, size) = plan([4736, 2624, 1], 2048).unwrap();
        assert_eq!(layout, Layout::Wrapped { width_log2: 11, height_log2: 11 });
        assert!(size.iter().all(|&n| n <= 2048));
        assert!(size.iter().map(|&n| u64::from(n)).product::<u64>() >= 4736 * 2624);
        // One row more than the limit takes two rows, not a layer.
        assert_eq!(plan([2049, 1, 1], 2048).unwrap().1, [2048, 2, 1]);
    }

    #[test]
    fn too_many_voxels_are_refused_with_the_value() {
        let error = plan([4736, 4736, 100], 2048).unwrap_err();
        assert_eq!(
            error,
            VolumeError::TooLarge {
                dims: [4736, 4736, 100],
                what: "the number of voxels",
                value: 4736 * 4736 * 100,
                limit: i32::MAX as u64
            }
        );
        assert!(error.to_string().contains("2242969600"));
        assert!(matches!(
            plan([300, 300, 1000], 256),
            Err(VolumeError::TooLarge { what: "the number of texture layers", .. })
        ));
    }

    #[test]
    fn arrived_slices_reach_the_shader_as_bits() {
        let mut few = ArrivedSlices::none(130);
        few.mark(0);
        few.mark(129);
        few.mark(129);
        few.mark(500);
        assert!(few.contains(129) && !few.contains(128) && !few.contains(500) && !few.is_complete());
        assert_eq!((few.bits()[0][0], few.bits()[1][0]), (1, 2));
        (1..129).for_each(|z| few.mark(z));
        assert!(few.is_complete());
        few.unmark(3);
        assert!(!few.is_complete() && !few.contains(3));
        // More slices than bits: a pair is there when both are.
        let mut many = ArrivedSlices::none(2049);
        assert_eq!(many.group_shift(), 1);
        many.mark(2);
        assert!(!many.contains(2) && many.bits()[0][0] == 0);
        many.mark(3);
        assert!(many.contains(2) && many.bits()[0][0] == 2);
    }
}
