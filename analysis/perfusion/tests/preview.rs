//! What is looked at has its maps first, on the CPU and on the GPU, and they are those that come of it in the end.

#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod common;

use std::ops::Range;

use common::{adapter, input, plain, row_of_curves};
use imaging::Volume;
use perfusion::gpu::Mapper;
use perfusion::{Analysis, Input, Map, Maps, Session, Source, Stage};

const SAMPLES: usize = 16;
/// More than one step of the CPU takes.
const VOXELS: u32 = 300_000;
const LOOKED_AT: Range<u32> = 210_007..211_500;

fn artery(high: f64) -> Vec<f64> {
    (0..SAMPLES).map(|t| high * (t as f64 - 2.0).max(0.0).powi(2) * (-(t as f64) / 1.5).exp()).collect()
}

/// Curves that differ from voxel to voxel; every tenth has none.
fn study() -> (Volume, Session) {
    let aif = artery(30.0);
    let curve = |v: u32| -> Vec<f64> {
        let (flow, mtt) = (0.01 + 1e-7 * f64::from(v), 2.0 + f64::from(v % 7));
        let at = |t: usize| (0..=t).map(|j| aif[j] * (-((t - j) as f64) / mtt).exp()).sum::<f64>();
        (0..SAMPLES).map(|t| if v.is_multiple_of(10) { f64::NAN } else { flow * at(t) }).collect()
    };
    let volume = row_of_curves(&(0..VOXELS).map(curve).collect::<Vec<_>>(), 1.0);
    let source = Source::Curve { times_s: (0..SAMPLES).map(|t| t as f64).collect(), values: aif };
    (volume, Session { aif: source, ..plain() })
}

/// The maps of some voxels.
fn of(maps: &Maps, voxels: Range<u32>) -> Vec<(u32, bool, [f32; 5])> {
    let all = (0..maps.voxels.len()).filter(|i| voxels.contains(&maps.voxels[*i]));
    all.map(|i| (maps.voxels[i], maps.usable[i], Map::ALL.map(|map| maps.get(map)[i]))).collect()
}

/// Steps until the maps are there; the preview, and how many steps came before and after it.
fn finish(
    analysis: &mut Analysis,
    input: &Input,
    mut step: impl FnMut(&mut Analysis, &Input),
) -> (Option<Maps>, [usize; 2]) {
    let (mut preview, mut steps) = (None, [0, 0]);
    while analysis.stage() != Stage::Done {
        let in_maps = analysis.stage() == Stage::Maps;
        step(analysis, input);
        steps[usize::from(preview.is_some())] += usize::from(in_maps);
        if let Some(maps) = analysis.take_preview() {
            assert!(preview.replace(maps).is_none(), "once");
            assert_ne!(analysis.stage(), Stage::Done, "before the others");
        }
    }
    (preview, steps)
}

fn is_first(analysis: &mut Analysis, input: &Input, mut step: impl FnMut(&mut Analysis, &Input)) {
    let session = analysis.session().clone();
    let (nobody, _) = finish(analysis, input, &mut step);
    assert!(nobody.is_none(), "nobody looked");
    let before = of(analysis.maps().unwrap(), LOOKED_AT);
    // Half of the flow by another artery.
    let times_s = (0..SAMPLES).map(|t| t as f64).collect();
    analysis.set(Session { aif: Source::Curve { times_s, values: artery(60.0) }, ..session });
    analysis.look_at(LOOKED_AT);
    let (preview, [first, rest]) = finish(analysis, input, &mut step);
    let preview = preview.unwrap();
    assert!(preview.voxels.iter().copied().eq(LOOKED_AT), "these and no others");
    assert!(first <= 1 && rest >= 2, "after {first} of {} steps", first + rest);
    let shown = of(&preview, 0..VOXELS);
    assert_eq!(shown, of(analysis.maps().unwrap(), LOOKED_AT));
    let none = LOOKED_AT.filter(|v| v.is_multiple_of(10)).count();
    assert_eq!(shown.iter().filter(|(_, usable, _)| !usable).count(), none);
    let mut pairs = shown.iter().zip(&before).filter(|((_, usable, _), _)| *usable);
    assert!(pairs.all(|(new, old)| (2.0 * new.2[0] / old.2[0] - 1.0).abs() < 1e-3), "of the newer artery");
    // All others are complete as well: the same from the first voxel on, where nobody looks.
    let all = of(analysis.maps().unwrap(), 0..VOXELS);
    analysis.drop_from(Stage::Maps);
    finish(analysis, input, &mut step);
    assert_eq!(all, of(analysis.maps().unwrap(), 0..VOXELS));
}

#[test]
fn what_is_looked_at_comes_first_on_the_cpu() {
    let (volume, session) = study();
    let mut analysis = Analysis::new(session);
    is_first(&mut analysis, &input(&volume, "NIfTI"), |analysis, input| {
        analysis.step(input).unwrap();
    });
    assert!(analysis.take_preview().is_none());
}

#[test]
fn what_is_looked_at_comes_first_on_the_gpu() {
    let Some(gpu) = adapter() else { return };
    let (volume, session) = study();
    // Slabs that do not begin where it does.
    let mut mapper = pollster::block_on(Mapper::new(&gpu)).unwrap().with_slab(90_000);
    let mut analysis = Analysis::new(session);
    is_first(&mut analysis, &input(&volume, "NIfTI"), |analysis, input| {
        pollster::block_on(mapper.step(&gpu, analysis, input)).unwrap();
    });
    assert_eq!(mapper.gpu_bytes(), u64::from(VOXELS) * SAMPLES as u64 * 4, "every slab lies there once");
}
