//! Maps from a (software) GPU against those of the CPU in f64: every method, odd sizes, many slabs.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{adapter, on_gpu, plain, row_of_curves, run};
use gpu_kernels::Budget;
use perfusion::gpu::{self, Mapper};
use perfusion::{Analysis, Map, Matrix, Method, Session, Source, Stage, oscillation};
use testbed::verification::{Row, record};

const DT_S: f64 = 1.3;

fn aif(samples: usize) -> Vec<f64> {
    let value = |i: usize| {
        let u = i as f64 * DT_S - 6.0;
        if u > 0.0 { 30.0 * u.powi(3) * (-u / 1.5).exp() } else { 0.0 }
    };
    (0..samples).map(value).collect()
}

/// Tissue of many flows, transit times and delays, with and without noise.
fn tissue(samples: usize, count: usize) -> Vec<Vec<f64>> {
    let aif = aif(samples);
    let mut random = phantom::random::Random::new(41);
    (0..count)
        .map(|v| {
            let (flow, mtt) = (0.002 + 0.001 * (v % 10) as f64, 2.0 + (v % 7) as f64);
            let delay = v % 4;
            let noise = [0.0, 0.3, 1.5][v % 3];
            let at = |t: usize| -> f64 {
                let part = |j: usize| aif[j] * (-((t - j - delay) as f64) * DT_S / mtt).exp();
                (0..=t).filter(|j| t - j >= delay).map(part).sum()
            };
            (0..samples).map(|t| f64::from((DT_S * flow * at(t) + noise * random.normal()) as f32)).collect()
        })
        .collect()
}

fn all_methods(base: &Session) -> Vec<Session> {
    let with = |method| Session { method, ..base.clone() };
    let mut out: Vec<Session> = Method::ALL.into_iter().map(with).collect();
    out.push(Session { lambda: Some(0.2), ..with(Method::Tikhonov) });
    out.push(Session { matrix: Matrix::Simpson, ..with(Method::Csvd) });
    out.push(Session { oscillation: 0.095, ..with(Method::Osvd) });
    out.push(Session { iterations: 20, ..with(Method::LucyRichardson) });
    out
}

#[test]
fn the_maps_of_the_gpu_are_those_of_f64() {
    let Some(gpu) = adapter() else { return };
    let budget = Budget { binding_bytes: 1 << 20, groups: 65535 };
    let mut rows = Vec::new();
    for (samples, count) in [(45, 1003), (60, 333), (33, 70)] {
        let times_s: Vec<f64> = (0..samples).map(|t| t as f64 * DT_S).collect();
        let base = Session { aif: Source::Curve { times_s, values: aif(samples) }, ..plain() };
        let volume = row_of_curves(&tissue(samples, count), DT_S);
        let input = common::input(&volume, "NIfTI");
        // Many slabs, the last one short.
        let mut mapper = pollster::block_on(Mapper::within(&gpu, budget)).unwrap().with_slab(64);
        for session in all_methods(&base) {
            let (on_cpu, _) = run(&volume, "NIfTI", &session);
            let (analysis, report) = on_gpu(&gpu, &mut mapper, &input, &session);
            assert!(report.backend.starts_with("gpu: "), "{}", report.backend);
            let (got, want) = (analysis.maps().unwrap(), on_cpu.maps().unwrap());
            let most = want.get(Map::Cbf).iter().copied().fold(0.0, f32::max);
            let mut largest = 0.0f64;
            let mut ties = 0;
            for i in 0..count {
                // The definition in f64, for this voxel.
                let residue = on_cpu.residue(i as u32).unwrap();
                let exact = 6000.0 * residue.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                if got.get(Map::Cbf)[i] < 0.01 * most {
                    continue;
                }
                let apart = common::relative(f64::from(got.get(Map::Cbf)[i]), exact);
                let late = (got.get(Map::Tmax)[i] - want.get(Map::Tmax)[i]).abs();
                if apart > 1e-3 || late > 0.0 {
                    ties += 1;
                    println!(
                        "{}, voxel {i}: CBF {} of {exact}, Tmax {} of {}, oscillation {}",
                        session.method.name(),
                        got.get(Map::Cbf)[i],
                        got.get(Map::Tmax)[i],
                        want.get(Map::Tmax)[i],
                        oscillation(&residue)
                    );
                } else {
                    largest = largest.max(apart);
                }
                for map in [Map::Cbv, Map::Ttp] {
                    let apart = common::relative(got.get(map)[i].into(), want.get(map)[i].into());
                    assert!(apart < 1e-3, "{map:?} of {i}");
                }
            }
            println!("{samples} samples, {}: {largest:.1e}, {ties} ties", session.method.name());
            // A voxel may lie on the limit of a choice to rounding; of a thousand hardly one does.
            assert!(ties <= 1 + count / 500, "{}: {ties} of {count} differ", session.method.name());
            rows.push(Row {
                number: format!(
                    "CBF, {} on the GPU, {count} voxels of {samples} samples",
                    session.method.name()
                ),
                data: "simulated curves with noise",
                method: "default settings and others",
                reference: "the definition in f64",
                ours: "CBF per voxel".into(),
                theirs: "CBF per voxel".into(),
                difference: format!("{largest:.1e} relative"),
                allowed: "1e-3 relative".into(),
            });
        }
        let bytes = (count.div_ceil(32) * 32 * samples * 4) as u64;
        assert_eq!(mapper.gpu_bytes(), bytes, "curves lie there once");
    }
    rows.truncate(9);
    record("perfusion-gpu", &rows);
}

/// Another artery uses the curves that are there; other curves replace them; a failure leaves the CPU's way open.
#[test]
fn curves_stay_until_others_come() {
    let Some(gpu) = adapter() else { return };
    let samples = 40;
    let times_s: Vec<f64> = (0..samples).map(|t| t as f64 * DT_S).collect();
    let session =
        Session { aif: Source::Curve { times_s: times_s.clone(), values: aif(samples) }, ..plain() };
    let volume = row_of_curves(&tissue(samples, 200), DT_S);
    let input = common::input(&volume, "NIfTI");
    let mut mapper = pollster::block_on(Mapper::new(&gpu)).unwrap();
    let mut analysis = Analysis::new(session.clone());
    let finish = |analysis: &mut Analysis, mapper: &mut Mapper| {
        while analysis.stage() != Stage::Done {
            pollster::block_on(mapper.step(&gpu, analysis, &input)).unwrap();
        }
        analysis.maps().unwrap().get(Map::Cbf).to_vec()
    };
    let first = finish(&mut analysis, &mut mapper);
    let doubled = Source::Curve { times_s, values: aif(samples).iter().map(|v| 2.0 * v).collect() };
    analysis.set(Session { aif: doubled, ..session.clone() });
    let half = finish(&mut analysis, &mut mapper);
    assert!(first.iter().zip(&half).all(|(a, b)| (a - 2.0 * b).abs() <= 1e-4 * a.abs()), "half the flow");
    analysis.set(session);
    assert_eq!(finish(&mut analysis, &mut mapper), first, "and back");
    let other = row_of_curves(&tissue(samples, 90), DT_S);
    let again = on_gpu(&gpu, &mut mapper, &common::input(&other, "NIfTI"), analysis.session());
    assert_eq!(again.0.maps().unwrap().get(Map::Cbf), &first[..90], "another study with the same curves");
    // Records that no binding holds: refused, and the CPU computes them.
    let tiny = Budget { binding_bytes: 4096, groups: 8 };
    let mut tiny = pollster::block_on(Mapper::within(&gpu, tiny)).unwrap();
    let error =
        pollster::block_on(gpu::run(&gpu, &mut tiny, &input, analysis.session(), &|| 0.0)).err().unwrap();
    assert!(error.cpu_can_compute() && error.to_string().contains("use the CPU"), "{error}");
    gpu.lose_for_test();
    analysis.drop_from(Stage::Maps);
    let lost = pollster::block_on(mapper.step(&gpu, &mut analysis, &input));
    assert!(lost.is_err_and(|e| e.cpu_can_compute()));
    analysis.drop_from(Stage::Maps);
    analysis.run(&input, &mut |_| true).unwrap();
    let on_cpu = analysis.maps().unwrap().get(Map::Cbf);
    assert!(on_cpu.iter().zip(&first).all(|(a, b)| (a - b).abs() <= 1e-3 * a.abs()));
}
