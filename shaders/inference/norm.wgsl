// Instance, group, layer, RMS and batch normalisation: each row to mean 0 and variance 1, then scale and shift.
//
// Statistics are taken in pieces, each from its own mean, and joined by Chan's formula (Chan, Golub, LeVeque 1979):
// the sum of squares of a volume of millions of voxels would lose all its digits in f32.

struct Params {
    /// Rows, elements of a row, pieces of a row, elements of a piece.
    size: vec4<u32>,
    /// Which scale belongs to an element: (row % x) * y + index / z.  Then 1 where there is a shift, 2 for RMS.
    channel: vec4<u32>,
    /// epsilon.
    tail: vec4<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
/// Per piece: mean, sum of squared differences from it. Per row: mean, 1 / deviation.
@group(0) @binding(2) var<storage, read> before: array<vec2<f32>>;
@group(0) @binding(3) var<storage, read> scale: array<f32>;
@group(0) @binding(4) var<storage, read> shift: array<f32>;
@group(0) @binding(5) var<storage, read_write> statistics: array<vec2<f32>>;
@group(0) @binding(6) var<storage, read_write> output: array<Element>;

const WIDE: u32 = 256u;
var<workgroup> shared_sums: array<f32, 256>;

fn sum_of_group(value: f32, local: u32) -> f32 {
    shared_sums[local] = value;
    workgroupBarrier();
    for (var half = WIDE / 2u; half > 0u; half /= 2u) {
        if local < half {
            shared_sums[local] += shared_sums[local + half];
        }
        workgroupBarrier();
    }
    let sum = shared_sums[0];
    workgroupBarrier();
    return sum;
}

fn elements_of(piece: u32) -> u32 {
    let first = piece * params.size.w;
    return min(params.size.w, params.size.y - first);
}

/// One workgroup per piece.
@compute @workgroup_size(256)
fn pieces(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let piece = wg.y * groups.x + wg.x;
    // Uniform: a whole workgroup returns before any barrier.
    if piece >= params.size.x * params.size.z {
        return;
    }
    let row = piece / params.size.z;
    let own = piece % params.size.z;
    let many = elements_of(own);
    let base = row * params.size.y + own * params.size.w;
    var sum = 0.0;
    for (var i = local; i < many; i += WIDE) {
        sum += f32(input[base + i]);
    }
    var mean = sum_of_group(sum, local) / f32(many);
    if (params.channel.w & 2u) != 0u {
        mean = 0.0;
    }
    var squares = 0.0;
    for (var i = local; i < many; i += WIDE) {
        let d = f32(input[base + i]) - mean;
        squares += d * d;
    }
    squares = sum_of_group(squares, local);
    if local == 0u {
        statistics[piece] = vec2<f32>(mean, squares);
    }
}

/// One thread per row, for many short rows.
@compute @workgroup_size(64)
fn rows(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = thread_of(wg, groups, local);
    if row >= params.size.x {
        return;
    }
    let base = row * params.size.y;
    var mean = 0.0;
    if (params.channel.w & 2u) == 0u {
        for (var i = 0u; i < params.size.y; i++) {
            mean += f32(input[base + i]);
        }
        mean /= f32(params.size.y);
    }
    var squares = 0.0;
    for (var i = 0u; i < params.size.y; i++) {
        let d = f32(input[base + i]) - mean;
        squares += d * d;
    }
    statistics[row] = vec2<f32>(mean, inverseSqrt(squares / f32(params.size.y) + params.tail.x));
}

/// One thread per row joins its pieces.
@compute @workgroup_size(64)
fn join(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = thread_of(wg, groups, local);
    if row >= params.size.x {
        return;
    }
    var mean = 0.0;
    var squares = 0.0;
    var many = 0.0;
    for (var piece = 0u; piece < params.size.z; piece++) {
        let other = before[row * params.size.z + piece];
        let own = f32(elements_of(piece));
        let difference = other.x - mean;
        let total = many + own;
        mean += difference * own / total;
        squares += other.y + difference * difference * many * own / total;
        many = total;
    }
    statistics[row] = vec2<f32>(mean, inverseSqrt(squares / many + params.tail.x));
}

/// One thread per element.
@compute @workgroup_size(64)
fn apply(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let at = thread_of(wg, groups, local);
    if at >= params.size.x * params.size.y {
        return;
    }
    let row = at / params.size.y;
    let channel = row % params.channel.x * params.channel.y + at % params.size.y / params.channel.z;
    let s = before[row];
    var y = (f32(input[at]) - s.x) * s.y * scale[channel];
    if (params.channel.w & 1u) != 0u {
        y += shift[channel];
    }
    output[at] = Element(y);
}
