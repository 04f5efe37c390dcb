//! Which panels of a picture have to be drawn anew.
//!
//! The CPU twin takes a second for a maximum over a whole volume, and a reader who scrolls one panel must not wait
//! for another that stays as it is. Everything that decides a panel's pixels is kept with the picture and compared:
//! nobody has to remember to report a change.

use super::{PanelDraw, PanelRect};

/// The voxels and labels behind a panel, by numbers that change when they do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source {
    /// Which series, by a number that is never reused.
    pub series: u32,
    /// Which time point.
    pub time_index: u32,
    /// How many of its slices have arrived. Slices come and never change.
    pub slices: usize,
    /// Counts up when the voxels are replaced by others.
    pub epoch: u32,
    /// [`crate::Labels::revision`]; 0 where there are none.
    pub labels: u64,
}

/// What a picture shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shown {
    /// Columns and rows.
    pub size_px: [u32; 2],
    /// From the lowest to the topmost.
    pub panels: Vec<(PanelDraw, Source)>,
}

/// What makes one picture into another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Redraw {
    /// Begin with an empty picture.
    All,
    /// Draw these panels of the new one over the old one, in this order.
    Some(Vec<usize>),
}

impl Shown {
    /// What has to be drawn when this is on the picture and `next` shall be.
    pub fn redraw(&self, next: &Self) -> Redraw {
        let rects = |shown: &Self| shown.panels.iter().map(|(panel, _)| panel.rect).collect::<Vec<_>>();
        // What a panel leaves free is background again.
        if self.size_px != next.size_px || rects(self) != rects(next) {
            return Redraw::All;
        }
        let mut stale: Vec<usize> = Vec::new();
        for (i, (old, new)) in self.panels.iter().zip(&next.panels).enumerate() {
            let covered = stale.iter().any(|below| overlap(&next.panels[*below].0.rect, &new.0.rect));
            if covered || !same_pixels(old, new) {
                stale.push(i);
            }
        }
        Redraw::Some(stale)
    }
}

/// Labels show through an overlay only.
fn same_pixels((old, from): &(PanelDraw, Source), (new, to): &(PanelDraw, Source)) -> bool {
    let labels = if new.overlay.is_some() { to.labels } else { from.labels };
    old == new && *from == Source { labels, ..*to }
}

fn overlap(a: &PanelRect, b: &PanelRect) -> bool {
    let meets = |a: u32, a_length: u32, b: u32, b_length: u32| {
        a < b.saturating_add(b_length) && b < a.saturating_add(a_length)
    };
    meets(a.x_px, a.width_px, b.x_px, b.width_px) && meets(a.y_px, a.height_px, b.y_px, b.height_px)
}

#[cfg(test)]
mod tests {
    use imaging::{Volume, Voxels};
    use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit, Plane, Slab, SlabMode, View};
    use scene::{VoiFunction, Window};

    use super::*;
    use crate::display::slice::{COLOURS, OverlayDraw, cpu};
    use crate::{ArrivedSlices, Labels};

    const DIMS: [u32; 3] = [13, 11, 9];
    const WINDOW: Window = Window { center: 500.0, width: 1000.0, function: VoiFunction::Linear };

    /// A small engine: one series whose slices arrive, three panels, the topmost over a corner of the first.
    struct Desk {
        volume: Volume,
        placed: u32,
        epoch: u32,
        labels: Option<Labels>,
        size_px: [u32; 2],
        panels: Vec<(PanelRect, View, Window, bool)>,
    }

    impl Desk {
        fn new() -> Self {
            let placed = DAffine3::from_mat3(DMat3::from_diagonal(DVec3::new(1.0, 1.5, 2.0)));
            let grid = Grid::new(DIMS, placed, LengthUnit::Millimetre, Frame::Patient).unwrap();
            let voxels = (0..DIMS.iter().product::<u32>()).map(|i| (i * 7919 % 1000) as i16).collect();
            let volume = Volume::new(Voxels::I16(voxels), grid);
            let panels = [(0, 0, Plane::Axial), (24, 0, Plane::Sagittal), (16, 10, Plane::Coronal)]
                .map(|(x_px, y_px, plane)| {
                    let rect = PanelRect { x_px, y_px, width_px: 22, height_px: 18 };
                    let mut view = View::fit(plane, &volume.grid, rect.viewport());
                    if plane == Plane::Sagittal {
                        view.slab = Slab { thickness: 1e9, mode: SlabMode::Mip };
                    }
                    (rect, view, WINDOW, plane != Plane::Axial)
                })
                .to_vec();
            Self { volume, placed: 4, epoch: 0, labels: None, size_px: [50, 30], panels }
        }

        fn next(&self) -> Shown {
            let labels = self.labels.as_ref().map_or(0, Labels::revision);
            let source =
                Source { series: 3, time_index: 0, slices: self.placed as usize, epoch: self.epoch, labels };
            let marks =
                OverlayDraw { lowest: 300.0, ..OverlayDraw::everything([[9, 90, 200, 180]; COLOURS]) };
            let panels = self.panels.iter().map(|(rect, view, window, has_overlay)| {
                let mut draw =
                    PanelDraw::of_view(view, &self.volume.grid, &self.volume, *rect, *window, false);
                draw.overlay = has_overlay.then(|| marks.clone());
                if let (Some(overlay), true) = (&mut draw.overlay, self.labels.is_some()) {
                    overlay.palette[0][3] = 0;
                }
                (draw, source)
            });
            Shown { size_px: self.size_px, panels: panels.collect() }
        }

        fn draw(&self, next: &Shown, redraw: Redraw, pixels: &mut Vec<u8>) {
            let [width_px, height_px] = self.size_px;
            let stale = match redraw {
                Redraw::Some(stale) => stale,
                Redraw::All => {
                    *pixels = [0, 0, 0, 255].repeat((width_px * height_px) as usize);
                    (0..next.panels.len()).collect()
                }
            };
            let mut arrived = ArrivedSlices::none(DIMS[2]);
            (0..self.placed).for_each(|z| arrived.mark(z));
            let stride_bytes = width_px as usize * 4;
            let mut picture = cpu::Picture { pixels, width_px, height_px, stride_bytes };
            for i in stale {
                cpu::draw(&next.panels[i].0, &self.volume, 0, &arrived, self.labels.as_ref(), &mut picture);
            }
        }

        /// Something that a reader or a loader does, and what of the three panels it touches.
        fn change(&mut self, step: u32) -> &'static str {
            let grid = self.volume.grid.clone();
            let panel = (step / 13 % 3) as usize;
            match step % 13 {
                0 | 1 => self.panels[panel].1.step_slices(&grid, if step & 4 == 0 { 1.0 } else { -1.0 }),
                2 => self.panels[panel].2.width += 50.0,
                3 => self.placed = (self.placed + 1).min(DIMS[2]),
                4 => self.panels[panel].3 ^= true,
                5 | 6 => {
                    let slice = (0..DIMS[0] * DIMS[1]).map(|i| (i * step % 5 % 3) as u8).collect();
                    let labels = self.labels.get_or_insert_with(|| Labels::new(DIMS));
                    labels.replace(step % DIMS[2], slice).unwrap();
                }
                7 if step & 3 == 0 => self.labels = None,
                8 if step & 3 == 1 => self.size_px[0] = 50 + step % 7,
                9 if step & 3 == 2 => self.panels[panel].0.x_px ^= 1,
                10 if step & 3 == 1 => {
                    self.panels.pop();
                }
                11 if self.panels.len() < 3 => self.panels = Self::new().panels,
                9 if step & 3 == 3 => {
                    // Computed anew on the same grid.
                    let voxels = (0..DIMS.iter().product::<u32>()).map(|i| ((i * 7919 + step) % 1000) as i16);
                    self.volume.voxels = Voxels::I16(voxels.collect());
                    self.epoch += 1;
                }
                12 => return "nothing",
                _ => self.panels[0].1.world_per_px *= 1.01,
            }
            "something"
        }
    }

    /// Plays changes; the number of pictures that differ from one drawn from nothing, and of panels spared.
    fn play(forget: impl Fn(&mut Shown)) -> (usize, usize) {
        let mut desk = Desk::new();
        let (mut shown, mut pixels) = (Shown::default(), Vec::new());
        let (mut wrong, mut spared) = (0, 0);
        for step in 0..400u32 {
            let changed = if step == 0 { "everything" } else { desk.change(step) };
            desk.panels.truncate(3);
            let full = desk.next();
            let mut next = full.clone();
            forget(&mut next);
            let redraw = shown.redraw(&next);
            if let Redraw::Some(stale) = &redraw {
                spared += full.panels.len() - stale.len();
                assert!(changed != "nothing" || stale.is_empty(), "step {step}: {stale:?}");
            }
            desk.draw(&full, redraw, &mut pixels);
            shown = next;
            let mut want = Vec::new();
            desk.draw(&full, Redraw::All, &mut want);
            wrong += usize::from(pixels != want);
        }
        (wrong, spared)
    }

    type Forgetful = (&'static str, fn(&mut Shown));

    #[test]
    fn a_picture_drawn_in_part_is_the_picture_drawn_as_a_whole() {
        let (wrong, spared) = play(|_| {});
        assert_eq!(wrong, 0);
        assert!(spared > 400, "{spared} panels spared");
        // Planted: each thing that may change, forgotten.
        let forgetful: [Forgetful; 6] = [
            ("voxels", |shown| shown.panels.iter_mut().for_each(|(_, source)| source.epoch = 0)),
            ("labels", |shown| shown.panels.iter_mut().for_each(|(_, source)| source.labels = 0)),
            ("slices", |shown| shown.panels.iter_mut().for_each(|(_, source)| source.slices = 0)),
            ("overlay", |shown| shown.panels.iter_mut().for_each(|(panel, _)| panel.overlay = None)),
            ("size", |shown| shown.size_px = [0, 0]),
            ("place", |shown| {
                shown.panels.iter_mut().for_each(|(panel, _)| {
                    (panel.rect.x_px, panel.rect.y_px) = (0, 0);
                });
            }),
        ];
        for (what, forget) in forgetful {
            assert!(play(forget).0 > 0, "nobody noticed that {what} were forgotten");
        }
    }

    #[test]
    fn scrolling_one_panel_spares_the_maximum_in_another() {
        let mut desk = Desk::new();
        let before = desk.next();
        assert_eq!(Shown::default().redraw(&before), Redraw::All);
        assert_eq!(before.redraw(&before), Redraw::Some(vec![]));
        // The third panel lies over a corner of the first two.
        desk.panels[0].1.step_slices(&desk.volume.grid, 1.0);
        assert_eq!(before.redraw(&desk.next()), Redraw::Some(vec![0, 2]));
        let before = desk.next();
        desk.panels[2].1.step_slices(&desk.volume.grid, 1.0);
        assert_eq!(before.redraw(&desk.next()), Redraw::Some(vec![2]));
        // Labels touch the panels that show them.
        let before = desk.next();
        let mut after = desk.next();
        after.panels.iter_mut().for_each(|(_, source)| source.labels += 1);
        assert_eq!(before.redraw(&after), Redraw::Some(vec![1, 2]));
        // Another series behind the same view.
        after = before.clone();
        after.panels[1].1.series += 1;
        assert_eq!(before.redraw(&after), Redraw::Some(vec![1, 2]));
    }
}
