//! Random volumes of many kinds: what a calcium score has to get right, and how to score each.
//!
//! Shared by the comparison with the plain reference and by that of the GPU with the CPU.

use calcium::{CONVENTIONS, Connectivity, Convention, MinimumArea, Reading, Request, SliceRule};
use imaging::header::Acquisition;
use imaging::volume::{Padding, Rescale};
use imaging::{Volume, Voxels};

// Not through the crate, which does not run in a browser.
#[path = "../../../../phantom/src/random.rs"]
mod random;
use random::Random;

/// What is special about a volume.
pub const KINDS: [&str; 14] = [
    "blobs",
    "touching lesions",
    "diagonal contacts",
    "1-pixel bridges",
    "lesions on the border",
    "every slice",
    "nothing",
    "overlapping slices",
    "negative slope",
    "unsigned",
    "floats and NaN",
    "padding and missing slices",
    "a region",
    "percolation",
];

/// A volume and how to score it.
pub struct Case {
    pub volume: Volume,
    pub region: Vec<u8>,
    pub request: Request,
    pub kvp: f64,
    pub thickness_mm: f64,
}

/// A whole number in `low..=high`.
fn whole(random: &mut Random, low: u32, high: u32) -> u32 {
    low + random.next_u32() % (high - low + 1)
}

fn pick<T: Copy>(random: &mut Random, of: &[T]) -> T {
    of[random.next_u32() as usize % of.len()]
}

/// Hounsfield units of a volume of this kind: whole numbers, so that thresholds are met exactly now and then.
fn hounsfield(random: &mut Random, kind: &str, dims: [u32; 3]) -> Vec<f64> {
    let [nx, ny, nz] = dims.map(|n| n as i64);
    let mut hu: Vec<f64> = (0..nx * ny * nz).map(|_| (40.0 + 12.0 * random.normal()).round()).collect();
    let bright = |random: &mut Random| {
        pick(random, &[129.0, 130.0, 131.0, 199.0, 200.0, 299.0, 300.0, 399.0, 400.0, 900.0])
    };
    let mut paint = |x: i64, y: i64, z: i64, value: f64| {
        if (0..nx).contains(&x) && (0..ny).contains(&y) && (0..nz).contains(&z) {
            hu[((z * ny + y) * nx + x) as usize] = value;
        }
    };
    if kind == "nothing" {
        return hu.into_iter().map(|v| v.min(129.0)).collect();
    }
    if kind == "percolation" {
        // Around the shares at which single clusters begin to span: 0.59 for edges, 0.41 with corners.
        let share = pick(random, &[0.38, 0.41, 0.5, 0.59, 0.63]);
        return hu.iter().map(|v| if random.uniform() < share { bright(random) } else { *v }).collect();
    }
    let count = whole(random, 1, 12);
    for _ in 0..count {
        let [x, y, z] = [nx, ny, nz].map(|n| i64::from(whole(random, 0, n as u32 - 1)));
        let value = bright(random);
        match kind {
            "touching lesions" => {
                for (dx, v) in [(0, value), (1, bright(random)), (2, value)] {
                    (0..3).for_each(|dy| paint(x + dx, y + dy, z, v));
                }
                paint(x + 1, y + 1, z + 1, value);
            }
            "diagonal contacts" => {
                for i in 0..6 {
                    paint(x + i, y + i, z, value);
                    paint(x - i, y + i, z + i % 2, bright(random));
                }
            }
            "1-pixel bridges" => {
                for i in 0..3 {
                    for j in 0..3 {
                        paint(x + i, y + j, z, value);
                        paint(x + 6 + i, y + j, z, value);
                    }
                }
                (3..6).for_each(|i| paint(x + i, y + 1, z, 130.0));
            }
            "lesions on the border" => {
                for i in 0..4 {
                    paint(x + i, 0, z, value);
                    paint(nx - 1, y + i, z, value);
                    paint(0, ny - 1 - i, 0, value);
                    paint(nx - 1 - i, ny - 1, nz - 1, value);
                }
            }
            "every slice" => (0..nz).for_each(|z| {
                paint(x, y, z, value);
                paint(x + 1, y + z % 2, z, value);
            }),
            _ => {
                let r = i64::from(whole(random, 0, 3));
                for (dx, dy, dz) in
                    (-r..=r).flat_map(|a| (-r..=r).flat_map(move |b| (-1..=1).map(move |c| (a, b, c))))
                {
                    if dx * dx + dy * dy + 4 * dz * dz <= r * r + 1 && random.uniform() < 0.9 {
                        paint(x + dx, y + dy, z + dz, (value + 20.0 * random.normal()).round());
                    }
                }
            }
        }
    }
    hu
}

pub fn case(random: &mut Random, kind: &str) -> Case {
    let dims = [whole(random, 1, 70), whole(random, 1, 33), whole(random, 1, 9)];
    let in_plane = pick(random, &[0.25, 0.3, 0.488, 0.5, 0.65625, 0.9, 1.0]);
    let other = pick(random, &[1.0, 1.0, 1.07, 0.7]);
    let increment = pick(random, &[0.5, 1.5, 2.5, 3.0, 3.3]);
    let hu = hounsfield(random, kind, dims);
    let n = hu.len();
    let slope = match kind {
        "negative slope" => pick(random, &[-1.0, -2.0, -0.5]),
        _ => pick(random, &[1.0, 1.0, 0.5, 2.0]),
    };
    let intercept = pick(random, &[0.0, -1024.0, -1000.0]);
    let stored = hu.iter().map(|v| ((v - intercept) / slope).round());
    let voxels = match kind {
        "unsigned" => Voxels::U16(stored.map(|v| v.clamp(0.0, 65535.0) as u16).collect()),
        "floats and NaN" => {
            let noisy = stored.map(|v| v as f32 + 0.3 * random.uniform() as f32);
            let mut values: Vec<f32> = noisy.collect();
            for _ in 0..n / 20 {
                let at = random.next_u32() as usize % n;
                values[at] = pick(random, &[f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -0.0]);
            }
            Voxels::F32(values)
        }
        _ => Voxels::I16(stored.map(|v| v.clamp(-32768.0, 32767.0) as i16).collect()),
    };
    let mut volume = super::ct(voxels, dims, [in_plane, in_plane * other, increment]);
    volume.rescale = Rescale { slope, intercept };
    let mut region = vec![1; n];
    if kind == "padding and missing slices" {
        let value = volume.voxels.get(random.next_u32() as usize % n).unwrap();
        volume.padding = Some(Padding { low: value, high: value + 40.0 });
        volume.missing = (0..dims[2]).filter(|_| random.uniform() < 0.3).map(|z| [0, z]).collect();
    }
    if kind == "a region" {
        region.iter_mut().for_each(|r| *r = u8::from(random.uniform() < 0.8) * 3);
    }
    let minimum_area = pick(
        random,
        &[
            MinimumArea::MoreThanMm2(1.0),
            MinimumArea::MoreThanMm2(0.0),
            MinimumArea::AtLeastMm2(1.0),
            MinimumArea::MoreThanMm2(0.5),
            MinimumArea::MoreThanPixels(3),
        ],
    );
    let slice_rule = pick(
        random,
        &[SliceRule::Increment, SliceRule::Increment, SliceRule::Thickness, SliceRule::Unscaled],
    );
    let connectivity = pick(random, &[Connectivity::Eight, Connectivity::Four]);
    let convention = Convention { connectivity, minimum_area, slice_rule, ..CONVENTIONS[0] };
    let threshold_hu = pick(random, &[None, None, Some(100.0), Some(130.5), Some(250.0)]);
    let mass_factor = Some(0.00075);
    let overlapping = if kind == "overlapping slices" { 2.0 } else { 1.0 };
    Case {
        volume,
        region,
        request: Request { convention, threshold_hu, mass_factor },
        kvp: pick(random, &[120.0, 120.0, 100.0, 80.0]),
        thickness_mm: increment * overlapping,
    }
}

impl Case {
    pub fn acquisition(&self) -> Acquisition {
        Acquisition {
            kvp: vec![self.kvp],
            slice_thickness_mm: vec![self.thickness_mm],
            ..super::standard_scan()
        }
    }

    pub fn reading(&self) -> Reading<'_> {
        Reading { region: Some(&self.region), ..Reading::default() }
    }
}

/// The bank: `count` volumes, all kinds in turn.
pub fn cases(count: usize) -> Vec<Case> {
    let mut random = Random::new(20_260_101);
    (0..count).map(|i| case(&mut random, KINDS[i % KINDS.len()])).collect()
}
