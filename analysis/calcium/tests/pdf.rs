//! The PDF says what the report says, in text that can be taken out again.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use calcium::{Assignment, Reading, Report, Request, Vessel};
use common::{click, ct, score};
use imaging::{Volume, Voxels};
use testbed::pdf::shown;

fn count(pdf: &[u8], what: &[u8]) -> usize {
    pdf.windows(what.len()).filter(|w| *w == what).count()
}

fn scan() -> Volume {
    let mut values = vec![-100i16; 40 * 30 * 6];
    for (x, y, z, hu) in
        [(3, 4, 1, 250), (4, 4, 1, 320), (3, 5, 2, 260), (4, 5, 2, 255), (30, 20, 4, 800), (31, 20, 4, 700)]
    {
        values[(z * 30 + y) * 40 + x] = hu;
    }
    ct(Voxels::I16(values), [40, 30, 6], [1.0, 0.8, 3.0])
}

fn report(threshold_hu: Option<f64>, volume: &Volume) -> Report {
    let seeds = [click(volume, [3, 4, 1], Some(Vessel::Lad)), click(volume, [30, 20, 4], Some(Vessel::Rca))];
    let reading = Reading { assignment: Assignment::Edits(&seeds), ..Reading::default() };
    score(volume, &Request { threshold_hu, mass_factor: Some(0.00075), ..Request::default() }, &reading)
}

#[test]
fn every_number_of_the_report_is_text_in_the_pdf() {
    let volume = scan();
    let report = report(None, &volume);
    let pdf = report.pdf(&["Patient (anonymous)".into()], Some(&volume));
    assert!(pdf.starts_with(b"%PDF-") && pdf.trim_ascii_end().ends_with(b"%%EOF"));
    let shown = shown(&pdf);
    let all = shown.join("\n");
    let has = |text: &str| assert!(all.contains(text), "{text} is not in:\n{all}");
    has("Patient (anonymous)");
    has(&format!("Agatston score {} ({:.2}), CAC-DRS A1/N2", report.agatston_rounded, report.total.agatston));
    has(&report.settings_sha256);
    has("more than 1 mm\u{b2}");
    has("120 kV");
    has("Isocenter");
    for lesion in &report.lesions {
        has(&format!("{} {}", lesion.id, lesion.vessel.unwrap().name()));
        has(&format!("{:.1}", lesion.sums.agatston));
        has(&format!("{:.1}", lesion.sums.volume_mm3));
        has(&format!("{:.1}", lesion.sums.mass_mg.unwrap()));
    }
    for warning in &report.warnings {
        has(warning.split(':').next().unwrap());
    }
    let pages = count(&pdf, b"/Type /Page\n");
    assert!(pages >= 1);
    let footers =
        shown.iter().filter(|s| s.contains(report.research_use) && s.contains(&format!("of {pages}")));
    assert_eq!(footers.count(), pages, "research use on every page");
    assert_eq!(count(&pdf, b"/Subtype /Image"), report.lesions.len());
    assert!(!all.contains("NON-STANDARD"));
}

#[test]
fn a_stamp_is_on_every_page_and_nothing_identifies_unless_asked() {
    let volume = scan();
    let report = report(Some(200.0), &volume);
    let pdf = report.pdf(&[], None);
    let shown = shown(&pdf);
    let stamped = shown.iter().filter(|s| s.contains("NON-STANDARD THRESHOLD: 200 HU")).count();
    assert!(stamped > count(&pdf, b"/Type /Page\n"), "in the head and in every footer");
    assert!(shown.iter().any(|s| s == "Identification is not shown."));
    assert_eq!(count(&pdf, b"/Subtype /Image"), 0);
}

/// A scan without an assignment has many lesions: the table goes on, the pages are all there.
#[test]
fn many_lesions_make_more_pages_and_a_note() {
    let mut values = vec![-100i16; 64 * 64];
    (0..64 * 64).filter(|i| i % 64 % 4 == 0 && i / 64 % 4 == 0).for_each(|i| values[i] = 400);
    let volume = ct(Voxels::I16(values), [64, 64, 1], [1.5, 1.5, 3.0]);
    let report = score(&volume, &Request::default(), &Reading::default());
    assert_eq!(report.lesions.len(), 256);
    let pdf = report.pdf(&[], Some(&volume));
    assert!(shown(&pdf).iter().any(|s| s.starts_with("196 more are in the JSON")));
    assert!(count(&pdf, b"/Type /Page\n") >= 3);
}
