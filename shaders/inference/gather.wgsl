// Words at places that other words name: Gather along an axis, and GatherElements.
//
// Both walk one grid with strides into the indices and into the data; only along the axis the index decides.

struct Params {
    /// Words to write, axes, extent of the axis, distance between its elements.
    size: vec4<u32>,
    extents: array<vec4<u32>, 2>,
    data: array<vec4<u32>, 2>,
    indices: array<vec4<u32>, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> data: array<u32>;
@group(0) @binding(2) var<storage, read> indices: array<i32>;
@group(0) @binding(3) var<storage, read_write> output: array<u32>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    if thread >= params.size.x {
        return;
    }
    var rest = thread;
    var place = 0u;
    var which = 0u;
    for (var axis = params.size.y; axis > 0u; axis--) {
        let a = (axis - 1u) / 4u;
        let b = (axis - 1u) % 4u;
        let index = rest % params.extents[a][b];
        rest /= params.extents[a][b];
        place += index * params.data[a][b];
        which += index * params.indices[a][b];
    }
    var index = indices[which];
    // ONNX: a negative index counts from the end.
    index += select(0, i32(params.size.z), index < 0);
    index = clamp(index, 0, i32(params.size.z) - 1);
    output[thread] = data[place + u32(index) * params.size.w];
}
