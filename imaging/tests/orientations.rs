//! A marked voxel is found at its world position in every orientation, whatever order the files come in.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

mod common {
    pub mod synthetic;
}

use common::synthetic::{COLUMNS, Image, ROWS, SLICES, SPACING, files, shuffle};
use dicom_core::VR;
use dicom_dictionary_std::tags;
use imaging::limits::Limits;
use imaging::read_study;
use scene::{DVec3, Frame, LengthUnit};

const MARK: [u32; 3] = [5, 17, 23];
const BLANK: u16 = 1024;

/// Files of a stack with one voxel marked: names, arrival and instance numbers say nothing of the order.
fn marked(right: DVec3, down: DVec3, step: DVec3, origin: DVec3, seed: u64) -> Vec<Image> {
    let mut numbers: Vec<i32> = (1..=SLICES as i32).collect();
    shuffle(&mut numbers, seed + 1);
    let mut images: Vec<Image> = (0..SLICES)
        .map(|z| {
            let mut image = Image::ct(z as i32, origin + step * z as f64, right, down);
            image.text(tags::INSTANCE_NUMBER, VR::IS, &numbers[z].to_string());
            image.name = format!("{:04}", numbers[(z * 7) % SLICES]);
            let mut pixels = vec![BLANK; usize::from(COLUMNS) * usize::from(ROWS)];
            if z as u32 == MARK[2] {
                pixels[(MARK[1] * u32::from(COLUMNS) + MARK[0]) as usize] = 3000;
            }
            image.pixels(pixels);
            image
        })
        .collect();
    shuffle(&mut images, seed);
    images
}

/// Checks where the mark is found; returns the warnings.
fn check(right: DVec3, down: DVec3, step: DVec3, seed: u64) -> Vec<String> {
    let origin = DVec3::new(-80.5, 33.25, 12.125);
    let images = marked(right, down, step, origin, seed);
    let mut catalog = read_study(files(&images), &Limits::default());
    let case = format!("right {right}, down {down}, step {step}");
    assert_eq!(catalog.series.len(), 1, "{case}");
    let series = &catalog.series[0];
    assert_eq!(series.dims, [u32::from(COLUMNS), u32::from(ROWS), SLICES as u32], "{case}");
    let warnings = series.warnings.clone();
    let volume = catalog.volume(0).unwrap();
    assert_eq!((volume.grid.frame, volume.grid.length_unit), (Frame::Patient, LengthUnit::Millimetre));
    let spacing = volume.grid.spacing();
    for (axis, want) in [SPACING[0], SPACING[1], step.length()].into_iter().enumerate() {
        assert!((spacing[axis] - want).abs() < 1e-6, "{case}: spacing {spacing:?}");
    }
    // Where the test put it, by the standard's own formula (PS3.3 C.7.6.2.1.1), not by our grid.
    let want = origin
        + right * SPACING[0] * f64::from(MARK[0])
        + down * SPACING[1] * f64::from(MARK[1])
        + step * f64::from(MARK[2]);
    let at = volume.grid.voxel_at(want).unwrap_or_else(|| panic!("{case}: {want} is outside"));
    assert_eq!(volume.value(at, 0), Some(3000.0 - 1024.0), "{case}: voxel {at:?}");
    let found = volume.grid.world_from_voxel().transform_point3(DVec3::from_array(at.map(f64::from)));
    assert!((found - want).length() < 1e-6, "{case}: {found} instead of {want}");
    let marks = (0..volume.voxels.len()).filter(|i| volume.voxels.get(*i) == Some(3000.0)).count();
    assert_eq!(marks, 1, "{case}");
    catalog.ledger.check().unwrap();
    assert_eq!(catalog.ledger.used(), SLICES);
    warnings
}

#[test]
fn all_48_axis_orientations() {
    let axes = [DVec3::X, DVec3::Y, DVec3::Z];
    let mut seed = 1;
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        for flips in 0..8 {
            let sign = |bit: usize| if flips >> bit & 1 == 1 { -1.0 } else { 1.0 };
            let [right, down, along] = std::array::from_fn(|i| axes[order[i]] * sign(i));
            let warnings = check(right, down, along * SPACING[2], seed);
            assert_eq!(warnings, Vec::<String>::new());
            seed += 1;
        }
    }
    assert_eq!(seed, 49);
}

#[test]
fn oblique() {
    let right = DVec3::new(0.8, 0.48, -0.36).normalize();
    let down = right.cross(DVec3::new(0.1, 0.3, 0.9)).normalize();
    let warnings = check(right, down, right.cross(down) * SPACING[2], 99);
    assert_eq!(warnings, Vec::<String>::new());
}

#[test]
fn gantry_tilt_is_kept_and_told() {
    let tilt = 15f64.to_radians();
    // Slices tilted about x, the table moved along z.
    let (right, down) = (DVec3::X, DVec3::new(0.0, tilt.cos(), tilt.sin()));
    let warnings = check(right, down, DVec3::Z * SPACING[2], 7);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].contains("15.0 degrees"), "{warnings:?}");
}
