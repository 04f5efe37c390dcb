//! Value sets that the GPU must count exactly like the twin.

use imaging::volume::Padding;

use super::Values;

enum Owned {
    I16(Vec<i16>),
    U16(Vec<u16>),
    F32(Vec<f32>),
}

/// One set of values.
pub struct Case {
    /// Told when it fails.
    pub name: String,
    owned: Owned,
    /// What is left out.
    pub padding: Option<Padding>,
    /// Smaller than usual in one case, to see pieces add up.
    pub words_per_piece: usize,
    /// Whether the self-check in the browser runs it too.
    pub in_self_check: bool,
}

impl Case {
    /// The values.
    pub fn values(&self) -> Values<'_> {
        match &self.owned {
            Owned::I16(v) => Values::I16(v),
            Owned::U16(v) => Values::U16(v),
            Owned::F32(v) => Values::F32(v),
        }
    }
}

/// A number without a visible order.
fn scatter(i: u32) -> u32 {
    let x = i.wrapping_mul(2_654_435_761);
    (x ^ x >> 15).wrapping_mul(2_246_822_519) >> 3
}

/// All cases.
pub fn cases() -> Vec<Case> {
    let odd = 22 * 23 * 30 + 1;
    let i16s = |n: u32| Owned::I16((0..n).map(|i| (scatter(i) % 4096) as i16 - 1024).collect());
    let floats: Vec<f32> = (0..odd).map(|i| (scatter(i) % 100_000) as f32 * 0.013 - 400.0).collect();
    let mut holes = floats.clone();
    for (i, v) in holes.iter_mut().enumerate() {
        match i % 11 {
            0 => *v = f32::NAN,
            1 => *v = f32::INFINITY,
            2 => *v = f32::NEG_INFINITY,
            3 => *v = -0.0,
            _ => {}
        }
    }
    // More than one round of the largest dispatch: 1024 groups of 256 words of 2 values.
    let large = 1024 * 256 * 2 * 2 + 333;
    let air = Some(Padding { low: -1024.0, high: -900.0 });
    let case = |name: &str, owned, padding, words_per_piece, in_self_check| Case {
        name: name.to_owned(),
        owned,
        padding,
        words_per_piece,
        in_self_check,
    };
    let all = usize::MAX / 4;
    vec![
        case("i16, odd number of values", i16s(odd), None, all, true),
        case("i16, padding", i16s(odd), air, all, true),
        case("i16, larger than a dispatch", i16s(large), air, all, false),
        case("i16, in pieces", i16s(odd), air, 1000, false),
        case("i16, extremes", Owned::I16(vec![i16::MIN, i16::MAX, 0, -1]), None, all, true),
        case("u16", Owned::U16((0..odd).map(|i| (scatter(i) >> 5) as u16).collect()), None, all, true),
        case("f32", Owned::F32(floats), None, all, true),
        case("f32, NaN and infinity", Owned::F32(holes), None, all, true),
        case("one value", Owned::I16(vec![-7]), None, all, true),
        case("one value many times", Owned::F32(vec![3.25; 700]), None, all, false),
        case("nothing but padding", Owned::I16(vec![-1000; 9]), air, all, true),
    ]
}
