//! What is not scored, and what a reader is told about what is.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use calcium::{
    Assignment, CONVENTIONS, Convention, Error, Input, MinimumArea, Reading, Refusal, Request, Vessel,
};
use common::{buffers, click, ct, input, load, standard_scan};
use imaging::header::Acquisition;
use imaging::{Volume, Voxels};
use phantom::synthetic::Fill;
use phantom::{Modality, SyntheticSpec, synthetic};
use scene::Grid;

fn plain() -> Volume {
    let mut values = vec![-1000i16; 5 * 4 * 3];
    for i in [0, 1, 5, 6, 20, 21, 25] {
        values[i] = 300;
    }
    ct(Voxels::I16(values), [5, 4, 3], [1.0, 1.0, 3.0])
}

fn run(volume: &Volume, acquisition: &Acquisition, modality: &str) -> Result<calcium::Report, Error> {
    let input = Input { modality, ..input(volume, acquisition) };
    calcium::run(&input, &Request::default(), &Reading::default(), &|| 0.0)
}

#[track_caller]
fn refusal(volume: &Volume, acquisition: &Acquisition, modality: &str) -> Refusal {
    match run(volume, acquisition, modality) {
        Err(Error::Refused(refusal)) => refusal,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_has_no_hounsfield_units_is_refused_by_name() {
    let (volume, scan) = (plain(), standard_scan());
    assert!(run(&volume, &scan, "CT").is_ok(), "the volume itself is fine");
    assert_eq!(refusal(&volume, &scan, "MR"), Refusal::Modality("MR".into()));
    assert_eq!(refusal(&volume, &scan, "PT"), Refusal::Modality("PT".into()));
    let localizer = ["ORIGINAL", "PRIMARY", "LOCALIZER"].map(String::from).to_vec();
    let acquisition = Acquisition { image_type: localizer, ..scan.clone() };
    assert_eq!(
        refusal(&volume, &acquisition, "CT"),
        Refusal::Localizer("ORIGINAL\\PRIMARY\\LOCALIZER".into())
    );
    let unitless = Volume { unit: String::new(), ..volume.clone() };
    assert_eq!(refusal(&unitless, &scan, "CT"), Refusal::NotHounsfield("none".into()));
    let phases = Volume { time_points: 2, ..volume.clone() };
    assert_eq!(refusal(&phases, &scan, "CT"), Refusal::TimePoints(2));
    let mut pixels = Volume::new(volume.voxels.clone(), Grid::picture(5, 4, 3).unwrap());
    pixels.unit = "HU".into();
    assert_eq!(refusal(&pixels, &scan, "CT"), Refusal::NoSpacing);
    let colour = Volume { voxels: Voxels::Rgba8(vec![[0; 4]; 60]), ..volume };
    assert_eq!(refusal(&colour, &scan, "CT"), Refusal::Colour);
}

#[test]
fn files_are_refused_as_volumes_are() {
    let spec =
        SyntheticSpec { modality: Modality::Mr, fill: Fill::Constant(200.0), ..SyntheticSpec::default() };
    let (series, volume) = load(buffers(synthetic(&spec).unwrap()));
    let input = Input::new(&series, &volume, &[]);
    let result = calcium::run(&input, &Request::default(), &Reading::default(), &|| 0.0);
    assert_eq!(result.unwrap_err(), Error::Refused(Refusal::Modality("MR".into())));
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    let (volume, scan) = (plain(), standard_scan());
    let run = |request: Request| calcium::run(&input(&volume, &scan), &request, &Reading::default(), &|| 0.0);
    for threshold in [49.9, -1.0, f64::NAN, f64::INFINITY] {
        let request = Request { threshold_hu: Some(threshold), ..Request::default() };
        assert!(matches!(run(request), Err(Error::Threshold(_))), "{threshold}");
    }
    for factor in [0.0, -1.0, f64::NAN] {
        let request = Request { mass_factor: Some(factor), ..Request::default() };
        assert!(matches!(run(request), Err(Error::MassFactor(_))), "{factor}");
    }
    for area in [-0.1, f64::NAN] {
        let convention = Convention { minimum_area: MinimumArea::MoreThanMm2(area), ..CONVENTIONS[0] };
        assert!(
            matches!(run(Request { convention, ..Request::default() }), Err(Error::MinimumArea(_))),
            "{area}"
        );
    }
    let short = [1u8; 59];
    let masked = Reading { region: Some(&short), ..Reading::default() };
    let result = calcium::run(&input(&volume, &scan), &Request::default(), &masked, &|| 0.0);
    assert_eq!(result.unwrap_err(), Error::MapSize { what: "mask", got: 59, want: 60 });
    let mapped = Reading { assignment: Assignment::Map(&short), ..Reading::default() };
    let result = calcium::run(&input(&volume, &scan), &Request::default(), &mapped, &|| 0.0);
    assert_eq!(result.unwrap_err(), Error::MapSize { what: "vessel map", got: 59, want: 60 });
}

#[test]
fn every_departure_is_told_with_its_value_and_a_standard_scan_has_none() {
    let volume = plain();
    let warnings = |acquisition: Acquisition| run(&volume, &acquisition, "CT").unwrap().warnings;
    let standard = warnings(standard_scan());
    assert_eq!(
        standard,
        ["No vessel was assigned: the total counts everything above the threshold, bone included."]
    );
    let cases: [(Acquisition, &[&str]); 9] = [
        (Acquisition { contrast_agent: Some("Iohexol".into()), ..standard_scan() }, &["Contrast", "Iohexol"]),
        (Acquisition { gating: None, ..standard_scan() }, &["gated"]),
        (Acquisition { kvp: vec![], ..standard_scan() }, &["KVP", "120 kV is assumed"]),
        (Acquisition { kvp: vec![100.0], ..standard_scan() }, &["KVP", "is 100", "145 HU"]),
        (Acquisition { kvp: vec![140.0], ..standard_scan() }, &["KVP", "is 140", "no published"]),
        (Acquisition { kvp: vec![100.0, 120.0], ..standard_scan() }, &["KVP", "100, 120"]),
        (Acquisition { slice_thickness_mm: vec![5.0], ..standard_scan() }, &["5 mm", "overlap"]),
        (
            Acquisition { slice_thickness_mm: vec![1.5], ..standard_scan() },
            &["1.5 mm", "Gaps", "increment 3.000"],
        ),
        (Acquisition { slice_thickness_mm: vec![], ..standard_scan() }, &["Slice Thickness", "not stated"]),
    ];
    for (acquisition, words) in cases {
        let got = warnings(acquisition).join("\n");
        assert_ne!(got, standard.join("\n"));
        for word in words {
            assert!(got.contains(word), "{word} is not in: {got}");
        }
    }
    let mut holed = volume.clone();
    holed.missing = vec![[0, 1]];
    holed.lossy = Some("lossy 10:1".into());
    let got = run(&holed, &standard_scan(), "CT").unwrap().warnings.join("\n");
    assert!(got.contains("1 of 3 slices are missing") && got.contains("lossy 10:1"), "{got}");
}

#[test]
fn nifti_is_scored_as_hounsfield_units_with_a_warning() {
    let volume = Volume { unit: String::new(), ..plain() };
    let report = run(&volume, &Acquisition::default(), "NIfTI").unwrap();
    assert!(report.total.agatston > 0.0);
    assert!(report.warnings[0].starts_with("NIfTI names no unit"), "{:?}", report.warnings);
    assert!(!report.warnings.iter().any(|w| w.contains("below -200")));
    let no_air = ct(Voxels::I16(vec![150; 60]), [5, 4, 3], [1.0, 1.0, 3.0]);
    let report = run(&no_air, &Acquisition::default(), "NIfTI").unwrap();
    assert!(report.warnings.iter().any(|w| w.contains("below -200")), "{:?}", report.warnings);
}

#[test]
fn vessels_by_click_and_by_map() {
    let (volume, scan) = (plain(), standard_scan());
    let run = |assignment| {
        let reading = Reading { assignment, ..Reading::default() };
        calcium::run(&input(&volume, &scan), &Request::default(), &reading, &|| 0.0).unwrap()
    };
    let all = run(Assignment::None);
    // Four pixels in slice 0 and three above them: one lesion of two components, weight 3.
    assert_eq!((all.components.len(), all.lesions.len(), all.total.agatston), (2, 1, 21.0));
    assert_eq!((all.category.as_str(), all.vessels_with_calcium), ("A1", None));
    let once = [click(&volume, [1, 1, 0], Some(Vessel::Lad))];
    let clicked = run(Assignment::Edits(&once));
    assert_eq!((clicked.total.agatston, clicked.category.as_str()), (21.0, "A1/N1"));
    assert_eq!(clicked.lesions[0].vessel, Some(Vessel::Lad));
    let row = clicked.vessels.iter().find(|r| r.vessel == Vessel::Lad).unwrap();
    assert_eq!((row.sums.agatston, row.sums.lesions, row.sums.components), (21.0, 1, 2));
    // The last click counts; a click beside everything does nothing.
    let seeds = [
        click(&volume, [1, 1, 0], Some(Vessel::Lad)),
        click(&volume, [0, 0, 1], None),
        click(&volume, [4, 3, 2], Some(Vessel::Rca)),
    ];
    let taken = run(Assignment::Edits(&seeds));
    assert_eq!((taken.total.agatston, taken.category.as_str()), (0.0, "A0/N0"));
    assert_eq!(taken.components.len(), 2, "still listed, not counted");
    // A map may part a lesion: each component goes to most of its voxels.
    let mut map = vec![0u8; 60];
    map[0] = Vessel::Lm.label();
    map[1] = Vessel::Lad.label();
    map[5] = Vessel::Lad.label();
    map[20] = Vessel::Rca.label();
    let mapped = run(Assignment::Map(&map));
    let of = |v: Vessel| mapped.vessels.iter().find(|r| r.vessel == v).unwrap().sums.agatston;
    assert_eq!((of(Vessel::Lm), of(Vessel::Lad), of(Vessel::Rca)), (0.0, 12.0, 9.0));
    assert_eq!(mapped.vessels_with_calcium, Some(2));
    // Conventions of more than 3 pixels leave the upper component out.
    let s = mapped.sensitivity.unwrap();
    assert_eq!((s.agatston_min, s.agatston_max), (12.0, 21.0));
}

#[test]
fn a_class_that_depends_on_the_convention_is_told() {
    // One pixel of 1 mm²: nothing by default (more than 1 mm²), calcium by the rule of 1990 (1 mm² or more).
    let mut values = vec![-1000i16; 60];
    values[7] = 150;
    let volume = ct(Voxels::I16(values), [5, 4, 3], [1.0, 1.0, 3.0]);
    let report = run(&volume, &standard_scan(), "CT").unwrap();
    assert_eq!((report.total.agatston, report.category.as_str()), (0.0, "A0"));
    let s = report.sensitivity.as_ref().unwrap();
    assert_eq!((s.agatston_min, s.agatston_max, s.class_flips), (0.0, 1.0, true));
    assert!(report.warnings.iter().any(|w| w.contains("depends on the convention: 0.0 to 1.0")));
    assert!(!run(&plain(), &standard_scan(), "CT").unwrap().sensitivity.unwrap().class_flips);
}
