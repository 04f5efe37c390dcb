//! Files that come later join those that are there: series grow, nothing is counted twice, nothing is forgotten.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

mod common {
    pub mod plain;
    pub mod synthetic;
}

use common::plain::{Nifti, file, png, zip};
use common::synthetic::{Image, axial, files};
use dicom_core::VR;
use dicom_dictionary_std::tags;
use imaging::limits::Limits;
use imaging::source::Buffer;
use imaging::{Catalog, Fate, Heir, Scanner, Voxels, read_study};
use testbed::dicom::break_pixels;

fn first(sources: Vec<Buffer>) -> Catalog<Buffer> {
    let catalog = read_study(sources, &Limits::default());
    catalog.ledger.check().unwrap();
    catalog
}

fn later(earlier: &Catalog<Buffer>, sources: Vec<Buffer>) -> Catalog<Buffer> {
    let mut scanner = Scanner::after(earlier, sources);
    while scanner.step().is_some() {}
    let catalog = scanner.finish();
    catalog.ledger.check().unwrap();
    assert_eq!(catalog.warnings, [""; 0]);
    catalog
}

/// Received, used, shown, refused.
fn counts(catalog: &Catalog<Buffer>) -> [usize; 4] {
    let l = &catalog.ledger;
    [l.received(), l.used(), l.shown().count(), l.refused().count()]
}

fn picture() -> Vec<u8> {
    png(2, 2, png::ColorType::Grayscale, png::BitDepth::Eight, &[1, 2, 3, 4])
}

/// A `.hdr` and its `.img`.
fn pair() -> [Vec<u8>; 2] {
    let nifti = Nifti { magic: b"ni1", ..Nifti::new(2, vec![7; 60]) };
    let mut header = nifti.bytes()[..348].to_vec();
    header[108..112].copy_from_slice(&0f32.to_le_bytes());
    [header, nifti.data]
}

/// Axial slices of another series of the same study.
fn other(n: usize) -> Vec<Image> {
    let mut images = axial(n);
    for (i, image) in images.iter_mut().enumerate() {
        image
            .text(tags::SERIES_INSTANCE_UID, VR::UI, "1.2.3.2")
            .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.5.{i}"))
            .text(tags::SERIES_NUMBER, VR::IS, "2");
        image.name = format!("other{i}");
    }
    images
}

#[test]
fn a_series_whose_other_half_comes_later_is_complete() {
    let images = axial(12);
    // The later half lies below the earlier one: slices are ordered by position and not by arrival.
    let earlier = first(files(&images[7..]));
    assert_eq!((earlier.series.len(), earlier.series[0].dims[2]), (1, 5));
    let mut catalog = later(&earlier, files(&images[..7]));
    assert_eq!((catalog.series.len(), catalog.series[0].dims[2]), (1, 12));
    assert_eq!(counts(&catalog), [12, 12, 0, 0]);
    assert_eq!(catalog.heirs(&earlier), [Heir::Changed(0)]);
    let volume = catalog.volume(0).unwrap();
    let Voxels::I16(voxels) = &volume.voxels else { panic!("{:?}", volume.voxels) };
    let slice = voxels.len() / 12;
    let found: Vec<i16> = (0..12).map(|z| voxels[z * slice]).collect();
    assert_eq!(found, (0..12).map(|z| 101 + z).collect::<Vec<i16>>());
    let mut whole = first(files(&images));
    assert_eq!(whole.volume(0).unwrap().grid, volume.grid);
    // What was open goes on as it was.
    assert_eq!((earlier.series[0].dims[2], counts(&earlier)), (5, [5, 5, 0, 0]));
}

#[test]
fn a_series_that_got_nothing_is_the_same() {
    let earlier = first(files(&other(4)));
    let catalog = later(&earlier, files(&axial(3)));
    // Series number 1 is listed before 2: places in the list move, identity does not.
    assert_eq!(catalog.series.iter().map(|s| s.number).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!(catalog.heirs(&earlier), [Heir::New, Heir::Same(0)]);
    assert_eq!(counts(&catalog), [7, 7, 0, 0]);
    let third = later(&catalog, vec![file("a.png", picture()), file("notes.txt", b"no picture".to_vec())]);
    assert_eq!(third.heirs(&catalog), [Heir::Same(0), Heir::Same(1), Heir::New]);
    assert_eq!(counts(&third), [9, 8, 0, 1]);
}

#[test]
fn a_series_that_falls_apart_has_one_heir() {
    // Two spacings in one series: a second orientation makes a second stack of what was one.
    let mut images = axial(6);
    let earlier = first(files(&images));
    for (i, image) in images.iter_mut().enumerate() {
        image
            .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.6.{i}"))
            .text(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, "1\\0\\0\\0\\0\\-1")
            .text(tags::IMAGE_POSITION_PATIENT, VR::DS, &format!("0\\{}\\0", i * 3));
        image.name = format!("coronal{i}");
    }
    let catalog = later(&earlier, files(&images));
    assert_eq!(catalog.series.len(), 2);
    let mut heirs = catalog.heirs(&earlier);
    heirs.sort_by_key(|h| *h == Heir::New);
    assert_eq!(heirs, [Heir::Same(0), Heir::New]);
}

#[test]
fn what_is_dropped_twice_is_told_as_duplicate() {
    let mut report = axial(1);
    report[0].without(tags::PIXEL_DATA).text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.7");
    report[0].name = "report".into();
    let nifti = Nifti::new(2, vec![7; 60]);
    let [header, data] = pair();
    let all = || {
        let mut all = files(&axial(3));
        all.extend(files(&report));
        all.push(file("brain.nii", nifti.bytes()));
        all.push(file("pair.hdr", header.clone()));
        all.push(file("pair.img", data.clone()));
        all.push(file("a.png", picture()));
        all.push(file("archive.zip", zip(&[("inner.png", &picture())])));
        all
    };
    let earlier = first(all());
    assert_eq!(counts(&earlier), [9, 8, 1, 0]);
    let catalog = later(&earlier, all());
    assert_eq!(counts(&catalog), [18, 8, 10, 0]);
    let duplicates = catalog.ledger.shown().filter(|(_, reason)| reason.starts_with("Duplicate")).count();
    assert_eq!(duplicates, 9);
    assert!(catalog.heirs(&earlier).iter().enumerate().all(|(i, heir)| *heir == Heir::Same(i)));
    // And once more: each scan remembers what the one before dropped.
    let third = later(&catalog, all());
    assert_eq!(counts(&third), [27, 8, 19, 0]);
    assert_eq!(third.series.len(), earlier.series.len());

    // Other content under the same path is no duplicate, and neither is the same content elsewhere.
    let changed = Nifti::new(2, vec![8; 60]).bytes();
    let catalog = later(&earlier, vec![file("brain.nii", changed), file("copy/brain.nii", nifti.bytes())]);
    assert_eq!(counts(&catalog), [11, 10, 1, 0]);
}

#[test]
fn the_halves_of_a_pair_may_come_one_after_the_other() {
    let [header, data] = pair();
    let earlier = first(vec![file("pair.hdr", header)]);
    assert_eq!(counts(&earlier), [1, 0, 0, 1]);
    let catalog = later(&earlier, vec![file("pair.img", data)]);
    assert_eq!(counts(&catalog), [2, 2, 0, 0]);
}

#[test]
fn what_could_not_be_decoded_stays_refused() {
    let mut images = files(&axial(3));
    break_pixels(&mut images[1].bytes);
    let mut earlier = first(images);
    assert_eq!(counts(&earlier), [3, 3, 0, 0]);
    // It is found out while a later scan is under way.
    let mut meanwhile = Scanner::after(&earlier, files(&other(2)));
    meanwhile.step();
    earlier.volume(0).unwrap();
    while meanwhile.step().is_some() {}
    assert_eq!(counts(&meanwhile.finish()), [5, 4, 0, 1]);
    assert_eq!(counts(&earlier), [3, 2, 0, 1]);
    let catalog = later(&earlier, files(&other(1)));
    assert_eq!(counts(&catalog), [4, 3, 0, 1]);
    assert_eq!(catalog.heirs(&earlier), [Heir::Same(0), Heir::New]);
}

#[test]
fn a_preview_shows_the_middle_file_and_changes_nothing() {
    let images = axial(9);
    let mut scanner = Scanner::new(files(&images), Limits::default());
    let preview = scanner.preview(64).unwrap();
    // 22 x 0.75 mm by 23 x 2.5 mm
    assert_eq!((preview.width, preview.height), (18, 64));
    assert_eq!(scanner.progress().files_done, 0);
    while scanner.step().is_some() {}
    assert!(scanner.preview(64).is_none(), "nothing waits any more");
    assert_eq!(counts(&scanner.finish()), [9, 9, 0, 0]);
    for without in [file("a.txt", b"none".to_vec()), file("a.zip", zip(&[("a.png", &picture())]))] {
        assert!(Scanner::new(vec![without], Limits::default()).preview(64).is_none());
    }
}

#[test]
fn a_cancelled_scan_keeps_what_it_read_and_more_may_be_added_to_a_running_one() {
    let earlier = first(files(&axial(3)));
    let mut scanner = Scanner::after(&earlier, files(&other(4)));
    scanner.step();
    scanner.add(files(&axial(1)));
    assert_eq!(scanner.progress().files_total, 5);
    assert_eq!(scanner.upcoming(2).map(|s| s.name.as_str()).collect::<Vec<_>>(), ["other1", "other2"]);
    scanner.step();
    let catalog = scanner.finish();
    catalog.ledger.check().unwrap();
    assert_eq!(counts(&catalog), [8, 5, 0, 3]);
    // What was not reached then is read when it comes again.
    let catalog = later(&catalog, files(&other(4)));
    assert_eq!(counts(&catalog), [12, 7, 2, 3]);
    assert_eq!(catalog.series.iter().map(|s| s.instances).collect::<Vec<_>>(), [3, 4]);
    assert!(catalog.ledger.entries().iter().all(|e| !matches!(e.fate, None | Some(Fate::Container(_)))));
}
