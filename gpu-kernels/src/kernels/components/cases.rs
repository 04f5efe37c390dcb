//! Tables that the GPU must label exactly like the twin.

use imaging::Voxels;

use crate::kernels::Extent;
use crate::kernels::candidates::{self, Allowed, HostTable, Rule};
use crate::kernels::shapes::{draw, noise, scatter, snake, spiral};

/// One table and how to label it.
pub struct Case {
    /// Told when it fails.
    pub name: String,
    /// Columns, rows, slices.
    pub dims: [u32; 3],
    /// Candidates.
    pub table: HostTable,
    /// Keys are reversed.
    pub negative: bool,
    /// At or above the floor of the table.
    pub cut: i32,
    /// 8 and 26 neighbours.
    pub corners: bool,
}

/// Which connectivities the self-check in the browser runs: [4 and 6, 8 and 26].
const NONE: [bool; 2] = [false, false];
const FOUR: [bool; 2] = [true, false];
const EIGHT: [bool; 2] = [false, true];

struct Cases {
    extent: Extent,
    out: Vec<Case>,
}

impl Cases {
    /// Values are only made where they are asked for: some are large. `cuts`: floor and threshold.
    fn add(
        &mut self,
        (name, dims, in_self_check): (&str, [u32; 3], [bool; 2]),
        (cuts, negative): ([i32; 2], bool),
        voxels: impl Fn() -> Voxels,
    ) {
        for (corners, small) in [false, true].into_iter().zip(in_self_check) {
            if self.extent == Extent::SelfCheck && !small {
                continue;
            }
            let rule = Rule { cut: cuts[0], negative, padding: None };
            let Some(table) = candidates::cpu::run(&voxels(), dims, rule, Allowed::default()) else {
                continue;
            };
            let name = format!("{name}, {}", if corners { "8 and 26" } else { "4 and 6" });
            self.out.push(Case { name, dims, table, negative, cut: cuts[1], corners });
        }
    }

    fn drawn(&mut self, what: (&str, [u32; 3], [bool; 2]), values: impl Fn() -> Vec<i16>) {
        self.add(what, ([100, 100], false), || Voxels::I16(values()));
    }
}

/// All cases, or those that a browser with a software adapter runs in well under a second.
pub fn cases(extent: Extent) -> Vec<Case> {
    let mut c = Cases { extent, out: Vec::new() };
    let odd = [22, 23, 30];
    for (share, small) in [(50, FOUR), (410, EIGHT), (590, NONE), (950, NONE)] {
        c.drawn((&format!("{share} of 1000"), odd, small), || noise(odd, share));
    }
    for (n, small) in [(5, NONE), (65, EIGHT), (513, NONE)] {
        c.drawn((&format!("spiral of {n}"), [n, n, 1], small), || spiral(n));
    }
    // Teeth that stand apart until one row joins them: every tooth is hooked late.
    let flat = [257, 67, 1];
    let mut comb = |name, small, rule: fn(u32, u32, u32) -> bool| {
        c.drawn((name, flat, small), || draw(flat, rule));
    };
    comb("comb, down", FOUR, |x, y, _| x % 2 == 0 || y == 66);
    comb("comb, up", NONE, |x, y, _| x % 2 == 0 || y == 0);
    comb("comb, right", NONE, |x, y, _| y % 2 == 0 || x == 256);
    comb("comb, left", NONE, |x, y, _| y % 2 == 0 || x == 0);
    comb("two combs", NONE, |x, y, _| (x % 4 == 0 && y < 65) || y == 0 || (x % 4 == 2 && y > 1) || y == 66);
    let board = [65, 33, 5];
    c.drawn(("checkerboard", board, FOUR), || draw(board, |x, y, z| (x + y + z) % 2 == 0));
    // Longer than any group of threads, and crossing every one of their borders.
    let long = [33, 301, 9];
    c.drawn(("snake", long, NONE), || snake(long));
    c.drawn(("every voxel", [70, 33, 9], NONE), || vec![300; 70 * 33 * 9]);
    c.drawn(("one column", [1, 300, 9], EIGHT), || noise([1, 300, 9], 700));
    c.drawn(("one row", [300, 1, 9], EIGHT), || noise([300, 1, 9], 500));
    c.drawn(("nothing", [9, 8, 7], EIGHT), || vec![0; 9 * 8 * 7]);
    c.drawn(("1 x 1 x 1", [1, 1, 1], EIGHT), || vec![300]);
    let stairs = [12, 13, 11];
    c.drawn(("stairs", stairs, EIGHT), || draw(stairs, |x, y, z| x == z && y == z));
    let large = [512, 512, 32];
    c.drawn(("a million single pixels", large, NONE), || {
        draw(large, |x, y, z| x % 2 == 0 && y % 2 == 0 && z % 2 == 0)
    });
    // A threshold above the floor cuts runs into pieces, at both ends and in between.
    let values = || (0..22 * 23 * 30).map(|i| (scatter(i) % 400) as i16);
    for cut in [50, 51, 200, 399, 400] {
        let small = if cut == 200 { EIGHT } else { NONE };
        c.add((&format!("floor 50, cut {cut}"), odd, small), ([50, cut], false), || {
            Voxels::I16(values().collect())
        });
    }
    c.add(("negative slope", odd, EIGHT), ([49, 199], true), || Voxels::I16(values().map(|v| -v).collect()));
    c.add(("unsigned", odd, NONE), ([0, 60], false), || {
        Voxels::U16(values().map(|v| v as u16 + 32700).collect())
    });
    c.add(("floats", odd, FOUR), ([0, 100f32.to_bits() as i32], false), || {
        Voxels::F32(values().map(|v| f32::from(v) - 150.5).collect())
    });
    c.out
}
