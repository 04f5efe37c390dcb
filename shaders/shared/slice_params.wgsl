// What one panel of the slice pass is told. Mirrored by `display::slice::Params`; a test compares the two.

struct Params {
    /// Position (+ half a voxel) of the first sample at the panel's first pixel; its steps per pixel to the
    /// right and down, and per sample away from the viewer. In words of 1/2^32 voxel, see fixed.wgsl.
    origin_hi: vec4<i32>,
    origin_lo: vec4<u32>,
    right_hi: vec4<i32>,
    right_lo: vec4<u32>,
    down_hi: vec4<i32>,
    down_lo: vec4<u32>,
    away_hi: vec4<i32>,
    away_lo: vec4<u32>,
    /// Columns, rows, slices, samples per pixel.
    dims: vec4<i32>,
    /// Left, top of the panel on the target in pixels, width and height of the VOI table in texels.
    panel: vec4<i32>,
    /// log2 of the wrapped texture's width and height, log2 of slices per bit of `arrived`, unused.
    wrap: vec4<u32>,
    /// Texel format, slab mode, VOI function, bits: see the constants of slice.wgsl.
    mode: vec4<u32>,
    /// VOI: centre of the window (high and low part), scale, offset: y = ((v - high) - low) * scale + offset.
    voi: vec4<f32>,
    /// Lowest and highest padding value; slope and intercept to the index of the VOI table.
    padding_and_table: vec4<f32>,
    /// Red, green, blue, alpha where there is no value.
    background: vec4<f32>,
    /// One bit per slice (or group of slices) that has arrived.
    arrived: array<vec4<u32>, 16>,
    /// Overlay: lowest and highest marked texel (of floats, the bits in their order), 1 where there are labels,
    /// style and width of the outline.
    overlay: vec4<i32>,
    /// First voxel of the overlay's box and the one past its last, inside the volume.
    box_from: vec4<i32>,
    box_to: vec4<i32>,
    /// Red, green, blue, alpha of the labels 0 to 255 from the lowest byte on.
    palette: array<vec4<u32>, 64>,
    /// Red, green, blue of the levels 0 to 255 from the lowest byte on, where they are mapped.
    colours: array<vec4<u32>, 64>,
}

@group(0) @binding(0) var<uniform> params: Params;
