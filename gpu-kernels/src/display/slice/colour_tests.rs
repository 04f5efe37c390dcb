//! Tables of colours: the twin against the definition, and the comparison by level against planted faults.

use std::sync::Arc;

use scene::Colormap;

use super::check::{by_level, draw_on_cpu};
use super::{Case, TOLERANCE, cases};
use crate::compare::compare_bytes;

fn named(name: &str) -> Case {
    cases().into_iter().find(|case| case.name == name).unwrap()
}

/// Level by level the picture without the table, and background where there is no value.
#[test]
fn a_mapped_picture_is_the_grey_one_through_the_table() {
    for (name, map) in [
        ("ASIST Linear", Colormap::Asist),
        ("Viridis Nearest", Colormap::Viridis),
        ("colours, inverted", Colormap::Asist),
        ("masked floats in colour, 0", Colormap::Viridis),
        ("padding in colour", Colormap::Viridis),
    ] {
        let case = named(name);
        let mut grey = case.clone();
        grey.panels.iter_mut().for_each(|panel| panel.colours = None);
        // Black of a measurement and black of none: told apart by a second table.
        let mut second = case.clone();
        second.panels.iter_mut().for_each(|panel| panel.colours = Some(Arc::new([[7, 8, 9]; 256])));
        let (mapped, grey, second) = (draw_on_cpu(&case), draw_on_cpu(&grey), draw_on_cpu(&second));
        let (mut measured, mut empty) = (0, 0);
        for ((mapped, grey), second) in mapped.chunks(4).zip(grey.chunks(4)).zip(second.chunks(4)) {
            if second[..3] == [7, 8, 9] {
                measured += 1;
                assert_eq!(mapped[..3], map.colour(grey[0]), "{name}");
            } else {
                empty += 1;
                assert_eq!(mapped, grey, "{name}");
            }
        }
        assert!(measured > 100 && empty > 50, "{name}: {measured} pixels with a value, {empty} without");
    }
}

#[test]
fn a_wrong_table_is_noticed_and_a_neighbouring_level_is_not() {
    for name in ["ASIST Linear", "masked floats in colour, 0", "colours under an overlay"] {
        let case = named(name);
        let want = draw_on_cpu(&case);
        let judged = |got: &[u8]| compare_bytes(name, &TOLERANCE, &by_level(&case, got, &want), &want);
        assert!(judged(&want).is_ok());
        let with = |colour: &dyn Fn(usize) -> [u8; 3]| {
            let mut other = case.clone();
            for panel in &mut other.panels {
                panel.colours = Some(Arc::new(std::array::from_fn(colour)));
            }
            draw_on_cpu(&other)
        };
        let map = if name.starts_with("masked") { Colormap::Viridis } else { Colormap::Asist }.table();
        assert!(judged(&with(&|level| map[level.saturating_sub(1)])).is_ok(), "{name}: one level");
        assert!(judged(&with(&|level| map[level.saturating_sub(4)])).is_err(), "{name}: four levels");
        assert!(judged(&with(&|level| [level as u8; 3])).is_err(), "{name}: grey");
        assert!(
            judged(&with(&|level| [map[level][2], map[level][1], map[level][0]])).is_err(),
            "{name}: BGR"
        );
        // What the mask leaves out is painted with the first colour.
        let mut filled = want.clone();
        for pixel in filled.as_chunks_mut::<4>().0.iter_mut().filter(|p| p[..] == [0, 0, 0, 255]) {
            pixel[..3].copy_from_slice(&[68, 1, 84]);
        }
        assert!(judged(&filled).is_err(), "{name}: a painted background");
    }
}
