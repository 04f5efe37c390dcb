//! The QRM phantom on a real scanner: nine inserts times three scores, as other people's code has them.
//!
//! `expected_large_rep1.csv` holds what FQM (van Praagh 2021) gives for the inserts.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use calcium::{
    CONVENTIONS, Connectivity, Convention, Input, MinimumArea, Reading, Report, Request, ScoredComponent,
};
use common::apart::apart;
use common::gpu as on;
use imaging::disk::files_under;
use testbed::verification::{Row, record};

const DATA: &str = "QRM calcification phantom (calcium-qrm), Canon, 120 kV, 3 mm";
/// Of FQM, for this scan.
const MASS_FACTOR: f64 = 0.722_047_710_4e-3;

struct Expected {
    insert: String,
    row: f64,
    column: f64,
    radius: f64,
    slices: std::ops::RangeInclusive<u32>,
    fqm: [f64; 3],
    four_connected: f64,
    no_minimum: f64,
}

fn expected(path: &std::path::Path) -> Vec<Expected> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let headers = reader.headers().unwrap().clone();
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let text = |name: &str| row[headers.iter().position(|h| h == name).unwrap()].to_owned();
        let number = |name: &str| text(name).parse::<f64>().unwrap();
        Expected {
            insert: text("insert"),
            row: number("row"),
            column: number("col"),
            radius: number("radius_px"),
            slices: number("slice_min") as u32..=number("slice_max") as u32,
            fqm: [number("fqm_agatston"), number("fqm_volume_mm3"), number("fqm_mass_mg")],
            four_connected: number("recomputed_4conn_gt1mm2_agatston"),
            no_minimum: number("recomputed_8conn_nomin_agatston"),
        }
    });
    rows.collect()
}

/// Sums of the components whose centroid lies in the insert.
fn sums(components: &[ScoredComponent], e: &Expected) -> [f64; 3] {
    let inside = |c: &&ScoredComponent| {
        let [x, y] = c.centroid;
        e.slices.contains(&c.slice) && (x - e.column).hypot(y - e.row) < e.radius
    };
    components
        .iter()
        .filter(inside)
        .fold([0.0; 3], |[a, v, m], c| [a + c.agatston, v + c.volume_mm3, m + c.mass_mg.unwrap()])
}

#[test]
fn nine_inserts_score_as_published() {
    let Some(folder) = testbed::reference("data/calcium-qrm") else { return };
    let (series, volume) = common::load(files_under(&[folder.join("data/canon/Large_rep1")]).unwrap());
    let expected = expected(&folder.join("expected_large_rep1.csv"));
    assert_eq!(expected.len(), 9);
    let input = Input::new(&series, &volume, &[]);
    let request = |convention| Request { convention, mass_factor: Some(MASS_FACTOR), ..Request::default() };
    let reading = Reading::default();
    let on_cpu = |convention| calcium::run(&input, &request(convention), &reading, &|| 0.0).unwrap();
    prove("calcium-qrm", "calcium, CPU", &expected, &on_cpu);
    let Some((gpu, mut scorer)) = on::device() else { return };
    let table = on::collect(&gpu, &mut scorer, &input, None);
    let on_gpu = |convention| on::rescore(&gpu, &scorer, &input, &table, &request(convention), &reading);
    prove("calcium-gpu-qrm", "calcium, GPU", &expected, &on_gpu);
    for convention in CONVENTIONS {
        assert_eq!(apart(&on_gpu(convention), &on_cpu(convention)), Ok(0.0), "{}", convention.name);
    }
}

/// Nine inserts times three scores, and that other conventions give other numbers.
fn prove(test: &str, method: &'static str, expected: &[Expected], score: &dyn Fn(Convention) -> Report) {
    let report = score(CONVENTIONS[0]);
    let mut rows = Vec::new();
    let mut total = 0.0;
    for e in expected {
        let got = sums(&report.components, e);
        total += got[0];
        for ((name, got), want) in
            ["Agatston score", "volume score (mm³)", "mass score (mg)"].iter().zip(got).zip(e.fqm)
        {
            // The published figures have five decimals.
            let difference = (got - want).abs();
            assert!(difference <= 1e-5, "{} {name}: got {got}, want {want}", e.insert);
            rows.push(Row {
                number: format!("{name}, insert {}", e.insert),
                data: DATA,
                method,
                reference: "FQM (van Praagh 2021)",
                ours: format!("{got:.5}"),
                theirs: format!("{want}"),
                difference: format!("{difference:.1e} absolute"),
                allowed: "1e-5 absolute (their decimals)".into(),
            });
        }
    }
    assert!((total - 966.6265).abs() < 1e-4, "{total}");
    rows.push(Row {
        number: "Agatston score, all inserts".into(),
        data: DATA,
        method,
        reference: "FQM (van Praagh 2021)",
        ours: format!("{total:.4}"),
        theirs: "966.6265".into(),
        difference: format!("{:.1e} absolute", (total - 966.6265).abs()),
        allowed: "1e-4 absolute".into(),
    });
    // Other conventions give other numbers, or the comparison above would prove nothing about them.
    let four = score(Convention { connectivity: Connectivity::Four, ..CONVENTIONS[0] });
    let open = score(Convention { minimum_area: MinimumArea::MoreThanMm2(0.0), ..CONVENTIONS[0] });
    let mut differing = 0;
    for e in expected {
        let (got4, got0) = (sums(&four.components, e)[0], sums(&open.components, e)[0]);
        assert!((got4 - e.four_connected).abs() <= 1e-5, "{}: {got4}, want {}", e.insert, e.four_connected);
        assert!((got0 - e.no_minimum).abs() <= 1e-5, "{}: {got0}, want {}", e.insert, e.no_minimum);
        differing += usize::from(e.four_connected != e.fqm[0]) + usize::from(e.no_minimum != e.fqm[0]);
    }
    assert!(differing >= 9, "{differing}");
    record(test, &rows);
}
