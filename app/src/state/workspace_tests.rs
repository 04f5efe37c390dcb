//! Tests of the workspace: what keys do to panels, and that linked panels stay linked.
//! In their own file to keep the workspace readable.

use super::*;
use crate::state::fixtures::{ct, dynamic, picture};

const S: SeriesId = SeriesId(1);

fn open(info: VolumeInfo) -> Workspace {
    let mut w = Workspace::default();
    w.resize(1200.0, 800.0, 1.0);
    w.learn(S, info);
    assert!(w.show(S));
    w
}

#[test]
fn volumes_open_in_three_planes_and_pictures_as_they_are() {
    let w = open(ct());
    let planes: Vec<Plane> = w.panels.iter().map(|p| p.view.plane).collect();
    assert_eq!(planes, [Plane::Axial, Plane::Coronal, Plane::Sagittal]);
    let w = open(picture());
    assert_eq!((w.panels.len(), w.panels[0].view.plane), (1, Plane::Acquisition));
    let mut w = Workspace::default();
    w.resize(390.0, 700.0, 3.0);
    w.learn(S, ct());
    w.show(S);
    assert_eq!(w.layout, LayoutKind::Single, "a phone has room for one");
}

#[test]
fn every_panel_shows_the_slice_through_the_crosshair() {
    let mut w = open(ct());
    w.set_cursor(S, DVec3::new(9.3, 14.0, 100.0));
    let cursor = w.cursor(S).unwrap();
    let grid = &ct().grid;
    for p in &w.panels {
        let normal = p.view.plane.world_from_plane(grid).z_axis;
        assert!((cursor - p.view.centre_world).dot(normal).abs() < 1e-9, "{:?}", p.view.plane);
    }
    // 100 = 11 + 12.28 * 7.25: the nearest slice is number 13 of 30.
    assert_eq!(w.slice_number(w.panels[0].id), Some((13, 30)));
    // Scrolling the axial moves the crosshair seen in the others, and nothing else.
    let before = w.cursor(S).unwrap();
    let axial = w.panels[0].id;
    w.step_slices(axial, 2.0);
    let after = w.cursor(S).unwrap();
    assert!((after - before - DVec3::Z * 14.5).length() < 1e-9);
}

#[test]
fn a_click_far_outside_stays_inside_the_volume() {
    let mut w = open(ct());
    w.set_cursor(S, DVec3::splat(1e6));
    assert_eq!(w.slice_number(w.panels[0].id), Some((30, 30)));
    w.apply(Action::FirstSlice);
    assert_eq!(w.slice_number(w.panels[0].id), Some((1, 30)));
    w.apply(Action::StepSlices(-1));
    assert_eq!(w.slice_number(w.panels[0].id), Some((1, 30)));
}

#[test]
fn windows_and_time_are_shared_by_the_panels_of_a_series() {
    let mut w = open(dynamic());
    w.apply(Action::Preset(1));
    assert!(w.panels.iter().all(|p| (p.window.center, p.window.width) == (-600.0, 1500.0)));
    w.apply(Action::StepTime(-1));
    assert!(w.panels.iter().all(|p| p.time_index == 5), "time runs in a ring");
    w.apply(Action::Invert);
    w.apply(Action::Reset);
    assert!(w.panels.iter().all(|p| !p.invert && p.window.center == 40.0));
}

#[test]
fn a_quarter_turn_is_clockwise_even_when_flipped() {
    let grid = ct().grid;
    for flip in [false, true] {
        let mut w = open(ct());
        if flip {
            w.apply(Action::FlipHorizontal);
        }
        let right = w.active_panel().unwrap().view.edge_letters(&grid)[1].clone();
        w.apply(Action::Rotate(1));
        let bottom = w.active_panel().unwrap().view.edge_letters(&grid)[3].clone();
        assert_eq!(right, bottom, "what was on the right is below; flipped: {flip}");
        w.apply(Action::Rotate(-1));
        assert_eq!(w.active_panel().unwrap().view.edge_letters(&grid)[1], right);
    }
}

#[test]
fn maximise_keeps_the_others_for_later() {
    let mut w = open(ct());
    let first = w.panels[0].id;
    w.apply(Action::Maximise);
    assert_eq!(w.places().len(), 1);
    assert_eq!(w.place(first).unwrap().cell.width, 1200.0);
    w.apply(Action::StepPanel(1));
    assert_eq!(w.places()[0].0, w.panels[1].id);
    w.apply(Action::Maximise);
    assert_eq!(w.places().len(), 3);
}

#[test]
fn layouts_keep_what_stays_and_panels_fit_their_cells() {
    let mut w = open(ct());
    let ids: Vec<PanelId> = w.panels.iter().map(|p| p.id).collect();
    w.apply(Action::Layout(LayoutKind::Quad));
    assert_eq!(w.panels[..3].iter().map(|p| p.id).collect::<Vec<_>>(), ids);
    assert!(w.panels[3].view.slab.thickness > 0.0);
    let unique: std::collections::BTreeSet<PanelId> = w.panels.iter().map(|p| p.id).collect();
    assert_eq!(unique.len(), 4);
    w.apply(Action::Layout(LayoutKind::Single));
    assert_eq!(w.panels.len(), 1);
    for (id, _) in w.places() {
        let (panel, port) = (w.panel(id).unwrap(), w.viewport(id));
        let m = panel.view.screen_from_world(&ct().grid, port);
        for c in ct().grid.corners_world() {
            let p = m.transform_point3(c);
            assert!(p.x > -0.01 && p.x < f64::from(port.width_px) + 0.01, "{p}");
            assert!(p.y > -0.01 && p.y < f64::from(port.height_px) + 0.01, "{p}");
        }
    }
}

#[test]
fn a_series_comes_back_as_it_was_left() {
    let mut w = open(ct());
    w.learn(SeriesId(2), picture());
    w.apply(Action::Layout(LayoutKind::Quad));
    w.apply(Action::Preset(3));
    w.show(SeriesId(2));
    assert_eq!(w.panels.len(), 1);
    w.show(S);
    assert_eq!((w.layout, w.panels[0].window.center), (LayoutKind::Quad, 480.0));
}

#[test]
fn measuring_without_a_mouse() {
    let mut w = open(ct());
    w.apply(Action::Tool(Tool::Length));
    w.apply(Action::PlacePoint);
    w.apply(Action::NudgeCrosshair(8, 0));
    w.apply(Action::PlacePoint);
    assert!(w.draft.is_none());
    let m = w.measurements.get()[0].clone();
    let Shape::Length([a, b]) = m.shape else { panic!("{m:?}") };
    assert!((a.distance(b) - 6.0).abs() < 1e-9, "8 steps of 0.75 mm, got {}", a.distance(b));
    w.apply(Action::DeleteMeasurement);
    assert!(w.measurements.get().is_empty());
    w.apply(Action::Undo);
    assert_eq!(w.measurements.get().len(), 1);
}

#[test]
fn an_angle_takes_three_points_and_cancel_takes_it_away() {
    let mut w = open(ct());
    w.apply(Action::Tool(Tool::Angle));
    let id = w.active;
    let at = w.cursor(S).unwrap();
    w.place_point(id, at);
    w.place_point(id, at + DVec3::X * 5.0);
    assert!(w.draft.is_some());
    w.place_point(id, at + DVec3::new(5.0, 5.0, 0.0));
    assert!(w.draft.is_none());
    let r = w.measurements.get()[0].reading(scene::LengthUnit::Millimetre, "HU");
    assert!((r.value.unwrap() - 90.0).abs() < 1e-9);
    w.place_point(id, at);
    w.apply(Action::Cancel);
    assert_eq!(w.measurements.get().len(), 1, "only the unfinished one goes");
}

#[test]
fn cine_wraps_over_slices_and_time_separately() {
    let mut w = open(dynamic());
    w.apply(Action::LastSlice);
    w.apply(Action::CineSlices);
    w.cine.slices.set_fps(1.0);
    w.advance_cine(1.0);
    assert_eq!(w.slice_number(w.active), Some((1, 30)));
    assert_eq!(w.panels[0].time_index, 0, "time stands still");
    w.apply(Action::CineSlices);
    w.apply(Action::CineTime);
    w.cine.time.set_fps(7.0);
    w.advance_cine(1.0);
    assert_eq!((w.slice_number(w.active), w.panels[0].time_index), (Some((1, 30)), 1));
}
