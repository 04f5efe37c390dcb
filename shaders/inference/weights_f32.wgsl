// Weights as they are computed with: [group][block][tap][input channel][quad of output channels].

@group(0) @binding(2) var<storage, read> weights: array<vec4<f32>>;

fn weight_of(i: u32) -> vec4<f32> {
    return weights[i];
}
