//! Concentration by a (software) GPU against the host's: smoothed, moved, resampled, with holes, of CT and of MR.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use common::{adapter, input, on_gpu, run};
use imaging::{Volume, Voxels};
use perfusion::gpu::Mapper;
use perfusion::{Analysis, Map, MaskWish, Method, Motion, Prepared, Session, Signal, Source, Stage};
use scene::{DAffine3, DMat3, DVec3, Frame, Grid, LengthUnit};

const DIMS: [u32; 3] = [26, 22, 4];
const SAMPLES: usize = 24;

/// A head of tissue with an artery, a vein and noise; `darkens` for MR.
fn head(darkens: bool) -> Volume {
    let spacing = DAffine3::from_mat3(DMat3::from_diagonal(DVec3::new(1.1, 0.9, 4.0)));
    let grid = Grid::new(DIMS, spacing, LengthUnit::Millimetre, Frame::Patient).unwrap();
    let mut random = phantom::random::Random::new(7);
    let bolus = |t: usize, late: f64| {
        let u = t as f64 - 5.0 - late;
        if u > 0.0 { u.powi(3) * (-u / 1.4).exp() / 3.4 } else { 0.0 }
    };
    let mut values = Vec::new();
    for t in 0..SAMPLES {
        for z in 0..DIMS[2] {
            for (y, x) in (0..DIMS[1]).flat_map(|y| (0..DIMS[0]).map(move |x| (y, x))) {
                let near = |cx: u32, cy: u32| x.abs_diff(cx) < 2 && y.abs_diff(cy) < 2;
                let (share, late) = match () {
                    () if near(13, 6) => (1.0, 0.0),
                    () if near(13, 17) => (1.2, 3.0),
                    () => (0.03 + 0.001 * f64::from(x + z), 1.5),
                };
                let noise = 2.0 * random.normal();
                values.push(match darkens {
                    true => ((400.0 + noise) * (-0.9 * share * bolus(t, late)).exp()) as f32,
                    false => (36.0 + 250.0 * share * bolus(t, late) + noise) as f32,
                });
            }
        }
    }
    let mut volume = Volume::new(Voxels::F32(values), grid);
    volume.time_points = SAMPLES as u32;
    volume.times_s = (0..SAMPLES).map(|t| 1.5 * t as f64).collect();
    volume.unit = if darkens { "" } else { "HU" }.into();
    volume
}

fn session(signal: Signal) -> Session {
    Session {
        signal,
        te_ms: if signal == Signal::Dsc { vec![30.0] } else { Vec::new() },
        mask: MaskWish::None,
        motion: Motion::Off,
        aif: Source::Point { voxel: [13, 6, 1], radius_mm: 0.0 },
        vof: Source::None,
        ..Session::default()
    }
}

fn alike(what: &str, got: &Prepared, want: &Prepared) {
    assert_eq!(got.curves.voxels(), want.curves.voxels(), "{what}");
    let values = |p: &Prepared| (0..p.curves.len()).flat_map(|at| p.curves.curve(at)).collect::<Vec<f64>>();
    let high = values(want).into_iter().fold(0.0, f64::max);
    let mut worst = 0.0f64;
    for at in 0..want.curves.len() {
        assert_eq!(got.curves.usable(at), want.curves.usable(at), "{what}: voxel {at}");
        for t in 0..want.curves.samples() {
            let [a, b] = [got, want].map(|p| f64::from(p.curves.value(at, t)));
            worst = worst.max((a - b).abs() / high);
        }
        for [a, b] in [[&got.baseline, &want.baseline], [&got.noise, &want.noise]] {
            assert!((a[at] - b[at]).abs() < 1e-4 * (1.0 + b[at].abs()), "{what}: {} {}", a[at], b[at]);
        }
    }
    println!("{what}: at most {worst:.1e} of the highest value apart");
    assert!(worst < 1e-5, "{what}: {worst}");
    assert_eq!((got.baseline_samples, got.arrival), (want.baseline_samples, want.arrival));
}

#[test]
fn frames_become_the_same_concentration() {
    let Some(gpu) = adapter() else { return };
    let mut holes = head(false);
    if let Voxels::F32(values) = &mut holes.voxels {
        let frame = DIMS.iter().product::<u32>() as usize;
        // A voxel without a number in one frame: its neighbours there, not it, still have concentration.
        values[9 * frame + 700] = f32::NAN;
        (0..SAMPLES).for_each(|t| values[t * frame + 901] = 17.0);
    }
    let mut missing = head(false);
    missing.missing = vec![[6, 2], [7, 2]];
    let mut uneven = head(false);
    uneven.times_s =
        (0..SAMPLES).map(|t| if t < 12 { t as f64 } else { 12.0 + 2.5 * (t - 12) as f64 }).collect();
    let ct = session(Signal::Ct);
    let smooth = |mm| Session { smooth_mm: Some(mm), ..ct.clone() };
    let cases = [
        ("CT, smoothed by its noise", head(false), ct.clone()),
        ("CT, 2 mm", head(false), smooth(2.0)),
        ("CT as it is", head(false), smooth(0.0)),
        ("CT with holes", holes, smooth(1.5)),
        ("CT without some slices", missing, smooth(1.5)),
        ("CT, uneven times", uneven, smooth(1.5)),
        ("CT, moved", head(false), Session { motion: Motion::InPlane, ..smooth(1.5) }),
        ("bilateral, by the host", head(false), Session { bilateral_hu: Some(20.0), ..smooth(1.5) }),
        ("MR", head(true), session(Signal::Dsc)),
        ("MR, smoothed", head(true), Session { smooth_mm: Some(1.5), ..session(Signal::Dsc) }),
        (
            "MR, corrected for leakage",
            head(true),
            Session { leakage_correction: true, ..session(Signal::Dsc) },
        ),
    ];
    for (what, volume, session) in cases {
        let (on_cpu, _) = run(&volume, "CT", &session);
        let mut mapper = pollster::block_on(Mapper::new(&gpu)).unwrap().with_slab(500);
        let (analysis, _) = on_gpu(&gpu, &mut mapper, &input(&volume, "CT"), &session);
        alike(what, analysis.prepared().unwrap(), on_cpu.prepared().unwrap());
        let maps = [&analysis, &on_cpu].map(|a| a.maps().unwrap().get(Map::Cbv).to_vec());
        let most = maps[1].iter().copied().fold(0.0, f32::max);
        assert!(maps[0].iter().zip(&maps[1]).all(|(a, b)| (a - b).abs() < 1e-3 * most), "{what}: CBV");
        let all =
            analysis.prepared().unwrap().curves.blocks() * 32 * analysis.prepared().unwrap().curves.samples();
        assert_eq!(mapper.gpu_bytes(), all as u64 * 4, "{what}: the curves lie there once");
    }
}

/// A device that goes in the middle of the frames costs the stage and not the study.
#[test]
fn a_device_that_is_lost_among_the_frames_leaves_the_host_to_do_it() {
    let Some(gpu) = adapter() else { return };
    let (volume, session) = (head(false), Session { method: Method::Csvd, ..session(Signal::Ct) });
    let (on_cpu, _) = run(&volume, "CT", &session);
    let input = input(&volume, "CT");
    let mut mapper = pollster::block_on(Mapper::new(&gpu)).unwrap();
    let mut analysis = Analysis::new(session);
    while analysis.stage() != Stage::Curves {
        pollster::block_on(mapper.step(&gpu, &mut analysis, &input)).unwrap();
    }
    let begun = pollster::block_on(mapper.step(&gpu, &mut analysis, &input)).unwrap();
    assert!(begun.done > 0 && begun.done < begun.total, "{begun:?}");
    gpu.lose_for_test();
    let mut step = || pollster::block_on(mapper.step(&gpu, &mut analysis, &input));
    let lost = (0..SAMPLES).find_map(|_| step().err()).unwrap();
    assert!(lost.cpu_can_compute() && lost.to_string().contains("use the CPU"), "{lost}");
    analysis.drop_from(Stage::Curves);
    analysis.run(&input, &mut |_| true).unwrap();
    assert_eq!(analysis.maps(), on_cpu.maps());
}
