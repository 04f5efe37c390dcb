//! What the slice shader is told of a panel, worked out in f64 where f32 would lose digits.
//!
//! Positions become whole numbers; rescale, window and the bias of unsigned voxels become one centre and one
//! scale, so that the shader subtracts first and multiplies once.

use bytemuck::{Pod, Zeroable};
use scene::{Colours, DVec3, Interpolation, SlabMode, VoiFunction, Window};

use super::overlay::{COLOURS, OverlayDraw, float_key};
use super::{GreyMap, PanelDraw};
use crate::display::BACKGROUND;
use crate::volume::{ArrivedSlices, GpuVolume, Layout, VoxelFormat};

const SLAB_MAX: u32 = 0;
const SLAB_MIN: u32 = 1;
const SLAB_MEAN: u32 = 2;
const VOI_LINEAR: u32 = 0;
const VOI_SIGMOID: u32 = 1;
const VOI_STEP: u32 = 2;
const VOI_TABLE: u32 = 3;
const BIT_INVERT: u32 = 1;
const BIT_EMPTY: u32 = 2;

/// What a pipeline is made for: the `override`s of `shaders/display/slice.wgsl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Variant {
    pub(crate) colour: bool,
    pub(crate) linear: bool,
    pub(crate) masked: bool,
    pub(crate) slab: bool,
    pub(crate) overlay: bool,
    pub(crate) mapped: bool,
}

impl Variant {
    /// The one that can draw this.
    pub(crate) fn of(panel: &PanelDraw, format: VoxelFormat, arrived: &ArrivedSlices) -> Self {
        let colour = format == VoxelFormat::Rgba8;
        Self {
            colour,
            linear: panel.interpolation == Interpolation::Linear,
            masked: panel.padding.is_some() || format == VoxelFormat::F32 || !arrived.is_complete(),
            slab: panel.samples(colour).is_some_and(|samples| samples.count > 1),
            overlay: panel.overlay.is_some() && !colour,
            mapped: panel.colours.is_some() && !colour,
        }
    }

    /// All that there are.
    #[cfg(all(test, not(target_arch = "wasm32")))]
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        (0..64).map(|bits| Self {
            colour: bits & 1 != 0,
            linear: bits & 2 != 0,
            masked: bits & 4 != 0,
            slab: bits & 8 != 0,
            overlay: bits & 16 != 0,
            mapped: bits & 32 != 0,
        })
    }

    /// As wgpu and naga take them.
    pub(crate) fn constants(self) -> [(&'static str, f64); 6] {
        let Self { colour, linear, masked, slab, overlay, mapped } = self;
        [
            ("COLOUR", colour),
            ("LINEAR", linear),
            ("MASKED", masked),
            ("SLAB", slab),
            ("OVERLAY", overlay),
            ("MAPPED", mapped),
        ]
        .map(|(name, on)| (name, f64::from(u8::from(on))))
    }
}

/// `struct Params` of `shaders/shared/slice_params.wgsl`; a test compares the two field by field.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Pod, Zeroable)]
#[allow(missing_docs, reason = "said in the WGSL")]
pub struct Params {
    pub origin_hi: [i32; 4],
    pub origin_lo: [u32; 4],
    pub right_hi: [i32; 4],
    pub right_lo: [u32; 4],
    pub down_hi: [i32; 4],
    pub down_lo: [u32; 4],
    pub away_hi: [i32; 4],
    pub away_lo: [u32; 4],
    pub dims: [i32; 4],
    pub panel: [i32; 4],
    pub wrap: [u32; 4],
    pub mode: [u32; 4],
    pub voi: [f32; 4],
    pub padding_and_table: [f32; 4],
    pub background: [f32; 4],
    pub arrived: [[u32; 4]; 16],
    pub overlay: [i32; 4],
    pub box_from: [i32; 4],
    pub box_to: [i32; 4],
    pub palette: [[u32; 4]; COLOURS / 4],
    pub colours: [[u32; 4]; 64],
}

field_offsets!(
    origin_hi,
    origin_lo,
    right_hi,
    right_lo,
    down_hi,
    down_lo,
    away_hi,
    away_lo,
    dims,
    panel,
    wrap,
    mode,
    voi,
    padding_and_table,
    background,
    arrived,
    overlay,
    box_from,
    box_to,
    palette,
    colours
);

/// Three numbers as whole 1/2^32, in their high and low words.
fn words(v: [i64; 3]) -> ([i32; 4], [u32; 4]) {
    let [x, y, z] = v;
    let hi = |n: i64| (n >> 32) as i32;
    let lo = |n: i64| n as u32;
    ([hi(x), hi(y), hi(z), 0], [lo(x), lo(y), lo(z), 0])
}

fn fixed(v: DVec3) -> [i64; 3] {
    [v.x, v.y, v.z].map(|x| (x * 4_294_967_296.0).round() as i64)
}

impl Params {
    /// For a panel of this volume. `table_size`: texels of the VOI table in use.
    pub(crate) fn new(panel: &PanelDraw, volume: &GpuVolume, table_size: [u32; 2]) -> Self {
        let mut params =
            Self::of_parts(panel, volume.format(), volume.layout(), volume.arrived(), table_size);
        params.overlay[2] = i32::from(volume.labels().is_some());
        params
    }

    fn of_parts(
        panel: &PanelDraw,
        format: VoxelFormat,
        layout: Layout,
        arrived: &ArrivedSlices,
        table_size: [u32; 2],
    ) -> Self {
        let colour = format == VoxelFormat::Rgba8;
        let mut params = Self {
            panel: [
                panel.rect.x_px as i32,
                panel.rect.y_px as i32,
                table_size[0] as i32,
                table_size[1] as i32,
            ],
            background: BACKGROUND.map(|level| f32::from(level) / 255.0),
            ..Zeroable::zeroed()
        };
        let Some(samples) = panel.samples(colour) else {
            params.mode[3] = BIT_EMPTY;
            return params;
        };
        params.place(panel, samples);
        params.arrived = arrived.bits();
        params.wrap = match layout {
            Layout::Direct => [0, 0, arrived.group_shift(), 0],
            Layout::Wrapped { width_log2, height_log2 } => {
                [width_log2, height_log2, arrived.group_shift(), 0]
            }
        };
        params.mode[0] = match format {
            VoxelFormat::I16 | VoxelFormat::U16 | VoxelFormat::Rgba8 => 0,
            VoxelFormat::F32 => 1,
        };
        params.mode[1] = match panel.stored_slab_mode() {
            SlabMode::Mip => SLAB_MAX,
            SlabMode::MinIp => SLAB_MIN,
            SlabMode::Mean => SLAB_MEAN,
        };
        if panel.invert {
            params.mode[3] |= BIT_INVERT;
        }
        params.map_grey(panel, format.bias());
        if let Some(overlay) = &panel.overlay {
            params.mark(overlay, panel.dims, format);
        }
        if let Some(colours) = &panel.colours {
            params.colour(colours);
        }
        params
    }

    fn colour(&mut self, colours: &Colours) {
        for (level, [r, g, b]) in colours.iter().enumerate() {
            self.colours[level / 4][level % 4] = u32::from_le_bytes([*r, *g, *b, 0]);
        }
    }

    fn place(&mut self, panel: &PanelDraw, samples: super::Samples) {
        let m = panel.voxel_from_screen;
        // The centre of the first pixel, plus half a voxel: then the whole part is the nearest voxel.
        let centre = m.transform_point3(DVec3::new(0.5, 0.5, 0.0)) + DVec3::splat(0.5);
        let away = fixed(m.matrix3.z_axis * samples.step);
        let mut origin = fixed(centre);
        for axis in 0..3 {
            origin[axis] = origin[axis].wrapping_add(away[axis].wrapping_mul(samples.first));
        }
        (self.origin_hi, self.origin_lo) = words(origin);
        (self.right_hi, self.right_lo) = words(fixed(m.matrix3.x_axis));
        (self.down_hi, self.down_lo) = words(fixed(m.matrix3.y_axis));
        (self.away_hi, self.away_lo) = words(away);
        let [columns, rows, slices] = panel.dims.map(|n| n as i32);
        self.dims = [columns, rows, slices, samples.count as i32];
    }

    fn mark(&mut self, overlay: &OverlayDraw, dims: [u32; 3], format: VoxelFormat) {
        let OverlayDraw { lowest, highest, palette, .. } = overlay;
        let [low, high] = if lowest.is_nan() || highest.is_nan() {
            [i32::MAX, i32::MIN]
        } else if format == VoxelFormat::F32 {
            // -0 equals 0 but has a key of its own: the range takes both or neither.
            [float_key(if *lowest == 0.0 { -0.0 } else { *lowest }), float_key(*highest + 0.0)]
        } else {
            // Casts saturate, so infinite ends become the first and the last number.
            let texel = |stored: f32| f64::from(stored) - format.bias();
            [texel(*lowest).ceil() as i32, texel(*highest).floor() as i32]
        };
        (self.overlay[0], self.overlay[1]) = (low, high);
        let [from, to] = overlay.region_within(dims).map(|[x, y, z]| [x as i32, y as i32, z as i32, 0]);
        (self.box_from, self.box_to) = (from, to);
        for (label, colour) in palette.iter().enumerate() {
            self.palette[label / 4][label % 4] = u32::from_le_bytes(*colour);
        }
        self.overlay[3] = overlay.style.code() as i32;
    }

    fn map_grey(&mut self, panel: &PanelDraw, bias: f64) {
        let slope = panel.rescale.slope;
        // value = slope * (texel + bias) + intercept
        let intercept = panel.rescale.intercept + slope * bias;
        // An empty range: nothing is >= MAX and <= MIN.
        (self.padding_and_table[0], self.padding_and_table[1]) = match panel.padding {
            Some(p) => ((p.low - bias) as f32, (p.high - bias) as f32),
            None => (f32::MAX, f32::MIN),
        };
        match &panel.grey {
            GreyMap::Window(window) => {
                let (function, voi) = fold_window(window, slope, intercept);
                self.mode[2] = function;
                self.voi = voi;
            }
            GreyMap::Lut(lut) => {
                self.mode[2] = VOI_TABLE;
                self.padding_and_table[2] = slope as f32;
                self.padding_and_table[3] = (intercept - lut.first) as f32;
            }
        }
    }
}

/// The window of PS3.3 C.11.2 over `value = slope * texel + intercept` as
/// `y = ((texel - high) - low) * scale + offset`.
fn fold_window(window: &Window, slope: f64, intercept: f64) -> (u32, [f32; 4]) {
    if slope == 0.0 {
        // Every voxel has the same value.
        return (VOI_LINEAR, [0.0, 0.0, 0.0, window.apply(intercept) as f32]);
    }
    let width = window.width.max(Window::min_width(window.function));
    let (function, center, width) = match window.function {
        // PS3.3 C.11.2.1.2.1
        VoiFunction::Linear => (VOI_LINEAR, window.center - 0.5, width - 1.0),
        // PS3.3 C.11.2.1.3.2
        VoiFunction::LinearExact | VoiFunction::Lut => (VOI_LINEAR, window.center, width),
        // PS3.3 C.11.2.1.3.1
        VoiFunction::Sigmoid => (VOI_SIGMOID, window.center, width),
    };
    let texel = (center - intercept) / slope;
    let high = texel as f32;
    let low = (texel - f64::from(high)) as f32;
    let scale = slope / width;
    // LINEAR with width 1, or so narrow that f32 cannot hold its slope: x <= c ? 0 : 1.
    if scale.abs() > 1e30 && function == VOI_LINEAR {
        return (VOI_STEP, [high, low, slope.signum() as f32, 0.5]);
    }
    (function, [high, low, scale as f32, 0.5])
}
