//! The sample study: every calcification that was drawn is found where it was drawn, with what it was drawn with.
//!
//! The truth is analytic and the voxels have noise and partial volume, so volumes are compared within what
//! those two explain; numbers of lesions, vessels and conventions are compared exactly.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::sync::LazyLock;

use calcium::{
    Assignment, CONVENTIONS, Connectivity, Convention, Edit, Input, MinimumArea, Reading, Report, Request,
    Vessel,
};
use common::{buffers, click, load};
use phantom::cardiac;
use scene::DVec3;
use testbed::verification::{Row, record};

fn vessel(name: &str) -> Vessel {
    *Vessel::ALL.iter().find(|v| v.name() == name).unwrap()
}

struct Sample {
    series: imaging::Series,
    volume: imaging::Volume,
    truth: cardiac::Truth,
    clicks: Vec<Edit>,
}

/// Made once: a study of 44 slices drawn by formula takes seconds.
static SAMPLE: LazyLock<Sample> = LazyLock::new(|| {
    let study = cardiac::study().unwrap();
    let (series, volume) = load(buffers(study.files));
    let clicks = study.truth.lesions.iter().map(|l| {
        let voxel = volume.grid.voxel_at(DVec3::from(l.centre_mm)).unwrap();
        click(&volume, voxel, Some(vessel(l.vessel)))
    });
    let clicks = clicks.collect();
    Sample { series, volume, truth: study.truth, clicks }
});

fn score(sample: &Sample, convention: Convention) -> Report {
    let reading = Reading { assignment: Assignment::Edits(&sample.clicks), ..Reading::default() };
    let request = Request { convention, ..Request::default() };
    calcium::run(&Input::new(&sample.series, &sample.volume, &[]), &request, &reading, &|| 0.0).unwrap()
}

#[test]
fn every_known_calcification_is_found_and_no_other() {
    let sample = &*SAMPLE;
    let report = score(sample, CONVENTIONS[0]);
    let truth = &sample.truth.lesions;
    let voxel_mm3 = cardiac::PIXEL_MM * cardiac::PIXEL_MM * cardiac::SLICE_MM;
    let found = |l: &cardiac::Lesion| {
        let seed = sample.volume.grid.voxel_from_world().transform_point3(DVec3::from(l.centre_mm));
        let near = |m: &&calcium::Lesion| {
            let at = sample.volume.grid.world_from_voxel().transform_point3(DVec3::from(m.centroid));
            let expected = sample.volume.grid.world_from_voxel().transform_point3(seed);
            m.vessel.is_some() && at.distance(expected) < 2.5
        };
        report.lesions.iter().find(near)
    };
    let small = truth.iter().find(|l| l.note.contains("under the usual minimum")).unwrap();
    let is_pair = |l: &&cardiac::Lesion| l.note.contains("by a corner");
    let pair: Vec<_> = truth.iter().filter(is_pair).collect();
    assert_eq!(pair.len(), 2);
    // 14 drawn; one is too small and two that touch by a corner are one: 12 are left.
    let assigned = report.lesions.iter().filter(|l| l.vessel.is_some()).count();
    assert_eq!((assigned, report.total.lesions), (12, 12));
    assert!(found(small).is_none(), "0.861 mm² are not more than 1 mm²");
    assert_eq!((report.vessels_with_calcium, report.category.as_str()), (Some(4), "A3/N4"));
    for v in [Vessel::Pda, Vessel::Other] {
        assert_eq!(report.vessels[v as usize].sums.agatston, 0.0);
    }

    // The pair has no partial volume: 2 x 9 pixels of 450 HU, weight 4 whatever the noise does.
    let one = found(pair[0]).unwrap();
    let want = 18.0 * cardiac::PIXEL_MM * cardiac::PIXEL_MM * 4.0;
    assert_eq!(one.voxels, 18);
    assert!((one.sums.agatston - want).abs() < 1e-9, "{} is not {want}", one.sums.agatston);

    // Where the threshold lies half way between lesion and tissue, as many voxels are lost as won at the
    // edge. It lies lower here, so a voxel with a share s of the lesion counts from s * (HU - 40) >= 90 on:
    // the volume is that of the lesion grown by up to half a voxel diagonal, and never less than the lesion
    // shrunk by as much.
    let half_mm = 0.5 * DVec3::new(cardiac::PIXEL_MM, cardiac::PIXEL_MM, cardiac::SLICE_MM).length();
    let mut rows = Vec::new();
    for l in truth.iter().filter(|l| l.hu >= 250.0 && !is_pair(l) && l.id != small.id) {
        let m = found(l).unwrap_or_else(|| unreachable!("lesion {} was not found", l.id));
        assert_eq!(m.vessel, Some(vessel(l.vessel)), "lesion {}", l.id);
        let ball = |r: f64| 4.0 / 3.0 * std::f64::consts::PI * r.max(0.0).powi(3);
        let (low, high) = (ball(l.radius_mm - half_mm), ball(l.radius_mm + half_mm));
        let got = m.sums.volume_mm3;
        assert!(
            got > low && got < high,
            "lesion {}: {got} mm³, drawn {} ({low} to {high})",
            l.id,
            l.volume_mm3
        );
        assert!(
            (m.peak_hu - l.hu).abs() < 0.12 * l.hu + 4.0 * cardiac::NOISE_HU,
            "lesion {}: {}",
            l.id,
            m.peak_hu
        );
        rows.push(Row {
            number: format!("volume (mm³) of lesion {} ({}, {} HU)", l.id, l.vessel, l.hu),
            data: "sample study of the crate phantom (noise 12 HU)",
            method: "calcium, CPU",
            reference: "the formula it was drawn with",
            ours: format!("{got:.1}"),
            theirs: format!("{:.1}", l.volume_mm3),
            difference: format!("{:+.1}", got - l.volume_mm3),
            allowed: format!("{low:.1} to {high:.1} (half a voxel at the edge)"),
        });
    }
    assert!(rows.len() >= 8, "{}", rows.len());

    // Without noise and clicks: every voxel at or above 130 HU inside the heart, counted from the formula.
    let thorax = phantom::anatomy::Thorax::new();
    let (mut clean, mut noisy) = (0usize, 0usize);
    for slice in 0..cardiac::SLICES {
        let with = cardiac::slice_hu(&thorax, truth, slice);
        let without = cardiac::slice_hu(&thorax, &[], slice);
        for (i, (a, b)) in with.iter().zip(&without).enumerate() {
            if a != b {
                let i = i as u32;
                clean += usize::from(*a >= 130.0);
                let voxel = [i % cardiac::SIZE, i / cardiac::SIZE, slice];
                noisy += usize::from(sample.volume.value(voxel, 0).unwrap() >= 130.0);
            }
        }
    }
    // Of the small one's two voxels none counts.
    let counted = report.total.volume_mm3 / voxel_mm3;
    assert!(
        (counted - (noisy as f64 - 2.0)).abs() <= 3.0,
        "{counted} voxels are counted, {noisy} were drawn"
    );
    assert!((counted / clean as f64 - 1.0).abs() < 0.05, "{counted} with noise, {clean} without");
    record("calcium-sample", &rows);
}

#[test]
fn conventions_part_the_pair_and_keep_the_small_one() {
    let sample = &*SAMPLE;
    let base = score(sample, CONVENTIONS[0]);
    let four = score(sample, Convention { connectivity: Connectivity::Four, ..CONVENTIONS[0] });
    let open = score(sample, Convention { minimum_area: MinimumArea::MoreThanMm2(0.5), ..CONVENTIONS[0] });
    assert!(four.total.lesions > base.total.lesions, "{} and {}", four.total.lesions, base.total.lesions);
    // The pair's halves have the weight of the whole: parted, they score the same.
    assert!(open.total.lesions > base.total.lesions);
    let small = 2.0 * cardiac::PIXEL_MM * cardiac::PIXEL_MM;
    let won =
        open.components.iter().find(|c| c.vessel == Some(Vessel::Lcx) && (c.area_mm2 - small).abs() < 1e-9);
    assert_eq!(won.map(|c| c.weight), Some(4));
}

/// Gating is not stated in the sample's files, everything else is as it should be.
#[test]
fn the_sample_is_a_standard_scan() {
    let sample = &*SAMPLE;
    let report = score(sample, CONVENTIONS[0]);
    assert_eq!(report.warnings, ["No attribute says that the scan was gated: motion changes the score."]);
    assert_eq!((report.input.kvp, report.input.slice_thickness_mm), (Some(120.0), Some(3.0)));
}

#[test]
fn the_region_to_start_from_holds_every_calcification_and_little_bone() {
    let sample = &*SAMPLE;
    let region = calcium::heart_region(&sample.volume);
    for l in &sample.truth.lesions {
        let voxel = sample.volume.grid.voxel_at(DVec3::from(l.centre_mm)).unwrap();
        assert!(region.contains(voxel), "{} at {voxel:?} is outside of {region:?}", l.vessel);
    }
    let input = Input::new(&sample.series, &sample.volume, &[]);
    let all = calcium::collect(&input, 130.0, None).unwrap();
    let inside = all.trimmed(&sample.volume.grid, Some(region), &[]).unwrap();
    let truth = score(sample, CONVENTIONS[0]);
    let calcium: u32 = truth.components.iter().filter(|c| c.counted).map(|c| c.voxels).sum();
    let bone = |n: usize| n - calcium as usize;
    println!("{region:?}: {} of {} voxels of bone are left", bone(inside.len()), bone(all.len()));
    assert!(4 * bone(inside.len()) < bone(all.len()), "{} of {}", bone(inside.len()), bone(all.len()));
}
