//! What a reader does to lesions: clicks, outlines, cuts, rubbing out, and opening a report again.
//!
//! Each step is compared with the same thing done the plain way, voxel by voxel.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::collections::BTreeMap;

use calcium::{Assignment, Edit, Reading, Region, Report, Request, Session, Vessel};
use common::{click, ct, input, score, standard_scan};
use imaging::{Volume, Voxels};
use phantom::random::Random;

const DIMS: [u32; 3] = [24, 20, 6];
const SPACING: [f64; 3] = [0.8, 0.5, 3.0];

/// A volume with these voxels at these values; everything else is fat.
fn volume(calcium: impl IntoIterator<Item = ([u32; 3], i16)>) -> Volume {
    let mut values = vec![-100i16; (DIMS[0] * DIMS[1] * DIMS[2]) as usize];
    for ([x, y, z], hu) in calcium {
        values[((z * DIMS[1] + y) * DIMS[0] + x) as usize] = hu;
    }
    ct(Voxels::I16(values), DIMS, SPACING)
}

/// A bar along x in slices 2 and 3, brighter at its right end.
fn bar() -> Volume {
    let voxels = (3..15).flat_map(|x| (8..10).flat_map(move |y| [2, 3].map(|z| [x, y, z])));
    volume(voxels.map(|v| (v, if v[0] >= 12 { 450 } else { 180 })))
}

fn with(volume: &Volume, edits: &[Edit]) -> Report {
    let reading = Reading { assignment: Assignment::Edits(edits), ..Reading::default() };
    score(volume, &Request::default(), &reading)
}

fn world(volume: &Volume, voxel: [f64; 3]) -> [f64; 3] {
    volume.grid.world_from_voxel().transform_point3(voxel.into()).to_array()
}

const ALONG_Z: [f64; 3] = [0.0, 0.0, 1.0];

fn cut(volume: &Volume, from: [f64; 3], to: [f64; 3]) -> Edit {
    Edit::Cut { from_mm: world(volume, from), to_mm: world(volume, to), along: ALONG_Z, depth_mm: 0.0 }
}

fn of(report: &Report, vessel: Vessel) -> f64 {
    report.vessels[vessel as usize].sums.agatston
}

#[test]
fn a_cut_divides_the_score_in_the_ratio_of_the_areas_and_keeps_the_total() {
    let v = bar();
    let whole = with(&v, &[click(&v, [4, 8, 2], Some(Vessel::Lad))]);
    // 24 pixels of 0.4 mm² in two slices, weight 4 by the bright end, slices of 3 mm.
    assert!((of(&whole, Vessel::Lad) - 2.0 * 24.0 * 0.4 * 4.0).abs() < 1e-9);
    // Between columns 5 and 6: 3 of 12 columns lie to the left.
    let knife = cut(&v, [5.5, 5.0, 2.0], [5.5, 12.0, 2.0]);
    let parts =
        [knife.clone(), click(&v, [4, 8, 2], Some(Vessel::Lm)), click(&v, [13, 8, 3], Some(Vessel::Lad))];
    let cut_first = with(&v, &parts);
    assert_eq!(cut_first.lesions.len(), 2);
    assert!((of(&cut_first, Vessel::Lm) - 0.25 * whole.total.agatston).abs() < 1e-9);
    assert!((of(&cut_first, Vessel::Lad) - 0.75 * whole.total.agatston).abs() < 1e-9);
    assert!((cut_first.total.agatston - whole.total.agatston).abs() < 1e-9);
    assert!((cut_first.total.volume_mm3 - whole.total.volume_mm3).abs() < 1e-9);
    // Given before the cut: both parts stay with their vessel until one is given to another.
    let later = [click(&v, [4, 8, 2], Some(Vessel::Lad)), knife, click(&v, [4, 8, 2], Some(Vessel::Lm))];
    let later = with(&v, &later);
    assert_eq!(of(&later, Vessel::Lm), of(&cut_first, Vessel::Lm));
    assert_eq!(of(&later, Vessel::Lad), of(&cut_first, Vessel::Lad));
}

#[test]
fn a_cut_that_meets_no_lesion_or_has_no_length_changes_nothing() {
    let v = bar();
    let plain = with(&v, &[]);
    for (from, to) in [([20.0, 1.0, 2.0], [20.0, 4.0, 2.0]), ([5.5, 8.0, 2.0], [5.5, 8.0, 2.0])] {
        let missed = with(&v, &[cut(&v, from, to)]);
        assert_eq!(
            (&missed.components, missed.steps_without_effect.as_slice()),
            (&plain.components, &[0][..])
        );
    }
    // Drawn in a slice above the bar, it only divides what a thick slab shows there.
    let mut above = cut(&v, [5.5, 5.0, 5.0], [5.5, 12.0, 5.0]);
    assert_eq!(with(&v, std::slice::from_ref(&above)).lesions.len(), 1);
    if let Edit::Cut { depth_mm, .. } = &mut above {
        *depth_mm = 12.0;
    }
    assert_eq!(with(&v, &[above]).lesions.len(), 2);
}

/// Random blobs and random lines: the parts are those of a flood fill that does not cross the line, and totals stay.
#[test]
fn random_cuts_are_what_a_plain_flood_fill_finds() {
    let mut random = Random::new(77);
    let mut divided = 0;
    for round in 0..60 {
        let mut voxels = BTreeMap::new();
        for _ in 0..4 {
            let centre = [0, 1, 2].map(|i| random.uniform() * f64::from(DIMS[i]));
            let hu = 131 + (random.uniform() * 400.0) as i16;
            for z in 0..DIMS[2] {
                for y in 0..DIMS[1] {
                    for x in 0..DIMS[0] {
                        let d = [x, y, z].map(f64::from);
                        let r = (0..3).map(|i| (d[i] - centre[i]).powi(2)).sum::<f64>();
                        if r < 16.0 && random.uniform() < 0.8 {
                            voxels.insert([x, y, z], hu);
                        }
                    }
                }
            }
        }
        let v = volume(voxels.clone());
        let z = f64::from((random.uniform() * 6.0) as u32);
        let mut end = || [random.uniform() * 24.0, random.uniform() * 20.0, z];
        let (from, to) = (end(), end());
        let knife = [cut(&v, from, to)];
        let (plain, parted) = (with(&v, &[]), with(&v, &knife));
        let sums = |r: &Report| {
            (r.total.agatston, r.total.volume_mm3, r.lesions.iter().map(|l| l.voxels).sum::<u32>())
        };
        let (a, b) = (sums(&plain), sums(&parted));
        assert!(
            (a.0 - b.0).abs() < 1e-6 && (a.1 - b.1).abs() < 1e-6 && a.2 == b.2,
            "round {round}: {a:?} {b:?}"
        );

        // The plain way: which lesions hold a voxel on the line, then a fill within each side of them.
        let set: std::collections::BTreeSet<[u32; 3]> = voxels.keys().copied().collect();
        let whole = fill(&set, |_, _| true);
        let steps = 4000;
        let crossed: std::collections::BTreeSet<usize> = (0..=steps)
            .filter_map(|i| {
                let t = f64::from(i) / f64::from(steps);
                let p = [0, 1].map(|k| (from[k] + t * (to[k] - from[k]) + 0.5).floor() as i64);
                let at = [u32::try_from(p[0]).ok()?, u32::try_from(p[1]).ok()?, z as u32];
                whole.get(&at).copied()
            })
            .collect();
        let side = |p: [u32; 3]| {
            let d = [to[0] - from[0], to[1] - from[1]].map(|v| v);
            let mm = [d[0] * SPACING[0], d[1] * SPACING[1]];
            let q = [(f64::from(p[0]) - from[0]) * SPACING[0], (f64::from(p[1]) - from[1]) * SPACING[1]];
            // (to - from) x along, dotted with the point.
            mm[1] * q[0] - mm[0] * q[1] >= 0.0
        };
        // In a slice, what one side of a component holds is one piece, connected or not.
        let in_slice = |p: [u32; 3], q: [u32; 3]| p[2] == q[2];
        let flat = fill(&set, in_slice);
        let key =
            |p: &[u32; 3]| (flat[p], crossed.contains(&whole[p]) && side(*p), crossed.contains(&whole[p]));
        let pieces: std::collections::BTreeSet<_> = set.iter().map(key).collect();
        let admitted =
            |flat_id: usize| f64::from(flat.values().filter(|f| **f == flat_id).count() as u32) * 0.4 > 1.0;
        let want = pieces.iter().filter(|k| admitted(k.0)).count();
        assert_eq!(parted.components.len(), want, "round {round}");
        divided += usize::from(want > plain.components.len());
    }
    assert!(divided > 20, "only {divided} rounds divided anything");
}

/// Numbers of connected sets (26 neighbours) among those that may be joined.
fn fill(
    set: &std::collections::BTreeSet<[u32; 3]>,
    joined: impl Fn([u32; 3], [u32; 3]) -> bool,
) -> BTreeMap<[u32; 3], usize> {
    let mut out: BTreeMap<[u32; 3], usize> = BTreeMap::new();
    let mut next = 0;
    for start in set {
        if out.contains_key(start) {
            continue;
        }
        let mut stack = vec![*start];
        out.insert(*start, next);
        while let Some(p) = stack.pop() {
            for q in set.iter().filter(|q| (0..3).all(|i| p[i].abs_diff(q[i]) <= 1)) {
                if joined(p, *q) && !out.contains_key(q) {
                    out.insert(*q, next);
                    stack.push(*q);
                }
            }
        }
        next += 1;
    }
    out
}

#[test]
fn an_outline_takes_what_lies_in_it_by_more_than_half_at_the_depth_that_is_seen() {
    // Three plaques of 4 x 2 pixels: inside, half inside, and inside but five slices below.
    let plaque = |x0: u32, z: u32| (x0..x0 + 4).flat_map(move |x| [8, 9].map(|y| ([x, y, z], 300i16)));
    let v = volume(plaque(2, 1).chain(plaque(9, 1)).chain(plaque(16, 1)).chain(plaque(3, 5)));
    let outline = |to_x: f64, depth_mm: f64| Edit::Outline {
        corners_mm: [[0.0, 5.0], [to_x, 5.0], [to_x, 15.0], [0.0, 15.0]]
            .map(|[x, y]| world(&v, [x, y, 1.0]))
            .to_vec(),
        along: ALONG_Z,
        depth_mm,
        vessel: Some(Vessel::Rca),
    };
    let taken = |edit: Edit| with(&v, &[edit]).total.lesions;
    assert_eq!(taken(outline(10.6, 3.0)), 1, "columns 9 and 10 are half of the second");
    assert_eq!(taken(outline(11.6, 3.0)), 2, "three of four");
    assert_eq!(taken(outline(11.6, 30.0)), 3, "through the whole volume");
    assert_eq!(
        with(&v, &[Edit::Outline { corners_mm: vec![], along: ALONG_Z, depth_mm: 1.0, vessel: None }])
            .total
            .lesions,
        0
    );
    // Given away again by another outline.
    let back = Edit::Outline {
        corners_mm: [[0.0, 5.0], [7.0, 5.0], [7.0, 15.0]].map(|[x, y]| world(&v, [x, y, 1.0])).to_vec(),
        along: ALONG_Z,
        depth_mm: 3.0,
        vessel: None,
    };
    assert_eq!(with(&v, &[outline(11.6, 3.0), back]).total.lesions, 1);
}

#[test]
fn a_click_through_a_slab_takes_the_brightest_and_one_beside_still_hits() {
    let plaque = |x0: u32, z: u32, hu: i16| (x0..x0 + 3).flat_map(move |x| [8, 9].map(|y| ([x, y, z], hu)));
    let v = volume(plaque(5, 0, 200).chain(plaque(5, 4, 400)));
    let at = |x: f64, depth_mm: f64| Edit::Assign {
        at_mm: world(&v, [x, 8.0, 2.0]),
        along: ALONG_Z,
        depth_mm,
        vessel: Some(Vessel::Lcx),
    };
    let missed = with(&v, &[at(6.0, 15.0), at(6.0, 0.0)]);
    assert_eq!(missed.steps_without_effect, [1], "nothing in the plane itself");
    assert_eq!(with(&v, &[at(6.0, 0.0)]).total.lesions, 0);
    let slab = with(&v, &[at(6.0, 15.0)]);
    assert_eq!(slab.lesions.iter().map(|l| l.voxel).collect::<Vec<_>>(), [[5, 8, 0], [5, 8, 4]]);
    assert_eq!(slab.lesions.iter().map(|l| l.vessel).collect::<Vec<_>>(), [None, Some(Vessel::Lcx)]);
    assert_eq!(with(&v, &[at(8.4, 15.0)]).total.lesions, 1, "a voxel beside it");
    assert_eq!(with(&v, &[at(10.0, 15.0)]).total.lesions, 0, "three beside it");
}

#[test]
fn a_report_opens_again_with_every_step() {
    let v = bar();
    let session = Session {
        profile: "siemens".into(),
        threshold_hu: Some(150.0),
        mass_factor: Some(0.00075),
        region: Some(Region { from: [0, 0, 0], to: [14, 20, 6] }),
        edits: vec![
            cut(&v, [7.5, 5.0, 2.0], [7.5, 12.0, 2.0]),
            click(&v, [4, 8, 2], Some(Vessel::Lm)),
            Edit::Erase { centre_mm: world(&v, [13.0, 8.0, 2.0]), radius_mm: 1.0 },
        ],
        ..Session::default()
    };
    let scan = standard_scan();
    let run = |session: &Session| {
        let request = Request::of(session).unwrap();
        let mut report = calcium::run(&input(&v, &scan), &request, &Reading::of(session), &|| 0.0).unwrap();
        report.timings_ms = Default::default();
        report
    };
    let first = run(&session);
    // Columns 3 to 7 of two rows: in slice 2 the bright end was rubbed out, in slice 3 it gives weight 4.
    assert!((of(&first, Vessel::Lm) - 10.0 * 0.4 * (1.0 + 4.0)).abs() < 1e-9);
    let json = serde_json::to_value(&first).unwrap();
    let saved: Session = serde_json::from_value(json["session"].clone()).unwrap();
    assert_eq!(saved, session);
    assert_eq!(run(&saved), first);
    // Each step matters.
    for i in 0..session.edits.len() {
        let mut fewer = session.clone();
        fewer.edits.remove(i);
        let other = run(&fewer);
        assert!(other.total != first.total || other.lesions != first.lesions, "step {i}");
    }
    let open = Session { region: None, ..session.clone() };
    assert_ne!(run(&open).lesions, first.lesions);
    let none = Session { profile: "nobody".into(), ..session };
    assert!(Request::of(&none).unwrap_err().to_string().contains("four-connected"));
}
