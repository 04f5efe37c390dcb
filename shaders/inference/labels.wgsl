// A 1×1 convolution of one image and, for each voxel, the output channel with the largest result, one byte each.
//
// A thread makes 4 neighbours and one word of labels; the scores stay in registers, block of channels by block. Of
// equal scores the first wins, and one that is no number never does.

/// Quads of output channels per block, 1 to 4: as the weights are packed.
override QUADS: u32 = 2u;

struct Params {
    /// Voxels, input channels, output channels, blocks of output channels.
    size: vec4<u32>,
    /// First word, words of this dispatch, whether there is a bias.
    slice: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> bias: array<Element>;
@group(0) @binding(4) var<storage, read_write> output: array<u32>;

fn outer(x: vec4<f32>, w: vec4<f32>) -> mat4x4<f32> {
    return mat4x4<f32>(x * w.x, x * w.y, x * w.z, x * w.w);
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    if thread >= params.slice.y {
        return;
    }
    let word = params.slice.x + thread;
    let voxels = params.size.x;
    // Neighbours behind the last voxel read the last one; their bytes are cut off.
    let place = min(vec4<u32>(word * 4u) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(voxels - 1u));
    // The smallest f32 stands for minus infinity, which WGSL cannot write down.
    var best = vec4<f32>(-3.4028234e38);
    var label = vec4<u32>(0u);
    for (var block = 0u; block < params.size.w; block++) {
        var sums = array<mat4x4<f32>, 4>();
        var w = block * params.size.y * QUADS;
        var at = place;
        for (var c = 0u; c < params.size.y; c++) {
            let x = vec4<f32>(f32(input[at.x]), f32(input[at.y]), f32(input[at.z]), f32(input[at.w]));
            sums[0] += outer(x, weights[w]);
            if QUADS > 1u { sums[1] += outer(x, weights[w + 1u]); }
            if QUADS > 2u { sums[2] += outer(x, weights[w + 2u]); }
            if QUADS > 3u { sums[3] += outer(x, weights[w + 3u]); }
            w += QUADS;
            at += vec4<u32>(voxels);
        }
        let first = block * QUADS * 4u;
        for (var i = 0u; i < min(QUADS * 4u, params.size.z - first); i++) {
            let score = sums[i / 4u][i % 4u] + select(0.0, f32(bias[first + i]), params.slice.z != 0u);
            let wins = score > best;
            best = select(best, score, wins);
            label = select(label, vec4<u32>(first + i), wins);
        }
    }
    output[word] = label.x | (label.y << 8u) | (label.z << 16u) | (label.w << 24u);
}
