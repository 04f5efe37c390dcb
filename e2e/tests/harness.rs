//! The harness itself, on a page that writes down what is done to it: a guard that never rings is no guard.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use e2e::{Bench, Button, Key, Options, workspace};

fn bench() -> Bench {
    let dist = Some(workspace().join("e2e/fixtures/page"));
    Bench::start(Options { dist, ..Options::default() }).unwrap()
}

const SHORT: Duration = Duration::from_secs(10);

fn wait(b: &Bench, name: &str, value: &str) {
    let expression = format!("document.querySelector('[data-testid=log]').dataset.{name} === '{value}'");
    b.wait_for(&format!("{name} = {value}"), SHORT, &expression).unwrap_or_else(|e| {
        let log = b
            .driver()
            .run("return JSON.stringify({...document.querySelector('[data-testid=log]').dataset})", &[]);
        panic!("{e}\n{log:?}")
    });
}

#[test]
fn what_is_done_arrives_and_what_goes_wrong_is_told() {
    let mut b = bench();
    b.open("").unwrap();
    wait(&b, "ready", "yes");
    b.expect_calm().unwrap();

    // Input.
    let canvas = b.rect("canvas").unwrap();
    b.drag(Button::Right, canvas.at(0.1, 0.5), canvas.at(0.5, 0.75)).unwrap();
    wait(&b, "down", "2:30,100");
    wait(&b, "up", "2:150,150");
    assert!(b.number("log", "moved").unwrap() >= 4.0);
    b.wheel(canvas.at(0.5, 0.5), -3).unwrap();
    wait(&b, "wheel", "-3");
    b.press(&[Key::Control, Key::Shift, Key::Char('k')]).unwrap();
    wait(&b, "key", "ctrl+shift+K");
    b.press(&[Key::Left]).unwrap();
    wait(&b, "key", "ArrowLeft");
    let one = b.write_file("one.bin", &[1; 1000]).unwrap();
    let two = b.write_file("two.bin", &[2; 70_001]).unwrap();
    b.drop_files(&[one, two]).unwrap();
    wait(&b, "dropped", "one.bin:1000,two.bin:70001");
    let inner = b.write_file("folder/inner.bin", &[3; 10]).unwrap();
    b.drop_files(&[inner.parent().unwrap().to_owned()]).unwrap();
    wait(&b, "folders", "1");

    // Pixels: the canvas holds its column number as grey.
    let picture = b.picture("canvas").unwrap();
    assert_eq!((picture.width, picture.height), (300, 200));
    for x in [0usize, 1, 77, 200, 255] {
        assert_eq!(picture.grey(x, 100), x as f64, "column {x}");
    }

    // Planted faults.
    let fault = |call: &str, word: &str| {
        b.driver().run(call, &[]).unwrap();
        let until = std::time::Instant::now() + SHORT;
        let mut all = Vec::new();
        while std::time::Instant::now() < until {
            all.extend(b.faults().unwrap());
            if all.iter().any(|f| f.contains(word)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("`{call}` was not told: {all:?}");
    };
    fault("fixture.fail()", "planted");
    fault("fixture.outside()", "policy: connect-src");
    std::thread::sleep(Duration::from_millis(300));
    b.faults().unwrap();

    // Requests: none for a while, then one by a worker, which the page's own instruments would not show.
    let before = b.requests().len();
    assert!(before >= 3, "{:?}", b.requests());
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(b.requests().len(), before);
    let status = b.driver().run("return fixture.fromWorker()", &[]).unwrap();
    assert_eq!(status, 200);
    assert!(
        b.requests()[before..].iter().any(|r| r.target.ends_with("/page.css?from=worker")),
        "{:?}",
        b.requests()
    );

    // Long tasks.
    b.driver()
        .run("setTimeout(() => fixture.busy(120)); return new Promise(r => setTimeout(r, 400))", &[])
        .unwrap();
    let tasks = b.long_tasks_ms().unwrap();
    assert!(tasks.iter().any(|(_, ms)| (110.0..400.0).contains(ms)), "{tasks:?}");

    // Memory of a page and of a worker that is still alive.
    b.driver().run("return fixture.hold(3, 5)", &[]).unwrap();
    let mut memory = b.devtools().unwrap().wasm_bytes().unwrap();
    memory.sort();
    assert_eq!(memory, [("page".to_owned(), 3 * 65_536), ("worker".to_owned(), 5 * 65_536)]);

    // Accessibility.
    assert_eq!(b.axe().unwrap(), Vec::new());
    b.driver().run("fixture.faint()", &[]).unwrap();
    let rules: Vec<_> = b.axe().unwrap().into_iter().map(|v| v.rule).collect();
    assert_eq!(rules, ["color-contrast"]);

    // No network.
    b.faults().unwrap();
    b.go_offline();
    let refused = b
        .driver()
        .run("return fetch('/page.css?offline').then(() => 'answered', () => 'refused')", &[])
        .unwrap();
    assert_eq!(refused, "refused");
}

/// The tests of the three paths mean nothing if the browser has the same path each time.
#[test]
fn the_browser_has_webgpu_only_when_asked() {
    let ask = "return (async () => { const a = navigator.gpu && await navigator.gpu.requestAdapter(); \
               if (!a) return 'none'; const d = await a.requestDevice(); d.destroy(); return 'device'; })()";
    let webgl = "return !!new OffscreenCanvas(4, 4).getContext('webgl2')";
    for (webgpu, want) in [(true, "device"), (false, "none")] {
        let dist = Some(workspace().join("e2e/fixtures/page"));
        let b = Bench::start(Options { webgpu, dist, ..Options::default() }).unwrap();
        b.open("").unwrap();
        assert_eq!(b.driver().run(ask, &[]).unwrap(), want, "asked for WebGPU: {webgpu}");
        assert_eq!(b.driver().run(webgl, &[]).unwrap(), true);
    }
}

/// Nothing we started may be left, even when a test panics.
#[test]
fn a_failing_test_leaves_no_process() {
    let profile = std::sync::Mutex::new(None);
    let failed = std::panic::catch_unwind(|| {
        let b = bench();
        *profile.lock().unwrap() = Some(b.driver().profile().to_owned());
        panic!("planted");
    });
    assert!(failed.is_err());
    let profile = profile.into_inner().unwrap_or_else(|e| e.into_inner()).unwrap();
    let until = std::time::Instant::now() + SHORT;
    let left = || {
        std::fs::read_dir("/proc")
            .unwrap()
            .flatten()
            .filter_map(|e| std::fs::read(e.path().join("cmdline")).ok())
            .filter(|c| String::from_utf8_lossy(c).contains(&*profile.to_string_lossy()))
            .count()
    };
    while left() > 0 && std::time::Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(left(), 0);
}
