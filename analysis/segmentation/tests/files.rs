//! Files out and in: what is written reads back the same, and what others wrote lands where they meant it.
//!
//! Images are phantoms with a known place and, where the reference data is there, real series.

use std::path::PathBuf;

use imaging::limits::Limits;
use imaging::source::Buffer;
use imaging::{Catalog, Source, Volume, Voxels, disk, read_study};
use phantom::file::{Image, SeriesInfo, StudyInfo};
use scene::{DVec3, Grid};
use segmentation::dicom::{self, Kind, Maker, Moment, SegError, SourceSeries};
use segmentation::nifti::{self, NiftiLabelError};
use segmentation::{Label, LabelVolume};

fn buffer(name: &str, bytes: Vec<u8>) -> Buffer {
    Buffer { name: name.into(), bytes }
}

fn moment() -> Moment {
    Moment { date: "20260102".into(), time: "030405".into() }
}

const ROW: DVec3 = DVec3::new(0.8, 0.6, 0.0);
const COLUMN: DVec3 = DVec3::new(-0.48, 0.64, 0.6);

/// An oblique CT of 13 x 11 pixels and 7 slices with uneven spacings.
fn study() -> Catalog<Buffer> {
    let normal = ROW.cross(COLUMN);
    let place = |z: i32| DVec3::new(-12.0, 33.0, 7.0) + normal * (2.5 * f64::from(z));
    read_study((0..7).map(|z| slice(z, place(z), [ROW, COLUMN])).collect(), &Limits::default())
}

/// An image of that series.
fn slice(z: i32, position: DVec3, [row, column]: [DVec3; 2]) -> Buffer {
    let text = |s: &str| s.to_owned();
    let study = StudyInfo {
        key: text("seg"),
        patient_name: text("Phantom^Oblique"),
        patient_id: text("P1"),
        description: text("d"),
        study_id: text("1"),
    };
    let series = SeriesInfo {
        modality: phantom::Modality::Ct,
        number: 3,
        description: text("oblique"),
        body_part: text("HEART"),
        contrast_agent: None,
        syntax: phantom::Syntax::ExplicitLittle,
        photometric: phantom::Photometric::Monochrome2,
        bits_stored: 16,
        signed: true,
        slope: 1.0,
        intercept: 0.0,
        windows: vec![],
    };
    let image = Image {
        number: z + 1,
        columns: 13,
        rows: 11,
        pixel_mm: [0.75, 1.25],
        thickness_mm: 2.5,
        increment_mm: 2.5,
        position_mm: position.to_array(),
        orientation: [row.x, row.y, row.z, column.x, column.y, column.z],
        time: None,
        pixels: (0..143).map(|at| (at + 7 * z) as u16).collect(),
    };
    buffer(&format!("{z}.dcm"), phantom::file::write(&study, &series, &image).expect("writes"))
}

fn pattern(grid: &Grid) -> LabelVolume {
    let [nx, ny, _] = grid.dims();
    // Label 200 lies on one slice, slice 2 is empty, every other voxel is drawn from a generator.
    let mut seed = 11u32;
    let voxels = (0..grid.voxel_count() as u32)
        .map(|at| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            match at / (nx * ny) {
                2 => 0,
                5 if seed >> 31 == 1 => 200,
                _ => [0, 0, 1, 7, 7, 0, 3, 0][(seed >> 29) as usize],
            }
        })
        .collect();
    let code =
        contract::models::Code { value: "10200004".into(), scheme: "SCT".into(), meaning: "Liver".into() };
    let described = vec![
        Label { name: "Liver, links".into(), code: Some(code), colour: [10, 200, 30], ..Label::numbered(7) },
        Label { name: "Größe ä".into(), ..Label::numbered(200) },
    ];
    LabelVolume::new(grid.clone(), voxels, described).expect("fits")
}

#[test]
fn both_kinds_of_segmentation_come_back_bit_by_bit() {
    let catalog = study();
    let source = SourceSeries::of(&catalog, 0).expect("a DICOM series");
    let grid = catalog.series[0].grid.clone().expect("a grid");
    let labels = pattern(&grid);
    for kind in [Kind::Binary, Kind::LabelMap] {
        for maker in [Maker::Manual, Maker::Automatic("MeshNet 1".into())] {
            let bytes = dicom::write(&labels, &source, kind, &maker, &moment()).expect("writes");
            let again = dicom::write(&labels, &source, kind, &maker, &moment()).expect("writes");
            assert_eq!(bytes, again, "the same labels are the same object");
            let got = dicom::read(&buffer("seg.dcm", bytes), &grid, None).expect("reads");
            assert_eq!(got.warnings, Vec::<String>::new());
            assert_eq!(got.labels.voxels(), labels.voxels(), "{kind:?}");
            for (got, want) in got.labels.labels().iter().zip(labels.labels()) {
                assert_eq!(
                    (got.id, &got.name, got.colour, &got.code),
                    (want.id, &want.name, want.colour, &want.code)
                );
            }
            assert_eq!(got.labels.labels().len(), labels.labels().len());
        }
    }
}

/// Tags as one number each, with the index of the item between two of them.
fn text_at(object: &dicom_object::InMemDicomObject, path: &[u32]) -> String {
    let tag = dicom_core::Tag((path[0] >> 16) as u16, path[0] as u16);
    let element = object.element(tag).expect("the element is there");
    match path {
        [_] => element.to_str().expect("text").trim_end_matches([' ', '\0']).to_owned(),
        [_, index, inner @ ..] => text_at(&element.items().expect("a sequence")[*index as usize], inner),
        [] => String::new(),
    }
}

#[test]
fn the_object_says_what_it_refers_to() {
    let catalog = study();
    let source = SourceSeries::of(&catalog, 0).expect("a DICOM series");
    let labels = pattern(catalog.series[0].grid.as_ref().expect("a grid"));
    let bytes = dicom::write(&labels, &source, Kind::Binary, &Maker::Manual, &moment()).expect("writes");
    let file = imaging::dicom::read_header(&buffer("seg.dcm", bytes), &Limits::default()).expect("reads");
    assert_eq!(file.warnings, Vec::<String>::new());
    let get = |path: &[u32]| text_at(&file.object, path);
    assert_eq!(get(&[0x0008_0016]), "1.2.840.10008.5.1.4.1.1.66.4");
    assert_eq!(get(&[0x0010_0010]), "Phantom^Oblique");
    let headers: Vec<_> =
        catalog.frames(0).iter().map(|slot| slot.expect("complete").header.clone()).collect();
    assert_eq!(get(&[0x0020_000D]), headers[0].study_uid);
    assert_eq!(get(&[0x0020_0052]), headers[0].frame_of_reference_uid);
    assert_ne!(get(&[0x0020_000E]), headers[0].series_uid);
    assert_eq!(get(&[0x0008_1115, 0, 0x0020_000E]), headers[0].series_uid);
    // Labels 1, 3 and 7 on five slices and 200 on one, or fewer where chance left one out; the first is on slice 0.
    assert_eq!(
        get(&[0x5200_9230, 0, 0x0008_9124, 0, 0x0008_2112, 0, 0x0008_1155]),
        headers[0].sop_instance_uid
    );
    assert_eq!(get(&[0x5200_9230, 0, 0x0062_000A, 0, 0x0062_000B]), "1");
    assert_eq!(get(&[0x5200_9229, 0, 0x0028_9110, 0, 0x0028_0030]), "1.25\\0.75");
    assert_eq!(get(&[0x0062_0002, 2, 0x0062_0003, 0, 0x0008_0104]), "Anatomical structure");
    assert_eq!(get(&[0x0062_0002, 2, 0x0062_000F, 0, 0x0008_0104]), "Liver");
    assert_eq!(get(&[0x0062_0002, 3, 0x0062_0004]), "4", "numbers count from 1");
}

#[test]
fn nifti_comes_back_bit_by_bit() {
    let catalog = study();
    let grid = catalog.series[0].grid.clone().expect("a grid");
    let labels = pattern(&grid);
    let bytes = nifti::write(&labels).expect("writes");
    let mut read = read_study(vec![buffer("labels.nii.gz", bytes)], &Limits::default());
    let volume = read.volume(0).expect("loads");
    let got = nifti::from_volume(&volume, &grid).expect("labels");
    assert_eq!(got.labels.voxels(), labels.voxels());
    assert_eq!(got.warnings, Vec::<String>::new());
    let own = volume.grid.world_from_voxel_row_major();
    for (got, want) in own.iter().zip(grid.world_from_voxel_row_major()) {
        assert!((got - want).abs() < 1e-5, "{got} {want}");
    }
}

#[test]
fn values_that_are_no_labels_are_refused_and_large_ones_renumbered() {
    let grid = Grid::picture(2, 2, 1).expect("a grid");
    let of = |values: Vec<f32>| nifti::from_volume(&Volume::new(Voxels::F32(values), grid.clone()), &grid);
    assert!(matches!(of(vec![0.0, 1.0, 1.5, 2.0]), Err(NiftiLabelError::NotALabel(v)) if v == 1.5));
    assert!(matches!(of(vec![0.0, 1.0, -1.0, 2.0]), Err(NiftiLabelError::NotALabel(_))));
    assert!(matches!(of(vec![0.0, 1.0, f32::NAN, 2.0]), Err(NiftiLabelError::NotALabel(_))));
    let got = of(vec![0.0, 2035.0, 17.0, 2035.0]).expect("labels of FreeSurfer");
    assert_eq!(got.labels.voxels(), [0, 2, 1, 2]);
    let names: Vec<&str> = got.labels.labels().iter().map(|l| l.name.as_str()).collect();
    assert_eq!((names, got.warnings.len()), (vec!["Label 17", "Label 2035"], 1));
    let colour = Volume::new(Voxels::Rgba8(vec![[0; 4]; 4]), grid.clone());
    assert!(matches!(nifti::from_volume(&colour, &grid), Err(NiftiLabelError::Colour)));
    let wide = Grid::picture(300, 1, 1).expect("a grid");
    let many = Volume::new(Voxels::F32((0..300).map(|v| v as f32).collect()), wide.clone());
    assert!(matches!(nifti::from_volume(&many, &wide), Err(NiftiLabelError::Labels(_))));
    let far = scene::DAffine3::from_translation(DVec3::splat(1e4));
    let far = Grid::new([2, 2, 1], far, scene::LengthUnit::Pixel, scene::Frame::Image).expect("a grid");
    let here = Volume::new(Voxels::F32(vec![1.0; 4]), grid.clone());
    assert!(matches!(nifti::from_volume(&here, &far), Err(NiftiLabelError::Elsewhere)));
}

#[test]
fn exports_that_cannot_be_say_why() {
    let catalog = study();
    let source = SourceSeries::of(&catalog, 0).expect("a DICOM series");
    let grid = catalog.series[0].grid.clone().expect("a grid");
    let write = |labels: &LabelVolume| dicom::write(labels, &source, Kind::Binary, &Maker::Manual, &moment());
    assert!(matches!(write(&LabelVolume::empty(grid.clone())), Err(SegError::Empty)));
    let other = LabelVolume::empty(Grid::picture(13, 11, 6).expect("a grid"));
    assert!(matches!(write(&other), Err(SegError::OtherSource { frames: 7, slices: 6 })));
    let bytes = nifti::write(&LabelVolume::empty(grid.clone())).expect("writes");
    let plain = read_study(vec![buffer("a.nii.gz", bytes)], &Limits::default());
    assert!(matches!(SourceSeries::of(&plain, 0), Err(SegError::NoSource)));
    let image =
        catalog.item(catalog.frames(0)[0].expect("complete").file).expect("there").read_all().expect("reads");
    let read = dicom::read(&buffer("ct.dcm", image), &grid, None);
    assert!(matches!(read, Err(SegError::NotASegmentation(what)) if what == "CT"));
}

#[test]
fn damaged_segmentations_are_refused_or_read_and_never_panic() {
    let catalog = study();
    let source = SourceSeries::of(&catalog, 0).expect("a DICOM series");
    let grid = catalog.series[0].grid.clone().expect("a grid");
    let whole =
        dicom::write(&pattern(&grid), &source, Kind::Binary, &Maker::Manual, &moment()).expect("writes");
    let mut seed = 3u32;
    let mut next = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    let (mut read, mut refused) = (0, 0);
    for round in 0..600 {
        let mut bytes = whole.clone();
        if round % 3 == 0 {
            bytes.truncate(next(whole.len()));
        }
        for _ in 0..1 + round % 4 {
            let at = 132 + next(bytes.len().max(133) - 132);
            if let Some(byte) = bytes.get_mut(at) {
                *byte = match next(3) {
                    0 => *byte ^ (1 << next(8)),
                    1 => b"0123456789.eE+-\\"[next(16)],
                    _ => 0xff,
                };
            }
        }
        match dicom::read(&buffer("seg.dcm", bytes), &grid, None) {
            Ok(got) => {
                assert_eq!(got.labels.voxels().len(), grid.voxel_count());
                read += 1;
            }
            Err(error) => {
                assert!(error.to_string().len() > 20, "{error}");
                refused += 1;
            }
        }
    }
    assert!(read > 50 && refused > 50, "{read} read, {refused} refused");
}

#[test]
fn a_segmentation_of_another_place_or_frame_is_told() {
    let catalog = study();
    let source = SourceSeries::of(&catalog, 0).expect("a DICOM series");
    let grid = catalog.series[0].grid.clone().expect("a grid");
    let bytes =
        dicom::write(&pattern(&grid), &source, Kind::LabelMap, &Maker::Manual, &moment()).expect("writes");
    let file = buffer("seg.dcm", bytes);
    let other = dicom::read(&file, &grid, Some("1.2.3")).expect("reads");
    assert!(other.warnings[0].contains("frame of reference"), "{:?}", other.warnings);
    let moved = |by: f64| {
        let mut affine = grid.world_from_voxel();
        affine.translation += DVec3::splat(by);
        Grid::new(grid.dims(), affine, grid.length_unit, grid.frame).expect("a grid")
    };
    assert!(matches!(dicom::read(&file, &moved(500.0), None), Err(SegError::Elsewhere)));
    let partly = dicom::read(&file, &moved(4.0), None).expect("reads");
    assert!(partly.warnings[0].contains("outside of the image"), "{:?}", partly.warnings);
}

#[test]
fn a_segmentation_among_the_files_finds_its_series() {
    let files = |of: &Catalog<Buffer>| -> Vec<Buffer> {
        of.files(0).into_iter().filter_map(|f| of.item(f)).map(copy).collect()
    };
    let catalog = study();
    let source = SourceSeries::of(&catalog, 0).expect("a DICOM series");
    let labels = pattern(catalog.series[0].grid.as_ref().expect("a grid"));
    for kind in [Kind::Binary, Kind::LabelMap] {
        let bytes = dicom::write(&labels, &source, kind, &Maker::Manual, &moment()).expect("writes");
        let mut all = files(&catalog);
        all.push(buffer("seg.dcm", bytes.clone()));
        let together = read_study(all, &Limits::default());
        let found = dicom::belonging(&together);
        let [seg] = &found[..] else { panic!("{kind:?}: {found:?}") };
        let image = together.series.iter().position(|s| s.modality == "CT").expect("listed");
        assert_eq!(seg.onto, [image], "{kind:?}");
        assert!(!seg.rows.is_empty() && !seg.rows.contains(&image), "{kind:?}: {seg:?}");

        // A localizer of the same series crosses its planes and does not count; without a reference the frame tells.
        let mut all = files(&catalog);
        all.push(slice(90, DVec3::ZERO, [ROW, ROW.cross(COLUMN)]));
        all.push(buffer("seg.dcm", without_reference(&bytes)));
        let mixed = read_study(all, &Limits::default());
        let found = dicom::belonging(&mixed);
        let onto: Vec<Vec<_>> =
            found.iter().map(|s| s.onto.iter().map(|i| mixed.series[*i].dims).collect()).collect();
        assert_eq!(onto, [vec![[13, 11, 7]]], "{kind:?}");

        // Without the series it belongs to nothing.
        let alone = read_study(vec![buffer("seg.dcm", bytes.clone())], &Limits::default());
        assert_eq!(dicom::belonging(&alone).iter().map(|s| s.onto.len()).collect::<Vec<_>>(), [0]);
    }
    // Images alone hold none.
    assert!(dicom::belonging(&catalog).is_empty());
}

fn without_reference(bytes: &[u8]) -> Vec<u8> {
    let mut file = dicom_object::from_reader(bytes).expect("reads");
    assert!(file.remove_element(dicom_core::Tag(0x0008, 0x1115)));
    let mut out = Vec::new();
    file.write_all(&mut out).expect("writes");
    out
}

fn copy(item: &imaging::Item<Buffer>) -> Buffer {
    let mut bytes = vec![0; item.len() as usize];
    item.read_at(0, &mut bytes).expect("reads");
    buffer(item.name(), bytes)
}

fn reference(path: &str) -> Option<PathBuf> {
    testbed::reference(path)
}

fn open(path: PathBuf) -> Catalog<disk::DiskFile> {
    read_study(disk::files_under(&[path]).expect("files"), &Limits::default())
}

#[test]
fn dcmqis_liver_lies_on_its_ct() {
    let Some(folder) = reference("data/dicom/dcmqi/segmentations") else { return };
    let catalog = open(folder.join("ct-3slice"));
    let grid = catalog.series[0].grid.clone().expect("a grid");
    let file = disk::DiskFile::open(folder.join("liver.dcm")).expect("file");
    let got = dicom::read(&file, &grid, None).expect("reads");
    // What pydicom counts in the file: 36233, 35645 and 35220 bits.
    let on = |slice| got.labels.slice(slice).iter().filter(|label| **label == 1).count();
    let mut counts = [0, 1, 2].map(on);
    counts.sort_unstable();
    assert_eq!(counts, [35220, 35645, 36233]);
    assert_eq!(got.labels.labels()[0].name, "Liver");
    let code = got.labels.labels()[0].code.clone().expect("a code");
    assert_eq!(code.meaning, "Liver");
}

#[test]
fn dcmqis_label_lies_where_its_image_is_bright() {
    let Some(folder) = reference("data/dicom/dcmqi/segmentations/23x38x3") else { return };
    let mut catalog = open(folder.join("image"));
    let volume = catalog.volume(0).expect("loads");
    let file = disk::DiskFile::open(folder.join("seg/label.seg")).expect("file");
    let got = dicom::read(&file, &volume.grid, None).expect("reads");
    let [nx, ny, _] = volume.grid.dims().map(|n| n as usize);
    for at in 0..volume.grid.voxel_count() {
        // Its authors marked the corners of every slice as well.
        let corner = (at % nx == 0 || at % nx == nx - 1) && (at / nx % ny == 0 || at / nx % ny == ny - 1);
        let bright = volume.voxels.get(at) == Some(1.0);
        assert_eq!(got.labels.voxels()[at] != 0, bright || corner, "voxel {at}");
    }
}

#[test]
fn totalsegmentators_labels_lie_on_its_ct_and_survive_every_file() {
    let Some(folder) = reference("data/totalsegmentator-ct") else { return };
    let mut image = open(folder.join("example_ct_sm.nii.gz"));
    let mut labels = open(folder.join("example_seg.nii.gz"));
    let image = image.volume(0).expect("loads");
    let labels = labels.volume(0).expect("loads");
    let got = nifti::from_volume(&labels, &image.grid).expect("labels");
    assert!(got.labels.labels().len() > 30, "{} labels", got.labels.labels().len());
    let own = LabelVolume::new(
        labels.grid.clone(),
        (0..labels.grid.voxel_count()).map(|at| labels.voxels.get(at).unwrap_or(0.0) as u8).collect(),
        vec![],
    )
    .expect("fits");
    if labels.grid.dims() == image.grid.dims() {
        assert_eq!(got.labels.voxels(), own.voxels());
    }
    let bytes = nifti::write(&got.labels).expect("writes");
    let volume = read_study(vec![buffer("a.nii.gz", bytes)], &Limits::default()).volume(0).expect("loads");
    let again = nifti::from_volume(&volume, &image.grid).expect("labels");
    assert_eq!(again.labels.voxels(), got.labels.voxels());
}
