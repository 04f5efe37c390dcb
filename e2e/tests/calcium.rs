//! Calcium from drop to report, as a reader does it: the known truth in the table, every step undone and redone,
//! the report kept and opened again, and the command line giving the same numbers.

// Clippy sees only functions marked as tests; their helpers fail by panicking just the same.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use e2e::{Bench, Button, Key, Options};
use phantom::cardiac;
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit, Plane, View, Viewport};
use serde_json::{Value, json};
use testbed::pdf::shown;
use testbed::verification::{Row, record};

/// Calcifications by vessel: the pair that touches by a corner is one lesion, and one is under 1 mm².
const LESIONS: [(&str, u32); 4] = [("LM", 1), ("LAD", 5), ("LCX", 2), ("RCA", 4)];

fn grid() -> Grid {
    let axes = DMat3::from_diagonal(DVec3::new(cardiac::PIXEL_MM, cardiac::PIXEL_MM, cardiac::SLICE_MM));
    let placed = DAffine3::from_mat3_translation(axes, DVec3::from(cardiac::ORIGIN_MM));
    let dims = [cardiac::SIZE, cardiac::SIZE, cardiac::SLICES];
    Grid::new(dims, placed, LengthUnit::Millimetre, Frame::Patient).unwrap()
}

fn focus(b: &Bench, test_id: &str) {
    b.driver().run("document.querySelector(arguments[0]).focus()", &[Bench::id(test_id).into()]).unwrap();
}

/// Opens the sample's files from disk, so that the command line can read the same ones.
fn open_sample(b: &Bench) -> (cardiac::Truth, Vec<PathBuf>) {
    let study = cardiac::study().unwrap();
    let files: Vec<PathBuf> = study
        .files
        .iter()
        .map(|(name, bytes)| b.write_file(&format!("study/{name}"), bytes).unwrap())
        .collect();
    b.open_study(&files).unwrap();
    b.wait_visible("calcium-table").unwrap();
    allow_downloads(b);
    (study.truth, files)
}

/// Files that the page keeps lie in the bench's folder.
fn allow_downloads(b: &Bench) {
    let folder = b.folder().to_string_lossy().into_owned();
    let download = json!({ "behavior": "allow", "downloadPath": folder });
    b.driver().devtools("Browser.setDownloadBehavior", download).unwrap();
}

/// Waits until the newest answer is a full one to the newest question.
fn answered(b: &Bench, what: &str, expression: &str) {
    b.wait_for(what, Duration::from_secs(30), expression).unwrap();
    b.settle().unwrap();
}

fn row(b: &Bench, vessel: &str) -> (f64, f64) {
    let id = format!("calcium-{}", vessel.to_lowercase());
    (b.number(&id, "agatston").unwrap(), b.number(&id, "lesions").unwrap())
}

/// Shows the slice of a point; where the point is on the page then, in pixels of the axial panel per mm.
fn show(b: &Bench, world: DVec3) -> ((f64, f64), f64) {
    let slice = grid().voxel_at(world).unwrap()[2] + 1;
    let set = "const e = document.querySelector(arguments[0]); e.value = arguments[1]; \
               e.dispatchEvent(new Event('input', { bubbles: true }))";
    b.driver().run(set, &[Bench::id("slice-slider").into(), json!(slice.to_string())]).unwrap();
    b.settle().unwrap();
    let rect = b.rect("panel-axial").unwrap();
    let viewport = Viewport { width_px: rect.width.round() as u32, height_px: rect.height.round() as u32 };
    let mut view = View::fit(Plane::Axial, &grid(), viewport);
    view.step_slices(&grid(), -1e6);
    view.step_slices(&grid(), f64::from(slice) - 1.0);
    let at = view.screen_from_world(&grid(), viewport).transform_point3(world);
    ((rect.x + at.x, rect.y + at.y), 1.0 / view.world_per_px)
}

fn whole((x, y): (f64, f64)) -> (i64, i64) {
    (x.round() as i64, y.round() as i64)
}

fn press_on(b: &Bench, world: DVec3) {
    let (at, _) = show(b, world);
    b.click_at(whole(at)).unwrap();
}

/// Gives every calcification to its vessel, by mouse and keys.
fn assign_all(b: &Bench, truth: &cardiac::Truth) {
    let mut done = std::collections::BTreeMap::new();
    for l in &truth.lesions {
        if l.note.contains("touches the one before") || l.note.contains("under the usual minimum") {
            continue;
        }
        let key = ["LM", "LAD", "LCX", "RCA"].iter().position(|v| *v == l.vessel).unwrap();
        focus(b, "panel-axial");
        b.press(&[Key::Char(['1', '2', '3', '4'][key])]).unwrap();
        press_on(b, DVec3::from(l.centre_mm));
        let count = done.entry(l.vessel).and_modify(|n| *n += 1).or_insert(1);
        let id = Bench::id(&format!("calcium-{}", l.vessel.to_lowercase()));
        answered(
            b,
            &format!("lesion {count} of {}", l.vessel),
            &format!("document.querySelector('{id}')?.dataset.lesions === '{count}'"),
        );
    }
    let counts: Vec<(&str, u32)> = LESIONS.to_vec();
    for (vessel, n) in counts {
        assert_eq!(row(b, vessel).1, f64::from(n), "{vessel}");
    }
}

/// A file that the page keeps.
fn kept(b: &Bench, button: &str, name: &str) -> Vec<u8> {
    let path = b.folder().join(name);
    // A file of this name from before would be answered by a second name.
    std::fs::remove_file(&path).ok();
    b.click(button).unwrap();
    let begun = Instant::now();
    loop {
        if let Ok(bytes) = std::fs::read(&path)
            && !bytes.is_empty()
            && !path.with_extension("crdownload").exists()
        {
            return bytes;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "{name} was not kept");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// What the command line says of the same files with a session that the page kept.
fn command_line(b: &Bench, session: &Path, more: &[&str]) -> Value {
    let out = std::process::Command::new(e2e::binary().unwrap())
        .args(["calcium", "--json", "--session"])
        .arg(session)
        .args(more)
        .arg(b.folder().join("study"))
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    serde_json::from_slice(&out.stdout).unwrap()
}

fn agatston(report: &Value, vessel: &str) -> f64 {
    let rows = report["vessels"].as_array().unwrap();
    rows.iter().find(|r| r["vessel"] == vessel).unwrap()["agatston"].as_f64().unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(1.0)
}

#[test]
fn the_sample_is_scored_assigned_kept_and_opened_again() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    let begun = Instant::now();
    let (truth, _) = open_sample(&b);
    // Before anything is assigned, everything in the heart region counts and the page says so.
    assert!(b.number("calcium-total", "value").unwrap() > 0.0);
    assert!(b.text("calcium-panel").unwrap().contains("Everything above the threshold"));
    assign_all(&b, &truth);
    let assigned_s = begun.elapsed().as_secs_f64();

    let total = b.number("calcium-total", "value").unwrap();
    let sum: f64 = LESIONS.iter().map(|(v, _)| row(&b, v).0).sum();
    assert!(close(total, sum), "{total} is not the sum {sum} of the vessels");
    assert!(b.text("calcium-category").unwrap().contains("A3/N4"));
    assert!(b.count("lesion-letters").unwrap() > 0, "letters stand beside the lesions");

    // The report, and the same from the command line.
    let json = kept(&b, "calcium-json", "calcium.json");
    let report: Value = serde_json::from_slice(&json).unwrap();
    assert!(report["research_use"].as_str().unwrap().contains("Research use only"));
    let same = command_line(&b, &b.folder().join("calcium.json"), &[]);
    assert!(close(same["total"]["agatston"].as_f64().unwrap(), total), "{} {total}", same["total"]);
    for (vessel, _) in LESIONS {
        assert!(close(agatston(&same, vessel), row(&b, vessel).0), "{vessel}");
        assert!(close(agatston(&report, vessel), row(&b, vessel).0), "{vessel}");
    }
    assert_eq!(same["lesions"], report["lesions"]);
    assert_eq!(same["input"]["voxels_sha256"], report["input"]["voxels_sha256"]);
    let csv = String::from_utf8(kept(&b, "calcium-csv", "calcium.csv")).unwrap();
    assert!(csv.contains("vessel,,LAD,5,"), "{csv}");
    assert!(csv.contains("Research use only"));
    let pdf = kept(&b, "calcium-pdf", "calcium.pdf");
    let other = b.folder().join("other.pdf");
    command_line(&b, &b.folder().join("calcium.json"), &["--pdf", &other.to_string_lossy()]);
    // Where and how fast it was computed is their own.
    let said = |pdf: &[u8]| shown(pdf).into_iter().filter(|l| !l.contains(" ms")).collect::<Vec<_>>();
    let page = said(&pdf);
    assert_eq!(page, said(&std::fs::read(other).unwrap()));
    let all = page.join("\n");
    assert!(
        all.contains("Agatston score") && all.contains("LAD") && all.contains("Research use only"),
        "{all}"
    );
    let png = kept(&b, "picture-png", "isocenter.png");
    assert!(png.starts_with(b"\x89PNG") && png.len() > 10_000, "{} bytes", png.len());
    println!("assigned after {assigned_s:.1} s, {} bytes of PDF", pdf.len());

    // A fresh page, the saved report: the same table without a click on the picture.
    b.open_ready("").unwrap();
    open_sample(&b);
    assert_ne!(b.number("calcium-total", "value").unwrap(), total);
    let input = b.driver().find("#report-input").unwrap();
    b.driver().type_into(&input, &b.folder().join("calcium.json").to_string_lossy()).unwrap();
    let id = Bench::id("calcium-total");
    answered(
        &b,
        "the saved score",
        &format!("Math.abs(parseFloat(document.querySelector('{id}')?.dataset.value) - {total}) < 1e-9"),
    );
    for (vessel, n) in LESIONS {
        assert_eq!(row(&b, vessel), (agatston(&report, vessel), f64::from(n)), "{vessel}");
    }
    b.expect_calm().unwrap();
}

#[test]
fn threshold_undo_and_keys_work_without_a_mouse() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    open_sample(&b);
    let before = b.number("calcium-total", "value").unwrap();
    // The slider, with keys: ten steps down from 130.
    focus(&b, "calcium-threshold");
    b.press(&[Key::Left; 10]).unwrap();
    let stamp = Bench::id("calcium-stamp");
    answered(&b, "the stamp", &format!("document.querySelector('{stamp}')?.textContent.includes('120 HU')"));
    let lower = b.number("calcium-total", "value").unwrap();
    assert!(lower > before, "{lower} at 120 HU, {before} at 130 HU");
    assert!(b.text("calcium-stamp").unwrap().starts_with("NON-STANDARD THRESHOLD"));
    b.click("calcium-standard").unwrap();
    answered(&b, "no stamp", &format!("!document.querySelector('{stamp}')"));
    assert_eq!(b.number("calcium-total", "value").unwrap(), before);

    // The next candidate, its vessel, Enter; then back and forth.
    let lad = Bench::id("calcium-lad");
    let lesions = |n: u32| format!("document.querySelector('{lad}')?.dataset.lesions === '{n}'");
    focus(&b, "panel-axial");
    b.keys(&[Key::Char('n'), Key::Char('2'), Key::Enter]).unwrap();
    answered(&b, "a lesion of the LAD", &lesions(1));
    assert_eq!(b.number("calcium-total", "value").unwrap(), row(&b, "LAD").0);
    b.click("calcium-undo").unwrap();
    answered(&b, "the step undone", &lesions(0));
    assert_eq!(b.number("calcium-total", "value").unwrap(), before);
    b.click("calcium-redo").unwrap();
    answered(&b, "the step redone", &lesions(1));
    // Taken away by its own key.
    focus(&b, "panel-axial");
    b.keys(&[Key::Char('0'), Key::Enter]).unwrap();
    answered(&b, "nothing assigned", &lesions(0));
    // Where there is no calcium nothing is assigned, and the page says so.
    b.keys(&[Key::Char('3')]).unwrap();
    press_on(&b, DVec3::new(-20.0, 30.0, 0.0));
    b.wait_for(
        "the notice",
        Duration::from_secs(10),
        "document.body.innerText.includes('no calcium at this point')",
    )
    .unwrap();
    b.expect_calm().unwrap();
}

/// Scalpel, box, ball and region by mouse; each is a step that one undo takes back.
#[test]
fn lesions_are_cut_boxed_and_rubbed_out() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("?backend=cpu").unwrap();
    let (truth, _) = open_sample(&b);
    let rca = Bench::id("calcium-rca");
    let lesions = |n: u32| format!("document.querySelector('{rca}')?.dataset.lesions === '{n}'");
    let lesion = truth.lesions.iter().find(|l| l.vessel == "RCA" && l.note.contains("long plaque")).unwrap();
    let centre = DVec3::from(lesion.centre_mm);
    focus(&b, "panel-axial");
    b.keys(&[Key::Char('4')]).unwrap();
    press_on(&b, centre);
    answered(&b, "the long plaque", &lesions(1));
    let whole_score = row(&b, "RCA").0;

    // Across its middle: two lesions, the same score.
    b.click("hand-cut").unwrap();
    let (at, px_per_mm) = show(&b, centre);
    let reach = 8.0 * px_per_mm;
    b.drag(Button::Left, whole((at.0 + 0.3, at.1 - reach)), whole((at.0 + 0.3, at.1 + reach))).unwrap();
    answered(&b, "two parts", &lesions(2));
    assert!(close(row(&b, "RCA").0, whole_score), "{} {whole_score}", row(&b, "RCA").0);

    // Rubbed out: nothing is left of it.
    b.click("hand-erase").unwrap();
    b.drag(Button::Left, whole(at), whole((at.0 + 12.0 * px_per_mm, at.1))).unwrap();
    answered(&b, "nothing left", &lesions(0));
    b.click("calcium-undo").unwrap();
    answered(&b, "both parts again", &lesions(2));
    b.click("calcium-undo").unwrap();
    answered(&b, "one lesion again", &lesions(1));

    // A box around it in the projection takes it away, through all slices.
    focus(&b, "panel-axial");
    b.keys(&[Key::Char('0')]).unwrap();
    b.click("hand-box").unwrap();
    let slab = b.rect("panel-slab").unwrap();
    b.drag(Button::Left, slab.at(0.02, 0.2), slab.at(0.98, 0.7)).unwrap();
    answered(&b, "taken away", &lesions(0));
    b.click("calcium-undo").unwrap();
    answered(&b, "back", &lesions(1));

    // The region's upper edge is pulled below the lesion: it does not count any more.
    b.click("hand-region").unwrap();
    let panel = b.rect("panel-axial").unwrap();
    let fields = "document.querySelector('[data-testid=calcium-settings]').open = true";
    b.driver().run(fields, &[]).unwrap();
    let first_row = || {
        let value = "return document.querySelector('[data-testid=region-first-row]').value";
        b.driver().run(value, &[]).unwrap().as_str().unwrap().parse::<f64>().unwrap()
    };
    let before = first_row();
    // Rows are 0.65625 mm apart; the edge lies before the first one that counts.
    let row_mm = |row: f64| cardiac::ORIGIN_MM[1] + (row - 1.5) * cardiac::PIXEL_MM;
    let edge_y = at.1 + (row_mm(before) - centre.y) * px_per_mm;
    let x = panel.x + 0.5 * panel.width;
    b.drag(Button::Left, whole((x, edge_y)), whole((x, at.1 + reach))).unwrap();
    answered(&b, "outside of the region", &lesions(0));
    assert!(first_row() > before + 10.0, "{} {before}", first_row());
    b.click("calcium-undo").unwrap();
    answered(&b, "inside again", &lesions(1));
    assert_eq!(first_row(), before);
    b.expect_calm().unwrap();
}

#[test]
fn what_has_no_hounsfield_units_or_several_times_is_refused_in_words() {
    let b = Bench::start(Options::default()).unwrap();
    b.open_ready("").unwrap();
    b.click("sample-perfusion").unwrap();
    b.wait_visible("perfusion-panel").unwrap();
    b.click("perfusion-close").unwrap();
    b.loaded().unwrap();
    let why = b.text("calcium-refused").unwrap();
    assert!(why.contains("time points") && why.contains("Choose one phase"), "{why}");
    b.click("calcium-open").unwrap();
    assert!(!b.visible("calcium-panel").unwrap());
    b.wait_for(
        "the notice",
        Duration::from_secs(10),
        "document.body.innerText.includes('Calcium: The series has')",
    )
    .unwrap();
    let mr = phantom::SyntheticSpec { modality: phantom::Modality::Mr, ..e2e::study::ramp("mr") };
    let files = b.write_series(&mr).unwrap();
    b.open_study(&files).unwrap();
    assert!(b.text("calcium-refused").unwrap().contains("The modality is MR"));
}

/// The marks are the same picture on every drawing path.
#[test]
fn marks_are_drawn_alike_on_every_path() {
    let mut pictures = Vec::new();
    for backend in ["webgpu", "webgl2", "cpu"] {
        let b = Bench::start(Options::default()).unwrap();
        b.open_ready(&format!("?backend={backend}")).unwrap();
        let (truth, _) = open_sample(&b);
        let lesion = truth.lesions.iter().find(|l| l.vessel == "RCA").unwrap();
        focus(&b, "panel-axial");
        b.keys(&[Key::Char('4')]).unwrap();
        press_on(&b, DVec3::from(lesion.centre_mm));
        let rca = Bench::id("calcium-rca");
        answered(
            &b,
            "a lesion of the RCA",
            &format!("document.querySelector('{rca}')?.dataset.lesions === '1'"),
        );
        // Letters and lines are the page's.
        b.keys(&[Key::Char('o')]).unwrap();
        let take = || ["panel-axial", "panel-slab", "panel-coronal"].map(|p| b.picture(p).unwrap());
        let green = |p: &e2e::Picture| p.rgb.iter().filter(|p| p[1] > p[0].saturating_add(60)).count();
        // The table comes before the picture, which a slow adapter draws in seconds.
        let begun = Instant::now();
        let mut panels = take();
        while panels.iter().any(|p| green(p) <= 20) && begun.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(200));
            panels = take();
        }
        for p in &panels {
            assert!(green(p) > 20, "{backend}: {} pixels in the colour of the RCA", green(p));
        }
        pictures.push((backend, panels));
    }
    let (_, first) = &pictures[0];
    for (backend, panels) in &pictures[1..] {
        for (i, (a, b)) in first.iter().zip(panels).enumerate() {
            let worst = a
                .rgb
                .as_flattened()
                .iter()
                .zip(b.rgb.as_flattened())
                .map(|(x, y)| x.abs_diff(*y))
                .max()
                .unwrap();
            assert!(a.rgb.len() == b.rgb.len() && worst <= 1, "{backend}, panel {i}: {worst} levels");
        }
    }
}

/// The calcium-qrm phantom in the page: nine inserts times three scores as FQM has them, on the CPU and on the
/// device that draws.
#[test]
fn the_nine_inserts_score_as_published_in_the_browser() {
    let Some(data) = testbed::reference("data/calcium-qrm") else { return };
    // Chromium opens no path with `..` in it.
    let folder = std::fs::canonicalize(data.join("data/canon/Large_rep1")).unwrap();
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut rows = Vec::new();
    let expected = std::fs::read_to_string(data.join("expected_large_rep1.csv")).unwrap();
    for (backend, computed) in [("cpu", "CPU in"), ("webgpu", "GPU:")] {
        let b = Bench::start(Options::default()).unwrap();
        b.open_ready(&format!("?backend={backend}")).unwrap();
        b.open_study(&files).unwrap();
        if !b.visible("calcium-panel").unwrap() {
            b.click("calcium-open").unwrap();
        }
        allow_downloads(&b);
        let total = Bench::id("calcium-total");
        answered(&b, "a score", &format!("!!document.querySelector('{total}')"));
        let said = b.text("calcium-computed").unwrap();
        assert!(said.contains(computed), "{backend}: {said}");
        // The whole phantom counts, with the factor that FQM gives for this scan.
        let set = "const [at, value] = arguments; const e = document.querySelector(at); \
                   e.value = value; e.dispatchEvent(new Event('change', { bubbles: true }))";
        b.driver()
            .run("document.querySelector(arguments[0]).open = true", &[Bench::id("calcium-settings").into()])
            .unwrap();
        b.driver().run(set, &[Bench::id("calcium-mass-factor").into(), json!("0.0007220477104")]).unwrap();
        if b.text("region-toggle").unwrap() == "Count everywhere" {
            b.click("region-toggle").unwrap();
        }
        let card = Bench::id("calcium-card");
        answered(
            &b,
            "the factor",
            &format!("document.querySelector('{card}')?.textContent.includes('0.0007220477104')"),
        );
        let report: Value = serde_json::from_slice(&kept(&b, "calcium-json", "calcium.json")).unwrap();
        assert_eq!(report["session"]["region"], Value::Null);
        rows.extend(compare_inserts(&report, &expected, backend));
    }
    assert_eq!(rows.len(), 2 * 9 * 3);
    record("browser-qrm", &rows);
}

/// Compares each insert's three sums.
fn compare_inserts(report: &Value, expected: &str, backend: &'static str) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut lines = expected.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        let of = |name: &str| fields[names.iter().position(|n| *n == name).unwrap()].parse::<f64>().unwrap();
        let inside = |c: &&Value| {
            let at = |i: usize| c["centroid"][i].as_f64().unwrap();
            let slice = c["slice"].as_f64().unwrap();
            (of("slice_min")..=of("slice_max")).contains(&slice)
                && (at(0) - of("col")).hypot(at(1) - of("row")) < of("radius_px")
        };
        for (field, want) in
            [("agatston", "fqm_agatston"), ("volume_mm3", "fqm_volume_mm3"), ("mass_mg", "fqm_mass_mg")]
        {
            let components = report["components"].as_array().unwrap().iter().filter(inside);
            let got: f64 = components.map(|c| c[field].as_f64().unwrap()).sum();
            let want = of(want);
            // Their figures have five decimals.
            let difference = (got - want).abs();
            assert!(difference <= 1e-5, "{backend} {field}: {got}, FQM has {want}");
            rows.push(Row {
                number: format!("{field}, insert {}", fields[0]),
                data: "QRM calcification phantom (calcium-qrm), Canon, 120 kV, 3 mm, dropped on the page",
                method: if backend == "cpu" { "the page, CPU (wasm)" } else { "the page, WebGPU" },
                reference: "FQM (van Praagh 2021)",
                ours: format!("{got:.5}"),
                theirs: format!("{want}"),
                difference: format!("{difference:.1e} absolute"),
                allowed: "1e-5 absolute (their decimals)".into(),
            });
        }
    }
    rows
}
