//! Volumes that the GPU must compact exactly like the twin.

use imaging::Voxels;

use super::{Allowed, Rule};
use crate::kernels::Extent;
use crate::kernels::shapes::scatter;

/// One volume and what is a candidate in it.
pub struct Case {
    /// Told when it fails.
    pub name: String,
    /// Columns, rows, slices.
    pub dims: [u32; 3],
    /// Stored values.
    pub voxels: Voxels,
    /// Which are candidates.
    pub rule: Rule,
    /// See [`Allowed::region`].
    pub region: Option<Vec<u8>>,
    /// See [`Allowed::missing`].
    pub missing: Vec<u32>,
    /// Less than the device has: many slabs.
    pub slab_words: Option<u64>,
    /// Less than the device has: wrapped.
    pub texture_limit: Option<u32>,
    /// Whether the self-check in the browser runs it too: it has to be quick on a software adapter.
    pub in_self_check: bool,
}

impl Case {
    /// Where candidates may be.
    pub fn allowed(&self) -> Allowed<'_> {
        Allowed { region: self.region.as_deref(), missing: &self.missing }
    }
}

fn case(name: &str, dims: [u32; 3], voxels: Voxels, cut: i32) -> Case {
    Case {
        name: name.to_owned(),
        dims,
        voxels,
        rule: Rule { cut, negative: false, padding: None },
        region: None,
        missing: Vec::new(),
        slab_words: None,
        texture_limit: None,
        in_self_check: true,
    }
}

/// Stored values with few above 130.
fn tissue(dims: [u32; 3]) -> Vec<i16> {
    let n = dims.iter().product();
    (0..n).map(|i| (scatter(i / 3) % 1200) as i16 - 1024).collect()
}

/// All cases, or those of the self-check.
pub fn cases(extent: Extent) -> Vec<Case> {
    let odd = [22, 23, 30];
    let n = 22 * 23 * 30;
    let values = || Voxels::I16(tissue(odd));
    let unsigned = || Voxels::U16(tissue(odd).into_iter().map(|v| (i32::from(v) + 40_000) as u16).collect());
    let mut floats: Vec<f32> = tissue(odd).into_iter().map(|v| f32::from(v) * 1.37).collect();
    for (i, v) in floats.iter_mut().enumerate() {
        match i % 13 {
            0 => *v = f32::NAN,
            1 => *v = f32::INFINITY,
            2 => *v = f32::NEG_INFINITY,
            3 => *v = -0.0,
            4 => *v = f32::from_bits(7),
            _ => {}
        }
    }
    let floats = || Voxels::F32(floats.clone());
    let negative = |cut| Rule { cut, negative: true, padding: None };
    let key = |v: f32| v.to_bits() as i32;
    let mut out = vec![
        case("i16", odd, values(), 130),
        Case { rule: negative(!-900), ..case("i16, negative slope", odd, values(), 0) },
        case("u16", odd, unsigned(), 40_130 - 32_768),
        Case { rule: negative(!(39_100 - 32_768)), ..case("u16, negative slope", odd, unsigned(), 0) },
        case("f32", odd, floats(), key(100.0)),
        case("f32, from minus zero", odd, floats(), 0),
        case("f32, below zero", odd, floats(), -1 - key(1000.0)),
        Case { rule: negative(-1 - key(50.0)), ..case("f32, negative slope", odd, floats(), 0) },
        case("every voxel", odd, values(), i32::from(i16::MIN)),
        case("no voxel", odd, values(), 32_768),
        case("extremes", [4, 1, 1], Voxels::I16(vec![i16::MIN, i16::MAX, 0, -1]), i32::from(i16::MAX)),
        case("1 x 1 x 1", [1, 1, 1], Voxels::I16(vec![-7]), -7),
        case("1 x 1 x 1, nothing", [1, 1, 1], Voxels::I16(vec![-8]), -7),
    ];
    // Runs that end, begin and go on where words and groups of words do.
    for columns in [31, 32, 33, 63, 64, 65, 96, 257] {
        let dims = [columns, 9, 3];
        let near = (0..columns * 27).map(|i| if scatter(i / 11) % 5 < 4 { 200 } else { 0 }).collect();
        let quick = columns == 33 || columns == 96;
        let near = case(&format!("{columns} columns"), dims, Voxels::I16(near), 130);
        out.push(Case { in_self_check: quick, ..near });
    }
    let wide = [8200, 3, 2];
    let row = case("a row over many groups", wide, Voxels::I16(vec![131; 8200 * 6]), 131);
    out.push(Case { in_self_check: false, ..row });
    let region: Vec<u8> = (0..n).map(|i| (scatter(i / 2) % 3) as u8).collect();
    let padding = |low, high| Rule { cut: 0, negative: false, padding: Some([low, high]) };
    out.extend([
        Case { rule: padding(100, 130), ..case("padding", odd, values(), 0) },
        Case { region: Some(region.clone()), ..case("region", odd, values(), -100) },
        Case { missing: vec![0, 7, 29], ..case("missing slices", odd, values(), -100) },
        Case {
            region: Some(region),
            missing: vec![3],
            rule: Rule { padding: Some([20, 60]), ..negative(-100) },
            slab_words: Some(97),
            ..case("all of it, in slabs", odd, values(), 0)
        },
        Case { slab_words: Some(1), in_self_check: false, ..case("a slab for each row", odd, values(), 100) },
        Case { slab_words: Some(300), ..case("slabs of floats", odd, floats(), key(10.0)) },
        // Two slices to a layer: a row is cut in two.
        Case {
            texture_limit: Some(32),
            ..case("wrapped", [45, 23, 30], Voxels::I16(tissue([45, 23, 30])), 90)
        },
    ]);
    if extent == Extent::SelfCheck {
        return out.into_iter().filter(|c| c.in_self_check).collect();
    }
    let large = [512, 512, 40];
    let large = case("512 x 512 x 40 in three slabs", large, Voxels::I16(tissue(large)), 150);
    out.push(Case { slab_words: Some(120_000), ..large });
    out
}
