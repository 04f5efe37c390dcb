//! Lengths on the screen are lengths in the patient, in every plane of every orientation.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use e2e::{Bench, Button, Key, Options};
use phantom::synthetic::Fill;
use phantom::{Mark, SyntheticSpec};

/// Marks sit at the same distance from both ends of each axis, so that they are on slice `index + 1` from
/// whichever end slices are counted.
const LOW: [u32; 3] = [3, 4, 5];
const DIMS: [u32; 3] = [22, 23, 30];
const SPACING_MM: [f64; 3] = [0.75, 2.5, 7.25];

fn spec(name: &str, orientation: [f64; 6], along_normal: bool) -> SyntheticSpec {
    let high: [u32; 3] = std::array::from_fn(|i| DIMS[i] - 1 - LOW[i]);
    let corners = (0..8u32).map(|bits| Mark::Voxel {
        at: std::array::from_fn(|i| if bits >> i & 1 == 1 { high[i] } else { LOW[i] }),
        value: 1000.0,
    });
    SyntheticSpec {
        name: name.into(),
        dims: DIMS,
        spacing_mm: SPACING_MM,
        orientation,
        along_normal,
        origin_mm: [12.5, -31.0, 44.0],
        fill: Fill::Constant(0.0),
        marks: corners.collect(),
        window: Some((600.0, 1000.0)),
        shuffled: true,
        ..SyntheticSpec::default()
    }
}

/// Distance between the marks along each index axis.
fn sides_mm() -> [f64; 3] {
    std::array::from_fn(|i| f64::from(DIMS[i] - 1 - 2 * LOW[i]) * SPACING_MM[i])
}

/// Finds the four marks of a slice in the picture and measures their sides and diagonals with the length tool.
fn measure_rectangle(b: &Bench, panel: &str, normal_axis: usize, name: &str) {
    b.driver().run("document.querySelector(arguments[0]).focus()", &[Bench::id(panel).into()]).unwrap();
    b.keys(&[Key::Home]).unwrap();
    let steps = vec![Key::Down; LOW[normal_axis] as usize];
    b.keys(&steps).unwrap();
    assert_eq!(b.number(panel, "slices").unwrap(), f64::from(DIMS[normal_axis]), "{name} {panel}: slices");
    b.keys(&[Key::Char('o')]).unwrap();
    let spots = b.picture(panel).unwrap().spots(40.0);
    b.keys(&[Key::Char('o'), Key::Char('l')]).unwrap();
    assert_eq!(spots.len(), 4, "{name} {panel}: {spots:?}");

    let rect = b.rect(panel).unwrap();
    let (left, top) = (rect.x.ceil(), rect.y.ceil());
    let [u, v] = [0, 1, 2].into_iter().filter(|a| *a != normal_axis).collect::<Vec<_>>()[..] else {
        panic!()
    };
    let (su, sv) = (sides_mm()[u], sides_mm()[v]);
    let mut want = vec![su, su, sv, sv, su.hypot(sv), su.hypot(sv)];
    want.sort_by(f64::total_cmp);
    let mut got = Vec::new();
    for i in 0..4 {
        for j in i + 1..4 {
            let (p, q) = (spots[i], spots[j]);
            let from = ((left + p.0).round() as i64, (top + p.1).round() as i64);
            let to = ((left + q.0).round() as i64, (top + q.1).round() as i64);
            b.drag(Button::Left, from, to).unwrap();
            b.settle().unwrap();
            let unit = b.attribute("measurement", "data-unit").unwrap();
            assert_eq!(unit.as_deref(), Some("mm"), "{name} {panel}");
            let shown = b.number("measurement", "value").unwrap();
            // The pointer sits on whole pixels, the marks do not: the tool's own scale carries the rest.
            let drawn_px = ((to.0 - from.0) as f64).hypot((to.1 - from.1) as f64);
            let true_px = (q.0 - p.0).hypot(q.1 - p.1);
            got.push(shown * true_px / drawn_px);
            b.keys(&[Key::Delete]).unwrap();
            assert_eq!(b.count("measurement").unwrap(), 0, "{name} {panel}: deleting");
        }
    }
    got.sort_by(f64::total_cmp);
    for (g, w) in got.iter().zip(&want) {
        assert!(
            (g - w).abs() <= 0.1,
            "{name} {panel}: measured {g:.3} mm, true {w:.3} mm\nall: {got:?}\ntruth: {want:?}"
        );
    }
}

struct Case {
    name: &'static str,
    /// Directions of row and column.
    orientation: [f64; 6],
    along_normal: bool,
    /// Which index axis is normal to axial, coronal, sagittal.
    normal_axes: [Option<usize>; 3],
}

#[test]
fn lengths_are_true_in_every_plane() {
    let b = Bench::start(Options::default()).unwrap();
    let (s, c) = 0.35f64.sin_cos();
    let case =
        |name, orientation, along_normal, normal_axes| Case { name, orientation, along_normal, normal_axes };
    let cases = [
        case("sagittal", [0.0, 1.0, 0.0, 0.0, 0.0, -1.0], true, [Some(1), Some(0), Some(2)]),
        case("coronal", [1.0, 0.0, 0.0, 0.0, 0.0, -1.0], false, [Some(1), Some(2), Some(0)]),
        case("axial from the head", [-1.0, 0.0, 0.0, 0.0, 1.0, 0.0], true, [Some(2), Some(1), Some(0)]),
        // Turned about the body axis: only the axial plane still holds four marks.
        case("oblique", [c, s, 0.0, -s, c, 0.0], true, [Some(2), None, None]),
    ];
    for Case { name, orientation, along_normal, normal_axes } in cases {
        b.open_ready("").unwrap();
        let paths = b.write_series(&spec(name, orientation, along_normal)).unwrap();
        b.open_study(&paths).unwrap();
        assert_eq!(b.ledger().unwrap(), [30, 30, 0, 0]);
        b.keys(&[Key::Char('g')]).unwrap();
        for (panel, axis) in ["panel-axial", "panel-coronal", "panel-sagittal"].into_iter().zip(normal_axes) {
            if let Some(axis) = axis {
                measure_rectangle(&b, panel, axis, name);
            }
        }
    }
    b.expect_calm().unwrap();
}
