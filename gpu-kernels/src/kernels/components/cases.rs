//! Tables that the GPU must label exactly like the twin.

use imaging::Voxels;

use crate::kernels::candidates::{self, Allowed, HostTable, Rule};
use crate::kernels::shapes;

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
    /// Whether the self-check in the browser runs it too.
    pub in_self_check: bool,
}

fn case(
    name: &str,
    dims: [u32; 3],
    voxels: Voxels,
    negative: bool,
    cuts: [i32; 2],
    small: bool,
) -> Vec<Case> {
    let rule = Rule { cut: cuts[0], negative, padding: None };
    let table = candidates::cpu::run(&voxels, dims, rule, Allowed::default());
    let of = |(table, corners): (HostTable, bool)| Case {
        name: format!("{name}, {}", if corners { "8 and 26" } else { "4 and 6" }),
        dims,
        table,
        negative,
        cut: cuts[1],
        corners,
        in_self_check: small,
    };
    table.into_iter().flat_map(|t| [(t.clone(), false), (t, true)]).map(of).collect()
}

/// All cases.
pub fn cases() -> Vec<Case> {
    let at = [100, 100];
    let drawn = |name: &str, dims, values, small| case(name, dims, Voxels::I16(values), false, at, small);
    let odd = [22, 23, 30];
    let mut out = Vec::new();
    for (share, small) in [(50, true), (410, true), (590, false), (950, false)] {
        out.extend(drawn(&format!("{share} of 1000"), odd, shapes::noise(odd, share), small));
    }
    for (n, small) in [(5, true), (65, true), (513, false)] {
        out.extend(drawn(&format!("spiral of {n}"), [n, n, 1], shapes::spiral(n), small));
    }
    let flat = [257, 67, 1];
    // Teeth that stand apart until one row joins them: every tooth is hooked late.
    let mut comb = |name: &str, rule: fn(u32, u32, u32) -> bool, small| {
        out.extend(drawn(name, flat, shapes::draw(flat, rule), small));
    };
    comb("comb, down", |x, y, _| x % 2 == 0 || y == 66, true);
    comb("comb, up", |x, y, _| x % 2 == 0 || y == 0, false);
    comb("comb, right", |x, y, _| y % 2 == 0 || x == 256, false);
    comb("comb, left", |x, y, _| y % 2 == 0 || x == 0, false);
    let both = |x, y, _| (x % 4 == 0 && y < 65) || y == 0 || (x % 4 == 2 && y > 1) || y == 66;
    comb("two combs", both, false);
    let board = [65, 33, 5];
    out.extend(drawn("checkerboard", board, shapes::draw(board, |x, y, z| (x + y + z) % 2 == 0), true));
    // Longer than any group of threads, and crossing every one of their borders.
    let long = [33, 301, 9];
    out.extend(drawn("snake", long, shapes::snake(long), false));
    out.extend(drawn("every voxel", [70, 33, 9], vec![300; 70 * 33 * 9], false));
    out.extend(drawn("one column", [1, 300, 9], shapes::noise([1, 300, 9], 700), true));
    out.extend(drawn("one row", [300, 1, 9], shapes::noise([300, 1, 9], 500), true));
    out.extend(drawn("nothing", [9, 8, 7], vec![0; 9 * 8 * 7], true));
    out.extend(drawn("1 x 1 x 1", [1, 1, 1], vec![300], true));
    let stairs = [12, 13, 11];
    out.extend(drawn("stairs", stairs, shapes::draw(stairs, |x, y, z| x == z && y == z), true));
    let million = [512, 512, 32];
    let singles = shapes::draw(million, |x, y, z| x % 2 == 0 && y % 2 == 0 && z % 2 == 0);
    out.extend(drawn("a million single pixels", million, singles, false).into_iter().skip(1));
    // A threshold above the floor cuts runs into pieces, at both ends and in between.
    let spread = |i: u32| (shapes::scatter(i) % 400) as i16;
    let values: Vec<i16> = (0..22 * 23 * 30).map(spread).collect();
    for cut in [50, 51, 200, 399, 400] {
        let voxels = Voxels::I16(values.clone());
        out.extend(case(&format!("floor 50, cut {cut}"), odd, voxels, false, [50, cut], cut == 200));
    }
    let reversed = Voxels::I16(values.iter().map(|v| -v).collect());
    out.extend(case("negative slope", odd, reversed, true, [49, 199], true));
    let unsigned = Voxels::U16(values.iter().map(|v| *v as u16 + 32700).collect());
    out.extend(case("unsigned", odd, unsigned, false, [0, 60], false));
    let floats = Voxels::F32(values.iter().map(|v| f32::from(*v) - 150.5).collect());
    out.extend(case("floats", odd, floats, false, [0, 100f32.to_bits() as i32], true));
    out
}
