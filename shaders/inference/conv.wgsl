// Convolution and its transpose, 1 to 3 dimensions, groups, dilation, any padding, bias and activation.
//
// A thread makes 4 neighbours of 4 to 16 output channels in registers, without barriers: weights are the same for a
// whole workgroup and come through the cache. On software adapters, mobile and integrated GPUs that is faster than
// tiles in shared memory.
// y[o, p] = act(b[o] + s[o] * sum over taps t and input channels c of (w[o, c, t] - z[o]) * x[c, p * stride + t * dilation - pad])

/// Quads of output channels per thread, 1 to 4.
override QUADS: u32 = 2u;

@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(5) var<storage, read_write> output: array<Element>;

/// Columns are output channels, rows are neighbours: x of four neighbours times weights of four channels.
fn outer(x: vec4<f32>, w: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(x * w.x, x * w.y, x * w.z, x * w.w);
}

fn store(values: vec4<f32>, channel: u32, at: u32, many: u32) {
    let sum = values * scale_of(channel) + select(0.0, f32(bias[channel]), params.tail.z > 0.0);
    let y = activate(params.tiles.w, sum, params.tail.x, params.tail.y);
    output[at] = Element(y.x);
    if many > 1u { output[at + 1u] = Element(y.y); }
    if many > 2u { output[at + 2u] = Element(y.z); }
    if many > 3u { output[at + 3u] = Element(y.w); }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let in_slice = wg.x * GROUP + local;
    if in_slice >= params.tiles.z {
        return;
    }
    let tile = params.tiles.y + in_slice;
    let ox = tile % params.tiles.x * 4u;
    let row = tile / params.tiles.x;
    let oy = row % params.output.y;
    let oz = row / params.output.y;
    let blocks = u32(params.pad.w);
    let group = wg.y / blocks;
    let block = wg.y % blocks;

    let channels = params.stride.w;
    let in_plane = params.input.x * params.input.y * params.input.z;
    let in_base = (wg.z * params.input.w + group * channels) * in_plane;
    let taps = params.kernel.x * params.kernel.y * params.kernel.z;
    let w_base = wg.y * taps * channels * QUADS;

    let channel_0 = group * params.dilation.w + block * QUADS * 4u;
    let z0 = zeros_of(channel_0);
    let z1 = zeros_of(channel_0 + 4u);
    let z2 = zeros_of(channel_0 + 8u);
    let z3 = zeros_of(channel_0 + 12u);
    var a0 = mat4x4<f32>();
    var a1 = mat4x4<f32>();
    var a2 = mat4x4<f32>();
    var a3 = mat4x4<f32>();
    for (var kz = 0u; kz < params.kernel.x; kz++) {
        let iz = source_of(oz, kz, params.stride.x, params.dilation.x, params.pad.x, params.input.x);
        if iz < 0 { continue; }
        for (var ky = 0u; ky < params.kernel.y; ky++) {
            let iy = source_of(oy, ky, params.stride.y, params.dilation.y, params.pad.y, params.input.y);
            if iy < 0 { continue; }
            let line = in_base + (u32(iz) * params.input.y + u32(iy)) * params.input.z;
            for (var kx = 0u; kx < params.kernel.z; kx++) {
                let ix = sources_of(ox, kx);
                let inside = ix >= vec4<i32>(0);
                if !any(inside) { continue; }
                let tap = (kz * params.kernel.y + ky) * params.kernel.z + kx;
                var w = w_base + tap * channels * QUADS;
                var at = vec4<u32>(line) + vec4<u32>(max(ix, vec4<i32>(0)));
                for (var c = 0u; c < channels; c++) {
                    let loaded = vec4<f32>(f32(input[at.x]), f32(input[at.y]), f32(input[at.z]), f32(input[at.w]));
                    // Not a product with 0: what lies outside may be infinite.
                    let x = select(vec4<f32>(0.0), loaded, inside);
                    a0 += outer(x, weight_of(w, z0));
                    if QUADS > 1u { a1 += outer(x, weight_of(w + 1u, z1)); }
                    if QUADS > 2u { a2 += outer(x, weight_of(w + 2u, z2)); }
                    if QUADS > 3u { a3 += outer(x, weight_of(w + 3u, z3)); }
                    w += QUADS;
                    at += vec4<u32>(in_plane);
                }
            }
        }
    }

    let plane = params.output.x * params.output.y * params.output.z;
    let at = wg.z * params.output.w * plane + row * params.output.z + ox;
    let many = params.output.z - ox;
    let first = block * QUADS * 4u;
    let own = params.dilation.w;
    // A loop, so that the activations are compiled once: sixteen copies of them took a second.
    var sums = array<mat4x4<f32>, 4>(a0, a1, a2, a3);
    for (var i = 0u; i < min(QUADS * 4u, own - first); i++) {
        let channel = group * own + first + i;
        store(sums[i / 4u][i % 4u], channel, at + channel * plane, many);
    }
}
