// Running totals in a fixed order, so that everything is written where the raster order wants it.
// Two sums at a time, over the 256 threads of a group, and over the totals of all groups in one more group.

const GROUP: u32 = 256u;

var<workgroup> scan_sums: array<vec2<u32>, 256>;

/// The sums over all threads before this one. Every thread of the group has to call it.
fn sums_before(local: u32, value: vec2<u32>) -> vec2<u32> {
    scan_sums[local] = value;
    workgroupBarrier();
    for (var step = 1u; step < GROUP; step <<= 1u) {
        var left = vec2<u32>(0u);
        if local >= step {
            left = scan_sums[local - step];
        }
        workgroupBarrier();
        scan_sums[local] += left;
        workgroupBarrier();
    }
    return scan_sums[local] - value;
}

/// After `sums_before`: the sums over the group.
fn sums_of_group() -> vec2<u32> {
    return scan_sums[GROUP - 1u];
}

/// Turns the totals of tiles into the sums before each, in one group; what comes after the last is the total.
fn scan_tiles(local: u32, count: u32) {
    let share = (count + GROUP - 1u) / GROUP;
    let first = min(local * share, count);
    let end = min(first + share, count);
    var sum = vec2<u32>(0u);
    for (var tile = first; tile < end; tile++) {
        sum += tiles[tile];
    }
    var before = sums_before(local, sum);
    for (var tile = first; tile < end; tile++) {
        let here = tiles[tile];
        tiles[tile] = before;
        before += here;
    }
    if local == 0u {
        tiles[count] = sums_of_group();
    }
}
