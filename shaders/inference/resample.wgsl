// Resize along one axis by a table of places and weights; more axes are more passes.
//
// Nearest, linear, cubic and all coordinate modes differ in the table only, which the host makes in f64: drivers round
// divisions differently, and a nearest neighbour would flip.

struct Params {
    /// Words to write, extent of the output along the axis, of the input, elements behind the axis.
    size: vec4<u32>,
    /// Taps, unused.
    taps: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
/// Per output: taps places.
@group(0) @binding(2) var<storage, read> places: array<u32>;
/// Per output: taps weights.
@group(0) @binding(3) var<storage, read> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<Element>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    if thread >= params.size.x {
        return;
    }
    let behind = params.size.w;
    let o = thread / behind % params.size.y;
    let base = thread / (behind * params.size.y) * params.size.z * behind + thread % behind;
    let taps = params.taps.x;
    var sum = 0.0;
    for (var t = 0u; t < taps; t++) {
        let w = weights[o * taps + t];
        // A weight of 0 hides what is infinite there, as onnxruntime's skipped taps do.
        if w != 0.0 {
            sum += w * f32(input[base + places[o * taps + t] * behind]);
        }
    }
    output[thread] = Element(sum);
}
