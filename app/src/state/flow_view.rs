//! What the reader set on the screen of a perfusion study, out for a report and in from one.
//!
//! Beside the desk, because it gathers what lies in three places: panels, desk and measurements.

use contract::perfusion::{Colours, DrawnRegion, Outline, View};
use protocol::SeriesId;
use protocol::perfusion::{Map, Slot};
use scene::measure::{Roi, RoiShape};
use scene::{Colormap, DVec3, Frame, Grid, Plane};

use super::measurement::Shape;
use super::perfusion::MOST_PINS;
use super::workspace::Workspace;

fn colours_of(colormap: Colormap) -> Colours {
    Colours::ALL.into_iter().find(|c| c.name() == colormap.name()).unwrap_or_default()
}

fn drawn(roi: &Roi, on: Slot) -> DrawnRegion {
    DrawnRegion {
        outline: match roi.shape {
            RoiShape::Rectangle => Outline::Rectangle,
            RoiShape::Ellipse => Outline::Ellipse,
        },
        centre_mm: roi.centre_world.to_array(),
        half_right_mm: roi.half_right_world.to_array(),
        half_down_mm: roi.half_down_world.to_array(),
        on,
    }
}

/// As it was drawn: the corners and the axes of its panel. `None` for a region without area.
fn shape_of(region: &DrawnRegion) -> Option<Shape> {
    let [centre, right, down] =
        [region.centre_mm, region.half_right_mm, region.half_down_mm].map(DVec3::from_array);
    let finite = [centre, right, down].iter().all(|v| v.is_finite());
    let (across, along) = (right.try_normalize()?, down.try_normalize()?);
    finite.then_some(Shape::Roi {
        shape: match region.outline {
            Outline::Rectangle => RoiShape::Rectangle,
            Outline::Ellipse => RoiShape::Ellipse,
        },
        corners: [centre - right - down, centre + right + down],
        right: across,
        down: along,
    })
}

/// The plane that a region lies in: that of the maps, unless another fits better.
fn plane_of(region: &DrawnRegion, grid: &Grid) -> Plane {
    let usual = if grid.frame == Frame::Image { Plane::Acquisition } else { Plane::Axial };
    let normal = DVec3::from_array(region.half_right_mm).cross(DVec3::from_array(region.half_down_mm));
    let fit = |plane: Plane| plane.world_from_plane(grid).z_axis.dot(normal.normalize_or_zero()).abs();
    let others = [Plane::Axial, Plane::Coronal, Plane::Sagittal, Plane::Acquisition];
    others.into_iter().fold(usual, |best, plane| if fit(plane) > fit(best) + 1e-3 { plane } else { best })
}

impl Workspace {
    /// The view of the study on the screen.
    pub fn flow_view(&self) -> Option<View> {
        let desk = self.flow()?;
        let slot_on = |series: SeriesId| match self.volumes.get(&series).and_then(|v| v.derived) {
            Some(derived) => Slot::Map(derived.what),
            None => Slot::Frames,
        };
        let mine = self.measurements.get().iter().filter(|m| self.root(m.series) == desk.series);
        let mut view = View {
            panels: desk.slots.to_vec(),
            colours: colours_of(desk.colormap),
            pins_mm: desk.pins.iter().map(|pin| pin.to_array()).collect(),
            regions: mine.filter_map(|m| Some(drawn(&m.shape.roi()?, slot_on(m.series)))).collect(),
            tissue_shown: desk.tissue_shown,
            midline_shown: desk.midline_shown,
            ..View::default()
        };
        for map in Map::ALL {
            if let Some(range) = view.ranges.of(map) {
                *range = desk.range(map);
            }
        }
        Some(view)
    }

    /// Takes the view of a saved report; what it does not say stays as it is. Regions that are there stay.
    pub fn take_flow_view(&mut self, view: &View) {
        let Some(desk) = self.flow_mut() else { return };
        for (own, saved) in desk.slots.iter_mut().zip(&view.panels) {
            *own = *saved;
        }
        desk.colormap = Colormap::parse(view.colours.name()).unwrap_or(desk.colormap);
        for map in Map::ALL {
            match view.range(map).filter(|range| Some(*range) != map.usual_range()) {
                Some(range) => desk.ranges.insert(map, range),
                None => desk.ranges.remove(&map),
            };
        }
        let pins = view.pins_mm.iter().map(|pin| DVec3::from_array(*pin)).filter(|pin| pin.is_finite());
        desk.pins = pins.take(MOST_PINS).collect();
        desk.tissue_shown = view.tissue_shown;
        desk.midline_shown = view.midline_shown;
        let series = desk.series;
        let on: Vec<SeriesId> =
            view.regions.iter().map(|region| desk.series_of(region.on).unwrap_or(series)).collect();
        let Some(grid) = self.volumes.get(&series).map(|v| v.grid.clone()) else { return };
        for (region, on) in view.regions.iter().zip(on) {
            let Some(shape) = shape_of(region) else { continue };
            if self.measurements.get().iter().any(|m| m.series == on && m.shape == shape) {
                continue;
            }
            self.add_measurement(on, plane_of(region, &grid), 0, shape);
        }
        self.selected = None;
        self.arrange_step();
        self.recolour();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::state::fixtures::{S, derived, dynamic, findings, opened};
    use crate::state::perfusion::Pick;
    use protocol::perfusion::Suggestion;
    use scene::Window;

    fn reading() -> Workspace {
        let mut w = opened(dynamic());
        w.open_perfusion(S, Suggestion::default());
        for (map, series) in findings().maps {
            w.learn(series, derived(map));
        }
        w.flow_mut().unwrap().next_task(1);
        w.take_findings(S, 1, Ok(findings()));
        w
    }

    #[test]
    fn a_view_is_the_same_on_a_fresh_page() {
        let mut w = reading();
        let centre = w.volume(S).unwrap().grid.centre_world();
        w.set_map_range(Map::Mtt, 2.0, 14.5);
        w.set_map_colours(Colormap::Viridis);
        w.set_slot(w.panels[3].id, Slot::Map(Map::Tmax));
        w.pick(Pick::Pin, centre);
        let roi = Shape::Roi {
            shape: RoiShape::Ellipse,
            corners: [centre - DVec3::new(4.0, 3.0, 0.0), centre + DVec3::new(4.0, 3.0, 0.0)],
            right: DVec3::X,
            down: DVec3::Y,
        };
        w.new_measurement(w.panels[0].id, roi).unwrap();
        w.flow_mut().unwrap().tissue_shown = true;
        let view = w.flow_view().unwrap();
        assert_eq!((view.pins_mm.len(), view.regions.len()), (1, 1));
        let saved: View = serde_json::from_str(&serde_json::to_string(&view).unwrap()).unwrap();

        let mut fresh = reading();
        assert_ne!(fresh.flow_view().unwrap(), saved);
        fresh.take_flow_view(&saved);
        assert_eq!(fresh.flow_view().unwrap(), view);
        // It is on the screen and not only on the desk.
        let shown: Vec<_> = fresh.panels.iter().filter_map(|p| fresh.slot_of(p.id)).map(Slot::name).collect();
        assert_eq!(shown, ["CBF", "CBV", "MTT", "Tmax"]);
        assert_eq!(fresh.panels[2].window, Window::from_range(2.0, 14.5));
        assert!(fresh.panels.iter().all(|p| p.colormap == Colormap::Viridis));
        let (here, there) = (&w.measurements.get()[0], &fresh.measurements.get()[0]);
        assert_eq!((here.series, here.plane, &here.shape), (there.series, there.plane, &there.shape));
        // Opened twice it is still one region.
        fresh.take_flow_view(&saved);
        assert_eq!(fresh.measurements.get().len(), 1);
        // A report that knows of no view changes none: an older one never comes here, an empty one is the usual view.
        fresh.take_flow_view(&View::default());
        let back = fresh.flow_view().unwrap();
        assert_eq!(back.range(Map::Mtt), Some([0.0, 10.0]));
        assert!(back.pins_mm.is_empty() && back.panels == view.panels);
    }

    #[test]
    fn every_table_of_colours_has_its_name_in_a_report() {
        for colormap in Colormap::ALL {
            assert_eq!(Colormap::parse(colours_of(colormap).name()), Some(colormap));
        }
    }
}
