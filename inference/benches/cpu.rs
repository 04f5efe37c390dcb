//! Products per second of the CPU's operators, on the layers of the models that the issue names.
//!
//! `cargo bench -p inference --bench cpu`; each figure is a median over a quarter of a second.

use std::time::{Duration, Instant};

use inference::cpu::{Activation, ConvKernel, ConvShape, Matrix, gemm};
use inference::window::WindowAttributes;

fn median(mut run: impl FnMut()) -> f64 {
    run();
    let begin = Instant::now();
    let mut times = Vec::new();
    while times.len() < 5 || (times.len() < 200 && begin.elapsed() < Duration::from_millis(250)) {
        let begin = Instant::now();
        run();
        times.push(begin.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

fn values(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 7919) % 1013) as f32 / 1013.0 - 0.5).collect()
}

fn print(name: &str, products: usize, seconds: f64) {
    let (millions, milliseconds) = (products as f64 / 1e6, seconds * 1e3);
    println!("{name:26} {millions:8.2} MMAC {milliseconds:9.3} ms {:7.1} GMAC/s", millions / milliseconds);
}

/// Inputs, outputs, groups, extents, kernel, stride, dilation; padded to keep the extents.
type Layer = (&'static str, [usize; 3], Vec<i64>, i64, i64, i64);

fn convolution((name, [inputs, outputs, groups], extents, kernel, stride, dilation): Layer) {
    let rank = extents.len();
    let window = WindowAttributes {
        kernel: vec![kernel; rank],
        strides: vec![stride; rank],
        dilations: vec![dilation; rank],
        pads: vec![kernel / 2 * dilation; 2 * rank],
        ..Default::default()
    };
    let extents: Vec<usize> = extents.iter().map(|&extent| extent as usize).collect();
    let Ok(axes) = window.axes(&extents) else { return };
    let taps: usize = axes.iter().map(|axis| axis.kernel).product();
    let weights = values(outputs * inputs / groups * taps);
    let shape = ConvShape { inputs, outputs, groups, transposed: false };
    let Ok(conv) = ConvKernel::new(shape, &axes, &weights) else { return };
    let (input, bias) = (values(inputs * extents.iter().product::<usize>()), values(outputs));
    let positions: usize = axes.iter().map(|axis| axis.output).product();
    let seconds = median(|| {
        std::hint::black_box(conv.run(&input, 1, &axes, &bias, Activation::RELU).is_ok());
    });
    print(name, weights.len() * positions, seconds);
}

fn main() {
    for layer in [
        ("effnet stem 3x3 s2", [3, 32, 1], vec![224, 224], 3, 2, 1),
        ("effnet dw3x3 112", [32, 32, 32], vec![112, 112], 3, 1, 1),
        ("effnet pw 16-96 112", [16, 96, 1], vec![112, 112], 1, 1, 1),
        ("effnet dw3x3 s2 112", [96, 96, 96], vec![112, 112], 3, 2, 1),
        ("effnet pw 144-24 56", [144, 24, 1], vec![56, 56], 1, 1, 1),
        ("effnet dw5x5 28", [240, 240, 240], vec![28, 28], 5, 1, 1),
        ("effnet pw 80-480 14", [80, 480, 1], vec![14, 14], 1, 1, 1),
        ("effnet dw5x5 14", [672, 672, 672], vec![14, 14], 5, 1, 1),
        ("effnet pw 672-112 14", [672, 112, 1], vec![14, 14], 1, 1, 1),
        ("effnet dw5x5 7", [1152, 1152, 1152], vec![7, 7], 5, 1, 1),
        ("effnet pw 1152-192 7", [1152, 192, 1], vec![7, 7], 1, 1, 1),
        ("unet 1-16 128", [1, 16, 1], vec![128, 128], 3, 1, 1),
        ("unet 16-16 128", [16, 16, 1], vec![128, 128], 3, 1, 1),
        ("unet 32-32 64", [32, 32, 1], vec![64, 64], 3, 1, 1),
        ("unet 64-64 32", [64, 64, 1], vec![32, 32], 3, 1, 1),
        ("unet 128-128 16", [128, 128, 1], vec![16, 16], 3, 1, 1),
        ("meshnet 1-5 32", [1, 5, 1], vec![32; 3], 3, 1, 1),
        ("meshnet 5-5 32 d1", [5, 5, 1], vec![32; 3], 3, 1, 1),
        ("meshnet 5-5 32 d8", [5, 5, 1], vec![32; 3], 3, 1, 8),
        ("meshnet 5-5 64 d16", [5, 5, 1], vec![64; 3], 3, 1, 16),
        ("meshnet 5-5 256 d16", [5, 5, 1], vec![256; 3], 3, 1, 16),
        ("meshnet 20-20 32 d4", [20, 20, 1], vec![32; 3], 3, 1, 4),
    ] {
        convolution(layer);
    }
    for (name, m, k, n) in [
        ("vit qkv 197x192x576", 197, 192, 576),
        ("vit mlp 197x192x768", 197, 192, 768),
        ("vit mlp 197x768x192", 197, 768, 192),
        ("gemm 512^3", 512, 512, 512),
        ("gemv 1x1280x1000", 1, 1280, 1000),
    ] {
        let (a, b) = (values(m * k), values(k * n));
        for transposed in [false, true] {
            let left = Matrix { data: &a, rows: m, columns: k, transposed: false };
            let right = Matrix { data: &b, rows: k, columns: n, transposed };
            let seconds = median(|| {
                std::hint::black_box(gemm(left, right).is_ok());
            });
            print(&format!("{name}{}", if transposed { " B'" } else { "" }), m * k * n, seconds);
        }
    }
}
