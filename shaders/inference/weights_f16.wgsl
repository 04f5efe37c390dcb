// Weights as half floats, two to a word: half of the memory, and of what is read. Every half float has its f32.
//
// [group][block][tap][input channel][quad of output channels]. `unpack2x16float` needs no feature of a device.

@group(0) @binding(2) var<storage, read> weights: array<vec2<u32>>;

fn weight_of(i: u32, zero: vec4<f32>) -> vec4<f32> {
    let words = weights[i];
    return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}

fn scale_of(channel: u32) -> f32 {
    return 1.0;
}

fn zeros_of(channel: u32) -> vec4<f32> {
    return vec4<f32>(0.0);
}
