// Weights as signed bytes, four output channels to a word: a quarter of the memory, and of what is read.
//
// [group][block][tap][input channel][quad of output channels]. The scale is applied once, to the sum; zero points are
// subtracted where there are any.

/// Whether a zero point is not 0.
override ZEROS: bool = false;

@group(0) @binding(2) var<storage, read> weights: array<u32>;
/// Scale and zero point of each output channel.
@group(0) @binding(4) var<storage, read> scales: array<vec2<f32>>;

fn weight_of(i: u32, zero: vec4<f32>) -> vec4<f32> {
    let word = bitcast<i32>(weights[i]);
    let codes = vec4<f32>(vec4<i32>(word << 24u, word << 16u, word << 8u, word) >> vec4<u32>(24u));
    if ZEROS {
        return codes - zero;
    }
    return codes;
}

fn scale_of(channel: u32) -> f32 {
    return scales[channel].x;
}

/// Of four neighbours; what lies behind the last channel is not stored.
fn zeros_of(channel: u32) -> vec4<f32> {
    let last = arrayLength(&scales) - 1u;
    let at = min(vec4<u32>(channel) + vec4<u32>(0u, 1u, 2u, 3u), vec4<u32>(last));
    return vec4<f32>(scales[at.x].y, scales[at.y].y, scales[at.z].y, scales[at.w].y);
}
