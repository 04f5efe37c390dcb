// A linear step on samples, with limits if wanted; what lies outside of the image stays marked or is filled at last.

const CLIP: u32 = 1u;
const FILL: u32 = 2u;

struct Params {
    /// Samples, flags.
    size: vec4<u32>,
    /// Subtracted, factor, added, what is put outside.
    values: vec4<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    if thread >= params.size.x {
        return;
    }
    let bits = input[thread];
    if bits == OUTSIDE {
        output[thread] = select(OUTSIDE, bitcast<u32>(params.values.w), (params.size.y & FILL) != 0u);
        return;
    }
    var value = (bitcast<f32>(bits) - params.values.x) * params.values.y + params.values.z;
    if (params.size.y & CLIP) != 0u {
        value = clamp(value, 0.0, 1.0);
    }
    output[thread] = bitcast<u32>(value);
}
