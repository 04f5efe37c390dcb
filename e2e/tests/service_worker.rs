//! The app after its first visit: kept as a whole, checked, and there without a network.
//!
//! Asked of the real build in a real browser, because a service worker is all about what browsers do with it.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use e2e::{Bench, Options};
use serde_json::json;

const PATIENCE: Duration = Duration::from_secs(30);

fn controlled(b: &Bench) {
    b.wait_for("a service worker in charge", PATIENCE, "navigator.serviceWorker.controller !== null")
        .unwrap();
}

fn caches(b: &Bench) -> serde_json::Value {
    b.driver().run("return caches.keys().then(names => names.sort())", &[]).unwrap()
}

#[test]
fn the_app_is_there_offline_after_the_first_visit() {
    let mut b = Bench::start(Options::default()).unwrap();
    b.open("").unwrap();
    controlled(&b);
    b.wait_for("the page's module", PATIENCE, "typeof wasmBindings === 'object'").unwrap();
    // Both headers arrived and were accepted.
    assert_eq!(b.driver().run("return crossOriginIsolated", &[]).unwrap(), true);
    b.expect_calm().unwrap();

    // One cache, of this build, with every file of the list.
    let list = b.driver().run("return fetch('/precache.json').then(r => r.json())", &[]).unwrap();
    let cache = format!("isocenter-{}", list["version"].as_str().unwrap());
    assert_eq!(caches(&b), json!([cache]));
    let mut wanted: Vec<_> = list["files"].as_array().unwrap().iter().map(|f| f["url"].clone()).collect();
    assert!(wanted.len() >= 8 && wanted.contains(&json!("/index.html")), "{wanted:?}");
    wanted.sort_by_key(|url| url.to_string());
    let kept = "return caches.open(arguments[0]).then(c => c.keys()) \
                .then(k => k.map(r => new URL(r.url).pathname).sort())";
    assert_eq!(b.driver().run(kept, &[json!(cache)]).unwrap(), json!(wanted));

    // A sample is kept when it was used, what the API says of the moment is not.
    let fetched = b
        .driver()
        .run("return Promise.all(['/samples/truth.json', '/api/health'].map(u => fetch(u).then(r => r.status)))", &[])
        .unwrap();
    assert_eq!(fetched, json!([200, 200]));
    let has = |url: &str| {
        b.driver().run("return caches.match(arguments[0]).then(r => r !== undefined)", &[json!(url)]).unwrap()
    };
    b.wait_for(
        "the sample in the cache",
        PATIENCE,
        "caches.match('/samples/truth.json').then(r => r !== undefined)",
    )
    .unwrap();
    assert_eq!(has("/api/health"), false);

    b.go_offline();
    for address in ["", "?backend=cpu", "some/address/of/the/app"] {
        b.open(address).unwrap();
        b.wait_for("the page's module, offline", PATIENCE, "typeof wasmBindings === 'object'").unwrap();
        assert_eq!(b.driver().run("return document.title", &[]).unwrap(), "Isocenter", "/{address}");
    }
    let answers = b
        .driver()
        .run(
            "return Promise.all(['/samples/truth.json', '/engine_bg.wasm', '/api/health', '/samples/cardiac-ct.zip'] \
             .map(u => fetch(u).then(r => r.status, () => 'no network')))",
            &[],
        )
        .unwrap();
    assert_eq!(answers, json!([200, 200, "no network", "no network"]));
}

#[test]
fn caches_of_older_builds_go_and_others_stay() {
    let b = Bench::start(Options::default()).unwrap();
    b.open("").unwrap();
    controlled(&b);
    let current = caches(&b)[0].clone();
    let plant = "return Promise.all(['isocenter-0000', 'of another program'].map(n => caches.open(n))) \
                 .then(() => navigator.serviceWorker.getRegistration()).then(r => r.unregister())";
    b.driver().run(plant, &[]).unwrap();
    assert_eq!(caches(&b).as_array().unwrap().len(), 3, "the trap is set");
    b.open("").unwrap();
    controlled(&b);
    b.wait_for("the old cache gone", PATIENCE, "caches.has('isocenter-0000').then(has => !has)").unwrap();
    assert_eq!(caches(&b), json!([current, "of another program"]));
}

#[test]
fn a_file_that_is_not_the_listed_one_is_never_kept() {
    // A build whose list does not match: as when a visit falls between two builds.
    let named = std::env::var_os("ISOCENTER_DIST").map(std::path::PathBuf::from);
    let dist = named.unwrap_or_else(|| e2e::workspace().join("dist"));
    let folder = std::env::temp_dir().join(format!("isocenter-mixed-{}", std::process::id()));
    copy(&dist, &folder);
    let script = folder.join("engine.js");
    let mixed = format!("{}\n// of another build", std::fs::read_to_string(&script).unwrap());
    std::fs::write(&script, mixed).unwrap();
    let _ = std::fs::remove_file(folder.join("engine.js.br"));
    let b = Bench::start(Options { dist: Some(folder.clone()), ..Options::default() }).unwrap();
    b.open("").unwrap();
    b.wait_for("the page's module", PATIENCE, "typeof wasmBindings === 'object'").unwrap();
    let failed = "navigator.serviceWorker.register('/sw.js').then(r => new Promise(done => { \
                  const w = r.installing; if (!w) return done(!r.active); \
                  w.onstatechange = () => w.state === 'redundant' && done(true); }))";
    b.wait_for("an installation that fails", PATIENCE, failed).unwrap();
    assert_eq!(b.driver().run("return navigator.serviceWorker.controller", &[]).unwrap(), json!(null));
    drop(b);
    std::fs::remove_dir_all(folder).unwrap();
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
