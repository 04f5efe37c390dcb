// Which input a tap of a sliding window reads, for convolutions and their transposes.
//
// One and two dimensions are three with axes of one element. Order of axes: depth, height, width.

struct Params {
    /// Extents, then channels.
    input: vec4<u32>,
    /// Extents, then channels.
    output: vec4<u32>,
    /// Taps per axis, then groups.
    kernel: vec4<u32>,
    /// Per axis, then input channels of a group.
    stride: vec4<u32>,
    /// Per axis, then output channels of a group.
    dilation: vec4<u32>,
    /// Before the input per axis, then blocks of output channels in a group.
    pad: vec4<i32>,
    /// Tiles along the width, first tile, tiles of this dispatch, kind of activation.
    tiles: vec4<u32>,
    /// Two parameters of the activation, whether there is a bias, unused.
    tail: vec4<f32>,
}

/// Whether outputs are gathered from a transposed convolution.
override TRANSPOSED: bool = false;

@group(0) @binding(0) var<uniform> params: Params;

/// Input index under tap `k` of output `o`, or -1.
fn source_of(o: u32, k: u32, stride: u32, dilation: u32, pad: i32, extent: u32) -> i32 {
    if TRANSPOSED {
        let at = i32(o) + pad - i32(k * dilation);
        let i = at / i32(stride);
        return select(-1, i, at >= 0 && i * i32(stride) == at && i < i32(extent));
    }
    let at = i32(o * stride + k * dilation) - pad;
    return select(-1, at, at >= 0 && at < i32(extent));
}

/// The same for four neighbours along the width.
fn sources_of(x: u32, k: u32) -> vec4<i32> {
    let s = params.stride.z;
    let d = params.dilation.z;
    let p = params.pad.z;
    let w = params.input.z;
    return vec4<i32>(
        source_of(x, k, s, d, p, w),
        source_of(x + 1u, k, s, d, p, w),
        source_of(x + 2u, k, s, d, p, w),
        source_of(x + 3u, k, s, d, p, w),
    );
}
