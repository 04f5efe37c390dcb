//! The page for everyone: axe-core, the keyboard alone, and two screen sizes.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use e2e::{Bench, Key, Options, workspace};
use serde_json::Value;

fn expect_accessible(b: &Bench, screen: &str) {
    let violations = b.axe().unwrap();
    let lines: Vec<_> =
        violations.iter().map(|v| format!("{} {}:\n  {}", v.impact, v.rule, v.places.join("\n  "))).collect();
    assert!(lines.is_empty(), "{screen}:\n{}", lines.join("\n"));
}

fn save(b: &Bench, name: &str) {
    let out = workspace().join("e2e/out");
    std::fs::create_dir_all(&out).unwrap();
    std::fs::write(out.join(format!("{name}.png")), b.screen().unwrap().to_png().unwrap()).unwrap();
}

const SCREENS: [((u32, u32), &str); 2] = [((1440, 900), "1440x900"), ((390, 844), "390x844")];

#[test]
fn axe_finds_nothing_serious_on_any_screen() {
    let b = Bench::start(Options::default()).unwrap();
    for ((width, height), size) in SCREENS {
        b.driver().resize(width, height, 1.0, width < 500).unwrap();
        // By name, so that the self-check has a GPU's kernels to run.
        b.open_ready("?backend=webgpu").unwrap();
        expect_accessible(&b, "welcome");
        save(&b, &format!("welcome-{size}"));
        b.click("sample-cardiac").unwrap();
        b.loaded().unwrap();
        b.keys(&[Key::Char('g')]).unwrap();
        expect_accessible(&b, "viewer");
        save(&b, &format!("viewer-{size}"));
        // No sideways scrolling of the page at any size (WCAG 1.4.10).
        let overflow =
            b.driver().run("return document.documentElement.scrollWidth - innerWidth", &[]).unwrap();
        assert!(overflow.as_f64().unwrap() <= 0.0, "{size}: the page is {overflow} px too wide");
        for (open, dialog) in [
            ("open-shortcuts", "shortcut-sheet"),
            ("open-settings", "settings"),
            ("backend-badge", "self-check"),
        ] {
            b.click(open).unwrap();
            b.wait_visible(dialog).unwrap();
            if dialog == "self-check" {
                let done = "document.querySelectorAll('[data-testid=self-check-row]').length > 0 && !document.querySelector('[data-testid=self-check] button.button:disabled')";
                b.wait_for("the self-check to end", std::time::Duration::from_secs(60), done).unwrap();
                let failed = b
                    .driver()
                    .run(
                        "return [...document.querySelectorAll('[data-passed=false]')].map(e => e.innerText)",
                        &[],
                    )
                    .unwrap();
                assert_eq!(failed, Value::Array(vec![]), "kernels differ");
            }
            expect_accessible(&b, dialog);
            save(&b, &format!("{dialog}-{size}"));
            b.press(&[Key::Escape]).unwrap();
            b.wait_for(
                "the dialog to close",
                std::time::Duration::from_secs(5),
                &format!("!document.querySelector('[data-testid={dialog}]').open"),
            )
            .unwrap();
        }
    }
    b.expect_calm().unwrap();
}

/// Test id, or what else names the focused element, and whether a sighted person sees that it has the focus.
fn focused(b: &Bench) -> (String, bool) {
    let f = b
        .driver()
        .run(
            "const e = document.activeElement; if (!e || e === document.body) return ['', true]; \
             const s = getComputedStyle(e), r = e.getBoundingClientRect(); \
             const ring = (s.outlineStyle !== 'none' && parseFloat(s.outlineWidth) > 0) || s.boxShadow !== 'none'; \
             return [e.dataset.testid || e.getAttribute('aria-label') || e.textContent.trim().slice(0, 30), ring && r.width > 0 && r.height > 0]",
            &[],
        )
        .unwrap();
    (f[0].as_str().unwrap_or_default().to_owned(), f[1].as_bool().unwrap_or(false))
}

/// Tab until an element has the focus; every stop on the way must show it.
fn tab_to(b: &Bench, test_id: &str) -> usize {
    let mut way = Vec::new();
    for n in 1..=80 {
        b.press(&[Key::Tab]).unwrap();
        let (name, seen) = focused(b);
        assert!(seen, "the focus on `{name}` cannot be seen");
        if name == test_id {
            return n;
        }
        way.push(name);
    }
    panic!("Tab never reached `{test_id}`: {way:?}");
}

#[test]
fn the_keyboard_alone_is_enough() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    // The first stop skips to the images.
    b.press(&[Key::Tab]).unwrap();
    assert_eq!(focused(&b).0, "Skip to the images");
    tab_to(&b, "sample-cardiac");
    b.press(&[Key::Enter]).unwrap();
    b.loaded().unwrap();
    b.keys(&[Key::Char('g')]).unwrap();
    tab_to(&b, "panel-axial");
    let slice = || b.number("panel-axial", "slice").unwrap();
    b.keys(&[Key::Home]).unwrap();
    assert_eq!(slice(), 1.0);
    b.keys(&[Key::Down, Key::Down]).unwrap();
    assert_eq!(slice(), 3.0);

    // A length without a mouse: a point, the crosshair moved, another point.
    b.keys(&[Key::Char('l'), Key::Enter]).unwrap();
    for _ in 0..10 {
        b.press(&[Key::Shift, Key::Right]).unwrap();
    }
    b.keys(&[Key::Enter]).unwrap();
    assert_eq!(b.count("measurement").unwrap(), 1);
    let value = b.number("measurement", "value").unwrap();
    assert!(value > 0.5, "{value}");
    b.keys(&[Key::Delete]).unwrap();
    assert_eq!(b.count("measurement").unwrap(), 0);

    // The sample is scored by itself, and the numbers are vessels then; its key closes it.
    assert!(b.visible("calcium-panel").unwrap());
    b.press(&[Key::Shift, Key::Char('A')]).unwrap();
    b.settle().unwrap();
    assert!(!b.visible("calcium-panel").unwrap());
    tab_to(&b, "panel-axial");

    // Window by preset, inverted and back, one panel and three.
    let width = b.number("panel-axial", "window-width").unwrap();
    b.keys(&[Key::Char('2')]).unwrap();
    assert!(b.number("panel-axial", "window-width").unwrap() != width);
    b.keys(&[Key::Char('i')]).unwrap();
    assert_eq!(b.attribute("panel-axial", "data-invert").unwrap().as_deref(), Some("true"));
    b.keys(&[Key::Char('d')]).unwrap();
    assert!(!b.visible("panel-coronal").unwrap());
    b.keys(&[Key::Char('g')]).unwrap();
    assert!(b.visible("panel-coronal").unwrap());
    b.keys(&[Key::Right]).unwrap();
    assert_eq!(focused(&b).0, "panel-coronal");

    // The sheet opens, holds the focus, closes, and gives the focus back.
    b.press(&[Key::Char('?')]).unwrap();
    b.wait_visible("shortcut-sheet").unwrap();
    for _ in 0..12 {
        b.press(&[Key::Tab]).unwrap();
        let inside = b.driver().run("const e = document.activeElement; return e === document.body || !!e.closest('[data-testid=shortcut-sheet]')", &[]).unwrap();
        assert_eq!(inside, true, "the focus left the dialog for {:?}", focused(&b));
    }
    b.press(&[Key::Escape]).unwrap();
    b.wait_for(
        "the sheet to close",
        std::time::Duration::from_secs(5),
        "!document.querySelector('[data-testid=shortcut-sheet]').open",
    )
    .unwrap();
    assert_eq!(focused(&b).0, "panel-coronal");
    b.expect_calm().unwrap();
}
