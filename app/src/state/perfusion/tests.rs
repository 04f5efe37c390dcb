//! The desk of a perfusion study on a small dynamic series whose maps are made up.

use super::*;
use crate::state::Action;
use crate::state::fixtures::{S, derived, dynamic, findings, opened};

fn reading() -> Workspace {
    let mut w = opened(dynamic());
    w.open_perfusion(S, Suggestion::default());
    for (map, series) in findings().maps {
        w.learn(series, derived(map));
    }
    let task = w.flow_mut().unwrap().next_task(1);
    assert_eq!(task.map(|t| t.series), Some(S));
    w.take_findings(S, 1, Ok(findings()));
    w
}

fn shown(w: &Workspace) -> Vec<&'static str> {
    w.panels.iter().filter_map(|p| w.slot_of(p.id)).map(Slot::name).collect()
}

#[test]
fn four_maps_stand_there_with_their_ranges_as_soon_as_they_are_known() {
    let w = reading();
    assert_eq!((w.layout, shown(&w)), (LayoutKind::Maps, vec!["CBF", "CBV", "MTT", "TTP"]));
    let ranges: Vec<_> = w.panels.iter().map(|p| (p.window.center, p.window.width)).collect();
    assert_eq!(ranges, [(50.0, 100.0), (5.0, 10.0), (5.0, 10.0), (5.0, 10.0)]);
    assert!(w.panels.iter().all(|p| p.colormap == Colormap::Asist));
}

#[test]
fn panels_of_maps_share_slice_zoom_and_place() {
    let mut w = reading();
    let second = w.panels[1].id;
    w.active = second;
    w.apply(Action::ZoomPercent(150));
    w.apply(Action::PanSteps(1, 1));
    w.step_slices(second, 3.0);
    w.apply(Action::FlipHorizontal);
    for p in &w.panels {
        assert_eq!(p.view, w.panels[1].view);
    }
    w.apply(Action::Fit);
    assert!(w.panels.iter().all(|p| p.fitted && p.view == w.panels[1].view));
    assert_eq!(w.cursor(S), w.cursor(w.panels[2].series), "one crosshair");
}

#[test]
fn a_panel_is_swapped_and_keeps_its_place() {
    let mut w = reading();
    let id = w.panels[3].id;
    w.apply(Action::ZoomPercent(150));
    let view = w.panels[3].view.clone();
    w.set_slot(id, Slot::Map(Map::Tmax));
    w.set_flow_time(4);
    assert_eq!((shown(&w)[3], &w.panels[3].view), ("Tmax", &view));
    w.set_slot(id, Slot::Frames);
    assert_eq!((shown(&w)[3], w.panels[3].time_index), ("Frames", 4));
    assert_eq!((w.panels[3].colormap, w.panels[3].window.width), (Colormap::Grey, 400.0));
    w.set_flow_time(2);
    assert_eq!(w.panels[3].time_index, 2);
    // Another step and back: the four are as they were left.
    w.go_to_step(Step::Inputs);
    assert_eq!((w.layout, shown(&w)), (LayoutKind::Vessels, vec!["tMIP", "CBF", "CBV"]));
    w.go_to_step(Step::Maps);
    assert_eq!(shown(&w), ["CBF", "CBV", "MTT", "Frames"]);
}

#[test]
fn ranges_are_edited_dragged_and_put_back() {
    let mut w = reading();
    w.set_map_range(Map::Cbf, 0.0, 60.0);
    assert_eq!((w.panels[0].window.center, w.panels[0].window.width), (30.0, 60.0));
    w.set_map_range(Map::Cbf, 60.0, 0.0);
    assert_eq!(w.panels[0].window.width, 60.0, "an empty range is none");
    let mtt = w.panels[2].series;
    w.set_window(mtt, Window::from_range(2.0, 14.0));
    assert_eq!(w.flow().unwrap().range(Map::Mtt), Some([2.0, 14.0]));
    w.set_slot(w.panels[2].id, Slot::Map(Map::Tmax));
    w.set_slot(w.panels[2].id, Slot::Map(Map::Mtt));
    assert_eq!(w.panels[2].window, Window::from_range(2.0, 14.0), "the map keeps its range");
    w.usual_ranges();
    assert_eq!((w.panels[0].window.width, w.panels[2].window.width), (100.0, 10.0));
    w.set_map_colours(Colormap::Viridis);
    assert!(w.panels.iter().all(|p| p.colormap == Colormap::Viridis));
}

#[test]
fn an_artery_is_a_question_and_an_undo_asks_the_old_one() {
    let mut w = reading();
    assert!(w.flow_mut().unwrap().next_task(2).is_none(), "nothing has changed");
    let at = w.volume(S).unwrap().grid.centre_world();
    w.pick(Pick::Aif, at);
    let voxel = w.volume(S).unwrap().grid.voxel_at(at).unwrap();
    let task = w.flow_mut().unwrap().next_task(3).unwrap();
    assert_eq!(task.session.aif, Source::Point { voxel, radius_mm: 5.0 });
    // An older answer is no answer to it; the maps stay.
    w.take_findings(S, 2, Err("late".into()));
    assert!(w.flow().unwrap().computing() && w.flow().unwrap().failure.is_none());
    w.take_findings(S, 3, Err("No artery is near this point.".into()));
    assert!(w.flow().unwrap().failure.is_some() && w.flow().unwrap().findings.is_some());
    w.apply(Action::Undo);
    assert_eq!(w.flow_mut().unwrap().next_task(4).unwrap().session, Session::default());
    // Outside of the series there is nothing to pick.
    w.pick(Pick::Aif, DVec3::splat(1e6));
    assert!(w.flow_mut().unwrap().next_task(5).is_none());
}

#[test]
fn maps_before_the_estimate_of_motion_are_shown_and_the_answer_is_still_due() {
    let mut w = opened(dynamic());
    w.open_perfusion(S, Suggestion::default());
    for (map, series) in findings().maps {
        w.learn(series, derived(map));
    }
    w.flow_mut().unwrap().next_task(1);
    w.take_findings(S, 1, Ok(Findings { provisional: true, ..findings() }));
    assert_eq!((w.layout, w.flow().unwrap().computing()), (LayoutKind::Maps, true));
    w.take_findings(S, 1, Ok(findings()));
    let desk = w.flow().unwrap();
    assert_eq!((desk.computing(), desk.answers, desk.finished), (false, 2, 1));
}

#[test]
fn a_preview_shows_its_artery_until_the_answer_and_not_longer() {
    let artery = |peak| Vessel { peak, ..Vessel::default() };
    let peak = |w: &Workspace| w.flow().unwrap().findings.as_ref().unwrap().aif.peak;
    let mut w = reading();
    let answered = peak(&w);
    let mut asked = 1;
    let mut ask = |w: &mut Workspace| {
        let desk = w.flow_mut().unwrap();
        desk.ask_again();
        asked += 1;
        desk.next_task(asked);
        assert!(desk.previewed(asked, artery(400.0)) && desk.previewed && desk.computing());
        assert!(!desk.previewed(asked - 1, artery(7.0)), "an older question");
        asked
    };
    ask(&mut w);
    assert_eq!(peak(&w), 400.0);
    w.flow_mut().unwrap().cancel();
    assert_eq!((peak(&w), w.flow().unwrap().previewed), (answered, false));
    // A newer question leaves it there; when it fails, the last answer holds.
    ask(&mut w);
    let query = ask(&mut w);
    w.take_findings(S, query, Err("No artery is near this point.".into()));
    assert_eq!((peak(&w), w.flow().unwrap().previewed), (answered, false));
    let query = ask(&mut w);
    w.take_findings(S, query, Ok(Findings { aif: artery(500.0), ..findings() }));
    assert_eq!((peak(&w), w.flow().unwrap().previewed), (500.0, false));
    w.flow_mut().unwrap().cancel();
    assert_eq!(peak(&w), 500.0);
}

#[test]
fn the_overlay_belongs_to_the_step() {
    let mut w = reading();
    let desk = w.flow_mut().unwrap();
    assert_eq!(desk.overlay(Some(Map::Cbf)), None);
    desk.tissue_shown = true;
    let over = desk.overlay(Some(Map::Cbf)).unwrap();
    assert!(over.palette[CORE][3] > 0 && over.palette[PENUMBRA][3] > 0 && over.palette[MASK][3] == 0);
    assert_eq!(desk.overlay(None), None, "frames stay as they are");
    desk.step = Step::Mask;
    assert!(desk.overlay(Some(Map::Baseline)).unwrap().palette[MASK][3] > 0);
    desk.step = Step::Inputs;
    assert!(desk.overlay(Some(Map::Tmip)).unwrap().palette[ARTERY][3] > 0);
}

#[test]
fn maps_of_a_series_that_is_loaded_anew_are_gone_and_asked_for_again() {
    let mut w = reading();
    assert!(w.lose_maps(S));
    assert!(w.panels.iter().all(|p| p.series == S) && shown(&w) == ["Frames"]);
    assert!(w.flow_mut().unwrap().next_task(2).is_some());
    assert!(!w.lose_maps(S), "once");
}

#[test]
fn closing_shows_the_series_again() {
    let mut w = reading();
    w.close_perfusion();
    assert!(w.flow().is_none() && w.panels.iter().all(|p| p.series == S));
    assert_eq!(w.layout, LayoutKind::Planes);
    w.open_perfusion(S, Suggestion::default());
    assert_eq!(shown(&w), ["CBF", "CBV", "MTT", "TTP"], "as it was left");
}
