//! A lost GPU device or context comes back with the same picture; how soon is printed (the aim is two seconds).

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use e2e::{Bench, Key, Options, study};
use serde_json::json;

fn recover(b: &Bench, backend: &str) {
    assert_eq!(b.open_ready(&format!("?backend={backend}")).unwrap(), backend);
    b.open_study(&b.write_series(&study::ramp("kept")).unwrap()).unwrap();
    // A state that a fresh start would not have.
    b.keys(&[
        Key::Char('g'),
        Key::Char('o'),
        Key::Home,
        Key::Down,
        Key::Down,
        Key::Char('r'),
        Key::Char('+'),
    ])
    .unwrap();
    let before = b.picture("panel-axial").unwrap();
    for round in 1..=2 {
        let lost_at = b.tell_engine(json!({ "type": "lose_device" })).unwrap();
        let back = format!("window.__e2e.events.find(e => e.type === 'recovered' && e.at > {lost_at})");
        let event = b.wait_for("the device to be back", Duration::from_secs(20), &back).unwrap();
        b.settle().unwrap();
        let drawn = format!(
            "window.__e2e.events.find(e => e.type === 'drawn' && e.at > {lost_at} && e.at >= {} - 500)",
            event["at"]
        );
        let drawn = b.wait_for("the picture to be drawn again", Duration::from_secs(10), &drawn).unwrap();
        let took = event["at"].as_f64().unwrap().max(drawn["at"].as_f64().unwrap()) - lost_at;
        let after = b.picture("panel-axial").unwrap();
        let difference = before.difference(&after).expect("same size");
        assert_eq!(difference.levels, 0, "{backend}, loss {round}: {difference:?}");
        println!("{backend}, loss {round}: back after {took:.0} ms");
    }
    // And it goes on working: four slices are 15 grey levels of the ramp.
    b.keys(&[Key::Down; 4]).unwrap();
    assert!(before.difference(&b.picture("panel-axial").unwrap()).is_some_and(|d| d.levels > 5));
    assert_eq!(b.attribute("backend-badge", "data-backend").unwrap().as_deref(), Some(backend));
}

#[test]
fn a_lost_device_comes_back_with_the_same_picture() {
    let b = Bench::start(Options::default()).unwrap();
    for backend in ["webgpu", "webgl2"] {
        recover(&b, backend);
    }
    // Chromium itself logs a lost context as an error; the page must not.
    let faults: Vec<_> =
        b.faults().unwrap().into_iter().filter(|f| !f.to_lowercase().contains("context")).collect();
    assert!(faults.is_empty(), "{faults:?}");
}
