//! Drop, look, scroll, window, on every drawing path; the paths give the same picture.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use e2e::{Bench, Button, Key, Options, Picture, study};
use phantom::SyntheticSpec;
use phantom::synthetic::Fill;
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit, Plane, View, Viewport, VoiFunction, Window};

const PANELS: [&str; 3] = ["panel-axial", "panel-coronal", "panel-sagittal"];

fn pictures(b: &Bench) -> Vec<Picture> {
    PANELS.iter().map(|p| b.picture(p).unwrap()).collect()
}

fn grid(spec: &SyntheticSpec) -> Grid {
    let axes = spec.axes();
    let m = DMat3::from_cols(
        axes[0] * spec.spacing_mm[0],
        axes[1] * spec.spacing_mm[1],
        axes[2] * spec.spacing_mm[2],
    );
    let m = DAffine3::from_mat3_translation(m, DVec3::from(spec.origin_mm));
    Grid::new(spec.dims, m, LengthUnit::Millimetre, Frame::Patient).unwrap()
}

/// The picture by the plainest route: for each pixel, the voxel it falls on, its value by the formula of the
/// study, the window by PS3.3 C.11.2. Pixels near a voxel's face may fall to either side and are left out.
fn compare_with_truth(b: &Bench, spec: &SyntheticSpec) {
    let grid = grid(spec);
    let Fill::Ramp { base, per } = spec.fill else { panic!("a ramp is needed") };
    for (name, plane) in PANELS.into_iter().zip([Plane::Axial, Plane::Coronal, Plane::Sagittal]) {
        let picture = b.picture(name).unwrap();
        let viewport = Viewport { width_px: picture.width as u32, height_px: picture.height as u32 };
        let mut view = View::fit(plane, &grid, viewport);
        let slice = b.number(name, "slice").unwrap();
        view.step_slices(&grid, -1e6);
        view.step_slices(&grid, slice - 1.0);
        let shown = b.number(name, "world-per-px").unwrap();
        assert!(
            (shown / view.world_per_px - 1.0).abs() < 1e-3,
            "{name}: {shown} mm per pixel, fitted {}",
            view.world_per_px
        );
        let center = b.number(name, "window-center").unwrap();
        let width = b.number(name, "window-width").unwrap();
        let window = Window { center, width, function: VoiFunction::Linear };
        let voxel_from_screen = view.voxel_from_screen(&grid, viewport);
        // A panel may begin within a pixel of the screen, and its picture is cut at whole ones.
        let step = voxel_from_screen.matrix3;
        let margin = (step.x_axis.abs() + step.y_axis.abs()) * 0.75 + DVec3::splat(0.01);
        let (mut compared, mut worst) = (0, (0.0, 0, 0, 0.0));
        for y in 0..picture.height {
            for x in 0..picture.width {
                let v = voxel_from_screen.transform_point3(DVec3::new(x as f64 + 0.5, y as f64 + 0.5, 0.0));
                let near = v.round();
                let on_face = |i: usize| (v[i] - near[i]).abs() > 0.5 - margin[i];
                let inside = (0..3).all(|i| near[i] >= 0.0 && near[i] < f64::from(spec.dims[i]));
                let in_plane = (0..3).filter(|i| per[*i] != 0.0).any(on_face);
                let marked = spec.marks.iter().any(|m| match m {
                    phantom::Mark::Box { from, to, .. } => (0..3)
                        .all(|i| near[i] >= f64::from(from[i]) - 1.0 && near[i] <= f64::from(to[i]) + 1.0),
                    phantom::Mark::Voxel { .. } => false,
                });
                if !inside || in_plane || marked {
                    continue;
                }
                let value = base + per[0] * near.x + per[1] * near.y + per[2] * near.z;
                let want = 255.0 * window.apply(value);
                let off = (picture.grey(x, y) - want).abs();
                compared += 1;
                if off > worst.0 {
                    worst = (off, x, y, want);
                }
            }
        }
        assert!(compared > 5_000, "{name}: only {compared} pixels could be compared");
        assert!(
            worst.0 <= 1.0,
            "{name}: pixel ({}, {}) is off by {} levels from {}",
            worst.1,
            worst.2,
            worst.0,
            worst.3
        );
    }
}

/// A person's first minute with a study. Returns the pictures as opened and after turning, flipping and zooming.
fn first_minute(b: &Bench, query: &str, backend: &str) -> Vec<Picture> {
    assert_eq!(b.open_ready(query).unwrap(), backend, "{query}");
    let spec = study::ramp("ramp");
    let paths = b.write_series(&spec).unwrap();
    b.open_study(&paths).unwrap();
    assert_eq!(b.ledger().unwrap(), [20, 20, 0, 0]);
    b.keys(&[Key::Char('g'), Key::Char('o')]).unwrap();
    let mut all = pictures(b);
    for (name, picture) in PANELS.iter().zip(&all) {
        assert!(picture.distinct() > 60, "{backend}: {name} has {} greys", picture.distinct());
    }
    // Sharp voxels: now the formula says what each pixel is.
    b.click_at(b.rect("panel-axial").unwrap().at(0.5, 0.5)).unwrap();
    let focus = |panel: &str| {
        b.driver().run("document.querySelector(arguments[0]).focus()", &[Bench::id(panel).into()]).map(drop)
    };
    for panel in PANELS {
        focus(panel).unwrap();
        b.keys(&[Key::Char('n')]).unwrap();
    }
    println!("{backend}: against the formula");
    compare_with_truth(b, &spec);
    for panel in PANELS {
        focus(panel).unwrap();
        b.keys(&[Key::Char('n')]).unwrap();
    }

    // Wheel and keys: slices.
    let axial = b.rect("panel-axial").unwrap();
    let slice = || b.number("panel-axial", "slice").unwrap();
    assert_eq!(b.number("panel-axial", "slices").unwrap(), 20.0);
    focus("panel-axial").unwrap();
    b.keys(&[Key::Home]).unwrap();
    assert_eq!(slice(), 1.0);
    let first = b.picture("panel-axial").unwrap();
    b.wheel(axial.at(0.5, 0.5), 3).unwrap();
    b.settle().unwrap();
    assert_eq!(slice(), 4.0);
    let fourth = b.picture("panel-axial").unwrap();
    assert!(
        first.difference(&fourth).is_some_and(|d| d.levels > 5),
        "the picture stayed when the slice changed"
    );
    b.keys(&[Key::Up]).unwrap();
    assert_eq!(slice(), 3.0);
    b.keys(&[Key::End]).unwrap();
    assert_eq!(slice(), 20.0);
    b.wheel(axial.at(0.5, 0.5), 5).unwrap();
    b.settle().unwrap();
    assert_eq!(slice(), 20.0, "past the end");

    // Window: right widens, down raises the level.
    let window = || {
        (b.number("panel-axial", "window-center").unwrap(), b.number("panel-axial", "window-width").unwrap())
    };
    let before = window();
    assert_eq!(before, (40.0, 800.0), "the header's window");
    b.keys(&[Key::Char('w')]).unwrap();
    b.drag(Button::Left, axial.at(0.4, 0.5), axial.at(0.6, 0.5)).unwrap();
    b.settle().unwrap();
    let wider = window();
    assert!(wider.1 > before.1 && wider.0 == before.0, "{before:?} became {wider:?}");
    b.drag(Button::Left, axial.at(0.5, 0.4), axial.at(0.5, 0.6)).unwrap();
    b.settle().unwrap();
    let level = window();
    assert!(level.0 != wider.0 && level.1 == wider.1, "{wider:?} became {level:?}");

    // Zoom with the right button, pan with the middle one.
    let zoom = b.number("panel-axial", "world-per-px").unwrap();
    b.drag(Button::Right, axial.at(0.5, 0.4), axial.at(0.5, 0.6)).unwrap();
    b.settle().unwrap();
    assert!(b.number("panel-axial", "world-per-px").unwrap() != zoom);
    let here = b.picture("panel-axial").unwrap();
    b.drag(Button::Middle, axial.at(0.5, 0.5), axial.at(0.6, 0.5)).unwrap();
    b.settle().unwrap();
    assert!(
        here.difference(&b.picture("panel-axial").unwrap()).is_some_and(|d| d.levels > 5),
        "panning moved nothing"
    );

    // Back to the start, then the same known state on every path.
    b.keys(&[Key::Char(' '), Key::Char('r'), Key::Char('v'), Key::Char('+'), Key::Char('+'), Key::Char('i')])
        .unwrap();
    assert_eq!(b.attribute("panel-axial", "data-invert").unwrap().as_deref(), Some("true"));
    all.push(b.picture("panel-axial").unwrap());
    b.keys(&[Key::Char(' '), Key::Char(']'), Key::Char(']'), Key::Char(']')]).unwrap();
    all.push(b.picture("panel-axial").unwrap());
    b.expect_calm().unwrap();
    // What was switched off stays off for the next visit; each path begins like the first.
    b.keys(&[Key::Char('o')]).unwrap();
    all
}

#[test]
fn three_paths_one_picture() {
    let b = Bench::start(Options::default()).unwrap();
    let paths = ["webgpu", "webgl2", "cpu"].map(|p| (p, first_minute(&b, &format!("?backend={p}"), p)));
    let names = ["axial", "coronal", "sagittal", "turned, flipped, zoomed, inverted", "slab"];
    for i in 0..paths.len() {
        for j in i + 1..paths.len() {
            for (k, name) in names.iter().enumerate() {
                let (a, b) = (&paths[i].1[k], &paths[j].1[k]);
                let difference = a.difference(b).expect("the panels have the same size");
                assert!(difference.levels <= 1, "{} and {}: {name}: {difference:?}", paths[i].0, paths[j].0);
            }
        }
    }
}

/// A CPU that plays a GPU is slower than the CPU (docs/decisions/0005-software-adapters-are-passed-over.md).
#[test]
fn software_adapters_are_passed_over_and_told() {
    for (webgpu, query, want, told) in [
        (true, "", "cpu", &["WebGPU: ", "WebGL2 + CPU: "][..]),
        (false, "", "cpu", &["WebGL2 + CPU: "][..]),
        // What was asked for is not there; what is left is software.
        (false, "?backend=webgpu", "cpu", &["WebGL2 + CPU: "][..]),
        (false, "?backend=webgl2", "webgl2", &[][..]),
        (true, "?backend=webgpu", "webgpu", &[][..]),
    ] {
        let b = Bench::start(Options { webgpu, ..Options::default() }).unwrap();
        assert_eq!(b.open_ready(query).unwrap(), want, "WebGPU: {webgpu}, {query}");
        let title = b.attribute("backend-badge", "title").unwrap().unwrap_or_default().to_lowercase();
        let lines: Vec<_> =
            title.lines().filter(|l| l.ends_with("is a software adapter: the cpu draws faster")).collect();
        assert_eq!(lines.len(), told.len(), "{title}");
        for (line, name) in lines.iter().zip(told) {
            assert!(line.starts_with(&format!("not used: {name}").to_lowercase()), "{title}");
            assert!(line.contains("swiftshader"), "{title}");
        }
        b.open_study(&b.write_series(&study::ramp("ramp")).unwrap()).unwrap();
        b.keys(&[Key::Char('g'), Key::Char('o')]).unwrap();
        for picture in pictures(&b) {
            assert!(picture.distinct() > 60);
        }
        if want == "cpu" {
            // There is no GPU to check, and the page does not say that one agrees.
            b.click("backend-badge").unwrap();
            b.wait_visible("self-check").unwrap();
            let done = "document.querySelectorAll('[data-testid=self-check-row]').length > 1 && !document.querySelector('[data-testid=self-check] button.button:disabled')";
            b.wait_for("the self-check to end", Duration::from_secs(30), done).unwrap();
            let text = b.text("self-check").unwrap();
            assert!(text.contains("No GPU is used here"), "{text}");
            assert!(!text.contains("agrees"), "{text}");
        }
        b.expect_calm().unwrap();
    }
}
