// Product of matrices with batches, any strides, and Gemm's tail: y = act(alpha * A B + beta * C).
//
// A thread makes 8 rows of 8 columns in registers; strides serve transposed operands and broadcast batches.

struct Params {
    /// Rows, columns, length of the sums, kind of activation.
    size: vec4<u32>,
    /// Of A: between rows, along the sum. Of B: along the sum, between columns.
    strides: vec4<u32>,
    /// Extents of the batch, the last one fastest.
    batch: vec4<u32>,
    /// Of A between those.
    batch_a: vec4<u32>,
    /// Of B between those.
    batch_b: vec4<u32>,
    /// Of C between those.
    batch_c: vec4<u32>,
    /// Of the output between those.
    batch_out: vec4<u32>,
    /// First elements of A, B, C and the output.
    origin: vec4<u32>,
    /// Of C between rows, between columns, of the output between rows, first batch.
    other: vec4<u32>,
    /// alpha, beta, two parameters of the activation.
    tail: vec4<f32>,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<Element>;
@group(0) @binding(3) var<storage, read> c: array<Element>;
@group(0) @binding(4) var<storage, read_write> output: array<Element>;

/// Four elements of B.
fn of_b(at: vec4<u32>) -> vec4<f32> {
    return vec4<f32>(operand_of(at.x), operand_of(at.y), operand_of(at.z), operand_of(at.w));
}

/// Scales of four columns, or their zero points.
fn tail_of(columns: vec4<u32>, zero: bool) -> vec4<f32> {
    let s = array<vec2<f32>, 4>(scale_of(columns.x), scale_of(columns.y), scale_of(columns.z), scale_of(columns.w));
    return select(vec4<f32>(s[0].x, s[1].x, s[2].x, s[3].x), vec4<f32>(s[0].y, s[1].y, s[2].y, s[3].y), zero);
}

/// Four neighbours; those beyond the edge are the last column.
fn columns_from(column: u32) -> vec4<u32> {
    return min(vec4<u32>(column) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.size.y - 1u));
}

fn put(row: u32, column: u32, base: vec4<u32>, values: vec4<f32>) {
    if row >= params.size.x || column >= params.size.y {
        return;
    }
    var y = values * tail_of(columns_from(column), false) * params.tail.x;
    if params.tail.y != 0.0 {
        let at = base.z + row * params.other.x + column * params.other.y;
        let step = params.other.y;
        y += params.tail.y * vec4<f32>(f32(c[at]), f32(c[at + step]), f32(c[at + 2u * step]), f32(c[at + 3u * step]));
    }
    y = activate(params.size.w, y, params.tail.z, params.tail.w);
    let at = base.w + row * params.other.z + column;
    let many = params.size.y - column;
    output[at] = Element(y.x);
    if many > 1u { output[at + 1u] = Element(y.y); }
    if many > 2u { output[at + 2u] = Element(y.z); }
    if many > 3u { output[at + 3u] = Element(y.w); }
}

/// Where A, B, C and the output of a batch begin.
fn bases_of(batch: u32) -> vec4<u32> {
    var rest = batch;
    var base = params.origin;
    for (var axis = 4u; axis > 0u; axis--) {
        let i = axis - 1u;
        let index = rest % params.batch[i];
        rest /= params.batch[i];
        base += index * vec4<u32>(params.batch_a[i], params.batch_b[i], params.batch_c[i], params.batch_out[i]);
    }
    return base;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let thread = thread_of(wg, groups, local);
    let across = (params.size.y + 7u) / 8u;
    let row = thread / across * 8u;
    let column = thread % across * 8u;
    if row >= params.size.x {
        return;
    }
    let base = bases_of(params.other.w + wg.z);

    // Rows and columns beyond the edge read the last one; they are not stored.
    let rows = min(vec4<u32>(row) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(params.size.x - 1u));
    let rows_2 = min(vec4<u32>(row) + vec4<u32>(4u, 5u, 6u, 7u), vec4<u32>(params.size.x - 1u));
    let columns = columns_from(column);
    let columns_2 = columns_from(column + 4u);
    let zeros = tail_of(columns, true);
    let zeros_2 = tail_of(columns_2, true);
    var at = base.x + rows * params.strides.x;
    var at_2 = base.x + rows_2 * params.strides.x;
    var bt = base.y + columns * params.strides.w;
    var bt_2 = base.y + columns_2 * params.strides.w;

    var r0 = vec4<f32>();
    var r1 = vec4<f32>();
    var r2 = vec4<f32>();
    var r3 = vec4<f32>();
    var r4 = vec4<f32>();
    var r5 = vec4<f32>();
    var r6 = vec4<f32>();
    var r7 = vec4<f32>();
    var s0 = vec4<f32>();
    var s1 = vec4<f32>();
    var s2 = vec4<f32>();
    var s3 = vec4<f32>();
    var s4 = vec4<f32>();
    var s5 = vec4<f32>();
    var s6 = vec4<f32>();
    var s7 = vec4<f32>();
    for (var k = 0u; k < params.size.z; k++) {
        let above = vec4<f32>(f32(a[at.x]), f32(a[at.y]), f32(a[at.z]), f32(a[at.w]));
        let below = vec4<f32>(f32(a[at_2.x]), f32(a[at_2.y]), f32(a[at_2.z]), f32(a[at_2.w]));
        let near = of_b(bt) - zeros;
        let far = of_b(bt_2) - zeros_2;
        r0 += above.x * near;
        r1 += above.y * near;
        r2 += above.z * near;
        r3 += above.w * near;
        r4 += below.x * near;
        r5 += below.y * near;
        r6 += below.z * near;
        r7 += below.w * near;
        s0 += above.x * far;
        s1 += above.y * far;
        s2 += above.z * far;
        s3 += above.w * far;
        s4 += below.x * far;
        s5 += below.y * far;
        s6 += below.z * far;
        s7 += below.w * far;
        at += params.strides.y;
        at_2 += params.strides.y;
        bt += params.strides.z;
        bt_2 += params.strides.z;
    }
    // A loop, so that the activations are compiled once.
    var left = array<vec4<f32>, 8>(r0, r1, r2, r3, r4, r5, r6, r7);
    var right = array<vec4<f32>, 8>(s0, s1, s2, s3, s4, s5, s6, s7);
    for (var i = 0u; i < 16u; i++) {
        put(row + i % 8u, column + i / 8u * 4u, base, select(left[i % 8u], right[i % 8u], i > 7u));
    }
}
