//! Volumes that are made to break a labeller, as stored values: what is drawn is 200 or more, the rest is 0.
//!
//! They are drawn by rules and not stored, so that each can have any size.

/// A number without a visible order.
pub(crate) fn scatter(i: u32) -> u32 {
    let x = (i ^ 0x5bd1_e995).wrapping_mul(2_654_435_761);
    (x ^ x >> 15).wrapping_mul(2_246_822_519) >> 3
}

/// Every voxel by a rule on column, row and slice.
pub(crate) fn draw([columns, rows, slices]: [u32; 3], is_set: impl Fn(u32, u32, u32) -> bool) -> Vec<i16> {
    let mut out = Vec::with_capacity((columns * rows * slices) as usize);
    for z in 0..slices {
        for y in 0..rows {
            out.extend((0..columns).map(|x| if is_set(x, y, z) { 200 + (x % 7) as i16 * 50 } else { 0 }));
        }
    }
    out
}

/// This share of the voxels, in thousandths, here and there.
pub(crate) fn noise(dims: [u32; 3], thousandths: u32) -> Vec<i16> {
    let [columns, rows, _] = dims;
    draw(dims, |x, y, z| scatter((z * rows + y) * columns + x) % 1000 < thousandths)
}

/// A path one pixel wide that winds inwards with one pixel between its turns.
pub(crate) fn spiral(n: u32) -> Vec<i16> {
    let side = i64::from(n);
    let mut set = vec![false; (n * n) as usize];
    let index = |x: i64, y: i64| (y * side + x) as usize;
    let inside = |x: i64, y: i64| (0..side).contains(&x) && (0..side).contains(&y);
    let (mut x, mut y, mut dx, mut dy) = (0i64, 0i64, 1i64, 0i64);
    set[0] = true;
    let mut turns = 0;
    while turns < 2 {
        let (ax, ay, bx, by) = (x + dx, y + dy, x + 2 * dx, y + 2 * dy);
        let taken = |x, y| inside(x, y) && set[index(x, y)];
        if !inside(ax, ay) || taken(ax, ay) || taken(bx, by) {
            (dx, dy) = (-dy, dx);
            turns += 1;
            continue;
        }
        (x, y) = (ax, ay);
        set[index(x, y)] = true;
        turns = 0;
    }
    draw([n, n, 1], |x, y, _| set[(y * n + x) as usize])
}

/// A single path through a whole volume: to and fro along the rows of every second row, up at the ends.
pub(crate) fn snake(dims: [u32; 3]) -> Vec<i16> {
    let [columns, rows, slices] = dims;
    draw(dims, |x, y, z| {
        if z % 2 == 1 {
            // One voxel leads on, at the corner where the path below ends.
            return x == 0 && y == if z % 4 == 1 { (rows - 1) / 2 * 2 } else { 0 } && z + 1 < slices;
        }
        let bend = if y % 4 == 1 { columns - 1 } else { 0 };
        y % 2 == 0 || (x == bend && y + 1 < rows)
    })
}
