//! The score on a GPU against the score on the CPU: the same tables, the same integers, the same scores.
//!
//! The CPU's numbers are compared with other people's elsewhere (`qrm.rs`, `random_bank.rs`).

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use calcium::gpu::{Error, Scorer};
use calcium::{
    CONVENTIONS, Candidates, Connectivity, Convention, Edit, Effort, LOWEST_THRESHOLD_HU, MinimumArea,
    Reading, Region, Request, Session, Vessel,
};
use common::apart::apart;
use common::{bank, gpu as on, shapes};
use gpu_kernels::{Budget, ComputeError, Gpu, wgpu};
use imaging::{Volume, Voxels};
use testbed::verification::{Row, record};

const CASES: usize = 630;

#[test]
fn the_bank_scores_alike() {
    let Some((gpu, mut scorer)) = on::device() else { return };
    let (mut worst, mut components, mut floats): (f64, usize, f64) = (0.0, 0, 0.0);
    for (i, case) in bank::cases(CASES).iter().enumerate() {
        let what = format!("case {i} ({})", bank::KINDS[i % bank::KINDS.len()]);
        let acquisition = case.acquisition();
        let input = common::input(&case.volume, &acquisition);
        let table = on::collect(&gpu, &mut scorer, &input, Some(&case.region));
        let want = Candidates::collect(&case.volume, LOWEST_THRESHOLD_HU, Some(&case.region)).unwrap();
        assert!(*table.host() == want, "{what}: another table of candidates");
        let got = on::rescore(&gpu, &scorer, &input, &table, &case.request, &case.reading());
        let want = calcium::rescore(&input, &want, &case.request, &case.reading(), &|| 0.0).unwrap();
        components += got.components.len();
        match apart(&got, &want) {
            Ok(off) if matches!(case.volume.voxels, Voxels::F32(_)) => floats = floats.max(off),
            Ok(off) => worst = worst.max(off),
            Err(difference) => panic!("{what}: {difference}"),
        }
    }
    assert!(components > 5000, "{components}");
    // Integers decide everything there; floats are added in another order.
    assert_eq!(worst, 0.0);
    record(
        "calcium-gpu-bank",
        &[Row {
            number: format!("The whole report over {components} components, on {}", on::name(&gpu)),
            data: "630 random volumes of 14 kinds (odd sizes, unequal spacing, touching, diagonal, bridges, borders, overlap, negative slope, NaN, padding, region, percolation)",
            method: "calcium, GPU",
            reference: "calcium, CPU",
            ours: format!("{components} components"),
            theirs: format!("{components} components"),
            difference: format!("0; {floats:.1e} relative in volumes of floats"),
            allowed: "integers equal, 1e-6 relative".into(),
        }],
    );
}

/// Every component counts, however small.
fn open_request(connectivity: Connectivity) -> Request {
    let minimum_area = MinimumArea::MoreThanMm2(0.0);
    let convention = Convention { connectivity, minimum_area, ..CONVENTIONS[0] };
    Request { convention, ..Request::default() }
}

fn volume(values: Vec<i16>, dims: [u32; 3]) -> Volume {
    common::ct(Voxels::I16(values), dims, [1.0, 1.0, 3.0])
}

#[test]
fn what_breaks_labellers_scores_alike() {
    let Some((gpu, mut scorer)) = on::device() else { return };
    /// Name, size, values, number of components with 4 and with 8 neighbours (where it is to be scored).
    type Case = (String, [u32; 3], Vec<i16>, [Option<usize>; 2]);
    let mut cases: Vec<Case> = Vec::new();
    for n in [5, 63, 64, 65, 257, 1023] {
        let side = n as u32;
        cases.push((format!("spiral of {n}"), [side, side, 1], shapes::spiral(n), [Some(1); 2]));
    }
    for (i, comb) in shapes::combs(1023, 511).into_iter().enumerate() {
        let want = Some(if i == 4 { 2 } else { 1 });
        cases.push((format!("comb {i}"), [1023, 511, 1], comb, [want; 2]));
    }
    let board = [201, 99, 3];
    let half = (201 * 99usize * 3).div_ceil(2);
    cases.push(("checkerboard".into(), board, shapes::checkerboard(board), [Some(half), Some(3)]));
    for step in [[0, 0], [1, 0], [0, 1], [1, 1]] {
        cases.push((format!("stairs {step:?}"), shapes::STAIRS, shapes::stairs(step), [Some(30); 2]));
    }
    // One component in each slice, over every group of threads that there is.
    cases.push(("every voxel".into(), [300, 200, 5], vec![300; 300 * 200 * 5], [Some(5); 2]));
    cases.push(("no voxel".into(), [30, 20, 5], vec![0; 3000], [Some(0); 2]));
    cases.push(("1 x 1 x 1".into(), [1, 1, 1], vec![200], [Some(1); 2]));
    cases.push(("1 x 1 x 1, nothing".into(), [1, 1, 1], vec![129], [Some(0); 2]));
    let (dims, singles) = shapes::a_million_single_pixels();
    cases.push(("a million single pixels".into(), dims, singles, [None, Some(256 * 256 * 16)]));
    let count = cases.len();
    for (name, dims, values, want) in cases {
        let volume = volume(values, dims);
        let acquisition = common::standard_scan();
        let input = common::input(&volume, &acquisition);
        let table = on::collect(&gpu, &mut scorer, &input, None);
        for (connectivity, want) in [Connectivity::Four, Connectivity::Eight].into_iter().zip(want) {
            let Some(want) = want else { continue };
            let request = open_request(connectivity);
            let on_gpu = on::rescore(&gpu, &scorer, &input, &table, &request, &Reading::default());
            assert_eq!(on_gpu.components.len(), want, "{name} {connectivity:?}");
            let on_cpu = common::score(&volume, &request, &Reading::default());
            assert_eq!(apart(&on_gpu, &on_cpu), Ok(0.0), "{name} {connectivity:?}");
        }
    }
    record(
        "calcium-gpu-adversarial",
        &[Row {
            number: format!("The whole report of {count} volumes, on {}", on::name(&gpu)),
            data: "drawn: spirals, combs, checkerboard, stairs, every voxel, none, 1,048,576 single pixels",
            method: "calcium, GPU",
            reference: "calcium, CPU, and the number of components as drawn",
            ours: format!("{count} volumes"),
            theirs: format!("{count} volumes"),
            difference: "0".into(),
            allowed: "0".into(),
        }],
    );
}

/// Noise around the threshold: runs break and join from one step of the slider to the next.
fn noisy(dims: [u32; 3]) -> Volume {
    let mut random = phantom::random::Random::new(77);
    let values = (0..dims.iter().product()).map(|_: u32| (90.0 + 90.0 * random.normal()) as i16).collect();
    volume(values, dims)
}

#[test]
fn a_slider_and_slabs_change_nothing_but_the_threshold() {
    let Some((gpu, mut scorer)) = on::device() else { return };
    let volume = noisy([67, 53, 11]);
    let acquisition = common::standard_scan();
    let input = common::input(&volume, &acquisition);
    let want = Candidates::collect(&volume, LOWEST_THRESHOLD_HU, None).unwrap();
    let table = on::collect(&gpu, &mut scorer, &input, None);
    for words in [3, 160, 1000] {
        let scorer = pollster::block_on(Scorer::new(&gpu)).unwrap();
        let in_slabs = on::collect(&gpu, &mut scorer.with_slab_words(words), &input, None);
        assert!(*in_slabs.host() == want, "slabs of {words} words");
    }
    for threshold_hu in (50..=300).step_by(10).map(f64::from).chain([50.5, 1e6]) {
        for effort in [Effort::Quick, Effort::Full] {
            let request = Request { threshold_hu: Some(threshold_hu), ..open_request(Connectivity::Eight) };
            let reading = Reading { effort, ..Reading::default() };
            let got = on::rescore(&gpu, &scorer, &input, &table, &request, &reading);
            let want = calcium::rescore(&input, &want, &request, &reading, &|| 0.0).unwrap();
            assert_eq!(apart(&got, &want), Ok(0.0), "{threshold_hu} {effort:?}");
        }
    }
}

#[test]
fn what_a_reader_did_counts_alike() {
    let Some((gpu, mut scorer)) = on::device() else { return };
    let volume = noisy([48, 40, 9]);
    let acquisition = common::standard_scan();
    let input = common::input(&volume, &acquisition);
    let table = on::collect(&gpu, &mut scorer, &input, None);
    let at = |x: f64, y: f64, z: f64| [x, y, 3.0 * z];
    let along = [0.0, 0.0, 1.0];
    let session = Session {
        region: Some(Region { from: [4, 3, 1], to: [40, 36, 7] }),
        edits: vec![
            Edit::Erase { centre_mm: at(20.0, 20.0, 4.0), radius_mm: 5.0 },
            Edit::Outline {
                corners_mm: vec![at(5.0, 5.0, 2.0), at(30.0, 6.0, 2.0), at(18.0, 30.0, 2.0)],
                along,
                depth_mm: 9.0,
                vessel: Some(Vessel::Lad),
            },
            Edit::Cut { from_mm: at(2.0, 12.0, 3.0), to_mm: at(44.0, 15.0, 3.0), along, depth_mm: 30.0 },
            Edit::Assign { at_mm: at(30.0, 25.0, 3.0), along, depth_mm: 20.0, vessel: Some(Vessel::Rca) },
        ],
        ..Session::default()
    };
    let reading = Reading::of(&session);
    let request = Request { threshold_hu: Some(230.0), ..open_request(Connectivity::Eight) };
    let host = table.host().trimmed(&volume.grid, session.region, &session.edits).unwrap();
    let trimmed = scorer.trimmed(&gpu, &table, &volume.grid, session.region, &session.edits);
    let trimmed = pollster::block_on(trimmed).unwrap().unwrap();
    assert!(host.len() < table.host().len() && *trimmed.host() == host);
    let got = on::rescore(&gpu, &scorer, &input, &trimmed, &request, &reading);
    let want = calcium::rescore(&input, &host, &request, &reading, &|| 0.0).unwrap();
    assert_eq!(apart(&got, &want), Ok(0.0));
    let vessels = got.vessels.iter().filter(|v| v.sums.agatston > 0.0).count();
    assert!(vessels >= 2 && got.total.agatston > 0.0, "the edits must do something: {vessels}");
    let marked = scorer.rescore_owned(&gpu, &input, &trimmed, &request, &reading, &|| 0.0);
    let (_, want) = calcium::rescore_owned(&input, &host, &request, &reading, &|| 0.0).unwrap();
    assert!(pollster::block_on(marked).unwrap().1 == want);
}

/// What differs is found: one number of a report, wherever it stands.
#[test]
fn a_planted_difference_is_found() {
    let Some((gpu, mut scorer)) = on::device() else { return };
    let volume = noisy([20, 20, 3]);
    let acquisition = common::standard_scan();
    let input = common::input(&volume, &acquisition);
    let table = on::collect(&gpu, &mut scorer, &input, None);
    let request = open_request(Connectivity::Eight);
    let on_cpu = common::score(&volume, &request, &Reading::default());
    let on_gpu = on::rescore(&gpu, &scorer, &input, &table, &request, &Reading::default());
    assert_eq!(apart(&on_gpu, &on_cpu), Ok(0.0));
    let mut voxels = on_gpu.clone();
    voxels.components[3].voxels += 1;
    let mut mean = on_gpu.clone();
    mean.lesions[0].centroid[1] *= 1.0 + 1e-5;
    let mut fewer = on_gpu.clone();
    fewer.components.pop();
    for planted in [voxels, mean, fewer] {
        assert!(apart(&planted, &on_cpu).is_err());
    }
}

/// Each guard, with the fault that it is there for: an error that lets the caller score on the CPU.
#[test]
fn faults_of_a_gpu_are_errors_and_not_scores() {
    let Some((gpu, mut scorer)) = on::device() else { return };
    let volume = noisy([67, 53, 11]);
    let acquisition = common::standard_scan();
    let input = common::input(&volume, &acquisition);
    let table = on::collect(&gpu, &mut scorer, &input, None);
    // Above most of the noise: nearly as many components as runs.
    let request = Request { threshold_hu: Some(230.0), ..open_request(Connectivity::Eight) };
    let reading = Reading::default();
    let error = |scorer: &Scorer| {
        let report = scorer.rescore(&gpu, &input, &table, &request, &reading, &|| 0.0);
        pollster::block_on(report).unwrap_err()
    };
    let scorer_of = |budget| pollster::block_on(Scorer::within(&gpu, budget)).unwrap();
    let all = Budget::of(&gpu);

    let stuck = error(&scorer_of(all).with_max_steps(1));
    assert!(matches!(stuck, Error::Compute(ComputeError::Stuck(1))), "{stuck}");
    let pieces = error(&scorer_of(Budget { binding_bytes: 1 << 14, ..all }));
    let too_many = |e: &Error, name: &str| matches!(e, Error::Compute(ComputeError::TooLarge { what, value, limit }) if *what == name && value > limit);
    assert!(too_many(&pieces, "runs at the threshold"), "{pieces}");
    let components = error(&scorer_of(Budget { binding_bytes: 1 << 16, ..all }));
    assert!(too_many(&components, "components"), "{components}");
    let on_gpu = on::upload(&gpu, &volume);
    let collect = |scorer: &mut Scorer, input: &calcium::Input, floor| {
        let collected = scorer.collect(&gpu, input, &on_gpu, floor, None);
        pollster::block_on(collected).err().unwrap()
    };
    let floor = LOWEST_THRESHOLD_HU;
    let runs = collect(&mut scorer_of(Budget { binding_bytes: 1 << 14, ..all }), &input, floor);
    assert!(too_many(&runs, "runs of candidates"), "{runs}");
    for e in [&stuck, &pieces, &components, &runs] {
        assert!(e.cpu_can_score() && e.to_string().contains("use the CPU"), "{e}");
    }

    let other = noisy([67, 53, 12]);
    let wrong = collect(&mut scorer, &common::input(&other, &acquisition), floor);
    assert!(matches!(wrong, Error::OtherVolume(_)), "{wrong}");
    let mut half = on::upload(&gpu, &volume);
    half.mark_missing(5);
    let early = scorer.collect(&gpu, &input, &half, floor, None);
    let early = pollster::block_on(early).err().unwrap();
    assert!(matches!(&early, Error::OtherVolume(why) if why.contains("slice 5")), "{early}");

    // Those the CPU refuses as well.
    let low = collect(&mut scorer, &input, 49.0);
    assert!(matches!(low, Error::Calcium(calcium::Error::Threshold(49.0))) && !low.cpu_can_score());
    let high = pollster::block_on(scorer.collect(&gpu, &input, &on_gpu, 250.0, None)).unwrap();
    let below = scorer.rescore(&gpu, &input, &high, &request, &reading, &|| 0.0);
    let below = pollster::block_on(below).unwrap_err();
    assert!(matches!(below, Error::Calcium(calcium::Error::Floor { .. })), "{below}");

    gpu.lose_for_test();
    let report = scorer.rescore(&gpu, &input, &table, &request, &reading, &|| 0.0);
    let lost = pollster::block_on(report).unwrap_err();
    assert!(lost.cpu_can_score(), "{lost}");
}

/// What every browser promises is enough for 512 x 512 x 512: 128 MiB bindings, 65535 groups, 8 buffers.
#[test]
fn a_large_volume_needs_only_default_limits() {
    let limits = wgpu::Limits::default();
    assert_eq!(limits.max_storage_buffer_binding_size, 128 << 20);
    let Some(_) = on::device() else { return };
    let gpu = pollster::block_on(Gpu::headless_within(Some(limits))).unwrap();
    let mut scorer = pollster::block_on(Scorer::new(&gpu)).unwrap();
    let value = |i: u32| {
        // A block of noise in one voxel of a hundred.
        let (x, y, z) = (i % 512, i / 512 % 512, i / (512 * 512));
        let inside = (x + 37 * (y / 16) + 91 * (z / 8)) % 512 < 5;
        if inside { 100 + (i.wrapping_mul(2_654_435_761) >> 25) as i16 } else { 10 }
    };
    let volume = volume((0..512u32.pow(3)).map(value).collect(), [512; 3]);
    let acquisition = common::standard_scan();
    let input = common::input(&volume, &acquisition);
    let table = on::collect(&gpu, &mut scorer, &input, None);
    assert!(table.host().len() > 1_000_000);
    assert!(*table.host() == Candidates::collect(&volume, LOWEST_THRESHOLD_HU, None).unwrap());
    let request = open_request(Connectivity::Eight);
    let on_gpu = on::rescore(&gpu, &scorer, &input, &table, &request, &Reading::default());
    let on_cpu = common::score(&volume, &request, &Reading::default());
    assert_eq!(apart(&on_gpu, &on_cpu), Ok(0.0));
    assert!(on_gpu.components.len() > 10_000, "{}", on_gpu.components.len());
}
