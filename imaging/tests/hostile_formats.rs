//! Damaged files of every kind end in an error or a picture, never in a panic or a lost file.
//!
//! Mutations are drawn from a fixed sequence, so that a failure repeats; fuzzing goes further, this runs
//! with every test.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

mod common {
    pub mod plain;
    pub mod synthetic;
}

use common::plain::{Nifti, file, gzip, png, zip};
use common::synthetic::{Image, axial};
use imaging::limits::Limits;
use imaging::source::Buffer;
use imaging::{Scanner, Source};

/// xorshift64*
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }
    fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }
}

/// Scans and loads everything; the ledger must add up whatever happened.
fn survive(name: &str, bytes: Vec<u8>) -> bool {
    // Small limits keep thousands of runs fast and bound memory as in a small browser tab.
    let limits = Limits { max_frame_bytes: 1 << 20, max_pixels_bytes: 16 << 20, ..Limits::default() };
    let mut scanner = Scanner::new(vec![file(name, bytes)], limits);
    while scanner.step().is_some() {}
    let mut catalog = scanner.finish();
    let mut loaded = false;
    for index in 0..catalog.series.len() {
        let count: u64 = catalog.series[index].dims.iter().map(|d| u64::from(*d)).product();
        if count * u64::from(catalog.series[index].time_points) > 64 << 20 {
            continue;
        }
        loaded |= catalog.volume(index).is_ok();
    }
    catalog.ledger.check().unwrap();
    loaded
}

fn seeds() -> Vec<Buffer> {
    let nifti = Nifti::new(4, vec![3; 120]);
    let two = Nifti { version: 2, big: true, ..nifti.clone() };
    let image = axial(1).remove(0);
    let files: Vec<Buffer> = axial(3).iter().map(Image::file).collect();
    let entries: Vec<(&str, &[u8])> = files.iter().map(|f| (f.name.as_str(), f.bytes.as_slice())).collect();
    let grey = png(4, 3, png::ColorType::Grayscale, png::BitDepth::Sixteen, &[9; 24]);
    let palette = png(4, 1, png::ColorType::Indexed, png::BitDepth::Two, &[0b00_01_10_11]);
    vec![
        nifti.file(),
        two.file(),
        file("x.nii.gz", gzip(&nifti.bytes())),
        file("x.zip", zip(&entries)),
        file("x.png", grey),
        file("y.png", palette),
        image.file(),
    ]
}

#[test]
fn the_unharmed_files_load() {
    for seed in seeds() {
        assert!(survive(seed.name(), seed.bytes.clone()), "{}", seed.name());
    }
}

#[test]
fn mutated_files_never_panic() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let (mut runs, mut harmless) = (0, 0);
    for seed in seeds() {
        // Headers decide what is allocated: most mutations go there.
        let head = seed.bytes.len().min(600);
        for _ in 0..600 {
            let mut bytes = seed.bytes.clone();
            for _ in 0..=random.below(4) {
                let at = if random.below(4) > 0 { random.below(head) } else { random.below(bytes.len()) };
                bytes[at] = match random.below(4) {
                    0 => 0,
                    1 => 0xff,
                    2 => bytes[at] ^ (1 << random.below(8)),
                    _ => random.next() as u8,
                };
            }
            if random.below(8) == 0 {
                bytes.truncate(random.below(bytes.len()));
            }
            runs += 1;
            harmless += usize::from(survive(seed.name(), bytes));
        }
    }
    println!("{runs} mutated files, {harmless} still loaded");
    // If everything were refused, the mutations would not reach the decoders.
    assert!(harmless > runs / 20 && harmless < runs, "{harmless} of {runs}");
}
