// Activations that a convolution or a product applies to its result before it is stored.
//
// Formulas: ONNX operators of the same name. The numbers are `Activation::code` in Rust.

const SQRT_HALF: f32 = 0.7071067811865476;

/// Abramowitz & Stegun 7.1.26, absolute error below 1.5e-7; WGSL has no erf.
fn erf4(x: vec4<f32>) -> vec4<f32> {
    let a = abs(x);
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    return sign(x) * (1.0 - poly * exp(-a * a));
}

/// Of both signs, without overflow of exp.
fn sigmoid4(x: vec4<f32>) -> vec4<f32> {
    let e = exp(-abs(x));
    return select(e, vec4<f32>(1.0), x >= vec4<f32>(0.0)) / (1.0 + e);
}

/// tanh of some drivers overflows beyond 44, where it has long been 1.
fn tanh4(x: vec4<f32>) -> vec4<f32> {
    return tanh(clamp(x, vec4<f32>(-15.0), vec4<f32>(15.0)));
}

fn activate(kind: u32, x: vec4<f32>, a: f32, b: f32) -> vec4<f32> {
    switch kind {
        case 1u: { return max(x, vec4<f32>(0.0)); }
        case 2u: { return select(a * x, x, x >= vec4<f32>(0.0)); }
        case 3u: { return min(max(x, vec4<f32>(a)), vec4<f32>(b)); }
        case 4u: { return sigmoid4(x); }
        case 5u: { return clamp(a * x + b, vec4<f32>(0.0), vec4<f32>(1.0)); }
        case 6u: { return x * clamp(x / 6.0 + 0.5, vec4<f32>(0.0), vec4<f32>(1.0)); }
        case 7u: { return x * sigmoid4(x * a); }
        case 8u: { return 0.5 * x * (1.0 + erf4(x * SQRT_HALF)); }
        case 9u: { return 0.5 * x * (1.0 + tanh4(0.7978845608028654 * (x + 0.044715 * x * x * x))); }
        case 10u: { return tanh4(x); }
        case 11u: { return select(a * (exp(x) - 1.0), x, x >= vec4<f32>(0.0)); }
        case 12u: { return x * tanh4(max(x, vec4<f32>(0.0)) + log(1.0 + exp(-abs(x)))); }
        default: { return x; }
    }
}
