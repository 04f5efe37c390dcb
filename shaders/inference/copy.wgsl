// Words from one grid of strides to another: transpose, slice, concat, split, expand, tile, and packing of weights.
//
// Whatever only moves elements is one affine map from indices to places on each side, so it is one kernel.

struct Params {
    /// Words to copy, axes, last word of the source, unused.
    size: vec4<u32>,
    extents: array<vec4<u32>, 2>,
    source: array<vec4<i32>, 2>,
    sink: array<vec4<i32>, 2>,
    /// Of the first word: source, destination.
    base: vec4<i32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Word>;
@group(0) @binding(2) var<storage, read_write> output: array<Word>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    if thread >= params.size.x {
        return;
    }
    var rest = thread;
    var read_at = params.base.x;
    var write_at = params.base.y;
    for (var axis = params.size.y; axis > 0u; axis--) {
        let a = (axis - 1u) / 4u;
        let b = (axis - 1u) % 4u;
        let index = i32(rest % params.extents[a][b]);
        rest /= params.extents[a][b];
        read_at += index * params.source[a][b];
        write_at += index * params.sink[a][b];
    }
    // Packed weights have channels more than the file: what they hold is never stored.
    output[write_at] = input[min(u32(read_at), params.size.z)];
}
