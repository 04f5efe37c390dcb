//! Nothing is sent while a local study is open, and after one visit no network is needed.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use e2e::{Bench, Button, Key, Options, study};

#[test]
fn a_local_study_makes_no_request() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    // What the first visit loads in the background (offline copy) may still be on its way.
    let mut before = b.requests().len();
    loop {
        std::thread::sleep(Duration::from_millis(1500));
        let now = b.requests().len();
        if now == before {
            break;
        }
        before = now;
    }
    assert!(before >= 4, "the proxy saw only {before} requests: {:?}", b.requests());
    b.open_study(&b.write_series(&study::ramp("local")).unwrap()).unwrap();
    b.keys(&[Key::Char('g')]).unwrap();
    let axial = b.rect("panel-axial").unwrap();
    b.wheel(axial.at(0.5, 0.5), 4).unwrap();
    b.drag(Button::Left, axial.at(0.3, 0.3), axial.at(0.6, 0.5)).unwrap();
    b.keys(&[Key::Char('l')]).unwrap();
    b.drag(Button::Left, axial.at(0.3, 0.3), axial.at(0.6, 0.5)).unwrap();
    b.settle().unwrap();
    assert_eq!(b.count("measurement").unwrap(), 1);
    b.keys(&[Key::Char('e')]).unwrap();
    b.drag(Button::Left, axial.at(0.4, 0.4), axial.at(0.7, 0.7)).unwrap();
    b.click("backend-badge").unwrap();
    b.wait_visible("self-check").unwrap();
    b.press(&[Key::Escape]).unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(b.requests()[before..], [], "requests while a local study was open");
    b.expect_calm().unwrap();
    let kept = b.driver().run("return JSON.stringify({ ...localStorage }) + document.cookie", &[]).unwrap();
    assert!(!kept.as_str().unwrap_or_default().contains("Phantom"), "the patient's name is kept: {kept}");
}

#[test]
fn after_one_visit_it_works_offline() {
    let mut b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    b.wait_for(
        "the offline copy",
        Duration::from_secs(60),
        "navigator.serviceWorker && navigator.serviceWorker.getRegistration().then(r => !!(r && r.active && r.active.state === 'activated'))",
    )
    .unwrap();
    b.expect_calm().unwrap();
    b.go_offline();
    b.driver().reload().unwrap();
    b.ready().unwrap();
    b.open_study(&b.write_series(&study::ramp("offline")).unwrap()).unwrap();
    assert_eq!(b.ledger().unwrap(), [20, 20, 0, 0]);
    b.keys(&[Key::Char('g'), Key::Char('o')]).unwrap();
    assert!(b.picture("panel-axial").unwrap().distinct() > 60);
}
