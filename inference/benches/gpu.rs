//! Rates of the kernels that models spend their time in, on this machine's GPU.
//!
//! Shapes are those of EfficientNet-Lite0, MeshNet and a 3D U-Net, so that a rate can be held against a model's time.

use std::time::Instant;

use inference::gpu::kernels::conv::{self, Conv};
use inference::gpu::kernels::depthwise;
use inference::gpu::kernels::matmul::{self, MatMul};
use inference::gpu::{Activation, Block, Gpu, GpuFault, Recorder, Tiles};
use inference::window::Axis;

fn noise(rec: &mut Recorder, words: usize) -> Result<Block, GpuFault> {
    let values: Vec<u32> = (0..words).map(|i| ((i * 7919 % 1000) as f32 / 500.0 - 1.0).to_bits()).collect();
    rec.upload(&values)
}

/// Median of seven, in milliseconds, after a first one that compiles.
fn time(
    rec: &mut Recorder,
    name: &str,
    macs: f64,
    mut run: impl FnMut(&mut Recorder) -> Result<(), GpuFault>,
) -> Result<(), GpuFault> {
    let mut once = |rec: &mut Recorder| {
        let start = Instant::now();
        run(rec)?;
        pollster::block_on(rec.finished())?;
        Ok::<f64, GpuFault>(start.elapsed().as_secs_f64() * 1e3)
    };
    let first = once(rec)?;
    let mut ms = (0..7).map(|_| once(rec)).collect::<Result<Vec<_>, _>>()?;
    ms.sort_by(f64::total_cmp);
    println!("{name}: first {first:.1} ms, median {:.2} ms, {:.2} GMAC/s", ms[3], macs / ms[3] / 1e6);
    Ok(())
}

const ONE: Axis = Axis { input: 1, output: 1, kernel: 1, stride: 1, dilation: 1, pad_begin: 0, pad_end: 0 };

/// An axis that keeps its extent.
fn same(extent: usize, kernel: usize, dilation: usize) -> Axis {
    let pad = (kernel - 1) * dilation / 2;
    Axis { input: extent, output: extent, kernel, stride: 1, dilation, pad_begin: pad, pad_end: pad }
}

fn convolution(
    rec: &mut Recorder,
    name: &str,
    [groups, channels_in, channels_out]: [usize; 3],
    transposed: bool,
    axes: [Axis; 3],
) -> Result<(), GpuFault> {
    let activation = Activation::None;
    let job = Conv { batch: 1, groups, channels_in, channels_out, axes, transposed, activation, bias: false };
    let of = |f: fn(&Axis) -> usize| axes.iter().map(f).product::<usize>();
    let input = noise(rec, groups * channels_in * of(|a| a.input))?;
    let many = groups * channels_in * channels_out * of(|a| a.kernel);
    let raw = noise(rec, many)?;
    let out = rec.take((groups * channels_out * of(|a| a.output)) as u64)?;
    let macs = job.macs() as f64;
    if channels_out == 1 {
        return time(rec, name, macs, {
            let raw = conv::Weights::F32(raw.clone());
            move |rec| depthwise::record(rec, &job, &input, &raw, None, &out)
        });
    }
    let weights = conv::Weights::F32(conv::pack(rec, &job, &raw)?);
    time(rec, name, macs, |rec| conv::record(rec, &job, &input, &weights, None, &out))?;
    // Packed: what the words hold does not change how long they take, so the order does not matter here.
    let scales = noise(rec, 2 * groups * channels_out)?;
    let words = |rec: &mut Recorder, bytes: usize| noise(rec, job.packed_elements() * bytes / 4);
    let held = [
        ("bytes", conv::Weights::I8(words(rec, 1)?, scales.clone(), false)),
        ("bytes with zero points", conv::Weights::I8(words(rec, 1)?, scales, true)),
        ("halves", conv::Weights::F16(words(rec, 2)?)),
    ];
    for (kind, weights) in &held {
        time(rec, &format!("{name}, {kind}"), macs, |rec| {
            conv::record(rec, &job, &input, weights, None, &out)
        })?;
    }
    Ok(())
}

/// What the probe says, then every shape with tiles where they may lie.
fn all(rec: &mut Recorder) -> Result<(), GpuFault> {
    println!("adapter: {}", rec.gpu().adapter_name());
    let start = Instant::now();
    let probe = pollster::block_on(rec.probe())?;
    println!("probe: {probe}, in {:.1} ms with compiling", start.elapsed().as_secs_f64() * 1e3);
    for tiles in [Tiles::Registers, Tiles::Shared] {
        println!("{tiles:?}:");
        rec.set_tiles(tiles);
        shapes(rec)?;
    }
    Ok(())
}

fn shapes(rec: &mut Recorder) -> Result<(), GpuFault> {
    convolution(rec, "conv2d 3x3 32-32 112", [1, 32, 32], false, [ONE, same(112, 3, 1), same(112, 3, 1)])?;
    convolution(rec, "conv2d 1x1 192-1152 14", [1, 192, 1152], false, [ONE, same(14, 1, 1), same(14, 1, 1)])?;
    convolution(rec, "depthwise 3x3 96 112", [96, 1, 1], false, [ONE, same(112, 3, 1), same(112, 3, 1)])?;
    convolution(rec, "conv3d 3 dil2 5-5 32", [1, 5, 5], false, [same(32, 3, 2); 3])?;
    convolution(rec, "conv3d 3 20-20 32", [1, 20, 20], false, [same(32, 3, 1); 3])?;
    let twice = Axis { input: 16, output: 32, kernel: 2, stride: 2, dilation: 1, pad_begin: 0, pad_end: 0 };
    convolution(rec, "conv_transpose3d k2s2 32-16 16", [1, 32, 16], true, [twice; 3])?;
    let job = MatMul::plain(197, 768, 192);
    let (a, b, out) = (noise(rec, 197 * 192)?, noise(rec, 192 * 768)?, rec.take(197 * 768)?);
    let scales = noise(rec, 2 * 768)?;
    for (kind, b) in [
        ("", conv::Weights::F32(b.clone())),
        (", bytes", conv::Weights::I8(b.clone(), scales, false)),
        (", halves", conv::Weights::F16(b)),
    ] {
        time(rec, &format!("matmul 197x192x768{kind}"), (197 * 192 * 768) as f64, |rec| {
            matmul::record_packed(rec, &job, &a, &b, None, &out)
        })?;
    }
    Ok(())
}

fn main() {
    // `cargo test` runs benches too, with this argument and without time for them.
    if std::env::args().any(|a| a == "--test") {
        return;
    }
    match pollster::block_on(Gpu::request()) {
        Ok(gpu) => {
            if let Err(fault) = all(&mut Recorder::new(gpu)) {
                eprintln!("{fault}");
            }
        }
        Err(fault) => eprintln!("{fault}"),
    }
}
