// Every voxel at or above a floor, compacted once: runs of a row and the keys of their voxels.
// A first pass reads each voxel once and leaves one bit of it; what follows reads the bits, and the voxels of
// candidates only. Places come from running totals, never from who came first, so the table is the same
// whatever the order of threads.
//
// A word holds 32 voxels of one row; a row begins a new word.

const FLOAT: u32 = 1u;      // texels are the bits of floats, keys take 32 bits
const NEGATIVE: u32 = 2u;   // the slope is below 0: keys are reversed
const MASKED: u32 = 4u;     // `bits` holds where candidates may be
const PADDED: u32 = 8u;     // values between the two padding keys are none

struct Params {
    /// Columns, rows, slices, words per row.
    dims: vec4<i32>,
    /// log2 of the wrapped texture's width and height; unused, unused.
    wrap: vec4<u32>,
    /// Smallest key that is a candidate.
    cut: i32,
    padding_low: i32,
    padding_high: i32,
    flags: u32,
    /// First row of this slab, counted over all slices.
    first_row: u32,
    /// Words in this slab.
    words: u32,
    /// First tile of this slab.
    first_tile: u32,
    /// Tiles of all slabs.
    tile_count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// Stored values; unsigned ones less 32768.
@group(0) @binding(1) var volume: texture_3d<i32>;
/// One word per word of the slab.
@group(0) @binding(2) var<storage, read_write> bits: array<u32>;
/// Runs and voxels of each 256 words, later: before them. One more at the end.
@group(0) @binding(3) var<storage, read_write> tiles: array<vec2<u32>>;
/// Index in the volume of a run's first voxel, and of its key in `keys`.
@group(0) @binding(4) var<storage, read_write> runs: array<vec2<u32>>;
/// Two to a word (low half first), floats one. Zero before.
@group(0) @binding(5) var<storage, read_write> keys: array<atomic<u32>>;

/// A texel as an integer whose order is that of Hounsfield units.
fn key_of(texel: i32) -> i32 {
    var key = texel;
    if (params.flags & FLOAT) != 0u {
        // Both zeros are one number. Of negative floats all bits but the sign are flipped.
        key = select(texel, 0, bitcast<u32>(texel) == 0x80000000u);
        key ^= bitcast<i32>(bitcast<u32>(key >> 31u) >> 1u);
    }
    return select(key, ~key, (params.flags & NEGATIVE) != 0u);
}

fn is_candidate(texel: i32) -> bool {
    if (params.flags & FLOAT) != 0u && (texel & 0x7f800000) == 0x7f800000 {
        return false;
    }
    let key = key_of(texel);
    let padded = (params.flags & PADDED) != 0u && key >= params.padding_low && key <= params.padding_high;
    return key >= params.cut && !padded;
}

/// Column of a word's first voxel, row, slice.
fn voxel_of(word: u32) -> vec3<u32> {
    let words_per_row = u32(params.dims.w);
    let row = params.first_row + word / words_per_row;
    let rows = u32(params.dims.y);
    return vec3<u32>(word % words_per_row * 32u, row % rows, row / rows);
}

fn load(voxel: vec3<u32>) -> i32 {
    return textureLoad(volume, texel_of(vec3<i32>(voxel)), 0).x;
}

/// The bits of a word that begin a run.
fn starts_of(word: u32) -> u32 {
    let own = bits[word];
    var before = 0u;
    if word % u32(params.dims.w) > 0u {
        before = bits[word - 1u] >> 31u;
    }
    return own & ~((own << 1u) | before);
}

var<workgroup> marked: array<atomic<u32>, 256>;

/// The one pass over the voxels: neighbouring threads read neighbouring voxels.
@compute @workgroup_size(256)
fn mark(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    atomicStore(&marked[local], 0u);
    workgroupBarrier();
    let bit = local % 32u;
    let row_width = u32(params.dims.w) * 32u;
    // Divided once; every round goes on by eight words.
    var voxel = voxel_of(group.x * GROUP + local / 32u) + vec3<u32>(bit, 0u, 0u);
    for (var round = 0u; round < 32u; round++) {
        let slot = round * 8u + local / 32u;
        if group.x * GROUP + slot < params.words && voxel.x < u32(params.dims.x) {
            if is_candidate(load(voxel)) {
                atomicOr(&marked[slot], 1u << bit);
            }
        }
        voxel.x += 256u;
        while voxel.x >= row_width {
            voxel.x -= row_width;
            voxel.y += 1u;
            if voxel.y == u32(params.dims.y) {
                voxel.y = 0u;
                voxel.z += 1u;
            }
        }
    }
    workgroupBarrier();
    let word = group.x * GROUP + local;
    if word < params.words {
        let allowed = select(0xffffffffu, bits[word], (params.flags & MASKED) != 0u);
        bits[word] = atomicLoad(&marked[local]) & allowed;
    }
}

/// Runs that begin in a word, and its voxels.
fn counts_of(word: u32) -> vec2<u32> {
    if word >= params.words {
        return vec2<u32>(0u);
    }
    return vec2<u32>(countOneBits(starts_of(word)), countOneBits(bits[word]));
}

@compute @workgroup_size(256)
fn count(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    sums_before(local, counts_of(group.x * GROUP + local));
    if local == 0u {
        tiles[params.first_tile + group.x] = sums_of_group();
    }
}

@compute @workgroup_size(256)
fn scan(@builtin(local_invocation_index) local: u32) {
    scan_tiles(local, params.tile_count);
}

@compute @workgroup_size(256)
fn write(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let word = group.x * GROUP + local;
    var at = tiles[params.first_tile + group.x] + sums_before(local, counts_of(word));
    if word >= params.words {
        return;
    }
    let own = bits[word];
    let starts = starts_of(word);
    let voxel = voxel_of(word);
    let first = (voxel.z * u32(params.dims.y) + voxel.y) * u32(params.dims.x) + voxel.x;
    var rest = own;
    while rest != 0u {
        let bit = countTrailingZeros(rest);
        rest &= rest - 1u;
        if ((starts >> bit) & 1u) == 1u {
            runs[at.x] = vec2<u32>(first + bit, at.y);
            at.x += 1u;
        }
        let key = bitcast<u32>(key_of(load(voxel + vec3<u32>(bit, 0u, 0u))));
        if (params.flags & FLOAT) != 0u {
            atomicStore(&keys[at.y], key);
        } else {
            // Two threads may share a word; each sets its own half.
            atomicOr(&keys[at.y / 2u], (key & 0xffffu) << (16u * (at.y % 2u)));
        }
        at.y += 1u;
    }
}
