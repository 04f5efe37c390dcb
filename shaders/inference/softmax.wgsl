// Softmax and log-softmax along one axis.
//
// The largest value is taken off first, so that no exponential overflows. One thread per line where there are many
// lines, one workgroup per line where there are few.

struct Params {
    /// Lines, their length, distance between elements of a line, whether the logarithm is wanted.
    size: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(2) var<storage, read_write> output: array<Element>;

const WIDE: u32 = 64u;
var<workgroup> shared_values: array<f32, 64>;

fn line_begin(line: u32) -> u32 {
    return line / params.size.z * params.size.y * params.size.z + line % params.size.z;
}

fn finish(value: f32, largest: f32, sum: f32) -> f32 {
    if params.size.w != 0u {
        return value - largest - log(sum);
    }
    return exp(value - largest) / sum;
}

@compute @workgroup_size(64)
fn by_thread(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let line = thread_of(wg, groups, local);
    if line >= params.size.x {
        return;
    }
    let base = line_begin(line);
    let step = params.size.z;
    var largest = value_of(base);
    for (var i = 1u; i < params.size.y; i++) {
        largest = max(largest, value_of(base + i * step));
    }
    var sum = 0.0;
    for (var i = 0u; i < params.size.y; i++) {
        sum += exp(value_of(base + i * step) - largest);
    }
    for (var i = 0u; i < params.size.y; i++) {
        output[base + i * step] = Element(finish(value_of(base + i * step), largest, sum));
    }
}

@compute @workgroup_size(64)
fn by_group(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let line = wg.y * groups.x + wg.x;
    if line >= params.size.x {
        return;
    }
    let base = line_begin(line);
    let step = params.size.z;
    var largest = value_of(base + min(local, params.size.y - 1u) * step);
    for (var i = local; i < params.size.y; i += WIDE) {
        largest = max(largest, value_of(base + i * step));
    }
    shared_values[local] = largest;
    workgroupBarrier();
    for (var half = WIDE / 2u; half > 0u; half /= 2u) {
        if local < half {
            shared_values[local] = max(shared_values[local], shared_values[local + half]);
        }
        workgroupBarrier();
    }
    largest = shared_values[0];
    workgroupBarrier();
    var sum = 0.0;
    for (var i = local; i < params.size.y; i += WIDE) {
        sum += exp(value_of(base + i * step) - largest);
    }
    shared_values[local] = sum;
    workgroupBarrier();
    for (var half = WIDE / 2u; half > 0u; half /= 2u) {
        if local < half {
            shared_values[local] += shared_values[local + half];
        }
        workgroupBarrier();
    }
    sum = shared_values[0];
    for (var i = local; i < params.size.y; i += WIDE) {
        output[base + i * step] = Element(finish(value_of(base + i * step), largest, sum));
    }
}
