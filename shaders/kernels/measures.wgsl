// What each component holds: voxels, peak, sums, bounding box, in one small record each.
// Every field is added or maximised with whole numbers, so the order of threads cannot show; sums of 64 bits
// are two words, and who makes the low word overflow carries into the high one.

const NEGATIVE: u32 = 2u;   // keys are reversed

// Words of a record. Smallest values are kept as complements: then 0 is where every field begins.
const VOXELS: u32 = 0u;
const PEAK: u32 = 1u;           // key + 2^31
const SUM: u32 = 2u;            // two words: keys + 32768; unused for floats
const SUM_X: u32 = 4u;
const SUM_Y: u32 = 6u;
const NOT_START: u32 = 8u;      // index in the volume of the first voxel
const NOT_X0: u32 = 9u;
const X1: u32 = 10u;
const Y1: u32 = 11u;
const RECORD: u32 = 12u;

// The sum of floats is exact: a number of 277 bits as nine sums of 64, which stand 32 bits apart.
const LIMBS: u32 = 9u;

struct Params {
    columns: u32,
    /// Pixels of a slice.
    area: u32,
    piece_count: u32,
    flags: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> pieces: array<Piece>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> records: array<atomic<u32>>;
@group(0) @binding(4) var<storage, read_write> limbs: array<atomic<u32>>;

fn add(at: u32, value: u32) {
    let before = atomicAdd(&records[at], value);
    if before + value < before {
        atomicAdd(&records[at + 1u], 1u);
    }
}

/// Adds or takes away in 64 bits, modulo 2^64.
fn add_to_limb(at: u32, value: u32, negative: bool) {
    if value == 0u {
        return;
    }
    let low = select(value, 0u - value, negative);
    let before = atomicAdd(&limbs[at], low);
    var high = select(0u, 0xffffffffu, negative);
    if before + low < before {
        high += 1u;
    }
    if high != 0u {
        atomicAdd(&limbs[at + 1u], high);
    }
}

/// Adds the float behind a key: its mantissa, shifted by its exponent.
fn add_float(component: u32, key: i32) {
    let forward = select(key, ~key, (params.flags & NEGATIVE) != 0u);
    let bits = bitcast<u32>(forward ^ bitcast<i32>(bitcast<u32>(forward >> 31u) >> 1u));
    let exponent = (bits >> 23u) & 0xffu;
    // Subnormal numbers have the exponent of the smallest normal ones and no hidden bit.
    let mantissa = (bits & 0x7fffffu) | select(0u, 0x800000u, exponent > 0u);
    let shift = max(exponent, 1u) - 1u;
    let at = (component * LIMBS + shift / 32u) * 2u;
    let within = shift % 32u;
    let negative = (bits >> 31u) == 1u;
    add_to_limb(at, mantissa << within, negative);
    if within > 8u {
        add_to_limb(at + 2u, mantissa >> (32u - within), negative);
    }
}

@compute @workgroup_size(256)
fn measure(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= params.piece_count {
        return;
    }
    let piece = pieces[id.x];
    let n = piece.end - piece.start;
    let in_slice = piece.start % params.area;
    let x0 = in_slice % params.columns;
    let y = in_slice / params.columns;
    let record = piece.component * RECORD;
    var peak = 0u;
    var sum = 0u;
    for (var i = 0u; i < n; i++) {
        let key = key_at(piece.first_key + i);
        peak = max(peak, bitcast<u32>(key) ^ 0x80000000u);
        sum += bitcast<u32>(key + 32768);
        if (params.flags & WIDE) != 0u {
            add_float(piece.component, key);
        }
    }
    atomicAdd(&records[record + VOXELS], n);
    atomicMax(&records[record + PEAK], peak);
    if (params.flags & WIDE) == 0u {
        add(record + SUM, sum);
    }
    // x0 + (x0 + 1) + ... : one of the two factors is even, and halved first no product leaves 32 bits.
    let ends = 2u * x0 + n - 1u;
    add(record + SUM_X, select(n * (ends / 2u), (n / 2u) * ends, n % 2u == 0u));
    add(record + SUM_Y, n * y);
    atomicMax(&records[record + NOT_START], ~piece.start);
    atomicMax(&records[record + NOT_X0], ~x0);
    atomicMax(&records[record + X1], x0 + n);
    atomicMax(&records[record + Y1], y + 1u);
}
