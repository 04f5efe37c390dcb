//! The fast CPU operators against the plain loops, over sizes that fill no vector and no tile.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail by panicking, as tests do")]

use inference::cpu::{
    Activation, ConvKernel, ConvShape, CpuError, Matrix, Smooth, gemm, matmul, reference, softmax,
};
use inference::window::{Axis, WindowAttributes};

/// Numbers between -1 and 1 that repeat nowhere near.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn values(&mut self, n: usize) -> Vec<f32> {
        (0..n).map(|_| (self.next() >> 40) as f32 / 8_388_608.0 - 1.0).collect()
    }
}

/// Sums of n products of numbers below 1, in another order: the error of one is below n · 2⁻²⁴ of the sum of magnitudes.
fn compare(case: &str, got: &[f32], want: &[f32], products: usize) {
    let allowed = products as f32 * 1.2e-7 + 1e-6;
    assert_eq!(got.len(), want.len(), "{case}");
    for (i, (got, want)) in got.iter().zip(want).enumerate() {
        assert!((got - want).abs() <= allowed, "{case}: element {i} is {got}, wanted {want} ± {allowed}");
    }
}

fn window(kernel: &[usize], stride: &[usize], dilation: &[usize], pads: &[usize]) -> WindowAttributes {
    let wide = |list: &[usize]| list.iter().map(|&x| x as i64).collect();
    WindowAttributes {
        kernel: wide(kernel),
        strides: wide(stride),
        dilations: wide(dilation),
        pads: wide(pads),
        ..Default::default()
    }
}

fn check(random: &mut Random, shape: ConvShape, batch: usize, axes: &[Axis], activation: Activation) {
    let size = |of: fn(&Axis) -> usize| axes.iter().map(of).product::<usize>();
    let input = random.values(batch * shape.inputs * size(|a| a.input));
    let weights = random.values(shape.inputs * shape.outputs / shape.groups * size(|a| a.kernel));
    let bias = if random.below(2) == 0 { vec![] } else { random.values(shape.outputs) };
    let case = format!("{shape:?} batch {batch} {axes:?} {activation:?}");
    let got =
        ConvKernel::new(shape, axes, &weights).unwrap().run(&input, batch, axes, &bias, activation).unwrap();
    let want = reference::conv(shape, &input, &weights, batch, axes, &bias, activation);
    compare(&case, &got, &want, shape.inputs / shape.groups * size(|a| a.kernel));
}

const ACTIVATIONS: [Activation; 5] = [
    Activation::None,
    Activation::Clip { low: -0.5, high: 0.75 },
    Activation::LeakyRelu { alpha: 0.1 },
    Activation::HardSigmoid { alpha: 0.2, beta: 0.5 },
    Activation::HardSwish,
];

#[test]
fn random_convolutions_equal_the_plain_loops() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    for case in 0..250 {
        let rank = 1 + random.below(3);
        let groups = [1, 1, 1, 2, 3, 8][random.below(6)];
        let shape = ConvShape {
            inputs: groups * (1 + random.below(if groups > 3 { 2 } else { 9 })),
            outputs: groups * (1 + random.below(if groups > 3 { 2 } else { 19 })),
            groups,
            transposed: false,
        };
        let mut list =
            |most: usize, least: usize| (0..rank).map(|_| least + random.below(most)).collect::<Vec<_>>();
        let (kernel, stride, dilation) = (list(5, 1), list(3, 1), list(4, 1));
        let pads = (0..2 * rank).map(|_| random.below(5)).collect::<Vec<_>>();
        let extents: Vec<usize> = (0..rank)
            .map(|a| {
                let most = [70, 30, 9][rank - 1];
                let least =
                    ((kernel[a] - 1) * dilation[a] + 1).saturating_sub(pads[a] + pads[rank + a]).max(1);
                least + random.below(most)
            })
            .collect();
        let axes = window(&kernel, &stride, &dilation, &pads).axes(&extents).unwrap();
        let batch = 1 + random.below(2);
        check(&mut random, shape, batch, &axes, ACTIVATIONS[case % 5]);
    }
}

#[test]
fn random_transposed_convolutions_equal_the_plain_loops() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    for case in 0..150 {
        let rank = 1 + random.below(3);
        let groups = [1, 1, 2, 3][random.below(4)];
        let shape = ConvShape {
            inputs: groups * (1 + random.below(6)),
            outputs: groups * (1 + random.below(9)),
            groups,
            transposed: true,
        };
        let axes: Vec<Axis> = (0..rank)
            .map(|_| {
                let input = 1 + random.below([30, 12, 6][rank - 1]);
                let (kernel, stride, dilation) =
                    (1 + random.below(4), 1 + random.below(4), 1 + random.below(3));
                let full = (input - 1) * stride + (kernel - 1) * dilation + 1 + random.below(stride);
                let pad_begin = random.below(4).min(full - 1);
                let pad_end = random.below(4).min(full - 1 - pad_begin);
                Axis {
                    input,
                    output: full - pad_begin - pad_end,
                    kernel,
                    stride,
                    dilation,
                    pad_begin,
                    pad_end,
                }
            })
            .collect();
        check(&mut random, shape, 1 + case % 2, &axes, ACTIVATIONS[case % 5]);
    }
}

/// Large enough for bands, slabs, several threads and every width of tile.
#[test]
fn large_convolutions_are_cut_without_a_seam() {
    let mut random = Random(7);
    let conv = |inputs, outputs, groups| ConvShape { inputs, outputs, groups, transposed: false };
    for (shape, kernel, stride, dilation, pad, extents) in [
        (conv(5, 5, 1), vec![3; 3], 1, 4, 4, vec![11, 61, 67]),
        (conv(3, 17, 1), vec![3; 2], 2, 1, 1, vec![81, 123]),
        (conv(40, 40, 40), vec![5; 2], 1, 1, 2, vec![37, 49]),
        (conv(96, 12, 1), vec![3; 2], 1, 1, 1, vec![131, 30]),
        (conv(24, 100, 1), vec![1; 2], 1, 1, 0, vec![56, 57]),
        (conv(6, 4, 2), vec![1; 3], 1, 1, 0, vec![9, 30, 31]),
        (conv(7, 3, 1), vec![9], 3, 2, 8, vec![5003]),
    ] {
        let rank = extents.len();
        let axes = window(&kernel, &vec![stride; rank], &vec![dilation; rank], &vec![pad; 2 * rank])
            .axes(&extents)
            .unwrap();
        check(&mut random, shape, 1, &axes, Activation::RELU);
    }
}

#[test]
fn products_equal_the_plain_loops_at_every_size_and_in_both_orders() {
    let mut random = Random(99);
    let turned = |data: &[f32], rows: usize, columns: usize| -> Vec<f32> {
        (0..rows * columns).map(|i| data[i % rows * columns + i / rows]).collect()
    };
    let mut sizes: Vec<[usize; 3]> =
        (0..60).map(|_| [1 + random.below(40), 1 + random.below(70), 1 + random.below(300)]).collect();
    sizes.extend([[1, 1280, 1000], [3, 257, 513], [197, 64, 197], [64, 200, 1030]]);
    for [m, k, n] in sizes {
        let (a, b) = (random.values(m * k), random.values(k * n));
        let want = reference::matmul(&a, &b, m, k, n);
        let (a_turned, b_turned) = (turned(&a, m, k), turned(&b, k, n));
        for (a, a_transposed) in [(&a, false), (&a_turned, true)] {
            for (b, b_transposed) in [(&b, false), (&b_turned, true)] {
                let left = Matrix { data: a, rows: m, columns: k, transposed: a_transposed };
                let right = Matrix { data: b, rows: k, columns: n, transposed: b_transposed };
                compare(
                    &format!("{m}x{k}x{n} {a_transposed} {b_transposed}"),
                    &gemm(left, right).unwrap(),
                    &want,
                    k,
                );
            }
        }
    }
}

#[test]
fn a_batch_of_products_may_share_one_side() {
    let mut random = Random(5);
    let (a, b) = (random.values(3 * 4 * 5), random.values(5 * 6));
    let left: Vec<_> =
        a.chunks(20).map(|data| Matrix { data, rows: 4, columns: 5, transposed: false }).collect();
    let right = Matrix { data: &b, rows: 5, columns: 6, transposed: false };
    let got = matmul(&left, &[right]).unwrap();
    let want: Vec<f32> = a.chunks(20).flat_map(|a| reference::matmul(a, &b, 4, 5, 6)).collect();
    compare("batch", &got, &want, 5);
    assert!(matmul(&left, &[right, right]).is_err(), "two cannot be spread over three");
    assert_eq!(matmul(&[], &[right]).unwrap(), Vec::<f32>::new());
}

#[test]
fn softmax_equals_the_plain_loop_along_every_axis_and_at_the_ends_of_the_range() {
    let mut random = Random(41);
    // Differences up to 87 are rounded to 4e-6, which is the relative error of their exponential.
    for case in 0..80 {
        let sizes = [1 + random.below(4), 1 + random.below(40), [1, 1, 1 + random.below(50)][case % 3]];
        let scale = [1.0, 30.0, 1e4][random.below(3)];
        let mut values = random.values(sizes.iter().product());
        values.iter_mut().for_each(|x| *x *= scale);
        let (got, want) = (softmax(&values, sizes).unwrap(), reference::softmax(&values, sizes));
        for (i, (got, want)) in got.iter().zip(&want).enumerate() {
            assert!((got - want).abs() <= 8e-6 * want + 1e-37, "{sizes:?} {i}: {got}, wanted {want}");
        }
    }
    let of = |values: &[f32]| softmax(values, [1, values.len(), 1]).unwrap();
    assert_eq!(of(&[0.0, f32::NEG_INFINITY]), [1.0, 0.0]);
    assert_eq!(of(&[1e30, 1e30]), [0.5, 0.5]);
    assert!(of(&[f32::NAN, 0.0]).iter().all(|x| x.is_nan()), "what is not a number stays so");
    assert!(of(&[f32::NEG_INFINITY; 3]).iter().all(|x| x.is_nan()), "nothing has no shares");
    assert_eq!(softmax(&[], [0, 3, 2]).unwrap(), Vec::<f32>::new());
    assert!(softmax(&[0.0; 5], [1, 3, 2]).is_err());
}

#[test]
fn smooth_functions_equal_the_c_librarys() {
    let sigmoid = |x: f64| 1.0 / (1.0 + (-x).exp());
    type Exact = Box<dyn Fn(f64) -> f64>;
    let functions: [(Smooth, Exact); 5] = [
        (Smooth::Sigmoid, Box::new(sigmoid)),
        (Smooth::Swish { alpha: 1.5 }, Box::new(move |x| x * sigmoid(1.5 * x))),
        (Smooth::Gelu, Box::new(|x| 0.5 * x * (1.0 + libm::erf(x * std::f64::consts::FRAC_1_SQRT_2)))),
        (Smooth::Erf, Box::new(libm::erf)),
        (Smooth::Elu { alpha: 0.7 }, Box::new(|x| if x < 0.0 { f64::from(0.7f32) * x.exp_m1() } else { x })),
    ];
    for (function, exact) in functions {
        // An odd number of them, so that the last vector is filled up.
        let places: Vec<f32> =
            (-20_001..=20_000).map(|i| i as f32 * 1e-3).chain([-1e4, 1e4, 1e-30]).collect();
        let mut got = places.clone();
        function.apply(&mut got);
        for (&x, &got) in places.iter().zip(&got) {
            let want = exact(x.into());
            // erf is good to 7 units of 1, and GELU multiplies what 1 + erf leaves of it by x / 2.
            let allowed = 1e-6 * want.abs() + 2.5e-7 * f64::from(x.abs()).min(6.0);
            assert!((f64::from(got) - want).abs() <= allowed, "{function:?} of {x}: {got}, wanted {want}");
        }
        let mut strange = [f32::NAN, 0.0];
        function.apply(&mut strange);
        assert!(strange[0].is_nan() && !strange[1].is_nan(), "{function:?}: {strange:?}");
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let axes = window(&[3], &[1], &[1], &[1, 1]).axes(&[8]).unwrap();
    let shape = ConvShape { inputs: 4, outputs: 6, groups: 1, transposed: false };
    let refused = |shape, weights: usize| ConvKernel::new(shape, &axes, &vec![0.0; weights]).err();
    assert_eq!(
        refused(ConvShape { groups: 4, ..shape }, 18),
        Some(CpuError::Groups { channels: 6, groups: 4 })
    );
    assert_eq!(
        refused(ConvShape { groups: 0, ..shape }, 18),
        Some(CpuError::Groups { channels: 4, groups: 0 })
    );
    assert_eq!(refused(shape, 71), Some(CpuError::Length { what: "kernel", got: 71, want: 72 }));
    let kernel = ConvKernel::new(shape, &axes, &[0.0; 72]).unwrap();
    let run = |input: usize, axes: &[Axis], bias: usize| {
        kernel.run(&vec![0.0; input], 1, axes, &vec![0.0; bias], Activation::None).err()
    };
    assert_eq!(run(32, &axes, 6), None);
    assert_eq!(run(31, &axes, 6), Some(CpuError::Length { what: "input", got: 31, want: 32 }));
    assert_eq!(run(32, &axes, 5), Some(CpuError::Length { what: "bias", got: 5, want: 6 }));
    assert_eq!(run(32, &[Axis { dilation: 2, ..axes[0] }], 6), Some(CpuError::Window));
}
