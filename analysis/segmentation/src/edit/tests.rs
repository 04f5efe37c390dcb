//! Every operation against a plain twin or a shape that is known by formula, its locks and its way back.
//!
//! Grids are uneven and lie askew; a twin asks the question of each voxel anew, without the shortcuts.

use imaging::{Volume, Voxels};
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

use super::{Connectivity, EditError, History, Operation, apply};
use crate::labels::{Label, LabelVolume};

const DIMS: [u32; 3] = [22, 23, 30];

fn grid(angle: f64) -> Grid {
    let turned = DMat3::from_axis_angle(DVec3::new(2.0, 1.0, -1.0).normalize(), angle);
    let matrix = turned * DMat3::from_diagonal(DVec3::new(0.75, 2.5, 1.25));
    let affine = DAffine3::from_mat3_translation(matrix, DVec3::new(5.0, -7.0, 11.0));
    Grid::new(DIMS, affine, LengthUnit::Millimetre, Frame::Patient).unwrap()
}

/// Labels 1 to 4 are described; 4 is locked. Values are the index of the column.
fn fixture(angle: f64) -> (LabelVolume, Volume) {
    let grid = grid(angle);
    let described = (1..=4).map(|id| Label { locked: id == 4, ..Label::numbered(id) }).collect();
    let labels = LabelVolume::new(grid.clone(), vec![0; grid.voxel_count()], described).unwrap();
    let stored = (0..grid.voxel_count()).map(|at| (at % 22) as i16).collect();
    (labels, Volume::new(Voxels::I16(stored), grid))
}

fn place(grid: &Grid, voxel: [f64; 3]) -> DVec3 {
    grid.world_from_voxel().transform_point3(DVec3::from(voxel))
}

fn index([x, y, z]: [usize; 3]) -> usize {
    (z * 23 + y) * 22 + x
}

fn voxels() -> impl Iterator<Item = [usize; 3]> {
    (0..22 * 23 * 30).map(|at| [at % 22, at / 22 % 23, at / 506])
}

fn ball(label: u8, along_mm: Vec<DVec3>, radius_mm: f64) -> Operation {
    Operation::Paint { label, along_mm, radius_mm, normal: None, range: None }
}

#[test]
fn a_brush_hits_what_lies_within_its_radius_of_the_stroke() {
    for angle in [0.0, 0.7] {
        let (mut labels, image) = fixture(angle);
        let grid = labels.grid().clone();
        let stroke = [[2.0, 3.0, 4.0], [15.0, 9.0, 20.0], [30.0, 9.0, 21.0]].map(|v| place(&grid, v));
        let normal = DVec3::new(0.3, 0.2, 0.9).normalize();
        for (label, normal, range) in [(1, None, None), (2, Some(normal), None), (3, None, Some([4.0, 11.0]))]
        {
            let operation =
                Operation::Paint { label, along_mm: stroke.to_vec(), radius_mm: 4.1, normal, range };
            let edit = apply(&mut labels, &image, 0, &operation).unwrap();
            let m = grid.world_from_voxel().matrix3;
            let mut painted = 0;
            for voxel in voxels() {
                let p = place(&grid, voxel.map(|n| n as f64));
                let hit = stroke.windows(2).any(|pair| {
                    // In steps: the twin knows no formula for the distance to a line.
                    (0..=300).any(|k| {
                        let mut away = p - pair[0].lerp(pair[1], f64::from(k) / 300.0);
                        if let Some(n) = normal {
                            let half =
                                0.5 * (m.x_axis.dot(n).abs() + m.y_axis.dot(n).abs() + m.z_axis.dot(n).abs());
                            let off = away.dot(n);
                            if off.abs() > half + 1e-3 {
                                return false;
                            }
                            away -= n * off;
                        }
                        away.length() <= 4.1
                    })
                });
                let wanted = hit && range.is_none_or(|[low, high]| (low..=high).contains(&(voxel[0] as f64)));
                let got = labels.voxels()[index(voxel)] == label;
                painted += usize::from(got);
                // Steps of the twin are coarser than the edge of a disc is sharp.
                if normal.is_none() {
                    assert_eq!(got, wanted, "{voxel:?} with label {label}, turned by {angle}");
                } else if got {
                    assert!(wanted, "{voxel:?} lies beside the disc");
                }
            }
            assert!(painted > 40, "{painted} of label {label}");
            assert!(edit.voxels() > 0 && !edit.slices().is_empty());
        }
    }
}

#[test]
fn a_disc_stays_on_one_slice_and_a_tiny_brush_hits_its_voxel() {
    let (mut labels, image) = fixture(0.0);
    let grid = labels.grid().clone();
    let disc = |z: f64, label| Operation::Paint {
        label,
        along_mm: vec![place(&grid, [11.0, 11.0, z])],
        radius_mm: 5.0,
        normal: Some(DVec3::Z),
        range: None,
    };
    assert_eq!(apply(&mut labels, &image, 0, &disc(7.0, 1)).unwrap().slices(), [7]);
    // Between two slices, exactly: one of them, not both and not none.
    assert_eq!(apply(&mut labels, &image, 0, &disc(12.5, 1)).unwrap().slices().len(), 1);
    let dot = ball(2, vec![place(&grid, [3.4, 3.4, 3.4])], 0.0);
    let edit = apply(&mut labels, &image, 0, &dot).unwrap();
    assert_eq!((edit.voxels(), labels.voxels()[index([3, 3, 3])]), (1, 2));
    let beside = ball(2, vec![place(&grid, [-50.0, 3.0, 3.0])], 2.0);
    assert!(apply(&mut labels, &image, 0, &beside).unwrap().is_empty());
}

#[test]
fn every_operation_spares_what_is_locked_and_is_taken_back_exactly() {
    let (mut labels, image) = fixture(0.3);
    let grid = labels.grid().clone();
    let mut seed = 5u32;
    for at in 0..labels.voxels().len() {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        labels.voxels_mut()[at] = [0, 0, 0, 1, 1, 2, 3, 4][(seed >> 29) as usize];
    }
    // Slices 5 to 8 without label 1, so that there is something to interpolate.
    for voxel in voxels().filter(|v| (5..9).contains(&v[2])) {
        let at = index(voxel);
        if labels.voxels()[at] == 1 {
            labels.voxels_mut()[at] = 0;
        }
    }
    for x in 0..22 {
        labels.voxels_mut()[index([x, 4, 4])] = 0;
    }
    let begin = labels.clone();
    let middle = place(&grid, [10.0, 10.0, 10.0]);
    let on = place(&grid, [6.0, 4.0, 4.0]);
    let operations = [
        Operation::Interpolate { label: 1 },
        ball(1, vec![middle], 9.0),
        ball(0, vec![middle, place(&grid, [3.0, 3.0, 20.0])], 5.0),
        Operation::Fill { label: 2, at_mm: middle },
        Operation::Grow { label: 3, from_mm: on, range: [2.0, 15.0], connectivity: Connectivity::Corners },
        Operation::Smooth { label: 1 },
        Operation::KeepLargest { label: 1 },
        Operation::Clear { label: 2 },
    ];
    let mut history = History::default();
    let mut states = vec![begin.clone()];
    for operation in &operations {
        let before = labels.clone();
        let edit = apply(&mut labels, &image, 0, operation).unwrap();
        assert!(!edit.is_empty(), "{operation:?} changed nothing");
        let changed: Vec<usize> =
            (0..labels.voxels().len()).filter(|at| labels.voxels()[*at] != before.voxels()[*at]).collect();
        assert_eq!(changed.len(), edit.voxels());
        for at in &changed {
            assert!(edit.slices().contains(&((at / 506) as u32)));
            assert!(
                before.voxels()[*at] != 4 && labels.voxels()[*at] != 4,
                "{operation:?} touched a locked label"
            );
        }
        history.push(edit);
        states.push(labels.clone());
    }
    for state in states.iter().rev().skip(1) {
        assert!(history.undo(&mut labels).is_some());
        assert_eq!(&labels, state);
    }
    assert_eq!((history.undo(&mut labels), labels == begin), (None, true));
    for state in &states[1..] {
        assert!(history.redo(&mut labels).is_some());
        assert_eq!(&labels, state);
    }
    assert_eq!(history.redo(&mut labels), None);
    // A new step after taking back forgets what could have been done again.
    history.undo(&mut labels);
    assert_eq!(history.redo_steps(), 1);
    history.push(apply(&mut labels, &image, 0, &ball(3, vec![middle], 6.0)).unwrap());
    assert_eq!((history.redo_steps(), history.undo_steps()), (0, 8));
}

#[test]
fn filling_stays_on_its_slice_and_within_its_outline() {
    let (mut labels, image) = fixture(0.3);
    let grid = labels.grid().clone();
    // A square outline with one corner missing: a diagonal gap.
    for n in 5..=15 {
        for voxel in [[n, 5, 7], [n, 15, 7], [5, n, 7], [15, n, 7]] {
            labels.voxels_mut()[index(voxel)] = 1;
        }
    }
    labels.voxels_mut()[index([5, 5, 7])] = 0;
    let inside = Operation::Fill { label: 1, at_mm: place(&grid, [9.0, 9.0, 7.0]) };
    let edit = apply(&mut labels, &image, 0, &inside).unwrap();
    assert_eq!((edit.voxels(), edit.slices()), (81, vec![7]));
    // Again: the voxel has the label already, so its region becomes itself.
    assert!(apply(&mut labels, &image, 0, &inside).unwrap().is_empty());
    let outside = Operation::Fill { label: 1, at_mm: place(&grid, [90.0, 9.0, 7.0]) };
    assert_eq!(apply(&mut labels, &image, 0, &outside), Err(EditError::Outside));
}

#[test]
fn growing_follows_values_and_stops_at_other_labels() {
    let (mut labels, image) = fixture(0.3);
    let grid = labels.grid().clone();
    for voxel in voxels().filter(|v| v[2] == 20) {
        labels.voxels_mut()[index(voxel)] = 2;
    }
    let grow = |from: [f64; 3], range| Operation::Grow {
        label: 1,
        from_mm: place(&grid, from),
        range,
        connectivity: Connectivity::Faces,
    };
    let edit = apply(&mut labels, &image, 0, &grow([6.0, 3.0, 3.0], [5.0, 8.0])).unwrap();
    assert_eq!(edit.voxels(), 4 * 23 * 20, "columns 5 to 8 of the slices below the wall");
    assert!(voxels().all(|v| (labels.voxels()[index(v)] == 1) == ((5..=8).contains(&v[0]) && v[2] < 20)));
    let beside = apply(&mut labels, &image, 0, &grow([9.0, 3.0, 3.0], [5.0, 8.0]));
    assert_eq!(beside, Err(EditError::Seed { value: 9.0, low: 5.0, high: 8.0 }));
}

#[test]
fn smoothing_is_the_median_of_the_mask() {
    let (mut labels, image) = fixture(0.0);
    let mut seed = 9u32;
    for at in 0..labels.voxels().len() {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        labels.voxels_mut()[at] = u8::from(seed >> 28 > 6);
    }
    let old = labels.clone();
    apply(&mut labels, &image, 0, &Operation::Smooth { label: 1 }).unwrap();
    for [x, y, z] in voxels() {
        let mut mask: Vec<u8> = voxels_around([x, y, z]).map(|v| old.voxels()[index(v)]).collect();
        mask.sort_unstable();
        let n = mask.len();
        let (low, high) = (mask[(n - 1) / 2], mask[n / 2]);
        // At the border the number of neighbours is even; a tie changes nothing.
        let want = if low == high { low } else { old.voxels()[index([x, y, z])] };
        assert_eq!(labels.voxels()[index([x, y, z])], want, "{x} {y} {z}");
    }
}

fn voxels_around([x, y, z]: [usize; 3]) -> impl Iterator<Item = [usize; 3]> {
    let near = |n: usize, len: usize| n.saturating_sub(1)..(n + 2).min(len);
    near(z, 30).flat_map(move |k| near(y, 23).flat_map(move |j| near(x, 22).map(move |i| [i, j, k])))
}

#[test]
fn a_cone_is_filled_from_its_ends() {
    let (mut labels, image) = fixture(0.0);
    // Circles of 2 and 7 mm around one axis: between them the border is a cone, but for the coarse rows.
    let radius = |z: usize| 2.0 + 0.5 * (z as f64 - 4.0);
    let far = |v: [usize; 3]| ((v[0] as f64 - 11.0) * 0.75).hypot((v[1] as f64 - 11.0) * 2.5);
    for voxel in voxels().filter(|v| (v[2] == 4 || v[2] == 14) && far(*v) <= radius(v[2])) {
        labels.voxels_mut()[index(voxel)] = 1;
    }
    labels.voxels_mut()[index([11, 11, 9])] = 4;
    let edit = apply(&mut labels, &image, 0, &Operation::Interpolate { label: 1 }).unwrap();
    assert_eq!(edit.slices(), (5..14).collect::<Vec<u32>>());
    for voxel in voxels() {
        let got = labels.voxels()[index(voxel)];
        if voxel == [11, 11, 9] {
            assert_eq!(got, 4, "locked");
        } else if !(4..=14).contains(&voxel[2]) || far(voxel) > radius(voxel[2]) + 2.0 {
            assert_eq!(got, 0, "{voxel:?}");
        } else if far(voxel) < radius(voxel[2]) - 2.0 {
            assert_eq!(got, 1, "{voxel:?}");
        }
    }
    let again = apply(&mut labels, &image, 0, &Operation::Interpolate { label: 1 });
    assert_eq!(again, Err(EditError::NothingBetween("Label 1".into())));
}

#[test]
fn what_cannot_be_done_says_why_and_changes_nothing() {
    let (mut labels, image) = fixture(0.0);
    let here = place(labels.grid(), [5.0; 3]);
    let begin = labels.clone();
    let mut refuse = |operation: Operation| apply(&mut labels, &image, 0, &operation).unwrap_err();
    assert_eq!(refuse(ball(9, vec![here], 1.0)), EditError::Unknown(9));
    assert_eq!(refuse(ball(4, vec![here], 1.0)), EditError::Locked("Label 4".into()));
    assert_eq!(refuse(Operation::Clear { label: 4 }), EditError::Locked("Label 4".into()));
    assert!(matches!(refuse(Operation::Smooth { label: 0 }), EditError::Background(_)));
    for (points, radius) in
        [(vec![], 1.0), (vec![here], -1.0), (vec![here], f64::NAN), (vec![DVec3::NAN], 1.0)]
    {
        assert!(matches!(refuse(ball(1, points, radius)), EditError::Stroke { .. }));
    }
    let flat = Operation::Paint {
        label: 1,
        along_mm: vec![here],
        radius_mm: 1.0,
        normal: Some(DVec3::ZERO),
        range: None,
    };
    assert!(matches!(refuse(flat), EditError::Stroke { .. }));
    let other = Volume::new(Voxels::I16(vec![0; 6]), Grid::picture(3, 2, 1).unwrap());
    assert_eq!(apply(&mut labels, &other, 0, &ball(1, vec![here], 1.0)), Err(EditError::OtherGrid));
    assert_eq!(labels, begin);
}
