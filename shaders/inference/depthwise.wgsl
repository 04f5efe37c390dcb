// Convolution of groups with one or few channels each: one output channel per workgroup, 4 neighbours per thread.
//
// There is nothing to share between output channels, so weights are read as they lie in the file:
// [output channel][input channel of the group][tap]; of a transposed one [input channel][output channel of the group][tap].

@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read_write> output: array<Element>;

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
    let channel = wg.y;
    let own = params.dilation.w;
    let group = channel / own;

    let channels = params.stride.w;
    let in_plane = params.input.x * params.input.y * params.input.z;
    let in_base = (wg.z * params.input.w + group * channels) * in_plane;
    let taps = params.kernel.x * params.kernel.y * params.kernel.z;
    var w_base = channel * channels * taps;
    var w_step = taps;
    if TRANSPOSED {
        w_base = (group * channels * own + channel % own) * taps;
        w_step = own * taps;
    }

    let scale = scale_of(channel);
    var sum = vec4<f32>(0.0);
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
                var w = w_base + (kz * params.kernel.y + ky) * params.kernel.z + kx;
                var at = vec4<u32>(line) + vec4<u32>(max(ix, vec4<i32>(0)));
                for (var c = 0u; c < channels; c++) {
                    let loaded = vec4<f32>(f32(input[at.x]), f32(input[at.y]), f32(input[at.z]), f32(input[at.w]));
                    sum += select(vec4<f32>(0.0), loaded, inside) * (operand_of(w) - scale.y);
                    w += w_step;
                    at += vec4<u32>(in_plane);
                }
            }
        }
    }

    let plane = params.output.x * params.output.y * params.output.z;
    let at = (wg.z * params.output.w + channel) * plane + row * params.output.z + ox;
    sum = sum * scale.x + select(0.0, f32(bias[channel]), params.tail.z > 0.0);
    let y = activate(params.tiles.w, sum, params.tail.x, params.tail.y);
    let many = params.output.z - ox;
    output[at] = Element(y.x);
    if many > 1u { output[at + 1u] = Element(y.y); }
    if many > 2u { output[at + 2u] = Element(y.z); }
    if many > 3u { output[at + 3u] = Element(y.w); }
}
