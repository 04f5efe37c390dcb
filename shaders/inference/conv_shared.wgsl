// The convolution as an implicit product of matrices by tiles in workgroup memory: output channels by places.
//
// 64 threads make 4 channels of 4 neighbours each; inputs and weights of a tap come in slabs of channels that all of
// them read. A tap outside of the image is computed with zeros, because barriers need every thread; so transposed
// convolutions with strides, whose taps mostly miss, stay with registers.

/// Quads of output channels of a tile: 8, or 4 where that leaves fewer channels idle.
override HIGH: u32 = 8u;
/// Input channels between two barriers.
const SLAB: u32 = 16u;

var<workgroup> tile_x: array<vec4<f32>, 256>;
var<workgroup> tile_w: array<vec4<f32>, 128>;

@compute @workgroup_size(64)
fn in_shared(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let wide = GROUP / HIGH;
    let across = local % wide;
    let down = local / wide;
    let own = params.dilation.w;
    let layers = (own + 4u * HIGH - 1u) / (4u * HIGH);
    let group = wg.y / layers;
    let first_quad = wg.y % layers * HIGH;

    // Beyond the last tile it is computed once more and not stored.
    let in_slice = wg.x * wide + across;
    let tile = params.tiles.y + min(in_slice, params.tiles.z - 1u);
    let ox = tile % params.tiles.x * 4u;
    let row = tile / params.tiles.x;
    let oy = row % params.output.y;
    let oz = row / params.output.y;

    let channels = params.stride.w;
    let in_plane = params.input.x * params.input.y * params.input.z;
    let in_base = (wg.z * params.input.w + group * channels) * in_plane;
    let taps = params.kernel.x * params.kernel.y * params.kernel.z;
    // Weights lie as the other entry point wants them: QUADS quads together.
    let quads = u32(params.pad.w) * QUADS;
    let w_base = group * quads * taps * channels;

    var sums = mat4x4<f32>();
    for (var kz = 0u; kz < params.kernel.x; kz++) {
        let iz = source_of(oz, kz, params.stride.x, params.dilation.x, params.pad.x, params.input.x);
        for (var ky = 0u; ky < params.kernel.y; ky++) {
            let iy = source_of(oy, ky, params.stride.y, params.dilation.y, params.pad.y, params.input.y);
            let line = in_base + (u32(max(iz, 0)) * params.input.y + u32(max(iy, 0))) * params.input.z;
            for (var kx = 0u; kx < params.kernel.z; kx++) {
                let ix = sources_of(ox, kx);
                let inside = (ix >= vec4<i32>(0)) & vec4<bool>(iz >= 0 && iy >= 0);
                let at = vec4<u32>(line) + vec4<u32>(max(ix, vec4<i32>(0)));
                let tap = (kz * params.kernel.y + ky) * params.kernel.z + kx;
                for (var first = 0u; first < channels; first += SLAB) {
                    let many = min(SLAB, channels - first);
                    workgroupBarrier();
                    for (var c = down; c < many; c += HIGH) {
                        let source = at + vec4<u32>((first + c) * in_plane);
                        let loaded = vec4<f32>(f32(input[source.x]), f32(input[source.y]), f32(input[source.z]), f32(input[source.w]));
                        // Not a product with 0: what lies outside may be infinite.
                        tile_x[c * wide + across] = select(vec4<f32>(0.0), loaded, inside);
                    }
                    for (var i = local; i < many * HIGH; i += GROUP) {
                        let quad = min(first_quad + i % HIGH, quads - 1u);
                        let of_block = (quad / QUADS * taps + tap) * channels + first + i / HIGH;
                        let zeros = zeros_of(group * own + quad * 4u);
                        tile_w[i] = weight_of(w_base + of_block * QUADS + quad % QUADS, zeros);
                    }
                    workgroupBarrier();
                    for (var c = 0u; c < many; c++) {
                        sums += outer(tile_x[c * wide + across], tile_w[c * HIGH + down]);
                    }
                }
            }
        }
    }
    if in_slice >= params.tiles.z {
        return;
    }
    let plane = params.output.x * params.output.y * params.output.z;
    let at = wg.z * params.output.w * plane + row * params.output.z + ox;
    let many = params.output.z - ox;
    let first = (first_quad + down) * 4u;
    for (var i = 0u; i < 4u; i++) {
        if first + i < own {
            let channel = group * own + first + i;
            store(sums[i], channel, at + channel * plane, many);
        }
    }
}
