//! Components made to break a labeller: spirals, combs, checkerboards, a million single pixels.
//!
//! Their number and size follow from how they are drawn, so nothing has to be trusted here.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use calcium::{CONVENTIONS, Connectivity, Convention, MinimumArea, Reading, Report, Request};
use common::shapes;
use imaging::Voxels;
use testbed::verification::{Row, record};

fn score(values: Vec<i16>, dims: [u32; 3], connectivity: Connectivity) -> Report {
    let convention =
        Convention { connectivity, minimum_area: MinimumArea::MoreThanMm2(0.0), ..CONVENTIONS[0] };
    let volume = common::ct(Voxels::I16(values), dims, [1.0, 1.0, 3.0]);
    common::score(&volume, &Request { convention, ..Request::default() }, &Reading::default())
}

#[test]
fn a_spiral_is_one_component_and_one_cut_makes_it_two() {
    for n in [5, 63, 64, 65, 257, 1023] {
        let picture = shapes::spiral(n);
        let length = picture.iter().filter(|v| **v > 0).count() as u32;
        assert!(length as usize > n * n / 3, "{length} of {n}");
        for connectivity in [Connectivity::Four, Connectivity::Eight] {
            let report = score(picture.clone(), [n as u32, n as u32, 1], connectivity);
            assert_eq!(report.components.len(), 1, "{n} {connectivity:?}");
            assert_eq!(report.components[0].voxels, length);
            // The third pixel of the outer turn.
            let mut cut = picture.clone();
            cut[2] = 0;
            let report = score(cut, [n as u32, n as u32, 1], connectivity);
            let sizes: Vec<u32> = report.components.iter().map(|c| c.voxels).collect();
            assert_eq!(sizes, [2, length - 3], "{n} {connectivity:?}");
        }
    }
}

/// Teeth that stand apart until the last row joins them, pointing each way: every tooth is merged late.
#[test]
fn combs_are_one_component_whichever_way_they_point() {
    let (w, h) = (1023, 511);
    let combs = shapes::combs(w, h);
    for (i, comb) in combs.into_iter().enumerate() {
        let voxels = comb.iter().filter(|v| **v > 0).count() as u32;
        for connectivity in [Connectivity::Four, Connectivity::Eight] {
            let report = score(comb.clone(), [w, h, 1], connectivity);
            assert_eq!(report.components.len(), if i == 4 { 2 } else { 1 }, "comb {i} {connectivity:?}");
            assert_eq!(report.components.iter().map(|c| c.voxels).sum::<u32>(), voxels);
        }
    }
}

#[test]
fn a_checkerboard_is_all_one_or_all_apart() {
    let dims = [201u32, 99, 3];
    let board = shapes::checkerboard(dims);
    let count = board.iter().filter(|v| **v > 0).count();
    let four = score(board.clone(), dims, Connectivity::Four);
    assert_eq!((four.components.len(), four.lesions.len()), (count, count));
    let eight = score(board, dims, Connectivity::Eight);
    assert_eq!((eight.components.len(), eight.lesions.len()), (3, 1));
    assert_eq!(eight.lesions[0].voxels as usize, count);
}

#[test]
fn a_million_single_pixels() {
    let (dims, values) = shapes::a_million_single_pixels();
    let report = score(values, dims, Connectivity::Eight);
    assert_eq!(report.components.len(), 256 * 256 * 16);
    assert_eq!(report.lesions.len(), 256 * 256 * 16);
    // Columns 0, 2, ... 510: 86 of them leave 0 by 3, 85 leave 2 and 85 leave 1; peaks 130, 330, 230.
    let per_row = 86 + 85 * 3 + 85 * 2;
    let want = f64::from(per_row * 256 * 16);
    assert_eq!(report.total.agatston, want);
    let ids: std::collections::HashSet<u32> = report.components.iter().map(|c| c.lesion).collect();
    assert_eq!(ids.len(), report.lesions.len());
    record(
        "calcium-adversarial",
        &[Row {
            number: "Agatston score of 1,048,576 single pixels".into(),
            data: "drawn: every second pixel of every second row and slice of 512 x 512 x 32",
            method: "calcium, CPU",
            reference: "arithmetic",
            ours: report.total.agatston.to_string(),
            theirs: want.to_string(),
            difference: "0".into(),
            allowed: "0".into(),
        }],
    );
}

/// A lesion that climbs through the slices as a staircase, by faces, edges or corners.
#[test]
fn stairs_are_one_lesion_as_far_as_they_touch() {
    let dims = shapes::STAIRS;
    for (step, four, eight) in [([0, 0], 1, 1), ([1, 0], 30, 1), ([0, 1], 30, 1), ([1, 1], 30, 1)] {
        assert_eq!(score(shapes::stairs(step), dims, Connectivity::Four).lesions.len(), four, "{step:?}");
        assert_eq!(score(shapes::stairs(step), dims, Connectivity::Eight).lesions.len(), eight, "{step:?}");
    }
}
