//! Volumes on demand: what is asked for is what the files say.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::Cursor;

use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, OpenFileOptions};
use glam::DVec3;
use phantom::synthetic::Fill;
use phantom::{Error, Mark, Modality, Photometric, Syntax, SyntheticSpec, synthetic};

fn open(bytes: &[u8]) -> DefaultDicomObject {
    OpenFileOptions::new().from_reader(Cursor::new(bytes)).unwrap()
}

fn floats(object: &DefaultDicomObject, tag: dicom_core::Tag) -> Vec<f64> {
    object.element(tag).unwrap().to_multi_float64().unwrap()
}

#[test]
fn every_encoding_holds_the_same_values() {
    let spec = |syntax| SyntheticSpec {
        syntax,
        bits_stored: 12,
        rescale: (2.0, -100.0),
        fill: Fill::Ramp { base: -150.0, per: [2.0, 6.0, 40.0, 0.0] },
        marks: vec![Mark::Voxel { at: [3, 4, 5], value: 1000.0 }],
        ..SyntheticSpec::default()
    };
    let pixels = |syntax: Syntax| -> Vec<Vec<u16>> {
        synthetic(&spec(syntax))
            .unwrap()
            .iter()
            .map(|(_, bytes)| {
                let object = open(bytes);
                assert_eq!(object.meta().transfer_syntax(), syntax.uid());
                object.element(tags::PIXEL_DATA).unwrap().to_multi_int::<u16>().unwrap()
            })
            .collect()
    };
    let reference = pixels(Syntax::ExplicitLittle);
    // (-150 - -100) / 2 = -25, in 12 bits without the upper four.
    assert_eq!(reference[0][0], (-25i16 as u16) & 0x0fff);
    assert_eq!(reference[5][4 * 32 + 3], 550);
    assert_eq!(reference[5][4 * 32 + 4], ((-150.0 + 8.0 + 24.0 + 200.0 + 100.0) / 2.0) as u16);
    for syntax in [Syntax::ImplicitLittle, Syntax::ExplicitBig, Syntax::Deflated] {
        assert!(pixels(syntax) == reference, "{syntax:?} differs");
    }
}

#[test]
fn oblique_geometry_is_in_the_header() {
    let (s, c) = 0.4f64.sin_cos();
    for along_normal in [true, false] {
        let spec = SyntheticSpec {
            dims: [22, 23, 30],
            spacing_mm: [0.75, 2.5, 7.25],
            orientation: [c, s, 0.0, 0.0, 0.0, -1.0],
            along_normal,
            ..SyntheticSpec::default()
        };
        let files = synthetic(&spec).unwrap();
        assert_eq!(files.len(), 30);
        for k in [0usize, 29] {
            let object = open(&files[k].1);
            let position = floats(&object, tags::IMAGE_POSITION_PATIENT);
            let direction = floats(&object, tags::IMAGE_ORIENTATION_PATIENT);
            let spacing = floats(&object, tags::PIXEL_SPACING);
            assert_eq!(spacing, [2.5, 0.75], "rows first");
            // Where the last voxel of the image lies by PS3.3 C.7.6.2.1.1.
            let at: Vec<f64> = (0..3)
                .map(|i| {
                    position[i] + direction[i] * spacing[1] * 21.0 + direction[3 + i] * spacing[0] * 22.0
                })
                .collect();
            let want = spec.world_from_voxel([21.0, 22.0, k as f64]);
            assert!(DVec3::new(at[0], at[1], at[2]).distance(want) < 1e-9, "{at:?} for {want}");
        }
        let step = spec.world_from_voxel([0.0, 0.0, 1.0]) - spec.world_from_voxel([0.0; 3]);
        let normal = DVec3::new(c, s, 0.0).cross(DVec3::NEG_Z) * if along_normal { 7.25 } else { -7.25 };
        assert!(step.distance(normal) < 1e-12);
        assert_eq!(spec.box_mm([2, 3, 4], [9, 3, 4]), [6.0, 2.5, 7.25]);
    }
}

#[test]
fn shuffled_files_hold_each_slice_once() {
    let spec = SyntheticSpec { shuffled: true, times_s: vec![0.0, 1.5, 4.0], ..SyntheticSpec::default() };
    let files = synthetic(&spec).unwrap();
    let mut places: Vec<(i64, i64)> = files
        .iter()
        .map(|(_, bytes)| {
            let object = open(bytes);
            let z = floats(&object, tags::IMAGE_POSITION_PATIENT)[2];
            let t = object.element(tags::TEMPORAL_POSITION_IDENTIFIER).unwrap().to_int::<i64>().unwrap();
            (t, z.round() as i64)
        })
        .collect();
    assert!(!places.is_sorted());
    places.sort_unstable();
    let want: Vec<_> = (1..=3).flat_map(|t| (0..12).map(move |k| (t, 100 + 2 * k))).collect();
    assert_eq!(places, want);
}

#[test]
fn a_mammogram_has_no_patient_position() {
    let spec = SyntheticSpec {
        dims: [200, 300, 1],
        modality: Modality::Mg,
        photometric: Photometric::Monochrome1,
        signed: false,
        bits_stored: 12,
        ..SyntheticSpec::default()
    };
    let object = open(&synthetic(&spec).unwrap()[0].1);
    assert!(object.get(tags::IMAGE_POSITION_PATIENT).is_none());
    assert_eq!(object.element(tags::PHOTOMETRIC_INTERPRETATION).unwrap().to_str().unwrap(), "MONOCHROME1");
    assert_eq!(object.element(tags::ROWS).unwrap().to_int::<u16>().unwrap(), 300);
    assert_eq!(floats(&object, tags::IMAGER_PIXEL_SPACING), [1.0, 1.0]);
}

#[test]
fn what_no_file_can_hold_is_refused() {
    let bad = [
        SyntheticSpec { dims: [0, 4, 4], ..SyntheticSpec::default() },
        SyntheticSpec { bits_stored: 17, ..SyntheticSpec::default() },
        SyntheticSpec { orientation: [1.0, 0.0, 0.0, 1.0, 0.0, 0.0], ..SyntheticSpec::default() },
        SyntheticSpec { spacing_mm: [1.0, 0.0, 1.0], ..SyntheticSpec::default() },
    ];
    for spec in bad {
        assert!(matches!(synthetic(&spec), Err(Error::Specification(_))), "{spec:?}");
    }
}
