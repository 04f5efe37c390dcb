//! Milliseconds of whole networks on the CPU, and where they go.
//!
//! `cargo bench -p inference --bench models [FOLDER]`: FOLDER holds the reference models; without it, the reference data
//! of the tests is used. Medians over a second of runs, after one to warm up.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use inference::{Data, HostOnly, Limits, Session, Tensor, load};

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

fn bench(folder: &std::path::Path, model: &str, shape: &[usize]) -> Result<(), Box<dyn std::error::Error>> {
    let graph = Arc::new(load(&std::fs::read(folder.join(model))?, &Limits::default())?);
    let name = graph.inputs[0].name.clone();
    let mut session = Session::new(graph, HostOnly, 16 << 30);
    let values = (0..shape.iter().product()).map(|i: usize| (i * 7919 % 1013) as f32 / 1013.0).collect();
    let input = Tensor::new(shape.to_vec(), Data::F32(values))?;
    let mut times = Vec::new();
    let mut parts: BTreeMap<String, f64> = BTreeMap::new();
    let begin = Instant::now();
    while times.len() < 4 || (begin.elapsed() < Duration::from_secs(1) && times.len() < 200) {
        let start = Instant::now();
        let mut last: Option<(String, Instant)> = None;
        let mut now = BTreeMap::new();
        let mut add = |last: &mut Option<(String, Instant)>| {
            if let Some((operator, since)) = last.take() {
                *now.entry(operator).or_insert(0.0) += since.elapsed().as_secs_f64() * 1e3;
            }
        };
        let run = session.run(vec![(name.clone(), input.clone())], |progress| {
            add(&mut last);
            last = Some((progress.operator.to_owned(), Instant::now()));
            ControlFlow::Continue(())
        });
        std::hint::black_box(pollster::block_on(run)?);
        add(&mut last);
        times.push(start.elapsed().as_secs_f64() * 1e3);
        parts = now;
    }
    times.remove(0);
    let mut parts: Vec<_> = parts.into_iter().collect();
    parts.sort_by(|a, b| b.1.total_cmp(&a.1));
    let parts: Vec<_> = parts.iter().take(6).map(|(operator, ms)| format!("{operator} {ms:.2}")).collect();
    println!("{model:36} {:9.2} ms   {}", median(&mut times), parts.join(", "));
    Ok(())
}

fn main() {
    let given = std::env::args().nth(1).filter(|argument| !argument.starts_with('-')).map(PathBuf::from);
    let Some(folder) = given.or_else(|| testbed::reference("data/models")) else { return };
    for (model, shape) in [
        ("efficientnet-lite0.onnx", vec![1, 3, 224, 224]),
        ("efficientnet-lite0_quant.onnx", vec![1, 3, 224, 224]),
        ("synthetic/unet2d_bn.onnx", vec![1, 1, 128, 128]),
        ("synthetic/vit_tiny_d2_ln17.onnx", vec![1, 3, 224, 224]),
        ("synthetic/unet3d_in.onnx", vec![1, 1, 32, 32, 32]),
        ("meshnet-model5_gw_ae.onnx", vec![1, 1, 32, 32, 32]),
        ("meshnet-model5_gw_ae.onnx", vec![1, 1, 256, 256, 256]),
        ("meshnet-model20chan3cls.onnx", vec![1, 1, 32, 32, 32]),
        ("deepbet-bbox.onnx", vec![1, 1, 32, 32, 32]),
    ] {
        if let Err(error) = bench(&folder, model, &shape) {
            println!("{model}: {error}");
        }
    }
}
