//! The sample studies, read back and compared with their truth.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::HashSet;
use std::io::{Cursor, Read};

use dicom_core::Tag;
use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, OpenFileOptions};
use glam::DVec3;
use phantom::anatomy::Thorax;
use phantom::{archive, cardiac, perfusion};

fn open(bytes: &[u8]) -> DefaultDicomObject {
    OpenFileOptions::new().from_reader(Cursor::new(bytes)).unwrap()
}

fn number(object: &DefaultDicomObject, tag: Tag) -> f64 {
    object.element(tag).unwrap().to_float64().unwrap()
}

fn numbers(object: &DefaultDicomObject, tag: Tag) -> Vec<f64> {
    object.element(tag).unwrap().to_multi_float64().unwrap()
}

/// HU by the header's own rescale.
fn hu(object: &DefaultDicomObject) -> Vec<f64> {
    let (slope, intercept) = (number(object, tags::RESCALE_SLOPE), number(object, tags::RESCALE_INTERCEPT));
    let stored = object.element(tags::PIXEL_DATA).unwrap().to_multi_int::<u16>().unwrap();
    stored.into_iter().map(|v| f64::from(v) * slope + intercept).collect()
}

/// Type 1 attributes of the CT Image IOD for single-frame images without contrast (PS3.3 A.3): present, with a value.
const TYPE_1: &[Tag] = &[
    tags::STUDY_INSTANCE_UID,
    tags::MODALITY,
    tags::SERIES_INSTANCE_UID,
    tags::FRAME_OF_REFERENCE_UID,
    tags::PIXEL_SPACING,
    tags::IMAGE_ORIENTATION_PATIENT,
    tags::IMAGE_POSITION_PATIENT,
    tags::SAMPLES_PER_PIXEL,
    tags::PHOTOMETRIC_INTERPRETATION,
    tags::ROWS,
    tags::COLUMNS,
    tags::BITS_ALLOCATED,
    tags::BITS_STORED,
    tags::HIGH_BIT,
    tags::PIXEL_REPRESENTATION,
    tags::PIXEL_DATA,
    tags::IMAGE_TYPE,
    tags::RESCALE_INTERCEPT,
    tags::RESCALE_SLOPE,
    tags::SOP_CLASS_UID,
    tags::SOP_INSTANCE_UID,
    tags::SPECIFIC_CHARACTER_SET,
];

/// Type 2: present, perhaps empty.
const TYPE_2: &[Tag] = &[
    tags::PATIENT_NAME,
    tags::PATIENT_ID,
    tags::PATIENT_BIRTH_DATE,
    tags::PATIENT_SEX,
    tags::STUDY_DATE,
    tags::STUDY_TIME,
    tags::REFERRING_PHYSICIAN_NAME,
    tags::STUDY_ID,
    tags::ACCESSION_NUMBER,
    tags::SERIES_NUMBER,
    tags::PATIENT_POSITION,
    tags::POSITION_REFERENCE_INDICATOR,
    tags::MANUFACTURER,
    tags::INSTANCE_NUMBER,
    tags::CONTENT_DATE,
    tags::CONTENT_TIME,
    tags::SLICE_THICKNESS,
    tags::KVP,
    tags::ACQUISITION_NUMBER,
];

fn check_iod(object: &DefaultDicomObject) {
    for tag in TYPE_1 {
        let element = object.element(*tag).unwrap_or_else(|_| panic!("{tag} is missing"));
        assert!(!element.value().to_bytes().unwrap().is_empty(), "{tag} is empty");
    }
    for tag in TYPE_2 {
        assert!(object.get(*tag).is_some(), "{tag} is missing");
    }
    let text = |tag| object.element(tag).unwrap().to_str().unwrap().into_owned();
    assert_eq!(text(tags::SOP_CLASS_UID), "1.2.840.10008.5.1.4.1.1.2");
    assert_eq!(object.meta().media_storage_sop_class_uid(), "1.2.840.10008.5.1.4.1.1.2");
    assert_eq!(object.meta().media_storage_sop_instance_uid(), text(tags::SOP_INSTANCE_UID));
    assert_eq!(text(tags::MANUFACTURER), "Isocenter");
    assert_eq!(text(tags::IMAGE_COMMENTS), "Synthetic. Research use only.");
    for element in object.iter() {
        let text = element.value().to_str();
        let limit = match element.vr() {
            dicom_core::VR::CS | dicom_core::VR::SH | dicom_core::VR::DS => 16,
            dicom_core::VR::UI | dicom_core::VR::LO => 64,
            dicom_core::VR::IS => 12,
            _ => continue,
        };
        let text = text.unwrap();
        assert!(
            text.split('\\').all(|v| v.chars().count() <= limit),
            "{} is longer than its VR allows",
            element.header().tag
        );
    }
}

/// Walks the explicit little endian elements by hand: every value has an even length (PS3.5 7.1.1).
fn check_even_lengths(bytes: &[u8]) {
    assert_eq!(&bytes[128..132], b"DICM");
    let mut at = 132;
    let mut elements = 0;
    let mut last = (0, 0);
    while at < bytes.len() {
        let u16_at = |i: usize| u16::from_le_bytes([bytes[i], bytes[i + 1]]);
        let tag = (u16_at(at), u16_at(at + 2));
        assert!(tag > last, "{tag:04x?} after {last:04x?}");
        last = tag;
        let vr = &bytes[at + 4..at + 6];
        assert!(vr.iter().all(u8::is_ascii_uppercase), "{tag:04x?} has no VR");
        let (length, header) = if matches!(vr, b"OB" | b"OW" | b"SQ" | b"UT" | b"UN") {
            (u32::from_le_bytes([bytes[at + 8], bytes[at + 9], bytes[at + 10], bytes[at + 11]]) as usize, 12)
        } else {
            (usize::from(u16_at(at + 6)), 8)
        };
        assert!(length % 2 == 0, "{tag:04x?} has the odd length {length}");
        at += header + length;
        elements += 1;
    }
    assert_eq!(at, bytes.len());
    assert!(elements > 40, "only {elements} elements");
}

#[test]
fn cardiac_voxels_are_what_the_truth_says() {
    let study = cardiac::study().unwrap();
    assert_eq!(study.files.len(), cardiac::SLICES as usize);
    let mut uids = HashSet::new();
    let mut slices = Vec::new();
    for (i, (_, bytes)) in study.files.iter().enumerate() {
        check_even_lengths(bytes);
        let object = open(bytes);
        check_iod(&object);
        assert!(uids.insert(object.element(tags::SOP_INSTANCE_UID).unwrap().to_str().unwrap().into_owned()));
        assert_eq!(
            numbers(&object, tags::IMAGE_POSITION_PATIENT),
            cardiac::world_from_voxel([0.0, 0.0, i as f64]).to_array()
        );
        assert_eq!(numbers(&object, tags::PIXEL_SPACING), [cardiac::PIXEL_MM; 2]);
        assert_eq!(number(&object, tags::KVP), 120.0);
        slices.push(hu(&object));
    }
    let size = cardiac::SIZE as usize;
    let voxel = |c: usize, r: usize, s: usize| slices[s][r * size + c];
    // Noise: what remains against the formula, over a slice without clipped values.
    let thorax = Thorax::new();
    let lesions = cardiac::lesions(&thorax);
    let clean = cardiac::slice_hu(&thorax, &lesions, 20);
    let soft: Vec<f64> =
        clean.iter().zip(&slices[20]).filter(|(c, _)| **c > -200.0).map(|(c, v)| v - c).collect();
    let mean = soft.iter().sum::<f64>() / soft.len() as f64;
    let sd = (soft.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / soft.len() as f64).sqrt();
    assert!(mean.abs() < 0.3 && (sd - cardiac::NOISE_HU).abs() < 0.2, "noise {mean} ± {sd}");

    let voxel_mm3 = cardiac::PIXEL_MM * cardiac::PIXEL_MM * cardiac::SLICE_MM;
    for lesion in &study.truth.lesions {
        let spacing = DVec3::new(cardiac::PIXEL_MM, cardiac::PIXEL_MM, cardiac::SLICE_MM);
        let near = (DVec3::from(lesion.centre_mm) - DVec3::from(cardiac::ORIGIN_MM)) / spacing;
        let around = |v: f64, margin: f64, n: u32| {
            ((v - margin).round().max(0.0) as usize)..=((v + margin).round() as usize).min(n as usize - 1)
        };
        // The excess over the tissue, summed over the lesion's voxels, is volume × (HU - tissue).
        let (mut excess, mut voxels, mut tissue_min) = (0.0, 0.0f64, f64::MAX);
        for s in around(near.z, 4.0, cardiac::SLICES) {
            for r in around(near.y, 12.0, cardiac::SIZE) {
                for col in around(near.x, 12.0, cardiac::SIZE) {
                    let p = cardiac::world_from_voxel([col as f64, r as f64, s as f64]);
                    if lesion.share(p) > 0.0 {
                        let tissue = thorax.hu(p, cardiac::PIXEL_MM);
                        assert!(
                            tissue < 80.0,
                            "lesion {} touches something of {tissue} HU at {p}",
                            lesion.id
                        );
                        excess += (voxel(col, r, s) - tissue) / (lesion.hu - tissue) * voxel_mm3;
                        voxels += 1.0;
                        tissue_min = tissue_min.min(lesion.hu - tissue);
                    }
                }
            }
        }
        // 2 % for the sampling of the edges and four standard errors of the noise.
        let allowed =
            0.02 * lesion.volume_mm3 + 4.0 * cardiac::NOISE_HU * voxels.sqrt() / tissue_min * voxel_mm3;
        let (got, want) = (excess, lesion.volume_mm3);
        assert!(
            (got - want).abs() < allowed,
            "lesion {}: voxels hold {got} mm³, formula says {want}",
            lesion.id
        );
        // Peak of the noisy voxels around the centre, within noise of the stated value.
        let mut peak = f64::MIN;
        for s in around(near.z, 0.5, cardiac::SLICES) {
            for r in around(near.y, 1.0, cardiac::SIZE) {
                for col in around(near.x, 1.0, cardiac::SIZE) {
                    peak = peak.max(voxel(col, r, s));
                }
            }
        }
        assert!(
            (peak - lesion.hu).abs() < 5.0 * cardiac::NOISE_HU + 0.06 * lesion.hu,
            "lesion {}: peak {peak}, stated {}",
            lesion.id,
            lesion.hu
        );
    }
}

/// What the brief of the study promises: a pair that touches only by a corner, and one under 1 mm².
#[test]
fn the_special_lesions_are_special() {
    let thorax = Thorax::new();
    let lesions = cardiac::lesions(&thorax);
    let by_note = |n: &str| lesions.iter().find(|l| l.note.contains(n)).unwrap();
    let mask = |id: u32, slice: u32| -> HashSet<(u32, u32)> {
        let lesion: Vec<_> = lesions.iter().filter(|l| l.id == id).cloned().collect();
        let (with, without) =
            (cardiac::slice_hu(&thorax, &lesion, slice), cardiac::slice_hu(&thorax, &[], slice));
        (0..cardiac::SIZE * cardiac::SIZE)
            .filter(|i| with[*i as usize] >= 130.0 && with[*i as usize] != without[*i as usize])
            .map(|i| (i % cardiac::SIZE, i / cardiac::SIZE))
            .collect()
    };
    let slice_of = |z: f64| ((z - cardiac::ORIGIN_MM[2]) / cardiac::SLICE_MM).round() as u32;
    let (a, b) = (by_note("touches the next"), by_note("touches the one before"));
    let slice = slice_of(a.centre_mm[2]);
    assert_eq!(slice, slice_of(b.centre_mm[2]));
    let (a, b) = (mask(a.id, slice), mask(b.id, slice));
    assert_eq!((a.len(), b.len()), (9, 9));
    let touching = |reach: u32| {
        a.iter().any(|p| b.iter().any(|q| p.0.abs_diff(q.0) + p.1.abs_diff(q.1) == reach && p.0 != q.0))
    };
    assert!(a.is_disjoint(&b) && touching(2), "no corner contact");
    assert!(
        !a.iter().any(|p| b.iter().any(|q| p.0.abs_diff(q.0) + p.1.abs_diff(q.1) == 1)),
        "they share an edge"
    );

    let small = by_note("under the usual minimum");
    let area =
        mask(small.id, slice_of(small.centre_mm[2])).len() as f64 * cardiac::PIXEL_MM * cardiac::PIXEL_MM;
    assert!(area > 0.8 && area < 1.0, "{area} mm²");
    let vessels: HashSet<_> = lesions.iter().map(|l| l.vessel).collect();
    assert_eq!(vessels, HashSet::from(["LM", "LAD", "LCX", "RCA"]));
    // Apart from the pair, lesions keep a distance, or their truth would not be separate.
    for (i, a) in lesions.iter().enumerate() {
        for b in &lesions[i + 1..] {
            let gap = DVec3::from(a.centre_mm).distance(DVec3::from(b.centre_mm)) - a.radius_mm - b.radius_mm;
            assert!(
                gap > 3.0 || a.note.contains("touches"),
                "lesions {} and {} are {gap} mm apart",
                a.id,
                b.id
            );
        }
    }
}

/// Without lesions nothing in the heart reaches the threshold, so every component there is a lesion.
#[test]
fn bone_is_over_the_threshold_and_the_heart_is_not() {
    let thorax = Thorax::new();
    let mut bone = 0;
    for slice in 0..cardiac::SLICES {
        for (i, hu) in cardiac::slice_hu(&thorax, &[], slice).into_iter().enumerate() {
            let i = i as u32;
            let p = cardiac::world_from_voxel([
                f64::from(i % cardiac::SIZE),
                f64::from(i / cardiac::SIZE),
                f64::from(slice),
            ]);
            let heart = p.distance(DVec3::new(30.0, -30.0, -14.0)) < 42.0;
            assert!(!heart || hu < 80.0, "{hu} HU at {p}");
            bone += u32::from(hu >= 130.0);
        }
    }
    assert!(bone > 50_000, "{bone} voxels of bone");
}

#[test]
fn perfusion_voxels_follow_their_curves() {
    let times = perfusion::regular_times_s();
    let study = perfusion::study(&times).unwrap();
    assert_eq!(study.files.len(), times.len() * perfusion::SLICES as usize);
    let mut mean = vec![[0.0; 45]; study.truth.regions.len()];
    let mut count = vec![0.0; study.truth.regions.len()];
    let slice = perfusion::SLICES / 2;
    let size = perfusion::SIZE;
    let region_of: Vec<Option<usize>> = (0..size * size)
        .map(|i| perfusion::region_of_voxel([i % size, i / size, slice]))
        .map(|r| r.and_then(|r| perfusion::REGIONS.iter().position(|q| q.name == r.name)))
        .collect();
    region_of.iter().flatten().for_each(|r| count[*r] += 1.0);
    for (t, _) in times.iter().enumerate() {
        let (_, bytes) = &study.files[t * perfusion::SLICES as usize + slice as usize];
        check_even_lengths(bytes);
        let object = open(bytes);
        check_iod(&object);
        assert_eq!(number(&object, tags::TEMPORAL_POSITION_IDENTIFIER), t as f64 + 1.0);
        assert_eq!(number(&object, tags::NUMBER_OF_TEMPORAL_POSITIONS), times.len() as f64);
        assert_eq!(number(&object, tags::ACQUISITION_NUMBER), t as f64 + 1.0);
        let time = object.element(tags::ACQUISITION_TIME).unwrap().to_str().unwrap().into_owned();
        assert_eq!(time.trim(), format!("1200{t:02}.000000"));
        assert!(object.get(tags::CONTRAST_BOLUS_AGENT).is_some());
        for (v, r) in hu(&object).into_iter().zip(&region_of) {
            if let Some(r) = *r {
                mean[r][t] += v / count[r];
            }
        }
    }
    for (r, region) in perfusion::REGIONS.iter().enumerate().filter(|(r, _)| count[*r] > 0.0) {
        // 99 % coverage leaves up to 1 % of a neighbour: of skull, 11 HU; of an artery, 3 HU.
        let allowed = 5.0 * perfusion::NOISE_HU / count[r].sqrt() + 0.6 + 0.01 * region.baseline_hu.abs();
        for (t, at_s) in times.iter().enumerate() {
            let want = (region.baseline_hu + region.enhancement_hu(*at_s)).max(-1024.0);
            let got = mean[r][t];
            assert!(
                (got - want).abs() <= allowed,
                "{} at {at_s} s: got {got}, want {want}, allowed {allowed}",
                region.name
            );
        }
    }
}

#[test]
fn irregular_times_are_written_as_they_are() {
    let times = perfusion::irregular_times_s();
    let study = perfusion::study(&times).unwrap();
    let steps: HashSet<u64> = times.windows(2).map(|w| (w[1] - w[0]) as u64).collect();
    assert_eq!(steps, HashSet::from([1, 3]));
    let last = open(&study.files.last().unwrap().1);
    let time = last.element(tags::ACQUISITION_TIME).unwrap().to_str().unwrap().into_owned();
    assert_eq!(time.trim(), "120053.000000");
}

#[test]
fn the_same_bytes_twice_and_a_zip_that_unpacks() {
    let (a, b) = (cardiac::study().unwrap(), cardiac::study().unwrap());
    let (zip_a, zip_b) = (archive::zip(&a.files).unwrap(), archive::zip(&b.files).unwrap());
    assert!(zip_a == zip_b, "two runs differ");
    assert!(zip_a.len() < 8_000_000, "{} bytes", zip_a.len());
    let mut unpacked = zip::ZipArchive::new(Cursor::new(zip_a)).unwrap();
    assert_eq!(unpacked.len(), a.files.len());
    for (name, bytes) in &a.files {
        let mut got = Vec::new();
        unpacked.by_name(name).unwrap().read_to_end(&mut got).unwrap();
        assert!(got == *bytes, "{name} changed in the archive");
    }
}
