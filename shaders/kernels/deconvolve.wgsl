// Residue functions of many voxels at once: a matrix of the artery times the curves, reduced on the fly.
// A thread has one voxel and keeps no residue function: rows come in tiles of 16 that are looked at in their order,
// so memory is read once per tile and written once per voxel, and every thread of a group does the same work.

const LANES: u32 = 32u;
const GROUP: u32 = 64u;
/// Rows of a tile: four vectors.
const TILE: u32 = 16u;
/// Vectors of the L-curve: 24 points.
const POINTS: u32 = 6u;
/// Keeps quotient and logarithm finite where nothing is predicted.
const TINY: f32 = 1e-12;
const LEAST: f32 = 1e-37;
const LOWEST: f32 = -3.4e38;

// params.flags
/// Voxels come from the list, not one after the other.
const LISTED: u32 = 1u;
/// No rung comes after this one.
const LAST: u32 = 2u;
/// Every voxel has a matrix of its own choice.
const CHOSEN: u32 = 4u;

struct Params {
    /// Voxels.
    count: u32,
    /// Samples of a curve.
    samples: u32,
    /// Rows of a matrix that are none of its padding.
    rows: u32,
    flags: u32,
    /// Which matrix.
    rung: u32,
    /// Limit of the oscillation index times the rows.
    limit: f32,
    /// Of the residue function.
    scale: f32,
    _unused: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// Blocks of 32 voxels, sample by sample.
@group(0) @binding(1) var<storage, read> curves: array<f32>;
/// By matrix, tile, column: 16 rows.
@group(0) @binding(2) var<storage, read> operators: array<vec4<f32>>;
/// Highest values, then their rows, then areas or choices.
@group(0) @binding(3) var<storage, read_write> found: array<u32>;
/// Number of voxels, then the voxels.
@group(0) @binding(4) var<storage, read> waiting: array<u32>;
@group(0) @binding(5) var<storage, read_write> left: array<atomic<u32>>;
/// By frequency: 24 weights of the residual, 24 of the solution.
@group(0) @binding(6) var<storage, read> weights: array<vec4<f32>>;
/// The other curves of an iteration, in blocks as well.
@group(0) @binding(7) var<storage, read> measured: array<f32>;
@group(0) @binding(8) var<storage, read_write> written: array<f32>;

var<private> tile: array<vec4<f32>, 4>;
var<private> best: f32;
var<private> best_row: u32;
var<private> before: f32;
var<private> last: f32;
var<private> bent: f32;

var<workgroup> group_count: atomic<u32>;
var<workgroup> group_start: u32;

/// Place of a voxel's first sample; the next one is LANES further.
fn base_of(voxel: u32) -> u32 {
    return (voxel / LANES) * params.samples * LANES + voxel % LANES;
}

fn tiles() -> u32 {
    return (params.rows + TILE - 1u) / TILE;
}

/// 16 rows of a matrix times the samples from..to of a curve.
fn multiply(base: u32, matrix: u32, index: u32, begin: u32, end: u32) {
    var a = vec4<f32>();
    var b = vec4<f32>();
    var c = vec4<f32>();
    var d = vec4<f32>();
    var at = ((matrix * tiles() + index) * params.samples + begin) * 4u;
    for (var t = begin; t < end; t += 1u) {
        let value = vec4<f32>(curves[base + t * LANES]);
        a = fma(operators[at], value, a);
        b = fma(operators[at + 1u], value, b);
        c = fma(operators[at + 2u], value, c);
        d = fma(operators[at + 3u], value, d);
        at += 4u;
    }
    tile[0] = a;
    tile[1] = b;
    tile[2] = c;
    tile[3] = d;
}

fn look(value: f32, row: u32) {
    if row >= params.rows {
        return;
    }
    if value > best {
        best = value;
        best_row = row;
    }
    if row >= 2u {
        bent += abs(value - 2.0 * last + before);
    }
    before = last;
    last = value;
}

fn forget() {
    best = LOWEST;
    best_row = 0u;
    before = 0.0;
    last = 0.0;
    bent = 0.0;
}

/// Peak and oscillation of a voxel's residue function.
fn survey(voxel: u32, matrix: u32) {
    forget();
    let base = base_of(voxel);
    for (var index = 0u; index < tiles(); index += 1u) {
        multiply(base, matrix, index, 0u, params.samples);
        for (var four = 0u; four < 4u; four += 1u) {
            let row = index * TILE + four * 4u;
            let values = tile[four];
            look(values.x, row);
            look(values.y, row + 1u);
            look(values.z, row + 2u);
            look(values.w, row + 3u);
        }
    }
    found[voxel] = bitcast<u32>(best);
    found[params.count + voxel] = best_row;
}

/// One matrix for all, or the one that a voxel chose.
@compute @workgroup_size(64)
fn linear(@builtin(global_invocation_id) id: vec3<u32>) {
    let voxel = id.x;
    if voxel >= params.count {
        return;
    }
    var matrix = params.rung;
    if (params.flags & CHOSEN) != 0u {
        matrix = found[2u * params.count + voxel];
    }
    survey(voxel, matrix);
}

/// One rung of the ladder: who oscillates still is listed for the next one, so that no voxel waits for another.
@compute @workgroup_size(64)
fn rung(@builtin(global_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    if local == 0u {
        atomicStore(&group_count, 0u);
    }
    workgroupBarrier();
    var voxel = id.x;
    var takes_part = id.x < params.count;
    if (params.flags & LISTED) != 0u {
        takes_part = id.x < waiting[0];
        if takes_part {
            voxel = waiting[1u + id.x];
        }
    }
    var stays = false;
    if takes_part {
        survey(voxel, params.rung);
        found[2u * params.count + voxel] = params.rung;
        let smooth_enough = best > 0.0 && bent < params.limit * best;
        stays = !smooth_enough && (params.flags & LAST) == 0u;
    }
    var place = 0u;
    if stays {
        place = atomicAdd(&group_count, 1u);
    }
    workgroupBarrier();
    if local == 0u {
        group_start = atomicAdd(&left[0], atomicLoad(&group_count));
    }
    workgroupBarrier();
    if stays {
        atomicStore(&left[1u + group_start + place], voxel);
    }
}

/// ln(a / b) that keeps its digits where a is nearly b, where `log` has an absolute error only: 2 atanh of their
/// difference over their sum.
fn log_of_quotient(a: vec2<f32>, b: vec2<f32>) -> vec2<f32> {
    let z = (a - b) / (a + b);
    let z2 = z * z;
    let series = 2.0 * z * (1.0 + z2 * (1.0 / 3.0 + z2 * (0.2 + z2 / 7.0)));
    return select(log(a / b), series, abs(z) < vec2<f32>(0.15));
}

/// The corner of the L-curve (Hansen 1992) of every voxel, from its power at every frequency. Rows of the matrix are
/// real and imaginary parts in turn.
@compute @workgroup_size(64)
fn corner(@builtin(global_invocation_id) id: vec3<u32>) {
    let voxel = id.x;
    if voxel >= params.count {
        return;
    }
    var residual = array<vec4<f32>, 6>();
    var solution = array<vec4<f32>, 6>();
    let base = base_of(voxel);
    for (var index = 0u; index < tiles(); index += 1u) {
        multiply(base, 0u, index, 0u, params.samples);
        for (var four = 0u; four < 4u; four += 1u) {
            let values = tile[four];
            for (var half = 0u; half < 2u; half += 1u) {
                let frequency = index * 8u + four * 2u + half;
                if 2u * frequency >= params.rows {
                    continue;
                }
                let parts = select(values.xy, values.zw, half == 1u);
                let power = vec4<f32>(dot(parts, parts));
                let at = frequency * 2u * POINTS;
                for (var p = 0u; p < POINTS; p += 1u) {
                    residual[p] = fma(power, weights[at + p], residual[p]);
                    solution[p] = fma(power, weights[at + POINTS + p], solution[p]);
                }
            }
        }
    }
    var choice = 2u * POINTS;
    var most = LOWEST;
    var before_squares = vec2<f32>(LEAST);
    var step_before = vec2<f32>();
    for (var i = 0u; i < 4u * POINTS; i += 1u) {
        let squares = max(vec2<f32>(residual[i / 4u][i % 4u], solution[i / 4u][i % 4u]), vec2<f32>(LEAST));
        let step = log_of_quotient(squares, before_squares);
        if i >= 2u {
            let bend = (step_before.x * step.y - step_before.y * step.x)
                / max(length(step_before) * length(step), LEAST);
            if bend > most {
                most = bend;
                choice = i - 1u;
            }
        }
        step_before = step;
        before_squares = squares;
    }
    found[2u * params.count + voxel] = choice;
}

/// Quotient of what was measured and what the residue function so far predicts. `curves` is that function.
@compute @workgroup_size(64)
fn predict(@builtin(global_invocation_id) id: vec3<u32>) {
    let voxel = id.x;
    if voxel >= params.count {
        return;
    }
    let base = base_of(voxel);
    for (var index = 0u; index < tiles(); index += 1u) {
        // The matrix is causal: no column behind the last row of the tile.
        multiply(base, 0u, index, 0u, min(params.samples, (index + 1u) * TILE));
        for (var i = 0u; i < TILE; i += 1u) {
            let row = index * TILE + i;
            if row < params.rows {
                let at = base + row * LANES;
                written[at] = max(measured[at], 0.0) / (tile[i / 4u][i % 4u] + TINY);
            }
        }
    }
}

/// Next residue function. `curves` are the quotients; the matrix is the transposed one.
@compute @workgroup_size(64)
fn correct(@builtin(global_invocation_id) id: vec3<u32>) {
    let voxel = id.x;
    if voxel >= params.count {
        return;
    }
    let base = base_of(voxel);
    for (var index = 0u; index < tiles(); index += 1u) {
        multiply(base, 1u, index, index * TILE, params.samples);
        for (var i = 0u; i < TILE; i += 1u) {
            let row = index * TILE + i;
            if row < params.rows {
                let at = base + row * LANES;
                written[at] *= tile[i / 4u][i % 4u];
            }
        }
    }
}

/// Where the iterations begin: the same everywhere.
@compute @workgroup_size(64)
fn begin(@builtin(global_invocation_id) id: vec3<u32>) {
    let voxel = id.x;
    if voxel >= params.count {
        return;
    }
    let base = base_of(voxel);
    for (var row = 0u; row < params.rows; row += 1u) {
        written[base + row * LANES] = 0.5;
    }
}

/// Peak and sum of a residue function that is there.
@compute @workgroup_size(64)
fn sum_up(@builtin(global_invocation_id) id: vec3<u32>) {
    let voxel = id.x;
    if voxel >= params.count {
        return;
    }
    forget();
    let base = base_of(voxel);
    var sum = 0.0;
    for (var row = 0u; row < params.rows; row += 1u) {
        let value = curves[base + row * LANES];
        sum += value;
        look(value, row);
    }
    found[voxel] = bitcast<u32>(best * params.scale);
    found[params.count + voxel] = best_row;
    found[2u * params.count + voxel] = bitcast<u32>(sum * params.scale);
}
