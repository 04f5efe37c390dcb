//! Planted faults and clean studies: what the quality page flags and what it lets pass, counted.
//!
//! At least 95 % of the faults must be flagged and at most 5 % of the clean studies; every case is printed.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use common::load;
use imaging::source::Buffer;
use imaging::{Volume, Voxels};
use perfusion::{AutoAif, Input, Method, Session, Source};
use phantom::perfusion as head;
use phantom::random::Random;
use testbed::verification::{Row, record};

fn buffers(files: Vec<(String, Vec<u8>)>) -> Vec<Buffer> {
    files.into_iter().map(|(name, bytes)| Buffer { name, bytes }).collect()
}

fn values(volume: &Volume) -> &[i16] {
    match &volume.voxels {
        Voxels::I16(v) => v,
        _ => panic!("the phantom is 12 bit"),
    }
}

/// Frames by their index in the original, each changed; times go with them unless given.
fn rebuilt(
    volume: &Volume,
    order: &[usize],
    times_s: Vec<f64>,
    mut change: impl FnMut(usize, &mut [i16]),
) -> Volume {
    let n = volume.grid.voxel_count();
    let mut out = Vec::with_capacity(order.len() * n);
    for (t, from) in order.iter().enumerate() {
        let start = out.len();
        out.extend_from_slice(&values(volume)[from * n..(from + 1) * n]);
        change(t, &mut out[start..]);
    }
    Volume { voxels: Voxels::I16(out), time_points: order.len() as u32, times_s, ..volume.clone() }
}

fn all(volume: &Volume) -> Vec<usize> {
    (0..volume.time_points as usize).collect()
}

fn kept(volume: &Volume, order: Vec<usize>) -> Volume {
    let first = volume.times_s[order[0]];
    let times_s = order.iter().map(|t| volume.times_s[*t] - first).collect();
    rebuilt(volume, &order, times_s, |_, _| {})
}

fn noisy(volume: &Volume, sd: f64, seed: u64) -> Volume {
    let mut random = Random::new(seed);
    rebuilt(volume, &all(volume), volume.times_s.clone(), |_, frame| {
        frame
            .iter_mut()
            .filter(|v| **v > 0)
            .for_each(|v| *v = (f64::from(*v) + sd * random.normal()).round() as i16);
    })
}

/// Frames of a range moved by so many millimetres along the rows or the columns.
fn moved(volume: &Volume, frames: std::ops::Range<usize>, mm: f64, axis: usize) -> Volume {
    let [columns, rows, _] = volume.grid.dims().map(|n| n as usize);
    let shift = mm / head::PIXEL_MM;
    rebuilt(volume, &all(volume), volume.times_s.clone(), |t, frame| {
        if !frames.contains(&t) {
            return;
        }
        let old = frame.to_vec();
        for (i, out) in frame.iter_mut().enumerate() {
            let (x, y) = (i % columns, i / columns % rows);
            let (at, length, stride) = if axis == 0 { (x, columns, 1) } else { (y, rows, columns) };
            let from = (at as f64 - shift).clamp(0.0, length as f64 - 1.001);
            let base = i - at * stride + from as usize * stride;
            let share = from.fract();
            *out =
                (f64::from(old[base]) * (1.0 - share) + f64::from(old[base + stride]) * share).round() as i16;
        }
    })
}

fn shuffled(count: usize, seed: u64) -> Vec<usize> {
    let mut random = Random::new(seed);
    let mut order: Vec<usize> = (0..count).collect();
    for i in (1..count).rev() {
        order.swap(i, (random.uniform() * (i + 1) as f64) as usize);
    }
    order
}

/// The names of the failed checks.
fn failed(volume: &Volume, session: &Session, other_stacks: u32) -> Vec<&'static str> {
    let input = Input { volume, modality: "CT", reading_warnings: &[], mask: None, other_stacks };
    match perfusion::run(&input, session, &|| 0.0) {
        Ok((_, report)) => report.quality.iter().filter(|c| !c.passed).map(|c| c.check).collect(),
        // A refusal is the loudest flag.
        Err(_) => vec!["refused"],
    }
}

struct Tally {
    faults: bool,
    count: usize,
    flagged: usize,
    wrong: Vec<String>,
}

impl Tally {
    fn add(&mut self, name: &str, failed: &[&'static str]) {
        println!("{} {name}: {failed:?}", if self.faults { "fault" } else { "clean" });
        self.count += 1;
        self.flagged += usize::from(!failed.is_empty());
        if failed.is_empty() == self.faults {
            self.wrong.push(name.to_owned());
        }
    }
}

fn voxel(name: &str, truth: &head::Truth) -> [u32; 3] {
    truth.regions.iter().find(|r| r.region.name == name).unwrap().example_voxel.unwrap()
}

#[test]
fn faults_are_flagged_and_clean_studies_are_not() {
    let study = head::study(&head::regular_times_s()).unwrap();
    let truth = study.truth;
    let (_, volume) = load(buffers(study.files.clone()));
    let default = Session::default();
    let frames = volume.time_points as usize;
    let mut faults = Tally { faults: true, count: 0, flagged: 0, wrong: Vec::new() };
    let mut check = |name: String, volume: &Volume, session: &Session| {
        faults.add(&name, &failed(volume, session, 0));
    };

    for end in [13, 15, 16, 17, 18] {
        check(format!("truncated after {end} s"), &kept(&volume, (0..end).collect()), &default);
    }
    for start in [9, 10, 11, 12] {
        check(format!("begun at {start} s"), &kept(&volume, (start..frames).collect()), &default);
    }
    for seed in 1..=5 {
        let order = shuffled(frames, seed);
        check(
            format!("shuffled {seed}"),
            &rebuilt(&volume, &order, volume.times_s.clone(), |_, _| {}),
            &default,
        );
    }
    for (a, b) in [(9, 13), (11, 16), (12, 20), (10, 12)] {
        let mut order = all(&volume);
        order.swap(a, b);
        let swapped = rebuilt(&volume, &order, volume.times_s.clone(), |_, _| {});
        check(format!("frames {a} and {b} exchanged"), &swapped, &default);
    }
    for lost in [vec![12], vec![20, 21], vec![14, 15, 16], vec![30]] {
        let order = all(&volume).into_iter().filter(|t| !lost.contains(t)).collect();
        check(format!("frames {lost:?} missing"), &kept(&volume, order), &default);
    }
    let holes = Volume { missing: vec![[12, 3], [13, 3]], ..volume.clone() };
    check("two slices missing".into(), &holes, &default);
    for (i, mm) in [1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0].into_iter().enumerate() {
        check(format!("moved by {mm} mm from 20 s on"), &moved(&volume, 20..frames, mm, i % 2), &default);
        check(format!("moved by {mm} mm at 16 s"), &moved(&volume, 16..17, mm, (i + 1) % 2), &default);
    }
    for name in ["grey_matter", "penumbra_grey", "core", "vein", "csf"] {
        let aif = Source::Point { voxel: voxel(name, &truth), radius_mm: 0.0 };
        check(format!("artery in {name}"), &volume, &Session { aif, ..default.clone() });
    }
    for late_s in [6.0, 10.0, -18.0] {
        let times_s = volume.times_s.clone();
        let values = times_s.iter().map(|t| head::aif_hu(t - late_s)).collect();
        let aif = Source::Curve { times_s, values };
        check(
            format!("artery of another study, {late_s} s later"),
            &volume,
            &Session { aif, ..default.clone() },
        );
    }
    // Stored values, as a limit of the scanner's reconstruction clips them; bone stays.
    let stored = |hu: f64| ((hu - volume.rescale.intercept) / volume.rescale.slope) as i16;
    for most in [90.0, 130.0, 180.0, 220.0] {
        let clipped = rebuilt(&volume, &all(&volume), volume.times_s.clone(), |_, frame| {
            let enhanced = frame.iter_mut().filter(|v| (stored(most)..stored(500.0)).contains(*v));
            enhanced.for_each(|v| *v = stored(most));
        });
        check(format!("saturated at {most} HU"), &clipped, &default);
    }
    for mm in [0.0, 1.0] {
        // The sample's own 2.5 HU are too much for thresholds.
        let session = Session { smooth_mm: Some(mm), ..default.clone() };
        check(format!("smoothed by {mm} mm only"), &volume, &session);
    }
    for sd in [12.0, 20.0, 40.0] {
        check(format!("noise of {sd} HU"), &noisy(&volume, sd, 7), &default);
    }
    // The files of one time point turned in their slices: they become another stack.
    for at in [14usize, 25] {
        let mut files = study.files.clone();
        let slices = head::SLICES as usize;
        for (_, bytes) in &mut files[at * slices..(at + 1) * slices] {
            let old = b"1\\0\\0\\0\\1\\0";
            let place = bytes.windows(old.len()).position(|w| w == old).unwrap();
            bytes[place..place + old.len()].copy_from_slice(b"0\\1\\0\\1\\0\\0");
        }
        let mut catalog = imaging::read_study(buffers(files), &imaging::limits::Limits::default());
        let dynamic = catalog.series.iter().position(|s| s.time_points > 1).unwrap();
        let stacks = catalog.series[dynamic].stack.1;
        let volume = catalog.volume(dynamic).unwrap();
        let failed = failed(&volume, &default, stacks - 1);
        faults.add(&format!("frame {at} on another grid"), &failed);
    }

    let mut clean = Tally { faults: false, count: 0, flagged: 0, wrong: Vec::new() };
    let mut check = |name: String, volume: &Volume, session: &Session| {
        clean.add(&name, &failed(volume, session, 0));
    };
    for method in Method::ALL {
        check(format!("as it is, {}", method.name()), &volume, &Session { method, ..default.clone() });
    }
    for (sd, seed) in [(1.0, 1), (1.5, 2), (2.0, 3), (2.5, 4), (3.0, 5)] {
        check(format!("{sd} HU more noise"), &noisy(&volume, sd, seed), &default);
    }
    for end in [30, 35, 40] {
        check(format!("ends at {end} s"), &kept(&volume, (0..end).collect()), &default);
    }
    for start in [1, 2, 3] {
        check(format!("begins at {start} s"), &kept(&volume, (start..frames).collect()), &default);
    }
    let second: Vec<usize> = (0..frames).step_by(2).collect();
    check("every second frame".into(), &kept(&volume, second), &default);
    let phases: Vec<usize> = (0..25).chain((27..frames).step_by(3)).collect();
    check("two phases".into(), &kept(&volume, phases), &default);
    for mm in [2.0, 3.5, 5.0] {
        check(format!("smoothed by {mm} mm"), &volume, &Session { smooth_mm: Some(mm), ..default.clone() });
    }
    let peruzzo = Source::Auto { by: AutoAif::Peruzzo };
    check("artery by Peruzzo".into(), &volume, &Session { aif: peruzzo, ..default.clone() });
    let point = Source::Point { voxel: truth.artery_voxels[0], radius_mm: 0.0 };
    check("artery by a click".into(), &volume, &Session { aif: point, ..default.clone() });
    check("moved by 0.2 mm".into(), &moved(&volume, 20..frames, 0.2, 0), &default);

    println!(
        "{} of {} faults flagged, {} of {} clean studies",
        faults.flagged, faults.count, clean.flagged, clean.count
    );
    println!("not flagged: {:?}; flagged though clean: {:?}", faults.wrong, clean.wrong);
    assert!(faults.count >= 40 && clean.count >= 20);
    assert!(faults.flagged * 100 >= faults.count * 95, "not flagged: {:?}", faults.wrong);
    assert!(clean.flagged * 100 <= clean.count * 5, "flagged: {:?}", clean.wrong);
    record(
        "perfusion-faults",
        &[Row {
            number: "planted faults flagged; clean studies flagged".into(),
            data: "perfusion phantom with planted faults",
            method: "quality checks",
            reference: "known truth",
            ours: format!("{} of {}; {} of {}", faults.flagged, faults.count, clean.flagged, clean.count),
            theirs: "all; none".into(),
            difference: format!("{}; {}", faults.count - faults.flagged, clean.flagged),
            allowed: "5 %; 5 %".into(),
        }],
    );
}
