//! The score does not depend on how a patient lies in the arrays: flips, quarter turns, order of files,
//! encoding, and the number of times it is computed.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use calcium::{Input, Reading, Report, Request};
use common::{buffers, ct, load, relative, score};
use imaging::Voxels;
use phantom::random::Random;
use phantom::synthetic::Fill;
use phantom::{Mark, Syntax, SyntheticSpec, synthetic};
use testbed::verification::{Row, record};

/// Scores that must be equal, order left aside.
fn essence(report: &Report) -> Vec<(u32, u8, i64, u32)> {
    let lesion_voxels = |id: u32| report.lesions[id as usize - 1].voxels;
    let mut all: Vec<_> = report
        .components
        .iter()
        .map(|c| (c.voxels, c.weight, (c.peak_hu * 1e6) as i64, lesion_voxels(c.lesion)))
        .collect();
    all.sort_unstable();
    all
}

const DIMS: [usize; 3] = [37, 29, 8];

fn noisy(random: &mut Random) -> Vec<i16> {
    let n = DIMS.iter().product();
    (0..n)
        .map(|_| {
            (if random.uniform() < 0.3 {
                130.0 + 400.0 * random.uniform()
            } else {
                40.0 + 89.0 * random.uniform()
            }) as i16
        })
        .collect()
}

/// `values[z][y][x]` of the turned volume, from the axes and flips of the turn.
fn turned(values: &[i16], swap: bool, flip: [bool; 3]) -> (Vec<i16>, [u32; 3]) {
    let [nx, ny, nz] = DIMS;
    let dims = if swap { [ny, nx, nz] } else { DIMS };
    let mut out = Vec::with_capacity(values.len());
    for z in 0..dims[2] {
        for y in 0..dims[1] {
            for x in 0..dims[0] {
                let [x, y, z] =
                    [(x, 0), (y, 1), (z, 2)].map(|(v, i)| if flip[i] { dims[i] - 1 - v } else { v });
                let (sx, sy) = if swap { (y, x) } else { (x, y) };
                out.push(values[(z * ny + sy) * nx + sx]);
            }
        }
    }
    (out, dims.map(|n| n as u32))
}

#[test]
fn flips_and_quarter_turns_change_nothing() {
    let mut random = Random::new(11);
    let mut worst: f64 = 0.0;
    let mut compared = 0;
    for round in 0..5 {
        let values = noisy(&mut random);
        let spacing = [0.5, 0.7, 2.5];
        let request = Request { mass_factor: Some(0.0007), ..Request::default() };
        let plain = score(
            &ct(Voxels::I16(values.clone()), DIMS.map(|n| n as u32), spacing),
            &request,
            &Reading::default(),
        );
        assert!(plain.components.len() > 50);
        for turn in 0..16 {
            let (swap, flip) = (turn & 8 != 0, [turn & 1 != 0, turn & 2 != 0, turn & 4 != 0]);
            let (values, dims) = turned(&values, swap, flip);
            let spacing = if swap { [spacing[1], spacing[0], spacing[2]] } else { spacing };
            let report = score(&ct(Voxels::I16(values), dims, spacing), &request, &Reading::default());
            assert_eq!(essence(&report), essence(&plain), "round {round}, swap {swap}, flip {flip:?}");
            let mut pairs = vec![
                (report.total.agatston, plain.total.agatston),
                (report.total.volume_mm3, plain.total.volume_mm3),
                (report.total.mass_mg.unwrap(), plain.total.mass_mg.unwrap()),
            ];
            // Samples start at the first slice, so a flip of the slices may shift them against the tissue.
            if !flip[2] {
                pairs.push((
                    report.total.volume_isotropic_mm3.unwrap(),
                    plain.total.volume_isotropic_mm3.unwrap(),
                ));
            }
            for (a, b) in pairs {
                worst = worst.max(relative(a, b));
                assert!(relative(a, b) < 1e-12, "{a} {b}");
            }
            compared += 1;
        }
    }
    record(
        "calcium-invariance",
        &[Row {
            number: "All scores under flips and quarter turns".into(),
            data: "5 random volumes, 37 x 29 x 8, 16 turns each",
            method: "calcium, CPU",
            reference: "itself",
            ours: format!("{compared} volumes"),
            theirs: format!("{compared} volumes"),
            difference: format!("{worst:.1e} relative, components equal"),
            allowed: "1e-12 relative".into(),
        }],
    );
}

/// Through real files: shuffled, named at random, stored with other slopes, signs and byte orders.
#[test]
fn order_and_encoding_of_files_change_nothing() {
    let mut random = Random::new(5);
    let dims = [23, 31, 9];
    let marks: Vec<Mark> = (0..60)
        .map(|_| {
            let at = dims.map(|n| random.next_u32() % n);
            let to = [0, 1, 2].map(|i| (at[i] + random.next_u32() % 3).min(dims[i] - 1));
            Mark::Box { from: at, to, value: f64::from(120 + 2 * (random.next_u32() % 200)) }
        })
        .collect();
    let spec = SyntheticSpec {
        name: "calcium".into(),
        dims,
        spacing_mm: [0.5, 0.75, 3.0],
        fill: Fill::Constant(-100.0),
        marks,
        ..SyntheticSpec::default()
    };
    let run = |spec: &SyntheticSpec| {
        let (series, volume) = load(buffers(synthetic(spec).unwrap()));
        calcium::run(&Input::new(&series, &volume, &[]), &Request::default(), &Reading::default(), &|| 0.0)
            .unwrap()
    };
    let plain = run(&spec);
    assert!(plain.components.len() > 30, "{}", plain.components.len());
    let variants = [
        SyntheticSpec { shuffled: true, ..spec.clone() },
        SyntheticSpec { syntax: Syntax::ExplicitBig, ..spec.clone() },
        SyntheticSpec { syntax: Syntax::Deflated, shuffled: true, ..spec.clone() },
        SyntheticSpec { signed: false, bits_stored: 12, rescale: (1.0, -1024.0), ..spec.clone() },
        SyntheticSpec { signed: false, bits_stored: 16, rescale: (0.5, -1024.0), ..spec.clone() },
        SyntheticSpec { rescale: (-1.0, 0.0), ..spec.clone() },
        SyntheticSpec { rescale: (2.0, -1000.0), shuffled: true, ..spec.clone() },
    ];
    for variant in &variants {
        let report = run(variant);
        assert_eq!(report.components, plain.components, "{:?} {:?}", variant.syntax, variant.rescale);
        assert_eq!(report.lesions, plain.lesions);
        assert_eq!(report.total, plain.total);
    }
    // Against the normal, the first slice comes last: the same tissue, numbered the other way.
    let reversed = run(&SyntheticSpec { along_normal: false, ..spec });
    assert_eq!(essence(&reversed), essence(&plain));
}

/// Candidates collected once at 50 HU give what a run from the voxels gives, at every threshold.
#[test]
fn a_rescore_from_candidates_is_a_run_from_the_voxels() {
    let mut random = Random::new(23);
    let volume = ct(Voxels::I16(noisy(&mut random)), DIMS.map(|n| n as u32), [0.5, 0.7, 2.5]);
    let acquisition = common::standard_scan();
    let input = common::input(&volume, &acquisition);
    let candidates = calcium::collect(&input, calcium::LOWEST_THRESHOLD_HU, None).unwrap();
    let mut seen = std::collections::HashSet::new();
    for threshold in [50.0, 90.0, 130.0, 131.0, 200.5, 300.0] {
        let request = Request { threshold_hu: Some(threshold), ..Request::default() };
        let again = calcium::rescore(&input, &candidates, &request, &Reading::default(), &|| 0.0).unwrap();
        assert_eq!(again, calcium::run(&input, &request, &Reading::default(), &|| 0.0).unwrap());
        // A quick one leaves out two things and changes nothing else.
        let quick = Reading { effort: calcium::Effort::Quick, ..Reading::default() };
        let mut quick = calcium::rescore(&input, &candidates, &request, &quick, &|| 0.0).unwrap();
        assert!(quick.sensitivity.is_none() && quick.total.volume_isotropic_mm3.is_none());
        quick.sensitivity = again.sensitivity.clone();
        quick.warnings.clone_from(&again.warnings);
        let strip = |r: &calcium::Report| {
            let mut r = r.clone();
            r.components.iter_mut().for_each(|c| c.volume_isotropic_mm3 = None);
            r.lesions.iter_mut().for_each(|l| l.sums.volume_isotropic_mm3 = None);
            r.total.volume_isotropic_mm3 = None;
            r
        };
        assert_eq!(quick, strip(&again));
        assert_eq!(again.stamp.is_none(), threshold == 130.0);
        seen.insert(again.total.agatston.to_bits());
    }
    assert!(seen.len() >= 5, "thresholds that change nothing prove nothing");
    let low = Request { threshold_hu: Some(130.0), ..Request::default() };
    let high = calcium::collect(&input, 200.0, None).unwrap();
    assert!(calcium::rescore(&input, &high, &low, &Reading::default(), &|| 0.0).is_err(), "below the floor");
}
