// Functions for generated chains of elementwise operators; the chain itself is written by Rust behind this part.
//
// Formulas: ONNX operators of the same name. NaN and infinity are told by their bits, because shader compilers may
// assume that there are none.

const SQRT_HALF: f32 = 0.7071067811865476;

fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_inf(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) == 0x7f800000u;
}

/// Abramowitz & Stegun 7.1.26, absolute error below 1.5e-7; near 0 its series, which keeps the relative error.
fn erf_(x: f32) -> f32 {
    let a = abs(x);
    let t = 1.0 / (1.0 + 0.3275911 * a);
    let poly = ((((1.061405429 * t - 1.453152027) * t + 1.421413741) * t - 0.284496736) * t + 0.254829592) * t;
    let far = sign(x) * (1.0 - poly * exp(-a * a));
    let near = x * (1.1283791671 - x * x * (0.3761263890 - x * x * 0.1128379167));
    return select(far, near, a < 0.125);
}

fn sigmoid_(x: f32) -> f32 {
    let e = exp(-abs(x));
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn tanh_(x: f32) -> f32 {
    let near = x * (1.0 - x * x * (0.3333333333 - x * x * 0.1333333333));
    return select(tanh(clamp(x, -15.0, 15.0)), near, abs(x) < 0.0625);
}

fn softplus_(x: f32) -> f32 {
    return max(x, 0.0) + log(1.0 + exp(-abs(x)));
}

/// exp(x) - 1 without cancellation near 0.
fn expm1_(x: f32) -> f32 {
    let near = x * (1.0 + x * (0.5 + x * (0.1666666667 + x * 0.0416666667)));
    return select(exp(x) - 1.0, near, abs(x) < 0.0625);
}

/// A negative base has a power where the exponent is whole, and 0 to the 0 is 1.
fn pow_(x: f32, y: f32) -> f32 {
    if y == 0.0 || x == 1.0 { return 1.0; }
    if y == 1.0 { return x; }
    if y == 2.0 { return x * x; }
    if y == 3.0 { return x * x * x; }
    if y == 0.5 { return sqrt(x); }
    if y == -1.0 { return 1.0 / x; }
    let magnitude = pow(abs(x), y);
    if x < 0.0 {
        if floor(y) != y { return bitcast<f32>(0x7fc00000u | (bitcast<u32>(x) & 1u)); }
        return select(magnitude, -magnitude, abs(y) % 2.0 == 1.0);
    }
    return magnitude;
}

/// x without its lower 12 bits.
fn upper_(x: f32) -> f32 {
    return bitcast<f32>(bitcast<u32>(x) & 0xfffff000u);
}

/// The quotient to the nearest f32 where it is below 2^20: what is left over is computed without error, by halves of 12
/// bits whose products are exact (Dekker 1971), fused or not.
fn ratio_(x: f32, y: f32) -> f32 {
    let q = x / y;
    let qh = upper_(q);
    let ql = q - qh;
    let yh = upper_(y);
    let yl = y - yh;
    let left = (((x - qh * yh) - qh * yl) - ql * yh) - ql * yl;
    return select(q, q + left / y, abs(q) < 1048576.0);
}

/// The sign of the result is the divisor's (numpy.mod).
fn mod_(x: f32, y: f32) -> f32 {
    return x - floor(x / y) * y;
}

fn imod_(x: i32, y: i32) -> i32 {
    let r = x % y;
    return select(r, r + y, r != 0 && (r < 0) != (y < 0));
}

fn ipow_(x: i32, y: i32) -> i32 {
    var result = 1;
    var base = x;
    var rest = y;
    while rest > 0 {
        if (rest & 1) == 1 { result *= base; }
        base *= base;
        rest >>= 1u;
    }
    return result;
}
