//! Samples, large pictures, bad files, and stopping.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;
use std::time::Duration;

use e2e::{Bench, Key, Options, study};
use phantom::SyntheticSpec;

fn samples(b: &Bench) {
    b.open_ready("").unwrap();
    b.click("sample-cardiac").unwrap();
    b.loaded().unwrap();
    assert_eq!(b.count("series-row").unwrap(), 1);
    assert_eq!(b.ledger().unwrap()[2..], [0, 0]);
    b.keys(&[Key::Char('g'), Key::Char('o')]).unwrap();
    assert_eq!(b.number("panel-axial", "slices").unwrap(), 44.0);
    assert!(b.picture("panel-axial").unwrap().distinct() > 100);

    b.open_ready("").unwrap();
    b.click("sample-perfusion").unwrap();
    // A study over time is read as maps; here it is looked at frame by frame.
    b.wait_visible("perfusion-panel").unwrap();
    b.click("perfusion-close").unwrap();
    b.loaded().unwrap();
    b.keys(&[Key::Char('g'), Key::Char('o')]).unwrap();
    assert_eq!(b.number("panel-axial", "slices").unwrap(), 8.0);
    assert_eq!(b.ledger().unwrap(), [360, 360, 0, 0], "every instance of a 4D series is used");
    assert_eq!(b.number("panel-axial", "time").unwrap(), 0.0);
    let before = b.picture("panel-axial").unwrap();
    // The bolus is at its peak 12.5 s after the start.
    b.keys(&[Key::Char('.'); 13]).unwrap();
    assert_eq!(b.number("panel-axial", "time").unwrap(), 13.0);
    let peak = b.picture("panel-axial").unwrap();
    let brighter = before.difference(&peak).expect("same size");
    assert!(brighter.levels > 100, "the arteries do not enhance: {brighter:?}");
    // Time and slices are two axes.
    let slice = b.number("panel-axial", "slice").unwrap();
    b.keys(&[Key::Down]).unwrap();
    assert_eq!(b.number("panel-axial", "time").unwrap(), 13.0);
    assert_eq!(b.number("panel-axial", "slice").unwrap(), slice + 1.0);
    b.keys(&[Key::Up, Key::Char(',')]).unwrap();
    assert_eq!(b.number("panel-axial", "time").unwrap(), 12.0);
}

fn mammogram(b: &Bench, backend: &str) {
    assert_eq!(b.open_ready(&format!("?backend={backend}")).unwrap(), backend);
    let spec = study::mammogram();
    b.open_study(&b.write_series(&spec).unwrap()).unwrap();
    b.keys(&[Key::Char('d'), Key::Char('o')]).unwrap();
    assert_eq!(b.ledger().unwrap(), [1, 1, 0, 0]);
    let picture = b.picture("panel-acquisition").unwrap();
    let mm_per_px = b.number("panel-acquisition", "world-per-px").unwrap();
    // The marked square is the darkest of the picture (MONOCHROME1) and lies where the header says.
    let at = |column: f64, row: f64| {
        let from_middle =
            |v: f64, n: u32, spacing: f64| (v - (f64::from(n) - 1.0) / 2.0) * spacing / mm_per_px;
        let x = picture.width as f64 / 2.0 + from_middle(column, spec.dims[0], spec.spacing_mm[0]);
        let y = picture.height as f64 / 2.0 + from_middle(row, spec.dims[1], spec.spacing_mm[1]);
        picture.grey(x as usize, y as usize)
    };
    for (column, row) in [(220.0, 320.0), (580.0, 320.0), (220.0, 680.0), (580.0, 680.0)] {
        assert!(
            at(column, row) < 3.0,
            "{backend}: the square at ({column}, {row}) has grey {}",
            at(column, row)
        );
    }
    for (column, row) in [(150.0, 500.0), (650.0, 500.0), (400.0, 250.0), (400.0, 750.0)] {
        let want = 255.0 * (1.0 - (0.8 * column + 0.4 * row) / 4095.0);
        assert!(
            (at(column, row) - want).abs() < 3.0,
            "{backend}: ({column}, {row}) has grey {}, not {want}",
            at(column, row)
        );
    }
    // The far corner needs the last tile of a picture over the texture limit.
    let want = 255.0 * (1.0 - (0.8 * 2600.0 + 0.4 * 4700.0) / 4095.0);
    assert!(
        (at(2600.0, 4700.0) - want).abs() < 3.0,
        "{backend}: far corner has grey {}, not {want}",
        at(2600.0, 4700.0)
    );
}

fn bad_files(b: &Bench) {
    b.open_ready("").unwrap();
    let mut paths = b.write_series(&study::ramp("good")).unwrap();
    // Of another series: a cut copy of the same image would be its duplicate.
    let whole = std::fs::read(&b.write_series(&study::ramp("cut")).unwrap()[0]).unwrap();
    let bad: Vec<PathBuf> = [
        ("bad/notes.txt", b"not an image".to_vec()),
        ("bad/empty.dcm", Vec::new()),
        ("bad/cut.dcm", whole[..whole.len() / 2].to_vec()),
        ("bad/noise.dcm", (0..5000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()),
    ]
    .into_iter()
    .map(|(name, bytes)| b.write_file(name, &bytes).unwrap())
    .collect();
    paths.extend(bad);
    b.open_study(&paths).unwrap();
    let [received, used, shown, refused] = b.ledger().unwrap();
    assert_eq!((received, used + shown + refused), (24, 24));
    assert_eq!((used, refused), (20, 4));
    b.click("ledger").unwrap();
    b.wait_visible("ledger-dialog").unwrap();
    assert_eq!(b.count("ledger-line").unwrap(), 4);
    let text = b.text("ledger-dialog").unwrap();
    for name in ["notes.txt", "empty.dcm", "cut.dcm", "noise.dcm"] {
        let line = text
            .lines()
            .find(|l| l.contains(name))
            .unwrap_or_else(|| panic!("{name} is not listed in\n{text}"));
        assert!(!line.is_empty());
    }
    b.press(&[Key::Escape]).unwrap();
}

fn cancel(b: &Bench) {
    b.open_ready("").unwrap();
    // Many small files: reading them takes long enough to be stopped.
    let spec = SyntheticSpec { name: "many".into(), dims: [16, 16, 3000], ..SyntheticSpec::default() };
    let paths = b.write_series(&spec).unwrap();
    // As fast as a hand cannot: the button is pressed when it appears.
    b.driver()
        .run(
            "new MutationObserver((_, o) => { const c = document.querySelector('[data-testid=cancel]'); if (c) { o.disconnect(); c.click(); } }) \
             .observe(document.body, { childList: true, subtree: true })",
            &[],
        )
        .unwrap();
    b.drop_files(&[paths[0].parent().unwrap().to_owned()]).unwrap();
    let catalog = "window.__e2e.events.find(e => e.type === 'catalog')";
    let catalog = b.wait_for("the catalog", Duration::from_secs(30), catalog).unwrap();
    assert_eq!(catalog["cancelled"], true, "reading was not stopped");
    b.wait_for(
        "the progress to go",
        Duration::from_secs(10),
        "!document.querySelector('[data-testid=progress]')",
    )
    .unwrap();
    let [received, used, shown, refused] = b.ledger().unwrap_or_default();
    assert_eq!(received, used + shown + refused);
    // And the page still works.
    b.open_study(&b.write_series(&study::ramp("after")).unwrap()).unwrap();
    assert!(b.count("series-row").unwrap() >= 1);
}

#[test]
fn samples_open_with_one_click() {
    let b = Bench::start(Options::default()).unwrap();
    samples(&b);
    b.expect_calm().unwrap();
}

#[test]
fn large_pictures_and_bad_files() {
    let b = Bench::start(Options::default()).unwrap();
    bad_files(&b);
    b.expect_calm().unwrap();
    for backend in ["webgpu", "webgl2", "cpu"] {
        mammogram(&b, backend);
    }
    b.expect_calm().unwrap();
}

#[test]
fn reading_can_be_cancelled() {
    let b = Bench::start(Options::default()).unwrap();
    cancel(&b);
    b.expect_calm().unwrap();
}

/// Files of every transfer syntax and character set, none of which may take the engine with it: the study list
/// decodes one slice of each series.
#[test]
fn files_of_every_kind_are_accounted_for() {
    let Some(folder) = testbed::reference("data/dicom/pydicom") else { return };
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    let paths = dicom_files(&folder);
    b.open_study(&paths).unwrap();
    let [received, used, shown, refused] = b.ledger().unwrap();
    assert_eq!(received, paths.len() as u64);
    assert_eq!(received, used + shown + refused);
    // A series without a thumbnail would have ended the engine or lost its picture; reports have none.
    let pictured = "(() => { const rows = [...document.querySelectorAll('[data-testid=series-row]')]; \
        const without = rows.filter(r => !r.textContent.includes('no picture') && !r.querySelector('canvas:not(.empty)')); \
        return rows.length > 30 && without.length <= 2; })()";
    b.wait_for("the thumbnails", Duration::from_secs(60), pictured).unwrap();
    // One of the files is a segmentation whose images are not among them: that is told, and nothing else.
    let told = b.text("notice").unwrap_or_default();
    assert!(
        b.count("notice").unwrap() == 1 && told.contains("segmentation") && told.contains("not here"),
        "{told}"
    );
    b.expect_calm().unwrap();
}

fn dicom_files(folder: &std::path::Path) -> Vec<PathBuf> {
    // A browser is given no path with `..` in it.
    let mut folders = vec![folder.canonicalize().unwrap()];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "dcm") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}
