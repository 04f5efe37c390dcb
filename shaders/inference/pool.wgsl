// Max, average and p-norm pooling, 1 to 3 dimensions; a global pooling is a window of the whole input.
//
// One thread per output: a window shares too little with its neighbour to pay for more.

const MODE_MAX: u32 = 0u;
const MODE_AVERAGE: u32 = 1u;
/// The divisor counts padding too (ONNX count_include_pad), but not what ceil_mode adds behind it.
const MODE_AVERAGE_PADDED: u32 = 2u;
const MODE_NORM: u32 = 3u;

struct Params {
    /// Extents, then planes (batch times channels).
    input: vec4<u32>,
    /// Extents, then threads.
    output: vec4<u32>,
    /// Taps per axis, then mode.
    kernel: vec4<u32>,
    stride: vec4<u32>,
    dilation: vec4<u32>,
    /// Before the input per axis.
    pad: vec4<i32>,
    /// Input with the padding on both sides, per axis.
    padded: vec4<i32>,
    /// The p of the p-norm.
    tail: vec4<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read_write> output: array<Element>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    if thread >= params.output.w {
        return;
    }
    let o = vec3<u32>(thread / (params.output.z * params.output.y), thread / params.output.z, thread) % params.output.xyz;
    let plane = thread / (params.output.x * params.output.y * params.output.z);
    let mode = params.kernel.w;
    let begin = vec3<i32>(o * params.stride.xyz) - params.pad.xyz;

    // The first one inside takes its place: WGSL has no constant for minus infinity.
    var largest = 0.0;
    var sum = 0.0;
    var inside = 0u;
    var counted = 0u;
    for (var kz = 0u; kz < params.kernel.x; kz++) {
        let z = begin.x + i32(kz * params.dilation.x);
        for (var ky = 0u; ky < params.kernel.y; ky++) {
            let y = begin.y + i32(ky * params.dilation.y);
            for (var kx = 0u; kx < params.kernel.z; kx++) {
                let x = begin.z + i32(kx * params.dilation.z);
                let at = vec3<i32>(z, y, x);
                if all(at + params.pad.xyz < params.padded.xyz) {
                    counted++;
                }
                if any(at < vec3<i32>(0)) || any(at >= vec3<i32>(params.input.xyz)) {
                    continue;
                }
                inside++;
                let v = f32(input[((plane * params.input.x + u32(z)) * params.input.y + u32(y)) * params.input.z + u32(x)]);
                if mode == MODE_MAX {
                    largest = select(max(largest, v), v, inside == 1u);
                } else if mode == MODE_NORM {
                    // pow of 0 is undefined in some drivers.
                    sum += select(pow(abs(v), params.tail.x), 0.0, v == 0.0);
                } else {
                    sum += v;
                }
            }
        }
    }
    switch mode {
        case 0u: { output[thread] = Element(largest); }
        case 1u: { output[thread] = Element(sum / f32(max(inside, 1u))); }
        case 2u: { output[thread] = Element(sum / f32(max(counted, 1u))); }
        default: { output[thread] = Element(select(pow(sum, 1.0 / params.tail.x), 0.0, sum == 0.0)); }
    }
}
