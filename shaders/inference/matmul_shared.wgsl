// The product of matrices by tiles in workgroup memory: 32 rows of 32 columns by 64 threads, 4 by 4 each.
//
// A number is read from memory once per tile, not once per thread, at the price of two barriers per slab. The sizes are
// those of TensorFlow.js and onnxruntime-web, which run on every kind of GPU; whether it pays is told by the probe.

/// Rows and columns of a tile.
const SIDE: u32 = 32u;
/// Terms of the sums between two barriers.
const SLAB: u32 = 32u;
/// Quads of a slab's line: one more than there are, so that lines begin in different banks.
const LINE: u32 = 9u;

var<workgroup> tile_a: array<vec4<f32>, 288>;
var<workgroup> tile_b: array<vec4<f32>, 288>;

/// Which term and which quad of rows or columns a thread loads: neighbours in memory by neighbouring threads.
fn place_of(i: u32, along_terms: bool) -> vec2<u32> {
    return select(vec2<u32>(i / 8u, i % 8u), vec2<u32>(i % SLAB, i / SLAB), along_terms);
}

@compute @workgroup_size(64)
fn in_shared(@builtin(workgroup_id) wg: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let base = bases_of(params.other.w + wg.z);
    let first_row = wg.y * SIDE;
    let first_column = wg.x * SIDE;
    let across = local % 8u;
    let down = local / 8u;
    let along_a = params.strides.y == 1u;
    let along_b = params.strides.z == 1u;
    let lanes = vec4<u32>(0u, 1u, 2u, 3u);

    var r0 = vec4<f32>();
    var r1 = vec4<f32>();
    var r2 = vec4<f32>();
    var r3 = vec4<f32>();
    for (var first = 0u; first < params.size.z; first += SLAB) {
        workgroupBarrier();
        for (var i = local; i < SLAB * 8u; i += GROUP) {
            // Beyond an edge the last one is read; it is neither summed nor stored.
            let in_a = place_of(i, along_a);
            let rows = min(vec4<u32>(first_row + in_a.y * 4u) + lanes, vec4<u32>(params.size.x - 1u));
            let at = base.x + rows * params.strides.x + min(first + in_a.x, params.size.z - 1u) * params.strides.y;
            tile_a[in_a.x * LINE + in_a.y] = vec4<f32>(f32(a[at.x]), f32(a[at.y]), f32(a[at.z]), f32(a[at.w]));
            let in_b = place_of(i, along_b);
            let columns = columns_from(first_column + in_b.y * 4u);
            let bt = base.y + columns * params.strides.w + min(first + in_b.x, params.size.z - 1u) * params.strides.z;
            tile_b[in_b.x * LINE + in_b.y] = of_b(bt) - tail_of(columns, true);
        }
        workgroupBarrier();
        let many = min(SLAB, params.size.z - first);
        for (var k = 0u; k < many; k++) {
            let x = tile_a[k * LINE + down];
            let y = tile_b[k * LINE + across];
            r0 += x.x * y;
            r1 += x.y * y;
            r2 += x.z * y;
            r3 += x.w * y;
        }
    }
    var rows = array<vec4<f32>, 4>(r0, r1, r2, r3);
    for (var i = 0u; i < 4u; i++) {
        put(first_row + down * 4u + i, first_column + across * 4u, base, rows[i]);
    }
}
