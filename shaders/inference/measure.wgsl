// What samples are like, 4,096 at a time: how many lie in the image, smallest, largest, sum and sum of squares.
//
// The host adds the parts in f64: one long sum in f32 would lose what a mean of many millions needs.

/// Samples of a workgroup: `SPAN` in `inference/src/gpu/kernels/measure.rs`.
const SPAN: u32 = 4096u;
const WIDE: u32 = 64u;

struct Params {
    /// Samples, parts.
    size: vec4<u32>,
    /// Subtracted before anything is summed.
    centre: vec4<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<u32>;
/// Five per part.
@group(0) @binding(2) var<storage, read_write> output: array<f32>;

var<workgroup> counts: array<f32, 64>;
var<workgroup> smallest: array<f32, 64>;
var<workgroup> largest: array<f32, 64>;
var<workgroup> sums: array<f32, 64>;
var<workgroup> squares: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let own = wg.y * groups.x + wg.x;
    if own >= params.size.y {
        return;
    }
    var count = 0.0;
    var low = 3.4028234e38;
    var high = -3.4028234e38;
    var sum = 0.0;
    var square = 0.0;
    let end = min(params.size.x, (own + 1u) * SPAN);
    for (var i = own * SPAN + local; i < end; i += WIDE) {
        let bits = input[i];
        if bits != OUTSIDE {
            let value = bitcast<f32>(bits);
            let off = value - params.centre.x;
            count += 1.0;
            low = min(low, value);
            high = max(high, value);
            sum += off;
            square += off * off;
        }
    }
    counts[local] = count;
    smallest[local] = low;
    largest[local] = high;
    sums[local] = sum;
    squares[local] = square;
    workgroupBarrier();
    for (var half = WIDE / 2u; half > 0u; half /= 2u) {
        if local < half {
            counts[local] += counts[local + half];
            smallest[local] = min(smallest[local], smallest[local + half]);
            largest[local] = max(largest[local], largest[local + half]);
            sums[local] += sums[local + half];
            squares[local] += squares[local + half];
        }
        workgroupBarrier();
    }
    if local == 0u {
        output[own * 5u] = counts[0];
        output[own * 5u + 1u] = smallest[0];
        output[own * 5u + 2u] = largest[0];
        output[own * 5u + 3u] = sums[0];
        output[own * 5u + 4u] = squares[0];
    }
}
