//! What becomes of series that are not one straight, complete stack: nothing is dropped without a word.

#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail by panicking, as tests do")]

mod common {
    pub mod synthetic;
}

use common::synthetic::{CT_IMAGE, Image, SPACING, axial, files, item, join, shuffle, stack};
use dicom_core::{PrimitiveValue, Tag, VR};
use dicom_dictionary_std::tags;
use imaging::limits::Limits;
use imaging::source::Buffer;
use imaging::{Catalog, Fate, Voxels, read_study};
use scene::{DVec3, Frame, LengthUnit};

fn scan(images: &[Image]) -> Catalog<Buffer> {
    let catalog = read_study(files(images), &Limits::default());
    catalog.ledger.check().unwrap();
    assert_eq!(catalog.ledger.received(), images.len());
    catalog
}

/// `times` volumes of `slices` slices; `set` writes what tells them apart. Pixels are 1000 * time + slice.
fn dynamic(times: usize, slices: usize, set: impl Fn(&mut Image, usize, usize)) -> Vec<Image> {
    let mut out = Vec::new();
    for t in 0..times {
        for (z, mut image) in axial(slices).into_iter().enumerate() {
            let number = (t * slices + z + 1).to_string();
            image
                .text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.5.{number}"))
                .text(tags::INSTANCE_NUMBER, VR::IS, &number)
                .pixels(vec![(1000 * t + z) as u16; 22 * 23]);
            set(&mut image, t, z);
            out.push(image);
        }
    }
    shuffle(&mut out, 5);
    out
}

/// Every voxel where it belongs in space and time.
fn assert_in_order(catalog: &mut Catalog<Buffer>, times: u32, slices: u32) {
    assert_eq!(catalog.series.len(), 1);
    let volume = catalog.volume(0).unwrap();
    assert_eq!((volume.time_points, volume.grid.dims()[2]), (times, slices));
    for t in 0..times {
        for z in 0..slices {
            let stored = volume.voxels.get(volume.index([3, 4, z], t));
            assert_eq!(stored, Some(f64::from(1000 * t + z)), "time {t}, slice {z}");
        }
    }
    assert_eq!(catalog.ledger.used(), (times * slices) as usize);
}

#[test]
fn time_by_temporal_position() {
    let images = dynamic(3, 4, |image, t, _| {
        image.text(tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, &(t + 1).to_string()).text(
            tags::TEMPORAL_RESOLUTION,
            VR::DS,
            "2500",
        );
    });
    let mut catalog = scan(&images);
    let series = &catalog.series[0];
    assert_eq!(series.time_rule.as_deref(), Some("temporal position identifier (0020,0100)"));
    assert_eq!(series.times_s, [0.0, 2.5, 5.0]);
    assert_in_order(&mut catalog, 3, 4);
}

#[test]
fn time_by_acquisition_across_midnight() {
    let images = dynamic(3, 4, |image, t, _| {
        let (date, time) = [("20240228", "235959.5"), ("20240229", "000001"), ("20240229", "000002.25")][t];
        image.text(tags::ACQUISITION_DATE, VR::DA, date).text(tags::ACQUISITION_TIME, VR::TM, time);
    });
    let mut catalog = scan(&images);
    assert_eq!(catalog.series[0].time_rule.as_deref(), Some("acquisition time (0008,0032)"));
    assert_eq!(catalog.series[0].times_s, [0.0, 1.5, 2.75]);
    assert_in_order(&mut catalog, 3, 4);
}

#[test]
fn time_by_acquisition_that_differs_from_slice_to_slice() {
    let images = dynamic(3, 4, |image, t, z| {
        let time = format!("1200{:02}.{:02}", t * 10, z * 7);
        image.text(tags::ACQUISITION_TIME, VR::TM, &time);
    });
    let mut catalog = scan(&images);
    let rule = catalog.series[0].time_rule.clone().unwrap();
    assert_eq!(rule, "acquisition time (0008,0032), in its order at each slice");
    let times = &catalog.series[0].times_s;
    assert!(times.iter().zip([0.0, 10.0, 20.0]).all(|(a, b)| (a - b).abs() < 1e-6), "{times:?}");
    assert_in_order(&mut catalog, 3, 4);
}

#[test]
fn time_by_content_trigger_and_b_value() {
    type Set = fn(&mut Image, usize, usize);
    let rules: [(&str, Set); 3] = [
        ("content time (0008,0033)", |image, t, _| {
            image.text(tags::ACQUISITION_TIME, VR::TM, "120000").text(
                tags::CONTENT_TIME,
                VR::TM,
                &format!("12000{t}"),
            );
        }),
        ("trigger time (0018,1060)", |image, t, _| {
            image.text(tags::TRIGGER_TIME, VR::DS, &(t as f64 * 41.5).to_string());
        }),
        ("diffusion b-value (0018,9087)", |image, t, z| {
            let time = format!("1200{:02}", (z * 3 + t * 5) % 7);
            image.text(tags::CONTENT_TIME, VR::TM, &time);
            image.object.put(dicom_core::DataElement::new(
                tags::DIFFUSION_B_VALUE,
                VR::FD,
                PrimitiveValue::from([0.0, 500.0, 1000.0][t]),
            ));
        }),
    ];
    for (rule, set) in rules {
        let mut catalog = scan(&dynamic(3, 4, set));
        assert_eq!(catalog.series[0].time_rule.as_deref(), Some(rule));
        if rule.starts_with("diffusion") {
            let said = catalog.series[0].warnings.iter().any(|w| w.contains("0, 500, 1000 s/mm²"));
            assert!(said, "{:?}", catalog.series[0].warnings);
        }
        assert_in_order(&mut catalog, 3, 4);
    }
}

/// OHIF#5876: 56 of 84 instances of a 4D series vanished. 28 slices, 3 time points, told apart by nothing
/// but their numbers.
#[test]
fn ohif_5876_all_84_instances_are_used() {
    let mut catalog = scan(&dynamic(3, 28, |_, _, _| {}));
    assert_eq!(catalog.series[0].time_rule.as_deref(), Some("instance number (0020,0013)"));
    assert_eq!(catalog.series[0].instances, 84);
    assert_in_order(&mut catalog, 3, 28);
}

#[test]
fn an_incomplete_time_point_is_told_and_its_slice_marked_missing() {
    let mut images = dynamic(3, 4, |image, t, _| {
        image.text(tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, &(t + 1).to_string());
    });
    images.retain(|i| i.object.element(tags::INSTANCE_NUMBER).unwrap().to_str().unwrap() != "7");
    let mut catalog = scan(&images);
    let warnings = catalog.series[0].warnings.join("\n");
    assert!(
        warnings.contains("1 of 3 time points are incomplete: of 4 slices time point 2 has 3"),
        "{warnings}"
    );
    let volume = catalog.volume(0).unwrap();
    assert_eq!(volume.missing, [[1, 2]]);
    assert_eq!(volume.value([0, 0, 2], 1), None);
    assert_eq!(volume.value([0, 0, 2], 2), Some(2002.0 - 1024.0));
}

#[test]
fn stated_time_points_hold_where_every_slice_lacks_one() {
    let mut images = dynamic(3, 2, |image, t, _| {
        image.text(tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, &(t + 1).to_string());
    });
    // Instance 3 is time 2 of slice 1, instance 6 is time 3 of slice 2.
    images.retain(|i| {
        !["3", "6"].contains(&&*i.object.element(tags::INSTANCE_NUMBER).unwrap().to_str().unwrap())
    });
    let mut catalog = scan(&images);
    assert_eq!(catalog.series[0].time_points, 3);
    assert_eq!(catalog.volume(0).unwrap().missing, [[1, 0], [2, 1]]);
}

#[test]
fn one_repeated_slice_is_no_second_time_point() {
    let mut images = axial(9);
    images.iter_mut().for_each(|i| {
        i.text(tags::ACQUISITION_TIME, VR::TM, "120000");
    });
    let mut again = images[4].clone();
    again.name = "again".into();
    again
        .text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.99")
        .text(tags::ACQUISITION_TIME, VR::TM, "120100")
        .text(tags::INSTANCE_NUMBER, VR::IS, "10");
    images.insert(0, again);
    let catalog = scan(&images);
    assert_eq!((catalog.series[0].time_points, catalog.series[0].dims[2]), (1, 9));
    let shown: Vec<_> = catalog.ledger.shown().map(|(file, _)| file).collect();
    assert_eq!(shown, ["again"], "the later one");
}

#[test]
fn palette_and_rgb_become_colour() {
    let mut image = axial(1).remove(0);
    let words = |f: fn(u16) -> u16| PrimitiveValue::U16((0..4).map(f).collect());
    image
        .text(tags::PHOTOMETRIC_INTERPRETATION, VR::CS, "PALETTE COLOR")
        .pixels((0..22 * 23).map(|i| 10 + i % 6).collect());
    for (n, table) in
        [words(|i| i * 0x1100), words(|i| i * 0x2200), words(|i| i * 0x3300)].into_iter().enumerate()
    {
        let n = n as u16 + 1;
        let descriptor = PrimitiveValue::U16([4, 11, 16].as_slice().into());
        image.object.put(dicom_core::DataElement::new(Tag(0x0028, 0x1100 + n), VR::US, descriptor));
        image.object.put(dicom_core::DataElement::new(Tag(0x0028, 0x1200 + n), VR::OW, table));
    }
    let mut catalog = scan(&[image]);
    assert!(catalog.series[0].colour);
    let Voxels::Rgba8(v) = catalog.volume(0).unwrap().voxels else { panic!("no colour") };
    // Stored 10 lies below the table and takes its first entry; 15 lies above and takes the last.
    assert_eq!(v[0..3], [[0, 0, 0, 255], [0, 0, 0, 255], [0x11, 0x22, 0x33, 255]]);
    assert_eq!(v[5], [0x33, 0x66, 0x99, 255]);
}

#[test]
fn missing_slices_leave_a_hole_where_they_were() {
    let mut images = axial(12);
    images.drain(5..7);
    let mut catalog = scan(&images);
    let warnings = catalog.series[0].warnings.join("\n");
    // 12.125 + 4 * 7.25 and + 7 * 7.25
    assert!(
        warnings.contains("2 of 12 slices are missing (spacing 7.250 mm): 2 between 41.12 and 62.88 mm"),
        "{warnings}"
    );
    let volume = catalog.volume(0).unwrap();
    assert_eq!(volume.grid.dims()[2], 12);
    assert_eq!(volume.missing, [[0, 5], [0, 6]]);
    assert_eq!(volume.value([0, 0, 7], 0), Some(108.0 - 1024.0));
    assert!((volume.grid.spacing()[2] - 7.25).abs() < 1e-9);
}

#[test]
fn uneven_spacing_is_told_with_its_values() {
    let mut images = axial(6);
    for (image, z) in images.iter_mut().zip([0.0, 2.5, 5.0, 7.5, 11.0, 13.5]) {
        image.text(tags::IMAGE_POSITION_PATIENT, VR::DS, &join(&[0.0, 0.0, z]));
    }
    let catalog = scan(&images);
    let warnings = catalog.series[0].warnings.join("\n");
    assert!(warnings.contains("uneven: 2.500 to 3.500 mm, usually 2.500 mm"), "{warnings}");
    assert_eq!(catalog.series[0].dims[2], 6);
}

#[test]
fn duplicates_are_shown_with_the_reason() {
    let mut images = axial(5);
    let mut copy = images[2].clone();
    copy.name = "same again".into();
    let mut second = images[3].clone();
    second.name = "same place".into();
    second.text(tags::SOP_INSTANCE_UID, VR::UI, "1.2.3.99").text(tags::INSTANCE_NUMBER, VR::IS, "99");
    images.extend([copy, second]);
    let catalog = scan(&images);
    assert_eq!((catalog.series.len(), catalog.ledger.used()), (1, 5));
    let shown: Vec<_> = catalog.ledger.shown().collect();
    assert_eq!(shown.len(), 2);
    assert!(
        shown[0] == ("same again", "Duplicate: an earlier file has the same SOP Instance UID (0008,0018).")
    );
    assert!(shown[1].0 == "same place" && shown[1].1.contains("same position"), "{shown:?}");
    assert!(catalog.series[0].warnings.iter().any(|w| w.starts_with("1 duplicate image")));
}

#[test]
fn an_interrupted_copy_never_displaces_the_whole_file() {
    for cut_first in [true, false] {
        let mut sources = files(&axial(5));
        let whole = &sources[2].bytes;
        let cut = Buffer { name: "cut".into(), bytes: whole[..whole.len() - 100].to_vec() };
        sources.insert(if cut_first { 0 } else { 5 }, cut);
        let mut catalog = read_study(sources, &Limits::default());
        assert_eq!(catalog.ledger.used(), 5, "cut first: {cut_first}");
        assert_eq!(catalog.ledger.refused().map(|(file, _)| file).collect::<Vec<_>>(), ["cut"]);
        assert!(catalog.volume(0).unwrap().missing.is_empty(), "cut first: {cut_first}");
    }
}

/// Where the cut cannot be seen without decoding, the length of the files decides.
#[test]
fn of_two_duplicates_the_longer_file_is_kept() {
    for longer_first in [true, false] {
        let mut images = axial(5);
        let mut longer = images[2].clone();
        longer.name = "longer".into();
        longer.text(tags::IMAGE_COMMENTS, VR::LT, "what an interrupted copy would lack");
        images[2].name = "shorter".into();
        images.insert(if longer_first { 0 } else { 5 }, longer);
        let catalog = scan(&images);
        let shown: Vec<_> = catalog.ledger.shown().map(|(file, _)| file).collect();
        assert_eq!(shown, ["shorter"], "longer first: {longer_first}");
        assert_eq!(catalog.ledger.used(), 5);
    }
}

#[test]
fn orientations_and_localizers_become_stacks_of_their_own() {
    let mut images = axial(6);
    let mut scouts = stack(2, DVec3::Y, DVec3::NEG_Z, DVec3::X * 10.0);
    for (i, scout) in scouts.iter_mut().enumerate() {
        scout.text(tags::SOP_INSTANCE_UID, VR::UI, &format!("1.2.3.6.{i}")).text(
            tags::IMAGE_TYPE,
            VR::CS,
            "ORIGINAL\\PRIMARY\\LOCALIZER",
        );
    }
    images.extend(scouts);
    shuffle(&mut images, 3);
    let catalog = scan(&images);
    let mut sizes: Vec<_> = catalog.series.iter().map(|s| s.dims[2]).collect();
    sizes.sort_unstable();
    assert_eq!(sizes, [2, 6]);
    assert_eq!(catalog.ledger.used(), 8);
    assert!(catalog.series.iter().all(|s| s.stack.1 == 2));
    let units: Vec<_> = catalog.series.iter().map(|s| (s.dims[2], s.unit.as_str())).collect();
    assert!(units.contains(&(6, "HU")) && units.contains(&(2, "")), "{units:?}");
}

#[test]
fn echoes_at_the_same_places_are_two_stacks() {
    let images = dynamic(2, 4, |image, t, _| {
        image.text(tags::ECHO_TIME, VR::DS, ["10", "80.5"][t]);
    });
    let catalog = scan(&images);
    assert_eq!(catalog.series.len(), 2);
    assert!(catalog.series.iter().all(|s| s.time_points == 1 && s.dims[2] == 4));
}

#[test]
fn zero_spacing_means_pixels() {
    let mut images = axial(3);
    images.iter_mut().for_each(|i| {
        i.text(tags::PIXEL_SPACING, VR::DS, "0\\0");
    });
    let mut catalog = scan(&images);
    let warnings = catalog.series[0].warnings.join("\n");
    assert!(warnings.contains("The pixel spacing is missing or zero: lengths are in pixels."), "{warnings}");
    let volume = catalog.volume(0).unwrap();
    assert_eq!((volume.grid.length_unit, volume.grid.frame), (LengthUnit::Pixel, Frame::Image));
}

#[test]
fn absurd_dimensions_are_refused_before_memory_is_asked_for() {
    let mut image = axial(1).remove(0);
    image.number(tags::ROWS, 65_535).number(tags::COLUMNS, 65_535);
    image.text(tags::NUMBER_OF_FRAMES, VR::IS, "2147483647");
    let catalog = scan(&[image]);
    assert_eq!(catalog.series.len(), 0);
    let (_, reason) = catalog.ledger.refused().next().unwrap();
    assert!(reason.contains("more than the limit"), "{reason}");

    // Within the limits, but 22 x 23 pixels are all there is.
    let mut image = axial(1).remove(0);
    image.number(tags::ROWS, 8000).number(tags::COLUMNS, 8000);
    let catalog = scan(&[image]);
    let (_, reason) = catalog.ledger.refused().next().unwrap();
    assert!(reason.contains("1012 of 128000000 bytes"), "{reason}");
}

#[test]
fn a_slice_that_does_not_decode_is_missing_and_refused() {
    let images = axial(5);
    let mut sources = files(&images);
    let cut = sources[3].bytes.len() - 100;
    sources[3].bytes.truncate(cut);
    let mut catalog = read_study(sources, &Limits::default());
    let volume = catalog.volume(0).unwrap();
    assert_eq!(volume.missing, [[0, 3]]);
    assert_eq!(volume.value([1, 1, 3], 0), None);
    assert_eq!(volume.value([1, 1, 4], 0), Some(105.0 - 1024.0));
    catalog.ledger.check().unwrap();
    let refused: Vec<_> = catalog.ledger.refused().collect();
    assert_eq!((catalog.ledger.used(), refused.len()), (4, 1));
    assert!(refused[0].0 == "image4" && refused[0].1.contains("truncated"), "{refused:?}");
}

#[test]
fn different_rescales_become_values_in_the_unit() {
    let mut images = axial(3);
    for (i, image) in images.iter_mut().enumerate() {
        image
            .text(tags::MODALITY, VR::CS, "PT")
            .text(tags::UNITS, VR::CS, "BQML")
            .text(tags::RESCALE_INTERCEPT, VR::DS, "0")
            .text(tags::RESCALE_SLOPE, VR::DS, &format!("{}", 0.5 * (i + 1) as f64));
    }
    let mut catalog = scan(&images);
    let volume = catalog.volume(0).unwrap();
    assert!(matches!(volume.voxels, Voxels::F32(_)));
    assert_eq!(volume.unit, "Bq/mL");
    let values: Vec<_> = (0..3).map(|z| volume.value([0, 0, z], 0)).collect();
    assert_eq!(values, [Some(50.5), Some(102.0), Some(154.5)]);
}

#[test]
fn padding_is_no_measurement() {
    let mut images = axial(2);
    let mut pixels = vec![500u16; 22 * 23];
    pixels[0] = 63;
    images[0].number(Tag(0x0028, 0x0120), 63).pixels(pixels.clone());
    images[1].number(Tag(0x0028, 0x0120), 63).pixels(pixels);
    let mut catalog = scan(&images);
    let mut loader = catalog.loader(0).unwrap();
    while loader.step().unwrap().is_some() {}
    assert_eq!(loader.range(), Some((-524.0, -524.0)));
    assert_eq!(loader.range_with_padding(), Some((-961.0, -524.0)));
    let volume = catalog.volume(0).unwrap();
    assert_eq!((volume.value([0, 0, 0], 0), volume.value([1, 0, 0], 0)), (None, Some(-524.0)));
}

#[test]
fn the_middle_slice_comes_first_and_cancelling_keeps_what_there_is() {
    let catalog = scan(&axial(5));
    let mut loader = catalog.loader(0).unwrap();
    let first = loader.step().unwrap().unwrap();
    assert_eq!((first.slice, first.done, first.total), (2, 1, 5));
    assert_eq!(loader.volume().value([0, 0, 2], 0), Some(103.0 - 1024.0));
    assert_eq!(loader.volume().value([0, 0, 0], 0), Some(-1024.0), "not there yet: air");
    let order: Vec<_> = std::iter::from_fn(|| loader.step().unwrap()).map(|p| p.slice).collect();
    assert_eq!(order, [1, 3, 0, 4]);
}

#[test]
fn threads_give_the_same_volume() {
    let images = dynamic(3, 7, |image, t, _| {
        image.text(tags::TEMPORAL_POSITION_IDENTIFIER, VR::IS, &(t + 1).to_string());
    });
    let mut catalog = scan(&images);
    let mut loader = catalog.loader(0).unwrap();
    loader.step().unwrap();
    loader.load_rest(3).unwrap();
    assert_eq!(loader.done(), 21);
    let range = loader.range();
    assert_eq!(range, Some((0.0 - 1024.0, 2006.0 - 1024.0)));
    assert_eq!(loader.finish(), catalog.volume(0).unwrap());
}

/// An enhanced CT: 2 time points of 3 slices, frames in no order, geometry in functional groups.
#[test]
fn enhanced_frames_are_placed_by_their_functional_groups() {
    let ds = |v: &str| PrimitiveValue::from(v);
    let group = |tag, elements| (tag, item(elements));
    let mut order: Vec<(usize, usize)> = (0..2).flat_map(|t| (0..3).map(move |z| (t, z))).collect();
    shuffle(&mut order, 11);
    let frame_item = |&(t, z): &(usize, usize)| {
        let position = join(&[1.0, 2.0, 3.0 + z as f64 * SPACING[2]]);
        let parts = [
            group(tags::PLANE_POSITION_SEQUENCE, vec![(tags::IMAGE_POSITION_PATIENT, VR::DS, ds(&position))]),
            group(
                tags::FRAME_CONTENT_SEQUENCE,
                vec![(tags::TEMPORAL_POSITION_INDEX, VR::UL, PrimitiveValue::from(t as u32 + 1))],
            ),
        ];
        let mut frame = item(Vec::new());
        for (tag, inner) in parts {
            frame.put(dicom_core::DataElement::new(
                tag,
                VR::SQ,
                dicom_core::value::DataSetSequence::from(vec![inner]),
            ));
        }
        frame
    };
    let mut shared = item(Vec::new());
    for (tag, elements) in [
        (
            tags::PIXEL_MEASURES_SEQUENCE,
            vec![(tags::PIXEL_SPACING, VR::DS, ds("2.5\\0.75")), (tags::SLICE_THICKNESS, VR::DS, ds("7.25"))],
        ),
        (
            tags::PLANE_ORIENTATION_SEQUENCE,
            vec![(tags::IMAGE_ORIENTATION_PATIENT, VR::DS, ds("1\\0\\0\\0\\1\\0"))],
        ),
        (
            tags::PIXEL_VALUE_TRANSFORMATION_SEQUENCE,
            vec![
                (tags::RESCALE_SLOPE, VR::DS, ds("2")),
                (tags::RESCALE_INTERCEPT, VR::DS, ds("-1000")),
                (tags::RESCALE_TYPE, VR::LO, ds("HU")),
            ],
        ),
    ] {
        let sequence = dicom_core::value::DataSetSequence::from(vec![item(elements)]);
        shared.put(dicom_core::DataElement::new(tag, VR::SQ, sequence));
    }
    let mut image = Image::ct(1, DVec3::ZERO, DVec3::X, DVec3::Y);
    for tag in [
        tags::PIXEL_SPACING,
        tags::IMAGE_POSITION_PATIENT,
        tags::IMAGE_ORIENTATION_PATIENT,
        tags::RESCALE_SLOPE,
        tags::RESCALE_INTERCEPT,
    ] {
        image.without(tag);
    }
    image
        .text(tags::SOP_CLASS_UID, VR::UI, &format!("{CT_IMAGE}.1"))
        .text(tags::NUMBER_OF_FRAMES, VR::IS, "6")
        .sequence(tags::SHARED_FUNCTIONAL_GROUPS_SEQUENCE, vec![shared])
        .sequence(tags::PER_FRAME_FUNCTIONAL_GROUPS_SEQUENCE, order.iter().map(frame_item).collect())
        .pixels(order.iter().flat_map(|(t, z)| vec![(1000 * t + z) as u16; 22 * 23]).collect());
    let mut catalog = scan(&[image]);
    assert_eq!(catalog.series[0].unit, "HU");
    let volume = catalog.volume(0).unwrap();
    assert_eq!((volume.time_points, volume.grid.dims()), (2, [22, 23, 3]));
    for t in 0..2 {
        for z in 0..3 {
            assert_eq!(volume.value([1, 1, z], t), Some(2.0 * f64::from(1000 * t + z) - 1000.0));
        }
    }
    let corner = volume.grid.world_from_voxel().transform_point3(DVec3::new(1.0, 1.0, 2.0));
    assert!((corner - DVec3::new(1.75, 4.5, 3.0 + 14.5)).length() < 1e-9, "{corner}");
    assert_eq!(catalog.ledger.fate(imaging::FileId(0)), Some(&Fate::Used));
}

/// PS3.3 C.11.2.1.1: first value 200, four entries of 8 bits.
#[test]
fn a_voi_lut_is_a_window_of_its_own_and_draws_the_thumbnail() {
    let mut images = axial(3);
    for image in &mut images {
        image.text(tags::RESCALE_INTERCEPT, VR::DS, "0");
        image.pixels((0..22 * 23).map(|i| 200 + i % 4).collect());
        image.sequence(
            tags::VOILUT_SEQUENCE,
            vec![item(vec![
                (tags::LUT_DESCRIPTOR, VR::US, PrimitiveValue::U16([4, 200, 8].as_slice().into())),
                (tags::LUT_EXPLANATION, VR::LO, PrimitiveValue::from("FOUR STEPS")),
                (tags::LUT_DATA, VR::OW, PrimitiveValue::U16([255, 0, 128, 64].as_slice().into())),
            ])],
        );
    }
    let mut catalog = scan(&images);
    let thumbnail = catalog.thumbnail(0, 23).unwrap().unwrap();
    assert!(thumbnail.rgba.chunks(4).any(|p| p[0] == 255) && thumbnail.rgba.chunks(4).any(|p| p[0] == 64));
    let volume = catalog.volume(0).unwrap();
    let (name, window) = volume.windows.last().unwrap();
    assert_eq!((name.as_str(), window.function), ("FOUR STEPS", scene::VoiFunction::Lut));
    assert_eq!((window.center, window.width), (202.0, 4.0));
    let lut = volume.voi_lut.as_deref().unwrap();
    let greys: Vec<f64> = (199..206).map(|v| lut.apply(f64::from(v)) * 255.0).collect();
    assert_eq!(greys, [255.0, 255.0, 0.0, 128.0, 64.0, 64.0, 64.0]);
}
