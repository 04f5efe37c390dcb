// Value range and 1024-bin histogram of stored values, for automatic windows.
// Everything is whole numbers and comparisons, so the result depends neither on the order of threads nor on
// how a GPU rounds: bin edges are made once on the host and a value's bin is found by comparing.

const BINS: u32 = 1024u;
const GROUP: u32 = 256u;
// params.format
const FORMAT_I16: u32 = 0u;   // two to a word, low half first
const FORMAT_U16: u32 = 1u;
const FORMAT_F32: u32 = 2u;

struct Params {
    /// Values in `stored`; an odd last half-word is not one.
    count: u32,
    format: u32,
    /// Words that the whole dispatch takes per round.
    stride: u32,
    _unused: u32,
    padding_low: f32,
    padding_high: f32,
    _unused_2: vec2<u32>,
}

struct Result {
    /// Smallest and largest key (see `key_of`), valid where counted > 0.
    min_key: atomic<u32>,
    max_key: atomic<u32>,
    counted: atomic<u32>,
    /// Padding and numbers that are not finite.
    excluded: atomic<u32>,
    bins: array<atomic<u32>, 1024>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> stored: array<u32>;
@group(0) @binding(2) var<storage, read> edges: array<u32>;
@group(0) @binding(3) var<storage, read_write> result: Result;

var<workgroup> local_bins: array<atomic<u32>, 1024>;
var<workgroup> local_min: atomic<u32>;
var<workgroup> local_max: atomic<u32>;
var<workgroup> local_counted: atomic<u32>;
var<workgroup> local_excluded: atomic<u32>;

/// Orders floats as unsigned numbers; both zeros are one number.
fn key_of(bits: u32) -> u32 {
    if bits == 0x80000000u {
        return 0x80000000u;
    }
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) == 1u);
}

fn is_measured(bits: u32) -> bool {
    if (bits & 0x7f800000u) == 0x7f800000u {
        return false;
    }
    let v = bitcast<f32>(bits);
    return !(v >= params.padding_low && v <= params.padding_high);
}

fn take_range(bits: u32) {
    if is_measured(bits) {
        atomicAdd(&local_counted, 1u);
        atomicMin(&local_min, key_of(bits));
        atomicMax(&local_max, key_of(bits));
    } else {
        atomicAdd(&local_excluded, 1u);
    }
}

fn take_bin(bits: u32) {
    if !is_measured(bits) {
        return;
    }
    let key = key_of(bits);
    // The last bin whose lower edge is not above the value.
    var low = 0u;
    var high = BINS;
    while high - low > 1u {
        let middle = (low + high) / 2u;
        if edges[middle] <= key {
            low = middle;
        } else {
            high = middle;
        }
    }
    atomicAdd(&local_bins[low], 1u);
}

/// Bits of value `half` of a word, as f32.
fn bits_of(word: u32, half: u32) -> u32 {
    if params.format == FORMAT_F32 {
        return word;
    }
    let part = (word >> (16u * half)) & 0xffffu;
    if params.format == FORMAT_U16 {
        return bitcast<u32>(f32(part));
    }
    return bitcast<u32>(f32(bitcast<i32>(part << 16u) >> 16u));
}

@compute @workgroup_size(256)
fn range(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if local == 0u {
        atomicStore(&local_min, 0xffffffffu);
        atomicStore(&local_max, 0u);
        atomicStore(&local_counted, 0u);
        atomicStore(&local_excluded, 0u);
    }
    workgroupBarrier();
    let halves = select(2u, 1u, params.format == FORMAT_F32);
    let words = (params.count + halves - 1u) / halves;
    for (var w = id.x; w < words; w += params.stride) {
        take_range(bits_of(stored[w], 0u));
        if halves == 2u && 2u * w + 1u < params.count {
            take_range(bits_of(stored[w], 1u));
        }
    }
    workgroupBarrier();
    if local == 0u {
        atomicMin(&result.min_key, atomicLoad(&local_min));
        atomicMax(&result.max_key, atomicLoad(&local_max));
        atomicAdd(&result.counted, atomicLoad(&local_counted));
        atomicAdd(&result.excluded, atomicLoad(&local_excluded));
    }
}

@compute @workgroup_size(256)
fn bins(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    for (var b = local; b < BINS; b += GROUP) {
        atomicStore(&local_bins[b], 0u);
    }
    workgroupBarrier();
    let halves = select(2u, 1u, params.format == FORMAT_F32);
    let words = (params.count + halves - 1u) / halves;
    for (var w = id.x; w < words; w += params.stride) {
        take_bin(bits_of(stored[w], 0u));
        if halves == 2u && 2u * w + 1u < params.count {
            take_bin(bits_of(stored[w], 1u));
        }
    }
    workgroupBarrier();
    for (var b = local; b < BINS; b += GROUP) {
        let n = atomicLoad(&local_bins[b]);
        if n > 0u {
            atomicAdd(&result.bins[b], n);
        }
    }
}
