// Connected components of each slice, and the lesions they form in 3D, over runs instead of voxels.
// Union-find: the larger root is hooked to the smaller with atomicMin, so a root is the first piece in raster
// order and the result does not depend on the order of threads. A parent is never larger than its child, so
// following parents ends; `max_steps` bounds it all the same, and `state` tells when something was given up.

const CORNERS: u32 = 2u;    // 8 neighbours in a slice and 26 in 3D; otherwise 4 and 6

// state
const PIECES: u32 = 0u;
const COMPONENTS: u32 = 1u;
const STATUS: u32 = 2u;
const VOXELS: u32 = 3u;
// state[STATUS]
const OVERFLOW: u32 = 1u;
const STUCK: u32 = 2u;

const NONE: u32 = 0xffffffffu;

struct Params {
    columns: u32,
    /// Pixels of a slice.
    area: u32,
    /// Runs at the floor; one more in `runs` ends the last.
    run_count: u32,
    /// Pieces that there is room for.
    capacity: u32,
    /// Smallest key that counts.
    cut: i32,
    flags: u32,
    max_steps: u32,
    /// Tiles over runs in `scan_pieces`, over pieces in `scan_roots`.
    tile_count: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> runs: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read> keys: array<u32>;
@group(0) @binding(3) var<storage, read_write> tiles: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> state: array<atomic<u32>, 4>;
@group(0) @binding(5) var<storage, read_write> pieces: array<Piece>;
/// Parents of pieces; of components in the passes for lesions.
@group(0) @binding(6) var<storage, read_write> forest: array<atomic<u32>>;

fn piece_count() -> u32 {
    return min(atomicLoad(&state[PIECES]), params.capacity);
}

fn component_count() -> u32 {
    return min(atomicLoad(&state[COMPONENTS]), params.capacity);
}

/// Pieces of a run at the threshold, and their voxels.
fn counts_of(run: u32) -> vec2<u32> {
    if run >= params.run_count {
        return vec2<u32>(0u);
    }
    let end = runs[run + 1u].y;
    var count = vec2<u32>(0u);
    var inside = false;
    for (var at = runs[run].y; at < end; at++) {
        let reaches = key_at(at) >= params.cut;
        count += vec2<u32>(u32(reaches && !inside), u32(reaches));
        inside = reaches;
    }
    return count;
}

@compute @workgroup_size(256)
fn count_pieces(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    sums_before(local, counts_of(group.x * GROUP + local));
    if local == 0u {
        tiles[group.x] = sums_of_group();
    }
}

@compute @workgroup_size(256)
fn scan_pieces(@builtin(local_invocation_index) local: u32) {
    scan_tiles(local, params.tile_count);
    if local == 0u {
        let total = sums_of_group();
        atomicStore(&state[PIECES], total.x);
        atomicStore(&state[VOXELS], total.y);
        if total.x > params.capacity {
            atomicOr(&state[STATUS], OVERFLOW);
        }
    }
}

@compute @workgroup_size(256)
fn write_pieces(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let run = group.x * GROUP + local;
    var next = tiles[group.x].x + sums_before(local, counts_of(run)).x;
    if run >= params.run_count {
        return;
    }
    let first_key = runs[run].y;
    let end = runs[run + 1u].y;
    let start = runs[run].x;
    var at = first_key;
    while at < end && next < params.capacity {
        if key_at(at) < params.cut {
            at++;
            continue;
        }
        let opens = at;
        while at < end && key_at(at) >= params.cut {
            at++;
        }
        pieces[next] = Piece(start + (opens - first_key), start + (at - first_key), opens, NONE);
        atomicStore(&forest[next], next);
        next++;
    }
}

/// The first of all that are connected so far; shortens the way for those who come later.
fn root_of(node: u32) -> u32 {
    var at = node;
    for (var step = 0u; step < params.max_steps; step++) {
        let up = atomicLoad(&forest[at]);
        if up == at {
            return at;
        }
        if up > at {
            break;
        }
        let above = atomicLoad(&forest[up]);
        if above < up {
            atomicMin(&forest[at], above);
        }
        at = up;
    }
    atomicOr(&state[STATUS], STUCK);
    return NONE;
}

fn unite(one: u32, other: u32) {
    var a = one;
    var b = other;
    for (var step = 0u; step < params.max_steps; step++) {
        a = root_of(a);
        b = root_of(b);
        if a == b || a == NONE || b == NONE {
            return;
        }
        let low = min(a, b);
        let high = max(a, b);
        let before = atomicMin(&forest[high], low);
        if before == high {
            return;
        }
        // Somebody hooked it elsewhere in between: those two belong together as well.
        a = before;
        b = low;
    }
    atomicOr(&state[STATUS], STUCK);
}

/// The first piece that ends after a voxel. Pieces are disjoint and in order, so their ends are too.
fn first_ending_after(voxel: u32, count: u32) -> u32 {
    var low = 0u;
    var high = count;
    while low < high {
        let middle = low + (high - low) / 2u;
        if pieces[middle].end > voxel {
            high = middle;
        } else {
            low = middle + 1u;
        }
    }
    return low;
}

/// Unites a piece with those that touch it in the row that begins at voxel `row`.
fn unite_with_row(piece: u32, column: u32, row: u32, count: u32, of_components: bool) {
    let own = pieces[piece];
    let reach = select(0u, 1u, (params.flags & CORNERS) != 0u);
    let low = row + max(column, reach) - reach;
    let high = row + min(column + (own.end - own.start) + reach, params.columns);
    for (var other = first_ending_after(low, count); other < count; other++) {
        if pieces[other].start >= high {
            return;
        }
        if of_components {
            unite(own.component, pieces[other].component);
        } else {
            unite(piece, other);
        }
    }
}

@compute @workgroup_size(256)
fn join_rows(@builtin(global_invocation_id) id: vec3<u32>) {
    let count = piece_count();
    if id.x >= count {
        return;
    }
    let start = pieces[id.x].start;
    let column = start % params.columns;
    if start % params.area >= params.columns {
        unite_with_row(id.x, column, start - column - params.columns, id.x, false);
    }
}

@compute @workgroup_size(256)
fn count_roots(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let piece = group.x * GROUP + local;
    var is_root = false;
    if piece < piece_count() {
        let root = root_of(piece);
        if root != NONE {
            atomicStore(&forest[piece], root);
        }
        is_root = root == piece;
    }
    sums_before(local, vec2<u32>(u32(is_root), 0u));
    if local == 0u {
        tiles[group.x] = sums_of_group();
    }
}

@compute @workgroup_size(256)
fn scan_roots(@builtin(local_invocation_index) local: u32) {
    scan_tiles(local, params.tile_count);
    if local == 0u {
        atomicStore(&state[COMPONENTS], sums_of_group().x);
    }
}

/// Components are numbered in the order of their first pieces.
@compute @workgroup_size(256)
fn number(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let piece = group.x * GROUP + local;
    let is_root = piece < piece_count() && atomicLoad(&forest[piece]) == piece;
    let rank = tiles[group.x].x + sums_before(local, vec2<u32>(u32(is_root), 0u)).x;
    if is_root {
        pieces[piece].component = rank;
    }
}

@compute @workgroup_size(256)
fn pass_on(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= piece_count() {
        return;
    }
    let root = atomicLoad(&forest[id.x]);
    if root != id.x {
        pieces[id.x].component = pieces[root].component;
    }
}

/// A forest of components, each its own root.
@compute @workgroup_size(256)
fn plant(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x < component_count() {
        atomicStore(&forest[id.x], id.x);
    }
}

@compute @workgroup_size(256)
fn join_slices(@builtin(global_invocation_id) id: vec3<u32>) {
    let count = piece_count();
    if id.x >= count {
        return;
    }
    let start = pieces[id.x].start;
    if start < params.area {
        return;
    }
    let column = start % params.columns;
    let in_slice = start % params.area;
    let row = start - column - params.area;
    unite_with_row(id.x, column, row, count, true);
    if (params.flags & CORNERS) == 0u {
        return;
    }
    if in_slice >= params.columns {
        unite_with_row(id.x, column, row - params.columns, count, true);
    }
    if in_slice - column + params.columns < params.area {
        unite_with_row(id.x, column, row + params.columns, count, true);
    }
}

@compute @workgroup_size(256)
fn flatten(@builtin(global_invocation_id) id: vec3<u32>) {
    if id.x >= component_count() {
        return;
    }
    let root = root_of(id.x);
    if root != NONE {
        atomicStore(&forest[id.x], root);
    }
}
