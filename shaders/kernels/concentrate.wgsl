// From frames to concentration: a Gaussian along each axis within the mask, curves by voxel, signal to concentration.
// A frame goes through in four dispatches and leaves one sample in every curve; a thread then has one curve and walks
// along it, so nothing but the curves themselves is ever held for all frames.

const LANES: u32 = 32u;
const EXPONENT: u32 = 0x7f800000u;

// params.kind
const SUBTRACTS: u32 = 1u;
const LOGARITHM: u32 = 2u;

// params.flags
/// What is read is a frame as it was uploaded: outside of the mask it counts as 0.
const FIRST: u32 = 1u;
/// The frame is as it shall be.
const MIXED: u32 = 2u;

// Why a voxel has no concentration.
const NO_MEASUREMENT: u32 = 1u;
const NOT_POSITIVE: u32 = 2u;
const ZERO_BASELINE: u32 = 3u;
const CONSTANT: u32 = 4u;

struct Params {
    /// Voxels of the box, or of the slab.
    count: u32,
    /// Of the axis: from one voxel to the next.
    stride: u32,
    /// Of the axis: voxels.
    extent: u32,
    /// Weights besides the one of the centre.
    reach: u32,
    /// Of a curve.
    samples: u32,
    /// Which sample a frame becomes.
    sample: u32,
    /// Samples before contrast.
    baseline: u32,
    kind: u32,
    flags: u32,
    /// Of the logarithm.
    scale: f32,
    _unused: u32,
    _unused_2: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// Values of the box.
@group(0) @binding(1) var<storage, read> values: array<f32>;
/// From the centre outwards.
@group(0) @binding(2) var<storage, read> weights: array<f32>;
@group(0) @binding(3) var<storage, read_write> mixed: array<f32>;
/// 1 / the weights that lie within the mask; 0 for voxels that neither give nor take.
@group(0) @binding(4) var<storage, read> shares: array<f32>;
/// By voxel of the slab: where it is in the box.
@group(0) @binding(5) var<storage, read> places: array<u32>;
/// The frame as it was uploaded; bits, because what is no number must stay none.
@group(0) @binding(6) var<storage, read> frame: array<u32>;
/// Blocks of 32 voxels, sample by sample.
@group(0) @binding(7) var<storage, read_write> curves: array<u32>;
/// By voxel: baseline, noise, area, peak, sample of the peak, reason; one quantity after the other.
@group(0) @binding(8) var<storage, read_write> numbers: array<u32>;

/// A value that may be mixed.
fn given(at: u32) -> f32 {
    if (params.flags & FIRST) != 0u && shares[at] == 0.0 {
        return 0.0;
    }
    return values[at];
}

/// The weighted sum along one axis.
@compute @workgroup_size(256)
fn along(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.x;
    if at >= params.count {
        return;
    }
    let place = at / params.stride % params.extent;
    var sum = weights[0] * given(at);
    for (var step = 1u; step <= params.reach; step += 1u) {
        let apart = step * params.stride;
        if place >= step {
            sum = fma(weights[step], given(at - apart), sum);
        }
        if place + step < params.extent {
            sum = fma(weights[step], given(at + apart), sum);
        }
    }
    mixed[at] = sum;
}

/// Place of a voxel's first sample; the next one is LANES further.
fn base_of(voxel: u32) -> u32 {
    return (voxel / LANES) * params.samples * LANES + voxel % LANES;
}

/// One sample of every curve.
@compute @workgroup_size(256)
fn enter(@builtin(global_invocation_id) id: vec3<u32>) {
    let voxel = id.x;
    if voxel >= params.count {
        return;
    }
    let at = places[voxel];
    var bits = frame[at];
    if (params.flags & MIXED) == 0u && shares[at] > 0.0 {
        bits = bitcast<u32>(values[at] * shares[at]);
    }
    curves[base_of(voxel) + params.sample * LANES] = bits;
}

/// ln(a / b) that keeps its digits where a is nearly b, where `log` has an absolute error only: 2 atanh of their
/// difference over their sum.
fn log_of_quotient(a: f32, b: f32) -> f32 {
    let z = (a - b) / (a + b);
    let z2 = z * z;
    let series = 2.0 * z * (1.0 + z2 * (1.0 / 3.0 + z2 * (0.2 + z2 / 7.0)));
    return select(log(a / b), series, abs(z) < 0.15);
}

/// Signal to concentration in place, and what is known of a curve without an artery.
@compute @workgroup_size(256)
fn convert(@builtin(global_invocation_id) id: vec3<u32>) {
    let voxel = id.x;
    if voxel >= params.count {
        return;
    }
    let base = base_of(voxel);
    let first = bitcast<f32>(curves[base]);
    var lowest = first;
    var highest = first;
    var above_first = 0.0;
    var measured = true;
    var has_baseline = true;
    for (var t = 0u; t < params.samples; t += 1u) {
        let bits = curves[base + t * LANES];
        if (bits & EXPONENT) == EXPONENT {
            measured = false;
            has_baseline = has_baseline && t >= params.baseline;
            continue;
        }
        let value = bitcast<f32>(bits);
        lowest = min(lowest, value);
        highest = max(highest, value);
        if t < params.baseline {
            // What is far from 0 and varies little keeps its digits.
            above_first += value - first;
        }
    }
    var before = 0.0;
    if has_baseline {
        before = first + above_first / f32(params.baseline);
    }
    var reason = 0u;
    if !measured {
        reason = NO_MEASUREMENT;
    } else if lowest == highest {
        reason = CONSTANT;
    } else if params.kind == LOGARITHM && !(before > 0.0) {
        reason = ZERO_BASELINE;
    } else if params.kind == LOGARITHM && !(lowest > 0.0) {
        reason = NOT_POSITIVE;
    }
    var area = 0.0;
    var peak = 0.0;
    var peak_at = 0u;
    var mean = 0.0;
    for (var t = 0u; t < params.samples; t += 1u) {
        var value = 0.0;
        if reason == 0u {
            value = bitcast<f32>(curves[base + t * LANES]);
            if params.kind == SUBTRACTS {
                value = (value - first) - above_first / f32(params.baseline);
            } else if params.kind == LOGARITHM {
                value = params.scale * log_of_quotient(value, before);
            }
        }
        curves[base + t * LANES] = bitcast<u32>(value);
        let ends = t == 0u || t + 1u == params.samples;
        area = fma(select(1.0, 0.5, ends), value, area);
        if t == 0u || value > peak {
            peak = value;
            peak_at = t;
        }
        if t < params.baseline {
            mean += value / f32(params.baseline);
        }
    }
    var squares = 0.0;
    for (var t = 0u; t < params.baseline; t += 1u) {
        let apart = bitcast<f32>(curves[base + t * LANES]) - mean;
        squares = fma(apart, apart, squares);
    }
    let noise = sqrt(squares / f32(max(params.baseline, 2u) - 1u));
    numbers[voxel] = bitcast<u32>(before);
    numbers[params.count + voxel] = bitcast<u32>(noise);
    numbers[2u * params.count + voxel] = bitcast<u32>(area);
    numbers[3u * params.count + voxel] = bitcast<u32>(peak);
    numbers[4u * params.count + voxel] = peak_at;
    numbers[5u * params.count + voxel] = reason;
}
