// Weights as signed bytes, four output channels to a word: a quarter of the memory, and of what is read.
//
// [group][block][tap][input channel][quad of output channels]. The scale is applied once, to the sum.

@group(0) @binding(2) var<storage, read> weights: array<u32>;

fn weight_of(i: u32) -> vec4<f32> {
    let word = bitcast<i32>(weights[i]);
    return vec4<f32>(vec4<i32>(word << 24u, word << 16u, word << 8u, word) >> vec4<u32>(24u));
}
