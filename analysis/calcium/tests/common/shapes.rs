//! Components made to break a labeller, as stored values: what is drawn is 130 or more.
//!
//! Their number and size follow from how they are drawn, so nothing has to be trusted.

/// A path one pixel wide that winds inwards with one pixel between its turns; one component, however long.
pub fn spiral(n: usize) -> Vec<i16> {
    let mut picture = vec![0i16; n * n];
    let (mut x, mut y, mut dx, mut dy) = (0i64, 0i64, 1i64, 0i64);
    let at = |x: i64, y: i64| (y * n as i64 + x) as usize;
    let inside = |x: i64, y: i64| (0..n as i64).contains(&x) && (0..n as i64).contains(&y);
    picture[0] = 200;
    let mut turns = 0;
    while turns < 2 {
        let (ax, ay) = (x + dx, y + dy);
        let (bx, by) = (x + 2 * dx, y + 2 * dy);
        let taken = |x, y| inside(x, y) && picture[at(x, y)] != 0;
        let blocked = !inside(ax, ay) || taken(ax, ay) || taken(bx, by);
        if blocked {
            (dx, dy) = (-dy, dx);
            turns += 1;
            continue;
        }
        (x, y) = (ax, ay);
        picture[at(x, y)] = 200;
        turns = 0;
    }
    picture
}

/// Teeth that stand apart until one row joins them, pointing each way, and two combs into one another.
pub fn combs(w: u32, h: u32) -> [Vec<i16>; 5] {
    let draw = |bone: &dyn Fn(u32, u32) -> bool| -> Vec<i16> {
        (0..w * h).map(|i| if bone(i % w, i / w) { 150 } else { 0 }).collect()
    };
    [
        draw(&|x, y| x % 2 == 0 || y == h - 1),
        draw(&|x, y| x % 2 == 0 || y == 0),
        draw(&|x, y| y % 2 == 0 || x == w - 1),
        draw(&|x, y| y % 2 == 0 || x == 0),
        draw(&|x, y| (x % 4 == 0 && y < h - 2) || y == 0 || (x % 4 == 2 && y > 1) || y == h - 1),
    ]
}

/// Every second voxel of a volume.
pub fn checkerboard([columns, rows, slices]: [u32; 3]) -> Vec<i16> {
    let odd = |i: u32| (i % columns + i / columns % rows + i / (columns * rows)) % 2;
    (0..columns * rows * slices).map(|i| if odd(i) == 0 { 500 } else { -500 }).collect()
}

/// Every second pixel of every second row, in slices that are never next to each other.
pub fn a_million_single_pixels() -> ([u32; 3], Vec<i16>) {
    let dims = [512u32, 512, 32];
    let value = |i: u32| {
        let (x, y, z) = (i % 512, i / 512 % 512, i / (512 * 512));
        if x % 2 == 0 && y % 2 == 0 && z % 2 == 0 { 130 + (x % 3) as i16 * 100 } else { 0 }
    };
    (dims, (0..dims.iter().product::<u32>()).map(value).collect())
}

/// Size of [`stairs`].
pub const STAIRS: [u32; 3] = [40, 40, 30];

/// A lesion that climbs one slice after the other by this many columns and rows.
pub fn stairs(step: [u32; 2]) -> Vec<i16> {
    let mut values = vec![0i16; (40 * 40 * 30) as usize];
    for z in 0..30 {
        values[((z * 40 + z * step[1]) * 40 + z * step[0]) as usize] = 200;
    }
    values
}
