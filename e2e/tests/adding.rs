//! More files are added to what is open: nothing already read, loaded or measured is lost.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::PathBuf;
use std::time::Duration;

use e2e::{Bench, Button, Key, Options, study};
use phantom::SyntheticSpec;
use phantom::synthetic::Fill;
use serde_json::Value;
use testbed::dicom::break_pixels;

/// Drops files and waits for the catalog that follows.
fn add(b: &Bench, paths: &[PathBuf]) {
    let before = b.events("catalog").unwrap().len();
    b.drop_files(paths).unwrap();
    let more = format!("window.__e2e.events.filter(e => e.type === 'catalog').length > {before}");
    b.wait_for("the catalog", Duration::from_secs(30), &more).unwrap();
    b.settle().unwrap();
}

/// Titles and sizes of the study list, in its order.
fn listed(b: &Bench) -> Vec<String> {
    let rows = "return [...document.querySelectorAll('[data-testid=series-row] .series-text')].map(e => e.textContent)";
    let rows = b.driver().run(rows, &[]).unwrap();
    rows.as_array().unwrap().iter().map(|r| r.as_str().unwrap_or_default().to_owned()).collect()
}

/// Clicks the row of the list with this number and waits for its picture.
fn choose(b: &Bench, row: usize) {
    let script = "document.querySelectorAll('[data-testid=series-row]')[arguments[0]].click()";
    b.driver().run(script, &[row.into()]).unwrap();
    let current =
        format!("document.querySelectorAll('[data-testid=series-row]')[{row}].ariaCurrent === 'true'");
    b.wait_for("the series to be shown", Duration::from_secs(10), &current).unwrap();
    b.settle().unwrap();
}

fn series_of(b: &Bench, row: usize) -> Value {
    let script = "return document.querySelectorAll('[data-testid=series-row]')[arguments[0]].dataset.series";
    b.driver().run(script, &[row.into()]).unwrap()
}

#[test]
fn a_second_study_joins_the_first() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    let first = b.write_series(&study::ramp("first")).unwrap();
    b.open_study(&first).unwrap();
    b.keys(&[Key::Char('g'), Key::Char('l')]).unwrap();
    let axial = b.rect("panel-axial").unwrap();
    b.drag(Button::Left, axial.at(0.3, 0.3), axial.at(0.6, 0.5)).unwrap();
    b.settle().unwrap();
    let length = b.number("measurement", "value").unwrap();
    assert!(length > 10.0, "{length}");
    let id = series_of(&b, 0);

    // Another study: it opens by itself, and the first one stays, loaded and measured.
    let second = b.write_series(&SyntheticSpec { dims: [40, 30, 10], ..study::ramp("second") }).unwrap();
    b.open_study(&second).unwrap();
    assert_eq!(listed(&b).len(), 2, "{:?}", listed(&b));
    assert_eq!(b.ledger().unwrap(), [30, 30, 0, 0]);
    assert_eq!(series_of(&b, 0), id, "an unchanged series got another id");
    assert_eq!(b.number("panel-axial", "slices").unwrap(), 10.0);
    assert_eq!(b.count("measurement").unwrap(), 0, "a length of the other series is drawn here");
    choose(&b, 0);
    assert_eq!(b.number("panel-axial", "slices").unwrap(), 20.0);
    assert_eq!(b.count("measurement").unwrap(), 1);
    assert_eq!(b.number("measurement", "value").unwrap(), length);

    // The first study once more: told as duplicates, and nothing moves.
    let before = b.picture("panel-axial").unwrap();
    let loads = b.events("loaded").unwrap().len();
    add(&b, &first);
    assert_eq!(b.ledger().unwrap(), [50, 30, 20, 0]);
    assert_eq!(listed(&b).len(), 2);
    assert_eq!(b.number("measurement", "value").unwrap(), length);
    assert_eq!(before.difference(&b.picture("panel-axial").unwrap()).map(|d| d.levels), Some(0));
    assert_eq!(b.events("loaded").unwrap().len(), loads, "the series was loaded again");
    b.click("ledger").unwrap();
    b.wait_visible("ledger-dialog").unwrap();
    assert_eq!(b.count("ledger-line").unwrap(), 20);
    assert!(b.text("ledger-dialog").unwrap().contains("Duplicate"), "{}", b.text("ledger-dialog").unwrap());
    b.press(&[Key::Escape]).unwrap();

    // Closed is forgotten: the same files are no duplicates any more.
    b.click("close-all").unwrap();
    b.wait_for(
        "an empty list",
        Duration::from_secs(5),
        "!document.querySelector('[data-testid=series-row]')",
    )
    .unwrap();
    b.open_study(&first).unwrap();
    assert_eq!(b.ledger().unwrap(), [20, 20, 0, 0]);
    assert_eq!(b.count("measurement").unwrap(), 0);
    b.expect_calm().unwrap();
}

#[test]
fn a_series_that_comes_in_two_drops_is_one() {
    let b = Bench::start(Options::default()).unwrap();
    for backend in ["webgpu", "cpu"] {
        b.open_ready(&format!("?backend={backend}")).unwrap();
        let paths = b.write_series(&study::ramp("halves")).unwrap();
        b.open_study(&paths[..8]).unwrap();
        b.keys(&[Key::Char('g'), Key::Char('o')]).unwrap();
        assert_eq!(b.number("panel-axial", "slices").unwrap(), 8.0);
        let id = series_of(&b, 0);
        b.open_study(&paths[8..]).unwrap();
        assert_eq!(listed(&b).len(), 1, "{:?}", listed(&b));
        assert!(listed(&b)[0].contains("× 20"), "{:?}", listed(&b));
        assert_eq!(b.ledger().unwrap(), [20, 20, 0, 0]);
        assert_eq!(b.number("panel-axial", "slices").unwrap(), 20.0);
        assert_eq!(series_of(&b, 0), id);
        // The picture is that of the whole series dropped at once.
        b.keys(&[Key::End]).unwrap();
        let grown = b.picture("panel-axial").unwrap();
        b.click("close-all").unwrap();
        b.open_study(&paths).unwrap();
        b.keys(&[Key::Char('g'), Key::End]).unwrap();
        assert!(grown.distinct() > 60);
        let difference = grown.difference(&b.picture("panel-axial").unwrap()).expect("same size");
        assert_eq!(difference.levels, 0, "{backend}: {difference:?}");
        b.keys(&[Key::Char('o')]).unwrap();
    }
    b.expect_calm().unwrap();
}

#[test]
fn a_file_that_fails_while_loading_is_refused_in_the_ledger() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    let paths = b.write_series(&study::ramp("broken")).unwrap();
    let mut bytes = std::fs::read(&paths[7]).unwrap();
    break_pixels(&mut bytes);
    std::fs::write(&paths[7], bytes).unwrap();
    b.open_study(&paths).unwrap();
    let refused = "document.querySelector('[data-testid=ledger-refused]')?.textContent === '1'";
    b.wait_for("the refusal", Duration::from_secs(10), refused).unwrap();
    assert_eq!(b.ledger().unwrap(), [20, 19, 0, 1]);
    b.click("ledger").unwrap();
    b.wait_visible("ledger-dialog").unwrap();
    let name = paths[7].file_name().unwrap().to_string_lossy().into_owned();
    let text = b.text("ledger-line").unwrap();
    assert!(text.contains(&name), "{text}");
    b.press(&[Key::Escape]).unwrap();
    // It stays refused when more files come, and the picture stays where it is.
    let slice = b.number("panel-axial", "slice").unwrap();
    add(&b, &[b.write_file("notes.txt", b"no picture").unwrap()]);
    assert_eq!(b.ledger().unwrap(), [21, 19, 0, 2]);
    assert_eq!(b.number("panel-axial", "slice").unwrap(), slice);
    b.expect_calm().unwrap();
}

/// While a long series arrives, a short one is chosen: it comes first, and then the long one goes on. Once the end
/// of the long one was told as that of the short one.
#[test]
fn a_series_completes_behind_a_complete_one() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    let mut paths = b
        .write_series(&SyntheticSpec { name: "a-long".into(), dims: [512, 512, 150], ..study::large_ct() })
        .unwrap();
    paths.extend(b.write_series(&study::ramp("b-short")).unwrap());
    // Clicked when the long one is on the screen and not yet complete, faster than a test can ask.
    b.driver()
        .run(
            "const timer = setInterval(() => { const e = window.__e2e.events; \
               const begun = e.find(x => x.type === 'loaded' && x.done > 0); \
               if (!begun || !e.some(x => x.type === 'drawn' && x.at > begun.at)) return; \
               clearInterval(timer); \
               const short = [...document.querySelectorAll('[data-testid=series-row]')].find(r => r.dataset.series != begun.series); \
               window.chosen = [performance.now(), e.findLast(x => x.type === 'loaded' && x.series === begun.series)]; \
               short.click(); }, 5)",
            &[],
        )
        .unwrap();
    b.drop_files(&paths).unwrap();
    let both = "(() => { const done = new Set(window.__e2e.events.filter(e => e.type === 'loaded' && e.done === e.total).map(e => e.series)); return done.size === 2; })()";
    b.wait_for("both series", Duration::from_secs(30), both).unwrap();
    let chosen = b.driver().run("return window.chosen", &[]).unwrap();
    assert!(
        chosen[1]["done"].as_u64() < chosen[1]["total"].as_u64(),
        "the long one was complete already: {chosen}"
    );
    let loaded = b.events("loaded").unwrap();
    let ends: Vec<&Value> = loaded.iter().filter(|e| e["done"] == e["total"]).collect();
    let long = &chosen[1]["series"];
    assert_ne!(&ends[0]["series"], long, "the series chosen last did not come first: {ends:?}");
    // At its end each is announced once more, as itself, with its final numbers.
    let told = "(() => { const e = window.__e2e.events; const ends = e.filter(x => x.type === 'loaded' && x.done === x.total); \
        return [...new Set(ends.map(x => x.series))].every(id => { const end = ends.find(x => x.series === id); \
          return e.some(x => x.type === 'opened' && x.series === id && x.at >= end.at); }); })()";
    b.wait_for("each series to be announced when complete", Duration::from_secs(10), told).unwrap();
    b.settle().unwrap();
    assert_eq!(b.ledger().unwrap(), [170, 170, 0, 0]);
    // The preview came before the list and went when the volume was there.
    let at = |kind: &str| b.events(kind).unwrap()[0]["at"].as_f64().unwrap();
    assert!(at("preview") < at("catalog"), "{} {}", at("preview"), at("catalog"));
    assert_eq!((b.events("preview").unwrap().len(), b.count("preview").unwrap()), (1, 0));
    b.expect_calm().unwrap();
}

/// A preview of a drop in which nothing can be shown would stay for ever.
#[test]
fn the_preview_is_a_picture_of_the_middle_file_and_goes() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    // What is shown is kept from the moment it is there: it lasts for a few frames only.
    b.driver()
        .run(
            "new MutationObserver(() => { const c = document.querySelector('[data-testid=preview] canvas'); \
               if (!c || c.width < 2) return; const p = c.getContext('2d').getImageData(0, 0, c.width, c.height).data; \
               window.seen = [c.width, c.height, ...new Set(p.filter((_, i) => i % 4 === 0))]; }) \
             .observe(document.body, { childList: true, subtree: true, attributes: true })",
            &[],
        )
        .unwrap();
    let flat = |name: &str, value: f64| SyntheticSpec {
        name: name.into(),
        dims: [64, 48, 1],
        spacing_mm: [1.0, 1.0, 4.0],
        fill: Fill::Constant(value),
        window: Some((500.0, 1000.0)),
        ..SyntheticSpec::default()
    };
    let paths: Vec<PathBuf> = [("low", 100.0), ("middle", 500.0), ("high", 900.0)]
        .iter()
        .flat_map(|(name, value)| b.write_series(&flat(name, *value)).unwrap())
        .collect();
    b.open_study(&paths).unwrap();
    let seen = b.wait_for("the preview", Duration::from_secs(10), "window.seen").unwrap();
    assert_eq!(seen, serde_json::json!([512, 384, 128]), "width, height and greys");
    assert_eq!(b.count("preview").unwrap(), 0);

    // A file with a right header, of which no slice can be loaded, and nothing else.
    b.click("close-all").unwrap();
    let mut bytes = std::fs::read(&paths[0]).unwrap();
    break_pixels(&mut bytes);
    add(&b, &[b.write_file("broken.dcm", &bytes).unwrap(), b.write_file("notes.txt", b"none").unwrap()]);
    b.wait_for("no preview", Duration::from_secs(5), "!document.querySelector('[data-testid=preview]')")
        .unwrap();
    b.expect_calm().unwrap();
}
