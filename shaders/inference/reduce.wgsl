// Reductions over any set of axes: sum, mean, max, min, product, norms, logarithms of sums, index of the extreme.
//
// One thread per output where there are many outputs, one workgroup per output where there are few. For the index of
// an extreme the value and its place travel together, so that ties go to the first (or last) place as ONNX wants.

const SUM: u32 = 0u;
const MEAN: u32 = 1u;
const MAX: u32 = 2u;
const MIN: u32 = 3u;
const PROD: u32 = 4u;
const L1: u32 = 5u;
const L2: u32 = 6u;
const SUM_SQUARE: u32 = 7u;
const LOG_SUM: u32 = 8u;
const LOG_SUM_EXP: u32 = 9u;
const ARG_MAX: u32 = 10u;
const ARG_MIN: u32 = 11u;

override OP: u32 = 0u;

struct Params {
    /// Outputs, elements of one, number of kept axes, number of reduced axes.
    size: vec4<u32>,
    kept: vec4<u32>,
    kept_strides: vec4<u32>,
    reduced: vec4<u32>,
    reduced_strides: vec4<u32>,
    /// Whether the last of equal extremes is wanted.
    flags: vec4<u32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> input: array<Element>;
@group(0) @binding(2) var<storage, read_write> output: array<Word>;

const WIDE: u32 = 64u;
var<workgroup> shared_values: array<f32, 64>;
var<workgroup> shared_places: array<u32, 64>;

struct Best {
    value: f32,
    place: u32,
}

fn offset_of(index: u32, many: u32, extents: vec4<u32>, strides: vec4<u32>) -> u32 {
    var rest = index;
    var offset = 0u;
    for (var axis = many; axis > 0u; axis--) {
        offset += rest % extents[axis - 1u] * strides[axis - 1u];
        rest /= extents[axis - 1u];
    }
    return offset;
}

fn is_index() -> bool {
    return OP == ARG_MAX || OP == ARG_MIN;
}

fn better(a: Best, b: Best) -> bool {
    if a.value == b.value {
        return (a.place < b.place) != (params.flags.x != 0u);
    }
    return (a.value > b.value) == (OP == ARG_MAX);
}

fn join(a: Best, b: Best) -> Best {
    if is_index() {
        if better(b, a) { return b; }
        return a;
    }
    if OP == MAX || OP == LOG_SUM_EXP { return Best(max(a.value, b.value), 0u); }
    if OP == MIN { return Best(min(a.value, b.value), 0u); }
    if OP == PROD { return Best(a.value * b.value, 0u); }
    return Best(a.value + b.value, 0u);
}

fn prepare(value: f32, place: u32) -> Best {
    if OP == L1 { return Best(abs(value), place); }
    if OP == L2 || OP == SUM_SQUARE { return Best(value * value, place); }
    return Best(value, place);
}

fn finish(best: Best) -> Word {
    if is_index() { return Word(best.place); }
    if OP == MEAN { return word_of(best.value / f32(params.size.y)); }
    if OP == L2 { return word_of(sqrt(best.value)); }
    if OP == LOG_SUM { return word_of(log(best.value)); }
    return word_of(best.value);
}

fn load(base: u32, i: u32) -> f32 {
    return f32(input[base + offset_of(i, params.size.w, params.reduced, params.reduced_strides)]);
}

/// Elements `first`, `first + step`, ... of one output; there is at least one.
fn part(base: u32, first: u32, step: u32) -> Best {
    var best = prepare(load(base, first), first);
    for (var i = first + step; i < params.size.y; i += step) {
        best = join(best, prepare(load(base, i), i));
    }
    return best;
}

fn exponentials(base: u32, first: u32, step: u32, largest: f32) -> f32 {
    var sum = 0.0;
    for (var i = first; i < params.size.y; i += step) {
        sum += exp(load(base, i) - largest);
    }
    return sum;
}

@compute @workgroup_size(64)
fn by_thread(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    if thread >= params.size.x {
        return;
    }
    let base = offset_of(thread, params.size.z, params.kept, params.kept_strides);
    let best = part(base, 0u, 1u);
    if OP == LOG_SUM_EXP {
        output[thread] = word_of(best.value + log(exponentials(base, 0u, 1u, best.value)));
    } else {
        output[thread] = finish(best);
    }
}

@compute @workgroup_size(64)
fn by_group(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let own = wg.y * groups.x + wg.x;
    if own >= params.size.x {
        return;
    }
    let base = offset_of(own, params.size.z, params.kept, params.kept_strides);
    // Threads beyond the last element stay out of the tree below.
    let threads = min(WIDE, params.size.y);
    if local < threads {
        let best = part(base, local, threads);
        shared_values[local] = best.value;
        shared_places[local] = best.place;
    }
    workgroupBarrier();
    for (var half = WIDE / 2u; half > 0u; half /= 2u) {
        if local < half && local + half < threads {
            let best = join(Best(shared_values[local], shared_places[local]), Best(shared_values[local + half], shared_places[local + half]));
            shared_values[local] = best.value;
            shared_places[local] = best.place;
        }
        workgroupBarrier();
    }
    let best = Best(shared_values[0], shared_places[0]);
    workgroupBarrier();
    if OP == LOG_SUM_EXP {
        shared_values[local] = exponentials(base, local, WIDE, best.value);
        workgroupBarrier();
        for (var half = WIDE / 2u; half > 0u; half /= 2u) {
            if local < half {
                shared_values[local] += shared_values[local + half];
            }
            workgroupBarrier();
        }
        if local == 0u {
            output[own] = word_of(best.value + log(shared_values[0]));
        }
    } else if local == 0u {
        output[own] = finish(best);
    }
}
