// An image at the places of another grid that may lie askew: stored numbers, trilinear or nearest, a mark outside.
//
// Places are whole 65,536ths of a voxel in integers, which are exact, and a small rest in floats: floats alone are off by
// thirty millionths of a voxel at the far end of 512, and a nearest voxel would flip.

const PADDED: u32 = 1u;
const LINEAR: u32 = 2u;

struct Params {
    /// Samples along columns, rows, depth; flags.
    dims: vec4<u32>,
    /// Columns, rows, slices of the image; format.
    image: vec4<u32>,
    /// First sample of this dispatch, how many.
    slice: vec4<u32>,
    /// In 65,536ths of a voxel: the first sample, and the steps along columns, rows, depth.
    origin: vec4<i32>,
    along_x: vec4<i32>,
    along_y: vec4<i32>,
    along_z: vec4<i32>,
    /// What these leave, in voxels.
    origin_rest: vec4<f32>,
    along_x_rest: vec4<f32>,
    along_y_rest: vec4<f32>,
    along_z_rest: vec4<f32>,
    /// Lowest and highest number that is no measurement, what takes its place, slack.
    values: vec4<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
@group(0) @binding(2) var<storage, read_write> output: array<u32>;

fn stored(at: vec3<i32>) -> f32 {
    let index = (u32(at.z) * params.image.y + u32(at.y)) * params.image.x + u32(at.x);
    var value = 0.0;
    switch params.image.w {
        case 0u: { value = f32(bitcast<i32>(input[index / 2u] << (16u - index % 2u * 16u)) >> 16u); }
        case 1u: { value = f32((input[index / 2u] >> (index % 2u * 16u)) & 0xffffu); }
        default: {
            let bits = input[index];
            // Not a number, or infinite.
            if (bits & 0x7f800000u) == 0x7f800000u {
                return params.values.z;
            }
            value = bitcast<f32>(bits);
        }
    }
    if (params.dims.w & PADDED) != 0u && value >= params.values.x && value <= params.values.y {
        return params.values.z;
    }
    return value;
}

fn along_row(low: vec3<i32>, high: vec3<i32>, y: i32, z: i32, part: f32) -> f32 {
    let a = stored(vec3<i32>(low.x, y, z));
    return a + (stored(vec3<i32>(high.x, y, z)) - a) * part;
}

fn in_plane(low: vec3<i32>, high: vec3<i32>, z: i32, part: vec3<f32>) -> f32 {
    let a = along_row(low, high, low.y, z, part.x);
    return a + (along_row(low, high, high.y, z, part.x) - a) * part.y;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    if thread >= params.slice.y {
        return;
    }
    let own = params.slice.x + thread;
    let row = own / params.dims.x;
    let n = vec3<u32>(own % params.dims.x, row % params.dims.y, row / params.dims.y);
    let i = vec3<i32>(n);
    let f = vec3<f32>(n);
    let fixed = params.origin.xyz + i.x * params.along_x.xyz + i.y * params.along_y.xyz + i.z * params.along_z.xyz;
    let rest = params.origin_rest.xyz + f.x * params.along_x_rest.xyz + f.y * params.along_y_rest.xyz + f.z * params.along_z_rest.xyz;
    let beyond = vec3<f32>(fixed & vec3<i32>(0xffff)) / 65536.0 + rest;
    let whole = floor(beyond);
    let part = beyond - whole;
    let base = (fixed >> vec3<u32>(16u)) + vec3<i32>(whole);
    let near = base + select(vec3<i32>(0), vec3<i32>(1), part + params.values.w >= vec3<f32>(0.5));
    let last = vec3<i32>(params.image.xyz) - 1;
    if any(near < vec3<i32>(0)) || any(near > last) {
        output[own] = OUTSIDE;
        return;
    }
    var value = 0.0;
    if (params.dims.w & LINEAR) != 0u {
        let low = clamp(base, vec3<i32>(0), last);
        let high = clamp(base + 1, vec3<i32>(0), last);
        let a = in_plane(low, high, low.z, part);
        value = a + (in_plane(low, high, high.z, part) - a) * part.z;
    } else {
        value = stored(near);
    }
    // A measurement is never taken for the mark.
    output[own] = select(bitcast<u32>(value), OUTSIDE - 1u, bitcast<u32>(value) == OUTSIDE);
}
