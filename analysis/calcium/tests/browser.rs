//! The score on WebGPU against the score of the CPU twin, both in a real browser from one wasm.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]

mod common;

use calcium::gpu::{GpuCandidates, Scorer, upload};
use calcium::{
    CONVENTIONS, Candidates, Connectivity, Convention, Input, LOWEST_THRESHOLD_HU, MinimumArea, Reading,
    Request,
};
use common::apart::apart;
use common::{bank, shapes};
use gpu_kernels::Gpu;
use imaging::Voxels;
use wasm_bindgen_test::{console_log, wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

/// Ten of each kind: a browser on a software adapter takes its time.
const CASES: usize = 10 * bank::KINDS.len();

async fn device() -> (Gpu, Scorer) {
    let gpu = Gpu::webgpu().await.unwrap();
    console_log!("{} (software: {})", gpu.adapter_name(), gpu.is_software());
    let scorer = Scorer::new(&gpu).await.unwrap();
    (gpu, scorer)
}

async fn collect(
    gpu: &Gpu,
    scorer: &mut Scorer,
    input: &Input<'_>,
    region: Option<&[u8]>,
) -> (GpuCandidates, Candidates) {
    let volume = upload(gpu, input.volume).await.unwrap();
    let table = scorer.collect(gpu, input, &volume, LOWEST_THRESHOLD_HU, region).await.unwrap();
    let on_cpu = Candidates::collect(input.volume, LOWEST_THRESHOLD_HU, region).unwrap();
    assert!(*table.host() == on_cpu, "another table of candidates");
    (table, on_cpu)
}

#[wasm_bindgen_test]
async fn the_bank_scores_alike() {
    let (gpu, mut scorer) = device().await;
    let (mut components, mut worst): (usize, f64) = (0, 0.0);
    for (i, case) in bank::cases(CASES).iter().enumerate() {
        let acquisition = case.acquisition();
        let input = common::input(&case.volume, &acquisition);
        let (table, on_cpu) = collect(&gpu, &mut scorer, &input, Some(&case.region)).await;
        let (request, reading) = (&case.request, case.reading());
        let got = scorer.rescore(&gpu, &input, &table, request, &reading, &|| 0.0).await.unwrap();
        let want = calcium::rescore(&input, &on_cpu, request, &reading, &|| 0.0).unwrap();
        components += got.components.len();
        let off = apart(&got, &want).unwrap_or_else(|e| panic!("case {i}: {e}"));
        assert!(off == 0.0 || matches!(case.volume.voxels, Voxels::F32(_)), "case {i}: {off}");
        worst = worst.max(off);
    }
    assert!(components > 1000, "{components}");
    console_log!("{CASES} volumes, {components} components, {worst:.1e} apart");
}

#[wasm_bindgen_test]
async fn what_breaks_labellers_scores_alike() {
    let (gpu, mut scorer) = device().await;
    let mut cases = vec![
        ([257, 257, 1], shapes::spiral(257), [1, 1]),
        ([65, 33, 3], shapes::checkerboard([65, 33, 3]), [3218, 3]),
        (shapes::STAIRS, shapes::stairs([1, 1]), [30, 30]),
        ([300, 200, 5], vec![300; 300 * 200 * 5], [5, 5]),
        ([30, 20, 5], vec![0; 3000], [0, 0]),
        ([1, 1, 1], vec![200], [1, 1]),
    ];
    cases.extend(
        shapes::combs(257, 67).into_iter().zip([1, 1, 1, 1, 2]).map(|(c, n)| ([257, 67, 1], c, [n; 2])),
    );
    for (i, (dims, values, want)) in cases.into_iter().enumerate() {
        let volume = common::ct(Voxels::I16(values), dims, [1.0, 1.0, 3.0]);
        let acquisition = common::standard_scan();
        let input = common::input(&volume, &acquisition);
        let (table, on_cpu) = collect(&gpu, &mut scorer, &input, None).await;
        for (connectivity, want) in [Connectivity::Four, Connectivity::Eight].into_iter().zip(want) {
            let minimum_area = MinimumArea::MoreThanMm2(0.0);
            let convention = Convention { connectivity, minimum_area, ..CONVENTIONS[0] };
            let request = Request { convention, ..Request::default() };
            let reading = Reading::default();
            let got = scorer.rescore(&gpu, &input, &table, &request, &reading, &|| 0.0).await.unwrap();
            assert_eq!(got.components.len(), want, "case {i} {connectivity:?}");
            let cpu = calcium::rescore(&input, &on_cpu, &request, &reading, &|| 0.0).unwrap();
            assert_eq!(apart(&got, &cpu), Ok(0.0), "case {i} {connectivity:?}");
        }
    }
}
