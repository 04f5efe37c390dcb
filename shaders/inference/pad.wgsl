// Padding of up to 8 axes: constant, edge, reflected, wrapped; a negative padding cuts off.

const CONSTANT: u32 = 0u;
const EDGE: u32 = 1u;
const REFLECT: u32 = 2u;
const WRAP: u32 = 3u;

struct Params {
    /// Words to write, axes, mode, the constant's bits.
    size: vec4<u32>,
    /// Of the output.
    extents: array<vec4<u32>, 2>,
    /// Of the input.
    input: array<vec4<i32>, 2>,
    begins: array<vec4<i32>, 2>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

/// Where an index outside lies in an input of `extent` elements.
fn inside(index: i32, extent: i32) -> i32 {
    switch params.size.z {
        case 1u: { return clamp(index, 0, extent - 1); }
        case 2u: {
            // The edge itself is not repeated: period 2 (extent - 1).
            let period = max(2 * (extent - 1), 1);
            let at = ((index % period) + period) % period;
            return min(at, select(0, period - at, extent > 1));
        }
        default: { return ((index % extent) + extent) % extent; }
    }
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    if thread >= params.size.x {
        return;
    }
    var rest = thread;
    var place = 0u;
    var step = 1u;
    var outside = false;
    for (var axis = params.size.y; axis > 0u; axis--) {
        let a = (axis - 1u) / 4u;
        let b = (axis - 1u) % 4u;
        let extent = params.input[a][b];
        var index = i32(rest % params.extents[a][b]) - params.begins[a][b];
        rest /= params.extents[a][b];
        if index < 0 || index >= extent {
            if params.size.z == CONSTANT {
                outside = true;
                index = 0;
            } else {
                index = inside(index, extent);
            }
        }
        place += u32(index) * step;
        step *= u32(extent);
    }
    if outside {
        output[thread] = params.size.w;
    } else {
        output[thread] = input[place];
    }
}
