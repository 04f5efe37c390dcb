//! What a run really takes, by what the system says of the process, against what its plan says. One test, alone in its
//! process: others would be counted with it.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)] // Clippy sees only functions marked as tests.

use std::ops::ControlFlow;
use std::sync::Arc;

use inference::{Data, HostOnly, Limits, Session, Tensor, load};

fn resident_bytes(key: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(key)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn a_plan_knows_what_its_run_takes() {
    let Some(folder) = testbed::reference("data/models") else { return };
    let file = std::fs::read(folder.join("meshnet-model20chan3cls.onnx")).unwrap();
    let graph = load(&file, &Limits::default()).unwrap();
    let labelled = Arc::new(graph.with_labels(0).unwrap());
    let name = labelled.inputs[0].name.clone();
    // A layer of 41 MB: what is smaller than 32 MB, glibc may keep.
    let extent = 80;
    for budget in [1 << 30, 75 << 20] {
        let values = (0..extent * extent * extent).map(|i| (i * 7919 % 1013) as f32 / 1013.0).collect();
        let before = resident_bytes("VmRSS:");
        // Resets the peak (proc(5), clear_refs).
        std::fs::write("/proc/self/clear_refs", "5").unwrap();
        let input = Tensor::new(vec![1, 1, extent, extent, extent], Data::F32(values)).unwrap();
        let mut session = Session::new(Arc::clone(&labelled), HostOnly, budget);
        let run = session.run(vec![(name.clone(), input)], |_| ControlFlow::Continue(()));
        let (_, report) = pollster::block_on(run).unwrap();
        let took = resident_bytes("VmHWM:").saturating_sub(before);
        println!("of {budget} bytes: {took} taken, {} planned, slab {:?}", report.peak_bytes, report.slab);
        // What the allocator keeps between blocks, and the stacks of threads, are in no plan.
        assert!(took < report.peak_bytes + report.peak_bytes / 4 + (8 << 20), "{took} bytes were taken");
        assert!(took > report.peak_bytes / 2, "{took} bytes taken: the plan would refuse what fits");
    }
}
